"""A small course: one assignment with a function to write and a question to answer in words."""

import os
import shutil
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from nbgrader.converters import GenerateAssignment
from typer.testing import CliRunner

from autograder.cells import VERDICT_MIME, is_judged
from autograder.commands import cli
from autograder.grading.course import Course
from autograder.grading.exchange.steps import Release
from autograder.grading.execution import batch
from autograder.grading.execution.worker import Executed, Job
from autograder.grading.records import Record
from autograder.judging.evidence import read_evidence
from autograder.judging.verdict import judge
from autograder.kernel.asking import observe
from autograder.kernel.evidence import write_evidence
from autograder.questions import generator, load_checks, question
from tests.autograder.grading.room import Room

EXERCISES = Path(__file__).parents[2] / "exercises"
ASSIGNMENT = "set"

CHECKS = """
import torch
from autograder.spec import Case, FunctionCheck, Misconception
from autograder.judging.rubric import Section

SECTION = Section("1.2", "Measuring the mismatch", "http://book/1.2.html")


def random(rng):
    yield Case("random", (torch.tensor(rng.normal(size=3), dtype=torch.float32),))


CHECKS = (
    FunctionCheck(
        name="double",
        parts={"values": 3, "shapes": 1},
        expected="twice what comes in",
        section=SECTION,
        reference=lambda x: 2 * x.double(),
        fixed=(
            Case("one", (torch.tensor([1.0, 3.0]),), public=True),
            Case("the hidden one", (torch.tensor([5.0, -7.25]),)),
            Case("matrix", (torch.ones(2, 2),), part="shapes"),
        ),
        random=random,
        misconceptions=(Misconception("square", "Not the square.", SECTION, lambda x: x**2),),
    ),
)
"""

ANSWERS = {
    "ada": "def double(x):\n    return 2 * x",
    "bob": "def double(x):\n    return x**2",
    "eve": None,  # the untouched stub
    "joe": "def double(x):\n    return 2 * x.reshape(-1)",
}


def marked(cell: NotebookNode, grade_id: str, points: float = 0, solution: bool = False):
    """Gives a cell nbgrader's marks."""
    cell.metadata.nbgrader = nbformat.from_dict(
        {
            "grade_id": grade_id,
            "grade": points > 0,
            "solution": solution,
            "locked": not solution,
            "task": False,
            "schema_version": 3,
        }
        | ({"points": points} if points else {})
    )
    return cell


def make_source() -> NotebookNode:
    cells = [
        marked(new_markdown_cell("# A set, where 2 < 3 & <b>so on</b>"), "story"),
        marked(new_code_cell("import torch\nfrom autograder.check import check"), "setup"),
        marked(
            new_code_cell(
                "def double(x):\n    ### BEGIN SOLUTION\n    return x + x\n    ### END SOLUTION"
            ),
            "double_answer",
            solution=True,
        ),
        marked(new_code_cell('check("double", double)'), "double", points=4),
        marked(new_markdown_cell("Say why."), "why", points=3, solution=True),
    ]
    notebook = new_notebook(cells=cells)
    notebook.metadata.kernelspec = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    return notebook


@pytest.fixture(scope="session")
def released_course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course folder whose assignment is generated; nobody has handed anything in."""
    root = tmp_path_factory.mktemp("released")
    (root / "source" / ASSIGNMENT).mkdir(parents=True)
    nbformat.write(make_source(), root / "source" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb")
    (root / "checks").mkdir()
    (root / "checks" / f"{ASSIGNMENT}.py").write_text(CHECKS, encoding="utf-8")
    for name in ("nbgrader_config.py", "course.toml"):
        shutil.copy(EXERCISES / name, root)
    generate_assignment(root)
    return root


@pytest.fixture(scope="session")
def generate() -> Callable:
    """Generates the assignment in a course's folder."""
    return generate_assignment


def generate_assignment(root: Path) -> None:
    # nbgrader calls alembic by name.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    course = Course(root)
    coursedir = course.coursedir_for(assignment_id=ASSIGNMENT, student_id=".")
    GenerateAssignment(coursedir=coursedir, config=course.config, force=True).start()


