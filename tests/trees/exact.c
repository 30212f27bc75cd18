/* RUN np=1,2,3,4,8 quick time=300 -- one model, bit for bit, on any ranks, threads, tables, instruction sets and order.
 */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "table.h"
#include "trees/trees_priv.h"

enum { MANY = 4 }; /* on more ranks without instruction sets and cards, which the processor plays slowly */

static Comm *comm;

/* The model of a table learned in one way, on this test's ranks. */
static dp_digest learned(const Table *table, const Way *way)
{
    dp_digest digest;
    Learning learning;
    learning_begin(&learning, table, way, comm);
    /* Cards sum by themselves where they reach each other, and keep what they sum. */
    bool cards = strcmp(way->device, "cuda") == 0 && comm_size(comm) > 1 && way->options.growth != TREES_LEAFWISE;
    if (!cards || check_card_is_played())
        assert_int_equal(learning.training->joined, cards && way->threads == 1);
    learning_steps(&learning, (int)way->options.trees, comm);
    assert_true(trees_training_model(learning.training)->n_trees >= 3);
    digest = model_digest(trees_training_model(learning.training));
    learning_free(&learning);
    return digest;
}

static bool card_at_hand(void)
{
    Device *device = NULL;
    bool there = check_card() && device_open(&device, "cuda", 0, 1) == DP_OK;
    device_close(&device);
    return there;
}

/* All that must not matter: the digest stays what it is, on any machine, with any compiler, in every release (unless a
 * rule of src/trees/README.md is changed on purpose). */
static void check_table(TreesOptions options, bool weighted, int64_t rows, int features, const char *golden)
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
        {.device = "cuda", .threads = 1},
        {.device = "cuda", .threads = 3, .order = 1, .deal = 1},
    };
    Table table;
    char hex[DP_DIGEST_HEX];
    table_draw(&table, rows, features, 11);
    for (int64_t i = 0; i < rows && options.loss == TREES_RANKING; i++)
        table.target[i] = table.label[i] ? table.target[i] - 9.9e5 : 0;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        Way way = ways[i];
        bool card = strcmp(way.device, "cuda") == 0;
        if ((card && !card_at_hand()) || ((card || way.isa) && comm_size(comm) > MANY))
            continue;
        way.options = options;
        way.weighted = weighted;
        setenv("DIPPER_NCCL_RANKS", way.threads == 1 ? "4" : "1", 1);
        dp_digest digest = learned(&table, &way);
        dp_digest_print(hex, &digest);
        if (strcmp(hex, golden) != 0)
            fail_msg("way %zu gives another model: %s", i, hex);
    }
    table_free(&table);
}

static void check_ways(TreesOptions options, const char *golden)
{
    check_table(options, false, 3001, 37, golden);
}

/* Options of a small table, for what does not depend on its size. */
static TreesOptions small(TreesLoss loss, TreesGrowth growth)
{
    return (TreesOptions){.trees = 5,
                          .depth = 4,
                          .leaves = 9,
                          .bins = 50,
                          .growth = growth,
                          .learning_rate = 0.3,
                          .l2 = 1,
                          .min_child = 0.5,
                          .sample_rows = 1,
                          .sample_columns = 1,
                          .positive_weight = 1,
                          .levels = 63,
                          .loss = loss};
}
enum { SMALL_ROWS = 1201, SMALL_FEATURES = 9 };

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

static void leafwise(void **state)
{
    (void)state;
    TreesOptions options = {.trees = 5,
                            .depth = 7,
                            .leaves = 13,
                            .bins = 90,
                            .growth = TREES_LEAFWISE,
                            .learning_rate = 0.3,
                            .l2 = 1,
                            .min_child = 0.2,
                            .sample_rows = 1,
                            .sample_columns = 1,
                            .positive_weight = 2,
                            .levels = 63};
    check_ways(options, "1c1c0dd08ee70a9e12f92dfe8b7dce274281a34331fb482a181750f0644ee829");
    options.depth = 3;
    options.leaves = 7; /* the depth limits now and then */
    options.sample_rows = 0.5;
    options.sample_by = TREES_SAMPLE_GRADIENT;
    check_ways(options, "c3575730e99034bc4a9a8e123d0bd670ba08cbd5f489b3ad77e16a240c188216");
}

