"""`python -m autograder extend`: more time for one student; nbgrader has no command for it."""

from __future__ import annotations

from typing import Annotated

import typer
from nbgrader.api import MissingEntry

from autograder.commands.console import AssignmentArgument, failures, open_course, tell
from autograder.grading.marks.lateness import penalise, spelt
from autograder.grading.wording import meant


def extend(
    assignment: AssignmentArgument,
    student: Annotated[str, typer.Argument(help="The student's id.")],
    days: Annotated[
        int, typer.Option(min=0, max=366, help="Days of 24 hours after the due date.")
    ] = 0,
    hours: Annotated[int, typer.Option(min=0, max=8784, help="Hours beside the days.")] = 0,
) -> None:
    """Give one student more time; 0 takes it back. The penalty is worked out anew at once."""
    with failures():
        course, _ = open_course(assignment, None, handed_in=False)
        with course.gradebook() as gradebook:
            is_more = days > 0 or hours > 0
            if gradebook.find_assignment(assignment).duedate is None and is_more:
                raise LookupError(
                    f"{assignment} has no due date. Set one first:"
                    f' nbgrader db assignment add {assignment} --duedate "2027-10-15 18:00 UTC"'
                )
            try:
                gradebook.grant_extension(assignment, student, days=days, hours=hours)
            except MissingEntry:
                known = {each.id for each in gradebook.students} | set(course.students(assignment))
                if student not in known:
                    raise LookupError(
                        f"There is no student {student!r}, in the gradebook or among the"
                        f" submissions.{meant(student, known)}"
                    ) from None
                raise LookupError(
                    f"{student} has no graded submission of {assignment} yet. Collect and grade it"
                    " first, then give the time."
                ) from None
            due = gradebook.find_submission(assignment, student).duedate
        if due is not None:
            penalise(course, assignment)
    when = f"is due for {student} on {spelt(due)}" if due else f"has no due date for {student}"
    tell(f"{assignment} {when}. Run feedback.")
