/* Rows become the streams of a partition: codes are renumbered by first use and narrowed, texts become lengths and
 * bytes, and all chunks are shuffled and compressed by the packer's threads. What comes out depends on the rows alone:
 * not on the caller's dictionaries, on threads, or on what was packed before. */
#include "lake/lake_priv.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

/* Where the elements of a stream come from. */
typedef struct Source {
    const char *data;       /* as they are; NULL: from one of those below */
    const uint32_t *code;   /* renumbered by `remap` and narrowed */
    const uint32_t *remap;  /* into Packer.remap */
    const int64_t *text_at; /* differences */
} Source;

/* A category column on its way. */
typedef struct Coded {
    const LakeValues *values;
    int64_t rows;
    int code_at, dictionary_at; /* streams */
    dp_buf remap;               /* u32 [dict->n]: new code, UINT32_MAX: not used */
    dp_buf used;                /* u32: old codes in the order of the new ones */
    dp_buf slots;               /* u32: new codes by hash of their text */
    dp_buf texts;               /* the new dictionary, padded */
} Coded;

struct Packer {
    const LakeSchema *schema;
    Filter filter;
    int threads;
    Codec *codec; /* [threads] */
    ImageStream *streams;
    Source *source;
    int n_streams, room;
    Coded *coded;
    int n_coded;
    Packed *packed;
    size_t packed_room;
    Skeleton skeleton;
    dp_buf arena; /* compressed chunks, each in a region of its bound; untouched pages cost nothing */
    dp_error error;
};

enum { QUARANTINE_COLUMNS = 5 };

dp_status packer_build(Packer **packer, const LakeSchema *schema, LakeCompress compress, int threads)
{
    dp_status st = DP_OK;
    Packer *p = NULL;
    *packer = NULL;
    DP_TRY(dp_new(&p, 1));
    p->schema = schema;
    p->filter = compress == LAKE_ZSTD ? FILTER_ZSTD : compress == LAKE_DEFLATE ? FILTER_DEFLATE : FILTER_NONE;
    p->threads = threads < 1 ? 1 : threads;
    p->room = 2 * (schema->n + QUARANTINE_COLUMNS) + 1;
    DP_GO(dp_new(&p->codec, (size_t)p->threads));
    DP_GO(dp_new(&p->streams, (size_t)p->room));
    DP_GO(dp_new(&p->source, (size_t)p->room));
    DP_GO(dp_new(&p->coded, (size_t)schema->n + QUARANTINE_COLUMNS));
done:
    if (st != DP_OK)
        packer_free(&p);
    *packer = p;
    return st;
}

void packer_free(Packer **packer)
{
    Packer *p = *packer;
    if (!p)
        return;
    for (int i = 0; p->codec && i < p->threads; i++)
        codec_free(&p->codec[i]);
    for (int i = 0; p->coded && i < p->schema->n + QUARANTINE_COLUMNS; i++) {
        dp_buf_free(&p->coded[i].remap);
        dp_buf_free(&p->coded[i].used);
        dp_buf_free(&p->coded[i].slots);
        dp_buf_free(&p->coded[i].texts);
    }
    skeleton_free(&p->skeleton);
    dp_buf_free(&p->arena);
    dp_free(&p->codec);
    dp_free(&p->streams);
    dp_free(&p->source);
    dp_free(&p->coded);
    dp_free(&p->packed);
    dp_free(packer);
}

/* ---- which streams there are ---- */

static void set_chunks(Stream *s, uint64_t elements, uint64_t chunk)
{
    s->elements = elements;
    s->chunk = elements == 0 ? 0 : (uint32_t)chunk;
    s->chunks = elements == 0 ? 0 : (uint32_t)((elements + chunk - 1) / chunk);
}

