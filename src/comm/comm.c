#include "comm_priv.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One call moves at most this many elements: MPI counts are int. */
enum { PIECE = 1 << 28 };

/* How many copies the launcher started: 0 when there is no launcher. */
static int copies_by_launcher(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS", "MPI_LOCALNRANKS"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *text = getenv(names[i]);
        if (text && atoi(text) > 0)
            return atoi(text);
    }
    return getenv("PMIX_RANK") || getenv("PMI_RANK") ? 1 : 0;
}

/* Slurm started several tasks without offering MPI's wire-up (srun --mpi=none): MPI_Init would end the process with
 * words of its own. */
static bool wired_up(int copies)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK",      "PMI_RANK", "PMI_FD",
                                        "PMI_CONTROL_PORT",     "MPI_LOCALNRANKS"};
    if (copies == 1 || !getenv("SLURM_STEP_NUM_TASKS"))
        return true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (getenv(names[i]))
            return true;
    return false;
}

static dp_status not_ranks(int copies, const char *but)
{
    return dp_fail(DP_ERR_USAGE, "comm-01",
                   "the launcher started %d copies, not %d ranks (%s); with srun try --mpi=pmix, with mpirun use the "
                   "one of the MPI that Dipper was built with (dipper doctor shows it)",
                   copies, copies, but);
}

static void mpi_failed(MPI_Comm *mpi, int *code, ...)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int n = 0, rank = -1;
    MPI_Error_string(*code, text, &n);
    MPI_Comm_rank(*mpi, &rank);
    /* The one place of the library that writes to stderr: the next line ends the process. */
    fprintf(stderr, "dipper: rank %d: MPI failed: %s [comm-02]\n", rank, text);
    MPI_Abort(*mpi, DP_ERR_INTERNAL);
}

/* The operation of comm_best. */
static void take_best(void *in, void *best, int *n, MPI_Datatype *record)
{
    int bytes;
    MPI_Type_size(*record, &bytes);
    for (int i = 0; i < *n; i++) {
        int64_t *theirs = (int64_t *)in + i * (bytes / (int)sizeof *theirs);
        int64_t *ours = (int64_t *)best + i * (bytes / (int)sizeof *ours);
        if (theirs[0] > ours[0] || (theirs[0] == ours[0] && theirs[1] < ours[1]))
            memcpy(ours, theirs, (size_t)bytes);
    }
}

static void start_mpi(Comm *comm)
{
    MPI_Comm host;
    MPI_Errhandler handler;
    int given;
    /* Serialized: only one thread at a time calls MPI; the others compute. */
    MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &given);
    comm->started = true;
    MPI_Comm_dup(MPI_COMM_WORLD, &comm->mpi);
    MPI_Comm_create_errhandler(mpi_failed, &handler);
    MPI_Comm_set_errhandler(comm->mpi, handler);
    MPI_Errhandler_free(&handler);
    MPI_Op_create(take_best, 1, &comm->best);
    MPI_Comm_rank(comm->mpi, &comm->rank);
    MPI_Comm_size(comm->mpi, &comm->size);
    MPI_Comm_split_type(comm->mpi, MPI_COMM_TYPE_SHARED, comm->rank, MPI_INFO_NULL, &host);
    MPI_Comm_rank(host, &comm->local_rank);
    MPI_Comm_size(host, &comm->local_size);
    MPI_Comm_free(&host);
}

dp_status comm_open_alone(Comm **comm, const dp_log *log)
{
    DP_TRY(dp_new(comm, 1));
    (*comm)->size = (*comm)->local_size = 1;
    (*comm)->log = log;
    return DP_OK;
}

void comm_library(char *out, size_t room)
{
    char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
    int n = 0;
    MPI_Get_library_version(text, &n); /* allowed before MPI_Init */
    snprintf(out, room, "%.*s", (int)strcspn(text, ",\n"), text);
}

