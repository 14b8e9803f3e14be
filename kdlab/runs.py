"""One distillation from text to summary: what the command line runs, and what the labs sweep.

A :class:`Recipe` says everything that a result depends on. A run's folder holds it as
``recipe.json``, beside ``metrics.jsonl``, ``summary.json`` and the student.
"""

from __future__ import annotations

import hashlib
import json
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import accelerate
import tokenizers
import torch
import torch.nn as nn
from accelerate.utils import set_seed
from safetensors.torch import load_model, save_model
from tokenizers import Tokenizer

from kdlab.data import (
    END_OF_TEXT,
    Corpus,
    PackedDataset,
    cache_dir,
    load_corpus,
    train_tokenizer,
    write_atomically,
)
from kdlab.evaluate import Evaluation, evaluate
from kdlab.models import PRESETS, TinyGPT, TinyGPTConfig, count_parameters
from kdlab.objective import CombinedObjective
from kdlab.schedules import LambdaSchedule, make_schedule
from kdlab.teachers import TopKTeacher, write_topk_store
from kdlab.trainer import DistillationTrainer, TrainConfig

__all__ = [
    "Recipe",
    "cache_teacher",
    "distill",
    "evaluate_run",
    "load_student",
    "trained_teacher",
]

ARMS = ("lm", "kd", "combined")
TEACHER_STEPS = 800


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
    teacher: str = "tiny-teacher"  # a name in PRESETS, or hf: and a Hugging Face causal LM
    teacher_steps: int = TEACHER_STEPS  # optimiser steps that a preset teacher is trained for
    teacher_file: str | None = None  # train from this top-k store instead of the live model
    student: str = "tiny-student"  # a name in PRESETS
    arm: str = "combined"  # lm: labels; kd: teacher; combined: LM + λ·KD
    divergence: str = "forward_kl"  # a name in DIVERGENCES
    temperature: float = 1.0  # of the KD term
    schedule: str = "constant"  # a name that make_schedule knows, for the combined arm
    lam: float = 1.0  # λ: its start, its peak, or the share that ratio keeps
    steps: int = 200  # optimiser steps of the student
    seed: int = 0  # of the student's first weights and of the order of its data
    eval_every: int | None = None  # steps between evaluations on the validation split
    mixed_precision: str = "no"  # or bf16
    on_policy: float = 0.0  # share of steps on text that the student writes, with KD loss alone

    def __post_init__(self):
        if self.arm not in ARMS:
            raise ValueError(f"unknown arm {self.arm!r}; known: {', '.join(ARMS)}")
        if self.schedule == "plateau" and self.eval_every is None:
            raise ValueError("the plateau schedule reacts to evaluations: give eval_every")
        self.objective()
        self.lambda_schedule()

    def objective(self) -> CombinedObjective:
        """What the arm minimises."""
        if self.arm == "lm":
            return CombinedObjective(lam=0.0)
        options = {"temperature": self.temperature}
        if self.arm == "kd":
            return CombinedObjective(self.divergence, lam=1.0, form="convex", **options)
        return CombinedObjective(self.divergence, lam=self.lam, **options)

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


