"""One distillation from text to summary, as the command line and the labs' sweeps run it.

A :class:`kdlab.Recipe` says everything that a result depends on, besides the code and the machine.
A run's folder holds it as ``recipe.json``, beside ``metrics.jsonl``, ``summary.json`` and the
student.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import accelerate
import tokenizers
import torch
import torch.nn as nn
from accelerate.utils import set_seed

from kdlab.adapters import with_adapters
from kdlab.answers import calls_tool, evaluate_answers, write_answers
from kdlab.arguments import checked
from kdlab.batches import Rows
from kdlab.checkpoints import has_checkpoint
from kdlab.data import check_characters
from kdlab.devices import kept_random_state, moved, resolve_device
from kdlab.evaluation import Evaluation, evaluate
from kdlab.examples import Conversation
from kdlab.files import check_writable, write_atomically
from kdlab.folders import (
    check_place,
    check_there,
    check_unchanged,
    check_unused,
    clear,
    records_in,
    was_moved,
    write_recipe,
)
from kdlab.ingredients import Ingredients, spread, text_of
from kdlab.models import count_parameters
from kdlab.pretrained import entries_of, with_less_memory
from kdlab.recipes import BUILT_IN, Recipe, places_of, read_recipe
from kdlab.records import read_record, to_json, with_numbers
from kdlab.saving import load_student, load_tokenizer, save_student, save_tokenizer
from kdlab.teachers import Teacher, TopKTeacher, write_topk_store
from kdlab.trainer import DistillationTrainer

__all__ = ["Chat", "cache_teacher", "distill", "evaluate_run"]


@checked
def distill(
    out: str | Path,
    recipe: Recipe = Recipe(),
    *,
    checkpoint_every: int | None = None,
    resume: bool = False,
    ingredients: Ingredients | None = None,
    device: str = "auto",
    progress: bool = False,
) -> dict[str, Any]:
    r"""Distil a teacher into a student, from text to summary.

    Args:
        out: a folder for everything that the run writes.
        recipe: what to distil, and how.
        checkpoint_every: optimiser steps between checkpoints; None writes one after Ctrl-C only.
        resume: if the run in ``out`` is finished, return its summary; if it has a checkpoint, go on
            from there; otherwise begin the run. Files and folders that the recipe names may have
            been moved since the run began. With ``resume=False``, a finished run or a checkpoint in
            ``out`` is an error.
        ingredients: the text and the teacher of a recipe with the same
            :meth:`kdlab.Recipe.setting`; None makes or loads them.
        device: ``"auto"``, which takes a GPU where there is one, or ``"cpu"``.
        progress: show a bar.

    Returns:
        The summary, as it was written to ``summary.json``.

    Raises:
        ValueError: the run to be resumed has another recipe; ``out`` holds a run that would be
            replaced, or files that no run wrote; the ingredients are of another setting; the corpus
            is unknown or has changed; or the teacher's file is of another corpus or teacher.

    >>> import tempfile
    >>> text = Path(tempfile.mkdtemp()) / "owls.txt"
    >>> tale = "{0} owls met {0} more owls, and then there were twice {0} owls. "
    >>> _ = text.write_text("\n\n".join(tale.format(i) * 20 for i in range(60)))
    >>> recipe = Recipe(corpus=str(text), teacher_steps=2, steps=2)
    >>> summary = distill(text.parent / "run", recipe, device="cpu")
    >>> summary["teacher_params"] > summary["student_params"]
    True
    """
    out = Path(out).absolute()  # stays the same if the working folder changes
    check_place(out, recipe)
    before = records_in(out)
    if not resume:
        check_unused(out)
    elif found := _finished(out, recipe, ingredients):
        return found
    check_writable(out)  # before a teacher is trained, which takes long
    ingredients = ingredients or Ingredients.of(recipe, device=device, progress=progress)
    if ingredients.setting != recipe.setting():
        raise ValueError(
            f"the ingredients are of {ingredients.setting}, the recipe needs {recipe.setting()}"
        )
    student = _student(recipe, ingredients)
    objective = recipe.objective()
    if recipe.student.startswith("hf:") and entries_of(student) != ingredients.vocab_size:
        # Both have the same tokens; one vocabulary has more entries that no token uses.
        objective.match_vocab = "truncate"
    teacher: nn.Module | Teacher | None = ingredients.teacher
    if recipe.arm == "lm":
        teacher = None
    elif recipe.teacher_file is not None:
        stored = recipe.teacher_file, ingredients.train, ingredients.teacher
        teacher = TopKTeacher(*stored, tail=recipe.teacher_tail)
    train: Rows = ingredients.train
    if recipe.teacher_texts is not None:
        train = ingredients.teacher_text(recipe, device=device)
    trainer = DistillationTrainer(
        student,
        teacher,
        objective,
        recipe.lambda_schedule(),
        recipe.train_config(checkpoint_every=checkpoint_every, device=device, progress=progress),
        out=out,
    )
    check_unchanged(out, before)
    clear(out, resume and has_checkpoint(out))
    write_recipe(out, recipe)
    validation = ingredients.validation if recipe.eval_every else None
    history = trainer.fit(train, validation, resume=resume)
    tokens, rates = history.column("num_items"), history.column("tokens_per_second")
    pairs = zip(tokens, rates, strict=True)
    seconds = sum(n / rate for n, rate in pairs if rate)  # the rate is 0 if a step had no labels

    measured = history.eval[-1] if history.eval else {"kl_to_teacher": None}
    if measured["kl_to_teacher"] is None:  # the trainer had no live teacher to compare with
        where = trainer.accelerator.device
        live = moved(ingredients.teacher, where)
        with _as_in_a_step(recipe, where):
            measured = evaluate(
                student, ingredients.validation, live, match_vocab=objective.match_vocab
            ).as_record()
    summary = {
        "arm": recipe.arm,
        "schedule": recipe.schedule if recipe.arm == "combined" else None,
        "seed": recipe.seed,
        "steps": recipe.steps,
        "student_params": count_parameters(student),
        "teacher_params": count_parameters(ingredients.teacher),
        "eval_perplexity": measured["perplexity"],
        "teacher_perplexity": measured["teacher_perplexity"],
        "eval_kl_to_teacher": measured["kl_to_teacher"],
        "eval_reverse_kl_to_teacher": measured["reverse_kl_to_teacher"],
        "agreement_top1": measured["agreement_top1"],
        "calibration_error": measured["calibration_error"],
        "tokens_per_second": sum(tokens) / seconds,
        "seconds": seconds,  # of training, before and after interruptions
        "path": trainer.path,  # how the objective was computed: linear, or dense and why
        "text_sha256": ingredients.text_sha256,
        "device": str(trainer.accelerator.device),
        "versions": versions(),
    }
    if recipe.data is not None:
        summary |= _of_conversations(student, ingredients, recipe)
    if recipe.lora is not None:
        adapted: Any = student
        adapted.save_pretrained(out / "adapters")
        student = adapted.merge_and_unload()
        summary["adapters"] = "merged into the weights; by themselves in adapters/"
    save_student(student, out)
    save_tokenizer(ingredients.tokenizer, out)
    write_atomically(out / "summary.json", to_json(summary, indent=2) + "\n")
    return summary


def _finished(out: Path, recipe: Recipe, ingredients: Ingredients | None) -> dict[str, Any] | None:
    """The summary of the run in a folder; None if there is no run, or it has not ended.

    Raises:
        ValueError: the run has another recipe, or its text has changed.
    """
    if not (out / "recipe.json").exists():
        return None
    begun = read_recipe(out).absolute()
    for name, value in asdict(begun).items():
        asked = getattr(recipe.absolute(), name)
        if value != asked and not was_moved(value, asked):
            raise ValueError(
                f"the run in {out} has {name} {value}, not {asked}; resume it as it was "
                "begun, or give the new run a folder of its own"
            )
    if not (out / "summary.json").exists():  # it is written last
        return None
    found: dict[str, Any] = with_numbers(read_record(out / "summary.json"))
    name = recipe.absolute().data or recipe.absolute().corpus
    if "text_sha256" in found and (name in BUILT_IN or any(map(os.path.exists, places_of(name)))):
        text = ingredients and ingredients.text_sha256
        _check_text(out, recipe, found, text or text_of(recipe).sha256)
    if begun != recipe.absolute():  # a file or folder of the recipe was moved
        write_recipe(out, recipe)
    return found


def _student(recipe: Recipe, ingredients: Ingredients) -> nn.Module:
    """A recipe's student before its first step."""
    with kept_random_state():
        set_seed(recipe.seed)
        student = ingredients.student(recipe.student)
        if recipe.lora is not None:
            student = with_adapters(student.to(getattr(torch, recipe.dtype)), recipe.lora)
    if recipe.gradient_checkpointing:
        with_less_memory(student)
    return student


