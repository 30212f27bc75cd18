/* A model laid out for evaluation, and the plain walk that every faster path must equal bit for bit. */
#include "trees/scorer_priv.h"

#include <stdlib.h>

/* A scratch of up to SMALL bytes lies on the stack: that of a few rows always does, or they are walked. Rows whose
 * places are found for several outputs at a time. */
enum { SMALL = 1 << 16, TILE = 4096 };

dp_status trees_scorer_build(TreesScorer **scorer, const TreesModel *model, Device *device)
{
    dp_status st = DP_OK;
    TreesScorer *s = NULL;
    *scorer = NULL;
    DP_TRY(dp_new(&s, 1));
    s->device = device;
    DP_GO(dp_new(&s->shared, 1));
    s->model = *model;
    DP_GO(trees_plans_build(&s->plans, &s->model));
    for (int k = 0; device && k < s->plans.n; k++)
        s->plans.plan[k].kept = device_tree_ops(device)->keep_plan(device_context(device), &s->plans.plan[k]);
    *scorer = s;
    s = NULL;
done:
    trees_scorer_free(&s);
    return st;
}

void trees_scorer_free(TreesScorer **scorer)
{
    if (!*scorer)
        return;
    if ((*scorer)->shared)
        trees_explained_free(&(*scorer)->shared->explained);
    dp_free(&(*scorer)->shared);
    for (int k = 0; (*scorer)->plans.plan && k < (*scorer)->plans.n; k++)
        if ((*scorer)->plans.plan[k].kept)
            device_tree_ops((*scorer)->device)
                ->drop_plan(device_context((*scorer)->device), (*scorer)->plans.plan[k].kept);
    trees_plans_free(&(*scorer)->plans);
    dp_free(scorer);
}

int64_t trees_leaf_of(const TreesModel *m, int32_t t, const float *row)
{
    int depth = m->tree_depth[t];
    int64_t leaf = 0, node = 0;
    for (int level = 0; level < depth; level++) {
        int64_t at = m->node_at[t] + (m->growth == TREES_SYMMETRIC ? level : node);
        bool right = trees_goes_right(m, at, row);
        node = 2 * node + 1 + right;
        leaf = 2 * leaf + right;
    }
    return leaf;
}

/* The margin of an output for row i of columns of floats. */
static int64_t walk_columns(const TreesModel *m, int output, const TreeMargins *job, int64_t i)
{
    int64_t sum = m->bias[output];
    for (int32_t t = output; t < m->n_trees; t += m->outputs) {
        int64_t leaf = 0, node = 0;
        for (int level = 0; level < m->tree_depth[t]; level++) {
            int64_t at = m->node_at[t] + (m->growth == TREES_SYMMETRIC ? level : node);
            int32_t f = m->node_feature[at];
            bool right = f >= 0 && trees_value_goes_right(m, at, job->value[f][job->first + i]);
            node = 2 * node + 1 + right;
            leaf = 2 * leaf + right;
        }
        sum += m->leaf[m->leaf_at[t] + leaf];
    }
    return sum;
}

static int64_t walk_row(const TreesModel *m, int output, const float *row)
{
    int64_t sum = m->bias[output];
    for (int32_t t = output; t < m->n_trees; t += m->outputs)
        sum += m->leaf[m->leaf_at[t] + trees_leaf_of(m, t, row)];
    return sum;
}

static bool holds(const TreePlan *plan, int32_t condition, const uint8_t *const *place, int64_t i)
{
    if (condition == plan->conditions)
        return false;
    int f = plan->condition_of[condition], flip = condition >= plan->condition_at[2 * f + 1];
    return (uint8_t)(place[f][i] - flip) >= plan->least[condition];
}

static int64_t walk_places(const TreePlan *plan, const uint8_t *const *place, int64_t i)
{
    int64_t sum = plan->bias;
    for (int t = 0; t < plan->trees; t++) {
        const TreePlanTree *tree = &plan->tree[t];
        int64_t node = 0, leaf = 0;
        for (int level = 0; level < tree->depth; level++) {
            bool right = holds(plan, plan->node[tree->node + (plan->symmetric ? level : node)], place, i);
            node = 2 * node + 1 + right;
            leaf = 2 * leaf + right;
        }
        sum += plan->leaf[tree->leaf + leaf];
    }
    return sum;
}

static void walk(const TreesModel *m, int output, const TreeMargins *job)
{
    for (int64_t i = 0; i < job->n; i++)
        job->margin[i] = job->x       ? walk_row(m, output, job->x + i * job->stride)
                         : job->value ? walk_columns(m, output, job, i)
                                      : walk_places(job->plan, job->place, i);
}

