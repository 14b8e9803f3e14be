"""Takes a submission in: `grade` runs the result, and `doctor` reports on it."""

from __future__ import annotations

import errno
import json
import shutil
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import OperationalError

from autograder.grading.configuration import unusable
from autograder.grading.course import Blueprint, Course
from autograder.grading.execution.converting import sanitise
from autograder.grading.submissions.examination import Examined, digest_of, examine
from autograder.grading.submissions.files import Unfit
from autograder.grading.wording import is_text, words


class Stopped(Exception):
    """The batch cannot go on; the message says why. What was graded is kept."""


@dataclass(frozen=True)
class Taken:
    """A submission that is ready to be run.

    Args:
        examined: The submission's digest, its repairs and its other files.
        notebooks: The sanitised notebooks' text, by name.
    """

    examined: Examined
    notebooks: dict[str, str]


def take_in(
    course: Course,
    assignment: str,
    student: str,
    blueprints: Mapping[str, Blueprint],
    scratch: Path,
    room: int,
) -> Taken:
    """Examines a copy of a submission, and passes it through nbgrader's sanitising steps.

    Args:
        course: The course.
        assignment: The assignment.
        student: The student.
        blueprints: The assignment's notebooks, by name.
        scratch: A temporary folder; the copy goes to `<student>/<assignment>` in it.
        room: Bytes of scratch space, as in `examine`.

    Raises:
        Unfit: When the submission cannot be graded, whatever the reason.
        Stopped: When none could be taken in: the disk is full or the gradebook cannot be used.
    """
    examined = Examined("")
    submission = course.folder("submitted", student, assignment)
    where = (blueprints, tuple(course.coursedir.ignore), room)
    try:
        if not is_text(student):
            raise Unfit("The name of its folder is not UTF-8 text; rename the folder.")
        if any(unicodedata.category(letter) == "Cc" for letter in student):
            raise Unfit("The name of its folder has a line break or the like; rename the folder.")
        copy = scratch / student / assignment
        shutil.rmtree(copy, ignore_errors=True)
        with disk():
            examined = examine(submission, copy, *where)
            sane = sanitise(course, scratch, assignment, student)
        notebooks = {name: json.dumps(sane[name]) for name in sane.keys() & blueprints}
        if not notebooks:
            raise Unfit("nbgrader found no notebook in it.")
        return Taken(examined, notebooks)
    except Stopped:
        raise
    except Exception as error:  # nothing that one student hands in may end the batch
        unfit = error if isinstance(error, Unfit) else Unfit(words(error))
        unfit.digest, unfit.repairs = examined.digest, tuple(examined.repairs)
        if not unfit.digest:
            unfit.digest = digest_of(submission, *where)
        raise unfit from None


def is_full(error: BaseException) -> bool:
    """Whether an error says that a disk, or the account's quota of it, is full."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def disk() -> Iterator[None]:
    """Raises `Stopped` for a full disk or an unusable gradebook, which stop every submission."""
    try:
        yield
    except Exception as error:
        link: BaseException | None = error
        while link is not None:  # nbgrader hides some errors behind its own
            if is_full(link):
                raise Stopped(f"The disk is full: {link}") from error
            if isinstance(link, OperationalError):
                raise Stopped(unusable(link)) from error
            link = link.__cause__ or link.__context__
        raise
