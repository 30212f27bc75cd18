/* deal.c -- items to the ranks that own them, and answers back in the order of the questions. */
#include <string.h>

#include "data_priv.h"

void deal_free(Deal *deal)
{
    dp_shelf_free(deal->shelf, &deal->order);
    dp_free(&deal->bytes);
    dp_free(&deal->to_n);
    *deal = (Deal){.shelf = deal->shelf};
}

/* Collective. Tells every rank how many items it will get. */
static dp_status build(Deal *deal, dp_status mine, const Comm *comm)
{
    int ranks = comm_size(comm);
    size_t *counts = NULL, *came = NULL;
    char *got = NULL;
    dp_status st = DP_OK;
    if (mine == DP_OK && (mine = dp_new(&deal->bytes, 2 * (size_t)ranks)) == DP_OK)
        mine = dp_new(&counts, 2 * (size_t)ranks);
    DP_GO_ALL(comm, mine);
    for (int r = 0; r < ranks; r++)
        counts[r] = sizeof(int64_t);
    came = counts + ranks;
    DP_GO(comm_exchange(comm, deal->to_n, counts, &got, came));
    memcpy(deal->from_n, got, (size_t)ranks * sizeof *deal->from_n);
    for (int r = 0; r < ranks; r++)
        deal->n_got += deal->from_n[r];
done:
    dp_free(&counts);
    dp_free(&got);
    return st;
}

static dp_status counts_new(Deal *deal, int ranks)
{
    *deal = (Deal){.shelf = deal->shelf};
    DP_TRY(dp_new(&deal->to_n, 2 * (size_t)ranks));
    deal->from_n = deal->to_n + ranks;
    return DP_OK;
}

dp_status deal_build_sorted(Deal *deal, const int64_t *to_n, const Comm *comm)
{
    int ranks = comm_size(comm);
    dp_status st = counts_new(deal, ranks);
    for (int r = 0; r < ranks && st == DP_OK; r++) {
        deal->to_n[r] = to_n[r];
        deal->n += to_n[r];
    }
    return build(deal, st, comm);
}

dp_status deal_build(Deal *deal, const int32_t *to, int64_t n, const Comm *comm)
{
    int ranks = comm_size(comm);
    dp_status st = counts_new(deal, ranks);
    deal->scattered = ranks > 1;
    if (st == DP_OK && ranks > 1 && (st = dp_shelf_new(deal->shelf, &deal->order, (size_t)n)) == DP_OK) {
        int64_t *next = deal->from_n; /* free until the counts are told */
        for (int64_t i = 0; i < n; i++)
            deal->to_n[to[i]]++;
        for (int r = 1; r < ranks; r++)
            next[r] = next[r - 1] + deal->to_n[r - 1];
        for (int64_t i = 0; i < n; i++)
            deal->order[next[to[i]]++] = (uint32_t)i;
    } else if (st == DP_OK && ranks == 1) {
        deal->to_n[0] = n;
    }
    deal->n = n;
    return build(deal, st, comm);
}

static void set_bytes(Deal *deal, const int64_t *counts, size_t size, int ranks)
{
    for (int r = 0; r < ranks; r++)
        deal->bytes[r] = (size_t)counts[r] * size;
}

/* ---- in pieces, where the items lie in files ---- */

/* One side of a deal: n[r] items of rank r, one rank's after the other's, where `order` says (NULL: there). */
typedef struct Side {
    char *items;
    const int64_t *n;
    const uint32_t *order;
    int64_t *done; /* [ranks] of these, moved so far */
} Side;

/* Local. What goes with the next piece, DP_SHELF_ROWS items in all, in bytes; from the rank itself on, so that not all
 * send to one. */
static void share_out(size_t *bytes, const Side *from, size_t size, int rank, int ranks)
{
    int64_t room = DP_SHELF_ROWS;
    for (int k = 0; k < ranks; k++) {
        int r = (rank + k) % ranks;
        int64_t left = from->n[r] - from->done[r], n = left < room ? left : room;
        bytes[r] = (size_t)n * size;
        room -= n;
    }
}