static int add_stream(Packer *p, const char *prefix, const char *name, const char *suffix, StreamKind kind,
                      const LakeColumn *column, Source source)
{
    static const uint8_t width[] = {
        [STREAM_NUMBER] = 8, [STREAM_NUMBER32] = 4, [STREAM_TIME] = 8,  [STREAM_CODE] = 4, [STREAM_DICTIONARY] = 1,
        [STREAM_LABEL] = 1,  [STREAM_LENGTH] = 4,   [STREAM_BYTES] = 1, [STREAM_FLAG] = 1, [STREAM_INTEGER] = 8};
    ImageStream *is = &p->streams[p->n_streams];
    *is = (ImageStream){.stream = {.kind = kind, .filter = p->filter, .width = width[kind]}, .column = column};
    snprintf(is->name, sizeof is->name, "%s%s%s", prefix, name, suffix);
    p->source[p->n_streams] = source;
    return p->n_streams++;
}

static dp_status check_texts(const LakeValues *v, int64_t rows, const char *name)
{
    for (int64_t i = 0; i < rows; i++)
        if (v->text_at[i + 1] < v->text_at[i] || v->text_at[i + 1] - v->text_at[i] > UINT32_MAX)
            return dp_fail(DP_ERR_USAGE, "lake-12", "the offsets of the texts of '%s' do not ascend at row %lld", name,
                           (long long)i);
    return DP_OK;
}

static dp_status add_text(Packer *p, const char *prefix, const LakeColumn *column, const LakeValues *v, int64_t rows)
{
    uint64_t bytes = rows > 0 ? (uint64_t)(v->text_at[rows] - v->text_at[0]) : 0;
    uint64_t pieces = (bytes + TEXT_CHUNK - 1) / TEXT_CHUNK;
    DP_TRY(check_texts(v, rows, column->name));
    int at = add_stream(p, prefix, column->name, "/length", STREAM_LENGTH, column, (Source){.text_at = v->text_at});
    set_chunks(&p->streams[at].stream, (uint64_t)rows, block_rows_of(rows));
    at = add_stream(p, prefix, column->name, "/bytes", STREAM_BYTES, column,
                    (Source){.data = bytes ? v->text + v->text_at[0] : ""});
    set_chunks(&p->streams[at].stream, bytes, bytes ? (bytes + pieces - 1) / pieces : 0);
    return DP_OK;
}

static void add_coded(Packer *p, const char *prefix, const LakeColumn *column, const LakeValues *v, int64_t rows)
{
    char dictionary[STREAM_NAME_MAX];
    Coded *coded = &p->coded[p->n_coded++];
    snprintf(dictionary, sizeof dictionary, "_dictionary/%s", prefix);
    coded->values = v;
    coded->rows = rows;
    coded->code_at = add_stream(p, prefix, column->name, "", STREAM_CODE, column, (Source){.code = v->code});
    coded->dictionary_at = add_stream(p, dictionary, column->name, "", STREAM_DICTIONARY, column, (Source){0});
    set_chunks(&p->streams[coded->code_at].stream, (uint64_t)rows, block_rows_of(rows));
}

static dp_status add_column(Packer *p, const char *prefix, const LakeColumn *column, const LakeValues *v, int64_t rows)
{
    static const StreamKind kinds[] = {[LAKE_NUMBER] = STREAM_NUMBER,
                                       [LAKE_NUMBER32] = STREAM_NUMBER32,
                                       [LAKE_TIME] = STREAM_TIME,
                                       [LAKE_LABEL] = STREAM_LABEL};
    const void *data = column->type == LAKE_NUMBER     ? (const void *)v->number
                       : column->type == LAKE_NUMBER32 ? (const void *)v->number32
                       : column->type == LAKE_TIME     ? (const void *)v->time
                                                       : (const void *)v->label;
    if (column->type == LAKE_TEXT)
        return add_text(p, prefix, column, v, rows);
    if (type_is_coded(column->type)) {
        add_coded(p, prefix, column, v, rows);
        return DP_OK;
    }
    int at = add_stream(p, prefix, column->name, "", kinds[column->type], column, (Source){.data = data});
    set_chunks(&p->streams[at].stream, (uint64_t)rows, block_rows_of(rows));
    return DP_OK;
}

int64_t count_deleted(const LakeRows *rows)
{
    int64_t n = 0;
    for (int32_t i = 0; rows->deleted && i < rows->rows; i++)
        n += rows->deleted[i] != 0;
    return n;
}

