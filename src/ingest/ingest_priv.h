/* ingest/ingest_priv.h -- shared inside the room: from files to segments, from text to columns.
 *
 *     options.c     config -> IngestOptions                 times.c            local times -> microseconds UTC
 *     plan.c        the files: facts, digest, chunks        map.c             header -> columns
 *     source.c      a segment's text, whole rows            stream.c          gzip, wide encodings
 *     segment.c     text -> partition, by threads           isa*.c            what vectors do
 *     rows.c, json.c  a piece of text -> fields             convert.c         fields -> values, with number.c, dict.c
 *     bad.c         bad rows, kept and reported             ingest.c           the road from first to last
 *
 * A segment is 1 to 32 MiB of text, cut by the input alone, and becomes one partition (of 1 MiB 7 % is HDF5's own).
 * Threads share a segment by pieces of 256 KiB. What comes out does not depend on threads or ranks. */
#ifndef DIPPER_INGEST_PRIV_H
#define DIPPER_INGEST_PRIV_H

#include <iconv.h>
#include <locale.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/zone.h"
#include "ingest/ingest.h"

enum {
    INGEST_PIECE = 256 << 10,
    INGEST_SEGMENT_MIN = 1 << 20,
    INGEST_SEGMENT_MAX = 32 << 20,
    INGEST_PAD = 64,        /* readable bytes before and behind every text */
    INGEST_COLUMNS = 4096,  /* of a table */
    INGEST_FIELDS = 100000, /* of a row of a file */
    INGEST_NAME = 64
};

/* Why a row was put aside: stable words in the quarantine. */
typedef enum IngestReason {
    BAD_NOT,
    BAD_NUL,
    BAD_ENCODING,
    BAD_QUOTE,
    BAD_FIELDS,
    BAD_JSON,
    BAD_ID,
    BAD_NUMBER,
    BAD_OVERFLOW,
    BAD_RANGE,
    BAD_TIME,
    BAD_DIGITS,
    BAD_LABEL,
    BAD_REASONS
} IngestReason;
const char *ingest_reason(IngestReason reason);

/* ---- times ---- */

enum { INGEST_TIME_STEPS = 40 };
typedef struct IngestTimeFormat {
    char step[INGEST_TIME_STEPS]; /* letter of a conversion, or 0 and a character in `literal` */
    char literal[INGEST_TIME_STEPS];
    int n;
} IngestTimeFormat;
/* false: *wrong is the part that is not understood. */
bool ingest_time_compile(IngestTimeFormat *format, const char *text, const char **wrong);
bool ingest_time_read(int64_t *time, const char *text, size_t size, const IngestTimeFormat *format, const dp_zone *zone,
                      dp_zone_hint *hint);

/* ---- numbers ---- */

typedef struct IngestNumbers {
    char decimal;
    char group[5]; /* "" none; one UTF-8 character */
    locale_t c;    /* the C locale, for strtod_l */
} IngestNumbers;
/* Any spelling of a number: [+-] digits [. digits] [e [+-] digits], spaces around, groups of three before the decimal
 * mark. Correctly rounded to double, or with single to float. */
IngestReason ingest_number_read(double *value, const char *text, size_t size, const IngestNumbers *rule, bool single);

/* A column of fields: field r is text[before[r] + 1 .. end[r * width]); `before` counts modulo 2^32. */
typedef struct IngestFields {
    const char *text;
    const uint32_t *before, *end;
    size_t before_stride, end_stride;
    int32_t rows;
} IngestFields;
static inline const char *ingest_field(const IngestFields *f, int32_t row, uint32_t *size)
{
    uint32_t start = f->before[(size_t)row * f->before_stride] + 1u;
    *size = f->end[(size_t)row * f->end_stride] - start;
    return f->text + start;
}

/* ---- what differs between instruction sets; all give the same bits ---- */

