/* Scores of splits. A warp takes a feature of a node: its lanes hold consecutive bins each and pass running sums on. */
#include "kernels/cuda/cuda_priv.h"

#include <cstdlib>
#include <cstring>

#include "device/tree_math.h"

enum { WARP = 32, THREADS = 128 };
#define EVERY_LANE 0xffffffffU

/* What a job says, for kernels. */
struct Scores {
    const int64_t *histogram;
    const Lane *lanes; /* of the features that are scored */
    int used, nodes;
    double g_unit, h_unit, l1, l2;
    int64_t h_least, rows_least;
    const double *bounds; /* as in TreeScores */
    const int8_t *rise;
};

struct Sums {
    int64_t g, h, rows; /* rows: 0 where nobody asks */
};

__device__ static inline Sums plus(Sums a, Sums b)
{
    return Sums{a.g + b.g, a.h + b.h, a.rows + b.rows};
}
__device__ static inline Sums minus(Sums a, Sums b)
{
    return Sums{a.g - b.g, a.h - b.h, a.rows - b.rows};
}

/* What the rows of a side add, within the bounds of a node. */
__device__ static inline double value_of(const Scores &job, Sums sums, int node)
{
    return tree_value(sums.g, sums.h, job.g_unit, job.h_unit, job.l1, job.l2, job.bounds[2 * node],
                      job.bounds[2 * node + 1]);
}

__device__ static inline double score_of(const Scores &job, Sums sums, int node)
{
    if (job.bounds)
        return tree_score_at(sums.g, sums.h, job.g_unit, job.h_unit, job.l1, job.l2, value_of(job, sums, node));
    return tree_score(sums.g, sums.h, job.g_unit, job.h_unit, job.l1, job.l2);
}

/* A split at bin s of a feature in a node; its sides follow from the sums of bins 1 .. s. */
struct Where {
    int feature, node, s;
    Sums missing, all;
};

/* -1: a side is too light or has too few rows, or they stand the wrong way. */
__device__ static inline double split_score(const Scores &job, const Where &at, Sums upto, int right)
{
    const Sums l = right ? upto : plus(upto, at.missing), r = minus(at.all, l);
    const int rise = job.bounds && at.s > 0 ? job.rise[at.feature] : 0;
    if (l.h < job.h_least || r.h < job.h_least || l.rows < job.rows_least || r.rows < job.rows_least ||
        (rise != 0 && (value_of(job, r, at.node) - value_of(job, l, at.node)) * rise < 0))
        return -1.0;
    return score_of(job, l, at.node) + score_of(job, r, at.node);
}

/* A warp's view of one feature of one node. */
struct View {
    const int64_t *cells;
    int from, to; /* this lane's bins */
    Sums before;  /* of bins 1 .. from - 1 */
    Sums missing, all;
};

/* The cells of a feature of a node begin here: slots of sums, each followed by one of rows where they are asked for. */
__device__ static inline const int64_t *cells_of(const Scores &job, int node, const Lane &lane)
{
    const int64_t slots = job.rows_least > 0 ? 2 : 1;
    return job.histogram + 2 * slots * ((int64_t)(lane.at - job.lanes[0].at) * job.nodes + (int64_t)node * lane.bins);
}

__device__ static inline Sums sums_at(const Scores &job, const int64_t *cells, int bins, int b)
{
    return Sums{cells[2 * b], cells[2 * b + 1], job.rows_least > 0 ? cells[2 * (bins + b) + 1] : 0};
}

__device__ static inline View view_of(const Scores &job, int node, const Lane &lane)
{
    View view;
    const int at = (int)threadIdx.x % WARP, each = (lane.bins + WARP - 1) / WARP;
    view.cells = cells_of(job, node, lane);
    view.from = min(at * each, lane.bins);
    view.to = min(view.from + each, lane.bins);
    Sums mine = {0, 0, 0};
    for (int b = view.from; b < view.to; b++)
        if (b > 0)
            mine = plus(mine, sums_at(job, view.cells, lane.bins, b));
    Sums upto = mine;
    for (int by = 1; by < WARP; by *= 2) {
        const Sums other = {__shfl_up_sync(EVERY_LANE, upto.g, by), __shfl_up_sync(EVERY_LANE, upto.h, by),
                            __shfl_up_sync(EVERY_LANE, upto.rows, by)};
        upto = at >= by ? plus(upto, other) : upto;
    }
    view.before = minus(upto, mine);
    view.missing = sums_at(job, view.cells, lane.bins, 0);
    view.all =
        plus(view.missing, Sums{__shfl_sync(EVERY_LANE, upto.g, WARP - 1), __shfl_sync(EVERY_LANE, upto.h, WARP - 1),
                                __shfl_sync(EVERY_LANE, upto.rows, WARP - 1)});
    return view;
}

