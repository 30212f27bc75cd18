/* RUN np=1 quick -- the same text with more overrides; numbers and rows of keys; lists as the shorthand of a map. */
#include "check.h"

#include <string.h>

#include "config/config.h"

typedef struct Tried {
    CfgList values;
} Tried;
typedef struct Options {
    CfgMap space;
    int64_t depth;
    double rate, share;
    const char *word;
} Options;

static const CfgRow tried_rows[] = {{"values", CFG_WORDS, CFG_AT(Tried, values), .min = 1, .max = 3}, {.key = NULL}};
static const CfgRow rows[] = {
    {"space", CFG_MAP, CFG_AT(Options, space), .rows = tried_rows, .size = sizeof(Tried), .shorthand = "values",
     .def = "{}"},
    {"depth", CFG_INT, CFG_AT(Options, depth), .min = 1, .max = 16, .def = "6"},
    {"rate", CFG_REAL, CFG_AT(Options, rate), .def = "0.5"},
    {"sample.share", CFG_SHARE, CFG_AT(Options, share), .def = "80%"},
    {"word", CFG_TEXT, CFG_AT(Options, word), .def = ""},
    {.key = NULL},
};
static const CfgSection section = {"model", rows, NULL};
static const CfgKind kinds[] = {{"model", "a model", &section, 1}};
static const char text[] =
    "kind: model\nmodel:\n  depth: 4\n  space:\n    model.depth: 4 .. 6\n    model.word: [a, b]\n";

static Config *parse(const char *const *overrides, size_t n)
{
    Config *config = NULL;
    assert_ok(config_parse(&config, "m.yaml", text, strlen(text), overrides, n, kinds, 1));
    return config;
}

static void more_overrides_win(void **state)
{
    (void)state;
    char first[] = "model.rate=0.1", second[] = "model.word=x";
    const char *overrides[] = {first, second}, *more[] = {"model.depth=7", "model.rate=0.2"};
    Config *config = parse(overrides, 2), *varied = NULL;
    Options options;
    memset(first, 'z', sizeof first - 1); /* what it was made from is its own */
    assert_ok(config_vary(&varied, config, more, 2));
    assert_ok(config_bind(varied, &section, &options));
    assert_int_equal(options.depth, 7);
    assert_true(options.rate == 0.2);
    assert_string_equal(options.word, "x");
    assert_ok(config_bind(config, &section, &options));
    assert_int_equal(options.depth, 4);
    config_free(&config); /* the varied one stands alone */
    assert_ok(config_bind(varied, &section, &options));
    assert_string_equal(options.word, "x");
    config_free(&varied);
}

static void faults_are_of_the_varied(void **state)
{
    (void)state;
    const char *more[] = {"model.depth=99"};
    Config *config = parse(NULL, 0), *varied = NULL;
    size_t n;
    assert_ok(config_vary(&varied, config, more, 1));
    config_faults(varied, &n);
    assert_int_equal(n, 1);
    assert_ok(config_must_be_good(config));
    config_free(&varied);
    config_free(&config);
}

static void numbers_of_keys(void **state)
{
    (void)state;
    Config *config = parse(NULL, 0);
    double x = 0;
    assert_ok(config_number(config, "model.depth", &x));
    assert_true(x == 4);
    assert_ok(config_number(config, "model.sample.share", &x));
    assert_true(x == 0.8);
    assert_fails(config_number(config, "model.word", &x), DP_ERR_CONFIG, "config-22");
    assert_fails(config_number(config, "model.dept", &x), DP_ERR_CONFIG, "config-22");
    assert_int_equal(config_row(config, "model.depth")->type, CFG_INT);
    assert_null(config_row(config, "model.sample"));
    assert_null(config_row(config, "model.dept"));
    config_free(&config);
}

static void a_list_can_be_an_entry(void **state)
{
    (void)state;
    Config *config = parse(NULL, 0), *again = NULL;
    Options options;
    dp_buf printed = {0};
    assert_ok(config_must_be_good(config));
    assert_ok(config_print(config, &printed));
    assert_ok(config_parse(&again, "m.yaml", printed.data, printed.size, NULL, 0, kinds, 1));
    for (int i = 0; i < 2; i++) {
        assert_ok(config_bind(i == 0 ? config : again, &section, &options));
        assert_int_equal(options.space.n, 2);
        const Tried *depth = options.space.entries[0].value, *word = options.space.entries[1].value;
        assert_string_equal(options.space.entries[0].key, "model.depth");
        assert_int_equal(depth->values.n, 1);
        assert_string_equal(depth->values.items[0], "4 .. 6");
        assert_int_equal(word->values.n, 2);
        assert_string_equal(word->values.items[1], "b");
    }
    dp_buf_free(&printed);
    config_free(&again);
    const char *four[] = {"model.space={model.word: [a, b, c, d]}"};
    assert_ok(config_vary(&again, config, four, 1));
    assert_fails(config_must_be_good(again), DP_ERR_CONFIG, "config-07");
    config_free(&again);
    config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_overrides_win),
        cmocka_unit_test(faults_are_of_the_varied),
        cmocka_unit_test(numbers_of_keys),
        cmocka_unit_test(a_list_can_be_an_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
