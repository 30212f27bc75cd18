/* Tree operations on the card: histograms, the best splits of nodes, and a tree's walk. The others are the processor's.
 * Integer sums and the sequences of tree_math.h (compiled with --fmad=false): the reference's bits. */
#include "kernels/cuda/cuda_priv.h"

#include <cstdlib>
#include <cstring>

#include "device/tree_math.h"

static constexpr int64_t PIECE = 1 << 16;
enum { THREADS = 1024, CELLS = 256 * TREE_BLOCK };

/* Bins on the card: all blocks of the rows, as TreeBins.block. */
struct Kept {
    uint8_t *block;
};

static void *keep(const DeviceContext *context, const TreeBins *bins)
{
    CudaCard *card = card_of(context);
    size_t size = (size_t)bins->n * (size_t)bins->features;
    Kept *kept = static_cast<Kept *>(calloc(1, sizeof(Kept)));
    if (!kept || card->failed || size == 0 || cudaMalloc(&kept->block, size) != cudaSuccess) {
        cudaGetLastError(); /* not enough memory: the processor computes on these bins */
        free(kept);
        return nullptr;
    }
    cuda_is_good(card, cudaMemcpyAsync(kept->block, bins->block, size, cudaMemcpyHostToDevice, card->stream));
    cuda_is_good(card, cudaStreamSynchronize(card->stream));
    return kept;
}

static void drop(const DeviceContext *, void *handle)
{
    Kept *kept = static_cast<Kept *>(handle);
    if (kept)
        cudaFree(kept->block);
    free(kept);
}

/* ---- histograms ---- */

/* One feature of the tree: which lane of which block, and where its cells begin. */
struct Lane {
    int32_t feature, at, bins;
};

/* Launch: x pieces of rows, y blocks of 32 features, 1024 threads. A warp takes a row at a time, a lane a feature.
 * Cells [bin][lane], g and h in two planes (64 KiB of shared memory): the bank is the lane, so the atomics of a warp
 * never meet whatever the data. A piece has at most 65,536 rows, so that 16,383 levels fit 32 bits. Flushed by 64-bit
 * adds to global memory. */
__global__ void __launch_bounds__(THREADS, 1)
    count_rows(const uint8_t *bins, int64_t n, int features, const Lane *lanes, int used, const TreePair *pair,
               const uint32_t *index, const TreeSegment *piece, int nodes, unsigned long long *out)
{
    extern __shared__ uint32_t cells[];
    uint32_t *g = cells, *h = cells + CELLS;
    const TreeSegment mine = piece[blockIdx.x];
    const int block = blockIdx.y, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const int width = min(features - block * TREE_BLOCK, (int)TREE_BLOCK);
    const uint8_t *rows = bins + (int64_t)block * TREE_BLOCK * n;
    for (int c = threadIdx.x; c < 2 * CELLS; c += THREADS)
        cells[c] = 0;
    __syncthreads();
    for (int64_t i = warp; i < mine.count; i += THREADS / 32) {
        uint32_t row = index[mine.begin + i], value = pair[row];
        if (lane < width) {
            int cell = rows[(int64_t)row * width + lane] * TREE_BLOCK + lane;
            atomicAdd(g + cell, (uint32_t)((int32_t)value >> 16));
            atomicAdd(h + cell, value & 0xFFFF);
        }
    }
    __syncthreads();
    for (int j = 0; j < used; j++) { /* used features of this block */
        const Lane to = lanes[j];
        if (to.feature / TREE_BLOCK != block)
            continue;
        unsigned long long *histogram = out + 2 * ((int64_t)to.at * nodes + (int64_t)mine.node * to.bins);
        for (int b = threadIdx.x; b < to.bins; b += THREADS) {
            int cell = b * TREE_BLOCK + to.feature % TREE_BLOCK;
            if (g[cell] | h[cell]) {
                atomicAdd(histogram + 2 * b, (unsigned long long)(int64_t)(int32_t)g[cell]);
                atomicAdd(histogram + 2 * b + 1, (unsigned long long)h[cell]);
            }
        }
    }
}

