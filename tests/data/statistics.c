/* RUN np=1,2,3,4 quick -- ordered target statistics equal their definition, row by row, on any number of ranks. */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "data/data_priv.h"

static Comm *comm;

enum { N = 1500, LAG = 40 };
static const double WEIGHT = 3;

typedef struct Rows {
    int64_t time[N], known[N];
    int8_t label[N];
    double target[N]; /* numbers over six orders of magnitude */
    uint8_t part[N];
    char text[N][12];
    int64_t n, first, last; /* times of train */
} Rows;

/* `times`: how many distinct ones; few of them make ranks cut within one time. */
static void make_rows(Rows *rows, uint64_t times, uint64_t seed)
{
    rows->n = N;
    for (uint64_t i = 0; i < N; i++) {
        double u = dp_random_unit(seed, 1, i);
        rows->time[i] = (int64_t)dp_random_below(seed, 2, i, times) - 50;
        rows->known[i] = rows->time[i] + (int64_t)dp_random_below(seed, 3, i, LAG) - 5;
        rows->label[i] = dp_random_unit(seed, 4, i) < 0.3;
        rows->target[i] = 1000 + dp_random_unit(seed, 9, i) * pow(10, 6 * dp_random_unit(seed, 10, i));
        rows->part[i] =
            (uint8_t)(dp_random_below(seed, 5, i, 10) < 8 ? DATA_TRAIN : 1 + dp_random_below(seed, 6, i, 2));
        /* From one category with a third of the rows to many with one; the empty text is the missing value. */
        int category = (int)(u * u * u * 400);
        snprintf(rows->text[i], sizeof rows->text[i], "%s%.0d", category ? "c" : "", category);
        if (rows->part[i] != DATA_TRAIN && dp_random_below(seed, 7, i, 20) == 0)
            snprintf(rows->text[i], sizeof rows->text[i], "unseen");
    }
    rows->first = INT64_MAX;
    rows->last = INT64_MIN;
    for (int64_t i = 0; i < N; i++)
        if (rows->part[i] == DATA_TRAIN) {
            rows->first = rows->time[i] < rows->first ? rows->time[i] : rows->first;
            rows->last = rows->time[i] > rows->last ? rows->time[i] : rows->last;
        }
}

/* What a label that was given then counts: all the same, or the more the later in train's time. */
static int64_t weight_at(const Rows *rows, int64_t when, const TargetRule *rule)
{
    int64_t first = rows->first, last = rows->last;
    int64_t age = when <= first ? 0 : (when - first) * TIMELINE_AGES / (last - first + 1);
    return rule->weight[age < TIMELINE_AGES ? age : TIMELINE_AGES - 1];
}

/* The definition: every pair of rows. Of labels 1 and 0 to the bit; of numbers as plain a mean as it is written. */
static float expected(const Rows *rows, int64_t i, bool known, const TargetRule *rule)
{
    struct {
        double n, sum;
    } category = {0, 0}, all = {0, 0};
    int64_t unit = rule->weight[TIMELINE_AGES - 1];
    if (rows->part[i] == DATA_TRAIN)
        unit = weight_at(rows, rows->time[i], rule);
    for (int64_t j = 0; j < N; j++) {
        int64_t when = known && rows->known[j] > rows->time[j] ? rows->known[j] : rows->time[j];
        if (rows->part[j] != DATA_TRAIN || (rows->part[i] == DATA_TRAIN && when >= rows->time[i]))
            continue;
        double counts = (double)weight_at(rows, when, rule);
        double label = rule->centre > 0 ? rows->target[j] - rule->centre : rows->label[j];
        all.n += counts;
        all.sum += label * counts;
        if (strcmp(rows->text[i], rows->text[j]) == 0) {
            category.n += counts;
            category.sum += label * counts;
        }
    }
    double base = (all.sum + rule->lean * (double)unit) / (all.n + (double)unit);
    double value = (category.sum + WEIGHT * (double)unit * base) / (category.n + WEIGHT * (double)unit);
    return (float)(rule->centre + value);
}

/* Every rank takes its rows of the whole, the last of three or more none. */
static bool is_mine(int64_t i, uint64_t seed)
{
    int owners = comm_size(comm) > 2 ? comm_size(comm) - 1 : comm_size(comm);
    double u = dp_random_unit(seed, 8, (uint64_t)i);
    return (int)(u * u * owners) == comm_rank(comm);
}

/* Rows of train, their mean and what is farthest from it. */
static void look_at_numbers(TargetRule *rule, const Rows *rows)
{
    double sum = 0, farthest = 0;
    int64_t n = 0;
    for (int64_t i = 0; i < N; i++)
        if (rows->part[i] == DATA_TRAIN) {
            sum += rows->target[i];
            n++;
        }
    for (int64_t i = 0; i < N; i++)
        if (rows->part[i] == DATA_TRAIN)
            farthest = fmax(farthest, fabs(rows->target[i] - sum / (double)n));
    target_rule_numbers(rule, n, sum / (double)n, farthest);
}

/* Of labels 1 and 0 the very bits. A sum of doubles depends on its order: of numbers the last bits of a float. */
static bool same_value(float a, float b, bool numbers)
{
    return numbers ? fabs((double)a - (double)b) <= 2e-7 * fabs((double)b) : memcmp(&a, &b, sizeof a) == 0;
}

