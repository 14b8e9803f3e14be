"""A model's head, and how to leave it out of a forward pass.

The linear objective needs what a model's head is given, its last hidden states. The model itself is
called, with all that was wrapped around it, hooked into it or adapted in it; for that call its head
returns what it is given. Whatever comes back is hidden states if, and only if, the model does
nothing to its logits once its head has made them: :func:`why_not_left_out` looks before a run, and
:func:`hidden_of` each time.
"""

from __future__ import annotations

import copy
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, cast

import torch
import torch.nn as nn
from torch import Tensor
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor
from torch.utils._python_dispatch import TorchDispatchMode

from kdlab.devices import kept_random_state

PLAIN = (Tensor, nn.Parameter)

TURNS = threading.RLock()  # threads may share a model, and it has one head


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
        named = type(head).__name__
        if named == "Linear":  # PEFT's is called so too
            named = f"{type(head).__module__.partition('.')[0]}.Linear"
        return f"the head of {kind} is a {named}, not a plain nn.Linear"
    if "forward" in vars(head):
        return f"the forward of {kind}'s head was replaced, as a device_map does"
    hooks = len(head._forward_hooks) + len(head._forward_pre_hooks)
    if hooks > (2 if isinstance(head, FSDPModule) else 0):
        return f"the head of {kind} has forward hooks"
    if not head.weight.is_floating_point():
        return f"the head of {kind} is stored as {head.weight.dtype}"
    if not isinstance(head.weight, DTensor) and type(head.weight) not in PLAIN:
        return f"the weight of {kind}'s head is a {type(head.weight).__name__}, not a plain tensor"
    return head


@contextmanager
def left_out(head: nn.Linear) -> Iterator[None]:
    """While it lasts, the head returns what it is given.

    >>> model = nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 10))
    >>> with left_out(model[1]):
    ...     model(torch.tensor([[1, 2, 3]])).shape
    torch.Size([1, 3, 4])
    """
    with _replaced(head, _as_given):  # always the same function: torch.compile compiles it once
        yield


@contextmanager
def _replaced(head: nn.Linear, forward: Callable[[Tensor], Tensor]) -> Iterator[None]:
    cast(Any, head).forward = forward
    try:
        yield
    finally:
        del head.forward


def _as_given(hidden: Tensor) -> Tensor:
    return hidden


class DoesMore(ValueError):
    """A model does more to its logits than it did when it was first asked."""


def hidden_of(ask: Callable[[], Any], head: nn.Linear) -> Tensor:
    """What a model's head is given: its answer while the head is left out.

    Args:
        ask: asks the model, or a teacher that holds it, for logits.
        head: the model's.

    Raises:
        DoesMore: the model does more to its logits, this time, than to multiply by its head.
    """
    given: list[tuple[Tensor, int]] = []
    here = threading.get_ident()

    def noted(hidden: Tensor) -> Tensor:
        if not torch.compiler.is_compiling() and threading.get_ident() != here:
            return nn.Linear.forward(head, hidden)
        given.append((hidden, hidden._version))
        return hidden

    with TURNS, _replaced(head, noted):
        answer = ask()
    if len(given) != 1 or not _as_it_was(answer, *given[0]):
        raise DoesMore(
            "a model does more to its logits than when it was first asked, so they cannot be left "
            "out; use TrainConfig(linear_objective=False)"
        )
    hidden: Tensor = answer
    return hidden


def why_not_left_out(ask: Callable[[], Any], head: nn.Linear) -> str | None:
    """In words, why a model's logits are not exactly what its head returned; None if they are.

    Args:
        ask: asks the model, or a teacher that holds it, and returns the logits ``[B, T, V]`` of all
            positions or of the first ones. It is called once, as it is: one row is enough.
        head: the model's.
    """
    returned: list[tuple[Tensor, int]] = []

    def noted(hidden: Tensor) -> Tensor:
        logits = nn.Linear.forward(head, hidden)
        returned.append((logits, logits._version))
        return logits

    with _replaced(head, noted):
        answer = ask()
    if len(returned) != 1:
        return f"its head is called {len(returned)} times in a forward pass"
    if not _as_it_was(answer, *returned[0]):
        return "it does more to its logits than to multiply by its head (a cap, a scale, a cast)"
    return None


