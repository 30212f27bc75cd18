/* The search: rounds of trials, taken by groups of ranks from the run's folder; then the table and the winner. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/publish.h"
#include "base/text.h"
#include "tune/tune_priv.h"

typedef struct Search {
    const TuneJob *job;
    TuneOptions options;
    Metric metric; /* train.stop.metric */
    const Comm *world;
    Comm *group;
    int groups;
    TuneSpace space;
    TuneBench bench;
    double began;

    TuneUnit *unit; /* of this round [n] */
    TuneResult *result;
    bool *said;
    int n, round, rounds;
    int folds;            /* units of a trial in a round */
    TuneResult *of_trial; /* [space.n_trials] the last of each: value and steps are means of its folds */
    double *error;        /* [space.n_trials] standard error of the mean; NaN: one fold */
    int *round_of;        /* [space.n_trials] its round; -1: none */
    TuneOutcome outcome;
} Search;

static void search_free(Search *s)
{
    tune_bench_free(&s->bench);
    tune_space_free(&s->space);
    comm_close(&s->group);
    dp_free(&s->unit);
    dp_free(&s->result);
    dp_free(&s->said);
    dp_free(&s->of_trial);
    dp_free(&s->error);
    dp_free(&s->round_of);
}

/* ---- begin ---- */

static dp_status bind_options(Search *s)
{
    static const CfgSection tune = {.path = "tune", .rows = tune_rows}, train = {.path = "train", .rows = train_rows},
                            split = {.path = "split", .rows = split_rows};
    TrainOptions training;
    SplitOptions parts;
    const Config *config = s->job->config;
    DP_TRY(config_bind(config, &tune, &s->options));
    DP_TRY(config_bind(config, &train, &training));
    DP_TRY(config_bind(config, &split, &parts));
    DP_TRY(metric_parse(&s->metric, training.stop_metric));
    s->folds = parts.folds > 1 ? (int)parts.folds : 1;
    DP_TRY(tune_space_build(&s->space, config, &s->options));
    size_t trials = (size_t)s->space.n_trials, units = trials * (size_t)s->folds;
    DP_TRY(dp_new(&s->unit, units));
    DP_TRY(dp_new(&s->result, units));
    DP_TRY(dp_new(&s->said, units));
    DP_TRY(dp_new(&s->error, trials));
    DP_TRY(dp_new(&s->of_trial, trials));
    DP_TRY(dp_new(&s->round_of, trials));
    for (size_t t = 0; t < trials; t++) {
        s->of_trial[t].value = NAN;
        s->round_of[t] = -1;
    }
    return DP_OK;
}

/* The last round has all steps, the one before a `cut`-th of them, and so on down to the least share. */
static int count_rounds(const TuneOptions *options)
{
    int rounds = 1;
    for (double share = 1.0 / (double)options->cut; options->search == TUNE_HALVING && share >= options->least;
         rounds++)
        share /= (double)options->cut;
    return rounds;
}

/* Groups of as many consecutive ranks as options.ranks says, the remaining ranks shared out. */
static dp_status build_groups(Search *s)
{
    int size = comm_size(s->world), ranks = s->options.ranks > size ? size : (int)s->options.ranks;
    s->groups = size / ranks;
    int group = (int)((int64_t)comm_rank(s->world) * s->groups / size);
    DP_TRY(comm_split(&s->group, s->world, group));
    s->bench = (TuneBench){.job = s->job, .comm = s->group};
    return DP_OK;
}

static void say_begin(const Search *s)
{
    char rounds[32] = "";
    if (s->rounds > 1)
        snprintf(rounds, sizeof rounds, " in %d rounds", s->rounds);
    dp_say(comm_log(s->world), DP_INFO, "tune",
           "%d trials of %d keys%s, %d at a time on %d rank%s each   by %s of valid", s->space.n_trials, s->space.n,
           rounds, s->groups, comm_size(s->world) / s->groups, comm_size(s->world) / s->groups == 1 ? "" : "s",
           s->metric.name);
    char label[16];
    snprintf(label, sizeof label, "%7s", "trial");
    dp_say(comm_log(s->world), DP_INFO, label, "%5s%8s%20s%9s   %s", "round", "steps", s->metric.name, "seconds",
           "values");
}

/* ---- a round ---- */

/* Which of two figures is better; one that is no number loses. */
static bool is_better(const Search *s, double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(b) && !isnan(a);
    return s->metric.higher_is_better ? a > b : a < b;
}

