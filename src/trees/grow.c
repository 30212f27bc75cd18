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

/* Rounded gradients, and the root: each shard's drawn rows in order. */
static void draw_gradients(TreesTraining *t, int tree)
{
    uint64_t key = dp_random_u64(t->seed, TREES_RANDOM_ROUND, (uint64_t)tree);
    TreesStretch stretch = {0};
    while (trees_next_stretch(t, &stretch)) {
        int64_t from = stretch.from;
        TreeGradients job = {.loss = trees_loss(t, from, stretch.to),
                             .row = t->rows.row + from,
                             .g_scale = t->g_scale,
                             .h_scale = t->h_scale,
                             .key = key,
                             .draw = t->draw,
                             .pair = t->pair + from};
        TreeListing listing = {.pair = t->pair,
                               .shards = stretch.end - stretch.first,
                               .from = t->shard_from + stretch.first,
                               .index = t->index,
                               .segment = t->learn + stretch.first};
        t->ops->gradients(t->context, &job);
        t->ops->list(t->context, &listing);
    }
    t->chances_stand = t->chance != NULL;
    t->nodes = 1;
    t->place[0] = 0;
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
    return t->options.growth == TREES_SYMMETRIC ? level : (1 << level) - 1 + t->place[k];
}

/* Hands the parts of a stretch's cuts to the next level's nodes. */
static void take_parts(TreesTraining *t, const TreesStretch *stretch)
{
    const TreeCut *cut = t->cut;
    TreeSegment *left = t->next_learn;
    for (int k = 0, next = 0; k < t->nodes; k++) {
        if (!(t->split[k].score > 0))
            continue;
        for (int s = stretch->first; s < stretch->end; s++, cut++) {
            int64_t goes = cut->segment.count - cut->left;
            left[s] = (TreeSegment){.begin = cut->segment.begin, .count = cut->left};
            left[t->shards + s] = (TreeSegment){.begin = cut->segment.begin + cut->left, .count = goes};
            t->exchange[next] += cut->left;
            t->exchange[next + 1] += goes;
        }
        left += 2 * t->shards;
        next += 2;
    }
}

/* Splits the rows of this rank; the next level's nodes. Returns how many. */
static int split_rows(TreesTraining *t, const Comm *comm)
{
    int next = 0;
    TreesStretch stretch = {0};
    for (int k = 0; k < t->nodes; k++) {
        if (!(t->split[k].score > 0))
            continue;
        t->exchange[next] = t->exchange[next + 1] = 0;
        t->next_place[next++] = 2 * t->place[k];
        t->next_place[next++] = 2 * t->place[k] + 1;
    }
    while (trees_next_stretch(t, &stretch)) {
        TreePartition job = {.bins = &t->bins, .index = t->index, .scratch = t->scratch, .cut = t->cut};
        for (int k = 0; k < t->nodes; k++)
            for (int s = stretch.first; s < stretch.end && t->split[k].score > 0; s++)
                t->cut[job.cuts++] = trees_cut(&t->split[k], &t->learn[(int64_t)k * t->shards + s]);
        t->ops->partition(t->context, &job);
        take_parts(t, &stretch);
    }
    for (int k = 0; k < next / 2 && t->options.rise; k++)
        t->halves[k] =
            (TreesHalves){.level = t->draft.depth - 1, .place = t->next_place[2 * k] / 2, .slot = {2 * k, 2 * k + 1}};
    if (t->options.rise)
        trees_note_middles(t, t->next_learn, t->halves, next / 2, comm);
    return next;
}

/* Of each pair of children the lighter one is built: over all ranks that with less hessian, where one rank has all rows
 * that with fewer of them. `built`: its place in its group. */
static void list_pairs(TreesTraining *t, int group)
{
    for (int parent = 0, pair = 0; parent < t->nodes; parent++) {
        int left = 2 * pair, right = left + 1;
        if (!(t->split[parent].score > 0))
            continue;
        bool takes_left = t->share.ranks > 1 ? t->left_lighter[parent] : t->exchange[left] <= t->exchange[right];
        t->which[pair] = takes_left ? left : right;
        trees_note_pair(t, pair,
                        (TreeSibling){.parent = parent,
                                      .built = pair % group,
                                      .smaller = takes_left ? left : right,
                                      .larger = takes_left ? right : left});
        pair++;
    }
}

