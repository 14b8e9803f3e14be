"""How an instructor declares an exercise.

An assignment's checks are a Python file with a tuple `CHECKS`. Each check says what is asked, which
inputs test it, what is right (a reference implementation or an answer), and which misconceptions to
recognise. The file stays with the instructor: from it come the public cases that ship with the
assignment, the questions that a student's code is asked when it is graded, and the rubric that
judges the answers.
"""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import torch

from autograder.evidence import Outcome, decode_outcome, encode, encode_outcome
from autograder.verdict import Expectation, Rubric, Section, WrongWay, rubric_to_data


@dataclass(frozen=True)
class Case:
    """One call of the student's function.

    Args:
        name: What it tests; shown to students when it is public.
        args: Positional arguments.
        kwargs: Keyword arguments.
        part: The part of the check that it belongs to; None for the first.
        public: Whether it ships with the assignment.
    """

    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    part: str | None = None
    public: bool = False


@dataclass(frozen=True)
class Misconception:
    """A wrong way that students are known to take.

    Args:
        name: A short identifier.
        hint: What went wrong and why; never the answer.
        section: Where the book explains it.
        implementation: The wrong way, with the signature of the student's function.
    """

    name: str
    hint: str
    section: Section
    implementation: Callable[..., Any]


@dataclass(frozen=True)
class Option:
    """One choice of a multiple-choice question.

    Args:
        key: What the student writes to choose it.
        hint: Why it is wrong; None for the right one.
        section: Where the book explains it.
    """

    key: str
    hint: str | None
    section: Section


def tolerance(case: Case) -> float:
    """The largest absolute error that the arithmetic of a case explains.

    A sum of n terms of size s, computed in a dtype of machine epsilon ε, is wrong by at most about
    n·s·ε. ε is float32's even for float64 inputs, because computing in float32 is a right way too;
    n is the length of the inputs' last axis and s their largest finite magnitude, at least 1. Four
    times that allows for the few rounded operations behind each term.
    """
    epsilon, scale, terms = float(np.finfo(np.float32).eps), 1.0, 1
    for value in (*case.args, *case.kwargs.values()):
        if isinstance(value, torch.Tensor) and value.is_floating_point() and value.numel():
            epsilon = max(epsilon, torch.finfo(value.dtype).eps)
            finite = value[value.isfinite()].abs()
            scale = max(scale, float(finite.max())) if finite.numel() else scale
            terms = max(terms, value.shape[-1] if value.ndim else 1)
    return 4 * terms * scale * epsilon


@dataclass(frozen=True)
class Check(ABC):
    """What all kinds of checks have.

    Args:
        name: The name in the notebook's `check(...)` line, and that cell's grade id.
        parts: Points of each part. Without its first part a check earns nothing, so that a constant
            that happens to fit an edge case is not worth points.
        expected: What was asked for, in words.
        section: Where the book teaches it.
    """

    name: str
    parts: Mapping[str, float]
    expected: str
    section: Section

    @property
    def points(self) -> float:
        """The points of all parts."""
        return float(sum(self.parts.values()))

    @abstractmethod
    def cases(self, rng: np.random.Generator | None = None) -> list[Case]:
        """The fixed cases, and random ones when a generator is given."""

    @abstractmethod
    def rubric(self, cases: list[Case]) -> Rubric:
        """What each case should come to, with the misconceptions."""

    @abstractmethod
    def public(self) -> tuple[list[Case], Rubric]:
        """The cases and the rubric that may ship with the assignment."""


@dataclass(frozen=True)
class FunctionCheck(Check):
    """A function that the student writes, judged by what it returns.

    Args:
        reference: The right way. Arguments come as in the case; compute in float64.
        fixed: Public and hidden cases.
        random: Makes cases of a generator, anew for every submission.
        misconceptions: The wrong ways to recognise.
        tolerance: The largest absolute difference allowed in a case.
    """

    reference: Callable[..., Any]
    fixed: tuple[Case, ...]
    random: Callable[[np.random.Generator], Iterable[Case]] | None = None
    misconceptions: tuple[Misconception, ...] = ()
    tolerance: Callable[[Case], float] = tolerance

    def cases(self, rng: np.random.Generator | None = None) -> list[Case]:
        random = self.random(rng) if self.random and rng is not None else ()
        return [*self.fixed, *random]

    def rubric(self, cases: list[Case]) -> Rubric:
        return Rubric(
            check=self.name,
            parts=dict(self.parts),
            expected=self.expected,
            section=self.section,
            expectations=tuple(
                Expectation(
                    case=case.name,
                    part=case.part or next(iter(self.parts)),
                    public=case.public,
                    outcome=run(self.reference, case),
                    tolerance=self.tolerance(case),
                )
                for case in cases
            ),
            wrong_ways=tuple(
                WrongWay(
                    name=wrong.name,
                    hint=wrong.hint,
                    section=wrong.section,
                    outcomes=tuple(run(wrong.implementation, case) for case in cases),
                )
                for wrong in self.misconceptions
            ),
        )

    def public(self) -> tuple[list[Case], Rubric]:
        cases = [case for case in self.fixed if case.public]
        return cases, self.rubric(cases)


