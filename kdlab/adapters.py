"""PEFT adapters: to add them to a model, and to use a student without them as its teacher."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor

from kdlab.arguments import checked
from kdlab.causality import check_causal
from kdlab.fingerprints import tensors_sha256
from kdlab.heads import find_head
from kdlab.inputs import logits_for
from kdlab.models import is_adapted
from kdlab.modes import in_evaluation_mode

__all__ = ["AdaptersOffTeacher"]


def with_adapters(model: nn.Module, rank: int) -> nn.Module:
    """A model with PEFT's LoRA adapters at all its linear layers; nothing else is trained.

    Raises:
        ValueError: peft is not installed, or the model is not from transformers.

    Source: Hu et al. 2021 (arXiv 2106.09685).
    """
    try:
        import peft
    except ImportError:
        raise ValueError("adapters need peft: pip install 'kdlab[lora]'") from None
    if not hasattr(model, "save_pretrained"):
        raise ValueError(
            f"adapters are for models of transformers; {type(model).__name__} is small enough to "
            "be trained whole"
        )
    config = peft.LoraConfig(
        r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    make: Any = peft.get_peft_model
    adapted: nn.Module = make(model, config)
    return adapted


@checked
class AdaptersOffTeacher:
    """A PEFT student without its adapters: the student is taught by the model that it began as.

    This self-distillation needs no second model in memory: the teacher turns the student's adapters
    off while it computes its targets. A trainer refuses this teacher if the student also trains
    weights that belong to no adapter.

    Args:
        student: the model that is trained: a PEFT model, or a model with PEFT's adapters inside.

    Raises:
        TypeError: the model has no adapters that could be turned off.
        ValueError: the adapters began with a part of the model's weights, as PiSSA's do, so that
            the model without them is not the one that it began as; or the model is not causal.

    >>> AdaptersOffTeacher(nn.Linear(2, 2))
    Traceback (most recent call last):
    TypeError: Linear has no adapters to turn off
    """

    def __init__(self, student: nn.Module):
        if not any(map(is_adapted, student.modules())) and not hasattr(student, "disable_adapter"):
            raise TypeError(f"{type(student).__name__} has no adapters to turn off")
        check_causal(student)
        if moved := _moved_into_adapters(student):
            raise ValueError(
                f"with init_lora_weights={moved!r} the adapters begin with a part of the weights, "
                "and without them the student is not the model that it began as; load that once "
                "more, and let it teach"
            )
        self.student = student

    @property
    def head(self) -> nn.Linear | None:
        """The student's linear head; None if it has none that could be left out."""
        head = find_head(self.student)
        return head if isinstance(head, nn.Linear) else None

    @torch.no_grad()
    def targets(self, batch: Mapping[str, Tensor]) -> Tensor:
        """The logits ``[B, T − 1, V]`` of the model without its adapters, in evaluation mode."""
        with in_evaluation_mode(self.student), adapters_off(self.student):
            return logits_for(self.student, batch)[:, :-1]

    def fingerprint(self) -> str:
        """A SHA-256 of a sample of the frozen weights, which training does not change."""
        frozen = {n: p for n, p in self.student.named_parameters() if not p.requires_grad}
        return tensors_sha256(frozen, at_most=4096)


MOVED = ("pissa", "olora", "corda", "loftq", "lora_ga")
"""LoRA initialisations that change the base weights: PiSSA moves their main part to adapters."""


def _moved_into_adapters(model: nn.Module) -> str | None:
    """The initialisation that moved weights into a model's adapters; None if none did."""
    configs = [getattr(part, "peft_config", None) for part in model.modules()]
    known = [each for found in configs if isinstance(found, dict) for each in found.values()]
    names = [str(getattr(config, "init_lora_weights", "")) for config in known]
    return next((name for name in names if name.lower().startswith(MOVED)), None)


@contextmanager
def adapters_off(model: Any) -> Iterator[None]:
    """Turn a model's adapters off inside; afterwards, restore ``requires_grad`` of all weights.

    PEFT, when it turns an adapter on again, makes all its weights trainable, even frozen ones.
    """
    trained = [(weight, weight.requires_grad) for weight in model.parameters()]
    try:
        with _disabled(model):
            yield
    finally:
        for weight, wanted in trained:
            weight.requires_grad_(wanted)


@contextmanager
def _disabled(model: Any) -> Iterator[None]:
    """Turn adapters off inside, in PEFT's wrapper around a model or in the layers of the model."""
    if hasattr(model, "disable_adapter"):
        with model.disable_adapter():
            yield
        return
    parts = [part for part in model.modules() if is_adapted(part) and not part.disable_adapters]
    try:
        for part in parts:
            part.enable_adapters(False)
        yield
    finally:
        for part in parts:
            part.enable_adapters(True)
