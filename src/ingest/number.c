/* Decimal text to the nearest double or float: the spellings that isa*.c leaves. The grammar is checked here, the value
 * is strtod's. Plain spellings take one exact division instead (Clinger, "How to read floating point numbers
 * accurately", PLDI 1990: digits and power of ten are exact, so the quotient is rounded once). */
#include "ingest/ingest_priv.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const double ingest_tens[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

enum { LONGEST = 512 }; /* longer numbers are not numbers */

static bool is_digit(char c)
{
    return (unsigned)(c - '0') <= 9;
}

/* Copies the digits before the decimal mark without their grouping. The first group has one to three digits, the
 * others three; a number without any grouping is fine. */
static bool copy_whole(char *out, size_t *n, const char **at, const char *end, const char *group)
{
    size_t group_size = strlen(group), in_group = 0, groups = 0;
    const char *p = *at;
    for (; p < end; p++) {
        if (is_digit(*p)) {
            in_group++;
            if (*n >= LONGEST)
                return false;
            out[(*n)++] = *p;
        } else if (group_size > 0 && (size_t)(end - p) > group_size && memcmp(p, group, group_size) == 0) {
            if (in_group == 0 || in_group > 3 || (groups > 0 && in_group != 3))
                return false;
            groups++;
            in_group = 0;
            p += group_size - 1;
        } else {
            break;
        }
    }
    *at = p;
    return groups == 0 || in_group == 3;
}

static bool copy_digits(char *out, size_t *n, const char **at, const char *end)
{
    const char *p = *at;
    for (; p < end && is_digit(*p); p++) {
        if (*n >= LONGEST)
            return false;
        out[(*n)++] = *p;
    }
    *at = p;
    return true;
}

/* The number in the C locale's spelling. false: not a number. */
static bool respell(char *out, const char *text, size_t size, const IngestNumbers *rule)
{
    const char *p = text, *end = text + size;
    size_t n = 0;
    while (p < end && *p == ' ')
        p++;
    while (end > p && end[-1] == ' ')
        end--;
    if (p < end && (*p == '-' || *p == '+'))
        out[n++] = *p++;
    size_t first = n;
    if (!copy_whole(out, &n, &p, end, rule->group))
        return false;
    size_t any = n - first;
    if (p < end && *p == rule->decimal) {
        p++;
        out[n++] = '.';
        size_t before = n;
        if (!copy_digits(out, &n, &p, end))
            return false;
        any += n - before;
    }
    if (any == 0)
        return false;
    if (p < end && (*p == 'e' || *p == 'E')) {
        out[n++] = *p++;
        if (p < end && (*p == '-' || *p == '+'))
            out[n++] = *p++;
        size_t before = n;
        if (!copy_digits(out, &n, &p, end) || n == before)
            return false;
    }
    out[n] = '\0';
    return p == end;
}

IngestReason ingest_number_read(double *value, const char *text, size_t size, const IngestNumbers *rule, bool single)
{
    char plain[LONGEST + 16], *end;
    if (size > LONGEST || !respell(plain, text, size, rule))
        return BAD_NUMBER;
    *value = single ? (double)strtof_l(plain, &end, rule->c) : strtod_l(plain, &end, rule->c);
    if (*end)
        return BAD_NUMBER;
    return isinf(*value) ? BAD_OVERFLOW : BAD_NOT;
}
