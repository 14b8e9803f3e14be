"""How an instructor declares an exercise.

An assignment's checks are a Python file with a tuple `CHECKS`. Each check says what is asked, which
inputs test it, what is right (a reference implementation or an answer), and which misconceptions to
recognise. The file stays with the instructor. `autograder.questions` makes from it the public cases
that ship with the assignment, and the questions that a student's code is asked when it is graded.
Each check makes its own rubric, by which the answers are judged.
"""

from __future__ import annotations

import inspect
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from autograder.judging.evidence import decode, decode_outcome
from autograder.judging.rubric import Column, Expectation, Rubric, Section, WrongWay
from autograder.kernel.asking import perform
from autograder.kernel.evidence import Outcome, encode, encode_outcome
from autograder.settings import load_settings


@dataclass(frozen=True)
class Call:
    """One step of a case that goes on with the object that the student's class made.

    Args:
        name: The attribute to call; in a kept step, one that is not callable is read. None makes a
            new object of the student's class and goes on with it; if `given` is set, None goes on
            with the result of that step.
        args: Positional arguments.
        kept: Whether the result of this step is part of what is judged.
        given: The step, counted from 0, whose result is the only argument, instead of `args`.
        kwargs: Keyword arguments of a new object; None for those of the case.
    """

    name: str | None
    args: tuple[Any, ...] = ()
    kept: bool = True
    given: int | None = None
    kwargs: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Case:
    """One call of the student's function, or an object made by it and a sequence of calls.

    Args:
        name: What it tests; shown to students when it is public.
        args: Positional arguments.
        kwargs: Keyword arguments.
        part: The part of the check that it belongs to; None for the first.
        public: Whether it ships with the assignment.
        calls: What to do with the object that the first call made. The result of the case is then
            the list of the kept steps' results. A step that makes a new object uses the case's
            keyword arguments, unless it has its own.
        unit: What the first axis of the result counts, such as "step"; empty to leave that unsaid.
        again: Whether the function is called twice with the same tensors, and only the second
            result is judged.
        only: In words, the only difference from the public case before, where the difference is
            less than a whole argument: "what the logits say where a label is -100".
    """

    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    part: str | None = None
    public: bool = False
    calls: tuple[Call, ...] = ()
    unit: str = ""
    again: bool = False
    only: str = ""


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
class Observer:
    """Code that calls the student's function and looks at what the function did.

    The observer is sent with the question and executed when the question is asked, in a namespace
    of its own; no cell of the notebook can reach or replace it. Let it return numbers that only
    right code produces, never a number whose right value is plain from the question.

    Args:
        source: Source of a Python module; it stands alone and holds no answer.
        function: The name of a function in `source`. For each case it is called with the student's
            function before the case's arguments, and its result is judged.
    """

    source: str
    function: str

    @classmethod
    def read(cls, path: Path, function: str) -> Observer:
        """Reads an observer's source from a file."""
        return cls(path.read_text(encoding="utf-8"), function)


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


@dataclass(frozen=True)
class Mistake:
    """A wrong answer.

    Args:
        name: A short identifier.
        answer: The wrong answer.
        hint: Why it is wrong; never the right answer.
        section: Where the book explains it.
    """

    name: str
    answer: Any
    hint: str
    section: Section


EPSILON = {name: float(np.finfo(name).eps) for name in ("float16", "float32", "float64")}
EPSILON["bfloat16"] = 2.0**-7


def tolerance(case: Case) -> float:
    """The largest absolute error that the arithmetic of a case explains.

    A sum of n terms of size s, computed in a dtype of machine epsilon ε, is wrong by at most about
    n·s·ε. Of the inputs, n is the longest last axis, s the largest finite magnitude, at least 1,
    and ε the largest epsilon, at least float32's, because computing in float32 is a right way too.
    Four times n·s·ε allows for the few rounded operations behind each term.
    """
    epsilon, scale, terms = EPSILON["float32"], 1.0, 1
    for value in (*case.args, *case.kwargs.values()):
        data = encode(value) if hasattr(value, "dtype") else None
        if data is None or data["array"][0] not in EPSILON:
            continue
        epsilon = max(epsilon, EPSILON[data["array"][0]])
        array = decode(data)
        finite = np.abs(array[np.isfinite(array)])
        scale = max(scale, float(finite.max())) if finite.size else scale
        terms = max(terms, array.shape[-1] if array.ndim else 1)
    return 4 * terms * scale * epsilon


