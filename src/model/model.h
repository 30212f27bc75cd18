/* model/model.h -- the families behind one table of functions; a model as one HDF5 file (bytes: FORMAT.md).
 *
 * Nothing outside model/<family>.c knows which family it has. A file holds the payload (learned arrays + input
 * contract), whose digest is the model's identity, and beside it the provenance (who, when, from what, metrics), which
 * is not part of the digest. Models are data: nothing in the file names another file or runs. */
#ifndef DIPPER_MODEL_MODEL_H
#define DIPPER_MODEL_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/status.h"
#include "comm/comm.h"
#include "config/config.h"
#include "data/data.h"
#include "device/device.h"
#include "tensor/tensor.h"

typedef struct Model Model;

/* All sections under `model` of all families, for the config kind "model". */
extern const CfgSection model_sections[];
extern const size_t model_sections_n;

/* ---- learning ---- */

/* Local. A new model of the family that the config names. The device is borrowed. */
dp_status model_build(Model **model, const Config *config, uint64_t seed, Device *device);
void model_free(Model **model);
/* What learning may take of this rank. The model does not depend on it. */
typedef struct ModelLimits {
    int64_t memory;      /* bytes, of all that the process holds; 0: no limit */
    const char *scratch; /* folder for what passes it, made when needed; borrowed until model_finish; NULL: none */
} ModelLimits;
/* Local. Before model_begin; not called: no limit. */
void model_limit(Model *model, const ModelLimits *limits);
/* Local. Bytes of memory that learning from the data takes of this rank when nothing limits it, beside what the process
 * holds already; 0 where the family cannot say. ranks: of the job. */
int64_t model_memory_need(const Model *model, const Data *data, int ranks);
/* Local, before model_begin. Numbers are learned as an order within the data's groups (the larger first), not as
 * themselves: scores are numbers without a unit, to be compared within a group. */
void model_rank(Model *model);
/* Local, after model_build. Learning goes on from a finished model: its inputs, frozen tables and borders stay as they
 * are, model_steps counts what it learned, and so many steps as the options say come on top. from is borrowed until
 * model_finish. Fails CONFIG, DATA where it does not fit data or options, naming columns. */
dp_status model_go_on(Model *model, const Model *from, Data *data);
/* Collective. Prepares learning from the data (borrowed until the model is freed or model_finish). */
dp_status model_begin(Model *model, Data *data, const Comm *comm);
/* Collective. One step (a tree, a batch). *more is false when there is nothing left to learn. */
dp_status model_step(Model *model, bool *more, const Comm *comm);
int64_t model_steps(const Model *model);         /* done */
int64_t model_steps_max(const Model *model);     /* asked for */
const char *model_step_name(const Model *model); /* "tree" */
/* Local. Current scores of this rank's data rows from .. from + n - 1, [n][model_outputs]; rows of other parts than
 * train and valid are 0. */
void model_scores(const Model *model, int64_t from, int64_t n, float *score);
/* Local. Goes back to the first n steps. */
void model_cut(Model *model, int64_t n);
/* Local / Collective. State of learning for a checkpoint; load goes on exactly there, on any rank count. */
dp_status model_state_save(const Model *model, dp_buf *state);
dp_status model_state_load(Model *model, const void *state, size_t size, const Comm *comm);
/* Collective. Ends learning: takes the input contract from the data, drops what only learning needs. */
dp_status model_finish(Model *model, const Comm *comm);

/* What learning prepares of its data (the binned columns), kept between models that learn from the same data one after
 * the other: a search bins once. {0} is empty. */
typedef struct ModelReady {
    const struct ModelFamily *family;
    void *kept;
} ModelReady;
void model_ready_free(ModelReady *ready);
/* Local. Before model_begin. The model takes what is ready, where it fits its options, and puts it back, or what it
 * prepared itself, when it ends learning or is freed. ready is borrowed until then; its data must stay open. */
void model_keep_ready(Model *model, ModelReady *ready);

/* ---- using ---- */