typedef struct IngestFound {
    uint32_t n, newlines;
    bool quotes, wide, nul; /* was there a quote, a byte over 127, a zero byte? */
} IngestFound;
typedef struct IngestIsa {
    const char *name;
    /* Offsets of delimiters and newlines outside quotes into at [size]; delimiter 0: of newlines only. quotes false: a
     * quote mark means nothing. size < 2^31. The text begins outside quotes. */
    IngestFound (*find)(uint32_t *at, const char *text, size_t size, char delimiter, bool quotes);
    /* Counts quotes and newlines. */
    void (*count)(const char *text, size_t size, int64_t *quotes, int64_t *newlines);
    /* Reads what is short and plain ([-] up to 16 digits with a decimal mark) as double; empty = NaN. The rows that it
     * leaves are listed in slow [rows]; returns how many. single: also those whose double, rounded to float, might not
     * be the float nearest to the text. */
    int32_t (*numbers)(double *value, const IngestFields *fields, char decimal, bool single, int32_t *slow);
} IngestIsa;
extern const IngestIsa ingest_isa_scalar, ingest_isa_avx2, ingest_isa_avx512;
/* The best of this processor. */
const IngestIsa *ingest_isa(void);
/* Decimal digits to a double by one exact division. digits <= 2^53, scale <= 22. */
extern const double ingest_tens[23];
/* Does a double of the plain road lie within a bit of the middle of two floats? Those of the plain road are 0 or
 * between 1e-15 and 1e16, so normal floats. */
static inline bool ingest_between_floats(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    return (bits & 0x1FFFFFFF) - 0x0FFFFFFF <= 2;
}

/* ---- dictionaries ---- */

enum { INGEST_SHORT = 8 }; /* a text of so many bytes is its own key */
typedef struct IngestSlot {
    uint64_t key;    /* the text, or the hash of a longer one */
    uint32_t size_1; /* size + 1; 0: free */
    uint32_t code;
} IngestSlot;
typedef struct IngestDict {
    IngestSlot *slots;
    size_t room;        /* a power of two */
    uint32_t n, n_room; /* codes 0 .. n-1; code 0 = missing */
    uint32_t *offset;   /* [n + 1] */
    uint64_t *first;    /* [n] place of the first row that has it */
    uint8_t *bad;       /* [n] IngestReason of the value itself (digits) */
    bool any_bad;
    uint32_t hidden; /* codes 1 .. hidden are long spellings of missing */
    char *bytes;
    size_t bytes_room;
} IngestDict;
dp_status ingest_dict_clear(IngestDict *dict);
void ingest_dict_free(IngestDict *dict);
/* size <= INGEST_SHORT; reads eight bytes. */
static inline uint64_t ingest_dict_key(const char *text, uint32_t size)
{
    uint64_t word;
    memcpy(&word, text, sizeof word);
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return size == INGEST_SHORT ? word : word & ((UINT64_C(1) << (8 * size)) - 1);
}
static inline size_t ingest_dict_place(uint64_t key, uint32_t size, size_t room)
{
    uint64_t h = (key ^ size) * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)((h ^ h >> 32) & (room - 1));
}
/* The code of a text, added where it is new. The text has eight readable bytes from any start. */
dp_status ingest_dict_code(IngestDict *dict, uint32_t *code, const char *text, uint32_t size, uint64_t place);
/* The same in a few instructions, where a short text sits in the first slot it may have; false: ask the other. */
static inline bool ingest_dict_quick(const IngestDict *dict, uint32_t *code, const char *text, uint32_t size)
{
    if (size - 1 >= INGEST_SHORT) {
        *code = 0;
        return size == 0;
    }
    uint64_t key = ingest_dict_key(text, size);
    const IngestSlot *slot = &dict->slots[ingest_dict_place(key, size, dict->room)];
    *code = slot->code;
    return slot->key == key && slot->size_1 == size + 1;
}
/* Makes a spelling mean missing. */
dp_status ingest_dict_missing(IngestDict *dict, const char *text, uint32_t size);

/* ---- options ---- */

typedef struct IngestColumn {
    const char *from; /* name in the file */
    LakeType type;
    IngestTimeFormat times[4];
    int n_times;
    double low, high; /* NaN: open */
    int digits;
    bool required; /* id, time, recorded */
} IngestColumn;

struct IngestOptions {
    bool json, quotes, narrow; /* narrow: the encoding's ASCII bytes always mean ASCII (or it is UTF-8) */
    const char *encoding;      /* NULL: UTF-8 */
    char delimiter;
    int64_t max_row; /* bytes */
    double max_bad;
    CfgList patterns, missing;
    bool missing_numbers; /* a spelling of missing could be a number */
    IngestNumbers numbers;
    dp_zone *zone;
    LakeSchema schema;
    IngestColumn *columns; /* [schema.n] */
    char *deleted;         /* column of the file; NULL */
    char *deleted_is;      /* the value that marks */
    dp_digest config;
    const IngestIsa *isa;
};
bool ingest_is_missing(const IngestOptions *options, const char *text, size_t size);

