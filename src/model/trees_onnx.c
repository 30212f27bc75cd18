/* Trees as ONNX: TreeEnsemble of ai.onnx.ml 5, or TreeEnsembleRegressor of 3 for older runtimes.
 *
 * A value goes to the true branch where it is <= the border, as here to the left; missing values follow
 * nodes_missing_value_tracks_true. Leaves are multiples of 2^-20 stored as float: while sums stay below 16 they are
 * exact in any order, so the margins equal ours bit for bit. A split by missing alone is "< -infinity". */
#include "model/trees_priv.h"

#include <math.h>
#include <string.h>

enum { MODE_LEQ = 0, MODE_LT = 1, MODE_LEAF = 2, AGGREGATE_SUM = 1 }; /* of v5; leaf: only ours */

/* The nodes of all trees one after the other; a leaf is a node only in the older operator. */
typedef struct Ensemble {
    int64_t *tree, *id, *feature, *yes, *no, *yes_leaf, *no_leaf, *missing_yes, *root;
    float *split, *weight; /* weight: of leaves */
    uint8_t *mode;
    int64_t *leaf_tree, *leaf_id, *target;
    int64_t nodes, leaves, roots;
    double bias[TREES_MAX_OUTPUTS];
} Ensemble;

static void ensemble_free(Ensemble *e)
{
    int64_t **arrays[] = {&e->tree,    &e->id,   &e->feature, &e->yes,       &e->no,      &e->yes_leaf,
                          &e->no_leaf, &e->root, &e->target,  &e->leaf_tree, &e->leaf_id, &e->missing_yes};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        dp_free(arrays[i]);
    dp_free(&e->split);
    dp_free(&e->weight);
    dp_free(&e->mode);
}

static dp_status ensemble_room(Ensemble *e, const TreesModel *m)
{
    size_t leaves = (size_t)m->leaf_at[m->n_trees] + 1, nodes = 2 * leaves;
    int64_t **arrays[] = {&e->tree,    &e->id,   &e->feature, &e->yes,       &e->no,      &e->yes_leaf,
                          &e->no_leaf, &e->root, &e->target,  &e->leaf_tree, &e->leaf_id, &e->missing_yes};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        DP_TRY(dp_new(arrays[i], nodes));
    DP_TRY(dp_new(&e->split, nodes));
    DP_TRY(dp_new(&e->weight, leaves));
    DP_TRY(dp_new(&e->mode, nodes));
    return DP_OK;
}

static int64_t node_of(const TreesModel *m, int32_t t, int64_t heap, int level)
{
    return m->node_at[t] + (m->growth == TREES_SYMMETRIC ? level : heap);
}

/* Down over nodes that do not split. */
static void skip_idle(const TreesModel *m, int32_t t, int64_t *heap, int *level)
{
    while (*level < m->tree_depth[t] && m->node_feature[node_of(m, t, *heap, *level)] < 0) {
        *heap = 2 * *heap + 1;
        (*level)++;
    }
}

/* A place in a tree that a branch leads to: *is_leaf with the leaf's number, or the node's number. */
static int64_t add_subtree(Ensemble *e, const TreesModel *m, int32_t t, int64_t heap, int level, int64_t *is_leaf)
{
    skip_idle(m, t, &heap, &level);
    *is_leaf = level == m->tree_depth[t];
    if (*is_leaf) {
        int64_t leaf = m->leaf_at[t] + heap - ((INT64_C(1) << level) - 1);
        e->weight[e->leaves] = (float)ldexp((double)m->leaf[leaf], -TREES_LEAF_BITS);
        e->leaf_tree[e->leaves] = e->roots;
        e->target[e->leaves] = t % m->outputs;
        return e->leaves++;
    }
    int64_t at = e->nodes++, node = node_of(m, t, heap, level);
    int32_t f = m->node_feature[node], border = m->node_border[node];
    bool missing_alone = border < m->border_at[f];
    e->tree[at] = e->roots;
    e->feature[at] = f;
    e->split[at] = missing_alone ? -INFINITY : m->border[border];
    e->mode[at] = missing_alone ? MODE_LT : MODE_LEQ;
    e->missing_yes[at] = !m->node_missing_right[node];
    e->yes[at] = add_subtree(e, m, t, 2 * heap + 1, level + 1, &e->yes_leaf[at]);
    e->no[at] = add_subtree(e, m, t, 2 * heap + 2, level + 1, &e->no_leaf[at]);
    return at;
}

