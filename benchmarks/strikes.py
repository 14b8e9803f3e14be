"""A class graded while `kill -9` strikes: is every mark right, and none doubled?

    python benchmarks/strikes.py                          # 200 submissions, 5 of them hostile
    python benchmarks/strikes.py --submissions 40 --strikes 3

The class is the bank of ps1_divergences, over and over, whose marks are known. `grade` is killed at
random moments once it has recorded something new, and called again until it ends by itself.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell
from nbgrader.api import Gradebook

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from autograder.spec import load_checks  # noqa: E402
from benchmarks.grading import ASSIGNMENT, environment, run  # noqa: E402
from exercises import bank  # noqa: E402
from exercises.course import new_course  # noqa: E402

HOSTILE = (
    "import os; os._exit(0)",
    "while True: pass",
    "kept = [bytearray(2**26) for _ in range(10**4)]",
    "k = get_ipython().kernel\n"
    "k.session.send(k.iopub_socket, 'display_data', {}, buffers=[bytes(15 * 2**20)] * 50)",
    "import json\nk = get_ipython().kernel\n"
    "k.session.pack = lambda content: json.dumps(content, default=str).encode()\n"
    "content = {'data': {}, 'metadata': {}, 'execution_count': '\\ud800'}\n"
    "k.session.send(k.iopub_socket, 'execute_result', content, parent=k.get_parent())",
)


def main() -> None:
    """Plays it, and prints what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--submissions", type=int, default=200)
    parser.add_argument("--strikes", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="strikes-") as folder:
        root = Path(folder)
        entries = hand_in(root, options.submissions)
        began = time.monotonic()
        strikes = grade(root, options.strikes, random.Random(options.seed))
        seconds = time.monotonic() - began
        marks, wrong = compare(root, entries)
    left = list(Path("/tmp").glob("autograder-batch-*"))
    print(f"{strikes} strikes, {len(marks)} of {len(entries)} submissions in {seconds:.0f} s")
    print(f"doubled: {len(marks) - len(set(marks))}; wrong marks: {wrong or 0}; left: {left or 0}")


def hand_in(root: Path, submissions: int) -> dict[str, bank.Entry | None]:
    """Makes the class; the last ones are hostile.

    Returns:
        What each student handed in; None for a hostile notebook, which earns nothing.
    """
    new_course(root)
    for folder in root.glob("source/*"):
        if folder.name != ASSIGNMENT:
            shutil.rmtree(folder)
    with (root / "nbgrader_config.py").open("a", encoding="utf-8") as config:
        config.write("\nc.Judge.timeout = 20\nc.Judge.notebook_timeout = 120\n")
    run(root, ["nbgrader", "generate_assignment", ASSIGNMENT])
    released = root / "release" / ASSIGNMENT
    notebook = nbformat.read(released / f"{ASSIGNMENT}.ipynb", as_version=4)
    known, found = bank.entries(ASSIGNMENT), {}
    for number in range(submissions):
        folder = root / "submitted" / f"student{number:03}" / ASSIGNMENT
        shutil.copytree(released, folder)
        hostile = number - (submissions - len(HOSTILE))
        entry = known[number % len(known)] if hostile < 0 else None
        answers = entry.answers if entry else {}
        own = {task: f"{answer}\n# student {number}\n" for task, answer in answers.items()}
        work = bank.submission(notebook, own)
        if entry is None:
            work.cells.insert(2, new_code_cell(HOSTILE[hostile]))
        nbformat.write(work, folder / f"{ASSIGNMENT}.ipynb")
        found[folder.parent.name] = entry
    return found


def grade(root: Path, strikes: int, rng: random.Random) -> int:
    """Calls `grade` again and again, and kills it so many times; returns how often it was."""
    command = [sys.executable, "-m", "autograder", "grade", ASSIGNMENT, "--jobs", "2", "--json"]
    records = root / "records" / ASSIGNMENT
    for strike in range(strikes + 1):
        with (root / "log").open("w") as log:
            grader = subprocess.Popen(command, cwd=root, env=environment(), stdout=log, stderr=log)
        aim = len(list(records.glob("*.json"))) + rng.randrange(
            1, 2 + len(list((root / "submitted").iterdir())) // 10
        )
        while grader.poll() is None:
            if strike < strikes and len(list(records.glob("*.json"))) >= aim:
                time.sleep(rng.uniform(0, 0.5))  # at any moment of what comes next
                grader.kill()
                grader.wait()
                break
            time.sleep(0.02)
        if grader.returncode in (0, 3):
            return strike
        if grader.returncode != -9:
            raise SystemExit(f"grade ended by itself:\n{(root / 'log').read_text()[-3000:]}")
    raise SystemExit("grade was killed by something else.")


def compare(root: Path, entries: dict[str, bank.Entry | None]) -> tuple[list[str], list[tuple]]:
    """The students in the gradebook, and each mark that is not the one that is known."""
    checks = load_checks(root / "checks" / f"{ASSIGNMENT}.py")
    students, wrong = [], []
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}", "kdlab") as gradebook:
        for submission in gradebook.assignment_submissions(ASSIGNMENT):
            student = submission.student.id
            students.append(student)
            entry = entries[student]
            grades = [
                grade
                for notebook in submission.notebooks
                for grade in notebook.grades
                if grade.name in checks  # others are for people to grade
            ]
            if sorted(grade.name for grade in grades) != sorted(checks):
                wrong.append((student, [grade.name for grade in grades]))
            for grade in grades:
                full = grade.auto_score == checks[grade.name].points
                if entry is None or entry.name == "stub":
                    right = grade.auto_score == 0
                else:
                    right = full == (grade.name not in entry.expected)
                if not right:
                    wrong.append((student, entry and entry.name, grade.name, grade.auto_score))
    return students, wrong


if __name__ == "__main__":
    main()
