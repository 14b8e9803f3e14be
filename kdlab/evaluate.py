"""How good a student is on held-out text, and how close to its teacher."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import Dataset, default_collate

from kdlab.divergences import forward_kl
from kdlab.models import logits_of, model_inputs

__all__ = ["Evaluation", "evaluate", "perplexity"]


@dataclass(frozen=True)
class Evaluation:
    """Means over the positions of a data set that have a label."""

    lm_loss: float  # nats per position
    positions: int
    teacher_lm_loss: float | None = None  # nats per position
    kl_to_teacher: float | None = None  # KL(p‖q), nats per position, at temperature 1
    agreement_top1: float | None = None  # share of positions with the same likeliest token

    @property
    def perplexity(self) -> float:
        """exp of the LM loss: among how many equally likely tokens the model is lost."""
        return math.exp(self.lm_loss)

    @property
    def teacher_perplexity(self) -> float | None:
        """The teacher's perplexity on the same positions."""
        return None if self.teacher_lm_loss is None else math.exp(self.teacher_lm_loss)


@torch.no_grad()
def evaluate(
    student: nn.Module,
    data: Dataset,
    teacher: nn.Module | None = None,
    *,
    batch_size: int = 32,
    ignore_index: int = -100,
) -> Evaluation:
    """Measure a student on every position of a data set, beside its teacher if there is one.

    Args:
        student: any causal language model.
        data: items ``{"input_ids": [T], "labels": [T]}``, labels not shifted.
        teacher: another, over the same vocabulary. Both are measured in evaluation mode, and their
            modes restored.
        batch_size: sequences at a time; the result does not depend on it.
        ignore_index: positions with this label are left out.

    Returns:
        Means in nats per position; those about the teacher are None without one.

    Raises:
        ValueError: no position of the data has a label.

    >>> from kdlab import TinyGPT
    >>> data = [{"input_ids": torch.arange(8), "labels": torch.arange(8)}]
    >>> model = TinyGPT("tiny-student", vocab_size=8)
    >>> result = evaluate(model, data, teacher=TinyGPT("tiny-student", vocab_size=8))
    >>> result.positions
    7
    """
    device = next(student.parameters()).device
    models = [student] if teacher is None else [student, teacher]
    modes = [model.training for model in models]
    for model in models:
        model.eval()
    # lm, teacher lm, KL, agreement, positions: summed in float64 on the device, read once.
    sums = torch.zeros(5, dtype=torch.float64, device=device)
    for start in range(0, len(data), batch_size):
        items = [data[i] for i in range(start, min(start + batch_size, len(data)))]
        batch = {key: value.to(device) for key, value in default_collate(items).items()}
        labels = batch["labels"][:, 1:]
        counts = labels != ignore_index
        labels = labels[counts]
        q = logits_of(student, **model_inputs(batch))[:, :-1][counts].float()  # (N, V)
        sums[0] += F.cross_entropy(q, labels, reduction="sum")
        if teacher is not None:
            p = logits_of(teacher, **model_inputs(batch))[:, :-1][counts].float()
            sums[1] += F.cross_entropy(p, labels, reduction="sum")
            sums[2] += forward_kl(q, p).sum()
            sums[3] += (q.argmax(-1) == p.argmax(-1)).sum()
        sums[4] += labels.numel()
    for model, mode in zip(models, modes, strict=True):
        model.train(mode)

    lm, teacher_lm, kl, agreement, positions = sums.tolist()
    if positions == 0:
        raise ValueError(f"no position has a label other than {ignore_index}: nothing to measure")
    if teacher is None:
        return Evaluation(lm / positions, int(positions))
    return Evaluation(
        lm / positions,
        int(positions),
        teacher_lm / positions,
        kl / positions,
        agreement / positions,
    )


def perplexity(model: nn.Module, data: Dataset, *, batch_size: int = 32) -> float:
    """exp of the mean negative log-likelihood of the labels, the usual score of a language model.

    Args:
        model: any causal language model.
        data: items ``{"input_ids": [T], "labels": [T]}``, labels not shifted.
        batch_size: sequences at a time.

    Returns:
        At least 1; the size of the vocabulary for a model that knows nothing.

    >>> data = [{"input_ids": torch.arange(8), "labels": torch.arange(8)}]
    >>> ignorant = nn.Embedding(8, 8, _weight=torch.zeros(8, 8))
    >>> print(f"{perplexity(ignorant, data):.3f}")
    8.000
    """
    return evaluate(model, data, batch_size=batch_size).perplexity