const DataInputs *model_inputs(const Model *model);
/* Local. What a score is: a chance, a number in a unit (NULL: none), or the chance of each class. */
DataKind model_kind(const Model *model);
const char *model_says(const Model *model); /* in words */
int model_outputs(const Model *model); /* numbers of a row's score: the classes, else 1; known once learning began */
const DataClasses *model_classes(const Model *model); /* n 0: none */
/* Local. What is judged of n rows' scores [n][model_outputs]: of classes the chance of each row's own, class_id [n],
 * and the likeliest class, guess [n], the first where several are; else the score itself, class_id and guess NULL.
 * class_id NULL of classes: chance of the likeliest. */
void model_judge(const Model *model, const float *score, const uint8_t *class_id, int64_t n, float *chance,
                 uint8_t *guess);
const char *model_unit(const Model *model);
/* Local. Rows that a call of the functions below is best given: a share of a thread, or all that a card computes. */
int64_t model_rows_at_once(const Model *model);
/* Local. score [N][model_outputs] of the rows x, float32 [N][inputs], the floats of a row side by side. Thread-safe; no
 * allocation on
 * a processor. */
void model_predict(const Model *model, Tensor x, float *score);
/* Local. The same scores, to the bit, of rows first .. first + n - 1 of columns, value[j] of feature j. */
void model_predict_columns(const Model *model, const float *const *value, int64_t first, int64_t n, float *score);
/* Bins of rows: a byte a feature that the model looks at, from which it scores without floats, to the same bits. set:
 * the digest by which stored ones are known (it covers the whole payload: the borders, and how inputs become features);
 * feature [n]: their numbers in a row of floats, the model's. n 0: the family has no bins. */
typedef struct ModelBins {
    dp_digest set;
    int n;
    const int32_t *feature;
} ModelBins;
/* Local. Fails USAGE where the model is not finished. */
dp_status model_bins(ModelBins *bins, const Model *model);
/* Local. bin [n] of the values [n] of the k-th of those features. Thread-safe, no allocation. */
void model_bin(const Model *model, int k, const float *value, int64_t n, uint8_t *bin);
/* Local. model_predict of binned rows: bin[k] [n]. Any bytes are safe. */
void model_predict_bins(const Model *model, const uint8_t *const *bin, int64_t n, float *score);
/* Local. Contributions of each input to the margin (to the score, where that is a number; of classes to the margin of
 * the likeliest): phi [N][inputs + 1], the
 * last the expected value. Fails USAGE where the family cannot explain. */
dp_status model_explain(const Model *model, Tensor x, double *phi);

typedef struct ModelFacts {
    const char *family; /* "trees" */
    char shape[64];     /* "512 x depth 6" */
    dp_digest payload;
} ModelFacts;
dp_status model_facts(ModelFacts *facts, const Model *model);

/* Local. What splitting by each input gained while learning, the sum over all splits: gain [inputs]. false where it is
 * not known: of a model from a file (its provenance holds it), or where the family has no such thing. */
bool model_gains(const Model *model, double *gain);

/* ---- files ---- */

/* Local. The model file's bytes. provenance: a JSON object's text. */
dp_status model_image(const Model *model, const char *provenance, dp_buf *image);
/* Local. Opens a model file: checks its layout, every offset and count, and the payload's digest; no HDF5 code meets
 * its bytes. *provenance (free with dp_free): with the digest of the whole file, which covers it; NULL if not wanted.
 * Fails NO_INPUT, DATA (broken or foreign), naming the file. */
dp_status model_load(Model **model, char **provenance, const char *path, Device *device);
/* Local. The model as ONNX: each input by its column's name, numbers as float [N, 1] (NaN = missing), categories as
 * string [N, 1] ("" = missing); outputs "margin" and "score" (the probability), each [N, 1]; of
 * classes [N, classes], and "class" [N, 1], the name of the likeliest; an output whose name a
 * column has gets a '_' behind it. ONNX Runtime gives the same margins bit for bit while they stay within -16 .. 16.
 * model_export_onnx writes TreeEnsemble of ai.onnx.ml 5; ml_version 3 writes TreeEnsembleRegressor, which runtimes
 * before 2025 know. Fails USAGE where the family has no ONNX form. */
dp_status model_export_onnx(const Model *model, const char *name, const char *version, dp_buf *out);
dp_status model_export_onnx_for(const Model *model, const char *name, const char *version, int ml_version, dp_buf *out);

extern const dp_help_row model_help[];

#endif
