"""`python -m autograder lms take | number | give`: from Moodle or Canvas, and back to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from autograder.commands.console import (
    AssignmentArgument,
    failures,
    here,
    say,
    tell,
    typed,
)
from autograder.grading.marks.outstanding import outstanding
from autograder.grading.platforms.downloads import FOLDER
from autograder.grading.platforms.lms import give_back
from autograder.grading.platforms.lms import take as take_download
from autograder.grading.platforms.roster import number as write_number
from autograder.grading.wording import names, shown

app = typer.Typer(help="Submissions from Moodle or Canvas, and feedback back to it.")
Worksheet = Annotated[
    Path | None, typer.Option(help="Moodle's grading worksheet, as it was downloaded.")
]


@app.command()
def take(
    assignment: AssignmentArgument,
    download: Annotated[Path, typer.Argument(help="The zip of all submissions, or its folder.")],
    worksheet: Worksheet = None,
    timezone: Annotated[
        str | None,
        typer.Option(help="Of the worksheet's times, such as Europe/Berlin; UTC without."),
    ] = None,
) -> None:
    """Take in what was downloaded; students are found by number, address or name.

    The exit status is 3 when a file is nobody's in the gradebook.
    """
    try:
        zone = ZoneInfo(timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise typer.BadParameter(
            f"{timezone!r} is no time zone; one is called Europe/Berlin, another UTC."
        ) from None
    worksheet = worksheet and typed(worksheet)
    with failures():
        result = take_download(here(), assignment, typed(download), worksheet, zone)
    for student, notes in result.notes.items():
        for note in notes:
            tell(f"{shown(student)}: {note}")
    for name, why in sorted(result.unknown.items()):
        say(f"{shown(name)}: {why}")
    if result.untimed:
        if result.misread:
            says = (
                f" The worksheet's times, such as {result.misread!r}, cannot be read: switch"
                " Moodle's language to English, and download the worksheet again."
            )
        elif "moodle" not in result.platforms:
            says = " Canvas's downloads never say it."
        elif worksheet:
            says = " The worksheet has no time of theirs."
        else:
            says = " Moodle's grading worksheet says it: --worksheet."
        tell(f"Handed in at a time that is not known, so not late: {len(result.untimed)}.{says}")
    if timezone is None and worksheet and len(result.taken) > len(result.untimed):
        tell(
            "The worksheet's times were read as UTC. If Moodle shows you those of another zone,"
            " take the download in again with it, such as --timezone Europe/Berlin."
        )
    tell(
        f"{len(result.taken)} taken in, {len(result.skipped)} no newer than what is here,"
        f" {len(result.unknown)} left out."
    )
    if result.unknown:
        raise typer.Exit(3)


@app.command()
def number(
    student: Annotated[str, typer.Argument(help="The student's id in the gradebook.")],
    user: Annotated[str, typer.Argument(help="Their number, as the download's names have it.")],
) -> None:
    """Write down a student's number on the platform; names and address stay as they are."""
    if not user.isdecimal():
        raise typer.BadParameter(f"{user!r} is no number; in a_4711_90210_set.ipynb it is 4711.")
    with failures():
        before = write_number(here(), student, user)
    was = f", and was {before}" if before not in ("", user) else ""
    tell(f"{shown(student)} is {user}{was}. Take the download in again.")


@app.command()
def give(
    assignment: AssignmentArgument,
    to: Annotated[Path | None, typer.Option(help="A folder; lms/<assignment> without.")] = None,
    worksheet: Worksheet = None,
) -> None:
    """Pack feedback for upload, and fill marks into Moodle's worksheet.

    Canvas's table of marks: nbgrader export with autograder.grading.export.CanvasExportPlugin.
    """
    with failures():
        course = here()
        folder = typed(to) if to else course.root / FOLDER / assignment
        missing = give_back(course, assignment, folder, worksheet and typed(worksheet))
        with course.gradebook() as gradebook:
            waits = outstanding(gradebook, course, assignment)
    alike: dict[str, list[str]] = {}  # the students to whom a sentence applies
    for student, why in missing.items():
        alike.setdefault(why, []).append(student)
    for why, whose in alike.items():
        say(f"{names(whose, len(whose))}: {why}")
    waits.ungraded = [student for student in waits.ungraded if student not in missing]
    for sentence in waits.sentences():
        say(sentence)
    tell(f"feedback.zip {'and marks.csv are' if worksheet else 'is'} in {folder}")
    if missing:
        raise typer.Exit(3)
