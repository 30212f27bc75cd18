/* dipper train: config -> data -> leak check -> model -> train -> evaluate -> compare -> offer. */
#include "app/app.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "data/data.h"
#include "lake/lake.h"
#include "model/model.h"
#include "train/train.h"

typedef struct Training {
    App *app;
    const Comm *comm;
    const dp_log *log;
    Place place;
    ModelConfig c;
    LakeTable *table;
    Run *run;
    Device *device;
    Data *data;
    dp_digest content;
    DataLeaks leaks;
    Parent parent;
    Model *model;
    TrainEnd end;
    ScoreReport report;
    double read_s, evaluate_s;
    char address[REGISTRY_ADDRESS_MAX], against[300];
} Training;

static void say_leaks(const Training *t)
{
    const DataLeaks *l = &t->leaks;
    if (l->suspicious)
        dp_say(t->log, DP_WARN, "leaks",
               "SUSPICIOUS: %.1f %% of test tuples (%s) stand in train, a bare lookup of them has AUC %.3f: the test "
               "figures are better than the truth; split by time, or name the columns in split.apart",
               100 * l->share_seen, l->tuple, l->lookup_auc);
    else
        dp_say(t->log, DP_INFO, "leaks", "none: %.1f %% of test tuples stand in train, their lookup has AUC %.3f",
               100 * l->share_seen, l->lookup_auc);
    if (l->gives_away)
        dp_say(t->log, DP_WARN, "leaks",
               "SUSPICIOUS: column %s alone has AUC %.3f on test, more than is known before an inspection: if it is "
               "filled by one, take it out of data.columns, and give it known_at in the table's config",
               l->column, l->column_auc);
    else if (*l->column)
        dp_say(t->log, DP_INFO, "", "the best column alone, %s, has AUC %.3f", l->column, l->column_auc);
}

/* What the shares of the parts are shares of. */
static void print_label(char *out, size_t room, const Data *data)
{
    const DataClasses *classes = data_classes(data);
    if (data_kind(data) == DATA_CLASS)
        snprintf(out, room, "%d classes, '%.80s'", classes->n, classes->name[data_facts(data).largest]);
    else
        snprintf(out, room, "%s", data_kind(data) == DATA_NUMBER ? "above the mean" : "positive");
}

static dp_status read_data(Training *t)
{
    char rows[3][32], table[96], label[128];
    double start = dp_clock_seconds();
    DP_TRY(data_open(&t->data, t->table, &t->c.data, &t->c.split, &t->c.encode, (uint64_t)t->c.train.seed, t->c.threads,
                     t->comm));
    DP_TRY(score_evaluate_fits(&t->c.evaluate, t->data));
    app_say_weight(t->app, &t->c);
    DataFacts facts = data_facts(t->data);
    LakeFacts lake = lake_facts(t->table);
    for (int p = 0; p < 3; p++)
        dp_count_print(rows[p], facts.rows[p]);
    snprintf(table, sizeof table, "%s@%lld", lake.name, (long long)lake.snapshot);
    print_label(label, sizeof label, t->data);
    dp_say(t->log, DP_INFO, "data", "%s   train %s   valid %s   test %s rows   %s %.1f, %.1f, %.1f %%", table, rows[0],
           rows[1], rows[2], label, 100.0 * (double)facts.positives[0] / fmax(1, (double)facts.rows[0]),
           100.0 * (double)facts.positives[1] / fmax(1, (double)facts.rows[1]),
           100.0 * (double)facts.positives[2] / fmax(1, (double)facts.rows[2]));
    dp_count_print(rows[0], facts.left_out);
    dp_say(t->log, DP_INFO, "", "%d columns   %s rows left out (no label, outside the split, or not apart)",
           data_columns_n(t->data), rows[0]);
    if (facts.unseen > 0)
        dp_say(t->log, DP_WARN, "classes",
               "%lld rows of valid and test are of classes that train does not have: left out",
               (long long)facts.unseen);
    DP_TRY(data_leaks(&t->leaks, t->data, t->comm));
    say_leaks(t);
    t->read_s = dp_clock_seconds() - start;
    return DP_OK;
}

