"""Feedback: made anew where marks have changed, and given to each student.

nbgrader makes a page once and then skips it, so that a student goes on reading marks that a regrade
or a person has changed since. Here the hash of what a student's pages show is kept beside them, and
they are made anew when it changes.
"""

from __future__ import annotations

import glob
import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nbgrader.api import MissingEntry

from autograder.grading.course import Blueprint, Course, Misconfigured
from autograder.grading.exchange.collecting import (
    came_another_way,
    handed_in,
    hindrance,
)
from autograder.grading.exchange.steps import SECRET, ReleaseFeedback, read_secret
from autograder.grading.feedback.overview import page_of_set_aside, sentences
from autograder.grading.marks.lateness import late_versions, penalise
from autograder.grading.marks.outstanding import Age, manual
from autograder.grading.platforms.downloads import known_of
from autograder.grading.records import Record, Records, State
from autograder.grading.submissions.times import collected_of
from autograder.grading.wording import words
from autograder.nbgrader_internals import (
    Authenticator,
    Chosen,
    ExchangeError,
    GenerateFeedback,
    parse_utc,
)

SHOWN = ".shown"  # a file beside the pages: the hash of what they show
HERE = Path(__file__).parent
# Files that shape a page; pages are made anew when one of these changes.
MAKERS = [
    *(HERE / f"{name}.py" for name in ("overview", "verdicts", "formulas", "bounded", "inert")),
    HERE.parent / "accidents.py",
    HERE.parent / "marks" / "lateness.py",
    HERE.parent / "submissions" / "pictures.py",
    HERE.parents[1] / "judging" / "verdict.py",
    *sorted((HERE / "templates" / "feedback").rglob("*.j2")),
]


@dataclass
class Delivery:
    """What became of one student's feedback.

    Args:
        student: The student.
        made: Whether the page was made now; else it was up to date, or could not be made.
        released: Whether the feedback was released to the exchange now.
        lms: Whether the feedback goes back to Moodle or Canvas, where the submission came from.
        problem: Why the student gets no feedback, in a sentence; empty where there is none.
        notes: What else an instructor should know, a sentence each.
    """

    student: str
    made: bool = False
    released: bool = False
    lms: bool = False
    problem: str = ""
    notes: list[str] = field(default_factory=list)


def deliver(
    course: Course, assignment: str, students: Iterable[str] | None = None, release: bool = True
) -> list[Delivery]:
    """Makes the feedback that is missing or old, and releases it.

    Args:
        course: The course.
        assignment: The assignment.
        students: The students; None for everyone.
        release: Whether the feedback goes to the exchange.

    Raises:
        LookupError: When the gradebook does not have the assignment.
        Misconfigured: When the exchange cannot be used, penalties cannot be computed, or folders
            cannot be written.
        RuntimeError: When another process grades the assignment or makes its feedback.
    """
    blueprints = course.blueprints(assignment)
    course.require_writable(assignment)
    with Records(course.root, assignment).alone():
        return _deliver(course, assignment, blueprints, students, release)


def _deliver(
    course: Course,
    assignment: str,
    blueprints: Mapping[str, Blueprint],
    students: Iterable[str] | None,
    release: bool,
) -> list[Delivery]:
    penalise(course, assignment)
    records = Records(course.root, assignment)
    with course.gradebook() as gradebook:
        listed = {student.id for student in gradebook.students} - course.left
    recorded = {record.student for record in records.all()} & listed
    everyone = recorded | set(course.students(assignment))
    chosen = sorted(everyone if students is None else set(students))
    age = Age(course, assignment)
    waiting = in_exchange(course, assignment)
    late = late_versions(course, assignment, waiting)
    results = {student: Delivery(student) for student in chosen}
    old: dict[str, str] = {}
    known = known_of(course.root, assignment)
    for student, result in results.items():
        result.lms = student in known and not _secret(course, assignment, student)
        record = records.read(student)
        state = _graded(course, assignment, student, record)
        is_aside = record is not None and record.state is State.QUARANTINED
        if state is None and not is_aside:
            result.problem = "It is not graded; run grade."
            continue
        graded = state is not None
        result.notes = _notes(course, assignment, student, record, age, graded)
        if (newer := waiting.get(student)) and late.get(student, True):
            after = ", after the due date," if student in late else ""
            result.notes.append(
                f"A newer version of {newer}{after} is in the exchange; collect it, if it is to"
                " count."
            )
        if state is None:
            result.made = _say_aside(course, assignment, record, blueprints)
            continue
        if _shown(course, assignment, student) != state:
            old[student] = state
    failed = _make(course, assignment, old)
    for student in old:
        results[student].made = student not in failed
        if student in failed:
            results[student].problem = f"Its page could not be made: {failed[student]}"
    if release:
        ready = [each for each in results.values() if not each.problem and not each.lms]
        _release(course, assignment, ready)
    return list(results.values())


def _secret(course: Course, assignment: str, student: str) -> str:
    return read_secret(course.folder("submitted", student, assignment) / SECRET)


