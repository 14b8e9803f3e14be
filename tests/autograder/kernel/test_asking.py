"""Observers: executed at the time of asking, in a namespace of their own."""

import json
import random
from types import ModuleType

import numpy as np
import pytest
import torch

from autograder.judging.evidence import read_evidence
from autograder.judging.rubric import Section
from autograder.judging.verdict import Status, judge
from autograder.kernel import asking
from autograder.kernel.evidence import CHANGED, write_evidence
from autograder.questions import public_data, question
from autograder.spec import Call, Case, FunctionCheck, Observer

LOOK = Observer(
    """
seen = []


class Box:
    def __init__(self, value):
        self.value = value


def look(function, value):
    box = Box(value)
    function(box)
    seen.append(box.value)
    return [box.value, len(seen) <= 4]  # one, two, and one asked again
""",
    "look",
)


def check(**options: object) -> FunctionCheck:
    settings = {
        "name": "double",
        "parts": {"values": 1},
        "expected": "a box with twice its value",
        "section": Section("1", "", ""),
        "reference": lambda value: [2 * value, True],
        "fixed": (Case("one", (1,), public=True), Case("two", (2,))),
        "observer": LOOK,
    }
    return FunctionCheck(**(settings | options))


def judged(function: object) -> Status:
    made = check()
    cases = made.cases()
    asked = json.loads(json.dumps(question(made, cases)))
    text = write_evidence("double", "n", asking.observe(function, asked))
    outcomes = read_evidence(text, check="double", nonce="n", count=len(cases))
    return judge(made.rubric(cases), outcomes).status


def double(box) -> None:
    box.value *= 2


def test_an_observer_calls_the_function_and_its_findings_are_judged() -> None:
    assert judged(double) is Status.CORRECT
    assert judged(double) is Status.CORRECT  # its namespace is new each time
    assert judged(lambda box: [2, True]) is Status.WRONG  # what is returned is no answer here
    assert judged(7) is Status.WRONG


def test_an_observer_ships_with_the_public_cases() -> None:
    data = public_data([check()])["double"]
    assert data["observer"] == [LOOK.source, "look"]
    assert len(data["cases"]) == 2  # the second asks the first again


def test_what_an_observer_names_is_found_nowhere_else() -> None:
    before = set(vars(asking))
    judged(double)
    assert set(vars(asking)) == before
    assert "Box" not in globals()


def test_a_case_with_calls_has_no_observer() -> None:
    with pytest.raises(ValueError, match="not both"):
        check(fixed=(Case("one", (1,), calls=(Call("value"),)),))


def throws(value: int) -> list[float]:
    return [random.random(), np.random.rand(), torch.rand(()).item()]  # noqa: NPY002


def test_who_throws_dice_gets_the_same_verdict_each_time() -> None:
    made = check(reference=throws, observer=None)
    asked = json.loads(json.dumps(question(made, made.cases())))
    seen = []
    for number in range(2):
        asking.seed(number)
        going_on = throws(0)
        asking.seed(number)
        one, two, again = (outcome.value for outcome in asking.observe(throws, asked))
        seen.append([one, two, again])
        assert one != again  # it is still seen that there are dice
        assert throws(0) == going_on  # a notebook's own dice fall as if nothing had been asked
    assert seen[0] == seen[1]


def test_what_only_an_observer_is_told_is_not_told_to_students() -> None:
    made = check(fixed=(Case("one", (1,), public=True), Case("two", (2,), public=True)))
    assert not any(case.twins for case in made.public()[1].expectations)


def observed_with_right(source: str) -> list[object]:
    """What a function that calls `double` returns while a right one takes its place."""
    module = ModuleType("notebook")
    exec(f"import functools\nimport torch\ndef double(x): return 0\n{source}", module.__dict__)
    made = check(reference=lambda value: 4 * value, observer=None)
    asked = json.loads(json.dumps(question(made, made.cases())))
    right = {"double": ["double", "def double(x):\n    return 2 * x\n"]}
    seen = asking.observe_with(right, module.four, asked)
    assert module.double(1) == 0
    return [outcome.value for outcome in seen]


@pytest.mark.parametrize(
    "source",
    [
        "def four(x): return double(double(x))",
        "@torch.no_grad()\ndef four(x): return double(double(x))",
        "@functools.lru_cache\ndef four(x): return double(double(x))",
        "def any(n, x): return double(double(x))\nfour = functools.partial(any, 1)",
        "@torch.no_grad()\ndef f(n, x): return double(double(x))\nfour = functools.partial(f, 2)",
    ],
)
def test_right_functions_are_where_the_answer_looks_for_them(source: str) -> None:
    assert observed_with_right(source) == [4, 8, 4]
    assert not hasattr(torch.utils._contextlib, "double")


def test_tensors_are_given_back_wherever_they_lie_in_the_arguments() -> None:
    def in_place(x: object) -> torch.Tensor:
        (x,) = x.values() if isinstance(x, dict) else x
        return in_place(x) if isinstance(x, list | dict) else x.mul_(2)

    one = torch.tensor([1.0])
    for given in ([one], {"x": one}, {"x": [one]}, [{"x": one}]):
        made = check(fixed=(Case("one", (given,), public=True),), observer=None)
        asked = json.loads(json.dumps(question(made, made.cases())))
        assert [outcome.value.item() for outcome in asking.observe(in_place, asked)] == [2, 2]


def test_an_item_that_was_replaced_by_a_tensor_is_a_change() -> None:
    def replaces(x: list) -> int:
        x[0] = [torch.ones(1), [1]][len(x) - 1]
        return 1

    for given in ([2.0], [2, 3]):
        made = check(fixed=(Case("one", (given,), public=True),), observer=None)
        asked = json.loads(json.dumps(question(made, made.cases())))
        assert asking.observe(replaces, asked)[1].type == CHANGED
