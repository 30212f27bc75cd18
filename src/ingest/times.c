/* Times as text: a format like strptime's, compiled once, read without locale or global state. */
#include "ingest/ingest_priv.h"

#include <string.h>

#include "base/clock.h"

static bool push(IngestTimeFormat *f, char step, char literal)
{
    if (f->n == INGEST_TIME_STEPS)
        return false;
    f->step[f->n] = step;
    f->literal[f->n++] = literal;
    return true;
}

static bool push_all(IngestTimeFormat *f, const char *steps)
{
    for (const char *p = steps; *p; p++)
        if (*p == '%' ? !push(f, *++p, 0) : !push(f, 0, *p))
            return false;
    return true;
}

/* Does it say which day? */
static bool names_a_day(const IngestTimeFormat *f)
{
    bool year = false, month = false, day = false;
    for (int i = 0; i < f->n; i++) {
        year |= f->step[i] == 'Y' || f->step[i] == 'y';
        month |= f->step[i] == 'm' || f->step[i] == 'b';
        day |= f->step[i] == 'd';
        if (f->step[i] == 'j')
            month = day = true;
        if (f->step[i] == 's')
            return true;
    }
    return year && month && day;
}

bool ingest_time_compile(IngestTimeFormat *format, const char *text, const char **wrong)
{
    *format = (IngestTimeFormat){.n = 0};
    for (const char *p = text; *p; p++) {
        bool fits = true;
        *wrong = p;
        if (*p != '%')
            fits = push(format, 0, *p);
        else if (*++p == '%')
            fits = push(format, 0, '%');
        else if (*p && strchr("YymdHIMSfpjzsb", *p))
            fits = push(format, *p, 0);
        else if (*p == 'e')
            fits = push(format, 'd', 0);
        else if (*p == 'F')
            fits = push_all(format, "%Y-%m-%d");
        else if (*p == 'T')
            fits = push_all(format, "%H:%M:%S");
        else if (*p == 'R')
            fits = push_all(format, "%H:%M");
        else
            return false;
        if (!fits)
            return false;
    }
    *wrong = text;
    return names_a_day(format);
}

typedef struct Clock {
    int year, month, day, hour, minute, second, day_of_year, afternoon; /* afternoon: -1 not said */
    int64_t micro, offset, since;                                       /* offset, since: INT64_MIN not said */
} Clock;

/* One to `most` digits. */
static bool digits(const char **at, const char *end, int least, int most, int *value)
{
    const char *p = *at;
    int v = 0, n = 0;
    while (n < most && p < end && (unsigned)(*p - '0') <= 9)
        v = v * 10 + (*p++ - '0'), n++;
    *at = p;
    *value = v;
    return n >= least;
}

static bool fraction(const char **at, const char *end, int64_t *micro)
{
    const char *p = *at;
    int64_t v = 0, n = 0;
    for (; p < end && (unsigned)(*p - '0') <= 9 && n < 9; p++, n++)
        if (n < 6)
            v = v * 10 + (*p - '0');
    *at = p;
    for (int64_t i = n; i < 6; i++)
        v *= 10;
    *micro = v;
    return n > 0;
}

/* Z, +08, +0800, +08:00 */
static bool offset(const char **at, const char *end, int64_t *seconds)
{
    const char *p = *at;
    int hours, minutes = 0;
    if (p < end && (*p == 'Z' || *p == 'z')) {
        *at = p + 1;
        *seconds = 0;
        return true;
    }
    if (p >= end || (*p != '+' && *p != '-'))
        return false;
    int sign = *p++ == '-' ? -1 : 1;
    if (!digits(&p, end, 2, 2, &hours) || hours > 23)
        return false;
    bool colon = p < end && *p == ':';
    p += colon;
    if ((colon || (p < end && (unsigned)(*p - '0') <= 9)) && (!digits(&p, end, 2, 2, &minutes) || minutes > 59))
        return false;
    *at = p;
    *seconds = sign * (hours * 3600 + minutes * 60);
    return true;
}

