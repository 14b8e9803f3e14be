"""Several texts packed into a row, each read as if it were alone, to save padding.

A packed row has ``position_ids`` that begin anew with each text. Most models of transformers, and
:class:`kdlab.TinyGPT`, infer from them where a text begins, and let no text see another. A
model is tried before it reads packed rows, and is refused if it cannot keep texts apart. Mamba, for
example, cannot: its state runs on from one text to the next.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor
from torch.utils.data import Dataset

from kdlab.arguments import checked
from kdlab.batches import NO_INPUTS, batch_of, check_rows, holds_several, parts_of
from kdlab.causality import RULED_OUT, finite
from kdlab.devices import device_of
from kdlab.heads import unchanged
from kdlab.inputs import forward_takes, model_inputs
from kdlab.models import logits_of
from kdlab.modes import in_turn

__all__ = ["PackedRows"]


@checked
class PackedRows(Dataset[dict[str, Tensor]]):
    """Rows of unequal length, packed into rows of one length.

    The rest of a packed row is filled with token 0, as one more text whose labels do not count. The
    first label of any text does not count either: the token before it belongs to another text.

    Args:
        data: rows ``{"input_ids": [T], "labels": [T]}``, such as a :class:`kdlab.ChatDataset`;
            tokens that their ``attention_mask`` hides are left out.
        block_size: number of tokens in each packed row.

    Raises:
        ValueError: a row is longer than ``block_size``, has other fields, or has no token that its
            ``attention_mask`` shows; or no row has a label that counts.

    >>> rows = [{"input_ids": torch.arange(n), "labels": torch.arange(n)} for n in (3, 5, 2)]
    >>> data = PackedRows(rows, 5)
    >>> [row["position_ids"].tolist() for row in data]
    [[0, 1, 2, 3, 4], [0, 1, 2, 0, 1]]
    >>> data[1]["labels"].tolist()
    [-100, 1, 2, -100, 1]
    """

    def __init__(self, data: Any, block_size: int):
        check_rows(data, "data")
        self.data = data
        self.block_size = block_size
        self.report = getattr(data, "report", None)
        self.tokenizer_sha256 = getattr(data, "tokenizer_sha256", None)
        lengths = [len(self._text(i)[0]) for i in range(len(self.data))]
        if max(lengths) > block_size:
            raise ValueError(
                f"a row of {max(lengths)} tokens does not fit a packed one of {block_size}; take "
                f"ChatDataset(..., max_length={block_size}), or a larger block_size"
            )
        self.members = _fitted(lengths, block_size)

    def __len__(self) -> int:
        return len(self.members)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        ids, labels = map(list, zip(*map(self._text, self.members[index]), strict=True))
        for each in labels:
            each[0] = -100
        filler = ids[0].new_zeros(self.block_size - sum(map(len, ids)))
        return {
            "input_ids": torch.cat([*ids, filler]),
            "labels": torch.cat([*labels, filler - 100]),
            "position_ids": torch.cat(
                [torch.arange(len(text), device=text.device) for text in (*ids, filler)]
            ),
        }

    def _text(self, i: int) -> tuple[Tensor, Tensor]:
        """The ids and the labels of a row, without padding."""
        batch = batch_of(self.data, [i])
        if odd := batch.keys() - {*NO_INPUTS, "input_ids", "attention_mask"}:
            raise ValueError(
                f"a row has {min(odd)!r}, which would be lost in a packed one; remove that column"
            )
        ids = batch["input_ids"][0]
        there = batch.get("attention_mask", torch.ones_like(batch["input_ids"]))[0].bool()
        if not there.any():
            raise ValueError(f"row {i} of data: its attention_mask hides every token")
        return ids[there], batch["labels"][0][there]


def _fitted(lengths: list[int], size: int) -> list[list[int]]:
    """The rows of each block, by best fit: longest first, each where it leaves the least room."""
    room: list[tuple[int, int]] = []  # sorted: the room left, and the block's index
    blocks: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        place = bisect_left(room, (lengths[i], -1))
        left, block = room.pop(place) if place < len(room) else (size, len(blocks))
        if block == len(blocks):
            blocks.append([])
        blocks[block].append(i)
        insort(room, (left - lengths[i], block))
    return blocks


def is_packed(data: Any) -> bool:
    """Whether any row of a data set holds several texts."""
    return any(map(_holds_packed, parts_of(data)))


def _holds_packed(data: Any) -> bool:
    """Whether any row holds several texts; False as soon as a row has no ``position_ids``."""
    if isinstance(data, PackedRows):
        return True
    for i in range(len(data)):
        batch = batch_of(data, [i], labels=False)
        if "position_ids" not in batch:
            return False
        if holds_several(batch):
            return True
    return False


@torch.no_grad()
def check_packing(model: nn.Module) -> None:
    """Raise ValueError if packed texts see each other in a model, or get other positions.

    The logits of a short text must be the same alone and behind either of two other texts. A model
    that takes ``position_ids`` may still fail: GPT-OSS of transformers 5.23 makes its masks without
    them, and is refused.

    >>> from kdlab import TinyGPT
    >>> check_packing(TinyGPT("tiny-student", vocab_size=8))
    """
    kind = type(model).__name__
    names, everything = forward_takes(model)
    if "position_ids" not in names and not everything:
        raise ValueError(
            f"{kind} takes no 'position_ids', so that packed texts would see each other in it; do "
            "not pack them: padding is done by kdlab"
        )
    device = device_of(model)
    first, other, text = [0, 1, 1, 0, 1], [1, 0, 0, 1, 1], [0, 1, 0, 0, 1, 1]

    def asked(*texts: list[int]) -> Tensor:
        """The logits of the last text."""
        ids = torch.tensor([[i for each in texts for i in each]], device=device)
        positions = [i for each in texts for i in range(len(each))]
        batch = {"input_ids": ids, "position_ids": torch.tensor([positions], device=device)}
        return finite(logits_of(model, **model_inputs(model, batch))[0, -len(texts[-1]) :])

    with in_turn(model), unchanged(model):
        model.eval()
        alone, packed, beside = asked(text), asked(first, text), asked(other, text)
    dtype = next(model.parameters()).dtype
    size = alone.where(alone > RULED_OUT, 0).abs().max()
    rounding = 100 * torch.finfo(dtype).eps
    # Texts of the same lengths are rounded alike, whatever they say: of right models in bfloat16
    # the first difference is 0, and of GPT-OSS, whose packed texts see each other, a fortieth.
    other_text = (packed - beside).abs().max() > min(rounding, 1 / 64) * size
    if other_text or (packed - alone).abs().max() > min(rounding, 1 / 8) * size:
        raise ValueError(
            f"packed texts see each other in {kind}, or stand at other positions there; do not "
            "pack them: padding is done by kdlab"
        )
