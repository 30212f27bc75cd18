/* RUN np=1,3,8 quick -- tables that are hardly tables: one class, labels that are none, columns that are empty,
 * constant or there twice, labels of noise, ranks without rows; and what a device says of itself. */
#include "check.h"

#include <float.h>

#include "table.h"

static Comm *comm;
static const TreesOptions options = {.trees = 5,
                                     .depth = 4,
                                     .bins = 64,
                                     .growth = TREES_DEPTHWISE,
                                     .learning_rate = 0.3,
                                     .l2 = 1,
                                     .min_child = 0.2,
                                     .sample_rows = 1,
                                     .sample_columns = 1,
                                     .positive_weight = 1,
                                     .levels = 63};

/* Begins on a table of two columns with these labels; frees all. */
static dp_status begin_with(const int8_t *label, int64_t n)
{
    Device *device = NULL;
    TreesMatrix *matrix = NULL;
    TreesTraining *training = NULL;
    float *values = NULL;
    uint8_t *part = NULL;
    uint64_t *row = NULL;
    assert_ok(dp_new(&values, (size_t)n));
    assert_ok(dp_new(&part, (size_t)n));
    assert_ok(dp_new(&row, (size_t)n));
    for (int64_t i = 0; i < n; i++) {
        values[i] = (float)i;
        row[i] = (uint64_t)i;
    }
    assert_ok(device_open(&device, "cpu", 0, 1));
    assert_ok(trees_matrix_build(&matrix, n, 1, 16, device));
    assert_ok(trees_matrix_set(matrix, 0, values, NULL, comm));
    TreesRows rows = {.n = n, .label = label, .part = part, .row = row};
    dp_status st = trees_training_begin(&training, matrix, &rows, &options, 1, device, comm);
    trees_training_free(&training);
    trees_matrix_free(&matrix);
    device_close(&device);
    dp_free(&values);
    dp_free(&part);
    dp_free(&row);
    return st;
}

static void one_class_is_bad_data(void **state)
{
    (void)state;
    int8_t zeros[40] = {0}, ones[40], wrong[40] = {0, 1};
    for (int i = 0; i < 40; i++)
        ones[i] = 1;
    wrong[17] = comm_rank(comm) == comm_size(comm) - 1 ? 7 : 0;
    assert_fails(begin_with(zeros, 40), DP_ERR_DATA, "trees-05");
    assert_fails(begin_with(ones, 40), DP_ERR_DATA, "trees-05");
    assert_fails(begin_with(wrong, 40), DP_ERR_DATA, "trees-02");
    assert_fails(begin_with(zeros, 0), DP_ERR_DATA, "trees-05");
}

static void learn(Learning *learning, const Table *table, const TreesOptions *with, int deal)
{
    Way way = {.device = "cpu", .threads = 2, .deal = deal, .options = *with};
    learning_begin(learning, table, &way, comm);
    learning_steps(learning, (int)with->trees, comm);
}

/* The same trees but for the borders of columns that are not used. */
static void assert_same_trees(const TreesModel *a, const TreesModel *b)
{
    assert_int_equal(a->n_trees, b->n_trees);
    int64_t nodes = a->node_at[a->n_trees], leaves = a->leaf_at[a->n_trees];
    assert_memory_equal(a->tree_depth, b->tree_depth, (size_t)a->n_trees * sizeof *a->tree_depth);
    assert_memory_equal(a->node_feature, b->node_feature, (size_t)nodes * sizeof *a->node_feature);
    assert_memory_equal(a->node_border, b->node_border, (size_t)nodes * sizeof *a->node_border);
    assert_memory_equal(a->leaf, b->leaf, (size_t)leaves * sizeof *a->leaf);
}

static void useless_columns_change_nothing(void **state)
{
    (void)state;
    enum { N = 2000, F = 5 };
    for (int growth = TREES_SYMMETRIC; growth <= TREES_DEPTHWISE; growth++) {
        Table table, wider;
        Learning a, b;
        TreesOptions with = options;
        with.growth = growth;
        table_draw(&table, N, F, 2);
        table_draw(&wider, N, F + 3, 2);
        for (int i = 0; i < N; i++) {
            wider.value[F * N + i] = 4;                    /* constant */
            wider.value[(F + 1) * N + i] = NAN;            /* empty */
            wider.value[(F + 2) * N + i] = table.value[i]; /* the first again */
        }
        memcpy(wider.label, table.label, N);
        learn(&a, &table, &with, DEAL_BLOCKS);
        learn(&b, &wider, &with, DEAL_ROUND);
        assert_same_trees(trees_training_model(a.training), trees_training_model(b.training));
        learning_free(&a);
        learning_free(&b);
        table_free(&table);
        table_free(&wider);
    }
}

static void nothing_to_split_by(void **state)
{
    (void)state;
    Table table;
    Learning learning;
    table_draw(&table, 300, 2, 2);
    for (int i = 0; i < 300; i++) {
        table.value[i] = 7;
        table.value[300 + i] = NAN;
    }
    learn(&learning, &table, &options, DEAL_LAST_EMPTY);
    const TreesModel *model = trees_training_model(learning.training);
    assert_int_equal(model->n_trees, 0);
    int64_t positives = 0, train = 0;
    for (int i = 0; i < 300; i++) {
        train += table.part[i] == 0;
        positives += table.part[i] == 0 && table.label[i];
    }
    double rate = (double)positives / (double)train;
    assert_true(fabs(trees_probability(model->bias[0]) - rate) < 1e-6);
    learning_free(&learning);
    table_free(&table);
}

