/* For O_TMPFILE-free, portable publishing only POSIX calls are used. */
#include "base/publish.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"

enum { FILE_MODE = 0640, FOLDER_MODE = 02750, PATH_ROOM = 4096, NAME_ROOM = 256 };
enum { CLOCKS_DIFFER = 60 }; /* seconds, of a file server's from ours at most */

struct dp_publish {
    int dir, fd;
    const void *whole; /* all bytes, where the caller still holds them; NULL: their digest is all that is known */
    dp_hash *hash;
    int64_t bytes;
    char *folder;
    char name[NAME_ROOM], tmp[NAME_ROOM];
};

static dp_status failed(const dp_publish *file, const char *what, dp_status otherwise)
{
    int err = errno;
    return dp_fail(dp_status_of_errno(err, otherwise), err == ENOSPC || err == EDQUOT ? "base-07" : "base-06",
                   "cannot %s %s/%s: %s%s", what, file->folder, file->name, strerror(err),
                   err == ENOSPC || err == EDQUOT
                       ? "; nothing was published, free some space and run the same command again"
                       : "");
}

/* ".tmp.<host>.<pid>.<number>": the owner can be asked for when the file is found later. */
static void name_beside(char *tmp)
{
    static atomic_uint number; /* not state: only keeps the names of one process apart */
    char host[64] = "host";
    gethostname(host, sizeof host - 1);
    snprintf(tmp, NAME_ROOM, ".tmp.%s.%ld.%u", host, (long)getpid(), atomic_fetch_add(&number, 1u));
}

