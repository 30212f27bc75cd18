/* Chunks: byte shuffle, zstd or deflate, and a check of the stored bytes. Threads call these with a Codec each. */
#include "lake/lake_priv.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "lake/bits.h"

enum { PLANE_MIN = 8192 };

/* With the width a constant the compiler turns the loops into byte interleaves. */
#define SHUFFLE(width)                                                                                                 \
    for (size_t i = 0; i < n; i++)                                                                                     \
        for (size_t k = 0; k < (width); k++)                                                                           \
            out[k * n + i] = in[i * (width) + k];
#define UNSHUFFLE(width)                                                                                               \
    for (size_t i = 0; i < n; i++)                                                                                     \
        for (size_t k = 0; k < (width); k++)                                                                           \
            out[i * (width) + k] = in[k * n + i];

void shuffle_bytes(uint8_t *restrict out, const uint8_t *restrict in, size_t n, size_t width)
{
    if (width == 8)
        SHUFFLE(8)
    else if (width == 4)
        SHUFFLE(4)
    else if (width == 2)
        SHUFFLE(2)
    else
        SHUFFLE(width)
}

void unshuffle_bytes(uint8_t *restrict out, const uint8_t *restrict in, size_t n, size_t width)
{
    if (width == 8)
        UNSHUFFLE(8)
    else if (width == 4)
        UNSHUFFLE(4)
    else if (width == 2)
        UNSHUFFLE(2)
    else
        UNSHUFFLE(width)
}

bool stream_shuffled(const Stream *stream)
{
    return (stream->filter == FILTER_ZSTD || stream->filter == FILTER_DEFLATE) && stream->width > 1 &&
           stream->kind != STREAM_DICTIONARY;
}

void codec_free(Codec *codec)
{
    ZSTD_freeCCtx(codec->pack);
    ZSTD_freeDCtx(codec->unpack);
    dp_buf_free(&codec->stored);
    dp_buf_free(&codec->raw);
    dp_buf_free(&codec->spare);
    for (int i = 0; i < CONSTANTS; i++)
        dp_buf_free(&codec->constant[i].stored);
    *codec = (Codec){0};
}

size_t codec_bound(size_t raw)
{
    size_t zstd = ZSTD_compressBound(raw) + 64, deflate = compressBound(raw); /* 64: a few more blocks, one a plane */
    return zstd > deflate ? zstd : deflate;
}

uint64_t check_bytes(const void *data, size_t size)
{
#if defined __x86_64__
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))
        return check_bytes_avx2(data, size);
#endif
    return dp_hash64(data, size, 0);
}

static dp_status no_memory(const char *what)
{
    return dp_fail(DP_ERR_AGAIN, "lake-21", "out of memory for %s", what);
}

/* Values, unlike texts, repeat without being alike: short matches cost reading time and gain nothing over Huffman
 * codes, so only matches from 7 bytes on are looked for, among few candidates. Measured on 2,000,000 declarations:
 * level 1 alone gives 2 % more bytes, reads 20 % slower and writes two to three times slower. */
static size_t set_for_values(ZSTD_CCtx *pack, size_t size)
{
    const struct {
        ZSTD_cParameter name;
        int value;
    } set[] = {{ZSTD_c_compressionLevel, 1}, {ZSTD_c_minMatch, 7}, {ZSTD_c_hashLog, 8}};
    size_t result = ZSTD_CCtx_reset(pack, ZSTD_reset_session_and_parameters);
    for (size_t i = 0; i < sizeof set / sizeof *set && !ZSTD_isError(result); i++)
        result = ZSTD_CCtx_setParameter(pack, set[i].name, set[i].value);
    return ZSTD_isError(result) ? result : ZSTD_CCtx_setPledgedSrcSize(pack, size);
}

/* One zstd frame, with a new block where a new byte plane of a shuffled chunk begins: planes differ so much that a
 * common Huffman table makes them 4 % larger and up to 5 times slower to read. */
static size_t pack_zstd(ZSTD_CCtx *pack, const Stream *stream, const void *raw, size_t size, void *out)
{
    size_t plane = stream_shuffled(stream) && size / stream->width >= PLANE_MIN ? size / stream->width : size;
    if (stream->kind == STREAM_BYTES || stream->kind == STREAM_DICTIONARY)
        return ZSTD_compressCCtx(pack, out, codec_bound(size), raw, size, 1);
    size_t result = set_for_values(pack, size);
    ZSTD_outBuffer to = {out, codec_bound(size), 0};
    for (size_t at = 0; at < size && !ZSTD_isError(result); at += plane) {
        ZSTD_inBuffer from = {(const char *)raw + at, plane, 0};
        result = ZSTD_compressStream2(pack, &to, &from, at + plane < size ? ZSTD_e_flush : ZSTD_e_end);
        if (result > 0) /* the room is enough for all of it */
            return ZSTD_isError(result) ? result : (size_t)-1;
    }
    return ZSTD_isError(result) ? result : to.pos;
}