__device__ static inline TreeSplit better(TreeSplit a, TreeSplit b)
{
    return b.score > a.score || (b.score == a.score && b.code < a.code) ? b : a;
}

/* Launch: a warp a (node, feature). */
__global__ void score_features(Scores job, TreeSplit *best)
{
    const int at = (int)((blockIdx.x * blockDim.x + threadIdx.x) / WARP), node = at / job.used;
    if (node >= job.nodes)
        return;
    const Lane lane = job.lanes[at % job.used];
    const View view = view_of(job, node, lane);
    const double least = score_of(job, view.all, node) * TREE_GAIN_LEAST;
    TreeSplit mine = {0, 0};
    Sums upto = view.before;
    for (int s = view.from; s < view.to && s < lane.bins - 1; s++) {
        upto = s > 0 ? plus(upto, sums_at(job, view.cells, lane.bins, s)) : upto;
        for (int right = 0; right < (s ? 2 : 1); right++) {
            const double score = split_score(job, Where{lane.feature, node, s, view.missing, view.all}, upto, right);
            if (score > least && score > mine.score)
                mine = TreeSplit{score, TREE_SPLIT_CODE(lane.feature, s, right)};
        }
    }
    for (int by = WARP / 2; by > 0; by /= 2)
        mine = better(
            mine, TreeSplit{__shfl_xor_sync(EVERY_LANE, mine.score, by), __shfl_xor_sync(EVERY_LANE, mine.code, by)});
    if (threadIdx.x % WARP == 0)
        best[at] = mine;
}

static Scores scores_on_card(CudaCard *card, const TreeScores *job)
{
    Scores on = {};
    const int32_t *at = job->features->at;
    const Lane *lanes = cuda_lanes(card, job->features);
    const int64_t slots = job->nodes * (job->rows_least > 0 ? 2 : 1);
    on.histogram = cuda_in(card, ROOM_CELLS, job->histogram, 2 * (int64_t)(at[job->last] - at[job->first]) * slots);
    on.lanes = lanes + job->first;
    on.used = job->last - job->first;
    on.nodes = job->nodes;
    on.g_unit = job->g_unit;
    on.h_unit = job->h_unit;
    on.l1 = job->l1;
    on.l2 = job->l2;
    on.bounds = cuda_in(card, ROOM_G, job->bounds, 2 * (int64_t)job->nodes);
    on.rise = job->bounds ? cuda_in(card, ROOM_LABEL, job->rise, job->features->id[job->features->n - 1] + INT64_C(1))
                          : nullptr;
    on.h_least = job->h_least;
    on.rows_least = job->rows_least;
    return on;
}

static bool best_splits_on_card(CudaCard *card, const TreeScores *job, TreeSplit *best)
{
    const size_t n = (size_t)(job->last - job->first) * (size_t)job->nodes;
    if (card->failed || n == 0)
        return false;
    const Scores on = scores_on_card(card, job);
    auto there = static_cast<TreeSplit *>(cuda_room(card, ROOM_SPLITS, n * sizeof(TreeSplit)));
    TreeSplit *each = static_cast<TreeSplit *>(malloc(n * sizeof(TreeSplit)));
    if (each && !card->failed) {
        CUDA_LAUNCH(score_features, cuda_blocks((int64_t)n * WARP, THREADS), THREADS, 0, card->stream, on, there);
        cuda_is_good(card, cudaMemcpyAsync(each, there, n * sizeof(TreeSplit), cudaMemcpyDeviceToHost, card->stream));
    }
    const bool good = cuda_done(card) && each;
    for (int k = 0; k < job->nodes && good; k++) {
        best[k] = TreeSplit{0, 0};
        for (int j = 0; j < on.used; j++)
            if (each[k * on.used + j].score > best[k].score)
                best[k] = each[k * on.used + j];
    }
    free(each);
    return good;
}

