/* The portable way to find separators and read plain numbers, and the choice between it and the vector ones. */
#include "ingest/ingest_priv.h"

#include <math.h>
#include <string.h>

static IngestFound find(uint32_t *at, const char *text, size_t size, char delimiter, bool quotes)
{
    IngestFound found = {0};
    bool inside = false;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        found.wide |= (unsigned char)c > 127;
        found.nul |= c == 0;
        if (c == '"') {
            found.quotes = true;
            inside ^= quotes;
        } else if (!inside && (c == '\n' || (c == delimiter && c))) {
            found.newlines += c == '\n';
            at[found.n++] = (uint32_t)i;
        }
    }
    return found;
}

static void count(const char *text, size_t size, int64_t *quotes, int64_t *newlines)
{
    int64_t q = 0, n = 0;
    for (size_t i = 0; i < size; i++) {
        q += text[i] == '"';
        n += text[i] == '\n';
    }
    *quotes = q;
    *newlines = n;
}

static bool read_plain(double *value, const char *p, uint32_t size, char decimal)
{
    const char *end = p + size, *mark = NULL;
    bool minus = *p == '-';
    p += minus;
    if (end - p > 16 || end == p || (end - p == 1 && *p == decimal))
        return false;
    uint64_t v = 0;
    for (; p < end; p++) {
        if (*p == decimal && !mark)
            mark = p;
        else if ((unsigned)(*p - '0') <= 9)
            v = v * 10 + (uint64_t)(*p - '0');
        else
            return false;
    }
    if (v > UINT64_C(1) << 53)
        return false;
    double d = (double)v / ingest_tens[mark ? end - mark - 1 : 0];
    *value = minus ? -d : d;
    return true;
}

static int32_t numbers(double *value, const IngestFields *fields, char decimal, bool single, int32_t *slow)
{
    int32_t n = 0;
    for (int32_t r = 0; r < fields->rows; r++) {
        uint32_t size;
        const char *p = ingest_field(fields, r, &size);
        value[r] = NAN;
        if (size > 0 && (!read_plain(&value[r], p, size, decimal) || (single && ingest_between_floats(value[r]))))
            slow[n++] = r;
    }
    return n;
}

const IngestIsa ingest_isa_scalar = {"scalar", find, count, numbers};

const IngestIsa *ingest_isa(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("pclmul")) {
        if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
            __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512dq") &&
            __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512vbmi") &&
            __builtin_cpu_supports("gfni"))
            return &ingest_isa_avx512;
        return &ingest_isa_avx2;
    }
#endif
    return &ingest_isa_scalar;
}
