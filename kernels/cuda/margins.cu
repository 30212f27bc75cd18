/* Margins of a whole model. A thread takes four rows, whose places among a feature's borders are the bytes of one word:
 * of a symmetric tree a question is asked of all four by one compare (SWAR), other trees are walked row by row.
 *
 * Where what lies, so that shared memory is never fought for (bank = word % 32):
 *     places   [lane][thread]: a thread's words lie in its own bank, whatever its neighbours ask
 *     nodes    a level's are consecutive, up to 32 in different banks; all read a symmetric tree's together
 *     leaves   64 of them are two words a bank: at most two turns a look-up
 *
 * So a symmetric tree of depth 6 costs a warp 6 + 4 x 2 turns for 128 rows, a depth-wise one 4 x (6 x 2 + 2). With 132
 * multiprocessors at 1.75 GHz, one turn a cycle each, and 200 trees that is 10 and 2.6 G rows/s at the most; what was
 * reached is in tests/bench/cuda/README.md. */
#include "kernels/cuda/plan.h"

#include <cstdlib>
#include <cstring>

enum { ROWS = 4, WARP = 32, BYTE_DEPTH = 8 };
static constexpr int64_t PIECE = 1 << 16, HELD_PIECE = 1 << 20; /* rows at a time: over the link, on the card */
static constexpr int64_t FEW = 2048; /* rows that the processor has done before a card begins */
static constexpr uint32_t ONES = 0x01010101U, HIGHS = 0x80808080U;

/* ---- places ---- */

/* Columns of a piece: somewhere each, or `pitch` numbers apart. */
template <class T> struct Columns {
    const T *const *at;
    const T *base;
    int64_t first, pitch;
    __device__ const T *of(int column) const
    {
        return (at ? at[column] : base + column * pitch) + first;
    }
};

/* As the processor's: the turns are numbered with the first as bit 0 (device/backend.h). */
__device__ static inline uint8_t place_of(float value, const float *border, int levels)
{
    uint32_t turns = 0, below = 0;
    for (int l = 0; l < levels; l++) {
        const uint32_t right = border[(1 << l) + turns] < value;
        turns |= right << l;
        below = 2 * below + right;
    }
    return value != value ? 0 : (uint8_t)(below + 1);
}

/* Launch: y features. place [features][pitch]. */
__global__ void place_columns(Plan plan, Columns<float> from, int64_t n, uint8_t *place, int64_t pitch)
{
    __shared__ float border[PLAN_SEARCH];
    const Search search = plan.search[blockIdx.y];
    const float *value = from.of(blockIdx.y);
    for (int b = threadIdx.x; b < 1 << search.levels; b += blockDim.x)
        border[b] = plan.border[search.at + b];
    __syncthreads();
    for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (int64_t)gridDim.x * blockDim.x)
        place[blockIdx.y * pitch + i] = place_of(value[i], border, search.levels);
}

/* Launch: y 32 features each, 256 threads. A warp reads 32 columns of a row; tiles of rows are turned over in shared
 * memory. Search trees lie an odd number of words apart, so that lanes at the same turn meet in no bank. */
enum { TILE = 128, FEATURES = 32 };
__global__ void place_rows_of_floats(Plan plan, const float *x, int64_t n, int64_t stride, uint8_t *place,
                                     int64_t pitch)
{
    __shared__ float border[FEATURES][PLAN_SEARCH + 1];
    __shared__ uint32_t tile[FEATURES][TILE / 4 + 1];
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, warps = blockDim.x / WARP;
    const int first = blockIdx.y * FEATURES, feature = first + lane;
    const bool is = feature < plan.features;
    const Search search = is ? plan.search[feature] : Search{0, 0};
    const int column = is ? plan.column[feature] : 0;
    for (int f = warp; f < FEATURES && first + f < plan.features; f += warps)
        for (int b = lane; b < 1 << plan.search[first + f].levels; b += WARP)
            border[f][b] = plan.border[plan.search[first + f].at + b];
    __syncthreads();
    for (int64_t at = (int64_t)blockIdx.x * TILE; at < n; at += (int64_t)gridDim.x * TILE) {
        for (int r = warp; r < TILE && at + r < n; r += warps)
            if (is)
                reinterpret_cast<uint8_t *>(tile[lane])[r] =
                    place_of(x[(at + r) * stride + column], border[lane], search.levels);
        __syncthreads();
        for (int w = threadIdx.x; w < FEATURES * (TILE / 4); w += blockDim.x)
            if (first + w / (TILE / 4) < plan.features)
                reinterpret_cast<uint32_t *>(place + (first + w / (TILE / 4)) * pitch + at)[w % (TILE / 4)] =
                    tile[w / (TILE / 4)][w % (TILE / 4)];
        __syncthreads();
    }
}

