/* groups.c -- how many hits and misses have each distinct score, over all ranks; AUC and average precision from it. */
#include "metric_priv.h"

#include <math.h>

#include "comm/exact.h"

__extension__ typedef __int128 wide;

void metric_groups_free(MetricGroups *groups)
{
    dp_free(&groups->group);
    groups->n = 0;
}

static void group_point(void *point, const void *items, int64_t i)
{
    *(MetricPoint *)point = (MetricPoint){.key = ((const MetricGroup *)items)[i].key};
}

/* Merges the sorted keys of hits and of misses into groups. */
static int64_t join_keys(MetricGroup *group, const uint32_t *hit, int64_t hits, const uint32_t *miss, int64_t misses)
{
    int64_t n = 0, i = 0, j = 0;
    while (i < hits || j < misses) {
        int64_t i0 = i, j0 = j;
        uint32_t key = j == misses || (i < hits && hit[i] < miss[j]) ? hit[i] : miss[j];
        while (i < hits && hit[i] == key)
            i++;
        while (j < misses && miss[j] == key)
            j++;
        group[n++] = (MetricGroup){.key = key, .hits = i - i0, .misses = j - j0};
    }
    return n;
}

/* Local. The groups of this rank's own rows. */
static dp_status own_groups(MetricGroup **group, int64_t *n, const MetricRows *rows)
{
    uint32_t *keys = NULL;
    int64_t hits = 0, misses = 0;
    dp_status st = DP_OK;
    DP_GO(dp_new(&keys, 2 * (size_t)rows->n));
    DP_GO(dp_new(group, (size_t)rows->n));
    /* Hits from the front, misses from the back. */
    for (int64_t i = 0; i < rows->n; i++) {
        int64_t hit = rows->label[i];
        keys[hit ? hits : rows->n - 1 - misses] = metric_key(rows->score[i]);
        hits += hit;
        misses += 1 - hit;
    }
    metric_sort_by_key(keys, keys + rows->n, hits, sizeof *keys);
    metric_sort_by_key(keys + hits, keys + rows->n, misses, sizeof *keys);
    *n = join_keys(*group, keys, hits, keys + hits, misses);
done:
    dp_free(&keys);
    return st;
}

/* Local. What came from the ranks, sorted and joined, in place. */
static dp_status join_groups(MetricGroup *group, int64_t *n, int ranks)
{
    MetricGroup *spare = NULL;
    int64_t out = 0;
    if (ranks == 1)
        return DP_OK;
    DP_TRY(dp_new(&spare, (size_t)*n));
    metric_sort_by_key(group, spare, *n, sizeof *group);
    dp_free(&spare);
    for (int64_t i = 0; i < *n; i++)
        if (out > 0 && group[out - 1].key == group[i].key) {
            group[out - 1].hits += group[i].hits;
            group[out - 1].misses += group[i].misses;
        } else {
            group[out++] = group[i];
        }
    *n = out;
    return DP_OK;
}

/* Own groups, dealt to the ranks that own their stretch: what came is joined into `groups`. For an answer back:
 * own [own_n] and cuts are this rank's groups as sent, came [sum of came_n] what came, as it came. */
typedef struct Dealing {
    MetricGroup *own, *came;
    int64_t own_n, *cuts, *came_n;
} Dealing;

static void dealing_free(Dealing *dealing)
{
    dp_free(&dealing->own);
    dp_free(&dealing->came);
    dp_free(&dealing->cuts);
    dp_free(&dealing->came_n);
}

static dp_status deal_groups(MetricGroups *groups, Dealing *dealing, const MetricRows *rows, const Comm *comm)
{
    int ranks = comm_size(comm);
    int64_t came = 0, sums[2] = {0, 0};
    dp_status st = own_groups(&dealing->own, &dealing->own_n, rows);
    if (st == DP_OK)
        st = dp_new(&dealing->came_n, (size_t)ranks);
    DP_TRY_ALL(comm, st);
    DP_TRY(metric_cuts(&dealing->cuts, dealing->own, dealing->own_n, group_point, comm));
    DP_TRY(metric_deal(&dealing->came, dealing->came_n, dealing->own, sizeof *dealing->own, dealing->cuts, comm));
    for (int r = 0; r < ranks; r++)
        came += dealing->came_n[r];
    st = dp_new(&groups->group, (size_t)came);
    if (st == DP_OK && came > 0) {
        memcpy(groups->group, dealing->came, (size_t)came * sizeof *groups->group);
        groups->n = came;
        st = join_groups(groups->group, &groups->n, ranks);
    }
    DP_TRY_ALL(comm, st);
    for (int64_t i = 0; i < groups->n; i++) {
        sums[0] += groups->group[i].hits;
        sums[1] += groups->group[i].misses;
    }
    groups->hits_before = sums[0];
    groups->misses_before = sums[1];
    groups->hits = comm_prefix_i64(comm, &groups->hits_before);
    groups->misses = comm_prefix_i64(comm, &groups->misses_before);
    return DP_OK;
}

