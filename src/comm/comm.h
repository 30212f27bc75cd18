/* comm/comm.h -- ranks. The only room that calls MPI. Without a launcher a Comm is one rank and MPI is never started
 * (a lone MPI_Init costs 0.3 s); under mpirun or srun it is.
 *
 * Failures: one rank's failure is everyone's. Local work ends in comm_agree before the next collective call:
 *     DP_GO_ALL(comm, read_my_part(&part, comm));
 * MPI's own errors end the program (MPI_Abort) with a line saying where we were; so the calls below cannot fail
 * unless they say so. A rank without rows still makes every call, with count 0. */
#ifndef DIPPER_COMM_COMM_H
#define DIPPER_COMM_COMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/status.h"

typedef struct Comm Comm;

/* Collective. Opens the world. `log` (borrowed, may be NULL) speaks on rank 0 only: comm_log gives it there and NULL
 * elsewhere. Fails with DP_ERR_USAGE when a launcher started N copies that do not see each other ("4 copies, not 4
 * ranks"). */
dp_status comm_open(Comm **comm, const dp_log *log);
/* Local. A Comm of one rank whatever the launcher: for commands that look after things and never start MPI. */
dp_status comm_open_alone(Comm **comm, const dp_log *log);
/* Local. The MPI library's own name and version into out; starts nothing. */
void comm_library(char *out, size_t room);
/* Collective. The ranks that name the same `group` (0 or more), in their order here, as a Comm of their own, for work
 * that goes on side by side. It has no log; comm_local_rank and comm_local_size stay those of `comm`, which say who
 * shares the devices of a host. Close it before `comm`. Fails AGAIN, agreed over `comm`. */
dp_status comm_split(Comm **part, const Comm *comm, int group);
/* Collective. Ends MPI if comm_open started it; of a part only the part. Takes NULL. */
void comm_close(Comm **comm);
/* Local. Ends all ranks at once with this exit code: for failures between two collectives. Prints nothing. */
void comm_abort(const Comm *comm, int code);

int comm_rank(const Comm *comm);
int comm_size(const Comm *comm);
int comm_local_rank(const Comm *comm); /* among the ranks of this host */
int comm_local_size(const Comm *comm);
const dp_log *comm_log(const Comm *comm);

/* Collective. The worst status of all ranks, with its message, on every rank. The message names the rank when there is
 * more than one. */
dp_status comm_agree(const Comm *comm, dp_status mine);
#define DP_TRY_ALL(comm, call) DP_TRY(comm_agree((comm), (call)))
#define DP_GO_ALL(comm, call)  DP_GO(comm_agree((comm), (call)))

/* Collective. In place, element by element over all ranks. n is the same on every rank. Exact: integers only. */
void comm_sum_i64(const Comm *comm, int64_t *values, size_t n);
void comm_sum_u32(const Comm *comm, uint32_t *values, size_t n);
void comm_max_i64(const Comm *comm, int64_t *values, size_t n);
void comm_min_i64(const Comm *comm, int64_t *values, size_t n);
void comm_max_f64(const Comm *comm, double *values, size_t n);
/* Collective. Of each record of `width` numbers (the same n and width on every rank) the one of all ranks whose first
 * number is highest, of these the one whose second is lowest, as a whole: records [n][width], in place. */
void comm_best(const Comm *comm, int64_t *records, int n, int width);
/* Collective. *value becomes the sum over the ranks before this one (0 on rank 0); returns the sum over all. */
int64_t comm_prefix_i64(const Comm *comm, int64_t *value);
/* Collective. True on all ranks if true on any. */
bool comm_any(const Comm *comm, bool mine);
void comm_wait_all(const Comm *comm);

/* Collective. Sums `values` over ranks and gives this rank the part that starts at the sum of counts[0 .. rank-1].
 * counts [size] is the same on every rank, zeros among them are welcome; mine [counts[rank]] must not overlap values,
 * whose numbers are used up. Small numbers make short messages. */
void comm_reduce_scatter_i64(const Comm *comm, int64_t *values, int64_t *mine, const int *counts);
/* The same, while other work goes on: `begin` and `end` are collective, one sum at a time; values, mine and counts
 * belong to it until the end. `progress` is local, by the thread that may call comm, and moves it on as far as messages
 * have come: nothing goes on by itself. Other calls may come between. */
void comm_reduce_scatter_begin(const Comm *comm, int64_t *values, int64_t *mine, const int *counts);
void comm_reduce_scatter_progress(const Comm *comm);
void comm_reduce_scatter_end(const Comm *comm);

/* Collective. Root's bytes to all. */
void comm_share(const Comm *comm, void *data, size_t bytes, int root);
/* Collective. Every rank's block to every rank: all [size * bytes]. */
void comm_collect(const Comm *comm, const void *mine, size_t bytes, void *all);
/* Collective. Blocks of differing size. *all (free with dp_free) holds them in rank order; starts [size + 1], given by
 * the caller, receives their offsets in bytes. Fails with DP_ERR_AGAIN, agreed. */
dp_status comm_collect_any(const Comm *comm, const void *mine, size_t bytes, char **all, size_t *starts);
/* Collective. Root's block of a size that only root knows; *data is replaced on the others (free with dp_free). */
dp_status comm_share_any(const Comm *comm, char **data, size_t *bytes, int root);
/* Collective. Sends send_bytes[r] bytes to each rank r (packed in rank order in `send`). *got (free with dp_free) holds
 * what came, in rank order; got_bytes [size] says how much from each. Works past 2 GiB. Fails AGAIN, agreed. */
dp_status comm_exchange(const Comm *comm, const void *send, const size_t *send_bytes, char **got, size_t *got_bytes);

/* Items that ascend, on each rank. */
typedef struct CommOrder {
    const void *items;
    int64_t n;
    size_t size;                                                /* of a sample in bytes */
    void (*sample)(void *sample, const void *items, int64_t i); /* what item i is compared by */
    int (*compare)(const void *a, const void *b);               /* two samples, as for qsort */
} CommOrder;
/* Collective. Regularly spaced samples of all ranks' items, about 64 a rank, sorted, the same on every rank: their
 * order statistics cut the items into stretches of about equal length (sample sort). *samples (free with dp_free)
 * [*n][size]. Fails AGAIN, agreed. */
dp_status comm_sample(const Comm *comm, const CommOrder *order, char **samples, int64_t *n);

extern const dp_help_row comm_help[];

#endif
