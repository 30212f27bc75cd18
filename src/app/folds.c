/* A config judged on folds: train and test on each, then mean and standard error. The models are thrown away. */
#include "app/app.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/publish.h"
#include "base/text.h"
#include "data/data.h"
#include "lake/lake.h"
#include "model/model.h"
#include "train/train.h"

enum { METRICS = 32, RESULT_MAX = 1 << 20 };

/* What is kept of a fold; the file of its part of the run holds it as it lies here, after its size. */
typedef struct Fold {
    uint32_t size; /* of this struct: a file of another release is not taken */
    int32_t metrics;
    int64_t rows[3], positives, steps;
    int64_t from, to; /* of test */
    double value[METRICS];
} Fold;

typedef struct Folding {
    App *app;
    const Comm *comm;
    ModelConfig *c;
    LakeTable *table;
    Device *device;
    Run *run;
    Fold *fold; /* [n] */
    const char *scratch;
    int n, metrics;
} Folding;

/* ---- one fold ---- */

static dp_status take_figures(Fold *fold, const ScoreReport *report, const DataFacts *facts, int64_t steps)
{
    *fold = (Fold){.size = sizeof *fold,
                   .positives = facts->positives[DATA_TEST],
                   .steps = steps,
                   .from = facts->from[DATA_TEST],
                   .to = facts->to[DATA_TEST]};
    memcpy(fold->rows, facts->rows, sizeof fold->rows);
    for (int i = 0; i < report->n && fold->metrics < METRICS; i++)
        fold->value[fold->metrics++] = report->figures[i].value.value;
    return DP_OK;
}

/* Trains on the fold and judges on its test. *asked: to leave, with the work saved. */
static dp_status learn_fold(Folding *f, int k, Run *part, TrainOutcome *outcome)
{
    SplitOptions split = f->c->split;
    EvaluateOptions evaluate = f->c->evaluate;
    Data *data = NULL;
    Model *model = NULL;
    ScoreReport report = {0};
    TrainEnd end;
    dp_status st = DP_OK;
    split.fold = k + 1;
    evaluate.slices.n = 0;
    DP_GO(data_open(&data, f->table, &f->c->data, &split, &f->c->encode, (uint64_t)f->c->train.seed, f->c->threads,
                    f->comm));
    DP_GO_ALL(f->comm, model_build(&model, f->c->config, (uint64_t)f->c->train.seed, f->device));
    model_limit(model, &(ModelLimits){.memory = f->c->job.memory, .scratch = f->scratch});
    DP_GO(train_run(&end, model, data, &f->c->train, part, f->comm));
    *outcome = end.outcome;
    if (end.outcome == TRAIN_DIVERGED)
        DP_GO(dp_fail(DP_ERR_DATA, "app-13", "fold %d: the scores are no numbers; lower model.learning_rate", k + 1));
    if (end.outcome == TRAIN_DONE || end.outcome == TRAIN_STOPPED) {
        DataFacts facts = data_facts(data);
        DP_GO(score_evaluate(&report, model, data, DATA_TEST, &evaluate, f->comm));
        DP_GO(take_figures(&f->fold[k], &report, &facts, end.best_step));
    }
done:
    score_report_free(&report);
    model_free(&model);
    data_close(&data);
    return st;
}

/* What an earlier start found; fold->size 0 where there is nothing. */
static dp_status read_fold(Fold *fold, const Run *part)
{
    char path[2048], *bytes = NULL;
    size_t size;
    snprintf(path, sizeof path, "%s/result", run_facts(part).folder);
    if (access(path, F_OK) != 0)
        return DP_OK;
    DP_TRY(dp_read_file(&bytes, &size, path, RESULT_MAX));
    if (size == sizeof *fold)
        memcpy(fold, bytes, size);
    if (fold->size != sizeof *fold || fold->metrics < 0 || fold->metrics > METRICS)
        *fold = (Fold){0};
    dp_free(&bytes);
    return DP_OK;
}

