"""The files of a submission, read without trusting them: no links, no pipes, and only so much."""

from __future__ import annotations

import hashlib
import json
import mimetypes
import os
import re
import stat
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path

MAX_FILES = 500
MAX_WALK = 50_000  # files that are looked at
MAX_DEPTH = 8  # of nested folders
MAX_NOTEBOOK = 200 * 2**20  # bytes of a notebook with its outputs, which are dropped
SCRATCH = 64 * 2**20  # bytes of files that a notebook finds beside it
MAX_NAMED = 20  # of the files that are left out

# What systems and programs leave in folders. None of it is a student's work.
LITTER = ("__MACOSX", "._*", ".DS_Store", "Thumbs.db", "desktop.ini", ".git", ".svn", ".venv")
LITTER += ("__pycache__", ".ipynb_checkpoints", ".mypy_cache", ".pytest_cache", ".idea", ".vscode")

# Files that a browser would run when an instructor follows a link to them in formgrader.
ACTIVE = re.compile(r"html|xml|svg|javascript|ecmascript|flash|pdf", re.IGNORECASE)


class Unfit(Exception):
    """A submission that cannot be graded; the message says why.

    Args:
        digest: SHA-256 of what was handed in, where it could be read.
        repairs: What had been put right before.
    """

    digest = ""
    repairs: tuple[str, ...] = ()


def is_shown(name: str) -> bool:
    """Whether a file may lie where formgrader shows it; a notebook finds all others as well."""
    return not ACTIVE.search(mimetypes.guess_type(name)[0] or "")


def read_files(
    root: Path, needed: set[str], ignore: tuple[str, ...], room: int, repairs: list[str]
) -> dict[str, bytes]:
    """Reads a submission's files.

    Args:
        root: The folder that was handed in.
        needed: The names of the notebooks that are graded.
        ignore: Patterns of names that are not part of a submission.
        room: Bytes of all other files together. Smaller files come first.
        repairs: What was left out, and why, is added here.

    Raises:
        Unfit: When a file without which nothing can be graded is left out.
    """
    files, left_out, sizes = {}, {}, {}
    for name in _walk(root, "", ignore, 0, left_out):
        if len(sizes) > MAX_WALK:
            raise Unfit(f"It holds more than {MAX_WALK} files.")
        try:
            sizes[name] = (root / name).lstat().st_size
        except OSError:
            left_out[name] = "it cannot be read"
    chosen = (*needed, "timestamp.txt")
    for name in sorted(sizes, key=lambda name: (name not in chosen, sizes[name], name)):
        most = MAX_NOTEBOOK if name.endswith(".ipynb") else room
        if name not in chosen and len(files) >= MAX_FILES:
            left_out[name] = f"a submission has {MAX_FILES} files at most"
            continue
        problem, raw = _read(root, name, most)
        if problem and name in chosen:
            raise Unfit(f"{name} {problem}.")
        if problem:
            left_out[name] = f"it {problem}"
            continue
        if name not in chosen:
            room -= len(raw)
        files[name] = raw
    for name in sorted(left_out)[:MAX_NAMED]:
        repairs.append(f"Left out {name!r}: {left_out[name]}.")
    if len(left_out) > MAX_NAMED:
        repairs.append(f"Left out {len(left_out) - MAX_NAMED} more files.")
    return files


def _walk(
    root: Path, folder: str, ignore: tuple[str, ...], depth: int, left_out: dict[str, str]
) -> Iterator[str]:
    try:
        entries = sorted(os.scandir(root / folder), key=lambda entry: entry.name)
    except OSError as error:
        if not folder:
            raise Unfit(f"{root.name} cannot be read: {error.strerror}.") from None
        left_out[folder] = f"it cannot be read: {error.strerror}"
        return
    for entry in entries:
        name = f"{folder}{entry.name}"
        if any(fnmatch(entry.name, pattern) for pattern in ignore):
            continue
        if any(fnmatch(entry.name, pattern) for pattern in LITTER):
            left_out[name] = "it is a program's, not part of the work"
        elif not entry.is_dir(follow_symlinks=False):
            yield name
        elif depth >= MAX_DEPTH:
            left_out[name] = f"folders are nested deeper than {MAX_DEPTH}"
        else:
            yield from _walk(root, f"{name}/", ignore, depth + 1, left_out)


def _read(root: Path, name: str, most: int) -> tuple[str | None, bytes]:
    """Reads a file without following links or waiting for pipes; or says what is wrong with it."""
    if not name.isprintable() or "\\" in name:
        return "has a name that some systems read as another", b""
    try:
        handle = os.open(root / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        linked = (root / name).is_symlink()
        return ("is a symbolic link" if linked else "cannot be read"), b""
    with open(handle, "rb") as stream:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            return "is not a regular file", b""
        if found.st_size > most:
            limit = "MAX_NOTEBOOK" if name.endswith(".ipynb") else "c.Sandbox.scratch_mb"
            return f"is too large: {found.st_size} bytes, and {limit} leaves {most}", b""
        return None, stream.read(most)


def digest(files: Mapping[str, bytes]) -> str:
    """SHA-256 of names and contents."""
    whole = hashlib.sha256()
    for name in sorted(files):
        whole.update(json.dumps([name, len(files[name])]).encode())
        whole.update(files[name])
    return whole.hexdigest()
