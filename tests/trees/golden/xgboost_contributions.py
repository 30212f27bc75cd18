"""Makes xgboost_contributions.txt: depth-wise trees of XGBoost, rows, and its pred_contribs for them.

Leaves are rounded to multiples of 2^-20, so that both programs hold the same trees; squared error makes covers counts.
XGBoost sends v < c left, Dipper v <= border: the border is the float before c. Run with xgboost 3.2.0:
    python3 tests/trees/golden/xgboost_contributions.py > tests/trees/golden/xgboost_contributions.txt
"""
import json

import numpy as np
import xgboost

F, N, TREES, DEPTH, SHOWN = 6, 3000, 12, 4, 25
rng = np.random.default_rng(7)
x = rng.normal(size=(N, F)).astype(np.float32)
x[:, 2] = np.round(x[:, 2])
x[rng.random((N, F)) < 0.1] = np.nan
filled = np.nan_to_num(x, nan=0.7)
y = filled[:, 0] * filled[:, 1] + np.sin(3 * filled[:, 3]) + 0.3 * filled[:, 2] + 0.1 * rng.normal(size=N)
booster = xgboost.train(
    {"max_depth": DEPTH, "eta": 0.3, "objective": "reg:squarederror", "base_score": 0.5, "seed": 7, "nthread": 1},
    xgboost.DMatrix(x, y), TREES)

model = json.loads(booster.save_raw("json"))
trees = model["learner"]["gradient_booster"]["model"]["trees"]
for tree in trees:
    for i, left in enumerate(tree["left_children"]):
        if left == -1:
            tree["split_conditions"][i] = round(tree["split_conditions"][i] * 2**20) / 2**20
booster = xgboost.Booster(model_file=bytearray(json.dumps(model).encode()))
contributions = booster.predict(xgboost.DMatrix(x[:SHOWN]), pred_contribs=True)


def emit(tree, node, depth):
    """The subtree in heap order, each line: heap index, feature, border, missing right | leaf, cover."""
    def walk(i, heap, level):
        if level == depth:
            print("leaf", heap, round(tree["split_conditions"][i] * 2**20), round(tree["sum_hessian"][i]))
        elif tree["left_children"][i] == -1:
            walk(i, 2 * heap + 1, level + 1)
        else:
            border = np.nextafter(np.float32(tree["split_conditions"][i]), np.float32(-np.inf))
            print("node", heap, tree["split_indices"][i], float(border).hex(), 1 - tree["default_left"][i])
            walk(tree["left_children"][i], 2 * heap + 1, level + 1)
            walk(tree["right_children"][i], 2 * heap + 2, level + 1)
    walk(node, 0, 0)


print("shape", F, TREES, DEPTH, SHOWN)
for tree in trees:
    print("tree")
    emit(tree, 0, DEPTH)
for row, phi in zip(x[:SHOWN], contributions):
    print("row", *("nan" if np.isnan(v) else float(v).hex() for v in row))
    print("phi", *(repr(float(v)) for v in phi))
