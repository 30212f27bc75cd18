/* RUN np=1,2,4 -- the table's bytes do not depend on ranks, threads, or packing; embedded newlines may lie on any cut.
 */
#include "ingest_test.h"

#include <zlib.h>

#include "base/rng.h"

static const char yaml[] = "from: {times: \"%Y-%m-%d\"}\n"
                           "columns:\n"
                           "  n: {type: number, range: -1e9 .. 1e9}\n"
                           "  f: {type: number, bits: 32}\n"
                           "  t: text\n"
                           "  u: text\n"
                           "  w: time\n"
                           "  y: label\n"
                           "  c: {type: code, digits: 4}\n"
                           "categories: [k, long]\n"
                           "check: {max_bad: 5%}\n";

/* Rows with quotes, newlines and separators inside, some bad ones, and a dictionary that keeps growing. */
static void make(dp_buf *out, uint64_t seed, int rows)
{
    static const char *const bits[] = {"plain", "a\nb", "x,y", "\"\"q\"\"", "\r\n", "", "中文字", "\n\n\n", "5'", "zz"};
    assert_ok(dp_buf_text(out, "n,f,t,u,w,y,c,k,long,more\n"));
    for (int i = 0; i < rows; i++) {
        uint64_t r = dp_random_u64(seed, 1, (uint64_t)i), q = dp_random_u64(seed, 2, (uint64_t)i);
        const char *number = q % 97 == 0 ? "x" : "";
        assert_ok(dp_buf_print(out,
                               "%s%.3f,%.4g,\"%s%s\",%s,20%02d-%02d-%02d,%s,%04d,K%d,\"a rather long value %d\",\n",
                               number, (double)(r % 1000000) / 7, (double)(q % 100000) / 9, bits[r % 10], bits[q % 10],
                               bits[q % 2 ? 0 : 6], (int)(r % 30), (int)(q % 12) + 1, (int)(r % 28) + 1,
                               r % 3   ? "1"
                               : r % 5 ? "0"
                                       : "",
                               (int)(q % 300), (int)(r % (uint64_t)(i + 1) % 5000), (int)(q % 40)));
        if (q % 701 == 0)
            assert_ok(dp_buf_text(out, "1,2,3\n"));
        if (q % 499 == 0)
            assert_ok(dp_buf_text(out, "\n"));
    }
}

static dp_digest content(const char *lake, const char *table, const Comm *with)
{
    LakeTable *t = NULL;
    assert_ok(lake_open(&t, lake, table, with));
    dp_digest digest = lake_facts(t).content;
    lake_close(&t);
    return digest;
}

/* This rank alone, in a lake of its own. */
static dp_digest ingest_alone(IngestResult *result, const char *const *files, size_t n, int threads)
{
    char lake[96];
    Comm *alone = NULL;
    Ready r;
    snprintf(lake, sizeof lake, "%s/alone%d-%d", folder, comm_rank(comm), threads);
    assert_ok(comm_open_alone(&alone, NULL));
    assert_ok(ready(&r, yaml));
    assert_ok(ingest_files(result, r.options, lake, "t", files, n, LAKE_ZSTD, threads, alone));
    dp_digest digest = content(lake, "t", alone);
    unready(&r);
    comm_close(&alone);
    return digest;
}

static void assert_same(const char *table, const char *const *files, size_t n)
{
    IngestResult together, alone;
    char lake[96];
    snprintf(lake, sizeof lake, "%s/lake", folder);
    assert_ok(ingest_with(&together, yaml, table, files, n, 2));
    dp_digest a = content(lake, table, comm);
    for (int threads = 1; comm_rank(comm) == 0 && threads <= 3; threads += 2) {
        char command[128];
        dp_digest b = ingest_alone(&alone, files, n, threads);
        assert_true(dp_digest_same(&a, &b));
        assert_int_equal(alone.rows, together.rows);
        assert_int_equal(alone.bad, together.bad);
        snprintf(command, sizeof command, "rm -rf '%s/alone%d-%d'", folder, comm_rank(comm), threads);
        assert_int_equal(system(command), 0);
    }
}

/* The same file in another folder, with its bad rows, makes the same bytes. */
static void assert_elsewhere(const char *file)
{
    char lake[96], command[400], other[96];
    IngestResult r;
    snprintf(lake, sizeof lake, "%s/lake", folder);
    snprintf(other, sizeof other, "%s/other/big.csv", folder);
    snprintf(command, sizeof command, "mkdir '%s/other' && cp '%s' '%s'", folder, file, other);
    if (comm_rank(comm) == 0)
        assert_int_equal(system(command), 0);
    comm_wait_all(comm);
    assert_ok(ingest_one(&r, yaml, "elsewhere", other));
    assert_true(r.bad > 0);
    dp_digest a = content(lake, "single", comm), b = content(lake, "elsewhere", comm);
    assert_true(dp_digest_same(&a, &b));
}

static void one_table_on_any_number(void **state)
{
    (void)state;
    dp_buf big = {0}, small = {0};
    make(&big, 1, 60000); /* 5 MB: five segments of a MiB and more */
    make(&small, 2, 2000);
    const char *one = put("big.csv", big.data, big.size), *two = put("small.csv", small.data, small.size);
    assert_same("plain", (const char *[]){one, two}, 2);
    /* The same rows from gzip: one file for many ranks, and many files. */
    char path[3][96];
    for (int i = 0; i < 3; i++) {
        snprintf(path[i], sizeof path[i], "%s/big%d.csv.gz", folder, i);
        if (comm_rank(comm) == 0) {
            gzFile z = gzopen(path[i], "wb1");
            assert_non_null(z);
            assert_int_equal(gzwrite(z, big.data, (unsigned)big.size), (int)big.size);
            assert_int_equal(gzclose(z), Z_OK);
        }
    }
    comm_wait_all(comm);
    assert_same("packed", (const char *[]){path[0]}, 1);
    assert_same("many", (const char *[]){path[0], two, path[1], path[2]}, 4);
    dp_buf plain = {0}, packed = {0};
    LakeFacts facts;
    assert_same("single", (const char *[]){one}, 1);
    assert_elsewhere(one);
    read_back(&plain, &facts, "single");
    assert_true(facts.partitions > 4);
    read_back(&packed, &facts, "packed");
    assert_int_equal(plain.size, packed.size);
    assert_memory_equal(plain.data, packed.data, plain.size);
    dp_buf_free(&plain);
    dp_buf_free(&packed);
    dp_buf_free(&big);
    dp_buf_free(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_table_on_any_number)};
    if (begin() != 0)
        return 1;
    return end(cmocka_run_group_tests(tests, NULL, NULL));
}
