/* order.c -- sorting by score, on one rank and over ranks. */
#include "metric_priv.h"

#include <stdlib.h>

/* Samples a rank, on average, from which the cuts are chosen: each rank's stretch is then within a few per cent of its
 * fair share. */
enum { SAMPLES = 64, DIGIT = 11, DIGITS = 1 << DIGIT };

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

/* The first of my items at or after `point`. */
static int64_t first_at(const void *items, int64_t n, MetricPoint (*point)(const void *, int64_t),
                        const MetricPoint *cut)
{
    int64_t low = 0, high = n;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        MetricPoint p = point(items, middle);
        if (compare_points(&p, cut) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

dp_status metric_cuts(int64_t **cuts, const void *items, int64_t n, MetricPoint (*point)(const void *items, int64_t i),
                      const Comm *comm)
{
    int size = comm_size(comm);
    int64_t total = n, step, n_samples;
    MetricPoint *samples = NULL;
    size_t *starts = NULL;
    char *all = NULL;
    dp_status st = DP_OK;
    comm_sum_i64(comm, &total, 1);
    step = total / ((int64_t)size * SAMPLES) + 1;
    n_samples = size > 1 ? (n + step - 1) / step : 0;
    if ((st = dp_new(cuts, (size_t)size + 1)) == DP_OK && (st = dp_new(&starts, (size_t)size + 1)) == DP_OK)
        st = dp_new(&samples, (size_t)n_samples);
    DP_GO_ALL(comm, st);
    (*cuts)[size] = n;
    if (size == 1)
        goto done;
    for (int64_t i = 0; i < n_samples; i++)
        samples[i] = point(items, i * step + (n - 1 - i * step < step ? (n - 1 - i * step) / 2 : step / 2));
    DP_GO(comm_collect_any(comm, samples, (size_t)n_samples * sizeof *samples, &all, starts));
    MetricPoint *every = (MetricPoint *)(void *)all;
    size_t n_every = starts[size] / sizeof *every;
    qsort(every, n_every, sizeof *every, compare_points);
    for (int r = 1; r < size; r++)
        (*cuts)[r] = n_every ? first_at(items, n, point, &every[n_every * (size_t)r / (size_t)size]) : n;
done:
    dp_free(&samples);
    dp_free(&starts);
    dp_free(&all);
    return st;
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
