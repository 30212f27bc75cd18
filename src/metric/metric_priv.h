/* metric_priv.h -- what the files of the metric room share.
 *
 * The order of a cut: riskiest first, equal scores by row identity. Two forms of it are made over the ranks, each by a
 * sample sort (every rank ends with one consecutive stretch of the order, no rank with all of it):
 *   groups   one entry a distinct score: how many hits and misses have it. Ranks join their equal scores first, so a
 *            model with few distinct scores moves few bytes. Enough for AUC and average precision.
 *   sorted   the rows themselves: for cuts, equal-count bins and the bootstrap, which must know each row. */
#ifndef DIPPER_METRIC_PRIV_H
#define DIPPER_METRIC_PRIV_H

#include <string.h>

#include "metric/metric.h"

enum { METRIC_REPLICATES = 200, METRIC_BINS = 15 };

/* Ascending keys are descending scores; -0 and +0 are one score. */
static inline uint32_t metric_key(float score)
{
    uint32_t bits;
    score += 0.0f;
    memcpy(&bits, &score, sizeof bits);
    return bits >> 31 ? bits : ~bits & 0x7FFFFFFF;
}
static inline float metric_score_of_key(uint32_t key)
{
    uint32_t bits = key >> 31 ? key : ~key & 0x7FFFFFFF;
    float score;
    memcpy(&score, &bits, sizeof score);
    return score;
}

/* ---- order.c ---- */

/* A point of the order, to cut it into stretches. */
typedef struct MetricPoint {
    uint32_t key, zero;
    uint64_t row;
} MetricPoint;

/* Local. Sorts n items of `size` (4, 24) bytes that begin with their 32-bit key, stably. spare: room for n items. */
void metric_sort_by_key(void *items, void *spare, int64_t n, size_t size);
/* Writes the MetricPoint of item i. */
typedef void (*MetricSample)(void *point, const void *items, int64_t i);
/* Collective. Where the order is cut so that each of the ranks gets about as many items. My items ascend by their
 * points. *cuts [size + 1] (free with dp_free): rank r's stretch of my items is cuts[r] .. cuts[r + 1] - 1. Equal
 * points go to one rank. */
dp_status metric_cuts(int64_t **cuts, const void *items, int64_t n, MetricSample sample, const Comm *comm);
/* Collective. Sends items cuts[r] .. cuts[r+1]-1 to rank r. *got (free with dp_free) holds what came, in rank order;
 * got_n [size] items from each. */
dp_status metric_deal(void *got, int64_t *got_n, const void *items, size_t size, const int64_t *cuts, const Comm *comm);

/* ---- groups.c ---- */

typedef struct MetricGroup {
    uint32_t key, zero;
    int64_t hits, misses;
} MetricGroup;

typedef struct MetricGroups {
    MetricGroup *group; /* [n] this rank's stretch, riskiest first */
    int64_t n;
    int64_t hits_before, misses_before; /* in riskier groups, on other ranks */
    int64_t hits, misses;               /* over all ranks */
} MetricGroups;

/* Collective. */
dp_status metric_groups_build(MetricGroups *groups, const MetricRows *rows, const Comm *comm);
void metric_groups_free(MetricGroups *groups);
/* Collective. place [n]: for a hit 2 * (misses below it) + (misses of equal score), for a miss 2 * (hits above it) +
 * (hits of equal score). hits, misses: totals over all ranks. */
dp_status metric_places(int64_t *place, int64_t *hits, int64_t *misses, const MetricRows *rows, const Comm *comm);

/* ---- sorted.c ---- */

typedef struct MetricRecord {
    uint32_t key, hit;
    uint64_t row;
    double revenue; /* 0 where there is none or it is not known */
} MetricRecord;

typedef struct MetricSorted {
    MetricRecord *record; /* [n] this rank's stretch of the order */
    int64_t n, before;    /* before: records on the ranks before this one */
    int64_t all;          /* on all ranks */
} MetricSorted;

/* Collective. */
dp_status metric_sorted_build(MetricSorted *sorted, const MetricRows *rows, const Comm *comm);
void metric_sorted_free(MetricSorted *sorted);

/* ---- values of one kind each; all collective ---- */

dp_status metric_auc_value(double *value, const MetricRows *rows, const Comm *comm);
/* other NULL: the AUC of rows->score; else the difference other - mine. */
dp_status metric_auc_delong(MetricValue *value, const MetricRows *rows, const float *other, const Comm *comm);
dp_status metric_ap_value(double *value, const MetricRows *rows, const Comm *comm);
dp_status metric_cut_value(double *value, const Metric *metric, const MetricRows *rows, const Comm *comm);
dp_status metric_calibration_value(double *value, const MetricRows *rows, const Comm *comm);
dp_status metric_mean_value(double *value, const Metric *metric, const MetricRows *rows, const Comm *comm);

/* The figure of each group with a gain; each group on one rank. */
typedef struct MetricNdcg {
    int64_t n;
    uint64_t *group;
    double *value;
} MetricNdcg;
dp_status metric_ndcg_build(MetricNdcg *ndcg, const Metric *metric, const MetricRows *rows, const Comm *comm);
void metric_ndcg_free(MetricNdcg *ndcg);
dp_status metric_ndcg_value(double *value, const Metric *metric, const MetricRows *rows, const Comm *comm);

dp_status metric_f1_value(double *value, const MetricRows *rows, const Comm *comm);

/* Local. Is it an error of numbers? */
static inline bool metric_is_of_numbers(const Metric *metric)
{
    return metric->kind == METRIC_RMSE || metric->kind == METRIC_MAE;
}
/* Local. One row's log-loss, squared or absolute error, or whether its class was found. */
double metric_loss(const Metric *metric, const MetricRows *rows, int64_t i);
/* Local. How many of `n` rows (or row weights) a cut takes: the nearest whole number, at least 1. */
static inline double metric_cut_rows(double cut, double n)
{
    double k = (double)(int64_t)(cut * n + 0.5);
    return k < 1 ? 1 : k;
}
/* Local. The first position of bin b of METRIC_BINS equal-count bins of n. */
static inline int64_t metric_bin_start(int64_t b, int64_t n)
{
    return b * n / METRIC_BINS;
}

/* ---- bootstrap.c ---- */

/* Local. weight [METRIC_REPLICATES] of a row in each replicate. */
void metric_weights_of_row(double *restrict weight, uint64_t row);
/* Collective. Whole doubles summed over ranks, in place. */
dp_status metric_sum_whole(double *values, int64_t n, const Comm *comm);
dp_status metric_f1_replicates(double *values, const MetricRows *rows, const Comm *comm);
/* Collective. The metric (not AUC) on METRIC_REPLICATES Poisson bootstrap samples. Row weights follow from row identity
 * and replicate alone, so two models on the same rows are compared pairwise, on any number of ranks. */
dp_status metric_replicates(double *values, const Metric *metric, const MetricRows *rows, const Comm *comm);

#endif
