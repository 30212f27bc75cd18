/* The HDF5 side of zstd: filter 32015, so that HDF5 itself can read our files in this process. A chunk is one zstd
 * frame, as hdf5plugin and the filter of the HDF Group write it. */
#include "lake/lake_priv.h"

#include <H5PLpublic.h>
#include <hdf5.h>
#include <stdio.h>

enum { ZSTD_FILTER = 32015 };

static size_t unpack_chunk(size_t n, size_t *room, void **buffer)
{
    unsigned long long size = ZSTD_getFrameContentSize(*buffer, n);
    void *plain;
    if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > (64u << 20))
        return 0;
    plain = H5allocate_memory((size_t)size, false);
    if (!plain)
        return 0;
    if (ZSTD_decompress(plain, (size_t)size, *buffer, n) != size) {
        H5free_memory(plain);
        return 0;
    }
    H5free_memory(*buffer);
    *buffer = plain;
    *room = (size_t)size;
    return (size_t)size;
}

static size_t pack_chunk(size_t n, size_t *room, void **buffer)
{
    size_t bound = ZSTD_compressBound(n), size;
    void *packed = H5allocate_memory(bound, false);
    if (!packed)
        return 0;
    size = ZSTD_compress(packed, bound, *buffer, n, 1);
    if (ZSTD_isError(size)) {
        H5free_memory(packed);
        return 0;
    }
    H5free_memory(*buffer);
    *buffer = packed;
    *room = bound;
    return size;
}

static size_t zstd_filter(unsigned flags, size_t n_values, const unsigned values[], size_t n, size_t *room,
                          void **buffer)
{
    (void)n_values;
    (void)values;
    return flags & H5Z_FLAG_REVERSE ? unpack_chunk(n, room, buffer) : pack_chunk(n, room, buffer);
}

dp_status h5_ready(void)
{
    static const H5Z_class2_t zstd = {.version = H5Z_CLASS_T_VERS,
                                      .id = ZSTD_FILTER,
                                      .encoder_present = 1,
                                      .decoder_present = 1,
                                      .name = "zstd",
                                      .filter = zstd_filter};
    /* HDF5 prints to stderr by default and loads shared objects that a file names; neither is wanted. */
    if (H5open() < 0 || H5Eset_auto2(H5E_DEFAULT, NULL, NULL) < 0 || H5PLset_loading_state(0) < 0 ||
        (H5Zfilter_avail(ZSTD_FILTER) <= 0 && H5Zregister(&zstd) < 0))
        return dp_fail(DP_ERR_INTERNAL, "lake-11",
                       "the HDF5 library cannot be started; `dipper doctor` shows which "
                       "one was found");
    return DP_OK;
}

void lake_library(char *out)
{
    unsigned major = 0, minor = 0, release = 0;
    H5get_libversion(&major, &minor, &release);
    snprintf(out, 32, "HDF5 %u.%u.%u", major, minor, release);
}
