#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs alloc_bench of one peer after the other, in turns (see alloc_bench.sh).

	alloc_bench.py NAME=PROGRAM... -- [-r ROUNDS] [ROW[:SIZE]...]

For each row the median of each peer in ns of CPU time and its spread (half of
the middle half, in percent of it), the first one's ratio to each of the others,
the median of the ratios within rounds, and peak memory.
"""
import argparse
import os
import statistics
import subprocess
import sys

from malloc_bench import spread

SIZES = [8, 16, 32, 48, 64, 128, 512, 1024, 4096, 8192, 32768]
ROWS = [f"{row}:{n}" for row in ("pairs", "ring") for n in SIZES]
ROWS += [f"bulk-{row}:{n}" for row in ("order", "reverse", "random")
         for n in (16, 32, 64, 512)]


def once(program, row):
    env = {k: v for k, v in os.environ.items()
           if k not in ("BURROW", "LD_PRELOAD", "GOGC", "GODEBUG")}
    env.setdefault("BURROW_MODE", "user")
    out = subprocess.run([program] + row.split(":"), env=env, check=True,
                         capture_output=True, text=True)
    if out.stderr:
        sys.exit(f"{program}: {out.stderr}")
    ns, kib = out.stdout.split()
    return float(ns), int(kib)


def measure(peers, row, rounds):
    ns = {name: [] for name in peers}
    kib = {name: [] for name in peers}
    names = list(peers)
    for i in range(rounds):
        for name in names[i % len(names):] + names[:i % len(names)]:
            a, b = once(peers[name], row)
            ns[name].append(a)
            kib[name].append(b)
    return ns, kib


def tell(row, ns, kib):
    ours, *others = ns
    text = f"{row:16}"
    for name, values in ns.items():
        text += f" {statistics.median(values):9.2f} ±{spread(values):2.0f}"
    for name in others:
        ratio = statistics.median(a / b for a, b in zip(ns[ours], ns[name]))
        text += f"  {ratio:5.2f} of {name}"
    mib = [statistics.median(v) / 1024 for v in kib.values()]
    print(text + " MiB " + " ".join(f"{v:.1f}" for v in mib), flush=True)


def main():
    cut = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    peers = dict(arg.split("=", 1) for arg in sys.argv[1:cut])
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-r", "--rounds", type=int, default=7)
    parser.add_argument("rows", nargs="*")
    args = parser.parse_intermixed_args(sys.argv[cut + 1:])
    print(f"{'row':16}" + "".join(f"{name:>14}" for name in peers))
    for row in args.rows or ROWS:
        tell(row, *measure(peers, row, args.rounds))


main()
