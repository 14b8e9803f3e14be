"""What a recipe names, made or loaded: its text, its teacher, its student."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

import torch
import torch.nn as nn
from accelerate.utils import set_seed
from safetensors.torch import load_file, save_file
from torch import Tensor

from kdlab.arguments import checked
from kdlab.chats import ChatDataset, train_chat_tokenizer
from kdlab.config import TrainConfig
from kdlab.data import END_OF_TEXT, Corpus, PackedDataset, load_corpus, tokenizer_for
from kdlab.devices import kept_random_state, moved, resolve_device
from kdlab.examples import Examples, load_examples
from kdlab.files import cache_dir, slug, whole_or_not_at_all
from kdlab.fingerprints import model_sha256
from kdlab.generation import continued, end_of_text_of
from kdlab.inputs import check_ids
from kdlab.layers import every_nth_layer
from kdlab.models import PRESETS, TinyGPT, longest_text
from kdlab.objective import CombinedObjective
from kdlab.packing import PackedRows
from kdlab.pretrained import check_same_tokens, entries_of, load_both, tokenizer_of
from kdlab.recipes import BLOCK_SIZE, TEACHER_STEPS, Recipe
from kdlab.saving import load_student, save_student
from kdlab.trainer import DistillationTrainer

__all__ = ["Ingredients", "trained_teacher"]

Item = TypeVar("Item")

SOME = 256  # training texts on which two tokenizers are compared


@dataclass(frozen=True)
class Ingredients:
    r"""What a recipe names, made or loaded: a teacher, and text in its tokens.

    Runs with the same :meth:`kdlab.Recipe.setting` can share it:
    ``distill(..., ingredients=ingredients)``.

    >>> import tempfile
    >>> from pathlib import Path
    >>> text = Path(tempfile.mkdtemp()) / "owls.txt"
    >>> tale = "{0} owls met {0} more owls, and then there were twice {0} owls. "
    >>> _ = text.write_text("\n\n".join(tale.format(i) * 20 for i in range(60)))
    >>> ingredients = Ingredients.of(Recipe(corpus=str(text), teacher_steps=2), device="cpu")
    >>> ingredients.train[0]["input_ids"].shape, ingredients.student("layers:2").config.n_layer
    (torch.Size([128]), 2)
    """

    setting: Recipe  # the part of the recipe that text and teacher depend on: recipe.setting()
    teacher: nn.Module  # on the device where it was used last
    train: PackedDataset | ChatDataset | PackedRows  # rows to learn from
    validation: PackedDataset | ChatDataset  # rows to measure on
    vocab_size: int  # entries of the teacher's vocabulary; a preset student has the same
    tokenizer: Any = None  # of ``transformers``; of ``tokenizers`` if a preset teacher has a corpus
    text_sha256: str = ""  # of the corpus or the conversations, before it is tokenized

    @classmethod
    @checked
    def of(
        cls,
        recipe: Recipe,
        *,
        device: str = "auto",
        progress: bool = False,
        text: Corpus | Examples | None = None,
    ) -> Ingredients:
        """The teacher and the data of a recipe; a preset teacher is trained if it is not cached.

        Args:
            recipe: only its :meth:`kdlab.Recipe.setting` is used.
            device: ``"auto"`` or ``"cpu"``, for the training of a preset teacher.
            progress: show a bar while the teacher trains.
            text: the recipe's corpus or conversations, if loaded already; None loads them.

        Raises:
            ValueError: the corpus is unknown; there are too few conversations to split; the teacher
                cannot have ``vocab_size`` entries, or the text has tokens outside of them; or a
                pretrained student has other tokens than its teacher.
        """
        recipe = setting = recipe.setting()
        corpus = text_of(recipe) if text is None else text
        if isinstance(corpus, Examples):
            return cls._of_examples(setting, corpus, device, progress)
        if recipe.teacher.startswith("hf:"):
            teacher, kept = _pretrained_teacher(recipe)
            tokenizer, end = kept, kept.eos_token
            if end is None:
                raise ValueError(
                    f"the tokenizer of {recipe.teacher} names no eos_token, with which a document "
                    "of a corpus ends; name one and save it there with save_pretrained"
                )
            if recipe.student.startswith("hf:"):
                _tokenizer_of_student(recipe, kept, corpus.train[:SOME])
        else:
            teacher = own = trained_teacher(
                corpus,
                recipe.teacher,
                vocab_size=recipe.vocab_size,
                steps=recipe.teacher_steps,
                device=device,
                progress=progress,
            )
            tokenizer, end = tokenizer_for(corpus, own.config.vocab_size), END_OF_TEXT
            kept = tokenizer
        train, validation = (
            PackedDataset(split, tokenizer, recipe.block_size or BLOCK_SIZE, end_of_text=end)
            for split in (corpus.train, corpus.validation)
        )
        highest = max(int(data.blocks.max()) for data in (train, validation))
        check_ids({"input_ids": torch.tensor([[highest]], device="cpu")}, teacher)
        if recipe.train_fraction < 1:
            train = train.spread(max(1, round(recipe.train_fraction * len(train))))
        if recipe.eval_blocks is not None:
            validation = validation.spread(recipe.eval_blocks)
        return cls(setting, teacher, train, validation, entries_of(teacher), kept, corpus.sha256)

    @classmethod
    def _of_examples(
        cls, setting: Recipe, examples: Examples, device: str, progress: bool
    ) -> Ingredients:
        """What :meth:`of` makes, with conversations in place of a corpus."""
        told, held_out = examples.train, examples.validation
        if not told or not held_out:
            raise ValueError(
                f"{setting.data} has {len(examples.conversations)} conversations, too few to split "
                "into training and validation"
            )
        if setting.teacher.startswith("hf:"):
            teacher, tokenizer = _pretrained_teacher(setting)
            if setting.student.startswith("hf:"):
                theirs = tokenizer
                said = [str(m.get("content") or "") for c in told[:SOME] for m in c.messages]
                tokenizer = _tokenizer_of_student(setting, theirs, said)
                tokenizer.chat_template = tokenizer.chat_template or theirs.chat_template
        else:
            teacher = trained_teacher(
                examples,
                setting.teacher,
                vocab_size=setting.vocab_size,
                steps=setting.teacher_steps,
                device=device,
                progress=progress,
            )
            tokenizer = train_chat_tokenizer(examples, entries_of(teacher))
        longest = setting.block_size or longest_text(teacher)
        told = spread(told, max(1, round(setting.train_fraction * len(told))))
        if setting.eval_blocks is not None:
            held_out = spread(held_out, min(setting.eval_blocks, len(held_out)))
        train, validation = (
            ChatDataset(part, tokenizer, max_length=longest) for part in (told, held_out)
        )
        highest = max(int(row["input_ids"].max()) for row in (*train.rows, *validation.rows))
        check_ids({"input_ids": torch.tensor([[highest]], device="cpu")}, teacher)
        return cls(
            setting,
            teacher,
            train.packed(longest) if setting.packed else train,
            validation,
            entries_of(teacher),
            tokenizer,
            examples.sha256,
        )

    @checked
    def student(self, name: str) -> nn.Module:
        """A student before its first step; new weights come from torch's random state.

        A name in PRESETS gives a model of that shape, with the teacher's vocabulary; ``layers:n``
        keeps every nth layer of the teacher; ``shape:n`` is a model of the size of ``layers:n``
        with new weights; ``hf:`` and a name is a pretrained model.
        """
        if name in PRESETS:
            longest = {} if self.setting.block_size is None else {"block_size": self.longest}
            return TinyGPT(name, vocab_size=self.vocab_size, **longest)
        kind, _, n = name.partition(":")
        if kind == "hf":
            return load_both(n, self.setting.vocab_size)[0]
        # The teacher may be in half precision, but weights are trained in float32.
        smaller = every_nth_layer(self.teacher, int(n)).float()
        return smaller if kind == "layers" else type(smaller)(smaller.config)

    @property
    def longest(self) -> int:
        """Most tokens that a student from PRESETS reads, which is block_size, but at least 128."""
        return max(PRESETS["tiny-student"].block_size, self.setting.block_size or 0)

    def teacher_text(self, recipe: Recipe, *, device: str = "auto") -> list[dict[str, Tensor]]:
        """Rows to train on: prompts from the corpus, continued by the teacher; cached.

        Raises:
            ValueError: ``recipe.teacher_texts`` is None, or the data are conversations.
        """
        if recipe.teacher_texts is None:
            raise ValueError("the recipe asks for no text of the teacher's; set teacher_texts")
        if not isinstance(self.train, PackedDataset):
            raise ValueError("teacher_texts go on from blocks of a corpus, not from conversations")
        size = self.train.blocks.shape[1]
        prompts = self.train.spread(recipe.teacher_texts).blocks[:, : recipe.prompt_tokens]
        key = f"{list(prompts.shape)} {size} {model_sha256(self.teacher)}"
        if ends := end_of_text_of(self.teacher):
            key += f" {ends}"
        digest = hashlib.sha256(prompts.numpy().tobytes() + key.encode())
        path = cache_dir() / "teacher-texts" / f"{digest.hexdigest()[:16]}.safetensors"
        if not path.exists():
            where = resolve_device(device)
            draws = torch.Generator(where).manual_seed(0)
            parts = [
                continued(moved(self.teacher, where), part.to(where), size, generator=draws)
                for part in torch.split(prompts, 64)
            ]
            if any("attention_mask" in part for part in parts):  # only where a row is shorter
                for part in parts:
                    part.setdefault("attention_mask", torch.ones_like(part["input_ids"]))
            text = {name: torch.cat([part[name].cpu() for part in parts]) for name in parts[0]}
            with whole_or_not_at_all(path) as partial:
                save_file(text, partial)
        text = load_file(path)
        return [{key: rows[i] for key, rows in text.items()} for i in range(len(prompts))]


def text_of(recipe: Recipe) -> Corpus | Examples:
    """The corpus or the conversations that a recipe names, read anew."""
    return load_corpus(recipe.corpus) if recipe.data is None else load_examples(recipe.data)


def _pretrained_teacher(recipe: Recipe) -> tuple[nn.Module, Any]:
    """The pretrained teacher that a recipe names, and its tokenizer."""
    name, options = recipe.teacher.removeprefix("hf:"), recipe.options_of_teacher()
    return load_both(name, recipe.vocab_size, dtype=recipe.dtype, options=options)


def _tokenizer_of_student(recipe: Recipe, theirs: Any, texts: list[str]) -> Any:
    """The tokenizer of a pretrained student; ValueError if its teacher's has other tokens."""
    tokenizer = tokenizer_of(recipe.student.removeprefix("hf:"), recipe.vocab_size)
    check_same_tokens(tokenizer, theirs, texts)
    return tokenizer


