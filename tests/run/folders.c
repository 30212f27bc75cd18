/* RUN np=1,2,4 quick -- a run is found again, by one process at a time; checkpoints fall back; runs are listed. */
#include "check.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/publish.h"
#include "run/run.h"

static Comm *comm;
static char folder[64];
static dp_digest inputs_a, inputs_b;

static Run *open_run(const char *name, const dp_digest *inputs)
{
    Run *run = NULL;
    assert_ok(run_open(&run, folder, "train", name, inputs, "kind: model\n", comm));
    return run;
}

static void *file_of(const Run *run, const char *name)
{
    char path[512], *data = NULL;
    size_t size;
    snprintf(path, sizeof path, "%s/%s", run_facts(run).folder, name);
    assert_ok(dp_read_file(&data, &size, path, 1 << 20));
    return data;
}

static bool is_there(const char *place, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", place, name);
    bool there = access(path, F_OK) == 0;
    comm_wait_all(comm);
    return there;
}

static void an_unfinished_run_goes_on(void **state)
{
    (void)state;
    char id[96], place[256];
    Run *run = open_run("risk", &inputs_a);
    snprintf(id, sizeof id, "%s", run_facts(run).id);
    snprintf(place, sizeof place, "%s", run_facts(run).folder);
    assert_int_equal(run_facts(run).restarts, 0);
    assert_int_equal(id[4], '/');
    assert_string_equal(id + strlen(id) - 5, "-risk");
    assert_ok(run_metric(run, "{\"tree\": 1}"));
    run_note(run, "a note");
    assert_ok(run_close(&run, RUN_STOPPED, NULL, comm));
    assert_null(run);
    assert_true(is_there(place, "requeue"));

    run = open_run("risk", &inputs_a);
    assert_string_equal(run_facts(run).id, id);
    assert_int_equal(run_facts(run).restarts, 1);
    assert_false(is_there(place, "requeue"));
    assert_ok(run_metric(run, "{\"tree\": 2}"));
    comm_wait_all(comm);
    char *text = file_of(run, "metrics.jsonl");
    assert_string_equal(text, "{\"tree\": 1}\n{\"tree\": 2}\n");
    dp_free(&text);
    text = file_of(run, "log");
    assert_non_null(strstr(text, "Z  a note\n"));
    dp_free(&text);
    text = file_of(run, "config.yaml");
    assert_string_equal(text, "kind: model\n");
    dp_free(&text);
    assert_ok(run_close(&run, RUN_DONE, "risk:1", comm));

    run = open_run("risk", &inputs_a); /* the same minute: a suffix keeps them apart */
    assert_string_not_equal(run_facts(run).id, id);
    assert_ok(run_close(&run, RUN_DONE, "risk:1", comm));
}

static void other_inputs_are_another_run(void **state)
{
    (void)state;
    Run *a = open_run("risk", &inputs_a), *b = open_run("risk", &inputs_b);
    assert_string_not_equal(run_facts(a).id, run_facts(b).id);
    Run *second = NULL;
    assert_fails(run_open(&second, folder, "train", "risk", &inputs_a, "", comm), DP_ERR_AGAIN, "run-07");
    assert_null(second);
    assert_non_null(strstr(dp_error_last()->text, run_facts(a).id));
    assert_non_null(strstr(dp_error_last()->text, "pid "));
    assert_ok(run_close(&a, RUN_FAILED, NULL, comm));
    assert_ok(run_open(&second, folder, "train", "risk", &inputs_a, "", comm));
    assert_int_equal(run_facts(second).restarts, 1);
    assert_ok(run_close(&second, RUN_DONE, NULL, comm));
    assert_ok(run_close(&b, RUN_DONE, NULL, comm));
    assert_fails(run_open(&second, folder, "train", "../x", &inputs_a, "", comm), DP_ERR_USAGE, "run-08");
}

