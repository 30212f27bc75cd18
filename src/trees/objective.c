/* The objectives, and what they have in common: bounds of gradients over all ranks, the units that follow from them. */
#include "trees/objective.h"

#include <math.h>

#include "device/tree_math.h"

/* Fewer rows are one thread's work. */
enum { PIECE = 1 << 14 };

static const TreesObjective *const objectives[] = {&trees_objective_logloss, &trees_objective_squared};

const TreesObjective *trees_objective(TreesLoss loss)
{
    for (size_t i = 0; i < sizeof objectives / sizeof *objectives; i++)
        if (objectives[i]->loss == loss)
            return objectives[i];
    return NULL;
}

TreeLoss trees_loss(const TreesTraining *t)
{
    return (TreeLoss){.n = t->rows.n,
                      .part = t->rows.part,
                      .margin = t->margin,
                      .label = t->rows.label,
                      .weight = {t->weight[0], t->weight[1]},
                      .row_weight = t->row_weight,
                      .g = t->g,
                      .h = t->h};
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

static void bound_gradients(TreesTraining *t, const Comm *comm)
{
    double g_most = 0, h_most = 0;
#pragma omp parallel for num_threads(t->context->threads) if (t->rows.n > PIECE) reduction(max : g_most, h_most)
    for (int64_t i = 0; i < t->rows.n; i++) {
        double g = t->g[i] < 0 ? -t->g[i] : t->g[i];
        g_most = g > g_most ? g : g_most;
        h_most = t->h[i] > h_most ? t->h[i] : h_most;
    }
    double most[2] = {g_most, h_most};
    comm_max_f64(comm, most, 2);
    t->g_most = most[0] > 0 ? most[0] * (1 + 0x1p-40) : 1; /* so that no quotient rounds above the last level */
    t->h_most = most[1] > 0 ? most[1] * (1 + 0x1p-40) : 1;
}

void trees_take_gradients(TreesTraining *t, int output, const Comm *comm)
{
    if (t->objective->gradients) {
        const int64_t n = t->rows.n;
        const int threads = t->context->threads;
#pragma omp parallel for num_threads(threads) if (n > PIECE) schedule(static)
        for (int k = 0; k < threads; k++)
            t->objective->gradients(t, output, n * k / threads, n * (k + 1) / threads);
        bound_gradients(t, comm);
    }
    trees_set_units(t, t->g_most, t->h_most);
    t->g_sum_scale = sum_scale(t->g_most, t->train_rows);
    t->h_sum_scale = sum_scale(t->h_most, t->train_rows);
}
