/* One trial: the config with its values, the data as the last trial left it where it wants the same, one training. */
#include <math.h>
#include <string.h>

#include "score/score.h"
#include "tune/tune_priv.h"

typedef struct Sections {
    DataOptions data;
    SplitOptions split;
    EncodeOptions encode;
    TrainOptions train;
    EvaluateOptions evaluate;
} Sections;

static dp_status bind_sections(Sections *s, const Config *config)
{
    static const CfgSection data = {.path = "data", .rows = data_rows}, split = {.path = "split", .rows = split_rows},
                            encode = {.path = "model.categories", .rows = encode_rows},
                            train = {.path = "train", .rows = train_rows},
                            evaluate = {.path = "evaluate", .rows = evaluate_rows};
    *s = (Sections){0};
    DP_TRY(config_must_be_good(config));
    DP_TRY(config_bind(config, &data, &s->data));
    DP_TRY(config_bind(config, &split, &s->split));
    DP_TRY(config_bind(config, &encode, &s->encode));
    DP_TRY(config_bind(config, &train, &s->train));
    DP_TRY(config_bind(config, &evaluate, &s->evaluate));
    s->train.revenue = s->evaluate.revenue;
    s->train.grouped = s->data.group.n > 0;
    return DP_OK;
}

void tune_bench_free(TuneBench *bench)
{
    model_ready_free(&bench->ready);
    data_close(&bench->data);
    dp_free(&bench->of);
}

/* The data of this trial: that of the one before, or opened anew. */
static dp_status need_data(TuneBench *bench, const Sections *s, const TuneTrial *trial)
{
    if (bench->data && strcmp(bench->of, trial->data) == 0 && bench->fold == s->split.fold)
        return DP_OK;
    tune_bench_free(bench);
    DataOptions options = s->data;
    options.memory = bench->job->limits.memory;
    options.scratch = bench->job->limits.scratch;
    DP_TRY(data_open(&bench->data, bench->job->table, &options, &s->split, &s->encode, (uint64_t)s->train.seed,
                     bench->job->threads, bench->comm));
    DP_TRY_ALL(bench->comm, dp_copy_text(&bench->of, trial->data));
    bench->fold = (int)s->split.fold;
    if (data_facts(bench->data).rows[DATA_VALID] == 0)
        return dp_fail(DP_ERR_CONFIG, "tune-03", "split.valid has no rows, and trials are judged by them");
    return DP_OK;
}

/* The model of a trial, and how it is learned. */
static dp_status build(Model **model, Config **config, Sections *sections, const TuneBench *bench,
                       const TuneTrial *trial)
{
    DP_TRY(config_vary(config, bench->job->config, (const char *const *)trial->overrides, (size_t)trial->n));
    DP_TRY(bind_sections(sections, *config));
    return model_build(model, *config, (uint64_t)sections->train.seed, bench->job->device);
}

/* Steps of a share, up to the next validation. */
static int64_t steps_of(double share, int64_t max, int64_t every)
{
    int64_t steps = (int64_t)ceil((double)max * share / (double)every) * every;
    return share < 1 && steps < max ? steps : 0;
}

dp_status tune_try(TuneResult *result, TrainOutcome *outcome, TuneBench *bench, const TuneTrial *trial,
                   const TuneUnit *unit, Run *part)
{
    const Comm *comm = bench->comm;
    Config *config = NULL;
    Model *model = NULL;
    Sections sections;
    TrainEnd end;
    dp_status st = DP_OK;
    *outcome = TRAIN_DONE;
    st = comm_agree(comm, build(&model, &config, &sections, bench, trial));
    if (st == DP_ERR_CONFIG || st == DP_ERR_USAGE) { /* each value is good, but not all together */
        run_note(part, dp_error_last()->text);
        *result = (TuneResult){.known = true, .stopped = true, .value = NAN};
        st = DP_OK;
        goto done;
    }
    DP_GO(st);
    sections.split.fold = unit->fold;
    DP_GO(need_data(bench, &sections, trial));
    model_limit(model, &bench->job->limits);
    model_keep_ready(model, &bench->ready);
    sections.train.pause_at = steps_of(unit->share, model_steps_max(model), sections.train.every);
    DP_GO(train_run(&end, model, bench->data, &sections.train, part, comm));
    *outcome = end.outcome;
    *result = (TuneResult){.known = end.outcome != TRAIN_LEFT && end.outcome != TRAIN_INTERRUPTED,
                           .stopped = end.outcome != TRAIN_PAUSED,
                           .value = end.outcome == TRAIN_DIVERGED ? NAN : end.best,
                           .steps = end.steps,
                           .best_step = end.outcome == TRAIN_PAUSED ? end.steps : end.best_step,
                           .seconds = end.begin_s + end.train_s};
done:
    model_free(&model);
    config_free(&config);
    return st;
}