static void rows_enough(void **state)
{
    static const char *const golden[] = {"7db1109ad6c462c036d261e8ae15a70d34efd4b46061a4bb28c684083c8ad2f2",
                                         "2bd49d66b9caf13bb3efc5a35d42035dc5784a6e8d3110b477c93fd6e85d095c",
                                         "29607f8085eb1d0fd515b074264e7ff57819d15645aeaf3c00575a741d1c5e6e"};
    (void)state;
    for (int growth = TREES_SYMMETRIC; growth <= TREES_LEAFWISE; growth++) {
        TreesOptions options = small(growth == TREES_DEPTHWISE ? TREES_SQUARED : TREES_LOGLOSS, (TreesGrowth)growth);
        options.min_rows = 60;
        options.min_child = 0;
        options.sample_rows = growth == TREES_DEPTHWISE ? 1 : 0.5;
        check_table(options, growth == TREES_LEAFWISE, SMALL_ROWS, SMALL_FEATURES, golden[growth]);
    }
}

static void weighted(void **state)
{
    TreesOptions options = small(TREES_LOGLOSS, TREES_SYMMETRIC);
    (void)state;
    check_table(options, true, SMALL_ROWS, SMALL_FEATURES,
                "99b66c73d880df24ed50ed5ef7cda6fa695306e8d5ebcafcea23d44644d405d2");
    options.growth = TREES_LEAFWISE;
    options.sample_rows = 0.4;
    options.sample_by = TREES_SAMPLE_GRADIENT;
    check_table(options, true, SMALL_ROWS, SMALL_FEATURES,
                "b8640f3bd42f5b485ac11fe24fc95973300cb5677f741a2b58e1774769273be4");
}

static void constrained(void **state)
{
    static const int8_t rise[SMALL_FEATURES] = {-1, 1, 1, -1, 0, 1, 0, -1, 1};
    (void)state;
    for (int growth = TREES_SYMMETRIC; growth <= TREES_LEAFWISE; growth++) {
        static const char *const golden[] = {"be71d2c932b7abe0c8876a730c98f07a964daf9bdca67d91b88c977df763816f",
                                             "6fc6924e57ef481d4b8ba9423650d9dd7e936774ca34252c5706fc479579f1f9",
                                             "3d50d1088f9c775eff3338682ea24d042c31c57209e2dcb8718393c8980cab45"};
        TreesOptions options = small(TREES_LOGLOSS, (TreesGrowth)growth);
        options.rise = rise;
        options.l1 = 0.5;
        check_table(options, growth == TREES_LEAFWISE, SMALL_ROWS, SMALL_FEATURES, golden[growth]);
    }
}

/* Depth-wise trees, as the options say; and symmetric ones of rows drawn by gradient. */
static void check_both_growths(TreesOptions options, const char *depthwise, const char *symmetric)
{
    check_table(options, false, SMALL_ROWS, SMALL_FEATURES, depthwise);
    options.growth = TREES_SYMMETRIC;
    options.sample_rows = 0.4;
    options.sample_by = TREES_SAMPLE_GRADIENT;
    check_table(options, true, SMALL_ROWS, SMALL_FEATURES, symmetric);
}

static void squared_error(void **state)
{
    (void)state;
    check_both_growths(small(TREES_SQUARED, TREES_DEPTHWISE),
                       "6c55da3cf83d0730d2a6b044b192df23f1b9db69ff9f201c44bb9473de5f8890",
                       "ff1fdb966c058392d6e3ce85073e75114dfbac2b4723f22af13f8e90082ff483");
}

