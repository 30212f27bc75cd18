/* A model as ONNX: each input by the name of its column (numbers as float [N, 1], categories as string [N, 1]), the
 * frozen tables as LabelEncoder nodes, then the family's own nodes, then the probability. */
#include "model/model_priv.h"

#include <stdio.h>
#include <string.h>

/* Of the graph's own tensors; no column can have a name with '/'. */
static const char *const matrix = "/inputs";

/* text -> statistic; the empty text is what a missing value is. */
static dp_status add_category(OnnxGraph *graph, const DataInput *in, const char *encoded)
{
    dp_status st = DP_OK;
    int64_t *at = NULL;
    float *value = NULL;
    bool has_empty = in->n > 0 && in->text_at[1] == in->text_at[0]; /* sorted: it would be the first */
    int64_t skip = has_empty ? 1 : 0, n = in->n - skip;
    DP_GO(dp_new(&at, (size_t)n + 2));
    DP_GO(dp_new(&value, (size_t)n + 1));
    value[0] = in->missing;
    for (int64_t k = 0; k < n; k++) {
        at[k + 2] = in->text_at[k + skip + 1];
        value[k + 1] = in->value[k + skip];
    }
    OnnxNode *node = onnx_node(graph, "ai.onnx.ml", "LabelEncoder", (const char *[]){in->name}, 1, encoded);
    onnx_strings(node, "keys_strings", in->text ? in->text : "", at, n + 1);
    onnx_floats(node, "values_floats", value, n + 1);
    onnx_float(node, "default_float", in->unseen);
done:
    dp_free(&at);
    dp_free(&value);
    return st;
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
        onnx_input(graph, in->name, in->encode == DATA_TARGET ? ONNX_STRING : ONNX_FLOAT, 1);
        parts[j] = in->name;
        if (in->encode != DATA_TARGET)
            continue;
        snprintf(encoded[j], sizeof encoded[j], "/encoded/%d", j);
        parts[j] = encoded[j];
        DP_GO(add_category(graph, in, encoded[j]));
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

/* A number is its margin. The probability in double and then to float, as model_predict does: a float sigmoid is off by
 * some 1e-7. */
static void add_outputs(OnnxGraph *graph, const DataInputs *inputs, DataKind kind)
{
    char margin[80], score[80];
    free_name(margin, "margin", inputs);
    free_name(score, "score", inputs);
    onnx_node(graph, "", "Identity", (const char *[]){MODEL_ONNX_MARGIN}, 1, margin);
    if (kind == DATA_NUMBER) {
        onnx_node(graph, "", "Identity", (const char *[]){MODEL_ONNX_MARGIN}, 1, score);
    } else {
        onnx_int(onnx_node(graph, "", "Cast", (const char *[]){MODEL_ONNX_MARGIN}, 1, "/double"), "to", ONNX_DOUBLE);
        onnx_node(graph, "", "Sigmoid", (const char *[]){"/double"}, 1, "/probability");
        onnx_int(onnx_node(graph, "", "Cast", (const char *[]){"/probability"}, 1, score), "to", ONNX_FLOAT);
    }
    onnx_output(graph, margin, ONNX_FLOAT, 1);
    onnx_output(graph, score, ONNX_FLOAT, 1);
}

dp_status model_onnx(const ModelFamily *family, const void *self, const DataInputs *inputs, DataKind kind,
                     const dp_digest *payload, const char *name, const char *version, int ml_version, dp_buf *out)
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
    add_outputs(graph, inputs, kind);
    DP_GO(onnx_write(graph, newer ? 10 : 8, version, out));
done:
    onnx_free(&graph);
    return st;
}
