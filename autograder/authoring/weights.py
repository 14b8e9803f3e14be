"""Compares the points that a notebook's text names with those that its cells have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise, takewhile
from typing import Any

from nbformat import NotebookNode

from autograder.nbgrader_internals import is_grade, is_task

HEADING = re.compile(r"#{1,6} .*")
RULE = re.compile(r":?-+:?")  # in a table, below a column's heading
POINTS = re.compile(r"(\d+(?:\.\d+)?) points?\b")
IN_ALL = re.compile(r"(\d+(?:\.\d+)?) points in all\b")


def told_otherwise(cells: Iterable[NotebookNode]) -> Iterator[str]:
    """Where a heading, the table of tasks or the sum names other points than the cells have.

    Args:
        cells: A source notebook's cells.

    Yields:
        A sentence for each place.
    """
    tasks: list[tuple[str, float]] = []  # the headings that name points, and what they name
    worth: list[float] = []
    table: list[float] = []
    in_all, total, under, is_first, level = [], 0.0, False, False, 0
    for cell in cells:
        if is_grade(cell) or is_task(cell):
            points = float(cell.metadata.nbgrader.points)
            total += points
            if under:
                worth[-1] += points
        elif cell.cell_type == "markdown":
            for line in cell.source.splitlines():
                if HEADING.match(line):
                    named = POINTS.findall(line)
                    depth = len(line) - len(line.lstrip("#"))
                    if not named and depth <= level:  # a deeper one belongs to the task above
                        under = False
                    if named:
                        under, level = True, depth
                        tasks.append((line.lstrip("# "), float(named[-1])))
                        worth.append(0.0)
            in_all += [float(each) for each in IN_ALL.findall(cell.source)]
            if not table:
                table, is_first = _column(cell.source), not tasks
    for (heading, named), points in zip(tasks, worth, strict=True):
        if points and named != points:
            yield f"The heading {heading!r} says {named:g}, and its cells have {points:g} points."
    if len(table) == len(worth) and table != worth:
        rows = " and ".join(str(i) for i, points in enumerate(worth, 1) if table[i - 1] != points)
        yield f"The table of tasks has other points than the cells in row {rows}."
    with_points = sum(map(bool, worth))
    if is_first and 0 < len(table) < with_points and sum(table) != total:
        yield (
            f"The table of tasks has points in {len(table)} of its rows, and {with_points} tasks"
            " have points."
        )
    for named in in_all:
        if total and named != total:
            yield f"The text says {named:g} points in all, and the cells have {total:g}."


def differences(checks: Mapping[str, Any], points: Mapping[str, float]) -> Iterator[str]:
    """Yields a sentence for each graded cell that has no check, or a check with other points."""
    for name, worth in points.items():
        if name not in checks:
            yield f"The graded cell {name!r} has no check of that name."
        elif float(worth) != checks[name].points:
            yield (
                f"The cell {name!r} is worth {float(worth):g} points, its check"
                f" {checks[name].points:g}. Make them the same."
            )


def _column(source: str) -> list[float]:
    """The numbers in the last column of the first table whose heading there is "points"."""
    lines = source.splitlines()
    last = [line.strip().strip("|").split("|")[-1].strip() for line in lines]
    for at, (heading, below) in enumerate(pairwise(last)):
        if heading.lower() == "points" and RULE.fullmatch(below) and "|" in lines[at]:
            rows = takewhile(lambda row: "|" in lines[row], range(at + 2, len(lines)))
            found = [last[row] for row in rows]
            return [float(each) for each in found if re.fullmatch(r"\d+(\.\d+)?", each)]
    return []