/* Trials in the order of merit: a later round first, then the figure, then the number. */
static bool stands_before(const Search *s, int a, int b)
{
    double x = s->of_trial[a].value, y = s->of_trial[b].value;
    if (isnan(x) != isnan(y))
        return isnan(y);
    if (s->round_of[a] != s->round_of[b])
        return s->round_of[a] > s->round_of[b];
    if (is_better(s, x, y) || is_better(s, y, x))
        return is_better(s, x, y);
    return a < b;
}

static void rank_trials(const Search *s, int *order)
{
    for (int i = 0; i < s->space.n_trials; i++) {
        int at = i;
        for (; at > 0 && stands_before(s, i, order[at - 1]); at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
}

/* The units of a round: all trials in the first one, then the better of those that came through the one before. */
static dp_status list_units(Search *s, int round)
{
    int *order = NULL;
    double share = pow((double)s->options.cut, round + 1 - s->rounds), wanted = s->space.n_trials;
    DP_TRY(dp_new(&order, (size_t)s->space.n_trials));
    rank_trials(s, order);
    for (int r = 0; r < round; r++)
        wanted = ceil(wanted / (double)s->options.cut);
    s->n = 0;
    s->round = round;
    /* Fold by fold, so that a group reads and bins the data of one fold, then of the next. */
    for (int fold = 0; fold < s->folds; fold++)
        for (int i = 0, listed = 0; i < s->space.n_trials && listed < (int)wanted; i++) {
            int t = round == 0 ? i : order[i];
            if (round > 0 && (s->round_of[t] != round - 1 || isnan(s->of_trial[t].value)))
                continue;
            listed++;
            s->said[s->n] = false;
            s->result[s->n] = (TuneResult){.value = NAN};
            s->unit[s->n++] =
                (TuneUnit){.trial = t, .fold = s->folds > 1 ? fold + 1 : 0, .round = round, .share = share};
        }
    dp_free(&order);
    return DP_OK;
}

static void print_values(char *out, size_t room, const TuneTrial *trial)
{
    size_t at = 0;
    snprintf(out, room, "%s", trial->n == 0 ? "as the config stands" : "");
    for (int i = 0; i < trial->n && at < room; i++)
        at += (size_t)snprintf(out + at, room - at, "%s%s", i ? " " : "", trial->overrides[i]);
}

static void say_result(Search *s, int i)
{
    char label[16], values[512], fold[24] = "", figure[32] = "none";
    const TuneResult *r = &s->result[i];
    if (!r->known || s->said[i])
        return;
    s->said[i] = true;
    if (!isnan(r->value))
        snprintf(figure, sizeof figure, "%.4f", r->value);
    print_values(values, sizeof values, &s->space.trials[s->unit[i].trial]);
    if (s->unit[i].fold > 0)
        snprintf(fold, sizeof fold, "fold %d   ", s->unit[i].fold);
    snprintf(label, sizeof label, "%7d", s->unit[i].trial);
    dp_say(comm_log(s->world), DP_INFO, label, "%5d%8lld%20s%9.1f   %s%s", s->unit[i].round + 1, (long long)r->steps,
           figure, r->seconds, fold, values);
}

/* Rank 0 of the world: what all groups have found so far. */
static dp_status look_and_say(Search *s)
{
    for (int i = 0; i < s->n && comm_rank(s->world) == 0; i++) {
        if (!s->result[i].known)
            DP_TRY(tune_result_read(&s->result[i], s->job->run, &s->unit[i]));
        say_result(s, i);
    }
    return DP_OK;
}

/* What the group does with a unit next; decided by its first rank. */
typedef enum Next { NEXT_SKIP, NEXT_TAKE, NEXT_END } Next;

static dp_status decide(Search *s, int i, Next *next)
{
    TuneResult known = {0};
    int64_t code = NEXT_SKIP;
    dp_status st = DP_OK;
    if (comm_rank(s->group) == 0) {
        bool over = s->options.time > 0 && dp_clock_seconds() - s->began >= s->options.time;
        st = tune_result_read(&known, s->job->run, &s->unit[i]);
        code = known.known ? NEXT_SKIP : over || run_asked() >= RUN_ASK_LEAVE ? NEXT_END : NEXT_TAKE;
    }
    DP_TRY_ALL(s->group, st);
    comm_share(s->group, &code, sizeof code, 0);
    *next = (Next)code;
    return DP_OK;
}

/* Local. A unit that needs no more steps has the figure of the round before; else *result is empty. */
static dp_status take_over(const Search *s, int i, TuneResult *result)
{
    TuneUnit before = s->unit[i];
    *result = (TuneResult){0};
    if (before.round-- == 0 || comm_rank(s->group) != 0)
        return DP_OK;
    DP_TRY(tune_result_read(result, s->job->run, &before));
    result->seconds = 0;
    if (!result->stopped)
        *result = (TuneResult){0};
    return DP_OK;
}

static dp_status try_unit(Search *s, int i, TrainOutcome *outcome)
{
    const TuneUnit *unit = &s->unit[i];
    char name[64];
    Run *part = NULL;
    Next next = NEXT_TAKE;
    TuneResult result = {0};
    dp_status st = DP_OK;
    tune_unit_name(name, unit);
    DP_GO(run_part_open(&part, s->job->run, name, s->group));
    if (!part)
        return DP_OK;           /* another group has it */
    DP_GO(decide(s, i, &next)); /* it may have been done since */
    DP_GO_ALL(s->group, take_over(s, i, &result));
    comm_share(s->group, &result, sizeof result, 0);
    if (next == NEXT_TAKE && !result.known)
        DP_GO(tune_try(&result, outcome, &s->bench, &s->space.trials[unit->trial], unit, part));
    if (next == NEXT_TAKE && result.known)
        DP_GO_ALL(s->group, comm_rank(s->group) == 0 ? tune_result_write(&result, part, unit) : DP_OK);
done:
    if (st != DP_OK) {
        dp_error why = *dp_error_last();
        run_part_close(&part, false, s->group);
        return dp_fail_as(&why);
    }
    return run_part_close(&part, result.known && result.stopped, s->group);
}

/* Collective over the group: units until none is free. */
static dp_status work(Search *s)
{
    TrainOutcome outcome = TRAIN_DONE;
    for (int i = 0; i < s->n; i++) {
        Next next;
        DP_TRY(decide(s, i, &next));
        if (next == NEXT_END)
            break;
        if (next == NEXT_SKIP)
            continue;
        DP_TRY(try_unit(s, i, &outcome));
        if (outcome == TRAIN_LEFT || outcome == TRAIN_INTERRUPTED) {
            s->outcome = outcome == TRAIN_LEFT ? TUNE_LEFT : TUNE_INTERRUPTED;
            return comm_agree(s->group, comm_rank(s->group) == 0 ? run_leave_parts(s->job->run) : DP_OK);
        }
        DP_TRY_ALL(s->group, look_and_say(s));
    }
    return DP_OK;
}

/* A group that fails lets the others know, so that they do not work on for hours before all meet. */
static dp_status work_or_stop_all(Search *s)
{
    dp_status st = work(s);
    if (st == DP_OK)
        return DP_OK;
    dp_error why = *dp_error_last();
    if (comm_rank(s->group) == 0)
        run_leave_parts(s->job->run); /* the failure counts, whether or not they hear of it */
    return dp_fail_as(&why);
}

/* The figure of a trial: the mean of its folds, once all are there. Unit k of fold 0 is its first. */
static void take_mean(Search *s, int first, int round)
{
    int t = s->unit[first].trial, stride = s->n / s->folds;
    TuneResult mean = {.known = true};
    double squares = 0, steps = 0, best = 0;
    for (int k = first; k < s->n; k += stride) {
        const TuneResult *r = &s->result[k];
        if (!r->known)
            return;
        mean.value += r->value / s->folds;
        mean.seconds += r->seconds;
        steps += (double)r->steps / s->folds;
        best += (double)r->best_step / s->folds;
    }
    for (int k = first; k < s->n; k += stride)
        squares += (s->result[k].value - mean.value) * (s->result[k].value - mean.value);
    mean.steps = llround(steps);
    mean.best_step = llround(best);
    s->of_trial[t] = mean;
    s->error[t] = s->folds > 1 ? sqrt(squares / (s->folds - 1) / s->folds) : NAN;
    s->round_of[t] = round;
}

static void agree_on_leaving(Search *s)
{
    int64_t outcome = s->outcome;
    RunAsk asked = run_asked();
    if (asked >= RUN_ASK_LEAVE && outcome == TUNE_DONE)
        outcome = asked == RUN_ASK_INTERRUPT ? TUNE_INTERRUPTED : TUNE_LEFT;
    comm_max_i64(s->world, &outcome, 1);
    s->outcome = (TuneOutcome)outcome;
}

/* Collective over all ranks. */
static dp_status run_round(Search *s, int round)
{
    DP_TRY_ALL(s->world, list_units(s, round));
    DP_TRY_ALL(s->world, work_or_stop_all(s));
    agree_on_leaving(s);
    DP_TRY_ALL(s->world, look_and_say(s));
    comm_share(s->world, s->result, (size_t)s->n * sizeof *s->result, 0);
    for (int i = 0; i < s->n / s->folds; i++)
        take_mean(s, i, round);
    return DP_OK;
}

/* ---- end ---- */

static dp_status print_json_text(dp_buf *out, const char *text)
{
    DP_TRY(dp_buf_text(out, "\""));
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            DP_TRY(dp_buf_text(out, "\\"));
        DP_TRY(dp_buf_add(out, text, 1));
    }
    return dp_buf_text(out, "\"");
}

static dp_status print_trial(dp_buf *out, const Search *s, int t)
{
    const TuneResult *r = &s->of_trial[t];
    const TuneTrial *trial = &s->space.trials[t];
    DP_TRY(dp_buf_print(out, "{\"trial\":%d,\"round\":%d,\"metric\":\"%s\",\"value\":", t, s->round_of[t] + 1,
                        s->metric.name));
    DP_TRY(isfinite(r->value) ? dp_buf_print(out, "%.17g", r->value) : dp_buf_text(out, "null"));
    if (isfinite(s->error[t]))
        DP_TRY(dp_buf_print(out, ",\"error\":%.17g,\"folds\":%d", s->error[t], s->folds));
    DP_TRY(dp_buf_print(out, ",\"steps\":%lld,\"best_step\":%lld,\"seconds\":%.3f,\"values\":{", (long long)r->steps,
                        (long long)r->best_step, r->seconds));
    for (int i = 0; i < trial->n; i++) {
        const char *sign = strchr(trial->overrides[i], '=');
        DP_TRY(dp_buf_print(out, "%s\"%.*s\":", i ? "," : "", (int)(sign - trial->overrides[i]), trial->overrides[i]));
        DP_TRY(print_json_text(out, sign + 1));
    }
    return dp_buf_text(out, "}}\n");
}

static dp_status print_trials(dp_buf *out, const Search *s, const int *order)
{
    for (int i = 0; i < s->space.n_trials; i++)
        if (s->round_of[order[i]] >= 0)
            DP_TRY(print_trial(out, s, order[i]));
    return DP_OK;
}

static dp_status write_winner(const Search *s, TuneEnd *end)
{
    const TuneTrial *best = &s->space.trials[end->best];
    Config *config = NULL;
    dp_buf text = {0};
    dp_status st = DP_OK;
    DP_GO(config_vary(&config, s->job->config, (const char *const *)best->overrides, (size_t)best->n));
    DP_GO(config_print(config, &text));
    DP_GO(dp_publish_bytes(run_facts(s->job->run).folder, "best.yaml", text.data, text.size, DP_PUBLISH_REPLACE, NULL));
done:
    dp_buf_free(&text);
    config_free(&config);
    return st;
}

/* Rank 0: the files of the run. */
static dp_status write_end(const Search *s, TuneEnd *end, const int *order)
{
    const char *folder = run_facts(s->job->run).folder;
    DP_TRY(print_trials(&end->trials, s, order));
    if (end->trials.size > 0)
        DP_TRY(dp_publish_bytes(folder, "trials.jsonl", end->trials.data, end->trials.size, DP_PUBLISH_REPLACE, NULL));
    return end->best >= 0 ? write_winner(s, end) : DP_OK;
}

static dp_status finish(Search *s, TuneEnd *end)
{
    int *order = NULL;
    dp_status st = DP_OK;
    DP_GO_ALL(s->world, dp_new(&order, (size_t)s->space.n_trials));
    rank_trials(s, order);
    end->outcome = s->outcome;
    end->best = isnan(s->of_trial[order[0]].value) ? -1 : order[0];
    end->value = s->of_trial[order[0]].value;
    snprintf(end->path, sizeof end->path, "%s/best.yaml", run_facts(s->job->run).folder);
    DP_GO_ALL(s->world, comm_rank(s->world) == 0 ? write_end(s, end, order) : DP_OK);
    if (end->best < 0 && end->outcome == TUNE_DONE)
        DP_GO(dp_fail(DP_ERR_DATA, "tune-04",
                      "no trial has a figure: all diverged, or tune.time was over before one was done"));
done:
    dp_free(&order);
    return st;
}

dp_status tune_run(TuneEnd *end, const TuneJob *job, const Comm *comm)
{
    Search s = {.job = job, .world = comm, .began = dp_clock_seconds()};
    dp_status st = DP_OK;
    *end = (TuneEnd){.best = -1, .value = NAN};
    DP_GO_ALL(comm, bind_options(&s));
    s.rounds = count_rounds(&s.options);
    DP_GO(build_groups(&s));
    say_begin(&s);
    for (int round = 0; round < s.rounds && s.outcome == TUNE_DONE; round++)
        DP_GO(run_round(&s, round));
    DP_GO(finish(&s, end));
done:
    search_free(&s);
    return st;
}

void tune_end_free(TuneEnd *end)
{
    dp_buf_free(&end->trials);
}