static void expect(Run *run, int64_t step, const void *data, size_t size)
{
    int64_t got_step;
    size_t got_size;
    char *got;
    assert_ok(run_checkpoint_load(run, &got_step, &got, &got_size, comm));
    assert_int_equal(got_size, size);
    assert_int_equal(got_step, step);
    if (size > 0)
        assert_memory_equal(got, data, size);
    dp_free(&got);
}

/* Changes one byte, or cuts the file before it. */
static void damage(const Run *run, const char *name, off_t at, bool cut)
{
    char path[512], byte;
    comm_wait_all(comm);
    if (comm_rank(comm) == 0) {
        snprintf(path, sizeof path, "%s/checkpoints/%s", run_facts(run).folder, name);
        int fd = open(path, O_RDWR);
        assert_true(fd >= 0);
        if (cut) {
            assert_int_equal(ftruncate(fd, at), 0);
        } else {
            assert_int_equal(pread(fd, &byte, 1, at), 1);
            byte ^= 0x10;
            assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        }
        close(fd);
    }
    comm_wait_all(comm);
}

static void two_generations_stand(void **state)
{
    (void)state;
    static char data[70000];
    Run *run = open_run("keep", &inputs_a);
    char place[300];
    snprintf(place, sizeof place, "%s/checkpoints", run_facts(run).folder);
    expect(run, 0, NULL, 0);
    for (int step = 1; step <= 4; step++) {
        memset(data, step, sizeof data);
        assert_ok(run_checkpoint_save(run, 100 * step, data, sizeof data - (size_t)step, comm));
        expect(run, 100 * step, data, sizeof data - (size_t)step);
    }
    comm_wait_all(comm);
    assert_false(is_there(place, "2"));
    assert_true(is_there(place, "3"));
    assert_true(is_there(place, "4"));
    assert_ok(run_close(&run, RUN_STOPPED, NULL, comm));

    run = open_run("keep", &inputs_a);
    expect(run, 400, data, sizeof data - 4);
    memset(data, 3, sizeof data);
    damage(run, "4", 56 + 12345, false);
    expect(run, 300, data, sizeof data - 3);
    /* a broken one is no reason to overwrite: the next save is a new generation */
    memset(data, 5, sizeof data);
    assert_ok(run_checkpoint_save(run, 500, data, sizeof data, comm));
    expect(run, 500, data, sizeof data);
    comm_wait_all(comm);
    assert_false(is_there(place, "4")); /* the broken one went, the whole one before it stays */
    damage(run, "5", 30, true);
    memset(data, 3, sizeof data);
    expect(run, 300, data, sizeof data - 3);
    damage(run, "3", 0, false);
    expect(run, 0, NULL, 0);
    memset(data, 6, sizeof data);
    assert_ok(run_checkpoint_save(run, 600, data, sizeof data, comm));
    expect(run, 600, data, sizeof data);
    assert_ok(run_close(&run, RUN_DONE, NULL, comm));
}

/* Every byte of a small checkpoint: no flip goes unseen. */
static void every_flip_is_seen(void **state)
{
    (void)state;
    Run *run = open_run("flip", &inputs_a);
    assert_ok(run_checkpoint_save(run, 1, "old", 3, comm));
    assert_ok(run_checkpoint_save(run, 2, "newer", 5, comm));
    for (off_t at = 0; at < 56 + 5; at += comm_size(comm)) {
        damage(run, "2", at, false);
        expect(run, 1, "old", 3);
        damage(run, "2", at, false);
        expect(run, 2, "newer", 5);
    }
    assert_ok(run_close(&run, RUN_DONE, NULL, comm));
}

static void a_cut_line_is_ended(void **state)
{
    (void)state;
    Run *run = open_run("line", &inputs_a);
    assert_ok(run_metric(run, "{\"tree\": 1"));
    char path[512];
    snprintf(path, sizeof path, "%s/metrics.jsonl", run_facts(run).folder);
    comm_wait_all(comm);
    if (comm_rank(comm) == 0)
        assert_int_equal(truncate(path, 6), 0);
    assert_ok(run_close(&run, RUN_FAILED, NULL, comm));
    run = open_run("line", &inputs_a);
    assert_ok(run_metric(run, "{\"tree\": 1}"));
    comm_wait_all(comm);
    char *text = file_of(run, "metrics.jsonl");
    assert_string_equal(text, "{\"tree\n{\"tree\": 1}\n");
    dp_free(&text);
    assert_ok(run_close(&run, RUN_DONE, NULL, comm));
}