/* ---- categories: new codes by first use ---- */

static dp_status add_word(dp_buf *buf, uint32_t word)
{
    return dp_buf_add(buf, &word, sizeof word);
}

/* The code that this text has already, or UINT32_MAX: a caller's dictionary may hold a text twice. The slots hold new
 * codes; *slot is where a new one belongs. */
static uint32_t find_text(const Coded *coded, uint32_t old, size_t mask, uint32_t **slot)
{
    const LakeDict *dict = coded->values->dict;
    const uint32_t *used = (const uint32_t *)(const void *)coded->used.data;
    const char *text = dict->bytes + dict->offset[old];
    uint32_t size = dict->offset[old + 1] - dict->offset[old];
    uint32_t *slots = (uint32_t *)(void *)coded->slots.data;
    for (size_t at = dp_hash64(text, size, 0) & mask;; at = (at + 1) & mask) {
        *slot = &slots[at];
        if (slots[at] == 0)
            return UINT32_MAX;
        uint32_t other = used[slots[at]];
        if (dict->offset[other + 1] - dict->offset[other] == size &&
            memcmp(dict->bytes + dict->offset[other], text, size) == 0)
            return slots[at];
    }
}

/* The new code of an old one that comes for the first time. */
static dp_status new_code(Coded *coded, uint32_t old, size_t mask, uint32_t *code)
{
    const LakeDict *dict = coded->values->dict;
    uint32_t *slot;
    if (dict->offset[old] == dict->offset[old + 1]) {
        *code = 0; /* the empty text is the missing one */
        return DP_OK;
    }
    *code = find_text(coded, old, mask, &slot);
    if (*code != UINT32_MAX)
        return DP_OK;
    *code = *slot = (uint32_t)(coded->used.size / sizeof(uint32_t));
    return add_word(&coded->used, old);
}

static dp_status renumber(Coded *coded)
{
    const LakeDict *dict = coded->values->dict;
    const uint32_t *code = coded->values->code;
    uint32_t n = dict ? dict->n : 0;
    size_t slots = 64;
    while (slots < 2 * (coded->rows < n ? (uint64_t)coded->rows : n))
        slots *= 2;
    coded->used.size = 0;
    DP_TRY(dp_buf_reserve(&coded->slots, slots * sizeof(uint32_t)));
    memset(coded->slots.data, 0, slots * sizeof(uint32_t));
    DP_TRY(dp_buf_reserve(&coded->remap, ((size_t)n + 1) * sizeof(uint32_t)));
    uint32_t *remap = (uint32_t *)(void *)coded->remap.data;
    memset(remap, 0xff, ((size_t)n + 1) * sizeof *remap);
    remap[0] = 0;
    DP_TRY(add_word(&coded->used, 0));
    for (int64_t i = 0; i < coded->rows; i++) {
        uint32_t c = code[i];
        if (c != 0 && c >= n)
            return dp_fail(DP_ERR_USAGE, "lake-12", "row %lld has the code %u of a dictionary of %u", (long long)i, c,
                           n);
        if (remap[c] == UINT32_MAX)
            DP_TRY(new_code(coded, c, slots - 1, &remap[c]));
    }
    return DP_OK;
}

