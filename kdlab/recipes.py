"""What a distillation is to do: all that its result depends on, in one record."""

from __future__ import annotations

import copy
import json
import os
import re
import warnings
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from kdlab.arguments import checked
from kdlab.config import TrainConfig
from kdlab.files import parted
from kdlab.models import PRESETS, TinyGPTConfig
from kdlab.objective import CombinedObjective
from kdlab.records import read_record
from kdlab.schedules import LambdaSchedule, make_schedule

__all__ = ["Recipe"]

ARMS = ("lm", "kd", "combined")
DTYPES = ("float32", "bfloat16", "float16")
TEACHER_STEPS = 800
BUILT_IN = ("pydocs", "pydocs-qa", "reckoning", "")
BLOCK_SIZE = TinyGPTConfig.block_size  # tokens that a student reads at once


@checked
@dataclass(frozen=True)
class Recipe:
    """All that the result of a distillation depends on, besides the code and the machine.

    A copy by ``dataclasses.replace`` keeps the learning rate, also one that was chosen by default;
    ``replace(recipe, lora=None, learning_rate=None)`` has the default of the copy.

    Raises:
        ValueError: a name is unknown, a number is outside its range, or two fields do not fit.

    >>> Recipe(arm="both")
    Traceback (most recent call last):
    ValueError: unknown arm 'both'; known: lm, kd, combined
    """

    corpus: str = "pydocs"  # the text to learn from, as in load_corpus
    train_fraction: float = 1.0  # share of the training text that the student learns from
    vocab_size: int | None = None  # entries of the vocabulary; None: all that the teacher has
    teacher: str = "tiny-teacher"  # a name in PRESETS, or hf: and a Hugging Face causal LM
    teacher_steps: int = TEACHER_STEPS  # optimiser steps that a preset teacher is trained for
    teacher_file: str | None = None  # train from this top-k store instead of the live model
    teacher_tail: bool = True  # keep the probability outside the top k as one token; False drops it
    teacher_texts: int | None = None  # blocks that the teacher writes; they replace those of corpus
    student: str = "tiny-student"  # in PRESETS, layers:n, shape:n, hf:name; see Ingredients.student
    arm: str = "combined"  # "lm" minimises the LM loss, "kd" the KD loss, "combined" LM + λ·KD
    divergence: str = "forward_kl"  # a name in DIVERGENCES
    temperature: float = 1.0  # T of the KD loss
    schedule: str = "constant"  # a name that make_schedule knows; used if arm="combined"
    lam: float = 1.0  # λ at its start or its peak; with schedule="ratio", the share λ·KD / LM
    steps: int = 200  # optimiser steps of the student
    batch_size: int = 16  # rows in a step: blocks or conversations
    learning_rate: float | None = None  # the peak; None: 2e-3, 1e-4 for hf:, 5e-4 for adapters
    seed: int = 0  # of the student's first weights and of the order of its data
    eval_every: int | None = None  # steps between evaluations on the validation split
    eval_blocks: int | None = None  # rows of the validation split, spread evenly; None: all
    mixed_precision: str = "no"  # "no", or "bf16" for activations in bfloat16
    on_policy: float = 0.0  # share of steps on text that the student writes, with KD loss alone
    prompt_tokens: int = 16  # first tokens of a block, which student or teacher continues
    data: str | None = None  # conversations to learn from in place of corpus, as in load_examples
    block_size: int | None = None  # tokens of a block (None: 128), or most tokens of a conversation
    packed: bool = False  # put several conversations into a block
    new_tokens: int = 64  # most tokens of an answer that the student writes
    eval_answers: int = 100  # held-out questions that the student answers at the end
    accumulation: int = 1  # micro-batches of a step
    lora: int | None = None  # rank r of adapters on all linear layers, α = 2r; merged at the end
    gradient_checkpointing: bool = False  # compute activations twice instead of keeping them
    dtype: str = "float32"  # of the teacher, and of the student's weights under adapters
    teacher_options: str | None = None  # options of from_pretrained for the teacher, as JSON

    def __post_init__(self) -> None:
        if self.arm not in ARMS:
            raise ValueError(f"unknown arm {self.arm!r}; known: {', '.join(ARMS)}")
        if not 0 < self.train_fraction <= 1:
            raise ValueError(
                f"train_fraction must be above 0 and at most 1, got {self.train_fraction}"
            )
        if self.student not in PRESETS and not re.fullmatch(
            r"(layers|shape):[1-9]\d*|hf:.+", self.student
        ):
            raise ValueError(
                f"unknown student {self.student!r}; known: {', '.join(PRESETS)}, or layers: or "
                "shape: and a number, or hf: and a Hugging Face model" + _as_folder(self.student)
            )
        if self.teacher not in PRESETS and not self.teacher.startswith("hf:"):
            raise ValueError(
                f"unknown teacher {self.teacher!r}; known: {', '.join(PRESETS)}, or hf: and a "
                "Hugging Face model" + _as_folder(self.teacher)
            )
        if self.teacher_texts is not None and self.teacher_file is not None:
            raise ValueError("a teacher's file knows the corpus, not what the teacher wrote")
        if self.on_policy and (self.arm == "lm" or self.teacher_file is not None):
            raise ValueError(
                "on_policy asks a live teacher about the student's text; there is none in the lm "
                "arm, and none in a file"
            )
        own_prompts = (self.on_policy or self.teacher_texts) and self.data is None
        block_size = self.block_size or BLOCK_SIZE
        if own_prompts and self.prompt_tokens >= block_size:
            raise ValueError(
                f"prompt_tokens {self.prompt_tokens} leave nothing to write in sequences of "
                f"{block_size} tokens"
            )
        self._check_fine_tuning()
        if self.arm == "combined" and self.schedule == "plateau" and self.eval_every is None:
            raise ValueError("the plateau schedule reacts to evaluations: give eval_every")
        if self.learning_rate is None:
            default = 2e-3 if not self.student.startswith("hf:") else 1e-4
            object.__setattr__(self, "learning_rate", default if self.lora is None else 5e-4)
        elif self.learning_rate > 1e-3 and self.student.startswith("hf:") and self.lora is None:
            warnings.warn(
                f"a learning rate of {self.learning_rate} is one for new weights; a pretrained "
                "student loses with it what it knew, and takes about 1e-4",
                stacklevel=4,
            )
        self.objective()
        self.lambda_schedule()
        self.train_config()

    def _check_fine_tuning(self) -> None:
        pretrained = self.student.startswith("hf:")
        if pretrained and not self.teacher.startswith("hf:"):
            raise ValueError(
                f"the student {self.student} has another tokenizer than the teacher "
                f"{self.teacher}: give it a teacher of its family, hf: and a name"
            )
        if self.data is not None and self.teacher_texts is not None:
            raise ValueError(
                "teacher_texts are blocks of a corpus; let a teacher answer questions with "
                "write_answers, and give its answers as data"
            )
        if self.packed and (self.data is None or self.on_policy):
            raise ValueError(
                "packed is for conversations, and not for on_policy: a corpus is packed anyway, "
                "and the student goes on from one text a row"
            )
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype must be {', '.join(DTYPES)}, got {self.dtype!r}")
        at_least_1 = ("lora", "new_tokens", "eval_blocks", "teacher_texts")
        for name in (*at_least_1, "vocab_size", "block_size"):
            value, least = getattr(self, name), 2 if name == "block_size" else 1
            if value is not None and value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")
        if self.teacher in PRESETS:
            if self.teacher_steps < 1:
                raise ValueError(f"teacher_steps must be at least 1, got {self.teacher_steps}")
            least = 257 if self.data is None else 263  # the bytes and the special tokens
            if self.vocab_size is not None and self.vocab_size < least:
                raise ValueError(
                    f"vocab_size must be at least {least}, which the tokenizer of {self.teacher} "
                    f"needs, got {self.vocab_size}"
                )
            longest = PRESETS[self.teacher].block_size
            if self.data is None and (self.block_size or 0) > longest:
                raise ValueError(
                    f"block_size {self.block_size} is longer than the {longest} tokens that "
                    f"{self.teacher} reads; take at most {longest}, or a teacher from hf:"
                )
        if self.eval_answers < 0:
            raise ValueError(f"eval_answers must be at least 0, got {self.eval_answers}")
        self.options_of_teacher()
        if not self.teacher.startswith("hf:") and (self.teacher_options or self.dtype != "float32"):
            raise ValueError(
                f"dtype and teacher_options are for a teacher from hf:, and {self.teacher} is none"
            )

    def options_of_teacher(self) -> dict[str, Any]:
        """``teacher_options`` as a dictionary; ValueError if they are not a JSON object."""
        try:
            options = json.loads(self.teacher_options or "{}")
        except json.JSONDecodeError as error:
            raise ValueError(f"teacher_options is no JSON: {error}") from None
        if not isinstance(options, dict):
            raise ValueError(f"teacher_options must be an object of JSON, got {options!r}")
        return options

    def absolute(self) -> Recipe:
        """A copy in which all paths that exist are absolute: it means the same in any folder."""
        changes = {}
        for name in ("corpus", "data", "teacher", "student", "teacher_file"):
            value: str = getattr(self, name) or ""
            prefix = "hf:" if value.startswith("hf:") else ""
            model = name in ("teacher", "student")
            if (model and not prefix) or value in BUILT_IN:
                continue
            for place in filter(None, places_of(value)):
                there = os.path.abspath(os.path.expanduser(place))
                if os.path.exists(there):
                    changes[name] = prefix + there + value.removeprefix(prefix + place)
                    break
        found = copy.copy(self)
        vars(found).update(changes)  # frozen, and checked already
        return found

    def setting(self) -> Recipe:
        """A copy with only the fields that text and teacher depend on; the rest are defaults."""
        names: tuple[str, ...] = (
            "corpus",
            "train_fraction",
            "vocab_size",
            "teacher",
            "teacher_steps",
            "eval_blocks",
            "data",
            "block_size",
            "packed",
            "dtype",
            "teacher_options",
        )
        if self.student.startswith("hf:"):  # the tokenizer of such a student is used
            names = (*names, "student")
        return Recipe(**{name: getattr(self, name) for name in names})

    def objective(self) -> CombinedObjective:
        """The objective that the arm minimises."""
        if self.arm == "lm":
            return CombinedObjective(lam=0.0)
        T = self.temperature
        if self.arm == "kd":
            return CombinedObjective(self.divergence, lam=1.0, form="convex", temperature=T)
        return CombinedObjective(self.divergence, lam=self.lam, temperature=T)

    def train_config(self, **options: Any) -> TrainConfig:
        """The student's training; ``options`` are fields of TrainConfig that change no result."""
        shared = {f.name for f in fields(TrainConfig)} & {f.name for f in fields(Recipe)}
        values = {name: getattr(self, name) for name in shared}
        if self.data is not None:
            values["prompt_tokens"] = None  # a prompt is all before the last answer
        else:
            values["new_tokens"] = None  # up to the end of the block
        return TrainConfig(**values, **options)

    def lambda_schedule(self) -> LambdaSchedule:
        """The schedule of λ; in the arms lm and kd it is constant.

        ``linear``, ``cosine`` and ``warmup_stable_decay`` end at 0; ``exponential`` ends at
        ``lam`` / 100.
        """
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


def places_of(name: str) -> list[str]:
    """The paths that a recipe's name may be: without ``hf:``, also without an ``@`` and a split."""
    place = name.removeprefix("hf:")
    return [place] if place == name else [place, parted(place)[0]]


def _as_folder(name: str) -> str:
    return f". For the folder, hf:{name}" if Path(name).is_dir() else ""


@checked
def read_recipe(run: str | Path) -> Recipe:
    """The recipe of a run.

    Raises:
        FileNotFoundError: the folder holds no run.
        ValueError: the recipe is damaged or empty, or has a field that this version does not know.
    """
    path = Path(run) / "recipe.json"
    found = read_record(path)
    if not found:
        raise ValueError(f"{path} holds an empty object, and a recipe has fields")
    odd = found.keys() - {item.name for item in fields(Recipe)}
    if odd:
        raise ValueError(f"{path} has {min(odd)!r}, which this version of kdlab does not know")
    return Recipe(**found)
