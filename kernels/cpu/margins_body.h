/* kernels/cpu/margins_body.h -- margins without AVX-512, compiled once an instruction set by the file that includes it.
 *
 * A tile of 512 rows: places of all features first. In symmetric trees the leaf index of 64 rows grows level by level
 * from bytes. In depth-wise trees every condition has a mask of a bit a row; the mask of a level is chosen among its
 * nodes' by multiplexers, and 8 x 8 bit transposes make indexes of them. Loops are written without branches, so that
 * compilers use the widest registers they may. A file with something better by hand defines HAVE_SEARCH,
 * HAVE_COMPARE or HAVE_SUMS.
 */
#ifndef DIPPER_CPU_MARGINS_BODY_H
#define DIPPER_CPU_MARGINS_BODY_H

#include <string.h>

#include "kernels/cpu/margins.h"

enum { TILE = PLAN_TILE, BLOCK = 64, BLOCKS = TILE / BLOCK };

/* A bit a row of a tile. */
typedef struct Mask {
    uint64_t word[BLOCKS];
} Mask;

/* ---- floats to places ---- */

#ifndef HAVE_SEARCH
/* below[r] = the borders below value[r]; rows: a multiple of 64, at most TILE. */
static void search_values(const float *search, int levels, const float *restrict value, int rows,
                          int32_t *restrict below)
{
    int32_t turns[TILE] = {0};
    memset(below, 0, (size_t)rows * sizeof *below);
    for (int l = 0; l < levels; l++)
        for (int r = 0; r < rows; r++) {
            int32_t right = search[(1 << l) + turns[r]] < value[r];
            turns[r] |= right << l;
            below[r] |= right << (levels - 1 - l);
        }
}
#endif

/* Feature f of n rows from row `at` on, padded with zeros to a multiple of 64. */
static const float *values_of(const TreeMargins *job, int f, int64_t at, int n, float *restrict room)
{
    int column = job->plan->column[f], rows = (n + BLOCK - 1) / BLOCK * BLOCK;
    const float *x = job->x ? job->x + at * job->stride + column : NULL;
    if (!x && n == rows)
        return job->value[column] + job->first + at;
    for (int r = 0; r < n; r++)
        room[r] = x ? x[r * job->stride] : job->value[column][job->first + at + r];
    memset(room + n, 0, (size_t)(rows - n) * sizeof *room);
    return room;
}

/* What stands behind the n rows in the tile is of no use. */
static void find_column(const TreeMargins *job, int f, int64_t at, int n, uint8_t *restrict place)
{
    const TreePlan *plan = job->plan;
    float room[TILE];
    int32_t below[TILE];
    int rows = (n + BLOCK - 1) / BLOCK * BLOCK;
    if (job->place) {
        memcpy(place, job->place[f] + job->first + at, (size_t)n);
        memset(place + n, 0, (size_t)(rows - n));
        return;
    }
    const float *value = values_of(job, f, at, n, room);
    search_values(plan->search + (int64_t)f * PLAN_SEARCH, plan->levels[f], value, rows, below);
    for (int r = 0; r < rows; r++)
        place[r] = value[r] == value[r] ? (uint8_t)(below[r] + 1) : 0;
}

/* Where the places of condition c's feature stand in the tile; flip 1: one is taken off. */
static const uint8_t *places_of(const TreePlan *plan, const uint8_t *places, int32_t c, uint8_t *flip)
{
    int f = plan->condition_of[c];
    *flip = c >= plan->condition_at[2 * f + 1];
    return places + (int64_t)f * TILE;
}

/* ---- sums of leaves of 64 rows ---- */

#ifndef HAVE_SUMS
typedef struct Sums {
    int64_t total[BLOCK];
} Sums;

static void sums_begin(Sums *sums, const TreePlan *plan)
{
    for (int r = 0; r < BLOCK; r++)
        sums->total[r] = plan->bias;
}

static void sums_add(Sums *sums, const TreePlan *plan, const TreePlanTree *tree, const uint8_t index[BLOCK])
{
    const int32_t *leaf = plan->leaf + tree->leaf;
    for (int r = 0; r < BLOCK; r++)
        sums->total[r] += leaf[index[r]];
}

