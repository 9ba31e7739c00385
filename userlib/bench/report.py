#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""report.py RESULTS [PAGE.html]: what make bench has measured, told in a terminal
and, with PAGE.html, as a page of its own. RESULTS is a folder of parts, or one part.
"""
import os
import sys

from parts import PARTS
from report_page import page
from report_text import text
import results

ORDER = [part.name for part in PARTS]


def in_order(parts):
    """As make bench runs them; what it does not know comes last."""
    return sorted(parts, key=lambda p: (ORDER.index(p.name)
                                        if p.name in ORDER else len(ORDER)))


def write(path, out=None):
    try:
        parts = in_order(results.read(path))
    except results.Broken as e:
        sys.exit(f"report: {e}")
    if not any(part.rows or part.end for part in parts):
        sys.exit(f"report: {path}: there are no results")
    print(text(parts), end="")
    if out:
        with open(out, "w", encoding="utf-8") as f:
            f.write(page(parts))
        print(f"\nthe page: {os.path.abspath(out)}")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    write(*sys.argv[1:])
