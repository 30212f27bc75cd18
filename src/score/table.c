/* Scores of a table's rows, block by block. A block of the input is a partition of the scores, published whole under a
 * name that follows from what is scored; so a killed night goes on where it was, and a repeated one adds nothing. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "score/score_priv.h"

/* Ranks wait for each other once a round: seldom enough that one's slow block is made up for by its next. */
#define ROUND_SECONDS 0.05

typedef struct Batch {
    const ScoreJob *job;
    const Comm *comm;
    Scorer scorer[SCORE_MODELS_MAX];
    LakeScan *scan;
    int *columns, n_columns; /* of the table, each once; then the id */
    int id;                  /* its place among them; -1: rows are known by number */
    LakeType row;            /* of the scores' column: LAKE_TEXT, or LAKE_NUMBER */
    dp_buf text;             /* ids of the block at hand, where they have to be made */
    double *number;          /* [room] */
    int64_t *at, *when;      /* [room + 1], [room] */
    int32_t room;
    int64_t rows_all, rows_done; /* progress */
    double began;
} Batch;

static void batch_free(Batch *b)
{
    lake_scan_close(&b->scan);
    for (int m = 0; m < b->job->n; m++)
        scorer_free(&b->scorer[m]);
    dp_free(&b->columns);
    dp_buf_free(&b->text);
    dp_free(&b->number);
    dp_free(&b->at);
    dp_free(&b->when);
}

/* ---- the scan: every column that a model wants, once ---- */

static int place_of(Batch *b, int column)
{
    for (int c = 0; c < b->n_columns; c++)
        if (b->columns[c] == column)
            return c;
    b->columns[b->n_columns] = column;
    return b->n_columns++;
}

/* Rows without an id are known by number; as text where the scores table has ids, or numbers as text, already.
 * Collective, and the same on every rank. */
static LakeType row_type(const ScoreJob *job, const Comm *comm)
{
    LakeTable *scores = NULL;
    LakeType type = LAKE_NUMBER;
    if (lake_schema(job->table)->id)
        return LAKE_TEXT;
    if (lake_open(&scores, job->lake, job->options->write_table, comm) == DP_OK) {
        int at = lake_schema_find(lake_schema(scores), "row");
        type = at >= 0 ? lake_schema(scores)->columns[at].type : type;
    }
    lake_close(&scores);
    return type == LAKE_TEXT ? LAKE_TEXT : LAKE_NUMBER;
}

static dp_status build_scorers(Batch *b)
{
    const LakeSchema *schema = lake_schema(b->job->table);
    DP_TRY(dp_new(&b->columns, (size_t)schema->n + 1));
    for (int m = 0; m < b->job->n; m++) {
        Scorer *s = &b->scorer[m];
        DP_TRY(scorer_build(s, b->job, &b->job->models[m], b->row));
        for (int j = 0; j < model_inputs(s->use.model)->columns; j++)
            s->place[j] = place_of(b, s->columns[j]);
    }
    b->id = schema->id ? place_of(b, lake_schema_find(schema, schema->id)) : -1;
    return DP_OK;
}

/* Bins stand for the columns of one model. Reasons are given of values, so with reasons the values are read anyway. */
static bool can_use_bins(const Batch *b, LakeBins *bins)
{
    const Scorer *s = &b->scorer[0];
    if (b->job->n != 1 || s->sheet.reasons > 0 || s->bins.n == 0 || s->bins.n > SCORE_BINS_MAX)
        return false;
    int others = b->id >= 0;
    *bins = (LakeBins){.set = s->bins.set, .n = s->bins.n, .instead = b->n_columns - others};
    return b->id < 0 || b->id == b->n_columns - 1; /* the id is no input */
}

static dp_status open_scan(Batch *b)
{
    const ScoreJob *job = b->job;
    LakeWhere where = {0};
    dp_status st = DP_OK;
    if (*job->wanted->where)
        DP_GO_ALL(b->comm, lake_where_parse(&where, lake_schema(job->table), job->wanted->where));
    LakeBins bins;
    LakeQuery query = {.columns = b->columns,
                       .n_columns = b->n_columns,
                       .where = where.n ? &where : NULL,
                       .as_of = job->wanted->as_of,
                       .threads = job->threads};
    if (can_use_bins(b, &bins))
        query.bins = &bins;
    DP_GO(lake_scan(&b->scan, job->table, &query, b->comm));
    b->rows_all = lake_scan_rows(b->scan);
    comm_sum_i64(b->comm, &b->rows_all, 1);
done:
    lake_where_free(&where);
    return st;
}

