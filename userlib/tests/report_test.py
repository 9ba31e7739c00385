#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""report_test.py TAP: what results are judged to be, and what is told of them."""
import contextlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "bench"))
import bench  # noqa: E402
from bench_test import main  # noqa: E402
import compare  # noqa: E402
import parts  # noqa: E402
import report  # noqa: E402
import report_page  # noqa: E402
import report_plot  # noqa: E402
import report_text  # noqa: E402
import results  # noqa: E402
import run  # noqa: E402

EVIL = "<script>alert('&\"')</script>"


def head(**more):
    return {"bench": "b", "rounds": 3, "machine": {
        "time": "now", "cpus": 2, "load": [1, 1, 1], "peers": ["go: go=1"],
        "burrow": "v1", **more}}


def row(name, ours, theirs, **more):
    """Of ours beside one peer, go, or beside @peer."""
    peer = more.pop("peer", "go")
    values = {"burrow": ours, peer: theirs}
    return {"bench": "b", "row": name, "figure": "time", "unit": "ns",
            "values": values,
            "ratio": {peer: bench.Ratio(ours, theirs).as_dict()}, **more}


def end(**more):
    return {"part": "alloc", "whole": True, "seconds": 1, "load": [1, 1, 1],
            "command": "make bench ONLY=alloc", **more}


def part_of(*lines, text=None):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "alloc.jsonl")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text if text is not None else
                    "".join(json.dumps(line) + "\n" for line in lines))
        return results.read_part(path)


def verdict(*args, **more):
    part = part_of(head(), row("r", *args, **more))
    return next(iter(part.rows.values())).costs[0]


def a_row_is_ahead_or_behind_only_where_the_middle_half_says_so():
    assert verdict([4, 5, 6], [10, 10, 10]).verdict == results.AHEAD
    assert verdict([40, 50, 60], [10, 10, 10]).verdict == results.BEHIND
    assert verdict([9, 10, 11], [10, 10, 10]).verdict == results.EVEN
    assert verdict([5], [10]).verdict == results.OPEN


def of_what_more_is_better_the_ratio_is_turned_round():
    cost = verdict([20, 25, 50], [10, 10, 10], better="more")
    assert cost.verdict == results.AHEAD
    assert (cost.low, cost.median, cost.high) == (0.2, 0.4, 0.5)
    assert verdict([0, 0, 0], [1, 1, 1], better="more").verdict == \
        results.BEHIND


def a_ratio_that_its_spread_swallows_is_not_told():
    text = verdict([9, 10, 12], [10, 10, 10]).text()
    assert text == "even (0.90..1.20)", text
    assert verdict([4, 5, 6], [10, 10, 10]).text() == "0.50 (0.40..0.60)"


def what_is_behind_comes_first_and_the_furthest_first():
    part = part_of(head(), row("near", [15, 15], [10, 10]),
                   row("ahead", [1, 1], [10, 10]),
                   row("far", [90, 91], [10, 10]), end())
    assert [c.row.row for c in results.behind([part])] == ["far", "near"]
    text = report_text.text([part])
    assert text.index("far, time") < text.index("near, time") < \
        text.index("alloc:"), text
    page = report_page.page([part])
    assert page.index("far, time") < page.index("near, time") < \
        page.index('id="part-alloc"')


def a_reference_is_no_peer():
    part = part_of(head() | {"references": ["floor"]},
                   row("r", [9, 9], [1, 1], peer="floor"))
    assert not results.comparisons([part]) and not results.behind([part])
    assert "floor" in report_text.text([part])


def a_line_that_is_none_is_told_with_its_place():
    good = json.dumps(head())
    for bad in ("{", "7", '{"bench": "b"}', '{"values": {}}',
                json.dumps(row("r", [1], [1]) | {"values": {"a": []}}),
                json.dumps(row("r", [1], [1]) | {"ratio": [1]}),
                '{"points": {}, "kind": "?", "bench": 1, "row": 1,'
                ' "figure": 1, "unit": 1}'):
        try:
            part_of(text=f"{good}\n{bad}\n")
        except results.Broken as e:
            assert "alloc.jsonl:2: not a line of results: " in str(e), e
            assert "\n" not in str(e)
            continue
        raise AssertionError(bad)


def no_results_are_one_clear_error():
    with tempfile.TemporaryDirectory() as folder:
        for path in (folder, os.path.join(folder, "none.jsonl")):
            try:
                report.write(path)
            except SystemExit as e:
                assert str(e).startswith("report: "), e
                continue
            raise AssertionError(path)


