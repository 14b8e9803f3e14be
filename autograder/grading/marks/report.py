"""A class at a glance: what an instructor looks at on the evening of the deadline, as data."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass, field
from io import StringIO
from statistics import fmean, median
from typing import Any

from nbgrader.api import MissingEntry

from autograder.grading.course import Course
from autograder.grading.marks.lateness import marks, penalise
from autograder.grading.marks.outstanding import Outstanding, outstanding
from autograder.grading.records import Record, Records, State
from autograder.grading.wording import inert, shown
from autograder.judging.verdict import Status

MiB = 2**20
Cell = tuple[str, str]  # notebook and cell
RESOURCES = (Status.TIMED_OUT, Status.OUT_OF_MEMORY, Status.DIED)


@dataclass
class Task:
    """One task over the class.

    Args:
        name: The task, as `notebook: cell` where the assignment has several cells of the name.
        most: The points that it is worth.
        by_machine: Whether a machine marks it.
        points: By student who has marks for the task, the points.
        statuses: How many answers have each status.
        misconceptions: By a misconception's name and by hint, the students who are told the hint,
            which may be about a single answer.
    """

    name: str
    most: float
    by_machine: bool
    points: dict[str, float] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)
    misconceptions: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    @property
    def mean(self) -> float | None:
        """Mean points of those who have marks; None if none."""
        return fmean(self.points.values()) if self.points else None

    @property
    def full(self) -> int:
        """How many have all points."""
        return sum(points >= self.most for points in self.points.values())


@dataclass
class Student:
    """One student's line.

    Args:
        id: The student's id.
        name: The name that the gradebook has.
        state: "graded", "set aside", "not graded" or "nothing handed in".
        score: Points, with those by hand, minus the penalty; None without marks.
        penalty: Points that being late has cost.
        late: Seconds after the due date.
        seconds: How long the notebook ran; None where nothing was run.
        memory: Peak bytes of the notebook's largest process; None where they were not measured.
        points: Points by task; None where a person has not marked it.
        misconceptions: The misconception's name by task.
        statuses: The verdict's status by task.
        notes: What was put right, why it is set aside, where a person gave more than the maximum.
    """

    id: str
    name: str = ""
    state: str = "nothing handed in"
    score: float | None = None
    penalty: float = 0.0
    late: float = 0.0
    seconds: float | None = None
    memory: int | None = None
    points: dict[str, float | None] = field(default_factory=dict)
    misconceptions: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass
class Report:
    """One assignment over the class.

    Args:
        assignment: The assignment.
        most: The points that it is worth.
        tasks: The tasks by name, in the notebook's order.
        students: The students, in the order of their ids.
        waits: What is unfinished.
        memory: Bytes that a notebook may use; None where nothing was run.
    """

    assignment: str
    most: float
    tasks: dict[str, Task]
    students: list[Student]
    waits: Outstanding
    memory: int | None = None

    def graded(self) -> list[Student]:
        """Students who have marks."""
        return [student for student in self.students if student.score is not None]

    def figures(self) -> dict[str, str]:
        """The numbers to see first, as texts, by their labels."""
        graded = self.graded()
        scores = [student.score for student in graded]
        times = [student.seconds for student in self.students if student.seconds is not None]
        used = [student.memory for student in self.students if student.memory]
        states = Counter(student.state for student in self.students)
        ended = Counter(
            status
            for student in self.students
            for status in student.statuses.values()
            if status in RESOURCES
        )
        return {
            "graded": str(len(graded)),
            "set aside": str(states["set aside"]),
            "not graded": str(states["not graded"]),
            "nothing handed in": str(states["nothing handed in"]),
            "answers that wait for a person": str(sum(map(len, self.waits.unmarked.values()))),
            "late": str(sum(student.late > 0 for student in graded)),
            "median": f"{rounded(median(scores))} of {self.most:g}" if scores else "—",
            "mean": f"{rounded(fmean(scores))} of {self.most:g}" if scores else "—",
            "seconds a notebook, median": f"{median(times):.1f}" if times else "—",
            "seconds, the longest": f"{max(times):.1f}" if times else "—",
            "MiB a notebook, median": f"{median(used) / MiB:.0f}" if used else "—",
            "MiB, the most": f"{max(used) / MiB:.0f}" if used else "—",
            "MiB a notebook may use": f"{self.memory / MiB:.0f}" if self.memory else "—",
            "tasks that ran out of memory": str(ended[Status.OUT_OF_MEMORY]),
            "tasks that ran out of time": str(ended[Status.TIMED_OUT]),
            "tasks in which Python died": str(ended[Status.DIED]),
        }


def rounded(points: float) -> str:
    """Points, or a mean of points, as the page shows them: with two decimals at most."""
    return f"{round(points, 2):g}"


def gather_report(course: Course, assignment: str) -> Report:
    """Reads an assignment's report out of the gradebook and the records.

    Raises:
        LookupError: When the gradebook does not have the assignment.
        Misconfigured: When penalties cannot be computed.
    """
    blueprints = course.blueprints(assignment)
    cells = {
        (notebook, cell.grade_id): cell
        for notebook, blueprint in blueprints.items()
        for cell in blueprint.cells
        if "points" in cell.marks
    }
    often = Counter(name for _, name in cells)
    tasks: dict[Cell, Task] = {}
    for key, cell in cells.items():
        name = cell.grade_id if often[cell.grade_id] == 1 else ": ".join(key)
        tasks[key] = Task(name, cell.marks["points"], cell.is_judged)
    penalise(course, assignment)
    handed_in = set(course.students(assignment))
    kept = Records(course.root, assignment)
    students: list[Student] = []
    limits: list[int] = []
    with course.gradebook() as gradebook:
        waits = outstanding(gradebook, course, assignment)
        known = {each.id: each for each in gradebook.students if each.id not in course.left}
        for name in sorted(known.keys() | handed_in):
            student = Student(shown(name))
            if name in known:
                parts = (known[name].first_name, known[name].last_name)
                student.name = " ".join(filter(None, parts))
            record = kept.read(name) if name in handed_in else None
            _from_gradebook(gradebook, assignment, name, student, tasks)
            if record is not None:
                _from_record(record, student, tasks)
                limits += [record.limits["memory"]] if "memory" in record.limits else []
            if name in handed_in and student.score is None and student.state != "set aside":
                student.state = "not graded"
            students.append(student)
    most = sum(task.most for task in tasks.values())
    named = {task.name: task for task in tasks.values()}
    return Report(assignment, most, named, students, waits, max(limits, default=None))


def _name(tasks: dict[Cell, Task], key: Cell) -> str:
    """A cell's name in the report, which may be about a task that the assignment has no more."""
    return tasks[key].name if key in tasks else ": ".join(key)


