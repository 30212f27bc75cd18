/* score DATA key=value ... -- evaluates a model on the test rows of the table that make_declarations.py wrote, all 32
 * columns as floats in memory, and prints one JSON line. score.py runs it in turn with the peers.
 *
 *   growth=symmetric|depth trees=200 depth=6 learn=300000 (rows to learn from) threads=1 runs=5 device=cpu explain=2000
 * onnx=FILE (the model, written there)
 *
 * rows_s: margins from floats, the median of runs; rows_cpu_s: the same over processor seconds, times threads (of use
 * where other work disturbs); columns_s, bins_s: so from columns of floats and of bins; single_us, single_p99_us: of
 * one call for one row; model_load_ms: of model_load from the page cache; explain_rows_s: contributions a processor
 * second of one thread; digest: of all margins, equal on every device and instruction set (DIPPER_CPU). */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "support/forest.h"
#include "bench/bench.h"

enum { NUMBERS = 20, CODES = 12, FEATURES = NUMBERS + CODES, TRAIN_ROWS = 2000000, TEST_ROWS = 500000, CHUNK = 8192 };

typedef struct Bench {
    const char *data, *device, *onnx;
    int threads, runs;
    int64_t learn, explain;
    TreesOptions options;
} Bench;

static void read_options(Bench *bench, int argc, char **argv)
{
    TreesOptions *options = &bench->options;
    const BenchKey keys[] = {
        {"growth", BENCH_GROWTH, &options->growth}, {"trees", BENCH_COUNT, &options->trees},
        {"depth", BENCH_COUNT, &options->depth},    {"learn", BENCH_COUNT, &bench->learn},
        {"threads", BENCH_INT, &bench->threads},    {"runs", BENCH_INT, &bench->runs},
        {"device", BENCH_TEXT, &bench->device},     {"onnx", BENCH_TEXT, &bench->onnx},
        {"explain", BENCH_COUNT, &bench->explain},  {.key = NULL},
    };
    *bench = (Bench){.data = argv[1], .device = "cpu", .threads = 1, .runs = 5, .learn = 300000, .explain = 2000};
    *options = bench_trees();
    bench_arguments(keys, 2, argc, argv);
}

static void read_part(const char *folder, const char *name, int64_t from, int64_t n, int64_t width, void *out)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, (long)(from * width), SEEK_SET) != 0 ||
        fread(out, (size_t)width, (size_t)n, file) != (size_t)n)
        stop(path);
    fclose(file);
}

/* Rows from .. from + n - 1, [n][FEATURES]; codes as numbers, -1 missing. */
static float *read_rows(const Bench *bench, int64_t from, int64_t n)
{
    float *x = NULL;
    static float number[CHUNK * NUMBERS];
    static int32_t code[CHUNK * CODES];
    MUST(dp_new(&x, (size_t)n * FEATURES));
    for (int64_t i = 0; i < n; i += CHUNK) {
        int64_t m = n - i < CHUNK ? n - i : CHUNK;
        read_part(bench->data, "num.f32", from + i, m, sizeof(float) * NUMBERS, number);
        read_part(bench->data, "cat.i32", from + i, m, sizeof(int32_t) * CODES, code);
        for (int64_t k = 0; k < m; k++) {
            float *row = x + (i + k) * FEATURES;
            memcpy(row, number + k * NUMBERS, sizeof(float) * NUMBERS);
            for (int j = 0; j < CODES; j++)
                row[NUMBERS + j] = code[k * CODES + j] < 0 ? NAN : (float)code[k * CODES + j];
        }
    }
    return x;
}

static void learn(const Bench *bench, TreesModel *model, Device *device, const Comm *comm)
{
    int64_t n = bench->learn;
    float *x = read_rows(bench, TRAIN_ROWS - n, n), *values = NULL;
    int8_t *label = NULL;
    uint8_t *part = NULL;
    uint64_t *row = NULL;
    TreesMatrix *matrix = NULL;
    TreesTraining *training = NULL;
    bool grew = true;
    MUST(dp_new(&values, (size_t)n));
    MUST(dp_new(&label, (size_t)n));
    MUST(dp_new(&part, (size_t)n));
    MUST(dp_new(&row, (size_t)n));
    read_part(bench->data, "y.u1", TRAIN_ROWS - n, n, 1, label);
    MUST(trees_matrix_build(&matrix, n, FEATURES, (int)bench->options.bins, device));
    for (int f = 0; f < FEATURES; f++) {
        for (int64_t i = 0; i < n; i++)
            values[i] = x[i * FEATURES + f];
        MUST(trees_matrix_set(matrix, f, values, NULL, comm));
    }
    for (int64_t i = 0; i < n; i++)
        row[i] = (uint64_t)i;
    TreesRows rows = {.n = n, .label = label, .part = part, .row = row};
    MUST(trees_training_begin(&training, matrix, &rows, &bench->options, 7, device, comm));
    for (int64_t i = 0; i < bench->options.trees && grew; i++)
        MUST(trees_training_step(training, &grew, comm));
    MUST(trees_model_copy(model, trees_training_model(training)));
    trees_training_free(&training);
    trees_matrix_free(&matrix);
    dp_free(&x);
    dp_free(&values);
    dp_free(&label);
    dp_free(&part);
    dp_free(&row);
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, by_value);
    return values[n / 2];
}

