#include "narrow_body.h"

int64_t *comm_narrow_avx2(const int64_t *values, size_t n, int64_t *out)
{
    return narrow(values, n, out);
}

const int64_t *comm_add_narrow_avx2(int64_t *values, size_t n, const int64_t *in)
{
    return add_narrow(values, n, in);
}
