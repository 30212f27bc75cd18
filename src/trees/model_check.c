/* The learned arrays as data: copied, laid out, and checked before anything indexes with what came from a file. */
#include "trees/objective.h"

#include <math.h>
#include <string.h>

enum { MODEL_TREES_MAX = 1 << 24, MODEL_FEATURES_MAX = 1 << 20 };

void trees_model_free(TreesModel *model)
{
    if (!model)
        return;
    dp_free(&model->border_at);
    dp_free(&model->border);
    dp_free(&model->tree_depth);
    dp_free(&model->node_at);
    dp_free(&model->node_feature);
    dp_free(&model->node_border);
    dp_free(&model->node_missing_right);
    dp_free(&model->node_gain);
    dp_free(&model->leaf_at);
    dp_free(&model->leaf);
    dp_free(&model->cover);
    *model = (TreesModel){0};
}

static dp_status copy_bytes(void *to, const void *from, int64_t n, size_t size)
{
    DP_TRY(dp_new_bytes(to, (size_t)n, size));
    if (n > 0)
        memcpy(*(void **)to, from, (size_t)n * size);
    return DP_OK;
}
#define COPY(field, n) DP_GO(copy_bytes(&to->field, from->field, (n), sizeof *to->field))

dp_status trees_model_copy(TreesModel *to, const TreesModel *from)
{
    dp_status st = DP_OK;
    int64_t nodes = from->n_trees ? from->node_at[from->n_trees] : 0;
    int64_t leaves = from->n_trees ? from->leaf_at[from->n_trees] : 0;
    *to = (TreesModel){.n_features = from->n_features,
                       .n_trees = from->n_trees,
                       .depth = from->depth,
                       .growth = from->growth,
                       .outputs = from->outputs,
                       .loss = from->loss,
                       .scale = from->scale};
    memcpy(to->bias, from->bias, sizeof to->bias);
    COPY(border_at, from->n_features + INT64_C(1));
    COPY(border, from->border_at[from->n_features]);
    COPY(tree_depth, from->n_trees);
    DP_GO(trees_model_lay_out(to));
    COPY(node_feature, nodes);
    COPY(node_border, nodes);
    COPY(node_missing_right, nodes);
    if (from->node_gain)
        COPY(node_gain, nodes);
    COPY(leaf, leaves);
    COPY(cover, leaves);
done:
    if (st != DP_OK)
        trees_model_free(to);
    return st;
}

dp_status trees_model_lay_out(TreesModel *model)
{
    DP_TRY(dp_new(&model->node_at, (size_t)model->n_trees + 1));
    DP_TRY(dp_new(&model->leaf_at, (size_t)model->n_trees + 1));
    for (int32_t t = 0; t < model->n_trees; t++) {
        int depth = model->tree_depth[t];
        if (depth < 0 || depth > TREES_MAX_DEPTH)
            return dp_fail(DP_ERR_DATA, "trees-60", "tree %d says depth %d, which is not within 0 .. %d", t, depth,
                           (int)TREES_MAX_DEPTH);
        int64_t leaves = INT64_C(1) << depth;
        model->node_at[t + 1] = model->node_at[t] + (model->growth == TREES_SYMMETRIC ? depth : leaves - 1);
        model->leaf_at[t + 1] = model->leaf_at[t] + leaves;
    }
    return DP_OK;
}

static dp_status check_sizes(const TreesModel *m)
{
    if (m->n_features < 0 || m->n_features > MODEL_FEATURES_MAX || m->n_trees < 0 || m->n_trees > MODEL_TREES_MAX)
        return dp_fail(DP_ERR_DATA, "trees-60", "%d features and %d trees: not within 0 .. %d and 0 .. %d",
                       m->n_features, m->n_trees, (int)MODEL_FEATURES_MAX, (int)MODEL_TREES_MAX);
    if (m->growth != TREES_SYMMETRIC && m->growth != TREES_DEPTHWISE)
        return dp_fail(DP_ERR_DATA, "trees-60", "growth %d is neither symmetric nor depth-wise", (int)m->growth);
    if (m->outputs < 1 || m->outputs > TREES_MAX_OUTPUTS || m->n_trees % m->outputs != 0 || !trees_objective(m->loss) ||
        (m->outputs > 1) != (m->loss == TREES_SOFTMAX) || m->scale > TREES_MAX_SCALE || m->scale < -TREES_MAX_SCALE)
        return dp_fail(DP_ERR_DATA, "trees-60", "%d trees for %d outputs, loss %d, scale %d do not fit together",
                       m->n_trees, m->outputs, (int)m->loss, m->scale);
    for (int k = 0; k < m->outputs; k++)
        if (m->bias[k] > INT64_C(1) << 61 || m->bias[k] < -(INT64_C(1) << 61))
            return dp_fail(DP_ERR_DATA, "trees-60", "the start value %lld is absurd", (long long)m->bias[k]);
    return DP_OK;
}

