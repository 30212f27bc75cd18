/* trees/trees_priv.h -- shared by the training side of the room: matrix, borders, histograms, growing, training. */
#ifndef DIPPER_TREES_TREES_PRIV_H
#define DIPPER_TREES_TREES_PRIV_H

#include "base/spill.h"
#include "trees/trees.h"

/* ---- borders ---- */

/* Memory that finding borders needs: keys of a column, twice. */
typedef struct TreesKeys {
    dp_spill memory;
    uint32_t *key, *spare; /* [n] */
    int runs;              /* sorted stretches: one a thread, or more where they lie in a file */
} TreesKeys;

enum { TREES_RUNS_MAX = 256 };

typedef struct TreesBorders {
    int n;                    /* borders found, at most TREES_MAX_BINS - 2 */
    int64_t present, missing; /* values over all ranks among the rows that count */
    float border[TREES_MAX_BINS];
} TreesBorders;

/* One column of this rank. */
typedef struct TreesColumn {
    const float *values;
    const uint8_t *use; /* NULL: all */
    int64_t n;
    const dp_shelf *shelf;      /* where both lie; NULL: memory */
    const TreeKeyColumn *there; /* the same, where the device has its keys; NULL */
} TreesColumn;

/* Local. Keys from .. to - 1 need not stay in memory: the column is done with them, or comes back to few. */
void trees_keys_rest(const TreesKeys *keys, int64_t from, int64_t to);
/* Collective. Borders for at most `bins` bins of values (without the one for missing): README.md, "Borders". keys:
 * room for n of each; unused where the device has the keys. */
dp_status trees_borders_find(TreesBorders *borders, const TreesColumn *column, int bins, const Device *device,
                             TreesKeys *keys, const Comm *comm);

/* ---- matrix ---- */

struct TreesMatrix {
    Device *device;
    TreesLimits limits;
    dp_spill memory; /* of the columns */
    int64_t n, pitch;
    int features, bins;
    int features_set;
    uint8_t *column;  /* [features][pitch] */
    float *border;    /* [features][TREES_MAX_BINS] */
    int32_t *borders; /* [features] how many */
    uint8_t *splits;  /* [features] can it split at all: two bins or more in use */
    TreesKeys keys;
};

/* rows.c. Local. How many rows of `bytes` each may one thread have in memory at once? INT32_MAX without files. */
int64_t trees_row_bytes(int features);
int64_t trees_rows_at_once(const TreesMatrix *matrix, int64_t bytes);
/* Local. Bytes of histograms that a level may take. */
int64_t trees_levels_most(const TreesLimits *limits);

/* matrix.c. Local. What was computed is not what it should be when the device went away with what it held. Fails AGAIN.
 */
dp_status trees_device_stands(const Device *device);

/* ---- what growing a tree knows ---- */

/* The part of histograms that a rank owns. */
typedef struct TreesShare {
    TreeFeatures features; /* of this tree */
    int *first;            /* [ranks + 1] features of rank r: first[r] .. first[r + 1] - 1 */
    int *counts;           /* [ranks] for the reduce-scatter of one call */
    int rank, ranks;
} TreesShare;

/* Memory of histograms. */
typedef struct TreesCells {
    int64_t *cell;
    size_t room;
} TreesCells;

typedef struct TreesLeaf TreesLeaf; /* grow_leaves.c */
dp_status trees_leaves_room(TreesLeaf **open, int64_t leaves);

/* A tree as it grows: D entries (symmetric) or 2^D - 1 in heap order. */
typedef struct TreesDraft {
    int depth; /* levels that split */
    int32_t *feature, *bin;
    uint8_t *missing_right;
} TreesDraft;

struct TreesTraining {
    TreesOptions options;
    uint64_t seed;
    const TreesMatrix *matrix;
    TreesRows rows;
    const TreeOps *ops;
    const DeviceContext *context;
    TreeBins bins;
    dp_spill memory; /* of the arrays of a number a row: block .. scratch */
    uint8_t *block;

