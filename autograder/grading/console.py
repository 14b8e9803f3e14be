"""What the commands share: arguments, a course to work on, and errors in a sentence."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from sqlalchemy.exc import SAWarning, SQLAlchemyError

from autograder.grading.course import Course, Misconfigured
from autograder.grading.intake import Stopped, words
from autograder.grading.record import Records

console = Console()
errors = Console(stderr=True)

AssignmentArgument = Annotated[str, typer.Argument(help="The assignment's name.")]
Students = Annotated[
    str | None, typer.Option(help="Whose submissions, separated by commas; everyone's without.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


def open_course(
    assignment: str, students: str | None, handed_in: bool = True
) -> tuple[Course, list[str] | None]:
    """The course in this folder, and the chosen students; None for all that have a record."""
    warnings.filterwarnings("ignore", category=SAWarning)  # of nbgrader's own statements
    if not re.fullmatch(r"[\w.\- ]+", assignment) or assignment.startswith("."):
        raise typer.BadParameter(f"{assignment!r} is no name of an assignment.")
    # nbgrader calls alembic by name.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    course = Course(Path.cwd())
    there, records = course.students(assignment), Records(course.root, assignment)
    if students is None:
        if handed_in and not there:
            folder = course.folder("submitted", "*", assignment)
            raise typer.BadParameter(f"Nothing was handed in: no folder {folder}.")
        return course, there if handed_in else None
    chosen = [name.strip() for name in students.split(",") if name.strip()]
    unknown = sorted(set(chosen) - set(there))
    if not handed_in:  # a term that was kept has its records
        unknown = [name for name in unknown if not records.path(name).is_file()]
    if unknown:
        raise typer.BadParameter(f"No submission of {assignment} by {', '.join(unknown)}.")
    return course, sorted(set(chosen))


@contextlib.contextmanager
def failures() -> Iterator[None]:
    """Says in a sentence what ends a command, and ends it."""
    try:
        yield
    except (Stopped, Misconfigured, RuntimeError, LookupError) as error:
        say(str(error) if not isinstance(error, KeyError) else words(error))
        if isinstance(error, Stopped):
            errors.print("Grades so far are kept. Make room, and give the same command again.")
        raise typer.Exit(2) from error
    except SQLAlchemyError as error:
        say(f"The gradebook cannot be used: {getattr(error, 'orig', None) or words(error)}")
        raise typer.Exit(2) from error
    except OSError as error:
        say(
            f"{error.strerror or words(error)}: {error.filename}"
            if error.filename
            else words(error)
        )
        raise typer.Exit(2) from error


def say(sentence: str) -> None:
    """Prints an error."""
    errors.print(sentence, style="red", markup=False, highlight=False, soft_wrap=True)
