#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs gc_peers of one peer after the other, in turns (see gc_peers.sh).

	gc_peers.py NAME=PROGRAM... -- [-r ROUNDS] [ROW[:ARGUMENT]...]

For each row and each figure of it each peer's, and the first one's ratio to each of
the others (bench.py says how). The peer called hybrid marks while the program runs;
the one called floor has no collector, and is given 16 times as many objects: it
takes about as long then, and so meets what else the machine does as often.
"""
import statistics

from bench import Bench, environment, run, spread

ROWS = ["trees:18", "trees:19", "trees:20", "trees:21", "gcbench", "map:20",
        "churn:20", "live:1024:30000000", "requests:1024:6000000", "drop:512"]
COUNTS = ("nodes", "steps")	# they say what was done, not how fast
MORE = ("million/s",)
UNITS = {"wall": "ms", "cpu": "ms", "rss": "MiB", "drop-ms": "ms"}


def once(name, program, row):
    more = {"BURROW_BENCH_HYBRID": "1"} if name == "hybrid" else {}
    words = row.split(":")
    if name == "floor" and words[0] == "live":
        words[2] = str(int(words[2]) * 16)
    out = run([program] + words, environment(**more))
    if out is None:
        return None
    return {k: float(v) for k, v in (line.split() for line in out.splitlines())}


def tell(bench, row):
    names = [n for n in bench.peers if n != "floor" or row[0] in "lr"]
    got = bench.turns(names, lambda n: once(n, bench.peers[n], row))
    for figure in next(iter(got.values()))[0]:
        values = {name: [one[figure] for one in v] for name, v in got.items()}
        if figure in COUNTS:
            ratios = {}
        else:
            unit = UNITS.get(figure) or figure.rpartition("-")[2]
            ratios = bench.compare(row, unit, values, figure,
                                   more=figure in MORE)
        text = f"{row:22} {figure:14}"
        for name, v in values.items():
            text += f"  {name} {statistics.median(v):.1f}"
            text += "" if figure in COUNTS else f" ±{spread(v):.0f}"
        for name, ratio in ratios.items():
            if ratio.known:
                text += f"  {ratio.of(name)}"
        print(text, flush=True)


def main():
    bench = Bench(__doc__, references=("hybrid", "floor"))
    for row in bench.each(ROWS):
        tell(bench, row)


main()
