/* One model: a family's own state, and what all families share: the input contract, the payload digest, the file. */
#include "model/model_priv.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/publish.h"
#include "trees/trees.h"

struct Model {
    const ModelFamily *family;
    void *self;
    Data *data; /* while learning; borrowed */
    DataInputs inputs;
    DataKind kind;
    char *unit; /* of a number; NULL */
    DataClasses classes;
    dp_digest payload;
    const Device *device; /* NULL: none */
    const Model *from;    /* learning goes on from it; borrowed while learning, NULL: none */
    bool ranks;           /* it learns an order */
    bool finished;        /* it can be used */
};

enum { IMAGE_MAX = 1 << 30 };

static const ModelFamily *const families[] = {&model_trees};
enum { FAMILIES = sizeof families / sizeof *families };

typedef struct FamilyOptions {
    int family; /* index into families */
} FamilyOptions;
static const CfgRow family_rows[] = {
    {"family", CFG_CHOICE, CFG_AT(FamilyOptions, family), .def = "trees", .choices = "trees", .help = "what learns"},
    {.key = NULL},
};
static const CfgSection family_section = {.path = "model", .rows = family_rows};

const CfgSection model_sections[] = {
    {.path = "model", .rows = family_rows},
    {.path = "model", .rows = trees_rows, .when = "model.family = trees"},
    {.path = "model.categories", .rows = encode_rows, .when = "model.family = trees"},
};
const size_t model_sections_n = sizeof model_sections / sizeof *model_sections;

/* ---- learning ---- */

dp_status model_build(Model **model, const Config *config, uint64_t seed, Device *device)
{
    dp_status st = DP_OK;
    FamilyOptions options;
    Model *m = NULL;
    *model = NULL;
    DP_TRY(config_bind(config, &family_section, &options));
    DP_TRY(dp_new(&m, 1));
    m->family = families[options.family];
    m->device = device;
    DP_GO(m->family->build(&m->self, config, seed, device));
    *model = m;
    m = NULL;
done:
    model_free(&m);
    return st;
}

void model_free(Model **model)
{
    Model *m = *model;
    if (!m)
        return;
    m->family->free(&m->self);
    data_inputs_free(&m->inputs);
    dp_free(&m->unit);
    data_classes_free(&m->classes);
    dp_free(model);
}

void model_limit(Model *model, const ModelLimits *limits)
{
    if (model->family->limit)
        model->family->limit(model->self, limits);
}

int64_t model_memory_need(const Model *model, const Data *data, int ranks)
{
    return model->family->need ? model->family->need(model->self, data, ranks) : 0;
}

void model_rank(Model *model)
{
    model->ranks = true;
    model->family->rank(model->self);
}

dp_status model_go_on(Model *model, const Model *from, Data *data)
{
    if (model->family != from->family || !model->family->go_on)
        return dp_fail(DP_ERR_CONFIG, "model-15", "a model of family %s cannot go on from one of family %s",
                       model->family->name, from->family->name);
    if (from->kind != data_kind(data))
        return dp_fail(DP_ERR_CONFIG, "model-15", "the model to go on from says %s, and data.label is %s",
                       model_says(from), data_kind_name(data_kind(data)));
    if (!data_classes_same(&from->classes, data_classes(data)))
        return dp_fail(DP_ERR_CONFIG, "model-15",
                       "the model to go on from knows %d classes, other than the %d of train", from->classes.n,
                       data_classes(data)->n);
    DP_TRY(data_inherit(data, &from->inputs));
    model->family->go_on(model->self, from->self);
    model->from = from;
    return DP_OK;
}

/* Local. What is added to a number must be in its unit. */
static dp_status check_unit(const Model *model)
{
    const char *was = model->from && model->from->unit ? model->from->unit : "no unit";
    const char *label = model->ranks ? NULL : data_label_unit(model->data), *is = label ? label : "no unit";
    if (!model->from || model->from->kind != DATA_NUMBER || strcmp(was, is) == 0)
        return DP_OK;
    return dp_fail(DP_ERR_CONFIG, "model-15", "the model to go on from says numbers in %s, and this one in %s", was,
                   is);
}

dp_status model_begin(Model *model, Data *data, const Comm *comm)
{
    model->data = data;
    DP_TRY_ALL(comm, check_unit(model));
    return model->family->begin(model->self, data, comm);
}

