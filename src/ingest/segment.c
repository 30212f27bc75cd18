/* One segment -> one partition. Threads take pieces of whole rows; each piece knows how many rows there can be before
 * it, so all write into the same columns; then gaps are closed and the threads' dictionaries become one, in the order
 * of first occurrence. The result does not depend on the number of threads. */
#include "ingest/ingest_priv.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

typedef struct BadEntry {
    int64_t line;
    uint32_t start, end; /* in the piece, as it was read */
    uint16_t column;     /* 65535: the whole row */
    uint8_t reason;
} BadEntry;

typedef struct Piece {
    size_t start, end;  /* in the segment's text */
    int64_t line;       /* of its first row */
    int64_t base, most; /* first row; rows at most */
    int64_t good;
    int worker;
    dp_buf text; /* of the text columns */
    int64_t *text_size;
    BadEntry *bad;
    size_t n_bad, bad_room;
    bool too_many; /* more than are kept */
} Piece;

/* A dictionary as it is written. */
typedef struct FinalDict {
    LakeDict dict;
    IngestDict merged;
    uint32_t *offset, *remap;
    char *bytes;
    size_t offset_room, bytes_room, remap_room;
} FinalDict;

struct IngestSegment {
    const IngestOptions *options;
    int threads;
    IngestWorker *workers;
    IngestValues *values; /* [schema.n] */
    int64_t *value_room;  /* [schema.n] rows */
    uint8_t *deleted;
    int64_t deleted_room;
    Piece *pieces;
    size_t n_pieces, piece_room;
    FinalDict *dicts; /* [schema.n] */
    LakeValues *out;  /* [schema.n] */
    int64_t serial;
};

static bool has_dict(LakeType type)
{
    return type == LAKE_CATEGORY || type == LAKE_CODE;
}

/* ---- life ---- */

static dp_status build_worker(IngestWorker *w, const IngestOptions *o)
{
    w->iconv = (iconv_t)-1;
    DP_TRY(dp_new(&w->dict, (size_t)o->schema.n));
    if (!o->encoding || !o->narrow)
        return DP_OK;
    w->iconv = iconv_open("UTF-8", o->encoding);
    return w->iconv != (iconv_t)-1 ? DP_OK
                                   : dp_fail(DP_ERR_CONFIG, "ingest-03",
                                             "iconv on this machine does not know the encoding '%s'", o->encoding);
}

dp_status ingest_segment_build(IngestSegment **segment, const IngestOptions *options, int threads)
{
    dp_status st = DP_OK;
    IngestSegment *s = NULL;
    size_t n = (size_t)options->schema.n;
    DP_TRY(dp_new(&s, 1));
    s->options = options;
    DP_GO(dp_new(&s->workers, (size_t)(threads > 1 ? threads : 1)));
    for (; s->threads < (threads > 1 ? threads : 1); s->threads++)
        DP_GO(build_worker(&s->workers[s->threads], options));
    DP_GO(dp_new(&s->values, n));
    DP_GO(dp_new(&s->value_room, n));
    DP_GO(dp_new(&s->dicts, n));
    DP_GO(dp_new(&s->out, n));
    for (size_t c = 0; c < n; c++)
        s->values[c].type = options->schema.columns[c].type;
done:
    if (st != DP_OK)
        ingest_segment_free(&s);
    *segment = s;
    return st;
}

static void free_worker(IngestWorker *w, int columns)
{
    for (int c = 0; w->dict && c < columns; c++)
        ingest_dict_free(&w->dict[c]);
    if (w->iconv != (iconv_t)-1)
        iconv_close(w->iconv);
    dp_free(&w->dict);
    dp_free(&w->number);
    dp_free(&w->slow);
    ingest_rows_free(&w->rows);
}

static void free_values(IngestValues *v)
{
    dp_free(&v->number);
    dp_free(&v->number32);
    dp_free(&v->time);
    dp_free(&v->code);
    dp_free(&v->label);
    dp_free(&v->text_at);
    dp_free(&v->text);
}

