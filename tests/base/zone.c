/* RUN np=1 quick -- local times and days of many zones are the C library's. */
#include "check.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/rng.h"
#include "base/zone.h"

static const char *const zones[] = {"UTC",
                                    "Asia/Taipei",
                                    "Europe/Lisbon",
                                    "America/New_York",
                                    "America/Sao_Paulo",
                                    "Australia/Lord_Howe",
                                    "Asia/Kathmandu",
                                    "Etc/GMT+8",
                                    "Europe/Dublin",
                                    "Africa/Casablanca",
                                    "Pacific/Chatham",
                                    "America/Havana"};
enum { N_ZONES = sizeof zones / sizeof *zones };

static int64_t local_of(int64_t utc)
{
    struct tm tm;
    time_t t = (time_t)utc;
    localtime_r(&t, &tm);
    return utc + tm.tm_gmtoff;
}

/* What the rule says, by trial: the first instant with that local time, or the offset before the gap. */
static int64_t expected(int64_t local)
{
    int64_t before = local_of(local - 86400) - (local - 86400), best = INT64_MAX;
    for (int64_t offset = -16 * 3600; offset <= 16 * 3600; offset += 900)
        if (local_of(local - offset) == local && local - offset < best)
            best = local - offset;
    return best < INT64_MAX ? best : local - before;
}

static void zones_like_the_c_library(void **state)
{
    (void)state;
    for (size_t z = 0; z < N_ZONES; z++) {
        dp_zone *zone = NULL;
        dp_zone_hint hint = {0};
        assert_ok(dp_zone_build(&zone, zones[z]));
        setenv("TZ", zones[z], 1);
        tzset();
        for (uint64_t i = 0; i < 2500; i++) {
            /* 1973 .. 2037 at random, every fourth within hours of a change of clocks */
            int64_t local = 100000000 + (int64_t)dp_random_below(9, z, i, 2030000000) / 900 * 900;
            if (i % 4 == 0)
                for (int step = 0; step < 400 && local_of(local) - local == local_of(local + 10800) - (local + 10800);
                     step++)
                    local += 10800;
            assert_int_equal(dp_zone_utc(zone, local, &hint), expected(local));
        }
        dp_zone_free(&zone);
    }
}

static void years_beyond_the_table(void **state)
{
    (void)state;
    dp_zone *zone = NULL;
    dp_zone_hint hint = {0};
    assert_ok(dp_zone_build(&zone, "Europe/Paris"));
    int64_t summer = dp_days_of_date(2095, 7, 1) * 86400, winter = dp_days_of_date(2095, 12, 1) * 86400;
    assert_int_equal(dp_zone_utc(zone, summer, &hint), summer - 7200);
    assert_int_equal(dp_zone_utc(zone, winter, &hint), winter - 3600);
    dp_zone_free(&zone);
    assert_fails(dp_zone_build(&zone, "Mars/Phobos"), DP_ERR_CONFIG, "base-12");
    assert_fails(dp_zone_build(&zone, "../../etc/passwd"), DP_ERR_CONFIG, "base-12");
    assert_null(zone);
}

/* A day begins at its midnight and ends where the next one begins; clocks that jump at midnight do not matter. */
static void days_begin_and_end(void **state)
{
    (void)state;
    for (size_t z = 0; z < N_ZONES; z++) {
        dp_zone *zone = NULL;
        assert_ok(dp_zone_build(&zone, zones[z]));
        setenv("TZ", zones[z], 1);
        tzset();
        for (int64_t day = dp_days_of_date(1999, 1, 1); day < dp_days_of_date(2036, 1, 1); day++) {
            int64_t from = dp_zone_midnight(zone, day), to = dp_zone_midnight(zone, day + 1);
            int64_t length = (to - from) / (3600 * DP_SECOND);
            assert_true(length >= 22 && length <= 26);
            assert_int_equal(dp_zone_day(zone, from), day);
            assert_int_equal(dp_zone_day(zone, to - 1), day);
            assert_int_equal(local_of(from / DP_SECOND) / 86400, day);
            assert_int_equal(local_of(to / DP_SECOND - 1) / 86400, day);
        }
        dp_zone_free(&zone);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(zones_like_the_c_library),
                                       cmocka_unit_test(years_beyond_the_table), cmocka_unit_test(days_begin_and_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
