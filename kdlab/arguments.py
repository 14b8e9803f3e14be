"""Checks of the arguments of functions: numbers, tensors and options.

:func:`checked` decorates public functions and classes: the annotation of each argument says what
the argument must be.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Real
from typing import Any, TypeVar, cast

import numpy as np
import torch
import torch.nn as nn
from torch import Tensor

from kdlab.files import as_path

Checked = TypeVar("Checked", bound=Callable[..., Any])


def checked(given: Checked) -> Checked:
    """The function or class, with its arguments checked against their annotations at each call.

    Values are converted: a number of another library to Python's own; 8.0 to 8, if a whole number
    is needed; and a path to a :class:`pathlib.Path` with ``~`` expanded. Arguments that are
    annotated as a list or a protocol are not checked.

    Raises:
        TypeError: an argument is not of the annotated class, or the function has no such argument.
        ValueError: an argument should be a number, text, path, truth value or tensor, and is not.

    >>> @checked
    ... def halved(number: float) -> float:
    ...     return number / 2
    >>> halved("3")
    Traceback (most recent call last):
    ValueError: number must be a number, got '3'
    >>> halved(nmber=3)
    Traceback (most recent call last):
    TypeError: halved knows no argument 'nmber'; did you mean 'number'?
    """
    if isinstance(given, type):
        given.__init__ = checked(given.__init__)  # type: ignore[misc]
        return given
    function: Any = given
    signature = inspect.signature(function)

    @functools.cache  # at the first call, when all classes are defined
    def checks() -> dict[str, Callable[[str, Any], Any]]:
        every = signature.parameters.values()
        return {each.name: _check_for(each, function.__globals__) for each in every}

    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        if not named.keys() <= signature.parameters.keys():
            check_names(function, named)
        try:
            bound = signature.bind(*arguments, **named)
        except TypeError:
            bound = None
        if bound is None:
            return function(*arguments, **named)  # raises Python's own TypeError
        for name, value in bound.arguments.items():
            bound.arguments[name] = checks()[name](name, value)
        return function(*bound.args, **bound.kwargs)

    return cast(Checked, call)


def check_names(function: Callable[..., Any], names: Iterable[str]) -> None:
    """Raise TypeError if one of these names is not an argument of the function."""
    parameters = inspect.signature(function).parameters
    if any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        return
    known = [name for name in parameters if name != "self"]
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            told = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
            called = function.__qualname__.removesuffix(".__init__")
            raise TypeError(f"{called} knows no argument {name!r}; {told}")


def _check_for(parameter: inspect.Parameter, scope: Mapping[str, Any]) -> Callable[[str, Any], Any]:
    """The check of an argument: a function of its name and value that returns the checked value."""
    annotation = str(parameter.annotation)
    kind, optional = annotation.removesuffix(" | None"), annotation.endswith(" | None")
    check = KINDS.get(kind)
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        check = _anything
    elif check is None:
        found = [_class(each, scope) for each in kind.split(" | ")]
        classes = tuple(each for each in found if each is not None)
        known = len(classes) == len(found)
        check = functools.partial(_of_class, classes) if known else _anything
    return lambda name, value: value if optional and value is None else check(name, value)


def _class(kind: str, scope: Mapping[str, Any]) -> type | None:
    """The class that ``kind`` names in ``scope``; None if it is not a class, or is a protocol."""
    if kind == "str":
        return str
    kind = "Mapping" if kind.startswith("Mapping[") else kind
    first, *rest = kind.split(".")
    found = functools.reduce(lambda part, name: getattr(part, name, None), rest, scope.get(first))
    protocol = getattr(found, "_is_protocol", False)
    return found if isinstance(found, type) and not protocol else None


def _anything(name: str, value: Any) -> Any:
    return value


def _of_class(classes: tuple[type, ...], name: str, value: Any) -> Any:
    if isinstance(value, classes):
        return value
    what = " or ".join(each.__name__ for each in classes)
    article = "an" if what[0] in "AEIO" else "a"
    raise TypeError(f"{name} must be {article} {what}; got {type(value).__name__} {value!r:.80}")


def _text(name: str, value: Any) -> str:
    if isinstance(value, os.PathLike):  # a path, given as a name
        value = os.fspath(value)
    if isinstance(value, str):
        return value
    raise ValueError(f"{name} must be text, got {type(value).__name__} {value!r:.80}")


def _truth(name: str, value: Any) -> bool:
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise ValueError(f"{name} must be True or False, got {value!r:.80}")


def check_number(name: str, value: object) -> float:
    """A number of Python or numpy, or a tensor or array without axes, as a Python float.

    Raises:
        ValueError: it is anything else, such as text or True, or a tensor that requires grad.

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
    """A whole number as a Python int; ValueError if it is not whole, or is below ``least``.

    A whole float counts too: JSON and YAML may write 1e3, and a division returns a float.

    >>> check_whole("steps", 1e3)
    1000
    """
    if isinstance(value, Tensor | np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, Real) or value != value // 1:
        raise ValueError(f"{name} must be a whole number, got {value!r:.80}")
    if least is not None and value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    return int(cast(Any, value))


