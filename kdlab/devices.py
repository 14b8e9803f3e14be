"""Where a run computes, and the random draws around it."""

from __future__ import annotations

import os
import platform
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
import torch.nn as nn
from accelerate.state import AcceleratorState, GradientState, PartialState

Module = TypeVar("Module", bound=nn.Module)


def check_device(device: str) -> None:
    """Raise ValueError if a device is neither ``"auto"`` nor ``"cpu"``."""
    if device not in ("auto", "cpu"):
        raise ValueError(
            f'device must be "auto" or "cpu", got {device!r}; one GPU of several is chosen by the '
            "environment, for the second: CUDA_VISIBLE_DEVICES=1"
        )


def resolve_device(device: str) -> torch.device:
    """The device that ``"auto"`` or ``"cpu"`` stands for in this process."""
    check_device(device)
    with own_accelerate_state():
        resolved: torch.device = PartialState(cpu=device == "cpu").device
    return resolved


def moved(model: Module, device: torch.device | str) -> Module:
    """Move a model to a device; if it is spread over devices or quantised, leave it."""
    return model if stays(model) else model.to(device)


def stays(model: nn.Module) -> bool:
    """Whether a model cannot be moved: it is spread over several devices, or quantised."""
    spread = len(getattr(model, "hf_device_map", None) or ()) > 1
    spread = spread or any(weight.is_meta for weight in model.parameters())  # offloaded
    return spread or bool(getattr(model, "is_quantized", False))


def device_of(model: nn.Module) -> torch.device:
    """Where a model takes its inputs: on the device of its first weight that is in memory.

    >>> device_of(nn.Linear(2, 2))
    device(type='cpu')
    """
    held = (weight.device for weight in model.parameters() if not weight.is_meta)
    return next(held, torch.device("cpu"))


OF_ACCELERATE = ("ACCELERATE_", "PYTORCH_ENABLE_MPS_FALLBACK")
"""Prefixes of the environment variables that an Accelerator sets for the whole process."""


@contextmanager
def own_accelerate_state() -> Iterator[None]:
    """Inside, Accelerate begins anew; afterwards, what it keeps for the whole process is restored.

    Accelerate keeps the device and the precision of the first Accelerator for all later ones, also
    for those that a user makes before or after a run. An Accelerator that is made inside keeps its
    own for good. The connection between processes that train together is not forgotten.

    >>> from accelerate import Accelerator
    >>> mine = Accelerator(cpu=True, mixed_precision="bf16")
    >>> with own_accelerate_state():
    ...     ours = Accelerator(cpu=True, mixed_precision="no")
    >>> mine.mixed_precision, ours.mixed_precision
    ('bf16', 'no')
    """
    kinds: tuple[type, ...] = (PartialState, AcceleratorState, GradientState)
    before = {kind: vars(kind)["_shared_state"] for kind in kinds}
    variables = _variables_of_accelerate()
    joined = torch.distributed.is_initialized()
    for kind in kinds:  # instances that exist already keep theirs
        together = joined and kind is PartialState
        kind._shared_state = dict(PartialState._shared_state) if together else {}  # type: ignore[attr-defined]
    try:
        yield
    finally:
        if torch.distributed.is_initialized() and not joined:
            del before[PartialState]
        for kind, state in before.items():
            kind._shared_state = state  # type: ignore[attr-defined]
        for name in _variables_of_accelerate():
            del os.environ[name]
        os.environ.update(variables)


def _variables_of_accelerate() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(OF_ACCELERATE)}


@contextmanager
def kept_random_state() -> Iterator[None]:
    """Restore the random states afterwards, whatever was drawn or seeded inside.

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


def machine() -> dict[str, Any]:
    """What a run's time depends on: the processor, its cores, the GPU if there is one."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def _processor() -> str:
    """The processor's name, as far as the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
