#!/usr/bin/env python3
"""Reads 8 of 33 columns (label, 3 floats, 4 categories) of 2,000,000 rows from the lake and, in turn, from Parquet.

  columns.py DATA [--runs 5] [--build build] [--rows 2000000]

DATA: what make_declarations.py wrote (num.f32, cat.i32, y.u1). The table is packed once by the driver `columns`, and
written as Parquet by pyarrow (snappy, dictionaries), Polars (zstd 1) and DuckDB (zstd); each reader reads each file with
two threads. Ours: two ranks, as blocks in reused buffers, opening the table included. Times are medians over the runs
of the best of 5 reads; bytes are those on disk.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import time

os.environ["POLARS_MAX_THREADS"] = "2"
import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

COLUMNS = [0, 1, 2, 5, 21, 31, 32, 24]


def load(folder, rows):
    num = np.fromfile(f"{folder}/num.f32", np.float32, rows * 20).reshape(rows, 20)
    cat = np.fromfile(f"{folder}/cat.i32", np.int32, rows * 12).reshape(rows, 12)
    words = pa.array([str(i) for i in range(20001)])
    columns = {"y0": pa.array(np.fromfile(f"{folder}/y.u1", np.int8, rows))}
    for k in range(20):
        columns[f"x{k + 1}"] = pa.array(num[:, k], mask=np.isnan(num[:, k]))
    for k in range(12):
        codes = pa.array(cat[:, k], mask=cat[:, k] < 0)
        columns[f"c{k + 21}"] = pa.DictionaryArray.from_arrays(codes, words)
    return pa.table(columns)


def write_peers(table, folder):
    plain = table.cast(pa.schema([(f.name, pa.string() if f.name[0] == "c" else f.type) for f in table.schema]))
    files = {name: f"{folder}/{name}.parquet" for name in ("pyarrow-snappy", "polars-zstd", "duckdb-zstd")}
    pq.write_table(plain, files["pyarrow-snappy"], compression="snappy", use_dictionary=True)
    pl.from_arrow(plain).write_parquet(files["polars-zstd"], compression="zstd", compression_level=1)
    duckdb.register("plain", plain)
    duckdb.execute(f"copy plain to '{files['duckdb-zstd']}' (format parquet, compression zstd)")
    return files


def readers(path, names):
    coded = [n for n in names if n[0] == "c"]
    duck = duckdb.connect(config={"threads": 2})
    wanted = ", ".join(names)
    return {
        "pyarrow": lambda: pq.read_table(path, columns=names, read_dictionary=coded),
        "polars": lambda: pl.read_parquet(path, columns=names),
        "duckdb": lambda: duck.sql(f"select {wanted} from '{path}'").to_arrow_table(),
    }


def best(call, times=5):
    """Least wall and processor seconds, each by itself."""
    wall, processor = [], []
    for _ in range(times):
        start, cpu = time.perf_counter(), time.process_time()
        call()
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - cpu)
    return min(wall), min(processor)


def main():
    args = argparse.ArgumentParser()
    args.add_argument("data")
    args.add_argument("--runs", type=int, default=5)
    args.add_argument("--rows", type=int, default=2000000)
    args.add_argument("--build", default="build")
    a = args.parse_args()
    pa.set_cpu_count(2)
    lake, driver = f"{a.data}/lake", f"{a.build}/tests/bench_lake_columns"
    mpirun = ["mpirun", "--bind-to", "none", "--oversubscribe", "-n", "2", driver]
    shutil.rmtree(lake, ignore_errors=True)
    subprocess.run([*mpirun, "write", a.data, lake, str(a.rows), "250000", "1"], check=True, stdout=subprocess.DEVNULL)
    table = load(a.data, a.rows)
    files = write_peers(table, a.data)
    names = [table.schema.names[c] for c in COLUMNS]
    calls = {(reader, f): call for f, path in files.items() for reader, call in readers(path, names).items()}
    seconds = {key: [] for key in [*calls, "lake"]}
    for _ in range(a.runs):
        for key, call in calls.items():
            seconds[key].append(best(call))
        out = json.loads(subprocess.run([*mpirun, "read", lake, "5", "1"], check=True, capture_output=True).stdout)
        seconds["lake"].append((out["best_s"], out["processor_s"]))
    wall = {key: statistics.median(v[0] for v in values) for key, values in seconds.items()}
    cpu = {key: statistics.median(v[1] for v in values) for key, values in seconds.items()}
    size = sum(os.path.getsize(os.path.join(d, f)) for d, _, found in os.walk(lake) for f in found)
    sizes = {f: os.path.getsize(path) for f, path in files.items()}
    for key in sorted(calls, key=wall.get):
        print(f"{key[0]:8} {key[1]:15} {wall[key]:.4f} s  processor {cpu[key]:.4f} s  {sizes[key[1]] / 1e6:6.1f} MB")
    print(f"{'lake':8} {'zstd':15} {wall['lake']:.4f} s  processor {cpu['lake']:.4f} s  {size / 1e6:6.1f} MB")
    peer, thrifty = min(calls, key=wall.get), min(calls, key=cpu.get)
    print(f"time {wall['lake'] / wall[peer]:.2f} x {peer[0]} from {peer[1]}; processor time {cpu['lake'] / cpu[thrifty]:.2f} x "
          f"{thrifty[0]} from {thrifty[1]}; bytes {size / min(sizes.values()):.2f} x the smallest Parquet")


main()
