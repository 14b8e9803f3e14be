"""Training a student on a teacher and on the truth.

The trainer is one loop that reads from top to bottom: shift the labels, ask the student and the
teacher, combine, step, measure. Devices, mixed precision and processes are the work of Hugging Face
Accelerate. The batches of a step depend on the seed and on the step alone, so that a run can go on
from any checkpoint, or on any number of processes, as if nothing had happened.
"""

from __future__ import annotations

import copy
import json
import logging
import math
import random
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn as nn
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DistributedType, send_to_device, set_seed
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from kdlab.divergences import divergence_name, kernel_of
from kdlab.evaluation import evaluate
from kdlab.fused import LinearCombinedObjective
from kdlab.generation import continued
from kdlab.models import logits_of, model_inputs, split_head
from kdlab.objective import CombinedObjective, ObjectiveOutput
from kdlab.schedules import ConstantLambda, LambdaSchedule
from kdlab.teachers import LiveTeacher, TopKTeacher

__all__ = ["DistillationTrainer", "History", "TrainConfig"]


@dataclass(frozen=True)
class TrainConfig:
    """How to train. The learning rate warms up, then falls by a cosine to a tenth of its peak.

    Raises:
        ValueError: a number of steps, sequences or tokens is below 1, a share is none, or the batch
            cannot be shared out.

    >>> config = TrainConfig(steps=100, warmup_steps=10, learning_rate=1e-3)
    >>> [round(config.learning_rate_at(step), 6) for step in (0, 9, 100)]
    [0.0001, 0.001, 0.0001]
    """

    steps: int = 200  # optimiser steps
    batch_size: int = 16  # sequences in a step, over all micro-batches and processes
    accumulation: int = 1  # micro-batches that a step is made of
    learning_rate: float = 2e-3  # the peak
    warmup_steps: int = 20  # the learning rate rises in a straight line over these
    weight_decay: float = 0.1  # on matrices, not on norms and biases
    betas: tuple[float, float] = (0.9, 0.95)  # of AdamW's running means
    max_grad_norm: float = 1.0  # longer gradients are scaled to this norm
    eval_every: int | None = None  # steps between evaluations; always once more at the end
    checkpoint_every: int | None = None  # steps between checkpoints in out/checkpoint
    seed: int = 0  # of the order of the data, and of dropout
    device: str = "auto"  # "cpu" keeps off a GPU that is there
    mixed_precision: str = "no"  # or "bf16"
    compile: bool = False  # torch.compile the student
    linear_objective: bool = True  # from hidden states, where both models show them
    on_policy: float = 0.0  # share of steps on text that the student writes, with KD loss alone
    prompt_tokens: int = 16  # of each sequence, before the student goes on
    progress: bool = False  # show a bar

    def __post_init__(self):
        for name in ("steps", "batch_size", "accumulation", "eval_every", "checkpoint_every"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if not 0 <= self.on_policy <= 1:
            raise ValueError(f"on_policy must be a share from 0 to 1, got {self.on_policy}")
        if self.prompt_tokens < 1:
            raise ValueError(f"prompt_tokens must be at least 1, got {self.prompt_tokens}")
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

    train: list[dict[str, Any]] = field(default_factory=list)
    eval: list[dict[str, Any]] = field(default_factory=list)

    def column(self, name: str, of: str = "train") -> list[Any]:
        """One quantity over the run: ``history.column("kd_loss")``."""
        return [record[name] for record in getattr(self, of)]

    @classmethod
    def read(cls, path: str | Path) -> History:
        """The history that a ``metrics.jsonl`` holds."""
        history = cls()
        for line in Path(path).read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            getattr(history, record.pop("kind")).append(record)
        return history


class DistillationTrainer:
    """Trains a student with LM loss and KD loss at once.

    Args:
        student: any causal language model; it returns logits, or an object with ``.logits``.
        teacher: another over the same vocabulary, which is frozen; or a
            :class:`kdlab.TopKTeacher`. None trains on the labels alone.
        objective: how the two losses are combined. Its λ is set from the schedule before each step.
        schedule: λ over the steps; by default the objective's λ, constant.
        config: how to train.
        out: a folder for ``metrics.jsonl`` and the checkpoint; None keeps everything in memory.

    >>> from kdlab import TinyGPT
    >>> data = [{"input_ids": torch.arange(8), "labels": torch.arange(8)}] * 4
    >>> models = [TinyGPT("tiny-student", vocab_size=8, block_size=8) for _ in range(2)]
    >>> config = TrainConfig(steps=2, batch_size=4, device="cpu")
    >>> history = DistillationTrainer(*models, CombinedObjective(lam=0.5), config=config).fit(data)
    >>> history.column("lam")
    [0.5, 0.5]
    """

    def __init__(
        self,
        student: nn.Module,
        teacher: nn.Module | TopKTeacher | None,
        objective: CombinedObjective,
        schedule: LambdaSchedule | None = None,
        config: TrainConfig = TrainConfig(),
        *,
        out: str | Path | None = None,
    ):
        if teacher is None and objective.lam > 0:
            raise ValueError(
                f"there is no teacher, but the objective has lam={objective.lam}; use lam=0"
            )
        if isinstance(teacher, nn.Module) and not isinstance(teacher, LiveTeacher):
            teacher = LiveTeacher(teacher)
        if isinstance(teacher, TopKTeacher) and teacher.temperature != objective.temperature:
            raise ValueError(
                f"the teacher in {teacher.path} was written at temperature {teacher.temperature}, "
                f"but the objective has {objective.temperature}"
            )
        self.student, self.teacher, self.objective = student, teacher, objective
        self.schedule = schedule or ConstantLambda(objective.lam)
        self.config = config
        self.out = None if out is None else Path(out)
        self.step = 0  # optimiser steps taken
        self.history = History()

    def fit(self, train: Dataset, eval: Dataset | None = None, *, resume: bool = False) -> History:
        """Train for ``config.steps`` steps.

        Args:
            train: items ``{"input_ids": [T], "labels": [T]}``, labels not shifted.
            eval: the same, held out; None measures nothing but the training losses.
            resume: go on from the checkpoint in ``out`` if there is one. The metrics that follow
                are those of a run that was never stopped.

        Returns:
            The history of the whole run.

        Raises:
            ValueError: there are fewer items than one batch, or the checkpoint is of another run.
            FloatingPointError: the loss is not finite; the batch is saved in ``out``.
            KeyboardInterrupt: after Ctrl-C, when the step is done and the checkpoint written.
        """
        config = self.config
        if self.schedule.watches == "gap" and (
            not isinstance(self.teacher, LiveTeacher) or eval is None or config.eval_every is None
        ):
            raise ValueError(
                f"{type(self.schedule).__name__} reacts to the student's gap to its teacher: it "
                "needs a live teacher, eval data and config.eval_every"
            )
        if config.on_policy and not isinstance(self.teacher, LiveTeacher):
            raise ValueError(
                f"on_policy={config.on_policy} asks the teacher about the student's own text: it "
                "needs a live teacher"
            )
        if config.on_policy and self.schedule.watches == "losses":
            raise ValueError(
                f"{type(self.schedule).__name__} compares both losses, but text that the student "
                "wrote has no LM loss; use another schedule, or on_policy=0"
            )
        self.accelerator = accelerator = _accelerator(config)
        if config.on_policy and accelerator.distributed_type == DistributedType.FSDP:
            raise ValueError("on_policy does not work under FSDP: the student is in pieces there")
        set_seed(config.seed)
        if isinstance(self.teacher, nn.Module):
            self.teacher = accelerator.prepare_model(self.teacher, evaluation_mode=True)
        self.student.to(accelerator.device)
        self._split_heads(train)
        student = self.student if self._heads is None else self._heads.student_body
        optimizer = self._optimizer()
        if config.compile:
            student = torch.compile(student)
        student, optimizer = accelerator.prepare(student, optimizer)
        accelerator.register_for_checkpointing(_Progress(self))
        if resume:
            self._load_checkpoint()
        elif self.out is not None:
            self._remove_checkpoints()
        self._open_metrics()

        bar = tqdm(
            total=config.steps,
            initial=self.step,
            unit="step",
            disable=not (config.progress and accelerator.is_main_process),
        )
        with bar, _interruptible() as interrupted:
            for batches in self._batches(train):
                started = time.perf_counter()
                record = self._train_step(student, optimizer, batches)
                record["tokens_per_second"] = record["num_items"] / (time.perf_counter() - started)
                self._record("train", record)
                bar.update()
                bar.set_postfix_str(_describe(record))

                gap = None
                if eval is not None and self._due(config.eval_every, at_end=True):
                    gap = self._evaluate(eval)
                losses = (record["lm_loss"], record["kd_loss"])
                self.schedule.step({"gap": gap, "losses": losses}.get(self.schedule.watches))
                if self.out is not None and (
                    interrupted.is_set() or self._due(config.checkpoint_every)
                ):
                    self._save_checkpoint()
                if interrupted.is_set():
                    where = f"; the same call with resume=True goes on from {self.out}"
                    raise KeyboardInterrupt(
                        f"stopped after step {self.step} of {config.steps}"
                        + (where if self.out else "")
                    )
        return self.history

    def _train_step(
        self, student: nn.Module, optimizer: torch.optim.Optimizer, batches: list[dict[str, Tensor]]
    ) -> dict[str, Any]:
        """One optimiser step on the micro-batches of this process."""
        accelerator, objective = self.accelerator, self.objective
        objective.lam = self.schedule.value
        scale, on_policy = 1.0, self._chance("step").random() < self.config.on_policy
        if on_policy:
            batches = [self._student_text(batch, part) for part, batch in enumerate(batches)]
            # The KD loss alone, times λ: labels that the student made up teach it nothing.
            scale, objective = objective.lam, copy.copy(objective)
            objective.form, objective.lam = "convex", 1.0
        learning_rate = self.config.learning_rate_at(self.step)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate

        # Every sum is divided by the positions of the whole step, over micro-batches and processes:
        # a mean of means would weigh a short batch as much as a long one.
        labels = [batch["labels"][:, 1:] for batch in batches]
        num_items = sum((part != objective.ignore_index).sum() for part in labels)
        num_items = accelerator.reduce(num_items.to(accelerator.device), "sum").clamp_min(1)

        student.train()
        losses = torch.zeros(3, device=accelerator.device)  # loss, LM, KD
        for i, batch in enumerate(batches):
            last = i == len(batches) - 1
            with nullcontext() if last else accelerator.no_sync(student):
                batch = send_to_device(batch, accelerator.device, non_blocking=True)
                with accelerator.autocast():
                    output = self._objective(student, batch, objective, num_items)
                # Data parallelism averages gradients over the processes; these are to be added.
                accelerator.backward(output.loss * (scale * accelerator.num_processes))
            losses += torch.stack([term.detach() for term in _terms(output)])
        grad_norm = accelerator.clip_grad_norm_(student.parameters(), self.config.max_grad_norm)
        loss, lm_loss, kd_loss = accelerator.reduce(losses, "sum").tolist()
        if not math.isfinite(loss):
            raise FloatingPointError(self._save_bad_batch(batches, loss, lm_loss, kd_loss))
        optimizer.step()
        optimizer.zero_grad()
        self.step += 1
        return {
            "step": self.step,
            "loss": scale * loss,
            "lm_loss": None if on_policy else lm_loss,
            "kd_loss": None if self.teacher is None else kd_loss,
            "lam": self.objective.lam,
            "learning_rate": learning_rate,
            "grad_norm": float(grad_norm),
            "num_items": int(num_items),
        }

    def _chance(self, *what: object) -> random.Random:
        """Draws that depend on the seed and on where the run is, not on what came before."""
        return random.Random(f"{self.config.seed}/{self.step}/{'/'.join(map(str, what))}")

    def _student_text(self, batch: dict[str, Tensor], part: int) -> dict[str, Tensor]:
        """The beginnings of a batch's texts, and how the student goes on; prompts do not count."""
        device, input_ids = self.accelerator.device, batch["input_ids"]
        draw = self._chance("text", part, self.accelerator.process_index).getrandbits(62)
        return continued(
            self.student,
            input_ids[:, : self.config.prompt_tokens].to(device),
            input_ids.shape[1],
            ignore_index=self.objective.ignore_index,
            generator=torch.Generator(device).manual_seed(draw),
        )

    def _objective(
        self,
        student: nn.Module,
        batch: dict[str, Tensor],
        objective: CombinedObjective,
        num_items: Tensor,
    ) -> ObjectiveOutput:
        """The only place where anything is shifted: position t meets the token at t + 1."""
        inputs, labels, teacher = model_inputs(batch), batch["labels"][:, 1:], self.teacher
        if self._heads is None:
            student_logits = logits_of(student, **inputs)[:, :-1]
            targets = None if teacher is None else teacher.targets(batch)
            return objective(student_logits, targets, labels, num_items=num_items)
        heads = self._heads
        heads.objective.lam, heads.objective.form = objective.lam, objective.form
        student_hidden = student(**inputs)[:, :-1]
        if isinstance(teacher, LiveTeacher):
            with torch.no_grad():
                targets = heads.teacher_body(**inputs)[:, :-1]
        else:
            targets = None if teacher is None else teacher.targets(batch)
        return heads.objective(
            student_hidden,
            heads.student_head,
            targets,
            heads.teacher_head,
            labels,
            num_items=num_items,
        )

    def _split_heads(self, data: Dataset) -> None:
        """Use the linear objective if both models have a head, and the objective a kernel."""
        self._heads = None
        sharded = self.accelerator.distributed_type == DistributedType.FSDP  # heads are in pieces
        objective = _linear_twin(self.objective)
        if objective is None or sharded or not self.config.linear_objective:
            return
        input_ids = data[0]["input_ids"][None].to(self.accelerator.device)
        student = split_head(self.student, input_ids)
        teacher = None, None
        if isinstance(self.teacher, LiveTeacher):
            teacher = split_head(self.teacher.model, input_ids)
        if student is not None and teacher is not None:
            self._heads = _Heads(*student, *teacher, objective)

    def _evaluate(self, data: Dataset) -> float | None:
        """Measure; returns by how many nats the student's LM loss is above its teacher's."""
        teacher = self.teacher if isinstance(self.teacher, LiveTeacher) else None
        result = evaluate(self.student, data, teacher, ignore_index=self.objective.ignore_index)
        self._record("eval", {"step": self.step, **result.as_record()})
        if result.teacher_lm_loss is None:
            return None
        return result.lm_loss - result.teacher_lm_loss

    def _batches(self, data: Dataset) -> Iterator[list[dict[str, Tensor]]]:
        """The micro-batches of this process, step by step, from the current step on."""
        accelerator, config = self.accelerator, self.config
        if len(data) < config.batch_size:
            raise ValueError(f"{len(data)} sequences do not fill a batch of {config.batch_size}")
        parts = config.accumulation * accelerator.num_processes
        if config.batch_size % parts:
            raise ValueError(
                f"a batch of {config.batch_size} sequences cannot be shared out equally over "
                f"{accelerator.num_processes} processes in {config.accumulation} micro-batches"
            )
        loader = DataLoader(
            data,
            batch_sampler=self._micro_batch_indices(len(data), parts),
            generator=torch.Generator(),  # else it draws from that of dropout
            pin_memory=accelerator.device.type == "cuda",
        )
        batches = iter(loader)
        for _ in range(self.step, config.steps):
            yield [next(batches) for _ in range(config.accumulation)]

    def _micro_batch_indices(self, size: int, parts: int) -> Iterator[list[int]]:
        """Which sequences this process takes. Each epoch is a new order of the data; its rest, less
        than a batch, is left out."""
        batch_size, process = self.config.batch_size, self.accelerator.process_index
        width = batch_size // parts
        current, order = None, []
        for step in range(self.step, self.config.steps):
            epoch, batch = divmod(step, size // batch_size)
            if epoch != current:
                generator = torch.Generator().manual_seed(self.config.seed * 1_000_003 + epoch)
                current, order = epoch, torch.randperm(size, generator=generator).tolist()
            for part in range(process, parts, self.accelerator.num_processes):
                start = batch * batch_size + part * width
                yield order[start : start + width]

    def _optimizer(self) -> torch.optim.Optimizer:
        parameters = [p for p in self.student.parameters() if p.requires_grad]
        groups = [
            {
                "params": [p for p in parameters if p.dim() >= 2],
                "weight_decay": self.config.weight_decay,
            },
            {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=self.config.learning_rate, betas=self.config.betas)

    def _due(self, every: int | None, at_end: bool = False) -> bool:
        at_end = at_end and self.step == self.config.steps
        return at_end or (every is not None and self.step % every == 0)

    # --- records and checkpoints ---

    @property
    def _metrics(self) -> Path:
        return self.out / "metrics.jsonl"

    @property
    def _checkpoint(self) -> Path:
        return self.out / "checkpoint"

    def _open_metrics(self) -> None:
        """Begin the file of metrics, or cut it back to the step that a checkpoint is of."""
        if self.out is None or not self.accelerator.is_main_process:
            return
        self.out.mkdir(parents=True, exist_ok=True)
        kept = []
        if self.step and self._metrics.exists():
            for line in self._metrics.read_text(encoding="utf-8").splitlines(keepends=True):
                if not line.endswith("\n") or json.loads(line)["step"] > self.step:
                    break
                kept.append(line)
        self._metrics.write_text("".join(kept), encoding="utf-8")
        self.history = History.read(self._metrics)

    def _record(self, kind: str, record: dict[str, Any]) -> None:
        getattr(self.history, kind).append(record)
        if self.out is not None and self.accelerator.is_main_process:
            with self._metrics.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"kind": kind, **record}) + "\n")

    def _save_checkpoint(self) -> None:
        """Models, optimiser, random states, λ and step; complete, or not there at all."""
        accelerator, partial = self.accelerator, self.out / "checkpoint.partial"
        if accelerator.is_main_process and partial.exists():
            shutil.rmtree(partial)
        accelerator.wait_for_everyone()
        accelerator.save_state(str(partial))
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            previous = self.out / "checkpoint.previous"
            if previous.exists():
                shutil.rmtree(previous)
            if self._checkpoint.exists():
                self._checkpoint.rename(previous)
            partial.rename(self._checkpoint)
            shutil.rmtree(previous, ignore_errors=True)
        accelerator.wait_for_everyone()

    def _load_checkpoint(self) -> None:
        if self.out is None:
            raise ValueError(
                "resume=True needs the folder of the run: DistillationTrainer(..., out=)"
            )
        # Between the two renames of _save_checkpoint only the previous one has its whole name.
        for folder in (self._checkpoint, self.out / "checkpoint.previous"):
            if folder.exists():
                self.accelerator.load_state(str(folder))
                return

    def _remove_checkpoints(self) -> None:
        """Those of an earlier run in this folder: from now on they are of another one."""
        if self.accelerator.is_main_process:
            for folder in (self._checkpoint, self.out / "checkpoint.previous"):
                shutil.rmtree(folder, ignore_errors=True)
        self.accelerator.wait_for_everyone()

    def _save_bad_batch(self, batches, loss: float, lm_loss: float, kd_loss: float) -> str:
        message = (
            f"the loss of step {self.step + 1} is {loss} (LM {lm_loss}, KD {kd_loss}, "
            f"λ {self.objective.lam})"
        )
        if self.out is None:
            return message
        path = self.out / f"bad-batch-{self.step + 1}.pt"
        torch.save(batches, path)
        return f"{message}; its batch is in {path}"


