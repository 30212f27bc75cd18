/* A partition as bytes: an HDF5 file followed by a footer that HDF5 readers do not look at. What HDF5 writes of it is
 * made once a shape (skeleton.c); the chunks are put behind that, and their places into it. Nothing in it depends on
 * time, place, rank or on what was made before. */
#include "lake/lake_priv.h"

#include <string.h>

/* ---- shapes ---- */

/* TWIN: what is added to the rows of a twin. Every byte of the sum differs from that of the rows. */
enum { TWIN = 0x01010101 };

/* A column, or its lengths, in one chunk. */
static bool is_of_rows(const Stream *s, int64_t rows)
{
    return s->kind != STREAM_DICTIONARY && s->kind != STREAM_BYTES && s->chunks == 1 && s->elements == (uint64_t)rows &&
           s->chunk == (uint64_t)rows;
}

/* Everything that HDF5 is told. Columns are the caller's: one shape means one description of them. any_rows: but for
 * the number of rows, where columns are one chunk. */
static dp_status shape_of(dp_buf *shape, const ImageStream *streams, int n, int64_t rows, bool any_rows)
{
    shape->size = 0;
    DP_TRY(dp_buf_add(shape, any_rows ? &(int64_t){-1} : &rows, sizeof rows));
    for (int i = 0; i < n; i++) {
        const ImageStream *is = &streams[i];
        const Stream *s = &is->stream;
        bool any = any_rows && is_of_rows(s, rows);
        const uint64_t numbers[] = {
            s->kind,         s->filter, s->width, any ? UINT64_MAX : s->chunk, any ? UINT64_MAX : s->elements,
            strlen(is->name)};
        DP_TRY(dp_buf_add(shape, numbers, sizeof numbers));
        DP_TRY(dp_buf_text(shape, is->name));
        DP_TRY(dp_buf_add(shape, &is->column, sizeof is->column));
    }
    return DP_OK;
}

static uint32_t word_at(const dp_buf *bytes, size_t at)
{
    uint32_t word;
    memcpy(&word, bytes->data + at, sizeof word);
    return word;
}

/* Where the number of rows stands: where a twin with more rows differs, and in nothing else. Else nowhere. */
static dp_status find_rows(Skeleton *k, const Skeleton *twin, uint32_t rows)
{
    k->rows_at.size = 0;
    bool good = twin->bytes.size == k->bytes.size && twin->index_at == k->index_at;
    for (uint32_t at = 0; good && at + sizeof rows <= k->bytes.size; at++) {
        if (k->bytes.data[at] == twin->bytes.data[at])
            continue;
        good = word_at(&k->bytes, at) == rows && word_at(&twin->bytes, at) == rows + TWIN;
        DP_TRY(dp_buf_add(&k->rows_at, &at, sizeof at));
        at += sizeof rows - 1;
    }
    if (!good)
        k->rows_at.size = 0;
    return DP_OK;
}

/* Makes the twin of a skeleton whose columns are one chunk each. */
static dp_status compare_twin(Skeleton *k, const ImageStream *streams, int n, int64_t rows, size_t index_size)
{
    Skeleton twin = {0};
    ImageStream *more = NULL;
    dp_status st = DP_OK;
    DP_GO(dp_new(&more, (size_t)n));
    for (int i = 0; i < n; i++) {
        Stream *s = &more[i].stream;
        more[i] = streams[i];
        if (is_of_rows(s, rows)) {
            s->elements += TWIN;
            s->chunk += TWIN;
        }
    }
    DP_GO(skeleton_build(&twin, more, n, rows + TWIN, index_size));
    DP_GO(find_rows(k, &twin, (uint32_t)rows));
done:
    skeleton_free(&twin);
    dp_free(&more);
    return st;
}

/* May a partition's skeleton serve others of other lengths? One block, and nothing that is not filtered: the room of
 * that is in the skeleton. */
static bool is_one_block(const ImageStream *streams, int n, int64_t rows)
{
    bool one = rows > 0 && rows <= BLOCK_ROWS;
    for (int i = 0; i < n && one; i++)
        one = streams[i].stream.filter != FILTER_NONE || streams[i].stream.elements != (uint64_t)rows;
    return one;
}

/* The skeleton of this shape: the one that is there, or a new one. */
static dp_status take_skeleton(Skeleton *k, const ImageStream *streams, int n, int64_t rows, size_t index_size)
{
    dp_buf shape = {0};
    dp_status st = DP_OK;
    bool any_rows = is_one_block(streams, n, rows);
    DP_GO(shape_of(&shape, streams, n, rows, any_rows));
    bool same = shape.size == k->shape.size && memcmp(shape.data, k->shape.data, shape.size) == 0;
    if (same && (rows == k->rows || k->rows_at.size > 0))
        goto done;
    bool twin = same && !k->twinned; /* the second of this shape: there will be more */
    k->shape.size = 0;
    DP_GO(skeleton_build(k, streams, n, rows, index_size));
    if (twin)
        DP_GO(compare_twin(k, streams, n, rows, index_size));
    k->twinned = same;
    k->rows = rows;
    dp_buf_free(&k->shape);
    k->shape = shape;
    shape = (dp_buf){0};
done:
    dp_buf_free(&shape);
    return st;
}