/* Local. The next bytes[r] of every rank between the side and a piece that holds one rank's after the other's. */
static void copy_piece(Side *side, char *piece, bool into, const size_t *bytes, size_t size, int ranks)
{
    for (int64_t r = 0, first = 0; r < ranks; first += side->n[r], r++)
        for (size_t end = bytes[r], at = 0; at < end; at += size, piece += size) {
            int64_t i = first + side->done[r]++;
            char *item = side->items + (side->order ? side->order[i] : (size_t)i) * size;
            memcpy(into ? piece : item, into ? item : piece, size);
        }
}

/* Collective. All items from one side to the other. */
static dp_status move_in_pieces(Deal *deal, Side from, Side to, size_t size, const Comm *comm)
{
    int ranks = comm_size(comm);
    int64_t items = 0;
    char *piece = NULL, *got = NULL;
    dp_status st = DP_OK;
    if ((st = dp_new(&from.done, 2 * (size_t)ranks)) == DP_OK)
        st = dp_new_bytes(&piece, DP_SHELF_ROWS, size);
    DP_GO_ALL(comm, st);
    to.done = from.done + ranks;
    for (int r = 0; r < ranks; r++)
        items += from.n[r];
    comm_max_i64(comm, &items, 1);
    for (; items > 0; items -= DP_SHELF_ROWS) {
        share_out(deal->bytes, &from, size, comm_rank(comm), ranks);
        copy_piece(&from, piece, true, deal->bytes, size, ranks);
        DP_GO(comm_exchange(comm, piece, deal->bytes, &got, deal->bytes + ranks));
        copy_piece(&to, got, false, deal->bytes + ranks, size, ranks);
        dp_free(&got);
        dp_shelf_rest(deal->shelf);
    }
done:
    dp_free(&from.done);
    dp_free(&piece);
    dp_free(&got);
    return st;
}

static bool in_files(const Deal *deal)
{
    return deal->shelf && deal->shelf->folder;
}

/* ---- both ways ---- */

/* The items of the senders; const falls away only for a side that is read from. */
static Side asking_side(const Deal *deal, const void *items)
{
    return (Side){.items = (char *)(uintptr_t)items, .n = deal->to_n, .order = deal->scattered ? deal->order : NULL};
}

static Side answering_side(const Deal *deal, const void *items)
{
    return (Side){.items = (char *)(uintptr_t)items, .n = deal->from_n};
}

static dp_status send_in_pieces(Deal *deal, const void *items, size_t size, void *got, const Comm *comm)
{
    char *room = NULL;
    DP_TRY_ALL(comm, dp_shelf_new_bytes(deal->shelf, &room, (size_t)deal->n_got, size));
    memcpy(got, &room, sizeof room);
    return move_in_pieces(deal, asking_side(deal, items), answering_side(deal, room), size, comm);
}

dp_status deal_send(Deal *deal, const void *items, size_t size, void *got, const Comm *comm)
{
    int ranks = comm_size(comm);
    char *packed = NULL;
    dp_status st = DP_OK;
    if (in_files(deal))
        return send_in_pieces(deal, items, size, got, comm);
    if (deal->scattered) {
        DP_GO_ALL(comm, dp_new_bytes(&packed, (size_t)deal->n, size));
        for (int64_t i = 0; i < deal->n; i++)
            memcpy(packed + (size_t)i * size, (const char *)items + deal->order[i] * size, size);
        items = packed;
    }
    set_bytes(deal, deal->to_n, size, ranks);
    DP_GO(comm_exchange(comm, items, deal->bytes, got, deal->bytes + ranks));
done:
    dp_free(&packed);
    return st;
}

dp_status deal_answer(Deal *deal, const void *answers, size_t size, void *items, const Comm *comm)
{
    int ranks = comm_size(comm);
    char *got = NULL;
    dp_status st = DP_OK;
    if (in_files(deal))
        return move_in_pieces(deal, answering_side(deal, answers), asking_side(deal, items), size, comm);
    set_bytes(deal, deal->from_n, size, ranks);
    DP_GO(comm_exchange(comm, answers, deal->bytes, &got, deal->bytes + ranks));
    for (int64_t i = 0; i < deal->n; i++)
        memcpy((char *)items + (deal->scattered ? deal->order[i] : (size_t)i) * size, got + (size_t)i * size, size);
done:
    dp_free(&got);
    return st;
}
