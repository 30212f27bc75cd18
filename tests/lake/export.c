/* RUN np=1,2,4 quick -- text out and column profiles: the same on any ranks and threads, and true.
 * `test_lake_export dump FOLDER csv|jsonl THREADS` is for judge_text.py, which reads the text with Python's parsers. */
#include "fixture.h"

static Comm *comm;
static char lake[64];

static const int all[] = {F_ID, F_AT, F_CHANGED, F_VALUE, F_MASS, F_OFFICE, F_HS6, F_GOODS, F_FAULT};

static dp_status collect(void *self, const char *bytes, size_t n)
{
    return dp_buf_add(self, bytes, n);
}

static dp_status print_out(void *self, const char *bytes, size_t n)
{
    return fwrite(bytes, 1, n, self) == n ? DP_OK : dp_fail(DP_ERR_IO, "test-01", "stdout");
}

static LakeExport csv_of(const int *columns, int n, int threads)
{
    return (LakeExport){.query = {.columns = columns, .n_columns = n, .as_of = DP_TIME_MISSING, .threads = threads},
                        .limit = -1};
}

static int dump(char **argv)
{
    LakeTable *t = NULL;
    LakeExport options = csv_of(all, F_COLUMNS, atoi(argv[4]));
    int64_t rows;
    options.form = strcmp(argv[3], "csv") == 0 ? LAKE_CSV : LAKE_JSONL;
    fixture_deliver(argv[2], "dumped", 0, 2, 3000, LAKE_ZSTD, argv[3], comm);
    assert_ok(lake_open(&t, argv[2], "dumped", comm));
    assert_ok(lake_export(t, &options, print_out, stdout, &rows, comm));
    lake_close(&t);
    comm_close(&comm);
    return fflush(stdout) != 0;
}

static void threads_and_ranks_change_nothing(void **state)
{
    (void)state;
    LakeTable *t = NULL;
    dp_buf one = {0}, many = {0};
    int64_t rows, again;
    assert_ok(lake_open(&t, lake, "table", comm));
    LakeExport plain = csv_of(all, F_COLUMNS, 1), threaded = csv_of(all, F_COLUMNS, 3);
    assert_ok(lake_export(t, &plain, collect, &one, &rows, comm));
    assert_ok(lake_export(t, &threaded, collect, &many, &again, comm));
    assert_int_equal(rows, 3 * 1001);
    assert_int_equal(again, rows);
    assert_int_equal(one.size, many.size);
    if (comm_rank(comm) == 0)
        assert_memory_equal(one.data, many.data, one.size);
    else
        assert_int_equal(one.size, 0);
    dp_buf_free(&one);
    dp_buf_free(&many);
    lake_close(&t);
}

static void conditions_columns_and_limits(void **state)
{
    (void)state;
    static const int columns[] = {F_HS6, F_ID};
    LakeTable *t = NULL;
    LakeWhere where = {0};
    dp_buf text = {0};
    int64_t rows;
    assert_ok(lake_open(&t, lake, "table", comm));
    assert_ok(lake_where_parse(&where, lake_schema(t),
                               "changed >= 1970-01-01T00:10:00Z and id < \"D000000605\" and office != ''"));
    LakeExport options = csv_of(columns, 2, 1);
    options.query.where = &where;
    options.limit = 3;
    assert_ok(lake_export(t, &options, collect, &text, &rows, comm));
    assert_int_equal(rows, 3);
    char expected[256], a[16], b[16], c[16];
    f_hs6(a, 600);
    f_hs6(b, 601);
    f_hs6(c, 602);
    snprintf(expected, sizeof expected, "hs6,id\n%s,D000000600\n%s,D000000601\n%s,D000000602\n", a, b, c);
    if (comm_rank(comm) == 0)
        assert_string_equal(text.data, expected);
    static const int changed[] = {F_CHANGED}; /* midnight has the form of all other times */
    options = csv_of(changed, 1, 1);
    options.limit = 2;
    text.size = 0;
    assert_ok(lake_export(t, &options, collect, &text, &rows, comm));
    if (comm_rank(comm) == 0)
        assert_string_equal(text.data, "changed\n1970-01-01T00:00:00Z\n1970-01-01T00:00:01Z\n");
    lake_where_free(&where);
    assert_fails(lake_where_parse(&where, lake_schema(t), "hs5 = 1"), DP_ERR_USAGE, "lake-09");
    assert_non_null(strstr(dp_error_last()->text, "'hs6'"));
    static const char *const unclear[] = {"hs6",        "hs6 =", "hs6 = 1 or id = 2", "value = abc", "at = yesterday",
                                          "id = 'open", "= 3",   "value > \"\"",      "hs6 = 1 and"};
    for (size_t i = 0; i < sizeof unclear / sizeof *unclear; i++)
        assert_fails(lake_where_parse(&where, lake_schema(t), unclear[i]), DP_ERR_USAGE, "lake-10");
    dp_buf_free(&text);
    lake_close(&t);
}

