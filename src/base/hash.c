#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/memory.h"

struct dp_hash {
    EVP_MD_CTX *sha;
};

static dp_status refused(void)
{
    return dp_fail(DP_ERR_INTERNAL, "base-04", "OpenSSL does not compute SHA-256 here; check its configuration");
}

dp_status dp_hash_start(dp_hash **hash)
{
    DP_TRY(dp_new(hash, 1));
    (*hash)->sha = EVP_MD_CTX_new();
    if (!(*hash)->sha || EVP_DigestInit_ex((*hash)->sha, EVP_sha256(), NULL) != 1) {
        dp_hash_free(hash);
        return refused();
    }
    return DP_OK;
}

dp_status dp_hash_add(dp_hash *hash, const void *data, size_t size)
{
    return EVP_DigestUpdate(hash->sha, data, size) == 1 ? DP_OK : refused();
}

dp_status dp_hash_end(dp_hash **hash, dp_digest *digest)
{
    int good = EVP_DigestFinal_ex((*hash)->sha, digest->bytes, NULL);
    dp_hash_free(hash);
    return good == 1 ? DP_OK : refused();
}

void dp_hash_free(dp_hash **hash)
{
    if (*hash)
        EVP_MD_CTX_free((*hash)->sha);
    dp_free(hash);
}

dp_status dp_digest_of(dp_digest *digest, const void *data, size_t size)
{
    return EVP_Digest(data, size, digest->bytes, NULL, EVP_sha256(), NULL) == 1 ? DP_OK : refused();
}

dp_status dp_digest_of_file(dp_digest *digest, const char *path)
{
    enum { PIECE = 64 << 10 }; /* stays in the cache between reading and hashing */
    dp_hash *hash = NULL;
    char *piece = NULL;
    dp_status st = DP_OK;
    ssize_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return dp_fail(dp_status_of_errno(errno, DP_ERR_IO), "base-05", "cannot open %s: %s", path, strerror(errno));
    DP_GO(dp_new(&piece, PIECE));
    DP_GO(dp_hash_start(&hash));
    while ((n = read(fd, piece, PIECE)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            st = dp_fail(dp_status_of_errno(errno, DP_ERR_IO), "base-05", "cannot read %s: %s", path, strerror(errno));
            goto done;
        }
        DP_GO(dp_hash_add(hash, piece, (size_t)n));
    }
    DP_GO(dp_hash_end(&hash, digest));
done:
    dp_hash_free(&hash);
    dp_free(&piece);
    close(fd);
    return st;
}

bool dp_digest_same(const dp_digest *a, const dp_digest *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

void dp_digest_print(char *out, const dp_digest *digest)
{
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof digest->bytes; i++) {
        out[2 * i] = hex[digest->bytes[i] >> 4];
        out[2 * i + 1] = hex[digest->bytes[i] & 15];
    }
    out[DP_DIGEST_HEX - 1] = '\0';
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

bool dp_digest_read(dp_digest *digest, const char *hex)
{
    if (strlen(hex) != DP_DIGEST_HEX - 1)
        return false;
    for (size_t i = 0; i < sizeof digest->bytes; i++) {
        int high = nibble(hex[2 * i]), low = nibble(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        digest->bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

uint64_t dp_hash64(const void *data, size_t size, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, size, seed);
}

dp_key128 dp_hash128(const void *data, size_t size, uint64_t seed)
{
    XXH128_hash_t h = XXH3_128bits_withSeed(data, size, seed);
    return (dp_key128){.low = h.low64, .high = h.high64};
}
