/* The rows that a model is judged on: those of a part, with what they should be; and what the model says of them. */
#include <string.h>

#include "score/score_priv.h"

void judge_free(Judge *judge)
{
    dp_free(&judge->at);
    dp_free(&judge->label);
    dp_free(&judge->target);
    dp_free(&judge->class_id);
    dp_free(&judge->row);
    dp_free(&judge->group);
    dp_free(&judge->revenue);
}

void said_free(Said *said)
{
    dp_free(&said->score);
    dp_free(&said->guess);
}

dp_status said_room(Said *said, const Judge *judge)
{
    const size_t room = (size_t)judge->n + 1; /* not NULL without rows */
    DP_TRY(dp_new(&said->score, room));
    return judge->class_id ? dp_new(&said->guess, room) : DP_OK;
}

MetricRows judge_rows(const Judge *judge, const Said *said, int64_t first, int64_t n)
{
    return (MetricRows){.score = said->score + first,
                        .label = judge->label + first,
                        .target = judge->target ? judge->target + first : NULL,
                        .class_id = judge->class_id ? judge->class_id + first : NULL,
                        .guess = said->guess ? said->guess + first : NULL,
                        .classes = judge->classes,
                        .row = judge->row + first,
                        .group = judge->group ? judge->group + first : NULL,
                        .revenue = judge->revenue ? judge->revenue + first : NULL,
                        .n = n};
}

/* The same on every rank. */
static dp_status must_fit(const Model *model, const Data *data)
{
    if (model_kind(model) != data_kind(data))
        return dp_fail(DP_ERR_CONFIG, "score-11", "the model says %s, and data.label is %s", model_says(model),
                       data_kind_name(data_kind(data)));
    return DP_OK;
}

/* own [DATA_CLASSES_MAX]: the model's number of each class of the data; -1: it does not know it. */
static void match_classes(int own[DATA_CLASSES_MAX], const Model *model, const Data *data)
{
    const DataClasses *known = model_classes(model), *classes = data_classes(data);
    for (int k = 0, at = 0; k < classes->n; k++) { /* both ascend */
        while (at < known->n && strcmp(known->name[at], classes->name[k]) < 0)
            at++;
        own[k] = at < known->n && strcmp(known->name[at], classes->name[k]) == 0 ? at : -1;
    }
}

/* Local. *unknown: rows of classes that the model does not know; they are left out. */
static dp_status take_rows(Judge *judge, int64_t *unknown, const Model *model, const Data *data, DataPart part)
{
    const uint8_t *parts = data_part(data), *class_id = data_class_id(data);
    int own[DATA_CLASSES_MAX];
    size_t room = 1; /* not NULL without rows */
    judge->shelf = data_shelf(data);
    for (int64_t i = 0; i < data_rows_n(data); i++) {
        dp_shelf_step(judge->shelf, i);
        room += parts[i] == part;
    }
    match_classes(own, model, data);
    judge->classes = model_classes(model)->n;
    DP_TRY(dp_new(&judge->at, room));
    DP_TRY(dp_new(&judge->label, room));
    DP_TRY(dp_new(&judge->row, room));
    if (data_group(data))
        DP_TRY(dp_new(&judge->group, room));
    if (data_target(data))
        DP_TRY(dp_new(&judge->target, room));
    if (class_id)
        DP_TRY(dp_new(&judge->class_id, room));
    for (int64_t i = 0; i < data_rows_n(data); i++) {
        const int64_t k = judge->n;
        dp_shelf_step(judge->shelf, i);
        if (parts[i] != part)
            continue;
        if (class_id && own[class_id[i]] < 0) {
            ++*unknown;
            continue;
        }
        judge->at[k] = i;
        judge->label[k] = data_label(data)[i];
        judge->row[k] = data_row(data)[i];
        if (judge->group)
            judge->group[k] = data_group(data)[i];
        if (judge->target)
            judge->target[k] = data_target(data)[i];
        if (class_id)
            judge->class_id[k] = (uint8_t)own[class_id[i]];
        judge->n++;
    }
    return DP_OK;
}

dp_status judge_build(Judge *judge, const Model *model, const Data *data, DataPart part, const Comm *comm)
{
    int64_t unknown = 0;
    DP_TRY(must_fit(model, data));
    DP_TRY_ALL(comm, take_rows(judge, &unknown, model, data, part));
    comm_sum_i64(comm, &unknown, 1);
    if (unknown > 0)
        dp_say(comm_log(comm), DP_WARN, "classes", "%lld rows are of classes that the model does not know: left out",
               (long long)unknown);
    return DP_OK;
}

dp_status judge_read_revenue(Judge *judge, const char *column, Data *data, const Comm *comm)
{
    /* One more: an array, not NULL, also on a rank without rows; NULL means that there is no such column. */
    DP_TRY_ALL(comm, dp_new(&judge->revenue, (size_t)judge->n + 1));
    return data_revenue(data, column, judge->at, judge->n, judge->revenue, comm);
}

/* A copy of an array in another order; NULL stays NULL. */
static dp_status reorder(void *copy, const void *array, size_t size, const int64_t *order, int64_t n)
{
    if (!array)
        return DP_OK;
    DP_TRY(dp_new_bytes(copy, (size_t)n + 1, size));
    for (int64_t i = 0; i < n; i++)
        memcpy(*(char **)copy + (size_t)i * size, (const char *)array + (size_t)order[i] * size, size);
    return DP_OK;
}

dp_status judge_reorder(Judge *out, Said *said_out, const Judge *judge, const Said *said, const int64_t *order)
{
    const int64_t n = judge->n;
    *out = (Judge){.n = n, .classes = judge->classes};
#define REORDER(to, from) DP_TRY(reorder(&(to), (from), sizeof *(from), order, n))
    REORDER(out->label, judge->label);
    REORDER(out->target, judge->target);
    REORDER(out->class_id, judge->class_id);
    REORDER(out->row, judge->row);
    REORDER(out->group, judge->group);
    REORDER(out->revenue, judge->revenue);
    REORDER(said_out->score, said->score);
    REORDER(said_out->guess, said->guess);
#undef REORDER
    return DP_OK;
}
