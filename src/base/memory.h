/* base/memory.h -- memory with checked sizes; growing buffers with a maximum. */
#ifndef DIPPER_BASE_MEMORY_H
#define DIPPER_BASE_MEMORY_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Local. *pointer = n zeroed elements, aligned to 64 bytes; n 0 gives NULL. The element size comes from the pointer:
 *     float *x = NULL;  DP_TRY(dp_new(&x, n));
 * Fails with DP_ERR_AGAIN. Large blocks ask for huge pages. Free with dp_free(&x). */
#define dp_new(pointer, n) dp_new_bytes((pointer), (n), sizeof **(pointer))

/* Local. Grows or shrinks *pointer from `old` to `n` elements; new elements are zero. On failure *pointer stays. */
#define dp_resize(pointer, old, n) dp_resize_bytes((pointer), (old), (n), sizeof **(pointer))

/* Local. Frees and sets NULL; takes NULL, is safe twice. `pointer` is the address of the pointer. */
void dp_free(void *pointer);

dp_status dp_new_bytes(void *pointer, size_t n, size_t size);
dp_status dp_resize_bytes(void *pointer, size_t old, size_t n, size_t size);

/* Local. *copy = an own copy of text (free with dp_free); NULL stays NULL. */
dp_status dp_copy_text(char **copy, const char *text);

/* A growing byte buffer. {0} is a valid empty buffer without a limit; set `max` to bound it. */
typedef struct dp_buf {
    char *data; /* always followed by a zero byte once something was added */
    size_t size, room, max;
} dp_buf;

/* Local. Append; fail with DP_ERR_AGAIN when memory or `max` is exceeded. */
dp_status dp_buf_add(dp_buf *buf, const void *data, size_t size);
dp_status dp_buf_text(dp_buf *buf, const char *text);
dp_status dp_buf_print(dp_buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Local. Makes room for `more` bytes behind the end, so that buf->data + buf->size can be written directly. */
dp_status dp_buf_reserve(dp_buf *buf, size_t more);
void dp_buf_free(dp_buf *buf);

/* Local. n * size into *bytes; DP_ERR_AGAIN where it overflows. For counts that come from files. */
dp_status dp_bytes_of(size_t *bytes, size_t n, size_t size);

/* Local. Largest resident set of this process so far, and what it uses now, in bytes; 0 where unknown. */
int64_t dp_memory_peak(void);
int64_t dp_memory_now(void);
/* Local. Memory that was freed goes back to the system: between two stages that hold different things, so that the peak
 * is that of the larger one and not of both. */
void dp_memory_settle(void);

#endif
