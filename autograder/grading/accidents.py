"""Why a graded cell found no answer, from what the student can see in the notebook.

A bracket that is not closed, a stub left over, a misspelt name: each ends with a name that the
graded cell asks for and nobody defined. The words are made of the notebook's own source. What a
kernel says of an error only chooses among them: a class that Python has, a line that the cell has,
a name that stands in the cell.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from nbformat import NotebookNode

from autograder.check import CHECK_LINE

ANSWER = "_answer"  # a task's answer cell is named after the task
DEFINED = re.compile(
    r"^(?:async +def|def|class) +(\w+)|^(\w+)(?: *:[^=\n]*)? *=(?!=)", re.MULTILINE
)
STUB = re.compile(r"^raise NotImplementedError\b", re.MULTILINE)
NOT_DEFINED = re.compile(r"name '(\w+)' is not defined")
LINE = re.compile(r"\bline (\d+)\)?$")
EXITS = re.compile(r"\b(?:exit|quit)\s*\(|\bos\._exit\b")
MAX_SOURCE = 20_000  # characters of a cell that are looked at


class Error(NamedTuple):
    """What a kernel said of a cell that failed; not to be believed.

    Args:
        name: The exception's class.
        message: Its message.
    """

    name: str
    message: str


def why_missing(cells: Sequence[NotebookNode], index: int, errors: Mapping[int, Error]) -> str:
    """Says why the name that a graded cell asks for is not defined.

    Args:
        cells: The notebook's cells.
        index: The graded cell.
        errors: By cell, what the kernel said of those that failed.
    """
    asks = CHECK_LINE.match(cells[index].source.strip())
    if asks is None:
        return "A name that this cell needs was never defined. Did an earlier cell fail?"
    task, name = asks.groups()
    answer = _answer_cell(cells, index, task)
    if answer is None:
        return f"`{name}` is not defined, and there is no cell before that could define it."
    source = cells[answer].source[:MAX_SOURCE]
    if answer in errors:
        return _failed(source, name, errors[answer], cells)
    here = _defined(source)
    if here and name not in here:
        (close, *_) = [*get_close_matches(name, here, 1, 0.0), here[-1]]
        return f"The cell of this task defines `{close}`, and the check asks for `{name}`."
    asked_elsewhere = {
        found[2]
        for cell in cells
        if cell.cell_type == "code" and (found := CHECK_LINE.match(cell.source.strip()))
    }
    others = {
        other
        for cell in cells
        if cell.cell_type == "code"
        for other in _defined(cell.source[:MAX_SOURCE])
    }
    if near := _near(name, others - asked_elsewhere):
        return f"Your notebook defines `{near}`, and the check asks for `{name}`."
    if name in here:
        return f"The cell of this task defines `{name}`, and it was gone when the check ran."
    return f"`{name}` is not defined: no cell of the notebook sets it."


def where(cell: NotebookNode, index: int) -> str:
    """A cell in words, and what in it may have ended Python."""
    name = cell.metadata.get("nbgrader", {}).get("grade_id", "")
    place = f"the cell `{name}`" if name else f"cell {index + 1} of the notebook"
    if EXITS.search(cell.source[:MAX_SOURCE]):
        return f"{place}, which calls exit() or quit(),"
    return place


def _answer_cell(cells: Sequence[NotebookNode], index: int, task: str) -> int | None:
    before = [i for i in range(index) if cells[i].cell_type == "code"]
    for i in before:
        if cells[i].metadata.get("nbgrader", {}).get("grade_id") == f"{task}{ANSWER}":
            return i
    return before[-1] if before else None


def _failed(source: str, name: str, error: Error, cells: Sequence[NotebookNode]) -> str:
    """Words for an answer cell that did not run to its end."""
    kind = getattr(builtins, error.name, None)
    if not (isinstance(kind, type) and issubclass(kind, BaseException)):
        return f"The cell of this task stopped with an exception before it defined `{name}`."
    if issubclass(kind, SyntaxError):
        article = "an" if error.name[0] in "AEIOU" else "a"
        return (
            f"The cell of this task could not be run, so `{name}` was never defined: it has"
            f" {article} {error.name}{_line(source, error.message)}."
        )
    if kind is NotImplementedError:
        stub = STUB.search(source)
        written = [
            line
            for line in source[: stub.start() if stub else None].splitlines()
            if line.strip() and not line.lstrip().startswith(("#", '"""'))
        ]
        if not written:
            return f"This task has not been written yet: its cell defines no `{name}`."
        return (
            "The cell of this task stopped at `raise NotImplementedError`, which is left over from"
            f" the notebook, and `{name}` was not defined before it."
        )
    if kind is NameError and (found := NOT_DEFINED.search(error.message)):
        unknown = found[1]
        if re.search(rf"\b{re.escape(unknown)}\b", source):
            words = f"The cell of this task stopped: `{unknown}` is not defined"
            if re.search(rf"^{re.escape(name)} *= *{re.escape(unknown)}\s*$", source, re.MULTILINE):
                return f'{words}. If you mean the text, write it in quotes: {name} = "{unknown}".'
            others = {other for cell in cells for other in _defined(cell.source[:MAX_SOURCE])}
            near = _near(unknown, others - {unknown})
            return f"{words}{f'; did you mean `{near}`?' if near else '.'}"
    return f"The cell of this task stopped with {error.name} before it defined `{name}`."


def _line(source: str, message: str) -> str:
    found = LINE.search(message)
    number = int(found[1][:6]) if found else 0
    return f" in line {number}" if 1 <= number <= source.count("\n") + 1 else ""


def _defined(source: str) -> list[str]:
    """Names that a cell gives something to, at its left margin."""
    return [a or b for a, b in DEFINED.findall(source)]


def _near(name: str, others: set[str]) -> str | None:
    """The name that was probably meant."""
    lower = {other.lower(): other for other in sorted(others)}
    near = get_close_matches(name.lower(), lower, 1, 0.75)
    return lower[near[0]] if near else None
