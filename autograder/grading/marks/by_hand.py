"""Which points by hand need a second look when a submission is graded again.

After each grading, nbgrader asks for a second look at all points that a person gave. Here it asks
only where something that the person saw has changed: the answer, what it is worth, or the points by
machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import nbformat
from nbgrader.api import Gradebook, MissingEntry

from autograder.cells import grade_id, is_released
from autograder.grading.course import Course

Key = tuple[str, str]  # notebook and cell


@contextmanager
def second_looks(course: Course, assignment: str, student: str) -> Iterator[None]:
    """Grading within this context asks for second looks only at what has changed."""
    with course.gradebook() as gradebook:
        grades = _given(gradebook, assignment, student)
        before = {
            key: _seen(course, assignment, student, key, grade)
            for key, grade in grades.items()
            if not grade.needs_manual_grade
        }
    yield
    if not before:
        return
    with course.gradebook() as gradebook:
        for key, grade in _given(gradebook, assignment, student).items():
            seen = before.get(key)
            if seen is not None and seen == _seen(course, assignment, student, key, grade):
                grade.needs_manual_grade = False
        gradebook.db.commit()


def _given(gradebook: Gradebook, assignment: str, student: str) -> dict[Key, Any]:
    """By key, the grades for which a person gave points."""
    try:
        submission = gradebook.find_submission(assignment, student)
    except MissingEntry:
        return {}
    return {
        (notebook.name, grade.name): grade
        for notebook in submission.notebooks
        for grade in notebook.grades
        if grade.manual_score is not None
    }


def _seen(course: Course, assignment: str, student: str, key: Key, grade: Any) -> Any:
    """What a person sees when giving points for a cell; None where the notebook is gone."""
    notebook, name = key
    path = course.folder("autograded", student, assignment) / f"{notebook}.ipynb"
    if not path.is_file():
        return None
    cells = nbformat.read(path, as_version=4).cells
    own = [cell for cell in cells if grade_id(cell) == name]
    points = [cell.metadata.nbgrader.get("points") for cell in own]
    # An answer in words is in its cell; in code, or if its cell is untouched, it may be anywhere.
    if any(cell.cell_type == "code" or is_released(cell) for cell in own):
        own = [cell for cell in cells if cell.source.strip()]  # JupyterLab adds empty ones
    return grade.auto_score, points, [(cell.source, cell.get("attachments")) for cell in own]
