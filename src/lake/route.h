/* route.h -- records to the ranks that they name. */
#ifndef DIPPER_LAKE_ROUTE_H
#define DIPPER_LAKE_ROUTE_H

#include "comm/comm.h"

typedef struct Route {
    const void *records; /* [n][width bytes] */
    size_t n, width;
    int (*rank_of)(const void *record, const void *self); /* 0 .. size - 1 */
    const void *self;
} Route;

/* Collective. *got (free with dp_free) [*n_got][width]: the records of all ranks that name this one, in rank order.
 * Fails AGAIN, agreed. */
dp_status route_records(char **got, size_t *n_got, const Route *route, const Comm *comm);

#endif
