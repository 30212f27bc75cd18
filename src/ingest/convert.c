/* Fields -> values, one column after the other: one tight loop a type over a piece that lies in the cache. A row is bad
 * for the first column, in the table's order, that does not take its field. */
#include "ingest/ingest_priv.h"

#include <math.h>
#include <string.h>

typedef struct Job {
    IngestWorker *worker;
    const IngestOptions *options;
    const IngestColumn *column;
    int c;
    IngestFields fields;
} Job;

static void mark(const Job *j, int32_t r, IngestReason reason)
{
    IngestRows *rows = &j->worker->rows;
    if (rows->bad[r])
        return;
    rows->bad[r] = (uint8_t)reason;
    rows->column[r] = (uint16_t)j->c;
}

static IngestFields fields_of(const IngestRows *rows, int32_t field)
{
    IngestFields f = {.text = rows->text, .end = rows->end + field, .end_stride = (size_t)rows->width, .rows = rows->n};
    f.before = field > 0 ? f.end - 1 : rows->before;
    f.before_stride = field > 0 ? f.end_stride : 1;
    return f;
}

bool ingest_is_missing(const IngestOptions *options, const char *text, size_t size)
{
    if (size == 0)
        return true;
    for (size_t i = 0; i < options->missing.n; i++)
        if (strlen(options->missing.items[i]) == size && memcmp(options->missing.items[i], text, size) == 0)
            return true;
    return false;
}

/* ---- numbers ---- */

static void read_slow(const Job *j, double *value, int32_t r, bool single)
{
    uint32_t size;
    const char *text = ingest_field(&j->fields, r, &size);
    if (ingest_is_missing(j->options, text, size)) {
        value[r] = NAN;
        return;
    }
    IngestReason reason = ingest_number_read(&value[r], text, size, &j->options->numbers, single);
    if (reason != BAD_NOT)
        mark(j, r, reason);
}

/* The column as doubles into worker->number, then checked. */
static const double *read_numbers(const Job *j, bool single)
{
    double *value = j->worker->number;
    int32_t *slow = j->worker->slow;
    int32_t n = j->options->isa->numbers(value, &j->fields, j->options->numbers.decimal, single, slow);
    for (int32_t i = 0; i < n; i++)
        read_slow(j, value, slow[i], single);
    for (int32_t r = 0; j->options->missing_numbers && r < j->fields.rows; r++) {
        uint32_t size;
        const char *text = ingest_field(&j->fields, r, &size);
        if (ingest_is_missing(j->options, text, size))
            value[r] = NAN;
    }
    double low = isnan(j->column->low) ? -INFINITY : j->column->low;
    double high = isnan(j->column->high) ? INFINITY : j->column->high;
    for (int32_t r = 0; (low > -INFINITY || high < INFINITY) && r < j->fields.rows; r++)
        if (value[r] < low || value[r] > high)
            mark(j, r, BAD_RANGE);
    return value;
}

static void numbers(const Job *j, IngestValues *v, int64_t base)
{
    const double *value = read_numbers(j, v->type == LAKE_NUMBER32);
    size_t n = (size_t)j->fields.rows;
    if (v->type == LAKE_NUMBER) {
        memcpy(v->number + base, value, n * sizeof *value);
        return;
    }
    float *to = v->number32 + base;
    for (size_t r = 0; r < n; r++)
        to[r] = (float)value[r];
}

/* ---- times, labels ---- */

static void times(const Job *j, IngestValues *v, int64_t base)
{
    const IngestColumn *column = j->column;
    for (int32_t r = 0; r < j->fields.rows; r++) {
        uint32_t size;
        const char *text = ingest_field(&j->fields, r, &size);
        int64_t *time = &v->time[base + r];
        *time = DP_TIME_MISSING;
        if (size == 0)
            continue;
        int f = 0;
        while (f < column->n_times &&
               !ingest_time_read(time, text, size, &column->times[f], j->options->zone, &j->worker->hint))
            f++;
        if (f == column->n_times || j->options->missing_numbers) {
            bool missing = ingest_is_missing(j->options, text, size);
            if (f == column->n_times && !missing)
                mark(j, r, BAD_TIME);
            if (missing || f == column->n_times)
                *time = DP_TIME_MISSING;
        }
    }
}

