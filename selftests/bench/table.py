#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints what bench told on several kernels side by side.

Each argument is a KERNEL.tsv; a line of it is a part ("=sweep") or a row: name,
figure, unit, spread, the row it is compared with, and all values. A cell is the
figure, (the spread), and its ratio to the row compared with.
"""
import os
import sys
from collections import namedtuple

WIDTH = 32

Row = namedtuple("Row", "value unit spread base values")


def read(path):
    """Part -> name -> Row."""
    parts, rows = {}, None
    with open(path, encoding="utf-8") as f:
        for line in f:
            fields = line.rstrip("\n").split("\t")
            if len(fields) == 1 and line.startswith("="):
                rows = parts.setdefault(fields[0][1:], {})
            elif len(fields) in (5, 6) and rows is not None:
                values = [float(v) for v in "".join(fields[5:]).split()]
                rows[fields[0]] = Row(*fields[1:5], values)
    return parts


def number(text):
    return f"{int(text):,}" if text.lstrip("-").isdigit() else text


def cell(rows, name):
    if name not in rows:
        return "?"
    row = rows[name]
    if row.value == "-":
        return row.spread
    text = number(row.value)
    if row.spread:
        text += f" ({row.spread})"
    if row.base in rows and rows[row.base].value not in ("-", "0"):
        text += f"  {float(row.value) / float(rows[row.base].value):.2f}"
    return text


def print_part(part, kernels):
    names = {}
    for _, parts in kernels:
        for name, row in parts.get(part, {}).items():
            names.setdefault(name, row.unit)
    if not names:
        return
    width = max(len(n) + len(u) for n, u in names.items()) + 6
    print(f"\n{part}".ljust(width + 1)
          + "".join(k.rjust(WIDTH) for k, _ in kernels))
    for name, unit in names.items():
        print(f"{name} [{unit}]".ljust(width)
              + "".join(cell(parts.get(part, {}), name).rjust(WIDTH)
                        for _, parts in kernels))


def main():
    kernels = [(os.path.basename(p)[:-len(".tsv")], read(p))
               for p in sys.argv[1:]]
    print("instructions per unit (spread) ratio to the row compared with;")
    print("of the part wall nanoseconds of an emulated guest: only the ratio says "
          "something")
    seen = []
    for _, parts in kernels:
        seen += [p for p in parts if p not in seen]
    for part in seen:
        print_part(part, kernels)


if __name__ == "__main__":
    main()
