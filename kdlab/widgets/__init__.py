"""The book's widgets: each is one ES module, with a thin wrapper for Jupyter here.

The same modules run in the rendered book, without a kernel. A widget computes in the browser. Its
``numbers()`` computes the same table with kdlab, for tests and for readers without JavaScript.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
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
"""The rows of a table by name; each row has its numbers under the names of the columns."""


class Number(traitlets.Float[float, float]):
    """A finite number, because a browser is told about no other."""

    def validate(self, obj: Any, value: Any) -> float:
        number: float = super().validate(obj, value)
        if not math.isfinite(number):
            raise traitlets.TraitError(f"{self.name or 'an entry'} must be finite, got {number}")
        return number


class Probabilities(traitlets.List[float]):
    """A distribution: numbers of at least 0 that sum to 1."""

    def validate(self, obj: Any, value: Any) -> list[float]:
        values: list[float] = super().validate(obj, value) or []
        if not (values or self.metadata.get("optional")):
            raise traitlets.TraitError(f"{self.name} must be probabilities, got none")
        if values and (min(values) < 0 or abs(sum(values) - 1) > 1e-6):
            raise traitlets.TraitError(
                f"{self.name} must be probabilities that sum to 1, got {values}"
            )
        return values


class Peaks(traitlets.List[list[float]]):
    """The peaks of a mixture, each [weight, mean, width]: widths above 0, weights that sum to 1."""

    def validate(self, obj: Any, value: Any) -> list[list[float]]:
        peaks: list[list[float]] = super().validate(obj, value) or []
        weights = [weight for weight, _, _ in peaks]
        if min((min(weight, width) for weight, _, width in peaks), default=0) <= 0 or (
            abs(sum(weights) - 1) > 1e-6
        ):
            raise traitlets.TraitError(
                f"{self.name} must be peaks [weight, mean, width] with weights above 0 that sum to "
                f"1 and widths above 0, got {peaks}"
            )
        return peaks


class Run(traitlets.Dict):
    """A run as :func:`read_run` returns it."""

    def validate(self, obj: Any, value: Any) -> dict[str, Any]:
        run: dict[str, Any] = super().validate(obj, value) or {}
        lm, kd, gap = (run.get(name) for name in ("lm", "kd", "gap"))
        if not (
            are_finite(lm, kd)
            and (isinstance(gap, dict) and are_finite([0, *gap.values()]))
            and all(isinstance(step, str) and step.isdecimal() for step in gap)
            and isinstance(run.get("made_with"), str)
        ):
            raise traitlets.TraitError(
                f"{self.name} must be as read_run returns it: finite losses lm and kd, as many of "
                "each, finite gaps under the steps as text, and made_with in words"
            )
        return run


class Trained(traitlets.Dict):
    """Students as :func:`read_trained` returns them."""

    def validate(self, obj: Any, value: Any) -> dict[str, Any]:
        trained: dict[str, Any] = super().validate(obj, value) or {}
        steps, gap, told = (trained.get(name) for name in ("steps", "gap", "told"))
        if not (
            (isinstance(gap, dict) and isinstance(told, dict))
            and are_finite(steps, *gap.values())
            and gap.keys() == {"labels alone", *told}
            and are_finite([trained.get("least"), trained.get("most")])
            and isinstance(trained.get("made_with"), str)
        ):
            raise traitlets.TraitError(
                f"{self.name} must be as read_trained returns it: finite gaps of labels alone and "
                "of each schedule that is told, one at each of the steps, their least and most, "
                "and made_with in words"
            )
        return trained


class Misfit(traitlets.TraitError, ValueError):
    """A trait that does not fit the others."""


def probabilities(*values: float) -> Probabilities:
    return Probabilities(Number(), list(values)).tag(sync=True)


class Widget(anywidget.AnyWidget):
    """What all widgets share: style, presets, and a check that the traits fit together."""

    _css = HERE / "widgets.css"
    presets: dict[str, dict[str, Any]] = {}  # noqa: RUF012
    """The traits of each preset, under the name that ``preset=`` takes."""
    alike: tuple[str, ...] = ()
    """Names of the traits that must all have the same number of entries."""

    def __init__(self, preset: str | None = None, **traits: Any):
        unknown = [name for name in traits if name not in self.trait_names(sync=True)]
        if unknown:
            raise ValueError(f"{type(self).__name__} has no trait {', '.join(unknown)}")
        if preset is not None and preset not in self.presets:
            known = ", ".join(self.presets) or "none"
            raise ValueError(f"unknown preset {preset!r} of {type(self).__name__}; known: {known}")
        given = {} if preset is None else self.presets[preset]
        super().__init__(**{**given, **traits})

    def _fitting(self, proposal: Any) -> Any:
        """The value that a trait is about to get, if it fits those of the others."""
        name, value = proposal["trait"].name, proposal["value"]
        self._check(lambda other: value if other == name else getattr(self, other))
        return value

    def _check(self, new: Callable[[str], Any]) -> None:
        """Raise :class:`Misfit` if the traits' new values do not fit together."""
        lengths = {name: len(new(name)) for name in self.alike}
        if len(set(lengths.values())) > 1:
            raise Misfit(
                f"{type(self).__name__} needs as many of each, got "
                + ", ".join(f"{count} {name}" for name, count in lengths.items())
            )
        if self.alike and len(set(new("tokens"))) < len(new("tokens")):
            raise Misfit(f"tokens must differ, because each names a row; got {new('tokens')}")

    def numbers(self) -> Table:
        """The table that the widget shows for its current traits, computed by kdlab."""
        raise NotImplementedError


