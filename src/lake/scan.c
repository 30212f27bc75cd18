/* A scan: a rank's blocks are taken in order by its threads and given in order to the caller. The caller makes a block
 * itself when nobody has begun it, so that one thread is a scan too. */
#include <stdlib.h>
#include <string.h>

#include "lake/scan_priv.h"
#include "lake/versions.h"

/* ---- what is read ---- */

static int need_of(LakeScan *scan, int column)
{
    for (int k = 0; k < scan->n_need; k++)
        if (scan->need[k].column == column)
            return k;
    scan->need[scan->n_need] = (Need){.column = column, .known = -1};
    return scan->n_need++;
}

/* Is there a column among those the bins stand for that may not have been known yet? */
static bool bins_hidden(const LakeScan *scan)
{
    const LakeSchema *schema = &scan->table->manifest.schema;
    for (int k = 0; k < scan->n_need; k++)
        if (scan->need[k].instead && schema->columns[scan->need[k].column].known_at)
            return true;
    return false;
}

static void link_known(LakeScan *scan)
{
    const LakeSchema *schema = &scan->table->manifest.schema;
    if (scan->query.as_of == DP_TIME_MISSING || scan->query.all_versions)
        return;
    if (bins_hidden(scan))
        scan->bins.n = 0;
    for (int k = 0; k < scan->n_need; k++) { /* n_need grows: a known_at column may have one of its own */
        int known = lake_schema_find(schema, schema->columns[scan->need[k].column].known_at);
        if (known < 0)
            continue;
        int at = need_of(scan, known);
        scan->need[k].known = at;
    }
    /* What decides about a choosing column must be there as early. */
    for (int round = 0; round < scan->n_need; round++)
        for (int k = 0; k < scan->n_need; k++)
            if (scan->need[k].chooses && scan->need[k].known >= 0)
                scan->need[scan->need[k].known].chooses = true;
}

static dp_status check_query(const LakeTable *table, const LakeQuery *query)
{
    for (int i = 0; i < query->n_columns; i++)
        if (query->columns[i] < 0 || query->columns[i] >= table->manifest.schema.n)
            return dp_fail(DP_ERR_USAGE, "lake-09", "the table %s has no column number %d", table->name,
                           query->columns[i]);
    for (int i = 0; query->where && i < query->where->n; i++)
        if (query->where->terms[i].column < 0 || query->where->terms[i].column >= table->manifest.schema.n)
            return dp_fail(DP_ERR_USAGE, "lake-09", "the condition names no column of the table %s", table->name);
    return DP_OK;
}

static dp_status copy_where(LakeWhere *to, const LakeWhere *from)
{
    *to = (LakeWhere){0};
    if (!from || from->n == 0)
        return DP_OK;
    DP_TRY(dp_new(&to->terms, (size_t)from->n));
    for (; to->n < from->n; to->n++) {
        to->terms[to->n] = from->terms[to->n];
        to->terms[to->n].text = NULL;
        DP_TRY(dp_copy_text(&to->terms[to->n].text, from->terms[to->n].text));
    }
    return DP_OK;
}

static dp_status list_needs(LakeScan *scan)
{
    const LakeSchema *schema = &scan->table->manifest.schema;
    const LakeQuery *query = &scan->query;
    int recorded = lake_schema_find(schema, schema->recorded);
    DP_TRY(dp_new(&scan->need, (size_t)schema->n));
    DP_TRY(dp_new(&scan->shown, (size_t)query->n_columns));
    for (int i = 0; i < query->n_columns; i++) {
        scan->shown[i] = need_of(scan, query->columns[i]);
        scan->need[scan->shown[i]].shown = true;
        scan->need[scan->shown[i]].instead = i < scan->bins.instead;
    }
    for (int i = scan->bins.instead; i < query->n_columns; i++) /* asked for once more, on its own account */
        scan->need[scan->shown[i]].instead = false;
    for (int i = 0; i < scan->where.n; i++)
        scan->need[need_of(scan, scan->where.terms[i].column)].chooses = true;
    scan->recorded = -1;
    if (recorded >= 0 && query->as_of != DP_TIME_MISSING && !query->all_versions && !scan->versions) {
        scan->recorded = need_of(scan, recorded);
        scan->need[scan->recorded].chooses = true;
    }
    link_known(scan);
    return DP_OK;
}

