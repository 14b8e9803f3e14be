"""What a distillation is to do: all that its result depends on, in one record."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from kdlab.config import TrainConfig
from kdlab.models import PRESETS, TinyGPTConfig
from kdlab.objective import CombinedObjective
from kdlab.schedules import LambdaSchedule, make_schedule

__all__ = ["BLOCK_SIZE", "Recipe", "read_recipe"]

ARMS = ("lm", "kd", "combined")
TEACHER_STEPS = 800
BLOCK_SIZE = TinyGPTConfig.block_size  # tokens that a student reads at once


@dataclass(frozen=True)
class Recipe:
    """All that the result of a distillation depends on, besides the code and the machine.

    Raises:
        ValueError: a name is unknown, a number outside its range, or two fields do not go together.

    >>> Recipe(arm="both")
    Traceback (most recent call last):
    ValueError: unknown arm 'both'; known: lm, kd, combined
    """

    corpus: str = "pydocs"  # as in load_corpus
    train_fraction: float = 1.0  # of the training blocks, for the student
    vocab_size: int | None = None  # tokens; None: the preset's, or all that the teacher has
    teacher: str = "tiny-teacher"  # a name in PRESETS, or hf: and a Hugging Face causal LM
    teacher_steps: int = TEACHER_STEPS  # optimiser steps that a preset teacher is trained for
    teacher_file: str | None = None  # train from this top-k store instead of the live model
    teacher_tail: bool = True  # what the store left out is one more token; if not, as if it were 0
    teacher_texts: int | None = None  # train on so many blocks that the teacher wrote
    student: str = "tiny-student"  # a name in PRESETS, layers:n or shape:n: see Ingredients.student
    arm: str = "combined"  # lm: labels; kd: teacher; combined: LM + λ·KD
    divergence: str = "forward_kl"  # a name in DIVERGENCES
    temperature: float = 1.0  # of the KD term
    schedule: str = "constant"  # a name that make_schedule knows, for the combined arm
    lam: float = 1.0  # λ: its start, its peak, or the share that ratio keeps
    steps: int = 200  # optimiser steps of the student
    batch_size: int = 16  # blocks in a step
    learning_rate: float = 2e-3  # its peak
    seed: int = 0  # of the student's first weights and of the order of its data
    eval_every: int | None = None  # steps between evaluations on the validation split
    eval_blocks: int | None = None  # of that split, spread evenly over it; None: all
    mixed_precision: str = "no"  # or bf16
    on_policy: float = 0.0  # share of steps on text that the student writes, with KD loss alone
    prompt_tokens: int = 16  # of each block, before the student or the teacher goes on

    def __post_init__(self) -> None:
        if self.arm not in ARMS:
            raise ValueError(f"unknown arm {self.arm!r}; known: {', '.join(ARMS)}")
        if not 0 < self.train_fraction <= 1:
            raise ValueError(
                f"train_fraction must be above 0 and at most 1, got {self.train_fraction}"
            )
        if self.student not in PRESETS and not re.fullmatch(
            r"(layers|shape):[1-9]\d*", self.student
        ):
            raise ValueError(
                f"unknown student {self.student!r}; known: {', '.join(PRESETS)}, or layers: or "
                "shape: and a number"
            )
        if self.teacher not in PRESETS and not self.teacher.startswith("hf:"):
            raise ValueError(
                f"unknown teacher {self.teacher!r}; known: {', '.join(PRESETS)}, or hf: and a "
                "Hugging Face model"
            )
        if self.teacher_texts is not None and self.teacher_file is not None:
            raise ValueError("a teacher's file knows the corpus, not what the teacher wrote")
        if self.on_policy and (self.arm == "lm" or self.teacher_file is not None):
            raise ValueError(
                "on_policy asks a live teacher about the student's text; there is none in the lm "
                "arm, and none in a file"
            )
        if (self.on_policy or self.teacher_texts) and self.prompt_tokens >= BLOCK_SIZE:
            raise ValueError(
                f"prompt_tokens {self.prompt_tokens} leave nothing to write in sequences of "
                f"{BLOCK_SIZE} tokens"
            )
        if self.schedule == "plateau" and self.eval_every is None:
            raise ValueError("the plateau schedule reacts to evaluations: give eval_every")
        self.objective()
        self.lambda_schedule()
        self.train_config()

    def setting(self) -> Recipe:
        """What the text and the teacher depend on; all else is as by default."""
        names = (
            "corpus",
            "train_fraction",
            "vocab_size",
            "teacher",
            "teacher_steps",
            "eval_blocks",
        )
        return Recipe(**{name: getattr(self, name) for name in names})

    def objective(self) -> CombinedObjective:
        """What the arm minimises."""
        if self.arm == "lm":
            return CombinedObjective(lam=0.0)
        T = self.temperature
        if self.arm == "kd":
            return CombinedObjective(self.divergence, lam=1.0, form="convex", temperature=T)
        return CombinedObjective(self.divergence, lam=self.lam, temperature=T)

    def train_config(self, **options: Any) -> TrainConfig:
        """How the student is trained; the options are those that do not change what it learns."""
        shared = {f.name for f in fields(TrainConfig)} & {f.name for f in fields(Recipe)}
        return TrainConfig(**{name: getattr(self, name) for name in shared}, **options)

    def lambda_schedule(self) -> LambdaSchedule:
        """λ over the steps. Planned schedules end at 0 (the exponential at λ/100)."""
        if self.arm != "combined":
            return make_schedule("constant", lam=self.objective().lam)
        lam, steps = self.lam, self.steps
        options = {
            "constant": {"lam": lam},
            "exponential": {"start": lam, "end": lam / 100, "steps": steps},
            "warmup_stable_decay": {
                "peak": lam,
                "warmup_steps": steps // 10,
                "stable_steps": steps // 2 - steps // 10,
                "decay_steps": steps - steps // 2,
            },
            "plateau": {"start": lam},
            "ratio": {"share": lam},
        }.get(self.schedule, {"start": lam, "end": 0.0, "steps": steps})
        return make_schedule(self.schedule, **options)


def read_recipe(run: str | Path) -> Recipe:
    """The recipe of a run.

    Raises:
        FileNotFoundError: the folder holds no run.
    """
    return Recipe(**json.loads((Path(run) / "recipe.json").read_text(encoding="utf-8")))
