/* base/hash.h -- SHA-256 for trust (files, payloads, audit), a fast 64/128-bit hash for grouping rows. */
#ifndef DIPPER_BASE_HASH_H
#define DIPPER_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct dp_digest {
    uint8_t bytes[32];
} dp_digest;

enum { DP_DIGEST_HEX = 65 };

/* A digest being computed. Build with dp_hash_start, end with dp_hash_end (which frees it) or dp_hash_free. */
typedef struct dp_hash dp_hash;

dp_status dp_hash_start(dp_hash **hash);
dp_status dp_hash_add(dp_hash *hash, const void *data, size_t size);
dp_status dp_hash_end(dp_hash **hash, dp_digest *digest);
void dp_hash_free(dp_hash **hash);

/* Local. Of one block; of a whole file (reads it in 1 MiB pieces). */
dp_status dp_digest_of(dp_digest *digest, const void *data, size_t size);
dp_status dp_digest_of_file(dp_digest *digest, const char *path);

bool dp_digest_same(const dp_digest *a, const dp_digest *b);
/* out holds DP_DIGEST_HEX bytes. dp_digest_read: false where hex is not 64 hexadecimal digits. */
void dp_digest_print(char *out, const dp_digest *digest);
bool dp_digest_read(dp_digest *digest, const char *hex);

/* Local. Not for trust. The same on every machine and in every release (XXH3, stable since xxHash 0.8). */
uint64_t dp_hash64(const void *data, size_t size, uint64_t seed);
typedef struct dp_key128 {
    uint64_t low, high;
} dp_key128;
dp_key128 dp_hash128(const void *data, size_t size, uint64_t seed);

#endif
