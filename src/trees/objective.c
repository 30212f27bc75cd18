/* The objectives, and what they have in common: bounds of gradients over all ranks, the units that follow from them. */
#include "trees/objective.h"

#include <math.h>

#include "device/tree_math.h"

/* Fewer rows are one thread's work. */
enum { PIECE = 1 << 14 };

static const TreesObjective *const objectives[] = {&trees_objective_logloss, &trees_objective_squared,
                                                   &trees_objective_softmax, &trees_objective_ranking};

const TreesObjective *trees_objective(TreesLoss loss)
{
    for (size_t i = 0; i < sizeof objectives / sizeof *objectives; i++)
        if (objectives[i]->loss == loss)
            return objectives[i];
    return NULL;
}

TreeLoss trees_loss(const TreesTraining *t, int64_t from, int64_t to)
{
    return (TreeLoss){.n = to - from,
                      .part = t->rows.part + from,
                      .margin = t->margin + from,
                      .label = t->rows.label ? t->rows.label + from : NULL,
                      .weight = {t->weight[0], t->weight[1]},
                      .row_weight = t->row_weight ? t->row_weight + from : NULL,
                      .g = t->g ? t->g + from : NULL,
                      .h = t->h ? t->h + from : NULL,
                      .chance = t->chance ? t->chance + from : NULL,
                      .chances_stand = t->chances_stand};
}

/* ---- units ---- */

/* The least k with x <= 2^k, from 0 on. */
static int bits_of(double x)
{
    int bits = 0;
    while (bits < 1000 && ldexp(1, bits) < x)
        bits++;
    return bits;
}

/* Counts of 2^-s a number such that no row's passes 2^50 and no sum over the rows of train 2^61. */
static double sum_scale(double most, int64_t rows)
{
    int shift = 61 - bits_of((double)rows * most), largest = 50 - bits_of(most);
    shift = shift > largest ? largest : shift;
    return ldexp(1, shift > 40 ? 40 : shift);
}

/* Local. The gradients of a stretch of rows, and the largest so far. */
static void find_gradients(TreesTraining *t, int output, const TreesStretch *stretch, double *most)
{
    const int64_t from = stretch->from, n = stretch->to - from;
    const int threads = t->context->threads;
    double g_most = most[0], h_most = most[1];
#pragma omp parallel for num_threads(threads) if (n > PIECE) schedule(static)
    for (int k = 0; k < threads; k++)
        t->objective->gradients(t, output, from + n * k / threads, from + n * (k + 1) / threads);
#pragma omp parallel for num_threads(threads) if (n > PIECE) reduction(max : g_most, h_most)
    for (int64_t i = from; i < stretch->to; i++) {
        double g = t->g[i] < 0 ? -t->g[i] : t->g[i];
        g_most = g > g_most ? g : g_most;
        h_most = t->h[i] > h_most ? t->h[i] : h_most;
    }
    most[0] = g_most;
    most[1] = h_most;
}

/* Collective. */
static void take_given_gradients(TreesTraining *t, int output, const Comm *comm)
{
    double most[2] = {0, 0};
    TreesStretch stretch = {0};
    while (trees_next_stretch(t, &stretch))
        find_gradients(t, output, &stretch, most);
    t->ops->put(t->context, t->g, (size_t)t->rows.n * sizeof *t->g);
    t->ops->put(t->context, t->h, (size_t)t->rows.n * sizeof *t->h);
    comm_max_f64(comm, most, 2);
    t->g_most = most[0] > 0 ? most[0] * (1 + 0x1p-40) : 1; /* so that no quotient rounds above the last level */
    t->h_most = most[1] > 0 ? most[1] * (1 + 0x1p-40) : 1;
}

void trees_take_gradients(TreesTraining *t, int output, const Comm *comm)
{
    t->chances_stand = false;
    if (t->objective->gradients)
        take_given_gradients(t, output, comm);
    trees_set_units(t, t->g_most, t->h_most);
    t->g_sum_scale = sum_scale(t->g_most, t->train_rows);
    t->h_sum_scale = sum_scale(t->h_most, t->train_rows);
}