/* ---- trees ---- */

/* The places of rows row .. row + 3 of a lane. Nothing behind row n is read. */
__device__ static inline uint32_t places_of(const Plan &plan, const Columns<uint8_t> &from, int lane, int64_t row,
                                            int64_t n, bool aligned)
{
    uint32_t word = 0;
    if (lane == 2 * plan.features)
        return 0;
    const uint8_t *column = from.of(lane / 2);
    if (aligned && row + ROWS <= n)
        word = *reinterpret_cast<const uint32_t *>(column + row);
    else
        for (int k = 0; k < ROWS && row + k < n; k++)
            word |= (uint32_t)column[row + k] << 8 * k;
    return lane % 2 == 0 ? word : ((word | HIGHS) - ONES) ^ (~word & HIGHS); /* each byte less 1 */
}

/* In each byte 1 where places >= least, of 255 - least: the high bit of the mean of both, rounded up. */
__device__ static inline uint32_t at_least(uint32_t places, uint32_t less)
{
    const uint32_t mean = (places | less) - (((places ^ less) >> 1) & ~HIGHS);
    return mean >> 7 & ONES;
}

/* Up to BYTE_DEPTH levels: the leaves of four rows grow in the bytes of a word. */
template <int DEPTH>
__device__ static inline void add_symmetric(const uint32_t *tree, const Group &group, const uint32_t *places,
                                            int64_t *sum)
{
    const int depth = DEPTH ? DEPTH : group.depth;
    for (int t = 0; t < group.trees; t++, tree += group.size) {
        const uint32_t *leaf = tree + 2 * depth;
        uint32_t at = 0;
        for (int level = 0; level < depth; level++)
            at = 2 * at + at_least(places[tree[2 * level]], tree[2 * level + 1]);
        for (int k = 0; k < ROWS; k++)
            sum[k] += (int32_t)leaf[at >> 8 * k & 0xFF];
    }
}

__device__ static inline void add_deep_symmetric(const uint32_t *tree, const Group &group, const uint32_t *places,
                                                 int64_t *sum)
{
    for (int t = 0; t < group.trees; t++, tree += group.size)
        for (int k = 0; k < ROWS; k++) {
            uint32_t at = 0;
            for (int level = 0; level < group.depth; level++)
                at = 2 * at + (at_least(places[tree[2 * level]], tree[2 * level + 1]) >> 8 * k & 1);
            sum[k] += (int32_t)tree[2 * group.depth + at];
        }
}

template <int DEPTH>
__device__ static inline void add_walked(const uint32_t *tree, const Group &group, const uint32_t *places, int64_t *sum)
{
    const int depth = DEPTH ? DEPTH : group.depth;
    for (int t = 0; t < group.trees; t++, tree += group.size) {
        uint32_t node[ROWS] = {0, 0, 0, 0};
        for (int level = 0; level < depth; level++)
            for (int k = 0; k < ROWS; k++) {
                const uint32_t question = tree[node[k]];
                const uint32_t place = reinterpret_cast<const uint8_t *>(places + (question >> 8))[k];
                node[k] = 2 * node[k] + 1 + (place >= (question & 0xFF));
            }
        for (int k = 0; k < ROWS; k++)
            sum[k] += (int32_t)tree[node[k]];
    }
}

