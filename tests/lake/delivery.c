/* RUN np=1,2,4 quick -- deliveries: whole or not there, known again, taken up where they stopped, side by side. */
#include "fixture.h"

#include <dirent.h>
#include <sys/wait.h>

static Comm *comm;
static char lake[64];

static dp_digest digest_of(const char *name)
{
    dp_digest digest;
    assert_ok(dp_digest_of(&digest, name, strlen(name)));
    return digest;
}

static dp_status begin(LakeWriter **writer, const char *table, const char *source, bool *known)
{
    LakeColumn columns[F_COLUMNS];
    LakeSchema schema = fixture_schema(columns);
    dp_digest digest = digest_of(source);
    return lake_write(writer, lake, table, &schema, LAKE_ZSTD, 1, &digest, known, comm);
}

static void write_part(LakeWriter *writer, int64_t order, int64_t first, int32_t n)
{
    Fixture f;
    fixture_build(&f, first, n);
    assert_ok(lake_write_partition(writer, order, &f.rows));
    fixture_free(&f);
}

static void put_bad(LakeWriter *writer, int64_t order, int64_t row, const char *reason)
{
    char raw[64];
    int size = sprintf(raw, "raw of %lld", (long long)row);
    assert_ok(lake_write_bad(
        writer, order,
        &(LakeBadRow){.row = row, .file = "a.csv", .column = "value", .reason = reason, .raw = raw, .raw_size = size}));
}

static LakeFacts facts_of(const char *table)
{
    LakeTable *t = NULL;
    assert_ok(lake_open(&t, lake, table, comm));
    LakeFacts facts = lake_facts(t);
    lake_close(&t);
    facts.name = table;
    return facts;
}

static void nothing_is_seen_before_the_commit(void **state)
{
    (void)state;
    LakeWriter *writer = NULL;
    LakeTable *t = NULL;
    bool known;
    int64_t snapshot;
    assert_ok(begin(&writer, "seen", "a", &known));
    write_part(writer, comm_rank(comm), 100 * comm_rank(comm), 100);
    assert_fails(lake_open(&t, lake, "seen", comm), DP_ERR_NO_INPUT, "lake-01");
    assert_ok(lake_commit(&writer, NULL, &snapshot, NULL, comm));
    assert_int_equal(snapshot, 1);
    assert_int_equal(facts_of("seen").rows, 100 * comm_size(comm));
    assert_ok(begin(&writer, "seen", "a", &known));
    assert_true(known);
    assert_null(writer);
}

static int count_files(const char *table)
{
    char path[256];
    int n = 0;
    struct dirent *entry;
    snprintf(path, sizeof path, "%s/%s", lake, table);
    DIR *dir = opendir(path);
    while (dir && (entry = readdir(dir)))
        n += entry->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return n;
}

static void a_failure_leaves_nothing(void **state)
{
    (void)state;
    LakeWriter *writer = NULL;
    bool known;
    assert_ok(begin(&writer, "failed", "a", &known));
    write_part(writer, comm_rank(comm), 0, 50);
    lake_abandon(&writer, false, comm);
    assert_null(writer);
    assert_int_equal(count_files("failed"), 0);
    lake_abandon(&writer, false, comm);
}

static void a_stopped_delivery_goes_on(void **state)
{
    (void)state;
    LakeWriter *writer = NULL;
    LakeTable *t = NULL;
    bool known;
    int64_t snapshot, rows, bad;
    int rank = comm_rank(comm), size = comm_size(comm);
    dp_digest stopped, straight;
    assert_ok(begin(&writer, "stopped", "a", &known));
    put_bad(writer, rank, 1000 + rank, "range");
    write_part(writer, rank, 100 * rank, 100);
    lake_abandon(&writer, true, comm);
    /* One file is damaged meanwhile: it does not count. */
    char path[256];
    snprintf(path, sizeof path, "%s/stopped/ca978112ca1bbdca/part-%016x.h5", lake, 0);
    if (rank == 0) {
        FILE *file = fopen(path, "r+");
        assert_non_null(file);
        fseek(file, 1234, SEEK_SET);
        int c = fgetc(file);
        fseek(file, 1234, SEEK_SET);
        fputc(c ^ 1, file);
        assert_int_equal(fclose(file), 0);
    }
    assert_ok(begin(&writer, "stopped", "a", &known));
    assert_false(known);
    int64_t next = (rank + 1) % size; /* another rank goes on with it */
    assert_int_equal(lake_write_has(writer, next), next != 0);
    if (next == 0) {
        put_bad(writer, 0, 1000, "range");
        write_part(writer, 0, 0, 100);
    }
    assert_true(lake_write_has(writer, next));
    lake_write_counts(writer, &rows, &bad);
    assert_int_equal(rows, 100);
    assert_int_equal(bad, 1);
    assert_ok(lake_commit(&writer, NULL, &snapshot, NULL, comm));
    assert_ok(begin(&writer, "straight", "a", &known));
    put_bad(writer, rank, 1000 + rank, "range");
    write_part(writer, rank, 100 * rank, 100);
    assert_ok(lake_commit(&writer, NULL, &snapshot, NULL, comm));
    stopped = facts_of("stopped").content;
    straight = facts_of("straight").content;
    assert_true(dp_digest_same(&stopped, &straight));
    assert_ok(lake_open(&t, lake, "stopped", comm));
    lake_close(&t);
}

