"""Records as JSON that every reader takes.

Python writes infinity and NaN as bare words, which are not JSON: other readers refuse the whole
file. Here they are written as strings, with the names that protocol buffers use in JSON, and become
numbers again when kdlab reads them.
"""

from __future__ import annotations

import json
import math
from numbers import Integral, Real
from pathlib import Path
from typing import Any

WORDS = {"Infinity": math.inf, "-Infinity": -math.inf, "NaN": math.nan}


def to_json(value: Any, **options: Any) -> str:
    """A record as JSON text.

    Args:
        value: dictionaries, lists and plain values.
        options: those of ``json.dumps``.

    >>> to_json({"perplexity": math.inf, "step": 7})
    '{"perplexity": "Infinity", "step": 7}'
    """
    return json.dumps(_in_words(value), allow_nan=False, **options)


def read_record(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not JSON (the error says where), holds no object, or is a folder.
    """
    try:
        # Some editors on Windows begin a file with a byte-order mark, which is not JSON.
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except IsADirectoryError:
        raise ValueError(f"{path} is a folder, not a file of JSON") from None
    except ValueError as error:
        raise ValueError(f"{path} is no JSON, which knows no comments: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path} holds a {type(found).__name__}, not an object of JSON")
    return found


def with_numbers(value: Any) -> Any:
    """What was read from JSON text, with infinity and NaN as numbers again.

    >>> with_numbers({"perplexity": "Infinity", "step": 7})
    {'perplexity': inf, 'step': 7}
    """
    if isinstance(value, dict):
        return {name: with_numbers(part) for name, part in value.items()}
    if isinstance(value, list):
        return [with_numbers(part) for part in value]
    return WORDS.get(value, value) if isinstance(value, str) else value


def step_of(line: str) -> float:
    """The step of a line of a run's metrics; infinity if the line is no record.

    >>> step_of('{"kind": "train", "step": 7}'), step_of("owls")
    (7, inf)
    """
    try:
        step = json.loads(line)["step"]
    except (ValueError, LookupError, TypeError):
        return math.inf
    return step if isinstance(step, int) else math.inf


def _in_words(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _in_words(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_in_words(part) for part in value]
    if isinstance(value, Real) and not isinstance(value, bool | int | float):  # numpy's
        value = int(value) if isinstance(value, Integral) else float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
