/* The input contract in a file: names, types, units and the frozen category tables, as arrays. */
#include "model/model_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* What the numbers in a file mean, for ever; the enums of other rooms may grow in any order. */
static const LakeType types[] = {LAKE_NUMBER, LAKE_NUMBER32, LAKE_TIME, LAKE_CATEGORY,
                                 LAKE_CODE,   LAKE_TEXT,     LAKE_LABEL};
static const DataEncode encodes[] = {DATA_PLAIN, DATA_TARGET};
enum { TYPES = sizeof types / sizeof *types, ENCODES = sizeof encodes / sizeof *encodes, INPUTS_MAX = 10000 };

static uint8_t type_code(LakeType type)
{
    uint8_t code = 0;
    while (code < TYPES && types[code] != type)
        code++;
    return code;
}

static uint8_t encode_code(DataEncode encode)
{
    uint8_t code = 0;
    while (code < ENCODES && encodes[code] != encode)
        code++;
    return code;
}

/* The columns of the arrays while they are put together. */
typedef struct Columns {
    dp_buf names, units, texts;
    uint8_t *type, *encode;
    int64_t *categories; /* of each input */
    int32_t *text_size;  /* of each category */
    float *value, *missing, *unseen;
} Columns;

static void columns_free(Columns *c)
{
    dp_buf_free(&c->names);
    dp_buf_free(&c->units);
    dp_buf_free(&c->texts);
    dp_free(&c->type);
    dp_free(&c->encode);
    dp_free(&c->categories);
    dp_free(&c->text_size);
    dp_free(&c->value);
    dp_free(&c->missing);
    dp_free(&c->unseen);
}

static int64_t categories_of(const DataInputs *inputs)
{
    int64_t n = 0;
    for (int j = 0; j < inputs->n; j++)
        n += inputs->input[j].n;
    return n;
}

static dp_status columns_build(Columns *c, const DataInputs *inputs)
{
    size_t n = (size_t)inputs->n, all = (size_t)categories_of(inputs);
    DP_TRY(dp_new(&c->type, n));
    DP_TRY(dp_new(&c->encode, n));
    DP_TRY(dp_new(&c->categories, n));
    DP_TRY(dp_new(&c->missing, n));
    DP_TRY(dp_new(&c->unseen, n));
    DP_TRY(dp_new(&c->text_size, all));
    DP_TRY(dp_new(&c->value, all));
    return DP_OK;
}

static dp_status add_input(Columns *c, int j, const DataInput *in, int64_t *at)
{
    const char *unit = in->unit ? in->unit : "";
    DP_TRY(dp_buf_add(&c->names, in->name, strlen(in->name) + 1));
    DP_TRY(dp_buf_add(&c->units, unit, strlen(unit) + 1));
    c->type[j] = type_code(in->type);
    c->encode[j] = encode_code(in->encode);
    c->categories[j] = in->n;
    c->missing[j] = in->missing;
    c->unseen[j] = in->unseen;
    for (int64_t k = 0; k < in->n; k++, (*at)++) {
        int64_t size = in->text_at[k + 1] - in->text_at[k];
        if (size > INT32_MAX)
            return dp_fail(DP_ERR_DATA, "model-07", "a category of '%s' has %lld bytes", in->name, (long long)size);
        c->text_size[*at] = (int32_t)size;
        c->value[*at] = in->value[k];
    }
    if (in->n > 0 && in->text_at[in->n] > 0)
        DP_TRY(dp_buf_add(&c->texts, in->text, (size_t)in->text_at[in->n]));
    return DP_OK;
}

/* The columns move into the arrays one by one: each pointer is given away exactly once. */
#define GIVE(name, type, pointer, n)                                                                                   \
    do {                                                                                                               \
        void *given = (pointer);                                                                                       \
        (pointer) = NULL;                                                                                              \
        DP_TRY(model_arrays_give(arrays, (name), (type), given, (int64_t)(n)));                                        \
    } while (0)

