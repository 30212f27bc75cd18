/* A model laid out for evaluation, and the plain walk that every faster path must equal bit for bit. */
#include "trees/scorer_priv.h"

#include <stdlib.h>

/* Fewer rows than this are walked one by one; a scratch of up to SMALL bytes lies on the stack. */
enum { FEW = 8, SMALL = 1 << 16 };

dp_status trees_scorer_build(TreesScorer **scorer, const TreesModel *model, Device *device)
{
    dp_status st = DP_OK;
    TreesScorer *s = NULL;
    *scorer = NULL;
    DP_TRY(dp_new(&s, 1));
    s->device = device;
    DP_GO(trees_model_copy(&s->model, model));
    DP_GO(trees_plan_build(&s->arrays, &s->plan, &s->model));
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
    trees_plan_free(&(*scorer)->arrays);
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

static void walk_rows(const TreesModel *m, const float *x, int64_t n, int64_t stride, int64_t *margin)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t sum = m->bias;
        for (int32_t t = 0; t < m->n_trees; t++)
            sum += m->leaf[m->leaf_at[t] + trees_leaf_of(m, t, x + i * stride)];
        margin[i] = sum;
    }
}

void trees_margins(const TreesScorer *scorer, const float *x, int64_t n, int64_t stride, int64_t *margin)
{
    _Alignas(64) char small[SMALL];
    TreeMargins job = {.plan = &scorer->plan, .x = x, .n = n, .stride = stride, .margin = margin, .scratch = small};
    void *large = NULL;
    bool plain = n < FEW || !scorer->device;
    if (!plain && scorer->plan.scratch > sizeof small) {
        plain = posix_memalign(&large, 64, scorer->plan.scratch) != 0;
        job.scratch = large;
    }
    if (plain)
        walk_rows(&scorer->model, x, n, stride, margin);
    else
        device_tree_ops(scorer->device)->margins(device_context(scorer->device), &job);
    free(large);
}
