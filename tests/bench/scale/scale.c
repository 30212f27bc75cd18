/* scale record ROWS GROWTH TREES    learns TREES trees of ROWS made-up rows x 32 on one rank and prints what each
 *                                   operation of a tree took: a line "operation seconds" for each call, medians
 * scale replay COSTS GROWTH TREES ALPHA BETA   on the ranks of SimGrid's SMPI: learns the same way from FEW rows a
 * rank, while each operation lets the simulated clock go on by what COSTS says of it
 *
 * So the messages are those of the real program, byte for byte, and the computing is what this machine needs for as
 * many rows as a rank would have; run.py puts both together. All ranks hold the same few rows: with 10^8 rows the
 * shares of ranks in a node differ by less than a part in a hundred, which a few rows would not show. Operations on
 * summed histograms cost by the rank's share of them. ALPHA (seconds a message) and BETA (seconds a byte) feed the cost
 * model that is printed beside the simulated time. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/rng.h"
#include "comm/comm.h"
#include "trees/trees.h"

enum { FEATURES = 32, FEW = 8192, DEPTH = 6, SEED = 7, TREES = 64, NAME = 16 };

/* The operations of growing, each with the number of times that a tree asks for it at most. */
typedef enum Op { GRADIENTS, LIST, HISTOGRAM, SIBLINGS, SPLITS, PARTITION, WALK, LEAF_SUMS, ADD_LEAVES, OPS } Op;
enum { TIMES = 16 };
static const char *const op_name[OPS] = {"gradients", "list", "histogram", "siblings",  "splits",
                                         "partition", "walk", "leaf_sums", "add_leaves"};

/* SMPI's, absent in a native build. */
extern void smpi_execute(double seconds) __attribute__((weak));
extern double MPI_Wtime(void);

/* What the k-th call of an operation in a tree takes: recorded, or replayed. One a rank, found through the device's
 * context. */
typedef struct Meter {
    TreeOps ops; /* the real ones */
    bool replay;
    int trees;                         /* begun */
    int calls[OPS];                    /* in this tree */
    int recorded[OPS];                 /* in a tree */
    double seconds[OPS][TIMES][TREES]; /* replay: tree 0 alone */
    double computed;                   /* replayed so far */
    double began;
} Meter;

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
        meter->trees++;
    }
    if (!meter->replay)
        meter->began = processor_seconds();
}

/* share: of the work that this rank has, of all that the recording rank had. */
static void after(Meter *meter, Op op, double share)
{
    int call = meter->calls[op]++;
    if (call >= (meter->replay ? meter->recorded[op] : TIMES))
        stop("a tree asks more of an operation than was recorded");
    if (!meter->replay) {
        meter->seconds[op][call][meter->trees - 1] = processor_seconds() - meter->began;
        meter->recorded[op] = meter->calls[op] > meter->recorded[op] ? meter->calls[op] : meter->recorded[op];
        return;
    }
    double seconds = meter->seconds[op][call][0] * share;
    smpi_execute(seconds);
    meter->computed += seconds;
}

static double cells_share(const TreeFeatures *features, int first, int last)
{
    return (double)(features->at[last] - features->at[first]) / features->at[features->n];
}

#define METERED(op, OP, Job, share)                                                                                    \
    static void metered_##op(const DeviceContext *context, const Job *job)                                             \
    {                                                                                                                  \
        Meter *meter = meter_of(context);                                                                              \
        before(meter, OP);                                                                                             \
        meter->ops.op(context, job);                                                                                   \
        after(meter, OP, share);                                                                                       \
    }
METERED(gradients, GRADIENTS, TreeGradients, 1)
METERED(list, LIST, TreeListing, 1)
METERED(histogram, HISTOGRAM, TreeHistogram, 1)
METERED(siblings, SIBLINGS, TreeSiblings, cells_share(job->features, job->first, job->last))
METERED(partition, PARTITION, TreePartition, 1)
METERED(walk, WALK, TreeWalk, 1)
METERED(leaf_sums, LEAF_SUMS, TreeLeafSums, 1)
METERED(add_leaves, ADD_LEAVES, TreeAddLeaves, 1)

