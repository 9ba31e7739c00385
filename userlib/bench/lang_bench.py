#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs burrow's channels, select and locks and Go's in turns (see lang_bench.sh).

	lang_bench.py NAME=PROGRAM... -- [-r ROUNDS] [ROW[:PS]...]

For each row, with 1 or 2 Ps: the median of each with its spread, and the median of
the ratios within rounds, against a goal of 0.5 of Go's time.
"""
import argparse
import os
import statistics
import subprocess
import sys

from malloc_bench import spread

GOAL = 0.5
ROWS = ("buffer", "ping", "spsc0", "spsc1", "spsc128", "mpmc0", "mpmc1",
        "mpmc128", "try4", "ready4", "ready64", "wait4", "wait64", "lock",
        "fight", "group")


def once(program, row, procs):
    env = dict(os.environ, BURROW_MODE="user")
    out = subprocess.run([program, row, procs], capture_output=True, text=True,
                         timeout=300, env=env)
    if out.returncode or out.stderr:
        sys.exit(f"{program} {row} {procs}: {out.returncode} {out.stderr}")
    return float(out.stdout)


def tell(name, values):
    cells = [f"{who} {statistics.median(v):.4g} ±{spread(v):.0f}%"
             for who, v in values.items()]
    if "go" in values:
        ratios = sorted(a / b for a, b in zip(values["burrow"], values["go"]))
        quarter = len(ratios) // 4
        low, high = ratios[quarter], ratios[-1 - quarter]
        verdict = "?" if low <= GOAL <= high else \
            "reached" if high < GOAL else "missed"
        cells.append(f"{statistics.median(ratios):.2f} of go ({verdict})")
    print(f"{name:12} ns  " + "; ".join(cells), flush=True)


def main():
    cut = sys.argv.index("--")
    peers = dict(arg.split("=", 1) for arg in sys.argv[1:cut])
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-r", "--rounds", type=int, default=7)
    parser.add_argument("rows", nargs="*")
    args = parser.parse_intermixed_args(sys.argv[cut + 1:])
    for name in args.rows or [f"{r}:{n}" for n in "12" for r in ROWS]:
        row, _, procs = name.partition(":")
        values = {who: [] for who in peers}
        for _ in range(args.rounds):
            for who, program in peers.items():
                values[who].append(once(program, row, procs or "1"))
        tell(name, values)


main()