/* A column whose only news is that it is missing splits by that alone. */
static void missing_alone_can_split(void **state)
{
    (void)state;
    Table table;
    Learning learning;
    table_draw(&table, 400, 1, 2);
    for (int i = 0; i < 400; i++) {
        table.value[i] = i % 3 == 0 ? NAN : 1;
        table.label[i] = i % 3 == 0 ? i % 2 : i % 5 == 0;
    }
    learn(&learning, &table, &options, DEAL_BLOCKS);
    const TreesModel *model = trees_training_model(learning.training);
    assert_true(model->n_trees > 0);
    assert_int_equal(model->node_feature[0], 0);
    assert_int_equal(model->node_border[0], -1);
    assert_int_equal(model->node_missing_right[0], 0);
    learning_free(&learning);
    table_free(&table);
}

/* Missing and infinite values that only one rank has decide the same on all of them: the model of one rank. */
static void odd_values_on_one_rank_only(void **state)
{
    (void)state;
    enum { N = 1600 };
    Table table;
    Learning learning;
    Comm *one = NULL, *all = comm;
    dp_digest digest[3];
    const int deals[] = {DEAL_BLOCKS, DEAL_ROUND, DEAL_ALL};
    table_draw(&table, N, 8, 6);
    for (int i = 0; i < N / 8; i++) { /* in blocks: those of the first rank, of up to 8 */
        table.value[i] = NAN;
        table.value[3 * N + i] = i & 1 ? INFINITY : -INFINITY;
        table.value[6 * N + i] = i % 3 ? NAN : FLT_MAX;
    }
    assert_ok(comm_open_alone(&one, NULL));
    for (int i = 0; i < 3; i++) {
        comm = deals[i] == DEAL_ALL ? one : all;
        learn(&learning, &table, &options, deals[i]);
        digest[i] = model_digest(trees_training_model(learning.training));
        learning_free(&learning);
    }
    comm = all;
    comm_close(&one);
    assert_true(dp_digest_same(&digest[0], &digest[1]));
    assert_true(dp_digest_same(&digest[0], &digest[2]));
    table_free(&table);
}

static void noise_is_no_trouble(void **state)
{
    (void)state;
    Table table;
    Learning learning;
    TreesOptions with = options;
    with.trees = 30;
    with.learning_rate = 1;
    with.l2 = 0;
    with.min_child = 0;
    with.levels = 1;
    table_draw(&table, 500, 7, 4);
    for (int i = 0; i < 500; i++)
        table.label[i] = (int8_t)(dp_random_u64(3, 3, (uint64_t)i) & 1);
    learn(&learning, &table, &with, DEAL_ROUND);
    assert_true(trees_training_model(learning.training)->n_trees > 0);
    assert_ok(trees_model_check(trees_training_model(learning.training)));
    learning_free(&learning);
    table_free(&table);
}

static void devices_say_what_they_are(void **state)
{
    (void)state;
    Device *device = NULL;
    assert_fails(device_open(&device, "tpu", 0, 1), DP_ERR_USAGE, "device-01");
    assert_null(device);
    assert_ok(device_open(&device, "reference", 0, 1));
    assert_string_equal(device_describe(device), "reference");
    device_close(&device);
    assert_ok(device_open(&device, "auto", 0, 2));
    assert_true(strncmp(device_describe(device), "cpu ", 4) != 0 || strstr(device_describe(device), "(no GPU: "));
    assert_int_equal(device_threads(device), 2);
    device_close(&device);
    device_close(&device);
    setenv("DIPPER_CUDA_PLUGIN", "/nowhere/plugin.so", 1);
    assert_fails(device_open(&device, "cuda", 0, 1), DP_ERR_NO_INPUT, "device-02");
    unsetenv("DIPPER_CUDA_PLUGIN");
    setenv("DIPPER_CPU", "scalar", 1);
    assert_ok(device_open(&device, "cpu", 0, 1));
    assert_string_equal(device_describe(device), "cpu scalar");
    unsetenv("DIPPER_CPU");
    device_close(&device);
}

static void impossible_sizes_are_refused(void **state)
{
    (void)state;
    TreesMatrix *matrix = NULL;
    assert_fails(trees_matrix_build(&matrix, -1, 1, 16, NULL), DP_ERR_USAGE, "trees-01");
    assert_fails(trees_matrix_build(&matrix, INT64_C(1) << 40, 1, 16, NULL), DP_ERR_USAGE, "trees-01");
    assert_fails(trees_matrix_build(&matrix, 10, 0, 16, NULL), DP_ERR_USAGE, "trees-01");
    assert_fails(trees_matrix_build(&matrix, 10, 1, 257, NULL), DP_ERR_USAGE, "trees-01");
    assert_null(matrix);
    trees_matrix_free(&matrix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_class_is_bad_data),       cmocka_unit_test(useless_columns_change_nothing),
        cmocka_unit_test(nothing_to_split_by),         cmocka_unit_test(missing_alone_can_split),
        cmocka_unit_test(odd_values_on_one_rank_only), cmocka_unit_test(noise_is_no_trouble),
        cmocka_unit_test(devices_say_what_they_are),   cmocka_unit_test(impossible_sizes_are_refused),
    };
    if (comm_open(&comm, NULL) != DP_OK)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_close(&comm);
    return failed;
}
