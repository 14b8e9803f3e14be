"""Mutation score: small changes to the notebooks' own solutions, and whether the cases notice.

Run this file as a program to see the scores and the survivors.
"""

import pytest

from autograder.authoring.mutants import mutants
from autograder.authoring.proof import equivalent, survivors
from autograder.spec import FunctionCheck
from exercises.bank import EXERCISES, checks, solution, source

LEAST = 0.98
CHECKS = {path.stem: checks(path.stem) for path in sorted((EXERCISES / "checks").glob("*.py"))}
KNOWN = {name: equivalent(EXERCISES / "bank" / name / "equivalent.txt") for name in CHECKS}
TASKS = [
    (assignment, name)
    for assignment, checks in CHECKS.items()
    for name, check in checks.items()
    if isinstance(check, FunctionCheck)
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("assignment", "name"), [pytest.param(*task, id=f"{task[0][:3]}-{task[1]}") for task in TASKS]
)
def test_the_cases_notice_mutants(assignment: str, name: str) -> None:
    tried, missed = survivors(source(assignment), CHECKS[assignment][name], KNOWN[assignment])
    assert tried >= 5
    assert len(missed) <= (1 - LEAST) * tried, missed


def test_what_is_called_equivalent_still_exists() -> None:
    described = {
        (name, what)
        for assignment, name in TASKS
        for what, _ in mutants(solution(source(assignment))[name])
    }
    assert set().union(*KNOWN.values()) <= described


if __name__ == "__main__":
    total = caught = 0
    for assignment, name in TASKS:
        tried, missed = survivors(source(assignment), CHECKS[assignment][name], KNOWN[assignment])
        total, caught = total + tried, caught + tried - len(missed)
        print(f"{name}: {tried - len(missed)} of {tried}", flush=True)
        for what in missed:
            print("   ", what, flush=True)
    print(f"{caught} of {total} noticed; {sum(map(len, KNOWN.values()))} change nothing")
