/* RUN np=1,3 quick -- measures of several classes: by their definition, with intervals, the same on any ranks. */
#include "check.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "metric/metric.h"

static Comm *comm, *alone;
enum { N = 900, K = 5 };

typedef struct Table {
    int64_t n;
    float score[N];
    int8_t label[N];
    uint8_t class_id[N], guess[N], other[N];
    uint64_t row[N];
} Table;

/* The last class is never right, the one before it neither there nor guessed. */
static void draw(Table *t)
{
    t->n = N;
    for (int i = 0; i < N; i++) {
        uint64_t item = (uint64_t)i;
        t->row[i] = item * 31 + 7;
        t->class_id[i] = (uint8_t)dp_random_below(1, 1, item, 3);
        t->guess[i] = dp_random_below(1, 2, item, 4) > 0 ? t->class_id[i] : (uint8_t)dp_random_below(1, 3, item, 3);
        t->other[i] = dp_random_below(1, 4, item, 9) > 0 ? t->class_id[i] : (uint8_t)dp_random_below(1, 5, item, 3);
        t->guess[i] = i % 50 == 0 ? K - 1 : t->guess[i];
        t->score[i] = (float)dp_random_unit(1, 6, item);
    }
}

static void deal(Table *mine, const Table *all)
{
    memset(mine, 0, sizeof *mine);
    for (int64_t i = 0; i < all->n; i++) {
        if ((int)(i * i % 7) % comm_size(comm) != comm_rank(comm))
            continue;
        mine->score[mine->n] = all->score[i];
        mine->class_id[mine->n] = all->class_id[i];
        mine->guess[mine->n] = all->guess[i];
        mine->other[mine->n] = all->other[i];
        mine->row[mine->n++] = all->row[i];
    }
}

static MetricRows rows_of(const Table *t)
{
    return (MetricRows){.score = t->score,
                        .label = t->label,
                        .class_id = t->class_id,
                        .guess = t->guess,
                        .classes = K,
                        .row = t->row,
                        .n = t->n};
}

static double by_definition(const char *name, const Table *t)
{
    double sum = 0, f1 = 0, hits[K] = {0}, rows[K] = {0}, guesses[K] = {0}, present = 0;
    for (int i = 0; i < N; i++) {
        hits[t->class_id[i]] += t->class_id[i] == t->guess[i];
        rows[t->class_id[i]]++;
        guesses[t->guess[i]]++;
        sum += strcmp(name, "logloss") == 0 ? -log((double)t->score[i]) : t->class_id[i] == t->guess[i];
    }
    for (int k = 0; k < K; k++) {
        double precision = guesses[k] > 0 ? hits[k] / guesses[k] : 0, recall = rows[k] > 0 ? hits[k] / rows[k] : 0;
        f1 += precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0;
        present += guesses[k] + rows[k] > 0;
    }
    return strcmp(name, "macro_f1") == 0 ? f1 / present : sum / N;
}

static void values_and_intervals(void **state)
{
    static const char *const names[] = {"logloss", "accuracy", "macro_f1"};
    static Table all, mine;
    (void)state;
    draw(&all);
    deal(&mine, &all);
    for (size_t m = 0; m < sizeof names / sizeof *names; m++) {
        Metric metric;
        MetricValue one, dealt, difference;
        MetricRows rows = rows_of(&all), rows_mine = rows_of(&mine), other = rows_mine;
        double value;
        assert_ok(metric_parse(&metric, names[m]));
        assert_ok(metric_compute(&one, &metric, &rows, alone));
        assert_ok(metric_compute(&dealt, &metric, &rows_mine, comm));
        assert_ok(metric_value(&value, &metric, &rows_mine, comm));
        assert_memory_equal(&one, &dealt, sizeof one);
        assert_true(value == one.value && fabs(value - by_definition(names[m], &all)) < 1e-12);
        double error = sqrt(value * (1 - value) / N); /* of a share */
        if (metric.kind == METRIC_ACCURACY)
            assert_true(fabs((one.high - one.low) / 2 / (1.96 * error) - 1) < 0.2);
        assert_true(one.low < value && value < one.high);
        other.guess = mine.other;
        assert_ok(metric_compare(&difference, &metric, &rows_mine, &other, comm));
        assert_true(metric.kind == METRIC_LOGLOSS ? difference.value == 0 : difference.low > 0);
    }
}

static void what_cannot_be_measured(void **state)
{
    static Table all;
    Metric auc, f1;
    double value;
    (void)state;
    draw(&all);
    MetricRows rows = rows_of(&all);
    assert_ok(metric_parse(&auc, "auc"));
    assert_ok(metric_parse(&f1, "macro_f1"));
    assert_fails(metric_value(&value, &auc, &rows, comm), DP_ERR_CONFIG, "metric-05");
    all.guess[3] = K;
    assert_fails(metric_value(&value, &f1, &rows, comm), DP_ERR_USAGE, "metric-03");
    rows.class_id = NULL;
    assert_fails(metric_value(&value, &f1, &rows, comm), DP_ERR_CONFIG, "metric-05");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_intervals),
        cmocka_unit_test(what_cannot_be_measured),
    };
    if (comm_open(&comm, NULL) != DP_OK || comm_open_alone(&alone, NULL) != DP_OK)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_close(&alone);
    comm_close(&comm);
    return failed;
}
