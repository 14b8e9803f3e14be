"""One distillation from text to summary: what ``kdlab distill`` runs, and what the labs sweep."""

from __future__ import annotations

import hashlib
import json
import platform
import time
from dataclasses import asdict
from pathlib import Path

import accelerate
import tokenizers
import torch
from accelerate.utils import set_seed
from safetensors.torch import load_model, save_model

from kdlab.data import (
    Corpus,
    PackedDataset,
    cache_dir,
    load_corpus,
    train_tokenizer,
    write_atomically,
)
from kdlab.evaluate import evaluate
from kdlab.models import TinyGPT, TinyGPTConfig, count_parameters
from kdlab.objective import CombinedObjective
from kdlab.schedules import LambdaSchedule, make_schedule
from kdlab.trainer import DistillationTrainer, TrainConfig

__all__ = ["ARMS", "distill", "load_student", "trained_teacher"]

ARMS = ("lm", "kd", "combined")
"""What a student learns from: the labels, the teacher, or both."""

TEACHER_STEPS = 800


def distill(
    out: str | Path,
    *,
    corpus: str = "pydocs",
    teacher: str = "tiny-teacher",
    teacher_steps: int = TEACHER_STEPS,
    student: str = "tiny-student",
    arm: str = "combined",
    divergence: str = "forward_kl",
    temperature: float = 1.0,
    schedule: str = "constant",
    lam: float = 1.0,
    steps: int = 200,
    seed: int = 0,
    eval_every: int | None = None,
    checkpoint_every: int | None = None,
    resume: bool = False,
    device: str = "auto",
    mixed_precision: str = "no",
    progress: bool = False,
) -> dict:
    """Distil a preset teacher, trained once and cached, into a preset student.

    Args:
        out: a folder for ``metrics.jsonl``, ``summary.json`` and the student.
        corpus: as in :func:`kdlab.load_corpus`.
        teacher: a name in :data:`kdlab.PRESETS`.
        teacher_steps: optimiser steps that the teacher is trained for.
        student: another name.
        arm: ``"lm"`` learns from the labels, ``"kd"`` from the teacher, ``"combined"`` from both,
            LM + λ·KD.
        divergence: a name in :data:`kdlab.DIVERGENCES`.
        temperature: T of the KD term.
        schedule: a name that :func:`kdlab.make_schedule` knows, for the combined arm. The planned
            ones end at 0 (``"exponential"`` at λ/100) after ``steps`` steps; ``"plateau"`` needs
            ``eval_every``.
        lam: λ, where it starts or its peak; for ``"ratio"``, the share of λ·KD in LM.
        steps: optimiser steps of the student.
        seed: of the student's first weights and of the order of its data.
        eval_every: steps between evaluations on the validation split.
        checkpoint_every: steps between checkpoints.
        resume: go on from the checkpoint in ``out``.
        device: ``"auto"`` or ``"cpu"``.
        mixed_precision: ``"no"`` or ``"bf16"``.
        progress: show a bar.

    Returns:
        The summary, as it was written to ``summary.json``.

    Raises:
        ValueError: a name is unknown or a number outside its range.
    """
    if arm not in ARMS:
        raise ValueError(f"unknown arm {arm!r}; known: {', '.join(ARMS)}")
    if schedule == "plateau" and eval_every is None:
        raise ValueError("the plateau schedule reacts to evaluations: give --eval-every")
    objective, lambda_schedule = _objective(arm, divergence, temperature, schedule, lam, steps)

    text = load_corpus(corpus)
    teacher_model = trained_teacher(
        text, teacher, steps=teacher_steps, device=device, progress=progress
    )
    set_seed(seed)
    student_model = TinyGPT(student)
    train, validation = packed(text, student_model.config)

    out = Path(out)
    started = time.perf_counter()
    trainer = DistillationTrainer(
        student_model,
        None if arm == "lm" else teacher_model,
        objective,
        lambda_schedule,
        TrainConfig(
            steps=steps,
            seed=seed,
            eval_every=eval_every,
            checkpoint_every=checkpoint_every,
            device=device,
            mixed_precision=mixed_precision,
            progress=progress,
        ),
        out=out,
    )
    history = trainer.fit(train, validation if eval_every else None, resume=resume)
    seconds = time.perf_counter() - started

    teacher_model.to(trainer.accelerator.device)
    result = evaluate(student_model, validation, teacher_model)
    positions = sum(history.column("num_items"))
    summary = {
        "arm": arm,
        "schedule": schedule if arm == "combined" else None,
        "seed": seed,
        "steps": steps,
        "student_params": count_parameters(student_model),
        "teacher_params": count_parameters(teacher_model),
        "eval_perplexity": result.perplexity,
        "teacher_perplexity": result.teacher_perplexity,
        "eval_kl_to_teacher": result.kl_to_teacher,
        "agreement_top1": result.agreement_top1,
        "tokens_per_second": positions / seconds,
        "seconds": seconds,
        "device": str(trainer.accelerator.device),
        "versions": versions(),
    }
    save_student(student_model, out)
    write_atomically(out / "summary.json", json.dumps(summary, indent=2) + "\n")
    return summary


