/* timeline.c -- a sample sort of the train rows by time. Each rank gets about as many rows as any other, also where
 * whole ranks' worth of rows share one time (dates): equal times may be cut, and who cuts them knows it (first_asked,
 * tail_given). Nothing that is computed along the timeline depends on where it is cut. */
#include <stdlib.h>
#include <string.h>

#include "data_priv.h"

enum { DIGIT = 11, DIGITS = 1 << DIGIT };

/* ---- sorting by time on one rank ---- */

typedef struct Stamp {
    uint64_t key; /* time - the earliest */
    uint32_t item, zero;
} Stamp;

static void sort_digit(Stamp *to, const Stamp *from, int64_t n, int shift, const dp_shelf *shelf)
{
    int64_t count[DIGITS] = {0}, at = 0;
    for (int64_t i = 0; i < n; i++) {
        dp_shelf_step(shelf, i);
        count[from[i].key >> shift & (DIGITS - 1)]++;
    }
    for (int d = 0; d < DIGITS; d++) {
        int64_t c = count[d];
        count[d] = at;
        at += c;
    }
    for (int64_t i = 0; i < n; i++) {
        dp_shelf_step(shelf, i);
        to[count[from[i].key >> shift & (DIGITS - 1)]++] = from[i];
    }
}

/* Sorts times in place; order [n] becomes where each stood before. *moved: false where they were sorted already (the
 * common case: tables grow in time), and then order is 0 .. n-1. */
static dp_status sort_times(int64_t *times, uint32_t *order, int64_t n, bool *moved, dp_shelf *shelf)
{
    Stamp *stamp = NULL;
    uint64_t range = 0;
    int64_t least = INT64_MAX;
    *moved = false;
    for (int64_t i = 0; i < n; i++) {
        dp_shelf_step(shelf, i);
        order[i] = (uint32_t)i;
        least = times[i] < least ? times[i] : least;
        *moved = *moved || (i > 0 && times[i] < times[i - 1]);
    }
    if (!*moved)
        return DP_OK;
    DP_TRY(dp_shelf_new(shelf, &stamp, 2 * (size_t)n));
    Stamp *from = stamp, *to = stamp + n;
    for (int64_t i = 0; i < n; i++) {
        dp_shelf_step(shelf, i);
        from[i] = (Stamp){.key = (uint64_t)times[i] - (uint64_t)least, .item = (uint32_t)i};
        range |= from[i].key;
    }
    for (int shift = 0; shift < 64 && range >> shift != 0; shift += DIGIT) {
        sort_digit(to, from, n, shift, shelf);
        Stamp *swap = from;
        from = to;
        to = swap;
    }
    for (int64_t i = 0; i < n; i++) {
        dp_shelf_step(shelf, i);
        order[i] = from[i].item;
        times[i] = (int64_t)(from[i].key + (uint64_t)least);
    }
    dp_shelf_free(shelf, &stamp);
    return DP_OK;
}

/* ---- where the timeline is cut ---- */

