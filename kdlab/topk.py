"""A distribution by its likeliest tokens: what a teacher in a file, or behind a server, gives."""

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
    """A distribution by its k likeliest tokens and the mass of the rest.

    The k + 1 buckets make a coarser distribution, and a divergence between two such is at most the
    full one. The full KL(p‖q) is larger than that of the buckets by exactly the tail's mass
    times the KL of the two distributions *within* the tail (the chain rule of the KL): little is
    lost where the tail is light, and nothing where the student has the teacher's proportions in it.

    >>> half = torch.tensor([0.5]).log()
    >>> teacher = TopK(torch.tensor([[2]]), log_probs=half[None], log_tail=half)
    >>> teacher.student_buckets(torch.zeros(1, 4)).exp()  # token 2, and the three others
    tensor([[0.2500, 0.7500]])
    """

    ids: Tensor  # [..., k] token ids, likeliest first, each once
    log_probs: Tensor  # [..., k] their natural log-probabilities
    log_tail: Tensor  # [...] the log of what is left, −inf if nothing is
    temperature: float | None = None  # at which they were taken, if that is known
    vocabulary: int | None = None  # the teacher's entries, if they are known

    @classmethod
    @checked
    def of(cls, ids: Tensor, log_probs: Tensor, **known: Any) -> TopK:
        """From log-probabilities alone, as a server gives them: the tail is what they leave.

        Args:
            ids: ``[..., k]`` token ids, each once.
            log_probs: ``[..., k]``, natural.
            **known: ``temperature`` and ``vocabulary``, if they are known.

        Raises:
            ValueError: they are no tensors of one shape.

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
        """log-probabilities of the k tokens and of the tail: ``[..., k + 1]``."""
        return torch.cat([self.log_probs, self.log_tail.unsqueeze(-1)], dim=-1)

    def student_buckets(self, student_logits: Tensor, temperature: float = 1.0) -> Tensor:
        """The student's log-probabilities of the same buckets, with gradient.

        Args:
            student_logits: ``[..., V]``.
            temperature: that at which the store was written.

        Returns:
            ``[..., k + 1]``.
        """
        log_q = log_softmax(student_logits, temperature)
        top = log_q.gather(-1, self.ids)
        if self.ids.shape[-1] == log_q.shape[-1]:
            tail = torch.full_like(top[..., :1], -torch.inf)
        else:  # log(1 − Σ top) would be noise where the tail is light
            tail = log_q.scatter(-1, self.ids, -torch.inf).logsumexp(-1, keepdim=True)
        return torch.cat([top, tail], dim=-1)

    def __getitem__(self, positions: Tensor | slice | int) -> TopK:
        """The positions that a mask, a slice or a number picks out of the leading axes."""
        fields = self.ids[positions], self.log_probs[positions], self.log_tail[positions]
        return TopK(*fields, self.temperature, self.vocabulary)

    def to(self, device: torch.device | str) -> TopK:
        """The same on another device."""
        ids, log_probs, log_tail = (
            field.to(device, non_blocking=True)
            for field in (self.ids, self.log_probs, self.log_tail)
        )
        return TopK(ids, log_probs, log_tail, self.temperature, self.vocabulary)

    def apart(self, other: TopK) -> float:
        """By how many nats a token's log-probability must differ in two answers, at most anywhere.

        A token that one of them does not list has there at most the probability of the last that it
        lists, and at most that of the tail, which rounding may have moved by 0.01.
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

        Every position keeps the same number of tokens: the smallest number that any position has
        within. Any others that lie within go into the tail: a coarser distribution, but a
        true one.

        Raises:
            ValueError: all k tokens of a position lie beyond them.
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
        """Raise ValueError if these are not distributions for logits of that shape."""
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
