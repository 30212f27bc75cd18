/* lake_priv.h -- what the files of this room share: partition layout, manifest, codec. Bytes: FORMAT.md. */
#ifndef DIPPER_LAKE_PRIV_H
#define DIPPER_LAKE_PRIV_H

#include <pthread.h>
#include <zstd.h>

#include "lake/lake.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the lake's files are little-endian and are read without swapping"
#endif

enum {
    BLOCK_ROWS = 65536,     /* most rows of a block */
    TEXT_CHUNK = 256 << 10, /* bytes of text a chunk */
    CATEGORY_MAX = 1024,    /* bytes of one category */
    STREAM_NAME_MAX = 160,
    PATH_ROOM = 4096,
    PART_ROOM = 40, /* "part-0123456789abcdef.h5" */
    FILE_ROOM = 96, /* with its folder */
    FORMAT_VERSION = 1
};

/* ---- a partition: streams of equal elements, each an HDF5 dataset in chunks (index.c) ---- */

typedef enum StreamKind {
    STREAM_NUMBER = 1, /* f64 */
    STREAM_NUMBER32,   /* f32 */
    STREAM_TIME,       /* i64 */
    STREAM_CODE,       /* u8, u16 or u32 by `width` */
    STREAM_DICTIONARY, /* texts of `width` bytes, padded with zeros */
    STREAM_LABEL,      /* i8 */
    STREAM_LENGTH,     /* u32: bytes of each text */
    STREAM_BYTES,      /* u8: the texts one after the other */
    STREAM_FLAG,       /* u8: 0, 1 */
    STREAM_INTEGER,    /* i64 */
    STREAM_BIN         /* u8 */
} StreamKind;

/* FILTER_BITS: bits.c; codes, labels and bins only. */
typedef enum Filter { FILTER_NONE, FILTER_ZSTD, FILTER_DEFLATE, FILTER_BITS } Filter;

/* As in the file, 40 bytes. */
typedef struct Stream {
    uint32_t name_at, name_size; /* into Index.names, not zero-terminated */
    uint8_t kind, filter;        /* StreamKind; Filter, behind a byte shuffle where width > 1 and kind is no text */
    uint16_t zero;
    uint32_t width;       /* bytes of an element */
    uint32_t chunk;       /* elements of a chunk; the last one is filled up with zeros */
    uint32_t first_chunk; /* into Index.chunks */
    uint64_t elements;
    uint32_t chunks;
    uint32_t zero2;
} Stream;

/* As in the file, 48 bytes. */
typedef struct Chunk {
    uint64_t at;     /* in the file */
    uint32_t stored; /* bytes there */
    uint32_t zero;
    uint64_t check;     /* XXH3-64 of those bytes */
    uint64_t low, high; /* bits of the least and greatest value that is not missing: double, or int64 for times */
    uint64_t first;     /* STREAM_LENGTH: where the texts of this chunk begin in the bytes */
} Chunk;

typedef struct Index {
    int64_t rows, bad, deleted;
    uint32_t block_rows; /* rows of a block; the last has fewer */
    uint32_t n_streams, n_chunks, names_size;
    const Stream *streams;
    const Chunk *chunks;
    const char *names;
    char *bytes; /* owns all of the above */
    size_t size;
} Index;

enum { INDEX_HEAD = 48, FOOTER_SIZE = 72 };

/* What the last bytes of a partition say: where its index is. */
typedef struct Footer {
    uint64_t at, size;
    dp_digest digest;
    uint64_t body;  /* bytes before the footer */
    uint64_t check; /* XXH3-64 of them */
} Footer;

/* Local. Checks every count and place against the file's size; takes the bytes (frees them on failure). */
dp_status index_read(Index *index, char *bytes, size_t size, int64_t file_bytes, const char *path);
void index_free(Index *index);
/* Local. NULL when there is none. suffix: "" or "/length". */
const Stream *index_find(const Index *index, const char *prefix, const char *name, const char *suffix);
void footer_write(char out[FOOTER_SIZE], const Footer *footer);
bool footer_read(Footer *footer, const char in[FOOTER_SIZE]);
/* Rows of a block of a partition of `rows` rows, and the number of blocks. */
uint32_t block_rows_of(int64_t rows);
int64_t blocks_of(int64_t rows);

