/* guard.h -- HDF5 files that nobody vouches for. The library can be crashed by a crafted file, and a file can make it
 * read other files; so its bytes are looked at in a child process that can open nothing, has little memory and little
 * time, and whose death is no more than "this file is broken".
 *
 * The bytes are read once, looked at, and then opened from memory: what was looked at is what is used. */
#ifndef DIPPER_LAKE_GUARD_H
#define DIPPER_LAKE_GUARD_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Looks at an opened file; runs in the child, so only its status and message come back. file is a hid_t. */
typedef dp_status (*LakeLook)(int64_t file, const char *name, void *self);

/* Local. Refuses bytes that are no HDF5 file, hold anything but groups and datasets joined by hard links, external
 * storage, virtual datasets, filters other than shuffle, deflate and zstd, or absurd counts; then asks `look` (may be
 * NULL). name: for messages. Fails DATA: refused, or the child crashed, ran out of memory or of `seconds`. */
dp_status lake_guard_image(const char *name, const void *image, size_t size, double seconds, LakeLook look, void *self);
/* Local. The same for a file of at most `max` bytes. *image (free with dp_free) are the bytes that were looked at. */
dp_status lake_guard_file(const char *path, size_t max, double seconds, LakeLook look, void *self, char **image,
                          size_t *size);

/* Local. Opens bytes in memory as a read-only HDF5 file, *file being a hid_t to be closed with H5Fclose; the bytes must
 * stay until then. Only after a guard has looked at them. */
dp_status lake_image_open(int64_t *file, const char *name, const void *image, size_t size);

#endif
