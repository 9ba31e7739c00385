#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs burrow's maps and others' in turns (see map_bench.sh).

	map_bench.py NAME=PROGRAM... -- [-r ROUNDS] [u64:N | string:N | worst:N | append:N]...

For each step: the median of each with its spread, and the median of the ratios to Go's
within rounds, against a goal of 0.5.
"""
import argparse
import os
import statistics
import subprocess
import sys

from bench import middle, spread

GOAL = 0.5
ROWS = ("u64:1000", "u64:1000000", "string:1000", "string:1000000",
        "append:10000000")


def once(program, kind, n):
    env = dict(os.environ, BURROW_MODE="user")
    out = subprocess.run([program, kind, n], capture_output=True, text=True,
                         timeout=600, env=env)
    if out.returncode == 77:
        return {}
    if out.returncode or out.stderr:
        sys.exit(f"{program} {kind} {n}: {out.returncode} {out.stderr}")
    return {name: float(value)
            for name, value in map(str.split, out.stdout.splitlines())}


def tell(name, values):
    cells = [f"{who} {statistics.median(v):.4g} ±{spread(v):.0f}%"
             for who, v in values.items()]
    if "go" in values and "burrow" in values:
        ratios = [a / b for a, b in zip(values["burrow"], values["go"])]
        low, high = middle(ratios)
        verdict = "?" if low <= GOAL <= high else \
            "reached" if high < GOAL else "missed"
        cells.append(f"{statistics.median(ratios):.2f} of go ({verdict})")
    print(f"{name:24} ns  " + "; ".join(cells), flush=True)


def main():
    cut = sys.argv.index("--")
    peers = dict(arg.split("=", 1) for arg in sys.argv[1:cut])
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-r", "--rounds", type=int, default=5)
    parser.add_argument("rows", nargs="*")
    args = parser.parse_intermixed_args(sys.argv[cut + 1:])
    for row in args.rows or ROWS:
        kind, _, n = row.partition(":")
        steps = {}
        for _ in range(args.rounds):
            for who, program in peers.items():
                for step, ns in once(program, kind, n).items():
                    steps.setdefault(step, {}).setdefault(who, []).append(ns)
        for step, values in steps.items():
            tell(f"{row} {step}", values)


main()
