"""Checks what was graded: judges its evidence again, or runs it again with its seed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

from nbgrader.api import MissingEntry

from autograder.grading.course import Course
from autograder.grading.execution.batch import Batch
from autograder.grading.execution.rehearsal import readable
from autograder.grading.records import Record, Records, State
from autograder.grading.rules import checks_folder
from autograder.grading.wording import words
from autograder.judging.evidence import Refused, loads, read_evidence
from autograder.judging.rubric import Rubric
from autograder.judging.verdict import Status, Verdict, judge_either, unjudged
from autograder.questions import generator, load_checks
from autograder.spec import Check


@dataclass
class Finding:
    """What an audit or a second run of one submission found.

    Args:
        record: The submission's record.
        problems: A sentence for each difference between today's result and the recorded one.
    """

    record: Record
    problems: list[str] = field(default_factory=list)


def audit(course: Course, assignment: str, students: Iterable[str] | None = None) -> list[Finding]:
    """Judges recorded evidence again; compares with the recorded verdicts and the gradebook.

    No student's code is run.

    Args:
        course: The course.
        assignment: The assignment.
        students: Whose submissions are judged; None for all that have a record.
    """
    records = chosen(course, assignment, students)
    path = checks_folder(course) / f"{assignment}.py"
    readable(path)
    checks = load_checks(path)
    findings = []
    with course.gradebook() as gradebook:
        for record in records:
            finding = Finding(record)
            for notebook, name, result in record.verdicts():
                if name not in checks:
                    finding.problems.append(f"{name}: there is no check of that name any more.")
                    continue
                again = rejudge(checks[name], result)
                if canonical(again.to_data()) != canonical(result["verdict"]):
                    finding.problems.append(
                        f"{name}: recorded {describe(result['verdict'])}, "
                        f"judged again {describe(again.to_data())}."
                    )
                if record.state is not State.RECORDED:
                    continue
                try:
                    grade = gradebook.find_grade(name, notebook, assignment, record.student)
                    score = grade.auto_score
                except MissingEntry:
                    score = None
                if score != result["verdict"]["points"]:
                    finding.problems.append(
                        f"{name}: the gradebook has {score}, the record "
                        f"{result['verdict']['points']:g}."
                    )
            findings.append(finding)
    return findings


def rejudge(check: Check, result: dict[str, Any]) -> Verdict:
    """Judges recorded evidence; if none can be read, the recorded status stays, with no points."""
    rubric = check.rubric(check.cases(generator(result["seed"], check)))
    recorded = result["verdict"]
    texts, replaced = result["evidence"], result.get("replaced", [])
    count = len(rubric.expectations) * (2 if replaced else 1)
    if len(texts) == 1:
        try:
            # The nonce bound evidence to its run; now the record vouches for it.
            data = loads(texts[0])
            nonce = data.get("nonce") if isinstance(data, dict) else None
            outcomes = read_evidence(texts[0], check=rubric.check, nonce=nonce, count=count)
        except Refused:
            return _as_recorded(rubric, recorded)
        if recorded["status"] != Status.REFUSED:
            return judge_either(rubric, outcomes, replaced)
    return _as_recorded(rubric, recorded)


def _as_recorded(rubric: Rubric, recorded: dict[str, Any]) -> Verdict:
    """A verdict with no points, because there is no evidence; the record gives status and words."""
    return unjudged(rubric, Status(recorded["status"]), recorded["message"])


def verify(
    course: Course,
    assignment: str,
    make_executor: Callable[[], Executor],
    jobs: int,
    students: Iterable[str] | None = None,
    report: Callable[[Record, bool], None] = lambda record, now: None,
) -> list[Finding]:
    """Runs recorded submissions again with their seeds, and compares each verdict in full.

    Quarantined submissions are left out. The gradebook and the records stay as they are.

    Args:
        course: The course.
        assignment: The assignment.
        make_executor: Makes the executor whose workers run submissions.
        jobs: How many workers it has.
        students: Whose submissions are run; None for all that have a record.
        report: Called after each submission, with its old record and True.
    """
    findings = {
        record.student: Finding(record)
        for record in chosen(course, assignment, students)
        if record.state is not State.QUARANTINED
    }
    batch = Batch(course, assignment, make_executor, jobs, force=True)
    with batch.at_work():
        for student, result, record in batch.executed(findings):
            before, problems = findings[student].record, findings[student].problems
            if record is None:
                problems.append(words(result))
            elif isinstance(result, BaseException):
                problems.append(f"It could not be run again: {words(result)}")
            else:
                record.fill(result.notebooks, result.seconds, result.memory)
                problems.extend(_differences(before, record))
            batch.tidy(student)
            report(before, True)
    return list(findings.values())


def _differences(before: Record, after: Record) -> Iterator[str]:
    if before.digest != after.digest:
        yield "What is in the submitted folder has changed since."
    if before.checks != after.checks:
        yield "The checks have changed since."
    old = {(notebook, name): result for notebook, name, result in before.verdicts()}
    new = {(notebook, name): result for notebook, name, result in after.verdicts()}
    for key in sorted(old.keys() | new.keys()):
        verdicts = [side[key]["verdict"] if key in side else None for side in (old, new)]
        if canonical(verdicts[0]) != canonical(verdicts[1]):
            yield f"{key[1]}: recorded {describe(verdicts[0])}, now {describe(verdicts[1])}."


def chosen(course: Course, assignment: str, students: Iterable[str] | None) -> list[Record]:
    """The records of these students, if they have one; all records for None.

    Raises:
        LookupError: When the assignment has no records.
    """
    records = Records(course.root, assignment)
    if not (everyone := list(records.all())):
        raise LookupError(f"Nothing of {assignment} is graded yet.")
    if students is None:
        return everyone
    found = (records.read(student) for student in students)
    return [record for record in found if record is not None]


def fingerprint(evidence: list[str]) -> str:
    """The size of a cell's evidence and the first digits of its SHA-256; "none" if it has none."""
    if not evidence:
        return "none"
    raw = "".join(evidence).encode()
    return f"{len(raw)} bytes, sha256:{hashlib.sha256(raw).hexdigest()[:16]}"


def canonical(data: Any) -> str:
    """JSON text with sorted keys, so that equal data have equal texts."""
    return json.dumps(data, sort_keys=True, ensure_ascii=False)


def describe(verdict: dict[str, Any] | None) -> str:
    """A verdict's status and points in words; "nothing" for None."""
    if verdict is None:
        return "nothing"
    status = Status(verdict["status"]).in_full
    return f"{status} with {verdict['points']:g} of {verdict['max_points']:g} points"