class Inline(Executor):
    """Runs a job at once, in this process."""

    def submit(self, function: Callable, /, *args: object, **kwargs: object) -> Future:
        future: Future = Future()
        try:
            future.set_result(function(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@pytest.fixture(scope="session")
def inline() -> type[Inline]:
    return Inline


@pytest.fixture(scope="session")
def hand_in() -> Callable:
    """Puts a student's notebook into the submitted folder."""

    def hand_in(root: Path, student: str, answer: str | None, why: str = "") -> Path:
        folder = root / "submitted" / student / ASSIGNMENT
        folder.mkdir(parents=True)
        path = folder / f"{ASSIGNMENT}.ipynb"
        notebook = nbformat.read(root / "release" / ASSIGNMENT / path.name, as_version=4)
        for cell in notebook.cells:
            grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
            if grade_id == "double_answer" and answer is not None:
                cell.source = answer
            if grade_id == "why" and why:
                cell.source = why
        nbformat.write(notebook, path)
        (folder / "timestamp.txt").write_text("2026-01-30 15:30:00 UTC\n", encoding="utf-8")
        return path

    return hand_in


@pytest.fixture
def empty_course(released_course: Path, tmp_path: Path) -> Path:
    """A copy of the course for a test of its own."""
    root = tmp_path / "course"
    shutil.copytree(released_course, root)
    return root


@pytest.fixture
def room(empty_course: Path, tmp_path: Path) -> Room:
    homes = tmp_path / "homes"
    homes.mkdir()
    room = Room(empty_course, homes)
    room.step(Release)
    return room


@pytest.fixture
def course(empty_course: Path, hand_in: Callable) -> Path:
    """The same with four submissions."""
    for student, answer in ANSWERS.items():
        hand_in(empty_course, student, answer, why="It adds." if student == "ada" else "")
    return empty_course


@pytest.fixture
def canned_grades(monkeypatch: pytest.MonkeyPatch) -> Callable:
    """Grades a course without kernels: the answers are run in this process."""

    def execute(job: Job) -> Executed:
        judged = {}
        for name, text in job.notebooks.items():
            notebook = nbformat.reads(text, as_version=4)
            checks = load_checks(Path(job.config.Judge.checks_directory) / f"{ASSIGNMENT}.py")
            space: dict = {}
            for cell in notebook.cells:
                if cell.metadata.get("nbgrader", {}).get("grade_id") == "double_answer":
                    exec(cell.source, space)
                if is_judged(cell):
                    check = checks["double"]
                    cases = check.cases(generator(job.seed, check))
                    text = write_evidence(
                        "double", "n", observe(space["double"], question(check, cases))
                    )
                    outcomes = read_evidence(text, check="double", nonce="n", count=len(cases))
                    verdict = judge(check.rubric(cases), outcomes)
                    result = {"verdict": verdict.to_data(), "seed": job.seed, "evidence": [text]}
                    data = {
                        "text/plain": repr(verdict.points),
                        "text/html": verdict.to_html(),
                        VERDICT_MIME: result,
                    }
                    cell.outputs = [new_output("execute_result", data)]
            judged[name] = nbformat.writes(notebook)
        return Executed(judged, 0.1, 345 * 2**20)

    monkeypatch.setattr(batch, "execute", execute)
    monkeypatch.setattr(batch, "sandboxed", lambda config: False)

    def grade(root: Path) -> dict[str, Record]:
        course, done = Course(root), {}
        report = lambda record, now: done.update({record.student: record})  # noqa: E731
        task = batch.Batch(course, ASSIGNMENT, Inline, report=report)
        task.run(course.students(ASSIGNMENT))
        return done

    return grade


@pytest.fixture
def invoke(
    course: Path, canned_grades: Callable, inline: type, monkeypatch: pytest.MonkeyPatch
) -> Callable:
    """Gives a command in the course's folder; submissions are run in this process."""
    monkeypatch.chdir(course)
    monkeypatch.syspath_prepend(str(course))  # a course's plug-ins lie in it
    monkeypatch.setattr(cli, "process_pool", lambda jobs: inline())
    monkeypatch.setenv("COLUMNS", "300")
    return lambda *arguments: CliRunner().invoke(cli.app, [*arguments])


@pytest.fixture(scope="session")
def read_gradebook() -> Callable:
    """All that the gradebook says about submissions, as data."""

    def read_gradebook(root: Path) -> list[tuple]:
        with Course(root).gradebook() as gradebook:
            return sorted(_rows(gradebook.assignment_submissions(ASSIGNMENT)), key=repr)

    return read_gradebook


def _rows(submissions: Iterable) -> Iterable[tuple]:
    for submission in submissions:
        yield submission.student.id, submission.timestamp, submission.score
        for notebook in submission.notebooks:
            who = (submission.student.id, notebook.name)
            yield *who, "penalty", notebook.late_submission_penalty
            for grade in notebook.grades:
                yield (
                    *who,
                    grade.name,
                    grade.auto_score,
                    grade.manual_score,
                    grade.needs_manual_grade,
                    grade.max_score,
                )
            for comment in notebook.comments:
                yield *who, comment.name, comment.auto_comment, comment.manual_comment
