"""Whether two values agree, and in which words to say that their forms differ.

What a student's process returned is compared with what was asked for. A value in another form with
the same content counts as the same: a list for a tensor, a tensor for a pair. For any other form,
the words name the form that came and the form that was asked for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.kernel.evidence import Outcome

RETURNED = "It returned"
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")


def same(value: Any, wanted: Any, tolerance: float) -> bool:
    """Whether two decoded values agree.

    Args:
        value: What came.
        wanted: What it is compared with. NaN agrees with NaN, an infinity with itself, and a text
            with one that differs in capitals or outer spaces.
        tolerance: The largest absolute difference allowed between numbers.
    """
    if isinstance(value, np.ndarray) and isinstance(wanted, np.ndarray):
        return _same_arrays(value, wanted, tolerance)
    value, wanted = _plain(value), _plain(wanted)
    value = fitted(value, wanted)
    if isinstance(wanted, np.ndarray | int | float) and not isinstance(wanted, bool):
        if isinstance(value, bool) or not isinstance(value, np.ndarray | int | float):
            return False
        if isinstance(value, int | float) and isinstance(wanted, int | float):
            both_nan = value != value and wanted != wanted
            return value == wanted or abs(value - wanted) <= tolerance or both_nan
        return _same_arrays(np.asarray(value), np.asarray(wanted), tolerance)
    if isinstance(wanted, list):
        return (
            isinstance(value, list)
            and len(value) == len(wanted)
            and all(same(a, b, tolerance) for a, b in zip(value, wanted, strict=True))
        )
    if isinstance(wanted, dict):
        return (
            isinstance(value, dict)
            and value.keys() == wanted.keys()
            and all(same(value[key], wanted[key], tolerance) for key in wanted)
        )
    if isinstance(wanted, str) and isinstance(value, str):
        return value.strip().casefold() == wanted.strip().casefold()
    return type(value) is type(wanted) and value == wanted


def _plain(value: Any) -> Any:
    """A numpy scalar, or an array that is a lone True or False, as Python's own; all else as is."""
    lone = isinstance(value, np.ndarray) and not value.shape and value.dtype.kind == "b"
    return value.item() if lone or isinstance(value, np.generic) else value


def _same_arrays(value: np.ndarray, wanted: np.ndarray, tolerance: float) -> bool:
    if value.shape != wanted.shape or (value.dtype.kind == "b") != (wanted.dtype.kind == "b"):
        return False
    value, wanted = value.astype(np.float64, copy=False), wanted.astype(np.float64, copy=False)
    return bool(matching(value, wanted, tolerance).all())


def matching(value: np.ndarray, wanted: np.ndarray, tolerance: float) -> np.ndarray:
    """Which numbers of two arrays of the same shape agree, by the rule of `same`."""
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        near = np.abs(value - wanted) <= tolerance
    if near.all():  # the usual case
        return near
    return near | (value == wanted) | (np.isnan(value) & np.isnan(wanted))


def row_of(value: Any) -> np.ndarray | None:
    """All numbers of a value in one row; None if anything else, or an empty list, is in it."""
    if isinstance(value, list):
        rows = [row_of(item) for item in value]
        if not rows or any(row is None for row in rows):
            return None
        return np.concatenate(rows)
    if value is None or isinstance(value, str | bool | dict):
        return None
    array = np.asarray(value)
    return array.astype(np.float64).reshape(-1) if array.dtype.kind in "iuf" else None


def fitted(value: Any, wanted: Any) -> Any:
    """A value in the form that was wanted, if it can be converted; otherwise the value itself.

    A list is converted to an array, an array to a list, a text to a list of letters, and the keys
    of a dict, where single letters are wanted, to small letters.
    """
    letters = isinstance(wanted, list) and all(isinstance(w, str) and len(w) == 1 for w in wanted)
    if isinstance(value, str) and letters:
        return list(value.strip())
    if (
        isinstance(wanted, dict)
        and isinstance(value, dict)
        and all(len(key) == 1 for key in wanted)
    ):
        folded = {str(key).strip().casefold(): item for key, item in value.items()}
        return folded if len(folded) == len(value) else value
    if isinstance(wanted, np.ndarray) and isinstance(value, list):
        return _array(value)
    if isinstance(wanted, list) and isinstance(value, np.ndarray) and value.ndim:
        return list(value)
    return value


