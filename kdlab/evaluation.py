"""How good a student is on held-out text, and how close to its teacher."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, cast

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from kdlab.arguments import (
    check_match_vocab,
    check_vocabularies,
    check_whole,
    checked,
)
from kdlab.batches import Rows, batch_of, check_rows, telling_row
from kdlab.causality import check_causal, check_no_future
from kdlab.devices import device_of
from kdlab.divergences import forward_kl, reverse_kl
from kdlab.heads import DoesMore, find_head, hidden_of, unchanged, why_not_left_out
from kdlab.inputs import check_ids, logits_for
from kdlab.modes import held_by, in_evaluation_mode, in_turn
from kdlab.objective import counted
from kdlab.packing import check_packing, is_packed
from kdlab.products import gathered, in_rows, projected
from kdlab.teachers import Teacher, as_teacher

__all__ = ["Calibration", "Evaluation", "evaluate", "perplexity"]

BINS = 15  # of equal width, as in Guo et al. 2017
CHUNK = {"cpu": 2**20, "cuda": 2**26}  # logits of each model that exist at once
LEAST = 64  # positions at once: for fewer, reading the head takes longer than multiplying by it


@dataclass(frozen=True)
class Calibration:
    """Whether a model that is 70% sure is right 70% of the time.

    Positions are put into 15 bins of equal width by the probability of their likeliest token. A bin
    without positions has count 0, and its confidence and accuracy are 0.

    Source: Guo et al. 2017 (arXiv 1706.04599).

    >>> Calibration(confidence=(0.5, 0.9), accuracy=(0.5, 0.7), count=(50, 50)).expected_error
    0.1
    """

    confidence: tuple[float, ...]  # mean probability of the likeliest token, per bin
    accuracy: tuple[float, ...]  # share of positions whose likeliest token is the label, per bin
    count: tuple[int, ...]  # positions, per bin

    @property
    def expected_error(self) -> float:
        """Expected calibration error, 0 to 1.

        This is the mean of ``|accuracy − confidence|`` over the bins, each weighted by its count.
        """
        bins = zip(self.confidence, self.accuracy, self.count, strict=True)
        error = sum(n * abs(accuracy - confidence) for confidence, accuracy, n in bins)
        return round(error / sum(self.count), 12)


@dataclass(frozen=True)
class Evaluation:
    """Means over the positions that count, which are those with a label and a token before it.

    >>> calm = Calibration(confidence=(1.0,), accuracy=(1.0,), count=(7,))
    >>> round(Evaluation(lm_loss=math.log(8), positions=7, calibration=calm).perplexity, 6)
    8.0
    """

    lm_loss: float  # nats per position
    positions: int  # how many count: they have a label and a token before it
    calibration: Calibration  # of the student
    teacher_lm_loss: float | None = None  # nats per position
    kl_to_teacher: float | None = None  # KL(p‖q), nats per position, at temperature 1
    reverse_kl_to_teacher: float | None = None  # KL(q‖p), nats per position, at temperature 1
    agreement_top1: float | None = None  # share of positions where the likeliest tokens agree

    @property
    def perplexity(self) -> float:
        """Exp of the LM loss; n for a model that gives every label the probability 1/n."""
        return _exp(self.lm_loss)

    @property
    def teacher_perplexity(self) -> float | None:
        """The teacher's perplexity on the same positions."""
        return None if self.teacher_lm_loss is None else _exp(self.teacher_lm_loss)

    def as_record(self) -> dict[str, float | None]:
        """The measurements, under the names that they have in ``metrics.jsonl``."""
        return {
            "lm_loss": self.lm_loss,
            "perplexity": self.perplexity,
            "teacher_perplexity": self.teacher_perplexity,
            "kl_to_teacher": self.kl_to_teacher,
            "reverse_kl_to_teacher": self.reverse_kl_to_teacher,
            "agreement_top1": self.agreement_top1,
            "calibration_error": self.calibration.expected_error,
        }


def _exp(loss: float) -> float:
    """exp, infinite where no float is large enough: a student that diverged is measured, too."""
    return math.exp(loss) if loss < 709 else math.inf


