"""Hints that are never false: what explains every failure is named, and nothing else."""

import json
from dataclasses import replace

import numpy as np
import pytest

from autograder.judging.agreement import agrees
from autograder.judging.explanation import _gist, _left
from autograder.judging.rubric import Expectation, Rubric, Section, WrongWay
from autograder.judging.verdict import judge
from autograder.kernel.evidence import Outcome

SECTION = Section("1.2", "Measuring the mismatch", "http://book/1.2.html")
INF, NAN = float("inf"), float("nan")


def outcomes(*values: object) -> tuple[Outcome, ...]:
    return tuple(v if isinstance(v, Outcome) else Outcome("returned", v) for v in values)


def way(name: str, *values: object) -> WrongWay:
    return WrongWay(name, f"Think about {name}.", SECTION, outcomes(*values))


RUBRIC = Rubric(
    check="double",
    parts={"values": 3, "edges": 1},
    expected="twice the number",
    section=SECTION,
    expectations=(
        Expectation("two", "values", True, Outcome("returned", 4.0), 1e-6),
        Expectation("three", "values", True, Outcome("returned", 6.0), 1e-6),
        Expectation("five", "values", False, Outcome("returned", 10.0), 1e-6),
        Expectation("edge", "edges", True, Outcome("returned", 0.0)),
        Expectation("other edge", "edges", False, Outcome("returned", INF)),
    ),
    wrong_ways=(
        way("square", 4.0, 9.0, 25.0, 0.0, INF),
        way("identity", 2.0, 3.0, 5.0, 0.0, INF),
        way("edge_is_nan", 4.0, 6.0, 10.0, NAN, NAN),
        way("all_nan", NAN, NAN, NAN, NAN, NAN),
        way("raises", *[Outcome("raised", None, "RuntimeError", "3 is no leaf")] * 5),
    ),
)
RAISED = Outcome("raised", None, "RuntimeError", "a dtype does not fit")


@pytest.mark.parametrize(
    ("values", "name", "whole"),
    [
        ((4.0, 9.0, 25.0, 0.0, INF), "square", True),
        ((2.0, 3.0, 5.0, 0.0, INF), "identity", True),
        ((4.0, 6.0, 10.0, NAN, NAN), "edge_is_nan", True),
        # An edge explains nothing of an answer that is wrong elsewhere.
        ((7.0, 7.0, 7.0, NAN, NAN), None, None),
        ((4.0, 6.0, 7.0, NAN, NAN), None, None),
        # What is right where the misconception is wrong has not made it.
        ((4.0, 9.0, 10.0, 0.0, INF), None, None),
        ((2.0, 6.0, 5.0, 0.0, INF), None, None),
        # Two things: the first part is explained, an edge or a hidden case is not.
        ((2.0, 3.0, 5.0, NAN, NAN), "identity", False),
        ((2.0, 3.0, RAISED, 0.0, INF), "identity", False),
        ((2.0, RAISED, 5.0, 0.0, INF), None, None),
        # NaN comes about in many ways, an exception's class too.
        ((NAN, NAN, NAN, NAN, NAN), "all_nan", True),
        ((NAN, NAN, NAN, 0.0, 1.0), None, None),
        ((RAISED,) * 5, None, None),
        ((Outcome("raised", None, "RuntimeError", "4 is no leaf"),) * 5, "raises", True),
    ],
)
def test_an_explanation_accounts_for_every_failure(values, name, whole) -> None:
    verdict = judge(RUBRIC, list(outcomes(*values)))
    assert verdict.misconception == name
    if name:
        assert verdict.hint.endswith(f"Think about {name}.")
        assert verdict.hint.startswith("One thing that is off") is not whole
    else:
        assert verdict.hint is None


def test_two_things_are_told_from_more_than_two_cases() -> None:
    """One wrong case may come to what many mistakes come to: a λ that fell once too often."""
    more = replace(
        RUBRIC,
        expectations=(
            Expectation("one", "values", True, Outcome("returned", 2.0), 1e-06),
            *RUBRIC.expectations,
        ),
        wrong_ways=(way("square", 2.0, 4.0, 9.0, 25.0, 0.0, INF),),
    )
    verdict = judge(more, list(outcomes(2.0, 4.0, 9.0, 7.0, 0.0, INF)))
    assert verdict.named is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "f() takes 1 positional argument but 2 were given",
            "A.g() takes 1 positional argument but 3 were given",
        ),
        (
            "property 'value' of 'A' object has no setter",
            "property 'value' of 'B' object has no setter",
        ),
        (
            "C.__init__() got an unexpected keyword argument 'a'",
            "D.__init__() got an unexpected keyword argument 'b'",
        ),
        ("float division by zero", "division by zero"),
        ("'A' object has no attribute 'x'", "'B' object has no attribute 'x'"),
    ],
)
def test_what_students_name_is_no_part_of_an_exception(one: str, other: str) -> None:
    assert _gist(one) == _gist(other)
    assert _gist("'A' object has no attribute 'x'") != _gist("'A' object has no attribute 'y'")


