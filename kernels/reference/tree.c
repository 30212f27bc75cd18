/* The tree operations, plain and in order: what every other table must agree with bit for bit. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "device/backend.h"
#include "device/tree_math.h"
#include "kernels/reference/margins.h"

static void bin(const DeviceContext *context, const float *values, int64_t n, const float *border, int n_borders,
                uint8_t *bins)
{
    (void)context;
    for (int64_t i = 0; i < n; i++) {
        int below = 0;
        for (int b = 0; b < n_borders; b++)
            below += border[b] < values[i];
        bins[i] = isnan(values[i]) ? 0 : (uint8_t)(1 + below);
    }
}

static void transpose(const DeviceContext *context, const TreeBins *bins, int64_t from, int64_t to, uint8_t *block)
{
    (void)context;
    for (int f = 0; f < bins->features; f++) {
        int b = f / TREE_BLOCK, width = tree_block_width(bins, b);
        uint8_t *rows = block + (int64_t)b * TREE_BLOCK * bins->n;
        for (int64_t i = from; i < to; i++)
            rows[i * width + f % TREE_BLOCK] = bins->column[f * bins->pitch + i];
    }
}

/* Gradient and hessian of one row. */
static void true_gradient(double *g, double *h, const TreeLoss *loss, int64_t i)
{
    if (loss->g) {
        *g = loss->g[i];
        *h = loss->h[i];
        return;
    }
    int label = loss->label[i] != 0;
    double p = loss->chances_stand ? loss->chance[i] : tree_sigmoid(tree_margin(loss->margin[i]));
    double w = loss->weight[label];
    if (loss->chance)
        loss->chance[i] = p;
    *g = w * (p - (double)label);
    *h = w * (p * (1.0 - p));
    if (loss->row_weight) {
        *g *= loss->row_weight[i];
        *h *= loss->row_weight[i];
    }
}

static uint32_t size_of(double g, double h, double scale, double h_scale)
{
    double by_g = fabs(g) * scale, by_h = h * h_scale;
    return tree_size(by_g > by_h ? by_g : by_h);
}

static void sizes(const DeviceContext *context, const TreeSizes *job)
{
    (void)context;
    for (int64_t i = 0; i < job->loss.n; i++) {
        double g, h;
        if (job->loss.part[i] != 0)
            continue;
        true_gradient(&g, &h, &job->loss, i);
        job->count[size_of(g, h, job->scale, job->h_scale)]++;
    }
}

/* Is the row drawn? Then its gradient is made heavier. */
static bool draw_row(const TreeDraw *draw, uint64_t row, double *g, double *h)
{
    uint32_t size = size_of(*g, *h, draw->scale, draw->h_scale);
    *g *= draw->times[size];
    *h *= draw->times[size];
    return tree_mix(draw->key, row) >> 11 < draw->below[size];
}

static void gradients(const DeviceContext *context, const TreeGradients *job)
{
    (void)context;
    for (int64_t i = 0; i < job->loss.n; i++) {
        double g, h;
        uint64_t random = tree_mix(job->key, job->row[i]);
        if (job->loss.part[i] != 0) {
            job->pair[i] = TREE_NOT_DRAWN;
            continue;
        }
        true_gradient(&g, &h, &job->loss, i);
        bool drawn = !job->draw || draw_row(job->draw, job->row[i], &g, &h);
        int32_t gq = tree_round(g * job->g_scale, random & 0xFFFFFF);
        int32_t hq = tree_round(h * job->h_scale, random >> 24 & 0xFFFFFF);
        job->pair[i] = drawn ? (uint32_t)gq << 16 | (uint32_t)hq : TREE_NOT_DRAWN;
    }
}

static void list(const DeviceContext *context, const TreeListing *job)
{
    (void)context;
    for (int s = 0; s < job->shards; s++) {
        int64_t at = job->from[s];
        for (int64_t i = job->from[s]; i < job->from[s + 1]; i++)
            if (job->pair[i] != TREE_NOT_DRAWN)
                job->index[at++] = (uint32_t)i;
        job->segment[s] = (TreeSegment){.begin = job->from[s], .count = at - job->from[s]};
    }
}

