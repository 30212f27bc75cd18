/* split.c -- which rows are train, valid and test. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/zone.h"
#include "data_priv.h"

static const char *const part_names[] = {"train", "valid", "test"};

/* The three ways to say a part; all parts of a split say it the same way. */
typedef enum Way { WAY_NONE, WAY_BACK, WAY_DATES, WAY_SHARE } Way;

static Way way_of(const CfgPart *part)
{
    switch (part->kind) {
    case CFG_PART_MONTHS:
    case CFG_PART_DAYS:
        return WAY_BACK;
    case CFG_PART_DATES:
        return WAY_DATES;
    case CFG_PART_SHARE:
        return WAY_SHARE;
    default:
        return WAY_NONE;
    }
}

static const CfgPart *part_of(const SplitOptions *split, int part)
{
    return part == DATA_TRAIN ? &split->train : part == DATA_VALID ? &split->valid : &split->test;
}

static Way way_of_split(const SplitOptions *split)
{
    return split->column ? WAY_NONE : way_of(&split->train);
}

static dp_status check_dates(const SplitOptions *split)
{
    for (int a = 0; a < 3; a++) {
        const CfgPart *p = part_of(split, a);
        for (int b = a + 1; b < 3; b++) {
            const CfgPart *q = part_of(split, b);
            if (p->kind == CFG_PART_DATES && q->kind == CFG_PART_DATES && p->from <= q->to && q->from <= p->to)
                return dp_fail(DP_ERR_CONFIG, "data-01",
                               "split.%s and split.%s have days in common; a row can be in one of them only",
                               part_names[a], part_names[b]);
        }
    }
    return DP_OK;
}

dp_status split_check(const SplitOptions *split, const LakeSchema *schema)
{
    Way way = way_of_split(split);
    double shares = 0;
    if (split->column && split->folds > 1)
        return dp_fail(DP_ERR_CONFIG, "data-01",
                       "split.column says the part of every row, so there are no other folds; take split.folds out");
    if (split->column) {
        for (int p = 0; p < 3; p++)
            if (part_of(split, p)->kind != CFG_PART_NONE)
                return dp_fail(DP_ERR_CONFIG, "data-01",
                               "split.column says the part of every row, so split.%s must not be there", part_names[p]);
        return DP_OK;
    }
    if (way == WAY_NONE)
        return dp_fail(DP_ERR_CONFIG, "data-01",
                       "split.train is missing: write `train: 30 months`, dates, or a share such as 70%%, or name the "
                       "column that holds train, valid, test as split.column");
    for (int p = DATA_VALID; p <= DATA_TEST; p++)
        if (part_of(split, p)->kind != CFG_PART_NONE && way_of(part_of(split, p)) != way)
            return dp_fail(DP_ERR_CONFIG, "data-01",
                           "split.train and split.%s are said in different ways; use months and days, or dates, or "
                           "shares for all parts",
                           part_names[p]);
    if ((way == WAY_BACK || way == WAY_DATES) && !schema->time)
        return dp_fail(DP_ERR_CONFIG, "data-01",
                       "the table has no time column, so it cannot be split by time; use shares (train: 70%%) or "
                       "split.column");
    for (int p = 0; p < 3 && way == WAY_SHARE; p++)
        shares += part_of(split, p)->share;
    if (shares > 1 + 1e-9)
        return dp_fail(DP_ERR_CONFIG, "data-01", "the shares of split sum to %g %%, more than all rows", 100 * shares);
    return way == WAY_DATES ? check_dates(split) : DP_OK;
}

/* ---- windows of time ---- */

typedef struct Window {
    int64_t from, to; /* to: not in it */
} Window;

static int64_t count_back(int64_t end, const CfgPart *part)
{
    switch (part->kind) {
    case CFG_PART_MONTHS:
        return dp_time_add_months(end, -part->count);
    case CFG_PART_DAYS:
        return end - part->count * DP_DAY;
    default:
        return end;
    }
}

/* The part by whose length folds go back. */
static const CfgPart *stride_of(const SplitOptions *split)
{
    return split->test.kind != CFG_PART_NONE ? &split->test : &split->valid;
}

/* Valid and test of a later fold end earlier; train then ends where valid begins, and begins where it always does. */
static void roll_back(Window window[3], const SplitOptions *split)
{
    const CfgPart *stride = stride_of(split);
    bool dates = stride->kind == CFG_PART_DATES;
    int64_t length = dates ? stride->to + 1 - stride->from : 0, end = window[DATA_TEST].to, begin = window[0].from;
    for (int64_t k = 1; k < split->fold; k++)
        end = count_back(end, stride);
    for (int p = DATA_TEST; p >= DATA_TRAIN; p--) {
        const CfgPart *part = part_of(split, p);
        if (dates)
            window[p] =
                (Window){window[p].from - (split->fold - 1) * length, window[p].to - (split->fold - 1) * length};
        else
            window[p] = (Window){count_back(end, part), end};
        end = window[p].from;
    }
    window[DATA_TRAIN].from = begin;
}

