/* device/backend.h -- the operator tables that kernels/<backend>/ fill. Kernels include this, tree_math.h and base,
 * and nothing else of src. One ABI number guards the plugin.
 *
 * Every operation is exact: whatever the backend, thread count or instruction set, the same bits come out. The
 * reference table (kernels/reference/) is the truth; the others are tested against it in tests/agreement.
 *
 * Letters: N rows of this rank, F features, B bins of a feature (bin 0 = missing), K nodes of a call, S segments. */
#ifndef DIPPER_DEVICE_BACKEND_H
#define DIPPER_DEVICE_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device/tree_math.h"

enum { DEVICE_ABI = 10 };

/* ---- trees: what lies in memory ---- */

enum { TREE_BLOCK = 32, TREE_PAD = 64 };

/* Bins of N rows, twice: columns for partitions, rows in blocks of TREE_BLOCK features for histograms. Both are
 * followed by TREE_PAD readable bytes. Block b holds features 32 b .. 32 b + width - 1, its rows lie `width` bytes
 * apart. */
typedef struct TreeBins {
    int64_t n;
    int features;
    const uint8_t *column; /* [F][pitch] */
    int64_t pitch;         /* at least n + TREE_PAD */
    const uint8_t *block;  /* block b begins at b * TREE_BLOCK * n; NULL until transposed */
    void *kept;            /* what `keep` returned; NULL: nothing is kept */
} TreeBins;
static inline int tree_block_width(const TreeBins *bins, int block)
{
    int left = bins->features - block * TREE_BLOCK;
    return left < TREE_BLOCK ? left : TREE_BLOCK;
}
static inline const uint8_t *tree_block(const TreeBins *bins, int block)
{
    return bins->block + (int64_t)block * TREE_BLOCK * bins->n;
}

/* A row's quantised gradient: g in the high half (signed), h in the low half; or TREE_NOT_DRAWN: the tree does not
 * learn from the row. */
typedef uint32_t TreePair;
enum { TREE_LEVELS_MAX = 16383, TREE_NOT_DRAWN = 0xFFFF };

/* Rows index[begin .. begin + count - 1], ascending, all in node (a slot 0 .. K - 1 of the call). */
typedef struct TreeSegment {
    int64_t begin, count;
    int32_t node;
} TreeSegment;

/* The features that a tree may use, and where their bins lie in histograms. A histogram of K nodes is
 *     int64_t [feature j][node k][bin b][2]   = sums of g, of h
 * and feature j's part begins at cell at[j] * K, so that a range of features is one piece of memory. */
typedef struct TreeFeatures {
    int n;             /* used features */
    const int32_t *id; /* [n] ascending, columns of TreeBins */
    const int32_t *at; /* [n + 1] bins of the features before */
} TreeFeatures;
/* The first cell of feature j and node k in a histogram that holds features `first` and on. */
static inline int64_t tree_cell(const TreeFeatures *features, int first, int j, int nodes, int k)
{
    int64_t bins = features->at[j + 1] - features->at[j];
    return 2 * ((int64_t)(features->at[j] - features->at[first]) * nodes + k * bins);
}

/* ---- trees: what is asked for ---- */

/* A column of which order statistics are asked: rows with use[i] != 0 (NULL: all). */
typedef struct TreeKeyColumn {
    const float *value; /* NaN: missing */
    const uint8_t *use;
    int64_t n;
    int64_t present, missing; /* out */
} TreeKeyColumn;

/* Gradients g and hessians h of rows: those of the log-loss, p = sigmoid(margin * 2^-20), w = weight[label] x
 * row_weight: g = w (p - label), h = w p (1 - p); or given, where another loss is learned. */
typedef struct TreeLoss {
    int64_t n;
    const uint8_t *part; /* [n] 0: in train */
    const int64_t *margin;
    const int8_t *label;      /* [n] 0, 1 */
    double weight[2];         /* by label */
    const double *row_weight; /* [n] finite, 0 or more; NULL: 1 */
    const double *g, *h;      /* [n] given; NULL: of the log-loss, by what stands above */
    double *chance; /* [n] p of the log-loss, of rows in train: written, or read where they stand; NULL: not kept */
    bool chances_stand;
} TreeLoss;

