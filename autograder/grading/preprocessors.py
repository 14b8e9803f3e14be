"""What plugs into nbgrader: a step of its release, and two that take the place of its own.

`ReleasePublicCases` comes last in `GenerateAssignment.preprocessors`. `RestoreCells` stands for
OverwriteCells in `Autograde.sanitize_preprocessors`, and `Judge` for Execute in
`Autograde.autograde_preprocessors`. A course's nbgrader_config.py names them.
"""

from __future__ import annotations

import json
import math
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbconvert.exporters.exporter import ResourcesDict
from nbformat import ValidationError, validate
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_output
from nbgrader.api import Gradebook
from nbgrader.preprocessors import Execute, NbGraderPreprocessor, OverwriteCells
from nbgrader.utils import is_grade, is_solution
from traitlets import Integer, Unicode

from autograder.check import PUBLIC_SUFFIX
from autograder.grading.accidents import Error, where, why_missing
from autograder.judging.evidence import MAX_CHARACTERS, Refused, read_evidence
from autograder.judging.verdict import (
    Rubric,
    Status,
    Verdict,
    judge_either,
    raised_status,
    unjudged,
)
from autograder.kernel.evidence import MAX_MESSAGE, MIME, Outcome
from autograder.sandbox.kernels import SandboxKernelManager
from autograder.sandbox.options import MiB, withheld_modules
from autograder.spec import (
    Check,
    generator,
    load_checks,
    public_data,
    question,
    right_versions,
    to_replace,
)

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


class Judge(Execute):
    """Runs a submission, and judges outside the kernel what its graded cells return.

    Each graded cell is sent with a question: public, hidden and random inputs and a nonce. Only the
    evidence that the cell itself publishes, for this nonce, is judged. The cell's outputs are then
    replaced by one result whose text is the points, which is what nbgrader records. That happens
    once the kernel is gone, because a kernel can rewrite the outputs of cells it has already run.

    The kernel runs in `autograder.sandbox`, without the modules that the checks file names in
    WITHHELD. Whatever it sends is bounded and checked; whatever cannot be read ends its notebook,
    and only that.
    """

    checks_directory = Unicode(
        "checks", help="Folder of the assignments' checks, relative to the course's root."
    ).tag(config=True)

    seed = Integer(
        None,
        allow_none=True,
        help="Seed of the random cases; None draws one for every submission. It is recorded.",
    ).tag(config=True)

    notebook_timeout = Integer(300, help="Seconds that a whole notebook may take.").tag(config=True)

    output_mb = Integer(8, help="MiB of output that is kept of a notebook.").tag(config=True)

    kernel_name = "python3"  # whatever the notebook asks for
    shutdown_kernel = "immediate"
    record_timing = False
    store_widget_state = False
    skip_cells_with_tag = ""  # nothing is skipped: a tag is the student's to set

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("kernel_manager_class", SandboxKernelManager)
        super().__init__(*args, **kwargs)

    def create_kernel_manager(self) -> Any:
        manager = super().create_kernel_manager()
        manager.withheld = self._withheld
        return manager

    def preprocess(
        self, nb: NotebookNode, resources: ResourcesDict
    ) -> tuple[NotebookNode, ResourcesDict]:
        path = checks_path(self.checks_directory, resources)
        self._checks = load_checks(path)
        self._withheld = withheld_modules(path)
        self._seed = secrets.randbits(53) if self.seed is None else self.seed
        self._gone: str | None = None  # why the kernel can run no more cells
        self._errors: dict[int, Error] = {}  # what the kernel said of cells that failed
        self._verdicts: dict[int, tuple[Verdict, list[str], list[str]]] = {}
        self._room = self.output_mb * MiB
        self._deadline: float | None = None
        nb, resources = super().preprocess(nb, resources)
        for index, cell in enumerate(nb.cells):
            if is_judged(cell):
                cell.outputs = [self._result(cell, *self._verdicts[index])]
            elif cell.cell_type == "code":
                clean(cell)
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
        judged = {verdict.check: verdict for verdict, _, _ in self._verdicts.values()}
        replaced = to_replace(check, judged)
        cell.source = prelude(check, cases, nonce, replaced) + source
        try:
            status = self._execute(cell, resources, index)
        finally:
            cell.source = source
        verdict, evidence = self._judge(cell, rubric, nonce, status, replaced, index)
        self._verdicts[index] = verdict, evidence, replaced
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
        if self._deadline is None:  # the kernel is there; its start costs nobody time
            self._deadline = time.monotonic() + self.notebook_timeout
        if not self._gone and time.monotonic() > self._deadline:
            self._gone = "Earlier cells used up the notebook's time, so this one could not run."
        if self._gone:
            return Status.NOT_RUN, self._gone
        self._reply: dict[str, Any] = {}
        self._late = False
        self._evidence = 0  # messages of this cell that carry some
        try:
            super().preprocess_cell(cell, resources, index)
        except DeadKernelError:
            self._gone = f"Python ended in {where(cell, index)} so that this one could not run."
            cause = getattr(self.km.provisioner, "cause", None)
            if cause == "memory":
                return Status.OUT_OF_MEMORY, "It asked for more memory than it may have."
            if cause == "time":
                return Status.TIMED_OUT, "It used more processor time than it may have."
            return Status.DIED, "The cell ended Python."
        except CellTimeoutError:
            self._gone = "An earlier cell could not be stopped, so this one could not run."
            if self._late:
                return Status.TIMED_OUT, "The cell ran for too long and could not be stopped."
            self._gone = "An earlier cell's output could not be read, so this one could not run."
            return Status.REFUSED, "The cell's output could not be read; was it too much at once?"
        except Exception as error:  # a message that is none; the kernel's doing
            self.log.warning("Ended a notebook that sent what is no message: %r", error)
            self._gone = "An earlier cell's output could not be read, so this one could not run."
            return Status.REFUSED, "The cell's output could not be read."
        if self._reply.get("status") == "error":
            told = (str(self._reply.get(key))[:MAX_MESSAGE] for key in ("ename", "evalue"))
            self._errors[index] = Error(*told)
        if self._late:
            return Status.TIMED_OUT, "The cell ran for too long."
        return None

    def _get_timeout(self, cell: NotebookNode | None) -> int | None:
        if self._deadline is None:
            return super()._get_timeout(cell)
        left = max(1, math.ceil(self._deadline - time.monotonic()))
        return min(super()._get_timeout(cell) or left, left)

    async def _async_handle_timeout(self, timeout: int, cell: NotebookNode | None = None) -> Any:
        self._late = True
        return await super()._async_handle_timeout(timeout, cell)

    def on_cell_executed(self, **kwargs: Any) -> None:
        self._reply = kwargs["execute_reply"]["content"]
        super().on_cell_executed(**kwargs)

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> Any:
        """Takes a message while there is room for it; one that carries evidence needs none."""
        if msg["msg_type"] in ("status", "execute_input"):
            return super().process_message(msg, cell, cell_index)
        data = msg["content"].get("data")
        if is_judged(cell) and isinstance(data, dict) and MIME in data and self._evidence < 2:
            self._evidence += 1
        else:
            self._room -= weight(msg["content"])
            if self._room < 0:
                return None
        try:
            return super().process_message(msg, cell, cell_index)
        except (ValidationError, LookupError, TypeError, AttributeError, ValueError) as error:
            self.log.warning("Dropped a message that is none: %r", error)
            return None

    def handle_comm_msg(self, *args: Any) -> None:
        """Widgets have no front end here."""

    def _judge(
        self,
        cell: NotebookNode,
        rubric: Rubric,
        nonce: str,
        status: tuple[Status, str] | None,
        replaced: list[str],
        index: int,
    ) -> tuple[Verdict, list[str]]:
        if status is not None:
            return unjudged(rubric, *status), []
        texts = list(evidence_texts(cell))
        if not texts:
            return self._without_evidence(rubric, index), []
        if len(texts) > 1:
            return unjudged(rubric, Status.REFUSED, "The cell published evidence twice."), texts
        count = len(rubric.expectations) * (2 if replaced else 1)
        try:
            outcomes = read_evidence(texts[0], check=rubric.check, nonce=nonce, count=count)
        except Refused as error:
            self.log.warning("%s: refused %s", rubric.check, error)
            return unjudged(rubric, Status.REFUSED, "What came back was not evidence."), texts
        return judge_either(rubric, outcomes, replaced), texts

    def _without_evidence(self, rubric: Rubric, index: int) -> Verdict:
        error = self._errors.get(index)
        if error is None:
            return unjudged(rubric, Status.NOT_RUN, "The cell ran and returned nothing to judge.")
        if error.name == "NameError":
            message = why_missing(self.nb.cells, index, self._errors)
            return unjudged(rubric, Status.NOT_RUN, message)
        raised = Outcome("raised", type=error.name, message=error.message)
        return unjudged(rubric, *raised_status(raised))

    def _result(
        self, cell: NotebookNode, verdict: Verdict, evidence: list[str], replaced: list[str]
    ) -> NotebookNode:
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
                    "replaced": replaced,
                },
            },
            execution_count=None,
        )


