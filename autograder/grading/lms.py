"""Where the class has no exchange: what Moodle and Canvas let an instructor download, and upload.

Moodle's "Download all submissions" holds a folder a student, or a file, that begins
`Ada Lovelace_4711_assignsubmission_file_`; Canvas's "Download Submissions" holds files named
`lovelaceada_LATE_4711_90210_set-1.ipynb`: name, user, attachment, and a number for each time that
it was handed in again. Students are found in the gradebook by what such a name holds. What goes
back bears the same names, because that is how Moodle and Canvas know whose it is.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import unicodedata
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from nbgrader.utils import parse_utc

from autograder.grading.course import Course, Misconfigured
from autograder.grading.delivery import deliver
from autograder.grading.export import inert

MOODLE = re.compile(
    r"(?P<prefix>(?P<name>[^/]+?)_(?P<user>\d+)_assignsubmission_file)_?/?(?P<file>.*)"
)
CANVAS = re.compile(
    r"(?P<prefix>(?P<name>[^_/]+)_(?P<late>LATE_)?(?P<user>\d+)_(?P<attachment>\d+))_(?P<file>[^/]+)"
)
AGAIN = re.compile(r"(?P<stem>.*?)(?:-(?P<times>\d+))?(?P<ending>\.\w+)?")
MAX_FILE = 200 * 2**20  # bytes
MAX_ALL = 8 * 2**30
FOLDER = "lms"


@dataclass
class File:
    """A file of a download.

    Args:
        lms: "moodle" or "canvas".
        user: The student's number there.
        name: The student's name there.
        prefix: How the names of this student's files begin.
        path: The file's own name.
        attempt: How often it was handed in again.
        when: When the file was changed last.
        late: Whether the name says that it is late.
        source: Reads it.
    """

    lms: str
    user: str
    name: str
    prefix: str
    path: str
    attempt: int
    when: datetime
    late: bool
    source: Any


@dataclass
class Import:
    """What came of a download.

    Args:
        taken: By student, the files that were taken.
        notes: By student, what is worth knowing.
        unknown: Names of files of nobody in the gradebook, and why.
        skipped: Students whose submission here is newer or the same.
    """

    taken: dict[str, list[str]] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)


def take(course: Course, assignment: str, download: Path, worksheet: Path | None = None) -> Import:
    """Takes a download into the folder of submissions.

    Args:
        course: The course.
        assignment: The assignment.
        download: The zip as it was downloaded, or a folder with what it holds.
        worksheet: Moodle's grading worksheet, which has ids, addresses and times.

    Raises:
        LookupError: When the gradebook does not have the assignment.
        Misconfigured: When the download cannot be read.
    """
    blueprints = course.blueprints(assignment)
    roster = Roster(course, read_worksheet(worksheet) if worksheet else [])
    result, by_student = Import(), {}
    needed = {f"{name}.ipynb" for name in blueprints}
    for file in read(download, needed, result.unknown):
        student, why = roster.find(file)
        if student is None:
            result.unknown[f"{file.prefix}"] = why
        else:
            by_student.setdefault(student, []).append(file)
    prefixes = _known(course, assignment)
    for student, files in sorted(by_student.items()):
        files, notes = latest(files, needed)
        when = roster.when(files[0]) or max(file.when for file in files)
        folder = course.folder("submitted", student, assignment)
        have = _timestamp(course, folder)
        if have is not None and when <= have:
            result.skipped.append(student)
            continue
        fresh = folder.with_name(f".{assignment}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        for file in files:
            place = fresh / file.path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(file.source())
        (fresh / "timestamp.txt").write_text(f"{when:%Y-%m-%d %H:%M:%S UTC}\n", encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
        result.taken[student] = [file.path for file in files]
        if any(file.late for file in files):
            notes.append("Canvas calls it late; what that costs is the due date's matter here.")
        if notes:
            result.notes[student] = notes
        prefixes[student] = [files[0].lms, files[0].prefix]
    path = course.root / FOLDER / f"{assignment}.json"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_text(json.dumps(prefixes, indent=1), encoding="utf-8")
    return result


def read(download: Path, needed: set[str], strange: dict[str, str]) -> Iterator[File]:
    """The files of a download; of what is none of a student's, the name goes into `strange`."""
    for name, when, source in _entries(download, strange):
        known = parse(name)
        if known is None:
            strange[name] = "It is named neither as Moodle nor as Canvas names submissions."
            continue
        lms, match = known
        path = match["file"].strip("/") or PurePosixPath(name).name
        found = AGAIN.fullmatch(path) if lms == "canvas" and path not in needed else None
        times = int(found["times"]) if found and found["times"] else 0
        if found and found["times"]:
            path = f"{found['stem']}{found['ending'] or ''}"
        if not path or path.startswith((".", "/")) or ".." in path.split("/") or "\\" in path:
            strange[name] = "It has a name that is none."
            continue
        late = lms == "canvas" and bool(match["late"])
        yield File(
            lms, match["user"], match["name"], match["prefix"], path, times, when, late, source
        )


