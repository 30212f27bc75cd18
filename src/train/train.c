/* The one loop: step, validate, stop, save, listen to signals. What a step is (a tree, a batch) only the model knows.
 *
 * Everything that decides how learning goes on is a function of the steps done: validations stand at multiples of
 * `every`, the best one so far is part of the checkpoint. So a run that was stopped and taken up again, at whatever
 * step, ends with the bits of one that never stopped. */
#include "train/train.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "metric/metric.h"

/* What the validations have shown so far; part of the checkpoint. */
typedef struct Judged {
    int64_t step, best_step; /* of the last validation; of the best */
    double best;             /* NaN: none yet */
    double train, valid;     /* losses at the best step */
} Judged;

enum { STATE_MARK = 0x31545044, TABLE_ROWS = 10, FORETOLD_BY = 10 /* steps */ }; /* "DPT1" */
typedef struct StateHead {
    uint32_t mark, head_bytes;
    Judged judged;
} StateHead;

/* Rows of one part on this rank, and where they stand among the data's rows. */
typedef struct Part {
    int64_t n, n_all; /* here; over all ranks */
    int64_t *at;
    int8_t *label;
    double *target;            /* NULL: labels are no numbers */
    uint8_t *class_id, *guess; /* NULL: labels are no classes */
    uint64_t *row, *group;     /* group NULL: there are none */
    double *revenue;           /* NULL: no metric asks for it */
    float *score;
    dp_shelf *shelf; /* of these arrays: the data's */
} Part;
/* Rows scored at a time. */
enum { BLOCK = 1 << 14 };

typedef struct Loop {
    Model *model;
    Data *data;
    const TrainOptions *options;
    Run *run;
    const Comm *comm;
    Metric loss, stop;
    Part train, valid;
    float *score; /* [BLOCK][outputs] */
    Judged judged;
    dp_buf state;
    double began, saved; /* clock: first step here; last checkpoint */
    int64_t began_at;    /* step */
    bool diverged, table_open, foretold;
    char unit[32]; /* "trees" */
} Loop;

static void part_free(Part *part)
{
    dp_shelf_free(part->shelf, &part->at);
    dp_shelf_free(part->shelf, &part->label);
    dp_shelf_free(part->shelf, &part->target);
    dp_shelf_free(part->shelf, &part->class_id);
    dp_shelf_free(part->shelf, &part->guess);
    dp_shelf_free(part->shelf, &part->row);
    dp_shelf_free(part->shelf, &part->group);
    dp_shelf_free(part->shelf, &part->revenue);
    dp_shelf_free(part->shelf, &part->score);
}

static dp_status part_build(Part *part, const Data *data, DataPart which)
{
    const uint8_t *parts = data_part(data);
    int64_t n = data_rows_n(data);
    part->shelf = data_shelf(data);
    for (int64_t i = 0; i < n; i++) {
        dp_shelf_step(part->shelf, i);
        part->n += parts[i] == which;
    }
    DP_TRY(dp_shelf_new(part->shelf, &part->at, (size_t)part->n));
    DP_TRY(dp_shelf_new(part->shelf, &part->label, (size_t)part->n));
    if (data_target(data))
        DP_TRY(dp_shelf_new(part->shelf, &part->target, (size_t)part->n + 1)); /* not NULL without rows */
    if (data_class_id(data)) {
        DP_TRY(dp_shelf_new(part->shelf, &part->class_id, (size_t)part->n + 1));
        DP_TRY(dp_shelf_new(part->shelf, &part->guess, (size_t)part->n + 1));
    }
    DP_TRY(dp_shelf_new(part->shelf, &part->row, (size_t)part->n));
    if (data_group(data))
        DP_TRY(dp_shelf_new(part->shelf, &part->group, (size_t)part->n + 1));
    DP_TRY(dp_shelf_new(part->shelf, &part->score, (size_t)part->n));
    for (int64_t i = 0, k = 0; i < n; i++) {
        dp_shelf_step(part->shelf, i);
        if (parts[i] == which) {
            part->at[k] = i;
            part->label[k] = data_label(data)[i];
            if (part->target)
                part->target[k] = data_target(data)[i];
            if (part->group)
                part->group[k] = data_group(data)[i];
            if (part->class_id)
                part->class_id[k] = data_class_id(data)[i];
            part->row[k++] = data_row(data)[i];
        }
    }
    return DP_OK;
}

