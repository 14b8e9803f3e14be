"""Downloads of submissions from Moodle and Canvas: whose each file is, by its name.

Moodle's "Download all submissions" holds, for each student, a folder or a file whose name begins
with `Ada Lovelace_4711_assignsubmission_file_`. Canvas's "Download Submissions" holds files named
`lovelaceada_LATE_4711_90210_set-1.ipynb`: the student's name, LATE if it is late, the numbers of
student and attachment, and the file's name, with a number if it was handed in again.

Both make the zip when it is asked for, and the times in it are of that moment.
"""

from __future__ import annotations

import json
import lzma
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from autograder.grading.course import Misconfigured
from autograder.grading.submissions.files import is_litter, is_notebook, is_zip
from autograder.grading.submissions.unpacking import name_of

MOODLE = re.compile(
    r"(?P<prefix>(?P<name>[^/]+?)(_(?P<user>\d+))?_assignsubmission_file)(?P<between>_?/?)(?P<file>.*)"
)
CANVAS = re.compile(  # what follows a student's name, which may end in numbers too
    r"(?P<late>LATE_|late_)?(?P<user>\d+)_\d+(?P<between>_)(?P<file>[^/]+)"
)
TYPED = re.compile(r"(.*/)?[^/]+_assignsubmission_(?!file\b|file_)(?P<kind>[^_/]+).*")
CANVAS_TYPED = re.compile(r"(.*/)?[^/]+_(LATE_|late_)?\d+_(text|link)\.html")
# Files' names in Canvas while it hides students; in newer versions, LATE comes first.
ANONYMOUS = re.compile(r"(.*/)?(LATE_)?anon_(LATE_)?\w+?_\d+_[^/]+")
AGAIN = re.compile(r"(?P<stem>.+?)(?:-(?P<times>\d+))?(?P<ending>\.\w+)?")
# What a damaged zip raises, or one of a kind that Python cannot unpack.
UNREADABLE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError)
UNREADABLE += (FileExistsError, NotADirectoryError, IsADirectoryError)  # a file where a folder is
FOLDER = "lms"  # in the course's folder: who handed in on a platform
MAX_NAME = 255  # bytes of a file's name; Moodle allows as many letters
MAX_FILE = 200 * 2**20  # bytes
MAX_ALL = 8 * 2**30


@dataclass
class File:
    """A file of a download.

    Args:
        lms: "moodle" or "canvas".
        user: The number of the student or group on the platform; empty where there is none.
        name: The name of the student or group on the platform.
        prefix: How the names of this student's files begin.
        between: What stands between the prefix and a file's own name.
        path: The file's own name.
        attempt: How often it was handed in again.
        when: The file's time in the download, which tells downloads apart.
        late: Whether the name says that it is late.
        source: The function that reads the file's bytes.
    """

    lms: str
    user: str
    name: str
    prefix: str
    between: str
    path: str
    attempt: int
    when: datetime
    late: bool
    source: Any


def read(
    download: Path,
    needed: set[str],
    strange: dict[str, str],
    is_known: Callable[[str, str], bool],
) -> Iterator[File]:
    """Yields a download's files; files that are no student's go into `strange`.

    Args:
        download: The zip as it was downloaded, or a folder with what it holds.
        needed: The files that are asked for.
        strange: By name, why a file is left out, is added here.
        is_known: Tells whether a name and a number are one student's.

    Raises:
        Misconfigured: When the download cannot be used.
    """
    entries = list(_entries(download, strange))
    senders = {
        (known[1]["name"], known[1]["user"])
        for name, *_ in entries
        if (known := parse(name, needed, is_known)) and _own(known[1]["file"], needed)[0] in needed
    }
    for name, when, source in entries:
        known = parse(name, needed, lambda *who: who in senders or is_known(*who))
        if known is None or (known[0] == "canvas" and ANONYMOUS.fullmatch(name)):
            strange[name] = (
                "Canvas hides whose it is while an assignment is graded anonymously."
                if ANONYMOUS.fullmatch(name)
                else "It is no file that was handed in, but text that was typed into Moodle; read"
                " it there."
                if TYPED.fullmatch(name)
                else "It is no file that was handed in, but text or a link that was typed into"
                " Canvas; read it there."
                if CANVAS_TYPED.fullmatch(name)
                else "It is named neither as Moodle nor as Canvas names submissions."
            )
            continue
        lms, match = known
        path = match["file"].strip("/") or PurePosixPath(name).name
        own, times = _own(path, needed) if lms == "canvas" else (path, 0)
        # In another file's name, the number may be its own (see `latest`).
        path, times = (own, times) if is_notebook(own) or is_zip(own) else (path, 0)
        parts = path.split("/")
        if (
            not path
            or path.startswith((".", "/"))
            or ".." in parts
            or "\\" in path
            or any(len(os.fsencode(part)) > MAX_NAME for part in parts)
        ):
            strange[name] = "It has a name that is none, or too long for a file here."
            continue
        late = lms == "canvas" and bool(match["late"])
        prefix, between = match["prefix"], match["between"] or "/"
        user, theirs = match["user"] or "", match["name"]
        yield File(lms, user, theirs, prefix, between, path, times, when, late, source)


