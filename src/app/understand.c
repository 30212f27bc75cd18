/* dipper evaluate --importance and --dependence: what a model looks at, and how. */
#include "app/app.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

enum { BAR = 24 };

static const char *const part_names[] = {"train", "valid", "test"};

/* ---- importance ---- */

static int by_drop(const void *a, const void *b)
{
    const ScoreImportance *x = a, *y = b;
    if (x->drop != y->drop)
        return x->drop > y->drop ? -1 : 1;
    return strcmp(x->column, y->column);
}

static void print_bar(char *out, double value, double most)
{
    int n = most > 0 && value > 0 ? (int)(value / most * BAR + 0.5) : 0;
    for (int i = 0; i < n && i < BAR; i++)
        out[i] = '#';
    out[n < BAR ? n : BAR] = '\0';
}

static dp_status print_importances(App *app, const ScoreImportances *all, const char *metric, const ModelConfig *c)
{
    char rows[64], bar[BAR + 1];
    snprintf(rows, sizeof rows, "%s of %s", metric, part_names[c->evaluate.part]);
    DP_TRY(app_print(app, "%-24s %10s %10s   %s %.4f\n", "column", "loses", "error", rows, all->base));
    for (int i = 0; i < all->n; i++) {
        print_bar(bar, all->column[i].drop, all->column[0].drop);
        DP_TRY(app_print(app, "%-24s %10.4f %10.4f   %s\n", all->column[i].column, all->column[i].drop,
                         all->column[i].error, bar));
    }
    return DP_OK;
}

static json_t *importance_rows(const ScoreImportances *all)
{
    json_t *list = json_array();
    for (int i = 0; i < all->n; i++)
        json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "column", all->column[i].column, "loses",
                                              app_json_number(all->column[i].drop), "error",
                                              app_json_number(all->column[i].error)));
    return list;
}

static json_t *importances_json(const ScoreImportances *all, const char *address, const char *metric,
                                const ModelConfig *c)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:I, s:o}", "model", address, "part", part_names[c->evaluate.part], "metric",
                     metric, "value", app_json_number(all->base), "repeats", (json_int_t)c->evaluate.repeats, "columns",
                     importance_rows(all));
}

dp_status app_importance(App *app, const Model *model, const char *address, Data *data, const ModelConfig *c)
{
    ScoreImportances all = {0};
    Metric metric;
    char name[32];
    dp_status st = DP_OK;
    DP_GO(metric_parse(&metric, c->evaluate.metrics.items[0]));
    DP_GO(score_importance(&all, model, data, (DataPart)c->evaluate.part, &metric, (int)c->evaluate.repeats,
                           (uint64_t)c->train.seed, app->comm));
    if (all.n > 1)
        qsort(all.column, (size_t)all.n, sizeof *all.column, by_drop);
    app_metric_name(name, &metric);
    if (comm_rank(app->comm) == 0)
        st = app_given(app, APP_JSON)     ? app_print_json(app, importances_json(&all, address, metric.name, c))
             : app_given(app, APP_FORMAT) ? app_print_csv(app, importance_rows(&all))
                                          : print_importances(app, &all, name, c);
    st = comm_agree(app->comm, st);
done:
    score_importances_free(&all);
    return st;
}

/* ---- gain ---- */

dp_status app_gains(App *app, const char *address, const json_t *provenance)
{
    json_t *gains = json_object_get(provenance, "gain"), *value;
    ScoreImportance *row = NULL;
    const char *name;
    char bar[BAR + 1];
    double sum = 0;
    int n = 0;
    dp_status st = DP_OK;
    DP_TRY(app_csv_asked(app));
    if (!json_is_object(gains))
        return dp_fail(DP_ERR_NO_INPUT, "app-19",
                       "%s does not say what its inputs gained: it was trained by an earlier release", address);
    DP_GO(dp_new(&row, json_object_size(gains)));
    json_object_foreach(gains, name, value)
    {
        snprintf(row[n].column, sizeof row[n].column, "%s", name);
        sum += row[n++].drop = json_number_value(value);
    }
    if (n > 1)
        qsort(row, (size_t)n, sizeof *row, by_drop);
    json_t *list = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:o}", "column", row[i].column, "gain", app_json_number(row[i].drop)));
    if (app_given(app, APP_JSON) || app_given(app, APP_FORMAT)) {
        st = app_given(app, APP_JSON) ? app_print_json(app, json_pack("{s:s, s:o}", "model", address, "columns", list))
                                      : app_print_csv(app, list);
        goto done;
    }
    json_decref(list);
    DP_GO(app_print(app, "%-24s %12s %10s\n", "column", "gain", "share"));
    for (int i = 0; i < n; i++) {
        print_bar(bar, row[i].drop, row[0].drop);
        DP_GO(app_print(app, "%-24s %12.2f %8.1f %%   %s\n", row[i].column, row[i].drop,
                        sum > 0 ? 100 * row[i].drop / sum : 0, bar));
    }
