"""What plugs into nbgrader: two steps of its release, and one that takes the place of its own.

In `GenerateAssignment.preprocessors`, `LinkBook` comes before cells are saved, and
`ReleasePublicCases` last. `RestoreCells` stands for OverwriteCells in
`Autograde.sanitize_preprocessors`, `autograder.grading.judge.Judge` for Execute and `SaveGrades`
for SaveAutoGrades in `Autograde.autograde_preprocessors`. A course's nbgrader_config.py names them.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from nbconvert.exporters.exporter import ResourcesDict
from nbformat.notebooknode import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor, OverwriteCells, SaveAutoGrades
from nbgrader.utils import is_grade, is_solution
from traitlets import Unicode

from autograder.check import PUBLIC_SUFFIX
from autograder.grading.doctor import unanswered
from autograder.questions import load_checks, public_data
from autograder.settings import load_settings

LOCAL = re.compile(r"https?://(localhost|127\.\d+\.\d+\.\d+|0\.0\.0\.0|\[::1?\])(?![\w.-])(:\d+)?")
VERDICT_MIME = "application/vnd.autograder.verdict+json"


def is_judged(cell: NotebookNode) -> bool:
    """Whether a cell is graded by machine; answers that people grade are solution cells too."""
    return cell.cell_type == "code" and is_grade(cell) and not is_solution(cell)


def checks_path(folder: str, resources: ResourcesDict) -> Path:
    """The file with an assignment's checks; nbgrader works in the course's root folder."""
    return Path(folder) / f"{resources['nbgrader']['assignment']}.py"


class LinkBook(NbGraderPreprocessor):
    """Gives links into the book its address: `course:book/page.html` stands in the sources."""

    def preprocess(
        self, nb: NotebookNode, resources: ResourcesDict
    ) -> tuple[NotebookNode, ResourcesDict]:
        self._book = load_settings(Path.cwd()).book
        return super().preprocess(nb, resources)

    def preprocess_cell(
        self, cell: NotebookNode, resources: ResourcesDict, cell_index: int
    ) -> tuple[NotebookNode, ResourcesDict]:
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace("](course:", f"]({self._book}/")
        return cell, resources


class ReleasePublicCases(NbGraderPreprocessor):
    """Writes the public cases beside the notebook, and compares its cells with the checks."""

    checks_directory = Unicode(
        "checks", help="Folder of the assignments' checks, relative to the course's root."
    ).tag(config=True)

    def preprocess(
        self, nb: NotebookNode, resources: ResourcesDict
    ) -> tuple[NotebookNode, ResourcesDict]:
        checks = load_checks(checks_path(self.checks_directory, resources))
        cells = {cell.metadata.nbgrader.grade_id: cell for cell in nb.cells if is_judged(cell)}
        for name in cells.keys() - checks.keys():
            raise ValueError(f"Graded cell {name!r} has no check of that name.")
        for name, cell in cells.items():
            if float(cell.metadata.nbgrader.points) != checks[name].points:
                raise ValueError(
                    f"Cell {name!r} is worth {cell.metadata.nbgrader.points} points, its check "
                    f"{checks[name].points:g}. Make them the same."
                )
        data = public_data(check for name, check in checks.items() if name in cells)
        # Without blanks, because each student hands it in again.
        text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"
        shown = [cell.source for cell in nb.cells if cell.cell_type == "markdown"]
        if local := LOCAL.search("\n".join([*shown, text])):
            self.log.warning(
                "Links of this set lead to %s, which is each student's own machine; write where"
                " they read the book into course.toml, and generate the set again.",
                local[0],
            )
        outputs = resources.setdefault("outputs", {})
        outputs[resources["nbgrader"]["notebook"] + PUBLIC_SUFFIX] = text.encode()
        return nb, resources


class RestoreCells(OverwriteCells):
    """nbgrader's OverwriteCells, which puts back all that a student changed.

    nbgrader believes what a submission says of its cells: one that says that it is not graded is
    not, and a copied one loses its id, on which it then fails. Here every cell's marks come from
    the gradebook, a copied cell becomes an ordinary one, as does a cell with marks that are none,
    and graded cells that were deleted come back.
    """

    add_missing_cells = True

    def preprocess(
        self, nb: NotebookNode, resources: ResourcesDict
    ) -> tuple[NotebookNode, ResourcesDict]:
        known = self._marks(resources["nbgrader"])
        for cell in reversed(nb.cells):  # of copies the last counts, as in nbgrader
            given = cell.metadata.pop("nbgrader", None)
            name = given.get("grade_id") if isinstance(given, dict) else None
            if isinstance(name, str) and name in known:
                cell.metadata.nbgrader = NotebookNode(known.pop(name))
        return super().preprocess(nb, resources)

    def _marks(self, names: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """The metadata of every cell that the gradebook knows."""
        with Gradebook(names["db_url"]) as gradebook:
            notebook = gradebook.find_notebook(names["notebook"], names["assignment"])
            points = {cell.name: float(cell.max_score) for cell in notebook.grade_cells}
            tasks = {cell.name: float(cell.max_score) for cell in notebook.task_cells}
            solutions = {cell.name for cell in notebook.solution_cells}
            known = {}
            for cell in notebook.source_cells:
                name = cell.name
                known[name] = {
                    "grade_id": name,
                    "grade": name in points,
                    "solution": name in solutions,
                    "task": name in tasks,
                    "locked": bool(cell.locked),
                    "cell_type": cell.cell_type,
                    "checksum": cell.checksum,
                    "schema_version": 3,
                }
                if name in points or name in tasks:
                    known[name]["points"] = points.get(name, tasks.get(name))
            return known


class SaveGrades(SaveAutoGrades):
    """nbgrader's SaveAutoGrades, with no 0 for an answer in words that may stand in another cell.

    nbgrader gives 0 to an untouched cell, and nobody is asked. Where the student wrote text cells
    of their own, it waits for a person instead.
    """

    def preprocess(
        self, nb: NotebookNode, resources: ResourcesDict
    ) -> tuple[NotebookNode, ResourcesDict]:
        self._unanswered, _ = unanswered(nb)
        return super().preprocess(nb, resources)

    def _add_score(self, cell: NotebookNode, resources: ResourcesDict) -> None:
        super()._add_score(cell, resources)
        if (name := cell.metadata["nbgrader"]["grade_id"]) in self._unanswered:
            grade = self.gradebook.find_grade(
                name, self.notebook_id, self.assignment_id, self.student_id
            )
            grade.auto_score, grade.needs_manual_grade = None, True
            self.gradebook.db.commit()
