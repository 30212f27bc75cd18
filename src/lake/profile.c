/* What each column holds, in one pass by all ranks. Counts of categories meet on the rank that the text's key names;
 * sums are exact; distinct numbers are estimated (HyperLogLog, Flajolet et al. 2007, 4,096 registers: 1.6 %). So the
 * figures are the same on any number of ranks. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/exact.h"
#include "lake/route.h"
#include "lake/scan_priv.h"

enum { REGISTERS = 4096, REGISTER_BITS = 12 };

/* A category and its rows. */
typedef struct Tally {
    dp_key128 key; /* of its text */
    int64_t rows;
    char text[LAKE_TOP_TEXT];
} Tally;

/* Open addressing by key; at most half full. */
typedef struct TallyMap {
    Tally *slot; /* rows 0: free */
    size_t slots, used;
} TallyMap;

typedef struct Profiler {
    const LakeSchema *schema;
    LakeProfile *profile;
    ExactSum *sum; /* [columns] */
    TallyMap *map; /* [columns] */
    int64_t *reg;  /* [columns][REGISTERS] */
    dp_buf spare;
} Profiler;

/* ---- categories ---- */

static dp_status tally_grow(TallyMap *map)
{
    TallyMap next = {.slots = map->slots ? 2 * map->slots : 1024, .used = map->used};
    DP_TRY(dp_new(&next.slot, next.slots));
    for (size_t i = 0; i < map->slots; i++) {
        size_t at = map->slot[i].key.low & (next.slots - 1);
        if (map->slot[i].rows == 0)
            continue;
        while (next.slot[at].rows > 0)
            at = (at + 1) & (next.slots - 1);
        next.slot[at] = map->slot[i];
    }
    dp_free(&map->slot);
    *map = next;
    return DP_OK;
}

/* The place of a key; its rows are 0 when it is new. */
static dp_status tally_find(TallyMap *map, dp_key128 key, Tally **tally)
{
    if (2 * map->used >= map->slots)
        DP_TRY(tally_grow(map));
    size_t at = key.low & (map->slots - 1);
    while (map->slot[at].rows > 0 && (map->slot[at].key.low != key.low || map->slot[at].key.high != key.high))
        at = (at + 1) & (map->slots - 1);
    *tally = &map->slot[at];
    map->used += map->slot[at].rows == 0;
    return DP_OK;
}

