#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""compare.py OUT BASE: make bench-compare BASE=revision. Two builds beside each other.

What is checked out here is built, and BASE in a worktree in OUT/compare; the programs
of today are compiled against both libraries and run in turns, by bench.py's method.
What is slower and what is faster than BASE is told with its spread; nothing fails for
it. Of the environment:

	ONLY=alloc,gc	these parts, of alloc, malloc, gc, sched, lang and map
	ROW='pairs:64'	these rows; else those of make bench QUICK=1
	ROUNDS=15	so many, 7

A BASE whose API is another one than the programs' of today cannot be compared.
"""
import os
import subprocess
import sys

from parts import BY_NAME
import results

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
FLAGS = ["-O2", "-std=gnu11", "-D_GNU_SOURCE=", "-pthread"]

# part: its script, the sources of its program, more flags
PROGRAMS = {
    "alloc": ("alloc_bench.py", ["alloc_bench.c"], ['-DPEER="alloc_bw.h"']),
    "malloc": ("malloc_bench.py", ["malloc_bench.c", "malloc_threads.c"], None),
    "gc": ("gc_peers.py", ["gc_peers.c"], ['-DPEER="gc_peers_bw.h"']),
    "sched": ("sched_peers.py", ["sched_peers.c", "sched_peers_late.c"], []),
    "lang": ("lang_bench.py", ["lang_bench.c"], []),
    "map": ("map_bench.py", ["map_bench.c"], []),
}


def do(command, **more):
    """What it prints; its last word where it fails."""
    out = subprocess.run(command, capture_output=True, text=True, check=False,
                         **more)
    if out.returncode:
        said = (out.stderr or out.stdout).strip().splitlines()
        sys.exit(f"bench-compare: {' '.join(command[:6])} ...: "
                 f"{said[-1] if said else out.returncode}")
    return out.stdout.strip()


class Build:
    """The library of one tree."""

    def __init__(self, tree, out):
        self.tree, self.out = tree, out
        print(f"building {tree}", flush=True)
        env = {k: v for k, v in os.environ.items()
               if k not in ("MAKEFLAGS", "MAKELEVEL", "O", "ONLY", "ROW")}
        do([os.environ.get("MAKE", "make"), "-s", "-C", tree, f"O={out}",
            f"-j{os.cpu_count()}", "lib"], env=env)
        self.malloc = os.path.join(out, "libburrow-malloc.so")

    def program(self, part, path):
        """Of today's source, this tree's headers and its library."""
        _, sources, flags = PROGRAMS[part]
        command = [os.environ.get("CC", "cc"), *FLAGS, "-o", path]
        command += [os.path.join(HERE, name) for name in sources]
        if flags is not None:
            command += flags + [f"-I{self.tree}/{folder}" for folder in (
                "userlib/include", "uapi", "userlib/src", "kmod")]
            command.append(os.path.join(self.out, "libburrow.a"))
        do(command)
        return path


def worktree(folder, base):
    """A place where the revision is checked out; it stays for the next time."""
    rev = do(["git", "-C", TOP, "rev-parse", "--short=12", "--verify",
              f"{base}^{{commit}}"])
    tree = os.path.join(folder, rev)
    if not os.path.exists(os.path.join(tree, "Makefile")):
        os.makedirs(folder, exist_ok=True)
        do(["git", "-C", TOP, "worktree", "prune"])
        do(["git", "-C", TOP, "worktree", "add", "--force", "--detach", tree,
            rev])
    return rev, tree


def run(part, now, base, folder):
    """Its rows, by both in turns; None where that cannot be."""
    script = [sys.executable, os.path.join(HERE, PROGRAMS[part][0])]
    path = os.path.join(folder, f"{part}.jsonl")
    if os.path.exists(path):
        os.unlink(path)
    env = dict(os.environ)
    ours = now.program(part, os.path.join(folder, f"{part}-now"))
    if part == "malloc":
        env.update(ALLOCATORS=f"base={base.malloc}", ONLY_ALLOCATORS="1")
        script += [ours, now.malloc]
    else:
        theirs = base.program(part, os.path.join(folder, f"{part}-base"))
        script += [f"burrow={ours}", f"base={theirs}", "--"]
    rows = os.environ.get("ROW", "").split() or BY_NAME[part].quick
    print(f"{part}: {' '.join(rows)}", flush=True)
    do(script + ["-r", os.environ.get("ROUNDS") or "7", "--json", path] + rows,
       env=env)
    return results.read_part(path)


def tell(parts, rev):
    """What differs, the most first; the rest is counted."""
    costs = results.comparisons(parts)
    kinds = ((results.BEHIND, "more than"), (results.AHEAD, "less than"))
    for verdict, words in kinds:
        found = sorted((c for c in costs if c.verdict == verdict),
                       key=lambda c: -max(c.median, 1 / max(c.median, 1e-9)))
        print(f"\n{words} {rev}: {len(found)}")
        for c in found:
            print(f"  {c.text():24} {c.row.part} {c.row.title()}: "
                  f"{results.number(c.row.median(c.row.ours))} {c.row.unit}, "
                  f"{results.number(c.row.median(c.name))} there")
    rest = len(costs) - sum(c.verdict in (kinds[0][0], kinds[1][0])
                            for c in costs)
    print(f"\neven, or with one round only: {rest}")


def main():
    if len(sys.argv) != 3 or not sys.argv[2]:
        sys.exit("bench-compare: BASE=revision is what to compare with")
    folder = os.path.join(os.path.abspath(sys.argv[1]), "compare")
    only = os.environ.get("ONLY", "").replace(",", " ").split() or \
        list(PROGRAMS)
    for part in only:
        if part not in PROGRAMS:
            sys.exit(f"bench-compare: there is no part '{part}' here: ONLY= "
                     f"takes {', '.join(PROGRAMS)}")
    rev, tree = worktree(folder, sys.argv[2])
    now = Build(TOP, os.path.dirname(folder))
    base = Build(tree, os.path.join(folder, rev + "-build"))
    tell([run(part, now, base, folder) for part in only], rev)


if __name__ == "__main__":
    main()
