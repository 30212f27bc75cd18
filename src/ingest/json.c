/* JSON lines: one object a line. The values of the keys that are wanted are copied behind one another, as fields, so
 * that everything behind this file is the same as for delimited text. Source: RFC 8259. */
#include "ingest/ingest_priv.h"

#include <string.h>

#include "base/text.h"

enum { DEPTH = 64, WHOLE_ROW = 65535 };

typedef struct Reader {
    const char *at, *end;
    dp_buf *out; /* has room for the whole line */
} Reader;

static void skip_space(Reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\r' || *r->at == '\n'))
        r->at++;
}

static bool take(Reader *r, char c)
{
    if (r->at >= r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

static bool hex4(Reader *r, uint32_t *value)
{
    uint32_t v = 0;
    if (r->end - r->at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        char c = *r->at++;
        uint32_t digit = (unsigned)(c - '0') <= 9          ? (uint32_t)(c - '0')
                         : (unsigned)((c | 32) - 'a') <= 5 ? (uint32_t)((c | 32) - 'a') + 10
                                                           : 16;
        if (digit == 16)
            return false;
        v = v << 4 | digit;
    }
    *value = v;
    return true;
}

static void put_utf8(dp_buf *out, uint32_t c)
{
    char *to = out->data + out->size;
    if (c < 0x80) {
        to[0] = (char)c;
        out->size += 1;
    } else if (c < 0x800) {
        to[0] = (char)(0xC0 | c >> 6);
        to[1] = (char)(0x80 | (c & 63));
        out->size += 2;
    } else if (c < 0x10000) {
        to[0] = (char)(0xE0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 63));
        to[2] = (char)(0x80 | (c & 63));
        out->size += 3;
    } else {
        to[0] = (char)(0xF0 | c >> 18);
        to[1] = (char)(0x80 | (c >> 12 & 63));
        to[2] = (char)(0x80 | (c >> 6 & 63));
        to[3] = (char)(0x80 | (c & 63));
        out->size += 4;
    }
}

static bool take_escape(Reader *r)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    uint32_t c, low;
    if (r->at >= r->end)
        return false;
    char letter = *r->at++;
    const char *known = letter ? strchr(from, letter) : NULL;
    if (known) {
        r->out->data[r->out->size++] = to[known - from];
        return true;
    }
    if (letter != 'u' || !hex4(r, &c) || c == 0)
        return false;
    if (c >= 0xDC00 && c < 0xE000)
        return false;
    if (c >= 0xD800 && c < 0xDC00) {
        if (!take(r, '\\') || !take(r, 'u') || !hex4(r, &low) || low < 0xDC00 || low > 0xDFFF)
            return false;
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    }
    put_utf8(r->out, c);
    return true;
}

