/* kernels/cuda/cuda_priv.h -- inside the plugin: memory on the card, and what an operation does when the card fails.
 *
 * Operations take and give host memory. What is held (TreeOps.hold) has a copy on the card, and operations work in
 * that; other arguments are copied there and back. When a call of the CUDA runtime fails, the card is given up: this
 * operation and all later ones are computed by the processor's table, to the same bits, unless held memory was lost
 * with the card, which `lost` tells. */
#ifndef DIPPER_CUDA_PRIV_H
#define DIPPER_CUDA_PRIV_H

#include <cuda_runtime.h>

#include <mutex>

extern "C" {
#include "device/backend.h"
}

/* A launch, and the memory of a block whose size the launch gives. tests/support/card plays both without a card. */
#ifndef CUDA_LAUNCH
#define CUDA_LAUNCH(kernel, blocks, threads, shared, stream, ...)                                                      \
    kernel<<<blocks, threads, shared, stream>>>(__VA_ARGS__)
#define CUDA_SHARED(type, name)                                                                                        \
    extern __shared__ __align__(16) unsigned char cuda_shared[];                                                       \
    type *name = reinterpret_cast<type *>(cuda_shared)
#endif

/* Memory on the card that grows and is kept between calls: one for each kind of argument. */
struct CudaRoom {
    void *data;
    size_t size;
};
enum CudaRoomOf {
    ROOM_BINS,
    ROOM_FEATURES,
    ROOM_MARGIN,
    ROOM_LABEL,
    ROOM_PART,
    ROOM_WEIGHT,
    ROOM_CHANCE,
    ROOM_G,
    ROOM_H,
    ROOM_ROW,
    ROOM_DRAW,
    ROOM_PAIR,
    ROOM_INDEX,
    ROOM_SCRATCH,
    ROOM_PIECES,
    ROOM_CUTS,
    ROOM_COUNTS,
    ROOM_CELLS,
    ROOM_CELLS_2,
    ROOM_CELLS_3,
    ROOM_SPLITS,
    ROOM_NODES,
    ROOM_LEAF,
    ROOM_VALUES,
    ROOM_KEYS,
    ROOM_SUMS,
    ROOMS
};

/* The same on the card and, page-locked, on the host. */
struct CudaBoth {
    void *host, *there;
    size_t size;
};

/* One of two ways by which pieces of a long job go to the card and back: while a piece is computed, the other comes. */
struct CudaFlow {
    cudaStream_t stream;
    CudaBoth input, margin;
    CudaRoom place;
    int64_t *to; /* what comes back: `rows` margins */
    int64_t rows;
};

/* Host memory with a copy on the card. */
struct CudaHeld {
    const char *host;
    size_t size;
    char *there;
};
enum { CUDA_HELD = 32 };
struct CudaNccl; /* cards.cu */

/* DeviceContext.own */
struct CudaCard {
    int ordinal;
    bool failed, lost;
    cudaStream_t stream;
    CudaRoom room[ROOMS];
    CudaHeld held[CUDA_HELD];
    std::mutex lock; /* of flows, and of `stream` where several threads may call */
    CudaFlow flow[2];
    CudaNccl *nccl; /* NULL: not asked for, or not there */
};
using CudaTurn = std::lock_guard<std::mutex>;

static inline CudaCard *card_of(const DeviceContext *context)
{
    return static_cast<CudaCard *>(context->own);
}

/* false: the card is given up. */
bool cuda_is_good(CudaCard *card, cudaError_t error);
/* Waits for all that was asked; false: the card is given up. */
bool cuda_done(CudaCard *card);
/* At least `size` bytes; NULL: the card is given up. */
void *cuda_grow(CudaCard *card, CudaRoom *room, size_t size);
bool cuda_both(CudaCard *card, CudaBoth *both, size_t size);
void *cuda_room(CudaCard *card, CudaRoomOf which, size_t size);
/* The same, filled from host memory. */
void *cuda_upload(CudaCard *card, CudaRoomOf which, const void *from, size_t size);
/* The copy of held memory; NULL where it is not held. */
void *cuda_held(const CudaCard *card, const void *host);

/* An argument that is read, [n] on the host: its copy on the card; NULL when host is NULL or the card is given up. */
template <class T> static inline const T *cuda_in(CudaCard *card, CudaRoomOf which, const T *host, int64_t n)
{
    if (!host || card->failed)
        return nullptr;
    void *held = cuda_held(card, host);
    return static_cast<const T *>(held ? held : cuda_upload(card, which, host, (size_t)n * sizeof(T)));
}

/* An argument that is written, and read where `read` says so. */
template <class T> static inline T *cuda_out(CudaCard *card, CudaRoomOf which, T *host, int64_t n, bool read)
{
    if (card->failed)
        return nullptr;
    if (void *held = cuda_held(card, host))
        return static_cast<T *>(held);
    return static_cast<T *>(read ? cuda_upload(card, which, host, (size_t)n * sizeof(T))
                                 : cuda_room(card, which, (size_t)n * sizeof(T)));
}

/* Brings n of what was written back to the host, unless it is held. */
template <class T> static inline void cuda_back(CudaCard *card, T *host, const T *there, int64_t n)
{
    if (!card->failed && n > 0 && !cuda_held(card, host))
        cuda_is_good(card, cudaMemcpyAsync(host, there, (size_t)n * sizeof(T), cudaMemcpyDeviceToHost, card->stream));
}

/* Brings n of what is held to the host, for an operation that is not done on the card. */
template <class T> static inline void cuda_fetch(CudaCard *card, const T *host, int64_t n)
{
    const void *held = cuda_held(card, host);
    if (held && n > 0 && !card->failed) {
        cuda_is_good(card, cudaMemcpyAsync(const_cast<T *>(host), held, (size_t)n * sizeof(T), cudaMemcpyDeviceToHost,
                                           card->stream));
        cuda_done(card);
    }
}

/* One thread for each of n. */
static inline unsigned cuda_blocks(int64_t n, int threads)
{
    return (unsigned)((n + threads - 1) / threads);
}

/* Used features on the card: which column, and where their bins begin. */
struct Lane {
    int32_t feature, at, bins;
};
/* All of a tree's; NULL: the card is given up. */
const Lane *cuda_lanes(CudaCard *card, const TreeFeatures *features);

/* Bins on the card: what TreeBins.kept is. */
struct Kept {
    uint8_t *block; /* all blocks of the rows, as TreeBins.block */
    bool own;
};

/* The files' parts of the table. */
void cuda_rows_ops(TreeOps *ops);       /* rows.cu */
void cuda_lists_ops(TreeOps *ops);      /* lists.cu */
void cuda_histograms_ops(TreeOps *ops); /* histograms.cu */
void cuda_splits_ops(TreeOps *ops);     /* splits.cu */
void cuda_plan_ops(TreeOps *ops);       /* plan.cu */
void cuda_margins_ops(TreeOps *ops);    /* margins.cu */
void cuda_columns_ops(TreeOps *ops);    /* columns.cu */
void cuda_cards_ops(TreeOps *ops);      /* cards.cu */
void cuda_cards_close(CudaCard *card);

#endif
