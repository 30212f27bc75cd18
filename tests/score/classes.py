# RUN np=1 -- several classes: scikit-learn's digits learned as well as XGBoost does, one payload on any ranks, figures and scores as scikit-learn and ONNX Runtime say, what cannot be learned refused
"""1,797 pictures of 8 x 8 dots (scikit-learn's own), the label a category of ten words and, as digits of a code, coarser."""
import csv
import io
import json
import os

import numpy as np
import onnxruntime
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, f1_score

from program import check, home, run, write

WORDS = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
pixels, digit = load_digits(return_X_y=True)
used = [c for c in range(64) if len(np.unique(pixels[:, c])) > 4][:40]
x, word, rows = pixels[:, used], WORDS[digit], len(digit)
part = np.where(np.arange(rows) % 5 == 0, "valid", np.where(np.arange(rows) % 5 == 1, "test", "train"))
ink = np.array(["", "light", "dark"])[np.digitize(pixels.sum(1), [250, 310])]  # a category, sometimes missing

TABLE = """kind: table
name: digits
about: pictures of digits
owner: test
from: {format: csv}
rows: {id: id, time: at}
columns:
  id: {type: text}
  at: {type: time, format: "%Y-%m-%dT%H:%M:%SZ"}
  word: {type: category}
  code6: {type: code, digits: 6}
  ink: {type: category}
  part: {type: category}
""" + "".join(f"  p{c}: {{type: number}}\n" for c in used)
MODEL = f"""kind: model
name: digits
about: which digit it is
owner: test
data: {{table: digits, label: word, columns: [{", ".join(f"p{c}" for c in used)}, ink]}}
split: {{column: part}}
model: {{family: trees, trees: 60, depth: 4, growth: depth, learning_rate: 0.3}}
train: {{loss: softmax, stop: {{patience: 20}}, seed: 7, every: 5}}
job: {{threads: 1}}
"""
BATCH = """kind: batch
name: night
about: which digit it is
owner: test
data: {table: digits}
models: {use: [digits]}
write: {table: read, reasons: 2, top: 3}
job: {threads: 1}
"""


def ingest(name, labels):
    lines = ["id,at,word,code6,ink,part," + ",".join(f"p{c}" for c in used)]
    for i in range(rows):
        time = f"2026-01-01T{i // 3600:02d}:{i // 60 % 60:02d}:{i % 60:02d}Z"
        lines.append(f"D{i:05d},{time},{labels[i]},{digit[i]:02d}{i % 10000:04d},{ink[i]},{part[i]}," + ",".join(str(int(v)) for v in x[i]))
    write(f"{name}.csv", "\n".join(lines) + "\n")
    write(f"{name}.yaml", TABLE.replace("name: digits", f"name: {name}"))
    run("ingest", f"{name}.yaml", f"{name}.csv", "--quiet")


def figures(*words, **more):
    return {f["metric"]: f for f in json.loads(run("evaluate", "model.yaml", *words, "--json", **more))["figures"] if "slice" not in f}


write("model.yaml", MODEL)
write("night.yaml", BATCH)
ingest("digits", word)

# One payload on any ranks.
for ranks in (1, 2, 4):
    made = run("train", "model.yaml", "--quiet", ranks=ranks).strip()
    check(made == "digits:1", f"{ranks} ranks learned another model: {made}")
found = figures("digits")
check(found == figures("digits", ranks=3), "three ranks judge otherwise")

# Figures as scikit-learn has them, from the scores that the batch wrote; scored from bins too.
run("score", "night.yaml", "--quiet", ranks=2)
table = list(csv.DictReader(io.StringIO(run("lake", "export", "read", "--columns", "row,score,class"))))
said, chance = np.empty(rows, object), np.zeros(rows)
for line in table:
    said[int(line["row"][1:])], chance[int(line["row"][1:])] = line["class"], float(line["score"])
test = part == "test"
check(found["accuracy"]["value"] == accuracy_score(word[test], said[test]), f"accuracy {found['accuracy']}")
check(abs(found["macro_f1"]["value"] - f1_score(word[test], said[test], average="macro")) < 1e-12, f"F1 {found['macro_f1']}")
check((chance > 0.1 - 1e-6).all() and (chance <= 1).all(), "the likeliest of ten is below a tenth")
for f in found.values():
    check(f["low"] < f["value"] < f["high"], f"no interval: {f}")
    check("positives" not in f, f"positives of classes: {f}")

