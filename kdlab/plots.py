"""The course's figures, one function each. All return the matplotlib figure."""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from kdlab.trainer import History

__all__ = ["training_curves"]

# Okabe and Ito's colours, which people who see few colours can tell apart; line styles differ too.
LM, KD, LOSS, LAMBDA = "#0072B2", "#D55E00", "#000000", "#009E73"


def training_curves(history: History, *, title: str = "Both losses fall together") -> Figure:
    """The two losses and λ over a run.

    Args:
        history: of a run with a teacher.
        title: the figure's message.

    Returns:
        A figure of two panels: losses in nats per position, and λ.

    Raises:
        ValueError: the run had no teacher.
    """
    kd_loss = history.column("kd_loss")
    if None in kd_loss:
        raise ValueError("this run had no teacher: there is no KD loss to draw")
    step = history.column("step")
    figure, (losses, lam) = plt.subplots(
        2, 1, figsize=(7, 4.5), sharex=True, height_ratios=[3, 1], layout="constrained"
    )
    losses.plot(step, history.column("lm_loss"), color=LM, label="LM loss (labels)")
    losses.plot(step, kd_loss, color=KD, linestyle="--", label="KD loss (teacher)")
    losses.set(ylabel="nats per token", ylim=(0, None), title=title)
    losses.legend(frameon=False)
    lam.plot(step, history.column("lam"), color=LAMBDA, linestyle="-.")
    lam.set(ylabel="λ", xlabel="optimiser step", ylim=(0, None))
    for axes in (losses, lam):
        axes.spines[["top", "right"]].set_visible(False)
    return figure
