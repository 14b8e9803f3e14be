"""From evidence to a verdict: `judge` compares outcomes with what a rubric expects."""

from __future__ import annotations

import builtins
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from html import escape
from typing import Any

from autograder.judging.agreement import agrees, complaint, form, is_number, same
from autograder.judging.comparison import Comparison, compare
from autograder.judging.explanation import explain
from autograder.judging.observation import observed
from autograder.judging.rubric import Expectation, Rubric, Section
from autograder.kernel.evidence import CHANGED, NOT_LEFT, TOO_LARGE, Outcome

MAX_LISTED = 6  # the most allowed answers that are all named to a student whose own is malformed
RIGHT_ELSE = r"Right\b|[^.]* (is|are) right\b"  # the beginning of a hint that says what is right
OF_TORCH = re.compile("not implemented for '|is missing the required").search  # no stub's words
OF_XOR = re.compile(r" for \^: .*float|bitwise_xor").search  # a power was meant
SEVERAL = ("At least two things", "Two things")  # beginnings of hints on more than one thing


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

    @property
    def in_full(self) -> str:
        """What a student reads and, in brackets, the status if only an instructor may know it."""
        if self in (Status.CORRECT, Status.WRONG, Status.NO_RESULT, Status.RECORDED):
            return self.value
        return f"{Status.NO_RESULT} ({self})"


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
        misconception: The name of the misconception that explains the outcomes, if one does; else
            the name of an observation ("observed_…"), if there is one.
        hint: The hint of the misconception, or the words of the observation.
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

    @property
    def named(self) -> str | None:
        """The misconception's name; None if there is none, or only an observation."""
        name = self.misconception
        return None if name is None or name.startswith("observed_") else name

    @property
    def title(self) -> str:
        """The verdict's first line."""
        points = f"{self.points:g} of {self.max_points:g} points"
        return f"{self.check}: {self.status.in_full} · {points}"

    def to_text(self) -> str:
        """The verdict for a terminal."""
        lines = [self.title, self.message]
        if self.hint:
            lines.append(f"Hint: {self.hint}")
        if self.status is not Status.CORRECT:
            lines.append(f"Expected: {self.expected}")
            lines.append(f"Read: {self.section.number} {self.section.title} ({self.section.url})")
        return "\n".join(lines)

    def to_html(self) -> str:
        """The verdict for a browser; all text in it is escaped."""
        return verdict_html(
            self.title,
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
    notes: list[Comparison] | None = None,
    expected: str | None = None,
    section: Section | None = None,
) -> str:
    """Lays out a verdict as HTML; all text is escaped, and sentences are marked up by `marked`."""
    colour = "#1a7f37" if good else "#9a6700"
    body = [f"<p><strong>{escape(title)}</strong></p>"]
    body.append(f"<p>{marked(message)}</p>")
    if hint:
        body.append(f"<p><strong>Hint.</strong> {marked(hint)}</p>")
    body += [note.to_html() for note in notes or ()]
    if expected:
        body.append(f"<p><strong>Expected.</strong> {marked(expected)}</p>")
    if section:
        link = f'<a href="{escape(section.url)}">{escape(f"{section.number} {section.title}")}</a>'
        body.append(f"<p><strong>In the book.</strong> {link}</p>")
    return (
        f'<div class="autograder-verdict" style="border-left:4px solid {colour};padding-left:1em">'
        f"{''.join(body)}</div>"
    )


def marked(text: str) -> str:
    """A text as HTML: escaped, with text in backticks as code and a *single* word emphasised."""
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return re.sub(r"(?<![\w*])\*(\w+)\*(?![\w*])", r"<em>\1</em>", text)


