/* One column of one block: chunks are checked, unpacked and widened to what callers compute with. */
#include "lake/block.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void dict_free(DictBuf *dict)
{
    dp_buf_free(&dict->offset);
    dp_buf_free(&dict->bytes);
    *dict = (DictBuf){0};
}

void value_free(ValueBuf *value)
{
    dp_buf_free(&value->data);
    dp_buf_free(&value->text_at);
    dp_buf_free(&value->text);
    *value = (ValueBuf){0};
}

int32_t rows_of_block(int64_t rows, uint32_t block)
{
    int64_t each = block_rows_of(rows), left = rows - (int64_t)block * each;
    return (int32_t)(left < each ? left : each);
}

static dp_status misfit(const Reader *reader, const char *column, const char *what)
{
    return dp_fail(
        DP_ERR_DATA, "lake-04",
        "%s: the column '%s' %s; the file was not written for this table: run `dipper lake verify` and ingest "
        "its delivery again",
        reader->path, column, what);
}

/* ---- dictionaries ---- */

/* n texts of one width, padded with zeros, behind those that are there. Short ones are taken as words of eight bytes:
 * up to seven are read past the last text, and masked away. */
static dp_status dict_add(DictBuf *dict, const char *text, size_t n, uint32_t width)
{
    DP_TRY(dp_buf_reserve(&dict->bytes, n * width + sizeof(uint64_t)));
    DP_TRY(dp_buf_reserve(&dict->offset, n * sizeof(uint32_t)));
    if (dict->bytes.size + n * width > UINT32_MAX)
        return dp_fail(DP_ERR_DATA, "lake-18", "a dictionary holds more than 4 GiB of text");
    char *out = dict->bytes.data + dict->bytes.size;
    uint32_t *offset = (uint32_t *)(void *)(dict->offset.data + dict->offset.size);
    const uint64_t mask = width < 8 ? ((uint64_t)1 << 8 * width) - 1 : UINT64_MAX;
    for (size_t i = 0; i < n; i++, text += width) {
        if (width <= 8) {
            uint64_t word;
            memcpy(&word, text, sizeof word);
            word &= mask;
            memcpy(out, &word, sizeof word);
            out += word ? 8 - __builtin_clzll(word) / 8 : 0;
        } else
            for (uint32_t k = 0; k < width && text[k]; k++)
                *out++ = text[k];
        offset[i] = (uint32_t)(out - dict->bytes.data);
    }
    dict->bytes.size = (size_t)(out - dict->bytes.data);
    dict->offset.size += n * sizeof(uint32_t);
    return DP_OK;
}

dp_status dict_read(DictBuf *dict, Codec *codec, const Reader *reader, const char *prefix, const char *column)
{
    char name[STREAM_NAME_MAX];
    snprintf(name, sizeof name, "_dictionary/%s", prefix);
    const Stream *s = index_find(reader->index, name, column, "");
    dict->offset.size = dict->bytes.size = 0;
    DP_TRY(dp_buf_add(&dict->offset, &(uint32_t){0}, sizeof(uint32_t)));
    if (s && (s->kind != STREAM_DICTIONARY || s->elements == 0 || s->elements > UINT32_MAX))
        return misfit(reader, column, "has no dictionary");
    if (!s)
        DP_TRY(dict_add(dict, "\0\0\0\0\0\0\0", 1, 1));
    for (uint32_t c = 0; s && c < s->chunks; c++) {
        uint64_t left = s->elements - (uint64_t)c * s->chunk;
        DP_TRY(dp_buf_reserve(&codec->spare, (size_t)s->chunk * s->width + sizeof(uint64_t)));
        DP_TRY(codec_read(codec, reader->fd, reader->index, s, c, codec->spare.data, reader->path));
        DP_TRY(dict_add(dict, codec->spare.data, left < s->chunk ? left : s->chunk, s->width));
    }
    DP_TRY(dp_buf_reserve(&dict->bytes, 1));
    dict->dict.n = s ? (uint32_t)s->elements : 1;
    dict->dict.offset = (const uint32_t *)(const void *)dict->offset.data;
    dict->dict.bytes = dict->bytes.data;
    return DP_OK;
}

