/* Everything a snapshot says is compared with what the disk holds: the digest of each file, of its index, of each
 * chunk, every value's decoding, the counts, and that HDF5 sees the same chunks as we do. Partitions are dealt to
 * ranks. */
#include <fcntl.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/publish.h"
#include "lake/block.h"
#include "lake/guard.h"

enum { LOOK_SECONDS = 60, FAULTS_TOLD = 100 };

/* Faults of this rank: zero-terminated texts one after the other. */
typedef struct Faults {
    dp_buf text;
    int64_t n;
} Faults;

/* The failure on this thread becomes a fault, unless it is none of the data's. */
static dp_status take_fault(Faults *faults, dp_status st)
{
    if (st != DP_ERR_DATA && st != DP_ERR_NO_INPUT && st != DP_ERR_IO)
        return st;
    const char *text = dp_error_last()->text;
    return faults->n++ < FAULTS_TOLD ? dp_buf_add(&faults->text, text, strlen(text) + 1) : DP_OK;
}

#define NOTE(faults, call)                                                                                             \
    do {                                                                                                               \
        dp_status note_status = (call);                                                                                \
        if (note_status != DP_OK)                                                                                      \
            DP_TRY(take_fault(faults, note_status));                                                                   \
    } while (0)

/* ---- chunks and values ---- */

static dp_status verify_chunks(Faults *faults, Codec *codec, const Reader *reader)
{
    for (uint32_t i = 0; i < reader->index->n_streams; i++) {
        const Stream *s = &reader->index->streams[i];
        DP_TRY(dp_buf_reserve(&codec->spare, (size_t)s->chunk * s->width));
        for (uint32_t c = 0; c < s->chunks; c++)
            NOTE(faults, codec_read(codec, reader->fd, reader->index, s, c, codec->spare.data, reader->path));
    }
    return DP_OK;
}

typedef struct Tried {
    Codec codec;
    DictBuf dict;
    ValueBuf value;
    dp_buf flags;
} Tried;

static dp_status verify_column(Tried *t, const Reader *reader, const LakeColumn *column)
{
    int64_t rows = reader->index->rows;
    if (type_is_coded(column->type))
        DP_TRY(dict_read(&t->dict, &t->codec, reader, "", column->name));
    for (uint32_t b = 0; b < (uint32_t)blocks_of(rows); b++)
        DP_TRY(value_read(&t->value, &t->codec, reader, "", column, &t->dict.dict, b, rows));
    return DP_OK;
}

static dp_status verify_counts(Tried *t, const Reader *reader, const Partition *p, const LakeSchema *schema)
{
    int64_t rows = reader->index->rows, deleted = 0;
    Span time = index_span(reader->index, schema->time), recorded = index_span(reader->index, schema->recorded);
    for (uint32_t b = 0; b < (uint32_t)blocks_of(rows); b++) {
        const void *data;
        DP_TRY(stream_read(&t->flags, &data, &t->codec, reader, "_deleted", STREAM_FLAG, b, rows));
        for (int32_t i = 0; data && i < rows_of_block(rows, b); i++)
            deleted += ((const uint8_t *)data)[i] != 0;
    }
    if (deleted != p->deleted || (time.low <= time.high && (time.low != p->time.low || time.high != p->time.high)) ||
        (recorded.low <= recorded.high && (recorded.low != p->recorded.low || recorded.high != p->recorded.high)))
        return dp_fail(DP_ERR_DATA, "lake-04", "%s: delete marks or times are not those that its manifest says",
                       reader->path);
    return DP_OK;
}

/* ---- what HDF5 sees ---- */

/* The stream as a dataset: the same number of elements, its chunks in the same places. In the child. */
static dp_status look_at_stream(hid_t file, const Index *index, const Stream *s, const char *path)
{
    char name[STREAM_NAME_MAX];
    hsize_t n = 0;
    snprintf(name, sizeof name, "%.*s", (int)s->name_size, index->names + s->name_at);
    hid_t set = H5Dopen2(file, name, H5P_DEFAULT), space = set < 0 ? set : H5Dget_space(set);
    bool good = space >= 0 && H5Sget_simple_extent_ndims(space) == 1 &&
                H5Sget_simple_extent_dims(space, &n, NULL) == 1 && n == s->elements;
    for (uint32_t c = 0; good && c < s->chunks; c++) {
        const Chunk *chunk = &index->chunks[s->first_chunk + c];
        hsize_t at = (hsize_t)c * s->chunk, size = 0;
        haddr_t address = 0;
        unsigned mask = 0;
        good = H5Dget_chunk_info_by_coord(set, &at, &mask, &address, &size) >= 0 && address == chunk->at &&
               size == chunk->stored && mask == 0;
    }
    if (space >= 0)
        H5Sclose(space);
    if (set >= 0)
        H5Dclose(set);
    return good ? DP_OK
                : dp_fail(DP_ERR_DATA, "lake-04", "%s: HDF5 sees other chunks of '%s' than its index says", path, name);
}

