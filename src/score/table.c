/* Scores of a table's rows, block by block. A block of the input is a partition of the scores, published whole under a
 * name that follows from what is scored; so a killed night goes on where it was, and a repeated one adds nothing. */
#include "score/score_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum {
    CHUNK = 4096
}; /* rows a thread takes at a time: what is prepared a tree and shared by its rows is paid once a chunk */

typedef struct Scorer {
    const ScoreJob *job;
    const Comm *comm;
    int inputs, reasons;
    DataEncoder *encoder;
    LakeScan *scan;
    LakeWriter *writer; /* NULL when the scores are known */
    bool known;
    Top top;
    /* the scores table */
    LakeSchema schema;
    LakeDict input_names, model_name;
    dp_buf name_bytes, row_text;
    uint32_t *name_at, model_at[3];
    /* room for one block */
    int32_t room;
    float *x, *score, *amount; /* [room][inputs], [room], [reasons][room] */
    uint32_t *reason, *model;  /* [reasons][room], [room] */
    int64_t *stamp, *row_at;   /* [room], [room + 1] */
    LakeValues *values;        /* [schema.n] */
    double *phi;               /* [threads][CHUNK][inputs + 1] */
    /* progress */
    int64_t rows_all, rows_done;
    double began;
} Scorer;

static void free_room(Scorer *s)
{
    dp_free(&s->x);
    dp_free(&s->score);
    dp_free(&s->amount);
    dp_free(&s->reason);
    dp_free(&s->model);
    dp_free(&s->stamp);
    dp_free(&s->row_at);
}

static void scorer_free(Scorer *s)
{
    lake_scan_close(&s->scan);
    data_encoder_free(&s->encoder);
    top_free(&s->top);
    lake_schema_free(&s->schema);
    dp_buf_free(&s->name_bytes);
    dp_buf_free(&s->row_text);
    dp_free(&s->name_at);
    free_room(s);
    dp_free(&s->values);
    dp_free(&s->phi);
}

/* ---- the scores table ---- */

static dp_status add_column(LakeSchema *schema, const char *name, LakeType type, const char *unit, const char *about)
{
    LakeColumn *column = &schema->columns[schema->n++];
    *column = (LakeColumn){.type = type, .low = NAN, .high = NAN};
    DP_TRY(dp_copy_text(&column->name, name));
    DP_TRY(dp_copy_text(&column->unit, unit));
    return dp_copy_text(&column->about, about);
}

/* row, score, reason_1, amount_1, ..., model, as_of */
static dp_status make_schema(LakeSchema *schema, int reasons)
{
    char name[32];
    DP_TRY(dp_new(&schema->columns, 4 + 2 * (size_t)reasons));
    DP_TRY(add_column(schema, "row", LAKE_TEXT, NULL, "id of the row that was scored"));
    DP_TRY(add_column(schema, "score", LAKE_NUMBER32, NULL, "chance, 0 to 1"));
    for (int k = 1; k <= reasons; k++) {
        snprintf(name, sizeof name, "reason_%d", k);
        DP_TRY(add_column(schema, name, LAKE_CATEGORY, NULL, "input with the largest contribution but those before"));
        snprintf(name, sizeof name, "amount_%d", k);
        DP_TRY(add_column(schema, name, LAKE_NUMBER32, "logit", "what that input adds to the margin"));
    }
    DP_TRY(add_column(schema, "model", LAKE_CATEGORY, NULL, "address of the model"));
    DP_TRY(add_column(schema, "as_of", LAKE_TIME, NULL, "the moment the scores are for"));
    return dp_copy_text(&schema->time, "as_of");
}

/* Dictionaries: code 0 is missing, input j is j + 1, the model is 1. */
static dp_status make_dictionaries(Scorer *s)
{
    const DataInputs *inputs = model_inputs(s->job->model);
    DP_TRY(dp_new(&s->name_at, (size_t)s->inputs + 2));
    for (int j = 0; j < s->inputs; j++) {
        DP_TRY(dp_buf_text(&s->name_bytes, inputs->input[j].name));
        s->name_at[j + 2] = (uint32_t)s->name_bytes.size;
    }
    s->input_names = (LakeDict){(uint32_t)s->inputs + 1, s->name_at, s->name_bytes.data, 1};
    s->model_at[2] = (uint32_t)strlen(s->job->address);
    s->model_name = (LakeDict){2, s->model_at, s->job->address, 2};
    return DP_OK;
}

