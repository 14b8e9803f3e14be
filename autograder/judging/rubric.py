"""What every case of a check should come to, and what it comes to under each misconception.

A rubric is data. The grader makes rubrics from an exercise's checks; the student's notebook reads
one, of the public cases alone, from a file that ships with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from autograder.judging.evidence import Refused, decode_outcome
from autograder.kernel.evidence import Outcome, encode_outcome


@dataclass(frozen=True)
class Section:
    """A section of the book.

    Args:
        number: The section's number in the book, such as "1.3".
        title: The section's title.
        url: Where the rendered page is.
    """

    number: str
    title: str
    url: str


@dataclass(frozen=True)
class Expectation:
    """What one case should come to.

    Args:
        case: The case's name; shown to students for public cases only.
        part: The part of the check that it belongs to.
        public: Whether students may see it.
        outcome: What the reference comes to; None where the answer is withheld.
        tolerance: The largest absolute difference that arithmetic explains.
        again: The place of the earlier case that this one repeats; None if it repeats none.
        unit: What the first axis of the result counts, such as "step".
        facts: For a public case, by name: a number by which a result may be off, whether something
            holds, or a region of the result.
        twins: For a public case: the places of earlier public cases that differ from it in one
            thing, each with that thing in words.
    """

    case: str
    part: str
    public: bool
    outcome: Outcome | None
    tolerance: float = 0.0
    again: int | None = None
    unit: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    twins: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class WrongWay:
    """What every case comes to under one misconception.

    Args:
        name: The misconception's name.
        hint: What went wrong and why, for the student.
        section: Where the book explains it.
        outcomes: One outcome per case.
    """

    name: str
    hint: str
    section: Section
    outcomes: Sequence[Outcome]


class Column:
    """What is known so far of one case under each misconception.

    `autograder.judging.explanation` fills it in.

    Args:
        ways: How many misconceptions there are.
    """

    def __init__(self, ways: int) -> None:
        self.known = np.zeros(ways, dtype=bool)
        self.right = np.zeros(ways, dtype=bool)  # True where the right outcome is withheld
        self.totals = np.zeros(ways)
        self.bounds = np.zeros(ways)  # how far off the total of an answer that agrees may be
        self.reach = np.zeros(ways)  # the tolerance within which an answer agrees


@dataclass(frozen=True)
class Rubric:
    """All that judging one check needs.

    Args:
        check: The check's name.
        parts: Points of each part. Without its first part a check earns nothing.
        expected: What was asked for, in words.
        section: Where the book teaches it.
        expectations: One per case.
        wrong_ways: The known misconceptions.
        allowed: All answers that are well formed, if these can be listed; else empty.
        numeric: Whether the answer is a number.
        names: What the parts of a result are called, where it has several.
        uses: Earlier tasks whose functions the answer may call.
        logarithm: Where a result is the exponential of something, a sentence that says of what.

    `columns` keeps what is known of each case under the misconceptions.
    """

    check: str
    parts: dict[str, float]
    expected: str
    section: Section
    expectations: tuple[Expectation, ...]
    wrong_ways: tuple[WrongWay, ...] = ()
    allowed: tuple[Any, ...] = ()
    numeric: bool = False
    names: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    logarithm: str = ""
    columns: tuple[Column, ...] = field(init=False, repr=False, compare=False)

    @property
    def max_points(self) -> float:
        """The points of all parts."""
        return float(sum(self.parts.values()))

    def __post_init__(self) -> None:
        self.keep(tuple(Column(len(self.wrong_ways)) for _ in self.expectations))

    def keep(self, columns: tuple[Column, ...]) -> Rubric:
        """Takes over the columns of another rubric with the same cases and misconceptions."""
        object.__setattr__(self, "columns", columns)
        return self


def rubric_to_data(rubric: Rubric) -> dict[str, Any]:
    """A rubric as JSON data; a hint that many wrong ways share is stored once."""
    told = list(dict.fromkeys((way.name, way.hint, way.section) for way in rubric.wrong_ways))
    return {
        "check": rubric.check,
        "parts": rubric.parts,
        "expected": rubric.expected,
        "section": asdict(rubric.section),
        "expectations": [
            {
                **vars(expectation),
                "outcome": expectation.outcome and encode_outcome(expectation.outcome),
                "twins": list(expectation.twins),
            }
            for expectation in rubric.expectations
        ],
        "hints": [[name, hint, asdict(section)] for name, hint, section in told],
        "wrong_ways": [
            [
                told.index((way.name, way.hint, way.section)),
                [
                    encode_outcome(outcome)
                    for outcome, expectation in zip(way.outcomes, rubric.expectations, strict=True)
                    if expectation.again is None
                ],
            ]
            for way in rubric.wrong_ways
        ],
        "allowed": list(rubric.allowed),
        "numeric": rubric.numeric,
        "names": list(rubric.names),
        "uses": list(rubric.uses),
        "logarithm": rubric.logarithm,
    }


def _with_repeats(data: list[Any], expectations: list[Any]) -> tuple[Outcome, ...]:
    """All outcomes, from data that leaves out repeated cases; these get the first one's outcome."""
    waiting, found = iter(data), []
    for expectation in expectations:
        again = expectation["again"]
        found.append(found[again] if again is not None else decode_outcome(next(waiting)))
    return tuple(found)


def rubric_from_data(data: dict[str, Any]) -> Rubric:
    """A rubric from JSON data.

    Raises:
        Refused: When the data is not a rubric.
    """
    try:
        told = [(name, hint, Section(**section)) for name, hint, section in data["hints"]]
        return Rubric(
            check=data["check"],
            parts=dict(data["parts"]),
            expected=data["expected"],
            section=Section(**data["section"]),
            expectations=tuple(
                Expectation(
                    case=item["case"],
                    part=item["part"],
                    public=item["public"],
                    outcome=item["outcome"] and decode_outcome(item["outcome"]),
                    tolerance=item["tolerance"],
                    again=item["again"],
                    unit=item["unit"],
                    facts=dict(item["facts"]),
                    twins=tuple((other, what) for other, what in item["twins"]),
                )
                for item in data["expectations"]
            ),
            wrong_ways=tuple(
                WrongWay(*told[index], _with_repeats(outcomes, data["expectations"]))
                for index, outcomes in data["wrong_ways"]
            ),
            allowed=tuple(data["allowed"]),
            numeric=data["numeric"],
            names=tuple(data["names"]),
            uses=tuple(data["uses"]),
            logarithm=data["logarithm"],
        )
    except (LookupError, TypeError, ValueError, AttributeError, StopIteration) as error:
        raise Refused(f"data that is not a rubric: {error!r}") from None
