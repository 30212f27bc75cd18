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

static bool holds(const TreeMargins *job, int condition, int64_t i)
{
    const TreePlan *plan = job->plan;
    if (condition == plan->conditions)
        return false;
    int f = plan->condition_of[condition], flip = condition >= plan->condition_at[2 * f + 1], column = plan->column[f];
    int place = job->place ? job->place[f][job->first + i]
                : job->x   ? place_of(plan, f, job->x[i * job->stride + column])
                           : place_of(plan, f, job->value[column][job->first + i]);
    return (uint8_t)(place - flip) >= plan->least[condition];
}

void reference_margins(const DeviceContext *context, const TreeMargins *job)
{
    const TreePlan *plan = job->plan;
    (void)context;
    for (int64_t i = 0; i < job->n; i++) {
        job->margin[i] = plan->bias;
        for (int t = 0; t < plan->trees; t++) {
            const TreePlanTree *tree = &plan->tree[t];
            int64_t node = 0, leaf = 0;
            for (int level = 0; level < tree->depth; level++) {
                bool right = holds(job, plan->node[tree->node + (plan->symmetric ? level : node)], i);
                node = 2 * node + 1 + right;
                leaf = 2 * leaf + right;
            }
            job->margin[i] += plan->leaf[tree->leaf + leaf];
        }
    }
}
