/* Log-loss of K classes: p = softmax(margins), and for the tree of class k g = w (p_k - [label is k]),
 * h = w K / (K - 1) p_k (1 - p_k): so two classes step as the log-loss of one label does (Friedman 2001, algorithm 6).
 *
 * The trees of a step share the probabilities from before it. A class's own margins do not move until its tree stands,
 * so what is kept is a number a row: the logarithm of the sum of e^margin. Start values: logarithms of the classes'
 * weighted shares of train. */
#include <string.h>

#include "comm/exact.h"
#include "device/tree_math.h"
#include "trees/objective.h"

/* Rows that are worked on together: loops over rows have no branch. */
enum { BLOCK = 256 };
/* Of a start value: a float holds multiples of 2^-20 up to it. */
#define START_MOST 15.0

/* e^-(top - margin), which rounding may have left a trifle above its top. */
static inline double share_of(double top, double margin)
{
    double below = top - margin;
    return tree_exp_minus(below > 0 ? below : 0);
}

static dp_status check_classes(const TreesTraining *t)
{
    for (int64_t i = 0; i < t->rows.n; i++)
        if (trees_in_train(t, i) && t->rows.class_id[i] >= t->rows.classes)
            return dp_fail(DP_ERR_DATA, "trees-02", "row %lld of this rank has class %d of %d", (long long)i,
                           t->rows.class_id[i], t->rows.classes);
    return DP_OK;
}

/* Collective. weight [classes]: sums over train; the heaviest row. */
static dp_status weigh_classes(TreesTraining *t, double *weight, double *heaviest, const Comm *comm)
{
    ExactSum *sum = NULL;
    DP_TRY_ALL(comm, dp_new(&sum, (size_t)t->rows.classes));
    for (int64_t i = 0; i < t->rows.n; i++) {
        if (!trees_in_train(t, i))
            continue;
        t->train_rows++;
        exact_add(&sum[t->rows.class_id[i]], trees_weight(t, i));
        *heaviest = trees_weight(t, i) > *heaviest ? trees_weight(t, i) : *heaviest;
    }
    comm_sum_exact(comm, sum, (size_t)t->rows.classes);
    comm_max_f64(comm, heaviest, 1);
    comm_sum_i64(comm, &t->train_rows, 1);
    for (int k = 0; k < t->rows.classes; k++)
        weight[k] = exact_value(&sum[k]);
    dp_free(&sum);
    return DP_OK;
}

static dp_status begin(TreesTraining *t, const Comm *comm)
{
    double weight[TREES_MAX_OUTPUTS], all = 0, heaviest = 0;
    const int classes = t->rows.classes;
    if (classes < 2 || classes > TREES_MAX_OUTPUTS || t->options.rise || t->options.positive_weight != 1)
        return dp_fail(DP_ERR_USAGE, "trees-14",
                       "%d classes%s%s: 2 .. %d are learned, with neither model.monotone nor model.positive_weight",
                       classes, t->options.rise ? ", model.monotone" : "",
                       t->options.positive_weight != 1 ? ", model.positive_weight" : "", (int)TREES_MAX_OUTPUTS);
    DP_TRY_ALL(comm, check_classes(t));
    DP_TRY(weigh_classes(t, weight, &heaviest, comm));
    for (int k = 0; k < classes; k++) {
        all += weight[k];
        if (!(weight[k] > 0))
            return dp_fail(DP_ERR_DATA, "trees-05",
                           "class %d of %d has no row, or no weight, in the %lld rows of train", k, classes,
                           (long long)t->train_rows);
    }
    t->model.outputs = classes;
    for (int k = 0; k < classes; k++) {
        double start = tree_log(weight[k] / all);
        t->model.bias[k] = tree_fixed(start > -START_MOST ? start : -START_MOST, 0x1p20);
    }
    return DP_OK;
}

/* Rows from .. from + n - 1, n at most BLOCK. */
static void sum_block(const TreesTraining *t, int64_t from, int n)
{
    double top[BLOCK], sum[BLOCK] = {0};
    for (int k = 0; k < t->model.outputs; k++) {
        const int64_t *margin = t->margins + k * t->rows.n + from;
        for (int i = 0; i < n; i++) {
            double m = tree_margin(margin[i]);
            top[i] = k == 0 || m > top[i] ? m : top[i];
        }
    }
    for (int k = 0; k < t->model.outputs; k++) {
        const int64_t *margin = t->margins + k * t->rows.n + from;
        for (int i = 0; i < n; i++)
            sum[i] += share_of(top[i], tree_margin(margin[i]));
    }
    for (int i = 0; i < n; i++)
        t->log_sum[from + i] = top[i] + tree_log(sum[i]);
}

static dp_status prepare(TreesTraining *t, const Comm *comm)
{
    TreesStretch stretch = {0};
    (void)comm;
    while (trees_next_stretch(t, &stretch)) {
#pragma omp parallel for num_threads(t->context->threads) schedule(static)
        for (int64_t i = stretch.from; i < stretch.to; i += BLOCK)
            sum_block(t, i, stretch.to - i < BLOCK ? (int)(stretch.to - i) : BLOCK);
    }
    return DP_OK;
}

static void gradients(TreesTraining *t, int output, int64_t from, int64_t to)
{
    const double spread = (double)t->model.outputs / (t->model.outputs - 1);
    for (int64_t i = from; i < to; i++) {
        double w = trees_in_train(t, i) ? trees_weight(t, i) : 0;
        double p = share_of(t->log_sum[i], tree_margin(t->margin[i]));
        t->g[i] = w > 0 ? w * (p - (t->rows.class_id[i] == output)) : 0;
        t->h[i] = w * (spread * (p * (1 - p)));
    }
}

static void score(const double *margin, int outputs, double *score)
{
    double top = margin[0], sum = 0;
    for (int k = 1; k < outputs; k++)
        top = margin[k] > top ? margin[k] : top;
    for (int k = 0; k < outputs; k++) {
        score[k] = share_of(top, margin[k]);
        sum += score[k];
    }
    for (int k = 0; k < outputs; k++)
        score[k] /= sum;
}

const TreesObjective trees_objective_softmax = {.loss = TREES_SOFTMAX,
                                                .begin = begin,
                                                .prepare = prepare,
                                                .gradients = gradients,
                                                .h_over_size = 16,
                                                .score = score};