void scan_share(const LakeTable *t, const LakeQuery *query, const Comm *comm, int64_t *first, int64_t *end)
{
    int64_t blocks = t->first_block[t->manifest.n_partitions], rank = comm_rank(comm), size = comm_size(comm);
    *first = query->whole ? 0 : table_share(blocks, rank, size);
    *end = query->whole ? blocks : table_share(blocks, rank + 1, size);
}

static void set_blocks(LakeScan *scan, int64_t first, int64_t end)
{
    const LakeTable *t = scan->table;
    scan->first = first;
    scan->end = end;
    while (scan->first_part < t->manifest.n_partitions && t->first_block[scan->first_part + 1] <= scan->first)
        scan->first_part++;
    while (scan->first_part + scan->n_parts < t->manifest.n_partitions &&
           t->first_block[scan->first_part + scan->n_parts] < scan->end)
        scan->n_parts++;
    scan->next_take = scan->next_give = scan->first;
}

/* ---- threads ---- */

static dp_status make_block(LakeScan *scan, Slot *slot, Codec *codec, int64_t b)
{
    dp_status st = fetch_block(scan, slot, codec, b);
    if (st != DP_OK)
        slot->error = *dp_error_last();
    return st;
}

static Slot *slot_of(LakeScan *scan, int64_t b)
{
    return &scan->slot[b % scan->n_slots];
}

/* A block whose slot is not held by an earlier one. */
static bool can_take(const LakeScan *scan)
{
    return scan->next_take < scan->end && scan->next_take < scan->next_give - scan->given + scan->n_slots;
}

static void *work(void *arg)
{
    LakeScan *scan = arg;
    Codec codec = {0};
    pthread_mutex_lock(&scan->lock);
    while (!scan->stop && scan->next_take < scan->end) {
        if (!can_take(scan)) {
            pthread_cond_wait(&scan->change, &scan->lock);
            continue;
        }
        int64_t b = scan->next_take++;
        Slot *slot = slot_of(scan, b);
        slot->state = SLOT_BUSY;
        pthread_mutex_unlock(&scan->lock);
        dp_status st = make_block(scan, slot, &codec, b);
        pthread_mutex_lock(&scan->lock);
        slot->status = st;
        slot->state = SLOT_READY;
        pthread_cond_broadcast(&scan->change);
    }
    pthread_mutex_unlock(&scan->lock);
    codec_free(&codec);
    return NULL;
}

static dp_status start(LakeScan *scan)
{
    int threads = scan->query.threads < 1 ? 1 : scan->query.threads;
    int64_t blocks = scan->end - scan->first;
    int helpers = threads - 1 < blocks ? threads - 1 : (int)blocks;
    scan->n_slots = helpers > 0 ? helpers + 2 : 1;
    DP_TRY(dp_new(&scan->slot, (size_t)scan->n_slots));
    DP_TRY(dp_new(&scan->part, (size_t)scan->n_parts));
    for (int i = 0; i < scan->n_slots; i++) {
        DP_TRY(dp_new(&scan->slot[i].value, (size_t)scan->n_need));
        DP_TRY(dp_new(&scan->slot[i].column, (size_t)scan->query.n_columns));
        DP_TRY(dp_new(&scan->slot[i].bins, (size_t)scan->bins.n));
    }
    DP_TRY(dp_new(&scan->thread, (size_t)helpers));
    for (; scan->n_threads < helpers; scan->n_threads++) {
        int err = pthread_create(&scan->thread[scan->n_threads], NULL, work, scan);
        if (err != 0)
            return dp_fail(DP_ERR_AGAIN, "lake-19", "cannot start %d reading threads: %s; ask for fewer (threads=1)",
                           helpers, strerror(err));
    }
    return DP_OK;
}

static bool versions_asked(const LakeTable *table, const LakeQuery *query)
{
    return !query->all_versions && versions_needed(table);
}

dp_status scan_build(LakeScan **out, LakeTable *table, const LakeQuery *query, int64_t first, int64_t end)
{
    LakeScan *scan = NULL;
    dp_status st = DP_OK;
    *out = NULL;
    DP_TRY(dp_new(&scan, 1));
    pthread_mutex_init(&scan->lock, NULL);
    pthread_cond_init(&scan->change, NULL);
    scan->table = table;
    scan->query = *query;
    scan->query.columns = NULL;
    scan->versions = versions_asked(table, query) ? table->versions : NULL;
    scan->hide_deleted = !query->all_versions && !scan->versions;
    DP_GO(copy_where(&scan->where, query->where));
    if (query->bins)
        scan->bins = *query->bins;
    scan->query.bins = NULL;
    set_blocks(scan, first, end);
    scan->query.columns = query->columns; /* borrowed until list_needs is done */
    DP_GO(list_needs(scan));
    scan->query.columns = NULL;
    DP_GO(start(scan));
done:
    if (st != DP_OK)
        lake_scan_close(&scan);
    *out = scan;
    return st;
}

