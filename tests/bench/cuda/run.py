#!/usr/bin/env python3
"""Learns and scores 10,000,000 x 32 on a card, by Dipper and by XGBoost (hist, device=cuda) in turn, and prints a row a
goal: medians, their ratio, what is asked. Ends with 1 when a goal was missed; without a card says so and ends with 0.

  run.py [--rows 10000000] [--trees 100] [--runs 5] [--build build] [--played]

XGBoost gets a QuantileDMatrix on the card before the clock starts, and Dipper its bins; depth 6, rate 0.1, 255 bins. Rows
scored: of floats and bins that lie on the card. Digests: a run on the processor, of as many rows, must give the same margins.
--played: the card that the processor plays (tests/support/card), to see that this runs; no goal is looked at.
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

FEATURES, SKIPPED = 32, 77
GOALS = {"symmetric": 0.4, "depth": 0.8}  # seconds on an H200
XGBOOST, SCORING = 0.5, 2e9  # of XGBoost's time; rows a second


def make_table(folder, rows):
    """Columns of different shapes, some with missing values; labels that depend on eight of them."""
    draw = np.random.Generator(np.random.Philox(7))
    margin = np.full(rows, -2.0, np.float32)
    with open(f"{folder}/x.f32", "wb") as file:
        for f in range(FEATURES):
            x = draw.standard_normal(rows, np.float32)
            if f % 4 == 1:
                x = np.exp(x)
            elif f % 4 == 2:
                x = np.floor(8 * x)
            if f < 8:
                margin += np.where(x > 0.5, 0.4, -0.2) * x.clip(-2, 2)
            if f % 4 == 3:
                x[draw.random(rows, np.float32) < 0.1] = np.nan
            x.tofile(file)
    (draw.random(rows, np.float32) < 1 / (1 + np.exp(-margin))).astype(np.uint8).tofile(f"{folder}/y.u1")


def dipper(a, folder, device, rows):
    """{growth: figures}; with 0 rows nothing but the question whether there is a card. Without one this ends."""
    env = dict(os.environ)
    if a.played:
        env["DIPPER_CUDA_PLUGIN"] = f"{a.build}/tests/libcard.so"
    run = subprocess.run([f"{a.build}/tests/bench_cuda_card", folder, f"rows={rows}", f"trees={a.trees}",
                          f"runs={a.runs}", f"device={device}", f"threads={os.cpu_count()}"],
                         stdout=subprocess.PIPE, text=True, env=env)
    if run.returncode == SKIPPED:
        sys.exit(print(run.stdout.strip()))
    run.check_returncode()
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    return {line["growth"]: line for line in lines}


def xgboost_seconds(a, folder):
    import xgboost
    x = np.fromfile(f"{folder}/x.f32", np.float32).reshape(FEATURES, a.rows).T
    y = np.fromfile(f"{folder}/y.u1", np.uint8)
    data = xgboost.QuantileDMatrix(x, y, max_bin=255)
    options = {"max_depth": 6, "eta": 0.1, "max_bin": 255, "tree_method": "hist", "device": "cuda",
               "objective": "binary:logistic"}
    xgboost.train(options, data, 1)  # the first training loads kernels and lays the bins on the card
    seconds = []
    for _ in range(a.runs):
        start = time.perf_counter()
        xgboost.train(options, data, a.trees)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--build", default=os.environ.get("DIPPER_BUILD", "build"))
    parser.add_argument("--played", action="store_true")
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        dipper(a, folder, "cuda", 0)
        make_table(folder, a.rows)
        seen = [dipper(a, folder, "cuda", a.rows) for _ in range(1 if a.played else a.runs)]
        truth = dipper(a, folder, "cpu", a.rows)
        peer = None if a.played else xgboost_seconds(a, folder)
    missed = []

    def row(what, value, unit, goal, good):
        if a.played:
            print(f"{what}: {value:.6f} {unit}")
            return
        if not good:
            missed.append(what)
        print(f"{what:44} {value:10.3f} {unit:8} asked {goal:<8} {'' if good else 'MISSED'}")

    print(f"{seen[0]['symmetric']['device']}: {a.rows} x {FEATURES}, {a.trees} trees of depth 6, medians of {len(seen)}")
    for growth, goal in GOALS.items():
        def median(key):
            return statistics.median(s[growth][key] for s in seen)
        row(f"{growth}: training", median("train_s"), "s", f"<= {goal}", median("train_s") <= goal)
        if peer:
            ratio = median("train_s") / peer
            row(f"{growth}: training, of XGBoost's {peer:.3f} s", ratio, "x", f"<= {XGBOOST}", ratio <= XGBOOST)
        for form in ["columns_s", "bins_s"]:
            rate = median(form)
            row(f"{growth}: scoring of {form[:-2]} on the card", rate / 1e9, "G rows/s", ">= 2", rate >= SCORING)
        print(f"{growth}: borders and bins {median('set_s'):.3f} s, before the first tree {median('begin_s'):.3f} s, "
              f"scoring from the host {median('from_host_s') / 1e6:.1f} M rows/s")
        if any(s[growth]["digest"] != truth[growth]["digest"] for s in seen):
            missed.append(f"{growth}: digest")
            print(f"{growth}: margins differ from the processor's MISSED")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
