/* kernels/cuda/plan.h -- a TreePlan (device/backend.h) as it lies on the card: made by plan.cu, used by margins.cu. */
#ifndef DIPPER_CUDA_PLAN_H
#define DIPPER_CUDA_PLAN_H

#include "kernels/cuda/cuda_priv.h"

/* A block's most threads, the words of shared memory in which it reads trees, and its most bytes of shared memory: two
 * blocks a multiprocessor, or more. */
enum { PLAN_THREADS = 256, PLAN_STAGE = 4096, PLAN_SHARED = 96 * 1024 };

/* Trees of one depth, one after the other in the image. A symmetric tree: a level's place word and 255 - least four
 * times (two words a level), then its leaves. Another: nodes (place word << 8 | least) and leaves as one heap. */
struct Group {
    int64_t at;
    int32_t trees, depth, size; /* size: words of a tree */
};
/* A feature's search tree: TreePlan.search, cut to its levels. */
struct Search {
    int32_t at, levels;
};
/* A plan on the card. A lane is a feature's places, or these less 1 (flip); the last is of zeros. */
struct Plan {
    int features, lanes, groups;
    bool symmetric;
    int64_t bias;
    const int32_t *column; /* [features] */
    const int32_t *lane;   /* [lanes] 2 feature + flip; 2 features: zeros */
    const Search *search;  /* [features] */
    const float *border;
    const Group *group;
    const uint32_t *image;
};

/* What TreePlan.kept is. */
struct KeptPlan {
    Plan on;
    void *memory;
    int threads; /* of a block */
};

/* margins.cu. The kernels take as much shared memory as plans may ask for; false: the card is given up. */
bool plan_is_ready(CudaCard *card, const Plan *plan);

#endif
