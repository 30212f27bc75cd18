/* Driver of columns.py: packs the large table into a lake, and reads 8 of its 33 columns, as a scan gives them to a
 * caller.
 *
 *   columns write DATA LAKE ROWS PARTITION_ROWS THREADS [plain | deflate]
 *   columns read LAKE REPETITIONS THREADS          best and median seconds of opening the table and reading to the end
 *
 * DATA: num.f32 [rows][20], cat.i32 [rows][12], y.u1 as make_declarations.py writes them. Under mpirun the slowest rank
 * counts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "bench/bench.h"
#include "lake/lake.h"

enum { NUMBERS = 20, CATEGORIES = 12, COLUMNS = 1 + NUMBERS + CATEGORIES, WORDS = 20001 };

typedef struct Table {
    LakeColumn column[COLUMNS];
    char name[COLUMNS][8];
    uint32_t offset[WORDS + 1];
    char words[WORDS * 8];
    LakeDict dict;
    float *number[NUMBERS];
    uint32_t *code[CATEGORIES];
    int8_t *label;
    LakeValues values[COLUMNS];
} Table;

static void describe(Table *t)
{
    for (int i = 0; i < COLUMNS; i++) {
        LakeType type = i == 0 ? LAKE_LABEL : i <= NUMBERS ? LAKE_NUMBER32 : LAKE_CATEGORY;
        snprintf(t->name[i], sizeof t->name[i], "%c%d", i == 0 ? 'y' : i <= NUMBERS ? 'x' : 'c', i);
        t->column[i] = (LakeColumn){.name = t->name[i], .type = type};
        t->values[i].type = type;
    }
    for (uint32_t i = 1; i < WORDS; i++)
        t->offset[i + 1] = t->offset[i] + (uint32_t)sprintf(t->words + t->offset[i], "%u", i - 1);
    t->dict = (LakeDict){.n = WORDS, .offset = t->offset, .bytes = t->words};
}

static dp_status allocate(Table *t, size_t rows)
{
    DP_TRY(dp_new(&t->label, rows));
    t->values[0].label = t->label;
    for (int k = 0; k < NUMBERS; k++) {
        DP_TRY(dp_new(&t->number[k], rows));
        t->values[1 + k].number32 = t->number[k];
    }
    for (int k = 0; k < CATEGORIES; k++) {
        DP_TRY(dp_new(&t->code[k], rows));
        t->values[1 + NUMBERS + k].code = t->code[k];
        t->values[1 + NUMBERS + k].dict = &t->dict;
    }
    return DP_OK;
}

static FILE *open_data(const char *folder, const char *name, long at)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, at, SEEK_SET) != 0) {
        perror(path);
        exit(1);
    }
    return file;
}

/* Rows first .. first + n, turned from rows to columns. */
static void read_rows(Table *t, const char *folder, long first, int32_t n)
{
    FILE *num = open_data(folder, "num.f32", first * NUMBERS * 4);
    FILE *cat = open_data(folder, "cat.i32", first * CATEGORIES * 4), *y = open_data(folder, "y.u1", first);
    for (int32_t i = 0; i < n; i++) {
        float x[NUMBERS];
        int32_t c[CATEGORIES];
        if (fread(x, sizeof x, 1, num) != 1 || fread(c, sizeof c, 1, cat) != 1 || fread(&t->label[i], 1, 1, y) != 1)
            exit(1);
        for (int k = 0; k < NUMBERS; k++)
            t->number[k][i] = x[k];
        for (int k = 0; k < CATEGORIES; k++)
            t->code[k][i] = (uint32_t)(c[k] + 1);
    }
    fclose(num);
    fclose(cat);
    fclose(y);
}