/* Lanes of the used features on the card; NULL: given up. */
static const Lane *upload_lanes(CudaCard *card, const TreeFeatures *features)
{
    Lane *lanes = static_cast<Lane *>(calloc((size_t)features->n, sizeof(Lane)));
    if (!lanes)
        return nullptr;
    for (int j = 0; j < features->n; j++)
        lanes[j] = Lane{features->id[j], features->at[j], features->at[j + 1] - features->at[j]};
    const void *there = cuda_upload(card, ROOM_FEATURE, lanes, (size_t)features->n * sizeof(Lane));
    cudaStreamSynchronize(card->stream);
    free(lanes);
    return static_cast<const Lane *>(there);
}

/* Segments cut into pieces, and the length of the list that they use. */
static TreeSegment *cut_pieces(const TreeHistogram *job, int *pieces, int64_t *listed)
{
    int64_t n = 0;
    *listed = 0;
    for (int s = 0; s < job->segments; s++) {
        n += (job->segment[s].count + PIECE - 1) / PIECE;
        int64_t end = job->segment[s].begin + job->segment[s].count;
        *listed = end > *listed ? end : *listed;
    }
    TreeSegment *piece = static_cast<TreeSegment *>(calloc((size_t)n + 1, sizeof(TreeSegment)));
    *pieces = 0;
    for (int s = 0; piece && s < job->segments; s++)
        for (int64_t at = 0; at < job->segment[s].count; at += PIECE) {
            int64_t left = job->segment[s].count - at;
            piece[(*pieces)++] =
                TreeSegment{job->segment[s].begin + at, left < PIECE ? left : PIECE, job->segment[s].node};
        }
    return piece;
}

static bool histogram_on_card(CudaCard *card, const TreeHistogram *job)
{
    const Kept *kept = static_cast<const Kept *>(job->bins->kept);
    size_t size = (size_t)job->features->at[job->features->n] * (size_t)job->nodes * 2 * sizeof(int64_t);
    int pieces = 0, blocks = (job->bins->features + TREE_BLOCK - 1) / TREE_BLOCK;
    const int shared = 2 * CELLS * (int)sizeof(uint32_t);
    int64_t listed = 0;
    if (!kept || card->failed)
        return false;
    TreeSegment *cut = cut_pieces(job, &pieces, &listed);
    if (!cut)
        return false;
    const Lane *lanes = upload_lanes(card, job->features);
    auto pair =
        static_cast<const TreePair *>(cuda_upload(card, ROOM_PAIR, job->pair, (size_t)job->bins->n * sizeof(TreePair)));
    auto index =
        static_cast<const uint32_t *>(cuda_upload(card, ROOM_INDEX, job->index, (size_t)listed * sizeof(uint32_t)));
    auto piece =
        static_cast<const TreeSegment *>(cuda_upload(card, ROOM_PIECE, cut, (size_t)pieces * sizeof(TreeSegment)));
    auto out = static_cast<unsigned long long *>(cuda_room(card, ROOM_CELLS, size));
    if (!card->failed && lanes && pair && index && piece && out &&
        cuda_is_good(card, job->add ? cudaMemcpyAsync(out, job->out, size, cudaMemcpyHostToDevice, card->stream)
                                    : cudaMemsetAsync(out, 0, size, card->stream)) &&
        cuda_is_good(card, cudaFuncSetAttribute(count_rows, cudaFuncAttributeMaxDynamicSharedMemorySize, shared))) {
        if (pieces > 0)
            count_rows<<<dim3((unsigned)pieces, (unsigned)blocks), THREADS, shared, card->stream>>>(
                kept->block, job->bins->n, job->bins->features, lanes, job->features->n, pair, index, piece, job->nodes,
                out);
        cuda_is_good(card, cudaGetLastError());
        cuda_is_good(card, cudaMemcpyAsync(job->out, out, size, cudaMemcpyDeviceToHost, card->stream));
    }
    cuda_is_good(card, cudaStreamSynchronize(card->stream));
    free(cut);
    return !card->failed && lanes && pair && index && piece && out;
}