static dp_status look_at_streams(int64_t file, const char *name, void *self)
{
    const Index *index = self;
    for (uint32_t i = 0; i < index->n_streams; i++)
        DP_TRY(look_at_stream(file, index, &index->streams[i], name));
    return DP_OK;
}

/* ---- partitions ---- */

/* The whole file: its digest, and, of a file that has it, what HDF5 sees. */
static dp_status verify_bytes(const Partition *p, const Index *index, const char *path)
{
    char *data = NULL;
    size_t size = 0;
    dp_digest found;
    dp_status st = DP_OK;
    DP_GO(dp_read_file(&data, &size, path, (size_t)1 << 40));
    DP_GO(dp_digest_of(&found, data, size));
    if (!dp_digest_same(&found, &p->digest))
        DP_GO(dp_fail(DP_ERR_DATA, "lake-04",
                      "%s does not fit its digest; bring it back from a copy, or ingest its delivery again", path));
    if (index->bytes)
        DP_GO(lake_guard_image(path, data, size, LOOK_SECONDS, look_at_streams, (void *)(uintptr_t)index));
done:
    dp_free(&data);
    return st;
}

static dp_status verify_inside(Faults *faults, Tried *t, const Reader *reader, const Partition *p,
                               const LakeSchema *schema)
{
    int64_t before = faults->n;
    DP_TRY(verify_chunks(faults, &t->codec, reader));
    if (faults->n > before)
        return DP_OK; /* what lies in damaged chunks needs no second telling */
    for (int i = 0; i < schema->n; i++)
        NOTE(faults, verify_column(t, reader, &schema->columns[i]));
    NOTE(faults, verify_counts(t, reader, p, schema));
    return DP_OK;
}

static dp_status verify_partition(Faults *faults, Tried *t, const LakeTable *table, int k)
{
    const Partition *p = &table->manifest.partitions[k];
    char path[PATH_ROOM];
    Index index = {0};
    Reader reader = {.fd = -1, .index = &index, .path = path};
    dp_status st = DP_OK;
    table_partition_path(path, table, k);
    st = partition_open(&reader.fd, &index, p, path);
    if (st == DP_OK)
        st = verify_inside(faults, t, &reader, p, &table->manifest.schema);
    else
        st = take_fault(faults, st);
    if (st == DP_OK && reader.fd >= 0) { /* a file that is missing or has another size has been told already */
        st = verify_bytes(p, &index, path);
        st = st == DP_OK ? DP_OK : take_fault(faults, st);
    }
    if (reader.fd >= 0)
        close(reader.fd);
    index_free(&index);
    return st;
}

static dp_status verify_share(Faults *faults, const LakeTable *table, const Comm *comm)
{
    Tried tried = {0};
    dp_status st = DP_OK;
    for (int p = comm_rank(comm); st == DP_OK && p < table->manifest.n_partitions; p += comm_size(comm))
        st = verify_partition(faults, &tried, table, p);
    codec_free(&tried.codec);
    dict_free(&tried.dict);
    value_free(&tried.value);
    dp_buf_free(&tried.flags);
    return st;
}

static void tell(const char *texts, size_t size, const dp_log *log)
{
    for (size_t at = 0; at < size; at += strlen(texts + at) + 1)
        dp_say(log, DP_WARN, "verify", "%s", texts + at);
}

dp_status lake_verify(const LakeTable *table, int64_t *n, const Comm *comm)
{
    Faults faults = {0};
    char *all = NULL;
    size_t *starts = NULL;
    dp_status st = DP_OK;
    *n = 0;
    DP_GO_ALL(comm, verify_share(&faults, table, comm));
    DP_GO_ALL(comm, dp_new(&starts, (size_t)comm_size(comm) + 1));
    DP_GO(comm_collect_any(comm, faults.text.data, faults.text.size, &all, starts));
    tell(all, starts[comm_size(comm)], comm_log(comm));
    *n = faults.n;
    comm_sum_i64(comm, n, 1);
done:
    dp_buf_free(&faults.text);
    dp_free(&starts);
    dp_free(&all);
    return st;
}
