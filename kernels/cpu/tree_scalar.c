#include "kernels/cpu/tree_loops_body.h"

const CpuLoops cpu_loops_scalar = {
    .name = "scalar",
    .bin = loop_bin,
    .gradients = loop_gradients,
    .fixed_gradients = loop_fixed_gradients,
    .count = loop_count,
    .flush = loop_flush,
    .scores = loop_scores,
    .partition = loop_partition,
    .add_leaves = loop_add_leaves,
};