class _Heads(NamedTuple):
    """Both models in two parts, and the objective that joins them."""

    student_body: nn.Module
    student_head: nn.Linear
    teacher_body: nn.Module | None
    teacher_head: nn.Linear | None
    objective: LinearCombinedObjective


class _Progress:
    """What Accelerate cannot know of a run: where it is, and where λ is."""

    def __init__(self, trainer: DistillationTrainer):
        self.trainer = trainer

    def state_dict(self) -> dict[str, Any]:
        trainer = self.trainer
        return {
            "step": trainer.step,
            "schedule": trainer.schedule.state_dict(),
            "run": self._run(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for key, value in self._run().items():
            if state["run"].get(key) != value:
                raise ValueError(
                    f"the checkpoint is of a run with {key} {state['run'].get(key)}, but this one "
                    f"has {value}; give it a folder of its own, or run it without resume"
                )
        self.trainer.step = state["step"]
        self.trainer.schedule.load_state_dict(state["schedule"])

    def _run(self) -> dict[str, Any]:
        """What must be the same for a run to go on."""
        shown = {"device", "progress", "compile", "eval_every", "checkpoint_every"}
        run = {k: v for k, v in asdict(self.trainer.config).items() if k not in shown}
        objective = self.trainer.objective
        return run | {
            "schedule": type(self.trainer.schedule).__name__,
            "divergence": divergence_name(objective.divergence),
            "temperature": objective.temperature,
            "form": objective.form,
        }


def resolve_device(device: str) -> torch.device:
    """The device that ``"auto"`` or ``"cpu"`` is in this process."""
    # Accelerate keeps the device that it was first asked for. Where several processes train
    # together, it is theirs to keep.
    if not torch.distributed.is_initialized():
        PartialState._reset_state()
    return PartialState(cpu=device == "cpu").device


def _accelerator(config: TrainConfig) -> Accelerator:
    # At each checkpoint Accelerate warns that weights which are tied are saved once.
    logging.getLogger("accelerate.utils.other").setLevel(logging.ERROR)
    resolve_device(config.device)
    # Accelerate keeps the precision of the first Accelerator of a process for all that follow.
    AcceleratorState._reset_state()
    return Accelerator(cpu=config.device == "cpu", mixed_precision=config.mixed_precision)


def _linear_twin(objective: CombinedObjective) -> LinearCombinedObjective | None:
    """The same objective from hidden states; None if its divergence has no kernel."""
    try:
        kernel_of(objective.divergence)
    except ValueError:
        return None
    return LinearCombinedObjective(
        objective.divergence,
        lam=objective.lam,
        temperature=objective.temperature,
        form=objective.form,
        scale_by_temperature=objective.scale_by_temperature,
        ignore_index=objective.ignore_index,
        match_vocab=objective.match_vocab,
    )


def _terms(output: ObjectiveOutput) -> tuple[Tensor, Tensor, Tensor]:
    kd_loss = output.kd_loss if output.kd_loss is not None else torch.zeros_like(output.loss)
    return output.loss, output.lm_loss, kd_loss


def _describe(record: dict[str, Any]) -> str:
    kd = "" if record["kd_loss"] is None else f"KD {record['kd_loss']:.3f} λ {record['lam']:.2f} "
    lm = "own text " if record["lm_loss"] is None else f"LM {record['lm_loss']:.3f} "
    return f"loss {record['loss']:.3f} {lm}{kd}{record['tokens_per_second']:,.0f} tokens/s"


@contextmanager
def _interruptible():
    """Ctrl-C asks the loop to end after the step; a second one ends it at once."""
    interrupted = threading.Event()

    def ask(signum, frame):
        if interrupted.is_set():
            raise KeyboardInterrupt
        interrupted.set()

    try:
        previous = signal.signal(signal.SIGINT, ask)
    except ValueError:  # not in the main thread: leave signals alone
        yield interrupted
        return
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, previous)
