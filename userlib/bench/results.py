# SPDX-License-Identifier: MIT
"""results: the lines that make bench leaves, and what is said of them.

	run.py		has the parts run, one file of lines for each
	  bench.py	writes the lines
	results.py	<- here: reads and judges them
	report.py	tells of them, in a terminal and as a page

A file is a part's. A line of it is an object:

head	bench, rounds, machine (what the figures are of), references (names that are
	no peers)
row	bench, row, figure, unit, better ("less" or "more"), values (name -> list, ours
	first), ratio (name -> median, low, high, even; ours in units of its), goal;
	ask: what the script was asked for; axis: (curve, what x is, x)
plot	bench, row, figure, unit, kind ("time" or "tail"), points (name -> [x, y]...)
end	part, whole (or cause: why it is not), seconds, cpu-seconds, load, command,
	packages (what is installed)

*Costs.* A ratio is told as a cost: below 1 burrow needs less than the peer. Of figures
of which more is better it is the inverse. ahead and behind: the whole middle half of
the rounds' ratios says so. even: it has 1 in it. open: one round says nothing.
"""
import glob
import json
import os
import statistics

from bench import spread

AHEAD, EVEN, BEHIND, OPEN = "ahead", "even", "behind", "open"


def times(x):
    """A ratio, as short as it may be: 0.0031, 0.46, 12.3, 4,120."""
    if x >= 100:
        return f"{x:,.0f}"
    return f"{x:.1f}" if x >= 10 else f"{x:.2f}" if x >= 0.1 else f"{x:.2g}"


class Broken(Exception):
    """A file that holds something else; it says where."""


class Cost:
    """What ours takes in units of what @name takes; less is better."""

    def __init__(self, row, name, ratio):
        self.row, self.name = row, name
        ends = [float(ratio[k]) for k in ("low", "median", "high")]
        if row.better == "more":
            ends = [1 / x if x > 0 else float("inf") for x in reversed(ends)]
        self.low, self.median, self.high = ends
        if row.rounds < 2:
            self.verdict = OPEN
        elif self.low <= 1 <= self.high:
            self.verdict = EVEN
        else:
            self.verdict = AHEAD if self.high < 1 else BEHIND

    def text(self):
        """No ratio where its spread has swallowed it."""
        low, median, high = map(times, (self.low, self.median, self.high))
        if self.verdict == OPEN:
            return f"{median}, one round"
        ends = f"({low}..{high})"
        return f"even {ends}" if self.verdict == EVEN else f"{median} {ends}"


class Row:
    """One figure of one row, of ours and of peers."""

    def __init__(self, part, line, references):
        self.part = part
        self.bench, self.row = line["bench"], line["row"]
        self.figure, self.unit = line["figure"], line["unit"]
        self.better = line.get("better", "less")
        self.ask = line.get("ask") or self.row
        self.axis = line.get("axis")
        self.values = line["values"]
        self.ours = next(iter(self.values))
        self.goal = line.get("goal") or {}
        self.rounds = min(map(len, self.values.values()))
        if not self.rounds:
            raise ValueError("no values")
        self.references = references
        self.costs = [Cost(self, name, ratio)
                      for name, ratio in line["ratio"].items() if ratio]

    def median(self, name):
        return statistics.median(self.values[name])

    def spread(self, name):
        return spread(self.values[name])

    def peers(self):
        """Costs beside those that burrow is to be judged by."""
        return [c for c in self.costs if c.name not in self.references]

    def title(self):
        return f"{self.row}, {self.figure}"

    def command(self):
        return f"make bench ONLY={self.part} ROW={self.ask}"


class Plot:
    """Points of names: memory over time, or how many took how long."""

    def __init__(self, part, line):
        self.part = part
        self.bench, self.row = line["bench"], line["row"]
        self.figure, self.unit = line["figure"], line["unit"]
        self.kind = line["kind"]
        if self.kind not in ("time", "tail"):
            raise ValueError(f"a plot of kind {self.kind!r}")
        self.ask = line.get("ask") or self.row
        self.points = {name: [(float(x), float(y)) for x, y in points]
                       for name, points in line["points"].items()}

    def command(self):
        return f"make bench ONLY={self.part} ROW={self.ask}"