static bool check_bad(void *self, const LakeBadRow *bad)
{
    int64_t *at = self;
    char raw[64];
    assert_int_equal(bad->row, 1 + *at);
    assert_string_equal(bad->file, "a.csv");
    assert_string_equal(bad->column, "value");
    assert_string_equal(bad->reason, bad->row % 2 ? "number" : "range");
    same_text(bad->raw, (size_t)bad->raw_size, raw, (size_t)sprintf(raw, "raw of %lld", (long long)bad->row));
    return ++*at < 70000;
}

static void bad_rows_are_kept_with_their_reasons(void **state)
{
    (void)state;
    LakeWriter *writer = NULL;
    LakeTable *t = NULL;
    bool known;
    int64_t snapshot, at = 0, n = 70003;
    assert_ok(begin(&writer, "bad", "a", &known));
    if (comm_rank(comm) == comm_size(comm) - 1) {
        /* The partition of order 1 is never written: its bad rows are kept all the same. */
        for (int64_t i = 1; i <= n; i++)
            put_bad(writer, i <= 10 ? 0 : 1, i, i % 2 ? "number" : "range");
        write_part(writer, 0, 0, 5);
        assert_fails(lake_write_bad(writer, 0, &(LakeBadRow){.row = 1}), DP_ERR_USAGE, "lake-17");
    }
    assert_ok(lake_commit(&writer, "{\"file\": \"a.csv\"}", &snapshot, NULL, comm));
    assert_ok(lake_open(&t, lake, "bad", comm));
    assert_int_equal(lake_facts(t).quarantined, n);
    assert_int_equal(lake_facts(t).rows, 5);
    assert_ok(lake_quarantine(t, check_bad, &at));
    assert_int_equal(at, 70000);
    size_t deliveries;
    const LakeDelivery *delivery = lake_deliveries(t, &deliveries);
    assert_int_equal(deliveries, 1);
    assert_int_equal(delivery->bad, n);
    assert_int_equal(delivery->snapshot, 1);
    assert_string_equal(delivery->about, "{\"file\":\"a.csv\"}");
    assert_true(delivery->bytes == lake_facts(t).bytes);
    lake_close(&t);
}

static void columns_may_be_added_only(void **state)
{
    (void)state;
    static const int all[] = {F_ID, F_AT, F_CHANGED, F_VALUE, F_MASS, F_OFFICE, F_HS6, F_GOODS, F_FAULT};
    LakeColumn columns[F_COLUMNS], wrong[F_COLUMNS];
    LakeSchema schema = fixture_schema(columns), less = schema, other;
    LakeWriter *writer = NULL;
    LakeTable *t = NULL;
    LakeScan *scan = NULL;
    const LakeBlock *block;
    Fixture f;
    bool known;
    int64_t snapshot;
    dp_digest a = digest_of("a"), b = digest_of("b");
    less.n = F_VALUE; /* id, at, changed; later all */
    assert_ok(lake_write(&writer, lake, "grown", &less, LAKE_DEFLATE, 1, &a, &known, comm));
    fixture_build(&f, 0, 10);
    if (comm_rank(comm) == 0)
        assert_ok(lake_write_partition(writer, 0, &f.rows));
    fixture_free(&f);
    assert_ok(lake_commit(&writer, NULL, &snapshot, NULL, comm));
    assert_ok(begin(&writer, "grown", "b", &known));
    if (comm_rank(comm) == 0)
        write_part(writer, 0, 10, 10);
    assert_ok(lake_commit(&writer, NULL, &snapshot, NULL, comm));
    assert_ok(lake_open(&t, lake, "grown", comm));
    assert_ok(lake_scan(
        &scan, t, &(LakeQuery){.columns = all, .n_columns = F_COLUMNS, .as_of = DP_TIME_MISSING, .whole = true}, comm));
    assert_ok(lake_next(scan, &block));
    fixture_block_same(block, all, F_VALUE);
    for (int i = 0; i < 10; i++) {
        assert_true(isnan(block->column[F_VALUE].number[i]));
        assert_true(isnan(block->column[F_MASS].number32[i]));
        assert_int_equal(block->column[F_OFFICE].code[i], 0);
        assert_int_equal(block->column[F_GOODS].text_at[i + 1], 0);
        assert_int_equal(block->column[F_FAULT].label[i], -1);
    }
    assert_ok(lake_next(scan, &block));
    fixture_block_same(block, all, F_COLUMNS);
    lake_scan_close(&scan);
    lake_close(&t);
    b = digest_of("c");
    assert_fails(lake_write(&writer, lake, "grown", &less, LAKE_ZSTD, 1, &b, &known, comm), DP_ERR_DATA, "lake-06");
    assert_non_null(strstr(dp_error_last()->text, "'fault' is missing"));
    other = fixture_schema(wrong);
    wrong[F_MASS].unit = (char *)(uintptr_t) "t";
    wrong[F_HS6].type = LAKE_TEXT;
    assert_fails(lake_write(&writer, lake, "grown", &other, LAKE_ZSTD, 1, &b, &known, comm), DP_ERR_DATA, "lake-06");
    assert_non_null(strstr(dp_error_last()->text, "'mass' is in t, not kg, 'hs6' is text, not code"));
}