/* A stretch begins `part` of `whole` into the rows of one time. */
typedef struct Cut {
    int64_t time;
    int64_t part, whole;
} Cut;

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The first of n ascending times that is >= time (or > time). */
static int64_t first_time(const int64_t *times, int64_t n, int64_t time, bool after)
{
    int64_t low = 0, high = n;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (times[middle] < time || (after && times[middle] == time))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void sample_time(void *sample, const void *items, int64_t i)
{
    *(int64_t *)sample = ((const int64_t *)items)[i];
}

/* Collective. cut [ranks]; cut[0] is before everything. */
static dp_status choose_cuts(Cut *cut, const int64_t *times, int64_t n, const Comm *comm)
{
    int ranks = comm_size(comm);
    CommOrder order = {.items = times, .n = n, .size = sizeof *times, .sample = sample_time, .compare = compare_times};
    char *all = NULL;
    int64_t n_all = 0;
    DP_TRY(comm_sample(comm, &order, &all, &n_all));
    const int64_t *every = (const int64_t *)(const void *)all;
    for (int r = 0; r < ranks; r++) {
        int64_t at = n_all * r / ranks;
        cut[r] = (Cut){.time = INT64_MIN, .whole = 1};
        if (r == 0 || n_all == 0)
            continue;
        int64_t first = first_time(every, n_all, every[at], false);
        cut[r] =
            (Cut){.time = every[at], .part = at - first, .whole = first_time(every, n_all, every[at], true) - first};
    }
    dp_free(&all);
    return DP_OK;
}

/* How many of my times go to each rank. */
static void cut_times(int64_t *to_n, const Cut *cut, int ranks, const int64_t *times, int64_t n)
{
    int64_t before = n;
    for (int r = ranks - 1; r >= 0; r--) {
        int64_t low = first_time(times, n, cut[r].time, false), high = first_time(times, n, cut[r].time, true);
        int64_t at = r == 0 ? 0 : low + (high - low) * cut[r].part / cut[r].whole;
        to_n[r] = before - at;
        before = at;
    }
}

/* ---- one list ---- */

static void list_free(TimeList *list)
{
    dp_shelf *shelf = list->deal.shelf;
    deal_free(&list->deal);
    dp_shelf_free(shelf, &list->row);
    dp_shelf_free(shelf, &list->at);
}

/* Collective. Deals rows [n] by their sorted times; *came (free with dp_shelf_free): the times of my stretch, sorted.
 */
static dp_status list_build(TimeList *list, const uint32_t *rows, const uint32_t *order, const int64_t *times,
                            int64_t n, const Cut *cut, int64_t **came, const Comm *comm)
{
    dp_shelf *shelf = list->deal.shelf;
    int64_t *to_n = NULL;
    bool moved = false;
    dp_status st = dp_new(&to_n, (size_t)comm_size(comm));
    if (st == DP_OK)
        st = dp_shelf_new(shelf, &list->row, (size_t)n);
    DP_GO_ALL(comm, st);
    for (int64_t i = 0; i < n; i++) {
        dp_shelf_step(shelf, i);
        list->row[i] = rows[order[i]];
    }
    cut_times(to_n, cut, comm_size(comm), times, n);
    DP_GO(deal_build_sorted(&list->deal, to_n, comm));
    DP_GO(deal_send(&list->deal, times, sizeof *times, came, comm));
    st = list->deal.n_got > UINT32_MAX
             ? dp_fail(DP_ERR_AGAIN, "data-13", "a rank would hold %lld train rows; use more ranks",
                       (long long)list->deal.n_got)
             : dp_shelf_new(shelf, &list->at, (size_t)list->deal.n_got);
    if (st == DP_OK)
        st = sort_times(*came, list->at, list->deal.n_got, &moved, shelf);
    DP_GO_ALL(comm, st);
    if (!moved)
        dp_shelf_free(shelf, &list->at);
done:
    dp_free(&to_n);
    return st;
}

/* ---- the timeline ---- */

void timeline_free(Timeline *timeline)
{
    list_free(&timeline->asked);
    list_free(&timeline->given);
    dp_shelf_free(timeline->shelf, &timeline->upto);
    if (!timeline->one_list)
        dp_shelf_free(timeline->shelf, &timeline->given_age);
    dp_shelf_free(timeline->shelf, &timeline->asked_age);
    dp_free(&timeline->start);
    *timeline = (Timeline){.shelf = timeline->shelf};
}

/* The first and last time of all train rows; rows without a time are before all. */
typedef struct Span {
    int64_t first, last;
} Span;

/* Collective. */
static Span span_of(const int64_t *times, int64_t n, const dp_shelf *shelf, const Comm *comm)
{
    Span span = {INT64_MAX, INT64_MIN};
    for (int64_t i = 0; i < n; i++) {
        dp_shelf_step(shelf, i);
        if (times[i] != DP_TIME_MISSING) {
            span.first = times[i] < span.first ? times[i] : span.first;
            span.last = times[i] > span.last ? times[i] : span.last;
        }
    }
    comm_min_i64(comm, &span.first, 1);
    comm_max_i64(comm, &span.last, 1);
    return span;
}

/* Local. What became known after the last row counts as its contemporary. */
static dp_status find_ages(uint8_t **age, const int64_t *times, int64_t n, Span span, dp_shelf *shelf)
{
    DP_TRY(dp_shelf_new(shelf, age, (size_t)n));
    for (int64_t k = 0; k < n; k++) {
        dp_shelf_step(shelf, k);
        if (times[k] == DP_TIME_MISSING || times[k] <= span.first)
            continue;
        __extension__ unsigned __int128 since = (uint64_t)times[k] - (uint64_t)span.first;
        uint64_t all = (uint64_t)span.last - (uint64_t)span.first + 1, at = (uint64_t)(since * TIMELINE_AGES / all);
        (*age)[k] = (uint8_t)(at < TIMELINE_AGES ? at : TIMELINE_AGES - 1);
    }
    return DP_OK;
}

/* Local. Who sees what, from the sorted times of my stretch. */
static dp_status look_along(Timeline *timeline, const int64_t *asked, const int64_t *given, int64_t n_given, int rank,
                            int ranks)
{
    int64_t n = timeline->asked.deal.n_got, g = 0;
    DP_TRY(dp_shelf_new(timeline->shelf, &timeline->upto, (size_t)n));
    for (int64_t k = 0; k < n; k++) {
        dp_shelf_step(timeline->shelf, k);
        while (g < n_given && given[g] < asked[k])
            g++;
        timeline->upto[k] = (uint32_t)g;
        timeline->first_asked += asked[k] == timeline->start[rank];
    }
    for (g = n_given; rank + 1 < ranks && g > 0 && given[g - 1] == timeline->start[rank + 1]; g--)
        timeline->tail_given++;
    return DP_OK;
}

dp_status timeline_build(Timeline *timeline, const uint32_t *rows, const int64_t *times, const int64_t *known,
                         int64_t n, const Comm *comm)
{
    int ranks = comm_size(comm);
    int64_t *sorted = NULL, *came = NULL, *came_given = NULL;
    uint32_t *order = NULL;
    Cut *cut = NULL;
    bool moved;
    dp_status st = DP_OK;
    dp_shelf *shelf = timeline->shelf;
    *timeline = (Timeline){.one_list = known == NULL,
                           .shelf = shelf,
                           .asked = {.deal = {.shelf = shelf}},
                           .given = {.deal = {.shelf = shelf}}};
    Span span = span_of(times, n, shelf, comm);
    if ((st = dp_shelf_new(shelf, &sorted, (size_t)n)) == DP_OK &&
        (st = dp_shelf_new(shelf, &order, (size_t)n)) == DP_OK && (st = dp_new(&cut, (size_t)ranks)) == DP_OK)
        st = dp_new(&timeline->start, (size_t)ranks);
    for (int64_t i = 0; i < n && st == DP_OK; i++) {
        dp_shelf_step(shelf, i);
        sorted[i] = times[i];
    }
    if (st == DP_OK && n > 0)
        st = sort_times(sorted, order, n, &moved, shelf);
    DP_GO_ALL(comm, st);
    DP_GO(choose_cuts(cut, sorted, n, comm));
    for (int r = 0; r < ranks; r++)
        timeline->start[r] = cut[r].time;
    DP_GO(list_build(&timeline->asked, rows, order, sorted, n, cut, &came, comm));
    if (known) {
        for (int64_t i = 0; i < n; i++) {
            dp_shelf_step(shelf, i);
            sorted[i] = known[i] > times[i] ? known[i] : times[i];
        }
        DP_GO_ALL(comm, sort_times(sorted, order, n, &moved, shelf));
        DP_GO(list_build(&timeline->given, rows, order, sorted, n, cut, &came_given, comm));
        st = look_along(timeline, came, came_given, timeline->given.deal.n_got, comm_rank(comm), ranks);
    } else {
        st = look_along(timeline, came, came, timeline->asked.deal.n_got, comm_rank(comm), ranks);
    }
    if (st == DP_OK)
        st = find_ages(&timeline->asked_age, came, timeline->asked.deal.n_got, span, shelf);
    if (st == DP_OK && known)
        st = find_ages(&timeline->given_age, came_given, timeline->given.deal.n_got, span, shelf);
    else
        timeline->given_age = timeline->asked_age;
    DP_GO_ALL(comm, st);
done:
    dp_shelf_free(shelf, &sorted);
    dp_shelf_free(shelf, &came);
    dp_shelf_free(shelf, &came_given);
    dp_shelf_free(shelf, &order);
    dp_free(&cut);
    if (st != DP_OK)
        timeline_free(timeline);
    return st;
}
