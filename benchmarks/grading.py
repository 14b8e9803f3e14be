"""Grading a class: stock `nbgrader autograde` beside `python -m autograder grade`, in the same run.

    python benchmarks/grading.py                # 40 submissions, two workers
    python benchmarks/grading.py --submissions 8 --json

Both grade the same submissions of the same released assignment, whose notebook imports torch, from
a command's start to its end. nbgrader runs as it is installed: its own converters and kernels, no
sandbox; its graded cells hold an assertion each. Ours runs as the course is configured: kernels in
bubblewrap, hidden and random cases, evidence judged outside.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from exercises import bank  # noqa: E402
from exercises.course import new_course  # noqa: E402

ASSIGNMENT = "ps1_divergences"
TASKS = ("forward_kl", "reverse_kl", "reverse_kl_choice")
STOCK_CONFIG = "c = get_config()\nc.CourseDirectory.course_id = 'kdlab'\n"
STOCK_TEST = """\
import torch
rng = torch.Generator().manual_seed(0)
student, teacher = torch.randn(2, 5, 7, generator=rng)
log_q, log_p = student.log_softmax(-1), teacher.log_softmax(-1)
forward = (log_p.exp() * (log_p - log_q)).sum(-1)
reverse = (log_q.exp() * (log_q - log_p)).sum(-1)
assert torch.allclose({name}(student, teacher), {direction}, atol=1e-5)
"""


@dataclass
class Timing:
    """One side's times.

    Args:
        name: The side.
        seconds: From the command's start to its end.
        first: From its start to the first submission whose points are in the gradebook, seconds.
        graded: How many submissions got points.
        full: How many of them got full marks.
    """

    name: str
    seconds: float
    first: float
    graded: int
    full: int


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--submissions", type=int, default=40)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="grading-") as folder:
        stock, ours = Path(folder, "stock"), Path(folder, "ours")
        notebook = three_tasks(bank.source(ASSIGNMENT))
        prepare(ours, options.submissions, notebook)
        prepare(stock, options.submissions, stock_notebook(notebook), STOCK_CONFIG)
        grade = ["grade", ASSIGNMENT, "--jobs", str(options.jobs)]
        timings = [
            measure("nbgrader autograde", stock, ["nbgrader", "autograde", ASSIGNMENT]),
            measure(f"autograder grade --jobs {options.jobs}", ours, ["autograder", *grade]),
        ]
    for timing in timings:
        if timing.graded != options.submissions or timing.full != options.submissions:
            raise SystemExit(
                f"{timing.name}: not every submission was graded as it should: {timing}"
            )
    ratio = timings[0].seconds / timings[1].seconds
    if options.json:
        print(json.dumps({"timings": [asdict(timing) for timing in timings], "ratio": ratio}))
        return
    table = Table(title=f"{options.submissions} submissions of three tasks of {ASSIGNMENT}")
    for column in ("", "seconds", "a submission", "to the first result", "submissions a minute"):
        table.add_column(column, justify="right" if column else "left")
    for timing in timings:
        each = timing.seconds / options.submissions
        table.add_row(
            timing.name,
            f"{timing.seconds:.1f}",
            f"{each:.2f} s",
            f"{timing.first:.1f} s",
            f"{60 / each:.0f}",
        )
    Console().print(table)
    print(f"Throughput: {ratio:.1f} times nbgrader's.")


def three_tasks(notebook: NotebookNode) -> NotebookNode:
    """The problem set without the tasks that nbgrader alone has no like of."""
    kept = {name for task in TASKS for name in (f"{task}_task", f"{task}_answer", task)}
    notebook.cells = [c for c in notebook.cells if bank.grade_id(c) in kept | {"story", "setup"}]
    return notebook


def stock_notebook(notebook: NotebookNode) -> NotebookNode:
    """The same as one would write it for nbgrader alone: the graded cells hold assertions."""
    for cell in notebook.cells:
        name = bank.grade_id(cell)
        if name in ("forward_kl", "reverse_kl"):
            cell.source = STOCK_TEST.format(name=name, direction=name.removesuffix("_kl"))
        elif name == "reverse_kl_choice":
            cell.source = 'assert reverse_kl_answer == "c"'
        elif name == "setup":
            cell.source = "import torch\nimport torch.nn.functional as F"
    return notebook


def prepare(
    root: Path,
    submissions: int,
    source: NotebookNode,
    config: str = "",
    answers: Sequence[dict[str, str]] = (),
) -> None:
    """Makes a course with submissions.

    Args:
        root: Where.
        submissions: How many.
        source: The assignment's notebook.
        config: What nbgrader_config.py says in place of the course's own.
        answers: What is handed in, in turn; without, what deserves full marks.
    """
    new_course(root)
    for folder in root.glob("source/*"):
        if folder.name != ASSIGNMENT:
            shutil.rmtree(folder)
    nbformat.write(source, root / "source" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb")
    if config:
        (root / "nbgrader_config.py").write_text(config, encoding="utf-8")
    run(root, ["nbgrader", "generate_assignment", ASSIGNMENT])
    released = root / "release" / ASSIGNMENT
    notebook = nbformat.read(released / f"{ASSIGNMENT}.ipynb", as_version=4)
    # Comments alone tell them apart: nbgrader takes all points from whoever writes to stderr.
    answers = answers or [bank.solution(bank.source(ASSIGNMENT))]
    for number in range(submissions):
        folder = root / "submitted" / f"student{number:04}" / ASSIGNMENT
        shutil.copytree(released, folder)
        given = answers[number % len(answers)]
        own = {task: f"{answer}\n# student {number}\n" for task, answer in given.items()}
        nbformat.write(bank.submission(notebook, own), folder / f"{ASSIGNMENT}.ipynb")


def environment() -> dict[str, str]:
    """This environment, with the programs beside this Python and one thread a kernel."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def run(root: Path, command: list[str]) -> None:
    """Runs a module's command in a course's folder to its end."""
    subprocess.run(
        [sys.executable, "-m", *command],
        cwd=root,
        env=environment(),
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def measure(name: str, root: Path, command: list[str]) -> Timing:
    """Runs a command and watches the gradebook for its first result."""
    began = time.perf_counter()
    with (root / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=root, env=environment(), stdout=log, stderr=log
        )
    first = None
    autograded = root / "autograded"
    while process.poll() is None:
        time.sleep(0.05)
        there = first is None and any(autograded.glob(f"*/*/{ASSIGNMENT}.ipynb"))
        if there and points(root):
            first = time.perf_counter() - began
    seconds = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(f"{name} failed:\n{(root / 'log').read_text()[-3000:]}")
    totals = points(root)
    return Timing(
        name,
        seconds,
        first if first is not None else seconds,
        len(totals),
        sum(score == possible for score, possible in totals),
    )


def points(root: Path) -> list[tuple[float, float]]:
    """Points and possible points of every submission whose graded cells all have points."""
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}", "kdlab") as gradebook:
        return [
            (submission.score, submission.max_score)
            for submission in gradebook.assignment_submissions(ASSIGNMENT)
            if all(
                grade.auto_score is not None
                for notebook in submission.notebooks
                for grade in notebook.grades
            )
        ]


if __name__ == "__main__":
    main()