static dp_status check_borders(const TreesModel *m)
{
    if (m->border_at[0] != 0)
        return dp_fail(DP_ERR_DATA, "trees-61", "the borders begin at %d, not at 0", m->border_at[0]);
    for (int32_t f = 0; f < m->n_features; f++) {
        int64_t n = (int64_t)m->border_at[f + 1] - m->border_at[f];
        if (n < 0 || n > TREES_MAX_BINS - 2)
            return dp_fail(DP_ERR_DATA, "trees-61", "feature %d has %lld borders, which is not within 0 .. %d", f,
                           (long long)n, TREES_MAX_BINS - 2);
        const float *border = m->border + m->border_at[f];
        for (int64_t i = 0; i < n; i++)
            if (!isfinite(border[i]) || (border[i] == 0 && signbit(border[i])) || (i > 0 && border[i] <= border[i - 1]))
                return dp_fail(DP_ERR_DATA, "trees-61",
                               "border %lld of feature %d is %g, which is not finite or does not ascend", (long long)i,
                               f, (double)border[i]);
    }
    return DP_OK;
}

static dp_status check_node(const TreesModel *m, int64_t node)
{
    int32_t f = m->node_feature[node], border = m->node_border[node];
    bool good = f == -1 ? border == -1 && m->node_missing_right[node] == 0
                        : f >= 0 && f < m->n_features && border >= m->border_at[f] - 1 &&
                              border < m->border_at[f + 1] && m->node_missing_right[node] <= 1;
    if (!good)
        return dp_fail(DP_ERR_DATA, "trees-62", "node %lld splits feature %d at border %d, which the model lacks",
                       (long long)node, f, border);
    return DP_OK;
}

static dp_status check_trees(const TreesModel *m)
{
    int deepest = 0;
    int64_t nodes = 0, leaves = 0;
    for (int32_t t = 0; t < m->n_trees; t++) {
        int depth = m->tree_depth[t];
        if (depth < 0 || depth > TREES_MAX_DEPTH || m->node_at[t] != nodes || m->leaf_at[t] != leaves)
            return dp_fail(DP_ERR_DATA, "trees-60", "tree %d of depth %d does not lie where the ones before it end", t,
                           depth);
        deepest = depth > deepest ? depth : deepest;
        nodes += m->growth == TREES_SYMMETRIC ? depth : (INT64_C(1) << depth) - 1;
        leaves += INT64_C(1) << depth;
    }
    if (m->n_trees > 0 && (m->node_at[m->n_trees] != nodes || m->leaf_at[m->n_trees] != leaves))
        return dp_fail(DP_ERR_DATA, "trees-60", "the trees have %lld nodes and %lld leaves, the arrays others",
                       (long long)nodes, (long long)leaves);
    if (m->depth != deepest)
        return dp_fail(DP_ERR_DATA, "trees-60", "the deepest tree has depth %d, the model says %d", deepest, m->depth);
    for (int64_t i = 0; i < nodes; i++)
        DP_TRY(check_node(m, i));
    for (int64_t i = 0; i < leaves; i++)
        if (m->cover[i] < 0 || m->cover[i] > INT64_C(1) << 46)
            return dp_fail(DP_ERR_DATA, "trees-63", "leaf %lld covers %lld rows", (long long)i, (long long)m->cover[i]);
    return DP_OK;
}

dp_status trees_model_check(const TreesModel *model)
{
    DP_TRY(check_sizes(model));
    DP_TRY(check_borders(model));
    DP_TRY(check_trees(model));
    return DP_OK;
}

bool trees_model_gains(const TreesModel *model, double *gain)
{
    for (int32_t f = 0; f < model->n_features; f++)
        gain[f] = 0;
    for (int64_t i = 0; model->node_gain && model->n_trees > 0 && i < model->node_at[model->n_trees]; i++)
        if (model->node_feature[i] >= 0)
            gain[model->node_feature[i]] += model->node_gain[i];
    return model->node_gain || model->n_trees == 0;
}
