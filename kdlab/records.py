"""Records as JSON that every reader takes.

Python writes infinity and what is no number as bare words, which are no JSON: other readers refuse
the whole file. Here they are strings, named as protocol buffers name them in JSON, and numbers
again when kdlab reads them.
"""

from __future__ import annotations

import json
import math
from numbers import Integral, Real
from pathlib import Path
from typing import Any

WORDS = {"Infinity": math.inf, "-Infinity": -math.inf, "NaN": math.nan}


def to_json(value: Any, **options: Any) -> str:
    """A record as a text of JSON.

    Args:
        value: dictionaries, lists and plain values.
        options: as ``json.dumps`` has them.

    >>> to_json({"perplexity": math.inf, "step": 7})
    '{"perplexity": "Infinity", "step": 7}'
    """
    return json.dumps(_in_words(value), allow_nan=False, **options)


def read_record(path: Path) -> dict[str, Any]:
    """The one object in a file of JSON.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no JSON, and where; or it holds something else.
    """
    try:
        # Some editors of Windows begin a file with a mark, which is no JSON.
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except IsADirectoryError:
        raise ValueError(f"{path} is a folder, not a file of JSON") from None
    except ValueError as error:
        raise ValueError(f"{path} is no JSON, which knows no comments: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path} holds a {type(found).__name__}, not an object of JSON")
    return found


def with_numbers(value: Any) -> Any:
    """What was read of such a text, with its numbers.

    >>> with_numbers({"perplexity": "Infinity", "step": 7})
    {'perplexity': inf, 'step': 7}
    """
    if isinstance(value, dict):
        return {name: with_numbers(part) for name, part in value.items()}
    if isinstance(value, list):
        return [with_numbers(part) for part in value]
    return WORDS.get(value, value) if isinstance(value, str) else value


def step_of(line: str) -> float:
    """The step that a line of a run's metrics is of; infinity if it is no record.

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