static dp_status loop_build(Loop *loop)
{
    static const struct {
        const char *shown;
        DataKind learns;
    } of_loss[] = {[TRAIN_LOGLOSS] = {"logloss", DATA_FLAG},
                   [TRAIN_SQUARED] = {"rmse", DATA_NUMBER},
                   [TRAIN_SOFTMAX] = {"logloss", DATA_CLASS},
                   [TRAIN_RANKING] = {"ndcg@10", DATA_NUMBER}};
    const DataKind kind = data_kind(loop->data), learns = of_loss[loop->options->loss].learns;
    DP_TRY(train_options_check(loop->options));
    if (learns != kind)
        return dp_fail(DP_ERR_CONFIG, "train-03", "train.loss: %s learns %s, and data.label is %s",
                       train_loss_names[loop->options->loss], data_kind_name(learns), data_kind_name(kind));
    DP_TRY(metric_parse(&loop->loss, of_loss[loop->options->loss].shown));
    DP_TRY(metric_parse(&loop->stop, loop->options->stop_metric));
    size_t outputs = kind == DATA_CLASS ? (size_t)data_classes(loop->data)->n : 1;
    DP_TRY(dp_new(&loop->score, BLOCK * outputs));
    DP_TRY(part_build(&loop->train, loop->data, DATA_TRAIN));
    DP_TRY(part_build(&loop->valid, loop->data, DATA_VALID));
    DataFacts facts = data_facts(loop->data);
    loop->train.n_all = facts.rows[DATA_TRAIN];
    loop->valid.n_all = facts.rows[DATA_VALID];
    snprintf(loop->unit, sizeof loop->unit, "%ss", model_step_name(loop->model));
    loop->judged = (Judged){.best = NAN, .train = NAN, .valid = NAN};
    return DP_OK;
}

/* Collective. What inspections of the valid rows recovered, where the stop metric asks for it. */
static dp_status read_revenue(Loop *loop)
{
    Part *valid = &loop->valid;
    if (loop->stop.kind != METRIC_REVENUE_AT)
        return DP_OK;
    /* not NULL on a rank without rows */
    DP_TRY_ALL(loop->comm, dp_shelf_new(valid->shelf, &valid->revenue, (size_t)valid->n + 1));
    return data_revenue(loop->data, loop->options->revenue, valid->at, valid->n, valid->revenue, loop->comm);
}

static void loop_free(Loop *loop)
{
    part_free(&loop->train);
    part_free(&loop->valid);
    dp_free(&loop->score);
    dp_buf_free(&loop->state);
}

/* ---- checkpoints ---- */

static dp_status save_state(Loop *loop)
{
    StateHead head = {STATE_MARK, sizeof head, loop->judged};
    loop->state.size = 0;
    DP_TRY(dp_buf_add(&loop->state, &head, sizeof head));
    return model_state_save(loop->model, &loop->state);
}

static dp_status save(Loop *loop)
{
    dp_status mine = comm_rank(loop->comm) == 0 ? save_state(loop) : DP_OK;
    DP_TRY_ALL(loop->comm, mine);
    DP_TRY(run_checkpoint_save(loop->run, model_steps(loop->model), loop->state.data, loop->state.size, loop->comm));
    loop->saved = dp_clock_seconds();
    return DP_OK;
}

