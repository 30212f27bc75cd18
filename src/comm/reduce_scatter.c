/* Sums of integers over ranks, each rank keeping its part: recursive halving. In each of log2(ranks) rounds a rank
 * gives the half of its stretch that it will not keep to a partner and adds what the partner gives to the other half;
 * so a rank moves (ranks - 1) / ranks of the numbers, whatever the sizes of the parts. (Open MPI sums everything on one
 * rank when a part is empty, which is usual here: ranks without features.) Where ranks are no power of two, the first
 * ones go in pairs, of which one works for both. Source: Thakur, Rabenseifner, Gropp, "Optimization of collective
 * communication operations in MPICH", IJHPCA 19(1), 2005. */
#include <string.h>

#include "comm_priv.h"

enum { TAG = 0x7253 };

/* Numbers that are sent in pieces of COMM_ROOM while earlier ones are being added. */
typedef struct Trade {
    const int64_t *send;
    int64_t *sum;
    size_t sends, sums;
    int with;
} Trade;

static size_t piece_of(size_t n, size_t k)
{
    size_t before = k * COMM_ROOM;
    return before >= n ? 0 : n - before < COMM_ROOM ? n - before : COMM_ROOM;
}

static void start_piece(const Comm *comm, const Trade *trade, size_t k, MPI_Request request[2])
{
    size_t in = piece_of(trade->sums, k), out = piece_of(trade->sends, k);
    request[0] = request[1] = MPI_REQUEST_NULL;
    if (in > 0)
        MPI_Irecv(comm->room + k % 2 * COMM_ROOM, (int)in, MPI_INT64_T, trade->with, TAG, comm->mpi, &request[0]);
    if (out > 0)
        MPI_Isend(trade->send + k * COMM_ROOM, (int)out, MPI_INT64_T, trade->with, TAG, comm->mpi, &request[1]);
}

static void add_piece(const Comm *comm, const Trade *trade, size_t k)
{
    int64_t *to = trade->sum + k * COMM_ROOM;
    const int64_t *what = comm->room + k % 2 * COMM_ROOM;
    for (size_t i = 0; i < piece_of(trade->sums, k); i++)
        to[i] += what[i];
}

/* sum[i] += what `with` sends; it gets `send`. */
static void trade(const Comm *comm, Trade job)
{
    MPI_Request request[2][2];
    size_t most = job.sends > job.sums ? job.sends : job.sums, pieces = (most + COMM_ROOM - 1) / COMM_ROOM;
    if (pieces > 0)
        start_piece(comm, &job, 0, request[0]);
    for (size_t k = 0; k < pieces; k++) {
        if (k + 1 < pieces)
            start_piece(comm, &job, k + 1, request[(k + 1) % 2]);
        /* start_piece made them or left them null, which the checker does not see */
        MPI_Waitall(2, request[k % 2], MPI_STATUSES_IGNORE); /* NOLINT(clang-analyzer-optin.mpi.MPI-Checker) */
        add_piece(comm, &job, k);
    }
}

/* A power of two of places; the first `pairs` of them are two ranks each, 2 i and 2 i + 1, the others one. */
typedef struct Places {
    int n, pairs;
} Places;

static Places places_of(int ranks)
{
    Places places = {.n = 1};
    while (2 * places.n <= ranks)
        places.n *= 2;
    places.pairs = ranks - places.n;
    return places;
}

static int first_rank(Places places, int place)
{
    return place < places.pairs ? 2 * place : place + places.pairs;
}

/* The one that works for the place. */
static int worker(Places places, int place)
{
    return place < places.pairs ? 2 * place + 1 : place + places.pairs;
}

/* Halves the stretch of places lo .. hi - 1, whose parts are the numbers from .. to - 1, until it is this one. */
static void halve(const Comm *comm, Places places, int place, int64_t *values, const int *counts)
{
    int lo = 0, hi = places.n;
    size_t from = 0, to = 0;
    for (int r = 0; r < comm->size; r++)
        to += (size_t)counts[r];
    while (hi - lo > 1) {
        int half = (hi - lo) / 2, middle = lo + half;
        size_t cut = from;
        for (int r = first_rank(places, lo); r < first_rank(places, middle); r++)
            cut += (size_t)counts[r];
        if (place < middle) {
            trade(comm, (Trade){values + cut, values + from, to - cut, cut - from, worker(places, place + half)});
            hi = middle;
            to = cut;
        } else {
            trade(comm, (Trade){values + from, values + cut, cut - from, to - cut, worker(places, place - half)});
            lo = middle;
            from = cut;
        }
    }
}

static void send_numbers(const Comm *comm, const int64_t *values, size_t n, int to)
{
    trade(comm, (Trade){.send = values, .sends = n, .with = to});
}

static void add_numbers(const Comm *comm, int64_t *values, size_t n, int from)
{
    trade(comm, (Trade){.sum = values, .sums = n, .with = from});
}

void comm_reduce_scatter_i64(const Comm *comm, int64_t *values, int64_t *mine, const int *counts)
{
    Places places = places_of(comm->size);
    size_t all = 0, at = 0, own = (size_t)counts[comm->rank];
    bool paired = comm->rank < 2 * places.pairs, works = !paired || comm->rank % 2 == 1;
    for (int r = 0; r < comm->size; r++) {
        at += r < comm->rank ? (size_t)counts[r] : 0;
        all += (size_t)counts[r];
    }
    if (!works) {
        send_numbers(comm, values, all, comm->rank + 1);
        if (own > 0)
            memset(mine, 0, own * sizeof *mine);
        add_numbers(comm, mine, own, comm->rank + 1);
        return;
    }
    if (paired)
        add_numbers(comm, values, all, comm->rank - 1);
    halve(comm, places, paired ? comm->rank / 2 : comm->rank - places.pairs, values, counts);
    if (paired)
        send_numbers(comm, values + at - counts[comm->rank - 1], (size_t)counts[comm->rank - 1], comm->rank - 1);
    if (own > 0)
        memcpy(mine, values + at, own * sizeof *mine);
}