/* The newest version so far, on the same test rows. A version that does not fit this table is only told. */
static dp_status compare_with_newest(Training *t)
{
    struct {
        int found;
        char path[1024], address[REGISTRY_ADDRESS_MAX];
    } old = {0};
    char difference[160];
    Model *model = NULL;
    ModelFacts mine, theirs;
    ScoreReport report = {0};
    EvaluateOptions first = t->c.evaluate;
    dp_status st = DP_OK;
    first.metrics.n = 1;
    if (comm_rank(t->comm) == 0)
        old.found = registry_path(old.path, sizeof old.path, old.address, t->place.models, t->c.head.name) == DP_OK;
    comm_share(t->comm, &old, sizeof old, 0);
    if (!old.found)
        return DP_OK;
    st = comm_agree(t->comm, model_load(&model, NULL, old.path, t->device));
    if (st == DP_OK)
        st = comm_agree(t->comm, model_facts(&mine, t->model));
    if (st == DP_OK)
        st = comm_agree(t->comm, model_facts(&theirs, model));
    if (st == DP_OK && dp_digest_same(&mine.payload, &theirs.payload))
        snprintf(t->against, sizeof t->against, "%s   the same model, bit for bit", old.address);
    else if (st == DP_OK &&
             (st = score_compare(&report, model, t->model, t->data, DATA_TEST, &first, t->comm)) == DP_OK) {
        app_say_difference(difference, sizeof difference, &report);
        snprintf(t->against, sizeof t->against, "%s   %s", old.address, difference);
    }
    if (st != DP_OK)
        dp_say(t->log, DP_WARN, "against", "%s could not be compared: %s [%s]", old.address, dp_error_last()->text,
               dp_error_last()->id);
    else
        dp_say(t->log, DP_INFO, "against", "%s", t->against);
    score_report_free(&report);
    model_free(&model);
    return DP_OK;
}

static dp_status judge(Training *t)
{
    double start = dp_clock_seconds();
    DP_TRY(score_evaluate(&t->report, t->model, t->data, DATA_TEST, &t->c.evaluate, t->comm));
    app_say_report(t->app, t->log, "test", &t->report);
    DP_TRY(compare_with_newest(t));
    t->evaluate_s = dp_clock_seconds() - start;
    return DP_OK;
}

static json_t *provenance_data(const Training *t)
{
    char content[DP_DIGEST_HEX], table[96], from[3][32], to[3][32];
    LakeFacts lake = lake_facts(t->table);
    DataFacts facts = data_facts(t->data);
    dp_digest_print(content, &lake.content);
    snprintf(table, sizeof table, "%s@%lld", lake.name, (long long)lake.snapshot);
    for (int p = 0; p < 3; p++) {
        app_print_day(from[p], facts.from[p]);
        app_print_day(to[p], facts.to[p]);
    }
    json_t *parts = json_object();
    static const char *const names[] = {"train", "valid", "test"};
    for (int p = 0; p < 3; p++)
        json_object_set_new(parts, names[p],
                            json_pack("{s:I, s:I, s:s, s:s}", "rows", (json_int_t)facts.rows[p], "positives",
                                      (json_int_t)facts.positives[p], "from", from[p], "to", to[p]));
    return json_pack("{s:s, s:s, s:s, s:I, s:o}", "table", table, "content", content, "label", t->c.data.label,
                     "left_out", (json_int_t)facts.left_out, "parts", parts);
}

static json_t *leaks_json(const DataLeaks *leaks)
{
    return json_pack("{s:o, s:o, s:o, s:b, s:s, s:s, s:o, s:b}", "share_seen", app_json_number(leaks->share_seen),
                     "share_same", app_json_number(leaks->share_same), "lookup_auc", app_json_number(leaks->lookup_auc),
                     "suspicious", leaks->suspicious, "tuple", leaks->tuple, "column", leaks->column, "column_auc",
                     app_json_number(leaks->column_auc), "gives_away", leaks->gives_away);
}

/* {"hs6": 12.5, ...}: what splitting by each input gained. */
static json_t *gains_json(const Model *model)
{
    const DataInputs *inputs = model_inputs(model);
    double *gain = NULL;
    json_t *object = NULL;
    if (dp_new(&gain, (size_t)inputs->n) == DP_OK && model_gains(model, gain)) {
        object = json_object();
        for (int j = 0; j < inputs->n; j++)
            json_object_set_new(object, inputs->input[j].name, app_json_number(gain[j]));
    }
    dp_free(&gain);
    return object;
}

