# SPDX-License-Identifier: MIT
"""report_text: the results as plain text, for a terminal (report.py)."""
import math
import textwrap

from parts import BY_NAME
from results import (AHEAD, BEHIND, EVEN, OPEN, behind, comparisons, machine,
                     number, tally)

LINE = 100
WIDTH = 33		# of a bar, of which the middle is 1
REACH = 3		# octaves to each side
MOST = 20		# of what is behind; the page has all


def column(ratio):
    at = (WIDTH - 1) / 2 * (1 + math.log2(ratio) / REACH) if ratio > 0 else 0
    return min(max(round(at), 0), WIDTH - 1)


def bar(cost):
    """   |  [--o-]  : where the ratio is, and the middle half around it."""
    cells = [" "] * WIDTH
    cells[WIDTH // 2] = ":"
    low, high = column(cost.low), column(cost.high)
    for i in range(low, high + 1):
        cells[i] = "-"
    cells[column(cost.median)] = "o"
    return "|" + "".join(cells) + "|"


def scale():
    text = [" "] * (WIDTH + 2)
    for octave in range(-REACH, REACH + 1):
        label = f"1/{2 ** -octave}" if octave < 0 else str(2 ** octave)
        at = 1 + column(2.0 ** octave)
        at = min(max(at - len(label) // 2, 0), len(text) - len(label))
        text[at:at + len(label)] = label
    return "".join(text)


def counts(costs):
    n = tally(costs)
    text = f"ahead {n[AHEAD]}, even {n[EVEN]}, behind {n[BEHIND]}"
    return text + (f", one round only {n[OPEN]}" if n[OPEN] else "")


def of_machine(m):
    lines = [f"machine   {m.get('cpu')}, {m.get('cpus')} CPUs, "
             f"{m.get('memory')}, Linux {m.get('kernel')}",
             f"burrow    {m.get('burrow')}, {m.get('time')}"]
    lines += [f"peer      {peer}" for peer in m["peers"]]
    if m["packages"]:
        lines += textwrap.wrap("packages  " + ", ".join(m["packages"]), LINE,
                               subsequent_indent=" " * 10)
    if m["loads"]:
        least, most = m["loads"]
        lines += textwrap.wrap(f"load      {least:.1f} to {most:.1f}" +
                               busy(most, m.get("cpus")), LINE,
                               subsequent_indent=" " * 10)
    return lines


def busy(load, cpus):
    """What a load means for what is told; a run alone keeps about one CPU busy."""
    if not cpus or load <= cpus + 1:
        return ""
    return (": the machine had other work, so wall times say more of it than of "
            "anybody here; CPU times, instructions and memory compare")


def of_behind(parts):
    rows = behind(parts)
    lines = [f"Where burrow is behind ({counts(comparisons(parts))})", ""]
    if not rows:
        return lines + ["  nowhere, by what was measured"]
    for c in rows[:MOST]:
        lines += [f"  {c.text():24} of {c.name:10} {c.row.part} "
                  f"{c.row.title()}"]
    if len(rows) > MOST:
        lines.append(f"  ... and {len(rows) - MOST} more: the page has them")
    return lines


def of_row(row):
    lines = [f"  {row.title()}, {row.unit}"
             f"{' (more is better)' if row.better == 'more' else ''}: "
             f"{row.ours} {number(row.median(row.ours))} "
             f"±{row.spread(row.ours):.0f}%"]
    costs = {c.name: c for c in row.costs}
    for name in list(row.values)[1:]:
        text = f"    {name:11} {number(row.median(name)):>10} " \
               f"±{row.spread(name):<3.0f}"
        if name in costs:
            c = costs[name]
            text += f" {bar(c)} {c.text():24} " + \
                    ("" if name in row.references else c.verdict)
            goal = row.goal.get(name)
            if goal:
                text += f"; goal {goal['ratio']:g}: {goal['verdict']}"
        lines.append(text.rstrip())
    return lines


def of_plot(plot):
    """The page has the picture; its ends are told here, too."""
    what, at = ("longest", 0) if plot.kind == "tail" else ("most", 1)
    text = ", ".join(f"{name} {number(max(point[at] for point in v))}"
                     for name, v in plot.points.items() if v)
    return f"  {plot.row}, {plot.figure}, {what}, {plot.unit}: {text}"


def of_part(part):
    says = BY_NAME[part.name].says if part.name in BY_NAME else ""
    costs = comparisons([part])
    lines = textwrap.wrap(f"{part.name}: {says}", LINE) + [f"  {counts(costs)}"]
    if not part.is_whole():
        lines.append(f"  NOT WHOLE: {part.cause()}")
    if part.rows:
        lines += ["", " " * 33 + scale()]
    for row in part.rows.values():
        lines += of_row(row)
    lines += [of_plot(plot) for plot in part.plots.values()]
    if part.end and part.end.get("command"):
        lines += ["", f"  {part.end['command']}"]
    return lines


def text(parts):
    lines = ["burrow beside its peers", ""]
    m = machine(parts)
    if not m:
        return "nothing was measured\n"
    lines += of_machine(m)
    lines += ["", "A ratio is what burrow takes in units of the peer: below 1 it "
              "needs less. In parentheses and as", "--- the middle half of the "
              "rounds; where that has 1 in it there is no ratio, but 'even'."]
    lines += [""] + of_behind(parts)
    for part in parts:
        lines += [""] + of_part(part)
    return "\n".join(lines) + "\n"
