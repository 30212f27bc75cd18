/* The command line after the command's name: words, key=value, flags. */
#include "app/app.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

const AppFlagRow app_flags[] = {
    {"--json", APP_JSON, NULL, "the result as JSON, for programs"},
    {"--quiet", APP_QUIET, NULL, "no words, only warnings, errors and the result"},
    {"--verbose", APP_VERBOSE, NULL, "more words; errors with their trace"},
    {"--dry-run", APP_DRY_RUN, NULL, "read and check everything, make nothing"},
    {"--out", APP_OUT, "FILE", "write the result to FILE instead of stdout"},
    {"--format", APP_FORMAT, "NAME", "csv or jsonl; of a model: onnx"},
    {"--columns", APP_COLUMNS, "A,B", "only these columns, in this order"},
    {"--where", APP_WHERE, "COND", "only rows like 'hs6 = 090111 and value > 1e6'"},
    {"--at", APP_AT, "TIME", "as known at this time: 2026-11-20 or 2026-11-20T14:05:33Z"},
    {"--limit", APP_LIMIT, "N", "at most N rows or lines"},
    {"--quarantine", APP_QUARANTINE, NULL, "the rows that were put aside, with the reason"},
    {"--against", APP_AGAINST, "MODEL", "compare with this model, paired on the same rows"},
    {"--importance", APP_IMPORTANCE, NULL, "how much each input counts"},
    {"--dependence", APP_DEPENDENCE, "A[,B]", "the mean score over the values of one column, or of two"},
    {"--help", APP_HELP, NULL, "what the command does, with examples"},
    {"--version", APP_VERSION, NULL, "the version of dipper"},
};
const size_t app_flags_n = sizeof app_flags / sizeof *app_flags;

