/* A delivery becomes visible: the next manifest is made by link(). Another writer who was first is no failure: his
 * manifest is read and ours made after it. */
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/publish.h"
#include "lake/write_priv.h"

enum { COMMIT_TRIES = 10000 };

/* Bad rows of segments that have no good row and were not written. */
static dp_status write_leftover_bad(LakeWriter *w)
{
    LakeValues *column = NULL;
    dp_status st = DP_OK;
    static const uint32_t no_text[2] = {0, 0};
    static const int64_t no_place[1] = {0};
    static const LakeDict none = {.n = 1, .offset = no_text, .bytes = ""};
    if (w->n_bad == 0)
        return DP_OK;
    DP_TRY(dp_new(&column, (size_t)w->schema.n));
    for (int i = 0; i < w->schema.n; i++)
        column[i] = (LakeValues){.type = w->schema.columns[i].type, .dict = &none, .text_at = no_place, .text = ""};
    while (w->n_bad > 0)
        DP_GO(lake_write_partition(w, w->bad[w->n_bad - 1].order, &(LakeRows){.column = column}));
done:
    dp_free(&column);
    return st;
}

static int by_order(const void *a, const void *b)
{
    int64_t x = ((const Partition *)a)->order, y = ((const Partition *)b)->order;
    return (x > y) - (x < y);
}

/* All partitions of the delivery on every rank, in order (free with dp_free). */
static dp_status gather(Partition **all, size_t *n, const LakeWriter *w, const Comm *comm)
{
    dp_status st = DP_OK;
    size_t *starts = NULL;
    char *bytes = NULL;
    DP_GO_ALL(comm, dp_new(&starts, (size_t)comm_size(comm) + 1));
    DP_GO(comm_collect_any(comm, w->written.data, w->written.size, &bytes, starts));
    *n = starts[comm_size(comm)] / sizeof **all;
    *all = (Partition *)(void *)bytes;
    qsort(*all, *n, sizeof **all, by_order);
    for (size_t i = 1; i < *n; i++)
        if ((*all)[i].order == (*all)[i - 1].order)
            DP_GO(dp_fail(DP_ERR_USAGE, "lake-13", "two ranks wrote the partition %lld", (long long)(*all)[i].order));
done:
    dp_free(&starts);
    return st;
}

static dp_status add_delivery(Manifest *m, const LakeWriter *w, const Partition *parts, size_t n, bool repeats,
                              const char *about)
{
    Delivery *d;
    DP_TRY(dp_resize(&m->partitions, (size_t)m->n_partitions, (size_t)m->n_partitions + n));
    if (n > 0)
        memcpy(m->partitions + m->n_partitions, parts, n * sizeof *parts);
    m->n_partitions += (int)n;
    DP_TRY(dp_resize(&m->deliveries, (size_t)m->n_deliveries, (size_t)m->n_deliveries + 1));
    d = &m->deliveries[m->n_deliveries++];
    d->source = w->source;
    d->partitions = (int32_t)n;
    d->repeats = repeats;
    d->snapshot = m->number;
    d->when = dp_clock_now();
    for (size_t i = 0; i < n; i++) {
        d->rows += parts[i].rows;
        d->bad += parts[i].bad;
    }
    return dp_copy_text(&d->about, about);
}

/* The manifest after `number`, 0: the first. *known: it holds the delivery already. */
static dp_status next_manifest(Manifest *m, bool *known, const LakeWriter *w, int64_t number)
{
    LakeSchema joined = {0};
    *known = false;
    if (number == 0) {
        *m = (Manifest){.number = 1};
        return lake_schema_copy(&m->schema, &w->schema);
    }
    DP_TRY(manifest_load(m, w->folder, number));
    for (int i = 0; i < m->n_deliveries; i++)
        *known |= dp_digest_same(&m->deliveries[i].source, &w->source);
    DP_TRY(schema_fits(&m->schema, &w->schema, w->name, false));
    DP_TRY(schema_join(&joined, &m->schema, &w->schema));
    lake_schema_free(&m->schema);
    m->schema = joined;
    m->number = number + 1;
    return DP_OK;
}

