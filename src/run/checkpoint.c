/* Checkpoints: two generations, each whole by its own digest.
 *
 * A file is a head (magic, step, size, SHA-256 of step, size and data; in the machine's byte order) and the data. It
 * gets its name, a number that grows, only when it is whole on disk, so no record of the newest is needed. Order of a
 * save: the new generation, then the oldest goes. Killed between any two system calls, one generation stands. */
#include "run/run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/publish.h"
#include "run/run_priv.h"

static const char magic[8] = "DPCKPT01";

typedef struct Head {
    char magic[8];
    int64_t step;
    uint64_t size;
    dp_digest digest;
} Head;
_Static_assert(sizeof(Head) == 56, "the head of a checkpoint has no holes");

enum { SEEN = 8, NAME_ROOM = 24 };

static dp_status digest_of(dp_digest *digest, const Head *head, const void *data)
{
    dp_hash *hash = NULL;
    dp_status st = DP_OK;
    DP_GO(dp_hash_start(&hash));
    DP_GO(dp_hash_add(hash, &head->step, sizeof head->step));
    DP_GO(dp_hash_add(hash, &head->size, sizeof head->size));
    DP_GO(dp_hash_add(hash, data, head->size));
    DP_GO(dp_hash_end(&hash, digest));
done:
    dp_hash_free(&hash);
    return st;
}

/* The newest generations in the folder, newest first. */
static dp_status generations(const Run *run, int64_t found[SEEN], int *n, char *folder)
{
    *n = 0;
    DP_TRY(run_join(folder, run->folder, "checkpoints"));
    DIR *dir = opendir(folder);
    if (!dir)
        return dp_fail(dp_status_of_errno(errno, DP_ERR_IO), "run-01", "cannot read %s: %s", folder, strerror(errno));
    for (struct dirent *entry; (entry = readdir(dir));) {
        size_t digits = strspn(entry->d_name, "0123456789");
        if (digits == 0 || digits > 18 || entry->d_name[digits])
            continue;
        int64_t generation = strtoll(entry->d_name, NULL, 10);
        int at = *n;
        while (at > 0 && found[at - 1] < generation)
            at--;
        if (at == SEEN)
            continue;
        *n += *n < SEEN;
        memmove(found + at + 1, found + at, (size_t)(*n - 1 - at) * sizeof *found);
        found[at] = generation;
    }
    closedir(dir);
    return DP_OK;
}

/* ---- save ---- */

static dp_status publish(const char *folder, const char *name, const Head *head, const void *data)
{
    dp_publish *file = NULL;
    dp_status st = DP_OK;
    DP_GO(dp_publish_open(&file, folder, name));
    DP_GO(dp_publish_write(file, head, sizeof *head));
    DP_GO(dp_publish_write(file, data, head->size));
    return dp_publish_end(&file, DP_PUBLISH_REPLACE, NULL);
done:
    dp_publish_drop(&file);
    return st;
}

/* Removes all generations but the one known to be whole; a broken newer one must not push it out. */
static dp_status thin_out(const Run *run, const char *folder, const int64_t *found, int n)
{
    int64_t keep = run->whole ? run->whole : n ? found[0] : 0;
    char path[RUN_PATH], name[NAME_ROOM];
    for (int i = 0; i < n; i++) {
        if (found[i] == keep)
            continue;
        snprintf(name, sizeof name, "%" PRId64, found[i]);
        DP_TRY(run_join(path, folder, name));
        if (unlink(path) != 0 && errno != ENOENT)
            return dp_fail(dp_status_of_errno(errno, DP_ERR_IO), "run-01", "cannot remove %s: %s", path,
                           strerror(errno));
    }
    return DP_OK;
}

static dp_status save(Run *run, int64_t step, const void *data, size_t size)
{
    Head head = {.step = step, .size = size};
    char folder[RUN_PATH], name[NAME_ROOM];
    int64_t found[SEEN];
    int n;
    memcpy(head.magic, magic, sizeof magic);
    DP_TRY(digest_of(&head.digest, &head, data));
    DP_TRY(generations(run, found, &n, folder));
    int64_t next = n ? found[0] + 1 : 1;
    snprintf(name, sizeof name, "%" PRId64, next);
    DP_TRY(publish(folder, name, &head, data));
    DP_TRY(thin_out(run, folder, found, n));
    run->whole = next;
    return DP_OK;
}