/* What is scored, by what: the name of the delivery. */
static dp_status source_of(dp_digest *source, const Scorer *s)
{
    ModelFacts model;
    const ScoreWanted *wanted = s->job->wanted;
    dp_digest content = lake_facts(s->job->table).content;
    dp_hash *hash = NULL;
    int64_t numbers[3] = {wanted->as_of, wanted->stamp, s->reasons};
    dp_status st = DP_OK;
    DP_GO(model_facts(&model, s->job->model));
    DP_GO(dp_hash_start(&hash));
    DP_GO(dp_hash_add(hash, "scores 1", 8));
    DP_GO(dp_hash_add(hash, model.payload.bytes, sizeof model.payload.bytes));
    DP_GO(dp_hash_add(hash, content.bytes, sizeof content.bytes));
    DP_GO(dp_hash_add(hash, numbers, sizeof numbers));
    DP_GO(dp_hash_add(hash, s->job->address, strlen(s->job->address) + 1));
    DP_GO(dp_hash_add(hash, wanted->where, strlen(wanted->where) + 1));
    DP_GO(dp_hash_end(&hash, source));
done:
    dp_hash_free(&hash);
    return st;
}

/* ---- one block ---- */

static dp_status make_room(Scorer *s, int32_t rows)
{
    size_t n = (size_t)rows, k = (size_t)s->reasons;
    if (rows <= s->room)
        return DP_OK;
    free_room(s);
    DP_TRY(dp_new(&s->x, n * (size_t)s->inputs));
    DP_TRY(dp_new(&s->score, n));
    DP_TRY(dp_new(&s->amount, n * k));
    DP_TRY(dp_new(&s->reason, n * k));
    DP_TRY(dp_new(&s->model, n));
    DP_TRY(dp_new(&s->stamp, n));
    DP_TRY(dp_new(&s->row_at, n + 1));
    for (size_t i = 0; i < n; i++) {
        s->model[i] = 1;
        s->stamp[i] = s->job->wanted->stamp;
    }
    s->room = rows;
    return DP_OK;
}

static int64_t row_number(const LakeBlock *block, int32_t i)
{
    return block->row ? block->row[i] : block->first_row + i;
}

/* The id of a row as text; tables without an id are known by row number. */
static dp_status add_row_text(Scorer *s, const LakeBlock *block)
{
    bool has_id = lake_schema(s->job->table)->id != NULL;
    const LakeValues *id = &block->column[s->inputs];
    s->row_text.size = 0;
    for (int32_t i = 0; i < block->rows; i++) {
        if (has_id && id->type == LAKE_TEXT)
            DP_TRY(dp_buf_add(&s->row_text, id->text + id->text_at[i], (size_t)(id->text_at[i + 1] - id->text_at[i])));
        else if (has_id && (id->type == LAKE_CATEGORY || id->type == LAKE_CODE))
            DP_TRY(dp_buf_add(&s->row_text, id->dict->bytes + id->dict->offset[id->code[i]],
                              id->dict->offset[id->code[i] + 1] - id->dict->offset[id->code[i]]));
        else if (has_id && id->type == LAKE_NUMBER)
            DP_TRY(dp_buf_print(&s->row_text, "%.17g", id->number[i]));
        else
            DP_TRY(dp_buf_print(&s->row_text, "%lld", (long long)row_number(block, i)));
        s->row_at[i + 1] = (int64_t)s->row_text.size;
    }
    return DP_OK;
}

/* Local. Scores of the block's rows; threads share the rows in pieces. */
static void predict(Scorer *s, int32_t rows)
{
    int64_t pieces = (rows + CHUNK - 1) / CHUNK;
#pragma omp parallel for num_threads(s->job->threads) schedule(dynamic)
    for (int64_t p = 0; p < pieces; p++) {
        int64_t first = p * CHUNK, n = rows - first < CHUNK ? rows - first : CHUNK;
        model_predict(s->job->model, s->x + first * s->inputs, n, s->inputs, s->score + first);
    }
}

static dp_status explain_chunk(Scorer *s, double *phi, int64_t first, int64_t n)
{
    Reason reason[SCORE_REASONS_MAX];
    int width = s->inputs + 1;
    DP_TRY(model_explain(s->job->model, s->x + first * s->inputs, n, s->inputs, phi));
    for (int64_t i = 0; i < n; i++) {
        reasons_pick(reason, s->reasons, phi + i * width, s->inputs);
        for (int k = 0; k < s->reasons; k++) {
            s->reason[k * s->room + first + i] = (uint32_t)(reason[k].input + 1);
            s->amount[k * s->room + first + i] = reason[k].amount;
        }
    }
    return DP_OK;
}

