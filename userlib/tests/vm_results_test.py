#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""vm_results_test.py TAP: what is made of the lines that a guest's benchmarks print."""
import contextlib
import io
import json
import os
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("", "../bench", "../../selftests/bench"):
    sys.path.insert(0, os.path.join(HERE, folder))
from bench_test import main  # noqa: E402
import bench  # noqa: E402
import buys  # noqa: E402
import table  # noqa: E402
import vm  # noqa: E402

TOLD = """=pages
anon demand fault	100	4K page	0.010	-	99.0 100.0 101.0
anon MADV_POPULATE_WRITE 8K	80	4K page	0.010	anon demand fault	80.0 80.0 80.0
burrow populate 8K x64	40	4K page	0.010	anon demand fault	40.0 40.0 41.0
burrow populate 8K x1	82	4K page	0.010	anon demand fault	82.0 82.0 82.0
burrow demand fault	130	4K page	0.010	anon demand fault	130.0 130.0 130.0
burrow populate 2M x1	30	4K page	0.010	anon demand fault	30.0 30.0 30.0
=huge
THP demand fault	20	4K page	0.000	-	20.0 20.0 20.0
=calls
read of /proc/self/statm	50	call	0.000	-	50.0 50.0 50.0
HEAP_STATS	25	call	0.000	read of /proc/self/statm	25.0 25.0 25.0
=sweep
process_madvise DONTNEED x64	-	8K span	Invalid argument	MADV_DONTNEED 8K
=library
memory given back, kernel mode	30	4K page	0.000	memory given back, user mode	30.0 30.0
memory given back, user mode	10	4K page	0.000	memory given back, user mode	10.0 10.0
memory given back, glibc	20	4K page	0.000	memory given back, user mode	20.0 20.0
=wall
a wake, kernel mode	9	trip	0.000	a wake, user mode	9.0 11.0 8.0
a wake, user mode	10	trip	0.000	a wake, user mode	10.0 10.0 10.0
"""


def measured():
    """The results of one kernel, as bench.py's lines."""
    with tempfile.TemporaryDirectory() as folder:
        tsv, out = os.path.join(folder, "6.12.tsv"), os.path.join(folder, "out")
        with open(tsv, "w", encoding="utf-8") as f:
            f.write(TOLD)
        sys.argv = ["vm.py", tsv, "--json", out]
        vm.main()
        with open(out, encoding="utf-8") as f:
            return [json.loads(line) for line in f]


def row_of(name):
    found = [r for r in measured() if r.get("row") == "6.12 " + name]
    assert len(found) == 1, (name, found)
    return found[0]


def the_first_line_says_where_it_was_measured():
    head = measured()[0]
    assert head["bench"] == "vm" and head["machine"]["cpus"], head


def a_row_of_the_module_is_beside_the_call_that_it_is_compared_with():
    row = row_of("pages: burrow populate 8K x64")
    assert row["values"] == {"burrow": [40, 40, 41],
                             "anon demand fault": [99, 100, 101]}, row
    assert row["unit"] == "instructions / 4K page" and row["ask"] == "pages"
    assert 0.40 <= row["ratio"]["anon demand fault"]["median"] <= 0.41


def calls_of_mainline_are_no_results_of_ours():
    row = row_of("pages: anon MADV_POPULATE_WRITE 8K")
    assert list(row["values"]) == ["anon MADV_POPULATE_WRITE 8K"]
    assert not row["ratio"], row


def modes_of_a_row_are_one_line_kernel_mode_first():
    row = row_of("library: memory given back")
    assert list(row["values"]) == ["kernel mode", "user mode", "glibc"], row
    assert row["ratio"]["user mode"]["median"] == 3
    assert row["ratio"]["glibc"]["median"] == 1.5
    assert sum("memory given back" in r.get("row", "") for r in measured()) == 1


def what_the_clock_has_measured_is_no_number_of_instructions():
    row = row_of("wall: a wake")
    assert row["figure"] == "wall time" and row["unit"] == "ns / trip", row
    assert row["ratio"]["user mode"]["even"]


def what_a_kernel_refuses_has_no_line():
    assert not [r for r in measured() if "process_madvise" in r.get("row", "")]


def cells(lines, title, name):
    rows = next(rows for t, _, rows in buys.tables(lines) if t.startswith(title))
    return next(row[1:] for row in rows if row[0].startswith(name))


def a_service_is_compared_with_the_best_call_that_there_is():
    said = cells(measured(), "The module's", "SPAN_ALLOC, 64")
    assert said == ["0.50 of anon MADV_POPULATE_WRITE 8K: 40 / 80"], said


def the_best_call_may_have_been_measured_in_another_part():
    assert cells(measured(), "The module's", "... the same, where huge") == \
        ["**1.50, dearer** of THP demand fault: 30 / 20"]
    assert cells(measured(), "The module's", "HEAP_STATS") == ["0.50: 25 / 50"]


def what_is_even_is_nothing_in_instructions_too():
    line = {"bench": "vm", "row": "6.12 library: x", "unit": "instructions / G",
            "values": {"kernel mode": [5, 15, 10], "user mode": [12, 12, 12]},
            "ratio": {"user mode": bench.Ratio([5, 15, 10], [12] * 3).as_dict()}}
    assert cells([line], "The library", "x") == ["nothing (even): 10 / 12"]


def a_margin_of_less_than_5_percent_is_nothing_and_dearer_is_said():
    lines = measured()
    assert cells(lines, "The module's", "... one span of 8 KiB") == \
        ["nothing (1.02) of anon MADV_POPULATE_WRITE 8K: 82 / 80"]
    assert cells(lines, "The module's", "... lazy, and") == \
        ["**1.30, dearer**: 130 / 100"]
    assert cells(lines, "The library", "memory") == ["**3.00, dearer**: 30 / 10"]
    assert cells(lines, "The same on two", "a wake") == ["nothing (even)"]


def a_kernel_that_was_not_measured_is_no_column_and_a_row_no_figure():
    lines = measured() + [{"bench": "vm", "row": "7.x wall: a wake", "unit": "ns",
                           "values": {"kernel mode": [1]}, "ratio": {}}]
    assert cells(lines, "The module's", "SPAN_ALLOC, 64")[1] == "not measured"
    assert cells(lines, "The same on two", "a wake")[1] == "not measured"
    assert buys.tables([]) == [] and buys.tables([{"bench": "gc"}]) == []


def a_broken_line_of_results_is_told_with_its_place():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "r")
        with open(path, "w", encoding="utf-8") as f:
            f.write('{"bench": "vm"}\n{"bench"\n')
        try:
            list(buys.read([path]))
        except SystemExit as e:
            assert str(e).startswith(f"{path}:2: no line of results"), e
        else:
            raise AssertionError("taken for results")


def a_line_of_a_guest_that_is_neither_part_nor_row_is_passed_over():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "t")
        with open(path, "w", encoding="utf-8") as f:
            f.write("a row before its part\t1\tx\t0\t-\t1.0\n=pages\nhello\n"
                    "a\t1\tx\t0\t-\n")
        assert table.read(path) == {"pages": {"a": ("1", "x", "0", "-", [])}}


if __name__ == "__main__":
    TESTS = {n: fn for n, fn in globals().items()
             if getattr(fn, "__module__", "") == "__main__" and
             n not in ("measured", "row_of", "cells")}
    with contextlib.redirect_stderr(io.StringIO()):
        main(sys.argv[1], TESTS)