static void metered_best_splits(const DeviceContext *context, const TreeScores *job, TreeSplit *best)
{
    Meter *meter = meter_of(context);
    before(meter, SPLITS);
    meter->ops.best_splits(context, job, best);
    after(meter, SPLITS, cells_share(job->features, job->first, job->last));
}

static void metered_level_scores(const DeviceContext *context, const TreeScores *job, double *total, double *parent)
{
    Meter *meter = meter_of(context);
    before(meter, SPLITS);
    meter->ops.level_scores(context, job, total, parent);
    after(meter, SPLITS, cells_share(job->features, job->first, job->last));
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

static void read_costs(Meter *meter, const char *path)
{
    char name[NAME];
    double seconds;
    FILE *file = fopen(path, "r");
    meter->replay = true;
    if (!file || !smpi_execute)
        stop(file ? "replay needs SMPI" : path);
    while (fscanf(file, "%15s %lf", name, &seconds) == 2)
        for (int op = 0; op < OPS; op++)
            if (strcmp(name, op_name[op]) == 0 && meter->recorded[op] < TIMES)
                meter->seconds[op][meter->recorded[op]++][0] = seconds;
    fclose(file);
    if (meter->recorded[HISTOGRAM] == 0)
        stop(path);
}

/* Features with 256 bins each, a label that depends on the first eight; the same rows on every rank. */
static float value_of(int64_t row, int feature)
{
    return (float)dp_random_unit(SEED, (uint64_t)feature, (uint64_t)row);
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
        made->label[i] = sum + 4 * (float)dp_random_unit(SEED, 99, (uint64_t)i) > 11;
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

static void print_costs(Meter *meter)
{
    for (int op = 0; op < OPS; op++)
        for (int call = 0; call < meter->recorded[op]; call++) {
            double *of = meter->seconds[op][call];
            qsort(of, (size_t)meter->trees, sizeof *of, compare);
            printf("%s %.9f\n", op_name[op], of[meter->trees / 2]);
        }
}

/* Cost model of a tree's messages: a reduce-scatter of the histograms a level (nodes built: 1, 1, 2, 4, ...), three
 * small sums a level and one of the leaves. bytes: what a rank puts into them. */
static double message_seconds(int ranks, int growth, double alpha, double beta, double *bytes)
{
    double steps = ceil(log2(ranks)), moved = 0, calls = 0;
    *bytes = 0;
    for (int level = 0; level < DEPTH; level++) {
        double built = level == 0 ? 1 : 1 << (level - 1), nodes = 1 << level;
        double histograms = 16.0 * built * FEATURES * TREES_MAX_BINS;
        double small = 8 * (growth == TREES_SYMMETRIC ? 2 : 2 * nodes) + (level + 1 < DEPTH ? 16 * nodes : 0);
        *bytes += histograms + small;
        moved += histograms * (ranks - 1) / ranks + small * steps;
        calls += 1 + 2 + (level + 1 < DEPTH);
    }
    *bytes += 24 << DEPTH;
    moved += (double)(24 << DEPTH) * steps;
    return (calls + 1) * steps * alpha + moved * beta;
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
    MUST(trees_training_begin(&training, matrix, &made.rows, &options, SEED, device, comm));
    comm_wait_all(comm);
    double began = MPI_Wtime();
    learn(training, trees, comm);
    comm_wait_all(comm);
    double seconds = (MPI_Wtime() - began) / trees;
    if (!replay)
        print_costs(meter);
    else if (comm_rank(comm) == 0) {
        double bytes,
            computed = meter->computed / trees,
            model = computed + message_seconds(comm_size(comm), options.growth, atof(argv[5]), atof(argv[6]), &bytes);
        printf("{\"ranks\": %d, \"tree_ms\": %.4f, \"compute_ms\": %.4f, \"level_ms\": %.4f, \"model_ms\": %.4f, "
               "\"tree_bytes_a_rank\": %.0f}\n",
               comm_size(comm), 1e3 * seconds, 1e3 * computed, 1e3 * seconds / DEPTH, 1e3 * model, bytes);
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
