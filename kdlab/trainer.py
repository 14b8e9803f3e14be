"""Training a student on a teacher and on the truth.

The trainer is one loop that reads from top to bottom: shift the labels, ask the student and the
teacher, combine, step, measure. Devices, mixed precision and processes are the work of Hugging Face
Accelerate. The batches of a step depend on the seed and on the step alone, so that a run can go on
from any checkpoint, or on any number of processes, with the same losses, up to rounding.

The trainer calls the teacher's ``targets(batch)`` and the student, and then the objective with what
both returned. A run takes one of two paths. The *linear* path never makes the logits in full. It
needs three things: the student exposes its output head, the layer that makes logits from hidden
states; the teacher, if there is one, exposes its head too, or gives likeliest tokens instead of
logits; and the objective has a linear twin, a version of it that works from hidden states. Any
other run takes the *dense* path, which makes all logits; :attr:`kdlab.DistillationTrainer.path`
says why.
"""

from __future__ import annotations

import copy
import logging
import math
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn as nn
from accelerate import Accelerator
from accelerate.utils import DistributedType, send_to_device, set_seed
from torch import Tensor
from torch.distributed.fsdp import FSDPModule, FullyShardedDataParallel
from tqdm.auto import tqdm

from kdlab.batches import NO_INPUTS, Rows, batch_of, check_rows, parts_of, telling_row
from kdlab.causality import check_causal
from kdlab.checkpoints import (
    check_unused,
    identity_of,
    load_checkpoint,
    remove_rest,
    save_checkpoint,
)
from kdlab.checks import (
    check_models,
    check_parts,
    check_schedule,
    check_switches,
    check_temperature_of,
)
from kdlab.config import History, TrainConfig
from kdlab.devices import kept_random_state, own_accelerate_state, stays
from kdlab.evaluation import evaluate
from kdlab.files import as_path, check_folder
from kdlab.generation import before_answers, continued, end_of_text_of
from kdlab.inputs import check_ids
from kdlab.interrupts import interruptible
from kdlab.metrics import METRICS, MetricsFile
from kdlab.models import longest_text
from kdlab.modes import held_by, in_turn
from kdlab.objective import Objective, ObjectiveOutput
from kdlab.optimizers import adamw
from kdlab.packing import check_packing, is_packed
from kdlab.paths import check_averages, choose_path, in_pieces_again
from kdlab.sampler import micro_batches
from kdlab.schedules import ConstantLambda, LambdaSchedule, Metric
from kdlab.teachers import Teacher, as_teacher

__all__ = ["DistillationTrainer"]

log = logging.getLogger("kdlab")

TURNS = threading.RLock()  # runs share Accelerate's state and the random state of the process


