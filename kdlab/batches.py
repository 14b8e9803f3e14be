"""From rows of a data set to a batch.

A row holds ``input_ids``, ``labels`` and what else the model takes, as lists, arrays or tensors.
Rows may differ in length: a batch is padded on one side, and has an ``attention_mask`` if anything
was padded. A label counts only if neither its token nor the token before it is padding, and both
belong to the same text. In a row of several texts, ``position_ids`` begin anew with each text.
Apart from labels, row numbers and masks that change nothing, every field of a batch reaches the
model, or is refused with an error that names the field: see ``kdlab.inputs``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn as nn
from torch import Tensor
from torch.utils.data import ConcatDataset, DataLoader, IterableDataset, Subset

from kdlab.arguments import checked

__all__ = ["Rows", "collate"]

NO_INPUTS = ("labels", "index")
"""Fields of a batch that are not passed to a model: the labels, and the rows' numbers."""

SAID = {"messages", "conversations", "prompt", "completion"}
"""Fields of rows that are still conversations, not yet tokens."""


class Rows(Protocol):
    """A data set that gives rows by number: a list, or a data set of torch or of Hugging Face."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Mapping[str, Any]:
        """The row of that number: its fields by their names."""


@checked
def collate(
    rows: Sequence[Mapping[str, Any]],
    *,
    ignore_index: int = -100,
    labels: bool = True,
    padding_side: str = "right",
) -> dict[str, Tensor]:
    """Rows of any length as one batch.

    Args:
        rows: each ``{"input_ids": [T], "labels": [T], ...}``. If rows differ in length, fields that
            are as long as their row are padded: labels with ``ignore_index``, the others with 0.
            Any other field must have the same shape in all rows.
        ignore_index: the label of positions that do not count: padding, the first token after
            padding, and the first token after another text.
        labels: whether rows must have labels.
        padding_side: ``"right"``, or ``"left"`` for texts that a model is to continue.

    Returns:
        ``{"input_ids": [B, T], "labels": [B, T], ...}``, with an ``attention_mask`` if the rows
        have one or differ in length.

    Raises:
        ValueError: a field, which is named, is missing, holds text, or has a shape that does not
            fit.

    >>> batch = collate([{"input_ids": [1, 2, 3], "labels": [1, 2, 3]},
    ...                  {"input_ids": [4, 5], "labels": [4, 5]}])
    >>> batch["labels"].tolist(), batch["attention_mask"].tolist()
    ([[1, 2, 3], [4, 5, -100]], [[1, 1, 1], [1, 1, 0]])
    """
    if padding_side not in ("left", "right"):
        raise ValueError(f'padding_side must be "left" or "right", got {padding_side!r}')
    if not isinstance(rows, Iterable) or isinstance(rows, Mapping | str):
        raise ValueError(f"rows must be a list of rows, got {type(rows).__name__}")
    read = [_read(row, labels, ignore_index) for row in rows]
    if not read:
        raise ValueError("a batch needs at least one row, got none")
    names = list(read[0])
    for row in read:
        if row.keys() != read[0].keys():
            odd = sorted(row.keys() ^ read[0].keys())
            raise ValueError(f"all rows need the same fields; some lack {', '.join(odd)}")
    lengths = [len(row["input_ids"]) for row in read]
    width = max(lengths)
    if min(lengths) < width and "attention_mask" not in names:
        names.append("attention_mask")
        for row, length in zip(read, lengths, strict=True):
            row["attention_mask"] = row["input_ids"].new_ones(length)
    if padding_side == "left" and "labels" in names:
        for row, length in zip(read, lengths, strict=True):
            first = torch.arange(length) < (length < width)  # no model predicts it from padding
            row["labels"] = row["labels"].masked_fill(first, ignore_index)
    fill = {"labels": ignore_index}
    batch = {}
    for name in names:
        values = [row[name] for row in read]
        along = [v.dim() == 1 and len(v) == n for v, n in zip(values, lengths, strict=True)]
        if all(along):
            sides = [(0, width - n) if padding_side == "right" else (width - n, 0) for n in lengths]
            values = [
                nn.functional.pad(v, side, value=fill.get(name, 0))
                for v, side in zip(values, sides, strict=True)
            ]
        shapes = {tuple(v.shape) for v in values}
        if len(shapes) > 1:
            raise ValueError(
                f"the field {name!r} has the shapes {sorted(shapes)} in rows of "
                f"{sorted(set(lengths))} tokens; it must be as long as its row, or have one shape "
                "in all"
            )
        batch[name] = torch.stack(values)
    return batch


def _read(row: Mapping[str, Any], labels: bool, ignore_index: int) -> dict[str, Tensor]:
    """The fields of a row as tensors, with ``ignore_index`` where no label can count."""
    if not isinstance(row, Mapping):
        raise ValueError(
            f"a row must be a mapping with 'input_ids' and 'labels', got {type(row).__name__}"
            + _how_to_make_rows(row)
        )
    for name in ("input_ids", "labels") if labels else ("input_ids",):
        if name not in row:
            raise ValueError(
                f"a row has no {name!r}, only {', '.join(sorted(map(str, row)))}"
                + (_how_to_label(row) * (name == "labels"))
                + ("; ChatDataset makes rows of conversations" * bool(SAID & row.keys()))
            )
    fields = {name: _tensor(name, value) for name, value in row.items()}
    ids = fields["input_ids"]
    if ids.dim() != 1 or len(ids) == 0:
        raise ValueError(
            f"'input_ids' of a row must be [T], got {list(ids.shape)}"
            + "; a batch of one row is that row's [0]" * (len(ids.shape) == 2 and len(ids) == 1)
        )
    for name in ("labels", "attention_mask"):
        if name in fields and fields[name].shape != ids.shape:
            raise ValueError(
                f"{name!r} of a row must be as long as its {len(ids)} input_ids, got "
                f"{list(fields[name].shape)}"
            )
    for name in ("input_ids", "labels", "position_ids"):
        if name in fields and fields[name].dtype != torch.long:
            raise ValueError(f"{name!r} must be integers, got {fields[name].dtype}")
    mask = fields.get("attention_mask", torch.ones_like(ids))
    odd = mask[(mask != 0) & (mask != 1)]
    if len(odd):
        raise ValueError(
            "'attention_mask' of a row must be 1 where a token is there and 0 where it is not; it "
            f"has {float(odd[0]):g}. Texts that are packed and numbered by it would see each "
            "other: PackedRows keeps them apart"
        )
    if "labels" in fields and "attention_mask" in fields:
        there = fields["attention_mask"].bool()
        there = there & there.roll(1)  # roll wraps, but the first label never counts
        fields["labels"] = fields["labels"].masked_fill(~there, ignore_index)
    positions = fields.get("position_ids")
    if "labels" in fields and positions is not None and positions.shape == ids.shape:
        fields["labels"] = fields["labels"].masked_fill(begins_anew(positions), ignore_index)
    return fields


LEARNED = ("completion_mask", "assistant_masks", "loss_mask")
"""Fields in which other programs mark the tokens to learn; the first two are TRL's."""


