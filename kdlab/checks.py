"""Checks, before anything is trained, for what cannot be trained, or not be trained together."""

from __future__ import annotations

import warnings
from typing import Any

import torch
import torch.nn as nn

from kdlab.adapters import AdaptersOffTeacher, adapters_off
from kdlab.config import TrainConfig
from kdlab.devices import resolve_device
from kdlab.objective import Objective
from kdlab.schedules import SCHEDULES, LambdaSchedule
from kdlab.teachers import Teacher


def check_parts(student: Any, objective: Any, schedule: Any, config: Any) -> None:
    """Check the types of a trainer's parts.

    Raises:
        TypeError: a part has another type, such as an objective's name in place of the objective.
        ValueError: the objective has a weight of its own that is to be trained.
    """
    right = {
        "student": (student, isinstance(student, nn.Module), "a torch module"),
        "objective": (
            objective,
            callable(objective)
            and not isinstance(objective, type)
            and all(hasattr(objective, name) for name in ("lam", "ignore_index")),
            'an objective, CombinedObjective("forward_kl", lam=0.5), or one with its lam and its '
            "ignore_index",
        ),
        "schedule": (
            schedule,
            schedule is None
            or (isinstance(schedule, LambdaSchedule) and hasattr(schedule, "step_count")),
            "a schedule, LinearLambda(1.0, 0.0, steps=200), or one that calls super().__init__()",
        ),
        "config": (config, isinstance(config, TrainConfig), "a TrainConfig(steps=200)"),
    }
    for name, (part, fits, what) in right.items():
        if not fits:
            raise TypeError(f"{name} must be {what}; got {type(part).__name__} {part!r:.80}")
    if isinstance(objective, nn.Module):
        learned = next((n for n, p in objective.named_parameters() if p.requires_grad), None)
        if learned is not None:
            raise ValueError(
                f"the objective has a weight of its own, {learned}, and only the student's are "
                "trained; make it a part of the student, or freeze it with requires_grad_(False)"
            )


def check_models(student: nn.Module, teacher: Any) -> None:
    """Raise ValueError if the student cannot learn, or the teacher would change as it learns.

    Warns if the student uses AdaLoRA, or if weights in half precision are to be trained.
    """
    parts = list(teacher.parameters()) if isinstance(teacher, nn.Module) else []
    shared = {id(parameter) for parameter in parts}
    for name, parameter in student.named_parameters():
        if id(parameter) in shared and (parameter.requires_grad or teacher is student):
            raise ValueError(
                f"the student and its teacher share the weight {name}: the teacher would change as "
                "the student learns. Give it a copy, copy.deepcopy(model); adapters have their own "
                "teacher, AdaptersOffTeacher(student)"
            )
    if elsewhere := next((n for n, p in student.named_parameters() if p.is_meta), None):
        raise ValueError(
            f"the student's weight {elsewhere} is not in memory, as a device_map leaves it that "
            "shares out more than there is room for; what is to be trained must be: load a smaller "
            "student, or one in 4 bits under adapters"
        )
    if made := next((n for n, p in student.named_parameters() if p.is_inference()), None):
        raise ValueError(
            f"the student's weight {made} was made in inference mode, and nothing learns from it; "
            "make or load the student outside of torch.inference_mode()"
        )
    for part in student.modules():
        # RWKV of transformers rescales its weights, against overflow in half precision.
        config: Any = getattr(part, "config", None)
        every = getattr(config, "rescale_every", 0)
        if hasattr(part, "layers_are_rescaled") and 0 < every < config.num_hidden_layers:
            raise ValueError(
                f"{type(part).__name__} divides its own weights in evaluation mode, so that what "
                "is saved is not what was trained; load the student with rescale_every=0"
            )
        on_cpu = any(weight.device.type == "cpu" for weight in part.parameters(recurse=False))
        if on_cpu and getattr(part, "support_avx512bf16_for_cpu", False):
            raise ValueError(
                f"{type(part).__name__} of bitsandbytes passes no gradient on, on this processor, "
                "once it was asked in evaluation mode: the student would learn nothing, or "
                "something else; load it in 8 bits, or train it on a GPU"
            )
    trained = [p for p in student.parameters() if p.requires_grad]
    if isinstance(teacher, AdaptersOffTeacher):
        with adapters_off(teacher.student):
            stays = {id(p) for p in teacher.student.parameters() if p.requires_grad}
        prompts = getattr(teacher.student, "prompt_encoder", None)  # left out when adapters are off
        stays -= set() if prompts is None else {id(p) for p in prompts.parameters()}
        for name, parameter in student.named_parameters():
            if parameter.requires_grad and id(parameter) in stays:
                raise ValueError(
                    f"the student's weight {name} is trained and belongs to no adapter: its "
                    "teacher, the student without adapters, would change as it learns. Freeze it, "
                    "or train a copy of it by modules_to_save of PEFT"
                )
    if not trained:
        raise ValueError(
            "the student has no weights to train: all of them are frozen; "
            + _how_to_thaw(student, teacher)
        )
    if any(hasattr(part, "update_and_allocate") for part in student.modules()):
        warnings.warn(
            "of AdaLoRA only the adapters are trained: its penalty on them is left out, and as "
            "nobody calls update_and_allocate, each keeps its init_r. LoRA does the same with less",
            stacklevel=4,
        )
    small = {p.dtype for p in trained} & {torch.float16, torch.bfloat16}
    if small:
        (dtype, *_) = small
        warnings.warn(
            f"the student's weights are {dtype}: a step smaller than {torch.finfo(dtype).eps:.1g} "
            "of a weight is lost in rounding. Load it in float32, and use mixed_precision='bf16'",
            stacklevel=4,
        )


