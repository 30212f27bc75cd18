/* Bins of a table for one model: its columns through the model's encoder and borders, a byte a feature. */
#include <omp.h>

#include "score/score_priv.h"

typedef struct Binner {
    const Model *model;
    ModelBins bins;
    DataEncoder *encoder;
    int inputs, threads;
    int32_t room;
    float *x;     /* [room][inputs] */
    float *value; /* [threads][room] */
} Binner;

static dp_status make_room(Binner *b, int32_t rows)
{
    if (rows <= b->room)
        return DP_OK;
    dp_free(&b->x);
    dp_free(&b->value);
    b->room = 0;
    DP_TRY(dp_new(&b->x, (size_t)rows * (size_t)b->inputs));
    DP_TRY(dp_new(&b->value, (size_t)rows * (size_t)b->threads));
    b->room = rows;
    return DP_OK;
}

static dp_status bin_block(void *self, const LakeBlock *block, uint8_t *const *bin)
{
    Binner *b = self;
    DP_TRY(make_room(b, block->rows));
    Tensor rows = tensor_matrix(TENSOR_F32, b->x, block->rows, b->inputs);
    DP_TRY(data_encode(b->encoder, block->column, rows));
#pragma omp parallel for num_threads(b->threads) schedule(dynamic)
    for (int k = 0; k < b->bins.n; k++) {
        float *value = b->value + (size_t)omp_get_thread_num() * (size_t)b->room;
        Tensor column = tensor_column(rows, b->bins.feature[k]);
        const float *from = column.data;
        for (int32_t i = 0; i < block->rows; i++)
            value[i] = from[i * column.stride[0]];
        model_bin(b->model, k, value, block->rows, bin[k]);
    }
    return DP_OK;
}

static dp_status prepare(Binner *b, const LakeTable *table, const int **columns)
{
    DP_TRY(model_bins(&b->bins, b->model));
    if (b->bins.n == 0 || b->bins.n > SCORE_BINS_MAX)
        return dp_fail(
            DP_ERR_USAGE, "score-21",
            "this model is not scored from bins: its family has none, or it looks at none or at more than %d "
            "features; it is scored from the table's columns as before",
            SCORE_BINS_MAX);
    return data_encoder_build(&b->encoder, model_inputs(b->model), lake_schema(table), columns);
}

dp_status score_bins(ScoreBins *result, LakeTable *table, const Model *model, int threads, const Comm *comm)
{
    Binner b = {.model = model, .inputs = model_inputs(model)->n, .threads = threads < 1 ? 1 : threads};
    const int *columns = NULL;
    dp_status st = DP_OK;
    *result = (ScoreBins){.partitions = lake_facts(table).partitions};
    DP_GO_ALL(comm, prepare(&b, table, &columns));
    result->features = b.bins.n;
    LakeBins bins = {.set = b.bins.set, .n = b.bins.n};
    DP_GO(lake_bins_write(table, &bins, columns, model_inputs(model)->columns, threads, bin_block, &b, &result->made,
                          &result->bytes, comm));
done:
    data_encoder_free(&b.encoder);
    dp_free(&b.x);
    dp_free(&b.value);
    return st;
}
