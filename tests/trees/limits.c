/* RUN np=1,2 quick -- under a limit of memory the same model, bit for bit: rows in files of the scratch folder, levels
 * in groups of nodes; four times the limit of data trains, and the limit holds; deep trees fit. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/spill.h"
#include "table.h"

static Comm *comm;
static char scratch[] = "/tmp/dipper-limits-XXXXXX";
static const TreesOptions options = {.trees = 3,
                                     .depth = 6,
                                     .bins = 64,
                                     .growth = TREES_DEPTHWISE,
                                     .learning_rate = 0.3,
                                     .l2 = 1,
                                     .min_child = 0.2,
                                     .sample_rows = 1,
                                     .sample_columns = 1,
                                     .positive_weight = 1,
                                     .leaves = 20,
                                     .levels = 63};

/* ---- the same model ---- */

static dp_digest learned(const Table *table, const TreesOptions *with, int threads, int64_t memory)
{
    Way way = {.device = "cpu", .threads = threads, .options = *with};
    Learning learning;
    if (memory > 0)
        way.limits = (TreesLimits){.memory = memory, .scratch = scratch};
    learning_begin(&learning, table, &way, comm);
    learning_steps(&learning, (int)with->trees, comm);
    trees_training_cut(learning.training, (int)with->trees - 1);
    learning_steps(&learning, 1, comm);
    dp_digest digest = model_digest(trees_training_model(learning.training));
    learning_free(&learning);
    return digest;
}

static void nothing_but_memory_changes(void **state)
{
    (void)state;
    /* the smallest keeps a level of one node only; rows take 50 bytes each */
    static const int64_t limits[] = {INT64_C(1) << 40, 1200000, 900000, 300000};
    Table table;
    table_draw(&table, 40000, 10, 3);
    for (int growth = TREES_SYMMETRIC; growth <= TREES_LEAFWISE; growth++) {
        TreesOptions with = options;
        with.growth = growth;
        with.sample_rows = growth == TREES_LEAFWISE ? 1 : 0.4;
        with.sample_by = TREES_SAMPLE_GRADIENT;
        with.loss = growth == TREES_SYMMETRIC ? TREES_SQUARED : TREES_LOGLOSS;
        dp_digest free = learned(&table, &with, 2, 0);
        for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
            dp_digest held = learned(&table, &with, 1 + (int)i % 2, limits[i]);
            if (!dp_digest_same(&free, &held))
                fail_msg("growth %d under %lld bytes gives another model", growth, (long long)limits[i]);
        }
    }
    table_free(&table);
}

/* A level of 32,768 nodes: its histograms would take 10 GiB. */
static void sixteen_levels_fit(void **state)
{
    (void)state;
    Table table;
    TreesOptions with = options;
    with.depth = TREES_MAX_DEPTH;
    with.trees = 1;
    with.bins = 256;
    with.min_child = 0;
    with.l2 = 1e-3;
    table_draw(&table, 6000, 6, 3);
    Way way = {.device = "cpu", .threads = 1, .options = with};
    Learning learning;
    learning_begin(&learning, &table, &way, comm);
    assert_int_equal(learning_steps(&learning, 1, comm), 1);
    assert_int_equal(trees_training_model(learning.training)->depth, TREES_MAX_DEPTH);
    dp_digest free = model_digest(trees_training_model(learning.training));
    learning_free(&learning);
    with.trees = 2; /* the second is cut off and grown again */
    dp_digest one = learned(&table, &with, 1, 0), held = learned(&table, &with, 1, 40 << 20);
    assert_true(dp_digest_same(&one, &held));
    assert_false(dp_digest_same(&one, &free));
    table_free(&table);
}

/* ---- the limit holds ---- */

enum { ROWS = 400000, FEATURES = 96 };

/* Without randomness of the library: 40 million values are drawn, a column at a time. */
static float drawn_value(int feature, uint64_t row)
{
    return (float)(int32_t)(uint32_t)(tree_mix((uint64_t)feature * 977, row) >> 40) * 0x1p-23F;
}

static int64_t status_bytes(const char *key)
{
    char line[256];
    long long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        if (strncmp(line, key, strlen(key)) == 0)
            kib = strtoll(line + strlen(key), NULL, 10);
    fclose(file);
    return kib * 1024;
}

typedef struct Rows {
    int64_t n, from;
    float *values;
    int8_t *label;
    uint8_t *part;
    uint64_t *row;
} Rows;

