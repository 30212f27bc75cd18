#include "base/rng.h"

void dp_random_words(uint32_t out[4], uint64_t seed, uint64_t stream, uint64_t item)
{
    uint32_t c0 = (uint32_t)item, c1 = (uint32_t)(item >> 32), c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)b;
        c3 = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

uint64_t dp_random_u64(uint64_t seed, uint64_t stream, uint64_t item)
{
    uint32_t words[4];
    dp_random_words(words, seed, stream, item);
    return (uint64_t)words[1] << 32 | words[0];
}

double dp_random_unit(uint64_t seed, uint64_t stream, uint64_t item)
{
    return (double)(dp_random_u64(seed, stream, item) >> 11) * 0x1p-53;
}

uint64_t dp_random_below(uint64_t seed, uint64_t stream, uint64_t item, uint64_t n)
{
    __extension__ typedef unsigned __int128 wide;
    return (uint64_t)((wide)dp_random_u64(seed, stream, item) * n >> 64);
}
