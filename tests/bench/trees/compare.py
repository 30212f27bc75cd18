#!/usr/bin/env python3
"""Learns the large table with Dipper and with LightGBM in turn, several times, and prints medians and ratios.

  compare.py DATA [--runs 5] [--trees 200] [--threads 2] [--build build] [--only WAY;WAY]
  compare.py DATA --reach [--runs 3] [--threads 2]

--reach: seconds to LightGBM's AUC. Both LightGBM ways learn --trees trees; Dipper (depth-wise, 30 % of the rows by
gradient) learns the fewest trees, in steps of 10, whose AUC on the test rows is at least theirs, looked for first; that
number is picked by the test rows, so the seconds are an indication.

DATA: what make_declarations.py wrote (num.f32, cat.i32, y.u1, meta.json). All 32 columns as numbers, depth 6, rate 0.1,
255 bins and the missing one, no sampling, the same number of threads each ("threads": one rank, "ranks": one thread a
rank). LightGBM gets the matrix ready in memory; its build_s is Dataset.construct, train_s the boosting; its peak begins
with the matrix in memory, Dipper's with the process.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np


def auc(y, score):
    """Area under the ROC curve, ties half."""
    value, inverse, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = np.cumsum(count) - (count - 1) / 2
    positives = int(y.sum())
    return (rank[inverse][y == 1].sum() - positives * (positives + 1) / 2) / (positives * (len(y) - positives))


def table(folder, first, count):
    num = np.fromfile(f"{folder}/num.f32", np.float32, count * 20, offset=first * 80).reshape(count, 20)
    cat = np.fromfile(f"{folder}/cat.i32", np.int32, count * 12, offset=first * 48).reshape(count, 12)
    x = np.empty((count, 32), np.float32)
    x[:, :20] = num
    x[:, 20:] = np.where(cat < 0, np.nan, cat)
    return x


def peak_mib():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) / 1024


def lightgbm_run(folder, trees, threads, quantised):
    """In a process of its own (--child), so that its peak is its own."""
    import lightgbm
    meta = json.load(open(f"{folder}/meta.json"))
    rows = meta["train_rows"]
    x, y = table(folder, 0, rows), np.fromfile(f"{folder}/y.u1", np.uint8, rows)
    options = dict(objective="binary", max_depth=6, num_leaves=64, learning_rate=0.1, max_bin=255, num_threads=threads,
                   verbose=-1, seed=0, use_quantized_grad=quantised)
    open("/proc/self/clear_refs", "w").write("5")
    start = time.perf_counter()
    data = lightgbm.Dataset(x, y, params=options).construct()
    built, used = time.perf_counter(), time.process_time()
    del x
    model = lightgbm.train(options, data, trees)
    trained, used = time.perf_counter(), time.process_time() - used
    peak = peak_mib()
    test = table(folder, rows, meta["test_rows"])
    labels = np.fromfile(f"{folder}/y.u1", np.uint8, meta["test_rows"], offset=rows)
    return dict(build_s=built - start, train_s=trained - built, train_cpu_s=used, total_s=trained - start, peak_mib=peak,
                auc=auc(labels, model.predict(test, num_threads=threads, raw_score=True)))


def peer(a, quantised):
    command = [sys.executable, __file__, a.data, "--trees", str(a.trees), "--threads", str(a.threads), "--child"]
    command += ["--quantised"] * quantised
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def dipper(a, ranks, threads, growth, trees=None, *options):
    meta = json.load(open(f"{a.data}/meta.json"))
    with tempfile.TemporaryDirectory() as folder:
        command = [f"{a.build}/tests/bench_trees_boost", a.data, f"threads={threads}", f"trees={trees or a.trees}",
                   f"growth={growth}", f"margins={folder}/margins", *options]
        if ranks > 1:
            command = ["mpirun", "-n", str(ranks), "--bind-to", "none"] + command
        env = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
        out = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout)
        labels = np.fromfile(f"{a.data}/y.u1", np.uint8, meta["test_rows"], offset=meta["train_rows"])
        out["auc"] = auc(labels, np.fromfile(f"{folder}/margins"))
    return out


SAMPLED = ("sample=0.3", "by=gradient")


def fewest_trees(a, goal):
    """By bisection over steps of 10: AUC rises with trees but for noise far below what it must rise."""
    low, high = 0, a.trees // 10
    while high - low > 1:
        middle = (low + high) // 2
        if dipper(a, 1, a.threads, "depth", 10 * middle, *SAMPLED)["auc"] >= goal:
            high = middle
        else:
            low = middle
    return 10 * high


def reach(a):
    print("each row: medians of", a.runs, "runs; ratios of total seconds and of processor seconds of training")
    for name, quantised in (("lightgbm", False), ("lightgbm quantised", True)):
        theirs = [peer(a, quantised)]
        trees = fewest_trees(a, theirs[0]["auc"])
        ours = [dipper(a, 1, a.threads, "depth", trees, *SAMPLED)]
        for _ in range(a.runs - 1):
            theirs.append(peer(a, quantised))
            ours.append(dipper(a, 1, a.threads, "depth", trees, *SAMPLED))
        keys = ("total_s", "train_cpu_s", "build_s", "auc")
        they, we = ({k: statistics.median(r[k] for r in runs) for k in keys} for runs in (theirs, ours))
        print(f"{name} {a.trees} trees: {they['total_s']:.2f} s, processor {they['train_cpu_s']:.2f} s, AUC "
              f"{they['auc']:.4f}; dipper {trees} trees: {we['total_s']:.2f} s = {we['total_s'] / they['total_s']:.3f} x, "
              f"processor {we['train_cpu_s']:.2f} s = {we['train_cpu_s'] / they['train_cpu_s']:.3f} x, AUC "
              f"{we['auc']:.4f}", flush=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("data")
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--trees", type=int, default=200)
    p.add_argument("--threads", type=int, default=2, help="of each; 1: processor time is then free of waiting")
    p.add_argument("--build", default="build")
    p.add_argument("--only", default="", help="names of ways, separated by ;")
    p.add_argument("--reach", action="store_true", help="seconds to LightGBM's AUC")
    p.add_argument("--child", action="store_true")
    p.add_argument("--quantised", action="store_true")
    a = p.parse_args()
    if a.child:
        print(json.dumps(lightgbm_run(a.data, a.trees, a.threads, a.quantised)))
        return
    if a.reach:
        reach(a)
        return
    ways = {
        "lightgbm": lambda: peer(a, False),
        "lightgbm quantised": lambda: peer(a, True),
    }
    for growth in ("depth", "symmetric"):
        ways[f"dipper {growth}, threads"] = lambda growth=growth: dipper(a, 1, a.threads, growth)
        ways[f"dipper {growth}, ranks"] = lambda growth=growth: dipper(a, a.threads, 1, growth)
    ways = {name: run for name, run in ways.items() if name == "lightgbm" or not a.only or name in a.only.split(";")}
    seen = {name: [] for name in ways}
    for i in range(a.runs):
        for name, run in ways.items():
            seen[name].append(run())
            print(f"run {i + 1} {name}: " + json.dumps(seen[name][-1]), file=sys.stderr, flush=True)
    keys = ("build_s", "train_s", "total_s", "train_cpu_s", "peak_mib", "auc")
    median = {name: {k: statistics.median(r[k] for r in runs) for k in keys} for name, runs in seen.items()}
    base = median["lightgbm"]
    print(f"{'median of ' + str(a.runs):28}" + "".join(f"{k:>12}" for k in keys) + "   ratios to lightgbm")
    for name, m in median.items():
        print(f"{name:28}" + "".join(f"{m[k]:12.{4 if k == 'auc' else 2 if k != 'peak_mib' else 0}f}" for k in keys)
              + "   " + " ".join(f"{k} {m[k] / base[k]:.3f}" for k in keys[:5]))


if __name__ == "__main__":
    main()