dp_status dp_publish_open(dp_publish **file, const char *dir, const char *name)
{
    dp_status st = DP_OK;
    dp_publish *p = NULL;
    *file = NULL;
    DP_TRY(dp_new(&p, 1));
    p->dir = p->fd = -1;
    snprintf(p->name, sizeof p->name, "%s", name);
    name_beside(p->tmp);
    DP_GO(dp_copy_text(&p->folder, dir));
    DP_GO(dp_hash_start(&p->hash));
    p->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (p->dir < 0) {
        st = failed(p, "open the folder of", DP_ERR_CREATE);
        st = st == DP_ERR_NO_INPUT ? DP_ERR_CREATE : st;
        goto done;
    }
    p->fd = openat(p->dir, p->tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    if (p->fd < 0)
        st = failed(p, "create", DP_ERR_CREATE);
done:
    if (st != DP_OK)
        dp_publish_drop(&p);
    *file = p;
    return st;
}

dp_status dp_publish_write(dp_publish *file, const void *data, size_t size)
{
    const char *at = data;
    DP_TRY(dp_hash_add(file->hash, data, size));
    file->bytes += (int64_t)size;
    while (size > 0) {
        ssize_t n = write(file->fd, at, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return failed(file, "write", DP_ERR_IO);
        at += n;
        size -= (size_t)n;
    }
    return DP_OK;
}

static dp_status close_written(dp_publish *file)
{
    int fd = file->fd;
    file->fd = -1;
    return close(fd) == 0 ? DP_OK : failed(file, "close", DP_ERR_IO);
}

/* Does the file hold the bytes themselves? Several times cheaper than their digest, and no weaker. */
static dp_status compare(const dp_publish *file, const char *path, bool *same)
{
    enum { PIECE = 64 << 10 };
    char *piece = NULL;
    dp_status st = DP_OK;
    int64_t at = 0;
    ssize_t n = 0;
    int fd = openat(file->dir, file->tmp, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return dp_fail(dp_status_of_errno(errno, DP_ERR_IO), "base-05", "cannot open %s: %s", path, strerror(errno));
    DP_GO(dp_new(&piece, PIECE));
    *same = true;
    while (*same && ((n = read(fd, piece, PIECE)) > 0 || (n < 0 && errno == EINTR))) {
        if (n < 0)
            continue;
        *same = n <= file->bytes - at && memcmp(piece, (const char *)file->whole + at, (size_t)n) == 0;
        at += n;
    }
    if (n < 0)
        st = dp_fail(dp_status_of_errno(errno, DP_ERR_IO), "base-05", "cannot read %s: %s", path, strerror(errno));
    *same = *same && at == file->bytes;
done:
    dp_free(&piece);
    close(fd);
    return st;
}

static dp_status verify(const dp_publish *file, const dp_digest *expected)
{
    char path[PATH_ROOM];
    dp_digest found;
    bool same = false;
    snprintf(path, sizeof path, "%s/%s", file->folder, file->tmp);
    if (file->whole) {
        DP_TRY(compare(file, path, &same));
    } else {
        DP_TRY(dp_digest_of_file(&found, path));
        same = dp_digest_same(&found, expected);
    }
    if (!same)
        return dp_fail(
            DP_ERR_IO, "base-08",
            "%s/%s reads back other bytes than were written; the disk or its driver is broken, nothing was published",
            file->folder, file->name);
    return DP_OK;
}

static dp_status sync_it(const dp_publish *file, int fd, const char *what, double *seconds)
{
    double start = dp_clock_seconds();
    if (fsync(fd) != 0)
        return failed(file, what, DP_ERR_IO);
    *seconds += dp_clock_seconds() - start;
    return DP_OK;
}

static dp_status sync_file(const dp_publish *file, double *seconds)
{
    int fd = openat(file->dir, file->tmp, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return failed(file, "open", DP_ERR_IO);
    dp_status st = sync_it(file, fd, "sync", seconds);
    close(fd);
    return st;
}

static dp_status give_name(dp_publish *file, dp_publish_how how, bool *existed)
{
    if (how == DP_PUBLISH_REPLACE) {
        if (renameat(file->dir, file->tmp, file->dir, file->name) != 0)
            return failed(file, "name", DP_ERR_CREATE);
        file->tmp[0] = '\0';
        return DP_OK;
    }
    if (linkat(file->dir, file->tmp, file->dir, file->name, 0) == 0)
        return DP_OK; /* the drop below removes the other name */
    *existed = errno == EEXIST;
    return *existed ? DP_OK : failed(file, "name", DP_ERR_CREATE);
}

dp_status dp_publish_end(dp_publish **file, dp_publish_how how, dp_published *out)
{
    dp_publish *p = *file;
    dp_published done = {.bytes = p->bytes};
    dp_status st = DP_OK;
    DP_GO(close_written(p));
    DP_GO(dp_hash_end(&p->hash, &done.digest));
    DP_GO(verify(p, &done.digest));
    DP_GO(sync_file(p, &done.sync_seconds));
    DP_GO(give_name(p, how, &done.existed));
    if (!done.existed)
        DP_GO(sync_it(p, p->dir, "sync the folder of", &done.sync_seconds));
    if (out)
        *out = done;
done:
    dp_publish_drop(file);
    return st;
}

void dp_publish_drop(dp_publish **file)
{
    dp_publish *p = *file;
    if (!p)
        return;
    if (p->fd >= 0)
        close(p->fd);
    if (p->dir >= 0 && p->tmp[0])
        unlinkat(p->dir, p->tmp, 0);
    if (p->dir >= 0)
        close(p->dir);
    dp_hash_free(&p->hash);
    dp_free(&p->folder);
    dp_free(file);
}

dp_status dp_publish_bytes(const char *dir, const char *name, const void *data, size_t size, dp_publish_how how,
                           dp_published *out)
{
    dp_publish *file = NULL;
    dp_status st = DP_OK;
    DP_GO(dp_publish_open(&file, dir, name));
    DP_GO(dp_publish_write(file, data, size));
    file->whole = data;
    return dp_publish_end(&file, how, out);
done:
    dp_publish_drop(&file);
    return st;
}

/* Could process `pid` still be writing a file that was touched last at `touched`? Not when it has ended, though nobody
 * asked for its exit code yet (a container's first process may never), and not when its number was given out again. */
static bool may_write(long pid, time_t touched)
{
    char path[64], text[1024];
    struct timespec now, running; /* since 1970, since the machine started */
    unsigned long long began;     /* in ticks since the machine started */
    char life;
    if (kill((pid_t)pid, 0) != 0 && errno == ESRCH)
        return false;
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = 0;
    const char *behind = strrchr(text, ')'); /* of the program's name, which may hold anything */
    if (!behind ||
        sscanf(behind + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &life,
               &began) != 2)
        return true;
    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_BOOTTIME, &running);
    time_t started = now.tv_sec - running.tv_sec + (time_t)(began / (unsigned long long)sysconf(_SC_CLK_TCK));
    return life != 'Z' && life != 'X' && started <= touched + CLOCKS_DIFFER;
}

void dp_publish_sweep(const char *dir)
{
    char host[64] = "host", mine[96];
    struct dirent *entry;
    DIR *folder = opendir(dir);
    if (!folder)
        return;
    gethostname(host, sizeof host - 1);
    int n = snprintf(mine, sizeof mine, ".tmp.%s.", host);
    while ((entry = readdir(folder))) {
        char *end;
        struct stat about;
        if (strncmp(entry->d_name, mine, (size_t)n) != 0 ||
            fstatat(dirfd(folder), entry->d_name, &about, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        long pid = strtol(entry->d_name + n, &end, 10);
        if (*end == '.' && pid > 0 && !may_write(pid, about.st_mtime))
            unlinkat(dirfd(folder), entry->d_name, 0);
    }
    closedir(folder);
}

dp_status dp_make_folders(const char *path)
{
    char part[PATH_ROOM];
    size_t size = strlen(path);
    if (size >= sizeof part)
        return dp_fail(DP_ERR_CREATE, "base-09", "the path is longer than %d bytes: %.80s...", PATH_ROOM, path);
    memcpy(part, path, size + 1);
    for (char *at = part + 1;; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        char held = *at;
        *at = '\0';
        if (mkdir(part, FOLDER_MODE) != 0 && errno != EEXIST) {
            int err = errno;
            dp_status st = dp_status_of_errno(err, DP_ERR_CREATE);
            return dp_fail(st == DP_ERR_NO_INPUT ? DP_ERR_CREATE : st, "base-09", "cannot make the folder %s: %s", part,
                           strerror(err));
        }
        *at = held;
        if (held == '\0')
            return DP_OK;
    }
}

dp_status dp_read_file(char **data, size_t *size, const char *path, size_t max)
{
    dp_buf buf = {0};
    dp_status st = DP_OK;
    struct stat info;
    ssize_t n;
    *data = NULL;
    *size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe is refused, not waited for */
    if (fd < 0 || fstat(fd, &info) != 0) {
        st = dp_fail(dp_status_of_errno(errno, DP_ERR_IO), "base-05", "cannot open %s: %s", path, strerror(errno));
        goto done;
    }
    if (!S_ISREG(info.st_mode)) {
        st = dp_fail(DP_ERR_NO_INPUT, "base-10", "%s is not a regular file; name a file", path);
        goto done;
    }
    if (info.st_size > 0 && (uint64_t)info.st_size > max) {
        st = dp_fail(DP_ERR_DATA, "base-11", "%s has %lld bytes, over the limit of %zu", path, (long long)info.st_size,
                     max);
        goto done;
    }
    /* All at once, as a rule: one byte more tells that nothing follows. */
    DP_GO(dp_buf_reserve(&buf, info.st_size > 0 ? (size_t)info.st_size + 1 : 1));
    do {
        DP_GO(dp_buf_reserve(&buf, buf.room - buf.size > 1 ? 0 : 65536));
        n = read(fd, buf.data + buf.size, buf.room - buf.size - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            st = dp_fail(dp_status_of_errno(errno, DP_ERR_IO), "base-05", "cannot read %s: %s", path, strerror(errno));
            goto done;
        }
        buf.size += (size_t)n;
    } while (n != 0 && buf.size <= max);
    buf.data[buf.size] = '\0';
    *data = buf.data;
    *size = buf.size;
    buf.data = NULL;
done:
    dp_buf_free(&buf);
    if (fd >= 0)
        close(fd);
    return st;
}
