/* RUN np=1 quick -- each instruction set finds the same separators as a loop over bytes, at any size and place. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "ingest/ingest_priv.h"

enum { SIZE = 4096 };

static char text[SIZE + 4 * INGEST_PAD];
static uint32_t plain[SIZE + INGEST_PAD], fast[SIZE + INGEST_PAD];

static void compare(const IngestIsa *isa, const char *at, size_t size, char delimiter, bool quotes)
{
    IngestFound a = ingest_isa_scalar.find(plain, at, size, delimiter, quotes);
    IngestFound b = isa->find(fast, at, size, delimiter, quotes);
    assert_int_equal(a.n, b.n);
    assert_int_equal(a.newlines, b.newlines);
    assert_int_equal(a.quotes, b.quotes);
    assert_int_equal(a.wide, b.wide);
    assert_int_equal(a.nul, b.nul);
    assert_memory_equal(plain, fast, a.n * sizeof *plain);
    int64_t q, n, q2, n2;
    ingest_isa_scalar.count(at, size, &q, &n);
    isa->count(at, size, &q2, &n2);
    assert_int_equal(q, q2);
    assert_int_equal(n, n2);
}

static void all_find_the_same(void **state)
{
    (void)state;
    static const char letters[] = "ab,\n\"\",;\n,,\r";
    const IngestIsa *best = ingest_isa();
    for (uint64_t i = 0; i < 4000; i++) {
        size_t size = (size_t)dp_random_below(3, 1, i, i < 1500 ? 200 : SIZE),
               start = (size_t)dp_random_below(3, 2, i, 64);
        uint64_t kind = dp_random_below(3, 3, i, 4);
        for (size_t b = 0; b < size + INGEST_PAD; b++) { /* also behind the end: it must not be looked at */
            uint64_t r = dp_random_u64(5, i, b);
            text[INGEST_PAD + start + b] = kind == 0 ? (char)r : letters[r % (kind == 1 ? 3 : sizeof letters - 1)];
        }
        if (kind == 3)
            memset(text + INGEST_PAD + start, 'x', size);
        const char *at = text + INGEST_PAD + start;
        for (int quotes = 0; quotes < 2; quotes++) {
            compare(best, at, size, ',', quotes);
            compare(best, at, size, 0, quotes);
            if (best == &ingest_isa_avx512)
                compare(&ingest_isa_avx2, at, size, ',', quotes);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_find_the_same)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
