#include "kernels/cpu/tree_loops_body.h"

const CpuLoops cpu_loops_avx2 = LOOPS_TABLE("avx2", margins_avx2);
