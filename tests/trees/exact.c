/* RUN np=1,2,3,4 quick -- one model, bit for bit, on any ranks, threads, tables, instruction sets and order of rows. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "table.h"

static Comm *comm;

/* The model of a table learned in one way, on this test's ranks. */
static dp_digest learned(const Table *table, const Way *way)
{
    dp_digest digest;
    Learning learning;
    learning_begin(&learning, table, way, comm);
    learning_steps(&learning, (int)way->options.trees, comm);
    assert_true(trees_training_model(learning.training)->n_trees > 3);
    digest = model_digest(trees_training_model(learning.training));
    learning_free(&learning);
    return digest;
}

/* All that must not matter, against one rank with the reference table, whose digest stays what it is: on any machine,
 * with any compiler, in every release (unless a rule of src/trees/README.md is changed on purpose). */
static void check_ways(TreesOptions options, const char *golden)
{
    static const Way ways[] = {
        {.device = "reference", .threads = 1},
        {.device = "cpu", .threads = 1},
        {.device = "cpu", .threads = 2},
        {.device = "cpu", .threads = 3, .isa = "scalar"},
        {.device = "cpu", .threads = 1, .isa = "avx2"},
        {.device = "cpu", .threads = 2, .order = 1},
        {.device = "cpu", .threads = 1, .order = 2, .deal = 1},
        {.device = "reference", .threads = 1, .order = 3, .deal = 2},
    };
    Table table;
    Way alone = ways[0];
    dp_digest first;
    char hex[DP_DIGEST_HEX];
    table_draw(&table, 3001, 37, 11);
    alone.options = options;
    alone.deal = DEAL_ALL; /* every rank by itself holds the whole table */
    Comm *one = NULL;
    assert_ok(comm_open_alone(&one, NULL));
    Comm *all = comm;
    comm = one;
    first = learned(&table, &alone);
    comm = all;
    comm_close(&one);
    dp_digest_print(hex, &first);
    assert_string_equal(hex, golden);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        Way way = ways[i];
        way.options = options;
        dp_digest digest = learned(&table, &way);
        if (!dp_digest_same(&digest, &first))
            fail_msg("way %zu gives another model", i);
    }
    table_free(&table);
}

static void symmetric(void **state)
{
    (void)state;
    check_ways((TreesOptions){.trees = 6,
                              .depth = 4,
                              .bins = 64,
                              .growth = TREES_SYMMETRIC,
                              .learning_rate = 0.3,
                              .l2 = 1,
                              .min_child = 0.5,
                              .sample_rows = 1,
                              .sample_columns = 1,
                              .positive_weight = 3,
                              .levels = 31},
               "8ff42f5c33acbf88e9957c219112dbdded63e8d9126ae2773ddc33495c75bc28");
}

static void depthwise_sampled(void **state)
{
    (void)state;
    check_ways((TreesOptions){.trees = 6,
                              .depth = 5,
                              .bins = 256,
                              .growth = TREES_DEPTHWISE,
                              .learning_rate = 0.2,
                              .l2 = 0.5,
                              .min_child = 0.1,
                              .sample_rows = 0.6,
                              .sample_columns = 0.7,
                              .positive_weight = 1,
                              .levels = 255},
               "94ce01fcdf09679a8912f5f15421a383819cb594fe4c82011bb698b64fc49881");
}

static void fine_levels(void **state)
{
    (void)state;
    check_ways((TreesOptions){.trees = 5,
                              .depth = 3,
                              .bins = 17,
                              .growth = TREES_DEPTHWISE,
                              .learning_rate = 0.5,
                              .l2 = 1,
                              .min_child = 1,
                              .sample_rows = 1,
                              .sample_columns = 1,
                              .positive_weight = 1,
                              .levels = 16383},
               "0db8205fd96da3b339d867fcf04c27c44e229a7779dee6d1566e036989a41e48");
}

static void gradient_sampled(void **state)
{
    (void)state;
    TreesOptions options = {.trees = 6,
                            .depth = 4,
                            .bins = 100,
                            .growth = TREES_DEPTHWISE,
                            .learning_rate = 0.3,
                            .l2 = 1,
                            .min_child = 0.2,
                            .sample_rows = 0.3,
                            .sample_by = TREES_SAMPLE_GRADIENT,
                            .sample_columns = 1,
                            .positive_weight = 4,
                            .levels = 63};
    check_ways(options, "6aeed2a035576499e044a751de4077a060c8683c39337dc922d5e1b29e4d1311");
    options.growth = TREES_SYMMETRIC;
    options.sample_rows = 0.02;
    options.levels = 1000;
    check_ways(options, "8a05a799b2a5a9285ab2ccfc17b263b4ea853af898612f9f64bda507492e37e7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(symmetric),
        cmocka_unit_test(depthwise_sampled),
        cmocka_unit_test(fine_levels),
        cmocka_unit_test(gradient_sampled),
    };
    if (comm_open(&comm, NULL) != DP_OK)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_close(&comm);
    return failed;
}
