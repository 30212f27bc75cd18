/* The grammar of each scalar type. All of it is independent of the locale (config_parse sets the C locale). */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "config/config_priv.h"

enum { NUMBER_MAX = 96, DIGITS_MAX = 48 };

typedef struct Unit {
    const char *name;
    double factor;
} Unit;

static const Unit byte_units[] = {
    {"", 1},     {"B", 1},    {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40}, {"PiB", 0x1p50},
    {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6},     {"GB", 1e9},     {"TB", 1e12},    {"PB", 1e15},    {NULL, 0},
};
static const Unit time_units[] = {
    {"ms", 1e-3},   {"s", 1},        {"second", 1}, {"seconds", 1},   {"m", 60},         {"min", 60},
    {"minute", 60}, {"minutes", 60}, {"h", 3600},   {"hour", 3600},   {"hours", 3600},   {"d", 86400},
    {"day", 86400}, {"days", 86400}, {"w", 604800}, {"week", 604800}, {"weeks", 604800}, {NULL, 0},
};
/* months: 1 and up; days: below 0 */
static const Unit part_units[] = {
    {"month", 1}, {"months", 1}, {"year", 12},  {"years", 12}, {"day", -1},
    {"days", -1}, {"week", -7},  {"weeks", -7}, {NULL, 0},
};

static const char *skip(const char *at)
{
    return at + strspn(at, " ");
}

/* The unit at `at` (letters only), which moves behind it. */
static const Unit *unit_at(const Unit *units, const char **at)
{
    size_t n = 0;
    while (isalpha((unsigned char)(*at)[n]))
        n++;
    for (const Unit *unit = units; unit->name; unit++)
        if (strlen(unit->name) == n && strncmp(unit->name, *at, n) == 0) {
            *at += n;
            return unit;
        }
    return NULL;
}

/* Copies the number at *at (sign, digits with single _ between them, fraction, exponent) without its underscores.
 * false: there is none. */
static bool number_at(char *out, const char **at)
{
    const char *c = *at;
    size_t n = 0, digits = 0;
    if (*c == '-' || *c == '+')
        out[n++] = *c++;
    for (bool point = false; n < DIGITS_MAX; c++) {
        if (isdigit((unsigned char)*c)) {
            out[n++] = *c;
            digits++;
        } else if (*c == '.' && !point && c[1] != '.') {
            out[n++] = *c;
            point = true;
        } else if (!(*c == '_' && isdigit((unsigned char)c[1]) && c > *at && isdigit((unsigned char)c[-1]))) {
            break;
        }
    }
    if (digits == 0)
        return false;
    if (*c == 'e' || *c == 'E') {
        const char *e = c + 1 + (c[1] == '-' || c[1] == '+');
        size_t length = strspn(e, "0123456789");
        if (length > 0 && length <= 4 && !isalpha((unsigned char)e[length])) {
            n += (size_t)snprintf(out + n, NUMBER_MAX - n, "%.*s", (int)((size_t)(e - c) + length), c);
            c = e + length;
        }
    }
    out[n] = '\0';
    *at = c;
    return true;
}

static CfgRead to_double(double *out, const char *number)
{
    *out = strtod(number, NULL);
    return isfinite(*out) ? CFG_READ_GOOD : CFG_READ_OUTSIDE;
}

/* `number` divided by 100, rounded once, so that 0.1% is 0.001. */
static CfgRead percent(double *out, char *number)
{
    char *e = strpbrk(number, "eE");
    long exponent = e ? strtol(e + 1, NULL, 10) : 0;
    if (e)
        *e = '\0';
    snprintf(number + strlen(number), 24, "e%ld", exponent - 2);
    return to_double(out, number);
}

/* A number, in percent where that is allowed; *at moves behind it. */
static CfgRead real_at(double *out, const char **at, bool may_be_percent)
{
    char number[NUMBER_MAX];
    if (!number_at(number, at))
        return CFG_READ_WRONG;
    const char *sign = skip(*at);
    if (!may_be_percent || *sign != '%')
        return to_double(out, number);
    *at = sign + 1;
    return percent(out, number);
}

static CfgRead read_real(double *out, const char *text, bool may_be_percent)
{
    CfgRead read = real_at(out, &text, may_be_percent);
    return read != CFG_READ_WRONG && *text ? CFG_READ_WRONG : read;
}

