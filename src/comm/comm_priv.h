/* comm/comm_priv.h -- inside the room. */
#ifndef DIPPER_COMM_COMM_PRIV_H
#define DIPPER_COMM_COMM_PRIV_H

#include <mpi.h>

#include "comm/comm.h"

typedef struct CommSums CommSums;

struct Comm {
    MPI_Comm mpi; /* unused when size is 1 and MPI was not started */
    int rank, size, local_rank, local_size;
    bool started; /* MPI was started */
    bool part;    /* of another Comm, which ends MPI */
    const dp_log *log;
    CommSums *sums; /* under way; NULL where MPI was not started */
    MPI_Op best;    /* of comm_best */
};

/* reduce_scatter.c. Local. For sums over at most so many ranks; free with dp_free. */
dp_status comm_sums_new(CommSums **sums, int ranks);

/* narrow.c. Local. Writes n numbers as they travel, at most n + 1 words; returns where they end. The other way they are
 * added to values. */
int64_t *comm_narrow(const int64_t *values, size_t n, int64_t *out);
const int64_t *comm_add_narrow(int64_t *values, size_t n, const int64_t *in);
int64_t *comm_narrow_avx2(const int64_t *values, size_t n, int64_t *out);
const int64_t *comm_add_narrow_avx2(int64_t *values, size_t n, const int64_t *in);

#endif