def _of_conversations(
    student: nn.Module, ingredients: Ingredients, recipe: Recipe
) -> dict[str, Any]:
    """For the summary: how conversations became rows, and scores of answers to held-out ones.

    Only questions whose answer is text alone are asked: a call of a tool is not judged.
    """
    train: Any = ingredients.train
    held_out: Any = ingredients.validation
    found: dict[str, Any] = {"examples": str(train.report)}
    asked = [each for each in held_out.conversations if not calls_tool(each)]
    asked = spread(asked, min(recipe.eval_answers, len(asked)))
    if asked:
        answers = evaluate_answers(
            student, asked, ingredients.tokenizer, new_tokens=recipe.new_tokens
        )
        found |= answers.as_record()
    return found


@checked
def evaluate_run(run: str | Path, *, device: str = "auto") -> Evaluation:
    r"""Measure the student of a run beside its teacher, on the validation split of the run's text.

    Args:
        run: a folder that :func:`distill` wrote.
        device: ``"auto"``, which takes a GPU where there is one, or ``"cpu"``.

    Returns:
        The perplexities of student and teacher, their mean KL in both directions, their agreement,
        and the student's calibration.

    Raises:
        FileNotFoundError: the folder holds no finished run; or a file or folder that the run read
            is no longer where the recipe says.
        ValueError: the text has changed since the run.

    >>> import tempfile
    >>> text = Path(tempfile.mkdtemp()) / "owls.txt"
    >>> tale = "{0} owls met {0} more owls, and then there were twice {0} owls. "
    >>> _ = text.write_text("\n\n".join(tale.format(i) * 20 for i in range(60)))
    >>> recipe = Recipe(corpus=str(text), teacher_steps=2, steps=2)
    >>> summary = distill(text.parent / "run", recipe, device="cpu")
    >>> evaluate_run(text.parent / "run", device="cpu").perplexity == summary["eval_perplexity"]
    True
    """
    student, recipe = load_student(run), read_recipe(run)
    check_there(run, recipe)
    text = text_of(recipe)
    summary = Path(run) / "summary.json"
    _check_text(run, recipe, read_record(summary) if summary.exists() else {}, text.sha256)
    ingredients = Ingredients.of(recipe, device=device, text=text)
    where = resolve_device(device)
    teacher, same = moved(ingredients.teacher, where), entries_of(student) == ingredients.vocab_size
    match_vocab = "error" if same else "truncate"
    with _as_in_a_step(recipe, where):
        return evaluate(student.to(where), ingredients.validation, teacher, match_vocab=match_vocab)


