"""Observations: what is certain of a wrong answer is told, from the public cases alone."""

import json
from dataclasses import replace

import numpy as np
import pytest

from autograder.judging.rubric import (
    Expectation,
    Rubric,
    Section,
    WrongWay,
    rubric_from_data,
    rubric_to_data,
)
from autograder.judging.verdict import judge
from autograder.kernel.evidence import Outcome

SECTION = Section("1.2", "Measuring the mismatch", "http://book/1.2.html")
FACTS = (
    {"T": 1.0, "V": 3, "N": 2, "T is not 1": False, "a label is missing": True},
    {"T": 2.0, "V": 4, "N": 3, "T is not 1": True, "a label is missing": False},
    {"T": 4.0, "V": 7, "N": 5, "T is not 1": True, "a label is missing": True},
)
RIGHT = (np.array([2.0, 0.0, 1.0]), np.array([5.0, 3.0]), np.array([7.0]))


def rubric(right=RIGHT, facts=FACTS, **options) -> Rubric:
    twins = options.pop("twins", {})
    return Rubric(
        check="task",
        parts={"values": 3},
        expected="numbers",
        section=SECTION,
        expectations=(
            *(
                Expectation(
                    f"case {at}",
                    "values",
                    True,
                    Outcome("returned", value),
                    1e-6,
                    facts=fact,
                    twins=tuple(twins.get(at, ())),
                )
                for at, (value, fact) in enumerate(zip(right, facts, strict=True))
            ),
            Expectation("hidden", "values", False, Outcome("returned", right[0]), 1e-6),
            Expectation("again", "values", True, Outcome("returned", right[0]), 1e-6, again=0),
        ),
        **options,
    )


def told(of: Rubric, *values: object, hidden: object = None, again: object = None) -> tuple:
    """The name and the words for what came to the public cases."""
    came = [
        v if isinstance(v, Outcome) else Outcome("returned", v)
        for v in (*values, hidden, values[0] if again is None else again)
    ]
    verdict = judge(of, came)
    return verdict.misconception, verdict.hint or ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x, f: -x, "of the wrong sign"),
        (lambda x, f: x / 2, "half the right one"),
        (lambda x, f: x / np.log(2), "bits"),
        (lambda x, f: x * f["T"], "multiplied by T."),
        (lambda x, f: x / f["V"], "divided by V."),
        (lambda x, f: x * f["N"] / f["V"], "multiplied by N and divided by V."),
        (lambda x, f: x * f["T"] ** 2, "multiplied by T twice."),
        (lambda x, f: x / f["T"] / f["N"], "divided by T and by N."),
        (lambda x, f: 2 * x / f["T"], "multiplied by 2 and divided by T."),
        (lambda x, f: x * 1.7, "by the same number in every public case"),
    ],
)
def test_a_factor_is_named(change, words: str) -> None:
    name, hint = told(rubric(), *(change(x, f) for x, f in zip(RIGHT, FACTS, strict=True)))
    assert name == "observed_factor"
    assert words in hint
    assert not any(
        character.isdigit() for character in hint.replace("by 2 and", "").replace("ln 2", "")
    )


def test_a_factor_that_two_facts_fit_is_not_named() -> None:
    facts = tuple({**fact, "W": fact["V"]} for fact in FACTS)
    came = [x / f["V"] for x, f in zip(RIGHT, FACTS, strict=True)]
    assert told(rubric(facts=facts), *came) == (None, "")
    # Nor is one that some numbers do not fit, or that only one case shows.
    assert told(rubric(), *came[:2], came[2] + 1)[0] != "observed_factor"
    zero = (np.zeros(3), np.zeros(2), RIGHT[2])
    assert told(rubric(zero), *zero[:2], RIGHT[2] * 2)[0] != "observed_factor"


def test_an_offset_is_named() -> None:
    assert told(rubric(), *(x + 1.5 for x in RIGHT)) == (
        "observed_offset",
        "Your result differs from the right one by the same number in every public case.",
    )
    name, hint = told(rubric(), *(x - f["T"] for x, f in zip(RIGHT, FACTS, strict=True)))
    assert (name, "minus T." in hint) == ("observed_offset", True)


def test_where_it_fails_is_told() -> None:
    raised = Outcome("raised", None, "RuntimeError", "shapes")
    for wrong, how in ((9.0, "is wrong"), (np.nan, "has NaN"), (raised, "raises an exception")):
        one, two = (wrong if isinstance(wrong, Outcome) else x * 0 + wrong for x in RIGHT[1:])
        name, hint = told(rubric(), RIGHT[0], one, two)
        assert name == "observed_where"
        assert how in hint
        assert hint.endswith("exactly where T is not 1.")
    assert told(rubric(), RIGHT[0], RIGHT[1] + 9, RIGHT[2])[0] is None  # nothing fits


