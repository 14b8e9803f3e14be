"""The course's figures, one function each. All return the matplotlib figure."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kdlab.arguments import checked
from kdlab.config import History
from kdlab.evaluation import Calibration
from kdlab.schedules import LambdaSchedule, Metric
from kdlab.sweep_results import SweepResults

__all__ = [
    "evaluation_curves",
    "mean_curves",
    "measurements",
    "reliability_diagram",
    "schedules",
    "training_curves",
]

# Okabe and Ito's colours, which people who see few colours can tell apart; line styles differ too.
LM, KD, LAMBDA = "#0072B2", "#D55E00", "#009E73"
COLOURS = (LM, KD, LAMBDA, "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MEASURES = {
    "lm_loss": "LM loss, nats per token",
    "kl_to_teacher": "KL to the teacher, nats per token",
    "reverse_kl_to_teacher": "KL from the teacher, nats per token",
    "lam": "λ",
}
STYLES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))


@checked
def training_curves(history: History, *, title: str = "The two losses over a run") -> Figure:
    """The two losses and λ over a run.

    Args:
        history: of a run with a teacher.
        title: the figure's message.

    Returns:
        A figure of two panels, one of the losses in nats per position and one of λ.

    Raises:
        ValueError: the run had no teacher, or has taken no step.

    >>> steps = [{"step": i, "lm_loss": 8 / i, "kd_loss": 2 / i, "lam": 1.0} for i in range(1, 9)]
    >>> [axes.get_ylabel() for axes in training_curves(History(steps)).axes]
    ['nats per token', 'λ']
    """
    kd_loss = history.column("kd_loss")
    if not kd_loss:
        raise ValueError("this run has taken no step yet: there is no loss to draw")
    if None in kd_loss:
        raise ValueError("this run had no teacher: there is no KD loss to draw")
    step = history.column("step")
    figure, (losses, lam) = plt.subplots(
        2, 1, figsize=(7, 4.5), sharex=True, height_ratios=[3, 1], layout="constrained"
    )
    # Steps on the student's own text have no LM loss; the line goes on beyond them.
    labelled = [(record["step"], record["lm_loss"]) for record in history.train]
    labelled = [point for point in labelled if point[1] is not None]
    if labelled:
        losses.plot(*zip(*labelled, strict=True), color=LM, label="LM loss (labels)")
    losses.plot(step, kd_loss, color=KD, linestyle="--", label="KD loss (teacher)")
    losses.set(ylabel="nats per token", ylim=(0, None), title=title)
    losses.legend(frameon=False)
    lam.plot(step, history.column("lam"), color=LAMBDA, linestyle="-.")
    lam.set(ylabel="λ", xlabel="optimiser step", ylim=(0, None))
    _open(losses)
    _open(lam)
    return figure


@checked
def evaluation_curves(
    histories: Mapping[str, History], column: str = "perplexity", *, title: str = ""
) -> Figure:
    """One measurement on validation text, over the steps of several runs.

    Args:
        histories: runs by the name that the legend gives them; each was evaluated (``eval_every``).
        column: what was measured: ``perplexity``, ``lm_loss``, ``kl_to_teacher``,
            ``agreement_top1`` or ``calibration_error``.
        title: the figure's message.

    Returns:
        A figure of one panel. The teacher's perplexity is a grey line, if it is known.

    Raises:
        ValueError: a run was not evaluated, or had no teacher and so lacks the column.

    >>> run = History(eval=[{"step": 9, "perplexity": 80.0, "teacher_perplexity": 50.0}])
    >>> evaluation_curves({"λ = 1": run}).axes[0].get_ylabel()
    'perplexity'
    """
    if not histories:
        raise ValueError("there are no runs to draw")
    for name, history in histories.items():
        measured = [record.get(column) for record in history.eval]
        if not measured or None in measured:
            raise ValueError(f"the run {name!r} has no {column}: was it evaluated, with a teacher?")
    _, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for i, (name, history) in enumerate(histories.items()):
        values = history.column(column, of="eval")
        axes.plot(history.column("step", of="eval"), values, label=name, **_line(i))
    teachers = {
        round(value, 4)
        for history in histories.values()
        for value in history.column("teacher_perplexity", of="eval")[-1:]
        if value is not None
    }
    if column == "perplexity" and len(teachers) == 1:
        axes.axhline(*teachers, color="#777777", linewidth=1, label="teacher")
    label = MEASURES.get(column, column.replace("_", " "))
    axes.set(xlabel="optimiser step", ylabel=label, title=title)
    axes.legend(frameon=False)
    return _open(axes)


@checked
def mean_curves(
    results: SweepResults,
    arms: Mapping[str, str],
    column: str = "lm_loss",
    *,
    beside: str | None = None,
    title: str = "",
) -> Figure:
    """A measurement over the steps of some arms: the mean over the seeds, and its 95% interval.

    Args:
        results: of a sweep whose runs were evaluated on a schedule.
        arms: names of arms, each with the name that the legend gives it.
        column: a column of the curves: ``lm_loss``, ``kl_to_teacher`` or ``lam``.
        beside: an arm; the figure shows paired differences from it, and 0 is a line.
        title: the figure's message.

    Returns:
        A figure of one panel.

    Raises:
        KeyError: there is no such arm.

    >>> run = {"arm": "both", "seed": 0, "final": {}, "curve": {"step": [1, 2], "lam": [4.0, 2.0]}}
    >>> results = SweepResults("owls", runs=[run])
    >>> mean_curves(results, {"both": "λ falls"}, "lam").axes[0].get_ylabel()
    'λ'
    """
    rows = math.ceil(len(arms) / 2)  # of the legend
    _, axes = plt.subplots(figsize=(7, 3.8 + 0.22 * rows), layout="constrained")
    for i, (arm, name) in enumerate(arms.items()):
        steps, intervals = results.curve(arm, column, beside=beside)
        low, high = zip(
            *((x.mean - x.half_width, x.mean + x.half_width) for x in intervals), strict=True
        )
        axes.plot(steps, [x.mean for x in intervals], label=name, **_line(i))
        axes.fill_between(steps, low, high, color=_line(i)["color"], alpha=0.15, linewidth=0)
    label = MEASURES.get(column, column)
    if beside is not None:
        axes.axhline(0.0, color="#777777", linewidth=1)
        label += f", minus that of {beside}"
    axes.set(xlabel="optimiser step", ylabel=label, title=title)
    figure = _open(axes)
    figure.legend(frameon=False, loc="outside lower center", ncols=2)  # bands leave no corner free
    return figure


@checked
def measurements(
    results: SweepResults,
    arms: Mapping[str, str],
    measure: str = "lm_loss",
    *,
    beside: str | None = None,
    title: str = "",
) -> Figure:
    """A measurement at the end of some arms: means over the seeds, with their 95% intervals.

    Args:
        results: of a sweep.
        arms: names of arms, each with the name that its row gets, from the top down.
        measure: a name in the runs' ``final``.
        beside: an arm; the figure shows paired differences from it, and 0 is a line.
        title: the figure's message.

    Returns:
        A figure of one panel, a row for each arm.

    Raises:
        KeyError: there is no such arm.

    >>> runs = [{"arm": a, "seed": 0, "final": {"lm_loss": x}, "curve": {}}
    ...         for a, x in {"labels": 5.0, "both": 4.5}.items()]
    >>> results = SweepResults("owls", runs=runs)
    >>> measurements(results, {"both": "λ = 1"}, beside="labels").axes[0].get_xlabel()
    'LM loss, nats per token, minus that of labels'
    """
    _, axes = plt.subplots(figsize=(7, 0.8 + 0.34 * len(arms)), layout="constrained")
    for row, arm in enumerate(arms):
        if beside is None:
            found = results.mean(arm, measure)
        else:
            found = results.difference(arm, beside, measure)
        axes.errorbar(found.mean, row, xerr=found.half_width, fmt="o", color=LM, capsize=3)
    label = MEASURES.get(measure, measure.replace("_", " "))
    if beside is not None:
        axes.axvline(0.0, color="#777777", linewidth=1)
        label += f", minus that of {beside}"
    axes.set(xlabel=label, title=title, ylim=(len(arms) - 0.5, -0.5))
    axes.locator_params(axis="x", nbins=6)  # long names leave little room
    axes.set_yticks(range(len(arms)), list(arms.values()))
    return _open(axes)


@checked
def schedules(
    schedules: Mapping[str, LambdaSchedule],
    steps: int,
    *,
    history: History | None = None,
    title: str = "",
) -> Figure:
    """λ over the steps under several schedules; the schedules themselves are left as they are.

    Args:
        schedules: by the name that the legend gives them.
        steps: how far to draw.
        history: a recorded run of at least that many steps. Schedules that react are told what was
            measured in it, as if they had been there.
        title: the figure's message.

    Returns:
        A figure of one panel.

    Raises:
        ValueError: a schedule reacts, and there is no history to react to.

    >>> from kdlab import CosineLambda, LinearLambda
    >>> ends = {"linear": LinearLambda(steps=10), "cosine": CosineLambda(steps=10)}
    >>> figure = schedules(ends, steps=12, title="The cosine waits, then hurries")
    """
    _, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for i, (name, schedule) in enumerate(schedules.items()):
        axes.plot(range(steps + 1), _play(schedule, steps, history), label=name, **_line(i))
    axes.set(xlabel="optimiser step", ylabel="λ", ylim=(0, None), title=title)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))  # no corner is always free
    return _open(axes)


@checked
def reliability_diagram(calibration: Calibration, *, title: str = "") -> Figure:
    """Accuracy over confidence; on the diagonal a model is as often right as it is sure.

    Args:
        calibration: as :func:`kdlab.evaluate` measured it.
        title: the figure's message; by default the expected calibration error.

    Returns:
        A figure of two panels, accuracy per bin and how many positions each bin holds.

    Source: Guo et al. 2017 (arXiv 1706.04599).

    >>> calm = Calibration(confidence=(0.5, 0.9), accuracy=(0.5, 0.7), count=(50, 50))
    >>> reliability_diagram(calm).axes[0].get_title()
    'Expected calibration error 0.100'
    """
    _, (accuracy, count) = plt.subplots(
        2, 1, figsize=(5, 6), sharex=True, height_ratios=[3, 1], layout="constrained"
    )
    bins = len(calibration.count)
    filled = [i for i in range(bins) if calibration.count[i]]
    accuracy.plot([0, 1], [0, 1], color="#777777", linewidth=1, label="as often right as sure")
    accuracy.plot(
        [calibration.confidence[i] for i in filled],
        [calibration.accuracy[i] for i in filled],
        color=LM,
        marker="o",
        label="the model",
    )
    error = f"Expected calibration error {calibration.expected_error:.3f}"
    accuracy.set(ylabel="share that is right", ylim=(0, 1), title=title or error)
    accuracy.legend(frameon=False)
    middles = [(i + 0.5) / bins for i in range(bins)]
    count.bar(middles, calibration.count, width=0.9 / bins, color=LM)
    count.set(xlabel="probability of the likeliest token", ylabel="positions", xlim=(0, 1))
    _open(accuracy)
    return _open(count)


def _play(schedule: LambdaSchedule, steps: int, history: History | None) -> list[float]:
    """λ before each step and after the last, by stepping a copy."""
    schedule = copy.deepcopy(schedule)
    if schedule.watches is not None and history is None:
        raise ValueError(f"{type(schedule).__name__} reacts to a run: give its history")
    told: dict[int, Metric] = {}
    if history is None:
        pass
    elif schedule.watches == "losses":
        told = {record["step"]: (record["lm_loss"], record["kd_loss"]) for record in history.train}
    elif schedule.watches == "gap":
        told = {
            record["step"]: math.log(record["perplexity"] / record["teacher_perplexity"])
            for record in history.eval
        }
    values = [schedule.value]
    for step in range(1, steps + 1):
        schedule.step(told.get(step))
        values.append(schedule.value)
    return values


def _line(i: int) -> dict[str, Any]:
    return {"color": COLOURS[i % len(COLOURS)], "linestyle": STYLES[i % len(STYLES)]}


def _open(axes: Axes) -> Figure:
    axes.spines[["top", "right"]].set_visible(False)
    figure = axes.get_figure(root=True)
    assert figure is not None  # it was drawn on one
    return figure
