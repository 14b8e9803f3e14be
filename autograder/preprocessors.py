"""What plugs into nbgrader: a step of its release, and two that take the place of its own.

`ReleasePublicCases` comes last in `GenerateAssignment.preprocessors`. `RestoreCells` stands for
OverwriteCells in `Autograde.sanitize_preprocessors`, and `Judge` for Execute in
`Autograde.autograde_preprocessors`. A course's nbgrader_config.py names them.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbconvert.exporters.exporter import ResourcesDict
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_output
from nbgrader.preprocessors import Execute, NbGraderPreprocessor, OverwriteCells
from nbgrader.utils import is_grade, is_solution
from traitlets import Integer, Unicode

from autograder.check import PUBLIC_SUFFIX
from autograder.evidence import MIME, Outcome, Refused, read_evidence
from autograder.spec import Check, generator, load_checks, public_data, question
from autograder.verdict import Rubric, Status, Verdict, judge, raised_status, unjudged

VERDICT_MIME = "application/vnd.autograder.verdict+json"


def is_judged(cell: NotebookNode) -> bool:
    """Whether a cell is graded by machine; answers that people grade are solution cells too."""
    return cell.cell_type == "code" and is_grade(cell) and not is_solution(cell)


def checks_path(folder: str, resources: ResourcesDict) -> Path:
    """The file with an assignment's checks; nbgrader works in the course's root folder."""
    return Path(folder) / f"{resources['nbgrader']['assignment']}.py"


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
        text = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        outputs = resources.setdefault("outputs", {})
        outputs[resources["nbgrader"]["notebook"] + PUBLIC_SUFFIX] = text.encode()
        return nb, resources


class RestoreCells(OverwriteCells):
    """nbgrader's OverwriteCells, which puts back what a student changed, and survives copied cells.

    nbgrader takes the id of a copied cell away and then fails on the cell without one, which costs
    its owner the whole submission. Here the copy becomes an ordinary cell. Graded cells that were
    deleted come back.
    """

    add_missing_cells = True

    def preprocess_cell(
        self, cell: NotebookNode, resources: ResourcesDict, cell_index: int
    ) -> tuple[NotebookNode, ResourcesDict]:
        cell, resources = super().preprocess_cell(cell, resources, cell_index)
        if "grade_id" not in cell.metadata.get("nbgrader", {}):
            cell.metadata.pop("nbgrader", None)
        return cell, resources


class Judge(Execute):
    """Runs a submission, and judges outside the kernel what its graded cells return.

    Each graded cell is sent with a question: public, hidden and random inputs and a nonce. Only the
    evidence that the cell itself publishes, for this nonce, is judged. The cell's outputs are then
    replaced by one result whose text is the points, which is what nbgrader records. That happens
    once the kernel is gone, because a kernel can rewrite the outputs of cells it has already run.

    This class judges; it does not wall the kernel in. Whatever files the grading account can read,
    the checks among them, the submission can read too unless the kernel runs in a sandbox.
    """

    checks_directory = Unicode(
        "checks", help="Folder of the assignments' checks, relative to the course's root."
    ).tag(config=True)

    seed = Integer(
        None,
        allow_none=True,
        help="Seed of the random cases; None draws one for every submission. It is recorded.",
    ).tag(config=True)

    store_widget_state = False
    skip_cells_with_tag = ""  # nothing is skipped: a tag is the student's to set

    def preprocess(
        self, nb: NotebookNode, resources: ResourcesDict
    ) -> tuple[NotebookNode, ResourcesDict]:
        self._checks = load_checks(checks_path(self.checks_directory, resources))
        self._seed = secrets.randbits(53) if self.seed is None else self.seed
        self._gone: str | None = None  # why the kernel can run no more cells
        self._verdicts: dict[int, tuple[Verdict, list[str]]] = {}
        nb, resources = super().preprocess(nb, resources)
        for index, cell in enumerate(nb.cells):
            if is_judged(cell):
                cell.outputs = [self._result(cell, *self._verdicts[index])]
        return nb, resources

    def preprocess_cell(
        self, cell: NotebookNode, resources: ResourcesDict, index: int
    ) -> tuple[NotebookNode, ResourcesDict]:
        if not is_judged(cell):
            self._execute(cell, resources, index)
            return cell, resources

        name = cell.metadata.nbgrader.grade_id
        check = self._checks.get(name)
        if check is None:
            raise ValueError(f"Graded cell {name!r} has no check; generate the assignment again.")
        cases = check.cases(generator(self._seed, check))
        rubric = check.rubric(cases)
        nonce = secrets.token_hex(16)
        source = cell.source
        cell.source = prelude(check, cases, nonce) + source
        try:
            status = self._execute(cell, resources, index)
        finally:
            cell.source = source
        self._verdicts[index] = self._judge(cell, rubric, nonce, status)
        return cell, resources

    def _execute(
        self, cell: NotebookNode, resources: ResourcesDict, index: int
    ) -> tuple[Status, str] | None:
        """Runs a cell.

        Returns:
            How it ended and in what words, if the cell or the kernel did not survive; else None.
        """
        if cell.cell_type != "code":
            return None
        cell.outputs = []
        if self._gone:
            return Status.NOT_RUN, self._gone
        self._reply: dict[str, Any] = {}
        try:
            super().preprocess_cell(cell, resources, index)
        except DeadKernelError:
            self._gone = "An earlier cell ended Python, so this one could not run."
            return Status.DIED, "The cell ended Python."
        except CellTimeoutError:
            self._gone = "An earlier cell could not be stopped, so this one could not run."
            return Status.TIMED_OUT, "The cell ran for too long and could not be stopped."
        if self._reply.get("ename") == self.error_on_timeout["ename"]:
            return Status.TIMED_OUT, "The cell ran for too long."
        return None

    def on_cell_executed(self, **kwargs: Any) -> None:
        self._reply = kwargs["execute_reply"]["content"]
        super().on_cell_executed(**kwargs)

    def _judge(
        self, cell: NotebookNode, rubric: Rubric, nonce: str, status: tuple[Status, str] | None
    ) -> tuple[Verdict, list[str]]:
        if status is not None:
            return unjudged(rubric, *status), []
        texts = [output.data[MIME] for output in cell.outputs if MIME in output.get("data", {})]
        if not texts:
            return self._without_evidence(rubric), []
        if len(texts) > 1:
            return unjudged(rubric, Status.REFUSED, "The cell published evidence twice."), texts
        try:
            outcomes = read_evidence(
                texts[0], check=rubric.check, nonce=nonce, count=len(rubric.expectations)
            )
        except Refused as error:
            self.log.warning("%s: refused %s", rubric.check, error)
            return unjudged(rubric, Status.REFUSED, "What came back was not evidence."), texts
        return judge(rubric, outcomes), texts

    def _without_evidence(self, rubric: Rubric) -> Verdict:
        if self._reply.get("status") != "error":
            return unjudged(rubric, Status.NOT_RUN, "The cell ran and returned nothing to judge.")
        ename = str(self._reply.get("ename"))
        if ename == "NameError":
            return unjudged(
                rubric,
                Status.NOT_RUN,
                "A name that this cell needs was never defined. Did an earlier cell fail?",
            )
        raised = Outcome("raised", type=ename, message=str(self._reply.get("evalue")))
        return unjudged(rubric, *raised_status(raised))

    def _result(self, cell: NotebookNode, verdict: Verdict, evidence: list[str]) -> NotebookNode:
        points = min(verdict.points, float(cell.metadata.nbgrader.points))
        return new_output(
            "execute_result",
            {
                "text/plain": repr(float(points)),
                "text/html": verdict.to_html(),
                VERDICT_MIME: {
                    "verdict": verdict.to_data(),
                    "seed": self._seed,
                    "evidence": evidence,
                },
            },
            execution_count=cell.execution_count,
        )


def prelude(check: Check, cases: list, nonce: str) -> str:
    """The lines sent ahead of a graded cell: the question, and `check` itself.

    They hold inputs, never answers; what they set in the kernel is a convenience for honest code
    and nothing that is trusted.
    """
    text = json.dumps({"check": check.name, "nonce": nonce, "cases": question(check, cases)})
    return f"from autograder.check import ask, check\nask({text!r})\n"
