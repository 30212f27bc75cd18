/* RUN np=1 quick -- a partition's bytes follow from its rows: not from the partitions that were made before it, whose
 * skeleton it may have taken over. */
#include "fixture.h"
#include "lake/lake_priv.h"

/* Lengths of a block around each byte of their number, then of several blocks; and back again. */
static const int32_t lengths[] = {5, 6, 1, 255, 256, 257, 4096, 65535, 65536, 65537, 200000, 300, 65280, 3};

/* Texts and categories have a shape of their own in each partition; numbers and times share one. */
static const int plain[] = {F_AT, F_CHANGED, F_VALUE, F_MASS, F_FAULT};
enum { PLAIN = sizeof plain / sizeof *plain };

static void compare(LakeCompress compress, bool all)
{
    LakeColumn columns[F_COLUMNS], some[PLAIN];
    LakeValues values[PLAIN];
    LakeSchema schema = fixture_schema(columns);
    for (int i = 0; i < PLAIN; i++)
        some[i] = columns[plain[i]];
    if (!all)
        schema = (LakeSchema){.columns = some, .n = PLAIN};
    Packer *kept = NULL, *fresh = NULL;
    dp_buf image = {0}, expected = {0};
    ImageFacts facts, wanted;
    assert_ok(packer_build(&kept, &schema, compress, 1));
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        Fixture f;
        fixture_build(&f, 100 * (int64_t)i, lengths[i]);
        for (int k = 0; k < PLAIN; k++)
            values[k] = f.rows.column[plain[k]];
        if (!all)
            f.rows.column = values;
        assert_ok(packer_build(&fresh, &schema, compress, 1));
        assert_ok(pack_partition(kept, &image, &facts, &f.rows, NULL));
        assert_ok(pack_partition(fresh, &expected, &wanted, &f.rows, NULL));
        if (image.size != expected.size || memcmp(image.data, expected.data, image.size) != 0)
            fail_msg("%d rows, compressed by %d: other bytes", lengths[i], (int)compress);
        assert_memory_equal(&facts, &wanted, sizeof facts);
        packer_free(&fresh);
        fixture_free(&f);
    }
    packer_free(&kept);
    dp_buf_free(&image);
    dp_buf_free(&expected);
}

static void bytes_follow_from_the_rows(void **state)
{
    (void)state;
    for (int all = 0; all < 2; all++) {
        compare(LAKE_ZSTD, all);
        compare(LAKE_DEFLATE, all);
        compare(LAKE_PLAIN, all);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bytes_follow_from_the_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
