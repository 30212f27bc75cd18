/* Ids as 128-bit keys, and whether any comes twice in a delivery: a table without repeated ids needs no resolving of
 * versions when it is read. */
#include "lake/keys.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lake/block.h"
#include "lake/route.h"
#include "lake/write_priv.h"

enum { KEYS_MAX = 16 << 20 }; /* 256 MiB a rank; past it repeats are taken as possible */

static dp_key128 hash_of(const void *data, size_t size)
{
    dp_key128 key = dp_hash128(data, size, 0);
    key.low |= (key.low | key.high) == 0; /* zero is no id */
    return key;
}

static dp_key128 number_key(double x)
{
    x = x == 0 ? 0 : x; /* -0 is 0 */
    return x == x ? hash_of(&x, sizeof x) : (dp_key128){0, 0};
}

dp_key128 lake_id_key(const LakeValues *v, int64_t i)
{
    int64_t at, size;
    switch (v->type) {
    case LAKE_NUMBER:
        return number_key(v->number[i]);
    case LAKE_NUMBER32:
        return number_key(v->number32[i]);
    case LAKE_TIME:
        return v->time[i] == DP_TIME_MISSING ? (dp_key128){0, 0} : hash_of(&v->time[i], sizeof v->time[i]);
    case LAKE_LABEL:
        return v->label[i] < 0 ? (dp_key128){0, 0} : hash_of(&v->label[i], 1);
    case LAKE_TEXT:
        at = v->text_at[i];
        size = v->text_at[i + 1] - at;
        return size > 0 ? hash_of(v->text + at, (size_t)size) : (dp_key128){0, 0};
    case LAKE_CATEGORY:
    case LAKE_CODE:
        if (v->code[i] == 0)
            return (dp_key128){0, 0};
        at = v->dict->offset[v->code[i]];
        size = (int64_t)v->dict->offset[v->code[i] + 1] - at;
        return size > 0 ? hash_of(v->dict->bytes + at, (size_t)size) : (dp_key128){0, 0};
    }
    return (dp_key128){0, 0};
}

static dp_status add_keys(LakeWriter *w, const LakeValues *ids, int32_t rows)
{
    if (w->keys_many)
        return DP_OK;
    w->keys_many = w->keys.size / sizeof(dp_key128) + (size_t)rows > KEYS_MAX;
    if (w->keys_many) {
        dp_buf_free(&w->keys);
        return DP_OK;
    }
    DP_TRY(dp_buf_reserve(&w->keys, (size_t)rows * sizeof(dp_key128)));
    dp_key128 *out = (dp_key128 *)(void *)(w->keys.data + w->keys.size);
    for (int32_t i = 0; i < rows; i++) {
        *out = lake_id_key(ids, i);
        out += (out->low | out->high) != 0;
    }
    w->keys.size = (size_t)((char *)out - w->keys.data);
    return DP_OK;
}

dp_status keys_add(LakeWriter *w, const LakeRows *rows)
{
    int at = lake_schema_find(&w->schema, w->schema.id);
    return at < 0 ? DP_OK : add_keys(w, &rows->column[at], rows->rows);
}

dp_status keys_add_found(LakeWriter *w, const Partition *p)
{
    int at = lake_schema_find(&w->schema, w->schema.id);
    char path[PATH_ROOM];
    Codec codec = {0};
    DictBuf dict = {0};
    ValueBuf value = {0};
    Index index = {0};
    Reader reader = {.fd = -1, .index = &index, .path = path};
    dp_status st = DP_OK;
    if (at < 0 || p->rows == 0)
        return DP_OK;
    const LakeColumn *column = &w->schema.columns[at];
    snprintf(path, sizeof path, "%s/%s", w->folder, p->file);
    DP_GO(partition_open(&reader.fd, &index, p, path));
    if (type_is_coded(column->type))
        DP_GO(dict_read(&dict, &codec, &reader, "", column->name));
    for (uint32_t b = 0; b < (uint32_t)blocks_of(p->rows); b++) {
        DP_GO(value_read(&value, &codec, &reader, "", column, &dict.dict, b, p->rows));
        DP_GO(add_keys(w, &value.values, rows_of_block(p->rows, b)));
    }
done:
    if (reader.fd >= 0)
        close(reader.fd);
    index_free(&index);
    codec_free(&codec);
    dict_free(&dict);
    value_free(&value);
    return st;
}

static int rank_of_key(const void *record, const void *self)
{
    return (int)(((const dp_key128 *)record)->high % (uint64_t)comm_size(self));
}

/* Open addressing over the low word; zero is free. */
static dp_status any_twice(bool *twice, const dp_key128 *key, size_t n)
{
    size_t slots = 64;
    dp_key128 *table = NULL;
    while (slots < 2 * n)
        slots *= 2;
    *twice = false;
    DP_TRY(dp_new(&table, slots));
    for (size_t i = 0; i < n && !*twice; i++) {
        size_t at = key[i].low & (slots - 1);
        while ((table[at].low | table[at].high) != 0) {
            *twice |= table[at].low == key[i].low && table[at].high == key[i].high;
            at = (at + 1) & (slots - 1);
        }
        table[at] = key[i];
    }
    dp_free(&table);
    return DP_OK;
}

dp_status keys_repeat(bool *repeat, LakeWriter *w, const Comm *comm)
{
    dp_status st = DP_OK;
    char *got = NULL;
    size_t n;
    bool twice = false;
    *repeat = false;
    if (!w->schema.id)
        return DP_OK;
    *repeat = comm_any(comm, w->keys_many);
    if (*repeat)
        return DP_OK;
    DP_GO(route_records(&got, &n,
                        &(Route){.records = w->keys.data,
                                 .n = w->keys.size / sizeof(dp_key128),
                                 .width = sizeof(dp_key128),
                                 .rank_of = rank_of_key,
                                 .self = comm},
                        comm));
    DP_GO_ALL(comm, any_twice(&twice, (const dp_key128 *)(const void *)got, n));
    *repeat = comm_any(comm, twice);
done:
    dp_free(&got);
    return st;
}
