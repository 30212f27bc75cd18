/* Driver of run-matrix.py: matrix LAKE TABLE ROUNDS -- the columns of the large table, read from the lake one at a
 * time, as exact borders and bins of a training matrix: as training does it. Prints the seconds of each round, of the
 * slowest rank, from opening the table to the last bin. Categories count by the number in their text ("CO07919"). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "lake/lake.h"
#include "trees/trees.h"

enum { BINS = 256, LETTERS = 2 };

/* The numbers of a dictionary's texts; a dictionary comes with many blocks. */
typedef struct Numbers {
    float *of; /* [room] by code */
    uint32_t room;
    int64_t serial;
} Numbers;

static dp_status number_codes(Numbers *numbers, const LakeDict *dict)
{
    char text[16];
    if (numbers->of && numbers->serial == dict->serial)
        return DP_OK;
    if (dict->n > numbers->room) {
        DP_TRY(dp_resize(&numbers->of, numbers->room, dict->n));
        numbers->room = dict->n;
    }
    for (uint32_t c = 0; c < dict->n; c++) {
        int size = (int)(dict->offset[c + 1] - dict->offset[c]);
        snprintf(text, sizeof text, "%.*s", size, dict->bytes + dict->offset[c]);
        numbers->of[c] = size > LETTERS ? strtof(text + LETTERS, NULL) : NAN;
    }
    numbers->serial = dict->serial;
    return DP_OK;
}

static dp_status read_column(float *value, LakeTable *table, int column, Numbers *numbers, const Comm *comm)
{
    LakeScan *scan = NULL;
    const LakeBlock *block;
    int64_t row = 0;
    dp_status st = DP_OK;
    numbers->serial = -1;
    DP_GO(lake_scan(&scan, table,
                    &(LakeQuery){.columns = &column, .n_columns = 1, .as_of = DP_TIME_MISSING, .threads = 1}, comm));
    for (;;) {
        DP_GO(lake_next(scan, &block));
        if (!block)
            break;
        const LakeValues *v = block->column;
        if (v->type == LAKE_NUMBER32)
            memcpy(value + row, v->number32, (size_t)block->rows * sizeof *value);
        else
            DP_GO(number_codes(numbers, v->dict));
        for (int32_t i = 0; v->type == LAKE_CATEGORY && i < block->rows; i++)
            value[row + i] = numbers->of[v->code[i]];
        row += block->rows;
    }
done:
    lake_scan_close(&scan);
    return st;
}

/* Rows of this rank: those of a scan of any column. */
static dp_status count_rows(int64_t *rows, LakeTable *table, const Comm *comm)
{
    LakeScan *scan = NULL;
    int column = 0;
    DP_TRY(lake_scan(&scan, table, &(LakeQuery){.columns = &column, .n_columns = 1, .as_of = DP_TIME_MISSING}, comm));
    *rows = lake_scan_rows(scan);
    lake_scan_close(&scan);
    return DP_OK;
}

static dp_status bin_table(const char *lake, const char *name, Device *device, const Comm *comm)
{
    LakeTable *table = NULL;
    TreesMatrix *matrix = NULL;
    Numbers numbers = {0};
    float *value = NULL;
    int64_t rows = 0;
    dp_status st = DP_OK;
    DP_GO(lake_open(&table, lake, name, comm));
    DP_GO(count_rows(&rows, table, comm));
    int features = lake_schema(table)->n - 1; /* the first column is the label */
    DP_GO(dp_new(&value, (size_t)rows));
    DP_GO(trees_matrix_build(&matrix, rows, features, BINS, device));
    for (int j = 0; j < features; j++) {
        DP_GO(read_column(value, table, j + 1, &numbers, comm));
        DP_GO(trees_matrix_set(matrix, j, value, NULL, comm));
    }
done:
    trees_matrix_free(&matrix);
    lake_close(&table);
    dp_free(&value);
    dp_free(&numbers.of);
    return st;
}

static dp_status run(char **argv, const Comm *comm)
{
    Device *device = NULL;
    dp_status st = device_open(&device, "cpu", comm_local_rank(comm), 1);
    for (int i = 0; st == DP_OK && i < atoi(argv[3]); i++) {
        comm_wait_all(comm);
        double start = dp_clock_seconds();
        st = bin_table(argv[1], argv[2], device, comm);
        double seconds = dp_clock_seconds() - start;
        comm_max_f64(comm, &seconds, 1);
        if (comm_rank(comm) == 0)
            printf("%.4f\n", seconds);
    }
    device_close(&device);
    return st;
}

int main(int argc, char **argv)
{
    Comm *comm = NULL;
    dp_status st = comm_open(&comm, NULL);
    if (st == DP_OK)
        st = argc == 4 ? run(argv, comm) : DP_ERR_USAGE;
    if (st != DP_OK)
        fprintf(stderr, "matrix: %s [%s]\n", dp_error_last()->text, dp_error_last()->id);
    comm_close(&comm);
    return (int)st;
}
