"""How a student is trained, and what was measured on the way."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kdlab.arguments import check_number, checked, ends_of
from kdlab.devices import check_device
from kdlab.records import with_numbers

__all__ = ["History", "TrainConfig"]


@checked
@dataclass(frozen=True)
class TrainConfig:
    """How to train. The learning rate warms up, then falls by a cosine to a tenth of its peak.

    The default peak is for new weights. A pretrained student takes about 1e-4, and adapters take
    about 5e-4: with much more, it may lose what it knew.

    With ``on_policy``, the student continues prompts, which are the beginnings of rows. With
    ``prompt_tokens=None``, the prompts of plain text have 16 tokens or, in shorter rows, all but 1.

    Raises:
        ValueError: a value is outside its range, or batch_size is no multiple of accumulation.

    >>> config = TrainConfig(steps=100, warmup_steps=10, learning_rate=1e-3)
    >>> [round(config.learning_rate_at(step), 6) for step in (0, 9, 99)]
    [0.0001, 0.001, 0.0001]
    """

    steps: int = 200  # optimiser steps
    batch_size: int = 16  # rows in a step, over all micro-batches and processes
    accumulation: int = 1  # micro-batches of a step on each process
    learning_rate: float = 2e-3  # the peak
    warmup_steps: int = 20  # steps over which the learning rate rises linearly
    weight_decay: float = 0.1  # on matrices, those of adapters too; not on norms and biases
    betas: tuple[float, float] = (0.9, 0.95)  # decay rates of AdamW's running means
    max_grad_norm: float = 1.0  # longer gradients are scaled to this norm; math.inf: no limit
    eval_every: int | None = None  # steps between evaluations; there is always one at the end
    checkpoint_every: int | None = None  # steps between checkpoints in out; None: after Ctrl-C only
    seed: int = 0  # decides the order of the data, and dropout
    device: str = "auto"  # "auto" takes a GPU where there is one; "cpu" keeps off it
    mixed_precision: str = "no"  # "no", or "bf16": activations in bfloat16, weights as they are
    compile: bool = False  # torch.compile the student
    linear_objective: bool = True  # take the linear path, which makes no logits, where possible
    on_policy: float = 0.0  # share of steps on text that the student writes, with KD loss alone
    prompt_tokens: int | None = None  # most tokens of a prompt; None: all before the last answer
    new_tokens: int | None = None  # most tokens to write; None: up to the batch's longest row
    end_of_text: int | tuple[int, ...] | None = None  # token ids; None: those of data and student
    progress: bool = False  # show a bar

    def __post_init__(self) -> None:
        at_least_1 = ("steps", "batch_size", "accumulation", "eval_every", "checkpoint_every")
        for name in (*at_least_1, "prompt_tokens", "new_tokens"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        for name in ("warmup_steps", "weight_decay", "seed"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} must be at least 0, got {value}")
        if self.seed >= 2**32:  # numpy's generators take no larger one
            raise ValueError(f"seed must be below 2**32, got {self.seed}")
        for name in ("learning_rate", "max_grad_norm"):
            value = getattr(self, name)
            if not value > 0 or (name == "learning_rate" and value == math.inf):
                raise ValueError(f"{name} must be above 0, got {value}")
        if not isinstance(self.betas, Sequence) or len(self.betas) != 2:
            raise ValueError(f"betas must be two numbers, got {self.betas!r}")
        betas = tuple(check_number("betas", beta) for beta in self.betas)
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"betas must be at least 0 and below 1, got {betas}")
        object.__setattr__(self, "betas", betas)
        if self.end_of_text is not None:
            ends = ends_of(self.end_of_text)
            one = isinstance(self.end_of_text, int)
            object.__setattr__(self, "end_of_text", ends[0] if one else ends)
        check_device(self.device)
        if self.mixed_precision not in ("no", "bf16"):
            raise ValueError(
                f'mixed_precision must be "no" or "bf16", got {self.mixed_precision!r}'
            )
        if not 0 <= self.on_policy <= 1:
            raise ValueError(f"on_policy must be a share from 0 to 1, got {self.on_policy}")
        if self.batch_size % self.accumulation:
            raise ValueError(
                f"batch_size {self.batch_size} must be a multiple of accumulation "
                f"{self.accumulation}: it counts the sequences of all micro-batches"
            )

    def learning_rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        rest = max(self.steps - self.warmup_steps, 1)
        fraction = min((step - self.warmup_steps) / rest, 1.0)
        return self.learning_rate * (0.1 + 0.45 * (1 + math.cos(math.pi * fraction)))


@dataclass
class History:
    """What was measured: one record for each step, and one for each evaluation.

    >>> History(train=[{"step": 1, "loss": 7.6}, {"step": 2, "loss": 7.4}]).column("loss")
    [7.6, 7.4]
    """

    train: list[dict[str, Any]] = field(default_factory=list)  # a record for each step
    eval: list[dict[str, Any]] = field(default_factory=list)  # a record for each evaluation

    def __repr__(self) -> str:
        """Only the lengths: a notebook shows this where ``fit`` is the last line of a cell."""
        return f"History({len(self.train)} steps, {len(self.eval)} evaluations)"

    def column(self, name: str, of: str = "train") -> list[Any]:
        """One quantity over the run: ``history.column("kd_loss")``.

        Raises:
            ValueError: a record lacks it, or ``of`` is neither ``"train"`` nor ``"eval"``.
        """
        if of not in ("train", "eval"):
            raise ValueError(f'a column is of "train" or of "eval", not of {of!r}')
        records: list[dict[str, Any]] = getattr(self, of)
        lacking = next((record for record in records if name not in record), None)
        if lacking is not None:
            raise ValueError(f"a record has no {name!r}, only {', '.join(map(repr, lacking))}")
        return [record[name] for record in records]

    @classmethod
    @checked
    def read(cls, path: str | Path) -> History:
        """The history that a ``metrics.jsonl`` holds.

        A last line that is incomplete, still being written or cut off, is left out.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: a line is not a record of a run.
        """
        history = cls()
        for line in Path(path).read_bytes().splitlines(keepends=True):
            try:
                record = with_numbers(json.loads(line))
                records = {"train": history.train, "eval": history.eval}[record.pop("kind")]
            except (ValueError, AttributeError, KeyError, TypeError):
                if line.endswith(b"\n"):
                    shown = line.decode(errors="backslashreplace").strip()
                    raise ValueError(
                        f"{path} holds what is no record of a run: {shown:.60}"
                    ) from None
                break
            records.append(record)
        return history
