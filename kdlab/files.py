"""Paths as users write them."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["as_path", "check_folder", "check_writable"]


def as_path(value: object, name: str = "the path") -> Path:
    """A path from text, bytes or a path; a ``~`` at its beginning is the home folder.

    A shell puts the home folder there, but not in ``--out=~/run``, and Python never does.

    Raises:
        ValueError: it is something else, is empty, or names a home folder that is not there.

    >>> as_path(b"runs/first") == Path("runs/first")
    True
    """
    if not isinstance(value, str | bytes | os.PathLike):
        raise ValueError(f"{name} must be a path, got {type(value).__name__} {value!r:.80}")
    text = os.fsdecode(value)
    if not text:  # an unset variable of a shell, which would be the working folder
        raise ValueError(f'{name} must be a path, got nothing; "." is the working folder')
    if "\0" in text:
        raise ValueError(f"{name} must be a path, got {text!r:.80}, which no file can be called")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError(f"{name} is {text!r}, and there is no such home folder") from None


def check_folder(path: Path) -> None:
    """Raise ValueError if no folder of a run can be here.

    A file may have its name, or that of a parent; or the name is no UTF-8, which what writes
    weights needs.

    >>> check_folder(Path("a folder that is not there yet"))
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"{str(path)!r} is no path in UTF-8; choose another, or, in the locale C, set "
            "PYTHONUTF8=1"
        ) from None
    there = next((each for each in (path, *path.parents) if each.exists()), path)
    if there.exists() and not there.is_dir():
        raise ValueError(f"{there} is a file; a run needs a folder for all that it writes")


def check_writable(path: Path) -> None:
    """Raise ValueError if no folder can be written to here, or be made.

    >>> check_writable(Path("a folder that is not there yet"))
    """
    there = next(each for each in (path, *path.absolute().parents) if each.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        raise ValueError(f"{there} cannot be written to; choose another folder")
