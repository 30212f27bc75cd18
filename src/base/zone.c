/* Time zones from the system's tz files, without setenv and localtime: those are one zone a process, and not for
 * threads. Source: RFC 8536 (TZif); POSIX.1-2017, 8.3 (the rule in the footer). */
#include "base/zone.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/publish.h"

enum { TZIF_MAX = 1 << 20, TZIF_HEADER = 44, LAST_YEAR = 2200, DAY = 86400 };

struct dp_zone {
    int64_t *at;     /* [n] UTC seconds from which on offset[i] holds */
    int64_t *offset; /* [n] local - UTC */
    size_t n, room;
    int64_t before; /* offset before at[0] */
};

/* ---- the file ---- */

static int64_t big_endian(const unsigned char *p, int bytes)
{
    uint64_t v = p[0] & 0x80 ? ~UINT64_C(0) : 0;
    for (int i = 0; i < bytes; i++)
        v = v << 8 | p[i];
    return (int64_t)v;
}

typedef struct TzCounts {
    size_t isut, isstd, leap, times, types, chars;
} TzCounts;

static bool read_counts(TzCounts *c, const unsigned char *p, size_t size)
{
    if (size < TZIF_HEADER || memcmp(p, "TZif", 4) != 0)
        return false;
    size_t v[6];
    for (int i = 0; i < 6; i++) {
        v[i] = (size_t)(uint32_t)big_endian(p + 20 + 4 * i, 4);
        if (v[i] > TZIF_MAX)
            return false;
    }
    *c = (TzCounts){v[0], v[1], v[2], v[3], v[4], v[5]};
    return c->types > 0;
}

static size_t block_size(const TzCounts *c, size_t time_size)
{
    return c->times * (time_size + 1) + c->types * 6 + c->chars + c->leap * (time_size + 4) + c->isstd + c->isut;
}

static dp_status add(dp_zone *zone, int64_t at, int64_t offset)
{
    if (zone->n > 0 && zone->at[zone->n - 1] >= at)
        return DP_OK; /* the footer's rule says again what the table says */
    if (zone->n == zone->room) {
        size_t room = zone->room ? 2 * zone->room : 256;
        DP_TRY(dp_resize(&zone->at, zone->room, room));
        DP_TRY(dp_resize(&zone->offset, zone->room, room));
        zone->room = room;
    }
    zone->at[zone->n] = at;
    zone->offset[zone->n++] = offset;
    return DP_OK;
}

/* The block of 64-bit times. false: broken. */
static dp_status read_block(dp_zone *zone, const unsigned char *p, const TzCounts *c, bool *good)
{
    const unsigned char *index = p + 8 * c->times, *types = index + c->times;
    for (size_t i = 0; i < c->types; i++)
        *good &= labs((long)big_endian(types + 6 * i, 4)) < 2 * DAY;
    for (size_t i = 0; i < c->times; i++)
        *good &= index[i] < c->types && (i == 0 || big_endian(p + 8 * i, 8) > big_endian(p + 8 * (i - 1), 8));
    if (!*good)
        return DP_OK;
    zone->before = big_endian(types, 4);
    for (size_t i = 0; i < c->times; i++)
        DP_TRY(add(zone, big_endian(p + 8 * i, 8), big_endian(types + 6 * index[i], 4)));
    return DP_OK;
}

/* ---- the rule in the footer: CET-1CEST,M3.5.0,M10.5.0/3 ---- */

typedef struct TzRule {
    char kind; /* M, J, or N: zero-based day of the year */
    int month, week, day;
    int64_t time; /* local seconds of the day */
} TzRule;

static bool skip_name(const char **at)
{
    const char *p = *at;
    if (*p == '<') {
        p = strchr(p, '>');
        if (!p)
            return false;
        *at = p + 1;
        return true;
    }
    while (isalpha((unsigned char)*p))
        p++;
    bool any = p > *at;
    *at = p;
    return any;
}

