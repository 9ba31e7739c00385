#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""report_sample.py FOLDER: results that nobody measured, of every kind there is: rows
of all verdicts, curves, memory over time, tails, a part that failed, names as no
peer should have them. What the page is looked at with (page_test.py).
"""
import os
import random
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "bench"))
from bench import Bench  # noqa: E402

PEERS = {"burrow": 1.0, "hybrid": 1.3, "go": 2.1, "bdwgc": 2.4,
         "<script>console.error(1)</script>": 0.8,
         "a-peer-of-a-name-longer-than-any-is-likely-to-be": 3.0}


def rounds(rng, figure, scatter=0.05):
    return [figure * rng.uniform(1 - scatter, 1 + scatter) for _ in range(7)]


def of_rows(bench, rng):
    for nr, name in enumerate(("near", "far", "lost")):
        values = {p: rounds(rng, 10 * f / (0.9, 0.2, 30)[nr], 0.3)
                  for p, f in PEERS.items()}
        values["burrow"] = rounds(rng, 10, 0.3)
        bench.compare(f"{name}:1", "ns", values, goals={"go": 0.5})
        bench.compare(f"{name}:1", "1/s", values, "rate", more=True)
    bench.compare("a row whose name is as long as all that a table can take:16384",
                  "instructions", {"burrow": [1, 1, 1], "mmap": [4000, 1e5, 1e9]})


def of_curves(bench, rng):
    for x in (1, 10, 100, 1000):
        bench.compare(f"heap:{x}", "ns", {p: rounds(rng, f * x ** 0.3, 0.2)
                                          for p, f in PEERS.items()},
                      "time", axis=("cost against heap", "MiB", x))


def of_plots(bench, rng):
    bench.plot("time", "trees:18", "memory", "MiB", {
        p: [[t * 20, f * 30 * (1 - 0.9 ** t) + rng.random()]
            for t in range(60)] for p, f in PEERS.items()})
    bench.plot("tail", "live:1", "time of 32 objects", "us", {
        p: [[f * 2 ** (k / 2), 4 ** (11 - k)] for k in range(12)]
        for p, f in PEERS.items()})


def main(folder):
    os.makedirs(folder, exist_ok=True)
    rng = random.Random(1)
    for part in ("gc", "none-such"):
        path = os.path.join(folder, f"{part}.jsonl")
        if os.path.exists(path):
            os.unlink(path)
        sys.argv = [f"{part}_bench.py", "--", "--json", path]
        bench = Bench(__doc__, references=("hybrid",))
        of_rows(bench, rng)
        if part == "gc":
            of_curves(bench, rng)
            of_plots(bench, rng)
        bench.record({"part": part, "whole": part != "none-such", "seconds": 1,
                      "cause": "status 2: it is not there", "load": [9, 9, 9],
                      "command": f"make bench ONLY={part}"})


if __name__ == "__main__":
    main(sys.argv[1])