@torch.inference_mode(False)  # inference tensors do not say whether they were written to
@torch.no_grad()
@checked
def evaluate(
    student: nn.Module,
    data: Rows,
    teacher: nn.Module | Teacher | None = None,
    *,
    batch_size: int = 32,
    ignore_index: int = -100,
    match_vocab: str = "error",
) -> Evaluation:
    """Measure a student on every position of a data set, beside its teacher if there is one.

    Logits are made from hidden states, for a few positions at a time. If a model does not expose
    its output head, or changes the logits that the head gives, its logits for a whole batch are
    made at once.

    Args:
        student: any causal language model.
        data: rows ``{"input_ids": [T], "labels": [T]}`` of any length, labels not shifted.
        teacher: another model over the same vocabulary, or a :class:`kdlab.Teacher` that gives
            logits for any text. Models are measured in evaluation mode; their modes are restored
            afterwards.
        batch_size: rows at a time; the result does not depend on it.
        ignore_index: positions with this label are left out.
        match_vocab: ``"error"``, or ``"truncate"`` to compare the first min(V, V') entries of
            vocabularies of V and V' tokens, as :class:`kdlab.CombinedObjective` does.

    Returns:
        Means over positions, losses and divergences in nats; without a teacher, those that need
        one are None.

    Raises:
        ValueError: no position has a label; a label is outside the vocabulary; the vocabularies
            of student and teacher differ in size; a model is not a causal language model, or lets
            packed texts see each other; or the teacher sees what comes after a token, answers one
            token late, or gives likeliest tokens instead of logits.
        FloatingPointError: logits are NaN.

    >>> from kdlab import TinyGPT
    >>> data = [{"input_ids": torch.arange(8), "labels": torch.arange(8)}]
    >>> model = TinyGPT("tiny-student", vocab_size=8)
    >>> result = evaluate(model, data, teacher=TinyGPT("tiny-student", vocab_size=8))
    >>> result.positions
    7
    """
    check_rows(data, "data", ignore_index=ignore_index)
    batch_size = check_whole("batch_size", batch_size, least=1)
    check_match_vocab(match_vocab)
    models = [m for m in (student, teacher) if isinstance(m, nn.Module)]
    if is_packed(data):
        for model in models:
            check_packing(model)
    asked = [_Asked(model) for model in (student, teacher) if model is not None]
    device = device_of(student)
    parts: list[tuple[Tensor, Tensor]] = []
    made = partial(
        batch_of, data, check=lambda batch: check_ids(batch, *models), ignore_index=ignore_index
    )
    with in_turn(*models, *held_by(teacher)), in_evaluation_mode(*models):
        row = {key: value.to(device) for key, value in made([telling_row(data)]).items()}
        for each in asked:
            each.check(row)
        for start in range(0, len(data), batch_size):
            batch = made(range(start, min(start + batch_size, len(data))))
            labels = batch["labels"][:, 1:]
            batch = {key: value.to(device) for key, value in batch.items()}
            found = [model.about(batch) for model in asked]
            entries = min(model.entries for model in found)
            if match_vocab != "truncate" and len(found) == 2:
                check_vocabularies(*(model.entries for model in found))
            counted(labels, (*labels.shape, entries), ignore_index)
            parts += _measured(found, batch, ignore_index)
    # Summed on the CPU, as some devices lack float64; read once, as a GPU waits for each read.
    sums, bins = (torch.stack(each).cpu().double().sum(0) for each in zip(*parts, strict=True))

    lm, *beside_teacher, positions = sums.tolist()
    if math.isnan(lm + beside_teacher[0]):
        raise FloatingPointError(
            "logits of the model or of its teacher are NaN, so nothing can be measured: a weight "
            "may be, or training has diverged"
        )
    count, confidence, right = bins
    calibration = Calibration(
        tuple((confidence / count.clamp_min(1)).tolist()),
        tuple((right / count.clamp_min(1)).tolist()),
        tuple(int(n) for n in count),
    )
    means = [] if teacher is None else [total / positions for total in beside_teacher]
    return Evaluation(lm / positions, int(positions), calibration, *means)


