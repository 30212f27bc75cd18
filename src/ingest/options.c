/* Config of `kind: table` -> IngestOptions: the sections from, rows, columns, categories, check. */
#include "ingest/ingest.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "ingest/ingest_priv.h"

typedef struct FromOptions {
    CfgList files, missing, times;
    int format, quotes;
    const char *encoding, *decimal, *grouping, *delimiter, *time_zone;
    int64_t max_row;
} FromOptions;
typedef struct RowsOptions {
    const char *id, *time, *recorded, *deleted;
} RowsOptions;
typedef struct ColumnOptions {
    int type, bits;
    const char *from, *unit, *known_at, *about, *format;
    CfgRange range;
    int64_t digits;
} ColumnOptions;
typedef struct TableOptions {
    CfgMap columns;
    CfgList categories;
} TableOptions;
typedef struct CheckOptions {
    double max_bad;
} CheckOptions;

static const CfgRow from_rows[] = {
    {"files", CFG_WORDS, CFG_AT(FromOptions, files), .def = "",
     .help = "names or patterns in the inbox; - is the standard input; the command line goes before"},
    {"format", CFG_CHOICE, CFG_AT(FromOptions, format), .choices = "csv | jsonl", .def = "csv",
     .help = "delimited text with a header line, or a JSON object a line"},
    {"encoding", CFG_TEXT, CFG_AT(FromOptions, encoding), .def = "utf-8",
     .help = "any that iconv knows: big5, gb18030"},
    {"delimiter", CFG_TEXT, CFG_AT(FromOptions, delimiter), .def = ",", .help = "one character, or tab"},
    {"quotes", CFG_CHOICE, CFG_AT(FromOptions, quotes), .choices = "double | none", .def = "double",
     .help = "double: as RFC 4180 says; none: a quote mark is a letter like others"},
    {"decimal", CFG_TEXT, CFG_AT(FromOptions, decimal), .def = ".", .help = "decimal mark of numbers"},
    {"grouping", CFG_TEXT, CFG_AT(FromOptions, grouping), .def = "", .help = "mark between thousands, one character"},
    {"missing", CFG_LIST, CFG_AT(FromOptions, missing), .def = "", .choices = NULL,
     .help = "spellings of a missing value; an empty field always is one"},
    {"times", CFG_WORDS, CFG_AT(FromOptions, times), .def = "", .max = 4,
     .help = "formats of times, tried in order: %Y-%m-%d %H:%M:%S"},
    {"time_zone", CFG_TEXT, CFG_AT(FromOptions, time_zone), .def = "UTC", .help = "of times that do not say it"},
    {"max_row", CFG_BYTES, CFG_AT(FromOptions, max_row), .min = 1024, .max = 1 << 28, .def = "1MiB",
     .help = "a longer row stops the work: an open quote, or not a text file"},
    {.key = NULL}};
static const CfgRow rows_rows[] = {
    {"id", CFG_NAME, CFG_AT(RowsOptions, id), .def = "", .help = "column that names a row; without it its number does"},
    {"time", CFG_NAME, CFG_AT(RowsOptions, time), .def = "", .help = "column with the time of the event"},
    {"recorded", CFG_NAME, CFG_AT(RowsOptions, recorded), .def = "",
     .help = "column with the time from which this version of the row counts"},
    {"deleted", CFG_TEXT, CFG_AT(RowsOptions, deleted), .def = "",
     .help = "COLUMN = VALUE of the file, which marks the end of a row"},
    {.key = NULL}};
