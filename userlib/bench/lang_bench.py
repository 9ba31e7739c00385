#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs burrow's channels, select and locks and others' in turns (see lang_bench.sh).

	lang_bench.py NAME=PROGRAM... -- [-r ROUNDS] [ROW[:PS]...]

For each row, with 1 or 2 Ps, each one's time, and the ratio against a goal of 0.5 of
Go's (bench.py says how). boost.fiber has no select and no waitgroup.
"""
from bench import Bench, cells, run

GOALS = {"go": 0.5}
ROWS = ("buffer", "ping", "spsc0", "spsc1", "spsc128", "mpmc0", "mpmc1",
        "mpmc128", "try4", "ready4", "ready64", "wait4", "wait64", "lock",
        "fight", "group")


def once(program, row, procs):
    said = run([program, row, procs])
    return said and float(said)


def main():
    bench = Bench(__doc__)
    for name in bench.each(f"{r}:{n}" for n in "12" for r in ROWS):
        row, _, procs = name.partition(":")
        values = bench.turns(
            bench.peers, lambda who: once(bench.peers[who], row, procs or "1"))
        ratios = bench.compare(name, "ns", values, goals=GOALS)
        print(f"{name:12} ns  " + "; ".join(cells(values, ratios, GOALS)),
              flush=True)


main()