def spread(items: Sequence[Item], number: int) -> list[Item]:
    """``number`` of the items, spread evenly over all."""
    return [items[i * len(items) // number] for i in range(number)]


@checked
def trained_teacher(
    corpus: Corpus | Examples,
    preset: str = "tiny-teacher",
    *,
    vocab_size: int | None = None,
    steps: int = TEACHER_STEPS,
    device: str = "auto",
    progress: bool = False,
) -> TinyGPT:
    """A preset model, trained on a corpus with LM loss alone: once, then read from the cache.

    Args:
        corpus: a corpus or conversations; the model learns from the training split.
        preset: a name in :data:`kdlab.PRESETS`.
        vocab_size: entries of the vocabulary; None: the preset's. Conversations may give fewer.
        steps: optimiser steps.
        device: ``"auto"`` or ``"cpu"``, for the training.
        progress: show a bar while it trains.

    Returns:
        The model, on the CPU and in evaluation mode.

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
    if isinstance(corpus, Examples):  # few of them may give fewer tokens
        shape = replace(shape, vocab_size=len(train_chat_tokenizer(corpus, shape.vocab_size)))
    config = TrainConfig(steps=steps, device=device, progress=progress)
    recipe = {
        "corpus": corpus.sha256,
        "model": asdict(shape),
        "training": {k: v for k, v in asdict(config).items() if k not in ("device", "progress")},
        "torch": torch.__version__,
    }
    digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:16]
    folder = cache_dir() / "teachers" / f"{preset}-{slug(corpus.name)[:64]}-{digest}"
    if not (folder / "model.safetensors").exists():
        train: PackedDataset | ChatDataset
        if isinstance(corpus, Examples):
            tokens = train_chat_tokenizer(corpus, shape.vocab_size)
            train = ChatDataset(corpus.train, tokens, max_length=shape.block_size)
        else:
            tokenizer = tokenizer_for(corpus, shape.vocab_size)
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
    teacher = load_student(folder)
    assert isinstance(teacher, TinyGPT)  # it was saved above
    return teacher