    const struct TreesObjective *objective; /* objective.h */
    struct TreesRanking *ranking;           /* objective_ranking.c */
    double *row_weight;                     /* [n], 0 for rows that are not in train; NULL: all 1 */
    double *g, *h;                          /* [n] of the tree being grown; NULL: the operators compute them */
    double *log_sum;                        /* [n] softmax: of e^margin before the trees of a step */
    double *chance;                         /* [n] of label 1 before the tree being grown, for the log-loss */
    bool chances_stand;                     /* computed by the first pass that wants them */
    double g_most, h_most;                  /* no row's |g|, h is larger */
    double weight[2], g_scale, h_scale, g_unit, h_unit;
    double g_sum_scale, h_sum_scale; /* leaf sums count their inverses */
    int64_t h_least, rows_least;
    int64_t train_rows; /* over all ranks */
    TreeDraw *draw;     /* of this tree; NULL: it learns from all rows */
    int64_t *sizes;     /* [TREE_SIZES] */

    int64_t *margins; /* [outputs][n] */
    int64_t *margin;  /* of the output whose tree is grown */
    TreePair *pair;   /* [n] */
    TreePair *one;    /* [n] each counts 1 as h; NULL: no histograms of rows are asked for */
    uint16_t *leaf;   /* [n] */
    uint32_t *index, *scratch;

    /* The rows that a tree learns from, in shards: one a thread, or so many that as many as there are threads fit in
     * memory. Segments of level nodes: [node][shard]. */
    int shards;
    int64_t *shard_from; /* [shards + 1] */
    TreeSegment *learn, *next_learn;
    TreeSegment *segment;        /* of the nodes being built, in a stretch */
    int32_t *place, *next_place; /* of the nodes: 0 .. 2^level - 1 */
    TreeCut *cut;                /* of a stretch */
    int32_t *which;              /* nodes to build */
    int nodes, nodes_max;

    TreesShare share;
    int32_t *feature_id, *feature_at;
    TreesCells local[2];  /* histograms of a group of nodes on this rank, all features, and of the group before */
    TreesCells built[2];  /* of these groups over all ranks, this rank's features */
    TreesCells now, next; /* of this level and of the next one, the same features */
    bool joined;          /* devices of all ranks hold histograms, and sum them without the host */
    bool summing;         /* the group of local[slot] is on its way to built[slot] */
    int slot;
    int groups;         /* that a level is built in, at least */
    bool kept;          /* this level's are in `now`; else too many for that */
    int64_t cells_most; /* for all of these, the same on every rank */
    int64_t cells_kept; /* that now and next may have grown to */
    TreeSplit *split;
    TreeSibling *sibling;
    TreesLeaf *open; /* leaf-wise: [leaves] */
    int64_t *pool;   /* leaf-wise: histograms, grow_leaves.c */
    size_t pool_room;
    int64_t *exchange;          /* [3 nodes_max] */
    uint8_t *left_lighter;      /* [nodes_max] of the children of a node that splits, the left one is built */
    double *bounds;             /* monotone: [nodes_max][2] of the nodes of a call */
    struct TreesHalves *halves; /* [nodes_max] */
    int64_t *sides;             /* [nodes_max][4] */
    double *middle;             /* [2^depth] between the two sides of each split, by place in the heap */
    double *level_score;        /* symmetric: [2 bins] */
    int64_t *leaf_sum;          /* [2^depth][3] */
    int32_t *leaf_value;        /* [2^depth] */

    TreesDraft draft;
    TreesModel model;
    int32_t trees_room;
    int64_t nodes_room, leaves_room, nodes_used, leaves_used;
};

/* rows.c. Local: bytes of a row in all these arrays; makes block .. scratch. */
int64_t trees_training_row_bytes(const TreesTraining *training);
dp_status trees_rows_take(TreesTraining *training);
/* rows.c. Local. A device with memory of its own keeps these arrays, and those of the caller, until let_go: the host
 * sees margins after fetch, and says with put what it wrote. */
void trees_rows_hold(TreesTraining *training);
void trees_rows_let_go(TreesTraining *training);
void trees_margins_put(const TreesTraining *training);
void trees_margins_fetch(const TreesTraining *training);
/* Local. Rows from .. to - 1 of matrix and training need not stay in memory. */
void trees_rows_rest(const TreesTraining *training, int64_t from, int64_t to);
/* Shards first .. end - 1, which are rows from .. to - 1. Begin with {0}:
 *     while (trees_next_stretch(training, &stretch)) ...
 * Each call lets go of the stretch before. */
typedef struct TreesStretch {
    int first, end;
    int64_t from, to;
} TreesStretch;
bool trees_next_stretch(const TreesTraining *training, TreesStretch *stretch);

/* sample.c. Local: units of rounded gradients, none of which is above g_most or h_most in size. */
void trees_set_units(TreesTraining *training, double g_most, double h_most);
/* Local. Chances and weights by size, so that of count [TREE_SIZES] rows about `wanted` (1 or more) are drawn; returns
 * the limit: what a drawn row below it counts, in 2^-22. */
