/* dipper evaluate: figures of a registered model on a part of the data that a config describes. */
#include "app/app.h"

#include <string.h>

#include "base/text.h"
#include "data/data.h"
#include "lake/lake.h"
#include "model/model.h"
#include "train/train.h"

typedef struct Judged {
    App *app;
    const Comm *comm;
    Place place;
    ModelConfig c;
    LakeTable *table;
    Device *device;
    Data *data;
    Model *model, *other;
    ScoreReport report, difference;
    char address[REGISTRY_ADDRESS_MAX], against[REGISTRY_ADDRESS_MAX];
} Judged;

static const char *const part_names[] = {"train", "valid", "test"};

static json_t *result_json(const Judged *j)
{
    LakeFacts lake = lake_facts(j->table);
    char table[96];
    snprintf(table, sizeof table, "%s@%lld", lake.name, (long long)lake.snapshot);
    json_t *object = json_pack("{s:s, s:s, s:s, s:o}", "model", j->address, "table", table, "part",
                               part_names[j->c.evaluate.part], "figures", app_report_json(&j->report));
    if (*j->against) {
        json_object_set_new(object, "against", json_string(j->against));
        json_object_set_new(object, "differences", app_report_json(&j->difference));
    }
    return object;
}

static dp_status print_csv(const Judged *j)
{
    json_t *rows = app_report_json(&j->report), *differences = app_report_json(&j->difference), *row;
    size_t i;
    json_array_foreach(rows, i, row) if (!json_object_get(row, "slice"))
        json_object_set_new(row, "slice", json_string(""));
    json_array_foreach(differences, i, row) json_object_set_new(row, "minus", json_string(j->against));
    json_array_extend(rows, differences);
    json_decref(differences);
    return app_print_csv(j->app, rows);
}

static dp_status print_table(const Judged *j)
{
    char name[32], rows[32];
    DP_TRY(app_print(j->app, "%-17s  %-24s %10s %8s   %s\n", "metric", "rows of", "rows", "value", "95 % interval"));
    for (int i = 0; i < j->report.n; i++) {
        const ScoreFigure *f = &j->report.figures[i];
        app_metric_name(name, &f->metric);
        dp_count_print(rows, f->rows);
        DP_TRY(app_print(j->app, "%-17s  %-24s %10s %8.3f   %.3f .. %.3f\n", name,
                         *f->slice ? f->slice : part_names[j->c.evaluate.part], rows, f->value.value, f->value.low,
                         f->value.high));
    }
    for (int i = 0; i < j->difference.n; i++) {
        const ScoreFigure *f = &j->difference.figures[i];
        app_metric_name(name, &f->metric);
        DP_TRY(app_print(j->app, "%-17s  %-24s %10s %+8.3f   %.3f .. %.3f\n", name, "minus that of", j->against,
                         f->value.value, f->value.low, f->value.high));
    }
    return DP_OK;
}

static dp_status evaluate(Judged *j)
{
    const char *wanted;
    DP_TRY(app_csv_asked(j->app));
    DP_TRY(app_place(j->app, &j->place));
    DP_TRY(app_model_config(j->app, &j->place, &j->c));
    if (j->app->args.n_words < 2 && j->c.split.folds > 1) {
        if (app_given(j->app, APP_FORMAT))
            return dp_fail(DP_ERR_USAGE, "app-10", "figures of folds are not written as csv; use --json");
        DP_TRY(app_parent_refuse(&j->c, "split.folds"));
        return app_folds(j->app, &j->c, &j->place);
    }
    DP_TRY(app_word(j->app, &wanted, 1, "a model, or split.folds=5 to judge the config on folds"));
    DP_TRY_ALL(j->comm, device_open(&j->device, app_device_name(&j->c.job), comm_local_rank(j->comm), j->c.threads));
    DP_TRY(app_open_model(j->app, &j->model, j->address, &j->place, wanted, j->device));
    if (app_given(j->app, APP_AGAINST))
        DP_TRY(app_open_model(j->app, &j->other, j->against, &j->place, j->app->args.against, j->device));
    DP_TRY(lake_open(&j->table, j->place.lake, j->c.data.table, j->comm));
    DP_TRY(data_open(&j->data, j->table, &j->c.data, &j->c.split, &j->c.encode, (uint64_t)j->c.train.seed, j->c.threads,
                     j->comm));
    app_say_weight(j->app, &j->c);
    if (app_given(j->app, APP_IMPORTANCE))
        return app_importance(j->app, j->model, j->address, j->data, &j->c);
    if (app_given(j->app, APP_DEPENDENCE))
        return app_dependence(j->app, j->model, j->address, j->data, &j->c);
    DP_TRY(score_evaluate(&j->report, j->model, j->data, (DataPart)j->c.evaluate.part, &j->c.evaluate, j->comm));
    if (j->other)
        DP_TRY(score_compare(&j->difference, j->other, j->model, j->data, (DataPart)j->c.evaluate.part, &j->c.evaluate,
                             j->comm));
    dp_status st = DP_OK;
    if (comm_rank(j->comm) == 0)
        st = app_given(j->app, APP_JSON)     ? app_print_json(j->app, result_json(j))
             : app_given(j->app, APP_FORMAT) ? print_csv(j)
                                             : print_table(j);
    return comm_agree(j->comm, st);
}

dp_status app_evaluate(App *app)
{
    Judged j = {.app = app, .comm = app->comm};
    dp_status st = evaluate(&j);
    score_report_free(&j.report);
    score_report_free(&j.difference);
    model_free(&j.model);
    model_free(&j.other);
    data_close(&j.data);
    device_close(&j.device);
    lake_close(&j.table);
    app_model_config_free(&j.c);
    return st;
}
