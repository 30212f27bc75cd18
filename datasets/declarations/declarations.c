/* make-declarations -- seeded import declarations of an invented customs administration, one CSV file a month.
 *
 *   make-declarations --out DIR [--rows 300000] [--months 36] [--seed 7] [--from 2023-09] [--only 2026-08] [--gzip]
 *
 * Declaration i is a pure function of (seed, i, rows, months, from) and of small tables by key (trader, tariff code)
 * that are functions of the seed: any month can be made alone, and threads do not matter. README.md tells how a fault
 * comes about. Times are of Asia/Taipei (UTC+8, no summer time). */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/publish.h"
#include "base/rng.h"
#include "goods.h"

enum {
    IMPORTERS = 3000,
    DECLARANTS = 400,
    SELLERS = 7000,
    OFFICES = 12,
    CODES_A_CHAPTER = 24,
    CODES = GOODS_CHAPTERS * CODES_A_CHAPTER,
    RULE_GOODS = GOODS_CHAPTERS / 3, /* neighbouring chapters and groups of origins share a rule */
    RULE_ORIGINS = 12,
    MONTHS_MAX = 600,
    LINE_ROOM = 1024,
    FILE_BUFFER = 1 << 18
};

/* Streams of random numbers: one for each purpose, so that a new one changes no other. */
enum {
    S_IMPORTER_RISK = 1,
    S_IMPORTER_LATER,
    S_IMPORTER_HABIT,
    S_DECLARANT,
    S_CODE,
    S_RULE,
    S_WHO,
    S_WHAT,
    S_WHERE,
    S_MONEY,
    S_WHEN,
    S_NOISE,
    S_INSPECT,
    S_RESULT,
    S_LATE,
    S_GAPS,
    S_WORDS
};

typedef struct Code {
    char hs[8];
    int chapter;
    double price, spread, mass, duty, risk;
} Code;

typedef struct World {
    uint64_t seed;
    int64_t rows;
    int months, year, month, days;
    int64_t first_day; /* since 1970 */
    int64_t *day_end;  /* [days] rows accepted up to the end of a day */
    Code codes[CODES];
    double importer_risk[IMPORTERS], importer_later[IMPORTERS], declarant_risk[DECLARANTS];
    double rule[RULE_GOODS][RULE_ORIGINS];
} World;

/* One declaration as its first version says it, and what happened to it. */
typedef struct Declaration {
    int64_t number, accepted, result, late; /* seconds since 1970, local; result, late: 0 = never */
    int office, process, mode, importer, declarant, seller, code, origin, departure, tax_type;
    double tax_rate, mass, value, true_value, recovered;
    bool inspected, fault, deleted;
    int word;
} Declaration;

/* ---- random numbers of a purpose ---- */

static double unit(const World *w, int stream, uint64_t item)
{
    return dp_random_unit(w->seed, (uint64_t)stream, item);
}

/* Box and Muller (1958); item must leave room for two numbers each. */
static double normal(const World *w, int stream, uint64_t item)
{
    double u = unit(w, stream, 2 * item), v = unit(w, stream, 2 * item + 1);
    return sqrt(-2 * log1p(-u)) * cos(6.283185307179586 * v);
}

/* 0 .. n-1 with a long tail: the density falls like (k + 1)^(-shape), 0 < shape < 1. */
static int tail(double u, int n, double shape)
{
    int k = (int)(n * pow(u, 1 / (1 - shape)));
    return k < n ? k : n - 1;
}

/* ---- tables by key ---- */