/* How many train rows have each size class of tree_math.h. A row's size: the larger of |g| scale and h h_scale. */
typedef struct TreeSizes {
    TreeLoss loss;
    double scale, h_scale;
    int64_t *count; /* [TREE_SIZES] added to */
} TreeSizes;

/* Which rows a tree learns from: those of size class k with tree_mix(key, row) >> 11 < below[k], whose gradients count
 * times[k]. */
typedef struct TreeDraw {
    uint64_t key;
    double scale, h_scale; /* as in TreeSizes */
    uint64_t below[TREE_SIZES];
    double times[TREE_SIZES];
} TreeDraw;

/* pair: g * g_scale and h * h_scale rounded at random to one of the two neighbours, without bias, by bits that are a
 * function of (key, row) alone: tree_math.h. Rows that are not drawn or not in train (part != 0) get TREE_NOT_DRAWN. */
typedef struct TreeGradients {
    TreeLoss loss;
    const uint64_t *row;
    double g_scale, h_scale; /* at most `levels` come out */
    uint64_t key;
    const TreeDraw *draw; /* NULL: all of train */
    TreePair *pair;       /* [n] */
} TreeGradients;

/* The drawn rows of a tree in shards, consecutive stretches that begin at from[s], ascending. */
typedef struct TreeListing {
    const TreePair *pair;
    int shards;
    const int64_t *from;  /* [shards + 1] */
    uint32_t *index;      /* shard s from from[s] on, TREE_PAD entries longer than the rows */
    TreeSegment *segment; /* out: [shards] */
} TreeListing;

/* out[j][k][b] = sums over the rows of the segments of node k; overwritten, or added to. meanwhile(with), unless NULL:
 * what the calling thread may do now and then while it works, every some thousand rows; a card need not ask. */
typedef struct TreeHistogram {
    const TreeBins *bins;
    const TreeFeatures *features;
    const TreePair *pair; /* [N] */
    int levels;           /* no |g| or h is larger */
    const uint32_t *index;
    const TreeSegment *segment;
    int segments;
    int nodes; /* K */
    bool add;
    int64_t *out;
    void (*meanwhile)(const void *with);
    const void *with;
} TreeHistogram;

/* The children of nodes whose smaller child was built: larger = parent - smaller. All of features first .. last - 1.
 * The arrays hold those features only, beginning at the first. */
typedef struct TreeSibling {
    int32_t parent;          /* slot in `parents` */
    int32_t built;           /* slot in `built` */
    int32_t smaller, larger; /* slots in `out` */
} TreeSibling;
typedef struct TreeSiblings {
    const TreeFeatures *features;
    int first, last;
    const int64_t *parents, *built;
    int64_t *out;
    int n_parents, n_built, n_out;
    const TreeSibling *sibling;
    int siblings;
} TreeSiblings;

/* How good splits are. A candidate is (feature, bin s, missing left or right): bins 1 .. s left, above right. s = 0 is
 * there with missing left only: missing against the rest. Its score in a node is
 *     (GL g_unit)^2 / (HL h_unit + l2) + (GR g_unit)^2 / (HR h_unit + l2)
 * where HL and HR are at least h_least and GL, GR are shrunk by l1, in the sequence of tree_math.h. Histogram of
 * features first .. last - 1.
 *
 * With rows_least each side has so many rows, too. Then the histogram has 2 K nodes: the sums of node k in slot 2 k,
 * its rows in slot 2 k + 1, as sums of h.
 *
 * With bounds a side adds what it can within those of its node, its score is tree_score_at that, and a split at bin s
 * of 1 or more by a feature that rises (1) or falls (-1) is none where the values of left and right stand the other
 * way. */
