#include "base/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/publish.h"

static dp_status failed(const char *what, const char *folder, size_t bytes, int err)
{
    return dp_fail(dp_status_of_errno(err, DP_ERR_CREATE), "base-20", "cannot %s a file of %zu KiB in %s: %s", what,
                   bytes >> 10, folder, strerror(err));
}

static dp_status map_file(dp_spill *spill, int file, size_t bytes, const char *folder)
{
    int err = posix_fallocate(file, 0, (off_t)bytes);
    if (err != 0)
        return failed("make", folder, bytes, err);
    void *data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (data == MAP_FAILED)
        return failed("map", folder, bytes, errno);
    *spill = (dp_spill){.data = data, .bytes = bytes, .in_file = true};
    return DP_OK;
}

dp_status dp_spill_open(dp_spill *spill, size_t bytes, const char *folder)
{
    char path[4096];
    *spill = (dp_spill){0};
    if (!folder || bytes == 0) {
        char *data = NULL;
        DP_TRY(dp_new(&data, bytes));
        *spill = (dp_spill){.data = data, .bytes = bytes};
        return DP_OK;
    }
    if (snprintf(path, sizeof path, "%s/.spill.XXXXXX", folder) >= (int)sizeof path)
        return failed("name", folder, bytes, ENAMETOOLONG);
    DP_TRY(dp_make_folders(folder));
    int file = mkstemp(path);
    if (file < 0)
        return failed("make", folder, bytes, errno);
    dp_status st = unlink(path) == 0 ? map_file(spill, file, bytes, folder) : failed("hide", folder, bytes, errno);
    close(file); /* the mapping keeps the file; nothing written through this handle can be lost */
    return st;
}

void dp_spill_close(dp_spill *spill)
{
    if (spill->in_file)
        munmap(spill->data, spill->bytes);
    else
        free(spill->data);
    *spill = (dp_spill){0};
}

void dp_spill_rest(const dp_spill *spill, size_t at, size_t n)
{
    if (!spill->in_file || n == 0)
        return;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), from = at / page * page, to = at + n;
    to = to < spill->bytes ? to : spill->bytes;
    /* Written pages stay in the kernel's cache and reach the file; only this process's view of them ends. */
    madvise((char *)spill->data + from, to - from, MADV_DONTNEED);
}

dp_status dp_shelf_new_bytes(dp_shelf *shelf, void *pointer, size_t n, size_t size)
{
    dp_spill spill;
    size_t bytes;
    if (!shelf || !shelf->folder || n == 0)
        return dp_new_bytes(pointer, n, size);
    DP_TRY(dp_bytes_of(&bytes, n, size));
    DP_TRY(dp_resize(&shelf->spill, shelf->n, shelf->n + 1));
    DP_TRY(dp_spill_open(&spill, bytes, shelf->folder));
    memcpy(pointer, &spill.data, sizeof spill.data);
    shelf->spill[shelf->n++] = spill;
    return DP_OK;
}

void dp_shelf_free(dp_shelf *shelf, void *pointer)
{
    void *array;
    memcpy(&array, pointer, sizeof array);
    for (size_t i = 0; array && shelf && i < shelf->n; i++)
        if (shelf->spill[i].data == array) {
            dp_spill_close(&shelf->spill[i]);
            shelf->spill[i] = shelf->spill[--shelf->n];
            array = NULL;
            memcpy(pointer, &array, sizeof array);
        }
    dp_free(pointer);
}

void dp_shelf_rest(const dp_shelf *shelf)
{
    for (size_t i = 0; shelf && i < shelf->n; i++)
        dp_spill_rest(&shelf->spill[i], 0, shelf->spill[i].bytes);
}

void dp_shelf_clear(dp_shelf *shelf)
{
    while (shelf->n > 0)
        dp_spill_close(&shelf->spill[--shelf->n]);
    dp_free(&shelf->spill);
}
