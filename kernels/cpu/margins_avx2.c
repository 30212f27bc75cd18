#include "kernels/cpu/margins_body.h"

void margins_avx2(const TreeMargins *job)
{
    margins_plain(job);
}
