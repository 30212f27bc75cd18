#include "lake/print.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { DECIMALS = 6 };
static const double ten_to[DECIMALS + 1] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};

/* digits / 10^k, k > 0 without zeros at the end of the digits. */
static size_t print_decimal(char *out, uint64_t digits, int k, bool negative)
{
    char text[24];
    size_t n = 0, at = 0;
    do {
        text[n++] = (char)('0' + digits % 10);
        digits /= 10;
    } while (digits > 0 || n <= (size_t)k);
    if (negative)
        out[at++] = '-';
    while (n > 0) {
        out[at++] = text[--n];
        if (n == (size_t)k && k > 0)
            out[at++] = '.';
    }
    out[at] = '\0';
    return at;
}

/* Is x the nearest double to digits / 10^k? Both are exact below 2^53, so the quotient is rounded once. For a float the
 * quotient is rounded twice; it is not believed where it lies just between two floats. */
static bool is_quotient(double x, double digits, int k, bool single)
{
    double quotient = digits / ten_to[k];
    uint64_t bits;
    if (!single)
        return quotient == x;
    memcpy(&bits, &quotient, sizeof bits);
    return (bits & 0x1fffffff) != 0x10000000 && (double)(float)quotient == x;
}

/* Few decimals: what tables hold mostly. 0: it is not such a number. */
static size_t print_plain(char *out, double value, bool single)
{
    double x = fabs(value);
    if (x == 0 && signbit(value)) {
        memcpy(out, "-0.0", 5); /* "-0" would be the integer 0 to many readers of JSON */
        return 4;
    }
    if (x >= 1e9 || (x < 1e-3 && x != 0))
        return 0;
    for (int k = 0; k <= DECIMALS; k++) {
        double digits = nearbyint(x * ten_to[k]);
        if (single && digits >= 1e8)
            return 0;
        if (is_quotient(x, digits, k, single))
            return print_decimal(out, (uint64_t)digits, k, signbit(value));
    }
    return 0;
}

size_t print_double(char *out, double value)
{
    size_t n = print_plain(out, value, false);
    /* %g drops zeros, so 15 digits are as short as fewer would be; of a subnormal fewer may be enough. */
    for (int digits = fabs(value) < DBL_MIN ? 1 : 15; n == 0 && digits <= 17; digits++) {
        int size = snprintf(out, 32, "%.*g", digits, value);
        if (digits == 17 || strtod(out, NULL) == value)
            n = (size_t)size;
    }
    return n;
}

size_t print_float(char *out, float value)
{
    size_t n = print_plain(out, (double)value, true);
    for (int digits = fabsf(value) < FLT_MIN ? 1 : 6; n == 0 && digits <= 9; digits++) {
        int size = snprintf(out, 32, "%.*g", digits, (double)value);
        if (digits == 9 || strtof(out, NULL) == value)
            n = (size_t)size;
    }
    return n;
}

dp_status print_csv_text(dp_buf *out, const char *text, size_t size)
{
    bool quote = text[0] == ' ' || text[size - 1] == ' ';
    for (size_t i = 0; i < size && !quote; i++)
        quote = text[i] == '"' || text[i] == ',' || text[i] == '\n' || text[i] == '\r';
    if (!quote)
        return dp_buf_add(out, text, size);
    DP_TRY(dp_buf_reserve(out, 2 * size + 2));
    char *to = out->data + out->size;
    *to++ = '"';
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '"')
            *to++ = '"';
        *to++ = text[i];
    }
    *to++ = '"';
    out->size = (size_t)(to - out->data);
    out->data[out->size] = '\0';
    return DP_OK;
}

/* Bytes of the character at text, 0 when they are none. */
static size_t character(const char *text, size_t left)
{
    unsigned char c = (unsigned char)*text;
    size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    return n <= left && dp_utf8_is_good(text, n) ? n : 0;
}

dp_status print_json_text(dp_buf *out, const char *text, size_t size)
{
    static const char hex[] = "0123456789abcdef", control[4] = {'\\', 'u', '0', '0'};
    static const unsigned char unknown[3] = {0xef, 0xbf, 0xbd}; /* U+FFFD */
    DP_TRY(dp_buf_reserve(out, 6 * size + 2));
    char *to = out->data + out->size;
    *to++ = '"';
    for (size_t i = 0, n; i < size; i += n ? n : 1) {
        unsigned char c = (unsigned char)text[i];
        n = c < 0x80 ? 1 : character(text + i, size - i);
        if (c == '"' || c == '\\') {
            *to++ = '\\';
            *to++ = (char)c;
        } else if (c < 0x20) {
            memcpy(to, control, sizeof control);
            to[4] = hex[c >> 4];
            to[5] = hex[c & 15];
            to += 6;
        } else if (n == 0) {
            memcpy(to, unknown, sizeof unknown);
            to += 3;
        } else {
            memcpy(to, text + i, n);
            to += n;
        }
    }
    *to++ = '"';
    out->size = (size_t)(to - out->data);
    out->data[out->size] = '\0';
    return DP_OK;
}
