#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NAME_MAX_LENGTH = 64, WORD_MAX = 80 };

bool dp_name_is_good(const char *name)
{
    size_t n = 0;
    for (; name[n]; n++) {
        char c = name[n];
        bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        bool mark = n > 0 && (c == '.' || c == '_' || c == '-');
        if ((!letter && !mark) || n == NAME_MAX_LENGTH)
            return false;
    }
    return n > 0;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment: insert, delete, change, or swap two neighbours, the commonest typing error. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t n = strlen(b), rows[3][WORD_MAX + 1], *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t *oldest = before;
        before = above;
        above = row;
        row = oldest;
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
    }
    return row[n];
}

const char *dp_nearest(const char *word, const char *const *candidates, size_t count)
{
    size_t length = strlen(word), best = length / 3 > 1 ? length / 3 + 1 : 2;
    const char *nearest = NULL;
    if (length > WORD_MAX)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (strlen(candidates[i]) > WORD_MAX)
            continue;
        size_t d = edit_distance(word, candidates[i]);
        if (d < best) {
            best = d;
            nearest = candidates[i];
        }
    }
    return nearest;
}

void dp_count_print(char *out, int64_t count)
{
    char plain[24];
    int n = snprintf(plain, sizeof plain, "%lld", (long long)count);
    char *at = out;
    for (int i = 0; i < n; i++) {
        *at++ = plain[i];
        if (i + 1 < n && (n - 1 - i) % 3 == 0 && plain[i] != '-')
            *at++ = ',';
    }
    *at = '\0';
}

void dp_bytes_print(char *out, int64_t bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024 && unit < 5) {
        value /= 1024;
        unit++;
    }
    snprintf(out, 32, unit == 0 || value >= 10 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

void dp_number_print(char *out, double value)
{
    if (isnan(value))
        snprintf(out, 32, "missing");
    else if (fabs(value) < 1e15 && value == floor(value))
        dp_count_print(out, (int64_t)value);
    else
        snprintf(out, 32, "%.6g", value);
}

/* Lowest and highest allowed second byte for each kind of lead byte, and how many bytes follow it. */
static int following(unsigned char lead, unsigned char *low, unsigned char *high)
{
    *low = 0x80;
    *high = 0xBF;
    if (lead >= 0xC2 && lead <= 0xDF)
        return 1;
    if (lead >= 0xE0 && lead <= 0xEF) {
        if (lead == 0xE0)
            *low = 0xA0;
        if (lead == 0xED)
            *high = 0x9F;
        return 2;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        if (lead == 0xF0)
            *low = 0x90;
        if (lead == 0xF4)
            *high = 0x8F;
        return 3;
    }
    return -1;
}

bool dp_utf8_is_good(const char *data, size_t size)
{
    const unsigned char *at = (const unsigned char *)data, *end = at + size;
    while (at < end) {
        unsigned char low, high;
        uint64_t eight;
        while (end - at >= 8 && (memcpy(&eight, at, 8), (eight & UINT64_C(0x8080808080808080)) == 0))
            at += 8;
        if (at == end)
            return true;
        if (*at < 0x80) {
            at++;
            continue;
        }
        int more = following(*at, &low, &high);
        if (more < 0 || end - at <= more || at[1] < low || at[1] > high)
            return false;
        for (int i = 2; i <= more; i++)
            if ((at[i] & 0xC0) != 0x80)
                return false;
        at += more + 1;
    }
    return true;
}