static void histogram(const DeviceContext *context, const TreeHistogram *job)
{
    if (!histogram_on_card(card_of(context), job))
        context->spare->histogram(context, job);
}

/* ---- splits ---- */

/* Launch: a thread a (node, feature). It goes through the bins once, with running sums. */
__global__ void score_features(const int64_t *histogram, const Lane *lanes, int used, int first_at, int nodes,
                               double g_unit, double h_unit, double l1, double l2, int64_t h_least, TreeSplit *best)
{
    const int at = blockIdx.x * blockDim.x + threadIdx.x, node = at / used;
    if (node >= nodes)
        return;
    const Lane lane = lanes[at % used];
    const int64_t *cells = histogram + 2 * ((int64_t)(lane.at - first_at) * nodes + (int64_t)node * lane.bins);
    int64_t all_g = 0, all_h = 0, below_g = 0, below_h = 0;
    TreeSplit mine = {0, 0};
    for (int b = 0; b < lane.bins; b++) {
        all_g += cells[2 * b];
        all_h += cells[2 * b + 1];
    }
    for (int s = 0; s < lane.bins - 1; s++) {
        below_g += s ? cells[2 * s] : 0;
        below_h += s ? cells[2 * s + 1] : 0;
        for (int right = 0; right < (s ? 2 : 1); right++) {
            int64_t lg = below_g + (right ? 0 : cells[0]), lh = below_h + (right ? 0 : cells[1]);
            if (lh < h_least || all_h - lh < h_least)
                continue;
            double score =
                tree_score(lg, lh, g_unit, h_unit, l1, l2) + tree_score(all_g - lg, all_h - lh, g_unit, h_unit, l1, l2);
            if (score > mine.score)
                mine = TreeSplit{score, TREE_SPLIT_CODE(lane.feature, s, right)};
        }
    }
    if (!(mine.score > tree_score(all_g, all_h, g_unit, h_unit, l1, l2) * TREE_GAIN_LEAST))
        mine = TreeSplit{0, 0};
    best[at] = mine;
}

static bool best_splits_on_card(CudaCard *card, const TreeScores *job, TreeSplit *best)
{
    const TreeFeatures *features = job->features;
    const int used = job->last - job->first;
    const size_t cells = 2 * (size_t)(features->at[job->last] - features->at[job->first]) * (size_t)job->nodes;
    const size_t n = (size_t)used * (size_t)job->nodes;
    if (card->failed || n == 0 || job->bounds) /* monotone splits are few and small: the processor's */
        return false;
    const Lane *lanes = upload_lanes(card, features);
    auto histogram =
        static_cast<const int64_t *>(cuda_upload(card, ROOM_CELLS, job->histogram, cells * sizeof(int64_t)));
    auto there = static_cast<TreeSplit *>(cuda_room(card, ROOM_SPLIT, n * sizeof(TreeSplit)));
    TreeSplit *each = static_cast<TreeSplit *>(malloc(n * sizeof(TreeSplit)));
    if (lanes && histogram && there && each) {
        score_features<<<(unsigned)((n + 127) / 128), 128, 0, card->stream>>>(
            histogram, lanes + job->first, used, features->at[job->first], job->nodes, job->g_unit, job->h_unit,
            job->l1, job->l2, job->h_least, there);
        cuda_is_good(card, cudaGetLastError());
        cuda_is_good(card, cudaMemcpyAsync(each, there, n * sizeof(TreeSplit), cudaMemcpyDeviceToHost, card->stream));
    }
    cuda_is_good(card, cudaStreamSynchronize(card->stream));
    bool good = !card->failed && lanes && histogram && there && each;
    for (int k = 0; k < job->nodes && good; k++) {
        best[k] = TreeSplit{0, 0};
        for (int j = 0; j < used; j++)
            if (each[k * used + j].score > best[k].score)
                best[k] = each[k * used + j];
    }
    free(each);
    return good;
}

