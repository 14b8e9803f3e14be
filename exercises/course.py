"""The course at work: `python -m exercises.course demo` for instructors, `lab` for students.

`demo` plays a whole round in `_build/course` with the commands that an instructor types, on the
bank's submissions, and checks the marks. `lab` opens JupyterLab on released assignments, in
`_build/lab` if no other folder is named.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from string import ascii_uppercase
from typing import Annotated
from unittest.mock import patch

import nbformat
import typer
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from nbgrader.auth import Authenticator
from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange.default import ExchangeSubmit
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from autograder.commands.console import typed
from autograder.commands.joining import NOT_FOR_STUDENTS
from autograder.grading.course import Course
from autograder.judging.verdict import marked
from autograder.questions import load_checks
from autograder.spec import Check
from exercises.bank import EXERCISES, Entry, entries, submission

BUILD = EXERCISES.parent / "_build"
COURSE = "kdlab"
FILES = ("nbgrader_config.py", "course.toml")
MADE = ("source", "checks", "release", "exchange", "gradebook.db", "gradebook.db-journal")
ALWAYS = ("solution", "stub", "wheat-functional", "chaff-direction_swapped")  # in the demonstration
console = Console()
JupyterOptions = Annotated[list[str] | None, typer.Argument(help="Options for JupyterLab.")]
LabFolder = Annotated[Path, typer.Option(help="Where the work is kept.", file_okay=False)]
app = typer.Typer(add_completion=False, help=__doc__)


@dataclass
class Mark:
    """What one submission earned.

    Args:
        entry: The submission.
        points: Points by task, from the gradebook.
        total: Points in the exported table.
        problems: What is not as it should be.
    """

    entry: Entry
    points: dict[str, float]
    total: float
    problems: list[str] = field(default_factory=list)


def surroundings(root: Path) -> dict[str, str]:
    """What commands in a course's folder find: the programs beside this Python, and the exchange.

    nbgrader calls alembic by name.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {"PATH": path, "KDLAB_EXCHANGE": str(root / "exchange")}


