"""λ over the course of training.

Call a schedule's ``step`` once after each optimiser step, as with the schedules of ``torch.optim``:
``value`` is the λ of the optimiser step that comes next. A schedule with an ``end`` reaches it
exactly after its last step, and stays there.
"""

from __future__ import annotations

import math
import operator
from typing import Any

from kdlab.arguments import check_names, check_number, check_whole

__all__ = [
    "ConstantLambda",
    "CosineLambda",
    "ExponentialLambda",
    "LambdaSchedule",
    "LinearLambda",
    "PlateauLambda",
    "RatioLambda",
    "WarmupStableDecayLambda",
    "make_schedule",
]

Metric = float | tuple[float, float] | None


class LambdaSchedule:
    """The base class of all schedules.

    Subclasses define :attr:`value`, and override :meth:`step` if they do more than count steps.

    >>> schedule = LinearLambda(1.0, 0.0, steps=4)
    >>> schedule.step()
    >>> schedule.value
    0.75
    """

    watches: str | None = None
    """What :meth:`step` needs as its ``metric``, ``"gap"`` or ``"losses"``; None for nothing."""

    def __init__(self) -> None:
        self.step_count = 0

    @property
    def value(self) -> float:
        """The λ of the next optimiser step."""
        raise NotImplementedError

    def step(self, metric: Metric = None) -> None:
        """Count an optimiser step that was taken.

        Args:
            metric: what the schedule watches, or None if it was not measured at this step. For
                ``"gap"``: the student's LM loss minus its teacher's, in nats, on validation text.
                For ``"losses"``: the LM loss and the KD loss of the step, the latter times T² if
                the objective multiplies by it. A schedule that watches nothing ignores a float.

        Raises:
            ValueError: a schedule that watches nothing was given a whole number, which is probably
                the number of the step; or a metric is not a number.
            TypeError: the gap was given as a pair, or the losses not as a pair.
        """
        if self.watches is None and (_is_whole(metric) or isinstance(metric, str)):
            raise ValueError(
                f"{type(self).__name__} counts its steps by itself: call step() once for each, "
                f"without their number; got step({metric})"
            )
        self.step_count += 1

    def state_dict(self) -> dict[str, Any]:
        """All that :meth:`load_state_dict` needs to continue from here, including the options."""
        return dict(vars(self))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state that :meth:`state_dict` returned; its options replace these.

        Raises:
            ValueError: the state has other entries than this schedule's, or its ``step_count`` is
                not a whole number ≥ 0.
        """
        if state.keys() != vars(self).keys():
            raise ValueError(
                f"this state has {sorted(state)}, but {type(self).__name__} needs "
                f"{sorted(vars(self))}; was it saved by another schedule?"
            )
        step_count = check_whole("step_count", state["step_count"], least=0)
        vars(self).update(state, step_count=step_count)

    def __repr__(self) -> str:
        options = ", ".join(f"{key}={value}" for key, value in vars(self).items())
        return f"{type(self).__name__}({options})"


# --- planned: λ depends on the number of steps alone ---


class ConstantLambda(LambdaSchedule):
    """λ stays the same at every step.

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

    @property
    def value(self) -> float:
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

    >>> LinearLambda(1.0, 0.0, steps=10).value
    1.0
    """

    def __init__(self, start: float = 1.0, end: float = 0.0, *, steps: int):
        super().__init__()
        self.start = _check_lambda("start", start)
        self.end = _check_lambda("end", end)
        self.steps = check_whole("steps", steps, least=1)

    @property
    def value(self) -> float:
        if self.step_count >= self.steps:
            return self.end
        return self.between(self.step_count / self.steps)

    def between(self, fraction: float) -> float:
        """λ after this fraction of the steps, 0 ≤ fraction < 1."""
        return self.start + (self.end - self.start) * fraction


class CosineLambda(LinearLambda):
    """λ goes from start to end along half a cosine: slowly at both ends, faster in the middle.

    Arguments and errors are those of :class:`LinearLambda`.

    Source: Loshchilov & Hutter 2017 (arXiv 1608.03983), a learning-rate schedule; here for λ.

    >>> schedule = CosineLambda(1.0, 0.0, steps=4)
    >>> schedule.step()
    >>> round(schedule.value, 3)
    0.854
    """

    def between(self, fraction: float) -> float:
        return super().between(0.5 * (1.0 - math.cos(math.pi * fraction)))


class ExponentialLambda(LinearLambda):
    """λ goes from start to end, multiplied by the same factor at each step.

    Args:
        start: λ of the first step, > 0.
        end: λ after ``steps`` steps and from then on, > 0.
        steps: optimiser steps from start to end, ≥ 1.

    Raises:
        ValueError: a value is outside its range; 0 is, as no factor leads to 0 or away from it.

    >>> schedule = ExponentialLambda(1.0, 0.01, steps=2)
    >>> schedule.step()
    >>> round(schedule.value, 6)
    0.1
    """

    def __init__(self, start: float = 1.0, end: float = 0.01, *, steps: int):
        super().__init__(start, end, steps=steps)
        for name, lam in (("start", start), ("end", end)):
            if lam == 0:
                raise ValueError(f"{name} must be above 0 for an exponential, got {lam}")

    def between(self, fraction: float) -> float:
        lam: float = self.start * (self.end / self.start) ** fraction
        return lam


class WarmupStableDecayLambda(LambdaSchedule):
    """λ rises linearly from 0 to its peak, stays there, and then goes linearly to its end.

    Args:
        peak: λ after the warm-up, ≥ 0.
        end: λ after the steps of all three phases and from then on, ≥ 0.
        warmup_steps: optimiser steps from λ = 0 to the peak, ≥ 0; with 0, λ begins at the peak.
        stable_steps: optimiser steps at the peak, ≥ 0.
        decay_steps: optimiser steps from the peak to the end, ≥ 0.

    Raises:
        ValueError: a value is outside its range.

    Source: the schedules of Peng et al. 2025 (arXiv 2410.16215) for the share of KD.

    >>> schedule = WarmupStableDecayLambda(2.0, warmup_steps=2, stable_steps=1, decay_steps=2)
    >>> for _ in range(2):
    ...     schedule.step()
    >>> schedule.value
    2.0
    """

    def __init__(
        self,
        peak: float = 1.0,
        end: float = 0.0,
        *,
        warmup_steps: int,
        stable_steps: int,
        decay_steps: int,
    ):
        super().__init__()
        self.peak = _check_lambda("peak", peak)
        self.end = _check_lambda("end", end)
        self.warmup_steps = check_whole("warmup_steps", warmup_steps, least=0)
        self.stable_steps = check_whole("stable_steps", stable_steps, least=0)
        self.decay_steps = check_whole("decay_steps", decay_steps, least=0)

    @property
    def value(self) -> float:
        step = self.step_count
        if step < self.warmup_steps:
            return self.peak * step / self.warmup_steps
        into_decay = step - self.warmup_steps - self.stable_steps
        if into_decay < 0:
            return self.peak
        if into_decay >= self.decay_steps:
            return self.end
        return self.peak + (self.end - self.peak) * into_decay / self.decay_steps


# --- reacting: λ depends on what is measured ---


class PlateauLambda(LambdaSchedule):
    """λ falls when the student stops gaining on its teacher.

    A student that no longer gains is taken to have learned what it can from this teacher. From then
    on the labels should count more, if there are enough of them. After each evaluation, the trainer
    gives the schedule the gap: the student's LM loss minus the teacher's. An evaluation shows a
    gain if the gap is more than ``threshold`` below that at the last gain; the first finite gap
    always is. After ``patience`` + 1 evaluations in a row without a gain, λ is multiplied by
    ``factor`` and the count starts again. A trainer refuses this schedule without eval data,
    without ``eval_every``, and with a teacher that cannot be asked about eval data, such as a
    :class:`kdlab.TopKTeacher`.

    Args:
        start: λ of the first step, ≥ 0.
        factor: what λ is multiplied by, 0 ≤ factor < 1.
        patience: evaluations in a row without a gain that leave λ as it is, ≥ 0; λ falls at the
            next one.
        threshold: a gain counts if it is larger than this, in nats per position, ≥ 0.
        minimum: λ does not fall below this value, ≥ 0.

    Raises:
        ValueError: a value is outside its range.

    Source: ``torch.optim.lr_scheduler.ReduceLROnPlateau``, a learning-rate schedule; here for λ.

    >>> schedule = PlateauLambda(1.0, factor=0.5, patience=0)
    >>> for gap in (0.9, 0.5, 0.5):
    ...     schedule.step(gap)
    >>> schedule.value
    0.5
    """

    watches = "gap"

    def __init__(
        self,
        start: float = 1.0,
        *,
        factor: float = 0.5,
        patience: int = 1,
        threshold: float = 0.01,
        minimum: float = 0.0,
    ):
        super().__init__()
        self.factor = _check_share("factor", factor)
        self.threshold = _check_lambda("threshold", threshold)
        self.lam = _check_lambda("start", start)
        self.minimum = _check_lambda("minimum", minimum)
        self.patience = check_whole("patience", patience, least=0)
        self.best = math.inf
        self.without_gain = 0

    @property
    def value(self) -> float:
        return self.lam

    def step(self, metric: Metric = None) -> None:
        super().step()
        if metric is None:
            return
        if isinstance(metric, tuple):
            raise TypeError(f"PlateauLambda reacts to one number, the gap; got {metric}")
        metric = _plain("the gap", metric)
        if metric < self.best - self.threshold:
            self.best, self.without_gain = metric, 0
            return
        self.without_gain += 1
        if self.without_gain > self.patience:
            self.lam = min(self.lam, max(self.lam * self.factor, self.minimum))
            self.without_gain = 0


class RatioLambda(LambdaSchedule):
    """λ follows the losses so that λ·KD stays near a given share of LM.

    LM and KD are running means of the two losses. The losses enter as plain numbers, so no gradient
    flows through λ.

    Args:
        share: λ·KD divided by LM, ≥ 0; KD includes its T², if the objective multiplies by it. With
            share 1 both terms of the loss have the same size.
        momentum: weight of the past in the running means, 0 ≤ momentum < 1; they look back about
            1 / (1 − momentum) steps.
        start: λ of the first step, before any loss is known, ≥ 0.
        maximum: λ computed from the losses stays at or below this value, ≥ 0, even if KD goes to 0.

    Raises:
        ValueError: a value is outside its range.

    >>> schedule = RatioLambda(share=0.5)
    >>> schedule.step((4.0, 1.0))
    >>> round(schedule.value, 6)
    2.0
    """

    watches = "losses"

    def __init__(
        self,
        share: float = 1.0,
        *,
        momentum: float = 0.9,
        start: float = 1.0,
        maximum: float = 100.0,
    ):
        super().__init__()
        self.share = _check_lambda("share", share)
        self.start = _check_lambda("start", start)
        self.maximum = _check_lambda("maximum", maximum)
        self.momentum = _check_share("momentum", momentum)
        self.lm_mean = self.kd_mean = 0.0  # not divided by the sum of weights: it cancels in λ

    @property
    def value(self) -> float:
        if self.lm_mean == self.kd_mean == 0.0:
            return self.start
        wanted = self.share * self.lm_mean
        if wanted == 0.0:
            return 0.0
        if wanted >= self.maximum * self.kd_mean:
            return self.maximum
        return wanted / self.kd_mean

    def step(self, metric: Metric = None) -> None:
        super().step()
        if metric is None:
            return
        if not isinstance(metric, tuple):
            raise TypeError(f"RatioLambda reacts to two numbers, the losses; got {metric}")
        lm_loss, kd_loss = (_plain("a loss", loss) for loss in metric)
        self.lm_mean = self.momentum * self.lm_mean + (1 - self.momentum) * lm_loss
        self.kd_mean = self.momentum * self.kd_mean + (1 - self.momentum) * kd_loss


SCHEDULES: dict[str, type[LambdaSchedule]] = {
    "constant": ConstantLambda,
    "linear": LinearLambda,
    "cosine": CosineLambda,
    "exponential": ExponentialLambda,
    "warmup_stable_decay": WarmupStableDecayLambda,
    "plateau": PlateauLambda,
    "ratio": RatioLambda,
}
"""All schedules by name."""


def make_schedule(name: str, **options: Any) -> LambdaSchedule:
    """Make a schedule from its name and its options.

    Args:
        name: constant, linear, cosine, exponential, warmup_stable_decay, plateau or ratio.
        options: the arguments of that schedule's class.

    Raises:
        ValueError: the name is unknown, or an option is outside its range.
        TypeError: the schedule has no option of that name, or lacks one that it needs.

    >>> make_schedule("linear", start=2.0, end=1.0, steps=10).value
    2.0
    """
    try:
        schedule = SCHEDULES[name]
    except KeyError:
        raise ValueError(f"unknown schedule {name!r}; known: {', '.join(SCHEDULES)}") from None
    check_names(schedule.__init__, options)
    return schedule(**options)


def _is_whole(metric: Any) -> bool:
    """Whether it is an integer, of Python, NumPy or torch."""
    try:
        operator.index(metric)
    except TypeError:
        return False
    return True


def _plain(name: str, loss: Any) -> float:
    """A loss as a plain number, detached from its graph if it has one."""
    return check_number(name, loss.detach() if hasattr(loss, "detach") else loss)


def _check_lambda(name: str, lam: float) -> float:
    number = check_number(name, lam)
    if not (number >= 0 and math.isfinite(number)):
        raise ValueError(f"{name} must be at least 0 and finite, got {lam}")
    return number


def _check_share(name: str, share: float) -> float:
    number = check_number(name, share)
    if not 0.0 <= number < 1.0:
        raise ValueError(f"{name} must lie in [0, 1), got {share}")
    return number
