"""What is certain about a wrong answer that no misconception explains.

An observation is read off the public cases alone, so it tells nothing of hidden ones; only an
argument that was changed, which the notebooks forbid, is told of any. Its words are fixed when the
exercise is written: no number of the student's process is in them, because that process could
choose such a number by what hidden cases ask. It says how results and right results differ and
never why, so that it is true whatever the mistake is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import combinations, permutations
from typing import Any, NamedTuple

import numpy as np

from autograder.judging.agreement import fitted, row_of, same
from autograder.judging.rubric import Expectation, Rubric
from autograder.kernel.evidence import CHANGED, Outcome

CONSTANTS = {
    -1.0: "of the right size and of the wrong sign",
    0.5: "half the right one",
    2.0: "twice the right one",
    float(1 / np.log(2)): "the right one divided by ln 2, which makes bits of nats",
    float(np.log(2)): "the right one multiplied by ln 2",
    float(1 / np.log(10)): "the right one divided by ln 10",
}
CHANGES = (
    "A list or a tensor that your function is given is another one after the call than before."
    " Whoever gave it may use it again: leave it as it is, and work on one of your own."
)
NEAR = 0.01  # the share of the largest number by which those that are nearly right may be off
PRECISE = 0.01  # the largest share of itself by which a ratio may be off and still be named
PLAIN = 0.05  # the same of a difference
OF_NUMBERS = (
    "observed_factor",
    "observed_offset",
    "observed_zone",
    "observed_sign",
    "observed_total",
    "observed_near",
    "observed_evenness",
)


class Observation(NamedTuple):
    """One thing that is so in all public cases.

    Args:
        name: A short identifier, which begins with "observed_".
        words: What is so, for the student.
    """

    name: str
    words: str


class Seen(NamedTuple):
    """A public case whose result has the right form.

    Args:
        index: Its place among all cases.
        wanted: The right numbers in one row.
        got: Those that came.
        tolerance: The largest difference that arithmetic explains.
        shape: The axes of the result; of a list, its length.
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
        with np.errstate(invalid="ignore"):
            near = np.abs(self.got - self.wanted) <= self.tolerance
        return ~(near | (self.got == self.wanted) | (np.isnan(self.got) & np.isnan(self.wanted)))


def observed(rubric: Rubric, outcomes: list[Outcome], passed: list[bool]) -> Observation | None:
    """Says one certain thing about a wrong answer, the most telling one that there is.

    Where nothing is to be said of all parts that are wrong, two mistakes may have met; then it is
    said of the first part, without which there are no points.
    """
    public = [
        index
        for index, case in enumerate(rubric.expectations)
        if case.public and case.again is None and case.outcome is not None
    ]
    if any(outcome.type == CHANGED for outcome in outcomes):
        return Observation("observed_again", CHANGES)
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
    """What is so in some public cases."""
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
        or _factor(amounts)
        or _offset(amounts)
        or _moved(rubric, outcomes, public)
        or _zone(part)
        or _where(rubric, outcomes, passed, public)
        or _sign(part)
        or _total(part)
        or _near(part)
        or _evenness(part)
    )
    if found and rubric.logarithm and found.name in ("observed_factor", "observed_offset"):
        words = found.words.replace("Your result", "Its logarithm").replace(
            "your result", "its logarithm"
        )
        return found._replace(words=f"{rubric.logarithm} {words}")
    if found and start and found.name in OF_NUMBERS:
        return found._replace(words=f"{start} {found.words}")
    if start and not found:
        return Observation("observed_component", start)
    return found


def _seen(expectations: tuple[Expectation, ...], outcomes: list[Outcome], at: int) -> list[Seen]:
    """A case whose result can be laid beside the right one; none otherwise."""
    case, outcome = expectations[at], outcomes[at]
    if outcome.kind != "returned" or case.outcome is None or case.outcome.kind != "returned":
        return []
    wanted, came = _listed(case.outcome.value, fitted(outcome.value, case.outcome.value))
    rows = row_of(wanted), row_of(came)
    if rows[0] is None or rows[1] is None or _shapes(wanted) != _shapes(came):
        return []
    shape = (len(wanted),) if isinstance(wanted, list) else np.shape(wanted)
    return [Seen(at, *rows, case.tolerance, shape, case.facts)]


