#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs echo servers one after the other, in turns (see net_bench.sh).

	net_bench.py NAME=SERVER... -- [-r ROUNDS] [--json FILE] [CONNECTIONS:PS...]

A server is started anew for each round (net_bench.c). The one called raw is a bare
epoll loop of one thread, and the goal is 1.1 of its CPU time. For each row round trips
a second, the server's CPU time for one and the 99th percentile, in us (bench.py says
how). BENCH_MS is how long a round is, 400.
"""
import os

from bench import Bench, cells, environment, run

GOAL = {"raw": 1.1}
ROWS = [f"{conns}:{procs}" for procs in (1, 2) for conns in (100, 1000, 10000)]
FIGURES = (("rate", "1/s", True), ("cpu", "us", False), ("p99", "us", False))


def once(bench, name, row, tails):
    conns, _, procs = row.partition(":")
    procs = procs or "1"
    out = run([os.environ["NET_BENCH"], conns, os.environ.get("BENCH_MS", "400"),
               bench.peers[name]],
              environment(BURROW_PROCS=procs, GOMAXPROCS=procs))
    got, tail = {}, tails.setdefault(name, {})
    for line in out.splitlines():
        what, *figures = line.split()
        if what == "took":
            up_to, n = float(figures[0]), int(figures[1])
            tail[up_to] = tail.get(up_to, 0) + n
        else:
            got[what] = float(figures[0])
    return got


def tell(bench, row):
    tails = {}
    got = bench.turns(bench.peers, lambda name: once(bench, name, row, tails))
    for figure, unit, more in FIGURES:
        values = {name: [one[figure] for one in v] for name, v in got.items()}
        goals = GOAL if figure == "cpu" else {}
        ratios = bench.compare(row, unit, values, figure, goals, more)
        print("  ".join([f"{row:9} {figure:4} {unit:4}",
                         *cells(values, ratios, goals, more)]), flush=True)
    bench.plot("tail", row, "round trip", "us",
               {name: sorted(tail.items()) for name, tail in tails.items()})


def main():
    bench = Bench(__doc__)
    for row in bench.each(ROWS):
        tell(bench, row)


main()