/* Local. Both children of pairs first .. first + n - 1, of which one was built. */
static void take_pairs(TreesTraining *t, int first, int n, int pairs, const int64_t *built)
{
    trees_histograms_split(t, first,
                           &(TreeSiblings){.parents = t->now.cell,
                                           .built = built,
                                           .out = t->next.cell,
                                           .n_parents = t->nodes,
                                           .n_built = n,
                                           .n_out = 2 * pairs,
                                           .siblings = n});
}

/* Collective. Histograms of the next level, `group` pairs at a time: while one is built the one before is summed. */
static dp_status build_next(TreesTraining *t, int pairs, int group, const Comm *comm)
{
    const int last = (pairs - 1) / group * group;
    DP_TRY(trees_histograms_room(t, group, last / group + 1, 2 * pairs, comm));
    list_pairs(t, group);
    for (int first = 0; first <= last; first += group) {
        const int64_t *before =
            trees_histograms_build(t, t->next_learn, t->which + first, first < last ? group : pairs - last, comm);
        if (before)
            take_pairs(t, first - group, group, pairs, before);
    }
    take_pairs(t, last, pairs - last, pairs, trees_histograms_finish(t, comm));
    return DP_OK;
}

/* The next level is this one, with its histograms where they can be kept. */
static dp_status go_down(TreesTraining *t, int nodes, const Comm *comm)
{
    /* now and next both grow to what the wider level needs */
    int group = t->kept ? trees_histograms_at_once(t, nodes / 2, 2 * nodes) : 0;
    t->kept = group > 0;
    if (t->kept) {
        DP_TRY(build_next(t, nodes / 2, group, comm));
        trees_note_kept(t, 2 * nodes);
        SWAP(TreesCells, t->now, t->next);
    }
    SWAP(TreeSegment *, t->learn, t->next_learn);
    SWAP(int32_t *, t->place, t->next_place);
    t->nodes = nodes;
    return DP_OK;
}

static dp_status build_root(TreesTraining *t, const Comm *comm)
{
    int first = t->share.first[t->share.rank], last = t->share.first[t->share.rank + 1];
    DP_TRY(trees_histograms_room(t, 1, 1, 1, comm));
    t->which[0] = 0;
    trees_histograms_build(t, t->learn, t->which, 1, comm);
    trees_histograms_finish(t, comm);
    int64_t *root = t->share.ranks == 1 ? t->local[0].cell : t->built[0].cell;
    size_t bytes = 2 * (size_t)trees_slots(t) * (size_t)(t->feature_at[last] - t->feature_at[first]) * sizeof *root;
    t->ops->fetch(t->context, root, bytes); /* a device may hold both; the one copy a tree is made here */
    if (bytes > 0) /* more ranks than features: this one has none of the histogram, and no memory for it */
        memcpy(t->next.cell, root, bytes);
    t->ops->put(t->context, t->next.cell, bytes);
    SWAP(TreesCells, t->now, t->next);
    t->kept = true;
    return DP_OK;
}

static dp_status grow_levels(TreesTraining *t, const Comm *comm)
{
    int depth = (int)t->options.depth;
    DP_TRY(build_root(t, comm));
    for (int level = 0; level < depth; level++) {
        bool splits;
        DP_TRY(trees_find_splits(t, &splits, comm));
        if (!splits)
            break;
        t->draft.depth = level + 1;
        for (int k = 0; k < t->nodes; k++)
            trees_note_split(t, &t->split[k], place_of(t, level, k));
        if (level < depth - 1)
            DP_TRY(go_down(t, split_rows(t, comm), comm));
    }
    return DP_OK;
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
    trees_forget_middles(t);
    *grew = false;
    draw_features(t, tree);
    if (t->share.features.n == 0)
        return DP_OK;
    trees_take_gradients(t, tree % t->model.outputs, comm);
    trees_draw_rows(t, tree, comm);
    draw_gradients(t, tree);
    DP_TRY(t->options.growth == TREES_LEAFWISE ? trees_grow_leaves(t, comm) : grow_levels(t, comm));
    *grew = t->draft.depth > 0;
    return DP_OK;
}
