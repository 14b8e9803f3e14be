"""How good a student is on held-out text, and how close to its teacher."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import Dataset, default_collate

from kdlab.divergences import forward_kl, reverse_kl
from kdlab.models import logits_of, model_inputs

__all__ = ["Calibration", "Evaluation", "evaluate", "perplexity"]

BINS = 15  # of equal width, as in Guo et al. 2017


@dataclass(frozen=True)
class Calibration:
    """Whether a model that is 70% sure is right 70% of the time.

    Positions are binned by the probability of their likeliest token. A bin without positions has
    count 0, and its confidence and accuracy are 0.

    Source: Guo et al. 2017 (arXiv 1706.04599).

    >>> Calibration(confidence=(0.5, 0.9), accuracy=(0.5, 0.7), count=(50, 50)).expected_error
    0.1
    """

    confidence: tuple[float, ...]  # mean probability of the likeliest token, per bin
    accuracy: tuple[float, ...]  # share of positions whose likeliest token is the label, per bin
    count: tuple[int, ...]  # positions, per bin

    @property
    def expected_error(self) -> float:
        """Expected calibration error: the mean distance of accuracy and confidence, 0 to 1."""
        bins = zip(self.confidence, self.accuracy, self.count, strict=True)
        error = sum(n * abs(accuracy - confidence) for confidence, accuracy, n in bins)
        return round(error / sum(self.count), 12)


@dataclass(frozen=True)
class Evaluation:
    """Means over the positions of a data set that have a label.

    >>> calm = Calibration(confidence=(1.0,), accuracy=(1.0,), count=(7,))
    >>> round(Evaluation(lm_loss=math.log(8), positions=7, calibration=calm).perplexity, 6)
    8.0
    """

    lm_loss: float  # nats per position
    positions: int
    calibration: Calibration
    teacher_lm_loss: float | None = None  # nats per position
    kl_to_teacher: float | None = None  # KL(p‖q), nats per position, at temperature 1
    reverse_kl_to_teacher: float | None = None  # KL(q‖p), the same
    agreement_top1: float | None = None  # share of positions with the same likeliest token

    @property
    def perplexity(self) -> float:
        """exp of the LM loss: among how many equally likely tokens the model is lost."""
        return math.exp(self.lm_loss)

    @property
    def teacher_perplexity(self) -> float | None:
        """The teacher's perplexity on the same positions."""
        return None if self.teacher_lm_loss is None else math.exp(self.teacher_lm_loss)

    def as_record(self) -> dict[str, float | None]:
        """The measurements by name, as ``metrics.jsonl`` has them."""
        return {
            "lm_loss": self.lm_loss,
            "perplexity": self.perplexity,
            "teacher_perplexity": self.teacher_perplexity,
            "kl_to_teacher": self.kl_to_teacher,
            "reverse_kl_to_teacher": self.reverse_kl_to_teacher,
            "agreement_top1": self.agreement_top1,
            "calibration_error": self.calibration.expected_error,
        }


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
    # lm, teacher lm, both KLs, agreement, positions: summed in float64 on the device, read once.
    sums = torch.zeros(6, dtype=torch.float64, device=device)
    bins = torch.zeros(3, BINS, dtype=torch.float64, device=device)  # count, confidence, right
    for start in range(0, len(data), batch_size):
        items = [data[i] for i in range(start, min(start + batch_size, len(data)))]
        batch = {key: value.to(device) for key, value in default_collate(items).items()}
        labels = batch["labels"][:, 1:]
        counts = labels != ignore_index
        labels = labels[counts]
        q = logits_of(student, **model_inputs(batch))[:, :-1][counts].float()  # (N, V)
        sums[0] += F.cross_entropy(q, labels, reduction="sum")
        confidence, likeliest = q.softmax(-1).max(-1)
        place = (confidence * BINS).long().clamp_max(BINS - 1)
        for row, value in zip(bins, (1.0, confidence, likeliest == labels), strict=True):
            row.index_add_(0, place, torch.zeros_like(row[place]) + value)
        if teacher is not None:
            p = logits_of(teacher, **model_inputs(batch))[:, :-1][counts].float()
            sums[1] += F.cross_entropy(p, labels, reduction="sum")
            sums[2] += forward_kl(q, p).sum()
            sums[3] += reverse_kl(q, p).sum()
            sums[4] += (likeliest == p.argmax(-1)).sum()
        sums[5] += labels.numel()
    for model, mode in zip(models, modes, strict=True):
        model.train(mode)

    lm, *beside_teacher, positions = sums.tolist()
    if positions == 0:
        raise ValueError(f"no position has a label other than {ignore_index}: nothing to measure")
    count, confidence, right = bins
    calibration = Calibration(
        tuple((confidence / count.clamp_min(1)).tolist()),
        tuple((right / count.clamp_min(1)).tolist()),
        tuple(int(n) for n in count),
    )
    means = [] if teacher is None else [total / positions for total in beside_teacher]
    return Evaluation(lm / positions, int(positions), calibration, *means)


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