static void say_fold(const Folding *f, int k)
{
    char label[24], rows[32], from[32], to[32];
    const Fold *fold = &f->fold[k];
    dp_count_print(rows, fold->rows[DATA_TEST]);
    app_print_day(from, fold->from);
    app_print_day(to, fold->to);
    snprintf(label, sizeof label, "fold %d", k + 1);
    dp_say(comm_log(f->comm), DP_INFO, label, "test %s .. %s, %s rows   %lld steps   %s %.4f", from, to, rows,
           (long long)fold->steps, f->c->evaluate.metrics.items[0], fold->value[0]);
}

static dp_status try_fold(Folding *f, int k, TrainOutcome *outcome)
{
    char name[32];
    Run *part = NULL;
    dp_status st = DP_OK;
    *outcome = TRAIN_DONE;
    snprintf(name, sizeof name, "fold-%d", k + 1);
    DP_TRY(run_part_open(&part, f->run, name, f->comm));
    DP_GO_ALL(f->comm, part && comm_rank(f->comm) == 0 ? read_fold(&f->fold[k], part) : DP_OK);
    comm_share(f->comm, &f->fold[k], sizeof f->fold[k], 0);
    if (f->fold[k].size == 0) {
        DP_GO(learn_fold(f, k, part, outcome));
        if (f->fold[k].size > 0)
            DP_GO_ALL(f->comm, comm_rank(f->comm) == 0 ? dp_publish_bytes(run_facts(part).folder, "result", &f->fold[k],
                                                                          sizeof f->fold[k], DP_PUBLISH_REPLACE, NULL)
                                                       : DP_OK);
    }
    if (f->fold[k].size > 0)
        say_fold(f, k);
done:
    if (st != DP_OK) {
        dp_error why = *dp_error_last();
        run_part_close(&part, false, f->comm);
        return dp_fail_as(&why);
    }
    return run_part_close(&part, f->fold[k].size > 0, f->comm);
}

/* ---- all folds ---- */

/* Mean and standard error of what is a number. */
static void mean_of(const Folding *f, int metric, double *mean, double *error)
{
    double sum = 0, squares = 0;
    int n = 0;
    for (int k = 0; k < f->n; k++)
        if (isfinite(f->fold[k].value[metric])) {
            sum += f->fold[k].value[metric];
            n++;
        }
    *mean = n > 0 ? sum / n : NAN;
    for (int k = 0; k < f->n; k++)
        if (isfinite(f->fold[k].value[metric]))
            squares += (f->fold[k].value[metric] - *mean) * (f->fold[k].value[metric] - *mean);
    *error = n > 1 ? sqrt(squares / (n - 1) / n) : NAN;
}

static dp_status print_table(const Folding *f)
{
    char name[32], text[32];
    Metric metric;
    DP_TRY(app_print(f->app, "%-17s %10s %10s", "metric", "mean", "error"));
    for (int k = 0; k < f->n; k++) {
        snprintf(text, sizeof text, "fold %d", k + 1);
        DP_TRY(app_print(f->app, " %10s", text));
    }
    DP_TRY(app_print(f->app, "\n"));
    for (int m = 0; m < f->metrics; m++) {
        double mean, error;
        mean_of(f, m, &mean, &error);
        DP_TRY(metric_parse(&metric, f->c->evaluate.metrics.items[m]));
        app_metric_name(name, &metric);
        DP_TRY(app_print(f->app, "%-17s %10.4f %10.4f", name, mean, error));
        for (int k = 0; k < f->n; k++)
            DP_TRY(app_print(f->app, " %10.4f", f->fold[k].value[m]));
        DP_TRY(app_print(f->app, "\n"));
    }
    DP_TRY(app_print(f->app, "%-17s %10s %10s", "rows of test", "", ""));
    for (int k = 0; k < f->n; k++) {
        dp_count_print(text, f->fold[k].rows[DATA_TEST]);
        DP_TRY(app_print(f->app, " %10s", text));
    }
    return app_print(f->app, "\n");
}

