#!/usr/bin/env python3
"""Numbers as labels with categories among the inputs: RMSE and R2 on the latest rows, everyone in turn.

  regression.py [--rows 200000] [--trees 200] [--seeds 3] [--dipper build/dipper]

Invented goods lines over 36 months: what they recover follows the importer, the pair of origin and heading, a price, and
drifts; its noise has heavy tails. The first 30 months train, 2 are for stopping (all trees are kept), 4 are judged. 200
trees of depth 6, rate 0.1, 255 bins, no sampling; CatBoost with its defaults for categories, LightGBM with native ones.
"""
import argparse
import json
import os
import subprocess
import tempfile

import numpy as np
import pandas as pd

CATEGORIES = ["importer", "origin", "heading", "office"]
NUMBERS = ["price", "mass", "packages"]


def make(rows, seed):
    rng = np.random.default_rng(seed)
    month = np.sort(rng.integers(0, 36, rows))
    frame = pd.DataFrame({
        "importer": (4000 * rng.random(rows) ** 2).astype(int), "origin": (60 * rng.random(rows) ** 1.5).astype(int),
        "heading": (300 * rng.random(rows) ** 1.5).astype(int), "office": rng.integers(0, 20, rows),
        "price": rng.lognormal(0, 1, rows), "mass": rng.lognormal(3, 1, rows), "packages": rng.integers(1, 50, rows)})
    importer, pair = rng.normal(0, 1, 4000), rng.normal(0, 1, (60, 300))
    drift = rng.normal(0, 0.6, (20, 4))
    signal = (importer[frame.importer] + pair[frame.origin, frame.heading] + drift[frame.office, month // 9]
              + 0.8 * np.log(frame.price))
    frame["y"] = np.round(1000 + 300 * signal + 300 * rng.standard_t(4, rows), 3)
    frame["month"] = month
    return frame


def r2(truth, score):
    return 1 - np.mean((truth - score) ** 2) / np.var(truth)


def peer(name, frame, trees, seed):
    part = {"train": frame[frame.month < 30], "test": frame[frame.month >= 32]}
    x = {k: v[CATEGORIES + NUMBERS].copy() for k, v in part.items()}
    if name == "catboost":
        import catboost
        model = catboost.CatBoostRegressor(iterations=trees, depth=6, learning_rate=0.1, border_count=254, has_time=True,
                                           cat_features=CATEGORIES, thread_count=2, random_seed=seed, verbose=0,
                                           allow_writing_files=False)
        model.fit(x["train"], part["train"].y)
    else:
        import lightgbm
        for v in x.values():
            for c in CATEGORIES:
                v[c] = pd.Categorical(v[c], categories=range(4000))
        model = lightgbm.LGBMRegressor(n_estimators=trees, num_leaves=64, max_depth=6, learning_rate=0.1, max_bin=255,
                                       n_jobs=2, random_state=seed, verbose=-1)
        model.fit(x["train"], part["train"].y)
    return r2(part["test"].y, model.predict(x["test"]))


def dipper(frame, trees, seed, program, work, *more):
    lines = frame.copy()
    lines["at"] = [f"{2021 + m // 12}-{m % 12 + 1:02d}-01" for m in lines.month]
    lines.drop(columns="month").to_csv(f"{work}/lines.csv", index=False)
    with open(f"{work}/site.yaml", "w") as f:
        f.write(f"kind: site\nroot: {work}/{seed}\n")
    with open(f"{work}/table.yaml", "w") as f:
        f.write("kind: table\nname: lines\nfrom: {format: csv, times: '%Y-%m-%d'}\nrows: {time: at}\ncolumns: {at: time, y: number"
                + "".join(f", {c}: category" for c in CATEGORIES) + "".join(f", {c}: number" for c in NUMBERS) + "}\n")
    with open(f"{work}/model.yaml", "w") as f:
        f.write(f"kind: model\nname: lines\ndata: {{table: lines, label: y, columns: [{', '.join(CATEGORIES + NUMBERS)}]}}\n"
                "split: {train: 2021-01-01 .. 2023-06-30, valid: 2023-07-01 .. 2023-08-31, test: 2023-09-01 .. 2023-12-31}\n"
                f"model: {{family: trees, trees: {trees}, depth: 6, growth: depth, learning_rate: 0.1}}\n"
                f"train: {{loss: squared, stop: {{metric: rmse, patience: 0}}, seed: {seed}}}\n"
                "evaluate: {metrics: [rmse]}\njob: {threads: 2}\n")
    env = dict(os.environ, DIPPER_SITE=f"{work}/site.yaml")
    if not os.path.exists(f"{work}/{seed}"):
        subprocess.run([program, "ingest", f"{work}/table.yaml", f"{work}/lines.csv", "--quiet"], check=True, env=env,
                       stdout=subprocess.DEVNULL)
    out = subprocess.run([program, "train", f"{work}/model.yaml", "--json", "--quiet", *more], check=True, env=env,
                         capture_output=True, text=True).stdout
    rmse = next(f["value"] for f in json.loads(out)["test"] if f["metric"] == "rmse")
    return 1 - rmse ** 2 / np.var(frame[frame.month >= 32].y)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--rows", type=int, default=200000)
    p.add_argument("--trees", type=int, default=200)
    p.add_argument("--seeds", type=int, default=3)
    p.add_argument("--dipper", default=os.path.join(os.path.dirname(__file__), "../../../build/dipper"))
    a = p.parse_args()
    seen = {}
    with tempfile.TemporaryDirectory() as work:
        for seed in range(a.seeds):
            frame = make(a.rows, seed)
            ways = {"dipper": lambda: dipper(frame, a.trees, seed, a.dipper, work),
                    "dipper, no combinations": lambda: dipper(frame, a.trees, seed, a.dipper, work,
                                                              "model.categories.pairs=0"),
                    "catboost": lambda: peer("catboost", frame, a.trees, seed),
                    "lightgbm": lambda: peer("lightgbm", frame, a.trees, seed)}
            for name, way in ways.items():
                seen.setdefault(name, []).append(way())
    for name, values in seen.items():
        print(f"{name:26} R2 {np.mean(values):.4f}   " + " ".join(f"{v:.4f}" for v in values))


if __name__ == "__main__":
    main()
