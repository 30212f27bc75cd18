/* Log-loss of labels 0 and 1: g = w (p - label), h = w p (1 - p), p = sigmoid(margin). Its gradients are computed by
 * the operators themselves (device/backend.h), vectorised and without memory of their own.
 *
 * Start value: the logarithm of the weighted odds of train. */
#include "comm/exact.h"
#include "device/tree_math.h"
#include "trees/objective.h"

typedef struct Labels {
    int64_t count[2];
    double weight[2]; /* sums */
    double heaviest;
} Labels;

/* Local. Rows in train by label. */
static dp_status count_labels(const TreesTraining *t, int64_t *count)
{
    for (int64_t i = 0; i < t->rows.n; i++) {
        int label = t->rows.label[i];
        if (!trees_in_train(t, i))
            continue;
        if (label != 0 && label != 1)
            return dp_fail(DP_ERR_DATA, "trees-02", "row %lld of this rank has label %d; labels are 0 and 1",
                           (long long)i, label);
        count[label]++;
    }
    return DP_OK;
}

static void sum_weights(const TreesTraining *t, Labels *labels, const Comm *comm)
{
    ExactSum sum[2] = {{{0}, 0, 0}, {{0}, 0, 0}};
    labels->heaviest = 1;
    for (int k = 0; k < 2; k++)
        labels->weight[k] = (double)labels->count[k];
    if (!t->row_weight)
        return;
    labels->heaviest = 0;
    for (int64_t i = 0; i < t->rows.n; i++) {
        if (!trees_in_train(t, i))
            continue;
        exact_add(&sum[t->rows.label[i]], t->row_weight[i]);
        labels->heaviest = t->row_weight[i] > labels->heaviest ? t->row_weight[i] : labels->heaviest;
    }
    comm_sum_exact(comm, sum, 2);
    comm_max_f64(comm, &labels->heaviest, 1);
    for (int k = 0; k < 2; k++)
        labels->weight[k] = exact_value(&sum[k]);
}

static dp_status begin(TreesTraining *t, const Comm *comm)
{
    Labels labels = {0};
    double heavy = t->options.positive_weight > 1 ? t->options.positive_weight : 1;
    DP_TRY_ALL(comm, count_labels(t, labels.count));
    comm_sum_i64(comm, labels.count, 2);
    sum_weights(t, &labels, comm);
    if (!(labels.weight[0] > 0) || !(labels.weight[1] > 0))
        return dp_fail(DP_ERR_DATA, "trees-05",
                       "train has %lld rows with label 0 and %lld with label 1 (their weights sum to %g and %g); both "
                       "are needed to learn from",
                       (long long)labels.count[0], (long long)labels.count[1], labels.weight[0], labels.weight[1]);
    t->weight[0] = 1;
    t->weight[1] = t->options.positive_weight;
    t->train_rows = labels.count[0] + labels.count[1];
    t->g_most = heavy * labels.heaviest;
    t->h_most = 0.25 * t->g_most;
    t->model.bias[0] = tree_fixed(tree_log(t->weight[1] * labels.weight[1] / labels.weight[0]), 0x1p20);
    return DP_OK;
}

static void score(const double *margin, int outputs, double *score)
{
    (void)outputs;
    score[0] = tree_sigmoid(margin[0]);
}

/* h <= |g|, and the largest h is a quarter of the largest g. */
const TreesObjective trees_objective_logloss = {
    .loss = TREES_LOGLOSS, .begin = begin, .h_over_size = 4, .score = score};
