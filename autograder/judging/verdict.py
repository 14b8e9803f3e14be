"""From evidence to a verdict.

A `Rubric` is data: what every case should come to, and what it comes to under each known
misconception. `judge` compares outcomes with it. The grader makes rubrics from an exercise's
checks; the student's notebook reads one, of the public cases alone, from a file that ships with it.
"""

from __future__ import annotations

import builtins
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from html import escape
from typing import Any

import numpy as np

from autograder.judging.evidence import Refused, decode_outcome
from autograder.kernel.evidence import Outcome, encode_outcome

MAX_SHOWN = 200  # characters of a value shown to a student
MAX_LISTED = 6  # answers that are all named when one is malformed


class Status(StrEnum):
    """How a check ended."""

    CORRECT = "correct"
    WRONG = "wrong"
    RAISED = "raised"
    TIMED_OUT = "timed out"
    OUT_OF_MEMORY = "out of memory"
    DIED = "died"
    NOT_RUN = "not run"
    REFUSED = "refused"
    NO_RESULT = "no result"  # what students are told of all that is neither correct nor wrong
    RECORDED = "recorded"  # on a student's machine only: well formed, judged when it is handed in


@dataclass(frozen=True)
class Section:
    """A section of the book.

    Args:
        number: As the book counts it, such as "1.3".
        title: Its title.
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
    """

    case: str
    part: str
    public: bool
    outcome: Outcome | None
    tolerance: float = 0.0


@dataclass(frozen=True)
class WrongWay:
    """What every case comes to under one misconception.

    Args:
        name: The misconception's name.
        hint: What went wrong and why, for the student.
        section: Where the book explains it.
        outcomes: One outcome a case.
    """

    name: str
    hint: str
    section: Section
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True)
class Rubric:
    """All that judging one check needs.

    Args:
        check: The check's name.
        parts: Points of each part. Without its first part a check earns nothing.
        expected: What was asked for, in words.
        section: Where the book teaches it.
        expectations: One a case.
        wrong_ways: The known misconceptions.
        allowed: The answers that are well formed, where only some are.
        numeric: Whether the answer is a number.
    """

    check: str
    parts: dict[str, float]
    expected: str
    section: Section
    expectations: tuple[Expectation, ...]
    wrong_ways: tuple[WrongWay, ...] = ()
    allowed: tuple[Any, ...] = ()
    numeric: bool = False

    @property
    def max_points(self) -> float:
        """The points of all parts."""
        return float(sum(self.parts.values()))


@dataclass(frozen=True)
class Verdict:
    """The judgement of one check.

    Args:
        check: The check's name.
        points: Points earned.
        max_points: Points that could be earned.
        status: How the check ended.
        message: What happened, in a sentence.
        expected: What was asked for, in words.
        section: The section of the book to read.
        parts: Points earned by part.
        misconception: The name of the misconception that explains the outcomes, if one does.
        hint: Its hint.
    """

    check: str
    points: float
    max_points: float
    status: Status
    message: str
    expected: str
    section: Section
    parts: dict[str, float]
    misconception: str | None = None
    hint: str | None = None

    def to_data(self) -> dict[str, Any]:
        """The verdict as JSON data."""
        return asdict(self)

    def to_text(self) -> str:
        """The verdict for a terminal."""
        lines = [f"{self.check}: {self.status} · {self.points:g} of {self.max_points:g} points"]
        lines.append(self.message)
        if self.hint:
            lines.append(f"Hint: {self.hint}")
        if self.status is not Status.CORRECT:
            lines.append(f"Expected: {self.expected}")
            lines.append(f"Read: {self.section.number} {self.section.title} ({self.section.url})")
        return "\n".join(lines)

    def to_html(self) -> str:
        """The verdict for a browser; all text in it is escaped."""
        return verdict_html(
            f"{self.check}: {self.status} · {self.points:g} of {self.max_points:g} points",
            good=self.status is Status.CORRECT,
            message=self.message,
            hint=self.hint,
            expected=None if self.status is Status.CORRECT else self.expected,
            section=self.section,
        )


