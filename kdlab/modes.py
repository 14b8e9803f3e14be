"""Evaluation mode, for a while; and whose turn it is with a model, which has but one mode."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch.nn as nn

USED: dict[int, list[int]] = {}  # by a part's id: by which thread, and how often over
CHANGED = threading.Condition()


@contextmanager
def in_turn(*models: nn.Module) -> Iterator[None]:
    """Waits until no other thread uses a part of these models in here, then keeps them to its end.

    All of them at once: threads that wait for each other's models would wait for ever.
    """
    me = threading.get_ident()
    parts = {id(part): part for model in models for part in model.modules()}
    with CHANGED:
        CHANGED.wait_for(lambda: all(USED.get(i, [me])[0] == me for i in parts))
        for i in parts:
            USED.setdefault(i, [me, 0])[1] += 1
    try:
        yield
    finally:
        with CHANGED:
            for i in parts:
                USED[i][1] -= 1
                if not USED[i][1]:
                    del USED[i]
            CHANGED.notify_all()


@contextmanager
def in_evaluation_mode(*models: nn.Module) -> Iterator[None]:
    """Models in evaluation mode; after it, each of their parts has the mode that it had.

    Another thread's step of training, or its evaluation, is waited for.

    >>> model = nn.Sequential(nn.Dropout(), nn.Dropout().eval())
    >>> with in_evaluation_mode(model):
    ...     model[0].training
    False
    >>> [part.training for part in model]
    [True, False]
    """
    with in_turn(*models):
        modes = [(part, part.training) for model in models for part in model.modules()]
        for model in models:
            model.eval()
        try:
            yield
        finally:
            for part, mode in modes:
                part.training = mode