/* Months and days are whole ones: the newest part ends with the day of the latest row. */
static void windows_of(Window window[3], const SplitOptions *split, int64_t latest_day)
{
    int64_t end = (latest_day + 1) * DP_DAY;
    for (int p = DATA_TEST; p >= DATA_TRAIN; p--) {
        const CfgPart *part = part_of(split, p);
        if (part->kind == CFG_PART_DATES)
            window[p] = (Window){part->from, part->to + 1};
        else
            window[p] = (Window){count_back(end, part), end};
        end = window[p].from;
    }
    if (split->fold > 1)
        roll_back(window, split);
}

/* What a clock there shows is this moment. */
static int64_t moment_of(const dp_zone *zone, int64_t shown)
{
    int64_t day = shown / DP_DAY - (shown % DP_DAY < 0);
    return dp_zone_midnight(zone, day) + (shown - day * DP_DAY);
}

static dp_status split_by_time(DataRows *rows, const SplitOptions *split, char windows[3][80], const Comm *comm)
{
    Window window[3];
    dp_zone *zone = NULL;
    int64_t latest = DP_TIME_MISSING;
    for (int64_t i = 0; i < rows->n; i++) {
        dp_shelf_step(rows->shelf, i);
        latest = rows->time[i] > latest ? rows->time[i] : latest;
    }
    comm_max_i64(comm, &latest, 1);
    DP_TRY_ALL(comm, dp_zone_build(&zone, split->time_zone ? split->time_zone : "UTC"));
    windows_of(window, split, latest == DP_TIME_MISSING ? -1 : dp_zone_day(zone, latest));
    for (int p = 0; p < 3 && latest != DP_TIME_MISSING; p++) {
        char from[32], to[32];
        dp_time_print(from, window[p].from);
        dp_time_print(to, window[p].to - 1 - (window[p].to - 1) % DP_DAY);
        snprintf(windows[p], sizeof windows[p], "%s .. %s", from, to);
    }
    for (int p = 0; p < 3; p++)
        window[p] = (Window){moment_of(zone, window[p].from), moment_of(zone, window[p].to)};
    dp_zone_free(&zone);
    for (int64_t i = 0; i < rows->n; i++) {
        dp_shelf_step(rows->shelf, i);
        int64_t t = rows->time[i];
        rows->part[i] = DATA_NONE;
        for (int p = 0; p < 3; p++)
            if (t != DP_TIME_MISSING && t >= window[p].from && t < window[p].to)
                rows->part[i] = (uint8_t)p;
    }
    return DP_OK;
}

/* ---- shares ---- */

/* Fold k has the k-th part of the hashes as test; a hash of its own shares the others out. */
static uint8_t part_in_fold(uint64_t identity, double u, const SplitOptions *split)
{
    double train = split->train.share, valid = split->valid.share;
    if (u * (double)split->folds >= (double)(split->fold - 1) && u * (double)split->folds < (double)split->fold)
        return DATA_TEST;
    double other = (double)(dp_hash64(&identity, sizeof identity, 0x5712) >> 11) * 0x1p-53;
    return other * (train + valid) < valid ? DATA_VALID : DATA_TRAIN;
}

/* By hash of the apart tuple, so that its rows stay together, or of the row's identity. The training seed has no part
 * in it: a row of test stays one in the next training. */
static void split_by_share(DataRows *rows, const SplitOptions *split)
{
    for (int64_t i = 0; i < rows->n; i++) {
        dp_shelf_step(rows->shelf, i);
        uint64_t identity = rows->tuple ? rows->tuple[i].low : rows->row[i];
        double u = (double)(dp_hash64(&identity, sizeof identity, 0x5711) >> 11) * 0x1p-53, sum = 0;
        rows->part[i] = split->fold > 0 ? part_in_fold(identity, u, split) : DATA_NONE;
        for (int p = 0; p < 3 && rows->part[i] == DATA_NONE; p++) {
            sum += part_of(split, p)->share;
            /* Shares of 1 together leave no row out, whatever their binary fractions sum to. */
            if (u < sum || (sum > 1 - 1e-9 && part_of(split, p)->share > 0))
                rows->part[i] = (uint8_t)p;
        }
    }
}

/* ---- apart: a tuple stands in one part only ---- */

/* What a rank tells the owner of a tuple: that train has it here, or its first row of valid or test here. */
typedef struct Claim {
    dp_key128 tuple;
    int64_t time;
    uint64_t row;
    uint32_t part, item; /* item: number of the row here, and then of the claim at its owner */
} Claim;

static int compare_claims(const void *a, const void *b)
{
    const Claim *x = a, *y = b;
    if (x->tuple.high != y->tuple.high)
        return x->tuple.high < y->tuple.high ? -1 : 1;
    if (x->tuple.low != y->tuple.low)
        return x->tuple.low < y->tuple.low ? -1 : 1;
    if (x->part != y->part)
        return x->part < y->part ? -1 : 1;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    if (x->row != y->row)
        return x->row < y->row ? -1 : 1;
    return (x->item > y->item) - (x->item < y->item);
}

