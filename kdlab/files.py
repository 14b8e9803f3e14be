"""Paths as users write them, and files that are written whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError


def as_path(value: object, name: str = "the path") -> Path:
    """A path from text, bytes or a path; a ``~`` at its beginning is the home folder.

    A shell replaces the ``~`` itself, but not in ``--out=~/run``; Python never does.

    Raises:
        ValueError: the value is something else, is empty, holds a null character, or needs a home
            folder that cannot be found.

    >>> as_path(b"runs/first") == Path("runs/first")
    True
    """
    if not isinstance(value, str | bytes | os.PathLike):
        raise ValueError(f"{name} must be a path, got {type(value).__name__} {value!r:.80}")
    text = os.fsdecode(value)
    if not text:  # as of an unset shell variable; Path("") would be the working folder
        raise ValueError(f'{name} must be a path, got nothing; "." is the working folder')
    if "\0" in text:
        raise ValueError(f"{name} must be a path, got {text!r:.80}, which no file can be called")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError(f"{name} is {text!r}, and there is no such home folder") from None


def check_folder(path: Path) -> None:
    """Raise ValueError if a path cannot be the folder of a run.

    That is so if the path or one of its parents is a file, or if the path is not UTF-8, which the
    writers of weights need.

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
    """Raise ValueError if a folder cannot be written to, or cannot be made where there is none.

    >>> check_writable(Path("a folder that is not there yet"))
    """
    there = next(each for each in (path, *path.absolute().parents) if each.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        raise ValueError(f"{there} cannot be written to; choose another folder")


def slug(name: str) -> str:
    """A name as a file may have it: letters, digits, ``_`` and ``.`` stay; the rest becomes ``-``.

    >>> slug("λ = 1/2: why?")
    'λ-1-2-why'
    """
    return re.sub(r"[^\w.]+", "-", name).strip("-")


def cache_dir() -> Path:
    """Where corpora, tokenizers and teachers are kept: ``$KDLAB_CACHE``, or ``~/.cache/kdlab``.

    If ``$XDG_CACHE_HOME`` is set, it takes the place of ``~/.cache``.

    Raises:
        OSError: neither variable is set, and there is no home folder.
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
    """Turn an error of a format's own writer, as of a full disk, into an OSError with the path."""
    try:
        with named(path):
            yield
    except (RuntimeError, SafetensorError) as error:
        raise OSError(f"{path} could not be written; is the disk full? {error}") from error


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Put the file's name into an OSError without one: Python adds it only when it opens a file.

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


def parted(name: str) -> tuple[str, str]:
    """A data set's name at the hub, or its path, and the split after the last ``@``, if any.

    >>> parted("me@home/owls.jsonl@train"), parted("me@home/owls.jsonl")
    (('me@home/owls.jsonl', 'train'), ('me@home/owls.jsonl', ''))
    """
    found = re.fullmatch(r"(.*)@([^@/\\]*)", name)
    return (found[1], found[2]) if found else (name, "")


@contextmanager
def whole_or_not_at_all(path: Path) -> Iterator[Path]:
    """A temporary file to write to; it is renamed to ``path`` only when all is written.

    Raises:
        OSError: the file cannot be written; if it is in the cache, the error says how to move that.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}")  # each writer has its own
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
        partial.unlink(missing_ok=True)  # if it failed: on a full disk, it would fill the last room


def write_atomically(path: Path, text: str) -> None:
    """Write a text file that others see whole or not at all."""
    with whole_or_not_at_all(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")