def _how_to_label(row: Mapping[str, Any]) -> str:
    mask = next((name for name in LEARNED if name in row), None)
    if mask is None:
        return "; to learn every token, labels are a copy of input_ids"
    return f"; labels are a copy of input_ids, with −100 where {mask!r} is 0"


def _how_to_make_rows(found: Any) -> str:
    if hasattr(found, "columns"):
        return "; a data set of Hugging Face gives mappings with_format(None)"
    if hasattr(found, "messages"):
        return "; ChatDataset makes rows of conversations"
    if isinstance(found, str):
        return "; PackedDataset makes rows of texts"
    if isinstance(found, Tensor | np.ndarray | list):
        return '; of token ids, [{"input_ids": ids, "labels": ids} for ids in data]'
    return ""


def _tensor(name: str, value: Any) -> Tensor:
    if isinstance(value, Tensor):
        whole = not (value.is_floating_point() or value.is_complex() or value.dtype == torch.bool)
        return value.long() if whole else value
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.asarray(None)
    if array.dtype.kind in "US":
        raise ValueError(
            f"the field {name!r} holds text; tokenize it into input_ids and remove the column"
        )
    if array.dtype.kind not in "iufb":
        raise ValueError(
            f"the field {name!r} holds {type(value).__name__} that is no array of numbers"
            + "; remove that column" * (name not in ("input_ids", "labels", "attention_mask"))
        )
    if array.dtype.kind in "iu":  # token ids are often stored in 16 bits
        array = array.astype(np.int64, copy=not array.flags.writeable)
    array = np.require(array, requirements=("C", "W"))  # torch takes no negative strides
    return torch.as_tensor(array, device="cpu")  # whatever the default device is


