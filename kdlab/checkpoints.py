"""Checkpoints: what a run needs to go on, and how it is recognised.

A checkpoint holds the student, its optimiser, the random states, λ and the step; no teacher, and no
frozen weight of a quantised student. It is complete or not there. It also holds the identity of its
run, field by field, so that another run is refused with the name of the field that differs.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, cast

import numpy as np
import torch
import torch.nn as nn
from accelerate import Accelerator
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)

from kdlab.arguments import check_whole
from kdlab.batches import Rows, batch_of
from kdlab.config import TrainConfig
from kdlab.divergences import divergence_name
from kdlab.files import named, writing
from kdlab.fingerprints import tensors_sha256
from kdlab.records import to_json, with_numbers

WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)
AT_MOST = 1024  # rows of a data set that are read for its fingerprint


def save_checkpoint(
    out: Path,
    accelerator: Accelerator,
    student: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: Mapping[str, Any],
) -> None:
    """Write ``out/checkpoint``, complete or not at all. All processes must call this together.

    Args:
        out: the run's folder.
        accelerator: that of the run.
        student: the model as it is trained, whether wrapped or sharded or not.
        optimizer: the student's, as it is used in training.
        progress: the step, the schedule's state and the run's identity.
    """
    partial, whole = out / "checkpoint.partial", out / "checkpoint"
    if accelerator.is_main_process:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    accelerator.wait_for_everyone()
    with _left_out(_as_loaded(student)):
        model_state, optimizer_state = get_state_dict(student, _plain(optimizer), options=WHOLE)
    with writing(partial):
        torch.save(_random_states(), partial / f"random-{accelerator.process_index}.pt")
        if accelerator.is_main_process:
            torch.save(model_state, partial / "student.pt")
            torch.save(optimizer_state, partial / "optimizer.pt")
    if accelerator.is_main_process:
        with named(partial / "progress.json"):
            (partial / "progress.json").write_text(to_json(progress, indent=1), encoding="utf-8")
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        previous = out / "checkpoint.previous"
        shutil.rmtree(previous, ignore_errors=True)
        if whole.exists():
            whole.rename(previous)
        partial.rename(whole)
        shutil.rmtree(previous, ignore_errors=True)
    accelerator.wait_for_everyone()


def load_checkpoint(
    out: Path,
    accelerator: Accelerator,
    student: nn.Module,
    optimizer: torch.optim.Optimizer,
    identity: Mapping[str, Any],
) -> dict[str, Any] | None:
    """Load the checkpoint of a folder, if any, into student, optimiser and random states.

    Returns:
        The step and the schedule's state that were saved; None if there is no checkpoint.

    Raises:
        ValueError: the checkpoint is of another run, was written by another version or by another
            program, or is damaged.
    """
    # If save_checkpoint was cut off between its two renames, only checkpoint.previous is there.
    folders = [out / name for name in ("checkpoint", "checkpoint.previous")]
    folder = next((folder for folder in folders if folder.exists()), None)
    if folder is None:
        return None
    if others := foreign_checkpoints(out):
        raise ValueError(
            f"{others[0]} is no checkpoint of this kdlab; give the run a folder of its own"
        )
    if not (folder / "progress.json").exists():
        raise ValueError(f"{folder} was written by another version of kdlab; begin the run anew")
    with _whole(folder):
        progress: dict[str, Any] = json.loads((folder / "progress.json").read_text("utf-8"))
        begun, schedule = dict(progress["run"]), with_numbers(progress["schedule"])
        step = check_whole("step", progress["step"], least=0)
    for key, value in json.loads(to_json(identity)).items():
        if begun.get(key) != value:
            raise ValueError(
                f"the checkpoint is of a run with {key} {begun.get(key)}, but this one "
                f"has {value}; give it a folder of its own, or run it without resume"
            )
    with _whole(folder):
        model_state = torch.load(folder / "student.pt", map_location="cpu", mmap=True)
        optimizer_state = torch.load(folder / "optimizer.pt", map_location="cpu")
        known = StateDictOptions(full_state_dict=True, strict=not _as_loaded(student))
        set_model_state_dict(student, model_state, options=known)
        _load_optimizer(student, _plain(optimizer), optimizer_state)
    draws = folder / f"random-{accelerator.process_index}.pt"
    if draws.exists():  # there may be more processes now than there were
        with _whole(folder):
            states = torch.load(draws, weights_only=False)
        _set_random_states(states)
    return {"step": step, "schedule": schedule}


def _load_optimizer(
    student: nn.Module, optimizer: torch.optim.Optimizer, saved: Mapping[str, Any]
) -> None:
    """Load the state of an optimiser; weights that had no state when it was saved get none.

    Such weights had no gradient yet, as the image part of a model that has read only text. PyTorch
    would raise an error for them, or begin their state at step 1.
    """
    options = StateDictOptions(full_state_dict=True, strict=False)
    set_optimizer_state_dict(student, optimizer, dict(saved), options=options)
    for group, of_group in zip(optimizer.param_groups, saved["param_groups"], strict=True):
        for weight, name in zip(group["params"], of_group["params"], strict=True):
            if name not in saved["state"]:
                optimizer.state.pop(weight, None)


def _as_loaded(student: nn.Module) -> list[nn.Module]:
    """Layers with frozen weights of a class that is not PyTorch's, as quantised weights are.

    What bitsandbytes writes of such a weight into a state_dict, only transformers can read again.
    Training never changes these weights: a student that is loaded anew has them.
    """

    def quantised(weight: nn.Parameter) -> bool:
        return not (weight.requires_grad or type(weight).__module__.startswith("torch."))

    return [p for p in student.modules() if any(map(quantised, p.parameters(recurse=False)))]


@contextmanager
def _left_out(parts: Sequence[nn.Module]) -> Iterator[None]:
    """Inside, the state_dict of a model has, of these layers, only the trained weights."""

    def leave_out(part: nn.Module, state: dict[str, Any], prefix: str, metadata: Any) -> None:
        kept = {prefix + name for name, weight in part.named_parameters() if weight.requires_grad}
        for name in [name for name in state if name.startswith(prefix) and name not in kept]:
            del state[name]

    hooks = [cast(Any, part).register_state_dict_post_hook(leave_out) for part in parts]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


DAMAGED = (OSError, EOFError, RuntimeError, ValueError, UnpicklingError)
SOMETHING_ELSE = (KeyError, TypeError, AttributeError)


@contextmanager
def _whole(folder: Path) -> Iterator[None]:
    """Raise ValueError, in one sentence, where a file of a checkpoint cannot be read."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except (*DAMAGED, *SOMETHING_ELSE) as error:
        why = " ".join(str(error).split())
        raise ValueError(
            f"the checkpoint in {folder} is damaged ({type(error).__name__}: {why:.200}); remove "
            "it and begin the run anew"
        ) from error


