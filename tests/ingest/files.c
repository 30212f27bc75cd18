/* RUN np=1,3 quick -- broken inputs: each gets its message and its status, nothing is added, no rank waits for ever. */
#include "ingest_test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <zlib.h>

static const char two[] = "columns: {a: number, b: {type: text, from: \"the b\"}}\n";

static void assert_refused(const char *yaml, const char *file, dp_status status, const char *id, const char *word)
{
    IngestResult r;
    assert_fails(ingest_one(&r, yaml, "refused", file), status, id);
    if (!strstr(dp_error_last()->text, word))
        fail_msg("'%s' does not say '%s'", dp_error_last()->text, word);
    assert_no_table("refused");
}

static void files_that_are_none(void **state)
{
    (void)state;
    char path[96];
    snprintf(path, sizeof path, "%s/nowhere.csv", folder);
    assert_refused(two, path, DP_ERR_NO_INPUT, "ingest-10", "nowhere.csv");
    assert_refused(two, folder, DP_ERR_NO_INPUT, "ingest-10", "directory");
    assert_refused(two, "/dev/null", DP_ERR_NO_INPUT, "ingest-10", "regular");
    assert_refused(two, put_text("empty.csv", ""), DP_ERR_DATA, "ingest-15", "empty");
    assert_refused(two, put_text("bom.csv", "\xEF\xBB\xBF"), DP_ERR_DATA, "ingest-15", "empty");
    IngestResult r;
    assert_fails(ingest_with(&r, two, "refused", NULL, 0, 1), DP_ERR_NO_INPUT, "ingest-16");
    if (geteuid() != 0) { /* root may read everything */
        const char *f = put_text("secret.csv", "a,the b\n1,x\n");
        if (comm_rank(comm) == 0)
            assert_int_equal(chmod(f, 0), 0);
        comm_wait_all(comm);
        assert_refused(two, f, DP_ERR_DENIED, "ingest-10", "secret.csv");
    }
}

static void headers(void **state)
{
    (void)state;
    assert_refused(two, put_text("h1.csv", "a,the b\n"), DP_ERR_DATA, "ingest-15", "no rows");
    assert_refused(two, put_text("h2.csv", "a,the b"), DP_ERR_DATA, "ingest-15", "no rows");
    assert_refused(two, put_text("h3.csv", "a,teh b\n1,x\n"), DP_ERR_DATA, "ingest-11", "the b (it has 'teh b')");
    assert_refused(two, put_text("h4.csv", "1,x\n2,y\n"), DP_ERR_DATA, "ingest-11", "lacks 2 columns");
    assert_refused(two, put_text("h5.csv", "a;the b\n1;x\n"), DP_ERR_DATA, "ingest-11", "from.delimiter");
    assert_refused(two, put_text("h6.csv", "a,the b,a\n1,x,2\n"), DP_ERR_DATA, "ingest-11", "twice");
    assert_refused(two, put_text("h7.csv", "a,the b\xFF\n1,x\n"), DP_ERR_DATA, "ingest-11", "UTF-8");
    assert_refused(two, put("h8.csv", "a,the b\0\n1,x\n", 14), DP_ERR_DATA, "ingest-11", "UTF-8");
    assert_refused(two, put_text("h9.csv", "\na,the b\n1,x\n"), DP_ERR_DATA, "ingest-11", "lacks 2 columns");
}

static void quotes_that_stay_open(void **state)
{
    (void)state;
    assert_refused(two, put_text("q1.csv", "a,the b\n1,x\n2,\"open\n3,y\n"), DP_ERR_DATA, "ingest-14", "line 3");
    assert_refused(two, put_text("q2.csv", "a,\"the b\n1,x\n"), DP_ERR_DATA, "ingest-14", "line 1");
    dp_buf big = {0};
    assert_ok(dp_buf_text(&big, "a,the b\n1,x\n2,\"open\n"));
    for (int i = 0; i < 400000; i++)
        assert_ok(dp_buf_text(&big, "1,plain\n"));
    assert_refused(two, put("q3.csv", big.data, big.size), DP_ERR_DATA, "ingest-14", "open in line 3");
    dp_buf_free(&big);
}

