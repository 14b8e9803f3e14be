"""Recorded runs and students, as the schedule player takes them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from kdlab.config import History
from kdlab.sweep_results import SweepResults

__all__ = ["read_run", "read_trained"]


def read_run(folder: str | Path, made_with: str) -> dict[str, Any]:
    """A run of ``kdlab distill`` as the schedule player takes it.

    Args:
        folder: where its ``metrics.jsonl`` is.
        made_with: the words that say what run it is.

    Returns:
        ``lm`` and ``kd``, the losses of each step in nats; ``gap``, the student's LM loss minus the
        teacher's on the validation split, in nats, under the step after which it was measured.
    """
    history = History.read(Path(folder) / "metrics.jsonl")
    return {
        "made_with": made_with,
        "lm": [round(loss, 4) for loss in history.column("lm_loss")],
        "kd": [round(loss, 4) for loss in history.column("kd_loss")],
        "gap": {
            str(record["step"]): round(
                math.log(record["perplexity"] / record["teacher_perplexity"]), 4
            )
            for record in history.eval
        },
    }


def read_trained(
    results: SweepResults, arms: dict[str, tuple[str, str]], labels: str, made_with: str
) -> dict[str, Any]:
    """Recorded students as the schedule player takes them.

    Args:
        results: recorded runs with a curve of ``lm_loss`` and a final value of ``gap``.
        arms: for each schedule's name, the arm that used it, and its settings in words.
        labels: the arm of labels alone.
        made_with: the words that say what runs they are.

    Returns:
        ``gap``, the student's LM loss minus the teacher's on held-out text, in nats, a list over
        the steps for each schedule, means over the seeds; ``steps``; ``least`` and ``most``, the
        range of the axis.
    """
    gaps: dict[str, list[float]] = {}
    used = {"labels alone": labels} | {name: arm for name, (arm, _) in arms.items()}
    for name, arm in used.items():
        steps, losses = results.curve(arm, "lm_loss")
        teacher = results.mean(arm, "lm_loss").mean - results.mean(arm, "gap").mean
        gaps[name] = [round(loss.mean - teacher, 4) for loss in losses]
    every = [gap for curve in gaps.values() for gap in curve]
    return {
        "made_with": made_with,
        "steps": list(steps),
        "gap": gaps,
        "told": {name: told for name, (_, told) in arms.items()},
        "least": min(every),
        "most": max(every),
    }
