/* Margins of a plan, row by row, by the words of device/backend.h. */
#include "kernels/reference/margins.h"

static int place_of(const TreePlan *plan, int f, float value)
{
    int place = 1;
    if (value != value)
        return 0;
    for (int b = plan->border_at[f]; b < plan->border_at[f + 1]; b++)
        place += plan->border[b] < value;
    return place;
}

static bool holds(const TreePlan *plan, int condition, const float *row)
{
    if (condition == plan->conditions)
        return false;
    int f = plan->condition_of[condition], flip = condition >= plan->condition_at[2 * f + 1];
    return (uint8_t)(place_of(plan, f, row[plan->column[f]]) - flip) >= plan->least[condition];
}

void reference_margins(const DeviceContext *context, const TreeMargins *job)
{
    const TreePlan *plan = job->plan;
    (void)context;
    for (int64_t i = 0; i < job->n; i++) {
        const float *row = job->x + i * job->stride;
        job->margin[i] = plan->bias;
        for (int t = 0; t < plan->trees; t++) {
            const TreePlanTree *tree = &plan->tree[t];
            int64_t node = 0, leaf = 0;
            for (int level = 0; level < tree->depth; level++) {
                bool right = holds(plan, plan->node[tree->node + (plan->symmetric ? level : node)], row);
                node = 2 * node + 1 + right;
                leaf = 2 * leaf + right;
            }
            job->margin[i] += plan->leaf[tree->leaf + leaf];
        }
    }
}