static void histogram(const DeviceContext *context, const TreeHistogram *job)
{
    const TreeFeatures *features = job->features;
    (void)context;
    if (!job->add)
        memset(job->out, 0, (size_t)features->at[features->n] * (size_t)job->nodes * 2 * sizeof *job->out);
    for (int s = 0; s < job->segments; s++)
        for (int64_t i = job->segment[s].begin; i < job->segment[s].begin + job->segment[s].count; i++)
            for (int j = 0; j < features->n; j++) {
                uint32_t row = job->index[i];
                int64_t *cells = job->out + tree_cell(features, 0, j, job->nodes, job->segment[s].node);
                uint8_t b = job->bins->column[features->id[j] * job->bins->pitch + row];
                cells[2 * b] += (int32_t)job->pair[row] >> 16;
                cells[2 * b + 1] += job->pair[row] & 0xFFFF;
            }
}

static void siblings(const DeviceContext *context, const TreeSiblings *job)
{
    (void)context;
    for (int j = job->first; j < job->last; j++)
        for (int i = 0; i < job->siblings; i++) {
            const TreeSibling *s = &job->sibling[i];
            const int64_t *parent = job->parents + tree_cell(job->features, job->first, j, job->n_parents, s->parent);
            const int64_t *built = job->built + tree_cell(job->features, job->first, j, job->n_built, s->built);
            int64_t *smaller = job->out + tree_cell(job->features, job->first, j, job->n_out, s->smaller);
            int64_t *larger = job->out + tree_cell(job->features, job->first, j, job->n_out, s->larger);
            for (int c = 0; c < 2 * (job->features->at[j + 1] - job->features->at[j]); c++) {
                smaller[c] = built[c];
                larger[c] = parent[c] - built[c];
            }
        }
}

typedef struct Sums {
    int64_t g, h;
} Sums;

static Sums sums_of(const int64_t *cells, int from, int to)
{
    Sums sums = {0, 0};
    for (int b = from; b < to; b++) {
        sums.g += cells[2 * b];
        sums.h += cells[2 * b + 1];
    }
    return sums;
}

/* What the rows of a side add, within the bounds of node k. */
static double value_of(const TreeScores *job, Sums sums, int k)
{
    return tree_value(sums.g, sums.h, job->g_unit, job->h_unit, job->l1, job->l2, job->bounds[2 * k],
                      job->bounds[2 * k + 1]);
}

static double score_of(const TreeScores *job, Sums sums, int k)
{
    if (job->bounds)
        return tree_score_at(sums.g, sums.h, job->g_unit, job->h_unit, job->l1, job->l2, value_of(job, sums, k));
    return tree_score(sums.g, sums.h, job->g_unit, job->h_unit, job->l1, job->l2);
}

/* Do left and right stand the wrong way? At s = 0 there is no order: missing against the rest. */
static bool is_against(const TreeScores *job, Sums l, Sums r, int j, int s, int k)
{
    int rise = job->bounds && s > 0 ? job->rise[job->features->id[j]] : 0;
    return rise != 0 && (value_of(job, r, k) - value_of(job, l, k)) * rise < 0;
}

static bool has_few_rows(const TreeScores *job, const int64_t *cells, int j, int s, int right)
{
    const int64_t *rows = cells + tree_scored_rows(job, j);
    int bins = job->features->at[j + 1] - job->features->at[j];
    int64_t missing = rows[1], left = sums_of(rows, 1, s + 1).h, rest = sums_of(rows, s + 1, bins).h;
    return job->rows_least > 0 &&
           (left + (right ? 0 : missing) < job->rows_least || rest + (right ? missing : 0) < job->rows_least);
}

/* The score of one candidate of feature j in node k, or -1 where a side is too light or has too few rows, or they stand
 * the wrong way. */
static double split_score(const TreeScores *job, const int64_t *cells, int j, int k, int s, int right)
{
    int bins = job->features->at[j + 1] - job->features->at[j];
    Sums missing = sums_of(cells, 0, 1), l = sums_of(cells, 1, s + 1), r = sums_of(cells, s + 1, bins);
    Sums *side = right ? &r : &l;
    side->g += missing.g;
    side->h += missing.h;
    if (l.h < job->h_least || r.h < job->h_least || is_against(job, l, r, j, s, k) ||
        has_few_rows(job, cells, j, s, right))
        return -1.0;
    return score_of(job, l, k) + score_of(job, r, k);
}