def _from_gradebook(
    gradebook: Any, assignment: str, name: str, student: Student, tasks: dict[Cell, Task]
) -> None:
    try:
        found = gradebook.find_submission(assignment, name)
    except MissingEntry:
        return
    student.state = "graded"
    _, student.penalty, student.score = marks(found)
    student.late = found.total_seconds_late
    for notebook in found.notebooks:
        for grade in notebook.grades:
            waits = grade.needs_manual_grade and grade.manual_score is None
            key = (notebook.name, grade.name)
            task = _name(tasks, key)
            student.points[task] = None if waits else grade.score
            if grade.extra_credit:  # what formgrader makes of 22 typed for 2
                student.notes.append(
                    f"{task}: a person gave {rounded(grade.score)} of {grade.max_score:g}."
                )
            if not waits and key in tasks:
                tasks[key].points[student.id] = grade.score


def _from_record(record: Record, student: Student, tasks: dict[Cell, Task]) -> None:
    student.notes += record.repairs
    if record.state is State.QUARANTINED:
        student.state = "set aside"
        student.notes.insert(0, record.reason)
        return
    student.seconds, student.memory = record.seconds, record.memory
    for notebook, cell, result in record.verdicts():
        verdict, key = result["verdict"], (notebook, cell)
        name = _name(tasks, key)
        student.statuses[name] = verdict["status"]
        if key not in tasks:
            continue
        tasks[key].statuses[verdict["status"]] += 1
        if verdict["misconception"]:
            student.misconceptions[name] = verdict["misconception"]
            hints = tasks[key].misconceptions.setdefault(verdict["misconception"], {})
            hints.setdefault(verdict["hint"] or "", []).append(student.id)


def as_csv(reports: list[Report]) -> str:
    """A CSV line for each student and assignment, in which no name is taken for a formula."""
    names = list(dict.fromkeys(name for report in reports for name in report.tasks))
    stream = StringIO(newline="")
    table = csv.writer(stream)
    table.writerow(
        ["assignment", "student", "name", "state", "score", "of", "penalty", "seconds_late"]
        + ["seconds", "mib"]
        + [inert(f"{name}{what}") for name in names for what in ("", "_misconception")]
        + ["notes"]
    )
    for report in reports:
        for each in report.students:
            row = [inert(report.assignment), inert(each.id), inert(each.name), each.state]
            row += ["" if each.score is None else each.score, report.most, each.penalty]
            row += [each.late, "" if each.seconds is None else round(each.seconds, 2)]
            row += ["" if each.memory is None else round(each.memory / MiB)]
            for name in names:
                points = each.points.get(name)
                row += ["" if points is None else points, each.misconceptions.get(name, "")]
            table.writerow([*row, inert(" ".join(each.notes))])
    return stream.getvalue()
