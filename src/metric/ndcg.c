/* ndcg.c -- normalised discounted cumulative gain within groups: what the first rows of a group's order bring, as a
 * share of what those of its best order would. discount = 1 / log2(2 + position); gains as they are. Source: Jaervelin,
 * Kekaelaeinen, ACM TOIS 20 (2002); so scikit-learn's ndcg_score, but for equal scores, which stand by identity here.
 */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "comm/exact.h"
#include "comm/groups.h"
#include "metric_priv.h"

typedef struct Row {
    double gain;
    uint32_t key;   /* metric_key of the score */
    uint32_t place; /* among the rows of its group, by identity */
} Row;

static int by_score(const void *a, const void *b)
{
    const Row *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

static int by_gain(const void *a, const void *b)
{
    const Row *x = a, *y = b;
    return (x->gain < y->gain) - (x->gain > y->gain);
}

static double sum_of_first(const Row *row, int64_t n)
{
    double sum = 0;
    for (int64_t k = 0; k < n; k++)
        sum += row[k].gain / log2(2.0 + (double)k);
    return sum;
}

/* NaN: the group has no gain. */
static double ndcg_of(Row *row, int64_t n, const Metric *metric)
{
    int64_t first = metric->top > 0 ? metric->top : (int64_t)metric_cut_rows(metric->cut, (double)n);
    double found, ideal;
    first = first < n ? first : n;
    for (int64_t k = 0; k < n; k++)
        row[k].place = (uint32_t)k;
    qsort(row, (size_t)n, sizeof *row, by_score);
    found = sum_of_first(row, first);
    qsort(row, (size_t)n, sizeof *row, by_gain);
    ideal = sum_of_first(row, first);
    return ideal > 0 ? found / ideal : NAN;
}

static dp_status take_rows(Row **mine, const MetricRows *rows)
{
    DP_TRY(dp_new(mine, (size_t)rows->n));
    for (int64_t i = 0; i < rows->n; i++)
        (*mine)[i] = (Row){.gain = rows->target ? rows->target[i] : rows->label[i], .key = metric_key(rows->score[i])};
    return DP_OK;
}

void metric_ndcg_free(MetricNdcg *ndcg)
{
    dp_free(&ndcg->group);
    dp_free(&ndcg->value);
    ndcg->n = 0;
}

dp_status metric_ndcg_build(MetricNdcg *ndcg, const Metric *metric, const MetricRows *rows, const Comm *comm)
{
    CommGroups groups = {0};
    Row *mine = NULL, *here = NULL;
    dp_status st = DP_OK;
    *ndcg = (MetricNdcg){0};
    DP_GO_ALL(comm, take_rows(&mine, rows));
    DP_GO(comm_groups_build(&groups, rows->group, rows->row, rows->n, comm));
    st = dp_new(&here, (size_t)groups.n_got);
    if (st == DP_OK && (st = dp_new(&ndcg->group, (size_t)groups.groups)) == DP_OK)
        st = dp_new(&ndcg->value, (size_t)groups.groups);
    DP_GO_ALL(comm, st);
    DP_GO(comm_groups_bring(&groups, mine, sizeof *mine, here, comm));
    for (int64_t j = 0; j < groups.groups; j++) {
        double value = ndcg_of(here + groups.start[j], groups.start[j + 1] - groups.start[j], metric);
        if (isnan(value))
            continue;
        ndcg->group[ndcg->n] = groups.group[j];
        ndcg->value[ndcg->n++] = value;
    }
done:
    comm_groups_free(&groups);
    dp_free(&mine);
    dp_free(&here);
    if (st != DP_OK)
        metric_ndcg_free(ndcg);
    return st;
}

dp_status metric_ndcg_value(double *value, const Metric *metric, const MetricRows *rows, const Comm *comm)
{
    MetricNdcg ndcg;
    ExactSum sum = {{0}, 0, 0};
    DP_TRY(metric_ndcg_build(&ndcg, metric, rows, comm));
    int64_t all = ndcg.n;
    for (int64_t j = 0; j < ndcg.n; j++)
        exact_add(&sum, ndcg.value[j]);
    metric_ndcg_free(&ndcg);
    comm_sum_exact(comm, &sum, 1);
    comm_sum_i64(comm, &all, 1);
    *value = all > 0 ? exact_value(&sum) / (double)all : NAN;
    return DP_OK;
}
