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
    ops->drop(context, bins.kept);
    if (memcmp(sample.leaf[0], sample.leaf[1], sizeof *sample.leaf) != 0)
        return false;
    for (int k = 0; k < NODES; k++)
        if (my_best[k].score != right_best[k].score || my_best[k].code != right_best[k].code)
            return false;
    return memcmp(mine, right, sizeof mine) == 0;
}
