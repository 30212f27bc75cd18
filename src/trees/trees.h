/* trees/trees.h -- gradient boosted trees over a binned table, exact on any number of ranks and threads.
 *
 * Letters: N rows of this rank, F features, B bins (at most 256, bin 0 = missing), T trees, D depth.
 * Exactness: gradients enter histograms as integers, leaves are multiples of 2^-TREES_LEAF_BITS, bin borders are exact
 * order statistics of all ranks' values; see README.md of this folder for each rule. */
#ifndef DIPPER_TREES_TREES_H
#define DIPPER_TREES_TREES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/spill.h"
#include "base/status.h"
#include "comm/comm.h"
#include "config/config.h"
#include "device/device.h"

/* A leaf is an integer count of 2^-20; a margin is an int64 sum of leaves, exact in any order. */
enum { TREES_LEAF_BITS = 20, TREES_MAX_BINS = 256, TREES_MAX_DEPTH = 16 };

/* How a tree grows. A model is symmetric or depth-wise: trees grown leaf by leaf are depth-wise ones, in which some
 * nodes do not split, so they are at most TREES_LEAF_DEPTH deep. */
typedef enum TreesGrowth { TREES_SYMMETRIC, TREES_DEPTHWISE, TREES_LEAFWISE } TreesGrowth;
enum { TREES_LEAF_DEPTH = 10 };

/* What is learned: objective.h. Stored in files: codes stay. */
typedef enum TreesLoss {
    TREES_LOGLOSS, /* the chance of label 1: score 1 / (1 + e^-margin) */
    TREES_SQUARED, /* a number: score margin x 2^scale */
    TREES_SOFTMAX, /* one of several classes: scores e^margin of each over the sum of all */
    TREES_RANKING, /* an order within groups of rows: score margin, which says nothing beside its group */
} TreesLoss;
enum { TREES_MAX_OUTPUTS = 256, TREES_MAX_SCALE = 110 };
#define TREES_MAX_WEIGHT 1e9

typedef enum TreesSampling { TREES_SAMPLE_UNIFORM, TREES_SAMPLE_GRADIENT } TreesSampling;

typedef struct TreesOptions {
    int64_t trees, depth, bins;
    int growth;                              /* TreesGrowth */
    int64_t leaves;                          /* leaf-wise: at most */
    double learning_rate, l1, l2, min_child; /* min_child: least hessian sum of a child */
    int64_t min_rows;                        /* least rows of a child, of those that the tree learns from */
    int64_t rank_top;                        /* ranking: so many positions of a group count */
    double sample_rows, sample_columns;
    int sample_by;           /* TreesSampling */
    double positive_weight;  /* class weight of label 1 */
    int64_t levels;          /* of the quantised gradient */
    CfgList rising, falling; /* columns */
    int loss;                /* TreesLoss; no row of the config's, train.loss says it */
    const int8_t *rise;      /* [features] margins must not fall (1) or rise (-1) as the feature grows, 0: as they like;
                                NULL: no such feature. Borrowed; no row, made of rising and falling. One output only */
    const struct TreesModel *from; /* go on from what this model learned: its start values, its trees; the matrix has
                                      its borders. NULL: begin anew. Borrowed; no row */
} TreesOptions;
/* The rows of section "model" when model.family = trees. */
extern const CfgRow trees_rows[];
/* Local. Do the options go together? Fails USAGE. */
dp_status trees_options_check(const TreesOptions *options);

/* ---- the learned arrays: plain data, filled by training, saved by the model, read by evaluation ---- */

typedef struct TreesModel {
    int32_t n_features, n_trees, depth; /* depth: of the deepest tree */
    TreesGrowth growth;
    /* Borders of feature f: border[border_at[f] .. border_at[f + 1] - 1], ascending, finite, -0 stored as +0. A value
     * v lies in bin 1 + (number of borders < v); v <= border goes left. NaN lies in bin 0, left of every border. */
    int32_t *border_at; /* [n_features + 1] */
    float *border;
    /* Nodes. A symmetric tree t of depth d = tree_depth[t] has d of them, one a level, at node_at[t]; a depth-wise tree
     * has 2^d - 1 in heap order (children of i: 2i + 1 left, 2i + 2 right). A node that does not split has
     * feature -1 and everything goes left. Row goes right where v > border, that is bin > split_bin. NaN goes left
     * unless missing_right. */
    int32_t *tree_depth; /* [n_trees] */
    int64_t *node_at;    /* [n_trees + 1] */
    int32_t *node_feature;
    int32_t *node_border; /* index into border[]; -1 with feature -1: split by missing alone is border_at[f] - 1 */
    uint8_t *node_missing_right;
    double *node_gain; /* what each split gained in train: the score G^2 / (H + l2) (G less l1) of both sides less that
                          of the node, over all nodes of the level in a symmetric tree; known while learning, NULL of a
                          model from a file */
    /* Leaves of tree t: leaf[leaf_at[t] + index], index 0 .. 2^d - 1 with the bit of level 0 the highest (heap order).
     */
    int64_t *leaf_at; /* [n_trees + 1] */
    int32_t *leaf;    /* counts of 2^-TREES_LEAF_BITS */
    int64_t *cover;   /* train rows in each leaf, as leaf: for path-dependent SHAP */
    /* Tree t adds to the margin of output t % outputs. A margin counts 2^(scale - TREES_LEAF_BITS). */
    int32_t outputs;
    TreesLoss loss;
    int32_t scale;                   /* within +-TREES_MAX_SCALE; 0 but for numbers */
    int64_t bias[TREES_MAX_OUTPUTS]; /* start values, counts of 2^-TREES_LEAF_BITS */
} TreesModel;
void trees_model_free(TreesModel *model);
/* Local. An own copy; *to is overwritten, not freed. */
dp_status trees_model_copy(TreesModel *to, const TreesModel *from);
/* Local. What the splits by each feature gained together: gain [n_features]. false: it is not known. */
bool trees_model_gains(const TreesModel *model, double *gain);
/* Local. node_at and leaf_at (allocated here) from n_trees, tree_depth and growth, which must stand already. Fails DATA
 * on a depth outside 0 .. TREES_MAX_DEPTH. For models that come from files, which do not repeat what follows. */