class SoftmaxTemperature(Widget):
    """Drag logits and a temperature; see the distribution that they give.

    Args:
        tokens: a name for each logit.
        logits: a number for each token; the sliders go from −6 to 6.
        temperature: T, from 0.1 to 10.
    """

    _esm = HERE / "softmax-temperature.js"
    alike = ("tokens", "logits")
    tokens = traitlets.List(traitlets.Unicode(), ["mat", "sofa", "roof", "moon"]).tag(sync=True)
    logits = traitlets.List(Number(), [3.0, 2.0, 0.5, -2.0]).tag(sync=True)
    temperature = Number(1.0, min=0.1, max=10.0).tag(sync=True)
    _fits = traitlets.validate("tokens", "logits")(Widget._fitting)

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

    If ``students`` are given, you first predict which of them has the smallest KL(p‖q), then reveal
    the divergences of all. The bars appear only then.

    Args:
        tokens: a name for each token.
        p: the teacher's distribution.
        q: the student's distribution. If ``teacher`` and ``students`` are given, p and q default to
            ``teacher``.
        teacher: the distribution that the students are compared with.
        students: the distribution of each student, by name; if empty, only the bars are shown.
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
    teacher = Probabilities(Number()).tag(sync=True, optional=True)
    students = traitlets.Dict(value_trait=Probabilities(Number())).tag(sync=True)
    picked = traitlets.Unicode().tag(sync=True)
    revealed = traitlets.Bool(False).tag(sync=True)
    _fits = traitlets.validate("tokens", "p", "q", "teacher", "students")(Widget._fitting)

    def __init__(self, preset: str | None = None, **traits: Any):
        students = "students" in {**self.presets.get(preset or "", {}), **traits}
        if students and "teacher" in traits:  # both sets of bars begin as the teacher
            traits = {"p": traits["teacher"], "q": traits["teacher"], **traits}
        super().__init__(preset, **traits)

    def _check(self, new: Callable[[str], Any]) -> None:
        super()._check(new)
        tokens, teacher = len(new("tokens")), len(new("teacher"))
        for name, student in new("students").items():
            if not len(student) == teacher == tokens:
                raise Misfit(
                    f"student {name!r} has {len(student)} entries, the teacher "
                    f"{teacher}, tokens {tokens}; give as many of each"
                )

    def numbers(self) -> Table:
        log_p, log_q = (torch.tensor(x, dtype=torch.float64).log() for x in (self.p, self.q))
        m = torch.logaddexp(log_p, log_q) - torch.tensor(2.0, dtype=torch.float64).log()
        forward = share(log_p, log_q)
        reverse = share(log_q, log_p)
        jsd = (share(log_p, m) + share(log_q, m)) / 2
        columns = (log_p.exp(), log_q.exp(), forward, reverse, jsd)
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
        """The table of the teacher and its students, as it is once revealed."""
        rows = {"teacher p": dict(zip(self.tokens, self.teacher, strict=True))}
        log_p = torch.tensor(self.teacher, dtype=torch.float64).log()
        for name, student in self.students.items():
            said = divergences(log_p, torch.tensor(student, dtype=torch.float64).log())
            rows[name] = dict(zip(self.tokens, student, strict=True)) | dict(
                zip(("KL(p‖q)", "KL(q‖p)", "JSD"), said, strict=True)
            )
        return rows


