/* metric/metric.h -- scores of the field, computed over ranks and equal to the last bit on any number of them.
 *
 * Every measure works on (score, label, weight 1) of this rank's rows. Rows are brought together by sorting the scores
 * over ranks, never gathered on one; sums are integers or ExactSum. Higher score = riskier. */
#ifndef DIPPER_METRIC_METRIC_H
#define DIPPER_METRIC_METRIC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/spill.h"
#include "base/status.h"
#include "comm/comm.h"

/* A figure with its 95 % interval. NaN where it has no meaning (one class only). */
typedef struct MetricValue {
    double value, low, high;
} MetricValue;

typedef struct MetricRows {
    const float *score;   /* [n] finite; probabilities for logloss, brier, calibration */
    const int8_t *label;  /* [n] 1, 0 */
    const double *target; /* [n] what the score should be, for rmse and mae; NULL: labels are no numbers */
    /* Of several classes: the row's own, 0 .. classes - 1, and the one that the model takes it for; score is the chance
     * that the model gives to its own. NULL, 0: labels are no classes. Not NULL on a rank without rows. */
    const uint8_t *class_id, *guess;
    int classes;
    const uint64_t *row;   /* [n] identity of the row: decides ties and the bootstrap, hence not the rank */
    const double *revenue; /* [n] what an inspection recovers, NaN counts 0; not NULL on a rank without rows.
                              NULL: there is no such column, and revenue@ fails USAGE */
    const uint64_t *group; /* [n] hash of the group that a row is ranked in; not NULL on a rank without rows. NULL:
                              there are none, and ndcg@ fails USAGE */
    int64_t n;             /* rows on this rank, may be 0 */
    const dp_shelf *shelf; /* where the arrays lie, to be let go of; NULL: memory */
} MetricRows;

/* Parsed form of "auc", "average_precision", "precision@5%", "recall@1%", "revenue@5%" (the share of all that
 * inspections recover which the cut does), "logloss", "brier", "calibration", "rmse", "mae", "ndcg@10" or "ndcg@5%" (of
 * the first 10 or 5 % of each group: the mean over the groups with a gain; a row's gain is its target, or its label);
 * of classes "logloss", "accuracy", "macro_f1". */
typedef struct Metric {
    char name[32];
    enum {
        METRIC_AUC,
        METRIC_AVERAGE_PRECISION,
        METRIC_PRECISION_AT,
        METRIC_RECALL_AT,
        METRIC_REVENUE_AT,
        METRIC_LOGLOSS,
        METRIC_BRIER,
        METRIC_CALIBRATION,
        METRIC_RMSE,
        METRIC_MAE,
        METRIC_NDCG,
        METRIC_ACCURACY,
        METRIC_MACRO_F1
    } kind;
    double cut;  /* share of the rows that are inspected, for the @ kinds */
    int64_t top; /* ndcg@10: so many rows of a group; 0: the share of them */
    int higher_is_better;
} Metric;

/* Local. Fails DP_ERR_CONFIG with the nearest name. */
dp_status metric_parse(Metric *metric, const char *text);

/* What labels are. */
typedef enum MetricLabels { METRIC_FLAGS, METRIC_NUMBERS, METRIC_CLASSES } MetricLabels;
/* Local. Does it measure such labels? Which metrics do, in words. */
bool metric_measures(const Metric *metric, MetricLabels labels);
extern const char *const metric_names_of[];

/* Collective. value with interval: AUC by DeLong's variance (DeLong, DeLong & Clarke-Pearson, Biometrics 44 (1988),
 * in the fast form of Sun & Xu, IEEE SPL 21 (2014)); the others by a Poisson bootstrap over row identities
 * (counter-based, so the same on any rank count; 200 replicates). AUC: ties half. Average precision: step-wise, ties
 * one threshold (as scikit-learn). precision@k: the k = round(cut * n) highest, ties by row identity. calibration:
 * expected calibration error over 15 equal-count bins. logloss clips at 1e-15. macro_f1: the mean of 2 hits / (rows of
 * the class + rows taken for it) over the classes that have either (as scikit-learn).
 * Fails DP_ERR_USAGE on a non-finite score, naming the row. */
dp_status metric_compute(MetricValue *value, const Metric *metric, const MetricRows *rows, const Comm *comm);

/* Collective. Only the value, cheap enough for every validation step. */
dp_status metric_value(double *value, const Metric *metric, const MetricRows *rows, const Comm *comm);

/* Collective. other - mine (paired: the same rows, in the same order, with other scores and guesses): AUC by paired
 * DeLong, others by paired bootstrap. */
dp_status metric_compare(MetricValue *difference, const Metric *metric, const MetricRows *mine, const MetricRows *other,
                         const Comm *comm);

extern const dp_help_row metric_help[];

#endif
