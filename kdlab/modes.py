"""Evaluation mode for a while; and threads that take turns with a model, which has one mode."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch.nn as nn

USED: dict[int, list[int]] = {}  # id of a module -> [thread that has it, its open turns]
CHANGED = threading.Condition()


@contextmanager
def in_turn(*models: nn.Module) -> Iterator[None]:
    """Wait until no other thread has a turn with a part of these models; then hold the turn.

    All models are taken at once: threads that wait for each other's models would wait for ever. A
    thread that has the turn may take it again.
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


def held_by(teacher: Any) -> list[nn.Module]:
    """The models that a teacher which is no module itself holds, and may take its turn with.

    Who asks such a teacher in turn with other models takes these together with them.
    """
    held = [] if isinstance(teacher, nn.Module) else [*getattr(teacher, "__dict__", {}).values()]
    held = [part for each in held for part in (each if isinstance(each, list | tuple) else [each])]
    return [each for each in held if isinstance(each, nn.Module)]


@contextmanager
def in_evaluation_mode(*models: nn.Module) -> Iterator[None]:
    """Put models into evaluation mode; at the end, give each of their parts its earlier mode.

    First wait until no other thread trains or evaluates a part of them.

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
