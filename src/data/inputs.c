/* inputs.c -- the input contract: what is frozen of the categories, brought together over ranks. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data_priv.h"

static void free_table(DataInput *in)
{
    dp_free(&in->text_at);
    dp_free(&in->text);
    dp_free(&in->value);
    dp_free(&in->key);
    in->n = 0;
}

void data_inputs_free(DataInputs *inputs)
{
    for (int j = 0; j < inputs->n; j++) {
        DataInput *in = &inputs->input[j];
        dp_free(&in->name);
        dp_free(&in->unit);
        free_table(in);
    }
    dp_free(&inputs->input);
    *inputs = (DataInputs){0};
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
static dp_status fill_texts(DataInput *in, const Frozen *frozen, int64_t n, Count all, const TargetRule *rule)
{
    size_t bytes = 0;
    for (int64_t i = 0; i < n; i++)
        bytes += (size_t)frozen[i].size;
    DP_TRY(dp_new(&in->text_at, (size_t)n + 1));
    DP_TRY(dp_new(&in->text, bytes + 1));
    DP_TRY(dp_new(&in->value, (size_t)n + 1));
    in->missing = in->unseen = target_frozen((Count){0, 0}, all, rule);
    for (int64_t i = 0; i < n; i++) {
        float value = target_frozen(frozen[i].count, all, rule);
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

static uint64_t key_of(const Frozen *frozen)
{
    uint64_t key;
    memcpy(&key, frozen->text, sizeof key);
    return key;
}

static int compare_keys(const void *a, const void *b)
{
    uint64_t x = key_of(a), y = key_of(b);
    return (x > y) - (x < y);
}

/* Local. Texts are keys + 1. */
static dp_status fill_keys(DataInput *in, Frozen *frozen, int64_t n, Count all, const TargetRule *rule)
{
    if (n > 1)
        qsort(frozen, (size_t)n, sizeof *frozen, compare_keys);
    DP_TRY(dp_new(&in->key, (size_t)n));
    DP_TRY(dp_new(&in->value, (size_t)n));
    in->missing = in->unseen = target_frozen((Count){0, 0}, all, rule);
    for (; in->n < n; in->n++) {
        in->key[in->n] = key_of(&frozen[in->n]) - 1;
        in->value[in->n] = target_frozen(frozen[in->n].count, all, rule);
    }
    return DP_OK;
}

dp_status inputs_freeze(DataInput *in, const TargetTable *table, const TargetRule *rule, const Comm *comm)
{
    dp_buf packed = {0};
    char *all = NULL;
    size_t *starts = NULL;
    Frozen *frozen = NULL;
    int64_t n = 0;
    dp_status st = dp_new(&starts, (size_t)comm_size(comm) + 1);
    free_table(in); /* of an earlier reading */
    DP_GO_ALL(comm, st == DP_OK ? pack_table(&packed, table) : st);
    DP_GO(comm_collect_any(comm, packed.data, packed.size, &all, starts));
    st = unpack_table(&frozen, &n, all, starts[comm_size(comm)]);
    if (st == DP_OK)
        st = in->encode == DATA_TARGET ? fill_texts(in, frozen, n, table->all, rule)
                                       : fill_keys(in, frozen, n, table->all, rule);
    DP_GO_ALL(comm, st);
done:
    dp_buf_free(&packed);
    dp_free(&all);
    dp_free(&starts);
    dp_free(&frozen);
    return st;
}