dp_status comm_open(Comm **comm, const dp_log *log)
{
    int copies = copies_by_launcher();
    DP_TRY(comm_open_alone(comm, log));
    if (copies == 0)
        return DP_OK;
    if (!wired_up(copies)) {
        comm_close(comm);
        return not_ranks(copies, "it hands them no way to find each other");
    }
    start_mpi(*comm);
    if (copies != (*comm)->size) {
        char but[32];
        snprintf(but, sizeof but, "MPI sees %d", (*comm)->size);
        comm_close(comm);
        return not_ranks(copies, but);
    }
    dp_status st = comm_agree(*comm, comm_sums_new(&(*comm)->sums, (*comm)->size));
    if (st != DP_OK)
        comm_close(comm);
    return st;
}

dp_status comm_split(Comm **part, const Comm *comm, int group)
{
    Comm *p = NULL;
    CommSums *sums = NULL;
    *part = NULL;
    dp_status st = dp_new(&p, 1);
    if (st == DP_OK && comm->started)
        st = comm_sums_new(&sums, comm->size);
    st = comm_agree(comm, st);
    if (st != DP_OK) {
        dp_free(&sums);
        dp_free(&p);
        return st;
    }
    *p = *comm;
    p->part = true;
    p->log = NULL;
    p->sums = sums;
    if (comm->started) {
        MPI_Errhandler handler;
        MPI_Comm_split(comm->mpi, group, comm->rank, &p->mpi);
        MPI_Comm_get_errhandler(comm->mpi, &handler);
        MPI_Comm_set_errhandler(p->mpi, handler);
        MPI_Errhandler_free(&handler);
        MPI_Comm_rank(p->mpi, &p->rank);
        MPI_Comm_size(p->mpi, &p->size);
    }
    *part = p;
    return DP_OK;
}

void comm_close(Comm **comm)
{
    if (*comm && (*comm)->started) {
        MPI_Comm_free(&(*comm)->mpi);
        if (!(*comm)->part) {
            MPI_Op_free(&(*comm)->best);
            MPI_Finalize();
        }
    }
    if (*comm)
        dp_free(&(*comm)->sums);
    dp_free(comm);
}

void comm_abort(const Comm *comm, int code)
{
    if (comm->started)
        MPI_Abort(comm->mpi, code);
    _Exit(code);
}

int comm_rank(const Comm *comm)
{
    return comm->rank;
}

int comm_size(const Comm *comm)
{
    return comm->size;
}

int comm_local_rank(const Comm *comm)
{
    return comm->local_rank;
}

int comm_local_size(const Comm *comm)
{
    return comm->local_size;
}

const dp_log *comm_log(const Comm *comm)
{
    return comm->rank == 0 ? comm->log : NULL;
}

dp_status comm_agree(const Comm *comm, dp_status mine)
{
    struct {
        int code, rank;
    } in = {.code = (int)mine, .rank = comm->rank}, worst;
    dp_error error;
    if (comm->size == 1)
        return mine;
    MPI_Allreduce(&in, &worst, 1, MPI_2INT, MPI_MAXLOC, comm->mpi);
    if (worst.code == DP_OK)
        return DP_OK;
    error = *dp_error_last();
    MPI_Bcast(&error, (int)sizeof error, MPI_BYTE, worst.rank, comm->mpi);
    char text[DP_TEXT_MAX];
    memcpy(text, error.text, sizeof text);
    if (strncmp(text, "rank ", 5) != 0)
        snprintf(error.text, sizeof error.text, "rank %d: %.*s", worst.rank, DP_TEXT_MAX - 24, text);
    error.status = (dp_status)worst.code;
    return dp_fail_as(&error);
}

static void reduce(const Comm *comm, void *values, size_t n, size_t size, MPI_Datatype type, MPI_Op op)
{
    char *at = values;
    if (comm->size == 1)
        return;
    for (; n > 0; n -= n < PIECE ? n : PIECE, at += PIECE * size)
        MPI_Allreduce(MPI_IN_PLACE, at, n < PIECE ? (int)n : PIECE, type, op, comm->mpi);
}

