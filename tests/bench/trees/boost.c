/* boost DATA key=value ... -- learns on the table that make_declarations.py wrote, all 32 columns as numbers, and
 * prints one JSON line. Alone or under mpirun; compare.py runs it in turn with the peers.
 *
 *   growth=depth|leaf|symmetric leaves=31 trees=200 depth=6 rate=0.1 bins=256 levels=63 threads=1 rows=0 (all)
 * device=cpu sample=1.0 by=uniform|gradient seed=7
 *   loss=logloss|squared|ranking (numbers in target.f64, groups of a ranking in group.u64) rank_top=30 min_rows=1
 *   memory=0 (MiB that learning may take on a rank, the rest in files beside DATA)
 *   margins=FILE (double margins of the test rows, of the whole model) every=0 (and before it those after so many
 * trees)
 *
 * Clocks: build_s is the setting of columns (exact borders, bins), each given as a float column in memory; train_s all
 * of the training, its preparation too, train_cpu_s its processor time over all ranks and threads. peak_mib: the sum
 * over ranks of the largest resident set of the process since its start, before scoring. */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/publish.h"
#include "bench/bench.h"

enum { NUMBERS = 20, CODES = 12, FEATURES = NUMBERS + CODES, GROUP = 4, CHUNK = 8192 };

typedef struct Bench {
    const char *data, *device, *margins, *loss;
    int threads, every;
    int64_t seed;
    TreesLimits limits;
    int64_t train_rows, test_rows, rows; /* rows: to learn from, of all ranks */
    TreesOptions options;
} Bench;

static int open_file(const char *folder, const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int file = open(path, O_RDONLY);
    if (file < 0)
        stop(path);
    return file;
}

static void read_all(int file, void *to, size_t size, int64_t at)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(file, (char *)to + done, size - done, at + (int64_t)done);
        if (n <= 0)
            stop("reading");
        done += (size_t)n;
    }
}

/* Columns first .. first + GROUP - 1 of rows from .. from + n - 1 as floats. */
static void read_columns(const Bench *bench, int first, int64_t from, int64_t n, float *columns)
{
    bool codes = first >= NUMBERS;
    int width = codes ? CODES : NUMBERS, at = codes ? first - NUMBERS : first;
    int file = open_file(bench->data, codes ? "cat.i32" : "num.f32");
    static union {
        float f[CHUNK * NUMBERS];
        int32_t i[CHUNK * NUMBERS];
    } chunk;
    for (int64_t i = 0; i < n; i += CHUNK) {
        int64_t m = n - i < CHUNK ? n - i : CHUNK;
        read_all(file, &chunk, (size_t)(m * width) * 4, (from + i) * width * 4);
        for (int j = 0; j < GROUP; j++)
            for (int64_t k = 0; k < m; k++) {
                int64_t cell = k * width + at + j;
                columns[j * n + i + k] = !codes ? chunk.f[cell] : chunk.i[cell] < 0 ? NAN : (float)chunk.i[cell];
            }
    }
    close(file);
}