static dp_status pack(Codec *codec, const Stream *stream, const void *raw, size_t size, void *out, size_t *stored)
{
    if (stream_shuffled(stream)) {
        DP_TRY(dp_buf_reserve(&codec->stored, size));
        shuffle_bytes((uint8_t *)codec->stored.data, raw, size / stream->width, stream->width);
        raw = codec->stored.data;
    }
    if (stream->filter == FILTER_ZSTD) {
        if (!codec->pack && !(codec->pack = ZSTD_createCCtx()))
            return no_memory("zstd");
        *stored = pack_zstd(codec->pack, stream, raw, size, out);
        if (ZSTD_isError(*stored))
            return no_memory(ZSTD_getErrorName(*stored));
    } else if (stream->filter == FILTER_DEFLATE) {
        uLongf n = codec_bound(size);
        if (compress2(out, &n, raw, size, 1) != Z_OK)
            return no_memory("deflate");
        *stored = n;
    } else if (stream->filter == FILTER_BITS) {
        *stored = bits_pack(out, raw, size / stream->width, stream->width, stream->kind == STREAM_LABEL);
    } else {
        memcpy(out, raw, size);
        *stored = size;
    }
    return DP_OK;
}

/* Columns that say one thing of all rows are packed once a writer: the model and the as-of of scores. */
static bool is_constant(const Stream *stream, const void *raw, size_t size)
{
    return stream->filter == FILTER_ZSTD && stream->width <= sizeof(uint64_t) && size > stream->width &&
           memcmp(raw, (const char *)raw + stream->width, size - stream->width) == 0;
}

dp_status codec_pack(Codec *codec, const Stream *stream, const void *raw, size_t size, void *out, size_t *stored)
{
    Constant is = {.size = size, .width = stream->width, .kind = stream->kind, .filter = stream->filter};
    if (!is_constant(stream, raw, size))
        return pack(codec, stream, raw, size, out, stored);
    memcpy(&is.element, raw, stream->width);
    for (int i = 0; i < CONSTANTS; i++) {
        const Constant *c = &codec->constant[i];
        if (c->element == is.element && c->size == size && c->width == is.width && c->kind == is.kind &&
            c->filter == is.filter) {
            memcpy(out, c->stored.data, c->stored.size);
            *stored = c->stored.size;
            return DP_OK;
        }
    }
    DP_TRY(pack(codec, stream, raw, size, out, stored));
    Constant *to = &codec->constant[codec->next_constant++ % CONSTANTS];
    is.stored = to->stored;
    *to = is;
    to->stored.size = 0;
    dp_status st = dp_buf_add(&to->stored, out, *stored);
    if (st != DP_OK)
        to->size = 0; /* as no chunk */
    return st;
}

static dp_status damaged(const char *path, const Index *index, const Stream *stream, uint32_t c, const char *what)
{
    return dp_fail(DP_ERR_DATA, "lake-04",
                   "%s: chunk %u of '%.*s' %s; the file was changed after it was written: run `dipper lake verify` and "
                   "ingest its delivery again",
                   path, c, (int)stream->name_size, index->names + stream->name_at, what);
}

