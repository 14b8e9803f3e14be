"""The bank of this course: `autograder.authoring.bank` says what its files look like."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from nbformat import NotebookNode

from autograder.authoring import bank
from autograder.authoring.bank import ANSWER, Entry, grade_id, parse, solution, submission
from autograder.questions import load_checks
from autograder.spec import Check

__all__ = [
    "ANSWER",
    "EXERCISES",
    "Entry",
    "checks",
    "entries",
    "grade_id",
    "parse",
    "solution",
    "source",
    "submission",
]

EXERCISES = Path(__file__).parent


def source(assignment: str) -> NotebookNode:
    """An assignment's source notebook."""
    return bank.source(EXERCISES, assignment)


@cache
def checks(assignment: str) -> dict[str, Check]:
    """An assignment's checks, which keep what they have worked out for all who ask for them."""
    return load_checks(EXERCISES / "checks" / f"{assignment}.py")


def entries(assignment: str) -> list[Entry]:
    """All sample submissions of an assignment, with its solution and its untouched stub."""
    return bank.entries(EXERCISES, assignment)
