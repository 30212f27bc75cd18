/* RUN np=1,2 quick -- the table in tests/lake/golden, written with format 1, opens for ever and says the same.
 * `test_lake_golden write FOLDER` made it; a new format gets a golden table of its own beside it. */
#include "fixture.h"

static Comm *comm;
static char lake[512];

enum { FIRST = 12, SECOND = 8 };

static const char content[] = "06ca7fbf763c4044e30c13e37382a4d8e9749b7be9accf95526a6efebb50d30b";

static dp_status deliver(const char *folder, const char *name, int64_t first, int32_t n, LakeCompress compress)
{
    LakeColumn columns[F_COLUMNS];
    LakeSchema schema = fixture_schema(columns);
    LakeWriter *writer = NULL;
    dp_digest source;
    bool known;
    int64_t snapshot;
    uint8_t deleted[FIRST] = {0, 1};
    Fixture f;
    DP_TRY(dp_digest_of(&source, name, strlen(name)));
    DP_TRY(lake_write(&writer, folder, "golden", &schema, compress, 1, &source, &known, comm));
    for (int i = 0; first == 0 && i < 2; i++)
        DP_TRY(lake_write_bad(writer, 7,
                              &(LakeBadRow){.row = 5 + i,
                                            .file = "golden.csv",
                                            .column = "value",
                                            .reason = i ? "range" : "number",
                                            .raw = "1,2,x",
                                            .raw_size = 5}));
    fixture_build(&f, first, n);
    f.rows.deleted = first > 0 ? deleted : NULL;
    DP_TRY(lake_write_partition(writer, 7, &f.rows));
    fixture_free(&f);
    return lake_commit(&writer, "{\"files\":[\"golden.csv\"]}", &snapshot, NULL, comm);
}

static int write_golden(const char *folder)
{
    dp_status st = deliver(folder, "first", 0, FIRST, LAKE_ZSTD);
    st = st == DP_OK ? deliver(folder, "second", FIRST, SECOND, LAKE_DEFLATE) : st;
    comm_close(&comm);
    return (int)st;
}

static void values_are_what_they_were(void **state)
{
    (void)state;
    static const int all[] = {F_ID, F_AT, F_CHANGED, F_VALUE, F_MASS, F_OFFICE, F_HS6, F_GOODS, F_FAULT};
    LakeTable *t = NULL;
    LakeScan *scan = NULL;
    const LakeBlock *block;
    char hex[DP_DIGEST_HEX];
    int64_t rows = 0, faults;
    assert_ok(lake_open(&t, lake, "golden", comm));
    LakeFacts facts = lake_facts(t);
    dp_digest_print(hex, &facts.content);
    assert_string_equal(hex, content);
    assert_int_equal(facts.rows, FIRST + SECOND);
    assert_int_equal(facts.snapshot, 2);
    assert_int_equal(facts.quarantined, 2);
    assert_true(facts.first == f_at(0) && facts.last == f_at(FIRST + SECOND - 2)); /* row 19 has no time */
    assert_string_equal(lake_schema(t)->columns[F_MASS].unit, "kg");
    assert_ok(lake_scan(
        &scan, t,
        &(LakeQuery){
            .columns = all, .n_columns = F_COLUMNS, .as_of = DP_TIME_MISSING, .all_versions = true, .whole = true},
        comm));
    for (;;) {
        assert_ok(lake_next(scan, &block));
        if (!block)
            break;
        fixture_block_same(block, all, F_COLUMNS);
        assert_true(block->first_row == 0 ? !block->deleted : block->deleted[1] == 1 && block->deleted[0] == 0);
        rows += block->rows;
    }
    assert_int_equal(rows, FIRST + SECOND);
    lake_scan_close(&scan);
    assert_ok(lake_verify(t, &faults, comm));
    assert_int_equal(faults, 0);
    lake_close(&t);
}

static bool check_bad(void *self, const LakeBadRow *bad)
{
    int *n = self;
    assert_int_equal(bad->row, 5 + *n);
    assert_string_equal(bad->file, "golden.csv");
    assert_string_equal(bad->reason, *n ? "range" : "number");
    same_text(bad->raw, (size_t)bad->raw_size, "1,2,x", 5);
    ++*n;
    return true;
}

static void bad_rows_and_deliveries_too(void **state)
{
    (void)state;
    LakeTable *t = NULL;
    size_t n;
    int bad = 0;
    assert_ok(lake_open(&t, lake, "golden@2", comm));
    assert_ok(lake_quarantine(t, check_bad, &bad));
    assert_int_equal(bad, 2);
    const LakeDelivery *delivery = lake_deliveries(t, &n);
    assert_int_equal(n, 2);
    assert_int_equal(delivery[0].rows, SECOND);
    assert_int_equal(delivery[1].snapshot, 1);
    assert_string_equal(delivery[1].about, "{\"files\":[\"golden.csv\"]}");
    lake_close(&t);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_what_they_were),
        cmocka_unit_test(bad_rows_and_deliveries_too),
    };
    if (comm_open(&comm, NULL) != DP_OK)
        return 1;
    if (argc == 3 && strcmp(argv[1], "write") == 0)
        return write_golden(argv[2]);
    snprintf(lake, sizeof lake, "%s/tests/lake/golden/1", getenv("DIPPER_SOURCE"));
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_close(&comm);
    return failed;
}
