"""How the objective of a run is computed: on the linear path, without full logits, or the dense."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
import torch.nn as nn
from accelerate import Accelerator
from accelerate.utils import DistributedType
from torch import Tensor
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor

from kdlab import kernels
from kdlab.causality import check_no_future
from kdlab.fused import LinearCombinedObjective, linear_twin
from kdlab.heads import find_head, hidden_of, left_out, unchanged, why_not_left_out
from kdlab.inputs import logits_for, model_inputs
from kdlab.models import logits_of
from kdlab.modes import held_by, in_evaluation_mode, in_turn
from kdlab.objective import Objective, ObjectiveOutput
from kdlab.teachers import Teacher
from kdlab.topk import TopK


class Heads(NamedTuple):
    """The heads that the linear path leaves out of the models' forward passes."""

    student: nn.Linear
    teacher: nn.Linear | None  # None: the teacher gives a TopK, or there is no teacher


class ObjectivePath(NamedTuple):
    """The path that was chosen, with the models and the objective."""

    student: nn.Module  # without the wrappers of training
    teacher: Teacher | None
    objective: Objective
    heads: Heads | None  # None on the dense path
    said: str  # "linear" and, if Triton is wanted, whether it runs; or "dense: " and why
    entries: int | None  # V of the teacher's logits; None if the teacher gives none

    def output(
        self, student: nn.Module, batch: dict[str, Tensor], num_items: Tensor, on_policy: bool
    ) -> ObjectiveOutput:
        """The objective on a micro-batch.

        Labels are shifted here, not in the objective: what the models say at t meets the label at
        t + 1.

        Args:
            student: the model as it is trained, with its wrappers.
            batch: on the student's device.
            num_items: the number that sums are divided by.
            on_policy: whether the student wrote the text; the loss is then λ times the KD loss.
        """
        labels, objective, lam = batch["labels"][:, 1:], self.objective, self.objective.lam
        # The teacher first: its activations are freed before the student's are kept.
        left_out_head = None if self.heads is None else self.heads.teacher
        targets = targets_for(self.teacher, batch, left_out_head)
        if self.heads is None:
            logits = logits_of(student, **model_inputs(self.student, batch))[:, :-1]
            output = as_output(objective, objective(logits, targets, labels, num_items=num_items))
            if on_policy:  # labels that the student made up teach it nothing
                if output.kd_loss is None:
                    raise ValueError(
                        f"on_policy learns from the KD loss, but {objective} gave none"
                    )
                output = output._replace(loss=lam * output.kd_loss)
            return output
        student_head, teacher_head = self.heads
        twin = linear_twin(objective)
        assert isinstance(twin, LinearCombinedObjective)  # it was one when the path was chosen
        if on_policy:
            twin = copy.copy(twin)  # it may be the user's own objective
            twin.form, twin.lam = "convex", 1.0

        def ask() -> Tensor:
            return logits_of(student, **model_inputs(self.student, batch))

        if student is self.student:
            hidden = hidden_of(ask, student_head)
        else:  # a compiled or data-parallel model may return a copy
            with left_out(student_head):
                hidden = ask()
        hidden = hidden[:, :-1]
        output = twin(hidden, student_head, targets, teacher_head, labels, num_items=num_items)
        return output._replace(loss=lam * output.loss) if on_policy else output


def choose_path(
    student: nn.Module,
    teacher: Teacher | None,
    objective: Objective,
    batch: Mapping[str, Tensor],
    accelerator: Accelerator,
    wanted: bool,
) -> ObjectivePath:
    """The linear path if it is wanted and possible, else the dense path.

    Both models are run on ``batch``, one row; afterwards they are unchanged.

    Raises:
        ValueError: a model depends on what it must not see (:mod:`kdlab.causality`); the teacher's
            ``head`` is neither an ``nn.Linear`` nor None; or the objective needs hidden states, and
            the linear path is impossible or not wanted.
    """
    found, entries = _heads(student, teacher, objective, batch, accelerator, wanted)
    in_pieces_again(student)
    if isinstance(found, str):
        if isinstance(objective, LinearCombinedObjective):
            raise ValueError(f"{objective} needs hidden states, but {found}; use CombinedObjective")
        return ObjectivePath(student, teacher, objective, None, f"dense: {found}", entries)
    twin = linear_twin(objective)
    assert isinstance(twin, LinearCombinedObjective)  # or there would be no heads
    top_k = teacher is not None and found.teacher is None
    said = "linear" + kernels.in_words(accelerator.device, twin.divergence, top_k)
    return ObjectivePath(student, teacher, objective, found, said, entries)


