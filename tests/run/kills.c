/* RUN np=1 -- killed, or failing, at any system call that changes a file: the run goes on from a whole
 * checkpoint. One of many processes gets a run; a killed one gives it back. */
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/publish.h"
#include "run/run_priv.h"

/* ---- the system calls, with a fault at the n-th ---- */

static struct Fault {
    int at;    /* the n-th call is hit; 0: none */
    int error; /* it fails with this errno; 0: the process is killed before it */
    int calls;
} fault;

static bool hit(void)
{
    if (fault.at == 0 || ++fault.calls != fault.at)
        return false;
    if (fault.error == 0)
        kill(getpid(), SIGKILL);
    errno = fault.error;
    return true;
}

/* These take the place of libc's for the library under test. */
ssize_t write(int fd, const void *data, size_t size)
{
    return hit() ? -1 : syscall(SYS_write, fd, data, size);
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    return hit() ? -1 : syscall(SYS_pwrite64, fd, data, size, at);
}
int fsync(int fd)
{
    (void)fd; /* a killed process, unlike a power cut, loses nothing that was written: no need to wait for the disk */
    return hit() ? -1 : 0;
}
int ftruncate(int fd, off_t size)
{
    return hit() ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}
int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return hit() ? -1 : (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
}
int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    return hit() ? -1 : (int)syscall(SYS_linkat, from_dir, from, to_dir, to, flags);
}
int unlink(const char *path)
{
    return hit() ? -1 : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}
int mkdir(const char *path, mode_t mode)
{
    return hit() ? -1 : (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

/* ---- work that saves three times ---- */

enum { STEPS = 3, SIZE = 3000 };

static Comm *comm;
static char folder[64];
static dp_digest inputs;
static volatile struct Seen {
    int saved; /* the last step whose save came back good */
} * seen;

static void fill(char *data, int64_t step)
{
    memset(data, (int)step * 7, SIZE);
}

/* Takes the run up where it stands and works to the end. */
static dp_status work(void)
{
    char data[SIZE], *got = NULL;
    int64_t step;
    size_t size;
    Run *run = NULL;
    dp_status st = DP_OK;
    DP_GO(run_open(&run, folder, "train", "risk", &inputs, "kind: model\n", comm));
    DP_GO(run_checkpoint_load(run, &step, &got, &size, comm));
    if (size > 0) {
        fill(data, step);
        if (size != SIZE || memcmp(got, data, SIZE) != 0)
            st = dp_fail(DP_ERR_DATA, "test-01", "the checkpoint of step %d holds something else", (int)step);
    }
    if (st == DP_OK && run_facts(run).restarts > 0 && step < seen->saved)
        st = dp_fail(DP_ERR_DATA, "test-02", "step %d was saved, step %d came back", seen->saved, (int)step);
    DP_GO(st);
    while (step < STEPS) {
        fill(data, ++step);
        DP_GO(run_metric(run, "{\"step\": 1}"));
        DP_GO(run_checkpoint_save(run, step, data, SIZE, comm));
        seen->saved = (int)step;
    }
    dp_free(&got);
    return run_close(&run, RUN_DONE, "risk:1", comm);
done:
    dp_free(&got);
    run_close(&run, RUN_FAILED, NULL, comm);
    return st;
}

static int in_child(const struct Fault *planned)
{
    int end;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        fault = *planned;
        dp_status st = work();
        if (dp_error_last()->status != DP_OK && !strncmp(dp_error_last()->id, "test-", 5))
            st = DP_ERR_INTERNAL;
        _exit(st);
    }
    assert_int_equal(waitpid(child, &end, 0), child);
    return end;
}

static int entries(const char *place, bool hidden)
{
    int n = 0;
    DIR *dir = opendir(place);
    for (struct dirent *e; dir && (e = readdir(dir));)
        n += hidden ? strncmp(e->d_name, ".tmp.", 5) == 0 : e->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return n;
}

/* The second life ends well, in the same run if it had one, and leaves nothing beside. */
static void second_life(int n)
{
    RunRow *rows;
    size_t count;
    char place[300];
    fault = (struct Fault){0};
    if (work() != DP_OK)
        fail_msg("after call %d: %s [%s] %s", n, dp_error_last()->text, dp_error_last()->id, dp_error_last()->trace);
    assert_ok(run_list(&rows, &count, folder));
    assert_in_range(count, 1, 2); /* two: the first was done, but had not yet said so to those who look for it */
    assert_int_equal(rows[0].state, RUN_DONE);
    assert_int_equal(rows[count - 1].state, RUN_DONE);
    snprintf(place, sizeof place, "%s/%s", folder, rows[0].id);
    assert_int_equal(entries(place, true), 0);
    snprintf(place, sizeof place, "%s/%s/checkpoints", folder, rows[0].id);
    assert_int_equal(entries(place, true), 0);
    assert_in_range(entries(place, false), 1, 3); /* killed before the oldest went: the next save takes it */
    snprintf(place, sizeof place, "%s/.open", folder);
    assert_int_equal(entries(place, false), 0);
    dp_free(&rows);
    assert_ok(run_remove_tree(folder));
    assert_int_equal(mkdir(folder, 0700), 0);
    seen->saved = 0;
}

static void killed_at_any_call(void **state)
{
    int n = 0, end;
    (void)state;
    do {
        end = in_child(&(struct Fault){.at = ++n});
        if (!WIFSIGNALED(end))
            assert_int_equal(WEXITSTATUS(end), 0);
        second_life(n);
    } while (WIFSIGNALED(end));
    assert_in_range(n, 30, 300);
}

static void failing_at_any_call(void **state)
{
    static const int errors[] = {ENOSPC, EIO};
    (void)state;
    for (int i = 0; i < 2; i++) {
        int n = 0, end, code;
        do {
            end = in_child(&(struct Fault){.at = ++n, .error = errors[i]});
            assert_true(WIFEXITED(end));
            code = WEXITSTATUS(end);
            if (code != 0 && code != DP_ERR_IO && code != DP_ERR_CREATE)
                fail_msg("call %d failing with %s: exit code %d", n, strerror(errors[i]), code);
            second_life(n);
        } while (code != 0 || n < 60); /* a few calls may fail without harm: notes of the log */
        assert_in_range(n, 30, 300);
    }
}

static void one_of_many_gets_it(void **state)
{
    enum { MANY = 8 };
    pid_t child[MANY];
    int start[2], go[2], end, got = 0;
    (void)state;
    assert_int_equal(pipe(start), 0);
    assert_int_equal(pipe(go), 0);
    for (int i = 0; i < MANY; i++)
        if ((child[i] = fork()) == 0) {
            Run *run = NULL;
            char c;
            prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
            if (read(start[0], &c, 1) != 1)
                _exit(1);
            dp_status st = run_open(&run, folder, "train", "risk", &inputs, "", comm);
            if (st != DP_OK)
                _exit(strcmp(dp_error_last()->id, "run-07") == 0 ? st : 1);
            if (write(go[1], "x", 1) == 1)
                pause(); /* until killed, holding the run */
            _exit(1);
        }
    assert_int_equal(write(start[1], "12345678", MANY), MANY);
    pid_t winner = 0;
    char c;
    assert_int_equal(read(go[0], &c, 1), 1);
    for (int i = 0; i < MANY - 1; i++) {
        pid_t one = waitpid(-1, &end, 0);
        assert_true(WIFEXITED(end));
        assert_int_equal(WEXITSTATUS(end), DP_ERR_AGAIN);
        for (int j = 0; j < MANY; j++)
            if (child[j] == one)
                child[j] = 0;
    }
    for (int j = 0; j < MANY; j++)
        if (child[j]) {
            winner = child[j];
            got++;
        }
    assert_int_equal(got, 1);
    RunRow row;
    Run *run = NULL;
    assert_ok(run_find(&row, folder, "risk"));
    assert_true(row.alive);
    assert_int_equal(row.pid, winner);
    assert_fails(run_open(&run, folder, "train", "risk", &inputs, "", comm), DP_ERR_AGAIN, "run-07");
    kill(winner, SIGKILL);
    assert_int_equal(waitpid(winner, &end, 0), winner);
    assert_ok(run_find(&row, folder, "risk"));
    assert_false(row.alive);
    assert_fails(run_stop(folder, "risk"), DP_ERR_USAGE, "run-11");
    assert_ok(run_open(&run, folder, "train", "risk", &inputs, "", comm));
    assert_int_equal(run_facts(run).restarts, 1);
    assert_ok(run_close(&run, RUN_DONE, NULL, comm));
    for (int i = 0; i < 2; i++) {
        close(start[i]);
        close(go[i]);
    }
}

static void put_script(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, 0700), 0);
}

