#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench_test.py TAP: what bench.py says of figures that are known. Tells of it in TAP."""
import contextlib
import io
import json
import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "bench"))
import bench  # noqa: E402


def everybody_begins_a_round_in_turn_and_warm_ups_do_not_count():
    order = []

    def once(name):
        order.append(name)
        return len(order)

    got = bench.turns("abc", once, rounds=3, warm_up=1)
    assert "".join(order) == "cab" "abc" "bca" "cab", order
    assert got == {"a": [4, 9, 11], "b": [5, 7, 12], "c": [6, 8, 10]}, got


def who_has_no_such_row_is_left_out():
    got = bench.turns("ab", lambda name: None if name == "a" else 1, 2)
    assert got == {"b": [1, 1]}, got


def a_spread_is_half_of_the_middle_half():
    assert bench.spread([1, 90, 95, 100, 100, 105, 110, 999]) == 5
    assert bench.spread([100, 100, 100]) == 0 and bench.spread([0, 0]) == 0


def a_ratio_is_that_of_rounds_and_even_where_its_spread_has_1():
    ratio = bench.Ratio([1, 4, 9, 16], [2, 8, 18, 32])
    assert ratio.median == 0.5 and ratio.of("go") == "0.50 of go"
    ratio = bench.Ratio([80, 95, 99, 101, 105, 130], [100] * 6)
    assert ratio.of("go") == "even with go (0.95..1.05)", ratio.of("go")
    ratio = bench.Ratio([40, 48, 50, 50, 52, 70], [100] * 6)
    assert ratio.of("go") == "0.50 of go (0.48..0.52)", ratio.of("go")
    assert not bench.Ratio([1], [0]).known


def a_goal_is_reached_only_where_the_whole_middle_half_says_so():
    ratio = bench.Ratio([40, 48, 50, 50, 52, 70], [100] * 6)
    assert ratio.verdict(0.6) == "reached" and ratio.verdict(0.4) == "missed"
    assert ratio.verdict(0.51) == "?" and ratio.verdict(0.52) == "?"
    assert ratio.verdict(0.4, True) == "reached"
    assert ratio.verdict(0.6, True) == "missed"


def a_line_has_everybodys_figure_and_the_ratios_beside_their_goals():
    values = {"burrow": [40, 50, 60], "go": [100] * 3, "c": [100] * 3}
    ratios = {n: bench.Ratio(values["burrow"], values[n]) for n in ("go", "c")}
    got = bench.cells(values, ratios, {"go": 0.7, "x": 1})
    assert got == ["burrow 50 ±20%", "go 100 ±0%", "c 100 ±0%",
                   "0.50 of go (0.40..0.60) (0.7: reached)",
                   "0.50 of c (0.40..0.60)"], got
    assert bench.cells(values, ratios, {"go": 0.7}, True)[3].endswith("missed)")


def a_program_that_complains_ends_it_and_77_is_no_such_row():
    assert bench.run(["sh", "-c", "echo 5"]) == "5\n"
    assert bench.run(["sh", "-c", "exit 77"]) is None
    with contextlib.redirect_stdout(io.StringIO()) as notes:
        assert bench.run(["sh", "-c", "echo slow >&2"], may_say="slow") == ""
    assert notes.getvalue() == "# slow\n", notes.getvalue()
    for script in ("echo 5; echo no >&2", "exit 1"):
        try:
            bench.run(["sh", "-c", script])
        except SystemExit:
            continue
        raise AssertionError(script)


def a_warning_of_the_library_is_a_note_and_no_row():
    warning = ("burrow: stopping the world (bench): thread 71, attached, has not "
               "answered for 1 s; state R (running), in 0, blocked signals 0")
    text = ("idle        0.1      0.2      9.5\n" + warning + "\n"
            "crowd    4211.0  8012.5  9999.9\n")
    with contextlib.redirect_stdout(io.StringIO()) as notes:
        got = bench.figures(text)
    assert got == {"idle": [0.1, 0.2, 9.5], "crowd": [4211, 8012.5, 9999.9]}, got
    assert notes.getvalue() == f"# {warning}\n", notes.getvalue()
    for line in ("idle 0.1 much", "", warning[1:]):
        try:
            bench.figures(line + "\n")
        except ValueError:
            continue
        raise AssertionError(line)


def options_of_a_collector_are_not_handed_on():
    os.environ.update(BURROW_GC="off", GOGC="7", BURROW_PROCS="3")
    out = bench.run(["sh", "-c", "echo $BURROW_GC$GOGC$BURROW_PROCS"
                     " $BURROW_MODE $X"], bench.environment(X="x"))
    assert out.split()[0] == "3" and out.split()[-1] == "x", out


def results_have_the_machine_and_all_values():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "out.json")
        sys.argv = ["x_bench.py", "a=p", "b=q", "--", "-r", "3", "--json", path,
                    "row:1"]
        b = bench.Bench("")
        assert b.rows == ["row:1"] and b.peers == {"a": "p", "b": "q"}
        b.compare("row:1", "ns", {"a": [1, 1, 1], "b": [2, 2, 2]},
                  goals={"b": 0.6, "c": 1})
        with open(path, encoding="utf-8") as f:
            head, line = map(json.loads, f)
    assert head["bench"] == "x_bench" and head["machine"]["kernel"]
    assert line["values"] == {"a": [1, 1, 1], "b": [2, 2, 2]}
    assert line["ratio"]["b"]["median"] == 0.5
    assert line["goal"] == {"b": {"ratio": 0.6, "verdict": "reached"}}


def no_rounds_are_refused():
    for argv in (["-r", "0"], ["-w", "-1"]):
        sys.argv = ["x_bench.py", "--"] + argv
        try:
            with contextlib.redirect_stderr(io.StringIO()) as said:
                bench.Bench("")
        except SystemExit:
            assert "at least one round" in said.getvalue()
            continue
        raise AssertionError(argv)


def main(tap, names):
    tests = [fn for name, fn in names.items()
             if callable(fn) and name != "main"]
    lines, bad = [], 0
    for nr, fn in enumerate(tests, 1):
        text = fn.__name__.replace("_", " ")
        try:
            fn()
            lines.append(f"ok {nr} - {text}")
        except AssertionError as e:
            bad += 1
            lines += [f"not ok {nr} - {text}", f"# {e}"]
    text = "\n".join(lines + [f"1..{len(tests)}"]) + "\n"
    with open(tap, "w", encoding="utf-8") as f:
        f.write(text)
    print(text, end="")
    sys.exit(bad != 0)


if __name__ == "__main__":
    main(sys.argv[1], globals())
