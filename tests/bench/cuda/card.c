/* card DATA key=value ... -- learns and scores a table of floats on a device, and prints one JSON line a growth; run.py
 * runs it beside the peer. DATA: x.f32 [features][rows], y.u1 [rows].
 *
 *   rows=0 (only says whether there is a card) features=32 trees=100 depth=6 bins=256 runs=5 device=cuda threads=1
 *
 * set_s: exact borders and bins of all columns, from floats in memory; begin_s: what comes before the first tree (bins
 * in blocks, what the device keeps); train_s: all trees, until their margins are there; columns_s, bins_s: rows a
 * second of margins of floats and of bins that lie on the device, where the margins stay too, the median of runs;
 * from_host_s: of floats that do not. digest: of all margins, the same on every device. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/publish.h"
#include "bench/bench.h"

enum { RUNS_MAX = 101 };

typedef struct Bench {
    const char *data, *device;
    int64_t rows;
    int features, runs, threads;
    TreesOptions options;
    float *x;
    int8_t *label;
} Bench;

static void read_options(Bench *bench, int argc, char **argv)
{
    TreesOptions *options = &bench->options;
    const BenchKey keys[] = {
        {"rows", BENCH_COUNT, &bench->rows},
        {"features", BENCH_INT, &bench->features},
        {"trees", BENCH_COUNT, &options->trees},
        {"depth", BENCH_COUNT, &options->depth},
        {"bins", BENCH_COUNT, &options->bins},
        {"runs", BENCH_INT, &bench->runs},
        {"device", BENCH_TEXT, &bench->device},
        {"threads", BENCH_INT, &bench->threads},
        {.key = NULL},
    };
    *bench = (Bench){.data = argv[1], .device = "cuda", .features = 32, .runs = 5, .threads = 1};
    *options = bench_trees();
    options->trees = 100;
    options->min_child = 1;
    bench_arguments(keys, 2, argc, argv);
    bench->runs = bench->runs < RUNS_MAX ? bench->runs : RUNS_MAX;
}

static void read_data(Bench *bench)
{
    const struct {
        const char *name;
        void *to;
        size_t size, n;
    } file[] = {{"x.f32", bench->x, sizeof *bench->x, (size_t)bench->rows * (size_t)bench->features},
                {"y.u1", bench->label, 1, (size_t)bench->rows}};
    for (size_t i = 0; i < sizeof file / sizeof *file; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", bench->data, file[i].name);
        FILE *in = fopen(path, "rb");
        if (!in || fread(file[i].to, file[i].size, file[i].n, in) != file[i].n)
            stop(path);
        fclose(in);
    }
}

typedef struct Times {
    double set, begin, train;
} Times;

static Times learn(const Bench *bench, TreesModel *model, Device *device, const Comm *comm)
{
    TreesMatrix *matrix = NULL;
    TreesTraining *training = NULL;
    uint8_t *part = NULL;
    uint64_t *row = NULL;
    bool grew = true;
    Times times;
    MUST(dp_new(&part, (size_t)bench->rows));
    MUST(dp_new(&row, (size_t)bench->rows));
    for (int64_t i = 0; i < bench->rows; i++)
        row[i] = (uint64_t)i;
    double start = dp_clock_seconds();
    MUST(trees_matrix_build(&matrix, bench->rows, bench->features, (int)bench->options.bins, device));
    for (int f = 0; f < bench->features; f++)
        MUST(trees_matrix_set(matrix, f, bench->x + f * bench->rows, NULL, comm));
    times.set = dp_clock_seconds() - start;
    start = dp_clock_seconds();
    TreesRows rows = {.n = bench->rows, .label = bench->label, .part = part, .row = row};
    MUST(trees_training_begin(&training, matrix, &rows, &bench->options, 7, device, comm));
    times.begin = dp_clock_seconds() - start;
    start = dp_clock_seconds();
    for (int64_t i = 0; i < bench->options.trees && grew; i++)
        MUST(trees_training_step(training, &grew, comm));
    trees_training_margins(training);
    times.train = dp_clock_seconds() - start;
    MUST(trees_model_copy(model, trees_training_model(training)));
    trees_training_free(&training);
    trees_matrix_free(&matrix);
    dp_free(&part);
    dp_free(&row);
    return times;
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* The test's rows as columns: of floats, or of bins. */
typedef struct Columns {
    const float *const *value;
    const uint8_t *const *bin;
    int64_t *margin;
} Columns;

/* Rows a second; the first call, which takes memory, is not counted. */
static double score(const Bench *bench, const TreesScorer *scorer, const Columns *columns)
{
    double seconds[RUNS_MAX];
    for (int r = -1; r < bench->runs; r++) {
        double start = dp_clock_seconds();
        if (columns->bin)
            trees_margins_bins(scorer, columns->bin, bench->rows, columns->margin);
        else
            trees_margins_columns(scorer, columns->value, 0, bench->rows, columns->margin);
        seconds[r < 0 ? 0 : r] = dp_clock_seconds() - start;
    }
    qsort(seconds, (size_t)bench->runs, sizeof *seconds, by_value);
    return (double)bench->rows / seconds[bench->runs / 2];
}