/* ---- values ---- */

/* The stream of a column, if the partition has the column; its shape must be as the rows say. */
static dp_status find(const Stream **stream, const Reader *reader, const char *prefix, const LakeColumn *column,
                      const char *suffix, StreamKind kind, int64_t rows)
{
    *stream = index_find(reader->index, prefix, column->name, suffix);
    if (!*stream)
        return DP_OK;
    if ((*stream)->kind != kind)
        return misfit(reader, column->name, "has another type");
    if (kind != STREAM_BYTES &&
        ((*stream)->elements != (uint64_t)rows || (rows > 0 && (*stream)->chunk != block_rows_of(rows))))
        return misfit(reader, column->name, "has another number of rows");
    return DP_OK;
}

static void fill_missing(ValueBuf *value, LakeType type, size_t n)
{
    void *data = value->data.data;
    for (size_t i = 0; type == LAKE_NUMBER && i < n; i++)
        ((double *)data)[i] = NAN;
    for (size_t i = 0; type == LAKE_NUMBER32 && i < n; i++)
        ((float *)data)[i] = NAN;
    for (size_t i = 0; type == LAKE_TIME && i < n; i++)
        ((int64_t *)data)[i] = DP_TIME_MISSING;
    for (size_t i = 0; type == LAKE_LABEL && i < n; i++)
        ((int8_t *)data)[i] = -1;
    for (size_t i = 0; type_is_coded(type) && i < n; i++)
        ((uint32_t *)data)[i] = 0;
}

static dp_status read_codes(ValueBuf *value, Codec *codec, const Reader *reader, const Stream *s, const char *column,
                            const LakeDict *dict, uint32_t block)
{
    uint32_t most;
    DP_TRY(codec_read_codes(codec, reader->fd, reader->index, s, block, (uint32_t *)(void *)value->data.data, &most,
                            reader->path));
    return most < dict->n ? DP_OK : misfit(reader, column, "has codes past its dictionary");
}

/* Bytes first .. first + size of a stream of bytes. */
static dp_status read_bytes(char *out, Codec *codec, const Reader *reader, const Stream *s, uint64_t first,
                            uint64_t size)
{
    for (uint64_t at = first; at < first + size;) {
        uint64_t c = at / s->chunk, begin = c * s->chunk, end = begin + s->chunk;
        uint64_t stop = end < first + size ? end : first + size;
        if (begin >= first && end <= first + size) {
            DP_TRY(codec_read(codec, reader->fd, reader->index, s, (uint32_t)c, out + (begin - first), reader->path));
        } else {
            DP_TRY(dp_buf_reserve(&codec->spare, s->chunk));
            DP_TRY(codec_read(codec, reader->fd, reader->index, s, (uint32_t)c, codec->spare.data, reader->path));
            memcpy(out + (at - first), codec->spare.data + (at - begin), stop - at);
        }
        at = stop;
    }
    return DP_OK;
}

static dp_status read_texts(ValueBuf *value, Codec *codec, const Reader *reader, const Stream *length,
                            const Stream *bytes, const char *column, uint32_t block, int32_t rows)
{
    uint64_t first = reader->index->chunks[length->first_chunk + block].first, total = 0;
    DP_TRY(dp_buf_reserve(&codec->spare, (size_t)length->chunk * 4));
    DP_TRY(codec_read(codec, reader->fd, reader->index, length, block, codec->spare.data, reader->path));
    const uint32_t *sizes = (const uint32_t *)(const void *)codec->spare.data;
    int64_t *at = (int64_t *)(void *)value->text_at.data;
    for (int32_t i = 0; i < rows; i++) {
        total += sizes[i];
        at[i + 1] = (int64_t)total;
    }
    if (first > bytes->elements || total > bytes->elements - first)
        return misfit(reader, column, "has texts past its bytes");
    DP_TRY(dp_buf_reserve(&value->text, total));
    return read_bytes(value->text.data, codec, reader, bytes, first, total);
}

