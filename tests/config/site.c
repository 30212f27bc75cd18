/* RUN np=1 quick -- where things lie: by default under ./dipper-data, or as the file says that DIPPER_SITE names. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/site.h"

static char folder[] = "/tmp/dipper-site-XXXXXX";

static void write_site(const char *text)
{
    char path[64];
    snprintf(path, sizeof path, "%s/site.yaml", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    setenv("DIPPER_SITE", path, 1);
}

static void without_a_file(void **state)
{
    (void)state;
    SiteOptions site;
    char expected[100];
    unsetenv("DIPPER_SITE");
    assert_int_equal(chdir(folder), 0);
    assert_ok(site_load(&site));
    snprintf(expected, sizeof expected, "%s/dipper-data/lake", folder);
    assert_string_equal(site.lake, expected);
    assert_null(site.file);
    assert_null(site.partition);
    site_free(&site);
    site_free(&site);
}

static void with_a_file(void **state)
{
    (void)state;
    SiteOptions site;
    char expected[100];
    write_site("kind: site\nroot: /data/dipper\nruns: ../runs\nslurm: {partition: night}\n");
    assert_ok(site_load(&site));
    assert_string_equal(site.lake, "/data/dipper/lake");
    snprintf(expected, sizeof expected, "%s/../runs", folder);
    assert_string_equal(site.runs, expected);
    assert_string_equal(site.partition, "night");
    site_free(&site);
}

static void a_bad_file_is_said(void **state)
{
    (void)state;
    SiteOptions site;
    write_site("kind: site\nlakes: x\n");
    assert_fails(site_load(&site), DP_ERR_CONFIG, "config-03");
    assert_non_null(strstr(dp_error_last()->text, "site.yaml:2:1: unknown key 'lakes' (did you mean 'lake'?)"));
    setenv("DIPPER_SITE", "/nowhere/site.yaml", 1);
    assert_fails(site_load(&site), DP_ERR_NO_INPUT, "config-20");
    setenv("DIPPER_SITE", folder, 1);
    assert_fails(site_load(&site), DP_ERR_NO_INPUT, "base-10");
}

static int make(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int sweep(void **state)
{
    char path[64];
    (void)state;
    snprintf(path, sizeof path, "%s/site.yaml", folder);
    return unlink(path) == 0 && rmdir(folder) == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_file),
        cmocka_unit_test(with_a_file),
        cmocka_unit_test(a_bad_file_is_said),
    };
    return cmocka_run_group_tests(tests, make, sweep);
}
