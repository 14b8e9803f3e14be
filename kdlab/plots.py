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

# Okabe and Ito's colours, which colour-blind people can tell apart; the line styles differ as well.
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
        history: the history of a run with a teacher.
        title: the figure's message.

    Returns:
        A figure of two panels, one of the losses in nats per token and one of λ.

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
    # Steps on text that the student wrote have no LM loss; the line joins the steps that have one.
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
        histories: the history of each run, under its name in the legend. Each run must have been
            evaluated (``eval_every``).
        column: the measurement: ``perplexity``, ``lm_loss``, ``kl_to_teacher``,
            ``reverse_kl_to_teacher``, ``agreement_top1`` or ``calibration_error``.
        title: the figure's message.

    Returns:
        A figure of one panel. With ``perplexity``, a grey line shows the teacher's perplexity, if
        it is the same at the last evaluation of all runs that have a teacher.

    Raises:
        ValueError: no run is given; a run was not evaluated; or a run lacks the column, for example
            because it had no teacher.

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
        axes.plot(history.column("step", of="eval"), values, label=_shown(name), **_line(i))
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
    """A measurement of several arms over the steps: the mean over the seeds, and its 95% interval.

    Args:
        results: the results of a sweep whose runs were evaluated every few steps.
        arms: for each arm to draw, its name in the results and its name in the legend.
        column: a column of the curves: ``lm_loss``, ``kl_to_teacher`` or ``lam``.
        beside: another arm. The figure then shows each arm minus this one, paired by seed, and a
            line at 0.
        title: the figure's message.

    Returns:
        A figure of one panel.

    Raises:
        KeyError: the results have no such arm or column.
        ValueError: an arm and ``beside`` differ in their steps or in the number of seeds; or a run
            has None in the column, as one that had no teacher may.

    >>> run = {"arm": "both", "seed": 0, "final": {}, "curve": {"step": [1, 2], "lam": [4.0, 2.0]}}
    >>> results = SweepResults("owls", runs=[run])
    >>> mean_curves(results, {"both": "λ falls"}, "lam").axes[0].get_ylabel()
    'λ'
    """
    curves = [(name, *results.curve(arm, column, beside=beside)) for arm, name in arms.items()]
    rows = math.ceil(len(arms) / 2)  # of the legend, which has two columns
    _, axes = plt.subplots(figsize=(7, 3.8 + 0.22 * rows), layout="constrained")
    for i, (name, steps, intervals) in enumerate(curves):
        low, high = zip(
            *((x.mean - x.half_width, x.mean + x.half_width) for x in intervals), strict=True
        )
        axes.plot(steps, [x.mean for x in intervals], label=name, **_line(i))
        axes.fill_between(steps, low, high, color=_line(i)["color"], alpha=0.15, linewidth=0)
    label = MEASURES.get(column, column)
    if beside is not None:
        axes.axhline(0.0, color="#777777", linewidth=1)
        label += f", minus that of {_shown(beside)}"
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
    """A measurement of several arms at the end: means over the seeds, with their 95% intervals.

    Args:
        results: the results of a sweep.
        arms: for each arm to draw, its name in the results and the label of its row; the first arm
            is at the top.
        measure: the measurement, a key of the ``final`` of the runs.
        beside: another arm. The figure then shows each arm minus this one, paired by seed, and a
            line at 0.
        title: the figure's message.

    Returns:
        A figure of one panel, with a row for each arm.

    Raises:
        KeyError: the results have no such arm or measurement.
        ValueError: an arm and ``beside`` differ in the number of seeds; or a run has None for the
            measurement.

    >>> runs = [{"arm": a, "seed": 0, "final": {"lm_loss": x}, "curve": {}}
    ...         for a, x in {"labels": 5.0, "both": 4.5}.items()]
    >>> results = SweepResults("owls", runs=runs)
    >>> measurements(results, {"both": "λ = 1"}, beside="labels").axes[0].get_xlabel()
    'LM loss, nats per token, minus that of labels'
    """
    if beside is None:
        intervals = [results.mean(arm, measure) for arm in arms]
    else:
        intervals = [results.difference(arm, beside, measure) for arm in arms]
    _, axes = plt.subplots(figsize=(7, 0.8 + 0.34 * len(arms)), layout="constrained")
    for row, found in enumerate(intervals):
        axes.errorbar(found.mean, row, xerr=found.half_width, fmt="o", color=LM, capsize=3)
    label = MEASURES.get(measure, measure.replace("_", " "))
    if beside is not None:
        axes.axvline(0.0, color="#777777", linewidth=1)
        label += f", minus that of {_shown(beside)}"
    axes.set(xlabel=label, title=title, ylim=(len(arms) - 0.5, -0.5))
    axes.locator_params(axis="x", nbins=6)  # long names of arms leave little room
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
    """λ of several schedules over the steps; copies are stepped, the schedules stay as they are.

    Args:
        schedules: each schedule, under its name in the legend.
        steps: the number of optimiser steps to draw.
        history: a recorded run, preferably of at least ``steps`` steps. A schedule that reacts to a
            run is given the losses or gaps of this run, step by step.
        title: the figure's message.

    Returns:
        A figure of one panel.

    Raises:
        ValueError: a schedule reacts to a run, and ``history`` is None or has not measured what
            the schedule reacts to.

    >>> from kdlab import CosineLambda, LinearLambda
    >>> ends = {"linear": LinearLambda(steps=10), "cosine": CosineLambda(steps=10)}
    >>> figure = schedules(ends, steps=12, title="The cosine waits, then hurries")
    """
    played = {name: _play(schedule, steps, history) for name, schedule in schedules.items()}
    _, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for i, (name, values) in enumerate(played.items()):
        axes.plot(range(steps + 1), values, label=_shown(name), **_line(i))
    axes.set(xlabel="optimiser step", ylabel="λ", ylim=(0, None), title=title)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))  # no corner is always free
    return _open(axes)


