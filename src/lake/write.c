/* Writing a delivery. Its folder is named by its source: partitions are published there one by one and stay where they
 * are; they become part of the table when a manifest names them (commit.c). */
#include "lake/write_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/publish.h"
#include "base/text.h"

enum { RAW_MAX = 65536, LOCK_TRIES = 8 };

void partition_name(char name[PART_ROOM], int64_t order)
{
    snprintf(name, PART_ROOM, "part-%016llx.h5", (unsigned long long)order);
}

/* ---- the lock of a delivery ---- */

static dp_status busy(const LakeWriter *w)
{
    return dp_fail(DP_ERR_AGAIN, "lake-07",
                   "another process is writing this delivery to the table %s (%s is locked); wait for it, then run the "
                   "same command again",
                   w->name, w->stage);
}

/* A lock counts only while its file still stands under its name: an owner that ended removes it. */
static bool lock_stands(int fd, const char *path)
{
    struct stat mine, there;
    return fstat(fd, &mine) == 0 && stat(path, &there) == 0 && mine.st_ino == there.st_ino &&
           mine.st_dev == there.st_dev;
}

static dp_status lock_stage(LakeWriter *w, const dp_log *log)
{
    char path[PATH_ROOM];
    snprintf(path, sizeof path, "%s/.lock", w->stage);
    for (int i = 0; i < LOCK_TRIES; i++) {
        DP_TRY(dp_make_folders(w->stage));
        w->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
        if (w->lock < 0 && errno == ENOENT)
            continue; /* the folder went away in between */
        if (w->lock < 0)
            return dp_fail(dp_status_of_errno(errno, DP_ERR_CREATE), "lake-07", "cannot make %s: %s", path,
                           strerror(errno));
        if (flock(w->lock, LOCK_EX | LOCK_NB) != 0) {
            if (errno == EWOULDBLOCK)
                return busy(w);
            /* Harmless: partitions are published whole, and both writers would write the same bytes. */
            dp_say(log, DP_WARN, "lake", "%s: this file system has no locks (%s)", w->stage, strerror(errno));
            return DP_OK;
        }
        if (lock_stands(w->lock, path))
            return DP_OK;
        close(w->lock);
        w->lock = -1;
    }
    return busy(w);
}

void unlock_stage(LakeWriter *w)
{
    char path[PATH_ROOM];
    if (w->lock < 0)
        return;
    snprintf(path, sizeof path, "%s/.lock", w->stage);
    unlink(path);
    close(w->lock);
    w->lock = -1;
}

/* ---- starting ---- */

static dp_status list_stage(LakeWriter *w)
{
    struct dirent *entry;
    dp_status st = DP_OK;
    dp_publish_sweep(w->stage);
    dp_publish_sweep(w->folder);
    DIR *dir = opendir(w->stage);
    if (!dir)
        return dp_fail(dp_status_of_errno(errno, DP_ERR_IO), "lake-05", "cannot read %s: %s", w->stage,
                       strerror(errno));
    while (st == DP_OK && (entry = readdir(dir))) {
        unsigned long long order;
        int end = 0;
        if (sscanf(entry->d_name, "part-%16llx.h5%n", &order, &end) == 1 && end > 0 && !entry->d_name[end])
            st = dp_buf_add(&w->found, &(int64_t){(int64_t)order}, sizeof(int64_t));
    }
    closedir(dir);
    return st;
}

static dp_status known_already(const LakeWriter *w, bool *known, int64_t *number)
{
    Manifest m = {0};
    dp_status st = DP_OK;
    *known = false;
    DP_TRY(manifest_newest(number, w->folder));
    if (*number == 0)
        return DP_OK;
    DP_TRY(manifest_load(&m, w->folder, *number));
    for (int i = 0; i < m.n_deliveries; i++)
        *known |= dp_digest_same(&m.deliveries[i].source, &w->source);
    if (!*known)
        st = schema_fits(&m.schema, &w->schema, w->name, true);
    manifest_free(&m);
    return st;
}

/* On rank 0. */
static dp_status start_stage(LakeWriter *w, bool *known, const dp_log *log)
{
    int64_t number;
    DP_TRY(dp_make_folders(w->folder));
    DP_TRY(known_already(w, known, &number)); /* before the lock, so that a known delivery makes no folder */
    if (*known)
        return DP_OK;
    DP_TRY(lock_stage(w, log));
    DP_TRY(known_already(w, known, &number)); /* its writer may have ended just now */
    if (*known) {
        unlock_stage(w);
        return DP_OK;
    }
    return list_stage(w);
}

