/* RUN np=1 quick -- values are read as their rows say, from files, overrides and defaults, in any locale. */
#include "check.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "kinds.h"

static Config *parse(const char *text, const char *const *overrides, size_t n)
{
    Config *config = NULL;
    assert_ok(config_parse(&config, "risk.yaml", text, strlen(text), overrides, n, kinds, 2));
    assert_ok(config_must_be_good(config));
    return config;
}

static const char whole[] = "# Risk\n"
                            "kind: model\n"
                            "name: risk\n"
                            "about: 'Chance: a fault'\n"
                            "labels: 7\n"
                            "data:\n"
                            "  table: declarations@418\n"
                            "  columns: [office, \"hs6\", origin]\n"
                            "  files: only.csv\n"
                            "  rules: ../rules.yaml\n"
                            "  as_of: 2026-11-18\n"
                            "split: {train: 30 months, valid: 2026-09-01 .. 2026-10-31, test: 12.5 %}\n"
                            "model:\n"
                            "  family: trees\n"
                            "  trees: 1_000_000\n"
                            "  learning_rate: 8e-2\n"
                            "  growth: leaf\n"
                            "  sample: {rows: 0.1%}\n"
                            "  leaf: -1.5..2.5\n"
                            "fields:\n"
                            "  zeta: code\n"
                            "  hs6: {type: code, digits: 6, from: \"HS CODE\"}\n"
                            "  value: {type: number, range: 0 .. 1e12, check: {low: 5%}}\n"
                            "job: {ranks: 2^4, memory: 1.5GiB, time: 1h 30m}\n";

static void every_type(void **state)
{
    (void)state;
    Config *config = parse(whole, NULL, 0);
    Top top;
    Input input;
    Split split;
    Family family;
    Trees trees;
    Fields fields;
    Job job;
    assert_string_equal(config_kind(config), "model");
    assert_ok(config_bind(config, &sections[SECTION_TOP], &top));
    assert_string_equal(top.about, "Chance: a fault");
    assert_null(top.owner);
    assert_int_equal(top.labels, 7);
    assert_ok(config_bind(config, &sections[SECTION_DATA], &input));
    assert_string_equal(input.table, "declarations@418");
    assert_int_equal(input.columns.n, 3);
    assert_string_equal(input.columns.items[1], "hs6");
    assert_int_equal(input.files.n, 1);
    assert_string_equal(input.files.items[0], "only.csv");
    assert_int_equal(input.rules[0], '/');
    assert_int_equal(input.as_of, dp_days_of_date(2026, 11, 18) * DP_DAY);
    assert_ok(config_bind(config, &sections[SECTION_SPLIT], &split));
    assert_int_equal(split.train.kind, CFG_PART_MONTHS);
    assert_int_equal(split.train.count, 30);
    assert_int_equal(split.valid.kind, CFG_PART_DATES);
    assert_int_equal(split.valid.to, dp_days_of_date(2026, 11, 1) * DP_DAY - 1);
    assert_true(split.test.share == 0.125);
    assert_ok(config_bind(config, &sections[SECTION_FAMILY], &family));
    assert_int_equal(family.family, FAMILY_TREES);
    assert_ok(config_bind(config, &sections[SECTION_TREES], &trees));
    assert_int_equal(trees.trees, 1000000);
    assert_int_equal(trees.depth, 6);
    assert_int_equal(trees.growth, 2);
    assert_true(trees.learning_rate == 0.08);
    assert_true(trees.rows == 0.001);
    assert_true(trees.columns == 1);
    assert_true(trees.leaf.set && trees.leaf.low == -1.5 && trees.leaf.high == 2.5);
    assert_ok(config_bind(config, &sections[SECTION_MAP], &fields));
    assert_int_equal(fields.map.n, 3);
    assert_string_equal(fields.map.entries[0].key, "zeta");
    const Field *hs6 = fields.map.entries[1].value, *value = fields.map.entries[2].value;
    assert_int_equal(hs6->type, 1);
    assert_int_equal(hs6->digits, 6);
    assert_string_equal(hs6->from, "HS CODE");
    assert_true(value->range.high == 1e12 && value->low == 0.05);
    assert_int_equal(value->digits, 0);
    assert_ok(config_bind(config, &sections[SECTION_JOB], &job));
    assert_int_equal(job.ranks, 16);
    assert_int_equal(job.memory, INT64_C(3) << 29);
    assert_true(job.time == 5400);
    assert_int_equal(job.compress.n, 1);
    assert_fails(config_bind(config, &sections[SECTION_TEXT], &family), DP_ERR_INTERNAL, "config-19");
    config_free(&config);
    config_free(&config);
}