static dp_status spell(Packer *p, Coded *coded)
{
    const LakeDict *dict = coded->values->dict;
    const uint32_t *used = (const uint32_t *)(const void *)coded->used.data;
    uint32_t n = (uint32_t)(coded->used.size / sizeof *used), width = 1;
    Stream *code = &p->streams[coded->code_at].stream, *texts = &p->streams[coded->dictionary_at].stream;
    for (uint32_t i = 1; i < n; i++) {
        uint32_t size = dict->offset[used[i] + 1] - dict->offset[used[i]];
        const char *text = dict->bytes + dict->offset[used[i]];
        if (size > CATEGORY_MAX || memchr(text, 0, size))
            return dp_fail(DP_ERR_DATA, "lake-18",
                           "'%s' holds a category of %u bytes (\"%.40s...\"); a category has at most %d bytes and no "
                           "zero byte: make it a text column",
                           p->streams[coded->code_at].name, size, text, CATEGORY_MAX);
        width = size > width ? size : width;
    }
    coded->texts.size = 0;
    DP_TRY(dp_buf_reserve(&coded->texts, (size_t)n * width));
    memset(coded->texts.data, 0, (size_t)n * width);
    for (uint32_t i = 1; i < n; i++)
        memcpy(coded->texts.data + (size_t)i * width, dict->bytes + dict->offset[used[i]],
               dict->offset[used[i] + 1] - dict->offset[used[i]]);
    code->width = n <= 256 ? 1 : n <= 65536 ? 2 : 4;
    texts->width = width;
    uint64_t chunk = (1u << 20) / width;
    set_chunks(texts, n, chunk < n ? chunk : n);
    p->source[coded->code_at].remap = (const uint32_t *)(const void *)coded->remap.data;
    p->source[coded->dictionary_at].data = coded->texts.data;
    return DP_OK;
}

/* ---- chunks ---- */

#define LANES 8
/* Least and greatest of the values that are not missing; lanes keep the compiler free of the order. */
#define RANGE(type, bits, from, low0, high0)                                                                           \
    {                                                                                                                  \
        const type *x = (from);                                                                                        \
        type low[LANES], high[LANES];                                                                                  \
        size_t i = 0;                                                                                                  \
        for (int k = 0; k < LANES; k++)                                                                                \
            low[k] = (low0), high[k] = (high0);                                                                        \
        for (; i + LANES <= n; i += LANES)                                                                             \
            for (int k = 0; k < LANES; k++) {                                                                          \
                low[k] = x[i + k] < low[k] ? x[i + k] : low[k];                                                        \
                high[k] = x[i + k] > high[k] ? x[i + k] : high[k];                                                     \
            }                                                                                                          \
        for (; i < n; i++) {                                                                                           \
            low[0] = x[i] < low[0] ? x[i] : low[0];                                                                    \
            high[0] = x[i] > high[0] ? x[i] : high[0];                                                                 \
        }                                                                                                              \
        for (int k = 1; k < LANES; k++) {                                                                              \
            low[0] = low[k] < low[0] ? low[k] : low[0];                                                                \
            high[0] = high[k] > high[0] ? high[k] : high[0];                                                           \
        }                                                                                                              \
        bits a = low[0], b = high[0];                                                                                  \
        memcpy(&packed->low, &a, 8);                                                                                   \
        memcpy(&packed->high, &b, 8);                                                                                  \
    }

static void range_of_times(Packed *packed, const int64_t *x, size_t n)
{
    int64_t low = INT64_MAX, high = INT64_MIN;
    for (size_t i = 0; i < n; i++) {
        int64_t v = x[i] == DP_TIME_MISSING ? INT64_MAX : x[i]; /* the missing one is the least anyhow */
        low = v < low ? v : low;
        high = x[i] > high ? x[i] : high;
    }
    memcpy(&packed->low, &low, 8);
    memcpy(&packed->high, &high, 8);
}

static void range_of(Packed *packed, const Stream *s, const void *data, size_t n)
{
    if (s->kind == STREAM_NUMBER)
        RANGE(double, double, data, INFINITY, -INFINITY)
    else if (s->kind == STREAM_NUMBER32)
        RANGE(float, double, data, INFINITY, -INFINITY)
    else if (s->kind == STREAM_TIME)
        range_of_times(packed, data, n);
}

static void narrow(void *out, const uint32_t *code, const uint32_t *remap, size_t n, uint32_t width)
{
    if (width == 1)
        for (size_t i = 0; i < n; i++)
            ((uint8_t *)out)[i] = (uint8_t)remap[code[i]];
    else if (width == 2)
        for (size_t i = 0; i < n; i++)
            ((uint16_t *)out)[i] = (uint16_t)remap[code[i]];
    else
        for (size_t i = 0; i < n; i++)
            ((uint32_t *)out)[i] = remap[code[i]];
}

enum { SAMPLES = 4, SAMPLE = 2048 };

