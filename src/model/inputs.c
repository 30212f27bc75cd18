/* The input contract in a file: names, types, units and the frozen category tables, as arrays. */
#include "model/model_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* What the numbers in a file mean, for ever; the enums of other rooms may grow in any order. */
static const LakeType types[] = {LAKE_NUMBER, LAKE_NUMBER32, LAKE_TIME, LAKE_CATEGORY,
                                 LAKE_CODE,   LAKE_TEXT,     LAKE_LABEL};
static const DataEncode encodes[] = {DATA_PLAIN, DATA_TARGET, DATA_COMBINED};
enum { TYPES = sizeof types / sizeof *types, ENCODES = sizeof encodes / sizeof *encodes, INPUTS_MAX = 10000 };
/* Keys of combinations stay below, so that sums of their parts, and of what stands for unseen ones, do too. */
#define KEYS_MAX (UINT64_C(1) << 60)

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
    int32_t *part;    /* of each combination */
    int64_t *key;     /* of each combined category */
    float *key_value; /* its statistic */
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
    dp_free(&c->part);
    dp_free(&c->key);
    dp_free(&c->key_value);
}

static int64_t categories_of(const DataInputs *inputs, bool combined)
{
    int64_t n = 0;
    for (int j = 0; j < inputs->n; j++)
        n += (inputs->input[j].encode == DATA_COMBINED) == combined ? inputs->input[j].n : 0;
    return n;
}

static dp_status columns_build(Columns *c, const DataInputs *inputs)
{
    size_t n = (size_t)inputs->n, all = (size_t)categories_of(inputs, false);
    size_t keys = (size_t)categories_of(inputs, true);
    DP_TRY(dp_new(&c->type, n));
    DP_TRY(dp_new(&c->encode, n));
    DP_TRY(dp_new(&c->categories, n));
    DP_TRY(dp_new(&c->missing, n));
    DP_TRY(dp_new(&c->unseen, n));
    DP_TRY(dp_new(&c->text_size, all));
    DP_TRY(dp_new(&c->value, all));
    DP_TRY(dp_new(&c->part, (size_t)(inputs->n - inputs->columns) * DATA_PARTS));
    DP_TRY(dp_new(&c->key, keys));
    DP_TRY(dp_new(&c->key_value, keys));
    return DP_OK;
}