template <bool SYMMETRIC>
__device__ static inline void add_group(const uint32_t *tree, const Group &group, const uint32_t *places, int64_t *sum)
{
    if (SYMMETRIC && group.depth > BYTE_DEPTH)
        add_deep_symmetric(tree, group, places, sum);
    else if (SYMMETRIC && group.depth == 6)
        add_symmetric<6>(tree, group, places, sum);
    else if (SYMMETRIC)
        add_symmetric<0>(tree, group, places, sum);
    else if (group.depth == 6)
        add_walked<6>(tree, group, places, sum);
    else
        add_walked<0>(tree, group, places, sum);
}

/* Launch: four rows a thread, whole warps; shared memory: a word a lane and thread, and PLAN_STAGE words in which
 * groups of trees are read by all; a tree larger than that is read where it lies. */
template <bool SYMMETRIC>
__global__ void __launch_bounds__(PLAN_THREADS)
    add_trees(Plan plan, Columns<uint8_t> from, int64_t n, bool aligned, int64_t *margin)
{
    CUDA_SHARED(uint32_t, shared);
    uint32_t *stage = shared + plan.lanes * (int)blockDim.x, *places = shared + threadIdx.x;
    const int64_t row = ((int64_t)blockIdx.x * blockDim.x + threadIdx.x) * ROWS;
    int64_t sum[ROWS] = {plan.bias, plan.bias, plan.bias, plan.bias};
    for (int q = 0; q < plan.lanes; q++)
        places[q * (int)blockDim.x] = places_of(plan, from, plan.lane[q], row, n, aligned);
    for (int g = 0; g < plan.groups; g++) {
        const Group group = plan.group[g];
        const uint32_t *tree = plan.image + group.at;
        if (group.size > PLAN_STAGE) {
            add_group<SYMMETRIC>(tree, group, places, sum);
            continue;
        }
        __syncthreads(); /* the group before has been read */
        for (int w = threadIdx.x; w < group.trees * group.size; w += blockDim.x)
            stage[w] = tree[w];
        __syncthreads();
        add_group<SYMMETRIC>(stage, group, places, sum);
    }
    for (int k = 0; k < ROWS && row + k < n; k++)
        margin[row + k] = sum[k];
}

using TreesKernel = void (*)(Plan, Columns<uint8_t>, int64_t, bool, int64_t *);
static TreesKernel trees_kernel(const Plan *plan)
{
    return plan->symmetric ? add_trees<true> : add_trees<false>;
}

bool plan_is_ready(CudaCard *card, const Plan *plan)
{
    return cuda_is_good(
        card, cudaFuncSetAttribute(trees_kernel(plan), cudaFuncAttributeMaxDynamicSharedMemorySize, PLAN_SHARED));
}

/* ---- the operation ---- */

/* A job on its way: pieces go by two flows in turn, so that one is brought over while another is computed. */
struct Trip {
    const TreeMargins *job;
    const KeptPlan *kept;
    bool held;       /* the rows lie on the card */
    bool aligned;    /* columns of places begin at whole words */
    int64_t *margin; /* on the card; NULL: comes back */
    int64_t piece;
};

static bool input_held(const CudaCard *card, const TreeMargins *job)
{
    const TreePlan *plan = job->plan;
    if (job->x)
        return cuda_held(card, job->x) != nullptr;
    for (int f = 0; f < plan->features; f++)
        if (!cuda_held(card, job->place ? static_cast<const void *>(job->place[f])
                                        : static_cast<const void *>(job->value[plan->column[f]])))
            return false;
    return plan->features > 0;
}

/* Of held columns of places; those of a piece begin so. */
static bool words_begin(const CudaCard *card, const TreeMargins *job)
{
    for (int f = 0; job->place && f < job->plan->features; f++)
        if ((reinterpret_cast<uintptr_t>(cuda_held(card, job->place[f])) + (uintptr_t)job->first) % ROWS != 0)
            return false;
    return true;
}

/* What a flow brought back goes where it belongs. */
static void land(CudaCard *card, CudaFlow *flow)
{
    cuda_is_good(card, cudaStreamSynchronize(flow->stream));
    if (!card->failed && flow->rows > 0)
        memcpy(flow->to, flow->margin.host, (size_t)flow->rows * sizeof(int64_t));
    flow->rows = 0;
}