void model_keep_ready(Model *model, ModelReady *ready)
{
    if (ready->family != model->family)
        model_ready_free(ready);
    ready->family = model->family;
    model->family->keep_ready(model->self, &ready->kept);
}

void model_ready_free(ModelReady *ready)
{
    if (ready->kept)
        ready->family->drop_ready(&ready->kept);
    *ready = (ModelReady){0};
}

dp_status model_step(Model *model, bool *more, const Comm *comm)
{
    return model->family->step(model->self, more, comm);
}

int64_t model_steps(const Model *model)
{
    return model->family->steps(model->self);
}

int64_t model_steps_max(const Model *model)
{
    return model->family->steps_max(model->self);
}

const char *model_step_name(const Model *model)
{
    return model->family->step_name;
}

void model_scores(const Model *model, int64_t from, int64_t n, float *score)
{
    model->family->scores(model->self, from, n, score);
}

void model_cut(Model *model, int64_t n)
{
    model->family->cut(model->self, n);
}

dp_status model_state_save(const Model *model, dp_buf *state)
{
    dp_status st = DP_OK;
    ModelArrays arrays = {.n = 0};
    DP_GO(model->family->state_save(model->self, &arrays));
    DP_GO(model_arrays_pack(&arrays, state));
done:
    model_arrays_free(&arrays);
    return st;
}

dp_status model_state_load(Model *model, const void *state, size_t size, const Comm *comm)
{
    dp_status st = DP_OK;
    ModelArrays arrays = {.n = 0};
    DP_GO_ALL(comm, model_arrays_unpack(&arrays, state, size));
    DP_GO(model->family->state_load(model->self, &arrays, comm));
    DP_GO_ALL(comm, model_arrays_all_taken(&arrays));
done:
    model_arrays_free(&arrays);
    return st;
}

/* The payload: what the family learned and the contract with a table. */
static dp_status payload_put(const Model *model, ModelArrays *arrays)
{
    DP_TRY(model->family->save(model->self, arrays));
    DP_TRY(model_inputs_put(&model->inputs, arrays));
    if (model->kind == DATA_FLAG) /* as in files that know nothing else */
        return DP_OK;
    if (model->kind == DATA_CLASS) {
        DP_TRY(model_arrays_put(arrays, "label.kind", TENSOR_U8, "\2", 1));
        return model_arrays_put(arrays, "label.classes", TENSOR_U8, model->classes.text, (int64_t)model->classes.size);
    }
    const char *unit = model->unit ? model->unit : "";
    DP_TRY(model_arrays_put(arrays, "label.kind", TENSOR_U8, "\1", 1));
    return model_arrays_put(arrays, "label.unit", TENSOR_U8, unit, (int64_t)strlen(unit) + 1);
}

static dp_status take_digest(Model *model)
{
    dp_status st = DP_OK;
    ModelArrays arrays = {.n = 0};
    DP_GO(model_inputs_check(&model->inputs));
    DP_GO(payload_put(model, &arrays));
    DP_GO(model_arrays_digest(&arrays, &model->payload));
done:
    model_arrays_free(&arrays);
    return st;
}

dp_status model_finish(Model *model, const Comm *comm)
{
    DP_TRY_ALL(comm, data_inputs(&model->inputs, model->data));
    model->kind = data_kind(model->data);
    if (model->kind == DATA_NUMBER && !model->ranks)
        DP_TRY_ALL(comm, dp_copy_text(&model->unit, data_label_unit(model->data)));
    if (model->kind == DATA_CLASS) {
        const DataClasses *classes = data_classes(model->data);
        DP_TRY_ALL(comm, data_classes_build(&model->classes, classes->text, classes->size));
    }
    DP_TRY(model->family->finish(model->self, comm));
    DP_TRY_ALL(comm, take_digest(model));
    model->data = NULL;
    model->from = NULL;
    model->finished = true;
    return DP_OK;
}

/* ---- using ---- */

const DataInputs *model_inputs(const Model *model)
{
    return &model->inputs;
}

DataKind model_kind(const Model *model)
{
    return model->kind;
}

const char *model_says(const Model *model)
{
    static const char *const says[] = {
        [DATA_FLAG] = "the chance of a label", [DATA_NUMBER] = "a number", [DATA_CLASS] = "one of several classes"};
    return says[model->kind];
}