/* ---- the codec: shuffle, compress, check (codec.c) ---- */

/* The last chunk of a stream whose elements were all alike, and what became of it. */
typedef struct Constant {
    uint64_t element;
    size_t size;
    uint32_t width;
    uint8_t kind, filter;
    dp_buf stored;
} Constant;
enum { CONSTANTS = 8 };

/* Working memory of one thread. {0} is valid. */
typedef struct Codec {
    ZSTD_CCtx *pack;
    ZSTD_DCtx *unpack;
    dp_buf stored, raw;
    dp_buf spare; /* for callers; codec_pack and codec_read leave it alone */
    Constant constant[CONSTANTS];
    unsigned next_constant;
} Codec;
void codec_free(Codec *codec);
/* Local. The most bytes a chunk of `raw` bytes may take. */
size_t codec_bound(size_t raw);
/* Local. raw [size] becomes out [*stored], which has room for codec_bound(size). width: of the elements. raw must not
 * be codec->stored. */
dp_status codec_pack(Codec *codec, const Stream *stream, const void *raw, size_t size, void *out, size_t *stored);
/* Local. Reads chunk number `c` of the stream from the open file, checks it and unpacks it into out
 * [stream->chunk * stream->width]. path: for messages. */
dp_status codec_read(Codec *codec, int fd, const Index *index, const Stream *stream, uint32_t c, void *out,
                     const char *path);
/* Local. The same of a stream of codes, widened; *most: the greatest. codec->spare is used. */
dp_status codec_read_codes(Codec *codec, int fd, const Index *index, const Stream *stream, uint32_t c, uint32_t *out,
                           uint32_t *most, const char *path);
/* Local. XXH3-64, seed 0: the check of a chunk. */
uint64_t check_bytes(const void *data, size_t size);
uint64_t check_bytes_avx2(const void *data, size_t size);
void shuffle_bytes(uint8_t *out, const uint8_t *in, size_t n, size_t width);
void unshuffle_bytes(uint8_t *out, const uint8_t *in, size_t n, size_t width);
/* Is the stream stored behind a byte shuffle? */
bool stream_shuffled(const Stream *stream);

/* ---- HDF5 (skeleton.c, filter.c) and the bytes of a partition (image.c) ---- */

/* Local. Silences HDF5's own printing, forbids plug-ins and registers the zstd filter. */
dp_status h5_ready(void);

typedef struct Packed {
    const void *data;
    uint32_t stored;
    uint64_t low, high, first;
} Packed;

/* One dataset to be written. */
typedef struct ImageStream {
    char name[STREAM_NAME_MAX];
    Stream stream; /* kind, filter, width, chunk, elements */
    Packed *chunk;
    const LakeColumn *column; /* its attributes; NULL for the lake's own streams */
} ImageStream;

typedef struct ImageCounts {
    int64_t rows, bad, deleted;
} ImageCounts;

typedef struct ImageFacts {
    int64_t index_at;
    int64_t index_bytes;
    dp_digest index_digest;
} ImageFacts;

/* Where a chunk goes in a skeleton. */
typedef struct ChunkPlace {
    bool filtered;
    uint64_t at;    /* not filtered: its bytes. filtered: of what stands for it */
    uint64_t entry; /* filtered: of its bytes (u32) and, ENTRY_ADDRESS behind, of its address (u64) */
} ChunkPlace;

/* A partition but for its chunks and its index; partitions of one shape have the same. {0} is valid. */
typedef struct Skeleton {
    dp_buf shape, bytes;
    ChunkPlace *chunk; /* [n_chunks] in the order of the streams */
    size_t n_chunks;
    int64_t rows;              /* it was made for */
    dp_buf rows_at;            /* u32: where the number of rows stands (u32) in the bytes; empty: not known */
    bool twinned;              /* that was looked for */
    uint64_t index_at, end_at; /* of the index; of the u64 that says how long the HDF5 file is */
} Skeleton;
enum { ENTRY_ADDRESS = 24 };
void skeleton_free(Skeleton *skeleton);
/* Local. index_size: bytes of the index. */
dp_status skeleton_build(Skeleton *skeleton, const ImageStream *streams, int n, int64_t rows, size_t index_size);

