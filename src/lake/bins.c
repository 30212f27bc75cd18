/* Bins of a table for one model. A partition's stand in a file of the partitions' own form, published whole under
 *
 *     <table>/bins-<16 digits of the set's digest>/<32 digits of the partition's digest>.h5
 *
 * which holds one stream a column of bins ("0", "1", ...) and "_of": the whole digests of the set and of the partition.
 * A file that does not say exactly what is expected is as good as none: a reader takes the columns instead. Nothing
 * names these files, so they may come and go while tables are read. */
#include "lake/bins.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/publish.h"
#include "lake/bits.h"
#include "lake/scan_priv.h"

enum { OF_SIZE = 64, FILE_NAME = 40, FOLDER_NAME = 24 };

static void folder_name(char name[FOLDER_NAME], const LakeBins *bins)
{
    char hex[DP_DIGEST_HEX];
    dp_digest_print(hex, &bins->set);
    snprintf(name, FOLDER_NAME, "bins-%.16s", hex);
}

static void file_name(char name[FILE_NAME], const LakeTable *table, int p)
{
    char hex[DP_DIGEST_HEX];
    dp_digest_print(hex, &table->manifest.partitions[p].digest);
    snprintf(name, FILE_NAME, "%.32s.h5", hex);
}

static void print_of(char of[OF_SIZE], const LakeTable *table, int p, const LakeBins *bins)
{
    memcpy(of, bins->set.bytes, 32);
    memcpy(of + 32, table->manifest.partitions[p].digest.bytes, 32);
}

/* ---- reading ---- */

/* Reads the index that the footer tells of. */
static bool read_index(Companion *c, int64_t size)
{
    char end[FOOTER_SIZE], *data = NULL;
    Footer footer;
    dp_digest found;
    if (size < FOOTER_SIZE || pread(c->fd, end, FOOTER_SIZE, (off_t)(size - FOOTER_SIZE)) != FOOTER_SIZE ||
        !footer_read(&footer, end) || footer.body != (uint64_t)size - FOOTER_SIZE ||
        dp_new(&data, footer.size + 1) != DP_OK)
        return false;
    if (pread(c->fd, data, footer.size, (off_t)footer.at) != (ssize_t)footer.size ||
        dp_digest_of(&found, data, footer.size) != DP_OK || !dp_digest_same(&found, &footer.digest)) {
        dp_free(&data);
        return false;
    }
    return index_read(&c->index, data, footer.size, size, c->path) == DP_OK;
}

static bool find_streams(Companion *c, int64_t rows, int n)
{
    char name[16];
    if (c->index.rows != rows || dp_new(&c->stream, (size_t)n + 1) != DP_OK)
        return false;
    for (int k = 0; k < n; k++) {
        snprintf(name, sizeof name, "%d", k);
        const Stream *s = c->stream[k] = index_find(&c->index, "", name, "");
        if (!s || s->kind != STREAM_BIN || s->elements != (uint64_t)rows ||
            (rows > 0 && s->chunk != block_rows_of(rows)))
            return false;
    }
    return true;
}

/* Does the file say that it is of this set and this partition? */
static bool is_of(Companion *c, Codec *codec, const LakeTable *table, int p, const LakeBins *bins)
{
    char wanted[OF_SIZE], said[OF_SIZE];
    const Stream *s = index_find(&c->index, "", "_of", "");
    print_of(wanted, table, p, bins);
    return s && s->kind == STREAM_BYTES && s->elements == OF_SIZE && s->chunk == OF_SIZE &&
           codec_read(codec, c->fd, &c->index, s, 0, said, c->path) == DP_OK && memcmp(said, wanted, OF_SIZE) == 0;
}

