/* The best split of each node, or of a level, over all ranks: each scores its features. */
#include <string.h>

#include "device/tree_math.h"
#include "trees/trees_priv.h"

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

/* Local. Where the feature of a split, one of this rank's, stands among those of the tree. The cells of its nodes k and
 * on are brought to the host, if a device holds them. */
static int fetch_feature(const TreesTraining *t, const TreeScores *job, int k, int nodes, const TreeSplit *split)
{
    const int32_t feature = trees_cut(split, &t->learn[0]).feature;
    int j = job->first;
    while (job->features->id[j] != feature)
        j++;
    int64_t from = tree_scored_cell(job, j, k), to = tree_scored_cell(job, j, k + nodes);
    t->ops->fetch(t->context, (int64_t *)job->histogram + from, (size_t)(to - from) * sizeof *job->histogram);
    return j;
}

/* Local. Has the left side of node k less hessian than the right one? j: where the split's feature stands. */
static bool left_is_lighter(const TreesTraining *t, const TreeScores *job, int j, int k, const TreeSplit *split)
{
    TreeCut cut = trees_cut(split, &t->learn[0]);
    int64_t left = 0, all = 0;
    const int64_t *cells = job->histogram + tree_scored_cell(job, j, k);
    for (int b = 0; b < job->features->at[j + 1] - job->features->at[j]; b++) {
        all += cells[2 * b + 1];
        if (b == 0 ? !cut.missing_right : b <= cut.bin)
            left += cells[2 * b + 1];
    }
    return left <= all - left;
}

/* The best of the ranks' splits: the highest score, then the lowest code. Non-negative doubles sort as their bits. With
 * it comes, a bit a node that it splits, which child is the lighter one, as only its rank can tell; its histogram will
 * be built, and the choice changes no sum. histogram: NULL where nobody will ask. */
static void agree_splits(TreesTraining *t, const int64_t *histogram, int nodes, const Comm *comm)
{
    enum { SCORE, CODE, LIGHTER, BITS = 64 };
    const TreeScores job = scores_of(t, histogram, nodes);
    const int each = t->options.growth == TREES_SYMMETRIC ? nodes : 1, n = nodes / each;
    const int width = LIGHTER + (each + BITS - 1) / BITS;
    if (t->share.ranks == 1)
        return;
    memset(t->exchange, 0, (size_t)n * (size_t)width * sizeof *t->exchange);
    for (int k = 0; k < n; k++) {
        int64_t *record = t->exchange + k * width;
        bool splits = t->split[k].score > 0;
        memcpy(&record[SCORE], &t->split[k].score, sizeof *record);
        record[CODE] = splits ? t->split[k].code : INT64_MAX;
        int j = splits && histogram ? fetch_feature(t, &job, k, each, &t->split[k]) : 0;
        for (int i = 0; i < each && splits && histogram; i++)
            if (left_is_lighter(t, &job, j, k + i, &t->split[k]))
                record[LIGHTER + i / BITS] |= (int64_t)(UINT64_C(1) << i % BITS);
    }
    comm_best(comm, t->exchange, n, width);
    for (int k = 0; k < n; k++) {
        const int64_t *record = t->exchange + k * width;
        memcpy(&t->split[k].score, &record[SCORE], sizeof *record);
        t->split[k].code = record[CODE];
        for (int i = 0; i < each; i++)
            t->left_lighter[k + i] = (uint64_t)record[LIGHTER + i / BITS] >> i % BITS & 1;
    }
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
    agree_splits(t, histogram, nodes, comm);
    memcpy(bits, own, (size_t)nodes * sizeof *bits);
    comm_max_i64(comm, bits, (size_t)nodes);
    memcpy(own, bits, (size_t)nodes * sizeof *own);
}

/* Collective. The scores of a level whose histograms are too many to be kept: a group of nodes after the other, each
 * built from its own rows and scored while the next one is summed. */
static dp_status score_groups(TreesTraining *t, double *parent, const Comm *comm)
{
    const int group = trees_histograms_at_once(t, t->nodes, 0), last = (t->nodes - 1) / group * group;
    DP_TRY(trees_histograms_room(t, group, last / group + 1, 0, comm));
    for (int k = 0; k < t->nodes; k++)
        t->which[k] = k;
    for (int first = 0; first <= last; first += group) {
        const int64_t *before =
            trees_histograms_build(t, t->learn, t->which + first, first < last ? group : t->nodes - last, comm);
        if (before)
            score_nodes(t, before, first - group, group, parent);
    }
    score_nodes(t, trees_histograms_finish(t, comm), last, t->nodes - last, parent);
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
        trees_bounds(t, t->draft.depth, t->place[k], t->bounds + 2 * k);
    if (symmetric)
        memset(t->level_score, 0, 2 * (size_t)at[t->share.features.n] * sizeof *t->level_score);
    if (t->kept)
        score_nodes(t, t->now.cell, 0, t->nodes, &parent);
    else
        DP_TRY(score_groups(t, &parent, comm));
    if (symmetric)
        choose_level_split(t, parent);
    agree_splits(t, t->kept ? t->now.cell : NULL, t->nodes, comm);
    for (int k = 1; k < t->nodes && symmetric; k++)
        t->split[k] = t->split[0];
    *any = false;
    for (int k = 0; k < t->nodes; k++)
        *any |= t->split[k].score > 0;
    return DP_OK;
}
