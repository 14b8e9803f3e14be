"""Where the class has no exchange: submissions from Moodle or Canvas, and what goes back there.

Students are found in the gradebook by what the names of a download hold (`downloads`). What goes
back bears the same names, because that is how Moodle and Canvas know whose it is. When something
was handed in, Moodle's grading worksheet alone says; without it, nobody is late.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import unicodedata
import zipfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from nbgrader.utils import parse_utc

from autograder.grading.course import Course, Misconfigured
from autograder.grading.delivery import deliver
from autograder.grading.downloads import MOODLE, UNREADABLE, File, latest, read
from autograder.grading.export import inert
from autograder.grading.intake import words
from autograder.grading.lateness import marks

FOLDER = "lms"
STAMP = "timestamp.txt"


@dataclass
class Import:
    """What came of a download.

    Args:
        taken: By student, the files that were taken.
        notes: By student, what is worth knowing.
        unknown: Names of files of nobody in the gradebook, and why.
        skipped: Students whose submission here is newer or the same.
        untimed: Students of whom nothing says when they handed in.
    """

    taken: dict[str, list[str]] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    untimed: list[str] = field(default_factory=list)


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
        zone: Where the worksheet's times are.

    Raises:
        LookupError: When the gradebook does not have the assignment.
        Misconfigured: When the download cannot be read.
    """
    blueprints = course.blueprints(assignment)
    roster = Roster(course, read_worksheet(worksheet) if worksheet else [], zone)
    result, by_student = Import(), {}
    needed = {f"{name}.ipynb" for name in blueprints}
    for file in read(download, needed, result.unknown):
        student, why = roster.find(file)
        if student is None:
            result.unknown[f"{file.prefix}"] = why
        else:
            by_student.setdefault(student, []).append(file)
    known = _known(course, assignment)
    for student, files in sorted(by_student.items()):
        files, notes = latest(files, needed)
        when, seen = roster.when(files[0]), max(file.when for file in files)
        folder = course.folder("submitted", student, assignment)
        if not _is_newer(course, folder, known.get(student, []), when, seen):
            result.skipped.append(student)
            continue
        fresh = folder.with_name(f".{assignment}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            _unpack(files, fresh)
        except UNREADABLE as error:
            result.unknown[files[0].prefix] = f"It cannot be unpacked: {words(error)}"
            shutil.rmtree(fresh, ignore_errors=True)
            continue
        _stamp(fresh, when)
        is_same = folder.is_dir() and _contents(folder, when) == _contents(fresh, when)
        known[student] = [files[0].lms, files[0].prefix, seen.isoformat()]
        if is_same:
            shutil.rmtree(fresh)
            result.skipped.append(student)
            continue
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
        result.taken[student] = [file.path for file in files]
        if when is None:
            result.untimed.append(student)
        if any(file.late for file in files):
            notes.append(
                "Canvas calls it late, and not by how much, so it is not late here. If that is to"
                f" cost points, write the time (2027-10-15 18:30:00 UTC) into {folder / STAMP}."
            )
        if notes:
            result.notes[student] = notes
    path = course.root / FOLDER / f"{assignment}.json"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_text(json.dumps(known, indent=1), encoding="utf-8")
    return result


def _is_newer(
    course: Course, folder: Path, known: list[str], when: datetime | None, seen: datetime
) -> bool:
    """Whether a download may have something newer than what is here."""
    if len(known) > 2:  # that is from a download too, and the later of the two counts
        return seen >= datetime.fromisoformat(known[2])
    have = _timestamp(course, folder)
    return have is None or (when or seen) > have


def _unpack(files: list[File], folder: Path) -> None:
    folder.mkdir(parents=True)
    for file in files:
        place = folder / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.source())


def _stamp(folder: Path, when: datetime | None) -> None:
    """Writes when a submission was handed in; a student's own word on it is not kept."""
    path = folder / STAMP
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    if when is not None:
        path.write_text(f"{when:%Y-%m-%d %H:%M:%S} UTC\n", encoding="utf-8")


