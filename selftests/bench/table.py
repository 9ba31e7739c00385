#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints what bench told on several kernels side by side.

Each argument is a KERNEL.tsv; a line of it is a part ("=sweep") or a row: name,
figure, unit, spread, and the row it is compared with. A cell is the figure,
(the spread), and its ratio to the row compared with.
"""
import os
import sys

WIDTH = 32


def read(path):
    parts, rows = {}, None
    with open(path, encoding="utf-8") as f:
        for line in f:
            fields = line.rstrip("\n").split("\t")
            if len(fields) == 1 and line.startswith("="):
                rows = parts.setdefault(fields[0][1:], {})
            elif len(fields) == 5 and rows is not None:
                rows[fields[0]] = fields[1:]
    return parts


def number(text):
    return f"{int(text):,}" if text.lstrip("-").isdigit() else text


def cell(rows, name):
    if name not in rows:
        return "?"
    value, _, spread, base = rows[name]
    if value == "-":
        return spread
    text = number(value)
    if spread:
        text += f" ({spread})"
    if base in rows and rows[base][0] not in ("-", "0"):
        text += f"  {float(value) / float(rows[base][0]):.2f}"
    return text


def print_part(part, kernels):
    names = {}
    for _, parts in kernels:
        for name, row in parts.get(part, {}).items():
            names.setdefault(name, row[1])
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
    print("instructions per unit (spread of 7) ratio to the row compared with")
    seen = []
    for _, parts in kernels:
        seen += [p for p in parts if p not in seen]
    for part in seen:
        print_part(part, kernels)


if __name__ == "__main__":
    main()