void comm_sum_i64(const Comm *comm, int64_t *values, size_t n)
{
    reduce(comm, values, n, sizeof *values, MPI_INT64_T, MPI_SUM);
}

void comm_sum_u32(const Comm *comm, uint32_t *values, size_t n)
{
    reduce(comm, values, n, sizeof *values, MPI_UINT32_T, MPI_SUM);
}

void comm_max_i64(const Comm *comm, int64_t *values, size_t n)
{
    reduce(comm, values, n, sizeof *values, MPI_INT64_T, MPI_MAX);
}

void comm_min_i64(const Comm *comm, int64_t *values, size_t n)
{
    reduce(comm, values, n, sizeof *values, MPI_INT64_T, MPI_MIN);
}

void comm_max_f64(const Comm *comm, double *values, size_t n)
{
    reduce(comm, values, n, sizeof *values, MPI_DOUBLE, MPI_MAX);
}

void comm_best(const Comm *comm, int64_t *records, int n, int width)
{
    MPI_Datatype record;
    if (comm->size == 1)
        return;
    MPI_Type_contiguous(width, MPI_INT64_T, &record);
    MPI_Type_commit(&record);
    MPI_Allreduce(MPI_IN_PLACE, records, n, record, comm->best, comm->mpi);
    MPI_Type_free(&record);
}

int64_t comm_prefix_i64(const Comm *comm, int64_t *value)
{
    int64_t total = *value, before = 0;
    if (comm->size > 1) {
        MPI_Exscan(value, &before, 1, MPI_INT64_T, MPI_SUM, comm->mpi);
        MPI_Allreduce(MPI_IN_PLACE, &total, 1, MPI_INT64_T, MPI_SUM, comm->mpi);
    }
    *value = comm->rank == 0 ? 0 : before;
    return total;
}

bool comm_any(const Comm *comm, bool mine)
{
    int64_t flag = mine;
    comm_max_i64(comm, &flag, 1);
    return flag != 0;
}

void comm_wait_all(const Comm *comm)
{
    if (comm->size > 1)
        MPI_Barrier(comm->mpi);
}

void comm_share(const Comm *comm, void *data, size_t bytes, int root)
{
    char *at = data;
    if (comm->size == 1)
        return;
    for (; bytes > 0; bytes -= bytes < PIECE ? bytes : PIECE, at += PIECE)
        MPI_Bcast(at, bytes < PIECE ? (int)bytes : PIECE, MPI_BYTE, root, comm->mpi);
}

void comm_collect(const Comm *comm, const void *mine, size_t bytes, void *all)
{
    if (comm->size == 1)
        memcpy(all, mine, bytes);
    else
        MPI_Allgather(mine, (int)bytes, MPI_BYTE, all, (int)bytes, MPI_BYTE, comm->mpi);
}

dp_status comm_collect_any(const Comm *comm, const void *mine, size_t bytes, char **all, size_t *starts)
{
    uint64_t my_bytes = bytes;
    uint64_t *sizes = NULL;
    dp_status st = DP_OK;
    *all = NULL;
    DP_GO_ALL(comm, dp_new(&sizes, (size_t)comm->size));
    comm_collect(comm, &my_bytes, sizeof my_bytes, sizes);
    starts[0] = 0;
    for (int r = 0; r < comm->size; r++)
        starts[r + 1] = starts[r] + sizes[r];
    DP_GO_ALL(comm, dp_new(all, starts[comm->size] + 1));
    if (bytes > 0)
        memcpy(*all + starts[comm->rank], mine, bytes);
    /* One broadcast a rank: blocks may pass 2 GiB together, which MPI_Allgatherv's int offsets cannot say. */
    for (int r = 0; r < comm->size; r++)
        comm_share(comm, *all + starts[r], sizes[r], r);
done:
    dp_free(&sizes);
    return st;
}

