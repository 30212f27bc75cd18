/* ingest/ingest.h -- raw files into a table: delimited text and JSON lines, from files, gzip or stdin.
 *
 * The input is cut into segments whose size follows from the input alone, never from the number of ranks; a segment
 * becomes one partition. So the table's bytes and digests are the same on any number of ranks. */
#ifndef DIPPER_INGEST_INGEST_H
#define DIPPER_INGEST_INGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "comm/comm.h"
#include "config/config.h"
#include "lake/lake.h"

/* Sections from, rows, columns, categories, check of `kind: table` (USAGE.md's declarations.yaml). */
extern const CfgSection ingest_sections[];
extern const size_t ingest_sections_n;

typedef struct IngestOptions IngestOptions;

/* Local. Reads the config; adds faults to it (a time without a format, rows.id that is no column) and then fails. The
 * config must outlive the options. */
dp_status ingest_options(IngestOptions **options, Config *config);
void ingest_options_free(IngestOptions **options);
/* Local. from.files: names or patterns, relative to the inbox. */
CfgList ingest_patterns(const IngestOptions *options);
/* Local. The schema of the table that the config makes. */
const LakeSchema *ingest_schema(const IngestOptions *options);

typedef struct IngestResult {
    bool known;        /* this delivery is in the table already: nothing was added */
    bool left;         /* asked to leave (run_asked): nothing was added; the same call goes on behind what is written */
    bool interrupted;  /* left for INT */
    int64_t rows, bad; /* rows added (tombstones included); rows put aside */
    int64_t bytes_in, bytes_out;
    int64_t snapshot; /* that the delivery came with; of the earlier one where it is known */
    double read_s, write_s, sync_s;
    const char *worst_reason; /* the most frequent reason of bad rows, NULL */
} IngestResult;

/* Collective. files: paths, gzip known by its magic number, "-" = stdin (rank 0's, spooled beside the table). Publishes
 * nothing and fails DP_ERR_DATA when more than check.max_bad of the rows are bad, naming the first bad rows with file,
 * row, column and reason. On every failure no part of the delivery stays. */
dp_status ingest_files(IngestResult *result, const IngestOptions *options, const char *lake, const char *table,
                       const char *const *files, size_t n_files, LakeCompress compress, int threads, const Comm *comm);

extern const dp_help_row ingest_help[];

#endif
