/* A model as ONNX: each input by the name of its column (numbers as float [N, 1], categories as string [N, 1]), the
 * frozen tables as LabelEncoder nodes, then the family's own nodes, then the probability. */
#include "model/model_priv.h"

#include <stdio.h>
#include <string.h>

/* Of the graph's own tensors; no column can have a name with '/'. */
static const char *const matrix = "/inputs";

/* A node text -> its table's values; the empty text is what a missing value is. */
typedef struct Coder {
    OnnxNode *node;
    int64_t *at; /* [n + 1] where the texts begin and end */
    int64_t skip, n;
} Coder;

/* The keys of a LabelEncoder from the texts of a category, the empty one first. */
static dp_status start_coder(Coder *c, OnnxGraph *graph, const DataInput *in, const char *output)
{
    bool has_empty = in->n > 0 && in->text_at[1] == in->text_at[0]; /* sorted: it would be the first */
    *c = (Coder){.skip = has_empty ? 1 : 0, .n = in->n + (has_empty ? 0 : 1)};
    DP_TRY(dp_new(&c->at, (size_t)c->n + 1));
    for (int64_t k = 1; k < c->n; k++)
        c->at[k + 1] = in->text_at[k + c->skip];
    c->node = onnx_node(graph, "ai.onnx.ml", "LabelEncoder", (const char *[]){in->name}, 1, output);
    onnx_strings(c->node, "keys_strings", in->text ? in->text : "", c->at, c->n);
    return DP_OK;
}

/* text -> statistic. */
static dp_status add_category(OnnxGraph *graph, const DataInput *in, const char *encoded)
{
    dp_status st = DP_OK;
    float *value = NULL;
    Coder coder = {0};
    DP_GO(start_coder(&coder, graph, in, encoded));
    DP_GO(dp_new(&value, (size_t)coder.n));
    value[0] = in->missing;
    for (int64_t k = 1; k < coder.n; k++)
        value[k] = in->value[k - 1 + coder.skip];
    onnx_floats(coder.node, "values_floats", value, coder.n);
    onnx_float(coder.node, "default_float", in->unseen);
done:
    dp_free(&coder.at);
    dp_free(&value);
    return st;
}

/* text -> what its place adds to a key; an unseen one makes the whole key negative. */
static dp_status add_place(OnnxGraph *graph, const DataInput *in, int64_t step, const char *output)
{
    dp_status st = DP_OK;
    int64_t *value = NULL;
    Coder coder = {0};
    DP_GO(start_coder(&coder, graph, in, output));
    DP_GO(dp_new(&value, (size_t)coder.n));
    value[0] = in->n * step;
    for (int64_t k = 1; k < coder.n; k++)
        value[k] = (k - 1 + coder.skip) * step;
    onnx_ints(coder.node, "values_int64s", value, coder.n);
    onnx_int(coder.node, "default_int64", -(INT64_C(1) << 60));
done:
    dp_free(&coder.at);
    dp_free(&value);
    return st;
}

/* The places of the parts summed to a key, key -> statistic. */
static dp_status add_combination(OnnxGraph *graph, const DataInputs *inputs, int j, const char *encoded)
{
    const DataInput *in = &inputs->input[j];
    int64_t step = 1, *key = NULL;
    float *value = NULL;
    char sum[48] = "", name[48], next[48];
    dp_status st = DP_OK;
    for (int p = in->parts - 1; p >= 0; p--) {
        const DataInput *part = &inputs->input[in->part[p]];
        snprintf(name, sizeof name, "/place/%d/%d", j, p);
        DP_GO(add_place(graph, part, step, name));
        step *= part->n + 1;
        snprintf(next, sizeof next, "/key/%d/%d", j, p);
        if (sum[0])
            onnx_node(graph, "", "Add", (const char *[]){sum, name}, 2, next);
        memcpy(sum, sum[0] ? next : name, sizeof sum);
    }
    DP_GO(dp_new(&key, (size_t)in->n + 1));
    DP_GO(dp_new(&value, (size_t)in->n + 1));
    for (int64_t k = 0; k < in->n; k++) {
        key[k] = (int64_t)in->key[k];
        value[k] = in->value[k];
    }
    key[in->n] = -1; /* an empty table needs an entry too */
    value[in->n] = in->unseen;
    OnnxNode *node = onnx_node(graph, "ai.onnx.ml", "LabelEncoder", (const char *[]){sum}, 1, encoded);
    onnx_ints(node, "keys_int64s", key, in->n + 1);
    onnx_floats(node, "values_floats", value, in->n + 1);
    onnx_float(node, "default_float", in->unseen);
done:
    dp_free(&key);
    dp_free(&value);
    return st;
}

static void add_input(OnnxGraph *graph, const DataInput *in)
{
    if (in->encode == DATA_TARGET)
        onnx_input_text(graph, in->name, 1);
    else
        onnx_input(graph, in->name, TENSOR_F32, 1);
}

