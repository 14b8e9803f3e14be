"""A notebook's cells, by the marks that nbgrader has put on them."""

from __future__ import annotations

from typing import Any

from nbformat import NotebookNode

from autograder.check import CHECK_LINE
from autograder.nbgrader_internals import compute_checksum, is_grade, is_solution

ANSWER = "_answer"  # a task's answer cell is named after the task
OF_GRADER = "autograder"  # in the metadata of a cell that is the grader's; no student's keeps it
VERDICT_MIME = "application/vnd.autograder.verdict+json"  # of the one output of a judged cell


def grade_id(cell: NotebookNode) -> str:
    """The name that nbgrader knows a cell by, or an empty one."""
    return cell.metadata.get("nbgrader", {}).get("grade_id", "")


def asked_for(cell: NotebookNode) -> tuple[str, str] | None:
    """The task and the name that a cell hands to `check`; None where it does something else."""
    line = CHECK_LINE.match(cell.source.strip()) if cell.cell_type == "code" else None
    return (line[1], line[2]) if line else None


def is_judged(cell: NotebookNode) -> bool:
    """Whether a cell is graded by machine; answers that people grade are solution cells too."""
    return cell.cell_type == "code" and is_grade(cell) and not is_solution(cell)


def is_released(cell: NotebookNode) -> bool:
    """Whether a cell is as the instructor wrote it; RestoreCells vouches for the checksum."""
    checksum = cell.metadata.get("nbgrader", {}).get("checksum")
    return checksum is not None and checksum == compute_checksum(cell)


def unanswered(notebook: NotebookNode) -> tuple[list[str], int]:
    """Written answers whose cells are as they were, where the answer may stand in another cell.

    Returns:
        Their names, and how many text cells of the student's own there are; no names without any.
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
    """The marks of a notebook's cells, by name, as the gradebook has them.

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
