/* What the files of the family "trees" share. */
#ifndef DIPPER_MODEL_TREES_PRIV_H
#define DIPPER_MODEL_TREES_PRIV_H

#include "model/model_priv.h"
#include "trees/trees.h"

/* Local. Nodes from the float tensor x [N, features] to the margin [N, 1]. ml_version: 5, or 3 for the older operator.
 */
dp_status model_trees_onnx(const TreesModel *m, OnnxGraph *graph, const char *x, int ml_version);

#endif
