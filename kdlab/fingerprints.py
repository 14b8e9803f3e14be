"""Fingerprints, by which models are recognised."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from functools import partial
from typing import Any, cast

import torch
import torch.nn as nn
from accelerate.utils import align_module_device
from torch import Tensor


def model_sha256(model: nn.Module, at_most: int | None = None) -> str:
    """A fingerprint of a model's weights, wherever they are.

    With ``at_most``, only some values of each tensor are read: see :func:`tensors_sha256`.
    """
    with _kept(model) as rounded:
        state = model.state_dict()
    for name, value in state.items():
        if isinstance(value, Tensor) and value.is_meta:
            state[name] = partial(_fetched, model, *name.rpartition(".")[::2])
    return tensors_sha256(
        {name: value for name, value in state.items() if not name.startswith(rounded)}, at_most
    )


def _fetched(model: nn.Module, path: str, name: str) -> Tensor:
    """A weight that Accelerate has offloaded, to memory or to a disk."""
    part = model.get_submodule(path)
    with align_module_device(part, torch.device("cpu")):
        weight: Tensor = getattr(part, name).detach()
        return weight.clone()  # afterwards its module no longer holds it


@contextmanager
def _kept(model: nn.Module) -> Iterator[tuple[str, ...]]:
    """Keep 4-bit weights of bitsandbytes as they are; yield the prefixes of their scales' names.

    On processors with AVX512-BF16, bitsandbytes stores these weights in another order once they are
    used, with their scales in bfloat16. Its state_dict puts the order back, in the model itself.
    The model would answer differently after each fingerprint, and before its first use it would
    have another fingerprint.
    """
    found = [
        (weight, weight.data, weight.quant_state, copy(vars(weight.quant_state)), f"{name}.weight.")
        for name, part in model.named_modules()
        if getattr(part, "support_avx512bf16_for_cpu", False)
        and hasattr(weight := cast(Any, part).weight, "quant_state")
        and weight.device.type == "cpu"
    ]
    try:
        yield tuple(prefix for *_, prefix in found)
    finally:
        for weight, data, scales, content, _ in found:
            weight.data, weight.quant_state = data, scales
            vars(scales).update(content)


def tensors_sha256(tensors: Mapping[str, Any], at_most: int | None = None) -> str:
    """A fingerprint of tensors by name, or of tuples of tensors, as quantised weights are kept.

    A function that fetches a tensor may stand in its place. With ``at_most``, values of a larger
    tensor are read at even distances, always fewer than twice ``at_most``.
    """
    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        for tensor in value if isinstance(value, tuple) else (value,):
            found = tensor() if callable(tensor) else tensor
            if isinstance(found, Tensor):
                _add(digest, name, found, at_most)
    return digest.hexdigest()


def _add(digest: Any, name: str, tensor: Tensor, at_most: int | None) -> None:
    if hasattr(tensor, "full_tensor"):  # sharded over processes, which must all call this
        tensor = tensor.full_tensor()
    if hasattr(tensor, "__tensor_flatten__"):  # made of several tensors, as torchao's are
        for part in tensor.__tensor_flatten__()[0]:
            _add(digest, f"{name}.{part}", getattr(tensor, part), at_most)
        return
    digest.update(f"{name} {tuple(tensor.shape)}".encode())
    if tensor.is_meta:  # it has no values: name and shape must do
        return
    values = tensor.detach()
    values = (values.dequantize() if values.is_quantized else values).reshape(-1)
    if at_most is not None:
        values = values[:: max(1, len(values) // at_most)]
    digest.update(values.cpu().contiguous().view(torch.uint8).numpy().tobytes())
