/* Versions of an id, resolved over ranks: every rank reads ids and recorded times of its share, sends each to the rank
 * that its id's key names, and is told which of its rows are not seen. Memory: about 100 bytes a row of the share while
 * it runs, one bit a row after it. Ids are compared by 128-bit keys. */
#include "lake/versions.h"

#include <string.h>

#include "lake/keys.h"
#include "lake/route.h"
#include "lake/scan_priv.h"

/* One row on its way. The later recorded wins; of two recorded at once the later row of the table. */
typedef struct Claim {
    dp_key128 key;
    int64_t recorded;
    int64_t row2; /* 2 * row + 1 where it is a delete mark */
} Claim;

void versions_free(Versions **versions)
{
    if (*versions)
        dp_free(&(*versions)->bits);
    dp_free(versions);
}

bool versions_needed(const LakeTable *table)
{
    const Manifest *m = &table->manifest;
    int with_rows = 0;
    int64_t deleted = 0;
    bool repeats = false;
    for (int d = 0; d < m->n_deliveries; d++) {
        with_rows += m->deliveries[d].rows > 0;
        repeats |= m->deliveries[d].repeats;
    }
    for (int p = 0; p < m->n_partitions; p++)
        deleted += m->partitions[p].deleted;
    return m->schema.id && (with_rows > 1 || repeats || deleted > 0);
}

/* ---- rows of a share ---- */

/* First row of block b of the table; the number of rows for the block after the last. */
static int64_t row_of_block(const LakeTable *t, int64_t b)
{
    int low = 0, high = t->manifest.n_partitions;
    while (high - low > 1) {
        int mid = low + (high - low) / 2;
        if (t->first_block[mid] <= b)
            low = mid;
        else
            high = mid;
    }
    if (high == 0 || b >= t->first_block[high])
        return t->first_row[t->manifest.n_partitions];
    return t->first_row[low] + (b - t->first_block[low]) * block_rows_of(t->manifest.partitions[low].rows);
}

static dp_status share_rows(int64_t **first, const LakeTable *t, int size)
{
    int64_t blocks = t->first_block[t->manifest.n_partitions];
    DP_TRY(dp_new(first, (size_t)size + 1));
    for (int r = 0; r <= size; r++)
        (*first)[r] = row_of_block(t, table_share(blocks, r, size));
    return DP_OK;
}

static void set_bit(Versions *v, int64_t row, bool on)
{
    int64_t bit = row - v->first;
    uint32_t mask = (uint32_t)1 << (bit & 31);
    v->bits[bit >> 5] = on ? v->bits[bit >> 5] | mask : v->bits[bit >> 5] & ~mask;
}

/* ---- reading the share ---- */

static dp_status add_claims(dp_buf *claims, Versions *v, const LakeBlock *block, bool has_recorded)
{
    DP_TRY(dp_buf_reserve(claims, (size_t)block->rows * sizeof(Claim)));
    Claim *out = (Claim *)(void *)(claims->data + claims->size);
    for (int32_t i = 0; i < block->rows; i++) {
        int64_t recorded = has_recorded ? block->column[1].time[i] : DP_TIME_MISSING;
        int64_t row = block->row ? block->row[i] : block->first_row + i;
        bool deleted = block->deleted && block->deleted[i];
        dp_key128 key = lake_id_key(&block->column[0], i);
        if (v->as_of != DP_TIME_MISSING && recorded > v->as_of)
            continue;
        set_bit(v, row, !deleted);
        if ((key.low | key.high) != 0) /* a row without id has no versions */
            *out++ = (Claim){key, recorded, 2 * row + deleted};
    }
    claims->size = (size_t)((char *)out - claims->data);
    return DP_OK;
}

static dp_status read_claims(dp_buf *claims, LakeTable *t, Versions *v, int threads, const Comm *comm)
{
    const LakeSchema *schema = &t->manifest.schema;
    int column[2] = {lake_schema_find(schema, schema->id), lake_schema_find(schema, schema->recorded)};
    LakeQuery query = {.columns = column,
                       .n_columns = column[1] < 0 ? 1 : 2,
                       .as_of = DP_TIME_MISSING,
                       .all_versions = true,
                       .threads = threads};
    LakeScan *scan = NULL;
    const LakeBlock *block;
    int64_t first, end;
    dp_status st = DP_OK;
    scan_share(t, &query, comm, &first, &end);
    DP_GO(scan_build(&scan, t, &query, first, end));
    for (;;) {
        DP_GO(lake_next(scan, &block));
        if (!block)
            break;
        DP_GO(add_claims(claims, v, block, column[1] >= 0));
    }
done:
    lake_scan_close(&scan);
    return st;
}

/* ---- deciding ---- */

static int rank_of_claim(const void *record, const void *self)
{
    return (int)(((const Claim *)record)->key.high % (uint64_t)comm_size(self));
}

static bool is_later(const Claim *a, const Claim *b)
{
    return a->recorded != b->recorded ? a->recorded > b->recorded : a->row2 > b->row2;
}

/* The losers' rows, in `hidden`. Open addressing over places + 1 of the claims; a loser's place is taken by the winner.
 */
