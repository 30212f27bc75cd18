/* bench.h -- what the drivers of benchmarks share: calls that must succeed, arguments key=value, processor time. */
#ifndef DIPPER_BENCH_H
#define DIPPER_BENCH_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "comm/comm.h"
#include "trees/trees.h"

static inline _Noreturn void stop(const char *what)
{
    fprintf(stderr, "%s: %s: %s %s\n", program_invocation_short_name, what, dp_error_last()->text,
            dp_error_last()->trace);
    exit(1);
}
#define MUST(call)                                                                                                     \
    do {                                                                                                               \
        if ((call) != DP_OK)                                                                                           \
            stop(#call);                                                                                               \
    } while (0)

/* Where the value of an argument goes. The last of a list has no key. */
typedef enum BenchKind { BENCH_INT, BENCH_COUNT, BENCH_REAL, BENCH_TEXT, BENCH_GROWTH } BenchKind;
typedef struct BenchKey {
    const char *key;
    BenchKind kind;
    void *to; /* int, int64_t, double, const char *, int of TreesGrowth */
} BenchKey;

static inline void bench_set(const BenchKey *key, const char *value)
{
    switch (key->kind) {
    case BENCH_INT:
        *(int *)key->to = atoi(value);
        break;
    case BENCH_COUNT:
        *(int64_t *)key->to = atoll(value);
        break;
    case BENCH_REAL:
        *(double *)key->to = atof(value);
        break;
    case BENCH_TEXT:
        *(const char **)key->to = value;
        break;
    case BENCH_GROWTH:
        *(int *)key->to = strcmp(value, "depth") == 0  ? TREES_DEPTHWISE
                          : strcmp(value, "leaf") == 0 ? TREES_LEAFWISE
                                                       : TREES_SYMMETRIC;
        break;
    }
}

/* Arguments `first` .. of the command line; the values stay where they are. */
static inline void bench_arguments(const BenchKey *keys, int first, int argc, char **argv)
{
    for (int i = first; i < argc; i++) {
        const char *value = strchr(argv[i], '=');
        const BenchKey *key = keys;
        while (value && key->key &&
               (strlen(key->key) != (size_t)(value - argv[i]) || strncmp(key->key, argv[i], strlen(key->key)) != 0))
            key++;
        if (!value || !key->key)
            stop(argv[i]);
        bench_set(key, value + 1);
    }
}

/* What the peers are given too. */
static inline TreesOptions bench_trees(void)
{
    return (TreesOptions){.trees = 200,
                          .depth = 6,
                          .leaves = 31,
                          .bins = 256,
                          .growth = TREES_SYMMETRIC,
                          .learning_rate = 0.1,
                          .l2 = 1,
                          .min_child = 0.001,
                          .sample_rows = 1,
                          .sample_columns = 1,
                          .positive_weight = 1,
                          .levels = 63};
}

/* Of this process so far, all its threads. */
static inline double processor_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Of all ranks. Collective. */
static inline double processor_of_ranks(const Comm *comm)
{
    int64_t ns = (int64_t)(1e9 * processor_seconds());
    comm_sum_i64(comm, &ns, 1);
    return 1e-9 * (double)ns;
}

#endif