static dp_status resume(Loop *loop, int64_t *resumed_at)
{
    char *state = NULL;
    size_t size = 0;
    StateHead head;
    dp_status st = DP_OK;
    DP_GO(run_checkpoint_load(loop->run, resumed_at, &state, &size, loop->comm));
    if (size == 0) {
        *resumed_at = 0;
        goto done;
    }
    if (size >= sizeof head)
        memcpy(&head, state, sizeof head);
    if (size < sizeof head || head.mark != STATE_MARK || head.head_bytes != sizeof head)
        DP_GO(dp_fail(DP_ERR_DATA, "train-02",
                      "the checkpoint of run %s at step %lld is of another kind; remove the run and start again",
                      run_facts(loop->run).id, (long long)*resumed_at));
    loop->judged = head.judged;
    DP_GO(model_state_load(loop->model, state + sizeof head, size - sizeof head, loop->comm));
    dp_say(comm_log(loop->comm), DP_INFO, "resume", "from %s %lld of %lld", model_step_name(loop->model),
           (long long)model_steps(loop->model), (long long)model_steps_max(loop->model));
done:
    dp_free(&state);
    return st;
}

/* ---- validation ---- */

static double rows_per_second(const Loop *loop)
{
    double seconds = dp_clock_seconds() - loop->began;
    int64_t steps = model_steps(loop->model) - loop->began_at;
    return seconds > 0 ? (double)loop->train.n_all * (double)steps / seconds : 0;
}

static double seconds_left(const Loop *loop)
{
    int64_t done = model_steps(loop->model) - loop->began_at;
    int64_t left = model_steps_max(loop->model) - model_steps(loop->model);
    return done > 0 ? (dp_clock_seconds() - loop->began) / (double)done * (double)left : -1;
}

static void print_json_number(char *out, double value)
{
    if (isfinite(value))
        snprintf(out, 32, "%.17g", value);
    else
        snprintf(out, 32, "null");
}

static dp_status note_metrics(Loop *loop, double train, double valid, double value)
{
    char text[4][32], line[400];
    print_json_number(text[0], train);
    print_json_number(text[1], valid);
    print_json_number(text[2], value);
    print_json_number(text[3], rows_per_second(loop));
    snprintf(line, sizeof line,
             "{\"%s\":%lld,\"train_%s\":%s,\"valid_%s\":%s,\"valid_%s\":%s,\"rows_per_s\":%s,\"start\":%d}",
             model_step_name(loop->model), (long long)model_steps(loop->model), loop->loss.name, text[0],
             loop->loss.name, text[1], loop->stop.name, text[2], text[3], run_facts(loop->run).restarts);
    return run_metric(loop->run, line);
}

/* A row of the table on the screen: losses, stop metric, speed, and a last word. */
static void say_row(Loop *loop, int64_t step, const Judged *at, double value, const char *last)
{
    char label[16], rate[16], name[32];
    const dp_log *log = comm_log(loop->comm);
    if (!loop->table_open) {
        snprintf(label, sizeof label, "%7s", model_step_name(loop->model));
        snprintf(name, sizeof name, "%s", loop->stop.name);
        for (char *c = name; *c; c++)
            *c = *c == '_' ? ' ' : *c;
        dp_say(log, DP_INFO, label, "   train   valid%20s   rows/s    left", name);
    }
    loop->table_open = true;
    double per_s = rows_per_second(loop);
    snprintf(rate, sizeof rate, per_s >= 1e6 ? "%.1f M" : "%.0f k", per_s >= 1e6 ? per_s / 1e6 : per_s / 1e3);
    snprintf(label, sizeof label, "%7lld", (long long)step);
    dp_say(log, DP_INFO, label, "%8.4f%8.4f%20.3f%9s    %s", at->train, at->valid, value, rate, last);
}

/* The part's rows among from .. from + n - 1 of the data, whose scores lie in loop->score; *next walks through them. */
static void gather(const Loop *loop, Part *part, int64_t from, int64_t n, int64_t *next)
{
    const int outputs = model_outputs(loop->model);
    for (; *next < part->n && part->at[*next] < from + n; ++*next)
        model_judge(loop->model, loop->score + (part->at[*next] - from) * outputs,
                    part->class_id ? part->class_id + *next : NULL, 1, part->score + *next,
                    part->guess ? part->guess + *next : NULL);
}

