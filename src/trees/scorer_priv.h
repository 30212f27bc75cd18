/* What evaluation and explanation share. */
#ifndef DIPPER_TREES_SCORER_PRIV_H
#define DIPPER_TREES_SCORER_PRIV_H

#include "trees/trees.h"

struct TreesScorer {
    TreesModel model; /* an own copy */
};

/* The rule of one node, in one place: does a row with this value go right? */
static inline bool trees_goes_right(const TreesModel *m, int64_t node, float value)
{
    int32_t f = m->node_feature[node];
    if (f < 0)
        return false;
    if (value != value)
        return m->node_missing_right[node];
    int32_t border = m->node_border[node];
    return border < m->border_at[f] || value > m->border[border];
}

/* The leaf that a row of floats reaches in tree t: 0 .. 2^depth - 1. */
int64_t trees_leaf_of(const TreesModel *m, int32_t t, const float *row);

#endif
