"""Things to play with: one ES module per widget, and here its thin wrapper for Jupyter.

The same modules run in the rendered book, without a kernel. All mathematics happens in the
browser; each widget's ``numbers()`` computes with kdlab what its table must show.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import anywidget
import torch
import traitlets
from torch import Tensor

from kdlab.divergences import forward_kl, jensen_shannon, reverse_kl
from kdlab.objective import CombinedObjective
from kdlab.schedules import SCHEDULES, make_schedule
from kdlab.widgets.recorded import read_run, read_trained

__all__ = [
    "WIDGETS",
    "KLExplorer",
    "LambdaMixer",
    "ModeSeeking",
    "SchedulePlayer",
    "SoftmaxTemperature",
    "read_run",
    "read_trained",
]

HERE = Path(__file__).parent

Table = dict[str, dict[str, float]]
"""Rows by name, each with its columns by name."""


class Probabilities(traitlets.List[float]):
    """A distribution: numbers of at least 0 that sum to 1."""

    def validate(self, obj: Any, value: Any) -> list[float]:
        values: list[float] = super().validate(obj, value) or []
        if min(values, default=-1) < 0 or abs(sum(values) - 1) > 1e-6:
            raise traitlets.TraitError(
                f"{self.name} must be probabilities that sum to 1, got {values}"
            )
        return values


def probabilities(*values: float) -> Probabilities:
    return Probabilities(traitlets.Float(), list(values)).tag(sync=True)


class Widget(anywidget.AnyWidget):
    """What all widgets share: their style, presets, and traits of matching lengths."""

    _css = HERE / "widgets.css"
    presets: dict[str, dict[str, Any]] = {}  # noqa: RUF012
    """Traits by the name that ``preset=`` takes."""
    alike: tuple[str, ...] = ()
    """Traits that have as many entries each."""

    def __init__(self, preset: str | None = None, **traits: Any):
        unknown = [name for name in traits if name not in self.trait_names(sync=True)]
        if unknown:
            raise ValueError(f"{type(self).__name__} has no trait {', '.join(unknown)}")
        if preset is not None and preset not in self.presets:
            known = ", ".join(self.presets) or "none"
            raise ValueError(f"unknown preset {preset!r} of {type(self).__name__}; known: {known}")
        given = {} if preset is None else self.presets[preset]
        super().__init__(**{**given, **traits})
        lengths = {name: len(getattr(self, name)) for name in self.alike}
        if len(set(lengths.values())) > 1:
            raise ValueError(
                f"{type(self).__name__} needs as many of each, got "
                + ", ".join(f"{count} {name}" for name, count in lengths.items())
            )

    def numbers(self) -> Table:
        """What the widget's table shows for the present traits, computed by kdlab."""
        raise NotImplementedError


class SoftmaxTemperature(Widget):
    """Drag logits and a temperature; see the distribution they make.

    Args:
        tokens: a name for each logit.
        logits: one number from −6 to 6 each.
        temperature: T, from 0.1 to 10.
    """

    _esm = HERE / "softmax-temperature.js"
    alike = ("tokens", "logits")
    tokens = traitlets.List(traitlets.Unicode(), ["mat", "sofa", "roof", "moon"]).tag(sync=True)
    logits = traitlets.List(traitlets.Float(), [3.0, 2.0, 0.5, -2.0]).tag(sync=True)
    temperature = traitlets.Float(1.0, min=0.1, max=10.0).tag(sync=True)

    def numbers(self) -> Table:
        logits = torch.tensor(self.logits, dtype=torch.float64)
        one, at = logits.softmax(-1), (logits / self.temperature).softmax(-1)
        rows = {
            token: {"logit": z, "at T = 1": a, "at T": b}
            for token, z, a, b in zip(
                self.tokens, self.logits, one.tolist(), at.tolist(), strict=True
            )
        }
        entropies = {"at T = 1": entropy(one), "at T": entropy(at)}
        return rows | {"entropy, nats": entropies}


