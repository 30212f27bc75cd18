/* RUN np=1,3 quick -- what each objective learns: by hand, weights as copies of rows, labels that cannot be learned. */
#include "check.h"

#include <math.h>
#include <string.h>

#include "table.h"

static Comm *comm;

static TreesOptions options_of(TreesLoss loss)
{
    return (TreesOptions){.trees = 8,
                          .depth = 3,
                          .bins = 256,
                          .growth = TREES_DEPTHWISE,
                          .learning_rate = 0.5,
                          .l2 = 1,
                          .sample_rows = 1,
                          .sample_columns = 1,
                          .positive_weight = 1,
                          .levels = 16383,
                          .loss = loss};
}

/* Four groups of one column, four means: one tree of rate 1 without l2 gives each group its own. */
static void squared_error_by_hand(void **state)
{
    static const double mean[4] = {-3e6, 1.5e6, 2e6, 40e6};
    (void)state;
    Table table;
    Learning learning;
    Way way = {.device = "cpu", .threads = 2, .options = options_of(TREES_SQUARED)};
    way.options.learning_rate = 1;
    way.options.l2 = 0;
    table_draw(&table, 400, 1, 3);
    for (int64_t i = 0; i < table.n; i++) {
        table.part[i] = 0;
        table.value[i] = (float)(i % 4);
        table.target[i] = mean[i % 4] + (i % 8 < 4 ? 1000 : -1000);
    }
    learning_begin(&learning, &table, &way, comm);
    const TreesModel *m = trees_training_model(learning.training);
    double start = ldexp((double)m->bias[0], m->scale - TREES_LEAF_BITS), score;
    assert_true(fabs(start - 10.125e6) <= 1); /* of a float */
    assert_int_equal(m->scale, 25 - 3);       /* 29.9 million is below 2^25 */
    assert_int_equal(learning_steps(&learning, 1, comm), 1);
    const int64_t *margin = trees_training_margins(learning.training);
    for (int64_t i = 0; i < learning.mine.n; i++) {
        trees_score(m, &margin[i], &score);
        assert_true(fabs(score - mean[(int)learning.mine.value[i]]) <= 4); /* 2^(22 - 20) */
    }
    learning_free(&learning);
    table_free(&table);
}

/* The same trees from weight k and from k copies: rounding differs by row, so levels are fine and values few. */
static void weights_are_copies(void **state)
{
    enum { N = 600, F = 4 };
    (void)state;
    for (int loss = TREES_LOGLOSS; loss <= TREES_SQUARED; loss++) {
        Table once, copies;
        Learning a, b;
        Way way = {.device = "cpu", .threads = 2, .options = options_of((TreesLoss)loss)};
        table_draw(&once, N, F, 5);
        table_draw(&copies, 3 * N, F, 5);
        int64_t n = 0;
        for (int64_t i = 0; i < N; i++) {
            once.weight[i] = (double)(i % 3 + 1);
            for (int f = 0; f < F; f++)
                once.value[f * N + i] = floorf(4 * (float)dp_random_unit(6, (uint64_t)f, (uint64_t)i));
            for (int k = 0; k < i % 3 + 1; k++, n++) {
                for (int f = 0; f < F; f++)
                    copies.value[f * 3 * N + n] = once.value[f * N + i];
                copies.label[n] = once.label[i];
                copies.target[n] = once.target[i];
                copies.part[n] = once.part[i];
                copies.row[n] = (uint64_t)n;
            }
        }
        for (int f = 1; f < F; f++)
            memmove(copies.value + f * n, copies.value + f * 3 * N, (size_t)n * sizeof *copies.value);
        copies.n = n;
        way.weighted = true;
        learning_begin(&a, &once, &way, comm);
        way.weighted = false;
        learning_begin(&b, &copies, &way, comm);
        assert_int_equal(learning_steps(&a, 8, comm), 8);
        assert_int_equal(learning_steps(&b, 8, comm), 8);
        const TreesModel *x = trees_training_model(a.training), *y = trees_training_model(b.training);
        int64_t nodes = x->node_at[8], leaves = x->leaf_at[8];
        assert_true(x->bias[0] == y->bias[0] && x->scale == y->scale && nodes == y->node_at[8]);
        for (int64_t i = 0; i < nodes; i++)
            assert_true(x->node_feature[i] == y->node_feature[i] && x->node_border[i] == y->node_border[i]);
        for (int64_t i = 0; i < leaves; i++) /* sums in 2^-40: a row's rounding is the only difference */
            assert_true(x->leaf[i] - y->leaf[i] <= 1 && y->leaf[i] - x->leaf[i] <= 1);
        learning_free(&a);
        learning_free(&b);
        table_free(&once);
        table_free(&copies);
    }
}

