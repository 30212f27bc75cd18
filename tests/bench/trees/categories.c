/* categories LAKE TRAIN TEST [margins=FILE] [threads=1] [trees=200] [key=value ...] -- learns table TRAIN as
 * `dipper train` does, categories by their hit rates, and prints one JSON line. Alone or under mpirun; categories.py
 * runs it in turn with the peers. Further key=value are those of section model: growth=depth categories.pairs=0.
 *
 * Clocks: open_s reads labels, identities and times from the lake; begin_s chooses combinations, computes all
 * statistics, borders and bins, columns read from the lake each; train_s grows the trees; train_cpu_s is processor time
 * of all of it over ranks and threads. peak_mib: the sum over ranks of the largest resident set since the process
 * began, before scoring. Then rank 0 encodes and scores TEST block by block (encode_s, score_s: one thread) and writes
 * scores. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bench/bench.h"
#include "model/model.h"

typedef struct Bench {
    const char *lake, *train, *test, *margins;
    int threads;
    Config *config;
    EncodeOptions encode;
} Bench;

static const char *const inputs[] = {
    "net_mass",      "item_price",      "unit_price",     "tax_rate",         "quantity",
    "packages",      "freight",         "insurance",      "gross_mass",       "item_count",
    "day",           "weekday",         "hour",           "days_in_port",     "importer_age",
    "declarant_age", "price_to_median", "mass_to_median", "past_inspections", "past_hits",
    "mode",          "process",         "payment",        "office",           "import_use",
    "tax_type",      "origin",          "departure",      "courier",          "declarant",
    "hs6",           "importer"};
enum { INPUTS = sizeof inputs / sizeof *inputs };

static void read_options(Bench *bench, int argc, char **argv)
{
    static const char text[] =
        "kind: model\nmodel: {family: trees, trees: 200, depth: 6, growth: depth, learning_rate: 0.1}\n";
    CfgKind kind = {.name = "model", .about = "", .sections = model_sections, .n = model_sections_n};
    char overrides[40][200];
    const char *given[40];
    size_t n = 0;
    *bench = (Bench){.lake = argv[1], .train = argv[2], .test = argv[3], .threads = 1};
    for (int i = 4; i < argc; i++) {
        if (strncmp(argv[i], "margins=", 8) == 0)
            bench->margins = argv[i] + 8;
        else if (strncmp(argv[i], "threads=", 8) == 0)
            bench->threads = atoi(argv[i] + 8);
        else if (n < 40) {
            snprintf(overrides[n], sizeof overrides[n], "model.%s", argv[i]);
            given[n] = overrides[n];
            n++;
        }
    }
    MUST(config_parse(&bench->config, "bench.yaml", text, strlen(text), given, n, &kind, 1));
    MUST(config_must_be_good(bench->config));
    for (size_t s = 0; s < model_sections_n; s++)
        if (strcmp(model_sections[s].path, "model.categories") == 0)
            MUST(config_bind(bench->config, &model_sections[s], &bench->encode));
}

/* Rank 0: table TEST through contract and model. */
static void score_test(const Bench *bench, const Model *model, double *encode_s, double *score_s)
{
    Comm *alone = NULL;
    LakeTable *table = NULL;
    LakeScan *scan = NULL;
    DataEncoder *encoder = NULL;
    const LakeBlock *block;
    const int *columns;
    const DataInputs *contract = model_inputs(model);
    float *x = NULL, *score = NULL;
    int32_t room = 0;
    FILE *file = fopen(bench->margins, "wb");
    if (!file)
        stop(bench->margins);
    MUST(comm_open_alone(&alone, NULL));
    MUST(lake_open(&table, bench->lake, bench->test, alone));
    MUST(data_encoder_build(&encoder, contract, lake_schema(table), &columns));
    LakeQuery query = {.columns = columns, .n_columns = contract->columns, .as_of = DP_TIME_MISSING, .threads = 1};
    MUST(lake_scan(&scan, table, &query, alone));
    for (;;) {
        MUST(lake_next(scan, &block));
        if (!block)
            break;
        if (block->rows > room) {
            dp_free(&x);
            dp_free(&score);
            room = block->rows;
            MUST(dp_new(&x, (size_t)room * (size_t)contract->n));
            MUST(dp_new(&score, (size_t)room));
        }
        double start = dp_clock_seconds();
        Tensor rows = tensor_matrix(TENSOR_F32, x, block->rows, contract->n);
        MUST(data_encode(encoder, block->column, rows));
        double encoded = dp_clock_seconds();
        model_predict(model, rows, score);
        *encode_s += encoded - start;
        *score_s += dp_clock_seconds() - encoded;
        if (fwrite(score, sizeof *score, (size_t)block->rows, file) != (size_t)block->rows)
            stop(bench->margins);
    }
    if (fclose(file) != 0)
        stop(bench->margins);
    lake_scan_close(&scan);
    data_encoder_free(&encoder);
    lake_close(&table);
    dp_free(&x);
    dp_free(&score);
    comm_close(&alone);
}