typedef struct Rates {
    double host, columns, bins;
} Rates;

static Rates score_all(const Bench *bench, const TreesModel *model, Device *device, dp_digest *digest)
{
    const size_t rows = (size_t)bench->rows, cells = rows * (size_t)bench->features;
    const TreeOps *ops = device_tree_ops(device);
    const DeviceContext *context = device_context(device);
    TreesScorer *scorer = NULL;
    const float **value = NULL;
    const uint8_t **bin = NULL;
    uint8_t *bins = NULL;
    int64_t *margin = NULL;
    int used;
    Rates rates;
    dp_digest other;
    MUST(trees_scorer_build(&scorer, model, device));
    const int32_t *feature = trees_scorer_features(scorer, &used);
    MUST(dp_new(&value, (size_t)bench->features));
    MUST(dp_new(&bin, (size_t)bench->features));
    MUST(dp_new(&bins, cells));
    MUST(dp_new(&margin, rows));
    for (int f = 0; f < bench->features; f++)
        value[f] = bench->x + f * bench->rows;
    for (int k = 0; k < used; k++) {
        trees_scorer_bin(scorer, k, value[feature[k]], bench->rows, bins + (size_t)k * rows);
        bin[k] = bins + (size_t)k * rows;
    }
    Columns columns = {.value = value, .margin = margin};
    rates.host = score(bench, scorer, &columns);
    MUST(dp_digest_of(digest, margin, rows * sizeof *margin));
    const struct {
        const void *array;
        size_t bytes;
    } held[] = {{bench->x, cells * sizeof *bench->x}, {bins, cells}, {margin, rows * sizeof *margin}};
    for (size_t i = 0; i < sizeof held / sizeof *held; i++) {
        ops->hold(context, held[i].array, held[i].bytes);
        ops->put(context, held[i].array, held[i].bytes);
    }
    rates.columns = score(bench, scorer, &columns);
    columns.bin = bin;
    rates.bins = score(bench, scorer, &columns);
    ops->fetch(context, margin, rows * sizeof *margin);
    MUST(dp_digest_of(&other, margin, rows * sizeof *margin));
    if (ops->lost(context) || memcmp(&other, digest, sizeof other) != 0)
        stop("bins on the device give other margins than floats of the host");
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        ops->release(context, held[i].array);
    trees_scorer_free(&scorer);
    dp_free(&value);
    dp_free(&bin);
    dp_free(&bins);
    dp_free(&margin);
    return rates;
}

static void run_growth(Bench *bench, TreesGrowth growth, Device *device, const Comm *comm)
{
    TreesModel model;
    dp_digest digest;
    char hex[DP_DIGEST_HEX];
    bench->options.growth = growth;
    Times times = learn(bench, &model, device, comm);
    Rates rates = score_all(bench, &model, device, &digest);
    dp_digest_print(hex, &digest);
    printf("{\"growth\": \"%s\", \"device\": \"%s\", \"rows\": %lld, \"trees\": %d, \"digest\": \"%.16s\"",
           growth == TREES_SYMMETRIC ? "symmetric" : "depth", device_describe(device), (long long)bench->rows,
           model.n_trees, hex);
    printf(", \"set_s\": %.4f, \"begin_s\": %.4f, \"train_s\": %.4f", times.set, times.begin, times.train);
    printf(", \"from_host_s\": %.0f, \"columns_s\": %.0f, \"bins_s\": %.0f}\n", rates.host, rates.columns, rates.bins);
    trees_model_free(&model);
}

static void run_all(Bench *bench, Device *device, const Comm *comm)
{
    MUST(dp_new(&bench->x, (size_t)bench->rows * (size_t)bench->features));
    MUST(dp_new(&bench->label, (size_t)bench->rows));
    read_data(bench);
    run_growth(bench, TREES_SYMMETRIC, device, comm);
    run_growth(bench, TREES_DEPTHWISE, device, comm);
    dp_free(&bench->x);
    dp_free(&bench->label);
}

int main(int argc, char **argv)
{
    Bench bench;
    Comm *comm = NULL;
    Device *device = NULL;
    if (argc < 2)
        stop("DATA is missing");
    read_options(&bench, argc, argv);
    MUST(comm_open_alone(&comm, NULL));
    dp_status st = device_open(&device, bench.device, 0, bench.threads);
    if (st == DP_ERR_NO_INPUT) {
        printf("skipped: %s\n", dp_error_last()->text);
        comm_close(&comm);
        return 77;
    }
    MUST(st);
    if (bench.rows > 0)
        run_all(&bench, device, comm);
    device_close(&device);
    comm_close(&comm);
    return 0;
}
