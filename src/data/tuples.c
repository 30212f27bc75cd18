/* tuples.c -- values as 64-bit words that are equal where the values are, in any partition and on any rank. */
#include <string.h>

#include "data_priv.h"

void word_cache_free(WordCache *cache)
{
    dp_free(&cache->hashes);
    *cache = (WordCache){0};
}

static uint64_t word_of_number(double x)
{
    uint64_t word;
    x = x == 0 ? 0 : x; /* -0 is 0 */
    memcpy(&word, &x, sizeof word);
    return x == x ? word : UINT64_MAX;
}

static dp_status hash_dictionary(WordCache *cache, const LakeDict *dict)
{
    if (cache->hashes && cache->serial == dict->serial)
        return DP_OK;
    if (dict->n > cache->room) {
        dp_free(&cache->hashes);
        cache->room = 0;
        DP_TRY(dp_new(&cache->hashes, dict->n));
        cache->room = dict->n;
    }
    for (uint32_t c = 0; c < dict->n; c++)
        cache->hashes[c] = dp_hash64(dict->bytes + dict->offset[c], dict->offset[c + 1] - dict->offset[c], 0);
    cache->serial = dict->serial;
    return DP_OK;
}

dp_status column_words(WordCache *cache, const LakeValues *values, int32_t first, int32_t n, uint64_t *words,
                       int stride)
{
    switch (values->type) {
    case LAKE_NUMBER:
        for (int32_t i = 0; i < n; i++)
            words[(int64_t)i * stride] = word_of_number(values->number[first + i]);
        break;
    case LAKE_NUMBER32:
        for (int32_t i = 0; i < n; i++)
            words[(int64_t)i * stride] = word_of_number((double)values->number32[first + i]);
        break;
    case LAKE_TIME:
        for (int32_t i = 0; i < n; i++)
            words[(int64_t)i * stride] = (uint64_t)values->time[first + i];
        break;
    case LAKE_LABEL:
        for (int32_t i = 0; i < n; i++)
            words[(int64_t)i * stride] = (uint64_t)(int64_t)values->label[first + i];
        break;
    case LAKE_CATEGORY:
    case LAKE_CODE:
        DP_TRY(hash_dictionary(cache, values->dict));
        for (int32_t i = 0; i < n; i++)
            words[(int64_t)i * stride] = cache->hashes[values->code[first + i]];
        break;
    case LAKE_TEXT:
        for (int32_t i = 0; i < n; i++) {
            int64_t at = values->text_at[first + i], end = values->text_at[first + i + 1];
            words[(int64_t)i * stride] = dp_hash64(values->text + at, (size_t)(end - at), 0);
        }
        break;
    }
    return DP_OK;
}