typedef struct TreeScores {
    const TreeFeatures *features;
    int first, last;
    const int64_t *histogram;
    int nodes;
    double g_unit, h_unit, l1, l2;
    int64_t h_least, rows_least;
    const double *bounds; /* [nodes][2] lowest, highest; NULL: none */
    const int8_t *rise;   /* by feature id, with bounds */
} TreeScores;
/* The cells of feature j and node k in the histogram of a job, and how far behind them its rows lie; 0: there are none.
 */
static inline int64_t tree_scored_cell(const TreeScores *job, int j, int k)
{
    int slots = job->rows_least > 0 ? 2 : 1;
    return tree_cell(job->features, job->first, j, slots * job->nodes, slots * k);
}
static inline int64_t tree_scored_rows(const TreeScores *job, int j)
{
    return job->rows_least > 0 ? 2 * (job->features->at[j + 1] - job->features->at[j]) : 0;
}
/* A split: its score and code = feature << 20 | s << 1 | missing right. Score 0: none. */
typedef struct TreeSplit {
    double score;
    int64_t code;
} TreeSplit;
#define TREE_SPLIT_CODE(feature, s, right) ((int64_t)(feature) << 20 | (int64_t)(s) << 1 | (int64_t)(right))

/* A node that splits. go: the rows of `segment` (its node is ignored) with bin > s, or missing and missing_right, go
 * right. left: how many stayed in front, in their order; the others follow, in their order. */
typedef struct TreeCut {
    TreeSegment segment;
    int32_t feature, bin;
    bool missing_right;
    int64_t left; /* out */
} TreeCut;
typedef struct TreePartition {
    const TreeBins *bins;
    uint32_t *index;   /* rearranged within each segment */
    uint32_t *scratch; /* as long as index; segment i may use its own range */
    TreeCut *cut;
    int cuts;
} TreePartition;

/* sum[leaf][3] += g * g_scale, h * h_scale (each row's rounded to nearest), rows; of the rows in train. */
typedef struct TreeLeafSums {
    TreeLoss loss;
    double g_scale, h_scale; /* powers of two */
    const uint16_t *leaf;
    int leaves;
    int64_t *sum; /* added to */
} TreeLeafSums;

/* margin[i] += value[leaf[i]] for the rows in train or valid (part 0 or 1). */
typedef struct TreeAddLeaves {
    int64_t n;
    const uint8_t *part;
    const uint16_t *leaf;
    const int32_t *value; /* [leaves] */
    int leaves;
    int64_t *margin;
} TreeAddLeaves;

/* One tree over bins: leaf[i] of rows i = from .. to - 1, 0 .. 2^depth - 1. Node arrays as in trees/trees.h, with the
 * bin for the border. */
typedef struct TreeWalk {
    const TreeBins *bins;
    int64_t from, to;
    bool symmetric;
    int depth;
    const int32_t *feature, *bin;
    const uint8_t *missing_right;
    uint16_t *leaf; /* [N] */
} TreeWalk;

/* A whole model laid out for rows of floats (trees/plan.c).
 *
 * A value's place is 0 when it is missing, else 1 + the number of the feature's borders below it; only borders that
 * some node uses are kept. A condition says which rows go right: those with (uint8_t)(place - flip) >= least; missing
 * goes right where flip is 1. Conditions are shared by all nodes of all trees that ask the same; those of a feature lie
 * together, flip 0 before flip 1. */
