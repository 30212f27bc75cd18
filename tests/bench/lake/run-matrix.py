#!/usr/bin/env python3
"""The large table from the lake to a binned training matrix with exact borders, against LightGBM's Dataset from memory.

  run-matrix.py [--rounds 5]

2,000,000 rows x 32 columns, 255 bins and one for missing. Ours: two ranks of one thread, from opening the table that
../ingest wrote to the last bin, borders from all rows. LightGBM: Dataset.construct of a float matrix that lies ready in
memory, two threads, borders from its sample of 200,000 rows. In turn; prints both medians and the ratio, and exits 1
where it is above 0.25.
"""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ["DIPPER_BUILD"]

import lightgbm  # noqa: E402
import numpy as np  # noqa: E402

ROWS = 2_000_000


def big_table():
    folder = os.environ.get("DIPPER_BIG_TABLE") or os.path.join(BUILD, "bench", "declarations")
    if not os.path.exists(os.path.join(folder, "train.csv")):
        maker = os.path.join(os.path.dirname(HERE), "make_declarations.py")
        subprocess.run([sys.executable, maker, "--out", folder, "--csv"], check=True)
    return folder


def mpirun(driver, *words):
    environment = dict(os.environ, OMP_NUM_THREADS="1", OMPI_MCA_hwloc_base_binding_policy="none")
    out = subprocess.run(["mpirun", "-n", "2", os.path.join(BUILD, "tests", driver), *words], env=environment, check=True,
                         capture_output=True, text=True).stdout
    return out.strip().splitlines()[-1]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rounds", type=int, default=5)
    a = p.parse_args()
    folder = big_table()
    x = np.empty((ROWS, 32), np.float32)
    x[:, :20] = np.fromfile(f"{folder}/num.f32", np.float32, ROWS * 20).reshape(ROWS, 20)
    codes = np.fromfile(f"{folder}/cat.i32", np.int32, ROWS * 12).reshape(ROWS, 12)
    x[:, 20:] = np.where(codes < 0, np.nan, codes)
    y = np.fromfile(f"{folder}/y.u1", np.uint8, ROWS)
    lake = tempfile.mkdtemp(dir=BUILD)
    ours, peer = [], []
    try:
        mpirun("bench_ingest_ingest", os.path.join(HERE, "..", "ingest", "big.yaml"), lake, "big", "1", f"{folder}/train.csv")
        for _ in range(a.rounds):
            ours.append(float(mpirun("bench_lake_matrix", lake, "big", "1")))
            start = time.perf_counter()
            lightgbm.Dataset(x, y, params={"max_bin": 255, "num_threads": 2, "verbose": -1}).construct()
            peer.append(time.perf_counter() - start)
    finally:
        shutil.rmtree(lake)
    ratio = statistics.median(ours) / statistics.median(peer)
    for who, s in (("lake to bins", ours), ("LightGBM", peer)):
        print(f"{who:14} {statistics.median(s):6.3f} s  ({min(s):.3f} .. {max(s):.3f})")
    print(f"lake to binned matrix: {ratio:.2f} of LightGBM's Dataset from memory (goal 0.25)")
    return 0 if ratio <= 0.25 else 1


if __name__ == "__main__":
    sys.exit(main())
