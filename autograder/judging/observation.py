"""Says what is certain about a wrong answer that no misconception explains.

An observation rests on the public cases alone, so it tells nothing of hidden ones. One thing is
told of any case: that an argument was changed, which the notebooks forbid, or a switch of torch.
The words are fixed when the exercise is written. They contain no number from the student's process,
because that process could choose such a number by what hidden cases ask. An observation says how
results differ from the right ones and never why, so it is true whatever the mistake is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from autograder.judging import numbers
from autograder.judging.agreement import fitted, row_of, same
from autograder.judging.numbers import Observation, Seen
from autograder.judging.rubric import Expectation, Rubric
from autograder.kernel.evidence import (
    CHANGED,
    DTYPE_SWITCHED,
    GRADIENTS_SWITCHED,
    NOT_LEFT,
    Outcome,
)

OF_CASES = ("observed_unmoved", "observed_moved", "observed_where")
CHANGES = {
    CHANGED: "A list or a tensor that your function is given is another one after the call than"
    " before. Whoever gave it may use it again: leave it as it is, and work on one of your own.",
    GRADIENTS_SWITCHED: "After your function torch computes no gradients in the rest of the"
    " notebook, until they are switched on again. `with torch.no_grad():` ends by itself, and"
    " `set_grad_enabled()` as a plain call does not.",
    DTYPE_SWITCHED: "After your function torch has another default dtype than before, in the whole"
    " notebook. Leave it as it is, and say of your own tensors which dtype they have.",
}


def observed(rubric: Rubric, outcomes: list[Outcome], passed: list[bool]) -> Observation | None:
    """Says one certain thing about a wrong answer, the most telling one that there is.

    If nothing holds for all wrong parts together, the answer may combine two mistakes. Then the
    first part, without which there are no points, is looked at alone.
    """
    public = [
        index
        for index, case in enumerate(rubric.expectations)
        if case.public and case.again is None and case.outcome is not None
    ]
    if (what := next((each.type for each in outcomes if each.type in NOT_LEFT), None)) is not None:
        return Observation("observed_again", CHANGES[what])
    if len(public) < 2 or all(passed[index] for index in public):
        return None
    found = _asked_again(rubric, outcomes) or _of(rubric, outcomes, passed, public)
    first = next(iter(rubric.parts))
    within = [index for index in public if rubric.expectations[index].part == first]
    if found or len(within) in (1, len(public)) or all(passed[index] for index in within):
        return found
    found = _of(rubric, outcomes, passed, within)
    return found and found._replace(words=f"This is so of the part “{first}”. {found.words}")


def _of(
    rubric: Rubric, outcomes: list[Outcome], passed: list[bool], public: list[int]
) -> Observation | None:
    """What holds for the given public cases, as far as their part is wrong."""
    parts = {rubric.expectations[index].part for index in public if not passed[index]}
    seen = [
        each
        for index in public
        if rubric.expectations[index].part in parts
        for each in _seen(rubric.expectations, outcomes, index)
    ]
    beside = {each.index for each in seen}
    start, part = "", []
    if all(passed[index] or index in beside for index in public):
        start, part = _component(rubric, seen, len(public))
    amounts = _logarithms(part) if rubric.logarithm else part
    found = (
        _unmoved(rubric, outcomes, public)
        or numbers.factor(amounts)
        or numbers.offset(amounts)
        or _moved(rubric, outcomes, public)
        or numbers.zone(part)
        or _where(rubric, outcomes, passed, public)
        or numbers.sign(part)
        or numbers.total(part)
        or numbers.near(part)
        or numbers.evenness(part)
    )
    if found and rubric.logarithm and found.name in ("observed_factor", "observed_offset"):
        words = found.words.replace("Your result", "Its logarithm").replace(
            "your result", "its logarithm"
        )
        return found._replace(words=f"{rubric.logarithm} {words}")
    if found and start and found.name not in OF_CASES:
        return found._replace(words=f"{start} {found.words}")
    if start and not found:
        return Observation("observed_component", start)
    return found


def _seen(expectations: tuple[Expectation, ...], outcomes: list[Outcome], at: int) -> list[Seen]:
    """A list of the case at `at`, if it has numbers to compare one by one; else empty."""
    case, outcome = expectations[at], outcomes[at]
    if outcome.kind != "returned" or case.outcome is None or case.outcome.kind != "returned":
        return []
    wanted, came = _listed(case.outcome.value, fitted(outcome.value, case.outcome.value))
    rows = row_of(wanted), row_of(came)
    if rows[0] is None or rows[1] is None or _shapes(wanted) != _shapes(came) or not rows[0].size:
        return []
    return [Seen(at, *rows, case.tolerance, _axes(wanted), case.facts)]


def _listed(wanted: Any, came: Any) -> tuple[Any, Any]:
    """Two dicts with the same keys, as two lists in the same order; any other values unchanged."""
    if isinstance(wanted, dict) and isinstance(came, dict) and wanted.keys() == came.keys():
        return list(wanted.values()), [came[key] for key in wanted]
    return wanted, came


def _shapes(value: Any) -> list[Any]:
    """The shape of each item; of an item whose rows differ in length, the shapes of its rows."""
    return [_shape(item) for item in (value if isinstance(value, list) else [value])]


def _shape(value: Any) -> Any:
    try:
        return np.shape(value)
    except ValueError:
        return [_shape(item) for item in value]


def _axes(value: Any) -> tuple[int, ...]:
    """The shape of a value; of a list whose items differ in shape, ()."""
    shape = _shape(value)
    return shape if isinstance(shape, tuple) else ()


def _component(rubric: Rubric, seen: list[Seen], cases: int) -> tuple[str, list[Seen]]:
    """Finds the named parts of a result that are wrong, where other parts are always right.

    Args:
        rubric: What every case should come to.
        seen: The public cases of those parts of the check that are not right.
        cases: How many public cases there are.

    Returns:
        Words that name the wrong parts, and `seen`, cut down to the wrong part if there is only
        one. No words and `seen` itself, where parts have no names, or all or none are wrong.
    """
    values = [rubric.expectations[each.index].outcome.value for each in seen]
    names = list(rubric.names)
    if values and all(isinstance(value, dict) for value in values):
        names = list(values[0])
        values = [list(value.values()) for value in values]
    if not names or not all(isinstance(value, list) for value in values):
        return "", seen
    ends = [np.cumsum([0, *(row_of(item).size for item in value)]) for value in values]
    wrong = [
        [each.wrong[end[at] : end[at + 1]].any() for at in range(len(names))]
        for each, end in zip(seen, ends, strict=True)
    ]
    places = [at for at in range(len(names)) if any(of[at] for of in wrong)]
    if not 0 < len(places) < len(names):
        return "", seen
    right = _said([name for at, name in enumerate(names) if at not in places], "right")
    always = len(seen) == cases and all(of[at] for of in wrong for at in places)
    wrong_ones = [names[at] for at in places]
    said = f"{_said(wrong_ones, 'not')}" if always else f"{_code(wrong_ones)} not always"
    words = f"In every public case {right}{'' if always else ','} and {said}."
    if len(places) > 1:
        return words, seen
    (place,) = places
    return words, [
        each._replace(
            wanted=each.wanted[end[place] : end[place + 1]],
            got=each.got[end[place] : end[place + 1]],
            shape=_axes(value[place]),
        )
        for each, value, end in zip(seen, values, ends, strict=True)
        if end[place] < end[place + 1]
    ]


def _said(names: list[str], what: str) -> str:
    """A clause about some names, such as "`a` and `b` are right"; `what` is its last word."""
    return f"{_code(names)} {'is' if len(names) == 1 else 'are'} {what}"


def _code(names: list[str]) -> str:
    """Names as code, joined by "and"."""
    return " and ".join(f"`{name}`" for name in names)


def _logarithms(seen: list[Seen]) -> list[Seen]:
    """The same cases with the logarithms of all numbers; none if any number is not above 0."""
    if any((each.wanted <= 0).any() or not (each.got > 0).all() for each in seen):
        return []
    return [
        each._replace(
            wanted=np.log(each.wanted),
            got=np.log(each.got),
            tolerance=each.tolerance / float(each.wanted.min()),
        )
        for each in seen
    ]


def _asked_again(rubric: Rubric, outcomes: list[Outcome]) -> Observation | None:
    """Whether the same question gets two answers."""
    for index, case in enumerate(rubric.expectations):
        if case.again is not None and not _alike(outcomes, case.again, index, case.tolerance):
            return Observation(
                "observed_again",
                "The same question, asked again, gets another answer. There is chance in your"
                " function, or something outlives a call: a global variable, a default argument,"
                " an attribute of the class, a .grad, an argument that was changed, a switch of"
                " torch.",
            )
    return None


def _alike(outcomes: list[Outcome], one: int, other: int, tolerance: float) -> bool:
    first, second = outcomes[one], outcomes[other]
    if first.kind != "returned" or second.kind != "returned":
        return first.kind == second.kind
    return same(second.value, first.value, tolerance)


def _telling(outcome: Outcome) -> bool:
    """Whether numbers alone came, and some number that is finite and not 0."""
    row = row_of(outcome.value) if outcome.kind == "returned" else None
    return row is not None and bool((np.isfinite(row) & (row != 0)).any())


def _twins(rubric: Rubric, public: list[int]) -> Iterator[tuple[int, int, str, bool]]:
    """Yields pairs of public cases, the one thing in which they differ, and whether it matters."""
    for index, case in enumerate(rubric.expectations):
        for other, what in case.twins:
            if index not in public or other not in public:
                continue
            matters = not same(
                case.outcome.value, rubric.expectations[other].outcome.value, 4 * case.tolerance
            )
            yield other, index, what, matters


def _unmoved(rubric: Rubric, outcomes: list[Outcome], public: list[int]) -> Observation | None:
    """Whether exactly one thing that should change the result never does."""
    told = [outcome for outcome in outcomes if _telling(outcome)]
    if all(same(outcome.value, told[0].value, 0.0) for outcome in told[1:]):
        return None  # all results are the same
    found: dict[str, bool] = {}
    for one, other, what, matters in _twins(rubric, public):
        if matters:
            stuck = (
                _telling(outcomes[one])
                and _telling(outcomes[other])
                and _alike(outcomes, one, other, 0.0)
            )
            found[what] = found.get(what, True) and stuck
    stuck = [what for what, each in found.items() if each]
    if len(stuck) != 1:
        return None
    return Observation(
        "observed_unmoved",
        f"Two public cases differ in {stuck[0]} alone. Your results do not differ, and the right"
        f" ones do: there {stuck[0]} has no effect in your answer.",
    )


def _moved(rubric: Rubric, outcomes: list[Outcome], public: list[int]) -> Observation | None:
    """Whether something that should not change the result does."""
    for one, other, what, matters in _twins(rubric, public):
        kinds = {outcomes[one].kind, outcomes[other].kind}
        if (
            not matters
            and kinds == {"returned"}
            and not _alike(outcomes, one, other, 2 * rubric.expectations[other].tolerance)
        ):
            return Observation(
                "observed_moved",
                f"Two public cases differ in {what} alone, and the right results are the same."
                f" Yours are not: {what} has an effect in your answer.",
            )
    return None


def _where(
    rubric: Rubric, outcomes: list[Outcome], passed: list[bool], public: list[int]
) -> Observation | None:
    """Whether the cases that fail are exactly those for which a fact is True."""
    facts = [rubric.expectations[index].facts for index in public]
    failed = [not passed[index] for index in public]
    if not any(passed[index] for index in public):
        return None
    found = [
        name
        for name, fact in facts[0].items()
        if isinstance(fact, bool) and [each.get(name) for each in facts] == failed
    ]
    if not found:
        return None
    bad = [outcomes[index] for index in public if not passed[index]]
    if all(outcome.kind == "raised" for outcome in bad):
        how = "your function raises an exception"
    elif all((row := row_of(each.value)) is not None and np.isnan(row).any() for each in bad):
        how = "your result has NaN in it"
    else:
        how = "your result is wrong"
    where = " and ".join(found)
    return Observation("observed_where", f"In the public cases {how} exactly where {where}.")