int64_t inputs_find(const DataInput *in, const char *text, size_t size)
{
    int64_t low = 0, high = in->n;
    if (size == 0)
        return in->n;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        Frozen at = {.text = in->text + in->text_at[middle], .size = in->text_at[middle + 1] - in->text_at[middle]};
        int order = compare_texts(&at, &(Frozen){.text = text, .size = (int64_t)size});
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

dp_status inputs_kin(int64_t **first, const DataInput *in, int digits)
{
    DP_TRY(dp_new(first, (size_t)in->n + 1));
    (*first)[in->n] = in->n;
    for (int64_t i = 0; i < in->n; i++) {
        const char *text = in->text + in->text_at[i];
        int64_t size = in->text_at[i + 1] - in->text_at[i];
        bool alike = i > 0 && size >= digits && in->text_at[i] - in->text_at[i - 1] >= digits &&
                     memcmp(text, in->text + in->text_at[i - 1], (size_t)digits) == 0;
        (*first)[i] = alike ? (*first)[i - 1] : i;
    }
    return DP_OK;
}

dp_status inputs_spread(DataInput *in, const DataInput *part, int digits)
{
    int64_t *first = NULL, n = 0, known = 0;
    uint64_t *key = NULL;
    float *value = NULL;
    dp_status st = DP_OK;
    DP_GO(inputs_kin(&first, part, digits));
    DP_GO(dp_new(&key, (size_t)part->n + 1));
    DP_GO(dp_new(&value, (size_t)part->n + 1));
    for (int64_t place = 0; place <= part->n; place++) {
        while (known < in->n && in->key[known] < (uint64_t)first[place]) /* first ascends, as keys do */
            known++;
        if (known == in->n || in->key[known] != (uint64_t)first[place])
            continue;
        key[n] = (uint64_t)place;
        value[n++] = in->value[known];
    }
    free_table(in);
    in->key = key;
    in->value = value;
    in->n = n;
    key = NULL;
    value = NULL;
done:
    dp_free(&first);
    dp_free(&key);
    dp_free(&value);
    return st;
}

/* Local. "origin x hs6 lately", "hs6 to 4 digits". */
static dp_status name_combination(char **name, const DataInputs *inputs, const DataFeature *feature)
{
    dp_buf text = {0};
    dp_status st = DP_OK;
    for (int p = 0; p < feature->parts; p++)
        DP_GO(dp_buf_print(&text, "%s%s", p ? " x " : "", inputs->input[feature->part[p]].name));
    if (feature->digits)
        DP_GO(dp_buf_print(&text, " to %d digits", feature->digits));
    if (feature->lately)
        DP_GO(dp_buf_print(&text, " lately"));
    DP_GO(dp_copy_text(name, text.data));
done:
    dp_buf_free(&text);
    return st;
}

dp_status inputs_start(DataInputs *inputs, const Data *data)
{
    DP_TRY(dp_new(&inputs->input, (size_t)data->n_features));
    inputs->n = data->n_features;
    inputs->columns = data->n_columns;
    for (int j = 0; j < inputs->n; j++) {
        const DataFeature *feature = &data->features[j];
        DataInput *in = &inputs->input[j];
        in->encode = feature->encode;
        in->type = LAKE_CATEGORY;
        in->parts = feature->parts;
        memcpy(in->part, feature->part, sizeof in->part);
        in->missing = in->unseen = NAN;
        if (feature->encode == DATA_COMBINED) {
            DP_TRY(name_combination(&in->name, inputs, feature));
            continue;
        }
        const LakeColumn *column = &data->schema->columns[feature->column];
        DP_TRY(dp_copy_text(&in->name, column->name));
        DP_TRY(dp_copy_text(&in->unit, column->unit));
        in->type = column->type;
    }
    return DP_OK;
}

/* Local. */
static dp_status copy_bytes(void *to, const void *from, size_t bytes)
{
    char *copy = NULL;
    DP_TRY(dp_new(&copy, bytes + 1));
    if (bytes > 0)
        memcpy(copy, from, bytes);
    memcpy(to, &copy, sizeof copy);
    return DP_OK;
}

/* Local. Everything of an input, its own; what was copied stands when it fails. */
static dp_status copy_input(DataInput *to, const DataInput *from)
{
    size_t n = (size_t)from->n;
    *to = *from;
    to->name = to->unit = to->text = NULL;
    to->text_at = NULL;
    to->value = NULL;
    to->key = NULL;
    DP_TRY(dp_copy_text(&to->name, from->name));
    DP_TRY(dp_copy_text(&to->unit, from->unit));
    if (from->encode == DATA_PLAIN)
        return DP_OK;
    DP_TRY(copy_bytes(&to->value, from->value, n * sizeof *from->value));
    if (from->encode == DATA_COMBINED)
        return copy_bytes(&to->key, from->key, n * sizeof *from->key);
    DP_TRY(copy_bytes(&to->text_at, from->text_at, (n + 1) * sizeof *from->text_at));
    return copy_bytes(&to->text, from->text, (size_t)from->text_at[n]);
}

dp_status inputs_copy(DataInputs *to, const DataInputs *from)
{
    dp_status st = DP_OK;
    *to = (DataInputs){.columns = from->columns};
    DP_GO(dp_new(&to->input, (size_t)from->n));
    while (to->n < from->n) {
        int j = to->n++;
        DP_GO(copy_input(&to->input[j], &from->input[j]));
    }
done:
    if (st != DP_OK)
        data_inputs_free(to);
    return st;
}

dp_status data_inputs(DataInputs *inputs, const Data *data)
{
    const DataInputs *from = &data->inputs;
    dp_status st = DP_OK;
    for (int j = 0; j < data->n_features && st == DP_OK; j++)
        if (!from->input || (data->features[j].encode != DATA_PLAIN && !data->features[j].read))
            st = dp_fail(DP_ERR_INTERNAL, "data-14", "feature %d was not read before the contract was asked for", j);
    if (st == DP_OK)
        st = inputs_copy(inputs, from);
    return st;
}