/* What is stored beside the payload: who made it, when, from what, and what it is worth. */
static json_t *provenance_of(const Training *t)
{
    char digest[DP_DIGEST_HEX], who[40], when[32];
    dp_digest config;
    if (config_digest(t->c.config, &config) != DP_OK)
        return NULL;
    dp_digest_print(digest, &config);
    app_user(who);
    dp_time_print(when, dp_clock_now());
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "name", t->c.head.name, "about",
                  t->c.head.about ? t->c.head.about : "", "owner", t->c.head.owner ? t->c.head.owner : "", "by", who,
                  "made", when, "dipper", DIPPER_VERSION, "config", digest, "run", run_facts(t->run).id);
    json_object_set_new(object, "data", provenance_data(t));
    json_object_set_new(object, "leaks", leaks_json(&t->leaks));
    json_object_set_new(object, "training",
                        json_pack("{s:I, s:I, s:s, s:o, s:I}", "steps", (json_int_t)t->end.steps, "kept",
                                  (json_int_t)t->end.best_step, "stop", t->c.train.stop_metric, "valid",
                                  app_json_number(t->end.best), "seed", (json_int_t)t->c.train.seed));
    json_object_set_new(object, "test", app_report_json(&t->report));
    json_t *gains = gains_json(t->model);
    if (gains) {
        app_parent_add_gains(&t->parent, gains);
        json_object_set_new(object, "gain", gains);
    }
    if (t->parent.model)
        json_object_set_new(object, "from", app_parent_json(&t->parent));
    if (*t->against)
        json_object_set_new(object, "against", json_string(t->against));
    return object;
}

static dp_status offer_image(Training *t)
{
    dp_buf image = {0};
    ModelFacts facts;
    json_t *object = provenance_of(t);
    char *text = object ? json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    dp_status st = DP_OK;
    json_decref(object);
    if (!text)
        return dp_fail(DP_ERR_AGAIN, "base-01", "no memory for the provenance of the model");
    DP_GO(model_facts(&facts, t->model));
    DP_GO(model_image(t->model, text, &image));
    DP_GO(registry_offer(t->address, t->place.models, t->c.head.name, image.data, image.size, &facts.payload));
done:
    free(text);
    dp_buf_free(&image);
    return st;
}

static dp_status offer(Training *t)
{
    dp_status st = comm_rank(t->comm) == 0 ? offer_image(t) : DP_OK;
    DP_TRY_ALL(t->comm, st);
    comm_share(t->comm, t->address, sizeof t->address, 0);
    return DP_OK;
}

static void say_end(Training *t)
{
    char all[32], part[4][32], peak[32];
    double parts[4] = {t->read_s, t->end.begin_s, t->end.train_s, t->evaluate_s};
    int64_t bytes = dp_memory_peak();
    comm_max_i64(t->comm, &bytes, 1);
    dp_bytes_print(peak, bytes);
    dp_duration_print(all, dp_clock_seconds() - t->app->started);
    for (int i = 0; i < 4; i++)
        dp_duration_print(part[i], parts[i]);
    dp_say(t->log, DP_INFO, "time", "%s   read %s  bin %s  train %s  evaluate %s   peak %s a rank", all, part[0],
           part[1], part[2], part[3], peak);
    dp_say(t->log, DP_INFO, "made", "%s   %s: metrics.jsonl  log  config.yaml", t->address, run_facts(t->run).folder);
    dp_say(t->log, DP_INFO, "next", "dipper model show %s", t->address);
}

/* The model was asked to leave, or its loss is no number: no version is made. */
static dp_status say_left(Training *t)
{
    if (t->end.outcome == TRAIN_DIVERGED)
        return dp_fail(DP_ERR_DATA, "app-13",
                       "the scores are no numbers after %s %lld: lower model.learning_rate, or look for absurd values "
                       "with dipper lake show",
                       model_step_name(t->model), (long long)model_steps(t->model));
    t->app->exit = t->end.outcome == TRAIN_INTERRUPTED ? APP_INTERRUPTED : APP_LEFT;
    dp_say(t->log, DP_WARN, "left", "saved at %s %lld of %lld; the same command goes on from there",
           model_step_name(t->model), (long long)model_steps(t->model), (long long)model_steps_max(t->model));
    return DP_OK;
}

