#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints the rows of several pages-KERNEL.tsv files side by side.

Pages are told relative to the anonymous demand fault of the same kernel,
reclaim relative to MADV_DONTNEED of the same size; other rows as they are.
"""
import sys

BASE = {"burrow reclaim 2M": "MADV_DONTNEED 2M"}


def base_of(name, unit):
    if name in BASE:
        return BASE[name]
    if unit == "4K page" and not name.startswith("MADV_DONTNEED"):
        return "anon demand fault"
    if "reclaim" in name:
        return "MADV_DONTNEED 8K"
    return None


def read(path):
    rows = {}
    with open(path + ".tsv", encoding="utf-8") as f:
        for line in f:
            parts = line.rstrip("\n").split("\t")
            if len(parts) == 4:
                rows[parts[0]] = (float(parts[1]), parts[2], parts[3])
    return rows


def main():
    tables = [(p.rsplit("pages-", 1)[1], read(p)) for p in sys.argv[1:]]
    names = [n for n in tables[0][1]]
    width = max(len(n) for n in names) + 2
    print("instructions per unit (spread), ratio".ljust(width + 10)
          + "".join(k.rjust(26) for k, _ in tables))
    for name in names:
        unit = tables[0][1][name][1]
        line = name.ljust(width) + unit.ljust(10)
        for _, rows in tables:
            if name not in rows:
                line += "-".rjust(26)
                continue
            value, _, spread = rows[name]
            cell = f"{value:.0f} ({spread})"
            base = base_of(name, unit)
            if base in rows:
                cell += f"  {value / rows[base][0]:.2f}"
            line += cell.rjust(26)
        print(line)


if __name__ == "__main__":
    main()
