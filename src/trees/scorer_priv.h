/* What evaluation and explanation share. */
#ifndef DIPPER_TREES_SCORER_PRIV_H
#define DIPPER_TREES_SCORER_PRIV_H

#include "trees/trees.h"

/* The plans of a model, one an output. They share the places of values; each has the conditions of its own trees.
 * Arrays are one allocation each. */
typedef struct PlanPlaces {
    int32_t *column, *border_at;
    float *border, *search;
    uint8_t *levels;
} PlanPlaces;
typedef struct PlanArrays {
    int32_t *condition_at, *condition_of, *node, *leaf;
    uint32_t *walk;
    uint8_t *least, *plane;
    TreePlanTree *tree;
} PlanArrays;
typedef struct TreesPlans {
    PlanPlaces places;
    PlanArrays *arrays; /* [n] */
    TreePlan *plan;     /* [n] */
    int n;              /* outputs */
} TreesPlans;

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
    TreesPlans plans;
    TreesShared *shared;
};

/* Local. plan.c. What failed must be freed too. */
dp_status trees_plans_build(TreesPlans *plans, const TreesModel *model);
void trees_plans_free(TreesPlans *plans);

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