static dp_status print_result(Training *t)
{
    if (!app_given(t->app, APP_JSON))
        return app_print(t->app, "%s\n", t->address);
    if (comm_rank(t->comm) != 0)
        return DP_OK;
    return app_print_json(t->app, json_pack("{s:s, s:s, s:o, s:o}", "model", t->address, "run", run_facts(t->run).id,
                                            "leaks", leaks_json(&t->leaks), "test", app_report_json(&t->report)));
}

/* What the run will hold at its height, and whether that is what the job may take. */
static void say_need(const Training *t)
{
    char need[32], most[32];
    int64_t held = dp_memory_now(), learning = train_memory_need(t->model, t->data, comm_size(t->comm));
    int64_t bytes = held + learning > dp_memory_peak() ? held + learning : dp_memory_peak();
    comm_max_i64(t->comm, &bytes, 1);
    dp_bytes_print(need, bytes);
    dp_bytes_print(most, t->c.job.memory);
    if (bytes <= t->c.job.memory) {
        dp_say(t->log, DP_INFO, "", "needs %s a rank, of job.memory %s", need, most);
        return;
    }
    dp_say(t->log, DP_WARN, "memory",
           "needs %s a rank, more than job.memory %s: rows beyond it lie in %s, which is slower; more ranks need less "
           "each",
           need, most, t->place.scratch);
}

static dp_status build_model(Training *t)
{
    DP_TRY_ALL(t->comm, model_build(&t->model, t->c.config, (uint64_t)t->c.train.seed, t->device));
    if (t->parent.model)
        DP_TRY_ALL(t->comm, model_go_on(t->model, t->parent.model, t->data));
    app_parent_say(&t->parent, t->data, t->log);
    model_limit(t->model, &(ModelLimits){.memory = t->c.job.memory, .scratch = t->place.scratch});
    say_need(t);
    return DP_OK;
}

static dp_status train_and_offer(Training *t)
{
    DP_TRY(app_open_run(t->app, &t->run, &t->place, t->c.config, t->c.head.name, &t->content));
    app_say_start(t->app, t->c.head.name, t->run, t->c.threads, device_describe(t->device), "");
    DP_TRY(read_data(t));
    DP_TRY(build_model(t));
    DP_TRY(train_run(&t->end, t->model, t->data, &t->c.train, t->run, t->comm));
    if (t->end.outcome != TRAIN_DONE && t->end.outcome != TRAIN_STOPPED)
        return say_left(t);
    DP_TRY(judge(t));
    DP_TRY(offer(t));
    say_end(t);
    return comm_agree(t->comm, print_result(t));
}

dp_status app_train(App *app)
{
    Training t = {.app = app, .comm = app->comm, .log = comm_log(app->comm)};
    dp_status st = DP_OK;
    DP_GO(app_place(app, &t.place));
    DP_GO(app_model_config(app, &t.place, &t.c));
    DP_GO(lake_open(&t.table, t.place.lake, t.c.data.table, t.comm));
    t.content = lake_facts(t.table).content;
    DP_GO_ALL(t.comm, device_open(&t.device, app_device_name(&t.c.job), comm_local_rank(t.comm), t.c.threads));
    DP_GO(app_parent_open(app, &t.parent, &t.place, &t.c, t.device));
    DP_GO_ALL(t.comm, app_parent_add(&t.content, &t.parent));
    if (app_given(app, APP_DRY_RUN)) {
        app_say_start(app, t.c.head.name, NULL, t.c.threads, device_describe(t.device), "");
        DP_GO(read_data(&t));
        DP_GO(build_model(&t));
    } else {
        DP_GO(train_and_offer(&t));
    }
done:
    st = app_close_run(app, &t.run, st, *t.address ? t.address : NULL);
    score_report_free(&t.report);
    model_free(&t.model);
    app_parent_free(&t.parent);
    data_close(&t.data);
    device_close(&t.device);
    lake_close(&t.table);
    app_model_config_free(&t.c);
    return st;
}