CHECKPOINTS = ("checkpoint", "checkpoint.previous", "checkpoint.partial")


def foreign_checkpoints(out: Path) -> list[Path]:
    """Folders that have the name of a checkpoint, but hold files that no run of kdlab writes."""
    ours = re.compile(r"(student|optimizer|random-\d+)\.pt|progress\.json")
    return [
        out / name
        for name in CHECKPOINTS
        if any(not ours.fullmatch(path.name) for path in (out / name).glob("[!.]*"))
    ]


def has_checkpoint(out: Path) -> bool:
    """Whether a folder holds a checkpoint that a run can go on from."""
    return any((out / name).exists() for name in CHECKPOINTS[:2])


def check_unused(out: Path) -> None:
    """Raise ValueError if a new run in a folder would replace what another run left there."""
    if others := foreign_checkpoints(out):
        raise ValueError(
            f"{others[0]} is no checkpoint of this kdlab, and a new run would remove it; give the "
            "run a folder of its own"
        )
    metrics = out / "metrics.jsonl"
    if has_checkpoint(out):
        what, goes_on = "a checkpoint", "resume=True goes on from there, or "
    elif metrics.exists() and metrics.stat().st_size:
        what, goes_on = "the metrics", ""
    else:
        return
    raise ValueError(
        f"{out} holds {what} of another run, which this one would replace; {goes_on}give it a "
        "folder of its own"
    )


