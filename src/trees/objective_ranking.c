/* Ranking within groups (LambdaRank): what is found first in a group is what counts most. A row's target is its gain, 0
 * or more (what an inspection recovers); no row's score means anything beside those of its group.
 *
 * Of two rows i, j of a group with gain_i > gain_j
 *     cost = delta w_i w_j log(1 + e^-(margin_i - margin_j))
 *     delta = (gain_i - gain_j) |discount_i - discount_j| / ideal
 * where discount = 1 / log2(2 + position) of the rank.top first positions, else 0, and ideal is the sum of gain x
 * discount of the best order: delta is what the NDCG of the group changes when the two change places. So g and h of a
 * row are sums over its pairs, of which one has a place among the first: rank.top x rows of a group at most. Source:
 * Burges, "From RankNet to LambdaRank to LambdaMART", MSR-TR-2010-82, sections 3 and 4; gains as they are, not 2^gain -
 * 1, as befits money.
 *
 * Before each tree margins go to the ranks that own the groups (comm/groups.h), g and h come back. Positions follow
 * from margins, then identities of rows; sums run over positions in their order: the same bits on any ranks. */
#include <stdlib.h>
#include <string.h>

#include "comm/groups.h"
#include "device/tree_math.h"
#include "trees/objective.h"

/* A row as its group sees it, and where it stands. */
typedef struct Ranked {
    int64_t margin;
    uint32_t at; /* among the rows that came */
} Ranked;
typedef struct Fixed {
    double gain, weight;
} Fixed;
typedef struct Lambda {
    double g, h;
} Lambda;

struct TreesRanking {
    CommGroups groups;
    uint32_t *slot;    /* [rows] of a row of train among those sent; NO_SLOT */
    int64_t *margin;   /* [n_got] of those that came, in the groups' order */
    Fixed *fixed;      /* [n_got] */
    Lambda *lambda;    /* [n_got]; then [n] what came back */
    Lambda *own;       /* [n] */
    int64_t *sent;     /* [n] */
    Ranked *ranked;    /* [n_got] */
    uint32_t *hits;    /* [n_got] positions with a gain, group by group */
    double *per_ideal; /* [groups] 1 / ideal; 0: nothing to be found */
    double *discount;  /* [top] */
};
#define NO_SLOT   UINT32_MAX
#define GAIN_MOST 1e30

static dp_status check_gains(const TreesTraining *t, int64_t *gains)
{
    if (t->rows.n > 0 && !(t->rows.group && t->rows.target))
        return dp_fail(DP_ERR_USAGE, "trees-13", "ranking wants a group and a gain for each row");
    for (int64_t i = 0; i < t->rows.n; i++) {
        if (!trees_in_train(t, i))
            continue;
        if (!(t->rows.target[i] >= 0 && t->rows.target[i] <= GAIN_MOST))
            return dp_fail(DP_ERR_DATA, "trees-02", "row %lld of this rank has label %g; gains lie within 0 .. %g",
                           (long long)i, t->rows.target[i], GAIN_MOST);
        t->ranking->slot[i] = (uint32_t)t->ranking->groups.n++;
        *gains += t->rows.target[i] > 0;
    }
    return DP_OK;
}

static dp_status new_ranking(TreesTraining *t, int64_t *gains)
{
    DP_TRY(dp_new(&t->ranking, 1));
    DP_TRY(dp_new(&t->ranking->slot, (size_t)t->rows.n));
    if (t->rows.n > 0)
        memset(t->ranking->slot, 0xFF, (size_t)t->rows.n * sizeof *t->ranking->slot);
    return check_gains(t, gains);
}

/* Local. Room for the rows of train here, and their fixed parts. */
static dp_status new_rows(const TreesTraining *t, uint64_t **group, uint64_t **row, Fixed **mine)
{
    struct TreesRanking *r = t->ranking;
    const size_t n = (size_t)r->groups.n;
    DP_TRY(dp_new(group, n));
    DP_TRY(dp_new(row, n));
    DP_TRY(dp_new(mine, n));
    DP_TRY(dp_new(&r->own, n));
    DP_TRY(dp_new(&r->sent, n));
    for (int64_t i = 0; i < t->rows.n; i++) {
        uint32_t k = r->slot[i];
        if (k == NO_SLOT)
            continue;
        (*group)[k] = t->rows.group[i];
        (*row)[k] = t->rows.row[i];
        (*mine)[k] = (Fixed){.gain = t->rows.target[i], .weight = trees_weight(t, i)};
    }
    return DP_OK;
}