static void best_splits(const DeviceContext *context, const TreeScores *job, TreeSplit *best)
{
    (void)context;
    for (int k = 0; k < job->nodes; k++) {
        best[k] = (TreeSplit){0, 0};
        for (int j = job->first; j < job->last; j++) {
            const int64_t *cells = job->histogram + tree_scored_cell(job, j, k);
            int bins = job->features->at[j + 1] - job->features->at[j];
            double own = score_of(job, sums_of(cells, 0, bins), k);
            for (int s = 0; s < bins - 1; s++)
                for (int right = 0; right < (s == 0 ? 1 : 2); right++) {
                    double score = split_score(job, cells, j, k, s, right);
                    if (score > own * TREE_GAIN_LEAST && score > best[k].score)
                        best[k] = (TreeSplit){score, TREE_SPLIT_CODE(job->features->id[j], s, right)};
                }
        }
    }
}

static void level_scores(const DeviceContext *context, const TreeScores *job, double *total, double *parent)
{
    (void)context;
    for (int j = job->first; j < job->last; j++) {
        int bins = job->features->at[j + 1] - job->features->at[j];
        double *at = total + 2 * (job->features->at[j] - job->features->at[job->first]);
        for (int k = 0; k < job->nodes; k++) {
            const int64_t *cells = job->histogram + tree_scored_cell(job, j, k);
            double own = score_of(job, sums_of(cells, 0, bins), k);
            if (j == job->first)
                *parent += own;
            for (int s = 0; s < bins; s++)
                for (int right = 0; right < 2; right++) {
                    double score = split_score(job, cells, j, k, s, right);
                    at[2 * s + right] += score < 0 ? own : score;
                }
        }
    }
}

static bool goes_right(const TreeBins *bins, const TreeCut *cut, uint32_t row)
{
    uint8_t b = bins->column[cut->feature * bins->pitch + row];
    return b == 0 ? cut->missing_right : b > cut->bin;
}

static void partition(const DeviceContext *context, const TreePartition *job)
{
    (void)context;
    for (int c = 0; c < job->cuts; c++) {
        TreeCut *cut = &job->cut[c];
        uint32_t *index = job->index + cut->segment.begin, *right = job->scratch + cut->segment.begin;
        int64_t n_right = 0;
        cut->left = 0;
        for (int64_t i = 0; i < cut->segment.count; i++)
            if (goes_right(job->bins, cut, index[i]))
                right[n_right++] = index[i];
            else
                index[cut->left++] = index[i];
        memcpy(index + cut->left, right, (size_t)n_right * sizeof *index);
    }
}

static void leaf_sums(const DeviceContext *context, const TreeLeafSums *job)
{
    (void)context;
    for (int64_t i = 0; i < job->loss.n; i++) {
        double g, h;
        int64_t *sum = job->sum + 3 * job->leaf[i];
        if (job->loss.part[i] != 0)
            continue;
        true_gradient(&g, &h, &job->loss, i);
        sum[0] += tree_fixed(g, job->g_scale);
        sum[1] += tree_fixed(h, job->h_scale);
        sum[2] += 1;
    }
}

static void add_leaves(const DeviceContext *context, const TreeAddLeaves *job)
{
    (void)context;
    for (int64_t i = 0; i < job->n; i++)
        if (job->part[i] <= 1)
            job->margin[i] += job->value[job->leaf[i]];
}

static void walk(const DeviceContext *context, const TreeWalk *job)
{
    (void)context;
    for (int64_t i = job->from; i < job->to; i++) {
        int leaf = 0, node = 0;
        for (int level = 0; level < job->depth; level++) {
            int at = job->symmetric ? level : node;
            TreeCut cut = {.feature = job->feature[at], .bin = job->bin[at], .missing_right = job->missing_right[at]};
            int right = cut.feature >= 0 && goes_right(job->bins, &cut, (uint32_t)i);
            leaf = 2 * leaf + right;
            node = 2 * node + 1 + right;
        }
        job->leaf[i] = (uint16_t)leaf;
    }
}

static const TreeOps tree_ops = {
    .bin = bin,
    .transpose = transpose,
    .sizes = sizes,
    .gradients = gradients,
    .list = list,
    .histogram = histogram,
    .siblings = siblings,
    .best_splits = best_splits,
    .level_scores = level_scores,
    .partition = partition,
    .leaf_sums = leaf_sums,
    .add_leaves = add_leaves,
    .walk = walk,
    .margins = reference_margins,
};

static const char *open_reference(DeviceContext *context, int ordinal, char *what, size_t size)
{
    (void)context, (void)ordinal;
    snprintf(what, size, "reference");
    return NULL;
}

static void close_reference(DeviceContext *context)
{
    (void)context;
}

const Backend backend_reference = {
    .abi = DEVICE_ABI,
    .name = "reference",
    .rows_at_once = 4096,
    .open = open_reference,
    .close = close_reference,
    .trees = &tree_ops,
};