def _listed(wanted: Any, came: Any) -> tuple[Any, Any]:
    """Two dicts with the same keys as two lists; anything else as it is."""
    if isinstance(wanted, dict) and isinstance(came, dict) and wanted.keys() == came.keys():
        return list(wanted.values()), [came[key] for key in wanted]
    return wanted, came


def _shapes(value: Any) -> list[tuple[int, ...]]:
    return [np.shape(item) for item in (value if isinstance(value, list) else [value])]


def _component(rubric: Rubric, seen: list[Seen], cases: int) -> tuple[str, list[Seen]]:
    """The parts of a result that are wrong, where it has named parts and others are right.

    Args:
        rubric: What every case should come to.
        seen: The public cases of those parts of the check that are not right.
        cases: How many public cases there are.

    Returns:
        Which they are, in words, and the part alone if it is one; no words and all of the result,
        where no part is always right.
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
            shape=np.shape(value[place]),
        )
        for each, value, end in zip(seen, values, ends, strict=True)
    ]


def _said(names: list[str], what: str) -> str:
    """That something is so of what has these names."""
    return f"{_code(names)} {'is' if len(names) == 1 else 'are'} {what}"


def _code(names: list[str]) -> str:
    """Names as code, in a row."""
    return " and ".join(f"`{name}`" for name in names)


def _logarithms(seen: list[Seen]) -> list[Seen]:
    """The same, of results whose logarithm is what is computed; none where one is not above 0."""
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
    """Whether something finite and other than 0 came."""
    row = row_of(outcome.value) if outcome.kind == "returned" else None
    return row is not None and bool((np.isfinite(row) & (row != 0)).any())


def _twins(rubric: Rubric, public: list[int]) -> Iterator[tuple[int, int, str, bool]]:
    """Pairs of public cases that differ in one thing, which it is, and whether it matters."""
    for index, case in enumerate(rubric.expectations):
        for other, what in case.twins:
            if index not in public or other not in public:
                continue
            matters = not same(
                case.outcome.value, rubric.expectations[other].outcome.value, 4 * case.tolerance
            )
            yield other, index, what, matters


def _unmoved(rubric: Rubric, outcomes: list[Outcome], public: list[int]) -> Observation | None:
    """Whether something that matters changes nothing."""
    told = [outcome for outcome in outcomes if _telling(outcome)]
    if all(same(outcome.value, told[0].value, 0.0) for outcome in told[1:]):
        return None  # nothing at all moves it
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
    """Whether something that does not matter changes the result."""
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


def _factor(seen: list[Seen]) -> Observation | None:
    """Whether each result is a multiple of the right one, by a number that can be named."""
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
        if allowed < PRECISE * abs(each.wanted[at]):  # a coarser one says nothing
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
    """What a result may be multiplied by, in words and of a case's facts; the simplest first."""

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


def _offset(seen: list[Seen]) -> Observation | None:
    """Whether a number is added to each result."""
    offsets = []
    for each in seen:
        if not np.isfinite(each.got).all():
            return None
        gap = each.got - each.wanted
        if (np.abs(gap - gap[0]) > 2 * each.tolerance).any():
            return None
        offsets.append((float(gap[0]), 2 * each.tolerance, each.facts))
    if len(offsets) < 2 or any(PLAIN * abs(gap) < error for gap, error, _ in offsets):
        return None  # to be told from others, a difference must be large beside what rounding does

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


def _zone(seen: list[Seen]) -> Observation | None:
    """Whether all wrong numbers lie in one region of the results, and others are right."""
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
    """A region of a result as a row; its axes are the first axes of the result."""
    fact = each.facts.get(name)
    if not isinstance(fact, list):
        return None
    region = np.asarray(fact, dtype=bool)
    if not region.size or each.shape[: region.ndim] != region.shape:
        return None
    return np.repeat(region.reshape(-1), each.wanted.size // region.size)


def _where(
    rubric: Rubric, outcomes: list[Outcome], passed: list[bool], public: list[int]
) -> Observation | None:
    """Whether the cases that fail are those of which something is so."""
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


def _sign(seen: list[Seen]) -> Observation | None:
    """Whether something is below 0 where nothing may be."""
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


def _total(seen: list[Seen]) -> Observation | None:
    """Whether rows do not add up to 1, or to 0, where all should."""
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


def _near(seen: list[Seen]) -> Observation | None:
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


def _evenness(seen: list[Seen]) -> Observation | None:
    """Whether all wrong rows are distributions that are more even than the right ones, or less."""
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