/* Codes and labels are stored as bits where zstd, which reads ten times slower, would not save a fifth and half a bit
 * more; a sample tells. Not with deflate or none: there the choice of the user stands. */
static dp_status choose_bits(Packer *p, Codec *codec, int stream, unsigned bits)
{
    Stream *s = &p->streams[stream].stream;
    const Source *source = &p->source[stream];
    size_t n = SAMPLES * SAMPLE, size = n * s->width, stored;
    if (s->filter != FILTER_ZSTD || s->elements < n)
        return DP_OK;
    DP_TRY(dp_buf_reserve(&codec->raw, size));
    DP_TRY(dp_buf_reserve(&codec->spare, codec_bound(size)));
    for (size_t k = 0; k < SAMPLES; k++) {
        size_t first = (s->elements - SAMPLE) / (SAMPLES - 1) * k;
        char *out = codec->raw.data + k * SAMPLE * s->width;
        if (source->data)
            memcpy(out, source->data + first * s->width, SAMPLE * (size_t)s->width);
        else
            narrow(out, source->code + first, source->remap, SAMPLE, s->width);
    }
    DP_TRY(codec_pack(codec, s, codec->raw.data, size, codec->spare.data, &stored));
    if (n * bits <= 10 * stored + n / 2)
        s->filter = FILTER_BITS;
    return DP_OK;
}

static dp_status choose_filters(Packer *p)
{
    for (int i = 0; i < p->n_coded; i++) {
        uint32_t most = (uint32_t)(p->coded[i].used.size / sizeof(uint32_t)) - 1;
        DP_TRY(choose_bits(p, &p->codec[0], p->coded[i].code_at, most == 0 ? 0 : 32 - (unsigned)__builtin_clz(most)));
    }
    for (int i = 0; i < p->n_streams; i++)
        if (p->streams[i].stream.kind == STREAM_LABEL)
            DP_TRY(choose_bits(p, &p->codec[0], i, 2));
    return DP_OK;
}

/* Raw elements of a chunk: the caller's where they can be taken as they are, else made in the codec's memory. */
static dp_status raw_chunk(Codec *codec, const Stream *s, const Source *source, uint32_t c, const void **raw)
{
    size_t first = (size_t)c * s->chunk, width = s->width;
    size_t n = s->elements - first < s->chunk ? s->elements - first : s->chunk;
    if (source->data && n == s->chunk) {
        *raw = source->data + first * width;
        return DP_OK;
    }
    DP_TRY(dp_buf_reserve(&codec->raw, (size_t)s->chunk * width));
    char *out = codec->raw.data;
    memset(out + n * width, 0, (s->chunk - n) * width);
    if (source->data)
        memcpy(out, source->data + first * width, n * width);
    else if (source->code)
        narrow(out, source->code + first, source->remap, n, s->width);
    else
        for (size_t i = 0; i < n; i++)
            ((uint32_t *)(void *)out)[i] = (uint32_t)(source->text_at[first + i + 1] - source->text_at[first + i]);
    *raw = out;
    return DP_OK;
}

static dp_status pack_chunk(Packer *p, Codec *codec, int stream, uint32_t c)
{
    ImageStream *is = &p->streams[stream];
    const Source *source = &p->source[stream];
    const Stream *s = &is->stream;
    Packed *packed = &is->chunk[c];
    const void *raw = NULL;
    size_t stored = 0, first = (size_t)c * s->chunk;
    size_t n = s->elements - first < s->chunk ? s->elements - first : s->chunk;
    DP_TRY(raw_chunk(codec, s, source, c, &raw));
    range_of(packed, s, raw, n);
    if (s->kind == STREAM_LENGTH)
        packed->first = (uint64_t)(source->text_at[first] - source->text_at[0]);
    DP_TRY(codec_pack(codec, s, raw, (size_t)s->chunk * s->width, (void *)(uintptr_t)packed->data, &stored));
    packed->stored = (uint32_t)stored;
    return DP_OK;
}

/* ---- the whole ---- */

static void note_error(Packer *p)
{
#pragma omp critical(lake_pack_error)
    if (p->error.status == DP_OK)
        p->error = *dp_error_last();
}

