"""nbgrader's autograde on one submission: its steps before the execution, and those after it."""

from __future__ import annotations

import glob
import shutil
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder.grading.course import Course, classes
from autograder.nbgrader_internals import Autograde, Chosen, one_engine


def sanitise(
    course: Course, submitted: Path, assignment: str, student: str
) -> dict[str, NotebookNode]:
    """Passes a submission's notebooks through nbgrader's sanitising steps.

    Args:
        course: The course.
        submitted: A folder with the layout of the course's `submitted` folder.
        assignment: The assignment.
        student: The student.

    Returns:
        The notebooks by name, ready to be executed.
    """
    with one_engine():
        return _Sanitise(course, submitted, assignment, student).run()


def record(
    course: Course,
    submitted: Path,
    assignment: str,
    student: str,
    executed: dict[str, NotebookNode],
) -> None:
    """Writes a submission's grades and its autograded folder, as `nbgrader autograde` does.

    A second call changes nothing, so a call that was cut off is simply repeated. The submission's
    feedback pages are removed.

    Args:
        course: The course.
        submitted: A folder with the layout of the course's `submitted` folder.
        assignment: The assignment.
        student: The student.
        executed: The notebooks after the steps of `Course.executing`, by name.
    """
    with one_engine():
        _Record(course, submitted, assignment, student, executed).start()
    # A feedback page that is older than the gradebook is worse than none.
    pages = course.folder("feedback", student, assignment)
    if pages.is_dir():
        shutil.rmtree(pages)


class _Autograde(Chosen, Autograde):
    """nbgrader's converter, for one submission that lies in a temporary folder."""

    def __init__(self, course: Course, submitted: Path, assignment: str, student: str) -> None:
        super().__init__(
            config=course.config,
            coursedir=course.coursedir_for(
                submitted_directory=str(submitted),
                assignment_id=assignment,
                student_id=glob.escape(student),
                ignore=course.not_copied(),
            ),
        )
        self.students = [student]

    def _through(
        self, steps: list[type | str], notebook: NotebookNode, resources: dict[str, Any]
    ) -> NotebookNode:
        """Passes a notebook through preprocessors.

        nbconvert's exporter would also copy the notebook first, and check it after each step.
        """
        for step in classes(steps):
            notebook, resources = step(parent=self)(notebook, resources)
        return notebook


class _Sanitise(_Autograde):
    def run(self) -> dict[str, NotebookNode]:
        self.init_notebooks()
        known = {}
        for paths in self.assignments.values():
            for path in paths:
                resources = self.init_single_notebook_resources(path)
                notebook = nbformat.read(path, as_version=4)
                known[Path(path).stem] = self._through(
                    self.sanitize_preprocessors, notebook, resources
                )
        return known


class _Record(_Autograde):
    def __init__(
        self,
        course: Course,
        submitted: Path,
        assignment: str,
        student: str,
        executed: dict[str, NotebookNode],
    ) -> None:
        super().__init__(course, submitted, assignment, student)
        self._executed = executed
        self._done = len(course.executing())

    def convert_notebooks(self) -> None:
        for student in self.students:
            self.clear(student)
            self.run_pre_convert_hook()
            self.convert(student)
            self.run_post_convert_hook()

    def convert_single_notebook(self, notebook_filename: str) -> None:
        resources = self.init_single_notebook_resources(notebook_filename)
        notebook = self._executed[resources["nbgrader"]["notebook"]]
        steps = self.autograde_preprocessors[self._done :]
        text = nbformat.writes(self._through(steps, notebook, resources))
        self.write_single_notebook(f"{text}\n", resources | {"output_extension": ".ipynb"})
