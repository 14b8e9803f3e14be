"""By what models are known again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor


def model_sha256(model: nn.Module, at_most: int | None = None) -> str:
    """A fingerprint of a model's weights, wherever they are; of so many of each tensor at most."""
    return tensors_sha256(model.state_dict(), at_most)


def tensors_sha256(tensors: Mapping[str, Any], at_most: int | None = None) -> str:
    """The same of tensors by their names, or of tuples of them, as quantised weights are kept."""
    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        for tensor in value if isinstance(value, tuple) else (value,):
            if isinstance(tensor, Tensor):
                _add(digest, name, tensor, at_most)
    return digest.hexdigest()


def _add(digest: Any, name: str, tensor: Tensor, at_most: int | None) -> None:
    if hasattr(tensor, "full_tensor"):  # it is sharded over processes, which all do this
        tensor = tensor.full_tensor()
    if hasattr(tensor, "__tensor_flatten__"):  # made of several, as torchao's quantised ones are
        for part in tensor.__tensor_flatten__()[0]:
            _add(digest, f"{name}.{part}", getattr(tensor, part), at_most)
        return
    digest.update(f"{name} {tuple(tensor.shape)}".encode())
    if tensor.is_meta:  # on a disk: its name and shape must do
        return
    values = tensor.detach()
    values = (values.dequantize() if values.is_quantized else values).reshape(-1)
    if at_most is not None:
        values = values[:: max(1, len(values) // at_most)]
    digest.update(values.cpu().contiguous().view(torch.uint8).numpy().tobytes())
