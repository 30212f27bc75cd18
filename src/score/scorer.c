/* One model at work on the blocks of a table. */
#include <stdio.h>
#include <string.h>

#include "score/score_priv.h"

/* Rows a thread takes at a time: what is prepared a tree and shared by its rows is paid once a chunk. OFFERED: rows
 * that are looked at together for one of the riskiest, which there hardly ever is. */
enum { CHUNK = 4096, OFFERED = 64 };

static void free_room(Scorer *s)
{
    dp_free(&s->score);
    dp_free(&s->amount);
    dp_free(&s->reason);
    dp_free(&s->model);
    dp_free(&s->chance);
    dp_free(&s->guess);
    dp_free(&s->class_code);
}

dp_status scorer_build(Scorer *s, const ScoreJob *job, const ScoreModel *use, LakeType row)
{
    *s = (Scorer){.job = job, .use = *use, .inputs = model_inputs(use->model)->n};
    DP_TRY(sheet_build(&s->sheet, use, (int)job->options->reasons, row));
    DP_TRY(data_encoder_build(&s->encoder, model_inputs(use->model), lake_schema(job->table), &s->columns));
    DP_TRY(model_bins(&s->bins, use->model));
    DP_TRY(dp_new(&s->column, (size_t)s->inputs));
    DP_TRY(dp_new(&s->place, (size_t)s->inputs));
    DP_TRY(dp_new(&s->input, (size_t)s->inputs));
    DP_TRY(dp_new(&s->value, (size_t)s->sheet.schema.n));
    DP_TRY(dp_new(&s->phi, (size_t)s->inputs + 1));
    return top_build(&s->top, job->options->top);
}

void scorer_free(Scorer *s)
{
    data_encoder_free(&s->encoder);
    sheet_free(&s->sheet);
    top_free(&s->top);
    free_room(s);
    dp_free(&s->x);
    dp_free(&s->column);
    dp_free(&s->place);
    dp_free(&s->input);
    dp_free(&s->value);
    dp_free(&s->phi);
}

static dp_status make_room(Scorer *s, int32_t rows)
{
    size_t n = (size_t)rows, k = (size_t)s->sheet.reasons;
    if (rows <= s->room)
        return DP_OK;
    free_room(s);
    s->room = 0;
    DP_TRY(dp_new(&s->score, n));
    DP_TRY(dp_new(&s->amount, n * k));
    DP_TRY(dp_new(&s->reason, n * k));
    DP_TRY(dp_new(&s->model, n));
    if (model_kind(s->use.model) == DATA_CLASS) {
        DP_TRY(dp_new(&s->chance, n * (size_t)model_outputs(s->use.model)));
        DP_TRY(dp_new(&s->guess, n));
        DP_TRY(dp_new(&s->class_code, n));
    }
    for (size_t i = 0; i < n; i++)
        s->model[i] = 1;
    s->room = rows;
    return DP_OK;
}

/* The block as rows of features. */
static dp_status make_rows(Scorer *s, int32_t rows)
{
    if (rows > s->x_room) {
        dp_free(&s->x);
        s->x_room = 0;
        DP_TRY(dp_new(&s->x, (size_t)rows * (size_t)s->inputs));
        s->x_room = rows;
    }
    s->rows = tensor_matrix(TENSOR_F32, s->x, rows, s->inputs);
    return data_encode(s->encoder, s->input, s->rows);
}

/* ---- scores ---- */

static void predict_bins(const Scorer *s, const uint8_t *const *bin, int64_t first, int64_t n, float *score)
{
    const uint8_t *at[SCORE_BINS_MAX];
    for (int k = 0; k < s->bins.n; k++)
        at[k] = bin[k] + first;
    model_predict_bins(s->use.model, at, n, score);
}

/* Are the columns of the block the features, float for float? Then they need not be made into rows, unless these are to
 * be explained. */
