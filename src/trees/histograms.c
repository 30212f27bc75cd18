/* Histograms of a level over all ranks: built for the smaller children only, summed by feature over ranks (each rank
 * gets its features), the larger children by subtraction. Messages: one reduce-scatter a level, whose size depends on
 * bins and nodes, never on rows. Where a level's histograms pass their part of the memory, or a message, nodes are
 * built in groups; where they cannot be kept for the level below, that one is built without subtraction.
 *
 * Where a child needs a least number of rows, a node has two slots: its sums, and a histogram of its rows, which is a
 * second pass over them (device/backend.h, TreeScores). */
#include <string.h>

#include "device/tree_math.h"
#include "trees/trees_priv.h"

int trees_slots(const TreesTraining *t)
{
    return t->rows_least > 0 ? 2 : 1;
}

/* The cells of n nodes of a rank's features, and of all. */
static size_t cells_of(const TreesTraining *t, int rank, int nodes)
{
    const int32_t *at = t->share.features.at;
    return 2 * (size_t)trees_slots(t) * (size_t)nodes *
           (size_t)(at[t->share.first[rank + 1]] - at[t->share.first[rank]]);
}

static size_t cells_of_all(const TreesTraining *t, int nodes)
{
    return 2 * (size_t)trees_slots(t) * (size_t)nodes * (size_t)t->share.features.at[t->share.features.n];
}

/* With one rank, level by level, the host never looks at histograms: a device with memory of its own keeps them. */
static bool kept_by_device(const TreesTraining *t)
{
    return t->share.ranks == 1 && t->options.growth != TREES_LEAFWISE && !t->memory.in_file;
}

static dp_status grow_room(const TreesTraining *t, int64_t **cells, size_t *room, size_t n)
{
    if (n > *room) {
        if (*cells)
            t->ops->release(t->context, *cells);
        dp_free(cells);
        *room = 0;
        DP_TRY(dp_new(cells, n));
        *room = n;
        if (kept_by_device(t))
            t->ops->hold(t->context, *cells, n * sizeof **cells);
    }
    return DP_OK;
}

void trees_histograms_let_go(TreesTraining *t)
{
    const void *const held[] = {t->local, t->built, t->now, t->next};
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        if (held[i])
            t->ops->release(t->context, held[i]);
}

dp_status trees_histograms_room(TreesTraining *t, int built, int next)
{
    DP_TRY(grow_room(t, &t->local, &t->local_room, cells_of_all(t, built)));
    if (t->share.ranks > 1)
        DP_TRY(grow_room(t, &t->built, &t->built_room, cells_of(t, t->share.rank, built)));
    return grow_room(t, &t->next, &t->next_room, cells_of(t, t->share.rank, next));
}

/* The cells of a node on the rank that has most of them. */
static int64_t cells_of_most(const TreesTraining *t)
{
    size_t most = 0;
    for (int r = 0; r < t->share.ranks; r++)
        most = cells_of(t, r, 1) > most ? cells_of(t, r, 1) : most;
    return (int64_t)most;
}

void trees_note_kept(TreesTraining *t, int nodes)
{
    int64_t cells = nodes * cells_of_most(t);
    t->cells_kept = cells > t->cells_kept ? cells : t->cells_kept;
}

int trees_histograms_at_once(const TreesTraining *t, int nodes, int kept)
{
    int64_t all = (int64_t)cells_of_all(t, 1), most = cells_of_most(t);
    int64_t stay = kept * most > t->cells_kept ? kept * most : t->cells_kept;
    int64_t n = (t->cells_most - stay) / (all + (t->share.ranks > 1 ? most : 0));
    if (n > INT32_MAX / all) /* a message moves at most so many numbers */
        n = INT32_MAX / all;
    return n < 0 ? 0 : n < nodes ? (int)n : nodes;
}

/* Features in consecutive shares of about equal bins. */
void trees_share_features(TreesShare *share)
{
    int64_t total = share->features.at[share->features.n];
    int j = 0;
    for (int r = 0; r < share->ranks; r++) {
        share->first[r] = j;
        while (j < share->features.n && share->features.at[j + 1] * (int64_t)share->ranks <= total * (r + 1))
            j++;
    }
    share->first[share->ranks] = share->features.n;
}

/* The segments of these nodes in a stretch, without empty ones, each for the first slot of its node. */
static int segments_of(TreesTraining *t, const TreeSegment *lists, const int32_t *which, int nodes,
                       const TreesStretch *stretch)
{
    int n = 0;
    for (int k = 0; k < nodes; k++)
        for (int s = stretch->first; s < stretch->end; s++) {
            t->segment[n] = lists[(int64_t)which[k] * t->shards + s];
            t->segment[n].node = k * trees_slots(t);
            n += t->segment[n].count > 0;
        }
    return n;
}

