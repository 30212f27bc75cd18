/* base/clock.h -- clocks, and times as microseconds since 1970-01-01 UTC. Clock times never enter outputs that are
 * digested; a run's declared as-of does. */
#ifndef DIPPER_BASE_CLOCK_H
#define DIPPER_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define DP_TIME_MISSING INT64_MIN
#define DP_SECOND       INT64_C(1000000)
#define DP_DAY          (86400 * DP_SECOND)

/* Local. Seconds of a clock that never goes back; for durations only. */
double dp_clock_seconds(void);
/* Local. Now, microseconds since 1970 UTC. */
int64_t dp_clock_now(void);

/* Days since 1970-01-01 of a Gregorian date, and back. Valid for the years 1 .. 9999.
 * Source: H. Hinnant, "chrono-compatible low-level date algorithms". */
int64_t dp_days_of_date(int year, int month, int day);
void dp_date_of_days(int64_t days, int *year, int *month, int *day);
/* Local. Is it a date of the Gregorian calendar (29 February only in leap years)? */
bool dp_date_is_real(int year, int month, int day);

/* Local. "2026-11-20", "2026-11-20T14:05:33Z", "...33.250000Z": the shortest that loses nothing. out holds 32 bytes. */
void dp_time_print(char *out, int64_t time);
/* Local. Reads what dp_time_print writes, also with a space for the T and without the Z (UTC). false: not a time. */
bool dp_time_read(int64_t *time, const char *text);

/* Local. `months` calendar months later (or earlier, below 0); the day is cut to the month's length. */
int64_t dp_time_add_months(int64_t time, int months);

/* Local. "1:54", "2:03:04": a duration for people. out holds 32 bytes. */
void dp_duration_print(char *out, double seconds);

#endif
