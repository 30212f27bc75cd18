/* The plugin's entry: opening a card, its memory, and saying why not. */
#include "kernels/cuda/cuda_priv.h"

#include <cstdio>
#include <cstdlib>
#include <new>

bool cuda_is_good(CudaCard *card, cudaError_t error)
{
    if (error != cudaSuccess)
        card->failed = true;
    return !card->failed;
}

bool cuda_done(CudaCard *card)
{
    cuda_is_good(card, cudaGetLastError());
    return cuda_is_good(card, cudaStreamSynchronize(card->stream));
}

void *cuda_grow(CudaCard *card, CudaRoom *room, size_t size)
{
    if (card->failed)
        return nullptr;
    if (size > room->size || !room->data) {
        cudaFree(room->data);
        room->data = nullptr;
        room->size = 0;
        size_t wanted = size + size / 4 + 256;
        if (!cuda_is_good(card, cudaMalloc(&room->data, wanted)))
            return nullptr;
        room->size = wanted;
    }
    return room->data;
}

void *cuda_room(CudaCard *card, CudaRoomOf which, size_t size)
{
    return cuda_grow(card, &card->room[which], size);
}

static void free_both(CudaBoth *both)
{
    cudaFree(both->there);
    cudaFreeHost(both->host);
    *both = CudaBoth{};
}

bool cuda_both(CudaCard *card, CudaBoth *both, size_t size)
{
    if (card->failed || size <= both->size)
        return !card->failed;
    free_both(both);
    if (cuda_is_good(card, cudaMalloc(&both->there, size)) &&
        cuda_is_good(card, cudaHostAlloc(&both->host, size, cudaHostAllocDefault)))
        both->size = size;
    return !card->failed;
}

void *cuda_upload(CudaCard *card, CudaRoomOf which, const void *from, size_t size)
{
    void *to = cuda_room(card, which, size);
    if (!to || size == 0)
        return to;
    return cuda_is_good(card, cudaMemcpyAsync(to, from, size, cudaMemcpyHostToDevice, card->stream)) ? to : nullptr;
}

const Lane *cuda_lanes(CudaCard *card, const TreeFeatures *features)
{
    Lane *lanes = static_cast<Lane *>(calloc((size_t)features->n + 1, sizeof(Lane)));
    const void *there = nullptr;
    if (lanes) {
        for (int j = 0; j < features->n; j++)
            lanes[j] = Lane{features->id[j], features->at[j], features->at[j + 1] - features->at[j]};
        there = cuda_upload(card, ROOM_FEATURES, lanes, (size_t)features->n * sizeof(Lane));
        cudaStreamSynchronize(card->stream);
    }
    free(lanes);
    return static_cast<const Lane *>(there);
}

/* ---- held memory ---- */

static CudaHeld *find_held(CudaCard *card, const void *host)
{
    const char *at = static_cast<const char *>(host);
    for (CudaHeld &held : card->held)
        if (held.there && at >= held.host && at < held.host + held.size)
            return &held;
    return nullptr;
}

void *cuda_held(const CudaCard *card, const void *host)
{
    const CudaHeld *held = find_held(const_cast<CudaCard *>(card), host);
    return held ? held->there + (static_cast<const char *>(host) - held->host) : nullptr;
}

/* Where there is no memory left, or no place, nothing is held: operations copy what they need. */
static void hold(const DeviceContext *context, const void *host, size_t size)
{
    CudaCard *card = card_of(context);
    for (CudaHeld &held : card->held) {
        if (held.there)
            continue;
        if (size > 0 && !card->failed && cudaMalloc(&held.there, size + TREE_PAD) == cudaSuccess) {
            held.host = static_cast<const char *>(host);
            held.size = size;
        } else
            held.there = nullptr;
        cudaGetLastError();
        return;
    }
}

static void release(const DeviceContext *context, const void *host)
{
    CudaHeld *held = find_held(card_of(context), host);
    if (!held)
        return;
    cudaFree(held->there);
    *held = CudaHeld{};
}

static void put(const DeviceContext *context, const void *host, size_t size)
{
    CudaCard *card = card_of(context);
    void *there = cuda_held(card, host);
    if (there && size > 0 && !card->failed) {
        cuda_is_good(card, cudaMemcpyAsync(there, host, size, cudaMemcpyHostToDevice, card->stream));
        cuda_done(card);
    }
}

static void fetch(const DeviceContext *context, void *host, size_t size)
{
    CudaCard *card = card_of(context);
    void *there = cuda_held(card, host);
    if (there && size > 0 && !card->failed) {
        cuda_is_good(card, cudaMemcpyAsync(host, there, size, cudaMemcpyDeviceToHost, card->stream));
        cuda_done(card);
    }
}

static bool lost(const DeviceContext *context)
{
    CudaCard *card = card_of(context);
    if (card->failed)
        for (const CudaHeld &held : card->held)
            card->lost |= held.there != nullptr;
    return card->lost;
}

