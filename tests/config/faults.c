/* RUN np=1 quick -- seeded faults: each is found, with its id, its line and its column, and no other. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "kinds.h"

typedef struct Expected {
    const char *id;
    int line, column;  /* 0: the command line */
    const char *words; /* in the message; NULL */
} Expected;

typedef struct Case {
    const char *what, *text, *override;
    Expected expected[6];
} Case;

/* A good file of 6 lines to which a fault is added. */
#define HEAD  "kind: model\nname: risk\ndata:\n  table: t\nmodel:\n  family: trees\n"
#define MODEL HEAD "  " /* line 7, column 3 */

static const Case cases[] = {
    /* typing errors in keys */
    {"typo", MODEL "lerning_rate: 1\n", NULL, {{"config-03", 7, 3, "'lerning_rate' (did you mean 'learning_rate'?)"}}},
    {"typo of a group", HEAD "modle:\n  x: 1\n", NULL, {{"config-03", 7, 1, "did you mean 'model'"}}},
    {"typo in a flow map", MODEL "sample: {row: 1}\n", NULL, {{"config-03", 7, 12, "did you mean 'rows'"}}},
    {"far from any", MODEL "colour: red\n", NULL, {{"config-03", 7, 3, "known here: family, trees, depth"}}},
    {"at another place", HEAD "depth: 3\n", NULL, {{"config-03", 7, 1, "it stands below 'model'"}}},
    {"dotted in a file", HEAD "model.depth: 3\n", NULL, {{"config-03", 7, 1, "a dot is a level"}}},
    {"capitals", MODEL "Depth: 3\n", NULL, {{"config-03", 7, 3, "did you mean 'depth'"}}},
    {"of another family", MODEL "width: 64\n", NULL, {{"config-15", 7, 3, "model.family = text"}}},
    {"in a map's entry", HEAD "fields:\n  a: {type: code, digit: 6}\n", NULL, {{"config-03", 8, 19, "'digits'"}}},
    {"merge key", MODEL "<<: {depth: 1}\n", NULL, {{"config-03", 7, 3, NULL}}},
    {"override", HEAD, "model.dpth=3", {{"config-03", 0, 0, "'model.dpth' (did you mean 'depth'?)"}}},
    {"override below a default", HEAD, "model.depth.x=3", {{"config-14", 0, 0, "'model.depth' wants"}}},
    {"override below a value", MODEL "depth: 3\n", "model.depth.x=3", {{"config-14", 0, 0, "'model.depth' wants"}}},
    {"override of nothing", HEAD, "zzz=3", {{"config-03", 0, 0, NULL}}},
    /* kinds */
    {"no kind", "name: x\n", NULL, {{"config-02", 1, 1, "missing key 'kind'"}}},
    {"empty file", "", NULL, {{"config-02", 1, 1, NULL}}},
    {"only a comment", "# nothing\n", NULL, {{"config-02", 1, 1, NULL}}},
    {"unknown kind", "kind: modell\n", NULL, {{"config-02", 1, 7, "did you mean 'model'"}}},
    {"far kind", "name: x\nkind: pipeline\n", NULL, {{"config-02", 2, 7, "model, table"}}},
    {"kind is a list", "kind: [model]\n", NULL, {{"config-02", 1, 7, NULL}}},
    {"kind overridden", HEAD, "kind=table", {{"config-16", 0, 0, NULL}}},
    /* duplicates */
    {"duplicate", MODEL "depth: 3\n  depth: 4\n", NULL, {{"config-04", 8, 3, "first on line 7"}}},
    {"duplicate group", HEAD "data:\n  table: u\n", NULL, {{"config-04", 7, 1, "'data' (first on line 3)"}}},
    {"duplicate in flow", MODEL "sample: {rows: 1, rows: 1}\n", NULL, {{"config-04", 7, 21, NULL}}},
    {"duplicate entry", HEAD "fields:\n  a: code\n  a: code\n", NULL, {{"config-04", 9, 3, NULL}}},
    /* missing */
    {"missing name",
     "kind: model\ndata: {table: t}\nmodel: {family: text}\n",
     NULL,
     {{"config-05", 1, 1, "'name': what the model is called"}}},
    {"missing in a group",
     "kind: model\nname: x\ndata:\n  label: l\nmodel: {family: text}\n",
     NULL,
     {{"config-05", 3, 1, "'data.table'"}}},
    {"missing group", "kind: model\nname: x\nmodel: {family: text}\n", NULL, {{"config-05", 1, 1, "'data.table'"}}},
    {"missing family",
     "kind: model\nname: x\ndata: {table: t}\nmodel:\n  depth: 3\n",
     NULL,
     {{"config-05", 4, 1, "'model.family'"}}},
    {"missing in an entry", HEAD "fields:\n  a: {digits: 3}\n", NULL, {{"config-05", 8, 6, "'fields.a.type'"}}},
    {"no value", MODEL "depth:\n", NULL, {{"config-17", 7, 9, "has no value"}}},
    {"no value in a list",
     "kind: model\nname: x\ndata: {table: t, columns: [a, , b]}\nmodel: {family: text}\n",
     NULL,
     {{"config-01", 3, 31, NULL}}},
    {"empty item",
     "kind: model\nname: x\ndata:\n  table: t\n  columns:\n  - a\n  -\nmodel: {family: text}\n",
     NULL,
     {{"config-17", 7, 4, NULL}}},
    /* types */
    {"word for a number", MODEL "depth: six\n", NULL, {{"config-06", 7, 10, "a whole number"}}},
    {"fraction for a number", MODEL "depth: 6.5\n", NULL, {{"config-06", 7, 10, NULL}}},
    {"decimal comma", MODEL "learning_rate: 0,1\n", NULL, {{"config-06", 7, 18, NULL}}},
    {"nan", MODEL "learning_rate: nan\n", NULL, {{"config-06", 7, 18, NULL}}},
    {"hexadecimal", MODEL "learning_rate: 0x10\n", NULL, {{"config-06", 7, 18, NULL}}},
    {"size without unit", HEAD "job: {memory: 8 gigs}\n", NULL, {{"config-06", 7, 15, "like 512MiB"}}},
    {"time without unit", HEAD "job: {time: 90}\n", NULL, {{"config-06", 7, 13, NULL}}},
    {"half a range", MODEL "leaf: 0 .\n", NULL, {{"config-06", 7, 9, "like 0 .. 500"}}},
    {"a part of nothing", HEAD "split: {train: 30 moons}\n", NULL, {{"config-06", 7, 16, NULL}}},
    {"no such day", HEAD "split: {train: 2026-02-30}\n", NULL, {{"config-06", 7, 16, NULL}}},
    {"no such time",
     "kind: model\nname: x\ndata: {table: t, as_of: tomorrow}\nmodel: {family: text}\n",
     NULL,
     {{"config-06", 3, 25, NULL}}},
    {"override of a wrong type", HEAD, "model.depth=deep", {{"config-06", 0, 0, "'model.depth' wants"}}},
    {"name with a slash",
     "kind: model\nname: ../x\ndata: {table: t}\nmodel: {family: text}\n",
     NULL,
     {{"config-09", 2, 7, NULL}}},
    {"entry with a slash", HEAD "fields:\n  a/b: code\n", NULL, {{"config-09", 8, 3, NULL}}},
    /* ranges */
    {"too deep a tree", MODEL "depth: 60\n", NULL, {{"config-07", 7, 10, "outside 1 .. 16 levels"}}},
    {"below nothing", MODEL "trees: 0\n", NULL, {{"config-07", 7, 10, "1 or more"}}},
    {"past 64 bits", MODEL "trees: 2^64\n", NULL, {{"config-07", 7, 10, NULL}}},
    {"past doubles", MODEL "learning_rate: 1e999\n", NULL, {{"config-07", 7, 18, NULL}}},
    {"share above one",
     MODEL "sample: {rows: 80}\n",
     NULL,
     {{"config-07", 7, 18, "outside 0% .. 100%; as a percentage it needs the sign, like 80%"}}},
    {"range backwards", MODEL "leaf: 5 .. 1\n", NULL, {{"config-07", 7, 9, NULL}}},
    {"dates backwards", HEAD "split: {train: 2026-10-31 .. 2026-09-01}\n", NULL, {{"config-07", 7, 16, NULL}}},
    {"too short a time", HEAD "job: {time: 10s}\n", NULL, {{"config-07", 7, 13, "outside 60s .. 168h"}}},
    {"too small", HEAD "job: {memory: 1000}\n", NULL, {{"config-07", 7, 15, "outside 1MiB or more"}}},
    {"negative size", HEAD "job: {memory: -1GiB}\n", NULL, {{"config-07", 7, 15, NULL}}},
    {"too many items",
     "kind: model\nname: x\ndata: {table: t, columns: [a,b,c,d,e,f,g,h,i]}\nmodel: {family: text}\n",
     NULL,
     {{"config-07", 3, 27, "9 items, outside 1 .. 8"}}},
    {"too few items",
     "kind: model\nname: x\ndata: {table: t, columns: []}\nmodel: {family: text}\n",
     NULL,
     {{"config-07", 3, 27, "0 items"}}},
    /* choices */
    {"typo of a choice", MODEL "growth: symetric\n", NULL, {{"config-08", 7, 11, "did you mean 'symmetric'"}}},
    {"unknown choice", MODEL "growth: wild\n", NULL, {{"config-08", 7, 11, "symmetric | depth | leaf"}}},
    {"unknown family",
     "kind: model\nname: x\ndata: {table: t}\nmodel:\n  family: forest\n  depth: 3\n",
     NULL,
     {{"config-08", 5, 11, "only trees | text"}}},
    {"unknown item", HEAD "job: {compress: [zstd, lzma]}\n", NULL, {{"config-08", 7, 24, NULL}}},
    {"shorthand of nothing", HEAD "fields: {a: coded}\n", NULL, {{"config-08", 7, 13, "did you mean 'code'"}}},
    /* shapes */
    {"list for a value", MODEL "depth: [3]\n", NULL, {{"config-14", 7, 10, "not a list"}}},
    {"map for a value", MODEL "depth: {a: 3}\n", NULL, {{"config-14", 7, 10, "not a map"}}},
    {"value for a list",
     "kind: model\nname: x\ndata: {table: t, columns: a}\nmodel: {family: text}\n",
     NULL,
     {{"config-14", 3, 27, NULL}}},
    {"value for a group", HEAD "job: fast\n", NULL, {{"config-14", 7, 6, "'job' wants keys below it"}}},
    {"list for a group", HEAD "job:\n- 1\n", NULL, {{"config-14", 8, 1, NULL}}},
    {"list in a list",
     "kind: model\nname: x\ndata: {table: t, columns: [[a]]}\nmodel: {family: text}\n",
     NULL,
     {{"config-14", 3, 28, NULL}}},
    {"list for an entry", HEAD "fields: {a: [code]}\n", NULL, {{"config-14", 7, 13, NULL}}},
    {"value for a map", HEAD "fields: all\n", NULL, {{"config-14", 7, 9, NULL}}},
    {"the file is a list", "- kind: model\n", NULL, {{"config-14", 1, 1, NULL}}},
    {"a key is a list", HEAD "? [a, b]\n: 1\n", NULL, {{"config-14", 7, 3, NULL}}},
    {"override below a list",
     "kind: model\nname: x\ndata: {table: t, columns: [a]}\nmodel: {family: text}\n",
     "data.columns.0=b",
     {{"config-16", 0, 0, "give the whole list"}}},
    {"override without =", HEAD, "model.depth", {{"config-16", 0, 0, "not key=value"}}},
    {"override without a key", HEAD, "model..depth=3", {{"config-16", 0, 0, NULL}}},
    {"override with an open bracket", HEAD, "model.sample={rows: 1", {{"config-01", 0, 0, NULL}}},
    {"override of no text", HEAD, "about=a\xe9z", {{"config-13", 0, 0, NULL}}},
    {"override with an escape code", HEAD, "about=\x1b[2J", {{"config-13", 0, 0, NULL}}},
    /* syntax; what stands before is still checked */
    {"tab", HEAD "\tdepth: 3\n", NULL, {{"config-10", 7, 1, "indent with spaces"}}},
    {"tab behind spaces", HEAD "  \tdepth: 3\n", NULL, {{"config-10", 7, 3, NULL}}},
    {"tab under a value", MODEL "depth: 3\n\ttrees: 5\n", NULL, {{"config-10", 8, 1, NULL}}},
    {"open quote", MODEL "growth: \"leaf\n  depth: 3\n", NULL, {{"config-01", 7, 11, "quote"}}},
    {"open bracket", MODEL "sample: {rows: 1\n", NULL, {{"config-01", 7, 11, "bracket"}}},
    {"two colons", MODEL "depth: 3: 4\n", NULL, {{"config-01", 7, 11, NULL}}},
    {"no colon", MODEL "depth 3\n  trees: 4\n", NULL, {{"config-01", 7, 3, NULL}}},
    {"indent astray", MODEL "depth: 3\n   trees: 4\n", NULL, {{"config-01", 8, 9, NULL}}},
    {"typo before an open quote",
     "kind: model\nnam: x\nabout: \"\n",
     NULL,
     {{"config-03", 2, 1, "did you mean 'name'"}, {"config-01", 3, 8, NULL}}},
    /* what no config needs */
    {"alias",
     MODEL "trees: &n 5\n  depth: *n\n",
     NULL,
     {{"config-11", 7, 10, "anchors"}, {"config-11", 8, 10, "aliases"}}},
    {"tag", MODEL "depth: !!int 3\n", NULL, {{"config-11", 7, 10, "tags"}}},
    {"anchor at a map", MODEL "sample: &s {rows: 1}\n", NULL, {{"config-11", 7, 11, NULL}}},
    {"second document", HEAD "---\nkind: table\n", NULL, {{"config-11", 7, 1, "second document"}}},
    {"%TAG", "%TAG !e! tag:x,2000:\n---\nkind: table\nname: x\n", NULL, {{"config-11", 1, 1, NULL}}},
    /* bytes */
    {"bad UTF-8",
     MODEL "growth: l\xe9"
           "af\n",
     NULL,
     {{"config-13", 7, 12, "0xE9"}}},
    {"cut UTF-8", HEAD "about: \xe6\xb5", NULL, {{"config-13", 7, 8, NULL}}},
    {"columns count characters", HEAD "about: \xe6\xb5\xb7\xe5\x85\xb3 \x01\n", NULL, {{"config-13", 7, 11, "U+0001"}}},
    {"escaped zero", HEAD "about: \"a\\0b\"\n", NULL, {{"config-13", 7, 8, NULL}}},
    {"CRLF keeps its lines",
     "kind: model\r\nname: x\r\ndata: {table: t}\r\nmodel: {family: text, widht: 3}\r\n",
     NULL,
     {{"config-03", 4, 23, "'width'"}}},
    {"BOM is no column", "\xef\xbb\xbfkid: model\n", NULL, {{"config-02", 1, 1, NULL}}},
    {"UTF-16", "\xff\xfek\0i\0", NULL, {{"config-13", 1, 1, "UTF-16"}}},
    /* several at once, in the order of the file */
    {"all in one pass",
     "kind: model\nname: Risk!\ndata: {table: t, labell: x}\nmodel:\n  family: trees\n  depth: 99\n  growth: tall\n",
     "model.trees=none",
     {{"config-09", 2, 7, NULL},
      {"config-03", 3, 18, "'label'"},
      {"config-07", 6, 10, NULL},
      {"config-08", 7, 11, NULL},
      {"config-06", 0, 0, "'model.trees'"}}},
};