static void make_codes(World *w)
{
    static const char *const endings[] = {"10", "11", "19", "20", "30", "90"};
    for (int i = 0; i < CODES; i++) {
        Code *c = &w->codes[i];
        uint64_t item = (uint64_t)i;
        c->chapter = i / CODES_A_CHAPTER;
        const GoodsChapter *g = &goods_chapters[c->chapter];
        int k = i % CODES_A_CHAPTER;
        snprintf(c->hs, sizeof c->hs, "%s%02d%s", g->chapter, 1 + k / 6 * 3, endings[k % 6]);
        c->price = g->price + 0.5 * normal(w, S_CODE, 8 * item);
        c->spread = 0.20 + 0.15 * unit(w, S_CODE, 16 * item + 15);
        c->mass = 5.2 + 1.3 * normal(w, S_CODE, 8 * item + 1) - 0.35 * (c->price - 5.5);
        c->duty = g->duty * (0.5 + (double)dp_random_below(w->seed, S_CODE, 16 * item + 14, 3) / 2);
        c->duty = floor(c->duty * 10 + 0.5) / 10;
        c->risk = normal(w, S_CODE, 8 * item + 2);
    }
}

static void make_traders(World *w)
{
    for (int i = 0; i < IMPORTERS; i++) {
        w->importer_risk[i] = normal(w, S_IMPORTER_RISK, (uint64_t)i);
        w->importer_later[i] = normal(w, S_IMPORTER_LATER, (uint64_t)i);
    }
    for (int i = 0; i < DECLARANTS; i++)
        w->declarant_risk[i] = normal(w, S_DECLARANT, (uint64_t)i);
    for (int c = 0; c < RULE_GOODS; c++)
        for (int o = 0; o < RULE_ORIGINS; o++)
            w->rule[c][o] = normal(w, S_RULE, (uint64_t)(c * RULE_ORIGINS + o));
}

/* Rows are spread over the days of the period; few are accepted at weekends. */
static dp_status make_days(World *w)
{
    static const double share[7] = {1.0, 1.05, 1.05, 1.0, 1.1, 0.35, 0.15}; /* from Monday */
    int end_month = w->month - 1 + w->months;
    w->first_day = dp_days_of_date(w->year, w->month, 1);
    w->days = (int)(dp_days_of_date(w->year + end_month / 12, end_month % 12 + 1, 1) - w->first_day);
    DP_TRY(dp_new(&w->day_end, (size_t)w->days));
    double sum = 0, all = 0;
    for (int d = 0; d < w->days; d++)
        all += share[(w->first_day + d + 3) % 7];
    for (int d = 0; d < w->days; d++) {
        sum += share[(w->first_day + d + 3) % 7];
        w->day_end[d] = (int64_t)((double)w->rows * (sum / all) + 0.5);
    }
    w->day_end[w->days - 1] = w->rows;
    return DP_OK;
}

