#!/usr/bin/env python3
"""Text to columns: CSV of 2,000,000 rows x 33 columns into the lake, against CSV -> Parquet of the peers, 2 threads.

  run.py [--csv FILE] [--rounds 5] [--only polars,duckdb,pyarrow]

FILE: train.csv as ../make_declarations.py --csv writes it; without it the one of DIPPER_BIG_TABLE, else it is made once
under build/bench. Everyone in turn, --rounds times, from the page cache. Dipper's time is the command's own from the
moment its 2 ranks are up, without fsync (given beside it); the peers do not sync. Prints a line for each with the
median, and exits 1 where the goal is missed: half the time of the fastest peer, no more bytes than it, 512 MiB a rank.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


sys.path.insert(0, os.path.dirname(HERE))
from make_declarations import CAT, NUM  # noqa: E402

NUMBERS, CODES = NUM, [name for name, _ in CAT]


def find_csv():
    folder = os.environ.get("DIPPER_BIG_TABLE") or os.path.join(os.environ["DIPPER_BUILD"], "bench", "declarations")
    path = os.path.join(folder, "train.csv")
    if not os.path.exists(path):
        maker = os.path.join(os.path.dirname(HERE), "make_declarations.py")
        subprocess.run([sys.executable, maker, "--out", folder, "--csv"], check=True)
    return path


def dipper(csv, work):
    driver = os.path.join(os.environ["DIPPER_BUILD"], "tests", "bench_ingest_ingest")
    environment = dict(os.environ, OMP_NUM_THREADS="1", OMPI_MCA_hwloc_base_binding_policy="none")
    out = subprocess.run(["mpirun", "-n", "2", driver, os.path.join(HERE, "big.yaml"), os.path.join(work, "lake"), "big", "1", csv],
                         env=environment, check=True, capture_output=True, text=True).stdout
    got = json.loads(out.strip().splitlines()[-1])
    return got["seconds"] - got["sync_s"], got["bytes"], got


PEER = """
import sys, time
csv, out, names, codes = sys.argv[1], sys.argv[2], sys.argv[3].split(), sys.argv[4].split()
who = sys.argv[5]
if who == "polars":
    import polars as pl
    schema = {"label": pl.Int8, **{n: pl.Float32 for n in names}, **{c: pl.String for c in codes}}
    start = time.perf_counter()
    pl.scan_csv(csv, schema=schema).sink_parquet(out, compression="zstd", compression_level=1)
elif who == "duckdb":
    import duckdb
    types = {"label": "TINYINT", **{n: "FLOAT" for n in names}, **{c: "VARCHAR" for c in codes}}
    db = duckdb.connect(config={"threads": 2})
    db.execute("set enable_progress_bar = false")
    start = time.perf_counter()
    db.execute(f"copy (select * from read_csv('{csv}', header=true, columns={types})) to '{out}' (format parquet, compression snappy)")
else:
    import pyarrow as pa, pyarrow.csv, pyarrow.parquet
    pa.set_cpu_count(2)
    types = {"label": pa.int8(), **{n: pa.float32() for n in names}, **{c: pa.dictionary(pa.int32(), pa.string()) for c in codes}}
    start = time.perf_counter()
    table = pyarrow.csv.read_csv(csv, convert_options=pyarrow.csv.ConvertOptions(column_types=types))
    pyarrow.parquet.write_table(table, out, compression="snappy")
print(time.perf_counter() - start)
"""


def peer(who, csv, work):
    out = os.path.join(work, who + ".parquet")
    environment = dict(os.environ, POLARS_MAX_THREADS="2", OMP_NUM_THREADS="2")
    got = subprocess.run([sys.executable, "-c", PEER, csv, out, " ".join(NUMBERS), " ".join(CODES), who], env=environment,
                         check=True, capture_output=True, text=True).stdout
    return float(got.split()[-1]), os.path.getsize(out), None


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--csv")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--only", default="polars,duckdb,pyarrow")
    a = p.parse_args()
    a.csv = a.csv or find_csv()
    peers = a.only.split(",")
    seconds, size, memory = {}, {}, 0
    for _ in range(a.rounds):
        for who in ["dipper"] + peers:
            work = tempfile.mkdtemp(dir=os.environ["DIPPER_BUILD"])
            try:
                s, size[who], more = dipper(a.csv, work) if who == "dipper" else peer(who, a.csv, work)
            finally:
                shutil.rmtree(work)
            seconds.setdefault(who, []).append(s)
            if more:
                memory = max(memory, more["peak_mib"])
                seconds.setdefault("fsync", []).append(more["sync_s"])
    middle = {who: statistics.median(s) for who, s in seconds.items()}
    best = min(peers, key=lambda who: middle[who])
    print(f"{os.path.getsize(a.csv) / 1e6:.0f} MB of CSV, medians of {a.rounds}, alternating")
    for who in ["dipper"] + peers:
        print(f"{who:8} {middle[who]:7.3f} s  {size[who] / 1e6:6.1f} MB  ({min(seconds[who]):.3f} .. {max(seconds[who]):.3f})")
    ratio = middle["dipper"] / middle[best]
    print(f"dipper / {best}: {ratio:.2f} of its time (goal 0.50), {size['dipper'] / size[best]:.2f} of its bytes; fsync "
          f"{middle['fsync']:.3f} s more; {memory:.0f} MiB a rank")
    return 0 if ratio <= 0.5 and size["dipper"] <= size[best] and memory <= 512 else 1


if __name__ == "__main__":
    sys.exit(main())