/* Local. The bytes of a partition: an HDF5 file followed by a footer. image is emptied first. skeleton: kept between
 * partitions with the same columns at the same addresses. */
dp_status image_build(dp_buf *image, ImageFacts *facts, Skeleton *skeleton, ImageStream *streams, int n,
                      ImageCounts counts);

/* ---- partitions from rows (pack.c) ---- */

typedef struct Packer Packer;
dp_status packer_build(Packer **packer, const LakeSchema *schema, LakeCompress compress, int threads);
void packer_free(Packer **packer);

typedef struct Span {
    int64_t low, high; /* low > high: no value */
} Span;

/* A bad row as it is kept until its partition is written. */
typedef struct BadRows {
    int64_t order, n;
    dp_buf bytes; /* per row: i64 row, u32 sizes of file, column, reason, raw, then their bytes */
} BadRows;

/* Local. Tombstones among the rows. */
int64_t count_deleted(const LakeRows *rows);
/* Local. bad may be NULL. */
dp_status pack_partition(Packer *packer, dp_buf *image, ImageFacts *facts, const LakeRows *rows, const BadRows *bad);

/* ---- manifests (manifest.c) ---- */

typedef struct Partition {
    int64_t order; /* while it is written */
    char file[FILE_ROOM];
    int64_t rows, bad, deleted, bytes;
    dp_digest digest;
    ImageFacts index;
    Span time, recorded;
    int32_t delivery;
} Partition;

typedef struct Delivery {
    dp_digest source;
    int64_t rows, bad;
    int32_t partitions;
    bool repeats; /* an id may come more than once in it */
    char *about;  /* JSON object text; NULL */
    int64_t when; /* of the commit */
    int64_t snapshot;
} Delivery;

typedef struct Manifest {
    int64_t number;
    LakeSchema schema;
    Partition *partitions;
    int n_partitions;
    Delivery *deliveries;
    int n_deliveries;
    dp_digest content;
} Manifest;

void manifest_free(Manifest *manifest);
/* Local. path: for messages. */
dp_status manifest_parse(Manifest *manifest, const char *text, size_t size, const char *path);
dp_status manifest_print(dp_buf *text, Manifest *manifest, const char *table);
/* Local. Number of the newest manifest in the folder; 0: none. */
dp_status manifest_newest(int64_t *number, const char *folder);
dp_status manifest_load(Manifest *manifest, const char *folder, int64_t number);
void manifest_path(char path[PATH_ROOM], const char *folder, int64_t number);

/* ---- schemas (schema.c) ---- */

/* Local. Names, types and roles hold together. */
dp_status schema_check(const LakeSchema *schema);
/* Local. Does what is written with `next` fit a table of `table`? strict: every column of the table must be there. */
dp_status schema_fits(const LakeSchema *table, const LakeSchema *next, const char *name, bool strict);
/* Local. Columns of table, as `next` describes them, then the new ones of next. */
dp_status schema_join(LakeSchema *joined, const LakeSchema *table, const LakeSchema *next);
bool type_is_coded(LakeType type);

/* ---- an opened table (table.c) ---- */

struct LakeTable {
    char *name, *folder;
    Manifest manifest;
    int64_t *first_row;        /* [partitions + 1] */
    int64_t *first_block;      /* [partitions + 1] */
    Index *index;              /* [partitions], read when first needed */
    pthread_mutex_t lock;      /* of index */
    struct Versions *versions; /* the last resolution */
    LakeDelivery *deliveries;  /* newest first */
};

/* Local. Where the share of a rank begins among n blocks. */
int64_t table_share(int64_t n, int64_t rank, int64_t size);
/* Local. Opens a partition's file and checks its size; *index (borrowed) is read once a table. */
dp_status table_open_partition(LakeTable *table, int p, int *fd, const Index **index);
void table_partition_path(char path[PATH_ROOM], const LakeTable *table, int p);
/* Local. The same for a partition that belongs to no opened table; index is the caller's, {0} before. */
dp_status partition_open(int *fd, Index *index, const Partition *partition, const char *path);
/* Local. Reads footer and index of a partition file that no manifest names yet, and its digest. */
dp_status partition_look(Partition *partition, const char *folder, const LakeSchema *schema);
/* Local. Least and greatest value of a time column by its index. */
Span index_span(const Index *index, const char *column);

#endif