static dp_status plan_rows(Packer *p, const LakeRows *rows)
{
    p->n_streams = p->n_coded = 0;
    for (int i = 0; i < p->schema->n; i++)
        DP_TRY(add_column(p, "", &p->schema->columns[i], &rows->column[i], rows->rows));
    if (count_deleted(rows) > 0) {
        int at = add_stream(p, "_deleted", "", "", STREAM_FLAG, NULL, (Source){.data = (const char *)rows->deleted});
        set_chunks(&p->streams[at].stream, (uint64_t)rows->rows, block_rows_of(rows->rows));
    }
    return DP_OK;
}

/* Gives every chunk its place in p->packed and its region in the arena; *n: how many there are. */
static dp_status place_chunks(Packer *p, size_t *n)
{
    size_t bytes = 0, at = 0;
    *n = 0;
    for (int i = 0; i < p->n_streams; i++) {
        const Stream *s = &p->streams[i].stream;
        *n += s->chunks;
        bytes += s->chunks * ((codec_bound((size_t)s->chunk * s->width) + 63) & ~(size_t)63);
    }
    p->arena.size = 0;
    DP_TRY(dp_buf_reserve(&p->arena, bytes));
    if (*n > p->packed_room) {
        DP_TRY(dp_resize(&p->packed, p->packed_room, 2 * *n));
        p->packed_room = 2 * *n;
    }
    Packed *next = p->packed;
    for (int i = 0; i < p->n_streams; i++) {
        const Stream *s = &p->streams[i].stream;
        p->streams[i].chunk = next;
        for (uint32_t c = 0; c < s->chunks; c++) {
            *next++ = (Packed){.data = p->arena.data + at};
            at += (codec_bound((size_t)s->chunk * s->width) + 63) & ~(size_t)63;
        }
    }
    return DP_OK;
}

static dp_status pack_all(Packer *p)
{
    size_t n = 0, done = 0;
    struct Task {
        int stream;
        uint32_t chunk;
    } *task = NULL;
    p->error.status = DP_OK;
#pragma omp parallel for schedule(dynamic) num_threads(p->threads) if (p->threads > 1)
    for (int i = 0; i < p->n_coded; i++)
        if (renumber(&p->coded[i]) != DP_OK || spell(p, &p->coded[i]) != DP_OK)
            note_error(p);
    if (p->error.status != DP_OK)
        return dp_fail_as(&p->error);
    DP_TRY(choose_filters(p));
    DP_TRY(place_chunks(p, &n));
    DP_TRY(dp_new(&task, n));
    for (int i = 0; i < p->n_streams; i++)
        for (uint32_t c = 0; c < p->streams[i].stream.chunks; c++)
            task[done++] = (struct Task){i, c};
#pragma omp parallel for schedule(dynamic) num_threads(p->threads) if (p->threads > 1)
    for (size_t i = 0; i < n; i++)
        if (pack_chunk(p, &p->codec[omp_get_thread_num()], task[i].stream, task[i].chunk) != DP_OK)
            note_error(p);
    dp_free(&task);
    return p->error.status == DP_OK ? DP_OK : dp_fail_as(&p->error);
}

/* ---- bad rows: five columns under _quarantine ---- */

static const LakeColumn quarantine[QUARANTINE_COLUMNS] = {
    {.name = (char *)(uintptr_t) "file", .type = LAKE_CATEGORY},
    {.name = (char *)(uintptr_t) "column", .type = LAKE_CATEGORY},
    {.name = (char *)(uintptr_t) "reason", .type = LAKE_CATEGORY},
    {.name = (char *)(uintptr_t) "raw", .type = LAKE_TEXT},
    {.name = (char *)(uintptr_t) "row", .type = LAKE_NUMBER}, /* written as integers */
};

/* Bad rows as columns. Each row has its own dictionary entry: renumber() keeps the texts apart by code, so equal texts
 * are joined here by looking back one row, which is what repeated files and reasons are. */