def parse(
    name: str,
    needed: Set[str] = frozenset(),
    is_known: Callable[[str, str], bool] = lambda name, user: False,
) -> tuple[str, dict[str, str]] | None:
    """Takes a file's name apart: the platform and the parts, or None where it fits neither.

    On Canvas, a group may be called `team_1`, and a file `5_set.ipynb`. If a name can be read in
    several ways, the one with a known sender counts, else one with a needed file, else the first.
    """
    parts = name.split("/")
    for start in range(len(parts)):  # a folder around all of it
        rest = "/".join(parts[start:])
        if match := MOODLE.fullmatch(rest):
            return "moodle", match.groupdict()
        ways = [
            {
                "name": rest[: at.start()],
                "prefix": rest[: match.start("between")],
                **match.groupdict(),
            }
            for at in re.finditer("(?<=[^/])_", rest)
            if (match := CANVAS.fullmatch(rest, at.end())) and "/" not in rest
        ]
        for way in ways:
            if is_known(way["name"], way["user"]):
                return "canvas", way
        for way in ways:
            if _own(way["file"], needed)[0] in needed:
                return "canvas", way
        if ways:
            return "canvas", ways[0]
    return None


def _own(path: str, needed: Set[str]) -> tuple[str, int]:
    """A file's name without Canvas's count of times that it was handed in again, and the count."""
    found = AGAIN.fullmatch(path)
    if path in needed or not found or not found["times"]:
        return path, 0
    return f"{found['stem']}{found['ending'] or ''}", int(found["times"])


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
                # Local time, as in a zip: programs that unpack one take its times for local.
                yield name, datetime.fromtimestamp(path.stat().st_mtime), path.read_bytes
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
        name = name_of(entry)
        if entry.is_dir() or _litter(name):
            continue
        if entry.file_size > MAX_FILE or entry.flag_bits & 1:
            strange[name] = "It is encrypted, or larger than is read."
            continue
        yield name, _time_of(entry), lambda entry=entry: archive.read(entry)


def _time_of(entry: zipfile.ZipInfo) -> datetime:
    """When a file of a zip was written; where that is no time, 1980-01-01, a zip's first day."""
    *minutes, second = entry.date_time
    try:
        return datetime(*minutes, min(second, 59))
    except ValueError:
        return datetime(1980, 1, 1)


def _litter(name: str) -> bool:
    return any(map(is_litter, name.split("/")))


def latest(files: list[File], needed: set[str]) -> tuple[list[File], list[str]]:
    """The last version of each of a student's files, needed ones first; and notes on them.

    On Canvas, a picture's or a table's number may be its own, as in `fig-2.png`, or Canvas's, so
    the file has both names. The one without takes another file's place only where a notebook or a
    zip was handed in again as often.
    """
    handed_in, there = len(files), {file.path for file in files}
    often = {file.attempt for file in files} - {0}
    plain = [_again(file, needed) for file in files if file.lms == "canvas" and not file.attempt]
    files = [*files, *(each for each in plain if each.path not in there or each.attempt in often)]
    chosen: dict[str, File] = {}
    for file in sorted(files, key=lambda file: (file.attempt, file.when, file.prefix)):
        chosen[file.path] = file
    notes = []
    again = handed_in - len({id(file.source) for file in chosen.values()})
    if again:
        notes.append(f"{again} older {'version' if again == 1 else 'versions'} left out.")
    if not any(is_notebook(name) or is_zip(name) for name in chosen):
        notes.append(f"There is no notebook in it, but {', '.join(sorted(chosen))}.")
    first = sorted(chosen.values(), key=lambda file: (file.path not in needed, file.path))
    return first, notes


def _again(file: File, needed: set[str]) -> File:
    """A file under its name without what may be Canvas's number."""
    own, times = _own(file.path, needed)
    return replace(file, path=own, attempt=times)


def known_of(root: Path, assignment: str) -> dict[str, list[str]]:
    """By student who handed in on a platform, lms, prefix, when and between of the last files.

    Raises:
        Misconfigured: When the file that holds this is damaged.
    """
    path = root / FOLDER / f"{assignment}.json"
    if not path.is_file():
        return {}
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise Misconfigured(
            f"{path} is damaged. Remove it, and take the last download in again, which makes it."
        ) from None


def sender(lms: str, prefix: str) -> tuple[str, str]:
    """Platform and number of whoever's files have this prefix."""
    known = parse(f"{prefix}_x", {"x"})
    return lms, (known[1]["user"] or "") if known else ""