static dp_status text_values(ValueBuf *value, Codec *codec, const Reader *reader, const char *prefix,
                             const LakeColumn *column, uint32_t block, int64_t rows)
{
    const Stream *length, *bytes;
    int32_t n = rows_of_block(rows, block);
    DP_TRY(find(&length, reader, prefix, column, "/length", STREAM_LENGTH, rows));
    DP_TRY(find(&bytes, reader, prefix, column, "/bytes", STREAM_BYTES, rows));
    DP_TRY(dp_buf_reserve(&value->text_at, ((size_t)n + 1) * sizeof(int64_t)));
    DP_TRY(dp_buf_reserve(&value->text, 1));
    memset(value->text_at.data, 0, ((size_t)n + 1) * sizeof(int64_t));
    if (!length != !bytes)
        return misfit(reader, column->name, "has lengths without texts");
    if (length)
        DP_TRY(read_texts(value, codec, reader, length, bytes, column->name, block, n));
    value->values.text_at = (const int64_t *)(const void *)value->text_at.data;
    value->values.text = value->text.data;
    return DP_OK;
}

static void point(LakeValues *values, const void *data, const LakeDict *dict)
{
    switch (values->type) {
    case LAKE_NUMBER:
        values->number = data;
        break;
    case LAKE_NUMBER32:
        values->number32 = data;
        break;
    case LAKE_TIME:
        values->time = data;
        break;
    case LAKE_LABEL:
        values->label = data;
        break;
    case LAKE_CATEGORY:
    case LAKE_CODE:
        values->code = data;
        values->dict = dict;
        break;
    case LAKE_TEXT:
        break;
    }
}

dp_status value_read(ValueBuf *value, Codec *codec, const Reader *reader, const char *prefix, const LakeColumn *column,
                     const LakeDict *dict, uint32_t block, int64_t rows)
{
    static const struct {
        StreamKind kind;
        size_t width;
    } form[] = {
        [LAKE_NUMBER] = {STREAM_NUMBER, 8}, [LAKE_NUMBER32] = {STREAM_NUMBER32, 4}, [LAKE_TIME] = {STREAM_TIME, 8},
        [LAKE_CATEGORY] = {STREAM_CODE, 4}, [LAKE_CODE] = {STREAM_CODE, 4},         [LAKE_LABEL] = {STREAM_LABEL, 1}};
    const Stream *s;
    size_t n = block_rows_of(rows);
    value->values = (LakeValues){.type = column->type};
    if (column->type == LAKE_TEXT)
        return text_values(value, codec, reader, prefix, column, block, rows);
    DP_TRY(find(&s, reader, prefix, column, "", form[column->type].kind, rows));
    DP_TRY(dp_buf_reserve(&value->data, n * form[column->type].width));
    if (!s)
        fill_missing(value, column->type, n);
    else if (type_is_coded(column->type))
        DP_TRY(read_codes(value, codec, reader, s, column->name, dict, block));
    else
        DP_TRY(codec_read(codec, reader->fd, reader->index, s, block, value->data.data, reader->path));
    point(&value->values, value->data.data, dict);
    return DP_OK;
}

dp_status stream_read(dp_buf *out, const void **data, Codec *codec, const Reader *reader, const char *name,
                      StreamKind kind, uint32_t block, int64_t rows)
{
    const Stream *s = index_find(reader->index, "", name, "");
    *data = NULL;
    if (!s)
        return DP_OK;
    if (s->kind != kind || block >= s->chunks || s->elements != (uint64_t)rows || s->chunk != block_rows_of(rows))
        return misfit(reader, name, "has another type or number of rows");
    DP_TRY(dp_buf_reserve(out, (size_t)s->chunk * s->width));
    DP_TRY(codec_read(codec, reader->fd, reader->index, s, block, out->data, reader->path));
    *data = out->data;
    return DP_OK;
}
