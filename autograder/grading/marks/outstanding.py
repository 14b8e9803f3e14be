"""What is unfinished in marking, so that no marks are given out before it is done."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from nbgrader.api import Gradebook, MissingEntry
from traitlets.config import Config

from autograder.grading.course import Course
from autograder.grading.records import Record, Records, State
from autograder.grading.rules import rules
from autograder.grading.submissions.examination import digest_of
from autograder.grading.submissions.times import collected_of
from autograder.grading.wording import names
from autograder.sandbox.options import Sandbox

OLD_RULES = (
    "The checks, the limits or the book's address have changed since it was graded; run grade"
    " again."
)
OLD_GRADEBOOK = (
    "The gradebook has another version than was graded last, as where a copy was put back; run"
    " grade again."
)
OLD_VERSION = "What is in the submitted folder is not what was graded; run grade again."


@dataclass
class Outstanding:
    """What is unfinished in one assignment.

    Args:
        unmarked: By student, the cells that a person has not marked.
        again: By student, the cells that have points by hand from before the last grading.
        aside: By student, why the submission is set aside.
        older: The students in `aside` who still have marks, of an older version.
        ungraded: The students who handed in, have no grade and are not in `aside`.
        old: By a sentence on what has changed since grading, the students with outdated grades.
    """

    unmarked: dict[str, list[str]] = field(default_factory=dict)
    again: dict[str, list[str]] = field(default_factory=dict)
    aside: dict[str, str] = field(default_factory=dict)
    older: list[str] = field(default_factory=list)
    ungraded: list[str] = field(default_factory=list)
    old: dict[str, list[str]] = field(default_factory=dict)

    def sentences(self) -> list[str]:
        """What is unfinished, in sentences; may be empty."""
        said = []
        if self.unmarked:
            cells = sum(map(len, self.unmarked.values()))
            answers = "1 answer waits" if cells == 1 else f"{cells} answers wait"
            said.append(
                f"{answers} for marks by a person, in Formgrader's Manual Grading:"
                f" {names(self.unmarked)}."
            )
        if self.again:
            cells = sum(map(len, self.again.values()))
            answers = "1 answer was" if cells == 1 else f"{cells} answers were"
            said.append(
                f"{answers} marked by hand before the last grading; look again:"
                f" {names(self.again)}."
            )
        if unmarked := self.aside.keys() - self.older:
            said.append(f"Set aside, with no marks: {names(unmarked)}.")
        if self.older:
            said.append(f"Set aside, with the mark of an older version: {names(self.older)}.")
        if self.ungraded:
            said.append(f"Handed in and not graded: {names(self.ungraded)}.")
        said += [f"{names(students)}: {changed}" for changed, students in self.old.items()]
        return said


def named_grades(submission: Any) -> list[tuple[str, Any]]:
    """A submission's grades, by the names of their cells.

    Where several notebooks have a cell of one name, the notebook's name goes before it.
    """
    grades = [
        (notebook.name, grade) for notebook in submission.notebooks for grade in notebook.grades
    ]
    often = Counter(grade.name for _, grade in grades)
    return sorted(
        (
            (grade.name if often[grade.name] == 1 else f"{notebook}: {grade.name}", grade)
            for notebook, grade in grades
        ),
        key=lambda named: named[0],
    )


def manual(gradebook: Gradebook, assignment: str, student: str) -> tuple[list[str], list[str]]:
    """The cells of a submission that are not marked yet, and those to be looked at again."""
    try:
        submission = gradebook.find_submission(assignment, student)
    except MissingEntry:
        return [], []
    waiting = [each for each in named_grades(submission) if each[1].needs_manual_grade]
    unmarked = [name for name, grade in waiting if grade.manual_score is None]
    again = [name for name, grade in waiting if grade.manual_score is not None]
    return unmarked, again


def outstanding(gradebook: Gradebook, course: Course | None, assignment: str) -> Outstanding:
    """Finds what is unfinished in an assignment.

    Args:
        gradebook: The gradebook.
        course: The course; with None, only what waits for marks by a person is found.
        assignment: The assignment.
    """
    found = Outstanding()
    try:
        submissions = gradebook.assignment_submissions(assignment)
    except MissingEntry:
        submissions = []
    graded = {submission.student.id for submission in submissions}
    graded -= course.left if course else set()
    for student in sorted(graded):
        unmarked, again = manual(gradebook, assignment, student)
        if unmarked:
            found.unmarked[student] = unmarked
        if again:
            found.again[student] = again
    if course is None:
        return found
    records, age = Records(course.root, assignment), Age(course, assignment)
    for student in course.students(assignment):
        record = records.read(student)
        if record and record.state is State.QUARANTINED:
            found.aside[student] = record.reason
            found.older += [student] if student in graded else []
        elif student not in graded:
            found.ungraded.append(student)
        for changed in age.of(record, gradebook):
            found.old.setdefault(changed, []).append(student)
    return found


def differs(gradebook: Gradebook, course: Course, record: Record) -> bool:
    """Whether the gradebook's grade of a submission is not the one that the record is of."""
    try:
        submission = gradebook.find_submission(record.assignment, record.student)
    except MissingEntry:
        return False
    graded = course.folder("autograded", record.student, record.assignment)
    if (when := collected_of(course.coursedir, graded)) and when != submission.timestamp:
        return True
    points = {
        (notebook.name, grade.name): grade.auto_score
        for notebook in submission.notebooks
        for grade in notebook.grades
    }
    return any(
        points.get((notebook, name)) != result["verdict"]["points"]
        for notebook, name, result in record.verdicts()
    )


class Age:
    """What has changed since a submission of an assignment was graded."""

    def __init__(self, course: Course, assignment: str) -> None:
        self.course, self.assignment = course, assignment
        self.blueprints = course.blueprints(assignment)
        self.rules = rules(course, assignment, self.blueprints)
        self.room = Sandbox(config=Config(course.config)).limits().scratch

    def of(self, record: Record | None, gradebook: Gradebook) -> list[str]:
        """What has changed, in sentences; empty with no record, as after nbgrader's own command."""
        if record is None:
            return []
        found = []
        if record.state is not State.QUARANTINED and record.checks != self.rules:
            found.append(OLD_RULES)
        if record.state is State.RECORDED and differs(gradebook, self.course, record):
            found.append(OLD_GRADEBOOK)
        folder = self.course.folder("submitted", record.student, self.assignment)
        where = (folder, self.blueprints, tuple(self.course.coursedir.ignore), self.room)
        if folder.is_dir() and record.digest != digest_of(*where):
            found.append(OLD_VERSION)
        return found
