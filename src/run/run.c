/* A run from its first line to its last: found or made, written to by rank 0, closed. */
#include "run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/publish.h"
#include "base/text.h"
#include "run/run_priv.h"

enum { FILE_MODE = 0640, FOLDER_MODE = 02750, SAME_MINUTE_MAX = 1000 };

/* ---- locks ---- */

dp_status run_lock(int *fd, const char *path, bool wait)
{
    int err = 0;
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    if (*fd < 0)
        return dp_fail(dp_status_of_errno(errno, DP_ERR_CREATE), "run-01", "cannot open %s: %s", path, strerror(errno));
    while (flock(*fd, LOCK_EX | (wait ? 0 : LOCK_NB)) != 0 && (err = errno) == EINTR)
        err = 0;
    if (err == 0)
        return DP_OK;
    close(*fd);
    *fd = -1;
    if (err == EWOULDBLOCK)
        return DP_OK;
    return dp_fail(
        DP_ERR_IO, "run-06",
        "cannot lock %s: %s; the file system of the runs must offer file locks (Lustre: mount with -o flock)", path,
        strerror(err));
}

dp_status run_sign_lock(int fd, const char *folder, const char *host)
{
    char text[128];
    int n = snprintf(text, sizeof text, "pid %ld on %s\n", (long)getpid(), host);
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n)
        return dp_fail(dp_status_of_errno(errno, DP_ERR_IO), "run-01", "cannot write %s/lock: %s", folder,
                       strerror(errno));
    return DP_OK;
}

static dp_status held_by_another(const char *folder, const char *id)
{
    char path[RUN_PATH], holder[128] = "another process";
    DP_TRY(run_join(path, folder, "lock"));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? pread(fd, holder, sizeof holder - 1, 0) : -1;
    if (n > 0)
        holder[strcspn(holder, "\n")] = '\0';
    if (fd >= 0)
        close(fd);
    return dp_fail(DP_ERR_AGAIN, "run-07",
                   "run %s is at work on the same inputs (%s); wait for it, or `dipper run stop %s`", id, holder, id);
}

/* ---- found or made ---- */

dp_status run_open_append(int *fd, const char *folder, const char *name)
{
    char path[RUN_PATH], last = '\n';
    DP_TRY(run_join(path, folder, name));
    *fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    if (*fd < 0)
        return dp_fail(dp_status_of_errno(errno, DP_ERR_CREATE), "run-01", "cannot open %s: %s", path, strerror(errno));
    /* A line cut short by a kill or a full disk ends here, so that the next one is whole. */
    off_t size = lseek(*fd, 0, SEEK_END);
    if (size > 0 && pread(*fd, &last, 1, size - 1) == 1 && last != '\n' && write(*fd, "\n", 1) != 1)
        return dp_fail(dp_status_of_errno(errno, DP_ERR_IO), "run-01", "cannot write %s: %s", path, strerror(errno));
    return DP_OK;
}

/* The .open file of these inputs. It is written before the folder is made and goes when the run is done, so that a
 * killed process leaves no folder that nobody knows of. */
static dp_status open_file(char *path, char *folder, const Run *run)
{
    DP_TRY(run_join(folder, run->runs, ".open"));
    return run_join(path, folder, run->open_name);
}

static dp_status take_lock(Run *run, const char *id)
{
    char path[RUN_PATH];
    DP_TRY(run_join(path, run->folder, "checkpoints"));
    DP_TRY(dp_make_folders(path));
    DP_TRY(run_join(path, run->folder, "lock"));
    DP_TRY(run_lock(&run->lock, path, false));
    return run->lock < 0 ? held_by_another(run->folder, id) : DP_OK;
}

/* The unfinished run that the .open file names; *found false where there is none. Holds its lock. */
static dp_status take_up(Run *run, bool *found)
{
    char path[RUN_PATH], folder[RUN_PATH], *id = NULL;
    size_t size;
    RunRecord record;
    RunRow *row = &run->record.row;
    *found = false;
    DP_TRY(open_file(path, folder, run));
    if (access(path, F_OK) != 0)
        return DP_OK;
    DP_TRY(dp_read_file(&id, &size, path, sizeof row->id - 1));
    snprintf(row->id, sizeof row->id, "%s", id);
    dp_free(&id);
    DP_TRY(run_join(path, run->runs, row->id));
    if (access(path, F_OK) != 0)
        return DP_OK; /* removed, or never made */
    dp_status st = run_record_read(&record, path);
    if (st == DP_OK && (record.row.state == RUN_DONE || strcmp(record.inputs, run->record.inputs) != 0))
        return DP_OK;
    DP_TRY(dp_copy_text(&run->folder, path));
    DP_TRY(take_lock(run, row->id));
    if (st == DP_OK)
        run->record = record;
    else /* killed before its first state, or the state is broken: the checkpoints count */
        row->started = dp_clock_now();
    row->restarts += st != DP_ERR_NO_INPUT;
    *found = true;
    return DP_OK;
}

