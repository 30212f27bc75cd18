#!/usr/bin/env python3
"""Scores 500,000 rows x 32 with 200 trees of depth 6 by Dipper, CatBoost, XGBoost and ONNX Runtime in turn; medians, ratios.

  score.py DATA [--runs 5] [--threads 2] [--learn 300000] [--build build]

DATA: what make_declarations.py wrote. All columns as floats, in memory; each learns on the same rows. CatBoost gets its
Pool ready made, XGBoost the matrix (inplace_predict). M rows/s: elapsed; cpu: per processor second, times threads, of
which the ratio is taken (a loaded machine disturbs it less). Contributions: rows a processor second of one thread. ONNX
Runtime gets Dipper's own model, one row as one tensor, called from Python; its time includes that call.
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time

import numpy as np

TRAIN, TEST = 2_000_000, 500_000
EXPLAIN = 100_000


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


class Peers:
    def __init__(self, args):
        import catboost
        import xgboost
        self.test = table(args.data, TRAIN, TEST)
        x = table(args.data, TRAIN - args.learn, args.learn)
        y = np.fromfile(f"{args.data}/y.u1", np.uint8, args.learn, offset=TRAIN - args.learn)
        cat = catboost.CatBoostClassifier(iterations=200, depth=6, learning_rate=0.1, border_count=254, verbose=0,
                                          thread_count=2, bootstrap_type="No", boosting_type="Plain").fit(x, y)
        pool = catboost.Pool(self.test)
        xgb = xgboost.train({"max_depth": 6, "eta": 0.1, "max_bin": 255, "tree_method": "hist",
                             "nthread": args.threads, "objective": "binary:logistic"}, xgboost.DMatrix(x, y), 200)
        self.few, self.xgb = xgboost.DMatrix(self.test[:2000]), xgb
        self.calls = {
            "catboost": lambda: cat.predict(pool, prediction_type="RawFormulaVal", thread_count=args.threads),
            "xgboost": lambda: xgb.inplace_predict(self.test),
        }

    def contributions(self):
        start = time.process_time()
        self.xgb.predict(self.few, pred_contribs=True)
        return 2000 / (time.process_time() - start)


def onnx_single(path, test):
    """p50 and p99 in us of one row, ms of opening."""
    import onnx
    import onnxruntime
    onnxruntime.set_default_logger_severity(3)
    model = onnx.load(path)
    x = next(n.input[0] for n in model.graph.node if n.op_type.startswith("TreeEnsemble"))
    known, nodes = {x} | {i.name for i in model.graph.initializer}, []
    for node in model.graph.node:  # what follows from that tensor alone, up to the margin
        if "margin" not in known and all(i in known for i in node.input) and node.input:
            nodes.append(node)
            known.update(node.output)
    tensor = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(nodes, "cut", [tensor(x, onnx.TensorProto.FLOAT, [None, 32])],
                                   [tensor("margin", onnx.TensorProto.FLOAT, [None, 1])], model.graph.initializer)
    cut = onnx.helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    data = cut.SerializeToString()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    opened, us = [], []
    for _ in range(21):
        start = time.perf_counter()
        run = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        opened.append((time.perf_counter() - start) * 1e3)
    for i in range(5000):
        feed = {x: test[i * 37:i * 37 + 1].copy()}
        start = time.perf_counter()
        run.run(None, feed)
        us.append((time.perf_counter() - start) * 1e6)
    return np.percentile(us, 50), np.percentile(us, 99), statistics.median(opened)


def dipper(args, growth, isa, onnx):
    out = subprocess.run([f"{args.build}/tests/bench_trees_score", args.data, f"growth={growth}", f"learn={args.learn}",
                          f"threads={args.threads}", "runs=3", f"explain={EXPLAIN if isa == 'avx512' else 1000}"]
                         + ([f"onnx={onnx}"] if onnx else []), check=True, capture_output=True, text=True,
                         env={**os.environ, "DIPPER_CPU": isa}).stdout
    return json.loads(out)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--learn", type=int, default=300_000)
    parser.add_argument("--build", default=os.environ.get("DIPPER_BUILD", "build"))
    args = parser.parse_args()
    peers = Peers(args)
    seen = {}

    def note(name, **figures):
        for key, value in figures.items():
            seen.setdefault(name, {}).setdefault(key, []).append(value)

    with tempfile.TemporaryDirectory() as folder:
        for _ in range(args.runs):
            for name, call in peers.calls.items():
                elapsed, used = timed(call)
                note(name, rows_s=elapsed, rows_cpu_s=TEST / used * args.threads)
            note("xgboost", explain_rows_s=peers.contributions())
            for growth in ["symmetric", "depth"]:
                path = f"{folder}/{growth}.onnx"
                for isa in ["avx512", "avx2", "scalar"]:
                    out = dipper(args, growth, isa, path if isa == "avx512" else None)
                    note((growth, isa), **{key: out[key] for key in out if isinstance(out[key], (int, float))})
                    note((growth, isa), digest=out["digest"])
                p50, p99, load = onnx_single(path, peers.test)
                note(("onnx", growth), single_us=p50, single_p99_us=p99, model_load_ms=load)

    def median(name, key):
        return statistics.median(seen[name][key])

    for growth, peer in [("symmetric", "catboost"), ("depth", "xgboost")]:
        base = median(peer, "rows_cpu_s")
        print(f"{growth}: {peer} {median(peer, 'rows_s') / 1e6:.2f} M rows/s, cpu {base / 1e6:.2f} M")
        for isa in ["avx512", "avx2", "scalar"]:
            name = (growth, isa)
            print(f"  {isa:7} floats {median(name, 'rows_s') / 1e6:6.2f} M, cpu {median(name, 'rows_cpu_s') / 1e6:6.2f} M ="
                  f" {median(name, 'rows_cpu_s') / base:5.1f} x   columns cpu {median(name, 'columns_s') / 1e6:6.2f} M"
                  f"   bins cpu {median(name, 'bins_s') / 1e6:6.2f} M")
        name, theirs = (growth, "avx512"), ("onnx", growth)
        print(f"  one row p50 {median(name, 'single_us'):.2f} us, p99 {median(name, 'single_p99_us'):.2f} us;"
              f" ONNX Runtime {median(theirs, 'single_us'):.2f}, {median(theirs, 'single_p99_us'):.2f} us")
        print(f"  model load {median(name, 'model_load_ms'):.3f} ms; ONNX Runtime {median(theirs, 'model_load_ms'):.2f} ms")
        explain = median(name, "explain_rows_s")
        print(f"  contributions {explain:.0f} rows/s = {explain / median('xgboost', 'explain_rows_s'):.0f} x XGBoost's"
              f" {median('xgboost', 'explain_rows_s'):.0f}")
        digests = {d for isa in ["avx512", "avx2", "scalar"] for d in seen[(growth, isa)]["digest"]}
        print(f"  margins in every path: {'the same bits' if len(digests) == 1 else 'DIFFER'}")


main()
