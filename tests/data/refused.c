/* RUN np=1,3 quick -- columns, labels and splits that a table does not have are refused, on every rank with the same
 * words. */
#include "check.h"

#include "rows.h"

/* Each on every rank, with the same words. */
static void expect_fault(const DataOptions *options, const SplitOptions *split, dp_status status, const char *id,
                         const char *words)
{
    LakeTable *table = NULL;
    Data *data = NULL;
    assert_ok(lake_open(&table, lake, "rows", comm));
    assert_fails(data_open(&data, table, options, split, &encode, 7, 1, comm), status, id);
    if (!strstr(dp_error_last()->text, words))
        fail_msg("'%s' is not in: %s", words, dp_error_last()->text);
    assert_null(data);
    lake_close(&table);
}

static void wrong_columns_are_named(void **state)
{
    (void)state;
    SplitOptions split = way(1);
    DataOptions o = usual;
    static const char *const label[] = {"value", "fault"}, *const typo[] = {"importe"}, *const text[] = {"id"},
                             *const twice[] = {"mode", "value", "mode"}, *const coins[] = {"coins"};
    o.columns = (CfgList){label, 2};
    expect_fault(&o, &split, DP_ERR_CONFIG, "data-03", "the label 'fault' is also an input");
    o.columns = (CfgList){typo, 1};
    expect_fault(&o, &split, DP_ERR_CONFIG, "data-02", "did you mean 'importer'?");
    o.columns = (CfgList){text, 1};
    expect_fault(&o, &split, DP_ERR_CONFIG, "data-03", "'id' is of type text");
    o.columns = (CfgList){twice, 3};
    expect_fault(&o, &split, DP_ERR_CONFIG, "data-03", "'mode' is named twice");
    o.columns = (CfgList){coins, 1};
    expect_fault(&o, &split, DP_ERR_CONFIG, "data-03", "'coins' is of type label");
    o = usual;
    o.label = "id";
    expect_fault(&o, &split, DP_ERR_CONFIG, "data-03", "'id' is of type text");
    o = usual;
    o.weight = "importer";
    expect_fault(&o, &split, DP_ERR_CONFIG, "data-03", "data.weight: 'importer' is category");
    o.weight = "masss";
    expect_fault(&o, &split, DP_ERR_CONFIG, "data-02", "data.weight");
    o = usual;
    /* The same label read as an input of another model: known only later. */
    o.label = "coins";
    o.columns = (CfgList){label, 2};
    expect_fault(&o, &split, DP_ERR_CONFIG, "data-03", "'fault' becomes known at 'result_at'");
    split.apart = (CfgList){typo, 1};
    expect_fault(&usual, &split, DP_ERR_CONFIG, "data-02", "split.apart");
}

static CfgPart days(int year)
{
    return (CfgPart){.kind = CFG_PART_DATES,
                     .from = dp_days_of_date(year, 1, 1) * DP_DAY,
                     .to = dp_days_of_date(year + 1, 1, 1) * DP_DAY - 1};
}

static void wrong_splits_are_explained(void **state)
{
    (void)state;
    SplitOptions split = {0};
    expect_fault(&usual, &split, DP_ERR_CONFIG, "data-01", "split.train is missing");
    split = way(3);
    split.test = part_of(CFG_PART_MONTHS, 1, 0);
    expect_fault(&usual, &split, DP_ERR_CONFIG, "data-01", "split.test must not be there");
    split = way(1);
    split.test.share = 0.3;
    expect_fault(&usual, &split, DP_ERR_CONFIG, "data-01", "110 %");
    split.test = part_of(CFG_PART_MONTHS, 1, 0);
    expect_fault(&usual, &split, DP_ERR_CONFIG, "data-01", "different ways");
    split = (SplitOptions){.train = days(2024), .valid = days(2024)};
    expect_fault(&usual, &split, DP_ERR_CONFIG, "data-01", "days in common");
    split = (SplitOptions){.train = days(2024), .test = days(2025)};
    expect_fault(&usual, &split, DP_ERR_DATA, "data-05", "split.test (2025-01-01 .. 2025-12-31) has no row");
    assert_non_null(strstr(dp_error_last()->text, "2024-01-01 .. 2024-12-30"));
    split.time_zone = "Mars/Phobos";
    expect_fault(&usual, &split, DP_ERR_CONFIG, "base-12", "Mars/Phobos");
    split = way(0);
    split.train.count = 0;
    expect_fault(&usual, &split, DP_ERR_DATA, "data-05", "split.train");
}

/* Faults that only the rows show. */
static void bad_labels_are_explained(void **state)
{
    (void)state;
    enum { FEW = 40 };
    static char text[FEW][COLUMNS][32];
    static const char *cells[FEW * COLUMNS];
    SplitOptions split = {.train = part_of(CFG_PART_SHARE, 0, 1)};
    DataOptions o = usual;
    LakeTable *table = NULL;
    Data *data = NULL;
    for (int bad = 0; bad < 4; bad++) {
        static const char *const names[] = {"one-class", "three-classes", "no-label", "no-row"};
        for (uint64_t i = 0; i < FEW; i++)
            for (int c = 0; c < COLUMNS; c++) {
                print_cell(text[i][c], c, i);
                cells[i * COLUMNS + (uint64_t)c] = text[i][c];
                if (c == FAULT)
                    strcpy(text[i][c], bad == 0 ? "0" : bad == 1 ? (i == 17 ? "2" : "1") : "");
            }
        write_table(lake, names[bad], &schema, cells, bad == 3 ? 0 : FEW, 10, comm);
        assert_ok(lake_open(&table, lake, names[bad], comm));
        static const char *const ids[] = {"data-06", "data-04", "data-05", "data-05"};
        assert_fails(data_open(&data, table, &o, &split, &encode, 7, 1, comm), DP_ERR_DATA, ids[bad]);
        lake_close(&table);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_columns_are_named),
        cmocka_unit_test(wrong_splits_are_explained),
        cmocka_unit_test(bad_labels_are_explained),
    };
    if (comm_open(&comm, NULL) != DP_OK)
        return 1;
    make_lake(lake, comm);
    write_rows("rows", false);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove_lake(lake, comm);
    comm_close(&comm);
    return failed;
}