static dp_status publish(Run *run, const char *folder, const char *name, const char *text)
{
    dp_published published = {0};
    DP_TRY(dp_publish_bytes(folder, name, text, strlen(text), DP_PUBLISH_REPLACE, &published));
    run->sync_seconds += published.sync_seconds;
    return DP_OK;
}

static dp_status make_folder(Run *run)
{
    char path[RUN_PATH], open_path[RUN_PATH], open_folder[RUN_PATH], year[8], minute[16];
    char *id = run->record.row.id;
    time_t now = time(NULL);
    struct tm local;
    localtime_r(&now, &local);
    strftime(year, sizeof year, "%Y", &local);
    strftime(minute, sizeof minute, "%m%d-%H%M", &local);
    DP_TRY(run_join(path, run->runs, year));
    DP_TRY(dp_make_folders(path));
    DP_TRY(open_file(open_path, open_folder, run));
    for (int i = 1; i < SAME_MINUTE_MAX; i++) {
        int n = snprintf(id, sizeof run->record.row.id, "%s/%s-%s", year, minute, run->record.name);
        if (i > 1)
            snprintf(id + n, sizeof run->record.row.id - (size_t)n, "-%d", i);
        DP_TRY(run_join(path, run->runs, id));
        if (access(path, F_OK) == 0)
            continue;
        DP_TRY(publish(run, open_folder, run->open_name, id));
        if (mkdir(path, FOLDER_MODE) == 0)
            return dp_copy_text(&run->folder, path);
        break;
    }
    return dp_fail(dp_status_of_errno(errno, DP_ERR_CREATE), "run-02", "cannot make the run folder %s: %s", path,
                   strerror(errno));
}

static dp_status make_new(Run *run)
{
    RunRow *row = &run->record.row;
    row->started = dp_clock_now();
    row->restarts = 0;
    DP_TRY(make_folder(run));
    return take_lock(run, row->id);
}

/* The files of a run that begins or goes on. */
static dp_status begin(Run *run, const char *resolved)
{
    char path[RUN_PATH];
    RunRow *row = &run->record.row;
    RunPlace place = run_place();
    row->state = RUN_RUNNING;
    row->ended = DP_TIME_MISSING;
    row->made[0] = '\0';
    row->pid = getpid();
    run->record.pid_born = run_born(row->pid);
    memcpy(row->host, place.host, sizeof row->host);
    snprintf(row->slurm_job, sizeof row->slurm_job, "%s", place.slurm_job ? place.slurm_job : "");
    DP_TRY(run_sign_lock(run->lock, run->folder, row->host));
    dp_publish_sweep(run->folder);
    DP_TRY(publish(run, run->folder, "config.yaml", resolved));
    DP_TRY(run_record_write(&run->record, run->folder, &run->sync_seconds));
    static const char *const marks[] = {"requeue", "leave"};
    for (int i = 0; i < 2; i++) {
        DP_TRY(run_join(path, run->folder, marks[i]));
        if (unlink(path) != 0 && errno != ENOENT)
            return dp_fail(dp_status_of_errno(errno, DP_ERR_IO), "run-01", "cannot remove %s: %s", path,
                           strerror(errno));
    }
    DP_TRY(run_open_append(&run->metrics, run->folder, "metrics.jsonl"));
    return run_open_append(&run->log, run->folder, "log");
}

/* Removes what there is of a run that could not begin, and keeps the message of why. */
static void forget(const Run *run)
{
    char path[RUN_PATH], folder[RUN_PATH];
    dp_error why = *dp_error_last();
    if (run->folder)
        run_remove_tree(run->folder);
    if (open_file(path, folder, run) == DP_OK)
        unlink(path);
    dp_fail_as(&why);
}

/* Rank 0's part of run_open. Under the lock of all runs, so that two processes cannot both make one. */
static dp_status find_or_make(Run *run, const char *runs, const char *resolved)
{
    char path[RUN_PATH];
    bool found;
    int all = -1;
    dp_status st = DP_OK;
    DP_TRY(run_join(path, runs, ".open"));
    DP_TRY(dp_make_folders(path));
    if (!realpath(runs, path))
        return dp_fail(dp_status_of_errno(errno, DP_ERR_IO), "run-01", "cannot read the folder of runs %s: %s", runs,
                       strerror(errno));
    DP_TRY(dp_copy_text(&run->runs, path));
    DP_TRY(run_join(path, run->runs, ".lock"));
    DP_TRY(run_lock(&all, path, true));
    DP_GO(run_join(path, run->runs, ".open"));
    dp_publish_sweep(path);
    DP_GO(take_up(run, &found));
    if (!found)
        st = make_new(run);
    if (st == DP_OK)
        st = begin(run, resolved);
    if (st != DP_OK && !found)
        forget(run);
    DP_GO(st);
done:
    close(all);
    return st;
}

void run_let_go(Run **run)
{
    Run *r = *run;
    if (!r)
        return;
    if (r->metrics >= 0)
        close(r->metrics);
    if (r->log >= 0)
        close(r->log);
    if (r->lock >= 0)
        close(r->lock); /* gives the lock back */
    dp_free(&r->of);
    dp_free(&r->runs);
    dp_free(&r->folder);
    dp_free(run);
}