/* Says what differs; the number of differences. */
static int check(const Case *c, Config *config)
{
    size_t n, i = 0;
    int wrong = 0;
    const CfgFault *faults = config_faults(config, &n);
    for (; i < 6 && c->expected[i].id; i++) {
        const Expected *e = &c->expected[i];
        if (i >= n) {
            print_error("%s: %s at %d:%d was not found\n", c->what, e->id, e->line, e->column);
            wrong++;
            continue;
        }
        const CfgFault *f = &faults[i];
        if (strcmp(f->id, e->id) == 0 && f->mark.line == e->line && f->mark.column == e->column &&
            (!e->words || strstr(f->text, e->words)) &&
            strcmp(f->mark.file, e->line ? "configs/risk.yaml" : "command line") == 0)
            continue;
        print_error("%s: %s:%d:%d: %s [%s], not %s at %d:%d with \"%s\"\n", c->what, f->mark.file, f->mark.line,
                    f->mark.column, f->text, f->id, e->id, e->line, e->column, e->words ? e->words : "");
        wrong++;
    }
    for (; i < n; i++, wrong++)
        print_error("%s: one more: %s:%d:%d: %s [%s]\n", c->what, faults[i].mark.file, faults[i].mark.line,
                    faults[i].mark.column, faults[i].text, faults[i].id);
    return wrong;
}

