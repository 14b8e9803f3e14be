"""Reads evidence; the decoder believes nothing that a student's process wrote.

Every type, size, depth and number is checked before it is used. `autograder.kernel.evidence` says
what evidence is, and writes it.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from autograder.kernel.evidence import (
    MAX_CHARACTERS,
    MAX_DEPTH,
    MAX_DIMENSIONS,
    MAX_ITEMS,
    MAX_MESSAGE,
    MAX_STRING,
    NUMPY_DTYPES,
    VERSION,
    Outcome,
    encode_outcome,
)

ROOM, TIMES = 2**18, 8  # characters for any answer, plus so many times those of the right one


class Refused(ValueError):
    """Data that is not evidence, or not the evidence that was asked for."""


def numpy_array(name: str, shape: tuple[int, ...], raw: bytes) -> np.ndarray:
    """Makes a numpy array from decoded bytes; bfloat16 becomes float32, exactly."""
    values = np.frombuffer(raw, dtype=NUMPY_DTYPES[name]).reshape(shape)
    if name == "bfloat16":
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values


def decode(data: Any, depth: int = 0) -> Any:
    """Turns the data that `encode` made back into a value, trusting none of it.

    Args:
        data: What `loads` returned, or a part of it.
        depth: How many containers `data` lies in.

    Raises:
        Refused: When anything differs from what `encode` writes.
    """
    if data is None or isinstance(data, bool):
        return data
    if isinstance(data, int):
        if not -(2**63) <= data < 2**63:
            raise Refused("an integer that 64 bits cannot hold")
        return data
    if isinstance(data, float):
        return data
    if isinstance(data, str):
        if len(data) > MAX_STRING:
            raise Refused(f"a string of {len(data)} characters; at most {MAX_STRING} are allowed")
        return data
    if depth >= MAX_DEPTH:
        raise Refused(f"nested deeper than {MAX_DEPTH}")
    if not isinstance(data, dict) or len(data) != 1:
        raise Refused("a container that is neither a list, a dict, an array nor a float")
    ((tag, body),) = data.items()
    if tag == "float" and isinstance(body, str) and body in ("nan", "inf", "-inf"):
        return float(body)
    if tag == "list" and isinstance(body, list):
        return [decode(item, depth + 1) for item in body]
    if tag == "dict" and isinstance(body, dict):
        return {key: decode(item, depth + 1) for key, item in body.items()}
    if tag == "array":
        return numpy_array(*_checked_array(body))
    raise Refused(f"an unknown container {tag[:20]!r}")


def _checked_array(body: Any) -> tuple[str, tuple[int, ...], bytes]:
    if not isinstance(body, list) or len(body) != 3:
        raise Refused("an array that is not [dtype, shape, bytes]")
    name, shape, text = body
    if not isinstance(name, str) or name not in NUMPY_DTYPES:
        raise Refused("an array of an unknown dtype")
    if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS:
        raise Refused(f"an array's shape that is not a list of at most {MAX_DIMENSIONS} sizes")
    if not all(type(size) is int and 0 <= size <= MAX_CHARACTERS for size in shape):
        raise Refused("an array with an impossible size")
    if math.prod(max(size, 1) for size in shape) > MAX_CHARACTERS:  # empty ones too
        raise Refused("an array with an impossible size")
    if not isinstance(text, str):
        raise Refused("an array whose bytes are not text")
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        raise Refused("an array whose bytes are not base64") from None
    expected = math.prod(shape) * np.dtype(NUMPY_DTYPES[name]).itemsize
    if len(raw) != expected:
        raise Refused(f"an array of {len(raw)} bytes where its shape needs {expected}")
    if name == "bool" and raw.strip(b"\0\1"):
        raise Refused("a bool array that holds other bytes than 0 and 1")
    return name, tuple(shape), raw


def loads(text: Any) -> Any:
    """Reads JSON text strictly: of bounded size, with finite numbers and without repeated keys.

    Raises:
        Refused: When `text` is not a string, too long, nested too deep or not JSON, or holds NaN,
            infinity, a repeated key or more than MAX_ITEMS values.
    """
    if not isinstance(text, str):
        raise Refused("data that is not text")
    if len(text) > MAX_CHARACTERS:
        raise Refused(f"{len(text)} characters; at most {MAX_CHARACTERS} are allowed")
    try:
        data = json.loads(
            text, parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_unique
        )
    except RecursionError:
        raise Refused("data nested too deep") from None
    except Refused:
        raise
    except ValueError:
        raise Refused("data that is not JSON") from None
    _count(data)
    return data


def _no_constant(name: str) -> None:
    raise Refused(f"the number {name}")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise Refused("a number that is not finite")
    return number


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise Refused("a repeated key")
    return data


def _count(data: Any) -> None:
    waiting, seen = [data], 0
    while waiting:
        item = waiting.pop()
        seen += 1
        if isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, dict):
            waiting.extend(item.values())
        if seen + len(waiting) > MAX_ITEMS:
            raise Refused(f"more than {MAX_ITEMS} values")


def decode_outcome(data: Any) -> Outcome:
    """Reads one outcome.

    Raises:
        Refused: When the data is not an outcome.
    """
    if not isinstance(data, dict) or len(data) != 1:
        raise Refused("an outcome of an unknown form")
    ((kind, body),) = data.items()
    if kind == "returned":
        return Outcome("returned", decode(body))
    texts = body if kind == "raised" else [body]
    if kind not in ("raised", "unsupported") or not isinstance(texts, list):
        raise Refused("an outcome of an unknown kind")
    if len(texts) != (2 if kind == "raised" else 1):
        raise Refused("an outcome of an unknown form")
    if not all(isinstance(text, str) and len(text) <= MAX_MESSAGE for text in texts):
        raise Refused("an outcome whose texts are not short strings")
    return Outcome(kind, None, *texts)


def room_for(wanted: Iterable[Outcome | None]) -> int:
    """The most characters that evidence may have: `ROOM`, and `TIMES` those of the right answer.

    It is a multiple of `ROOM`, so that a student's code, which is told it, learns nothing of the
    right answer.

    Args:
        wanted: The right outcome of each case; None where the answer is withheld.
    """
    right = sum(len(json.dumps(encode_outcome(outcome))) for outcome in wanted if outcome)
    return min(ROOM + ROOM * math.ceil(TIMES * right / ROOM), MAX_CHARACTERS)


def read_evidence(
    text: Any, *, check: str, nonce: str, count: int, most: int = MAX_CHARACTERS
) -> list[Outcome]:
    """Reads the evidence of one check.

    Args:
        text: What the kernel published.
        check: The name of the check that was asked for.
        nonce: The nonce of this run of this cell.
        count: How many cases were asked.
        most: The most characters that `text` may have.

    Returns:
        One outcome per case, in the order of the question.

    Raises:
        Refused: When `text` is anything but the complete answer to this question.
    """
    if isinstance(text, str) and len(text) > most:
        raise Refused(f"evidence of {len(text)} characters; the question leaves room for {most}")
    data = loads(text)
    if not isinstance(data, dict) or set(data) != {"version", "check", "nonce", "outcomes"}:
        raise Refused("data that is not evidence")
    if data["version"] != VERSION:
        raise Refused("evidence of another version")
    if data["check"] != check or data["nonce"] != nonce:
        raise Refused("evidence of another run or another cell")
    outcomes = data["outcomes"]
    if not isinstance(outcomes, list) or len(outcomes) != count:
        raise Refused("evidence that does not answer every case")
    return [decode_outcome(item) for item in outcomes]