static void best_splits(const DeviceContext *context, const TreeScores *job, TreeSplit *best)
{
    if (!best_splits_on_card(card_of(context), job, best))
        context->spare->best_splits(context, job, best);
}

/* ---- a level's scores ---- */

/* Launch: a warp a (node, feature). Running sums of bins 1 .. s, in the place of the cells. */
__global__ void sum_bins(Scores job, Sums *sums)
{
    const int at = (int)((blockIdx.x * blockDim.x + threadIdx.x) / WARP), node = at / job.used;
    if (node >= job.nodes)
        return;
    const Lane lane = job.lanes[at % job.used];
    const View view = view_of(job, node, lane);
    Sums *to = sums + (int64_t)(lane.at - job.lanes[0].at) * job.nodes + (int64_t)node * lane.bins;
    Sums upto = view.before;
    for (int s = view.from; s < view.to; s++) {
        upto = s > 0 ? plus(upto, sums_at(job, view.cells, lane.bins, s)) : upto;
        to[s] = upto;
    }
}

/* Launch: x features, 256 threads, one a bin. Nodes in their order, so that sums of doubles have one order. */
__global__ void add_scores(Scores job, const Sums *sums, double *total, double *parent)
{
    const Lane lane = job.lanes[blockIdx.x];
    const int64_t at = lane.at - job.lanes[0].at;
    const int s = threadIdx.x;
    if (s >= lane.bins)
        return;
    double sum[2] = {total[2 * (at + s)], total[2 * (at + s) + 1]}, own_sum = *parent;
    for (int k = 0; k < job.nodes; k++) {
        const int64_t node = at * job.nodes + (int64_t)k * lane.bins;
        const Sums missing = sums_at(job, cells_of(job, k, lane), lane.bins, 0);
        const Sums all = plus(missing, sums[node + lane.bins - 1]);
        const double own = score_of(job, all, k);
        own_sum += own;
        for (int right = 0; right < 2; right++) {
            const double score = split_score(job, Where{lane.feature, k, s, missing, all}, sums[node + s], right);
            sum[right] += score < 0 ? own : score;
        }
    }
    total[2 * (at + s)] = sum[0];
    total[2 * (at + s) + 1] = sum[1];
    if (blockIdx.x == 0 && s == 0)
        parent[1] = own_sum;
}

static bool level_scores_on_card(CudaCard *card, const TreeScores *job, double *total, double *parent)
{
    const int32_t *at = job->features->at;
    const int64_t bins = at[job->last] - at[job->first];
    double own[2] = {*parent, 0};
    if (card->failed || bins == 0 || job->nodes == 0)
        return false;
    const Scores on = scores_on_card(card, job);
    auto sums = static_cast<Sums *>(cuda_room(card, ROOM_CELLS_2, (size_t)bins * (size_t)job->nodes * sizeof(Sums)));
    auto scores = static_cast<double *>(cuda_upload(card, ROOM_VALUES, total, 2 * (size_t)bins * sizeof(double)));
    auto parents = static_cast<double *>(cuda_upload(card, ROOM_SUMS, own, sizeof own));
    if (!card->failed) {
        CUDA_LAUNCH(sum_bins, cuda_blocks((int64_t)on.used * on.nodes * WARP, THREADS), THREADS, 0, card->stream, on,
                    sums);
        CUDA_LAUNCH(add_scores, (unsigned)on.used, 256, 0, card->stream, on, sums, scores, parents);
        cuda_is_good(card, cudaMemcpyAsync(total, scores, 2 * (size_t)bins * sizeof(double), cudaMemcpyDeviceToHost,
                                           card->stream));
        cuda_is_good(card, cudaMemcpyAsync(own, parents, sizeof own, cudaMemcpyDeviceToHost, card->stream));
    }
    if (!cuda_done(card))
        return false;
    *parent = own[1];
    return true;
}

static void level_scores(const DeviceContext *context, const TreeScores *job, double *total, double *parent)
{
    if (!level_scores_on_card(card_of(context), job, total, parent))
        context->spare->level_scores(context, job, total, parent);
}

void cuda_splits_ops(TreeOps *ops)
{
    ops->best_splits = best_splits;
    ops->level_scores = level_scores;
}
