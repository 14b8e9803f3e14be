"""`python -m autograder extend`: more time for one student; nbgrader has no command for it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from nbgrader.api import MissingEntry

from autograder.grading.console import AssignmentArgument, console, failures
from autograder.grading.course import Course


def extend(
    assignment: AssignmentArgument,
    student: Annotated[str, typer.Argument(help="The student's id.")],
    days: Annotated[int, typer.Option(min=0, max=366, help="Days after the due date.")] = 0,
    hours: Annotated[int, typer.Option(min=0, max=8784, help="Hours beside the days.")] = 0,
) -> None:
    """Give one student more time; 0 takes it back. `grade` then works the penalty out anew."""
    with failures():
        course = Course(Path.cwd())
        course.blueprints(assignment)  # says so where there is none
        with course.gradebook() as gradebook:
            if gradebook.find_assignment(assignment).duedate is None:
                raise LookupError(
                    f"{assignment} has no due date. Set one first:"
                    f' nbgrader db assignment add {assignment} --duedate "2027-10-15 18:00 UTC"'
                )
            try:
                gradebook.grant_extension(assignment, student, days=days, hours=hours)
            except MissingEntry:
                raise LookupError(
                    f"{student} has no graded submission of {assignment} yet. Collect and grade it"
                    " first, then give the time."
                ) from None
            due = gradebook.find_submission(assignment, student).duedate
    console.print(
        f"{assignment} is due for {student} on {due:%Y-%m-%d %H:%M} UTC. Run grade, then feedback.",
        highlight=False,
    )
