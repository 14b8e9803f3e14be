"""A course with its exchange, and students with homes of their own."""

from pathlib import Path

import nbformat
from nbgrader.auth import Authenticator
from nbgrader.exchange.default import ExchangeFetchFeedback

from autograder.grading.course import Course
from autograder.grading.exchange.collecting import Collect
from autograder.grading.exchange.steps import Fetch, Submit

ASSIGNMENT = "set"
RIGHT = "def double(x):\n    return 2 * x"
WRONG = "def double(x):\n    return x**2"


class Room:
    """A course, its exchange, and students with homes of their own."""

    def __init__(self, root: Path, homes: Path) -> None:
        self.root, self.homes = root, homes
        self.course = Course(root)
        self.exchange = root / "exchange"
        self.exchange.mkdir(exist_ok=True)
        self.exchange.chmod(0o777)

    def step(
        self,
        kind: type,
        student: str = "*",
        home: Path | None = None,
        name: str = ASSIGNMENT,
        **options: object,
    ):
        coursedir = self.course.coursedir_for(assignment_id=name, student_id=student)
        if home:
            coursedir.root = str(home)
        made = kind(
            coursedir=coursedir,
            authenticator=Authenticator(),
            config=self.course.config,
            **({"assignment_dir": str(home), "cache": str(home / "cache")} if home else {}),
            **options,
        )
        made.start()
        return made

    def home(self, student: str) -> Path:
        home = self.homes / student
        home.mkdir(exist_ok=True)
        return home

    def submit(self, student: str, answer: str, name: str = ASSIGNMENT, why: str = "") -> None:
        home = self.home(student)
        if not (home / ASSIGNMENT).exists():
            self.step(Fetch, student, home)
        (path,) = (home / ASSIGNMENT).glob("*.ipynb")
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.metadata.get("nbgrader", {}).get("grade_id") == "double_answer":
                cell.source = answer
            if cell.metadata.get("nbgrader", {}).get("grade_id") == "why" and why:
                cell.source = why
        path.unlink()
        nbformat.write(notebook, path.with_name(f"{name}.ipynb"))
        self.step(Submit, student, home)

    def collect(self) -> None:
        self.step(Collect, check_owner=False, update=True)

    def read(self, student: str) -> list[str]:
        """What the student finds after fetch_feedback, the newest submission last."""
        home = self.home(student)
        self.step(ExchangeFetchFeedback, student, home)
        pages = sorted((home / ASSIGNMENT / "feedback").glob("*/*.html"))
        return [page.read_text(encoding="utf-8") for page in pages]


def inbound(room: Room) -> Path:
    (folder,) = room.exchange.glob("*/inbound")
    return folder


def handed_in(room: Room, student: str, when: str = "2099-01-01 00:00:00.000000 UTC") -> Path:
    """A folder as any student may make it in the exchange."""
    folder = inbound(room) / f"{student}+{ASSIGNMENT}+{when}+abc"
    folder.mkdir()
    (folder / "timestamp.txt").write_text(when)
    (folder / f"{ASSIGNMENT}.ipynb").write_text("newest")
    return folder


def collected(room: Room, student: str) -> dict[str, str]:
    folder = room.root / "submitted" / student / ASSIGNMENT
    return {path.name: path.read_text() for path in folder.rglob("*") if path.is_file()}
