/* What evaluation and explanation share. */
#ifndef DIPPER_TREES_SCORER_PRIV_H
#define DIPPER_TREES_SCORER_PRIV_H

#include "trees/trees.h"

/* The plan's arrays, one allocation each. */
typedef struct PlanArrays {
    int32_t *column, *border_at, *condition_at, *condition_of, *node, *leaf;
    float *border, *search;
    uint32_t *walk;
    uint8_t *levels, *least, *plane;
    TreePlanTree *tree;
} PlanArrays;

/* Contributions, prepared (explain.c). */
typedef struct TreesExplained TreesExplained;
void trees_explained_free(TreesExplained **explained);

/* What threads that use a scorer make for each other; changed by atomic operations only. */
typedef struct TreesShared {
    TreesExplained *explained; /* NULL: not made yet */
    bool too_large;            /* it never will be */
} TreesShared;

struct TreesScorer {
    TreesModel model; /* its arrays are borrowed */
    const Device *device;
    PlanArrays arrays;
    TreePlan plan;
    TreesShared *shared;
};

/* Local. Fills arrays and plan (plan.c). */
dp_status trees_plan_build(PlanArrays *arrays, TreePlan *plan, const TreesModel *model);
void trees_plan_free(PlanArrays *arrays);

/* The rule of one node, in one place: does a row with this value of the node's feature go right? */
static inline bool trees_value_goes_right(const TreesModel *m, int64_t node, float value)
{
    int32_t border = m->node_border[node];
    if (value != value)
        return m->node_missing_right[node];
    return border < m->border_at[m->node_feature[node]] || value > m->border[border];
}
static inline bool trees_goes_right(const TreesModel *m, int64_t node, const float *row)
{
    int32_t f = m->node_feature[node];
    return f >= 0 && trees_value_goes_right(m, node, row[f]);
}

/* The leaf that a row of floats reaches in tree t: 0 .. 2^depth - 1. */
int64_t trees_leaf_of(const TreesModel *m, int32_t t, const float *row);

#endif
