"""Finds whose a downloaded file is: by id, address or number, else by a name that is unique."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from autograder.grading.course import Course, Misconfigured
from autograder.grading.platforms.downloads import File
from autograder.grading.submissions.files import read_text
from autograder.nbgrader_internals import parse_utc

POINTS = (1, *range(10, 37))  # combining classes: strokes, points of Hebrew and Arabic


class Roster:
    """The students of the gradebook, found by whatever a download says of them.

    Args:
        course: The course.
        worksheet: The rows of Moodle's grading worksheet.
        zone: The time zone of the worksheet's times.
    """

    def __init__(self, course: Course, worksheet: list[dict[str, str]], zone: tzinfo = UTC) -> None:
        self.zone = zone
        self.by_lms: dict[str, str | None] = {}  # None where several students have the number
        self.by_name: dict[str, list[str]] = {}
        self.by_mail: dict[str, str | None] = {}  # None where several students share it
        self.names: dict[str, set[str]] = {}
        self.spelt: dict[str, set[str]] = {}  # the same names, with their accents
        self.numbers: dict[str, str] = {}
        self.users: dict[str, set[str]] = {}  # by name, the numbers that belong to nobody yet
        with course.gradebook() as gradebook:
            # Who has left comes last, and takes nothing from who is there.
            for student in sorted(gradebook.students, key=lambda each: each.id in course.left):
                if student.lms_user_id:
                    user = self.numbers[student.id] = str(student.lms_user_id)
                    if user not in self.by_lms or student.id not in course.left:
                        self.by_lms[user] = None if user in self.by_lms else student.id
                if student.email:
                    mail = student.email.lower()
                    if mail not in self.by_mail or student.id not in course.left:
                        self.by_mail[mail] = None if mail in self.by_mail else student.id
                first, last = student.first_name or "", student.last_name or ""
                names = {plain(first + last), plain(last + first)} - {""}
                self.names[student.id] = names
                self.spelt[student.id] = set(
                    map(accented, (first + last, last + first, student.id))
                )
                for name in (names | {plain(student.id)}) - {""}:
                    self.by_name.setdefault(name, []).append(student.id)
            self.ids = {student.id for student in gradebook.students}
        self.nameless = {student for student, names in self.names.items() if not names}
        self.misread = ""  # a time of the worksheet that is in another language
        self.rows = {re.sub(r"\D", "", row.get("Identifier", "")): row for row in worksheet}
        self.groups: dict[str, list[str]] = {}  # by a group's name, its members' numbers
        for user, row in self.rows.items():
            if user and row.get("Group"):
                self.groups.setdefault(plain(row["Group"]), []).append(user)

    def members(self, files: Iterable[File]) -> Iterator[File]:
        """Yields files; a group's file once for each member, named as Moodle wants it back."""
        files = list(files)
        numbers: dict[str, set[str]] = {}
        for file in files:
            numbers.setdefault(plain(file.name), set()).add(file.user)
        for file in files:
            group = plain(file.name)
            names = {self.rows[user]["Group"] for user in self.groups.get(group, ())}
            if file.lms != "moodle" or len(names) != 1 or len(numbers[group]) != 1:
                yield file
                continue
            for user in self.groups[group]:
                name = re.sub(r"[_/\s]+", " ", self.rows[user].get("Full name") or "Participant")
                prefix = f"{name}_{user}_assignsubmission_file"
                yield replace(file, user=user, name=name, prefix=prefix)

    def meet(self, files: list[File]) -> None:
        """Learns which nameless students are found otherwise, and how many senders share a name."""
        self.nameless -= {self._certain(file) for file in files}
        seen = {plain(self._name(file)) for file in files}
        self.nameless -= {student for student in self.nameless if plain(student) in seen}
        for file in files:
            if self._certain(file) is None:
                self.users.setdefault(plain(self._name(file)), set()).add(file.user)

    def is_known(self, name: str, user: str) -> bool:
        """Whether the number's student has this name or none; else whether the name is known."""
        named, numbered = self.by_name.get(plain(name), []), self.by_lms.get(user)
        return numbered in {*named, *self.nameless} if numbered else bool(named)

    def _row(self, file: File) -> dict[str, str]:
        """The worksheet's row of a file; empty where the file's number is a group's."""
        row = self.rows.get(file.user, {})
        name, group, full = map(plain, (file.name, row.get("Group", ""), row.get("Full name", "")))
        is_it = name in (full, group + full) if full else name != group  # before 4.1, with a dash
        return row if is_it or not group else {}

    def _certain(self, file: File) -> str | None:
        """Whose a file is by an id, an address or a number."""
        return self._listed(file) or self.by_lms.get(file.user)

    def _listed(self, file: File) -> str | None:
        """Whose a file is by an id or an address of the worksheet."""
        row = self._row(file)
        for column in ("ID number", "Username"):
            if row.get(column) in self.ids:
                return row[column]
        return self.by_mail.get(row.get("Email address", "").lower())

    def _name(self, file: File) -> str:
        return self._row(file).get("Full name") or file.name

    def find(self, file: File) -> tuple[str | None, str]:
        """Whose a file is, and what to know about it; or None, and why it is nobody's."""
        name = plain(self._name(file))
        found = sorted(set(self.by_name.get(name, [])))
        if plain(file.name) in self.groups and file.lms == "moodle":
            return None, "Several groups have this name. Give each its own, and download it again."
        if student := self._certain(file):
            is_by_number = file.lms == "moodle" and not self._listed(file)  # of one assignment only
            if is_by_number and found and student not in found:
                return None, (
                    f"The number is {student}'s, and the name {' and '.join(found)}'s. Give"
                    " Moodle's grading worksheet, which has addresses, with --worksheet, or correct"
                    " the number."
                )
            if is_by_number and not found:
                return student, (
                    f"{file.prefix} is taken for {student}'s by its number, and has another name."
                )
            if found and student not in found:
                return student, (
                    f"{file.prefix} is taken for {student}'s by its number or address, though"
                    f" {' and '.join(found)} {'has' if len(found) == 1 else 'have'} that name."
                )
            return student, ""
        ways = [f"python -m autograder lms number ID {file.user}"] if file.user else []
        if file.lms == "moodle" and not self.rows:
            ways.append(
                "give Moodle's grading worksheet, which has addresses and the members of groups:"
                " --worksheet"
            )
        say = ", or ".join(ways)
        if not found:
            return None, f"Nobody of this name is in the gradebook. Say whose it is: {say}"
        if len(found) > 1:
            return None, f"{' and '.join(found)} have this name. Say whose it is: {say}"
        (student,) = found
        if self._has_other_accents(self._name(file), student):
            return (
                None,
                f"By its name it is {student}'s but for the accents. Say whose it is: {say}",
            )
        if len(self.users.get(name, ())) > 1:
            return None, (
                f"The gradebook has one of this name, {student}, and the download"
                f" {len(self.users[name])}. Say whose it is: {say}"
            )
        number = self.numbers.get(student)
        if file.lms == "canvas" and number:  # Moodle's are valid in one assignment
            return None, (
                f"By its name it is {student}'s, whose number is {number} in the gradebook. Say"
                f" whose it is: {say}"
            )
        if self.nameless and name in self.names[student]:
            return None, (
                f"By its name it is {student}'s, but {', '.join(sorted(self.nameless))} may be"
                " called that too and have no name in the gradebook. Import a table that has"
                f" their names, or say whose it is: {say}"
            )
        return student, ""

    def _has_other_accents(self, name: str, student: str) -> bool:
        """Whether a name and the student's have accents that differ: two names in Vietnam."""
        key, spelt = plain(name), accented(name)
        own = {each for each in self.spelt[student] if plain(each) == key}
        return spelt != key and key not in own and spelt not in own

    def when(self, file: File) -> datetime | None:
        """When a file was handed in, in UTC, by the worksheet, or None."""
        text = self.rows.get(file.user, {}).get("Last modified (submission)", "")
        try:
            there = parse_utc(text) if text.strip(" -") else None  # read as if it were UTC
        except (ValueError, OverflowError):
            self.misread = text
            return None
        return there and there.replace(tzinfo=self.zone).astimezone(UTC).replace(tzinfo=None)


