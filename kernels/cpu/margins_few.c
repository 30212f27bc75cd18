/* kernels/cpu/margins_few.c -- margins of a row or a few: no blocks, no allocation, no branch that depends on a value.
 *
 * A row's places are found once; then trees are walked, each turn one compare of bytes. The walks of neighbouring trees
 * do not depend on each other, so that the processor overlaps them: measured against whole blocks of one row and
 * against a walk over floats in tests/bench/trees/README.md. */
#include "kernels/cpu/margins.h"

/* 1 + the borders below v, 0 where v is missing. */
static inline uint8_t place_of(const float *border, int n, float v)
{
    int at = 0;
    if (n == 0)
        return v == v;
    for (; n > 1; n -= n / 2)
        at += n / 2 & -(border[at + n / 2 - 1] < v);
    return (uint8_t)(at + (border[at] < v) + (v == v));
}

/* place [2 f + flip] of row i; one more that no number of borders passes: the place of conditions that never hold. */
static void find_places(const TreeMargins *job, int64_t i, uint8_t *place)
{
    const TreePlan *plan = job->plan;
    const float *x = job->x ? job->x + i * job->stride : NULL;
    for (int f = 0; f < plan->features; f++) {
        int at = plan->border_at[f], n = plan->border_at[f + 1] - at;
        uint8_t found;
        if (job->place)
            found = job->place[f][job->first + i];
        else
            found =
                place_of(plan->border + at, n, x ? x[plan->column[f]] : job->value[plan->column[f]][job->first + i]);
        place[2 * f] = found;
        place[2 * f + 1] = (uint8_t)(found - 1);
    }
    place[2 * plan->features] = 0;
}

static inline int64_t turn(uint32_t walk, const uint8_t *place)
{
    return place[walk >> 8] >= (uint8_t)walk;
}

static inline __attribute__((always_inline)) int64_t symmetric_leaf(const uint32_t *walk, int depth,
                                                                    const uint8_t *place)
{
    int64_t leaf = 0;
    for (int level = 0; level < depth; level++)
        leaf = 2 * leaf + turn(walk[level], place);
    return leaf;
}

static inline __attribute__((always_inline)) int64_t depthwise_leaf(const uint32_t *walk, int depth,
                                                                    const uint8_t *place)
{
    int64_t node = 0;
    for (int level = 0; level < depth; level++)
        node = 2 * node + 1 + turn(walk[node], place);
    return node - ((INT64_C(1) << depth) - 1);
}

/* The depth most models have is a constant for the compiler. */
static int64_t margin_of(const TreePlan *plan, const uint8_t *place)
{
    int64_t margin = plan->bias;
    for (int t = 0; t < plan->trees; t++) {
        const TreePlanTree *tree = &plan->tree[t];
        const uint32_t *walk = plan->walk + tree->node;
        int64_t leaf;
        if (plan->symmetric)
            leaf = tree->depth == 6 ? symmetric_leaf(walk, 6, place) : symmetric_leaf(walk, tree->depth, place);
        else
            leaf = tree->depth == 6 ? depthwise_leaf(walk, 6, place) : depthwise_leaf(walk, tree->depth, place);
        margin += plan->leaf[tree->leaf + leaf];
    }
    return margin;
}

void margins_few(const TreeMargins *job)
{
    uint8_t *place = job->scratch;
    for (int64_t i = 0; i < job->n; i++) {
        find_places(job, i, place);
        job->margin[i] = margin_of(job->plan, place);
    }
}
