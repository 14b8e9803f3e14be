"""What a student's page says of the submission as a whole: put right, late, or set aside.

Reasons and repairs are shown only if they were known before any code of the submission ran, so
that they reveal no hidden case.
"""

from __future__ import annotations

import html
from datetime import timedelta
from math import ceil
from pathlib import Path

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from nbgrader.api import Gradebook

from autograder.cells import OF_GRADER
from autograder.grading.marks.lateness import marks, spelt
from autograder.grading.marks.outstanding import manual, named_grades
from autograder.grading.records import Record, Records, State
from autograder.grading.submissions.examination import LOOK
from autograder.nbgrader_internals import PageStep

UNTOLD = "your instructor knows the reason"  # of a reason that came up while the submission ran
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{name}</title>
<style>body {{ font-family: sans-serif; max-width: 40em; margin: 2em auto; }}</style>
</head>
<body>
<h1>{name}: not graded</h1>
{lines}
<p>Put it right and hand it in again, or ask your instructor.</p>
</body>
</html>
"""


class SayFirst(PageStep):
    """Puts what a student should know of the submission as a whole above the notebook."""

    def preprocess(
        self, nb: NotebookNode, resources: ResourcesDict
    ) -> tuple[NotebookNode, ResourcesDict]:
        names = resources["nbgrader"]
        record = Records(Path.cwd(), names["assignment"]).read(names["student"])
        with Gradebook(names["db_url"]) as gradebook:
            said = sentences(gradebook, names["assignment"], names["student"], record)
        if said:
            lines = "".join(f"<p>{_text(line)}</p>" for line in said)
            alert = f'<div class="alert alert-info">{lines}</div>'
            nb.cells.insert(0, new_markdown_cell(alert, metadata={OF_GRADER: True}))
        return nb, resources


def sentences(
    gradebook: Gradebook, assignment: str, student: str, record: Record | None
) -> list[str]:
    """What the page of a graded submission says first.

    Args:
        gradebook: The gradebook.
        assignment: The assignment.
        student: The student.
        record: What is known about the grading; None where nbgrader's own command graded.
    """
    said = []
    submission = gradebook.find_submission(assignment, student)
    if record and record.state is State.QUARANTINED:
        said.append(
            f"Your newest version could not be graded: {reason(record)} This page is about the"
            " version before it."
        )
    elif record:
        said += _for_students(record)
    if said and record and record.state is not State.QUARANTINED:
        said.insert(
            0,
            "Before your submission was graded, this was found, and where possible put right in a"
            " copy of it:",
        )
    unmarked, _ = manual(gradebook, assignment, student)
    if unmarked:
        said.append(f"Nobody has marked {', '.join(unmarked)} yet; the points below are without.")
    said += [
        f"Your instructor gave {grade.score:g} of {grade.max_score:g} points for"
        f" {name}, and they count; below, the machine's {grade.auto_score:g} do not."
        for name, grade in named_grades(submission)
        if grade.auto_score is not None and grade.score != grade.auto_score
    ]
    if seconds := submission.total_seconds_late:
        _, points, _ = marks(submission)
        cost = f"{points:g} point{'s' * (points != 1)}" if points else "nothing"
        late = timedelta(seconds=ceil(seconds))
        said.append(
            f"Your submission was due on {spelt(submission.duedate)} and came {late} later, which"
            f" costs {cost}."
        )
    return said


def reason(record: Record) -> str:
    """Why a submission is set aside, as far as its student may know."""
    return record.reason if record.before_running else f"{UNTOLD}."


def page_of_set_aside(name: str, record: Record) -> str:
    """The page of a submission that has no grade.

    Args:
        name: The notebook.
        record: The submission's record.
    """
    said = [f"Your submission could not be graded: {reason(record)}", *_for_students(record)]
    lines = "\n".join(f"<p>{_text(line)}</p>" for line in said)
    return PAGE.format(name=_text(name), lines=lines)


def _for_students(record: Record) -> list[str]:
    """What examination found or put right, without what only an instructor can look into."""
    return [repair for repair in record.repairs if not repair.endswith(LOOK)]


def _text(line: str) -> str:
    """A line as HTML text, whatever a student has put into a file's name."""
    escaped = html.escape(" ".join(line.split()))
    for letter in "$\\`":  # of formulas and of code, which Markdown looks for
        escaped = escaped.replace(letter, f"&#{ord(letter)};")
    return escaped
