#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whole programs that others wrote, with one malloc preloaded after the other.

	programs_bench.py OUT LIBBURROW-MALLOC [-r ROUNDS] [--json FILE] [ROW...]

compile: gcc -O2 of some of the library's own files, what it makes compared by hash.
sqlite: a script of inserts, an index, updates, joins and deletes in memory, what it
prints compared. Each is a process tree on one CPU: wall time and CPU time in ms, and
the most memory that one of its processes had. What is not installed is left out, and
said. In turns, as bench.py says.
"""
import glob
import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from bench import Bench, environment, one_cpu, told

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIBDIR = "/usr/lib/x86_64-linux-gnu"
PEERS = {"mimalloc": ["libmimalloc.so.3", "libmimalloc.so.2.0"],
         "jemalloc": ["libjemalloc.so.2"],
         "tcmalloc": ["libtcmalloc_minimal.so.4"]}
TIME = "/usr/bin/time"		# GNU's
FIGURES = (("wall time", "ms"), ("CPU time", "ms"), ("memory", "MiB"))

SQL = """
PRAGMA temp_store = MEMORY;
CREATE TABLE item(id INTEGER PRIMARY KEY, shelf INTEGER, name TEXT, price REAL);
CREATE TABLE sale(item INTEGER, day INTEGER, nr INTEGER);
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
INSERT INTO item SELECT i, i * 7919 % 997,
 printf('item %d %s', i, substr('abcdefghijklmnopqrstuvwxyz', i % 20, 1 + i % 13)),
 i % 1000 / 8.0 FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 90000)
INSERT INTO sale SELECT 1 + i * 104729 % 60000, i % 365, 1 + i % 5 FROM n;
COMMIT;
CREATE INDEX by_shelf ON item(shelf, price);
CREATE INDEX by_item ON sale(item);
SELECT count(*), sum(price) FROM item WHERE shelf BETWEEN 100 AND 300;
SELECT shelf, sum(nr * price) AS s FROM item JOIN sale ON item.id = sale.item
 GROUP BY shelf ORDER BY s DESC, shelf LIMIT 5;
SELECT count(DISTINCT name), max(length(name)), group_concat(name) LIKE '%abc%'
 FROM item;
UPDATE item SET name = upper(name) || price WHERE shelf % 3 = 0;
DELETE FROM item WHERE id IN (SELECT item FROM sale WHERE day < 100);
SELECT count(*), sum(length(name)) FROM item;
"""


def allocators(burrow):
    found = {"burrow": burrow, "glibc": ""}
    for name, files in PEERS.items():
        paths = [os.path.join(LIBDIR, f) for f in files]
        paths = [path for path in paths if os.path.exists(path)]
        if paths:
            found[name] = paths[0]
        else:
            print(f"# {name} is not installed")
    return found


def waited(command, lib, stdin, folder):
    """What it printed, and (wall ms, CPU ms, MiB) of all its processes."""
    env = environment(**({"LD_PRELOAD": lib} if lib else {}))
    # What getrusage() says of a child is at least what we had when it began.
    most = os.path.join(folder, "most")
    command = [TIME, "-f", "%M", "-o", most, "taskset", "-c", str(one_cpu()),
               *command]
    with tempfile.TemporaryFile() as out, open(stdin, "rb") as told_it:
        began = time.monotonic()
        p = subprocess.Popen(command, env=env, cwd=folder, stdin=told_it,
                             stdout=out, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(p.pid, 0)
        wall = time.monotonic() - began
        p.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        said = out.read()
    if p.returncode:
        sys.exit(f"{command} with {lib or 'glibc'}: {p.returncode} {said}")
    with open(most, encoding="ascii") as f:
        kib = int(f.read())
    return said, (wall * 1e3, (used.ru_utime + used.ru_stime) * 1e3, kib / 1024)


class Compile:
    """gcc, cc1 and as, once for each file."""

    def __init__(self, folder):
        self.folder = folder
        self.program = shutil.which(os.environ.get("CC", "gcc"))
        self.sources = sorted(glob.glob(f"{TOP}/userlib/src/sched/s*.c"))

    def once(self, lib):
        said, figures = waited(
            [self.program, "-O2", "-std=gnu11", "-D_GNU_SOURCE=", "-w",
             f"-I{TOP}/userlib/src", f"-I{TOP}/userlib/include",
             f"-I{TOP}/uapi", f"-I{TOP}/kmod", "-c", *self.sources],
            lib, os.devnull, self.folder)
        made = hashlib.sha256(said)
        for path in sorted(glob.glob(f"{self.folder}/*.o")):
            with open(path, "rb") as f:
                made.update(f.read())
            os.unlink(path)
        return made.hexdigest(), figures


class Sqlite:
    """The shell of SQLite."""

    def __init__(self, folder):
        self.folder = folder
        self.program = shutil.which("sqlite3")
        self.script = os.path.join(folder, "script.sql")
        with open(self.script, "w", encoding="ascii") as f:
            f.write(SQL)

    def once(self, lib):
        said, figures = waited([self.program, "-batch", ":memory:"], lib,
                               self.script, self.folder)
        return said.decode(), figures


ROWS = {"compile": Compile, "sqlite": Sqlite}


def tell(bench, row, found, folder):
    program = ROWS[row](folder)
    if not program.program:
        print(f"# {row}: its program is not installed")
        return
    wanted = program.once("")[0]
    if len(wanted) < 20:
        sys.exit(f"{row}: {wanted!r} is no result")

    def once(name):
        got, figures = program.once(found[name])
        if got != wanted:
            sys.exit(f"{row} with {name}: another result: {got!r}, {wanted!r}")
        return figures

    got = bench.turns(found, once)
    for i, (figure, unit) in enumerate(FIGURES):
        values = {name: [v[i] for v in each] for name, each in got.items()}
        ratios = bench.compare(row, unit, values, figure)
        print(f"{row:8} {figure:9} " +
              "  ".join(f"{name} {statistics.median(v):.4g}"
                        for name, v in values.items()) + f" {unit}:  " +
              ", ".join(told(name, r) for name, r in ratios.items()),
              flush=True)


def main():
    bench = Bench(__doc__, positional=("out", "burrow"))
    if not os.path.exists(TIME):
        sys.exit(f"{TIME} is missing: install the package time")
    found = allocators(os.path.abspath(bench.args.burrow))
    os.makedirs(bench.args.out, exist_ok=True)
    for row in bench.each(ROWS):
        if row not in ROWS:
            sys.exit(f"no such row: {row}; there are {' '.join(ROWS)}")
        with tempfile.TemporaryDirectory(dir=bench.args.out) as folder:
            tell(bench, row, found, os.path.abspath(folder))


main()
