/* print.h -- values as text that reads back to the same bits. */
#ifndef DIPPER_LAKE_PRINT_H
#define DIPPER_LAKE_PRINT_H

#include <stddef.h>

#include "base/memory.h"

/* Local. The shortest decimal that reads back to this finite value ("0.1", "1e-300", "-0.0"). out holds 32 bytes and is
 * zero-terminated; returns its length. */
size_t print_double(char *out, double value);
size_t print_float(char *out, float value);
/* Local. Appends a field of RFC 4180, in quotes where it must be; a JSON string. Bytes that are no UTF-8 become U+FFFD
 * in JSON. */
dp_status print_csv_text(dp_buf *out, const char *text, size_t size);
dp_status print_json_text(dp_buf *out, const char *text, size_t size);

#endif
