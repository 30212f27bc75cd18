/* Config rows of evaluation and of batches, and which rows of a table a batch wants. */
#include "score/score.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/zone.h"

const CfgRow evaluate_rows[] = {
    {"metrics", CFG_LIST, CFG_AT(EvaluateOptions, metrics), .min = 1, .max = 32,
     .def = "[auc, average_precision, precision@5%, logloss, calibration]",
     .help = "auc, average_precision, precision@5%, recall@5%, revenue@5%, logloss, brier, calibration; of numbers "
             "rmse, mae (their default), of "
             "classes logloss, accuracy, macro_f1 (their default); within data.group ndcg@10"},
    {"slices", CFG_LIST, CFG_AT(EvaluateOptions, slices), .min = 0, .max = 32, .def = "[]",
     .help = "columns by whose values the figures are repeated"},
    {"revenue", CFG_NAME, CFG_AT(EvaluateOptions, revenue), .def = "",
     .help = "column that says what an inspection recovered"},
    {"part", CFG_CHOICE, CFG_AT(EvaluateOptions, part), .choices = "train | valid | test", .def = "test",
     .help = "rows that `dipper evaluate` judges; train judges test"},
    {"repeats", CFG_INT, CFG_AT(EvaluateOptions, repeats), .min = 1, .max = SCORE_REPEATS_MAX, .def = "5",
     .help = "of each column's permutation, with --importance"},
    {"points", CFG_INT, CFG_AT(EvaluateOptions, points), .min = 2, .max = SCORE_POINTS_MAX, .def = "10",
     .help = "values of a column that are tried, with --dependence"},
    {.key = NULL}};

static const CfgRow rows_of_data[] = {
    {"table", CFG_TEXT, CFG_AT(BatchOptions, table), .help = "declarations, declarations@418"},
    {"day", CFG_TEXT, CFG_AT(BatchOptions, day), .def = "", .help = "rows of a day: 2026-11-18, yesterday, latest"},
    {"month", CFG_TEXT, CFG_AT(BatchOptions, month), .def = "", .help = "rows of a month: 2026-11, latest"},
    {"time_zone", CFG_TEXT, CFG_AT(BatchOptions, time_zone), .def = "",
     .help = "whose days and months are meant, like Asia/Taipei; absent: the site's"},
    {"where", CFG_TEXT, CFG_AT(BatchOptions, where), .def = "", .help = "rows like 'hs6 = 090111 and value > 1e6'"},
    {"as_of", CFG_TIME, CFG_AT(BatchOptions, as_of), .def = "",
     .help = "as the table was known then; absent: all that is recorded"},
    {.key = NULL}};