dp_status run_checkpoint_save(Run *run, int64_t step, const void *data, size_t size, const Comm *comm)
{
    return comm_agree(comm, run->writes ? save(run, step, data, size) : DP_OK);
}

/* ---- load ---- */

static dp_status read_all(int fd, void *data, size_t size, const char *path)
{
    char *at = data;
    while (size > 0) {
        ssize_t n = read(fd, at, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return dp_fail(DP_ERR_IO, "run-01", "cannot read %s: %s", path, strerror(errno));
        if (n == 0)
            return dp_fail(DP_ERR_DATA, "run-09", "the checkpoint %s ends too early", path);
        at += n;
        size -= (size_t)n;
    }
    return DP_OK;
}

static dp_status load_one(const char *path, int64_t *step, char **data, size_t *size)
{
    Head head;
    struct stat info;
    dp_digest digest;
    dp_status st = DP_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &info) != 0) {
        st = dp_fail(dp_status_of_errno(errno, DP_ERR_IO), "run-01", "cannot open %s: %s", path, strerror(errno));
        goto done;
    }
    DP_GO(read_all(fd, &head, sizeof head, path));
    if (memcmp(head.magic, magic, sizeof magic) != 0 || head.size != (uint64_t)info.st_size - sizeof head) {
        st = dp_fail(DP_ERR_DATA, "run-09", "%s is no whole checkpoint", path);
        goto done;
    }
    DP_GO(dp_new(data, head.size + 1));
    DP_GO(read_all(fd, *data, head.size, path));
    DP_GO(digest_of(&digest, &head, *data));
    if (!dp_digest_same(&digest, &head.digest)) {
        st = dp_fail(DP_ERR_DATA, "run-09", "the checkpoint %s does not fit its digest", path);
        goto done;
    }
    *step = head.step;
    *size = head.size;
done:
    if (fd >= 0)
        close(fd);
    if (st != DP_OK)
        dp_free(data);
    return st;
}

/* Says what is wrong with a generation, in the log and on the screen; the run goes on with the one before. */
static void warn(Run *run, const Comm *comm, const char *then)
{
    char line[DP_TEXT_MAX + 64];
    snprintf(line, sizeof line, "%s [%s]: %s", dp_error_last()->text, dp_error_last()->id, then);
    dp_say(comm_log(comm), DP_WARN, "resume", "%s", line);
    run_note(run, line);
}

static dp_status load(Run *run, int64_t *step, char **data, size_t *size, const Comm *comm)
{
    char folder[RUN_PATH], path[RUN_PATH], name[NAME_ROOM];
    int64_t found[SEEN];
    int n;
    DP_TRY(generations(run, found, &n, folder));
    dp_publish_sweep(folder);
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "%" PRId64, found[i]);
        DP_TRY(run_join(path, folder, name));
        dp_status st = load_one(path, step, data, size);
        if (st == DP_OK) {
            run->whole = found[i];
            return DP_OK;
        }
        if (st == DP_ERR_AGAIN)
            return st;
        warn(run, comm, i + 1 < n ? "going back to the checkpoint before" : "starting from the beginning");
    }
    return DP_OK;
}

dp_status run_checkpoint_load(Run *run, int64_t *step, char **data, size_t *size, const Comm *comm)
{
    *data = NULL;
    *size = 0;
    *step = 0;
    DP_TRY_ALL(comm, run->writes ? load(run, step, data, size, comm) : DP_OK);
    comm_share(comm, step, sizeof *step, 0);
    uint64_t bytes = *size;
    comm_share(comm, &bytes, sizeof bytes, 0);
    *size = bytes;
    return bytes > 0 ? comm_share_any(comm, data, size, 0) : DP_OK;
}
