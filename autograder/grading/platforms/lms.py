"""Where the class has no exchange: submissions from Moodle or Canvas, and what goes back there.

Students are found in the gradebook by the file names of a download (`downloads`). Feedback goes
back under the same names, because that is how Moodle and Canvas know whose it is. Only Moodle's
grading worksheet says when something was handed in; without it, nobody is late.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import zipfile
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from io import StringIO
from pathlib import Path

from autograder.grading.course import Course, Misconfigured
from autograder.grading.feedback.delivery import deliver
from autograder.grading.marks.lateness import marks
from autograder.grading.platforms.downloads import (
    FOLDER,
    UNREADABLE,
    File,
    known_of,
    latest,
    read,
    sender,
)
from autograder.grading.platforms.roster import Roster, read_worksheet
from autograder.grading.submissions.files import STAMP
from autograder.grading.submissions.times import collected_of
from autograder.grading.wording import inert, words
from autograder.grading.writing import replace

ASKED = ("Identifier", "Grade", "Last modified (grade)")  # columns that Moodle needs
LOCKED = (
    "Moodle's worksheet says that the grade cannot be changed, so Moodle will not take the mark."
    " Unlock it there, and download the worksheet again."
)
UNLISTED = (
    "Moodle's worksheet has no row of theirs, so the mark is not in marks.csv. If Moodle shows you"
    " one group alone, let it show all participants, and download the worksheet again."
)


@dataclass
class Import:
    """The outcome of taking in a download.

    Args:
        taken: By student, the files that were taken.
        notes: By student, what an instructor should know.
        unknown: By a file's name or prefix, why it could not be taken for any student.
        skipped: Students whose submission here is newer than the download's, or the same.
        untimed: Students for whom no worksheet says when they handed in.
        platforms: "moodle", "canvas" or both, by how the files are named.
        misread: A time of the worksheet that could not be read; empty where there is none.
    """

    taken: dict[str, list[str]] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    unknown: dict[str, str] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    untimed: list[str] = field(default_factory=list)
    platforms: set[str] = field(default_factory=set)
    misread: str = ""


def take(
    course: Course,
    assignment: str,
    download: Path,
    worksheet: Path | None = None,
    zone: tzinfo = UTC,
) -> Import:
    """Takes a download into the folder of submissions.

    Args:
        course: The course.
        assignment: The assignment.
        download: The zip as it was downloaded, or a folder with what it holds.
        worksheet: Moodle's grading worksheet, which has ids, addresses and times.
        zone: The time zone of the worksheet's times.

    Raises:
        LookupError: When the gradebook does not have the assignment.
        Misconfigured: When the download, worksheet or record of earlier downloads cannot be read.
    """
    blueprints = course.blueprints(assignment)
    roster = Roster(course, read_worksheet(worksheet) if worksheet else [], zone)
    result, by_student = Import(), {}
    needed = {f"{name}.ipynb" for name in blueprints}
    # The files' contents are read later.
    files = list(roster.members(read(download, needed, result.unknown, roster.is_known)))
    roster.meet(files)
    for file in files:
        result.platforms.add(file.lms)
        student, why = roster.find(file)
        if student is None:
            result.unknown[f"{file.prefix}"] = why
        else:
            by_student.setdefault(student, []).append(file)
            if why and why not in result.notes[student]:
                result.notes[student].append(why)
    taking = _Taking(course, assignment, roster, needed, result, by_student)
    for student, theirs in sorted(by_student.items()):
        taking.take(student, theirs)
    taking.finish()
    return result


class _Taking:
    """Takes a download in, one student after another, and adds the outcome to `result`."""

    def __init__(
        self,
        course: Course,
        assignment: str,
        roster: Roster,
        needed: set[str],
        result: Import,
        by_student: dict[str, list[File]],
    ) -> None:
        self.course, self.assignment, self.needed = course, assignment, needed
        self.roster, self.result = roster, result
        self.known = known_of(course.root, assignment)
        owners = {(file.lms, file.user): name for name, some in by_student.items() for file in some}
        self.stale = {}  # by student whose folder holds another's work: whose
        for student, entry in list(self.known.items()):
            owner = owners.get(sender(*entry[:2]), student)
            if owner != student:
                self.stale[student] = owner
                del self.known[student]

    def _folder(self, student: str) -> Path:
        return self.course.folder("submitted", student, self.assignment)

    def take(self, student: str, files: list[File]) -> None:
        """Puts a student's files into the folder of submissions, if newer than those there."""
        files, notes = latest(files, self.needed)
        when = self.roster.when(files[0])
        folder = self._folder(student)
        fresh = folder.with_name(f".{self.assignment}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            _unpack(files, fresh)
        except UNREADABLE as error:
            self.result.unknown[files[0].prefix] = f"It cannot be unpacked: {words(error)}"
        else:
            if not self._counts(student, files, when, fresh, notes):
                self.result.skipped.append(student)
                return
            shutil.rmtree(folder, ignore_errors=True)
            fresh.rename(folder)
            self.result.taken[student] = [file.path for file in files]
            if when is None:
                self.result.untimed.append(student)
            if any(file.late for file in files):
                notes.append(
                    "Canvas calls it late, and not by how much, so it is not late here. If that is"
                    " to cost points, write the time (2027-10-15 18:30:00 UTC) into"
                    f" {folder / STAMP}."
                )
            self.result.notes[student].extend(notes)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def _counts(
        self, student: str, files: list[File], when: datetime | None, fresh: Path, notes: list[str]
    ) -> bool:
        """Whether files are newer than the student's own here, and differ; remembers newer ones."""
        folder, known = self._folder(student), self.known.get(student, [])
        seen = max(file.when for file in files)
        is_stale = student in self.stale
        if not is_stale and not _is_newer(self.course, folder, known, when, seen):
            if _contents(folder, None) != _contents(fresh, None):
                self.result.notes[student].append(
                    f"The download's version is not the one in {folder}, and looks older, so it is"
                    " left out. If it counts, remove that folder, and give this command again."
                )
            return False
        self.known[student] = [files[0].lms, files[0].prefix, seen.isoformat(), files[0].between]
        _stamp(fresh, when)
        if folder.is_dir() and _contents(folder, when) == _contents(fresh, when):
            return False
        if not known and not is_stale and folder.is_dir():
            notes.append("It takes the place of a submission that came another way, and was older.")
        return True

    def finish(self) -> None:
        """Notes folders that still hold another student's work, and saves what is known now."""
        for student in self.stale.keys() - self.result.taken.keys():
            folder, owner = self._folder(student), self.stale[student]
            self.result.notes[student].append(
                f"What is in {folder} is {owner}'s; remove that folder."
            )
        self.result.misread = self.roster.misread
        path = self.course.root / FOLDER / f"{self.assignment}.json"
        path.parent.mkdir(mode=0o700, exist_ok=True)
        replace(path, json.dumps(self.known, indent=1))


def _is_newer(
    course: Course, folder: Path, known: list[str], when: datetime | None, seen: datetime
) -> bool:
    """Whether a download may have something newer than what is here."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return True
    if len(known) > 2:  # what is here is from a download too, and the later one counts
        return seen >= datetime.fromisoformat(known[2])
    have = collected_of(course.coursedir, folder)
    # `seen` is local time, and what is known of a submission's time is in UTC.
    return have is None or (when or seen.astimezone(UTC).replace(tzinfo=None)) > have


def _unpack(files: list[File], folder: Path) -> None:
    folder.mkdir(parents=True)
    for file in files:
        place = folder / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.source())


def _stamp(folder: Path, when: datetime | None) -> None:
    """Writes when a submission was handed in; a student's own timestamp.txt is removed."""
    path = folder / STAMP
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    if when is not None:
        path.write_text(f"{when:%Y-%m-%d %H:%M:%S} UTC\n", encoding="utf-8")


def _contents(folder: Path, when: datetime | None) -> dict[str, bytes]:
    """A folder's files; timestamp.txt only where the time is known, for else a person wrote it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and (when or path.name != STAMP)
    }


def give_back(
    course: Course, assignment: str, to: Path, worksheet: Path | None = None
) -> dict[str, str]:
    """Makes old feedback anew, packs it for Moodle or Canvas, and fills in the worksheet.

    Args:
        course: The course.
        assignment: The assignment.
        to: The folder to write to; it may be new.
        worksheet: Moodle's grading worksheet, which may be `to`'s own marks.csv.

    Returns:
        By student whose feedback or mark does not get there, why.

    Raises:
        Misconfigured: When nothing was imported, or the worksheet does not fit.
    """
    known = known_of(course.root, assignment)
    known = {student: each for student, each in known.items() if student not in course.left}
    if not known:
        raise Misconfigured(f"Nothing of {assignment} was imported: python -m autograder lms take")
    rows = None if worksheet is None else read_worksheet(worksheet, ASKED)
    made = deliver(course, assignment, known, release=False)  # no page is older than the marks
    missing = {each.student: each.problem for each in made if each.problem}
    if rows is not None:  # before anything is written: it may not fit
        missing = _fill(course, assignment, rows, known) | missing
    to.mkdir(parents=True, exist_ok=True, mode=0o700)
    with zipfile.ZipFile(to / "feedback.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for student, (lms, prefix, _, *rest) in sorted(known.items()):
            # Moodle before 4.1 needs "_/", and its downloads have it.
            between = rest[0] if rest else "_/" if lms == "moodle" else "_"
            for page in sorted(course.folder("feedback", student, assignment).glob("*.html")):
                archive.write(page, f"{prefix}{between}{page.name}")
    os.chmod(to / "feedback.zip", 0o600)
    if rows is None:
        (to / "marks.csv").unlink(missing_ok=True)  # an old one would not fit the pages
    else:
        replace(to / "marks.csv", _as_worksheet(rows), 0o600)
    return missing


def _fill(
    course: Course,
    assignment: str,
    rows: list[dict[str, str]],
    known: dict[str, list[str]],
) -> dict[str, str]:
    """Fills the worksheet's column Grade in; returns, by student whose mark is not taken, why."""
    numbers = {
        student: user
        for student, entry in known.items()
        for lms, user in [sender(*entry[:2])]
        if lms == "moodle"
    }
    users = {user: student for student, user in numbers.items() if user}
    listed = users.keys() & {re.sub(r"\D", "", row["Identifier"]) for row in rows}
    if rows and not listed:
        raise Misconfigured(
            f"Nobody in the worksheet is one whose {assignment} was taken in from Moodle. Is it"
            " the worksheet of another assignment?"
        )
    with course.gradebook() as gradebook:
        found = gradebook.find_assignment(assignment)
        scores = {
            each.student.id: marks(each)[-1]
            for each in gradebook.assignment_submissions(assignment)
        }
        most = found.max_score
    missing = {
        student: UNLISTED
        for student, user in numbers.items()
        if student in scores and user not in listed
    }
    for row in rows:
        student = users.get(re.sub(r"\D", "", row["Identifier"]))
        if student in scores:
            if row.get("Grade can be changed") == "No":
                missing[student] = LOCKED
            theirs = row.get("Maximum Grade") or row.get("Maximum grade") or f"{most:g}"
            if _number(theirs) != float(most):
                raise Misconfigured(
                    f"Moodle's maximum grade is {theirs}, the assignment's {most:g}. Make them the"
                    " same in Moodle, and download the worksheet again."
                )
            mark = f"{scores[student]:g}"
            row["Grade"] = (
                mark.replace(".", ",") if "," in theirs else mark
            )  # as it is written there
    return missing


def _as_worksheet(rows: list[dict[str, str]]) -> str:
    """The worksheet as CSV, in which no name is taken for a formula."""
    stream = StringIO(newline="")
    table = csv.DictWriter(stream, fieldnames=list(rows[0]) if rows else ["Identifier"])
    table.writeheader()
    for row in rows:
        table.writerow(
            {  # what an instructor has written there comes back as it was
                name: value if name == "Feedback comments" else inert(value)
                for name, value in row.items()
                if name
            }
        )
    return stream.getvalue()


def _number(text: str) -> float | None:
    """A number as Moodle writes it, in any language; None where the text is no number."""
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None
