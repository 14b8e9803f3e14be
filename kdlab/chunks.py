"""How many positions of the linear objective have logits at once, and the memory for those."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Memory for the logits of a chunk, both models together, unless chunk_size is given. It is larger
# on a GPU: more chunks would read and write the gradient of the head more often.
_LOGIT_BYTES = {"cpu": 2**27, "cuda": 7 * 2**27}
# On a CPU, even few positions are divided into up to four chunks, each with at least this memory.
_LEAST_BYTES = 2**23
# A block above this size is returned to the system by the C library of Linux when it is freed. The
# part of a block that is never written to takes no memory.
_GIVEN_BACK_BYTES = 2**25


def workspace(
    hidden: Tensor, models: int, size: int, vocabulary: int, dtype: torch.dtype
) -> Tensor:
    """Memory for the logits of a chunk, ``[models, size, V]``, with undefined values."""
    number = models * size * vocabulary
    enough = number
    if hidden.device.type == "cpu" and number * dtype.itemsize >= _LEAST_BYTES:
        enough = max(number, _GIVEN_BACK_BYTES // dtype.itemsize + 1)
    return hidden.new_empty(enough, dtype=dtype)[:number].view(models, size, vocabulary)


def chunk_size(
    number: int, vocabulary: int, dtype: torch.dtype, device: str, asked: int | None
) -> int:
    """Positions per chunk, at most ``asked`` or what fits in memory; chunks are about equal."""
    memory = _LOGIT_BYTES.get(device, _LOGIT_BYTES["cuda"])
    size = asked or max(16, memory // (2 * dtype.itemsize * vocabulary))
    if asked is None and device == "cpu":
        parts = min(4, number * 2 * dtype.itemsize * vocabulary // _LEAST_BYTES)
        size = min(size, math.ceil(number / max(1, parts))) or 1
    chunks = max(1, math.ceil(number / size))
    return max(1, math.ceil(number / chunks))
