"""λ over the course of training.

A schedule is stepped once per optimiser step, after it, as those of ``torch.optim`` are:
``value`` is the λ of the step that comes next. Before the first step it is the start, and after
``steps`` steps it is the end, exactly; it stays there.
"""

from __future__ import annotations

import math
from typing import Any

__all__ = [
    "ConstantLambda",
    "CosineLambda",
    "LambdaSchedule",
    "LinearLambda",
    "make_schedule",
]


class LambdaSchedule:
    """The base class: a λ that depends on the number of steps taken, and on nothing else.

    Subclasses give :meth:`at`. Those that react to training override :meth:`step` too.

    >>> schedule = LinearLambda(1.0, 0.0, steps=4)
    >>> schedule.step()
    >>> schedule.value
    0.75
    """

    def __init__(self) -> None:
        self.step_count = 0

    def at(self, step: int) -> float:
        """λ after ``step`` steps."""
        raise NotImplementedError

    @property
    def value(self) -> float:
        """The λ to use for the next step."""
        return self.at(self.step_count)

    def step(self, metric: float | None = None) -> None:
        """Say that an optimiser step was taken.

        Args:
            metric: what a reacting schedule watches; the others take no notice of it.
        """
        self.step_count += 1

    def state_dict(self) -> dict[str, Any]:
        """All that :meth:`load_state_dict` needs to go on from here, the options included."""
        return dict(vars(self))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state that :meth:`state_dict` gave.

        Raises:
            ValueError: the state is that of another kind of schedule.
        """
        if state.keys() != vars(self).keys():
            raise ValueError(
                f"this state has {sorted(state)}, but {type(self).__name__} needs "
                f"{sorted(vars(self))}; was it saved by another schedule?"
            )
        vars(self).update(state)

    def __repr__(self) -> str:
        options = ", ".join(f"{k}={v}" for k, v in vars(self).items() if not k.startswith("_"))
        return f"{type(self).__name__}({options})"


class ConstantLambda(LambdaSchedule):
    """λ stays what it is.

    Args:
        lam: λ ≥ 0.

    Raises:
        ValueError: λ is negative or not finite.

    >>> ConstantLambda(0.5).value
    0.5
    """

    def __init__(self, lam: float = 1.0):
        super().__init__()
        self.lam = _check_lambda("lam", lam)

    def at(self, step: int) -> float:
        return self.lam


class LinearLambda(LambdaSchedule):
    """λ goes from start to end in equal steps.

    Args:
        start: λ of the first step, ≥ 0.
        end: λ after ``steps`` steps and from then on, ≥ 0.
        steps: optimiser steps from start to end, ≥ 1.

    Raises:
        ValueError: a value is outside its range.

    Source: teacher annealing, Clark et al. 2019 (arXiv 1907.04829).

    >>> LinearLambda(1.0, 0.0, steps=10).at(4)
    0.6
    """

    def __init__(self, start: float = 1.0, end: float = 0.0, *, steps: int):
        super().__init__()
        self.start = _check_lambda("start", start)
        self.end = _check_lambda("end", end)
        self.steps = _check_steps(steps)

    def at(self, step: int) -> float:
        if step >= self.steps:
            return self.end
        return self.start + (self.end - self.start) * self.progress(step / self.steps)

    def progress(self, fraction: float) -> float:
        """How much of the way from start to end lies behind, 0 to 1."""
        return fraction


class CosineLambda(LinearLambda):
    """λ goes from start to end along half a cosine: slowly, faster in the middle, slowly again.

    Arguments and errors are those of :class:`LinearLambda`.

    Source: the learning-rate schedule of Loshchilov & Hutter 2017 (arXiv 1608.03983), for λ.

    >>> [round(CosineLambda(1.0, 0.0, steps=4).at(step), 3) for step in range(5)]
    [1.0, 0.854, 0.5, 0.146, 0.0]
    """

    def progress(self, fraction: float) -> float:
        return 0.5 * (1.0 - math.cos(math.pi * fraction))


SCHEDULES: dict[str, type[LambdaSchedule]] = {
    "constant": ConstantLambda,
    "linear": LinearLambda,
    "cosine": CosineLambda,
}


def make_schedule(name: str, **options) -> LambdaSchedule:
    """The schedule of that name with these options.

    Args:
        name: one of constant, linear, cosine.
        options: the arguments of that schedule's class.

    Raises:
        ValueError: the name is unknown, or an option is outside its range.

    >>> make_schedule("linear", start=2.0, end=1.0, steps=10).value
    2.0
    """
    try:
        schedule = SCHEDULES[name]
    except KeyError:
        raise ValueError(f"unknown schedule {name!r}; known: {', '.join(SCHEDULES)}") from None
    return schedule(**options)


def _check_lambda(name: str, lam: float) -> float:
    if not (lam >= 0 and math.isfinite(lam)):
        raise ValueError(f"{name} must be at least 0 and finite, got {lam}")
    return float(lam)


def _check_steps(steps: int) -> int:
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    return int(steps)
