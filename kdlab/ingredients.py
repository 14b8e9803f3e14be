"""What a recipe names, made or loaded: its text, its teacher, its student."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import torch
import torch.nn as nn
from accelerate.utils import set_seed
from safetensors.torch import load_file, save_file
from torch import Tensor

from kdlab.config import TrainConfig
from kdlab.data import (
    END_OF_TEXT,
    Corpus,
    PackedDataset,
    cache_dir,
    load_corpus,
    train_tokenizer,
    whole_or_not_at_all,
)
from kdlab.devices import kept_random_state, resolve_device
from kdlab.generation import continued
from kdlab.models import PRESETS, TinyGPT, every_nth_layer
from kdlab.objective import CombinedObjective
from kdlab.pretrained import load_pretrained
from kdlab.recipes import BLOCK_SIZE, TEACHER_STEPS, Recipe
from kdlab.saving import load_student, save_student
from kdlab.teachers import model_sha256
from kdlab.trainer import DistillationTrainer

__all__ = ["Ingredients", "trained_teacher"]


@dataclass(frozen=True)
class Ingredients:
    r"""What a recipe names, made or loaded: a teacher, and text in its tokens.

    Runs of one setting can share it: ``distill(..., ingredients=ingredients)``.

    >>> import tempfile
    >>> from pathlib import Path
    >>> text = Path(tempfile.mkdtemp()) / "owls.txt"
    >>> tale = "{0} owls met {0} more owls, and then there were twice {0} owls. "
    >>> _ = text.write_text("\n\n".join(tale.format(i) * 20 for i in range(60)))
    >>> ingredients = Ingredients.of(Recipe(corpus=str(text), teacher_steps=2), device="cpu")
    >>> ingredients.train[0]["input_ids"].shape, ingredients.student("layers:2").config.n_layer
    (torch.Size([128]), 2)
    """

    setting: Recipe  # its part that all of this depends on
    teacher: nn.Module  # where its last user left it, on the CPU or on a GPU
    train: PackedDataset
    validation: PackedDataset
    vocab_size: int  # of the teacher, and of every student

    @classmethod
    def of(cls, recipe: Recipe, *, device: str = "auto", progress: bool = False) -> Ingredients:
        """The teacher and the data of a recipe; a preset teacher is trained if it is not cached.

        Args:
            recipe: its setting is used.
            device: ``"auto"`` or ``"cpu"``, for the training of the teacher.
            progress: show a bar while it trains.

        Raises:
            ValueError: the corpus is unknown, or the teacher cannot have that vocabulary.
        """
        recipe = setting = recipe.setting()
        corpus = load_corpus(recipe.corpus)
        if recipe.teacher.startswith("hf:"):
            name = recipe.teacher.removeprefix("hf:")
            teacher, tokenizer, end = load_pretrained(name, recipe.vocab_size)
        else:
            teacher = own = trained_teacher(
                corpus,
                recipe.teacher,
                vocab_size=recipe.vocab_size,
                steps=recipe.teacher_steps,
                device=device,
                progress=progress,
            )
            tokenizer, end = train_tokenizer(corpus, own.config.vocab_size), END_OF_TEXT
        train, validation = (
            PackedDataset(split, tokenizer, BLOCK_SIZE, end_of_text=end)
            for split in (corpus.train, corpus.validation)
        )
        if recipe.train_fraction < 1:
            train = train.spread(max(1, round(recipe.train_fraction * len(train))))
        if recipe.eval_blocks is not None:
            validation = validation.spread(recipe.eval_blocks)
        entries: int = cast(Any, teacher).config.vocab_size
        return cls(setting, teacher, train, validation, entries)

    def student(self, name: str) -> nn.Module:
        """A student before its first step, of one seed of torch's.

        A name in PRESETS is of that shape, with the teacher's vocabulary; ``layers:n`` is each nth
        layer of the teacher; ``shape:n`` is as large as that, and has new weights.
        """
        if name in PRESETS:
            return TinyGPT(name, vocab_size=self.vocab_size)
        kind, _, n = name.partition(":")
        smaller = every_nth_layer(self.teacher, int(n))
        return smaller if kind == "layers" else type(smaller)(smaller.config)

    def teacher_text(self, recipe: Recipe, *, device: str = "auto") -> list[dict[str, Tensor]]:
        """Blocks that begin as those of the corpus do, and that the teacher finished; cached.

        Raises:
            ValueError: the recipe does not say how many.
        """
        if recipe.teacher_texts is None:
            raise ValueError("the recipe asks for no text of the teacher's; set teacher_texts")
        prompts = self.train.spread(recipe.teacher_texts).blocks[:, : recipe.prompt_tokens]
        digest = hashlib.sha256(prompts.numpy().tobytes() + model_sha256(self.teacher).encode())
        path = cache_dir() / "teacher-texts" / f"{digest.hexdigest()[:16]}.safetensors"
        if not path.exists():
            where = resolve_device(device)
            draws = torch.Generator(where).manual_seed(0)
            parts = [
                continued(self.teacher.to(where), part.to(where), BLOCK_SIZE, generator=draws)
                for part in torch.split(prompts, 64)
            ]
            text = {key: torch.cat([part[key].cpu() for part in parts]) for key in parts[0]}
            with whole_or_not_at_all(path) as partial:
                save_file(text, partial)
        text = load_file(path)
        return [{key: rows[i] for key, rows in text.items()} for i in range(len(prompts))]


def trained_teacher(
    corpus: Corpus,
    preset: str = "tiny-teacher",
    *,
    vocab_size: int | None = None,
    steps: int = TEACHER_STEPS,
    device: str = "auto",
    progress: bool = False,
) -> TinyGPT:
    """A preset model trained on the corpus's labels; trained once, then read from the cache.

    Args:
        corpus: the text; its training split is learned.
        preset: a name in :data:`kdlab.PRESETS`.
        vocab_size: if not that of the preset.
        steps: optimiser steps.
        device: ``"auto"`` or ``"cpu"``, for the training.
        progress: show a bar while it trains.

    Returns:
        The model, on the CPU.

    Raises:
        ValueError: the preset is unknown.

    >>> from kdlab import count_parameters
    >>> corpus = Corpus("owls", tuple(f"{i} owls " * 40 for i in range(80)))
    >>> trained_teacher(corpus, steps=1, device="cpu").config.n_layer
    4
    """
    if preset not in PRESETS:
        raise ValueError(f"unknown preset {preset!r}; known: {', '.join(PRESETS)}")
    shape = replace(PRESETS[preset], **({} if vocab_size is None else {"vocab_size": vocab_size}))
    config = TrainConfig(steps=steps, device=device, progress=progress)
    recipe = {
        "corpus": corpus.sha256,
        "model": asdict(shape),
        "training": {k: v for k, v in asdict(config).items() if k not in ("device", "progress")},
        "torch": torch.__version__,
    }
    digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:16]
    folder = cache_dir() / "teachers" / f"{preset}-{corpus.name}-{digest}"
    if not (folder / "model.safetensors").exists():
        tokenizer = train_tokenizer(corpus, shape.vocab_size)
        train = PackedDataset(corpus.train, tokenizer, shape.block_size)
        if progress:
            print(
                f"Training the teacher {preset} once, for {steps} steps; it is kept in the cache."
            )
        with kept_random_state():
            set_seed(0)
            model = TinyGPT(shape)
            DistillationTrainer(model, None, CombinedObjective(lam=0.0), config=config).fit(train)
        save_student(model.cpu(), folder)
    with kept_random_state():  # a model draws its first weights, to be overwritten
        teacher = load_student(folder)
    assert isinstance(teacher, TinyGPT)  # it was saved above
    return teacher
