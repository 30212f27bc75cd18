# RUN np=1 quick -- Python's csv and json read our text; every number comes back with its bits, as short as repr().
import csv
import datetime
import io
import json
import math
import os
import shutil
import subprocess
import tempfile

import numpy as np

SPECIAL = [-0.0, 5e-324, -2.5e-310, math.inf, -math.inf, 1.7976931348623157e308, 0.1]
TEXT = 'Kaffee, nicht ger\xf6stet \u8336 "a", b\nc'.encode()
START = datetime.datetime(1970, 1, 1)


def dump(form, threads):
    folder = tempfile.mkdtemp()
    try:
        command = [f"{os.environ['DIPPER_BUILD']}/tests/test_lake_export", "dump", folder, form, str(threads)]
        return subprocess.run(command, check=True, capture_output=True).stdout.decode()
    finally:
        shutil.rmtree(folder)


def same(a, b):
    return np.float64(a).tobytes() == np.float64(b).tobytes()


def number(field):
    return {None: None, "": None}.get(field, field)


def check(n, row, json_form):
    value = number(row["value"])
    if n % 11 == 3:
        assert value is None, (n, value)
    elif n % 97 < 7:
        assert same(float(value), SPECIAL[n % 97]), (n, value)
    else:
        assert float(value) * 8 == int(float(value) * 8), (n, value)
    mass = number(row["mass"])
    assert (mass is None) == (n % 13 == 5)
    if mass is not None:
        assert float(mass) * 16 == int(float(mass) * 16) and same(math.copysign(1, float(mass)), -1 if n % 101 == 0 else 1)
    at = number(row["at"])
    if n % 17 == 2:
        assert at is None
    else:
        when = START + datetime.timedelta(microseconds=n * 1000003) - datetime.timedelta(days=500)
        assert datetime.datetime.fromisoformat(at.rstrip("Z")) == when, (n, at)
    goods = "" if n % 7 == 0 else TEXT[: 24 if n % 3 else 5].decode() + str(n)
    assert (row["goods"] or "") == goods, (n, row["goods"])
    assert row["id"] == f"D{n:09d}" and len(row["hs6"]) == 6
    assert (number(row["office"]) is None) == (n % 19 == 1)


for threads in (1, 3):
    text = dump("csv", threads)
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(rows) == 6000
    for n, row in enumerate(rows):
        check(n, row, False)
    longest = [r["value"] for r in rows if r["value"] and len(r["value"].lstrip("-")) > len(repr(abs(float(r["value"]))))]
    assert not longest, longest[:5]

lines = dump("jsonl", 2).splitlines()
assert len(lines) == 6000
for n, line in enumerate(lines):
    check(n, json.loads(line), True)