class _Asked:
    """A model or a teacher; its head is left out if what the head returns is exactly the logits."""

    def __init__(self, source: nn.Module | Teacher):
        head: Any
        self.ask: Callable[[Mapping[str, Tensor]], Any]
        if isinstance(source, nn.Module) and not hasattr(source, "targets"):
            check_causal(source)
            self.ask = partial(logits_for, source)
            head = find_head(source)
        else:
            teacher = cast(Teacher, as_teacher(source))
            self.ask, head = teacher.targets, getattr(teacher, "head", None)
        self.source = source
        self.head = head if isinstance(head, nn.Linear) else None

    def check(self, row: Mapping[str, Tensor]) -> None:
        """Check by one row, as a batch, that it sees nothing that it must not; and its head."""
        models = [self.source] if isinstance(self.source, nn.Module) else []
        with unchanged(*models):
            if models or getattr(self.source, "any_text", True):
                check_no_future(self.source, self.ask, row)
            if self.head is not None and why_not_left_out(lambda: self.ask(row), self.head):
                self.head = None

    def about(self, batch: Mapping[str, Tensor]) -> _Logits:
        """Its logits for a batch, or the hidden states and the head that they are made from."""
        if self.head is not None:
            try:
                hidden = hidden_of(lambda: self.ask(batch), self.head)
            except DoesMore:
                self.head = None
        if self.head is not None:
            weight, bias = self.head.weight, self.head.bias
            weight = weight if in_rows(weight) else gathered(weight)
            return _Logits(hidden, weight, None if bias is None else gathered(bias))
        logits = self.ask(batch)
        if not isinstance(logits, Tensor):
            raise ValueError(
                f"the teacher gave {type(logits).__name__}; to measure the distance from it takes "
                "its logits"
            )
        return _Logits(logits)


class _Logits(NamedTuple):
    """Logits, or the hidden states, weight and bias that they are made from."""

    rows: Tensor  # [B, T or T − 1, V], or hidden states [B, T or T − 1, d]
    weight: Tensor | None = None
    bias: Tensor | None = None

    @property
    def entries(self) -> int:
        return self.rows.shape[-1] if self.weight is None else len(self.weight)

    def logits(self, row: Tensor, column: Tensor, entries: int) -> Tensor:
        """The logits ``[N, entries]`` of N positions, for the first entries of the vocabulary."""
        found = self.rows[row, column]
        if self.weight is None:
            return found[:, :entries].float()
        return projected(found, self.weight, self.bias)[:, :entries].float()


def _measured(
    models: list[_Logits], batch: Mapping[str, Tensor], ignore_index: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """For a few positions at a time: six sums ``[6]``, and the sums of each bin ``[3, 15]``."""
    labels = batch["labels"][:, 1:]
    row, column = (labels != ignore_index).nonzero(as_tuple=True)
    labels = labels[row, column]
    entries = min(model.entries for model in models)
    size = max(LEAST, CHUNK.get(labels.device.type, CHUNK["cuda"]) // entries)
    for start in range(0, len(labels), size):
        at = slice(start, start + size)
        y = labels[at]
        logits = [model.logits(row[at], column[at], entries) for model in models]
        q = logits[0]
        confidence, likeliest = q.softmax(-1).max(-1)
        terms = [F.cross_entropy(q, y, reduction="sum")]
        if len(logits) == 2:
            p = logits[1]
            terms.append(F.cross_entropy(p, y, reduction="sum"))
            terms += [forward_kl(q, p).sum(), reverse_kl(q, p).sum()]
            terms.append((likeliest == p.argmax(-1)).sum())
        else:
            terms += [torch.zeros_like(terms[0])] * 4
        terms.append(torch.full_like(terms[0], len(y)))
        place = (confidence.nan_to_num() * BINS).long().clamp_max(BINS - 1)
        # Not torchmetrics: its CalibrationError keeps every position and returns only the error,
        # but the figure of calibration shows the bins.
        bins = q.new_zeros(3, BINS)
        ones = torch.ones_like(confidence)
        for line, value in zip(bins, (ones, confidence, ones * (likeliest == y)), strict=True):
            line.index_add_(0, place, value)
        yield torch.stack([term.float() for term in terms]), bins


@checked
def perplexity(model: nn.Module, data: Rows, *, batch_size: int = 32) -> float:
    """Exp of the mean negative log-likelihood of the labels, the usual score of a language model.

    Args:
        model: any causal language model.
        data: rows ``{"input_ids": [T], "labels": [T]}`` of any length, labels not shifted.
        batch_size: rows at a time.

    Returns:
        At least 1. A model that gives all V tokens the same probability has perplexity V; a model
        that is sure of wrong tokens has more.

    >>> data = [{"input_ids": torch.arange(8), "labels": torch.arange(8)}]
    >>> ignorant = nn.Embedding(8, 8, _weight=torch.zeros(8, 8))
    >>> print(f"{perplexity(ignorant, data):.3f}")
    8.000
    """
    return evaluate(model, data, batch_size=batch_size).perplexity
