#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/publish.h"
#include "base/text.h"
#include "lake/lake_priv.h"
#include "lake/versions.h"

enum { MANIFEST_MAX = 1 << 30 };

/* ---- opening ---- */

/* "declarations@418" -> name and number; 0: the newest. */
static dp_status split_address(char name[80], int64_t *number, const char *address)
{
    const char *at = strchr(address, '@');
    size_t n = at ? (size_t)(at - address) : strlen(address);
    char *end = NULL;
    *number = 0;
    if (n < 80) {
        memcpy(name, address, n);
        name[n] = '\0';
    }
    if (n >= 80 || !dp_name_is_good(name))
        return dp_fail(DP_ERR_USAGE, "lake-08",
                       "'%s' is no address of a table; write declarations, or declarations@418 for a snapshot",
                       address);
    if (at) {
        errno = 0;
        *number = strtoll(at + 1, &end, 10);
        if (errno || end == at + 1 || *end || *number <= 0)
            return dp_fail(DP_ERR_USAGE, "lake-08", "'%s' is no snapshot; write it as %s@418", address, name);
    }
    return DP_OK;
}

dp_status lake_list(const char *lake, dp_buf *names)
{
    struct dirent **entry = NULL;
    int n = scandir(lake, &entry, NULL, alphasort);
    dp_status st = DP_OK;
    if (n < 0 && errno != ENOENT)
        return dp_fail(dp_status_of_errno(errno, DP_ERR_IO), "lake-01", "cannot read the lake %s: %s", lake,
                       strerror(errno));
    for (int i = 0; i < n; i++) {
        char folder[PATH_ROOM];
        int64_t number = 0;
        snprintf(folder, sizeof folder, "%s/%s", lake, entry[i]->d_name);
        if (st == DP_OK && dp_name_is_good(entry[i]->d_name) && manifest_newest(&number, folder) == DP_OK && number > 0)
            st = dp_buf_add(names, entry[i]->d_name, strlen(entry[i]->d_name) + 1);
        free(entry[i]);
    }
    free(entry);
    return st;
}

static dp_status no_table(const char *lake, const char *name)
{
    const char *candidate[256];
    size_t n = 0;
    dp_buf names = {0};
    if (lake_list(lake, &names) == DP_OK)
        for (size_t at = 0; at < names.size && n < 256; at += strlen(names.data + at) + 1)
            candidate[n++] = names.data + at;
    const char *near = dp_nearest(name, candidate, n);
    dp_status st = near ? dp_fail(DP_ERR_NO_INPUT, "lake-01", "the lake %s has no table '%s' (did you mean '%s'?)",
                                  lake, name, near)
                        : dp_fail(DP_ERR_NO_INPUT, "lake-01",
                                  "the lake %s has no table '%s'; `dipper lake ls` lists what is there, `dipper "
                                  "ingest` makes one",
                                  lake, name);
    dp_buf_free(&names);
    return st;
}

/* On rank 0: the text of the manifest that the address names. */
static dp_status read_manifest(char **text, size_t *size, int64_t *number, const char *lake, const char *name,
                               const char *folder)
{
    char path[PATH_ROOM];
    int64_t newest;
    DP_TRY(manifest_newest(&newest, folder));
    if (newest == 0)
        return no_table(lake, name);
    *number = *number ? *number : newest;
    manifest_path(path, folder, *number);
    if (*number > newest || access(path, F_OK) != 0)
        return dp_fail(DP_ERR_NO_INPUT, "lake-02", "the table %s has no snapshot %lld; its newest is %s@%lld", name,
                       (long long)*number, name, (long long)newest);
    return dp_read_file(text, size, path, MANIFEST_MAX);
}

static dp_status place_parts(LakeTable *t)
{
    Manifest *m = &t->manifest;
    DP_TRY(dp_new(&t->first_row, (size_t)m->n_partitions + 1));
    DP_TRY(dp_new(&t->first_block, (size_t)m->n_partitions + 1));
    DP_TRY(dp_new(&t->index, (size_t)m->n_partitions));
    DP_TRY(dp_new(&t->deliveries, (size_t)m->n_deliveries));
    for (int i = 0; i < m->n_deliveries; i++) {
        const Delivery *d = &m->deliveries[m->n_deliveries - 1 - i];
        t->deliveries[i] = (LakeDelivery){.source = d->source,
                                          .snapshot = d->snapshot,
                                          .when = d->when,
                                          .rows = d->rows,
                                          .bad = d->bad,
                                          .partitions = d->partitions,
                                          .about = d->about};
    }
    for (int p = 0; p < m->n_partitions; p++)
        t->deliveries[m->n_deliveries - 1 - m->partitions[p].delivery].bytes += m->partitions[p].bytes;
    for (int p = 0; p < m->n_partitions; p++) {
        t->first_row[p + 1] = t->first_row[p] + m->partitions[p].rows;
        t->first_block[p + 1] = t->first_block[p] + blocks_of(m->partitions[p].rows);
    }
    return DP_OK;
}

