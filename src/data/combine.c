/* combine.c -- combinations of categories: the plan of features, and a combination as a category of its own. */
#include <stdio.h>
#include <string.h>

#include "data_priv.h"

/* ---- the plan ---- */

dp_status data_add_feature(Data *data, const DataFeature *feature)
{
    DP_TRY(dp_resize(&data->features, (size_t)data->n_features, (size_t)data->n_features + 1));
    data->features[data->n_features++] = *feature;
    return DP_OK;
}

/* Local. Statistics of codes by their first digits: a rare code leans on those that begin alike. */
static dp_status add_digits(Data *data)
{
    int64_t step = data->encode.digits;
    for (int j = 0, n = data->n_features; j < n && step > 0; j++) {
        const LakeColumn *column =
            data->features[j].column < 0 ? NULL : &data->schema->columns[data->features[j].column];
        if (!column || column->type != LAKE_CODE)
            continue;
        for (int64_t digits = step; digits < column->digits; digits += step) {
            DataFeature f = {.column = -1, .encode = DATA_COMBINED, .parts = 1, .part = {j}, .digits = (int)digits};
            DP_TRY(data_add_feature(data, &f));
        }
    }
    return DP_OK;
}

/* Local. A second statistic of every category and combination there is, which follows what drifts; a code has one of
 * its own already. */
static dp_status add_lately(Data *data)
{
    if (data->encode.half_life <= 0 || !data_by_time(data))
        return DP_OK;
    for (int j = 0, n = data->n_features; j < n; j++) {
        DataFeature f = data->features[j];
        if (f.encode == DATA_PLAIN || f.digits)
            continue;
        if (f.encode == DATA_TARGET)
            f = (DataFeature){.parts = 1, .part = {j}};
        f.column = -1;
        f.encode = DATA_COMBINED;
        f.lately = true;
        DP_TRY(data_add_feature(data, &f));
    }
    return DP_OK;
}

dp_status data_plan(Data *data, const Comm *comm)
{
    if (data->inputs.input)
        return DP_OK;
    DP_TRY(data_choose(data, comm));
    DP_TRY_ALL(comm, add_digits(data));
    DP_TRY_ALL(comm, add_lately(data));
    return comm_agree(comm, inputs_start(&data->inputs, data));
}

int data_columns_n(const Data *data)
{
    return data->n_columns;
}

int data_features_n(const Data *data)
{
    return data->n_features;
}

const char *data_feature_name(const Data *data, int j)
{
    return data->inputs.input[j].name;
}

/* ---- a combination as a category ---- */

enum { UNSEEN_KEY = 0 }; /* key + 1 is stored, so that 0 is free */

/* Local. Appends one part's category, or the first of those that begin with the same digits, to each row's key. */
static dp_status append_part(uint64_t *key, const Categories *categories, const DataInput *in, int digits, int64_t rows)
{
    int64_t *place = NULL, *first = NULL;
    dp_status st = DP_OK;
    DP_GO(dp_new(&place, categories->map.n));
    if (digits > 0)
        DP_GO(inputs_kin(&first, in, digits));
    for (uint32_t c = 0; c < categories->map.n; c++) {
        place[c] = inputs_find(in, categories->text.data + categories->text_at[c],
                               (size_t)(categories->text_at[c + 1] - categories->text_at[c]));
        if (first && place[c] >= 0)
            place[c] = first[place[c]];
    }
    for (int64_t i = 0; i < rows; i++) {
        dp_shelf_step(categories->shelf, i);
        int64_t at = place[categories->code[i]];
        key[i] = at < 0 || key[i] == UNSEEN_KEY ? UNSEEN_KEY : (key[i] - 1) * ((uint64_t)in->n + 1) + (uint64_t)at + 1;
    }
done:
    dp_free(&place);
    dp_free(&first);
    return st;
}

/* Local. */
static dp_status number_keys(Categories *combined, const uint64_t *key, int64_t rows)
{
    DP_TRY(dp_shelf_new(combined->shelf, &combined->code, (size_t)rows));
    for (int64_t i = 0; i < rows; i++) {
        dp_shelf_step(combined->shelf, i);
        DP_TRY(categories_put(combined, (const char *)&key[i], sizeof key[i], &combined->code[i]));
    }
    keymap_settle(&combined->map);
    return DP_OK;
}

dp_status data_combine(Categories *combined, Data *data, const DataFeature *feature, const Comm *comm)
{
    Categories one = {0};
    uint64_t *key = NULL;
    int64_t rows = data->rows.n;
    dp_status st = DP_OK;
    *combined = (Categories){.shelf = &data->shelf};
    DP_GO_ALL(comm, dp_shelf_new(&data->shelf, &key, (size_t)rows));
    for (int64_t i = 0; i < rows; i++) {
        dp_shelf_step(&data->shelf, i);
        key[i] = 1;
    }
    for (int p = 0; p < feature->parts; p++) {
        int j = feature->part[p];
        st = data->features[j].read ? DP_OK
                                    : dp_fail(DP_ERR_INTERNAL, "data-14",
                                              "column '%s' was not read before what it is "
                                              "a part of",
                                              data->inputs.input[j].name);
        DP_GO_ALL(comm, st);
        DP_GO(data_categories(&one, data, data->features[j].column, comm));
        DP_GO_ALL(comm, append_part(key, &one, &data->inputs.input[j], feature->digits, rows));
        categories_free(&one);
    }
    DP_GO_ALL(comm, number_keys(combined, key, rows));
done:
    categories_free(&one);
    dp_shelf_free(&data->shelf, &key);
    if (st != DP_OK)
        categories_free(combined);
    return st;
}