static void each_is_found_at_its_place(void **state)
{
    int wrong = 0;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const Case *c = &cases[i];
        Config *config = NULL;
        size_t size = strcmp(c->what, "UTF-16") == 0 ? 6 : strlen(c->text);
        assert_ok(
            config_parse(&config, "configs/risk.yaml", c->text, size, &c->override, c->override != NULL, kinds, 2));
        wrong += check(c, config);
        assert_fails(config_must_be_good(config), DP_ERR_CONFIG, c->expected[0].id);
        config_free(&config);
    }
    assert_int_equal(wrong, 0);
    assert_true(sizeof cases / sizeof *cases >= 60);
}

/* A section without faults can be read beside one that has some; a faulty one cannot. */
static void good_sections_bind(void **state)
{
    (void)state;
    static const char text[] = "kind: model\nname: risk\nmodel:\n  family: trees\n  depth: 99\n";
    Config *config = NULL;
    Top top;
    Trees trees;
    assert_ok(config_parse(&config, "x.yaml", text, sizeof text - 1, NULL, 0, kinds, 2));
    assert_fails(config_bind(config, &sections[SECTION_TREES], &trees), DP_ERR_CONFIG, "config-05");
    assert_ok(config_bind(config, &sections[SECTION_TOP], &top));
    assert_string_equal(top.name, "risk");
    config_free(&config);
}