static dp_status writer_build(LakeWriter **writer, const char *lake, const char *table, const LakeSchema *schema,
                              LakeCompress compress, int threads, const dp_digest *source)
{
    dp_status st = DP_OK;
    LakeWriter *w = NULL;
    char path[PATH_ROOM], hex[DP_DIGEST_HEX];
    *writer = NULL;
    if (!dp_name_is_good(table))
        return dp_fail(DP_ERR_CONFIG, "lake-08",
                       "'%s' is no name of a table; use small letters, digits, '_', '-' and '.', at most 64", table);
    DP_TRY(schema_check(schema));
    DP_TRY(dp_new(&w, 1));
    w->lock = -1;
    w->source = *source;
    dp_digest_print(hex, source);
    DP_GO(dp_copy_text(&w->name, table));
    if (snprintf(path, sizeof path, "%s/%s", lake, table) >= PATH_ROOM - 128)
        DP_GO(dp_fail(DP_ERR_CREATE, "lake-08", "the path of the table is too long: %.80s...", path));
    DP_GO(dp_copy_text(&w->folder, path));
    snprintf(path + strlen(path), sizeof path - strlen(path), "/%.16s", hex);
    DP_GO(dp_copy_text(&w->stage, path));
    DP_GO(lake_schema_copy(&w->schema, schema));
    DP_GO(packer_build(&w->packer, &w->schema, compress, threads));
done:
    if (st != DP_OK)
        writer_free(&w);
    *writer = w;
    return st;
}

void writer_free(LakeWriter **writer)
{
    LakeWriter *w = *writer;
    if (!w)
        return;
    unlock_stage(w);
    packer_free(&w->packer);
    lake_schema_free(&w->schema);
    for (size_t i = 0; i < w->n_bad; i++)
        dp_buf_free(&w->bad[i].bytes);
    dp_free(&w->bad);
    dp_buf_free(&w->found);
    dp_buf_free(&w->written);
    dp_buf_free(&w->image);
    dp_buf_free(&w->keys);
    dp_free(&w->name);
    dp_free(&w->folder);
    dp_free(&w->stage);
    dp_free(writer);
}

dp_status lake_write(LakeWriter **writer, const char *lake, const char *table, const LakeSchema *schema,
                     LakeCompress compress, int threads, const dp_digest *source, bool *known, const Comm *comm)
{
    dp_status st = DP_OK;
    LakeWriter *w = NULL;
    *writer = NULL;
    *known = false;
    DP_GO_ALL(comm, writer_build(&w, lake, table, schema, compress, threads, source));
    DP_GO_ALL(comm, comm_rank(comm) == 0 ? start_stage(w, known, comm_log(comm)) : DP_OK);
    comm_share(comm, known, sizeof *known, 0);
    if (*known)
        goto done;
    DP_GO(comm_share_any(comm, &w->found.data, &w->found.size, 0));
    *writer = w;
    w = NULL;
done:
    writer_free(&w);
    return st;
}

/* ---- bad rows ---- */

static BadRows *bad_of(LakeWriter *w, int64_t order)
{
    for (size_t i = w->n_bad; i-- > 0;) /* the newest is asked for most */
        if (w->bad[i].order == order)
            return &w->bad[i];
    return NULL;
}

static bool is_written(const LakeWriter *w, int64_t order)
{
    for (size_t i = writer_partitions(w); i-- > 0;)
        if (writer_partition(w, i)->order == order)
            return true;
    return false;
}

static uint32_t cut(const char *text, size_t max)
{
    size_t n = text ? strnlen(text, max) : 0;
    return (uint32_t)n;
}