/* Local. Adds the rows of the segments of a job to their nodes' second slots. */
static void count_rows(TreesTraining *t, TreeHistogram job)
{
    for (int i = 0; i < job.segments; i++)
        t->segment[i].node++;
    job.pair = t->one;
    job.levels = 1;
    job.add = true;
    t->ops->histogram(t->context, &job);
}

const int64_t *trees_histograms_build(TreesTraining *t, const TreeSegment *lists, const int32_t *which, int nodes,
                                      const Comm *comm)
{
    TreesStretch stretch = {0};
    TreeHistogram job = {.bins = &t->bins,
                         .features = &t->share.features,
                         .pair = t->pair,
                         .levels = (int)t->options.levels,
                         .index = t->index,
                         .segment = t->segment,
                         .nodes = nodes * trees_slots(t),
                         .out = t->local};
    while (trees_next_stretch(t, &stretch)) {
        job.segments = segments_of(t, lists, which, nodes, &stretch);
        t->ops->histogram(t->context, &job);
        if (t->rows_least > 0)
            count_rows(t, job);
        job.add = true;
    }
    if (t->share.ranks == 1)
        return t->local;
    for (int r = 0; r < t->share.ranks; r++)
        t->share.counts[r] = (int)cells_of(t, r, nodes);
    comm_reduce_scatter_i64(comm, t->local, t->built, t->share.counts);
    return t->built;
}

void trees_histograms_split(TreesTraining *t, const TreeSiblings *nodes)
{
    const int slots = trees_slots(t);
    TreeSiblings job = *nodes;
    for (int i = slots * nodes->siblings - 1; i >= 0; i--) {
        TreeSibling s = t->sibling[i / slots];
        int slot = i % slots;
        t->sibling[i] = (TreeSibling){.parent = slots * s.parent + slot,
                                      .built = slots * s.built + slot,
                                      .smaller = slots * s.smaller + slot,
                                      .larger = slots * s.larger + slot};
    }
    job.features = &t->share.features;
    job.first = t->share.first[t->share.rank];
    job.last = t->share.first[t->share.rank + 1];
    job.n_parents *= slots;
    job.n_built *= slots;
    job.n_out *= slots;
    job.siblings *= slots;
    t->ops->siblings(t->context, &job);
}

/* The best of the ranks' splits: the highest score, then the lowest code. Non-negative doubles sort as their bits. */
static void agree_splits(TreesTraining *t, int nodes, const Comm *comm)
{
    int64_t *score = t->exchange, *code = t->exchange + nodes;
    if (t->share.ranks == 1)
        return;
    for (int k = 0; k < nodes; k++)
        memcpy(&score[k], &t->split[k].score, sizeof *score);
    comm_max_i64(comm, score, (size_t)nodes);
    for (int k = 0; k < nodes; k++) {
        int64_t mine;
        memcpy(&mine, &t->split[k].score, sizeof mine);
        code[k] = mine == score[k] && mine != 0 ? t->split[k].code : INT64_MAX;
    }
    comm_min_i64(comm, code, (size_t)nodes);
    for (int k = 0; k < nodes; k++) {
        memcpy(&t->split[k].score, &score[k], sizeof *score);
        t->split[k].code = code[k];
    }
}

/* rise: bounds stand in t->bounds. */
static TreeScores scores_of(const TreesTraining *t, const int64_t *histogram, int nodes)
{
    return (TreeScores){.bounds = t->options.rise ? t->bounds : NULL,
                        .rise = t->options.rise,
                        .l1 = t->options.l1,
                        .features = &t->share.features,
                        .first = t->share.first[t->share.rank],
                        .last = t->share.first[t->share.rank + 1],
                        .histogram = histogram,
                        .nodes = nodes,
                        .g_unit = t->g_unit,
                        .h_unit = t->h_unit,
                        .l2 = t->options.l2,
                        .h_least = t->h_least,
                        .rows_least = t->rows_least};
}

/* Local. What nodes first .. first + nodes - 1 of the level add to the choice of splits: a split each, or scores for
 * one split of all. */