def run(root: Path, module: str, command: str, *arguments: str) -> None:
    """Runs a command of nbgrader or of autograder in a course's folder; its log goes to logs/.

    Raises:
        SystemExit: When the command fails; its last lines are shown.
    """
    log = root / "logs" / f"{command}.log"
    log.parent.mkdir(exist_ok=True)
    with console.status(f"{module} {command}"), log.open("w", encoding="utf-8") as stream:
        done = subprocess.run(
            [sys.executable, "-m", module, command, *arguments],
            cwd=root,
            env=os.environ | surroundings(root),
            stdout=stream,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        tail = log.read_text(encoding="utf-8").splitlines()[-20:]
        console.print("\n".join(tail), markup=False, highlight=False, soft_wrap=True)
        raise SystemExit(f"{module} {command} failed. The whole log: {log}")
    console.print(f"{module} {command}", style="green")


def new_course(root: Path, kept: str = "") -> None:
    """Copies what an instructor has to an empty folder; what was there but `kept` is removed."""
    root.mkdir(parents=True, exist_ok=True)
    for path in root.iterdir():
        if path.is_dir() and not path.is_symlink():
            if path.name != kept:
                shutil.rmtree(path)
        else:
            path.unlink()
    for folder in ("source", "checks"):
        shutil.copytree(
            EXERCISES / folder,
            root / folder,
            ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"),
        )
    for name in FILES:
        shutil.copy(EXERCISES / name, root)


def release_all(root: Path) -> list[str]:
    """Generates and releases every assignment of a course, and returns their names.

    Raises:
        SystemExit: When one cannot be released; nbgrader's last lines are shown.
    """
    names = sorted(folder.name for folder in (root / "source").iterdir())
    with patch.dict(os.environ, surroundings(root)):
        config = Course(root).config
        api = NbGraderAPI(CourseDirectory(config=config, root=str(root)), config=config)
        for name in names:
            with console.status(f"Releasing {name}"):
                for step in (api.generate_assignment, api.release_assignment):
                    done = step(name)
                    if not done["success"]:
                        console.print(done["log"][-4000:], markup=False, highlight=False)
                        raise SystemExit(f"nbgrader could not release {name}.")
    return names


def hand_in(root: Path, assignment: str, entry: Entry) -> None:
    """Fills in the released notebook and submits it through the exchange, as a student does."""
    folder = root / "students" / entry.name / assignment
    released = root / "exchange" / COURSE / "outbound" / assignment
    shutil.copytree(released, folder)
    path = folder / f"{assignment}.ipynb"
    nbformat.write(submission(nbformat.read(path, as_version=4), entry.answers), path)
    exchange = ExchangeSubmit(
        coursedir=CourseDirectory(
            root=str(folder.parent),
            course_id=COURSE,
            assignment_id=assignment,
            student_id=entry.name,
        ),
        authenticator=Authenticator(),
        assignment_dir=str(folder.parent),
        cache=str(root / "students" / "cache"),
        root=str(root / "exchange"),
    )
    exchange.log.setLevel("WARNING")
    exchange.start()


def play_round(root: Path, assignment: str, submissions: list[Entry]) -> list[Mark]:
    """Plays a whole round: nbgrader's commands, and ours for the grading.

    Returns:
        One mark a submission, with what is wrong about it.
    """
    new_course(root)
    run(root, "nbgrader", "generate_assignment", assignment)
    run(root, "nbgrader", "release_assignment", assignment)
    for entry in submissions:
        hand_in(root, assignment, entry)
    # The owner of these files is whoever runs this, not the students that we play.
    run(root, "nbgrader", "collect", assignment, "--ExchangeCollect.check_owner=False")
    run(root, "autograder", "grade", assignment)
    run(root, "nbgrader", "generate_feedback", assignment)
    run(root, "nbgrader", "export", "--to", "grades.csv")
    return marks_of(root, assignment, submissions)


def marks_of(root: Path, assignment: str, submissions: list[Entry]) -> list[Mark]:
    """What a round's gradebook, export and feedback say of each submission."""
    checks = load_checks(root / "checks" / f"{assignment}.py")
    with (root / "grades.csv").open(encoding="utf-8", newline="") as stream:
        totals = {row["student_id"]: float(row["score"]) for row in csv.DictReader(stream)}
    marks = []
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}", COURSE) as gradebook:
        for entry in submissions:
            notebook = gradebook.find_submission_notebook(assignment, assignment, entry.name)
            points = {grade.name: grade.score for grade in notebook.grades}
            mark = Mark(entry, points, totals.get(entry.name, float("nan")))
            feedback = root / "feedback" / entry.name / assignment / f"{assignment}.html"
            mark.problems = find_problems(mark, checks, feedback.read_text(encoding="utf-8"))
            marks.append(mark)
    return marks


def find_problems(mark: Mark, checks: dict[str, Check], feedback: str) -> list[str]:
    """Compares a mark and its feedback page with what the bank says of the submission."""
    problems = []
    if sum(mark.points.values()) != mark.total:
        problems.append(f"export says {mark.total:g}, the gradebook {sum(mark.points.values()):g}")
    for name, check in checks.items():
        points = mark.points.get(name)
        if mark.entry.name == "stub":
            if points != 0:
                problems.append(f"{name}: {points} points for the untouched stub")
        elif name not in mark.entry.expected:
            if points != check.points:
                problems.append(f"{name}: {points} points for a right answer")
        else:
            wrong = mark.entry.expected[name]
            ways = check.rubric(check.cases()).wrong_ways
            hints = {unescape(marked(way.hint)) for way in ways if way.name == wrong}
            if points is None or points >= check.points:
                problems.append(f"{name}: {points} points for a wrong answer")
            if wrong and not any(hint in unescape(feedback) for hint in hints):
                problems.append(f"{name}: no hint about {wrong}")
    return problems