def _contents(folder: Path, when: datetime | None) -> dict[str, bytes]:
    """A folder's files; that of the time where the time is known, or it is a person's."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and (when or path.name != STAMP)
    }


class Roster:
    """The students of the gradebook, by all that a download may know them by.

    Args:
        course: The course.
        worksheet: The rows of Moodle's grading worksheet.
        zone: Where its times are.
    """

    def __init__(self, course: Course, worksheet: list[dict[str, str]], zone: tzinfo = UTC) -> None:
        self.zone = zone
        self.by_lms: dict[str, str] = {}
        self.by_name: dict[str, list[str]] = {}
        self.by_mail: dict[str, str] = {}
        with course.gradebook() as gradebook:
            for student in gradebook.students:
                if student.lms_user_id:
                    self.by_lms[str(student.lms_user_id)] = student.id
                if student.email:
                    self.by_mail[student.email.lower()] = student.id
                first, last = student.first_name or "", student.last_name or ""
                if first or last:
                    for name in {plain(first + last), plain(last + first)}:
                        self.by_name.setdefault(name, []).append(student.id)
                self.by_name.setdefault(plain(student.id), []).append(student.id)
            self.ids = {student.id for student in gradebook.students}
        self.rows = {re.sub(r"\D", "", row.get("Identifier", "")): row for row in worksheet}

    def find(self, file: File) -> tuple[str | None, str]:
        """Whose a file is; or None, and why nobody's."""
        row = self.rows.get(file.user, {})
        for column in ("ID number", "Username"):
            if row.get(column) in self.ids:
                return row[column], ""
        if mail := self.by_mail.get(row.get("Email address", "").lower()):
            return mail, ""
        if file.user in self.by_lms:
            return self.by_lms[file.user], ""
        found = sorted(set(self.by_name.get(plain(row.get("Full name") or file.name), [])))
        if len(found) == 1:
            return found[0], ""
        if found:
            return None, (
                f"{', '.join(found)} have this name. Give each its number:"
                f" nbgrader db student add {found[0]} --lms-user-id {file.user}"
            )
        return None, (
            "Nobody of this name is in the gradebook. Add them:"
            f" nbgrader db student add ID --lms-user-id {file.user}"
        )

    def when(self, file: File) -> datetime | None:
        """When it was handed in, in UTC, as the worksheet has it."""
        text = self.rows.get(file.user, {}).get("Last modified (submission)", "")
        try:
            there = parse_utc(text) if text.strip(" -") else None  # as if it were UTC
        except (ValueError, OverflowError):
            return None
        return there and there.replace(tzinfo=self.zone).astimezone(UTC).replace(tzinfo=None)


def plain(name: str) -> str:
    """A name without what systems change: case, accents, spaces and hyphens."""
    apart = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in apart if letter.isalnum())


def read_worksheet(path: Path) -> list[dict[str, str]]:
    """Moodle's grading worksheet.

    Raises:
        Misconfigured: When it is none.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Misconfigured(f"{path} cannot be read: {error}") from None
    if rows and "Identifier" not in rows[0]:
        raise Misconfigured(
            f"{path} has no column Identifier. Is it Moodle's grading worksheet? Its columns have"
            " these names where Moodle's language is English: switch, and download it again."
        )
    return rows


def _timestamp(course: Course, folder: Path) -> datetime | None:
    try:
        return course.coursedir.get_existing_timestamp(str(folder))
    except Exception:  # whatever is in it
        return None


def _known(course: Course, assignment: str) -> dict[str, list[str]]:
    path = course.root / FOLDER / f"{assignment}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def give_back(
    course: Course, assignment: str, to: Path, worksheet: Path | None = None
) -> dict[str, str]:
    """Makes feedback anew where it is old, packs it for Moodle or Canvas, fills the worksheet in.

    Args:
        course: The course.
        assignment: The assignment.
        to: A folder to make.
        worksheet: Moodle's grading worksheet.

    Returns:
        Of each student whose feedback is not in it, why.

    Raises:
        Misconfigured: When nothing was imported.
    """
    known = _known(course, assignment)
    if not known:
        raise Misconfigured(f"Nothing of {assignment} was imported: python -m autograder lms take")
    to.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = deliver(course, assignment, known, release=False)  # no page is older than the marks
    missing = {each.student: each.problem for each in made if each.problem}
    with zipfile.ZipFile(to / "feedback.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for student, (lms, prefix, *_) in sorted(known.items()):
            pages = sorted(course.folder("feedback", student, assignment).glob("*.html"))
            for page in pages:
                between = "_/" if lms == "moodle" else "_"  # Moodle before 4.1 needs both
                archive.write(page, f"{prefix}{between}{page.name}")
    os.chmod(to / "feedback.zip", 0o600)
    if worksheet is not None:
        _fill(course, assignment, read_worksheet(worksheet), to / "marks.csv", known)
    return missing


def _fill(
    course: Course,
    assignment: str,
    rows: list[dict[str, str]],
    to: Path,
    known: dict[str, list[str]],
) -> None:
    """Writes the worksheet with its column Grade filled in."""
    users = {}
    for student, (_, prefix, *_) in known.items():
        match = MOODLE.fullmatch(prefix)
        if match:
            users[match["user"]] = student
    with course.gradebook() as gradebook:
        found = gradebook.find_assignment(assignment)
        scores = {
            each.student.id: marks(each)[-1]
            for each in gradebook.assignment_submissions(assignment)
        }
        most = found.max_score
    for row in rows:
        student = users.get(re.sub(r"\D", "", row["Identifier"]))
        if student in scores:
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
    with to.open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, fieldnames=list(rows[0]) if rows else ["Identifier"])
        table.writeheader()
        for row in rows:
            table.writerow({name: inert(value) for name, value in row.items() if name})
    os.chmod(to, 0o600)


def _number(text: str) -> float | None:
    """A number as Moodle writes it, in any language; None where it is none."""
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None
