/* tests/support/starve.h -- the n-th request for memory of this program fails, once. dp_new asks posix_memalign, which
 * a program may define itself; what libraries take by malloc is not touched. */
#ifndef DIPPER_TEST_STARVE_H
#define DIPPER_TEST_STARVE_H

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

static long starve_at; /* 0: never */
static bool *starved;  /* shared with children, which count on their own */

int posix_memalign(void **block, size_t alignment, size_t size)
{
    static int (*real)(void **, size_t, size_t);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "posix_memalign");
    if (starve_at > 0 && --starve_at == 0) {
        *starved = true;
        return ENOMEM;
    }
    return real(block, alignment, size);
}

/* Runs `work` with the first, second, ... request failing, until it needs no more. Gives the number of requests. */
static inline long starve(void (*work)(bool may_fail))
{
    long n = 0;
    starved = mmap(NULL, sizeof *starved, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (starved == MAP_FAILED)
        abort();
    do {
        *starved = false;
        starve_at = ++n;
        work(true);
        starve_at = 0;
        work(false);
    } while (*starved);
    munmap(starved, sizeof *starved);
    return n;
}

#endif
