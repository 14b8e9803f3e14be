"""A course's folder as nbgrader sees it: its configuration, its submissions and its gradebook."""

from __future__ import annotations

import glob
import json
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import nbformat
from nbgrader.api import Gradebook, MissingEntry
from traitlets.utils.importstring import import_item

from autograder.cells import grade_id, marks
from autograder.check import PUBLIC_SUFFIX
from autograder.grading.configuration import left
from autograder.grading.submissions.files import is_litter
from autograder.grading.wording import meant
from autograder.nbgrader_internals import (
    Autograde,
    CourseDirectory,
    Execute,
    load_configuration,
    one_engine,
)

CONFIGURATION = "nbgrader_config.py"


class Misconfigured(RuntimeError):
    """The course is at fault, not a submission; the message tells the instructor what is wrong."""


@dataclass(frozen=True)
class MarkedCell:
    """A cell that nbgrader knows, as the gradebook has it.

    Args:
        grade_id: The cell's name.
        cell_type: "code" or "markdown".
        source: The released source; a stub where students write.
        marks: The cell's nbgrader metadata.
    """

    grade_id: str
    cell_type: str
    source: str
    marks: dict[str, Any]

    @property
    def is_judged(self) -> bool:
        """Whether the cell is graded by machine."""
        return self.cell_type == "code" and self.marks["grade"] and not self.marks["solution"]


@dataclass(frozen=True)
class Blueprint:
    """A released notebook, as the gradebook has it.

    Args:
        kernelspec: The kernel that the notebook is for.
        cells: The cells that nbgrader knows, in the notebook's order.
        others: How many cells the notebook has besides, without those that are empty.
    """

    kernelspec: dict[str, Any]
    cells: tuple[MarkedCell, ...]
    others: int = 0