void ingest_segment_free(IngestSegment **segment)
{
    IngestSegment *s = *segment;
    if (!s)
        return;
    int n = s->options->schema.n;
    for (int w = 0; w < s->threads; w++)
        free_worker(&s->workers[w], n);
    for (int c = 0; c < n && s->values; c++)
        free_values(&s->values[c]);
    for (int c = 0; c < n && s->dicts; c++) {
        ingest_dict_free(&s->dicts[c].merged);
        dp_free(&s->dicts[c].offset);
        dp_free(&s->dicts[c].bytes);
        dp_free(&s->dicts[c].remap);
    }
    for (size_t p = 0; p < s->piece_room; p++) {
        dp_buf_free(&s->pieces[p].text);
        dp_free(&s->pieces[p].text_size);
        dp_free(&s->pieces[p].bad);
    }
    dp_free(&s->pieces);
    dp_free(&s->workers);
    dp_free(&s->values);
    dp_free(&s->value_room);
    dp_free(&s->dicts);
    dp_free(&s->out);
    dp_free(&s->deleted);
    dp_free(segment);
}

/* ---- room ---- */

static dp_status values_room(IngestSegment *s, int c, int64_t rows)
{
    IngestValues *v = &s->values[c];
    if (rows <= s->value_room[c])
        return DP_OK;
    size_t n = (size_t)(rows + rows / 8);
    char *text = v->text;
    size_t text_room = v->text_room;
    v->text = NULL;
    free_values(v);
    v->text = text;
    v->text_room = text_room;
    s->value_room[c] = 0;
    switch (v->type) {
    case LAKE_NUMBER:
        DP_TRY(dp_new(&v->number, n));
        break;
    case LAKE_NUMBER32:
        DP_TRY(dp_new(&v->number32, n));
        break;
    case LAKE_TIME:
        DP_TRY(dp_new(&v->time, n));
        break;
    case LAKE_CATEGORY:
    case LAKE_CODE:
        DP_TRY(dp_new(&v->code, n));
        break;
    case LAKE_LABEL:
        DP_TRY(dp_new(&v->label, n));
        break;
    case LAKE_TEXT:
        DP_TRY(dp_new(&v->text_at, n + 1));
        break;
    }
    s->value_room[c] = (int64_t)n;
    return DP_OK;
}

static dp_status all_room(IngestSegment *s, int64_t rows)
{
    for (int c = 0; c < s->options->schema.n; c++)
        DP_TRY(values_room(s, c, rows));
    if (s->options->deleted && rows > s->deleted_room) {
        dp_free(&s->deleted);
        s->deleted_room = 0;
        DP_TRY(dp_new(&s->deleted, (size_t)(rows + rows / 8)));
        s->deleted_room = rows + rows / 8;
    }
    return DP_OK;
}

static dp_status pieces_room(IngestSegment *s, size_t n)
{
    if (n <= s->piece_room)
        return DP_OK;
    DP_TRY(dp_resize(&s->pieces, s->piece_room, n));
    for (; s->piece_room < n; s->piece_room++)
        DP_TRY(dp_new(&s->pieces[s->piece_room].text_size, (size_t)s->options->schema.n));
    return DP_OK;
}

/* ---- cutting a segment into pieces of whole rows ---- */