def test_what_has_no_effect_and_what_should_have_none() -> None:
    twins = {1: [(0, "`T`")], 2: [(1, "the padding")]}
    right = (np.array([2.0, 1.0]), np.array([5.0, 3.0]), np.array([5.0, 3.0]))
    of = rubric(right, twins=twins)
    name, hint = told(of, right[0], right[0], right[0] + 1)
    assert (name, "`T` has no effect" in hint) == ("observed_unmoved", True)
    name, hint = told(of, right[0], right[1], right[1] + 1)
    assert (name, "the padding has an effect" in hint) == ("observed_moved", True)
    assert told(of, *[right[0]] * 3)[0] != "observed_unmoved"  # nothing at all has an effect


def test_the_region_that_is_wrong_is_told() -> None:
    zones = ([True, False, False], [False, True], [True])
    facts = tuple({**f, "of the first step": z} for f, z in zip(FACTS, zones, strict=True))
    came = [np.where(z, x + 3 + f["T"], x) for x, z, f in zip(RIGHT, zones, facts, strict=True)]
    name, hint = told(rubric(facts=facts), *came)
    assert (name, "but for those of the first step" in hint) == ("observed_zone", True)
    came[0][1] += 1
    assert told(rubric(facts=facts), *came)[0] != "observed_zone"


def test_chance_and_memory_are_told_first() -> None:
    assert told(rubric(), *(-x for x in RIGHT), again=RIGHT[0] * 3)[0] == "observed_again"


def test_of_lists_of_different_lengths_nothing_is_said() -> None:
    assert told(rubric(), *[[[[1.0], [1.0, 2.0]]]] * 3) == (None, "")


def test_signs_and_totals() -> None:
    rows = tuple(np.array(row) for row in ([0.25, 0.75], [0.5, 0.5], [1.0, 0.0]))
    assert told(rubric(rows), rows[0], rows[1] + [0.1, 0.2], rows[2])[0] == "observed_total"
    assert told(rubric(rows), rows[0], rows[1] + [-0.7, 0.7], rows[2])[0] == "observed_sign"


def test_one_wrong_part_of_a_pair_is_told_apart() -> None:
    pairs = tuple([float(n), float(n * n)] for n in (2, 3, 5))
    of = rubric(pairs, names=("LM", "KD"))
    name, hint = told(of, *([a, b * f["T"]] for (a, b), f in zip(pairs, FACTS, strict=True)))
    assert name == "observed_factor"
    assert hint.startswith(
        "In every public case `LM` is right, and `KD` not always."
    )  # where T is 1
    assert hint.endswith("multiplied by T.")
    assert told(of, *([a, b + a * a] for a, b in pairs))[0] in (
        "observed_component",
        "observed_factor",
    )
    assert told(of, *([a + 1, b + 2.0] for a, b in pairs))[0] is None


def test_hidden_cases_change_nothing_that_is_seen_and_a_misconception_goes_first() -> None:
    came = [-x for x in RIGHT]
    first = told(rubric(), *came, hidden=RIGHT[0])
    assert first == told(rubric(), *came, hidden=RIGHT[0] * 17) == told(rubric(), *came)
    known = WrongWay(
        "turned",
        "Turn it.",
        SECTION,
        tuple(Outcome("returned", x) for x in (*came, came[0], came[0])),
    )
    of = replace(rubric(), wrong_ways=(known,))
    assert told(of, *came, hidden=came[0]) == ("turned", "Turn it.")


def test_no_number_of_an_answer_reaches_the_words() -> None:
    """A kernel could choose it by what hidden cases ask: the words are one of a few."""
    rng = np.random.default_rng(1)
    words = {told(rubric(), *(x * rng.normal() for x in RIGHT))[1] for _ in range(200)}
    words |= {told(rubric(), *[x * number for x in RIGHT])[1] for number in rng.normal(size=200)}
    assert len(words) <= 4


def test_facts_travel_with_the_rubric() -> None:
    of = rubric(twins={1: [(0, "`T`")]})
    data = json.loads(json.dumps(rubric_to_data(of)))
    back = rubric_from_data(data)
    assert [e.facts for e in back.expectations] == [e.facts for e in of.expectations]
    assert [e.twins for e in back.expectations] == [e.twins for e in of.expectations]


def test_numbers_that_are_nearly_right_are_told_so() -> None:
    rows = tuple(np.array(row) for row in ([3.14159, -1.0], [2.71828, 0.5], [7.0, 0.1]))
    assert told(rubric(rows), *(row.round(2) for row in rows))[0] == "observed_near"
    assert told(rubric(rows), *(row.round(0) for row in rows))[0] is None


