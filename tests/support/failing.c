/* libfailing.so, for LD_PRELOAD: the n-th call on a file below a folder fails, once; or each of them takes its time.
 *   SLOW_SYNC=50 (milliseconds that every fsync below FAIL_UNDER takes longer: a disk on which a job can be caught at
 * work) FAIL_UNDER=/folder  FAIL_CALL=write|sync|name|close|make  FAIL_AT=7  FAIL_MARK=/file (made when it happened)
 * write: write, pwrite, ftruncate (ENOSPC); sync: fsync, fdatasync (EIO); name: rename, link (EIO); close (EIO, and
 * the file is closed); make: open with O_CREAT, mkdir (ENOSPC).
 *   FAST_CLOCK=300 (the clock for durations runs so many times as fast) */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static bool below(const char *path)
{
    const char *folder = getenv("FAIL_UNDER");
    return folder && strncmp(path, folder, strlen(folder)) == 0;
}

static bool open_below(int fd)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0)
        return false;
    path[n] = '\0';
    return below(path);
}

/* A relative path is looked up from its folder. */
static bool named_below(int dir, const char *path)
{
    return path[0] == '/' ? below(path) : dir == AT_FDCWD ? false : open_below(dir);
}

static bool now(const char *call, int error)
{
    static atomic_int calls;
    const char *wanted = getenv("FAIL_CALL"), *at = getenv("FAIL_AT"), *mark = getenv("FAIL_MARK");
    if (!wanted || !at || strcmp(wanted, call) != 0 || atomic_fetch_add(&calls, 1) + 1 != atoi(at))
        return false;
    if (mark) {
        int (*real_open)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
        int (*real_close)(int) = (int (*)(int))dlsym(RTLD_NEXT, "close");
        real_close(real_open(mark, O_CREAT | O_WRONLY, 0666));
    }
    errno = error;
    return true;
}

static void take_time(void)
{
    const char *slow = getenv("SLOW_SYNC");
    if (slow)
        usleep((useconds_t)atoi(slow) * 1000);
}

/* A reading of a clock that runs `times` as fast. */
static void hurry(struct timespec *t, long times)
{
    enum { NS = 1000000000 };
    long ns = t->tv_nsec * times;
    t->tv_sec = t->tv_sec * times + ns / NS;
    t->tv_nsec = ns % NS;
}

#define REAL(type, name, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *data, size_t size)
{
    if (open_below(fd) && now("write", ENOSPC))
        return -1;
    return REAL(ssize_t, write, int, const void *, size_t)(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at)
{
    if (open_below(fd) && now("write", ENOSPC))
        return -1;
    return REAL(ssize_t, pwrite, int, const void *, size_t, off_t)(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off_t at)
{
    if (open_below(fd) && now("write", ENOSPC))
        return -1;
    return REAL(ssize_t, pwrite64, int, const void *, size_t, off_t)(fd, data, size, at);
}

int ftruncate(int fd, off_t size)
{
    if (open_below(fd) && now("write", ENOSPC))
        return -1;
    return REAL(int, ftruncate, int, off_t)(fd, size);
}

int ftruncate64(int fd, off_t size)
{
    if (open_below(fd) && now("write", ENOSPC))
        return -1;
    return REAL(int, ftruncate64, int, off_t)(fd, size);
}

int fsync(int fd)
{
    bool ours = open_below(fd);
    if (ours)
        take_time();
    if (ours && now("sync", EIO))
        return -1;
    return REAL(int, fsync, int)(fd);
}

int fdatasync(int fd)
{
    if (open_below(fd) && now("sync", EIO))
        return -1;
    return REAL(int, fdatasync, int)(fd);
}

int close(int fd)
{
    bool fails = open_below(fd) && now("close", EIO);
    int rc = REAL(int, close, int)(fd);
    if (!fails)
        return rc;
    errno = EIO;
    return -1;
}

int rename(const char *from, const char *to)
{
    if (named_below(AT_FDCWD, to) && now("name", EIO))
        return -1;
    return REAL(int, rename, const char *, const char *)(from, to);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    if (named_below(to_dir, to) && now("name", EIO))
        return -1;
    return REAL(int, renameat, int, const char *, int, const char *)(from_dir, from, to_dir, to);
}

int link(const char *from, const char *to)
{
    if (named_below(AT_FDCWD, to) && now("name", EIO))
        return -1;
    return REAL(int, link, const char *, const char *)(from, to);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    if (named_below(to_dir, to) && now("name", EIO))
        return -1;
    return REAL(int, linkat, int, const char *, int, const char *, int)(from_dir, from, to_dir, to, flags);
}

int mkdir(const char *path, mode_t mode)
{
    if (named_below(AT_FDCWD, path) && now("make", ENOSPC))
        return -1;
    return REAL(int, mkdir, const char *, mode_t)(path, mode);
}

static int open_or_fail(int dir, const char *path, int flags, mode_t mode)
{
    if ((flags & O_CREAT) && named_below(dir, path) && now("make", ENOSPC))
        return -1;
    return REAL(int, openat, int, const char *, int, ...)(dir, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_or_fail(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_or_fail(AT_FDCWD, path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_or_fail(dir, path, flags, mode);
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
    int rc = REAL(int, clock_gettime, clockid_t, struct timespec *)(clock, t);
    const char *fast = getenv("FAST_CLOCK");
    if (rc == 0 && fast && clock == CLOCK_MONOTONIC)
        hurry(t, atol(fast));
    return rc;
}
