/* kernels/cpu/margins_body.h -- margins in plain C, compiled once an instruction set by the file that includes it.
 *
 * 64 rows at a time, every loop over them without a branch, so that compilers use the widest registers they may:
 * places of all features first, then for each tree the leaf index of each row, level by level. */
#ifndef DIPPER_CPU_MARGINS_BODY_H
#define DIPPER_CPU_MARGINS_BODY_H

#include "kernels/cpu/margins.h"

enum { ROWS = 64 };

/* One column of the rows: places by a search without branches. Rows past n are missing. */
static void find_places(const TreePlan *plan, int f, const float *x, int64_t n, int64_t stride, uint8_t *place)
{
    const float *search = plan->search + (int64_t)f * PLAN_SEARCH;
    float value[ROWS];
    int32_t turns[ROWS] = {0}, found[ROWS] = {0};
    int levels = plan->levels[f];
    for (int r = 0; r < ROWS; r++)
        value[r] = r < n ? x[r * stride + plan->column[f]] : 0;
    for (int l = 0; l < levels; l++)
        for (int r = 0; r < ROWS; r++) {
            int32_t right = search[(1 << l) + turns[r]] < value[r];
            turns[r] |= right << l;
            found[r] |= right << (levels - 1 - l);
        }
    for (int r = 0; r < ROWS; r++)
        place[r] = value[r] == value[r] ? (uint8_t)(found[r] + 1) : 0;
}

/* Does condition c hold: place and c's feature, flip and least. The one that never holds asks for 256. */
typedef struct Question {
    const uint8_t *place;
    uint8_t flip;
    uint16_t least;
} Question;

static Question question_of(const TreePlan *plan, const uint8_t *places, int32_t c)
{
    if (c == plan->conditions)
        return (Question){.place = places, .least = 256};
    int f = plan->condition_of[c];
    return (Question){
        .place = places + (int64_t)f * ROWS, .flip = c >= plan->condition_at[2 * f + 1], .least = plan->least[c]};
}

static void index_symmetric(const TreePlan *plan, const TreePlanTree *tree, const uint8_t *places, uint16_t *index)
{
    for (int level = 0; level < tree->depth; level++) {
        Question q = question_of(plan, places, plan->node[tree->node + level]);
        for (int r = 0; r < ROWS; r++)
            index[r] = (uint16_t)(2 * index[r] + ((uint8_t)(q.place[r] - q.flip) >= q.least));
    }
}

static void index_depthwise(const TreePlan *plan, const TreePlanTree *tree, const uint8_t *places, uint16_t *index)
{
    for (int level = 0; level < tree->depth; level++) {
        const int32_t *node = plan->node + tree->node + (1 << level) - 1;
        for (int r = 0; r < ROWS; r++) {
            Question q = question_of(plan, places, node[index[r]]);
            index[r] = (uint16_t)(2 * index[r] + ((uint8_t)(q.place[r] - q.flip) >= q.least));
        }
    }
}

static void margins_plain(const TreeMargins *job)
{
    const TreePlan *plan = job->plan;
    uint8_t *places = job->scratch;
    for (int64_t at = 0; at < job->n; at += ROWS) {
        int64_t n = job->n - at < ROWS ? job->n - at : ROWS, sum[ROWS];
        for (int f = 0; f < plan->features; f++)
            find_places(plan, f, job->x + at * job->stride, n, job->stride, places + (int64_t)f * ROWS);
        for (int r = 0; r < ROWS; r++)
            sum[r] = plan->bias;
        for (int t = 0; t < plan->trees; t++) {
            uint16_t index[ROWS] = {0};
            const TreePlanTree *tree = &plan->tree[t];
            const int32_t *leaf = plan->leaf + tree->leaf;
            if (plan->symmetric)
                index_symmetric(plan, tree, places, index);
            else
                index_depthwise(plan, tree, places, index);
            for (int r = 0; r < ROWS; r++)
                sum[r] += leaf[index[r]];
        }
        for (int64_t r = 0; r < n; r++)
            job->margin[at + r] = sum[r];
    }
}

#endif
