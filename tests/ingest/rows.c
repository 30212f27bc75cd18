/* RUN np=1,3 quick -- what delimited text and JSON lines become, row by row, also the nasty ones. */
#include "ingest_test.h"

static const char small[] = "columns:\n"
                            "  n: {type: number, range: 0 .. 1000}\n"
                            "  c: {type: code, digits: 3, from: CODE}\n"
                            "  t: {type: text}\n"
                            "  y: label\n"
                            "  w: {type: time, format: \"%Y-%m-%d\"}\n"
                            "categories: [k]\n"
                            "check: {max_bad: 100%}\n";

static void quotes_newlines_crlf_bom(void **state)
{
    (void)state;
    IngestResult r;
    const char *f = put_text("a.csv", "\xEF\xBB\xBF\"k\",n,CODE,\"t\",y,w,extra\r\n"
                                      "a,1.5,012,\"he said \"\"no\"\", twice\",1,2024-02-29,x\r\n"
                                      "\r\n"
                                      "\"b\",\"-0\",\"000\",\"two\nlines\",0,,\r\n"
                                      ",,,,,,\n"
                                      "\"\",1e2,999,5\" x 3\",,1969-12-31,\"last\"");
    assert_ok(ingest_one(&r, small, "quotes", f));
    assert_int_equal(r.rows, 4);
    assert_int_equal(r.bad, 0);
    assert_rows("quotes", "1.5|012|he said \"no\", twice|1|2024-02-29|a\n"
                          "-0|000|two\nlines|0||b\n"
                          "|||||\n"
                          "100|999|5\" x 3\"||1969-12-31|\n");
}

static void bad_rows_are_put_aside_with_reasons(void **state)
{
    (void)state;
    IngestResult r;
    static const char text[] = "k,n,CODE,t,y,w\n"
                               "a,1,001,good,1,2024-01-01\n"
                               "a,x1,001,number,1,2024-01-01\n"
                               "a,1001,001,range,1,2024-01-01\n"
                               "a,1e999,001,overflow,1,2024-01-01\n"
                               "a,1,01,digits,1,2024-01-01\n"
                               "a,1,0a1,digits,1,2024-01-01\n"
                               "a,1,001,label,yes,2024-01-01\n"
                               "a,1,001,time,1,2023-02-29\n"
                               "a,1,001,few,1\n"
                               "a,1,001,many,1,2024-01-01,9\n"
                               "a,1,001,\"quote\"d,1,2024-01-01\n"
                               "a,1,001,utf\xC3,1,2024-01-01\n"
                               "a,1,001,nul\0,1,2024-01-01\r\n"
                               "b,2,002,\"two\nlines\",0,2024-01-02\n"
                               "c,-1,002,\"bad \"\"two\"\"\nlines\",0,2024-01-02\n"
                               "d,3,003,good,0,2024-01-03\n";
    const char *f = put("bad.csv", text, sizeof text - 1);
    assert_ok(ingest_one(&r, small, "bad", f));
    assert_int_equal(r.rows, 3);
    assert_int_equal(r.bad, 13);
    assert_rows("bad", "1|001|good|1|2024-01-01|a\n2|002|two\nlines|0|2024-01-02|b\n3|003|good|0|2024-01-03|d\n");
    char lake[96];
    snprintf(lake, sizeof lake, "%s/lake", folder);
    LakeTable *t = NULL;
    BadText bad = {0};
    assert_ok(lake_open(&t, lake, "bad", comm));
    assert_ok(lake_quarantine(t, add_bad, &bad));
    static const char expected[] = "3 number n a,x1,001,number,1,2024-01-01\n"
                                   "4 range n a,1001,001,range,1,2024-01-01\n"
                                   "5 overflow n a,1e999,001,overflow,1,2024-01-01\n"
                                   "6 digits c a,1,01,digits,1,2024-01-01\n"
                                   "7 digits c a,1,0a1,digits,1,2024-01-01\n"
                                   "8 label y a,1,001,label,yes,2024-01-01\n"
                                   "9 time w a,1,001,time,1,2023-02-29\n"
                                   "10 fields - a,1,001,few,1\n"
                                   "11 fields - a,1,001,many,1,2024-01-01,9\n"
                                   "12 quote - a,1,001,\"quote\"d,1,2024-01-01\n"
                                   "13 encoding - a,1,001,utf\xC3,1,2024-01-01\n"
                                   "14 nul - a,1,001,nul\0,1,2024-01-01\n"
                                   "17 range n c,-1,002,\"bad \"\"two\"\"\nlines\",0,2024-01-02\n";
    assert_int_equal(bad.text.size, sizeof expected - 1);
    assert_memory_equal(bad.text.data, expected, sizeof expected - 1);
    dp_buf_free(&bad.text);
    lake_close(&t);
}

