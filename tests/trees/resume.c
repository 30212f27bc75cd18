/* RUN np=1,2 quick -- resumed = uninterrupted, also on other threads and tables; a cut takes trees back exactly. */
#include "check.h"

#include "table.h"

static Comm *comm;
static TreesOptions options = {.trees = 8,
                               .depth = 4,
                               .bins = 32,
                               .growth = TREES_DEPTHWISE,
                               .learning_rate = 0.3,
                               .l2 = 1,
                               .min_child = 0.2,
                               .sample_rows = 0.7,
                               .sample_columns = 0.8,
                               .positive_weight = 1,
                               .levels = 63};

static void check_same(const Learning *a, const Learning *b)
{
    dp_digest x = model_digest(trees_training_model(a->training)), y = model_digest(trees_training_model(b->training));
    assert_true(dp_digest_same(&x, &y));
    for (int64_t i = 0; i < a->mine.n; i++)
        if (a->mine.part[i] <= 1)
            for (int k = 0; k < trees_training_model(a->training)->outputs; k++)
                assert_true(trees_training_margins(a->training)[k * a->mine.n + i] ==
                            trees_training_margins(b->training)[k * a->mine.n + i]);
}

static void resumed_is_uninterrupted(void **state)
{
    (void)state;
    Table table;
    Learning whole, first, second;
    Way way = {.device = "cpu", .threads = 2, .options = options}, other = {.device = "reference", .threads = 1};
    other.options = options;
    table_draw(&table, 2500, 9, 8);
    learning_begin(&whole, &table, &way, comm);
    learning_begin(&first, &table, &way, comm);
    learning_begin(&second, &table, &other, comm);
    assert_int_equal(learning_steps(&whole, 8, comm), 8);
    for (int done = 0; done <= 5; done += 5) { /* also a checkpoint before the first tree */
        learning_steps(&first, done, comm);
        assert_ok(trees_training_resume(second.training, trees_training_model(first.training), comm));
    }
    learning_steps(&second, 3, comm);
    check_same(&whole, &second);
    learning_free(&whole);
    learning_free(&first);
    learning_free(&second);
    table_free(&table);
}

static void cut_takes_back(void **state)
{
    (void)state;
    Table table;
    Learning a, b;
    Way way = {.device = "cpu", .threads = 1, .options = options};
    table_draw(&table, 1500, 5, 9);
    learning_begin(&a, &table, &way, comm);
    learning_begin(&b, &table, &way, comm);
    learning_steps(&a, 7, comm);
    learning_steps(&b, 3, comm);
    trees_training_cut(a.training, 3);
    check_same(&a, &b);
    learning_steps(&a, 2, comm);
    learning_steps(&b, 2, comm);
    check_same(&a, &b);
    trees_training_cut(a.training, 0);
    assert_int_equal(trees_training_model(a.training)->n_trees, 0);
    learning_free(&a);
    learning_free(&b);
    table_free(&table);
}

/* With the parent's borders given, what follows is what would have followed there; a parent may be deeper. */
static void goes_on_as_at_once(void **state)
{
    (void)state;
    Table table;
    for (int growth = TREES_SYMMETRIC; growth <= TREES_LEAFWISE; growth++) {
        Learning whole, first, second;
        Way way = {.device = "cpu", .threads = 2, .options = options}, on = {.device = "reference", .threads = 1};
        way.options.growth = growth;
        way.options.leaves = 7;
        way.options.loss = growth == TREES_DEPTHWISE ? TREES_SQUARED : TREES_LOGLOSS;
        on.options = way.options;
        table_draw(&table, 2500, 9, 8);
        learning_begin(&whole, &table, &way, comm);
        learning_begin(&first, &table, &way, comm);
        learning_steps(&whole, 8, comm);
        learning_steps(&first, 5, comm);
        on.options.from = trees_training_model(first.training);
        learning_begin(&second, &table, &on, comm);
        learning_steps(&second, 3, comm);
        check_same(&whole, &second);
        learning_free(&second);
        on.options.depth = 2;
        learning_begin(&second, &table, &on, comm);
        learning_steps(&second, 3, comm);
        const TreesModel *m = trees_training_model(second.training);
        assert_int_equal(m->n_trees, 8);
        assert_true(m->tree_depth[4] > 2 && m->tree_depth[5] <= 2);
        assert_ok(trees_model_check(m));
        learning_free(&whole);
        learning_free(&first);
        learning_free(&second);
        table_free(&table);
    }
}

static void other_ways_are_refused(void **state)
{
    (void)state;
    Table table;
    Learning a, b;
    Way way = {.device = "cpu", .threads = 1, .options = options};
    table_draw(&table, 1500, 5, 9);
    learning_begin(&a, &table, &way, comm);
    learning_steps(&a, 1, comm);
    way.options.from = trees_training_model(a.training);
    way.options.growth = TREES_SYMMETRIC;
    assert_fails(learning_try(&b, &table, &way, comm), DP_ERR_CONFIG, "trees-11");
    learning_free(&b);
    way.options.growth = TREES_LEAFWISE;
    way.options.leaves = 5;
    way.options.loss = TREES_SQUARED;
    assert_fails(learning_try(&b, &table, &way, comm), DP_ERR_CONFIG, "trees-12");
    learning_free(&b);
    learning_free(&a);
    table_free(&table);
}

static void so_do_several_classes(void **state)
{
    options.loss = TREES_SOFTMAX;
    resumed_is_uninterrupted(state);
    cut_takes_back(state);
    options.loss = TREES_LOGLOSS;
}

static void other_data_is_refused(void **state)
{
    (void)state;
    Table table, larger;
    Learning a, b;
    Way way = {.device = "cpu", .threads = 1, .options = options};
    table_draw(&table, 1500, 5, 9);
    table_draw(&larger, 1600, 5, 9);
    learning_begin(&a, &table, &way, comm);
    learning_begin(&b, &larger, &way, comm);
    learning_steps(&a, 1, comm);
    assert_fails(trees_training_resume(b.training, trees_training_model(a.training), comm), DP_ERR_DATA, "trees-06");
    learning_free(&a);
    learning_free(&b);
    table_free(&table);
    table_free(&larger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resumed_is_uninterrupted), cmocka_unit_test(cut_takes_back),
        cmocka_unit_test(goes_on_as_at_once),       cmocka_unit_test(other_ways_are_refused),
        cmocka_unit_test(so_do_several_classes),    cmocka_unit_test(other_data_is_refused),
    };
    if (comm_open(&comm, NULL) != DP_OK)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_close(&comm);
    return failed;
}
