"""A file of JSON lines, row by row; for any other file, an error that says what it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

KINDS = {
    b"PAR1": ("Parquet", ".parquet"),
    b"ARROW1": ("Arrow", ".arrow"),
    b"\xff\xff\xff\xff": ("Arrow", ".arrow"),
    b"\x1f\x8b": ("compressed", ".jsonl.gz"),
    b"BZh": ("compressed", ".jsonl.bz2"),
    b"\xfd7zXZ": ("compressed", ".jsonl.xz"),
    b"\x28\xb5\x2f\xfd": ("compressed", ".jsonl.zst"),
    b"PK\x03\x04": ("compressed", ".jsonl.zip"),
    b"[": ("one array of JSON", ".json"),
}
"""First bytes of other kinds of files; each kind, and the ending with which ``hf:`` reads it."""


def json_rows(path: Path) -> Iterator[tuple[str, Any]]:
    """For each row, the file and line for error messages, and the row; empty lines are skipped.

    Raises:
        ValueError: a line is not JSON; or the file is of another kind, or has no rows.
    """
    found = False
    with path.open("rb") as lines:
        _check_kind(path, lines.read(64))
        lines.seek(0)
        for number, raw in enumerate(lines, 1):
            where = f"{path}, line {number}"
            try:
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
                row = json.loads(line or "{}")
            except UnicodeDecodeError as error:
                raise ValueError(f"{where}: it is not UTF-8 text: {error.reason}") from None
            except RecursionError:
                raise ValueError(f"{where}: its lists or objects are too deep to be read") from None
            except json.JSONDecodeError as error:
                raise ValueError(
                    f"{where}: it is no JSON: {error.msg} at column {error.colno}; a file of JSON "
                    "lines has one object a line"
                ) from None
            except ValueError as error:  # such as a number of thousands of digits
                raise ValueError(f"{where}: it cannot be read: {error}") from None
            if line:
                found = True
                yield where, row
    if not found:
        raise ValueError(f"{path} has no conversations: it is empty")


def _check_kind(path: Path, begins: bytes) -> None:
    """Raise ValueError if a file is of another kind; the message says how ``hf:`` reads it."""
    text = begins.lstrip(b"\xef\xbb\xbf \r\n\t")
    kind = next((KINDS[mark] for mark in KINDS if text.startswith(mark)), None)
    if path.suffix.lower() in (".csv", ".tsv"):
        kind = ("a table of text", ".csv")
    if kind is not None:
        what, ending = kind
        raise ValueError(
            f"{path} is {what}, not JSON lines; hf:{path} reads it, if its name ends in {ending}"
        )