class KLExplorer(Widget):
    """Drag the bars of p and q; see both KLs, JSD, and what each token adds to them.

    With students, they are compared with the teacher first: predict, then reveal.

    Args:
        tokens: a name for each token.
        p: the teacher's distribution.
        q: the student's.
        teacher: the distribution that the students are compared with.
        students: named distributions; empty for bars alone.
    """

    _esm = HERE / "kl-explorer.js"
    alike = ("tokens", "p", "q")
    presets = {  # noqa: RUF012
        "students": {
            "tokens": ["mat", "sofa", "moon"],
            "teacher": [0.8, 0.1, 0.1],
            "p": [0.8, 0.1, 0.1],
            "q": [0.8, 0.1, 0.1],
            "students": {
                "A": [0.8, 0.195, 0.005],
                "B": [0.6, 0.2, 0.2],
                "C": [0.9, 0.05, 0.05],
                "D": [0.4, 0.3, 0.3],
            },
        },
        "zero": {"tokens": ["mat", "sofa", "moon"], "p": [0.6, 0.3, 0.1], "q": [0.7, 0.3, 0.0]},
    }
    tokens = traitlets.List(traitlets.Unicode(), ["mat", "sofa", "roof", "moon"]).tag(sync=True)
    p = probabilities(0.45, 0.45, 0.05, 0.05)
    q = probabilities(0.85, 0.05, 0.05, 0.05)
    teacher = traitlets.List(traitlets.Float()).tag(sync=True)
    students = traitlets.Dict(value_trait=Probabilities(traitlets.Float())).tag(sync=True)
    picked = traitlets.Unicode().tag(sync=True)
    revealed = traitlets.Bool(False).tag(sync=True)

    def __init__(self, preset: str | None = None, **traits: Any):
        if "students" in traits and "teacher" in traits:  # the bars begin with the teacher
            traits = {"p": traits["teacher"], "q": traits["teacher"], **traits}
        super().__init__(preset, **traits)
        for name, student in self.students.items():
            if not len(student) == len(self.teacher) == len(self.tokens):
                raise ValueError(
                    f"student {name!r} has {len(student)} entries, the teacher "
                    f"{len(self.teacher)}, tokens {len(self.tokens)}; give as many of each"
                )

    def numbers(self) -> Table:
        log_p, log_q = (torch.tensor(x, dtype=torch.float64).log() for x in (self.p, self.q))
        m = torch.logaddexp(log_p, log_q) - torch.tensor(2.0, dtype=torch.float64).log()
        forward = share(log_p, log_q)
        reverse = share(log_q, log_p)
        jsd = (share(log_p, m) + share(log_q, m)) / 2
        columns = (torch.tensor(self.p), torch.tensor(self.q), forward, reverse, jsd)
        names = ("p", "q", "KL(p‖q)", "KL(q‖p)", "JSD")
        rows = {
            token: dict(zip(names, (float(column[i]) for column in columns), strict=True))
            for i, token in enumerate(self.tokens)
        }
        total = dict(
            zip(names, (sum(self.p), sum(self.q), *divergences(log_p, log_q)), strict=True)
        )
        return rows | {"sum": total}

    def scores(self) -> Table:
        """What the table of the students shows once it is revealed."""
        rows = {"teacher p": dict(zip(self.tokens, self.teacher, strict=True))}
        log_p = torch.tensor(self.teacher, dtype=torch.float64).log()
        for name, student in self.students.items():
            said = divergences(log_p, torch.tensor(student, dtype=torch.float64).log())
            rows[name] = dict(zip(self.tokens, student, strict=True)) | dict(
                zip(("KL(p‖q)", "KL(q‖p)", "JSD"), said, strict=True)
            )
        return rows


