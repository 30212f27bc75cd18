/* kernels/cpu/tree_loops_body.h -- the text of the loops, compiled once an instruction set by the file that includes
 * it. Written so that compilers vectorise the arithmetic: no branch, no call, one element size a loop. A file with
 * something better by hand defines HAVE_<loop> and gives that loop itself. */
#ifndef DIPPER_CPU_TREE_LOOPS_BODY_H
#define DIPPER_CPU_TREE_LOOPS_BODY_H

#include <math.h>
#include <string.h>

#include "device/tree_math.h"
#include "kernels/cpu/tree_loops.h"

enum { CHUNK = 512 };

#ifndef HAVE_BIN
/* How many of 16 ascending borders are below v: compared all at once. */
static inline int count_below(const float *border, float v)
{
    int32_t below = 0;
    for (int k = 0; k < 16; k++)
        below += border[k] < v;
    return below;
}

/* Two looks of 16 borders each: at every sixteenth, then between two of them. */
static void loop_bin(const float *values, int64_t n, const float *border, int n_borders, uint8_t *bins)
{
    float table[CELL_BINS], every[16];
    for (int b = 0; b < CELL_BINS; b++)
        table[b] = b < n_borders ? border[b] : INFINITY;
    for (int k = 0; k < 16; k++)
        every[k] = table[16 * k + 15];
    for (int64_t i = 0; i < n; i++) {
        float v = values[i];
        int at = 16 * count_below(every, v);
        bins[i] = v == v ? (uint8_t)(1 + at + count_below(table + (at & 240), v)) : 0;
    }
}
#endif

/* True gradients of up to CHUNK rows. */
static void chunk_gradients(const TreeLoss *loss, int64_t from, int n, double *g, double *h)
{
    const int64_t *margin = loss->margin + from;
    const int8_t *label = loss->label + from;
    double w0 = loss->weight[0], w1 = loss->weight[1];
    double y[CHUNK], p[CHUNK];
    if (loss->g) {
        memcpy(g, loss->g + from, (size_t)n * sizeof *g);
        memcpy(h, loss->h + from, (size_t)n * sizeof *h);
        return;
    }
    for (int i = 0; i < n; i++)
        y[i] = label[i] != 0;
    if (loss->chances_stand)
        memcpy(p, loss->chance + from, (size_t)n * sizeof *p);
    else
        for (int i = 0; i < n; i++)
            p[i] = tree_sigmoid(tree_margin(margin[i]));
    if (loss->chance && !loss->chances_stand)
        memcpy(loss->chance + from, p, (size_t)n * sizeof *p);
    for (int i = 0; i < n; i++) {
        double w = y[i] != 0 ? w1 : w0;
        g[i] = w * (p[i] - y[i]);
        h[i] = w * (p[i] * (1.0 - p[i]));
    }
    if (!loss->row_weight)
        return;
    const double *row_weight = loss->row_weight + from;
    for (int i = 0; i < n; i++) {
        g[i] *= row_weight[i];
        h[i] *= row_weight[i];
    }
}

static void chunk_sizes(const double *g, const double *h, double scale, double h_scale, int n, uint32_t *size)
{
    for (int i = 0; i < n; i++) {
        double by_g = (g[i] < 0 ? -g[i] : g[i]) * scale, by_h = h[i] * h_scale;
        size[i] = tree_size(by_g > by_h ? by_g : by_h);
    }
}

static void loop_sizes(const TreeSizes *job, int64_t from, int64_t to, int64_t *count)
{
    double g[CHUNK], h[CHUNK];
    uint32_t size[CHUNK];
    for (int64_t at = from; at < to; at += CHUNK) {
        int n = to - at < CHUNK ? (int)(to - at) : CHUNK;
        chunk_gradients(&job->loss, at, n, g, h);
        chunk_sizes(g, h, job->scale, job->h_scale, n, size);
        for (int i = 0; i < n; i++)
            count[size[i]] += job->loss.part[at + i] == 0;
    }
}

