/* Config rows of evaluation and of batches, and which rows of a table a batch wants. */
#include "score/score.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

const CfgRow evaluate_rows[] = {
    {"metrics", CFG_LIST, CFG_AT(EvaluateOptions, metrics), .min = 1, .max = 32,
     .def = "[auc, average_precision, precision@5%, logloss, calibration]",
     .help = "auc, average_precision, precision@5%, recall@5%, revenue@5%, logloss, brier, calibration"},
    {"slices", CFG_LIST, CFG_AT(EvaluateOptions, slices), .min = 0, .max = 32, .def = "[]",
     .help = "columns by whose values the figures are repeated"},
    {"revenue", CFG_NAME, CFG_AT(EvaluateOptions, revenue), .def = "",
     .help = "column that says what an inspection recovered"},
    {"part", CFG_CHOICE, CFG_AT(EvaluateOptions, part), .choices = "train | valid | test", .def = "test",
     .help = "rows that `dipper evaluate` judges; train judges test"},
    {.key = NULL}};

static const CfgRow rows_of_data[] = {
    {"table", CFG_TEXT, CFG_AT(BatchOptions, table), .help = "declarations, declarations@418"},
    {"day", CFG_TEXT, CFG_AT(BatchOptions, day), .def = "", .help = "rows of a day: 2026-11-18, yesterday, latest"},
    {"month", CFG_TEXT, CFG_AT(BatchOptions, month), .def = "", .help = "rows of a month: 2026-11, latest"},
    {"where", CFG_TEXT, CFG_AT(BatchOptions, where), .def = "", .help = "rows like 'hs6 = 090111 and value > 1e6'"},
    {"as_of", CFG_TIME, CFG_AT(BatchOptions, as_of), .def = "",
     .help = "as the table was known then; absent: all that is recorded"},
    {.key = NULL}};
static const CfgRow rows_of_models[] = {
    {"use", CFG_WORDS, CFG_AT(BatchOptions, use), .min = 1, .max = 16, .help = "risk:15, or risk for the newest"},
    {.key = NULL}};
static const CfgRow rows_of_write[] = {
    {"table", CFG_NAME, CFG_AT(BatchOptions, write_table), .def = "scores", .help = "that takes the scores"},
    {"reasons", CFG_INT, CFG_AT(BatchOptions, reasons), .min = 0, .max = SCORE_REASONS_MAX, .def = "5",
     .help = "inputs with the largest contributions, stored with each score"},
    {"top", CFG_INT, CFG_AT(BatchOptions, top), .min = 0, .max = 1000, .def = "10", .unit = "rows",
     .help = "riskiest rows shown at the end"},
    {.key = NULL}};

const CfgSection score_sections[] = {
    {"data", rows_of_data, NULL}, {"models", rows_of_models, NULL}, {"write", rows_of_write, NULL}};
const size_t score_sections_n = sizeof score_sections / sizeof *score_sections;

dp_status score_evaluate_check(const EvaluateOptions *options)
{
    for (size_t i = 0; i < options->metrics.n; i++) {
        Metric metric;
        DP_TRY(metric_parse(&metric, options->metrics.items[i]));
        if (metric.kind == METRIC_REVENUE_AT && !(options->revenue && *options->revenue))
            return dp_fail(DP_ERR_CONFIG, "score-01",
                           "evaluate.metrics has %s, and evaluate.revenue names no column; name it or leave %s out",
                           options->metrics.items[i], options->metrics.items[i]);
    }
    return DP_OK;
}

static bool is_given(const char *text)
{
    return text && *text;
}

/* "2026-11" into its first moment and the first of the next month. */
static bool read_month(const char *text, int64_t *from, int64_t *to)
{
    char day[16];
    if (strlen(text) != 7)
        return false;
    snprintf(day, sizeof day, "%s-01", text);
    if (!dp_time_read(from, day))
        return false;
    *to = dp_time_add_months(*from, 1);
    return true;
}

static bool read_day(const char *text, int64_t *from)
{
    return strlen(text) == 10 && dp_time_read(from, text);
}

static bool is_override(const Config *config, const char *path)
{
    return config_was_given(config, path) && config_mark(config, path).line == 0;
}