static dp_status columns_give(Columns *c, int n, int64_t all, ModelArrays *arrays)
{
    GIVE("inputs.name", MODEL_U8, c->names.data, c->names.size);
    GIVE("inputs.unit", MODEL_U8, c->units.data, c->units.size);
    GIVE("inputs.type", MODEL_U8, c->type, n);
    GIVE("inputs.encode", MODEL_U8, c->encode, n);
    GIVE("inputs.missing", MODEL_F32, c->missing, n);
    GIVE("inputs.unseen", MODEL_F32, c->unseen, n);
    GIVE("inputs.categories", MODEL_I64, c->categories, n);
    GIVE("inputs.category_size", MODEL_I32, c->text_size, all);
    GIVE("inputs.category_text", MODEL_U8, c->texts.data, c->texts.size);
    GIVE("inputs.category_value", MODEL_F32, c->value, all);
    return DP_OK;
}

dp_status model_inputs_put(const DataInputs *inputs, ModelArrays *arrays)
{
    dp_status st = DP_OK;
    Columns c = {0};
    int64_t at = 0;
    DP_GO(columns_build(&c, inputs));
    for (int j = 0; j < inputs->n; j++)
        DP_GO(add_input(&c, j, &inputs->input[j], &at));
    DP_GO(columns_give(&c, inputs->n, at, arrays));
done:
    columns_free(&c);
    return st;
}

/* ---- back ---- */

typedef struct Stored {
    char *names, *units, *texts;
    uint8_t *type, *encode;
    int64_t *categories;
    int32_t *text_size;
    float *value, *missing, *unseen;
    int64_t n, names_n, units_n, texts_n, all;
} Stored;

static void stored_free(Stored *s)
{
    dp_free(&s->names);
    dp_free(&s->units);
    dp_free(&s->texts);
    dp_free(&s->type);
    dp_free(&s->encode);
    dp_free(&s->categories);
    dp_free(&s->text_size);
    dp_free(&s->value);
    dp_free(&s->missing);
    dp_free(&s->unseen);
}

static dp_status stored_take(Stored *s, ModelArrays *arrays)
{
    DP_TRY(model_arrays_take(arrays, "inputs.type", MODEL_U8, &s->type, -1, &s->n));
    DP_TRY(model_arrays_take(arrays, "inputs.encode", MODEL_U8, &s->encode, s->n, NULL));
    DP_TRY(model_arrays_take(arrays, "inputs.missing", MODEL_F32, &s->missing, s->n, NULL));
    DP_TRY(model_arrays_take(arrays, "inputs.unseen", MODEL_F32, &s->unseen, s->n, NULL));
    DP_TRY(model_arrays_take(arrays, "inputs.categories", MODEL_I64, &s->categories, s->n, NULL));
    DP_TRY(model_arrays_take(arrays, "inputs.name", MODEL_U8, &s->names, -1, &s->names_n));
    DP_TRY(model_arrays_take(arrays, "inputs.unit", MODEL_U8, &s->units, -1, &s->units_n));
    DP_TRY(model_arrays_take(arrays, "inputs.category_size", MODEL_I32, &s->text_size, -1, &s->all));
    DP_TRY(model_arrays_take(arrays, "inputs.category_value", MODEL_F32, &s->value, s->all, NULL));
    DP_TRY(model_arrays_take(arrays, "inputs.category_text", MODEL_U8, &s->texts, -1, &s->texts_n));
    return DP_OK;
}

/* The next of texts that end in a zero byte, within `size` bytes. */
static dp_status next_text(char **copy, const char *texts, int64_t size, int64_t *at)
{
    const char *end = *at < size ? memchr(texts + *at, '\0', (size_t)(size - *at)) : NULL;
    if (!end)
        return dp_fail(DP_ERR_DATA, "model-07", "the names of the inputs end too early");
    DP_TRY(dp_copy_text(copy, texts + *at));
    *at = end - texts + 1;
    return DP_OK;
}

static dp_status take_categories(DataInput *in, const Stored *s, int64_t *category, int64_t *text)
{
    int64_t begin = *text;
    if (in->n < 0 || in->n > s->all - *category)
        return dp_fail(DP_ERR_DATA, "model-07", "input '%s' has %lld categories, more than there are", in->name,
                       (long long)in->n);
    DP_TRY(dp_new(&in->text_at, (size_t)in->n + 1));
    DP_TRY(dp_new(&in->value, (size_t)in->n));
    for (int64_t k = 0; k < in->n; k++, (*category)++) {
        int32_t size = s->text_size[*category];
        if (size < 0 || size > s->texts_n - *text)
            return dp_fail(DP_ERR_DATA, "model-07", "category %lld of input '%s' has %d bytes, more than there are",
                           (long long)k, in->name, size);
        *text += size;
        in->text_at[k + 1] = *text - begin;
        in->value[k] = s->value[*category];
    }
    DP_TRY(dp_new(&in->text, (size_t)(*text - begin) + 1));
    if (*text > begin)
        memcpy(in->text, s->texts + begin, (size_t)(*text - begin));
    return DP_OK;
}