def remove_rest(out: Path, accelerator: Accelerator) -> None:
    """Remove what a run that had no checkpoint yet left in this folder."""
    if accelerator.is_main_process:
        shutil.rmtree(out / "checkpoint.partial", ignore_errors=True)
        for path in out.glob("bad-batch-*.pt"):
            path.unlink()
    accelerator.wait_for_everyone()


def identity_of(
    config: TrainConfig,
    objective: Any,
    schedule: Mapping[str, Any],
    teacher: Any,
    student: nn.Module,
    data: Rows,
    watches: str | None,
) -> dict[str, Any]:
    """What must be the same for a run to go on from a checkpoint.

    Args:
        config: compared in all fields that change what is learned; ``eval_every`` is one of them if
            ``watches`` is "gap".
        objective: compared by its class and its attributes, except λ.
        schedule: its class and its options, as they were before the first step.
        teacher: compared by its class, and by its fingerprint if it has one.
        student: compared by the names and shapes of its weights, and by which of them are trained;
            weights that no checkpoint holds also by a sample of their values.
        data: compared by the number of rows, and by the values of up to 1,024 of them, evenly
            spread.
        watches: what the schedule reacts to, as its ``watches`` says.

    Raises:
        ValueError: the schedule's state cannot be written as JSON.
    """
    for name, value in schedule.items():
        try:
            to_json(value)
        except TypeError:
            raise ValueError(
                f"the schedule's {name} is of type {type(value).__name__}, which no checkpoint "
                "holds; give it numbers and lists of them, or a state_dict and a load_state_dict"
            ) from None
    shown = {"device", "progress", "compile", "checkpoint_every"}
    if watches != "gap":
        shown.add("eval_every")
    run = {name: value for name, value in asdict(config).items() if name not in shown}
    of_objective = {
        name: _described(value) for name, value in vars(objective).items() if name != "_lam"
    }
    fingerprint = getattr(teacher, "fingerprint", lambda: "")
    weights = {name: [*p.shape, p.requires_grad] for name, p in student.named_parameters()}
    if quantised := _as_loaded(student):
        each = (weight for part in quantised for weight in part.parameters(recurse=False))
        frozen = {f"{i:05}": w for i, w in enumerate(each) if not w.requires_grad}
        run["frozen_weights"] = tensors_sha256(frozen, at_most=4096)[:16]
    return {
        **run,
        "schedule": dict(schedule),
        "objective": type(objective).__name__,
        **of_objective,
        "teacher": None if teacher is None else f"{type(teacher).__name__} {fingerprint()}",
        "student": hashlib.sha256(json.dumps(weights).encode()).hexdigest()[:16],
        "data": _data_sha256(data),
    }


def _described(value: Any) -> Any:
    if callable(value):
        return divergence_name(value)
    plain = value is None or isinstance(value, bool | int | float | str)
    return value if plain else type(value).__name__


def _data_sha256(data: Rows) -> str:
    digest = hashlib.sha256()
    rows = min(len(data), AT_MOST)
    for i in range(rows):
        for name, values in sorted(batch_of(data, [i * len(data) // rows], "train").items()):
            held = values.cpu().contiguous().view(torch.uint8)  # NumPy has no bfloat16
            digest.update(name.encode() + held.numpy().tobytes())
    return f"{len(data)} rows, {digest.hexdigest()[:16]}"


def _plain(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """The optimiser inside Accelerate's wrapper."""
    return getattr(optimizer, "optimizer", optimizer)


def _random_states() -> dict[str, Any]:
    states = {
        "python": random.getstate(),
        "numpy": np.random.get_state(),  # noqa: NPY002
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def _set_random_states(states: Mapping[str, Any]) -> None:
    random.setstate(states["python"])
    np.random.set_state(states["numpy"])  # noqa: NPY002
    torch.set_rng_state(states["torch"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(states["cuda"][: torch.cuda.device_count()])
