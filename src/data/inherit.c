/* inherit.c -- the features of another model's contract: its columns in its order, hit rates from its frozen tables. */
#include <string.h>

#include "data_priv.h"

static bool has_column(const DataInputs *inputs, const char *name)
{
    for (int j = 0; j < inputs->columns; j++)
        if (strcmp(inputs->input[j].name, name) == 0)
            return true;
    return false;
}

static bool asks_for(const Data *data, const char *name)
{
    for (int j = 0; j < data->n_columns; j++)
        if (strcmp(data->schema->columns[data->features[j].column].name, name) == 0)
            return true;
    return false;
}

/* Local. Every column that only one of the two has, in one message. */
static dp_status check_columns(const Data *data, const DataInputs *inputs)
{
    dp_buf lacks = {.max = 600}, more = {.max = 600}; /* full: the first ones are named */
    for (int j = 0; j < inputs->columns; j++)
        if (!asks_for(data, inputs->input[j].name))
            (void)dp_buf_print(&lacks, " %s", inputs->input[j].name);
    for (int j = 0; j < data->n_columns; j++)
        if (!has_column(inputs, data->schema->columns[data->features[j].column].name))
            (void)dp_buf_print(&more, " %s", data->schema->columns[data->features[j].column].name);
    dp_status st =
        lacks.size + more.size == 0
            ? DP_OK
            : dp_fail(DP_ERR_CONFIG, "data-17",
                      "data.columns is not what the model learned from:%s%s%s%s%s; learning goes on with the "
                      "same columns",
                      lacks.size ? " it lacks" : "", lacks.size ? lacks.data : "", lacks.size && more.size ? ";" : "",
                      more.size ? " the model does not know" : "", more.size ? more.data : "");
    dp_buf_free(&lacks);
    dp_buf_free(&more);
    return st;
}

static dp_status take_features(Data *data, const DataInputs *inputs, const int *columns)
{
    dp_free(&data->features);
    data->n_features = 0;
    data->n_columns = inputs->columns;
    DP_TRY(dp_new(&data->features, (size_t)inputs->n));
    for (; data->n_features < inputs->n; data->n_features++) {
        const DataInput *in = &inputs->input[data->n_features];
        DataFeature *feature = &data->features[data->n_features];
        *feature = (DataFeature){.column = data->n_features < inputs->columns ? columns[data->n_features] : -1,
                                 .encode = in->encode,
                                 .parts = in->parts,
                                 .read = true};
        memcpy(feature->part, in->part, sizeof feature->part);
    }
    return DP_OK;
}

dp_status data_inherit(Data *data, const DataInputs *inputs)
{
    DataEncoder *encoder = NULL;
    const int *columns = NULL;
    dp_status st = DP_OK;
    DP_GO(check_columns(data, inputs));
    DP_GO(data_encoder_build(&encoder, inputs, data->schema, &columns)); /* types and units fit */
    DP_GO(take_features(data, inputs, columns));
    DP_GO(inputs_copy(&data->inputs, inputs));
    data->inherited = true;
done:
    data_encoder_free(&encoder);
    return st;
}

/* The contract of one feature alone: the columns it is made of, and where it is a combination, that behind them. */
typedef struct Alone {
    DataInput input[DATA_PARTS + 1];
    DataInputs inputs;
} Alone;

static void take_alone(Alone *alone, const DataInputs *all, int j)
{
    const DataInput *in = &all->input[j];
    const bool combined = in->encode == DATA_COMBINED;
    const int columns = combined ? in->parts : 1;
    for (int p = 0; p < columns; p++)
        alone->input[p] = combined ? all->input[in->part[p]] : *in;
    if (combined)
        alone->input[columns] = *in;
    for (int p = 0; combined && p < columns; p++)
        alone->input[columns].part[p] = p;
    alone->inputs = (DataInputs){.input = alone->input, .n = columns + combined, .columns = columns};
}

/* Local. values of the blocks' kept rows; x: room for a block. */
static dp_status encode_blocks(float *values, float *x, DataEncoder *encoder, int width, Visit *visit, const Data *data)
{
    for (;;) {
        DP_TRY(visit_next(visit, data));
        if (!visit->block)
            return DP_OK;
        DP_TRY(data_encode(encoder, visit->block->column, tensor_matrix(TENSOR_F32, x, visit->block->rows, width)));
        for (int32_t i = 0; i < visit->n; i++)
            values[visit->at + i] = x[(visit->pick ? visit->pick[i] : i) * (int64_t)width + width - 1];
    }
}

dp_status inherited_feature(float *values, Data *data, int j, const Comm *comm)
{
    Alone alone;
    DataEncoder *encoder = NULL;
    const int *columns = NULL;
    Visit visit = {0};
    float *x = NULL;
    dp_status st = DP_OK;
    take_alone(&alone, &data->inputs, j);
    st = data_encoder_build(&encoder, &alone.inputs, data->schema, &columns);
    if (st == DP_OK)
        st = dp_new_bytes(&x, (size_t)VISIT_ROWS * (size_t)alone.inputs.n, sizeof *x);
    DP_GO_ALL(comm, st);
    DP_GO(visit_open(&visit, data, columns, alone.inputs.columns, comm));
    DP_GO_ALL(comm, encode_blocks(values, x, encoder, alone.inputs.n, &visit, data));
done:
    visit_close(&visit);
    data_encoder_free(&encoder);
    dp_free(&x);
    return st;
}
