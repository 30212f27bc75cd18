/* The road from first to last: plan, then segment by segment, then commit or nothing. */
#include "ingest/ingest.h"

#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "ingest/ingest_priv.h"
#include "run/run.h"

enum { SEGMENTS_A_ROUND = 8 }; /* between two agreements of the ranks */

typedef struct Work {
    const IngestOptions *options;
    const IngestPlan *plan;
    const Comm *comm;
    LakeWriter *writer;
    IngestSegment *segment;
    IngestSource *source;
    size_t file;  /* being read */
    int64_t next; /* its next segment */
    IngestBadList bad;
    double read_s, write_s;
    RunAsk asked; /* to leave before the end */
} Work;

/* ---- what this rank does ---- */

static bool reads_file(const Work *w)
{
    int owner = w->plan->files[w->file].owner;
    return owner < 0 || owner == comm_rank(w->comm);
}

static bool is_mine(const Work *w, int64_t number)
{
    const IngestFile *file = &w->plan->files[w->file];
    int64_t deal = file->stream ? number : file->chunk + number;
    return file->owner >= 0 || deal % comm_size(w->comm) == comm_rank(w->comm);
}

static void next_file(Work *w)
{
    ingest_source_close(&w->source);
    w->file++;
    w->next = 0;
}

/* Is it of use to go on? Bad rows do not become fewer. */
static dp_status stop_early(const Work *w)
{
    double most = w->options->max_bad * (double)w->plan->lines;
    if (w->plan->lines < INT64_MAX && w->bad.count > 1000 && (double)w->bad.count > most)
        return dp_fail(
            DP_ERR_DATA, "ingest-17",
            "%lld rows are bad before the end, more than check.max_bad (%.3g %%) of all; the first: %s. Nothing "
            "was added: mend the file or the config",
            (long long)w->bad.count, 100 * w->options->max_bad, w->bad.first[0].text);
    return DP_OK;
}

static int64_t order_of(const Work *w, int64_t number)
{
    return (int64_t)w->file << 32 | number;
}

static dp_status take_segment(Work *w, const IngestText *text)
{
    double start = dp_clock_seconds();
    DP_TRY(ingest_segment_run(w->segment, ingest_source_map(w->source), w->plan->files[w->file].name, text,
                              order_of(w, text->number), w->writer, &w->bad));
    w->write_s += dp_clock_seconds() - start;
    return stop_early(w);
}

/* The next segment of this rank; *more is false when there is none. */
static dp_status step(Work *w, bool *more)
{
    IngestText text;
    bool in_file = true;
    for (*more = true; w->file < w->plan->n; next_file(w)) {
        const IngestFile *file = &w->plan->files[w->file];
        if (!reads_file(w))
            continue;
        while (!file->stream && w->next < file->chunks &&
               (!is_mine(w, w->next) || lake_write_has(w->writer, order_of(w, w->next))))
            w->next++;
        if (!file->stream && w->next >= file->chunks)
            continue;
        if (!w->source)
            DP_TRY(ingest_source_open(&w->source, w->options, w->plan, w->file));
        double start = dp_clock_seconds();
        int64_t number = w->next++;
        DP_TRY(ingest_source_read(w->source, number, &text, &in_file));
        w->read_s += dp_clock_seconds() - start;
        if (!in_file)
            continue;
        bool mine = text.size > 0 && is_mine(w, number);
        return mine && !lake_write_has(w->writer, order_of(w, number)) ? take_segment(w, &text) : DP_OK;
    }
    *more = false;
    return DP_OK;
}

static dp_status some_steps(Work *w, bool *more)
{
    for (int i = 0; i < SEGMENTS_A_ROUND && *more; i++)
        DP_TRY(step(w, more));
    return DP_OK;
}

static void show(const Work *w, double started)
{
    /* Rank 0 speaks for all: shares are even. */
    int64_t mine = 0;
    lake_write_counts(w->writer, &mine, NULL);
    double s = dp_clock_seconds() - started, rows = (double)mine * comm_size(w->comm);
    dp_progress p = {.what = "ingest", .unit = "rows", .done = rows, .rate = s > 0 ? rows / s : 0, .left_s = -1};
    dp_show(comm_log(w->comm), &p);
}

static dp_status run(Work *w)
{
    double started = dp_clock_seconds();
    bool more = true;
    int64_t any[2]; /* more, asked */
    do {
        DP_TRY_ALL(w->comm, some_steps(w, &more));
        show(w, started);
        any[0] = more;
        any[1] = run_asked();
        comm_max_i64(w->comm, any, 2);
    } while (any[0] && any[1] < RUN_ASK_LEAVE);
    if (any[0])
        w->asked = (RunAsk)any[1];
    return DP_OK;
}

