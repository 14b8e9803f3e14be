"""The bank of this course: `autograder.authoring.bank` says what its files look like."""

from __future__ import annotations

from pathlib import Path

from nbformat import NotebookNode

from autograder.authoring import bank
from autograder.authoring.bank import ANSWER, Entry, grade_id, parse, solution, submission

__all__ = [
    "ANSWER",
    "EXERCISES",
    "Entry",
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


def entries(assignment: str) -> list[Entry]:
    """All sample submissions of an assignment, with its solution and its untouched stub."""
    return bank.entries(EXERCISES, assignment)
