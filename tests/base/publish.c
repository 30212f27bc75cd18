/* RUN np=1 quick -- a file is there whole or not at all, and nothing is left beside it. */
#include "check.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/publish.h"

static char folder[] = "/tmp/dipper-publish-XXXXXX";

static int names(void)
{
    int n = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *e; (e = readdir(dir));)
        n += e->d_name[0] != '.' || e->d_name[1] == 't';
    closedir(dir);
    return n;
}

static void new_name_is_given_once(void **state)
{
    (void)state;
    dp_published first, second;
    assert_ok(dp_publish_bytes(folder, "a", "one", 3, DP_PUBLISH_NEW, &first));
    assert_ok(dp_publish_bytes(folder, "a", "two", 3, DP_PUBLISH_NEW, &second));
    assert_false(first.existed);
    assert_true(second.existed);
    char *data, path[64];
    size_t size;
    snprintf(path, sizeof path, "%s/a", folder);
    assert_ok(dp_read_file(&data, &size, path, 100));
    assert_string_equal(data, "one");
    dp_free(&data);
    assert_ok(dp_publish_bytes(folder, "a", "three", 5, DP_PUBLISH_REPLACE, NULL));
    assert_ok(dp_read_file(&data, &size, path, 100));
    assert_string_equal(data, "three");
    dp_free(&data);
    assert_int_equal(names(), 1);
}

static void a_full_disk_leaves_nothing(void **state)
{
    (void)state;
    static char block[100000];
    struct rlimit old, small = {.rlim_cur = 50000};
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    small.rlim_max = old.rlim_max;
    setrlimit(RLIMIT_FSIZE, &small);
    assert_fails(dp_publish_bytes(folder, "big", block, sizeof block, DP_PUBLISH_NEW, NULL), DP_ERR_IO, "base-06");
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(names(), 1);
}

/* In place of the C library's: a disk that keeps something else than it was given. */
static bool spoils;
ssize_t write(int fd, const void *data, size_t size)
{
    char copy[64];
    if (!spoils || size > sizeof copy)
        return syscall(SYS_write, fd, data, size);
    memcpy(copy, data, size);
    copy[size / 2] ^= 1;
    return syscall(SYS_write, fd, copy, size);
}

static void what_reads_back_otherwise_is_not_published(void **state)
{
    (void)state;
    dp_publish *file;
    spoils = true;
    assert_fails(dp_publish_bytes(folder, "spoilt", "whole", 5, DP_PUBLISH_NEW, NULL), DP_ERR_IO, "base-08");
    assert_ok(dp_publish_open(&file, folder, "spoilt"));
    assert_ok(dp_publish_write(file, "in ", 3));
    assert_ok(dp_publish_write(file, "pieces", 6));
    assert_fails(dp_publish_end(&file, DP_PUBLISH_NEW, NULL), DP_ERR_IO, "base-08");
    spoils = false;
    assert_int_equal(names(), 1);
}

static void a_missing_folder_cannot_be_written(void **state)
{
    (void)state;
    assert_fails(dp_publish_bytes("/nowhere/at/all", "x", "y", 1, DP_PUBLISH_NEW, NULL), DP_ERR_CREATE, "base-06");
}

/* A file as process `pid` would have left it. */
static void leave(char *path, size_t room, long pid)
{
    char host[64] = "";
    gethostname(host, sizeof host - 1);
    snprintf(path, room, "%s/.tmp.%s.%ld.0", folder, host, pid);
    fclose(fopen(path, "w"));
}

static void files_of_the_dead_are_swept(void **state)
{
    (void)state;
    char dead[200], unwaited[200], again[200];
    leave(dead, sizeof dead, 999999999);
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    siginfo_t ended;
    assert_int_equal(waitid(P_PID, (id_t)child, &ended, WEXITED | WNOWAIT), 0);
    leave(unwaited, sizeof unwaited, child);
    leave(again, sizeof again, getppid()); /* older than that process, so of another one that had its number */
    assert_int_equal(utimensat(AT_FDCWD, again, (struct timespec[]){{0, 0}, {0, 0}}, 0), 0);
    dp_publish *mine;
    assert_ok(dp_publish_open(&mine, folder, "mine"));
    dp_publish_sweep(folder);
    assert_int_not_equal(access(dead, F_OK), 0);
    assert_int_not_equal(access(unwaited, F_OK), 0);
    assert_int_not_equal(access(again, F_OK), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_ok(dp_publish_write(mine, "kept", 4));
    assert_ok(dp_publish_end(&mine, DP_PUBLISH_NEW, NULL));
    assert_int_equal(names(), 2);
}

static int make(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int clean(void **state)
{
    (void)state;
    char path[300];
    DIR *dir = opendir(folder);
    for (struct dirent *e; (e = readdir(dir));) {
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        unlink(path);
    }
    closedir(dir);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_name_is_given_once),
        cmocka_unit_test(a_full_disk_leaves_nothing),
        cmocka_unit_test(what_reads_back_otherwise_is_not_published),
        cmocka_unit_test(a_missing_folder_cannot_be_written),
        cmocka_unit_test(files_of_the_dead_are_swept),
    };
    return cmocka_run_group_tests(tests, make, clean);
}
