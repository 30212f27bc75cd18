/* order.c -- sorting by score, on one rank and over ranks. */
#include "metric_priv.h"

#include <stdlib.h>

enum { DIGIT = 11, DIGITS = 1 << DIGIT };

/* Least significant digit first: three stable passes of 11 bits. The size is a constant in each call, so the copies
 * become plain moves. */
static inline __attribute__((always_inline)) void sort_passes(char *items, char *spare, int64_t n, size_t size)
{
    static const int shifts[3] = {0, DIGIT, 2 * DIGIT};
    int64_t count[3][DIGITS];
    char *from = items, *to = spare;
    memset(count, 0, sizeof count);
    for (int64_t i = 0; i < n; i++) {
        uint32_t key;
        memcpy(&key, items + (size_t)i * size, sizeof key);
        for (int p = 0; p < 3; p++)
            count[p][key >> shifts[p] & (DIGITS - 1)]++;
    }
    for (int p = 0; p < 3; p++) {
        int64_t at = 0;
        for (int d = 0; d < DIGITS; d++) {
            int64_t c = count[p][d];
            count[p][d] = at;
            at += c;
        }
        for (int64_t i = 0; i < n; i++) {
            uint32_t key;
            memcpy(&key, from + (size_t)i * size, sizeof key);
            int64_t place = count[p][key >> shifts[p] & (DIGITS - 1)]++;
            memcpy(to + (size_t)place * size, from + (size_t)i * size, size);
        }
        char *swap = from;
        from = to;
        to = swap;
    }
    memcpy(items, spare, (size_t)n * size);
}

void metric_sort_by_key(void *items, void *spare, int64_t n, size_t size)
{
    if (n < 2)
        return;
    if (size == sizeof(uint32_t))
        sort_passes(items, spare, n, sizeof(uint32_t));
    else
        sort_passes(items, spare, n, sizeof(MetricRecord));
}

static int compare_points(const void *a, const void *b)
{
    const MetricPoint *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* The first of my items at or after the cut. */
static int64_t first_at(const void *items, int64_t n, MetricSample sample, const MetricPoint *cut)
{
    int64_t low = 0, high = n;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        MetricPoint p;
        sample(&p, items, middle);
        if (compare_points(&p, cut) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

dp_status metric_cuts(int64_t **cuts, const void *items, int64_t n, MetricSample sample, const Comm *comm)
{
    int size = comm_size(comm);
    CommOrder order = {
        .items = items, .n = n, .size = sizeof(MetricPoint), .sample = sample, .compare = compare_points};
    char *all = NULL;
    int64_t n_all = 0;
    DP_TRY_ALL(comm, dp_new(cuts, (size_t)size + 1));
    (*cuts)[size] = n;
    if (size == 1)
        return DP_OK;
    DP_TRY(comm_sample(comm, &order, &all, &n_all));
    const MetricPoint *every = (const MetricPoint *)(const void *)all;
    for (int r = 1; r < size; r++)
        (*cuts)[r] = n_all ? first_at(items, n, sample, &every[n_all * r / size]) : n;
    dp_free(&all);
    return DP_OK;
}

dp_status metric_deal(void *got, int64_t *got_n, const void *items, size_t size, const int64_t *cuts, const Comm *comm)
{
    int ranks = comm_size(comm);
    size_t *bytes = NULL;
    dp_status st = DP_OK;
    DP_GO_ALL(comm, dp_new(&bytes, 2 * (size_t)ranks));
    for (int r = 0; r < ranks; r++)
        bytes[r] = (size_t)(cuts[r + 1] - cuts[r]) * size;
    DP_GO(comm_exchange(comm, items, bytes, got, bytes + ranks));
    for (int r = 0; r < ranks; r++)
        got_n[r] = (int64_t)(bytes[ranks + r] / size);
done:
    dp_free(&bytes);
    return st;
}