static void every_id_is_explained(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int j = 0; j < 6 && cases[i].expected[j].id; j++) {
            const dp_help_row *row = config_help;
            while (row->id && strcmp(row->id, cases[i].expected[j].id) != 0)
                row++;
            assert_non_null(row->id);
        }
}

static void a_reader_adds_its_own(void **state)
{
    (void)state;
    static const char text[] = HEAD "job: {ranks: 2}\n";
    Config *config = NULL;
    size_t n;
    assert_ok(config_parse(&config, "x.yaml", text, sizeof text - 1, NULL, 0, kinds, 2));
    assert_ok(config_must_be_good(config));
    assert_ok(config_add_fault(config, "job.ranks", "test-02", "too many"));
    assert_ok(config_add_fault(config, "data.table", "test-01", "no table '%s'", "t"));
    const CfgFault *faults = config_faults(config, &n);
    assert_int_equal(n, 2);
    assert_string_equal(faults[0].text, "no table 't'");
    assert_int_equal(faults[0].mark.line, 4);
    assert_int_equal(faults[0].mark.column, 10);
    assert_int_equal(faults[1].mark.column, 14);
    assert_fails(config_must_be_good(config), DP_ERR_CONFIG, "test-01");
    assert_string_equal(dp_error_last()->text, "x.yaml:4:10: no table 't'; 2 faults in all");
    config_free(&config);
}