static dp_status cut(IngestSegment *s, const char *file, const IngestText *text)
{
    const IngestOptions *o = s->options;
    size_t n = text->size / INGEST_PIECE + 1, at = 0;
    int64_t quotes_before = 0, lines_before = 0, base = 0, quotes, lines;
    DP_TRY(pieces_room(s, n));
    s->n_pieces = 0;
    for (size_t i = 0; i < n; i++) {
        size_t nominal = (i + 1) * INGEST_PIECE, from = i * INGEST_PIECE;
        nominal = nominal < text->size ? nominal : text->size;
        o->isa->count(text->text + from, nominal - from, &quotes, &lines);
        quotes_before += quotes;
        lines_before += lines;
        if (nominal <= at)
            continue; /* the row before reaches over all of it */
        bool inside = o->quotes && quotes_before % 2 != 0;
        size_t end = nominal;
        if (text->text[nominal - 1] != '\n' || inside) {
            end = ingest_row_end(o, text->text, nominal, text->size, &inside);
            end = end < text->size ? end + 1 : end;
        }
        if ((int64_t)(end - nominal) > o->max_row)
            return ingest_row_too_long(o, file, ingest_last_row(o, text->text + at, nominal - at, text->line + base),
                                       o->quotes && quotes_before % 2 != 0);
        o->isa->count(text->text + nominal, end - nominal, &quotes, &lines);
        Piece *p = &s->pieces[s->n_pieces++];
        p->start = at;
        p->end = end;
        p->line = text->line + base;
        p->base = base;
        p->most = lines_before + lines - base;
        p->good = 0;
        p->n_bad = 0;
        p->too_many = false;
        base = lines_before + lines;
        at = end;
    }
    return DP_OK;
}

/* ---- a piece ---- */

static dp_status note_bad(Piece *p, const IngestWorker *w, const char *text, bool recoded)
{
    const IngestRows *rows = &w->rows;
    int64_t line = p->line;
    size_t at = 0, n = 0;
    for (int32_t r = 0; r < rows->n; r++)
        n += rows->bad[r] != BAD_NOT;
    p->too_many = n > INGEST_BAD_PIECE;
    n = n < INGEST_BAD_PIECE ? n : INGEST_BAD_PIECE;
    if (n > p->bad_room) {
        p->bad_room = 0;
        dp_free(&p->bad);
        DP_TRY(dp_new(&p->bad, n + n / 4));
        p->bad_room = n + n / 4;
    }
    bool as_was = recoded && rows->n_was == (size_t)rows->n;
    for (int32_t r = 0; p->n_bad < n && r < rows->n; r++) {
        if (rows->bad[r] == BAD_NOT)
            continue;
        uint32_t start = as_was ? rows->was[2 * r] : recoded ? 0 : rows->raw[r];
        uint32_t end = as_was ? rows->was[2 * r + 1] : recoded ? 0 : rows->raw_end[r];
        for (const char *hit; at < start && (hit = memchr(text + at, '\n', start - at)); at = (size_t)(hit - text) + 1)
            line++;
        at = start;
        if (end > start && text[end - 1] == '\r')
            end--;
        p->bad[p->n_bad++] =
            (BadEntry){.line = line, .start = start, .end = end, .column = rows->column[r], .reason = rows->bad[r]};
    }
    return DP_OK;
}

static dp_status parse_piece(IngestSegment *s, Piece *p, IngestWorker *w, const IngestMap *map, const char *segment)
{
    const IngestOptions *o = s->options;
    const char *text = segment + p->start, *raw = text;
    size_t size = p->end - p->start;
    bool recoded = w->iconv != (iconv_t)-1;
    if (recoded) {
        DP_TRY(ingest_rows_recode(&w->rows, o, w->iconv, text, size));
        text = w->rows.utf8.data + INGEST_PAD;
        size = w->rows.utf8.size - INGEST_PAD;
    }
    DP_TRY(o->json ? ingest_rows_json(&w->rows, o, map, text, size) : ingest_rows_csv(&w->rows, o, map, text, size));
    if (w->rows.n > p->most)
        return dp_fail(DP_ERR_INTERNAL, "ingest-20", "a piece of %lld lines gave %d rows", (long long)p->most,
                       w->rows.n);
    IngestPlace place = {s->values, s->deleted, p->base, &p->text, 0, p->text_size};
    DP_TRY(ingest_convert(w, o, map, &place));
    p->good = place.good;
    return place.good < w->rows.n ? note_bad(p, w, raw, recoded) : DP_OK;
}