/* A run whose process is not here but whose Slurm job is known is stopped through scancel. */
static void a_job_is_stopped_through_slurm(void **state)
{
    (void)state;
    char *said = NULL, script[160], path[128], *old_path = strdup(getenv("PATH"));
    size_t size;
    pid_t child = fork();
    if (child == 0) {
        Run *run = NULL;
        setenv("SLURM_JOB_ID", "4711", 1);
        run_open(&run, folder, "score", "night", &inputs, "", comm);
        kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    snprintf(script, sizeof script, "#!/bin/sh\necho \"$@\" >%s/said\n", folder);
    put_script("scancel", script);
    setenv("PATH", folder, 1);
    assert_ok(run_stop(folder, "night"));
    setenv("PATH", old_path, 1);
    snprintf(path, sizeof path, "%s/said", folder);
    assert_ok(dp_read_file(&said, &size, path, 100));
    assert_string_equal(said, "--signal=USR2 4711\n");
    dp_free(&said);
    put_script("scancel", "#!/bin/sh\nexit 1\n");
    setenv("PATH", folder, 1);
    assert_fails(run_stop(folder, "night"), DP_ERR_DENIED, "run-10");
    setenv("PATH", "/nowhere", 1);
    assert_fails(run_stop(folder, "night"), DP_ERR_NO_INPUT, "run-10");
    setenv("PATH", old_path, 1);
    free(old_path);
    assert_ok(run_remove(folder, "night"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_any_call),
        cmocka_unit_test(failing_at_any_call),
        cmocka_unit_test(one_of_many_gets_it),
        cmocka_unit_test(a_job_is_stopped_through_slurm),
    };
    seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    snprintf(folder, sizeof folder, "/tmp/dipper-kills-XXXXXX");
    if (seen == MAP_FAILED || !mkdtemp(folder) || comm_open(&comm, NULL) != DP_OK)
        return 1;
    memset(&inputs, 0xC3, sizeof inputs);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    if (system(command) != 0)
        failed++;
    comm_close(&comm);
    return failed;
}
