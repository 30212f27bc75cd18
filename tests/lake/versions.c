/* RUN np=1,2,4 quick -- the latest version recorded by the as-of is seen, whoever wrote it; the past does not change.
 */
#include "fixture.h"

static Comm *comm;
static char lake[64];

enum { ID, RECORDED, VALUE, FOUND, FAULT, NOTE, COLUMNS, EACH = 3000, DELIVERIES = 4, ROWS = EACH * DELIVERIES };

/* Row r of the history: about nine versions an id, recorded in no order, one in eight a delete mark. */
static int h_id(int64_t r)
{
    return (int)(f_random(20, r) % (ROWS / 9));
}

static int64_t h_recorded(int64_t r)
{
    return (int64_t)(f_random(21, r) % 1000) * DP_DAY;
}

static bool h_deleted(int64_t r)
{
    return f_random(22, r) % 8 == 0;
}

static int64_t h_found(int64_t r) /* when the fault became known */
{
    return f_random(23, r) % 5 == 0 ? DP_TIME_MISSING : h_recorded(r) + (int64_t)(f_random(23, r) % 300) * DP_DAY;
}

static LakeSchema history_schema(LakeColumn columns[COLUMNS], bool recorded)
{
    LakeColumn all[COLUMNS] = {F_COLUMN("id", LAKE_CATEGORY),  F_COLUMN("recorded", LAKE_TIME),
                               F_COLUMN("value", LAKE_NUMBER), F_COLUMN("found", LAKE_TIME),
                               F_COLUMN("fault", LAKE_LABEL),  F_COLUMN("note", LAKE_TEXT)};
    all[FAULT].known_at = all[NOTE].known_at = all[FOUND].known_at = all[FOUND].name;
    memcpy(columns, all, sizeof all);
    return (LakeSchema){
        .columns = columns, .n = COLUMNS, .id = columns[ID].name, .recorded = recorded ? columns[RECORDED].name : NULL};
}

static void write_history(LakeWriter *writer, int64_t order, int64_t first, int32_t n)
{
    static int64_t recorded[EACH], found[EACH], at[EACH + 1];
    static double value[EACH];
    static int8_t fault[EACH];
    static uint8_t deleted[EACH];
    static uint32_t code[EACH], offset[ROWS + 2];
    static char words[ROWS * 8], notes[EACH * 8];
    uint32_t ids = ROWS / 9;
    for (uint32_t i = 0; i < ids; i++)
        offset[i + 2] = offset[i + 1] + (uint32_t)sprintf(words + offset[i + 1], "id%u", i);
    for (int i = 0; i < n; i++) {
        int64_t r = first + i;
        code[i] = (uint32_t)h_id(r) + 1;
        recorded[i] = h_recorded(r);
        found[i] = h_found(r);
        value[i] = (double)r;
        fault[i] = (int8_t)(r & 1);
        deleted[i] = h_deleted(r);
        at[i + 1] = at[i] + sprintf(notes + at[i], "n%lld", (long long)r);
    }
    LakeDict dict = {.n = ids + 1, .offset = offset, .bytes = words};
    LakeValues values[COLUMNS] = {{.type = LAKE_CATEGORY, .code = code, .dict = &dict},
                                  {.type = LAKE_TIME, .time = recorded},
                                  {.type = LAKE_NUMBER, .number = value},
                                  {.type = LAKE_TIME, .time = found},
                                  {.type = LAKE_LABEL, .label = fault},
                                  {.type = LAKE_TEXT, .text_at = at, .text = notes}};
    assert_ok(lake_write_partition(writer, order, &(LakeRows){.rows = n, .column = values, .deleted = deleted}));
}

static void deliver_history(const char *table, int delivery, bool recorded)
{
    LakeColumn columns[COLUMNS];
    LakeSchema schema = history_schema(columns, recorded);
    LakeWriter *writer = NULL;
    dp_digest source;
    int64_t snapshot;
    bool known;
    assert_ok(dp_digest_of(&source, &delivery, sizeof delivery));
    assert_ok(lake_write(&writer, lake, table, &schema, LAKE_ZSTD, 1, &source, &known, comm));
    for (int p = comm_rank(comm); p < 5; p += comm_size(comm)) /* the second partition is empty */
        write_history(writer, p, delivery * EACH + (p - (p > 1)) * (EACH / 4), p == 1 ? 0 : EACH / 4);
    assert_ok(lake_commit(&writer, NULL, &snapshot, NULL, comm));
}

/* By definition: expected[r] = 1 for the rows that are seen among rows 0 .. n-1. */
static void expect(int64_t *expected, int64_t n, int64_t as_of, bool recorded)
{
    int64_t best[ROWS / 9];
    for (int id = 0; id < ROWS / 9; id++)
        best[id] = -1;
    for (int64_t r = 0; r < n; r++) {
        int64_t *b = &best[h_id(r)];
        if (as_of != DP_TIME_MISSING && recorded && h_recorded(r) > as_of)
            continue;
        if (*b < 0 || !recorded || h_recorded(r) >= h_recorded(*b))
            *b = r;
    }
    for (int id = 0; id < ROWS / 9; id++)
        if (best[id] >= 0 && !h_deleted(best[id]))
            expected[best[id]] = 1;
}