/* Gains are 0 for most rows, as what inspections recover is. */
static void ranking(void **state)
{
    TreesOptions options = small(TREES_RANKING, TREES_DEPTHWISE);
    (void)state;
    options.rank_top = 7;
    options.min_child = 0.01;
    check_both_growths(options, "fea3ae9c4bde6cfc804311883ec0c02ea6ce5ab2f2f612dad27240a0447202a2",
                       "3c3bab8b489cd238aa761e96c5d79d5bc157c1cb4150bc799d94b3fa3d29686f");
}

static void several_classes(void **state)
{
    TreesOptions options = small(TREES_SOFTMAX, TREES_SYMMETRIC);
    (void)state;
    check_table(options, true, SMALL_ROWS, SMALL_FEATURES,
                "a788aa81367071a1a556d6b1483824e914169e9c5b4f9429f8b2b5f2d81fbf03");
    options.growth = TREES_LEAFWISE;
    options.sample_rows = 0.4;
    options.sample_by = TREES_SAMPLE_GRADIENT;
    check_table(options, false, SMALL_ROWS, SMALL_FEATURES,
                "20dd81fae6c8e529c890a82e9ecc2552505f9d3fcbce280afbd24805e5b4a502");
}

/* With a leaf for every place nothing is left out, so the order of splits does not matter: the depth-wise tree. With
 * fewer, a first tree has so many leaves, and each of its splits is the depth-wise one's. */
static void leafwise_is_part_of_depthwise(void **state)
{
    (void)state;
    Table table;
    Learning few, all;
    Way way = {.device = "cpu",
               .threads = 2,
               .options = {.trees = 3,
                           .depth = 5,
                           .leaves = 32,
                           .bins = 64,
                           .growth = TREES_DEPTHWISE,
                           .learning_rate = 0.3,
                           .l2 = 1,
                           .min_child = 1,
                           .sample_rows = 1,
                           .sample_columns = 1,
                           .positive_weight = 1,
                           .levels = 255}};
    table_draw(&table, 2000, 12, 5);
    dp_digest depth = learned(&table, &way);
    way.options.growth = TREES_LEAFWISE;
    dp_digest leaf = learned(&table, &way);
    assert_true(dp_digest_same(&depth, &leaf));
    way.options.leaves = 9;
    way.options.trees = 1;
    learning_begin(&few, &table, &way, comm);
    learning_steps(&few, 1, comm);
    way.options.growth = TREES_DEPTHWISE;
    learning_begin(&all, &table, &way, comm);
    learning_steps(&all, 1, comm);
    const TreesModel *f = trees_training_model(few.training), *a = trees_training_model(all.training);
    int leaves = 1;
    for (int64_t i = 0; i < f->node_at[1]; i++) {
        leaves += f->node_feature[i] >= 0;
        if (f->node_feature[i] >= 0)
            assert_true(f->node_feature[i] == a->node_feature[i] && f->node_border[i] == a->node_border[i]);
    }
    assert_int_equal(leaves, 9);
    learning_free(&few);
    learning_free(&all);
    table_free(&table);
}

static void leafwise_is_at_most_ten_deep(void **state)
{
    (void)state;
    TreesOptions options = {.growth = TREES_LEAFWISE, .depth = TREES_LEAF_DEPTH, .leaves = 31};
    assert_ok(trees_options_check(&options));
    options.depth++;
    assert_int_equal(trees_options_check(&options), DP_ERR_USAGE);
    assert_string_equal(dp_error_last()->id, "trees-07");
    options.growth = TREES_DEPTHWISE;
    assert_ok(trees_options_check(&options));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(symmetric),
        cmocka_unit_test(depthwise_sampled),
        cmocka_unit_test(fine_levels),
        cmocka_unit_test(gradient_sampled),
        cmocka_unit_test(leafwise),
        cmocka_unit_test(rows_enough),
        cmocka_unit_test(weighted),
        cmocka_unit_test(constrained),
        cmocka_unit_test(squared_error),
        cmocka_unit_test(ranking),
        cmocka_unit_test(several_classes),
        cmocka_unit_test(leafwise_is_part_of_depthwise),
        cmocka_unit_test(leafwise_is_at_most_ten_deep),
    };
    if (comm_open(&comm, NULL) != DP_OK)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_close(&comm);
    return failed;
}