/* Every input, encoded, side by side in one tensor. */
static dp_status add_inputs(OnnxGraph *graph, const DataInputs *inputs)
{
    dp_status st = DP_OK;
    char(*encoded)[32] = NULL;
    const char **parts = NULL;
    DP_GO(dp_new(&encoded, (size_t)inputs->n));
    DP_GO(dp_new(&parts, (size_t)inputs->n));
    for (int j = 0; j < inputs->n; j++) {
        const DataInput *in = &inputs->input[j];
        if (j < inputs->columns)
            add_input(graph, in);
        parts[j] = in->name;
        if (in->encode == DATA_PLAIN)
            continue;
        snprintf(encoded[j], sizeof encoded[j], "/encoded/%d", j);
        parts[j] = encoded[j];
        DP_GO(in->encode == DATA_TARGET ? add_category(graph, in, encoded[j])
                                        : add_combination(graph, inputs, j, encoded[j]));
    }
    OnnxNode *node = onnx_node(graph, "", "Concat", parts, inputs->n, matrix);
    onnx_int(node, "axis", 1);
done:
    dp_free(&encoded);
    dp_free(&parts);
    return st;
}

/* "score", unless a column has that name: then with '_' behind it. */
static void free_name(char out[80], const char *wanted, const DataInputs *inputs)
{
    bool taken = true;
    snprintf(out, 64, "%s", wanted);
    while (taken) {
        taken = false;
        for (int j = 0; j < inputs->n; j++)
            taken = taken || strcmp(inputs->input[j].name, out) == 0;
        size_t n = strlen(out);
        if (taken && n < 78)
            memcpy(out + n, "_", sizeof "_");
    }
}

/* The name of the class with the highest margin, the first of several. */
static dp_status add_class(OnnxGraph *graph, const DataInputs *inputs, const DataClasses *classes)
{
    char name[80];
    int64_t *number = NULL, *at = NULL;
    dp_buf text = {0};
    dp_status st = DP_OK;
    free_name(name, "class", inputs);
    DP_GO(dp_new(&number, (size_t)classes->n));
    DP_GO(dp_new(&at, (size_t)classes->n + 1));
    for (int k = 0; k < classes->n; k++) {
        DP_GO(dp_buf_text(&text, classes->name[k]));
        number[k] = k;
        at[k + 1] = (int64_t)text.size;
    }
    onnx_int(onnx_node(graph, "", "ArgMax", (const char *[]){MODEL_ONNX_MARGIN}, 1, "/number"), "axis", 1);
    OnnxNode *node = onnx_node(graph, "ai.onnx.ml", "LabelEncoder", (const char *[]){"/number"}, 1, name);
    onnx_ints(node, "keys_int64s", number, classes->n);
    onnx_strings(node, "values_strings", text.data, at, classes->n);
    onnx_output_text(graph, name, 1);
done:
    dp_free(&number);
    dp_free(&at);
    dp_buf_free(&text);
    return st;
}

/* A number is its margin. The probability in double and then to float, as model_predict does: a float sigmoid is off by
 * some 1e-7. */
static dp_status add_outputs(OnnxGraph *graph, const DataInputs *inputs, DataKind kind, const DataClasses *classes)
{
    char margin[80], score[80];
    const int64_t width = kind == DATA_CLASS ? classes->n : 1;
    free_name(margin, "margin", inputs);
    free_name(score, "score", inputs);
    onnx_node(graph, "", "Identity", (const char *[]){MODEL_ONNX_MARGIN}, 1, margin);
    if (kind == DATA_NUMBER) {
        onnx_node(graph, "", "Identity", (const char *[]){MODEL_ONNX_MARGIN}, 1, score);
    } else {
        onnx_type(onnx_node(graph, "", "Cast", (const char *[]){MODEL_ONNX_MARGIN}, 1, "/double"), "to", TENSOR_F64);
        onnx_node(graph, "", kind == DATA_CLASS ? "Softmax" : "Sigmoid", (const char *[]){"/double"}, 1,
                  "/probability");
        onnx_type(onnx_node(graph, "", "Cast", (const char *[]){"/probability"}, 1, score), "to", TENSOR_F32);
    }
    onnx_output(graph, margin, TENSOR_F32, width);
    onnx_output(graph, score, TENSOR_F32, width);
    return kind == DATA_CLASS ? add_class(graph, inputs, classes) : DP_OK;
}

dp_status model_onnx(const ModelFamily *family, const void *self, const DataInputs *inputs, DataKind kind,
                     const DataClasses *classes, const dp_digest *payload, const char *name, const char *version,
                     int ml_version, dp_buf *out)
{
    dp_status st = DP_OK;
    OnnxGraph *graph = NULL;
    char hex[DP_DIGEST_HEX];
    bool newer = ml_version >= 5;
    DP_GO(!family->export_onnx || inputs->n == 0
              ? dp_fail(DP_ERR_USAGE, "model-09", "models of family %s without inputs or trees have no ONNX form",
                        family->name)
              : DP_OK);
    DP_GO(ml_version != 3 && ml_version != 5
              ? dp_fail(DP_ERR_USAGE, "model-13", "ONNX is written for ai.onnx.ml 5 or 3, not %d", ml_version)
              : DP_OK);
    DP_GO(onnx_build(&graph, name));
    dp_digest_print(hex, payload);
    onnx_note(graph, "dipper.payload", hex);
    onnx_opset(graph, "", newer ? 21 : 13);
    onnx_opset(graph, "ai.onnx.ml", ml_version);
    DP_GO(add_inputs(graph, inputs));
    DP_GO(family->export_onnx(self, graph, matrix, ml_version));
    DP_GO(add_outputs(graph, inputs, kind, classes));
    DP_GO(onnx_write(graph, newer ? 10 : 8, version, out));
done:
    onnx_free(&graph);
    return st;
}
