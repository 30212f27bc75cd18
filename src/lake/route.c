#include "lake/route.h"

#include <string.h>

/* Counts by rank, then places: sorted [n] is the records by rank, bytes [size] how much each gets. */
static void sort_by_rank(char *sorted, size_t *bytes, size_t *place, const Route *route, int size)
{
    const char *record = route->records;
    size_t at = 0;
    for (size_t i = 0; i < route->n; i++)
        bytes[route->rank_of(record + i * route->width, route->self)] += route->width;
    for (int r = 0; r < size; r++) {
        place[r] = at;
        at += bytes[r];
    }
    for (size_t i = 0; i < route->n; i++) {
        int r = route->rank_of(record + i * route->width, route->self);
        memcpy(sorted + place[r], record + i * route->width, route->width);
        place[r] += route->width;
    }
}

dp_status route_records(char **got, size_t *n_got, const Route *route, const Comm *comm)
{
    int size = comm_size(comm);
    size_t *bytes = NULL, total = 0; /* to each rank, from each rank, places */
    char *sorted = NULL;
    dp_status st = DP_OK;
    *got = NULL;
    *n_got = 0;
    DP_GO_ALL(comm, dp_new(&bytes, 3 * (size_t)size));
    DP_GO_ALL(comm, dp_new(&sorted, route->n * route->width));
    sort_by_rank(sorted, bytes, bytes + 2 * size, route, size);
    DP_GO(comm_exchange(comm, sorted, bytes, got, bytes + size));
    for (int r = 0; r < size; r++)
        total += bytes[size + r];
    *n_got = total / route->width;
done:
    dp_free(&sorted);
    dp_free(&bytes);
    return st;
}
