/* A piece of delimited text as rows of fields (RFC 4180). Most pieces are regular: the offsets of the separators are
 * the table of fields. Rows with too few or too many fields are marked; where quotes occur, the fields are copied once
 * without them, so that nothing behind this file knows of quotes. */
#include "ingest/ingest_priv.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"

enum { WHOLE_ROW = 65535 };

void ingest_rows_free(IngestRows *rows)
{
    dp_free(&rows->before);
    dp_free(&rows->end);
    dp_free(&rows->bad);
    dp_free(&rows->column);
    dp_free(&rows->raw);
    dp_free(&rows->raw_end);
    dp_free(&rows->found);
    dp_free(&rows->was);
    dp_buf_free(&rows->clean);
    dp_buf_free(&rows->utf8);
    dp_buf_free(&rows->scratch);
    *rows = (IngestRows){0};
}

/* Arrays are used again and again; what was in them is not kept. */
static dp_status room_for(uint32_t **array, size_t *room, size_t n)
{
    if (n <= *room)
        return DP_OK;
    dp_free(array);
    *room = 0;
    DP_TRY(dp_new(array, n + n / 4));
    *room = n + n / 4;
    return DP_OK;
}

dp_status ingest_rows_room(IngestRows *rows, size_t n, size_t fields)
{
    DP_TRY(room_for(&rows->end, &rows->end_room, fields));
    if (n <= rows->room)
        return DP_OK;
    size_t room = n + n / 4;
    rows->room = 0;
    dp_free(&rows->before);
    dp_free(&rows->bad);
    dp_free(&rows->column);
    dp_free(&rows->raw);
    dp_free(&rows->raw_end);
    DP_TRY(dp_new(&rows->before, room));
    DP_TRY(dp_new(&rows->bad, room));
    DP_TRY(dp_new(&rows->column, room));
    DP_TRY(dp_new(&rows->raw, room));
    DP_TRY(dp_new(&rows->raw_end, room));
    rows->room = room;
    return DP_OK;
}

static void mark(IngestRows *rows, int32_t r, IngestReason reason)
{
    if (rows->bad[r])
        return;
    rows->bad[r] = (uint8_t)reason;
    rows->column[r] = WHOLE_ROW;
}

/* ---- separators -> rows ---- */

/* Is every row-th separator a newline, and no other? */
static bool is_regular(const char *text, const IngestFound *found, const uint32_t *at, size_t width)
{
    if (found->n != (size_t)found->newlines * width)
        return false;
    for (size_t i = width - 1; i < found->n; i += width)
        if (text[at[i]] != '\n')
            return false;
    return true;
}

static void take_row(IngestRows *rows, uint32_t before, const uint32_t *at, size_t fields)
{
    int32_t r = rows->n++;
    size_t width = (size_t)rows->width;
    uint32_t *end = rows->end + (size_t)r * width;
    rows->before[r] = before;
    rows->raw[r] = before + 1;
    rows->raw_end[r] = at[fields - 1];
    rows->bad[r] = BAD_NOT;
    if (fields == width) {
        memcpy(end, at, width * sizeof *at);
        return;
    }
    mark(rows, r, BAD_FIELDS);
    for (size_t f = 0; f < width; f++) /* empty fields: nothing of the row is read */
        end[f] = before + 1 + (uint32_t)f;
}

/* Rows of any number of fields; empty lines are no rows. */
static dp_status take_ragged(IngestRows *rows, const char *text, const IngestFound *found)
{
    DP_TRY(ingest_rows_room(rows, found->newlines, (size_t)found->newlines * (size_t)rows->width));
    uint32_t before = UINT32_MAX;
    for (size_t i = 0, first = 0; i < found->n; i++) {
        if (text[rows->found[i]] != '\n')
            continue;
        uint32_t end = rows->found[i], size = end - before - 1;
        if (size > 1 || (size == 1 && text[before + 1] != '\r'))
            take_row(rows, before, rows->found + first, i + 1 - first);
        before = end;
        first = i + 1;
    }
    return DP_OK;
}

