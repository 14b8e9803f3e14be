"""Finds what is wrong with a set as it is written down, before any answer is tried."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from math import isfinite
from typing import Any

from nbformat import NotebookNode

from autograder.cells import grade_id
from autograder.judging.rubric import Section
from autograder.nbgrader_internals import is_grade, is_locked, is_solution, is_task
from autograder.spec import AnswerCheck, Case, Check, FunctionCheck, Misconception, Mistake

HINT_NAME = re.compile(r"\w+(\+\w+)*")  # as a bank's file writes it, or several joined by +


def unmarkable(cells: Iterable[NotebookNode]) -> Iterator[str]:
    """Yields a sentence for each fault that keeps nbgrader from grading a notebook's cells.

    Args:
        cells: A source notebook's cells.
    """
    kinds = (is_grade, is_solution, is_locked, is_task)
    marked = [cell for cell in cells if any(is_kind(cell) for is_kind in kinds)]
    for name, times in Counter(map(grade_id, marked)).items():
        if not name:
            yield f"A cell that nbgrader is to know has no id, {times} of {len(marked)}."
        elif times > 1:
            yield f"{times} cells have the id {name!r}. Give each its own."
    for cell in marked:
        points = cell.metadata.nbgrader.get("points")
        if (is_grade(cell) or is_task(cell)) and not _is_number(points):
            said = "no points" if points is None else f"{points!r:.40} for points"
            yield f"The cell {grade_id(cell)!r} has {said}. Write a number, 0 or more."


def faults(checks: Iterable[Check]) -> Iterator[str]:
    """Yields a sentence for each thing about the checks that is not as `autograder.spec` says.

    Args:
        checks: An assignment's checks.
    """
    for check in checks:
        if not isinstance(check, Check):
            yield f"CHECKS has {_kind(check)} among the checks."
            continue
        for fault in list(_of_all(check)) or list(_of_kind(check)):
            yield f"{check.name}: {fault}"


def _of_all(check: Check) -> Iterator[str]:
    if not isinstance(check.parts, Mapping) or not check.parts:
        yield f"parts is {check.parts!r:.40}, not a dict of each part's points."
        return
    for part, points in check.parts.items():
        if not _is_number(points) or (not points and any(check.parts.values())):
            yield (
                f"The part {part!r} is worth {points!r:.40}. Write a number above 0, or 0 for all"
                " parts if the task is to count for nothing."
            )
    if not _is_text(check.expected):
        yield "expected is to say in words what was asked for."
    yield from _not_a_section(check.section, "Its")


def _of_kind(check: Check) -> Iterator[str]:
    if isinstance(check, AnswerCheck):
        if isinstance(check.answer, bool) or not isinstance(
            check.answer, int | float | str | list | dict
        ):
            what = repr(check.answer) if isinstance(check.answer, bool) else _kind(check.answer)
            yield (
                f"answer is {what}. Write a number, a text such as 'yes', or a list or dict of"
                " texts."
            )
        yield from _hinted(check.mistakes, "mistakes", Mistake)
    if not isinstance(check, FunctionCheck):
        return
    functions = ("reference", "tolerance", "facts", *(["random"] if check.random else []))
    for name in functions:
        if not callable(getattr(check, name)):
            yield f"{name} is {_kind(getattr(check, name))}, not a function."
    problem = _no_tuple(check.fixed, "fixed", Case)
    yield from problem
    for case in () if problem else check.fixed:
        yield from _of_case(check, case)
    yield from _hinted(check.misconceptions, "misconceptions", Misconception)
    for wrong in check.misconceptions if isinstance(check.misconceptions, tuple | list) else ():
        if isinstance(wrong, Misconception) and not callable(wrong.implementation):
            yield f"The implementation of {wrong.name!r} is no function."


def _of_case(check: FunctionCheck, case: Case) -> Iterator[str]:
    if not isinstance(case.args, tuple | list):
        yield (
            f"The arguments of the case {case.name!r} are {_kind(case.args)}, not a tuple. Is a"
            " comma missing, as in (x,)?"
        )
        return
    if case.part is not None and case.part not in check.parts:
        parts = ", ".join(map(repr, check.parts))
        yield f"The case {case.name!r} is of the part {case.part!r}, and there are {parts}."
    if check.observer is None and callable(check.reference):
        try:
            inspect.signature(check.reference).bind(*case.args, **case.kwargs)
        except TypeError as error:
            yield f"The case {case.name!r} does not fit the reference: {error}."
        except ValueError:  # a function that is not written in Python
            return


def _hinted(ways: Any, name: str, kind: type) -> Iterator[str]:
    """What is wrong with misconceptions or mistakes, a sentence each."""
    problem = _no_tuple(ways, name, kind)
    yield from problem
    for way in () if problem else ways:
        if not isinstance(way.name, str) or not HINT_NAME.fullmatch(way.name):
            yield f"{way.name!r:.60} is no name for a hint: letters, digits and _."
        if not _is_text(way.hint):
            yield f"{way.name!r:.60} has no hint in words."
        yield from _not_a_section(way.section, f"Of the hint {way.name!r:.60} the")


def _no_tuple(values: Any, name: str, kind: type) -> list[str]:
    if not isinstance(values, tuple | list):
        return [f"{name} is {_kind(values)}, not a tuple. Is a comma missing, as in (x,)?"]
    return [
        f"{name} has {_kind(value)} among the {kind.__name__}s."
        for value in values
        if not isinstance(value, kind)
    ][:1]


def _not_a_section(section: Any, whose: str) -> Iterator[str]:
    if not isinstance(section, Section) or not _is_text(section.title):
        yield f"{whose} section is {_kind(section)}, not a Section with number, title and page."


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_number(value: Any) -> bool:
    """Whether a value can be points: a finite number, 0 or more."""
    is_one = isinstance(value, int | float) and not isinstance(value, bool)
    return is_one and isfinite(value) and value >= 0


def _kind(value: Any) -> str:
    return "None" if value is None else f"a value of the type {type(value).__name__}"
