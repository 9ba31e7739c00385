#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs burrow's scheduler and its peers in turns (see sched_peers.sh).

	sched_peers.py NAME=PROGRAM... -- [-r ROUNDS] [ROW[:PS]...]

For each row, with 1 or 2 Ps: the median of each and its spread (half of the middle
half, in percent of it), and how the first compares to each of the others: the
median of the ratios within rounds. A ratio is followed by *?* where the middle half
of the rounds has the goal in it, so that they say neither yes nor no. *2/1* rows
compare burrow with 2 Ps to burrow with 1.

	class	goal
	user	at most 0.4 of go's time and 1.0 of fiber's
	kernel	at most 1.1 of threads' time
	speed-up	at least the peers'
	own	a figure of burrow's alone, most often
	kept	... of which more is better
"""
import argparse
import statistics
import subprocess
import sys

from malloc_bench import spread

NONE = 77
LIMIT = {"user": {"go": 0.4, "fiber": 1.0}, "kernel": {"threads": 1.1},
         "speed-up": {"go": 1.0, "threads": 1.0}, "own": {}, "kept": {}}
MORE = ("speed-up", "kept")
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


def once(program, row, procs, env):
    out = subprocess.run([program, row, str(procs)], capture_output=True,
                         text=True, timeout=300, env=env)
    if out.returncode == NONE:
        return None
    if out.returncode or out.stderr:
        sys.exit(f"{program} {row} {procs}: {out.returncode} {out.stderr}")
    return float(out.stdout)


def measure(peers, row, procs, rounds, env):
    """Rounds of all peers in turns; the one begins that ended the last."""
    values = {name: [] for name in peers}
    names = list(peers)
    for i in range(rounds):
        for name in names[i % len(names):] + names[:i % len(names)]:
            value = once(peers[name], row, procs, env)
            if value is not None:
                values[name].append(value)
    return {name: v for name, v in values.items() if v}


def quartiles(values):
    values = sorted(values)
    quarter = len(values) // 4
    return values[quarter], values[-1 - quarter]


def compare(ours, others, limit, more):
    """The ratio, and whether it is what it should be."""
    ratios = [a / b for a, b in zip(ours, others)]
    ratio = statistics.median(ratios)
    text = f"{ratio:.2f}"
    if limit is None:
        return text
    low, high = quartiles(ratios)
    if low <= limit <= high:
        return f"{text} ({limit:g}: ?)"
    good = ratio > limit if more else ratio < limit
    return f"{text} ({limit:g}: {'reached' if good else 'missed'})"


def tell(row, procs, values):
    kind, unit, _, own = ROWS[row]
    ours = values["burrow"]
    cells = []
    for name, v in values.items():
        cells.append(f"{name} {statistics.median(v):.4g} ±{spread(v):.0f}%")
    for name in list(values)[1:]:
        limit = LIMIT[kind].get(name)
        cells.append(f"{compare(ours, values[name], limit, kind in MORE)}"
                     f" of {name}")
    if own:
        verdict = compare(ours, [1] * len(ours), own, kind in MORE)
        cells.append("burrow itself " + verdict)
    print(f"{row + ':' + str(procs):15} {unit:5} " + "; ".join(cells),
          flush=True)


def main():
    cut = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    peers = dict(arg.split("=", 1) for arg in sys.argv[1:cut])
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-r", "--rounds", type=int, default=7)
    parser.add_argument("rows", nargs="*")
    args = parser.parse_intermixed_args(sys.argv[cut + 1:])
    env = {"BURROW_MODE": "user"}
    rows = args.rows or [f"{row}:{n}" for row, r in ROWS.items()
                         for n in r[2]]
    for name in rows:
        row, _, procs = name.partition(":")
        procs = int(procs or ROWS[row][2][-1])
        tell(row, procs, measure(peers, row, procs, args.rounds, env))
    for row in NOT_SLOWER if not args.rows else ():
        one, two = [], []
        for _ in range(args.rounds):
            one.append(once(peers["burrow"], row, 1, env))
            two.append(once(peers["burrow"], row, 2, env))
        print(f"{row:10} 2/1   {compare(two, one, 1.0, False)}", flush=True)


main()
