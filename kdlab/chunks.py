"""How many positions of the linear objective have logits at once, and where those are made."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# For the logits of a chunk, both models together, unless chunk_size is given. On a GPU, fewer at
# once read and write the gradient of the head more often.
_LOGIT_BYTES = {"cpu": 2**27, "cuda": 7 * 2**27}
# A quarter of the logits of few positions at a time, unless that is less than this.
_LEAST_BYTES = 2**23
# The C library of Linux gives a block back to the system if it has this size; what is not written
# to takes no memory.
_GIVEN_BACK_BYTES = 2**25


def workspace(
    hidden: Tensor, models: int, size: int, vocabulary: int, dtype: torch.dtype
) -> Tensor:
    """Where the logits of a chunk are made, ``[models, size, V]``."""
    number = models * size * vocabulary
    enough = number
    if hidden.device.type == "cpu" and number * dtype.itemsize >= _LEAST_BYTES:
        enough = max(number, _GIVEN_BACK_BYTES // dtype.itemsize + 1)
    return hidden.new_empty(enough, dtype=dtype)[:number].view(models, size, vocabulary)


def chunk_size(
    number: int, vocabulary: int, dtype: torch.dtype, device: str, asked: int | None
) -> int:
    """Positions per chunk: as asked or as memory allows, and the last chunk no mere remainder."""
    memory = _LOGIT_BYTES.get(device, _LOGIT_BYTES["cuda"])
    size = asked or max(16, memory // (2 * dtype.itemsize * vocabulary))
    if asked is None and device == "cpu":
        parts = min(4, number * 2 * dtype.itemsize * vocabulary // _LEAST_BYTES)
        size = min(size, math.ceil(number / max(1, parts))) or 1
    chunks = max(1, math.ceil(number / size))
    return max(1, math.ceil(number / chunks))
