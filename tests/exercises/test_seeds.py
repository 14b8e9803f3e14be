"""The verdict does not hang on what a submission happens to draw.

The suite tries some mutants under two seeds, and test_checks.py the bank. Run this file as a
program with a number of seeds, or with the first and the one after the last as in `50-100`, and the
beginnings of the names of tasks if not all are meant, to try wheats, chaffs and all mutants.
"""

import contextlib
import io
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, lru_cache, partial
from itertools import chain, islice
from types import CodeType
from typing import Any

import pytest

from autograder.authoring.mutants import mutants
from autograder.judging.evidence import decode_outcome
from autograder.judging.verdict import judge
from autograder.kernel.asking import observe
from autograder.kernel.evidence import Outcome, encode_outcome
from autograder.questions import generator, question
from autograder.spec import FunctionCheck
from exercises.bank import EXERCISES, checks, entries, grade_id, solution, source

TASKS = [
    (path.stem, name)
    for path in sorted((EXERCISES / "checks").glob("*.py"))
    for name, check in checks(path.stem).items()
    if isinstance(check, FunctionCheck)
]
FEW = range(2)  # seeds
Make = Callable[[], object]  # makes anew what is asked: what one seed asks, no other one remembers
SOME = {"fit_one_peak": 24}  # the suite tries one of so many mutants, of other tasks one of 3


def answers(assignment: str, name: str) -> Iterator[tuple[str, Make]]:
    """What is asked, of the solution and the bank."""
    own = solution(source(assignment))
    for entry in entries(assignment):
        if entry.name != "stub" and (entry.name == "solution" or entry.answers[name] != own[name]):
            before = [text for task, text in entry.answers.items() if task != name]
            yield entry.name, partial(defined, assignment, name, [*before, entry.answers[name]])


def changed(assignment: str, name: str, every: int = 1) -> Iterator[tuple[str, Make]]:
    """What is asked, of one of `every` mutants of the solution."""
    own = solution(source(assignment))
    others = [text for task, text in own.items() if task != name]
    for what, text in islice(mutants(own[name]), 0, None, every):
        yield what, partial(defined, assignment, name, [*others, text])


def defined(assignment: str, name: str, texts: list[str]) -> object:
    """What a task asks for, as answers define it."""
    cells, space = sources(assignment), {}
    try:
        for text in (cells.get("setup", ""), cells.get(f"{name}_given", ""), *texts):
            exec(compiled(text), space)
    except Exception:
        return None
    return space.get(cells[name].rsplit(",", 1)[1].strip(" )"))


@cache
def sources(assignment: str) -> dict[str, str]:
    """The notebook's cells by name."""
    return {grade_id(cell): cell.source for cell in source(assignment).cells}


@lru_cache
def compiled(text: str) -> CodeType:
    """An answer, or a cell that comes before it."""
    return compile(text, "<answer>", "exec")


def differing(
    assignment: str, name: str, seeds: Sequence[int], tried: Iterable[tuple[str, Make]]
) -> tuple[int, list[tuple[str, set]]]:
    """How many answers were tried, and whose points or hint differ between seeds, with what."""
    check = checks(assignment)[name]
    asked = [check.cases(generator(seed, check)) for seed in seeds]
    fixed, found, count = len(check.fixed), [], 0
    rubrics = [check.rubric(cases) for cases in asked]
    drawn = [question(check, cases[fixed:-1]) for cases in asked]
    same = question(check, [*check.fixed, asked[0][-1]])
    for count, (what, make) in enumerate(tried, 1):  # noqa: B007
        *known, again = seen(make(), same)
        got = set()
        for rubric, questions in zip(rubrics, drawn, strict=True):
            verdict = judge(rubric, [*known, *seen(make(), questions), again])
            got.add((verdict.points, verdict.misconception))
        if len(got) > 1:
            found.append((what, got))
    return count, found


def seen(value: object, asked: dict[str, Any]) -> list[Outcome]:
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        outcomes = observe(value, asked)
    return [decode_outcome(encode_outcome(outcome)) for outcome in outcomes]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("assignment", "name"), [pytest.param(*task, id=f"{task[0][:3]}-{task[1]}") for task in TASKS]
)
def test_the_verdict_does_not_hang_on_the_seed(assignment: str, name: str) -> None:
    tried, found = differing(assignment, name, FEW, changed(assignment, name, SOME.get(name, 3)))
    assert tried
    assert found == []


if __name__ == "__main__":
    first, _, last = sys.argv[1].rpartition("-")
    for assignment, name in TASKS:
        if name.startswith(tuple(sys.argv[2:]) or ""):
            everything = chain(answers(assignment, name), changed(assignment, name))
            seeds = range(int(first or 0), int(last))
            tried, found = differing(assignment, name, seeds, everything)
            print(f"{name}: {len(found)} of {tried} answers differ", flush=True)
            for what, got in found:
                print("   ", what, got, flush=True)