/* The rows of a piece as one stretch of memory, in the flow's. false: the card is given up. */
static bool bring(CudaCard *card, CudaFlow *flow, const Trip *trip, int64_t at, int64_t n)
{
    const TreeMargins *job = trip->job;
    const TreePlan *plan = job->plan;
    const size_t each = job->place ? 1 : sizeof(float), pitch = (size_t)trip->piece * each;
    const size_t size =
        job->x ? (size_t)((n - 1) * job->stride + plan->columns) * each : pitch * (size_t)plan->features;
    if (!cuda_both(card, &flow->input, job->x ? (size_t)(trip->piece * job->stride) * each : size))
        return false;
    char *to = static_cast<char *>(flow->input.host);
    if (job->x)
        memcpy(to, job->x + at * job->stride, size);
    for (int f = 0; f < plan->features && !job->x; f++) {
        const void *column = job->place ? static_cast<const void *>(job->place[f] + job->first + at)
                                        : static_cast<const void *>(job->value[plan->column[f]] + job->first + at);
        memcpy(to + (size_t)f * pitch, column, (size_t)n * each);
    }
    return cuda_is_good(card, cudaMemcpyAsync(flow->input.there, to, size, cudaMemcpyHostToDevice, flow->stream));
}

/* Where the columns of a held job lie, for the kernels. */
static bool point(CudaCard *card, CudaFlow *flow, const Trip *trip)
{
    const TreeMargins *job = trip->job;
    const TreePlan *plan = job->plan;
    const size_t size = (size_t)plan->features * sizeof(void *);
    if (job->x)
        return true;
    if (!cuda_both(card, &flow->input, size))
        return false;
    const void **to = static_cast<const void **>(flow->input.host);
    for (int f = 0; f < plan->features; f++)
        to[f] = cuda_held(card, job->place ? static_cast<const void *>(job->place[f])
                                           : static_cast<const void *>(job->value[plan->column[f]]));
    return cuda_is_good(card, cudaMemcpyAsync(flow->input.there, to, size, cudaMemcpyHostToDevice, flow->stream));
}

template <class T> static Columns<T> columns_of(const CudaFlow *flow, const Trip *trip, int64_t at)
{
    if (trip->held)
        return Columns<T>{static_cast<const T *const *>(flow->input.there), nullptr, trip->job->first + at, 0};
    return Columns<T>{nullptr, static_cast<const T *>(flow->input.there), 0, trip->piece};
}

/* The places of a piece of floats, in the flow's memory. */
static Columns<uint8_t> find_places(CudaCard *card, CudaFlow *flow, const Trip *trip, int64_t at, int64_t n)
{
    const Plan &plan = trip->kept->on;
    const TreeMargins *job = trip->job;
    const int64_t pitch = trip->piece;
    auto place = static_cast<uint8_t *>(cuda_grow(card, &flow->place, (size_t)(pitch * plan.features)));
    if (place && job->x) {
        const float *x = trip->held ? static_cast<const float *>(cuda_held(card, job->x)) + at * job->stride
                                    : static_cast<const float *>(flow->input.there);
        const dim3 blocks(cuda_blocks(n, 8 * TILE), cuda_blocks(plan.features, FEATURES));
        CUDA_LAUNCH(place_rows_of_floats, blocks, PLAN_THREADS, 0, flow->stream, plan, x, n, job->stride, place, pitch);
    } else if (place) {
        const dim3 blocks(cuda_blocks(n, 8 * PLAN_THREADS), (unsigned)plan.features);
        CUDA_LAUNCH(place_columns, blocks, PLAN_THREADS, 0, flow->stream, plan, columns_of<float>(flow, trip, at), n,
                    place, pitch);
    }
    return Columns<uint8_t>{nullptr, place, 0, pitch};
}

