/* scale record ROWS GROWTH TREES    learns TREES trees of ROWS made-up rows x 32 on one rank and prints what each
 *                                   operation of a tree took: a line "operation seconds" for each call, medians
 * scale replay COSTS GROWTH TREES ALPHA BETA   on the ranks of SimGrid's SMPI: learns the same way from FEW rows a
 * rank, while each operation lets the simulated clock go on by what COSTS says of it
 *
 * So the messages are those of the real program, byte for byte, and the computing is what this machine needs for as
 * many rows as a rank would have; run.py puts both together. All ranks hold the same few rows: with 10^8 rows the
 * shares of ranks in a node differ by less than a part in a hundred, which a few rows would not show. Their sums would
 * be small, and so would messages: numbers travel as if each row stood for as many as there should be. Operations on
 * summed histograms cost by the rank's share of them; making numbers short for a message and adding them costs what was
 * measured, whatever the threads. ALPHA (seconds a message) and BETA (seconds a byte) feed the cost model that is
 * printed beside the simulated time. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/rng.h"
#include "comm/comm_priv.h"
#include "trees/trees_priv.h"

enum { FEATURES = 32, FEW = 8192, DEPTH = 6, TABLE_SEED = 7, TREES = 64, NAME = 16, BLOCK = 256, RANKS = 1024 };

/* The operations of growing, each with the number of times that a tree asks for it at most. */
typedef enum Op { GRADIENTS, LIST, HISTOGRAM, SIBLINGS, SPLITS, PARTITION, WALK, LEAF_SUMS, ADD_LEAVES, OPS } Op;
enum { TIMES = 16 };
static const char *const op_name[OPS] = {"gradients", "list", "histogram", "siblings",  "splits",
                                         "partition", "walk", "leaf_sums", "add_leaves"};

/* SMPI's, and the real ones of what is wrapped: absent in a native build. */
extern void smpi_execute(double seconds) __attribute__((weak));
extern int64_t *__real_comm_narrow(const int64_t *values, size_t n, int64_t *out) __attribute__((weak));
extern const int64_t *__real_comm_add_narrow(int64_t *values, size_t n, const int64_t *in) __attribute__((weak));

/* What the k-th call of an operation in a tree takes: recorded, or replayed, in parts where a level is built in groups.
 * One a rank, found through the device's context. */
typedef struct Meter {
    TreeOps ops; /* the real ones */
    bool replay;
    int trees;                         /* begun */
    int calls[OPS], part[OPS];         /* in this tree; nodes of the next one */
    int recorded[OPS];                 /* in a tree */
    int nodes[OPS][TIMES];             /* of a call: 1 where it has none */
    double seconds[OPS][TIMES][TREES]; /* replay: tree 0 alone */
    double computed;                   /* replayed so far */
    double began;
    int64_t tiles; /* recorded: how often histograms would let messages go on */
} Meter;

/* Of all ranks, the same: seconds between two looks at messages, of a number on its way, rows a row stands for. */
static struct {
    double tile, number;
    int64_t times;
    int groups;         /* that a level is built in */
    double owed[RANKS]; /* of numbers, not yet spent */
    int64_t sent[2];    /* by rank 0: numbers, bytes */
} way;