def _as_in_a_step(recipe: Recipe, device: torch.device) -> torch.autocast:
    """The precision in which the trainer trains and measures."""
    return torch.autocast(device.type, torch.bfloat16, enabled=recipe.mixed_precision == "bf16")


def _check_text(run: str | Path, recipe: Recipe, summary: Mapping[str, Any], sha256: str) -> None:
    """Raise ValueError if the text has changed since a run: its tokens and teacher would differ."""
    if summary.get("text_sha256") not in (None, sha256):
        raise ValueError(
            f"{recipe.data or recipe.corpus} is another text than when the run in {run} was made, "
            "so that their numbers could not be compared; put the old one back"
            + ", of the same Python" * (recipe.data is None and recipe.corpus == "pydocs")
            + ", or give a new run a folder of its own"
        )


@dataclass
class Chat:
    """A conversation with the student of a run.

    >>> from kdlab import TinyGPT, reckoning, train_chat_tokenizer
    >>> tokenizer = train_chat_tokenizer(reckoning(200), 400)
    >>> talk = Chat(TinyGPT("tiny-student", vocab_size=len(tokenizer)), tokenizer)
    >>> _ = talk.say("Which weekday is 3 days after Friday?", new_tokens=4)
    >>> [message["role"] for message in talk.said]
    ['user', 'assistant']
    """

    student: nn.Module  # any causal language model
    tokenizer: Any  # of the transformers library
    said: list[dict[str, str]] = field(default_factory=list)  # messages, the oldest first

    @classmethod
    @checked
    def of(cls, run: str | Path, *, system: str | None = None, device: str = "auto") -> Chat:
        """A new conversation, with the student and the tokenizer that are in a folder.

        Args:
            run: the folder of a finished run, or of a causal language model of transformers.
            system: the system message, which the assistant reads first; None: no such message.
            device: ``"auto"``, which takes a GPU where there is one, or ``"cpu"``.

        Raises:
            FileNotFoundError: the folder holds neither a finished run nor a model.
            ValueError: the folder holds no ``tokenizer.json``, or a file in it is damaged.
        """
        check_characters(system or "", "what the assistant is told")
        student = load_student(run).to(resolve_device(device))
        said = [{"role": "system", "content": system}] if system else []
        return cls(student, load_tokenizer(run), said)

    @checked
    def say(self, text: str, *, new_tokens: int = 256, temperature: float = 0.0) -> str:
        """The student's answer to a text; both are added to ``said``.

        If the tokenizer has no chat template, the student does not answer but continues the text,
        and reads no earlier messages. At temperature 0 it takes the likeliest token each time.

        Raises:
            ValueError: the text is empty, or holds a lone surrogate, which is half of a character.
        """
        check_characters(text, "what is said")
        if not text:
            raise ValueError("nothing is said: the text is empty")
        asked, answer = {"role": "user", "content": text}, {"role": "assistant", "content": ""}
        plain = not self.tokenizer.chat_template
        before = [] if plain else self.said
        conversation = Conversation((*before, asked, answer), plain=plain)
        (found,) = write_answers(
            self.student,
            [conversation],
            self.tokenizer,
            new_tokens=new_tokens,
            temperature=temperature,
        )
        self.said += [asked, answer | {"content": found.text}]
        return found.text