class ModeSeeking(Widget):
    """A student with one peak descends towards a teacher with two.

    Args:
        teacher: the teacher's peaks, each [weight, mean, width]; weights sum to 1.
        w: the weight of reverse KL, 0 to 1: the loss is (1 − w)·KL(p‖q) + w·KL(q‖p).
        mu: the student's mean, where it starts.
        sigma: its width where it starts, from 0.2.
    """

    _esm = HERE / "mode-seeking.js"
    presets = {  # noqa: RUF012
        # So far apart that a wide student settles between them: a local minimum of reverse KL.
        "far apart": {"teacher": [[0.6, -2.5, 0.7], [0.4, 2.5, 0.7]]},
    }
    teacher = traitlets.List(
        traitlets.List(traitlets.Float(), minlen=3, maxlen=3), [[0.7, -2.0, 0.7], [0.3, 2.0, 0.7]]
    ).tag(sync=True)
    w = traitlets.Float(0.0, min=0.0, max=1.0).tag(sync=True)
    mu = traitlets.Float(1.0).tag(sync=True)
    sigma = traitlets.Float(1.0, min=0.0).tag(sync=True)
    steps = traitlets.Int(0, min=0).tag(sync=True)

    def numbers(self) -> Table:
        x = torch.linspace(-6, 6, 121, dtype=torch.float64)
        bells = [math.log(weight) + log_bell(x, mu, sigma) for weight, mu, sigma in self.teacher]
        log_p = torch.logsumexp(torch.stack(bells), 0)
        forward, reverse, _ = divergences(log_p, log_bell(x, self.mu, self.sigma))
        row = {
            "KL(p‖q)": forward,
            "KL(q‖p)": reverse,
            "loss": (1 - self.w) * forward + self.w * reverse,
            "mean": self.mu,
            "width": self.sigma,
            "steps": self.steps,
        }
        return {"q": row}


class LambdaMixer(Widget):
    """Turn λ; see what the combined objective makes of label and teacher.

    Args:
        tokens: a name for each token.
        p: the teacher's distribution.
        y: the label, the index of a token, from 0.
        lam: λ, from 0 to 20.
    """

    _esm = HERE / "lambda-mixer.js"
    alike = ("tokens", "p")
    presets = {  # noqa: RUF012
        "wrong label": {"tokens": ["mat", "sofa", "moon"], "p": [0.7, 0.29, 0.01], "y": 2},
    }
    tokens = traitlets.List(traitlets.Unicode(), ["mat", "sofa", "moon"]).tag(sync=True)
    p = probabilities(0.6, 0.3, 0.1)
    y = traitlets.Int(1, min=0).tag(sync=True)
    lam = traitlets.Float(1.0, min=0.0, max=20.0).tag(sync=True)

    def __init__(self, preset: str | None = None, **traits: Any):
        super().__init__(preset, **traits)
        if self.y >= len(self.tokens):
            raise ValueError(
                f"y must be below {len(self.tokens)}, the number of tokens; got {self.y}"
            )

    def numbers(self) -> Table:
        onehot = [float(i == self.y) for i in range(len(self.p))]
        mixed = [(a + self.lam * b) / (1 + self.lam) for a, b in zip(onehot, self.p, strict=True)]
        columns = zip(self.tokens, onehot, self.p, mixed, strict=True)
        return {token: {"onehot(y)": a, "p": b, "q*": c} for token, a, b, c in columns}

    def losses(self) -> tuple[float, float, float]:
        """LM loss, KD loss and the combined loss at q*, in nats."""
        mixed = torch.tensor([row["q*"] for row in self.numbers().values()], dtype=torch.float64)
        teacher = torch.tensor(self.p, dtype=torch.float64).log()
        out = CombinedObjective(lam=self.lam)(mixed.log(), teacher, torch.tensor(self.y))
        assert out.kd_loss is not None  # there is a teacher
        return out.lm_loss.item(), out.kd_loss.item(), out.loss.item()