/* A hole in a file reads as zero bytes: a gigabyte without a newline that takes no disk. */
static void a_line_of_a_gigabyte(void **state)
{
    (void)state;
    char path[96];
    const char head[] = "a,the b\n1,x\n2,";
    snprintf(path, sizeof path, "%s/long.csv", folder);
    if (comm_rank(comm) == 0) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        assert_true(fd >= 0 && write(fd, head, sizeof head - 1) == sizeof head - 1 && ftruncate(fd, 1 << 30) == 0);
        close(fd);
    }
    comm_wait_all(comm);
    assert_refused(two, path, DP_ERR_DATA, "ingest-13", "line 3 is longer than 1.0 MiB");
}

static void rows_longer_than_allowed(void **state)
{
    (void)state;
    IngestResult r;
    dp_buf text = {0};
    assert_ok(dp_buf_text(&text, "a,the b\n1,"));
    for (int i = 0; i < 100000; i++)
        assert_ok(dp_buf_text(&text, "0123456789abcdef"));
    assert_ok(dp_buf_text(&text, "\n2,x\n"));
    const char *f = put("row.csv", text.data, text.size);
    assert_refused(two, f, DP_ERR_DATA, "ingest-13", "line 2");
    char yaml[160];
    snprintf(yaml, sizeof yaml, "from: {max_row: 2MiB}\n%s", two);
    assert_ok(ingest_one(&r, yaml, "long", f));
    assert_int_equal(r.rows, 2);
    dp_buf_free(&text);
}

static void more_bad_rows_than_allowed(void **state)
{
    (void)state;
    assert_refused(two, put_text("b1.csv", "a,the b\nx,x\ny,y\n"), DP_ERR_DATA, "ingest-17",
                   "b1.csv:2 number in a: x,x");
    assert_refused(two, put_text("b2.csv", "a,the b\n1,x\n1e999,y\n"), DP_ERR_DATA, "ingest-17", "overflow");
    assert_refused(two, put_text("b3.csv", "a,the b\n1,\xFF\n"), DP_ERR_DATA, "ingest-17", "encoding");
    assert_refused("columns: {a: {type: time, format: \"%d.%m.%Y\"}}\n", put_text("b4.csv", "a\n30.02.2024\n"),
                   DP_ERR_DATA, "ingest-17", "time in a");
    dp_buf text = {0};
    assert_ok(dp_buf_text(&text, "a,the b\n"));
    for (int i = 0; i < 100000; i++)
        assert_ok(dp_buf_text(&text, i % 500 ? "1,xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx,2\n" : "1,x\n"));
    assert_refused(two, put("b5.csv", text.data, text.size), DP_ERR_DATA, "ingest-17", "fields");
    /* One in a thousand is allowed. */
    IngestResult r;
    text.size = 0;
    assert_ok(dp_buf_text(&text, "a,the b\nbad,x\n"));
    for (int i = 0; i < 999; i++)
        assert_ok(dp_buf_text(&text, "1,x\n"));
    assert_ok(ingest_one(&r, two, "allowed", put("b6.csv", text.data, text.size)));
    assert_int_equal(r.rows, 999);
    assert_int_equal(r.bad, 1);
    assert_string_equal(r.worst_reason, "number");
    dp_buf_free(&text);
}

