"""Reads a notebook's cells by their nbgrader metadata, which is called their marks here."""

from __future__ import annotations

from typing import Any

from nbformat import NotebookNode

from autograder.check import CHECK_LINE
from autograder.nbgrader_internals import compute_checksum, is_grade, is_solution

ANSWER = "_answer"  # the id of a task's answer cell is the task's name and this
OF_GRADER = "autograder"  # a metadata key of the grader's own cells; no student's cell keeps it
VERDICT_MIME = "application/vnd.autograder.verdict+json"  # in the one output of a judged cell


def grade_id(cell: NotebookNode) -> str:
    """The name by which nbgrader knows a cell; empty if the cell has none."""
    return cell.metadata.get("nbgrader", {}).get("grade_id", "")


def asked_for(cell: NotebookNode) -> tuple[str, str] | None:
    """The task and the variable's name that a cell hands to `check`; None for any other cell."""
    line = CHECK_LINE.match(cell.source.strip()) if cell.cell_type == "code" else None
    return (line[1], line[2]) if line else None


def is_judged(cell: NotebookNode) -> bool:
    """Whether a cell is graded by machine; graded cells that are also solutions wait for people."""
    return cell.cell_type == "code" and is_grade(cell) and not is_solution(cell)


def is_released(cell: NotebookNode) -> bool:
    """Whether a cell is as released, by its checksum, which RestoreCells has put right."""
    checksum = cell.metadata.get("nbgrader", {}).get("checksum")
    return checksum is not None and checksum == compute_checksum(cell)


def unanswered(notebook: NotebookNode) -> tuple[list[str], int]:
    """Finds unchanged cells for written answers, where the answer may stand in another cell.

    Returns:
        The names of these cells, and how many non-empty text cells the student has added. If the
        student has added none, there are no names.
    """
    texts = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    own = [cell for cell in texts if not cell.metadata.get("nbgrader") and cell.source.strip()]
    blank = []
    for cell in texts if own else ():
        marks = cell.metadata.get("nbgrader", {})
        is_written = marks.get("grade") and marks.get("solution")
        if is_written and compute_checksum(cell) == marks.get("checksum"):
            blank.append(marks["grade_id"])
    return blank, len(own)


def marks(notebook: Any) -> dict[str, dict[str, Any]]:
    """The nbgrader metadata of a notebook's cells, by cell name, as the gradebook has it.

    Args:
        notebook: The notebook of an assignment, out of nbgrader's gradebook.
    """
    graded = {cell.name: float(cell.max_score) for cell in notebook.grade_cells}
    tasks = {cell.name: float(cell.max_score) for cell in notebook.task_cells}
    solutions = {cell.name for cell in notebook.solution_cells}
    points = graded | tasks
    return {
        cell.name: {
            "grade_id": cell.name,
            "grade": cell.name in graded,
            "solution": cell.name in solutions and cell.name not in tasks,
            "task": cell.name in tasks,
            "locked": bool(cell.locked),
            "schema_version": 3,
            "checksum": cell.checksum,
            "cell_type": cell.cell_type,
        }
        | ({"points": points[cell.name]} if cell.name in points else {})
        for cell in notebook.source_cells
    }