class SchedulePlayer(Widget):
    """Pick a schedule; see λ over a recorded run.

    Args:
        schedule: a name that :func:`kdlab.make_schedule` knows.
        start: λ where it starts; its peak, or for ``"ratio"`` λ·KD divided by LM.
        end: λ where it ends; for ``"plateau"`` its minimum.
        position: steps taken.
        run: what :func:`read_run` gave.
        trained: what :func:`read_trained` gave: students that such schedules made.
    """

    _esm = HERE / "schedule-player.js"
    schedule = traitlets.Enum(list(SCHEDULES), "linear").tag(sync=True)
    start = traitlets.Float(1.0, min=0.0).tag(sync=True)
    end = traitlets.Float(0.01, min=0.0).tag(sync=True)
    position = traitlets.Int(0, min=0).tag(sync=True)
    run = traitlets.Dict().tag(sync=True)

    @traitlets.default("run")
    def _recorded(self) -> Any:
        return json.loads((HERE / "recorded_run.json").read_text(encoding="utf8"))

    trained = traitlets.Dict().tag(sync=True)

    @traitlets.default("trained")
    def _trained(self) -> Any:
        return json.loads((HERE / "trained_students.json").read_text(encoding="utf8"))

    def options(self) -> dict[str, float | int]:
        """What :func:`kdlab.make_schedule` is given beside the name."""
        steps = len(self.run["lm"])
        warmup, stable = steps // 10, steps // 2
        planned = {"start": self.start, "end": self.end, "steps": steps}
        return {
            "constant": {"lam": self.start},
            "warmup_stable_decay": {
                "peak": self.start,
                "end": self.end,
                "warmup_steps": warmup,
                "stable_steps": stable,
                "decay_steps": steps - warmup - stable,
            },
            "plateau": {
                "start": self.start,
                "factor": 0.5,
                "patience": 1,
                "threshold": 0.01,
                "minimum": self.end,
            },
            "ratio": {"share": self.start, "momentum": 0.9, "start": 1.0, "maximum": 100.0},
        }.get(self.schedule, planned)

    def values(self) -> list[float]:
        """λ after 0, 1, … steps of the run, by kdlab's own schedule."""
        schedule = make_schedule(self.schedule, **self.options())
        values = [schedule.value]
        for step, losses in enumerate(zip(self.run["lm"], self.run["kd"], strict=True), start=1):
            gap = self.run["gap"].get(str(step))
            schedule.step({"gap": gap, "losses": losses}.get(schedule.watches or ""))
            values.append(schedule.value)
        return values

    def numbers(self) -> Table:
        values, steps = self.values(), len(self.run["lm"])
        quarters = {str(k * steps // 4): k * steps // 4 for k in range(5)}
        return {
            name: self._row(values, step)
            for name, step in {"now": self.position, **quarters}.items()
        }

    def _row(self, values: list[float], step: int) -> dict[str, float]:
        row = {"λ": values[step]}
        if step < len(self.run["lm"]):
            lm, kd = self.run["lm"][step], self.run["kd"][step]
            row |= {"LM": lm, "KD": kd, "λ·KD": values[step] * kd}
        measured = [int(key) for key in self.run["gap"] if int(key) <= step]
        return row | ({"gap": self.run["gap"][str(max(measured))]} if measured else {})


WIDGETS: dict[str, type[Widget]] = {
    "softmax-temperature": SoftmaxTemperature,
    "kl-explorer": KLExplorer,
    "mode-seeking": ModeSeeking,
    "lambda-mixer": LambdaMixer,
    "schedule-player": SchedulePlayer,
}
"""Every widget by the name of its module."""


def divergences(log_p: Tensor, log_q: Tensor) -> tuple[float, float, float]:
    """KL(p‖q), KL(q‖p) and JSD in nats, by kdlab."""
    forward, reverse = forward_kl(log_q, log_p), reverse_kl(log_q, log_p)
    return forward.item(), reverse.item(), jensen_shannon(log_q, log_p).item()


def share(log_a: Tensor, log_b: Tensor) -> Tensor:
    """What each token adds to KL(a‖b); where a is 0, nothing."""
    a = log_a.exp()
    return torch.where(a == 0, 0.0, a * (log_a - log_b))


def log_bell(x: Tensor, mu: float, sigma: float) -> Tensor:
    """The logarithm of a normal density at x, made to sum to 1."""
    return (-0.5 * ((x - mu) / sigma) ** 2).log_softmax(-1)


def entropy(p: Tensor) -> float:
    """In nats."""
    return float(torch.special.entr(p).sum())