def parse(name: str) -> tuple[str, re.Match] | None:
    """A file's name in a download, taken apart: as Moodle's or Canvas's."""
    parts = name.split("/")
    for start in range(len(parts)):  # a folder around all of it
        rest = "/".join(parts[start:])
        if match := MOODLE.fullmatch(rest):
            return "moodle", match
        if match := CANVAS.fullmatch(rest):
            return "canvas", match
    return None


def _entries(download: Path, strange: dict[str, str]) -> Iterator[tuple[str, datetime, Any]]:
    if download.is_dir():
        for path in sorted(download.rglob("*")):
            name = path.relative_to(download).as_posix()
            if path.is_symlink():
                strange[name] = "It is a symbolic link."
            elif path.is_file() and not _litter(name):
                if path.stat().st_size > MAX_FILE:
                    strange[name] = f"It has more than {MAX_FILE} bytes."
                    continue
                when = datetime.fromtimestamp(path.stat().st_mtime, UTC)
                yield name, when.replace(tzinfo=None), path.read_bytes
        return
    try:
        archive = zipfile.ZipFile(download)
    except (OSError, zipfile.BadZipFile) as error:
        raise Misconfigured(
            f"{download} is no folder and no zip that can be read: {error}"
        ) from None
    if sum(entry.file_size for entry in archive.infolist()) > MAX_ALL:
        raise Misconfigured(f"{download} holds more than {MAX_ALL} bytes.")
    for entry in archive.infolist():
        if entry.is_dir() or _litter(entry.filename):
            continue
        if entry.file_size > MAX_FILE or entry.flag_bits & 1:
            strange[entry.filename] = "It is encrypted, or larger than is read."
            continue
        year, month, day, hour, minute, second = entry.date_time
        when = datetime(year, month or 1, day or 1, hour, minute, min(second, 59))
        yield entry.filename, when, lambda entry=entry: archive.read(entry)


def _litter(name: str) -> bool:
    parts = name.split("/")
    return any(part in ("__MACOSX", ".DS_Store") or part.startswith("._") for part in parts)


def latest(files: list[File], needed: set[str]) -> tuple[list[File], list[str]]:
    """Of a student's files, each one's last version; and what is to be said."""
    chosen: dict[str, File] = {}
    for file in sorted(files, key=lambda file: (file.attempt, file.when, file.prefix)):
        chosen[file.path] = file
    notes = []
    again = len(files) - len(chosen)
    if again:
        notes.append(f"{again} older {'version' if again == 1 else 'versions'} left out.")
    if not needed & chosen.keys() and not any(name.endswith(".ipynb") for name in chosen):
        notes.append(f"There is no notebook in it, but {', '.join(sorted(chosen))}.")
    first = sorted(chosen.values(), key=lambda file: (file.path not in needed, file.path))
    return first, notes


class Roster:
    """The students of the gradebook, by all that a download may know them by.

    Args:
        course: The course.
        worksheet: The rows of Moodle's grading worksheet.
    """

    def __init__(self, course: Course, worksheet: list[dict[str, str]]) -> None:
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
        """When it was handed in, as the worksheet has it."""
        text = self.rows.get(file.user, {}).get("Last modified (submission)", "")
        try:
            return parse_utc(text) if text.strip(" -") else None
        except (ValueError, OverflowError):
            return None


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
        raise Misconfigured(f"{path} has no column Identifier, so it is no grading worksheet.")
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
        for student, (lms, prefix) in sorted(known.items()):
            pages = sorted(course.folder("feedback", student, assignment).glob("*.html"))
            for page in pages:
                between = "/" if lms == "moodle" else "_"
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
    for student, (_, prefix) in known.items():
        match = MOODLE.fullmatch(prefix)
        if match:
            users[match["user"]] = student
    with course.gradebook() as gradebook:
        found = gradebook.find_assignment(assignment)
        scores = {
            each.student.id: max(0.0, each.score - (each.late_submission_penalty or 0.0))
            for each in gradebook.assignment_submissions(assignment)
        }
        most = found.max_score
    for row in rows:
        student = users.get(re.sub(r"\D", "", row["Identifier"]))
        if student in scores:
            theirs = row.get("Maximum Grade") or row.get("Maximum grade") or most
            if float(theirs) != float(most):
                raise Misconfigured(
                    f"Moodle's maximum grade is {theirs}, the assignment's {most:g}. Make them the"
                    " same in Moodle, and download the worksheet again."
                )
            row["Grade"] = f"{scores[student]:g}"
    with to.open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, fieldnames=list(rows[0]) if rows else ["Identifier"])
        table.writeheader()
        for row in rows:
            table.writerow({name: inert(value) for name, value in row.items() if name})
    os.chmod(to, 0o600)
