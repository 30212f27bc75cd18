/* Figures on screens and as JSON; models by address. */
#include "app/app.h"

#include <math.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"
#include "lake/print.h"

void app_metric_name(char *out, const Metric *metric)
{
    snprintf(out, 32, "%s", metric->kind == METRIC_AUC ? "AUC" : metric->name);
    for (char *c = out; *c; c++)
        *c = *c == '_' ? ' ' : *c;
}

/* The slice whose first metric is the worst; NULL without slices. */
static const ScoreFigure *weakest(const ScoreReport *report)
{
    const ScoreFigure *worst = NULL;
    for (int i = 0; i < report->n; i++) {
        const ScoreFigure *f = &report->figures[i];
        if (!*f->slice || strcmp(f->metric.name, report->figures[0].metric.name) != 0 || isnan(f->value.value))
            continue;
        double sign = f->metric.higher_is_better ? 1 : -1;
        if (!worst || sign * f->value.value < sign * worst->value.value)
            worst = f;
    }
    return worst;
}

/* Amounts of money with grouping, shares with three digits. */
static void print_value(char *out, double value)
{
    if (fabs(value) >= 1000)
        dp_number_print(out, round(value));
    else
        snprintf(out, 32, "%.3f", value);
}

void app_say_report(App *app, const dp_log *log, const char *label, const ScoreReport *report)
{
    char name[32], value[32], low[32], high[32];
    (void)app;
    for (int i = 0; i < report->n && !*report->figures[i].slice; i++) {
        const ScoreFigure *f = &report->figures[i];
        app_metric_name(name, &f->metric);
        print_value(value, f->value.value);
        print_value(low, f->value.low);
        print_value(high, f->value.high);
        dp_say(log, DP_INFO, i == 0 ? label : "", "%-17s  %s   %s .. %s", name, value, low, high);
    }
    const ScoreFigure *worst = weakest(report);
    if (worst) {
        app_metric_name(name, &worst->metric);
        print_value(value, worst->value.value);
        dp_say(log, DP_INFO, "", "%-17s  %s: %s %s", "weakest slice", worst->slice, name, value);
    }
}

json_t *app_json_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *app_report_json(const ScoreReport *report)
{
    json_t *list = json_array();
    for (int i = 0; i < report->n; i++) {
        const ScoreFigure *f = &report->figures[i];
        json_t *row = json_pack("{s:s, s:o, s:o, s:o, s:I}", "metric", f->metric.name, "value",
                                app_json_number(f->value.value), "low", app_json_number(f->value.low), "high",
                                app_json_number(f->value.high), "rows", (json_int_t)f->rows);
        if (f->positives >= 0)
            json_object_set_new(row, "positives", json_integer((json_int_t)f->positives));
        if (*f->slice)
            json_object_set_new(row, "slice", json_string(f->slice));
        json_array_append_new(list, row);
    }
    return list;
}

dp_status app_print_json(App *app, json_t *object)
{
    char *text = object ? json_dumps(object, JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(object);
    if (!text)
        return dp_fail(DP_ERR_AGAIN, "base-01", "no memory for the JSON of the result");
    dp_status st = app_print_bytes(app, text, strlen(text));
    if (st == DP_OK)
        st = app_print_bytes(app, "\n", 1);
    free(text);
    return st;
}

dp_status app_json_words(dp_buf *words, const char *text)
{
    json_t *object = text ? json_loads(text, 0, NULL) : NULL, *value;
    const char *key;
    dp_status st = DP_OK;
    json_object_foreach(object, key, value)
    {
        char number[32];
        size_t at = words->size;
        DP_GO(dp_buf_print(words, "%s%s", at ? ", " : "", key));
        for (; at < words->size; at++)
            words->data[at] = words->data[at] == '_' ? ' ' : words->data[at];
        snprintf(number, sizeof number, "-"); /* null: what could not be measured */
        if (json_is_integer(value))
            dp_count_print(number, json_integer_value(value));
        else if (json_is_real(value))
            dp_number_print(number, json_number_value(value));
        DP_GO(dp_buf_print(words, " %s", json_is_string(value) ? json_string_value(value) : number));
    }
done:
    json_decref(object);
    return st;
}

/* Local. One value of a row; nothing where it has none. */
static dp_status add_cell(dp_buf *text, const json_t *value)
{
    char number[32];
    if (json_is_string(value))
        return print_csv_text(text, json_string_value(value), json_string_length(value));
    if (json_is_integer(value))
        return dp_buf_print(text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    if (!json_is_real(value))
        return DP_OK;
    print_double(number, json_real_value(value));
    return dp_buf_text(text, number);
}

dp_status app_print_csv(App *app, json_t *rows)
{
    dp_buf text = {0};
    size_t i;
    json_t *row, *widest = NULL, *value;
    const char *key;
    dp_status st = DP_OK;
    json_array_foreach(rows, i, row) if (json_object_size(row) > json_object_size(widest)) widest = row;
    json_object_foreach(widest, key, value)
    {
        DP_GO(dp_buf_text(&text, text.size ? "," : ""));
        DP_GO(print_csv_text(&text, key, strlen(key)));
    }
    json_array_foreach(rows, i, row)
    {
        const char *between = "\n";
        json_object_foreach(widest, key, value)
        {
            DP_GO(dp_buf_text(&text, between));
            DP_GO(add_cell(&text, json_object_get(row, key)));
            between = ",";
        }
    }
    DP_GO(dp_buf_text(&text, "\n"));
    st = app_print_bytes(app, text.data, text.size);
done:
    dp_buf_free(&text);
    json_decref(rows);
    return st;
}

dp_status app_csv_asked(const App *app)
{
    if (!app->args.format || strcmp(app->args.format, "csv") == 0)
        return DP_OK;
    return dp_fail(DP_ERR_USAGE, "app-10", "--format %s is not known here: csv, or --json", app->args.format);
}

void app_say_weight(const App *app, const ModelConfig *c)
{
    if (c->data.weight && *c->data.weight)
        dp_say(comm_log(app->comm), DP_INFO, "weight", "%s counts in learning; figures count each row once",
               c->data.weight);
}

void app_say_difference(char *out, size_t room, const ScoreReport *difference)
{
    const ScoreFigure *f = &difference->figures[0];
    char name[32];
    double sign = f->metric.higher_is_better ? 1 : -1;
    const char *verdict = "no clear difference";
    if (sign * f->value.low > 0 && sign * f->value.high > 0)
        verdict = "better";
    else if (sign * f->value.low < 0 && sign * f->value.high < 0)
        verdict = "worse";
    app_metric_name(name, &f->metric);
    snprintf(out, room, "%s %+.3f, %.3f .. %.3f: %s", name, f->value.value, f->value.low, f->value.high, verdict);
}

void app_user(char *out)
{
    const struct passwd *user = getpwuid(geteuid());
    if (user)
        snprintf(out, 40, "%s", user->pw_name);
    else
        snprintf(out, 40, "%ld", (long)geteuid());
}
