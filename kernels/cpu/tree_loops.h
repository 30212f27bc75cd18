/* kernels/cpu/tree_loops.h -- the inner loops of the tree operations, one table an instruction set. tree.c cuts work
 * into pieces for threads and calls them; tree_loops_body.h is their common text. */
#ifndef DIPPER_CPU_TREE_LOOPS_H
#define DIPPER_CPU_TREE_LOOPS_H

#include "device/backend.h"
#include "kernels/cpu/margins.h"

/* Histogram cells of one block: [feature][256]. Up to 255 levels a cell is 16 bits of g above 16 bits of h, 32 KiB in
 * all, which the first-level cache holds; above, 32 over 32 bits. */
enum { CELL_BINS = 256, CELL_LEVELS = 255, CELL_ROWS = 1 << 16 };

/* Features of one block that a tree uses. */
typedef struct CpuBlock {
    const uint8_t *rows;
    int width;                  /* bytes from row to row */
    int n;                      /* used features */
    uint8_t offset[TREE_BLOCK]; /* of each in a row */
} CpuBlock;

/* One (node, feature) of a histogram to be scored. */
typedef struct CpuScore {
    const int64_t *cells; /* with rows_least followed by those of the rows */
    int bins;
    double g_unit, h_unit, l1, l2;
    int64_t h_least, rows_least;
    const double *bounds; /* [2]; NULL: none */
    int rise;             /* with bounds */
} CpuScore;

/* What a node asks of a bin: rows go right where it is live (all ones, or 0: it does not split) and
 * (uint8_t)(bin - shift) >= least. A missing value is bin 0; with shift 1 it lies above every border. */
typedef struct WalkNode {
    const uint8_t *column;
    uint64_t live;
    uint8_t least, shift;
} WalkNode;

struct CpuLoops {
    const char *name;
    void (*bin)(const float *values, int64_t n, const float *border, int n_borders, uint8_t *bins);
    /* count [TREE_SIZES] += */
    void (*sizes)(const TreeSizes *job, int64_t from, int64_t to, int64_t *count);
    void (*gradients)(const TreeGradients *job, int64_t from, int64_t to);
    /* Those of rows from .. to - 1 that are drawn; returns how many. `drawn` has room for all. */
    int64_t (*list)(const TreePair *pair, int64_t from, int64_t to, uint32_t *drawn);
    /* g [n], h [n]: rows from .. from + n - 1 in counts of 2^-shift; n <= 512 */
    void (*fixed_gradients)(const TreeLeafSums *job, int64_t from, int n, int64_t *g, int64_t *h);
    /* Adds rows until a cell might overflow; returns how many. cells: uint32_t up to CELL_LEVELS, else uint64_t (then n
     * is at most CELL_ROWS). */
    int64_t (*count)(const CpuBlock *block, const TreePair *pair, const uint32_t *index, int64_t n, int levels,
                     void *cells);
    /* out [bins][2] += cells [bins], which become zero. */
    void (*flush)(void *cells, int levels, int bins, int64_t *out);
    /* score [bins] of each s with missing left, of each s with missing right (only if `missing`); -1: too light, too
     * few rows, or against the order that bounds ask for. */
    void (*scores)(const CpuScore *job, bool *missing, double *own, double *left, double *right);
    /* Returns the number that stayed in `index`; the others, in their order, are in `right` [n]. */
    int64_t (*partition)(const uint8_t *column, int bin, bool missing_right, uint32_t *index, int64_t n,
                         uint32_t *right);
    void (*add_leaves)(const TreeAddLeaves *job, int64_t from, int64_t to);
    /* Leaves of rows from .. to - 1. */
    void (*walk)(const TreeWalk *job, int64_t from, int64_t to);
    void (*margins)(const TreeMargins *job);
};
typedef struct CpuLoops CpuLoops;

extern const CpuLoops cpu_loops_scalar, cpu_loops_avx2, cpu_loops_avx512;

#endif