static void overrides_win(void **state)
{
    (void)state;
    static const char *const overrides[] = {"model.depth=7",        "model.sample={rows: 80%}",
                                            "fields.zeta.digits=4", "fields.new=text",
                                            "data.columns=[a, b]",  "about=a: b, c",
                                            "job.time=2h",          "job.time=3h",
                                            "data.label==x",        "fields.hs6.type=text"};
    Config *config = parse(whole, overrides, sizeof overrides / sizeof *overrides);
    Trees trees;
    Fields fields;
    Input input;
    Top top;
    Job job;
    assert_ok(config_bind(config, &sections[SECTION_TREES], &trees));
    assert_int_equal(trees.depth, 7);
    assert_true(trees.rows == 0.8 && trees.columns == 1);
    assert_ok(config_bind(config, &sections[SECTION_MAP], &fields));
    const Field *zeta = fields.map.entries[0].value, *hs6 = fields.map.entries[1].value;
    assert_int_equal(zeta->type, 1);
    assert_int_equal(zeta->digits, 4);
    assert_int_equal(hs6->type, 2);
    assert_string_equal(hs6->from, "HS CODE");
    assert_int_equal(fields.map.n, 4);
    assert_ok(config_bind(config, &sections[SECTION_DATA], &input));
    assert_int_equal(input.columns.n, 2);
    assert_string_equal(input.label, "=x");
    assert_ok(config_bind(config, &sections[SECTION_TOP], &top));
    assert_string_equal(top.about, "a: b, c");
    assert_ok(config_bind(config, &sections[SECTION_JOB], &job));
    assert_true(job.time == 10800);
    assert_string_equal(config_mark(config, "model.depth").file, "command line");
    assert_string_equal(config_mark(config, "model.bins").file, "risk.yaml");
    CfgMark mark = config_mark(config, "model.growth");
    assert_int_equal(mark.line, 17);
    assert_int_equal(mark.column, 11);
    assert_string_equal(config_mark(config, "data.as_of").file, "risk.yaml");
    assert_string_equal(config_mark(config, "split").file, "risk.yaml");
    assert_true(config_was_given(config, "model.depth"));
    assert_false(config_was_given(config, "labels.x"));
    config_free(&config);
}

/* A config that was printed reads as the same values, and its digest does not know how or in which order it was
 * written. */
static void printed_and_read_again(void **state)
{
    (void)state;
    static const char *const odd[] = {"about=tab\there \"quoted\" back\\slash # no comment \xe6\xb5\xb7\xe5\x85\xb3",
                                      "data.label=",
                                      "data.columns=['', '- x', 'a: b']",
                                      "model.learning_rate=0.30000000000000004",
                                      "job.time=90.25s",
                                      "model.leaf=1e-300 .."};
    Config *config = NULL, *again = NULL;
    dp_digest one, two;
    dp_buf text = {0}, twice = {0};
    assert_ok(config_parse(&config, "risk.yaml\nlabels: 9\n\xff", whole, sizeof whole - 1, odd,
                           sizeof odd / sizeof *odd, kinds, 2));
    assert_ok(config_print(config, &text));
    assert_ok(config_parse(&again, "elsewhere/config.yaml", text.data, text.size, NULL, 0, kinds, 2));
    if (config_must_be_good(again) != DP_OK)
        fail_msg("%s\n%s", dp_error_last()->text, text.data);
    assert_ok(config_digest(config, &one));
    assert_ok(config_digest(again, &two));
    assert_true(dp_digest_same(&one, &two));
    assert_non_null(strstr(text.data, "# command line"));
    assert_non_null(strstr(text.data, "# default"));
    assert_non_null(strstr(text.data, "# risk.yaml?labels: 9??:3"));
    Top top;
    assert_ok(config_bind(again, &sections[SECTION_TOP], &top));
    assert_string_equal(top.about, odd[0] + 6);
    Input input;
    assert_ok(config_bind(again, &sections[SECTION_DATA], &input));
    assert_string_equal(input.label, "");
    assert_string_equal(input.columns.items[2], "a: b");
    config_free(&again);
    config_free(&config);
    dp_buf_free(&text);
    dp_buf_free(&twice);
}

