# SPDX-License-Identifier: MIT
"""bench: how programs are measured beside each other, for all scripts of this folder.

*Turns.* A round is one run of each peer. Who begins changes from round to round
(A B C, B C A, C A B), so what the machine does meanwhile, and who left it warm, is
spread over all. Rounds before the first one that counts are --warm-up.

*Figures.* A peer's figure is the median of its rounds, and ± is its spread: half of
the middle half, in percent of the median. A ratio is the median of the ratios within
rounds, with the middle half of those behind it. Where that has 1 in it the rounds do
not say who is faster: then no ratio is printed, but "even".

*Goals.* A goal is reached or missed where the whole middle half says so, else "?".

*Results.* --json FILE appends a line for each row, with all values, below a line
with the machine, its load and the versions of what was measured. results.py reads
them, and says what is in a line; run.py has them made, part by part.

*CPUs.* A row of one thread may be kept on one CPU (run(cpu=...)); nothing else is,
since schedulers and collectors that have one CPU less are others.
"""
import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time

NOT_HERE = 77		# the exit status of a program that has no such row
NOTE = "burrow: "	# what the library's own lines begin with
OPTIONS = ("BURROW", "BURROW_GC", "GOGC", "GODEBUG", "LD_PRELOAD")


def middle(values):
    """The ends of the middle half."""
    values = sorted(values)
    quarter = len(values) // 4
    return values[quarter], values[-1 - quarter]


def spread(values):
    """Half of the middle half, in percent of the median."""
    low, high = middle(values)
    median = statistics.median(values)
    return 50 * (high - low) / median if median else 0.0


class Ratio:
    """What @ours takes, in units of what @theirs takes, round by round."""

    def __init__(self, ours, theirs):
        ratios = [a / b for a, b in zip(ours, theirs) if b]
        self.known = bool(ratios)
        if self.known:
            self.median = statistics.median(ratios)
            self.low, self.high = middle(ratios)

    def is_even(self):
        return self.low <= 1 <= self.high

    def of(self, name):
        """For a table; with one round there is no spread to tell of."""
        if not self.known:
            return f"nothing to compare with {name}"
        if self.low == self.high:
            return f"{self.median:.2f} of {name}"
        if self.is_even():
            return f"even with {name} ({self.low:.2f}..{self.high:.2f})"
        return f"{self.median:.2f} of {name} ({self.low:.2f}..{self.high:.2f})"

    def verdict(self, goal, more=False):
        if not self.known or self.low <= goal <= self.high:
            return "?"
        good = self.low > goal if more else self.high < goal
        return "reached" if good else "missed"

    def as_dict(self):
        if not self.known:
            return None
        return {"median": self.median, "low": self.low, "high": self.high,
                "even": self.is_even()}


def environment(**more):
    """Without options of a collector; in user mode, unless it was said otherwise."""
    env = {k: v for k, v in os.environ.items() if k not in OPTIONS}
    env.setdefault("BURROW_MODE", "user")
    env.update(more)
    return env


def one_cpu():
    """For rows of one thread: the last one that we may have."""
    return max(os.sched_getaffinity(0))


def run(command, env=None, timeout=600, cpu=None, may_say=None):
    """
    What it prints; None: it has no such row. Anything on stderr is an error, but
    for lines with @may_say in them, which are shown as notes.
    """
    pin = ["taskset", "-c", str(cpu)] if cpu is not None else []
    out = subprocess.run(pin + command, env=env or environment(), timeout=timeout,
                         capture_output=True, text=True)
    if out.returncode == NOT_HERE:
        return None
    lines = out.stderr.splitlines(keepends=True)
    notes = [line for line in lines if may_say and may_say in line]
    said = "".join(line for line in lines if line not in notes)
    if out.returncode or said:
        sys.exit(f"{' '.join(command)}: {out.returncode} {said}")
    tell_notes(notes)
    return out.stdout


def tell_notes(lines):
    for line in lines:
        print(f"# {line.rstrip()}", flush=True)


def figures(text):
    """
    Lines of a name and its figures: name -> [figure, ...]. What the library says
    (bw_note()) is no figure of anything, but a note.
    """
    lines = text.splitlines()
    tell_notes(line for line in lines if line.startswith(NOTE))
    rows = (line.split() for line in lines if not line.startswith(NOTE))
    return {name: list(map(float, v)) for name, *v in rows}


def turns(names, once, rounds, warm_up=0):
    """
    once(name) of each in turns: lists of what it returned. One that returns None
    is left out from there on.
    """
    names = list(names)
    got = {name: [] for name in names}
    for i in range(-warm_up, rounds):
        first = i % len(names)
        for name in names[first:] + names[:first]:
            value = once(name) if name in got else None
            if value is None:
                got.pop(name, None)
            elif i >= 0:
                got[name].append(value)
    return got


def first_line(path, key):
    try:
        with open(path, encoding="utf-8") as f:
            for line in f:
                if line.startswith(key):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return None


def version_of(folder):
    try:
        out = subprocess.run(["git", "-C", folder, "describe", "--always",
                              "--dirty"], capture_output=True, text=True,
                             check=True)
        return out.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def machine():
    """What the figures are of; BENCH_PEERS is a line for each peer (peers.sh)."""
    return {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "cpu": first_line("/proc/cpuinfo", "model name"),
            "cpus": len(os.sched_getaffinity(0)),
            "memory": first_line("/proc/meminfo", "MemTotal"),
            "kernel": platform.release(), "machine": platform.machine(),
            "load": list(os.getloadavg()),
            "burrow": version_of(os.path.dirname(os.path.abspath(__file__))),
            "peers": os.environ.get("BENCH_PEERS", "").splitlines()}


