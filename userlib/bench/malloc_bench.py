#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs malloc_bench with one allocator preloaded after the other, in turns.

	malloc_bench.py PROGRAM LIBBURROW-MALLOC [-r ROUNDS] [ROW[:SIZE]...]

What is not installed is left out, and said. Where ALLOCATORS names libraries
("name=path ..."), they are run as well. For each row: the median of each allocator
in ns of CPU time and its spread (half of the middle half, in percent of it),
burrow's ratio to the best of the others, the median of the ratios within rounds,
and peak memory beside it.
"""
import argparse
import os
import statistics
import subprocess
import sys

SIZES = [8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384, 32768]
ROWS = ([f"pairs:{n}" for n in SIZES] + ["mixed:1024", "mixed:32768"] +
        [f"calloc:{n}" for n in (16, 64, 256, 1024, 4096, 32768)] +
        [f"{row}:{n}" for row in ("bulk-order", "bulk-reverse", "bulk-random")
         for n in (16, 64, 512)] +
        ["grow:0", "grow:65536", "churn:1024", "churn:40000", "handover:64",
         "larson:500", "xmalloc:512"])
LIBDIR = "/usr/lib/x86_64-linux-gnu"
PEERS = {"mimalloc2": f"{LIBDIR}/libmimalloc.so.2.0",
         "jemalloc": f"{LIBDIR}/libjemalloc.so.2",
         "tcmalloc": f"{LIBDIR}/libtcmalloc_minimal.so.4"}


def allocators(burrow):
    found = {"burrow": burrow, "glibc": ""}
    peers = dict(PEERS)
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
    env = {k: v for k, v in os.environ.items()
           if k not in ("BURROW", "LD_PRELOAD")}
    env.setdefault("BURROW_MODE", "user")
    if lib:
        env["LD_PRELOAD"] = lib
    name, _, size = row.partition(":")
    out = subprocess.run([program, name, size or "64"], env=env, check=True,
                         capture_output=True, text=True)
    if out.stderr:
        sys.exit(f"{lib}: {out.stderr}")
    ns, kib = out.stdout.split()
    return float(ns), int(kib)


def spread(values):
    values = sorted(values)
    quarter = len(values) // 4
    width = values[-1 - quarter] - values[quarter]
    return 50 * width / statistics.median(values)


def measure(program, found, row, rounds):
    ns = {name: [] for name in found}
    kib = {name: [] for name in found}
    names = list(found)
    for i in range(rounds):
        for name in names[i % len(names):] + names[:i % len(names)]:
            a, b = once(program, found[name], row)
            ns[name].append(a)
            kib[name].append(b)
    return ns, kib


def tell(row, ns, kib):
    median = {name: statistics.median(v) for name, v in ns.items()}
    best = min((n for n in ns if n != "burrow"), key=median.get)
    ratio = statistics.median(a / b for a, b in zip(ns["burrow"], ns[best]))
    text = f"{row:17}"
    for name, value in median.items():
        text += f" {value:8.2f} ±{spread(ns[name]):2.0f}"
    text += f"  {ratio:5.2f} of {best:9}"
    mib = {name: statistics.median(v) / 1024 for name, v in kib.items()}
    text += " MiB " + " ".join(f"{v:.1f}" for v in mib.values())
    print(text, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("burrow")
    parser.add_argument("-r", "--rounds", type=int, default=7)
    parser.add_argument("rows", nargs="*")
    args = parser.parse_intermixed_args()
    found = allocators(args.burrow)
    print(f"{'row':17}" + "".join(f"{name:>13}" for name in found))
    for row in args.rows or ROWS:
        ns, kib = measure(args.program, found, row, args.rounds)
        tell(row, ns, kib)


if __name__ == "__main__":
    main()