static void add_combination(Columns *c, int which, const DataInput *in, int64_t *at)
{
    for (int p = 0; p < DATA_PARTS; p++)
        c->part[which * DATA_PARTS + p] = p < in->parts ? in->part[p] : -1;
    for (int64_t k = 0; k < in->n; k++, (*at)++) {
        c->key[*at] = (int64_t)in->key[k];
        c->key_value[*at] = in->value[k];
    }
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
    if (in->encode == DATA_COMBINED)
        return DP_OK;
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

static dp_status columns_give(Columns *c, const DataInputs *inputs, int64_t all, int64_t keys, ModelArrays *arrays)
{
    int n = inputs->n;
    GIVE("inputs.name", TENSOR_U8, c->names.data, c->names.size);
    GIVE("inputs.unit", TENSOR_U8, c->units.data, c->units.size);
    GIVE("inputs.type", TENSOR_U8, c->type, n);
    GIVE("inputs.encode", TENSOR_U8, c->encode, n);
    GIVE("inputs.missing", TENSOR_F32, c->missing, n);
    GIVE("inputs.unseen", TENSOR_F32, c->unseen, n);
    GIVE("inputs.categories", TENSOR_I64, c->categories, n);
    GIVE("inputs.category_size", TENSOR_I32, c->text_size, all);
    GIVE("inputs.category_text", TENSOR_U8, c->texts.data, c->texts.size);
    GIVE("inputs.category_value", TENSOR_F32, c->value, all);
    if (inputs->n == inputs->columns)
        return DP_OK;
    GIVE("inputs.part", TENSOR_I32, c->part, DATA_PARTS * (inputs->n - inputs->columns));
    GIVE("inputs.key", TENSOR_I64, c->key, keys);
    GIVE("inputs.key_value", TENSOR_F32, c->key_value, keys);
    return DP_OK;
}

dp_status model_inputs_put(const DataInputs *inputs, ModelArrays *arrays)
{
    dp_status st = DP_OK;
    Columns c = {0};
    int64_t at = 0, key_at = 0;
    DP_GO(columns_build(&c, inputs));
    for (int j = 0; j < inputs->n; j++)
        DP_GO(add_input(&c, j, &inputs->input[j], &at));
    for (int j = inputs->columns; j < inputs->n; j++)
        add_combination(&c, j - inputs->columns, &inputs->input[j], &key_at);
    DP_GO(columns_give(&c, inputs, at, key_at, arrays));
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
    int32_t *part; /* NULL: no combinations */
    int64_t *key;
    float *key_value;
    int64_t n, names_n, units_n, texts_n, all, combined, keys;
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
    dp_free(&s->part);
    dp_free(&s->key);
    dp_free(&s->key_value);
}

static dp_status stored_take(Stored *s, ModelArrays *arrays)
{
    DP_TRY(model_arrays_take(arrays, "inputs.type", TENSOR_U8, &s->type, -1, &s->n));
    DP_TRY(model_arrays_take(arrays, "inputs.encode", TENSOR_U8, &s->encode, s->n, NULL));
    DP_TRY(model_arrays_take(arrays, "inputs.missing", TENSOR_F32, &s->missing, s->n, NULL));
    DP_TRY(model_arrays_take(arrays, "inputs.unseen", TENSOR_F32, &s->unseen, s->n, NULL));
    DP_TRY(model_arrays_take(arrays, "inputs.categories", TENSOR_I64, &s->categories, s->n, NULL));
    DP_TRY(model_arrays_take(arrays, "inputs.name", TENSOR_U8, &s->names, -1, &s->names_n));
    DP_TRY(model_arrays_take(arrays, "inputs.unit", TENSOR_U8, &s->units, -1, &s->units_n));
    DP_TRY(model_arrays_take(arrays, "inputs.category_size", TENSOR_I32, &s->text_size, -1, &s->all));
    DP_TRY(model_arrays_take(arrays, "inputs.category_value", TENSOR_F32, &s->value, s->all, NULL));
    DP_TRY(model_arrays_take(arrays, "inputs.category_text", TENSOR_U8, &s->texts, -1, &s->texts_n));
    for (int64_t j = 0; j < s->n; j++)
        s->combined += s->encode[j] < ENCODES && encodes[s->encode[j]] == DATA_COMBINED;
    if (s->combined == 0)
        return DP_OK;
    DP_TRY(model_arrays_take(arrays, "inputs.part", TENSOR_I32, &s->part, DATA_PARTS * s->combined, NULL));
    DP_TRY(model_arrays_take(arrays, "inputs.key", TENSOR_I64, &s->key, -1, &s->keys));
    DP_TRY(model_arrays_take(arrays, "inputs.key_value", TENSOR_F32, &s->key_value, s->keys, NULL));
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

static dp_status take_combination(DataInput *in, const Stored *s, int64_t which, int64_t *at)
{
    if (in->n < 0 || in->n > s->keys - *at)
        return dp_fail(DP_ERR_DATA, "model-07", "input '%s' has %lld combinations, more than there are", in->name,
                       (long long)in->n);
    for (const int32_t *part = s->part + which * DATA_PARTS; in->parts < DATA_PARTS && part[in->parts] >= 0;
         in->parts++)
        in->part[in->parts] = part[in->parts];
    DP_TRY(dp_new(&in->key, (size_t)in->n));
    DP_TRY(dp_new(&in->value, (size_t)in->n));
    for (int64_t k = 0; k < in->n; k++, (*at)++) {
        in->key[k] = (uint64_t)s->key[*at];
        in->value[k] = s->key_value[*at];
    }
    return DP_OK;
}

dp_status model_inputs_take(DataInputs *inputs, ModelArrays *arrays)
{
    dp_status st = DP_OK;
    Stored s = {0};
    int64_t name = 0, unit = 0, category = 0, text = 0, key = 0;
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
        if (in->encode != DATA_COMBINED)
            DP_GO(take_categories(in, &s, &category, &text));
        else
            DP_GO(take_combination(in, &s, j - inputs->columns, &key));
        inputs->columns += in->encode != DATA_COMBINED;
    }
    if (name != s.names_n || unit != s.units_n || category != s.all || text != s.texts_n || key != s.keys)
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
    if (in->encode != DATA_PLAIN && (!isfinite(in->missing) || !isfinite(in->unseen)))
        return dp_fail(DP_ERR_DATA, "model-07", "input '%s' has no value for what is missing or unseen", in->name);
    for (int64_t k = 0; k < in->n; k++)
        if (!isfinite(in->value[k]) ||
            (k > 0 && (in->key ? in->key[k - 1] >= in->key[k] : compare_texts(in, k - 1, k) >= 0)))
            return dp_fail(DP_ERR_DATA, "model-07", "category %lld of input '%s' is out of order or has no value",
                           (long long)k, in->name);
    return DP_OK;
}

/* A combination is made of one to three categories that stand before all combinations; its keys fit them. */
static dp_status check_combination(const DataInputs *inputs, int j)
{
    const DataInput *in = &inputs->input[j];
    uint64_t keys = 1;
    bool good = j >= inputs->columns && in->parts >= 1 && in->parts <= DATA_PARTS && in->type == LAKE_CATEGORY;
    for (int p = 0; good && p < in->parts; p++) {
        int part = in->part[p];
        good = part >= 0 && part < inputs->columns && inputs->input[part].encode == DATA_TARGET &&
               (p == 0 || part > in->part[p - 1]) && keys < KEYS_MAX / ((uint64_t)inputs->input[part].n + 1);
        if (good)
            keys *= (uint64_t)inputs->input[part].n + 1;
    }
    if (!good || (in->n > 0 && in->key[in->n - 1] >= keys))
        return dp_fail(DP_ERR_DATA, "model-07", "input '%s' combines what cannot be combined", in->name);
    return DP_OK;
}

dp_status model_inputs_check(const DataInputs *inputs)
{
    for (int j = 0; j < inputs->n; j++) {
        DP_TRY(check_input(&inputs->input[j]));
        if ((inputs->input[j].encode == DATA_COMBINED) != (j >= inputs->columns))
            return dp_fail(DP_ERR_DATA, "model-07", "input '%s' stands among inputs of another kind",
                           inputs->input[j].name);
        if (j >= inputs->columns)
            DP_TRY(check_combination(inputs, j));
        for (int i = 0; i < j; i++)
            if (strcmp(inputs->input[i].name, inputs->input[j].name) == 0)
                return dp_fail(DP_ERR_DATA, "model-07", "input '%s' stands there twice", inputs->input[j].name);
    }
    return DP_OK;
}
