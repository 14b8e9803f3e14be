"""Marks in the form that Canvas's gradebook imports: `nbgrader export` with `CanvasExportPlugin`.

    nbgrader export --exporter=autograder.grading.export.CanvasExportPlugin --to=canvas.csv

Canvas knows students by "SIS User ID", else by "SIS Login ID", else by name. Its guide: "How do I
import grades in the Gradebook?", https://community.canvaslms.com/t5/Instructor-Guide/ta-p/807.
"""

from __future__ import annotations

import csv
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.plugins import ExportPlugin
from traitlets import Dict, Unicode

COLUMNS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")


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
        with Path(self.to or "canvas.csv").open("w", encoding="utf-8", newline="") as stream:
            table = csv.writer(stream)
            table.writerow(
                [*COLUMNS, *(self.titles.get(each.name, each.name) for each in assignments)]
            )
            possible = [f"{assignment.max_score:g}" for assignment in assignments]
            table.writerow(["    Points Possible", "", "", "", "", *possible])
            for student in students:
                name = ", ".join(filter(None, (student.last_name, student.first_name)))
                marks = [_mark(gradebook, each.name, student.id) for each in assignments]
                known = [_plain(name or student.id), "", student.lms_user_id or "", student.id]
                table.writerow([*known, self.section, *marks])


def _mark(gradebook: Gradebook, assignment: str, student: str) -> str:
    try:
        submission = gradebook.find_submission(assignment, student)
    except MissingEntry:
        return ""
    return f"{max(0.0, submission.score - (submission.late_submission_penalty or 0.0)):g}"


def _plain(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
