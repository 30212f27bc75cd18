/* Which rows a tree learns from, and how heavy they are: README.md, "Sampling". Everything is a function of (seed,
 * tree, row) and of integer counts over all ranks. */
#include <string.h>

#include "base/rng.h"
#include "device/tree_math.h"
#include "trees/objective.h"

void trees_set_units(TreesTraining *t, double g_most, double h_most)
{
    double levels = (double)t->options.levels, least;
    t->g_scale = levels / g_most;
    t->h_scale = levels / h_most;
    t->g_unit = g_most / levels;
    t->h_unit = h_most / levels;
    least = t->options.min_child / t->h_unit;
    t->h_least = least < 1 ? 1 : least > 0x1p60 ? (int64_t)1 << 60 : (int64_t)least + ((double)(int64_t)least < least);
}

/* Every row with the same chance; its gradient counts once. */
static void draw_alike(TreeDraw *draw, double chance)
{
    for (int k = 0; k < TREE_SIZES; k++) {
        draw->below[k] = (uint64_t)(chance * 0x1p53);
        draw->times[k] = 1;
    }
}

/* The limit mu such that, kept with chance min(1, value / mu), about `wanted` of the counted rows are. From the largest
 * size down, a class is kept for sure as long as the others alone could not have chances above their mu. */
static int64_t find_limit(const int64_t *count, int64_t wanted)
{
    int64_t sum = 0, limit = 0;
    for (int k = 0; k < TREE_SIZES; k++)
        sum += count[k] * tree_size_value(k);
    for (int k = TREE_SIZES - 1; k >= 0 && wanted > 0; k--) {
        limit = sum / wanted + (sum % wanted != 0);
        if (limit > tree_size_value(k))
            break;
        wanted -= count[k];
        sum -= count[k] * tree_size_value(k);
    }
    return limit > 0 ? limit : 1;
}

/* chance = value / limit, correctly rounded, then cut to a multiple of 2^-53; times is its inverse, correctly rounded.
 */
int64_t trees_draw_by_size(TreeDraw *draw, const int64_t *count, int64_t wanted)
{
    int64_t limit = find_limit(count, wanted);
    for (int k = 0; k < TREE_SIZES; k++) {
        int64_t value = tree_size_value(k);
        double chance = value >= limit ? 1.0 : (double)value / (double)limit;
        draw->below[k] = (uint64_t)(chance * 0x1p53);
        draw->times[k] = 0x1p53 / (double)draw->below[k];
    }
    return limit;
}

void trees_draw_rows(TreesTraining *t, int tree, const Comm *comm)
{
    double most;
    int64_t limit, wanted = (int64_t)((double)t->train_rows * t->options.sample_rows + 0.5);
    TreesStretch stretch = {0};
    if (!t->draw)
        return;
    t->draw->key = dp_random_u64(t->seed, TREES_RANDOM_ROWS, (uint64_t)tree);
    t->draw->scale = 1 / t->g_most;
    t->draw->h_scale = t->objective->gradients ? 1 / (t->h_most * t->objective->h_over_size) : 0;
    if (t->options.sample_by == TREES_SAMPLE_UNIFORM) {
        draw_alike(t->draw, t->options.sample_rows);
        return;
    }
    memset(t->sizes, 0, TREE_SIZES * sizeof *t->sizes);
    while (trees_next_stretch(t, &stretch)) {
        TreeSizes job = {.loss = trees_loss(t, stretch.from, stretch.to),
                         .scale = t->draw->scale,
                         .h_scale = t->draw->h_scale,
                         .count = t->sizes};
        t->ops->sizes(t->context, &job);
    }
    t->chances_stand = t->chance != NULL;
    comm_sum_i64(comm, t->sizes, TREE_SIZES);
    limit = trees_draw_by_size(t->draw, t->sizes, wanted > 1 ? wanted : 1);
    /* A drawn row counts at most (its class's upper end) / chance, its h at most h_over_size times that. */
    most = (double)limit * 0x1p-22 * (65.0 / 64.0) * (1 + 0x1p-20);
    double h_over = t->objective->h_over_size * most;
    trees_set_units(t, t->g_most * (most > 1 ? most : 1), t->h_most * (h_over > 1 ? h_over : 1));
}
