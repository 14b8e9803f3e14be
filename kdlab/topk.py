"""A distribution given by its likeliest tokens, as a teacher in a file or on a server gives it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kdlab.arguments import check_vocabularies, checked
from kdlab.divergences import log_softmax

__all__ = ["TopK"]


@checked
@dataclass(frozen=True)
class TopK:
    """A distribution given by its k likeliest tokens and the mass of all others, the *tail*.

    The k tokens and the tail are k + 1 buckets, which make a coarser distribution. A divergence
    between two distributions over the buckets is at most the one over all tokens. The full KL(p‖q)
    exceeds that of the buckets by exactly p's tail mass times the KL of the two distributions
    *within* the tail (the chain rule of the KL). So little is lost where the tail is light, and
    nothing where teacher and student have the same proportions in it.

    >>> half = torch.tensor([0.5]).log()
    >>> teacher = TopK(torch.tensor([[2]]), log_probs=half[None], log_tail=half)
    >>> teacher.student_buckets(torch.zeros(1, 4)).exp()  # token 2, and the three others
    tensor([[0.2500, 0.7500]])
    """

    ids: Tensor  # [..., k] token ids, likeliest first; none twice at a position
    log_probs: Tensor  # [..., k] natural log-probabilities of these tokens
    log_tail: Tensor  # [...] log of the tail's mass; −inf if the tail is empty
    temperature: float | None = None  # at which the probabilities were taken; None: unknown
    vocabulary: int | None = None  # entries of the teacher's vocabulary; None: unknown

    @classmethod
    @checked
    def of(cls, ids: Tensor, log_probs: Tensor, **known: Any) -> TopK:
        """From log-probabilities alone, as a server gives them; the tail has the rest of the mass.

        Args:
            ids: ``[..., k]`` token ids, likeliest first; none twice at a position.
            log_probs: ``[..., k]``, natural log-probabilities of these tokens.
            **known: ``temperature`` and ``vocabulary``, if they are known.

        Raises:
            ValueError: ``log_probs`` is not floating point, or has another shape than ``ids``.

        >>> TopK.of(torch.tensor([[7, 2]]), torch.tensor([[0.5, 0.3]]).log()).log_tail.exp()
        tensor([0.2000])
        """
        if not log_probs.is_floating_point() or log_probs.shape != ids.shape:
            raise ValueError(
                "log_probs must be floating point, one for each of the ids; got "
                f"{log_probs.dtype} {list(log_probs.shape)} for {list(ids.shape)}"
            )
        rest = 1 - log_probs.double().exp().sum(-1)
        return cls(ids, log_probs, rest.clamp_min(0).log().to(log_probs.dtype), **known)

    def teacher_buckets(self) -> Tensor:
        """The log-probabilities of the k tokens, and last of the tail: ``[..., k + 1]``."""
        return torch.cat([self.log_probs, self.log_tail.unsqueeze(-1)], dim=-1)

    def student_buckets(self, student_logits: Tensor, temperature: float = 1.0) -> Tensor:
        """The student's log-probabilities of the same buckets, with gradient.

        Args:
            student_logits: ``[..., V]``.
            temperature: T of the softmax; that at which the teacher's probabilities were taken.

        Returns:
            ``[..., k + 1]``, the tail last.
        """
        log_q = log_softmax(student_logits, temperature)
        top = log_q.gather(-1, self.ids)
        if self.ids.shape[-1] == log_q.shape[-1]:
            tail = torch.full_like(top[..., :1], -torch.inf)
        else:  # log(1 − Σ exp(top)) would be noise where the tail is light
            tail = log_q.scatter(-1, self.ids, -torch.inf).logsumexp(-1, keepdim=True)
        return torch.cat([top, tail], dim=-1)

    def __getitem__(self, positions: Tensor | slice | int) -> TopK:
        """The positions that a mask, a slice or a number selects along the leading axes."""
        fields = self.ids[positions], self.log_probs[positions], self.log_tail[positions]
        return TopK(*fields, self.temperature, self.vocabulary)

    def to(self, device: torch.device | str) -> TopK:
        """The same distributions on another device."""
        ids, log_probs, log_tail = (
            field.to(device, non_blocking=True)
            for field in (self.ids, self.log_probs, self.log_tail)
        )
        return TopK(ids, log_probs, log_tail, self.temperature, self.vocabulary)

    def apart(self, other: TopK) -> float:
        """The largest difference, in nats, between two answers in a token's log-probability.

        For a token that only one answer lists, it is the least difference possible: in the other
        answer the token has at most the probability of the least likely token listed there, and at
        most the tail's, which is taken as 0.01 or more, because of rounding.
        """
        same = self.ids.unsqueeze(-1) == other.ids.unsqueeze(-2)  # [..., k, k]
        both = (self.log_probs.unsqueeze(-1) - other.log_probs.unsqueeze(-2)).abs()
        found = [both.masked_fill(~same, 0.0).flatten()]
        for one, two, listed in ((self, other, same.any(-1)), (other, self, same.any(-2))):
            most = two.log_tail.clamp_min(math.log(0.01)).minimum(two.log_probs.amin(-1))
            found.append((one.log_probs - most.unsqueeze(-1)).masked_fill(listed, 0.0).flatten())
        return float(torch.cat(found).nan_to_num(0.0).max()) if self.ids.numel() else 0.0

    @checked
    def within(self, vocabulary: int) -> TopK:
        """The distribution over the first ``vocabulary`` entries, renormalised.

        All positions keep equally many tokens: as many as the position that lists the fewest of
        these entries. A position that lists more of them adds the least likely ones to its tail.
        The tail keeps all its mass, even if some of it belongs to tokens beyond these entries.

        Raises:
            ValueError: all k tokens of a position lie beyond these entries.
        """
        if self.vocabulary is not None and self.vocabulary <= vocabulary:
            return self
        shared = self.ids < vocabulary
        k = int(shared.sum(-1).min()) if shared.numel() else self.ids.shape[-1]
        if k == 0:
            raise ValueError(
                f"all of the teacher's likeliest tokens lie beyond the {vocabulary} entries that "
                "both vocabularies have; write the store with vocabulary="
                f"{vocabulary}"
            )
        order = (~shared).to(torch.uint8).argsort(dim=-1, stable=True)
        ids = self.ids.gather(-1, order)
        log_probs = self.log_probs.masked_fill(~shared, -torch.inf).gather(-1, order)
        rest = torch.cat([log_probs[..., k:], self.log_tail.unsqueeze(-1)], -1)
        buckets = torch.cat([log_probs[..., :k], rest.logsumexp(-1, keepdim=True)], -1)
        buckets = buckets.log_softmax(-1)
        return TopK(ids[..., :k], buckets[..., :-1], buckets[..., -1], self.temperature, vocabulary)

    def check(self, logits_shape: Sequence[int]) -> None:
        """Raise ValueError if these are not distributions for student logits of that shape."""
        positions, entries = logits_shape[:-1], logits_shape[-1]
        if self.ids.shape[:-1] != positions:
            raise ValueError(
                f"the teacher's top k has positions {tuple(self.ids.shape[:-1])}, the student's "
                f"logits have {tuple(positions)}"
            )
        if self.log_tail.isnan().any():
            raise ValueError(
                "the teacher says nothing about a position that has a label; only what it was "
                "asked about can count"
            )
        if (
            self.ids.dtype not in (torch.int64, torch.int32)
            or self.ids.shape != self.log_probs.shape
        ):
            raise ValueError(
                "the teacher's top k needs integer ids and as many log_probs; got "
                f"{self.ids.dtype} {list(self.ids.shape)} and {list(self.log_probs.shape)}"
            )
        lowest, highest = self.ids.aminmax() if self.ids.numel() else (0, 0)
        if lowest < 0:
            raise ValueError(f"the teacher's top k has token id {int(lowest)}; ids are at least 0")
        if highest >= entries:
            raise ValueError(
                f"the teacher gives token {int(highest)} a probability, but the student's "
                f"vocabulary has {entries} entries"
            )
        if self.vocabulary is not None:
            check_vocabularies(entries, self.vocabulary)
        ordered = self.ids.sort(-1).values
        twice = ordered[..., 1:][ordered.diff(dim=-1) == 0]
        if len(twice):
            raise ValueError(
                f"the teacher's top k names token {twice[0].item()} twice at a position"
            )
        mass = self.teacher_buckets().exp().sum(-1)
        wrong = ~((mass - 1).abs() <= 0.01)  # log-probabilities are often rounded
        if wrong.any():
            raise ValueError(
                f"the teacher's k tokens and its tail have a mass of {mass[wrong][0].item():.4g} "
                "at a position; it must be 1. TopK.of(ids, log_probs) gives the tail what is left"
            )