/* Heavier gradients of a chunk; drawn [n]: all ones where the row is drawn. */
static void draw_chunk(const TreeDraw *draw, const uint64_t *row, int n, double *g, double *h, uint32_t *drawn)
{
    uint32_t size[CHUNK];
    uint64_t random[CHUNK];
    chunk_sizes(g, h, draw->scale, draw->h_scale, n, size);
    for (int i = 0; i < n; i++)
        random[i] = tree_mix(draw->key, row[i]) >> 11;
    for (int i = 0; i < n; i++) {
        g[i] *= draw->times[size[i]];
        h[i] *= draw->times[size[i]];
    }
    for (int i = 0; i < n; i++)
        drawn[i] = random[i] < draw->below[size[i]] ? UINT32_MAX : 0;
}

#ifndef HAVE_LIST
static int64_t loop_list(const TreePair *pair, int64_t from, int64_t to, uint32_t *drawn)
{
    int64_t n = 0;
    for (int64_t i = from; i < to; i++) {
        drawn[n] = (uint32_t)i;
        n += pair[i] != TREE_NOT_DRAWN;
    }
    return n;
}
#endif

static void loop_gradients(const TreeGradients *job, int64_t from, int64_t to)
{
    double g[CHUNK], h[CHUNK];
    uint32_t drawn[CHUNK];
    uint64_t random[CHUNK];
    TreePair pair[CHUNK];
    for (int64_t at = from; at < to; at += CHUNK) {
        int n = to - at < CHUNK ? (int)(to - at) : CHUNK;
        const uint64_t *row = job->row + at;
        const uint8_t *part = job->loss.part + at;
        chunk_gradients(&job->loss, at, n, g, h);
        if (job->draw)
            draw_chunk(job->draw, row, n, g, h, drawn);
        else
            memset(drawn, 0xff, (size_t)n * sizeof *drawn);
        for (int i = 0; i < n; i++)
            random[i] = tree_mix(job->key, row[i]);
        for (int i = 0; i < n; i++) {
            int32_t gq = tree_round(g[i] * job->g_scale, random[i] & 0xFFFFFF);
            int32_t hq = tree_round(h[i] * job->h_scale, random[i] >> 24 & 0xFFFFFF);
            pair[i] = (uint32_t)gq << 16 | (uint32_t)hq;
        }
        for (int i = 0; i < n; i++)
            job->pair[at + i] = part[i] == 0 && drawn[i] ? pair[i] : TREE_NOT_DRAWN;
    }
}

static void loop_fixed_gradients(const TreeLeafSums *job, int64_t from, int n, int64_t *g, int64_t *h)
{
    double gd[CHUNK], hd[CHUNK], g_scale = job->g_scale, h_scale = job->h_scale;
    chunk_gradients(&job->loss, from, n, gd, hd);
    for (int i = 0; i < n; i++) {
        g[i] = tree_fixed(gd[i], g_scale);
        h[i] = tree_fixed(hd[i], h_scale);
    }
}

/* Adds one row to the cells of all features of a block; a block of 32 whole features is the common case. One
 * read-modify-write a feature: the wall is one store a cycle. */
#define ADD_ROW(cells, value)                                                                                          \
    do {                                                                                                               \
        if (block->n == TREE_BLOCK) {                                                                                  \
            _Pragma("GCC unroll 32") for (int j = 0; j < TREE_BLOCK; j++)(cells)[j * CELL_BINS + row[j]] += (value);   \
        } else {                                                                                                       \
            for (int j = 0; j < block->n; j++)                                                                         \
                (cells)[j * CELL_BINS + row[block->offset[j]]] += (value);                                             \
        }                                                                                                              \
    } while (0)

enum { AHEAD = 24, SLICE = 64 };

/* 16 + 16 bits: the sums of |g| and of h of the rows added so far bound every cell, so cells are emptied by what the
 * gradients are, not by what they could be. Gradients are fetched a slice before their rows are added: both lie
 * scattered in memory. Reads up to SLICE entries of index past n, within its padding. */