static dp_status take_regular(IngestRows *rows, const IngestFound *found)
{
    size_t width = (size_t)rows->width;
    uint32_t *swap = rows->end; /* the separators are the table of fields */
    size_t swap_room = rows->end_room;
    DP_TRY(ingest_rows_room(rows, found->newlines, 0));
    rows->end = rows->found;
    rows->end_room = rows->found_room;
    rows->found = swap;
    rows->found_room = swap_room;
    rows->n = (int32_t)found->newlines;
    uint32_t before = UINT32_MAX;
    for (int32_t r = 0; r < rows->n; r++) {
        uint32_t end = rows->end[(size_t)r * width + width - 1];
        rows->before[r] = before;
        rows->raw[r] = before + 1;
        rows->raw_end[r] = end;
        before = end;
    }
    if (rows->n > 0)
        memset(rows->bad, BAD_NOT, (size_t)rows->n);
    return DP_OK;
}

/* Fields end before the carriage return of CRLF. */
static void trim_returns(IngestRows *rows, const char *text)
{
    size_t width = (size_t)rows->width;
    for (int32_t r = 0; r < rows->n; r++) {
        uint32_t *end = &rows->end[(size_t)r * width + width - 1];
        uint32_t start = width > 1 ? end[-1] + 1 : rows->before[r] + 1;
        if (*end > start && text[*end - 1] == '\r') {
            --*end;
            rows->raw_end[r]--;
        }
    }
}

/* ---- quotes ---- */

/* Copies one field without its quotes. false: quotes stand where RFC 4180 has none. A field that does not begin with a
 * quote is taken as it is, as long as its quotes hide no separator (5" x 3"). */
static bool copy_field(dp_buf *out, const char *p, size_t size, char delimiter)
{
    char *to = out->data + out->size;
    const char *end = p + size;
    if (size == 0 || *p != '"') {
        memcpy(to, p, size);
        out->size += size;
        return !memchr(p, '"', size) || (!memchr(p, delimiter, size) && !memchr(p, '\n', size));
    }
    for (p++; p < end;) {
        const char *quote = memchr(p, '"', (size_t)(end - p));
        size_t n = (size_t)((quote ? quote : end) - p);
        memcpy(to, p, n);
        to += n;
        if (!quote)
            break;
        p = quote + 1;
        if (p == end) { /* the closing one */
            out->size = (size_t)(to - out->data);
            return true;
        }
        if (*p != '"')
            break;
        *to++ = '"';
        p++;
    }
    out->size = (size_t)(to - out->data);
    return false;
}

/* A row with quotes in it, field by field. */
static bool copy_quoted(IngestRows *rows, int32_t r, const char *text, char delimiter)
{
    bool good = true;
    uint32_t start = rows->before[r] + 1, *end = rows->end + (size_t)r * (size_t)rows->width;
    for (int32_t f = 0; f < rows->width; f++) {
        uint32_t stop = end[f] > start ? end[f] : start;
        good &= copy_field(&rows->clean, text + start, stop - start, delimiter);
        start = end[f] + 1;
        end[f] = (uint32_t)rows->clean.size;
        rows->clean.data[rows->clean.size++] = '\n';
    }
    return good;
}

/* A row without: one copy. */
static void copy_plain(IngestRows *rows, int32_t r, const char *text)
{
    uint32_t start = rows->before[r] + 1, *end = rows->end + (size_t)r * (size_t)rows->width;
    uint32_t shift = (uint32_t)rows->clean.size - start, last = end[rows->width - 1];
    memcpy(rows->clean.data + rows->clean.size, text + start, last - start);
    rows->clean.size += last - start;
    rows->clean.data[rows->clean.size++] = '\n';
    for (int32_t f = 0; f < rows->width; f++)
        end[f] += shift;
}

static dp_status remove_quotes(IngestRows *rows, const char *text, size_t size, char delimiter)
{
    rows->clean.size = 0;
    DP_TRY(dp_buf_reserve(&rows->clean, size + (size_t)rows->n * (size_t)rows->width + 3 * INGEST_PAD));
    memset(rows->clean.data, 0, INGEST_PAD);
    rows->clean.size = INGEST_PAD;
    for (int32_t r = 0; r < rows->n; r++) {
        uint32_t start = rows->raw[r], before = (uint32_t)rows->clean.size - 1;
        if (rows->bad[r] == BAD_FIELDS)
            continue;
        if (!memchr(text + start, '"', rows->raw_end[r] - start))
            copy_plain(rows, r, text);
        else if (!copy_quoted(rows, r, text, delimiter))
            mark(rows, r, BAD_QUOTE);
        rows->before[r] = before;
    }
    memset(rows->clean.data + rows->clean.size, 0, INGEST_PAD);
    rows->text = rows->clean.data;
    return DP_OK;
}

