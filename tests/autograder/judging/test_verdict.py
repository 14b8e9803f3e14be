"""Verdicts: points by part, statuses that tell apart, and the misconception that explains."""

import json
from dataclasses import replace

import numpy as np
import pytest

from autograder.judging.agreement import same
from autograder.judging.evidence import Refused
from autograder.judging.rubric import (
    Expectation,
    Rubric,
    Section,
    WrongWay,
    rubric_from_data,
    rubric_to_data,
)
from autograder.judging.verdict import Status, judge, marked, public_notes, told, unjudged
from autograder.kernel.evidence import Outcome

SECTION = Section("1.2", "Measuring the mismatch", "http://book/1.2.html")
OTHER = Section("1.3", "Which way round?", "http://book/1.3.html")


def returned(*values: object) -> list[Outcome]:
    return [Outcome("returned", value) for value in values]


def way(name: str, *values: object) -> WrongWay:
    return WrongWay(name, f"Think about {name}.", OTHER, tuple(returned(*values)))


RUBRIC = Rubric(
    check="double",
    parts={"values": 3, "edges": 1},
    expected="twice the number",
    section=SECTION,
    expectations=(
        Expectation("two", "values", True, Outcome("returned", 4.0), 1e-6),
        Expectation("three", "values", False, Outcome("returned", 6.0), 1e-6),
        Expectation("infinity", "edges", False, Outcome("returned", float("inf"))),
    ),
    wrong_ways=(
        way("square", 4.0, 9.0, float("inf")),
        way("identity", 2.0, 3.0, float("inf")),
        way("overflow", 4.0, 6.0, float("nan")),
        way("square_and_overflow", 4.0, 9.0, float("nan")),
    ),
)
CHOICE = Rubric(
    check="which",
    parts={"answer": 2},
    expected="what happens",
    section=SECTION,
    expectations=(Expectation("your answer", "answer", True, Outcome("returned", "b")),),
    wrong_ways=(way("chose_a", "a"),),
    allowed=("a", "b"),
)


@pytest.mark.parametrize(
    ("values", "points", "misconception"),
    [
        ((4.0, 6.0, float("inf")), 4, None),
        ((4.0 + 9e-7, 6, float("inf")), 4, None),
        ((4.0, 6.0, 1e300), 3, None),
        ((4.0, 6.0, float("nan")), 3, "overflow"),
        ((4.0, 9.0, float("inf")), 0, "square"),
        ((4.0, 9.0, float("nan")), 0, "square_and_overflow"),
        ((2.0, 3.0, float("inf")), 0, "identity"),
        ((2.0, 3.0, 7.0), 0, "identity"),
        ((2.0, 9.0, float("inf")), 0, "identity"),
        ((0.0, 0.0, 0.0), 0, None),
        ((4.1, 6.0, float("inf")), 0, None),
    ],
)
def test_points_and_misconceptions(values: tuple, points: float, misconception: str) -> None:
    verdict = judge(RUBRIC, returned(*values))
    assert verdict.points == points == sum(verdict.parts.values())
    assert verdict.misconception == misconception
    assert verdict.status is (Status.CORRECT if points == 4 else Status.WRONG)
    assert verdict.section == (OTHER if misconception else SECTION)


def test_a_misconception_that_no_case_tells_apart_is_never_named() -> None:
    same_as_right = way("nothing", 4.0, 6.0, float("inf"))
    rubric = replace(RUBRIC, wrong_ways=(same_as_right,))
    assert judge(rubric, returned(1.0, 1.0, 1.0)).misconception is None


@pytest.mark.parametrize(
    ("outcome", "status", "word"),
    [
        (Outcome("raised", None, "ValueError", "secret input"), Status.RAISED, "ValueError"),
        (Outcome("raised", None, "Leak_4_6_inf", ""), Status.RAISED, "an exception"),
        (Outcome("raised", None, "NotImplementedError", ""), Status.NOT_RUN, "written"),
        (
            Outcome("raised", None, "NotImplementedError", "\"exp\" not implemented for 'Long'"),
            Status.RAISED,
            "It raised NotImplementedError",
        ),
        (Outcome("raised", None, "MemoryError", ""), Status.OUT_OF_MEMORY, "memory"),
        (
            Outcome("raised", None, "RuntimeError", "[enforce fail] can't allocate memory"),
            Status.OUT_OF_MEMORY,
            "memory",
        ),
        (Outcome("unsupported", None, "set"), Status.WRONG, "a set, which cannot be judged"),
        (Outcome("unsupported", None, "Leak_4_6_inf"), Status.WRONG, "It returned something,"),
        (Outcome("returned", None), Status.WRONG, "return statement"),
        (Outcome("returned", "4"), Status.WRONG, "returned text where a number was asked for"),
        (Outcome("returned", np.ones(1)), Status.WRONG, "a tensor with 1 axis where a number"),
        (
            Outcome("raised", None, "TypeError", "unsupported operand: 'NoneType' and 'int'"),
            Status.RAISED,
            "return statement",
        ),
        *(
            (Outcome("raised", None, kind, message), Status.RAISED, "a power is `**`")
            for kind, message in (
                ("TypeError", "unsupported operand type(s) for ^: 'float' and 'int'"),
                ("NotImplementedError", "\"bitwise_xor_cpu\" not implemented for 'Float'"),
            )
        ),
    ],
)
def test_statuses(outcome: Outcome, status: Status, word: str) -> None:
    verdict = judge(RUBRIC, [outcome] * 3)
    assert (verdict.status, verdict.points) == (status, 0)
    assert word in verdict.message


