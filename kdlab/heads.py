"""A model's head, and how to leave it out of a forward pass.

The linear objective needs what a model's head is given, its last hidden states. The model itself is
called, with all that was wrapped around it, hooked into it or adapted in it; for that call its head
returns what it is given. Whatever comes back is hidden states if, and only if, the model does
nothing to its logits once its head has made them: :func:`without_head` looks.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
import torch.nn as nn
from torch import Tensor

from kdlab.devices import kept_random_state

__all__ = ["find_head", "left_out", "unchanged", "without_head"]


def find_head(model: nn.Module) -> nn.Linear | str:
    """A model's linear head; or, in words, why it shows none that could be left out."""
    head: Any
    try:
        head = cast(Any, model).get_output_embeddings()
    except (AttributeError, NotImplementedError):
        head = getattr(model, "lm_head", None)
    kind = type(model).__name__
    if head is None:
        return f"{kind} shows no head, neither by get_output_embeddings() nor as lm_head"
    if not isinstance(head, nn.Linear) or type(head).forward is not nn.Linear.forward:
        return f"the head of {kind} is a {type(head).__name__}, not a plain nn.Linear"
    if "forward" in vars(head):
        return f"the forward of {kind}'s head was replaced, as a device_map does"
    hooks = len(head._forward_hooks) + len(head._forward_pre_hooks)
    if hooks > (2 if isinstance(head, torch.distributed.fsdp.FSDPModule) else 0):
        return f"the head of {kind} has forward hooks"
    if not head.weight.is_floating_point():
        return f"the head of {kind} is stored as {head.weight.dtype}"
    return head


@contextmanager
def left_out(head: nn.Linear) -> Iterator[None]:
    """While it lasts, the head returns what it is given.

    >>> model = nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 10))
    >>> with left_out(model[1]):
    ...     model(torch.tensor([[1, 2, 3]])).shape
    torch.Size([1, 3, 4])
    """
    cast(Any, head).forward = _as_given  # always the same function: torch.compile compiles it once
    try:
        yield
    finally:
        del head.forward


def _as_given(hidden: Tensor) -> Tensor:
    return hidden


def without_head(ask: Callable[[], Any], head: nn.Linear) -> Tensor | str:
    """Hidden states in place of logits; or, in words, why they are not what the head is given.

    Args:
        ask: asks the model, or a teacher that holds it, and returns the logits ``[B, T, V]`` of all
            positions or of the first ones. It is called once, with the head left out.
        head: the model's.

    Returns:
        ``[B, T, d]``, the last hidden states, if what came back is exactly what the head was given:
        the same memory, not written to since.
    """
    given: list[tuple[Tensor, int]] = []

    def noted(hidden: Tensor) -> Tensor:
        given.append((hidden, hidden._version))
        return hidden

    cast(Any, head).forward = noted
    try:
        answer: Tensor = ask()
    except Exception:  # with hidden states for logits anything can fail; without, the loop says it
        return "its forward pass needs the logits"
    finally:
        del head.forward
    if len(given) != 1:
        return f"its head is called {len(given)} times in a forward pass"
    ((hidden, version),) = given
    as_given = (
        isinstance(answer, Tensor)
        and answer.dim() == hidden.dim() == 3
        and answer.shape[1] <= hidden.shape[1]
        and answer.shape[::2] == hidden.shape[::2]
        and answer.dtype == hidden.dtype
        and answer.stride() == hidden.stride()
        and answer.data_ptr() == hidden.data_ptr()
        and answer._version == version
    )
    if not as_given:
        return "it does more to its logits than to multiply by its head (a cap, a scale, a cast)"
    return answer


@contextmanager
def unchanged(*models: nn.Module) -> Iterator[None]:
    """What runs inside leaves no trace: modes, buffers, attributes and draws are put back."""
    modules = {id(m): m for model in models for m in model.modules()}.values()
    attributes = [(m, copy.copy(vars(m)), dict(m._buffers)) for m in modules]
    values = [(b, b.clone()) for _, _, found in attributes for b in found.values() if b is not None]
    with kept_random_state(), torch.no_grad():
        try:
            yield
        finally:
            for module, found, buffers in attributes:
                vars(module).clear()
                vars(module).update(found)
                module._buffers.clear()
                module._buffers.update(buffers)
            for buffer, value in values:
                buffer.copy_(value)
