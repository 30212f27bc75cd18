/* Looking after runs from outside: stop, remove. */
#include "run/run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run/run_priv.h"

extern char **environ;

/* ---- stop ---- */

static dp_status signal_job(const RunRow *row)
{
    char job[sizeof row->slurm_job];
    char *const command[] = {"scancel", "--signal=USR2", job, NULL};
    pid_t child;
    int end, err;
    memcpy(job, row->slurm_job, sizeof job);
    if (strspn(job, "0123456789_") != strlen(job))
        return dp_fail(DP_ERR_DATA, "run-03", "the state of run %s names the job '%s', which is no job", row->id, job);
    err = posix_spawnp(&child, "scancel", NULL, NULL, command, environ);
    if (err != 0)
        return dp_fail(DP_ERR_NO_INPUT, "run-10", "run %s belongs to Slurm job %s, but scancel cannot be started: %s",
                       row->id, job, strerror(err));
    while (waitpid(child, &end, 0) < 0)
        if (errno != EINTR)
            return dp_fail(DP_ERR_IO, "run-10", "scancel was lost: %s", strerror(errno));
    if (!WIFEXITED(end) || WEXITSTATUS(end) != 0)
        return dp_fail(DP_ERR_DENIED, "run-10", "scancel --signal=USR2 %s failed; is the job yours and still there?",
                       job);
    return DP_OK;
}

dp_status run_stop(const char *runs, const char *id)
{
    RunRecord record;
    const RunRow *row = &record.row;
    DP_TRY(run_record_find(&record, runs, id));
    if (row->state != RUN_RUNNING)
        return dp_fail(DP_ERR_USAGE, "run-11", "run %s does not run: there is nothing to stop", row->id);
    if (row->alive) {
        if (kill((pid_t)row->pid, SIGUSR2) == 0)
            return DP_OK;
        return dp_fail(dp_status_of_errno(errno, DP_ERR_DENIED), "run-10", "cannot signal process %lld of run %s: %s",
                       (long long)row->pid, row->id, strerror(errno));
    }
    if (row->slurm_job[0])
        return signal_job(row);
    char host[64] = "";
    gethostname(host, sizeof host - 1);
    if (strcmp(host, row->host) == 0)
        return dp_fail(DP_ERR_USAGE, "run-11",
                       "the process of run %s is gone: there is nothing to stop; the same command takes it up again",
                       row->id);
    return dp_fail(DP_ERR_USAGE, "run-11", "run %s runs on %s, not here; stop it there", row->id, row->host);
}

/* ---- remove ---- */

static dp_status cannot_remove(const char *what)
{
    return dp_fail(dp_status_of_errno(errno, DP_ERR_IO), "run-01", "cannot remove %s: %s", what, strerror(errno));
}

/* Removes all in the open folder; takes `fd`. depth bounds the recursion: run folders are two levels deep. */
static dp_status empty(int fd, const char *what, int depth)
{
    dp_status st = DP_OK;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return cannot_remove(what);
    }
    for (struct dirent *entry; st == DP_OK && (entry = readdir(dir));) {
        struct stat info;
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        if (fstatat(fd, name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
            st = errno == ENOENT ? DP_OK : cannot_remove(what);
            continue;
        }
        bool folder = S_ISDIR(info.st_mode);
        if (folder && depth > 0) {
            int below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            st = below < 0 ? cannot_remove(what) : empty(below, what, depth - 1);
        }
        if (st == DP_OK && unlinkat(fd, name, folder ? AT_REMOVEDIR : 0) != 0)
            st = cannot_remove(what);
    }
    closedir(dir);
    return st;
}

dp_status run_remove_tree(const char *folder)
{
    enum { DEPTH = 8 };
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return cannot_remove(folder);
    DP_TRY(empty(fd, folder, DEPTH));
    return rmdir(folder) == 0 ? DP_OK : cannot_remove(folder);
}

dp_status run_remove(const char *runs, const char *id)
{
    RunRecord record;
    char folder[RUN_PATH], path[RUN_PATH], open_folder[RUN_PATH];
    int lock, all;
    dp_status st = DP_OK;
    DP_TRY(run_record_find(&record, runs, id));
    DP_TRY(run_join(folder, runs, record.row.id));
    DP_TRY(run_join(path, runs, ".lock"));
    DP_TRY(run_lock(&all, path, true));
    DP_GO(run_join(path, folder, "lock"));
    DP_GO(run_lock(&lock, path, false));
    if (lock < 0) {
        st = dp_fail(DP_ERR_AGAIN, "run-12", "run %s is at work; stop it first: `dipper run stop %s`", record.row.id,
                     record.row.id);
        goto done;
    }
    st = run_remove_tree(folder);
    close(lock);
    DP_GO(st);
    /* The .open file may stay where the state is broken: it then names a folder that is not there, and is ignored. */
    if (record.name[0]) {
        char name[192];
        snprintf(name, sizeof name, "%s-%s-%.32s", record.row.work, record.name, record.inputs);
        DP_GO(run_join(open_folder, runs, ".open"));
        DP_GO(run_join(path, open_folder, name));
        if (unlink(path) != 0 && errno != ENOENT)
            st = cannot_remove(path);
    }
done:
    close(all);
    return st;
}