static dp_status table_build(LakeTable **table, const char *name, const char *folder, int64_t number, const char *text,
                             size_t size)
{
    dp_status st = DP_OK;
    LakeTable *t = NULL;
    char path[PATH_ROOM];
    *table = NULL;
    DP_TRY(dp_new(&t, 1));
    pthread_mutex_init(&t->lock, NULL);
    manifest_path(path, folder, number);
    DP_GO(dp_copy_text(&t->name, name));
    DP_GO(dp_copy_text(&t->folder, folder));
    DP_GO(manifest_parse(&t->manifest, text, size, path));
    DP_GO(place_parts(t));
done:
    if (st != DP_OK)
        lake_close(&t);
    *table = t;
    return st;
}

dp_status lake_open(LakeTable **table, const char *lake, const char *address, const Comm *comm)
{
    dp_status st = DP_OK;
    char name[80], folder[PATH_ROOM], *text = NULL;
    size_t size = 0;
    int64_t number;
    *table = NULL;
    DP_GO_ALL(comm, split_address(name, &number, address));
    if (snprintf(folder, sizeof folder, "%s/%s", lake, name) >= PATH_ROOM - 128)
        DP_GO_ALL(comm, dp_fail(DP_ERR_USAGE, "lake-08", "the path of the table is too long: %.80s...", folder));
    DP_GO_ALL(comm, comm_rank(comm) == 0 ? read_manifest(&text, &size, &number, lake, name, folder) : DP_OK);
    DP_GO(comm_share_any(comm, &text, &size, 0));
    comm_share(comm, &number, sizeof number, 0);
    DP_GO_ALL(comm, table_build(table, name, folder, number, text, size));
done:
    dp_free(&text);
    if (st != DP_OK)
        lake_close(table);
    return st;
}

void lake_close(LakeTable **table)
{
    LakeTable *t = *table;
    if (!t)
        return;
    for (int p = 0; t->index && p < t->manifest.n_partitions; p++)
        index_free(&t->index[p]);
    versions_free(&t->versions);
    manifest_free(&t->manifest);
    pthread_mutex_destroy(&t->lock);
    dp_free(&t->index);
    dp_free(&t->first_row);
    dp_free(&t->first_block);
    dp_free(&t->deliveries);
    dp_free(&t->name);
    dp_free(&t->folder);
    dp_free(table);
}

const LakeSchema *lake_schema(const LakeTable *table)
{
    return &table->manifest.schema;
}

const LakeDelivery *lake_deliveries(const LakeTable *table, size_t *n)
{
    *n = (size_t)table->manifest.n_deliveries;
    return table->deliveries;
}

LakeFacts lake_facts(const LakeTable *table)
{
    const Manifest *m = &table->manifest;
    LakeFacts facts = {.name = table->name,
                       .snapshot = m->number,
                       .partitions = m->n_partitions,
                       .deliveries = m->n_deliveries,
                       .first = DP_TIME_MISSING,
                       .last = DP_TIME_MISSING,
                       .content = m->content};
    for (int p = 0; p < m->n_partitions; p++) {
        const Partition *part = &m->partitions[p];
        facts.rows += part->rows;
        facts.bytes += part->bytes;
        facts.quarantined += part->bad;
        if (part->time.low > part->time.high)
            continue;
        if (facts.first == DP_TIME_MISSING || part->time.low < facts.first)
            facts.first = part->time.low;
        if (part->time.high > facts.last)
            facts.last = part->time.high;
    }
    return facts;
}

/* ---- partitions ---- */

int64_t table_share(int64_t n, int64_t rank, int64_t size)
{
    return n / size * rank + n % size * rank / size; /* = n * rank / size, without its overflow */
}

void table_partition_path(char path[PATH_ROOM], const LakeTable *table, int p)
{
    snprintf(path, PATH_ROOM, "%s/%s", table->folder, table->manifest.partitions[p].file);
}

