/* Sums of integers over ranks, each rank keeping its part: recursive halving. In round j of log2(ranks) a rank and the
 * partner 2^j places away, who have summed for the same places so far (those that differ from them in higher bits
 * alone), give each other what they will not keep; so a rank moves (ranks - 1) / ranks of the numbers, whatever the
 * sizes of the parts. Near partners come first: they move most, half of all numbers, and share a host or a switch.
 * (Open MPI sums everything on one rank when a part is empty, which is usual here: ranks without features.) Where ranks
 * are no power of two, the first ones go in pairs, of which one works for both. Source: Thakur, Rabenseifner, Gropp,
 * "Optimization of collective communication operations in MPICH", IJHPCA 19(1), 2005.
 *
 * Numbers travel in pieces, two at a time, so that sums are made while the next piece comes. Nothing waits but `end`:
 * what is under way moves on by comm_reduce_scatter_progress, called between other work. */
#include <string.h>

#include "comm_priv.h"

enum { TAG = 0x7253, PIECE = 1 << 14, BLOCK = 256 };

/* A power of two of places; the first `pairs` of them are two ranks each, 2 i and 2 i + 1, the others one. */
typedef struct Places {
    int n, pairs;
} Places;

/* Which numbers: from .. to - 1, then those of places place, place + step, ... */
typedef struct Part {
    size_t from, to;
    int place, step;
} Part;

struct CommSums {
    bool under_way;
    int64_t *values, *mine;
    const int *counts;
    Places places;
    int place;
    bool paired, works; /* for the pair, or for itself alone */
    int trades;         /* begun */
    /* The trade being made: with another rank, in pieces. */
    int with;
    Part send, sum; /* that is left to be sent, and to be added to what `to` points at */
    int64_t *to;
    size_t coming; /* numbers of `sum` for which nobody waits yet */
    int piece, pieces;
    MPI_Request request[2][2];                         /* of pieces by their parity: in, out */
    int64_t in[2][2 * PIECE], out[2][2 * PIECE], at[]; /* at [places + 1]: where each place's numbers begin */
};

dp_status comm_sums_new(CommSums **sums, int ranks)
{
    char *bytes = NULL;
    DP_TRY(dp_new(&bytes, sizeof(CommSums) + ((size_t)ranks + 1) * sizeof(int64_t)));
    *sums = (CommSums *)(void *)bytes;
    return DP_OK;
}

/* ---- which numbers ---- */

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

static Part part_of_places(int place, int step)
{
    return (Part){.place = place, .step = step};
}

static Part part_of(const CommSums *s, size_t from, size_t n)
{
    return (Part){.from = from, .to = from + n, .place = s->places.n, .step = 1};
}

/* Takes a stretch of at most so many numbers from the part: returns how many, and where they begin; 0 at its end. */
static size_t take(const CommSums *s, Part *part, size_t most, size_t *at)
{
    while (part->from == part->to && part->place < s->places.n) {
        part->from = (size_t)s->at[part->place];
        part->to = (size_t)s->at[part->place + 1];
        part->place += part->step;
    }
    size_t n = part->to - part->from < most ? part->to - part->from : most;
    *at = part->from;
    part->from += n;
    return n;
}

static size_t numbers_of(const CommSums *s, Part part)
{
    size_t all = 0, n, at;
    while ((n = take(s, &part, SIZE_MAX, &at)) > 0)
        all += n;
    return all;
}

/* The next block of a piece that has room for so many. */
static size_t take_block(const CommSums *s, Part *part, size_t room, size_t *at)
{
    return take(s, part, room < BLOCK ? room : BLOCK, at);
}

/* ---- a trade ---- */

static void start_piece(const Comm *comm, CommSums *s, int slot)
{
    MPI_Request *request = s->request[slot];
    int64_t *out = s->out[slot];
    request[0] = request[1] = MPI_REQUEST_NULL;
    if (s->coming > 0)
        MPI_Irecv(s->in[slot], (int)sizeof s->in[slot], MPI_BYTE, s->with, TAG, comm->mpi, &request[0]);
    s->coming -= s->coming < PIECE ? s->coming : PIECE;
    for (size_t room = PIECE, n, at; (n = take_block(s, &s->send, room, &at)) > 0; room -= n)
        out = comm_narrow(s->values + at, n, out);
    if (out > s->out[slot])
        MPI_Isend(s->out[slot], (int)((out - s->out[slot]) * (int)sizeof *out), MPI_BYTE, s->with, TAG, comm->mpi,
                  &request[1]);
}

static void add_piece(CommSums *s, int slot)
{
    const int64_t *in = s->in[slot];
    for (size_t room = PIECE, n, at; (n = take_block(s, &s->sum, room, &at)) > 0; room -= n)
        in = comm_add_narrow(s->to + at, n, in);
}