@checked
def cache_teacher(
    out: str | Path,
    recipe: Recipe = Recipe(),
    *,
    k: int = 64,
    device: str = "auto",
    progress: bool = False,
) -> TopKTeacher:
    r"""Run a recipe's teacher over its training text; keep the k likeliest tokens per position.

    Args:
        out: the file to write; ``Recipe(teacher_file=...)`` trains from it.
        recipe: its text, its teacher (see :meth:`kdlab.Recipe.setting`) and its temperature are
            used.
        k: tokens to keep at each position.
        device: ``"auto"``, which takes a GPU where there is one, or ``"cpu"``.
        progress: show a bar.

    Returns:
        A teacher that reads the file.

    Raises:
        ValueError: in the cases of :func:`kdlab.write_topk_store` and :meth:`kdlab.Ingredients.of`.

    >>> import tempfile
    >>> text = Path(tempfile.mkdtemp()) / "owls.txt"
    >>> tale = "{0} owls met {0} more owls, and then there were twice {0} owls. "
    >>> _ = text.write_text("\n\n".join(tale.format(i) * 20 for i in range(60)))
    >>> recipe = Recipe(corpus=str(text), teacher_steps=2, steps=2)
    >>> cache_teacher(text.parent / "teacher.topk", recipe, k=8, device="cpu").bytes_per_position
    34
    """
    check_writable(Path(out).parent)
    ingredients = Ingredients.of(recipe, device=device, progress=progress)
    write_topk_store(
        moved(ingredients.teacher, resolve_device(device)),
        ingredients.train,
        out,
        k,
        temperature=recipe.temperature,
        progress=progress,
    )
    return TopKTeacher(out, ingredients.train, ingredients.teacher)


def versions() -> dict[str, str]:
    """The versions of Python and of the libraries that a result depends on."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "accelerate": accelerate.__version__,
        "tokenizers": tokenizers.__version__,
    }