/* ---- one block ---- */

static dp_status make_room(Batch *b, int32_t rows)
{
    if (rows <= b->room)
        return DP_OK;
    dp_free(&b->number);
    dp_free(&b->at);
    dp_free(&b->when);
    b->room = 0;
    DP_TRY(dp_new(&b->number, (size_t)rows));
    DP_TRY(dp_new(&b->at, (size_t)rows + 1));
    DP_TRY(dp_new(&b->when, (size_t)rows));
    for (int32_t i = 0; i < rows; i++)
        b->when[i] = b->job->wanted->stamp;
    b->room = rows;
    return DP_OK;
}

static dp_status add_number(dp_buf *text, int64_t number)
{
    char digits[24], *at = digits + sizeof digits;
    do
        *--at = (char)('0' + number % 10);
    while (number /= 10);
    return dp_buf_add(text, at, (size_t)(digits + sizeof digits - at));
}

/* The id of a row as text; tables without an id are known by row number. */
static dp_status add_id(dp_buf *text, const LakeValues *id, const LakeBlock *block, int32_t i)
{
    if (!id)
        return add_number(text, rows_number(block, i));
    switch (id->type) {
    case LAKE_TEXT:
        return dp_buf_add(text, id->text + id->text_at[i], (size_t)(id->text_at[i + 1] - id->text_at[i]));
    case LAKE_CATEGORY:
    case LAKE_CODE: {
        const uint32_t *at = id->dict->offset + id->code[i];
        return dp_buf_add(text, id->dict->bytes + at[0], at[1] - at[0]);
    }
    case LAKE_NUMBER:
        return dp_buf_print(text, "%.17g", id->number[i]);
    default:
        return add_number(text, rows_number(block, i));
    }
}

/* What the rows of a block are known by. */
static dp_status name_rows(Batch *b, const LakeBlock *block, LakeValues *names)
{
    const LakeValues *id = b->id >= 0 ? &block->column[b->id] : NULL;
    if (b->row == LAKE_NUMBER) {
        for (int32_t i = 0; i < block->rows; i++)
            b->number[i] = (double)rows_number(block, i);
        *names = (LakeValues){.type = LAKE_NUMBER, .number = b->number};
        return DP_OK;
    }
    if (id && id->type == LAKE_TEXT) {
        *names = *id;
        return DP_OK;
    }
    b->text.size = 0;
    for (int32_t i = 0; i < block->rows; i++) {
        DP_TRY(add_id(&b->text, id, block, i));
        b->at[i + 1] = (int64_t)b->text.size;
    }
    *names = (LakeValues){.type = LAKE_TEXT, .text_at = b->at, .text = b->text.data};
    return DP_OK;
}

static dp_status score_block(Batch *b, const LakeBlock *block, ScoreResult *result)
{
    Rows rows = {.block = block};
    DP_TRY(make_room(b, block->rows));
    DP_TRY(name_rows(b, block, &rows.id));
    rows.when = b->when;
    for (int m = 0; m < b->job->n; m++)
        DP_TRY(scorer_take(&b->scorer[m], &rows, &result->given[m]));
    result->rows += block->rows;
    result->binned += block->bin ? block->rows : 0;
    result->blocks++;
    return DP_OK;
}

/* ---- all blocks ---- */

/* Local. A round: blocks until it has lasted long enough, at least one. *more: there was one. */
static dp_status score_round(Batch *b, bool *more, ScoreResult *result)
{
    const LakeBlock *block;
    double began = dp_clock_seconds();
    do {
        DP_TRY(lake_next(b->scan, &block));
        *more = block != NULL;
        if (block && block->rows > 0)
            DP_TRY(score_block(b, block, result));
    } while (*more && dp_clock_seconds() - began < ROUND_SECONDS);
    return DP_OK;
}

static void show_progress(Batch *b, int64_t rows)
{
    b->rows_done += rows;
    double seconds = dp_clock_seconds() - b->began, rate = (double)b->rows_done / (seconds + 1e-9);
    dp_show(comm_log(b->comm), &(dp_progress){"score", "rows", (double)b->rows_done, (double)b->rows_all, rate,
                                              (double)(b->rows_all - b->rows_done) / (rate + 1e-9)});
}

