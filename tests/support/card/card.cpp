/* Blocks one after the other; a block's threads as fibers, each running until it waits or ends. */
#include "cuda_runtime.h"

#include <csetjmp>
#include <cstdio>
#include <ucontext.h>
#include <unordered_map>
#include <vector>

CardThread card_thread;

namespace
{

enum State { RUNS, AT_BLOCK, AT_WARP, ENDED };
enum { STACK = 64 * 1024, WARP = 32 };

struct Fiber {
    ucontext_t context; /* for its first turn; from then on: */
    jmp_buf at;         /* which switches without a system call */
    bool begun;
    std::vector<char> stack;
    State state;
    unsigned turn; /* of warp functions */
};

/* What lanes gave: in turns, because a lane may come to the next function before another has read this one. */
struct Warp {
    uint64_t given[2][WARP];
};

std::vector<Fiber> fibers;
std::vector<Warp> warps;
std::vector<char> shared_memory;
ucontext_t start;
jmp_buf scheduler;
unsigned now;
const std::function<void()> *kernel_now;

void wait_as(State state)
{
    fibers[now].state = state;
    if (_setjmp(fibers[now].at) == 0)
        _longjmp(scheduler, 1);
}

void run_fiber()
{
    (*kernel_now)();
    wait_as(ENDED);
}

/* Lets those go on whom nobody keeps waiting. false: all have ended. */
bool wake(unsigned n)
{
    bool any = false, all_at_block = true;
    for (unsigned from = 0; from < n; from += WARP) {
        bool at_warp = true, some = false;
        for (unsigned i = from; i < n && i < from + WARP; i++) {
            at_warp &= fibers[i].state == AT_WARP || fibers[i].state == ENDED;
            some |= fibers[i].state == AT_WARP;
            all_at_block &= fibers[i].state == AT_BLOCK || fibers[i].state == ENDED;
            any |= fibers[i].state != ENDED;
        }
        for (unsigned i = from; at_warp && some && i < n && i < from + WARP; i++)
            if (fibers[i].state == AT_WARP)
                fibers[i].state = RUNS;
    }
    bool runs = false;
    for (unsigned i = 0; i < n; i++) {
        if (all_at_block && fibers[i].state == AT_BLOCK)
            fibers[i].state = RUNS;
        runs |= fibers[i].state == RUNS;
    }
    if (any && !runs) {
        fprintf(stderr, "card: threads of a block wait for each other in different places\n");
        abort();
    }
    return any;
}

void run_turn(Fiber &fiber)
{
    if (_setjmp(scheduler) != 0)
        return;
    if (fiber.begun)
        _longjmp(fiber.at, 1);
    fiber.begun = true;
    swapcontext(&start, &fiber.context);
}

void run_block(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        Fiber &fiber = fibers[i];
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack.data();
        fiber.context.uc_stack.ss_size = fiber.stack.size();
        fiber.context.uc_link = nullptr;
        makecontext(&fiber.context, run_fiber, 0);
        fiber.state = RUNS;
        fiber.begun = false;
        fiber.turn = 0;
    }
    memset(warps.data(), 0, warps.size() * sizeof(Warp));
    do
        for (now = 0; now < n; now++)
            if (fibers[now].state == RUNS) {
                card_thread.thread = dim3(now);
                run_turn(fibers[now]);
            }
    while (wake(n));
}

/* ---- failing ---- */

size_t taken;
std::unordered_map<void *, size_t> sizes;
cudaError_t last;

long calls_left()
{
    static long calls = getenv("DIPPER_CARD_CALLS") ? atol(getenv("DIPPER_CARD_CALLS")) : -1;
    return calls > 0 ? --calls : calls;
}

cudaError_t call()
{
    return last = calls_left() == 0 ? cudaErrorInvalidDevice : cudaSuccess;
}

} // namespace

void __syncthreads()
{
    wait_as(AT_BLOCK);
}

const uint64_t *card_warp(uint64_t mine)
{
    Warp &warp = warps[now / WARP];
    unsigned turn = fibers[now].turn++ % 2;
    warp.given[turn][now % WARP] = mine;
    wait_as(AT_WARP);
    return warp.given[turn];
}

void card_launch(dim3 blocks, dim3 threads, size_t shared, const std::function<void()> &kernel)
{
    if (call() != cudaSuccess)
        return;
    if (fibers.size() < threads.x) {
        fibers.resize(threads.x);
        for (Fiber &fiber : fibers)
            fiber.stack.resize(STACK);
    }
    warps.resize((threads.x + WARP - 1) / WARP);
    kernel_now = &kernel;
    for (unsigned y = 0; y < blocks.y; y++)
        for (unsigned x = 0; x < blocks.x; x++) {
            shared_memory.assign(shared, (char)0xA5);
            card_thread = CardThread{dim3(0), dim3(x, y), threads, blocks, shared_memory.data()};
            run_block(threads.x);
        }
}

cudaError_t cudaMalloc(void **memory, size_t size)
{
    static size_t most = getenv("DIPPER_CARD_BYTES") ? (size_t)atoll(getenv("DIPPER_CARD_BYTES")) : SIZE_MAX;
    *memory = nullptr;
    if (call() != cudaSuccess)
        return last;
    if (size > most - taken)
        return last = cudaErrorMemoryAllocation;
    *memory = malloc(size + 1);
    memset(*memory, 0xA5, size);
    sizes[*memory] = size;
    taken += size;
    return cudaSuccess;
}

cudaError_t cudaFree(void *memory)
{
    if (memory) {
        taken -= sizes[memory];
        sizes.erase(memory);
        free(memory);
    }
    return cudaSuccess;
}

cudaError_t cudaHostAlloc(void **memory, size_t size, unsigned)
{
    *memory = nullptr;
    if (call() == cudaSuccess)
        *memory = malloc(size + 1);
    return last;
}

cudaError_t cudaFreeHost(void *memory)
{
    free(memory);
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t size, cudaMemcpyKind, cudaStream_t)
{
    if (call() == cudaSuccess && size > 0)
        memcpy(to, from, size);
    return last;
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t size, cudaStream_t)
{
    if (call() == cudaSuccess && size > 0)
        memset(to, value, size);
    return last;
}

cudaError_t cudaStreamSynchronize(cudaStream_t)
{
    return call();
}

cudaError_t cudaStreamQuery(cudaStream_t)
{
    return call();
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned)
{
    *stream = &start;
    return call();
}

cudaError_t cudaStreamDestroy(cudaStream_t)
{
    return cudaSuccess;
}

cudaError_t cudaGetLastError()
{
    cudaError_t error = last;
    last = cudaSuccess;
    return error;
}

cudaError_t cudaGetDeviceCount(int *cards)
{
    *cards = 1;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int)
{
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int)
{
    snprintf(properties->name, sizeof properties->name, "card played by the processor");
    properties->major = 9;
    return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *version)
{
    *version = 13000;
    return cudaSuccess;
}

const char *cudaGetErrorString(cudaError_t)
{
    return "the card failed";
}