static dp_status read_exactly(int fd, void *out, size_t size, uint64_t at, const char *path)
{
    char *to = out;
    while (size > 0) {
        ssize_t n = pread(fd, to, size, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return dp_fail(dp_status_of_errno(errno, DP_ERR_IO), "lake-05", "cannot read %s: %s", path,
                           strerror(errno));
        if (n == 0)
            return dp_fail(DP_ERR_DATA, "lake-05", "%s ends before its data does; copy it again from where it came",
                           path);
        to += n;
        at += (uint64_t)n;
        size -= (size_t)n;
    }
    return DP_OK;
}

/* The chunk's bytes, checked, in codec->stored; so many as a decoder may look past them stand behind. */
static dp_status fetch_chunk(Codec *codec, int fd, const Index *index, const Stream *stream, uint32_t c,
                             const char *path)
{
    const Chunk *chunk = &index->chunks[stream->first_chunk + c];
    DP_TRY(dp_buf_reserve(&codec->stored, (size_t)chunk->stored + BITS_SLACK));
    DP_TRY(read_exactly(fd, codec->stored.data, chunk->stored, chunk->at, path));
    if (check_bytes(codec->stored.data, chunk->stored) != chunk->check)
        return damaged(path, index, stream, c, "does not fit its checksum");
    return DP_OK;
}

/* A chunk of bits that was fetched, as bytes (labels: less the least) or codes. */
static bool expand_bits(Codec *codec, const Stream *stream, size_t stored, void *out)
{
    unsigned bits;
    int64_t low;
    size_t n = stream->chunk;
    if (!bits_head(codec->stored.data, stored, n, stream->width, &bits, &low) || (stream->width > 1 && low != 0))
        return false;
    if (stream->width == 1) {
        bits_unpack_8(out, codec->stored.data, n, bits);
        for (size_t i = 0; low != 0 && i < n; i++)
            ((uint8_t *)out)[i] = (uint8_t)(((uint8_t *)out)[i] + (uint64_t)low);
        return true;
    }
    uint32_t *code = (uint32_t *)(void *)codec->raw.data;
    bits_unpack_32(code, codec->stored.data, n, bits, stream->width);
    for (size_t i = 0; stream->width == 2 && i < n; i++)
        ((uint16_t *)out)[i] = (uint16_t)code[i];
    if (stream->width == 4)
        memcpy(out, code, n * sizeof *code);
    return true;
}

/* stored [n] -> out [size], undoing the compression only. */
static bool inflate_chunk(Codec *codec, const Stream *stream, const char *stored, size_t n, void *out, size_t size)
{
    if (stream->filter == FILTER_ZSTD)
        return ZSTD_decompressDCtx(codec->unpack, out, size, stored, n) == size;
    uLongf got = size;
    return uncompress(out, &got, (const Bytef *)stored, n) == Z_OK && got == size;
}

dp_status codec_read(Codec *codec, int fd, const Index *index, const Stream *stream, uint32_t c, void *out,
                     const char *path)
{
    const Chunk *chunk = &index->chunks[stream->first_chunk + c];
    size_t size = (size_t)stream->chunk * stream->width;
    bool shuffled = stream_shuffled(stream);
    if (!codec->unpack && !(codec->unpack = ZSTD_createDCtx()))
        return no_memory("zstd");
    if (stream->filter == FILTER_NONE && chunk->stored != size)
        return damaged(path, index, stream, c, "has another size than it should");
    DP_TRY(fetch_chunk(codec, fd, index, stream, c, path));
    if (stream->filter == FILTER_NONE) {
        memcpy(out, codec->stored.data, size);
        return DP_OK;
    }
    if (stream->filter == FILTER_BITS) {
        DP_TRY(dp_buf_reserve(&codec->raw, (size_t)stream->chunk * sizeof(uint32_t)));
        return expand_bits(codec, stream, chunk->stored, out)
                   ? DP_OK
                   : damaged(path, index, stream, c, "has bits that fit no code");
    }
    if (shuffled)
        DP_TRY(dp_buf_reserve(&codec->raw, size));
    void *plain = shuffled ? (void *)codec->raw.data : out;
    if (!inflate_chunk(codec, stream, codec->stored.data, chunk->stored, plain, size))
        return damaged(path, index, stream, c, "cannot be decompressed");
    if (shuffled)
        unshuffle_bytes(out, plain, size / stream->width, stream->width);
    return DP_OK;
}

/* The greatest is found among the narrow ones: 16 or 8 of them are compared at once. */
#define WIDEN(type)                                                                                                    \
    {                                                                                                                  \
        const type *x = in;                                                                                            \
        type most = 0;                                                                                                 \
        for (size_t i = 0; i < n; i++)                                                                                 \
            most = x[i] > most ? x[i] : most;                                                                          \
        for (size_t i = 0; i < n; i++)                                                                                 \
            out[i] = x[i];                                                                                             \
        return most;                                                                                                   \
    }

static uint32_t widen(uint32_t *restrict out, const void *restrict in, size_t n, uint32_t width)
{
    if (width == 1)
        WIDEN(uint8_t)
    if (width == 2)
        WIDEN(uint16_t)
    WIDEN(uint32_t)
}

dp_status codec_read_codes(Codec *codec, int fd, const Index *index, const Stream *stream, uint32_t c, uint32_t *out,
                           uint32_t *most, const char *path)
{
    const Chunk *chunk = &index->chunks[stream->first_chunk + c];
    unsigned bits;
    int64_t low;
    if (stream->filter == FILTER_BITS) {
        DP_TRY(fetch_chunk(codec, fd, index, stream, c, path));
        if (!bits_head(codec->stored.data, chunk->stored, stream->chunk, stream->width, &bits, &low) || low != 0)
            return damaged(path, index, stream, c, "has bits that fit no code");
        *most = bits_unpack_32(out, codec->stored.data, stream->chunk, bits, stream->width);
        return DP_OK;
    }
    DP_TRY(dp_buf_reserve(&codec->spare, (size_t)stream->chunk * stream->width));
    DP_TRY(codec_read(codec, fd, index, stream, c, codec->spare.data, path));
    *most = widen(out, codec->spare.data, stream->chunk, stream->width);
    return DP_OK;
}