typedef struct BadColumns {
    int64_t *row, *text_at;
    uint32_t *code[3], *offset[3];
    dp_buf words[3], raw;
    LakeDict dict[3];
    LakeValues values[QUARANTINE_COLUMNS - 1];
} BadColumns;

static void bad_free(BadColumns *b)
{
    dp_free(&b->row);
    dp_free(&b->text_at);
    for (int k = 0; k < 3; k++) {
        dp_free(&b->code[k]);
        dp_free(&b->offset[k]);
        dp_buf_free(&b->words[k]);
    }
    dp_buf_free(&b->raw);
}

static dp_status bad_word(BadColumns *b, int k, int64_t i, const char *text, uint32_t size)
{
    LakeDict *dict = &b->dict[k];
    for (uint32_t c = 1; c < dict->n && c < 64; c++) /* few files, columns and reasons: the first ones are looked at */
        if (b->offset[k][c + 1] - b->offset[k][c] == size &&
            memcmp(b->words[k].data + b->offset[k][c], text, size) == 0) {
            b->code[k][i] = c;
            return DP_OK;
        }
    if (size == 0)
        return DP_OK;
    size = size > CATEGORY_MAX ? CATEGORY_MAX : size;
    DP_TRY(dp_buf_add(&b->words[k], text, size));
    b->code[k][i] = dict->n++;
    b->offset[k][dict->n] = (uint32_t)b->words[k].size;
    return DP_OK;
}

static dp_status bad_columns(BadColumns *b, const BadRows *bad)
{
    size_t n = (size_t)bad->n;
    const char *at = bad->bytes.data;
    DP_TRY(dp_new(&b->row, n));
    DP_TRY(dp_new(&b->text_at, n + 1));
    for (int k = 0; k < 3; k++) {
        DP_TRY(dp_new(&b->code[k], n));
        DP_TRY(dp_new(&b->offset[k], n + 2));
        b->dict[k].n = 1;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t size[4];
        memcpy(&b->row[i], at, 8);
        memcpy(size, at + 8, sizeof size);
        at += 8 + sizeof size;
        for (int k = 0; k < 3; at += size[k++])
            DP_TRY(bad_word(b, k, (int64_t)i, at, size[k]));
        DP_TRY(dp_buf_add(&b->raw, at, size[3]));
        at += size[3];
        b->text_at[i + 1] = (int64_t)b->raw.size;
    }
    for (int k = 0; k < 3; k++) {
        b->dict[k].offset = b->offset[k];
        b->dict[k].bytes = b->words[k].data ? b->words[k].data : "";
        b->values[k] = (LakeValues){.type = LAKE_CATEGORY, .code = b->code[k], .dict = &b->dict[k]};
    }
    b->values[3] = (LakeValues){.type = LAKE_TEXT, .text_at = b->text_at, .text = b->raw.data};
    return DP_OK;
}

static dp_status plan_bad(Packer *p, BadColumns *b, const BadRows *bad)
{
    DP_TRY(bad_columns(b, bad));
    for (int k = 0; k < QUARANTINE_COLUMNS - 1; k++)
        DP_TRY(add_column(p, "_quarantine/", &quarantine[k], &b->values[k], bad->n));
    int at = add_stream(p, "_quarantine/", "row", "", STREAM_INTEGER, NULL, (Source){.data = (const char *)b->row});
    set_chunks(&p->streams[at].stream, (uint64_t)bad->n, block_rows_of(bad->n));
    return DP_OK;
}

dp_status pack_partition(Packer *p, dp_buf *image, ImageFacts *facts, const LakeRows *rows, const BadRows *bad)
{
    BadColumns b = {0};
    ImageCounts counts = {.rows = rows->rows, .bad = bad ? bad->n : 0, .deleted = count_deleted(rows)};
    dp_status st = DP_OK;
    DP_GO(plan_rows(p, rows));
    if (counts.bad > 0)
        DP_GO(plan_bad(p, &b, bad));
    DP_GO(pack_all(p));
    DP_GO(image_build(image, facts, &p->skeleton, p->streams, p->n_streams, counts));
done:
    bad_free(&b);
    return st;
}