/* The skeleton's bytes, with this number of rows. */
static dp_status put_skeleton(dp_buf *image, const Skeleton *k, int64_t rows)
{
    uint32_t at, number = (uint32_t)rows;
    image->size = 0;
    DP_TRY(dp_buf_add(image, k->bytes.data, k->bytes.size));
    for (size_t i = 0; rows != k->rows && i < k->rows_at.size; i += sizeof at) {
        memcpy(&at, k->rows_at.data + i, sizeof at);
        memcpy(image->data + at, &number, sizeof number);
    }
    return DP_OK;
}

/* ---- chunks, index, footer ---- */

/* The chunk's bytes, and where the tree of chunks says their size and address. */
static dp_status put_chunk(dp_buf *image, Chunk *chunk, const ChunkPlace *place, const Packed *packed, const char *name)
{
    *chunk = (Chunk){.at = place->filtered ? image->size : place->at,
                     .stored = packed->stored,
                     .check = check_bytes(packed->data, packed->stored),
                     .low = packed->low,
                     .high = packed->high,
                     .first = packed->first};
    if (place->filtered) {
        memcpy(image->data + place->entry, &chunk->stored, sizeof chunk->stored);
        memcpy(image->data + place->entry + ENTRY_ADDRESS, &chunk->at, sizeof chunk->at);
        return dp_buf_add(image, packed->data, packed->stored);
    }
    if (chunk->at + chunk->stored > image->size)
        return dp_fail(DP_ERR_INTERNAL, "lake-11", "HDF5 failed to give the chunks of %s their place", name);
    memcpy(image->data + chunk->at, packed->data, packed->stored);
    return DP_OK;
}

static dp_status index_bytes(dp_buf *out, ImageStream *streams, int n, const Chunk *chunks, uint32_t n_chunks,
                             ImageCounts counts)
{
    uint32_t block = block_rows_of(counts.rows), count = (uint32_t)n, names = 0, chunk = 0;
    for (int i = 0; i < n; i++) {
        Stream *s = &streams[i].stream;
        s->name_at = names;
        s->name_size = (uint32_t)strlen(streams[i].name);
        s->first_chunk = chunk;
        names += s->name_size;
        chunk += s->chunks;
    }
    DP_TRY(dp_buf_add(out, "DPLAKIX1", 8));
    DP_TRY(dp_buf_add(out, &counts.rows, 8));
    DP_TRY(dp_buf_add(out, &counts.bad, 8));
    DP_TRY(dp_buf_add(out, &counts.deleted, 8));
    DP_TRY(dp_buf_add(out, &block, 4));
    DP_TRY(dp_buf_add(out, &count, 4));
    DP_TRY(dp_buf_add(out, &n_chunks, 4));
    DP_TRY(dp_buf_add(out, &names, 4));
    for (int i = 0; i < n; i++)
        DP_TRY(dp_buf_add(out, &streams[i].stream, sizeof streams[i].stream));
    DP_TRY(dp_buf_add(out, chunks, n_chunks * sizeof *chunks));
    for (int i = 0; i < n; i++)
        DP_TRY(dp_buf_text(out, streams[i].name));
    return DP_OK;
}

static dp_status add_footer(dp_buf *image, const ImageFacts *facts)
{
    char bytes[FOOTER_SIZE];
    footer_write(bytes, &(Footer){.at = (uint64_t)facts->index_at,
                                  .size = (uint64_t)facts->index_bytes,
                                  .digest = facts->index_digest,
                                  .body = image->size,
                                  .check = check_bytes(image->data, image->size)});
    return dp_buf_add(image, bytes, sizeof bytes);
}

dp_status image_build(dp_buf *image, ImageFacts *facts, Skeleton *skeleton, ImageStream *streams, int n,
                      ImageCounts counts)
{
    dp_status st = DP_OK;
    size_t names = 0, stored = 0, done = 0;
    uint32_t n_chunks = 0;
    Chunk *chunks = NULL;
    dp_buf index = {0};
    for (int i = 0; i < n; i++) {
        names += strlen(streams[i].name);
        n_chunks += streams[i].stream.chunks;
        for (uint32_t c = 0; c < streams[i].stream.chunks; c++)
            stored += streams[i].chunk[c].stored;
    }
    size_t index_size = INDEX_HEAD + (size_t)n * sizeof(Stream) + n_chunks * sizeof(Chunk) + names;
    DP_GO(dp_new(&chunks, n_chunks));
    DP_GO(take_skeleton(skeleton, streams, n, counts.rows, index_size));
    image->size = 0;
    DP_GO(dp_buf_reserve(image, skeleton->bytes.size + stored + FOOTER_SIZE));
    DP_GO(put_skeleton(image, skeleton, counts.rows));
    for (int i = 0; i < n; i++)
        for (uint32_t c = 0; c < streams[i].stream.chunks; c++, done++)
            DP_GO(put_chunk(image, &chunks[done], &skeleton->chunk[done], &streams[i].chunk[c], streams[i].name));
    DP_GO(index_bytes(&index, streams, n, chunks, n_chunks, counts));
    memcpy(image->data + skeleton->index_at, index.data, index_size);
    memcpy(image->data + skeleton->end_at, &(uint64_t){image->size}, sizeof(uint64_t));
    facts->index_at = (int64_t)skeleton->index_at;
    facts->index_bytes = (int64_t)index_size;
    DP_GO(dp_digest_of(&facts->index_digest, index.data, index_size));
    DP_GO(add_footer(image, facts));
done:
    dp_buf_free(&index);
    dp_free(&chunks);
    return st;
}
