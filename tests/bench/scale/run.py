"""Training a level of trees on 16 .. 1,024 simulated hosts: run.py [--hosts 16,64] [--growth depth] [--trees 2]

Needs SimGrid (Debian: libsimgrid-dev) and the built library. What one rank computes is measured here, operation by
operation, with as many rows as a rank would have (10^8 / hosts); the messages are simulated by SMPI on the platform
below, sent by the very code that trains (scale.c). A host with 16 threads computes a sixteenth of the time of one."""
import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[2]
ROWS, LARGEST = 10**8, 16  # all rows; the fewest hosts, whose rows one host of this machine holds
BY_ROWS = {"gradients", "list", "histogram", "partition", "walk", "leaf_sums", "add_leaves"}
LINK_LATENCY, LINK_BYTES, EFFICIENCY = 0.5e-6, 12.5e9, 0.95  # 100 Gb/s; 4 links between leaves of the tree
PLATFORM = """<?xml version='1.0'?>
<!DOCTYPE platform SYSTEM "https://simgrid.org/simgrid.dtd">
<platform version="4.1">
  <cluster id="fat" prefix="n" suffix="" radical="0-1023" speed="1Gf" bw="12.5GBps" lat="0.5us"
           loopback_bw="50GBps" loopback_lat="0.1us" topology="FAT_TREE" topo_parameters="2;32,32;1,16;1,1"/>
</platform>
"""


def run(command, **more):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **more)
    if done.returncode:
        sys.exit(f"scale: {' '.join(map(str, command))}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def compile_for_smpi(build, folder):
    program = folder / "scale.smpi"
    run(["smpicc", "-O2", "-std=gnu17", "-D_GNU_SOURCE", f"-I{SOURCE}/src", f"-I{SOURCE}", "-o", program, HERE / "scale.c",
         "-Wl,--wrap=comm_narrow,--wrap=comm_add_narrow",
         *sorted((SOURCE / "src/comm").glob("*.c")), build / "libdipper.a", "-fopenmp", "-lxxhash", "-lcrypto", "-lm"])
    return program


def record(build, rows, growth):
    out = run([build / "tests/bench_scale_scale", "record", rows, growth, 7], env={**os.environ, "OMP_NUM_THREADS": "1"})
    first, *calls = out.splitlines()
    return first, [(name, int(nodes), float(seconds)) for name, nodes, seconds in (line.split() for line in calls)]


def simulate(program, folder, hosts, growth, costs, threads, trees):
    (folder / "platform.xml").write_text(PLATFORM)
    (folder / "hosts").write_text("".join(f"n{i}\n" for i in range(hosts)))
    first, calls = costs  # a look at messages comes after so many rows of a thread, however many threads there are
    (folder / "costs").write_text(f"threads {threads} {first}\n" + "".join(f"{n} {nodes} {s / threads:.9f}\n" for n, nodes, s in calls))
    out = run(["smpirun", "-np", hosts, "-platform", folder / "platform.xml", "-hostfile", folder / "hosts",
               "--cfg=smpi/host-speed:1Gf", "--cfg=smpi/simulate-computation:no", "--cfg=smpi/privatization:no",
               "--cfg=smpi/coll-selector:ompi", "--cfg=smpi/lat-factor:0:1", "--cfg=smpi/test:2e-7", f"--cfg=smpi/bw-factor:0:{EFFICIENCY}",
               "--log=root.thres:error", program, "replay", folder / "costs", growth, trees, 4 * LINK_LATENCY,
               1 / (LINK_BYTES * EFFICIENCY)], env={**os.environ, "PMI_SIZE": str(hosts)})
    return json.loads(out.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=Path(os.environ.get("DIPPER_BUILD", SOURCE / "build")))
    parser.add_argument("--hosts", default="16,64,256,1024")
    parser.add_argument("--growth", default="depth,symmetric")
    parser.add_argument("--trees", type=int, default=2)
    asked = parser.parse_args()
    if not shutil.which("smpicc"):
        print("scale: no smpicc (Debian: libsimgrid-dev): skipped")
        return 0
    folder = asked.build / "bench/scale"
    folder.mkdir(parents=True, exist_ok=True)
    program = compile_for_smpi(asked.build, folder)
    print(f"{ROWS} rows x 32, depth 6; fat tree of 32 x 32 hosts, 100 Gb/s, 0.5 us a link; compute measured here")
    print("growth     hosts threads  tree ms  level ms  computing ms  model ms  MB a rank and tree  efficiency")
    missed = False
    for growth in asked.growth.split(","):
        largest = record(asked.build, ROWS // LARGEST, growth)
        alone = sum(seconds * (LARGEST if name in BY_ROWS else 1) for name, _, seconds in largest[1])
        for hosts in map(int, asked.hosts.split(",")):
            costs = largest if hosts == LARGEST else record(asked.build, ROWS // hosts, growth)
            for threads in (1, 16):
                seen = simulate(program, folder, hosts, growth, costs, threads, asked.trees)
                efficiency = alone / threads * 1e3 / (hosts * seen["tree_ms"])
                missed |= hosts == 64 and threads == 1 and efficiency < 0.9
                print(f"{growth:10}{hosts:6}{threads:8}{seen['tree_ms']:9.2f}{seen['level_ms']:10.3f}"
                      f"{seen['compute_ms']:14.2f}{seen['model_ms']:10.2f}{seen['tree_bytes_a_rank'] / 1e6:20.2f}"
                      f"{efficiency:12.1%}", flush=True)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