static void best_splits(const DeviceContext *context, const TreeScores *job, TreeSplit *best)
{
    if (!best_splits_on_card(card_of(context), job, best))
        context->spare->best_splits(context, job, best);
}

/* ---- a tree's leaves ---- */

struct WalkNode {
    int32_t feature, bin, missing_right;
};

/* Launch: a thread a row, from `from` on; leaf [to - from]. */
__global__ void walk_rows(const uint8_t *bins, int64_t n, int64_t from, int64_t to, int features, const WalkNode *nodes,
                          bool symmetric, int depth, uint16_t *leaf)
{
    const int64_t i = from + (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    int at_leaf = 0, node = 0;
    if (i >= to)
        return;
    for (int level = 0; level < depth; level++) {
        const WalkNode at = nodes[symmetric ? level : node];
        int right = 0;
        if (at.feature >= 0) {
            const int block = at.feature / TREE_BLOCK, width = min(features - block * TREE_BLOCK, (int)TREE_BLOCK);
            const int b = bins[(int64_t)block * TREE_BLOCK * n + i * width + at.feature % TREE_BLOCK];
            right = b == 0 ? at.missing_right : b > at.bin;
        }
        at_leaf = 2 * at_leaf + right;
        node = 2 * node + 1 + right;
    }
    leaf[i - from] = (uint16_t)at_leaf;
}

static bool walk_on_card(CudaCard *card, const TreeWalk *job)
{
    const Kept *kept = static_cast<const Kept *>(job->bins->kept);
    const int n = job->symmetric ? job->depth : (1 << job->depth) - 1;
    const int64_t rows = job->to - job->from;
    const size_t size = (size_t)rows * sizeof(uint16_t);
    if (!kept || card->failed || rows == 0)
        return false;
    WalkNode *nodes = static_cast<WalkNode *>(calloc((size_t)n + 1, sizeof(WalkNode)));
    if (!nodes)
        return false;
    for (int k = 0; k < n; k++)
        nodes[k] = WalkNode{job->feature[k], job->bin[k], job->missing_right[k]};
    auto there = static_cast<const WalkNode *>(cuda_upload(card, ROOM_NODE, nodes, ((size_t)n + 1) * sizeof(WalkNode)));
    auto leaf = static_cast<uint16_t *>(cuda_room(card, ROOM_LEAF, size));
    if (there && leaf) {
        walk_rows<<<(unsigned)((rows + 255) / 256), 256, 0, card->stream>>>(kept->block, job->bins->n, job->from,
                                                                             job->to, job->bins->features, there,
                                                                             job->symmetric, job->depth, leaf);
        cuda_is_good(card, cudaGetLastError());
        cuda_is_good(card, cudaMemcpyAsync(job->leaf + job->from, leaf, size, cudaMemcpyDeviceToHost, card->stream));
    }
    cuda_is_good(card, cudaStreamSynchronize(card->stream));
    free(nodes);
    return !card->failed && there && leaf;
}

static void walk(const DeviceContext *context, const TreeWalk *job)
{
    if (!walk_on_card(card_of(context), job))
        context->spare->walk(context, job);
}

/* The slots that are here; C++17 has no designated initialisers. */
static TreeOps make_ops()
{
    TreeOps ops = {};
    ops.keep = keep;
    ops.drop = drop;
    ops.histogram = histogram;
    ops.best_splits = best_splits;
    ops.walk = walk;
    return ops;
}
const TreeOps cuda_tree_ops = make_ops();
