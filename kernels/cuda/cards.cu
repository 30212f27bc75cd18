/* Cards of several ranks: sums go from card to card by NCCL, over NVLink or the network as it finds them. NCCL is
 * opened when it is asked for (libnccl.so.2, or the file that DIPPER_NCCL names), so that neither building nor training
 * on one card needs it. */
#include "kernels/cuda/cuda_priv.h"

#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <new>
#include <ctime>
#include <sched.h>

/* What is used of nccl.h (2.x: these have not changed since 2.4). */
typedef struct ncclComm *NcclComm;
enum { NCCL_SUCCESS = 0, NCCL_IN_PROGRESS = 7, NCCL_INT64 = 4, NCCL_SUM = 0 };
struct NcclId {
    char internal[sizeof(DeviceInvitation)];
};
struct CudaNccl {
    void *library;
    NcclComm comm; /* NULL: not joined */
    int rank, ranks;
    int (*get_id)(NcclId *id);
    int (*init)(NcclComm *comm, int ranks, NcclId id, int rank);
    int (*destroy)(NcclComm comm);
    int (*give_up)(NcclComm comm);
    int (*async_error)(NcclComm comm, int *error);
    int (*group_start)();
    int (*group_end)();
    int (*reduce)(const void *from, void *to, size_t n, int type, int op, int root, NcclComm comm, cudaStream_t stream);
};

template <class F> static bool find(void *library, const char *name, F *function)
{
    *function = reinterpret_cast<F>(dlsym(library, name));
    return *function != nullptr;
}

/* The library, opened once a card; NULL: there is none. */
static CudaNccl *nccl_of(CudaCard *card)
{
    if (card->nccl)
        return card->nccl;
    const char *asked = getenv("DIPPER_NCCL");
    void *library = dlopen(asked && *asked ? asked : "libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
    CudaNccl *n = library ? new (std::nothrow) CudaNccl() : nullptr;
    if (!n || !find(library, "ncclGetUniqueId", &n->get_id) || !find(library, "ncclCommInitRank", &n->init) ||
        !find(library, "ncclCommDestroy", &n->destroy) || !find(library, "ncclCommAbort", &n->give_up) ||
        !find(library, "ncclCommGetAsyncError", &n->async_error) || !find(library, "ncclGroupStart", &n->group_start) ||
        !find(library, "ncclGroupEnd", &n->group_end) || !find(library, "ncclReduce", &n->reduce)) {
        delete n;
        if (library)
            dlclose(library);
        return nullptr;
    }
    n->library = library;
    card->nccl = n;
    return n;
}

static bool invite(const DeviceContext *context, DeviceInvitation *invitation)
{
    CudaCard *card = card_of(context);
    NcclId id;
    CudaNccl *nccl = card->failed ? nullptr : nccl_of(card);
    if (!nccl || (invitation && nccl->get_id(&id) != NCCL_SUCCESS))
        return false;
    if (invitation)
        memcpy(invitation, &id, sizeof id);
    return true;
}

static bool join(const DeviceContext *context, const DeviceInvitation *invitation, int rank, int ranks)
{
    CudaCard *card = card_of(context);
    CudaNccl *nccl = nccl_of(card);
    NcclId id;
    if (!nccl || nccl->comm)
        return false;
    memcpy(&id, invitation, sizeof id);
    if (nccl->init(&nccl->comm, ranks, id, rank) != NCCL_SUCCESS) { /* two ranks of one card, no way between cards */
        nccl->comm = nullptr;
        return false;
    }
    nccl->rank = rank;
    nccl->ranks = ranks;
    return true;
}

static void leave(const DeviceContext *context)
{
    CudaCard *card = card_of(context);
    CudaNccl *nccl = card->nccl;
    if (nccl && nccl->comm)
        card->failed ? nccl->give_up(nccl->comm) : nccl->destroy(nccl->comm);
    if (nccl)
        nccl->comm = nullptr;
}

void cuda_cards_close(CudaCard *card)
{
    if (card->nccl && card->nccl->comm)
        card->nccl->give_up(card->nccl->comm);
    if (card->nccl)
        dlclose(card->nccl->library);
    delete card->nccl;
    card->nccl = nullptr;
}

/* Waits for the stream, but not for a card that is gone. */
enum { PATIENCE = 300 }; /* seconds: a level's sums take milliseconds */
static bool wait_for_cards(CudaCard *card)
{
    CudaNccl *nccl = card->nccl;
    const time_t began = time(nullptr);
    for (;;) {
        int error = NCCL_SUCCESS;
        const cudaError_t state = cudaStreamQuery(card->stream);
        if (state != cudaErrorNotReady)
            return cuda_is_good(card, state);
        if (nccl->async_error(nccl->comm, &error) != NCCL_SUCCESS ||
            (error != NCCL_SUCCESS && error != NCCL_IN_PROGRESS) || time(nullptr) - began > PATIENCE) {
            card->failed = true;
            return false;
        }
        sched_yield();
    }
}

/* NCCL's own reduce-scatter wants equal parts; a group of reductions, a root each, is one launch too and moves no more.
 * Sums of integers are the same in any order. */
static void sum_parts(const DeviceContext *context, const DeviceParts *job)
{
    CudaCard *card = card_of(context);
    CudaNccl *nccl = card->nccl;
    int64_t all = 0, at = 0;
    for (int r = 0; r < nccl->ranks; r++)
        all += job->counts[r];
    const int64_t *from = cuda_in(card, ROOM_CELLS, job->all, all);
    int64_t *to = cuda_out(card, ROOM_CELLS_2, job->mine, job->counts[nccl->rank], false);
    int error = card->failed ? 1 : nccl->group_start();
    for (int r = 0; r < nccl->ranks && error == NCCL_SUCCESS; at += job->counts[r], r++)
        if (job->counts[r] > 0)
            error = nccl->reduce(from + at, r == nccl->rank ? to : nullptr, (size_t)job->counts[r], NCCL_INT64,
                                 NCCL_SUM, r, nccl->comm, card->stream);
    if (!card->failed && nccl->group_end() != NCCL_SUCCESS)
        error = 1;
    card->failed |= error != NCCL_SUCCESS;
    if (!card->failed && wait_for_cards(card)) {
        cuda_back(card, job->mine, to, job->counts[nccl->rank]);
        cuda_done(card);
    }
}

void cuda_cards_ops(TreeOps *ops)
{
    ops->invite = invite;
    ops->join = join;
    ops->leave = leave;
    ops->sum_parts = sum_parts;
}
