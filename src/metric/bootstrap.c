/* bootstrap.c -- the Poisson bootstrap: in replicate b a row counts w times, w ~ Poisson(1), drawn from (row identity,
 * b). So a replicate is the same on any number of ranks, and two models are compared on the same replicates.
 * Source: Chamandy et al., "Estimating uncertainty for massive data streams", Google (2012).
 *
 * Exactness: what is summed (losses, revenues, precisions) is first rounded to a grid, so coarse that all sums are
 * whole numbers below 2^53 grid steps: doubles then add exactly, in any order, and the compiler may use vectors. The
 * grid is 2^-32 of the largest term for a million rows; it touches intervals only, never the value itself. */
#include "metric_priv.h"

#include <math.h>

#include "base/rng.h"

enum { R = METRIC_REPLICATES, DRAWS = 8, STREAM = 0xB007 };
_Static_assert(R % DRAWS == 0, "replicates come in groups of one random block");

/* Local. w [R] = the row's weights: the number of thresholds at or below a 16-bit draw. The thresholds are 65536 x the
 * Poisson(1) distribution function; their distances from 65536 sum to 65536, so the mean is 1 exactly. */
void metric_weights_of_row(double *restrict w, uint64_t row)
{
    static const uint16_t threshold[DRAWS] = {24109, 48219, 60273, 64292, 65296, 65497, 65531, 65535};
    uint32_t words[R / 2];
    uint16_t draw[R];
    for (uint64_t block = 0; block < R / DRAWS; block++)
        dp_random_words(words + 4 * block, STREAM, block, row);
    for (int b = 0; b < R / 2; b++) {
        draw[2 * b] = (uint16_t)words[b];
        draw[2 * b + 1] = (uint16_t)(words[b] >> 16);
    }
    for (int b = 0; b < R; b++) {
        int32_t count = 0;
        for (int t = 0; t < DRAWS; t++)
            count += draw[b] >= threshold[t];
        w[b] = count;
    }
}

/* Rounds to whole numbers: exact for |x| < 2^51, and vectorised where rint() is not. */
static inline double whole(double x)
{
    const double magic = 0x1.8p52;
    return (x + magic) - magic;
}

/* The largest power of two by which terms of at most `most` can be scaled, so that the sum of terms x weights over
 * `rows` rows stays under 2^53. Weights are at most 8 and 1 on average: twice the rows bound their sum once there are
 * more than a few hundred. */
static double grid_of(double most, int64_t rows)
{
    double bound = most * (rows < 1000 ? 8.0 : 2.0) * (double)(rows > 0 ? rows : 1);
    int exponent = 0;
    frexp(bound, &exponent);
    return bound > 0 ? ldexp(1.0, 52 - exponent) : 1.0;
}

dp_status metric_sum_whole(double *values, int64_t n, const Comm *comm)
{
    int64_t *whole_values = NULL;
    DP_TRY_ALL(comm, dp_new(&whole_values, (size_t)n));
    for (int64_t i = 0; i < n; i++)
        whole_values[i] = (int64_t)values[i];
    comm_sum_i64(comm, whole_values, (size_t)n);
    for (int64_t i = 0; i < n; i++)
        values[i] = (double)whole_values[i];
    dp_free(&whole_values);
    return DP_OK;
}

/* ---- means: log-loss, Brier, accuracy, errors of numbers ---- */

static dp_status mean_replicates(double *values, const Metric *metric, const MetricRows *rows, const Comm *comm)
{
    double sum[2][R] = {{0}}, w[R];
    int64_t all = rows->n;
    comm_sum_i64(comm, &all, 1);
    double most = metric->kind == METRIC_LOGLOSS ? 35 : 1;
    if (metric_is_of_numbers(metric)) {
        most = 0;
        for (int64_t i = 0; i < rows->n; i++)
            most = fmax(most, metric_loss(metric, rows, i));
        comm_max_f64(comm, &most, 1);
    }
    double grid = grid_of(most, all);
    for (int64_t i = 0; i < rows->n; i++) {
        double loss = whole(metric_loss(metric, rows, i) * grid);
        metric_weights_of_row(w, rows->row[i]);
        for (int b = 0; b < R; b++) {
            sum[0][b] += w[b];
            sum[1][b] += w[b] * loss;
        }
    }
    DP_TRY(metric_sum_whole(sum[0], 2 * R, comm));
    for (int b = 0; b < R; b++)
        values[b] = sum[1][b] / sum[0][b] / grid;
    for (int b = 0; b < R && metric->kind == METRIC_RMSE; b++)
        values[b] = sqrt(values[b]);
    return DP_OK;
}

