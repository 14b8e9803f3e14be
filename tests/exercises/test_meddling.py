"""An answer that is right and changes what it was given is not right: that is used again.

Labels and lists belong to whoever asks, in every task; a model does where the text says so.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import wraps
from typing import Any

import pytest
import torch

from autograder.judging.verdict import judge
from autograder.questions import generator, question
from autograder.spec import FunctionCheck
from exercises.bank import EXERCISES, checks
from tests.exercises.test_seeds import answers, seen

MEASURED = {"evaluate"}  # tasks whose model is left as it came
UNORDERED = {"on_policy_step"}  # tasks whose lists come to the same turned round


def given(values: Any, kind: type) -> Iterator[Any]:
    if isinstance(values, kind):
        yield values
    if isinstance(values, dict):
        values = list(values.values())
    if isinstance(values, list | tuple):
        for value in values:
            yield from given(value, kind)


def relabel(values: Any) -> bool:
    labels = [each for each in given(values, torch.Tensor) if not each.is_floating_point()]
    for each in labels:
        each[each == -100] = 0
        each += 1
    return bool(labels)


def use_up(values: Any) -> bool:
    lists = [each for each in given(values, list) if each]
    for each in lists:
        each.pop()
    return bool(lists)


def turn_round(values: Any) -> bool:
    lists = [each for each in given(values, list) if len(each) > 1]
    for each in lists:
        each.reverse()
    return bool(lists)


def freeze(values: Any) -> bool:
    models = list(given(values, torch.nn.Module))
    for each in models:
        each.requires_grad_(False)
    return bool(models)


def switch(values: Any) -> bool:
    models = list(given(values, torch.nn.Module))
    for each in models:
        each.train(not each.training)
    return bool(models)


TASKS = [
    (path.stem, check)
    for path in sorted((EXERCISES / "checks").glob("*.py"))
    for check in checks(path.stem).values()
    if isinstance(check, FunctionCheck) and not any(case.calls for case in check.fixed)
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("assignment", "check"), TASKS, ids=[f"{name[:3]}-{check.name}" for name, check in TASKS]
)
def test_who_changes_what_he_is_given_loses_points(assignment: str, check: FunctionCheck) -> None:
    meddling = [relabel, use_up]
    if check.name not in UNORDERED:
        meddling.append(turn_round)
    if check.name in MEASURED:
        meddling += [freeze, switch]
    right = next(make() for what, make in answers(assignment, check.name) if what == "solution")
    cases = check.cases(generator(0, check))
    # Points alone are wanted, which do not hang on misconceptions.
    rubric, asked = replace(check.rubric(cases), wrong_ways=()), question(check, cases)

    def points(meddle: Callable[[Any], bool]) -> tuple[float, bool]:
        """What a right answer gets that meddles with its arguments, and whether it had any to."""
        meddled = False

        @wraps(right)
        def changed(*args: Any, **kwargs: Any) -> Any:
            nonlocal meddled
            result = right(*args, **kwargs)
            meddled |= meddle((*args, *kwargs.values()))
            return result

        return judge(rubric, seen(changed, asked)).points, meddled

    assert points(lambda values: False) == (rubric.max_points, False)
    for meddle in meddling:
        found, meddled = points(meddle)
        assert found < rubric.max_points or not meddled, meddle.__name__