/* The test rows in the three forms that a pipeline may hold them in; one of them is asked for. */
typedef struct Input {
    const float *x;
    const float *const *value;
    const uint8_t *const *bin;
} Input;

static double time_margins(const Bench *bench, const TreesScorer *scorer, const Input *input, int64_t *margin,
                           double *cpu)
{
    double seconds[101], used[101];
    int runs = bench->runs < 101 ? bench->runs : 101;
    for (int r = 0; r < runs; r++) {
        double start = dp_clock_seconds(), before = processor_seconds();
#pragma omp parallel for num_threads(bench->threads) schedule(static)
        for (int64_t i = 0; i < TEST_ROWS; i += CHUNK) {
            int64_t n = TEST_ROWS - i < CHUNK ? TEST_ROWS - i : CHUNK;
            const uint8_t *bin[FEATURES];
            for (int k = 0; k < FEATURES && input->bin && input->bin[k]; k++)
                bin[k] = input->bin[k] + i;
            if (input->x)
                trees_margins(scorer, input->x + i * FEATURES, n, FEATURES, margin + i);
            else if (input->value)
                trees_margins_columns(scorer, input->value, i, n, margin + i);
            else
                trees_margins_bins(scorer, bin, n, margin + i);
        }
        seconds[r] = dp_clock_seconds() - start;
        used[r] = processor_seconds() - before;
    }
    *cpu = median(used, runs);
    return median(seconds, runs);
}

/* Columns of floats, then of bins: rows a processor second, times threads. */
static void time_columns(const Bench *bench, const TreesScorer *scorer, const float *x, const int64_t *expected,
                         double *columns_s, double *bins_s)
{
    float *value = NULL;
    uint8_t *bin = NULL;
    int64_t *margin = NULL;
    const float *values[FEATURES];
    const uint8_t *bins[FEATURES] = {0};
    double cpu;
    int used;
    const int32_t *feature = trees_scorer_features(scorer, &used);
    MUST(dp_new(&value, (size_t)TEST_ROWS * FEATURES));
    MUST(dp_new(&bin, (size_t)TEST_ROWS * FEATURES));
    MUST(dp_new(&margin, TEST_ROWS));
    for (int k = 0; k < used; k++) {
        float *column = value + (int64_t)k * TEST_ROWS;
        for (int64_t i = 0; i < TEST_ROWS; i++)
            column[i] = x[i * FEATURES + feature[k]];
        trees_scorer_bin(scorer, k, column, TEST_ROWS, bin + (int64_t)k * TEST_ROWS);
        values[feature[k]] = column;
        bins[k] = bin + (int64_t)k * TEST_ROWS;
    }
    for (int form = 0; form < 2; form++) {
        Input input = {.value = form == 0 ? values : NULL, .bin = bins};
        (void)time_margins(bench, scorer, &input, margin, &cpu);
        *(form == 0 ? columns_s : bins_s) = TEST_ROWS / cpu * bench->threads;
        if (memcmp(margin, expected, sizeof *margin * TEST_ROWS) != 0)
            stop("columns give other margins than rows");
    }
    dp_free(&value);
    dp_free(&bin);
    dp_free(&margin);
}

/* A row that the caller has just made; with what the two readings of the clock take. */
static double time_single(const TreesScorer *scorer, const float *x, double *p99)
{
    static double us[10001];
    float row[FEATURES];
    int64_t margin;
    for (int i = 0; i < 10001; i++) {
        memcpy(row, x + (int64_t)i * 37 * FEATURES, sizeof row);
        double start = dp_clock_seconds();
        trees_margins(scorer, row, 1, FEATURES, &margin);
        us[i] = (dp_clock_seconds() - start) * 1e6;
    }
    double middle = median(us, 10001);
    *p99 = us[9900];
    return middle;
}

