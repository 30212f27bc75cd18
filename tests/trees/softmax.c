/* RUN np=1,3 quick -- several classes: gradients by finite differences, two classes are the log-loss, margins by class.
 */
#include "check.h"

#include <math.h>

#include "table.h"
#include "trees/objective.h"

static Comm *comm;
enum { K = TABLE_CLASSES };

static TreesOptions options_of(TreesLoss loss, TreesGrowth growth)
{
    return (TreesOptions){.trees = 6,
                          .depth = 4,
                          .leaves = 11,
                          .bins = 60,
                          .growth = growth,
                          .learning_rate = 0.4,
                          .l2 = 0,
                          .sample_rows = 1,
                          .sample_columns = 1,
                          .positive_weight = 1,
                          .levels = 16383,
                          .loss = loss};
}

static double loss_of(const double *margin, int label)
{
    double sum = 0;
    for (int k = 0; k < K; k++)
        sum += exp(margin[k]);
    return log(sum) - margin[label];
}

/* g is the derivative of a row's loss by a margin, h K / (K - 1) times the second one. */
static void gradients_are_derivatives(void **state)
{
    (void)state;
    Table table;
    Learning l;
    Way way = {.device = "cpu", .threads = 2, .weighted = true, .options = options_of(TREES_SOFTMAX, TREES_SYMMETRIC)};
    table_draw(&table, 700, 5, 2);
    learning_begin(&l, &table, &way, comm);
    assert_int_equal(learning_steps(&l, 3, comm), 3);
    TreesTraining *t = l.training;
    assert_ok(t->objective->prepare(t, comm));
    for (int k = 0; k < K; k++) {
        t->margin = t->margins + k * t->rows.n;
        t->objective->gradients(t, k, 0, t->rows.n);
        for (int64_t i = 0; i < t->rows.n; i++) {
            double margin[K], at[3], w = t->rows.part[i] == 0 ? t->rows.weight[i] : 0, step = 1e-4;
            for (int j = 0; j < K; j++)
                margin[j] = ldexp((double)t->margins[j * t->rows.n + i], -TREES_LEAF_BITS);
            for (int s = 0; s < 3; s++) {
                double here = margin[k];
                margin[k] += (s - 1) * step;
                at[s] = loss_of(margin, t->rows.class_id[i]);
                margin[k] = here;
            }
            assert_true(fabs(t->g[i] - w * (at[2] - at[0]) / (2 * step)) < 1e-7);
            assert_true(fabs(t->h[i] - w * K / (K - 1.0) * (at[2] - 2 * at[1] + at[0]) / (step * step)) < 1e-6);
        }
    }
    learning_free(&l);
    table_free(&table);
}

/* The difference of two classes' margins is the margin of the log-loss, but for the rounding of leaves. */
static void two_classes_are_the_log_loss(void **state)
{
    (void)state;
    for (int growth = TREES_SYMMETRIC; growth <= TREES_LEAFWISE; growth++) {
        Table table;
        Learning two, one;
        Way way = {.device = "cpu", .threads = 1, .options = options_of(TREES_SOFTMAX, (TreesGrowth)growth)};
        table_draw(&table, 2000, 4, 3);
        for (int64_t i = 0; i < table.n; i++)
            table.class_id[i] = (uint8_t)table.label[i];
        way.classes = 2;
        learning_begin(&two, &table, &way, comm);
        way.options.loss = TREES_LOGLOSS;
        learning_begin(&one, &table, &way, comm);
        assert_int_equal(learning_steps(&two, 6, comm), 6);
        assert_int_equal(learning_steps(&one, 6, comm), 6);
        const int64_t *a = trees_training_margins(two.training), *b = trees_training_margins(one.training);
        for (int64_t i = 0; i < two.mine.n; i++)
            if (two.mine.part[i] <= 1)
                assert_true(fabs((double)(a[two.mine.n + i] - a[i] - b[i])) < 200); /* of 2^20 */
        learning_free(&two);
        learning_free(&one);
        table_free(&table);
    }
}

/* The margins of every class from floats, rows and columns, are those that learning had; scores are their softmax,
 * contributions sum to them. */
