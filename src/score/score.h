/* score/score.h -- a model over a table: evaluation over the rows of a split, and nightly scores block by block. */
#ifndef DIPPER_SCORE_SCORE_H
#define DIPPER_SCORE_SCORE_H

#include "base/status.h"
#include "comm/comm.h"
#include "config/config.h"
#include "data/data.h"
#include "lake/lake.h"
#include "metric/metric.h"
#include "model/model.h"
#include "run/run.h"

/* ---- evaluate ---- */

/* Section "evaluate". */
typedef struct EvaluateOptions {
    CfgList metrics, slices;
    const char *revenue; /* column; NULL */
} EvaluateOptions;
extern const CfgRow evaluate_rows[];

typedef struct ScoreFigure {
    Metric metric;
    MetricValue value;
    char slice[96]; /* "office=41"; "" = all rows */
    int64_t rows, positives;
} ScoreFigure;
typedef struct ScoreReport {
    ScoreFigure *figures; /* all rows first, in the order of the config; then slices by name */
    int n;
} ScoreReport;
void score_report_free(ScoreReport *report);

/* Collective. The model's figures on one part of the data. */
dp_status score_evaluate(ScoreReport *report, const Model *model, Data *data, DataPart part,
                         const EvaluateOptions *options, const Comm *comm);
/* Collective. other - model, paired on the same rows, for each metric. */
dp_status score_compare(ScoreReport *differences, const Model *model, const Model *other, Data *data, DataPart part,
                        const EvaluateOptions *options, const Comm *comm);

/* ---- score ---- */

/* Section "data" and others of `kind: batch`. */
typedef struct BatchOptions {
    const char *table;
    const char *day;   /* "yesterday", "2026-11-18", "latest" ; rows of that day */
    const char *month; /* "latest", "2026-11" */
    const char *where; /* or a condition */
    CfgList use;       /* models */
    int64_t as_of;
    const char *write_table; /* "scores" */
    int64_t reasons;         /* contributions stored a row */
    int64_t top;             /* rows shown at the end */
} BatchOptions;
extern const CfgSection score_sections[];
extern const size_t score_sections_n;

typedef struct ScoreTop {
    char row[80];
    float score;
    struct {
        char column[65], value[65];
        float amount;
    } reason[5];
} ScoreTop;

typedef struct ScoreResult {
    int64_t rows, blocks, blocks_before; /* blocks_before: found done by an earlier start */
    int64_t snapshot;                    /* of the scores table */
    int64_t quarantined;
    ScoreTop *top; /* the riskiest rows, on rank 0 */
    int n_top;
    bool left, interrupted; /* asked to leave */
} ScoreResult;
void score_result_free(ScoreResult *result);

/* Collective. Scores the rows block by block; each block is published whole under one name that follows from (model
 * payload, table content, as-of, block), so a stopped run goes on and a repeated one adds nothing. The scores table
 * gets one delivery at the end. */
dp_status score_table(ScoreResult *result, const Model *model, const char *address, LakeTable *table, const char *lake,
                      const BatchOptions *options, Run *run, int threads, const Comm *comm);

extern const dp_help_row score_help[];

#endif