static void keys_for_people(void **state)
{
    (void)state;
    dp_buf out = {0};
    assert_ok(config_print_rows(&kinds[0], &out));
    assert_non_null(strstr(out.data, "\n  model.depth                  whole number, 1 .. 16 levels (6)\n"));
    assert_non_null(strstr(out.data, "\n  job.memory                   size, 1MiB or more (1GiB)\n"));
    assert_non_null(strstr(out.data, "\n  fields.NAME.check.low        share\n"));
    const char *job = strstr(out.data, "job.ranks"), *trees = strstr(out.data, "with model.family = trees");
    assert_true(job && trees && job < trees);
    dp_buf_free(&out);
}

/* One section for two families, another that hangs on a key of the first. */
static void sections_by_the_value_of_a_key(void **state)
{
    (void)state;
    typedef struct Any {
        int family, loss;
        int64_t a, b;
    } Any;
    static const CfgRow family[] = {{"family", CFG_CHOICE, CFG_AT(Any, family), .choices = "x | y | z", .def = "y"},
                                    {.key = NULL}};
    static const CfgRow loss[] = {{"loss", CFG_CHOICE, CFG_AT(Any, loss), .choices = "l1 | l2", .def = "l1"},
                                  {"a", CFG_INT, CFG_AT(Any, a), .def = "1"},
                                  {.key = NULL}};
    static const CfgRow more[] = {{"b", CFG_INT, CFG_AT(Any, b), .def = "2"}, {.key = NULL}};
    const CfgSection parts[] = {{"m", loss, "m.family = x | y"}, {"m", more, "m.loss=l2"}, {"m", family, NULL}};
    const CfgKind kind = {"k", "k", parts, 3};
    static const struct {
        const char *text;
        int line; /* of the fault; 0: none */
        const char *words;
    } tries[] = {
        {"kind: k\n", 0, NULL},
        {"kind: k\nm:\n  loss: l2\n  b: 3\n", 0, NULL},
        {"kind: k\nm:\n  b: 3\n", 3, "m.loss=l2"},
        {"kind: k\nm:\n  family: z\n  a: 3\n", 4, "m.family = x | y"},
        {"kind: k\nm:\n  family: z\n  b: 3\n", 4, "m.loss=l2"},
        {"kind: k\nm:\n  family: q\n  b: 3\n", 3, "'family' can not be 'q'"}, /* and nothing about b */
    };
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        Config *config = NULL;
        size_t n;
        assert_ok(config_parse(&config, "x", tries[i].text, strlen(tries[i].text), NULL, 0, &kind, 1));
        const CfgFault *faults = config_faults(config, &n);
        assert_int_equal(n, tries[i].line != 0);
        if (n == 1) {
            assert_int_equal(faults[0].mark.line, tries[i].line);
            assert_non_null(strstr(faults[0].text, tries[i].words));
        }
        config_free(&config);
    }
}

/* Rows that contradict themselves are a fault of the program, said at once and not blamed on the file. */
static void rows_at_fault(void **state)
{
    (void)state;
    static const CfgRow bad_default[] = {{"a", CFG_INT, 0, .min = 1, .max = 5, .def = "9"}, {.key = NULL}};
    static const CfgRow twice[] = {{"a", CFG_INT, 0, .def = "1"}, {"a", CFG_INT, 8, .def = "1"}, {.key = NULL}};
    static const CfgRow below[] = {{"a", CFG_INT, 0, .def = "1"}, {"a.b", CFG_INT, 8, .def = "1"}, {.key = NULL}};
    static const CfgRow good[] = {{"a", CFG_INT, 0, .def = "1"}, {.key = NULL}};
    const CfgSection parts[] = {
        {"", bad_default, NULL}, {"", twice, NULL}, {"", below, NULL}, {"", good, "x.y = z"}, {"", good, "x"}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const CfgKind kind = {"k", "k", &parts[i], 1};
        Config *config = NULL;
        assert_fails(config_parse(&config, "x", "kind: k\n", 8, NULL, 0, &kind, 1), DP_ERR_INTERNAL, "config-19");
        assert_null(config);
    }
}