int main(int argc, char **argv)
{
    Bench bench;
    Comm *comm = NULL;
    Device *device = NULL;
    LakeTable *table = NULL;
    Data *data = NULL;
    Model *model = NULL;
    ModelFacts facts;
    dp_buf image = {0};
    bool more = true;
    double encode_s = 0, score_s = 0;
    if (argc < 4)
        stop("LAKE TRAIN TEST are missing");
    read_options(&bench, argc, argv);
    DataOptions options = {
        .table = bench.train, .label = "label", .columns = {inputs, INPUTS}, .as_of = DP_TIME_MISSING};
    SplitOptions split = {.train = {.kind = CFG_PART_SHARE, .share = 1}};
    MUST(comm_open(&comm, NULL));
    MUST(device_open(&device, "cpu", 0, bench.threads));
    MUST(lake_open(&table, bench.lake, bench.train, comm));
    comm_wait_all(comm);
    double cpu = processor_of_ranks(comm), start = dp_clock_seconds();
    MUST(data_open(&data, table, &options, &split, &bench.encode, 7, bench.threads, comm));
    double opened = dp_clock_seconds();
    MUST(model_build(&model, bench.config, 7, device));
    MUST(model_begin(model, data, comm));
    double begun = dp_clock_seconds();
    while (more)
        MUST(model_step(model, &more, comm));
    comm_wait_all(comm);
    double trained = dp_clock_seconds();
    cpu = processor_of_ranks(comm) - cpu;
    int64_t peak = dp_memory_peak(), trees = model_steps(model);
    comm_sum_i64(comm, &peak, 1);
    MUST(model_finish(model, comm));
    if (comm_rank(comm) == 0) {
        MUST(model_facts(&facts, model));
        MUST(model_image(model, "{}", &image));
        char payload[DP_DIGEST_HEX];
        dp_digest_print(payload, &facts.payload);
        if (bench.margins)
            score_test(&bench, model, &encode_s, &score_s);
        printf("{\"lib\": \"dipper\", \"ranks\": %d, \"threads\": %d, \"trees\": %lld, \"features\": %d, \"open_s\": "
               "%.3f, "
               "\"begin_s\": %.3f, \"train_s\": %.3f, \"total_s\": %.3f, \"cpu_s\": %.3f, \"peak_mib\": %.1f, "
               "\"model_bytes\": %zu, \"encode_s\": %.3f, \"score_s\": %.3f, \"payload\": \"%s\", \"combined\": [",
               comm_size(comm), bench.threads, (long long)trees, model_inputs(model)->n, opened - start, begun - opened,
               trained - begun, trained - start, cpu, (double)peak / (1 << 20), image.size, encode_s, score_s, payload);
        for (int j = model_inputs(model)->columns; j < model_inputs(model)->n; j++)
            printf("%s\"%s\"", j > model_inputs(model)->columns ? ", " : "", model_inputs(model)->input[j].name);
        printf("]}\n");
    }
    dp_buf_free(&image);
    model_free(&model);
    data_close(&data);
    lake_close(&table);
    device_close(&device);
    config_free(&bench.config);
    comm_close(&comm);
    return 0;
}