/* [+-]hh[:mm[:ss]] */
static bool read_hms(const char **at, int64_t *seconds)
{
    const char *p = *at;
    int64_t sign = *p == '-' ? -1 : 1, unit = 3600, sum = 0;
    p += *p == '-' || *p == '+';
    for (int part = 0; part < 3; part++, unit /= 60) {
        if (!isdigit((unsigned char)*p))
            return false;
        char *end;
        sum += strtol(p, &end, 10) * unit;
        p = end;
        if (*p != ':' || part == 2)
            break;
        p++;
    }
    *at = p;
    *seconds = sign * sum;
    return sum <= 168 * 3600;
}

static bool read_rule(const char **at, TzRule *rule)
{
    int used = 0;
    *rule = (TzRule){.time = 7200};
    if (**at != ',')
        return false;
    const char *p = *at + 1;
    if (sscanf(p, "M%2d.%1d.%1d%n", &rule->month, &rule->week, &rule->day, &used) == 3)
        rule->kind = 'M';
    else if (sscanf(p, "J%3d%n", &rule->day, &used) == 1)
        rule->kind = 'J';
    else if (sscanf(p, "%3d%n", &rule->day, &used) == 1)
        rule->kind = 'N';
    else
        return false;
    p += used;
    if (rule->kind == 'M' && (rule->month < 1 || rule->month > 12 || rule->week < 1 || rule->week > 5 || rule->day > 6))
        return false;
    if (*p == '/' && (p++, !read_hms(&p, &rule->time)))
        return false;
    *at = p;
    return true;
}

/* Local seconds of the change in a year. */
static int64_t change_in(const TzRule *rule, int year)
{
    bool leap = dp_date_is_real(year, 2, 29);
    int64_t day = dp_days_of_date(year, 1, 1);
    if (rule->kind == 'N') {
        day += rule->day;
    } else if (rule->kind == 'J') {
        day += rule->day - 1 + (leap && rule->day > 59 ? 1 : 0);
    } else {
        int64_t first = dp_days_of_date(year, rule->month, 1);
        int weekday = (int)((first + 4) % 7); /* 1970-01-01 was a Thursday; 0 = Sunday */
        day = first + (rule->day - weekday + 7) % 7 + 7 * (rule->week - 1);
        int next_year = rule->month == 12 ? year + 1 : year, next_month = rule->month == 12 ? 1 : rule->month + 1;
        while (day >= dp_days_of_date(next_year, next_month, 1))
            day -= 7;
    }
    return day * DAY + rule->time;
}

/* Adds the changes that the rule makes up to LAST_YEAR. A rule without summer time adds nothing. */
static dp_status add_rule(dp_zone *zone, const char *text, bool *good)
{
    int64_t std, dst;
    TzRule start, end;
    if (!*text)
        return DP_OK;
    *good = skip_name(&text) && read_hms(&text, &std);
    if (!*good || !*text)
        return DP_OK;
    std = -std;
    dst = std + 3600;
    *good = skip_name(&text);
    if (*good && *text && *text != ',') {
        *good = read_hms(&text, &dst);
        dst = -dst;
    }
    *good = *good && read_rule(&text, &start) && read_rule(&text, &end) && !*text;
    if (!*good)
        return DP_OK;
    int year = 1970, month, day;
    if (zone->n > 0 && zone->at[zone->n - 1] > 0)
        dp_date_of_days(zone->at[zone->n - 1] / DAY, &year, &month, &day);
    for (; year <= LAST_YEAR; year++) {
        int64_t on = change_in(&start, year) - std, off = change_in(&end, year) - dst;
        DP_TRY(add(zone, on < off ? on : off, on < off ? dst : std));
        DP_TRY(add(zone, on < off ? off : on, on < off ? std : dst));
    }
    return DP_OK;
}

