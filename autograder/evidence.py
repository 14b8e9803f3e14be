"""Evidence: what a student's code returned, as plain data.

Evidence crosses from the process that ran a stranger's code to the one that awards points. So it
is JSON text that holds numbers, strings and raw array bytes, and never something that could run
when it is read. The decoder believes nothing: every type, size, depth and number is checked first.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import torch

MIME = "application/vnd.autograder.evidence"
VERSION = 1

MAX_CHARACTERS = 8 * 2**20  # of one check's evidence
MAX_ITEMS = 10_000  # values of any kind in one check's evidence
MAX_DEPTH = 8  # of nested lists and dicts
MAX_DIMENSIONS = 8
MAX_STRING = 20_000  # characters of one string
MAX_MESSAGE = 500  # characters of an exception's message

# Little-endian on every machine. numpy has no bfloat16; its bits are the upper half of a float32.
NUMPY_DTYPES = {
    "bool": "|b1",
    "uint8": "|u1",
    "int8": "|i1",
    "int16": "<i2",
    "int32": "<i4",
    "int64": "<i8",
    "float16": "<f2",
    "bfloat16": "<u2",
    "float32": "<f4",
    "float64": "<f8",
}


class Unsupported(TypeError):
    """A value that evidence cannot carry."""


class Refused(ValueError):
    """Data that is not evidence, or not the evidence that was asked for."""


@dataclass(frozen=True)
class Outcome:
    """What one case came to.

    Args:
        kind: "returned", "raised" or "unsupported".
        value: What was returned: None, bool, int, float, str, list, dict or `np.ndarray`.
        type: Name of the exception's class, or of the class that evidence cannot carry.
        message: The exception's message, shortened.
    """

    kind: str
    value: Any = None
    type: str = ""
    message: str = ""


def encode(value: Any) -> Any:
    """Turns a value into JSON data.

    Args:
        value: None, bool, int, float, Fraction, Decimal, str, a torch tensor, a numpy array or
            scalar, or lists, tuples, ranges and string-keyed dicts of these.

    Returns:
        Data that `json.dumps` takes; arrays as {"array": [dtype, shape, base64 of the bytes]}.

    Raises:
        Unsupported: For any other type.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise Unsupported("an integer that 64 bits cannot hold")
        return int(value)
    if isinstance(value, Fraction | Decimal):
        value = float(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"float": repr(float(value))}
    if isinstance(value, torch.Tensor):
        name = str(value.dtype).removeprefix("torch.")
        if name not in NUMPY_DTYPES:
            raise Unsupported(f"a tensor of dtype {name}")
        tensor = value.detach().to_dense() if value.layout != torch.strided else value.detach()
        tensor = tensor.cpu().contiguous()
        if name == "bfloat16":
            tensor = tensor.view(torch.int16)
        return _array(name, value.shape, tensor.numpy())
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype.kind in "UO" and value.ndim:
            return encode(value.tolist())
        if value.dtype.name not in NUMPY_DTYPES:
            raise Unsupported(f"an array of dtype {value.dtype.name}")
        return _array(value.dtype.name, value.shape, np.asarray(value))
    if isinstance(value, list | tuple | range):
        return {"list": [encode(item) for item in value]}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": {key: encode(item) for key, item in value.items()}}
    raise Unsupported(type(value).__name__)


def _array(name: str, shape: Any, values: np.ndarray) -> dict:
    little = values.dtype.newbyteorder("<")
    raw = np.ascontiguousarray(values, dtype=little).tobytes()
    return {"array": [name, list(shape), base64.b64encode(raw).decode("ascii")]}


def numpy_array(name: str, shape: tuple[int, ...], raw: bytes) -> np.ndarray:
    """Makes the numpy array of decoded bytes; bfloat16 becomes float32, exactly."""
    values = np.frombuffer(raw, dtype=NUMPY_DTYPES[name]).reshape(shape)
    if name == "bfloat16":
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values


def torch_tensor(name: str, shape: tuple[int, ...], raw: bytes) -> torch.Tensor:
    """Makes the torch tensor of decoded bytes."""
    dtype = getattr(torch, name)
    if not raw:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(bytearray(raw), dtype=dtype).reshape(shape)


def decode(
    data: Any, array: Callable[[str, tuple[int, ...], bytes], Any] = numpy_array, *, depth: int = 0
) -> Any:
    """Turns the data that `encode` made back into a value, trusting none of it.

    Args:
        data: What `loads` returned, or a part of it.
        array: Makes an array of a dtype's name, a shape and bytes.
        depth: How deep `data` lies already.

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
        return [decode(item, array, depth=depth + 1) for item in body]
    if tag == "dict" and isinstance(body, dict):
        return {key: decode(item, array, depth=depth + 1) for key, item in body.items()}
    if tag == "array":
        return array(*_checked_array(body))
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
    """Reads JSON text strictly: bounded, finite, no key twice.

    Raises:
        Refused: When the text is too long, is not JSON, or holds NaN, infinity, a repeated key or
            more than MAX_ITEMS values.
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


def encode_outcome(outcome: Outcome) -> dict:
    """Turns an outcome into JSON data; a value that evidence cannot carry becomes "unsupported"."""
    if outcome.kind == "returned":
        try:
            return {"returned": encode(outcome.value)}
        except Unsupported as error:
            return {"unsupported": str(error)[:MAX_MESSAGE]}
        except RecursionError:
            return {"unsupported": "a value that contains itself"}
    if outcome.kind == "raised":
        return {"raised": [outcome.type[:MAX_MESSAGE], outcome.message[:MAX_MESSAGE]]}
    return {"unsupported": outcome.type[:MAX_MESSAGE]}


def decode_outcome(data: Any) -> Outcome:
    """Reads one outcome.

    Raises:
        Refused: When it is not one.
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


def write_evidence(check: str, nonce: str, outcomes: list[Outcome]) -> str:
    """Writes the evidence of one check as JSON text."""
    return json.dumps(
        {
            "version": VERSION,
            "check": check,
            "nonce": nonce,
            "outcomes": [encode_outcome(outcome) for outcome in outcomes],
        },
        allow_nan=False,
    )


def read_evidence(text: Any, *, check: str, nonce: str, count: int) -> list[Outcome]:
    """Reads the evidence of one check.

    Args:
        text: What the kernel published.
        check: The name of the check that was asked for.
        nonce: The nonce of this run of this cell.
        count: How many cases were asked.

    Returns:
        One outcome a case, in the order of the question.

    Raises:
        Refused: When it is anything but the complete answer to this question.
    """
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
