/* RUN np=1 quick -- every changed byte of a table is found, every cut file is refused, and nothing crashes or lies. */
#include "fixture.h"

#include <fcntl.h>
#include <glob.h>

#include "base/publish.h"

static Comm *comm;
static char lake[64], partition[256], manifest[256];
static char *whole, *listed;
static size_t size, listed_size;

static const int all[] = {F_ID, F_AT, F_CHANGED, F_VALUE, F_MASS, F_OFFICE, F_HS6, F_GOODS, F_FAULT};

static void put_file(const char *path, const char *data, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, n), n);
    assert_int_equal(close(fd), 0);
}

/* Reads everything; what is given must be right even in a damaged table. */
static dp_status read_all(void)
{
    LakeTable *t = NULL;
    LakeScan *scan = NULL;
    const LakeBlock *block;
    LakeQuery query = {.columns = all, .n_columns = F_COLUMNS, .as_of = DP_TIME_MISSING, .all_versions = true};
    dp_status st = DP_OK;
    DP_GO(lake_open(&t, lake, "small", comm));
    DP_GO(lake_scan(&scan, t, &query, comm));
    for (;;) {
        DP_GO(lake_next(scan, &block));
        if (!block)
            break;
        fixture_block_same(block, all, F_COLUMNS);
    }
done:
    lake_scan_close(&scan);
    lake_close(&t);
    return st;
}

static int64_t faults(void)
{
    LakeTable *t = NULL;
    int64_t n;
    assert_ok(lake_open(&t, lake, "small", comm));
    assert_ok(lake_verify(t, &n, comm));
    lake_close(&t);
    return n;
}

static void a_good_table_has_no_faults(void **state)
{
    (void)state;
    assert_int_equal(faults(), 0);
    assert_ok(read_all());
}

static void every_changed_byte_is_found(void **state)
{
    (void)state;
    int read_failures = 0;
    for (size_t i = 0; i < size; i += 1 + f_random(90, (int64_t)i) % 144) {
        char byte = whole[i];
        whole[i] = (char)(byte ^ (1 << f_random(91, (int64_t)i) % 8));
        put_file(partition, whole, size);
        whole[i] = byte;
        assert_true(faults() > 0);
        dp_status st = read_all(); /* fine where the byte is only HDF5's */
        assert_true(st == DP_OK || st == DP_ERR_DATA);
        read_failures += st != DP_OK;
    }
    assert_true(read_failures > 50);
    put_file(partition, whole, size);
}

static void a_cut_partition_is_refused(void **state)
{
    (void)state;
    for (size_t n = 0; n < size; n += n < 100 ? 1 : 1 + f_random(92, (int64_t)n) % 128) {
        put_file(partition, whole, n);
        assert_fails(read_all(), DP_ERR_DATA, "lake-05");
    }
    put_file(partition, "", 0);
    assert_true(faults() > 0);
    unlink(partition);
    assert_fails(read_all(), DP_ERR_DATA, "lake-05");
    assert_true(faults() > 0);
    assert_int_equal(symlink("/etc/passwd", partition), 0);
    assert_fails(read_all(), DP_ERR_DENIED, "lake-05"); /* links are not followed */
    unlink(partition);
    put_file(partition, whole, size);
}

static void a_changed_manifest_is_refused(void **state)
{
    (void)state;
    LakeTable *t = NULL;
    for (size_t i = 0; i < listed_size; i += 1 + f_random(93, (int64_t)i) % 8) {
        char byte = listed[i];
        listed[i] = (char)(byte ^ (1 << f_random(94, (int64_t)i) % 7));
        put_file(manifest, listed, listed_size);
        bool space = strchr(" \n\t\r", byte) && strchr(" \n\t\r", listed[i]);
        listed[i] = byte;
        if (!space) /* white space between values means nothing */
            assert_fails(lake_open(&t, lake, "small", comm), DP_ERR_DATA, "lake-03");
        lake_close(&t);
    }
    for (size_t n = 0; n + 2 < listed_size; n += 1 + n / 16) {
        put_file(manifest, listed, n);
        assert_fails(lake_open(&t, lake, "small", comm), DP_ERR_DATA, "lake-03");
    }
    put_file(manifest, listed, listed_size);
    assert_ok(read_all());
}

static void a_full_disk_leaves_nothing_visible(void **state)
{
    (void)state;
    LakeColumn columns[F_COLUMNS];
    LakeSchema schema = fixture_schema(columns);
    char folder[128], command[256];
    LakeWriter *writer = NULL;
    LakeTable *t = NULL;
    Fixture f;
    bool known;
    dp_digest source;
    dp_status st = DP_OK;
    snprintf(folder, sizeof folder, "%s/disk", lake);
    assert_int_equal(mkdir(folder, 0750), 0);
    snprintf(command, sizeof command, "mount -t tmpfs -o size=256k none %s 2>/dev/null", folder);
    if (system(command) != 0) {
        print_message("not root: no small disk to fill\n");
        return;
    }
    assert_ok(dp_digest_of(&source, "a", 1));
    assert_ok(lake_write(&writer, folder, "full", &schema, LAKE_PLAIN, 1, &source, &known, comm));
    fixture_build(&f, 0, 1500);
    for (int p = 0; p < 20 && st == DP_OK; p++)
        st = lake_write_partition(writer, p, &f.rows);
    fixture_free(&f);
    assert_int_equal(st, DP_ERR_IO);
    assert_string_equal(dp_error_last()->id, "base-07");
    lake_abandon(&writer, false, comm);
    assert_fails(lake_open(&t, folder, "full", comm), DP_ERR_NO_INPUT, "lake-01");
    snprintf(command, sizeof command, "test -z \"$(ls -A %s)\"", folder);
    assert_int_equal(system(command), 0);
    snprintf(command, sizeof command, "umount %s", folder);
    assert_int_equal(system(command), 0);
}

static char *find_file(const char *form)
{
    char pattern[256];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/%s", lake, form);
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    char *path = strdup(found.gl_pathv[0]);
    globfree(&found);
    return path;
}

static int make_small(void **state)
{
    (void)state;
    char *path;
    fixture_deliver(lake, "small", 0, 1, 150, LAKE_ZSTD, "a", comm);
    snprintf(partition, sizeof partition, "%s", path = find_file("small/*/part-*.h5"));
    free(path);
    snprintf(manifest, sizeof manifest, "%s", path = find_file("small/manifest-*.json"));
    free(path);
    assert_ok(dp_read_file(&whole, &size, partition, 1 << 20));
    assert_ok(dp_read_file(&listed, &listed_size, manifest, 1 << 20));
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_table_has_no_faults),         cmocka_unit_test(every_changed_byte_is_found),
        cmocka_unit_test(a_cut_partition_is_refused),         cmocka_unit_test(a_changed_manifest_is_refused),
        cmocka_unit_test(a_full_disk_leaves_nothing_visible),
    };
    if (comm_open(&comm, NULL) != DP_OK)
        return 1;
    fixture_folder(lake, comm);
    int failed = cmocka_run_group_tests(tests, make_small, NULL);
    if (!failed)
        fixture_sweep(lake, comm);
    dp_free(&whole);
    dp_free(&listed);
    comm_close(&comm);
    return failed;
}