static int64_t count16(const CpuBlock *block, const TreePair *pair, const uint32_t *index, int64_t n, uint32_t *cells)
{
    int64_t i = 0;
    int32_t g_sum = 0, h_sum = 0;
    const int32_t room = SLICE * CELL_LEVELS;
    while (i < n && g_sum <= 32767 - room && h_sum <= 65535 - room) {
        int m = n - i < SLICE ? (int)(n - i) : SLICE;
        const uint32_t *rows = index + i;
        uint32_t value[SLICE];
        for (int k = 0; k < m; k++) {
            value[k] = pair[rows[k]];
            __builtin_prefetch(&pair[rows[k + SLICE]]);
        }
        for (int k = 0; k < m; k++) {
            int32_t g = (int32_t)value[k] >> 16;
            g_sum += g < 0 ? -g : g;
            h_sum += (int32_t)(value[k] & 0xFFFF);
        }
        for (int k = 0; k < m; k++) {
            const uint8_t *row = block->rows + (int64_t)rows[k] * block->width;
            __builtin_prefetch(block->rows + (int64_t)rows[k + AHEAD] * block->width);
            ADD_ROW(cells, value[k]);
        }
        i += m;
    }
    return i;
}

static int64_t count32(const CpuBlock *block, const TreePair *pair, const uint32_t *index, int64_t n, uint64_t *cells)
{
    for (int64_t i = 0; i < n; i++) {
        const uint8_t *row = block->rows + (int64_t)index[i] * block->width;
        uint32_t p = pair[index[i]];
        uint64_t value = ((uint64_t)((int32_t)p >> 16) << 32) + (p & 0xFFFF);
        ADD_ROW(cells, value);
    }
    return n;
}

static int64_t loop_count(const CpuBlock *block, const TreePair *pair, const uint32_t *index, int64_t n, int levels,
                          void *cells)
{
    return levels <= CELL_LEVELS ? count16(block, pair, index, n, cells) : count32(block, pair, index, n, cells);
}

static void loop_flush(void *cells, int levels, int bins, int64_t *out)
{
    if (levels <= CELL_LEVELS) {
        uint32_t *cell = cells;
        for (int b = 0; b < bins; b++) {
            out[2 * b] += (int32_t)cell[b] >> 16;
            out[2 * b + 1] += cell[b] & 0xFFFF;
        }
        memset(cell, 0, (size_t)bins * sizeof *cell);
    } else {
        uint64_t *cell = cells;
        for (int b = 0; b < bins; b++) {
            out[2 * b] += (int64_t)cell[b] >> 32;
            out[2 * b + 1] += (int64_t)(cell[b] & 0xFFFFFFFF);
        }
        memset(cell, 0, (size_t)bins * sizeof *cell);
    }
}

/* Scores of all s for a left side of (g + miss_g, h + miss_h)[s]. */
static void side_scores(const CpuScore *job, const int64_t *g, const int64_t *h, int64_t miss_g, int64_t miss_h,
                        int64_t all_g, int64_t all_h, double *score)
{
    double g_unit = job->g_unit, h_unit = job->h_unit, l1 = job->l1, l2 = job->l2;
    int64_t least = job->h_least;
    for (int s = 0; s < job->bins; s++) {
        int64_t lg = g[s] + miss_g, lh = h[s] + miss_h, rg = all_g - lg, rh = all_h - lh;
        double sum = tree_score(lg, lh, g_unit, h_unit, l1, l2) + tree_score(rg, rh, g_unit, h_unit, l1, l2);
        score[s] = lh < least || rh < least ? -1.0 : sum;
    }
}

/* The same within bounds. */
static void bounded_scores(const CpuScore *job, const int64_t *g, const int64_t *h, int64_t miss_g, int64_t miss_h,
                           int64_t all_g, int64_t all_h, double *score)
{
    double g_unit = job->g_unit, h_unit = job->h_unit, l1 = job->l1, l2 = job->l2;
    double low = job->bounds[0], high = job->bounds[1];
    int64_t least = job->h_least;
    for (int s = 0; s < job->bins; s++) {
        int64_t lg = g[s] + miss_g, lh = h[s] + miss_h, rg = all_g - lg, rh = all_h - lh;
        double l = tree_value(lg, lh, g_unit, h_unit, l1, l2, low, high);
        double r = tree_value(rg, rh, g_unit, h_unit, l1, l2, low, high);
        double sum =
            tree_score_at(lg, lh, g_unit, h_unit, l1, l2, l) + tree_score_at(rg, rh, g_unit, h_unit, l1, l2, r);
        bool against = (r - l) * (double)(s > 0 ? job->rise : 0) < 0;
        score[s] = lh < least || rh < least || against ? -1.0 : sum;
    }
}