done:
    dp_free(&row);
    return st;
}

/* ---- dependence ---- */

static dp_status print_curve(App *app, const ScoreDependence *d)
{
    char rows[32], bar[BAR + 1];
    double most = 0;
    for (int i = 0; i < d->n; i++)
        most = d->point[i].mean > most ? d->point[i].mean : most;
    DP_TRY(app_print(app, "%-24s %10s %10s\n", d->column[0], "rows", "score"));
    for (int i = 0; i < d->n; i++) {
        dp_count_print(rows, d->point[i].rows[0]);
        print_bar(bar, d->point[i].mean, most);
        DP_TRY(app_print(app, "%-24s %10s %10.4f   %s\n", d->point[i].value[0], rows, d->point[i].mean, bar));
    }
    return DP_OK;
}

/* A line a value of the first column, a column a value of the second. */
static dp_status print_plane(App *app, const ScoreDependence *d)
{
    int across = 1;
    while (across < d->n && strcmp(d->point[across].value[0], d->point[0].value[0]) == 0)
        across++;
    DP_TRY(app_print(app, "%-16.16s by %s\n%-16s", d->column[0], d->column[1], ""));
    for (int k = 0; k < across; k++)
        DP_TRY(app_print(app, " %10.10s", d->point[k].value[1]));
    for (int i = 0; i < d->n; i++) {
        if (i % across == 0)
            DP_TRY(app_print(app, "\n%-16.16s", d->point[i].value[0]));
        DP_TRY(app_print(app, " %10.4f", d->point[i].mean));
    }
    return app_print(app, "\n");
}

static json_t *dependence_json(const ScoreDependence *d, const char *address, const ModelConfig *c)
{
    json_t *list = json_array(), *columns = json_array();
    for (int a = 0; a < d->columns; a++)
        json_array_append_new(columns, json_string(d->column[a]));
    for (int i = 0; i < d->n; i++) {
        json_t *values = json_array(), *rows = json_array();
        for (int a = 0; a < d->columns; a++) {
            json_array_append_new(values, json_string(d->point[i].value[a]));
            json_array_append_new(rows, json_integer((json_int_t)d->point[i].rows[a]));
        }
        json_array_append_new(list, json_pack("{s:o, s:o, s:o}", "values", values, "rows", rows, "score",
                                              app_json_number(d->point[i].mean)));
    }
    return json_pack("{s:s, s:s, s:o, s:o}", "model", address, "part", part_names[c->evaluate.part], "columns", columns,
                     "points", list);
}

/* A column a name, so that the rows of a value stand beside it. */
static json_t *dependence_rows(const ScoreDependence *d)
{
    json_t *list = json_array();
    for (int i = 0; i < d->n; i++) {
        json_t *row = json_object();
        for (int a = 0; a < d->columns; a++) {
            char rows[80];
            snprintf(rows, sizeof rows, "%s rows", d->column[a]);
            json_object_set_new(row, d->column[a], json_string(d->point[i].value[a]));
            json_object_set_new(row, rows, json_integer((json_int_t)d->point[i].rows[a]));
        }
        json_object_set_new(row, "score", app_json_number(d->point[i].mean));
        json_array_append_new(list, row);
    }
    return list;
}

dp_status app_dependence(App *app, const Model *model, const char *address, Data *data, const ModelConfig *c)
{
    ScoreDependence d = {0};
    char text[200];
    const char *columns[2] = {text, NULL};
    dp_status st = DP_OK;
    snprintf(text, sizeof text, "%s", app->args.dependence);
    char *comma = strchr(text, ',');
    if (comma) {
        *comma = '\0';
        columns[1] = comma + 1 + strspn(comma + 1, " ");
    }
    DP_GO(score_dependence(&d, model, data, (DataPart)c->evaluate.part, columns, comma ? 2 : 1, (int)c->evaluate.points,
                           app->comm));
    if (comm_rank(app->comm) == 0)
        st = app_given(app, APP_JSON)     ? app_print_json(app, dependence_json(&d, address, c))
             : app_given(app, APP_FORMAT) ? app_print_csv(app, dependence_rows(&d))
             : d.columns == 1             ? print_curve(app, &d)
                                          : print_plane(app, &d);
    st = comm_agree(app->comm, st);
done:
    score_dependence_free(&d);
    return st;
}
