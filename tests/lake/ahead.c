/* RUN np=1 quick -- a scan reads ahead: while its caller holds a block, the threads beside it make the next ones; no
 * more than they have room for, and never into the block that is held. */
#include "fixture.h"

#include <errno.h>
#include <time.h>

#include "lake/scan_priv.h"

enum { BLOCKS = 9, ROWS = 300, PATIENCE_S = 60 };

static char lake[64];
static Comm *comm;

static bool all_made(const LakeScan *scan, int64_t ahead)
{
    if (scan->next_take < scan->next_give + ahead)
        return false;
    for (int64_t b = scan->next_give; b < scan->next_give + ahead; b++)
        if (scan->slot[b % scan->n_slots].state != SLOT_READY)
            return false;
    return true;
}

/* Nothing but the scan's threads can make these blocks: the caller's thread waits here, its block in its hands. */
static void wait_for(LakeScan *scan, int64_t ahead)
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&scan->lock);
    while (!all_made(scan, ahead))
        if (pthread_cond_timedwait(&scan->change, &scan->lock, &end) == ETIMEDOUT)
            fail_msg("%lld blocks are not made while one is held", (long long)ahead);
    assert_true(scan->next_take - scan->next_give < scan->n_slots);
    pthread_mutex_unlock(&scan->lock);
}

static void blocks_are_made_while_one_is_held(void **state)
{
    (void)state;
    static const int columns[] = {F_ID, F_VALUE, F_OFFICE, F_HS6};
    LakeTable *table = NULL;
    fixture_deliver(lake, "fixture", 0, BLOCKS, ROWS, LAKE_ZSTD, "only", comm);
    assert_ok(lake_open(&table, lake, "fixture", comm));
    for (int threads = 2; threads <= 4; threads++) {
        LakeQuery query = {.columns = columns, .n_columns = 4, .as_of = DP_TIME_MISSING, .threads = threads};
        LakeScan *scan = NULL;
        int64_t seen = 0;
        assert_ok(lake_scan(&scan, table, &query, comm));
        for (;;) {
            const LakeBlock *block;
            assert_ok(lake_next(scan, &block));
            if (!block)
                break;
            /* one slot is the caller's, all others are filled */
            int64_t left = BLOCKS - ++seen, room = scan->n_slots - 1;
            wait_for(scan, left < room ? left : room);
            fixture_block_same(block, columns, 4);
        }
        assert_int_equal(seen, BLOCKS);
        lake_scan_close(&scan);
    }
    lake_close(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(blocks_are_made_while_one_is_held)};
    if (comm_open(&comm, NULL) != DP_OK)
        return 1;
    fixture_folder(lake, comm);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fixture_sweep(lake, comm);
    comm_close(&comm);
    return failed;
}