def verdict_html(
    title: str,
    *,
    good: bool,
    message: str,
    hint: str | None = None,
    notes: list[str] | None = None,
    expected: str | None = None,
    section: Section | None = None,
) -> str:
    """Lays out a verdict; everything that comes in is escaped."""
    colour = "#1a7f37" if good else "#9a6700"
    body = [f"<p><strong>{escape(title)}</strong></p>"]
    body.append(f"<p>{escape(message)}</p>")
    if hint:
        body.append(f"<p><strong>Hint.</strong> {escape(hint)}</p>")
    if notes:
        body.append(f"<ul>{''.join(f'<li>{escape(note)}</li>' for note in notes)}</ul>")
    if expected:
        body.append(f"<p><strong>Expected.</strong> {escape(expected)}</p>")
    if section:
        link = f'<a href="{escape(section.url)}">{escape(f"{section.number} {section.title}")}</a>'
        body.append(f"<p><strong>In the book.</strong> {link}</p>")
    return (
        f'<div class="autograder-verdict" style="border-left:4px solid {colour};padding-left:1em">'
        f"{''.join(body)}</div>"
    )


def same(value: Any, wanted: Any, tolerance: float) -> bool:
    """Whether two decoded values agree.

    Args:
        value: What came.
        wanted: What it is compared with. NaN agrees with NaN and an infinity with itself.
        tolerance: The largest absolute difference allowed between numbers.
    """
    if isinstance(wanted, np.ndarray | int | float) and not isinstance(wanted, bool):
        if isinstance(value, bool) or not isinstance(value, np.ndarray | int | float):
            return False
        if isinstance(value, int | float) and isinstance(wanted, int | float):
            both_nan = value != value and wanted != wanted
            return value == wanted or abs(value - wanted) <= tolerance or both_nan
        value, wanted = np.asarray(value), np.asarray(wanted)
        if value.shape != wanted.shape:
            return False
        if (value.dtype.kind == "b") != (wanted.dtype.kind == "b"):
            return False
        return bool(
            np.allclose(
                value.astype(np.float64),
                wanted.astype(np.float64),
                rtol=0.0,
                atol=tolerance,
                equal_nan=True,
            )
        )
    if isinstance(wanted, list):
        return (
            isinstance(value, list)
            and len(value) == len(wanted)
            and all(same(a, b, tolerance) for a, b in zip(value, wanted, strict=True))
        )
    if isinstance(wanted, dict):
        return (
            isinstance(value, dict)
            and value.keys() == wanted.keys()
            and all(same(value[key], wanted[key], tolerance) for key in wanted)
        )
    if isinstance(wanted, str) and isinstance(value, str):
        return value.strip().casefold() == wanted.strip().casefold()
    return type(value) is type(wanted) and value == wanted


def is_number(value: Any) -> bool:
    """Whether a decoded value is one real number."""
    if isinstance(value, np.ndarray):
        return not value.shape and value.dtype.kind in "iuf"
    return isinstance(value, int | float) and not isinstance(value, bool)


def agrees(outcome: Outcome, wanted: Outcome, tolerance: float) -> bool:
    """Whether an outcome is the one that was wanted; exceptions agree when their classes do."""
    if outcome.kind != wanted.kind:
        return False
    if outcome.kind == "returned":
        return same(outcome.value, wanted.value, tolerance)
    return outcome.type == wanted.type


def find_misconception(rubric: Rubric, outcomes: list[Outcome]) -> WrongWay | None:
    """Finds the misconception that explains the outcomes.

    It must agree with the outcomes on every case that tells it apart from the reference, and there
    must be such a case. Of several, the one that more cases tell apart is the better explanation.
    """
    best, most = None, 0
    for way in rubric.wrong_ways:
        telling = [
            index
            for index, expectation in enumerate(rubric.expectations)
            if expectation.outcome is None
            or not agrees(way.outcomes[index], expectation.outcome, expectation.tolerance)
        ]
        if len(telling) > most and all(
            agrees(outcomes[i], way.outcomes[i], rubric.expectations[i].tolerance) for i in telling
        ):
            best, most = way, len(telling)
    return best


