#!/usr/bin/env python3
"""Time, memory and AUC with native categories (12 of the 32 columns of the large table), everyone in turn.

  categories.py DATA [--runs 5] [--peer-runs 1] [--trees 200] [--threads 2] [--only dipper ranks,lightgbm,...]

DATA: what make_declarations.py wrote. 200 trees, depth 6, rate 0.1, 255 bins, no sampling, the same threads each; AUC on
the 500,000 later rows. The peers have their frame ready in memory and are timed from making their data set on, their
peak counted from then; CatBoost with combinations off (max_ctr_complexity 1). Dipper reads the lake (the same rows with
the day as a date), chooses combinations, computes all hit rates, borders and bins, and is timed from opening the table on;
its peak is that of whole processes. XGBoost and CatBoost take minutes: --peer-runs (LightGBM takes part in every run).
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

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.dirname(HERE))
from compare import auc, peak_mib  # noqa: E402
from convergence import declarations, write_declarations  # noqa: E402
from make_declarations import CAT, NUM  # noqa: E402


def peer_run(name, folder, trees, threads):
    """In a process of its own, so that its peak is its own."""
    import pandas as pd
    num, cat, label, parts = declarations(folder)
    first = int(np.sum(parts[0] < 2))
    frames = []
    for rows in (slice(0, first), slice(first, None)):
        frame = pd.DataFrame(num[rows], columns=NUM)
        for j, (c, count) in enumerate(CAT):
            frame[c] = cat[rows, j] if name == "catboost" else pd.Categorical.from_codes(cat[rows, j], np.arange(count))
        frames.append(frame)
    x, test = frames
    y, truth = label[:first], label[first:]
    del num, cat, frames
    names = [c for c, _ in CAT]
    open("/proc/self/clear_refs", "w").write("5")
    start, used = time.perf_counter(), time.process_time()
    if name == "lightgbm":
        import lightgbm
        options = dict(objective="binary", max_depth=6, num_leaves=64, learning_rate=0.1, max_bin=255, num_threads=threads,
                       verbose=-1, seed=0)
        model = lightgbm.train(options, lightgbm.Dataset(x, y, params=options).construct(), trees)
    elif name == "xgboost":
        import xgboost
        data = xgboost.QuantileDMatrix(x, y, max_bin=255, nthread=threads, enable_categorical=True)
        model = xgboost.train(dict(objective="binary:logistic", tree_method="hist", max_depth=6, eta=0.1, max_bin=255,
                                   nthread=threads, seed=0), data, trees)
    else:
        import catboost
        model = catboost.CatBoost(dict(loss_function="Logloss", iterations=trees, depth=6, learning_rate=0.1,
                                       border_count=254, bootstrap_type="No", boosting_type="Plain", max_ctr_complexity=1,
                                       thread_count=threads, random_seed=0, verbose=0, allow_writing_files=False))
        model.fit(catboost.Pool(x, y, cat_features=names, thread_count=threads))
    total, used, peak = time.perf_counter() - start, time.process_time() - used, peak_mib()
    if name == "lightgbm":
        scores = model.predict(test, num_threads=threads, raw_score=True)
    elif name == "xgboost":
        scores = model.predict(xgboost.DMatrix(test, enable_categorical=True, nthread=threads), output_margin=True)
    else:
        scores = model.predict(catboost.Pool(test, cat_features=names), thread_count=threads)
    return dict(total_s=total, cpu_s=used, peak_mib=peak, auc=auc(truth, scores))


def peer(name, a):
    out = subprocess.run([sys.executable, __file__, a.data, "--trees", str(a.trees), "--threads", str(a.threads), "--child",
                          name], check=True, capture_output=True, text=True).stdout
    return json.loads(out.strip().splitlines()[-1])


def dipper(a, lake, work, truth, ranks):
    command = [f"{a.build}/tests/bench_trees_categories", lake, "train-rows", "test-rows", f"margins={work}/scores",
               f"threads={1 if ranks > 1 else a.threads}", f"trees={a.trees}"]
    if ranks > 1:
        command = ["mpirun", "-n", str(ranks), "--bind-to", "none"] + command
    env = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    out = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout)
    out["auc"] = auc(truth, np.fromfile(f"{work}/scores", np.float32))
    return out


def make_lake(a, work):
    """The table's rows, train and test apart, from one CSV by its part."""
    csv = f"{work}/rows.csv"
    label, parts = declarations(a.data)[2:]
    first = int(np.sum(parts[0] < 2))
    write_declarations(csv, a.data, label, [np.repeat([0, 2], [first, len(label) - first])])
    with open(f"{work}/site.yaml", "w") as f:
        f.write(f"kind: site\nroot: {work}/dipper\n")
    with open(csv, "rb") as rows:
        files = [open(f"{work}/{p}.csv", "wb") for p in ("train", "test")]
        head = rows.readline()
        for f in files:
            f.write(head)
        for line in rows:
            files[line.rstrip(b"\n").endswith(b"test")].write(line)
        for f in files:
            f.close()
    os.remove(csv)
    table = f"{work}/table.yaml"
    text = open(f"{HERE}/declarations.yaml").read().replace("\ncolumns:\n", "\ncolumns:\n  part_0: category\n")
    open(table, "w").write(text)
    for part in ("train", "test"):
        subprocess.run([f"{a.build}/dipper", "ingest", table, f"{work}/{part}.csv", f"name={part}-rows", "--quiet"], check=True,
                       env=dict(os.environ, DIPPER_SITE=f"{work}/site.yaml"), stdout=subprocess.DEVNULL)
        os.remove(f"{work}/{part}.csv")
    return f"{work}/dipper/lake", label[first:]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("data")
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--peer-runs", type=int, default=1)
    p.add_argument("--trees", type=int, default=200)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--build", default=f"{ROOT}/build")
    p.add_argument("--only", default="")
    p.add_argument("--child")
    a = p.parse_args()
    if a.child:
        print(json.dumps(peer_run(a.child, a.data, a.trees, a.threads)))
        return
    with tempfile.TemporaryDirectory() as work:
        lake, truth = make_lake(a, work)
        ways = {"lightgbm": lambda: peer("lightgbm", a),
                "dipper threads": lambda: dipper(a, lake, work, truth, 1),
                "dipper ranks": lambda: dipper(a, lake, work, truth, a.threads),
                "xgboost": lambda: peer("xgboost", a), "catboost": lambda: peer("catboost", a)}
        seen = {name: [] for name in ways if not a.only or name in a.only.split(",")}
        for i in range(a.runs):
            for name in seen:
                if name in ("xgboost", "catboost") and i >= a.peer_runs:
                    continue
                seen[name].append(ways[name]())
                print(f"run {i + 1} {name}: " + json.dumps(seen[name][-1]), file=sys.stderr, flush=True)
    keys = ("total_s", "cpu_s", "peak_mib", "auc")
    median = {name: {k: statistics.median(r[k] for r in runs) for k in keys} for name, runs in seen.items()}
    base = median.get("lightgbm", next(iter(median.values())))
    print(f"{'medians':16}" + "".join(f"{k:>12}" for k in keys) + "   ratios to lightgbm: seconds, processor, peak")
    for name, m in median.items():
        print(f"{name:16}{m['total_s']:12.2f}{m['cpu_s']:12.2f}{m['peak_mib']:12.0f}{m['auc']:12.4f}   "
              + " ".join(f"{m[k] / base[k]:.3f}" for k in keys[:3]))


if __name__ == "__main__":
    main()