def parts_of(data: Any) -> list[Any]:
    """The data sets that torch's ``Subset`` and ``ConcatDataset`` wrap; of any other, itself.

    >>> from torch.utils.data import ConcatDataset, Subset
    >>> parts_of(ConcatDataset([Subset([1, 2], [0]), [3]]))
    [[1, 2], [3]]
    """
    if isinstance(data, Subset):
        return parts_of(data.dataset)
    if isinstance(data, ConcatDataset):
        return [part for each in data.datasets for part in parts_of(each)]
    return [data]


def part_of_row(data: Any, i: int) -> Any:
    """The one of :func:`parts_of` from which row ``i`` of ``data`` comes.

    >>> from torch.utils.data import ConcatDataset, Subset
    >>> part_of_row(Subset(ConcatDataset([[1, 2], [3]]), [2, 0]), 0)
    [3]
    """
    if isinstance(data, Subset):
        return part_of_row(data.dataset, data.indices[i])
    if isinstance(data, ConcatDataset):
        at = bisect_right(data.cumulative_sizes, i)
        return part_of_row(data.datasets[at], i - ([0, *data.cumulative_sizes][at]))
    return data


def rows_of_table(data: Any) -> str:
    """How to get rows from a table of pandas, polars or Arrow, in words; empty if it is none."""
    if not hasattr(data, "columns"):
        return ""
    names = {"iloc": 'its to_dict("records")'}
    names |= {"to_dicts": "its to_dicts()", "to_pylist": "its to_pylist()"}
    return next((how for name, how in names.items() if hasattr(data, name)), "")


def check_rows(
    data: Any, name: str = "train", *, ignore_index: int = -100, labels: bool = True
) -> None:
    """Raise ValueError unless ``data`` is a data set that gives rows by number.

    With ``labels``, rows are read until one has a label that counts; it is an error if none has, or
    if labels are shifted already.
    """
    kind = type(data).__name__
    if isinstance(data, Mapping) and "input_ids" in data:
        raise ValueError(
            f"{name} is a {kind} of columns: a data set of rows is needed, "
            "datasets.Dataset.from_dict(columns)"
        )
    if isinstance(data, Mapping):
        raise ValueError(
            f"{name} is a {kind} with {', '.join(map(str, list(data)[:4]))}: a data set of rows is "
            "needed, such as one of its splits"
        )
    if remedy := rows_of_table(data):
        raise ValueError(
            f"{name} is a {kind}, which gives columns: a data set of rows is needed, {remedy}"
        )
    if isinstance(data, DataLoader):
        raise ValueError(f"{name} is a DataLoader; give its data set, and the batch size by itself")
    random_access = hasattr(data, "__len__") and hasattr(data, "__getitem__")
    if not random_access and not isinstance(data, Iterable):
        raise ValueError(
            f"{name} must be a data set of rows, got {kind}"
            + (f"; call it: list({name}())" if callable(data) else f" {data!r:.40}")
        )
    if not random_access or isinstance(data, IterableDataset):
        part = "data.take(10_000)" if hasattr(data, "take") else "itertools.islice(data, 10_000)"
        raise ValueError(
            f"{name} is a {kind}, a stream: an epoch needs rows that are asked for by number. Take "
            f"the part that is needed, list({part})"
        )
    if len(data) == 0:
        raise ValueError(f"{name} has no rows")
    if labels and not any(_labelled(data, i, name, ignore_index) for i in range(len(data))):
        raise ValueError(
            f"no row of {name} has a label other than {ignore_index} after its first token: there "
            "is nothing to learn or to measure"
        )


