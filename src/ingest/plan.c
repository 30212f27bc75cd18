/* Before anything is parsed: what the files are, whether their headers fit, the digest of the delivery, and for each
 * chunk of each file the quotes and lines before it. */
#include "ingest/ingest_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/publish.h"

enum { BLOCK = 1 << 20 };

/* ---- stdin ---- */

/* Rank 0 copies it into the lake, beside the tables. The name is that of an unfinished file, so that one left by a
 * killed process is swept away like those. */
static dp_status spool(IngestPlan *plan, const char *lake)
{
    dp_status st = DP_OK;
    dp_publish *file = NULL;
    char *block = NULL, name[160], host[64] = "host";
    dp_buf path = {0};
    gethostname(host, sizeof host - 1);
    snprintf(name, sizeof name, ".tmp.%s.%ld.stdin", host, (long)getpid());
    DP_GO(dp_buf_text(&path, lake));
    DP_GO(dp_make_folders(path.data));
    DP_GO(dp_new(&block, BLOCK));
    DP_GO(dp_publish_open(&file, path.data, name));
    for (;;) {
        ssize_t n = read(STDIN_FILENO, block, BLOCK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            st = dp_fail(DP_ERR_IO, "ingest-10", "cannot read the standard input: %s", strerror(errno));
            goto done;
        }
        if (n == 0)
            break;
        DP_GO(dp_publish_write(file, block, (size_t)n));
    }
    DP_GO(dp_publish_end(&file, DP_PUBLISH_REPLACE, NULL));
    DP_GO(dp_buf_print(&path, "/%s", name));
    DP_GO(dp_copy_text(&plan->spool, path.data));
done:
    dp_publish_drop(&file);
    dp_buf_free(&path);
    dp_free(&block);
    return st;
}

static dp_status take_stdin(IngestPlan *plan, const char *lake, const Comm *comm)
{
    size_t at = plan->n, size = 0;
    for (size_t f = 0; f < plan->n; f++)
        if (strcmp(plan->files[f].path, "-") == 0)
            at = f;
    if (at == plan->n)
        return DP_OK;
    DP_TRY_ALL(comm, comm_rank(comm) == 0 ? spool(plan, lake) : DP_OK);
    size = plan->spool ? strlen(plan->spool) + 1 : 0;
    DP_TRY(comm_share_any(comm, &plan->spool, &size, 0));
    for (size_t f = 0; f < plan->n; f++)
        if (strcmp(plan->files[f].path, "-") == 0) {
            plan->files[f].path = plan->spool;
            plan->files[f].name = "standard input";
        }
    return DP_OK;
}

/* ---- facts, by rank 0 ---- */

static dp_status look_at(IngestFile *file, const IngestOptions *options)
{
    struct stat facts;
    unsigned char magic[2] = {0};
    if (stat(file->path, &facts) != 0)
        return dp_fail(dp_status_of_errno(errno, DP_ERR_NO_INPUT), "ingest-10",
                       errno == ENOENT
                           ? "there is no file %s (%s); look at the path, or name the file on the command line"
                           : "cannot look at %s: %s",
                       file->path, strerror(errno));
    if (S_ISDIR(facts.st_mode))
        return dp_fail(DP_ERR_NO_INPUT, "ingest-10", "%s is a directory; name the files in it, like %s/*.csv",
                       file->path, file->path);
    if (!S_ISREG(facts.st_mode))
        return dp_fail(
            DP_ERR_NO_INPUT, "ingest-10",
            "%s is not a regular file; a pipe can be read as the standard input: `... | dipper ingest CONFIG -`",
            file->path);
    int fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return dp_fail(dp_status_of_errno(errno, DP_ERR_IO), "ingest-10", "cannot open %s: %s", file->path,
                       strerror(errno));
    ssize_t n = read(fd, magic, sizeof magic);
    close(fd);
    file->bytes = facts.st_size;
    if (n <= 0)
        return dp_fail(n < 0 ? DP_ERR_IO : DP_ERR_DATA, n < 0 ? "ingest-10" : "ingest-15",
                       n < 0 ? "cannot read %s" : "%s is empty; nothing was added", file->name);
    file->gzip = n == 2 && magic[0] == 0x1F && magic[1] == 0x8B;
    file->stream = file->gzip || !options->narrow;
    return DP_OK;
}

