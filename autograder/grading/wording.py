"""Names, numbers and errors as people read them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

MAX_WORDS = 500  # characters of a reason
FORMULA = "=+-@|%＝＋－＠"  # how formulas and commands begin
OURS = re.compile(r"/[^\s'\"]*/autograder-[^\s'\",;:)]*")  # paths in our temporary folders


class Plain(Exception):
    """An error whose message is all that is to be said of it."""


def is_text(name: str) -> bool:
    """Whether a name can be written anywhere; those of folders need not be text at all."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(name: str) -> str:
    """A folder's name for people, whatever bytes it is made of; a terminal obeys none of them."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in name.encode("utf-8", "backslashreplace").decode()
    )


def names(students: Iterable[str], most: int = 8) -> str:
    """Students by their ids, the first few of them."""
    return listed(sorted(map(shown, students)), most)


def listed(texts: Sequence[str], most: int = 8) -> str:
    """Texts in a row, the first few of them, and how many more there are."""
    rest = len(texts) - most
    return ", ".join(texts[:most]) + (f" and {rest} more" if rest > 0 else "")


def counted(number: int, noun: str) -> str:
    """A number with its noun, which has an s where it is not one."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def meant(name: str, known: Iterable[str]) -> str:
    """The question whether a known name is meant that is near or longer; it follows a sentence."""
    there = sorted(known)
    near = get_close_matches(name, there, 1) or [each for each in there if name and name in each]
    return f" Do you mean {near[0]}?" if near else ""


def words(error: BaseException) -> str:
    """An error in words that can be printed and kept: short, and without paths of ours."""
    try:
        text = str(error)
    except Exception:  # deep data in the error's own message, for one
        text = "what it says cannot be printed"
    text = shown(" ".join(text[: 4 * MAX_WORDS].split()))
    text = OURS.sub("its copy", text)[:MAX_WORDS]
    return text if isinstance(error, Plain) else f"{type(error).__name__}: {text}"


def inert(text: str | None) -> str:
    """Text that no spreadsheet takes for a formula, at whatever it parts cells.

    It may begin with what one skips: spaces, controls, marks that have no width.
    """
    return "".join(map(_inert, re.split(r"([;\t\r\n])", text or "")))


def _inert(piece: str) -> str:
    seen = next((letter for letter in piece if letter.isprintable() and not letter.isspace()), "")
    return f"'{piece}" if seen and seen in FORMULA and piece.strip() != "-" else piece