/* Local. The largest contributions of each row. An error of a thread is carried to the caller's. */
static dp_status explain(Scorer *s, int32_t rows)
{
    int64_t pieces = (rows + CHUNK - 1) / CHUNK;
    dp_error error = {0};
    if (s->reasons == 0)
        return DP_OK;
#pragma omp parallel num_threads(s->job->threads)
    {
        double *phi = NULL;
        dp_status mine = dp_new(&phi, (size_t)CHUNK * (size_t)(s->inputs + 1));
#pragma omp for schedule(dynamic)
        for (int64_t p = 0; p < pieces; p++) {
            int64_t first = p * CHUNK, n = rows - first < CHUNK ? rows - first : CHUNK;
            if (mine == DP_OK)
                mine = explain_chunk(s, phi, first, n);
        }
        dp_free(&phi);
        if (mine != DP_OK) {
#pragma omp critical
            error = *dp_error_last();
        }
    }
    return error.status == DP_OK ? DP_OK : dp_fail_as(&error);
}

static dp_status write_block(Scorer *s, int64_t order, int32_t rows)
{
    int at = 0;
    s->values[at++] = (LakeValues){.type = LAKE_TEXT, .text_at = s->row_at, .text = s->row_text.data};
    s->values[at++] = (LakeValues){.type = LAKE_NUMBER32, .number32 = s->score};
    for (int k = 0; k < s->reasons; k++) {
        s->values[at++] = (LakeValues){.type = LAKE_CATEGORY, .code = s->reason + k * s->room, .dict = &s->input_names};
        s->values[at++] = (LakeValues){.type = LAKE_NUMBER32, .number32 = s->amount + k * s->room};
    }
    s->values[at++] = (LakeValues){.type = LAKE_CATEGORY, .code = s->model, .dict = &s->model_name};
    s->values[at++] = (LakeValues){.type = LAKE_TIME, .time = s->stamp};
    return lake_write_partition(s->writer, order, &(LakeRows){.rows = rows, .column = s->values});
}

/* Local. Describes the rows of this block that are among the riskiest: id, and the values that drove the score. */
static dp_status describe_top(Scorer *s, const LakeBlock *block)
{
    const DataInputs *inputs = model_inputs(s->job->model);
    Reason reason[SCORE_TOP_REASONS];
    for (int t = 0; t < s->top.n; t++) {
        Candidate *c = &s->top.best[t];
        int32_t i = c->fresh;
        if (i < 0)
            continue;
        c->fresh = -1;
        snprintf(c->shown.row, sizeof c->shown.row, "%.*s", (int)(s->row_at[i + 1] - s->row_at[i]),
                 s->row_text.data + s->row_at[i]);
        if (s->reasons == 0)
            continue;
        DP_TRY(model_explain(s->job->model, s->x + (int64_t)i * s->inputs, 1, s->inputs, s->phi));
        reasons_pick(reason, SCORE_TOP_REASONS, s->phi, s->inputs);
        for (int k = 0; k < SCORE_TOP_REASONS && reason[k].input >= 0; k++) {
            int j = reason[k].input;
            snprintf(c->shown.reason[k].column, sizeof c->shown.reason[k].column, "%s", inputs->input[j].name);
            value_print(c->shown.reason[k].value, sizeof c->shown.reason[k].value, &block->column[j], i);
            c->shown.reason[k].amount = reason[k].amount;
        }
    }
    return DP_OK;
}

/* Local. A block done by an earlier start is scored again for the riskiest rows (cheap), but neither explained nor
 * written (dear). */
static dp_status score_block(Scorer *s, const LakeBlock *block, ScoreResult *result)
{
    int64_t order = row_number(block, 0);
    bool before = s->known || lake_write_has(s->writer, order);
    DP_TRY(make_room(s, block->rows));
    DP_TRY(data_encode(s->encoder, block->column, block->rows, s->x, s->inputs));
    DP_TRY(add_row_text(s, block));
    predict(s, block->rows);
    if (!before) {
        DP_TRY(explain(s, block->rows));
        DP_TRY(write_block(s, order, block->rows));
    }
    for (int32_t i = 0; i < block->rows; i++)
        top_offer(&s->top, row_number(block, i), s->score[i], i);
    result->rows += block->rows;
    result->blocks++;
    result->blocks_before += before;
    return describe_top(s, block);
}

/* ---- all blocks ---- */

static dp_status next_block(Scorer *s, const LakeBlock **block, ScoreResult *result)
{
    do
        DP_TRY(lake_next(s->scan, block));
    while (*block && (*block)->rows == 0);
    return *block ? score_block(s, *block, result) : DP_OK;
}

static void show_progress(Scorer *s, int64_t rows)
{
    s->rows_done += rows;
    double seconds = dp_clock_seconds() - s->began, rate = (double)s->rows_done / (seconds + 1e-9);
    dp_show(comm_log(s->comm), &(dp_progress){"score", "rows", (double)s->rows_done, (double)s->rows_all, rate,
                                              (double)(s->rows_all - s->rows_done) / (rate + 1e-9)});
}

