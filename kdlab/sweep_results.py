"""What a sweep found, and what can be concluded from it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from scipy.special import stdtrit  # quantiles of Student's t distribution

from kdlab.arguments import checked
from kdlab.files import write_atomically
from kdlab.records import read_record, to_json, with_numbers

__all__ = ["Interval", "SweepResults"]


class Interval(NamedTuple):
    """A mean and its 95% confidence interval, by Student's t.

    >>> str(Interval.of([1.0, 2.0, 3.0]))
    '2.000 ± 2.484'
    >>> Interval.of([0.1, 0.2, 0.3]).includes_zero
    True
    """

    mean: float  # of the values
    half_width: float  # of the interval; 0 if there is only one value, which gives no interval

    @classmethod
    def of(cls, values: Sequence[float]) -> Interval:
        """The interval of independent values; ValueError if there are none or one is not finite."""
        n = len(values)
        if n == 0:
            raise ValueError("an interval is of at least one value, got none")
        if not all(map(math.isfinite, values)):
            raise ValueError(f"an interval is of finite values, got {list(values)}")
        if n == 1:
            return cls(values[0], 0.0)
        error = statistics.stdev(values) / math.sqrt(n)
        return cls(statistics.fmean(values), float(stdtrit(n - 1, 0.975)) * error)

    @property
    def includes_zero(self) -> bool:
        """Whether 0 lies in the interval. If it does, a difference may be chance.

        With only one value, this tells nothing.
        """
        return abs(self.mean) <= self.half_width

    def __str__(self) -> str:
        return f"{self.mean:.3f} ± {self.half_width:.3f}"


@dataclass(frozen=True)
class SweepResults:
    """What a sweep found: each run's measurements and curve, and what made them.

    >>> runs = [{"arm": a, "seed": s, "final": {"perplexity": 8.0 + s + d}, "curve": {}}
    ...         for a, d in {"labels": 2.0, "both": 0.0}.items() for s in range(3)]
    >>> results = SweepResults("owls", runs=runs)
    >>> print(results.mean("labels", "perplexity"))
    11.000 ± 2.484
    >>> print(results.difference("both", "labels", "perplexity"))  # the seeds' part is gone
    -2.000 ± 0.000
    """

    name: str  # of the sweep
    command: str = ""  # the command that makes the results again
    machine: dict[str, Any] = field(default_factory=dict)  # the machine that made the runs
    versions: dict[str, str] = field(default_factory=dict)  # of the packages used by the runs
    arms: dict[str, Any] = field(default_factory=dict)  # each arm's specification
    runs: list[dict[str, Any]] = field(default_factory=list, repr=False)  # one per arm and seed

    @classmethod
    @checked
    def read(cls, path: str | Path) -> SweepResults:
        """The results that :meth:`write` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is damaged, or holds something else.
        """
        if not Path(path).exists():
            raise FileNotFoundError(
                f"there are no recorded results at {path}, seen from {Path.cwd()}. The book's "
                "pages read those of the repository: run their code in their own folder of a clone."
            )
        found = read_record(Path(path))
        try:
            return cls(**found | {"runs": [read_run(run) for run in found["runs"]]})
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"{path} holds no results of a sweep: {error}") from None

    @checked
    def write(self, path: str | Path) -> None:
        """Write a JSON file with a line for each run; measurements have five significant digits."""
        runs = ",\n  ".join(to_json(_rounded(run), ensure_ascii=False) for run in self.runs)
        head = {key: value for key, value in asdict(self).items() if key != "runs"}
        text = to_json(head, ensure_ascii=False, indent=1)
        write_atomically(Path(path), f'{text[:-2]},\n "runs": [\n  {runs}\n ]\n}}\n')

    def __str__(self) -> str:
        """The number of runs; their command, versions, machine and time, as far as known."""
        made_with = f", made with: {self.command}" if self.command else ""
        lines = [f"{len(self.runs)} runs{made_with}"]
        if self.versions:
            lines.append(", ".join(f"{name} {number}" for name, number in self.versions.items()))
        if machine := self.machine:
            minutes = sum(run["seconds"] for run in self.runs) / 60
            lines.append(
                f"{machine['gpu'] or machine['processor']}, {machine['cores']} cores: "
                f"{minutes:.0f} minutes of runs, {machine['runs_at_a_time']} at a time"
            )
        return "\n".join(lines)

    def of(self, arm: str) -> list[dict[str, Any]]:
        """The runs of an arm, in the order of their seeds.

        Raises:
            KeyError: there is no such arm.
        """
        found = [run for run in self.runs if run["arm"] == arm]
        if not found:
            raise KeyError(f"{self.name} has no arm {arm!r}, only {sorted(self.arms)}")
        return sorted(found, key=lambda run: run["seed"])

    def values(self, arm: str, measure: str) -> list[float]:
        """A measurement at the end of each run of an arm, in the order of the seeds."""
        return [run["final"][measure] for run in self.of(arm)]

    def mean(self, arm: str, measure: str) -> Interval:
        """The mean of a measurement over the seeds of an arm, with a 95% interval.

        Raises:
            ValueError: a run has None for it, as a run that had no teacher may.
        """
        return Interval.of(self._measured(arm, measure))

    def difference(self, arm: str, other: str, measure: str) -> Interval:
        """The mean of ``arm`` minus ``other``, paired seed by seed, with a 95% interval.

        Raises:
            ValueError: the two arms were run with different seeds, or a run has None for it.
        """
        self._check_paired(arm, other)
        pairs = zip(self._measured(arm, measure), self._measured(other, measure), strict=True)
        return Interval.of([a - b for a, b in pairs])

    def curve(
        self, arm: str, column: str, *, beside: str | None = None
    ) -> tuple[list[int], list[Interval]]:
        """The steps of the evaluations, and a column's mean over the seeds at each.

        With another arm as ``beside``, the means are of ``arm`` minus ``beside``, paired by seed.

        Raises:
            ValueError: the two arms were run with different seeds, or measured at different steps;
                or a run has None in the column, as one that had no teacher may.
        """
        curves = [run["curve"] for run in self.of(arm)]
        steps = curves[0]["step"]
        values = [_known(arm, column, curve[column]) for curve in curves]
        if beside is not None:
            self._check_paired(arm, beside)
            others = [run["curve"] for run in self.of(beside)]
            if [curve["step"] for curve in others] != [curve["step"] for curve in curves]:
                raise ValueError(f"{arm!r} and {beside!r} were not measured at the same steps")
            values = [
                [a - b for a, b in zip(mine, _known(beside, column, other[column]), strict=True)]
                for mine, other in zip(values, others, strict=True)
            ]
        return steps, [Interval.of(at) for at in zip(*values, strict=True)]

    def _measured(self, arm: str, measure: str) -> list[float]:
        return _known(arm, measure, self.values(arm, measure))

    def _check_paired(self, arm: str, other: str) -> None:
        """Raise ValueError unless two arms were run with the same seeds."""
        ours, theirs = ([run["seed"] for run in self.of(name)] for name in (arm, other))
        if ours != theirs:
            raise ValueError(
                f"{arm!r} has the seeds {ours} and {other!r} {theirs}: only runs of one seed pair"
            )


def _known(arm: str, name: str, values: list[float]) -> list[float]:
    """The values; ValueError if one of them is None."""
    if None in values:
        raise ValueError(
            f"the runs of {arm!r} have measured no {name}, at least not each time; had they a "
            "teacher?"
        )
    return values


def read_run(run: dict[str, Any]) -> dict[str, Any]:
    """A run's record as it was before it was written: only its measurements become numbers again.

    The other fields stay as they are, because an arm may be called Infinity.
    """
    numbers = ("final", "curve")
    return {key: with_numbers(part) if key in numbers else part for key, part in run.items()}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return value