def _labelled(data: Rows, i: int, name: str, ignore_index: int) -> bool:
    batch = batch_of(data, [i], name, ignore_index=ignore_index)
    ids, labels = batch["input_ids"][0], batch["labels"][0]
    counts = labels[:-1] != ignore_index
    own, following = ((labels[:-1] == ids[part])[counts] for part in (slice(-1), slice(1, None)))
    if len(following) > 1 and following.all() and not own.all():
        raise ValueError(
            f"the labels of row {i} of {name} are shifted already, each to the place of the token "
            "before it: kdlab shifts them once more. A label stands where its own token is, as in "
            "labels that are a copy of input_ids"
        )
    return bool((labels[1:] != ignore_index).any())


def batch_of(
    data: Rows,
    numbers: Sequence[int],
    name: str = "data",
    check: Callable[[dict[str, Tensor]], None] = lambda batch: None,
    **options: Any,
) -> dict[str, Tensor]:
    """The rows with these numbers as one batch, made by :func:`collate`.

    Args:
        data: the data set.
        numbers: the numbers of the rows.
        name: name of the data set, for error messages.
        check: called with the batch; it raises ValueError if something is wrong with the batch.
        options: keyword arguments of :func:`collate`.

    Raises:
        ValueError: a row is wrong, and the message gives its number, from 0; or the rows do not fit
            together.
    """

    def made(numbers: Sequence[int]) -> dict[str, Tensor]:
        batch = collate([data[i] for i in numbers], **options)
        check(batch)
        return batch

    try:
        return made(numbers)
    except ValueError:
        for i in numbers:
            try:
                made([i])
            except ValueError as error:
                raise ValueError(f"row {i} of {name}: {error}") from error
        raise  # each row is right by itself, but not together


def telling_row(data: Rows, at_most: int = 64) -> int:
    """The number of the row on which models are tried before a run.

    It has at least two tokens: one alone does not tell whether a model sees later ones. It is the
    first with padding on the left, among the first ``at_most`` rows; else the first of all; else,
    if none has two tokens, row 0. A row before these that cannot be read is the one, too.
    """
    found = None
    for i in range(len(data)):
        if found is not None and i >= at_most:
            break
        try:
            batch = batch_of(data, [i], labels=False)
        except ValueError:  # raised again, with the number of the row, when the row is needed
            if found is None:
                return i
            continue
        there = batch.get("attention_mask", torch.ones_like(batch["input_ids"]))
        if int(there.sum()) < 2:
            continue
        if i < at_most and padded_left(there):
            return i
        found = i if found is None else found
    return found or 0


def begins_anew(positions: Tensor) -> Tensor:
    """Whether a token begins a text that follows another text ``[..., T]``, by ``position_ids``.

    >>> begins_anew(torch.tensor([0, 1, 2, 0, 1])).tolist()
    [False, False, False, True, False]
    """
    return positions.diff(prepend=positions[..., :1] - 1) <= 0


def holds_several(batch: Mapping[str, Tensor]) -> bool:
    """Whether any row of a batch holds several texts; padding does not count as a text."""
    ids, positions = batch["input_ids"], batch.get("position_ids")
    if positions is None or positions.shape != ids.shape:
        return False
    there = batch.get("attention_mask", torch.ones_like(ids)).bool()
    return bool((begins_anew(positions) & there & there.roll(1, -1)).any())


def padded_left(mask: Tensor) -> bool:
    """Whether in any row of a mask ``[B, T]`` a token comes after padding."""
    return bool((mask[:, 1:].bool() & ~mask[:, :-1].bool()).any())