@dataclass(frozen=True)
class Check(ABC):
    """What all kinds of checks have.

    Args:
        name: The name in the notebook's `check(...)` line, and that cell's grade id.
        parts: Points of each part. Without its first part a check earns nothing, so that a constant
            that happens to fit an edge case is not worth points. With 0 for all parts, the task
            counts for nothing; use this for a task that turns out faulty after grading.
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
        """The rubric of `cases`: what each should come to, and the misconceptions."""

    @abstractmethod
    def public(self) -> tuple[list[Case], Rubric]:
        """The cases and the rubric that may ship with the assignment."""


@dataclass(frozen=True)
class FunctionCheck(Check):
    """A function that the student writes, judged by what it returns or by what an observer sees.

    Args:
        reference: Returns the right result for a case's arguments (with an observer, what that
            should return); compute in float64.
        fixed: Public and hidden cases.
        random: Makes new cases for every submission, from its random generator.
        misconceptions: The wrong ways to recognise.
        tolerance: Returns the largest absolute difference allowed in a case.
        names: What the parts of a result are called, where it has two or more.
        uses: By name, right versions of functions of earlier tasks that the answer may call. Where
            the student's own version lost points, the answer is also judged with the right one.
            The source of each is run by itself, with `torch` and `F` and nothing else of this file.
        observer: Is called in place of the student's function, to look at what that does.
        facts: Returns what holds for a public case, by a name that fits a sentence. A fact is a
            number by which a wrong result may be off; True or False; or a region of the result, as
            nested lists of True and False. If no misconception explains a wrong answer, the
            student is told which fact fits it (`autograder.judging.observation`).
        logarithm: Where a result is the exponential of something, a sentence that says of what.
            Factors and offsets are then looked for in the result's logarithm.

    At the end, the first public case is asked again: the function is called twice with the same
    tensors, and the second result is judged. So what a function keeps between its calls, or leaves
    behind in its arguments, must not change its result.
    """

    reference: Callable[..., Any]
    fixed: tuple[Case, ...]
    random: Callable[[np.random.Generator], Iterable[Case]] | None = None
    misconceptions: tuple[Misconception, ...] = ()
    tolerance: Callable[[Case], float] = tolerance
    names: tuple[str, ...] = ()
    uses: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    observer: Observer | None = None
    facts: Callable[[Case], Mapping[str, Any]] = lambda case: {}
    logarithm: str = ""
    _known: dict[tuple[int, Callable], Outcome] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _columns: dict[int, Column] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.observer and any(case.calls for case in self.fixed):
            raise ValueError(f"{self.name}: a case has calls or the check an observer, not both.")

    def cases(self, rng: np.random.Generator | None = None) -> list[Case]:
        random = self.random(rng) if self.random and rng is not None else ()
        return [*self.fixed, *random, *self._again]

    @cached_property
    def _again(self) -> tuple[Case, ...]:
        first = next((case for case in self.fixed if case.public), None)
        return (replace(first, name=f"{first.name}, asked again", again=True),) if first else ()

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
                    outcome=self._outcome(self.reference, case),
                    tolerance=self.tolerance(case),
                    again=self._first(cases) if case.again else None,
                    unit=case.unit,
                    facts=dict(self.facts(case)) if case.public and not case.again else {},
                    twins=self._twins(cases, place),
                )
                for place, case in enumerate(cases)
            ),
            wrong_ways=tuple(
                WrongWay(each.name, each.hint, each.section, _Outcomes(self, each, cases))
                for each in self.misconceptions
            ),
            names=self.names,
            uses=tuple(self.uses),
            logarithm=self.logarithm,
        ).keep(tuple(map(self._column, cases)))

    def public(self) -> tuple[list[Case], Rubric]:
        cases = [case for case in (*self.fixed, *self._again) if case.public]
        return cases, self.rubric(cases)

    def _twins(self, cases: list[Case], place: int) -> tuple[tuple[int, str], ...]:
        """Earlier public cases, by place, that differ from this one in one thing, and its name."""
        case = cases[place]
        before = [at for at in range(place) if cases[at].public]
        if not case.public or case.again or not before:
            return ()
        if case.only:
            return ((before[-1], case.only),)
        if self.observer:  # a case's arguments are not those of the student's function then
            return ()
        own, found = self._arguments(case), []
        for at in before:
            other = self._arguments(cases[at])
            differing = [n for n in own | other if own.get(n) != other.get(n)]
            if len(differing) == 1 and not cases[at].only:
                found.append((at, f"`{differing[0]}`"))
        return tuple(found)

    def _arguments(self, case: Case) -> dict[str, Any]:
        """A case's arguments by name as data, and its calls."""
        names = list(inspect.signature(self.reference).parameters)
        named = dict(zip(names, case.args, strict=False)) | dict(case.kwargs)
        calls = [call_to_data(call) for call in case.calls]
        return {name: encode(value) for name, value in named.items()} | {"the calls": calls}

    def _first(self, cases: Sequence[Case]) -> int:
        return next(index for index, case in enumerate(cases) if case.public)

    def _outcome(self, function: Callable[..., Any], case: Case) -> Outcome:
        """The outcome of a function of ours on a case; on fixed cases it is run only once."""
        place = self._places.get(id(case))
        if place is None:
            return run(function, case)
        key = place, function
        if key not in self._known:
            self._known[key] = run(function, case)
        return self._known[key]

    def _column(self, case: Case) -> Column:
        """The column of a case; the column of a fixed case is shared by all of the rubrics."""
        place = self._places.get(id(case))
        if place is None:
            return Column(len(self.misconceptions))
        return self._columns.setdefault(place, Column(len(self.misconceptions)))

    @cached_property
    def _places(self) -> dict[int, int]:
        """The place of each fixed case, by id; the case asked again has that of its original."""
        fixed = {id(case): place for place, case in enumerate(self.fixed)}
        return fixed | {id(case): self._first(self.fixed) for case in self._again}


