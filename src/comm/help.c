#include "comm/comm.h"

const dp_help_row comm_help[] = {
    {"comm-01",
     "A launcher (srun, mpirun) started several copies of the program, and each of them believes to be alone: the "
     "launcher and the MPI library do not speak the same language. Every copy would do the whole work.",
     "With srun use --mpi=pmix (pmi2 does not work with Debian's Open MPI); with mpirun use the one of the same MPI. "
     "`dipper doctor` prints the line that works."},
    {"comm-02", "The MPI library reported a failure; all ranks were ended.",
     "Look at the lines above it: usually another rank died first, or a node or the network is gone. Run the same "
     "command again; it goes on from the last checkpoint."},
    {NULL, NULL, NULL},
};