def trained_teacher(
    corpus: Corpus,
    preset: str = "tiny-teacher",
    *,
    steps: int = TEACHER_STEPS,
    device: str = "auto",
    progress: bool = False,
) -> TinyGPT:
    """A preset model trained on the corpus's labels; trained once, then read from the cache.

    Args:
        corpus: the text; its training split is learned.
        preset: a name in :data:`kdlab.PRESETS`.
        steps: optimiser steps.
        device: ``"auto"`` or ``"cpu"``, for the training.
        progress: show a bar while it trains.

    Returns:
        The model, on the CPU.

    Raises:
        ValueError: the preset is unknown.
    """
    set_seed(0)
    model = TinyGPT(preset)
    config = TrainConfig(steps=steps, device=device, progress=progress)
    recipe = {
        "corpus": corpus.sha256,
        "model": asdict(model.config),
        "training": {k: v for k, v in asdict(config).items() if k not in ("device", "progress")},
        "torch": torch.__version__,
    }
    digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:16]
    folder = cache_dir() / "teachers" / f"{preset}-{corpus.name}-{digest}"
    if not (folder / "model.safetensors").exists():
        train, _ = packed(corpus, model.config)
        if progress:
            print(
                f"Training the teacher {preset} once, for {steps} steps; it is kept in the cache."
            )
        DistillationTrainer(model, None, CombinedObjective(lam=0.0), config=config).fit(train)
        save_student(model.cpu(), folder)
    return load_student(folder)


def packed(corpus: Corpus, config: TinyGPTConfig) -> tuple[PackedDataset, PackedDataset]:
    """The training and validation blocks for a model of that shape."""
    tokenizer = train_tokenizer(corpus, config.vocab_size)
    return tuple(
        PackedDataset(split, tokenizer, config.block_size)
        for split in (corpus.train, corpus.validation)
    )


def save_student(model: TinyGPT, folder: str | Path) -> None:
    """Write a model's shape and weights to a folder."""
    folder = Path(folder)
    write_atomically(folder / "config.json", json.dumps(asdict(model.config)) + "\n")
    partial = folder / ".model.safetensors.partial"
    save_model(model, str(partial))
    partial.replace(folder / "model.safetensors")


def load_student(folder: str | Path) -> TinyGPT:
    """The model in a folder that :func:`distill` wrote.

    Raises:
        FileNotFoundError: there is none.
    """
    folder = Path(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    model = TinyGPT(TinyGPTConfig(**config))
    load_model(model, str(folder / "model.safetensors"))
    return model.eval()


def versions() -> dict[str, str]:
    """What a result depends on besides the code."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "accelerate": accelerate.__version__,
        "tokenizers": tokenizers.__version__,
    }


def _objective(
    arm: str, divergence: str, temperature: float, schedule: str, lam: float, steps: int
) -> tuple[CombinedObjective, LambdaSchedule]:
    if arm == "lm":
        return CombinedObjective(lam=0.0), make_schedule("constant", lam=0.0)
    if arm == "kd":
        objective = CombinedObjective(divergence, lam=1.0, temperature=temperature, form="convex")
        return objective, make_schedule("constant", lam=1.0)
    objective = CombinedObjective(divergence, lam=lam, temperature=temperature)
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
    }.get(schedule, {"start": lam, "end": 0.0, "steps": steps})
    return objective, make_schedule(schedule, **options)