def test_a_verdict_repeats_nothing_of_the_students_process() -> None:
    leak = "4.0-6.0-inf"
    for outcome in (
        Outcome("raised", None, leak, leak),
        Outcome("unsupported", None, leak),
        Outcome("returned", leak),
    ):
        verdict = judge(RUBRIC, [outcome] * 3)
        assert leak not in json.dumps(verdict.to_data()) + verdict.to_html() + verdict.to_text()


@pytest.mark.parametrize(
    ("value", "status", "points", "misconception"),
    [
        ("b", Status.CORRECT, 2, None),
        (" B\n", Status.CORRECT, 2, None),
        ("a", Status.WRONG, 0, "chose_a"),
        ("c", Status.WRONG, 0, None),
        (["b"], Status.WRONG, 0, None),
        (True, Status.WRONG, 0, None),
        (None, Status.NOT_RUN, 0, None),
    ],
)
def test_choices(value: object, status: Status, points: float, misconception: str) -> None:
    verdict = judge(CHOICE, returned(value))
    assert (verdict.status, verdict.points, verdict.misconception) == (
        status,
        points,
        misconception,
    )


def test_a_withheld_answer_is_recorded_and_earns_nothing() -> None:
    withheld = replace(CHOICE.expectations[0], outcome=None)
    rubric = replace(CHOICE, expectations=(withheld,), wrong_ways=())
    for value in ("a", "b"):
        verdict = judge(rubric, returned(value))
        assert (verdict.status, verdict.points) == (Status.RECORDED, 0)
    assert "one of 'a', 'b'" in judge(rubric, returned("c")).message


def test_a_part_without_cases_earns_nothing() -> None:
    rubric = replace(RUBRIC, parts={"values": 3, "edges": 1, "forgotten": 2})
    assert judge(rubric, returned(4.0, 6.0, float("inf"))).points == 4


@pytest.mark.parametrize(
    ("value", "wanted", "agree"),
    [
        (np.float32([1, 2]), np.array([1.0, 2.0]), True),
        (np.array([1.0, 2.0]), np.array([[1.0, 2.0]]), False),
        (np.array(3.0), 3, True),
        (True, 1, False),
        (np.array([True]), np.array([1.0]), False),
        (np.array([np.nan, np.inf]), np.array([np.nan, np.inf]), True),
        (np.array([np.inf]), np.array([-np.inf]), False),
        (np.array([np.nan]), np.array([1.0]), False),
        ("1", 1, False),
        ([1, "a"], [1.0, "A"], True),
        ([1], [1, 2], False),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": 1}, {"b": 1}, False),
        (None, None, True),
        (None, 0, False),
        ("", None, False),
    ],
    ids=repr,
)
def test_same(value: object, wanted: object, agree: bool) -> None:
    assert same(value, wanted, 1e-6) is agree


def test_a_rubric_survives_its_data() -> None:
    for rubric in (RUBRIC, CHOICE):
        text = json.dumps(rubric_to_data(rubric), allow_nan=False)
        back = rubric_from_data(json.loads(text))
        assert rubric_to_data(back) == json.loads(text)
        assert judge(back, returned(*[4.0] * len(rubric.expectations))) == judge(
            rubric, returned(*[4.0] * len(rubric.expectations))
        )


@pytest.mark.parametrize("data", [{}, {"check": "x"}, {**rubric_to_data(CHOICE), "section": 1}])
def test_other_data_is_not_a_rubric(data: dict) -> None:
    with pytest.raises(Refused, match="not a rubric"):
        rubric_from_data(data)


def test_words_and_page_show_hint_and_section() -> None:
    verdict = judge(RUBRIC, returned(4.0, 9.0, float("inf")))
    for words in (verdict.to_text(), verdict.to_html()):
        for word in ("double", "wrong", "0 of 4", "Think about square.", "twice", OTHER.url):
            assert word in words


def test_pages_escape_what_they_show() -> None:
    verdict = unjudged(RUBRIC, Status.DIED, "<script>alert(1)</script>")
    assert "<script>" not in verdict.to_html()
    assert verdict.title == "double: no result (died) · 0 of 4 points"
    assert told(verdict).title == "double: no result · 0 of 4 points"
    assert verdict.points == 0
    assert verdict.parts == {"values": 0, "edges": 0}


def test_code_and_stress_are_marked_up() -> None:
    assert marked("Is `a < b` *not* 2*x*3?") == "Is <code>a &lt; b</code> <em>not</em> 2*x*3?"


def test_public_notes_show_what_was_expected_and_what_came() -> None:
    (note,) = public_notes(RUBRIC, returned(5.0, 6.0, float("inf")))
    assert note.to_text() == "two: expected 4, got 5."


def test_where_an_exception_is_right_the_words_are_true() -> None:
    refused = replace(RUBRIC.expectations[0], outcome=Outcome("raised", None, "ValueError", "no"))
    rubric = replace(RUBRIC, expectations=(refused, *RUBRIC.expectations[1:]), wrong_ways=())
    right = returned(6.0, float("inf"))
    verdict = judge(rubric, [*returned(4.0), *right])
    assert "where None was asked for" not in verdict.message
    other, known = (Outcome("raised", None, kind) for kind in ("KeyError", "TypeError"))
    verdict = judge(rubric, [other, *right])
    assert verdict.status is Status.RAISED
    assert verdict.message == "It raised KeyError where another exception was expected."
    verdict = judge(rubric, [other, known, right[1]])
    assert verdict.message == "It raised TypeError where a result was expected."
