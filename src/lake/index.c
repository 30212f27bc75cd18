/* The index of a partition: which streams it holds, where their chunks lie, and a check of each. A reader that trusts
 * the manifest needs no HDF5 call: manifest -> SHA-256 of the index -> XXH3 of each chunk. */
#include "lake/lake_priv.h"

#include <string.h>

static const char MAGIC[8] = "DPLAKIX1", FOOTER_MAGIC[8] = {'D', 'P', 'L', 'A', 'K', 'E', 'P', '1'};

_Static_assert(sizeof(Stream) == 40 && sizeof(Chunk) == 48, "as in FORMAT.md");

int64_t blocks_of(int64_t rows)
{
    return rows / BLOCK_ROWS + (rows % BLOCK_ROWS != 0);
}

uint32_t block_rows_of(int64_t rows)
{
    /* Even blocks: the zeros that fill up the last chunk stay few, and threads share the work evenly. */
    int64_t blocks = blocks_of(rows);
    return blocks == 0 ? 0 : (uint32_t)((rows + blocks - 1) / blocks);
}

static dp_status broken(const char *path, const char *what)
{
    return dp_fail(DP_ERR_DATA, "lake-04",
                   "%s: its index is broken (%s); the file was changed after it was written: run `dipper lake verify` "
                   "and ingest its delivery again",
                   path, what);
}

/* Widths that a kind may have. */
static bool width_is_good(const Stream *s)
{
    switch ((StreamKind)s->kind) {
    case STREAM_NUMBER:
    case STREAM_TIME:
    case STREAM_INTEGER:
        return s->width == 8;
    case STREAM_NUMBER32:
    case STREAM_LENGTH:
        return s->width == 4;
    case STREAM_CODE:
        return s->width == 1 || s->width == 2 || s->width == 4;
    case STREAM_DICTIONARY:
        return s->width >= 1 && s->width <= CATEGORY_MAX;
    case STREAM_LABEL:
    case STREAM_BYTES:
    case STREAM_FLAG:
    case STREAM_BIN:
        return s->width == 1;
    }
    return false;
}

static dp_status check_stream(const Index *index, const Stream *s, uint64_t file_bytes, const char *path)
{
    if (s->name_at > index->names_size || s->name_size > index->names_size - s->name_at ||
        s->name_size >= STREAM_NAME_MAX)
        return broken(path, "a name lies outside");
    if (!width_is_good(s) || s->filter > FILTER_BITS || s->zero || s->zero2 ||
        (s->filter == FILTER_BITS && s->kind != STREAM_CODE && s->kind != STREAM_LABEL && s->kind != STREAM_BIN))
        return broken(path, "an unknown kind of stream");
    if (s->first_chunk > index->n_chunks || s->chunks > index->n_chunks - s->first_chunk)
        return broken(path, "chunks lie outside");
    if (s->elements == 0)
        return s->chunks == 0 ? DP_OK : broken(path, "chunks without elements");
    if (s->chunk == 0 || (uint64_t)s->chunk * s->width > (uint64_t)64 << 20 || s->elements > (uint64_t)INT64_MAX / 2 ||
        (s->elements + s->chunk - 1) / s->chunk != s->chunks)
        return broken(path, "counts do not fit together");
    for (uint32_t i = 0; i < s->chunks; i++) {
        const Chunk *chunk = &index->chunks[s->first_chunk + i];
        if (chunk->at > file_bytes || chunk->stored > file_bytes - chunk->at || chunk->stored == 0)
            return broken(path, "a chunk lies outside the file");
    }
    return DP_OK;
}

dp_status index_read(Index *index, char *bytes, size_t size, int64_t file_bytes, const char *path)
{
    dp_status st = DP_OK;
    uint64_t need;
    *index = (Index){.bytes = bytes, .size = size};
    if (size < INDEX_HEAD || memcmp(bytes, MAGIC, sizeof MAGIC) != 0)
        DP_GO(broken(path, "it does not begin as one"));
    memcpy(&index->rows, bytes + 8, 8);
    memcpy(&index->bad, bytes + 16, 8);
    memcpy(&index->deleted, bytes + 24, 8);
    memcpy(&index->block_rows, bytes + 32, 4);
    memcpy(&index->n_streams, bytes + 36, 4);
    memcpy(&index->n_chunks, bytes + 40, 4);
    memcpy(&index->names_size, bytes + 44, 4);
    need = INDEX_HEAD + (uint64_t)index->n_streams * sizeof(Stream) + (uint64_t)index->n_chunks * sizeof(Chunk) +
           index->names_size; /* 32-bit counts of small things: no overflow in 64 bits */
    if (need != size || index->rows < 0 || index->bad < 0 || index->deleted < 0)
        DP_GO(broken(path, "sizes do not fit together"));
    if (index->block_rows != block_rows_of(index->rows))
        DP_GO(broken(path, "the rows of a block do not fit the rows"));
    /* 48 bytes of head and 40-byte streams keep everything aligned to 8. */
    index->streams = (const Stream *)(const void *)(bytes + INDEX_HEAD);
    index->chunks = (const Chunk *)(const void *)(index->streams + index->n_streams);
    index->names = (const char *)(index->chunks + index->n_chunks);
    for (uint32_t i = 0; i < index->n_streams; i++)
        DP_GO(check_stream(index, &index->streams[i], (uint64_t)file_bytes, path));
done:
    if (st != DP_OK)
        index_free(index);
    return st;
}

void index_free(Index *index)
{
    dp_free(&index->bytes);
    *index = (Index){0};
}

const Stream *index_find(const Index *index, const char *prefix, const char *name, const char *suffix)
{
    size_t a = strlen(prefix), b = strlen(name), c = strlen(suffix);
    for (uint32_t i = 0; i < index->n_streams; i++) {
        const Stream *s = &index->streams[i];
        const char *text = index->names + s->name_at;
        if (s->name_size == a + b + c && memcmp(text, prefix, a) == 0 && memcmp(text + a, name, b) == 0 &&
            memcmp(text + a + b, suffix, c) == 0)
            return s;
    }
    return NULL;
}

Span index_span(const Index *index, const char *column)
{
    Span span = {INT64_MAX, INT64_MIN};
    const Stream *s = column ? index_find(index, "", column, "") : NULL;
    for (uint32_t i = 0; s && s->kind == STREAM_TIME && i < s->chunks; i++) {
        const Chunk *chunk = &index->chunks[s->first_chunk + i];
        int64_t low, high;
        memcpy(&low, &chunk->low, 8);
        memcpy(&high, &chunk->high, 8);
        span.low = low < span.low ? low : span.low;
        span.high = high > span.high ? high : span.high;
    }
    return span;
}

void footer_write(char out[FOOTER_SIZE], const Footer *footer)
{
    memcpy(out, FOOTER_MAGIC, 8);
    memcpy(out + 8, &footer->at, 8);
    memcpy(out + 16, &footer->size, 8);
    memcpy(out + 24, footer->digest.bytes, 32);
    memcpy(out + 56, &footer->body, 8);
    memcpy(out + 64, &footer->check, 8);
}

bool footer_read(Footer *footer, const char in[FOOTER_SIZE])
{
    if (memcmp(in, FOOTER_MAGIC, 8) != 0)
        return false;
    memcpy(&footer->at, in + 8, 8);
    memcpy(&footer->size, in + 16, 8);
    memcpy(footer->digest.bytes, in + 24, 32);
    memcpy(&footer->body, in + 56, 8);
    memcpy(&footer->check, in + 64, 8);
    return footer->at <= footer->body && footer->size <= footer->body - footer->at && footer->size <= (size_t)1 << 30;
}