enum { PLAN_TILE = 512, PLAN_SEARCH = 256, PLAN_PLANES_DEPTH = 8, PLAN_FEW = 8 };
typedef struct TreePlanTree {
    int16_t depth;
    int16_t planes;  /* bytes a leaf needs above the least one; 0: deeper than PLAN_PLANES_DEPTH, no planes */
    int32_t run_end; /* the trees from this one up to that have its depth and planes */
    int64_t node;    /* its conditions in `node`: symmetric one a level, else 2^depth - 1 in heap order */
    int64_t leaf;    /* in `leaf` */
    int64_t plane;   /* in `plane`: byte 0 of all leaves, byte 1 ...; each plane 64 bytes or 2^depth if that is more */
} TreePlanTree;
typedef struct TreePlan {
    int features;             /* that some node uses */
    int columns;              /* of a row that are read: the last used + 1 */
    const int32_t *column;    /* [features] ascending */
    const int32_t *border_at; /* [features + 1] */
    const float *border;
    /* [features][PLAN_SEARCH] the borders as a search tree: level l at 2^l, its entries numbered by the turns that lead
     * there, first turn = bit 0; padded with infinity */
    const float *search;
    const uint8_t *levels;       /* [features] of the search tree: at most 8 */
    int conditions;              /* number `conditions` is one that never holds */
    const int32_t *condition_at; /* [2 features + 1] of feature f: flip 0 from 2 f, flip 1 from 2 f + 1 */
    const int32_t *condition_of; /* [conditions] feature */
    const uint8_t *least;        /* [conditions] */
    bool symmetric;
    int trees;
    const TreePlanTree *tree; /* in order of planes and depth: sums are integers */
    const int32_t *node;      /* conditions */
    const uint32_t *walk; /* [nodes] for one row: (2 feature + flip) << 8 | least; never holds: 2 features << 8 | 1 */
    const int32_t *leaf;
    const uint8_t *plane;
    int64_t bias, plane_bias;    /* start value; and with the least leaf of every tree that has planes */
    size_t scratch, scratch_few; /* bytes that an evaluation wants; of fewer than PLAN_FEW rows */
    void *kept;                  /* what `keep_plan` returned; NULL: nothing is kept */
} TreePlan;
/* Rows of floats, or columns of floats, or columns of places: one of x, value, place. */
typedef struct TreeMargins {
    const TreePlan *plan;
    const float *x; /* [n][stride] */
    int64_t n, stride;
    int64_t first;               /* row of the columns that is the job's row 0 */
    const float *const *value;   /* [columns] */
    const uint8_t *const *place; /* [plan->features] */
    void *scratch;               /* [plan->scratch] aligned to 64, or [plan->scratch_few] */
    int64_t *margin;
} TreeMargins;

/* What brings the devices of several ranks together: one of them writes it, all of them read it. */
typedef struct DeviceInvitation {
    char bytes[128];
} DeviceInvitation;
/* mine [counts[rank]] = this rank's part of the sums of all ranks' `all`, which begins at the sum of counts[0 .. rank -
 * 1]. The counts are the same on every rank. */
typedef struct DeviceParts {
    const int64_t *all;
    int64_t *mine;
    const int *counts;
} DeviceParts;

/* What every operation gets first. */
typedef struct TreeOps TreeOps;
typedef struct DeviceContext {
    int threads;
    const struct CpuLoops *cpu; /* the inner loops for this processor: kernels/cpu/ */
    const TreeOps *spare;       /* the processor's table: a plugin whose card fails computes there, to the same bits */
    void *own;                  /* of a plugin */
} DeviceContext;

/* Complete in cpu. A NULL slot of another backend: it lacks that operation, the cpu's takes its place.
 * All pointers are host memory. No operation fails; but see `lost`. */