static const CfgRow column_rows[] = {
    {"type", CFG_CHOICE, CFG_AT(ColumnOptions, type), .choices = "number | time | category | code | text | label",
     .help = "what the values are"},
    {"from", CFG_TEXT, CFG_AT(ColumnOptions, from), .def = "", .help = "name in the file, where it differs"},
    {"unit", CFG_TEXT, CFG_AT(ColumnOptions, unit), .def = "", .help = "kg, TWD, percent"},
    {"range", CFG_RANGE, CFG_AT(ColumnOptions, range), .def = "", .help = "of numbers; a row outside is put aside"},
    {"digits", CFG_INT, CFG_AT(ColumnOptions, digits), .min = 0, .max = 64, .def = "0",
     .help = "of a code; 0: any text"},
    {"bits", CFG_CHOICE, CFG_AT(ColumnOptions, bits), .choices = "64 | 32", .def = "64", .help = "of stored numbers"},
    {"format", CFG_TEXT, CFG_AT(ColumnOptions, format), .def = "",
     .help = "of this column's times, instead of from.times"},
    {"known_at", CFG_NAME, CFG_AT(ColumnOptions, known_at), .def = "",
     .help = "time column that says when the value became known"},
    {"about", CFG_TEXT, CFG_AT(ColumnOptions, about), .def = "", .help = "one line for people"},
    {.key = NULL}};
static const CfgRow table_rows[] = {
    {"columns", CFG_MAP, CFG_AT(TableOptions, columns), .def = "", .rows = column_rows, .size = sizeof(ColumnOptions),
     .shorthand = "type", .help = "columns of the table, by name"},
    {"categories", CFG_LIST, CFG_AT(TableOptions, categories), .def = "", .help = "columns that are plain categories"},
    {.key = NULL}};
static const CfgRow check_rows[] = {
    {"max_bad", CFG_SHARE, CFG_AT(CheckOptions, max_bad), .def = "0.1%", .help = "of the rows; more stops the work"},
    {.key = NULL}};

const CfgSection ingest_sections[] = {
    {"from", from_rows, NULL}, {"rows", rows_rows, NULL}, {"", table_rows, NULL}, {"check", check_rows, NULL}};
const size_t ingest_sections_n = sizeof ingest_sections / sizeof *ingest_sections;

/* All that was written, while it becomes options. */
typedef struct Written {
    Config *config;
    FromOptions from;
    RowsOptions rows;
    TableOptions table;
    CheckOptions check;
} Written;

/* ---- from ---- */

/* Encodings in which a byte below 64 always is that ASCII character, so that newlines, quotes and most delimiters can
 * be found before the text is converted. */
