/* RUN np=1 quick -- formats of times. */
#include "check.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/rng.h"
#include "ingest/ingest_priv.h"

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
    dp_zone *utc = NULL;
    assert_ok(dp_zone_build(&utc, "UTC"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        IngestTimeFormat f;
        dp_zone_hint hint = {0};
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
    dp_zone_free(&utc);
    IngestTimeFormat f;
    const char *wrong;
    assert_false(ingest_time_compile(&f, "%Y-%Q", &wrong));
    assert_false(ingest_time_compile(&f, "%H:%M", &wrong));
    assert_false(ingest_time_compile(&f, "%Y-%", &wrong));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(formats)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