static void every_class_is_evaluated(void **state)
{
    static const char *const isa[] = {"scalar", "avx2", "avx512", "avx512"};
    (void)state;
    for (int way_n = 0; way_n < 8; way_n++) {
        Table table;
        Learning l;
        Way way = {.device = "cpu", .threads = 2, .options = options_of(TREES_SOFTMAX, (TreesGrowth)(way_n % 2))};
        TreesScorer *scorer = NULL;
        Device *device = NULL;
        table_draw(&table, 1300, 7, 4);
        learning_begin(&l, &table, &way, comm);
        learning_steps(&l, 6, comm);
        const TreesModel *m = trees_training_model(l.training);
        const int64_t n = l.mine.n, *learned = trees_training_margins(l.training);
        setenv("DIPPER_CPU", isa[way_n / 2], 1);
        assert_ok(device_open(&device, way_n >= 6 ? "reference" : "cpu", 0, 1));
        assert_ok(trees_scorer_build(&scorer, m, way_n == 7 ? NULL : device));
        float *x = NULL;
        const float *value[7];
        int64_t *margin = NULL;
        assert_ok(dp_new(&x, (size_t)n * 7));
        assert_ok(dp_new(&margin, (size_t)n * K));
        for (int f = 0; f < 7; f++) {
            value[f] = l.mine.value + f * n;
            for (int64_t i = 0; i < n; i++)
                x[i * 7 + f] = value[f][i];
        }
        for (int columns = 0; columns < 2; columns++)
            for (int64_t some = 3; some <= n; some = some < n && some > 3 ? n : some < n ? n - 1 : n + 1) {
                if (columns)
                    trees_margins_columns(scorer, value, n - some, some, margin);
                else
                    trees_margins(scorer, x + (n - some) * 7, some, 7, margin);
                for (int64_t i = 0; i < some; i++)
                    for (int k = 0; k < K && l.mine.part[n - some + i] <= 1; k++)
                        assert_int_equal(margin[k * some + i], learned[k * n + n - some + i]);
            }
        for (int64_t i = 0; i < n; i++) {
            int64_t own[K];
            double score[K], sum = 0;
            for (int k = 0; k < K; k++)
                own[k] = margin[k * n + i];
            trees_score(m, own, score);
            for (int k = 0; k < K; k++) {
                double all = 0;
                for (int j = 0; j < K; j++)
                    all += exp(ldexp((double)(own[j] - own[k]), -TREES_LEAF_BITS));
                assert_true(fabs(score[k] - 1 / all) < 1e-14);
                sum += score[k];
            }
            assert_true(fabs(sum - 1) < 1e-14);
        }
        for (int k = 0; k < K && way_n % 4 == 0; k++) {
            double *phi = NULL;
            assert_ok(dp_new(&phi, (size_t)n * 8));
            assert_ok(trees_contributions_to(scorer, k, x, n, 7, phi));
            for (int64_t i = 0; i < n; i++) {
                double sum = 0;
                for (int f = 0; f < 8; f++)
                    sum += phi[i * 8 + f];
                assert_true(fabs(sum - ldexp((double)margin[k * n + i], -TREES_LEAF_BITS)) < 1e-9);
            }
            dp_free(&phi);
        }
        dp_free(&x);
        dp_free(&margin);
        trees_scorer_free(&scorer);
        device_close(&device);
        learning_free(&l);
        table_free(&table);
    }
    unsetenv("DIPPER_CPU");
}

static void expect_refusal(const Table *table, const Way *way, dp_status code, const char *id)
{
    Learning l;
    assert_int_equal(learning_try(&l, table, way, comm), code);
    assert_string_equal(dp_error_last()->id, id);
    learning_free(&l);
}

static void what_cannot_be_learned(void **state)
{
    static const int8_t rise[2] = {1, 0};
    (void)state;
    Table table;
    Way way = {.device = "cpu", .threads = 1, .options = options_of(TREES_SOFTMAX, TREES_SYMMETRIC)};
    table_draw(&table, 300, 2, 4);
    way.classes = 1;
    expect_refusal(&table, &way, DP_ERR_USAGE, "trees-14");
    way.classes = K + 1; /* the last has no row */
    expect_refusal(&table, &way, DP_ERR_DATA, "trees-05");
    way.classes = K;
    way.options.rise = rise;
    expect_refusal(&table, &way, DP_ERR_USAGE, "trees-14");
    way.options.rise = NULL;
    way.options.positive_weight = 2;
    expect_refusal(&table, &way, DP_ERR_USAGE, "trees-14");
    way.options.positive_weight = 1;
    table.part[299] = 0;
    table.class_id[299] = K;
    expect_refusal(&table, &way, DP_ERR_DATA, "trees-02");
    table_free(&table);
}

/* Nothing splits: no tree stays, of no class. */
static void nothing_to_learn_from(void **state)
{
    (void)state;
    Table table;
    Learning l;
    Way way = {.device = "cpu", .threads = 1, .options = options_of(TREES_SOFTMAX, TREES_DEPTHWISE)};
    table_draw(&table, 300, 1, 4);
    memset(table.value, 0, (size_t)table.n * sizeof *table.value);
    for (int64_t i = 0; i < table.n; i++)
        table.class_id[i] = (uint8_t)(i % K);
    learning_begin(&l, &table, &way, comm);
    assert_int_equal(learning_steps(&l, 6, comm), 0);
    assert_int_equal(trees_training_model(l.training)->n_trees, 0);
    learning_free(&l);
    table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_derivatives), cmocka_unit_test(two_classes_are_the_log_loss),
        cmocka_unit_test(every_class_is_evaluated),  cmocka_unit_test(what_cannot_be_learned),
        cmocka_unit_test(nothing_to_learn_from),
    };
    if (comm_open(&comm, NULL) != DP_OK)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_close(&comm);
    return failed;
}