static void broken_gzip(void **state)
{
    (void)state;
    unsigned char packed[4096];
    static const char text[] = "a,the b\n1,x\n2,y\n3,z\n";
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)text,
                  .avail_in = sizeof text - 1,
                  .next_out = packed,
                  .avail_out = sizeof packed};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t size = sizeof packed - z.avail_out;
    deflateEnd(&z);
    IngestResult r;
    memcpy(packed + size, packed, size); /* two members: the second one's header is a row that is bad */
    assert_ok(ingest_one(&r, two, "whole", put("whole.gz", packed, size)));
    assert_rows("whole", "1|x\n2|y\n3|z\n");
    assert_refused(two, put("cut.gz", packed, size - 3), DP_ERR_DATA, "ingest-12", "too early");
    assert_refused(two, put("two.gz", packed, 2 * size), DP_ERR_DATA, "ingest-17", "number in a: a,the b");
    packed[size - 6] ^= 1; /* its checksum */
    assert_refused(two, put("flipped.gz", packed, size), DP_ERR_DATA, "ingest-12", "gzip");
    assert_refused(two, put("magic.gz", "\x1F\x8B rubbish", 10), DP_ERR_DATA, "ingest-12", "gzip");
}

static void nothing_is_added_twice(void **state)
{
    (void)state;
    IngestResult r;
    const char *first = put_text("f1.csv", "a,the b\n1,x\n"), *second = put_text("f2.csv", "a,the b\n2,y\n");
    assert_ok(ingest_one(&r, two, "twice", first));
    assert_int_equal(r.snapshot, 1);
    assert_true(r.bytes_out > 0);
    assert_ok(ingest_one(&r, two, "twice", put_text("f1-again.csv", "a,the b\n1,x\n")));
    assert_true(r.known);
    assert_int_equal(r.snapshot, 1);
    assert_ok(ingest_one(&r, two, "twice", second));
    assert_false(r.known);
    assert_rows("twice", "1|x\n2|y\n");
    assert_rows("twice@1", "1|x\n");
}

static void configs_that_cannot_be(void **state)
{
    (void)state;
    static const char *const yaml[][2] = {
        {"columns: {a: time}\n", "ingest-04"},
        {"from: {times: \"%H:%M\"}\ncolumns: {a: time}\n", "ingest-04"},
        {"from: {time_zone: Asia/Taipeh}\ncolumns: {a: number}\n", "ingest-02"},
        {"from: {encoding: utf-9}\ncolumns: {a: number}\n", "ingest-03"},
        {"from: {delimiter: ab}\ncolumns: {a: number}\n", "ingest-05"},
        {"from: {encoding: big5, delimiter: \"|\"}\ncolumns: {a: number}\n", "ingest-05"},
        {"from: {decimal: \";\"}\ncolumns: {a: number}\n", "ingest-05"},
        {"rows: {id: b}\ncolumns: {a: text}\n", "ingest-01"},
        {"rows: {id: a}\ncolumns: {a: number}\n", "ingest-01"},
        {"rows: {time: a}\ncolumns: {a: text}\n", "ingest-01"},
        {"columns: {a: {type: text, known_at: b}}\n", "ingest-01"},
        {"columns: {a: text}\ncategories: [a]\n", "ingest-07"},
        {"categories: [A]\n", "ingest-01"},
        {"rows: {id: a, deleted: op}\ncolumns: {a: text}\n", "ingest-06"},
        {"check: {max_bad: 1%}\n", "ingest-01"},
    };
    for (size_t i = 0; i < sizeof yaml / sizeof *yaml; i++) {
        Ready r;
        size_t n = 0;
        assert_int_equal(ready(&r, yaml[i][0]), DP_ERR_CONFIG);
        const CfgFault *faults = config_faults(r.config, &n);
        assert_true(n > 0);
        assert_string_equal(faults[0].id, yaml[i][1]);
        unready(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_that_are_none),
        cmocka_unit_test(headers),
        cmocka_unit_test(quotes_that_stay_open),
        cmocka_unit_test(a_line_of_a_gigabyte),
        cmocka_unit_test(rows_longer_than_allowed),
        cmocka_unit_test(more_bad_rows_than_allowed),
        cmocka_unit_test(broken_gzip),
        cmocka_unit_test(nothing_is_added_twice),
        cmocka_unit_test(configs_that_cannot_be),
    };
    if (begin() != 0)
        return 1;
    return end(cmocka_run_group_tests(tests, NULL, NULL));
}
