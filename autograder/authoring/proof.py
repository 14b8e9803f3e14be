"""The proof of a set: right answers earn everything, known mistakes their hint, the stub nothing.

Answers are judged with the engine's own code and in this process, because they are the author's,
not a stranger's.
"""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from autograder.authoring.bank import Entry, entries, solution, source
from autograder.authoring.declaration import faults, unmarkable
from autograder.authoring.mutants import mutants, noticed
from autograder.authoring.weights import differences, told_otherwise
from autograder.cells import ANSWER, asked_for, grade_id
from autograder.judging.evidence import read_evidence, room_for
from autograder.judging.verdict import Status, Verdict, judge, judge_either, unjudged
from autograder.kernel.asking import observe, observe_with
from autograder.kernel.evidence import Outcome, write_evidence
from autograder.questions import generator, load_checks, question, right_versions, to_replace
from autograder.spec import AnswerCheck, Check, FunctionCheck, run

LEAST = 0.9  # the share of mutants that must be noticed
EQUIVALENT = "equivalent.txt"


@dataclass
class Part:
    """One part of the proof.

    Args:
        name: What is proved.
        tried: How many things were tried.
        problems: Where the proof fails, a sentence each.
        notes: What is worth knowing but no failure, a sentence each.
    """

    name: str
    tried: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def prove(
    root: Path,
    assignment: str,
    seeds: int = 3,
    at: Callable[[str], None] = lambda what: None,
    done: Callable[[Part], None] = lambda part: None,
) -> list[Part]:
    """Proves a set.

    Args:
        root: The course's folder.
        assignment: The set.
        seeds: How many draws of the random cases are tried.
        at: Is called with the name of each thing that is tried, before it is tried.
        done: Is called with each part, when it has been tried.

    Raises:
        FileNotFoundError: When the set's notebook or its checks are not there.
        ValueError: When the notebook, the checks or a file of the bank has a fault in its form.
    """
    notebook = source(root, assignment)
    checks = load_checks(root / "checks" / f"{assignment}.py")
    for problem in (*unmarkable(notebook.cells), *faults(checks.values())):
        raise ValueError(problem)
    bank = entries(root, assignment)
    # A check that counts for nothing needs no proof.
    counting = {name: check for name, check in checks.items() if check.points}
    proofs = {
        "notebook": lambda: _notebook(notebook, checks),
        "bank": lambda: _bank(notebook, counting, bank, seeds, at),
        "misconceptions": lambda: _mistakes(counting, bank, seeds),
        "public cases": lambda: _public(counting),
        "written-down results": lambda: _constants(counting),
        "mutants": lambda: _mutants(
            notebook, counting, root / "bank" / assignment / EQUIVALENT, at
        ),
    }
    parts = []
    for name, proof in proofs.items():
        at(name)
        with quiet():
            parts.append(proof())
        done(parts[-1])
    return parts


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hides what answers print, and all warnings."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def judged(
    notebook: NotebookNode, checks: dict[str, Check], entry: Entry, seed: int
) -> dict[str, Verdict]:
    """Runs an entry of the bank cell by cell, as a kernel would, and judges it as grading does."""
    space: dict[str, Any] = {}
    verdicts: dict[str, Verdict] = {}
    raised: dict[str, str] = {}
    for cell in notebook.cells:
        name = grade_id(cell)
        if cell.cell_type != "code":
            continue
        if name not in checks:
            task = name.removesuffix(ANSWER)
            code = entry.answers.get(task, "") if name.endswith(ANSWER) else cell.source
            code = code.replace("from autograder.check import check", "check = None")
            try:
                exec(compile(code, f"<{name}>", "exec"), space)
            except Exception as error:  # go on, as grading does after a cell that fails
                raised[name.removesuffix(ANSWER)] = (
                    f" Its cell raises {type(error).__name__}: {error}."
                )
            continue
        check = checks[name]
        cases = check.cases(generator(seed, check))
        rubric = check.rubric(cases)
        asks = asked_for(cell)
        if asks is None or asks[1] not in space:
            why = f"{asks[1] if asks else 'It'} is not defined.{raised.get(name, '')}"
            verdicts[name] = unjudged(rubric, Status.NOT_RUN, why)
            continue
        answer = space[asks[1]]
        seen = observe(answer, question(check, cases))
        replaced = to_replace(check, verdicts)
        if replaced:
            right = right_versions(check, replaced)
            seen += observe_with(right, answer, question(check, cases))
        wanted = [expectation.outcome for expectation in rubric.expectations]
        most = room_for(wanted * 2 if replaced else wanted)
        text = write_evidence(name, "n", seen, most)
        outcomes = read_evidence(text, check=name, nonce="n", count=len(seen), most=most)
        verdicts[name] = judge_either(rubric, outcomes, replaced)
    return verdicts