class ModeSeeking(Widget):
    """A student with one peak learns from a teacher with two, by forward KL, reverse KL or both.

    Args:
        teacher: the teacher's peaks, each [weight, mean, width]; the weights sum to 1.
        w: the weight of reverse KL, 0 to 1: the loss is (1 − w)·KL(p‖q) + w·KL(q‖p).
        mu: the student's mean at the start.
        sigma: the student's width at the start, at least 0.01; its slider begins at 0.2.
    """

    _esm = HERE / "mode-seeking.js"
    presets = {  # noqa: RUF012
        # The peaks are so far apart that a wide student settles between them, in a local minimum of
        # reverse KL.
        "far apart": {"teacher": [[0.6, -2.5, 0.7], [0.4, 2.5, 0.7]]},
    }
    teacher = Peaks(
        traitlets.List(Number(), minlen=3, maxlen=3), [[0.7, -2.0, 0.7], [0.3, 2.0, 0.7]]
    ).tag(sync=True)
    w = Number(0.0, min=0.0, max=1.0).tag(sync=True)
    mu = Number(1.0).tag(sync=True)
    sigma = Number(1.0, min=0.01).tag(sync=True)
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
    """Turn λ; see the distribution q* that minimises the combined objective.

    Args:
        tokens: a name for each token.
        p: the teacher's distribution.
        y: the label, as the index of a token, from 0.
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
    lam = Number(1.0, min=0.0, max=20.0).tag(sync=True)
    _fits = traitlets.validate("tokens", "p", "y")(Widget._fitting)

    def _check(self, new: Callable[[str], Any]) -> None:
        super()._check(new)
        y, tokens = new("y"), len(new("tokens"))
        if y >= tokens:
            raise Misfit(f"y must be below {tokens}, the number of tokens; got {y}")

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
        start: the first λ; for ``"warmup_stable_decay"`` the peak of λ, for ``"ratio"`` the share
            λ·KD / LM; above 0 for ``"exponential"``.
        end: the last λ; for ``"plateau"`` its minimum; ``"constant"`` and ``"ratio"`` ignore it;
            above 0 for ``"exponential"``.
        position: the number of steps taken, at most those of the run.
        run: a run as :func:`read_run` returns it; by default, one that comes with kdlab.
        trained: students trained with such schedules, as :func:`read_trained` returns them; by
            default, those that come with kdlab.
    """

    _esm = HERE / "schedule-player.js"
    schedule = traitlets.Enum(list(SCHEDULES), "linear").tag(sync=True)
    start = Number(1.0, min=0.0).tag(sync=True)
    end = Number(0.01, min=0.0).tag(sync=True)
    position = traitlets.Int(0, min=0).tag(sync=True)
    run = Run().tag(sync=True)

    @traitlets.default("run")
    def _recorded(self) -> Any:
        return json.loads((HERE / "recorded_run.json").read_text(encoding="utf8"))

    trained = Trained().tag(sync=True)

    @traitlets.default("trained")
    def _trained(self) -> Any:
        return json.loads((HERE / "trained_students.json").read_text(encoding="utf8"))

    _fits = traitlets.validate("schedule", "start", "end", "position", "run")(Widget._fitting)

    def _check(self, new: Callable[[str], Any]) -> None:
        position, steps = new("position"), len(new("run")["lm"])
        if position > steps:
            raise Misfit(f"position must be at most {steps}, the run's steps; got {position}")
        start, end = new("start"), new("end")
        if new("schedule") == "exponential" and not (start and end):
            raise Misfit(f"start and end must be above 0 for an exponential; got {start} and {end}")

    def options(self) -> dict[str, float | int]:
        """The options that :func:`kdlab.make_schedule` gets besides the name."""
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
        """λ after 0, 1, … steps of the run, computed by kdlab's schedule."""
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
"""The class of every widget, by the name of its ES module."""


def are_finite(*lists: Any) -> bool:
    """Whether they are lists of finite numbers, at least one in each, and as many in each."""
    return (
        all(isinstance(values, list) and values for values in lists)
        and len({len(values) for values in lists}) == 1
        and all(isinstance(x, int | float) and math.isfinite(x) for xs in lists for x in xs)
    )


def divergences(log_p: Tensor, log_q: Tensor) -> tuple[float, float, float]:
    """KL(p‖q), KL(q‖p) and JSD in nats, by kdlab."""
    forward, reverse = forward_kl(log_q, log_p), reverse_kl(log_q, log_p)
    return forward.item(), reverse.item(), jensen_shannon(log_q, log_p).item()


def share(log_a: Tensor, log_b: Tensor) -> Tensor:
    """What each token adds to KL(a‖b), in nats; 0 where a is 0."""
    a = log_a.exp()
    return torch.where(a == 0, 0.0, a * (log_a - log_b))


def log_bell(x: Tensor, mu: float, sigma: float) -> Tensor:
    """The log-probabilities of a bell curve on the grid x; the probabilities sum to 1."""
    return (-0.5 * ((x - mu) / sigma) ** 2).log_softmax(-1)


def entropy(p: Tensor) -> float:
    """The entropy of a distribution, in nats."""
    return float(torch.special.entr(p).sum())
