/* tests/support/alone.h -- a Comm of one rank inside an MPI program, to compare "all rows on one rank" with the same
 * rows dealt out: without the launcher's variables comm_open takes itself for a program started alone. */
#ifndef DIPPER_TEST_ALONE_H
#define DIPPER_TEST_ALONE_H

#include <stdlib.h>

#include "comm/comm.h"

/* Call after comm_open of the world. */
static inline dp_status open_alone(Comm **alone)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE",  "SLURM_STEP_NUM_TASKS",
                                        "MPI_LOCALNRANKS",      "PMIX_RANK", "PMI_RANK"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    return comm_open(alone, NULL);
}

#endif
