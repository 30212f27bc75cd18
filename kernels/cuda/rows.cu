/* What a tree does row by row: sizes, rounded gradients, leaves, sums of leaves, margins. */
#include "kernels/cuda/cuda_priv.h"

#include <cstdlib>
#include <cstring>

#include "device/tree_math.h"

enum { THREADS = 256, PASSES = 4 }; /* rows a thread sums before 32-bit sums are emptied */

/* A loss whose arrays lie on the card; n < 0: the card is given up. */
static TreeLoss loss_on_card(CudaCard *card, const TreeLoss *loss)
{
    TreeLoss on = *loss;
    on.part = cuda_in(card, ROOM_PART, loss->part, loss->n);
    on.g = cuda_in(card, ROOM_G, loss->g, loss->n);
    on.h = cuda_in(card, ROOM_H, loss->h, loss->n);
    if (!loss->g) {
        on.margin = cuda_in(card, ROOM_MARGIN, loss->margin, loss->n);
        on.label = cuda_in(card, ROOM_LABEL, loss->label, loss->n);
        on.row_weight = cuda_in(card, ROOM_WEIGHT, loss->row_weight, loss->n);
        on.chance = loss->chance ? cuda_out(card, ROOM_CHANCE, loss->chance, loss->n, true) : nullptr;
    }
    on.n = card->failed ? -1 : loss->n;
    return on;
}

/* What an operation wrote of it. */
static void loss_back(CudaCard *card, const TreeLoss *loss, const TreeLoss *on)
{
    if (loss->chance && !loss->chances_stand && !loss->g)
        cuda_back(card, loss->chance, on->chance, loss->n);
}

__device__ static inline void true_gradient(double *g, double *h, const TreeLoss &loss, int64_t i)
{
    if (loss.g) {
        *g = loss.g[i];
        *h = loss.h[i];
        return;
    }
    const int label = loss.label[i] != 0;
    const double p = loss.chances_stand ? loss.chance[i] : tree_sigmoid(tree_margin(loss.margin[i]));
    const double w = loss.weight[label];
    if (loss.chance)
        loss.chance[i] = p;
    *g = w * (p - (double)label);
    *h = w * (p * (1.0 - p));
    if (loss.row_weight) {
        *g *= loss.row_weight[i];
        *h *= loss.row_weight[i];
    }
}

__device__ static inline uint32_t size_of(double g, double h, double scale, double h_scale)
{
    const double by_g = (g < 0 ? -g : g) * scale, by_h = h * h_scale;
    return tree_size(by_g > by_h ? by_g : by_h);
}

/* ---- sizes ---- */

__global__ void count_sizes(TreeLoss loss, double scale, double h_scale, unsigned long long *count)
{
    __shared__ uint32_t mine[TREE_SIZES];
    for (int k = threadIdx.x; k < TREE_SIZES; k += blockDim.x)
        mine[k] = 0;
    __syncthreads();
    for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < loss.n; i += (int64_t)gridDim.x * blockDim.x) {
        double g, h;
        if (loss.part[i] != 0)
            continue;
        true_gradient(&g, &h, loss, i);
        atomicAdd(&mine[size_of(g, h, scale, h_scale)], 1U);
    }
    __syncthreads();
    for (int k = threadIdx.x; k < TREE_SIZES; k += blockDim.x)
        if (mine[k])
            atomicAdd(&count[k], (unsigned long long)mine[k]);
}

/* At most 65,535 blocks, of which each then has fewer than 2^32 rows. */
static unsigned blocks_for(int64_t n)
{
    int64_t blocks = (n + THREADS * 16 - 1) / (THREADS * 16);
    return (unsigned)(blocks < 1 ? 1 : blocks > 4096 ? 4096 : blocks);
}

static void sizes(const DeviceContext *context, const TreeSizes *job)
{
    CudaCard *card = card_of(context);
    int64_t count[TREE_SIZES];
    const size_t size = sizeof count;
    TreeLoss loss = loss_on_card(card, &job->loss);
    void *there = cuda_room(card, ROOM_COUNTS, size);
    if (loss.n > 0 && there && cuda_is_good(card, cudaMemsetAsync(there, 0, size, card->stream))) {
        CUDA_LAUNCH(count_sizes, blocks_for(loss.n), THREADS, 0, card->stream, loss, job->scale, job->h_scale,
                    static_cast<unsigned long long *>(there));
        cuda_is_good(card, cudaMemcpyAsync(count, there, size, cudaMemcpyDeviceToHost, card->stream));
        loss_back(card, &job->loss, &loss);
    }
    if (!cuda_done(card)) {
        context->spare->sizes(context, job);
        return;
    }
    for (int k = 0; k < TREE_SIZES && loss.n > 0; k++)
        job->count[k] += count[k];
}

/* ---- gradients ---- */

