/* Growing one tree, level by level. Nodes of a level are slots 0 .. nodes - 1; every rank knows all of them, and holds
 * of each its own rows, as segments of its list: one a shard (a thread's rows). */
#include <string.h>

#include "base/rng.h"
#include "device/tree_math.h"
#include "trees/objective.h"

#define SWAP(type, a, b)                                                                                               \
    do {                                                                                                               \
        type swap = (a);                                                                                               \
        (a) = (b);                                                                                                     \
        (b) = swap;                                                                                                    \
    } while (0)

/* The root: each shard's drawn rows in order. */
static void list_rows(TreesTraining *t)
{
    TreeListing job = {
        .pair = t->pair, .shards = t->shards, .from = t->shard_from, .index = t->index, .segment = t->learn};
    t->ops->list(t->context, &job);
    t->nodes = 1;
    t->node[0] = (TreesNode){.place = 0};
}

/* The features that this tree may use: those with the smallest draws, in ascending order. */
static void draw_features(TreesTraining *t, int tree)
{
    const TreesMatrix *m = t->matrix;
    int able = 0, wanted, n = 0;
    for (int f = 0; f < m->features; f++)
        able += m->splits[f];
    wanted = (int)((double)able * t->options.sample_columns + 0.5);
    wanted = wanted < 1 && able > 0 ? 1 : wanted;
    t->feature_at[0] = 0;
    for (int f = 0; f < m->features; f++) {
        uint64_t mine = dp_random_u64(t->seed, TREES_RANDOM_COLUMNS + (uint64_t)tree * 16, (uint64_t)f);
        int smaller = 0;
        if (!m->splits[f])
            continue;
        for (int g = 0; g < m->features && wanted < able; g++) {
            uint64_t other = dp_random_u64(t->seed, TREES_RANDOM_COLUMNS + (uint64_t)tree * 16, (uint64_t)g);
            smaller += m->splits[g] && (other < mine || (other == mine && g < f));
        }
        if (smaller >= wanted)
            continue;
        t->feature_id[n] = f;
        t->feature_at[n + 1] = t->feature_at[n] + m->borders[f] + 2;
        n++;
    }
    t->share.features = (TreeFeatures){.n = n, .id = t->feature_id, .at = t->feature_at};
    trees_share_features(&t->share);
}

static void draw_gradients(TreesTraining *t, int tree)
{
    TreeGradients job = {.loss = trees_loss(t),
                         .row = t->rows.row,
                         .g_scale = t->g_scale,
                         .h_scale = t->h_scale,
                         .key = dp_random_u64(t->seed, TREES_RANDOM_ROUND, (uint64_t)tree),
                         .draw = t->draw,
                         .pair = t->pair};
    t->ops->gradients(t->context, &job);
}

TreeCut trees_cut(const TreeSplit *split, const TreeSegment *segment)
{
    bool splits = split->score > 0;
    return (TreeCut){.segment = *segment,
                     .feature = splits ? (int32_t)(split->code >> 20) : -1,
                     .bin = splits ? (int32_t)(split->code >> 1 & 0x3FFFF) : 0,
                     .missing_right = splits && (split->code & 1)};
}

void trees_note_split(TreesTraining *t, const TreeSplit *split, int at)
{
    TreeCut cut = trees_cut(split, &t->learn[0]);
    t->draft.feature[at] = cut.feature;
    t->draft.bin[at] = cut.bin;
    t->draft.missing_right[at] = cut.missing_right;
}

static int place_of(const TreesTraining *t, int level, int k)
{
    return t->options.growth == TREES_SYMMETRIC ? level : (1 << level) - 1 + t->node[k].place;
}

/* Splits the rows of this rank; the next level's nodes, with their rows over all ranks. */
static void split_rows(TreesTraining *t, const Comm *comm)
{
    int cuts = 0, next = 0, shards = t->shards;
    for (int k = 0; k < t->nodes; k++)
        for (int s = 0; s < shards && t->split[k].score > 0; s++)
            t->cut[cuts++] = trees_cut(&t->split[k], &t->learn[k * shards + s]);
    TreePartition job = {.bins = &t->bins, .index = t->index, .scratch = t->scratch, .cut = t->cut, .cuts = cuts};
    t->ops->partition(t->context, &job);
    cuts = 0;
    for (int k = 0; k < t->nodes; k++) {
        if (!(t->split[k].score > 0))
            continue;
        t->exchange[next] = t->exchange[next + 1] = 0;
        for (int s = 0; s < shards; s++) {
            const TreeCut *cut = &t->cut[cuts++];
            TreeSegment *to = &t->next_learn[next * shards + s];
            to[0] = (TreeSegment){.begin = cut->segment.begin, .count = cut->left};
            to[shards] =
                (TreeSegment){.begin = cut->segment.begin + cut->left, .count = cut->segment.count - cut->left};
            t->exchange[next] += to[0].count;
            t->exchange[next + 1] += to[shards].count;
        }
        t->next_node[next].place = 2 * t->node[k].place;
        t->next_node[next + 1].place = 2 * t->node[k].place + 1;
        next += 2;
    }
    comm_sum_i64(comm, t->exchange, (size_t)next);
    for (int k = 0; k < next; k++)
        t->next_node[k].rows = t->exchange[k];
}

