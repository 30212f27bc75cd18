#!/usr/bin/env python3
"""Scores 500,000 rows x 32 with 200 trees of depth 6 by Dipper, CatBoost and XGBoost in turn; prints medians and ratios.

  score.py DATA [--runs 5] [--threads 2] [--learn 300000] [--build build]

DATA: what make_declarations.py wrote. All columns as floats, in memory; each learns on the same rows. CatBoost gets its
Pool ready made, XGBoost the matrix (inplace_predict). rows/s: elapsed; cpu: rows a processor second, times threads;
contributions: rows a processor second.
"""
import argparse
import json
import os
import statistics
import subprocess
import time

import numpy as np

TRAIN, TEST = 2_000_000, 500_000


def table(folder, first, count):
    num = np.fromfile(f"{folder}/num.f32", np.float32, count * 20, offset=first * 80).reshape(count, 20)
    cat = np.fromfile(f"{folder}/cat.i32", np.int32, count * 12, offset=first * 48).reshape(count, 12)
    x = np.empty((count, 32), np.float32)
    x[:, :20] = num
    x[:, 20:] = np.where(cat < 0, np.nan, cat)
    return x


def timed(call):
    start, cpu = time.perf_counter(), time.process_time()
    call()
    return TEST / (time.perf_counter() - start), time.process_time() - cpu


def peers(args):
    import catboost
    import xgboost
    x = table(args.data, TRAIN - args.learn, args.learn)
    y = np.fromfile(f"{args.data}/y.u1", np.uint8, args.learn, offset=TRAIN - args.learn)
    test = table(args.data, TRAIN, TEST)
    cat = catboost.CatBoostClassifier(iterations=200, depth=6, learning_rate=0.1, border_count=254, verbose=0,
                                      thread_count=2, bootstrap_type="No", boosting_type="Plain").fit(x, y)
    pool = catboost.Pool(test)
    xgb = xgboost.train({"max_depth": 6, "eta": 0.1, "max_bin": 255, "tree_method": "hist", "nthread": args.threads,
                         "objective": "binary:logistic"}, xgboost.DMatrix(x, y), 200)
    few = xgboost.DMatrix(test[:2000])
    calls = {
        "catboost, symmetric": lambda: cat.predict(pool, prediction_type="RawFormulaVal", thread_count=args.threads),
        "xgboost, depth-wise": lambda: xgb.inplace_predict(test),
    }

    def contributions():
        start = time.process_time()
        xgb.predict(few, pred_contribs=True)
        return 2000 / (time.process_time() - start)

    return calls, contributions


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--learn", type=int, default=300_000)
    parser.add_argument("--build", default=os.environ.get("DIPPER_BUILD", "build"))
    args = parser.parse_args()
    calls, contributions = peers(args)
    rows, cpu, more = {}, {}, {}
    for _ in range(args.runs):
        for name, call in calls.items():
            elapsed, used = timed(call)
            rows.setdefault(name, []).append(elapsed)
            cpu.setdefault(name, []).append(TEST / used * args.threads)
        more.setdefault("xgboost, depth-wise", []).append((contributions(), float("nan"), float("nan")))
        for growth in ["symmetric", "depth"]:
            for isa in ["avx512", "avx2", "scalar"]:
                out = json.loads(subprocess.run(
                    [f"{args.build}/tests/bench_trees_score", args.data, f"growth={growth}", f"learn={args.learn}",
                     f"threads={args.threads}", "runs=3"], check=True, capture_output=True, text=True,
                    env={**os.environ, "DIPPER_CPU": isa}).stdout)
                name = f"dipper, {'symmetric' if growth == 'symmetric' else 'depth-wise'}, {out['device'].split()[1]}"
                rows.setdefault(name, []).append(out["rows_s"])
                cpu.setdefault(name, []).append(out["rows_cpu_s"])
                more.setdefault(name, []).append((out["explain_rows_s"], out["single_us"], out["load_ms"]))
    for name in rows:
        peer = "catboost, symmetric" if "symmetric" in name else "xgboost, depth-wise"
        ratio = statistics.median(cpu[name]) / statistics.median(cpu[peer])
        tail = ""
        if name in more:
            explain, single, load = (statistics.median(v) for v in zip(*more[name]))
            tail = f"   contributions {explain:8.0f} rows/s   one row {single:5.2f} us   layout {load:5.3f} ms"
        print(f"{name:28} {statistics.median(rows[name]) / 1e6:7.2f} M rows/s   cpu {statistics.median(cpu[name]) / 1e6:7.2f} M"
              f" = {ratio:5.1f} x{tail}")


main()