static json_t *result_json(const Folding *f)
{
    json_t *folds = json_array(), *metrics = json_array();
    for (int k = 0; k < f->n; k++) {
        const Fold *fold = &f->fold[k];
        char from[32], to[32];
        app_print_day(from, fold->from);
        app_print_day(to, fold->to);
        json_array_append_new(
            folds, json_pack("{s:i, s:I, s:I, s:I, s:I, s:I, s:s, s:s}", "fold", k + 1, "train",
                             (json_int_t)fold->rows[DATA_TRAIN], "valid", (json_int_t)fold->rows[DATA_VALID], "test",
                             (json_int_t)fold->rows[DATA_TEST], "positives", (json_int_t)fold->positives, "steps",
                             (json_int_t)fold->steps, "from", from, "to", to));
    }
    for (int m = 0; m < f->metrics; m++) {
        double mean, error;
        json_t *values = json_array();
        mean_of(f, m, &mean, &error);
        for (int k = 0; k < f->n; k++)
            json_array_append_new(values, app_json_number(f->fold[k].value[m]));
        json_array_append_new(metrics,
                              json_pack("{s:s, s:o, s:o, s:o}", "metric", f->c->evaluate.metrics.items[m], "mean",
                                        app_json_number(mean), "error", app_json_number(error), "folds", values));
    }
    return json_pack("{s:s, s:o, s:o}", "run", run_facts(f->run).id, "folds", folds, "metrics", metrics);
}

static dp_status each_fold(Folding *f)
{
    TrainOutcome outcome;
    for (int k = 0; k < f->n; k++) {
        DP_TRY(try_fold(f, k, &outcome));
        if (outcome == TRAIN_LEFT || outcome == TRAIN_INTERRUPTED) {
            f->app->exit = outcome == TRAIN_INTERRUPTED ? APP_INTERRUPTED : APP_LEFT;
            dp_say(comm_log(f->comm), DP_WARN, "left", "in fold %d of %d; the same command goes on", k + 1, f->n);
            return DP_OK;
        }
    }
    f->metrics = f->fold[0].metrics;
    dp_status st = DP_OK;
    if (comm_rank(f->comm) == 0)
        st = app_given(f->app, APP_JSON) ? app_print_json(f->app, result_json(f)) : print_table(f);
    return comm_agree(f->comm, st);
}

/* The same on every rank. */
static dp_status check(const Folding *f)
{
    if (f->c->evaluate.metrics.n > METRICS)
        return dp_fail(DP_ERR_CONFIG, "app-18", "folds are judged by at most %d metrics", METRICS);
    if (f->c->split.test.kind == CFG_PART_NONE && f->c->split.train.kind != CFG_PART_SHARE)
        return dp_fail(DP_ERR_CONFIG, "app-18", "folds are judged on their test rows: give split.test months or dates");
    return DP_OK;
}

dp_status app_folds(App *app, ModelConfig *config, const Place *place)
{
    Folding f = {.app = app, .comm = app->comm, .c = config, .scratch = place->scratch, .n = (int)config->split.folds};
    dp_status st = DP_OK;
    DP_GO_ALL(f.comm, run_catch_signals()); /* unlike the figures of a model, this is worth going on with */
    DP_GO(check(&f));
    DP_GO_ALL(f.comm, dp_new(&f.fold, (size_t)f.n));
    DP_GO(lake_open(&f.table, place->lake, config->data.table, f.comm));
    DP_GO_ALL(f.comm, device_open(&f.device, app_device_name(&config->job), comm_local_rank(f.comm), config->threads));
    LakeFacts lake = lake_facts(f.table);
    DP_GO(app_open_run(app, &f.run, place, config->config, config->head.name, &lake.content));
    app_say_start(app, config->head.name, f.run, config->threads, device_describe(f.device), "");
    DP_GO(each_fold(&f));
done:
    st = app_close_run(app, &f.run, st, NULL);
    device_close(&f.device);
    lake_close(&f.table);
    dp_free(&f.fold);
    return st;
}
