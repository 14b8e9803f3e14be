"""Observers: executed at the time of asking, in a namespace of their own."""

import json
import random

import numpy as np
import pytest
import torch

from autograder.judging.evidence import read_evidence
from autograder.judging.rubric import Section
from autograder.judging.verdict import Status, judge
from autograder.kernel import asking
from autograder.kernel.evidence import write_evidence
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
