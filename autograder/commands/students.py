"""`python -m autograder students`: the list of a class, from a table that a program has saved.

nbgrader's own import reads only UTF-8 with commas. A table from Excel may have semicolons, a
byte-order mark, another encoding or empty rows; these end that import with a traceback, or it takes
an empty row for a student. With that import, empty cells also erase what the gradebook knows.
"""

from __future__ import annotations

import csv
import io
import re
import shlex
import unicodedata
from pathlib import Path
from typing import Annotated

import typer

from autograder.commands.console import failures, here, say, tell, typed
from autograder.grading.course import Course, Misconfigured
from autograder.grading.submissions.files import is_litter, read_text
from autograder.grading.wording import counted, names

COLUMNS = ("id", "first_name", "last_name", "email", "lms_user_id")
MAX_ID = 128  # bytes; names in the exchange continue with the assignment and a time
MAX_NAMED = 10  # most problems of a table that are printed


def students(
    table: Annotated[Path, typer.Argument(help="Its columns: id, and what is known beside.")],
) -> None:
    """Write a table of students into the gradebook: all of it, or nothing where a row is unclear.

    Its columns are id, first_name, last_name, email and lms_user_id, the number on Moodle or
    Canvas. A cell that is empty changes nothing, and nobody is removed.
    """
    table = typed(table)
    with failures():
        course = here()
        rows, notes = read_students(table)
        new, changed, absent = write(course, rows)
    for note in notes:
        say(note)
    if absent:
        tell(f"In the gradebook and not in {table}: {names(absent)}.")
    tell(f"{counted(len(rows), 'student')}: {new} new, {changed} changed.")


def read_students(table: Path) -> tuple[dict[str, dict[str, str]], list[str]]:
    """What a table says of each student, by id, and notes about the table, a sentence each.

    Raises:
        Misconfigured: When it cannot be read, or rows are unclear; it names the first `MAX_NAMED`.
    """
    raw = table.read_bytes()
    if raw.startswith(b"PK"):
        raise Misconfigured(f"{table} is a workbook. Save it as CSV, and give that file.")
    try:
        text, done = read_text(raw)
    except UnicodeDecodeError:
        raise Misconfigured(f"{table} is no text. Save it as CSV UTF-8.") from None
    heads, lines = _cells(text)
    if "sis_login_id" in heads:  # its column ID would be taken for the id
        raise Misconfigured(
            f"{table} is Canvas's table of marks. Call its column ID lms_user_id, and SIS Login ID"
            " id, if that is what their accounts are called; and take out the row Points Possible."
        )
    if "id" not in heads:
        found = ", ".join(filter(None, heads)) or "none"
        raise Misconfigured(f"{table} has no column id; its first row has {found}.")
    notes = []
    if "Windows" in done:
        strange = re.search(r"[^\W\d]*[^\x00-\x7f][^\W\d]*", text)
        notes.append(
            f"{table} is not UTF-8 and was read as Windows-1252."
            f" Is this name right: {strange[0] if strange else ''}?"
        )
    if unknown := [head for head in heads if head and head not in COLUMNS]:
        notes.append(f"Not used: {', '.join(unknown)}. The columns are {', '.join(COLUMNS)}.")
    rows: dict[str, dict[str, str]] = {}
    problems = [f"There are two columns {head}." for head in COLUMNS if heads.count(head) > 1]
    numbers: dict[str, str] = {}
    alike: dict[str, str] = {}
    for line, cells in lines:
        if len(cells) > len(heads) and any(cells[len(heads) :]):
            problems.append(f"Line {line} has more cells than the first row: {', '.join(cells)}.")
            continue
        row = {head: cell for head, cell in zip(heads, cells, strict=False) if head in COLUMNS}
        student, number = row.pop("id", ""), row.get("lms_user_id", "")
        if problem := _no_id(student):
            problems.append(f"Line {line}: {problem}")
        elif there := alike.get(student.casefold()):
            case = "" if there == student else f", as {there}: two ids that differ in case alone"
            problems.append(f"Line {line}: {student} is there already{case}.")
        elif number and number in numbers:
            problems.append(f"Line {line}: {number} is {numbers[number]}'s number too.")
        else:
            alike[student.casefold()] = student
            rows[student] = {column: cell for column, cell in row.items() if cell}
            numbers[number] = student
    if not rows and not problems:
        problems = ["There are no students in it."]
    if problems:
        more = len(problems) - MAX_NAMED
        said = [*problems[:MAX_NAMED], *([f"{more} more lines are unclear."] if more > 0 else [])]
        raise Misconfigured("\n".join([f"Nothing was written from {table}.", *said]))
    return rows, notes


def _cells(text: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The names of the columns, and each row that is not empty, with its line number."""
    text, skipped = unicodedata.normalize("NFC", text), 0  # NFC, as in typed names and accounts
    if text[:4].lower() == "sep=":  # Excel's line that names the delimiter
        text, skipped = text.partition("\n")[2], 1
    first = next((line for line in text.splitlines() if line.strip()), "")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    try:
        rows = [
            (reader.line_num + skipped, [" ".join(cell.split()) for cell in row]) for row in reader
        ]
    except csv.Error as error:
        raise Misconfigured(f"Line {reader.line_num + skipped} cannot be read: {error}.") from None
    rows = [(line, row) for line, row in rows if any(row)]
    heads = [re.sub(r"[ -]", "_", head.lower()) for head in rows[0][1]] if rows else []
    return heads, rows[1:]


def _no_id(student: str) -> str:
    """Why no student can have this id, in a sentence; empty if one can."""
    if not student:
        return "It has no id."
    bad = {
        letter for letter in student if letter in "/\\+,*" or unicodedata.category(letter)[0] == "C"
    }
    is_long = len(student.encode()) > MAX_ID
    if bad or is_long or student.startswith(".") or is_litter(student):
        return f"{student!r:.80} is no id, because no folder can be called that in the exchange."
    return ""


def write(course: Course, rows: dict[str, dict[str, str]]) -> tuple[int, int, list[str]]:
    """Writes students into the gradebook; what the table leaves empty or out stays as it is.

    Returns:
        How many students are new, how many have changed, and who is not in the table.

    Raises:
        Misconfigured: When two students would have the same number, or a new id differs only in
            case from one in the gradebook; nothing is written.
    """
    with course.gradebook() as gradebook:
        before = {
            each.id: {column: str(getattr(each, column) or "") for column in COLUMNS[1:]}
            for each in gradebook.students
        }
        after = {
            student: before.get(student, dict.fromkeys(COLUMNS[1:], "")) | rows.get(student, {})
            for student in {**before, **rows}
        }
        alike = {student.casefold(): student for student in before}
        for student in sorted(rows.keys() - before.keys()):
            if there := alike.get(student.casefold()):
                raise Misconfigured(
                    f"Nothing was written. The gradebook has {there}, and the table {student}: two"
                    " ids that differ in case alone. Write it in the table as in the gradebook; or"
                    f" nbgrader db student remove {shlex.quote(there)}, which takes marks along."
                )
        owners: dict[str, str] = {}
        for student, known in sorted(after.items()):
            number = known["lms_user_id"]
            if number and owners.setdefault(number, student) != student:
                raise Misconfigured(
                    f"Nothing was written. {number} would be the number of {owners[number]} and of"
                    f" {student}."
                )
        for student, given in rows.items():
            if after[student] != before.get(student):
                gradebook.update_or_create_student(student, **given)
    new = len(rows.keys() - before.keys())
    changed = sum(before[student] != after[student] for student in rows.keys() & before.keys())
    return new, changed, sorted(before.keys() - rows.keys())
