#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs burrow's scheduler and its peers in turns (see sched_peers.sh).

	sched_peers.py NAME=PROGRAM... -- [-r ROUNDS] [ROW[:PS]...]

For each row, with 1 or 2 Ps, each one's figure, and how the first compares to each
of the others, against the goal of the row's class (bench.py says how). *2/1* rows
compare burrow with 2 Ps to burrow with 1.

	class	goal
	user	at most 0.4 of go's time and 1.0 of fiber's
	kernel	at most 1.1 of threads' time
	speed-up	at least the peers'
	own	a figure of burrow's alone, most often
	kept	... of which more is better
"""
from bench import Bench, Ratio, cells, run, told

LIMIT = {"user": {"go": 0.4, "fiber": 1.0}, "kernel": {"threads": 1.1},
         "speed-up": {"go": 1.0, "threads": 1.0}, "own": {}, "kept": {}}
MORE = ("speed-up", "kept")
FIGURES = {"ns": "time", "us": "time", "bytes": "memory", "times": "speed-up",
           "%": "kept"}
# row: class, unit, numbers of Ps, what burrow's own figure is to be
ROWS = {
    "create": ("user", "ns", (1, 2), None),
    "join": ("user", "ns", (1, 2), None),
    "yield": ("user", "ns", (1, 2), None),
    "ping": ("user", "ns", (1, 2), None),
    "ping-threads": ("kernel", "ns", (2,), None),
    "fan": ("user", "ns", (1, 2), None),
    "skynet": ("user", "ns", (1, 2), None),
    "skynet-1M": ("user", "ns", (2,), None),
    "fib": ("speed-up", "times", (2,), None),
    "sort": ("speed-up", "times", (2,), None),
    "parked": ("own", "ns", (1,), 2600),
    "parked-bytes": ("own", "bytes", (1,), 4800),
    "million": ("own", "ns", (1,), 2600),
    "million-cpu": ("own", "ns", (1,), 2600),
    "million-bytes": ("own", "bytes", (1,), 4800),
    "wake": ("kernel", "ns", (2,), None),
    "wake-thread": ("kernel", "ns", (2,), None),
    "block4": ("kept", "%", (2,), 90),
    "block16": ("kept", "%", (2,), 90),
    "timer": ("kernel", "ns", (1,), None),
    "timer-start": ("user", "ns", (1, 2), None),
    "loop": ("own", "ns", (1, 2), None),
    "idle": ("own", "us", (2,), 1000),
}
NOT_SLOWER = ("create", "join", "yield", "ping", "fan")


def measure(bench, names, row, procs):
    def once(name):
        out = run([bench.peers[name], row, str(procs)])
        return float(out) if out is not None else None

    return bench.turns(names, once)


def tell(bench, row, procs):
    kind, unit, _, own = ROWS[row]
    more = kind in MORE
    values = measure(bench, bench.peers, row, procs)
    name_of_row = f"{row}:{procs}"
    ratios = bench.compare(name_of_row, unit, values, FIGURES[unit],
                           LIMIT[kind], more)
    line = cells(values, ratios, LIMIT[kind], more)
    if own:
        verdict = Ratio(values["burrow"], [1] * bench.args.rounds)
        line.append(f"burrow itself ({own:g}: {verdict.verdict(own, more)})")
    print(f"{name_of_row:15} {unit:5} " + "; ".join(line), flush=True)


def tell_two_to_one(bench, row):
    """burrow with 2 Ps beside burrow with 1."""
    values = bench.turns((2, 1), lambda procs: float(
        run([bench.peers["burrow"], row, str(procs)])))
    values = {f"{procs} Ps": values[procs] for procs in (2, 1)}
    ratio = bench.compare(f"{row} 2/1", "ns", values, goals={"1 Ps": 1.0})
    print(f"{row:10} 2/1   " + told("1 P", ratio["1 Ps"], 1.0), flush=True)


def main():
    bench = Bench(__doc__)
    rows = [f"{row}:{n}" for row, r in ROWS.items() for n in r[2]]
    for name in bench.each(rows + [f"{row}:2/1" for row in NOT_SLOWER]):
        row, _, procs = name.partition(":")
        if procs == "2/1":
            tell_two_to_one(bench, row)
        else:
            tell(bench, row, int(procs or ROWS[row][2][-1]))


main()
