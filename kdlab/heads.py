"""A model's head, and how to leave it out of a forward pass.

The linear objective needs the input of a model's head, the last hidden states. To get them, the
model itself is called, with all its wrappers, hooks and adapters; during that call its head returns
its input unchanged. The model then returns hidden states if, and only if, it does nothing to the
logits after its head. :func:`why_not_left_out` checks that before a run, and :func:`hidden_of` at
every call.
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
from torch.utils._pytree import tree_leaves

from kdlab.devices import kept_random_state

PLAIN = (Tensor, nn.Parameter)

TURNS = threading.RLock()  # threads may share a model, and with it the head


def find_head(model: nn.Module) -> nn.Linear | str:
    """A model's linear head; or, in words, why it has none that could be left out."""
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
        if named == "Linear":  # PEFT's class has the same name
            named = f"{type(head).__module__.partition('.')[0]}.Linear"
        return f"the head of {kind} is a {named}, not a plain nn.Linear"
    if "forward" in vars(head):
        return f"the forward of {kind}'s head was replaced, as a device_map does"
    if has_hooks(head):
        return f"the head of {kind} has forward hooks"
    if not head.weight.is_floating_point():
        return f"the head of {kind} is stored as {head.weight.dtype}"
    if head.weight.dim() != 2:
        return f"the head of {kind} is in pieces, as FSDP 1 makes with use_orig_params"
    if not isinstance(head.weight, DTensor) and type(head.weight) not in PLAIN:
        return f"the weight of {kind}'s head is a {type(head.weight).__name__}, not a plain tensor"
    return head


def has_hooks(head: nn.Linear) -> bool:
    """Whether a head has forward hooks beside those of FSDP 2, which change no number."""
    hooks = len(head._forward_hooks) + len(head._forward_pre_hooks)
    return hooks > (2 if isinstance(head, FSDPModule) else 0)


@contextmanager
def left_out(head: nn.Linear) -> Iterator[None]:
    """Inside, the head returns its input unchanged.

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
    """A model does more to its logits than when it was checked before the run."""


def hidden_of(ask: Callable[[], Any], head: nn.Linear) -> Tensor:
    """The input of a model's head: what the model returns while the head is left out.

    Args:
        ask: calls the model, or a teacher that holds it, for logits.
        head: the model's head.

    Raises:
        DoesMore: in this call the model did more to its logits than multiply by its head, or it did
            not call the head exactly once.
        ValueError: the model passes no gradient on where one is wanted.
    """
    given: list[tuple[Tensor, int]] = []
    passes_on = True
    here = threading.get_ident()

    def noted(hidden: Tensor) -> Tensor:
        if not torch.compiler.is_compiling() and threading.get_ident() != here:
            return nn.Linear.forward(head, hidden)
        nonlocal passes_on
        passes_on = torch.is_grad_enabled()
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
    if torch.is_grad_enabled() and not (
        passes_on and hidden.requires_grad == given[0][0].requires_grad
    ):
        raise ValueError(
            "the student's logits pass no gradient on, so its head alone would learn; leave "
            "detach() and torch.no_grad() out of its forward"
        )
    return hidden


def why_not_left_out(ask: Callable[[], Any], head: nn.Linear) -> str | None:
    """In words, why a model's logits are not exactly what its head returned; None if they are.

    Args:
        ask: calls the model, or a teacher that holds it, and returns the logits ``[B, T, V]`` of
            all positions or of the first ones. ``ask`` is called once, and one row is enough.
        head: the model's head.
    """
    returned: list[tuple[Tensor, int]] = []
    here = threading.get_ident()

    def noted(hidden: Tensor) -> Tensor:
        logits = nn.Linear.forward(head, hidden)
        if threading.get_ident() == here:
            returned.append((logits, logits._version))
        return logits

    with TURNS, _replaced(head, noted):
        answer = ask()
    if len(returned) != 1:
        return f"its head is called {len(returned)} times in a forward pass"
    if not _as_it_was(answer, *returned[0]):
        return "it does more to its logits than to multiply by its head (a cap, a scale, a cast)"
    return None


def _as_it_was(answer: Any, returned: Tensor, version: int) -> bool:
    """Whether ``answer`` is the head's own tensor, or its first positions, not written to since."""
    return (
        isinstance(answer, Tensor)
        and answer.dim() == returned.dim() == 3
        and answer.shape[1] <= returned.shape[1]
        and answer.shape[::2] == returned.shape[::2]
        and answer.dtype == returned.dtype
        and answer.stride() == returned.stride()
        and (answer.numel() == 0 or answer.data_ptr() == returned.data_ptr())
        and answer._version == version
    )


@contextmanager
def unchanged(*models: nn.Module) -> Iterator[None]:
    """Undo what happens inside to weights, buffers, attributes, modes, hooks and random states."""
    modules = {id(m): m for model in models for m in model.modules()}.values()
    attributes = [(m, copy.copy(vars(m))) for m in modules]
    contents: list[tuple[Any, Any]] = [
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
    # Compiled models run eagerly: PyTorch compiles nothing while a dispatch mode is on. Importing
    # its compiler takes seconds; where any model is compiled, it is imported already.
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
                if isinstance(container, list):
                    container.extend(content)
                elif isinstance(container, dict):  # a ModelOutput is one, and refuses update()
                    for key, value in content.items():
                        container[key] = value
                else:
                    container.update(content)
            for generator, state in draws:
                generator.set_state(state)
            for tensor, value in [*buffers, *written.before]:
                # An inference tensor may be written in inference mode only. Outside that mode,
                # gradients must be off, and inference_mode(False) turns them on.
                with torch.inference_mode(tensor.is_inference()), torch.no_grad():
                    tensor.copy_(value)


class _WrittenTo(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Keeps a copy of a weight just before its first write; embeddings with max_norm write to one.

    Copying all weights in advance would double a model's memory, and hardly any model writes.
    """

    supports_higher_order_operators = True  # flex attention is one; they have no schema

    def __init__(self, weights: Iterable[Tensor]):
        super().__init__()  # type: ignore[no-untyped-call]
        # A weight in pieces is left out: it is of another class, and its pieces are not written
        # through it. Several weights may be parts of one memory.
        self.weights: dict[int, list[Tensor]] = {}
        for weight in {id(each): each for each in weights}.values():
            if type(weight) in PLAIN:
                self.weights.setdefault(_memory(weight), []).append(weight)
        self.before: list[tuple[Tensor, Tensor]] = []

    def __torch_dispatch__(
        self,
        operation: Any,
        types: Any,
        arguments: tuple[Any, ...] = (),
        named: dict[str, Any] | None = None,
    ) -> Any:
        if isinstance(operation, torch._ops.OpOverload) and operation._schema.is_mutable:
            for tensor in tree_leaves((arguments, named)):  # _foreach_add_ takes lists of tensors
                written = self.weights.pop(_memory(tensor), ()) if type(tensor) in PLAIN else ()
                self.before += [(weight, weight.clone()) for weight in written]
        return operation(*arguments, **(named or {}))


def _memory(tensor: Tensor) -> int:
    """The address of a tensor's memory; 0 for a sparse one, which is never a view of a weight."""
    return tensor.untyped_storage().data_ptr() if tensor.layout == torch.strided else 0