/* Behind the opening quote; appends the text. */
static bool take_string(Reader *r)
{
    while (r->at < r->end) {
        const char *p = r->at;
        while (p < r->end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
            p++;
        size_t n = (size_t)(p - r->at);
        memcpy(r->out->data + r->out->size, r->at, n);
        r->out->size += n;
        r->at = p;
        if (p == r->end || (unsigned char)*p < 0x20)
            return false;
        r->at++;
        if (*p == '"')
            return true;
        if (!take_escape(r))
            return false;
    }
    return false;
}

/* A number, true, false or null, as it is spelled; null is nothing. */
static bool take_bare(Reader *r)
{
    const char *p = r->at;
    while (p < r->end && !strchr(",}] \t\r\n", *p))
        p++;
    size_t n = (size_t)(p - r->at);
    const char *word = r->at;
    r->at = p;
    if (n == 4 && memcmp(word, "null", 4) == 0)
        return true;
    bool known = (n == 4 && memcmp(word, "true", 4) == 0) || (n == 5 && memcmp(word, "false", 5) == 0);
    const char *d = word + (n > 0 && *word == '-');
    if (!known && (d == p || (unsigned)(*d - '0') > 9))
        return false;
    for (const char *c = word; !known && c < p; c++)
        if (!strchr("0123456789+-.eE", *c))
            return false;
    memcpy(r->out->data + r->out->size, word, n);
    r->out->size += n;
    return true;
}

/* Skips an array or object; brackets in strings do not count. */
static bool skip_nested(Reader *r)
{
    char open[DEPTH];
    int depth = 0;
    size_t kept = r->out->size;
    do {
        if (r->at >= r->end)
            return false;
        char c = *r->at++;
        if (c == '{' || c == '[') {
            if (depth == DEPTH)
                return false;
            open[depth++] = c;
        } else if (c == '}' || c == ']') {
            if (open[--depth] != (c == '}' ? '{' : '['))
                return false;
        } else if (c == '"' && !take_string(r)) {
            return false;
        }
        r->out->size = kept;
    } while (depth > 0);
    return true;
}

/* One value; *nested: it was an array or object, of which nothing is kept. */
static bool take_value(Reader *r, bool *nested)
{
    *nested = r->at < r->end && (*r->at == '{' || *r->at == '[');
    if (*nested)
        return skip_nested(r);
    return take(r, '"') ? take_string(r) : take_bare(r);
}

static int32_t wanted(const IngestMap *map, const char *key, size_t size)
{
    uint64_t hash = dp_hash64(key, size, 0);
    for (int32_t i = 0; i < map->width; i++)
        if (map->hash[i] == hash && strlen(map->wanted[i]) == size && memcmp(map->wanted[i], key, size) == 0)
            return i;
    return -1;
}

typedef struct Span {
    size_t start, size;
} Span;

/* The object's members into out, their places into span. A key that occurs twice: the last counts. */
static bool take_object(Reader *r, const IngestMap *map, Span *span)
{
    bool nested;
    skip_space(r);
    if (!take(r, '{'))
        return false;
    skip_space(r);
    if (take(r, '}'))
        return skip_space(r), r->at == r->end;
    for (;;) {
        size_t start = r->out->size;
        skip_space(r);
        if (!take(r, '"') || !take_string(r))
            return false;
        int32_t i = wanted(map, r->out->data + start, r->out->size - start);
        r->out->size = start;
        skip_space(r);
        if (!take(r, ':'))
            return false;
        skip_space(r);
        if (!take_value(r, &nested) || (nested && i >= 0))
            return false;
        if (i >= 0)
            span[i] = (Span){start, r->out->size - start};
        else
            r->out->size = start;
        skip_space(r);
        if (take(r, '}'))
            return skip_space(r), r->at == r->end;
        if (!take(r, ','))
            return false;
    }
}

/* The fields of a row in the order of the map, each with a byte behind it. scratch holds the values as they came. */
static void put_row(IngestRows *rows, int32_t r, const Span *span)
{
    dp_buf *out = &rows->clean;
    rows->before[r] = (uint32_t)out->size - 1;
    for (int32_t f = 0; f < rows->width; f++) {
        memcpy(out->data + out->size, rows->scratch.data + span[f].start, span[f].size);
        out->size += span[f].size;
        rows->end[(size_t)r * (size_t)rows->width + (size_t)f] = (uint32_t)out->size;
        out->data[out->size++] = '\n';
    }
}

static IngestReason read_line(IngestRows *rows, const IngestMap *map, const char *line, size_t size, Span *span)
{
    Reader reader = {line, line + size, &rows->scratch};
    rows->scratch.size = 0;
    memset(span, 0, (size_t)map->width * sizeof *span);
    IngestReason reason = memchr(line, 0, size) ? BAD_NUL : !dp_utf8_is_good(line, size) ? BAD_ENCODING : BAD_NOT;
    if (reason == BAD_NOT && !take_object(&reader, map, span))
        reason = BAD_JSON;
    if (reason != BAD_NOT)
        memset(span, 0, (size_t)map->width * sizeof *span);
    return reason;
}

dp_status ingest_rows_json(IngestRows *rows, const IngestOptions *options, const IngestMap *map, const char *text,
                           size_t size)
{
    int64_t quotes, lines;
    size_t width = (size_t)map->width;
    Span *span = NULL;
    options->isa->count(text, size, &quotes, &lines);
    rows->n = 0;
    rows->width = map->width;
    DP_TRY(ingest_rows_room(rows, (size_t)lines, (size_t)lines * width));
    rows->clean.size = rows->scratch.size = 0;
    DP_TRY(dp_buf_reserve(&rows->scratch, size + INGEST_PAD));
    DP_TRY(dp_buf_reserve(&rows->clean, size + (size_t)lines * width + 3 * INGEST_PAD));
    DP_TRY(dp_new(&span, width));
    memset(rows->clean.data, 0, INGEST_PAD);
    rows->clean.size = INGEST_PAD;
    for (const char *line = text, *end = text + size; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t n = (size_t)((stop ? stop : end) - line);
        if (n > 0 && line[strspn(line, " \t\r")] != '\n') {
            int32_t r = rows->n++;
            rows->raw[r] = (uint32_t)(line - text);
            rows->raw_end[r] = (uint32_t)(line - text + (ptrdiff_t)n);
            rows->bad[r] = (uint8_t)read_line(rows, map, line, n, span);
            rows->column[r] = WHOLE_ROW;
            put_row(rows, r, span);
        }
        line += n + 1;
    }
    memset(rows->clean.data + rows->clean.size, 0, INGEST_PAD);
    rows->text = rows->clean.data;
    dp_free(&span);
    return DP_OK;
}
