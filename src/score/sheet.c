/* The scores table: its columns, the words of a model in it, and the name of a delivery. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "score/score_priv.h"

static dp_status add_column(LakeSchema *schema, const char *name, LakeType type, const char *unit, const char *about)
{
    LakeColumn *column = &schema->columns[schema->n++];
    *column = (LakeColumn){.type = type, .low = NAN, .high = NAN};
    DP_TRY(dp_copy_text(&column->name, name));
    DP_TRY(dp_copy_text(&column->unit, unit));
    return dp_copy_text(&column->about, about);
}

static dp_status add_columns(LakeSchema *schema, int reasons, LakeType row, const Model *model)
{
    bool number = model_kind(model) == DATA_NUMBER, classes = model_kind(model) == DATA_CLASS;
    char name[32];
    DP_TRY(dp_new(&schema->columns, 5 + 2 * (size_t)reasons));
    DP_TRY(add_column(schema, "row", row, NULL,
                      row == LAKE_TEXT ? "id of the row that was scored" : "number of the row that was scored"));
    DP_TRY(add_column(schema, "score", LAKE_NUMBER32, number ? model_unit(model) : NULL,
                      number    ? "what the label is expected to be"
                      : classes ? "chance of the class, 0 to 1"
                                : "chance, 0 to 1"));
    if (classes)
        DP_TRY(add_column(schema, "class", LAKE_CATEGORY, NULL, "the likeliest class"));
    for (int k = 1; k <= reasons; k++) {
        snprintf(name, sizeof name, "reason_%d", k);
        DP_TRY(add_column(schema, name, LAKE_CATEGORY, NULL, "input with the largest contribution but those before"));
        snprintf(name, sizeof name, "amount_%d", k);
        DP_TRY(add_column(schema, name, LAKE_NUMBER32, number ? model_unit(model) : "logit",
                          number ? "what that input adds to the score"
                                 : "what that input adds to the margin, of the class"));
    }
    DP_TRY(add_column(schema, "model", LAKE_CATEGORY, NULL, "address of the model"));
    DP_TRY(add_column(schema, "as_of", LAKE_TIME, NULL, "the moment the scores are for"));
    return dp_copy_text(&schema->time, "as_of");
}

/* A dictionary of n texts, as codes 1 .. n. */
static dp_status build_words(SheetWords *words, const char *(*text)(const Model *, int), const Model *model, int n,
                             int64_t serial)
{
    DP_TRY(dp_new(&words->at, (size_t)n + 2));
    for (int j = 0; j < n; j++) {
        DP_TRY(dp_buf_text(&words->bytes, text(model, j)));
        words->at[j + 2] = (uint32_t)words->bytes.size;
    }
    words->dict = (LakeDict){(uint32_t)n + 1, words->at, words->bytes.data, serial};
    return DP_OK;
}

static const char *input_name(const Model *model, int j)
{
    return model_inputs(model)->input[j].name;
}

static const char *class_name(const Model *model, int k)
{
    return model_classes(model)->name[k];
}

static dp_status add_dictionaries(Sheet *sheet, const ScoreModel *use)
{
    DP_TRY(build_words(&sheet->inputs, input_name, use->model, model_inputs(use->model)->n, 1));
    DP_TRY(build_words(&sheet->classes, class_name, use->model, model_classes(use->model)->n, 3));
    sheet->model_at[2] = (uint32_t)strlen(use->address);
    sheet->model_name = (LakeDict){2, sheet->model_at, use->address, 2};
    return DP_OK;
}

dp_status sheet_build(Sheet *sheet, const ScoreModel *use, int reasons, LakeType row)
{
    sheet->reasons = reasons;
    DP_TRY(add_columns(&sheet->schema, reasons, row, use->model));
    return add_dictionaries(sheet, use);
}

static void words_free(SheetWords *words)
{
    dp_buf_free(&words->bytes);
    dp_free(&words->at);
}

void sheet_free(Sheet *sheet)
{
    lake_schema_free(&sheet->schema);
    words_free(&sheet->inputs);
    words_free(&sheet->classes);
}

dp_status sheet_source(dp_digest *source, const Sheet *sheet, const ScoreModel *use, const ScoreJob *job)
{
    ModelFacts model;
    const ScoreWanted *wanted = job->wanted;
    dp_digest content = lake_facts(job->table).content;
    dp_hash *hash = NULL;
    int64_t numbers[3] = {wanted->as_of, wanted->stamp, job->options->reasons};
    dp_status st = DP_OK;
    DP_GO(model_facts(&model, use->model));
    DP_GO(dp_hash_start(&hash));
    DP_GO(dp_hash_add(hash, sheet->schema.columns[0].type == LAKE_TEXT ? "scores 1" : "scores 2", 8));
    DP_GO(dp_hash_add(hash, model.payload.bytes, sizeof model.payload.bytes));
    DP_GO(dp_hash_add(hash, content.bytes, sizeof content.bytes));
    DP_GO(dp_hash_add(hash, numbers, sizeof numbers));
    DP_GO(dp_hash_add(hash, use->address, strlen(use->address) + 1));
    DP_GO(dp_hash_add(hash, wanted->where, strlen(wanted->where) + 1));
    DP_GO(dp_hash_end(&hash, source));
done:
    dp_hash_free(&hash);
    return st;
}
