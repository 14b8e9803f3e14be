"""A submission that is a zip: its notebook is looked for inside where there is none beside it."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator, MutableMapping
from contextlib import suppress
from pathlib import PurePath

from autograder.grading.submissions.files import (
    MAX_FILES,
    MAX_NOTEBOOK,
    STAMP,
    is_litter,
    is_notebook,
    taken,
    usable,
)

SAYS_UTF8 = 0x800
OF_DOS = 0  # what a zip calls the system of Windows
HEAD = b"PK\x01\x02"  # of each file in a zip's list
PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others may ask for gigabytes to be unpacked
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError)
DAMAGED += (ValueError, IndexError, LookupError)


def unpack(name: str, files: MutableMapping[str, bytes], room: int, repairs: list[str]) -> None:
    """Puts what a zip holds in its place, if there is a notebook in it.

    A notebook that has the name of one beside the zip goes into a folder of the zip's name.

    Args:
        name: The zip's.
        files: What was handed in, by name.
        room: Bytes that files other than notebooks may have.
        repairs: What was done, or why it could not be, is added here.
    """
    try:
        inside = dict(_entries(files[name]))
    except DAMAGED:  # a stranger's file
        repairs.append(f"{name!r} cannot be unpacked: it is damaged, encrypted or too large.")
        return
    if not any(map(is_notebook, inside)):
        return
    del files[name]
    repairs.append(f"Unpacked {name!r}.")
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
    try:
        return [name for name, _ in _entries(raw)]
    except DAMAGED:  # a stranger's file
        return []


def name_of(entry: zipfile.ZipInfo) -> str:
    """A file's name in a zip; many systems write UTF-8 and do not say so.

    Windows PowerShell 5 writes backslashes between folders.
    """
    name = entry.filename
    if not entry.flag_bits & SAYS_UTF8:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode()
    return name.replace("\\", "/") if entry.create_system == OF_DOS else name


def _entries(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """The files of a zip, by names that lead nowhere else.

    Raises:
        ValueError: When it holds more than a submission may.
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
            if not name.isprintable() or "\\" in name:
                raise ValueError
            with archive.open(entry) as stream:
                content = stream.read(room + 1)  # whatever its list says
            if len(content) > room:
                raise ValueError
            room -= len(content)
            yield name, content
