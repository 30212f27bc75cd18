#include "kernels/cpu/margins_body.h"

void margins_scalar(const TreeMargins *job)
{
    margins_plain(job);
}
