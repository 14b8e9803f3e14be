"""Before any submission, tries what the course itself provides, so that no student is blamed.

Examples are a misspelt option, a plug-in that does not work, checks that raise, and a weight that
differs from the notebook's. Each would fail every submission; here it is reported once.
"""

from __future__ import annotations

import ast
import os
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
from nbgrader.api import Gradebook, MissingEntry
from sqlalchemy.exc import SQLAlchemyError
from traitlets.config import Config, Configurable
from traitlets.log import get_logger

from autograder.authoring.declaration import faults, unmarkable
from autograder.authoring.weights import differences, told_otherwise
from autograder.cells import is_judged
from autograder.grading.configuration import unusable
from autograder.grading.course import CONFIGURATION, Course, Misconfigured
from autograder.grading.marks.lateness import rehearse_penalty
from autograder.grading.rules import checks_folder
from autograder.grading.wording import meant, words
from autograder.nbgrader_internals import (
    AssignLatePenalties,
    is_grade,
    is_locked,
    is_solution,
    is_task,
    keep_release,
)
from autograder.questions import generator, load_checks, public_data, question
from autograder.sandbox.options import Sandbox, withheld_modules


def rehearse(course: Course) -> None:
    """Tries the steps of grading, their options and the plug-in for late work.

    Raises:
        Misconfigured: When one cannot work.
    """
    steps = course.steps()
    if any(issubclass(step, AssignLatePenalties) for step in steps):
        rehearse_penalty(course)
    for step in steps:
        _make(step, course.config)
    _make(Sandbox, course.config).limits()


def before_autograde(assignment: str, **_: Any) -> None:
    """nbgrader's hook before it grades a submission: tries the course, once per assignment.

    Raises:
        SystemExit: With a sentence, where every submission would fail with a traceback.
    """
    _try_once(str(Path.cwd()), assignment)


@cache
def _try_once(root: str, assignment: str) -> None:
    course = Course(Path(root))
    try:
        rehearse(course)
        readable(checks_folder(course) / f"{assignment}.py")
        with opened(course):
            pass
    except Misconfigured as error:
        raise SystemExit(f"{assignment} was not graded. {error}") from None


def _make(kind: type[Configurable], config: Config) -> Any:
    """Makes an object of a configured class, or raises `Misconfigured` for a wrong option."""
    for name in config.get(kind.__name__, ()):
        known = kind.class_trait_names(config=True)
        if name not in known:
            raise Misconfigured(
                f"{CONFIGURATION}: c.{kind.__name__}.{name} is no option.{meant(name, known)}"
            )
    try:
        return kind(config=Config(config))
    except Exception as error:  # from an option's value, or from a module that it names
        raise Misconfigured(f"{CONFIGURATION}: {kind.__name__}: {words(error)}") from None


def readable(path: Path) -> None:
    """Makes sure that a file of checks exists, is Python, and says what modules it withholds.

    Raises:
        Misconfigured: When it does not exist, or it or its WITHHELD cannot be parsed.
    """
    try:
        ast.parse(path.read_text(encoding="utf-8"), str(path.resolve()))
    except FileNotFoundError:
        raise Misconfigured(
            f"No checks at {path}. Each assignment needs checks/<name>.py. If you have renamed this"
            " one, give it its old name back: what was handed in and what has marks bears it."
        ) from None
    except (SyntaxError, ValueError) as error:
        raise Misconfigured(f"{path.name} cannot be loaded: {_where(error, path)}") from None
    try:
        withheld_modules(path)
    except ValueError as error:
        raise Misconfigured(f"{path.name} cannot be loaded: {error}") from None


def rehearse_checks(path: Path, points: Mapping[str, float] | None, released: bool = False) -> str:
    """Loads an assignment's checks, and computes the right outcome of each case of a graded cell.

    A batch calls it in a worker, where submissions run, to find what is missing there.

    Args:
        path: The file of checks.
        points: The points of each graded cell, by name; only these checks are tried. None tries
            every check.
        released: Also try the public data that ship with the notebook; grading does not need them.

    Returns:
        The first problem, in a sentence; an empty text when there is none.
    """
    try:
        readable(path)
        checks = load_checks(path)
    except Misconfigured as error:
        return str(error)
    except KeyboardInterrupt:  # a person stopped it
        raise
    except BaseException as error:
        return f"{path.name} cannot be loaded: {_where(error, path)}"
    for problem in (*faults(checks.values()), *differences(checks, points or {})):
        return f"{path.name}: {problem}"
    for name, check in checks.items():
        if points is not None and name not in points:
            continue
        try:
            cases = check.cases(generator(0, check))
            if question(check, cases) != question(check, check.cases(generator(0, check))):
                return (
                    f"{path.name}: the random cases of {name} are others each time. Draw all of"
                    " them from the generator that the function is given, so that a grading can be"
                    " repeated."
                )
            wanted = [each.outcome for each in check.rubric(cases).expectations]
            if wanted and all(outcome and outcome.kind == "raised" for outcome in wanted):
                first = wanted[0]
                return (
                    f"{path.name}: the reference of {name} raises in every case:"
                    f" {first.type}: {first.message}"
                )
            if released:
                public_data([check])
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            return f"{path.name}: {name} cannot say what is right: {_where(error, path)}"
    return ""