static bool take_columns(Scorer *s)
{
    const DataInputs *inputs = model_inputs(s->use.model);
    for (int j = 0; j < s->inputs; j++) {
        if (s->sheet.reasons > 0 || inputs->input[j].encode != DATA_PLAIN || s->input[j].type != LAKE_NUMBER32)
            return false;
        s->column[j] = s->input[j].number32;
    }
    return true;
}

/* The likeliest class of rows first .. first + n - 1, and its chance. */
static void choose(Scorer *s, int64_t first, int64_t n)
{
    model_judge(s->use.model, s->chance + first * model_outputs(s->use.model), NULL, n, s->score + first,
                s->guess + first);
    for (int64_t i = first; i < first + n; i++)
        s->class_code[i] = s->guess[i] + 1u;
}

/* Local. Threads share the rows in chunks. */
static void predict(Scorer *s, const LakeBlock *block, bool columns)
{
    const int64_t rows = block->rows, wanted = model_rows_at_once(s->use.model),
                  chunk = wanted > CHUNK ? wanted : CHUNK;
#pragma omp parallel for num_threads(s->job->threads) schedule(dynamic)
    for (int64_t first = 0; first < rows; first += chunk) {
        int64_t n = rows - first < chunk ? rows - first : chunk;
        float *score = s->chance ? s->chance + first * model_outputs(s->use.model) : s->score + first;
        if (block->bin)
            predict_bins(s, block->bin, first, n, score);
        else if (columns)
            model_predict_columns(s->use.model, s->column, first, n, score);
        else
            model_predict(s->use.model, tensor_rows(s->rows, first, n), score);
        if (s->chance)
            choose(s, first, n);
    }
}

/* ---- reasons ---- */

static dp_status explain_chunk(Scorer *s, double *phi, int64_t first, int64_t n)
{
    Reason reason[SCORE_REASONS_MAX];
    int width = s->inputs + 1, reasons = s->sheet.reasons;
    DP_TRY(model_explain(s->use.model, tensor_rows(s->rows, first, n), phi));
    for (int64_t i = 0; i < n; i++) {
        reasons_pick(reason, reasons, phi + i * width, s->inputs);
        for (int k = 0; k < reasons; k++) {
            s->reason[k * s->room + first + i] = (uint32_t)(reason[k].input + 1);
            s->amount[k * s->room + first + i] = reason[k].amount;
        }
    }
    return DP_OK;
}