static dp_status start_dicts(IngestSegment *s, IngestWorker *w)
{
    const IngestOptions *o = s->options;
    for (int c = 0; c < o->schema.n; c++) {
        if (!has_dict(s->values[c].type))
            continue;
        DP_TRY(ingest_dict_clear(&w->dict[c]));
        for (size_t i = 0; i < o->missing.n; i++)
            DP_TRY(ingest_dict_missing(&w->dict[c], o->missing.items[i], (uint32_t)strlen(o->missing.items[i])));
    }
    return DP_OK;
}

static dp_status parse(IngestSegment *s, const IngestMap *map, const char *text)
{
    dp_status st = DP_OK;
    dp_error error = {0};
    for (int w = 0; w < s->threads; w++)
        DP_TRY(start_dicts(s, &s->workers[w]));
        /* The text of a failure lives in the thread that met it: it is carried over. */
#pragma omp parallel for schedule(dynamic, 1) num_threads(s->threads) if (s->threads > 1)
    for (size_t i = 0; i < s->n_pieces; i++) {
        Piece *p = &s->pieces[i];
        p->worker = omp_get_thread_num();
        dp_status mine = parse_piece(s, p, &s->workers[p->worker], map, text);
        if (mine != DP_OK) {
#pragma omp critical(dipper_ingest_segment)
            if (st == DP_OK) {
                st = mine;
                error = *dp_error_last();
            }
        }
    }
    return st == DP_OK ? DP_OK : dp_fail_as(&error);
}

/* ---- from pieces to columns without gaps ---- */

static void move_values(IngestValues *v, int64_t to, int64_t from, size_t n)
{
    switch (v->type) {
    case LAKE_NUMBER:
        memmove(v->number + to, v->number + from, n * sizeof *v->number);
        break;
    case LAKE_NUMBER32:
        memmove(v->number32 + to, v->number32 + from, n * sizeof *v->number32);
        break;
    case LAKE_TIME:
        memmove(v->time + to, v->time + from, n * sizeof *v->time);
        break;
    case LAKE_CATEGORY:
    case LAKE_CODE:
        memmove(v->code + to, v->code + from, n * sizeof *v->code);
        break;
    case LAKE_LABEL:
        memmove(v->label + to, v->label + from, n * sizeof *v->label);
        break;
    case LAKE_TEXT:
        memmove(v->text_at + to, v->text_at + from, n * sizeof *v->text_at);
        break;
    }
}

static int64_t close_gaps(IngestSegment *s)
{
    int64_t rows = 0;
    for (size_t i = 0; i < s->n_pieces; i++) {
        Piece *p = &s->pieces[i];
        for (int c = 0; p->base != rows && c < s->options->schema.n; c++)
            move_values(&s->values[c], rows, p->base, (size_t)p->good);
        if (p->base != rows && s->deleted)
            memmove(s->deleted + rows, s->deleted + p->base, (size_t)p->good);
        p->base = rows;
        rows += p->good;
    }
    return rows;
}

/* The bytes of a text column from all pieces, one behind the other. */
static dp_status join_text(IngestSegment *s, int c, int64_t rows)
{
    IngestValues *v = &s->values[c];
    size_t total = 0, at = 0;
    for (size_t i = 0; i < s->n_pieces; i++)
        total += (size_t)s->pieces[i].text_size[c];
    if (total > v->text_room) {
        dp_free(&v->text);
        v->text_room = 0;
        DP_TRY(dp_new(&v->text, total + total / 8));
        v->text_room = total + total / 8;
    }
    for (size_t i = 0; i < s->n_pieces; i++) {
        const Piece *p = &s->pieces[i];
        size_t skip = 0;
        for (int k = 0; k < c; k++)
            skip += (size_t)p->text_size[k];
        if (p->text_size[c] > 0)
            memcpy(v->text + at, p->text.data + skip, (size_t)p->text_size[c]);
        for (int64_t r = p->base; r < p->base + p->good; r++)
            v->text_at[r] += (int64_t)at;
        at += (size_t)p->text_size[c];
    }
    v->text_at[rows] = (int64_t)at;
    return DP_OK;
}