static int day_of(const World *w, int64_t i)
{
    int low = 0, high = w->days - 1;
    while (low < high) {
        int middle = (low + high) / 2;
        if (w->day_end[middle] > i)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* ---- one declaration ---- */

static void draw_parties(const World *w, uint64_t i, Declaration *d)
{
    d->importer = tail(unit(w, S_WHO, 8 * i), IMPORTERS, 0.7);
    uint64_t habit = dp_random_u64(w->seed, S_IMPORTER_HABIT, (uint64_t)d->importer);
    bool usual = unit(w, S_WHO, 8 * i + 1) < 0.75;
    d->declarant = usual ? (int)(habit % DECLARANTS) : tail(unit(w, S_WHO, 8 * i + 2), DECLARANTS, 0.5);
    d->seller =
        unit(w, S_WHO, 8 * i + 3) < 0.6 ? (int)((habit >> 8) % SELLERS) : tail(unit(w, S_WHO, 8 * i + 4), SELLERS, 0.5);
    d->office =
        unit(w, S_WHO, 8 * i + 5) < 0.7 ? d->declarant % OFFICES : tail(unit(w, S_WHO, 8 * i + 6), OFFICES, 0.4);

    /* An importer deals in a few neighbouring codes; an origin suits the code. */
    int usual_code = (int)((habit >> 20) % CODES);
    d->code = unit(w, S_WHAT, 4 * i) < 0.7 ? (usual_code + tail(unit(w, S_WHAT, 4 * i + 1), 6, 0.4)) % CODES
                                           : tail(unit(w, S_WHAT, 4 * i + 1), CODES, 0.3);
    int chapter = w->codes[d->code].chapter;
    d->origin = unit(w, S_WHERE, 8 * i) < 0.55 ? (chapter * 7 + tail(unit(w, S_WHERE, 8 * i + 1), 4, 0.5)) % 20
                                               : tail(unit(w, S_WHERE, 8 * i + 1), GOODS_ORIGINS, 0.7);
    d->departure = unit(w, S_WHERE, 8 * i + 2) < 0.85 ? d->origin : (int)(16 + 2 * (i % 2)) % GOODS_ORIGINS;
    d->mode = tail(unit(w, S_WHERE, 8 * i + 3), 4, 0.6);
    d->process = tail(unit(w, S_WHERE, 8 * i + 4), 5, 0.7);
    d->tax_type = (d->origin * 3 + chapter) % 9;
}

static void draw_money(const World *w, uint64_t i, Declaration *d, double *under)
{
    const Code *c = &w->codes[d->code];
    double cheap = (d->origin % 5) * 0.05 - 0.1;
    d->mass = exp(c->mass + 1.0 * normal(w, S_MONEY, 4 * i));
    *under = unit(w, S_NOISE, 8 * i) < 0.07 ? 0.35 + 0.9 * unit(w, S_NOISE, 8 * i + 1) : 0;
    double price = exp(c->price + cheap + c->spread * normal(w, S_MONEY, 4 * i + 1));
    d->mass = floor(d->mass * 100 + 0.5) / 100 + 0.01;
    d->true_value = d->mass * price;
    d->value = floor(d->true_value * exp(-*under) + 0.5) + 1;
    bool free_trade = d->tax_type % 3 == 0;
    d->tax_rate = free_trade ? 0 : c->duty;
}

/* The chance of a fault on the scale of log odds. README.md explains each line. */
static double log_odds(const World *w, const Declaration *d, double under, double t)
{
    const Code *c = &w->codes[d->code];
    double trader = w->importer_risk[d->importer] * sqrt(1 - t) + w->importer_later[d->importer] * sqrt(t);
    double z = -6.2;
    z += 1.6 * trader;
    z += 0.8 * w->declarant_risk[d->declarant];
    z += 0.9 * c->risk;
    z += 1.0 * w->rule[c->chapter / 3][d->origin % RULE_ORIGINS];
    z += under * (1.6 + d->tax_rate / 8);
    z += d->departure != d->origin ? 0.8 : 0;
    z += d->tax_rate == 0 && c->duty >= 15 ? 0.7 : 0; /* a preference claimed where it pays */
    z += d->mode == 2 && d->mass < 30 ? 0.9 : 0;      /* small parcels */
    z += d->process == 3 ? 0.6 : 0;
    return z;
}

static void draw_result(const World *w, uint64_t i, Declaration *d, double under, double t)
{
    double z = log_odds(w, d, under, t);
    double u = unit(w, S_NOISE, 8 * i + 2);
    bool fault = u < 1 / (1 + exp(-z));
    /* A third of the inspections are drawn by lot, the others lean towards what officers suspect. */
    double chance = 0.14 + 0.33 / (1 + exp(-0.8 * (z + 2.5)));
    d->inspected = unit(w, S_INSPECT, i) < chance;
    d->fault = d->inspected && fault;
    double duty = d->true_value * (d->tax_rate / 100 + 0.05);
    d->recovered = d->fault ? floor(duty * (0.15 + 0.5 * under + 0.2 * unit(w, S_NOISE, 8 * i + 3)) + 0.5) : 0;
    d->result = d->inspected ? d->accepted + 86400 + (int64_t)(25 * 86400 * pow(unit(w, S_RESULT, i), 2)) : 0;
}

static void declare(const World *w, int64_t number, Declaration *d)
{
    uint64_t i = (uint64_t)number;
    *d = (Declaration){.number = number};
    int day = day_of(w, number);
    double hour =
        9 + 8 * (unit(w, S_WHEN, 4 * i) + unit(w, S_WHEN, 4 * i + 1)) / 2 - 2 * (unit(w, S_WHEN, 4 * i + 2) < 0.1);
    d->accepted = (w->first_day + day) * 86400 + (int64_t)(hour * 3600);
    double under, t = ((double)day + 0.5) / w->days;
    draw_parties(w, i, d);
    draw_money(w, i, d, &under);
    draw_result(w, i, d, under, t);
    double late = unit(w, S_LATE, 2 * i);
    if (late < 0.023) {
        d->deleted = late < 0.003;
        d->late = d->accepted + 3600 + (int64_t)(27 * 86400 * unit(w, S_LATE, 2 * i + 1));
    }
    d->word = (int)(dp_random_u64(w->seed, S_WORDS, i) % 4096);
}

/* ---- as text ---- */

static void print_time(char *out, size_t size, int64_t seconds)
{
    int y, m, d, s = (int)(seconds % 86400);
    dp_date_of_days(seconds / 86400, &y, &m, &d);
    snprintf(out, size, "%04d-%02d-%02d %02d:%02d:%02d", y, m, d, s / 3600, s / 60 % 60, s % 60);
}

/* A goods line as brokers write it: quoted, with commas and inch marks inside. */
static void print_goods(char *out, size_t size, const World *w, const Declaration *d)
{
    static const char *const packs[] = {"IN CARTONS", "IN BULK", "", "20 KG BAGS", "NEW", "散裝", "紙箱裝", "OEM"};
    const Code *c = &w->codes[d->code];
    const char *word = goods_chapters[c->chapter].words[d->word % 4], *pack = packs[d->word / 4 % 8];
    size_t at = 0;
    out[at++] = '"';
    for (const char *p = word; *p && at + 8 < size; p++) {
        if (*p == '"')
            out[at++] = '"';
        out[at++] = *p;
    }
    snprintf(out + at, size - at, "%s%s, TYPE %c%d\"", *pack ? ", " : "", pack, 'A' + d->code % 6, d->word / 32 % 40);
}

/* The line of one version. corrected: the later version, with another value and mass. */
static int print_line(char *out, size_t size, const World *w, const Declaration *d, bool corrected)
{
    char accepted[32], changed[32], result[32] = "", goods[256], tax[32], mass[32] = "", seller[16] = "",
                                    declarant[16] = "";
    const char *fault = "";
    char recovered[32] = "";
    uint64_t i = (uint64_t)d->number;
    int64_t end = (w->first_day + w->days) * 86400;
    int year, month, day;
    dp_date_of_days(d->accepted / 86400, &year, &month, &day);
    print_time(accepted, sizeof accepted, d->accepted);
    print_time(changed, sizeof changed, corrected ? d->late : d->accepted);
    if (d->result && d->result < end) { /* later results are not known yet when the files are made */
        print_time(result, sizeof result, d->result);
        fault = d->fault ? "1" : "0";
        snprintf(recovered, sizeof recovered, "%.0f", d->recovered);
    }
    print_goods(goods, sizeof goods, w, d);
    double better = corrected ? 1 + 0.2 * unit(w, S_GAPS, 8 * i) : 1;
    snprintf(tax, sizeof tax, unit(w, S_GAPS, 8 * i + 1) < 0.002 ? "NULL" : "%.1f", d->tax_rate);
    if (unit(w, S_GAPS, 8 * i + 2) >= 0.004 || corrected)
        snprintf(mass, sizeof mass, "%.2f", d->mass * better);
    if (unit(w, S_GAPS, 8 * i + 3) >= 0.10)
        snprintf(seller, sizeof seller, "S%05d", d->seller * 7919 % 100003);
    if (unit(w, S_GAPS, 8 * i + 4) >= 0.003)
        snprintf(declarant, sizeof declarant, "B%03d", d->declarant);
    return snprintf(out, size, "D%02d%07lld,%s,%s,%s,%02d,%c%d,%d,%08d,%s,%s,%s,%s,%d%c,%s,%s,%.0f,%s,%s,%s,%s,%s\n",
                    year % 100, (long long)d->number + 1, accepted, changed, w->codes[d->code].hs, 11 + d->office,
                    'B' + d->process % 2, d->process, d->mode + 1, (d->importer + 1) * 6151 % 99999989, declarant,
                    seller, goods_origins[d->origin], goods_origins[d->departure], 1 + d->tax_type % 5,
                    'A' + d->tax_type % 3, tax, mass, d->value * better, goods, fault, recovered, result,
                    corrected ? (d->deleted ? "D" : "U") : "I");
}

static const char header[] =
    "DECL_NO,accepted_at,changed_at,HS_CODE,office,process,mode,importer,declarant,seller,origin,"
    "departure,tax_type,tax_rate,net_mass,value,goods,fault,recovered_duty,result_at,op\n";

/* ---- one file ---- */

typedef struct Sink {
    FILE *plain;
    gzFile packed;
    bool failed;
} Sink;

static void put(Sink *s, const char *text, int size)
{
    if (s->packed ? gzwrite(s->packed, text, (unsigned)size) != size
                  : fwrite(text, 1, (size_t)size, s->plain) != (size_t)size)
        s->failed = true;
}

static int64_t row_at_month(const World *w, int month)
{
    int at = w->month - 1 + month;
    int64_t day = dp_days_of_date(w->year + at / 12, at % 12 + 1, 1) - w->first_day;
    return day <= 0 ? 0 : w->day_end[day - 1];
}

static int64_t second_at_month(const World *w, int month)
{
    int at = w->month - 1 + month;
    return dp_days_of_date(w->year + at / 12, at % 12 + 1, 1) * 86400;
}

/* The declarations accepted in a month, then the corrections and deletes that came in it. They come within 28 days, so
 * they belong to this month's or the last one's declarations. */
static void put_month(const World *w, int month, Sink *s)
{
    Declaration d;
    char line[LINE_ROOM];
    put(s, header, (int)sizeof header - 1);
    int64_t first = row_at_month(w, month), end = row_at_month(w, month + 1);
    for (int64_t i = first; i < end && !s->failed; i++) {
        declare(w, i, &d);
        put(s, line, print_line(line, sizeof line, w, &d, false));
    }
    int64_t from = second_at_month(w, month), to = second_at_month(w, month + 1);
    for (int64_t i = month ? row_at_month(w, month - 1) : 0; i < end && !s->failed; i++) {
        if (unit(w, S_LATE, 2 * (uint64_t)i) >= 0.023)
            continue;
        declare(w, i, &d);
        if (d.late >= from && d.late < to)
            put(s, line, print_line(line, sizeof line, w, &d, true));
    }
}

static bool make_file(const World *w, int month, const char *folder, bool gzip)
{
    char path[4096], beside[4128];
    int at = w->month - 1 + month;
    snprintf(path, sizeof path, "%s/declarations-%04d-%02d.csv%s", folder, w->year + at / 12, at % 12 + 1,
             gzip ? ".gz" : "");
    snprintf(beside, sizeof beside, "%s.part", path);
    Sink s = {0};
    if (gzip)
        s.packed = gzopen(beside, "wb4");
    else
        s.plain = fopen(beside, "wb");
    if (!s.packed && !s.plain) {
        fprintf(stderr, "make-declarations: cannot create %s: %s\n", beside, strerror(errno));
        return false;
    }
    if (gzip)
        gzbuffer(s.packed, FILE_BUFFER);
    put_month(w, month, &s);
    int closed = gzip ? gzclose(s.packed) : fclose(s.plain);
    if (s.failed || closed != 0 || rename(beside, path) != 0) {
        fprintf(stderr, "make-declarations: cannot write %s: %s\n", path, strerror(errno));
        remove(beside);
        return false;
    }
    return true;
}

/* ---- the command line ---- */

typedef struct Wish {
    const char *out;
    World *world;
    int only; /* month, -1 = all */
    bool gzip;
} Wish;

static int usage(const char *why)
{
    fprintf(stderr,
            "make-declarations: %s\n"
            "usage: make-declarations --out DIR [--rows 300000] [--months 36] [--seed 7] [--from 2023-09]\n"
            "                         [--only YYYY-MM] [--gzip]\n",
            why);
    return 2;
}

static bool read_month(const char *text, int *year, int *month)
{
    int used = 0;
    return sscanf(text, "%4d-%2d%n", year, month, &used) == 2 && !text[used] && *year >= 1970 && *year < 9900 &&
           *month >= 1 && *month <= 12;
}

static bool read_count(const char *text, int64_t low, int64_t high, int64_t *value)
{
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    *value = v;
    return errno == 0 && end != text && !*end && v >= low && v <= high;
}

/* NULL when all is well, otherwise what is wrong. */
static const char *read_wish(Wish *wish, int argc, char **argv)
{
    World *w = wish->world;
    const char *only = NULL;
    int64_t n;
    for (int a = 1; a < argc; a++) {
        const char *name = argv[a], *value = a + 1 < argc ? argv[a + 1] : "";
        if (strcmp(name, "--gzip") == 0) {
            wish->gzip = true;
            continue;
        }
        a++;
        if (strcmp(name, "--out") == 0)
            wish->out = *value ? value : NULL;
        else if (strcmp(name, "--only") == 0)
            only = value;
        else if (strcmp(name, "--rows") == 0 && read_count(value, 1, INT64_C(1000000000000), &n))
            w->rows = n;
        else if (strcmp(name, "--months") == 0 && read_count(value, 1, MONTHS_MAX, &n))
            w->months = (int)n;
        else if (strcmp(name, "--seed") == 0 && read_count(value, 0, INT64_MAX, &n))
            w->seed = (uint64_t)n;
        else if (strcmp(name, "--from") != 0 || !read_month(value, &w->year, &w->month))
            return name;
    }
    int year, month;
    wish->only = -1;
    if (only) {
        if (!read_month(only, &year, &month))
            return "--only wants a month, 2026-08";
        wish->only = (year - w->year) * 12 + month - w->month;
        if (wish->only < 0 || wish->only >= w->months)
            return "--only is outside of the period";
    }
    return wish->out ? NULL : "--out DIR is missing";
}

int main(int argc, char **argv)
{
    World *w = calloc(1, sizeof *w);
    if (!w)
        return 75;
    w->seed = 7, w->rows = 300000, w->months = 36, w->year = 2023, w->month = 9;
    Wish wish = {.world = w};
    const char *wrong = read_wish(&wish, argc, argv);
    int code = 0;
    if (wrong) {
        code = usage(wrong);
    } else if (dp_make_folders(wish.out) != DP_OK || make_days(w) != DP_OK) {
        fprintf(stderr, "make-declarations: %s\n", dp_error_last()->text);
        code = 73;
    } else {
        make_codes(w);
        make_traders(w);
        int failed = 0;
#pragma omp parallel for schedule(dynamic) reduction(+ : failed)
        for (int m = 0; m < w->months; m++)
            if (wish.only < 0 || wish.only == m)
                failed += make_file(w, m, wish.out, wish.gzip) ? 0 : 1;
        code = failed ? 74 : 0;
    }
    dp_free(&w->day_end);
    free(w);
    return code;
}