def resident(pid):
    """MiB of a process; 0 where it has gone."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20
    except (OSError, IndexError):
        return 0.0


def watch(command, env=None, every=0.02, cap=400):
    """
    Runs it and looks at its memory meanwhile: [ms since it began, MiB]. Of more
    than @cap points each second one goes, and we look half as often.
    """
    points, began = [], time.monotonic()
    with subprocess.Popen(command, env=env or environment(), text=True,
                          stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE) as p:
        while p.poll() is None:
            mib = resident(p.pid)
            if mib:
                points.append([(time.monotonic() - began) * 1000, mib])
            if len(points) > cap:
                points, every = points[::2], every * 2
            time.sleep(every)
        said = p.stderr.read()
    if p.returncode == NOT_HERE:
        return None
    if p.returncode or said:
        sys.exit(f"{' '.join(command)}: {p.returncode} {said}")
    return points


class Bench:
    """
    The arguments of a script and where its rows go:

        NAME=PROGRAM... -- [-r ROUNDS] [-w ROUNDS] [--json FILE] [ROW...]

    or, with @positional, these first instead of the peers. @references are no
    peers: who is beside them is neither ahead nor behind.
    """

    def __init__(self, doc, rounds=7, positional=(), references=()):
        argv = sys.argv[1:]
        self.peers = {}
        if not positional:
            cut = argv.index("--") if "--" in argv else len(argv)
            self.peers = dict(arg.split("=", 1) for arg in argv[:cut])
            argv = argv[cut + 1:]
        parser = argparse.ArgumentParser(
            description=doc, formatter_class=argparse.RawTextHelpFormatter)
        for name in positional:
            parser.add_argument(name)
        parser.add_argument("-r", "--rounds", type=int, default=rounds)
        parser.add_argument("-w", "--warm-up", type=int, default=1)
        parser.add_argument("--json", metavar="FILE")
        parser.add_argument("rows", nargs="*")
        self.args = parser.parse_intermixed_args(argv)
        if self.args.rounds < 1 or self.args.warm_up < 0:
            parser.error("at least one round, and no fewer than 0 before it")
        self.rows = self.args.rows
        self.name = os.path.basename(sys.argv[0]).removesuffix(".py")
        self.asked = None
        self.record({"bench": self.name, "rounds": self.args.rounds,
                     "warm-up": self.args.warm_up,
                     "references": list(references), "machine": machine()})

    def each(self, rows):
        """
        Those rows that were asked for, else @rows, one after the other;
        $BENCH_PROGRESS is a file that is told which (run.py).
        """
        rows = list(self.rows or rows)
        path = os.environ.get("BENCH_PROGRESS")
        for nr, row in enumerate(rows):
            self.asked = row
            if path:
                with open(path, "a", encoding="utf-8") as f:
                    f.write(f"{nr} {len(rows)} {row}\n")
            yield row
        self.asked = None

    def record(self, line):
        if self.args.json:
            with open(self.args.json, "a", encoding="utf-8") as f:
                f.write(json.dumps(line) + "\n")

    def turns(self, names, once):
        return turns(names, once, self.args.rounds, self.args.warm_up)

    def compare(self, row, unit, values, figure="time", goals=None, more=False,
                axis=None):
        """
        Ratios of the first of @values to the others; all of it becomes a line of
        the results. @goals: name -> what its ratio is to be at most (or at least,
        with @more, for figures of which more is better). @axis: (name of a curve,
        what its x is, this row's x).
        """
        ours, *others = values
        ratios = {name: Ratio(values[ours], values[name]) for name in others}
        goals = {k: v for k, v in (goals or {}).items() if k in ratios}
        self.record({
            "bench": self.name, "row": row, "figure": figure, "unit": unit,
            "ask": self.asked or row, "better": "more" if more else "less",
            **({"axis": list(axis)} if axis else {}),
            "values": values,
            "median": {k: statistics.median(v) for k, v in values.items()},
            "spread": {k: spread(v) for k, v in values.items()},
            "ratio": {k: r.as_dict() for k, r in ratios.items()},
            "goal": {k: {"ratio": goal,
                         "verdict": ratios[k].verdict(goal, more)}
                     for k, goal in goals.items()}})
        return ratios

    def plot(self, kind, row, figure, unit, points):
        """
        @points: name -> [[x, y], ...]. Of kind "time" it is what y was x ms after
        the beginning, of kind "tail" how many (y) took up to x and more than the
        x before.
        """
        self.record({"bench": self.name, "row": row, "figure": figure,
                     "unit": unit, "ask": self.asked or row, "kind": kind,
                     "points": points})


def told(name, ratio, goal=None, more=False):
    """A ratio, and what it says about its goal."""
    if goal is None:
        return ratio.of(name)
    return f"{ratio.of(name)} ({goal:g}: {ratio.verdict(goal, more)})"


def cells(values, ratios, goals=None, more=False):
    """A line of a table: everybody's figure, then what compare() made of them."""
    goals = goals or {}
    return [f"{name} {statistics.median(v):.4g} ±{spread(v):.0f}%"
            for name, v in values.items()] + \
        [told(name, ratio, goals.get(name), more)
         for name, ratio in ratios.items()]
