/* Bad rows: five columns that lie in the partition of their segment. pack.c writes them. */
#include <string.h>
#include <unistd.h>

#include "lake/block.h"

enum { FILE_NAME, COLUMN, REASON, RAW, TEXTS };

static const LakeColumn columns[TEXTS] = {
    [FILE_NAME] = {.name = (char *)(uintptr_t) "file", .type = LAKE_CATEGORY},
    [COLUMN] = {.name = (char *)(uintptr_t) "column", .type = LAKE_CATEGORY},
    [REASON] = {.name = (char *)(uintptr_t) "reason", .type = LAKE_CATEGORY},
    [RAW] = {.name = (char *)(uintptr_t) "raw", .type = LAKE_TEXT},
};

typedef struct Quarantine {
    Codec codec;
    Reader reader;
    DictBuf dict[TEXTS];
    ValueBuf value[TEXTS];
    dp_buf row;
    dp_buf text[RAW]; /* one zero-terminated text of each category */
} Quarantine;

static void quarantine_free(Quarantine *q)
{
    for (int k = 0; k < TEXTS; k++) {
        dict_free(&q->dict[k]);
        value_free(&q->value[k]);
    }
    for (int k = 0; k < RAW; k++)
        dp_buf_free(&q->text[k]);
    dp_buf_free(&q->row);
    codec_free(&q->codec);
}

/* Row i of the block in memory. */
static dp_status give_row(Quarantine *q, int32_t i, const int64_t *row, bool (*take)(void *, const LakeBadRow *),
                          void *self, bool *more)
{
    const LakeValues *raw = &q->value[RAW].values;
    for (int k = 0; k < RAW; k++) {
        const LakeDict *dict = &q->dict[k].dict;
        uint32_t code = q->value[k].values.code[i];
        q->text[k].size = 0;
        DP_TRY(dp_buf_add(&q->text[k], dict->bytes + dict->offset[code], dict->offset[code + 1] - dict->offset[code]));
    }
    *more = take(self, &(LakeBadRow){.row = row[i],
                                     .file = q->text[FILE_NAME].data,
                                     .column = q->text[COLUMN].data,
                                     .reason = q->text[REASON].data,
                                     .raw = raw->text + raw->text_at[i],
                                     .raw_size = (int32_t)(raw->text_at[i + 1] - raw->text_at[i])});
    return DP_OK;
}

static dp_status read_partition(Quarantine *q, bool (*take)(void *, const LakeBadRow *), void *self, bool *more)
{
    int64_t rows = q->reader.index->bad;
    for (int k = 0; k < RAW; k++)
        DP_TRY(dict_read(&q->dict[k], &q->codec, &q->reader, "_quarantine/", columns[k].name));
    for (uint32_t b = 0; *more && b < (uint32_t)blocks_of(rows); b++) {
        const void *row = NULL;
        for (int k = 0; k < TEXTS; k++)
            DP_TRY(value_read(&q->value[k], &q->codec, &q->reader, "_quarantine/", &columns[k], &q->dict[k].dict, b,
                              rows));
        DP_TRY(stream_read(&q->row, &row, &q->codec, &q->reader, "_quarantine/row", STREAM_INTEGER, b, rows));
        if (!row)
            return dp_fail(DP_ERR_DATA, "lake-04", "%s: its bad rows have no row numbers", q->reader.path);
        for (int32_t i = 0; *more && i < rows_of_block(rows, b); i++)
            DP_TRY(give_row(q, i, row, take, self, more));
    }
    return DP_OK;
}

dp_status lake_quarantine(const LakeTable *table, bool (*take)(void *self, const LakeBadRow *bad), void *self)
{
    Quarantine q = {0};
    Index index = {0};
    char path[PATH_ROOM];
    bool more = true;
    dp_status st = DP_OK;
    q.reader = (Reader){.fd = -1, .index = &index, .path = path};
    for (int p = 0; st == DP_OK && more && p < table->manifest.n_partitions; p++) {
        if (table->manifest.partitions[p].bad == 0)
            continue;
        table_partition_path(path, table, p);
        st = partition_open(&q.reader.fd, &index, &table->manifest.partitions[p], path);
        if (st == DP_OK) {
            st = read_partition(&q, take, self, &more);
            close(q.reader.fd);
        }
        index_free(&index);
    }
    quarantine_free(&q);
    return st;
}
