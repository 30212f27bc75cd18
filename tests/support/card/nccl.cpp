/* What kernels/cuda/cards.cu uses of NCCL, between processes of one machine whose cards are played: the "cards'" memory
 * is the host's, and ranks meet in a file of shared memory that the invitation names. A part goes over in chunks: all
 * write theirs, the root adds. As with NCCL, two ranks that differ in what they ask for wait for ever (here: a minute).
 * DIPPER_NCCL_RANKS says how many may meet: a way to have cards that do not reach each other. */
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <vector>

#define SHOWN extern "C" __attribute__((visibility("default")))

namespace
{

enum { RANKS = 16, SUCCESS = 0, SYSTEM_ERROR = 2, INVALID_USAGE = 5 };
constexpr size_t CHUNK = 4096;

struct Place {
    std::atomic<int> came[2], turn; /* at the meeting point of this turn */
    int64_t chunk[RANKS][CHUNK];
};

struct Reduction {
    const int64_t *from;
    int64_t *to;
    size_t n;
    int root;
};

} // namespace

struct ncclComm {
    Place *place;
    int rank, ranks, turn;
};
struct Id {
    char internal[128];
};

/* What a group has asked for; a process has one card, and one thread that uses it. */
static std::vector<Reduction> asked;
static ncclComm *asked_of;

static bool meet(ncclComm *comm)
{
    std::atomic<int> &came = comm->place->came[comm->turn % 2], &next = comm->place->turn;
    const time_t began = time(nullptr);
    if (++came == comm->ranks) {
        came = 0;
        next = ++comm->turn;
        return true;
    }
    while (next == comm->turn) {
        sched_yield();
        if (time(nullptr) - began > 60)
            return false;
    }
    comm->turn++;
    return true;
}

static bool reduce(ncclComm *comm, const Reduction &job)
{
    for (size_t at = 0; at < job.n; at += CHUNK) {
        const size_t n = job.n - at < CHUNK ? job.n - at : CHUNK;
        memcpy(comm->place->chunk[comm->rank], job.from + at, n * sizeof *job.from);
        if (!meet(comm))
            return false;
        if (comm->rank == job.root)
            for (size_t i = 0; i < n; i++) {
                job.to[at + i] = 0;
                for (int r = 0; r < comm->ranks; r++)
                    job.to[at + i] += comm->place->chunk[r][i];
            }
        if (!meet(comm)) /* the chunks may be written again */
            return false;
    }
    return true;
}

SHOWN int ncclGetUniqueId(Id *id)
{
    const char *folder = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
    memset(id, 0, sizeof *id);
    snprintf(id->internal, sizeof id->internal, "%s/nccl-XXXXXX", folder);
    const int file = mkstemp(id->internal);
    const bool good = file >= 0 && ftruncate(file, sizeof(Place)) == 0;
    if (file >= 0)
        close(file);
    return good ? SUCCESS : SYSTEM_ERROR;
}

SHOWN int ncclCommInitRank(ncclComm **comm, int ranks, Id id, int rank)
{
    const char *most = getenv("DIPPER_NCCL_RANKS");
    const int file = open(id.internal, O_RDWR);
    *comm = nullptr;
    if (file < 0)
        return SYSTEM_ERROR;
    void *memory = mmap(nullptr, sizeof(Place), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (memory == MAP_FAILED)
        return SYSTEM_ERROR;
    *comm = new ncclComm{static_cast<Place *>(memory), rank, ranks, 0};
    if (!meet(*comm)) /* all have opened the file */
        return SYSTEM_ERROR;
    unlink(id.internal);
    if (ranks <= (most ? atoi(most) : RANKS))
        return SUCCESS;
    munmap(memory, sizeof(Place));
    delete *comm;
    *comm = nullptr;
    return INVALID_USAGE;
}

SHOWN int ncclCommDestroy(ncclComm *comm)
{
    munmap(comm->place, sizeof(Place));
    delete comm;
    return SUCCESS;
}

SHOWN int ncclCommAbort(ncclComm *comm)
{
    return ncclCommDestroy(comm);
}

SHOWN int ncclCommGetAsyncError(ncclComm *, int *error)
{
    *error = SUCCESS;
    return SUCCESS;
}

SHOWN int ncclGroupStart()
{
    asked.clear();
    return SUCCESS;
}

SHOWN int ncclReduce(const void *from, void *to, size_t n, int type, int op, int root, ncclComm *comm, void *)
{
    enum { INT64 = 4, SUM = 0 };
    if (type != INT64 || op != SUM || root < 0 || root >= comm->ranks || (root == comm->rank && !to))
        return INVALID_USAGE;
    asked_of = comm;
    asked.push_back(Reduction{static_cast<const int64_t *>(from), static_cast<int64_t *>(to), n, root});
    return SUCCESS;
}

SHOWN int ncclGroupEnd()
{
    for (const Reduction &job : asked)
        if (!reduce(asked_of, job))
            return SYSTEM_ERROR;
    return SUCCESS;
}