def what_came_from_results_is_escaped():
    lines = [head(cpu=EVIL, peers=[f"{EVIL}: {EVIL}"], burrow=EVIL),
             row(EVIL, [9, 9, 9], [1, 1, 1], peer=EVIL, figure=EVIL, unit=EVIL,
                 ask=EVIL, goal={EVIL: {"ratio": 1, "verdict": EVIL}},
                 axis=[EVIL, EVIL, 1]),
             {"bench": EVIL, "row": EVIL, "figure": EVIL, "unit": EVIL,
              "kind": "time", "points": {EVIL: [[1, 1]]}},
             {"bench": EVIL, "row": EVIL, "figure": "f", "unit": EVIL,
              "kind": "tail", "points": {EVIL: [[1, 1]]}},
             end(whole=False, cause=EVIL, command=EVIL, packages=[EVIL])]
    page = report_page.page([part_of(*lines)])
    assert page.count("<script>") == 1, page.count("<script>")
    assert "alert('" not in page and "&quot;" in page


def a_part_that_failed_is_told_with_its_cause():
    part = part_of(head(), row("r", [1, 1], [2, 2]),
                   end(whole=False, cause="status 2: no such compiler"))
    assert "no such compiler" in report_text.text([part])
    assert "no such compiler" in report_page.page([part])
    assert "it was not finished" in report_text.text([part_of(head())])


def a_machine_with_other_work_is_told():
    busy = part_of(head(load=[19, 1, 1]), row("r", [1, 1], [2, 2]))
    idle = part_of(head(), row("r", [1, 1], [2, 2]))
    assert "had other work" in report_text.text([busy])
    assert "had other work" not in report_text.text([idle])


def a_page_asks_no_other_machine():
    page = report_page.page([part_of(head(), row("r", [1, 1], [2, 2]), end())])
    assert not re.search(r"(src|href)=\"(?!#)|@import|url\(|fetch\(", page)


def every_row_has_the_command_that_made_it():
    part = part_of(head(), row("r x", [1, 1], [2, 2], ask="r:1"), end())
    page = report_page.page([part])
    assert "make bench ONLY=alloc ROW=r:1" in page


def places_on_an_axis_are_in_order_and_within_it():
    log = report_plot.Log([0.25, 8])
    places = [log.at(x) for x in (0, 0.001, 0.25, 1, 2, 8, 1e9,
                                  float("inf"))]
    assert places == sorted(places) and log.at(1) == 50
    assert min(places) >= 0 and max(places) <= 100
    columns = [report_text.column(x) for x in (0, 0.01, 0.5, 1, 2, 99)]
    assert columns == sorted(columns)
    assert columns[3] == report_text.WIDTH // 2


def a_tail_falls_from_one():
    points = [(4, 90), (8, 9), (16, 1)]
    assert report_page.slower(points) == [(4, 1), (8, 0.1), (16, 0.01)]
    assert [report_page.percentile(points, p) for p in (0.5, 0.1, 0.05, 0)] \
        == [4, 4, 8, 16]


def a_part_is_run_again_unless_it_is_whole():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "alloc.jsonl")
        assert not results.is_whole(path)
        for text, whole in ((json.dumps(head()), False),
                            (json.dumps(end(whole=False)), False),
                            ("{", False), (json.dumps(end()), True)):
            with open(path, "w", encoding="utf-8") as f:
                f.write(text + "\n")
            assert results.is_whole(path) == whole, text


def a_cause_is_the_last_word_that_is_not_of_make():
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "log")
        for said, told in (("a\nno gcc\nmake: *** [x] Error 1\n", "no gcc"),
                           ("", "it said nothing")):
            with open(log, "w", encoding="utf-8") as f:
                f.write(said)
            assert run.cause_of(log, 2) == f"status 2: {told}"


def wrong_wishes_are_refused():
    for env, why in (({"ONLY": "allok"}, "no part 'allok'"),
                     ({"ONLY": "alloc,lang", "ROW": "x"}, "one part"),
                     ({"ROW": "x"}, "one part")):
        with tempfile.TemporaryDirectory() as folder:
            old = dict(os.environ)
            os.environ.update({"ONLY": "", "ROW": ""} | env)
            try:
                run.Run(folder)
            except SystemExit as e:
                assert why in str(e), e
            else:
                raise AssertionError(env)
            finally:
                os.environ.clear()
                os.environ.update(old)


class FakeRun(run.Run):
    """What a part does is @deeds[name], a line of shell; who ran is in @ran."""

    def __init__(self, folder, deeds):
        self.deeds, self.ran = deeds, []
        old = dict(os.environ)
        os.environ.update(ONLY="", ROW="", QUICK="", FRESH="")
        super().__init__(folder)
        os.environ.clear()
        os.environ.update(old)
        self.parts = [parts.BY_NAME[name] for name in deeds]

    def start(self, part, partial, log):
        self.ran.append(part.name)
        deed = self.deeds[part.name]
        if deed is KeyboardInterrupt:
            raise deed
        return subprocess.Popen(["sh", "-c", deed, "sh", partial], stdout=log,
                                stderr=subprocess.STDOUT,
                                start_new_session=True)


