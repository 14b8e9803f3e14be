"""The verdict does not hang on what a submission happens to draw.

Wheats, chaffs and mutants are judged under several seeds. The suite tries the bank and some mutants
under two. Run this file as a program with a number of seeds, and the beginnings of the names of
tasks if not all are meant, to try all mutants under more.
"""

import contextlib
import io
import sys
import warnings
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from autograder.authoring.mutants import mutants
from autograder.judging.evidence import decode_outcome
from autograder.judging.verdict import judge
from autograder.kernel.asking import observe
from autograder.kernel.evidence import Outcome, encode_outcome
from autograder.spec import FunctionCheck, generator, load_checks, question
from exercises.bank import EXERCISES, entries, grade_id, solution, source

TASKS = [
    (path.stem, name)
    for path in sorted((EXERCISES / "checks").glob("*.py"))
    for name, check in load_checks(path).items()
    if isinstance(check, FunctionCheck)
]
FEW = 2  # seeds
SOME = {"fit_one_peak": 24}  # the suite tries one of so many mutants, of other tasks one of 3


def answers(assignment: str, name: str, every: int = 1) -> Iterator[tuple[str, object]]:
    """What is asked, of the solution, the bank and one of `every` mutants of the solution."""
    cells = {grade_id(cell): cell.source for cell in source(assignment).cells}
    given = "\n".join(cells.get(part, "") for part in ("setup", f"{name}_given"))
    asked_for = cells[name].rsplit(",", 1)[1].strip(" )")
    own = solution(source(assignment))
    for entry in entries(assignment):
        if entry.name != "stub" and (entry.name == "solution" or entry.answers[name] != own[name]):
            before = [text for task, text in entry.answers.items() if task != name]
            yield entry.name, defined([given, *before, entry.answers[name]], asked_for)
    for what, text in islice(mutants(own[name]), 0, None, every):
        yield what, defined([given, *(own[task] for task in own if task != name), text], asked_for)


def defined(texts: list[str], name: str) -> object:
    space: dict = {}
    try:
        for text in texts:
            exec(compile(text, "<answer>", "exec"), space)
    except Exception:
        return None
    return space.get(name)


def differing(assignment: str, name: str, seeds: int, every: int = 1) -> list[tuple[str, set]]:
    """Answers whose points or hint differ between seeds, with what they got."""
    check = load_checks(EXERCISES / "checks" / f"{assignment}.py")[name]
    asked = [check.cases(generator(seed, check)) for seed in range(seeds)]
    fixed, found = len(check.fixed), []
    rubrics = [check.rubric(cases) for cases in asked]
    drawn = [question(check, cases[fixed:-1]) for cases in asked]
    same = question(check, [*check.fixed, asked[0][-1]])
    for what, value in answers(assignment, name, every):
        *known, again = seen(value, same)
        got = set()
        for rubric, questions in zip(rubrics, drawn, strict=True):
            verdict = judge(rubric, [*known, *seen(value, questions), again])
            got.add((verdict.points, verdict.misconception))
        if len(got) > 1:
            found.append((what, got))
    return found


def seen(value: object, asked: dict[str, Any]) -> list[Outcome]:
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        outcomes = observe(value, asked)
    return [decode_outcome(encode_outcome(outcome)) for outcome in outcomes]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("assignment", "name"), [pytest.param(*task, id=task[1]) for task in TASKS]
)
def test_the_verdict_does_not_hang_on_the_seed(assignment: str, name: str) -> None:
    assert differing(assignment, name, FEW, SOME.get(name, 3)) == []


if __name__ == "__main__":
    for assignment, name in TASKS:
        if name.startswith(tuple(sys.argv[2:]) or ""):
            found = differing(assignment, name, int(sys.argv[1]))
            print(f"{name}: {len(found)} answers differ", flush=True)
            for what, got in found:
                print("   ", what, got, flush=True)