static dp_digest digest_of(const char *text, const char *const *overrides, size_t n)
{
    Config *config = parse(text, overrides, n);
    dp_digest digest;
    assert_ok(config_digest(config, &digest));
    config_free(&config);
    return digest;
}

static void digest_is_of_values(void **state)
{
    (void)state;
    static const char *const more[] = {"job.ranks=9"}, *const other[] = {"model.depth=7"};
    dp_digest a = digest_of("kind: model\nname: x\ndata: {table: t}\nmodel: {family: trees, depth: 6}\n", NULL, 0);
    dp_digest b = digest_of("# c\nmodel:\n    depth: 6\n    sample: {rows: 1.0}\n    family: \"trees\"\n"
                            "data:\n  table: t\nname: x\nkind: model\n",
                            more, 1);
    dp_digest c = digest_of("kind: model\nname: x\ndata: {table: t}\nmodel: {family: trees, depth: 6}\n", other, 1);
    assert_true(dp_digest_same(&a, &b));
    assert_false(dp_digest_same(&a, &c));
}

/* A German locale is made for the test where the machine has none. */
static bool decimal_comma(void)
{
    char folder[] = "/tmp/dipper-locale-XXXXXX", command[128];
    if (setlocale(LC_ALL, "de_DE.UTF-8"))
        return true;
    if (!mkdtemp(folder))
        return false;
    setenv("LOCPATH", folder, 1);
    snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 >/dev/null 2>&1", folder);
    bool made = system(command) == 0 && setlocale(LC_ALL, "de_DE.UTF-8");
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) == 0 && made;
}

static void a_decimal_comma_changes_nothing(void **state)
{
    if (!decimal_comma())
        skip(); /* no localedef */
    assert_true(strtod("0,5", NULL) == 0.5);
    every_type(state);
    printed_and_read_again(state);
    digest_is_of_values(state);
    assert_true(strtod("0,5", NULL) == 0.5);
    setlocale(LC_ALL, "C");
}

static void one_path_has_one_spelling(void **state)
{
    (void)state;
    static const char *const line[] = {"data.rules=./a//b/./c.yaml"};
    char working[4096], expected[4200];
    assert_non_null(getcwd(working, sizeof working));
    const char text[] = "kind: model\nname: x\ndata: {table: t, rules: r.yaml}\nmodel: {family: text}\n";
    Config *config = NULL;
    Input input;
    assert_ok(config_parse(&config, "/etc/configs/x.yaml", text, sizeof text - 1, NULL, 0, kinds, 2));
    assert_ok(config_bind(config, &sections[SECTION_DATA], &input));
    assert_string_equal(input.rules, "/etc/configs/r.yaml");
    config_free(&config);
    assert_ok(config_parse(&config, "configs/x.yaml", text, sizeof text - 1, NULL, 0, kinds, 2));
    assert_ok(config_bind(config, &sections[SECTION_DATA], &input));
    snprintf(expected, sizeof expected, "%s/configs/r.yaml", working);
    assert_string_equal(input.rules, expected);
    config_free(&config);
    assert_ok(config_parse(&config, "configs/x.yaml", text, sizeof text - 1, line, 1, kinds, 2));
    assert_ok(config_bind(config, &sections[SECTION_DATA], &input));
    snprintf(expected, sizeof expected, "%s/a/b/c.yaml", working);
    assert_string_equal(input.rules, expected);
    config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type),
        cmocka_unit_test(overrides_win),
        cmocka_unit_test(printed_and_read_again),
        cmocka_unit_test(keys_for_people),
        cmocka_unit_test(sections_by_the_value_of_a_key),
        cmocka_unit_test(rows_at_fault),
        cmocka_unit_test(digest_is_of_values),
        cmocka_unit_test(a_decimal_comma_changes_nothing),
        cmocka_unit_test(one_path_has_one_spelling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