/* ---- one piece of text as rows of fields ---- */

typedef struct IngestRows {
    const char *text;        /* where the fields lie */
    int32_t n, width;        /* rows, fields a row */
    uint32_t *before;        /* [n] the byte before each row's first field */
    uint32_t *end;           /* [n * width] end of each field */
    uint8_t *bad;            /* [n] IngestReason */
    uint16_t *column;        /* [n] schema column that was bad, 65535: the row */
    uint32_t *raw, *raw_end; /* [n] the row in the piece as it was read */
    size_t room;             /* of the arrays by row */
    size_t end_room;
    dp_buf clean; /* fields without quotes; begins with INGEST_PAD bytes */
    dp_buf utf8;  /* converted text */
    dp_buf scratch;
    uint32_t *was; /* [2 * n_was] start and end of rows in the text before it was converted to UTF-8 */
    size_t n_was, was_room;
    uint32_t *found; /* separators */
    size_t found_room;
} IngestRows;
void ingest_rows_free(IngestRows *rows);
dp_status ingest_rows_room(IngestRows *rows, size_t n, size_t fields);

/* Which field of a row feeds a schema column. */
typedef struct IngestMap {
    int width;       /* fields a row */
    int32_t *field;  /* [schema.n] */
    int32_t deleted; /* field, -1 */
    char **wanted;   /* JSON: [width] keys; NULL for delimited text */
    uint64_t *hash;  /* JSON: of the keys */
} IngestMap;
void ingest_map_free(IngestMap *map);
/* Reads the header line. Fails DATA naming the columns that are not there. */
dp_status ingest_map_csv(IngestMap *map, const IngestOptions *options, const char *file, const char *line, size_t size);
dp_status ingest_map_json(IngestMap *map, const IngestOptions *options);

/* Whole rows of delimited text or JSON lines -> fields. The text has INGEST_PAD bytes around it. */
dp_status ingest_rows_csv(IngestRows *rows, const IngestOptions *options, const IngestMap *map, const char *text,
                          size_t size);
dp_status ingest_rows_json(IngestRows *rows, const IngestOptions *options, const IngestMap *map, const char *text,
                           size_t size);
/* Text of a narrow encoding to UTF-8 in rows->utf8, row by row; what cannot be converted becomes byte 0xFF. */
dp_status ingest_rows_recode(IngestRows *rows, const IngestOptions *options, iconv_t iconv, const char *text,
                             size_t size);

/* ---- columns of a segment ---- */

typedef struct IngestValues {
    LakeType type;
    double *number;
    float *number32;
    int64_t *time;
    uint32_t *code;
    int8_t *label;
    int64_t *text_at;
    char *text;
    size_t text_room;
} IngestValues;

/* What one thread brings along. */
typedef struct IngestWorker {
    IngestRows rows;
    IngestDict *dict; /* [schema.n], used by categories and codes */
    dp_zone_hint hint;
    double *number;
    int32_t *slow;
    size_t room;
    iconv_t iconv; /* (iconv_t)-1: none */
} IngestWorker;

/* Where a piece's rows go. */
typedef struct IngestPlace {
    IngestValues *values;
    uint8_t *deleted;   /* NULL: the table has no delete mark */
    int64_t base;       /* row of the first */
    dp_buf *text;       /* the bytes of the text columns, one column after the other */
    int64_t good;       /* out: rows taken */
    int64_t *text_size; /* out [schema.n]: bytes of text taken */
} IngestPlace;
/* Converts the rows that the worker holds. Bad ones stay marked in worker->rows and leave no gap. text_at of a piece
 * counts from the start of the piece's bytes of that column. */
dp_status ingest_convert(IngestWorker *worker, const IngestOptions *options, const IngestMap *map, IngestPlace *place);

/* ---- bad rows ---- */

enum {
    INGEST_BAD_SHOWN = 3,
    INGEST_BAD_RAW = 64 << 10,
    INGEST_BAD_BYTES = 64 << 20, /* of a segment */
    INGEST_BAD_PIECE = 20000     /* rows of a piece */
};

typedef struct IngestBadShown {
    int64_t order, line;
    char text[256]; /* "declarations-2024-02.csv:17 range in value: D24..." */
} IngestBadShown;
typedef struct IngestBadList {
    int64_t count, by_reason[BAD_REASONS];
    int64_t bytes; /* of this segment's, kept by the lake's writer until it is written */
    IngestBadShown first[INGEST_BAD_SHOWN];
    int n_first;
} IngestBadList;

