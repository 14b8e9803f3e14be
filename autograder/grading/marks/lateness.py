"""What being late costs, by the current marks, due date and plug-in.

nbgrader computes a penalty only when it grades, from points that lack those that a person gives
later. So whatever shows or writes marks recomputes it first (`penalise`, `PenaliseForPage`).
"""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

from nbformat.v4 import new_notebook
from nbgrader.api import MissingEntry, SubmittedAssignment
from sqlalchemy.exc import SQLAlchemyError
from traitlets.config import Config
from traitlets.utils.importstring import import_item

from autograder.grading.course import CONFIGURATION, Course, Misconfigured
from autograder.grading.wording import listed, shown, words
from autograder.nbgrader_internals import (
    AssignLatePenalties,
    PageStep,
    late_plugin,
    one_engine,
    parse_utc,
)

DAY = 86400.0  # seconds


def marks(submission: SubmittedAssignment) -> tuple[float, float, float]:
    """Points (with those by hand), the late penalty, and the mark: their difference, or 0 if less.

    All three are rounded to nine decimals: three tenths of 4 are 1.2, not 1.2000000000000002.
    """
    penalty = submission.late_submission_penalty or 0.0
    parts = (submission.score, penalty, max(0.0, submission.score - penalty))
    points, cost, mark = (round(part, 9) for part in parts)
    return points, cost, mark