/* Scores of both parts; are they all finite? */
static bool score_parts(Loop *loop)
{
    Part *const parts[] = {&loop->train, &loop->valid};
    int64_t next[2] = {0, 0}, rows = data_rows_n(loop->data);
    bool finite = true;
    for (int64_t from = 0; from < rows; from += BLOCK) {
        int64_t n = rows - from < BLOCK ? rows - from : BLOCK;
        dp_shelf_rest(data_shelf(loop->data));
        model_scores(loop->model, from, n, loop->score);
        for (int p = 0; p < 2; p++)
            gather(loop, parts[p], from, n, &next[p]);
    }
    for (int p = 0; p < 2; p++)
        for (int64_t i = 0; i < parts[p]->n; i++) {
            dp_shelf_step(parts[p]->shelf, i);
            finite = finite && isfinite(parts[p]->score[i]);
        }
    return finite;
}

static dp_status value_of(double *value, const Metric *metric, const Part *part, const Loop *loop)
{
    MetricRows rows = {.score = part->score,
                       .label = part->label,
                       .target = part->target,
                       .class_id = part->class_id,
                       .guess = part->guess,
                       .classes = data_classes(loop->data)->n,
                       .row = part->row,
                       .group = part->group,
                       .revenue = part->revenue,
                       .n = part->n,
                       .shelf = part->shelf};
    return metric_value(value, metric, &rows, loop->comm);
}

static dp_status validate(Loop *loop)
{
    int64_t step = model_steps(loop->model), max = model_steps_max(loop->model);
    int64_t table_every = (max / TABLE_ROWS + loop->options->every - 1) / loop->options->every * loop->options->every;
    Judged now = {.step = step, .valid = NAN};
    double value = NAN;
    loop->judged.step = step;
    loop->diverged = comm_any(loop->comm, !score_parts(loop));
    if (loop->diverged)
        return DP_OK;
    DP_TRY(value_of(&now.train, &loop->loss, &loop->train, loop));
    if (loop->valid.n_all > 0) {
        DP_TRY(value_of(&now.valid, &loop->loss, &loop->valid, loop));
        DP_TRY(value_of(&value, &loop->stop, &loop->valid, loop));
    }
    DP_TRY_ALL(loop->comm, note_metrics(loop, now.train, now.valid, value));
    bool first = isnan(loop->judged.best);
    bool better = loop->stop.higher_is_better ? value > loop->judged.best : value < loop->judged.best;
    if (!isnan(value) && (first || better))
        loop->judged = (Judged){step, step, value, now.train, now.valid};
    if (table_every > 0 && step % table_every == 0 && step < max) {
        char left[32];
        dp_duration_print(left, seconds_left(loop));
        say_row(loop, step, &now, value, left);
    }
    return DP_OK;
}

/* Once, after the first steps of this start: how long all of them will take at most. */
static void foretell(Loop *loop)
{
    char took[32], left[32];
    int64_t step = model_steps(loop->model), done = step - loop->began_at, max = model_steps_max(loop->model);
    if (loop->foretold || done < FORETOLD_BY || step >= max)
        return;
    loop->foretold = true;
    dp_duration_print(took, dp_clock_seconds() - loop->began);
    dp_duration_print(left, seconds_left(loop));
    dp_say(comm_log(loop->comm), DP_INFO, "", "%lld %s took %s: at most %s more for all %lld", (long long)done,
           loop->unit, took, left, (long long)max);
}

static bool is_worn_out(const Loop *loop)
{
    return loop->options->patience > 0 && !isnan(loop->judged.best) &&
           model_steps(loop->model) - loop->judged.best_step >= loop->options->patience;
}

/* ---- the loop ---- */

/* What the ranks were asked, and whether a checkpoint is due on rank 0's clock: the same answer on every rank. */
static RunAsk ask_all(const Loop *loop, bool *due)
{
    bool mine = comm_rank(loop->comm) == 0 && dp_clock_seconds() - loop->saved >= loop->options->checkpoint_every;
    int64_t asked[2] = {run_asked_of(loop->run), mine};
    comm_max_i64(loop->comm, asked, 2);
    *due = asked[1] || asked[0] == RUN_ASK_SAVE;
    return (RunAsk)asked[0];
}

