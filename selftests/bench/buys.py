#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the module buys, out of the results of make bench-vm: buys.py FILE...

FILE has bench.py's lines. For each service of the module, on each kernel, its figure
over that of the best call that the kernel has for the same, and which that is. A
margin of less than 5% is "nothing". Printed as Markdown; report.py asks for tables().

Where results have a row twice, the last one counts.
"""
import json
import re
import statistics
import sys

MARGIN = 0.05

# part, what it is, the module's row, rows of mainline's calls (part/row: of another)
CALLS = [
    ("pages", "SPAN_ALLOC, 64 spans of 8 KiB a call: memory that is there",
     "burrow populate 8K x64",
     ["anon demand fault", "anon MADV_POPULATE_WRITE 8K"]),
    ("pages", "... one span of 8 KiB a call", "burrow populate 8K x1",
     ["anon demand fault", "anon MADV_POPULATE_WRITE 8K"]),
    ("pages", "... one span of 2 MiB a call", "burrow populate 2M x1",
     ["anon demand fault", "anon MADV_POPULATE_WRITE 2M"]),
    ("pages", "... the same, where huge pages would do", "burrow populate 2M x1",
     ["huge/THP demand fault", "huge/THP MADV_POPULATE_WRITE 2M"]),
    ("pages", "... lazy, and a touch", "burrow demand fault",
     ["anon demand fault"]),
    ("memcg", "... 64 of 8 KiB, in a memory cgroup", "burrow populate 8K x64",
     ["anon demand fault", "anon MADV_POPULATE_WRITE 8K"]),
    ("huge", "SPAN_ALLOC, huge arenas", "burrow huge, populate 2M x8",
     ["THP demand fault", "THP MADV_POPULATE_WRITE 2M"]),
    ("sweep", "SPAN_RECLAIM, 64 spans a call", "burrow reclaim x64",
     ["MADV_DONTNEED 8K", "process_madvise DONTNEED x64"]),
    ("sweep", "... every second span, 1,024 a call",
     "burrow reclaim x1024, half",
     ["MADV_DONTNEED 8K, half", "process_madvise DONTNEED x1024, half"]),
    ("sweep", "... neighbours, all there is in one call", "burrow reclaim x1024",
     ["MADV_DONTNEED, one call", "process_madvise DONTNEED x1024"]),
    ("sweep", "SPAN_FREE and reclaim, 64 spans a call",
     "burrow free+reclaim x64",
     ["MADV_DONTNEED 8K", "process_madvise DONTNEED x64"]),
    ("sweep", "SPAN_SWEEP and reclaim, 1,024 a call",
     "burrow sweep RECLAIM x1024",
     ["MADV_DONTNEED 8K", "process_madvise DONTNEED x1024"]),
    ("sweep", "... every second span", "burrow sweep RECLAIM x1024, half",
     ["MADV_DONTNEED 8K, half", "process_madvise DONTNEED x1024, half"]),
    ("sweep", "SPAN_SWEEP, the kernel takes it when it wants to",
     "burrow sweep x1024", ["MADV_FREE 8K"]),
    ("huge", "reclaim of huge units", "burrow huge, reclaim 2M x8",
     ["THP MADV_DONTNEED 2M"]),
    ("shrink", "the shrinker, neighbours", "shrinker, neighbours",
     ["MADV_DONTNEED 2M"]),
    ("shrink", "... every second span of 8 KiB",
     "shrinker, every second 8K span", ["MADV_DONTNEED 2M"]),
    ("stack", "a stack, its guard and its top page, 64 a call",
     "burrow x64, top page",
     ["mmap + mprotect, top page", "MADV_GUARD_INSTALL, top page"]),
    ("stack", "... one a call", "burrow x1, top page",
     ["mmap + mprotect, top page", "MADV_GUARD_INSTALL, top page"]),
    ("stack", "... its memory goes back, 64 a call",
     "burrow free+reclaim x64",
     ["munmap each, top page", "MADV_DONTNEED each, top page"]),
    ("move", "SPAN_MOVE, blocks of 64 KiB", "SPAN_MOVE, blocks of 64K",
     ["mremap, blocks of 64K"]),
    ("move", "... of 2 MiB", "SPAN_MOVE, blocks of 2M",
     ["mremap, blocks of 2M"]),
    ("fork", "fork, the child exits", "burrow fork, child exits",
     ["anon fork, child exits"]),
    ("fork", "... the first write", "burrow COW parent first: its write",
     ["anon COW parent first: its write"]),
    ("harvest", "HEAP_HARVEST, all written", "harvest, look, all written",
     ["soft-dirty, look, all written", "PAGEMAP_SCAN, look, all written"]),
    ("harvest", "... nothing written", "harvest, look, nothing written",
     ["soft-dirty, look, nothing written",
      "PAGEMAP_SCAN, look, nothing written"]),
    ("harvest", "... the first write after it",
     "harvest, first write after a look",
     ["soft-dirty, first write after a look",
      "PAGEMAP_SCAN, first write after a look"]),
    ("park", "THREAD_PARK and UNPARK, there and back",
     "burrow park and unpark", ["futex, a thread wakes another and is woken"]),
    ("park", "... with SWAP", "burrow park with SWAP",
     ["futex, a thread wakes another and is woken"]),
    ("park", "... nobody sleeps", "burrow token left and taken",
     ["futex, woken before it waits"]),
    ("calls", "HEAP_STATS", "HEAP_STATS", ["read of /proc/self/statm"]),
]

ELSEWHERE = re.compile(r"(?:(\w+)/)?(.*)", re.DOTALL)
ROW = re.compile(r"(\S+) (\w+): (.*)", re.DOTALL)


class Results:
    """Figures by (kernel, part, row): that of the first peer, and of all."""

    def __init__(self, lines):
        self.kernels = []
        self.rows = {}
        for line in lines:
            found = ROW.fullmatch(str(line.get("row", "")))
            if line.get("bench") != "vm" or not found:
                continue
            kernel, part, name = found.groups()
            if kernel not in self.kernels:
                self.kernels.append(kernel)
            self.rows[kernel, part, name] = line

    def figure(self, kernel, part, name):
        line = self.rows.get((kernel, part, name))
        return statistics.median(next(iter(line["values"].values()))) \
            if line else None

    def parts(self, part):
        """Names of the rows of a part, in the order of the first kernel."""
        names = {}
        for _, where, name in self.rows:
            if where == part:
                names.setdefault(name)
        return list(names)


def margin(ratio):
    """How it is said."""
    if abs(ratio - 1) < MARGIN:
        return f"nothing ({ratio:.2f})"
    return f"{ratio:.2f}" if ratio < 1 else f"**{ratio:.2f}, dearer**"


def call_cell(results, kernel, part, ours, theirs):
    figure = results.figure(kernel, part, ours)
    places = [ELSEWHERE.fullmatch(name).groups() for name in theirs]
    found = [(results.figure(kernel, other or part, name), name)
             for other, name in places]
    found = [f for f in found if f[0]]
    if figure is None or not found:
        return "not measured"
    best, name = min(found)
    which = "" if len(theirs) == 1 else f" of {name}"
    return f"{margin(figure / best)}{which}: {figure:,.0f} / {best:,.0f}"


def mode_cell(results, kernel, part, name):
    line = results.rows.get((kernel, part, name))
    if not line or "user mode" not in line["values"]:
        return "not measured"
    ratio = line["ratio"]["user mode"]
    if not ratio:
        return "nothing to divide by"
    if part == "wall":
        return "nothing (even)" if ratio["even"] else \
            f"{margin(ratio['median'])} ({ratio['low']:.2f}..{ratio['high']:.2f})"
    kernel_mode, user = (statistics.median(line["values"][mode])
                         for mode in ("kernel mode", "user mode"))
    said = "nothing (even)" if ratio["even"] else margin(ratio["median"])
    return f"{said}: {kernel_mode:,.0f} / {user:,.0f}"


def unit_of(results, part, name):
    for kernel in results.kernels:
        line = results.rows.get((kernel, part, name))
        if line:
            return line["unit"].removeprefix("instructions / ")
    return "?"


def tables(lines):
    """[(title, [heading], [[cell]])] out of bench.py's lines."""
    results = Results(lines)
    kernels = results.kernels
    if not kernels:
        return []
    calls = [[f"{what} [{unit_of(results, part, ours)}]"] +
             [call_cell(results, k, part, ours, theirs) for k in kernels]
             for part, what, ours, theirs in CALLS]
    calls = [row for row in calls if set(row[1:]) != {"not measured"}]
    made = [("The module's calls over the best of mainline's, in instructions",
             ["service", *kernels], calls)]
    for part, title in (
            ("library", "The library in kernel mode over itself in user mode, "
             "in instructions"),
            ("malloc", "malloc in kernel mode over itself in user mode, in "
             "instructions"),
            ("wall", "The same on two CPUs, by the clock")):
        rows = [[f"{name} [{unit_of(results, part, name)}]"] +
                [mode_cell(results, k, part, name) for k in kernels]
                for name in results.parts(part)]
        if rows:
            made.append((title, ["row", *kernels], rows))
    return made


def read(paths):
    for path in paths:
        with open(path, encoding="utf-8") as f:
            for number, line in enumerate(f, 1):
                try:
                    yield json.loads(line)
                except ValueError as e:
                    sys.exit(f"{path}:{number}: no line of results: {e}")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for title, heading, rows in tables(list(read(sys.argv[1:]))):
        print(f"### {title}\n\n| {' | '.join(heading)} |")
        print("| --- " * len(heading) + "|")
        for row in rows:
            print(f"| {' | '.join(row)} |")
        print()


if __name__ == "__main__":
    main()