static CfgRead read_int(int64_t *out, const char *text)
{
    bool minus = *text == '-';
    uint64_t value = 0, base;
    const char *c = text + (*text == '-' || *text == '+');
    bool outside = false;
    if (!isdigit((unsigned char)*c))
        return CFG_READ_WRONG;
    for (; isdigit((unsigned char)*c) || (*c == '_' && isdigit((unsigned char)c[1]) && c[-1] != '_'); c++)
        if (*c != '_')
            outside |= __builtin_mul_overflow(value, UINT64_C(10), &value) ||
                       __builtin_add_overflow(value, (uint64_t)(*c - '0'), &value);
    if (*c == '^') {
        char *end;
        if (!isdigit((unsigned char)c[1]))
            return CFG_READ_WRONG;
        unsigned long power = strtoul(c + 1, &end, 10);
        c = end;
        base = value;
        value = 1;
        if (base > 1 && power > 64)
            outside = true;
        for (unsigned long i = 0; i < power && i <= 64; i++)
            outside |= __builtin_mul_overflow(value, base, &value);
    }
    if (*c)
        return CFG_READ_WRONG;
    if (outside || value > (uint64_t)INT64_MAX)
        return CFG_READ_OUTSIDE;
    *out = minus ? -(int64_t)value : (int64_t)value;
    return CFG_READ_GOOD;
}

static CfgRead read_bytes(int64_t *out, const char *text)
{
    char number[NUMBER_MAX];
    double value;
    if (!number_at(number, &text))
        return CFG_READ_WRONG;
    text = skip(text);
    const Unit *unit = unit_at(byte_units, &text);
    if (!unit || *text)
        return CFG_READ_WRONG;
    if (unit->factor == 1 && !strpbrk(number, ".eE"))
        return read_int(out, number);
    CfgRead read = to_double(&value, number);
    value = rint(value * unit->factor);
    if (read != CFG_READ_GOOD || fabs(value) >= 0x1p62)
        return CFG_READ_OUTSIDE;
    *out = (int64_t)value;
    return CFG_READ_GOOD;
}

static CfgRead read_duration(double *out, const char *text)
{
    double sum = 0;
    if (strcmp(text, "0") == 0) {
        *out = 0;
        return CFG_READ_GOOD;
    }
    do {
        double value;
        CfgRead read = real_at(&value, &text, false);
        if (read != CFG_READ_GOOD)
            return read;
        text = skip(text);
        const Unit *unit = unit_at(time_units, &text);
        if (!unit)
            return CFG_READ_WRONG;
        sum += value * unit->factor;
        text = skip(text);
    } while (*text);
    *out = sum;
    return isfinite(sum) ? CFG_READ_GOOD : CFG_READ_OUTSIDE;
}

static CfgRead read_range(CfgRange *out, const char *text)
{
    CfgRead low = real_at(&out->low, &text, true), high = CFG_READ_GOOD;
    text = skip(text);
    if (low == CFG_READ_WRONG || strncmp(text, "..", 2) != 0)
        return CFG_READ_WRONG;
    text = skip(text + 2);
    out->high = INFINITY;
    if (*text)
        high = real_at(&out->high, &text, true);
    if (high == CFG_READ_WRONG || *text)
        return CFG_READ_WRONG;
    out->set = true;
    return low == CFG_READ_GOOD && high == CFG_READ_GOOD && out->low <= out->high ? CFG_READ_GOOD : CFG_READ_OUTSIDE;
}

static bool date_at(int64_t *out, const char **at)
{
    char date[11];
    if (strlen(*at) < 10)
        return false;
    memcpy(date, *at, 10);
    date[10] = '\0';
    *at += 10;
    return dp_time_read(out, date);
}

static CfgRead read_dates(CfgPart *part, const char *text)
{
    if (!date_at(&part->from, &text))
        return CFG_READ_WRONG;
    part->kind = CFG_PART_DATES;
    part->to = part->from;
    text = skip(text);
    if (strncmp(text, "..", 2) == 0) {
        text = skip(text + 2);
        if (!date_at(&part->to, &text))
            return CFG_READ_WRONG;
    }
    if (*text)
        return CFG_READ_WRONG;
    part->to += DP_DAY - 1;
    return part->from < part->to ? CFG_READ_GOOD : CFG_READ_OUTSIDE;
}