def _notebook(notebook: NotebookNode, checks: dict[str, Check]) -> Part:
    """Proves that the notebook and the checks have the same tasks and the same points."""
    part = Part("notebook")
    graded = {}
    names = [grade_id(cell) for cell in notebook.cells]
    for before, cell in zip([None, *notebook.cells], notebook.cells, strict=False):
        marks = cell.metadata.get("nbgrader", {})
        if cell.cell_type != "code" or not marks.get("grade") or marks.get("solution"):
            continue
        part.tried += 1
        name = grade_id(cell)
        graded[name] = float(marks["points"])
        if (asks := asked_for(cell)) is None or asks[0] != name:
            part.problems.append(
                f'The graded cell {name} does not hold check("{name}", ...) alone.'
            )
        if f"{name}{ANSWER}" not in names:
            part.problems.append(f"There is no cell {name}{ANSWER} for the answer to {name}.")
        elif before is None or grade_id(before) != f"{name}{ANSWER}":
            part.notes.append(f"The answer to {name} does not stand right before its check.")
    for name in checks.keys() - graded.keys():
        part.problems.append(f"The check {name} has no graded cell.")
    part.problems += [*differences(checks, graded), *told_otherwise(notebook.cells)]
    for cell in notebook.cells:
        if grade_id(cell).endswith(ANSWER) and "### BEGIN SOLUTION" not in cell.source:
            part.problems.append(
                f"{grade_id(cell)} has no ### BEGIN SOLUTION; all would be released."
            )
        if cell.cell_type == "code" and cell.outputs:
            part.problems.append(f"{grade_id(cell)} has outputs; clear them.")
    return part


def _bank(
    notebook: NotebookNode,
    checks: dict[str, Check],
    bank: list[Entry],
    seeds: int,
    at: Callable[[str], None],
) -> Part:
    """Proves that each entry gets what it deserves, whatever the draw of the random cases."""
    part = Part("bank")
    for entry in bank:
        part.tried += 1
        at(f"bank: {entry.name}, {part.tried} of {len(bank)}")
        seen: dict[str, set[tuple[float, str | None]]] = {}
        for seed in range(seeds):
            for name, verdict in judged(notebook, checks, entry, seed).items():
                seen.setdefault(name, set()).add((verdict.points, verdict.misconception))
                problem = _undeserved(entry, name, verdict)
                if problem and seed == 0:
                    part.problems.append(f"{entry.name}: {name} {problem}")
        for name, results in seen.items():
            if len(results) > 1:
                part.problems.append(
                    f"{entry.name}: {name} hangs on the seed: {sorted(map(str, results))}."
                )
    kinds = {kind: sum(e.name.startswith(kind) for e in bank) for kind in ("wheat", "chaff")}
    for kind, count in kinds.items():
        if not count:
            part.problems.append(f"The bank has no {kind}.")
    return part


def _undeserved(entry: Entry, name: str, verdict: Verdict) -> str:
    full = verdict.points == verdict.max_points
    if entry.name == "stub":
        return f"gives the untouched stub {verdict.points:g} points." if verdict.points else ""
    if name not in entry.expected:
        got = f"{verdict.points:g} of {verdict.max_points:g}"
        return "" if full else f"is right and gets {got}: {verdict.message}"
    wanted = entry.expected[name]
    if full:
        return "is wrong and gets full points."
    if wanted and verdict.misconception != wanted:
        return f"should be recognised as {wanted}, and is as {verdict.misconception}."
    return ""


def _mistakes(checks: dict[str, Check], bank: list[Entry], seeds: int) -> Part:
    """Proves that each declared mistake loses points, gets its own hint, and is in the bank."""
    part = Part("misconceptions")
    hints: dict[str, str] = {}
    for name, check in checks.items():
        for seed in range(seeds):
            rubric = check.rubric(check.cases(generator(seed, check)))
            for way in rubric.wrong_ways:
                part.tried += seed == 0
                said = {each.message for each in way.outcomes if each.type == "NameError"}
                if said and f"{name}: {way.name} raises" not in " ".join(part.notes):
                    part.notes.append(f"{name}: {way.name} raises NameError: {min(said)}.")
                verdict = judge(rubric, list(way.outcomes))
                if verdict.points >= verdict.max_points:
                    problem = f"{name}: no case tells {way.name} from the right way."
                elif verdict.misconception != way.name:
                    problem = f"{name}: {way.name} is recognised as {verdict.misconception}."
                elif isinstance(check, FunctionCheck) and (  # answers can be wrong alike
                    hints.setdefault(way.hint, way.name) != way.name
                ):
                    problem = f"{name}: {way.name} and {hints[way.hint]} have one hint."
                else:
                    continue
                if problem not in part.problems:
                    part.problems.append(problem)
    part.problems += not_shown(checks, bank)
    return part


def not_shown(checks: dict[str, Check], bank: list[Entry]) -> list[str]:
    """A sentence for each misconception of which the bank has no example."""
    shown = {wrong for entry in bank for wrong in entry.expected.values()}
    return [
        f"{name}: the bank has no chaff for {wrong}."
        for name, check in checks.items()
        if isinstance(check, FunctionCheck)
        for wrong in dict.fromkeys(wrong.name for wrong in check.misconceptions)
        if not {wrong, *wrong.split("+")} & shown
    ]


