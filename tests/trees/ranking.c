/* RUN np=1 quick -- ranking: gradients are those of the cost as it is written, by finite differences; what cannot be
 * ranked; a learned order that is right. Equal bits over ranks: exact.c. */
#include "check.h"

#include <math.h>
#include <string.h>

#include "table.h"
#include "trees/objective.h"

static Comm *comm;

enum { N = 60, TOP = 4 };

static Way way_of(void)
{
    return (Way){.device = "cpu",
                 .threads = 2,
                 .weighted = true,
                 .options = {.trees = 30,
                             .depth = 3,
                             .bins = 64,
                             .growth = TREES_DEPTHWISE,
                             .learning_rate = 0.3,
                             .l2 = 0.1,
                             .rank_top = TOP,
                             .sample_rows = 1,
                             .sample_columns = 1,
                             .positive_weight = 1,
                             .levels = 255,
                             .loss = TREES_RANKING}};
}

/* Five groups of twelve rows, a third of which have a gain. */
static void draw_groups(Table *table)
{
    table_draw(table, N, 2, 3);
    for (int i = 0; i < N; i++) {
        table->part[i] = 0;
        table->group[i] = tree_mix(1, (uint64_t)(i % 5));
        table->target[i] = i % 3 ? 0 : (double)(i * i % 37);
        table->weight[i] = 1 + i % 2;
    }
}

/* The position of a row in its group, by margin, then identity. */
static int position(const Table *t, const int64_t *margin, int i)
{
    int before = 0;
    for (int k = 0; k < N; k++)
        before +=
            t->group[k] == t->group[i] && (margin[k] > margin[i] || (margin[k] == margin[i] && t->row[k] < t->row[i]));
    return before;
}

static double discount_of(int position)
{
    return position < TOP ? 1 / log2(2 + position) : 0;
}

/* The cost of all pairs, with what their exchange is worth as it is at `at`. */
static double cost(const Table *t, const int64_t *at, const double *margin)
{
    double sum = 0;
    for (int i = 0; i < N; i++) {
        double sorted[N], ideal = 0;
        int n = 0;
        for (int k = 0; k < N; k++)
            if (t->group[k] == t->group[i])
                sorted[n++] = t->target[k];
        for (int a = 0; a < n; a++) {
            int larger = 0;
            for (int b = 0; b < n; b++)
                larger += sorted[b] > sorted[a] || (b < a && !(sorted[b] < sorted[a]));
            ideal += sorted[a] * discount_of(larger);
        }
        for (int j = 0; j < N; j++)
            if (t->group[i] == t->group[j] && t->target[i] > t->target[j])
                sum += (t->target[i] - t->target[j]) *
                       fabs(discount_of(position(t, at, i)) - discount_of(position(t, at, j))) / ideal * t->weight[i] *
                       t->weight[j] * log1p(exp(-(margin[i] - margin[j])));
    }
    return sum;
}

static void gradients_are_differences(void **state)
{
    (void)state;
    const double step = 1e-4;
    Table table;
    Learning learning;
    Way way = way_of();
    double margin[N];
    draw_groups(&table);
    learning_begin(&learning, &table, &way, comm);
    TreesTraining *t = learning.training;
    for (int i = 0; i < N; i++) {
        t->margins[i] = (int64_t)dp_random_below(9, 1, (uint64_t)i, 12) << 18; /* some are equal */
        margin[i] = tree_margin(t->margins[i]);
    }
    assert_ok(t->objective->prepare(t, comm));
    trees_take_gradients(t, 0, comm);
    const double here = cost(&table, t->margins, margin);
    for (int i = 0; i < N; i++) {
        const double at = margin[i];
        margin[i] = at + step;
        double more = cost(&table, t->margins, margin);
        margin[i] = at - step;
        double less = cost(&table, t->margins, margin);
        margin[i] = at;
        assert_true(fabs(t->g[i] - (more - less) / (2 * step)) < 1e-6);
        assert_true(fabs(t->h[i] - (more - 2 * here + less) / (step * step)) < 1e-4);
    }
    learning_free(&learning);
    table_free(&table);
}

/* A column that says the gain within each group is found, whatever the groups' own levels. */
static void the_order_is_learned(void **state)
{
    (void)state;
    Table table;
    Learning learning;
    Way way = way_of();
    draw_groups(&table);
    for (int i = 0; i < N; i++)
        table.value[i] = (float)table.target[i];
    learning_begin(&learning, &table, &way, comm);
    learning_steps(&learning, 30, comm);
    const int64_t *margin = trees_training_margins(learning.training);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            if (table.group[i] == table.group[j] && table.target[i] > table.target[j] && table.target[j] <= 0)
                assert_true(margin[i] > margin[j]);
    learning_free(&learning);
    table_free(&table);
}

static void what_cannot_be_ranked(void **state)
{
    (void)state;
    Table table;
    Learning learning;
    Way way = way_of();
    draw_groups(&table);
    table.target[7] = -1;
    assert_fails(learning_try(&learning, &table, &way, comm), DP_ERR_DATA, "trees-02");
    learning_free(&learning);
    for (int i = 0; i < N; i++)
        table.target[i] = 0;
    assert_fails(learning_try(&learning, &table, &way, comm), DP_ERR_DATA, "trees-08");
    learning_free(&learning);
    table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_differences),
        cmocka_unit_test(the_order_is_learned),
        cmocka_unit_test(what_cannot_be_ranked),
    };
    if (comm_open(&comm, NULL) != DP_OK)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_close(&comm);
    return failed;
}
