"""Evidence, as it is written: what a student's code returned, as plain data.

Evidence crosses from the process that ran a stranger's code to the one that awards points. So it
is JSON text that holds numbers, strings and raw array bytes, and never something that could run
when it is read. `autograder.judging.evidence` reads it.
"""

from __future__ import annotations

import base64
import json
import math
import sys
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

MIME = "application/vnd.autograder.evidence"
VERSION = 1

# `Outcome.type` where a function did not leave something as it was.
CHANGED = "an argument that was changed"
GRADIENTS_SWITCHED = "a switch of torch's gradients that was turned"
DTYPE_SWITCHED = "a default dtype of torch's that was changed"
NOT_LEFT = (CHANGED, GRADIENTS_SWITCHED, DTYPE_SWITCHED)
TOO_LARGE = "a value that is too large"  # `Outcome.type` of a result for which there is no room

MAX_MESSAGE = 500  # characters of an exception's message
MAX_CHARACTERS = 8 * 2**20  # of one check's evidence
MAX_ITEMS = 10_000  # values of any kind in one check's evidence
MAX_DEPTH = 8  # of nested lists and dicts
MAX_DIMENSIONS = 8
MAX_STRING = 20_000  # characters of one string

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


@dataclass(frozen=True)
class Outcome:
    """What one case came to.

    Args:
        kind: "returned", "raised" or "unsupported".
        value: What was returned; once decoded, None, bool, int, float, str, list, dict or
            `np.ndarray`.
        type: The name of the exception's class; what evidence cannot carry; or one of `NOT_LEFT`.
        message: The exception's message; encoding cuts it to `MAX_MESSAGE` characters.
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
        Unsupported: For any other type or dtype, and for integers that 64 bits cannot hold.
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
    torch = sys.modules.get("torch")  # where there is a tensor, torch was imported
    if torch is not None and isinstance(value, torch.Tensor):
        name = str(value.dtype).removeprefix("torch.")
        if name not in NUMPY_DTYPES:
            raise Unsupported(f"a tensor of dtype {name}")
        return _array(name, value.shape, _values(torch, value.detach()))
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype.kind in "UO" and value.ndim:
            return encode(value.tolist())
        if value.dtype.kind == "f" and value.dtype.itemsize > 8:  # np.longdouble
            value = value.astype(np.float64)
        if value.dtype.name not in NUMPY_DTYPES:
            raise Unsupported(f"an array of dtype {value.dtype.name}")
        return _array(value.dtype.name, value.shape, np.asarray(value))
    if isinstance(value, list | tuple | range):
        return {"list": [encode(item) for item in value]}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": {key: encode(item) for key, item in value.items()}}
    raise Unsupported(type(value).__name__)


def _values(torch: Any, tensor: Any) -> np.ndarray:
    """A tensor's values on the CPU, dense, with pending negation applied; bfloat16 as int16."""
    if tensor.layout != torch.strided:
        tensor = tensor.to_dense()
    plain = torch.empty(tensor.shape, dtype=tensor.dtype, device="cpu")
    plain.copy_(tensor)
    plain = plain.view(torch.int16) if plain.dtype == torch.bfloat16 else plain
    return plain.numpy()


def _array(name: str, shape: Any, values: np.ndarray) -> dict:
    little = values.dtype.newbyteorder("<")
    raw = np.ascontiguousarray(values, dtype=little).tobytes()
    return {"array": [name, list(shape), base64.b64encode(raw).decode("ascii")]}


def decode(data: Any) -> Any:
    """Turns the data of a question back into values, arrays into torch tensors.

    A question comes from the grader, so nothing about it is checked. Evidence is decoded in
    `autograder.judging.evidence`.

    Args:
        data: What `encode` made.
    """
    if not isinstance(data, dict):
        return data
    ((tag, body),) = data.items()
    if tag == "array":
        return torch_tensor(*body)
    if tag == "list":
        return [decode(item) for item in body]
    if tag == "dict":
        return {key: decode(item) for key, item in body.items()}
    return float(body)