/* All trees on a piece whose places are there; its margins stay where the job's are held, or are on their way back. */
static void send_trees(CudaCard *card, CudaFlow *flow, const Trip *trip, const Columns<uint8_t> &from, int64_t at,
                       int64_t n)
{
    const Plan &plan = trip->kept->on;
    const int threads = trip->kept->threads, shared = (plan.lanes * threads + PLAN_STAGE) * (int)sizeof(uint32_t);
    const TreesKernel kernel = trees_kernel(&plan);
    if (!trip->margin && !cuda_both(card, &flow->margin, (size_t)trip->piece * sizeof(int64_t)))
        return;
    int64_t *margin = trip->margin ? trip->margin + at : static_cast<int64_t *>(flow->margin.there);
    CUDA_LAUNCH(kernel, cuda_blocks(n, ROWS * threads), threads, shared, flow->stream, plan, from, n, trip->aligned,
                margin);
    cuda_is_good(card, cudaGetLastError());
    if (trip->margin || card->failed)
        return;
    cuda_is_good(card, cudaMemcpyAsync(flow->margin.host, margin, (size_t)n * sizeof *margin, cudaMemcpyDeviceToHost,
                                       flow->stream));
    flow->to = trip->job->margin + at;
    flow->rows = n;
}

static void send_piece(CudaCard *card, CudaFlow *flow, const Trip *trip, int64_t at, int64_t n)
{
    const TreeMargins *job = trip->job;
    const bool any = job->plan->features > 0;
    Columns<uint8_t> from = {};
    land(card, flow);
    if (any && !(trip->held ? point(card, flow, trip) : bring(card, flow, trip, at, n)))
        return;
    if (any)
        from = job->place ? columns_of<uint8_t>(flow, trip, at) : find_places(card, flow, trip, at, n);
    if (!card->failed)
        send_trees(card, flow, trip, from, at, n);
}

static bool margins_on_card(CudaCard *card, const Trip *trip)
{
    const int64_t n = trip->job->n;
    cuda_is_good(card, cudaSetDevice(card->ordinal)); /* a thread begins with the first card */
    int flow = 0;
    for (int64_t at = 0; at < n && !card->failed; at += trip->piece, flow = 1 - flow)
        send_piece(card, &card->flow[flow], trip, at, n - at < trip->piece ? n - at : trip->piece);
    for (CudaFlow &each : card->flow)
        land(card, &each);
    return !card->failed;
}

/* On the processor, of memory that the card may hold. */
static void margins_here(const DeviceContext *context, const TreeMargins *job, bool held)
{
    CudaCard *card = card_of(context);
    const TreePlan *plan = job->plan;
    const int64_t rows = job->first + job->n;
    if (held && job->x)
        cuda_fetch(card, job->x, (job->n - 1) * job->stride + plan->columns);
    for (int f = 0; held && !job->x && f < plan->features; f++)
        job->place ? cuda_fetch(card, job->place[f], rows) : cuda_fetch(card, job->value[plan->column[f]], rows);
    context->spare->margins(context, job);
    if (void *there = card->failed ? nullptr : cuda_held(card, job->margin)) {
        cuda_is_good(card, cudaMemcpyAsync(there, job->margin, (size_t)job->n * sizeof(int64_t), cudaMemcpyHostToDevice,
                                           card->stream));
        cuda_done(card);
    }
}

/* Several threads may call: they take turns. */
static void margins(const DeviceContext *context, const TreeMargins *job)
{
    CudaCard *card = card_of(context);
    const bool held = input_held(card, job);
    Trip trip = {};
    trip.job = job;
    trip.kept = static_cast<const KeptPlan *>(job->plan->kept);
    trip.held = held;
    trip.aligned = !held || words_begin(card, job);
    trip.margin = static_cast<int64_t *>(cuda_held(card, job->margin));
    trip.piece = held ? HELD_PIECE : PIECE;
    if (!held && !trip.margin && job->n < FEW) {
        context->spare->margins(context, job);
        return;
    }
    const CudaTurn turn(card->lock);
    trip.piece = trip.piece < job->n ? trip.piece : (job->n + TILE - 1) / TILE * TILE;
    if (!trip.kept || card->failed || job->n == 0 || !margins_on_card(card, &trip))
        margins_here(context, job, held);
}

void cuda_margins_ops(TreeOps *ops)
{
    ops->margins = margins;
}