dp_status lake_write_bad(LakeWriter *w, int64_t order, const LakeBadRow *row)
{
    BadRows *bad = bad_of(w, order);
    uint32_t size[4] = {cut(row->file, CATEGORY_MAX), cut(row->column, CATEGORY_MAX), cut(row->reason, CATEGORY_MAX),
                        row->raw_size < 0         ? 0
                        : row->raw_size > RAW_MAX ? RAW_MAX
                                                  : (uint32_t)row->raw_size};
    if (!bad) {
        if (is_written(w, order))
            return dp_fail(DP_ERR_USAGE, "lake-17", "a bad row came after its partition %lld was written",
                           (long long)order);
        DP_TRY(dp_resize(&w->bad, w->n_bad, w->n_bad + 1));
        bad = &w->bad[w->n_bad++];
        bad->order = order;
    }
    DP_TRY(dp_buf_add(&bad->bytes, &row->row, sizeof row->row));
    DP_TRY(dp_buf_add(&bad->bytes, size, sizeof size));
    DP_TRY(dp_buf_add(&bad->bytes, row->file, size[0]));
    DP_TRY(dp_buf_add(&bad->bytes, row->column, size[1]));
    DP_TRY(dp_buf_add(&bad->bytes, row->reason, size[2]));
    DP_TRY(dp_buf_add(&bad->bytes, row->raw, size[3]));
    bad->n++;
    return DP_OK;
}

static void forget_bad(LakeWriter *w, BadRows *bad)
{
    dp_buf_free(&bad->bytes);
    *bad = w->bad[--w->n_bad];
    w->bad[w->n_bad] = (BadRows){0};
}

/* ---- partitions ---- */

static Span span_of(const LakeWriter *w, const LakeRows *rows, const char *name)
{
    Span span = {INT64_MAX, INT64_MIN};
    int at = lake_schema_find(&w->schema, name);
    for (int32_t i = 0; at >= 0 && i < rows->rows; i++) {
        int64_t t = rows->column[at].time[i];
        if (t == DP_TIME_MISSING)
            continue;
        span.low = t < span.low ? t : span.low;
        span.high = t > span.high ? t : span.high;
    }
    return span;
}

dp_status lake_write_partition(LakeWriter *w, int64_t order, const LakeRows *rows)
{
    char name[PART_ROOM];
    dp_published published;
    BadRows *bad = bad_of(w, order);
    Partition p = {.order = order, .rows = rows->rows, .bad = bad ? bad->n : 0, .deleted = count_deleted(rows)};
    if (order < 0 || is_written(w, order))
        return dp_fail(DP_ERR_USAGE, "lake-13", "the partition %lld was written twice", (long long)order);
    if (rows->rows < 0)
        return dp_fail(DP_ERR_USAGE, "lake-12", "a partition of %d rows cannot be", rows->rows);
    DP_TRY(pack_partition(w->packer, &w->image, &p.index, rows, bad));
    partition_name(name, order);
    DP_TRY(dp_publish_bytes(w->stage, name, w->image.data, w->image.size, DP_PUBLISH_REPLACE, &published));
    p.digest = published.digest;
    p.bytes = published.bytes;
    p.time = span_of(w, rows, w->schema.time);
    p.recorded = span_of(w, rows, w->schema.recorded);
    snprintf(p.file, sizeof p.file, "%s/%s", w->stage + strlen(w->folder) + 1, name);
    DP_TRY(keys_add(w, rows));
    DP_TRY(dp_buf_add(&w->written, &p, sizeof p));
    w->sync_seconds += published.sync_seconds;
    if (bad)
        forget_bad(w, bad);
    return DP_OK;
}

static bool was_found(const LakeWriter *w, int64_t order)
{
    for (size_t i = 0; i < w->found.size; i += sizeof order)
        if (memcmp(w->found.data + i, &order, sizeof order) == 0)
            return true;
    return false;
}

bool lake_write_has(LakeWriter *w, int64_t order)
{
    char name[PART_ROOM];
    Partition p = {.order = order};
    if (is_written(w, order))
        return true;
    if (!was_found(w, order))
        return false;
    partition_name(name, order);
    snprintf(p.file, sizeof p.file, "%s/%s", w->stage + strlen(w->folder) + 1, name);
    /* One that is not whole is simply written again. */
    return partition_look(&p, w->folder, &w->schema) == DP_OK && keys_add_found(w, &p) == DP_OK &&
           dp_buf_add(&w->written, &p, sizeof p) == DP_OK;
}

void lake_write_counts(const LakeWriter *w, int64_t *rows, int64_t *bad)
{
    int64_t n[2] = {0, 0};
    for (size_t i = 0; i < writer_partitions(w); i++) {
        n[0] += writer_partition(w, i)->rows;
        n[1] += writer_partition(w, i)->bad;
    }
    if (rows)
        *rows = n[0];
    if (bad)
        *bad = n[1];
}