/* A contract of plain numbers. */
static DataInputs numbers(void)
{
    DataInputs inputs = {.n = FEATURES, .columns = FEATURES};
    char name[16];
    MUST(dp_new(&inputs.input, FEATURES));
    for (int j = 0; j < FEATURES; j++) {
        snprintf(name, sizeof name, "x%d", j);
        MUST(dp_copy_text(&inputs.input[j].name, name));
        inputs.input[j].type = LAKE_NUMBER32;
        inputs.input[j].missing = inputs.input[j].unseen = NAN;
    }
    return inputs;
}

static void write_onnx(const Model *model, const char *path)
{
    dp_buf onnx = {0};
    MUST(model_export_onnx(model, "bench", "1", &onnx));
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(onnx.data, 1, onnx.size, file) != onnx.size || fclose(file) != 0)
        stop(path);
    dp_buf_free(&onnx);
}

static double time_model_load(const TreesModel *model, Device *device, const char *onnx)
{
    static double ms[101];
    char path[] = "/tmp/dipper-bench-XXXXXX";
    DataInputs inputs = numbers();
    dp_buf image = {0};
    forest_image(&image, model, &inputs, "{}");
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, image.data, image.size) != (ssize_t)image.size || close(fd) != 0)
        stop(path);
    for (int i = 0; i < 101; i++) {
        Model *loaded = NULL;
        double start = dp_clock_seconds();
        MUST(model_load(&loaded, NULL, path, device));
        ms[i] = (dp_clock_seconds() - start) * 1e3;
        if (i == 0 && onnx)
            write_onnx(loaded, onnx);
        model_free(&loaded);
    }
    unlink(path);
    dp_buf_free(&image);
    data_inputs_free(&inputs);
    return median(ms, 101);
}

static double time_contributions(const Bench *bench, const TreesScorer *scorer, const float *x)
{
    double *phi = NULL;
    MUST(dp_new(&phi, (size_t)bench->explain * (FEATURES + 1)));
    double start = processor_seconds();
    MUST(trees_contributions(scorer, x, bench->explain, FEATURES, phi));
    double seconds = processor_seconds() - start;
    dp_free(&phi);
    return seconds;
}

int main(int argc, char **argv)
{
    Bench bench;
    Comm *comm = NULL;
    Device *device = NULL;
    TreesModel model;
    TreesScorer *scorer = NULL;
    int64_t *margin = NULL;
    dp_digest digest;
    char hex[DP_DIGEST_HEX];
    if (argc < 2)
        stop("DATA is missing");
    read_options(&bench, argc, argv);
    MUST(comm_open_alone(&comm, NULL));
    MUST(device_open(&device, bench.device, 0, bench.threads));
    learn(&bench, &model, device, comm);
    float *x = read_rows(&bench, TRAIN_ROWS, TEST_ROWS);
    MUST(dp_new(&margin, TEST_ROWS));
    MUST(trees_scorer_build(&scorer, &model, device));
    double cpu, columns_s, bins_s, p99, seconds = time_margins(&bench, scorer, &(Input){.x = x}, margin, &cpu);
    time_columns(&bench, scorer, x, margin, &columns_s, &bins_s);
    MUST(dp_digest_of(&digest, margin, sizeof *margin * TEST_ROWS));
    dp_digest_print(hex, &digest);
    double single = time_single(scorer, x, &p99);
    printf("{\"lib\": \"dipper\", \"device\": \"%s\", \"threads\": %d, \"trees\": %d, \"digest\": \"%.16s\"",
           device_describe(device), bench.threads, model.n_trees, hex);
    printf(", \"rows_s\": %.0f, \"rows_cpu_s\": %.0f, \"columns_s\": %.0f, \"bins_s\": %.0f", TEST_ROWS / seconds,
           TEST_ROWS / cpu * bench.threads, columns_s, bins_s);
    printf(", \"single_us\": %.3f, \"single_p99_us\": %.3f, \"model_load_ms\": %.3f, \"explain_rows_s\": %.0f}\n",
           single, p99, time_model_load(&model, device, bench.onnx),
           (double)bench.explain / time_contributions(&bench, scorer, x));
    trees_scorer_free(&scorer);
    trees_model_free(&model);
    device_close(&device);
    dp_free(&x);
    dp_free(&margin);
    comm_close(&comm);
    return 0;
}