static void evaluate_output(const TreesScorer *scorer, int output, TreeMargins *job)
{
    const TreePlan *plan = &scorer->plans.plan[output];
    _Alignas(64) char small[SMALL];
    void *large = NULL;
    bool few = job->n < PLAN_FEW, plain = !scorer->device || (few && plan->scratch_few > sizeof small);
    job->plan = plan;
    job->scratch = small;
    if (!plain && !few && plan->scratch > sizeof small) {
        plain = posix_memalign(&large, 64, plan->scratch) != 0;
        job->scratch = large;
    }
    if (plain)
        walk(&scorer->model, output, job);
    else
        device_tree_ops(scorer->device)->margins(device_context(scorer->device), job);
    free(large);
}

/* Outputs lie behind each other in margin, `pitch` rows each. */
static void evaluate_all(const TreesScorer *scorer, TreeMargins job, int64_t pitch)
{
    for (int k = 0; k < scorer->plans.n; k++, job.margin += pitch)
        evaluate_output(scorer, k, &job);
}

/* Rows first .. first + n - 1 of the job, n at most TILE: their places are found once for all outputs. */
static void evaluate_tile(const TreesScorer *scorer, const TreeMargins *job, int64_t first, int64_t n, uint8_t *place,
                          const uint8_t **at)
{
    const TreePlan *shared = scorer->plans.plan;
    float value[TILE];
    for (int f = 0; f < shared->features; f++) {
        const float *column = job->value ? job->value[shared->column[f]] + job->first + first : value;
        for (int64_t i = 0; job->x && i < n; i++)
            value[i] = job->x[(first + i) * job->stride + shared->column[f]];
        at[f] = place + (int64_t)f * TILE;
        trees_scorer_bin(scorer, f, column, n, place + (int64_t)f * TILE);
    }
    evaluate_all(scorer, (TreeMargins){.place = at, .n = n, .margin = job->margin + first}, job->n);
}

static void evaluate(const TreesScorer *scorer, const TreeMargins *job)
{
    const size_t features = (size_t)scorer->plans.plan->features;
    uint8_t *place = NULL;
    const uint8_t **at = NULL;
    bool shared = scorer->plans.n > 1 && scorer->device && device_rows_at_once(scorer->device) <= TILE && !job->place &&
                  job->n >= PLAN_FEW;
    if (shared && (place = malloc(features * TILE + 1)) && (at = malloc((features + 1) * sizeof *at)))
        for (int64_t i = 0; i < job->n; i += TILE)
            evaluate_tile(scorer, job, i, job->n - i < TILE ? job->n - i : TILE, place, at);
    else
        evaluate_all(scorer, *job, job->n);
    free(place);
    free((void *)at);
}

void trees_margins(const TreesScorer *scorer, const float *x, int64_t n, int64_t stride, int64_t *margin)
{
    evaluate(scorer, &(TreeMargins){.x = x, .n = n, .stride = stride, .margin = margin});
}

void trees_margins_columns(const TreesScorer *scorer, const float *const *value, int64_t first, int64_t n,
                           int64_t *margin)
{
    evaluate(scorer, &(TreeMargins){.value = value, .first = first, .n = n, .margin = margin});
}

void trees_margins_bins(const TreesScorer *scorer, const uint8_t *const *bin, int64_t n, int64_t *margin)
{
    evaluate(scorer, &(TreeMargins){.place = bin, .n = n, .margin = margin});
}

/* ---- bins of evaluation: the places of the plan (device/backend.h) ---- */

const int32_t *trees_scorer_features(const TreesScorer *scorer, int *n)
{
    *n = scorer->plans.plan->features;
    return scorer->plans.plan->column;
}

const float *trees_scorer_borders(const TreesScorer *scorer, int k, int *n)
{
    const TreePlan *plan = scorer->plans.plan;
    *n = plan->border_at[k + 1] - plan->border_at[k];
    return plan->border + plan->border_at[k];
}

void trees_scorer_bin(const TreesScorer *scorer, int k, const float *value, int64_t n, uint8_t *bin)
{
    int borders;
    const float *border = trees_scorer_borders(scorer, k, &borders);
    if (scorer->device) {
        device_tree_ops(scorer->device)->bin(device_context(scorer->device), value, n, border, borders, bin);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        int below = 0;
        for (int b = 0; b < borders; b++)
            below += border[b] < value[i];
        bin[i] = value[i] == value[i] ? (uint8_t)(1 + below) : 0;
    }
}
