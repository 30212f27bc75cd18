/* Squared error of a number: g = w (value - target), h = w, where value = margin 2^scale.
 *
 * Leaves are counts of 2^-20 within +-2^10 (and +-2^4 for runtimes that sum in float), so targets are learned in units
 * of 2^scale: the power of two for which the farthest target lies 4 .. 8 from the start value. Multiplying by it is
 * exact. Start value: the weighted mean of train, rounded to 24 bits, so that it is a float. */
#include <math.h>

#include "comm/exact.h"
#include "device/tree_math.h"
#include "trees/objective.h"

/* What a float holds with room for sums. */
#define TARGET_MOST 1e30

static dp_status check_targets(const TreesTraining *t)
{
    for (int64_t i = 0; i < t->rows.n; i++)
        if (trees_in_train(t, i) && !(fabs(t->rows.target[i]) <= TARGET_MOST))
            return dp_fail(DP_ERR_DATA, "trees-02", "row %lld of this rank has label %g; labels lie within +-%g",
                           (long long)i, t->rows.target[i], TARGET_MOST);
    return DP_OK;
}

/* The weighted mean; false: no weight at all. */
static bool find_mean(const TreesTraining *t, double *mean, const Comm *comm)
{
    ExactSum sum[2] = {{{0}, 0, 0}, {{0}, 0, 0}};
    for (int64_t i = 0; i < t->rows.n; i++)
        if (trees_in_train(t, i)) {
            exact_add(&sum[0], trees_weight(t, i));
            exact_add(&sum[1], trees_weight(t, i) * t->rows.target[i]);
        }
    comm_sum_exact(comm, sum, 2);
    *mean = exact_value(&sum[1]) / exact_value(&sum[0]);
    return exact_value(&sum[0]) > 0;
}

/* To 24 significant bits: what a float holds exactly. */
static int64_t as_float(int64_t counts)
{
    return (int64_t)(float)counts;
}

static dp_status begin(TreesTraining *t, const Comm *comm)
{
    double mean, most = 0;
    int spread, size;
    DP_TRY_ALL(comm, check_targets(t));
    bool some = find_mean(t, &mean, comm);
    for (int64_t i = 0; i < t->rows.n && some; i++)
        if (trees_in_train(t, i) && trees_weight(t, i) > 0)
            most = fabs(t->rows.target[i] - mean) > most ? fabs(t->rows.target[i] - mean) : most;
    comm_max_f64(comm, &most, 1);
    for (int64_t i = 0; i < t->rows.n; i++)
        t->train_rows += trees_in_train(t, i);
    comm_sum_i64(comm, &t->train_rows, 1);
    if (!(most > 0))
        return dp_fail(DP_ERR_DATA, "trees-08",
                       "the %lld rows of train all have the same label, or no weight: there is nothing to learn",
                       (long long)t->train_rows);
    frexp(most, &spread);
    frexp(mean, &size);
    t->model.scale = spread - 3 > size - 30 ? spread - 3 : size - 30;
    t->model.scale = t->model.scale > -TREES_MAX_SCALE ? t->model.scale : -TREES_MAX_SCALE;
    t->model.bias[0] = as_float(tree_fixed(ldexp(mean, -t->model.scale), 0x1p20));
    return DP_OK;
}

static void gradients(TreesTraining *t, int output, int64_t from, int64_t to)
{
    const double unit = ldexp(1, -t->model.scale);
    (void)output;
    for (int64_t i = from; i < to; i++) {
        double w = trees_in_train(t, i) ? trees_weight(t, i) : 0;
        t->g[i] = w > 0 ? w * (tree_margin(t->margin[i]) - t->rows.target[i] * unit) : 0;
        t->h[i] = w;
    }
}

static void score(const double *margin, int outputs, double *score)
{
    (void)outputs;
    score[0] = margin[0];
}

const TreesObjective trees_objective_squared = {
    .loss = TREES_SQUARED, .begin = begin, .gradients = gradients, .h_over_size = 16, .score = score};