static dp_status parse(dp_zone *zone, const unsigned char *p, size_t size, bool *good)
{
    TzCounts c;
    *good = read_counts(&c, p, size) && p[4] >= '2';
    if (!*good)
        return DP_OK;
    size_t skip = TZIF_HEADER + block_size(&c, 4);
    *good = skip <= size && read_counts(&c, p + skip, size - skip) && TZIF_HEADER + block_size(&c, 8) < size - skip;
    if (!*good)
        return DP_OK;
    DP_TRY(read_block(zone, p + skip + TZIF_HEADER, &c, good));
    size_t foot = skip + TZIF_HEADER + block_size(&c, 8);
    const char *rule = (const char *)p + foot + 1, *end = memchr(rule, '\n', size - foot - 1);
    if (!*good || p[foot] != '\n' || !end || end - rule > 255) {
        *good = false;
        return DP_OK;
    }
    char text[256];
    snprintf(text, sizeof text, "%.*s", (int)(end - rule), rule);
    return add_rule(zone, text, good);
}

static bool name_is_safe(const char *name)
{
    size_t n = strlen(name);
    return n > 0 && n < 128 && name[0] != '/' && !strstr(name, "..") &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") == n;
}

dp_status dp_zone_build(dp_zone **zone, const char *name)
{
    char path[1024], *data = NULL;
    size_t size = 0;
    bool good = true;
    dp_status st = DP_OK;
    *zone = NULL;
    const char *folder = getenv("TZDIR");
    snprintf(path, sizeof path, "%s/%s", folder && *folder ? folder : "/usr/share/zoneinfo", name);
    if (!name_is_safe(name))
        return dp_fail(DP_ERR_CONFIG, "base-12", "'%.60s' is not the name of a time zone, like Asia/Taipei or UTC",
                       name);
    if (strcmp(name, "UTC") == 0)
        return dp_new(zone, 1);
    if (dp_read_file(&data, &size, path, TZIF_MAX) != DP_OK)
        return dp_fail(DP_ERR_CONFIG, "base-12",
                       "the time zone '%s' is not on this machine (no readable %s); names look like Asia/Taipei, the "
                       "Debian package with all of them is tzdata",
                       name, path);
    DP_GO(dp_new(zone, 1));
    DP_GO(parse(*zone, (const unsigned char *)data, size, &good));
    if (!good)
        st = dp_fail(DP_ERR_CONFIG, "base-12", "%s is not a time-zone file of version 2 or later; install tzdata again",
                     path);
done:
    if (st != DP_OK)
        dp_zone_free(zone);
    dp_free(&data);
    return st;
}

void dp_zone_free(dp_zone **zone)
{
    if (!*zone)
        return;
    dp_free(&(*zone)->at);
    dp_free(&(*zone)->offset);
    dp_free(zone);
}

/* ---- use ---- */

/* Changes at or before this instant. */
static size_t changes_until(const dp_zone *zone, int64_t utc)
{
    size_t low = 0, high = zone->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (zone->at[middle] <= utc)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int64_t offset_after(const dp_zone *zone, size_t changes)
{
    return changes > 0 ? zone->offset[changes - 1] : zone->before;
}

int64_t dp_zone_utc(const dp_zone *zone, int64_t local, dp_zone_hint *hint)
{
    if (local >= hint->low && local < hint->high)
        return local - hint->offset;
    /* A day before and a day after lie on the two sides of any change near this time. */
    int64_t early = offset_after(zone, changes_until(zone, local - DAY));
    int64_t late = offset_after(zone, changes_until(zone, local + DAY));
    size_t k = changes_until(zone, local - early);
    if (offset_after(zone, k) == early) {
        /* Remember the stretch in which this offset is the only one possible: two days off the changes. */
        hint->low = k > 0 ? zone->at[k - 1] + 2 * DAY : INT64_MIN;
        hint->high = k < zone->n ? zone->at[k] - 2 * DAY : INT64_MAX;
        hint->offset = early;
        return local - early;
    }
    if (offset_after(zone, changes_until(zone, local - late)) == late)
        return local - late;
    return local - early;
}

int64_t dp_zone_midnight(const dp_zone *zone, int64_t day)
{
    return dp_zone_utc(zone, day * DAY, &(dp_zone_hint){0}) * DP_SECOND;
}

int64_t dp_zone_day(const dp_zone *zone, int64_t time)
{
    int64_t seconds = time / DP_SECOND - (time % DP_SECOND < 0);
    int64_t local = seconds + offset_after(zone, changes_until(zone, seconds));
    return local / DAY - (local % DAY < 0);
}
