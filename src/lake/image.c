/* A partition as bytes: an HDF5 file followed by a footer that HDF5 readers do not look at. What HDF5 writes of it is
 * made once a shape (skeleton.c); the chunks are put behind that, and their places into it. Nothing in it depends on
 * time, place, rank or on what was made before. */
#include "lake/lake_priv.h"

#include <string.h>

/* ---- shapes ---- */

/* Everything that HDF5 is told. Columns are the caller's: one shape means one description of them. */
static dp_status shape_of(dp_buf *shape, const ImageStream *streams, int n, int64_t rows)
{
    shape->size = 0;
    DP_TRY(dp_buf_add(shape, &rows, sizeof rows));
    for (int i = 0; i < n; i++) {
        const ImageStream *is = &streams[i];
        const Stream *s = &is->stream;
        const uint64_t numbers[] = {s->kind, s->filter, s->width, s->chunk, s->elements, strlen(is->name)};
        DP_TRY(dp_buf_add(shape, numbers, sizeof numbers));
        DP_TRY(dp_buf_text(shape, is->name));
        DP_TRY(dp_buf_add(shape, &is->column, sizeof is->column));
    }
    return DP_OK;
}

/* The skeleton of this shape: the one that is there, or a new one. */
static dp_status take_skeleton(Skeleton *k, const ImageStream *streams, int n, int64_t rows, size_t index_size)
{
    dp_buf shape = {0};
    dp_status st = DP_OK;
    DP_GO(shape_of(&shape, streams, n, rows));
    if (shape.size == k->shape.size && memcmp(shape.data, k->shape.data, shape.size) == 0)
        goto done;
    k->shape.size = 0;
    DP_GO(skeleton_build(k, streams, n, rows, index_size));
    dp_buf_free(&k->shape);
    k->shape = shape;
    shape = (dp_buf){0};
done:
    dp_buf_free(&shape);
    return st;
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
    DP_GO(dp_buf_add(image, skeleton->bytes.data, skeleton->bytes.size));
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