def evidence_texts(cell: NotebookNode) -> Iterator[str]:
    """The texts that a cell published as evidence; what is no text counts as an empty one."""
    for output in cell.outputs:
        data = output.get("data")
        if isinstance(data, dict) and MIME in data:
            text = data[MIME]
            sound = isinstance(text, str) and len(text) <= MAX_CHARACTERS and is_unicode(text)
            yield text if sound else ""


def is_unicode(text: str) -> bool:
    """Whether a text can be written to a file; halves of surrogate pairs cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def weight(value: Any) -> int:
    """About how many bytes a message's content takes up."""
    total, waiting = 1000, [value]
    while waiting:
        item = waiting.pop()
        total += 50
        if isinstance(item, str):
            total += len(item)
        elif isinstance(item, dict):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            waiting += item
    return total


def clean(cell: NotebookNode) -> None:
    """Removes outputs that a notebook file cannot hold."""

    def sound(output: NotebookNode) -> bool:
        try:
            validate(output, ref="output", version=4)
            return is_unicode(json.dumps(output, ensure_ascii=False, allow_nan=False))
        except (ValidationError, ValueError, TypeError, RecursionError):
            return False

    cell.outputs = [output for output in cell.outputs if sound(output)]
    if not isinstance(cell.execution_count, int):
        cell.execution_count = None


def prelude(check: Check, cases: list, nonce: str, replaced: list[str]) -> str:
    """The lines sent ahead of a graded cell: the question, and `check` itself.

    They hold inputs, and answers of none but the tasks in `replaced`, which are judged already.
    What they set in the kernel is a convenience for honest code and nothing that is trusted.
    """
    data = {"check": check.name, "nonce": nonce, "right": right_versions(check, replaced)}
    text = json.dumps(data | question(check, cases))
    return f"from autograder.kernel.asking import ask, check\nask({text!r})\n"