class _Outcomes(Sequence[Outcome]):
    """The outcomes of a misconception in all cases; each is worked out when it is first needed.

    There are dozens of misconceptions and cases, and judging a right answer needs no such outcome.
    """

    def __init__(self, check: FunctionCheck, wrong: Misconception, cases: list[Case]):
        self._check, self._function, self._cases = check, wrong.implementation, cases
        self._known: dict[int, Outcome] = {}

    def __len__(self) -> int:
        return len(self._cases)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return tuple(self[each] for each in range(*index.indices(len(self))))
        case = self._cases[index]
        if index not in self._known:
            self._known[index] = self._check._outcome(self._function, case)
        return self._known[index]


@dataclass(frozen=True)
class AnswerCheck(Check):
    """A question whose answer is a value: a number, a ranking, a matching.

    Args:
        answer: The right answer: a number, a string, or a list or dict of strings.
        mistakes: Wrong answers with hints. Unless the answer is a number, only the right answer
            and these are well formed.
        tolerance: The largest absolute difference from `answer` that is allowed, for a number.
    """

    answer: Any
    mistakes: tuple[Mistake, ...]
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        if len(self.parts) != 1:
            raise ValueError(f"{self.name}: an answer has one part, not {len(self.parts)}.")
        if any(mistake.answer == self.answer for mistake in self.mistakes):
            raise ValueError(f"{self.name}: the right answer is among the mistakes.")

    def cases(self, rng: np.random.Generator | None = None) -> list[Case]:
        return [Case("your answer", ())]

    def rubric(self, cases: list[Case]) -> Rubric:
        return self._rubric(
            Outcome("returned", self.answer),
            tuple(
                WrongWay(each.name, each.hint, each.section, (Outcome("returned", each.answer),))
                for each in self.mistakes
            ),
        )

    def public(self) -> tuple[list[Case], Rubric]:
        return self.cases(), self._rubric(None, ())

    def _rubric(self, outcome: Outcome | None, wrong_ways: tuple[WrongWay, ...]) -> Rubric:
        (part,) = self.parts
        numeric = isinstance(self.answer, int | float)
        answers = [self.answer, *(mistake.answer for mistake in self.mistakes)]
        return Rubric(
            check=self.name,
            parts=dict(self.parts),
            expected=self.expected,
            section=self.section,
            expectations=(
                Expectation("your answer", part, True, outcome, tolerance=self.tolerance),
            ),
            wrong_ways=wrong_ways,
            allowed=() if numeric else tuple(sorted(answers, key=repr)),
            numeric=numeric,
        )


def choice(
    name: str,
    parts: Mapping[str, float],
    expected: str,
    section: Section,
    options: tuple[Option, ...],
) -> AnswerCheck:
    """A multiple-choice question, answered with one option's key.

    Args:
        name: The check's name.
        parts: Its one part and the points.
        expected: What was asked for, in words.
        section: Where the book teaches it.
        options: All options; the only one without a hint is right.

    Raises:
        ValueError: When not exactly one option is right.
    """
    right = [option.key for option in options if option.hint is None]
    if len(right) != 1:
        raise ValueError(f"{name}: one option, the answer, must have no hint.")
    return AnswerCheck(
        name,
        parts,
        expected,
        section,
        answer=right[0],
        mistakes=tuple(
            Mistake(f"chose_{option.key}", option.key, option.hint, option.section)
            for option in options
            if option.hint is not None
        ),
    )


def run(function: Callable[..., Any], case: Case) -> Outcome:
    """The outcome of a function of ours on a case, encoded and decoded as evidence is."""
    arguments, keywords = _copied(list(case.args)), _copied(dict(case.kwargs))
    calls = [call_to_data(call, lambda value: value) for call in case.calls]
    return decode_outcome(encode_outcome(perform(function, arguments, keywords, calls)))


def _copied(value: Any) -> Any:
    """A deep copy of what a case may hold; tensors are cloned, which takes a tenth of the time."""
    if isinstance(value, list | tuple):
        return type(value)(map(_copied, value))
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return value.detach().clone() if hasattr(value, "detach") else deepcopy(value)


def call_to_data(call: Call, encoded: Callable[[Any], Any] = encode) -> dict[str, Any]:
    """A step of a case as data, its arguments through `encoded`."""
    return {
        "name": call.name,
        "args": encoded(list(call.args)),
        "kept": call.kept,
        "given": call.given,
        "kwargs": encoded(None if call.kwargs is None else dict(call.kwargs)),
    }


def load_sections(path: Path) -> dict[str, Section]:
    """Loads the sections of the book, by number.

    Args:
        path: A JSON file with "sections": by number, [title, page]. The book's address comes from
            the course.toml in the parent of this file's folder.
    """
    data = json.loads(path.read_text(encoding="utf-8"))
    book = load_settings(path.resolve().parents[1]).book
    return {
        number: Section(number, title, f"{book}/{page}")
        for number, (title, page) in data["sections"].items()
    }