class DistillationTrainer:
    """Trains a student with LM loss and KD loss at once.

    Args:
        student: any causal language model; it returns logits, or an object with ``.logits``. It is
            trained in place; saving it is up to you.
        teacher: another causal language model over the same vocabulary, which is frozen in place;
            or anything with ``targets(batch)``, such as a :class:`kdlab.TopKTeacher`: see
            :class:`kdlab.teachers.Teacher`. None trains on the labels alone, and needs λ = 0.
        objective: a :class:`kdlab.CombinedObjective`, a :class:`kdlab.LinearCombinedObjective` or
            any other :class:`kdlab.Objective`. Its λ is set from the schedule before each step, and
            restored after the run.
        schedule: λ over the steps; give each run a new schedule. None keeps the objective's λ.
        config: how to train.
        out: a folder for ``metrics.jsonl`` and the checkpoint; None keeps everything in memory.
        accelerator_options: further arguments of Accelerate's ``Accelerator``, for example
            ``{"kwargs_handlers": [DistributedDataParallelKwargs(...)]}``; not the device or the
            precision, which ``config`` sets.

    Raises:
        TypeError: an argument is not of the kind that is listed above.
        ValueError: student, teacher, objective and schedule do not fit together, and the message
            says why; or ``accelerator_options`` set the device or the precision.

    >>> from kdlab import CombinedObjective, TinyGPT
    >>> data = [{"input_ids": torch.arange(8), "labels": torch.arange(8)}] * 4
    >>> models = [TinyGPT("tiny-student", vocab_size=8, block_size=8) for _ in range(2)]
    >>> config = TrainConfig(steps=2, batch_size=4, device="cpu")
    >>> trainer = DistillationTrainer(*models, CombinedObjective(lam=0.5), config=config)
    >>> trainer.fit(data).column("lam")
    [0.5, 0.5]
    >>> trainer.path
    'linear'
    """

    def __init__(
        self,
        student: nn.Module,
        teacher: nn.Module | Teacher | None,
        objective: Objective,
        schedule: LambdaSchedule | None = None,
        config: TrainConfig = TrainConfig(),
        *,
        out: str | Path | None = None,
        accelerator_options: Mapping[str, Any] | None = None,
    ):
        check_parts(student, objective, schedule, config)
        if teacher is None and objective.lam > 0:
            raise ValueError(
                f"there is no teacher, but the objective has lam={objective.lam}; use lam=0"
            )
        check_models(student, teacher)
        check_causal(student)
        self.student, self.teacher, self.objective = student, as_teacher(teacher), objective
        check_temperature_of(self.teacher, objective)
        self.schedule = schedule or ConstantLambda(objective.lam)
        if self.schedule.step_count:
            raise ValueError(
                f"the schedule has taken {self.schedule.step_count} steps already; give each run "
                "one of its own"
            )
        state = copy.deepcopy(self.schedule.state_dict())  # a list in it may grow in the run
        self._schedule_at_start = {"name": type(self.schedule).__name__, **state}
        self.config = config
        self.out = None if out is None else as_path(out, "out").absolute()
        self.accelerator_options = dict(accelerator_options or {})
        for option, name in (("cpu", 'device="cpu"'), ("mixed_precision", "mixed_precision=...")):
            if option in self.accelerator_options:
                raise ValueError(
                    f"accelerator_options has {option}: take it out and give TrainConfig({name})"
                )
        self.step = 0  # optimiser steps taken
        self.history = History()
        self.path: str | None = None
        """``"linear"``, or ``"dense: "`` and the reason; None until :meth:`fit` has chosen it.

        If Triton is wanted, as it is by default on a GPU (:mod:`kdlab.kernels`), ``"linear"`` is
        followed by whether the objective runs in Triton and, if not, why.
        """

    def fit(self, train: Rows, eval: Rows | None = None, *, resume: bool = False) -> History:
        """Train for ``config.steps`` steps.

        If several threads of a process call ``fit``, their runs follow one another. All threads
        draw random numbers from one generator: with dropout, a run does not repeat number for
        number if another thread evaluates a model at the same time.

        Args:
            train: rows ``{"input_ids": [T], "labels": [T]}`` of any length, labels not shifted,
                and any further inputs that both models take. A Hugging Face dataset will do.
            eval: held-out rows of the same form, evaluated every ``config.eval_every`` steps and
                at the end; None evaluates nothing.
            resume: go on from the checkpoint in ``out``; if there is none, begin the run. The
                metrics are those of a run that was never stopped, up to rounding. With
                ``resume=False``, ``out`` must hold no run.

        Returns:
            The history of the whole run, the steps before an interruption included.

        Raises:
            ValueError: data, models, objective and schedule do not go together; the checkpoint
                is of another run; or ``out`` holds a run that this one would replace.
            FloatingPointError: the loss or the norm of the gradient is not finite. The step is not
                taken; with an ``out``, the batch is saved there.
            KeyboardInterrupt: Ctrl-C was pressed. The step is finished first; with an ``out``, a
                checkpoint is written.
        """
        if self.step and not resume:
            raise ValueError(
                f"this trainer has taken {self.step} steps; make a new one, with a student and a "
                "schedule of its own"
            )
        if resume and self.out is None:
            raise ValueError(
                "resume=True needs the folder of the run: DistillationTrainer(..., out=)"
            )
        if self.out is not None:
            check_folder(self.out)
            if not resume:
                check_unused(self.out)
        with TURNS:  # it asks Accelerate for the device
            check_switches(self.config.device)
        check_rows(train, "train", ignore_index=self.objective.ignore_index)
        if eval is not None:
            check_rows(eval, "eval", ignore_index=self.objective.ignore_index)
        check_schedule(self.schedule, self.teacher, self.config, eval, self.objective)
        self._ends = self.config.end_of_text
        if self._ends is None:
            told = (end for part in parts_of(train) for end in getattr(part, "end_ids", ()))
            self._ends = (*dict.fromkeys(told), *end_of_text_of(self.student))
        if is_packed(train):
            if self.config.on_policy:
                raise ValueError(
                    "on_policy goes on from one text a row: give the rows as they were before they "
                    "were packed"
                )
            for model in (self.student, getattr(self.teacher, "model", None)):
                if isinstance(model, nn.Module):
                    check_packing(model)
        # Random numbers and Accelerate's state are set for this run, and restored after it.
        with TURNS, kept_random_state(), own_accelerate_state():
            lam = self.objective.lam
            try:
                return self._fit(train, eval, resume)
            finally:
                self.objective.lam = lam

    def _fit(self, train: Rows, eval: Rows | None, resume: bool) -> History:
        config = self.config
        self.accelerator = accelerator = Accelerator(
            cpu=config.device == "cpu",
            mixed_precision=config.mixed_precision,
            **self.accelerator_options,
        )
        if (parts := accelerator.gradient_accumulation_steps) != 1:
            raise ValueError(
                f"Accelerate's gradient_accumulation_steps is {parts}, by which it would divide "
                "each gradient; take it out of accelerator_options, or of the environment, and "
                "give TrainConfig(accumulation=...)"
            )
        sharded = any(isinstance(part, FSDPModule) for part in self.student.modules())
        sharded = sharded or accelerator.distributed_type == DistributedType.FSDP
        if config.on_policy and sharded:
            raise ValueError("on_policy does not work under FSDP: the student is in pieces there")
        # An evaluation in another thread ends by restoring random states: not after this set_seed.
        with in_turn(self.student):
            set_seed(config.seed)
        move = getattr(self.teacher, "to", None)
        if move is not None:
            move(accelerator.device)
        student, optimizer = self._prepared()
        check_averages(student)
        path = self.path = self._choose_path(train)
        identity: dict[str, Any] = {}
        if self.out is not None:
            at_start = self._schedule_at_start
            parts = self.config, self.objective, at_start, self.teacher, self.student, train
            identity = identity_of(*parts, self.schedule.watches)
            if resume:
                with in_turn(self.student):
                    self._resume(self.out, student, optimizer, identity)
            else:
                remove_rest(self.out, accelerator)
        self._metrics: MetricsFile | None = None
        if self.out is not None and accelerator.is_main_process:
            self._metrics = MetricsFile(self.out, self.step)
            self.history = self._metrics.history

        bar = tqdm(
            total=config.steps,
            initial=self.step,
            unit="step",
            disable=not (config.progress and accelerator.is_main_process),
        )
        with bar, interruptible() as asked_to_stop:
            self._tell_path(path, bar)
            for batches in self._batches(train):
                started = time.perf_counter()
                with in_turn(self.student, *held_by(self.teacher)):
                    step = self._train_step(student, optimizer, batches, asked_to_stop)
                record, interrupted = step
                record["tokens_per_second"] = record["num_items"] / (time.perf_counter() - started)
                self._record("train", record)
                bar.update()
                bar.set_postfix_str(_describe(record))

                gap = None
                if eval is not None and self._due(config.eval_every, at_end=True):
                    gap = self._evaluate(eval)
                losses = (record["lm_loss"], record["kd_loss"])
                known: dict[str | None, Metric] = {"gap": gap, "losses": losses}
                self.schedule.step(known.get(self.schedule.watches))
                if interrupted or self._due(config.checkpoint_every):
                    self._save(student, optimizer, identity)
                if interrupted:
                    raise self._stopped()
            # Ctrl-C in the last evaluation or checkpoint: no further step would hear of it.
            asked = torch.tensor(float(asked_to_stop.is_set()), device=accelerator.device)
            if accelerator.reduce(asked, "sum") > 0:
                self._save(student, optimizer, identity)
                raise self._stopped()
        return self.history

    def _train_step(
        self,
        student: nn.Module,
        optimizer: torch.optim.Optimizer,
        batches: list[dict[str, Tensor]],
        asked_to_stop: threading.Event,
    ) -> tuple[dict[str, Any], bool]:
        """Take one step on this process's micro-batches; return its record, and whether to stop."""
        accelerator, objective = self.accelerator, self.objective
        objective.lam = self.schedule.value
        on_policy = self._chance("step").random() < self.config.on_policy
        if on_policy:
            batches = [self._student_text(batch, part) for part, batch in enumerate(batches)]
        learning_rate = self.config.learning_rate_at(self.step)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate

        # Every sum is divided by the positions that count in the whole step, in all micro-batches
        # of all processes: a mean of means would weigh a short batch as much as a long one.
        if on_policy:
            for batch in batches:
                self._check_ids(batch)
        labels = [batch["labels"][:, 1:] for batch in batches]
        num_items = torch.stack([(part != objective.ignore_index).sum() for part in labels]).sum()
        num_items = accelerator.reduce(num_items.to(accelerator.device), "sum")

        student.train()
        sums = torch.zeros(4, device=accelerator.device, dtype=torch.float32)  # the fourth: stop?
        for i, batch in enumerate(batches):
            last = i == len(batches) - 1
            with nullcontext() if last else accelerator.no_sync(student):
                batch = send_to_device(batch, accelerator.device, non_blocking=True)
                with accelerator.autocast():
                    output = self._way.output(student, batch, num_items.clamp_min(1), on_policy)
                if not output.loss.requires_grad:
                    raise ValueError(
                        "the loss depends on no weight that is to be trained; adapters may be "
                        "merged, student.unmerge_adapter(), or quantised layers pass no gradient on"
                    )
                # Data parallelism averages gradients over the processes; the sum is needed here.
                accelerator.backward(output.loss * accelerator.num_processes)
            sums[:3] += torch.stack([term.detach() for term in _terms(output)])
        grad_norm = accelerator.clip_grad_norm_(student.parameters(), self.config.max_grad_norm)
        # All processes stop after the same step: one that went on would wait for ever.
        sums[3] = float(asked_to_stop.is_set())
        loss, lm_loss, kd_loss, interrupted = accelerator.reduce(sums, "sum").tolist()
        whole = getattr(grad_norm, "full_tensor", None)  # of a sharded student
        grad_norm = float(grad_norm if whole is None else whole())
        if not (math.isfinite(loss) and math.isfinite(grad_norm)):
            optimizer.zero_grad()
            raise FloatingPointError(
                self._save_bad_batch(batches, loss, lm_loss, kd_loss, grad_norm)
            )
        optimizer.step()
        optimizer.zero_grad()
        self.step += 1
        record = {
            "step": self.step,
            "loss": loss,
            "lm_loss": None if on_policy else lm_loss,
            "kd_loss": None if self.teacher is None else kd_loss,
            "lam": objective.lam,
            "learning_rate": learning_rate,
            "grad_norm": grad_norm,
            "num_items": int(num_items),
        }
        return record, interrupted > 0

    def _chance(self, *what: object) -> random.Random:
        """A generator that depends on the seed, the step and ``what``, not on earlier draws."""
        return random.Random(f"{self.config.seed}/{self.step}/{'/'.join(map(str, what))}")

    def _student_text(self, batch: dict[str, Tensor], part: int) -> dict[str, Tensor]:
        """A batch's prompts, continued by the student; only what it wrote has labels."""
        config, device = self.config, self.accelerator.device
        draw = self._chance("text", part, self.accelerator.process_index).getrandbits(62)
        mask, width = batch.get("attention_mask"), batch["input_ids"].shape[1]
        ignore_index = self.objective.ignore_index
        prompts = before_answers(batch, ignore_index=ignore_index)
        if config.prompt_tokens is not None:
            prompts = [config.prompt_tokens] * len(prompts)
        truncates = getattr(self.objective, "match_vocab", "error") == "truncate"
        if config.new_tokens is not None:
            width = longest_text(self.student, max(prompts) + config.new_tokens)
        written = continued(
            self.student,
            batch["input_ids"].to(device),
            width,
            prompt_tokens=prompts,
            new_tokens=config.new_tokens,
            attention_mask=None if mask is None else mask.to(device),
            end_of_text=self._ends,
            vocabulary=self._way.entries if truncates else None,
            ignore_index=ignore_index,
            generator=torch.Generator(device).manual_seed(draw),
        )
        if "attention_mask" not in written:
            return written
        longest = int(written["attention_mask"].sum(-1).max())
        return {name: field[:, :longest] for name, field in written.items()}

    # --- before the first step ---

    def _prepared(self) -> tuple[nn.Module, torch.optim.Optimizer]:
        """The student on its device, wrapped to train on all processes; and its optimiser."""
        accelerator, student = self.accelerator, self.student
        student.zero_grad()  # gradients from before the run belong to no step of it
        sharded = any(isinstance(part, FSDPModule) for part in student.modules())
        version_1 = any(isinstance(part, FullyShardedDataParallel) for part in student.modules())
        if version_1 and accelerator.distributed_type != DistributedType.FSDP:
            raise ValueError(
                "the student is in pieces of FSDP 1, which Accelerate would take for whole; shard "
                "it with fully_shard, or leave it to Accelerate"
            )
        if not (sharded or stays(student)):
            student.to(accelerator.device)
        optimizer = adamw(student, self.config)
        if self.config.compile:
            student = cast(nn.Module, torch.compile(student))
        # Autocast is put around each forward pass of a step, not into the student.
        autocast, accelerator.native_amp = accelerator.native_amp, False
        try:
            if sharded:  # FSDP 2 synchronises the gradients of such a student itself
                return student, accelerator.prepare(optimizer)
            prepared: tuple[nn.Module, torch.optim.Optimizer]
            prepared = accelerator.prepare(student, optimizer)
            return prepared
        finally:
            accelerator.native_amp = autocast

    def _choose_path(self, train: Rows) -> str:
        """Choose how the objective is computed; returns what :attr:`path` says of it."""
        batch = self._batch(train, [telling_row(train)])
        written = {"input_ids", "attention_mask", *NO_INPUTS}
        if self.config.on_policy and not batch.keys() <= written:
            raise ValueError(
                f"on_policy writes texts anew, and the data has {min(batch.keys() - written)!r} of "
                "the old ones; remove that column"
            )
        batch = send_to_device(batch, self.accelerator.device)
        self._way = choose_path(
            self.student,
            self.teacher,
            self.objective,
            batch,
            self.accelerator,
            self.config.linear_objective,
        )
        return self._way.said

    def _tell_path(self, path: str, bar: tqdm) -> None:
        kind, _, more = path.partition(": ")
        if kind == "dense":
            line = f"The objective is computed on the dense path, for {more}."
        else:
            how = path.removeprefix("linear")
            line = f"The objective is computed on the linear path{how}: no logits are made in full."
        if self.accelerator.is_main_process:
            log.info(line)
            if not bar.disable:
                bar.write(line)

    def _resume(
        self,
        out: Path,
        student: nn.Module,
        optimizer: torch.optim.Optimizer,
        identity: Mapping[str, Any],
    ) -> None:
        progress = load_checkpoint(out, self.accelerator, student, optimizer, identity)
        if progress is not None:
            self.step = progress["step"]
            self.schedule.load_state_dict(progress["schedule"])
        elif self.step:
            raise ValueError(
                f"this trainer has taken {self.step} steps, and there is no checkpoint in "
                f"{out} to go on from; make a new one"
            )
        elif (out / METRICS).exists():
            recorded = len(History.read(out / METRICS).train)
            if recorded >= self.config.steps:
                raise ValueError(
                    f"{out} holds the {recorded} steps of a run and no checkpoint to go on from; "
                    "give this one a folder of its own"
                )

    # --- data and measurements ---

    def _batches(self, data: Rows) -> Iterator[list[dict[str, Tensor]]]:
        """For each step from the current one on, the micro-batches of this process."""
        accelerator, config = self.accelerator, self.config
        if len(data) < config.batch_size:
            raise ValueError(f"{len(data)} sequences do not fill a batch of {config.batch_size}")
        parts = config.accumulation * accelerator.num_processes
        if config.batch_size % parts:
            raise ValueError(
                f"a batch of {config.batch_size} sequences cannot be shared out equally over "
                f"{accelerator.num_processes} processes in {config.accumulation} micro-batches"
            )
        numbers = micro_batches(
            len(data),
            batch_size=config.batch_size,
            parts=parts,
            process=accelerator.process_index,
            processes=accelerator.num_processes,
            seed=config.seed,
            steps=range(self.step, config.steps),
        )
        for _ in range(self.step, config.steps):
            yield [self._batch(data, next(numbers)) for _ in range(config.accumulation)]

    def _batch(self, data: Rows, numbers: Sequence[int]) -> dict[str, Tensor]:
        ignore_index = self.objective.ignore_index
        batch = batch_of(data, numbers, "train", self._check_ids, ignore_index=ignore_index)
        if self.accelerator.device.type != "cuda":
            return batch
        return {key: value if value.is_cuda else value.pin_memory() for key, value in batch.items()}

    def _check_ids(self, batch: Mapping[str, Tensor]) -> None:
        check_ids(batch, self.student, self.teacher)

    def _evaluate(self, data: Rows) -> float | None:
        """Evaluate and record; return the student's LM loss minus the teacher's, if known."""
        live = self.teacher is not None and self._way.entries is not None
        live = live and getattr(self.teacher, "any_text", True)
        parts = self.config.accumulation * self.accelerator.num_processes
        with self.accelerator.autocast():
            result = evaluate(
                self.student,
                data,
                self.teacher if live else None,
                batch_size=max(1, self.config.batch_size // parts),
                ignore_index=self.objective.ignore_index,
                match_vocab=getattr(self.objective, "match_vocab", "error"),
            )
        in_pieces_again(self.student)
        self._record("eval", {"step": self.step, **result.as_record()})
        if result.teacher_lm_loss is None:
            if self.schedule.watches == "gap":
                raise ValueError(
                    f"{type(self.schedule).__name__} reacts to the student's gap to its teacher, "
                    f"but {type(self.teacher).__name__} gives no logits to measure it by"
                )
            return None
        return result.lm_loss - result.teacher_lm_loss

    def _due(self, every: int | None, at_end: bool = False) -> bool:
        at_end = at_end and self.step == self.config.steps
        return at_end or (every is not None and self.step % every == 0)

    # --- records ---

    def _save(
        self, student: nn.Module, optimizer: torch.optim.Optimizer, identity: Mapping[str, Any]
    ) -> None:
        """Write a checkpoint, if there is a folder for one."""
        if self.out is not None:
            progress = {
                "step": self.step,
                "schedule": self.schedule.state_dict(),
                "run": identity,
            }
            save_checkpoint(self.out, self.accelerator, student, optimizer, progress)

    def _stopped(self) -> KeyboardInterrupt:
        where = f"; the same call with resume=True goes on from {self.out}" if self.out else ""
        return KeyboardInterrupt(f"stopped after step {self.step} of {self.config.steps}{where}")

    def _record(self, kind: str, record: dict[str, Any]) -> None:
        getattr(self.history, kind).append(record)
        if self._metrics is not None:
            self._metrics.add({"kind": kind, **record})

    def _save_bad_batch(
        self,
        batches: list[dict[str, Tensor]],
        loss: float,
        lm_loss: float,
        kd_loss: float,
        grad_norm: float,
    ) -> str:
        message = (
            f"the loss of step {self.step + 1} is {loss} (LM {lm_loss}, KD {kd_loss}, "
            f"λ {self.objective.lam}) and its gradient's norm {grad_norm}"
        )
        if self.out is None:
            return message
        process = self.accelerator.process_index
        name = f"bad-batch-{self.step + 1}" + (f"-{process}" if process else "")
        path = self.out / f"{name}.pt"
        torch.save(batches, path)
        return f"{message}; its batch is in {path}"


def _terms(output: ObjectiveOutput) -> tuple[Tensor, Tensor, Tensor]:
    kd_loss = output.kd_loss if output.kd_loss is not None else torch.zeros_like(output.loss)
    return output.loss, output.lm_loss, kd_loss


def _describe(record: dict[str, Any]) -> str:
    kd = "" if record["kd_loss"] is None else f"KD {record['kd_loss']:.3f} λ {record['lam']:.2f} "
    lm = "own text " if record["lm_loss"] is None else f"LM {record['lm_loss']:.3f} "
    return f"loss {record['loss']:.3f} {lm}{kd}{record['tokens_per_second']:,.0f} tokens/s"
