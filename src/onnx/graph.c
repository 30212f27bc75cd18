/* The builder. All messages and values live in one list of blocks that goes with the graph, so that nothing has to be
 * freed one by one and a failure half-way leaks nothing. */
#include "onnx/onnx.h"

#include <stdbool.h>
#include <string.h>

#include <onnx.pb-c.h>

/* A block of memory in the graph's list; what is asked for follows it. */
typedef struct Block {
    _Alignas(16) struct Block *next;
} Block;

typedef struct List {
    void **item;
    size_t n, room;
} List;

struct OnnxNode {
    OnnxGraph *graph;
    Onnx__NodeProto proto;
    List attributes;
};

struct OnnxGraph {
    Block *blocks;
    dp_status st;
    dp_error error;
    Onnx__GraphProto proto;
    List nodes, inputs, outputs, constants, notes, opsets;
    OnnxNode nowhere; /* what a node becomes after a failure */
};

/* Zeroed memory of the graph; NULL after a failure. */
static void *take(OnnxGraph *graph, size_t n, size_t size)
{
    size_t bytes;
    Block *block = NULL;
    if (graph->st != DP_OK)
        return NULL;
    graph->st = dp_bytes_of(&bytes, n, size);
    if (graph->st == DP_OK)
        graph->st = dp_new_bytes(&block, bytes + sizeof *block, 1);
    if (graph->st != DP_OK) {
        graph->error = *dp_error_last();
        return NULL;
    }
    block->next = graph->blocks;
    graph->blocks = block;
    return block + 1;
}

static void *take_copy(OnnxGraph *graph, const void *data, size_t n, size_t size)
{
    void *copy = take(graph, n, size);
    if (copy && n > 0)
        memcpy(copy, data, n * size);
    return copy;
}

static char *take_text(OnnxGraph *graph, const char *text)
{
    return take_copy(graph, text, strlen(text) + 1, 1);
}

/* false after a failure. */
static bool list_add(OnnxGraph *graph, List *list, void *item)
{
    if (list->n == list->room) {
        size_t room = list->room ? 2 * list->room : 8;
        void **more = take(graph, room, sizeof *more);
        if (!more)
            return false;
        if (list->n > 0)
            memcpy(more, list->item, list->n * sizeof *more);
        list->item = more;
        list->room = room;
    }
    list->item[list->n++] = item;
    return graph->st == DP_OK;
}

dp_status onnx_build(OnnxGraph **graph, const char *name)
{
    DP_TRY(dp_new(graph, 1));
    OnnxGraph *g = *graph;
    onnx__graph_proto__init(&g->proto);
    g->nowhere.graph = g;
    g->proto.name = take_text(g, name);
    if (g->st != DP_OK) {
        dp_status st = g->st;
        onnx_free(graph);
        return st;
    }
    return DP_OK;
}

void onnx_free(OnnxGraph **graph)
{
    if (!*graph)
        return;
    for (Block *block = (*graph)->blocks, *next; block; block = next) {
        next = block->next;
        dp_free(&block);
    }
    dp_free(graph);
}

/* ---- tensors in and out ---- */

static const int32_t codes[] = {
    [TENSOR_U8] = ONNX__TENSOR_PROTO__DATA_TYPE__UINT8,   [TENSOR_I32] = ONNX__TENSOR_PROTO__DATA_TYPE__INT32,
    [TENSOR_I64] = ONNX__TENSOR_PROTO__DATA_TYPE__INT64,  [TENSOR_F32] = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
    [TENSOR_F64] = ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE,
};

static Onnx__TensorShapeProto__Dimension *new_dimension(OnnxGraph *graph)
{
    Onnx__TensorShapeProto__Dimension *dimension = take(graph, 1, sizeof *dimension);
    if (dimension)
        onnx__tensor_shape_proto__dimension__init(dimension);
    return dimension;
}

static void add_value(OnnxGraph *graph, List *list, const char *name, int32_t code, int64_t width)
{
    Onnx__ValueInfoProto *value = take(graph, 1, sizeof *value);
    Onnx__TypeProto *kind = take(graph, 1, sizeof *kind);
    Onnx__TypeProto__Tensor *tensor = take(graph, 1, sizeof *tensor);
    Onnx__TensorShapeProto *shape = take(graph, 1, sizeof *shape);
    Onnx__TensorShapeProto__Dimension **dims = take(graph, 2, sizeof *dims);
    Onnx__TensorShapeProto__Dimension *rows = new_dimension(graph), *columns = new_dimension(graph);
    char *copy = take_text(graph, name), *free_name = take_text(graph, "N");
    if (graph->st != DP_OK)
        return;
    onnx__value_info_proto__init(value);
    onnx__type_proto__init(kind);
    onnx__type_proto__tensor__init(tensor);
    onnx__tensor_shape_proto__init(shape);
    rows->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
    rows->dim_param = free_name;
    columns->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
    columns->dim_value = width;
    dims[0] = rows;
    dims[1] = columns;
    shape->n_dim = 2;
    shape->dim = dims;
    tensor->has_elem_type = 1;
    tensor->elem_type = code;
    tensor->shape = shape;
    kind->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    kind->tensor_type = tensor;
    value->name = copy;
    value->type = kind;
    list_add(graph, list, value);
}

