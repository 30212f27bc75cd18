/* What a block holds: columns that choose rows are read first; when no row is left the others are not read at all. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lake/scan_priv.h"
#include "lake/versions.h"

/* ---- partitions ---- */

static int part_of(const LakeScan *scan, int64_t block)
{
    const int64_t *first = scan->table->first_block;
    int low = scan->first_part, high = scan->first_part + scan->n_parts;
    while (high - low > 1) {
        int mid = low + (high - low) / 2;
        if (first[mid] <= block)
            low = mid;
        else
            high = mid;
    }
    return low;
}

static dp_status open_part(LakeScan *scan, Part *part, int p, Codec *codec)
{
    const LakeSchema *schema = &scan->table->manifest.schema;
    table_partition_path(part->path, scan->table, p);
    part->reader.path = part->path;
    if (part->reader.fd < 0)
        DP_TRY(table_open_partition(scan->table, p, &part->reader.fd, &part->reader.index));
    if (scan->bins.n > 0)
        companion_open(&part->bins, codec, scan->table, p, &scan->bins);
    for (int k = 0; k < scan->n_need; k++) {
        const LakeColumn *column = &schema->columns[scan->need[k].column];
        if (!type_is_coded(column->type))
            continue;
        DP_TRY(dict_read(&part->dict[k], codec, &part->reader, "", column->name));
        part->dict[k].dict.serial = (int64_t)p * schema->n + scan->need[k].column;
    }
    part->opened = true;
    return DP_OK;
}

static void part_free(LakeScan *scan, Part **part)
{
    if (!*part)
        return;
    for (int k = 0; k < scan->n_need; k++)
        dict_free(&(*part)->dict[k]);
    if ((*part)->reader.fd >= 0)
        close((*part)->reader.fd);
    companion_close(&(*part)->bins);
    pthread_mutex_destroy(&(*part)->lock);
    dp_free(&(*part)->dict);
    dp_free(part);
}

static dp_status new_part(LakeScan *scan, int p, Part **out)
{
    const int64_t *first = scan->table->first_block;
    int64_t from = first[p] > scan->first ? first[p] : scan->first;
    int64_t to = first[p + 1] < scan->end ? first[p + 1] : scan->end;
    Part *part = NULL;
    dp_status st = DP_OK;
    DP_TRY(dp_new(&part, 1));
    pthread_mutex_init(&part->lock, NULL);
    part->reader.fd = part->bins.fd = -1;
    part->blocks = to - from;
    DP_GO(dp_new(&part->dict, (size_t)scan->n_need));
done:
    if (st != DP_OK)
        part_free(scan, &part);
    *out = part;
    return st;
}

static dp_status take_part(LakeScan *scan, int p, Codec *codec, Part **out)
{
    Part **place = &scan->part[p - scan->first_part];
    dp_status st = DP_OK;
    pthread_mutex_lock(&scan->lock);
    if (!*place)
        st = new_part(scan, p, place);
    *out = *place;
    pthread_mutex_unlock(&scan->lock);
    DP_TRY(st);
    pthread_mutex_lock(&(*out)->lock);
    if (!(*out)->opened)
        st = open_part(scan, *out, p, codec);
    pthread_mutex_unlock(&(*out)->lock);
    return st;
}

void fetch_release(LakeScan *scan, int64_t b)
{
    Part **part = &scan->part[part_of(scan, b) - scan->first_part];
    if (*part && --(*part)->blocks == 0)
        part_free(scan, part);
}

void fetch_close(LakeScan *scan)
{
    for (int i = 0; scan->part && i < scan->n_parts; i++)
        part_free(scan, &scan->part[i]);
}

/* ---- choosing rows ---- */

/* Values that were not known at the as-of are missing. */
static void hide_unknown(ValueBuf *value, const int64_t *known, int32_t rows, int64_t as_of)
{
    void *data = value->data.data;
    int64_t *at = (int64_t *)(void *)value->text_at.data, to = 0;
    for (int32_t i = 0; i < rows; i++) {
        bool hidden = known[i] == DP_TIME_MISSING || known[i] > as_of;
        if (value->values.type == LAKE_TEXT) {
            /* Texts move down over the hidden ones; at[i] is still the old place. */
            int64_t from = at[i], size = hidden ? 0 : at[i + 1] - from;
            memmove(value->text.data + to, value->text.data + from, (size_t)size);
            at[i] = to;
            to += size;
        } else if (hidden) {
            switch (value->values.type) {
            case LAKE_NUMBER:
                ((double *)data)[i] = NAN;
                break;
            case LAKE_NUMBER32:
                ((float *)data)[i] = NAN;
                break;
            case LAKE_TIME:
                ((int64_t *)data)[i] = DP_TIME_MISSING;
                break;
            case LAKE_LABEL:
                ((int8_t *)data)[i] = -1;
                break;
            default:
                ((uint32_t *)data)[i] = 0;
            }
        }
    }
    if (value->values.type == LAKE_TEXT)
        at[rows] = to;
}

