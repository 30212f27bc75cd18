/* RUN np=1 -- signals to a process and to mpirun: all ranks leave at the same step with the right code and a
 * marker, and the same work, taken up on another number of ranks, ends as if nothing had been. No step is lost. */
#include "check.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/publish.h"
#include "run/run_priv.h"

enum { LEFT = 85, INTERRUPTED = 130 };

static const char *self;
static char folder[] = "/tmp/dipper-signals-XXXXXX";

/* ---- the worker: this program again, alone or under mpirun ---- */

typedef struct Work {
    int64_t step;
    uint64_t value;
} Work;

static void advance(Work *work)
{
    work->step++;
    work->value = work->value * UINT64_C(6364136223846793005) + (uint64_t)work->step;
}

/* Steps until asked to leave, or until the test says that it is enough; the exit code. */
static dp_status steps(int *code, Run *run, Work *work, const char *enough, const Comm *comm)
{
    char line[64];
    for (;;) {
        advance(work);
        snprintf(line, sizeof line, "{\"step\": %" PRId64 "}", work->step);
        DP_TRY_ALL(comm, run_metric(run, line));
        nanosleep(&(struct timespec){.tv_nsec = 4000000}, NULL);
        int64_t flags[2] = {run_asked(), access(enough, F_OK) == 0}, asked;
        comm_max_i64(comm, flags, 2);
        asked = flags[0];
        if (asked != RUN_ASK_NOTHING)
            DP_TRY(run_checkpoint_save(run, work->step, work, sizeof *work, comm));
        if (asked == RUN_ASK_LEAVE || asked == RUN_ASK_INTERRUPT) {
            *code = asked == RUN_ASK_LEAVE ? LEFT : INTERRUPTED;
            return DP_OK;
        }
        if (flags[1])
            return DP_OK;
    }
}

static dp_status worker(int *code, const char *runs)
{
    Comm *comm = NULL;
    Run *run = NULL;
    Work work = {0};
    dp_digest inputs = {{7}};
    char *saved = NULL, made[32], enough[300];
    size_t size;
    int64_t step;
    dp_status st = DP_OK;
    DP_TRY(run_catch_signals());
    DP_TRY(comm_open(&comm, NULL));
    DP_GO(run_open(&run, runs, "train", "signals", &inputs, "kind: model\n", comm));
    DP_GO(run_checkpoint_load(run, &step, &saved, &size, comm));
    if (size == sizeof work)
        memcpy(&work, saved, sizeof work);
    snprintf(enough, sizeof enough, "%s/enough", runs);
    DP_GO(steps(code, run, &work, enough, comm));
    snprintf(made, sizeof made, "%" PRIx64, work.value);
    st = run_close(&run, *code ? RUN_STOPPED : RUN_DONE, *code ? NULL : made, comm);
done:
    run_close(&run, RUN_FAILED, NULL, comm);
    dp_free(&saved);
    comm_close(&comm);
    return st;
}

/* ---- the one who sends signals ---- */

static pid_t start(int ranks)
{
    char count[8];
    snprintf(count, sizeof count, "%d", ranks);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
        if (ranks == 1)
            execl(self, self, "work", folder, (char *)NULL);
        else
            execlp(getenv("MPIEXEC") ? getenv("MPIEXEC") : "mpirun", "mpirun", "-n", count, self, "work", folder,
                   (char *)NULL);
        _exit(127);
    }
    return child;
}

/* Steps written to metrics.jsonl so far, and whether each came once and in order. */
static int steps_done(bool *in_order)
{
    RunRow *rows;
    char path[300], *text = NULL;
    size_t n, size;
    int lines = 0;
    *in_order = true;
    assert_ok(run_list(&rows, &n, folder));
    if (n > 0) {
        snprintf(path, sizeof path, "%s/%s/metrics.jsonl", folder, rows[0].id);
        if (access(path, F_OK) == 0)
            assert_ok(dp_read_file(&text, &size, path, 1 << 20));
    }
    for (char *line = text; line && *line; line = strchr(line, '\n') + 1) {
        lines++;
        *in_order &= strtol(line + strcspn(line, "0123456789"), NULL, 10) == lines;
        if (!strchr(line, '\n'))
            break;
    }
    dp_free(&text);
    dp_free(&rows);
    return lines;
}