__global__ void round_gradients(TreeLoss loss, const uint64_t *row, double g_scale, double h_scale, uint64_t key,
                                const TreeDraw *draw, TreePair *pair)
{
    const int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    double g, h;
    bool drawn = true;
    if (i >= loss.n)
        return;
    if (loss.part[i] != 0) {
        pair[i] = TREE_NOT_DRAWN;
        return;
    }
    true_gradient(&g, &h, loss, i);
    if (draw) {
        const uint32_t size = size_of(g, h, draw->scale, draw->h_scale);
        g *= draw->times[size];
        h *= draw->times[size];
        drawn = tree_mix(draw->key, row[i]) >> 11 < draw->below[size];
    }
    const uint64_t random = tree_mix(key, row[i]);
    const int32_t gq = tree_round(g * g_scale, random & 0xFFFFFF),
                  hq = tree_round(h * h_scale, random >> 24 & 0xFFFFFF);
    pair[i] = drawn ? (uint32_t)gq << 16 | (uint32_t)hq : (uint32_t)TREE_NOT_DRAWN;
}

static void gradients(const DeviceContext *context, const TreeGradients *job)
{
    CudaCard *card = card_of(context);
    TreeLoss loss = loss_on_card(card, &job->loss);
    const uint64_t *row = cuda_in(card, ROOM_ROW, job->row, job->loss.n);
    const TreeDraw *draw =
        job->draw ? static_cast<const TreeDraw *>(cuda_upload(card, ROOM_DRAW, job->draw, sizeof *job->draw)) : nullptr;
    TreePair *pair = cuda_out(card, ROOM_PAIR, job->pair, job->loss.n, false);
    if (loss.n > 0 && !card->failed) {
        CUDA_LAUNCH(round_gradients, cuda_blocks(loss.n, THREADS), THREADS, 0, card->stream, loss, row, job->g_scale,
                    job->h_scale, job->key, draw, pair);
        cuda_back(card, job->pair, pair, loss.n);
        loss_back(card, &job->loss, &loss);
    }
    if (!cuda_done(card))
        context->spare->gradients(context, job);
}

/* ---- a tree's leaves ---- */

struct WalkNode {
    int32_t feature, bin, missing_right;
};

/* Launch: a thread a row. */
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

static void walk(const DeviceContext *context, const TreeWalk *job)
{
    CudaCard *card = card_of(context);
    const Kept *kept = static_cast<const Kept *>(job->bins->kept);
    const int n = job->symmetric ? job->depth : (1 << job->depth) - 1;
    const int64_t rows = job->to - job->from;
    WalkNode *nodes =
        kept && !card->failed ? static_cast<WalkNode *>(calloc((size_t)n + 1, sizeof(WalkNode))) : nullptr;
    for (int k = 0; nodes && k < n; k++)
        nodes[k] = WalkNode{job->feature[k], job->bin[k], job->missing_right[k]};
    const WalkNode *there = nodes ? cuda_in(card, ROOM_NODES, nodes, n + 1) : nullptr;
    uint16_t *leaf = nodes ? cuda_out(card, ROOM_LEAF, job->leaf + job->from, rows, false) : nullptr;
    if (there && leaf && rows > 0) {
        CUDA_LAUNCH(walk_rows, cuda_blocks(rows, THREADS), THREADS, 0, card->stream, kept->block, job->bins->n,
                    job->from, job->to, job->bins->features, there, job->symmetric, job->depth, leaf);
        cuda_back(card, job->leaf + job->from, leaf, rows);
    }
    if (!cuda_done(card) || !nodes)
        context->spare->walk(context, job);
    free(nodes);
}

/* ---- sums of leaves ---- */

/* 64-bit sums in shared memory would be loops of compare and swap, so a number goes in three limbs of 21 bits into
 * 32-bit sums, which are emptied into 64-bit ones before they can overflow: THREADS x PASSES = 1,024 rows of less than
 * 2^21 each (the high limb is signed, and half as large). Launch: shared memory of 7 x 4 + 3 x 8 bytes a leaf. */
enum { LIMBS = 7, SUMMED = 512 };

__device__ static inline void add_limbs(uint32_t *limb, int leaves, int64_t x)
{
    atomicAdd(limb, (uint32_t)((uint64_t)x & 0x1FFFFF));
    atomicAdd(limb + leaves, (uint32_t)((uint64_t)x >> 21 & 0x1FFFFF));
    atomicAdd(limb + 2 * leaves, (uint32_t)(int32_t)(x >> 42));
}

__device__ static inline int64_t take_limbs(uint32_t *limb, int leaves)
{
    const int64_t x = (int64_t)limb[0] + ((int64_t)limb[leaves] << 21) +
                      (int64_t)((uint64_t)(int64_t)(int32_t)limb[2 * leaves] << 42);
    limb[0] = limb[leaves] = limb[2 * leaves] = 0;
    return x;
}