/* Reads the needs that choose rows, or the others. Values are hidden when all are there: known_at may name any. */
static dp_status read_needs(LakeScan *scan, Slot *slot, const Part *part, Codec *codec, bool chooses, uint32_t block)
{
    bool binned = slot->block.bin != NULL;
    const LakeSchema *schema = &scan->table->manifest.schema;
    int64_t rows = part->reader.index->rows;
    for (int k = 0; k < scan->n_need; k++)
        if (scan->need[k].chooses == chooses && (chooses || !binned || !scan->need[k].instead))
            DP_TRY(value_read(&slot->value[k], codec, &part->reader, "", &schema->columns[scan->need[k].column],
                              &part->dict[k].dict, block, rows));
    for (int k = 0; k < scan->n_need; k++)
        if (scan->need[k].chooses == chooses && scan->need[k].known >= 0)
            hide_unknown(&slot->value[k], slot->value[scan->need[k].known].values.time, rows_of_block(rows, block),
                         scan->query.as_of);
    return DP_OK;
}

/* By least and greatest values alone: may a row of the block meet all terms? */
static bool may_hold(const LakeScan *scan, const Part *part, uint32_t block)
{
    const LakeSchema *schema = &scan->table->manifest.schema;
    for (int i = 0; i < scan->where.n; i++) {
        const struct LakeTerm *term = &scan->where.terms[i];
        const LakeColumn *column = &schema->columns[term->column];
        const Stream *s = index_find(part->reader.index, "", column->name, "");
        if (s && block < s->chunks &&
            (s->kind == STREAM_NUMBER || s->kind == STREAM_NUMBER32 || s->kind == STREAM_TIME) &&
            !where_may_hold(term, column->type, &part->reader.index->chunks[s->first_chunk + block]))
            return false;
    }
    return true;
}

static dp_status drop_deleted(uint8_t *keep, Slot *slot, const Part *part, Codec *codec, uint32_t block, int32_t rows)
{
    const void *data;
    DP_TRY(stream_read(&slot->flags, &data, codec, &part->reader, "_deleted", STREAM_FLAG, block,
                       part->reader.index->rows));
    for (int32_t i = 0; data && i < rows; i++)
        keep[i] &= ((const uint8_t *)data)[i] == 0;
    return DP_OK;
}

static dp_status choose(LakeScan *scan, Slot *slot, const Part *part, Codec *codec, uint32_t block, int64_t first_row)
{
    int32_t rows = rows_of_block(part->reader.index->rows, block);
    uint8_t *keep = (uint8_t *)slot->keep.data;
    const Versions *versions = scan->versions;
    for (int32_t i = 0; versions && i < rows; i++) {
        int64_t bit = first_row + i - versions->first;
        keep[i] &= versions->bits[bit >> 5] >> (bit & 31) & 1;
    }
    if (scan->hide_deleted && part->reader.index->deleted > 0)
        DP_TRY(drop_deleted(keep, slot, part, codec, block, rows));
    if (scan->recorded >= 0) {
        const int64_t *recorded = slot->value[scan->recorded].values.time;
        for (int32_t i = 0; i < rows; i++)
            keep[i] &= recorded[i] <= scan->query.as_of; /* a missing time is the least: always recorded */
    }
    for (int i = 0; i < scan->where.n; i++)
        for (int k = 0; k < scan->n_need; k++)
            if (scan->need[k].column == scan->where.terms[i].column)
                DP_TRY(where_ask(keep, &slot->value[k].values, rows, &scan->where.terms[i], &codec->spare));
    return DP_OK;
}

/* ---- leaving rows out ---- */

#define SQUEEZE(type)                                                                                                  \
    {                                                                                                                  \
        type *x = (type *)(void *)value->data.data;                                                                    \
        for (int32_t i = 0; i < n; i++)                                                                                \
            x[i] = x[from[i]];                                                                                         \
        break;                                                                                                         \
    }

static void squeeze(ValueBuf *value, const int32_t *from, int32_t n)
{
    int64_t *at = (int64_t *)(void *)value->text_at.data, to = 0;
    switch (value->values.type) {
    case LAKE_NUMBER:
        SQUEEZE(double)
    case LAKE_TIME:
        SQUEEZE(int64_t)
    case LAKE_NUMBER32:
        SQUEEZE(float)
    case LAKE_LABEL:
        SQUEEZE(int8_t)
    case LAKE_CATEGORY:
    case LAKE_CODE:
        SQUEEZE(uint32_t)
    case LAKE_TEXT:
        for (int32_t i = 0; i < n; i++) {
            int64_t begin = at[from[i]], size = at[from[i] + 1] - begin;
            memmove(value->text.data + to, value->text.data + begin, (size_t)size);
            at[i] = to; /* from[i] >= i, so the places still to be read stand */
            to += size;
        }
        at[n] = to;
        break;
    }
}