int64_t trees_draw_by_size(TreeDraw *draw, const int64_t *count, int64_t wanted);
/* Collective. Chances and weights of the rows for this tree (draw), with units to match. */
void trees_draw_rows(TreesTraining *training, int tree, const Comm *comm);

/* monotone.c. Local. Lowest and highest value, before the rate, of what lies below a place of a level of the draft. */
void trees_bounds(const TreesTraining *training, int level, int32_t place, double bounds[2]);
/* A split whose rows were split: where it stands, and the slots of its halves. */
typedef struct TreesHalves {
    int level;
    int32_t place, slot[2];
} TreesHalves;
/* Local. Before a tree. */
void trees_forget_middles(TreesTraining *training);
/* Collective. The middles of n splits from the rows of their halves, lists [slot][shard]. */
void trees_note_middles(TreesTraining *training, const TreeSegment *lists, const TreesHalves *halves, int n,
                        const Comm *comm);
/* Local. leaf_value of a tree that stands, within bounds and in order. */
void trees_order_leaves(TreesTraining *training);

/* histograms.c. Collective. Brings the devices of all ranks together, where that is possible for this training. */
void trees_join_devices(TreesTraining *training, const Comm *comm);
/* Local: shares the tree's features out. */
void trees_share_features(TreesShare *share);
/* Collective. Room for groups of so many nodes, and for `next` of the next level. Ranks take memory at the same times,
 * and agree only then. Fails AGAIN. */
dp_status trees_histograms_room(TreesTraining *training, int group, int groups, int next, const Comm *comm);
void trees_cells_free(const TreesTraining *training, TreesCells *cells);
/* Local. Into how many groups the nodes of a level go, where a thread learns from so many rows. */
int trees_histograms_groups(double rows);
/* Local. Of a histogram, those that a node takes: its sums, and its rows where a child needs a least number. */
int trees_slots(const TreesTraining *training);
/* Local. How many of `nodes` nodes can be built at once, when `kept` histograms stay beside them; 0: none. The same on
 * every rank. */
int trees_histograms_at_once(const TreesTraining *training, int nodes, int kept);
/* Local. So many may have been kept: their memory stays taken. */
void trees_note_kept(TreesTraining *training, int nodes);
/* Collective. Builds histograms of nodes which[0 .. nodes - 1] of `lists` [node][shard] and begins to sum them over
 * ranks. Returns those begun before: this rank's features over all ranks' rows, valid until the next call; NULL at
 * first. */
const int64_t *trees_histograms_build(TreesTraining *training, const TreeSegment *lists, const int32_t *which,
                                      int nodes, const Comm *comm);
/* Collective. Returns the last ones begun. */
const int64_t *trees_histograms_finish(TreesTraining *training, const Comm *comm);
/* Local. The larger children, what is left of the parents, of the pairs noted before as `first` and on. The job speaks
 * of nodes. */
void trees_note_pair(TreesTraining *training, int pair, TreeSibling nodes);
void trees_histograms_split(TreesTraining *training, int first, const TreeSiblings *pairs);
/* splits.c. Collective. split[k] of 1 or 2 nodes whose histograms (this rank's features) are given, and the nodes' own
 * scores. */
void trees_find_node_splits(TreesTraining *training, const int64_t *histogram, int nodes, double *own,
                            const Comm *comm);
/* Collective. split[k] of every node of the level, the same on all ranks. *any false: none splits. Fails AGAIN. */
dp_status trees_find_splits(TreesTraining *training, bool *any, const Comm *comm);

/* Collective. Grows one tree into training->draft and gives every row of train and valid its leaf. false: no split. */
dp_status trees_grow(TreesTraining *training, int tree, bool *grew, const Comm *comm);

/* Collective. The same, leaf by leaf, when features, gradients and lists of rows stand. */
dp_status trees_grow_leaves(TreesTraining *training, const Comm *comm);
/* Local. The cut of a segment by a split (score 0: none); a split into the draft. */
TreeCut trees_cut(const TreeSplit *split, const TreeSegment *segment);
void trees_note_split(TreesTraining *training, const TreeSplit *split, int at);

/* Local. Purposes of random numbers. */
enum { TREES_RANDOM_ROUND = 0x54520001, TREES_RANDOM_ROWS, TREES_RANDOM_COLUMNS };

#endif