__global__ void sum_leaves(TreeLoss loss, double g_scale, double h_scale, const uint16_t *leaf, int leaves,
                           unsigned long long *sum)
{
    CUDA_SHARED(int64_t, total);
    uint32_t *limb = reinterpret_cast<uint32_t *>(total + 3 * leaves);
    for (int k = threadIdx.x; k < 3 * leaves; k += blockDim.x)
        total[k] = 0;
    for (int k = threadIdx.x; k < LIMBS * leaves; k += blockDim.x)
        limb[k] = 0;
    __syncthreads();
    for (int64_t from = (int64_t)blockIdx.x * THREADS * PASSES; from < loss.n;
         from += (int64_t)gridDim.x * THREADS * PASSES) {
        for (int pass = 0; pass < PASSES; pass++) {
            const int64_t i = from + pass * THREADS + threadIdx.x;
            double g, h;
            if (i >= loss.n || loss.part[i] != 0)
                continue;
            true_gradient(&g, &h, loss, i);
            add_limbs(limb + leaf[i], leaves, tree_fixed(g, g_scale));
            add_limbs(limb + 3 * leaves + leaf[i], leaves, tree_fixed(h, h_scale));
            atomicAdd(limb + 6 * leaves + leaf[i], 1U);
        }
        __syncthreads();
        for (int k = threadIdx.x; k < leaves; k += blockDim.x) {
            total[3 * k] += take_limbs(limb + k, leaves);
            total[3 * k + 1] += take_limbs(limb + 3 * leaves + k, leaves);
            total[3 * k + 2] += limb[6 * leaves + k];
            limb[6 * leaves + k] = 0;
        }
        __syncthreads();
    }
    for (int k = threadIdx.x; k < 3 * leaves; k += blockDim.x)
        if (total[k])
            atomicAdd(&sum[k], (unsigned long long)total[k]);
}

/* Many leaves: rows of a warp seldom meet in one. */
__global__ void sum_many_leaves(TreeLoss loss, double g_scale, double h_scale, const uint16_t *leaf,
                                unsigned long long *sum)
{
    const int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    double g, h;
    if (i >= loss.n || loss.part[i] != 0)
        return;
    true_gradient(&g, &h, loss, i);
    unsigned long long *at = sum + 3 * (int64_t)leaf[i];
    atomicAdd(at, (unsigned long long)tree_fixed(g, g_scale));
    atomicAdd(at + 1, (unsigned long long)tree_fixed(h, h_scale));
    atomicAdd(at + 2, 1ULL);
}

static void leaf_sums(const DeviceContext *context, const TreeLeafSums *job)
{
    CudaCard *card = card_of(context);
    const size_t n = 3 * (size_t)job->leaves, shared = (size_t)job->leaves * (LIMBS * 4 + 3 * 8);
    int64_t *mine = static_cast<int64_t *>(malloc(n * sizeof *mine));
    TreeLoss loss = loss_on_card(card, &job->loss);
    const uint16_t *leaf = cuda_in(card, ROOM_LEAF, job->leaf, job->loss.n);
    auto sum = static_cast<unsigned long long *>(cuda_room(card, ROOM_SUMS, n * sizeof *mine));
    if (mine && sum && loss.n > 0 && cuda_is_good(card, cudaMemsetAsync(sum, 0, n * sizeof *sum, card->stream))) {
        if (job->leaves <= SUMMED)
            CUDA_LAUNCH(sum_leaves, blocks_for(loss.n), THREADS, shared, card->stream, loss, job->g_scale, job->h_scale,
                        leaf, job->leaves, sum);
        else
            CUDA_LAUNCH(sum_many_leaves, cuda_blocks(loss.n, THREADS), THREADS, 0, card->stream, loss, job->g_scale,
                        job->h_scale, leaf, sum);
        cuda_is_good(card, cudaMemcpyAsync(mine, sum, n * sizeof *mine, cudaMemcpyDeviceToHost, card->stream));
        loss_back(card, &job->loss, &loss);
    }
    if (!cuda_done(card) || !mine)
        context->spare->leaf_sums(context, job);
    else
        for (size_t k = 0; k < n && loss.n > 0; k++)
            job->sum[k] += mine[k];
    free(mine);
}

/* ---- margins ---- */

__global__ void add_values(int64_t n, const uint8_t *part, const uint16_t *leaf, const int32_t *value, int64_t *margin)
{
    const int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n && part[i] <= 1)
        margin[i] += value[leaf[i]];
}

static void add_leaves(const DeviceContext *context, const TreeAddLeaves *job)
{
    CudaCard *card = card_of(context);
    const uint8_t *part = cuda_in(card, ROOM_PART, job->part, job->n);
    const uint16_t *leaf = cuda_in(card, ROOM_LEAF, job->leaf, job->n);
    const int32_t *value = cuda_in(card, ROOM_VALUES, job->value, job->leaves);
    int64_t *margin = cuda_out(card, ROOM_MARGIN, job->margin, job->n, true);
    if (job->n > 0 && !card->failed) {
        CUDA_LAUNCH(add_values, cuda_blocks(job->n, THREADS), THREADS, 0, card->stream, job->n, part, leaf, value,
                    margin);
        cuda_back(card, job->margin, margin, job->n);
    }
    if (!cuda_done(card))
        context->spare->add_leaves(context, job);
}

void cuda_rows_ops(TreeOps *ops)
{
    ops->sizes = sizes;
    ops->gradients = gradients;
    ops->walk = walk;
    ops->leaf_sums = leaf_sums;
    ops->add_leaves = add_leaves;
}