static void read_options(Bench *bench, int argc, char **argv)
{
    TreesOptions *options = &bench->options;
    const char *by = "uniform";
    int64_t memory = 0;
    const BenchKey keys[] = {
        {"growth", BENCH_GROWTH, &options->growth},
        {"leaves", BENCH_COUNT, &options->leaves},
        {"trees", BENCH_COUNT, &options->trees},
        {"depth", BENCH_COUNT, &options->depth},
        {"rate", BENCH_REAL, &options->learning_rate},
        {"bins", BENCH_COUNT, &options->bins},
        {"levels", BENCH_COUNT, &options->levels},
        {"loss", BENCH_TEXT, &bench->loss},
        {"rank_top", BENCH_COUNT, &options->rank_top},
        {"min_rows", BENCH_COUNT, &options->min_rows},
        {"sample", BENCH_REAL, &options->sample_rows},
        {"by", BENCH_TEXT, &by},
        {"threads", BENCH_INT, &bench->threads},
        {"seed", BENCH_COUNT, &bench->seed},
        {"memory", BENCH_COUNT, &memory},
        {"every", BENCH_INT, &bench->every},
        {"rows", BENCH_COUNT, &bench->rows},
        {"device", BENCH_TEXT, &bench->device},
        {"margins", BENCH_TEXT, &bench->margins},
        {.key = NULL},
    };
    *bench = (Bench){.data = argv[1], .device = "cpu", .loss = "logloss", .threads = 1, .seed = 7};
    *options = bench_trees();
    options->growth = TREES_DEPTHWISE;
    options->rank_top = 30;
    bench_arguments(keys, 2, argc, argv);
    options->loss = strcmp(bench->loss, "squared") == 0   ? TREES_SQUARED
                    : strcmp(bench->loss, "ranking") == 0 ? TREES_RANKING
                                                          : TREES_LOGLOSS;
    options->sample_by = strcmp(by, "gradient") == 0 ? TREES_SAMPLE_GRADIENT : TREES_SAMPLE_UNIFORM;
    if (memory > 0)
        bench->limits = (TreesLimits){.memory = memory << 20, .scratch = bench->data};
}

/* "train_rows": 2000000 in meta.json. */
static int64_t meta_count(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at ? atoll(strchr(at, ':') + 1) : 0;
}

static void read_meta(Bench *bench)
{
    char path[1024], *text = NULL;
    size_t size;
    snprintf(path, sizeof path, "%s/meta.json", bench->data);
    MUST(dp_read_file(&text, &size, path, 1 << 20));
    bench->train_rows = meta_count(text, "\"train_rows\"");
    bench->test_rows = meta_count(text, "\"test_rows\"");
    if (bench->rows == 0 || bench->rows > bench->train_rows)
        bench->rows = bench->train_rows;
    dp_free(&text);
}

/* Rows from .. from + n - 1 of a file of 8 bytes a row; *to free with dp_free. */
static void read_words(const Bench *bench, const char *name, void *to, int64_t from, int64_t n)
{
    char *words = NULL;
    MUST(dp_new_bytes(&words, (size_t)n + 1, 8));
    int file = open_file(bench->data, name);
    read_all(file, words, (size_t)n * 8, from * 8);
    close(file);
    memcpy(to, &words, sizeof words);
}

/* Rank 0 scores the test rows, in blocks. */
static void write_margins(const Bench *bench, const TreesModel *model, Device *device)
{
    TreesScorer *scorer = NULL;
    float *columns = NULL, *x = NULL;
    int64_t *margin = NULL;
    double *out = NULL;
    const int64_t n = bench->test_rows;
    FILE *file = fopen(bench->margins, "wb");
    if (!file)
        stop(bench->margins);
    MUST(dp_new(&columns, (size_t)n * GROUP));
    MUST(dp_new(&x, (size_t)n * FEATURES));
    MUST(dp_new(&margin, (size_t)n));
    MUST(dp_new(&out, (size_t)n));
    for (int f = 0; f < FEATURES; f += GROUP) {
        read_columns(bench, f, bench->train_rows, n, columns);
        for (int j = 0; j < GROUP; j++)
            for (int64_t i = 0; i < n; i++)
                x[i * FEATURES + f + j] = columns[j * n + i];
    }
    for (int trees = bench->every > 0 ? bench->every : model->n_trees; trees <= model->n_trees;
         trees += bench->every > 0 ? bench->every : 1) {
        TreesModel part = *model; /* its first trees: the arrays are the model's */
        part.n_trees = trees;
        MUST(trees_scorer_build(&scorer, &part, device));
        trees_margins(scorer, x, n, FEATURES, margin);
        for (int64_t i = 0; i < n; i++)
            out[i] = ldexp((double)margin[i], model->scale - TREES_LEAF_BITS);
        if (fwrite(out, sizeof *out, (size_t)n, file) != (size_t)n)
            stop(bench->margins);
        trees_scorer_free(&scorer);
    }
    if (fclose(file) != 0)
        stop(bench->margins);
    dp_free(&columns);
    dp_free(&x);
    dp_free(&margin);
    dp_free(&out);
}

