#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "device/device_priv.h"

enum { ROWS = 2000, FEATURES = 5, BINS = 17, NODES = 3, CELLS = FEATURES * BINS * NODES * 2 };

typedef struct Sample {
    uint8_t column[FEATURES][ROWS + TREE_PAD], block[FEATURES * ROWS + TREE_PAD];
    uint32_t index[ROWS];
    TreePair pair[ROWS];
    TreeSegment segment[NODES];
    uint16_t leaf[2][ROWS];
} Sample;

static void draw(Sample *sample)
{
    memset(sample, 0, sizeof *sample);
    for (int i = 0; i < ROWS; i++) {
        uint64_t random = dp_random_u64(1, 2, (uint64_t)i);
        for (int f = 0; f < FEATURES; f++)
            sample->column[f][i] = (uint8_t)((random >> 8 * f & 0xFF) % BINS);
        sample->index[i] = (uint32_t)i;
        sample->pair[i] = (uint32_t)((int)(random >> 40 & 63) - 31) << 16 | (uint32_t)(random >> 48 & 31);
    }
    for (int k = 0; k < NODES; k++)
        sample->segment[k] = (TreeSegment){.begin = k * 700, .count = k == 2 ? 600 : 700, .node = k};
}

/* What trees learn from: rounded gradients of a drawn sample of rows, their list, its two halves, sums of leaves. */
typedef struct Rows {
    TreePair pair[ROWS];
    uint32_t index[ROWS + TREE_PAD], scratch[ROWS + TREE_PAD];
    int64_t sum[4][3], listed, left;
} Rows;

static void learn_rows(Rows *rows, const TreeOps *ops, const DeviceContext *context, const Sample *sample,
                       const TreeBins *bins)
{
    static const uint8_t part[ROWS];
    int64_t margin[ROWS], from[2] = {0, ROWS};
    int8_t label[ROWS];
    uint64_t row[ROWS];
    TreeDraw draw = {.key = 9, .scale = 1, .h_scale = 1};
    TreeSegment segment;
    memset(rows, 0, sizeof *rows);
    for (int i = 0; i < ROWS; i++) {
        row[i] = (uint64_t)i * 7;
        label[i] = (int8_t)(sample->column[0][i] > 8);
        margin[i] = ((int64_t)sample->column[1][i] - 8) * (1 << 18);
    }
    for (int k = 0; k < TREE_SIZES; k++) {
        draw.below[k] = (UINT64_C(1) << 53) / (uint64_t)(1 + k % 3);
        draw.times[k] = 1 + k % 3;
    }
    TreeLoss loss = {.n = ROWS, .part = part, .margin = margin, .label = label, .weight = {1, 1}};
    TreeGradients gradients = {
        .loss = loss, .row = row, .g_scale = 20, .h_scale = 40, .key = 3, .draw = &draw, .pair = rows->pair};
    ops->gradients(context, &gradients);
    TreeListing list = {.pair = rows->pair, .shards = 1, .from = from, .index = rows->index, .segment = &segment};
    ops->list(context, &list);
    TreeCut cut = {.segment = segment, .feature = 3, .bin = 6, .missing_right = true};
    TreePartition partition = {.bins = bins, .index = rows->index, .scratch = rows->scratch, .cut = &cut, .cuts = 1};
    ops->partition(context, &partition);
    TreeLeafSums sums = {
        .loss = loss, .g_scale = 0x1p30, .h_scale = 0x1p30, .leaf = sample->leaf[0], .leaves = 4, .sum = rows->sum[0]};
    ops->leaf_sums(context, &sums);
    rows->listed = segment.count;
    rows->left = cut.left;
}

/* Lists count up to their end; what lies behind is nobody's. */
static bool same_rows(const Rows *a, const Rows *b)
{
    return a->listed == b->listed && a->left == b->left && memcmp(a->sum, b->sum, sizeof a->sum) == 0 &&
           memcmp(a->pair, b->pair, sizeof a->pair) == 0 &&
           memcmp(a->index, b->index, (size_t)a->listed * sizeof *a->index) == 0;
}

