# RUN np=1 -- exported models pass onnx.checker and give our margins bit for bit in ONNX Runtime, in both operators
# (million.py: the same on 1,000,000 rows). Rows hold borders and their neighbours, NaN, both zeros, denormals,
# infinities, unseen and missing categories: tests/support/forest.h.
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime

onnxruntime.set_default_logger_severity(3)
failed = 0


def check(what, good):
    global failed
    if not good:
        failed += 1
        print("failed:", what)


def oddities(x):
    tiny = np.finfo(np.float32).tiny
    return {
        "NaN": np.isnan(x).sum(),
        "+0": ((x == 0) & ~np.signbit(x)).sum(),
        "-0": ((x == 0) & np.signbit(x)).sum(),
        "+infinity": (x == np.inf).sum(),
        "-infinity": (x == -np.inf).sum(),
        "denormals": ((x != 0) & (np.abs(x) < tiny)).sum(),
    }


with tempfile.TemporaryDirectory() as folder:
    subprocess.run([os.environ["DIPPER_BUILD"] + "/tests/test_onnx_writes", folder, os.environ.get("ROWS", "50000")],
                   check=True)
    for what in ["symmetric", "depthwise", "small", "constant", "nothing"]:
        path = f"{folder}/{what}"
        margin = np.fromfile(path + ".margin", np.int64)
        score = np.fromfile(path + ".score", np.float32)
        n = len(margin)
        x = np.fromfile(path + ".x", np.float32).reshape(n, -1)
        for name, rows in oddities(x).items():
            check(f"{what}: {name} among the rows", n < 50000 or rows > 0)
        check(f"{what}: margins within -16 .. 16", np.abs(margin).max() < 16 << 20)
        for ml in [5, 3]:
            file = f"{path}.ml{ml}.onnx"
            model = onnx.load(file)
            onnx.checker.check_model(model, full_check=True)
            check(f"{what} ml{ml}: says its payload", [p.key for p in model.metadata_props] == ["dipper.payload"])
            run = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
            feed = {}
            for j, value in enumerate(run.get_inputs()):
                if value.type == "tensor(string)":
                    words = open(f"{path}.text.{j}", encoding="utf-8").read().split("\n")[:n]
                    feed[value.name] = np.array(words, dtype=object).reshape(n, 1)
                else:
                    feed[value.name] = x[:, j:j + 1].copy()
            out = run.run(["margin", "score_"], feed)
            check(f"{what} ml{ml}: shapes", out[0].shape == (n, 1) and out[1].shape == (n, 1))
            ours = (margin.astype(np.float64) / 2**20).astype(np.float32)
            wrong = np.flatnonzero(out[0][:, 0] != ours)
            check(f"{what} ml{ml}: {len(wrong)} of {n} margins differ, first {wrong[:3]}", len(wrong) == 0)
            far = np.abs(out[1][:, 0] - score).max()
            check(f"{what} ml{ml}: scores differ by {far}", far <= 1e-7)
sys.exit(failed != 0)