static void score_nodes(TreesTraining *t, const int64_t *histogram, int first, int nodes, double *parent)
{
    TreeScores job = scores_of(t, histogram, nodes);
    if (job.first == job.last)
        return;
    if (job.bounds)
        job.bounds += 2 * first;
    if (t->options.growth == TREES_SYMMETRIC)
        t->ops->level_scores(t->context, &job, t->level_score, parent);
    else
        t->ops->best_splits(t->context, &job, t->split + first);
}

/* Local. One split for the whole level, into split[0]. */
static void choose_level_split(TreesTraining *t, double parent)
{
    const TreesShare *share = &t->share;
    const int32_t *at = share->features.at, *id = share->features.id;
    int first = share->first[share->rank], last = share->first[share->rank + 1];
    for (int j = first; j < last; j++)
        for (int s = 0; s < at[j + 1] - at[j] - 1; s++)
            for (int right = 0; right < (s == 0 ? 1 : 2); right++) {
                double score = t->level_score[2 * (at[j] - at[first] + s) + right];
                if (score > parent * TREE_GAIN_LEAST && score > t->split[0].score)
                    t->split[0] = (TreeSplit){score, TREE_SPLIT_CODE(id[j], s, right)};
            }
}

/* Local. The score of a node by itself; 0 on a rank without features. */
static double own_score(const TreesTraining *t, const TreeScores *job, int node)
{
    int64_t g = 0, h = 0;
    if (job->first == job->last)
        return -0.0; /* the least of all bits */
    const int64_t *cells = job->histogram + tree_scored_cell(job, job->first, node);
    for (int b = 0; b < job->features->at[job->first + 1] - job->features->at[job->first]; b++) {
        g += cells[2 * b];
        h += cells[2 * b + 1];
    }
    if (job->bounds)
        return tree_score_at(
            g, h, t->g_unit, t->h_unit, job->l1, job->l2,
            tree_value(g, h, t->g_unit, t->h_unit, job->l1, job->l2, job->bounds[2 * node], job->bounds[2 * node + 1]));
    return tree_score(g, h, t->g_unit, t->h_unit, job->l1, job->l2);
}

void trees_find_node_splits(TreesTraining *t, const int64_t *histogram, int nodes, double *own, const Comm *comm)
{
    TreeScores job = scores_of(t, histogram, nodes);
    int64_t bits[2];
    for (int k = 0; k < nodes; k++) {
        t->split[k] = (TreeSplit){0, 0};
        own[k] = own_score(t, &job, k);
    }
    if (job.first < job.last)
        t->ops->best_splits(t->context, &job, t->split);
    agree_splits(t, nodes, comm);
    memcpy(bits, own, (size_t)nodes * sizeof *bits);
    comm_max_i64(comm, bits, (size_t)nodes);
    memcpy(own, bits, (size_t)nodes * sizeof *own);
}

/* Collective. The scores of a level whose histograms are too many to be kept: a group of nodes after the other, each
 * built from its own rows. */
static dp_status score_groups(TreesTraining *t, double *parent, const Comm *comm)
{
    int group = trees_histograms_at_once(t, t->nodes, 0);
    DP_TRY_ALL(comm, trees_histograms_room(t, group, 0));
    for (int first = 0; first < t->nodes; first += group) {
        int n = t->nodes - first < group ? t->nodes - first : group;
        for (int k = 0; k < n; k++)
            t->which[k] = first + k;
        score_nodes(t, trees_histograms_build(t, t->learn, t->which, n, comm), first, n, parent);
    }
    return DP_OK;
}

dp_status trees_find_splits(TreesTraining *t, bool *any, const Comm *comm)
{
    const bool symmetric = t->options.growth == TREES_SYMMETRIC;
    const int32_t *at = t->share.features.at;
    double parent = 0;
    for (int k = 0; k < t->nodes; k++)
        t->split[k] = (TreeSplit){0, 0};
    for (int k = 0; k < t->nodes && t->options.rise; k++)
        trees_bounds(t, t->draft.depth, t->node[k].place, t->bounds + 2 * k);
    if (symmetric)
        memset(t->level_score, 0, 2 * (size_t)at[t->share.features.n] * sizeof *t->level_score);
    if (t->kept)
        score_nodes(t, t->now, 0, t->nodes, &parent);
    else
        DP_TRY(score_groups(t, &parent, comm));
    if (symmetric)
        choose_level_split(t, parent);
    agree_splits(t, symmetric ? 1 : t->nodes, comm);
    for (int k = 1; k < t->nodes && symmetric; k++)
        t->split[k] = t->split[0];
    *any = false;
    for (int k = 0; k < t->nodes; k++)
        *any |= t->split[k].score > 0;
    return DP_OK;
}