dp_status comm_share_any(const Comm *comm, char **data, size_t *bytes, int root)
{
    uint64_t size = *bytes;
    dp_status st = DP_OK;
    comm_share(comm, &size, sizeof size, root);
    if (comm->rank != root) {
        dp_free(data);
        st = dp_new(data, size + 1);
    }
    DP_TRY_ALL(comm, st);
    comm_share(comm, *data, size, root);
    *bytes = size;
    return DP_OK;
}

/* Nonblocking pieces, so that blocks may pass 2 GiB and a slow pair does not hold up the others. */
static dp_status exchange_pieces(const Comm *comm, const char *send, const size_t *send_bytes, char *got,
                                 const size_t *got_bytes)
{
    size_t pieces = 0, at;
    MPI_Request *requests = NULL;
    for (int r = 0; r < comm->size; r++)
        pieces += send_bytes[r] / PIECE + got_bytes[r] / PIECE + 2;
    DP_TRY_ALL(comm, dp_new(&requests, pieces));
    pieces = 0;
    at = 0;
    for (int r = 0; r < comm->size; r++)
        for (size_t left = got_bytes[r]; left > 0;) {
            size_t n = left < PIECE ? left : PIECE;
            MPI_Irecv(got + at, (int)n, MPI_BYTE, r, 0, comm->mpi, &requests[pieces++]);
            at += n;
            left -= n;
        }
    at = 0;
    for (int r = 0; r < comm->size; r++)
        for (size_t left = send_bytes[r]; left > 0;) {
            size_t n = left < PIECE ? left : PIECE;
            MPI_Isend(send + at, (int)n, MPI_BYTE, r, 0, comm->mpi, &requests[pieces++]);
            at += n;
            left -= n;
        }
    MPI_Waitall((int)pieces, requests, MPI_STATUSES_IGNORE);
    dp_free(&requests);
    return DP_OK;
}

dp_status comm_exchange(const Comm *comm, const void *send, const size_t *send_bytes, char **got, size_t *got_bytes)
{
    uint64_t *out = NULL, *in = NULL;
    dp_status st = DP_OK;
    size_t total = 0;
    *got = NULL;
    DP_GO_ALL(comm, dp_new(&out, 2 * (size_t)comm->size));
    in = out + comm->size;
    for (int r = 0; r < comm->size; r++)
        out[r] = send_bytes[r];
    if (comm->size > 1)
        MPI_Alltoall(out, 1, MPI_UINT64_T, in, 1, MPI_UINT64_T, comm->mpi);
    else
        in[0] = out[0];
    for (int r = 0; r < comm->size; r++)
        total += got_bytes[r] = in[r];
    DP_GO_ALL(comm, dp_new(got, total + 1));
    if (comm->size > 1)
        DP_GO(exchange_pieces(comm, send, send_bytes, *got, got_bytes));
    else if (total > 0)
        memcpy(*got, send, total);
done:
    dp_free(&out);
    return st;
}

dp_status comm_sample(const Comm *comm, const CommOrder *order, char **samples, int64_t *n)
{
    enum { SAMPLES = 64 };
    int64_t total = order->n, step, count;
    char *mine = NULL;
    size_t *starts = NULL;
    dp_status st = DP_OK;
    *samples = NULL;
    comm_sum_i64(comm, &total, 1);
    step = total / ((int64_t)comm->size * SAMPLES) + 1;
    count = (order->n + step - 1) / step;
    if ((st = dp_new_bytes(&mine, (size_t)count, order->size)) == DP_OK)
        st = dp_new(&starts, (size_t)comm->size + 1);
    DP_GO_ALL(comm, st);
    for (int64_t i = 0; i < count; i++) {
        int64_t first = i * step, last = order->n - first < step ? order->n - 1 : first + step - 1;
        order->sample(mine + (size_t)i * order->size, order->items, first + (last - first) / 2);
    }
    DP_GO(comm_collect_any(comm, mine, (size_t)count * order->size, samples, starts));
    *n = (int64_t)(starts[comm->size] / order->size);
    if (*n > 1)
        qsort(*samples, (size_t)*n, order->size, order->compare);
done:
    dp_free(&mine);
    dp_free(&starts);
    return st;
}
