"""Which misconception explains an answer: a hint that might be false is not given.

A misconception explains an answer if it accounts for every case: where the answer is wrong the
misconception comes to the same, and where it is right the misconception is right too. Where no
misconception does, two mistakes may have met. Then one is certain if it accounts for all that is
wrong with the public cases of the first part, by numbers that do not come about by chance and in
more than two cases, or in all there are, and if it is wrong nowhere where the answer is right.

The public check knows fewer cases than grading does. It must not say what grading takes back, so
that where two misconceptions explain the same answer neither is named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from autograder.judging.agreement import agrees
from autograder.kernel.evidence import CHANGED, Outcome

if TYPE_CHECKING:
    from autograder.judging.verdict import Rubric, WrongWay


FEW = 2  # cases in which another mistake may come to the same, of answers that are seldom wrong


def explain(
    rubric: Rubric, outcomes: list[Outcome], passed: list[bool]
) -> tuple[WrongWay, bool] | None:
    """Finds the misconception that explains an answer.

    Args:
        rubric: What every case should come to, and under each misconception.
        outcomes: What every case came to.
        passed: Which cases are right.

    Returns:
        The misconception and whether it explains everything; None where nothing is certain.
    """
    first = next(iter(rubric.parts))
    failed = [index for index, ok in enumerate(passed) if not ok]
    certain = [
        index
        for index in failed
        if rubric.expectations[index].public
        and rubric.expectations[index].part == first
        and outcomes[index].type != CHANGED
    ]
    # Whatever explains the answer comes to the same in the first of these, and few ways do. What
    # the others come to in hidden cases, which are new for each submission, is never worked out.
    ways = rubric.wrong_ways
    if certain:
        near = _near(rubric, outcomes, certain[0])
        ways = [way for way in near if _alike(rubric, way, outcomes, certain[0])]
    right = [index for index, ok in enumerate(passed) if ok]
    right.sort(key=lambda index: not rubric.expectations[index].public)
    ways = [
        way
        for way in ways
        # Where the answer is right, the misconception is, or comes to the same within rounding.
        if all(
            _right(rubric, way, index) or _alike(rubric, way, outcomes, index) for index in right
        )
    ]
    wholly = [way for way in ways if _explains(rubric, way, outcomes, failed, 1)]
    enough = len(certain) > FEW or not any(
        passed[index] and case.public and case.part == first
        for index, case in enumerate(rubric.expectations)
    )
    partly = [way for way in ways if enough and _explains(rubric, way, outcomes, certain, 2)]
    for found in (wholly, partly):
        if len({way.name for way in found}) == 1:
            return found[0], found is wholly
        if found:
            return None
    return None


def _explains(
    rubric: Rubric, way: WrongWay, outcomes: list[Outcome], indices: list[int], least: int
) -> bool:
    """Whether some cases come to what the misconception comes to, one of them tellingly enough."""
    heaviest = 0
    for index in indices:
        if not _alike(rubric, way, outcomes, index):
            return False
        heaviest = max(heaviest, _weight(way.outcomes[index], outcomes[index]))
    return heaviest >= least


def _near(rubric: Rubric, outcomes: list[Outcome], index: int) -> Iterator[WrongWay]:
    """The misconceptions that an answer may come to the same as in a case, by sums alone.

    Where each of n numbers is within a tolerance of another, their sums are within n tolerances.
    """
    if index not in rubric.sums:
        expected = rubric.expectations[index]
        wrong = [way.outcomes[index].value for way in rubric.wrong_ways]
        totals = np.array([_total(value) for value in wrong]).reshape(-1, 2)
        # As _alike has it; twice as much, for the sums are rounded too.
        large = [max(1.0, _scale(value, expected.outcome)) for value in wrong]
        bounds = 2 * expected.tolerance * np.array(large) * totals[:, 1] + 1e-9 * abs(totals[:, 0])
        rubric.sums[index] = totals[:, 0], bounds
    totals, bounds = rubric.sums[index]
    total, _ = _total(outcomes[index].value)
    with np.errstate(invalid="ignore"):
        far = np.abs(totals - total) > bounds
    return (way for way, no in zip(rubric.wrong_ways, far, strict=True) if not no)


def _total(value: Any) -> tuple[float, int]:
    """The sum of the finite numbers in a value and how many they are; NaN if it holds others."""
    if isinstance(value, list | tuple):
        parts = [_total(each) for each in value]
        return sum(total for total, _ in parts), sum(count for _, count in parts)
    array = np.asarray(value)
    if value is None or array.dtype.kind not in "biuf":
        return np.nan, 0
    return float(array.sum(where=np.isfinite(array), dtype=np.float64)), array.size


def _right(rubric: Rubric, way: WrongWay, index: int) -> bool:
    """Whether a misconception is right in a case; yes where the answer is withheld."""
    expected = rubric.expectations[index]
    return expected.outcome is None or agrees(
        way.outcomes[index], expected.outcome, expected.tolerance
    )


def _alike(rubric: Rubric, way: WrongWay, outcomes: list[Outcome], index: int) -> bool:
    """Whether an answer comes to the same as a misconception.

    The tolerance is that of the right answer. Where the wrong one is several times as large, it is
    rounded more coarsely by as much.
    """
    expected, wrong = rubric.expectations[index], way.outcomes[index]
    size = _scale(wrong.value, expected.outcome)
    return agrees(outcomes[index], wrong, expected.tolerance * (size if size > 4 else 1.0))


def _scale(wrong: Any, expected: Outcome | None) -> float:
    """How many times as large as the right result a wrong one is."""
    return _size(wrong) / max(1.0, _size(expected and expected.value))


def _size(value: Any) -> float:
    """The largest finite magnitude in a value; 0 where there is none."""
    if isinstance(value, list | tuple):
        return max(map(_size, value), default=0.0)
    if value is None or isinstance(value, str | bool | dict):
        return 0.0
    array = np.asarray(value)
    finite = np.abs(array[np.isfinite(array)]) if array.dtype.kind in "iuf" else array[:0]
    return float(finite.max(initial=0.0))


def _weight(wrong: Outcome, came: Outcome) -> int:
    """How much it says that an answer came to the same as a misconception.

    Returns:
        2 for numbers, texts or an exception's words; 1 for values that many mistakes come to: NaN,
        infinities, zeros, None, True or False; 0 for an exception of which only the class agrees.
    """
    if wrong.kind == "raised":
        return 2 if _gist(wrong.message) == _gist(came.message) else 0
    return 2 if wrong.kind == "returned" and _telling(wrong.value) else 1


def _gist(message: str) -> str:
    """An exception's message without numbers and without what a student may name as he likes."""
    if message.endswith("by zero"):
        return "by zero"  # of whole numbers or of floats
    message = message.replace("arguments", "argument").replace(" were ", " was ")
    own = r"|^[\w.<>]+\(\)|'[^']+'(?= object)|(?<=argument )'[^']*'|(?<=argument: ).*"
    return re.sub(r"\d+|^'[^']*'" + own, "#", message)


def _telling(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_telling, value))
    if isinstance(value, dict):
        return any(map(_telling, value.values()))
    if isinstance(value, str):
        return True
    if value is None or isinstance(value, bool):
        return False
    array = np.asarray(value)
    if array.dtype.kind not in "iuf":
        return False
    return bool((np.isfinite(array) & (array != 0)).any())