static CfgRead read_part(CfgPart *part, const char *text)
{
    const char *at = text;
    size_t digits = strspn(text, "0123456789");
    if (digits == 4 && text[4] == '-')
        return read_dates(part, text);
    if (digits > 0 && isalpha((unsigned char)*skip(text + digits))) {
        int64_t count = strtoll(text, NULL, 10);
        at = skip(text + digits);
        const Unit *unit = unit_at(part_units, &at);
        if (!unit || *at)
            return CFG_READ_WRONG;
        if (digits > 6 || count < 1)
            return CFG_READ_OUTSIDE;
        part->kind = unit->factor > 0 ? CFG_PART_MONTHS : CFG_PART_DAYS;
        part->count = (int)(count * (int64_t)fabs(unit->factor));
        return part->count <= 120000 ? CFG_READ_GOOD : CFG_READ_OUTSIDE;
    }
    part->kind = CFG_PART_SHARE;
    CfgRead read = read_real(&part->share, text, true);
    return read == CFG_READ_GOOD && !(part->share >= 0 && part->share <= 1) ? CFG_READ_OUTSIDE : read;
}

CfgRead cfg_read_scalar(CfgValue *value, CfgType type, const char *text)
{
    switch (type) {
    case CFG_INT:
        return read_int(&value->as.integer, text);
    case CFG_REAL:
        return read_real(&value->as.real, text, false);
    case CFG_SHARE:
        return read_real(&value->as.real, text, true);
    case CFG_BYTES:
        return read_bytes(&value->as.integer, text);
    case CFG_DURATION:
        return read_duration(&value->as.real, text);
    case CFG_RANGE:
        return read_range(&value->as.range, text);
    case CFG_PART:
        return read_part(&value->as.part, text);
    case CFG_TIME:
        return dp_time_read(&value->as.integer, text) ? CFG_READ_GOOD : CFG_READ_WRONG;
    default:
        return CFG_READ_WRONG;
    }
}

const char *cfg_wanted(CfgType type)
{
    static const char *const words[] = {
        [CFG_TEXT] = "a text",
        [CFG_NAME] = "a name of a-z, 0-9 and . _ - (64 at most)",
        [CFG_PATH] = "a path",
        [CFG_CHOICE] = "one of its choices",
        [CFG_INT] = "a whole number, like 1000, 1_000 or 2^20",
        [CFG_REAL] = "a number, like 0.08 or 1e9",
        [CFG_SHARE] = "a share, like 0.1% or 0.001",
        [CFG_BYTES] = "a size, like 512MiB or 8GiB",
        [CFG_DURATION] = "a time span, like 90s, 30m or 2h",
        [CFG_RANGE] = "a range, like 0 .. 500",
        [CFG_PART] = "a part, like 30 months, 70% or 2026-09-01 .. 2026-10-31",
        [CFG_LIST] = "a list, like [a, b]",
        [CFG_WORDS] = "a word or a list, like [a, b]",
        [CFG_MAP] = "a map of keys",
        [CFG_TIME] = "a time, like 2026-11-20 or 2026-11-20 14:05:33",
    };
    return words[type];
}

size_t cfg_size_of(CfgType type)
{
    static const size_t sizes[] = {
        [CFG_TEXT] = sizeof(const char *), [CFG_NAME] = sizeof(const char *), [CFG_PATH] = sizeof(const char *),
        [CFG_CHOICE] = sizeof(int),        [CFG_INT] = sizeof(int64_t),       [CFG_REAL] = sizeof(double),
        [CFG_SHARE] = sizeof(double),      [CFG_BYTES] = sizeof(int64_t),     [CFG_DURATION] = sizeof(double),
        [CFG_RANGE] = sizeof(CfgRange),    [CFG_PART] = sizeof(CfgPart),      [CFG_LIST] = sizeof(CfgList),
        [CFG_WORDS] = sizeof(CfgList),     [CFG_MAP] = sizeof(CfgMap),        [CFG_TIME] = sizeof(int64_t),
    };
    return sizes[type];
}
