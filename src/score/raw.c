#include "score/raw.h"

#include "score/score_priv.h"

#include <string.h>

#include "base/text.h"

static void column_free(RawColumn *column)
{
    dp_free(&column->number);
    dp_free(&column->code);
    dp_free(&column->offset);
    dp_buf_free(&column->names);
}

void raw_close(RawRows *raw)
{
    for (int c = 0; raw->column && c < raw->columns; c++)
        column_free(&raw->column[c]);
    data_encoder_free(&raw->encoder);
    dp_free(&raw->column);
    judge_free(&raw->judge);
    dp_free(&raw->score);
    dp_free(&raw->x);
    dp_free(&raw->values);
}

/* ---- reading ---- */

/* Local. The texts as a dictionary whose code 0 is the missing one. */
static dp_status build_dict(RawColumn *column, uint32_t n, int64_t rows, int64_t serial)
{
    bool has_missing = n > 0 && column->names.data[0] == '\0';
    uint32_t shift = has_missing ? 0 : 1, at = 0;
    const char *text = column->names.data;
    DP_TRY(dp_new(&column->offset, (size_t)n + 2));
    dp_buf bytes = {0};
    for (uint32_t i = 0; i < n; i++, text += strlen(text) + 1) {
        dp_status st = dp_buf_text(&bytes, text);
        if (st != DP_OK) {
            dp_buf_free(&bytes);
            return st;
        }
        column->offset[i + shift] = at;
        at += (uint32_t)strlen(text);
    }
    column->offset[n + shift] = at;
    dp_buf_free(&column->names);
    column->names = bytes;
    for (int64_t i = 0; i < rows; i++)
        column->code[i] += shift;
    column->dict =
        (LakeDict){.n = n + shift, .offset = column->offset, .bytes = bytes.data ? bytes.data : "", .serial = serial};
    return DP_OK;
}

/* Collective. Values of all the data's rows, then those of the part: at [n]. */
static dp_status read_column(RawColumn *column, RawRows *raw, const DataInput *input, const int64_t *at, int64_t serial)
{
    double *number = NULL;
    uint32_t *code = NULL, n = 0;
    const Comm *comm = raw->comm;
    dp_shelf *shelf = data_shelf(raw->data);
    dp_status st = DP_OK;
    column->is_number = input->encode == DATA_PLAIN;
    if (column->is_number) {
        DP_GO_ALL(comm, dp_shelf_new(shelf, &number, (size_t)data_rows_n(raw->data)));
        DP_GO(data_number(raw->data, input->name, number, comm));
        DP_GO_ALL(comm, dp_new(&column->number, (size_t)raw->judge.n));
        for (int64_t i = 0; i < raw->judge.n; i++) {
            dp_shelf_step(shelf, i);
            column->number[i] = number[at[i]];
        }
    } else {
        DP_GO(data_slice(raw->data, input->name, &code, &column->names, &n, comm));
        DP_GO_ALL(comm, dp_new(&column->code, (size_t)raw->judge.n));
        for (int64_t i = 0; i < raw->judge.n; i++) {
            dp_shelf_step(shelf, i);
            column->code[i] = code[at[i]];
        }
        DP_GO_ALL(comm, build_dict(column, n, raw->judge.n, serial));
    }
done:
    dp_shelf_free(shelf, &number);
    dp_shelf_free(shelf, &code);
    return st;
}

static dp_status take_room(RawRows *raw)
{
    DP_TRY(dp_new(&raw->column, (size_t)raw->columns));
    DP_TRY(dp_new(&raw->values, (size_t)raw->columns));
    DP_TRY(dp_new(&raw->score, (size_t)RAW_BLOCK * (size_t)model_outputs(raw->model)));
    return dp_new(&raw->x, (size_t)RAW_BLOCK * (size_t)model_inputs(raw->model)->n);
}

dp_status raw_open(RawRows *raw, const Model *model, Data *data, DataPart part, const Comm *comm)
{
    const DataInputs *inputs = model_inputs(model);
    const int *columns;
    dp_status st = DP_OK;
    *raw = (RawRows){.model = model, .data = data, .comm = comm, .columns = inputs->columns};
    DP_GO(judge_build(&raw->judge, model, data, part, comm));
    DP_GO_ALL(comm, data_encoder_build(&raw->encoder, inputs, data_schema(data), &columns));
    DP_GO_ALL(comm, take_room(raw));
    for (int c = 0; c < raw->columns; c++)
        DP_GO(read_column(&raw->column[c], raw, &inputs->input[c], raw->judge.at, c));
done:
    return st;
}

dp_status raw_find(int *column, const RawRows *raw, const char *name)
{
    const char **names = NULL, *near;
    const DataInputs *inputs = model_inputs(raw->model);
    DP_TRY(dp_new(&names, (size_t)raw->columns));
    *column = -1;
    for (int c = 0; c < raw->columns; c++) {
        names[c] = inputs->input[c].name;
        if (strcmp(names[c], name) == 0)
            *column = c;
    }
    near = dp_nearest(name, names, (size_t)raw->columns);
    dp_free(&names);
    return *column >= 0
               ? DP_OK
               : dp_fail(DP_ERR_CONFIG, "score-30", "the model has no input '%s'%s%s%s; `dipper model show` lists them",
                         name, near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}

/* ---- scoring ---- */

static LakeValues values_of(const RawColumn *column, int64_t first)
{
    if (column->is_number)
        return (LakeValues){.type = LAKE_NUMBER, .number = column->number + first};
    return (LakeValues){.type = LAKE_CATEGORY, .code = column->code + first, .dict = &column->dict};
}

dp_status raw_score(RawRows *raw, const int *at, const RawColumn *instead, int n_instead, Said *said)
{
    int64_t inputs = model_inputs(raw->model)->n;
    for (int64_t i = 0; i < raw->judge.n; i += RAW_BLOCK) {
        int32_t rows = raw->judge.n - i < RAW_BLOCK ? (int32_t)(raw->judge.n - i) : RAW_BLOCK;
        for (int c = 0; c < raw->columns; c++)
            raw->values[c] = values_of(&raw->column[c], i);
        for (int k = 0; k < n_instead; k++)
            raw->values[at[k]] = values_of(&instead[k], i);
        Tensor x = tensor_matrix(TENSOR_F32, raw->x, rows, inputs);
        DP_TRY(data_encode(raw->encoder, raw->values, x));
        model_predict(raw->model, x, raw->score);
        model_judge(raw->model, raw->score, raw->judge.class_id ? raw->judge.class_id + i : NULL, rows, said->score + i,
                    said->guess ? said->guess + i : NULL);
    }
    return DP_OK;
}
