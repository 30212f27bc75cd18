/* Margins that rise or fall with a feature: README.md, "Monotone". Every split by such a feature puts a middle between
 * its sides, which the leaves below stay on their side of. */
#include <math.h>
#include <string.h>

#include "trees/trees_priv.h"

#include "device/tree_math.h"

/* The heap's node where the path of (level, place) stands at level l. */
static int64_t on_path(int level, int32_t place, int l)
{
    return ((int64_t)1 << l) - 1 + (place >> (level - l));
}

void trees_bounds(const TreesTraining *t, int level, int32_t place, double bounds[2])
{
    bounds[0] = -INFINITY;
    bounds[1] = INFINITY;
    for (int l = 0; l < level; l++) {
        int64_t heap = on_path(level, place, l), at = t->options.growth == TREES_SYMMETRIC ? l : heap;
        int32_t f = t->draft.feature[at];
        int rise = f >= 0 && t->draft.bin[at] > 0 ? t->options.rise[f] : 0, right = place >> (level - l - 1) & 1;
        if (rise == 0)
            continue;
        double middle = t->middle[heap];
        if (isnan(middle))
            continue;
        if ((rise > 0) == right)
            bounds[0] = middle > bounds[0] ? middle : bounds[0];
        else
            bounds[1] = middle < bounds[1] ? middle : bounds[1];
    }
}

void trees_forget_middles(TreesTraining *t)
{
    for (int64_t i = 0; t->middle && i < (int64_t)1 << t->options.depth; i++)
        t->middle[i] = NAN;
}

/* Sums of the rounded gradients of a list's rows that the tree learns from. */
static void sum_list(const TreesTraining *t, const TreeSegment *list, int64_t *sums)
{
    for (int s = 0; s < t->shards; s++) {
        int64_t g = 0, h = 0;
        const uint32_t *index = t->index + list[s].begin;
#pragma omp parallel for num_threads(t->context->threads) if (list[s].count > 1 << 14) reduction(+ : g, h)
        for (int64_t i = 0; i < list[s].count; i++) {
            g += (int32_t)t->pair[index[i]] >> 16;
            h += t->pair[index[i]] & 0xFFFF;
        }
        sums[0] += g;
        sums[1] += h;
    }
}

void trees_note_middles(TreesTraining *t, const TreeSegment *lists, const TreesHalves *halves, int n, const Comm *comm)
{
    memset(t->sides, 0, 4 * (size_t)n * sizeof *t->sides);
    t->ops->fetch(t->context, t->pair, (size_t)t->rows.n * sizeof *t->pair);
    t->ops->fetch(t->context, t->index, (size_t)t->rows.n * sizeof *t->index);
    for (int k = 0; k < n; k++)
        for (int right = 0; right < 2; right++)
            sum_list(t, lists + (int64_t)halves[k].slot[right] * t->shards, t->sides + 4 * k + 2 * right);
    comm_sum_i64(comm, t->sides, 4 * (size_t)n);
    for (int k = 0; k < n; k++) {
        double bounds[2], value[2];
        trees_bounds(t, halves[k].level, halves[k].place, bounds);
        for (int right = 0; right < 2; right++)
            value[right] = tree_value(t->sides[4 * k + 2 * right], t->sides[4 * k + 2 * right + 1], t->g_unit,
                                      t->h_unit, t->options.l1, t->options.l2, bounds[0], bounds[1]);
        t->middle[((int64_t)1 << halves[k].level) - 1 + halves[k].place] = (value[0] + value[1]) / 2;
    }
}

/* Counts of 2^-20 of a bound times the rate: what a leaf is kept within. */
static int32_t bound_count(double bound, double rate)
{
    double v = bound * rate * 0x1p20;
    v = v > 0x1p30 ? 0x1p30 : v < -0x1p30 ? -0x1p30 : v;
    return (int32_t)tree_fixed(v, 1.0);
}

static void keep_within(const TreesTraining *t, int32_t place)
{
    double bounds[2];
    trees_bounds(t, t->draft.depth, place, bounds);
    int32_t low = bound_count(bounds[0], t->options.learning_rate);
    int32_t high = bound_count(bounds[1], t->options.learning_rate);
    int32_t leaf = t->leaf_value[place];
    t->leaf_value[place] = leaf < low ? low : leaf > high ? high : leaf;
}

/* The last splits have no middle: where their two leaves stand the wrong way, both get the mean. */
static void set_right(TreesTraining *t, int32_t place)
{
    int32_t *leaf = t->leaf_value + place;
    int64_t heap = on_path(t->draft.depth, place, t->draft.depth - 1);
    int64_t at = t->options.growth == TREES_SYMMETRIC ? t->draft.depth - 1 : heap;
    int32_t f = t->draft.feature[at];
    int rise = f >= 0 && t->draft.bin[at] > 0 ? t->options.rise[f] : 0;
    if (((int64_t)leaf[1] - leaf[0]) * rise < 0)
        leaf[0] = leaf[1] = (int32_t)(((int64_t)leaf[0] + leaf[1]) / 2);
}

void trees_order_leaves(TreesTraining *t)
{
    for (int32_t i = 0; i < 1 << t->draft.depth; i++)
        keep_within(t, i);
    for (int32_t i = 0; i < 1 << t->draft.depth && t->draft.depth > 0; i += 2)
        set_right(t, i);
}