dp_status lake_scan(LakeScan **scan, LakeTable *table, const LakeQuery *query, const Comm *comm)
{
    int64_t first, end;
    dp_status st = DP_OK;
    scan_share(table, query, comm, &first, &end);
    *scan = NULL;
    DP_GO_ALL(comm, check_query(table, query));
    if (versions_asked(table, query))
        DP_GO(versions_resolve(table, query->as_of, query->whole, query->threads, comm));
    DP_GO_ALL(comm, scan_build(scan, table, query, first, end));
done:
    if (st != DP_OK)
        lake_scan_close(scan);
    return st;
}

/* Waits until block b is made, or makes it. The lock is held. */
static dp_status finish_block(LakeScan *scan, int64_t b)
{
    Slot *slot = slot_of(scan, b);
    if (scan->next_take == b) {
        scan->next_take++;
        slot->state = SLOT_BUSY;
        pthread_mutex_unlock(&scan->lock);
        dp_status st = make_block(scan, slot, &scan->codec, b);
        pthread_mutex_lock(&scan->lock);
        slot->status = st;
        slot->state = SLOT_READY;
    }
    while (slot->state != SLOT_READY)
        pthread_cond_wait(&scan->change, &scan->lock);
    return slot->status == DP_OK ? DP_OK : dp_fail_as(&slot->error);
}

/* The block before is the caller's no longer. The lock is held. */
static void give_back(LakeScan *scan)
{
    if (!scan->given)
        return;
    scan->given = false;
    fetch_release(scan, scan->next_give - 1);
    pthread_cond_broadcast(&scan->change);
}

dp_status lake_next(LakeScan *scan, const LakeBlock **block)
{
    dp_status st = DP_OK;
    *block = NULL;
    pthread_mutex_lock(&scan->lock);
    while (st == DP_OK && !*block) {
        give_back(scan);
        if (scan->next_give == scan->end)
            break;
        int64_t b = scan->next_give;
        st = finish_block(scan, b);
        if (st != DP_OK)
            break;
        scan->next_give++;
        scan->given = true;
        if (slot_of(scan, b)->block.rows > 0)
            *block = &slot_of(scan, b)->block;
    }
    pthread_mutex_unlock(&scan->lock);
    return st;
}

void lake_scan_close(LakeScan **out)
{
    LakeScan *scan = *out;
    if (!scan)
        return;
    pthread_mutex_lock(&scan->lock);
    scan->stop = true;
    pthread_cond_broadcast(&scan->change);
    pthread_mutex_unlock(&scan->lock);
    for (int i = 0; i < scan->n_threads; i++)
        pthread_join(scan->thread[i], NULL);
    fetch_close(scan);
    for (int i = 0; scan->slot && i < scan->n_slots; i++) {
        for (int k = 0; scan->slot[i].value && k < scan->n_need; k++)
            value_free(&scan->slot[i].value[k]);
        dp_buf_free(&scan->slot[i].keep);
        dp_buf_free(&scan->slot[i].row);
        dp_buf_free(&scan->slot[i].flags);
        dp_buf_free(&scan->slot[i].deleted);
        dp_buf_free(&scan->slot[i].bin);
        dp_free(&scan->slot[i].bins);
        dp_free(&scan->slot[i].value);
        dp_free(&scan->slot[i].column);
    }
    codec_free(&scan->codec);
    lake_where_free(&scan->where);
    pthread_cond_destroy(&scan->change);
    pthread_mutex_destroy(&scan->lock);
    dp_free(&scan->slot);
    dp_free(&scan->part);
    dp_free(&scan->thread);
    dp_free(&scan->need);
    dp_free(&scan->shown);
    dp_free(out);
}

int64_t lake_scan_rows(const LakeScan *scan)
{
    const LakeTable *t = scan->table;
    int64_t rows = 0;
    for (int p = scan->first_part; p < scan->first_part + scan->n_parts; p++) {
        int64_t all = t->manifest.partitions[p].rows, each = block_rows_of(all), first = t->first_block[p];
        int64_t from = scan->first > first ? (scan->first - first) * each : 0;
        int64_t to = scan->end < t->first_block[p + 1] ? (scan->end - first) * each : all;
        rows += to - from;
    }
    return rows;
}
