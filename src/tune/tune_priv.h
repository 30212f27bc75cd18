/* tune/tune_priv.h -- shared inside the room: space.c (what can be tried), queue.c (who tries it, and the results),
 * trial.c (one training), tune.c (rounds, the table, the winner). */
#ifndef DIPPER_TUNE_PRIV_H
#define DIPPER_TUNE_PRIV_H

#include "data/data.h"
#include "metric/metric.h"
#include "model/model.h"
#include "train/train.h"
#include "tune/tune.h"

/* ---- space.c ---- */

typedef struct TuneKey {
    const char *key; /* "model.depth" */
    CfgList values;  /* where it is no range */
    bool range, log, whole;
    double low, high;
} TuneKey;

/* One set of values; strings are owned. The first trial of a search changes nothing. */
typedef struct TuneTrial {
    int number, n;
    char **overrides; /* [n] "model.depth=7" */
    char *data;       /* those of them that change what is read: equal texts, equal data */
} TuneTrial;

typedef struct TuneSpace {
    TuneKey *keys;
    int n;
    TuneTrial *trials;
    int n_trials;
} TuneSpace;

/* Local. The keys, checked against the config; then at most options->trials trials, no two the same. */
dp_status tune_space_build(TuneSpace *space, const Config *config, const TuneOptions *options);
void tune_space_free(TuneSpace *space);
/* Local. Checks one entry of tune.space. Fails CONFIG. */
dp_status tune_key_of(TuneKey *key, const Config *config, const CfgEntry *entry);

/* ---- queue.c ---- */

/* One training: a trial in a round. */
typedef struct TuneUnit {
    int trial, fold, round; /* fold: SplitOptions.fold */
    double share;           /* of the trial's steps, after which it pauses; 1: none */
} TuneUnit;

typedef struct TuneResult {
    bool known, stopped; /* stopped: more steps would change nothing */
    double value;        /* NaN: none, the trial diverged or its values do not go together */
    int64_t steps, best_step;
    double seconds;
} TuneResult;

/* Local. The name of the unit's part of the run; out holds 64 bytes. */
void tune_unit_name(char *out, const TuneUnit *unit);
/* Local. Reads what was found; result->known false where there is nothing. */
dp_status tune_result_read(TuneResult *result, const Run *run, const TuneUnit *unit);
dp_status tune_result_write(const TuneResult *result, const Run *part, const TuneUnit *unit);

/* ---- trial.c ---- */

/* What a group keeps from one trial to the next. */
typedef struct TuneBench {
    const TuneJob *job;
    const Comm *comm; /* the group's */
    Data *data;
    char *of; /* which data: TuneTrial.data */
    int fold;
    ModelReady ready;
} TuneBench;
void tune_bench_free(TuneBench *bench);
/* Collective over the group. part: of the unit, open. *outcome LEFT or INTERRUPTED: there is no result. */
dp_status tune_try(TuneResult *result, TrainOutcome *outcome, TuneBench *bench, const TuneTrial *trial,
                   const TuneUnit *unit, Run *part);

#endif