/* Local. The largest contributions of each row. An error of a thread is carried to the caller's. */
static dp_status explain(Scorer *s, int32_t rows)
{
    int64_t chunks = (rows + CHUNK - 1) / CHUNK, most = rows < CHUNK ? rows : CHUNK;
    dp_error error = {0};
    if (s->sheet.reasons == 0)
        return DP_OK;
#pragma omp parallel num_threads(s->job->threads)
    {
        double *phi = NULL;
        dp_status mine = dp_new(&phi, (size_t)most * (size_t)(s->inputs + 1));
#pragma omp for schedule(dynamic)
        for (int64_t c = 0; c < chunks; c++) {
            int64_t first = c * CHUNK, n = rows - first < CHUNK ? rows - first : CHUNK;
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

/* ---- what becomes of them ---- */

static dp_status write_rows(Scorer *s, const Rows *rows)
{
    int at = 0;
    LakeValues *value = s->value;
    value[at++] = rows->id;
    value[at++] = (LakeValues){.type = LAKE_NUMBER32, .number32 = s->score};
    if (s->chance)
        value[at++] = (LakeValues){.type = LAKE_CATEGORY, .code = s->class_code, .dict = &s->sheet.classes.dict};
    for (int k = 0; k < s->sheet.reasons; k++) {
        value[at++] =
            (LakeValues){.type = LAKE_CATEGORY, .code = s->reason + k * s->room, .dict = &s->sheet.inputs.dict};
        value[at++] = (LakeValues){.type = LAKE_NUMBER32, .number32 = s->amount + k * s->room};
    }
    value[at++] = (LakeValues){.type = LAKE_CATEGORY, .code = s->model, .dict = &s->sheet.model_name};
    value[at++] = (LakeValues){.type = LAKE_TIME, .time = rows->when};
    return lake_write_partition(s->writer, rows_number(rows->block, 0),
                                &(LakeRows){.rows = rows->block->rows, .column = value});
}

/* The value of input j in a row: a column's, or those that a combination is made of. */
static void input_print(char *out, size_t room, const DataInput *in, int j, const LakeValues *values, int32_t row)
{
    size_t n = 0;
    out[0] = '\0';
    if (in->encode != DATA_COMBINED)
        value_print(out, room, &values[j], row);
    for (int p = 0; p < in->parts && room - n > 8; p++) {
        if (p > 0)
            n += (size_t)snprintf(out + n, room - n, " x ");
        value_print(out + n, room - n, &values[in->part[p]], row);
        n += strlen(out + n);
    }
}

/* Local. Describes a row among the riskiest: its id, and the values that drove the score. */
static dp_status describe(Scorer *s, ScoreTop *shown, const Rows *rows, int32_t i)
{
    const DataInputs *inputs = model_inputs(s->use.model);
    Reason reason[SCORE_TOP_REASONS];
    const LakeValues *id = &rows->id;
    if (id->type == LAKE_NUMBER)
        snprintf(shown->row, sizeof shown->row, "%lld", (long long)rows_number(rows->block, i));
    else
        snprintf(shown->row, sizeof shown->row, "%.*s", (int)(id->text_at[i + 1] - id->text_at[i]),
                 id->text + id->text_at[i]);
    if (s->chance)
        snprintf(shown->class_name, sizeof shown->class_name, "%s", model_classes(s->use.model)->name[s->guess[i]]);
    if (s->sheet.reasons == 0)
        return DP_OK;
    DP_TRY(model_explain(s->use.model, tensor_rows(s->rows, i, 1), s->phi));
    reasons_pick(reason, SCORE_TOP_REASONS, s->phi, s->inputs);
    for (int k = 0; k < SCORE_TOP_REASONS && reason[k].input >= 0; k++) {
        int j = reason[k].input;
        snprintf(shown->reason[k].column, sizeof shown->reason[k].column, "%s", inputs->input[j].name);
        input_print(shown->reason[k].value, sizeof shown->reason[k].value, &inputs->input[j], j, s->input, i);
        shown->reason[k].amount = reason[k].amount;
    }
    return DP_OK;
}

static dp_status offer_rows(Scorer *s, const Rows *rows)
{
    for (int32_t from = 0; from < rows->block->rows; from += OFFERED) {
        int32_t to = rows->block->rows - from < OFFERED ? rows->block->rows : from + OFFERED;
        float least = top_least(&s->top);
        bool any = false;
        for (int32_t i = from; i < to; i++)
            any |= !(s->score[i] < least);
        for (int32_t i = from; any && i < to; i++)
            top_offer(&s->top, rows_number(rows->block, i), s->score[i], i);
    }
    for (int t = 0; t < s->top.n; t++) {
        Candidate *c = &s->top.best[t];
        if (c->fresh >= 0)
            DP_TRY(describe(s, &c->shown, rows, c->fresh));
        c->fresh = -1;
    }
    return DP_OK;
}

dp_status scorer_take(Scorer *s, const Rows *rows, ScoreGiven *given)
{
    const LakeBlock *block = rows->block;
    bool before = !s->writer || lake_write_has(s->writer, rows_number(block, 0));
    for (int j = 0; j < model_inputs(s->use.model)->columns; j++)
        s->input[j] = block->column[s->place[j]];
    DP_TRY(make_room(s, block->rows));
    bool columns = !block->bin && take_columns(s);
    if (!block->bin && !columns)
        DP_TRY(make_rows(s, block->rows));
    predict(s, block, columns);
    if (!before) {
        DP_TRY(explain(s, block->rows));
        DP_TRY(write_rows(s, rows));
    }
    given->blocks_before += before;
    return offer_rows(s, rows);
}
