"""The ``points`` directive: a table of all graded tasks, read from the problem sets' notebooks.

    ```{points} exercises/source
    ```

The argument is a folder, relative to the book's root, of folders with one notebook each. A task's
name and minutes come from the heading above it, such as ``## Task 1. Forward KL (15 minutes, 4
points)``; its points, and who grades it, from nbgrader's metadata.
"""

import json
import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

HEADING = re.compile(r"^## (?P<task>.+?)(?: \((?P<minutes>\d+) minutes\b.*\))?$", re.MULTILINE)


def graded_tasks(notebook: Path) -> list[tuple[str, str, float, str]]:
    """Of each graded cell: the task, its minutes, its points, and who grades it."""
    rows, heading = [], None
    for cell in json.loads(notebook.read_text(encoding="utf8"))["cells"]:
        if cell["cell_type"] == "markdown":
            heading = HEADING.search("".join(cell["source"])) or heading
        mark = cell["metadata"].get("nbgrader", {})
        if mark.get("grade"):
            task, minutes = heading.groups() if heading else (mark["grade_id"], None)
            by = "a person" if mark["solution"] or mark.get("task") else "machine"
            rows.append((task, minutes or "", float(mark["points"]), by))
    return rows


class Points(SphinxDirective):
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        notebooks = sorted((Path(self.env.srcdir) / self.arguments[0]).glob("*/*.ipynb"))
        if not notebooks:
            raise self.error(f"points: no notebooks in {self.arguments[0]}/*/")
        lines = ["| task | minutes | points | graded by |", "| --- | --- | --- | --- |"]
        for notebook in notebooks:
            self.env.note_dependency(str(notebook))
            tasks = graded_tasks(notebook)
            total = sum(points for _, _, points, _ in tasks)
            minutes = sum(int(minutes or 0) for minutes in {t: m for t, m, _, _ in tasks}.values())
            lines.append(f"| **Set** `{notebook.stem}` | **{minutes}** | **{total:g}** | |")
            for task, minutes, points, by in tasks:
                lines.append(f"| {task} | {minutes} | {points:g} | {by} |")
        return self.parse_text_to_nodes("\n".join(lines))


def setup(app: Sphinx) -> dict:
    app.add_directive("points", Points)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