static const CfgRow rows_of_models[] = {
    {"use", CFG_WORDS, CFG_AT(BatchOptions, use), .min = 1, .max = SCORE_MODELS_MAX,
     .help = "risk:15, or risk for the newest; all score in one pass over the table"},
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

/* "2026-11-18" into its day since 1970. */
static bool read_day(const char *text, int64_t *day)
{
    int64_t time;
    bool good = strlen(text) == 10 && dp_time_read(&time, text);
    *day = good ? time / DP_DAY - (time % DP_DAY < 0) : 0;
    return good;
}

/* "2026-11" into its first day and the first of the next month. */
static bool read_month(const char *text, int64_t *first, int64_t *next)
{
    char day[16];
    if (strlen(text) != 7)
        return false;
    snprintf(day, sizeof day, "%s-01", text);
    if (!read_day(day, first))
        return false;
    *next = dp_time_add_months(*first * DP_DAY, 1) / DP_DAY;
    return true;
}

static bool is_override(const Config *config, const char *path)
{
    return config_was_given(config, path) && config_mark(config, path).line == 0;
}

/* A period given on the command line takes the place of the file's. */
static dp_status choose_period(BatchOptions *options, Config *config)
{
    bool day = is_override(config, "data.day"), month = is_override(config, "data.month");
    if (!is_given(options->day) || !is_given(options->month))
        return DP_OK;
    if (day == month)
        return config_add_fault(config, "data.month", "score-04", "give data.day or data.month, not both");
    *(month ? &options->day : &options->month) = NULL;
    return config_settle(config, month ? "data.day" : "data.month", NULL, 0);
}

static dp_status check_zone(const BatchOptions *options, Config *config)
{
    dp_zone *zone = NULL;
    if (is_given(options->time_zone) && dp_zone_build(&zone, options->time_zone) != DP_OK)
        DP_TRY(config_add_fault(config, "data.time_zone", "score-08", "%s", dp_error_last()->text));
    dp_zone_free(&zone);
    return DP_OK;
}

dp_status score_options(BatchOptions *options, Config *config)
{
    int64_t first, next;
    for (size_t i = 0; i < score_sections_n; i++)
        DP_TRY(config_bind(config, &score_sections[i], options));
    if (is_given(options->day) && strcmp(options->day, "yesterday") != 0 && strcmp(options->day, "latest") != 0 &&
        !read_day(options->day, &first))
        DP_TRY(config_add_fault(config, "data.day", "score-04", "'%s' is not a day: 2026-11-18, yesterday or latest",
                                options->day));
    if (is_given(options->month) && strcmp(options->month, "latest") != 0 && !read_month(options->month, &first, &next))
        DP_TRY(config_add_fault(config, "data.month", "score-04", "'%s' is not a month: 2026-11 or latest",
                                options->month));
    DP_TRY(choose_period(options, config));
    return check_zone(options, config);
}

static void find_period(ScoreWanted *wanted, const BatchOptions *options, const dp_zone *zone, int64_t latest,
                        int64_t today)
{
    bool month = is_given(options->month);
    const char *asked = month ? options->month : options->day;
    int64_t first = dp_zone_day(zone, latest), next;
    char found[32];
    if (strcmp(asked, "yesterday") == 0)
        first = dp_zone_day(zone, today) - 1;
    dp_time_print(found, first * DP_DAY);
    if (strcmp(asked, "yesterday") == 0 || strcmp(asked, "latest") == 0)
        asked = found;
    snprintf(wanted->label, sizeof wanted->label, "%.*s", month ? 7 : 10, asked);
    if (month) {
        read_month(wanted->label, &first, &next);
    } else {
        read_day(wanted->label, &first);
        next = first + 1;
    }
    wanted->from = dp_zone_midnight(zone, first);
    wanted->to = dp_zone_midnight(zone, next);
}

/* The condition on the time column that the period is. */
static dp_status want_period(ScoreWanted *wanted, const BatchOptions *options, const LakeTable *table, int64_t today)
{
    LakeFacts facts = lake_facts(table);
    const char *column = lake_schema(table)->time;
    dp_zone *zone = NULL;
    char from[32], to[32];
    if (!column || facts.last == DP_TIME_MISSING)
        return dp_fail(DP_ERR_USAGE, "score-05", "table %s has no times, so data.%s cannot select rows; use data.where",
                       facts.name, is_given(options->day) ? "day" : "month");
    DP_TRY(dp_zone_build(&zone, is_given(options->time_zone) ? options->time_zone : "UTC"));
    find_period(wanted, options, zone, facts.last, today);
    dp_zone_free(&zone);
    dp_time_print(from, wanted->from);
    dp_time_print(to, wanted->to);
    snprintf(wanted->where, sizeof wanted->where, "%s >= %s and %s < %s", column, from, column, to);
    wanted->stamp = wanted->to - 1;
    return DP_OK;
}

static bool names_a_period(const BatchOptions *options)
{
    return is_given(options->day) || is_given(options->month);
}

dp_status score_wanted(ScoreWanted *wanted, const BatchOptions *options, const LakeTable *table, int64_t today)
{
    LakeFacts facts = lake_facts(table);
    *wanted = (ScoreWanted){.from = DP_TIME_MISSING,
                            .to = DP_TIME_MISSING,
                            .as_of = DP_TIME_MISSING,
                            .stamp = facts.last,
                            .label = "all rows"};
    if (facts.rows == 0)
        return dp_fail(DP_ERR_NO_INPUT, "score-06", "table %s@%lld has no rows; ingest some first", facts.name,
                       (long long)facts.snapshot);
    if (names_a_period(options))
        DP_TRY(want_period(wanted, options, table, today));
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

dp_status score_settle(Config *config, const BatchOptions *options, const ScoreWanted *wanted, const ScoreModel *models,
                       int n)
{
    const char *label = wanted->label, *addresses[SCORE_MODELS_MAX];
    for (int m = 0; m < n; m++)
        addresses[m] = models[m].address;
    DP_TRY(config_settle(config, "models.use", addresses, (size_t)n));
    if (!names_a_period(options))
        return DP_OK;
    DP_TRY(config_settle(config, is_given(options->day) ? "data.day" : "data.month", &label, 1));
    return options->time_zone ? config_settle(config, "data.time_zone", &options->time_zone, 1) : DP_OK;
}
