/* RUN np=1,2,3 -- cards of several ranks sum to the bits that the host's messages give, of held memory and of other;
 * cards that do not reach each other say so on every rank, and nobody waits. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "comm/comm.h"
#include "device/device.h"

static Comm *comm;
static Device *device;

/* All ranks; true: all are in. */
static bool join_all(void)
{
    const TreeOps *ops = device_tree_ops(device);
    DeviceInvitation invitation;
    if (comm_any(comm, !ops->invite(device_context(device), NULL)))
        return false;
    bool invited = comm_rank(comm) == 0 && ops->invite(device_context(device), &invitation);
    if (!comm_any(comm, invited))
        return false;
    comm_share(comm, &invitation, sizeof invitation, 0);
    bool in = ops->join(device_context(device), &invitation, comm_rank(comm), comm_size(comm));
    assert_int_equal(comm_any(comm, in), !comm_any(comm, !in));
    return in;
}

/* Parts of any size: none, one number, more than goes over at a time. */
static void check_parts(uint64_t seed, bool held)
{
    static const int sizes[] = {0, 1, 9001, 30000, 4096, 0, 77};
    const TreeOps *ops = device_tree_ops(device);
    const DeviceContext *context = device_context(device);
    int counts[16], rank = comm_rank(comm);
    size_t n = 0;
    int64_t *all = NULL, *mine = NULL, *truth = NULL;
    for (int r = 0; r < comm_size(comm); r++) {
        counts[r] = sizes[(seed + (uint64_t)r) % (sizeof sizes / sizeof *sizes)];
        n += (size_t)counts[r];
    }
    size_t own = (size_t)counts[rank] * sizeof *mine;
    assert_ok(dp_new(&all, n + 1));
    assert_ok(dp_new(&mine, (size_t)counts[rank] + 1));
    assert_ok(dp_new(&truth, (size_t)counts[rank] + 1));
    for (size_t i = 0; i < n; i++)
        all[i] = (int64_t)dp_random_u64(seed, (uint64_t)rank, i) >> 4; /* sums of up to 8 ranks stay numbers */
    if (held) {
        ops->hold(context, all, n * sizeof *all);
        ops->put(context, all, n * sizeof *all);
        ops->hold(context, mine, own);
    }
    ops->sum_parts(context, &(DeviceParts){.all = all, .mine = mine, .counts = counts});
    ops->fetch(context, mine, own);
    assert_false(ops->lost(context));
    comm_reduce_scatter_i64(comm, all, truth, counts);
    if (own > 0)
        assert_memory_equal(mine, truth, own);
    if (held) {
        ops->release(context, all);
        ops->release(context, mine);
    }
    dp_free(&all);
    dp_free(&mine);
    dp_free(&truth);
}

static void sums_agree(void **state)
{
    (void)state;
    for (int again = 0; again < 2; again++) { /* another training on the same cards */
        assert_true(join_all());
        for (uint64_t seed = 0; seed < 8; seed++)
            check_parts(seed, seed % 2);
        device_tree_ops(device)->leave(device_context(device));
    }
}

static void cards_that_do_not_meet_say_so(void **state)
{
    (void)state;
    setenv("DIPPER_NCCL_RANKS", "1", 1);
    assert_int_equal(join_all(), comm_size(comm) == 1);
    device_tree_ops(device)->leave(device_context(device));
    unsetenv("DIPPER_NCCL_RANKS");
}

static void processors_stay_outside(void **state)
{
    (void)state;
    Device *cpu = NULL, *card = device;
    assert_ok(device_open(&cpu, "cpu", 0, 1));
    device = cpu;
    assert_false(join_all());
    device = card;
    device_close(&cpu);
}

static int open_card(void **state)
{
    (void)state;
    return device_open(&device, "cuda", 0, 1) == DP_OK && comm_open(&comm, NULL) == DP_OK ? 0 : -1;
}

static int close_card(void **state)
{
    (void)state;
    device_close(&device);
    comm_close(&comm);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_agree),
        cmocka_unit_test(cards_that_do_not_meet_say_so),
        cmocka_unit_test(processors_stay_outside),
    };
    unsetenv("DIPPER_CUDA_PLUGIN"); /* real ones are not as many as ranks */
    if (!check_card()) {
        puts("skipped: no C++ compiler, so no card that the processor plays");
        return 77;
    }
    return cmocka_run_group_tests(tests, open_card, close_card);
}