/* The end of a key in the grammar of configs, "model.depth"; NULL: the word does not begin with one. */
static const char *key_end(const char *word)
{
    const char *c = word;
    if (!islower((unsigned char)*c))
        return NULL;
    while (islower((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '.' || *c == '_' || *c == '-')
        c++;
    return c;
}

/* "model.depth=7". A file of such a name is given as ./a=b. */
static bool is_override(const char *word)
{
    const char *end = key_end(word);
    return end && *end == '=';
}

static const char *value_slot(AppArgs *args, AppFlag flag, const char *value)
{
    switch (flag) {
    case APP_OUT:
        return args->out = value;
    case APP_FORMAT:
        return args->format = value;
    case APP_COLUMNS:
        return args->columns = value;
    case APP_WHERE:
        return args->where = value;
    case APP_AT:
        return args->at = value;
    case APP_AGAINST:
        return args->against = value;
    case APP_DEPENDENCE:
        return args->dependence = value;
    default:
        return value;
    }
}

static dp_status no_such_flag(const Command *command, const char *word, size_t length)
{
    const char *names[sizeof app_flags / sizeof *app_flags];
    char given[80];
    size_t n = 0;
    for (size_t i = 0; i < app_flags_n; i++)
        if ((command->flags | APP_ALWAYS) & app_flags[i].flag)
            names[n++] = app_flags[i].name;
    snprintf(given, sizeof given, "%.*s", (int)length, word);
    const char *near = dp_nearest(given, names, n);
    return dp_fail(DP_ERR_USAGE, "app-02", "dipper %s has no flag %s%s%s%s; `dipper help %s` lists them", command->name,
                   given, near ? " (did you mean " : "", near ? near : "", near ? "?)" : "", command->name);
}

static dp_status parse_flag(AppArgs *args, const Command *command, char **argv, int argc, int *at)
{
    const char *word = argv[*at], *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - word) : strlen(word);
    const AppFlagRow *row = NULL;
    for (size_t i = 0; i < app_flags_n && !row; i++)
        if (strlen(app_flags[i].name) == length && memcmp(app_flags[i].name, word, length) == 0)
            row = &app_flags[i];
    if (!row || !((command->flags | APP_ALWAYS) & row->flag))
        return no_such_flag(command, word, length);
    args->given |= row->flag;
    if (!row->value) {
        if (equals)
            return dp_fail(DP_ERR_USAGE, "app-03", "%s takes no value, but %s was given", row->name, word);
        return DP_OK;
    }
    if (!equals && *at + 1 >= argc)
        return dp_fail(DP_ERR_USAGE, "app-03", "%s wants a value: %s %s", row->name, row->name, row->value);
    const char *value = value_slot(args, row->flag, equals ? equals + 1 : argv[++*at]);
    if (row->flag == APP_LIMIT) {
        char *end;
        errno = 0;
        args->limit = strtoll(value, &end, 10);
        if (errno || end == value || *end || args->limit < 0)
            return dp_fail(DP_ERR_USAGE, "app-03", "--limit wants a whole number from 0, not '%s'", value);
    }
    return DP_OK;
}

dp_status app_args_parse(AppArgs *args, const Command *command, int argc, char **argv)
{
    bool flags_end = false;
    *args = (AppArgs){.limit = -1};
    DP_TRY(dp_new(&args->words, (size_t)argc + 1));
    DP_TRY(dp_new(&args->overrides, (size_t)argc + 1));
    for (int i = 0; i < argc; i++) {
        if (!flags_end && strcmp(argv[i], "--") == 0)
            flags_end = true;
        else if (!flags_end && strcmp(argv[i], "-h") == 0)
            args->given |= APP_HELP;
        else if (!flags_end && argv[i][0] == '-' && argv[i][1])
            DP_TRY(parse_flag(args, command, argv, argc, &i));
        else if (!flags_end && is_override(argv[i]))
            args->overrides[args->n_overrides++] = argv[i];
        else
            args->words[args->n_words++] = argv[i];
    }
    return DP_OK;
}

void app_args_free(AppArgs *args)
{
    dp_free(&args->words);
    dp_free(&args->overrides);
}

bool app_given(const App *app, AppFlag flag)
{
    return (app->args.given & flag) != 0;
}

dp_status app_verb(const App *app, const char **verb)
{
    const Command *command = app->command;
    size_t n = 0;
    while (command->verbs[n])
        n++;
    const char *word = app->args.n_words > 0 ? app->args.words[0] : NULL;
    for (size_t i = 0; word && i < n; i++)
        if (strcmp(command->verbs[i], word) == 0) {
            *verb = command->verbs[i];
            return DP_OK;
        }
    const char *near = word ? dp_nearest(word, command->verbs, n) : NULL;
    return dp_fail(DP_ERR_USAGE, "app-04", "dipper %s %s%s%s%s%s; usage: dipper %s %s", command->name,
                   word ? "cannot " : "wants a word more", word ? word : "", near ? " (did you mean '" : "",
                   near ? near : "", near ? "'?)" : "", command->name, command->usage);
}

dp_status app_word(const App *app, const char **word, size_t at, const char *expected)
{
    if (at >= app->args.n_words)
        return dp_fail(DP_ERR_USAGE, "app-05", "dipper %s wants %s; usage: dipper %s %s", app->command->name, expected,
                       app->command->name, app->command->usage);
    *word = app->args.words[at];
    return DP_OK;
}

dp_status app_words_end(const App *app)
{
    const AppArgs *args = &app->args;
    size_t most = app->command->words ? app->command->words : 1;
    if (args->n_words <= most)
        return DP_OK;
    const char *key = args->words[most], *end = key_end(key);
    if (args->n_words > most + 1 && strchr(key, '.') && end && !*end)
        return dp_fail(DP_ERR_USAGE, "app-11", "values of a config are given as key=value; did you mean %s=%s?", key,
                       args->words[most + 1]);
    return dp_fail(DP_ERR_USAGE, "app-11", "dipper %s has no use for '%s'; usage: dipper %s %s", app->command->name,
                   key, app->command->name, app->command->usage);
}
