"""One record per submission: the journal of a batch while it runs, the audit trail afterwards.

A record is a JSON file, replaced whole or not at all. It is written before the gradebook, so that
an interrupted grading can be completed from it without running the submission again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder.cells import VERDICT_MIME, is_judged

FOLDER = "records"
MAX_NAME = 200  # bytes of a student's id that can name a file
VERSION = 1


class State(StrEnum):
    """How far grading has come."""

    JUDGED = "judged"  # its verdicts are known, but the gradebook may not have them yet
    RECORDED = "recorded"  # the gradebook has them
    QUARANTINED = "quarantined"  # it cannot be graded


@dataclass
class Record:
    """All that is known about the grading of one submission.

    Args:
        assignment: The assignment.
        student: Who handed it in.
        state: How far the grading has come.
        digest: SHA-256 of what was handed in; empty when it could not be read.
        repairs: What was put right before it ran.
        reason: Why the submission is quarantined; empty where it is not.
        before_running: Whether the reason was known before any code ran; then students may see it.
        seed: Seed of the random cases.
        checks: SHA-256 of what else decided the verdicts, such as checks and limits (`rules`).
        renamed: By a notebook's right name, the name under which it was handed in.
        versions: Of what took part, by name.
        limits: The options it ran under.
        seconds: How long the notebooks ran.
        memory: Peak bytes of a notebook's largest process; None where they were not measured.
        notebooks: The judged notebooks by name, with evidence and verdicts.
    """

    assignment: str
    student: str
    state: State
    digest: str
    repairs: list[str] = field(default_factory=list)
    reason: str = ""
    before_running: bool = False
    seed: int | None = None
    checks: str = ""
    renamed: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    memory: int | None = None
    notebooks: dict[str, Any] = field(default_factory=dict)

    def verdicts(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Yields the notebook's name, the cell's name and the result of each judged cell.

        A result has "verdict", "seed" and "evidence". It is the one output of a judged cell, which
        the grader wrote.
        """
        for name, notebook in self.notebooks.items():
            for cell in notebook["cells"]:
                if is_judged(nbformat.from_dict(cell)):
                    (output,) = cell["outputs"]
                    grade_id = cell["metadata"]["nbgrader"]["grade_id"]
                    yield name, grade_id, output["data"][VERDICT_MIME]

    @property
    def points(self) -> float:
        """The points of all judged cells."""
        return sum(result["verdict"]["points"] for _, _, result in self.verdicts())

    def fill(self, texts: dict[str, str], seconds: float, memory: int | None) -> None:
        """Stores the outcome of a run; `texts` are judged notebooks, by name."""
        self.seconds, self.memory = seconds, memory
        self.notebooks = {name: nbformat.reads(text, as_version=4) for name, text in texts.items()}

    def executed(self) -> dict[str, NotebookNode]:
        """Judged notebooks, by name."""
        return {name: nbformat.from_dict(data) for name, data in self.notebooks.items()}


class Records:
    """The records of one assignment."""

    def __init__(self, root: Path, assignment: str) -> None:
        self.folder = root / FOLDER / assignment

    def path(self, student: str) -> Path:
        """The path of a student's record: the id, or its hash where no file can bear the id."""
        raw = os.fsencode(student)
        if len(raw) > MAX_NAME or not student.isprintable() or student.startswith((".", "~")):
            student = f"~{hashlib.sha256(raw).hexdigest()}"
        return self.folder / f"{student}.json"

    def read(self, student: str) -> Record | None:
        """A student's record; None if there is none of this version."""
        return self._read(self.path(student), student)

    def _read(self, path: Path, student: str) -> Record | None:
        """A record; for one that cannot be read, a quarantined record that says so."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if data.pop("version") != VERSION:
                return None
            data.pop("lateness", None)  # in records from before penalties were recomputed
            record = Record(**(data | {"state": State(data["state"])}))
            list(record.verdicts())
            return record
        except FileNotFoundError:
            return None
        except Exception:  # whatever happened to the file, the class goes on
            reason = "Its record cannot be read; grade it again."
            return Record(self.folder.name, student, State.QUARANTINED, "", reason=reason)

    def all(self) -> Iterator[Record]:
        """All records, sorted by file name, one at a time: a class's do not fit into memory."""
        found = (self._read(path, path.stem) for path in sorted(self.folder.glob("*.json")))
        return (record for record in found if record is not None)

    def write(self, record: Record) -> None:
        """Writes a record so that a crash leaves either the old one or the new one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.path(record.student)
        fresh = path.with_suffix(".new")
        text = json.dumps({"version": VERSION, **vars(record)})
        try:
            with fresh.open("w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            fresh.replace(path)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Makes sure that one process at a time grades this assignment, or makes its feedback.

        Raises:
            RuntimeError: When another one does, or the disk has no locks.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RuntimeError(
                    f"Another process grades {self.folder.name}, or makes its feedback; wait for"
                    " its end."
                ) from None
            except OSError as error:  # on some disks of other machines
                raise RuntimeError(
                    f"The disk of {self.folder} has no locks ({error.strerror}), without which two"
                    " commands at once would spoil each other's work, and the gradebook. Put the"
                    " course's folder on a disk of this machine."
                ) from None
            yield