static void other_marks(void **state)
{
    (void)state;
    IngestResult r;
    const char *f =
        put_text("marks.csv", "t;n;m\nx;1.234.567,5;NULL\n'y';-12,25;-1\nz;  7 ; 1,0 \nw;12.34,0;1\nv;.5;1\n");
    assert_ok(ingest_one(&r,
                         "from: {delimiter: \";\", decimal: \",\", grouping: \".\", missing: [\"NULL\", \"-1\"]}\n"
                         "columns:\n  t: text\n  n: number\n  m: {type: number, bits: 32}\n"
                         "check: {max_bad: 100%}\n",
                         "marks", f));
    assert_rows("marks", "x|1234567.5|\n'y'|-12.25|\nz|7|1\n");
    assert_bad("marks", "5 number n w;12.34,0;1\n6 number n v;.5;1\n");
    f = put_text("tabs.tsv", "t\tn\n5\" pipe, \"odd\t1\nplain\t2\n");
    assert_ok(ingest_one(&r, "from: {delimiter: tab, quotes: none}\ncolumns: {t: text, n: number}\n", "tabs", f));
    assert_rows("tabs", "5\" pipe, \"odd|1\nplain|2\n");
}

static void missing_spellings_of_every_type(void **state)
{
    (void)state;
    IngestResult r;
    const char *f =
        put_text("gaps.csv", "a,b,c,d,e,f\n-99,-99,-99,-99,-99,not available\n1,2024-01-01,x,y,1,0\n,,,,,\n");
    assert_ok(ingest_one(&r,
                         "from: {missing: [\"\", \"-99\", \"not available\"], times: \"%Y-%m-%d\"}\n"
                         "columns: {a: number, b: time, c: category, d: text, e: label, f: code}\n",
                         "gaps", f));
    assert_rows("gaps", "|||||\n1|2024-01-01|x|y|1|0\n|||||\n");
}

static const char versions[] = "from: {times: [\"%Y-%m-%d %H:%M:%S\", \"%Y-%m-%d\"], time_zone: Asia/Taipei}\n"
                               "rows: {id: id, time: at, recorded: changed, deleted: op = D}\n"
                               "columns:\n  id: {type: text, from: NO}\n  at: time\n  changed: time\n  v: number\n"
                               "check: {max_bad: 100%}\n";

static void ids_times_and_delete_marks(void **state)
{
    (void)state;
    IngestResult r;
    const char *f = put_text("v.csv", "NO,at,changed,v,op\n"
                                      "A,2024-01-01 08:00:00,2024-01-01 08:00:00,1,I\n"
                                      "B,2024-01-01,2024-01-01,2,I\n"
                                      "A,2024-01-01 08:00:00,2024-01-02 08:00:00,3,U\n"
                                      "B,,2024-01-03 00:00:00,,D\n"
                                      ",2024-01-01,2024-01-01,4,I\n"
                                      "C,2024-01-01,,5,I\n"
                                      "C,,2024-01-01,5,I\n");
    assert_ok(ingest_one(&r, versions, "versions", f));
    assert_rows("versions", "A|2024-01-01|2024-01-01|1\nB|2023-12-31T16:00:00Z|2023-12-31T16:00:00Z|2\n"
                            "A|2024-01-01|2024-01-02|3\nB||2024-01-02T16:00:00Z|\n");
    assert_bad("versions",
               "6 id id ,2024-01-01,2024-01-01,4,I\n7 time changed C,2024-01-01,,5,I\n8 time at C,,2024-01-01,5,I\n");
    /* The latest version counts, and what is deleted is gone. */
    char lake[96];
    LakeTable *t = NULL;
    LakeScan *scan = NULL;
    const LakeBlock *block;
    const int column = 3;
    int64_t rows = 0;
    snprintf(lake, sizeof lake, "%s/lake", folder);
    assert_ok(lake_open(&t, lake, "versions", comm));
    LakeQuery query = {.columns = &column, .n_columns = 1, .as_of = DP_TIME_MISSING, .whole = true};
    assert_ok(lake_scan(&scan, t, &query, comm));
    do {
        assert_ok(lake_next(scan, &block));
        if (block && block->rows > 0)
            assert_true(block->column[0].number[0] == 3);
        rows += block ? block->rows : 0;
    } while (block);
    assert_int_equal(rows, 1);
    lake_scan_close(&scan);
    lake_close(&t);
}

