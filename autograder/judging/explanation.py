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
from functools import lru_cache
from typing import Any

import numpy as np

from autograder.judging.agreement import agrees, row_of
from autograder.judging.rubric import Column, Rubric, WrongWay
from autograder.kernel.evidence import NOT_LEFT, Outcome

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
        and outcomes[index].type not in NOT_LEFT
    ]
    # Without any there is nothing but an explanation of all that failed.
    asked = [index for index, ok in enumerate(passed) if ok] + (certain or failed)
    # A public case that failed is first, for few ways come to the same there, and one of which most
    # is known. What the others come to in hidden cases, which are new for each submission, is never
    # worked out.
    asked.sort(
        key=lambda index: (
            not rubric.expectations[index].public,
            passed[index],
            -rubric.columns[index].known.sum(),
        )
    )
    left = np.arange(len(rubric.wrong_ways))
    for index in asked:
        if not left.size:
            return None
        left = _left(rubric, outcomes[index], index, left, passed[index])
    wholly = left
    for index in failed:
        if index not in asked:
            wholly = _left(rubric, outcomes[index], index, wholly, False)
    enough = len(certain) > FEW or not any(
        passed[index] and case.public and case.part == first
        for index, case in enumerate(rubric.expectations)
    )
    for ways, indices, least in ((wholly, failed, 1), (left if enough else [], certain, 2)):
        found = [
            way
            for way in (rubric.wrong_ways[number] for number in ways)
            if any(_weight(way.outcomes[index], outcomes[index]) >= least for index in indices)
        ]
        if len({way.name for way in found}) == 1:
            return found[0], least == 1
        if found:
            return None
    return None


def _left(
    rubric: Rubric, outcome: Outcome, index: int, ways: np.ndarray, right: bool
) -> np.ndarray:
    """Which misconceptions account for a case: those that come to the same as the answer there.

    Where the answer is right, so are those that are right.
    """
    column = rubric.columns[index]
    _ask(column, ways, rubric, index)
    with np.errstate(invalid="ignore"):
        far = np.abs(column.totals[ways] - _total(outcome.value)[0]) > column.bounds[ways]
    accounted = column.right[ways] if right else np.zeros(len(ways), dtype=bool)
    for place in np.flatnonzero(~far & ~accounted):
        wrong = rubric.wrong_ways[ways[place]].outcomes[index]
        accounted[place] = agrees(outcome, wrong, column.reach[ways[place]])
    return ways[accounted]


def _ask(column: Column, ways: np.ndarray, rubric: Rubric, index: int) -> None:
    """Works out what is not known yet of some misconceptions, by their numbers."""
    expected = rubric.expectations[index]
    for way in ways[~column.known[ways]]:
        wrong = rubric.wrong_ways[way].outcomes[index]
        column.right[way] = expected.outcome is None or agrees(
            wrong, expected.outcome, expected.tolerance
        )
        # The tolerance is that of the right answer. Where the wrong one is several times as
        # large, it is rounded more coarsely by as much; and an exponential more finely, where
        # it is smaller.
        size = _scale(wrong.value, expected.outcome)
        scaled = size > 4 or (rubric.logarithm and size < 1 / 4)
        column.reach[way] = expected.tolerance * (size if scaled else 1.0)
        column.totals[way], magnitude, count = _total(wrong.value)
        # Twice as much, for the sums are rounded too.
        column.bounds[way] = 2 * expected.tolerance * max(1.0, size) * count + 1e-9 * magnitude
        column.known[way] = True


def _total(value: Any) -> tuple[float, float, int]:
    """A weighted sum of the finite numbers in a value, the sum of their magnitudes, and how many.

    The weights differ, for the plain sum of a distribution is 1 whatever is wrong with it.

    Returns:
        All three; NaN for the first where a value holds something else than numbers.
    """
    row = row_of(value)
    if row is None:
        return np.nan, 0.0, 0
    row = row[np.isfinite(row)]
    return float(row @ _weights(row.size)), float(np.abs(row).sum()), row.size


@lru_cache
def _weights(count: int) -> np.ndarray:
    """Weights between -1 and 1."""
    return np.cos(np.arange(count))


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
