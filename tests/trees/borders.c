/* RUN np=1,3 quick -- borders are the exact order statistics of all ranks' values that a sort of all gives. */
#include "check.h"

#include "table.h"

static Comm *comm;

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static float plain(float v)
{
    return v == INFINITY ? 3.402823466e38F : v == -INFINITY ? -3.402823466e38F : v == 0 ? 0.0F : v;
}

/* The rule of README.md, by sorting everything. */
static int borders_by_sorting(float *border, const Table *table, int f, int bins)
{
    float *sorted = NULL;
    int64_t n = 0, distinct = 0;
    int found = 0;
    assert_ok(dp_new(&sorted, (size_t)table->n));
    for (int64_t i = 0; i < table->n; i++)
        if (table->part[i] == 0 && !isnan(table->value[f * table->n + i]))
            sorted[n++] = plain(table->value[f * table->n + i]);
    if (n > 0)
        qsort(sorted, (size_t)n, sizeof *sorted, by_value);
    for (int64_t i = 0; i < n; i++)
        distinct += i == 0 || sorted[i] != sorted[i - 1];
    for (int64_t i = 0; i + 1 < n && distinct <= bins; i++)
        if (sorted[i] != sorted[i + 1])
            border[found++] = sorted[i];
    for (int j = 1; j < bins && distinct > bins; j++) {
        float at = sorted[(j * n + bins - 1) / bins - 1];
        if ((found == 0 || border[found - 1] != at) && at != sorted[n - 1])
            border[found++] = at;
    }
    dp_free(&sorted);
    return found;
}

static void check_table(int64_t n, int features, int bins, const char *device, int threads, int deal)
{
    Table table;
    Learning learning;
    Way way = {.device = device,
               .threads = threads,
               .deal = deal,
               .order = 1,
               .options = {.trees = 1,
                           .depth = 1,
                           .bins = bins,
                           .learning_rate = 0.1,
                           .l2 = 1,
                           .sample_rows = 1,
                           .sample_columns = 1,
                           .positive_weight = 1,
                           .levels = 31}};
    table_draw(&table, n, features, 5);
    learning_begin(&learning, &table, &way, comm);
    const TreesModel *model = trees_training_model(learning.training);
    for (int f = 0; f < features; f++) {
        float border[TREES_MAX_BINS];
        int found = borders_by_sorting(border, &table, f, bins - 1);
        assert_int_equal(model->border_at[f + 1] - model->border_at[f], found);
        if (found > 0)
            assert_memory_equal(model->border + model->border_at[f], border, (size_t)found * sizeof *border);
    }
    learning_free(&learning);
    table_free(&table);
}

static void exact_order_statistics(void **state)
{
    (void)state;
    check_table(6000, 12, 256, "cpu", 1, DEAL_BLOCKS);
    check_table(6000, 12, 256, "cpu", 2, DEAL_ROUND);
    check_table(301, 12, 256, "reference", 3, DEAL_LAST_EMPTY);
    check_table(5000, 12, 9, "cpu", 1, DEAL_BLOCKS);
    check_table(4000, 6, 3, "cpu", 2, DEAL_LAST_EMPTY);
    for (int bins = 3; bins < 300 && check_card(); bins += 253) {
        check_table(6000, 12, bins, "cuda", 1, DEAL_ROUND);
        check_table(301, 12, bins, "cuda", 1, DEAL_LAST_EMPTY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(exact_order_statistics)};
    if (comm_open(&comm, NULL) != DP_OK)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_close(&comm);
    return failed;
}