void onnx_input(OnnxGraph *graph, const char *name, TensorType type, int64_t width)
{
    add_value(graph, &graph->inputs, name, codes[type], width);
}

void onnx_input_text(OnnxGraph *graph, const char *name, int64_t width)
{
    add_value(graph, &graph->inputs, name, ONNX__TENSOR_PROTO__DATA_TYPE__STRING, width);
}

void onnx_output(OnnxGraph *graph, const char *name, TensorType type, int64_t width)
{
    add_value(graph, &graph->outputs, name, codes[type], width);
}

void onnx_output_text(OnnxGraph *graph, const char *name, int64_t width)
{
    add_value(graph, &graph->outputs, name, ONNX__TENSOR_PROTO__DATA_TYPE__STRING, width);
}

static Onnx__TensorProto *new_tensor(OnnxGraph *graph, const char *name, Tensor values)
{
    size_t bytes = tensor_bytes(values);
    Onnx__TensorProto *tensor = take(graph, 1, sizeof *tensor);
    int64_t *dims = take_copy(graph, values.shape, (size_t)values.dims, sizeof *dims);
    uint8_t *raw = take(graph, bytes, 1);
    char *copy = take_text(graph, name);
    if (graph->st != DP_OK)
        return NULL;
    onnx__tensor_proto__init(tensor);
    tensor->n_dims = (size_t)values.dims;
    tensor->dims = dims;
    tensor->has_data_type = 1;
    tensor->data_type = codes[values.type];
    tensor->name = copy;
    tensor->has_raw_data = 1;
    tensor->raw_data = (ProtobufCBinaryData){.len = bytes, .data = raw};
    tensor_copy(raw, values);
    return tensor;
}

void onnx_constant(OnnxGraph *graph, const char *name, Tensor values)
{
    Onnx__TensorProto *tensor = new_tensor(graph, name, values);
    if (tensor)
        list_add(graph, &graph->constants, tensor);
}

void onnx_note(OnnxGraph *graph, const char *key, const char *value)
{
    Onnx__StringStringEntryProto *note = take(graph, 1, sizeof *note);
    char *key_copy = take_text(graph, key), *value_copy = take_text(graph, value);
    if (graph->st != DP_OK)
        return;
    onnx__string_string_entry_proto__init(note);
    note->key = key_copy;
    note->value = value_copy;
    list_add(graph, &graph->notes, note);
}

void onnx_opset(OnnxGraph *graph, const char *domain, int64_t version)
{
    Onnx__OperatorSetIdProto *set = take(graph, 1, sizeof *set);
    char *copy = take_text(graph, domain);
    if (graph->st != DP_OK)
        return;
    onnx__operator_set_id_proto__init(set);
    set->domain = copy;
    set->has_version = 1;
    set->version = version;
    list_add(graph, &graph->opsets, set);
}

/* ---- nodes ---- */

OnnxNode *onnx_node(OnnxGraph *graph, const char *domain, const char *op, const char *const *inputs, int n,
                    const char *output)
{
    OnnxNode *node = take(graph, 1, sizeof *node);
    char **ins = take(graph, (size_t)n, sizeof *ins), **outs = take(graph, 1, sizeof *outs);
    char *domain_copy = take_text(graph, domain), *op_copy = take_text(graph, op), *out = take_text(graph, output);
    for (int i = 0; i < n && ins; i++)
        ins[i] = take_text(graph, inputs[i]);
    if (graph->st != DP_OK)
        return &graph->nowhere;
    node->graph = graph;
    onnx__node_proto__init(&node->proto);
    outs[0] = out;
    node->proto.domain = domain_copy;
    node->proto.op_type = op_copy;
    node->proto.n_input = (size_t)n;
    node->proto.input = ins;
    node->proto.n_output = 1;
    node->proto.output = outs;
    list_add(graph, &graph->nodes, node);
    return node;
}

/* A new attribute of a node; NULL after a failure. */
static Onnx__AttributeProto *add_attribute(OnnxNode *node, const char *name, Onnx__AttributeProto__AttributeType type)
{
    Onnx__AttributeProto *attribute = take(node->graph, 1, sizeof *attribute);
    char *copy = take_text(node->graph, name);
    if (!copy)
        return NULL;
    onnx__attribute_proto__init(attribute);
    attribute->name = copy;
    attribute->has_type = 1;
    attribute->type = type;
    return list_add(node->graph, &node->attributes, attribute) ? attribute : NULL;
}

