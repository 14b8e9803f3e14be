"""Collects what students handed in; no student's folder can stop the collection of the others.

Students write into the exchange themselves, so what lies there is not trusted: no links, no pipes,
no folder under another student's name. A course's configuration puts `Collect` in the place of
nbgrader's own step:

    c.ExchangeFactory.collect = "autograder.grading.exchange.collecting.Collect"
"""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nbgrader.api import Gradebook

from autograder.grading.configuration import left
from autograder.grading.exchange.steps import require_exchange
from autograder.grading.submissions.files import STAMP, open_plain
from autograder.grading.submissions.times import DELAY, collected_of
from autograder.grading.wording import listed, meant
from autograder.nbgrader_internals import ExchangeCollect, ignore_patterns

MAX_NAMED = 5  # left-out files of a submission that are named
NEW, NEWER = "Collecting submission", "Updating submission"
NOBODY = ""  # stands for the student of a folder that is left out


def hindrance(folder: Path, student: str, check_owner: bool = True) -> str:
    """Why a folder of the exchange cannot be collected, in a sentence; empty where it can.

    Args:
        folder: The folder.
        student: The student that the folder's name names.
        check_owner: Whether the folder must belong to the account that is called like the student.
            A folder of whoever collects, or of root, is taken, too: no student can make one.
    """
    try:
        there = folder.lstat()
        if not stat.S_ISDIR(there.st_mode):
            return "It is no folder."
        if check_owner and there.st_uid not in (0, os.getuid()):
            owner = _account(there.st_uid)
            if owner != student:
                return (
                    f"It bears the name of {student} and belongs to {owner}. If your students'"
                    " accounts are not called like their ids, set"
                    " c.ExchangeCollect.check_owner = False in nbgrader_config.py."
                )
        os.listdir(folder)
        if not (folder / STAMP).is_file():
            return "It is not complete: handing it in was broken off."
    except PermissionError:
        return "It cannot be read: handing it in was broken off."
    except OSError as error:
        return f"It cannot be read: {error.strerror}."
    return ""


def handed_in(folder: Path, stated: datetime) -> datetime:
    """When a folder of the exchange was handed in, in UTC.

    The stated time counts, unless it is more than `DELAY` after the folder was written. Then the
    disk's clock counts; else whatever is handed in afterwards would seem to be older.

    Args:
        folder: The folder, which has a timestamp.txt.
        stated: The time in its name, in UTC.
    """
    written = _written(folder)
    return written if stated - written > DELAY else stated


def came_another_way(place: Path) -> bool:
    """Whether a submission did not come through the exchange, because it has no timestamp.txt."""
    return place.is_dir() and any(place.iterdir()) and not (place / STAMP).exists()


def _written(folder: Path) -> datetime:
    """When a folder's timestamp.txt was written or changed, by the disk's clock, in UTC."""
    changed = (folder / STAMP).lstat().st_ctime
    return datetime.fromtimestamp(changed, UTC).replace(tzinfo=None)