/* ---- one dictionary of the threads' ---- */

typedef struct Entry {
    uint64_t first;
    uint32_t code;
    int worker;
} Entry;

static int by_first(const void *a, const void *b)
{
    const Entry *x = a, *y = b;
    return x->first < y->first ? -1 : x->first > y->first;
}

static dp_status remap_room(FinalDict *f, size_t n)
{
    if (n <= f->remap_room)
        return DP_OK;
    dp_free(&f->remap);
    f->remap_room = 0;
    DP_TRY(dp_new(&f->remap, n));
    f->remap_room = n;
    return DP_OK;
}

/* merged = all values in the order of first occurrence; the codes follow. */
static dp_status merge(IngestSegment *s, int c, FinalDict *f)
{
    dp_status st = DP_OK;
    Entry *entries = NULL;
    size_t n = 0, all = 0;
    for (int w = 0; w < s->threads; w++)
        all += s->workers[w].dict[c].n;
    DP_GO(dp_new(&entries, all));
    DP_GO(remap_room(f, all));
    for (int w = 0; w < s->threads; w++) {
        const IngestDict *d = &s->workers[w].dict[c];
        for (uint32_t k = d->hidden + 1; k < d->n; k++)
            entries[n++] = (Entry){d->first[k], k, w};
    }
    qsort(entries, n, sizeof *entries, by_first);
    DP_GO(ingest_dict_clear(&f->merged));
    memset(f->remap, 0, all * sizeof *f->remap);
    for (size_t i = 0; i < n; i++) {
        size_t skip = 0;
        for (int w = 0; w < entries[i].worker; w++)
            skip += s->workers[w].dict[c].n;
        const IngestDict *d = &s->workers[entries[i].worker].dict[c];
        uint32_t start = d->offset[entries[i].code], end = d->offset[entries[i].code + 1];
        char text[16] = {0}; /* short keys are read eight bytes at a time */
        const char *bytes = d->bytes + start;
        if (end - start <= 8)
            bytes = memcpy(text, bytes, end - start);
        DP_GO(ingest_dict_code(&f->merged, &f->remap[skip + entries[i].code], bytes, end - start, entries[i].first));
    }
    for (size_t i = 0; i < s->n_pieces; i++) {
        const Piece *p = &s->pieces[i];
        size_t skip = 0;
        for (int w = 0; w < p->worker; w++)
            skip += s->workers[w].dict[c].n;
        for (int64_t r = p->base; r < p->base + p->good; r++)
            s->values[c].code[r] = f->remap[skip + s->values[c].code[r]];
    }
done:
    dp_free(&entries);
    return st;
}

/* Leaves out values that only bad rows had. */
static dp_status drop_unused(FinalDict *f, const IngestDict *d, uint32_t *code, int64_t rows)
{
    DP_TRY(remap_room(f, d->n));
    if (f->offset_room < (size_t)d->n + 1) {
        dp_free(&f->offset);
        DP_TRY(dp_new(&f->offset, (size_t)d->n + 1));
        f->offset_room = (size_t)d->n + 1;
    }
    if (f->bytes_room < d->offset[d->n]) {
        dp_free(&f->bytes);
        DP_TRY(dp_new(&f->bytes, d->offset[d->n]));
        f->bytes_room = d->offset[d->n];
    }
    memset(f->remap, 0, d->n * sizeof *f->remap);
    for (int64_t r = 0; r < rows; r++)
        f->remap[code[r]] = 1;
    f->remap[0] = 1;
    uint32_t n = 0, at = 0;
    for (uint32_t k = 0; k < d->n; k++) {
        if (!f->remap[k])
            continue;
        uint32_t size = d->offset[k + 1] - d->offset[k];
        if (size > 0)
            memcpy(f->bytes + at, d->bytes + d->offset[k], size);
        f->remap[k] = n;
        f->offset[n++] = at;
        at += size;
    }
    f->offset[n] = at;
    for (int64_t r = 0; r < rows; r++)
        code[r] = f->remap[code[r]];
    f->dict = (LakeDict){.n = n, .offset = f->offset, .bytes = f->bytes};
    return DP_OK;
}