dp_status score_options(BatchOptions *options, Config *config)
{
    int64_t from, to;
    for (size_t i = 0; i < score_sections_n; i++)
        DP_TRY(config_bind(config, &score_sections[i], options));
    if (is_given(options->day) && strcmp(options->day, "yesterday") != 0 && strcmp(options->day, "latest") != 0 &&
        !read_day(options->day, &from))
        DP_TRY(config_add_fault(config, "data.day", "score-04", "'%s' is not a day: 2026-11-18, yesterday or latest",
                                options->day));
    if (is_given(options->month) && strcmp(options->month, "latest") != 0 && !read_month(options->month, &from, &to))
        DP_TRY(config_add_fault(config, "data.month", "score-04", "'%s' is not a month: 2026-11 or latest",
                                options->month));
    /* A period given on the command line takes the place of the file's. */
    if (is_given(options->day) && is_given(options->month) &&
        is_override(config, "data.month") != is_override(config, "data.day"))
        *(is_override(config, "data.month") ? &options->day : &options->month) = NULL;
    if (is_given(options->day) && is_given(options->month))
        DP_TRY(config_add_fault(config, "data.month", "score-04", "give data.day or data.month, not both"));
    if (options->use.n > 1)
        DP_TRY(config_add_fault(config, "models.use", "score-07", "%zu models are named; one can be used at a time",
                                options->use.n));
    return DP_OK;
}

static int64_t floor_day(int64_t time)
{
    int64_t days = time / DP_DAY - (time % DP_DAY < 0);
    return days * DP_DAY;
}

/* The month that a moment lies in: "2026-11". */
static void month_of(char out[8], int64_t time)
{
    char text[32];
    dp_time_print(text, time);
    snprintf(out, 8, "%.7s", text);
}

static dp_status find_period(ScoreWanted *wanted, const BatchOptions *options, int64_t latest, int64_t today)
{
    if (is_given(options->month)) {
        month_of(wanted->label, latest);
        if (strcmp(options->month, "latest") != 0)
            snprintf(wanted->label, sizeof wanted->label, "%s", options->month);
        read_month(wanted->label, &wanted->from, &wanted->to);
        return DP_OK;
    }
    if (strcmp(options->day, "yesterday") == 0)
        wanted->from = floor_day(today) - DP_DAY;
    else if (strcmp(options->day, "latest") == 0)
        wanted->from = floor_day(latest);
    else
        read_day(options->day, &wanted->from);
    wanted->to = wanted->from + DP_DAY;
    dp_time_print(wanted->label, wanted->from);
    return DP_OK;
}

dp_status score_wanted(ScoreWanted *wanted, const BatchOptions *options, const LakeTable *table, int64_t today)
{
    LakeFacts facts = lake_facts(table);
    const LakeSchema *schema = lake_schema(table);
    char from[32], to[32];
    *wanted = (ScoreWanted){.from = DP_TIME_MISSING,
                            .to = DP_TIME_MISSING,
                            .as_of = DP_TIME_MISSING,
                            .stamp = facts.last,
                            .label = "all rows"};
    if (facts.rows == 0)
        return dp_fail(DP_ERR_NO_INPUT, "score-06", "table %s@%lld has no rows; ingest some first", facts.name,
                       (long long)facts.snapshot);
    if (is_given(options->day) || is_given(options->month)) {
        if (!schema->time || facts.last == DP_TIME_MISSING)
            return dp_fail(DP_ERR_USAGE, "score-05",
                           "table %s has no times, so data.%s cannot select rows; use data.where", facts.name,
                           is_given(options->day) ? "day" : "month");
        DP_TRY(find_period(wanted, options, facts.last, today));
        dp_time_print(from, wanted->from);
        dp_time_print(to, wanted->to);
        snprintf(wanted->where, sizeof wanted->where, "%s >= %s and %s < %s", schema->time, from, schema->time, to);
        wanted->stamp = wanted->to - 1;
    }
    if (is_given(options->where)) {
        size_t used = strlen(wanted->where);
        int n =
            snprintf(wanted->where + used, sizeof wanted->where - used, "%s%s", used ? " and " : "", options->where);
        if (n >= (int)(sizeof wanted->where - used))
            return dp_fail(DP_ERR_CONFIG, "score-04", "data.where is too long: at most %zu bytes",
                           sizeof wanted->where - used - 6);
    }
    if (options->as_of != DP_TIME_MISSING)
        wanted->as_of = wanted->stamp = options->as_of;
    return DP_OK;
}