def _as_it_was(answer: Any, returned: Tensor, version: int) -> bool:
    """Whether an answer is what a head returned, or its first positions, and nobody wrote to it."""
    return (
        isinstance(answer, Tensor)
        and answer.dim() == returned.dim() == 3
        and answer.shape[1] <= returned.shape[1]
        and answer.shape[::2] == returned.shape[::2]
        and answer.dtype == returned.dtype
        and answer.stride() == returned.stride()
        and answer.data_ptr() == returned.data_ptr()
        and answer._version == version
    )


@contextmanager
def unchanged(*models: nn.Module) -> Iterator[None]:
    """What runs inside leaves no trace: in weights, buffers, attributes, modes, hooks and draws."""
    modules = {id(m): m for model in models for m in model.modules()}.values()
    attributes = [(m, copy.copy(vars(m))) for m in modules]
    contents = [
        (value, copy.copy(value))
        for _, found in attributes
        for name, value in found.items()
        if isinstance(value, list | dict | set) and name not in ("_parameters", "_modules")
    ]
    draws = [
        (value, value.get_state())
        for _, found in attributes
        for value in found.values()
        if isinstance(value, torch.Generator)
    ]
    buffers = [(b, b.clone()) for m in modules for b in m._buffers.values() if b is not None]
    written = _WrittenTo(p for m in modules for p in m._parameters.values() if p is not None)
    # What is compiled runs as it is written: PyTorch compiles nothing beside what looks on. Its
    # compiler takes seconds to import, and whatever is compiled has imported it.
    compiles = "torch._dynamo" in sys.modules
    eagerly = torch.compiler.set_stance("force_eager") if compiles else nullcontext()
    with kept_random_state(), torch.no_grad(), eagerly:
        try:
            with written:
                yield
        finally:
            for module, found in attributes:
                vars(module).clear()
                vars(module).update(found)
            for container, content in contents:
                container.clear()
                (container.extend if isinstance(container, list) else container.update)(content)
            for generator, state in draws:
                generator.set_state(state)
            for tensor, value in [*buffers, *written.before]:
                # Nowhere else may it be written; and inference_mode(False) turns gradients on.
                with torch.inference_mode(tensor.is_inference()), torch.no_grad():
                    tensor.copy_(value)


class _WrittenTo(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Keeps what weights were before they are written to, as an embedding's max_norm does.

    Copies of all weights would take a model's memory twice; nearly no model writes to any.
    """

    supports_higher_order_operators = True  # such as flex attention, which have no schema

    def __init__(self, weights: Iterable[Tensor]):
        super().__init__()  # type: ignore[no-untyped-call]
        # A weight in pieces is a tensor of another class, which the pieces are not written through.
        self.weights = {_memory(w): w for w in weights if type(w) in PLAIN}
        self.before: list[tuple[Tensor, Tensor]] = []

    def __torch_dispatch__(
        self,
        operation: Any,
        types: Any,
        arguments: tuple[Any, ...] = (),
        named: dict[str, Any] | None = None,
    ) -> Any:
        if isinstance(operation, torch._ops.OpOverload) and operation._schema.is_mutable:
            for tensor in (*arguments, *(named or {}).values()):
                weight = self.weights.pop(_memory(tensor), None) if type(tensor) in PLAIN else None
                if weight is not None:
                    self.before.append((weight, weight.clone()))
        return operation(*arguments, **(named or {}))


def _memory(tensor: Tensor) -> int:
    """Where a tensor lies; 0 for a sparse one, which no weight is seen through."""
    return tensor.untyped_storage().data_ptr() if tensor.layout == torch.strided else 0