class Collect(ExchangeCollect):
    """nbgrader's step, for a room in which not everyone is careful or honest.

    nbgrader's own step stops at the first folder that cannot be read, after removing what was
    collected from that student. It takes folders under another student's name. And it follows
    links, which puts copies of the instructor's files into a submission.
    """

    def ensure_root(self) -> None:
        require_exchange(self, os.R_OK | os.X_OK)  # a snapshot, which nobody can write to, will do

    def init_src(self) -> None:
        self._left_out: list[tuple[str, datetime, str]] = []  # whose, when, and why
        self._versions: dict[str, list[dict[str, Any]]] = {}  # by student, what can be collected
        super().init_src()
        if not self.src_records and (problem := self._unknown()):
            self.fail(problem)
        taken = {each["username"]: each["timestamp"] for each in self.src_records}
        self.src_records = [each for each in self.src_records if each["username"] != NOBODY]
        gone = left(self.coursedir) & taken.keys()
        self.src_records = [each for each in self.src_records if each["username"] not in gone]
        for student in sorted(gone):
            self.log.info(
                "Not collected: %s, named in CourseDirectory.student_id_exclude.", student
            )
        for student, when, problem in self._left_out:
            if when >= taken.get(student, datetime.min):  # else something newer counts anyway
                self.log.error(problem)

    def _unknown(self) -> str:
        """Says that there is no such assignment or student, and which may be meant; else empty."""
        coursedir = self.coursedir
        sets = {path.name for path in Path(self.course_path, "outbound").glob("*/")}
        for folder in (coursedir.source_directory, coursedir.release_directory):
            pattern = coursedir.format_path(folder, ".", "*")
            sets |= {Path(path).name for path in glob.glob(pattern)}
        with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
            sets |= {each.name for each in gradebook.assignments}
            students = {each.id for each in gradebook.students}
        for what, name, known in (
            ("assignment", coursedir.assignment_id, sets),
            ("student", coursedir.student_id, students),
        ):
            if name not in known | {"", "*"}:
                return f"There is no {what} {name!r}.{meant(name, known)}"
        return ""

    def _path_to_record(self, path: str) -> dict[str, Any]:
        name = Path(path).name
        try:
            record: dict[str, Any] = super()._path_to_record(path)
            problem = hindrance(Path(path), record["username"], self.check_owner)
            if record["username"] in ("", ".", ".."):
                problem = "It is no student's."
        except Exception:  # a name that anyone may have written
            record = {"username": name.partition("+")[0], "timestamp": datetime.max}
            problem = "Its name does not say when it was handed in."
        if not problem:
            record["stated"] = record["timestamp"]
            record["timestamp"] = handed_in(Path(path), record["stated"])
            record["written"] = _written(Path(path))
            self._versions.setdefault(record["username"], []).append(record)
            return record
        self._left_out.append(
            (record["username"], record["timestamp"], f"Left out: {path}. {problem}")
        )
        return {"username": NOBODY, "filename": name, "timestamp": datetime.min}

    def _overtaken(self, taken: dict[str, Any]) -> None:
        """Warns of a version that was written after the taken one, but states an earlier time."""
        for other in self._versions[taken["username"]]:
            if (
                other["stated"] < taken["stated"]
                and other["written"] > taken["written"]
                and other["written"] - other["stated"] > DELAY >= taken["written"] - taken["stated"]
            ):
                self.log.warning(
                    "%s was written after the version of %s that is taken, and says an earlier"
                    " time. If the exchange was not moved or copied since, the clock of the machine"
                    " that it came from is behind. Then let the student put that right, and hand in"
                    " what counts once more.",
                    other["filename"],
                    taken["username"],
                )

    def copy_files(self) -> None:
        if not self.src_records:
            super().copy_files()  # which says so
            return
        failed = []
        for record in self.src_records:
            student = record["username"]
            self._overtaken(record)
            if came_another_way(self._place(student)):
                self.log.warning(
                    "Left out: what %s handed in, because %s did not come through the exchange, and"
                    " may be newer. If it is not, remove that folder, and collect again.",
                    student,
                    self._place(student),
                )
                continue
            step = self._step(self._place(student), record["timestamp"])
            self.log.info("%s: %s %s", step, student, self.coursedir.assignment_id)
            if step in (NEW, NEWER):
                folder = Path(self.inbound_path, record["filename"])
                try:
                    self._doubt(folder, record["stated"])
                    self._take(folder, self._place(student))
                    if record["timestamp"] != record["stated"]:
                        self._correct(self._place(student), record["timestamp"])
                except OSError as error:
                    failed.append(student)
                    self.log.error("Not collected: %s. %s", student, error.strerror or error)
        if failed:
            self.fail(f"Not collected: {', '.join(failed)}. Give the same command again.")

    def _place(self, student: str) -> Path:
        directory, assignment = self.coursedir.submitted_directory, self.coursedir.assignment_id
        return Path(self.coursedir.format_path(directory, student, assignment))

    def _step(self, place: Path, when: datetime) -> str:
        """What is to be done, in nbgrader's words."""
        if not place.is_dir():
            return NEW
        have = collected_of(self.coursedir, place)
        if self.before_duedate and have != when:
            return NEWER
        if self.update:
            return NEWER if have is None or when > have else "No newer submission to collect"
        return "Submission already exists, use --update to update"

    def _doubt(self, folder: Path, when: datetime) -> None:
        """Warns where the stated time is far from the disk's clock, which no student sets."""
        written = _written(folder)
        if when - written > DELAY:
            self.log.warning(
                "%s says that it was handed in at a time that had not come when it was written. The"
                " time of its writing counts: %s UTC.",
                folder.name,
                f"{written:%Y-%m-%d %H:%M:%S}",
            )
        elif written - when > DELAY:
            self.log.warning(
                "%s says when it was handed in, and was written later, at %s UTC. If the exchange"
                " was not moved or copied since, that time is made up.",
                folder.name,
                f"{written:%Y-%m-%d %H:%M:%S}",
            )

    def _correct(self, place: Path, when: datetime) -> None:
        """Replaces the timestamp.txt of a collected submission with the time that counts."""
        (place / STAMP).unlink(missing_ok=True)
        (place / STAMP).write_text(f"{when:%Y-%m-%d %H:%M:%S.%f} UTC")

    def _take(self, folder: Path, place: Path) -> None:
        """Copies a submission; an older one is removed only when the copy is complete.

        Raises:
            OSError: When it cannot be copied.
        """
        coursedir = self.coursedir
        ignored = ignore_patterns(
            coursedir.ignore, coursedir.include, coursedir.max_file_size, self.log
        )
        place.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".", dir=place.parent) as waiting:
            copy = Path(waiting, place.name)
            left_out = copy_plain(folder, copy, ignored, 1000 * coursedir.max_dir_size)
            if coursedir.groupshared:
                for path in (copy, *copy.rglob("*")):
                    path.chmod(0o2770 if path.is_dir() else 0o660)
            if place.exists():
                shutil.rmtree(place)
            copy.rename(place)
        if left_out:
            self.log.warning(
                "Left out of %s: %s. Links, pipes, and what cannot be read or is another's are not"
                " taken.",
                folder.name,
                listed(list(map(repr, left_out)), MAX_NAMED),
            )