/* Whole groups are drawn, as they were found: their rows stand and fall together. */
static dp_status ndcg_replicates(double *values, const Metric *metric, const MetricRows *rows, const Comm *comm)
{
    double sum[2][R] = {{0}}, w[R];
    MetricNdcg ndcg;
    DP_TRY(metric_ndcg_build(&ndcg, metric, rows, comm));
    int64_t all = ndcg.n;
    comm_sum_i64(comm, &all, 1);
    double grid = grid_of(1, all);
    for (int64_t j = 0; j < ndcg.n; j++) {
        double value = whole(ndcg.value[j] * grid);
        metric_weights_of_row(w, ndcg.group[j]);
        for (int b = 0; b < R; b++) {
            sum[0][b] += w[b];
            sum[1][b] += w[b] * value;
        }
    }
    metric_ndcg_free(&ndcg);
    DP_TRY(metric_sum_whole(sum[0], 2 * R, comm));
    for (int b = 0; b < R; b++)
        values[b] = sum[1][b] / sum[0][b] / grid;
    return DP_OK;
}

/* ---- cuts ---- */

/* What each replicate weighs: on this rank, then on the ranks before it and on all. */
typedef struct Weighed {
    double rows[R], hits[R], revenue[R];
    double tail_hits[R]; /* of the last score of my stretch */
} Weighed;

static void weigh(Weighed *mine, const MetricSorted *sorted, double grid)
{
    double w[R];
    memset(mine, 0, sizeof *mine);
    for (int64_t i = 0; i < sorted->n; i++) {
        const MetricRecord *r = &sorted->record[i];
        double hit = r->hit, revenue = whole(r->revenue * grid);
        double tail = r->key == sorted->record[sorted->n - 1].key ? hit : 0;
        metric_weights_of_row(w, r->row);
        for (int b = 0; b < R; b++) {
            mine->rows[b] += w[b];
            mine->hits[b] += w[b] * hit;
            mine->revenue[b] += w[b] * revenue;
            mine->tail_hits[b] += w[b] * tail;
        }
    }
}

static void weighed_add(Weighed *to, const Weighed *from)
{
    for (int b = 0; b < R; b++) {
        to->rows[b] += from->rows[b];
        to->hits[b] += from->hits[b];
        to->revenue[b] += from->revenue[b];
    }
}

/* Walks my stretch until every replicate has its cut: taken[0] hits, taken[1] revenue above it. left [R]: rows (weight)
 * still to be taken when my stretch begins. */
static void take_top(double taken[2][R], double *left, const MetricSorted *sorted, double grid)
{
    double w[R], most = 0;
    for (int b = 0; b < R; b++)
        most = left[b] > most ? left[b] : most;
    for (int64_t i = 0; i < sorted->n && most > 0; i++) {
        const MetricRecord *r = &sorted->record[i];
        double hit = r->hit, revenue = whole(r->revenue * grid);
        metric_weights_of_row(w, r->row);
        most = 0;
        for (int b = 0; b < R; b++) {
            double take = w[b] < left[b] ? w[b] : left[b];
            left[b] -= take;
            taken[0][b] += take * hit;
            taken[1][b] += take * revenue;
            most = left[b] > most ? left[b] : most;
        }
    }
}