static void *keep(const DeviceContext *context, const TreeBins *bins)
{
    CudaCard *card = card_of(context);
    size_t size = (size_t)bins->n * (size_t)bins->features;
    Kept *kept = static_cast<Kept *>(calloc(1, sizeof(Kept)));
    if (!kept || card->failed || size == 0) {
        free(kept);
        return nullptr;
    }
    kept->block = static_cast<uint8_t *>(cuda_held(card, bins->block));
    if (!kept->block) {
        kept->own = true;
        if (cudaMalloc(&kept->block, size + TREE_PAD) != cudaSuccess) {
            cudaGetLastError(); /* not enough memory: the processor computes on these bins */
            free(kept);
            return nullptr;
        }
        cuda_is_good(card, cudaMemcpyAsync(kept->block, bins->block, size, cudaMemcpyHostToDevice, card->stream));
        cuda_done(card);
    }
    return kept;
}

static void drop(const DeviceContext *, void *handle)
{
    Kept *kept = static_cast<Kept *>(handle);
    if (kept && kept->own)
        cudaFree(kept->block);
    free(kept);
}

/* ---- the card ---- */

static const char *why_not(cudaError_t error)
{
    int driver = 0;
    switch (error) {
    case cudaErrorInsufficientDriver:
        cudaDriverGetVersion(&driver);
        return driver == 0 ? "no driver" : "the driver is too old for this build";
    case cudaErrorNoDevice:
        return "no card";
    case cudaErrorMemoryAllocation:
        return "the card's memory is taken";
    case cudaErrorInvalidDevice:
        return "no card of that number";
    default:
        return cudaGetErrorString(error);
    }
}

static void close_card(DeviceContext *context)
{
    CudaCard *card = card_of(context);
    if (!card)
        return;
    cuda_cards_close(card);
    for (CudaRoom &room : card->room)
        cudaFree(room.data);
    for (CudaHeld &held : card->held)
        cudaFree(held.there);
    for (CudaFlow &flow : card->flow) {
        free_both(&flow.input);
        free_both(&flow.margin);
        cudaFree(flow.place.data);
        if (flow.stream)
            cudaStreamDestroy(flow.stream);
    }
    if (card->stream)
        cudaStreamDestroy(card->stream);
    delete card;
    context->own = nullptr;
}

static const char *open_card(DeviceContext *context, int ordinal, char *what, size_t size)
{
    int cards = 0;
    cudaDeviceProp properties;
    cudaError_t error = cudaGetDeviceCount(&cards);
    if (error == cudaSuccess && cards == 0)
        error = cudaErrorNoDevice;
    if (error != cudaSuccess)
        return why_not(error);
    ordinal %= cards; /* ranks of a host take the cards in turn */
    if ((error = cudaSetDevice(ordinal)) != cudaSuccess ||
        (error = cudaGetDeviceProperties(&properties, ordinal)) != cudaSuccess)
        return why_not(error);
    if (properties.major < 8)
        return "the card is older than compute capability 8.0";
    CudaCard *card = new (std::nothrow) CudaCard();
    if (!card)
        return "out of memory";
    card->ordinal = ordinal;
    context->own = card;
    error = cudaStreamCreateWithFlags(&card->stream, cudaStreamNonBlocking);
    for (CudaFlow &flow : card->flow)
        if (error == cudaSuccess)
            error = cudaStreamCreateWithFlags(&flow.stream, cudaStreamNonBlocking);
    if (error != cudaSuccess) {
        close_card(context);
        return why_not(error);
    }
    snprintf(what, size, "cuda %s", properties.name);
    return nullptr;
}

/* The slots that are here; C++17 has no designated initialisers. */
static TreeOps make_ops()
{
    TreeOps ops = {};
    ops.hold = hold;
    ops.release = release;
    ops.put = put;
    ops.fetch = fetch;
    ops.lost = lost;
    ops.keep = keep;
    ops.drop = drop;
    cuda_rows_ops(&ops);
    cuda_lists_ops(&ops);
    cuda_histograms_ops(&ops);
    cuda_splits_ops(&ops);
    cuda_plan_ops(&ops);
    cuda_margins_ops(&ops);
    cuda_columns_ops(&ops);
    cuda_cards_ops(&ops);
    return ops;
}
static const TreeOps tree_ops = make_ops();
static constexpr int64_t ROWS_AT_ONCE = 1 << 20; /* so that both flows of margins.cu are at work */
static const Backend backend_cuda = {DEVICE_ABI, "cuda", ROWS_AT_ONCE, open_card, close_card, &tree_ops};

extern "C" __attribute__((visibility("default"))) const Backend *dipper_backend(uint32_t abi)
{
    return abi == DEVICE_ABI ? &backend_cuda : nullptr;
}