static dp_status find_hidden(dp_buf *hidden, const Claim *claim, size_t n)
{
    size_t slots = 64;
    uint64_t *table = NULL;
    dp_status st = DP_OK;
    while (slots < 2 * n)
        slots *= 2;
    DP_TRY(dp_new(&table, slots));
    for (size_t i = 0; i < n; i++) {
        size_t at = claim[i].key.low & (slots - 1);
        while (table[at] &&
               (claim[table[at] - 1].key.low != claim[i].key.low || claim[table[at] - 1].key.high != claim[i].key.high))
            at = (at + 1) & (slots - 1);
        int64_t row = -1;
        if (!table[at])
            table[at] = i + 1;
        else if (is_later(&claim[i], &claim[table[at] - 1])) {
            row = claim[table[at] - 1].row2 / 2;
            table[at] = i + 1;
        } else
            row = claim[i].row2 / 2;
        if (row >= 0)
            DP_GO(dp_buf_add(hidden, &row, sizeof row));
    }
done:
    dp_free(&table);
    return st;
}

/* Where the shares of rows begin: first [size + 1]. */
typedef struct Shares {
    const int64_t *first;
    int size;
} Shares;

static int rank_of_row(const void *record, const void *self)
{
    const Shares *shares = self;
    int low = 0, high = shares->size;
    while (high - low > 1) {
        int mid = low + (high - low) / 2;
        if (shares->first[mid] <= *(const int64_t *)record)
            low = mid;
        else
            high = mid;
    }
    return low;
}

/* Tells every rank which of its rows are not seen. */
static dp_status return_hidden(Versions *v, const dp_buf *hidden, const int64_t *first, const Comm *comm)
{
    const Shares shares = {first, comm_size(comm)};
    char *got = NULL;
    size_t n;
    DP_TRY(route_records(&got, &n,
                         &(Route){.records = hidden->data,
                                  .n = hidden->size / sizeof(int64_t),
                                  .width = sizeof(int64_t),
                                  .rank_of = rank_of_row,
                                  .self = &shares},
                         comm));
    for (size_t i = 0; i < n; i++)
        set_bit(v, ((const int64_t *)(const void *)got)[i], false);
    dp_free(&got);
    return DP_OK;
}

static dp_status resolve_share(Versions *v, LakeTable *t, const int64_t *first, int threads, const Comm *comm)
{
    dp_buf claims = {0}, hidden = {0};
    char *got = NULL;
    size_t n = 0;
    dp_status st = DP_OK;
    DP_GO_ALL(comm, read_claims(&claims, t, v, threads, comm));
    DP_GO(route_records(&got, &n,
                        &(Route){.records = claims.data,
                                 .n = claims.size / sizeof(Claim),
                                 .width = sizeof(Claim),
                                 .rank_of = rank_of_claim,
                                 .self = comm},
                        comm));
    dp_buf_free(&claims);
    DP_GO_ALL(comm, find_hidden(&hidden, (const Claim *)(const void *)got, n));
    dp_free(&got);
    DP_GO(return_hidden(v, &hidden, first, comm));
done:
    dp_buf_free(&claims);
    dp_buf_free(&hidden);
    dp_free(&got);
    return st;
}

/* ---- the whole table ---- */

static bool fits(const Versions *v, int64_t as_of, bool whole, const Comm *comm)
{
    return v && v->as_of == as_of && (v->whole || (!whole && v->rank == comm_rank(comm) && v->size == comm_size(comm)));
}

static dp_status new_versions(Versions **out, int64_t as_of, int64_t first, int64_t end, const Comm *comm)
{
    DP_TRY(dp_new(out, 1));
    **out = (Versions){.as_of = as_of, .rank = comm_rank(comm), .size = comm_size(comm), .first = first, .end = end};
    dp_status st = dp_new(&(*out)->bits, (size_t)((end - first + 31) / 32));
    if (st != DP_OK)
        dp_free(out);
    return st;
}

/* Every rank sets its own bits; all others are zero, so that the sum is the union. */
static dp_status widen(Versions **share, int64_t rows, const Comm *comm)
{
    Versions *all = NULL;
    DP_TRY_ALL(comm, new_versions(&all, (*share)->as_of, 0, rows, comm));
    for (int64_t row = (*share)->first; row < (*share)->end; row++) {
        int64_t bit = row - (*share)->first;
        if ((*share)->bits[bit >> 5] >> (bit & 31) & 1)
            set_bit(all, row, true);
    }
    comm_sum_u32(comm, all->bits, (size_t)((rows + 31) / 32));
    all->whole = true;
    versions_free(share);
    *share = all;
    return DP_OK;
}

dp_status versions_resolve(LakeTable *t, int64_t as_of, bool whole, int threads, const Comm *comm)
{
    int64_t *first = NULL, rows = t->first_row[t->manifest.n_partitions];
    int rank = comm_rank(comm);
    Versions *v = NULL;
    dp_status st = DP_OK;
    if (!comm_any(comm, !fits(t->versions, as_of, whole, comm)))
        return DP_OK;
    DP_GO_ALL(comm, share_rows(&first, t, comm_size(comm)));
    DP_GO_ALL(comm, new_versions(&v, as_of, first[rank], first[rank + 1], comm));
    DP_GO(resolve_share(v, t, first, threads, comm));
    if (whole)
        DP_GO(widen(&v, rows, comm));
    versions_free(&t->versions);
    t->versions = v;
    v = NULL;
done:
    versions_free(&v);
    dp_free(&first);
    return st;
}