def plain(name: str) -> str:
    """A name without what systems change: case, accents, spaces and hyphens.

    Vowels and sounds that a script writes as marks stay, because they tell names apart.
    """
    apart = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in apart if letter.isalnum() or _is_sound(letter))


def accented(name: str) -> str:
    """A name as in `plain`, but with its accents."""
    whole = unicodedata.normalize("NFC", unicodedata.normalize("NFKD", name.casefold()))
    return "".join(letter for letter in whole if letter.isalnum() or _is_sound(letter))


def _is_sound(letter: str) -> bool:
    """Whether a character is a mark that stands for a sound, as in Hindi, Thai and Japanese.

    Accents in Latin, Greek and Cyrillic, and the points of Hebrew and Arabic, do not count.
    """
    if unicodedata.category(letter)[0] != "M" or "VARIATION" in unicodedata.name(letter, ""):
        return False
    kind = unicodedata.combining(letter)
    return kind < 200 and kind not in POINTS


def read_worksheet(path: Path, needed: Iterable[str] = ("Identifier",)) -> list[dict[str, str]]:
    """Moodle's grading worksheet.

    Args:
        path: The file.
        needed: The columns that it must have.

    Raises:
        Misconfigured: When it cannot be read, or lacks a column.
    """
    try:
        text, _ = read_text(path.read_bytes())  # Excel may have saved it in its own way
        first = text.partition("\n")[0]
        parts = max(",;\t", key=first.count)
        table = csv.DictReader(io.StringIO(text, newline=""), delimiter=parts, restval="")
        rows = list(table)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Misconfigured(f"{path} cannot be read: {error}") from None
    for column in needed if rows else ():
        if column not in rows[0]:
            raise Misconfigured(
                f"{path} has no column {column}. Is it Moodle's grading worksheet? Its columns have"
                " these names where Moodle's language is English: switch, and download it again."
            )
    return rows


def number(course: Course, student: str, user: str) -> str:
    """Writes a student's number on the platform into the gradebook, and keeps all else.

    By contrast, `nbgrader db student add` empties names and address that it is not given.

    Returns:
        The number that the student had before, or an empty text.

    Raises:
        LookupError: When the gradebook does not have the student.
        Misconfigured: When the number is another student's.
    """
    with course.gradebook() as gradebook:
        before = {each.id: str(each.lms_user_id or "") for each in gradebook.students}
        if student not in before:
            raise LookupError(
                f"The gradebook has no student {student!r}. Add them to your table of"
                " students first: python -m autograder students students.csv"
            )
        for other, theirs in before.items():
            if other != student and theirs == user:
                raise Misconfigured(
                    f"{user} is {other}'s number. If that is wrong, give {other} theirs first."
                )
        gradebook.update_or_create_student(student, lms_user_id=user)
        return before[student]
