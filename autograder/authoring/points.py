"""What a set's text says of points, compared with what its cells are worth."""

from __future__ import annotations

import re
from collections.abc import Iterable

from nbformat import NotebookNode

HEADING = re.compile(r"#+ (?P<title>.*?) *\((?:[^()]*, )?(?P<points>\d+(?:\.\d+)?) points?\)\s*")
IN_ALL = re.compile(r"\b(\d+(?:\.\d+)?) points in all\b")
TABLE = re.compile(r"\|.*\| *points *\|\s*", re.IGNORECASE)
ROW = re.compile(r"\|.*\| *(\d+(?:\.\d+)?) *\|\s*")


def misstated(cells: Iterable[NotebookNode]) -> list[str]:
    """Where headings, a table of the tasks or a sum differ from the cells' points, a sentence each.

    Args:
        cells: The notebook's cells.
    """
    tasks: list[tuple[str, float, float]] = []  # title, points in the heading, points of its cells
    rows: list[float] = []
    sums: list[float] = []
    total = 0.0
    for cell in cells:
        if cell.cell_type == "markdown":
            in_table = False
            for line in cell.source.splitlines():
                sums += map(float, IN_ALL.findall(line))
                if heading := HEADING.fullmatch(line):
                    tasks.append((heading["title"], float(heading["points"]), 0.0))
                if TABLE.fullmatch(line):
                    in_table = True
                elif in_table and (row := ROW.fullmatch(line)):
                    rows.append(float(row[1]))
                elif not line.startswith("|"):
                    in_table = False
        marks = cell.metadata.get("nbgrader", {})
        if marks.get("grade") or marks.get("task"):
            points = float(marks.get("points", 0))
            total += points
            if tasks:
                title, said, worth = tasks[-1]
                tasks[-1] = title, said, worth + points
    found = [
        f"The heading of {title} says {said:g} points, and its cells have {worth:g}."
        for title, said, worth in tasks
        if said != worth
    ]
    if len(rows) == len(tasks):
        found += [
            f"The table says {row:g} points for {title}, and its cells have {worth:g}."
            for row, (title, _, worth) in zip(rows, tasks, strict=True)
            if row != worth
        ]
    found += [
        f"The text says {said:g} points in all, and the cells have {total:g}."
        for said in sums
        if said != total
    ]
    return found