@checked
def reliability_diagram(calibration: Calibration, *, title: str = "") -> Figure:
    """Accuracy over confidence; on the diagonal, a model is right as often as its confidence says.

    Args:
        calibration: the ``calibration`` of what :func:`kdlab.evaluate` returns.
        title: the figure's message; by default the expected calibration error.

    Returns:
        A figure of two panels, one of the accuracy of each bin that has positions, and one of the
        number of positions in every bin.

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
    """The λ of each step, and the one after the last, from a copy of the schedule."""
    schedule = copy.deepcopy(schedule)
    name, watches = type(schedule).__name__, schedule.watches
    if watches is not None and history is None:
        raise ValueError(f"{name} reacts to a run: give its history")
    told: dict[int, Metric] = {}
    if history is not None and watches is not None:
        told = _losses(history) if watches == "losses" else _gaps(history)
        if not told:
            raise ValueError(f"{name} reacts to a run's {watches}, which this history has not")
    values = [schedule.value]
    for step in range(1, steps + 1):
        schedule.step(told.get(step))
        values.append(schedule.value)
    return values


def _losses(history: History) -> dict[int, Metric]:
    """By step; a step on the student's own text has no LM loss, and one without a teacher no KD."""
    pairs = {record["step"]: (record["lm_loss"], record["kd_loss"]) for record in history.train}
    return {step: pair for step, pair in pairs.items() if None not in pair}


def _gaps(history: History) -> dict[int, Metric]:
    """By step, in nats; an evaluation that did not measure the teacher has none."""
    return {
        record["step"]: math.log(record["perplexity"]) - math.log(record["teacher_perplexity"])
        for record in history.eval
        if record.get("teacher_perplexity") is not None
    }


def _shown(name: str) -> str:
    """A name as matplotlib shows it as it is: without mathematics between two dollar signs.

    Lines whose name begins with an underscore are in no legend; a thin space before it helps.
    """
    return ("\u2009" if name.startswith("_") else "") + name.replace("$", r"\$")


def _line(i: int) -> dict[str, Any]:
    return {
        "color": COLOURS[i % len(COLOURS)],
        "linestyle": STYLES[(i + i // len(COLOURS)) % len(STYLES)],
    }


def _open(axes: Axes) -> Figure:
    axes.spines[["top", "right"]].set_visible(False)
    figure = axes.get_figure(root=True)
    assert figure is not None  # the axes were made on a figure
    return figure