/* ---- the end ---- */

static dp_status judge(const Work *w, int64_t rows, int64_t n_bad)
{
    const IngestBadList *bad = &w->bad;
    char count[32], all[32];
    dp_count_print(count, n_bad);
    dp_count_print(all, rows + n_bad);
    if (rows + n_bad == 0)
        return dp_fail(DP_ERR_DATA, "ingest-15", "%s%s no rows behind the header; nothing was added",
                       w->plan->files[0].name, w->plan->n > 1 ? " and the others have" : " has");
    if ((double)n_bad > w->options->max_bad * (double)(rows + n_bad))
        return dp_fail(
            DP_ERR_DATA, "ingest-17",
            "%s of %s rows are bad, check.max_bad allows %.3g %%; nothing was added. The first: %s%s%s%s%s. Mend the "
            "file or the config; with check.max_bad=100%% `dipper lake show TABLE --quarantine` lists all",
            count, all, 100 * w->options->max_bad, bad->first[0].text, bad->n_first > 1 ? " | " : "",
            bad->first[1].text, bad->n_first > 2 ? " | " : "", bad->first[2].text);
    return DP_OK;
}

/* One line for `lake show`: what came in. */
static dp_status describe(dp_buf *about, const Work *w)
{
    return dp_buf_print(about, "{\"files\":%zu,\"bytes_in\":%lld}", w->plan->n, (long long)w->plan->bytes);
}

static dp_status finish(IngestResult *result, Work *w)
{
    dp_status st = DP_OK;
    dp_buf about = {0};
    int64_t count[2];
    lake_write_counts(w->writer, &count[0], &count[1]);
    comm_sum_i64(w->comm, count, 2);
    DP_GO(ingest_bad_gather(&w->bad, w->comm));
    DP_GO_ALL(w->comm, judge(w, count[0], count[1]));
    DP_GO_ALL(w->comm, describe(&about, w));
    double seconds[2] = {w->read_s, w->write_s};
    comm_max_f64(w->comm, seconds, 2);
    result->rows = count[0];
    result->bad = count[1];
    result->read_s = seconds[0];
    result->write_s = seconds[1];
    result->worst_reason = w->bad.count > 0 ? ingest_reason(ingest_bad_worst(&w->bad)) : NULL;
    DP_GO(lake_commit(&w->writer, about.data, &result->snapshot, &result->sync_s, w->comm));
done:
    dp_buf_free(&about);
    return st;
}

/* The delivery as the table tells it: what it takes on disk, and in which snapshot it came. */
static dp_status look_up(IngestResult *result, const char *lake, const char *table, const dp_digest *source,
                         const Comm *comm)
{
    LakeTable *t = NULL;
    size_t n = 0;
    DP_TRY(lake_open(&t, lake, table, comm));
    const LakeDelivery *delivery = lake_deliveries(t, &n);
    for (size_t i = 0; i < n; i++) {
        if (!dp_digest_same(&delivery[i].source, source))
            continue;
        result->bytes_out = result->known ? 0 : delivery[i].bytes;
        result->snapshot = delivery[i].snapshot;
    }
    lake_close(&t);
    return DP_OK;
}

dp_status ingest_files(IngestResult *result, const IngestOptions *options, const char *lake, const char *table,
                       const char *const *files, size_t n_files, LakeCompress compress, int threads, const Comm *comm)
{
    dp_status st = DP_OK;
    IngestPlan plan = {0};
    *result = (IngestResult){0};
    Work w = {.options = options, .plan = &plan, .comm = comm};
    DP_GO(ingest_plan(&plan, options, lake, files, n_files, comm));
    DP_GO(lake_write(&w.writer, lake, table, &options->schema, compress, threads, &plan.source, &result->known, comm));
    result->bytes_in = plan.bytes;
    if (result->known) {
        DP_GO(look_up(result, lake, table, &plan.source, comm));
        goto done;
    }
    DP_GO_ALL(comm, ingest_segment_build(&w.segment, options, threads));
    DP_GO(run(&w));
    if (w.asked) {
        result->left = true;
        result->interrupted = w.asked == RUN_ASK_INTERRUPT;
        goto done;
    }
    DP_GO(finish(result, &w));
    DP_GO(look_up(result, lake, table, &plan.source, comm));
done:
    ingest_source_close(&w.source);
    ingest_segment_free(&w.segment);
    if (w.writer)
        lake_abandon(&w.writer, result->left, comm);
    ingest_plan_free(&plan, comm);
    return st;
}
