/* train/train.h -- the one training loop of all families: validation, stopping, checkpoints, signals, progress. */
#ifndef DIPPER_TRAIN_TRAIN_H
#define DIPPER_TRAIN_TRAIN_H

#include "base/status.h"
#include "comm/comm.h"
#include "config/config.h"
#include "data/data.h"
#include "model/model.h"
#include "run/run.h"

typedef enum TrainLoss { TRAIN_LOGLOSS, TRAIN_SQUARED, TRAIN_SOFTMAX, TRAIN_RANKING } TrainLoss;
extern const char *const train_loss_names[];

/* Section "train". */
typedef struct TrainOptions {
    int loss;                /* TrainLoss: what learning lowers, shown beside the stop metric (of numbers: rmse) */
    const char *stop_metric; /* stop.metric, on the valid rows */
    int64_t patience;        /* steps without a better one; 0: no early stop, all steps are kept */
    int64_t every;           /* steps between validations */
    double checkpoint_every; /* seconds */
    int64_t seed;
    const char *from; /* address of a model to go on from; "" or NULL: begin anew */
    /* Not of the section. */
    int64_t pause_at;    /* steps after which to save and pause; 0: never */
    const char *revenue; /* evaluate.revenue: the column that stop.metric revenue@5% needs; NULL */
    bool grouped;        /* does data.group name columns? */
} TrainOptions;
extern const CfgRow train_rows[];

typedef enum TrainOutcome {
    TRAIN_DONE,        /* all steps */
    TRAIN_STOPPED,     /* early: no better for `patience` steps; the model is cut to the best */
    TRAIN_LEFT,        /* asked to save and leave (85) */
    TRAIN_INTERRUPTED, /* Ctrl-C: saved (130) */
    TRAIN_PAUSED,      /* at options.pause_at: saved; another call goes on */
    TRAIN_DIVERGED     /* the loss is not finite */
} TrainOutcome;

typedef struct TrainEnd {
    TrainOutcome outcome;
    int64_t best_step;
    int64_t steps;  /* learned, those after the best included */
    double best;    /* of the stop metric on valid; NaN without valid rows */
    double begin_s; /* reading and binning the data */
    double train_s;
    int64_t resumed_at; /* step of the checkpoint it went on from; 0: from the start */
} TrainEnd;

/* Local. Is stop.metric a metric that goes with the loss, and is there a revenue column where it needs one? Fails
 * CONFIG, for `dipper check`. */
dp_status train_options_check(const TrainOptions *options);

/* Local. Bytes that learning from the data takes on this rank, beside what the process holds already, when nothing
 * limits it. ranks: of the job. */
int64_t train_memory_need(const Model *model, const Data *data, int ranks);

/* Collective. Goes on from the newest whole checkpoint of the run, if any. The model is finished (ready to predict)
 * when the outcome is DONE or STOPPED. */
dp_status train_run(TrainEnd *end, Model *model, Data *data, const TrainOptions *options, Run *run, const Comm *comm);

extern const dp_help_row train_help[];

#endif