static dp_status cut_replicates(double *values, const Metric *metric, const MetricSorted *sorted, double grid,
                                const Weighed *before, const Weighed *all, const Comm *comm)
{
    double taken[2][R] = {{0}}, left[R];
    for (int b = 0; b < R; b++) {
        left[b] = metric_cut_rows(metric->cut, all->rows[b]) - before->rows[b];
        left[b] = left[b] > 0 ? left[b] : 0;
    }
    take_top(taken, left, sorted, grid);
    DP_TRY(metric_sum_whole(taken[0], 2 * R, comm));
    for (int b = 0; b < R; b++)
        values[b] = metric->kind == METRIC_PRECISION_AT ? taken[0][b] / metric_cut_rows(metric->cut, all->rows[b])
                    : metric->kind == METRIC_RECALL_AT  ? taken[0][b] / all->hits[b]
                                                        : taken[1][b] / all->revenue[b];
    return DP_OK;
}

/* ---- average precision ---- */

/* A score's rows may lie on several ranks: the last of them counts the score, with the hits that the ranks before it
 * hold of it (carry). */
typedef struct Edge {
    uint32_t first, last;
    int64_t n;
} Edge;

static dp_status ap_replicates(double *values, const MetricSorted *sorted, const Weighed *before, const Weighed *all,
                               const double *carry, bool goes_on, const Comm *comm)
{
    double sum[R] = {0}, w[R], rows[R], hits[R], of_score[R];
    double grid = grid_of(1, sorted->all);
    bool any = false;
    memcpy(rows, before->rows, sizeof rows);
    memcpy(hits, before->hits, sizeof hits);
    memcpy(of_score, carry, sizeof of_score);
    for (int b = 0; b < R; b++)
        any = any || carry[b] > 0;
    for (int64_t i = 0; i < sorted->n; i++) {
        const MetricRecord *r = &sorted->record[i];
        double hit = r->hit;
        metric_weights_of_row(w, r->row);
        for (int b = 0; b < R; b++) {
            rows[b] += w[b];
            hits[b] += w[b] * hit;
            of_score[b] += w[b] * hit;
        }
        any = any || r->hit;
        bool ends = i + 1 < sorted->n ? sorted->record[i + 1].key != r->key : !goes_on;
        if (!ends || !any)
            continue;
        for (int b = 0; b < R; b++) {
            sum[b] += of_score[b] * whole(hits[b] / (rows[b] > 0 ? rows[b] : 1) * grid);
            of_score[b] = 0;
        }
        any = false;
    }
    DP_TRY(metric_sum_whole(sum, R, comm));
    for (int b = 0; b < R; b++)
        values[b] = sum[b] / grid / all->hits[b];
    return DP_OK;
}

/* ---- calibration: the equal-count bins of the sample itself, reweighed ---- */

static dp_status calibration_replicates(double *values, const MetricSorted *sorted, const Comm *comm)
{
    typedef double Sums[3][R]; /* promised, found, rows */
    Sums *sums = NULL;
    double w[R], grid = grid_of(1, sorted->all);
    dp_status st = DP_OK;
    DP_GO_ALL(comm, dp_new(&sums, METRIC_BINS));
    for (int64_t i = 0, bin = 0; i < sorted->n; i++) {
        const MetricRecord *r = &sorted->record[i];
        double promised = whole((double)metric_score_of_key(r->key) * grid), hit = r->hit;
        while (sorted->before + i >= metric_bin_start(bin + 1, sorted->all))
            bin++;
        metric_weights_of_row(w, r->row);
        for (int b = 0; b < R; b++) {
            sums[bin][0][b] += w[b] * promised;
            sums[bin][1][b] += w[b] * hit;
            sums[bin][2][b] += w[b];
        }
    }
    DP_GO(metric_sum_whole(&sums[0][0][0], METRIC_BINS * 3 * R, comm));
    for (int b = 0; b < R; b++) {
        double gap = 0, rows = 0;
        for (int bin = 0; bin < METRIC_BINS; bin++) {
            gap += fabs(sums[bin][0][b] / grid - sums[bin][1][b]);
            rows += sums[bin][2][b];
        }
        values[b] = gap / rows;
    }
done:
    dp_free(&sums);
    return st;
}

