#!/usr/bin/env python3
# RUN np=1 time=180 -- on a small table of numbers, holes and codes: as good as LightGBM and scikit-learn, by AUC and
# log-loss on rows not learned from, and the same margins with 1 rank x 2 threads as with 2 ranks x 1 thread.
import json
import os
import subprocess
import sys
import tempfile

import lightgbm
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss, roc_auc_score

TRAIN, TEST = 12000, 8000


def make_table(folder):
    """In the form of the large benchmark: 20 numbers, 12 codes (-1 = missing), a label."""
    rng = np.random.default_rng(5)
    n = TRAIN + TEST
    num = np.exp(rng.normal(0, 1, (n, 20))).astype(np.float32)
    num[:, 3] = np.round(num[:, 3])
    cat = rng.integers(-1, 30, (n, 12)).astype(np.int32)
    z = np.log(num[:, 0]) - 0.7 * np.log(num[:, 1]) * (cat[:, 2] < 10) + (cat[:, 0] % 5 == 2) - 1.5
    num[rng.random((n, 20)) < 0.1] = np.nan
    y = (rng.random(n) < 1 / (1 + np.exp(-2 * z))).astype(np.uint8)
    num.tofile(f"{folder}/num.f32")
    cat.tofile(f"{folder}/cat.i32")
    y.tofile(f"{folder}/y.u1")
    json.dump({"train_rows": TRAIN, "test_rows": TEST}, open(f"{folder}/meta.json", "w"))
    return np.hstack([num, np.where(cat < 0, np.nan, cat)]).astype(np.float32), y


def dipper(folder, ranks, threads, growth):
    command = [f"{os.environ['DIPPER_BUILD']}/tests/bench_trees_boost", folder, "trees=80", "depth=4", "rate=0.1",
               f"threads={threads}", f"growth={growth}", f"margins={folder}/margins"]
    if ranks > 1:
        command = [os.environ["MPIEXEC"], "-n", str(ranks)] + command
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return np.fromfile(f"{folder}/margins")


def main():
    with tempfile.TemporaryDirectory() as folder:
        x, y = make_table(folder)
        learned = {growth: dipper(folder, 1, 2, growth) for growth in ("depth", "symmetric")}
        again = dipper(folder, 2, 1, "depth")
    peers = {
        "lightgbm": lightgbm.LGBMClassifier(n_estimators=80, max_depth=4, num_leaves=16, learning_rate=0.1, max_bin=255,
                                            n_jobs=2, verbose=-1),
        "scikit-learn": HistGradientBoostingClassifier(max_iter=80, max_depth=4, learning_rate=0.1, l2_regularization=1,
                                                       max_leaf_nodes=None, early_stopping=False),
    }
    chance = {name: m.fit(x[:TRAIN], y[:TRAIN]).predict_proba(x[TRAIN:])[:, 1] for name, m in peers.items()}
    chance |= {f"dipper {growth}": 1 / (1 + np.exp(-margin)) for growth, margin in learned.items()}
    score = {name: (roc_auc_score(y[TRAIN:], p), log_loss(y[TRAIN:], p)) for name, p in chance.items()}
    for name, (a, l) in score.items():
        print(f"{name:18} AUC {a:.4f}   log-loss {l:.4f}")
    bad = [] if (learned["depth"] == again).all() else ["2 ranks give other margins than 2 threads"]
    worst_auc = min(score[p][0] for p in peers)
    worst_loss = max(score[p][1] for p in peers)
    for growth, slack in (("depth", 0.002), ("symmetric", 0.005)):
        auc, loss = score[f"dipper {growth}"]
        if auc < worst_auc - slack or loss > worst_loss + slack:
            bad.append(f"dipper {growth} is behind its peers")
    if bad:
        sys.exit("\n".join(bad))


main()
