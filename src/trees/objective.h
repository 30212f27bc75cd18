/* trees/objective.h -- what trees learn to lower. Inside the room only.
 *
 * An objective is one file, objective_<name>.c, with its gradient, hessian and start value, and a row of the table in
 * objective.c. All it computes are fixed IEEE sequences and integer or exact sums (README.md, "Objectives"), so that a
 * row's gradient is a function of its own margins and labels (of its group, where it has one), never of its rank. */
#ifndef DIPPER_TREES_OBJECTIVE_H
#define DIPPER_TREES_OBJECTIVE_H

#include "trees/trees_priv.h"

typedef struct TreesObjective {
    TreesLoss loss;
    /* Collective. Looks at labels and weights; sets the start values and the scale of the model, and what else it wants
     * to keep in the training. Fails DATA, the same on all ranks. */
    dp_status (*begin)(TreesTraining *training, const Comm *comm);
    /* Collective. Once before the trees of a step, when margins stand; NULL: nothing to do. */
    dp_status (*prepare)(TreesTraining *training, const Comm *comm);
    /* Local. training->g, h of rows from .. to - 1 for the tree of an output, by several threads at once; 0 for rows
     * that are not in train. NULL: the log-loss, which the operators compute by themselves. */
    void (*gradients)(TreesTraining *training, int output, int64_t from, int64_t to);
    /* Local. Frees what begin kept, also after it failed; NULL: nothing. */
    void (*end)(TreesTraining *training);
    /* How much larger a row's hessian can be than its size class says, both as shares of the largest: what bounds a
     * drawn row's heavier hessian. */
    double h_over_size;
    /* The score of a row from its margins, in numbers; score [outputs]. */
    void (*score)(const double *margin, int outputs, double *score);
} TreesObjective;

/* Local. NULL: no such objective. */
const TreesObjective *trees_objective(TreesLoss loss);
extern const TreesObjective trees_objective_logloss, trees_objective_squared, trees_objective_softmax,
    trees_objective_ranking;

/* Local. Is row i in train? */
static inline bool trees_in_train(const TreesTraining *t, int64_t i)
{
    return t->rows.part[i] == 0;
}
/* Local. Its weight; 1 without weights. */
static inline double trees_weight(const TreesTraining *t, int64_t i)
{
    return t->row_weight ? t->row_weight[i] : 1;
}

/* Collective. Before a tree: gradients of the output, what bounds them, units. */
void trees_take_gradients(TreesTraining *training, int output, const Comm *comm);
/* Local. What the operators want to know of the gradients of rows from .. to - 1. */
TreeLoss trees_loss(const TreesTraining *training, int64_t from, int64_t to);

#endif