/* Learns, and says by how much memory grew; with a limit, data beyond it cannot be had at all. */
static dp_digest learn_columns(const Rows *r, const TreesLimits *limits, int64_t *grown)
{
    TreesMatrix *matrix = NULL;
    TreesTraining *training = NULL;
    Device *device = NULL;
    bool grew;
    struct rlimit free, held;
    FILE *clear = fopen("/proc/self/clear_refs", "w");
    assert_non_null(clear);
    assert_true(fputs("5", clear) >= 0 && fclose(clear) == 0); /* the peak begins now */
    int64_t before = dp_memory_now();
    assert_int_equal(getrlimit(RLIMIT_DATA, &free), 0);
    held = free;
    if (limits->memory > 0)
        held.rlim_cur = (rlim_t)(status_bytes("VmData:") + limits->memory);
    assert_int_equal(setrlimit(RLIMIT_DATA, &held), 0);
    assert_ok(device_open(&device, "cpu", 0, 1));
    assert_ok(trees_matrix_build_within(&matrix, r->n, FEATURES, 256, device, limits));
    for (int f = 0; f < FEATURES; f++) {
        for (int64_t i = 0; i < r->n; i++)
            r->values[i] = drawn_value(f, (uint64_t)(r->from + i));
        assert_ok(trees_matrix_set(matrix, f, r->values, NULL, comm));
    }
    TreesRows rows = {.n = r->n, .label = r->label, .part = r->part, .row = r->row};
    assert_ok(trees_training_begin(&training, matrix, &rows, &options, 42, device, comm));
    for (int64_t i = 0; i < options.trees; i++)
        assert_ok(trees_training_step(training, &grew, comm));
    *grown = dp_memory_peak() - before;
    assert_int_equal(setrlimit(RLIMIT_DATA, &free), 0);
    dp_digest digest = model_digest(trees_training_model(training));
    trees_training_free(&training);
    trees_matrix_free(&matrix);
    device_close(&device);
    return digest;
}

static void four_times_the_limit_trains(void **state)
{
    (void)state;
    Rows r = {.from = (int64_t)ROWS * comm_rank(comm) / comm_size(comm)};
    r.n = (int64_t)ROWS * (comm_rank(comm) + 1) / comm_size(comm) - r.from;
    assert_ok(dp_new(&r.values, (size_t)r.n));
    assert_ok(dp_new(&r.label, (size_t)r.n));
    assert_ok(dp_new(&r.part, (size_t)r.n));
    assert_ok(dp_new(&r.row, (size_t)r.n));
    for (int64_t i = 0; i < r.n; i++) {
        r.row[i] = (uint64_t)(r.from + i);
        r.label[i] = drawn_value(0, r.row[i]) + drawn_value(1, r.row[i]) + drawn_value(2, r.row[i]) > 2;
    }
    TreesLimits none = {0}, quarter = {.memory = r.n * FEATURES * (int64_t)sizeof(float) / 4, .scratch = scratch};
    int64_t grown;
    dp_digest held = learn_columns(&r, &quarter, &grown);
    assert_true(CHECK_SANITIZED || (grown >= 1 && grown <= quarter.memory));
    dp_digest free = learn_columns(&r, &none, &grown);
    assert_true(CHECK_SANITIZED || grown > quarter.memory); /* the measure is one */
    assert_true(dp_digest_same(&held, &free));
    dp_free(&r.values);
    dp_free(&r.label);
    dp_free(&r.part);
    dp_free(&r.row);
}

/* ---- when it cannot ---- */

static void what_cannot_be_is_said(void **state)
{
    (void)state;
    TreesMatrix *matrix = NULL;
    Device *device = NULL;
    TreesLimits nowhere = {.memory = 1000, .scratch = "/dev/null/below"};
    assert_ok(device_open(&device, "cpu", 0, 1));
    assert_int_equal(trees_matrix_build_within(&matrix, 1000, 4, 16, device, &nowhere), DP_ERR_CREATE);
    assert_string_equal(dp_error_last()->id, "base-09");
    assert_null(matrix);
    device_close(&device);
    /* less memory than two nodes' histograms */
    Table table;
    Way way = {.device = "cpu", .threads = 1, .options = options, .limits = {.memory = 20000, .scratch = scratch}};
    Learning learning = {0};
    table_draw(&table, 2000, 10, 3);
    assert_int_equal(learning_try(&learning, &table, &way, comm), DP_ERR_USAGE);
    assert_string_equal(dp_error_last()->id, "trees-03");
    learning_free(&learning);
    table_free(&table);
}

static void needs_are_told(void **state)
{
    (void)state;
    TreesOptions with = options;
    TreesNeed one = trees_memory_need(1000000, 32, 1, &with, 1), two = trees_memory_need(1000000, 32, 1, &with, 2);
    assert_int_equal(one.rows, 94000000);
    assert_int_equal(two.rows, one.rows);
    assert_true(two.levels < one.levels && one.levels < 20 << 20);
    with.depth = 16;
    assert_true(trees_memory_need(1, 1000, 1, &with, 1).levels == INT64_C(1) << 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_but_memory_changes),
        cmocka_unit_test(sixteen_levels_fit),
        cmocka_unit_test(four_times_the_limit_trains),
        cmocka_unit_test(what_cannot_be_is_said),
        cmocka_unit_test(needs_are_told),
    };
    if (!mkdtemp(scratch) || comm_open(&comm, NULL) != DP_OK)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_close(&comm);
    if (rmdir(scratch) != 0) /* nothing is left behind */
        failed++;
    return failed;
}
