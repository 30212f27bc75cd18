#!/usr/bin/env python3
"""AUC at convergence: up to 1,000 trees, stopped early on rows kept for it, against the peers' native categories.

  convergence.py customs --pack FOLDER [--only dipper,lightgbm,...] [--seeds 3] [--draw 11] [key=value ...]
  convergence.py declarations DATA [--only ...] [--seeds 3] [key=value ...]
  convergence.py report

customs: the public declarations (datasets/customs). All rows in 5 folds that keep a goods tuple together, drawn by --draw;
an eighth of the tuples of the other four decides when to stop. declarations: DATA as make_declarations.py wrote it; the
last tenth of its training rows decides when to stop, the later 500,000 are the test.

Everyone: depth 6, rate 0.05 (customs) or 0.1, at most 1,000 trees, judged after each, stopped after 100 without a better
AUC; the same number of configurations each: its own defaults; a common amount of regularisation (rows 80 %, columns 50 %,
L2 10); with customs a third that takes categories more plainly too (learn and peer say how). All are learned with the
first seed; the one with the best AUC on its stopping rows counts, and is learned with the other seeds too: the test rows
choose nothing. key=value: further values of Dipper's config. --limit: seconds after which a training of CatBoost ends with
the trees it has.

Each training is kept in build/bench/convergence/ as soon as it is done and not made again unless --again, so a run that
was ended goes on, and systems may run side by side (--only). report prints what is there: mean test AUC, its standard
error (over folds; of one fold, over seeds), trees.
"""
import argparse
import csv
import gzip
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
sys.path.insert(0, os.path.dirname(HERE))
sys.path.insert(0, HERE)
from compare import auc  # noqa: E402
from make_declarations import CAT, NUM, tokens  # noqa: E402

TUPLE = ["HS6 Code", "Country of Departure", "Country of Origin", "Tax Type", "Tax Rate", "Net Mass", "Item Price"]
CUSTOMS_NUM = ["Tax Rate", "Net Mass", "Item Price"]
CUSTOMS_CAT = ["Office ID", "Process Type", "Import Type", "Import Use", "Payment Type", "Mode of Transport",
               "Declarant ID", "Importer ID", "Seller ID", "Courier ID", "HS6 Code", "Country of Departure",
               "Country of Origin", "Tax Type", "Country of Origin Indicator"]
FOLDS = 5
WAYS = {"customs": ("own defaults", "regularised", "plain categories"), "declarations": ("own defaults", "regularised")}


# ---- the two tables: numbers, codes (0 = missing), label, part of each row in each fold

def customs(pack, draw):
    rows = []
    for part in ("train", "valid", "test"):
        with gzip.open(f"{pack}/df_syn_{part}_eng.csv.gz", "rt", encoding="utf-8-sig", newline="") as f:
            rows += list(csv.DictReader(f))
    label = np.array([int(r["Fraud"]) for r in rows], np.int8)
    group = np.unique([chr(31).join(r[c] for c in TUPLE) for r in rows], return_inverse=True)[1]
    fold = np.random.default_rng(draw).integers(0, FOLDS, group.max() + 1)[group]
    kept = np.random.default_rng(draw + 1).integers(0, 8, group.max() + 1)[group] == 0
    parts = [np.where(fold == f, 2, np.where(kept, 1, 0)) for f in range(FOLDS)]
    return rows, label, parts


def customs_arrays(rows):
    num = np.array([[float(r[c]) for c in CUSTOMS_NUM] for r in rows], np.float32)
    cat = np.stack([np.unique([r[c] for r in rows], return_inverse=True)[1] for c in CUSTOMS_CAT], 1).astype(np.int32)
    return num, cat