def _graded(course: Course, assignment: str, student: str, record: Record | None) -> str | None:
    """SHA-256 of all that a student's page shows; None where nothing is graded."""
    folder = course.folder("autograded", student, assignment)
    notebooks = sorted(folder.glob("*.ipynb"))
    if not notebooks:
        return None
    with course.gradebook() as gradebook:
        try:
            submission = gradebook.find_submission(assignment, student)
        except MissingEntry:
            return None
        marks = [
            [
                notebook.name,
                notebook.late_submission_penalty,
                sorted([grade.name, grade.score, grade.max_score] for grade in notebook.grades),
                sorted([each.name, each.comment or ""] for each in notebook.comments),
            ]
            for notebook in submission.notebooks
        ]
        marks.append(sentences(gradebook, assignment, student, record))
    whole = hashlib.sha256(json.dumps(sorted(marks, key=str)).encode())
    for path in (*notebooks, *MAKERS):
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def _say_aside(
    course: Course, assignment: str, record: Record, blueprints: Mapping[str, Blueprint]
) -> bool:
    """Makes the pages of a submission that has no grade; returns whether one has changed."""
    folder = course.folder("feedback", record.student, assignment)
    folder.mkdir(parents=True, exist_ok=True)
    made = False
    for name in blueprints:
        page, path = page_of_set_aside(name, record), folder / f"{name}.html"
        if not path.is_file() or path.read_text(encoding="utf-8") != page:
            path.write_text(page, encoding="utf-8")
            made = True
    return made


def _shown(course: Course, assignment: str, student: str) -> str:
    """The saved hash of a student's pages, or empty."""
    folder = course.folder("feedback", student, assignment)
    there = {page.stem for page in folder.glob("*.html")}
    graded = course.folder("autograded", student, assignment).glob("*.ipynb")
    if not {path.stem for path in graded} <= there:
        return ""
    path = folder / SHOWN
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _notes(
    course: Course, assignment: str, student: str, record: Record | None, age: Age, graded: bool
) -> list[str]:
    notes = []
    with course.gradebook() as gradebook:
        unmarked, again = manual(gradebook, assignment, student)
        changed = age.of(record, gradebook)
    if unmarked:
        notes.append(f"A person has not marked {', '.join(unmarked)}.")
    if again:
        notes.append(f"Marked by hand before the last grading: {', '.join(again)}.")
    if record is not None and record.state is State.QUARANTINED:
        version = "The last version" if graded else "It"
        notes.append(f"{version} is set aside: {record.reason} Its page says so.")
    return notes + changed


def in_exchange(course: Course, assignment: str) -> dict[str, str]:
    """By student, when a version in the exchange that is newer than the collected one came."""
    inbound = Path(_exchange(course, assignment).root, course.coursedir.course_id, "inbound")
    owned = course.config.ExchangeCollect.get("check_owner", True)
    found: dict[str, tuple] = {}
    try:
        names = [path.name for path in inbound.glob(f"*+{glob.escape(assignment)}+*")]
    except OSError:
        return {}
    for name in names:
        student, _, rest = name.partition(f"+{assignment}+")
        text = rest.partition("+")[0]
        try:
            stated = parse_utc(text)
            if hindrance(inbound / name, student, owned):
                continue  # nbgrader collect says what is wrong with it
            when = handed_in(inbound / name, stated)
        except (ValueError, OverflowError, OSError):
            continue
        text = text if when == stated else f"{when:%Y-%m-%d %H:%M:%S.%f} UTC"
        if student not in found or when > found[student][0]:
            found[student] = (when, text)
    newer = {}
    for student, (when, text) in found.items():
        if student in course.left:
            continue
        folder = course.folder("submitted", student, assignment)
        if came_another_way(folder):
            continue  # nobody knows which is newer
        have = collected_of(course.coursedir, folder)
        if have is None or when > have:
            newer[student] = text
    return newer


class _Feedback(Chosen, GenerateFeedback):
    """nbgrader's converter, for the submissions whose pages are out of date."""

    def __init__(self, course: Course, assignment: str, students: Iterable[str]) -> None:
        coursedir = course.coursedir_for(assignment_id=assignment, ignore=course.not_copied())
        super().__init__(config=course.config, coursedir=coursedir)
        self.students = list(students)
        self.failed: dict[str, str] = {}
        self.log.setLevel(logging.CRITICAL)

    def convert_notebooks(self) -> None:
        for student in self.students:
            try:
                self.clear(student)
                self.convert(student)
            except Exception as error:  # a failure stops no other student's page
                self.failed[student] = words(error)


def _make(course: Course, assignment: str, old: Mapping[str, str]) -> dict[str, str]:
    """Makes pages anew; returns, by student, why a page could not be made."""
    if not old:
        return {}
    maker = _Feedback(course, assignment, old)
    maker.start()
    for student, state in old.items():
        if student not in maker.failed:
            path = course.folder("feedback", student, assignment) / SHOWN
            path.write_text(state, encoding="utf-8")
    return maker.failed


def _exchange(course: Course, assignment: str) -> ReleaseFeedback:
    coursedir = course.coursedir_for(assignment_id=assignment)
    return ReleaseFeedback(
        coursedir=coursedir,
        authenticator=Authenticator(config=course.config),
        config=course.config,
    )


def _release(course: Course, assignment: str, ready: list[Delivery]) -> None:
    if not ready:
        return
    step = _exchange(course, assignment)
    step.log.setLevel(logging.CRITICAL)
    step.only = {each.student for each in ready}
    try:
        step.start()
    except ExchangeError as error:
        raise Misconfigured(
            f"The pages are made, and the exchange cannot be used: {error}"
        ) from None
    for each in ready:
        each.problem = step.undelivered.get(each.student, "")
        each.released = each.student in step.delivered