def only_what_is_not_whole_is_run_again():
    line = json.dumps(head())
    good = f"echo '{line}' > $1"
    with tempfile.TemporaryDirectory() as folder, \
         contextlib.redirect_stdout(io.StringIO()) as said:
        first = FakeRun(folder, {"alloc": good, "gc": good + "; echo no gcc; exit 3",
                                 "lang": good})
        assert [p.name for p in first.all()] == ["gc"]
        assert first.ran == ["alloc", "gc", "lang"]
        assert "FAILED" in said.getvalue() and \
            "status 3: no gcc" in said.getvalue()
        kept = results.read_part(first.path(parts.BY_NAME["gc"]))
        assert kept.heads and kept.cause() == "status 3: no gcc"
        again = FakeRun(folder, {"alloc": good, "gc": good, "lang": good})
        assert not again.all() and again.ran == ["gc"]
        again.fresh = True
        again.all()
        assert again.ran == ["gc", "alloc", "gc", "lang"]


def other_sources_are_another_version():
    with tempfile.TemporaryDirectory() as folder:
        path, seen = os.path.join(folder, "a.c"), []
        for text in ("1", "2", "1"):
            with open(path, "w", encoding="ascii") as f:
                f.write(text)
            seen.append(run.digest([folder]))
    assert seen[0] == seen[2] != seen[1], seen


def an_interruption_keeps_the_parts_that_are_done():
    line = json.dumps(head())
    with tempfile.TemporaryDirectory() as folder, \
         contextlib.redirect_stdout(io.StringIO()):
        first = FakeRun(folder, {"alloc": f"echo '{line}' > $1",
                                 "gc": KeyboardInterrupt})
        try:
            first.all()
            raise AssertionError("it went on")
        except KeyboardInterrupt:
            pass
        assert results.is_whole(first.path(parts.BY_NAME["alloc"]))
        assert not os.path.exists(first.path(parts.BY_NAME["gc"]))


def is_gone(path):
    """A process whose stat that is; it may take its time, but not a minute."""
    last = time.monotonic() + 60
    while time.monotonic() < last:
        try:
            with open(path, encoding="ascii") as f:
                # whoever inherits it has yet to hear of its end
                if ") Z " in f.read():
                    return True
        except OSError:
            return True
    return False


def whatever_a_part_has_started_ends_with_it():
    with tempfile.TemporaryDirectory() as folder, \
         contextlib.redirect_stdout(io.StringIO()):
        pid = os.path.join(folder, "pid")
        FakeRun(folder, {"alloc": f"sleep 1000 & echo $! > {pid}"}).all()
        with open(pid, encoding="ascii") as f:
            left = f"/proc/{f.read().strip()}/stat"
        assert is_gone(left), left


def two_builds_are_told_apart_by_what_differs():
    part = part_of(head(), row("slow", [20, 20, 21], [10, 10, 10], peer="base"),
                   row("quick", [5, 5, 5], [10, 10, 10], peer="base"),
                   row("same", [9, 10, 11], [10, 10, 10], peer="base"))
    with contextlib.redirect_stdout(io.StringIO()) as said:
        compare.tell([part], "abc")
    more, less, rest = said.getvalue().strip().split("\n\n")
    assert more.startswith("more than abc: 1\n") and "slow" in more
    assert less.startswith("less than abc: 1\n") and "quick" in less
    assert rest.endswith(": 1")


def rows_tell_how_far_they_are():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "progress")
        os.environ["BENCH_PROGRESS"] = path
        sys.argv = ["x.py", "--"]
        assert list(bench.Bench("").each(["a", "b"])) == ["a", "b"]
        del os.environ["BENCH_PROGRESS"]
        with open(path, encoding="utf-8") as f:
            assert f.read() == "0 2 a\n1 2 b\n"


def memory_of_a_program_is_looked_at_until_it_ends():
    with tempfile.TemporaryDirectory() as folder:
        path, looks, real = os.path.join(folder, "enough"), [], bench.resident

        def look(pid):
            looks.append(real(pid))
            if len(looks) == 50:
                with open(path, "w", encoding="utf-8"):
                    pass
            return looks[-1]

        bench.resident = look
        points = bench.watch([sys.executable, "-c", "import os\n"
                              f"while not os.path.exists({path!r}): pass"],
                             every=0.001, cap=20)
        bench.resident = real
    assert 10 <= len(points) <= 20 and points == sorted(points), points
    assert points[-1][1] == [x for x in looks if x][-1] > 1, points


if __name__ == "__main__":
    TESTS = {n: fn for n, fn in globals().items()
             if getattr(fn, "__module__", "") == "__main__" and
             hasattr(fn, "__code__") and not fn.__code__.co_argcount and
             not fn.__code__.co_flags & 12}
    with contextlib.redirect_stderr(io.StringIO()):
        main(sys.argv[1], TESTS)