static dp_status look_at_all(IngestPlan *plan, const IngestOptions *options)
{
    for (size_t f = 0; f < plan->n; f++) {
        IngestSource *source = NULL;
        DP_TRY(look_at(&plan->files[f], options));
        plan->files[f].segment = INGEST_SEGMENT_MAX;
        DP_TRY(ingest_source_open(&source, options, plan, f));
        ingest_source_close(&source);
    }
    return DP_OK;
}

static dp_status share_facts(IngestPlan *plan, const Comm *comm)
{
    int64_t *facts = NULL;
    DP_TRY_ALL(comm, dp_new(&facts, 3 * plan->n));
    for (size_t f = 0; f < plan->n; f++) {
        facts[3 * f] = plan->files[f].bytes;
        facts[3 * f + 1] = plan->files[f].gzip;
        facts[3 * f + 2] = plan->files[f].stream;
    }
    comm_share(comm, facts, 3 * plan->n * sizeof *facts, 0);
    for (size_t f = 0; f < plan->n; f++) {
        plan->files[f].bytes = facts[3 * f];
        plan->files[f].gzip = facts[3 * f + 1] != 0;
        plan->files[f].stream = facts[3 * f + 2] != 0;
    }
    dp_free(&facts);
    return DP_OK;
}

/* ---- chunks ---- */

static dp_status cut(IngestPlan *plan)
{
    for (size_t f = 0; f < plan->n; f++) {
        IngestFile *file = &plan->files[f];
        int64_t size = file->bytes / 8;
        size = size < INGEST_SEGMENT_MIN ? INGEST_SEGMENT_MIN : size;
        file->segment = file->stream || size > INGEST_SEGMENT_MAX ? INGEST_SEGMENT_MAX : size;
        file->chunk = plan->n_chunks;
        file->chunks = (file->bytes + file->segment - 1) / file->segment;
        plan->n_chunks += file->chunks + 1;
        plan->bytes += file->bytes;
    }
    return dp_new(&plan->chunks, (size_t)plan->n_chunks);
}

/* Streams are dealt whole where there is one for every rank at least: each goes to the rank that has least. */
static dp_status deal(IngestPlan *plan, int ranks)
{
    int64_t *load = NULL;
    size_t streams = 0;
    DP_TRY(dp_new(&load, (size_t)ranks));
    for (size_t f = 0; f < plan->n; f++)
        streams += plan->files[f].stream;
    for (size_t f = 0; f < plan->n; f++) {
        int least = 0;
        plan->files[f].owner = -1;
        if (!plan->files[f].stream || streams < (size_t)ranks)
            continue;
        for (int r = 1; r < ranks; r++)
            least = load[r] < load[least] ? r : least;
        load[least] += plan->files[f].bytes;
        plan->files[f].owner = least;
    }
    dp_free(&load);
    return DP_OK;
}

/* Hash, quotes and lines of a chunk; the hash is that of the hashes of its blocks, which stay in the cache. */
static dp_status read_chunk(IngestChunk *chunk, int fd, const IngestFile *file, int64_t number, char *block,
                            const IngestOptions *options)
{
    dp_key128 hashes[INGEST_SEGMENT_MAX / BLOCK];
    int64_t at = number * file->segment, stop = at + file->segment;
    size_t n = 0;
    stop = stop < file->bytes ? stop : file->bytes;
    while (at < stop) {
        size_t size = stop - at < BLOCK ? (size_t)(stop - at) : BLOCK, got = 0;
        while (got < size) {
            ssize_t k = pread(fd, block + got, size - got, at + (int64_t)got);
            if (k < 0 && errno == EINTR)
                continue;
            if (k <= 0)
                return dp_fail(DP_ERR_IO, "ingest-10", "cannot read %s: %s", file->path,
                               k < 0 ? strerror(errno) : "it became shorter meanwhile");
            got += (size_t)k;
        }
        int64_t quotes, lines;
        options->isa->count(block, size, &quotes, &lines);
        chunk->quotes += quotes;
        chunk->lines += lines;
        hashes[n++] = dp_hash128(block, size, 0);
        at += (int64_t)size;
    }
    dp_key128 all = dp_hash128(hashes, n * sizeof *hashes, 0);
    chunk->low = (int64_t)all.low;
    chunk->high = (int64_t)all.high;
    return DP_OK;
}