static dp_status new_groups(struct TreesRanking *r, int64_t top)
{
    const size_t n = (size_t)r->groups.n_got;
    DP_TRY(dp_new(&r->margin, n));
    DP_TRY(dp_new(&r->fixed, n));
    DP_TRY(dp_new(&r->lambda, n));
    DP_TRY(dp_new(&r->ranked, n));
    DP_TRY(dp_new(&r->hits, n));
    DP_TRY(dp_new(&r->per_ideal, (size_t)r->groups.groups));
    DP_TRY(dp_new(&r->discount, (size_t)top));
    for (int64_t k = 0; k < top; k++)
        r->discount[k] = tree_log(2.0) / tree_log((double)k + 2.0);
    return DP_OK;
}

static int larger_first(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x < *y) - (*x > *y);
}

/* Local. What the best order of each group would bring. spare: as many as rows came. */
static void find_ideals(struct TreesRanking *r, int64_t top, double *spare)
{
    for (int64_t j = 0; j < r->groups.groups; j++) {
        const int64_t from = r->groups.start[j], n = r->groups.start[j + 1] - from;
        double ideal = 0;
        for (int64_t k = 0; k < n; k++)
            spare[k] = r->fixed[from + k].gain;
        qsort(spare, (size_t)n, sizeof *spare, larger_first);
        for (int64_t k = 0; k < n && k < top; k++)
            ideal += spare[k] * r->discount[k];
        r->per_ideal[j] = ideal > 0 ? 1 / ideal : 0;
    }
}

static dp_status bring_rows(TreesTraining *t, const Comm *comm)
{
    struct TreesRanking *r = t->ranking;
    const int64_t n = r->groups.n;
    uint64_t *group = NULL, *row = NULL;
    Fixed *mine = NULL;
    double *spare = NULL;
    dp_status st = DP_OK;
    DP_GO_ALL(comm, new_rows(t, &group, &row, &mine));
    DP_GO(comm_groups_build(&r->groups, group, row, n, comm));
    st = new_groups(r, t->options.rank_top);
    if (st == DP_OK)
        st = dp_new(&spare, (size_t)r->groups.n_got);
    DP_GO_ALL(comm, st);
    DP_GO(comm_groups_bring(&r->groups, mine, sizeof *mine, r->fixed, comm));
    find_ideals(r, t->options.rank_top, spare);
done:
    dp_free(&group);
    dp_free(&row);
    dp_free(&mine);
    dp_free(&spare);
    return st;
}

static dp_status begin(TreesTraining *t, const Comm *comm)
{
    int64_t gains = 0;
    DP_TRY_ALL(comm, new_ranking(t, &gains));
    t->train_rows = t->ranking->groups.n;
    comm_sum_i64(comm, &t->train_rows, 1);
    comm_sum_i64(comm, &gains, 1);
    if (gains == 0)
        return dp_fail(DP_ERR_DATA, "trees-08", "none of the %lld rows of train has a gain: there is nothing to rank",
                       (long long)t->train_rows);
    return bring_rows(t, comm);
}

static void end(TreesTraining *t)
{
    struct TreesRanking *r = t->ranking;
    if (!r)
        return;
    comm_groups_free(&r->groups);
    void *const owned[] = {&r->slot, &r->margin, &r->fixed,  &r->lambda,    &r->own,
                           &r->sent, &r->hits,   &r->ranked, &r->per_ideal, &r->discount};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        dp_free(owned[i]);
    dp_free(&t->ranking);
}

/* ---- before a tree ---- */

static int higher_first(const void *a, const void *b)
{
    const Ranked *x = a, *y = b;
    if (x->margin != y->margin)
        return x->margin > y->margin ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at); /* ascending identities */
}

/* A group in the order of its margins. */
typedef struct Order {
    const Ranked *ranked; /* [n] */
    int64_t n, top;
    const Fixed *fixed;
    const double *discount;
    double per_ideal;
    Lambda *lambda;
} Order;