def _array(value: list) -> Any:
    """A rectangular list of numbers as an array; any other list as it is."""
    leaves, waiting = [], list(value)
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting.extend(item)
        else:
            leaves.append(item)
    kinds = {isinstance(leaf, bool) or getattr(leaf, "dtype", int) == np.bool_ for leaf in leaves}
    if len(kinds) > 1 or not all(
        isinstance(leaf, bool | int | float | np.ndarray | np.generic) for leaf in leaves
    ):
        return value
    try:
        array = np.asarray(value)
    except ValueError:  # not rectangular
        return value
    return array if array.dtype.kind in "biuf" else value


def agrees(outcome: Outcome, wanted: Outcome, tolerance: float) -> bool:
    """Whether an outcome agrees with the wanted one; exceptions agree if their classes do."""
    if outcome.kind != wanted.kind:
        return False
    if outcome.kind == "returned":
        return same(outcome.value, wanted.value, tolerance)
    return outcome.type == wanted.type


def is_number(value: Any) -> bool:
    """Whether a decoded value is one real number."""
    if isinstance(value, np.ndarray | np.generic):
        return not value.shape and value.dtype.kind in "iuf"
    return isinstance(value, int | float) and not isinstance(value, bool)


def complaint(value: Any, wanted: Any, *, sizes: bool = False, what: str = RETURNED) -> str:
    """Says how a value's form differs from the one that was wanted.

    Args:
        value: What came.
        wanted: What was asked for.
        sizes: Whether to tell the sizes of axes. For hidden cases leave it off: a student's process
            that sees hidden inputs could tell of them by its choice of sizes.
        what: How the sentence begins.

    Returns:
        A sentence, or an empty text where both have the same form.
    """
    original, value = value, fitted(value, wanted)
    if value is None and wanted is not None:
        question = " Is a return statement missing?" if what == RETURNED else ""
        return f"{what} None where {form(wanted, sizes)} was asked for.{question}"
    if isinstance(wanted, list) and isinstance(value, list):
        if value and all(a is None and b is not None for a, b in zip(value, wanted, strict=False)):
            return f"{what} None each time. Is a return statement missing?"
        if len(value) != len(wanted):
            came = "more" if len(value) > len(wanted) else "fewer"
            return f"{what} {came} values than the {len(wanted)} that were asked for."
        for index, (a, b) in enumerate(zip(value, wanted, strict=True)):
            place = ORDINALS[index] if index < len(ORDINALS) else f"{index + 1}th"
            if said := complaint(a, b, sizes=sizes, what=f"The {place} value that came is"):
                return said
        return ""
    if isinstance(wanted, dict) and isinstance(value, dict):
        if missing := sorted(wanted.keys() - value.keys()):
            return f"{what} a dict without the key {missing[0]!r}."
        if value.keys() - wanted.keys():
            return f"{what} a dict with other keys than {', '.join(map(repr, wanted))}."
        for key in wanted:
            if said := complaint(
                value[key], wanted[key], sizes=sizes, what=f"The value of {key!r} is"
            ):
                return said
        return ""
    came, asked = form(value, sizes), form(wanted, sizes)
    if isinstance(original, list) and isinstance(value, np.ndarray):  # not a tensor
        came = came.replace("a tensor", "a list") if np.ndim(wanted) else form(original)
    same_form = form(value, sizes) == asked
    if same_form and isinstance(value, np.ndarray) and isinstance(wanted, np.ndarray):
        if value.shape == wanted.shape:
            return ""
        if isinstance(original, list):
            return f"{what} {form(original)}, but not of the length that was asked for."
        return f"{what} {came}, but not of the shape that was asked for."
    if same_form or (is_number(value) and is_number(wanted)):
        return ""
    return f"{what} {came} where {asked} was asked for."


def form(value: Any, sizes: bool = False) -> str:
    """The kind of a value, in words; with `sizes`, also a tensor's shape."""
    if isinstance(value, np.ndarray | np.generic):
        if not value.shape:
            return "a number" if value.dtype.kind in "iuf" else "True or False"
        words = "a tensor" if value.dtype.kind in "iuf" else "a tensor of True and False"
        if sizes:
            return f"{words} of shape {list(value.shape)}"
        return f"{words} with {len(value.shape)} {'axis' if len(value.shape) == 1 else 'axes'}"
    if value is None:
        return "None"
    if isinstance(value, bool):
        return "True or False"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    if isinstance(value, list):
        return "a pair" if len(value) == 2 else "a list or a tuple"
    return "a dict"