dp_status metric_groups_build(MetricGroups *groups, const MetricRows *rows, const Comm *comm)
{
    Dealing dealing = {0};
    *groups = (MetricGroups){0};
    dp_status st = deal_groups(groups, &dealing, rows, comm);
    dealing_free(&dealing);
    if (st != DP_OK)
        metric_groups_free(groups);
    return st;
}

/* ---- where each row stands among the rows of the other class ---- */

typedef struct Place {
    int64_t of_hit, of_miss;
} Place;

/* Local. The place of every group of my stretch. */
static void places_of_groups(Place *place, const MetricGroups *groups)
{
    int64_t hits = groups->hits_before, misses = groups->misses_before;
    for (int64_t i = 0; i < groups->n; i++) {
        const MetricGroup *g = &groups->group[i];
        place[i].of_hit = 2 * (groups->misses - misses - g->misses) + g->misses;
        place[i].of_miss = 2 * hits + g->hits;
        hits += g->hits;
        misses += g->misses;
    }
}

/* Local. answer[i] = the place of came[i]; each rank's part of `came` ascends. */
static void answer_places(Place *answer, const Dealing *dealing, int ranks, const MetricGroups *groups,
                          const Place *place)
{
    int64_t i = 0;
    for (int r = 0; r < ranks; r++)
        for (int64_t end = i + dealing->came_n[r], g = 0; i < end; i++) {
            while (groups->group[g].key != dealing->came[i].key)
                g++;
            answer[i] = place[g];
        }
}

static int64_t find_group(const MetricGroup *group, int64_t n, uint32_t key)
{
    int64_t low = 0;
    while (n > 1) {
        int64_t half = n / 2;
        low += group[low + half].key <= key ? half : 0;
        n -= half;
    }
    return low;
}

dp_status metric_places(int64_t *place, int64_t *hits, int64_t *misses, const MetricRows *rows, const Comm *comm)
{
    int ranks = comm_size(comm);
    Dealing dealing = {0};
    MetricGroups groups = {0};
    Place *of_group = NULL, *answer = NULL, *mine = NULL;
    int64_t *back = NULL, came = 0;
    dp_status st = DP_OK;
    DP_GO(deal_groups(&groups, &dealing, rows, comm));
    for (int r = 0; r < ranks; r++)
        came += dealing.came_n[r];
    if ((st = dp_new(&of_group, (size_t)groups.n)) == DP_OK && (st = dp_new(&answer, (size_t)came)) == DP_OK)
        st = dp_new(&back, 2 * (size_t)ranks + 1);
    DP_GO_ALL(comm, st);
    places_of_groups(of_group, &groups);
    answer_places(answer, &dealing, ranks, &groups, of_group);
    for (int r = 0; r < ranks; r++)
        back[r + 1] = back[r] + dealing.came_n[r];
    DP_GO(metric_deal(&mine, back + ranks + 1, answer, sizeof *answer, back, comm));
    for (int64_t i = 0; i < rows->n; i++) {
        const Place *p = &mine[find_group(dealing.own, dealing.own_n, metric_key(rows->score[i]))];
        place[i] = rows->label[i] ? p->of_hit : p->of_miss;
    }
    *hits = groups.hits;
    *misses = groups.misses;
done:
    dp_free(&of_group);
    dp_free(&answer);
    dp_free(&mine);
    dp_free(&back);
    dealing_free(&dealing);
    metric_groups_free(&groups);
    return st;
}

/* ---- AUC ---- */

/* Collective. Sums 128-bit integers over ranks as four 32-bit limbs, the highest with the sign. */
static void sum_wide(const Comm *comm, wide *values, int n)
{
    for (int i = 0; i < n; i++) {
        int64_t limbs[4];
        for (int k = 0; k < 3; k++)
            limbs[k] = (int64_t)(values[i] >> (32 * k) & 0xFFFFFFFF);
        limbs[3] = (int64_t)(values[i] >> 96);
        comm_sum_i64(comm, limbs, 4);
        values[i] = 0;
        for (int k = 3; k >= 0; k--)
            values[i] = values[i] * ((wide)1 << 32) + limbs[k];
    }
}

/* twice = 2 x the number of (hit, miss) pairs in the right order, ties half. */
static double auc_of(wide twice, int64_t hits, int64_t misses)
{
    return (double)twice / (double)((wide)2 * hits * misses);
}

dp_status metric_auc_value(double *value, const MetricRows *rows, const Comm *comm)
{
    MetricGroups groups;
    wide twice = 0;
    DP_TRY(metric_groups_build(&groups, rows, comm));
    int64_t misses = groups.misses_before;
    for (int64_t i = 0; i < groups.n; i++) {
        const MetricGroup *g = &groups.group[i];
        twice += (wide)g->hits * (2 * (groups.misses - misses - g->misses) + g->misses);
        misses += g->misses;
    }
    sum_wide(comm, &twice, 1);
    *value = groups.hits && groups.misses ? auc_of(twice, groups.hits, groups.misses) : NAN;
    metric_groups_free(&groups);
    return DP_OK;
}

