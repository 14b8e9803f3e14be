"""Paths as users write them, and files that are written whole or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError


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


def slug(name: str) -> str:
    """A name as a file or a folder can have it: letters and digits of any alphabet, and dots.

    >>> slug("λ = 1/2: why?")
    'λ-1-2-why'
    """
    return re.sub(r"[^\w.]+", "-", name).strip("-")


def cache_dir() -> Path:
    """Where corpora, tokenizers and teachers are kept: ``$KDLAB_CACHE``, or ``~/.cache/kdlab``.

    Raises:
        OSError: there is neither of them, nor a home folder.
    """
    if folder := os.environ.get("KDLAB_CACHE"):
        return as_path(folder)
    if folder := os.environ.get("XDG_CACHE_HOME"):
        return as_path(folder) / "kdlab"
    try:
        return Path.home() / ".cache" / "kdlab"
    except RuntimeError:
        raise OSError(
            "you have no home folder to keep corpora and teachers in; set KDLAB_CACHE to a folder "
            "of your own"
        ) from None


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise OSError, which names the file, where a format's own writer says that a disk is full."""
    try:
        with named(path):
            yield
    except (RuntimeError, SafetensorError) as error:
        raise OSError(f"{path} could not be written; is the disk full? {error}") from error


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Put the file's name into an OSError that has none: Python's own has it only where it opens.

    >>> with named(Path("metrics.jsonl")):
    ...     raise OSError(28, "No space left on device")
    Traceback (most recent call last):
    OSError: [Errno 28] No space left on device: 'metrics.jsonl'
    """
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def whole_or_not_at_all(path: Path) -> Iterator[Path]:
    """A file to write to; it gets its name when all is written, however this process ends.

    Raises:
        OSError: it cannot be written; of the cache, the error says how to have it elsewhere.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.touch()
    except OSError as error:
        if not path.is_relative_to(cache_dir()):
            raise
        raise type(error)(
            f"cannot write to {path.parent}: {error.strerror}; set KDLAB_CACHE to a folder of your "
            "own"
        ) from error
    try:
        with named(path):
            yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)  # on a full disk, it would keep what room there is


def write_atomically(path: Path, text: str) -> None:
    """Write a text file that others see whole or not at all."""
    with whole_or_not_at_all(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")