static dp_status read_chunks(IngestPlan *plan, const IngestOptions *options, const Comm *comm)
{
    dp_status st = DP_OK;
    char *block = NULL;
    int fd = -1;
    DP_GO(dp_new(&block, BLOCK));
    for (size_t f = 0; f < plan->n; f++) {
        const IngestFile *file = &plan->files[f];
        fd = open(file->path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            st = dp_fail(dp_status_of_errno(errno, DP_ERR_IO), "ingest-10", "cannot open %s: %s", file->path,
                         strerror(errno));
            goto done;
        }
        for (int64_t c = 0; c < file->chunks; c++)
            if ((file->chunk + c) % comm_size(comm) == comm_rank(comm))
                DP_GO(read_chunk(&plan->chunks[file->chunk + c], fd, file, c, block, options));
        close(fd);
        fd = -1;
    }
done:
    if (fd >= 0)
        close(fd);
    dp_free(&block);
    return st;
}

/* Counts of chunks -> counts before chunks. */
static void add_up(IngestPlan *plan)
{
    for (size_t f = 0; f < plan->n; f++) {
        int64_t quotes = 0, lines = 0;
        for (int64_t c = 0; c <= plan->files[f].chunks; c++) {
            IngestChunk *chunk = &plan->chunks[plan->files[f].chunk + c];
            int64_t q = chunk->quotes, l = chunk->lines;
            chunk->quotes = quotes;
            chunk->lines = lines;
            quotes += q;
            lines += l;
        }
        if (plan->files[f].stream)
            plan->lines = INT64_MAX;
        else if (plan->lines < INT64_MAX)
            plan->lines += lines + 1;
    }
}

static dp_status digest(IngestPlan *plan, const IngestOptions *options)
{
    dp_status st = DP_OK;
    dp_hash *hash = NULL;
    DP_GO(dp_hash_start(&hash));
    DP_GO(dp_hash_add(hash, &options->config, sizeof options->config));
    for (size_t f = 0; f < plan->n; f++) {
        char text[96];
        int n = snprintf(text, sizeof text, "file %lld %lld\n", (long long)plan->files[f].bytes,
                         (long long)plan->files[f].segment);
        DP_GO(dp_hash_add(hash, text, (size_t)n));
        for (int64_t c = 0; c < plan->files[f].chunks; c++) {
            const IngestChunk *chunk = &plan->chunks[plan->files[f].chunk + c];
            n = snprintf(text, sizeof text, "%016llx%016llx\n", (unsigned long long)chunk->high,
                         (unsigned long long)chunk->low);
            DP_GO(dp_hash_add(hash, text, (size_t)n));
        }
    }
    DP_GO(dp_hash_end(&hash, &plan->source));
done:
    dp_hash_free(&hash);
    return st;
}

dp_status ingest_plan(IngestPlan *plan, const IngestOptions *options, const char *lake, const char *const *files,
                      size_t n, const Comm *comm)
{
    *plan = (IngestPlan){.n = n};
    if (n == 0)
        return dp_fail(DP_ERR_NO_INPUT, "ingest-16",
                       "no file is named; give files on the command line, or - for stdin");
    DP_TRY_ALL(comm, dp_new(&plan->files, n));
    for (size_t f = 0; f < n; f++)
        plan->files[f].path = plan->files[f].name = files[f];
    DP_TRY(take_stdin(plan, lake, comm));
    DP_TRY_ALL(comm, comm_rank(comm) == 0 ? look_at_all(plan, options) : DP_OK);
    DP_TRY(share_facts(plan, comm));
    dp_status st = cut(plan);
    st = st == DP_OK ? deal(plan, comm_size(comm)) : st;
    DP_TRY_ALL(comm, st);
    DP_TRY_ALL(comm, read_chunks(plan, options, comm));
    comm_sum_i64(comm, &plan->chunks[0].low, 4 * (size_t)plan->n_chunks);
    add_up(plan);
    DP_TRY_ALL(comm, digest(plan, options));
    return DP_OK;
}

void ingest_plan_free(IngestPlan *plan, const Comm *comm)
{
    if (plan->spool && comm_rank(comm) == 0)
        unlink(plan->spool);
    dp_free(&plan->spool);
    dp_free(&plan->files);
    dp_free(&plan->chunks);
    *plan = (IngestPlan){0};
}
