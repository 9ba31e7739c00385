#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs malloc_bench with one allocator preloaded after the other, in turns.

	malloc_bench.py PROGRAM LIBBURROW-MALLOC [-r ROUNDS] [ROW[:SIZE]...]

What is not installed is left out, and said. Where ALLOCATORS names libraries
("name=path ..."), they are run as well; with ONLY_ALLOCATORS=1 no others. For each row each allocator's ns of CPU time,
burrow's ratio to the best of the others, and peak memory (bench.py says how).
"""
import os
import statistics

from bench import Bench, environment, one_cpu, run, spread

SIZES = [8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384, 32768]
ROWS = ([f"pairs:{n}" for n in SIZES] + ["mixed:1024", "mixed:32768"] +
        [f"calloc:{n}" for n in (16, 64, 256, 1024, 4096, 32768)] +
        [f"{row}:{n}" for row in ("bulk-order", "bulk-reverse", "bulk-random")
         for n in (16, 64, 512)] +
        ["grow:0", "grow:65536", "churn:1024", "churn:40000", "handover:64",
         "larson:500", "xmalloc:512"])
THREADS = ("handover", "larson", "xmalloc")	# all others stay on one CPU
LIBDIR = "/usr/lib/x86_64-linux-gnu"
PEERS = {"mimalloc2": f"{LIBDIR}/libmimalloc.so.2.0",
         "jemalloc": f"{LIBDIR}/libjemalloc.so.2",
         "tcmalloc": f"{LIBDIR}/libtcmalloc_minimal.so.4"}


def allocators(burrow):
    found = {"burrow": burrow}
    peers = {}
    if not os.environ.get("ONLY_ALLOCATORS"):
        found["glibc"] = ""
        peers.update(PEERS)
    for pair in os.environ.get("ALLOCATORS", "").split():
        name, _, path = pair.partition("=")
        peers[name] = path
    for name, path in peers.items():
        if os.path.exists(path):
            found[name] = path
        else:
            print(f"# {name} is not installed: {path}")
    return found


def once(program, lib, row):
    more = {"LD_PRELOAD": lib} if lib else {}
    name, _, size = row.partition(":")
    ns, kib = run([program, name, size or "64"], environment(**more),
                  cpu=None if name in THREADS else one_cpu()).split()
    return float(ns), int(kib)


def tell(bench, found, row):
    got = bench.turns(found, lambda n: once(bench.args.program, found[n], row))
    ns = {name: [a for a, _ in v] for name, v in got.items()}
    kib = {name: [b for _, b in v] for name, v in got.items()}
    ratios = bench.compare(row, "ns", ns)
    bench.compare(row, "KiB", kib, "memory")
    best = min(ratios, key=lambda name: statistics.median(ns[name]))
    text = f"{row:17}"
    for values in ns.values():
        text += f" {statistics.median(values):8.2f} ±{spread(values):2.0f}"
    mib = [statistics.median(v) / 1024 for v in kib.values()]
    print(f"{text}  {ratios[best].of(best)} MiB " +
          " ".join(f"{v:.1f}" for v in mib), flush=True)


def main():
    bench = Bench(__doc__, positional=("program", "burrow"))
    found = allocators(bench.args.burrow)
    print(f"{'row':17}" + "".join(f"{name:>13}" for name in found))
    for row in bench.each(ROWS):
        tell(bench, found, row)


main()
