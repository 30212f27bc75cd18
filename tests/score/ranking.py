# RUN np=1 time=120 -- rows of a day and office are ranked by what inspections recover: as good as LightGBM's lambdarank, figures as scikit-learn's, one payload on any ranks, what cannot be ranked is refused
"""The level of a group says nothing about its rows: a model of the number itself learns the level, a ranking the order."""
import csv
import io
import json

import lightgbm
import numpy as np
from sklearn.metrics import ndcg_score

from program import check, run, write

GROUPS, EACH = 300, 24
ROWS = GROUPS * EACH
rng = np.random.default_rng(3)
day, office = np.repeat(np.arange(GROUPS) // 3, EACH), np.repeat(np.arange(GROUPS) % 3, EACH)
group = day * 3 + office
level = rng.normal(0, 2, GROUPS)[group]
x = rng.normal(0, 1, (ROWS, 6)).astype(np.float32)
x[:, 5] = level
chance = 1 / (1 + np.exp(-(1.5 * x[:, 0] - x[:, 1] * (x[:, 2] > 0) + level - 1.5)))
hit = rng.random(ROWS) < chance
duty = np.where(hit, np.round(np.exp(rng.normal(6, 1, ROWS) + 0.8 * x[:, 3] + level), 2), 0)
part = np.where(day % 5 == 0, "valid", np.where(day % 5 == 1, "test", "train"))
order = rng.permutation(ROWS)

TABLE = """kind: table
name: goods
about: goods
owner: test
from: {format: csv}
rows: {id: id, time: at}
columns:
  id: {type: text}
  at: {type: time, format: "%Y-%m-%dT%H:%M:%SZ"}
  office: {type: category}
  duty: {type: number, unit: TWD}
  hit: {type: label}
  part: {type: category}
"""
MODEL = """kind: model
name: first
about: what is worth an inspection today
owner: test
data: {table: goods, label: duty, group: [office, at], columns: [x0, x1, x2, x3, x4, x5]}
split: {column: part}
model: {family: trees, trees: 80, depth: 4, growth: depth, learning_rate: 0.1, rank: {top: 5}}
train: {loss: ranking, stop: {metric: ndcg@5, patience: 30}, every: 5, seed: 7}
evaluate: {metrics: [ndcg@5, ndcg@20%, revenue@5%], revenue: duty}
job: {threads: 1}
"""
BATCH = """kind: batch
name: night
about: scores
owner: test
data: {table: goods}
models: {use: [first]}
write: {table: expected, reasons: 2, top: 0}
job: {threads: 1}
"""


def ndcg(score, rows, k):
    """The mean over the groups with a gain."""
    values = []
    for g in np.unique(group[rows]):
        mine = rows[group[rows] == g]
        if duty[mine].sum() > 0:
            values.append(ndcg_score(duty[mine][None], score[mine][None].astype(float), k=k(len(mine)), ignore_ties=True))
    return np.mean(values)


write("model.yaml", MODEL)
write("night.yaml", BATCH)
write("goods.yaml", TABLE + "".join(f"  x{k}: {{type: number}}\n" for k in range(6)))
lines = ["id,at,office,duty,hit,part," + ",".join(f"x{k}" for k in range(6))]
for i in order:
    lines.append(f"D{i:05d},2026-{1 + day[i] // 28:02d}-{1 + day[i] % 28:02d}T{i % 24:02d}:00:00Z,O{office[i]},{duty[i]},{int(hit[i])},{part[i]},"
                 + ",".join(repr(float(v)) for v in x[i]))
write("goods.csv", "\n".join(lines) + "\n")
run("ingest", "goods.yaml", "goods.csv", "--quiet")

check(run("train", "model.yaml", "--quiet").strip() == "first:1", "no first version")
for ranks in (2, 3):
    again = run("train", "model.yaml", "--quiet", ranks=ranks).strip()
    check(again == "first:1", f"{ranks} ranks learned another model: {again}")

run("score", "night.yaml", "--quiet")
score = np.zeros(ROWS, np.float32)
for line in csv.DictReader(io.StringIO(run("lake", "export", "expected", "--columns", "row,score"))):
    score[int(line["row"][1:])] = np.float32(line["score"])
test, train = np.flatnonzero(part == "test"), np.flatnonzero(part == "train")
for ranks in (1, 3):
    figures = {f["metric"]: f for f in json.loads(run("evaluate", "model.yaml", "first", "--json", ranks=ranks))["figures"]}
    for name, k in (("ndcg@5", lambda n: 5), ("ndcg@20%", lambda n: max(1, int(0.2 * n + 0.5)))):
        want = ndcg(score, test, k)
        check(abs(figures[name]["value"] - want) < 1e-9, f"{name} is {figures[name]}, scikit-learn says {want}")
        check(figures[name]["low"] < want < figures[name]["high"], f"{name}: no interval")

# Beside LightGBM's lambdarank at the same trees, gains and truncation; its labels are whole numbers.
gains = np.unique(duty)
peer = lightgbm.LGBMRanker(n_estimators=80, max_depth=4, num_leaves=16, learning_rate=0.1, max_bin=255, min_child_samples=1, n_jobs=1,
                           reg_lambda=1, lambdarank_truncation_level=5, label_gain=gains.tolist(), verbose=-1)
peer.fit(x[train], np.searchsorted(gains, duty[train]), group=np.bincount(group[train])[np.unique(group[train])])
ours, theirs = ndcg(score, test, lambda n: 5), ndcg(peer.predict(x), test, lambda n: 5)
print(f"ndcg@5: dipper {ours:.4f}, LightGBM {theirs:.4f}, by chance {ndcg(rng.random(ROWS), test, lambda n: 5):.4f}")
check(ours > theirs - 0.02, "behind LightGBM")

# Learning goes on from a ranking; not from one to a number.
check(run("train", "model.yaml", "name=second", "train.from=first", "model.trees=5", "train.stop.patience=0", "--quiet").strip() == "second:1", "from")
check("model-15" in run("train", "model.yaml", "name=third", "train.from=first", "train.loss=squared", "train.stop.metric=rmse",
                        "evaluate.metrics=[rmse]", code=78), "TWD from an order")
session = run("model", "export", "first", "--out", "first.onnx").strip()
check(session == "first.onnx", "no ONNX")

# A config that names no measure has those of a ranking.
write("bare.yaml", MODEL.replace("stop: {metric: ndcg@5, patience: 30}, ", "").replace("metrics: [ndcg@5, ndcg@20%, revenue@5%], ", ""))
check(run("check", "bare.yaml").count("ndcg@10") >= 2, "no measures by default")

# What cannot be ranked or judged.
for ranks in (1, 3):
    check("train-05" in run("train", "model.yaml", "data.group=[]", code=78, ranks=ranks), "no groups")
    check("train-03" in run("train", "model.yaml", "data.label=hit", "evaluate.revenue=duty", code=78, ranks=ranks), "a label of 1 and 0")
    check("data-03" in run("train", "model.yaml", "data.group=[id]", code=78, ranks=ranks), "a group of texts")
    check("data-02" in run("train", "model.yaml", "data.group=[offic]", code=78, ranks=ranks), "a group that is not there")
check("train-04" in run("train", "model.yaml", "train.stop.metric=rmse", code=78), "rmse of a ranking")
check("metric-06" in run("train", "model.yaml", "data.group=[]", "train.loss=squared", "train.stop.metric=rmse", code=78), "ndcg without groups")
check("trees-02" in run("train", "model.yaml", "data.label=x0", "data.columns=[x1, x2]", "evaluate.metrics=[revenue@5%]",
                        "train.stop.metric=revenue@5%", code=65, ranks=3), "gains below 0")
