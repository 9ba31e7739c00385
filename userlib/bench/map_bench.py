#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs burrow's maps and others' in turns (see map_bench.sh).

	map_bench.py NAME=PROGRAM... -- [-r ROUNDS] [u64:N | string:N | worst:N | append:N]...

For each step: the median of each with its spread, and the ratios of the first to the
others, against a goal of 0.5 of Go's (bench.py says how).
"""
from bench import Bench, cells, run

GOALS = {"go": 0.5}
ROWS = ("u64:1000", "u64:1000000", "string:1000", "string:1000000",
        "append:10000000")


def once(program, kind, n):
    out = run([program, kind, n])
    if out is None:
        return None
    return {name: float(value)
            for name, value in map(str.split, out.splitlines())}


def tell(bench, row):
    kind, _, n = row.partition(":")
    got = bench.turns(bench.peers,
                      lambda who: once(bench.peers[who], kind, n))
    if "burrow" not in got:
        return
    for step in got["burrow"][0]:
        values = {who: [one[step] for one in v] for who, v in got.items()
                  if step in v[0]}
        name = f"{row} {step}"
        ratios = bench.compare(name, "ns", values, goals=GOALS)
        print(f"{name:24} ns  " + "; ".join(cells(values, ratios, GOALS)),
              flush=True)


def main():
    bench = Bench(__doc__)
    for row in bench.each(ROWS):
        tell(bench, row)


main()
