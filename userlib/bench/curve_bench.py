#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What grows with what, and what comes seldom (see curve_bench.sh).

	curve_bench.py NAME=PROGRAM... -- [-r ROUNDS] [--json FILE] [ROW[:SIZE]...]

	heap:MIB	CPU time of an object with so much alive (gc_peers live)
	gs:N		time and memory of a G that parks, beside so many
			(sched_peers parked); each N is a process of its own
	memory:DEPTH	memory while binary-trees runs (gc_peers trees), one run
	tail:MIB	how long 32 objects took, of all rounds (gc_peers live)

NAME=PROGRAM is gc_peers of a peer, NAME-sched=PROGRAM its sched_peers. hybrid is
burrow that marks while the program runs.
"""
import tempfile

from bench import Bench, cells, environment, run, watch

OBJECTS = 3000000
ROWS = ["heap:16", "heap:64", "heap:256", "heap:1024", "gs:1000", "gs:10000",
        "gs:100000", "gs:1000000", "memory:18", "tail:256"]


def told_of(row, unit, figure, values, ratios):
    print("  ".join([f"{row:12} {figure:8} {unit:8}", *cells(values, ratios)]),
          flush=True)


def env_of(name, **more):
    if name == "hybrid":
        more["BURROW_BENCH_HYBRID"] = "1"
    return environment(**more)


def live(bench, name, mib, **more):
    out = run([bench.peers[name], "live", mib, str(OBJECTS)],
              env_of(name, **more))
    return {k: float(v) for k, v in map(str.split, out.splitlines())}


def of_heap(bench, row, mib):
    got = bench.turns(bench.mine, lambda name: live(bench, name, mib))
    for figure, unit, title in (("cpu-ns/object", "ns/object", "CPU time"),
                                ("rss", "MiB", "peak memory")):
        values = {n: [one[figure] for one in v] for n, v in got.items()}
        ratios = bench.compare(row, unit, values, title, axis=(
            "cost against heap size", "MiB alive", int(mib)))
        told_of(row, unit, title, values, ratios)


def of_gs(bench, row, nr):
    for what, unit, title in (("parked", "ns/G", "time"),
                              ("parked-bytes", "bytes/G", "memory")):
        def once(name, what=what):
            out = run([bench.peers[name + "-sched"], what, "1", nr])
            return float(out) if out is not None else None

        names = [n for n in bench.peers if n + "-sched" in bench.peers]
        values = bench.turns(names, once)
        ratios = bench.compare(row, unit, values, title, axis=(
            "cost against number of Gs", "Gs that wait", int(nr)))
        told_of(row, unit, title, values, ratios)


def of_memory(bench, row, depth):
    points = {n: watch([bench.peers[n], "trees", depth], env_of(n))
              for n in bench.mine}
    bench.plot("time", row, "resident memory", "MiB", points)
    text = "".join(f"  {n} {max(y for _, y in v):.0f}"
                   for n, v in points.items() if v)
    print(f"{row:12} peak     MiB     {text}", flush=True)


def of_tail(bench, row, mib):
    tails = {}
    with tempfile.NamedTemporaryFile() as f:
        def once(name):
            got = live(bench, name, mib, BENCH_TAIL=f.name)
            tail = tails.setdefault(name, {})
            with open(f.name, encoding="ascii") as lines:
                for up_to, n in map(str.split, lines):
                    us = float(up_to) / 1000
                    tail[us] = tail.get(us, 0) + int(n)
            return got

        got = bench.turns(bench.mine, once)
    for figure, title in (("p99.9-us", "99.9% of 32 objects"),
                          ("longest-us", "longest of 32 objects")):
        values = {n: [one[figure] for one in v] for n, v in got.items()}
        told_of(row, "us", title, values,
                bench.compare(row, "us", values, title))
    bench.plot("tail", row, "time of 32 objects", "us",
               {n: sorted(tail.items()) for n, tail in tails.items()})


KINDS = {"heap": of_heap, "gs": of_gs, "memory": of_memory, "tail": of_tail}


def main():
    bench = Bench(__doc__, references=("hybrid",))
    # of gc_peers
    bench.mine = [n for n in bench.peers if not n.endswith("-sched")]
    for row in bench.each(ROWS):
        kind, _, size = row.partition(":")
        KINDS[kind](bench, row, size)


main()
