#!/usr/bin/env python3
"""Instructions and bytes a row, of growing and of scoring: run-instructions.py [--table DATA]

Counted by valgrind's callgrind, one thread, with AVX2 (it does not know AVX-512), on the drivers boost.c and score.c.
Bytes are those that the algorithm must read or write a row, by the arrays it goes through; README.md sets both beside
seconds and the limits of the machine. Needs valgrind and the table of make_declarations.py."""
import argparse
import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[3]
FEATURES, ROWS, TREES, DEPTH, TEST_ROWS = 32, 200_000, 4, 6, 500_000
# Of a row: its bins 32 (a row-wise block), the entry of the list 4, rounded g and h 4, margin 8, chance 8, label 1,
# part 1, identity 8, leaf 2. Operations of a tree, and what they touch of a row that they go through.
GROWING = [("gradients", "rounded gradients", 8 + 8 + 1 + 1 + 8 + 4), ("list", "list of rows", 4 + 4),
           ("histogram", "histograms", FEATURES + 4 + 4), ("partition", "partition", 1 + 4 + 4),
           ("walk", "walk to the leaves", FEATURES + 2), ("leaf_sums", "sums of leaves", 8 + 1 + 1 + 2),
           ("add_leaves", "margins", 8 + 8 + 1 + 2)]
SCORING = [("trees_margins", "from rows of floats", 4 * FEATURES + 8), ("trees_margins_columns", "from columns", 4 * FEATURES + 8),
           ("trees_margins_bins", "from stored bins", FEATURES + 8)]


def count(command):
    """(calls, instructions with those of what is called) by (caller, function)."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "calls"
        done = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", *map(str, command)],
                              capture_output=True, text=True, env={**os.environ, "DIPPER_CPU": "avx2"})
        if done.returncode:
            sys.exit(f"instructions: {command}\n{done.stderr[-2000:]}")
        names, seen = {}, collections.defaultdict(lambda: [0, 0])
        caller = callee = None
        lines = iter(out.read_text().splitlines())
        for line in lines:
            named = re.match(r"(c?fn)=\((\d+)\)(?: (.*))?", line)
            if named:
                name = names.setdefault(named[2], named[3])
                caller, callee = (name, None) if named[1] == "fn" else (caller, name)
            elif line.startswith("calls="):
                entry = seen[caller, callee]
                entry[0] += int(line[6:].split()[0])
                entry[1] += int(next(lines).split()[1])
        return seen


def of(seen, name, caller=""):
    return sum(cost for (by, what), (_, cost) in seen.items() if re.sub(r"'\d+$", "", what or "") == name and caller in by)


def grow(build, table, depth):
    return count([build / "tests/bench_trees_boost", table, f"rows={ROWS}", f"trees={TREES}", f"depth={depth}"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=Path(os.environ.get("DIPPER_BUILD", SOURCE / "build")))
    parser.add_argument("--table", type=Path, default=os.environ.get("DIPPER_BIG_TABLE"))
    asked = parser.parse_args()
    table = asked.table or asked.build / "bench/declarations"
    if not shutil.which("valgrind") or not (table / "meta.json").exists():
        print("instructions: no valgrind, or no table (tests/bench/trees/run makes it): skipped")
        return 0
    deep, root = grow(asked.build, table, DEPTH), grow(asked.build, table, 1)
    print(f"{ROWS} rows x {FEATURES}, {TREES} depth-wise trees of depth {DEPTH}, AVX2, one thread")
    print("of a tree                 instructions a row   bytes a row and pass")
    for name, what, size in GROWING:
        print(f"{what:26}{of(deep, name) / ROWS / TREES:18.1f}{size:23}")
    print(f"{'histogram of the root':26}{of(root, 'histogram') / ROWS / TREES:18.1f}{FEATURES + 8:23}"
          f"   {of(root, 'histogram') / ROWS / TREES / FEATURES:.2f} a row and feature")
    print(f"{'all of a tree':26}{of(deep, 'trees_training_step') / ROWS / TREES:18.1f}")
    for growth in ("symmetric", "depth"):
        seen = count([asked.build / "tests/bench_trees_score", table, f"growth={growth}", "learn=30000", "runs=1", "explain=1"])
        print(f"scoring, 200 {growth} trees of depth 6")
        for name, what, size in SCORING:
            cost = of(seen, name, "time_margins")
            print(f"{what:26}{cost / TEST_ROWS:18.1f}{size:23}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
