"""The step that runs a submission; it takes the place of Execute in nbgrader's pipeline."""

from __future__ import annotations

import ast
import json
import math
import secrets
import shutil
import time
from pathlib import Path
from typing import Any

from jupyter_core.utils import run_sync
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbconvert.exporters.exporter import ResourcesDict
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_output
from traitlets import Integer, Unicode

from autograder.cells import VERDICT_MIME, grade_id, is_judged
from autograder.grading.accidents import where, why_without_result
from autograder.grading.preprocessors import checks_path
from autograder.judging.evidence import Refused, read_evidence, room_for
from autograder.judging.rubric import Rubric
from autograder.judging.verdict import Status, Verdict, judge_either, raised_status, unjudged
from autograder.kernel.evidence import MIME, Outcome
from autograder.nbgrader_internals import Execute
from autograder.questions import generator, load_checks, question, right_versions, to_replace
from autograder.sandbox.kernels import SandboxKernelManager
from autograder.sandbox.options import MiB, Sandbox, withheld_modules
from autograder.sandbox.walls import refuse_exposed
from autograder.sandbox.wire import PATIENCE, TooMuch
from autograder.spec import Check

LATE = 60  # seconds to wait for a cell's last output, which may come late on a busy machine
STOPPING = 3  # least seconds that an interrupted cell has to end
ASKING = '__import__("autograder.kernel.asking", fromlist=["check"])'


