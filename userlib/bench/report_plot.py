# SPDX-License-Identifier: MIT
"""report_plot: the pictures of the page (report_page.py), as SVG.

Two kinds. A *bar* is a ratio on a log axis, a line high and as wide as its cell: all
its places are in percent. *lines* are curves in a frame, with axes that are log or
not. Nothing is told by colour alone: bars have their figures beside them, lines have
dashes and marks of their own and a table below.
"""
from html import escape
import math

# with room for letters 18 high, as they are in a narrow window (report.css)
W, H = 620, 326
LEFT, RIGHT, TOP, BOTTOM = 74, 92, 34, 50
NAMES_APART = 20
MARKS = "osdt^x"	# circle, square, diamond, triangles, cross
DASHES = ("", "7 4", "2 3", "9 3 2 3", "12 4", "4 2")


class Log:
    """Of ratios: 1 has a place, and both sides are as wide as it takes."""

    def __init__(self, values):
        logs = [abs(math.log2(v)) for v in values if 0 < v < math.inf]
        self.reach = min(max(math.ceil(max(logs, default=1)), 1), 7)

    def at(self, ratio):
        """Percent; what is beyond stands at the end."""
        if ratio <= 0:
            return 1.0
        x = 50 + 48 * math.log2(ratio) / self.reach \
            if ratio < math.inf else 99
        return round(min(max(x, 1.0), 99.0), 2)

    def ticks(self):
        step = 1 if self.reach < 4 else 2
        return [i for i in range(-self.reach, self.reach + 1) if not i % step]


def ratio_label(octave):
    return f"1/{2 ** -octave}" if octave < 0 else str(2 ** octave)


def scale(log):
    cells = "".join(
        f'<text x="{log.at(2.0 ** i)}%" y="13" text-anchor="middle">'
        f'{ratio_label(i)}</text>' for i in log.ticks())
    return f'<svg class="bar scale" aria-hidden="true">{cells}</svg>'


def bar(log, cost):
    low, mid, high = (log.at(x) for x in (cost.low, cost.median, cost.high))
    left, width = min(mid, 50), abs(mid - 50)
    grid = "".join(f'<line class="grid" x1="{log.at(2.0 ** i)}%" '
                   f'x2="{log.at(2.0 ** i)}%" y1="0" y2="20"/>'
                   for i in log.ticks())
    ends = "".join(f'<line class="whisker" x1="{x}%" x2="{x}%" y1="6" y2="14"/>'
                   for x in (low, high))
    return (f'<svg class="bar {cost.verdict}" role="img" '
            f'aria-label="{escape(cost.text())}">{grid}'
            f'<line class="one" x1="50%" x2="50%" y1="0" y2="20"/>'
            f'<rect x="{left}%" y="5" width="{width:.2f}%" height="10"/>'
            f'<line class="whisker" x1="{low}%" x2="{high}%" y1="10" y2="10"/>'
            f'{ends}<circle cx="{mid}%" cy="10" r="3.5"/></svg>')


