/* tune/tune.h -- a search over values of a model's config: trials, each one training by the one loop, spread over
 * groups of ranks. Which trials there are, their figures and the winner are functions of config and data: the same on
 * any number of ranks, and after any stop. */
#ifndef DIPPER_TUNE_TUNE_H
#define DIPPER_TUNE_TUNE_H

#include "base/memory.h"
#include "base/status.h"
#include "comm/comm.h"
#include "config/config.h"
#include "device/device.h"
#include "lake/lake.h"
#include "model/model.h"
#include "run/run.h"

typedef enum TuneSearch { TUNE_RANDOM, TUNE_HALVING } TuneSearch;

/* Section "tune" of `kind: model`. */
typedef struct TuneOptions {
    CfgMap space;   /* key of the config -> TuneValues */
    int search;     /* TuneSearch */
    int64_t trials; /* the config as it stands is the first of them */
    double time;    /* seconds after which no trial is begun; 0: no limit */
    int64_t ranks;  /* of a group: they work at one trial together */
    int64_t cut;    /* halving: of so many trials one goes on to the next round */
    double least;   /* halving: share of the steps that the first round has at least */
    int64_t seed;
} TuneOptions;
/* What is tried for a key: "0.02 .. 0.3 log", or some values. */
typedef struct TuneValues {
    CfgList values;
} TuneValues;
extern const CfgRow tune_rows[];

/* Local. Adds a fault for each key of the space that cannot be tuned so, or whose values the config refuses. */
dp_status tune_check(Config *config);

typedef struct TuneJob {
    const Config *config; /* kind: model, good */
    LakeTable *table;
    Device *device;
    int threads;
    ModelLimits limits; /* of each rank */
    Run *run;
} TuneJob;

typedef enum TuneOutcome { TUNE_DONE, TUNE_LEFT, TUNE_INTERRUPTED } TuneOutcome;

typedef struct TuneEnd {
    TuneOutcome outcome;
    int best;       /* number of the best trial; -1: none has a figure */
    double value;   /* its figure */
    dp_buf trials;  /* on rank 0: a JSON object a line, those with a figure, best first */
    char path[512]; /* the winner's config */
} TuneEnd;
void tune_end_free(TuneEnd *end);

/* Collective. Goes on where an earlier start of the run was stopped: finished trials are not repeated, a trial that was
 * under way goes on from its checkpoint. Writes trials.jsonl and best.yaml, a config to train from, into the run's
 * folder. Fails DATA where no trial has a figure. */
dp_status tune_run(TuneEnd *end, const TuneJob *job, const Comm *comm);

extern const dp_help_row tune_help[];

#endif
