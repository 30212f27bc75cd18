/* Histograms of nodes, and of their siblings. */
#include "kernels/cuda/cuda_priv.h"

#include <cstdlib>

enum { PIECE = 1 << 16, THREADS = 1024, CELLS = 256 * TREE_BLOCK };

/* Launch: x pieces of rows, y blocks of 32 features, 1024 threads. A warp takes a row at a time, a lane a feature.
 * Cells [bin][lane], g and h in two planes (64 KiB of shared memory): the bank is the lane, so the atomics of a warp
 * never meet whatever the data. A piece has at most 65,536 rows, so that 16,383 levels fit 32 bits. Flushed by 64-bit
 * adds to global memory. */
__global__ void __launch_bounds__(THREADS, 1)
    count_rows(const uint8_t *bins, int64_t n, int features, const Lane *lanes, int used, const TreePair *pair,
               const uint32_t *index, const TreeSegment *piece, int nodes, unsigned long long *out)
{
    CUDA_SHARED(uint32_t, cells);
    uint32_t *g = cells, *h = cells + CELLS;
    const TreeSegment mine = piece[blockIdx.x];
    const int block = blockIdx.y, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const int width = min(features - block * TREE_BLOCK, (int)TREE_BLOCK);
    const uint8_t *rows = bins + (int64_t)block * TREE_BLOCK * n;
    for (int c = threadIdx.x; c < 2 * CELLS; c += THREADS)
        cells[c] = 0;
    __syncthreads();
    for (int64_t i = warp; i < mine.count; i += THREADS / 32) {
        const uint32_t row = index[mine.begin + i], value = pair[row];
        if (lane < width) {
            const int cell = rows[(int64_t)row * width + lane] * TREE_BLOCK + lane;
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
            const int cell = b * TREE_BLOCK + to.feature % TREE_BLOCK;
            if (g[cell] | h[cell]) {
                atomicAdd(histogram + 2 * b, (unsigned long long)(int64_t)(int32_t)g[cell]);
                atomicAdd(histogram + 2 * b + 1, (unsigned long long)h[cell]);
            }
        }
    }
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
                TreeSegment{job->segment[s].begin + at, left < PIECE ? left : (int64_t)PIECE, job->segment[s].node};
        }
    return piece;
}

static bool histogram_on_card(CudaCard *card, const TreeHistogram *job)
{
    const Kept *kept = static_cast<const Kept *>(job->bins->kept);
    const int64_t cells = 2 * (int64_t)job->features->at[job->features->n] * job->nodes;
    const int blocks = (job->bins->features + TREE_BLOCK - 1) / TREE_BLOCK;
    const int shared = 2 * CELLS * (int)sizeof(uint32_t);
    int pieces = 0;
    int64_t listed = 0;
    if (!kept || card->failed)
        return false;
    TreeSegment *cut = cut_pieces(job, &pieces, &listed);
    if (!cut)
        return false;
    const Lane *lanes = cuda_lanes(card, job->features);
    const TreePair *pair = cuda_in(card, ROOM_PAIR, job->pair, job->bins->n);
    const uint32_t *index = cuda_in(card, ROOM_INDEX, job->index, listed);
    const TreeSegment *piece = cuda_in(card, ROOM_PIECES, cut, pieces);
    int64_t *out = cuda_out(card, ROOM_CELLS, job->out, cells, job->add);
    if (!job->add && out)
        cuda_is_good(card, cudaMemsetAsync(out, 0, (size_t)cells * sizeof *out, card->stream));
    if (pieces > 0 && !card->failed &&
        cuda_is_good(card, cudaFuncSetAttribute(count_rows, cudaFuncAttributeMaxDynamicSharedMemorySize, shared)))
        CUDA_LAUNCH(count_rows, dim3((unsigned)pieces, (unsigned)blocks), THREADS, shared, card->stream, kept->block,
                    job->bins->n, job->bins->features, lanes, job->features->n, pair, index, piece, job->nodes,
                    reinterpret_cast<unsigned long long *>(out));
    cuda_back(card, job->out, out, cells);
    cuda_done(card);
    free(cut);
    return !card->failed;
}

static void histogram(const DeviceContext *context, const TreeHistogram *job)
{
    if (!histogram_on_card(card_of(context), job))
        context->spare->histogram(context, job);
}

/* ---- siblings ---- */

/* Launch: x features, y siblings. */
__global__ void subtract(const Lane *lanes, int first, const TreeSibling *sibling, const int64_t *parents,
                         int n_parents, const int64_t *built, int n_built, int64_t *out, int n_out)
{
    const Lane lane = lanes[first + blockIdx.x];
    const TreeSibling of = sibling[blockIdx.y];
    const int64_t at = lane.at - lanes[first].at, bins = lane.bins;
    for (int c = threadIdx.x; c < 2 * bins; c += blockDim.x) {
        const int64_t smaller = built[2 * (at * n_built + of.built * bins) + c];
        out[2 * (at * n_out + of.smaller * bins) + c] = smaller;
        out[2 * (at * n_out + of.larger * bins) + c] = parents[2 * (at * n_parents + of.parent * bins) + c] - smaller;
    }
}

/* What is not held costs more to bring than to compute here. */
static void siblings(const DeviceContext *context, const TreeSiblings *job)
{
    CudaCard *card = card_of(context);
    const TreeFeatures *features = job->features;
    const int64_t bins = features->at[job->last] - features->at[job->first];
    if (!cuda_held(card, job->out) || card->failed || bins == 0 || job->siblings == 0) {
        cuda_fetch(card, job->parents, 2 * bins * job->n_parents);
        cuda_fetch(card, job->built, 2 * bins * job->n_built);
        context->spare->siblings(context, job);
        return;
    }
    const Lane *lanes = cuda_lanes(card, features);
    const TreeSibling *sibling = cuda_in(card, ROOM_NODES, job->sibling, job->siblings);
    const int64_t *parents = cuda_in(card, ROOM_CELLS_2, job->parents, 2 * bins * job->n_parents);
    const int64_t *built = cuda_in(card, ROOM_CELLS_3, job->built, 2 * bins * job->n_built);
    int64_t *out = cuda_out(card, ROOM_CELLS, job->out, 2 * bins * job->n_out, true);
    if (!card->failed)
        CUDA_LAUNCH(subtract, dim3((unsigned)(job->last - job->first), (unsigned)job->siblings), 256, 0, card->stream,
                    lanes, job->first, sibling, parents, job->n_parents, built, job->n_built, out, job->n_out);
    if (!cuda_done(card))
        context->spare->siblings(context, job);
}

void cuda_histograms_ops(TreeOps *ops)
{
    ops->histogram = histogram;
    ops->siblings = siblings;
}
