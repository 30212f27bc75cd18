/* Any JSON as a manifest that fits its digest: it is refused, or prints as one that reads as the same. */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lake/lake_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The text with the digest that it should have; NULL: it is no JSON object. */
static char *with_digest(const uint8_t *data, size_t size)
{
    json_t *root = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    dp_digest digest;
    char hex[DP_DIGEST_HEX], *text = NULL;
    if (json_is_object(root)) {
        json_object_del(root, "digest");
        text = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
        if (!text || dp_digest_of(&digest, text, strlen(text)) != DP_OK)
            abort();
        free(text);
        dp_digest_print(hex, &digest);
        json_object_set_new(root, "digest", json_string(hex));
        text = json_dumps(root, 0);
    }
    json_decref(root);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Manifest manifest, again;
    dp_buf text = {0};
    char *json = with_digest(data, size);
    if (json && manifest_parse(&manifest, json, strlen(json), "fuzz") == DP_OK) {
        dp_digest content = manifest.content;
        if (manifest_print(&text, &manifest, "fuzz") != DP_OK ||
            manifest_parse(&again, text.data, text.size, "fuzz") != DP_OK ||
            !dp_digest_same(&content, &again.content) || again.n_partitions != manifest.n_partitions ||
            again.schema.n != manifest.schema.n) {
            fprintf(stderr, "%s\n", dp_error_last()->text);
            abort();
        }
        manifest_free(&again);
        manifest_free(&manifest);
        dp_buf_free(&text);
    }
    free(json);
    return 0;
}
