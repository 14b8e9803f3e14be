"""A class in a file: answers written as students would, from the released notebooks alone.

`class/<assignment>.py` holds answers, each a section of its own:

    # %% task="forward_kl" right="no" mistake="log_target forgotten" named="log_target_missing"

`right` is "yes" if by the notebook's text the answer deserves its full points, "no" if not, and
"accident" for a syntax error, a stub and the like, which is told without a case being asked.
`named` are the names that truthfully say what is wrong with the answer: misconceptions, or
"missing_return", "another_form" and "asked_again" for what the grader says in words of its own.

Every answer is run in this process, beside the notebook's own solutions of all other tasks, and is
judged twice: as the public check does, and as grading does. `class/slow/` holds answers that train
for a second or more each, in the same form; benchmarks/hints.py judges them.
"""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, pairwise
from pathlib import Path

import torch

from autograder.check import describe
from autograder.grading.accidents import why_without_result
from autograder.judging.agreement import complaint
from autograder.judging.evidence import read_evidence
from autograder.judging.verdict import Rubric, Status, Verdict, judge
from autograder.kernel.asking import observe
from autograder.kernel.evidence import Outcome, write_evidence
from autograder.questions import generator, question
from autograder.spec import AnswerCheck, Case
from exercises.bank import ANSWER, checks, grade_id, solution, source

FOLDER = Path(__file__).parent / "class"
SECTION = re.compile(
    r'^# %% task="(\w+)" right="(yes|no|accident)" mistake="([^"\n]*)"(?: named="([\w,]*)")?$\n',
    re.MULTILINE,
)
KINDS = ("right refused", "wrong full", "named rightly", "observed", "named falsely", "unnamed")


@dataclass(frozen=True)
class Answer:
    """One student's answer to one task.

    Args:
        assignment: The problem set.
        line: Where the section begins in the file.
        task: The task.
        right: "yes", "no" or "accident".
        mistake: What is wrong, in a sentence.
        named: The names that truthfully say so.
        source: What stands in the answer's cell.
    """

    assignment: str
    line: int
    task: str
    right: str
    mistake: str
    named: frozenset[str]
    source: str


@dataclass(frozen=True)
class Judged:
    """An answer with what it was told.

    Args:
        answer: The answer.
        public: The public check's verdict.
        graded: The verdict of grading.
        told: The names that the two gave it.
    """

    answer: Answer
    public: Verdict
    graded: Verdict
    told: frozenset[str]

    @property
    def kind(self) -> str:
        """Its place in the table; "right" where nothing is to be said."""
        full = self.graded.points == self.graded.max_points
        if self.answer.right == "yes":
            return "right" if full and not self.told else "right refused"
        if full:
            return "wrong full"
        if self.told - self.answer.named:
            return "named falsely"
        if all(name.startswith("observed_") for name in self.told):
            return "observed" if self.told else "unnamed"
        return "named rightly"


def answers(assignment: str) -> list[Answer]:
    """The class's answers to an assignment.

    Raises:
        ValueError: When a section's first line cannot be read.
    """
    return list(in_file(FOLDER / f"{assignment}.py"))


@cache
def in_file(path: Path) -> tuple[Answer, ...]:
    """A file's answers, read once."""
    text = path.read_text(encoding="utf-8")
    found = list(SECTION.finditer(text))
    if len(found) != len(re.findall(r"^# %%", text, re.MULTILINE)):
        raise ValueError(f"{path}: a section does not begin as the others do.")
    ends = [match.start() for match in found[1:]] + [len(text)]
    starts = [0, *(match.start() for match in found)]
    breaks = accumulate(text.count("\n", *each) for each in pairwise(starts))
    return tuple(
        Answer(
            path.stem,
            lines + 1,
            match[1],
            match[2],
            match[3],
            frozenset((match[4] or "").replace("observed_again", "asked_again").split(",")) - {""},
            text[match.end() : end],
        )
        for match, end, lines in zip(found, ends, breaks, strict=True)
    )


def assignments() -> list[str]:
    """Those that the class has answered."""
    return sorted(path.stem for path in FOLDER.glob("*.py"))


@cache
def asked(assignment: str, task: str, seed: int) -> tuple[list[Case], Rubric, dict]:
    """The cases of a check, their rubric, and the question."""
    check = checks(assignment)[task]
    cases = check.cases(generator(seed, check))
    return cases, check.rubric(cases), question(check, cases)


@cache
def public(assignment: str, task: str) -> Rubric:
    """What the public check judges by."""
    return checks(assignment)[task].public()[1]