/* Scores of splits that leave a side too few rows become -1. */
static void strike_few(const CpuScore *job, bool missing, double *left, double *right)
{
    const int64_t *rows = job->cells + 2 * job->bins;
    int64_t all = 0, upto = 0, none = rows[1], least = job->rows_least;
    for (int s = 0; s < job->bins; s++)
        all += rows[2 * s + 1];
    for (int s = 0; s < job->bins; s++) {
        upto += s > 0 ? rows[2 * s + 1] : 0;
        if (upto + none < least || all - upto - none < least)
            left[s] = -1.0;
        if (missing && (upto < least || all - upto < least))
            right[s] = -1.0;
    }
}

static void loop_scores(const CpuScore *job, bool *missing, double *own, double *left, double *right)
{
    int64_t g[CELL_BINS], h[CELL_BINS], sum_g = 0, sum_h = 0, miss_g = job->cells[0], miss_h = job->cells[1];
    g[0] = h[0] = 0;
    for (int b = 1; b < job->bins; b++) {
        g[b] = sum_g += job->cells[2 * b];
        h[b] = sum_h += job->cells[2 * b + 1];
    }
    sum_g += miss_g;
    sum_h += miss_h;
    *missing = miss_g != 0 || miss_h != 0 || (job->rows_least > 0 && job->cells[2 * job->bins + 1] > 0);
    if (job->bounds) {
        double v = tree_value(sum_g, sum_h, job->g_unit, job->h_unit, job->l1, job->l2, job->bounds[0], job->bounds[1]);
        *own = tree_score_at(sum_g, sum_h, job->g_unit, job->h_unit, job->l1, job->l2, v);
        bounded_scores(job, g, h, miss_g, miss_h, sum_g, sum_h, left);
        if (*missing)
            bounded_scores(job, g, h, 0, 0, sum_g, sum_h, right);
    } else {
        *own = tree_score(sum_g, sum_h, job->g_unit, job->h_unit, job->l1, job->l2);
        side_scores(job, g, h, miss_g, miss_h, sum_g, sum_h, left);
        if (*missing)
            side_scores(job, g, h, 0, 0, sum_g, sum_h, right);
    }
    if (job->rows_least > 0)
        strike_few(job, *missing, left, right);
}

#ifndef HAVE_PARTITION
static int64_t loop_partition(const uint8_t *column, int bin, bool missing_right, uint32_t *index, int64_t n,
                              uint32_t *right)
{
    int64_t stay = 0, go = 0;
    /* A missing value is bin 0; as 255 it lies above every border. */
    uint8_t shift = missing_right ? 1 : 0;
    int limit = bin - shift;
    for (int64_t i = 0; i < n; i++) {
        uint32_t row = index[i];
        bool goes = (uint8_t)(column[row] - shift) > limit;
        right[go] = row;
        index[stay] = row;
        go += goes;
        stay += !goes;
    }
    return stay;
}
#endif

static void loop_add_leaves(const TreeAddLeaves *job, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to; i++)
        job->margin[i] += job->part[i] <= 1 ? job->value[job->leaf[i]] : 0;
}

/* ---- a tree's leaves ---- */

static inline WalkNode walk_node(const TreeWalk *job, int node)
{
    if (job->feature[node] < 0)
        return (WalkNode){.column = job->bins->column};
    uint8_t shift = job->missing_right[node] ? 1 : 0;
    int least = job->bin[node] - shift + 1;
    return (WalkNode){.column = job->bins->column + job->feature[node] * job->bins->pitch,
                      .live = least < CELL_BINS ? UINT64_MAX : 0,
                      .least = (uint8_t)least,
                      .shift = shift};
}

#ifdef HAVE_GOES
/* 64 rows at a time: a row is a bit, so a node costs one compare of 64 bins and two operations on a word. walk_goes and
 * walk_write are the including file's. */
enum { WALK_ALL_NODES = 8, WALK_MOST = (1 << WALK_ALL_NODES) - 1, WALK_AHEAD = 512 };