static dp_status learn(Loop *loop, TrainOutcome *outcome)
{
    bool more = true, due;
    for (;;) {
        int64_t max = model_steps_max(loop->model), last = model_steps(loop->model);
        RunAsk asked = ask_all(loop, &due);
        if (asked >= RUN_ASK_LEAVE) {
            *outcome = asked == RUN_ASK_INTERRUPT ? TRAIN_INTERRUPTED : TRAIN_LEFT;
            return save(loop);
        }
        if (due && last > loop->began_at)
            DP_TRY(save(loop));
        *outcome = is_worn_out(loop) ? TRAIN_STOPPED : TRAIN_DONE;
        if (!more || last >= max || *outcome == TRAIN_STOPPED)
            return DP_OK;
        if (loop->options->pause_at > 0 && last >= loop->options->pause_at) {
            *outcome = TRAIN_PAUSED;
            return save(loop);
        }
        DP_TRY(model_step(loop->model, &more, loop->comm));
        int64_t step = model_steps(loop->model);
        foretell(loop);
        if ((step % loop->options->every == 0 || !more || step >= max) && step > loop->judged.step)
            DP_TRY(validate(loop));
        if (loop->diverged) {
            *outcome = TRAIN_DIVERGED;
            return DP_OK;
        }
        dp_show(comm_log(loop->comm),
                &(dp_progress){"train", loop->unit, (double)step, (double)max,
                               (double)(step - loop->began_at) / (dp_clock_seconds() - loop->began + 1e-9),
                               seconds_left(loop)});
    }
}

static dp_status finish(Loop *loop, TrainEnd *end)
{
    char last[64];
    int64_t steps = model_steps(loop->model), kept = steps;
    if (loop->options->patience > 0 && !isnan(loop->judged.best) && loop->judged.best_step < steps) {
        kept = loop->judged.best_step;
        model_cut(loop->model, kept);
    }
    if (loop->options->patience > 0)
        snprintf(last, sizeof last, "best; %s at %lld", end->outcome == TRAIN_STOPPED ? "stopped" : "done",
                 (long long)steps);
    else
        snprintf(last, sizeof last, "best; all %lld are kept", (long long)steps);
    if (!isnan(loop->judged.best))
        say_row(loop, loop->judged.best_step, &loop->judged, loop->judged.best, last);
    end->best_step = kept;
    return model_finish(loop->model, loop->comm);
}

int64_t train_memory_need(const Model *model, const Data *data, int ranks)
{
    /* Of each row the loop keeps place, label, class and guess, identity and score among its part. */
    int64_t row = sizeof(int64_t) + sizeof(int8_t) + 2 * sizeof(uint8_t) + sizeof(uint64_t) + sizeof(float);
    return model_memory_need(model, data, ranks) + data_rows_n(data) * row;
}

dp_status train_run(TrainEnd *end, Model *model, Data *data, const TrainOptions *options, Run *run, const Comm *comm)
{
    Loop loop = {.model = model, .data = data, .options = options, .run = run, .comm = comm};
    double start = dp_clock_seconds();
    dp_status st = DP_OK;
    *end = (TrainEnd){.best = NAN};
    DP_GO_ALL(comm, loop_build(&loop));
    if (options->loss == TRAIN_RANKING)
        model_rank(model);
    DP_GO(read_revenue(&loop));
    DP_GO(model_begin(model, data, comm));
    end->begin_s = dp_clock_seconds() - start;
    DP_GO(resume(&loop, &end->resumed_at));
    loop.began = loop.saved = dp_clock_seconds();
    loop.began_at = model_steps(model);
    if (end->resumed_at == 0 && loop.began_at > 0) /* a model to go on from: what is learned must be better */
        DP_GO(validate(&loop));
    DP_GO(learn(&loop, &end->outcome));
    end->steps = model_steps(model);
    end->best = loop.judged.best;
    if (end->outcome == TRAIN_DONE || end->outcome == TRAIN_STOPPED)
        DP_GO(finish(&loop, end));
    end->train_s = dp_clock_seconds() - loop.began;
done:
    loop_free(&loop);
    return st;
}