/* Local functions, on rank 0 alone. */
static void looked_after(void)
{
    RunRow *rows, row;
    size_t n;
    assert_ok(run_list(&rows, &n, folder));
    assert_true(n >= 7);
    for (size_t i = 1; i < n; i++)
        assert_true(rows[i - 1].started >= rows[i].started);
    assert_ok(run_find(&row, folder, "-flip"));
    assert_int_equal(row.state, RUN_DONE);
    assert_false(row.alive);
    assert_ok(run_find(&row, folder, rows[0].id));
    assert_string_equal(row.id, rows[0].id);
    assert_fails(run_find(&row, folder, "risk"), DP_ERR_USAGE, "run-05");
    assert_fails(run_find(&row, folder, "flup"), DP_ERR_NO_INPUT, "run-04");
    assert_fails(run_find(&row, folder, ""), DP_ERR_NO_INPUT, "run-04");
    assert_fails(run_stop(folder, "-flip"), DP_ERR_USAGE, "run-11");
    dp_free(&rows);
    assert_ok(run_list(&rows, &n, "/nowhere/at/all"));
    assert_int_equal(n, 0);
    dp_free(&rows);
}

static void runs_are_listed_and_removed(void **state)
{
    (void)state;
    RunRow row;
    Run *run = open_run("live", &inputs_a);
    bool first = comm_rank(comm) == 0;
    if (first) {
        looked_after();
        assert_ok(run_find(&row, folder, "-live"));
        assert_int_equal(row.state, RUN_RUNNING);
        assert_true(row.alive);
        assert_int_equal(row.pid, getpid());
        assert_fails(run_remove(folder, "-live"), DP_ERR_AGAIN, "run-12");
        assert_ok(run_catch_signals());
        assert_int_equal(run_asked(), RUN_ASK_NOTHING);
        kill(getpid(), SIGUSR1);
        assert_int_equal(run_asked(), RUN_ASK_SAVE);
        assert_int_equal(run_asked(), RUN_ASK_NOTHING);
        assert_ok(run_stop(folder, "-live"));
        assert_int_equal(run_asked(), RUN_ASK_LEAVE);
        assert_int_equal(run_asked(), RUN_ASK_LEAVE);
        kill(getpid(), SIGINT);
        assert_int_equal(run_asked(), RUN_ASK_INTERRUPT);
    }
    assert_ok(run_close(&run, RUN_STOPPED, NULL, comm));
    if (first) {
        char path[512], *text = NULL;
        size_t size;
        assert_ok(run_find(&row, folder, "-live"));
        assert_int_equal(row.state, RUN_STOPPED);
        /* a state that is broken is listed, and can be removed */
        snprintf(path, sizeof path, "%s/%s/state.json", folder, row.id);
        assert_ok(dp_read_file(&text, &size, path, 1 << 16));
        dp_free(&text);
        assert_int_equal(truncate(path, 40), 0);
        assert_ok(run_find(&row, folder, "-live"));
        assert_string_equal(row.work, "?");
        assert_ok(run_remove(folder, "-live"));
        assert_fails(run_find(&row, folder, "-live"), DP_ERR_NO_INPUT, "run-04");
    }
    comm_wait_all(comm);
    run = open_run("live", &inputs_a); /* the .open file of the removed one misleads nobody */
    assert_int_equal(run_facts(run).restarts, 0);
    assert_ok(run_close(&run, RUN_DONE, NULL, comm));
}

static void threads_are_shared_fairly(void **state)
{
    (void)state;
    RunPlace place = run_place();
    assert_true(place.cores >= 1);
    assert_string_equal(place.launcher, comm_size(comm) > 1 ? "mpirun" : getenv("PMIX_RANK") ? "mpirun" : "none");
    int64_t threads = run_threads(0, comm), all = threads;
    assert_int_equal(run_threads(3, comm), 3);
    assert_true(threads >= 1);
    comm_sum_i64(comm, &all, 1);
    assert_true(all <= place.cores || threads == 1);
}