# ONNX Runtime says the same classes and chances, and of itself the same log-loss.
run("model", "export", "digits", "--out", "digits.onnx")
session = onnxruntime.InferenceSession(os.path.join(home, "digits.onnx"), providers=["CPUExecutionProvider"])
feed = {f"p{c}": x[:, [k]].astype(np.float32) for k, c in enumerate(used)}
score, named = session.run(["score", "class"], {**feed, "ink": ink.astype(object)[:, None]})
check((named[:, 0] == said).all(), f"ONNX Runtime takes {(named[:, 0] != said).sum()} rows for others")
check(np.abs(score.max(1) - chance).max() < 1e-7, f"chances differ by {np.abs(score.max(1) - chance).max()}")
own = np.searchsorted(np.sort(WORDS), word)
loss = -np.log(score[np.arange(rows), own][test].astype(float)).mean()
check(abs(found["logloss"]["value"] - loss) < 1e-6, f"log-loss {found['logloss']['value']}, ONNX Runtime {loss}")

# About as good as XGBoost with the same steps, rate and depth, on the same numbers.
try:
    import xgboost

    own = np.isin(part, ["train"])
    peer = xgboost.XGBClassifier(n_estimators=60, max_depth=4, learning_rate=0.3, n_jobs=1, early_stopping_rounds=20)
    peer.fit(x[own], digit[own], eval_set=[(x[part == "valid"], digit[part == "valid"])], verbose=False)
    theirs = -np.log(peer.predict_proba(x[test])[np.arange(test.sum()), digit[test]]).mean()
    check(found["logloss"]["value"] < 1.1 * theirs, f"log-loss {found['logloss']['value']}, XGBoost {theirs}")
except ImportError:
    pass
check(found["accuracy"]["value"] > 0.93, f"accuracy {found['accuracy']['value']}")

# The first digits of a code as label; slices of the label: an accuracy there is the recall of the class.
coarse = ["data.label=code2", "name=coarse", "model.trees=10", "evaluate.slices=[word]", "evaluate.part=train"]
run("train", "model.yaml", "--quiet", *coarse)
shown = json.loads(run("evaluate", "model.yaml", "coarse", "--json", *coarse))["figures"]
check(len([f for f in shown if f.get("slice", "").startswith("word=")]) == 3 * 10, "no figures by class")
check("data-03" in run("train", "model.yaml", "data.label=code2", "data.columns=[code6]", code=78), "the label's code as input")

# Classes: unseen ones of test, too few, too many, one without a label, metrics of others.
labels = word.copy()
labels[np.flatnonzero(test)[:3]] = "ten"
labels[np.flatnonzero(test)[3:5]] = ""
ingest("unseen", labels)
for ranks in (1, 3):
    names = ["name=unseen", "data.table=unseen", "model.trees=5"]
    words = run("train", "model.yaml", *names, "--json", ranks=ranks)
    check(json.loads(words)["test"][0]["rows"] == test.sum() - 5, f"rows of unseen classes: {words}")
    ingest("single", np.where(part == "train", "one", word)) if ranks == 1 else None
    check("data-06" in run("train", "model.yaml", "data.table=single", code=65, ranks=ranks), "one class")
    check("data-18" in run("train", "model.yaml", "data.label=code6", code=65, ranks=ranks), "too many classes")
    check("train-03" in run("train", "model.yaml", "train.loss=logloss", "train.stop.metric=auc", code=78, ranks=ranks), "log-loss of classes")
    check("trees-14" in run("train", "model.yaml", "model.positive_weight=2", code=2, ranks=ranks), "a positive weight")
    check("score-11" in run("evaluate", "model.yaml", "digits", "data.label=p20", "data.columns=[p21]", "evaluate.metrics=[rmse]", code=78, ranks=ranks), "judged as a number")
check("train-04" in run("train", "model.yaml", "train.stop.metric=auc", code=78), "auc of classes")
check("trees-14" in run("train", "model.yaml", "model.monotone.up=[p20]", code=2), "monotone")
check("metric-05" in run("evaluate", "model.yaml", "digits", "evaluate.metrics=[auc]", code=78), "auc of classes")
check("score-32" in run("evaluate", "model.yaml", "digits", "--dependence", "p20", code=2), "dependence")
run("evaluate", "model.yaml", "digits", "--importance", "evaluate.repeats=1", "--json")

