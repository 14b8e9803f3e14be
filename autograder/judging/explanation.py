"""Finds the misconception that explains an answer; a hint that might be false is not given.

A misconception explains an answer if it accounts for every case: where the answer is wrong, the
misconception has the same outcome; where the answer is right, so is the misconception. If no
misconception does, the answer may combine two mistakes. One of them is then certain if it accounts
for every wrong public case of the first part, and for every right case. Besides, the wrong ones
must be more than two, or all public cases of that part, and in one of them the outcome must be one
that other mistakes hardly come to (`_weight`).

The public check knows fewer cases than grading does, and must not name what grading takes back. So
where two misconceptions explain the same answer, neither is named.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import numpy as np

from autograder.judging.agreement import agrees, row_of
from autograder.judging.rubric import Column, Rubric, WrongWay
from autograder.kernel.evidence import NOT_LEFT, Outcome

FEW = 2  # if an answer is wrong in no more public cases, another mistake may agree in all of them


def explain(
    rubric: Rubric, outcomes: list[Outcome], passed: list[bool]
) -> tuple[WrongWay, bool] | None:
    """Finds the misconception that explains an answer.

    Args:
        rubric: What every case should come to, and what it comes to under each misconception.
        outcomes: The outcomes of the answer, one per case.
        passed: Which cases are right.

    Returns:
        The misconception and whether it explains every case; None where nothing is certain.
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
    # If `certain` is empty, a misconception must explain all cases that failed.
    asked = [index for index, ok in enumerate(passed) if ok] + (certain or failed)
    # Public cases that failed come first, because few misconceptions agree with the answer there;
    # among them, the one with the most known outcomes. So the misconceptions that do not agree are
    # never run on hidden cases, which are new for each submission.
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
    """Which of the misconceptions `ways` account for a case, as they agree with the answer there.

    Where the answer is right, misconceptions that are right there account for it too.
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
    """Fills in what a case's column lacks of the misconceptions with the numbers `ways`."""
    expected = rubric.expectations[index]
    for way in ways[~column.known[ways]]:
        wrong = rubric.wrong_ways[way].outcomes[index]
        column.right[way] = expected.outcome is None or agrees(
            wrong, expected.outcome, expected.tolerance
        )
        # The tolerance is that of the right result. A wrong result that is several times as large
        # is rounded more coarsely by that factor, and a smaller exponential more finely.
        size = _scale(wrong.value, expected.outcome)
        scaled = size > 4 or (rubric.logarithm and size < 1 / 4)
        column.reach[way] = expected.tolerance * (size if scaled else 1.0)
        column.totals[way], magnitude, count = _total(wrong.value)
        # Twice the tolerance, because the sums are rounded too.
        column.bounds[way] = 2 * expected.tolerance * max(1.0, size) * count + 1e-9 * magnitude
        column.known[way] = True


def _total(value: Any) -> tuple[float, float, int]:
    """A weighted sum of the finite numbers in a value, their magnitudes' sum, and their count.

    The weights differ, because the plain sum of a distribution is 1 whatever is wrong with it.

    Returns:
        All three; NaN, 0 and 0 where a value holds anything but numbers.
    """
    row = row_of(value)
    if row is None:
        return np.nan, 0.0, 0
    row = row[np.isfinite(row)]
    return float(row @ _weights(row.size)), float(np.abs(row).sum()), row.size


@lru_cache
def _weights(count: int) -> np.ndarray:
    """As many weights between -1 and 1, all different."""
    return np.cos(np.arange(count))


def _scale(wrong: Any, expected: Outcome | None) -> float:
    """A wrong result's largest magnitude, divided by the right one's or by 1 if that is larger."""
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
    """How much it tells that an answer and a misconception agree in a case.

    Returns:
        2 for texts, for numbers other than 0 and for an exception with the same words; 1 for what
        many mistakes come to: NaN, infinities, zeros, None, True, False or a value that cannot be
        judged; 0 for an exception of which only the class agrees.
    """
    if wrong.kind == "raised":
        return 2 if _gist(wrong.message) == _gist(came.message) else 0
    return 2 if wrong.kind == "returned" and _telling(wrong.value) else 1


def _gist(message: str) -> str:
    """An exception's message, in which numbers and names that a student may choose are masked."""
    if message.endswith("by zero"):
        return "by zero"  # said in other words of whole numbers than of floats
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