static void sums_end(Sums *sums)
{
    (void)sums;
}
#endif

/* ---- symmetric trees ---- */

static void index_symmetric(const TreePlan *plan, const TreePlanTree *tree, const uint8_t *places,
                            uint8_t *restrict index)
{
    memset(index, 0, BLOCK);
    for (int level = 0; level < tree->depth; level++) {
        int32_t c = plan->node[tree->node + level];
        if (c == plan->conditions) {
            for (int r = 0; r < BLOCK; r++)
                index[r] = (uint8_t)(2 * index[r]);
            continue;
        }
        uint8_t flip, least = plan->least[c];
        const uint8_t *restrict place = places_of(plan, places, c, &flip);
        for (int r = 0; r < BLOCK; r++) {
            uint8_t v = (uint8_t)(place[r] - flip), right = v >= least;
            index[r] = (uint8_t)(index[r] + index[r] + right);
        }
    }
}

/* A tree whose index does not fit a byte. */
static void deep_symmetric(const TreePlan *plan, const TreePlanTree *tree, const uint8_t *places, int64_t *total)
{
    for (int r = 0; r < BLOCK; r++) {
        int64_t leaf = 0;
        for (int level = 0; level < tree->depth; level++) {
            int32_t c = plan->node[tree->node + level];
            uint8_t flip = 0;
            const uint8_t *place = c == plan->conditions ? NULL : places_of(plan, places, c, &flip);
            leaf = 2 * leaf + (place && (uint8_t)(place[r] - flip) >= plan->least[c]);
        }
        total[r] += plan->leaf[tree->leaf + leaf];
    }
}

static void symmetric_block(const TreePlan *plan, const uint8_t *places, Sums *sums)
{
    uint8_t index[BLOCK];
    for (int t = 0; t < plan->trees; t++) {
        const TreePlanTree *tree = &plan->tree[t];
        if (tree->planes == 0) {
            deep_symmetric(plan, tree, places, sums->total);
        } else {
            index_symmetric(plan, tree, places, index);
            sums_add(sums, plan, tree, index);
        }
    }
}

/* ---- depth-wise trees ---- */

#ifndef HAVE_COMPARE
/* Bit r: (uint8_t)(place[r] - flip) >= least. */
static uint64_t compare_64(const uint8_t *place, uint8_t flip, uint8_t least)
{
    uint8_t right[BLOCK];
    uint64_t bits = 0, bytes;
    for (int r = 0; r < BLOCK; r++)
        right[r] = (uint8_t)(place[r] - flip) >= least;
    for (int g = 0; g < BLOCK / 8; g++) { /* eight bytes of 0 or 1 to eight bits: no two products meet */
        memcpy(&bytes, right + 8 * g, sizeof bytes);
        bits |= (bytes * UINT64_C(0x0102040810204080) >> 56) << 8 * g;
    }
    return bits;
}
#endif

static void find_masks(const TreePlan *plan, const uint8_t *places, Mask *mask)
{
    for (int32_t c = 0; c < plan->conditions; c++) {
        uint8_t flip;
        const uint8_t *place = places_of(plan, places, c, &flip);
        for (int b = 0; b < BLOCKS; b++)
            mask[c].word[b] = compare_64(place + b * BLOCK, flip, plan->least[c]);
    }
    mask[plan->conditions] = (Mask){{0}};
}

/* out = right where turn is 1, left where it is 0. */
static inline void choose(Mask *out, const Mask *turn, const Mask *left, const Mask *right)
{
    for (int b = 0; b < BLOCKS; b++)
        out->word[b] = left->word[b] ^ (turn->word[b] & (left->word[b] ^ right->word[b]));
}

