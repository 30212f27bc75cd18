# RUN np=1 -- a number is learned, judged, scored, explained and exported: one payload on two ranks, figures and scores as the table and ONNX Runtime say, what cannot be learned is refused
"""The label is 1000 x + 400 (origin is BR) + noise, in TWD, around ten million."""
import csv
import io
import json
import os

import numpy as np
import onnxruntime

from program import check, home, run, write

ROWS = 4000
rng = np.random.default_rng(3)
x, origin = rng.random(ROWS), rng.choice(["BR", "VN", "DE", ""], ROWS)
duty = 1e7 + 1000 * x + 400 * (origin == "BR") + rng.normal(0, 20, ROWS)
weight = rng.choice([0.5, 1, 3], ROWS)
part = np.where(np.arange(ROWS) % 5 == 0, "valid", np.where(np.arange(ROWS) % 5 == 1, "test", "train"))
weight[(part == "train") & (np.arange(ROWS) % 7 == 0)] = 0

TABLE = """kind: table
name: goods
about: goods
owner: test
from: {format: csv}
rows: {id: id, time: at}
columns:
  id: {type: text}
  at: {type: time, format: "%Y-%m-%dT%H:%M:%SZ"}
  x: {type: number}
  origin: {type: category}
  duty: {type: number, unit: TWD}
  weight: {type: number}
  part: {type: category}
"""
MODEL = """kind: model
name: duty
about: duty of a declaration
owner: test
data: {table: goods, label: duty, weight: weight, columns: [x, origin]}
split: {column: part}
model: {family: trees, trees: 80, depth: 4, growth: depth, learning_rate: 0.2, levels: 255, monotone: {up: [x]}}
train: {loss: squared, stop: {patience: 30}, seed: 7}
job: {threads: 1}
"""
BATCH = """kind: batch
name: night
about: scores
owner: test
data: {table: goods}
models: {use: [duty]}
write: {table: expected, reasons: 2, top: 0}
job: {threads: 1}
"""


def ingest(name, labels, weights):
    lines = ["id,at,x,origin,duty,weight,part"]
    for i in range(ROWS):
        lines.append(f"D{i:05d},2026-01-01T{i // 3600:02d}:{i // 60 % 60:02d}:{i % 60:02d}Z,{float(x[i])!r},{origin[i]},{labels[i]!r},{weights[i]!r},{part[i]}")
    write(f"{name}.csv", "\n".join(lines) + "\n")
    write(f"{name}.yaml", TABLE.replace("name: goods", f"name: {name}"))
    run("ingest", f"{name}.yaml", f"{name}.csv", "--quiet")


write("model.yaml", MODEL)
write("night.yaml", BATCH)
ingest("goods", duty.tolist(), weight.tolist())

# One payload on one and two ranks.
check(run("train", "model.yaml", "--quiet").strip() == "duty:1", "no first version")
second = run("train", "model.yaml", "--quiet", ranks=2).strip()
check(second == "duty:1", f"two ranks learned another model: {second}")

# Figures as numpy has them, from the scores that the batch wrote.
run("score", "night.yaml", "--quiet")
table = list(csv.DictReader(io.StringIO(run("lake", "export", "expected", "--columns", "row,score"))))
score = np.zeros(ROWS, np.float32)
for line in table:
    score[int(line["row"][1:])] = np.float32(line["score"])
test = part == "test"
miss = score[test].astype(float) - duty[test]
figures = {f["metric"]: f for f in json.loads(run("evaluate", "model.yaml", "duty", "--json"))["figures"]}
check(abs(figures["rmse"]["value"] - np.sqrt(np.mean(miss**2))) < 1e-6, f"rmse {figures['rmse']}")
check(abs(figures["mae"]["value"] - np.mean(np.abs(miss))) < 1e-6, f"mae {figures['mae']}")
check(figures["rmse"]["low"] < figures["rmse"]["value"] < figures["rmse"]["high"], "no interval")
check(figures["rmse"]["value"] < 60, f"an rmse of {figures['rmse']['value']} is no learning: the labels' is {duty.std():.0f}")
columns = json.loads(run("lake", "show", "expected", "--json"))["columns"]
check([c.get("unit") for c in columns if c["name"] == "score"] == ["TWD"], f"the score has no unit: {columns}")

# ONNX Runtime says the same bits.
run("model", "export", "duty", "--out", "duty.onnx")
session = onnxruntime.InferenceSession(os.path.join(home, "duty.onnx"), providers=["CPUExecutionProvider"])
got = session.run(["score"], {"x": x.astype(np.float32)[:, None], "origin": origin.astype(object)[:, None]})[0][:, 0]
check(np.array_equal(got, score), f"ONNX Runtime differs by up to {np.abs(got - score).max()}")

# It rises with x.
grid = np.linspace(-0.1, 1.1, 500, dtype=np.float32)[:, None]
for text in ("BR", "VN", "", "XX"):
    line = session.run(["score"], {"x": grid, "origin": np.full((500, 1), text, object)})[0][:, 0]
    check((np.diff(line) >= 0).all(), f"the score falls with x for {text}")

# What cannot be learned or judged.
check("train-04" in run("train", "model.yaml", "train.stop.metric=auc", code=78), "auc of numbers")
check("train-03" in run("train", "model.yaml", "train.loss=logloss", "train.stop.metric=auc", code=78), "log-loss of numbers")
check("metric-05" in run("train", "model.yaml", "evaluate.metrics=[auc]", "model.trees=2", code=78), "auc of a number")
check("model-14" in run("train", "model.yaml", "model.monotone.down=[x]", code=78), "up and down")
check("data-03" in run("train", "model.yaml", "data.weight=origin", code=78), "a weight of text")
bad = weight.copy()
bad[ROWS - 1] = -1
ingest("bad", duty.tolist(), bad.tolist())
for ranks in (1, 2):
    words = run("train", "model.yaml", "data.table=bad", code=65, ranks=ranks)
    check("data-15" in words and str(ROWS - 1) in words, f"a negative weight: {words}")