int main(int argc, char **argv)
{
    Bench bench;
    Comm *comm = NULL;
    Device *device = NULL;
    TreesMatrix *matrix = NULL;
    TreesTraining *training = NULL;
    float *columns = NULL;
    int8_t *label = NULL;
    uint8_t *part = NULL;
    uint64_t *row = NULL, *group = NULL;
    double *target = NULL;
    double build = 0, start, begun, trained, cpu;
    bool grew = true;
    if (argc < 2)
        stop("DATA is missing");
    read_options(&bench, argc, argv);
    MUST(comm_open(&comm, NULL));
    read_meta(&bench);
    MUST(device_open(&device, bench.device, 0, bench.threads));
    int64_t from = bench.rows * comm_rank(comm) / comm_size(comm);
    int64_t n = bench.rows * (comm_rank(comm) + 1) / comm_size(comm) - from;
    MUST(dp_new(&columns, (size_t)n * GROUP));
    MUST(dp_new(&label, (size_t)n));
    MUST(dp_new(&part, (size_t)n));
    MUST(dp_new(&row, (size_t)n));
    if (bench.options.loss == TREES_LOGLOSS) {
        int file = open_file(bench.data, "y.u1");
        read_all(file, label, (size_t)n, from);
        close(file);
    } else {
        read_words(&bench, "target.f64", &target, from, n);
    }
    if (bench.options.loss == TREES_RANKING)
        read_words(&bench, "group.u64", &group, from, n);
    for (int64_t i = 0; i < n; i++)
        row[i] = (uint64_t)(from + i);
    MUST(trees_matrix_build_within(&matrix, n, FEATURES, (int)bench.options.bins, device, &bench.limits));
    for (int f = 0; f < FEATURES; f += GROUP) {
        read_columns(&bench, f, from, n, columns);
        comm_wait_all(comm);
        start = dp_clock_seconds();
        for (int j = 0; j < GROUP; j++)
            MUST(trees_matrix_set(matrix, f + j, columns + j * n, NULL, comm));
        build += dp_clock_seconds() - start;
    }
    dp_free(&columns);
    TreesRows rows = {.n = n, .label = label, .target = target, .group = group, .part = part, .row = row};
    cpu = processor_of_ranks(comm);
    start = dp_clock_seconds();
    MUST(trees_training_begin(&training, matrix, &rows, &bench.options, bench.seed, device, comm));
    begun = dp_clock_seconds() - start;
    for (int64_t i = 0; i < bench.options.trees && grew; i++)
        MUST(trees_training_step(training, &grew, comm));
    comm_wait_all(comm);
    trained = dp_clock_seconds() - start;
    cpu = processor_of_ranks(comm) - cpu;
    int64_t peak = dp_memory_peak();
    comm_sum_i64(comm, &peak, 1);
    if (comm_rank(comm) == 0) {
        printf("{\"lib\": \"dipper\", \"device\": \"%s\", \"ranks\": %d, \"threads\": %d, \"rows\": %lld, \"trees\": "
               "%d, \"build_s\": %.4f, \"begin_s\": %.4f, \"train_s\": %.4f, \"train_cpu_s\": %.4f, \"total_s\": %.4f, "
               "\"peak_mib\": %.1f}\n",
               device_describe(device), comm_size(comm), bench.threads, (long long)bench.rows,
               trees_training_model(training)->n_trees, build, begun, trained, cpu, build + trained,
               (double)peak / (1 << 20));
        if (bench.margins)
            write_margins(&bench, trees_training_model(training), device);
    }
    trees_training_free(&training);
    trees_matrix_free(&matrix);
    device_close(&device);
    dp_free(&label);
    dp_free(&part);
    dp_free(&row);
    dp_free(&target);
    dp_free(&group);
    comm_close(&comm);
    return 0;
}