/* Sums over hits [1] and misses [0] of places, less `less`, of both models. */
typedef struct Moments {
    wide a[2], b[2], aa[2], bb[2], ab[2];
} Moments;

static void moments_sum(Moments *m, const int64_t *a, const int64_t *b, const MetricRows *rows, const int64_t *less_a,
                        const int64_t *less_b, const Comm *comm)
{
    *m = (Moments){0};
    for (int64_t i = 0; i < rows->n; i++) {
        int hit = rows->label[i];
        int64_t x = a[i] - less_a[hit], y = b[i] - less_b[hit];
        m->a[hit] += x;
        m->b[hit] += y;
        m->aa[hit] += (wide)x * x;
        m->bb[hit] += (wide)y * y;
        m->ab[hit] += (wide)x * y;
    }
    sum_wide(comm, m->a, (int)(sizeof *m / sizeof *m->a));
}

/* The covariance of two placements over n rows, from sums of places that were moved near their mean first, so that
 * nothing cancels. */
static double covariance(wide xy, wide x, wide y, int64_t n)
{
    return ((double)xy - (double)x * (double)y / (double)n) / (double)(n - 1);
}

/* The variance of other - mine by DeLong (other == mine: of mine alone), in units of AUC squared. A hit's place lies in
 * 0 .. 2 misses, a miss's in 0 .. 2 hits. */
static double delong_variance(const Moments *m, const int64_t n[2], bool paired)
{
    double variance = 0;
    for (int hit = 0; hit < 2; hit++) {
        double unit = 2.0 * (double)n[1 - hit];
        double s = covariance(m->aa[hit], m->a[hit], m->a[hit], n[hit]);
        if (paired)
            s += covariance(m->bb[hit], m->b[hit], m->b[hit], n[hit]) -
                 2 * covariance(m->ab[hit], m->a[hit], m->b[hit], n[hit]);
        variance += s / (unit * unit) / (double)n[hit];
    }
    return variance > 0 ? variance : 0;
}

dp_status metric_auc_delong(MetricValue *value, const MetricRows *rows, const float *other, const Comm *comm)
{
    MetricRows theirs = *rows;
    int64_t *a = NULL, *b = NULL, n[2], near_a[2], near_b[2];
    static const int64_t zero[2] = {0, 0};
    Moments m;
    dp_status st = DP_OK;
    *value = (MetricValue){NAN, NAN, NAN};
    DP_GO_ALL(comm, dp_new(&a, 2 * (size_t)rows->n));
    b = a;
    DP_GO(metric_places(a, &n[1], &n[0], rows, comm));
    if (other) {
        theirs.score = other;
        b = a + rows->n;
        DP_GO(metric_places(b, &n[1], &n[0], &theirs, comm));
    }
    if (n[0] == 0 || n[1] == 0)
        goto done;
    moments_sum(&m, a, b, rows, zero, zero, comm);
    value->value = other ? auc_of(m.b[1], n[1], n[0]) - auc_of(m.a[1], n[1], n[0]) : auc_of(m.a[1], n[1], n[0]);
    if (n[0] < 2 || n[1] < 2)
        goto done;
    for (int hit = 0; hit < 2; hit++) {
        near_a[hit] = (int64_t)(m.a[hit] / n[hit]);
        near_b[hit] = (int64_t)(m.b[hit] / n[hit]);
    }
    moments_sum(&m, a, b, rows, near_a, near_b, comm);
    double half = 1.959963984540054 * sqrt(delong_variance(&m, n, other != NULL));
    double least = other ? -1 : 0;
    value->low = value->value - half < least ? least : value->value - half;
    value->high = value->value + half > 1 ? 1 : value->value + half;
done:
    dp_free(&a);
    return st;
}

/* ---- average precision ---- */

dp_status metric_ap_value(double *value, const MetricRows *rows, const Comm *comm)
{
    MetricGroups groups;
    ExactSum sum = {0};
    DP_TRY(metric_groups_build(&groups, rows, comm));
    int64_t hits = groups.hits_before, rows_above = groups.hits_before + groups.misses_before;
    for (int64_t i = 0; i < groups.n; i++) {
        const MetricGroup *g = &groups.group[i];
        hits += g->hits;
        rows_above += g->hits + g->misses;
        if (g->hits > 0)
            exact_add(&sum, (double)g->hits * ((double)hits / (double)rows_above));
    }
    comm_sum_exact(comm, &sum, 1);
    *value = groups.hits ? exact_value(&sum) / (double)groups.hits : NAN;
    metric_groups_free(&groups);
    return DP_OK;
}
