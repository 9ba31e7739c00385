#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs alloc_bench of one peer after the other, in turns (see alloc_bench.sh).

	alloc_bench.py NAME=PROGRAM... -- [-r ROUNDS] [ROW[:SIZE]...]

For each row each peer's ns of CPU time, the first one's ratio to each of the others,
and peak memory (bench.py says how).
"""
import statistics

from bench import Bench, run, spread

SIZES = [8, 16, 32, 48, 64, 128, 512, 1024, 4096, 8192, 32768]
ROWS = [f"{row}:{n}" for row in ("pairs", "ring") for n in SIZES]
ROWS += [f"bulk-{row}:{n}" for row in ("order", "reverse", "random")
         for n in (16, 32, 64, 512)]


def tell(bench, row):
    def once(name):
        ns, kib = run([bench.peers[name]] + row.split(":")).split()
        return float(ns), int(kib)

    got = bench.turns(bench.peers, once)
    ns = {name: [a for a, _ in v] for name, v in got.items()}
    kib = {name: [b for _, b in v] for name, v in got.items()}
    text = f"{row:16}"
    for values in ns.values():
        text += f" {statistics.median(values):9.2f} ±{spread(values):2.0f}"
    for name, ratio in bench.compare(row, "ns", ns).items():
        text += f"  {ratio.of(name)}"
    bench.compare(row, "KiB", kib, "memory")
    mib = [statistics.median(v) / 1024 for v in kib.values()]
    print(text + " MiB " + " ".join(f"{v:.1f}" for v in mib), flush=True)


def main():
    bench = Bench(__doc__)
    print(f"{'row':16}" + "".join(f"{name:>14}" for name in bench.peers))
    for row in bench.each(ROWS):
        tell(bench, row)


main()