def show(marks: list[Mark], checks: dict[str, Check]) -> None:
    """Prints the marks, in a table that fits into 80 columns, and what its columns are."""
    table = Table(title="Marks", box=SIMPLE_HEAD)
    table.add_column("submission", no_wrap=True)
    for letter, check in zip(ascii_uppercase, checks.values(), strict=False):
        table.add_column(f"{letter}\n/{check.points:g}", justify="right", no_wrap=True)
    total = sum(check.points for check in checks.values())
    table.add_column(f"all\n/{total:g}", justify="right", no_wrap=True)
    table.add_column("right\nhint", no_wrap=True)
    for mark in marks:
        table.add_row(
            mark.entry.name,
            *(f"{mark.points[name]:g}" for name in checks),
            f"{mark.total:g}",
            ("yes" if mark.entry.expected else "") if not mark.problems else "[red]no",
        )
    console.print(table)
    for letter, name in zip(ascii_uppercase, checks, strict=False):
        console.print(f"{letter}  {name}")
    for mark in marks:
        for problem in mark.problems:
            console.print(f"{mark.entry.name}: {problem}", style="red")


def sample(submissions: list[Entry], size: int = 8) -> list[Entry]:
    """A class that meets all kinds: the solution, the stub, and a spread of the others.

    The tests judge the whole bank; a round through nbgrader's commands takes seconds a submission.
    """
    kinds: dict[str, list[Entry]] = {}
    for entry in submissions:
        if entry.name not in ALWAYS:
            kinds.setdefault(entry.name.partition("-")[0], []).append(entry)
    for entries_of_kind in kinds.values():
        spread = max(1, len(entries_of_kind) // 4)
        entries_of_kind[:] = entries_of_kind[::spread] + [
            entry for index, entry in enumerate(entries_of_kind) if index % spread
        ]
    chosen = [entry for entry in submissions if entry.name in ALWAYS]
    while any(kinds.values()) and len(chosen) < size:
        chosen += [left.pop(0) for left in kinds.values() if left]
    return chosen[:size]


@app.command()
def demo(assignment: str = "ps1_divergences") -> None:
    """Play a whole round on a class of the bank's submissions, and check every mark and hint."""
    root = BUILD / "course"
    marks = play_round(root, assignment, sample(entries(assignment)))
    checks = load_checks(root / "checks" / f"{assignment}.py")
    show(marks, checks)
    by_hand = sorted({name for mark in marks for name in mark.points} - checks.keys())
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}", COURSE) as gradebook:
        played = gradebook.find_assignment(assignment)
        points = played.max_written_score + played.max_task_score
    if by_hand:
        console.print(
            f"A person gives {points:g} more points, for {', '.join(by_hand)}; nobody has yet."
        )
    console.print(f"Feedback pages: {root / 'feedback'}", soft_wrap=True)
    console.print(f"Exported marks: {root / 'grades.csv'}", soft_wrap=True)
    if any(mark.problems for mark in marks):
        raise SystemExit("Some marks are not as they should be.")


@app.command()
def lab(options: JupyterOptions = None, folder: LabFolder = BUILD / "lab") -> None:
    """Open JupyterLab on the released assignments, as a student sees them."""
    root = typed(folder).resolve()
    desk = root / "desk"
    fresh = root / "desk.new"  # there until the desk has everything: after Ctrl-C, begin anew
    if not desk.is_dir():
        there = {path.name for path in root.iterdir()} if root.exists() else set()
        is_begun = fresh.name in there and there <= {fresh.name, *FILES, *MADE}
        if there and not is_begun and root != BUILD / "lab":
            raise SystemExit(f"{root} is not empty; name a new folder: LAB=FOLDER make lab")
        fresh.mkdir(parents=True, exist_ok=True)
        new_course(root, kept=fresh.name)
        for name in release_all(root):
            released = root / "exchange" / COURSE / "outbound" / name
            shutil.copytree(released, fresh / name, dirs_exist_ok=True)
        for name in FILES:
            shutil.copy(root / name, fresh)
        fresh.rename(desk)
    console.print(f"Your work is kept in {desk}; remove {root} to begin anew.", soft_wrap=True)
    settings = root / "jupyter" / "labconfig" / "page_config.json"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(json.dumps({"disabledExtensions": dict.fromkeys(NOT_FOR_STUDENTS, True)}))
    folders = [str(root / "jupyter"), os.environ.get("JUPYTER_CONFIG_PATH", "")]
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, folders))
    os.environ["KDLAB_EXCHANGE"] = str(root / "exchange")
    os.chdir(desk)
    # Containers run as root; this server listens on this machine alone.
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={desk}", "--allow-root"]
    os.execv(sys.executable, [*command, *(options or [])])


if __name__ == "__main__":
    app()