class Part:
    """What a file holds."""

    def __init__(self, name):
        self.name = name
        self.rows, self.plots, self.heads, self.end = {}, {}, [], None
        self.lines = []		# of rows, as they are

    def add(self, line):
        if "values" in line:
            names = self.heads[-1].get("references", []) if self.heads else []
            row = Row(self.name, line, names)
            self.rows[row.bench, row.row, row.figure] = row
            self.lines.append(line)
        elif "points" in line:
            plot = Plot(self.name, line)
            self.plots[plot.bench, plot.row, plot.figure] = plot
        elif "machine" in line:
            self.heads.append(line)
        elif "part" in line:
            self.end = line
        else:
            raise KeyError("neither a row nor a plot, a head or an end")

    def is_whole(self):
        return bool(self.end and self.end.get("whole"))

    def cause(self):
        """Why it is not whole."""
        if self.is_whole():
            return None
        return (self.end or {}).get("cause") or "it was not finished"


def read_part(path):
    name = os.path.basename(path).partition(".")[0]
    part = Part(name)
    try:
        with open(path, encoding="utf-8") as f:
            for nr, text in enumerate(f, 1):
                try:
                    part.add(json.loads(text))
                except (ValueError, KeyError, TypeError, AttributeError,
                        IndexError, StopIteration) as e:
                    raise Broken(f"{path}:{nr}: not a line of results: "
                                 f"{type(e).__name__}: {e}") from e
    except (OSError, UnicodeDecodeError) as e:
        raise Broken(f"{path}: {e}") from e
    return part


def read(path):
    """The parts of a folder (of those of @order first), or of one file."""
    if os.path.isdir(path):
        return [read_part(p)
                for p in sorted(glob.glob(os.path.join(path, "*.jsonl")))]
    return [read_part(path)]


def is_whole(path):
    """Has this file all that its part can tell?"""
    try:
        return os.path.exists(path) and read_part(path).is_whole()
    except Broken:
        return False


def comparisons(parts):
    return [c for part in parts for row in part.rows.values()
            for c in row.peers()]


def behind(parts):
    """Of each row where burrow is behind the peer it is furthest behind."""
    worst = {}
    for c in comparisons(parts):
        if c.verdict == BEHIND:
            was = worst.setdefault(id(c.row), c)
            worst[id(c.row)] = max(was, c, key=lambda cost: cost.median)
    return sorted(worst.values(), key=lambda c: -c.median)


def tally(costs):
    """verdict -> how many"""
    counts = {v: 0 for v in (AHEAD, EVEN, BEHIND, OPEN)}
    for c in costs:
        counts[c.verdict] += 1
    return counts


def number(x):
    """Three digits that count, and no e+05."""
    if abs(x) >= 100000 and x == int(x):
        return f"{int(x):,}"
    digits = 0 if abs(x) >= 100 else 1 if abs(x) >= 10 else 2
    return f"{x:,.{digits}f}" if abs(x) >= 0.1 or not x else f"{x:.3g}"


def machine(parts):
    """The last head there is, and the least and the most load of all."""
    heads = [h["machine"] for part in parts for h in part.heads]
    if not heads:
        return None
    last = dict(max(heads, key=lambda m: m.get("time", "")))
    loads = [h["load"][0] for h in heads if h.get("load")]
    loads += [p.end["load"][0] for p in parts if p.end and p.end.get("load")]
    last["loads"] = (min(loads), max(loads)) if loads else None
    last["peers"] = sorted({line for h in heads for line in h.get("peers", [])})
    last["packages"] = sorted({name for p in parts if p.end
                               for name in p.end.get("packages", [])})
    return last
