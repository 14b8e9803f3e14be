"""Names, numbers and errors as people read them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

MAX_WORDS = 500  # characters of an error's text
FORMULA = "=+-@|%＝＋－＠"  # how formulas and commands begin
OURS = re.compile(r"/[^\s'\"]*/autograder-[^\s'\",;:)]*")  # paths in our temporary folders


class Plain(Exception):
    """An error that is shown by its message, without its class."""


def is_text(name: str) -> bool:
    """Whether a name can be encoded as UTF-8; names of files and folders need not be text."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(name: str) -> str:
    """A name in printable characters, whatever its bytes; a terminal takes none for a command."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in name.encode("utf-8", "backslashreplace").decode()
    )


def names(students: Iterable[str], most: int = 8) -> str:
    """The first `most` students' ids; how many more there are."""
    return listed(sorted(map(shown, students)), most)


def listed(texts: Sequence[str], most: int = 8) -> str:
    """The first `most` texts, separated by commas, and how many more there are."""
    rest = len(texts) - most
    return ", ".join(texts[:most]) + (f" and {rest} more" if rest > 0 else "")


def counted(number: int, noun: str) -> str:
    """A number with its noun, which gets an s unless the number is 1."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def meant(name: str, known: Iterable[str]) -> str:
    """Asks whether a known name is meant that is similar to `name` or contains it; else empty."""
    there = sorted(known)
    near = get_close_matches(name, there, 1) or [each for each in there if name and name in each]
    return f" Do you mean {near[0]}?" if near else ""


def words(error: BaseException) -> str:
    """An error as a short, printable text, without the paths of our temporary folders."""
    try:
        text = str(error)
    except Exception:  # for example, its message holds data nested too deeply
        text = "what it says cannot be printed"
    text = shown(" ".join(text[: 4 * MAX_WORDS].split()))
    text = OURS.sub("its copy", text)[:MAX_WORDS]
    return text if isinstance(error, Plain) else f"{type(error).__name__}: {text}"


def inert(text: str | None) -> str:
    """Text that no spreadsheet takes for a formula, whichever character separates its cells.

    What spreadsheets skip before a formula is skipped here: spaces, controls, zero-width marks.
    """
    return "".join(map(_inert, re.split(r"([;\t\r\n])", text or "")))


def _inert(piece: str) -> str:
    seen = next((letter for letter in piece if letter.isprintable() and not letter.isspace()), "")
    return f"'{piece}" if seen and seen in FORMULA and piece.strip() != "-" else piece
