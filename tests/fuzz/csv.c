/* Any bytes as delimited text or JSON lines: no crash, no read outside, and the vector road gives what the plain one
 * gives. The first byte chooses format, quotes, marks and encoding. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "ingest/ingest_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 1 << 16, ROWS = MOST + 2, COLUMNS = 7 };

typedef struct Road {
    IngestWorker worker;
    IngestValues values[COLUMNS];
    dp_buf text;
    int64_t text_size[COLUMNS], good;
    uint8_t deleted[ROWS];
} Road;

static void must(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "%s: %s %s\n", what, dp_error_last()->text, dp_error_last()->trace);
        abort();
    }
}

static const char yaml[] =
    "kind: table\n"
    "from: {format: %s, quotes: %s, decimal: \"%s\", grouping: \"%s\", missing: [\"\", \"NULL\", \"a long word\", "
    "\"-1\"], times: [\"%%Y-%%m-%%d\", \"%%s\"], time_zone: Europe/Lisbon%s}\n"
    "rows: {id: i, recorded: w, deleted: k = D}\n"
    "columns:\n  i: text\n  n: {type: number, range: -1e6 .. 1e6}\n  f: {type: number, bits: 32}\n  w: time\n"
    "  c: {type: code, digits: 2}\n  y: label\ncategories: [k]\n";

static void read_options(IngestOptions **options, Config **config, int how)
{
    static const CfgRow head[] = {{"kind", CFG_NAME, 0, .help = "table"}, {.key = NULL}};
    CfgSection sections[16] = {{"", head, NULL}};
    char text[1024];
    memcpy(sections + 1, ingest_sections, ingest_sections_n * sizeof *sections);
    CfgKind kind = {"table", "a table", sections, 1 + ingest_sections_n};
    int n = snprintf(text, sizeof text, yaml, how & 1 ? "jsonl" : "csv", how & 2 ? "none" : "double",
                     how & 4 ? "," : ".", how & 4 ? "." : "", how & 8 ? ", encoding: gb18030" : "");
    must(config_parse(config, "fuzz.yaml", text, (size_t)n, NULL, 0, &kind, 1) == DP_OK, "config");
    must(ingest_options(options, *config) == DP_OK, "options");
}

static void build(Road *r, const IngestOptions *o)
{
    *r = (Road){.worker = {.iconv = (iconv_t)-1}};
    if (o->encoding)
        r->worker.iconv = iconv_open("UTF-8", o->encoding);
    must(dp_new(&r->worker.dict, COLUMNS) == DP_OK, "memory");
    for (int c = 0; c < COLUMNS; c++) {
        IngestValues *v = &r->values[c];
        v->type = o->columns[c].type;
        must(dp_new(&v->number, ROWS) == DP_OK && dp_new(&v->number32, ROWS) == DP_OK &&
                 dp_new(&v->time, ROWS) == DP_OK && dp_new(&v->code, ROWS) == DP_OK &&
                 dp_new(&v->label, ROWS) == DP_OK && dp_new(&v->text_at, ROWS) == DP_OK,
             "memory");
    }
}

static void run(Road *r, const IngestOptions *o, const IngestMap *map, const char *text, size_t size)
{
    IngestWorker *w = &r->worker;
    for (int c = 0; c < COLUMNS; c++) {
        must(ingest_dict_clear(&w->dict[c]) == DP_OK, "dict");
        for (size_t i = 0; i < o->missing.n; i++)
            must(ingest_dict_missing(&w->dict[c], o->missing.items[i], (uint32_t)strlen(o->missing.items[i])) == DP_OK,
                 "dict");
    }
    if (w->iconv != (iconv_t)-1) {
        must(ingest_rows_recode(&w->rows, o, w->iconv, text, size) == DP_OK, "recode");
        text = w->rows.utf8.data + INGEST_PAD;
        size = w->rows.utf8.size - INGEST_PAD;
    }
    must((o->json ? ingest_rows_json : ingest_rows_csv)(&w->rows, o, map, text, size) == DP_OK, "rows");
    must(w->rows.n <= ROWS, "more rows than lines");
    IngestPlace place = {r->values, r->deleted, 0, &r->text, 0, r->text_size};
    must(ingest_convert(w, o, map, &place) == DP_OK, "convert");
    r->good = place.good;
}

static void compare(const Road *a, const Road *b)
{
    size_t n = (size_t)a->good;
    must(a->good == b->good && a->worker.rows.n == b->worker.rows.n, "other rows");
    must(a->worker.rows.n == 0 || memcmp(a->worker.rows.bad, b->worker.rows.bad, (size_t)a->worker.rows.n) == 0,
         "other reasons");
    must(a->text.size == b->text.size && (a->text.size == 0 || memcmp(a->text.data, b->text.data, a->text.size) == 0),
         "other text");
    for (int c = 0; c < COLUMNS; c++) {
        const IngestValues *x = &a->values[c], *y = &b->values[c];
        must(memcmp(x->number, y->number, n * sizeof *x->number) == 0, "other numbers");
        must(memcmp(x->number32, y->number32, n * sizeof *x->number32) == 0, "other floats");
        must(memcmp(x->time, y->time, n * sizeof *x->time) == 0, "other times");
        must(memcmp(x->code, y->code, n * sizeof *x->code) == 0, "other codes");
        must(memcmp(x->label, y->label, n) == 0, "other labels");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static IngestOptions *options[16];
    static Config *configs[16];
    static Road roads[16][2];
    static char *memory;
    if (size < 1 || size > MOST)
        return 0;
    int how = data[0] & 15;
    if (!options[how]) {
        read_options(&options[how], &configs[how], how);
        build(&roads[how][0], options[how]);
        build(&roads[how][1], options[how]);
    }
    if (!memory)
        must(dp_new(&memory, MOST + 2 * INGEST_PAD) == DP_OK, "memory");
    char *text = memory + INGEST_PAD;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\n';
    memset(text + size, data[0], INGEST_PAD - 1);
    static const char header[] = "i,n,f,w,c,y,k";
    IngestMap map;
    must((options[how]->json ? ingest_map_json(&map, options[how])
                             : ingest_map_csv(&map, options[how], "fuzz", header, sizeof header - 1)) == DP_OK,
         "map");
    options[how]->isa = &ingest_isa_scalar;
    run(&roads[how][0], options[how], &map, text, size);
    options[how]->isa = ingest_isa();
    run(&roads[how][1], options[how], &map, text, size);
    compare(&roads[how][0], &roads[how][1]);
    IngestMap other = {0};
    if (ingest_map_csv(&other, options[how], "fuzz", text, size) == DP_OK)
        must(other.width > 0, "a header without fields");
    ingest_map_free(&other);
    ingest_map_free(&map);
    return 0;
}