bool companion_open(Companion *c, Codec *codec, const LakeTable *table, int p, const LakeBins *bins)
{
    char path[PATH_ROOM], folder[FOLDER_NAME], name[FILE_NAME];
    struct stat info;
    folder_name(folder, bins);
    file_name(name, table, p);
    snprintf(path, sizeof path, "%s/%s/%s", table->folder, folder, name);
    *c = (Companion){.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    if (c->fd >= 0 && fstat(c->fd, &info) == 0 && S_ISREG(info.st_mode) && dp_copy_text(&c->path, path) == DP_OK &&
        read_index(c, info.st_size) && find_streams(c, table->manifest.partitions[p].rows, bins->n) &&
        is_of(c, codec, table, p, bins))
        return true;
    companion_close(c);
    return false;
}

void companion_close(Companion *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    index_free(&c->index);
    dp_free(&c->stream);
    dp_free(&c->path);
}

bool companion_read(const Companion *c, Codec *codec, uint32_t block, uint8_t *const *bin, int n)
{
    for (int k = 0; k < n; k++)
        if (codec_read(codec, c->fd, &c->index, c->stream[k], block, bin[k], c->path) != DP_OK)
            return false;
    return true;
}

/* ---- writing ---- */

/* One partition on its way. */
typedef struct Making {
    LakeTable *table;
    const LakeBins *bins;
    const int *columns;
    int n_columns, threads;
    LakeBinner make;
    void *self;
    uint8_t *bin;        /* [bins->n][chunks * chunk] of the partition */
    uint8_t **at;        /* [bins->n] where the block at hand goes */
    ImageStream *stream; /* [bins->n + 1] */
    Packed *packed;
    Skeleton skeleton;
    dp_buf arena, image;
} Making;

static void making_free(Making *m)
{
    dp_free(&m->bin);
    dp_free(&m->at);
    dp_free(&m->stream);
    dp_free(&m->packed);
    skeleton_free(&m->skeleton);
    dp_buf_free(&m->arena);
    dp_buf_free(&m->image);
}

/* Every row of the partition as it is stored, block by block, into m->bin. */
static dp_status fill_bins(Making *m, int p, size_t stride)
{
    const LakeTable *t = m->table;
    LakeQuery query = {.columns = m->columns,
                       .n_columns = m->n_columns,
                       .as_of = DP_TIME_MISSING,
                       .all_versions = true,
                       .threads = m->threads};
    LakeScan *scan = NULL;
    const LakeBlock *block;
    size_t row = 0;
    dp_status st = DP_OK;
    DP_GO(scan_build(&scan, m->table, &query, t->first_block[p], t->first_block[p + 1]));
    for (;;) {
        DP_GO(lake_next(scan, &block));
        if (!block)
            break;
        for (int k = 0; k < m->bins->n; k++)
            m->at[k] = m->bin + (size_t)k * stride + row;
        DP_GO(m->make(m->self, block, m->at));
        row += (size_t)block->rows;
    }
done:
    lake_scan_close(&scan);
    return st;
}

static void describe_stream(ImageStream *is, StreamKind kind, Filter filter, uint64_t elements, uint32_t chunk)
{
    is->stream = (Stream){.kind = (uint8_t)kind, .filter = (uint8_t)filter, .width = 1, .elements = elements};
    is->stream.chunk = elements == 0 ? 0 : chunk;
    is->stream.chunks = elements == 0 ? 0 : (uint32_t)((elements + chunk - 1) / chunk);
}

/* Packs all streams; they lie one after the other in the arena. */
static dp_status pack_bins(Making *m, size_t stride, uint32_t chunk, char of[OF_SIZE])
{
    size_t bound = chunk > 0 ? bits_bound(chunk, 1) : 0, chunks = chunk > 0 ? stride / chunk : 0;
    int n = m->bins->n;
    m->arena.size = 0;
    DP_TRY(dp_buf_reserve(&m->arena, bound * chunks * (size_t)n + 1));
#pragma omp parallel for num_threads(m->threads) if (m->threads > 1)
    for (int k = 0; k < n; k++)
        for (size_t c = 0; c < chunks; c++) {
            size_t at = (size_t)k * chunks + c;
            char *out = m->arena.data + at * bound;
            m->packed[at].stored = (uint32_t)bits_pack(out, m->bin + (size_t)k * stride + c * chunk, chunk, 1, false);
            m->packed[at].data = out;
        }
    m->packed[(size_t)n * chunks] = (Packed){.data = of, .stored = OF_SIZE};
    return DP_OK;
}

static dp_status make_bins(Making *m, int p)
{
    int64_t rows = m->table->manifest.partitions[p].rows;
    uint32_t chunk = block_rows_of(rows);
    size_t chunks = (size_t)blocks_of(rows), stride = chunks * chunk, n = (size_t)m->bins->n;
    char of[OF_SIZE], folder[FOLDER_NAME], name[FILE_NAME], path[PATH_ROOM];
    ImageFacts facts;
    dp_free(&m->bin);
    dp_free(&m->packed);
    DP_TRY(dp_new(&m->bin, stride * n + 1));
    DP_TRY(dp_new(&m->packed, chunks * n + 1));
    DP_TRY(fill_bins(m, p, stride));
    print_of(of, m->table, p, m->bins);
    DP_TRY(pack_bins(m, stride, chunk, of));
    for (size_t k = 0; k < n; k++) {
        describe_stream(&m->stream[k], STREAM_BIN, FILTER_BITS, (uint64_t)rows, chunk);
        snprintf(m->stream[k].name, sizeof m->stream[k].name, "%d", (int)k);
        m->stream[k].chunk = m->packed + k * chunks;
    }
    describe_stream(&m->stream[n], STREAM_BYTES, FILTER_NONE, OF_SIZE, OF_SIZE);
    snprintf(m->stream[n].name, sizeof m->stream[n].name, "_of");
    m->stream[n].chunk = m->packed + n * chunks;
    DP_TRY(image_build(&m->image, &facts, &m->skeleton, m->stream, (int)n + 1, (ImageCounts){.rows = rows}));
    folder_name(folder, m->bins);
    file_name(name, m->table, p);
    snprintf(path, sizeof path, "%s/%s", m->table->folder, folder);
    DP_TRY(dp_make_folders(path));
    return dp_publish_bytes(path, name, m->image.data, m->image.size, DP_PUBLISH_REPLACE, NULL);
}

/* A partition of this rank: what is there already is left alone. */
static dp_status look_or_make(Making *m, Codec *codec, int p, int64_t *made, int64_t *bytes)
{
    Companion c;
    bool there = companion_open(&c, codec, m->table, p, m->bins);
    if (!there) {
        DP_TRY(make_bins(m, p));
        ++*made;
        *bytes += (int64_t)m->image.size;
        return DP_OK;
    }
    struct stat info;
    if (fstat(c.fd, &info) == 0)
        *bytes += info.st_size;
    companion_close(&c);
    return DP_OK;
}

static dp_status make_share(Making *m, int64_t *made, int64_t *bytes, const Comm *comm)
{
    Codec codec = {0};
    dp_status st = DP_OK;
    DP_GO(dp_new(&m->at, (size_t)m->bins->n + 1));
    DP_GO(dp_new(&m->stream, (size_t)m->bins->n + 1));
    for (int p = comm_rank(comm); p < m->table->manifest.n_partitions; p += comm_size(comm))
        DP_GO(look_or_make(m, &codec, p, made, bytes));
done:
    codec_free(&codec);
    return st;
}

dp_status lake_bins_write(LakeTable *table, const LakeBins *bins, const int *columns, int n_columns, int threads,
                          LakeBinner make, void *self, int64_t *made, int64_t *bytes, const Comm *comm)
{
    Making m = {.table = table,
                .bins = bins,
                .columns = columns,
                .n_columns = n_columns,
                .threads = threads < 1 ? 1 : threads,
                .make = make,
                .self = self};
    int64_t sums[2] = {0, 0};
    dp_status st = make_share(&m, &sums[0], &sums[1], comm);
    making_free(&m);
    DP_TRY_ALL(comm, st);
    comm_sum_i64(comm, sums, 2);
    *made = sums[0];
    *bytes = sums[1];
    return DP_OK;
}
