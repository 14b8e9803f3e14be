"""The settings in which one class differs from another: a course's course.toml."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

SETTINGS = "course.toml"


@dataclass(frozen=True)
class Settings:
    """The settings in which one class differs from another.

    Args:
        id: The name by which nbgrader knows the course.
        exchange: The folder in which assignments and submissions change hands.
        book: The address of the students' book, without a slash at its end.
    """

    id: str
    exchange: Path
    book: str


def load_settings(root: Path) -> Settings:
    """Loads a course's settings; the variable KDLAB_EXCHANGE takes the place of its exchange.

    Raises:
        ValueError: When course.toml or a setting is missing, invalid or unknown.
    """
    path = root / SETTINGS
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ValueError(f"There is no {path}. It holds id, exchange and book.") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{path} cannot be read: line {line} is not in UTF-8. Save it as UTF-8."
        ) from None
    for name in ("id", "exchange", "book"):
        if not isinstance(data.get(name), str) or not data[name].strip():
            raise ValueError(f'{path} lacks {name}: a line such as {name} = "...".')
    if unknown := sorted(data.keys() - {"id", "exchange", "book"}):
        raise ValueError(f"{path}: {', '.join(unknown)} is no setting; id, exchange and book are.")
    if not re.fullmatch(r"[\w.-]+", data["id"]):
        raise ValueError(
            f"{path}: the id {data['id']!r} holds more than letters, digits, _ . and -."
        )
    if not re.match(r"(https?://|file:///)[^\s()]+$", data["book"]):
        raise ValueError(f"{path}: the book's address {data['book']!r} does not begin with http.")
    exchange = os.environ.get("KDLAB_EXCHANGE") or data["exchange"]
    return Settings(data["id"], root / os.path.expanduser(exchange), data["book"].rstrip("/"))
