"""The files of a submission, read without trusting them: no links, no pipes, limited sizes."""

from __future__ import annotations

import codecs
import hashlib
import json
import mimetypes
import os
import re
import stat
import unicodedata
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from autograder.grading.wording import Plain

STAMP = "timestamp.txt"  # says when a submission was handed in
MAX_FILES = 500
MAX_WALK = 50_000  # files and folders that are looked at
MAX_DEPTH = 8  # of nested folders
MAX_NOTEBOOK = 200 * 2**20  # bytes of a notebook with its outputs, which are dropped
MAX_TIMESTAMP = 1000  # bytes
SCRATCH = 64 * 2**20  # bytes; scratch space of a notebook, which files beside it share
MAX_NAMED = 20  # files left out that are named
MAX_SHOWN = 300  # letters of such a name
PAGE = 4096  # bytes; a file in memory takes whole pages

# What a name must not have: controls, bytes that are no text, letters of private use, ends of
# lines, and what reverses the letters that follow. Any space, joiner or new emoji may be in it.
REFUSED = frozenset(("Cc", "Cs", "Co", "Zl", "Zp"))  # categories of Unicode
REVERSING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
MISREAD = "has a name that some systems read as another"

# How a notebook's name may end, after a browser or Windows has changed it.
NOTEBOOK = re.compile(r"\.ipynb(\.txt|\.json)?$", re.IGNORECASE)
MARKS = {  # byte order marks, longer ones first: one begins like a shorter one
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}

# What systems and programs leave in folders. None of it is a student's work.
LITTER = ("__MACOSX", "._*", ".DS_Store", "Thumbs.db", "desktop.ini", ".git", ".svn", ".venv")
LITTER += ("__pycache__", ".ipynb_checkpoints", ".mypy_cache", ".pytest_cache", ".idea", ".vscode")

# Types of files that a browser would run when an instructor follows a link in formgrader.
ACTIVE = re.compile(r"html|xml|svg|javascript|ecmascript|flash|pdf", re.IGNORECASE)


class Unfit(Plain):
    """A submission that cannot be graded; the message says why.

    Args:
        digest: SHA-256 of what was handed in, where it could be read.
        repairs: What had been put right before that was found.
    """

    digest = ""
    repairs: tuple[str, ...] = ()


def is_shown(name: str) -> bool:
    """Whether a file may lie where formgrader shows it; a notebook that runs finds all files."""
    return not ACTIVE.search(mimetypes.guess_type(name)[0] or "")


def is_litter(name: str) -> bool:
    """Whether a file or a folder was left by a program or a system, and is no work."""
    return any(fnmatch(name, pattern) for pattern in LITTER)


def read_files(
    root: Path, needed: set[str], ignore: tuple[str, ...], room: int, repairs: list[str]
) -> dict[str, bytes]:
    """Reads a submission's files.

    Args:
        root: The folder that was handed in.
        needed: The names of the notebooks that are graded.
        ignore: Patterns of names that are not part of a submission.
        room: Bytes of scratch space; all other files together may fill what is `usable` of it.
            Smaller files come first.
        repairs: What was left out, and why, is added here.

    Returns:
        Contents by name. If a graded notebook is missing or empty, other notebooks may exceed the
        room, because it may be one of them; `fit` leaves out what is then too much.

    Raises:
        Unfit: When the folder cannot be read, or a graded notebook or timestamp.txt cannot be read
            or is too large.
    """
    files, left_out = {}, {}
    chosen = [name for name in (*sorted(needed), STAMP) if os.path.lexists(root / name)]
    try:
        names = list(_walk(root, ignore, left_out))
    except _TooMany:
        names, left_out = [], {"all else": f"there is more than {MAX_WALK} of it"}
    sizes = {}
    for name in {*names, *chosen}:
        try:
            sizes[name] = (root / name).lstat().st_size
        except OSError:
            left_out[name] = "it cannot be read"
    lost = not all(sizes.get(name) for name in needed)  # one is missing, or empty
    found = {name for name in sizes if lost and is_notebook(name)}  # it may be one of these
    candidates, room = MAX_NOTEBOOK, usable(room)
    order = lambda name: (name not in chosen, name not in found, sizes[name], name)  # noqa: E731
    for name in sorted(sizes, key=order):
        most, limit = room, "c.Sandbox.scratch_mb"
        if name == STAMP:
            most, limit = MAX_TIMESTAMP, "MAX_TIMESTAMP"
        elif name in needed:
            most, limit = MAX_NOTEBOOK, "MAX_NOTEBOOK"
        elif len(files) >= MAX_FILES:
            left_out[name] = f"a submission has {MAX_FILES} files at most"
            continue
        elif name in found:
            most, limit = candidates, "MAX_NOTEBOOK"
        problem, raw = _read(root, name, most, limit)
        if problem and name in chosen:
            raise Unfit(f"{name} {problem}.")
        if problem:
            left_out[name] = f"it {problem}"
            continue
        files[name] = raw
        if name in found:
            candidates -= len(raw)
        elif name not in chosen:
            room -= taken(raw)
    say_left_out(left_out, repairs)
    return files


def fit(files: dict[str, bytes], needed: set[str], room: int, repairs: list[str]) -> None:
    """Leaves out ungraded notebooks, the largest first, until all files fit into the room.

    Args:
        files: What `read_files` returned.
        needed: The names of the notebooks that are graded.
        room: As in `read_files`.
        repairs: What was left out, and why, is added here.
    """
    left_out, beside = {}, {name: taken(raw) for name, raw in files.items() if name not in needed}
    free = usable(room) - sum(beside.values())
    for name in sorted(filter(is_notebook, beside), key=lambda name: -beside[name]):
        if free < 0:
            left_out[name] = f"it is too large: {len(files.pop(name))} bytes"
            free += beside[name]
    say_left_out(left_out, repairs)


