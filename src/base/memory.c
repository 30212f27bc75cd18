#include "base/memory.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGNMENT = 64, HUGE_PAGE = 2 << 20, HUGE_FROM = 8 << 20 };

dp_status dp_bytes_of(size_t *bytes, size_t n, size_t size)
{
    if (__builtin_mul_overflow(n, size, bytes) || *bytes > PTRDIFF_MAX)
        return dp_fail(DP_ERR_AGAIN, "base-01", "%zu elements of %zu bytes are more than a process can hold", n, size);
    return DP_OK;
}

static void *aligned_block(size_t bytes)
{
    /* Fresh pages cost more than decompressing into them: large blocks take 2 MiB pages where the kernel has them. */
    size_t alignment = bytes >= HUGE_FROM ? HUGE_PAGE : ALIGNMENT;
    void *block = NULL;
    if (posix_memalign(&block, alignment, bytes) != 0)
        return NULL;
    if (bytes >= HUGE_FROM)
        madvise(block, bytes, MADV_HUGEPAGE);
    return block;
}

dp_status dp_new_bytes(void *pointer, size_t n, size_t size)
{
    size_t bytes = 0;
    void *block = NULL;
    DP_TRY(dp_bytes_of(&bytes, n, size));
    if (bytes > 0) {
        block = aligned_block(bytes);
        if (!block)
            return dp_fail(DP_ERR_AGAIN, "base-01", "out of memory: %zu bytes more are needed", bytes);
        memset(block, 0, bytes);
    }
    memcpy(pointer, &block, sizeof block);
    return DP_OK;
}

dp_status dp_resize_bytes(void *pointer, size_t old, size_t n, size_t size)
{
    void *before = NULL;
    void *after = NULL;
    memcpy(&before, pointer, sizeof before);
    DP_TRY(dp_new_bytes(&after, n, size));
    if (before && after)
        memcpy(after, before, (old < n ? old : n) * size);
    free(before);
    memcpy(pointer, &after, sizeof after);
    return DP_OK;
}

void dp_free(void *pointer)
{
    void *block = NULL;
    memcpy(&block, pointer, sizeof block);
    free(block);
    block = NULL;
    memcpy(pointer, &block, sizeof block);
}

dp_status dp_copy_text(char **copy, const char *text)
{
    *copy = NULL;
    if (!text)
        return DP_OK;
    DP_TRY(dp_new(copy, strlen(text) + 1));
    memcpy(*copy, text, strlen(text) + 1);
    return DP_OK;
}

dp_status dp_buf_reserve(dp_buf *buf, size_t more)
{
    size_t need;
    if (__builtin_add_overflow(buf->size, more, &need) || __builtin_add_overflow(need, 1, &need) ||
        (buf->max && need > buf->max + 1))
        return dp_fail(DP_ERR_AGAIN, "base-02", "%zu bytes and %zu more pass the limit of %zu bytes", buf->size, more,
                       buf->max);
    if (need <= buf->room)
        return DP_OK;
    size_t room = buf->room < 256 ? 256 : buf->room;
    while (room < need)
        room += room / 2;
    char *data = realloc(buf->data, room);
    if (!data)
        return dp_fail(DP_ERR_AGAIN, "base-01", "out of memory: %zu bytes more are needed", room);
    buf->data = data;
    buf->room = room;
    return DP_OK;
}

dp_status dp_buf_add(dp_buf *buf, const void *data, size_t size)
{
    DP_TRY(dp_buf_reserve(buf, size));
    if (size > 0)
        memcpy(buf->data + buf->size, data, size);
    buf->size += size;
    buf->data[buf->size] = '\0';
    return DP_OK;
}

dp_status dp_buf_text(dp_buf *buf, const char *text)
{
    return dp_buf_add(buf, text, strlen(text));
}

dp_status dp_buf_print(dp_buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (size < 0)
        return dp_fail(DP_ERR_INTERNAL, "base-03", "a message could not be formatted: '%s'", format);
    DP_TRY(dp_buf_reserve(buf, (size_t)size));
    va_start(args, format);
    vsnprintf(buf->data + buf->size, (size_t)size + 1, format, args);
    va_end(args);
    buf->size += (size_t)size;
    return DP_OK;
}

void dp_buf_free(dp_buf *buf)
{
    free(buf->data);
    *buf = (dp_buf){.max = buf->max};
}

static int64_t status_line(const char *key)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    long long kib = 0;
    size_t n = strlen(key);
    if (!file)
        return 0;
    while (fgets(line, sizeof line, file))
        if (strncmp(line, key, n) == 0) {
            kib = strtoll(line + n, NULL, 10);
            break;
        }
    fclose(file);
    return (int64_t)kib * 1024;
}

int64_t dp_memory_peak(void)
{
    return status_line("VmHWM:");
}

int64_t dp_memory_now(void)
{
    return status_line("VmRSS:");
}

void dp_memory_settle(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}
