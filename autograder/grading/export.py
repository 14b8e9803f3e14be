"""Marks as tables: nbgrader's own, and the form that Canvas's gradebook imports.

Each says what of the marks is not finished: answers that wait for a person, submissions that are
set aside or not graded.

    nbgrader export --to=grades.csv
    nbgrader export --exporter=autograder.grading.export.CanvasExportPlugin --to=canvas.csv

Names and ids come from outside, and spreadsheets run what begins like a formula. So every text in
every table is written as text (`inert`).

Canvas knows students by "ID", its own number, else by "SIS User ID", else by "SIS Login ID", else
by name. Its guide: "How do I import grades in the Gradebook?",
https://community.canvaslms.com/t5/Instructor-Guide/ta-p/807.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.plugins import ExportPlugin
from traitlets import Dict, Unicode

from autograder.grading.course import Course
from autograder.grading.downloads import FOLDER, known_of, sender
from autograder.grading.outstanding import outstanding

FORMULA = "=+-@|%＝＋－＠"  # how formulas and commands begin
NBGRADER = (
    *("assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email"),
    *("raw_score", "late_submission_penalty", "score", "max_score"),
)
COLUMNS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")


class TableExportPlugin(ExportPlugin):
    """nbgrader's own table, its columns and its order, with texts that stay texts."""

    def export(self, gradebook: Gradebook) -> None:
        """Writes the table.

        Args:
            gradebook: nbgrader's gradebook.
        """
        with Path(self.to or "grades.csv").open("w", encoding="utf-8", newline="") as stream:
            table = csv.writer(stream)
            table.writerow(NBGRADER)
            for assignment in gradebook.assignments:
                if self.assignment and assignment.name not in map(str, self.assignment):
                    continue
                for student in gradebook.students:
                    if not self.student or student.id in map(str, self.student):
                        table.writerow(_row(gradebook, assignment, student))
        say_what_waits(self, gradebook)


def say_what_waits(plugin: ExportPlugin, gradebook: Gradebook) -> None:
    """Warns of what of the exported marks is not finished."""
    coursedir = getattr(plugin.parent, "coursedir", None)
    course = Course(Path(coursedir.root)) if coursedir is not None else None
    for assignment in gradebook.assignments:
        if plugin.assignment and assignment.name not in map(str, plugin.assignment):
            continue
        waits = outstanding(gradebook, course, assignment.name)
        for sentence in waits.sentences():
            plugin.log.warning("%s: %s", assignment.name, sentence)


def _row(gradebook: Gradebook, assignment: Any, student: Any) -> list[Any]:
    """A student's row; what was not handed in counts as 0, as nbgrader has it."""
    try:
        found = gradebook.find_submission(assignment.name, student.id)
        penalty = found.late_submission_penalty or 0.0
        marks = [found.timestamp, found.score, penalty, max(0.0, found.score - penalty)]
    except MissingEntry:
        marks = ["", 0.0, 0.0, 0.0]
    known = map(inert, (student.id, student.last_name, student.first_name, student.email))
    first = [inert(assignment.name), assignment.duedate, marks[0]]
    return [*first, *known, *marks[1:], assignment.max_score]


class CanvasExportPlugin(ExportPlugin):
    """One row a student, one column an assignment, and a row of the points possible.

    Late penalties are taken off, as in nbgrader's own table. What was not handed in stays empty.
    """

    section = Unicode("", help="What Canvas calls the students' section.").tag(config=True)

    titles = Dict(
        {},
        help="Titles of assignments in Canvas by their names here; with the number in brackets, as"
        ' in "Problem set 1 (4711)", Canvas finds the assignment whatever it is called.',
    ).tag(config=True)

    def export(self, gradebook: Gradebook) -> None:
        """Writes the table.

        Args:
            gradebook: nbgrader's gradebook.
        """
        assignments = [
            assignment
            for assignment in sorted(gradebook.assignments, key=lambda found: found.name)
            if not self.assignment or assignment.name in map(str, self.assignment)
        ]
        students = [
            student
            for student in sorted(gradebook.students, key=lambda found: found.id)
            if not self.student or student.id in map(str, self.student)
        ]
        numbers = canvas_numbers(getattr(self.parent, "coursedir", None))
        with Path(self.to or "canvas.csv").open("w", encoding="utf-8", newline="") as stream:
            table = csv.writer(stream)
            table.writerow(
                [*COLUMNS, *(inert(self.titles.get(a.name, a.name)) for a in assignments)]
            )
            possible = [f"{assignment.max_score:g}" for assignment in assignments]
            table.writerow(["    Points Possible", "", "", "", "", *possible])
            for student in students:
                name = ", ".join(filter(None, (student.last_name, student.first_name)))
                marks = [_mark(gradebook, each.name, student.id) for each in assignments]
                number = numbers.get(student.id, "")
                other = "" if student.lms_user_id == number else student.lms_user_id
                known = [name or student.id, number, other, student.id, self.section]
                table.writerow([*map(inert, known), *marks])
        say_what_waits(self, gradebook)


def canvas_numbers(coursedir: Any) -> dict[str, str]:
    """Canvas's own numbers of students, from the names of the downloads that were taken in."""
    numbers = {}
    root = Path(coursedir.root) if coursedir is not None else Path()
    for path in sorted((root / FOLDER).glob("*.json")) if coursedir is not None else ():
        for student, (lms, prefix, *_) in known_of(root, path.stem).items():
            if lms == "canvas":
                numbers[student] = sender(lms, prefix)[1]
    return numbers


def _mark(gradebook: Gradebook, assignment: str, student: str) -> str:
    try:
        submission = gradebook.find_submission(assignment, student)
    except MissingEntry:
        return ""
    return f"{max(0.0, submission.score - (submission.late_submission_penalty or 0.0)):g}"


def inert(text: str | None) -> str:
    """Text that no spreadsheet takes for a formula, at whatever it parts cells.

    It may begin with what one skips: spaces, controls, marks that have no width.
    """
    return "".join(map(_inert, re.split(r"([;\t\r\n])", text or "")))


def _inert(piece: str) -> str:
    seen = next((letter for letter in piece if letter.isprintable() and not letter.isspace()), "")
    return f"'{piece}" if seen and seen in FORMULA and piece.strip() != "-" else piece