def _how_to_thaw(student: nn.Module, teacher: Any) -> str:
    theirs = set(teacher.parameters()) if isinstance(teacher, nn.Module) else set()
    if not theirs.isdisjoint(student.parameters()):
        return (
            "its teacher shares them, and a teacher is frozen in place. Give it a copy, "
            "copy.deepcopy(model); adapters have their own teacher, AdaptersOffTeacher(student)"
        )
    if any(hasattr(part, "active_adapters") for part in student.modules()):
        return "adapters are loaded to be trained with is_trainable=True"
    return "student.requires_grad_(True) thaws them"


def check_switches(device: str) -> None:
    """Raise ValueError if gradients are switched off, or autocast is on for the device."""
    if not torch.is_grad_enabled():
        raise ValueError(
            "gradients are switched off here, by torch.no_grad() or torch.inference_mode(); "
            "call fit outside of it"
        )
    if torch.is_autocast_enabled(resolve_device(device).type):
        raise ValueError(
            "torch.autocast is on here, and holds copies of weights that no step changes; call fit "
            'outside of it, with TrainConfig(mixed_precision="bf16")'
        )


def check_temperature_of(teacher: Teacher | None, objective: Objective) -> None:
    """Raise ValueError if a teacher's and the objective's temperatures are known and differ."""
    taken_at = getattr(teacher, "temperature", None)
    asked = getattr(objective, "temperature", taken_at)
    if taken_at not in (None, asked):
        path = getattr(teacher, "path", None)
        raise ValueError(
            f"the teacher{f' in {path}' if path else ''} was written at temperature {taken_at}, "
            f"but the objective has {asked}"
        )


BOUNDS = ("lam", "start", "end", "peak", "maximum")
"""Options that bound λ in the library's schedules: λ never exceeds the largest of them."""


def check_schedule(
    schedule: LambdaSchedule,
    teacher: Teacher | None,
    config: TrainConfig,
    eval: Any,
    objective: Any,
) -> None:
    """Check that the schedule and ``on_policy`` suit the objective, the teacher and the data.

    A λ that becomes too large would otherwise end the run in the middle, its steps done in vain.

    Raises:
        ValueError: λ may exceed 1 in the convex form; the run does not give the schedule what it
            watches; or ``on_policy`` has no teacher that can be asked about any text.
    """
    watches = schedule.watches
    options = vars(schedule) if type(schedule) in SCHEDULES.values() else {}
    highest = max((options[each] for each in BOUNDS if each in options), default=0.0)
    if getattr(objective, "form", None) == "convex" and highest > 1:
        raise ValueError(
            f"lam must be between 0 and 1 in the convex form, and {type(schedule).__name__} may "
            f"raise it to {highest:g}"
            + ("; set its maximum to 1 or less" if "maximum" in options else "")
        )
    any_text = teacher is not None and getattr(teacher, "any_text", True)
    if watches == "gap" and (not any_text or eval is None or config.eval_every is None):
        raise ValueError(
            f"{type(schedule).__name__} reacts to the student's gap to its teacher: it "
            "needs a live teacher, eval data and config.eval_every"
        )
    if watches == "losses" and teacher is None:
        raise ValueError(f"{type(schedule).__name__} compares both losses, and there is no teacher")
    if config.on_policy and not any_text:
        raise ValueError(
            f"on_policy={config.on_policy} asks the teacher about the student's own text: it "
            "needs a live teacher"
        )
    if config.on_policy and watches == "losses":
        raise ValueError(
            f"{type(schedule).__name__} compares both losses, but text that the student "
            "wrote has no LM loss; use another schedule, or on_policy=0"
        )