def _where(error: BaseException, path: Path) -> str:
    """An error in words, after the line of the checks that it came from, if there is one."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == str(path.resolve())
    ]
    if isinstance(error, SyntaxError) and error.filename == str(path.resolve()):
        lines = [error.lineno]
    return f"{f'line {lines[-1]}: ' if lines else ''}{words(error)}"


def is_of_plugin(error: BaseException, course: Course) -> bool:
    """Whether an error came from a plug-in or step of the course's own."""
    ours = {"nbgrader", "autograder", "nbconvert"}
    files: set[str] = set()
    plugin = AssignLatePenalties(config=Config(course.config)).plugin_class
    for kind in (plugin, *course.steps()):
        module = kind.__module__
        if module.partition(".")[0] not in ours:
            files.add(sys.modules[module].__file__ or "")
    return any(frame.filename in files for frame in traceback.extract_tb(error.__traceback__))


def judged_points(blueprints: Mapping[str, Any]) -> dict[str, float]:
    """The points of each cell that is graded by machine, by name."""
    return {
        cell.grade_id: cell.marks["points"]
        for blueprint in blueprints.values()
        for cell in blueprint.cells
        if cell.is_judged
    }


keep_release()  # here, because nbgrader loads this module for its hooks before it starts


def _same_cells(course: Course, assignment: str, marked: set[str]) -> None:
    """Compares the names of an assignment's marked cells with those in the gradebook.

    Raises:
        Misconfigured: When they differ and a submission has marks: then nbgrader keeps the cells.
            Not raised where IncludeHeaderFooter is configured.
    """
    with opened(course) as gradebook:
        try:
            found = gradebook.find_assignment(assignment)
        except MissingEntry:
            return
        graded = len(found.submissions)
        known = {cell.name for notebook in found.notebooks for cell in notebook.source_cells}
    if not graded or known == marked or course.config.get("IncludeHeaderFooter"):
        return
    differ = [f"{name} is new" for name in sorted(marked - known)]
    differ += [f"{name} is gone" for name in sorted(known - marked)]
    raise Misconfigured(
        f"Once a submission is graded, nbgrader keeps the cells that it has marks for: "
        f"{', '.join(differ)}. Undo that. Or give up all marks of {assignment}, those by hand too:"
        f" nbgrader db assignment remove {assignment} --force"
    )


@contextmanager
def opened(course: Course) -> Iterator[Gradebook]:
    """The gradebook, for nbgrader's own commands, which would show a traceback for its errors.

    Raises:
        Misconfigured: When it cannot be used.
    """
    try:
        with course.gradebook() as gradebook:
            yield gradebook
    except SQLAlchemyError as error:
        raise Misconfigured(unusable(error)) from None


def before_release(assignment: str, notebooks: Iterable[str], **_: Any) -> None:
    """nbgrader's hook before it generates an assignment: compares the notebooks with the checks.

    Raises:
        SystemExit: With the first problem, in a sentence.
    """
    course = Course(Path.cwd())
    points: dict[str, float] = {}
    marked: set[str] = set()
    for path in notebooks:
        cells = nbformat.read(path, as_version=4).cells
        for problem in unmarkable(cells):
            raise SystemExit(f"{assignment} was not generated. {Path(path).name}: {problem}")
        for cell in cells:
            if is_judged(cell):
                points[cell.metadata.nbgrader.grade_id] = cell.metadata.nbgrader.points
            if is_grade(cell) or is_solution(cell) or is_locked(cell) or is_task(cell):
                marked.add(cell.metadata.nbgrader.grade_id)
        for sentence in told_otherwise(cells):
            get_logger().warning("%s: %s", Path(path).name, sentence)
    try:
        _same_cells(course, assignment, marked)
    except Misconfigured as error:
        raise SystemExit(f"{assignment} was not generated. {error}") from None
    path = checks_folder(course) / f"{assignment}.py"
    # This must be set before the checks load torch, whose threads wait for each other on a busy
    # machine.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if problem := rehearse_checks(path, points, released=True):
        raise SystemExit(f"{assignment} was not generated. {problem}")