/* ---- bringing the ranks' stretches together ---- */

/* Where a replicate stands when my stretch begins. */
typedef struct Standing {
    Weighed before, all;
    double carry[R]; /* hits of my first score on the ranks just before */
    bool goes_on;    /* my last score goes on at the next rank that has rows */
} Standing;

/* Collective. */
static dp_status stand(Standing *standing, const Weighed *mine, const MetricSorted *sorted, const Comm *comm)
{
    int ranks = comm_size(comm), rank = comm_rank(comm);
    Edge edge = {.n = sorted->n};
    Edge *edges = NULL;
    Weighed *every = NULL;
    dp_status st = dp_new(&edges, (size_t)ranks);
    if (st == DP_OK)
        st = dp_new(&every, (size_t)ranks);
    DP_GO_ALL(comm, st);
    if (sorted->n > 0) {
        edge.first = sorted->record[0].key;
        edge.last = sorted->record[sorted->n - 1].key;
    }
    comm_collect(comm, &edge, sizeof edge, edges);
    comm_collect(comm, mine, sizeof *mine, every);
    for (int r = 0; r < ranks; r++) {
        weighed_add(&standing->all, &every[r]);
        if (r < rank)
            weighed_add(&standing->before, &every[r]);
    }
    for (int r = rank - 1; r >= 0 && sorted->n > 0; r--) {
        if (edges[r].n > 0 && edges[r].last != edge.first)
            break;
        for (int b = 0; b < R; b++)
            standing->carry[b] += every[r].tail_hits[b];
        if (edges[r].n > 0 && edges[r].first != edge.first)
            break;
    }
    for (int r = rank + 1; r < ranks; r++)
        if (edges[r].n > 0) {
            standing->goes_on = sorted->n > 0 && edges[r].first == edge.last;
            break;
        }
done:
    dp_free(&edges);
    dp_free(&every);
    return st;
}

static dp_status ordered_replicates(double *values, const Metric *metric, const MetricSorted *sorted, const Comm *comm)
{
    Weighed *mine = NULL;
    Standing *standing = NULL;
    double most = 0;
    dp_status st = dp_new(&mine, 1);
    if (st == DP_OK)
        st = dp_new(&standing, 1);
    DP_GO_ALL(comm, st);
    for (int64_t i = 0; i < sorted->n; i++)
        most = fabs(sorted->record[i].revenue) > most ? fabs(sorted->record[i].revenue) : most;
    comm_max_f64(comm, &most, 1);
    double grid = grid_of(most, sorted->all);
    weigh(mine, sorted, grid);
    DP_GO(stand(standing, mine, sorted, comm));
    if (metric->kind == METRIC_AVERAGE_PRECISION)
        st = ap_replicates(values, sorted, &standing->before, &standing->all, standing->carry, standing->goes_on, comm);
    else
        st = cut_replicates(values, metric, sorted, grid, &standing->before, &standing->all, comm);
done:
    dp_free(&mine);
    dp_free(&standing);
    return st;
}

dp_status metric_replicates(double *values, const Metric *metric, const MetricRows *rows, const Comm *comm)
{
    MetricSorted sorted = {0};
    dp_status st = DP_OK;
    if (metric->kind == METRIC_LOGLOSS || metric->kind == METRIC_BRIER || metric->kind == METRIC_ACCURACY ||
        metric_is_of_numbers(metric))
        return mean_replicates(values, metric, rows, comm);
    if (metric->kind == METRIC_NDCG)
        return ndcg_replicates(values, metric, rows, comm);
    if (metric->kind == METRIC_MACRO_F1)
        return metric_f1_replicates(values, rows, comm);
    DP_TRY(metric_sorted_build(&sorted, rows, comm));
    if (metric->kind == METRIC_CALIBRATION)
        st = calibration_replicates(values, &sorted, comm);
    else
        st = ordered_replicates(values, metric, &sorted, comm);
    metric_sorted_free(&sorted);
    return st;
}