dp_status trees_model_lay_out(TreesModel *model);
/* Local. Every index within its array, borders ascending and finite, depths at most TREES_MAX_DEPTH: for models that
 * come from files. The arrays must have the lengths that border_at, node_at and leaf_at say. Fails DATA. */
dp_status trees_model_check(const TreesModel *model);

/* ---- binning ---- */

/* The training matrix: N rows of F bins, in the layouts the kernels want. */
typedef struct TreesMatrix TreesMatrix;

/* What learning may take on this rank; {0}: memory without limit. When the arrays that hold a number a row pass the
 * limit, they lie in the scratch folder and are worked on stretch by stretch; levels of a tree whose histograms pass
 * their part of it are done in groups of nodes. The model is the same, to the bit. */
typedef struct TreesLimits {
    int64_t memory;        /* bytes; 0: no limit */
    const char *scratch;   /* NULL: arrays lie in memory all the same */
    const dp_shelf *shelf; /* where columns and rows that are handed in lie; NULL: memory */
    int outputs;           /* margins that a row will have; 0 is 1 */
} TreesLimits;
/* Local. Bytes that matrix and training take on a rank when nothing limits them: of rows (bins, margins, gradients,
 * lists) and of the histograms of a tree's widest level. */
typedef struct TreesNeed {
    int64_t rows, levels;
} TreesNeed;
TreesNeed trees_memory_need(int64_t rows, int features, int outputs, const TreesOptions *options, int ranks);
/* Local. rows: of this rank, 0 .. 2^31 - 129; features 1 .. 2^20 - 1; bins 3 .. TREES_MAX_BINS. The device is borrowed.
 * Fails USAGE, AGAIN. */
dp_status trees_matrix_build(TreesMatrix **matrix, int64_t rows, int features, int bins, Device *device);
/* Local. The same under limits, which the training on the matrix keeps too. Fails CREATE, IO where the scratch folder
 * does not take the arrays. */
dp_status trees_matrix_build_within(TreesMatrix **matrix, int64_t rows, int features, int bins, Device *device,
                                    const TreesLimits *limits);
/* Local. Do its arrays lie in files? */
bool trees_matrix_in_files(const TreesMatrix *matrix);
void trees_matrix_free(TreesMatrix **matrix);
/* Collective. Feature f: borders from the values of rows with use[i] != 0 (use NULL: all) over all ranks (exact
 * equal-count borders; each distinct value its own bin where there are fewer than bins - 1), then all rows binned.
 * values [N] float, NaN missing. */
dp_status trees_matrix_set(TreesMatrix *matrix, int feature, const float *values, const uint8_t *use, const Comm *comm);
/* Collective. The same with the borders of a model of as many features, whose learning is to go on. */
void trees_matrix_set_as(TreesMatrix *matrix, int feature, const float *values, const uint8_t *use,
                         const TreesModel *model, const Comm *comm);

/* ---- training ---- */

typedef struct TreesRows {
    int64_t n;               /* rows of this rank, those of the matrix */
    const int8_t *label;     /* [n] 0, 1: log-loss */
    const double *target;    /* [n] the number: squared error; the gain, 0 or more: ranking */
    const uint8_t *class_id; /* [n] 0 .. classes - 1: softmax */
    int classes;             /* 2 .. TREES_MAX_OUTPUTS */
    const double *weight;    /* [n] a row counts so much: finite, 0 or more; NULL: 1 */
    const uint8_t *part;     /* [n] 0 = train, 1 = valid (margins kept, not learned from), other: ignored */
    const uint64_t *group;   /* [n] ranking: a hash, equal for the rows of a group */
    const uint64_t *row;     /* [n] identity: what sampling and rounding are drawn by, hence not the rank */
} TreesRows;

