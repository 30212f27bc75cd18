/* The plugin's entry: opening a card, its memory, and saying why not. */
#include "kernels/cuda/cuda_priv.h"

#include <cstdio>
#include <new>

bool cuda_is_good(CudaCard *card, cudaError_t error)
{
    if (error != cudaSuccess)
        card->failed = true;
    return !card->failed;
}

void *cuda_room(CudaCard *card, int which, size_t size)
{
    CudaRoom *room = &card->room[which];
    if (card->failed)
        return nullptr;
    if (size > room->size) {
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

void *cuda_upload(CudaCard *card, int which, const void *from, size_t size)
{
    void *to = cuda_room(card, which, size);
    if (!to || size == 0)
        return to;
    return cuda_is_good(card, cudaMemcpyAsync(to, from, size, cudaMemcpyHostToDevice, card->stream)) ? to : nullptr;
}

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
    for (int i = 0; i < ROOMS; i++)
        cudaFree(card->room[i].data);
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
    if (error != cudaSuccess) {
        close_card(context);
        return why_not(error);
    }
    snprintf(what, size, "cuda %s", properties.name);
    return nullptr;
}

static const Backend backend_cuda = {DEVICE_ABI, "cuda", open_card, close_card, &cuda_tree_ops};

extern "C" __attribute__((visibility("default"))) const Backend *dipper_backend(uint32_t abi)
{
    return abi == DEVICE_ABI ? &backend_cuda : nullptr;
}
