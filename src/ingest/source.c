/* From a file to segments of whole rows. A plain file is read by ranges: a segment owns the rows that start in it, and
 * where the first one starts is known from the number of quotes before the range. A stream is read from its start and
 * cut behind the first row that ends past the segment's size. */
#include "ingest/ingest_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

enum { STEP = 64 << 10 };

struct IngestSource {
    const IngestOptions *options;
    const IngestFile *file;
    const IngestChunk *chunks; /* of this file: quotes and lines before each */
    IngestMap map;
    int fd;
    IngestStream *stream;
    char *memory; /* INGEST_PAD bytes, the text, INGEST_PAD bytes */
    size_t room, size;
    size_t used;       /* streams: of the text, given out last time */
    int64_t body;      /* plain files: where the rows begin */
    int64_t next_line; /* line of the next row */
    int64_t segments;  /* streams: given out */
    bool ended;
};

static char *text_of(const IngestSource *s)
{
    return s->memory + INGEST_PAD;
}

static dp_status need(IngestSource *s, size_t room)
{
    if (room <= s->room)
        return DP_OK;
    size_t old = s->memory ? s->room + 2 * INGEST_PAD : 0;
    DP_TRY(dp_resize(&s->memory, old, room + 2 * INGEST_PAD));
    s->room = room;
    return DP_OK;
}

/* ---- reading ---- */

static dp_status read_at(IngestSource *s, char *out, int64_t from, size_t size)
{
    while (size > 0) {
        ssize_t n = pread(s->fd, out, size, from);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return dp_fail(DP_ERR_IO, "ingest-10", "cannot read %s: %s", s->file->name, strerror(errno));
        if (n == 0)
            return dp_fail(DP_ERR_DATA, "ingest-10",
                           "%s became shorter while it was read; wait until it is written whole and start again",
                           s->file->name);
        out += n;
        from += n;
        size -= (size_t)n;
    }
    return DP_OK;
}

/* Streams: more text behind what is there, until `size` or the end. */
static dp_status fill(IngestSource *s, size_t size)
{
    DP_TRY(need(s, size + STEP));
    while (s->size < size && !s->ended) {
        size_t n = 0;
        DP_TRY(ingest_stream_read(s->stream, text_of(s) + s->size, s->room - s->size, &n));
        s->size += n;
        s->ended = n == 0;
    }
    return DP_OK;
}

/* ---- rows that are too long, quotes that stay open ---- */

dp_status ingest_row_too_long(const IngestOptions *options, const char *file, int64_t line, bool in_quotes)
{
    char most[32];
    dp_bytes_print(most, options->max_row);
    if (in_quotes)
        return dp_fail(DP_ERR_DATA, "ingest-14",
                       "%s: a quote is open in line %lld and not closed within %s; double the quotes inside of fields "
                       "(\"\"), or set from.quotes=none for a file that does not quote",
                       file, (long long)line, most);
    return dp_fail(
        DP_ERR_DATA, "ingest-13",
        "%s: line %lld is longer than %s; if rows may be so long set from.max_row, otherwise look whether it "
        "is the right file",
        file, (long long)line, most);
}

static dp_status never_closed(const IngestSource *s, int64_t line)
{
    return dp_fail(
        DP_ERR_DATA, "ingest-14",
        "%s: a quote is open in line %lld and never closed; the file is cut off, or a quote inside of a field is "
        "not doubled (from.quotes=none reads files that do not quote)",
        s->file->name, (long long)line);
}

size_t ingest_row_end(const IngestOptions *o, const char *text, size_t from, size_t size, bool *inside)
{
    for (size_t i = from; i < size; i++) {
        if (text[i] == '"')
            *inside ^= o->quotes;
        else if (text[i] == '\n' && !*inside)
            return i;
    }
    return size;
}

int64_t ingest_last_row(const IngestOptions *o, const char *text, size_t size, int64_t first_line)
{
    bool inside = false;
    int64_t line = first_line, row = first_line;
    for (size_t i = 0; i < size; i++) {
        inside ^= text[i] == '"' && o->quotes;
        line += text[i] == '\n';
        if (text[i] == '\n' && !inside)
            row = line;
    }
    return row;
}

/* ---- header ---- */

