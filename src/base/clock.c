#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

double dp_clock_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int64_t dp_clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * DP_SECOND + t.tv_nsec / 1000;
}

int64_t dp_days_of_date(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void dp_date_of_days(int64_t days, int *year, int *month, int *day)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t of_era = z - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)(y + era * 400 + (*month <= 2));
}

static int days_in_month(int year, int month)
{
    static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

bool dp_date_is_real(int year, int month, int day)
{
    return year >= 1 && year <= 9999 && month >= 1 && month <= 12 && day >= 1 && day <= days_in_month(year, month);
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

void dp_time_print(char *out, int64_t time)
{
    int year, month, day;
    int64_t days = floor_div(time, DP_DAY), rest = time - days * DP_DAY;
    int64_t seconds = rest / DP_SECOND, micro = rest % DP_SECOND;
    if (time == DP_TIME_MISSING) {
        out[0] = '\0';
        return;
    }
    dp_date_of_days(days, &year, &month, &day);
    int n = snprintf(out, 32, "%04d-%02d-%02d", year, month, day);
    if (rest == 0)
        return;
    n += snprintf(out + n, 32 - (size_t)n, "T%02d:%02d:%02d", (int)(seconds / 3600), (int)(seconds / 60 % 60),
                  (int)(seconds % 60));
    if (micro)
        n += snprintf(out + n, 32 - (size_t)n, ".%06d", (int)micro);
    snprintf(out + n, 32 - (size_t)n, "Z");
}

static bool digits(const char **text, int count, int *value)
{
    *value = 0;
    for (int i = 0; i < count; i++, (*text)++) {
        if (**text < '0' || **text > '9')
            return false;
        *value = *value * 10 + (**text - '0');
    }
    return true;
}

static bool sign(const char **text, char c)
{
    if (**text != c)
        return false;
    (*text)++;
    return true;
}

bool dp_time_read(int64_t *time, const char *text)
{
    int year, month, day, hour = 0, minute = 0, second = 0;
    int64_t micro = 0;
    if (!digits(&text, 4, &year) || !sign(&text, '-') || !digits(&text, 2, &month) || !sign(&text, '-') ||
        !digits(&text, 2, &day) || !dp_date_is_real(year, month, day))
        return false;
    if (*text == 'T' || *text == ' ') {
        text++;
        if (!digits(&text, 2, &hour) || !sign(&text, ':') || !digits(&text, 2, &minute))
            return false;
        if (sign(&text, ':') && !digits(&text, 2, &second))
            return false;
        if (sign(&text, '.'))
            for (int64_t unit = DP_SECOND / 10; *text >= '0' && *text <= '9'; text++, unit /= 10)
                micro += unit * (*text - '0');
        if (hour > 23 || minute > 59 || second > 59)
            return false;
        if (*text == 'Z')
            text++;
    }
    *time = dp_days_of_date(year, month, day) * DP_DAY + ((hour * 60 + minute) * 60 + second) * DP_SECOND + micro;
    return *text == '\0';
}

int64_t dp_time_add_months(int64_t time, int months)
{
    int year, month, day;
    int64_t days = floor_div(time, DP_DAY);
    dp_date_of_days(days, &year, &month, &day);
    int64_t count = (int64_t)year * 12 + month - 1 + months;
    year = (int)floor_div(count, 12);
    month = (int)(count - (int64_t)year * 12) + 1;
    if (day > days_in_month(year, month))
        day = days_in_month(year, month);
    return dp_days_of_date(year, month, day) * DP_DAY + (time - days * DP_DAY);
}

void dp_duration_print(char *out, double seconds)
{
    int64_t s = (int64_t)(seconds + 0.5);
    if (s >= 3600)
        snprintf(out, 32, "%lld:%02d:%02d", (long long)(s / 3600), (int)(s / 60 % 60), (int)(s % 60));
    else
        snprintf(out, 32, "%d:%02d", (int)(s / 60), (int)(s % 60));
}
