/* Exact bin borders: order statistics of the values of all ranks, found without gathering them.
 *
 * A float's bits become a key that sorts as the value does. Each thread sorts its rows' keys (radix, 3 x 11 bits); a
 * sorted run then answers "how many keys are at most k?". The number over all runs of all ranks is an integer sum, and
 * bisection on k finds any order statistic; all of a column's are found side by side, a round a bit of the key. A
 * device that holds the column answers by counting (device/backend.h, take_keys). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "device/tree_math.h"
#include "trees/trees_priv.h"

enum { RADIX_BITS = 11, RADIX = 1 << RADIX_BITS, PASSES = 3, RUNS_MAX = TREES_RUNS_MAX };

typedef struct Run {
    const uint32_t *key; /* sorted */
    int64_t n;
} Run;

/* Or, on a device, n 0. */
typedef struct Runs {
    Run run[RUNS_MAX];
    int n;
    const Device *device;
    const TreeKeyColumn *there; /* NULL: here, in runs */
    int64_t present, missing;
} Runs;

static float value_of(uint32_t key)
{
    uint32_t bits = key & 0x80000000 ? key & 0x7FFFFFFF : ~key;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Keys of rows from .. to - 1 that count and are there, sorted; in `key` or, after an odd number of passes, `spare`. */
static Run sort_run(const TreesColumn *column, int64_t from, int64_t to, TreesKeys *keys, int64_t *missing)
{
    uint32_t count[PASSES][RADIX] = {{0}}, *in = keys->key + from, *out = keys->spare + from;
    int64_t n = 0, absent = 0;
    for (int64_t i = from; i < to; i++) {
        if (column->use && !column->use[i])
            continue;
        if (isnan(column->values[i])) {
            absent++;
            continue;
        }
        uint32_t key = tree_key(column->values[i]);
        in[n++] = key;
        for (int p = 0; p < PASSES; p++)
            count[p][key >> p * RADIX_BITS & (RADIX - 1)]++;
    }
    for (int p = 0; p < PASSES; p++) {
        uint32_t at = 0;
        bool one = false;
        for (int d = 0; d < RADIX; d++) {
            uint32_t c = count[p][d];
            one |= c == (uint32_t)n;
            count[p][d] = at;
            at += c;
        }
        if (one) /* all keys have this digit: nothing moves */
            continue;
        for (int64_t i = 0; i < n; i++)
            out[count[p][in[i] >> p * RADIX_BITS & (RADIX - 1)]++] = in[i];
        uint32_t *swap = in;
        in = out;
        out = swap;
    }
    *missing = absent;
    return (Run){.key = in, .n = n};
}

/* Local. Keys from .. to - 1 need not stay in memory. */
void trees_keys_rest(const TreesKeys *keys, int64_t from, int64_t to)
{
    const char *base = keys->memory.data;
    const uint32_t *const both[2] = {keys->key, keys->spare};
    for (int i = 0; i < 2; i++)
        dp_spill_rest(&keys->memory, (size_t)((const char *)(both[i] + from) - base),
                      (size_t)(to - from) * sizeof **both);
}

static void sort_runs(Runs *runs, const TreesColumn *column, int threads, TreesKeys *keys)
{
    int64_t missing[RUNS_MAX];
    runs->n = keys->runs < RUNS_MAX ? keys->runs : RUNS_MAX;
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int r = 0; r < runs->n; r++) {
        int64_t from = column->n * r / runs->n, to = column->n * (r + 1) / runs->n;
        runs->run[r] = sort_run(column, from, to, keys, &missing[r]);
        trees_keys_rest(keys, from, to);
        dp_shelf_rest(column->shelf);
    }
    runs->present = runs->missing = 0;
    for (int r = 0; r < runs->n; r++) {
        runs->present += runs->run[r].n;
        runs->missing += missing[r];
    }
}

/* The smallest keys of a rank, at most one more than there are bins. */
typedef struct Distinct {
    int32_t n;
    uint32_t key[TREES_MAX_BINS];
} Distinct;

static void add_distinct(Distinct *distinct, uint32_t key)
{
    int at = distinct->n;
    while (at > 0 && distinct->key[at - 1] > key)
        at--;
    if ((at > 0 && distinct->key[at - 1] == key) || distinct->n == TREES_MAX_BINS)
        return;
    memmove(distinct->key + at + 1, distinct->key + at, (size_t)(distinct->n - at) * sizeof *distinct->key);
    distinct->key[at] = key;
    distinct->n++;
}

/* Distinct keys of all runs, or so many of them that there are more than `bins`. */
static void collect_distinct(Distinct *distinct, const Runs *runs, int bins)
{
    distinct->n = 0;
    if (runs->there) {
        uint32_t key[TREES_MAX_BINS];
        int n = device_tree_ops(runs->device)->distinct_keys(device_context(runs->device), runs->there, bins, key);
        for (int i = 0; i < n && n <= bins; i++)
            add_distinct(distinct, key[i]);
        distinct->n = n;
    }
    for (int r = 0; r < runs->n; r++) {
        const Run *run = &runs->run[r];
        for (int64_t i = 0; i < run->n && distinct->n <= bins; i++)
            if (i == 0 || run->key[i] != run->key[i - 1])
                add_distinct(distinct, run->key[i]);
    }
}

