#include "comm/groups.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void comm_groups_free(CommGroups *g)
{
    dp_free(&g->order);
    dp_free(&g->place);
    dp_free(&g->start);
    dp_free(&g->group);
    dp_free(&g->to);
    dp_free(&g->from);
    dp_free(&g->bytes);
    *g = (CommGroups){0};
}

/* An item's place in the order. */
typedef struct Key {
    uint64_t group, row;
} Key;
typedef struct Item {
    Key key;
    uint32_t at;
} Item;

static int by_key(const void *a, const void *b)
{
    const Item *x = a, *y = b;
    if (x->key.group != y->key.group)
        return x->key.group < y->key.group ? -1 : 1;
    if (x->key.row != y->key.row)
        return x->key.row < y->key.row ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

/* Ranks own hashes in ranges of equal width, so that items sorted by group are sorted by rank. */
static int owner_of(uint64_t group, int ranks)
{
    return (int)((__extension__(unsigned __int128) group) * (unsigned)ranks >> 64);
}

/* Local. The order of items, and their keys in it. */
static dp_status sort_items(uint32_t **order, Key **sorted, const Key *key, int64_t n)
{
    Item *item = NULL;
    dp_status st = DP_OK;
    DP_GO(dp_new(&item, (size_t)n));
    DP_GO(dp_new(order, (size_t)n));
    DP_GO(dp_new(sorted, (size_t)n));
    for (int64_t i = 0; i < n; i++)
        item[i] = (Item){.key = key[i], .at = (uint32_t)i};
    if (n > 1)
        qsort(item, (size_t)n, sizeof *item, by_key);
    for (int64_t i = 0; i < n; i++) {
        (*order)[i] = item[i].at;
        (*sorted)[i] = item[i].key;
    }
done:
    dp_free(&item);
    return st;
}

/* Local. Where groups begin among keys in their order. */
static dp_status find_groups(CommGroups *g, const Key *key)
{
    int64_t n = 0;
    for (int64_t i = 0; i < g->n_got; i++)
        g->groups += i == 0 || key[i].group != key[i - 1].group;
    DP_TRY(dp_new(&g->start, (size_t)g->groups + 1));
    DP_TRY(dp_new(&g->group, (size_t)g->groups));
    for (int64_t i = 0; i < g->n_got; i++)
        if (i == 0 || key[i].group != key[i - 1].group) {
            g->group[n] = key[i].group;
            g->start[n++] = i;
        }
    g->start[n] = g->n_got;
    return DP_OK;
}

static void count_bytes(CommGroups *g, const size_t *items, size_t size, int ranks)
{
    for (int r = 0; r < ranks; r++)
        g->bytes[r] = items[r] * size;
}

/* Local. Room, and the own items' order. */
static dp_status prepare(CommGroups *g, Key **sorted, const uint64_t *group, const uint64_t *row, int ranks)
{
    Key *key = NULL;
    dp_status st = DP_OK;
    DP_GO(dp_new(&g->to, (size_t)ranks));
    DP_GO(dp_new(&g->from, (size_t)ranks));
    DP_GO(dp_new(&g->bytes, 2 * (size_t)ranks));
    DP_GO(dp_new(&key, (size_t)g->n));
    for (int64_t i = 0; i < g->n; i++) {
        key[i] = (Key){group[i], row[i]};
        g->to[owner_of(group[i], ranks)]++;
    }
    DP_GO(sort_items(&g->order, sorted, key, g->n));
done:
    dp_free(&key);
    return st;
}

dp_status comm_groups_build(CommGroups *g, const uint64_t *group, const uint64_t *row, int64_t n, const Comm *comm)
{
    const int ranks = comm_size(comm);
    Key *mine = NULL, *sorted = NULL;
    char *came = NULL;
    dp_status st = DP_OK;
    *g = (CommGroups){.n = n};
    DP_GO_ALL(comm, prepare(g, &mine, group, row, ranks));
    count_bytes(g, g->to, sizeof *mine, ranks);
    DP_GO(comm_exchange(comm, mine, g->bytes, &came, g->bytes + ranks));
    for (int r = 0; r < ranks; r++) {
        g->from[r] = g->bytes[ranks + r] / sizeof *mine;
        g->n_got += (int64_t)g->from[r];
    }
    st = sort_items(&g->place, &sorted, (const Key *)(const void *)came, g->n_got);
    if (st == DP_OK)
        st = find_groups(g, sorted);
    DP_GO_ALL(comm, st);
done:
    dp_free(&mine);
    dp_free(&sorted);
    dp_free(&came);
    if (st != DP_OK)
        comm_groups_free(g);
    return st;
}

dp_status comm_groups_bring(CommGroups *g, const void *items, size_t size, void *here, const Comm *comm)
{
    const int ranks = comm_size(comm);
    char *packed = NULL, *came = NULL;
    dp_status st = DP_OK;
    DP_GO_ALL(comm, dp_new_bytes(&packed, (size_t)g->n, size));
    for (int64_t i = 0; i < g->n; i++)
        memcpy(packed + (size_t)i * size, (const char *)items + g->order[i] * size, size);
    count_bytes(g, g->to, size, ranks);
    DP_GO(comm_exchange(comm, packed, g->bytes, &came, g->bytes + ranks));
    for (int64_t i = 0; i < g->n_got; i++)
        memcpy((char *)here + (size_t)i * size, came + g->place[i] * size, size);
done:
    dp_free(&packed);
    dp_free(&came);
    return st;
}

dp_status comm_groups_return(CommGroups *g, const void *here, size_t size, void *items, const Comm *comm)
{
    const int ranks = comm_size(comm);
    char *packed = NULL, *came = NULL;
    dp_status st = DP_OK;
    DP_GO_ALL(comm, dp_new_bytes(&packed, (size_t)g->n_got, size));
    for (int64_t i = 0; i < g->n_got; i++)
        memcpy(packed + g->place[i] * size, (const char *)here + (size_t)i * size, size);
    count_bytes(g, g->from, size, ranks);
    DP_GO(comm_exchange(comm, packed, g->bytes, &came, g->bytes + ranks));
    for (int64_t i = 0; i < g->n; i++)
        memcpy((char *)items + g->order[i] * size, came + (size_t)i * size, size);
done:
    dp_free(&packed);
    dp_free(&came);
    return st;
}