static _Noreturn void stop(const char *what)
{
    fprintf(stderr, "scale: %s %s\n", what, dp_error_last()->text);
    exit(1);
}
#define MUST(call)                                                                                                     \
    do {                                                                                                               \
        if ((call) != DP_OK)                                                                                           \
            stop(#call);                                                                                               \
    } while (0)

static Meter *meter_of(const DeviceContext *context)
{
    return context->own;
}

/* Of this thread, which computes alone: what others do on the machine is not in it. */
static double processor_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void before(Meter *meter, Op op)
{
    if (op == GRADIENTS) { /* a tree's first */
        memset(meter->calls, 0, sizeof meter->calls);
        memset(meter->part, 0, sizeof meter->part);
        meter->trees++;
    }
    if (!meter->replay)
        meter->began = processor_seconds();
}

/* Lets the clock of a replay go on; a look at messages after each tile. */
static void spend(double seconds, void (*meanwhile)(const void *), const void *with)
{
    for (; meanwhile && seconds > way.tile; seconds -= way.tile) {
        smpi_execute(way.tile);
        meanwhile(with);
    }
    smpi_execute(seconds);
}

/* share: of the work that this rank has, of all that the recording rank had. Returns the seconds to replay. */
static double after(Meter *meter, Op op, double share, int nodes)
{
    int call = meter->calls[op];
    if (call >= (meter->replay ? meter->recorded[op] : TIMES))
        stop("a tree asks more of an operation than was recorded");
    if (!meter->replay) {
        meter->seconds[op][call][meter->trees - 1] = processor_seconds() - meter->began;
        meter->nodes[op][call] = nodes;
        meter->recorded[op] = ++meter->calls[op] > meter->recorded[op] ? meter->calls[op] : meter->recorded[op];
        return 0;
    }
    double seconds = meter->seconds[op][call][0] * share * nodes / meter->nodes[op][call];
    meter->computed += seconds;
    meter->part[op] += nodes;
    if (meter->part[op] >= meter->nodes[op][call]) {
        meter->part[op] = 0;
        meter->calls[op]++;
    }
    return seconds;
}

static void replay(const Meter *meter, double seconds)
{
    if (meter->replay)
        spend(seconds, NULL, NULL);
}

static double cells_share(const TreeFeatures *features, int first, int last)
{
    return (double)(features->at[last] - features->at[first]) / features->at[features->n];
}

#define METERED(op, OP, Job, share, nodes)                                                                             \
    static void metered_##op(const DeviceContext *context, const Job *job)                                             \
    {                                                                                                                  \
        Meter *meter = meter_of(context);                                                                              \
        before(meter, OP);                                                                                             \
        meter->ops.op(context, job);                                                                                   \
        replay(meter, after(meter, OP, share, nodes));                                                                 \
    }
METERED(gradients, GRADIENTS, TreeGradients, 1, 1)
METERED(list, LIST, TreeListing, 1, 1)
METERED(siblings, SIBLINGS, TreeSiblings, cells_share(job->features, job->first, job->last), job->siblings)
METERED(partition, PARTITION, TreePartition, 1, 1)
METERED(walk, WALK, TreeWalk, 1, 1)
METERED(leaf_sums, LEAF_SUMS, TreeLeafSums, 1, 1)
METERED(add_leaves, ADD_LEAVES, TreeAddLeaves, 1, 1)

static void count_tile(const void *meter)
{
    ((Meter *)meter)->tiles++;
}

static void metered_histogram(const DeviceContext *context, const TreeHistogram *job)
{
    Meter *meter = meter_of(context);
    TreeHistogram real = *job;
    real.meanwhile = meter->replay ? NULL : count_tile;
    real.with = meter;
    before(meter, HISTOGRAM);
    meter->ops.histogram(context, &real);
    double seconds = after(meter, HISTOGRAM, 1, job->nodes);
    if (meter->replay)
        spend(seconds, job->meanwhile, job->with);
}

static void metered_best_splits(const DeviceContext *context, const TreeScores *job, TreeSplit *best)
{
    Meter *meter = meter_of(context);
    before(meter, SPLITS);
    meter->ops.best_splits(context, job, best);
    replay(meter, after(meter, SPLITS, cells_share(job->features, job->first, job->last), 1));
}

static void metered_level_scores(const DeviceContext *context, const TreeScores *job, double *total, double *parent)
{
    Meter *meter = meter_of(context);
    before(meter, SPLITS);
    meter->ops.level_scores(context, job, total, parent);
    replay(meter, after(meter, SPLITS, cells_share(job->features, job->first, job->last), 1));
}

/* The device's table is the device's own memory; from here on its calls are metered. */
static void put_meter(Meter *meter, Device *device)
{
    TreeOps *ops = (TreeOps *)device_tree_ops(device);
    meter->ops = *ops;
    ((DeviceContext *)device_context(device))->own = meter;
    ops->gradients = metered_gradients;
    ops->list = metered_list;
    ops->histogram = metered_histogram;
    ops->siblings = metered_siblings;
    ops->best_splits = metered_best_splits;
    ops->level_scores = metered_level_scores;
    ops->partition = metered_partition;
    ops->walk = metered_walk;
    ops->leaf_sums = metered_leaf_sums;
    ops->add_leaves = metered_add_leaves;
}

/* ---- numbers on their way, wrapped by the linker of run.py ---- */

int64_t *__wrap_comm_narrow(const int64_t *values, size_t n, int64_t *out);
const int64_t *__wrap_comm_add_narrow(int64_t *values, size_t n, const int64_t *in);

/* A simulated second is asked for now and then, not for each block. */
static int spend_numbers(size_t n)
{
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    way.owed[rank] += (double)n * way.number / 2; /* one way */
    if (way.owed[rank] > 1e-6) {
        smpi_execute(way.owed[rank]);
        way.owed[rank] = 0;
    }
    return rank;
}

int64_t *__wrap_comm_narrow(const int64_t *values, size_t n, int64_t *out)
{
    int64_t many[BLOCK];
    for (size_t i = 0; i < n; i++)
        many[i] = values[i] * way.times;
    int64_t *end = __real_comm_narrow(many, n, out);
    if (spend_numbers(n) == 0) {
        way.sent[0] += (int64_t)n;
        way.sent[1] += (int64_t)(end - out) * (int64_t)sizeof *out;
    }
    return end;
}

const int64_t *__wrap_comm_add_narrow(int64_t *values, size_t n, const int64_t *in)
{
    int64_t many[BLOCK] = {0};
    in = __real_comm_add_narrow(many, n, in);
    for (size_t i = 0; i < n; i++)
        values[i] += many[i] / way.times;
    spend_numbers(n);
    return in;
}

/* Seconds for making a number short and adding it. */
static double measure_number(void)
{
    enum { N = 1 << 16, ROUNDS = 64 };
    static int64_t value[N], sum[N], out[2 * N];
    for (int i = 0; i < N; i++)
        value[i] = (int64_t)(dp_random_u64(TABLE_SEED, 98, (uint64_t)i) >> 49) - (1 << 14);
    double began = processor_seconds();
    for (int round = 0; round < ROUNDS; round++) {
        int64_t *to = out;
        const int64_t *in = out;
        for (int i = 0; i < N; i += BLOCK)
            to = comm_narrow(value + i, BLOCK, to);
        for (int i = 0; i < N; i += BLOCK)
            in = comm_add_narrow(sum + i, BLOCK, in);
    }
    return (processor_seconds() - began) / ROUNDS / N;
}

static void read_costs(Meter *meter, const char *path)
{
    char name[NAME];
    double seconds;
    int nodes, threads;
    FILE *file = fopen(path, "r");
    meter->replay = true;
    if (!file || !smpi_execute)
        stop(file ? "replay needs SMPI" : path);
    if (fscanf(file, "threads %d rows %d tile %lf number %lf", &threads, &nodes, &way.tile, &way.number) != 4 ||
        way.tile <= 0)
        stop(path);
    way.times = nodes > FEW ? nodes / FEW : 1;
    way.groups = trees_histograms_groups((double)nodes / threads);
    while (fscanf(file, "%15s %d %lf", name, &nodes, &seconds) == 3)
        for (int op = 0; op < OPS; op++)
            if (strcmp(name, op_name[op]) == 0 && meter->recorded[op] < TIMES) {
                meter->nodes[op][meter->recorded[op]] = nodes;
                meter->seconds[op][meter->recorded[op]++][0] = seconds;
            }
    fclose(file);
    if (meter->recorded[HISTOGRAM] == 0)
        stop(path);
}

/* Features with 256 bins each, a label that depends on the first eight; the same rows on every rank. */
static float value_of(int64_t row, int feature)
{
    return (float)dp_random_unit(TABLE_SEED, (uint64_t)feature, (uint64_t)row);
}

typedef struct Rows {
    TreesRows rows;
    int8_t *label;
    uint8_t *part;
    uint64_t *row;
} Rows;

static void make_rows(Rows *made, int64_t n)
{
    MUST(dp_new(&made->label, (size_t)n));
    MUST(dp_new(&made->part, (size_t)n));
    MUST(dp_new(&made->row, (size_t)n));
    for (int64_t i = 0; i < n; i++) {
        float sum = 0;
        for (int f = 0; f < 8; f++)
            sum += value_of(i, f) * (float)(1 + f % 3);
        made->label[i] = sum + 4 * (float)dp_random_unit(TABLE_SEED, 99, (uint64_t)i) > 11;
        made->row[i] = (uint64_t)i;
    }
    made->rows = (TreesRows){.n = n, .label = made->label, .part = made->part, .row = made->row};
}

static void set_columns(TreesMatrix *matrix, int64_t n, const Comm *comm)
{
    float *values = NULL;
    MUST(dp_new(&values, (size_t)n));
    for (int f = 0; f < FEATURES; f++) {
        for (int64_t i = 0; i < n; i++)
            values[i] = value_of(i, f);
        MUST(trees_matrix_set(matrix, f, values, NULL, comm));
    }
    dp_free(&values);
}

/* The median over trees of each call. */
static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_costs(Meter *meter, int64_t rows)
{
    double histograms = 0;
    for (int op = 0; op < OPS; op++)
        for (int call = 0; call < meter->recorded[op]; call++)
            qsort(meter->seconds[op][call], (size_t)meter->trees, sizeof(double), compare);
    for (int call = 0; call < meter->recorded[HISTOGRAM]; call++)
        histograms += meter->seconds[HISTOGRAM][call][meter->trees / 2];
    printf("rows %lld tile %.9f number %.12f\n", (long long)rows,
           histograms / ((double)meter->tiles / meter->trees + 1), measure_number());
    for (int op = 0; op < OPS; op++)
        for (int call = 0; call < meter->recorded[op]; call++)
            printf("%s %d %.9f\n", op_name[op], meter->nodes[op][call], meter->seconds[op][call][meter->trees / 2]);
}

/* The cost model: what a tree's messages cost (seconds) beside computing. A level's lighter children (1, 1, 2, 4, ...
 * nodes) in some groups: the reduce-scatter of a group goes on while the next is built, so that only what takes
 * longer is waited for, and the last one whole. One small message a level, and two a tree. */
static double message_seconds(const Meter *meter, int ranks, double alpha, double beta)
{
    const double steps = ceil(log2(ranks)), width = (double)way.sent[1] / (double)way.sent[0];
    double waited = 0;
    for (int level = 0; level < meter->recorded[HISTOGRAM]; level++) {
        int nodes = meter->nodes[HISTOGRAM][level], group = (nodes + way.groups - 1) / way.groups,
            groups = (nodes + group - 1) / group;
        double numbers = 2.0 * group * FEATURES * TREES_MAX_BINS * (ranks - 1) / ranks;
        double sums = steps * alpha + numbers * (width * beta + way.number);
        double built = meter->seconds[HISTOGRAM][level][0] / groups;
        waited += sums + (groups - 1) * (sums > built ? sums - built : 0);
        waited += steps * (alpha + 24.0 * 2 * nodes * beta);
    }
    return waited + steps * (2 * alpha + (24 << DEPTH) * beta);
}

static void learn(TreesTraining *training, int trees, const Comm *comm)
{
    bool grew = true;
    for (int t = 0; t < trees; t++) {
        MUST(trees_training_step(training, &grew, comm));
        if (!grew)
            stop("a tree did not grow");
    }
}

int main(int argc, char **argv)
{
    Comm *comm = NULL, *alone = NULL;
    Device *device = NULL;
    TreesMatrix *matrix = NULL;
    TreesTraining *training = NULL;
    Meter *meter = NULL;
    Rows made;
    if (argc < 5)
        stop("usage: see the head of scale.c");
    bool replay = strcmp(argv[1], "replay") == 0;
    int64_t n = replay ? FEW : atoll(argv[2]);
    int trees = atoi(argv[4]);
    if (trees < 1 || trees > TREES || (replay && argc < 7))
        stop("usage: see the head of scale.c");
    TreesOptions options = {.trees = trees,
                            .depth = DEPTH,
                            .leaves = 31,
                            .bins = TREES_MAX_BINS,
                            .growth = strcmp(argv[3], "symmetric") == 0 ? TREES_SYMMETRIC : TREES_DEPTHWISE,
                            .learning_rate = 0.1,
                            .l2 = 1,
                            .min_child = 0.001,
                            .sample_rows = 1,
                            .sample_columns = 1,
                            .positive_weight = 1,
                            .levels = 63};
    MUST(comm_open(&comm, NULL));
    MUST(comm_open_alone(&alone, NULL)); /* for borders: all ranks hold the same rows */
    MUST(dp_new(&meter, 1));
    MUST(device_open(&device, "cpu", 0, 1));
    make_rows(&made, n);
    MUST(trees_matrix_build(&matrix, n, FEATURES, (int)options.bins, device));
    set_columns(matrix, n, alone);
    if (replay)
        read_costs(meter, argv[2]);
    put_meter(meter, device);
    MUST(trees_training_begin(&training, matrix, &made.rows, &options, TABLE_SEED, device, comm));
    if (replay)
        training->groups = way.groups; /* not what the few rows would have */
    comm_wait_all(comm);
    double began = MPI_Wtime();
    learn(training, trees, comm);
    comm_wait_all(comm);
    double seconds = (MPI_Wtime() - began) / trees;
    if (!replay)
        print_costs(meter, n);
    else if (comm_rank(comm) == 0) {
        double computed = meter->computed / trees;
        double model = computed + message_seconds(meter, comm_size(comm), atof(argv[5]), atof(argv[6]));
        printf("{\"ranks\": %d, \"tree_ms\": %.4f, \"compute_ms\": %.4f, \"level_ms\": %.4f, \"model_ms\": %.4f, "
               "\"tree_bytes_a_rank\": %.0f}\n",
               comm_size(comm), 1e3 * seconds, 1e3 * computed, 1e3 * seconds / DEPTH, 1e3 * model,
               (double)way.sent[1] / trees);
    }
    trees_training_free(&training);
    trees_matrix_free(&matrix);
    ((DeviceContext *)device_context(device))->own = NULL;
    device_close(&device);
    dp_free(&meter);
    dp_free(&made.label);
    dp_free(&made.part);
    dp_free(&made.row);
    comm_close(&alone);
    comm_close(&comm);
    return 0;
}
