#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Results of a guest as bench.py's lines: vm.py KERNEL.tsv --json FILE

A row's name begins with kernel and part. Of two that are compared the module's, or
that of kernel mode, comes first. What mainline's calls are to each other is no ratio
of ours: such rows have one peer, and so have rows that are compared with nothing.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "..", "userlib", "bench"))
import bench  # noqa: E402
from table import read  # noqa: E402

OURS = ("burrow", "harvest", "SPAN_", "HEAP_", "shrinker")
MODES = ("kernel mode", "user mode", "glibc")
CLOCK = "wall"			# the part that was not counted


def modes_of(rows, name):
    """The same row in each mode, kernel mode first; {} if it has none."""
    what = name.removesuffix(", " + MODES[0])
    if what == name:
        return {}
    found = {mode: rows.get(f"{what}, {mode}") for mode in MODES}
    return {mode: row.values for mode, row in found.items() if row}


def is_of_a_mode(name):
    return name.endswith(tuple(", " + mode for mode in MODES))


def pair_of(rows, name):
    row = rows[name]
    base = rows.get(row.base)
    values = {"burrow" if name.startswith(OURS) else name: row.values}
    if name.startswith(OURS) and base and base.values:
        values[row.base] = base.values
    return values


def units_of(part, row):
    if row.unit == "KiB":
        return "KiB", "memory"
    if part == CLOCK:
        return f"ns / {row.unit}", "wall time"
    return f"instructions / {row.unit}", "instructions"


def lines_of(kernel, parts):
    """(part, row, unit, figure, values) of all that has figures."""
    for part, rows in parts.items():
        for name, row in rows.items():
            values = modes_of(rows, name)
            what = name.removesuffix(", " + MODES[0])
            if not values and not is_of_a_mode(name):
                values = pair_of(rows, name)
            if values and all(values.values()):
                yield (part, f"{kernel} {part}: {what}", *units_of(part, row),
                       values)


def main():
    out = bench.Bench(__doc__, rounds=7, positional=("tsv",))
    kernel = os.path.basename(out.args.tsv).removesuffix(".tsv")
    for part, row, unit, figure, values in lines_of(kernel,
                                                    read(out.args.tsv)):
        out.asked = part
        out.compare(row, unit, values, figure)


if __name__ == "__main__":
    main()
