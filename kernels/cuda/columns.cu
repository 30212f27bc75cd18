/* Columns of floats that lie on the card: keys that sort as the values do, which are counted and never sorted
 * (trees/borders.c asks for the counts of a bisection, 32 of them a column), and bins. */
#include "kernels/cuda/cuda_priv.h"

#include <cstring>

#include "device/tree_math.h"

/* EACH: rows a thread takes. SLOTS: of a set of keys, many more than there ever are. NONE: no value's key. */
enum { THREADS = 256, EACH = 16, SLOTS = 1024, LIMITS = 256 };
static constexpr uint32_t NONE = 0xFFFFFFFFU;

static unsigned blocks_for(int64_t n)
{
    const int64_t blocks = (n + THREADS * EACH - 1) / (THREADS * EACH);
    return (unsigned)(blocks < 4096 ? blocks : 4096);
}

/* Launch: any blocks. Rows that do not count, and missing values, have the key NONE. counts: present, missing. */
__global__ void make_keys(const float *value, const uint8_t *use, int64_t n, uint32_t *key, unsigned long long *counts)
{
    uint32_t present = 0, missing = 0;
    for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (int64_t)gridDim.x * blockDim.x) {
        const float v = value[i];
        const bool counts_here = !use || use[i], is = v == v;
        key[i] = counts_here && is ? tree_key(v) : NONE;
        present += counts_here && is;
        missing += counts_here && !is;
    }
    if (present)
        atomicAdd(&counts[0], (unsigned long long)present);
    if (missing)
        atomicAdd(&counts[1], (unsigned long long)missing);
}

/* The number of limits below x; limit ascends. */
template <class T> __device__ static inline int number_below(const T *limit, int n, T x)
{
    int low = 0, high = n;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (limit[middle] < x)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Launch: any blocks. among[b] += keys with b limits below them, b < limits. */
__global__ void count_among(const uint32_t *key, int64_t n, const uint32_t *limit, int limits,
                            unsigned long long *among)
{
    __shared__ uint32_t mine[LIMITS], count[LIMITS + 1];
    for (int b = threadIdx.x; b <= limits; b += blockDim.x) {
        count[b] = 0;
        if (b < limits)
            mine[b] = limit[b];
    }
    __syncthreads();
    for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (int64_t)gridDim.x * blockDim.x)
        atomicAdd(&count[number_below(mine, limits, key[i])], 1U);
    __syncthreads();
    for (int b = threadIdx.x; b < limits; b += blockDim.x)
        if (count[b])
            atomicAdd(&among[b], (unsigned long long)count[b]);
}

/* Puts a key into a set by open addressing; false: it was there, or there is no place. */
__device__ static inline bool add_key(uint32_t *slot, uint32_t key)
{
    uint32_t at = key * 0x9E3779B1U >> 22; /* SLOTS is 2^10 */
    for (int tried = 0; tried < SLOTS; tried++, at = (at + 1) % SLOTS) {
        const uint32_t before = slot[at] == NONE ? atomicCAS(&slot[at], NONE, key) : slot[at];
        if (before == NONE)
            return true;
        if (before == key)
            return false;
    }
    return false;
}

/* The different keys of a column, [SLOTS], and their number; more than `most`: all stop looking. */
struct Found {
    uint32_t slot[SLOTS];
    uint32_t n;
};

/* Launch: any blocks. A block has a set of its own, so that keys met before cost a look into shared memory. */
__global__ void find_keys(const uint32_t *key, int64_t n, uint32_t most, Found *all)
{
    __shared__ uint32_t slot[SLOTS];
    volatile const uint32_t *found = &all->n;
    for (int s = threadIdx.x; s < SLOTS; s += blockDim.x)
        slot[s] = NONE;
    __syncthreads();
    for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < n && *found <= most;
         i += (int64_t)gridDim.x * blockDim.x)
        if (key[i] != NONE && add_key(slot, key[i]) && add_key(all->slot, key[i]))
            atomicAdd(&all->n, 1U);
}

/* Launch: any blocks. */
__global__ void bin_values(const float *value, int64_t n, const float *border, int borders, uint8_t *bin)
{
    __shared__ float mine[PLAN_SEARCH];
    for (int b = threadIdx.x; b < borders; b += blockDim.x)
        mine[b] = border[b];
    __syncthreads();
    for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (int64_t)gridDim.x * blockDim.x) {
        const float v = value[i];
        bin[i] = v == v ? (uint8_t)(1 + number_below(mine, borders, v)) : 0;
    }
}