/* Every condition against asking each row. */
static void conditions_mean_what_they_say(void **state)
{
    (void)state;
    static const char *const texts[] = {"value > 60000",      "value <= -0.0",      "value = \"\"",     "value != ''",
                                        "mass = 100.0625",    "mass < 3.5",         "fault = 1",        "fault != 0",
                                        "at = 1968-08-19",    "at > 1968-08-20",    "at <= 1968-08-19", "at = ''",
                                        "office = 'Zoll 7'",  "office >= 'Zoll 7'", "hs6 < 000500",     "goods = ''",
                                        "goods > 'Kaffee, n'"};
    LakeTable *t = NULL;
    const int64_t day = dp_days_of_date(1968, 8, 19) * DP_DAY;
    assert_ok(lake_open(&t, lake, "table", comm));
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
        LakeWhere where = {0};
        LakeScan *scan = NULL;
        const LakeBlock *block;
        int64_t got = 0, expected = 0;
        assert_ok(lake_where_parse(&where, lake_schema(t), texts[k]));
        LakeQuery query = csv_of(all, F_COLUMNS, 1).query;
        query.where = &where;
        assert_ok(lake_scan(&scan, t, &query, comm));
        for (;;) {
            assert_ok(lake_next(scan, &block));
            if (!block)
                break;
            fixture_block_same(block, all, F_COLUMNS);
            got += block->rows;
        }
        comm_sum_i64(comm, &got, 1);
        for (int64_t r = 0; r < 3 * 1001; r++) {
            char office[64], hs6[64], goods[128];
            size_t n_office = f_office(office, r), n_goods = f_goods(goods, r);
            office[n_office] = goods[n_goods] = hs6[f_hs6(hs6, r)] = '\0';
            bool there = f_at(r) != DP_TIME_MISSING;
            const bool answer[] = {f_value(r) > 60000,
                                   f_value(r) <= -0.0,
                                   isnan(f_value(r)),
                                   !isnan(f_value(r)),
                                   f_mass(r) == 100.0625f,
                                   f_mass(r) < 3.5f,
                                   f_fault(r) == 1,
                                   f_fault(r) == 1,
                                   there && f_at(r) >= day && f_at(r) < day + DP_DAY,
                                   there && f_at(r) >= day + 2 * DP_DAY,
                                   there && f_at(r) < day + DP_DAY,
                                   !there,
                                   strcmp(office, "Zoll 7") == 0,
                                   n_office > 0 && strcmp(office, "Zoll 7") >= 0,
                                   strcmp(hs6, "000500") < 0,
                                   n_goods == 0,
                                   n_goods > 0 && strcmp(goods, "Kaffee, n") > 0};
            expected += answer[k];
        }
        if (got != expected)
            fail_msg("%s: %lld rows, not %lld", texts[k], (long long)got, (long long)expected);
        lake_scan_close(&scan);
        lake_where_free(&where);
    }
    lake_close(&t);
}

static void profiles_are_true(void **state)
{
    (void)state;
    enum { ROWS = 3 * 1001 };
    LakeTable *t = NULL;
    LakeProfile *p = NULL;
    double sum = 0, low = INFINITY;
    int64_t known = 0, empty = 0, zoll[40] = {0}, most = 0;
    assert_ok(lake_open(&t, lake, "table", comm));
    assert_ok(lake_profile(&p, t, &(LakeQuery){.as_of = DP_TIME_MISSING, .threads = 2}, comm));
    for (int64_t r = 0; r < ROWS; r++) {
        char out[128];
        if (!isnan(f_mass(r))) {
            sum += (double)f_mass(r); /* sixteenths: exact */
            low = (double)f_mass(r) < low ? (double)f_mass(r) : low;
            known++;
        }
        empty += f_goods(out, r) == 0;
        if (f_office(out, r) > 0)
            zoll[f_random(F_OFFICE, r) % 40]++;
    }
    for (int i = 0; i < 40; i++)
        most = zoll[i] > most ? zoll[i] : most;
    assert_int_equal(p[F_MASS].rows, ROWS);
    assert_int_equal(p[F_MASS].missing, ROWS - known);
    assert_true(p[F_MASS].mean == sum / (double)known && p[F_MASS].low == low);
    assert_int_equal(p[F_GOODS].missing, empty);
    assert_int_equal(p[F_OFFICE].distinct, 40);
    assert_int_equal(p[F_OFFICE].n_top, LAKE_TOP);
    assert_int_equal(p[F_OFFICE].top[0].rows, most);
    for (int k = 0; k < LAKE_TOP; k++)
        assert_int_equal(p[F_OFFICE].top[k].rows, zoll[atoi(p[F_OFFICE].top[k].text + 5)]);
    assert_in_range(p[F_ID].distinct, ROWS * 95 / 100, ROWS * 105 / 100);
    assert_int_equal(p[F_FAULT].distinct, 2);
    assert_true(p[F_CHANGED].first == 0 && p[F_CHANGED].last == f_changed(ROWS - 1));
    assert_true(isinf(p[F_VALUE].high) && isnan(p[F_VALUE].mean)); /* both infinities are among them */
    dp_free(&p);
    lake_close(&t);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_and_ranks_change_nothing),
        cmocka_unit_test(conditions_columns_and_limits),
        cmocka_unit_test(conditions_mean_what_they_say),
        cmocka_unit_test(profiles_are_true),
    };
    if (comm_open(&comm, NULL) != DP_OK)
        return 1;
    if (argc == 5 && strcmp(argv[1], "dump") == 0)
        return dump(argv);
    fixture_folder(lake, comm);
    fixture_deliver(lake, "table", 0, 3, 1001, LAKE_ZSTD, "a", comm);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (!failed)
        fixture_sweep(lake, comm);
    comm_close(&comm);
    return failed;
}
