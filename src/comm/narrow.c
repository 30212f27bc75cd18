/* Integers on their way: most are small, and a message is as long as its numbers need. */
#include "narrow_body.h"

int64_t *comm_narrow(const int64_t *values, size_t n, int64_t *out)
{
    return __builtin_cpu_supports("avx2") ? comm_narrow_avx2(values, n, out) : narrow(values, n, out);
}

const int64_t *comm_add_narrow(int64_t *values, size_t n, const int64_t *in)
{
    return __builtin_cpu_supports("avx2") ? comm_add_narrow_avx2(values, n, in) : add_narrow(values, n, in);
}