/* ---- the operations ---- */

/* Of a column that lies here: bringing it costs more than the processor's sorting saves. */
static bool take_keys(const DeviceContext *context, TreeKeyColumn *job)
{
    CudaCard *card = card_of(context);
    unsigned long long counts[2] = {0, 0};
    auto value = static_cast<const float *>(cuda_held(card, job->value));
    if (!value || card->failed)
        return false;
    const uint8_t *use = cuda_in(card, ROOM_PART, job->use, job->n);
    auto key = static_cast<uint32_t *>(cuda_room(card, ROOM_KEYS, (size_t)job->n * sizeof(uint32_t)));
    auto there = static_cast<unsigned long long *>(cuda_upload(card, ROOM_COUNTS, counts, sizeof counts));
    if (!card->failed) {
        CUDA_LAUNCH(make_keys, blocks_for(job->n), THREADS, 0, card->stream, value, use, job->n, key, there);
        cuda_is_good(card, cudaMemcpyAsync(counts, there, sizeof counts, cudaMemcpyDeviceToHost, card->stream));
    }
    job->present = (int64_t)counts[0];
    job->missing = (int64_t)counts[1];
    return cuda_done(card);
}

static void count_keys(const DeviceContext *context, const TreeKeyColumn *job, const uint32_t *limit, int limits,
                       int64_t *count)
{
    CudaCard *card = card_of(context);
    unsigned long long among[LIMITS] = {0};
    const size_t size = (size_t)limits * sizeof *among;
    auto key = static_cast<const uint32_t *>(card->room[ROOM_KEYS].data);
    const uint32_t *limit_there = cuda_in(card, ROOM_VALUES, limit, limits);
    auto there = static_cast<unsigned long long *>(cuda_upload(card, ROOM_COUNTS, among, size));
    if (!card->failed) {
        CUDA_LAUNCH(count_among, blocks_for(job->n), THREADS, 0, card->stream, key, job->n, limit_there, limits, there);
        cuda_is_good(card, cudaMemcpyAsync(among, there, size, cudaMemcpyDeviceToHost, card->stream));
    }
    cuda_done(card);
    int64_t upto = 0;
    for (int b = 0; b < limits; b++)
        count[b] = upto += (int64_t)among[b];
}

static int distinct_keys(const DeviceContext *context, const TreeKeyColumn *job, int most, uint32_t *to)
{
    CudaCard *card = card_of(context);
    Found found;
    auto key = static_cast<const uint32_t *>(card->room[ROOM_KEYS].data);
    memset(&found, 0xFF, sizeof found); /* NONE everywhere */
    found.n = 0;
    auto there = static_cast<Found *>(cuda_upload(card, ROOM_CELLS, &found, sizeof found));
    if (!card->failed) {
        CUDA_LAUNCH(find_keys, blocks_for(job->n), THREADS, 0, card->stream, key, job->n, (uint32_t)most, there);
        cuda_is_good(card, cudaMemcpyAsync(&found, there, sizeof found, cudaMemcpyDeviceToHost, card->stream));
    }
    if (!cuda_done(card) || found.n > (uint32_t)most)
        return most + 1;
    int n = 0;
    for (uint32_t slot : found.slot)
        if (slot != NONE)
            to[n++] = slot;
    return n;
}

static void bin(const DeviceContext *context, const float *values, int64_t n, const float *border, int n_borders,
                uint8_t *bins)
{
    CudaCard *card = card_of(context);
    auto value = static_cast<const float *>(cuda_held(card, values));
    if (!value || card->failed || n == 0) {
        context->spare->bin(context, values, n, border, n_borders, bins);
        return;
    }
    const CudaTurn turn(card->lock);
    const float *border_there = cuda_in(card, ROOM_VALUES, border, n_borders);
    uint8_t *to = cuda_out(card, ROOM_LEAF, bins, n, false);
    if (!card->failed) {
        CUDA_LAUNCH(bin_values, blocks_for(n), THREADS, 0, card->stream, value, n, border_there, n_borders, to);
        cuda_back(card, bins, to, n);
    }
    if (!cuda_done(card))
        context->spare->bin(context, values, n, border, n_borders, bins);
}

void cuda_columns_ops(TreeOps *ops)
{
    ops->take_keys = take_keys;
    ops->count_keys = count_keys;
    ops->distinct_keys = distinct_keys;
    ops->bin = bin;
}
