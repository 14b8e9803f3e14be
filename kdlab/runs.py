"""One distillation from text to summary: what the command line runs, and what the labs sweep.

A :class:`Recipe` says everything that a result depends on. A run's folder holds it as
``recipe.json``, beside ``metrics.jsonl``, ``summary.json`` and the student.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import accelerate
import tokenizers
import torch
import torch.nn as nn
from accelerate.utils import set_seed
from safetensors.torch import load_file, load_model, save_file, save_model
from tokenizers import Tokenizer, pre_tokenizers
from torch import Tensor
from torch.utils.data import Dataset

from kdlab.data import (
    END_OF_TEXT,
    Corpus,
    PackedDataset,
    cache_dir,
    load_corpus,
    train_tokenizer,
    whole_or_not_at_all,
    write_atomically,
)
from kdlab.evaluation import Evaluation, evaluate
from kdlab.generation import continued
from kdlab.models import PRESETS, TinyGPT, TinyGPTConfig, count_parameters, every_nth_layer
from kdlab.objective import CombinedObjective
from kdlab.schedules import LambdaSchedule, make_schedule
from kdlab.teachers import TopKTeacher, model_sha256, write_topk_store
from kdlab.trainer import DistillationTrainer, TrainConfig, resolve_device

__all__ = [
    "Bench",
    "Recipe",
    "cache_teacher",
    "distill",
    "evaluate_run",
    "load_student",
    "trained_teacher",
]

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
    student: str = "tiny-student"  # a name in PRESETS, layers:n or shape:n: see Bench.student
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

    def __post_init__(self):
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
        options = {"temperature": self.temperature}
        if self.arm == "kd":
            return CombinedObjective(self.divergence, lam=1.0, form="convex", **options)
        return CombinedObjective(self.divergence, lam=self.lam, **options)

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


def distill(
    out: str | Path,
    recipe: Recipe = Recipe(),
    *,
    checkpoint_every: int | None = None,
    resume: bool = False,
    bench: Bench | None = None,
    device: str = "auto",
    progress: bool = False,
) -> dict:
    """Distil a teacher into a student, from text to summary.

    Args:
        out: a folder for everything that the run writes.
        recipe: what to do.
        checkpoint_every: optimiser steps between checkpoints; None keeps none but that of Ctrl-C.
        resume: go on from the checkpoint in ``out``, if there is one.
        bench: the recipe's text and teacher, if they are at hand from another run.
        device: ``"auto"`` or ``"cpu"``.
        progress: show a bar.

    Returns:
        The summary, as it was written to ``summary.json``.

    Raises:
        ValueError: the run in ``out`` that is to be resumed has another recipe, the bench is of
            another recipe, the corpus is unknown, or the teacher's file is of another corpus.

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
    bench = bench or Bench.of(recipe, device=device, progress=progress)
    if bench.setting != recipe.setting():
        raise ValueError(f"the bench is of {bench.setting}, the recipe needs {recipe.setting()}")
    write_atomically(out / "recipe.json", json.dumps(asdict(recipe), indent=2) + "\n")

    set_seed(recipe.seed)
    student = bench.student(recipe.student)
    teacher = bench.teacher
    if recipe.arm == "lm":
        teacher = None
    elif recipe.teacher_file is not None:
        teacher = TopKTeacher(recipe.teacher_file, bench.train, tail=recipe.teacher_tail)
    train = bench.train
    if recipe.teacher_texts is not None:
        train = bench.teacher_text(recipe, device=device)
    trainer = DistillationTrainer(
        student,
        teacher,
        recipe.objective(),
        recipe.lambda_schedule(),
        recipe.train_config(checkpoint_every=checkpoint_every, device=device, progress=progress),
        out=out,
    )
    validation = bench.validation if recipe.eval_every else None
    history = trainer.fit(train, validation, resume=resume)
    tokens, rates = history.column("num_items"), history.column("tokens_per_second")
    seconds = sum(n / rate for n, rate in zip(tokens, rates, strict=True))

    measured = history.eval[-1] if history.eval else {"kl_to_teacher": None}
    if measured["kl_to_teacher"] is None:  # the trainer had no live teacher to compare with
        teacher = bench.teacher.to(trainer.accelerator.device)
        measured = evaluate(student, bench.validation, teacher).as_record()
    summary = {
        "arm": recipe.arm,
        "schedule": recipe.schedule if recipe.arm == "combined" else None,
        "seed": recipe.seed,
        "steps": recipe.steps,
        "student_params": count_parameters(student),
        "teacher_params": count_parameters(bench.teacher),
        "eval_perplexity": measured["perplexity"],
        "teacher_perplexity": measured["teacher_perplexity"],
        "eval_kl_to_teacher": measured["kl_to_teacher"],
        "eval_reverse_kl_to_teacher": measured["reverse_kl_to_teacher"],
        "agreement_top1": measured["agreement_top1"],
        "calibration_error": measured["calibration_error"],
        "tokens_per_second": sum(tokens) / seconds,
        "seconds": seconds,  # of training, before an interruption and after it
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
    where = resolve_device(device)
    return evaluate(student.to(where), bench.validation, bench.teacher.to(where))


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
    write_topk_store(
        bench.teacher.to(resolve_device(device)),
        bench.train,
        out,
        k,
        temperature=recipe.temperature,
        progress=progress,
    )
    return TopKTeacher(out, bench.train, bench.teacher)


@dataclass(frozen=True)
class Bench:
    """What a recipe names, made or loaded: a teacher, and text in its tokens.

    Runs of one setting can share it: ``distill(..., bench=bench)``.

    >>> import tempfile
    >>> text = Path(tempfile.mkdtemp()) / "owls.txt"
    >>> tale = "{0} owls met {0} more owls, and then there were twice {0} owls. "
    >>> _ = text.write_text("\\n\\n".join(tale.format(i) * 20 for i in range(60)))
    >>> bench = Bench.of(Recipe(corpus=str(text), teacher_steps=2), device="cpu")
    >>> bench.train[0]["input_ids"].shape, bench.student("layers:2").config.n_layer
    (torch.Size([128]), 2)
    """

    setting: Recipe  # its part that all of this depends on
    teacher: nn.Module  # where its last user left it, on the CPU or on a GPU
    train: PackedDataset
    validation: Dataset
    vocab_size: int  # of the teacher, and of every student

    @classmethod
    def of(cls, recipe: Recipe, *, device: str = "auto", progress: bool = False) -> Bench:
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
            teacher, tokenizer, end = _hugging_face(name, recipe.vocab_size)
        else:
            teacher = trained_teacher(
                corpus,
                recipe.teacher,
                vocab_size=recipe.vocab_size,
                steps=recipe.teacher_steps,
                device=device,
                progress=progress,
            )
            tokenizer, end = train_tokenizer(corpus, teacher.config.vocab_size), END_OF_TEXT
        train, validation = (
            PackedDataset(split, tokenizer, BLOCK_SIZE, end_of_text=end)
            for split in (corpus.train, corpus.validation)
        )
        if recipe.train_fraction < 1:
            train = train.spread(max(1, round(recipe.train_fraction * len(train))))
        if recipe.eval_blocks is not None:
            validation = validation.spread(recipe.eval_blocks)
        return cls(setting, teacher, train, validation, teacher.config.vocab_size)

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
        """Blocks that begin as those of the corpus do, and that the teacher finished; cached."""
        prompts = self.train.spread(recipe.teacher_texts).blocks[:, : recipe.prompt_tokens]
        digest = hashlib.sha256(prompts.numpy().tobytes() + model_sha256(self.teacher).encode())
        path = cache_dir() / "teacher-texts" / f"{digest.hexdigest()[:16]}.safetensors"
        if not path.exists():
            where = resolve_device(device)
            draws = torch.Generator(where).manual_seed(0)
            parts = [
                continued(self.teacher.to(where), part.to(where), BLOCK_SIZE, generator=draws)
                for part in prompts.split(64)
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

    >>> corpus = Corpus("owls", tuple(f"{i} owls " * 40 for i in range(80)))
    >>> count_parameters(trained_teacher(corpus, steps=1, device="cpu"))
    1071872
    """
    set_seed(0)
    model = TinyGPT(preset, **({} if vocab_size is None else {"vocab_size": vocab_size}))
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


def save_student(model: nn.Module, folder: str | Path) -> None:
    """Write a model's shape and weights to a folder."""
    folder = Path(folder)
    if not isinstance(model, TinyGPT):
        model.save_pretrained(folder)
        return
    write_atomically(folder / "config.json", json.dumps(asdict(model.config)) + "\n")
    with whole_or_not_at_all(folder / "model.safetensors") as partial:
        save_model(model, str(partial))


def load_student(folder: str | Path) -> nn.Module:
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
    if "model_type" in config:  # of transformers
        from transformers import AutoModelForCausalLM

        return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
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


def _hugging_face(name: str, vocab_size: int | None) -> tuple[nn.Module, Tokenizer, str]:
    """A causal language model with its tokenizer and its end-of-text token."""
    try:
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError:
        raise ValueError("Hugging Face models need transformers: pip install kdlab[hf]") from None
    options, unpack = {}, {}
    if name.endswith(".gguf"):
        name, options["gguf_file"] = os.path.split(name)
        unpack = unpacked()
    tokenizer = AutoTokenizer.from_pretrained(name or ".", **options)
    model = AutoModelForCausalLM.from_pretrained(
        name or ".", dtype=torch.float32, **options, **unpack
    )
    backend = tokenizer.backend_tokenizer
    if vocab_size is not None:
        backend = shortened(backend, vocab_size)
        model.resize_token_embeddings(vocab_size)  # the rest of its distribution is renormalised
    return model.eval(), backend, tokenizer.eos_token


def unpacked() -> dict:
    """Options that give a GGUF's model plain weights, which can be trained, copied and saved."""
    import transformers

    if hasattr(transformers, "GgufConfig"):
        return {"quantization_config": transformers.GgufConfig(dequantize=True)}
    return {}  # before there was a choice, they were plain


def shortened(tokenizer: Tokenizer, vocab_size: int) -> Tokenizer:
    """A byte-level BPE tokenizer with the first tokens of another's vocabulary, ids unchanged.

    Merges were learned one after the other: those that make the first tokens need no later one. Any
    text can still be written, in more tokens than before.

    Raises:
        ValueError: the tokenizer is no BPE, or a byte or a special token would be lost.
    """
    state = json.loads(tokenizer.to_str())
    model = state["model"]
    if model["type"] != "BPE":
        raise ValueError(f"vocab_size needs a BPE tokenizer; this one is {model['type']}")
    kept = {token: i for token, i in model["vocab"].items() if i < vocab_size}
    needed = set(pre_tokenizers.ByteLevel.alphabet()) & set(model["vocab"])
    lost = needed - set(kept) or {x["content"] for x in state["added_tokens"]} - set(kept)
    if lost:
        raise ValueError(f"vocab_size {vocab_size} leaves out {len(lost)} bytes or special tokens")
    model["vocab"] = kept
    merges = [merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"]]
    model["merges"] = [merge for merge in merges if {*merge, "".join(merge)} <= set(kept)]
    return Tokenizer.from_str(json.dumps(state))