/* At most 63 bytes, not inside a character. */
static void cut_text(char out[LAKE_TOP_TEXT], const char *text, size_t size)
{
    size_t n = size < LAKE_TOP_TEXT ? size : LAKE_TOP_TEXT - 1;
    while (n < size && n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    memset(out, 0, LAKE_TOP_TEXT);
    memcpy(out, text, n);
}

/* Rows of each code are counted first: a text is looked up once a block, not once a row. */
static dp_status add_codes(Profiler *p, int c, const LakeValues *v, int32_t rows)
{
    const LakeDict *dict = v->dict;
    DP_TRY(dp_buf_reserve(&p->spare, dict->n * sizeof(int32_t)));
    int32_t *count = (int32_t *)(void *)p->spare.data;
    memset(count, 0, dict->n * sizeof *count);
    for (int32_t i = 0; i < rows; i++)
        count[v->code[i]]++;
    p->profile[c].missing += count[0];
    for (uint32_t code = 1; code < dict->n; code++) {
        const char *text = dict->bytes + dict->offset[code];
        size_t size = dict->offset[code + 1] - dict->offset[code];
        Tally *tally;
        if (count[code] == 0)
            continue;
        dp_key128 key = dp_hash128(text, size, 0);
        DP_TRY(tally_find(&p->map[c], key, &tally));
        if (tally->rows == 0) {
            tally->key = key;
            cut_text(tally->text, text, size);
        }
        tally->rows += count[code];
    }
    return DP_OK;
}

/* ---- other values ---- */

static void see(Profiler *p, int c, const void *value, size_t size)
{
    uint64_t hash = dp_hash64(value, size, 0);
    int64_t *reg = &p->reg[(size_t)c * REGISTERS + (hash >> (64 - REGISTER_BITS))];
    int zeros = 1 + __builtin_clzll(hash << REGISTER_BITS | 1u << (REGISTER_BITS - 1));
    *reg = zeros > *reg ? zeros : *reg;
}

static void add_number(Profiler *p, int c, double x)
{
    LakeProfile *profile = &p->profile[c];
    if (isnan(x)) {
        profile->missing++;
        return;
    }
    profile->low = isnan(profile->low) || x < profile->low ? x : profile->low;
    profile->high = isnan(profile->high) || x > profile->high ? x : profile->high;
    exact_add(&p->sum[c], x);
    x += 0.0; /* -0 and 0 are one value */
    see(p, c, &x, sizeof x);
}

static void add_time(Profiler *p, int c, int64_t time)
{
    LakeProfile *profile = &p->profile[c];
    if (time == DP_TIME_MISSING) {
        profile->missing++;
        return;
    }
    profile->first = profile->first == DP_TIME_MISSING || time < profile->first ? time : profile->first;
    profile->last = time > profile->last ? time : profile->last;
    see(p, c, &time, sizeof time);
}

static void add_text(Profiler *p, int c, const char *text, int64_t size)
{
    p->profile[c].missing += size == 0;
    p->profile[c].bytes += size;
    if (size > 0)
        see(p, c, text, (size_t)size);
}

static dp_status add_block(Profiler *p, const LakeBlock *block)
{
    for (int c = 0; c < p->schema->n; c++) {
        const LakeValues *v = &block->column[c];
        p->profile[c].rows += block->rows;
        if (type_is_coded(v->type))
            DP_TRY(add_codes(p, c, v, block->rows));
        for (int32_t i = 0; v->type == LAKE_NUMBER && i < block->rows; i++)
            add_number(p, c, v->number[i]);
        for (int32_t i = 0; v->type == LAKE_NUMBER32 && i < block->rows; i++)
            add_number(p, c, (double)v->number32[i]);
        for (int32_t i = 0; v->type == LAKE_LABEL && i < block->rows; i++)
            add_number(p, c, v->label[i] < 0 ? NAN : v->label[i]);
        for (int32_t i = 0; v->type == LAKE_TIME && i < block->rows; i++)
            add_time(p, c, v->time[i]);
        for (int32_t i = 0; v->type == LAKE_TEXT && i < block->rows; i++)
            add_text(p, c, v->text + v->text_at[i], v->text_at[i + 1] - v->text_at[i]);
    }
    return DP_OK;
}

/* ---- joining the ranks ---- */

static int by_frequency(const void *a, const void *b)
{
    const Tally *x = a, *y = b;
    return x->rows != y->rows ? (x->rows < y->rows) - (x->rows > y->rows) : strcmp(x->text, y->text);
}

static int rank_of_tally(const void *record, const void *self)
{
    return (int)(((const Tally *)record)->key.high % (uint64_t)comm_size(self));
}

/* Tallies of one column to the ranks of their keys; *got (free with dp_free). */
static dp_status route_tallies(char **got, size_t *n, const TallyMap *map, const Comm *comm)
{
    dp_buf list = {0};
    dp_status st = DP_OK;
    for (size_t i = 0; st == DP_OK && i < map->slots; i++)
        if (map->slot[i].rows > 0)
            st = dp_buf_add(&list, &map->slot[i], sizeof map->slot[i]);
    DP_GO_ALL(comm, st);
    DP_GO(route_records(
        got, n,
        &(Route){.records = list.data, .n = map->used, .width = sizeof(Tally), .rank_of = rank_of_tally, .self = comm},
        comm));
done:
    dp_buf_free(&list);
    return st;
}

/* The map becomes that of the keys of this rank, over all ranks. */
static dp_status take_tallies(TallyMap *map, const Tally *got, size_t n)
{
    TallyMap mine = {0};
    dp_status st = DP_OK;
    for (size_t i = 0; i < n; i++) {
        Tally *tally;
        DP_GO(tally_find(&mine, got[i].key, &tally));
        int64_t rows = tally->rows;
        *tally = got[i];
        tally->rows += rows;
    }
    dp_free(&map->slot);
    *map = mine;
    mine = (TallyMap){0};
done:
    dp_free(&mine.slot);
    return st;
}

/* The most frequent of this rank, then of all. */
static dp_status join_column(LakeProfile *profile, TallyMap *map, const Comm *comm)
{
    size_t size = (size_t)comm_size(comm), n = 0;
    Tally best[LAKE_TOP + 1] = {0}, *all = NULL;
    char *got = NULL;
    dp_status st = DP_OK;
    DP_GO(route_tallies(&got, &n, map, comm));
    DP_GO_ALL(comm, take_tallies(map, (const Tally *)(const void *)got, n));
    for (size_t i = 0; i < map->slots; i++)
        if (map->slot[i].rows > 0) {
            best[LAKE_TOP] = map->slot[i];
            qsort(best, LAKE_TOP + 1, sizeof *best, by_frequency);
        }
    DP_GO_ALL(comm, dp_new(&all, size * LAKE_TOP));
    comm_collect(comm, best, LAKE_TOP * sizeof *best, all);
    qsort(all, size * LAKE_TOP, sizeof *all, by_frequency);
    for (int k = 0; k < LAKE_TOP && all[k].rows > 0; k++) {
        profile->top[profile->n_top].rows = all[k].rows;
        memcpy(profile->top[profile->n_top++].text, all[k].text, LAKE_TOP_TEXT);
    }
    profile->distinct = (int64_t)map->used;
    comm_sum_i64(comm, &profile->distinct, 1);
done:
    dp_free(&got);
    dp_free(&all);
    return st;
}

/* HyperLogLog with linear counting where few registers are set. */
static int64_t estimate(const int64_t *reg)
{
    double sum = 0, m = REGISTERS;
    int zeros = 0;
    for (int i = 0; i < REGISTERS; i++) {
        sum += ldexp(1, -(int)reg[i]);
        zeros += reg[i] == 0;
    }
    double value = 0.7213 / (1 + 1.079 / m) * m * m / sum;
    return (int64_t)llround(value <= 2.5 * m && zeros > 0 ? m * log(m / zeros) : value);
}

static void join_values(LakeProfile *profile, LakeType type, const int64_t *reg, const Comm *comm)
{
    int64_t counts[3] = {profile->rows, profile->missing, profile->bytes};
    double ends[2] = {isnan(profile->low) ? -INFINITY : -profile->low,
                      isnan(profile->high) ? -INFINITY : profile->high};
    int64_t first = profile->first == DP_TIME_MISSING ? INT64_MAX : profile->first;
    comm_sum_i64(comm, counts, 3);
    comm_max_f64(comm, ends, 2);
    comm_min_i64(comm, &first, 1);
    comm_max_i64(comm, &profile->last, 1);
    profile->rows = counts[0];
    profile->missing = counts[1];
    profile->bytes = counts[2];
    profile->first = first == INT64_MAX ? DP_TIME_MISSING : first;
    bool any = profile->rows > profile->missing && (type == LAKE_NUMBER || type == LAKE_NUMBER32 || type == LAKE_LABEL);
    profile->low = any ? -ends[0] : NAN;
    profile->high = any ? ends[1] : NAN;
    if (!type_is_coded(type))
        profile->distinct = estimate(reg);
}

static dp_status join(Profiler *p, const Comm *comm)
{
    size_t n = (size_t)p->schema->n;
    comm_sum_exact(comm, p->sum, n);
    comm_max_i64(comm, p->reg, n * REGISTERS);
    for (size_t c = 0; c < n; c++) {
        LakeProfile *profile = &p->profile[c];
        LakeType type = p->schema->columns[c].type;
        join_values(profile, type, p->reg + c * REGISTERS, comm);
        if (!isnan(profile->low))
            profile->mean = exact_value(&p->sum[c]) / (double)(profile->rows - profile->missing);
        if (type_is_coded(type))
            DP_TRY(join_column(profile, &p->map[c], comm));
    }
    return DP_OK;
}

/* ---- the pass ---- */

static dp_status allocate(Profiler *p, int **columns)
{
    size_t n = (size_t)p->schema->n;
    DP_TRY(dp_new(columns, n));
    DP_TRY(dp_new(&p->profile, n));
    DP_TRY(dp_new(&p->sum, n));
    DP_TRY(dp_new(&p->map, n));
    DP_TRY(dp_new(&p->reg, n * REGISTERS));
    for (size_t c = 0; c < n; c++) {
        (*columns)[c] = (int)c;
        p->profile[c] =
            (LakeProfile){.low = NAN, .high = NAN, .mean = NAN, .first = DP_TIME_MISSING, .last = DP_TIME_MISSING};
    }
    return DP_OK;
}

static dp_status read_all(Profiler *p, LakeScan *scan)
{
    const LakeBlock *block;
    for (;;) {
        DP_TRY(lake_next(scan, &block));
        if (!block)
            return DP_OK;
        DP_TRY(add_block(p, block));
    }
}

dp_status lake_profile(LakeProfile **profile, LakeTable *table, const LakeQuery *query, const Comm *comm)
{
    Profiler p = {.schema = &table->manifest.schema};
    LakeQuery all = *query;
    LakeScan *scan = NULL;
    int *columns = NULL;
    dp_status st = DP_OK;
    *profile = NULL;
    DP_GO_ALL(comm, allocate(&p, &columns));
    all.columns = columns;
    all.n_columns = p.schema->n;
    all.whole = false;
    DP_GO(lake_scan(&scan, table, &all, comm));
    DP_GO_ALL(comm, read_all(&p, scan));
    DP_GO(join(&p, comm));
    *profile = p.profile;
    p.profile = NULL;
done:
    lake_scan_close(&scan);
    for (int c = 0; p.map && c < p.schema->n; c++)
        dp_free(&p.map[c].slot);
    dp_buf_free(&p.spare);
    dp_free(&p.profile);
    dp_free(&p.sum);
    dp_free(&p.map);
    dp_free(&p.reg);
    dp_free(&columns);
    return st;
}
