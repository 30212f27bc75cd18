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
    int part;            /* DataPart */
    int64_t repeats;     /* of each column's permutation, for importance */
    int64_t points;      /* of a column, for dependence */
} EvaluateOptions;
extern const CfgRow evaluate_rows[];
/* Local. Are the metrics metrics, and is there a revenue column where one needs it? Fails CONFIG. */
dp_status score_evaluate_check(const EvaluateOptions *options);

/* Local. Are the columns of slices and revenue there, and of a type that can be one? To be asked before training, not
 * after it. Fails CONFIG. */
dp_status score_evaluate_fits(const EvaluateOptions *options, const Data *data);

typedef struct ScoreFigure {
    Metric metric;
    MetricValue value;
    char slice[96];          /* "office=41"; "" = all rows */
    int64_t rows, positives; /* positives: -1 of classes */
} ScoreFigure;
/* A slice is judged where it has this many rows of each class; on fewer a figure says nothing. */
enum { SCORE_SLICE_MIN = 20, SCORE_SLICES_MAX = 1000 };
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

/* ---- understand ---- */

enum { SCORE_REPEATS_MAX = 100, SCORE_POINTS_MAX = 100 };

typedef struct ScoreImportance {
    char column[65];
    double drop, error; /* what the metric loses, the mean of the repeats; its standard error, NaN of one repeat */
} ScoreImportance;
typedef struct ScoreImportances {
    ScoreImportance *column; /* [n] as the model's inputs */
    int n;
    double base; /* the metric as it is */
} ScoreImportances;
void score_importances_free(ScoreImportances *importances);
/* Collective. What the metric loses when the values of a column change places among the rows of a part; drawn by
 * counter, so the same on any number of ranks. metric: not revenue. repeats: 1 .. SCORE_REPEATS_MAX. Source: Breiman,
 * "Random forests", Machine Learning 45 (2001), section 10. */
dp_status score_importance(ScoreImportances *out, const Model *model, Data *data, DataPart part, const Metric *metric,
                           int repeats, uint64_t seed, const Comm *comm);

typedef struct ScorePoint {
    char value[2][65];
    int64_t rows[2]; /* of the part that have each value, or lie between the point before and this one */
    double mean;     /* score of all rows, had they these values */
} ScorePoint;
typedef struct ScoreDependence {
    char column[2][65];
    int columns, n;
    ScorePoint *point; /* [n] the second column runs faster */
} ScoreDependence;
void score_dependence_free(ScoreDependence *dependence);
/* Collective. The mean score over one or two columns' values: dependence.c. points: of a column, 2 ..
 * SCORE_POINTS_MAX. Fails CONFIG where the model has no such column. */
dp_status score_dependence(ScoreDependence *out, const Model *model, Data *data, DataPart part,
                           const char *const *columns, int n_columns, int points, const Comm *comm);

/* ---- score ---- */

enum { SCORE_REASONS_MAX = 20, SCORE_MODELS_MAX = 16 };

/* Sections "data", "models" and "write" of `kind: batch`. */
typedef struct BatchOptions {
    const char *table;
    const char *day;         /* "yesterday", "2026-11-18", "latest": rows of that day */
    const char *month;       /* "latest", "2026-11" */
    const char *time_zone;   /* whose days and months are meant; NULL: UTC */
    const char *where;       /* a condition, joined with the others by and */
    CfgList use;             /* models */
    int64_t as_of;           /* read the table as it was known then; DP_TIME_MISSING: all that is recorded */
    const char *write_table; /* "scores" */
    int64_t reasons;         /* contributions stored a row */
    int64_t top;             /* rows shown at the end */
} BatchOptions;
extern const CfgSection score_sections[];
extern const size_t score_sections_n;

/* Local. Fills the options from a config of kind batch and adds faults to it (a day that is no date). Strings belong to
 * the config. */
dp_status score_options(BatchOptions *options, Config *config);

/* Which rows are wanted, once the table is known. */
typedef struct ScoreWanted {
    char where[512];  /* "" = all */
    int64_t from, to; /* the period, to excluded; DP_TIME_MISSING: none was named */
    int64_t as_of;    /* to read with; DP_TIME_MISSING: everything recorded */
    int64_t stamp;    /* the as-of written beside each score: as_of, else the period's end, else the latest row */
    char label[32];   /* "2026-11-19", "2026-11", "all rows" */
} ScoreWanted;
/* Local. `today`: the moment whose day before is "yesterday", microseconds. Fails USAGE where the table has no time
 * column, NO_INPUT where it has no rows. */
dp_status score_wanted(ScoreWanted *wanted, const BatchOptions *options, const LakeTable *table, int64_t today);

/* A model at work; `address` ("risk:15") is written beside each score. Both are borrowed. */
typedef struct ScoreModel {
    const Model *model;
    const char *address;
} ScoreModel;

/* Local. Writes what was settled into the resolved config: which day or month "latest" was, in whose time zone, which
 * version each model is. */
dp_status score_settle(Config *config, const BatchOptions *options, const ScoreWanted *wanted, const ScoreModel *models,
                       int n);

typedef struct ScoreTop {
    char row[80], class_name[65]; /* class_name: "" where there are none */
    float score;
    struct {
        char column[65], value[65];
        float amount;
    } reason[5];
} ScoreTop;

/* What one model gave. */
typedef struct ScoreGiven {
    int64_t snapshot;      /* of the scores table */
    int64_t blocks_before; /* found done by an earlier start */
    bool known;            /* these scores are in the table already: nothing was added */
    ScoreTop *top;         /* the riskiest rows, on rank 0 */
    int n_top;
} ScoreGiven;

typedef struct ScoreResult {
    int64_t rows, blocks; /* of the table */
    int64_t binned;       /* of the rows: scored from stored bins */
    double sync_seconds;  /* the most that a rank spent in fsync */
    ScoreGiven given[SCORE_MODELS_MAX];
    int n;                  /* models */
    bool left, interrupted; /* asked to leave */
} ScoreResult;
void score_result_free(ScoreResult *result);

typedef struct ScoreJob {
    ScoreModel models[SCORE_MODELS_MAX];
    int n; /* models */
    LakeTable *table;
    const char *lake; /* folder of the scores table */
    const BatchOptions *options;
    const ScoreWanted *wanted;
    LakeCompress compress;
    int threads;
} ScoreJob;
/* Collective. One pass over the rows for all models; a column that several want is read once. Block by block: each is
 * published whole under one name that follows from (model payload, table content, as-of, block), so a stopped run goes
 * on and a repeated one adds nothing. The scores table gets one delivery a model at the end. */
dp_status score_table(ScoreResult *result, const ScoreJob *job, const Comm *comm);

/* ---- bins ---- */

typedef struct ScoreBins {
    int partitions;
    int64_t made, bytes; /* partitions that got bins now; bytes of all bins of the model in the snapshot */
    int features;
} ScoreBins;
/* Collective. Stores the bins of the model for every partition of the snapshot that lacks them. score_table then reads
 * them instead of the columns, to the same scores, where it runs this model alone and without reasons. Fails USAGE
 * where the model has no bins, DATA where the table does not fit it. */
dp_status score_bins(ScoreBins *result, LakeTable *table, const Model *model, int threads, const Comm *comm);

extern const dp_help_row score_help[];

#endif