/* A tree that never splits adds its one leaf to the bias. */
static void add_tree(Ensemble *e, const TreesModel *m, int32_t t)
{
    int64_t heap = 0, leaf;
    int level = 0;
    skip_idle(m, t, &heap, &level);
    if (level == m->tree_depth[t]) {
        leaf = m->leaf_at[t] + heap - ((INT64_C(1) << level) - 1);
        e->bias[t % m->outputs] += ldexp((double)m->leaf[leaf], -TREES_LEAF_BITS);
        return;
    }
    e->root[e->roots] = add_subtree(e, m, t, 0, 0, &leaf);
    e->roots++;
}

/* The operators need a tree: one whose leaves are zero. */
static void add_nothing(Ensemble *e)
{
    e->nodes = e->leaves = e->roots = 1;
    e->yes_leaf[0] = e->no_leaf[0] = 1;
}

static void write_tree_ensemble(OnnxGraph *graph, const Ensemble *e, int outputs, const char *x)
{
    OnnxNode *node = onnx_node(graph, "ai.onnx.ml", "TreeEnsemble", &x, 1, "/sum");
    onnx_int(node, "n_targets", outputs);
    onnx_int(node, "aggregate_function", AGGREGATE_SUM);
    onnx_int(node, "post_transform", 0);
    onnx_ints(node, "tree_roots", e->root, e->roots);
    onnx_ints(node, "nodes_featureids", e->feature, e->nodes);
    onnx_tensor(node, "nodes_splits", tensor_vector(TENSOR_F32, e->split, e->nodes));
    onnx_tensor(node, "nodes_modes", tensor_vector(TENSOR_U8, e->mode, e->nodes));
    onnx_ints(node, "nodes_missing_value_tracks_true", e->missing_yes, e->nodes);
    onnx_ints(node, "nodes_truenodeids", e->yes, e->nodes);
    onnx_ints(node, "nodes_trueleafs", e->yes_leaf, e->nodes);
    onnx_ints(node, "nodes_falsenodeids", e->no, e->nodes);
    onnx_ints(node, "nodes_falseleafs", e->no_leaf, e->nodes);
    onnx_ints(node, "leaf_targetids", e->target, e->leaves);
    onnx_tensor(node, "leaf_weights", tensor_vector(TENSOR_F32, e->weight, e->leaves));
}

/* The older operator wants each tree in one piece, root first, its leaves among its nodes. */
static void flatten(const Ensemble *e, Ensemble *flat)
{
    int64_t leaf = 0, at = 0;
    for (int64_t t = 0; t < e->roots; t++) {
        int64_t begin = at, end = t + 1 < e->roots ? e->root[t + 1] : e->nodes;
        int64_t to_node = at - e->root[t], to_leaf = at + end - e->root[t] - leaf;
        for (int64_t i = e->root[t]; i < end; i++, at++) {
            flat->feature[at] = e->feature[i];
            flat->split[at] = e->split[i];
            flat->mode[at] = e->mode[i];
            flat->missing_yes[at] = e->missing_yes[i];
            flat->yes[at] = e->yes[i] + (e->yes_leaf[i] ? to_leaf : to_node);
            flat->no[at] = e->no[i] + (e->no_leaf[i] ? to_leaf : to_node);
        }
        for (; leaf < e->leaves && e->leaf_tree[leaf] == t; leaf++, at++) {
            flat->mode[at] = MODE_LEAF;
            flat->leaf_id[leaf] = at;
        }
        for (int64_t i = begin; i < at; i++) {
            flat->id[i] = i;
            flat->tree[i] = t;
        }
    }
    flat->nodes = at;
}