def short(x):
    """A tick: 250, 1.5k, 2M, 0.001."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(x) >= unit:
            return f"{x / unit:.3g}{name}"
    return f"{x:.3g}"


class Axis:
    """From values to places between @start and @end."""

    def __init__(self, values, is_log, start, end):
        self.is_log, self.start, self.end = is_log, start, end
        values = [v for v in values if v > 0 or not is_log]
        low, high = min(values, default=1), max(values, default=1)
        if is_log:
            self.low, self.high = math.log10(low) - 0.1, math.log10(high) + 0.1
        else:
            self.low, self.high = min(0, low), high or 1

    def at(self, v):
        if self.is_log:
            v = math.log10(max(v, 10.0 ** self.low))
        part = (v - self.low) / (self.high - self.low)
        return round(self.start + part * (self.end - self.start), 1)

    def ticks(self):
        if self.is_log:
            step = 1 + int(self.high - self.low) // 8
            within = (1, 2, 5) if self.high - self.low < 2.5 else (1,)
            ticks = [m * 10.0 ** i for m in within for i in
                     range(math.floor(self.low), math.ceil(self.high), step)]
            return [v for v in ticks if self.low <= math.log10(v) <= self.high]
        raw = (self.high - self.low) / 5
        size = 10.0 ** math.floor(math.log10(raw))
        step = next(s * size for s in (1, 2, 5, 10) if s * size >= raw)
        return [i * step for i in range(int(self.high / step) + 1)]


def mark(kind, x, y):
    shapes = {
        "s": f"M{x - 4} {y - 4}h8v8h-8z", "d": f"M{x} {y - 5}l5 5l-5 5l-5 -5z",
        "t": f"M{x} {y - 5}l5 9h-10z", "^": f"M{x} {y + 5}l5 -9h-10z",
        "x": f"M{x - 4} {y - 4}l8 8M{x + 4} {y - 4}l-8 8",
        "o": f"M{x - 4} {y}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z"}
    return f'<path class="mark" d="{shapes[kind]}"/>'


def frame(xs, ys, x_name, y_name):
    parts = []
    for v in xs.ticks():
        x = xs.at(v)
        parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{TOP}" '
                     f'y2="{H - BOTTOM}"/><text x="{x}" y="{H - BOTTOM + 18}" '
                     f'text-anchor="middle">{short(v)}</text>')
    for v in ys.ticks():
        y = ys.at(v)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{W - RIGHT}" '
                     f'y1="{y}" y2="{y}"/><text x="{LEFT - 6}" y="{y + 4}" '
                     f'text-anchor="end">{short(v)}</text>')
    middle = (LEFT + W - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{H - 8}" text-anchor="middle">'
                 f'{escape(x_name)}</text>')
    # above its axis: beside it there are numbers of any length
    parts.append(f'<text x="2" y="17">{escape(y_name)}</text>')
    return "".join(parts)


def spread_out(wanted, gap, low, high):
    """Places near those that are @wanted, (y, x), in their order, @gap apart."""
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i][0],
                                                      -wanted[i][1]))
    places, last = [0.0] * len(wanted), low - gap
    for i in order:
        last = places[i] = max(wanted[i][0], last + gap)
    bound = high
    for i in reversed(order):
        places[i] = min(places[i], bound)
        bound = places[i] - gap
    return places


def lines(points, style, names, logs, title, whiskers=None, marks=True):
    """
    @points: name -> [(x, y)]; @style: name -> its number; @names, @logs: of x and
    y; @whiskers: name -> [(x, low, high)].
    """
    points = {k: v for k, v in points.items() if v}
    ends = [y for v in (whiskers or {}).values() for w in v for y in w[1:]]
    xs = Axis([x for v in points.values() for x, _ in v], logs[0], LEFT,
              W - RIGHT)
    ys = Axis([y for v in points.values() for _, y in v] + ends, logs[1],
              H - BOTTOM, TOP)
    body = [frame(xs, ys, *names)]
    labels = spread_out([(ys.at(v[-1][1]), xs.at(v[-1][0]))
                         for v in points.values()], NAMES_APART, TOP + 4,
                        H - BOTTOM - 8)
    for (name, v), label in zip(points.items(), labels):
        nr = style[name]
        path = "M" + "L".join(f"{xs.at(x)} {ys.at(y)}" for x, y in v)
        body.append(f'<g class="line s{nr % 8}"><path class="path" d="{path}" '
                    f'stroke-dasharray="{DASHES[nr % len(DASHES)]}"/>')
        for x, low, high in (whiskers or {}).get(name, []):
            body.append(f'<path class="whisker" d="M{xs.at(x)} {ys.at(low)}'
                        f'V{ys.at(high)}"/>')
        for x, y in v if marks else v[-1:]:
            body.append(mark(MARKS[nr % len(MARKS)], xs.at(x), ys.at(y)))
        body.append(f'<path class="leader" d="M{xs.at(v[-1][0]) + 5} '
                    f'{ys.at(v[-1][1])}L{W - RIGHT + 10} {label}"/>'
                    f'<text class="name" x="{W - RIGHT + 13}" y="{label + 4}">'
                    f'{escape(name)}</text></g>')
    return (f'<svg class="lines" viewBox="0 0 {W} {H}" role="img" '
            f'aria-label="{escape(title)}">{"".join(body)}</svg>')