const char *model_unit(const Model *model)
{
    return model->unit;
}

int64_t model_rows_at_once(const Model *model)
{
    return model->device ? device_rows_at_once(model->device) : 1;
}

int model_outputs(const Model *model)
{
    return model->family->outputs(model->self);
}

const DataClasses *model_classes(const Model *model)
{
    return &model->classes;
}

int model_likeliest(const float *score, int outputs)
{
    int best = 0;
    for (int k = 1; k < outputs; k++)
        best = score[k] > score[best] ? k : best;
    return best;
}

void model_judge(const Model *model, const float *score, const uint8_t *class_id, int64_t n, float *chance,
                 uint8_t *guess)
{
    const int outputs = model_outputs(model);
    if (outputs == 1) {
        memcpy(chance, score, (size_t)n * sizeof *chance);
        return;
    }
    for (int64_t i = 0; i < n; i++, score += outputs) {
        int best = model_likeliest(score, outputs);
        guess[i] = (uint8_t)best;
        chance[i] = score[class_id ? class_id[i] : best];
    }
}

void model_predict(const Model *model, Tensor x, float *score)
{
    model->family->predict(model->self, x, score);
}

void model_predict_columns(const Model *model, const float *const *value, int64_t first, int64_t n, float *score)
{
    model->family->predict_columns(model->self, value, first, n, score);
}

dp_status model_explain(const Model *model, Tensor x, double *phi)
{
    if (!model->family->explain)
        return dp_fail(DP_ERR_USAGE, "model-09", "models of family %s cannot be explained", model->family->name);
    return model->family->explain(model->self, x, phi);
}

static dp_status must_be_finished(const Model *model)
{
    if (!model->finished)
        return dp_fail(DP_ERR_USAGE, "model-10", "the model is still learning; finish it first");
    return DP_OK;
}

dp_status model_bins(ModelBins *bins, const Model *model)
{
    dp_hash *hash = NULL;
    dp_status st = DP_OK;
    *bins = (ModelBins){.n = 0};
    DP_TRY(must_be_finished(model));
    if (!model->family->bins)
        return DP_OK;
    bins->feature = model->family->bins(model->self, &bins->n);
    DP_GO(dp_hash_start(&hash));
    DP_GO(dp_hash_add(hash, "bins 1", 6));
    DP_GO(dp_hash_add(hash, model->payload.bytes, sizeof model->payload.bytes));
    DP_GO(dp_hash_end(&hash, &bins->set));
done:
    dp_hash_free(&hash);
    return st;
}

void model_bin(const Model *model, int k, const float *value, int64_t n, uint8_t *bin)
{
    model->family->bin(model->self, k, value, n, bin);
}

void model_predict_bins(const Model *model, const uint8_t *const *bin, int64_t n, float *score)
{
    model->family->predict_bins(model->self, bin, n, score);
}

dp_status model_facts(ModelFacts *facts, const Model *model)
{
    DP_TRY(must_be_finished(model));
    *facts = (ModelFacts){.family = model->family->name, .payload = model->payload};
    model->family->shape(model->self, facts->shape);
    return DP_OK;
}

bool model_gains(const Model *model, double *gain)
{
    return model->family->gains && model->family->gains(model->self, gain);
}

/* ---- files ---- */

static dp_status check_provenance(const char *provenance)
{
    json_error_t error;
    json_t *json = json_loads(provenance, JSON_REJECT_DUPLICATES, &error);
    bool good = json_is_object(json);
    json_decref(json);
    if (!good)
        return dp_fail(DP_ERR_USAGE, "model-11", "the provenance of a model must be a JSON object: %s", error.text);
    return DP_OK;
}

dp_status model_image(const Model *model, const char *provenance, dp_buf *image)
{
    dp_status st = DP_OK;
    ModelArrays arrays = {.n = 0};
    DP_GO(must_be_finished(model));
    DP_GO(check_provenance(provenance));
    DP_GO(payload_put(model, &arrays));
    DP_GO(model_file_write(image, model->family->name, &arrays, &model->payload, provenance));
done:
    model_arrays_free(&arrays);
    return st;
}