/* Histograms of the next level: of each pair of children the one with fewer rows is built, the other is what is left
 * of the parent. Then the next level is this one. */
static dp_status go_down(TreesTraining *t, const Comm *comm)
{
    int pairs = 0, segments = 0;
    for (int k = 0; k < t->nodes; k++)
        if (t->split[k].score > 0) {
            int left = 2 * pairs, right = left + 1;
            bool left_smaller = t->next_node[left].rows <= t->next_node[right].rows;
            t->sibling[pairs] = (TreeSibling){.parent = k,
                                              .built = pairs,
                                              .smaller = left_smaller ? left : right,
                                              .larger = left_smaller ? right : left};
            for (int s = 0; s < t->shards; s++) {
                t->segment[segments] = t->next_learn[t->sibling[pairs].smaller * t->shards + s];
                t->segment[segments++].node = pairs;
            }
            pairs++;
        }
    DP_TRY_ALL(comm, trees_histograms_room(t, pairs, 2 * pairs));
    TreeSiblings job = {.features = &t->share.features,
                        .first = t->share.first[t->share.rank],
                        .last = t->share.first[t->share.rank + 1],
                        .parents = t->now,
                        .built = trees_histograms_build(t, t->segment, segments, pairs, comm),
                        .out = t->next,
                        .n_parents = t->nodes,
                        .n_built = pairs,
                        .n_out = 2 * pairs,
                        .sibling = t->sibling,
                        .siblings = pairs};
    t->ops->siblings(t->context, &job);
    SWAP(int64_t *, t->now, t->next);
    SWAP(size_t, t->now_room, t->next_room);
    SWAP(TreeSegment *, t->learn, t->next_learn);
    SWAP(TreesNode *, t->node, t->next_node);
    t->nodes = 2 * pairs;
    return DP_OK;
}

static dp_status build_root(TreesTraining *t, const Comm *comm)
{
    const int64_t *root;
    int first = t->share.first[t->share.rank], last = t->share.first[t->share.rank + 1];
    DP_TRY_ALL(comm, trees_histograms_room(t, 1, 1));
    memcpy(t->segment, t->learn, (size_t)t->shards * sizeof *t->segment);
    root = trees_histograms_build(t, t->segment, t->shards, 1, comm);
    memcpy(t->next, root, 2 * (size_t)(t->feature_at[last] - t->feature_at[first]) * sizeof *root);
    SWAP(int64_t *, t->now, t->next);
    SWAP(size_t, t->now_room, t->next_room);
    return DP_OK;
}

static dp_status grow_levels(TreesTraining *t, const Comm *comm)
{
    int depth = (int)t->options.depth;
    DP_TRY(build_root(t, comm));
    for (int level = 0; level < depth; level++) {
        bool splits = trees_find_splits(t, comm);
        if (splits) {
            t->draft.depth = level + 1;
            for (int k = 0; k < t->nodes; k++)
                trees_note_split(t, &t->split[k], place_of(t, level, k));
        }
        if (!splits || level == depth - 1)
            break;
        split_rows(t, comm);
        DP_TRY(go_down(t, comm));
    }
    return DP_OK;
}

/* The leaf of every row of this rank, drawn or not: a walk of the tree costs less than taking all rows along. */
static void find_rows_leaves(TreesTraining *t)
{
    TreeWalk job = {.bins = &t->bins,
                    .symmetric = t->options.growth == TREES_SYMMETRIC,
                    .depth = t->draft.depth,
                    .feature = t->draft.feature,
                    .bin = t->draft.bin,
                    .missing_right = t->draft.missing_right,
                    .leaf = t->leaf};
    t->ops->walk(t->context, &job);
}

dp_status trees_grow(TreesTraining *t, int tree, bool *grew, const Comm *comm)
{
    int depth = (int)t->options.depth, places = t->options.growth == TREES_SYMMETRIC ? depth : (1 << depth) - 1;
    for (int i = 0; i < places; i++) {
        t->draft.feature[i] = -1;
        t->draft.bin[i] = 0;
        t->draft.missing_right[i] = 0;
    }
    t->draft.depth = 0;
    *grew = false;
    draw_features(t, tree);
    if (t->share.features.n == 0)
        return DP_OK;
    trees_take_gradients(t, tree % t->model.outputs, comm);
    trees_draw_rows(t, tree, comm);
    draw_gradients(t, tree);
    list_rows(t);
    DP_TRY(t->options.growth == TREES_LEAFWISE ? trees_grow_leaves(t, comm) : grow_levels(t, comm));
    *grew = t->draft.depth > 0;
    if (*grew)
        find_rows_leaves(t);
    return DP_OK;
}
