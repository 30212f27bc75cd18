/* classes.c -- F1 of several classes: counts of hits, of rows and of guesses by class, hence the same on any ranks. */
#include "metric_priv.h"

#include <math.h>

enum { R = METRIC_REPLICATES };

/* hits, both [classes][n]: rows of a class that were taken for it; its rows plus those taken for it. *value [n]. */
static void macro_f1(double *value, int n, const double *hits, const double *both, int classes)
{
    for (int b = 0; b < n; b++) {
        double sum = 0;
        int present = 0;
        for (int k = 0; k < classes; k++) {
            double all = both[k * n + b];
            sum += all > 0 ? 2 * hits[k * n + b] / all : 0;
            present += all > 0;
        }
        value[b] = present > 0 ? sum / present : NAN;
    }
}

/* Collective. Counts with each row's weights, then F1 of each of the n replicates. */
static dp_status f1_of(double *value, int n, void (*weigh)(double *restrict, uint64_t), const MetricRows *rows,
                       const Comm *comm)
{
    const int64_t cells = (int64_t)rows->classes * n;
    double *counts = NULL, weight[R] = {1};
    dp_status st = DP_OK;
    DP_GO_ALL(comm, dp_new(&counts, 2 * (size_t)cells));
    double *hits = counts, *both = counts + cells;
    for (int64_t i = 0; i < rows->n; i++) {
        int own = rows->class_id[i], guess = rows->guess[i];
        if (weigh)
            weigh(weight, rows->row[i]);
        for (int b = 0; b < n; b++) {
            both[own * n + b] += weight[b];
            both[guess * n + b] += weight[b];
            hits[own * n + b] += own == guess ? weight[b] : 0;
        }
    }
    DP_GO(metric_sum_whole(counts, 2 * cells, comm));
    macro_f1(value, n, hits, both, rows->classes);
done:
    dp_free(&counts);
    return st;
}

dp_status metric_f1_value(double *value, const MetricRows *rows, const Comm *comm)
{
    return f1_of(value, 1, NULL, rows, comm);
}

dp_status metric_f1_replicates(double *values, const MetricRows *rows, const Comm *comm)
{
    return f1_of(values, R, metric_weights_of_row, rows, comm);
}