static dp_status open_file(int *fd, int64_t *bytes, const char *path)
{
    struct stat info;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (*fd < 0 || fstat(*fd, &info) != 0)
        return dp_fail(errno == ENOENT ? DP_ERR_DATA : dp_status_of_errno(errno, DP_ERR_IO), "lake-05",
                       "cannot open the partition %s: %s; bring it back from a copy, or ingest its delivery again",
                       path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return dp_fail(DP_ERR_DATA, "lake-05", "the partition %s is no file", path);
    *bytes = info.st_size;
    return DP_OK;
}

static dp_status pread_all(int fd, void *out, size_t size, int64_t at, const char *path)
{
    for (char *to = out; size > 0;) {
        ssize_t n = pread(fd, to, size, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return dp_fail(n < 0 ? dp_status_of_errno(errno, DP_ERR_IO) : DP_ERR_DATA, "lake-05", "cannot read %s: %s",
                           path, n < 0 ? strerror(errno) : "it ends too early");
        to += n;
        at += n;
        size -= (size_t)n;
    }
    return DP_OK;
}

/* Reads an index that must have this digest. */
static dp_status read_index(Index *index, int fd, const ImageFacts *facts, int64_t bytes, const char *path)
{
    char *data = NULL;
    dp_digest found;
    dp_status st = DP_OK;
    DP_GO(dp_new(&data, (size_t)facts->index_bytes));
    DP_GO(pread_all(fd, data, (size_t)facts->index_bytes, facts->index_at, path));
    DP_GO(dp_digest_of(&found, data, (size_t)facts->index_bytes));
    if (!dp_digest_same(&found, &facts->index_digest))
        DP_GO(dp_fail(DP_ERR_DATA, "lake-04",
                      "%s: its index does not fit its digest; the file was changed after it was written: run `dipper "
                      "lake verify` and ingest its delivery again",
                      path));
    st = index_read(index, data, (size_t)facts->index_bytes, bytes, path);
    data = NULL;
done:
    dp_free(&data);
    return st;
}

/* Opens the file of a partition of a known size, and reads its index where `index` is still empty. */
static dp_status open_partition(int *fd, Index *index, const Partition *p, const char *path, pthread_mutex_t *lock)
{
    int64_t bytes = 0;
    dp_status st = DP_OK;
    DP_GO(open_file(fd, &bytes, path));
    if (bytes != p->bytes)
        DP_GO(
            dp_fail(DP_ERR_DATA, "lake-05",
                    "the partition %s has %lld bytes, its manifest says %lld; bring it back from a copy, or ingest its "
                    "delivery again",
                    path, (long long)bytes, (long long)p->bytes));
    if (lock)
        pthread_mutex_lock(lock);
    if (!index->bytes)
        st = read_index(index, *fd, &p->index, bytes, path);
    if (st == DP_OK && (index->rows != p->rows || index->bad != p->bad || index->deleted != p->deleted)) {
        st = dp_fail(DP_ERR_DATA, "lake-04", "%s holds %lld rows, its manifest says %lld", path, (long long)index->rows,
                     (long long)p->rows);
        index_free(index);
    }
    if (lock)
        pthread_mutex_unlock(lock);
done:
    if (st != DP_OK && *fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    return st;
}

dp_status partition_open(int *fd, Index *index, const Partition *p, const char *path)
{
    return open_partition(fd, index, p, path, NULL);
}

dp_status table_open_partition(LakeTable *t, int p, int *fd, const Index **index)
{
    char path[PATH_ROOM];
    table_partition_path(path, t, p);
    *index = &t->index[p];
    return open_partition(fd, &t->index[p], &t->manifest.partitions[p], path, &t->lock);
}

/* Footer, index and bytes of a partition must fit together; `data` is the whole file. */
static dp_status look_inside(Partition *p, const char *data, size_t size, const LakeSchema *schema, const char *path)
{
    Footer footer;
    Index index = {0};
    char *copy = NULL;
    if (size < FOOTER_SIZE || !footer_read(&footer, data + size - FOOTER_SIZE) || footer.body != size - FOOTER_SIZE ||
        check_bytes(data, size - FOOTER_SIZE) != footer.check)
        return dp_fail(DP_ERR_DATA, "lake-05", "%s is not a whole partition", path);
    DP_TRY(dp_new(&copy, footer.size));
    memcpy(copy, data + footer.at, footer.size);
    DP_TRY(index_read(&index, copy, footer.size, (int64_t)size, path));
    p->index = (ImageFacts){(int64_t)footer.at, (int64_t)footer.size, footer.digest};
    p->bytes = (int64_t)size;
    p->rows = index.rows;
    p->bad = index.bad;
    p->deleted = index.deleted;
    p->time = index_span(&index, schema->time);
    p->recorded = index_span(&index, schema->recorded);
    index_free(&index);
    return dp_digest_of(&p->digest, data, size);
}

dp_status partition_look(Partition *p, const char *folder, const LakeSchema *schema)
{
    char path[PATH_ROOM], *data = NULL;
    size_t size;
    snprintf(path, sizeof path, "%s/%s", folder, p->file);
    DP_TRY(dp_read_file(&data, &size, path, (size_t)1 << 40));
    dp_status st = look_inside(p, data, size, schema, path);
    dp_free(&data);
    return st;
}