def judge(rubric: Rubric, outcomes: list[Outcome]) -> Verdict:
    """Judges the outcomes of one check.

    Nothing in the verdict shows an input, a returned value or a text of the student's process, so
    what a hidden case was cannot be read from it.
    """
    passed = [
        expectation.outcome is not None
        and agrees(outcome, expectation.outcome, expectation.tolerance)
        for expectation, outcome in zip(rubric.expectations, outcomes, strict=True)
    ]
    earned: dict[str, float] = {}
    for part, points in rubric.parts.items():
        cases = [
            ok
            for ok, expectation in zip(passed, rubric.expectations, strict=True)
            if expectation.part == part
        ]
        core = earned.get(next(iter(rubric.parts)), points)
        earned[part] = float(points) if cases and all(cases) and core else 0.0
    verdict = Verdict(
        check=rubric.check,
        points=sum(earned.values()),
        max_points=rubric.max_points,
        status=Status.CORRECT,
        message="Every case is right.",
        expected=rubric.expected,
        section=rubric.section,
        parts=earned,
    )
    if all(passed):
        return verdict

    status, message = _failure(rubric, outcomes, passed, earned)
    verdict = replace(verdict, status=status, message=message)
    way = find_misconception(rubric, outcomes)
    if way is not None and status is not Status.NOT_RUN:
        verdict = replace(verdict, misconception=way.name, hint=way.hint, section=way.section)
    return verdict


def _failure(
    rubric: Rubric, outcomes: list[Outcome], passed: list[bool], earned: dict[str, float]
) -> tuple[Status, str]:
    failed = [outcome for outcome, ok in zip(outcomes, passed, strict=True) if not ok]
    raised = [outcome for outcome in failed if outcome.kind == "raised"]
    if any(outcome.type == "NotImplementedError" for outcome in raised):
        return Status.NOT_RUN, "This task has not been written yet."
    if all(outcome.kind == "returned" and outcome.value is None for outcome in outcomes):
        if rubric.allowed or rubric.numeric:
            return Status.NOT_RUN, "No answer was given."
        return Status.WRONG, "It returned None. Is a return statement missing?"
    if rubric.allowed and not any(
        outcome.kind == "returned" and any(same(outcome.value, a, 0) for a in rubric.allowed)
        for outcome in outcomes
    ):
        if len(rubric.allowed) <= MAX_LISTED:
            return (
                Status.WRONG,
                f"The answer must be one of {', '.join(map(repr, rubric.allowed))}.",
            )
        return (
            Status.WRONG,
            f"The answer must look like {rubric.allowed[0]!r}, which is an example.",
        )
    if rubric.numeric and not all(
        outcome.kind == "returned" and is_number(outcome.value) for outcome in outcomes
    ):
        return Status.WRONG, "The answer must be a number."
    if all(expectation.outcome is None for expectation in rubric.expectations):
        return Status.RECORDED, "Your answer is well formed. It is judged when you hand it in."
    if raised:
        worst = [outcome for outcome in raised if is_out_of_memory(outcome)] or raised
        return raised_status(worst[0])
    if any(outcome.kind == "unsupported" for outcome in failed):
        return Status.WRONG, "It returned something that is neither a number, a tensor nor text."
    if len(rubric.expectations) == 1:
        return Status.WRONG, "This answer is not right."
    if any(earned.values()):
        missing = ", ".join(part for part, points in earned.items() if not points)
        return Status.WRONG, f"Right, but not yet for: {missing}."
    if all(
        ok
        for ok, expectation in zip(passed, rubric.expectations, strict=True)
        if expectation.public
    ):
        return Status.WRONG, "Right on the public cases, wrong on others."
    return Status.WRONG, "Results differ from what was expected."


def raised_status(outcome: Outcome) -> tuple[Status, str]:
    """The status and the words for an exception."""
    if is_out_of_memory(outcome):
        return Status.OUT_OF_MEMORY, "It asked for more memory than it may have."
    return Status.RAISED, f"It raised {exception_name(outcome)} where a result was expected."


def exception_name(outcome: Outcome) -> str:
    """The exception's class if Python defines it; a name that a student made is not."""
    known = getattr(builtins, outcome.type, None)
    if isinstance(known, type) and issubclass(known, BaseException):
        return outcome.type
    return "an exception"


def is_out_of_memory(outcome: Outcome) -> bool:
    """Whether an exception says that memory ran out, in Python's words or in torch's."""
    return outcome.type in ("MemoryError", "OutOfMemoryError") or (
        outcome.type == "RuntimeError" and "can't allocate memory" in outcome.message
    )