def copy_plain(
    folder: Path, copy: Path, ignored: Callable[[str, list[str]], list[str]], most: int
) -> list[str]:
    """Copies the regular files of a folder's owner, safely even if the folder changes meanwhile.

    Args:
        folder: What is copied.
        copy: The folder to make.
        ignored: Takes a folder and the names in it; returns the names to skip.
        most: Bytes that all files together may have.

    Returns:
        What was left out: links, pipes, what cannot be read and what belongs to another account.

    Raises:
        OSError: When the folder cannot be read or holds more than `most`, or the disk is full.
    """
    left_out, size, owner = [], 0, folder.lstat().st_uid
    unreadable: list[OSError] = []
    for root, folders, files, here in os.fwalk(folder, onerror=unreadable.append):
        inside = Path(root).relative_to(folder)
        (copy / inside).mkdir()
        skipped = set(ignored(root, [*folders, *files]))
        folders[:] = [name for name in folders if name not in skipped]
        for name in sorted(set(files) - skipped):
            raw = _read_plain(name, here, owner, most - size)
            if raw is None:
                left_out.append(str(inside / name))
                continue
            size += len(raw)
            (copy / inside / name).write_bytes(raw)
        linked = [name for name in folders if Path(root, name).is_symlink()]
        left_out += [str(inside / name) for name in linked]
    if not copy.is_dir():
        raise unreadable[0] if unreadable else OSError("It cannot be read.")
    return left_out + [str(Path(error.filename).name) for error in unreadable]


def _read_plain(name: str, here: int, owner: int, most: int) -> bytes | None:
    try:
        stream = open_plain(name, here)
    except OSError:
        return None
    with stream:
        found = os.fstat(stream.fileno())
        if found.st_uid != owner:
            return None
        if found.st_size > most:
            raise OSError("It holds more than c.CourseDirectory.max_dir_size allows.")
        return stream.read(found.st_size)


def _account(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"the account number {uid}"
