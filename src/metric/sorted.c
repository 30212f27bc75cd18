/* sorted.c -- the rows in the order of inspection, riskiest first, over all ranks; what the cuts and the calibration
 * bins count in it. */
#include "metric_priv.h"

#include <math.h>
#include <stdlib.h>

#include "comm/exact.h"

void metric_sorted_free(MetricSorted *sorted)
{
    dp_free(&sorted->record);
    *sorted = (MetricSorted){0};
}

static void record_point(void *point, const void *items, int64_t i)
{
    const MetricRecord *r = (const MetricRecord *)items + i;
    *(MetricPoint *)point = (MetricPoint){.key = r->key, .row = r->row};
}

/* Equal scores: by row identity. Should two rows share one, by what they are, so that the order is still one. */
static int compare_ties(const void *a, const void *b)
{
    const MetricRecord *x = a, *y = b;
    if (x->row != y->row)
        return x->row < y->row ? -1 : 1;
    if (x->hit != y->hit)
        return x->hit < y->hit ? -1 : 1;
    return (x->revenue > y->revenue) - (x->revenue < y->revenue);
}

static dp_status sort_records(MetricRecord *record, int64_t n)
{
    MetricRecord *spare = NULL;
    DP_TRY(dp_new(&spare, (size_t)n));
    metric_sort_by_key(record, spare, n, sizeof *record);
    dp_free(&spare);
    for (int64_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && record[end].key == record[i].key;)
            end++;
        if (end - i > 1)
            qsort(record + i, (size_t)(end - i), sizeof *record, compare_ties);
    }
    return DP_OK;
}

static dp_status own_records(MetricRecord **record, const MetricRows *rows)
{
    DP_TRY(dp_new(record, (size_t)rows->n));
    for (int64_t i = 0; i < rows->n; i++) {
        double revenue = rows->revenue ? rows->revenue[i] : 0;
        (*record)[i] = (MetricRecord){.key = metric_key(rows->score[i]),
                                      .hit = (uint32_t)rows->label[i],
                                      .row = rows->row[i],
                                      .revenue = isnan(revenue) ? 0 : revenue};
    }
    return sort_records(*record, rows->n);
}

dp_status metric_sorted_build(MetricSorted *sorted, const MetricRows *rows, const Comm *comm)
{
    int ranks = comm_size(comm);
    MetricRecord *own = NULL;
    int64_t *cuts = NULL, *came = NULL;
    dp_status st = DP_OK;
    *sorted = (MetricSorted){0};
    if ((st = own_records(&own, rows)) == DP_OK)
        st = dp_new(&came, (size_t)ranks);
    DP_GO_ALL(comm, st);
    DP_GO(metric_cuts(&cuts, own, rows->n, record_point, comm));
    DP_GO(metric_deal(&sorted->record, came, own, sizeof *own, cuts, comm));
    for (int r = 0; r < ranks; r++)
        sorted->n += came[r];
    DP_GO_ALL(comm, ranks > 1 ? sort_records(sorted->record, sorted->n) : DP_OK);
    sorted->before = sorted->n;
    sorted->all = comm_prefix_i64(comm, &sorted->before);
done:
    dp_free(&own);
    dp_free(&cuts);
    dp_free(&came);
    if (st != DP_OK)
        metric_sorted_free(sorted);
    return st;
}

dp_status metric_cut_value(double *value, const Metric *metric, const MetricRows *rows, const Comm *comm)
{
    MetricSorted sorted;
    ExactSum revenue[2] = {{.adds = 0}, {.adds = 0}}; /* above the cut, all */
    int64_t hits[2] = {0, 0};
    *value = NAN;
    DP_TRY(metric_sorted_build(&sorted, rows, comm));
    int64_t cut = (int64_t)metric_cut_rows(metric->cut, (double)sorted.all);
    for (int64_t i = 0; i < sorted.n; i++) {
        const MetricRecord *r = &sorted.record[i];
        int above = sorted.before + i < cut;
        hits[0] += above & (int)r->hit;
        hits[1] += r->hit;
        if (metric->kind == METRIC_REVENUE_AT) {
            if (above)
                exact_add(&revenue[0], r->revenue);
            exact_add(&revenue[1], r->revenue);
        }
    }
    comm_sum_i64(comm, hits, 2);
    comm_sum_exact(comm, revenue, metric->kind == METRIC_REVENUE_AT ? 2 : 0);
    if (metric->kind == METRIC_PRECISION_AT && sorted.all > 0)
        *value = (double)hits[0] / (double)cut;
    else if (metric->kind == METRIC_RECALL_AT && hits[1] > 0)
        *value = (double)hits[0] / (double)hits[1];
    else if (metric->kind == METRIC_REVENUE_AT && exact_value(&revenue[1]) > 0)
        *value = exact_value(&revenue[0]) / exact_value(&revenue[1]);
    metric_sorted_free(&sorted);
    return DP_OK;
}

dp_status metric_calibration_value(double *value, const MetricRows *rows, const Comm *comm)
{
    MetricSorted sorted;
    ExactSum *promised = NULL;
    int64_t found[METRIC_BINS] = {0};
    dp_status st = DP_OK;
    DP_GO(metric_sorted_build(&sorted, rows, comm));
    DP_GO_ALL(comm, dp_new(&promised, METRIC_BINS));
    for (int64_t i = 0, bin = 0; i < sorted.n; i++) {
        while (sorted.before + i >= metric_bin_start(bin + 1, sorted.all))
            bin++;
        exact_add(&promised[bin], (double)metric_score_of_key(sorted.record[i].key));
        found[bin] += sorted.record[i].hit;
    }
    comm_sum_exact(comm, promised, METRIC_BINS);
    comm_sum_i64(comm, found, METRIC_BINS);
    *value = 0;
    for (int bin = 0; bin < METRIC_BINS; bin++)
        *value += fabs(exact_value(&promised[bin]) - (double)found[bin]);
    *value = sorted.all > 0 ? *value / (double)sorted.all : NAN;
done:
    dp_free(&promised);
    metric_sorted_free(&sorted);
    return st;
}