/* Does the margin ever step the wrong way along feature f, from many rows on? Missing values are no step. */
static bool is_monotone(const TreesModel *m, const Table *t, int f, int rise)
{
    enum { STEPS = 60 };
    TreesScorer *scorer = NULL;
    float x[STEPS][8];
    int64_t margin[STEPS];
    bool good = true;
    assert_ok(trees_scorer_build(&scorer, m, NULL));
    for (int64_t row = 0; row < 200; row++) {
        for (int s = 0; s < STEPS; s++) {
            for (int g = 0; g < t->features; g++)
                x[s][g] = t->value[g * t->n + row];
            x[s][f] = f == 1 ? (float)s * 4 : f == 2 ? (float)s / 8 : (float)s / 50 - 0.1F;
        }
        trees_margins(scorer, &x[0][0], STEPS, 8, margin);
        for (int s = 1; s < STEPS; s++)
            good = good && (margin[s] - margin[s - 1]) * rise >= 0;
    }
    trees_scorer_free(&scorer);
    return good;
}

static void margins_are_monotone(void **state)
{
    static const int8_t rise[4] = {1, 1, -1, 0};
    (void)state;
    for (int growth = TREES_SYMMETRIC; growth <= TREES_LEAFWISE; growth++)
        for (int loss = TREES_LOGLOSS; loss <= TREES_SQUARED; loss++)
            for (int constrained = 0; constrained < 2; constrained++) {
                Table table;
                Learning learning;
                Way way = {.device = "cpu", .threads = 2, .options = options_of((TreesLoss)loss)};
                way.options.growth = growth;
                way.options.depth = 5;
                way.options.leaves = 20;
                way.options.trees = 20;
                way.options.rise = constrained ? rise : NULL;
                table_draw(&table, 3000, 4, 8);
                learning_begin(&learning, &table, &way, comm);
                assert_int_equal(learning_steps(&learning, 20, comm), 20);
                bool all = true;
                for (int f = 0; f < 3; f++)
                    all = is_monotone(trees_training_model(learning.training), &table, f, rise[f]) && all;
                assert_int_equal(all, constrained);
                learning_free(&learning);
                table_free(&table);
            }
}

/* Begins with one value changed in the last row, which only one rank holds; every rank gives the same answer. */
static void expect_refusal(TreesLoss loss, void (*spoil)(Table *, int64_t), const char *id)
{
    Table table;
    Learning l = {0};
    Way way = {.device = "cpu", .threads = 1, .options = options_of(loss)};
    table_draw(&table, 90, 2, 4);
    table.part[table.n - 1] = 0;
    spoil(&table, table.n - 1);
    table_deal(&l.mine, &table, &way, comm);
    Table *t = &l.mine;
    assert_ok(device_open(&l.device, "cpu", 0, 1));
    assert_ok(trees_matrix_build(&l.matrix, t->n, 2, 256, l.device));
    for (int f = 0; f < 2; f++)
        assert_ok(trees_matrix_set(l.matrix, f, t->value + f * t->n, NULL, comm));
    TreesRows rows = {
        .n = t->n, .label = t->label, .target = t->target, .weight = t->weight, .part = t->part, .row = t->row};
    assert_int_equal(trees_training_begin(&l.training, l.matrix, &rows, &way.options, 1, l.device, comm), DP_ERR_DATA);
    assert_string_equal(dp_error_last()->id, id);
    assert_null(l.training);
    learning_free(&l);
    table_free(&table);
}

static void label_2(Table *t, int64_t i)
{
    t->label[i] = 2;
}
static void target_nan(Table *t, int64_t i)
{
    t->target[i] = NAN;
}
static void target_infinite(Table *t, int64_t i)
{
    t->target[i] = -INFINITY;
}
static void weight_nan(Table *t, int64_t i)
{
    t->weight[i] = NAN;
}
static void weight_negative(Table *t, int64_t i)
{
    t->weight[i] = -0.5;
}
static void weight_infinite(Table *t, int64_t i)
{
    t->weight[i] = INFINITY;
}
static void weight_none(Table *t, int64_t i)
{
    for (; i >= 0; i--)
        t->weight[i] = 0;
}
static void target_constant(Table *t, int64_t i)
{
    for (; i >= 0; i--)
        t->target[i] = 7;
}

static void what_cannot_be_learned(void **state)
{
    (void)state;
    expect_refusal(TREES_LOGLOSS, label_2, "trees-02");
    expect_refusal(TREES_LOGLOSS, weight_none, "trees-05");
    expect_refusal(TREES_SQUARED, target_nan, "trees-02");
    expect_refusal(TREES_SQUARED, target_infinite, "trees-02");
    expect_refusal(TREES_SQUARED, target_constant, "trees-08");
    expect_refusal(TREES_SQUARED, weight_none, "trees-08");
    for (int loss = TREES_LOGLOSS; loss <= TREES_SQUARED; loss++) {
        expect_refusal((TreesLoss)loss, weight_nan, "trees-09");
        expect_refusal((TreesLoss)loss, weight_negative, "trees-09");
        expect_refusal((TreesLoss)loss, weight_infinite, "trees-09");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(squared_error_by_hand),
        cmocka_unit_test(weights_are_copies),
        cmocka_unit_test(margins_are_monotone),
        cmocka_unit_test(what_cannot_be_learned),
    };
    if (comm_open(&comm, NULL) != DP_OK)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_close(&comm);
    return failed;
}
