"""Recorded runs and students, read into the form that the schedule player takes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from kdlab.config import History
from kdlab.sweep_results import SweepResults

__all__ = ["read_run", "read_trained"]


def read_run(folder: str | Path, made_with: str) -> dict[str, Any]:
    """A run of ``kdlab distill``, in the form that the schedule player takes.

    Args:
        folder: the run's folder, with its ``metrics.jsonl``.
        made_with: words that say which run it is; the player shows them.

    Returns:
        A dictionary with four entries. ``lm`` and ``kd`` are lists of the losses of each step, in
        nats. ``gap`` is the student's LM loss minus the teacher's on the validation split, in nats,
        under the number (as text) of the step after which it was measured. ``made_with`` is given.

    Raises:
        ValueError: a step lacks a loss, an evaluation has not measured the teacher, or a number is
            not finite.
    """
    history = History.read(Path(folder) / "metrics.jsonl")
    losses = [(record["lm_loss"], record["kd_loss"]) for record in history.train]
    measured = [record["teacher_perplexity"] for record in history.eval]
    shown = [loss for pair in losses for loss in pair] + measured
    shown += [record["perplexity"] for record in history.eval]
    if not all(value is not None and math.isfinite(value) for value in shown):
        raise ValueError(
            "the player shows LM, KD and the gap to the teacher, and the run in "
            f"{folder} has a step or an evaluation without them, or with numbers that are not "
            "finite: it had no teacher, learned from the student's own text, or diverged"
        )
    return {
        "made_with": made_with,
        "lm": [round(lm, 4) for lm, _ in losses],
        "kd": [round(kd, 4) for _, kd in losses],
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
    """Recorded students, in the form that the schedule player takes.

    Args:
        results: recorded runs, with a curve of ``lm_loss`` and final values of ``lm_loss`` and
            ``gap``.
        arms: for each schedule's name, the arm that used the schedule, and its settings in words.
        labels: the arm that was trained on labels alone.
        made_with: words that say which runs they are; the player shows them.

    Returns:
        A dictionary. ``gap`` has a list over the steps for each schedule and for
        ``"labels alone"``: the student's LM loss minus the teacher's on held-out text, in nats,
        mean over the seeds. ``steps`` are the steps of these lists, ``told`` is each schedule's
        settings in words, and ``least`` and ``most`` are the smallest and the largest gap, the
        range of the axis. ``made_with`` is given.

    Raises:
        ValueError: two arms were not measured at the same steps.
    """
    gaps: dict[str, list[float]] = {}
    steps: list[int] = []
    used = {"labels alone": labels} | {name: arm for name, (arm, _) in arms.items()}
    for name, arm in used.items():
        measured, losses = results.curve(arm, "lm_loss")
        if steps and measured != steps:
            raise ValueError(f"{arm!r} and {labels!r} were not measured at the same steps")
        steps = measured
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