static bool same_tuple(const Claim *a, const Claim *b)
{
    return a->tuple.low == b->tuple.low && a->tuple.high == b->tuple.high;
}

/* Local. Of sorted claims, those that can still win: the first of each tuple and part. Returns how many; the others'
 * rows are left out at once when `rows` is given. */
static int64_t first_claims(Claim *claim, int64_t n, DataRows *rows)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++) {
        bool first = i == 0 || !same_tuple(&claim[i - 1], &claim[i]) || claim[i - 1].part != claim[i].part;
        if (rows && !first && claim[i].part != DATA_TRAIN)
            rows->part[claim[i].item] = DATA_NONE;
        if (first)
            claim[kept++] = claim[i];
    }
    return kept;
}

static bool claims(const DataRows *rows, int64_t i, int slice)
{
    return rows->part[i] != DATA_NONE && slice_of_hash(rows->tuple[i].low, rows->slices) == slice;
}

/* Local. Claims of the slice's rows of a part; the sort is the reason that time and row stand in the claim. */
static dp_status own_claims(Claim **claim, int64_t *n, DataRows *rows, int slice)
{
    *n = 0;
    for (int64_t i = 0; i < rows->n; i++) {
        dp_shelf_step(rows->shelf, i);
        *n += claims(rows, i, slice);
    }
    DP_TRY(dp_new(claim, (size_t)*n));
    *n = 0;
    for (int64_t i = 0; i < rows->n; i++) {
        dp_shelf_step(rows->shelf, i);
        if (claims(rows, i, slice))
            (*claim)[(*n)++] = (Claim){.tuple = rows->tuple[i],
                                       .time = rows->time ? rows->time[i] : 0,
                                       .row = rows->row[i],
                                       .part = rows->part[i],
                                       .item = (uint32_t)i};
    }
    if (*n > 1)
        qsort(*claim, (size_t)*n, sizeof **claim, compare_claims);
    *n = first_claims(*claim, *n, rows);
    return DP_OK;
}

/* Local. Of all ranks' claims to my tuples: the earliest part that has a tuple keeps it, with one row of valid or test.
 * wins [n] by the claims' order of arrival. */
static void judge(uint8_t *wins, Claim *claim, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        claim[i].item = (uint32_t)i;
    qsort(claim, (size_t)n, sizeof *claim, compare_claims);
    for (int64_t i = 0; i < n; i++) {
        bool first = i == 0 || !same_tuple(&claim[i - 1], &claim[i]);
        wins[claim[i].item] = first || claim[i].part == DATA_TRAIN;
    }
}

/* Collective. Of the tuples of one slice. */
static dp_status keep_slice_apart(DataRows *rows, int slice, const Comm *comm)
{
    Claim *claim = NULL, *came = NULL;
    int32_t *to = NULL;
    uint8_t *wins = NULL, *mine = NULL;
    int64_t n = 0;
    Deal deal = {0};
    dp_status st = own_claims(&claim, &n, rows, slice);
    if (st == DP_OK && (st = dp_new(&to, (size_t)n)) == DP_OK)
        st = dp_new(&mine, (size_t)n);
    DP_GO_ALL(comm, st);
    for (int64_t i = 0; i < n; i++)
        to[i] = owner_of_hash(claim[i].tuple.high, comm_size(comm));
    DP_GO(deal_build(&deal, to, n, comm));
    DP_GO(deal_send(&deal, claim, sizeof *claim, &came, comm));
    DP_GO_ALL(comm, dp_new(&wins, (size_t)deal.n_got));
    judge(wins, came, deal.n_got);
    DP_GO(deal_answer(&deal, wins, sizeof *wins, mine, comm));
    for (int64_t i = 0; i < n; i++)
        if (!mine[i])
            rows->part[claim[i].item] = DATA_NONE;
done:
    dp_free(&claim);
    dp_free(&came);
    dp_free(&to);
    dp_free(&wins);
    dp_free(&mine);
    deal_free(&deal);
    return st;
}

static dp_status keep_apart(DataRows *rows, const Comm *comm)
{
    for (int slice = 0; slice < rows->slices; slice++)
        DP_TRY(keep_slice_apart(rows, slice, comm));
    return DP_OK;
}

dp_status split_into_parts(DataRows *rows, const SplitOptions *split, char windows[3][80], const Comm *comm)
{
    Way way = way_of_split(split);
    for (int p = 0; p < 3; p++)
        windows[p][0] = '\0';
    if (way == WAY_SHARE)
        split_by_share(rows, split);
    else if (way != WAY_NONE)
        DP_TRY(split_by_time(rows, split, windows, comm));
    /* Shares keep the rows of a tuple together by themselves. */
    return split->apart.n > 0 && way != WAY_SHARE ? keep_apart(rows, comm) : DP_OK;
}
