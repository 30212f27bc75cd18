/* What kernels/cuda/cards.cu uses of NCCL, between processes of one machine whose cards are played: the "cards'" memory
 * is the host's, and ranks meet in a file of shared memory that the invitation names. A group's parts go over in
 * windows of cells: all write theirs, the roots add. As with NCCL, two ranks that differ in what they ask for wait for
 * ever (here: a minute). DIPPER_NCCL_RANKS says how many may meet: a way to have cards that do not reach each other. */
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
constexpr size_t CHUNK = 1 << 14;

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

/* What of a reduction, the group's cells from `at` on, lies in the window of cells that begins at `window`. */
static Reduction part_of(const Reduction &job, size_t at, size_t window)
{
    const size_t from = at > window ? at : window, end = at + job.n < window + CHUNK ? at + job.n : window + CHUNK;
    return from < end ? Reduction{job.from + (from - at), job.to ? job.to + (from - at) : nullptr, end - from, job.root}
                      : Reduction{};
}

/* A window of the group's cells: all write theirs, roots add. */
static bool reduce(ncclComm *comm, size_t window)
{
    size_t at = 0;
    for (const Reduction &job : asked) {
        const Reduction part = part_of(job, at, window);
        if (part.n > 0)
            memcpy(comm->place->chunk[comm->rank] + (at > window ? at - window : 0), part.from,
                   part.n * sizeof *part.from);
        at += job.n;
    }
    if (!meet(comm))
        return false;
    at = 0;
    for (const Reduction &job : asked) {
        const Reduction part = part_of(job, at, window);
        for (size_t i = 0; job.root == comm->rank && i < part.n; i++) {
            part.to[i] = 0;
            for (int r = 0; r < comm->ranks; r++)
                part.to[i] += comm->place->chunk[r][(at > window ? at - window : 0) + i];
        }
        at += job.n;
    }
    return meet(comm); /* the chunks may be written again */
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
    size_t all = 0;
    for (const Reduction &job : asked)
        all += job.n;
    for (size_t window = 0; window < all; window += CHUNK)
        if (!reduce(asked_of, window))
            return SYSTEM_ERROR;
    return SUCCESS;
}
