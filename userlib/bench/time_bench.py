#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What timers and stops of the world cost, and how late they are.

	time_bench.py TIME_BENCH STOP_BENCH [-r ROUNDS] [--json FILE] [ROW[:PS]...]

A row is time or stop, on so many Ps; a line for each figure of the program
(time_bench.c, stop_bench.c). Who comes back late is told beside a thread that comes
back from clock_nanosleep(), which the kernel alone makes late.
"""
from bench import Bench, cells, environment, figures, run

ROWS = ("time:1", "time:2", "stop:1", "stop:2")
LATE = ("sleep", "fires")	# beside the last line of time_bench, nano
NAMES = {"now": "bw_now()", "timer": "timer started and stopped",
         "crowd": "... beside 10,000 others", "reset": "timer reset",
         "sleep": "late from bw_sleep()", "fires": "late timer function"}


def once(bench, row):
    what, _, procs = row.partition(":")
    program = [bench.args.time, "50"] if what == "time" else \
        [bench.args.stop, "200"]
    # a second without an answer is a note and a figure here, and no error
    return figures(run(program, environment(BURROW_PROCS=procs or "1"),
                       may_say="has not answered for"))


def told_of(bench, row, unit, figure, values):
    ratios = bench.compare(row, unit, values, figure)
    print("  ".join([f"{row:7} {figure:28} {unit}", *cells(values, ratios)]),
          flush=True)


def tell(bench, row):
    got = bench.turns(["burrow"], lambda _: once(bench, row))["burrow"]
    if row.startswith("time"):
        nano = [one["nano"][1] for one in got]
        for figure, name in NAMES.items():
            values = {"burrow": [one[figure][1] for one in got]}
            if figure in LATE:
                values["nanosleep"] = nano
            told_of(bench, row, "ns", name, values)
        return
    for beside in got[0]:
        for at, which in ((0, "median"), (1, "99%")):
            told_of(bench, row, "us", f"stop beside {beside}, {which}",
                    {"burrow": [one[beside][at] for one in got]})


def main():
    bench = Bench(__doc__, positional=("time", "stop"))
    for row in bench.each(ROWS):
        tell(bench, row)


main()
