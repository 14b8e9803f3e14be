"""The ``attacks`` directive: what hostile and honest notebooks came to, from a recorded run.

    ```{attacks} book/instructors/attacks.json
    ```

The argument is a file that ``benchmarks/attacks.py --record`` wrote, relative to the book's root.
"""

import json
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


def table(numbers: dict) -> list[str]:
    """The lines of a table, and a sentence on what stock nbgrader was not given."""
    lines = [
        f"| class | notebooks | here | nbgrader {numbers['nbgrader']} |",
        "| --- | --- | --- | --- |",
    ]
    for row in numbers["classes"]:
        run = row["notebooks"] - row["not_run"]
        what = "harmed" if row["class"] == "controls" else "won"
        lines.append(
            f"| {row['class']} | {row['notebooks']} | {row['ours']} {what} "
            f"| {row['stock']} of {run} {what} |"
        )
    left = sum(row["not_run"] for row in numbers["classes"])
    return [
        *lines,
        "",
        f"{left} attacks would take down the machine under stock nbgrader, so they were not run "
        f"there. In these runs, no process of the grader had more than {numbers['memory_mib']} MiB "
        f"of memory, and the largest record of a grading, a JSON file, has "
        f"{numbers['record_mib']} MiB.",
    ]


class Attacks(SphinxDirective):
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        path = Path(self.env.srcdir) / self.arguments[0]
        self.env.note_dependency(str(path))
        numbers = json.loads(path.read_text(encoding="utf-8"))
        return self.parse_text_to_nodes("\n".join(table(numbers)))


def setup(app: Sphinx) -> dict:
    app.add_directive("attacks", Attacks)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