def judge(rubric: Rubric, outcomes: list[Outcome]) -> Verdict:
    """Judges the outcomes of one check.

    Nothing in the verdict shows an input, a returned value or a text of the student's process, so
    a hidden case cannot be read from it.
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
    verdict = unjudged(rubric, Status.CORRECT, "Every case is right.")
    verdict = replace(verdict, points=sum(earned.values()), parts=earned)
    if all(passed):
        return verdict

    status, message = _failure(rubric, outcomes, passed, earned)
    verdict = replace(verdict, status=status, message=message)
    if status is Status.NOT_RUN:
        return verdict
    if found := explain(rubric, outcomes, passed):
        way, whole = found
        hint = way.hint
        if not whole and re.match(RIGHT_ELSE, hint):
            hint = f"One thing that is off, and maybe not the only one. Apart from others: {hint}"
        elif not whole and not hint.startswith(SEVERAL):
            hint = f"One thing that is off, and maybe not the only one: {hint}"
        return replace(verdict, misconception=way.name, hint=hint, section=way.section)
    if seen := observed(rubric, outcomes, passed):
        return replace(verdict, misconception=seen.name, hint=seen.words)
    return verdict


def judge_either(rubric: Rubric, outcomes: list[Outcome], replaced: Sequence[str]) -> Verdict:
    """Judges an answer with the student's own earlier functions, and also with right ones.

    Args:
        rubric: The rubric.
        outcomes: One per case. If `replaced` is not empty, there are as many again, obtained with
            right functions.
        replaced: The earlier tasks whose functions lost points and were replaced.

    Returns:
        The verdict with more points. Unless the student's own functions earn all points, it says
        how right ones did; if these earn no more but reveal a misconception, the verdict names
        it where it would name none.
    """
    if not replaced:
        return judge(rubric, outcomes)
    count = len(rubric.expectations)
    own, right = judge(rubric, outcomes[:count]), judge(rubric, outcomes[count:])
    names = " and ".join(f"`{name}`" for name in replaced)
    if right.points > own.points:
        words = f"Judged with right versions of {names}, because yours lost points of their own."
        return replace(right, message=f"{words} {right.message}")
    if own.points < own.max_points:
        words = f"With right versions of {names} in place of yours it earns no more."
        own = replace(own, message=f"{own.message} {words}")
        if right.named and not own.named:
            hint = f"With right versions of {names} in place of yours this is so: {right.hint}"
            return replace(own, misconception=right.misconception, hint=hint, section=right.section)
    return own


def _failure(
    rubric: Rubric, outcomes: list[Outcome], passed: list[bool], earned: dict[str, float]
) -> tuple[Status, str]:
    failed = [
        (outcome, expectation)
        for outcome, expectation, ok in zip(outcomes, rubric.expectations, passed, strict=True)
        if not ok
    ]
    raised = [outcome for outcome, _ in failed if outcome.kind == "raised"]
    if any(each.type == "NotImplementedError" and not OF_TORCH(each.message) for each in raised):
        return Status.NOT_RUN, (
            "This task is not written yet, or a `raise NotImplementedError` is left over in it."
        )
    if (rubric.allowed or rubric.numeric) and (message := _malformed(rubric, outcomes[0])):
        return message
    if all(expectation.outcome is None for expectation in rubric.expectations):
        return Status.RECORDED, "Your answer is well formed. It is judged when you hand it in."
    if raised:
        worst = [outcome for outcome in raised if is_out_of_memory(outcome)]
        unasked = [
            outcome
            for outcome, expectation in failed
            if outcome.kind == "raised" and expectation.outcome.kind != "raised"
        ]
        wanted = "a result" if unasked else "another exception"
        return raised_status((worst or unasked or raised)[0], wanted)
    if all(outcome.type in NOT_LEFT for outcome, _ in failed):
        what = "what was given" if failed[0][0].type == CHANGED else "torch"
        return Status.WRONG, f"All results are right, and {what} is not left as it was."
    failed = [each for each in failed if each[0].type not in NOT_LEFT]
    unsupported = [outcome for outcome, _ in failed if outcome.kind == "unsupported"]
    if unsupported:
        return Status.WRONG, f"It returned {kind_name(unsupported[0])}, which cannot be judged."
    if len(rubric.expectations) == 1:
        return Status.WRONG, "This answer is not right."
    if all(_only_again(expectation, passed) for _, expectation in failed):
        return Status.WRONG, (
            "Right the first time, and another result when the same question is asked again. What"
            " outlives the call: a .grad that is added to, an argument that was changed?"
        )
    said = [
        complaint(outcome.value, expectation.outcome.value)
        if expectation.outcome.kind == "returned"
        else ""
        for outcome, expectation in failed
    ]
    if not all(said):
        said = []  # not every wrong result has another form
    if any(earned.values()):
        missing = ", ".join(part for part, points in earned.items() if not points)
        # A result that should be no number may be an observer's, and not the student's.
        plain = all(is_number(expectation.outcome.value) for _, expectation in failed)
        words = f"Right, but not yet for: {missing}."
        return Status.WRONG, " ".join([words, *said[: int(plain)]])
    if all(
        ok
        for ok, expectation in zip(passed, rubric.expectations, strict=True)
        if expectation.public
    ):
        return Status.WRONG, " ".join(["Right on the public cases, wrong on others.", *said[:1]])
    return Status.WRONG, said[0] if said else "Results differ from what was expected."


def _only_again(expectation: Expectation, passed: list[bool]) -> bool:
    return expectation.again is not None and passed[expectation.again]


def _malformed(rubric: Rubric, outcome: Outcome) -> tuple[Status, str] | None:
    """The status and the words for an answer that is not well formed; None if it is."""
    if outcome.kind == "returned" and outcome.value is None:
        return Status.NOT_RUN, (
            "No answer was given: this is None. What changes a list in place, such as its sort(),"
            " returns None."
            if rubric.allowed and isinstance(rubric.allowed[0], list)
            else "No answer was given."
        )
    came = form(outcome.value) if outcome.kind == "returned" else kind_name(outcome)
    if rubric.numeric:
        if outcome.kind == "returned" and is_number(outcome.value):
            return None
        quoted = " Write it without quotation marks." if came == "text" else ""
        return Status.WRONG, f"The answer must be a number, and this is {came}.{quoted}"
    if outcome.kind == "returned" and any(same(outcome.value, a, 0) for a in rubric.allowed):
        return None
    example = rubric.allowed[0]
    if len(rubric.allowed) <= MAX_LISTED:
        asked = f"be one of {', '.join(map(repr, rubric.allowed))}"
    else:
        asked = f"look like {example!r}, which is an example"
    what = form(example)
    if came == what:
        said = complaint(outcome.value, example, what="It is")
        return Status.WRONG, f"The answer must {asked}.{f' {said}' if said else ''}"
    return Status.WRONG, f"The answer must {asked}. That is {what}, and this is {came}."


def raised_status(outcome: Outcome, wanted: str = "a result") -> tuple[Status, str]:
    """The status and the words for an exception that came where `wanted` was expected."""
    if is_out_of_memory(outcome):
        return Status.OUT_OF_MEMORY, "It asked for more memory than it may have."
    words = f"It raised {exception_name(outcome.type)} where {wanted} was expected."
    if outcome.type in ("TypeError", "AttributeError") and "NoneType" in outcome.message:
        words += " It worked with a None, which a function without a return statement gives."
    if OF_XOR(outcome.message):
        words += " In Python `^` is an exclusive or; a power is `**`."
    return Status.RAISED, words


def exception_name(name: str) -> str:
    """The name of an exception that Python defines; "an exception" for any other."""
    known = getattr(builtins, name, None)
    is_exception = isinstance(known, type) and issubclass(known, BaseException)
    return name if is_exception else "an exception"


def kind_name(outcome: Outcome) -> str:
    """Names what evidence cannot carry, if Python has a word for it; else says "something"."""
    known = getattr(builtins, outcome.type, None)
    if isinstance(known, type) or outcome.type in ("function", "generator", "method", "module"):
        return f"{'an' if outcome.type[0] in 'aeiou' else 'a'} {outcome.type}"
    if outcome.type.endswith(", not a function"):
        return "no function, or something"
    return TOO_LARGE if outcome.type == TOO_LARGE else "something"


def is_out_of_memory(outcome: Outcome) -> bool:
    """Whether an exception says that memory ran out, in Python's words or in torch's."""
    return outcome.type in ("MemoryError", "OutOfMemoryError") or (
        outcome.type == "RuntimeError" and "can't allocate memory" in outcome.message
    )


def unjudged(rubric: Rubric, status: Status, message: str) -> Verdict:
    """A verdict with no points, and why; as for a check that yielded no evidence."""
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


def told(verdict: Verdict, reason: str | None = None) -> Verdict:
    """A verdict as its student may know it: right or wrong by part, and the misconception.

    A student's code sees hidden inputs and can choose by them how it fails. So of the failure only
    one thing is told: whether there were results.

    Args:
        verdict: The whole verdict.
        reason: What the notebook's source shows, which does not depend on hidden inputs.
    """
    if verdict.status is Status.CORRECT:
        return verdict
    if verdict.status is not Status.WRONG:
        return replace(
            verdict,
            status=Status.NO_RESULT,
            message=reason
            or "There is no result to judge: it is not written yet, raised an exception, or took"
            " more time or memory than there is. Restart, run all cells, and read the check.",
        )
    right = [part for part, points in verdict.parts.items() if points]
    missing = ", ".join(part for part in verdict.parts if part not in right)
    words = f"Right, but not yet for: {missing}." if right else "This is not right yet."
    return replace(verdict, message=f"{words} {reason}" if reason and not right else words)


def public_notes(rubric: Rubric, outcomes: list[Outcome]) -> list[Comparison]:
    """Compares each wrong case of a public rubric with what is right, for the student's screen."""
    return [
        compare(
            expectation.case, outcome, wanted, expectation.tolerance, expectation.unit, rubric.names
        )
        for expectation, outcome in zip(rubric.expectations, outcomes, strict=True)
        if (wanted := expectation.outcome) is not None
        and not agrees(outcome, wanted, expectation.tolerance)
    ]
