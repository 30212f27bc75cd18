#!/usr/bin/env python3
"""Learns the large table with Dipper and with LightGBM in turn, several times, and prints a row a goal: medians, their
ratio, what is asked. Ends with 1 when a goal was missed.

  compare.py DATA [--runs 5] [--seeds 3] [--threads 2] [--trees 200] [--build build] [--quick]

--quick: one run, one seed (five minutes on two idle cores; all of it takes twenty).

DATA: what make_declarations.py wrote (num.f32, cat.i32, y.u1, meta.json). All 32 columns as numbers, depth 6, rate 0.1,
255 bins and the missing one, the same number of threads each ("ranks": one thread a rank). LightGBM gets the matrix ready
in memory; its build_s is Dataset.construct, train_s the boosting; its peak begins with the matrix in memory, Dipper's
with the process.

Time to AUC: LightGBM learns --trees trees; Dipper (depth-wise, 30 % of the rows by gradient) as many, in steps of 10, as
it needs until the AUC on the test rows, a mean over the seeds, is at least LightGBM's mean. That number is picked by the
test rows; the AUC of one run moves by .002 to .003 with the seed.
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


def lightgbm_run(folder, trees, threads, quantised, seed):
    """In a process of its own (--child), so that its peak is its own."""
    import lightgbm
    meta = json.load(open(f"{folder}/meta.json"))
    rows = meta["train_rows"]
    x, y = table(folder, 0, rows), np.fromfile(f"{folder}/y.u1", np.uint8, rows)
    options = dict(objective="binary", max_depth=6, num_leaves=64, learning_rate=0.1, max_bin=255, num_threads=threads,
                   verbose=-1, seed=seed, use_quantized_grad=quantised)
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


def peer(a, quantised, seed=0):
    command = [sys.executable, __file__, a.data, "--trees", str(a.trees), "--threads", str(a.threads), "--child",
               "--seed", str(seed)] + ["--quantised"] * quantised
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def dipper(a, ranks, threads, trees, *options, every=0):
    """One training, depth-wise; with `every`, auc is a list: after so many trees, twice as many, ..."""
    meta = json.load(open(f"{a.data}/meta.json"))
    with tempfile.TemporaryDirectory() as folder:
        command = [f"{a.build}/tests/bench_trees_boost", a.data, f"threads={threads}", f"trees={trees}", "growth=depth",
                   f"margins={folder}/margins", f"every={every}", *options]
        if ranks > 1:
            command = ["mpirun", "-n", str(ranks), "--bind-to", "none"] + command
        env = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
        out = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout)
        labels = np.fromfile(f"{a.data}/y.u1", np.uint8, meta["test_rows"], offset=meta["train_rows"])
        margins = np.fromfile(f"{folder}/margins").reshape(-1, meta["test_rows"])
        out["auc"] = [auc(labels, m) for m in margins] if every else auc(labels, margins[0])
    return out


STEP = 10
SAMPLED = ("sample=0.3", "by=gradient")


def fewest_trees(curves, goal):
    """curves [seed][step]: the first number of trees from which on the mean reaches the goal."""
    mean = np.mean(curves, axis=0)
    reached = np.flatnonzero(mean >= goal)
    return STEP * (int(reached[0]) + 1) if len(reached) else None


def take_turns(ways, runs):
    """{name: {figure: median}} of ways {name: call}, each called `runs` times, in turn."""
    seen = {name: [] for name in ways}
    for i in range(runs):
        for name, run in ways.items():
            seen[name].append(run())
            print(f"run {i + 1} {name}: " + json.dumps(seen[name][-1]), file=sys.stderr, flush=True)
    keys = ("build_s", "train_s", "total_s", "train_cpu_s", "peak_mib", "auc")
    return {name: {k: statistics.median(r[k] for r in all_runs) for k in keys} for name, all_runs in seen.items()}


def measure(a):
    """Rows (what, ours, theirs, asked); a number of each where it is their ratio that counts."""
    curves = [dipper(a, 1, a.threads, a.trees, *SAMPLED, f"seed={seed}", every=STEP)["auc"] for seed in range(a.seeds)]
    goal = {q: statistics.mean(peer(a, q, seed)["auc"] for seed in range(a.seeds if q else 1)) for q in (False, True)}
    trees = {q: fewest_trees(curves, goal[q]) for q in goal}
    ways = {
        "lightgbm": lambda: peer(a, False),
        "quantised": lambda: peer(a, True),
        "threads": lambda: dipper(a, 1, a.threads, a.trees),
        "ranks": lambda: dipper(a, a.threads, 1, a.trees),
    }
    for q, n in trees.items():
        if n:
            ways[f"reach {q}"] = lambda n=n: dipper(a, 1, a.threads, n, *SAMPLED)
    m = take_turns(ways, a.runs)
    print(f"{'median of ' + str(a.runs):12}" + "".join(f"{k:>12}" for k in m["threads"]))
    for name, figures in m.items():
        print(f"{name.replace('False', 'plain').replace('True', 'quantised'):12.12}"
              + "".join(f"{v:12.4f}" for v in figures.values()))
    rows = []
    for q, name in ((False, "lightgbm"), (True, "quantised")):
        what = f"time to AUC {goal[q]:.4f} of {name} ({trees[q]} trees)"
        rows.append((what, m[f"reach {q}"]["total_s"] if trees[q] else float("inf"), m[name]["total_s"], 0.30))
    rows += [(f"{a.trees} trees, all rows, against lightgbm", m["threads"]["total_s"], m["lightgbm"]["total_s"], 0.50),
             ("the same, against quantised", m["threads"]["total_s"], m["quantised"]["total_s"], 0.75),
             ("exact borders + binning", m["threads"]["build_s"], m["lightgbm"]["build_s"], 0.15),
             ("peak MiB", m["threads"]["peak_mib"], m["lightgbm"]["peak_mib"], 0.45),
             (f"{a.threads} ranks x 1 thread against 1 rank x {a.threads} threads", m["ranks"]["total_s"],
              m["threads"]["total_s"], 1.05)]
    return rows


def main():
    p = argparse.ArgumentParser()
    p.add_argument("data")
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--seeds", type=int, default=3, help="of which AUCs are means")
    p.add_argument("--trees", type=int, default=200)
    p.add_argument("--threads", type=int, default=2, help="of each; 1: processor time is then free of waiting")
    p.add_argument("--build", default="build")
    p.add_argument("--quick", action="store_true", help="one run, one seed")
    p.add_argument("--child", action="store_true")
    p.add_argument("--quantised", action="store_true")
    p.add_argument("--seed", type=int, default=0)
    a = p.parse_args()
    if a.child:
        print(json.dumps(lightgbm_run(a.data, a.trees, a.threads, a.quantised, a.seed)))
        return 0
    if a.quick:
        a.runs = a.seeds = 1
    missed = 0
    rows = measure(a)
    print(f"{'':58}{'ours':>9}{'theirs':>9}{'ratio':>8}{'asked':>8}")
    for what, ours, theirs, asked in rows:
        missed |= ours / theirs > asked
        print(f"{what:58}{ours:9.2f}{theirs:9.2f}{ours / theirs:8.3f}{asked:8.2f}"
              + ("   missed" if ours / theirs > asked else ""))
    return missed


if __name__ == "__main__":
    sys.exit(main())
