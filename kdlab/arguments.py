"""What functions of the library are given: numbers, tensors and options that are what they say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
import torch.nn as nn
from torch import Tensor

__all__ = [
    "check_devices",
    "check_logits",
    "check_match_vocab",
    "check_module",
    "check_number",
    "check_temperature",
    "check_tensor",
    "check_vocabularies",
    "check_whole",
    "ends_of",
    "widened",
]


def check_number(name: str, value: object) -> float:
    """A number as Python's own: of numpy, of a tensor with one entry and no axis, or plain.

    Raises:
        ValueError: it is text, a list, True or False, or a tensor that is to be learned.

    >>> check_number("lam", torch.tensor(0.5))
    0.5
    """
    if isinstance(value, Tensor) and value.requires_grad:
        raise ValueError(f"{name} is a number, which nothing learns: give {name}.item()")
    if isinstance(value, Tensor | np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, Real) and not isinstance(value, bool):
        return float(value)
    raise ValueError(f"{name} must be a number, got {value!r:.80}")  # YAML reads 1e-4 as text


def check_whole(name: str, value: object, least: int | None = None) -> int:
    """A whole number as Python's own, from ``least`` on if that is given; ValueError if not."""
    number = check_number(name, value)
    if number != number // 1:
        raise ValueError(f"{name} must be a whole number, got {value}")
    if least is not None and number < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    return int(value) if isinstance(value, Integral) else int(number)


def ends_of(end_of_text: Any) -> tuple[int, ...]:
    """The tokens that end a text: none, one, or several in any sequence, array or tensor."""
    if end_of_text is None:
        return ()
    if isinstance(end_of_text, Tensor | np.ndarray):
        end_of_text = end_of_text.tolist()
    several = isinstance(end_of_text, Sequence) and not isinstance(end_of_text, str)
    tokens = end_of_text if several else [end_of_text]
    return tuple(check_whole("end_of_text", token) for token in tokens)


def check_module(name: str, value: object) -> None:
    """Raise TypeError if this is no module of torch."""
    if not isinstance(value, nn.Module):
        raise TypeError(f"{name} must be a torch module; got {type(value).__name__} {value!r:.80}")


def check_temperature(temperature: object) -> float:
    """A temperature as Python's own number; ValueError if it is not positive and finite."""
    number = check_number("temperature", temperature)
    if not (number > 0 and math.isfinite(number)):
        raise ValueError(f"temperature must be a positive, finite number, got {temperature}")
    return number


def check_match_vocab(match_vocab: str) -> None:
    """Raise ValueError if this says nothing of what to do with vocabularies of two sizes."""
    if match_vocab not in ("error", "truncate"):
        raise ValueError(f'match_vocab must be "error" or "truncate", got {match_vocab!r}')


def check_tensor(name: str, value: object) -> None:
    """Raise ValueError if this is no dense tensor."""
    if not isinstance(value, Tensor):
        remedy = "; take its .logits" if hasattr(value, "logits") else ""
        raise ValueError(f"{name} must be a tensor, got {type(value).__name__}{remedy}")
    if value.is_nested or value.layout != torch.strided:
        found = "a nested one" if value.is_nested else f"the layout {value.layout}"
        raise ValueError(f"{name} must be a dense tensor, got {found}")


def check_devices(**tensors: Tensor | None) -> None:
    """Raise ValueError if tensors, by their names, are on several devices."""
    where = {name: tensor.device for name, tensor in tensors.items() if tensor is not None}
    if len({*where.values()}) > 1:
        told = ", ".join(f"{name} is on {device}" for name, device in where.items())
        raise ValueError(f"{told}; move them to one device")


def check_logits(student_logits: Tensor, teacher_logits: Tensor) -> None:
    """Raise ValueError if these are no logits of the same positions over one vocabulary."""
    for name, logits in (("student_logits", student_logits), ("teacher_logits", teacher_logits)):
        check_tensor(name, logits)
        if not logits.is_floating_point():
            raise ValueError(f"{name} must be floating point, got {logits.dtype}")
        if logits.dim() == 0:
            raise ValueError(f"{name} must be [..., V]; got a scalar")
    check_devices(student_logits=student_logits, teacher_logits=teacher_logits)
    check_vocabularies(student_logits.shape[-1], teacher_logits.shape[-1])
    if student_logits.shape != teacher_logits.shape:
        raise ValueError(
            f"student_logits {tuple(student_logits.shape)} and teacher_logits "
            f"{tuple(teacher_logits.shape)} must have the same shape"
        )


def check_vocabularies(student: int, teacher: int) -> None:
    """Raise ValueError if two vocabularies have other numbers of entries."""
    if student != teacher:
        raise ValueError(
            f"the student's vocabulary has {student} entries and the teacher's {teacher}; a "
            "divergence compares distributions over one vocabulary. If both count the same tokens "
            "in the same order and differ only in padding, use an objective with "
            'match_vocab="truncate".'
        )


def widened(logits: Tensor) -> Tensor:
    """The same in float32, if they are in less."""
    return logits.float() if logits.dtype.itemsize < 4 else logits