def torch_tensor(name: str, shape: list[int], text: str) -> Any:
    """Makes a torch tensor from a dtype's name, a shape and its bytes as base64."""
    import torch

    raw = bytearray(base64.b64decode(text))
    dtype = getattr(torch, name)
    return (
        torch.frombuffer(raw, dtype=dtype).reshape(shape)
        if raw
        else torch.empty(shape, dtype=dtype)
    )


def encode_outcome(outcome: Outcome) -> dict:
    """Turns an outcome into JSON data; a value that evidence cannot carry becomes "unsupported"."""
    if outcome.kind == "returned":
        try:
            _bound(outcome.value)
            return {"returned": encode(outcome.value)}
        except Unsupported as error:
            return {"unsupported": str(error)[:MAX_MESSAGE]}
        except MemoryError:
            return {"unsupported": TOO_LARGE}
        except RecursionError:
            return {"unsupported": "a value that contains itself"}
        except Exception as error:  # float(10**400), a tensor that has no data
            return {"unsupported": f"a value that raises {type(error).__name__}"[:MAX_MESSAGE]}
    if outcome.kind == "raised":
        return {"raised": [outcome.type[:MAX_MESSAGE], outcome.message[:MAX_MESSAGE]]}
    return {"unsupported": outcome.type[:MAX_MESSAGE]}


def _bound(value: Any, items: int = 0) -> int:
    """Counts what a result holds, to refuse one that is far too large before it is copied.

    Raises:
        Unsupported: When there are more values than in any evidence, or an array or a text that is
            longer.
    """
    torch = sys.modules.get("torch")
    if isinstance(value, list | tuple | range | dict):
        items += len(value)
    size = len(value) if isinstance(value, str) else 0
    if isinstance(value, np.ndarray) or (torch is not None and isinstance(value, torch.Tensor)):
        size = math.prod(value.shape)
    if items > MAX_ITEMS or size > MAX_CHARACTERS:
        raise Unsupported(TOO_LARGE)
    if isinstance(value, list | tuple | dict):
        for item in value.values() if isinstance(value, dict) else value:
            items = _bound(item, items)
    return items


def write_evidence(
    check: str, nonce: str, outcomes: list[Outcome], most: int = MAX_CHARACTERS
) -> str:
    """Writes the evidence of one check as JSON text.

    What would make its reader refuse all of it becomes "unsupported": a result that is too large,
    or too large beside those before it.

    Args:
        check: The check's name.
        nonce: The nonce of the question.
        outcomes: One per case.
        most: The most characters that the evidence may have.
    """
    encoded = [encode_outcome(outcome) for outcome in outcomes]
    refused = {"unsupported": TOO_LARGE}
    items = MAX_ITEMS - 5 - sum(4 if "raised" in each else 2 for each in encoded)
    kept = [refused if "returned" in each else each for each in encoded]
    characters = most - len(_text(check, nonce, kept))
    for at, each in enumerate(encoded):
        if "returned" not in each:
            continue
        count = _count(each["returned"]) - 1
        length = len(json.dumps(each)) - len(json.dumps(refused))
        if count <= items and length <= characters and _is_readable(each["returned"]):
            items, characters, kept[at] = items - count, characters - length, each
    return _text(check, nonce, kept)


def _text(check: str, nonce: str, encoded: list[dict]) -> str:
    return json.dumps(
        {"version": VERSION, "check": check, "nonce": nonce, "outcomes": encoded}, allow_nan=False
    )


def _count(data: Any) -> int:
    """How many values of any kind are in JSON data."""
    if isinstance(data, dict):
        data = list(data.values())
    return 1 + sum(map(_count, data)) if isinstance(data, list) else 1


def _is_readable(data: Any, depth: int = 0) -> bool:
    """Whether what `encode` made has no string that is too long and is not nested too deep."""
    if not isinstance(data, dict):
        return not isinstance(data, str) or len(data) <= MAX_STRING
    ((tag, body),) = data.items()
    if depth >= MAX_DEPTH:
        return False
    if tag == "array":
        return len(body[1]) <= MAX_DIMENSIONS
    items = body.values() if tag == "dict" else body if tag == "list" else ()
    return all(_is_readable(item, depth + 1) for item in items)