static dp_status find_family(const ModelFamily **family, const char *wanted, const char *name)
{
    for (int i = 0; i < FAMILIES; i++)
        if (strcmp(families[i]->name, wanted) == 0) {
            *family = families[i];
            return DP_OK;
        }
    return dp_fail(DP_ERR_DATA, "model-12", "%s holds a model of family '%s', which this Dipper does not know", name,
                   wanted);
}

static dp_status take_classes(Model *m, ModelArrays *arrays)
{
    char *text = NULL;
    int64_t n = 0;
    dp_status st = DP_OK;
    m->kind = DATA_CLASS;
    DP_GO(model_arrays_take(arrays, "label.classes", TENSOR_U8, &text, -1, &n));
    DP_GO(data_classes_build(&m->classes, text, (size_t)n));
done:
    dp_free(&text);
    return st;
}

/* What a score is; a chance where nothing is said. */
static dp_status take_label(Model *m, ModelArrays *arrays)
{
    uint8_t *kind = NULL;
    int64_t n = 0;
    if (!model_arrays_has(arrays, "label.kind"))
        return DP_OK;
    DP_TRY(model_arrays_take(arrays, "label.kind", TENSOR_U8, &kind, 1, NULL));
    int code = kind[0];
    dp_free(&kind);
    if (code == 2)
        return take_classes(m, arrays);
    if (code != 1)
        return dp_fail(DP_ERR_DATA, "model-05", "the label is of a kind unknown to this release");
    m->kind = DATA_NUMBER;
    DP_TRY(model_arrays_take(arrays, "label.unit", TENSOR_U8, &m->unit, -1, &n));
    if (n < 1 || n > 256 || m->unit[n - 1] != 0 || strlen(m->unit) != (size_t)n - 1)
        return dp_fail(DP_ERR_DATA, "model-05", "the unit of the label is no text");
    if (n == 1)
        dp_free(&m->unit);
    return DP_OK;
}

/* Everything between bytes and a model that can be used. */
static dp_status model_of(Model **model, char **provenance, const void *image, size_t size, const char *name,
                          Device *device)
{
    dp_status st = DP_OK;
    ModelArrays arrays = {.n = 0};
    char family[32];
    Model *m = NULL;
    DP_GO(dp_new(&m, 1));
    m->family = &model_trees;
    m->device = device;
    DP_GO(model_file_read(&arrays, family, &m->payload, provenance, image, size, name));
    DP_GO(find_family(&m->family, family, name));
    DP_GO(model_inputs_take(&m->inputs, &arrays));
    DP_GO(take_label(m, &arrays));
    DP_GO(m->family->load(&m->self, &arrays, m->inputs.n, device));
    DP_GO(model_arrays_all_taken(&arrays));
    DP_GO(model_outputs(m) != (m->kind == DATA_CLASS ? m->classes.n : 1)
              ? dp_fail(DP_ERR_DATA, "model-05", "%d scores for %d classes", model_outputs(m), m->classes.n)
              : DP_OK);
    m->finished = true;
    *model = m;
    m = NULL;
done:
    model_arrays_free(&arrays);
    model_free(&m);
    if (st != DP_OK && provenance)
        dp_free(provenance);
    if (st == DP_ERR_DATA && !provenance) { /* damage is told from a file that lies */
        dp_error error = *dp_error_last();
        st = model_file_check(image, size, name);
        st = st == DP_OK ? dp_fail_as(&error) : st;
    }
    return st;
}

dp_status model_load(Model **model, char **provenance, const char *path, Device *device)
{
    dp_status st = DP_OK;
    char *image = NULL;
    size_t size = 0;
    *model = NULL;
    if (provenance)
        *provenance = NULL;
    DP_GO(dp_read_file(&image, &size, path, IMAGE_MAX));
    DP_GO(model_of(model, provenance, image, size, path, device));
done:
    dp_free(&image);
    return st;
}

dp_status model_export_onnx_for(const Model *model, const char *name, const char *version, int ml_version, dp_buf *out)
{
    DP_TRY(must_be_finished(model));
    return model_onnx(model->family, model->self, &model->inputs, model->kind, &model->classes, &model->payload, name,
                      version, ml_version, out);
}

dp_status model_export_onnx(const Model *model, const char *name, const char *version, dp_buf *out)
{
    return model_export_onnx_for(model, name, version, 5, out);
}
