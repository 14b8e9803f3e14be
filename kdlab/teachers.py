"""Where the teacher's distribution comes from."""

from __future__ import annotations

import torch
import torch.nn as nn
from torch import Tensor

from kdlab.models import logits_of

__all__ = ["LiveTeacher"]


class LiveTeacher(nn.Module):
    """A model that teaches: frozen, in evaluation mode, and it stays so.

    Args:
        model: any causal language model that :func:`kdlab.logits_of` can read. Its parameters are
            frozen in place.

    >>> teacher = LiveTeacher(nn.Sequential(nn.Embedding(10, 4), nn.Dropout(), nn.Linear(4, 10)))
    >>> teacher.train().training
    False
    >>> teacher(torch.zeros(1, 3, dtype=torch.long)).requires_grad
    False
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> LiveTeacher:
        """Does nothing but return the teacher: dropout would make it contradict itself."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, input_ids: Tensor, **inputs: Tensor) -> Tensor:
        """Next-token logits ``[B, T, V]``, a constant, for token ids ``[B, T]``."""
        return logits_of(self.model, input_ids, **inputs)