static dp_status write_table(char **argv, LakeCompress compress, const Comm *comm)
{
    Table *t = NULL;
    LakeWriter *writer = NULL;
    dp_digest source;
    bool known;
    int64_t snapshot;
    long rows = atol(argv[4]), each = atol(argv[5]);
    double packing = 0, sync = 0;
    DP_TRY(dp_new(&t, 1));
    describe(t);
    DP_TRY(allocate(t, (size_t)each));
    DP_TRY(dp_digest_of(&source, argv[2], strlen(argv[2])));
    LakeSchema schema = {.columns = t->column, .n = COLUMNS};
    DP_TRY(lake_write(&writer, argv[3], "large", &schema, compress, atoi(argv[6]), &source, &known, comm));
    if (known)
        return DP_OK;
    for (long p = comm_rank(comm); p * each < rows; p += comm_size(comm)) {
        int32_t n = (int32_t)(rows - p * each < each ? rows - p * each : each);
        read_rows(t, argv[2], p * each, n);
        double start = dp_clock_seconds();
        DP_TRY(lake_write_partition(writer, p, &(LakeRows){.rows = n, .column = t->values}));
        packing += dp_clock_seconds() - start;
    }
    double start = dp_clock_seconds();
    DP_TRY(lake_commit(&writer, NULL, &snapshot, &sync, comm));
    packing += dp_clock_seconds() - start - sync;
    comm_max_f64(comm, &packing, 1);
    if (comm_rank(comm) == 0)
        printf("{\"write_s\": %.4f, \"sync_s\": %.4f}\n", packing, sync);
    return DP_OK;
}

/* Touches what a scan gives as little as a caller could: one value a column and block. */
static dp_status read_once(double *seconds, double *processor, double *sum, const char *lake, int threads,
                           const Comm *comm)
{
    static const int columns[] = {0, 1, 2, 5, 21, 31, 32, 24};
    LakeTable *table = NULL;
    LakeScan *scan = NULL;
    const LakeBlock *block;
    comm_wait_all(comm);
    double start = dp_clock_seconds(), cpu = processor_seconds();
    DP_TRY(lake_open(&table, lake, "large", comm));
    DP_TRY(lake_scan(&scan, table,
                     &(LakeQuery){.columns = columns, .n_columns = 8, .as_of = DP_TIME_MISSING, .threads = threads},
                     comm));
    for (;;) {
        DP_TRY(lake_next(scan, &block));
        if (!block)
            break;
        *sum += block->column[0].label[0] + block->column[1].number32[0] + block->column[7].code[0];
    }
    *seconds = dp_clock_seconds() - start;
    int64_t used = (int64_t)(1e9 * (processor_seconds() - cpu));
    comm_max_f64(comm, seconds, 1);
    comm_sum_i64(comm, &used, 1);
    *processor = 1e-9 * (double)used;
    lake_scan_close(&scan);
    lake_close(&table);
    return DP_OK;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static dp_status read_table(char **argv, const Comm *comm)
{
    int n = atoi(argv[3]);
    double *seconds = NULL, *processor = NULL, sum = 0;
    DP_TRY(dp_new(&seconds, (size_t)n));
    DP_TRY(dp_new(&processor, (size_t)n));
    for (int i = 0; i < n; i++)
        DP_TRY(read_once(&seconds[i], &processor[i], &sum, argv[2], atoi(argv[4]), comm));
    qsort(seconds, (size_t)n, sizeof *seconds, by_value);
    qsort(processor, (size_t)n, sizeof *processor, by_value);
    if (comm_rank(comm) == 0)
        printf("{\"best_s\": %.5f, \"median_s\": %.5f, \"processor_s\": %.5f, \"sum\": %.3f}\n", seconds[0],
               seconds[n / 2], processor[0], sum);
    dp_free(&seconds);
    dp_free(&processor);
    return DP_OK;
}

int main(int argc, char **argv)
{
    Comm *comm = NULL;
    dp_status st = comm_open(&comm, NULL);
    if (st == DP_OK && argc >= 7 && strcmp(argv[1], "write") == 0)
        st =
            write_table(argv, argc > 7 ? (strcmp(argv[7], "plain") == 0 ? LAKE_PLAIN : LAKE_DEFLATE) : LAKE_ZSTD, comm);
    else if (st == DP_OK && argc == 5 && strcmp(argv[1], "read") == 0)
        st = read_table(argv, comm);
    else
        st = DP_ERR_USAGE;
    if (st != DP_OK)
        fprintf(stderr, "columns: %s [%s]\n", dp_error_last()->text, dp_error_last()->id);
    comm_close(&comm);
    return (int)st;
}