/* Processes of their own, without MPI. */
static void many_writers_all_land(void **state)
{
    (void)state;
    enum { WRITERS = 6 };
    int64_t rows = 0;
    if (comm_size(comm) > 1)
        return;
    for (int w = 0; w < WRITERS; w++)
        if (fork() == 0) {
            char name[16];
            LakeWriter *writer = NULL;
            bool known;
            int64_t snapshot;
            sprintf(name, "writer %d", w);
            bool good = begin(&writer, "raced", name, &known) == DP_OK && !known;
            Fixture f;
            fixture_build(&f, w * 100, 100);
            good = good && lake_write_partition(writer, 0, &f.rows) == DP_OK;
            good = good && lake_commit(&writer, NULL, &snapshot, NULL, comm) == DP_OK;
            _exit(good ? 0 : 1);
        }
    for (int w = 0; w < WRITERS; w++) {
        int end;
        assert_true(wait(&end) > 0);
        assert_true(WIFEXITED(end) && WEXITSTATUS(end) == 0);
    }
    LakeFacts facts = facts_of("raced");
    rows = facts.rows;
    assert_int_equal(rows, WRITERS * 100);
    assert_int_equal(facts.snapshot, WRITERS);
    assert_int_equal(facts_of("raced@3").rows, 300);
}

static void the_same_delivery_twice_at_once(void **state)
{
    (void)state;
    int started[2], go_on[2], end;
    char byte = 0;
    LakeWriter *writer = NULL;
    bool known;
    if (comm_size(comm) > 1)
        return;
    assert_int_equal(pipe(started) | pipe(go_on), 0);
    pid_t child = fork();
    if (child == 0) {
        bool good = begin(&writer, "locked", "a", &known) == DP_OK;
        good = write(started[1], &byte, 1) == 1 && read(go_on[0], &byte, 1) == 1 && good;
        lake_abandon(&writer, false, comm);
        _exit(good ? 0 : 1);
    }
    assert_int_equal(read(started[0], &byte, 1), 1);
    assert_fails(begin(&writer, "locked", "a", &known), DP_ERR_AGAIN, "lake-07");
    assert_int_equal(write(go_on[1], &byte, 1), 1);
    assert_int_equal(waitpid(child, &end, 0), child);
    assert_int_equal(end, 0);
    assert_ok(begin(&writer, "locked", "a", &known));
    lake_abandon(&writer, false, comm);
}

static void an_empty_table_is_a_table(void **state)
{
    (void)state;
    static const int columns[] = {F_VALUE};
    LakeWriter *writer = NULL;
    LakeTable *t = NULL;
    LakeScan *scan = NULL;
    const LakeBlock *block;
    bool known;
    int64_t snapshot;
    assert_ok(begin(&writer, "empty", "a", &known));
    assert_ok(lake_commit(&writer, NULL, &snapshot, NULL, comm));
    assert_ok(lake_open(&t, lake, "empty", comm));
    assert_ok(lake_scan(&scan, t, &(LakeQuery){.columns = columns, .n_columns = 1, .as_of = 0, .threads = 2}, comm));
    assert_ok(lake_next(scan, &block));
    assert_null(block);
    lake_scan_close(&scan);
    assert_int_equal(lake_facts(t).rows, 0);
    lake_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_seen_before_the_commit), cmocka_unit_test(a_failure_leaves_nothing),
        cmocka_unit_test(a_stopped_delivery_goes_on),        cmocka_unit_test(bad_rows_are_kept_with_their_reasons),
        cmocka_unit_test(columns_may_be_added_only),         cmocka_unit_test(many_writers_all_land),
        cmocka_unit_test(the_same_delivery_twice_at_once),   cmocka_unit_test(an_empty_table_is_a_table),
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
