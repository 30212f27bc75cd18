/* comm/groups.h -- items of one group on one rank, whoever holds them, in an order that does not depend on the ranks;
 * and what is found there back to those who hold them. */
#ifndef DIPPER_COMM_GROUPS_H
#define DIPPER_COMM_GROUPS_H

#include <stdint.h>

#include "comm/comm.h"

/* {0} is empty. */
typedef struct CommGroups {
    int64_t n, n_got;
    uint32_t *order; /* [n] own items in the order they are sent */
    uint32_t *place; /* [n_got] the k-th of the groups' order is what came place[k]-th */
    int64_t groups;
    int64_t *start;            /* [groups + 1] group j is items start[j] .. start[j + 1] - 1 of the groups' order */
    uint64_t *group;           /* [groups] ascending */
    size_t *to, *from, *bytes; /* [ranks] items sent to each, that came from each; [2 ranks] scratch */
} CommGroups;

/* Collective. group [n]: a hash, equal where the group is; all items of a group come to one rank, ascending by row [n]
 * (their identities). At most 2^32 - 1 items a rank. Fails AGAIN, agreed. */
dp_status comm_groups_build(CommGroups *groups, const uint64_t *group, const uint64_t *row, int64_t n,
                            const Comm *comm);
void comm_groups_free(CommGroups *groups);
/* Collective. items [n][size] to their groups: here [n_got][size], in the groups' order. */
dp_status comm_groups_bring(CommGroups *groups, const void *items, size_t size, void *here, const Comm *comm);
/* Collective. here [n_got][size], in the groups' order, back: items [n][size]. */
dp_status comm_groups_return(CommGroups *groups, const void *here, size_t size, void *items, const Comm *comm);

#endif