static void wait_for_steps(int steps_wanted)
{
    bool in_order;
    for (int i = 0; i < 3000 && steps_done(&in_order) < steps_wanted; i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    assert_true(steps_done(&in_order) >= steps_wanted);
}

static int end_of(pid_t child)
{
    int end;
    while (waitpid(child, &end, 0) < 0)
        assert_int_equal(errno, EINTR);
    return WIFEXITED(end) ? WEXITSTATUS(end) : 256 + WTERMSIG(end);
}

static bool marked(const RunRow *row)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s/requeue", folder, row->id);
    return access(path, F_OK) == 0;
}

/* One life: started, signalled after some steps, ended with the code (-1: mpirun's own), stopped and marked. */
static void one_life(int ranks, int signal_number, int code)
{
    RunRow row;
    bool in_order;
    int before = steps_done(&in_order);
    pid_t child = start(ranks);
    wait_for_steps(before + 20);
    kill(child, signal_number);
    int end = end_of(child);
    if (code >= 0)
        assert_int_equal(end, code);
    assert_ok(run_find(&row, folder, "signals"));
    assert_int_equal(row.state, RUN_STOPPED);
    assert_true(marked(&row));
    assert_true(steps_done(&in_order) >= before + 20);
    assert_true(in_order);
}

static void no_step_is_lost(void **state)
{
    RunRow row;
    Work expected = {0};
    char made[32], enough[64];
    bool in_order;
    (void)state;
    one_life(1, SIGUSR2, LEFT);
    one_life(2, SIGUSR2, LEFT);
    one_life(1, SIGINT, INTERRUPTED);
    one_life(1, SIGTERM, LEFT);
    one_life(2, SIGTERM, -1); /* mpirun answers TERM with a code of its own: that is what the marker is for */
    int before = steps_done(&in_order);
    pid_t child = start(3);
    wait_for_steps(before + 20);
    kill(child, SIGUSR1); /* saves and goes on */
    wait_for_steps(steps_done(&in_order) + 20);
    snprintf(enough, sizeof enough, "%s/enough", folder);
    assert_ok(dp_publish_bytes(folder, "enough", "", 0, DP_PUBLISH_NEW, NULL));
    assert_int_equal(end_of(child), 0);
    assert_ok(run_find(&row, folder, "signals"));
    assert_int_equal(row.state, RUN_DONE);
    assert_int_equal(row.restarts, 5);
    assert_false(marked(&row));
    int all = steps_done(&in_order);
    assert_true(in_order);
    for (int i = 0; i < all; i++)
        advance(&expected);
    snprintf(made, sizeof made, "%" PRIx64, expected.value);
    assert_string_equal(row.made, made);
    assert_int_equal(unlink(enough), 0);
}

/* run_stop reaches a run by its id, from another process. */
static void stopped_by_its_id(void **state)
{
    RunRow row;
    (void)state;
    assert_ok(run_remove(folder, "signals"));
    pid_t child = start(1);
    wait_for_steps(10);
    assert_ok(run_find(&row, folder, "signals"));
    assert_true(row.alive);
    assert_fails(run_remove(folder, "signals"), DP_ERR_AGAIN, "run-12");
    assert_ok(run_stop(folder, "signals"));
    assert_int_equal(end_of(child), LEFT);
    assert_ok(run_find(&row, folder, "signals"));
    assert_int_equal(row.state, RUN_STOPPED);
    assert_false(row.alive);
    assert_ok(run_remove(folder, "signals"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_step_is_lost),
        cmocka_unit_test(stopped_by_its_id),
    };
    if (argc == 3 && strcmp(argv[1], "work") == 0) {
        int code = 0;
        dp_status st = worker(&code, argv[2]);
        if (st != DP_OK)
            fprintf(stderr, "%s [%s] %s\n", dp_error_last()->text, dp_error_last()->id, dp_error_last()->trace);
        return st != DP_OK ? (int)st : code;
    }
    self = argv[0];
    if (!mkdtemp(folder))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return run_remove_tree(folder) == DP_OK ? failed : 1;
}
