/* A model laid out for evaluation, and the plain walk that every faster path must equal bit for bit. */
#include "trees/scorer_priv.h"

dp_status trees_scorer_build(TreesScorer **scorer, const TreesModel *model, Device *device)
{
    dp_status st = DP_OK;
    TreesScorer *s = NULL;
    (void)device;
    *scorer = NULL;
    DP_TRY(dp_new(&s, 1));
    DP_GO(trees_model_copy(&s->model, model));
    *scorer = s;
    s = NULL;
done:
    trees_scorer_free(&s);
    return st;
}

void trees_scorer_free(TreesScorer **scorer)
{
    if (!*scorer)
        return;
    trees_model_free(&(*scorer)->model);
    dp_free(scorer);
}

int64_t trees_leaf_of(const TreesModel *m, int32_t t, const float *row)
{
    int depth = m->tree_depth[t];
    int64_t leaf = 0, node = 0;
    for (int level = 0; level < depth; level++) {
        int64_t at = m->node_at[t] + (m->growth == TREES_SYMMETRIC ? level : node);
        bool right = trees_goes_right(m, at, row);
        node = 2 * node + 1 + right;
        leaf = 2 * leaf + right;
    }
    return leaf;
}

void trees_margins(const TreesScorer *scorer, const float *x, int64_t n, int64_t stride, int64_t *margin)
{
    const TreesModel *m = &scorer->model;
    for (int64_t i = 0; i < n; i++) {
        int64_t sum = m->bias;
        for (int32_t t = 0; t < m->n_trees; t++)
            sum += m->leaf[m->leaf_at[t] + trees_leaf_of(m, t, x + i * stride)];
        margin[i] = sum;
    }
}