static void start_trade(const Comm *comm, CommSums *s, int with, Part send, Part sum)
{
    size_t sends = numbers_of(s, send), most;
    s->with = with;
    s->send = send;
    s->sum = sum;
    s->coming = numbers_of(s, sum);
    most = s->coming > sends ? s->coming : sends;
    s->piece = 0;
    s->pieces = (int)((most + PIECE - 1) / PIECE);
    for (int k = 0; k < 2 && k < s->pieces; k++)
        start_piece(comm, s, k);
}

static size_t begin_of(const Comm *comm, const CommSums *s, int rank)
{
    size_t at = 0;
    for (int r = 0; r < rank && r < comm->size; r++)
        at += (size_t)s->counts[r];
    return at;
}

/* Before and after the halving: the first of a pair gives the other all it has, and gets its part. */
static void trade_in_pair(const Comm *comm, CommSums *s, bool before)
{
    int first = first_rank(s->places, s->place), with = s->works ? first : first + 1;
    Part all = part_of_places(0, 1), none = part_of(s, 0, 0);
    if (before)
        start_trade(comm, s, with, s->works ? none : all, s->works ? all : none);
    else if (s->works)
        start_trade(comm, s, with, part_of(s, begin_of(comm, s, first), (size_t)s->counts[first]), none);
    else {
        s->to = s->mine;
        if (s->counts[first] > 0)
            memset(s->mine, 0, (size_t)s->counts[first] * sizeof *s->mine);
        start_trade(comm, s, with, none, part_of(s, 0, (size_t)s->counts[first]));
    }
}

/* False: there is none left to make. */
static bool next_trade(const Comm *comm, CommSums *s)
{
    int rounds = 0, trade = s->trades++ - (s->paired ? 1 : 0);
    while (s->works && 1 << rounds < s->places.n)
        rounds++;
    if (trade < 0 || (trade == rounds && s->paired))
        trade_in_pair(comm, s, trade < 0);
    else if (trade < rounds) {
        int partner = s->place ^ 1 << trade, step = 2 << trade;
        start_trade(comm, s, worker(s->places, partner), part_of_places(partner % step, step),
                    part_of_places(s->place % step, step));
    } else
        return false;
    return true;
}

/* ---- the call ---- */

/* Moves on as far as it can, or to the end. */
static void advance(const Comm *comm, CommSums *s, bool wait)
{
    while (s->under_way) {
        int slot = s->piece % 2, there = 1;
        if (s->piece == s->pieces) {
            s->under_way = next_trade(comm, s);
            continue;
        }
        /* start_piece made them or left them null, which the checker does not see */
        if (wait)
            MPI_Waitall(2, s->request[slot], MPI_STATUSES_IGNORE); /* NOLINT(clang-analyzer-optin.mpi.MPI-Checker) */
        else
            MPI_Testall(2, s->request[slot], &there, MPI_STATUSES_IGNORE);
        if (!there)
            return;
        add_piece(s, slot);
        if (++s->piece + 1 < s->pieces)
            start_piece(comm, s, slot);
    }
}

void comm_reduce_scatter_begin(const Comm *comm, int64_t *values, int64_t *mine, const int *counts)
{
    CommSums *s = comm->sums;
    if (comm->size == 1) {
        if (counts[0] > 0)
            memcpy(mine, values, (size_t)counts[0] * sizeof *mine);
        return;
    }
    s->values = s->to = values;
    s->mine = mine;
    s->counts = counts;
    s->places = places_of(comm->size);
    s->paired = comm->rank < 2 * s->places.pairs;
    s->works = !s->paired || comm->rank % 2 == 1;
    s->place = s->paired ? comm->rank / 2 : comm->rank - s->places.pairs;
    s->at[0] = 0;
    for (int p = 0, r = 0; p < s->places.n; p++) {
        s->at[p + 1] = s->at[p];
        for (; r <= worker(s->places, p); r++)
            s->at[p + 1] += counts[r];
    }
    s->trades = s->piece = s->pieces = 0;
    s->under_way = true;
    advance(comm, s, false);
}

void comm_reduce_scatter_progress(const Comm *comm)
{
    if (comm->size > 1)
        advance(comm, comm->sums, false);
}

void comm_reduce_scatter_end(const Comm *comm)
{
    CommSums *s = comm->sums;
    if (comm->size == 1)
        return;
    advance(comm, s, true);
    if (s->works && s->counts[comm->rank] > 0)
        memcpy(s->mine, s->values + begin_of(comm, s, comm->rank), (size_t)s->counts[comm->rank] * sizeof *s->mine);
}

void comm_reduce_scatter_i64(const Comm *comm, int64_t *values, int64_t *mine, const int *counts)
{
    comm_reduce_scatter_begin(comm, values, mine, counts);
    comm_reduce_scatter_end(comm);
}
