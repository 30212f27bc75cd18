/* encode.c -- blocks of a table into rows of floats by a frozen contract: the scoring path. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data_priv.h"

/* Rows are made in tiles whose floats stay in the first-level cache while each column is written into them. */
enum { TILE = 128 };

/* The contract's texts, to be found by text, or its keys; and the last dictionary's codes as places in the table. */
typedef struct Lookup {
    uint32_t *slots; /* [mask + 1] category + 1, 0 = free */
    uint64_t mask;
    uint32_t *place; /* [room] by code: in->n missing, UNSEEN */
    float *of_code;  /* [room] its statistic */
    uint32_t room;
    int64_t serial;
    /* Combinations: every key's statistic where there are few enough, else slots. */
    float *dense;               /* [keys of the parts] or NULL */
    uint64_t steps[DATA_PARTS]; /* what a part's place counts in the key */
} Lookup;
enum { DENSE_MAX = 1 << 22 };
#define UNSEEN UINT32_MAX

struct DataEncoder {
    const DataInputs *inputs;
    int *columns;
    Lookup *lookup; /* [inputs->n] */
};

static bool is_number(LakeType type)
{
    return type == LAKE_NUMBER || type == LAKE_NUMBER32;
}

static bool same_unit(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

/* Local. Every column that does not fit, in one message. */
static dp_status find_columns(int *columns, const DataInputs *inputs, const LakeSchema *schema)
{
    dp_buf wrong = {.max = 1500};
    int n_wrong = 0;
    for (int j = 0; j < inputs->columns; j++) {
        const DataInput *in = &inputs->input[j];
        const LakeColumn *c = NULL;
        char what[256] = "";
        columns[j] = lake_schema_find(schema, in->name);
        if (columns[j] >= 0)
            c = &schema->columns[columns[j]];
        if (!c)
            snprintf(what, sizeof what, "'%s' is not there", in->name);
        else if (c->type != in->type && !(is_number(c->type) && is_number(in->type)))
            snprintf(what, sizeof what, "'%s' is of type %s, not %s", in->name, lake_type_name(c->type),
                     lake_type_name(in->type));
        else if (!same_unit(c->unit, in->unit))
            snprintf(what, sizeof what, "'%s' is in %s, not %s", in->name, c->unit ? c->unit : "no unit",
                     in->unit ? in->unit : "no unit");
        if (what[0])
            (void)dp_buf_print(&wrong, "%s%s", n_wrong++ ? "; " : "", what); /* full: the first ones are named */
    }
    dp_status st = n_wrong ? dp_fail(DP_ERR_DATA, "data-10", "the table does not fit the model: %s%s", wrong.data,
                                     wrong.size > 1300 ? " ..." : "")
                           : DP_OK;
    dp_buf_free(&wrong);
    return st;
}

static uint64_t hash_text(const char *text, size_t size)
{
    return dp_hash64(text, size, 0);
}

static uint64_t hash_key(uint64_t key)
{
    key *= UINT64_C(0x9E3779B97F4A7C15);
    return key ^ key >> 29;
}

/* Local. Slots for the table's n entries, at most half full. */
static dp_status build_slots(Lookup *lookup, const DataInput *in)
{
    uint64_t room = 16;
    if (in->n >= UINT32_MAX)
        return dp_fail(DP_ERR_DATA, "data-10", "the model has %lld categories in column '%s', more than it can",
                       (long long)in->n, in->name);
    while (room < 2 * (uint64_t)in->n)
        room *= 2;
    DP_TRY(dp_new(&lookup->slots, room));
    lookup->mask = room - 1;
    for (int64_t i = 0; i < in->n; i++) {
        uint64_t s = (in->key ? hash_key(in->key[i])
                              : hash_text(in->text + in->text_at[i], (size_t)(in->text_at[i + 1] - in->text_at[i]))) &
                     lookup->mask;
        while (lookup->slots[s] != 0)
            s = (s + 1) & lookup->mask;
        lookup->slots[s] = (uint32_t)i + 1;
    }
    return DP_OK;
}

/* Local. */
static dp_status build_combined(Lookup *lookup, const DataInput *in, const DataInputs *inputs)
{
    uint64_t keys = 1;
    for (int p = in->parts - 1; p >= 0; p--) {
        lookup->steps[p] = keys;
        keys *= (uint64_t)inputs->input[in->part[p]].n + 1; /* fits: the contract was checked */
    }
    if (keys > DENSE_MAX)
        return build_slots(lookup, in);
    DP_TRY(dp_new(&lookup->dense, (size_t)keys));
    for (uint64_t k = 0; k < keys; k++)
        lookup->dense[k] = in->unseen;
    for (int64_t i = 0; i < in->n; i++)
        lookup->dense[in->key[i]] = in->value[i];
    return DP_OK;
}

static dp_status build_lookup(Lookup *lookup, const DataInput *in, const DataInputs *inputs)
{
    lookup->serial = INT64_MIN;
    if (in->encode == DATA_TARGET)
        return build_slots(lookup, in);
    return in->encode == DATA_COMBINED ? build_combined(lookup, in, inputs) : DP_OK;
}

dp_status data_encoder_build(DataEncoder **encoder, const DataInputs *inputs, const LakeSchema *schema,
                             const int **columns)
{
    DataEncoder *e = NULL;
    dp_status st = DP_OK;
    DP_TRY(dp_new(&e, 1));
    e->inputs = inputs;
    DP_GO(dp_new(&e->columns, (size_t)inputs->columns));
    DP_GO(dp_new(&e->lookup, (size_t)inputs->n));
    DP_GO(find_columns(e->columns, inputs, schema));
    for (int j = 0; j < inputs->n; j++)
        DP_GO(build_lookup(&e->lookup[j], &inputs->input[j], inputs));
    *columns = e->columns;
done:
    if (st != DP_OK)
        data_encoder_free(&e);
    *encoder = e;
    return st;
}

void data_encoder_free(DataEncoder **encoder)
{
    DataEncoder *e = *encoder;
    for (int j = 0; e && e->lookup && j < e->inputs->n; j++) {
        dp_free(&e->lookup[j].slots);
        dp_free(&e->lookup[j].of_code);
        dp_free(&e->lookup[j].place);
        dp_free(&e->lookup[j].dense);
    }
    if (e) {
        dp_free(&e->lookup);
        dp_free(&e->columns);
    }
    dp_free(encoder);
}

static uint32_t find_text(const Lookup *lookup, const DataInput *in, const char *text, size_t size)
{
    for (uint64_t s = hash_text(text, size) & lookup->mask; lookup->slots[s] != 0; s = (s + 1) & lookup->mask) {
        uint32_t i = lookup->slots[s] - 1;
        if ((size_t)(in->text_at[i + 1] - in->text_at[i]) == size && memcmp(in->text + in->text_at[i], text, size) == 0)
            return i;
    }
    return UNSEEN;
}

static float find_key(const Lookup *lookup, const DataInput *in, uint64_t key)
{
    if (lookup->dense)
        return lookup->dense[key];
    for (uint64_t s = hash_key(key) & lookup->mask; lookup->slots[s] != 0; s = (s + 1) & lookup->mask)
        if (in->key[lookup->slots[s] - 1] == key)
            return in->value[lookup->slots[s] - 1];
    return in->unseen;
}

/* Local. The places and statistics of a new dictionary's codes; a dictionary comes with many blocks. */
static dp_status look_up(Lookup *lookup, const DataInput *in, const LakeDict *dict)
{
    if (lookup->of_code && lookup->serial == dict->serial)
        return DP_OK;
    if (dict->n > lookup->room) {
        DP_TRY(dp_resize(&lookup->of_code, lookup->room, dict->n));
        DP_TRY(dp_resize(&lookup->place, lookup->room, dict->n));
        lookup->room = dict->n;
    }
    for (uint32_t c = 0; c < dict->n; c++) {
        size_t size = dict->offset[c + 1] - dict->offset[c];
        uint32_t place = size == 0 ? (uint32_t)in->n : find_text(lookup, in, dict->bytes + dict->offset[c], size);
        lookup->place[c] = place;
        lookup->of_code[c] = size == 0 ? in->missing : place == UNSEEN ? in->unseen : in->value[place];
    }
    lookup->serial = dict->serial;
    return DP_OK;
}

/* Local. One column of the table, from row `first` on, into one of a tile. */
static void write_column(Tensor out, const LakeValues *v, const Lookup *lookup, int32_t first)
{
    float *x = out.data;
    int64_t n = out.shape[0], stride = out.stride[0];
    if (v->type == LAKE_NUMBER)
        for (int64_t i = 0; i < n; i++)
            x[i * stride] = (float)v->number[first + i];
    else if (v->type == LAKE_NUMBER32)
        for (int64_t i = 0; i < n; i++)
            x[i * stride] = v->number32[first + i];
    else
        for (int64_t i = 0; i < n; i++)
            x[i * stride] = lookup->of_code[v->code[first + i]];
}

/* Local. One combination into a column of a tile: keys first, then the look, whose cache misses then overlap. */
static void write_combined(Tensor out, const DataEncoder *e, int j, const LakeValues *values, int32_t first)
{
    float *x = out.data;
    int64_t n = out.shape[0], stride = out.stride[0];
    const DataInput *in = &e->inputs->input[j];
    const Lookup *lookup = &e->lookup[j];
    uint64_t key[TILE] = {0};
    bool unseen[TILE] = {false};
    for (int p = 0; p < in->parts; p++) {
        const uint32_t *place = e->lookup[in->part[p]].place, *code = values[in->part[p]].code + first;
        uint64_t step = lookup->steps[p];
        for (int64_t i = 0; i < n; i++) {
            uint32_t at = place[code[i]];
            unseen[i] |= at == UNSEEN;
            key[i] += at * step;
        }
    }
    for (int64_t i = 0; i < n; i++)
        x[i * stride] = unseen[i] ? in->unseen : find_key(lookup, in, key[i]);
}

dp_status data_encode(DataEncoder *encoder, const LakeValues *values, Tensor x)
{
    const DataInputs *inputs = encoder->inputs;
    int32_t rows = (int32_t)x.shape[0]; /* a block's */
    for (int j = 0; j < inputs->columns; j++)
        if (inputs->input[j].encode == DATA_TARGET)
            DP_TRY(look_up(&encoder->lookup[j], &inputs->input[j], values[j].dict));
    for (int32_t first = 0; first < rows; first += TILE) {
        Tensor tile = tensor_rows(x, first, rows - first < TILE ? rows - first : TILE);
        for (int j = 0; j < inputs->columns; j++)
            write_column(tensor_column(tile, j), &values[j], &encoder->lookup[j], first);
        for (int j = inputs->columns; j < inputs->n; j++)
            write_combined(tensor_column(tile, j), encoder, j, values, first);
    }
    return DP_OK;
}