/* Collective. Rounds, so that ranks fail and leave together; what they write does not depend on where a round ends. */
static dp_status score_blocks(Batch *b, ScoreResult *result)
{
    for (;;) {
        bool more = false;
        int64_t before = result->rows;
        DP_TRY_ALL(b->comm, score_round(b, &more, result));
        int64_t flags[2] = {more, run_asked()}, rows = result->rows - before;
        comm_max_i64(b->comm, flags, 2);
        if (!flags[0])
            return DP_OK;
        comm_sum_i64(b->comm, &rows, 1);
        show_progress(b, rows);
        result->left = flags[1] >= RUN_ASK_LEAVE;
        result->interrupted = flags[1] == RUN_ASK_INTERRUPT;
        if (result->left)
            return DP_OK;
    }
}

/* ---- the deliveries, one a model ---- */

static dp_status open_writer(Batch *b, int m, ScoreGiven *given)
{
    const ScoreJob *job = b->job;
    Scorer *s = &b->scorer[m];
    dp_digest source;
    DP_TRY_ALL(b->comm, sheet_source(&source, &s->sheet, &s->use, job));
    return lake_write(&s->writer, job->lake, job->options->write_table, &s->sheet.schema, job->compress, job->threads,
                      &source, &given->known, b->comm);
}

static dp_status newest_snapshot(int64_t *snapshot, const ScoreJob *job, const Comm *comm)
{
    LakeTable *scores = NULL;
    DP_TRY(lake_open(&scores, job->lake, job->options->write_table, comm));
    *snapshot = lake_facts(scores).snapshot;
    lake_close(&scores);
    return DP_OK;
}

static dp_status commit(Batch *b, int m, ScoreResult *result, ScoreGiven *given)
{
    double sync = 0;
    const ScoreJob *job = b->job;
    LakeFacts facts = lake_facts(job->table);
    char about[512];
    if (given->known)
        return newest_snapshot(&given->snapshot, job, b->comm);
    snprintf(about, sizeof about, "{\"model\":\"%s\",\"table\":\"%s@%lld\",\"rows\":%lld,\"of\":\"%s\"}",
             job->models[m].address, facts.name, (long long)facts.snapshot, (long long)result->rows,
             job->wanted->label);
    DP_TRY(lake_commit(&b->scorer[m].writer, about, &given->snapshot, &sync, b->comm));
    result->sync_seconds += sync;
    return DP_OK;
}

static void count_all(const Batch *b, ScoreResult *result)
{
    int64_t counts[3 + SCORE_MODELS_MAX] = {result->rows, result->blocks, result->binned};
    for (int m = 0; m < result->n; m++)
        counts[3 + m] = result->given[m].blocks_before;
    comm_sum_i64(b->comm, counts, 3 + (size_t)result->n);
    result->rows = counts[0];
    result->blocks = counts[1];
    result->binned = counts[2];
    for (int m = 0; m < result->n; m++)
        result->given[m].blocks_before = counts[3 + m];
}

dp_status score_table(ScoreResult *result, const ScoreJob *job, const Comm *comm)
{
    Batch b = {.job = job, .comm = comm};
    dp_status st = DP_OK;
    *result = (ScoreResult){.n = job->n};
    b.row = row_type(job, comm);
    DP_GO_ALL(comm, build_scorers(&b));
    DP_GO(open_scan(&b));
    for (int m = 0; m < job->n; m++)
        DP_GO(open_writer(&b, m, &result->given[m]));
    b.began = dp_clock_seconds();
    DP_GO(score_blocks(&b, result));
    count_all(&b, result);
    for (int m = 0; m < job->n && !result->left; m++)
        DP_GO(commit(&b, m, result, &result->given[m]));
    for (int m = 0; m < job->n; m++)
        DP_GO(top_gather(&result->given[m].top, &result->given[m].n_top, &b.scorer[m].top, comm));
done:
    for (int m = 0; m < job->n; m++)
        lake_abandon(&b.scorer[m].writer, result->left, comm);
    batch_free(&b);
    return st;
}

void score_result_free(ScoreResult *result)
{
    for (int m = 0; m < result->n; m++)
        dp_free(&result->given[m].top);
    result->n = 0;
}