def distill(
    out: str | Path,
    recipe: Recipe = Recipe(),
    *,
    checkpoint_every: int | None = None,
    resume: bool = False,
    device: str = "auto",
    progress: bool = False,
) -> dict:
    """Distil a teacher into a student, from text to summary.

    Args:
        out: a folder for everything that the run writes.
        recipe: what to do.
        checkpoint_every: optimiser steps between checkpoints; None keeps none but that of Ctrl-C.
        resume: go on from the checkpoint in ``out``, if there is one.
        device: ``"auto"`` or ``"cpu"``.
        progress: show a bar.

    Returns:
        The summary, as it was written to ``summary.json``.

    Raises:
        ValueError: the run in ``out`` that is to be resumed has another recipe, the corpus or the
            teacher is unknown, or the teacher's file is of another corpus.

    >>> import tempfile
    >>> text = Path(tempfile.mkdtemp()) / "owls.txt"
    >>> tale = "{0} owls met {0} more owls, and then there were twice {0} owls. "
    >>> _ = text.write_text("\\n\\n".join(tale.format(i) * 20 for i in range(60)))
    >>> recipe = Recipe(corpus=str(text), teacher_steps=2, steps=2)
    >>> summary = distill(text.parent / "run", recipe, device="cpu")
    >>> summary["teacher_params"] > summary["student_params"]
    True
    """
    out = Path(out)
    if resume and (out / "recipe.json").exists():
        for field, value in asdict(read_recipe(out)).items():
            asked = getattr(recipe, field)
            if value != asked:
                raise ValueError(
                    f"the run in {out} has {field} {value}, not {asked}; resume it as it was "
                    "begun, or give the new run a folder of its own"
                )
    bench = Bench.of(recipe, device=device, progress=progress)
    write_atomically(out / "recipe.json", json.dumps(asdict(recipe), indent=2) + "\n")

    set_seed(recipe.seed)
    student = TinyGPT(recipe.student, vocab_size=bench.vocab_size)
    teacher = bench.teacher
    if recipe.arm == "lm":
        teacher = None
    elif recipe.teacher_file is not None:
        teacher = TopKTeacher(recipe.teacher_file, bench.train)
    trainer = DistillationTrainer(
        student,
        teacher,
        recipe.objective(),
        recipe.lambda_schedule(),
        TrainConfig(
            steps=recipe.steps,
            seed=recipe.seed,
            eval_every=recipe.eval_every,
            checkpoint_every=checkpoint_every,
            device=device,
            mixed_precision=recipe.mixed_precision,
            on_policy=recipe.on_policy,
            progress=progress,
        ),
        out=out,
    )
    started = time.perf_counter()
    validation = bench.validation if recipe.eval_every else None
    history = trainer.fit(bench.train, validation, resume=resume)
    seconds = time.perf_counter() - started

    result = evaluate(student, bench.validation, bench.teacher.to(trainer.accelerator.device))
    summary = {
        "arm": recipe.arm,
        "schedule": recipe.schedule if recipe.arm == "combined" else None,
        "seed": recipe.seed,
        "steps": recipe.steps,
        "student_params": count_parameters(student),
        "teacher_params": count_parameters(bench.teacher),
        **_measurements(result),
        "tokens_per_second": sum(history.column("num_items")) / seconds,
        "seconds": seconds,
        "device": str(trainer.accelerator.device),
        "versions": versions(),
    }
    save_student(student, out)
    write_atomically(out / "summary.json", json.dumps(summary, indent=2) + "\n")
    return summary


def evaluate_run(run: str | Path, *, device: str = "auto") -> Evaluation:
    """Measure the student of a run beside its teacher, on the validation split of its corpus.

    Args:
        run: a folder that :func:`distill` wrote.
        device: ``"auto"`` or ``"cpu"``.

    Returns:
        Perplexities, mean KL, agreement and calibration.

    Raises:
        FileNotFoundError: the folder holds no finished run.

    >>> import tempfile
    >>> text = Path(tempfile.mkdtemp()) / "owls.txt"
    >>> tale = "{0} owls met {0} more owls, and then there were twice {0} owls. "
    >>> _ = text.write_text("\\n\\n".join(tale.format(i) * 20 for i in range(60)))
    >>> recipe = Recipe(corpus=str(text), teacher_steps=2, steps=2)
    >>> summary = distill(text.parent / "run", recipe, device="cpu")
    >>> evaluate_run(text.parent / "run", device="cpu").perplexity == summary["eval_perplexity"]
    True
    """
    student = load_student(run)
    bench = Bench.of(read_recipe(run), device=device)
    if device == "auto":
        device = accelerate.PartialState().device
    return evaluate(student.to(device), bench.validation, bench.teacher.to(device))


