/* kernels/cpu/margins_few.c -- margins of a row or a few: no blocks, no allocation, no branch that depends on a value.
 *
 * A row's places are found once; then trees are walked, each turn one compare of bytes. The walks of neighbouring trees
 * do not depend on each other, so that the processor overlaps them: measured against whole blocks of one row and
 * against a walk over floats in tests/bench/trees/README.md. */
#include "kernels/cpu/margins.h"

enum { SEARCHED = 8, WALKED = 8 };

static float value_of(const TreeMargins *job, int f, int64_t i)
{
    int column = job->plan->column[f];
    return job->x ? job->x[i * job->stride + column] : job->value[column][job->first + i];
}

/* Features f .. f + n - 1, side by side down their search trees. Beneath its own levels a tree holds infinities: there
 * a value turns left. */
static void search_together(const TreeMargins *job, int64_t i, int f, int n, uint8_t *place)
{
    const TreePlan *plan = job->plan;
    const float *search = plan->search + (int64_t)f * PLAN_SEARCH;
    float v[SEARCHED] = {0};
    uint32_t turns[SEARCHED] = {0}, below[SEARCHED] = {0};
    int levels = 0;
    for (int k = 0; k < n; k++) {
        v[k] = value_of(job, f + k, i);
        levels = plan->levels[f + k] > levels ? plan->levels[f + k] : levels;
    }
    for (int l = 0; l < levels; l++)
        for (int k = 0; k < SEARCHED; k++) {
            uint32_t right = search[(k < n ? k : 0) * PLAN_SEARCH + (1 << l) + (int)turns[k]] < v[k];
            turns[k] |= right << l;
            below[k] = 2 * below[k] + right;
        }
    for (int k = 0; k < n; k++)
        place[2 * (f + k)] = (uint8_t)((below[k] >> (levels - plan->levels[f + k])) + 1) & (uint8_t) - (v[k] == v[k]);
}

/* place [2 f + flip] of row i; one more that no number of borders passes: the place of conditions that never hold. */
static void find_places(const TreeMargins *job, int64_t i, uint8_t *place)
{
    int features = job->plan->features;
    for (int f = 0; f < features; f += SEARCHED) {
        int n = features - f < SEARCHED ? features - f : SEARCHED;
        if (!job->place)
            search_together(job, i, f, n, place);
        for (int k = f; k < f + n; k++) {
            if (job->place)
                place[2 * k] = job->place[k][job->first + i];
            place[2 * k + 1] = (uint8_t)(place[2 * k] - 1);
        }
    }
    place[2 * features] = 0;
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

/* The leaves of trees t .. t + WALKED - 1, of the same depth, side by side. */
static inline __attribute__((always_inline)) int64_t walk_together(const TreePlan *plan, int t, int depth,
                                                                   const uint8_t *place)
{
    const TreePlanTree *tree = &plan->tree[t];
    const uint32_t *walk[WALKED];
    uint32_t node[WALKED] = {0};
    int64_t sum = 0;
    for (int k = 0; k < WALKED; k++)
        walk[k] = plan->walk + tree[k].node;
    for (int level = 0; level < depth; level++)
        for (int k = 0; k < WALKED; k++)
            node[k] = 2 * node[k] + 1 + (uint32_t)turn(walk[k][node[k]], place);
    for (int k = 0; k < WALKED; k++)
        sum += plan->leaf[tree[k].leaf + node[k] - ((1u << depth) - 1)];
    return sum;
}

/* The depth most models have is a constant for the compiler. */
static int64_t margin_of(const TreePlan *plan, const uint8_t *place)
{
    int64_t margin = plan->bias;
    for (int t = 0; t < plan->trees; t++) {
        const TreePlanTree *tree = &plan->tree[t];
        const uint32_t *walk = plan->walk + tree->node;
        int64_t leaf;
        if (plan->symmetric) {
            leaf = tree->depth == 6 ? symmetric_leaf(walk, 6, place) : symmetric_leaf(walk, tree->depth, place);
        } else if (tree->run_end - t >= WALKED) {
            margin += tree->depth == 6 ? walk_together(plan, t, 6, place) : walk_together(plan, t, tree->depth, place);
            t += WALKED - 1;
            continue;
        } else {
            leaf = depthwise_leaf(walk, tree->depth, place);
        }
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
