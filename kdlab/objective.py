"""The combined training objective: learn from the labels and from the teacher at once.

It has two forms::

    additive  LM + λ·KD             the form of the course; λ ≥ 0
    convex    (1−λ)·LM + λ·KD       the form of many libraries; 0 ≤ λ ≤ 1

The gradient of the convex form with weight λ / (1 + λ) has the same direction as that of the
additive form with λ; the additive loss is 1 + λ times the convex one. For one position with label y
and the teacher's distribution p, at temperature 1, the additive objective with forward KL is
smallest where the student's distribution is q* = (onehot(y) + λ·p) / (1 + λ).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from kdlab.arguments import (
    check_devices,
    check_logits,
    check_match_vocab,
    check_number,
    check_temperature,
    check_tensor,
    check_there,
    check_whole,
    widened,
)
from kdlab.closed_form import leave_graph
from kdlab.divergences import (
    Divergence,
    divergence_name,
    is_infinite_without_tail,
    resolve_divergence,
)
from kdlab.topk import TopK

__all__ = ["CombinedObjective", "Objective", "ObjectiveOutput"]


class ObjectiveOutput(NamedTuple):
    """What an objective returns: the loss and its two terms.

    With :class:`CombinedObjective`, ``loss`` is the weighted sum of ``lm_loss`` and ``kd_loss``.

    >>> objective = CombinedObjective(lam=0.5)
    >>> output = objective(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]), torch.tensor([1]))
    >>> bool(output.loss == output.lm_loss + 0.5 * output.kd_loss)
    True
    """

    loss: Tensor  # scalar: call .backward() on it
    lm_loss: Tensor  # scalar, nats per position, at temperature 1
    kd_loss: Tensor | None  # scalar, times T² with scale_by_temperature; None without a teacher
    num_items: int | Tensor  # positions that the sums were divided by; 0 counts as 1


class Objective(Protocol):
    """What a trainer minimises: any callable with the two attributes below.

    An objective takes the arguments of :meth:`CombinedObjective.__call__` and returns an
    :class:`ObjectiveOutput`. It may also offer a version of itself that works from hidden states,
    its linear twin. To do so, define a method ``linear_twin()`` in the class itself: see
    :func:`kdlab.fused.linear_twin`.

    >>> class HalfOfIt(CombinedObjective):
    ...     def __call__(self, *arguments, **named):
    ...         output = super().__call__(*arguments, **named)
    ...         return output._replace(loss=0.5 * output.loss)
    >>> print(f"{HalfOfIt()(torch.zeros(1, 4), torch.zeros(1, 4), torch.tensor([3])).loss:.4f}")
    0.6931
    """

    lam: float
    """λ, which the trainer sets from the schedule before each step, and restores after the run."""
    ignore_index: int
    """The label of positions that do not count."""

    def __call__(
        self,
        student_logits: Tensor,
        teacher_logits: Tensor | TopK | None,
        labels: Tensor,
        *,
        num_items: int | Tensor | None = None,
    ) -> ObjectiveOutput:
        """The loss of a micro-batch, its sums divided by ``num_items``."""


class CombinedObjective:
    """LM loss and knowledge-distillation loss in one number, each a mean over the same positions.

    Args:
        divergence: a name in :data:`kdlab.DIVERGENCES`, or a function with the same signature as
            those named there (bind options with ``functools.partial``).
        lam: λ, the weight of the KD term: finite and at least 0; at most 1 in the convex form.
            ``lam`` may be assigned later: a schedule does so before every step.
        temperature: T > 0, for the KD term alone. The LM term is always at T = 1.
        form: ``"additive"``, LM + λ·KD, or ``"convex"``, (1−λ)·LM + λ·KD.
        scale_by_temperature: multiply KD by T², which keeps the size of its gradient about the same
            as T changes (Hinton et al. 2015).
        ignore_index: positions with this label count in neither term.
        match_vocab: what to do if the vocabularies have different sizes V and V'. ``"error"``:
            raise ValueError. ``"truncate"``: keep the first min(V, V') entries of both. Every
            softmax is then over these alone, also in the LM term, and a label beyond them raises
            ValueError.

    Raises:
        ValueError: an argument is outside what is listed here.

    Source: Hinton et al. 2015 (arXiv 1503.02531), section 2; Xiao & Zhu 2025 (arXiv 2501.09223),
    chapter 4.

    >>> objective = CombinedObjective("forward_kl", lam=1.0)
    >>> student, teacher = torch.zeros(2, 4), torch.zeros(2, 4)
    >>> output = objective(student, teacher, labels=torch.tensor([3, -100]))
    >>> print(f"{output.loss:.4f} {output.kd_loss:.4f} {output.num_items}")  # log 4, 0, one label
    1.3863 0.0000 1
    """

    def __init__(
        self,
        divergence: str | Divergence = "forward_kl",
        *,
        lam: float = 1.0,
        temperature: float = 1.0,
        form: str = "additive",
        scale_by_temperature: bool = True,
        ignore_index: int = -100,
        match_vocab: str = "error",
    ):
        self.divergence: Divergence = resolve_divergence(divergence)
        self.temperature = temperature
        self.form = form
        self.scale_by_temperature = scale_by_temperature
        self.ignore_index = ignore_index
        self.match_vocab = match_vocab
        self._lam = lam
        self.check_options()

    def check_options(self) -> None:
        """Raise ValueError if an option is outside what the class lists.

        Options may be assigned at any time, so each call of the objective checks them.
        """
        self.divergence = resolve_divergence(self.divergence)
        self.temperature = check_temperature(self.temperature)
        if self.form not in ("additive", "convex"):
            raise ValueError(f'form must be "additive" or "convex", got {self.form!r}')
        if not isinstance(self.scale_by_temperature, bool):
            raise ValueError(
                f"scale_by_temperature must be True or False, got {self.scale_by_temperature!r}"
            )
        self.ignore_index = check_whole("ignore_index", self.ignore_index)
        check_match_vocab(self.match_vocab)
        self.lam = self._lam

    @property
    def lam(self) -> float:
        """λ, the weight of the KD term."""
        return self._lam

    @lam.setter
    def lam(self, lam: float) -> None:
        number = check_number("lam", lam)
        highest = 1.0 if self.form == "convex" else math.inf
        if not (0.0 <= number <= highest and math.isfinite(number)):
            allowed = "between 0 and 1" if self.form == "convex" else "at least 0 and finite"
            raise ValueError(f"lam must be {allowed} in the {self.form} form, got {lam}")
        self._lam = number

    @property
    def weights(self) -> tuple[float, float]:
        """The weights of the LM term and of the KD term."""
        return (1.0 if self.form == "additive" else 1.0 - self.lam), self.lam

    @property
    def kd_scale(self) -> float:
        """The factor that turns the divergence into the KD term, T² or 1."""
        return self.temperature**2 if self.scale_by_temperature else 1.0

    def __call__(
        self,
        student_logits: Tensor,
        teacher_logits: Tensor | TopK | None,
        labels: Tensor,
        *,
        num_items: int | Tensor | None = None,
    ) -> ObjectiveOutput:
        """The objective on one batch. Nothing is shifted: ``logits[i]`` predicts ``labels[i]``.

        Args:
            student_logits: ``[..., V]``.
            teacher_logits: ``[..., V]``, treated as a constant; or a :class:`kdlab.TopK`, taken at
                this objective's temperature, whose k tokens and rest are compared with the
                student's as k + 1 buckets; or None, which is allowed only while λ = 0.
            labels: ``[...]``, integers; ``ignore_index`` where a position does not count.
            num_items: the number that the sums are divided by, ≥ 0 (0 counts as 1), or a tensor
                with one element; by default the positions of this batch that count. With
                accumulation or several ranks, pass the number over all micro-batches and ranks: the
                parts then add up to the loss of the whole, however it was split. DDP and FSDP
                average gradients over the ranks, Accelerate and Lightning over the micro-batches
                that they accumulate. In a loop of your own, undo this averaging before
                ``backward()``: multiply the loss by the number of ranks if gradients are averaged
                over ranks, and by that of micro-batches if they are averaged over micro-batches.

        Returns:
            The loss and its two terms, all attached to the graph; 0 if no position counts. The KD
            term of a divergence of this library can be differentiated only once: a backward pass
            with ``create_graph=True``, or a transform of ``torch.func``, raises RuntimeError.

        Raises:
            ValueError: shapes, dtypes, devices, vocabularies or the temperature of a TopK do not
                fit; a label is out of range; or the divergence needs a tail that a TopK lacks.
        """
        leave_graph()
        self.check_options()
        check_tensor("student_logits", student_logits)
        if not (teacher_logits is None or isinstance(teacher_logits, TopK)):
            check_tensor("teacher_logits", teacher_logits)
        student_logits, teacher_logits = self._same_vocabulary(student_logits, teacher_logits)
        full = teacher_logits if isinstance(teacher_logits, Tensor) else student_logits
        check_logits(student_logits, full)
        counts = counted(labels, student_logits.shape, self.ignore_index)
        labels = labels.long()
        check_devices(student_logits=student_logits, labels=labels)
        if teacher_logits is None and self.lam > 0:
            raise ValueError(f"teacher_logits may be None only while lam is 0; lam is {self.lam}")

        # Ignored positions are dropped before anything is computed, so that whatever stands there
        # (padding, NaN) can reach neither the loss nor the gradient.
        everything = bool(counts.all())
        labels = labels[counts]
        if isinstance(teacher_logits, TopK):
            teacher_logits = self._checked(teacher_logits, student_logits.shape, counts)
        elif teacher_logits is not None:  # a constant to every divergence, also to a user's own
            teacher_logits = teacher_logits.detach()
            teacher_logits = teacher_logits if everything else teacher_logits[counts]
        student_logits = student_logits if everything else student_logits[counts]
        num_items, divisor = count_items(num_items, labels.numel())

        flat = widened(student_logits).reshape(-1, student_logits.shape[-1])
        lm_loss = F.cross_entropy(flat, labels, reduction="sum") / divisor

        kd_loss = None
        if teacher_logits is not None:
            per_position = self._divergence(student_logits, teacher_logits)
            if per_position.numel() != labels.numel():
                raise ValueError(
                    f"{divergence_name(self.divergence)} returned {list(per_position.shape)} for "
                    f"logits {list(student_logits.shape)}; it must return a number per position"
                )
            if self.lam > 0 and lm_loss.requires_grad and not per_position.requires_grad:
                raise ValueError(
                    f"{divergence_name(self.divergence)} returned numbers without a gradient, from "
                    "which no student learns; compute them in torch, without detach() or item()"
                )
            kd_loss = self.kd_scale * per_position.sum() / divisor
        return ObjectiveOutput(self.combine(lm_loss, kd_loss), lm_loss, kd_loss, num_items)

    def combine(self, lm_loss: Tensor, kd_loss: Tensor | None) -> Tensor:
        """The weighted sum. A term of weight 0 is left out, because 0 times ∞ would be NaN."""
        lm_weight, kd_weight = self.weights
        if kd_weight == 0:
            return lm_loss
        assert kd_loss is not None  # it may be None only while its weight is 0
        if lm_weight == 0:
            return kd_weight * kd_loss
        return lm_weight * lm_loss + kd_weight * kd_loss

    def _divergence(self, student_logits: Tensor, teacher: Tensor | TopK) -> Tensor:
        if isinstance(teacher, TopK):
            student_logits = student_logits.reshape(-1, student_logits.shape[-1])
            buckets = teacher.student_buckets(student_logits, self.temperature)
            return self.divergence(buckets, teacher.teacher_buckets().detach(), temperature=1.0)
        return self.divergence(student_logits, teacher, temperature=self.temperature)

    def _same_vocabulary(
        self, student_logits: Tensor, teacher_logits: Tensor | TopK | None
    ) -> tuple[Tensor, Tensor | TopK | None]:
        if self.match_vocab == "error" or teacher_logits is None:
            return student_logits, teacher_logits
        size = student_logits.shape[-1]
        if isinstance(teacher_logits, TopK):  # cut where it is known which positions count
            return student_logits[..., : teacher_logits.vocabulary or size], teacher_logits
        size = min(size, teacher_logits.shape[-1])
        return student_logits[..., :size], teacher_logits[..., :size]

    def _checked(self, teacher: TopK, logits_shape: tuple[int, ...], counts: Tensor) -> TopK:
        """The positions of a TopK that count, ``[N]``; ValueError if it does not fit."""
        if teacher.ids.shape[:-1] != counts.shape:
            teacher.check(logits_shape)  # raises
        check_devices(teacher=teacher.ids, labels=counts)
        teacher = teacher[counts]
        if self.match_vocab == "truncate":
            teacher = teacher.within(logits_shape[-1])
        teacher.check((*teacher.ids.shape[:-1], logits_shape[-1]))
        if teacher.temperature not in (None, self.temperature):
            raise ValueError(
                f"the teacher's top k was taken at temperature {teacher.temperature}, but the "
                f"objective has {self.temperature}"
            )
        if teacher.ids.shape[-1] == logits_shape[-1]:  # all tokens are listed: the tail is rounding
            return replace(teacher, log_tail=torch.full_like(teacher.log_tail, -torch.inf))
        no_tail = teacher.ids.shape[-1] < logits_shape[-1] and is_infinite_without_tail(
            self.divergence
        )
        if no_tail and torch.isneginf(teacher.log_tail).any():
            raise ValueError(
                f"{divergence_name(self.divergence)} is infinite where the teacher gives a token "
                "no probability, and this top k has no tail; keep the tail, or take another "
                "divergence"
            )
        return teacher

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({divergence_name(self.divergence)!r}, lam={self.lam}, "
            f"temperature={self.temperature}, form={self.form!r})"
        )


def counted(labels: Tensor, logits_shape: tuple[int, ...], ignore_index: int) -> Tensor:
    """Which positions count: ``[...]`` bool. Raises ValueError if labels do not fit the logits."""
    check_tensor("labels", labels)
    check_there("labels", labels)
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise ValueError(f"labels must be integers, got {labels.dtype}")
    if labels.shape != logits_shape[:-1]:
        raise ValueError(
            f"labels {tuple(labels.shape)} must have the shape of the positions in the logits, "
            f"{tuple(logits_shape[:-1])}; nothing is shifted here"
        )
    labels = labels.long()  # in 8 bits, a vocabulary of 256 would be 0
    counts = labels != ignore_index
    vocabulary = logits_shape[-1]
    wrong = counts & ((labels < 0) | (labels >= vocabulary))
    if wrong.any():
        raise ValueError(
            f"label {labels[wrong][0].item()} is neither in the vocabulary (0 to {vocabulary - 1}) "
            f"nor the ignore_index ({ignore_index})"
        )
    return counts


def count_items(num_items: int | Tensor | None, here: int) -> tuple[int | Tensor, int | Tensor]:
    """``num_items``, or ``here`` if it is None; and the same, but at least 1, as the divisor."""
    if num_items is None:
        num_items = here
    if isinstance(num_items, Tensor):
        if num_items.numel() != 1:
            raise ValueError(f"num_items must be one number, got {list(num_items.shape)}")
        num_items = num_items.detach().reshape(())
        if num_items.device.type != "cpu":
            return num_items, num_items.clamp(min=1)  # not read: that would wait for a GPU
    if not check_number("num_items", num_items) >= 0:
        raise ValueError(f"num_items counts positions and cannot be negative, got {num_items}")
    return num_items, num_items.clamp(min=1) if isinstance(num_items, Tensor) else max(num_items, 1)
