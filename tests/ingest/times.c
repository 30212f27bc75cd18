/* RUN np=1 quick -- local times of many zones against the C library's, and the formats. */
#include "check.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/rng.h"
#include "ingest/ingest_priv.h"

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
                                        "Pacific/Chatham"};
    for (size_t z = 0; z < sizeof zones / sizeof *zones; z++) {
        IngestZone *zone = NULL;
        IngestZoneHint hint = {0};
        assert_ok(ingest_zone_build(&zone, zones[z]));
        setenv("TZ", zones[z], 1);
        tzset();
        for (uint64_t i = 0; i < 2500; i++) {
            /* 1973 .. 2037 at random, every fourth within hours of a change of clocks */
            int64_t local = 100000000 + (int64_t)dp_random_below(9, z, i, 2030000000) / 900 * 900;
            if (i % 4 == 0)
                for (int step = 0; step < 400 && local_of(local) - local == local_of(local + 10800) - (local + 10800);
                     step++)
                    local += 10800;
            assert_int_equal(ingest_zone_utc(zone, local, &hint), expected(local));
        }
        ingest_zone_free(&zone);
    }
}

static void years_beyond_the_table(void **state)
{
    (void)state;
    IngestZone *zone = NULL;
    IngestZoneHint hint = {0};
    assert_ok(ingest_zone_build(&zone, "Europe/Paris"));
    int64_t summer = dp_days_of_date(2095, 7, 1) * 86400, winter = dp_days_of_date(2095, 12, 1) * 86400;
    assert_int_equal(ingest_zone_utc(zone, summer, &hint), summer - 7200);
    assert_int_equal(ingest_zone_utc(zone, winter, &hint), winter - 3600);
    ingest_zone_free(&zone);
    assert_fails(ingest_zone_build(&zone, "Mars/Phobos"), DP_ERR_CONFIG, "ingest-02");
    assert_fails(ingest_zone_build(&zone, "../../etc/passwd"), DP_ERR_CONFIG, "ingest-02");
    assert_null(zone);
}

static void formats(void **state)
{
    (void)state;
    const struct {
        const char *format, *text, *time; /* NULL: not a time */
    } cases[] = {
        {"%Y-%m-%d %H:%M:%S", "2024-02-29 23:59:59", "2024-02-29T23:59:59Z"},
        {"%Y-%m-%d %H:%M:%S", "2023-02-29 00:00:00", NULL},
        {"%Y-%m-%d %H:%M:%S", "2024-02-28 24:00:00", "2024-02-29"},
        {"%Y-%m-%d %H:%M:%S", "2024-02-28 24:00:01", NULL},
        {"%Y-%m-%d %H:%M:%S", "2024-02-28 23:59:60", "2024-02-29"},
        {"%Y-%m-%d", "2024-13-01", NULL},
        {"%Y-%m-%d", "2024-1-5", "2024-01-05"},
        {"%Y-%m-%d", "2024-01-05x", NULL},
        {"%Y-%m-%d", "24-01-05", NULL},
        {"%Y%m%d%H%M%S", "20240105070809", "2024-01-05T07:08:09Z"},
        {"%d/%m/%y", "05/01/68", "2068-01-05"},
        {"%d/%m/%y", "05/01/69", "1969-01-05"},
        {"%d %b %Y", "5 Dec 2024", "2024-12-05"},
        {"%FT%T.%f%z", "2024-01-05T07:08:09.25+08:00", "2024-01-04T23:08:09.250000Z"},
        {"%FT%T.%f%z", "2024-01-05T07:08:09.123456789Z", "2024-01-05T07:08:09.123456Z"},
        {"%m/%d/%Y %I:%M %p", "01/05/2024 12:30 AM", "2024-01-05T00:30:00Z"},
        {"%m/%d/%Y %I:%M %p", "01/05/2024 12:30 pm", "2024-01-05T12:30:00Z"},
        {"%m/%d/%Y %I:%M %p", "01/05/2024 13:30 pm", NULL},
        {"%Y-%j", "2024-366", "2024-12-31"},
        {"%Y-%j", "2023-366", NULL},
        {"%s", "-86400", "1969-12-31"},
        {"%Y-%m-%d 100%%", "2024-01-05 100%", "2024-01-05"},
    };
    IngestZone *utc = NULL;
    assert_ok(ingest_zone_build(&utc, "UTC"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        IngestTimeFormat f;
        IngestZoneHint hint = {0};
        const char *wrong;
        int64_t time = 0;
        char text[32] = "";
        assert_true(ingest_time_compile(&f, cases[i].format, &wrong));
        bool good = ingest_time_read(&time, cases[i].text, strlen(cases[i].text), &f, utc, &hint);
        assert_int_equal(good, cases[i].time != NULL);
        if (good) {
            dp_time_print(text, time);
            assert_string_equal(text, cases[i].time);
        }
    }
    ingest_zone_free(&utc);
    IngestTimeFormat f;
    const char *wrong;
    assert_false(ingest_time_compile(&f, "%Y-%Q", &wrong));
    assert_false(ingest_time_compile(&f, "%H:%M", &wrong));
    assert_false(ingest_time_compile(&f, "%Y-%", &wrong));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(zones_like_the_c_library),
                                       cmocka_unit_test(years_beyond_the_table), cmocka_unit_test(formats)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