class Judge(Execute):
    """Runs a submission, and judges outside the kernel what its graded cells return.

    Each graded cell is sent with a question: public, hidden and random inputs and a nonce. Only
    evidence that arrives as output of that cell and has this nonce is judged. When the whole
    notebook has run, the cell's outputs are replaced by one result whose text is the points, which
    is what nbgrader records.

    The kernel runs in `autograder.sandbox`, without the modules that the checks file names in
    WITHHELD. Its messages pass through `autograder.judging.messages`; a kernel that sends too much
    at once is killed.
    """

    checks_directory = Unicode(
        "checks", help="Folder of the assignments' checks, relative to the course's root."
    ).tag(config=True)

    seed = Integer(
        None,
        allow_none=True,
        help="Seed of the random cases; None draws one for every submission. It is recorded.",
    ).tag(config=True)

    notebook_timeout = Integer(
        300,
        help="Seconds that a whole notebook may take. As in `timeout`, what its kernel waits for a"
        " processor is not counted, as long as it takes no more than four times as long.",
    ).tag(config=True)

    output_mb = Integer(8, help="MiB of output that is kept of a notebook.").tag(config=True)

    iopub_timeout = LATE
    kernel_name = "python3"  # whatever the notebook asks for
    shutdown_kernel = "immediate"
    record_timing = False
    store_widget_state = False
    skip_cells_with_tag = ""  # nothing is skipped, because students can set tags

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("kernel_manager_class", SandboxKernelManager)
        super().__init__(*args, **kwargs)

    def create_kernel_manager(self) -> Any:
        manager = super().create_kernel_manager()
        manager.withheld = self._withheld
        self._manager = manager  # `preprocess` reads its provisioner when the kernel is gone
        return manager

    def preprocess(
        self, nb: NotebookNode, resources: ResourcesDict
    ) -> tuple[NotebookNode, ResourcesDict]:
        path = checks_path(self.checks_directory, resources)
        self._checks = load_checks(path)
        self._withheld = withheld_modules(path)
        if shutil.which("bwrap"):
            refuse_exposed([Path.cwd(), path], Sandbox(parent=self).packages)
        self._seed = secrets.randbits(53) if self.seed is None else self.seed
        self._gone: str | None = None  # why the kernel can run no more cells
        self._flooded = False  # whether the kernel was ended because it sent too much
        self._verdicts: dict[int, tuple[Verdict, list[str], list[str]]] = {}
        self._room = self.output_mb * MiB
        self._deadline: float | None = None
        nb, resources = super().preprocess(nb, resources)
        resources["memory"] = getattr(self._manager.provisioner, "memory", None)
        # Results are written only now that the kernel is gone.
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

        name = grade_id(cell)
        check = self._checks.get(name)
        if check is None:
            raise ValueError(f"Graded cell {name!r} has no check; generate the assignment again.")
        cases = check.cases(generator(self._seed, check))
        rubric = check.rubric(cases)
        nonce = secrets.token_hex(16)
        source = cell.source
        judged = {verdict.check: verdict for verdict, _, _ in self._verdicts.values()}
        replaced = to_replace(check, judged)
        wanted = [expectation.outcome for expectation in rubric.expectations]
        wanted *= 2 if replaced else 1  # asked again with right versions of earlier tasks
        asks = {"check": name, "nonce": nonce, "count": len(wanted), "most": room_for(wanted)}
        cell.source = asked(source, check, cases, nonce, asks["most"], replaced)
        try:
            status = self._execute(cell, resources, index)
        finally:
            cell.source = source
        verdict, evidence = self._judge(rubric, asks, status, replaced, index)
        self._verdicts[index] = verdict, evidence, replaced
        return cell, resources

    def _execute(
        self, cell: NotebookNode, resources: ResourcesDict, index: int
    ) -> tuple[Status, str] | None:
        """Runs a cell.

        Returns:
            The status and a sentence for it, if the cell did not run to its end; None if it did,
            or if it only raised an error.
        """
        if cell.cell_type != "code":
            return None
        cell.outputs = []
        if self._deadline is None:  # from the first cell on, so a kernel's start does not count
            self._deadline = time.monotonic() + self.notebook_timeout
        self._left = self._deadline - time.monotonic()
        if self._left < (super()._get_timeout(cell) or math.inf):
            self._left += min(self._waited(), (PATIENCE - 1) * self.notebook_timeout)
        if not self._gone and self._left < 0:
            self._gone = "Earlier cells used up the notebook's time, so this one could not run."
        if self._gone:
            return Status.NOT_RUN, self._gone
        self._reply: dict[str, Any] = {}
        self._late, self.iopub_timeout = False, LATE
        self._evidence: list[str] = []
        ended = self._survive(cell, resources, index)
        cell.execution_count = self.code_cells_executed
        return ended

    def _survive(
        self, cell: NotebookNode, resources: ResourcesDict, index: int
    ) -> tuple[Status, str] | None:
        try:
            super().preprocess_cell(cell, resources, index)
        except DeadKernelError:
            if self._flooded:
                return self._unreadable()
            self._gone = f"Python ended in {where(cell, index)} so that this one could not run."
            cause = getattr(self.km.provisioner, "cause", None)
            if cause == "memory":
                return Status.OUT_OF_MEMORY, "It asked for more memory than it may have."
            if cause == "time":
                return Status.TIMED_OUT, "It used more processor time than it may have."
            return Status.DIED, "The cell ended Python."
        except CellTimeoutError:
            if not self._late:
                return self._unreadable()
            self._gone = "An earlier cell could not be stopped, so this one could not run."
            return Status.TIMED_OUT, "The cell ran for too long and could not be stopped."
        except TooMuch:
            return self._unreadable()
        if self._flooded:
            return self._unreadable()
        if self._late:
            return Status.TIMED_OUT, "The cell ran for too long."
        return None

    def _unreadable(self) -> tuple[Status, str]:
        self._gone = "An earlier cell's output could not be read, so this one could not run."
        return Status.REFUSED, "The cell's output could not be read; it was too much at once."

    def _get_timeout(self, cell: NotebookNode | None) -> int | None:
        if self._deadline is None:
            return super()._get_timeout(cell)
        left = max(1, math.ceil(self._left))
        return min(super()._get_timeout(cell) or left, left)

    def _waited(self) -> float:
        """Seconds that the kernel has waited for a processor, which timeouts do not count."""
        return run_sync(self.kc.waited)() if self.kc.waited else 0.0

    async def _async_handle_timeout(self, timeout: int, cell: NotebookNode | None = None) -> Any:
        self._late = True
        # An interrupted cell has as long to end as it had to run, but at least STOPPING and at most
        # LATE seconds. If it does not end, no further cell runs.
        self.iopub_timeout = min(LATE, max(STOPPING, timeout))
        return await super()._async_handle_timeout(timeout, cell)

    async def _async_poll_output_msg(self, *args: Any) -> None:
        try:
            await super()._async_poll_output_msg(*args)
        except TooMuch:
            self._flooded = True
            await self.km.shutdown_kernel(now=True)

    def on_cell_executed(self, **kwargs: Any) -> None:
        self._reply = kwargs["execute_reply"]["content"]
        super().on_cell_executed(**kwargs)

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> Any:
        """Keeps a graded cell's evidence, and other outputs while there is room for them."""
        content = msg["content"]
        if msg["msg_type"] == "status":
            return super().process_message(msg, cell, cell_index)
        evidence = content.get("data", {}).pop(MIME, None)
        if evidence is not None and is_judged(cell):
            if len(self._evidence) < 2:  # a second one is enough to refuse both
                self._evidence.append(evidence)
            return None
        self._room -= weight(content)
        if self._room < 0:
            return None
        return super().process_message(msg, cell, cell_index)

    def _judge(
        self,
        rubric: Rubric,
        asks: dict[str, Any],
        status: tuple[Status, str] | None,
        replaced: list[str],
        index: int,
    ) -> tuple[Verdict, list[str]]:
        """The verdict, and the evidence behind it: one text or none; `asks` is what it answers."""
        if status is not None:
            return unjudged(rubric, *status), []
        if not self._evidence:
            return self._without_evidence(rubric, index), []
        if len(self._evidence) > 1:
            return unjudged(rubric, Status.REFUSED, "The cell published evidence twice."), []
        (given,) = self._evidence
        try:
            outcomes = read_evidence(given, **asks)
        except Refused as error:
            self.log.warning("%s: refused %s", rubric.check, error)
            return unjudged(rubric, Status.REFUSED, "What came back was not evidence."), []
        return judge_either(rubric, outcomes, replaced), [given]

    def _without_evidence(self, rubric: Rubric, index: int) -> Verdict:
        if self._reply.get("status") != "error":
            return unjudged(rubric, Status.NOT_RUN, "The cell ran and returned nothing to judge.")
        name, message = self._reply["ename"], self._reply["evalue"]
        if name == "NameError":
            reason = why_without_result(self.nb.cells, index)
            message = reason or "A name that this cell needs was never defined; a cell failed."
            return unjudged(rubric, Status.NOT_RUN, message)
        return unjudged(rubric, *raised_status(Outcome("raised", type=name, message=message)))

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


