/* comm/comm_priv.h -- inside the room. */
#ifndef DIPPER_COMM_COMM_PRIV_H
#define DIPPER_COMM_COMM_PRIV_H

#include <mpi.h>

#include "comm/comm.h"

enum { COMM_ROOM = 1 << 15 };

struct Comm {
    MPI_Comm mpi; /* unused when size is 1 and MPI was not started */
    int rank, size, local_rank, local_size;
    bool started; /* MPI was started */
    bool part;    /* of another Comm, which ends MPI */
    const dp_log *log;
    int64_t *room; /* [2][COMM_ROOM] what comes in while sums are made; NULL where MPI was not started */
};

#endif
