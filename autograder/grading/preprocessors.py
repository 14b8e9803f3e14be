"""Steps that plug into nbgrader: two for its release, and two that replace steps of its grading.

In `GenerateAssignment.preprocessors`, `LinkBook` comes before cells are saved, and
`ReleasePublicCases` last. In `Autograde.sanitize_preprocessors`, `RestoreCells` replaces
OverwriteCells; in `Autograde.autograde_preprocessors`, `execution.judge.Judge` replaces Execute and
`SaveGrades` replaces SaveAutoGrades. A course's nbgrader_config.py names them.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from nbconvert.exporters.exporter import ResourcesDict
from nbformat.notebooknode import NotebookNode
from nbgrader.api import Gradebook
from traitlets import Unicode

from autograder.authoring.weights import differences
from autograder.cells import is_judged, marks, unanswered
from autograder.check import PUBLIC_SUFFIX
from autograder.nbgrader_internals import NbGraderPreprocessor, OverwriteCells, SaveAutoGrades
from autograder.questions import load_checks, public_data
from autograder.settings import load_settings

LOCAL = re.compile(r"https?://(localhost|127\.\d+\.\d+\.\d+|0\.0\.0\.0|\[::1?\])(?![\w.-])(:\d+)?")


def checks_path(folder: str, resources: ResourcesDict) -> Path:
    """An assignment's file of checks; `folder` may be relative, as nbgrader runs in the root."""
    return Path(folder) / f"{resources['nbgrader']['assignment']}.py"


class LinkBook(NbGraderPreprocessor):
    """Replaces `course:` in links such as `course:book/page.html` with the book's address."""

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
        points = {name: cell.metadata.nbgrader.points for name, cell in cells.items()}
        for problem in differences(checks, points):
            raise ValueError(problem)
        data = public_data(check for name, check in checks.items() if name in cells)
        # Without spaces: each student hands this file in again.
        text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"
        shown = [cell.source for cell in nb.cells if cell.cell_type == "markdown"]
        if local := LOCAL.search("\n".join([*shown, text])):
            self.log.warning(
                "Links of this set lead to %s, which is each student's own machine; write where"
                " they read the book into course.toml, and generate the set again, with --force.",
                local[0],
            )
        outputs = resources.setdefault("outputs", {})
        outputs[resources["nbgrader"]["notebook"] + PUBLIC_SUFFIX] = text.encode()
        return nb, resources


class RestoreCells(OverwriteCells):
    """nbgrader's OverwriteCells, which also takes the marks of all cells from the gradebook.

    nbgrader's own step believes a submission's marks: a cell that claims not to be graded is not
    graded, and a copied cell loses its id, so that nbgrader fails. Here all marks come from the
    gradebook; copies of a cell, and cells with unknown marks, become ordinary cells; and graded
    cells that were deleted come back.
    """

    add_missing_cells = True

    def preprocess(
        self, nb: NotebookNode, resources: ResourcesDict
    ) -> tuple[NotebookNode, ResourcesDict]:
        names = resources["nbgrader"]
        with Gradebook(names["db_url"]) as gradebook:
            known = marks(gradebook.find_notebook(names["notebook"], names["assignment"]))
        for cell in reversed(nb.cells):  # of several copies the last counts, as in nbgrader
            given = cell.metadata.pop("nbgrader", None)
            name = given.get("grade_id") if isinstance(given, dict) else None
            if isinstance(name, str) and name in known:
                cell.metadata.nbgrader = NotebookNode(known.pop(name))
        return super().preprocess(nb, resources)


class SaveGrades(SaveAutoGrades):
    """nbgrader's SaveAutoGrades, with no 0 for an answer in words that may stand in another cell.

    nbgrader gives an untouched cell 0 points, and nobody looks at it. Where the student wrote text
    cells of their own, an untouched answer in words waits for a person instead.
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