/* Groups take a part one at a time; what one leaves the next finds; a request to leave reaches all. */
static void parts_are_taken_by_one(void **state)
{
    (void)state;
    Comm *group = NULL;
    Run *run = open_run("parts", &inputs_a), *part = NULL, *other = NULL;
    int64_t step, taken;
    char *data = NULL;
    size_t size;
    assert_ok(comm_split(&group, comm, comm_rank(comm) % 2));
    assert_ok(run_part_open(&part, run, "trial-1", group));
    taken = part && comm_rank(group) == 0;
    comm_sum_i64(comm, &taken, 1);
    assert_int_equal(taken, 1); /* of the two groups one has it */
    if (part) {
        assert_ok(run_part_open(&other, run, "trial-1", group));
        assert_null(other);
        assert_ok(run_checkpoint_save(part, 7, "state", 5, group));
        assert_ok(run_metric(part, "{\"tree\": 7}"));
        assert_int_equal(run_asked_of(part), RUN_ASK_NOTHING);
    }
    assert_ok(run_part_close(&part, false, group));
    comm_wait_all(comm);
    assert_ok(run_part_open(&part, run, "trial-1", comm)); /* given back: all ranks together */
    assert_non_null(part);
    assert_ok(run_checkpoint_load(part, &step, &data, &size, comm));
    assert_int_equal(step, 7);
    assert_int_equal(size, 5);
    dp_free(&data);
    if (comm_rank(comm) == comm_size(comm) - 1)
        assert_ok(run_leave_parts(run));
    comm_wait_all(comm);
    assert_ok(run_part_close(&part, true, comm));
    assert_ok(run_part_open(&part, run, "trial-2", comm));
    assert_int_equal(run_asked_of(part), comm_rank(comm) == 0 ? RUN_ASK_LEAVE : RUN_ASK_NOTHING);
    assert_ok(run_part_close(&part, true, comm));
    assert_fails(run_part_open(&part, run, "../trial", comm), DP_ERR_USAGE, "run-08");
    assert_ok(run_close(&run, RUN_STOPPED, NULL, comm));
    run = open_run("parts", &inputs_a); /* a new start asks no one to leave */
    assert_ok(run_part_open(&part, run, "trial-1", comm));
    assert_int_equal(run_asked_of(part), RUN_ASK_NOTHING);
    assert_ok(run_checkpoint_load(part, &step, &data, &size, comm));
    assert_int_equal(size, 0);
    assert_ok(run_part_close(&part, true, comm));
    assert_ok(run_close(&run, RUN_DONE, NULL, comm));
    comm_close(&group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* before one that stops this process's own run: what was asked stays asked */
        cmocka_unit_test(parts_are_taken_by_one),       cmocka_unit_test(an_unfinished_run_goes_on),
        cmocka_unit_test(other_inputs_are_another_run), cmocka_unit_test(two_generations_stand),
        cmocka_unit_test(every_flip_is_seen),           cmocka_unit_test(a_cut_line_is_ended),
        cmocka_unit_test(runs_are_listed_and_removed),  cmocka_unit_test(threads_are_shared_fairly),
    };
    if (comm_open(&comm, NULL) != DP_OK)
        return 1;
    snprintf(folder, sizeof folder, "/tmp/dipper-run-XXXXXX");
    if (comm_rank(comm) == 0 && !mkdtemp(folder))
        comm_abort(comm, 1);
    comm_share(comm, folder, sizeof folder, 0);
    memset(&inputs_a, 0xA1, sizeof inputs_a);
    memset(&inputs_b, 0xB2, sizeof inputs_b);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    comm_wait_all(comm);
    if (comm_rank(comm) == 0 && system(command) != 0)
        failed++;
    comm_close(&comm);
    return failed;
}