/* Collective. Rounds of one block a rank, so that all ranks leave after the same round. */
static dp_status score_blocks(Scorer *s, ScoreResult *result)
{
    for (;;) {
        const LakeBlock *block = NULL;
        int64_t before = result->rows;
        DP_TRY_ALL(s->comm, next_block(s, &block, result));
        int64_t flags[2] = {block != NULL, run_asked()}, rows = result->rows - before;
        comm_max_i64(s->comm, flags, 2);
        if (!flags[0])
            return DP_OK;
        comm_sum_i64(s->comm, &rows, 1);
        show_progress(s, rows);
        result->left = flags[1] >= RUN_ASK_LEAVE;
        result->interrupted = flags[1] == RUN_ASK_INTERRUPT;
        if (result->left)
            return DP_OK;
    }
}

static dp_status prepare(Scorer *s)
{
    s->inputs = model_inputs(s->job->model)->n;
    s->reasons = (int)s->job->options->reasons;
    DP_TRY(make_schema(&s->schema, s->reasons));
    DP_TRY(make_dictionaries(s));
    DP_TRY(dp_new(&s->values, (size_t)s->schema.n));
    DP_TRY(dp_new(&s->phi, (size_t)s->inputs + 1));
    return top_build(&s->top, s->job->options->top);
}

static dp_status open_scan(Scorer *s, LakeWhere *where)
{
    const ScoreJob *job = s->job;
    const LakeSchema *schema = lake_schema(job->table);
    const int *inputs = NULL;
    int *columns = NULL, n = s->inputs;
    dp_status st = data_encoder_build(&s->encoder, model_inputs(job->model), schema, &inputs);
    if (st == DP_OK)
        st = dp_new(&columns, (size_t)n + 1);
    DP_GO_ALL(s->comm, st);
    memcpy(columns, inputs, (size_t)n * sizeof *columns);
    if (schema->id)
        columns[n++] = lake_schema_find(schema, schema->id);
    if (*job->wanted->where)
        DP_GO_ALL(s->comm, lake_where_parse(where, schema, job->wanted->where));
    LakeQuery query = {.columns = columns,
                       .n_columns = n,
                       .where = where->n ? where : NULL,
                       .as_of = job->wanted->as_of,
                       .threads = job->threads};
    DP_GO(lake_scan(&s->scan, job->table, &query, s->comm));
    s->rows_all = lake_scan_rows(s->scan);
    comm_sum_i64(s->comm, &s->rows_all, 1);
done:
    dp_free(&columns);
    return st;
}

static dp_status commit(Scorer *s, ScoreResult *result)
{
    char about[512];
    double sync;
    LakeFacts facts = lake_facts(s->job->table);
    int64_t counts[3] = {result->rows, result->blocks, result->blocks_before};
    comm_sum_i64(s->comm, counts, 3);
    result->rows = counts[0];
    result->blocks = counts[1];
    result->blocks_before = counts[2];
    if (result->left || s->known)
        return DP_OK;
    snprintf(about, sizeof about, "{\"model\":\"%s\",\"table\":\"%s@%lld\",\"rows\":%lld,\"of\":\"%s\"}",
             s->job->address, facts.name, (long long)facts.snapshot, (long long)result->rows, s->job->wanted->label);
    return lake_commit(&s->writer, about, &result->snapshot, &sync, s->comm);
}

static dp_status newest_snapshot(int64_t *snapshot, const ScoreJob *job, const Comm *comm)
{
    LakeTable *scores = NULL;
    DP_TRY(lake_open(&scores, job->lake, job->options->write_table, comm));
    *snapshot = lake_facts(scores).snapshot;
    lake_close(&scores);
    return DP_OK;
}

dp_status score_table(ScoreResult *result, const ScoreJob *job, const Comm *comm)
{
    Scorer s = {.job = job, .comm = comm};
    LakeWhere where = {0};
    dp_digest source;
    dp_status st = DP_OK;
    *result = (ScoreResult){0};
    DP_GO_ALL(comm, prepare(&s));
    DP_GO(open_scan(&s, &where));
    DP_GO_ALL(comm, source_of(&source, &s));
    DP_GO(lake_write(&s.writer, job->lake, job->options->write_table, &s.schema, job->compress, job->threads, &source,
                     &s.known, comm));
    result->known = s.known;
    s.began = dp_clock_seconds();
    DP_GO(score_blocks(&s, result));
    DP_GO(commit(&s, result));
    if (s.known)
        DP_GO(newest_snapshot(&result->snapshot, job, comm));
    DP_GO(top_gather(&result->top, &result->n_top, &s.top, comm));
done:
    lake_abandon(&s.writer, result->left, comm);
    scorer_free(&s);
    lake_where_free(&where);
    return st;
}

void score_result_free(ScoreResult *result)
{
    dp_free(&result->top);
    result->n_top = 0;
}