static void a_file_that_cannot_be_read(void **state)
{
    (void)state;
    Config *config = NULL;
    char folder[] = "/tmp/dipper-faults-XXXXXX", pipe[64];
    assert_non_null(mkdtemp(folder));
    snprintf(pipe, sizeof pipe, "%s/pipe", folder);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_fails(config_read(&config, pipe, NULL, 0, kinds, 2), DP_ERR_NO_INPUT, "base-10");
    assert_int_equal(unlink(pipe) + rmdir(folder), 0);
    assert_fails(config_read(&config, "/nowhere/risk.yaml", NULL, 0, kinds, 2), DP_ERR_NO_INPUT, "base-05");
    assert_fails(config_read(&config, "/tmp", NULL, 0, kinds, 2), DP_ERR_NO_INPUT, "base-10");
    assert_fails(config_read(&config, "/dev/zero", NULL, 0, kinds, 2), DP_ERR_NO_INPUT, "base-10");
    assert_null(config);
}

/* ---- files made to hurt ---- */

static void repeat(dp_buf *buf, const char *text, int n)
{
    for (int i = 0; i < n; i++)
        assert_ok(dp_buf_text(buf, text));
}

/* Time and memory stay small, and the fault is named. */
static void hostile(const dp_buf *text, const char *id)
{
    Config *config = NULL;
    size_t n, found = 0;
    clock_t start = clock(); /* processor time: a loaded machine is no fault */
    int64_t before = dp_memory_peak();
    assert_ok(config_parse(&config, "bomb.yaml", text->data, text->size, NULL, 0, kinds, 2));
    double took = (double)(clock() - start) / CLOCKS_PER_SEC;
    const CfgFault *faults = config_faults(config, &n);
    for (size_t i = 0; i < n; i++)
        found += strcmp(faults[i].id, id) == 0;
    assert_true(found > 0);
    assert_true(n <= 200);
    if (!CHECK_SANITIZED && (took > 0.5 || dp_memory_peak() - before > INT64_C(32) << 20))
        fail_msg("%s: %.3f s, %lld more bytes", id, took, (long long)(dp_memory_peak() - before));
    config_free(&config);
}