/* All nodes of a tree that is not deep: rows [node] in heap order. No branch depends on the data. */
static void walk_all(const WalkNode *node, int depth, int64_t at, uint64_t *right)
{
    uint64_t rows[2 * WALK_MOST + 1];
    rows[0] = UINT64_MAX;
    for (int level = 0; level < depth; level++) {
        uint64_t bits = 0;
        for (int k = (1 << level) - 1; k < (2 << level) - 1; k++) {
            uint64_t goes = walk_goes(&node[k], at), here = rows[k];
            rows[2 * k + 1] = here & ~goes;
            rows[2 * k + 2] = here & goes;
            bits |= here & goes;
        }
        right[level] = bits;
    }
}

/* Only the nodes of a deep tree that hold a row: at most 64 a level. */
static void walk_held(const TreeWalk *job, int64_t at, uint64_t *right)
{
    struct {
        int node, level;
        uint64_t rows;
    } open[32] = {{0, 0, UINT64_MAX}};
    memset(right, 0, (size_t)job->depth * sizeof *right);
    for (int n = 1; n > 0;) {
        int node = open[n - 1].node, level = open[n - 1].level;
        uint64_t here = open[--n].rows;
        WalkNode asks = walk_node(job, node);
        uint64_t goes = here & walk_goes(&asks, at);
        right[level] |= goes;
        if (level + 1 == job->depth)
            continue;
        if (goes) {
            open[n].node = 2 * node + 2, open[n].level = level + 1;
            open[n++].rows = goes;
        }
        if (here & ~goes) {
            open[n].node = 2 * node + 1, open[n].level = level + 1;
            open[n++].rows = here & ~goes;
        }
    }
}

/* The columns that nodes read, each once: more streams than a processor follows by itself. */
static int walk_columns(const WalkNode *node, int nodes, const uint8_t **column)
{
    int n = 0;
    for (int k = 0; k < nodes; k++) {
        int i = 0;
        while (i < n && column[i] != node[k].column)
            i++;
        column[n] = node[k].column;
        n += i == n && node[k].live;
    }
    return n;
}

static void loop_walk(const TreeWalk *job, int64_t from, int64_t to)
{
    WalkNode node[WALK_MOST];
    const uint8_t *column[WALK_MOST];
    uint64_t right[16];
    bool all = job->symmetric || job->depth <= WALK_ALL_NODES;
    int nodes = job->symmetric ? job->depth : (1 << job->depth) - 1;
    for (int k = 0; k < nodes && all; k++)
        node[k] = walk_node(job, k);
    int columns = all ? walk_columns(node, nodes, column) : 0;
    for (int64_t at = from; at < to; at += 64) {
        for (int c = 0; c < columns; c++)
            __builtin_prefetch(column[c] + at + WALK_AHEAD);
        if (job->symmetric)
            for (int level = 0; level < job->depth; level++)
                right[level] = walk_goes(&node[level], at);
        else if (all)
            walk_all(node, job->depth, at, right);
        else
            walk_held(job, at, right);
        walk_write(right, job->depth, job->leaf + at, to - at < 64 ? (int)(to - at) : 64);
    }
}
#else
static void loop_walk(const TreeWalk *job, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to; i++) {
        int leaf = 0, at = 0;
        for (int level = 0; level < job->depth; level++) {
            WalkNode node = walk_node(job, job->symmetric ? level : at);
            int right = node.live && (uint8_t)(node.column[i] - node.shift) >= node.least;
            leaf = 2 * leaf + right;
            at = 2 * at + 1 + right;
        }
        job->leaf[i] = (uint16_t)leaf;
    }
}
#endif

/* The table of the file that includes this. */
#define LOOPS_TABLE(isa, whole)                                                                                        \
    {                                                                                                                  \
        .name = isa, .bin = loop_bin, .sizes = loop_sizes, .gradients = loop_gradients, .list = loop_list,             \
        .fixed_gradients = loop_fixed_gradients, .count = loop_count, .flush = loop_flush, .scores = loop_scores,      \
        .partition = loop_partition, .add_leaves = loop_add_leaves, .walk = loop_walk, .margins = whole                \
    }

#endif