static bool is_narrow(const char *encoding)
{
    static const char *const starts[] = {"ascii", "us-ascii", "iso-8859", "iso8859", "latin",  "windows-",
                                         "cp125", "cp8",      "cp932",    "cp936",   "cp949",  "cp950",
                                         "koi8",  "big5",     "gb18030",  "gbk",     "gb2312", "euc",
                                         "sjis",  "shift",    "tis-620",  "utf-8",   "utf8",   "mac"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (strncasecmp(encoding, starts[i], strlen(starts[i])) == 0)
            return true;
    return false;
}

static dp_status take_encoding(IngestOptions *o, const Written *w)
{
    const char *name = w->from.encoding;
    o->narrow = is_narrow(name);
    if (strcasecmp(name, "utf-8") == 0 || strcasecmp(name, "utf8") == 0)
        return DP_OK;
    o->encoding = name;
    iconv_t with = iconv_open("UTF-8", name);
    if (with == (iconv_t)-1)
        return config_add_fault(w->config, "from.encoding", "ingest-03",
                                "iconv on this machine does not know the encoding '%.40s'; `iconv -l` lists them",
                                name);
    iconv_close(with);
    return DP_OK;
}

static dp_status take_marks(IngestOptions *o, const Written *w)
{
    const char *d = w->from.delimiter;
    bool tab = strcmp(d, "tab") == 0 || strcmp(d, "\\t") == 0;
    o->delimiter = tab ? '\t' : d[0];
    o->numbers.decimal = w->from.decimal[0];
    if (!tab && (strlen(d) != 1 || (unsigned char)*d > 127 || isalnum((unsigned char)*d) || strchr("\"\n\r.-+", *d)))
        DP_TRY(config_add_fault(w->config, "from.delimiter", "ingest-05",
                                "the delimiter is one ASCII character that is no letter, digit or quote, or tab"));
    /* In Big5, GBK and their like the bytes from 64 on can be the second half of another character. */
    if (o->encoding && o->narrow && (unsigned char)o->delimiter >= 64)
        DP_TRY(config_add_fault(w->config, "from.delimiter", "ingest-05",
                                "'%c' can be part of another character in %.40s; convert the file to UTF-8 first",
                                o->delimiter, o->encoding));
    if (strcmp(w->from.decimal, ".") != 0 && strcmp(w->from.decimal, ",") != 0)
        DP_TRY(config_add_fault(w->config, "from.decimal", "ingest-05", "the decimal mark is \".\" or \",\""));
    const char *grouping = w->from.grouping ? w->from.grouping : "";
    size_t n = strlen(grouping);
    if (n >= sizeof o->numbers.group || (n == 1 && strchr("0123456789+-eE", *grouping)) ||
        (n > 0 && strcmp(grouping, w->from.decimal) == 0))
        DP_TRY(config_add_fault(w->config, "from.grouping", "ingest-05",
                                "the grouping mark is one character, not a digit, sign or the decimal mark"));
    else
        memcpy(o->numbers.group, grouping, n + 1);
    return DP_OK;
}

static dp_status take_from(IngestOptions *o, const Written *w)
{
    o->json = w->from.format == 1;
    o->quotes = !o->json && w->from.quotes == 0;
    o->max_row = w->from.max_row;
    o->patterns = w->from.files;
    o->missing = w->from.missing;
    o->isa = ingest_isa();
    for (size_t i = 0; i < o->missing.n; i++) {
        const char *m = o->missing.items[i];
        o->missing_numbers |= strpbrk(m, "0123456789") != NULL || strcmp(m, "true") == 0 || strcmp(m, "false") == 0;
        if (strlen(m) > 255)
            DP_TRY(
                config_add_fault(w->config, "from.missing", "ingest-05", "a spelling of a missing value is too long"));
    }
    o->numbers.c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (o->numbers.c == (locale_t)0)
        return dp_fail(DP_ERR_AGAIN, "ingest-20", "no memory for the C locale");
    DP_TRY(take_encoding(o, w));
    DP_TRY(take_marks(o, w));
    if (dp_zone_build(&o->zone, w->from.time_zone) != DP_OK)
        DP_TRY(config_add_fault(w->config, "from.time_zone", "ingest-02", "%s", dp_error_last()->text));
    return DP_OK;
}

/* ---- columns ---- */

static const char *or_null(const char *text)
{
    return text && *text ? text : NULL;
}

static dp_status add_time_format(IngestColumn *c, const Written *w, const char *path, const char *format)
{
    const char *wrong = NULL;
    if (ingest_time_compile(&c->times[c->n_times], format, &wrong)) {
        c->n_times++;
        return DP_OK;
    }
    if (wrong == format && strchr(format, '%'))
        return config_add_fault(w->config, path, "ingest-04",
                                "the time format '%.60s' does not say year, month and day (%%Y-%%m-%%d)", format);
    return config_add_fault(
        w->config, path, "ingest-04",
        "'%.40s' in a time format is not understood; known are %%Y %%y %%m %%b %%d %%e %%j %%H %%I %%M %%S "
        "%%f %%p %%z %%s %%F %%T %%R",
        wrong);
}

static dp_status take_times(IngestColumn *c, const Written *w, const char *path, const char *format)
{
    char at[160];
    snprintf(at, sizeof at, "%s.format", path);
    if (format)
        return add_time_format(c, w, at, format);
    if (w->from.times.n == 0)
        return config_add_fault(
            w->config, path, "ingest-04",
            "a time without a format: say from.times (\"%%Y-%%m-%%d %%H:%%M:%%S\") or a format here");
    for (size_t i = 0; i < w->from.times.n && c->n_times < 4; i++)
        DP_TRY(add_time_format(c, w, "from.times", w->from.times.items[i]));
    return DP_OK;
}

static LakeType lake_type(const ColumnOptions *c)
{
    static const LakeType types[] = {LAKE_NUMBER, LAKE_TIME, LAKE_CATEGORY, LAKE_CODE, LAKE_TEXT, LAKE_LABEL};
    return c->type == 0 && c->bits == 1 ? LAKE_NUMBER32 : types[c->type];
}

static dp_status add_column(IngestOptions *o, const Written *w, const char *name, const ColumnOptions *from,
                            const char *path)
{
    IngestColumn *c = &o->columns[o->schema.n];
    LakeColumn *to = &o->schema.columns[o->schema.n];
    if (!dp_name_is_good(name))
        DP_TRY(config_add_fault(
            w->config, path, "ingest-01",
            "'%.60s' cannot name a column: small letters, digits, . _ - only; the name in the file goes "
            "into `from`",
            name));
    if (lake_schema_find(&o->schema, name) >= 0)
        DP_TRY(config_add_fault(w->config, path, "ingest-07", "the column '%.60s' is named twice", name));
    *c = (IngestColumn){.type = lake_type(from), .digits = (int)from->digits, .low = NAN, .high = NAN};
    c->from = or_null(from->from);
    if (from->range.set) {
        c->low = isinf(from->range.low) ? NAN : from->range.low;
        c->high = isinf(from->range.high) ? NAN : from->range.high;
    }
    if (c->type == LAKE_TIME)
        DP_TRY(take_times(c, w, path, or_null(from->format)));
    to->type = c->type;
    to->low = c->low;
    to->high = c->high;
    to->digits = c->digits;
    o->schema.n++;
    DP_TRY(dp_copy_text(&to->name, name));
    DP_TRY(dp_copy_text(&to->unit, or_null(from->unit)));
    DP_TRY(dp_copy_text(&to->about, or_null(from->about)));
    DP_TRY(dp_copy_text(&to->known_at, or_null(from->known_at)));
    c->from = c->from ? c->from : to->name;
    return DP_OK;
}

static dp_status take_columns(IngestOptions *o, const Written *w)
{
    char path[128];
    size_t n = w->table.columns.n + w->table.categories.n, faults;
    config_faults(w->config, &faults);
    if (n == 0 && faults > 0)
        return config_must_be_good(w->config); /* `colums:` was told already; what follows from it need not be */
    if (n == 0 || n > INGEST_COLUMNS)
        return config_add_fault(w->config, "columns", "ingest-01", "a table has 1 to %d columns, here are %zu",
                                INGEST_COLUMNS, n);
    DP_TRY(dp_new(&o->columns, n));
    DP_TRY(dp_new(&o->schema.columns, n));
    for (size_t i = 0; i < w->table.columns.n; i++) {
        const CfgEntry *e = &w->table.columns.entries[i];
        snprintf(path, sizeof path, "columns.%.100s", e->key);
        DP_TRY(add_column(o, w, e->key, e->value, path));
    }
    static const ColumnOptions category = {.type = 2};
    for (size_t i = 0; i < w->table.categories.n; i++)
        DP_TRY(add_column(o, w, w->table.categories.items[i], &category, "categories"));
    return DP_OK;
}

/* ---- rows ---- */

static const char *nearest_column(const IngestOptions *o, const char *name)
{
    const char *names[INGEST_COLUMNS];
    for (int i = 0; i < o->schema.n; i++)
        names[i] = o->schema.columns[i].name;
    return dp_nearest(name, names, (size_t)o->schema.n);
}

/* The column `name`, which must be of one of the types. */
static dp_status refer(IngestOptions *o, const Written *w, const char *path, const char *name, bool is_time, int *at)
{
    *at = lake_schema_find(&o->schema, name);
    if (*at < 0) {
        const char *near = nearest_column(o, name);
        return config_add_fault(w->config, path, "ingest-01", "'%.60s' is not a column%s%s%s", name,
                                near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
    }
    LakeType type = o->columns[*at].type;
    bool fits = is_time ? type == LAKE_TIME : type == LAKE_TEXT || type == LAKE_CODE || type == LAKE_CATEGORY;
    if (!fits)
        DP_TRY(config_add_fault(w->config, path, "ingest-01", "the column '%.60s' is a %s; here a %s is needed", name,
                                lake_type_name(type), is_time ? "time" : "text, code or category"));
    return DP_OK;
}

static dp_status take_role(IngestOptions *o, const Written *w, const char *path, const char *name, bool is_time,
                           char **to)
{
    int at;
    if (!or_null(name))
        return DP_OK;
    DP_TRY(refer(o, w, path, name, is_time, &at));
    if (at >= 0)
        o->columns[at].required = true;
    return dp_copy_text(to, name);
}

/* "op = D": a column of the file, be it one of the table or not, and the value that marks. */
static dp_status take_deleted(IngestOptions *o, const Written *w)
{
    const char *text = or_null(w->rows.deleted), *equals = text ? strchr(text, '=') : NULL;
    if (!text)
        return DP_OK;
    char name[INGEST_NAME + 1];
    size_t n = equals ? (size_t)(equals - text) : 0;
    while (n > 0 && text[n - 1] == ' ')
        n--;
    const char *value = equals ? equals + 1 + strspn(equals + 1, " ") : "";
    if (n == 0 || n > INGEST_NAME || !*value || *value == '=')
        return config_add_fault(w->config, "rows.deleted", "ingest-06",
                                "a delete mark is written as COLUMN = VALUE, like op = D");
    if (!or_null(w->rows.id) || !or_null(w->rows.recorded))
        DP_TRY(config_add_fault(w->config, "rows.deleted", "ingest-06",
                                "a delete mark needs rows.id and rows.recorded: which row ends, and when"));
    memcpy(name, text, n);
    name[n] = '\0';
    int at = lake_schema_find(&o->schema, name);
    DP_TRY(dp_copy_text(&o->deleted, at >= 0 ? o->columns[at].from : name));
    return dp_copy_text(&o->deleted_is, value);
}

static dp_status take_rows(IngestOptions *o, const Written *w)
{
    DP_TRY(take_role(o, w, "rows.id", w->rows.id, false, &o->schema.id));
    DP_TRY(take_role(o, w, "rows.time", w->rows.time, true, &o->schema.time));
    DP_TRY(take_role(o, w, "rows.recorded", w->rows.recorded, true, &o->schema.recorded));
    if (or_null(w->rows.recorded) && !or_null(w->rows.id))
        DP_TRY(config_add_fault(w->config, "rows.recorded", "ingest-01",
                                "rows.recorded without rows.id: a correction must say which row it corrects"));
    for (int c = 0; c < o->schema.n; c++) {
        char path[128];
        int at;
        snprintf(path, sizeof path, "columns.%.80s.known_at", o->schema.columns[c].name);
        if (o->schema.columns[c].known_at)
            DP_TRY(refer(o, w, path, o->schema.columns[c].known_at, true, &at));
    }
    return take_deleted(o, w);
}

/* ---- all together ---- */

static dp_status fill(IngestOptions *o, Written *w)
{
    DP_TRY(config_bind(w->config, &ingest_sections[0], &w->from));
    DP_TRY(config_bind(w->config, &ingest_sections[1], &w->rows));
    DP_TRY(config_bind(w->config, &ingest_sections[2], &w->table));
    DP_TRY(config_bind(w->config, &ingest_sections[3], &w->check));
    o->max_bad = w->check.max_bad;
    DP_TRY(take_from(o, w));
    DP_TRY(take_columns(o, w));
    DP_TRY(take_rows(o, w));
    DP_TRY(config_digest(w->config, &o->config));
    return config_must_be_good(w->config);
}

dp_status ingest_options(IngestOptions **options, Config *config)
{
    Written w = {.config = config};
    *options = NULL;
    DP_TRY(dp_new(options, 1));
    dp_status st = fill(*options, &w);
    if (st != DP_OK)
        ingest_options_free(options);
    return st;
}

void ingest_options_free(IngestOptions **options)
{
    IngestOptions *o = *options;
    if (!o)
        return;
    lake_schema_free(&o->schema);
    dp_zone_free(&o->zone);
    if (o->numbers.c != (locale_t)0)
        freelocale(o->numbers.c);
    dp_free(&o->columns);
    dp_free(&o->deleted);
    dp_free(&o->deleted_is);
    dp_free(options);
}

const LakeSchema *ingest_schema(const IngestOptions *options)
{
    return &options->schema;
}

CfgList ingest_patterns(const IngestOptions *options)
{
    return options->patterns;
}