/* Local. What the pair of positions a < b adds to both rows. */
static inline void add_pair(const Order *o, int64_t a, int64_t b)
{
    const Ranked *x = &o->ranked[a], *y = &o->ranked[b];
    const Fixed *fx = &o->fixed[x->at], *fy = &o->fixed[y->at];
    double gain = fx->gain - fy->gain, discount = o->discount[a] - (b < o->top ? o->discount[b] : 0);
    double delta = (gain < 0 ? -gain : gain) * discount * o->per_ideal * (fx->weight * fy->weight);
    double ahead = tree_margin(x->margin - y->margin);
    double wrong = tree_sigmoid(gain < 0 ? ahead : -ahead); /* how likely the pair stands the wrong way */
    double g = delta * wrong, h = g * (1.0 - wrong);
    g = gain < 0 ? -g : g;
    o->lambda[x->at].g -= g;
    o->lambda[y->at].g += g;
    o->lambda[x->at].h += h;
    o->lambda[y->at].h += h;
}

/* Local. All pairs of a group with unlike gains, one of them among the first. hits: positions with a gain, ascending.
 */
static void add_pairs(const Order *o, const uint32_t *hits, int64_t n_hits)
{
    int64_t next = 0; /* the first hit behind a */
    for (int64_t a = 0; a < o->n && a < o->top; a++) {
        double gain = o->fixed[o->ranked[a].at].gain;
        while (next < n_hits && hits[next] <= a)
            next++;
        if (gain > 0) {
            for (int64_t b = a + 1; b < o->n; b++)
                if (tree_bits(o->fixed[o->ranked[b].at].gain) != tree_bits(gain))
                    add_pair(o, a, b);
        } else {
            for (int64_t k = next; k < n_hits; k++)
                add_pair(o, a, hits[k]);
        }
    }
}

static void rank_group(struct TreesRanking *r, int64_t j, int64_t top)
{
    const int64_t from = r->groups.start[j], n = r->groups.start[j + 1] - from;
    Ranked *ranked = r->ranked + from;
    uint32_t *hits = r->hits + from;
    int64_t n_hits = 0;
    memset(r->lambda + from, 0, (size_t)n * sizeof *r->lambda);
    if (!(r->per_ideal[j] > 0))
        return;
    for (int64_t k = 0; k < n; k++)
        ranked[k] = (Ranked){.margin = r->margin[from + k], .at = (uint32_t)k};
    qsort(ranked, (size_t)n, sizeof *ranked, higher_first);
    for (int64_t k = 0; k < n; k++)
        if (r->fixed[from + ranked[k].at].gain > 0)
            hits[n_hits++] = (uint32_t)k;
    add_pairs(&(Order){.ranked = ranked,
                       .n = n,
                       .top = top,
                       .fixed = r->fixed + from,
                       .discount = r->discount,
                       .per_ideal = r->per_ideal[j],
                       .lambda = r->lambda + from},
              hits, n_hits);
}

static dp_status prepare(TreesTraining *t, const Comm *comm)
{
    struct TreesRanking *r = t->ranking;
    const int threads = t->context->threads;
    for (int64_t i = 0; i < t->rows.n; i++)
        if (r->slot[i] != NO_SLOT)
            r->sent[r->slot[i]] = t->margins[i];
    DP_TRY(comm_groups_bring(&r->groups, r->sent, sizeof *r->sent, r->margin, comm));
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (int64_t j = 0; j < r->groups.groups; j++)
        rank_group(r, j, t->options.rank_top);
    return comm_groups_return(&r->groups, r->lambda, sizeof *r->lambda, r->own, comm);
}

static void gradients(TreesTraining *t, int output, int64_t from, int64_t to)
{
    const struct TreesRanking *r = t->ranking;
    (void)output;
    for (int64_t i = from; i < to; i++) {
        bool learns = r->slot[i] != NO_SLOT;
        t->g[i] = learns ? r->own[r->slot[i]].g : 0;
        t->h[i] = learns ? r->own[r->slot[i]].h : 0;
    }
}

static void score(const double *margin, int outputs, double *score)
{
    (void)outputs;
    score[0] = margin[0];
}

const TreesObjective trees_objective_ranking = {.loss = TREES_RANKING,
                                                .begin = begin,
                                                .prepare = prepare,
                                                .gradients = gradients,
                                                .end = end,
                                                .h_over_size = 16,
                                                .score = score};