@cache
def solved(assignment: str) -> tuple[dict, dict[str, str]]:
    """What the notebook's own solution defines, and the name that each check asks for."""
    space: dict = {}
    names = {}
    own = solution(source(assignment))
    for cell in source(assignment).cells:
        name = grade_id(cell)
        if cell.cell_type != "code":
            continue
        if name in checks(assignment):
            names[name] = cell.source.rsplit(",", 1)[1].strip(" )")
            continue
        code = own[name.removesuffix(ANSWER)] if name.endswith(ANSWER) else cell.source
        exec(compile(code, f"<{name}>", "exec"), space)
    return space, names


def judged(answer: Answer, seed: int = 0) -> Judged:
    """Runs an answer and judges it."""
    space, names = solved(answer.assignment)
    space = dict(space)
    check = checks(answer.assignment)[answer.task]
    cases, rubric, asking = asked(answer.assignment, answer.task, seed)
    with quiet():
        exec(compile(answer.source, f"<line {answer.line}>", "exec"), space)
        for cell in after(answer.assignment, answer.task):
            exec(compile(cell, "<given>", "exec"), space)
        value = space[names[answer.task]]
        text = write_evidence(answer.task, "n", observe(value, asking))
    outcomes = read_evidence(text, check=answer.task, nonce="n", count=len(cases))
    # The public check asks the public cases in the same order, and the first of them again.
    seen = [outcome for case, outcome in zip(cases, outcomes, strict=True) if case.public]
    shown = public(answer.assignment, answer.task)
    if isinstance(check, AnswerCheck):
        seen = outcomes
    verdicts, told = [], set()
    for each, came in ((shown, seen), (rubric, outcomes)):
        verdicts.append(judge(each, came))
        told |= names_in(verdicts[-1], each, came)
    return Judged(answer, *verdicts, frozenset(told))


@cache
def after(assignment: str, task: str) -> list[str]:
    """The code between a task's answer and its check, which may call what was defined."""
    cells = source(assignment).cells
    places = {grade_id(cell): index for index, cell in enumerate(cells)}
    between = cells[places[f"{task}{ANSWER}"] + 1 : places[task]]
    return [cell.source for cell in between if cell.cell_type == "code"]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Students print, are warned, and leave torch otherwise than they found it."""
    gradients, dtype = torch.is_grad_enabled(), torch.get_default_dtype()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.set_grad_enabled(gradients)
        torch.set_default_dtype(dtype)


def names_in(verdict: Verdict, rubric: Rubric, outcomes: list[Outcome]) -> set[str]:
    """What a verdict says is wrong: a misconception, or a form in the grader's own words."""
    found = set((verdict.misconception or "").split("+")) - {""}
    if "observed_again" in found:  # it names the mistake as the message does
        found = {"asked_again"}
    if verdict.status is Status.NOT_RUN and "this is None" in verdict.message:
        return {"missing_return"}
    if verdict.status is not Status.WRONG:
        return found
    if "return statement" in verdict.message:
        found.add("missing_return")
    elif "asked again" in verdict.message:
        found.add("asked_again")
    elif "must" in verdict.message and verdict.message.count(".") > 1:
        found.add("another_form")  # of an answer that is a value
    elif any(
        outcome.kind == "returned"
        and expectation.outcome is not None
        and (said := complaint(outcome.value, expectation.outcome.value))
        and said in verdict.message
        for outcome, expectation in zip(outcomes, rubric.expectations, strict=True)
    ):
        found.add("another_form")
    return found


def table(results: Iterable[Judged]) -> Counter[str]:
    """How many answers there are of each kind."""
    return Counter(result.kind for result in results)


def accident(answer: Answer) -> str:
    """What an accident is told: why nothing could be asked, or what the public check says."""
    notebook = source(answer.assignment)
    space, names = solved(answer.assignment)
    space = {name: value for name, value in space.items() if name != names[answer.task]}
    cells = notebook.cells
    places = {grade_id(cell): index for index, cell in enumerate(cells)}
    cells[places[f"{answer.task}{ANSWER}"]].source = answer.source
    with quiet(), contextlib.suppress(Exception):
        exec(compile(answer.source, "<answer>", "exec"), space)
        for cell in after(answer.assignment, answer.task):
            exec(compile(cell, "<given>", "exec"), space)
    if names[answer.task] not in space:
        return why_without_result(cells, places[answer.task]) or ""
    check = checks(answer.assignment)[answer.task]
    cases, rubric = check.public()
    with quiet():
        text = write_evidence(
            answer.task, "n", observe(space[names[answer.task]], question(check, cases))
        )
    outcomes = read_evidence(text, check=answer.task, nonce="n", count=len(cases))
    return describe(rubric, outcomes)[1]