static dp_status write_regressor(OnnxGraph *graph, const Ensemble *e, const TreesModel *m, const char *x)
{
    static const char words[] = "BRANCH_LEQBRANCH_LTLEAF";
    static const int64_t word_at[] = {0, 10, 19, 23};
    int64_t *at = NULL;
    Ensemble flat = {0};
    dp_buf modes = {0};
    dp_status st = DP_OK;
    DP_GO(ensemble_room(&flat, m));
    flatten(e, &flat);
    DP_GO(dp_new(&at, (size_t)flat.nodes + 1));
    for (int64_t i = 0; i < flat.nodes; i++) {
        int word = flat.mode[i];
        DP_GO(dp_buf_add(&modes, words + word_at[word], (size_t)(word_at[word + 1] - word_at[word])));
        at[i + 1] = (int64_t)modes.size;
    }
    OnnxNode *node = onnx_node(graph, "ai.onnx.ml", "TreeEnsembleRegressor", &x, 1, "/sum");
    onnx_int(node, "n_targets", m->outputs);
    onnx_string(node, "aggregate_function", "SUM");
    onnx_string(node, "post_transform", "NONE");
    onnx_ints(node, "nodes_treeids", flat.tree, flat.nodes);
    onnx_ints(node, "nodes_nodeids", flat.id, flat.nodes);
    onnx_ints(node, "nodes_featureids", flat.feature, flat.nodes);
    onnx_strings(node, "nodes_modes", modes.data, at, flat.nodes);
    onnx_floats(node, "nodes_values", flat.split, flat.nodes);
    onnx_ints(node, "nodes_truenodeids", flat.yes, flat.nodes);
    onnx_ints(node, "nodes_falsenodeids", flat.no, flat.nodes);
    onnx_ints(node, "nodes_missing_value_tracks_true", flat.missing_yes, flat.nodes);
    onnx_ints(node, "target_treeids", e->leaf_tree, e->leaves);
    onnx_ints(node, "target_nodeids", flat.leaf_id, e->leaves);
    onnx_ints(node, "target_ids", e->target, e->leaves);
    onnx_floats(node, "target_weights", e->weight, e->leaves);
done:
    dp_free(&at);
    dp_buf_free(&modes);
    ensemble_free(&flat);
    return st;
}

dp_status model_trees_onnx(const TreesModel *m, OnnxGraph *graph, const char *x, int ml_version)
{
    dp_status st = DP_OK;
    float bias[TREES_MAX_OUTPUTS];
    Ensemble e = {0};
    for (int k = 0; k < m->outputs; k++)
        e.bias[k] = ldexp((double)m->bias[k], -TREES_LEAF_BITS);
    DP_GO(ensemble_room(&e, m));
    for (int32_t t = 0; t < m->n_trees; t++)
        add_tree(&e, m, t);
    if (e.roots == 0)
        add_nothing(&e);
    if (ml_version >= 5)
        write_tree_ensemble(graph, &e, m->outputs, x);
    else
        DP_GO(write_regressor(graph, &e, m, x));
    for (int k = 0; k < m->outputs; k++)
        bias[k] = (float)e.bias[k];
    onnx_constant(graph, "/bias", tensor_vector(TENSOR_F32, bias, m->outputs));
    const char *margin = m->scale == 0 ? MODEL_ONNX_MARGIN : "/scaled";
    onnx_node(graph, "", "Add", (const char *[]){"/sum", "/bias"}, 2, margin);
    if (m->scale != 0) { /* a power of two: exact */
        float unit = ldexpf(1, m->scale);
        onnx_constant(graph, "/unit", tensor_vector(TENSOR_F32, &unit, 1));
        onnx_node(graph, "", "Mul", (const char *[]){margin, "/unit"}, 2, MODEL_ONNX_MARGIN);
    }
done:
    ensemble_free(&e);
    return st;
}