def moved(
    before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Says whose "mark" has changed, the lowered ones first; both tables are by student."""
    pairs = [(name, each["mark"], after[name]["mark"]) for name, each in before.items()]
    found = sorted((now >= then, name, then, now) for name, then, now in pairs if then != now)
    if not found:
        return []
    said = [f"{shown(name)} {then:g} → {now:g}" for _, name, then, now in found]
    lower = sum(not is_higher for is_higher, *_ in found)
    return [f"Marks that changed, {lower} of {len(found)} to a lower one: {listed(said)}."]


def require_due_date(course: Course, assignment: str) -> None:
    """Checks that an assignment has a due date if any student has more time after it.

    nbgrader cannot read submissions with more time and no due date.

    Raises:
        Misconfigured: When there is none; with what to type.
    """
    with course.gradebook() as gradebook:
        try:
            found = gradebook.find_assignment(assignment)
            submissions = gradebook.assignment_submissions(assignment)
        except MissingEntry:
            return
        more = sorted(each.student.id for each in submissions if each.extension is not None)
        if found.duedate is None and more:
            raise Misconfigured(
                f"{assignment} has no due date any more, and {', '.join(map(shown, more))} had more"
                " time after it. Set the date again, or take back the time of each:"
                f" python -m autograder extend {assignment} {shlex.quote(more[0])} --days 0"
            )


def rehearse_penalty(course: Course) -> Any:
    """Tries the plug-in for late work on a made-up student, and returns the plug-in.

    Raises:
        Misconfigured: When the plug-in cannot be made, fails, or returns no number and not None.
    """
    kept = course.config.AssignLatePenalties.get("plugin_class")
    try:
        if isinstance(kept, str):
            import_item(kept)  # its error says more than the option's
        plugin = late_plugin(course.config)
    except Exception as error:
        raise Misconfigured(
            f"{CONFIGURATION}: c.AssignLatePenalties.plugin_class = {kept!r} is no plug-in for late"
            " work. It is a class that derives from nbgrader.plugins.BasePlugin, in a module that"
            f" Python finds from {course.root}. ({words(error)})"
        ) from None
    name = type(plugin).__name__
    plugin.log.disabled = True
    try:
        for score, late in ((10.0, 1.0), (10.0, DAY), (0.0, 100 * DAY)):
            try:
                points = plugin.late_submission_penalty("nobody", score, late)
            except Exception as error:
                raise Misconfigured(
                    f"{name}.late_submission_penalty failed when it was tried with {score:g} points"
                    f" and {late:g} seconds: {words(error)}"
                ) from None
            if points is not None and (
                isinstance(points, bool) or not isinstance(points, int | float) or points != points
            ):
                raise Misconfigured(
                    f"{name}.late_submission_penalty gave {points!r} when it was tried with"
                    f" {score:g} points and {late:g} seconds. It gives the points to take off, a"
                    " number, or None."
                )
    finally:
        plugin.log.disabled = False
    return plugin


def penalise(course: Course, assignment: str) -> list[str]:
    """Recomputes late penalties, and writes them into the gradebook.

    Returns:
        The students whose penalty has changed.

    Raises:
        Misconfigured: When the plug-in for late work fails, or a due date is missing.
    """
    if not any(issubclass(step, AssignLatePenalties) for step in course.steps()):
        return []
    before = _standing(course, assignment)
    touched = sorted(student for student, (late, cost) in before.items() if late or cost)
    if not touched:
        return []
    rehearse_penalty(course)
    with course.gradebook() as gradebook:
        notebooks = [each.name for each in gradebook.find_assignment(assignment).notebooks]
    for student in touched:
        try:
            _penalise(course, assignment, student, notebooks)
        except SQLAlchemyError:
            raise  # the gradebook's error, not the plug-in's
        except Exception as error:
            raise Misconfigured(
                f"The plug-in for late work failed for {shown(student)}: {words(error)}"
            ) from error
    after = _standing(course, assignment)
    return [student for student in touched if before[student] != after[student]]


def _penalise(course: Course, assignment: str, student: str, notebooks: Iterable[str]) -> None:
    """Recomputes the penalty of a graded submission; its grades stay as they are."""
    steps = [step for step in course.steps() if issubclass(step, AssignLatePenalties)]
    names = {"assignment": assignment, "student": student, "db_url": course.coursedir.db_url}
    with one_engine():
        for step in steps:
            for notebook in notebooks:
                resources = {"nbgrader": names | {"notebook": notebook}}
                worker = step(config=Config(course.config))
                level = worker.log.level  # it may be the log of the command that is running
                worker.log.setLevel(logging.ERROR)
                try:
                    worker.preprocess(new_notebook(), resources)
                finally:
                    worker.log.setLevel(level)


def _standing(course: Course, assignment: str) -> dict[str, tuple[float, float]]:
    """By student, the seconds late and the points that these cost."""
    require_due_date(course, assignment)
    with course.gradebook() as gradebook:
        try:
            submissions = gradebook.assignment_submissions(assignment)
        except MissingEntry:
            return {}
        return {
            each.student.id: (each.total_seconds_late, each.late_submission_penalty or 0.0)
            for each in submissions
            if each.student.id not in course.left
        }


def late_versions(course: Course, assignment: str, waiting: Mapping[str, str]) -> dict[str, bool]:
    """Which waiting versions are late, and which of those may be worth collecting.

    Args:
        course: The course.
        assignment: The assignment.
        waiting: By student, when a version that is not collected was handed in.

    Returns:
        By student with a late version, False if another version is collected and the penalty would
        take all points; else True.

    Raises:
        Misconfigured: When the plug-in for late work fails, or a due date is missing.
    """
    require_due_date(course, assignment)
    with course.gradebook() as gradebook:
        found = gradebook.find_assignment(assignment)
        most, general = found.max_score, found.duedate
        own = {  # due dates of students, who may have more time
            each.student.id: each.duedate for each in gradebook.assignment_submissions(assignment)
        }
    late = {}
    for student, when in waiting.items():
        due = own.get(student, general)
        seconds = (parse_utc(when) - due).total_seconds() if due else 0
        if seconds > 0:
            late[student] = seconds
    if not late or not any(issubclass(step, AssignLatePenalties) for step in course.steps()):
        return dict.fromkeys(late, True)
    plugin = rehearse_penalty(course)
    return {
        student: not course.folder("submitted", student, assignment).is_dir()  # nothing is lost
        or _cost(plugin, student, most, seconds) < (most or 1)
        for student, seconds in late.items()
    }


def _cost(plugin: Any, student: str, most: float, seconds: float) -> float:
    try:
        return plugin.late_submission_penalty(student, most, seconds) or 0.0
    except Exception:  # grading will say so
        return 0.0


class PenaliseForPage(AssignLatePenalties, PageStep):
    """nbgrader's penalty step, before a page is made: a person may have given marks since."""


def who_is_late(course: Course, assignment: str) -> list[str]:
    """If anyone is late, says which due date nbgrader understood: it guesses a date's format."""
    found = _standing(course, assignment)
    late = {name: seconds for name, (seconds, _) in found.items() if seconds > 0}
    with course.gradebook() as gradebook:
        due = gradebook.find_assignment(assignment).duedate
    if not late or due is None:
        return []
    names = [f"{shown(name)} by {timedelta(seconds=ceil(late[name]))}" for name in sorted(late)]
    said = [f"{assignment} was due on {spelt(due)}. Late: {listed(names)}."]
    if 1 < len(found) < 2 * len(late):
        said.append(
            f"{len(late)} of {len(found)} are late. If another date is meant, set it in UTC, the"
            f" year first: nbgrader db assignment add {assignment} --duedate"
            ' "2027-10-15 18:00:00 UTC"'
        )
    return said


def spelt(when: datetime) -> str:
    """A time of the gradebook in UTC with its weekday; in local time, too, where that differs."""
    there = when.replace(tzinfo=UTC)
    here = there.astimezone()
    said = f"{there:%A} {there:%Y-%m-%d %H:%M:%S} UTC (+00:00)"
    if here.utcoffset():
        said += f", here {here:%A} {here.isoformat(' ', 'seconds')}"
    return said