static void json_lines(void **state)
{
    (void)state;
    IngestResult r;
    const char *f = put_text("a.jsonl", "{\"k\":\"a\",\"n\":1.5e1,\"CODE\":\"012\",\"t\":\"q\\\" \\u4e2d\\ud83d\\ude00 "
                                        "\\n\",\"y\":true,\"w\":\"2024-02-29\"}\r\n"
                                        "\n"
                                        "  { \"n\" : null , \"other\" : [1,{\"n\":2,\"x\":\"]\"}], \"k\":\"b\" }  \n"
                                        "{}\n"
                                        "{\"n\":1,}\n"
                                        "{\"n\":[1]}\n"
                                        "[1]\n"
                                        "{\"n\":5,\"n\":6}\n"
                                        "{\"n\":\"7\",\"y\":0}\n"
                                        "{\"n\":01x}\n"
                                        "{\"t\":\"cut\n"
                                        "{\"t\":\"\\ud800\"}\n"
                                        "{\"n\":-4}");
    char yaml[600];
    snprintf(yaml, sizeof yaml, "from: {format: jsonl}\n%s", small);
    assert_ok(ingest_one(&r, yaml, "json", f));
    assert_rows("json", "15|012|q\" \xE4\xB8\xAD\xF0\x9F\x98\x80 \n|1|2024-02-29|a\n|||||b\n|||||\n6|||||\n7|||0||\n");
    assert_bad("json", "5 json - {\"n\":1,}\n6 json - {\"n\":[1]}\n7 json - [1]\n10 json - {\"n\":01x}\n"
                       "11 json - {\"t\":\"cut\n12 json - {\"t\":\"\\ud800\"}\n13 range n {\"n\":-4}\n");
}

static void encodings(void **state)
{
    (void)state;
    IngestResult r;
    static const char yaml[] = "from: {encoding: %s}\ncolumns: {t: text, k: category}\ncheck: {max_bad: 100%%}\n";
    char text[200];
    /* 中文 in Big5 is A4A4 A4E5; 許 is B35C: its second byte is a backslash; A4 22 is half a character. */
    const char *f = put_text(
        "big5.csv", "t,k\n\xA4\xA4\xA4\xE5,\xB3\x5C\n\"\xA4\xA4,\n\xA4\xE5\",x\n\xA4\xA4\xFF,y\n\xA4\xE5,\xB3\x5C");
    snprintf(text, sizeof text, yaml, "big5");
    assert_ok(ingest_one(&r, text, "big5", f));
    assert_rows("big5", "中文|許\n中,\n文|x\n文|許\n");
    assert_bad("big5", "5 encoding - \xA4\xA4\xFF,y\n");
    f = put_text("gb.csv", "t,k\n\xD6\xD0\xCE\xC4,\x81\x30\x81\x30\n");
    snprintf(text, sizeof text, yaml, "gb18030");
    assert_ok(ingest_one(&r, text, "gb", f));
    assert_rows("gb", "中文|\xC2\x80\n");
    static const char wide[] =
        "\xFF\xFEt\0,\0k\0\n\0\x2D\x4E\x87\x65,\0\x22\0\n\0\x22\0\r\0\n\0\x00\xD8,\0z\0\n\0q\0,\0z\0";
    f = put("utf16.csv", wide, sizeof wide - 1);
    snprintf(text, sizeof text, yaml, "utf-16");
    assert_ok(ingest_one(&r, text, "utf16", f));
    assert_rows("utf16", "中文|\n\nq|z\n");
    assert_int_equal(r.bad, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quotes_newlines_crlf_bom),
        cmocka_unit_test(bad_rows_are_put_aside_with_reasons),
        cmocka_unit_test(other_marks),
        cmocka_unit_test(missing_spellings_of_every_type),
        cmocka_unit_test(ids_times_and_delete_marks),
        cmocka_unit_test(json_lines),
        cmocka_unit_test(encodings),
    };
    if (begin() != 0)
        return 1;
    return end(cmocka_run_group_tests(tests, NULL, NULL));
}