def ends_of(end_of_text: Any) -> tuple[int, ...]:
    """The ids of tokens that end a text: given as None, one id, or a sequence, array or tensor."""
    if end_of_text is None:
        return ()
    if isinstance(end_of_text, Tensor | np.ndarray):
        end_of_text = end_of_text.tolist()
    several = isinstance(end_of_text, Sequence) and not isinstance(end_of_text, str)
    tokens = end_of_text if several else [end_of_text]
    return tuple(check_whole("end_of_text", token) for token in tokens)


def check_module(name: str, value: object) -> nn.Module:
    """The module of torch, unchanged; TypeError if ``value`` is not one."""
    if isinstance(value, nn.Module):
        return value
    raise TypeError(f"{name} must be a torch module; got {type(value).__name__} {value!r:.80}")


def check_temperature(temperature: object) -> float:
    """The temperature T as a Python float; ValueError unless T is positive and T² finite."""
    number = check_number("temperature", temperature)
    if not (number > 0 and math.isfinite(number * number)):
        raise ValueError(f"temperature must be a positive, finite number, got {temperature}")
    return number


def check_match_vocab(match_vocab: str) -> None:
    """Raise ValueError unless ``match_vocab`` is ``"error"`` or ``"truncate"``."""
    if match_vocab not in ("error", "truncate"):
        raise ValueError(f'match_vocab must be "error" or "truncate", got {match_vocab!r}')


def check_tensor(name: str, value: object) -> Tensor:
    """The dense tensor, unchanged; ValueError if ``value`` is not one."""
    if not isinstance(value, Tensor):
        remedy = "; take its .logits" if hasattr(value, "logits") else ""
        raise ValueError(f"{name} must be a tensor, got {type(value).__name__}{remedy}")
    if value.is_nested or value.layout != torch.strided:
        found = "a nested one" if value.is_nested else f"the layout {value.layout}"
        raise ValueError(f"{name} must be a dense tensor, got {found}")
    return value


KINDS: dict[str, Callable[[str, Any], Any]] = {
    **{"int": check_whole, "float": check_number, "bool": _truth, "str": _text},
    **{"Tensor": check_tensor, "nn.Module": check_module, "Any": _anything},
    "str | Path": lambda name, value: as_path(value, name),
}
"""The function that checks an argument, by the argument's annotation."""


def check_devices(**tensors: Tensor | None) -> None:
    """Raise ValueError if the tensors, which are given by name, are on several devices."""
    where = {name: tensor.device for name, tensor in tensors.items() if tensor is not None}
    if len({*where.values()}) > 1:
        told = ", ".join(f"{name} is on {device}" for name, device in where.items())
        raise ValueError(f"{told}; move them to one device")


def check_there(name: str, tensor: Tensor) -> None:
    """Raise ValueError if a tensor has a shape but no numbers."""
    if tensor.is_meta:
        raise ValueError(f"{name} is on the device meta, which holds shapes and no numbers")


def check_logits(student_logits: Tensor, teacher_logits: Tensor) -> None:
    """Raise ValueError unless both are floating point ``[..., V]``, of one shape, on one device."""
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
    """Raise ValueError if the two vocabularies differ in their number of entries."""
    if student != teacher:
        raise ValueError(
            f"the student's vocabulary has {student} entries and the teacher's {teacher}; a "
            "divergence compares distributions over one vocabulary. If both count the same tokens "
            "in the same order and differ only in padding, use an objective with "
            'match_vocab="truncate".'
        )


def widened(logits: Tensor) -> Tensor:
    """The logits in float32 if they have fewer bits, else unchanged."""
    return logits.float() if logits.dtype.itemsize < 4 else logits