def weight(content: dict[str, Any]) -> int:
    """Roughly the bytes that the content of a checked message takes up."""
    lines = [*content.values(), *content.get("data", {}).values(), *content.get("traceback", ())]
    return 1000 + sum(len(line) for line in lines if isinstance(line, str))


def asked(
    source: str, check: Check, cases: list, nonce: str, most: int, replaced: list[str]
) -> str:
    """A graded cell's source as it is sent: the question first, and `check` replaced by ours.

    What is added sets no name in the notebook's namespace and needs none there, so students may use
    any name. It holds inputs, and right answers only to the tasks in `replaced`, which are judged
    already. In a cell that is not plain Python, `check` stays the notebook's own.
    """
    data = {"check": check.name, "nonce": nonce, "most": most}
    data["right"] = right_versions(check, replaced)
    text = json.dumps(data | question(check, cases))
    try:
        tree = _OurCheck().visit(ast.parse(source))
    except SyntaxError:  # such as a magic; the notebook's own `check` is used
        return f"{ASKING}.ask({text!r})\n{source}"
    return f"{ASKING}.ask({text!r})\n{ast.unparse(tree)}"


class _OurCheck(ast.NodeTransformer):
    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id != "check" or not isinstance(node.ctx, ast.Load):
            return node
        return ast.parse(f"{ASKING}.check", mode="eval").body
