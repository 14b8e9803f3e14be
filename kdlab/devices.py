"""Where a run computes, and the random draws around it."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import torch
import torch.nn as nn
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState

__all__ = [
    "check_device",
    "kept_random_state",
    "make_accelerator",
    "moved",
    "resolve_device",
    "stays",
]

Module = TypeVar("Module", bound=nn.Module)


def check_device(device: str) -> None:
    """Raise ValueError if this is no device that a run can ask for."""
    if device not in ("auto", "cpu"):
        raise ValueError(
            f'device must be "auto" or "cpu", got {device!r}; one GPU of several is chosen by the '
            "environment, for the second: CUDA_VISIBLE_DEVICES=1"
        )


def resolve_device(device: str) -> torch.device:
    """The device that ``"auto"`` or ``"cpu"`` is in this process."""
    check_device(device)
    # Accelerate keeps the device that it was first asked for. Where several processes train
    # together, it is theirs to keep.
    if not torch.distributed.is_initialized():
        PartialState._reset_state()
    resolved: torch.device = PartialState(cpu=device == "cpu").device
    return resolved


def moved(model: Module, device: torch.device | str) -> Module:
    """A model on a device; one that is spread over devices, or quantised, stays where it is."""
    return model if stays(model) else model.to(device)


def stays(model: nn.Module) -> bool:
    """Whether a model is spread over several devices, or quantised: it cannot be moved."""
    spread = len(getattr(model, "hf_device_map", None) or ()) > 1
    return spread or bool(getattr(model, "is_quantized", False))


def make_accelerator(device: str, mixed_precision: str, options: Mapping[str, Any]) -> Accelerator:
    """Accelerate on a device, with a user's own options."""
    # At each checkpoint Accelerate warns that weights which are tied are saved once.
    logging.getLogger("accelerate.utils.other").setLevel(logging.ERROR)
    resolve_device(device)
    # Accelerate keeps the precision of the first Accelerator of a process for all that follow.
    AcceleratorState._reset_state()
    return Accelerator(cpu=device == "cpu", mixed_precision=mixed_precision, **options)


@contextmanager
def kept_random_state() -> Iterator[None]:
    """Whatever is drawn or seeded inside, the draws that follow are as if it had not been.

    >>> _ = torch.manual_seed(0)
    >>> with kept_random_state():
    ...     _ = torch.manual_seed(7)
    >>> torch.initial_seed()
    0
    """
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    devices = range(torch.accelerator.device_count()) if found else ()
    try:
        with torch.random.fork_rng(devices, device_type=found.type if found else "cuda"):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