class Course:
    """A course folder with its nbgrader_config.py.

    Args:
        root: The folder.

    Raises:
        Misconfigured: When a configuration file cannot be read, or raises an error.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        try:
            self.config = load_configuration(self.root, CONFIGURATION)
            self.coursedir = self.coursedir_for()
        except SystemExit as error:
            raise Misconfigured(str(error)) from None
        except Exception as error:
            lines = [
                f", line {frame.lineno}"
                for frame in traceback.extract_tb(error.__traceback__)
                if frame.filename.endswith("_config.py")
            ]
            if isinstance(error, SyntaxError):
                lines = [f", line {error.lineno}"]
            raise Misconfigured(
                f"{CONFIGURATION}{''.join(lines[-1:])}: {type(error).__name__}: {error}"
            ) from None

    def coursedir_for(self, **options: Any) -> CourseDirectory:
        return CourseDirectory(config=self.config, root=str(self.root), **options)

    @cached_property
    def left(self) -> set[str]:
        """The ids of students who have left the course; their work may still lie in its folder."""
        return left(self.coursedir)

    def not_copied(self) -> list[str]:
        """Patterns of files that are of no use beside a graded notebook or its page.

        The public cases are among them: a megabyte that each student has from the release.
        """
        return [*self.coursedir.ignore, f"*{PUBLIC_SUFFIX}"]

    def folder(self, step: str, student: str, assignment: str) -> Path:
        """The folder of one submission in one of nbgrader's steps, such as "submitted"."""
        name = getattr(self.coursedir, f"{step}_directory")
        return Path(self.coursedir.format_path(name, student, assignment))

    def places(self) -> list[Path]:
        """All that a submission must not see: the course's folders, the exchange, the gradebook."""
        places = [self.root, self.root / str(self.config.Judge.get("checks_directory", "checks"))]
        steps = ("submitted", "autograded", "feedback", "release", "source")
        places += [self.folder(step, ".", ".") for step in steps]
        if exchange := self.config.Exchange.get("root"):
            places.append(Path(exchange))
        kind, _, path = self.coursedir.db_url.partition(":///")
        if kind == "sqlite":
            places.append(Path(path))
        return places

    def require_writable(self, assignment: str) -> None:
        """Checks that this account can replace what grading and feedback make of an assignment.

        Raises:
            Misconfigured: When a path cannot be written, as after a command given with sudo.
        """
        gradebook = self.coursedir.db_url.partition(":///")[2]  # a file only in SQLite
        records = self.root / "records"
        found = [self.root, self.root / gradebook, records, records / assignment]
        for step in ("autograded", "feedback"):
            found.append(self.folder(step, ".", "."))
            for name in (".", glob.escape(assignment)):
                found += map(Path, glob.glob(str(self.folder(step, "*", name))))
        for path in found:
            if path.exists() and not os.access(path, os.W_OK):
                raise Misconfigured(
                    f"{path} cannot be written by this account. Does it belong to another one, as"
                    " after a command that was given with sudo? Give all of the course to its"
                    f' owner: sudo chown -R OWNER: "{self.root}"'
                )

    @contextmanager
    def gradebook(self) -> Iterator[Gradebook]:
        """Opens the gradebook."""
        with one_engine(), Gradebook(self.coursedir.db_url, self.coursedir.course_id) as gradebook:
            yield gradebook

    def students(self, assignment: str) -> list[str]:
        """The ids of those who handed the assignment in and have not left, from folder names."""
        pattern = self.folder("submitted", "*", glob.escape(assignment))
        before, after = str(pattern).split("*", 1)
        there = glob.glob(str(pattern), include_hidden=True)
        found = {name[len(before) : len(name) - len(after)] for name in there}
        return sorted(name for name in found - {""} - self.left if not is_litter(name))

    def blueprints(self, assignment: str) -> dict[str, Blueprint]:
        """The assignment's notebooks, by name.

        Raises:
            LookupError: When the gradebook does not have the assignment.
        """
        with self.gradebook() as gradebook:
            try:
                notebooks = gradebook.find_assignment(assignment).notebooks
            except MissingEntry:
                raise LookupError(self._no_assignment(assignment)) from None
            return {notebook.name: self._blueprint(assignment, notebook) for notebook in notebooks}

    def _no_assignment(self, name: str) -> str:
        """Why the gradebook may not have an assignment, and what to type."""
        sources = self.folder("source", ".", ".")
        there = sorted(path.name for path in sources.glob("[!.]*") if path.is_dir())
        if name in there:
            return (
                f"The assignment {name!r} was not generated yet. Run: nbgrader generate_assignment"
                f" {name}"
            )
        if near := meant(name, there):
            return f"There is no assignment {name!r}.{near}"
        names = ", ".join(there) or "no assignment"
        return f"There is no assignment {name!r}: {sources} has {names}."

    def _blueprint(self, assignment: str, notebook: Any) -> Blueprint:
        known = marks(notebook)
        cells = {
            cell.name: MarkedCell(cell.name, cell.cell_type, cell.source, known[cell.name])
            for cell in notebook.source_cells
        }
        # A database keeps no order; the released notebook does.
        released = self.folder("release", ".", assignment) / f"{notebook.name}.ipynb"
        order, others = list(cells), 0
        if released.is_file():
            there = nbformat.read(released, as_version=4).cells
            names = [grade_id(cell) for cell in there]
            others = sum(
                grade_id(cell) not in cells and bool(cell.source.strip()) for cell in there
            )
            order.sort(key=lambda name: names.index(name) if name in names else len(names))
        kernelspec = json.loads(notebook.kernelspec or "null") or {
            "name": "python3",
            "display_name": "Python 3",
            "language": "python",
        }
        return Blueprint(kernelspec, tuple(cells[name] for name in order), others)

    def steps(self) -> list[type]:
        """The configured preprocessors of grading.

        Raises:
            Misconfigured: When a configured class cannot be imported.
        """
        try:
            return classes(Autograde(config=self.config).autograde_preprocessors)
        except Exception as error:
            raise Misconfigured(
                f"{CONFIGURATION}: c.Autograde: {type(error).__name__}: {error}"
            ) from None

    def executing(self) -> list[type]:
        """The configured preprocessors up to the one that executes; none needs a gradebook."""
        steps = self.steps()
        last = max((i for i, step in enumerate(steps) if issubclass(step, Execute)), default=-1)
        return steps[: last + 1]


def classes(steps: list[type | str]) -> list[type]:
    """Preprocessor classes; those that are given by name are imported."""
    return [import_item(step) if isinstance(step, str) else step for step in steps]