typedef struct TreesTraining TreesTraining;
/* Collective. Borrows matrix, the arrays of rows, options.from and device until trees_training_free. Every feature of
 * the matrix must be set. With options.from, and the same rows, options and seed that it was learned from, the trees
 * that follow are those that would have followed there: all draws are keyed by the number of a tree. Fails DATA when
 * train has one class only, a label or a weight that cannot be learned from; USAGE when bins x 2^depth pass what a
 * message can hold; AGAIN. */
dp_status trees_training_begin(TreesTraining **training, const TreesMatrix *matrix, const TreesRows *rows,
                               const TreesOptions *options, uint64_t seed, Device *device, const Comm *comm);
void trees_training_free(TreesTraining **training);
/* Collective. Grows one tree an output. *grew is false when no split gains (training is over). Fails AGAIN: the
 * histograms grow with the first trees. */
dp_status trees_training_step(TreesTraining *training, bool *grew, const Comm *comm);
/* Local. Margins of this rank's rows so far: [outputs][n] counts of 2^-TREES_LEAF_BITS, the training's own. */
const int64_t *trees_training_margins(const TreesTraining *training);
const TreesModel *trees_training_model(const TreesTraining *training);
/* Local. What lies in files leaves memory until it is used again: in a long look at the margins. */
void trees_training_rest(const TreesTraining *training);
/* Local. Keeps the first n trees of every output (early stopping); margins go back with them, to the bit. */
void trees_training_cut(TreesTraining *training, int n);
/* Collective. Goes on after a checkpoint: takes trees learned before (copied); margins are computed again from the
 * bins. Fails DATA when they were learned from other data: borders, start value or growth differ. */
dp_status trees_training_resume(TreesTraining *training, const TreesModel *learned, const Comm *comm);
/* Local. 1 / (1 + e^-x) by our own fixed IEEE sequence, for a margin in counts. */
double trees_probability(int64_t margin);
/* Local. The same of many, as floats. */
void trees_chances(const int64_t *margin, int64_t n, float *chance);
/* Local. The score of a row as its loss means it (TreesLoss), from the margins [outputs] of a model: [outputs]. */
void trees_score(const TreesModel *model, const int64_t *margin, double *score);

/* ---- evaluation ---- */

/* A model laid out for fast evaluation. Borrows the model's arrays, and the device, which may be NULL: then rows are
 * walked one by one. */
typedef struct TreesScorer TreesScorer;
dp_status trees_scorer_build(TreesScorer **scorer, const TreesModel *model, Device *device);
void trees_scorer_free(TreesScorer **scorer);
/* Local. margin [outputs][n] of rows x [n][stride] float, NaN missing. By the calling thread alone; several may call at
 * once. The same bits in every path. Blocks take a scratch memory (a few rows none) and can do without. Bins are the
 * same for all outputs. */
void trees_margins(const TreesScorer *scorer, const float *x, int64_t n, int64_t stride, int64_t *margin);
/* Local. The same, to the bit, of rows first .. first + n - 1 of columns of floats, value[f] of feature f (of those
 * that no node looks at never read): what lies in columns need not be transposed. Nothing behind those rows is read. */
void trees_margins_columns(const TreesScorer *scorer, const float *const *value, int64_t first, int64_t n,
                           int64_t *margin);
/* Bins of evaluation: counted among the borders that some node asks about, of the features that some node looks at. So
 * they are few, and tied to one model; model/ keeps the digest by which stored ones are known.
 * Local. The k-th feature that is looked at, k = 0 .. *n - 1: its number in a row; the array is the scorer's. */
const int32_t *trees_scorer_features(const TreesScorer *scorer, int *n);
/* Local. The borders of the k-th of them, ascending. */
const float *trees_scorer_borders(const TreesScorer *scorer, int k, int *n);
/* Local. bin[i] = 0 for NaN, else 1 + the number of those borders < value[i]. */
void trees_scorer_bin(const TreesScorer *scorer, int k, const float *value, int64_t n, uint8_t *bin);
/* Local. trees_margins, to the bit, of rows that are binned already: bin[k] [n] of the k-th feature. Any byte is safe.
 * Nothing behind the n bytes of a column is read. */
void trees_margins_bins(const TreesScorer *scorer, const uint8_t *const *bin, int64_t n, int64_t *margin);
/* Local. Exact path-dependent SHAP of the margin, in double: phi [n][F + 1], the last is the expected value; they sum
 * to the margin within 1e-9, and a row gets the same bits in any block. The first call for many rows lays out tables
 * (tens of milliseconds; up to 128 MiB), which later calls of any thread use. Source: Lundberg, Erion, Lee,
 * arXiv:1802.03888; how: explain.c. */
dp_status trees_contributions(const TreesScorer *scorer, const float *x, int64_t n, int64_t stride, double *phi);
/* Local. The same of one of several outputs. */
dp_status trees_contributions_to(const TreesScorer *scorer, int output, const float *x, int64_t n, int64_t stride,
                                 double *phi);
extern const dp_help_row trees_help[];

#endif