def declarations(folder):
    meta = json.load(open(f"{folder}/meta.json"))
    n, k = meta["train_rows"], meta["test_rows"]
    num = np.fromfile(f"{folder}/num.f32", np.float32).reshape(n + k, len(NUM))
    cat = np.fromfile(f"{folder}/cat.i32", np.int32).reshape(n + k, len(CAT))
    label = np.fromfile(f"{folder}/y.u1", np.uint8).astype(np.int8)
    return num, cat, label, [np.repeat([0, 1, 2], [n - n // 10, n // 10, k])]


# ---- Dipper: through its own commands

class Dipper:
    name = "dipper"

    def __init__(self, work, rate, overrides, threads):
        self.work, self.rate, self.overrides, self.threads = work, rate, overrides, threads
        self.environment = dict(os.environ, DIPPER_SITE=f"{work}/site.yaml", OMP_NUM_THREADS=str(threads),
                                OMP_WAIT_POLICY="passive")
        with open(f"{work}/site.yaml", "w") as f:
            f.write(f"kind: site\nroot: {work}/dipper\n")

    def command(self, *words):
        program = os.environ.get("DIPPER", f"{ROOT}/build/dipper")
        done = subprocess.run([program, *words], env=self.environment, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"dipper {' '.join(words)}: {done.stderr}")
        return done.stdout

    def take(self, config, files, label, columns):
        self.command("ingest", config, *files, "--quiet")
        self.label, self.columns = label, columns

    def learn(self, fold, seed, way):
        config = f"{self.work}/model.yaml"
        with open(config, "w") as f:
            f.write(f"kind: model\nname: m\nabout: convergence\nowner: nobody\n"
                    f"data: {{table: rows, label: {self.label}, columns: [{', '.join(self.columns)}]}}\n"
                    f"split: {{column: part_{fold}}}\n"
                    f"model: {{family: trees, trees: 1000, depth: 6, growth: depth, learning_rate: {self.rate}}}\n"
                    f"train: {{loss: logloss, every: 1, stop: {{metric: auc, patience: 100}}, seed: {seed}}}\n"
                    f"evaluate: {{metrics: [auc]}}\n")
        values = list(self.overrides)
        if way != "own defaults":
            values += ["model.sample.rows=80%", "model.sample.columns=50%", "model.l2=10"]
        if way == "plain categories":
            values += ["model.categories.half_life=0%"]
        made = f"m-{fold}-{seed}-{way.split()[0]}"
        out = json.loads(self.command("train", config, f"name={made}", *values, "--json", "--quiet"))
        steps = [json.loads(line) for line in open(f"{self.work}/dipper/runs/{out['run']}/metrics.jsonl")]
        best = max(steps, key=lambda step: step.get("valid_auc", 0))
        test = next(m["value"] for m in out["test"] if m["metric"] == "auc" and "slice" not in m)
        return best["valid_auc"], test, best["tree"]


# ---- the peers

class Limit:
    """Ends a training of CatBoost when its time is over."""

    def __init__(self, seconds):
        self.until = time.monotonic() + seconds

    def after_iteration(self, _):
        return time.monotonic() < self.until


def peer(name, num, cat, label, part, seed, way, rate, threads, limit):
    """AUC on the stopping rows, on the test rows, trees."""
    import pandas as pd
    regular, plain = way != "own defaults", way == "plain categories"
    frame = pd.DataFrame(num, columns=[f"n{j}" for j in range(num.shape[1])])
    names = [f"c{j}" for j in range(cat.shape[1])]
    for j, c in enumerate(names):
        frame[c] = cat[:, j] if name == "catboost" else pd.Categorical.from_codes(cat[:, j], np.arange(cat[:, j].max() + 1))
    train, valid, test = (np.flatnonzero(part == p) for p in range(3))
    x, v, t = frame.iloc[train], frame.iloc[valid], frame.iloc[test]
    if name == "lightgbm":
        import lightgbm
        options = dict(objective="binary", metric="auc", max_depth=6, num_leaves=63, learning_rate=rate, num_threads=threads,
                       seed=seed, verbose=-1)
        if regular:
            options.update(bagging_fraction=0.8, bagging_freq=1, feature_fraction=0.5, lambda_l2=10)
        if plain:
            options.update(cat_smooth=100, cat_l2=100)
        data = lightgbm.Dataset(x, label[train])
        model = lightgbm.train(options, data, 1000, valid_sets=[lightgbm.Dataset(v, label[valid], reference=data)],
                               callbacks=[lightgbm.early_stopping(100, verbose=False)])
        return model.best_score["valid_0"]["auc"], auc(label[test], model.predict(t, num_threads=threads)), model.best_iteration
    if name == "xgboost":
        import xgboost
        options = dict(objective="binary:logistic", eval_metric="auc", tree_method="hist", max_depth=6, eta=rate,
                       nthread=threads, seed=seed)
        if regular:
            options.update({"subsample": 0.8, "colsample_bytree": 0.5, "lambda": 10})
        if plain:
            options.update(max_cat_threshold=16)
        data = xgboost.QuantileDMatrix(x, label[train], enable_categorical=True, nthread=threads)
        model = xgboost.train(options, data, 1000, verbose_eval=False, early_stopping_rounds=100,
                              evals=[(xgboost.QuantileDMatrix(v, label[valid], ref=data, enable_categorical=True), "v")])
        last = (0, model.best_iteration + 1)
        scores = model.predict(xgboost.DMatrix(t, enable_categorical=True), iteration_range=last)
        return model.best_score, auc(label[test], scores), model.best_iteration + 1
    import catboost
    options = dict(loss_function="Logloss", eval_metric="AUC", iterations=1000, depth=6, learning_rate=rate,
                   thread_count=threads, random_seed=seed, verbose=0, allow_writing_files=False)
    if regular:
        options.update(bootstrap_type="Bernoulli", subsample=0.8, rsm=0.5, l2_leaf_reg=10)
    if plain:
        options.update(max_ctr_complexity=1)
    model = catboost.CatBoost(options)
    model.fit(catboost.Pool(x, label[train], cat_features=names), early_stopping_rounds=100, callbacks=[Limit(limit)],
              eval_set=catboost.Pool(v, label[valid], cat_features=names))
    scores = model.predict(catboost.Pool(t, cat_features=names), thread_count=threads)
    return model.get_best_score()["validation"]["AUC"], auc(label[test], scores), model.tree_count_


# ---- both

class Store:
    """{"way|fold|seed": [valid AUC, test AUC, trees]} of one system, in a file of its own."""

    def __init__(self, what, name):
        self.what, self.name, self.ways = what, name, WAYS[what.split("-")[0]]
        self.path = os.path.join(os.environ.get("DIPPER_BUILD", f"{ROOT}/build"), "bench", "convergence", what, f"{name}.json")
        self.kept = json.load(open(self.path)) if os.path.exists(self.path) else {}

    def keep(self, key, value):
        self.kept[key] = list(map(float, value))
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with open(self.path + ".new", "w") as f:
            json.dump(self.kept, f, indent=0)
        os.replace(self.path + ".new", self.path)
        print(f"{self.what} {self.name} {key}: valid {value[0]:.4f} test {value[1]:.4f} trees {value[2]:.0f}", file=sys.stderr,
              flush=True)

    def of(self, way, seed):
        """Results a fold of one way and seed."""
        return [v for k, v in sorted(self.kept.items()) if k.split("|")[0] == way and k.split("|")[2] == str(seed)]

    def chosen(self):
        """The way with the best mean on the stopping rows of the first seed."""
        return max(self.ways, key=lambda way: np.mean([r[0] for r in self.of(way, 0)] or [0]))

    def report(self, folds):
        ways = [w for w in self.ways if len(self.of(w, 0)) == folds]
        for way in ways:
            seeds = [s for s in range(100) if len(self.of(way, s)) == folds]
            test = np.array([[r[1] for r in self.of(way, s)] for s in seeds])
            spread = test.mean(axis=0) if folds > 1 else test[:, 0]
            error = np.std(spread, ddof=1) / np.sqrt(len(spread)) if len(spread) > 1 else float("nan")
            trees = np.median([r[2] for s in seeds for r in self.of(way, s)])
            mark = "chosen" if len(ways) == len(self.ways) and way == self.chosen() else ""
            print(f"{self.what:14} {self.name:10} {way:13} {test.mean():.4f}   se {error:.4f}   seeds {len(seeds)}   trees "
                  f"{trees:.0f}   {mark}", flush=True)


def judge(store, learn, folds, seeds, again):
    for seed in range(seeds):
        for way in store.ways if seed == 0 else [store.chosen()]:
            for fold in range(folds):
                key = f"{way}|{fold}|{seed}"
                if again or key not in store.kept:
                    store.keep(key, learn(fold, 7 + seed, way))


def report():
    root = os.path.join(os.environ.get("DIPPER_BUILD", f"{ROOT}/build"), "bench", "convergence")
    for what in sorted(os.listdir(root)):
        for name in sorted(os.listdir(f"{root}/{what}")):
            Store(what, name.removesuffix(".json")).report(1 if what == "declarations" else FOLDS)


def write_rows(path, rows, columns, parts):
    with open(path, "w", newline="") as f:
        w = csv.writer(f)
        w.writerow(columns + [f"part_{k}" for k in range(len(parts))])
        words = ("train", "valid", "test")
        for i, row in enumerate(rows):
            w.writerow(list(row) + [words[p[i]] for p in parts])


def write_declarations(path, folder, label, parts):
    """The CSV of make_declarations.py with the day as a date, and the part of each row."""
    import datetime
    import pyarrow as pa
    import pyarrow.csv
    num, cat, label, _ = declarations(folder)
    columns = {"label": pa.array(label)}
    for j, n in enumerate(NUM):
        columns[n] = pa.array(num[:, j], from_pandas=True)
    for j, (n, count) in enumerate(CAT):
        columns[n] = pa.DictionaryArray.from_arrays(pa.array(cat[:, j], mask=cat[:, j] < 0), pa.array(tokens(n, count)))
    first = (datetime.date(2024, 1, 1) - datetime.date(1970, 1, 1)).days
    columns["at"] = pa.array(num[:, NUM.index("day")].astype(np.int32) + first, pa.int32()).cast(pa.date32())
    columns["part_0"] = pa.DictionaryArray.from_arrays(pa.array(parts[0], pa.int32()), pa.array(["train", "valid", "test"]))
    pyarrow.csv.write_csv(pa.table(columns), path, pyarrow.csv.WriteOptions(quoting_style="none"))


def dipper_with(a, work, rate, values, data):
    """A Dipper that has taken the rows in, with the part of each in each fold as columns part_0, part_1, ..."""
    d = Dipper(work, rate, values, a.threads)
    label, parts = data[2:4]
    base = f"{ROOT}/datasets/customs/customs.yaml" if a.what == "customs" else f"{HERE}/declarations.yaml"
    text = re.sub(r"\nname: .*\n", "\nname: rows\n", open(base).read(), count=1)
    extra = "".join(f"  part_{k}: category\n" for k in range(len(parts)))
    with open(f"{work}/table.yaml", "w") as f:
        f.write(text.replace("\ncolumns:\n", "\ncolumns:\n" + extra))
    if a.what == "customs":
        rows = data[4]
        names = list(rows[0])
        write_rows(f"{work}/rows.csv", ([r[c] for c in names] for r in rows), names, parts)
        columns = ["office", "process", "import_type", "import_use", "payment", "mode", "declarant", "importer", "seller",
                   "courier", "hs6", "departure", "origin", "tax_rate", "tax_type", "origin_mark", "net_mass", "value"]
        d.take(f"{work}/table.yaml", [f"{work}/rows.csv"], "fraud", columns)
    else:
        write_declarations(f"{work}/rows.csv", a.data, label, parts)
        d.take(f"{work}/table.yaml", [f"{work}/rows.csv"], "label", NUM + [n for n, _ in CAT])
    return d


def main():
    p = argparse.ArgumentParser()
    p.add_argument("what", choices=("customs", "declarations", "report"))
    p.add_argument("data", nargs="?")
    p.add_argument("--pack")
    p.add_argument("--only", default="dipper,lightgbm,xgboost,catboost")
    p.add_argument("--seeds", type=int, default=3)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--draw", type=int, default=11, help="of the folds of customs")
    p.add_argument("--limit", type=float, default=1e9)
    p.add_argument("--again", action="store_true")
    a, values = p.parse_known_args()
    if a.what == "report":
        return report()
    if a.data and "=" in a.data:
        values, a.data = [a.data, *values], None
    rate = 0.05 if a.what == "customs" else 0.1
    if a.what == "customs":
        rows, label, parts = customs(a.pack, a.draw)
        data = (*customs_arrays(rows), label, parts, rows)
    else:
        num, cat, label, parts = declarations(a.data)
        data = (num, cat + 1, label, parts)
    what = f"customs-{a.draw}" if a.what == "customs" else a.what
    with tempfile.TemporaryDirectory() as work:
        for name in a.only.split(","):
            store = Store(what, " ".join([name, *values]) if name == "dipper" else name)
            if name == "dipper":
                learn = dipper_with(a, work, rate, values, data).learn
            else:
                def learn(fold, seed, way, name=name):
                    return peer(name, *data[:3], data[3][fold], seed, way, rate, a.threads, a.limit)
            judge(store, learn, len(parts), a.seeds, a.again)
            store.report(len(parts))


if __name__ == "__main__":
    main()
