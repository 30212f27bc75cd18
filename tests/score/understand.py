# RUN np=1 -- importance by permutation and partial dependence: scikit-learn's on the same model, run by ONNX Runtime
# from its exported file; and the same on any number of ranks.
import csv
import io
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnxruntime
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.metrics import log_loss

onnxruntime.set_default_logger_severity(3)
failed = 0
NUMBERS = ["tax_rate", "net_mass", "value"]
CATEGORIES = ["office", "declarant", "origin"]
COLUMNS = NUMBERS + CATEGORIES


def check(what, good):
    global failed
    if not good:
        failed += 1
        print("failed:", what)


def dipper(*words, ranks=1):
    launch = [os.environ["MPIEXEC"], "-n", str(ranks)] if ranks > 1 else []
    done = subprocess.run([*launch, os.environ["DIPPER"], *words], capture_output=True, text=True)
    if done.returncode:
        print(done.stderr)
        sys.exit(f"exit {done.returncode}: dipper {' '.join(words)}")
    return done.stdout


class Exported:
    """A classifier as scikit-learn wants one; categories are numbers of their texts."""

    _estimator_type = "classifier"
    classes_ = np.array([0, 1])

    def __init__(self, path, texts):
        self.run = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        self.texts = texts

    def __sklearn_tags__(self):
        from sklearn.base import BaseEstimator, ClassifierMixin

        class Like(ClassifierMixin, BaseEstimator):
            pass

        return Like().__sklearn_tags__()

    def __sklearn_is_fitted__(self):
        return True

    def fit(self, x, y):
        return self

    def predict_proba(self, x):
        feed = {}
        for j, name in enumerate(COLUMNS):
            if name in self.texts:
                feed[name] = self.texts[name][x[:, j].astype(int)].astype(object).reshape(-1, 1)
            else:
                feed[name] = x[:, j].astype(np.float32).reshape(-1, 1)
        score = self.run.run(["score"], feed)[0].reshape(-1).astype(float)
        return np.stack([1 - score, score], axis=1)


def rows_of_test(folder):
    table = list(csv.DictReader(io.StringIO(dipper("lake", "export", "declarations", "--format", "csv"))))
    table = [r for r in table if r["fault"] != "" and r["result_at"] != "" and r["accepted_at"] >= "2025-09-01"]
    texts, x = {}, np.empty((len(table), len(COLUMNS)))
    for j, name in enumerate(COLUMNS):
        if name in NUMBERS:
            x[:, j] = [float(r[name]) if r[name] else np.nan for r in table]
        else:
            texts[name], x[:, j] = np.unique([r[name] for r in table], return_inverse=True)
    return x, np.array([int(r["fault"]) for r in table]), texts


def compare_importance(model, x, y, config):
    ours = json.loads(dipper("evaluate", *config, "risk:1", "--importance", "--json", "evaluate.repeats=20"))
    many = json.loads(dipper("evaluate", *config, "risk:1", "--importance", "--json", "evaluate.repeats=20", ranks=3))
    table = list(csv.DictReader(io.StringIO(dipper("evaluate", *config, "risk:1", "--importance", "--format", "csv",
                                                   "evaluate.repeats=20"))))
    check("importance as csv", [(r["column"], float(r["loses"])) for r in table] ==
          [(c["column"], c["loses"]) for c in ours["columns"]])
    figures = json.loads(dipper("evaluate", *config, "risk:1", "--json"))["figures"]
    table = list(csv.DictReader(io.StringIO(dipper("evaluate", *config, "risk:1", "--format", "csv"))))
    check("figures as csv", [(r["metric"], float(r["value"])) for r in table] ==
          [(f["metric"], f["value"]) for f in figures])
    check("importance: the same on three ranks", ours == many)
    base = log_loss(y, model.predict_proba(x)[:, 1])
    check(f"importance: {ours['value']} of the rows, not {base}", abs(ours["value"] - base) < 1e-6)
    theirs = permutation_importance(model, x, y, scoring="neg_log_loss", n_repeats=20, random_state=1)
    far = 0
    for column in ours["columns"]:
        j = COLUMNS.index(column["column"])
        error = np.hypot(column["error"], theirs.importances_std[j] / np.sqrt(20))
        check(f"importance of {column}: theirs {theirs.importances_mean[j]}",
              abs(column["loses"] - theirs.importances_mean[j]) <= 5 * error + 1e-6)
        spread = theirs.importances_std[j] / np.sqrt(20)
        check(f"importance of {column}: the error is {spread}", spread / 3 <= column["error"] + 1e-9 <= 3 * spread + 2e-9)
        far += abs(column["loses"]) > 3 * error
    check("importance: some columns count", far >= 2)
    check("importance: sorted", ours["columns"] == sorted(ours["columns"], key=lambda c: -c["loses"]))


