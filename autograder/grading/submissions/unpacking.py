"""Submissions that hold a zip: it is unpacked where no notebook beside it was worked on."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Iterator, MutableMapping
from contextlib import suppress
from pathlib import PurePath

from autograder.grading.submissions.files import (
    MAX_FILES,
    MAX_NOTEBOOK,
    MISREAD,
    STAMP,
    is_litter,
    is_misread,
    is_notebook,
    say_left_out,
    taken,
    usable,
)

SAYS_UTF8 = 0x800
OF_DOS = 0  # a zip's code for a file from DOS or Windows
MAX_PART = 255  # bytes of a file's or a folder's name on a disk
MAX_FOLDERS = 12  # of nested folders; a zip may hold the folders of a whole path
HEAD = b"PK\x01\x02"  # begins each entry of a zip's directory
PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others may need gigabytes to be unpacked
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError)
DAMAGED += (ValueError, IndexError, LookupError)


def unpack(name: str, files: MutableMapping[str, bytes], room: int, repairs: list[str]) -> None:
    """Replaces a zip with the files in it, if one of them is a notebook.

    Where a name is taken by a file beside the zip, a notebook goes into a folder named after the
    zip, and any other file is dropped.

    Args:
        name: The zip's name.
        files: What was handed in, by name; changed in place.
        room: Bytes of scratch space; notebooks from the zip do not count.
        repairs: What was done, or why it could not be, is added here.
    """
    left_out: dict[str, str] = {}
    try:
        inside = dict(_entries(files[name], left_out))
    except DAMAGED:  # a stranger's file
        repairs.append(f"{name!r} cannot be unpacked: it is damaged, encrypted or too large.")
        return
    if not any(map(is_notebook, inside)):
        lost = {each: left_out[each] for each in left_out if is_notebook(each)}
        say_left_out(lost, repairs)
        return
    del files[name]
    repairs.append(f"Unpacked {name!r}.")
    say_left_out(left_out, repairs)
    free = usable(room) - sum(map(taken, files.values()))
    for path in sorted(inside, key=lambda path: (not is_notebook(path), len(inside[path]))):
        raw = inside[path]
        if not is_notebook(path) and (free := free - taken(raw)) < 0:
            repairs.append(f"Left out {path!r} and what is larger: there is no room for it.")
            break
        if path in files and is_notebook(path):
            path = f"{PurePath(name).stem}/{path}"
        files.setdefault(path, raw)


def entries_of(raw: bytes) -> list[str]:
    """The names of a zip's files; none where it cannot be unpacked."""
    left_out: dict[str, str] = {}
    try:
        return [name for name, _ in _entries(raw, left_out)] + list(left_out)
    except DAMAGED:  # a stranger's file
        return []


def name_of(entry: zipfile.ZipInfo) -> str:
    """A file's name in a zip; many systems write UTF-8 and do not say so.

    Backslashes become slashes in zips from Windows, where PowerShell 5 writes them.
    """
    name = entry.filename
    if not entry.flag_bits & SAYS_UTF8:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode()
    return name.replace("\\", "/") if entry.create_system == OF_DOS else name


def _entries(raw: bytes, left_out: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    """Yields a zip's files, but no litter and no timestamp.txt.

    Files whose names no disk can hold, or that some systems read as others, go into `left_out`.

    Raises:
        ValueError: When its size, a path or a compression is not allowed.
    """
    if raw.count(HEAD) > 2 * MAX_FILES:
        raise ValueError
    room = MAX_NOTEBOOK
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        for entry in archive.infolist():
            name = name_of(entry)
            parts = name.split("/")
            # Only the platform or the exchange says when something was handed in.
            if entry.is_dir() or any(map(is_litter, parts)) or parts[-1] == STAMP:
                continue
            if entry.compress_type not in PLAIN or not {"", ".", ".."}.isdisjoint(parts):
                raise ValueError
            if is_misread(name):
                left_out[name] = f"it {MISREAD}"
                continue
            if len(parts) > MAX_FOLDERS + 1:
                left_out[name] = f"folders are nested deeper than {MAX_FOLDERS}"
                continue
            if any(len(os.fsencode(each)) > MAX_PART for each in parts):
                left_out[name] = f"a part of its name has more than {MAX_PART} bytes"
                continue
            with archive.open(entry) as stream:
                content = stream.read(room + 1)  # whatever size its directory says
            if len(content) > room:
                raise ValueError
            room -= len(content)
            yield name, content