static void labels(const Job *j, IngestValues *v, int64_t base)
{
    for (int32_t r = 0; r < j->fields.rows; r++) {
        uint32_t size;
        const char *text = ingest_field(&j->fields, r, &size);
        int value = -1;
        if (size == 4 && memcmp(text, "true", 4) == 0)
            text = "1", size = 1;
        else if (size == 5 && memcmp(text, "false", 5) == 0)
            text = "0", size = 1;
        for (uint32_t i = 0; i < size; i++) {
            unsigned digit = (unsigned)(text[i] - '0');
            value = digit > 9 || value > 127 ? 1000 : (value < 0 ? 0 : 10 * value) + (int)digit;
        }
        if (size > 0 && (value > 127 || j->options->missing_numbers)) {
            if (ingest_is_missing(j->options, text, size))
                value = -1;
            else if (value > 127)
                mark(j, r, BAD_LABEL);
        }
        v->label[base + r] = (int8_t)value;
    }
}

/* ---- categories, codes ---- */

/* What is wrong with a value of the dictionary itself. */
static IngestReason judge_code(const IngestColumn *column, const char *text, uint32_t size)
{
    if (column->digits == 0)
        return BAD_NOT;
    if (size != (uint32_t)column->digits)
        return BAD_DIGITS;
    for (uint32_t i = 0; i < size; i++)
        if ((unsigned)(text[i] - '0') > 9)
            return BAD_DIGITS;
    return BAD_NOT;
}

/* A code that the quick road does not find; a new value is judged once. */
static dp_status new_code(const Job *j, IngestDict *dict, uint32_t *code, const char *text, uint32_t size,
                          uint64_t place)
{
    uint32_t n = dict->n;
    DP_TRY(ingest_dict_code(dict, code, text, size, place));
    if (dict->n > n && j->column->type == LAKE_CODE) {
        dict->bad[n] = (uint8_t)judge_code(j->column, text, size);
        dict->any_bad |= dict->bad[n] != BAD_NOT;
    }
    return DP_OK;
}

static dp_status codes(const Job *j, IngestValues *v, int64_t base)
{
    IngestDict *dict = &j->worker->dict[j->c];
    uint32_t *to = v->code + base, size;
    for (int32_t r = 0; r < j->fields.rows; r++) {
        const char *text = ingest_field(&j->fields, r, &size);
        if (!ingest_dict_quick(dict, &to[r], text, size))
            DP_TRY(new_code(j, dict, &to[r], text, size, (uint64_t)(base + r)));
    }
    for (int32_t r = 0; dict->hidden > 0 && r < j->fields.rows; r++)
        to[r] = to[r] > dict->hidden ? to[r] : 0;
    for (int32_t r = 0; dict->any_bad && r < j->fields.rows; r++)
        if (dict->bad[to[r]])
            mark(j, r, (IngestReason)dict->bad[to[r]]);
    return DP_OK;
}

/* ---- text ---- */

/* The good rows' bytes behind what the piece's text columns have so far. */
static dp_status texts(const Job *j, const IngestPlace *place)
{
    const IngestRows *rows = &j->worker->rows;
    IngestValues *v = &place->values[j->c];
    size_t most = 0;
    uint32_t size;
    for (int32_t r = 0; r < j->fields.rows; r++) {
        ingest_field(&j->fields, r, &size);
        most += size;
    }
    DP_TRY(dp_buf_reserve(place->text, most));
    char *to = place->text->data + place->text->size;
    int64_t at = 0, out = place->base;
    for (int32_t r = 0; r < j->fields.rows; r++) {
        if (rows->bad[r])
            continue;
        const char *text = ingest_field(&j->fields, r, &size);
        if (ingest_is_missing(j->options, text, size))
            size = 0;
        memcpy(to + at, text, size);
        v->text_at[out++] = at;
        at += size;
    }
    place->text->size += (size_t)at;
    place->text_size[j->c] = at;
    return DP_OK;
}

/* ---- rows that cannot do without a value ---- */

static bool is_empty(const Job *j, const IngestValues *v, int64_t at, int32_t r)
{
    uint32_t size;
    const char *text;
    switch (v->type) {
    case LAKE_TIME:
        return v->time[at] == DP_TIME_MISSING;
    case LAKE_CATEGORY:
    case LAKE_CODE:
        return v->code[at] == 0;
    case LAKE_TEXT:
        text = ingest_field(&j->fields, r, &size);
        return ingest_is_missing(j->options, text, size);
    default:
        return false;
    }
}