/* ---- bytes that no text has ---- */

/* Rows are looked at one by one only where the piece as a whole is not clean. */
static void check_bytes(IngestRows *rows, const char *text, size_t size, const IngestFound *found)
{
    bool broken = found->wide && !dp_utf8_is_good(text, size);
    for (int32_t r = 0; (found->nul || broken) && r < rows->n; r++) {
        const char *row = text + rows->raw[r];
        size_t n = rows->raw_end[r] - rows->raw[r];
        if (found->nul && memchr(row, 0, n))
            mark(rows, r, BAD_NUL);
        else if (broken && !dp_utf8_is_good(row, n))
            mark(rows, r, BAD_ENCODING);
    }
}

dp_status ingest_rows_csv(IngestRows *rows, const IngestOptions *options, const IngestMap *map, const char *text,
                          size_t size)
{
    rows->n = 0;
    rows->width = map->width;
    rows->text = text;
    DP_TRY(room_for(&rows->found, &rows->found_room, size + INGEST_PAD));
    IngestFound found = options->isa->find(rows->found, text, size, options->delimiter, options->quotes);
    if (is_regular(text, &found, rows->found, (size_t)map->width) && map->width > 1)
        DP_TRY(take_regular(rows, &found));
    else
        DP_TRY(take_ragged(rows, text, &found));
    trim_returns(rows, text);
    check_bytes(rows, text, size, &found);
    if (found.quotes && options->quotes)
        DP_TRY(remove_quotes(rows, text, size, options->delimiter));
    return DP_OK;
}

/* ---- other encodings ---- */

/* One row; what iconv refuses becomes 0xFF, which no UTF-8 has, so that the row is found bad. */
static dp_status recode_row(dp_buf *out, iconv_t with, char *p, size_t left)
{
    while (left > 0) {
        DP_TRY(dp_buf_reserve(out, 4 * left + 64));
        char *to = out->data + out->size;
        size_t space = 4 * left + 64;
        size_t done = iconv(with, &p, &left, &to, &space);
        out->size = (size_t)(to - out->data);
        if (done != (size_t)-1 || errno == E2BIG)
            continue;
        DP_TRY(dp_buf_add(out, "\xFF", 1));
        p++;
        left--;
        iconv(with, NULL, NULL, NULL, NULL);
    }
    return DP_OK;
}

dp_status ingest_rows_recode(IngestRows *rows, const IngestOptions *options, iconv_t with, const char *text,
                             size_t size)
{
    static const char pad[INGEST_PAD];
    DP_TRY(room_for(&rows->found, &rows->found_room, size + INGEST_PAD));
    IngestFound found = options->isa->find(rows->found, text, size, 0, options->quotes);
    DP_TRY(room_for(&rows->was, &rows->was_room, 2 * (size_t)found.newlines));
    rows->utf8.size = 0;
    DP_TRY(dp_buf_add(&rows->utf8, pad, sizeof pad));
    uint32_t start = 0;
    rows->n_was = 0;
    for (uint32_t i = 0; i < found.n; i++) {
        uint32_t end = rows->found[i];
        if (end - start > 1 || (end > start && text[start] != '\r')) {
            rows->was[2 * rows->n_was] = start;
            rows->was[2 * rows->n_was++ + 1] = end;
            DP_TRY(recode_row(&rows->utf8, with, (char *)(uintptr_t)(text + start), end - start));
            DP_TRY(dp_buf_add(&rows->utf8, "\n", 1));
        }
        start = end + 1;
    }
    size_t whole = rows->utf8.size;
    DP_TRY(dp_buf_add(&rows->utf8, pad, sizeof pad));
    rows->utf8.size = whole;
    return DP_OK;
}