static void check_value(const LakeBlock *block, int i, int64_t r, int64_t as_of)
{
    const LakeValues *v = block->column;
    char note[32];
    bool known = as_of == DP_TIME_MISSING || (h_found(r) != DP_TIME_MISSING && h_found(r) <= as_of);
    assert_true(v[VALUE].number[i] == (double)r);
    assert_true(v[FOUND].time[i] == (known ? h_found(r) : DP_TIME_MISSING));
    assert_int_equal(v[FAULT].label[i], known ? r & 1 : -1);
    same_text(v[NOTE].text + v[NOTE].text_at[i], (size_t)(v[NOTE].text_at[i + 1] - v[NOTE].text_at[i]), note,
              known ? (size_t)sprintf(note, "n%lld", (long long)r) : 0);
}

/* Marks the rows that a scan shows. */
static void scan_into(int64_t *shown, LakeTable *t, const char *where, int64_t as_of, bool whole, int threads)
{
    static const int columns[] = {ID, RECORDED, VALUE, FOUND, FAULT, NOTE};
    LakeScan *scan = NULL;
    const LakeBlock *block;
    LakeWhere terms = {0};
    assert_ok(lake_where_parse(&terms, lake_schema(t), where));
    LakeQuery query = {
        .columns = columns, .n_columns = COLUMNS, .where = &terms, .as_of = as_of, .threads = threads, .whole = whole};
    assert_ok(lake_scan(&scan, t, &query, comm));
    for (;;) {
        assert_ok(lake_next(scan, &block));
        if (!block)
            break;
        for (int i = 0; i < block->rows; i++) {
            int64_t r = block->row ? block->row[i] : block->first_row + i;
            check_value(block, i, r, as_of);
            shown[r]++;
        }
    }
    lake_scan_close(&scan);
    lake_where_free(&terms);
    if (!whole)
        comm_sum_i64(comm, shown, ROWS);
}

static void check_against_definition(LakeTable *t, int64_t rows, int64_t as_of, bool recorded)
{
    static int64_t shown[ROWS], expected[ROWS], again[ROWS], odd[ROWS];
    memset(shown, 0, sizeof shown);
    memset(again, 0, sizeof again);
    memset(expected, 0, sizeof expected);
    memset(odd, 0, sizeof odd);
    expect(expected, rows, as_of, recorded);
    scan_into(shown, t, "", as_of, false, 2);
    assert_memory_equal(shown, expected, sizeof expected);
    scan_into(again, t, "", as_of, true, 1);
    assert_memory_equal(again, expected, sizeof expected);
    /* A condition chooses among what is seen, with values as they were known. */
    for (int64_t r = 0; r < rows; r++) {
        bool known = as_of == DP_TIME_MISSING || (h_found(r) != DP_TIME_MISSING && h_found(r) <= as_of);
        expected[r] &= known && (r & 1) && r >= 100;
    }
    scan_into(odd, t, "fault = 1 and value >= 100", as_of, false, 1);
    assert_memory_equal(odd, expected, sizeof expected);
}

static void each_as_of_sees_its_versions(void **state)
{
    (void)state;
    const int64_t as_of[] = {DP_TIME_MISSING, -DP_DAY, 0, 333 * DP_DAY, 999 * DP_DAY};
    for (int d = 0; d < DELIVERIES; d++) {
        LakeTable *t = NULL;
        deliver_history("history", d, true);
        assert_ok(lake_open(&t, lake, "history", comm));
        for (size_t k = 0; k < sizeof as_of / sizeof *as_of; k++)
            check_against_definition(t, (d + 1) * EACH, as_of[k], true);
        lake_close(&t);
    }
}

static void without_recorded_the_later_row_wins(void **state)
{
    (void)state;
    LakeTable *t = NULL;
    deliver_history("plain", 0, false);
    deliver_history("plain", 1, false);
    assert_ok(lake_open(&t, lake, "plain", comm));
    check_against_definition(t, 2 * EACH, DP_TIME_MISSING, false);
    lake_close(&t);
}

static void an_old_snapshot_stays(void **state)
{
    (void)state;
    LakeTable *t = NULL;
    assert_ok(lake_open(&t, lake, "history@2", comm));
    check_against_definition(t, 2 * EACH, 500 * DP_DAY, true);
    lake_close(&t);
    assert_fails(lake_open(&t, lake, "history@9", comm), DP_ERR_NO_INPUT, "lake-02");
    assert_fails(lake_open(&t, lake, "histori", comm), DP_ERR_NO_INPUT, "lake-01");
    assert_non_null(strstr(dp_error_last()->text, "'history'"));
}

static void ids_once_need_no_resolving(void **state)
{
    (void)state;
    LakeTable *t = NULL;
    LakeScan *scan = NULL;
    const LakeBlock *block;
    const int column[] = {F_VALUE};
    int64_t rows = 0;
    fixture_deliver(lake, "once", 0, 3, 500, LAKE_ZSTD, "a", comm);
    assert_ok(lake_open(&t, lake, "once", comm));
    assert_ok(lake_scan(&scan, t, &(LakeQuery){.columns = column, .n_columns = 1, .as_of = 700 * DP_SECOND}, comm));
    for (;;) {
        assert_ok(lake_next(scan, &block));
        if (!block)
            break;
        fixture_block_same(block, column, 1);
        rows += block->rows;
    }
    comm_sum_i64(comm, &rows, 1);
    assert_int_equal(rows, 701); /* recorded at second 0 .. 700 */
    lake_scan_close(&scan);
    lake_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_as_of_sees_its_versions),
        cmocka_unit_test(without_recorded_the_later_row_wins),
        cmocka_unit_test(an_old_snapshot_stays),
        cmocka_unit_test(ids_once_need_no_resolving),
    };
    if (comm_open(&comm, NULL) != DP_OK)
        return 1;
    fixture_folder(lake, comm);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (!failed)
        fixture_sweep(lake, comm);
    comm_close(&comm);
    return failed;
}
