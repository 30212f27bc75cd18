/* RUN np=1 quick -- quotas of cgroups v1 and v2, nested and as containers show them. */
#include "check.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/publish.h"
#include "run/run_priv.h"

static char folder[] = "/tmp/dipper-place-XXXXXX";

static void put(const char *name, const char *text)
{
    char path[256], *slash;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    slash = strrchr(path, '/');
    *slash = '\0';
    assert_ok(dp_make_folders(path));
    *slash = '/';
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static double cores(const char *groups)
{
    char path[256];
    uint64_t group;
    put("groups", groups);
    snprintf(path, sizeof path, "%s/groups", folder);
    return run_cgroup_cores(path, folder, &group);
}

static void the_least_of_all_above_counts(void **state)
{
    (void)state;
    put("a/b/cpu.max", "max 100000\n");
    put("a/cpu.max", "250000 100000\n");
    put("a/c/cpu.max", "150000 100000\n");
    put("cpu.max", "800000 100000\n");
    assert_true(cores("0::/a/b\n") == 2.5);
    assert_true(cores("0::/a/c\n") == 1.5);
    assert_true(cores("0::/\n") == 8);
    assert_true(cores("0::/not/seen/in/here\n") == 8); /* a container: its own group is the mount */
    put("cpu,cpuacct/job/cpu.cfs_quota_us", "400000\n");
    put("cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
    put("cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    put("cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    assert_true(cores("4:memory:/x\n3:cpu,cpuacct:/job/step\n1:name=systemd:/y\n") == 4);
    put("cpu/cpu.cfs_quota_us", "50000\n");
    put("cpu/cpu.cfs_period_us", "100000\n");
    assert_true(cores("3:cpuset,cpu:/elsewhere\n") == 0.5);
    assert_true(cores("3:cpuset:/a\n") == DBL_MAX);
    assert_true(cores("nonsense") == DBL_MAX);
}

static void a_process_is_told_from_one_with_its_pid(void **state)
{
    (void)state;
    assert_true(run_born(getpid()) > 0);
    assert_int_equal(run_born(999999999), 0);
    assert_true(run_born(1) <= run_born(getpid()));
}

static int make(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int sweep(void **state)
{
    (void)state;
    return run_remove_tree(folder) == DP_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_of_all_above_counts),
        cmocka_unit_test(a_process_is_told_from_one_with_its_pid),
    };
    return cmocka_run_group_tests(tests, make, sweep);
}
