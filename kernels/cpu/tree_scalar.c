#include "kernels/cpu/tree_loops_body.h"

const CpuLoops cpu_loops_scalar = LOOPS_TABLE("scalar", margins_scalar);