/* Collective. Are there at most `bins` distinct values over all ranks? Then `distinct` holds them. */
static dp_status few_values(Distinct *distinct, const Runs *runs, int bins, bool *few, const Comm *comm)
{
    Distinct *all = NULL;
    collect_distinct(distinct, runs, bins);
    *few = !comm_any(comm, distinct->n > bins);
    if (!*few)
        return DP_OK;
    DP_TRY_ALL(comm, dp_new(&all, (size_t)comm_size(comm)));
    comm_collect(comm, distinct, sizeof *distinct, all);
    for (int r = 0; r < comm_size(comm); r++)
        for (int i = 0; i < all[r].n && distinct->n <= bins; i++)
            add_distinct(distinct, all[r].key[i]);
    /* The order of adding is the same on every rank up to its own keys; the count's verdict is the same on all. */
    *few = !comm_any(comm, distinct->n > bins);
    dp_free(&all);
    return DP_OK;
}

/* How many keys of the run are at most `key`, knowing that it lies in low .. high. */
static int64_t count_at_most(const Run *run, uint32_t key, int64_t low, int64_t high)
{
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (run->key[middle] <= key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The state of finding the target-th smallest key over all ranks. */
typedef struct Search {
    int64_t target;
    uint32_t low, high; /* the key lies in low .. high */
} Search;

/* Local. How many of this rank's keys are at most each of n limits, which ascend. */
static void count_keys(int64_t *count, const uint32_t *limit, int n, const Runs *runs)
{
    memset(count, 0, (size_t)n * sizeof *count);
    if (runs->there)
        device_tree_ops(runs->device)->count_keys(device_context(runs->device), runs->there, limit, n, count);
    for (int s = 0; s < n; s++)
        for (int r = 0; r < runs->n; r++)
            count[s] += count_at_most(&runs->run[r], limit[s], 0, runs->run[r].n);
}

/* Collective. The keys of rank `target` of n searches, side by side, targets ascending, and so the middles of any
 * round. Every round halves low .. high. */
static void find_keys(Search *search, int n, const Runs *runs, const Comm *comm)
{
    int64_t count[TREES_MAX_BINS];
    uint32_t middle[TREES_MAX_BINS];
    for (int round = 0; round < 32; round++) {
        for (int s = 0; s < n; s++)
            middle[s] = search[s].low + (search[s].high - search[s].low) / 2;
        count_keys(count, middle, n, runs);
        comm_sum_i64(comm, count, (size_t)n);
        for (int s = 0; s < n; s++) {
            if (search[s].low == search[s].high)
                continue;
            if (count[s] >= search[s].target)
                search[s].high = middle[s];
            else
                search[s].low = middle[s] + 1;
        }
    }
}

/* Collective. Equal-count borders: the values of rank ceil(j n / bins), j = 1 .. bins - 1, each once, without the
 * largest value of all (nothing lies right of it). */
static void equal_counts(TreesBorders *borders, const Runs *runs, int bins, const Comm *comm)
{
    Search search[TREES_MAX_BINS];
    for (int j = 1; j <= bins; j++)
        search[j - 1] =
            (Search){.target = borders->present / bins * j + (borders->present % bins * j + bins - 1) / bins,
                     .low = 0,
                     .high = UINT32_MAX};
    find_keys(search, bins, runs, comm);
    for (int j = 0; j < bins - 1; j++) {
        bool again = j > 0 && search[j].low == search[j - 1].low;
        if (!again && search[j].low != search[bins - 1].low)
            borders->border[borders->n++] = value_of(search[j].low);
    }
}

dp_status trees_borders_find(TreesBorders *borders, const TreesColumn *column, int bins, const Device *device,
                             TreesKeys *keys, const Comm *comm)
{
    Runs runs = {.device = device, .there = column->there};
    Distinct distinct;
    bool few;
    int64_t totals[2];
    memset(borders, 0, sizeof *borders);
    if (runs.there) {
        runs.present = runs.there->present;
        runs.missing = runs.there->missing;
    } else {
        sort_runs(&runs, column, device_threads(device), keys);
    }
    totals[0] = runs.present;
    totals[1] = runs.missing;
    comm_sum_i64(comm, totals, 2);
    borders->present = totals[0];
    borders->missing = totals[1];
    DP_TRY(few_values(&distinct, &runs, bins, &few, comm));
    if (few)
        for (int i = 0; i + 1 < distinct.n; i++)
            borders->border[borders->n++] = value_of(distinct.key[i]);
    else
        equal_counts(borders, &runs, bins, comm);
    return DP_OK;
}
