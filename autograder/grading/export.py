"""Marks as tables: nbgrader's own, and the form that Canvas's gradebook imports.

Each export warns of marks that are not final: answers that wait for a person, submissions that
are set aside or not graded.

    nbgrader export --to=grades.csv
    nbgrader export --exporter=autograder.grading.export.CanvasExportPlugin --to=canvas.csv

Names and ids come from outside, and a spreadsheet runs a text that begins like a formula. So every
text from outside is written such that it stays a text (`inert`).

Canvas finds a student by "ID", its own number, else by "SIS User ID", else by "SIS Login ID", else
by name. It finds an assignment by the number in brackets after its title, else by the title. Guide:
"How do I import grades in the Gradebook?",
https://community.canvaslms.com/t5/Instructor-Guide/ta-p/807; and what reads such a table:
https://github.com/instructure/canvas-lms/blob/master/lib/gradebook_importer.rb.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any, TextIO

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.plugins import ExportPlugin
from traitlets import Dict, Unicode

from autograder.grading.configuration import left
from autograder.grading.course import CONFIGURATION, Course, Misconfigured
from autograder.grading.marks.lateness import marks, penalise
from autograder.grading.marks.outstanding import outstanding
from autograder.grading.platforms.downloads import FOLDER, known_of, sender
from autograder.grading.wording import inert
from autograder.grading.writing import replace

NBGRADER = (
    *("assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email"),
    *("raw_score", "late_submission_penalty", "score", "max_score"),
)
COLUMNS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")


class TableExportPlugin(ExportPlugin):
    """nbgrader's own table, its columns and its order, with texts that stay texts."""

    def export(self, gradebook: Gradebook) -> None:
        """Writes the table."""
        bring_up_to_date(self, gradebook)
        with written(Path(self.to or "grades.csv")) as stream:
            table = csv.writer(stream)
            table.writerow(NBGRADER)
            for assignment in _chosen(self, gradebook):
                for student in _students(self, gradebook):
                    table.writerow(_row(gradebook, assignment, student))
        say_what_waits(self, gradebook)


@contextmanager
def written(path: Path) -> Iterator[TextIO]:
    """Collects a table, then writes it to a file; the old file stays until the new one is complete.

    Raises:
        SystemExit: With a sentence, when the file cannot be written or is Moodle's worksheet.
    """
    table = StringIO(newline="")
    yield table
    try:
        if path.is_file() and b"Identifier" in path.read_bytes()[:20]:  # the first column
            raise SystemExit(
                f"{path} is Moodle's grading worksheet, and would be lost. Name another file: --to"
                " marks.csv"
            )
        replace(path, table.getvalue())
    except OSError as error:
        raise SystemExit(f"{path} cannot be written: {error.strerror}.") from None


def _course(plugin: ExportPlugin) -> Course | None:
    """The course whose gradebook is exported; None for a gradebook that is no course's."""
    coursedir = getattr(plugin.parent, "coursedir", None)
    if coursedir is None or not Path(coursedir.root, CONFIGURATION).is_file():
        return None
    course = Course(Path(coursedir.root))
    return course if course.coursedir.db_url == coursedir.db_url else None


def _chosen(plugin: ExportPlugin, gradebook: Gradebook) -> list[Any]:
    """The assignments to export: those that the plug-in's option names, or all."""
    named = set(map(str, plugin.assignment or ()))
    return [each for each in gradebook.assignments if not named or each.name in named]


def _students(plugin: ExportPlugin, gradebook: Gradebook) -> list[Any]:
    """The students to export: those that the plug-in's option names, or all who have not left."""
    if plugin.student:
        return [each for each in gradebook.students if each.id in map(str, plugin.student)]
    coursedir = getattr(plugin.parent, "coursedir", None)
    gone = left(coursedir) if coursedir is not None else set()
    return [each for each in gradebook.students if each.id not in gone]


