"""Observers: executed at the time of asking, in a namespace of their own."""

import json

import pytest

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
