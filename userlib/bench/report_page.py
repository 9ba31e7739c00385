# SPDX-License-Identifier: MIT
"""report_page: the results as one page that needs nothing else (report.py).

On top is where burrow is behind; then the parts, each with its curves and its rows.
All that comes from results is escaped. The page is whole without its script, which
only switches light and dark, filters rows and copies commands.
"""
from html import escape
import os
import sys

from parts import BY_NAME
from report_plot import Log, bar, lines, scale
from report_text import busy
from results import (AHEAD, BEHIND, EVEN, OPEN, behind, comparisons, machine,
                     number, tally)

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "..", "..", "selftests", "bench"))
import buys  # noqa: E402

WORDS = {AHEAD: "ahead", EVEN: "even", BEHIND: "behind", OPEN: "one round"}


def e(text):
    return escape(str(text))


def beside(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as f:
        return f.read()


class Styles(dict):
    """A number for each name: whoever is one colour in one plot is so in all."""

    def __missing__(self, name):
        self[name] = len(self)
        return self[name]


def command(text):
    return (f'<span class="command"><code>{e(text)}</code>'
            f'<button type="button" class="copy" hidden>copy</button></span>')


def anchor(row):
    return "row-" + "".join(c if c.isalnum() else "-" for c in
                            f"{row.part}-{row.row}-{row.figure}")


def tiles(costs):
    n = tally(costs)
    cells = [(n[AHEAD], "ahead", AHEAD), (n[EVEN], "even", EVEN),
             (n[BEHIND], "behind", BEHIND)]
    if n[OPEN]:
        cells.append((n[OPEN], "one round only", OPEN))
    return '<ul class="tiles">' + "".join(
        f'<li class="{kind}"><b>{nr}</b> {word}</li>'
        for nr, word, kind in cells) + "</ul>"


def of_machine(m):
    rows = [("machine", f"{m.get('cpu')}, {m.get('cpus')} CPUs, "
                        f"{m.get('memory')}"),
            ("kernel", f"Linux {m.get('kernel')}, {m.get('machine')}"),
            ("burrow", m.get("burrow")), ("measured", m.get("time"))]
    rows += [tuple(peer.partition(": ")[::2]) for peer in m["peers"]]
    note = ""
    if m["loads"]:
        least, most = m["loads"]
        rows.append(("load", f"{least:.1f} to {most:.1f}"))
        text = busy(most, m.get("cpus"))
        if text:
            note = f'<p class="note"><b>Load {most:.0f}</b>{e(text)}.</p>'
    cells = "".join(f"<div><dt>{e(a)}</dt><dd>{e(b)}</dd></div>"
                    for a, b in rows)
    if m["packages"]:
        cells += ('<div class="wide"><dt>packages</dt>'
                  f'<dd>{e(", ".join(m["packages"]))}</dd></div>')
    return f'{note}<dl class="machine">{cells}</dl>'


def of_behind(parts):
    rows = behind(parts)
    head = ('<section id="behind"><h2>Where burrow is behind</h2>' +
            tiles(comparisons(parts)))
    if not rows:
        return head + "<p>Nowhere, by what was measured.</p></section>"
    log = Log([x for c in rows for x in (c.low, c.high)])
    lines_ = "".join(
        f'<tr><td class="what"><a href="#{anchor(c.row)}">{e(c.row.part)} '
        f'{e(c.row.title())}</a></td><td class="who" title="{e(c.name)}">{e(c.name)}</td>'
        f'<td class="plot">{bar(log, c)}</td>'
        f'<td class="ratio">{e(c.text())}</td>'
        f'<td class="how">{command(c.row.command())}</td></tr>' for c in rows)
    return (head + '<p>Each row in which the middle half of the rounds says '
            'that burrow takes more than a peer, beside the peer that is '
            'furthest ahead.</p>'
            '<table class="rows"><thead><tr><th>row</th><th>peer</th>'
            f'<th class="plot">{scale(log)}</th><th>times the peer</th>'
            f'<th>command</th></tr></thead><tbody>{lines_}</tbody></table>'
            '</section>')


def of_cost(row, name, costs, log):
    figure = (f'<td class="who" title="{e(name)}">{e(name)}</td><td class="figure">'
              f'{number(row.median(name))} <small>±{row.spread(name):.0f}%'
              f'</small></td>')
    cost = costs.get(name)
    if not cost:
        return figure + ('<td class="plot"></td><td class="ratio"></td>'
                         '<td class="verdict"></td>')
    verdict = "" if name in row.references else \
        f'<b class="{cost.verdict}">{WORDS[cost.verdict]}</b>'
    goal = row.goal.get(name)
    if goal:
        verdict += f' <small>goal {goal["ratio"]:g}: ' \
                   f'{e(goal["verdict"])}</small>'
    return (figure + f'<td class="plot">{bar(log, cost)}</td>'
            f'<td class="ratio">{e(cost.text())}</td>'
            f'<td class="verdict">{verdict}</td>')


def of_row(row, log):
    costs = {c.name: c for c in row.costs}
    names = list(row.values)
    is_behind = any(c.verdict == BEHIND for c in row.peers())
    more = " <small>(more is better)</small>" if row.better == "more" else ""
    body = (f'<tr class="ours"><td class="what" rowspan="{len(names)}">'
            f'<b>{e(row.row)}</b><br>{e(row.figure)}, {e(row.unit)}{more}'
            f'<br>{command(row.command())}</td>'
            f'{of_cost(row, row.ours, costs, log)}</tr>')
    body += "".join(f"<tr>{of_cost(row, name, costs, log)}</tr>"
                    for name in names[1:])
    return (f'<tbody id="{anchor(row)}" data-behind="{int(is_behind)}">'
            f'{body}</tbody>')


def of_rows(rows):
    if not rows:
        return ""
    log = Log([x for row in rows for c in row.costs for x in (c.low, c.high)])
    return ('<table class="rows"><thead><tr><th>row</th><th>who</th>'
            '<th>median, spread</th>'
            f'<th class="plot">{scale(log)}</th>'
            '<th>burrow / peer</th><th></th></tr></thead>' +
            "".join(of_row(row, log) for row in rows) + "</table>")


def figure(picture, title, how, table):
    return (f'<figure><figcaption><b>{e(title)}</b> {command(how)}'
            f'</figcaption><div class="wide">{picture}</div>'
            f'<details><summary>The figures</summary><div class="wide">{table}'
            '</div></details></figure>')


def table(head, rows):
    cells = "".join(f"<th>{e(h)}</th>" for h in head)
    body = "".join("<tr>" + "".join(f"<td>{e(c)}</td>" for c in row) + "</tr>"
                   for row in rows)
    return f'<table class="plain"><tr>{cells}</tr>{body}</table>'


def of_curves(rows, styles):
    """Rows that are points of a curve: one for each curve and figure."""
    curves = {}
    for row in rows:
        if row.axis:
            curves.setdefault((row.axis[0], row.figure), []).append(row)
    out = []
    for (name, what), rows_ in curves.items():
        rows_.sort(key=lambda row: row.axis[2])
        names = {n: None for row in rows_ for n in row.values}
        points = {n: [(row.axis[2], row.median(n)) for row in rows_
                      if n in row.values] for n in names}
        ends = {n: [(row.axis[2], *row_ends(row, n)) for row in rows_
                    if n in row.values] for n in names}
        title = f"{name}: {what}"
        picture = lines(points, styles, (rows_[0].axis[1],
                                         f"{what}, {rows_[0].unit}"),
                        (True, True), title, ends)
        figures = table(
            [rows_[0].axis[1], *names],
            [[number(row.axis[2])] +
             [f"{number(row.median(n))} ±{row.spread(n):.0f}%"
              if n in row.values else "" for n in names] for row in rows_])
        how = f"make bench ONLY={rows_[0].part} ROW='" + \
              " ".join(row.ask for row in rows_) + "'"
        out.append(figure(picture, title, how, figures))
    return out


def row_ends(row, name):
    values = sorted(row.values[name])
    quarter = len(values) // 4
    return values[quarter], values[-1 - quarter]


def slower(points):
    """[(x, the part of all that took longer than x)]"""
    points = sorted(points)
    left = total = sum(n for _, n in points) or 1
    out = []
    for x, n in points:
        out.append((x, left / total))
        left -= n
    return out


def percentile(points, part):
    """Where all but @part of them are."""
    points = sorted(points)
    total, seen = sum(n for _, n in points), 0
    for x, n in points:
        seen += n
        if seen >= total * (1 - part):
            return x
    return points[-1][0] if points else 0


def of_plot(plot, styles):
    if plot.kind == "time":
        picture = lines(plot.points, styles,
                        ("ms since the start", f"{plot.figure}, {plot.unit}"),
                        (False, False), plot.row, marks=False)
        figures = table(["", "peak", "mean", "at the end"], [
            [n, number(max(y for _, y in v)),
             number(sum(y for _, y in v) / len(v)), number(v[-1][1])]
            for n, v in plot.points.items() if v])
    else:
        points = {n: slower(v) for n, v in plot.points.items()}
        picture = lines(points, styles, (f"{plot.figure}, {plot.unit}",
                                         "part that took longer"),
                        (True, True), plot.row, marks=False)
        parts = (0.5, 0.1, 0.01, 1e-3, 1e-4, 1e-5, 0)
        figures = table(["", "50%", "90%", "99%", "99.9%", "99.99%", "99.999%",
                         "longest"],
                        [[n] + [number(percentile(v, p)) for p in parts]
                         for n, v in plot.points.items() if v])
    return figure(picture, f"{plot.row}: {plot.figure}", plot.command(), figures)


def of_buys(part):
    """Tables of what the module buys, where the part has such rows."""
    return "".join(
        f'<h3>{e(title)}</h3><div class="wide">' +
        table(head, [[cell.replace("**", "") for cell in row] for row in rows])
        + "</div>" for title, head, rows in buys.tables(part.lines))


def of_part(part, styles):
    rows = list(part.rows.values())
    says = BY_NAME[part.name].says if part.name in BY_NAME else ""
    out = [f'<section id="part-{e(part.name)}"><h2>{e(part.name)}</h2>'
           f"<p>{e(says)}</p>", tiles(comparisons([part]))]
    if not part.is_whole():
        out.append(f'<p class="note"><b>Not whole.</b> {e(part.cause())}</p>')
    if part.end and part.end.get("command"):
        out.append(f'<p>{command(part.end["command"])}</p>')
    out.append(of_buys(part))
    pictures = of_curves(rows, styles)
    pictures += [of_plot(plot, styles) for plot in part.plots.values()]
    if pictures:
        out.append('<div class="figures">' + "".join(pictures) + "</div>")
    out.append(of_rows(rows))
    return "".join(out) + "</section>"


def page(parts):
    styles, m = Styles(burrow=0), machine(parts)
    nav = "".join(f'<a href="#part-{e(p.name)}">{e(p.name)}</a>' for p in parts)
    body = "".join(of_part(part, styles) for part in parts)
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>burrow beside its peers</title>
<style>{beside("report.css")}</style></head><body>
<header><div><h1>burrow beside its peers</h1>
<p>A ratio is what burrow takes in units of the peer: <b>left of 1 it needs
less</b>, right of 1 more. The bar ends at the median of the rounds' ratios; the
whisker is their middle half. Where that has 1 in it, it says <i>even</i>.</p></div>
<button type="button" id="theme" hidden>dark</button></header>
<main>{of_machine(m) if m else ""}{of_behind(parts)}
<nav aria-label="parts">{nav}
<span id="filter" hidden><label><input type="search" id="find"
placeholder="rows with ..." aria-label="show rows with these words"></label>
<label><input type="checkbox" id="only"> only where behind</label></span></nav>
{body}</main>
<script>{beside("report.js")}</script></body></html>
"""