dp_status model_inputs_take(DataInputs *inputs, ModelArrays *arrays)
{
    dp_status st = DP_OK;
    Stored s = {0};
    int64_t name = 0, unit = 0, category = 0, text = 0;
    *inputs = (DataInputs){0};
    DP_GO(stored_take(&s, arrays));
    DP_GO(s.n <= INPUTS_MAX ? DP_OK : dp_fail(DP_ERR_DATA, "model-07", "%lld inputs are too many", (long long)s.n));
    DP_GO(dp_new(&inputs->input, (size_t)s.n));
    for (; inputs->n < s.n;) {
        int j = inputs->n++;
        DataInput *in = &inputs->input[j];
        DP_GO(next_text(&in->name, s.names, s.names_n, &name));
        DP_GO(next_text(&in->unit, s.units, s.units_n, &unit));
        if (in->unit[0] == '\0')
            dp_free(&in->unit);
        if (s.type[j] >= TYPES || s.encode[j] >= ENCODES) {
            st = dp_fail(DP_ERR_DATA, "model-07", "input '%s' has type %d and encoding %d, unknown to this release",
                         in->name, s.type[j], s.encode[j]);
            goto done;
        }
        in->type = types[s.type[j]];
        in->encode = encodes[s.encode[j]];
        in->missing = s.missing[j];
        in->unseen = s.unseen[j];
        in->n = s.categories[j];
        DP_GO(take_categories(in, &s, &category, &text));
    }
    if (name != s.names_n || unit != s.units_n || category != s.all || text != s.texts_n)
        st = dp_fail(DP_ERR_DATA, "model-07", "the inputs hold more names or categories than they use");
    else
        DP_GO(model_inputs_check(inputs));
done:
    stored_free(&s);
    if (st != DP_OK)
        data_inputs_free(inputs);
    return st;
}

static int compare_texts(const DataInput *in, int64_t a, int64_t b)
{
    int64_t size_a = in->text_at[a + 1] - in->text_at[a], size_b = in->text_at[b + 1] - in->text_at[b];
    int order =
        memcmp(in->text + in->text_at[a], in->text + in->text_at[b], (size_t)(size_a < size_b ? size_a : size_b));
    return order ? order : (size_a > size_b) - (size_a < size_b);
}

static dp_status check_input(const DataInput *in)
{
    if (!in->name[0] || strlen(in->name) > 255 || !dp_utf8_is_good(in->name, strlen(in->name)))
        return dp_fail(DP_ERR_DATA, "model-07", "an input has no usable name");
    if (in->encode == DATA_PLAIN && in->n != 0)
        return dp_fail(DP_ERR_DATA, "model-07", "input '%s' is a number and has categories", in->name);
    if (in->encode == DATA_TARGET && (!isfinite(in->missing) || !isfinite(in->unseen)))
        return dp_fail(DP_ERR_DATA, "model-07", "input '%s' has no value for what is missing or unseen", in->name);
    for (int64_t k = 0; k < in->n; k++)
        if (!isfinite(in->value[k]) || (k > 0 && compare_texts(in, k - 1, k) >= 0))
            return dp_fail(DP_ERR_DATA, "model-07", "category %lld of input '%s' is out of order or has no value",
                           (long long)k, in->name);
    return DP_OK;
}

dp_status model_inputs_check(const DataInputs *inputs)
{
    for (int j = 0; j < inputs->n; j++) {
        DP_TRY(check_input(&inputs->input[j]));
        for (int i = 0; i < j; i++)
            if (strcmp(inputs->input[i].name, inputs->input[j].name) == 0)
                return dp_fail(DP_ERR_DATA, "model-07", "input '%s' stands there twice", inputs->input[j].name);
    }
    return DP_OK;
}