def unjudged(rubric: Rubric, status: Status, message: str) -> Verdict:
    """The verdict of a check that yielded no evidence: no points, and why."""
    return Verdict(
        check=rubric.check,
        points=0.0,
        max_points=rubric.max_points,
        status=status,
        message=message,
        expected=rubric.expected,
        section=rubric.section,
        parts=dict.fromkeys(rubric.parts, 0.0),
    )


def told(verdict: Verdict) -> Verdict:
    """A verdict as its student may know it: right or wrong by part, and the misconception.

    How an answer failed, a student's code can choose by the hidden inputs that it was asked. Of
    that one thing is told: whether there were results.
    """
    if verdict.status is Status.CORRECT:
        return verdict
    if verdict.status is not Status.WRONG:
        return replace(
            verdict,
            status=Status.NO_RESULT,
            message="There is no result to judge: it is not written yet, raised an exception, or"
            " took more time or memory than there is. Restart, run all cells, and read the check.",
        )
    right = [part for part, points in verdict.parts.items() if points]
    missing = ", ".join(part for part in verdict.parts if part not in right)
    words = f"Right, but not yet for: {missing}." if right else "This is not right yet."
    return replace(verdict, message=words)


def public_notes(rubric: Rubric, outcomes: list[Outcome]) -> list[str]:
    """What each wrong public case expected and what came, for the student's own screen."""
    notes = []
    for expectation, outcome in zip(rubric.expectations, outcomes, strict=True):
        wanted = expectation.outcome
        if wanted is None or agrees(outcome, wanted, expectation.tolerance):
            continue
        notes.append(f"{expectation.case}: expected {shown(wanted)}, got {shown(outcome)}.")
    return notes


def shown(outcome: Outcome) -> str:
    """An outcome in a few words."""
    if outcome.kind == "raised":
        text = f"{outcome.type}: {outcome.message}" if outcome.message else outcome.type
    elif outcome.kind == "unsupported":
        text = f"{outcome.type}, which cannot be checked"
    elif isinstance(outcome.value, np.ndarray) and not outcome.value.shape:
        text = f"{outcome.value.item():.4g}"
    elif isinstance(outcome.value, np.ndarray):
        values = np.array2string(outcome.value, precision=4, separator=", ", threshold=8)
        text = f"{' '.join(values.split())} of shape {list(outcome.value.shape)}"
    else:
        text = repr(plain(outcome.value))
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def plain(value: Any) -> Any:
    """A value with the single numbers in it as Python's own, to four digits."""
    if isinstance(value, np.ndarray | np.generic) and not value.shape:
        value = value.item()
    if isinstance(value, list | tuple):
        return type(value)(map(plain, value))
    return float(f"{value:.4g}") if isinstance(value, float) else value


def rubric_to_data(rubric: Rubric) -> dict[str, Any]:
    """A rubric as JSON data."""
    return {
        "check": rubric.check,
        "parts": rubric.parts,
        "expected": rubric.expected,
        "section": asdict(rubric.section),
        "expectations": [
            {
                "case": expectation.case,
                "part": expectation.part,
                "public": expectation.public,
                "outcome": expectation.outcome and encode_outcome(expectation.outcome),
                "tolerance": expectation.tolerance,
            }
            for expectation in rubric.expectations
        ],
        "wrong_ways": [
            {
                "name": way.name,
                "hint": way.hint,
                "section": asdict(way.section),
                "outcomes": [encode_outcome(outcome) for outcome in way.outcomes],
            }
            for way in rubric.wrong_ways
        ],
        "allowed": list(rubric.allowed),
        "numeric": rubric.numeric,
    }


def rubric_from_data(data: dict[str, Any]) -> Rubric:
    """A rubric from JSON data.

    Raises:
        Refused: When the data is not a rubric.
    """
    try:
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
                )
                for item in data["expectations"]
            ),
            wrong_ways=tuple(
                WrongWay(
                    name=item["name"],
                    hint=item["hint"],
                    section=Section(**item["section"]),
                    outcomes=tuple(decode_outcome(outcome) for outcome in item["outcomes"]),
                )
                for item in data["wrong_ways"]
            ),
            allowed=tuple(data["allowed"]),
            numeric=data["numeric"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise Refused(f"data that is not a rubric: {error!r}") from None