struct TreeOps {
    /* Memory that stays with the device, so that nothing of it moves between operations: from `hold` to `release` they
     * work in the device's copy of these bytes, wherever their arguments point into them. The copy begins empty; `put`
     * brings what the host wrote there, `fetch` what operations wrote. Bytes may begin anywhere in a held piece and end
     * in it. Where there is no other memory (a processor, a full card), host memory is all there is. */
    void (*hold)(const DeviceContext *context, const void *host, size_t bytes);
    void (*release)(const DeviceContext *context, const void *host);
    void (*put)(const DeviceContext *context, const void *host, size_t bytes);
    void (*fetch)(const DeviceContext *context, void *host, size_t bytes);
    /* Did the device fail while it held memory? Then what operations wrote there is gone. */
    bool (*lost)(const DeviceContext *context);
    /* Devices of several ranks, so that sums go from one's memory to the other's without the host's. invite: one rank's
     * word to all, who then join together; NULL: only asks whether there is a way. false: there is none, or this one
     * did not come in. sum_parts: by all who are in, in the same order. leave: whoever is in. */
    bool (*invite)(const DeviceContext *context, DeviceInvitation *invitation);
    bool (*join)(const DeviceContext *context, const DeviceInvitation *invitation, int rank, int ranks);
    void (*leave)(const DeviceContext *context);
    void (*sum_parts)(const DeviceContext *context, const DeviceParts *job);
    /* Order statistics by counting, of a column that the device holds. take_keys: it has the keys (tree_key) of the
     * values from now on, until the next column's; false: it has not, the caller sorts. count_keys: count[l] = keys of
     * at most limit[l]; limits ascend, there are at most 255, of at most 2^32 - 2. distinct_keys: the different keys,
     * in any order, and how many there are; most + 1: more than most, which is at most 255. */
    bool (*take_keys)(const DeviceContext *context, TreeKeyColumn *column);
    void (*count_keys)(const DeviceContext *context, const TreeKeyColumn *column, const uint32_t *limit, int limits,
                       int64_t *count);
    int (*distinct_keys)(const DeviceContext *context, const TreeKeyColumn *column, int most, uint32_t *key);
    /* bins[i] = 0 for NaN, else 1 + the number of borders < values[i]. border [n_borders] ascending. */
    void (*bin)(const DeviceContext *context, const float *values, int64_t n, const float *border, int n_borders,
                uint8_t *bins);
    /* A copy of the transposed bins near the device for bins->kept, valid until `drop`; NULL where there is none. */
    void *(*keep)(const DeviceContext *context, const TreeBins *bins);
    void (*drop)(const DeviceContext *context, void *kept);
    /* Fills rows from .. to - 1 of `block` from the columns. */
    void (*transpose)(const DeviceContext *context, const TreeBins *bins, int64_t from, int64_t to, uint8_t *block);
    void (*sizes)(const DeviceContext *context, const TreeSizes *job);
    void (*gradients)(const DeviceContext *context, const TreeGradients *job);
    void (*list)(const DeviceContext *context, const TreeListing *job);
    void (*histogram)(const DeviceContext *context, const TreeHistogram *job);
    void (*siblings)(const DeviceContext *context, const TreeSiblings *job);
    /* best[k]: of all candidates in node k, that is better than the node itself by a part in 2^40; the highest score,
     * then the lowest code. */
    void (*best_splits)(const DeviceContext *context, const TreeScores *job, TreeSplit *best);
    /* total[2 (at - at[first]) + right] += the score of every candidate over all nodes in order (a node with too light
     * a side adds its own score instead). parent: += the nodes' own scores. */
    void (*level_scores)(const DeviceContext *context, const TreeScores *job, double *total, double *parent);
    void (*partition)(const DeviceContext *context, const TreePartition *job);
    void (*leaf_sums)(const DeviceContext *context, const TreeLeafSums *job);
    void (*add_leaves)(const DeviceContext *context, const TreeAddLeaves *job);
    void (*walk)(const DeviceContext *context, const TreeWalk *job);
    /* A copy of the plan near the device for plan->kept, valid until `drop_plan`; NULL where there is none. */
    void *(*keep_plan)(const DeviceContext *context, const TreePlan *plan);
    void (*drop_plan)(const DeviceContext *context, void *kept);
    /* The margins of n rows; by the calling thread alone. Several threads may call at once. */
    void (*margins)(const DeviceContext *context, const TreeMargins *job);
};

/* ---- a backend ---- */

typedef struct Backend {
    uint32_t abi; /* DEVICE_ABI */
    const char *name;
    int64_t rows_at_once; /* rows that an evaluation is best given in one call */
    /* Fills its part of *context (threads are given) for card `ordinal`; what: "cpu avx512". NULL on success, else why
     * not, in words. */
    const char *(*open)(DeviceContext *context, int ordinal, char *what, size_t size);
    void (*close)(DeviceContext *context);
    const TreeOps *trees;
} Backend;

extern const Backend backend_reference, backend_cpu;
/* What a plugin exports under this name: its table, or NULL when the ABI numbers differ. */
#define DEVICE_PLUGIN_ENTRY "dipper_backend"
typedef const Backend *(*DevicePluginEntry)(uint32_t abi);

#endif