static bool month_name(const char **at, const char *end, int *month)
{
    static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    if (end - *at < 3)
        return false;
    for (int m = 0; m < 12; m++) {
        int same = 0;
        while (same < 3 && ((*at)[same] | 0x20) == names[3 * m + same])
            same++;
        if (same == 3) {
            *at += 3;
            *month = m + 1;
            return true;
        }
    }
    return false;
}

static bool seconds_since(const char **at, const char *end, int64_t *since)
{
    const char *p = *at;
    bool minus = p < end && *p == '-';
    p += minus;
    const char *first = p;
    int64_t v = 0;
    for (; p < end && (unsigned)(*p - '0') <= 9 && p - first < 12; p++)
        v = v * 10 + (*p - '0');
    *at = p;
    *since = minus ? -v : v;
    return p > first;
}

static bool step(Clock *c, char letter, const char **at, const char *end)
{
    switch (letter) {
    case 'Y':
        return digits(at, end, 4, 4, &c->year);
    case 'y':
        if (!digits(at, end, 2, 2, &c->year))
            return false;
        c->year += c->year < 69 ? 2000 : 1900; /* as POSIX says */
        return true;
    case 'm':
        return digits(at, end, 1, 2, &c->month);
    case 'b':
        return month_name(at, end, &c->month);
    case 'd':
        return digits(at, end, 1, 2, &c->day);
    case 'j':
        return digits(at, end, 1, 3, &c->day_of_year) && c->day_of_year >= 1;
    case 'H':
        return digits(at, end, 1, 2, &c->hour);
    case 'I':
        return digits(at, end, 1, 2, &c->hour) && c->hour >= 1 && c->hour <= 12;
    case 'M':
        return digits(at, end, 1, 2, &c->minute);
    case 'S':
        return digits(at, end, 1, 2, &c->second);
    case 'f':
        return fraction(at, end, &c->micro);
    case 'p':
        if (end - *at < 2 || ((*at)[1] | 0x20) != 'm' || (((*at)[0] | 0x20) != 'a' && ((*at)[0] | 0x20) != 'p'))
            return false;
        c->afternoon = ((*at)[0] | 0x20) == 'p';
        *at += 2;
        return true;
    case 'z':
        return offset(at, end, &c->offset);
    case 's':
        return seconds_since(at, end, &c->since);
    default:
        return false;
    }
}

/* 24:00:00 is the next midnight; a leap second 60 is read as the second after. */
static bool add_up(int64_t *time, const Clock *c, const dp_zone *zone, dp_zone_hint *hint)
{
    int hour = c->hour, month = c->month, day = c->day;
    if (c->since != INT64_MIN) {
        *time = c->since * DP_SECOND + c->micro;
        return true;
    }
    if (c->afternoon >= 0)
        hour = hour % 12 + 12 * c->afternoon;
    if (c->day_of_year > 0) {
        int year;
        dp_date_of_days(dp_days_of_date(c->year, 1, 1) + c->day_of_year - 1, &year, &month, &day);
        if (year != c->year)
            return false;
    }
    if (c->year < 1 || !dp_date_is_real(c->year, month, day) || c->minute > 59 || c->second > 60 ||
        (hour > 23 && (hour != 24 || c->minute || c->second || c->micro)))
        return false;
    int64_t local = dp_days_of_date(c->year, month, day) * 86400 + hour * 3600 + c->minute * 60 + c->second;
    *time = (c->offset != INT64_MIN ? local - c->offset : dp_zone_utc(zone, local, hint)) * DP_SECOND + c->micro;
    return true;
}

bool ingest_time_read(int64_t *time, const char *text, size_t size, const IngestTimeFormat *format, const dp_zone *zone,
                      dp_zone_hint *hint)
{
    Clock c = {.year = 1970, .month = 1, .day = 1, .afternoon = -1, .offset = INT64_MIN, .since = INT64_MIN};
    const char *at = text, *end = text + size;
    for (int i = 0; i < format->n; i++) {
        if (format->step[i]) {
            if (!step(&c, format->step[i], &at, end))
                return false;
        } else if (at >= end || *at++ != format->literal[i]) {
            return false;
        }
    }
    return at == end && add_up(time, &c, zone, hint);
}