def cache_teacher(
    out: str | Path,
    recipe: Recipe = Recipe(),
    *,
    k: int = 64,
    device: str = "auto",
    progress: bool = False,
) -> TopKTeacher:
    """Ask a recipe's teacher about the training split of its corpus, and keep its k best answers.

    Args:
        out: the file; ``Recipe(teacher_file=...)`` trains from it.
        recipe: its corpus, teacher and temperature are used.
        k: tokens to keep at each position.
        device: ``"auto"`` or ``"cpu"``.
        progress: show a bar.

    Returns:
        The teacher in the file.

    Raises:
        ValueError: as :func:`kdlab.write_topk_store`.

    >>> import tempfile
    >>> text = Path(tempfile.mkdtemp()) / "owls.txt"
    >>> tale = "{0} owls met {0} more owls, and then there were twice {0} owls. "
    >>> _ = text.write_text("\\n\\n".join(tale.format(i) * 20 for i in range(60)))
    >>> recipe = Recipe(corpus=str(text), teacher_steps=2, steps=2)
    >>> cache_teacher(text.parent / "teacher.topk", recipe, k=8, device="cpu").bytes_per_position
    34
    """
    bench = Bench.of(recipe, device=device, progress=progress)
    if device == "auto":
        device = accelerate.PartialState().device
    write_topk_store(
        bench.teacher.to(device),
        bench.train,
        out,
        k,
        temperature=recipe.temperature,
        progress=progress,
    )
    return TopKTeacher(out, bench.train, bench.teacher)


@dataclass(frozen=True)
class Bench:
    """What a recipe names, made or loaded: a teacher, and text in its tokens."""

    teacher: nn.Module
    train: PackedDataset
    validation: PackedDataset
    vocab_size: int

    @classmethod
    def of(cls, recipe: Recipe, *, device: str = "auto", progress: bool = False) -> Bench:
        """The teacher and the data of a recipe; a preset teacher is trained if it is not cached."""
        corpus = load_corpus(recipe.corpus)
        if recipe.student not in PRESETS:
            raise ValueError(f"unknown student {recipe.student!r}; known: {', '.join(PRESETS)}")
        shape = PRESETS[recipe.student]
        if recipe.teacher.startswith("hf:"):
            teacher, tokenizer, end = _hugging_face(recipe.teacher.removeprefix("hf:"))
        else:
            teacher = trained_teacher(
                corpus, recipe.teacher, steps=recipe.teacher_steps, device=device, progress=progress
            )
            tokenizer, end = train_tokenizer(corpus, shape.vocab_size), END_OF_TEXT
        train, validation = (
            PackedDataset(split, tokenizer, shape.block_size, end_of_text=end)
            for split in (corpus.train, corpus.validation)
        )
        size = getattr(teacher.config, "vocab_size", tokenizer.get_vocab_size())
        return cls(teacher, train, validation, size)


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

    >>> corpus = Corpus("owls", tuple(f"{i} owls " * 40 for i in range(80)))
    >>> count_parameters(trained_teacher(corpus, steps=1, device="cpu"))
    1071872
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
        tokenizer = train_tokenizer(corpus, model.config.vocab_size)
        train = PackedDataset(corpus.train, tokenizer, model.config.block_size)
        if progress:
            print(
                f"Training the teacher {preset} once, for {steps} steps; it is kept in the cache."
            )
        DistillationTrainer(model, None, CombinedObjective(lam=0.0), config=config).fit(train)
        save_student(model.cpu(), folder)
    return load_student(folder)


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

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> save_student(TinyGPT("tiny-student"), folder)
    >>> load_student(folder).config.d_model
    64
    """
    folder = Path(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    model = TinyGPT(TinyGPTConfig(**config))
    load_model(model, str(folder / "model.safetensors"))
    return model.eval()


def read_recipe(run: str | Path) -> Recipe:
    """The recipe of a run.

    Raises:
        FileNotFoundError: the folder holds no run.
    """
    return Recipe(**json.loads((Path(run) / "recipe.json").read_text(encoding="utf-8")))


def versions() -> dict[str, str]:
    """What a result depends on besides the code."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "accelerate": accelerate.__version__,
        "tokenizers": tokenizers.__version__,
    }


def _measurements(result: Evaluation) -> dict[str, float]:
    return {
        "eval_perplexity": result.perplexity,
        "teacher_perplexity": result.teacher_perplexity,
        "eval_kl_to_teacher": result.kl_to_teacher,
        "agreement_top1": result.agreement_top1,
    }


def _hugging_face(name: str) -> tuple[nn.Module, Tokenizer, str]:
    """A causal language model with its tokenizer and its end-of-text token."""
    try:
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError:
        raise ValueError("Hugging Face models need transformers: pip install kdlab[hf]") from None
    tokenizer = AutoTokenizer.from_pretrained(name)
    model = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32)
    return model.eval(), tokenizer.backend_tokenizer, tokenizer.eos_token
