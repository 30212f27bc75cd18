/* dipper tune: config -> trials over groups of ranks -> the winner's config. */
#include "app/app.h"

#include <string.h>

#include "lake/lake.h"
#include "tune/tune.h"

typedef struct Tuning {
    App *app;
    const Comm *comm;
    Place place;
    ModelConfig c;
    LakeTable *table;
    Device *device;
    Run *run;
    TuneEnd end;
    char made[80];
} Tuning;

/* The lines of trials as one array. */
static json_t *trials_json(const dp_buf *lines)
{
    json_t *list = json_array();
    for (size_t at = 0; at < lines->size;) {
        size_t n = strcspn(lines->data + at, "\n");
        json_array_append_new(list, json_loadb(lines->data + at, n, 0, NULL));
        at += n + 1;
    }
    return list;
}

static dp_status print_result(Tuning *t)
{
    if (!app_given(t->app, APP_JSON))
        return app_print(t->app, "%s\n", t->end.path);
    if (comm_rank(t->comm) != 0)
        return DP_OK;
    return app_print_json(t->app, json_pack("{s:s, s:s, s:i, s:s, s:o, s:o}", "run", run_facts(t->run).id, "config",
                                            t->end.path, "best", t->end.best, "metric", t->c.train.stop_metric, "value",
                                            app_json_number(t->end.value), "trials", trials_json(&t->end.trials)));
}

static dp_status say_end(Tuning *t)
{
    const dp_log *log = comm_log(t->comm);
    if (t->end.outcome != TUNE_DONE) {
        t->app->exit = t->end.outcome == TUNE_INTERRUPTED ? APP_INTERRUPTED : APP_LEFT;
        dp_say(log, DP_WARN, "left", "the same command goes on; finished trials are kept");
        return DP_OK;
    }
    dp_say(log, DP_INFO, "best", "trial %d: %s %.4f", t->end.best, t->c.train.stop_metric, t->end.value);
    dp_say(log, DP_INFO, "made", "%s: best.yaml  trials.jsonl  log", run_facts(t->run).folder);
    dp_say(log, DP_INFO, "next", "dipper train %s", t->end.path);
    snprintf(t->made, sizeof t->made, "best.yaml");
    return comm_agree(t->comm, print_result(t));
}

static dp_status search(Tuning *t)
{
    TuneJob job = {.config = t->c.config,
                   .table = t->table,
                   .device = t->device,
                   .threads = t->c.threads,
                   .limits = {.memory = t->c.job.memory, .scratch = t->place.scratch}};
    LakeFacts lake = lake_facts(t->table);
    DP_TRY(app_open_run(t->app, &t->run, &t->place, t->c.config, t->c.head.name, &lake.content));
    app_say_start(t->app, t->c.head.name, t->run, t->c.threads, device_describe(t->device), "");
    job.run = t->run;
    DP_TRY(tune_run(&t->end, &job, t->comm));
    return say_end(t);
}

dp_status app_tune(App *app)
{
    Tuning t = {.app = app, .comm = app->comm};
    dp_status st = DP_OK;
    DP_GO(app_place(app, &t.place));
    DP_GO(app_model_config(app, &t.place, &t.c));
    DP_GO(app_parent_refuse(&t.c, "dipper tune"));
    DP_GO(lake_open(&t.table, t.place.lake, t.c.data.table, t.comm));
    DP_GO_ALL(t.comm, device_open(&t.device, app_device_name(&t.c.job), comm_local_rank(t.comm), t.c.threads));
    if (app_given(app, APP_DRY_RUN))
        app_say_start(app, t.c.head.name, NULL, t.c.threads, device_describe(t.device), "");
    else
        DP_GO(search(&t));
done:
    st = app_close_run(app, &t.run, st, *t.made ? t.made : NULL);
    tune_end_free(&t.end);
    device_close(&t.device);
    lake_close(&t.table);
    app_model_config_free(&t.c);
    return st;
}