/* The rows that stay: slot->row gets their numbers, slot->keep their places in the block. */
static dp_status list_kept(Slot *slot, int32_t rows, int64_t first_row, int32_t *n)
{
    const uint8_t *keep = (const uint8_t *)slot->keep.data;
    *n = 0;
    DP_TRY(dp_buf_reserve(&slot->row, (size_t)rows * sizeof(int64_t)));
    DP_TRY(dp_buf_reserve(&slot->flags, (size_t)rows * sizeof(int32_t)));
    int64_t *row = (int64_t *)(void *)slot->row.data;
    int32_t *from = (int32_t *)(void *)slot->flags.data;
    for (int32_t i = 0; i < rows; i++) {
        row[*n] = first_row + i;
        from[*n] = i;
        *n += keep[i];
    }
    return DP_OK;
}

static bool chooses(const LakeScan *scan, const Part *part)
{
    return scan->versions || (scan->hide_deleted && part->reader.index->deleted > 0) || scan->recorded >= 0 ||
           scan->where.n > 0;
}

/* Bins of the block, if they stand beside it; damaged ones are as good as none. */
static dp_status read_bins(LakeScan *scan, Slot *slot, const Part *part, Codec *codec, uint32_t block)
{
    int n = scan->bins.n;
    size_t stride = ((size_t)block_rows_of(part->reader.index->rows) + 127) & ~(size_t)63;
    if (n == 0 || part->bins.fd < 0)
        return DP_OK;
    DP_TRY(dp_buf_reserve(&slot->bin, (size_t)n * stride + 64));
    uint8_t *first = (uint8_t *)(((uintptr_t)slot->bin.data + 63) & ~(uintptr_t)63);
    for (int k = 0; k < n; k++)
        slot->bins[k] = first + (size_t)k * stride;
    if (companion_read(&part->bins, codec, block, (uint8_t *const *)(void *)slot->bins, n))
        slot->block.bin = slot->bins;
    return DP_OK;
}

static void squeeze_bins(Slot *slot, int n, const int32_t *from, int32_t kept)
{
    for (int k = 0; slot->block.bin && k < n; k++) {
        uint8_t *x = (uint8_t *)(uintptr_t)slot->bins[k];
        for (int32_t i = 0; i < kept; i++)
            x[i] = x[from[i]];
    }
}

/* Delete marks of the rows that stay. */
static dp_status show_deleted(Slot *slot, const Part *part, Codec *codec, uint32_t block, int32_t rows, int32_t kept)
{
    const void *data;
    DP_TRY(stream_read(&slot->deleted, &data, codec, &part->reader, "_deleted", STREAM_FLAG, block,
                       part->reader.index->rows));
    uint8_t *deleted = (uint8_t *)slot->deleted.data;
    const int32_t *from = (const int32_t *)(const void *)slot->flags.data;
    for (int32_t i = 0; data && kept < rows && i < kept; i++)
        deleted[i] = deleted[from[i]];
    slot->block.deleted = data;
    return DP_OK;
}

dp_status fetch_block(LakeScan *scan, Slot *slot, Codec *codec, int64_t b)
{
    int p = part_of(scan, b);
    uint32_t block = (uint32_t)(b - scan->table->first_block[p]);
    Part *part = NULL;
    DP_TRY(take_part(scan, p, codec, &part));
    int32_t rows = rows_of_block(part->reader.index->rows, block), kept = rows;
    int64_t first_row = scan->table->first_row[p] + (int64_t)block * part->reader.index->block_rows;
    slot->block = (LakeBlock){.first_row = first_row, .column = slot->column};
    if (!may_hold(scan, part, block))
        return DP_OK;
    DP_TRY(read_needs(scan, slot, part, codec, true, block));
    if (chooses(scan, part)) {
        DP_TRY(dp_buf_reserve(&slot->keep, (size_t)rows));
        memset(slot->keep.data, 1, (size_t)rows);
        DP_TRY(choose(scan, slot, part, codec, block, first_row));
        DP_TRY(list_kept(slot, rows, first_row, &kept));
        if (kept == 0)
            return DP_OK;
    }
    DP_TRY(read_bins(scan, slot, part, codec, block));
    DP_TRY(read_needs(scan, slot, part, codec, false, block));
    for (int k = 0; kept < rows && k < scan->n_need; k++)
        if (scan->need[k].shown && (scan->need[k].chooses || !slot->block.bin || !scan->need[k].instead))
            squeeze(&slot->value[k], (const int32_t *)(const void *)slot->flags.data, kept);
    if (kept < rows)
        squeeze_bins(slot, scan->bins.n, (const int32_t *)(const void *)slot->flags.data, kept);
    if (scan->query.all_versions)
        DP_TRY(show_deleted(slot, part, codec, block, rows, kept));
    for (int i = 0; i < scan->query.n_columns; i++)
        slot->column[i] = slot->block.bin && scan->need[scan->shown[i]].instead
                              ? (LakeValues){.type = slot->value[scan->shown[i]].values.type}
                              : slot->value[scan->shown[i]].values;
    slot->block.rows = kept;
    slot->block.row = kept < rows ? (const int64_t *)(const void *)slot->row.data : NULL;
    return DP_OK;
}