def bring_up_to_date(plugin: ExportPlugin, gradebook: Gradebook) -> None:
    """Recomputes late penalties from the current marks, if the gradebook is a course's.

    Raises:
        SystemExit: With a sentence, when the penalties cannot be computed.
    """
    if (course := _course(plugin)) is None:
        return
    try:
        for name in [each.name for each in _chosen(plugin, gradebook)]:
            penalise(course, name)
    except Misconfigured as error:
        raise SystemExit(f"Nothing was exported. {error}") from None
    gradebook.db.expire_all()


def say_what_waits(plugin: ExportPlugin, gradebook: Gradebook) -> None:
    """Warns of exported marks that are not final."""
    course, names = _course(plugin), [each.name for each in _chosen(plugin, gradebook)]
    if not names:
        which = f"of {', '.join(map(str, plugin.assignment))}" if plugin.assignment else "yet"
        plugin.log.warning("The gradebook has no assignment %s, so the table has no marks.", which)
    for name in names:
        waits = outstanding(gradebook, course, name)
        if not gradebook.assignment_submissions(name):
            plugin.log.warning("%s: Nothing is graded, so nobody has marks for it.", name)
        for sentence in waits.sentences():
            plugin.log.warning("%s: %s", name, sentence)


def _row(gradebook: Gradebook, assignment: Any, student: Any) -> list[Any]:
    """A student's row; an assignment that was not handed in counts as 0, as in nbgrader."""
    try:
        found = gradebook.find_submission(assignment.name, student.id)
        cells = [found.timestamp, *marks(found)]
    except MissingEntry:
        cells = ["", 0.0, 0.0, 0.0]
    known = map(inert, (student.id, student.last_name, student.first_name, student.email))
    first = [inert(assignment.name), assignment.duedate, cells[0]]
    return [*first, *known, *cells[1:], assignment.max_score]


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
        """Writes the table."""
        bring_up_to_date(self, gradebook)
        assignments = sorted(_chosen(self, gradebook), key=lambda found: found.name)
        students = sorted(_students(self, gradebook), key=lambda found: found.id)
        numbers = canvas_numbers(getattr(self.parent, "coursedir", None))
        with written(Path(self.to or "canvas.csv")) as stream:
            table = csv.writer(stream)
            table.writerow(
                [*COLUMNS, *(inert(self.titles.get(a.name, a.name)) for a in assignments)]
            )
            possible = [f"{assignment.max_score:g}" for assignment in assignments]
            table.writerow(["    Points Possible", "", "", "", "", *possible])
            for student in students:
                name = ", ".join(filter(None, (student.last_name, student.first_name)))
                points = [_mark(gradebook, each.name, student.id) for each in assignments]
                given = student.lms_user_id or ""
                is_number = given.isdecimal()  # Canvas's own; any other id is an SIS User ID
                number = numbers.get(student.id) or (given if is_number else "")
                other = "" if is_number else given
                known = [name or student.id, number, other, student.id, self.section]
                table.writerow([*map(inert, known), *points])
        say_what_waits(self, gradebook)
        titles = [self.titles.get(each.name, each.name) for each in assignments]
        if unnumbered := [title for title in titles if not re.search(r"\(\d+\)$", title)]:
            self.log.warning(
                "Canvas finds %s if an assignment there is called just so, and offers to make a new"
                " one otherwise. To name it by its number, which its address in Canvas ends with,"
                " write into nbgrader_config.py: c.CanvasExportPlugin.titles ="
                ' {"%s": "Its title (4711)"}',
                ", ".join(unnumbered),
                unnumbered[0],
            )


def canvas_numbers(coursedir: Any) -> dict[str, str]:
    """By student, Canvas's own number, from the file names of downloads that were taken in."""
    numbers = {}
    root = Path(coursedir.root) if coursedir is not None else Path()
    for path in sorted((root / FOLDER).glob("*.json")) if coursedir is not None else ():
        for student, (lms, prefix, *_) in known_of(root, path.stem).items():
            if lms == "canvas":
                numbers[student] = sender(lms, prefix)[1]
    return numbers


def _mark(gradebook: Gradebook, assignment: str, student: str) -> str:
    try:
        *_, mark = marks(gradebook.find_submission(assignment, student))
    except MissingEntry:
        return ""
    return f"{mark:g}"
