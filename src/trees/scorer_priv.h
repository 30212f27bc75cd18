/* What evaluation and explanation share. */
#ifndef DIPPER_TREES_SCORER_PRIV_H
#define DIPPER_TREES_SCORER_PRIV_H

#include "trees/trees.h"

struct TreesScorer {
    TreesModel model; /* an own copy */
};

/* The rule of one node, in one place: does this row go right? */
static inline bool trees_goes_right(const TreesModel *m, int64_t node, const float *row)
{
    int32_t f = m->node_feature[node], border = m->node_border[node];
    if (f < 0)
        return false;
    if (row[f] != row[f])
        return m->node_missing_right[node];
    return border < m->border_at[f] || row[f] > m->border[border];
}

/* The leaf that a row of floats reaches in tree t: 0 .. 2^depth - 1. */
int64_t trees_leaf_of(const TreesModel *m, int32_t t, const float *row);

#endif
