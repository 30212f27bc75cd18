/* Growing one tree leaf by leaf: the leaf whose split gains most is split next, ties by its place in the heap. Each
 * split costs a reduce-scatter of one node's histogram and two small messages. */
#include <string.h>

#include "trees/trees_priv.h"

/* A leaf so far. Slot k of the lists of rows is leaf k. */
struct TreesLeaf {
    int32_t place; /* 0 .. 2^level - 1 */
    int level;
    int pair, side;    /* where its histogram lies: node `side` of pair `pair` of the pool */
    double gain;       /* 0: it does not split */
    bool left_lighter; /* of its halves */
    TreeSplit split;
};

dp_status trees_leaves_room(TreesLeaf **open, int64_t leaves)
{
    return dp_new(open, (size_t)leaves);
}

static int64_t heap_of(const TreesLeaf *leaf)
{
    return ((int64_t)1 << leaf->level) - 1 + leaf->place;
}

/* The pool holds the root (pair 0, alone) and the children of every split, this rank's features only. */
static size_t pair_cells(const TreesTraining *t)
{
    const int32_t *at = t->share.features.at;
    return 4 * (size_t)trees_slots(t) *
           (size_t)(at[t->share.first[t->share.rank + 1]] - at[t->share.first[t->share.rank]]);
}

static dp_status pool_room(TreesTraining *t)
{
    size_t cells = pair_cells(t) * (size_t)t->options.leaves;
    if (cells <= t->pool_room)
        return DP_OK;
    dp_free(&t->pool);
    t->pool_room = 0;
    DP_TRY(dp_new(&t->pool, cells));
    t->pool_room = cells;
    return DP_OK;
}

/* Splits of the leaves a and b, the two nodes of their pair (b NULL: the root alone). */
static void find_splits(TreesTraining *t, TreesLeaf *a, TreesLeaf *b, const Comm *comm)
{
    TreesLeaf *leaf[2] = {a, b};
    double own[2];
    int nodes = b ? 2 : 1;
    for (int k = 0; k < nodes && t->options.rise; k++)
        trees_bounds(t, leaf[k]->level, leaf[k]->place, t->bounds + 2 * k);
    trees_find_node_splits(t, t->pool + pair_cells(t) * (size_t)a->pair, nodes, own, comm);
    for (int k = 0; k < nodes; k++) {
        leaf[k]->split = t->split[k];
        leaf[k]->left_lighter = t->left_lighter[k];
        leaf[k]->gain = t->split[k].score > 0 && leaf[k]->level < t->options.depth ? t->split[k].score - own[k] : 0;
    }
}

/* The leaf to split next; -1: none gains. */
static int best_leaf(const TreesTraining *t, int leaves)
{
    int best = -1;
    for (int k = 0; k < leaves; k++) {
        const TreesLeaf *leaf = &t->open[k], *other = best < 0 ? NULL : &t->open[best];
        if (leaf->gain > 0 &&
            (!other || leaf->gain > other->gain || (!(leaf->gain < other->gain) && heap_of(leaf) < heap_of(other))))
            best = k;
    }
    return best;
}

/* Rows of leaf `from` that go right become those of leaf `to`. rows [2]: of
 * this rank, learned from. */
static void split_rows(TreesTraining *t, int from, int to, int64_t *rows)
{
    const int shards = t->shards;
    TreesStretch stretch = {0};
    rows[0] = rows[1] = 0;
    while (trees_next_stretch(t, &stretch)) {
        int cuts = stretch.end - stretch.first;
        for (int i = 0; i < cuts; i++)
            t->cut[i] = trees_cut(&t->open[from].split, &t->learn[from * shards + stretch.first + i]);
        TreePartition job = {.bins = &t->bins, .index = t->index, .scratch = t->scratch, .cut = t->cut, .cuts = cuts};
        t->ops->partition(t->context, &job);
        for (int i = 0; i < cuts; i++) {
            const TreeCut *cut = &t->cut[i];
            int s = stretch.first + i;
            int64_t right = cut->segment.count - cut->left;
            t->learn[from * shards + s] = (TreeSegment){.begin = cut->segment.begin, .count = cut->left};
            t->learn[to * shards + s] = (TreeSegment){.begin = cut->segment.begin + cut->left, .count = right};
            rows[0] += cut->left;
            rows[1] += right;
        }
    }
}

/* Histograms of the two halves of what was leaf `parent`, whose histogram lies where `old` says: into pair `pair`. */
static void build_pair(TreesTraining *t, const TreesLeaf *old, const int32_t *half, bool takes_left, int pair,
                       const Comm *comm)
{
    const int small = takes_left ? 0 : 1;
    trees_note_pair(t, 0, (TreeSibling){.parent = old->side, .built = 0, .smaller = small, .larger = 1 - small});
    trees_histograms_build(t, t->learn, &half[small], 1, comm);
    trees_histograms_split(t, 0,
                           &(TreeSiblings){.parents = t->pool + pair_cells(t) * (size_t)old->pair,
                                           .built = trees_histograms_finish(t, comm),
                                           .n_parents = old->pair == 0 ? 1 : 2,
                                           .n_built = 1,
                                           .n_out = 2,
                                           .out = t->pool + pair_cells(t) * (size_t)pair,
                                           .siblings = 1});
}

dp_status trees_grow_leaves(TreesTraining *t, const Comm *comm)
{
    const int64_t *root;
    int leaves = 1, k;
    DP_TRY(trees_histograms_room(t, 1, 1, 1, comm));
    DP_TRY_ALL(comm, pool_room(t));
    t->which[0] = 0;
    trees_histograms_build(t, t->learn, t->which, 1, comm);
    root = trees_histograms_finish(t, comm);
    if (pair_cells(t) > 0)
        memcpy(t->pool, root, pair_cells(t) / 2 * sizeof *root);
    t->open[0] = (TreesLeaf){0};
    find_splits(t, &t->open[0], NULL, comm);
    while (leaves < t->options.leaves && (k = best_leaf(t, leaves)) >= 0) {
        TreesLeaf old = t->open[k];
        int64_t rows[2];
        int32_t half[2] = {k, leaves};
        trees_note_split(t, &old.split, (int)heap_of(&old));
        t->draft.depth = old.level + 1 > t->draft.depth ? old.level + 1 : t->draft.depth;
        split_rows(t, k, leaves, rows);
        if (t->options.rise)
            trees_note_middles(t, t->learn, &(TreesHalves){.level = old.level, .place = old.place, .slot = {k, leaves}},
                               1, comm);
        for (int side = 0; side < 2; side++)
            t->open[half[side]] =
                (TreesLeaf){.place = 2 * old.place + side, .level = old.level + 1, .pair = leaves, .side = side};
        leaves++;
        if (old.level + 1 == t->options.depth || leaves == t->options.leaves)
            continue; /* neither half splits any more */
        build_pair(t, &old, half, t->share.ranks > 1 ? old.left_lighter : rows[0] <= rows[1], leaves - 1, comm);
        find_splits(t, &t->open[half[0]], &t->open[half[1]], comm);
    }
    return DP_OK;
}
