/* A card played by the processor, so that the plugin's kernels are tested where there is no GPU: what kernels/cuda/
 * uses of CUDA, in plain C++. A block's threads are fibers (card.cpp) that take turns at barriers and warp functions;
 * what is tested is what they compute, not how fast, and not what truly parallel threads would race for. */
#ifndef DIPPER_TESTS_CARD_CUDA_RUNTIME_H
#define DIPPER_TESTS_CARD_CUDA_RUNTIME_H

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>

#define __global__ static
#define __device__
#define __host__
#define __shared__      static
#define __forceinline__ inline
#define __launch_bounds__(...)

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned width = 1, unsigned height = 1, unsigned depth = 1) : x(width), y(height), z(depth)
    {
    }
};

/* Where the thread that runs now stands. */
struct CardThread {
    dim3 thread, block, threads, blocks;
    void *shared;
};
extern CardThread card_thread;
#define threadIdx (card_thread.thread)
#define blockIdx  (card_thread.block)
#define blockDim  (card_thread.threads)
#define gridDim   (card_thread.blocks)

void card_launch(dim3 blocks, dim3 threads, size_t shared, const std::function<void()> &kernel);
#define CUDA_LAUNCH(kernel, blocks, threads, shared, stream, ...)                                                      \
    card_launch(blocks, threads, shared, [&]() { kernel(__VA_ARGS__); })
#define CUDA_SHARED(type, name) type *name = static_cast<type *>(card_thread.shared)

void __syncthreads();
/* Every lane's value of a warp, when all lanes that still run have given theirs; lanes that ended give 0. */
const uint64_t *card_warp(uint64_t mine);

static inline void __syncwarp(unsigned = 0xffffffffU)
{
    card_warp(0);
}

static inline unsigned card_lane()
{
    return threadIdx.x % 32;
}

static inline unsigned __ballot_sync(unsigned, int mine)
{
    const uint64_t *all = card_warp(mine != 0);
    unsigned bits = 0;
    for (unsigned i = 0; i < 32; i++)
        bits |= (unsigned)all[i] << i;
    return bits;
}

template <class T> static inline T card_from(T mine, unsigned lane)
{
    static_assert(sizeof(T) <= 8, "a warp moves up to 8 bytes");
    uint64_t bits = 0;
    memcpy(&bits, &mine, sizeof mine);
    const uint64_t *all = card_warp(bits);
    memcpy(&mine, &all[lane % 32], sizeof mine);
    return mine;
}

template <class T> static inline T __shfl_sync(unsigned, T mine, int lane)
{
    return card_from(mine, (unsigned)lane);
}

template <class T> static inline T __shfl_up_sync(unsigned, T mine, unsigned by)
{
    return card_from(mine, card_lane() < by ? card_lane() : card_lane() - by);
}

template <class T> static inline T __shfl_down_sync(unsigned, T mine, unsigned by)
{
    return card_from(mine, card_lane() + by > 31 ? card_lane() : card_lane() + by);
}

template <class T> static inline T __shfl_xor_sync(unsigned, T mine, int by)
{
    return card_from(mine, card_lane() ^ (unsigned)by);
}

static inline int __popc(unsigned bits)
{
    return __builtin_popcount(bits);
}

template <class T, class U> static inline T atomicAdd(T *to, U what)
{
    T before = *to;
    *to = (T)(before + (T)what);
    return before;
}

template <class T> static inline T atomicCAS(T *to, T expected, T what)
{
    T before = *to;
    *to = before == expected ? what : before;
    return before;
}

static inline int min(int a, int b)
{
    return a < b ? a : b;
}

static inline int max(int a, int b)
{
    return a > b ? a : b;
}

/* ---- the runtime ---- */

enum cudaError_t {
    cudaSuccess,
    cudaErrorMemoryAllocation,
    cudaErrorInsufficientDriver,
    cudaErrorNoDevice,
    cudaErrorInvalidDevice,
    cudaErrorNotReady
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
enum { cudaStreamNonBlocking = 1, cudaFuncAttributeMaxDynamicSharedMemorySize = 8, cudaHostAllocDefault = 0 };
typedef void *cudaStream_t;
struct cudaDeviceProp {
    char name[256];
    int major;
};

/* Memory of the card is filled with garbage when it is taken; DIPPER_CARD_BYTES limits how much there is, and after
 * DIPPER_CARD_CALLS calls of this runtime the card fails. */
cudaError_t cudaMalloc(void **memory, size_t size);
template <class T> static inline cudaError_t cudaMalloc(T **memory, size_t size)
{
    return cudaMalloc(reinterpret_cast<void **>(memory), size);
}
cudaError_t cudaFree(void *memory);
cudaError_t cudaHostAlloc(void **memory, size_t size, unsigned flags);
cudaError_t cudaFreeHost(void *memory);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t size, cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void *to, int value, size_t size, cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamQuery(cudaStream_t stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaGetLastError();
cudaError_t cudaGetDeviceCount(int *cards);
cudaError_t cudaSetDevice(int ordinal);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int ordinal);
cudaError_t cudaDriverGetVersion(int *version);
const char *cudaGetErrorString(cudaError_t error);
template <class K> static inline cudaError_t cudaFuncSetAttribute(K, int, int)
{
    return cudaSuccess;
}

#endif