static dp_status publish_manifest(Manifest *m, const LakeWriter *w, dp_published *published)
{
    char path[PATH_ROOM];
    dp_buf text = {0};
    Manifest again = {0};
    dp_status st = DP_OK;
    manifest_path(path, w->folder, m->number);
    DP_GO(manifest_print(&text, m, w->name));
    DP_GO(manifest_parse(&again, text.data, text.size, path)); /* what we publish, we can read */
    DP_GO(dp_publish_bytes(w->folder, strrchr(path, '/') + 1, text.data, text.size, DP_PUBLISH_NEW, published));
done:
    manifest_free(&again);
    dp_buf_free(&text);
    return st;
}

/* On rank 0. */
static dp_status make_visible(LakeWriter *w, const Partition *parts, size_t n, bool repeats, const char *about,
                              int64_t *snapshot)
{
    for (int tries = 0; tries < COMMIT_TRIES; tries++) {
        Manifest m = {0};
        dp_published published = {0};
        int64_t number;
        bool known = false;
        dp_status st = DP_OK;
        DP_GO(manifest_newest(&number, w->folder));
        DP_GO(next_manifest(&m, &known, w, number));
        *snapshot = number;
        if (known)
            goto done;
        DP_GO(add_delivery(&m, w, parts, n, repeats, about));
        DP_GO(publish_manifest(&m, w, &published));
        *snapshot = m.number;
        w->sync_seconds += published.sync_seconds;
    done:
        manifest_free(&m);
        if (st != DP_OK || !published.existed)
            return st;
    }
    return dp_fail(DP_ERR_AGAIN, "lake-14",
                   "other writers of the table %s were faster %d times; run the same command again", w->name,
                   COMMIT_TRIES);
}

static bool is_part(const char *name, const Partition *parts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(strchr(parts[i].file, '/') + 1, name) == 0)
            return true;
    return false;
}

/* Removes files of the delivery's folder that are none of its partitions; all of them, and the folder, when n is 0. */
static void tidy_stage(LakeWriter *w, const Partition *parts, size_t n)
{
    struct dirent *entry;
    DIR *dir = opendir(w->stage);
    while (dir && (entry = readdir(dir)))
        if ((strncmp(entry->d_name, "part-", 5) == 0 || strncmp(entry->d_name, ".tmp.", 5) == 0) &&
            !is_part(entry->d_name, parts, n))
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    unlock_stage(w);
    if (n == 0)
        rmdir(w->stage); /* fails where it is not empty, which is right */
}

static dp_status check_about(const char *about)
{
    json_t *json = about ? json_loads(about, JSON_REJECT_DUPLICATES, NULL) : NULL;
    bool good = !about || json_is_object(json);
    json_decref(json);
    return good ? DP_OK : dp_fail(DP_ERR_USAGE, "lake-12", "the words about a delivery are no JSON object: %s", about);
}

dp_status lake_commit(LakeWriter **writer, const char *about, int64_t *snapshot, double *sync_seconds, const Comm *comm)
{
    LakeWriter *w = *writer;
    dp_status st = DP_OK;
    Partition *parts = NULL;
    size_t n = 0;
    bool repeats = false;
    *snapshot = 0;
    DP_GO_ALL(comm, check_about(about));
    DP_GO_ALL(comm, write_leftover_bad(w));
    DP_GO(keys_repeat(&repeats, w, comm));
    DP_GO(gather(&parts, &n, w, comm));
    DP_GO_ALL(comm, comm_rank(comm) == 0 ? make_visible(w, parts, n, repeats, about, snapshot) : DP_OK);
    comm_share(comm, snapshot, sizeof *snapshot, 0);
    comm_max_f64(comm, &w->sync_seconds, 1);
    if (sync_seconds)
        *sync_seconds = w->sync_seconds;
    if (comm_rank(comm) == 0)
        tidy_stage(w, parts, n);
done:
    dp_free(&parts);
    writer_free(writer);
    return st;
}

void lake_abandon(LakeWriter **writer, bool keep, const Comm *comm)
{
    if (!*writer)
        return;
    comm_wait_all(comm); /* nobody is writing any more */
    if (comm_rank(comm) == 0 && !keep) {
        tidy_stage(*writer, NULL, 0);
        rmdir((*writer)->folder); /* a table that was never there */
    }
    comm_wait_all(comm); /* what is removed is gone for all */
    writer_free(writer);
}