def part(files: dict[str, bytes], needed: set[str], repairs: list[str]) -> None:
    """Leaves out what no disk can hold: a file and a folder of the same name, as from a zip.

    Args:
        files: Contents by name; changed in place. Of the two, the file goes.
        needed: The names of the notebooks that are graded; they and timestamp.txt are no folders.
        repairs: What was left out, and why, is added here.
    """
    left_out = {}
    for name in files:
        for folder in map(str, PurePosixPath(name).parents):
            if folder in needed or folder == STAMP:
                left_out[name] = f"no folder can be called {folder}"
            elif folder in files:
                left_out[folder] = "a folder has this name too"
    for name in left_out:
        del files[name]
    say_left_out(left_out, repairs)


def is_misread(name: str) -> bool:
    """Whether some systems read a name as another, or show it as one."""
    return "\\" in name or any(
        each in REVERSING or unicodedata.category(each) in REFUSED for each in name
    )


def is_notebook(name: str) -> bool:
    """Whether a file's name ends like a notebook's, even if a browser or Windows changed it."""
    return bool(NOTEBOOK.search(name))


def is_zip(name: str) -> bool:
    """Whether a file's name ends in .zip."""
    return name.lower().endswith(".zip")


def read_text(raw: bytes) -> tuple[str, str]:
    """A file's text in any common encoding, and what was done to read it; often empty.

    Raises:
        UnicodeDecodeError: When the file is no text.
    """
    done, encoding = "", next((MARKS[mark] for mark in MARKS if raw.startswith(mark)), None)
    if encoding:
        text, done = raw.decode(encoding), f"brought from {encoding.upper()} to UTF-8"
    else:
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text, done = raw.decode("cp1252"), "brought from Windows-1252 to UTF-8"
    if text.startswith("\ufeff"):
        text, done = text.removeprefix("\ufeff"), "removed a byte order mark"
    return text.rstrip("\0\x1a \t\r\n"), done  # a full disk leaves zeros, old Windows its end mark


def usable(room: int) -> int:
    """The part of a notebook's scratch space that files may fill; its code has the rest."""
    return room - room // 16


def taken(raw: bytes) -> int:
    """Bytes that a file takes, in whole pages."""
    return -(-len(raw) // PAGE) * PAGE


def say_left_out(left_out: Mapping[str, str], repairs: list[str]) -> None:
    """Adds to `repairs` what was left out, by name, and why; `MAX_NAMED` files are named."""
    for name in sorted(left_out)[:MAX_NAMED]:
        repairs.append(f"Left out {name[:MAX_SHOWN]!r}: {left_out[name]}.")
    if len(left_out) > MAX_NAMED:
        repairs.append(f"Left out and not named here: {len(left_out) - MAX_NAMED} more.")


class _TooMany(Exception):
    pass


def _walk(root: Path, ignore: tuple[str, ...], left_out: dict[str, str]) -> Iterator[str]:
    """Yields the names of files; litter and what lies too deep goes into `left_out` instead.

    Raises:
        Unfit: When the folder cannot be read.
        _TooMany: When the folder holds more than `MAX_WALK` files and folders.
    """
    waiting, looked = [("", 0)], 0
    while waiting:
        folder, depth = waiting.pop()
        try:
            with os.scandir(root / folder) as there:
                entries = list(islice(there, MAX_WALK + 1 - looked))
        except OSError as error:
            if not folder:
                raise Unfit(f"{root.name} cannot be read: {error.strerror}.") from None
            left_out[folder] = f"it cannot be read: {error.strerror}"
            continue
        looked += len(entries)
        if looked > MAX_WALK:
            raise _TooMany
        for entry in entries:
            name = f"{folder}{entry.name}"
            if any(fnmatch(entry.name, pattern) for pattern in ignore):
                continue
            if is_litter(entry.name):
                left_out[name] = "it is a program's, not part of the work"
            elif not entry.is_dir(follow_symlinks=False):
                yield name
            elif depth >= MAX_DEPTH:
                left_out[name] = f"folders are nested deeper than {MAX_DEPTH}"
            else:
                waiting.append((f"{name}/", depth + 1))


def _read(root: Path, name: str, most: int, limit: str) -> tuple[str | None, bytes]:
    """What is wrong with a file, or None, and its bytes; follows no link and waits for no pipe."""
    if is_misread(name):
        return MISREAD, b""
    try:
        with open_plain(root / name) as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > most:
                return f"is too large: {size} bytes, and {limit} leaves {most}", b""
            return None, stream.read(most)
    except NotRegular:
        return "is not a regular file", b""
    except OSError:
        linked = (root / name).is_symlink()
        return ("is a symbolic link" if linked else "cannot be read"), b""


class NotRegular(OSError):
    """A folder, a pipe or a device where a file should be."""


def open_plain(path: str | Path, folder: int | None = None) -> BinaryIO:
    """Opens a regular file for reading, without following a link or waiting for a pipe.

    Args:
        path: The file.
        folder: The descriptor of the folder of a relative path; None for the current folder.

    Raises:
        NotRegular: When the path is no regular file.
        OSError: When the file cannot be opened, or is a link.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise NotRegular(f"{path} is not a regular file")
    return open(handle, "rb")


def digest(files: Mapping[str, bytes]) -> str:
    """SHA-256 of names and contents."""
    whole = hashlib.sha256()
    for name in sorted(files):
        whole.update(json.dumps([name, len(files[name])]).encode())
        whole.update(files[name])
    return whole.hexdigest()