static size_t bom(const char *text, size_t size)
{
    return size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

/* The header line, in UTF-8, as a map. text holds the start of the file. */
static dp_status read_header(IngestSource *s, const char *text, size_t size, bool whole)
{
    const IngestOptions *o = s->options;
    size_t start = o->narrow && o->encoding ? 0 : bom(text, size);
    bool inside = false;
    s->body = (int64_t)start;
    s->next_line = 1;
    if (whole && size == start)
        return dp_fail(DP_ERR_DATA, "ingest-15", "%s is empty; nothing was added", s->file->name);
    if (o->json)
        return ingest_map_json(&s->map, o);
    size_t end = ingest_row_end(o, text, start, size, &inside);
    if (end == size && (int64_t)(size - start) > o->max_row)
        return ingest_row_too_long(o, s->file->name, 1, inside);
    if (end == size && inside)
        return never_closed(s, 1);
    int64_t lines = 1;
    for (size_t i = start; i < end; i++)
        lines += text[i] == '\n';
    s->body = (int64_t)(end < size ? end + 1 : end);
    s->next_line = 1 + lines;
    IngestRows rows = {0};
    dp_status st = DP_OK;
    if (o->narrow && o->encoding) {
        iconv_t with = iconv_open("UTF-8", o->encoding);
        dp_buf line = {0};
        st = dp_buf_add(&line, text + start, end - start);
        st = st == DP_OK ? dp_buf_add(&line, "\n", 1) : st;
        if (st == DP_OK && with != (iconv_t)-1)
            st = ingest_rows_recode(&rows, o, with, line.data, line.size);
        if (with != (iconv_t)-1)
            iconv_close(with);
        dp_buf_free(&line);
        if (st == DP_OK)
            st = ingest_map_csv(&s->map, o, s->file->name, rows.utf8.data + INGEST_PAD,
                                rows.utf8.size > INGEST_PAD ? rows.utf8.size - INGEST_PAD - 1 : 0);
    } else {
        st = ingest_map_csv(&s->map, o, s->file->name, text + start, end - start);
    }
    ingest_rows_free(&rows);
    return st;
}

static dp_status open_plain(IngestSource *s)
{
    s->fd = open(s->file->path, O_RDONLY | O_CLOEXEC);
    if (s->fd < 0)
        return dp_fail(dp_status_of_errno(errno, DP_ERR_IO), "ingest-10", "cannot open %s: %s", s->file->name,
                       strerror(errno));
    bool inside = false;
    for (size_t size = STEP;; size *= 2) {
        size_t n = (int64_t)size < s->file->bytes ? size : (size_t)s->file->bytes;
        DP_TRY(need(s, n));
        DP_TRY(read_at(s, text_of(s), 0, n));
        inside = false;
        bool whole = n == (size_t)s->file->bytes;
        if (whole || ingest_row_end(s->options, text_of(s), 0, n, &inside) < n || (int64_t)n > s->options->max_row + 3)
            return read_header(s, text_of(s), n, whole);
    }
}

static dp_status open_stream(IngestSource *s)
{
    const IngestOptions *o = s->options;
    DP_TRY(ingest_stream_open(&s->stream, s->file, o->narrow ? NULL : o->encoding));
    for (size_t size = STEP;; size *= 2) {
        bool inside = false;
        DP_TRY(fill(s, size));
        if (s->ended || ingest_row_end(o, text_of(s), 0, s->size, &inside) < s->size ||
            (int64_t)s->size > o->max_row + 3)
            break;
    }
    DP_TRY(read_header(s, text_of(s), s->size, s->ended));
    s->used = (size_t)s->body;
    return DP_OK;
}

dp_status ingest_source_open(IngestSource **source, const IngestOptions *options, const IngestPlan *plan, size_t file)
{
    IngestSource *s = NULL;
    *source = NULL;
    DP_TRY(dp_new(&s, 1));
    s->options = options;
    s->file = &plan->files[file];
    s->chunks = plan->chunks ? plan->chunks + s->file->chunk : NULL;
    s->fd = -1;
    dp_status st = s->file->stream ? open_stream(s) : open_plain(s);
    if (st != DP_OK)
        ingest_source_close(&s);
    *source = s;
    return st;
}

void ingest_source_close(IngestSource **source)
{
    IngestSource *s = *source;
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    ingest_stream_close(&s->stream);
    ingest_map_free(&s->map);
    dp_free(&s->memory);
    dp_free(source);
}

const IngestMap *ingest_source_map(const IngestSource *source)
{
    return &source->map;
}

/* ---- plain files ---- */

static int64_t count_lines(const IngestSource *s, const char *text, size_t size)
{
    int64_t quotes, lines;
    s->options->isa->count(text, size, &quotes, &lines);
    return lines;
}

/* Where the first row at or behind a segment's start begins, as an offset in the text, which holds the file from `at`.
 * A row begins at the start itself when the byte before it ends one. */
static size_t first_row(const IngestSource *s, int64_t number, int64_t start, int64_t at, size_t size)
{
    if (start <= s->body)
        return (size_t)(s->body - at);
    const char *text = text_of(s);
    bool inside = s->options->quotes && s->chunks[number].quotes % 2 != 0;
    size_t from = (size_t)(start - at);
    if (text[from - 1] == '\n' && !inside)
        return from;
    size_t end = ingest_row_end(s->options, text, from, size, &inside);
    return end < size ? end + 1 : size;
}

/* The end of the row in which the segment's last byte lies; reads on. */
static dp_status last_row(IngestSource *s, int64_t number, int64_t at, int64_t stop, size_t first, size_t *end)
{
    size_t from = (size_t)(stop - at);
    const IngestOptions *o = s->options;
    int64_t next = number + 1;
    bool inside = o->quotes && s->chunks[next].quotes % 2 != 0;
    *end = from;
    if (text_of(s)[from - 1] == '\n' && !inside)
        return DP_OK;
    for (size_t scanned = from;;) {
        size_t hit = ingest_row_end(o, text_of(s), scanned, s->size, &inside);
        *end = hit + 1;
        if (hit < s->size)
            return DP_OK;
        int64_t left = s->file->bytes - at - (int64_t)s->size;
        int64_t line = s->next_line;
        if (left == 0 && inside)
            return never_closed(s, ingest_last_row(o, text_of(s) + first, s->size - first, line));
        if (left == 0) {
            text_of(s)[s->size] = '\n';
            return DP_OK;
        }
        if ((int64_t)(s->size - from) > o->max_row)
            return ingest_row_too_long(o, s->file->name, ingest_last_row(o, text_of(s) + first, s->size - first, line),
                                       inside);
        scanned = s->size;
        size_t more = left < STEP ? (size_t)left : STEP;
        DP_TRY(need(s, s->size + more));
        DP_TRY(read_at(s, text_of(s) + s->size, at + (int64_t)s->size, more));
        s->size += more;
    }
}

static dp_status read_plain(IngestSource *s, int64_t number, IngestText *out)
{
    int64_t start = number * s->file->segment, stop = start + s->file->segment;
    stop = stop < s->file->bytes ? stop : s->file->bytes;
    int64_t at = start > 0 ? start - 1 : 0; /* the byte before is looked at */
    *out = (IngestText){.number = number};
    if (stop <= s->body)
        return DP_OK;
    DP_TRY(need(s, (size_t)(stop - at) + STEP));
    s->size = (size_t)(stop - at);
    DP_TRY(read_at(s, text_of(s), at, s->size));
    size_t first = first_row(s, number, start, at, s->size), end;
    if (at + (int64_t)first >= stop)
        return DP_OK; /* all of it belongs to a row that starts before */
    size_t skipped = (size_t)(start - at);
    s->next_line = 1 + s->chunks[number].lines + count_lines(s, text_of(s) + skipped, first - skipped);
    DP_TRY(last_row(s, number, at, stop, first, &end));
    out->text = text_of(s) + first;
    out->size = end - first;
    out->line = s->next_line;
    return DP_OK;
}

/* ---- streams ---- */

static dp_status read_stream(IngestSource *s, IngestText *out, bool *more)
{
    const IngestOptions *o = s->options;
    size_t want = (size_t)s->file->segment;
    memmove(text_of(s), text_of(s) + s->used, s->size - s->used);
    s->size -= s->used;
    s->used = 0;
    DP_TRY(fill(s, want));
    *out = (IngestText){.number = s->segments++, .line = s->next_line, .text = text_of(s)};
    *more = s->size > 0;
    if (!*more)
        return DP_OK;
    size_t from = s->size < want ? s->size : want;
    int64_t quotes, lines;
    o->isa->count(text_of(s), from, &quotes, &lines);
    bool inside = o->quotes && quotes % 2 != 0;
    size_t end = from;
    if (text_of(s)[from - 1] != '\n' || inside) {
        for (size_t scanned = from;;) {
            end = ingest_row_end(o, text_of(s), scanned, s->size, &inside);
            if (end++ < s->size)
                break;
            if (s->ended && inside)
                return never_closed(s, ingest_last_row(o, text_of(s), s->size, s->next_line));
            if (s->ended) {
                DP_TRY(need(s, s->size + 1));
                text_of(s)[s->size++] = '\n';
                break;
            }
            if ((int64_t)(s->size - from) > o->max_row)
                return ingest_row_too_long(o, s->file->name, ingest_last_row(o, text_of(s), s->size, s->next_line),
                                           inside);
            scanned = s->size;
            DP_TRY(fill(s, s->size + STEP));
        }
    }
    out->text = text_of(s);
    out->size = end;
    s->used = end;
    s->next_line += count_lines(s, text_of(s), end);
    return DP_OK;
}

dp_status ingest_source_read(IngestSource *source, int64_t number, IngestText *text, bool *more)
{
    if (source->file->stream)
        return read_stream(source, text, more);
    *more = true;
    return read_plain(source, number, text);
}
