/* inputs.c -- the input contract: what is frozen of the categories, brought together over ranks. */
#include <stdlib.h>
#include <string.h>

#include "data_priv.h"

void data_inputs_free(DataInputs *inputs)
{
    for (int j = 0; j < inputs->n; j++) {
        DataInput *in = &inputs->input[j];
        dp_free(&in->name);
        dp_free(&in->unit);
        dp_free(&in->text_at);
        dp_free(&in->text);
        dp_free(&in->value);
    }
    dp_free(&inputs->input);
    inputs->n = 0;
}

/* One category on the way: its counts, then its text. */
typedef struct Frozen {
    Count count;
    int64_t size;
    const char *text; /* set after it came */
} Frozen;

static int compare_texts(const void *a, const void *b)
{
    const Frozen *x = a, *y = b;
    int order = memcmp(x->text, y->text, (size_t)(x->size < y->size ? x->size : y->size));
    return order ? order : (x->size > y->size) - (x->size < y->size);
}

/* Local. The categories that this rank owns, as bytes. */
static dp_status pack_table(dp_buf *packed, const TargetTable *table)
{
    for (uint32_t t = 0; t < table->texts.map.n; t++) {
        int64_t number = keymap_find(&table->map, table->texts.map.keys[t]);
        int64_t at = table->texts.text_at[t], size = table->texts.text_at[t + 1] - at;
        Frozen frozen = {.count = table->count[number], .size = size};
        DP_TRY(dp_buf_add(packed, &frozen, sizeof frozen));
        DP_TRY(dp_buf_add(packed, table->texts.text.data + at, (size_t)size));
    }
    return DP_OK;
}

/* Local. Unpacks all ranks' categories, sorted by text. */
static dp_status unpack_table(Frozen **frozen, int64_t *n, const char *all, size_t bytes)
{
    *n = 0;
    for (size_t at = 0; at < bytes; (*n)++) {
        Frozen f;
        memcpy(&f, all + at, sizeof f);
        at += sizeof f + (size_t)f.size;
    }
    DP_TRY(dp_new(frozen, (size_t)*n));
    size_t at = 0;
    for (int64_t i = 0; i < *n; i++) {
        memcpy(&(*frozen)[i], all + at, sizeof **frozen);
        (*frozen)[i].text = all + at + sizeof **frozen;
        at += sizeof **frozen + (size_t)(*frozen)[i].size;
    }
    if (*n > 1)
        qsort(*frozen, (size_t)*n, sizeof **frozen, compare_texts);
    return DP_OK;
}

/* Local. The empty text is the missing value: it has a field of its own. */
static dp_status fill_input(DataInput *in, const Frozen *frozen, int64_t n, Count all, double prior_weight)
{
    size_t bytes = 0;
    for (int64_t i = 0; i < n; i++)
        bytes += (size_t)frozen[i].size;
    DP_TRY(dp_new(&in->text_at, (size_t)n + 1));
    DP_TRY(dp_new(&in->text, bytes + 1));
    DP_TRY(dp_new(&in->value, (size_t)n + 1));
    in->missing = in->unseen = target_value((Count){0, 0}, all, prior_weight);
    for (int64_t i = 0; i < n; i++) {
        float value = target_value(frozen[i].count, all, prior_weight);
        if (frozen[i].size == 0) {
            in->missing = value;
            continue;
        }
        memcpy(in->text + in->text_at[in->n], frozen[i].text, (size_t)frozen[i].size);
        in->text_at[in->n + 1] = in->text_at[in->n] + frozen[i].size;
        in->value[in->n++] = value;
    }
    return DP_OK;
}

/* Collective. */
static dp_status bring_table(DataInput *in, const TargetTable *table, double prior_weight, const Comm *comm)
{
    dp_buf packed = {0};
    char *all = NULL;
    size_t *starts = NULL;
    Frozen *frozen = NULL;
    int64_t n = 0;
    dp_status st = dp_new(&starts, (size_t)comm_size(comm) + 1);
    DP_GO_ALL(comm, st == DP_OK ? pack_table(&packed, table) : st);
    DP_GO(comm_collect_any(comm, packed.data, packed.size, &all, starts));
    st = unpack_table(&frozen, &n, all, starts[comm_size(comm)]);
    DP_GO_ALL(comm, st == DP_OK ? fill_input(in, frozen, n, table->all, prior_weight) : st);
done:
    dp_buf_free(&packed);
    dp_free(&all);
    dp_free(&starts);
    dp_free(&frozen);
    return st;
}

/* Local. */
static dp_status start_inputs(DataInputs *inputs, const Data *data)
{
    DP_TRY(dp_new(&inputs->input, (size_t)data->n_features));
    inputs->n = data->n_features;
    for (int j = 0; j < inputs->n; j++) {
        const LakeColumn *column = &data->schema->columns[data->features[j].column];
        DP_TRY(dp_copy_text(&inputs->input[j].name, column->name));
        DP_TRY(dp_copy_text(&inputs->input[j].unit, column->unit));
        inputs->input[j].type = column->type;
        inputs->input[j].encode = data->features[j].encode;
        if (data->features[j].encode == DATA_TARGET && !data->features[j].read)
            return dp_fail(DP_ERR_INTERNAL, "data-14", "column '%s' was not read before its contract was asked for",
                           column->name);
    }
    return DP_OK;
}

dp_status data_inputs(DataInputs *inputs, Data *data, const Comm *comm)
{
    dp_status st = DP_OK;
    *inputs = (DataInputs){0};
    DP_GO_ALL(comm, start_inputs(inputs, data));
    for (int j = 0; j < inputs->n; j++)
        if (inputs->input[j].encode == DATA_TARGET)
            DP_GO(bring_table(&inputs->input[j], &data->features[j].table, data->prior_weight, comm));
done:
    if (st != DP_OK)
        data_inputs_free(inputs);
    return st;
}