def grid_of(points, axis, name, texts):
    seen = list(dict.fromkeys(p["values"][axis] for p in points))
    if name in NUMBERS:
        return np.array([np.nan if v == "missing" else float(v) for v in seen])
    return np.array([list(texts[name]).index("" if v == "missing" else v) for v in seen], float)


def compare_dependence(model, x, texts, config, names):
    words = ["evaluate", *config, "risk:1", "--dependence", ",".join(names), "--json", "evaluate.points=7"]
    ours = json.loads(dipper(*words))
    check(f"{names}: the same on two ranks", ours == json.loads(dipper(*words, ranks=2)))
    table = list(csv.DictReader(io.StringIO(dipper(*[w for w in words if w != "--json"], "--format", "csv"))))
    check(f"{names}: the same as csv", [([r[n] for n in names], [int(r[f"{n} rows"]) for n in names], float(r["score"]))
                                        for r in table] == [(p["values"], p["rows"], p["score"]) for p in ours["points"]])
    at = [COLUMNS.index(n) for n in names]
    grids = [grid_of(ours["points"], a, n, texts) for a, n in enumerate(names)]
    theirs = partial_dependence(model, x, at, custom_values=dict(zip(at, grids)), kind="average", method="brute",
                                response_method="predict_proba")
    mine = np.array([p["score"] for p in ours["points"]])
    check(f"{names}: {mine} is not {theirs['average'].ravel()}", np.abs(mine - theirs["average"].ravel()).max() < 1e-7)
    check(f"{names}: a curve", mine.max() > mine.min())
    if len(names) > 1:
        return
    values, rows = x[:, at[0]], [p["rows"][0] for p in ours["points"]]
    if names[0] in NUMBERS:
        known = np.sort(values[~np.isnan(values)])
        numbers = grids[0][~np.isnan(grids[0])]
        check(f"{names}: from least to most", numbers[0] == known[0] and numbers[-1] == known[-1])
        check(f"{names}: values of the rows", np.isin(numbers, known).all())
        check(f"{names}: rows {rows}", sum(rows) == len(values))
        if len(numbers) == 7 and len(np.unique(known)) > 7:
            upto = np.searchsorted(known, numbers, side="right") / len(known)
            check(f"{names}: quantiles {upto}", np.abs(upto[1:-1] - np.arange(1, 6) / 6).max() < 0.02)
    else:
        counts = np.bincount(values.astype(int))
        check(f"{names}: the most frequent", rows == sorted(counts, reverse=True)[:len(rows)])


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    os.environ["DIPPER_SITE"] = folder + "/site.yaml"
    with open("site.yaml", "w") as site:
        site.write(f"kind: site\nroot: {folder}/data\n")
    configs = os.environ["DIPPER_SOURCE"] + "/configs/"
    subprocess.run([os.environ["DIPPER_BUILD"] + "/make-declarations", "--out", "inbox", "--rows", "12000", "--months", "36",
                    "--seed", "7", "--from", "2023-09", "--gzip"], check=True, stdout=subprocess.DEVNULL)
    dipper("ingest", configs + "lake/declarations.yaml", *[f"inbox/{f}" for f in sorted(os.listdir("inbox"))])
    config = [configs + "risk.yaml", "data.columns=[" + ", ".join(COLUMNS) + "]", "split.apart=[]",
              "split.train=2023-09-01 .. 2025-06-30", "split.valid=2025-07-01 .. 2025-08-31",
              "split.test=2025-09-01 .. 2026-12-31", "evaluate.metrics=[logloss]", "evaluate.slices=[]"]
    dipper("train", *config, "model.trees=60", "train.stop.patience=0")
    dipper("model", "export", "risk:1", "--format", "onnx", "--out", "risk.onnx")
    x, y, texts = rows_of_test(folder)
    model = Exported("risk.onnx", texts)
    compare_importance(model, x, y, config)
    for names in [["tax_rate"], ["net_mass"], ["origin"], ["value", "origin"]]:
        compare_dependence(model, x, texts, config, names)
sys.exit(failed > 0)