/* Rows come in the order of the segment. At most INGEST_BAD_RAW bytes of a row are kept. */
dp_status ingest_bad_add(IngestBadList *list, int64_t order, const LakeBadRow *row, IngestReason reason,
                         LakeWriter *writer);
/* The failure of more than memory holds. */
dp_status ingest_bad_too_many(const char *first);
/* Collective. Counts of all ranks and the first few of all, on every rank. */
dp_status ingest_bad_gather(IngestBadList *list, const Comm *comm);
/* The most frequent reason. */
IngestReason ingest_bad_worst(const IngestBadList *list);

/* ---- files ---- */

typedef struct IngestFile {
    const char *path;
    const char *name; /* in messages: the path, or "standard input" */
    int64_t bytes;
    bool gzip, stream;
    int64_t segment;       /* bytes of a segment (of text, once it is unpacked) */
    int64_t chunk, chunks; /* first and number among all chunks: what one rank digests at a time; one more, empty,
                              stands behind the last */
    int owner;             /* streams: the rank that reads the whole file; -1: all read, each parses its segments */
} IngestFile;

/* Of a chunk of a file; of plain files a chunk is a segment. */
typedef struct IngestChunk {
    int64_t low, high;     /* 128-bit hash of the bytes */
    int64_t quotes, lines; /* in the file before the chunk */
} IngestChunk;

typedef struct IngestPlan {
    IngestFile *files;
    size_t n;
    IngestChunk *chunks;
    int64_t n_chunks, bytes, lines; /* lines: of all files; INT64_MAX where any is a stream */
    dp_digest source;
    char *spool; /* path of the copy of stdin */
} IngestPlan;

/* Collective. */
dp_status ingest_plan(IngestPlan *plan, const IngestOptions *options, const char *lake, const char *const *files,
                      size_t n, const Comm *comm);
void ingest_plan_free(IngestPlan *plan, const Comm *comm);

/* Whole rows, one segment after the other, of one file. */
typedef struct IngestSource IngestSource;
typedef struct IngestText {
    char *text;     /* with INGEST_PAD bytes around it */
    size_t size;    /* whole rows; the last one ends in a newline */
    int64_t number; /* of the segment in the file */
    int64_t line;   /* of its first row, from 1 */
} IngestText;
dp_status ingest_source_open(IngestSource **source, const IngestOptions *options, const IngestPlan *plan, size_t file);
void ingest_source_close(IngestSource **source);
/* The failure of a row past max_row; in_quotes: because of a quote. */
dp_status ingest_row_too_long(const IngestOptions *options, const char *file, int64_t line, bool in_quotes);
/* Line of the last row that starts in the text, whose first line is first_line. */
int64_t ingest_last_row(const IngestOptions *options, const char *text, size_t size, int64_t first_line);
/* The first newline outside quotes at or behind `from`; size where there is none. *inside: the state at `from`, then at
 * the end. */
size_t ingest_row_end(const IngestOptions *options, const char *text, size_t from, size_t size, bool *inside);
const IngestMap *ingest_source_map(const IngestSource *source);
/* Plain files: segment `number`. Streams: the segments come in order; *more is false behind the last. */
dp_status ingest_source_read(IngestSource *source, int64_t number, IngestText *text, bool *more);

/* The text of a stream: inflated, and converted where its encoding is wide. */
typedef struct IngestStream IngestStream;
dp_status ingest_stream_open(IngestStream **stream, const IngestFile *file, const char *encoding);
/* At most `room` bytes; *size 0 at the end. */
dp_status ingest_stream_read(IngestStream *stream, char *out, size_t room, size_t *size);
void ingest_stream_close(IngestStream **stream);

/* ---- one segment -> one partition ---- */

typedef struct IngestSegment IngestSegment;
dp_status ingest_segment_build(IngestSegment **segment, const IngestOptions *options, int threads);
void ingest_segment_free(IngestSegment **segment);
/* Parses the text, puts bad rows aside, writes the partition `order`. */
dp_status ingest_segment_run(IngestSegment *segment, const IngestMap *map, const char *file, const IngestText *text,
                             int64_t order, LakeWriter *writer, IngestBadList *bad);

#endif
