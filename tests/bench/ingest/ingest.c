/* Driver of run.py: ingest CONFIG LAKE TABLE THREADS FILE... -- one delivery, and a JSON line of what it took. Under
 * mpirun the slowest rank counts; the clock starts when the ranks are up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/publish.h"
#include "config/config.h"
#include "ingest/ingest.h"

typedef struct Head {
    const char *kind, *name, *about, *owner;
    int64_t ranks, memory;
} Head;
static const CfgRow head_rows[] = {{"kind", CFG_NAME, CFG_AT(Head, kind), .help = "table"},
                                   {"name", CFG_NAME, CFG_AT(Head, name), .help = "of the table"},
                                   {"about", CFG_TEXT, CFG_AT(Head, about), .def = "", .help = "for people"},
                                   {"owner", CFG_TEXT, CFG_AT(Head, owner), .def = "", .help = "for people"},
                                   {"job.ranks", CFG_INT, CFG_AT(Head, ranks), .def = "1", .help = "of the job"},
                                   {"job.memory", CFG_BYTES, CFG_AT(Head, memory), .def = "1GiB", .help = "a rank"},
                                   {.key = NULL}};
enum { SECTIONS = 16 };

static dp_status read_config(Config **config, const char *path)
{
    static CfgSection sections[SECTIONS] = {{"", head_rows, NULL}};
    static CfgKind kind = {.name = "table", .about = "a table", .sections = sections};
    memcpy(sections + 1, ingest_sections, ingest_sections_n * sizeof *sections);
    kind.n = 1 + ingest_sections_n;
    DP_TRY(config_read(config, path, NULL, 0, &kind, 1));
    return config_must_be_good(*config);
}

int main(int argc, char **argv)
{
    Comm *comm = NULL;
    Config *config = NULL;
    IngestOptions *options = NULL;
    IngestResult r = {0};
    dp_status st =
        argc > 5 ? comm_open(&comm, NULL) : dp_fail(DP_ERR_USAGE, "bench", "CONFIG LAKE TABLE THREADS FILE...");
    double start = dp_clock_seconds();
    st = st == DP_OK ? read_config(&config, argv[1]) : st;
    st = st == DP_OK ? ingest_options(&options, config) : st;
    st = st == DP_OK ? ingest_files(&r, options, argv[2], argv[3], (const char *const *)argv + 5, (size_t)argc - 5,
                                    LAKE_ZSTD, atoi(argv[4]), comm)
                     : st;
    if (st != DP_OK) {
        fprintf(stderr, "ingest: %s %s\n", dp_error_last()->text, dp_error_last()->trace);
        return st;
    }
    double most[2] = {dp_clock_seconds() - start, (double)dp_memory_peak()};
    comm_max_f64(comm, most, 2);
    if (comm_rank(comm) == 0)
        printf("{\"seconds\": %.4f, \"sync_s\": %.4f, \"rows\": %lld, \"bad\": %lld, \"bytes\": %lld, \"peak_mib\": "
               "%.0f}\n",
               most[0], r.sync_s, (long long)r.rows, (long long)r.bad, (long long)r.bytes_out, most[1] / (1 << 20));
    ingest_options_free(&options);
    config_free(&config);
    comm_close(&comm);
    return 0;
}