static void require(const Job *j, const IngestValues *v, const uint8_t *deleted, int64_t base)
{
    bool is_time = v->type == LAKE_TIME;
    const LakeSchema *schema = &j->options->schema;
    bool of_event = schema->time && strcmp(schema->columns[j->c].name, schema->time) == 0 &&
                    !(schema->recorded && strcmp(schema->recorded, schema->time) == 0);
    for (int32_t r = 0; r < j->fields.rows; r++)
        if (is_empty(j, v, base + r, r) && !(of_event && deleted && deleted[base + r]))
            mark(j, r, is_time ? BAD_TIME : BAD_ID);
}

/* ---- all together ---- */

static void find_deleted(const IngestWorker *w, const IngestOptions *o, const IngestMap *map, uint8_t *deleted,
                         int64_t base)
{
    IngestFields f = fields_of(&w->rows, map->deleted);
    size_t n = strlen(o->deleted_is);
    for (int32_t r = 0; r < f.rows; r++) {
        uint32_t size;
        const char *text = ingest_field(&f, r, &size);
        deleted[base + r] = size == n && memcmp(text, o->deleted_is, n) == 0;
    }
}

static dp_status convert_column(const Job *j, IngestValues *v, int64_t base)
{
    switch (v->type) {
    case LAKE_NUMBER:
    case LAKE_NUMBER32:
        numbers(j, v, base);
        return DP_OK;
    case LAKE_TIME:
        times(j, v, base);
        return DP_OK;
    case LAKE_LABEL:
        labels(j, v, base);
        return DP_OK;
    case LAKE_CATEGORY:
    case LAKE_CODE:
        return codes(j, v, base);
    default:
        return DP_OK; /* text comes last: only good rows are copied */
    }
}

static void keep(IngestValues *v, int64_t to, int64_t from)
{
    switch (v->type) {
    case LAKE_NUMBER:
        v->number[to] = v->number[from];
        break;
    case LAKE_NUMBER32:
        v->number32[to] = v->number32[from];
        break;
    case LAKE_TIME:
        v->time[to] = v->time[from];
        break;
    case LAKE_LABEL:
        v->label[to] = v->label[from];
        break;
    case LAKE_CATEGORY:
    case LAKE_CODE:
        v->code[to] = v->code[from];
        break;
    default:
        break;
    }
}

/* Moves the good rows together; how many there are. */
static int64_t close_ranks(const IngestRows *rows, const IngestOptions *o, const IngestPlace *place)
{
    int64_t good = 0;
    for (int32_t r = 0; r < rows->n; r++)
        good += !rows->bad[r];
    if (good == rows->n)
        return good;
    for (int c = 0; c < o->schema.n; c++) {
        int64_t to = place->base;
        for (int32_t r = 0; r < rows->n; r++)
            if (!rows->bad[r])
                keep(&place->values[c], to++, place->base + r);
    }
    int64_t to = place->base;
    for (int32_t r = 0; place->deleted && r < rows->n; r++)
        if (!rows->bad[r])
            place->deleted[to++] = place->deleted[place->base + r];
    return good;
}

dp_status ingest_convert(IngestWorker *worker, const IngestOptions *options, const IngestMap *map, IngestPlace *place)
{
    IngestRows *rows = &worker->rows;
    place->good = 0;
    place->text->size = 0;
    memset(place->text_size, 0, (size_t)options->schema.n * sizeof *place->text_size);
    if (rows->n == 0)
        return DP_OK;
    if ((size_t)rows->n > worker->room) {
        size_t room = (size_t)rows->n + (size_t)rows->n / 4;
        worker->room = 0;
        dp_free(&worker->number);
        dp_free(&worker->slow);
        DP_TRY(dp_new(&worker->number, room));
        DP_TRY(dp_new(&worker->slow, room));
        worker->room = room;
    }
    if (place->deleted)
        find_deleted(worker, options, map, place->deleted, place->base);
    Job j = {.worker = worker, .options = options};
    for (j.c = 0; j.c < options->schema.n; j.c++) {
        j.column = &options->columns[j.c];
        j.fields = fields_of(rows, map->field[j.c]);
        DP_TRY(convert_column(&j, &place->values[j.c], place->base));
        if (j.column->required)
            require(&j, &place->values[j.c], place->deleted, place->base);
    }
    for (j.c = 0; j.c < options->schema.n; j.c++) {
        j.fields = fields_of(rows, map->field[j.c]);
        if (place->values[j.c].type == LAKE_TEXT)
            DP_TRY(texts(&j, place));
    }
    place->good = close_ranks(rows, options, place);
    return DP_OK;
}