@dataclass(frozen=True)
class ChoiceCheck(Check):
    """A multiple-choice question, answered with one option's key.

    Args:
        options: All options; the only one without a hint is right.
    """

    options: tuple[Option, ...]

    def __post_init__(self) -> None:
        if sum(option.hint is None for option in self.options) != 1:
            raise ValueError(f"{self.name}: one option, the answer, must have no hint.")
        if len(self.parts) != 1:
            raise ValueError(f"{self.name}: a choice has one part, not {len(self.parts)}.")

    def cases(self, rng: np.random.Generator | None = None) -> list[Case]:
        return [Case("your answer", ())]

    def rubric(self, cases: list[Case]) -> Rubric:
        (answer,) = (option.key for option in self.options if option.hint is None)
        return self._rubric(
            Outcome("returned", answer),
            tuple(
                WrongWay(
                    name=f"chose_{option.key}",
                    hint=option.hint,
                    section=option.section,
                    outcomes=(Outcome("returned", option.key),),
                )
                for option in self.options
                if option.hint is not None
            ),
        )

    def public(self) -> tuple[list[Case], Rubric]:
        return self.cases(), self._rubric(None, ())

    def _rubric(self, outcome: Outcome | None, wrong_ways: tuple[WrongWay, ...]) -> Rubric:
        (part,) = self.parts
        return Rubric(
            check=self.name,
            parts=dict(self.parts),
            expected=self.expected,
            section=self.section,
            expectations=(Expectation("your answer", part, public=True, outcome=outcome),),
            wrong_ways=wrong_ways,
            allowed=tuple(option.key for option in self.options),
        )


def run(function: Callable[..., Any], case: Case) -> Outcome:
    """What a function of ours comes to on a case, passed through the encoding as evidence is."""
    arguments = [_copy(value) for value in case.args]
    keywords = {name: _copy(value) for name, value in case.kwargs.items()}
    try:
        outcome = Outcome("returned", function(*arguments, **keywords))
    except Exception as error:
        outcome = Outcome("raised", type=type(error).__name__, message=str(error))
    return decode_outcome(encode_outcome(outcome))


def _copy(value: Any) -> Any:
    return value.clone() if isinstance(value, torch.Tensor) else value


def question(check: Check, cases: list[Case]) -> list[dict[str, Any]]:
    """The cases as data, for the process that runs the student's code; no names, no answers.

    A case of a choice has no arguments: what is handed to `check` is itself the answer.
    """
    if isinstance(check, ChoiceCheck):
        return [{} for _ in cases]
    return [
        {"args": encode(list(case.args)), "kwargs": encode(dict(case.kwargs))} for case in cases
    ]


def generator(seed: int, check: Check) -> np.random.Generator:
    """The random numbers of one check in one submission, whatever the other checks draw."""
    return np.random.default_rng([seed, crc32(check.name.encode())])


def public_data(checks: Iterable[Check]) -> dict[str, Any]:
    """What ships beside the notebook: the public cases with what they should come to."""
    data = {}
    for check in checks:
        cases, rubric = check.public()
        data[check.name] = {"cases": question(check, cases), "rubric": rubric_to_data(rubric)}
    return data


def load_checks(path: Path) -> dict[str, Check]:
    """Loads an assignment's checks.

    Args:
        path: A Python file with a tuple `CHECKS`.

    Returns:
        The checks by name, in their order.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When two checks have one name.
    """
    if not path.is_file():
        raise FileNotFoundError(f"No checks at {path}. Each assignment needs checks/<name>.py.")
    spec = importlib.util.spec_from_file_location(f"checks_of_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    checks = {check.name: check for check in module.CHECKS}
    if len(checks) != len(module.CHECKS):
        raise ValueError(f"{path}: two checks have the same name.")
    return checks
