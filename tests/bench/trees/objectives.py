#!/usr/bin/env python3
"""Objectives beside the log-loss, against the peers at equal trees: everyone in turn, medians of the rounds.

  objectives.py [squared] [ranking] [--build build] [--rows 400000] [--trees 200] [--rounds 3] [--peers lightgbm,xgboost,catboost]

32 numbers (20 real, 12 codes) of invented goods lines in days of 200; what a line recovers is 0 for nine in ten. squared: what
would be recovered, as a number, by RMSE. ranking: the lines of a day, by NDCG@10 and the share of all that the first 10 of each
day recover. Trees of depth 6, depth-wise, rate 0.1, 255 bins, no sampling, 2 threads; lambdarank of all counts the first 10
(CatBoost: YetiRank, its own). Time: of the training alone, bins included, and of the processor; gains are whole numbers for the peers.
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time

import numpy as np

DAY, TOP = 200, 10


def make(rows, folder):
    rng = np.random.default_rng(7)
    rows = rows // DAY * DAY
    train = rows * 4 // 5 // DAY * DAY
    num = np.exp(rng.normal(0, 1, (rows, 20))).astype(np.float32)
    cat = rng.integers(0, 40, (rows, 12)).astype(np.int32)
    day = np.arange(rows) // DAY
    level = rng.normal(0, 1, rows // DAY)[day]
    signal = np.log(num[:, 0]) - 0.8 * np.log(num[:, 1]) * (cat[:, 2] < 15) + 0.7 * (cat[:, 0] % 5 == 2) + 0.5 * np.log(num[:, 2])
    number = 50 * signal + 30 * level + 40 * rng.standard_t(4, rows)
    hit = rng.random(rows) < 1 / (1 + np.exp(-(1.2 * signal + level - 3.4)))
    gain = np.where(hit, np.ceil(np.exp(1 + 0.6 * np.log(num[:, 3]) + rng.normal(0, 0.5, rows))), 0)
    num.tofile(f"{folder}/num.f32")
    cat.tofile(f"{folder}/cat.i32")
    day.astype(np.uint64).__mul__(np.uint64(0x9E3779B97F4A7C15)).tofile(f"{folder}/group.u64")
    with open(f"{folder}/meta.json", "w") as f:
        json.dump({"train_rows": train, "test_rows": rows - train}, f)
    x = np.hstack([num, cat]).astype(np.float32)
    return {"x": (x[:train], x[train:]), "day": (day[:train], day[train:]),
            "squared": (number[:train], number[train:]), "ranking": (gain[:train], gain[train:])}


def figures(loss, truth, score):
    if loss == "squared":
        return {"rmse": float(np.sqrt(np.mean((truth - score) ** 2)))}
    gain, score = truth.reshape(-1, DAY), score.reshape(-1, DAY)
    discount = 1 / np.log2(2 + np.arange(TOP))
    first = np.take_along_axis(gain, np.argsort(-score, axis=1, kind="stable")[:, :TOP], 1)
    ideal = np.sort(gain, axis=1)[:, ::-1][:, :TOP] @ discount
    some = ideal > 0
    return {"ndcg@10": float(np.mean((first @ discount)[some] / ideal[some])), "revenue": float(first.sum() / gain.sum())}


def dipper(loss, data, folder, a):
    np.concatenate(data[loss]).astype(np.float64).tofile(f"{folder}/target.f64")
    out = subprocess.run([f"{a.build}/tests/bench_trees_boost", folder, f"loss={loss}", f"rank_top={TOP}", f"trees={a.trees}",
                          "depth=6", "rate=0.1", "threads=2", f"margins={folder}/margins"], check=True, capture_output=True, text=True)
    said = json.loads(out.stdout)
    return said["total_s"], np.fromfile(f"{folder}/margins")


def lightgbm(loss, data, _, a):
    import lightgbm as lgb
    params = {"objective": "regression" if loss == "squared" else "lambdarank", "num_leaves": 64, "max_depth": 6, "learning_rate": 0.1,
              "max_bin": 255, "num_threads": 2, "verbose": -1, "lambda_l2": 1, "min_data_in_leaf": 1, "lambdarank_truncation_level": TOP,
              "label_gain": list(range(int(data["ranking"][0].max()) + 1))}
    begun = time.perf_counter()
    group = None if loss == "squared" else np.bincount(data["day"][0])
    model = lgb.train(params, lgb.Dataset(data["x"][0], data[loss][0], group=group), a.trees)
    took = time.perf_counter() - begun
    return took, model.predict(data["x"][1])


def xgboost(loss, data, _, a):
    import xgboost as xgb
    params = {"objective": "reg:squarederror" if loss == "squared" else "rank:ndcg", "max_depth": 6, "eta": 0.1, "max_bin": 256, "nthread": 2,
              "tree_method": "hist", "ndcg_exp_gain": False, "lambdarank_pair_method": "topk", "lambdarank_num_pair_per_sample": TOP}
    begun = time.perf_counter()
    table = xgb.QuantileDMatrix(data["x"][0], data[loss][0], qid=None if loss == "squared" else data["day"][0], max_bin=256, nthread=2)
    model = xgb.train(params if loss != "squared" else {k: v for k, v in params.items() if "ndcg" not in k and "lambdarank" not in k}, table, a.trees)
    took = time.perf_counter() - begun
    return took, model.predict(xgb.DMatrix(data["x"][1]))


def catboost(loss, data, _, a):
    import catboost as cb
    begun = time.perf_counter()
    gain = data[loss][0] if loss == "squared" else data[loss][0] / max(1, data[loss][0].max())
    pool = cb.Pool(data["x"][0], gain, group_id=None if loss == "squared" else data["day"][0])
    model = cb.CatBoost({"loss_function": "RMSE" if loss == "squared" else "YetiRank", "iterations": a.trees, "depth": 6, "learning_rate": 0.1,
                         "border_count": 254, "thread_count": 2, "verbose": 0, "allow_writing_files": False})
    model.fit(pool)
    took = time.perf_counter() - begun
    return took, model.predict(data["x"][1])


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("losses", nargs="*", default=["squared", "ranking"])
    p.add_argument("--build", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../build"))
    p.add_argument("--rows", type=int, default=400000)
    p.add_argument("--trees", type=int, default=200)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--peers", default="lightgbm,xgboost,catboost")
    a = p.parse_args()
    ways = {"dipper": dipper} | {name: globals()[name] for name in a.peers.split(",") if name}
    with tempfile.TemporaryDirectory() as folder:
        data = make(a.rows, folder)
        for loss in a.losses:
            took, seen = {name: [] for name in ways}, {}
            for _ in range(a.rounds):
                for name, way in ways.items():
                    seconds, score = way(loss, data, folder, a)
                    took[name].append(seconds)
                    seen[name] = figures(loss, data[loss][1], score)
            ours = statistics.median(took["dipper"])
            for name in ways:
                mine = statistics.median(took[name])
                print(f"{loss:8} {name:9} {mine:8.2f} s   dipper / it {ours / mine:5.2f}   "
                      + "   ".join(f"{k} {v:.4f}" for k, v in seen[name].items()), flush=True)


if __name__ == "__main__":
    main()