def _public(checks: dict[str, Check]) -> Part:
    """Proves that the public check names no mistake as another, and notes what it cannot name."""
    part = Part("public cases")
    for name, check in checks.items():
        if isinstance(check, AnswerCheck):
            continue
        part.tried += 1
        cases, rubric = check.public()
        if not cases:
            part.problems.append(f"{name} has no public case.")
            continue
        for way in rubric.wrong_ways:
            told = judge(rubric, list(way.outcomes)).named
            if told not in (way.name, None):
                part.problems.append(f"{name}: {way.name} is called {told} first.")
            elif told is None:
                note = f"{name}: {way.name} is named by hidden cases alone."
                if note not in part.notes:  # a mistake may be made in several ways
                    part.notes.append(note)
    return part


def _constants(checks: dict[str, Check]) -> Part:
    """Proves that an answer that only writes down the public cases' results earns nothing."""
    part = Part("written-down results")
    for name, check in checks.items():
        if not isinstance(check, FunctionCheck) or check.observer:
            continue
        part.tried += 1
        public = check.public()[0]
        known: dict[str, Outcome] = {}
        for case, asked in zip(public, question(check, public)["cases"], strict=True):
            known[str(asked)] = run(check.reference, case)
        if not known:
            continue
        cases = check.cases(generator(7, check))
        asked_all = question(check, cases)["cases"]
        outcomes = [known.get(str(asked), next(iter(known.values()))) for asked in asked_all]
        if judge(check.rubric(cases), outcomes).points:
            part.problems.append(f"{name}: the results of the public cases alone earn points.")
    return part


def _mutants(
    notebook: NotebookNode, checks: dict[str, Check], path: Path, at: Callable[[str], None]
) -> Part:
    """Proves that at least `LEAST` of the small changes to the solution are noticed."""
    part = Part("mutants")
    known = equivalent(path)
    own = solution(notebook)
    missed: list[str] = []
    for name, check in checks.items():
        if isinstance(check, FunctionCheck) and name in own:
            at(f"mutants: {name}")
            try:
                tried, found = survivors(notebook, check, known)
            except ValueError as problem:
                part.problems.append(str(problem))
                continue
            part.tried += tried
            missed += [f"{name}: {what}" for what in found]
    part.notes = [f"no case notices {what}" for what in missed]
    if part.tried and len(missed) > (1 - LEAST) * part.tried:
        part.problems.append(
            f"{part.tried - len(missed)} of {part.tried} are noticed; {LEAST:.0%} should be. Add"
            f" cases, or list changes that change nothing in {path.name}."
        )
    return part


def survivors(
    notebook: NotebookNode, check: FunctionCheck, known: set[tuple[str, str]]
) -> tuple[int, list[str]]:
    """How many mutants of a task's solution were tried, and which of them no case notices.

    Args:
        notebook: The set's notebook.
        check: The task's check.
        known: Equivalent mutants, which are not tried: the task and the change in words.

    Raises:
        ValueError: When the solution itself does not pass.
    """
    own = solution(notebook)
    cells = {grade_id(cell): cell for cell in notebook.cells}
    asks = asked_for(cells[check.name]) if check.name in cells else None
    if asks is None:
        return 0, []  # `_notebook` reports this
    before = _before(notebook, own, check.name)
    cases = check.cases(generator(0, check))
    rubric = check.rubric(cases)
    if noticed(check, cases, rubric, before, asks[1], own[check.name]):
        raise ValueError(
            f"{check.name}: the solution itself does not pass, so its mutants prove nothing."
        )
    tried = [each for each in mutants(own[check.name]) if (check.name, each[0]) not in known]
    missed = [
        what for what, text in tried if not noticed(check, cases, rubric, before, asks[1], text)
    ]
    return len(tried), missed


def _before(notebook: NotebookNode, own: dict[str, str], task: str) -> list[str]:
    """The source of all code cells before a task's check, with the solution `own` in them.

    Checks are left out, and so is the task's own answer.
    """
    found = []
    for cell in notebook.cells:
        name = grade_id(cell)
        if name == task:
            break
        own_answer = name == f"{task}{ANSWER}"
        if cell.cell_type == "code" and asked_for(cell) is None and not own_answer:
            text = own[name.removesuffix(ANSWER)] if name.endswith(ANSWER) else cell.source
            found.append(text.replace("from autograder.check import check", "check = None"))
    return found


def equivalent(path: Path) -> set[tuple[str, str]]:
    """Reads the changes that change nothing; each line is `task: change`, as it is printed."""
    if not path.is_file():
        return set()
    lines = path.read_text(encoding="utf-8").splitlines()
    found = (re.fullmatch(r"(\w+): (.+)", line.strip()) for line in lines)
    return {(match[1], match[2]) for match in found if match}