static void check_statistics(const Rows *all, bool known, double half_life, bool numbers, uint64_t seed)
{
    static int8_t label[N];
    static uint8_t part[N];
    static int64_t times[N], knowns[N], place[N];
    static double target[N];
    static uint32_t train[N];
    static float values[N];
    Categories categories = {0};
    Timeline timeline = {0};
    TargetTable table = {0};
    TargetRule rule = target_rule(WEIGHT, half_life);
    int64_t n = 0, n_train = 0, size = 0;
    assert_ok(dp_new(&categories.code, N));
    for (int64_t i = 0; i < N; i++)
        if (is_mine(i, seed)) {
            assert_ok(categories_put(&categories, all->text[i], strlen(all->text[i]), &categories.code[n]));
            label[n] = all->label[i];
            target[n] = all->target[i];
            part[n] = all->part[i];
            place[n] = i;
            if (part[n] == DATA_TRAIN) {
                times[n_train] = all->time[i];
                knowns[n_train] = all->known[i];
                train[n_train++] = (uint32_t)n;
            }
            n++;
        }
    TargetRows rows = {.n = n, .part = part, .label = label, .target = numbers ? target : NULL};
    assert_ok(timeline_build(&timeline, train, times, known ? knowns : NULL, n_train, comm));
    rule.timeline = &timeline;
    rule.n_timelines = 1;
    if (numbers)
        look_at_numbers(&rule, all);
    assert_ok(target_statistics(values, &table, &categories, &rows, &rule, comm));
    for (int64_t i = 0; i < n; i++) {
        float value = expected(all, place[i], known, &rule);
        if (!same_value(value, values[i], numbers))
            fail_msg("row %d ('%s', part %d): %.9g, by definition %.9g", (int)place[i], all->text[place[i]], part[i],
                     (double)values[i], (double)value);
    }
    /* No rank is asked for much more than its share, even where all rows have one time. */
    size = timeline.asked.deal.n_got;
    comm_max_i64(comm, &size, 1);
    if (size > (int64_t)(1.35 * N / comm_size(comm)))
        fail_msg("a rank of %d holds %d of %d rows", comm_size(comm), (int)size, N);
    categories_free(&categories);
    target_table_free(&table);
    timeline_free(&timeline);
}

static void statistics_are_those_of_all_pairs(void **state)
{
    (void)state;
    static Rows rows;
    static const uint64_t times[] = {1, 3, 60, 1u << 30};
    for (size_t t = 0; t < sizeof times / sizeof *times; t++)
        for (int known = 0; known < 2; known++) {
            make_rows(&rows, times[t], 10 + t);
            for (int numbers = 0; numbers < 2; numbers++) {
                check_statistics(&rows, known, 0, numbers, 20 + t);
                check_statistics(&rows, known, t % 2 ? 0.05 : 0.4, numbers, 20 + t);
            }
        }
}

/* A change of later labels changes no earlier statistic: with the definition above this follows for all rows, so here
 * it is enough that the definition itself has the property. */
static void later_labels_change_nothing_earlier(void **state)
{
    (void)state;
    static Rows rows, changed;
    TargetRule rule = target_rule(WEIGHT, 0.1);
    make_rows(&rows, 500, 3);
    changed = rows;
    for (int64_t i = 0; i < N; i++)
        if (rows.time[i] >= 100)
            changed.label[i] = !rows.label[i];
    for (int64_t i = 0; i < N; i++)
        if (rows.part[i] == DATA_TRAIN && rows.time[i] <= 100)
            assert_true(expected(&rows, i, false, &rule) == expected(&changed, i, false, &rule));
    check_statistics(&changed, false, 0, false, 4);
}

/* Half as much a half-life earlier, and so that 2^37 labels still fit. */
static void weights_halve(void **state)
{
    (void)state;
    TargetRule rule = target_rule(1, 0.25);
    const int64_t *weight = rule.weight;
    for (int a = 64; a < TIMELINE_AGES; a++)
        assert_true(weight[a] >= 2 * weight[a - 32] - 2 && weight[a] <= 2 * weight[a - 32] + 2);
    rule = target_rule(1, 0.05);
    assert_true(weight[0] == 16 && weight[TIMELINE_AGES - 1] < 1 << 25);
    rule = target_rule(1, 0);
    assert_true(weight[0] == 1 && weight[TIMELINE_AGES - 1] == 1);
}

static void maps_find_what_was_put(void **state)
{
    (void)state;
    KeyMap map = {0};
    uint32_t number;
    assert_int_equal(keymap_find(&map, 5), -1);
    for (uint64_t i = 0; i < 5000; i++) {
        assert_ok(keymap_put(&map, dp_random_u64(1, 1, i % 2500), &number));
        assert_int_equal(number, i % 2500);
    }
    for (uint64_t i = 0; i < 2500; i++)
        assert_int_equal(keymap_find(&map, dp_random_u64(1, 1, i)), i);
    assert_int_equal(keymap_find(&map, dp_random_u64(1, 2, 0)), -1);
    keymap_free(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statistics_are_those_of_all_pairs),
        cmocka_unit_test(later_labels_change_nothing_earlier),
        cmocka_unit_test(weights_halve),
        cmocka_unit_test(maps_find_what_was_put),
    };
    if (comm_open(&comm, NULL) != DP_OK)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_close(&comm);
    return failed;
}
