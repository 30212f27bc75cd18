/* kernels/cuda/cuda_priv.h -- inside the plugin: memory on the card, and what an operation does when the card fails.
 *
 * Operations take and give host memory. When a call of the CUDA runtime fails, the card is given up: this operation and
 * all later ones are computed by the processor's table, to the same bits. */
#ifndef DIPPER_CUDA_PRIV_H
#define DIPPER_CUDA_PRIV_H

#include <cuda_runtime.h>

extern "C" {
#include "device/backend.h"
}

/* Memory on the card that grows and is kept between calls. */
struct CudaRoom {
    void *data;
    size_t size;
};

enum { ROOM_PAIR, ROOM_INDEX, ROOM_PIECE, ROOM_FEATURE, ROOM_CELLS, ROOM_SPLIT, ROOM_NODE, ROOM_LEAF, ROOMS };

/* DeviceContext.own */
struct CudaCard {
    int ordinal;
    bool failed;
    cudaStream_t stream;
    CudaRoom room[ROOMS];
};

static inline CudaCard *card_of(const DeviceContext *context)
{
    return static_cast<CudaCard *>(context->own);
}

/* false: the card is given up. */
bool cuda_is_good(CudaCard *card, cudaError_t error);
/* At least `size` bytes; NULL: the card is given up. */
void *cuda_room(CudaCard *card, int which, size_t size);
/* The same, filled from host memory. */
void *cuda_upload(CudaCard *card, int which, const void *from, size_t size);

extern const TreeOps cuda_tree_ops;

#endif