static void bombs_are_small(void **state)
{
    (void)state;
    dp_buf b = {0};
    assert_ok(dp_buf_text(&b, "kind: model\na0: &a0 [x, x, x, x, x, x, x, x, x]\n"));
    for (int i = 1; i < 30; i++)
        assert_ok(dp_buf_print(&b, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i, i - 1,
                               i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1));
    hostile(&b, "config-11");
    dp_buf_free(&b);
    repeat(&b, "[", 100000);
    hostile(&b, "config-12");
    dp_buf_free(&b);
    repeat(&b, "{a: ", 100000);
    hostile(&b, "config-12");
    dp_buf_free(&b);
    repeat(&b, "- ", 100000);
    hostile(&b, "config-12");
    dp_buf_free(&b);
    repeat(&b, "? ", 100000);
    hostile(&b, "config-12");
    dp_buf_free(&b);
    assert_ok(dp_buf_text(&b, "kind: model\nabout: "));
    repeat(&b, "aaaaaaaaaaaaaaaa", 65000);
    hostile(&b, "config-12");
    repeat(&b, "aaaaaaaaaaaaaaaa", 65000);
    hostile(&b, "config-12");
    dp_buf_free(&b);
    assert_ok(dp_buf_text(&b, "kind: model\n"));
    for (int i = 0; i < 60000; i++)
        assert_ok(dp_buf_print(&b, "key-number-%d: 1\n", i));
    hostile(&b, "config-12");
    dp_buf_free(&b);
    assert_ok(dp_buf_text(&b, "kind: model\nfields:\n"));
    for (int i = 0; i < 4000; i++)
        assert_ok(dp_buf_print(&b, "  f%d: cod\n", i));
    hostile(&b, "config-08");
    dp_buf_free(&b);
    assert_ok(dp_buf_text(&b, "kind: model\n"));
    repeat(&b, "#\n", 500000);
    assert_ok(dp_buf_text(&b, "x: \"\n"));
    hostile(&b, "config-01");
    dp_buf_free(&b);
}

/* `dipper check` promises 100 ms; a usual file takes far less. The bound leaves room for a loaded machine. */
static void a_usual_file_is_quick(void **state)
{
    (void)state;
    double best = 1;
    for (int i = 0; i < 5; i++) {
        Config *config = NULL;
        const char *text = cases[0].text;
        clock_t start = clock();
        assert_ok(config_parse(&config, "x.yaml", text, strlen(text), NULL, 0, kinds, 2));
        double took = (double)(clock() - start) / CLOCKS_PER_SEC;
        best = took < best ? took : best;
        config_free(&config);
    }
    assert_true(best < 0.02);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_found_at_its_place), cmocka_unit_test(good_sections_bind),
        cmocka_unit_test(every_id_is_explained),      cmocka_unit_test(a_file_that_cannot_be_read),
        cmocka_unit_test(a_reader_adds_its_own),      cmocka_unit_test(bombs_are_small),
        cmocka_unit_test(a_usual_file_is_quick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