def test_the_values_of_a_dict_are_parts_of_a_result() -> None:
    wanted = [{"ids": x, "labels": x + 1, "mask": x + 2} for x in RIGHT]
    came = [{"ids": x, "labels": x * x + 5, "mask": x * x + 6} for x in RIGHT]
    assert told(rubric(tuple(wanted)), *came) == (
        "observed_component",
        "In every public case `ids` is right and `labels` and `mask` are not.",
    )
    came = [value | {"mask": right["mask"]} for value, right in zip(came, wanted, strict=True)]
    hint = told(rubric(tuple(wanted)), *came)[1]
    assert hint == "In every public case `ids` and `mask` are right and `labels` is not."
    came[2] = wanted[2]
    hint = told(rubric(tuple(wanted)), *came)[1]
    assert hint.startswith("In every public case `ids` and `mask` are right, and `labels` not")


def test_rows_that_are_too_even_or_too_sharp_are_told_so() -> None:
    rows = tuple(np.array(row) for row in ([0.1, 0.9], [[0.7, 0.3], [0.5, 0.5]], [0.25, 0.75]))
    flat = [row * 0.8 + 0.1 for row in rows]
    sharp = [row**2 / (row**2).sum(-1, keepdims=True) for row in rows]
    assert "more even" in told(rubric(rows), *flat)[1]
    assert "less even" in told(rubric(rows), *sharp)[1]
    assert told(rubric(rows), flat[0], sharp[1], rows[2])[0] is None
    assert told(rubric(rows), *(1 - row for row in rows))[0] is None


def test_of_several_wrong_parts_something_is_said_of_the_first_alone() -> None:
    right = (*RIGHT, np.array([11.0, 4.0]), np.array([12.0, 3.0]))
    base = rubric(right, facts=(*FACTS, *FACTS[:2]))
    cases = [
        replace(case, part="resumed" if at in (3, 4) else "values")
        for at, case in enumerate(base.expectations)
    ]
    of = replace(base, parts={"values": 3, "resumed": 1}, expectations=tuple(cases))
    x, y, z, *others = right
    odd = [others[0] ** 2, others[1] - 1.5]
    name, hint = told(of, x, y + 2.5, z**3 + 1, *odd)
    assert name == "observed_where"
    assert hint.startswith("This is so of the part “values”.")
    assert hint.endswith("exactly where T is not 1.")
    assert told(of, x, y, z, *odd)[0] is None


def test_what_is_said_of_a_list_is_said_of_its_items() -> None:
    """Numbers of two items are never taken for one row, nor for one region."""
    pairs = tuple([x - x.mean(), x.mean()] for x in (np.arange(4.0), np.arange(6.0) ** 2))
    facts = tuple({**fact, "in the first": [True, False]} for fact in FACTS[:2])
    of = rubric(pairs, facts)
    assert told(of, *([a * 3 + 1, b] for a, b in pairs)) == (None, "")
    assert (
        told(of, *([a, b * f["V"] + 7] for (a, b), f in zip(pairs, FACTS, strict=False)))[0] is None
    )
    named = rubric(pairs, facts, names=("values", "mean"))
    assert told(named, *([a * 3 + 1, b + 7] for a, b in pairs))[0] is None
    nested = tuple([[x, x[:1]], np.float64(9.0)] for x in (np.arange(3.0) + 1, np.arange(2.0) + 3))
    of = rubric(nested, FACTS[:2], names=("values", "mean"))
    came = ([[x**2, y + 5], b] for (x, y), b in nested)
    assert told(of, *came)[1].startswith(
        "In every public case `mean` is right and `values` is not."
    )
    rows = tuple([x, x[::-1]] for x in (np.array([0.25, 0.75]), np.array([0.5, 0.5])))
    seen = told(rubric(rows, FACTS[:2]), *([x + 0.1, y] for x, y in rows))
    assert seen[0] == "observed_total"


def test_of_an_empty_result_nothing_is_said() -> None:
    right = (np.array([]), np.array([5.0, 3.0]), np.array([7.0]))
    name, hint = told(rubric(right), *(x * 2 for x in right))
    assert (name, "twice the right one" in hint) == ("observed_factor", True)
    assert told(rubric(right), *(x + 1.5 for x in right))[0] == "observed_offset"
    facts = ({}, {}, {})
    came = (x * 1.00001**x for x in right[1:])
    assert told(rubric(right, facts), right[0], *came)[0] == "observed_near"
    assert told(rubric((right[0],) * 3), *[np.array([1.0])] * 3) == (None, "")
    pairs = tuple([x, x.size + 1.0] for x in right)
    of = rubric(pairs, ({}, {}, {}), names=("values", "size"))
    assert told(of, *([x + 1.5, n] for x, n in pairs))[0]