def test_a_hint_of_two_things_is_not_called_one_thing() -> None:
    two = replace(RUBRIC.wrong_ways[1], hint="At least two things are off. Think, and think.")
    rubric = replace(RUBRIC, wrong_ways=(two,))
    verdict = judge(rubric, list(outcomes(2.0, 3.0, 5.0, NAN, NAN)))
    assert verdict.hint == two.hint


def test_of_two_that_explain_the_same_neither_is_named() -> None:
    rubric = replace(RUBRIC, wrong_ways=(way("one", 1, 2, 3, 0, INF), way("two", 1, 2, 3, 0, INF)))
    assert judge(rubric, list(outcomes(1, 2, 3, 0, INF))).misconception is None
    rubric = replace(RUBRIC, wrong_ways=(way("one", 1, 2, 3, 0, INF),) * 2)
    assert judge(rubric, list(outcomes(1, 2, 3, 0, INF))).misconception == "one"


def test_rounding_refutes_no_misconception() -> None:
    """An answer that is just right where the misconception is just wrong may have made it."""
    rubric = replace(RUBRIC, wrong_ways=(way("shifted", 4.1, 6.0 + 1.2e-6, 10.0, 0.0, INF),))
    assert judge(rubric, list(outcomes(4.1, 6.0 + 8e-7, 10.0, 0.0, INF))).misconception == "shifted"
    assert judge(rubric, list(outcomes(4.1, 6.0, 10.0, 0.0, INF))).misconception is None


def test_the_public_check_says_nothing_that_grading_takes_back() -> None:
    """Of all answers that mix the values of misconceptions, and NaN, and what is right."""
    public = [index for index, e in enumerate(RUBRIC.expectations) if e.public]
    shown = replace(
        RUBRIC,
        expectations=tuple(RUBRIC.expectations[i] for i in public),
        wrong_ways=tuple(
            replace(each, outcomes=tuple(each.outcomes[i] for i in public))
            for each in RUBRIC.wrong_ways
        ),
    )
    columns = [{json.dumps(w.outcomes[i].value): w.outcomes[i] for w in RUBRIC.wrong_ways}
               for i in range(5)]  # fmt: skip
    rng = np.random.default_rng(0)
    spoken = 0
    for _ in range(6000):
        answer = [
            list(column.values())[rng.integers(len(column))]
            if rng.random() < 0.7
            else expectation.outcome
            for column, expectation in zip(columns, RUBRIC.expectations, strict=True)
        ]
        before = judge(shown, [answer[i] for i in public])
        after = judge(RUBRIC, answer)
        if before.misconception and not before.named:
            assert after.misconception  # what is seen stays true, and may be explained
        elif before.named and after.named:
            spoken += 1
            assert before.named == after.named
    assert spoken > 100


def test_what_comes_to_the_same_is_never_passed_over_for_its_sum() -> None:
    """Lists for arrays, infinities, NaN, large results and texts included."""
    rng = np.random.default_rng(0)
    base = rng.normal(size=(3, 4))
    kinds = [
        1.5,
        np.array([True, False]),
        base,
        base.tolist(),
        [base, 2.0],
        base * 1e12,
        [],
        np.zeros(0),
        np.where(base > 0, INF, base),
        np.where(base > 0, NAN, base),
        {"loss": base},
        ["forward", "reverse"],
        None,
    ]
    tolerance = 1e-6
    expectation = Expectation("a case", "values", True, Outcome("returned", base), tolerance)
    rubric = replace(
        RUBRIC,
        expectations=(expectation,),
        wrong_ways=tuple(way(str(place), value) for place, value in enumerate(kinds)),
    )
    ways, column = np.arange(len(kinds)), rubric.columns[0]
    for place, value in enumerate(kinds):
        (came,) = outcomes(value + 0.99 * tolerance if value is base else value)
        found = _left(rubric, came, 0, ways, False).tolist()
        reached = zip(rubric.wrong_ways, column.reach, strict=True)
        assert place in found, value
        assert found == [
            n for n, (way, by) in enumerate(reached) if agrees(came, way.outcomes[0], by)
        ]
    assert not _left(rubric, *outcomes(base + 1), 0, ways, False).size
