/* base/text.h -- names, suggestions, and numbers as people read them. */
#ifndef DIPPER_BASE_TEXT_H
#define DIPPER_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Local. Does it follow [a-z0-9][a-z0-9._-]{0,63}, the grammar of tables, models, runs and columns? */
bool dp_name_is_good(const char *name);

/* Local. The candidate nearest to `word` by edit distance (a swap of neighbours is one edit), or NULL when none is near
 * enough to be meant (distance > max(1, length / 3)). Ties: the earlier one. */
const char *dp_nearest(const char *word, const char *const *candidates, size_t count);

/* Local. "1,804,112". out holds 32 bytes. */
void dp_count_print(char *out, int64_t count);
/* Local. "412 MiB", "7.9 GiB". out holds 32 bytes. */
void dp_bytes_print(char *out, int64_t bytes);

/* Local. A figure of a row: "1,204", "0.0417", "1.2e+16", "missing" of NaN. out holds 32 bytes. */
void dp_number_print(char *out, double value);

/* Local. Is `data` valid UTF-8 (no overlong forms, no surrogates)? */
bool dp_utf8_is_good(const char *data, size_t size);

#endif