/* Margins of two trees of two levels over two features with a border each, of rows that the device holds. */
static bool same_margins(const TreeOps *ops, const DeviceContext *context, const Sample *sample)
{
    enum { SCRATCH = 1 << 16 };
    static const float border[] = {0.5F, -2};
    static const int32_t leaf[] = {5, -700, 1 << 20, -(1 << 29), 1, 2, 3, 4};
    static const TreePlanTree tree[] = {{.depth = 2, .run_end = 2}, {.depth = 2, .run_end = 2, .node = 3, .leaf = 4}};
    _Alignas(64) char scratch[SCRATCH];
    float x[2 * ROWS], search[2 * PLAN_SEARCH] = {0};
    int64_t mine[ROWS], right[ROWS];
    search[1] = border[0];
    search[PLAN_SEARCH + 1] = border[1];
    for (int row = 0; row < ROWS; row++)
        for (int f = 0; f < 2; f++)
            x[2 * row + f] = sample->column[2][row] == 0 ? NAN : (float)sample->column[f][row] - 8;
    TreePlan plan = {.features = 2,
                     .columns = 2,
                     .column = (const int32_t[]){0, 1},
                     .border_at = (const int32_t[]){0, 1, 2},
                     .border = border,
                     .search = search,
                     .levels = (const uint8_t[]){1, 1},
                     .conditions = 3, /* feature 0 above its border; feature 1, missing left and right */
                     .condition_at = (const int32_t[]){0, 1, 1, 2, 3},
                     .condition_of = (const int32_t[]){0, 1, 1},
                     .least = (const uint8_t[]){2, 2, 1},
                     .trees = 2,
                     .tree = tree,
                     .node = (const int32_t[]){0, 1, 2, 2, 3, 0},
                     .walk = (const uint32_t[]){0x002, 0x202, 0x301, 0x301, 0x401, 0x002},
                     .leaf = leaf,
                     .bias = -1};
    TreeMargins job = {.plan = &plan, .x = x, .n = ROWS, .stride = 2, .scratch = scratch, .margin = right};
    backend_reference.trees->margins(context, &job);
    job.margin = mine;
    plan.kept = ops->keep_plan(context, &plan);
    if (!plan.kept)
        return true; /* no memory there: it will be the processor's */
    ops->hold(context, x, sizeof x);
    ops->put(context, x, sizeof x);
    ops->margins(context, &job);
    ops->release(context, x);
    ops->drop_plan(context, plan.kept);
    return memcmp(mine, right, sizeof mine) == 0;
}

bool device_agrees(const TreeOps *ops, const DeviceContext *context)
{
    static const int32_t id[FEATURES] = {0, 1, 2, 3, 4}, at[FEATURES + 1] = {0, 17, 34, 51, 68, 85};
    const TreeFeatures features = {.n = FEATURES, .id = id, .at = at};
    const TreeOps *truth = backend_reference.trees;
    int64_t mine[CELLS], right[CELLS];
    TreeSplit my_best[NODES], right_best[NODES];
    Sample sample;
    draw(&sample);
    TreeBins bins = {.n = ROWS, .features = FEATURES, .column = sample.column[0], .pitch = ROWS + TREE_PAD};
    truth->transpose(context, &bins, 0, ROWS, sample.block);
    bins.block = sample.block;
    bins.kept = ops->keep(context, &bins);
    TreeHistogram job = {.bins = &bins,
                         .features = &features,
                         .pair = sample.pair,
                         .levels = 32,
                         .index = sample.index,
                         .segment = sample.segment,
                         .segments = NODES,
                         .nodes = NODES,
                         .out = mine};
    ops->histogram(context, &job);
    job.out = right;
    truth->histogram(context, &job);
    TreeScores scores = {.features = &features,
                         .first = 0,
                         .last = FEATURES,
                         .histogram = right,
                         .nodes = NODES,
                         .g_unit = 1.0 / 31,
                         .h_unit = 1.0 / 127,
                         .l2 = 1.0,
                         .h_least = 5};
    ops->best_splits(context, &scores, my_best);
    truth->best_splits(context, &scores, right_best);
    TreeWalk walk = {.bins = &bins,
                     .to = ROWS,
                     .depth = 2,
                     .feature = (const int32_t[]){0, 4, 2},
                     .bin = (const int32_t[]){5, 9, 0},
                     .missing_right = (const uint8_t[]){1, 0, 0},
                     .leaf = sample.leaf[0]};
    ops->walk(context, &walk);
    walk.leaf = sample.leaf[1];
    truth->walk(context, &walk);
    Rows mine_rows, right_rows;
    learn_rows(&mine_rows, ops, context, &sample, &bins);
    learn_rows(&right_rows, truth, context, &sample, &bins);
    ops->drop(context, bins.kept);
    if (!same_rows(&mine_rows, &right_rows))
        return false;
    if (memcmp(sample.leaf[0], sample.leaf[1], sizeof *sample.leaf) != 0)
        return false;
    for (int k = 0; k < NODES; k++)
        if (my_best[k].score != right_best[k].score || my_best[k].code != right_best[k].code)
            return false;
    return memcmp(mine, right, sizeof mine) == 0 && same_margins(ops, context, &sample);
}