/* Every rank knows what rank 0 found. */
static dp_status tell_all(Run *run, const Comm *comm)
{
    size_t size = run->folder ? strlen(run->folder) : 0, runs_size = run->runs ? strlen(run->runs) : 0;
    comm_share(comm, &run->record, sizeof run->record, 0);
    DP_TRY(comm_share_any(comm, &run->folder, &size, 0));
    return comm_share_any(comm, &run->runs, &runs_size, 0);
}

dp_status run_open(Run **run, const char *runs, const char *work, const char *name, const dp_digest *inputs,
                   const char *resolved, const Comm *comm)
{
    dp_status st = DP_OK;
    Run *r = NULL;
    *run = NULL;
    DP_GO_ALL(comm, dp_new(&r, 1));
    r->lock = r->metrics = r->log = -1;
    r->writes = comm_rank(comm) == 0;
    if (!dp_name_is_good(work) || strlen(work) >= sizeof r->record.row.work || !dp_name_is_good(name))
        st = dp_fail(DP_ERR_USAGE, "run-08", "a run of '%.64s' cannot be named '%.64s'; use a-z, 0-9 and . _ -", work,
                     name);
    DP_GO_ALL(comm, st);
    snprintf(r->record.row.work, sizeof r->record.row.work, "%s", work);
    snprintf(r->record.name, sizeof r->record.name, "%s", name);
    dp_digest_print(r->record.inputs, inputs);
    snprintf(r->open_name, sizeof r->open_name, "%s-%s-%.32s", work, name, r->record.inputs);
    DP_GO_ALL(comm, r->writes ? find_or_make(r, runs, resolved) : DP_OK);
    DP_GO(tell_all(r, comm));
    if (r->record.row.restarts > 0)
        run_note(r, "taken up again");
done:
    if (st != DP_OK)
        run_let_go(&r);
    *run = r;
    return st;
}

RunFacts run_facts(const Run *run)
{
    const RunRow *row = &run->record.row;
    return (RunFacts){.id = row->id,
                      .folder = run->folder,
                      .work = row->work,
                      .state = row->state,
                      .restarts = row->restarts,
                      .sync_seconds = run->sync_seconds};
}

/* ---- written to ---- */

/* One write a line: lines of O_APPEND files do not mix, and a killed process cuts at most the last one. */
static dp_status append(int fd, const char *folder, const char *name, const dp_buf *line)
{
    size_t done = 0;
    while (done < line->size) {
        ssize_t n = write(fd, line->data + done, line->size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return dp_fail(dp_status_of_errno(errno, DP_ERR_IO), "run-01", "cannot write %s/%s: %s", folder, name,
                           strerror(errno));
        done += (size_t)n;
    }
    return DP_OK;
}

dp_status run_metric(Run *run, const char *json)
{
    dp_buf line = {0};
    if (!run->writes)
        return DP_OK;
    dp_status st = dp_buf_print(&line, "%s\n", json);
    if (st == DP_OK)
        st = append(run->metrics, run->folder, "metrics.jsonl", &line);
    dp_buf_free(&line);
    return st;
}

void run_note(Run *run, const char *text)
{
    char time[32];
    dp_buf line = {0};
    if (!run->writes)
        return;
    dp_time_print(time, dp_clock_now() / DP_SECOND * DP_SECOND);
    /* A note that cannot be written ends no run: what matters goes through run_metric and the checkpoints. */
    if (dp_buf_print(&line, "%s  %s\n", time, text) == DP_OK)
        append(run->log, run->folder, "log", &line);
    dp_buf_free(&line);
}

/* ---- closed ---- */

static dp_status finish(Run *run, RunState state, const char *made)
{
    char path[RUN_PATH], folder[RUN_PATH];
    RunRow *row = &run->record.row;
    row->state = state;
    row->ended = dp_clock_now();
    snprintf(row->made, sizeof row->made, "%s", made ? made : "");
    if (state == RUN_STOPPED)
        DP_TRY(
            dp_publish_bytes(run->folder, "requeue", row->slurm_job, strlen(row->slurm_job), DP_PUBLISH_REPLACE, NULL));
    DP_TRY(run_record_write(&run->record, run->folder, &run->sync_seconds));
    if (state != RUN_DONE)
        return DP_OK;
    DP_TRY(open_file(path, folder, run));
    if (unlink(path) != 0 && errno != ENOENT)
        return dp_fail(dp_status_of_errno(errno, DP_ERR_IO), "run-01", "cannot remove %s: %s", path, strerror(errno));
    return DP_OK;
}

dp_status run_close(Run **run, RunState state, const char *made, const Comm *comm)
{
    static const char *const notes[] = {"left open", "stopped; the same command goes on", "failed", "done"};
    if (!*run)
        return DP_OK;
    run_note(*run, notes[state]);
    dp_status st = comm_agree(comm, (*run)->writes ? finish(*run, state, made) : DP_OK);
    run_let_go(run);
    return st;
}