void onnx_int(OnnxNode *node, const char *name, int64_t value)
{
    Onnx__AttributeProto *a = add_attribute(node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    if (a) {
        a->has_i = 1;
        a->i = value;
    }
}

void onnx_type(OnnxNode *node, const char *name, TensorType type)
{
    onnx_int(node, name, codes[type]);
}

void onnx_float(OnnxNode *node, const char *name, float value)
{
    Onnx__AttributeProto *a = add_attribute(node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    if (a) {
        a->has_f = 1;
        a->f = value;
    }
}

void onnx_string(OnnxNode *node, const char *name, const char *value)
{
    Onnx__AttributeProto *a = add_attribute(node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
    char *copy = take_text(node->graph, value);
    if (a && copy) {
        a->has_s = 1;
        a->s = (ProtobufCBinaryData){.len = strlen(copy), .data = (uint8_t *)copy};
    }
}

void onnx_ints(OnnxNode *node, const char *name, const int64_t *values, int64_t n)
{
    Onnx__AttributeProto *a = add_attribute(node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    int64_t *copy = take_copy(node->graph, values, (size_t)n, sizeof *values);
    if (a && copy) {
        a->n_ints = (size_t)n;
        a->ints = copy;
    }
}

void onnx_floats(OnnxNode *node, const char *name, const float *values, int64_t n)
{
    Onnx__AttributeProto *a = add_attribute(node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS);
    float *copy = take_copy(node->graph, values, (size_t)n, sizeof *values);
    if (a && copy) {
        a->n_floats = (size_t)n;
        a->floats = copy;
    }
}

void onnx_strings(OnnxNode *node, const char *name, const char *text, const int64_t *at, int64_t n)
{
    Onnx__AttributeProto *a = add_attribute(node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS);
    ProtobufCBinaryData *strings = take(node->graph, (size_t)n, sizeof *strings);
    int64_t begin = n > 0 ? at[0] : 0;
    uint8_t *copy = take_copy(node->graph, text + begin, (size_t)(n > 0 ? at[n] - begin : 0), 1);
    if (!a || !copy)
        return;
    for (int64_t i = 0; i < n; i++)
        strings[i] = (ProtobufCBinaryData){.len = (size_t)(at[i + 1] - at[i]), .data = copy + at[i] - begin};
    a->n_strings = (size_t)n;
    a->strings = strings;
}

void onnx_tensor(OnnxNode *node, const char *name, Tensor values)
{
    Onnx__AttributeProto *a = add_attribute(node, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR);
    Onnx__TensorProto *tensor = new_tensor(node->graph, name, values);
    if (a && tensor)
        a->t = tensor;
}

/* ---- the file ---- */

static dp_status pack(const Onnx__ModelProto *model, dp_buf *out)
{
    size_t size = onnx__model_proto__get_packed_size(model);
    if (size > INT32_MAX)
        return dp_fail(DP_ERR_DATA, "onnx-01",
                       "the model would take %zu bytes as ONNX, over the 2 GiB that readers of protobuf take; train "
                       "with fewer trees or categories",
                       size);
    DP_TRY(dp_buf_reserve(out, size));
    out->size += onnx__model_proto__pack(model, (uint8_t *)out->data + out->size);
    return DP_OK;
}

dp_status onnx_write(const OnnxGraph *graph, int64_t ir, const char *version, dp_buf *out)
{
    Onnx__GraphProto proto = graph->proto;
    Onnx__ModelProto model = ONNX__MODEL_PROTO__INIT;
    Onnx__NodeProto **nodes = NULL;
    if (graph->st != DP_OK)
        return dp_fail_as(&graph->error);
    DP_TRY(dp_new(&nodes, graph->nodes.n + 1));
    for (size_t i = 0; i < graph->nodes.n; i++) {
        OnnxNode *node = graph->nodes.item[i];
        node->proto.n_attribute = node->attributes.n;
        node->proto.attribute = (Onnx__AttributeProto **)node->attributes.item;
        nodes[i] = &node->proto;
    }
    proto.n_node = graph->nodes.n;
    proto.node = nodes;
    proto.n_initializer = graph->constants.n;
    proto.initializer = (Onnx__TensorProto **)graph->constants.item;
    proto.n_input = graph->inputs.n;
    proto.input = (Onnx__ValueInfoProto **)graph->inputs.item;
    proto.n_output = graph->outputs.n;
    proto.output = (Onnx__ValueInfoProto **)graph->outputs.item;
    model.has_ir_version = 1;
    model.ir_version = ir;
    model.n_opset_import = graph->opsets.n;
    model.opset_import = (Onnx__OperatorSetIdProto **)graph->opsets.item;
    model.producer_name = (char *)"dipper"; /* packed, never written to */
    model.producer_version = (char *)version;
    model.graph = &proto;
    model.n_metadata_props = graph->notes.n;
    model.metadata_props = (Onnx__StringStringEntryProto **)graph->notes.item;
    dp_status st = pack(&model, out);
    dp_free(&nodes);
    return st;
}
