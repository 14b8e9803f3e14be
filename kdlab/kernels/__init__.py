"""How the terms of the linear objective are computed: in PyTorch, or in Triton on a GPU.

In PyTorch, each operation between a chunk's logits and their gradient reads and writes all of the
logits. The kernel, in ``kdlab.kernels.in_triton``, reads the logits of both models twice, or three
times for the total variation, the Jensen–Shannon divergence and the skew KLs. It writes the
gradient once, in the dtype of the matrix products that follow. If the teacher gives only its
likeliest tokens, the student's logits alone are read, twice, and their gradient is written once.

For forward KL, computing the terms and their gradient from ready logits took 40 ms in PyTorch,
25 ms in PyTorch with ``torch.compile`` and 6 ms in the kernel (an H100, 7,022 positions, a
vocabulary of 128,256).

On a CUDA device Triton takes the place of PyTorch wherever it is installed and can compile, for
float32 logits and the divergences of this library. The environment variable ``KDLAB_TRITON=0``
switches it off. ``KDLAB_TRITON=1`` asks for it on other devices, too, such as a CPU with Triton's
interpreter. Where Triton is wanted by these rules, a run's summary says in ``path`` whether it is
used, and if not, why.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache, partial
from importlib.util import find_spec
from typing import Any, NamedTuple

import torch
from torch import Tensor

from kdlab import divergences
from kdlab.divergences import Divergence, Kernel, kernel_of


class Terms(NamedTuple):
    """What the LM and KD terms are computed from, besides logits and labels."""

    kernel: Kernel  # of the divergence
    temperature: float
    kd_scale: float  # what the divergence is multiplied by: T², or 1
    lm_weight: float
    kd_weight: float


Compute = Callable[
    [Tensor, Any, Tensor, Terms, torch.dtype | None], tuple[Tensor, Tensor, Tensor | None]
]
"""Computes the LM and KD terms of a chunk, and the gradient of their weighted sum.

It takes the student's logits ``[n, V]``; the teacher's logits, a TopK or None; labels ``[n]``; the
Terms; and the dtype of the products that the gradient enters, or None for no gradient. It returns
the LM terms ``[n]``; the KD terms ``[n]``, times ``kd_scale``; and the gradient ``[n, V]`` to the
student's logits, in their memory, or None. It may overwrite the logits of both models in any case.
"""


def asked_for() -> bool | None:
    """What ``KDLAB_TRITON`` asks for: True for 1, False for 0, None if it is unset or empty.

    Raises:
        ValueError: ``KDLAB_TRITON`` has any other value.
    """
    value = os.environ.get("KDLAB_TRITON", "")
    if value not in ("", "0", "1"):
        raise ValueError(f"KDLAB_TRITON must be 1 or 0, got {value!r}")
    return bool(int(value)) if value else None


def chosen(device: torch.device, dtype: torch.dtype, kernel: Kernel, top_k: bool) -> Compute:
    """The function that computes the terms: Triton's where wanted and possible, else PyTorch's."""
    if _wanted(device) and why_not(device, dtype, kernel, top_k) is None:
        from kdlab.kernels import in_triton

        compute: Compute = in_triton.terms
        return compute
    from kdlab.kernels import in_pytorch

    return in_pytorch.terms


def _wanted(device: torch.device) -> bool:
    asked = asked_for()
    return device.type == "cuda" if asked is None else asked


def why_not(device: torch.device, dtype: torch.dtype, kernel: Kernel, top_k: bool) -> str | None:
    """Why the Triton kernels cannot take these logits, in words; None if they can.

    Args:
        device: the device of the logits.
        dtype: the dtype of the logits.
        kernel: the kernel of the divergence, from :mod:`kdlab.divergences`.
        top_k: whether the teacher gives only its likeliest tokens.
    """
    if dtype != torch.float32:
        return f"it takes float32 logits, and these are {str(dtype).removeprefix('torch.')}"
    if not _installed():
        return "it is not installed"
    from kdlab.kernels.triton_divergences import INTERPRETED, TOTALS

    if device.type != "cuda" and not INTERPRETED:
        return f"it needs a CUDA device, and this is {device.type}"
    name, _ = named(kernel)
    if not top_k and name not in TOTALS:
        return f"{name} is not written there"
    return _fails(device)


def in_words(device: torch.device, divergence: Divergence, top_k: bool) -> str:
    """What a run's ``path`` says about Triton if Triton is wanted; otherwise the empty text."""
    if not _wanted(device):
        return ""
    why = why_not(device, torch.float32, kernel_of(divergence), top_k)
    return f", not in Triton ({why})" if why else ", in Triton"


@cache
def _installed() -> bool:
    return find_spec("triton") is not None


@cache
def _fails(device: torch.device) -> str | None:
    """Why no kernel runs on a device, in words, such as a missing C compiler; None if one runs."""
    from kdlab.kernels import in_triton

    try:
        in_triton.attempt(device)
    except Exception as error:  # of any class: a compiler, a linker or a driver may fail
        return f"it does not work here: {(str(error) or repr(error)).splitlines()[0]}"
    return None


def named(kernel: Kernel) -> tuple[str, float]:
    """The name of a kernel of :mod:`kdlab.divergences`, and the β or α bound to it; 0 if none is.

    The name of a kernel from elsewhere begins with its module.
    """
    function, options = kernel, (0.0,)
    if isinstance(kernel, partial):
        function, options = kernel.func, tuple(kernel.keywords.values())
    name = getattr(function, "__name__", type(function).__name__)
    if getattr(divergences, name, None) is not function:
        name = f"{function.__module__}.{name}"
    return name, options[0]