static dp_status finish_dict(IngestSegment *s, int c, int64_t rows, bool any_bad)
{
    FinalDict *f = &s->dicts[c];
    const IngestDict *d = &s->workers[0].dict[c];
    if (s->threads > 1) {
        DP_TRY(merge(s, c, f));
        d = &f->merged;
    }
    f->dict = (LakeDict){.n = d->n, .offset = d->offset, .bytes = d->bytes};
    if (any_bad || d->hidden > 0)
        DP_TRY(drop_unused(f, d, s->values[c].code, rows));
    f->dict.serial = s->serial++;
    return DP_OK;
}

/* ---- all together ---- */

static dp_status put_aside(IngestSegment *s, const char *file, const char *text, int64_t order, LakeWriter *writer,
                           IngestBadList *bad)
{
    /* Without its folder: the same file makes the same bytes wherever it lies. */
    const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;
    for (size_t i = 0; i < s->n_pieces; i++) {
        const Piece *p = &s->pieces[i];
        for (size_t b = 0; b < p->n_bad; b++) {
            const BadEntry *e = &p->bad[b];
            IngestReason reason = (IngestReason)e->reason;
            LakeBadRow row = {.row = e->line,
                              .file = name,
                              .reason = ingest_reason(reason),
                              .raw = text + p->start + e->start,
                              .raw_size = (int32_t)(e->end - e->start)};
            if (e->column < s->options->schema.n)
                row.column = s->options->schema.columns[e->column].name;
            DP_TRY(ingest_bad_add(bad, order, &row, reason, writer));
        }
        if (p->too_many)
            return ingest_bad_too_many(bad->first[0].text);
    }
    return DP_OK;
}

static LakeValues as_lake(const IngestSegment *s, int c)
{
    const IngestValues *v = &s->values[c];
    return (LakeValues){.type = v->type,
                        .number = v->number,
                        .number32 = v->number32,
                        .time = v->time,
                        .code = v->code,
                        .dict = has_dict(v->type) ? &s->dicts[c].dict : NULL,
                        .label = v->label,
                        .text_at = v->text_at,
                        .text = v->text};
}

dp_status ingest_segment_run(IngestSegment *s, const IngestMap *map, const char *file, const IngestText *text,
                             int64_t order, LakeWriter *writer, IngestBadList *bad)
{
    bool any_bad = false;
    bad->bytes = 0;
    DP_TRY(cut(s, file, text));
    const Piece *last = &s->pieces[s->n_pieces - 1];
    DP_TRY(all_room(s, last->base + last->most));
    DP_TRY(parse(s, map, text->text));
    int64_t rows = close_gaps(s);
    for (size_t i = 0; i < s->n_pieces; i++)
        any_bad |= s->pieces[i].n_bad > 0;
    for (int c = 0; c < s->options->schema.n; c++) {
        if (s->values[c].type == LAKE_TEXT)
            DP_TRY(join_text(s, c, rows));
        if (has_dict(s->values[c].type))
            DP_TRY(finish_dict(s, c, rows, any_bad));
        s->out[c] = as_lake(s, c);
    }
    if (any_bad)
        DP_TRY(put_aside(s, file, text->text, order, writer, bad));
    if (rows == 0 && !any_bad)
        return DP_OK;
    LakeRows partition = {.rows = (int32_t)rows, .column = s->out, .deleted = s->deleted};
    return lake_write_partition(writer, order, &partition);
}
