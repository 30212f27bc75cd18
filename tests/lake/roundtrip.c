/* RUN np=1,2,4 quick -- what was written is read, to the bit: every type, missing values, any rank and thread count. */
#include "fixture.h"

static Comm *comm;
static char lake[64];

/* Reads the columns with `threads`; every row must come once, over all ranks. */
static void read_and_check(const char *table, const int *columns, int n, int threads, bool whole, int64_t rows)
{
    LakeTable *t = NULL;
    LakeScan *scan = NULL;
    const LakeBlock *block;
    int64_t seen = 0, sum = 0;
    LakeQuery query = {.columns = columns,
                       .n_columns = n,
                       .as_of = DP_TIME_MISSING,
                       .all_versions = true,
                       .threads = threads,
                       .whole = whole};
    assert_ok(lake_open(&t, lake, table, comm));
    assert_int_equal(lake_facts(t).rows, rows);
    assert_ok(lake_scan(&scan, t, &query, comm));
    int64_t most = lake_scan_rows(scan);
    for (;;) {
        assert_ok(lake_next(scan, &block));
        if (!block)
            break;
        assert_null(block->row);
        fixture_block_same(block, columns, n);
        seen += block->rows;
        for (int i = 0; i < block->rows; i++)
            sum += block->first_row + i;
    }
    assert_int_equal(seen, most);
    if (!whole) {
        comm_sum_i64(comm, &seen, 1);
        comm_sum_i64(comm, &sum, 1);
    }
    assert_int_equal(seen, rows);
    assert_int_equal(sum, rows * (rows - 1) / 2);
    lake_scan_close(&scan);
    lake_close(&t);
}

static const int all[] = {F_ID, F_AT, F_CHANGED, F_VALUE, F_MASS, F_OFFICE, F_HS6, F_GOODS, F_FAULT};

static void every_type_comes_back(void **state)
{
    (void)state;
    static const struct {
        LakeCompress compress;
        const char *name;
    } kinds[] = {{LAKE_ZSTD, "zstd"}, {LAKE_DEFLATE, "deflate"}, {LAKE_PLAIN, "plain"}};
    const int some[] = {F_FAULT, F_HS6, F_VALUE};
    for (int k = 0; k < 3; k++) {
        fixture_deliver(lake, kinds[k].name, 0, 3, 70000 / (k ? 35 : 1), kinds[k].compress, "a", comm);
        read_and_check(kinds[k].name, all, F_COLUMNS, 3, false, 3 * 70000 / (k ? 35 : 1));
        read_and_check(kinds[k].name, some, 3, 1, true, 3 * 70000 / (k ? 35 : 1));
    }
}

static void digest_does_not_depend_on_ranks(void **state)
{
    (void)state;
    LakeTable *t = NULL;
    dp_digest together, one;
    fixture_deliver(lake, "together", 0, 5, 1000, LAKE_ZSTD, "a", comm);
    assert_ok(lake_open(&t, lake, "together", comm));
    together = lake_facts(t).content;
    lake_close(&t);
    usleep(1100000); /* a clock time in the files would show */
    /* The same rows, written last to first, on other ranks, under another source. */
    LakeColumn columns[F_COLUMNS];
    LakeSchema schema = fixture_schema(columns);
    LakeWriter *writer = NULL;
    bool known;
    int64_t snapshot;
    dp_digest source;
    assert_ok(dp_digest_of(&source, "b", 1));
    assert_ok(lake_write(&writer, lake, "turned", &schema, LAKE_ZSTD, 1, &source, &known, comm));
    for (int p = 4; p >= 0; p--) {
        Fixture f;
        if (p % comm_size(comm) != comm_size(comm) - 1 - comm_rank(comm))
            continue;
        fixture_build(&f, p * 1000, 1000);
        assert_ok(lake_write_partition(writer, p * 7 + 1, &f.rows));
        fixture_free(&f);
    }
    assert_ok(lake_commit(&writer, "{\"by\": \"test\"}", &snapshot, NULL, comm));
    assert_ok(lake_open(&t, lake, "turned", comm));
    one = lake_facts(t).content;
    assert_true(dp_digest_same(&one, &together));
    lake_close(&t);
}

/* For judge.py: `test_lake_roundtrip write FOLDER ROWS` leaves a table of each kind. */
static int write_tables(const char *folder, int32_t rows)
{
    fixture_deliver(folder, "zstd", 0, 1, rows, LAKE_ZSTD, "a", comm);
    fixture_deliver(folder, "deflate", 0, 1, rows, LAKE_DEFLATE, "a", comm);
    fixture_deliver(folder, "plain", 0, 1, rows, LAKE_PLAIN, "a", comm);
    comm_close(&comm);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_comes_back),
        cmocka_unit_test(digest_does_not_depend_on_ranks),
    };
    if (comm_open(&comm, NULL) != DP_OK)
        return 1;
    if (argc == 4 && strcmp(argv[1], "write") == 0)
        return write_tables(argv[2], atoi(argv[3]));
    fixture_folder(lake, comm);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (!failed)
        fixture_sweep(lake, comm);
    comm_close(&comm);
    return failed;
}
