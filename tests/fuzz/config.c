/* Any bytes as a config, with overrides behind the first 0xFF (a line each): no crash, no leak, faults in order; and a
 * config without faults prints as one that reads as the same values. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../config/kinds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OVERRIDES = 4, LINE = 128 };

static void must(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "%s: %s\n", what, dp_error_last()->text);
        abort();
    }
}

static void look_at_faults(Config *config)
{
    size_t n;
    const CfgFault *faults = config_faults(config, &n);
    for (size_t i = 0; i < n; i++) {
        must(faults[i].id[0] && faults[i].text[0] && faults[i].mark.file, "a fault without words");
        if (i > 0 && faults[i].mark.line > 0 && faults[i - 1].mark.line > 0)
            must(faults[i].mark.line >= faults[i - 1].mark.line, "faults out of order");
    }
}

static void read_again(const Config *config)
{
    Config *again = NULL;
    dp_buf text = {0};
    dp_digest one, two;
    must(config_print(config, &text) == DP_OK, "cannot print");
    must(config_parse(&again, "again.yaml", text.data, text.size, NULL, 0, kinds, 2) == DP_OK, "cannot parse");
    if (config_must_be_good(again) != DP_OK)
        fputs(text.data, stderr);
    must(config_must_be_good(again) == DP_OK, "what was printed is faulty");
    must(config_digest(config, &one) == DP_OK && config_digest(again, &two) == DP_OK, "no digest");
    must(dp_digest_same(&one, &two), "what was printed has other values");
    config_free(&again);
    dp_buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char lines[OVERRIDES][LINE];
    const char *overrides[OVERRIDES];
    size_t n = 0;
    const uint8_t *end = memchr(data, 0xFF, size);
    size_t text = end ? (size_t)(end - data) : size;
    for (const uint8_t *at = end ? end + 1 : data + size; at < data + size && n < OVERRIDES; n++) {
        const uint8_t *stop = memchr(at, '\n', (size_t)(data + size - at));
        size_t length = (size_t)((stop ? stop : data + size) - at);
        snprintf(lines[n], LINE, "%.*s", (int)length, (const char *)at);
        overrides[n] = lines[n];
        at += length + 1;
    }
    Config *config = NULL;
    must(config_parse(&config, "fuzz.yaml", (const char *)data, text, overrides, n, kinds, 2) == DP_OK, "cannot parse");
    look_at_faults(config);
    for (size_t i = 0; i < n; i++) {
        config_mark(config, overrides[i]);
        config_was_given(config, overrides[i]);
    }
    if (config_must_be_good(config) == DP_OK)
        read_again(config);
    config_free(&config);
    return 0;
}