/* turn [depth]: the rows that go right at each level. */
static void find_turns(const Mask *mask, const int32_t *node, int depth, Mask *turn)
{
    Mask chosen[1 << (PLAN_PLANES_DEPTH - 2)];
    if (depth > 0)
        turn[0] = mask[node[0]];
    for (int level = 1; level < depth; level++) {
        int nodes = 1 << (level - 1);
        const int32_t *at = node + 2 * nodes - 1;
        for (int i = 0; i < nodes; i++)
            choose(&chosen[i], &turn[level - 1], &mask[at[2 * i]], &mask[at[2 * i + 1]]);
        for (int k = level - 2; k >= 0; k--)
            for (int i = 0; i < 1 << k; i++)
                choose(&chosen[i], &turn[k], &chosen[2 * i], &chosen[2 * i + 1]);
        turn[level] = chosen[0];
    }
}

/* Byte j, bit i = byte i, bit j. Source: H. Warren, Hacker's Delight, 7-3. */
static inline uint64_t transpose_8x8(uint64_t x)
{
    uint64_t t = (x ^ x >> 7) & UINT64_C(0x00aa00aa00aa00aa);
    x ^= t ^ t << 7;
    t = (x ^ x >> 14) & UINT64_C(0x0000cccc0000cccc);
    x ^= t ^ t << 14;
    t = (x ^ x >> 28) & UINT64_C(0x00000000f0f0f0f0);
    return x ^ t ^ t << 28;
}

static void index_of(const Mask *turn, int depth, int block, uint8_t index[BLOCK])
{
    uint64_t rows[8] = {0};
    for (int l = 0; l < depth; l++)
        for (int g = 0; g < 8; g++)
            rows[g] |= (turn[l].word[block] >> 8 * g & 0xff) << 8 * (depth - 1 - l);
    for (int g = 0; g < 8; g++)
        rows[g] = transpose_8x8(rows[g]);
    memcpy(index, rows, sizeof rows);
}

static void deep_depthwise(const TreePlan *plan, const TreePlanTree *tree, const Mask *mask, int block, int64_t *total)
{
    for (int r = 0; r < BLOCK; r++) {
        int64_t node = 0;
        for (int l = 0; l < tree->depth; l++)
            node = 2 * node + 1 + (int64_t)(mask[plan->node[tree->node + node]].word[block] >> r & 1);
        total[r] += plan->leaf[tree->leaf + node - ((INT64_C(1) << tree->depth) - 1)];
    }
}

static void depthwise_tile(const TreePlan *plan, const Mask *mask, int blocks, Sums *sums)
{
    Mask turn[PLAN_PLANES_DEPTH];
    uint8_t index[BLOCK];
    for (int t = 0; t < plan->trees; t++) {
        const TreePlanTree *tree = &plan->tree[t];
        if (tree->planes > 0)
            find_turns(mask, plan->node + tree->node, tree->depth, turn);
        for (int b = 0; b < blocks; b++) {
            if (tree->planes == 0) {
                deep_depthwise(plan, tree, mask, b, sums[b].total);
                continue;
            }
            index_of(turn, tree->depth, b, index);
            sums_add(&sums[b], plan, tree, index);
        }
    }
}

static void margins_plain(const TreeMargins *job)
{
    const TreePlan *plan = job->plan;
    uint8_t *places = job->scratch;
    Mask *mask = (Mask *)(void *)(places + (int64_t)plan->features * TILE);
    Sums sums[BLOCKS];
    for (int64_t at = 0; at < job->n; at += TILE) {
        int n = (int)(job->n - at < TILE ? job->n - at : TILE), blocks = (n + BLOCK - 1) / BLOCK;
        for (int f = 0; f < plan->features; f++)
            find_column(job, f, at, n, places + (int64_t)f * TILE);
        for (int b = 0; b < blocks; b++)
            sums_begin(&sums[b], plan);
        if (plan->symmetric) {
            for (int b = 0; b < blocks; b++)
                symmetric_block(plan, places + (int64_t)b * BLOCK, &sums[b]);
        } else {
            find_masks(plan, places, mask);
            depthwise_tile(plan, mask, blocks, sums);
        }
        for (int b = 0; b < blocks; b++) {
            int rows = n - b * BLOCK < BLOCK ? n - b * BLOCK : BLOCK;
            sums_end(&sums[b]);
            memcpy(job->margin + at + b * BLOCK, sums[b].total, (size_t)rows * sizeof *sums[b].total);
        }
    }
}

#endif
