#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs gc_peers of one peer after the other, in turns (see gc_peers.sh).

	gc_peers.py NAME=PROGRAM... -- [-r ROUNDS] [ROW[:ARGUMENT]...]

For each row and each figure of it the median of each peer, the spread (half of
the middle half, in percent of it), and the first one's ratio to each of the
others, the median of the ratios within rounds. The peer called hybrid marks
while the program runs; the one called floor has no collector.
"""
import argparse
import os
import statistics
import subprocess
import sys

from malloc_bench import spread

ROWS = ["trees:18", "trees:20", "gcbench", "map:20", "live:1024:30000000",
        "requests:1024:6000000", "drop:512"]


def once(name, program, row):
    env = {k: v for k, v in os.environ.items()
           if k not in ("BURROW", "BURROW_GC", "GOGC", "GODEBUG", "LD_PRELOAD")}
    env.setdefault("BURROW_MODE", "user")
    if name == "hybrid":
        env["BURROW_BENCH_HYBRID"] = "1"
    out = subprocess.run([program] + row.split(":"), env=env, check=True,
                         capture_output=True, text=True)
    if out.stderr:
        sys.exit(f"{program}: {out.stderr}")
    return {k: float(v) for k, v in
            (line.split() for line in out.stdout.splitlines())}


def measure(peers, row, rounds):
    names = [n for n in peers if n != "floor" or row[0] in "lr"]
    got = {name: [] for name in names}
    for i in range(rounds):
        for name in names[i % len(names):] + names[:i % len(names)]:
            got[name].append(once(name, peers[name], row))
    return got


def tell(row, got):
    ours, *others = got
    for figure in got[ours][0]:
        text = f"{row:22} {figure:14}"
        told = figure not in ("nodes", "steps")
        for name, runs in got.items():
            values = [run[figure] for run in runs]
            text += f"  {name} {statistics.median(values):.1f}"
            text += f" ±{spread(values):.0f}" if told else ""
        for name in others:
            pairs = [(a[figure], b[figure])
                     for a, b in zip(got[ours], got[name]) if b[figure]]
            if pairs and told:
                ratio = statistics.median(a / b for a, b in pairs)
                text += f"  {ratio:5.2f} of {name}"
        print(text, flush=True)


def main():
    cut = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    peers = dict(arg.split("=", 1) for arg in sys.argv[1:cut])
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-r", "--rounds", type=int, default=5)
    parser.add_argument("rows", nargs="*")
    args = parser.parse_intermixed_args(sys.argv[cut + 1:])
    for row in args.rows or ROWS:
        tell(row, measure(peers, row, args.rounds))


main()
