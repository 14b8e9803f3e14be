"""How the numbers of a wrong answer differ from the right ones, if they all differ in one way.

Each function looks at all public cases given, and returns an `Observation` or None. An observation
never says why the numbers differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import combinations, permutations
from typing import Any, NamedTuple

import numpy as np

from autograder.judging.agreement import matching

CONSTANTS = {
    -1.0: "of the right size and of the wrong sign",
    0.5: "half the right one",
    2.0: "twice the right one",
    float(1 / np.log(2)): "the right one divided by ln 2, which makes bits of nats",
    float(np.log(2)): "the right one multiplied by ln 2",
    float(1 / np.log(10)): "the right one divided by ln 10",
}
NEAR = 0.01  # numbers that are nearly right may be off by this share of the largest one
PRECISE = 0.01  # the largest relative error of a ratio that is still looked at
PLAIN = 0.05  # the largest relative error of a difference that is still looked at


class Observation(NamedTuple):
    """One thing that holds for the public cases.

    Args:
        name: A short identifier, which begins with "observed_".
        words: What holds, for the student.
    """

    name: str
    words: str


class Seen(NamedTuple):
    """A public case whose result has the right form.

    Args:
        index: Its place among all cases.
        wanted: The right numbers in one row; at least one.
        got: The numbers that came, in one row.
        tolerance: The largest absolute difference that arithmetic explains.
        shape: The shape of the result, a list's length first; () for a number, and for a list
            whose items differ in shape.
        facts: What the exercise says about the case.
    """

    index: int
    wanted: np.ndarray
    got: np.ndarray
    tolerance: float
    shape: tuple[int, ...]
    facts: dict[str, Any]

    @property
    def wrong(self) -> np.ndarray:
        """Which numbers are wrong."""
        return ~matching(self.got, self.wanted, self.tolerance)


def factor(seen: list[Seen]) -> Observation | None:
    """Whether each result is the right one times a factor, named or the same in all cases."""
    ratios = []
    for each in seen:
        heavy = np.abs(each.wanted) > 8 * each.tolerance
        if not np.isfinite(each.got).all():
            return None
        if not heavy.any():
            if (np.abs(each.got) > 8 * each.tolerance).any():
                return None
            continue
        at = np.abs(each.wanted * heavy).argmax()
        ratio = float(each.got[at] / each.wanted[at])
        allowed = 4 * each.tolerance * max(1.0, abs(ratio))
        if ratio == 0 or (np.abs(each.got - ratio * each.wanted) > allowed).any():
            return None
        if allowed < PRECISE * abs(each.wanted[at]):  # else it is too coarse
            ratios.append((ratio, allowed / abs(each.wanted[at]), each.facts))
    if len(ratios) < 2:
        return None

    def fits(number: Callable[[dict[str, float]], float]) -> bool:
        return all(
            abs(ratio - value) <= error * max(1.0, abs(value)) + 1e-6 * abs(value)
            for ratio, error, facts in ratios
            for value in [number(facts)]
        )

    names = [n for n, fact in ratios[0][2].items() if _is_number(fact)]
    names = [n for n in names if all(facts.get(n, 0) > 0 for *_, facts in ratios)]
    for multiples in _multiples(names):
        fitting = [words for words, number in multiples if fits(number)]
        if len(fitting) == 1:
            return Observation(
                "observed_factor", f"In every public case your result is {fitting[0]}."
            )
        if fitting:
            break
    first = ratios[0][0]
    if fits(lambda facts: first) and abs(first - 1) > 1e-3:
        return Observation(
            "observed_factor",
            "Your result is a multiple of the right one, by the same number in every public case.",
        )
    return None


def _multiples(names: list[str]) -> Iterator[list[tuple[str, Callable]]]:
    """Yields groups of factors, the simplest first: each in words and as a function of facts."""

    def of(constant: float = 1.0, **powers: float) -> Callable[[dict[str, float]], float]:
        return lambda facts: constant * math.prod(facts[n] ** power for n, power in powers.items())

    times, over = "the right one multiplied by", "the right one divided by"
    yield [(words, of(constant)) for constant, words in CONSTANTS.items()]
    yield [(f"{times} {n}", of(**{n: 1})) for n in names] + [
        (f"{over} {n}", of(**{n: -1})) for n in names
    ]
    yield [
        (f"{times} {a} and divided by {b}", of(**{a: 1, b: -1})) for a, b in permutations(names, 2)
    ] + [
        (f"{words} {n} twice", of(**{n: power}))
        for n in names
        for words, power in ((times, 2), (over, -2))
    ]
    yield [
        (f"{words} {a} and by {b}", of(**{a: power, b: power}))
        for a, b in combinations(names, 2)
        for words, power in ((times, 1), (over, -1))
    ] + [(f"{times} 2 and divided by {n}", of(2.0, **{n: -1})) for n in names]
    yield [
        (f"{times} a power of {n}", of(**{n: power}))
        for n in names
        for power in (-4, -3, -1.5, -0.5, 0.5, 1.5, 3, 4)
    ]


def _is_number(fact: Any) -> bool:
    return isinstance(fact, int | float) and not isinstance(fact, bool)


def offset(seen: list[Seen]) -> Observation | None:
    """Whether each result is the right one plus or minus a fact, or a number common to all."""
    offsets = []
    for each in seen:
        if not np.isfinite(each.got).all():
            return None
        gap = each.got - each.wanted
        if (np.abs(gap - gap[0]) > 2 * each.tolerance).any():
            return None
        offsets.append((float(gap[0]), 2 * each.tolerance, each.facts))
    if len(offsets) < 2 or any(PLAIN * abs(gap) < error for gap, error, _ in offsets):
        return None  # a difference is told from others only if it is large compared with rounding

    def fits(number: Callable[[dict[str, float]], float]) -> bool:
        return all(abs(gap - number(facts)) <= error for gap, error, facts in offsets)

    names = [n for n, fact in offsets[0][2].items() if _is_number(fact)]
    names = [n for n in names if all(n in facts for *_, facts in offsets)]
    for sign, word in ((1, "plus"), (-1, "minus")):
        for n in names:
            if fits(lambda facts, n=n, sign=sign: sign * facts[n]):
                return Observation(
                    "observed_offset",
                    f"In every public case your result is the right one {word} {n}.",
                )
    if fits(lambda facts: offsets[0][0]):
        return Observation(
            "observed_offset",
            "Your result differs from the right one by the same number in every public case.",
        )
    return None


def zone(seen: list[Seen]) -> Observation | None:
    """Whether all wrong numbers lie in a region that a fact marks and that is not everything."""
    wrong = [each for each in seen if each.wrong.any()]
    found = []
    for name in wrong[0].facts if wrong else ():
        inside = [_region(each, name) for each in wrong]
        if any(region is None for region in inside):
            continue
        if all((each.wrong <= region).all() for each, region in zip(wrong, inside, strict=True)):
            size, total = sum(map(np.sum, inside)), sum(region.size for region in inside)
            if size < total:
                found.append((size, name))
    if not found:
        return None
    return Observation(
        "observed_zone",
        f"In the public cases all numbers are right, but for those {min(found)[1]}.",
    )


def _region(each: Seen, name: str) -> np.ndarray | None:
    """The region that a fact marks, as a row; None unless its axes are the result's first ones."""
    fact = each.facts.get(name)
    if not isinstance(fact, list):
        return None
    region = np.asarray(fact, dtype=bool)
    if not region.size or each.shape[: region.ndim] != region.shape:
        return None
    return np.repeat(region.reshape(-1), each.wanted.size // region.size)


def sign(seen: list[Seen]) -> Observation | None:
    """Whether all wrong results have a number below 0, and no right result has one."""
    wrong = [each for each in seen if each.wrong.any()]
    if (
        wrong
        and all((each.wanted >= 0).all() for each in seen)
        and all((each.got < -each.tolerance).any() for each in wrong)
    ):
        return Observation(
            "observed_sign", "There is a number below 0 in your results, and no right one is."
        )
    return None


def total(seen: list[Seen]) -> Observation | None:
    """Whether some rows do not add up to 1, or to 0, while all rows of the right results do."""
    rows = [each for each in seen if each.shape and each.shape[-1] > 1]
    if not seen or len(rows) < len(seen) or not all(np.isfinite(each.got).all() for each in seen):
        return None
    for total in (1.0, 0.0):

        def off(row: np.ndarray, each: Seen, total: float = total) -> np.ndarray:
            sums = row.reshape(-1, each.shape[-1]).sum(-1)
            return np.abs(sums - total) > 4 * each.shape[-1] * each.tolerance

        if any(off(each.wanted, each).any() for each in seen):
            continue
        found = [off(each.got, each).any() for each in seen if each.wrong.any()]
        if any(found):
            where = "The" if all(found) else "In some public cases the"
            return Observation(
                "observed_total",
                f"{where} numbers of your results do not add up to {total:g} along the last axis,"
                " and those of the right ones do.",
            )
    return None


def near(seen: list[Seen]) -> Observation | None:
    """Whether all wrong numbers are nearly right."""
    wrong = [each for each in seen if each.wrong.any()]
    if not wrong or not all(
        np.isfinite(each.got).all()
        and (np.abs(each.got - each.wanted) <= NEAR * np.abs(each.wanted).max()).all()
        for each in seen
    ):
        return None
    return Observation(
        "observed_near",
        "In the public cases no number is off by more than a hundredth of the largest, and some are"
        " off by more than the rounding of float32 explains. Is something rounded, computed more"
        " coarsely, or a small number added?",
    )


def evenness(seen: list[Seen]) -> Observation | None:
    """Whether all rows are distributions, and the wrong ones are all more even or all less so."""
    gaps = []
    for each in seen:
        if not each.shape or each.shape[-1] < 2 or not np.isfinite(each.got).all():
            return None
        rows = [row.reshape(-1, each.shape[-1]) for row in (each.got, each.wanted)]
        for row in rows:
            bound = 4 * each.shape[-1] * each.tolerance
            if (row < -each.tolerance).any() or (np.abs(row.sum(-1) - 1) > bound).any():
                return None
        wrong = each.wrong.reshape(rows[0].shape).any(-1)
        gap = np.subtract(*map(_entropy, rows))[wrong]
        if (np.abs(gap) <= each.tolerance).any():
            return None
        gaps += (gap > 0).tolist()
    if not gaps or any(gaps) != all(gaps):
        return None
    if gaps[0]:
        return Observation(
            "observed_evenness",
            "Your rows are distributions, and each one that is wrong is more even than the right"
            " one: its entropy is larger. Is something softened, mixed with something flat, or"
            " stopped before its end?",
        )
    return Observation(
        "observed_evenness",
        "Your rows are distributions, and each one that is wrong is less even than the right one:"
        " its entropy is smaller. Is something sharpened, or left out of a mixture?",
    )


def _entropy(rows: np.ndarray) -> np.ndarray:
    """The entropy of each row, in nats."""
    return -(rows * np.log(np.where(rows > 0, rows, 1.0))).sum(-1)