def _heads(
    student: nn.Module,
    teacher: Teacher | None,
    objective: Objective,
    batch: Mapping[str, Tensor],
    accelerator: Accelerator,
    wanted: bool,
) -> tuple[Heads | str, int | None]:
    """The heads that the linear path leaves out; or, in words, why the dense path is taken.

    Returned with it: how many logits the teacher gives at a position, None if it gives none.
    """
    parts = [part for part in (student, teacher) if isinstance(part, nn.Module)]
    together = in_turn(*parts, *held_by(teacher))
    with together, in_evaluation_mode(*parts), unchanged(*parts):
        check_no_future(student, lambda row: logits_for(student, row), batch)
        knows_any = teacher is not None and getattr(teacher, "any_text", True)
        if teacher is not None and (knows_any or isinstance(teacher, nn.Module)):
            check_no_future(teacher, teacher.targets, batch)
    together = in_turn(*parts, *held_by(teacher))
    with together, unchanged(*parts), accelerator.autocast():
        teacher_head: Any = getattr(teacher, "head", None)
        why: str | None = "it shows no head"
        targets: Tensor | TopK | None = None

        def targets_of_row() -> Tensor | TopK | None:
            nonlocal targets
            targets = targets_for(teacher, batch)
            return targets

        if not isinstance(teacher_head, nn.Linear | None):
            raise ValueError(
                f"{type(teacher).__name__}.head must be an nn.Linear or None, got "
                f"{type(teacher_head).__name__}"
            )
        if teacher_head is None:
            targets_of_row()
            held = getattr(teacher, "model", None)
            if isinstance(held, nn.Module) and isinstance(found := find_head(held), str):
                why = found
        elif why := why_not_left_out(targets_of_row, teacher_head):
            teacher_head = None
        entries = targets.shape[-1] if isinstance(targets, Tensor) else None
        if not wanted:
            return "config.linear_objective is False", entries
        twin = linear_twin(objective)
        if isinstance(twin, str):
            return twin, entries
        if entries is not None and teacher_head is None:
            return f"of the teacher: {why}", entries
        head = find_head(student)
        if isinstance(head, str):
            return head, entries
        if accelerator.distributed_type == DistributedType.FSDP and not (
            getattr(accelerator, "is_fsdp2", False)
        ):
            return "FSDP 1 gives no access to the student's head; take version 2", entries
        ddp = accelerator.ddp_handler
        if ddp is not None and ddp.find_unused_parameters:
            return "find_unused_parameters would take the student's head for unused", entries
        student.train()
        why = why_not_left_out(lambda: logits_for(student, batch), head)
    return (f"of the student: {why}" if why else Heads(head, teacher_head)), entries


@torch.no_grad()
def targets_for(
    teacher: Teacher | None, batch: Mapping[str, Tensor], head: nn.Linear | None = None
) -> Tensor | TopK | None:
    """A teacher's targets for a batch, without gradient; with ``head``, the input of that head."""
    if teacher is None:
        return None
    if head is not None:
        return hidden_of(lambda: teacher.targets(batch), head)
    targets, name = teacher.targets(batch), type(teacher).__name__
    if not isinstance(targets, Tensor | TopK):
        raise ValueError(
            f"{name}.targets(batch) returned {type(targets).__name__}; it must return logits, or "
            "the likeliest tokens as a TopK"
        )
    size, length = batch["input_ids"].shape
    shape = targets.shape if isinstance(targets, Tensor) else targets.ids.shape
    if shape[:-1] != (size, length - 1):
        raise ValueError(
            f"{name}.targets(batch) returned {list(shape)} for {size} rows of {length} tokens; it "
            f"must be [{size}, {length - 1}, ...], one for each token that another follows"
        )
    return targets


def as_output(objective: Objective, output: Any) -> ObjectiveOutput:
    """What an objective returned; ValueError unless it has the losses of an ObjectiveOutput."""
    terms = [getattr(output, name, None) for name in ("loss", "lm_loss", "kd_loss")]
    if not all(isinstance(term, Tensor) for term in terms[: 2 if terms[2] is None else 3]):
        raise ValueError(
            f"{type(objective).__name__} returned {type(output).__name__}; it must return an "
            "ObjectiveOutput, whose losses are tensors"
        )
    found: ObjectiveOutput = output
    return found


def in_pieces_again(model: nn.Module) -> None:
    """Shard weights again that FSDP leaves whole after a forward pass without a backward pass."""
    for part in model.modules():
        if isinstance(part, FSDPModule):
            part.reshard()


def check_averages(model: nn.Module) -> None:
    """Raise ValueError if PyTorch would sum the gradients of a sharded model, not average them.

    Tested on CPUs only: PyTorch's backend there, gloo, has done so without an error:
    https://github.com/pytorch/pytorch/issues/162338
    """
    weight = next((each for each in model.parameters() if isinstance(each, DTensor)), None)
    if weight is None or weight.device_mesh.device_type != "cpu":
        return
    group = weight.device_mesh.get_group(weight.device_mesh.ndim - 1)
    mean, ones = torch.empty(1), torch.ones(dist.get_world_size(group))
    dist.reduce_scatter_tensor(mean, ones, op=dist.ReduceOp.AVG, group=group)
    if mean.item() != 1:
        raise ValueError(
            f"PyTorch {torch.__version__} adds up the gradients of a model in pieces on CPUs where "
            "it should average them; install a newer PyTorch, or leave the student whole"
        )
