# RUN np=1 -- random nasty files parsed by Python's csv, json, codecs and zoneinfo, and by dipper ingest: the same rows.
import csv
import datetime
import gzip
import io
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import zoneinfo
from fractions import Fraction

DIPPER = os.path.abspath(os.environ["DIPPER"])
COLUMNS = """columns:
  a: text
  b: {type: category, from: "B, the column"}
  n: number
  f: {type: number, bits: 32}
  t: {type: time, format: "%Y-%m-%d %H:%M:%S"}
  c: code
  y: label
"""
HEADER = ["c", "a", "ignored", "B, the column", "n", "f", "t", "y"]
ZONE = "America/Sao_Paulo"  # summer time until 2019: local times that occur twice, and some that do not
random.seed(20261120)


def word(letters):
    return "".join(random.choice(letters) for _ in range(random.randrange(12)))


def number():
    return random.choice(["", f"{random.uniform(-1e6, 1e6):.{random.randrange(9)}f}", repr(random.gauss(0, 1) * 10 ** random.randrange(-300, 300)),
                          str(random.randrange(10 ** 9)), "-0.0", f"{random.random():.17e}", f"+{random.randrange(99)}"])


def single():
    return random.choice(["", f"{random.uniform(-1e5, 1e5):.{random.randrange(12)}f}", str(random.randrange(1 << 25)), f"{random.random():.9g}"])


def time():
    day = datetime.datetime(2018, 11, 3) if random.random() < 0.3 else datetime.datetime(random.randrange(1990, 2038), 1, 1)
    hours = random.randrange(48) if day.month == 11 else random.randrange(8760)
    return random.choice(["", str(day + datetime.timedelta(hours=hours, minutes=random.randrange(60)))])


def rows(n, letters):
    return [{"a": word(letters), "B, the column": word("xyzé") + word(letters)[:2], "n": number(), "f": single(), "t": time(),
             "c": f"{random.randrange(10 ** 5):06d}", "y": random.choice(["", "0", "1"]), "ignored": word(letters)} for _ in range(n)]


def as_float32(text):
    """The float nearest to the text. Rounding to double first can go one float wrong: the neighbours are tried."""
    exact = Fraction(text)
    (near,) = struct.unpack("f", struct.pack("f", float(text)))
    (bits,) = struct.unpack("I", struct.pack("f", abs(near)))
    sign = -1 if str(near).startswith("-") else 1
    beside = [sign * struct.unpack("f", struct.pack("I", b))[0] for b in (bits, bits - 1, bits + 1) if b >= 0]
    return min(beside, key=lambda f: abs(Fraction(f) - exact))


def expected(row):
    t = None
    if row["t"]:
        local = datetime.datetime.fromisoformat(row["t"]).replace(tzinfo=zoneinfo.ZoneInfo(ZONE))
        t = local.astimezone(datetime.timezone.utc)
    return [row["a"], row["B, the column"], float(row["n"]) if row["n"] else None, as_float32(row["f"]) if row["f"] else None, t,
            row["c"], int(row["y"]) if row["y"] else None]


def found(line):
    got = json.loads(line)
    t = got.get("t")
    if t is not None:
        t = datetime.datetime.fromisoformat(t.replace("Z", "+00:00"))
        t = t if t.tzinfo else t.replace(tzinfo=datetime.timezone.utc)
    f = got.get("f")
    if f is not None:
        (f,) = struct.unpack("f", struct.pack("f", f))
    return [got.get("a") or "", got.get("b") or "", got.get("n"), f, t, got.get("c") or "", got.get("y")]


def run(*words, ranks=1, **more):
    launch = [] if ranks == 1 else [os.environ.get("MPIEXEC", "mpirun"), "-n", str(ranks)]
    return subprocess.run(launch + [DIPPER, *words], check=True, capture_output=True, **more).stdout


def compare(name, data, config, table, ranks):
    with open("t.yaml", "w") as f:
        f.write(f"kind: table\nname: {name}\n{config}{COLUMNS}")
    run("ingest", "t.yaml", "-" if data is not None else name, ranks=ranks, **({"input": data} if data is not None else {}))
    lines = run("lake", "export", name, "--format", "jsonl").decode().splitlines()
    assert len(lines) == len(table), f"{name}: {len(lines)} rows, {len(table)} expected"
    for i, (line, row) in enumerate(zip(lines, table)):
        got, want = found(line), expected(row)
        assert got == want, f"{name}, row {i}: {got} expected {want} from {row}"


def delimited(table, **dialect):
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, HEADER, **dialect)
    writer.writeheader()
    writer.writerows(table)
    text = out.getvalue()
    assert [r for r in csv.DictReader(io.StringIO(text, newline=""), **dialect)] == table
    return text


def main():
    zone = f"time_zone: {ZONE}"
    nasty = 'ab,;"\n\t \'é中😀|'
    table = rows(3000, nasty)
    compare("unix", delimited(table, lineterminator="\n").encode(), f"from: {{{zone}}}\n", table, 1)
    returns = rows(1000, nasty + "\r")
    compare("windows", ("\ufeff" + delimited(returns, quoting=csv.QUOTE_ALL)).encode(), f"from: {{{zone}}}\n", returns, 3)
    compare("tabs", delimited(table, delimiter="\t").encode(), f"from: {{{zone}, delimiter: tab}}\n", table, 1)
    packed = gzip.compress(delimited(table[:1500]).encode()) + gzip.compress(delimited(table[1500:]).encode().split(b"\r\n", 1)[1])
    compare("packed", packed, f"from: {{{zone}}}\n", table, 3)
    for encoding, letters in (("big5", 'ab,"\n中文許功蓋'), ("gb18030", 'ab,"\n中文é😀丂'), ("utf-16", nasty), ("iso-8859-1", 'ab,"\né')):
        table = [r | {"B, the column": "x"} for r in rows(500, letters)]
        compare("in-" + encoding, delimited(table).encode(encoding), f"from: {{{zone}, encoding: {encoding}}}\n", table, 2)
    table = rows(2000, nasty)
    lines = "".join(json.dumps({k: v for k, v in r.items() if v != "" or random.random() < 0.5}, ensure_ascii=i % 2 == 0) + "\n"
                    for i, r in enumerate(table))
    compare("lines", lines.encode(), f"from: {{{zone}, format: jsonl}}\n", table, 2)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            main()
        except subprocess.CalledProcessError as e:
            sys.exit(f"{e.cmd}: {e.stderr.decode()}")
