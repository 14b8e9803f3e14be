"""`python -m autograder feedback`: makes and releases feedback, the end of a grading round."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from autograder.commands.console import (
    AssignmentArgument,
    Json,
    Students,
    failures,
    nothing,
    open_course,
    tell,
)
from autograder.grading.feedback.delivery import deliver
from autograder.grading.wording import counted, names


def feedback(
    assignment: AssignmentArgument,
    students: Students = None,
    release: Annotated[bool, typer.Option(help="Put it into the exchange.")] = True,
    as_json: Json = False,
) -> None:
    """Make feedback anew where marks have changed, and release it to each student.

    What could not be delivered is listed with the reason; then the exit status is 3. So is what an
    instructor should know: answers that nobody has marked, versions that are not graded.
    """
    with failures():
        course, chosen = open_course(assignment, students, handed_in=False)
        done = deliver(course, assignment, chosen, release)
        if not done:
            raise LookupError(nothing(course, assignment))
    if as_json:
        print(json.dumps([asdict(each) for each in done], indent=1))
    else:
        alike: dict[tuple[bool, str], list[str]] = {}  # the students to whom a sentence applies
        for each in done:
            for sentence in filter(None, (each.problem, *each.notes)):
                key = (sentence != each.problem, sentence)
                alike.setdefault(key, []).append(each.student)
        for (is_note, sentence), whose in sorted(alike.items()):
            who = names(whose, len(whose))
            tell(f"{'' if is_note else 'No feedback for '}{who}: {sentence}")
        counts = [
            f"{counted(sum(each.made for each in done), 'page')} made anew",
            f"{sum(each.released for each in done)} released",
            f"{sum(bool(each.problem) for each in done)} not delivered",
        ]
        tell(", ".join(counts) + ".")
        if there := sum(each.lms for each in done):
            tell(
                f"{there} came from Moodle or Canvas, and their feedback goes back with:"
                f" python -m autograder lms give {assignment}"
            )
    if any(each.problem for each in done):
        raise typer.Exit(3)
