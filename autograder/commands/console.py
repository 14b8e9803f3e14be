"""What the commands share: arguments, the course, and how errors and notes are printed."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from sqlalchemy.exc import SAWarning
from typer.core import TyperGroup

from autograder.grading.configuration import UNUSABLE, unusable
from autograder.grading.course import CONFIGURATION, Course, Misconfigured
from autograder.grading.execution.intake import Stopped
from autograder.grading.feedback.delivery import in_exchange
from autograder.grading.marks.lateness import late_versions
from autograder.grading.records import Records
from autograder.grading.wording import meant, names, shown, words

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
    """The course here and the students chosen; None for all with a record, if not `handed_in`."""
    warnings.filterwarnings("ignore", category=SAWarning)  # from nbgrader's own statements
    if not re.fullmatch(r"[\w.\- ]+", assignment) or assignment.startswith("."):
        raise typer.BadParameter(f"{assignment!r} is no name of an assignment.")
    course = here()
    course.blueprints(assignment)  # raises an error if there is none
    there = course.students(assignment)
    if handed_in and not there:
        raise LookupError(nothing(course, assignment))
    if students is None:
        return course, there if handed_in else None
    chosen = {name.strip() for name in students.split(",") if name.strip()}
    known = set(there)
    if not handed_in:  # of an old term, perhaps only records are kept
        known |= {record.student for record in Records(course.root, assignment).all()}
    if unknown := sorted(chosen - known):
        raise typer.BadParameter(
            f"No submission of {assignment} by {', '.join(unknown)}.{meant(unknown[0], known)}"
        )
    return course, sorted(chosen)


def here() -> Course:
    """The course in this folder.

    Raises:
        Misconfigured: When it is no course's folder; nothing is written into it.
    """
    if not Path(CONFIGURATION).is_file():
        raise Misconfigured(
            f"{Path.cwd()} is no course's folder: it has no {CONFIGURATION}. Give the command in"
            " the folder that has it, such as exercises/ of the clone."
        )
    # nbgrader runs the program alembic, which lies beside Python.
    beside, path = str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)
    if path.partition(os.pathsep)[0] != beside:
        os.environ["PATH"] = os.pathsep.join([beside, path])
    return Course(Path.cwd())


def typed(path: Path) -> Path:
    """A path as it was typed, in which a shell leaves `~` as it is, as in --to=~/x.

    If it is the home of nobody who is known here, it stays.
    """
    return Path(os.path.expanduser(path))


def nothing(course: Course, assignment: str) -> str:
    """Why there is no submission to work on, and what to type if the exchange has some."""
    waiting = len(in_exchange(course, assignment))
    if waiting:
        submissions = "1 submission waits" if waiting == 1 else f"{waiting} submissions wait"
        return (
            f"Nothing of {assignment} was collected yet, and {submissions} in the exchange. Run:"
            f" nbgrader collect {assignment}"
        )
    return (
        f"Nothing of {assignment} was handed in: nothing waits in the exchange, and there is no"
        f" folder {course.folder('submitted', '*', assignment)}."
    )


def waiting(course: Course, assignment: str) -> list[str]:
    """Notes on who has a newer version in the exchange than was collected; none if nobody has."""
    newer = in_exchange(course, assignment)
    late = late_versions(course, assignment, newer)
    lost = [student for student in late if not late[student]]
    said = []
    if wanted := newer.keys() - set(lost):
        after = wanted & late.keys()
        said.append(
            f"In the exchange, newer than what was collected: {names(wanted)}. To take it:"
            f" nbgrader collect {assignment} {'--before-duedate' if lost else '--update'}"
            + (f". Handed in after the due date: {names(after)}." if after else "")
        )
    if lost:
        said.append(
            "In the exchange, handed in after the due date, and without any points if you collect"
            f" it: {names(lost)}."
        )
    return said


def not_listed(course: Course, students: Iterable[str]) -> list[str]:
    """A note on the students who are not in the gradebook; none if all are."""
    with course.gradebook() as gradebook:
        known = {student.id for student in gradebook.students}
    unknown = [student for student in students if student not in known]
    if not unknown:
        return []
    return [
        f"Not in your list of students: {names(unknown)}. Grading adds them without a name. Give"
        " it in your table of students: python -m autograder students students.csv."
        " Or name those who are not your students in nbgrader_config.py:"
        f" c.CourseDirectory.student_id_exclude = {shown(unknown[0])!r}"
    ]


class Commands(TyperGroup):
    """The commands; prints a sentence also if the output cannot be written, as on a full disk."""

    def main(self, *arguments: Any, **named: Any) -> Any:
        try:
            try:
                return super().main(*arguments, **named)
            finally:
                sys.stdout.flush()
        except OSError as error:
            if not isinstance(error, BrokenPipeError):  # the reader has stopped, which is no error
                say(error.strerror or words(error))
            # Otherwise Python would write again at its end, and exit with 120.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(2)


@contextlib.contextmanager
def failures() -> Iterator[None]:
    """Prints an expected error in a sentence, and ends the command with status 2."""
    try:
        yield
    except (Stopped, Misconfigured, RuntimeError, LookupError) as error:
        say(str(error) if not isinstance(error, KeyError) else words(error))
        if isinstance(error, Stopped):
            errors.print("Grades so far are kept. Put that right, and give the command again.")
        raise typer.Exit(2) from error
    except UNUSABLE as error:
        say(unusable(error))
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
    errors.print(sentence, style="red", markup=False, emoji=False, highlight=False, soft_wrap=True)


def tell(sentence: str) -> None:
    """Prints what is not an error."""
    console.print(sentence, markup=False, emoji=False, highlight=False, soft_wrap=True)
