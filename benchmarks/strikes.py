"""A class graded while `kill -9` strikes: is every mark right, and none doubled?

    python benchmarks/strikes.py                          # 200 submissions, 5 of them hostile
    python benchmarks/strikes.py --submissions 40 --strikes 3

The class is the bank of ps1_divergences, over and over. `grade` is killed at random moments, and
called again until it ends by itself. Then every mark in the gradebook is compared with what the
same answer earns when it is judged here, without a kernel or a gradebook, on the same random cases;
and where the bank says that an answer is right, it has all points, where wrong, it has not.
"""

from __future__ import annotations

import argparse
import fcntl
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import torch
from nbformat.v4 import new_code_cell
from nbgrader.api import Gradebook

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from autograder.authoring.proof import judged, quiet  # noqa: E402
from autograder.grading.records import Records  # noqa: E402
from autograder.questions import load_checks  # noqa: E402
from autograder.spec import Check  # noqa: E402
from benchmarks.grading import ASSIGNMENT, environment, prepare  # noqa: E402
from exercises import bank  # noqa: E402

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
        left = [path for path in Path("/tmp").glob("autograder-batch-*/lock") if is_free(path)]
        wrong, marks = compare(root, entries)
    print(f"{len(entries)} submissions, {len(HOSTILE)} of them hostile, in {seconds:.0f} s")
    print(f"{len(strikes)} strikes, each after so many records: {strikes}")
    print(f"{marks} marks compared; wrong: {wrong or 0}; left behind: {left or 0}")
    if wrong or left:
        raise SystemExit(1)


def hand_in(root: Path, submissions: int) -> dict[str, bank.Entry | None]:
    """Makes the class; the last ones are hostile.

    Returns:
        What each student handed in; None for a hostile notebook, which earns nothing.
    """
    known = bank.entries(ASSIGNMENT)
    honest = submissions - len(HOSTILE)
    entries = [known[number % len(known)] for number in range(honest)] + [None] * len(HOSTILE)
    answers = [entry.answers if entry else {} for entry in entries]
    prepare(root, submissions, bank.source(ASSIGNMENT), answers=answers)
    students = sorted(path.name for path in (root / "submitted").iterdir())
    for student, code in zip(students[honest:], HOSTILE, strict=True):
        path = root / "submitted" / student / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
        notebook = nbformat.read(path, as_version=4)
        notebook.cells.insert(2, new_code_cell(code))
        nbformat.write(notebook, path)
    return dict(zip(students, entries, strict=True))


def grade(root: Path, strikes: int, rng: random.Random) -> list[int]:
    """Calls `grade` again and again, and kills it so many times.

    Every third strike falls while it starts, the others at any moment of the work.

    Returns:
        How many records there were at each strike.
    """
    command = [sys.executable, "-m", "autograder", "grade", ASSIGNMENT, "--jobs", "2", "--json"]
    submissions = len(list((root / "submitted").iterdir()))

    def recorded() -> int:
        return len(list((root / "records" / ASSIGNMENT).glob("*.json")))

    done: list[int] = []
    while True:
        early = len(done) % 3 == 2
        aim = recorded() + (0 if early else rng.randrange(1, 2 + 2 * submissions // (strikes + 1)))
        with (root / "log").open("w") as log:
            grader = subprocess.Popen(command, cwd=root, env=environment(), stdout=log, stderr=log)
        while grader.poll() is None:
            if len(done) < strikes and recorded() >= aim:
                time.sleep(rng.uniform(0, 6 if early else 0.5))  # at any moment of what comes next
                grader.kill()
                break
            time.sleep(0.02)
        status = grader.wait()
        if status in (0, 3):
            return done
        if status != -9:
            raise SystemExit(f"grade ended by itself:\n{(root / 'log').read_text()[-3000:]}")
        done.append(recorded())


def is_free(lock: Path) -> bool:
    """Whether no process holds the lock of a batch's folder."""
    try:
        with lock.open() as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def compare(root: Path, entries: dict[str, bank.Entry | None]) -> tuple[list[tuple], int]:
    """What is not as it must be, and how many marks were compared.

    A mark is compared with the points that the same answer earns when it is judged here. Marks that
    people give are not among those.
    """
    torch.set_num_threads(1)
    checks = load_checks(root / "checks" / f"{ASSIGNMENT}.py")
    records = {record.student: record for record in Records(root, ASSIGNMENT).all()}
    wrong: list[tuple] = [
        ("record", student) for student in sorted(records.keys() ^ entries.keys())
    ]
    known: dict[str, dict[str, float]] = {}
    seen, marks = [], 0
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}", "kdlab") as gradebook:
        for submission in gradebook.assignment_submissions(ASSIGNMENT):
            student = submission.student.id
            seen.append(student)
            entry, points = entries[student], dict.fromkeys(checks, 0.0)
            if entry is not None:
                if entry.name not in known:
                    known[entry.name] = expected(checks, entry, records[student].seed)
                points = known[entry.name]
            graded = [
                (grade.name, grade.auto_score)
                for notebook in submission.notebooks
                for grade in notebook.grades
                if grade.name in checks
            ]
            marks += len(graded)
            if sorted(graded) != sorted(points.items()):  # a mark that is there twice is as wrong
                wrong.append((student, entry and entry.name, graded, points))
    wrong += [("gradebook", *sorted(seen))] if sorted(seen) != sorted(entries) else []
    return wrong, marks


def expected(checks: dict[str, Check], entry: bank.Entry, seed: int) -> dict[str, float]:
    """What a member of the bank earns, by task.

    Raises:
        SystemExit: When that is not what the bank says of it.
    """
    with quiet():
        verdicts = judged(bank.source(ASSIGNMENT), checks, entry, seed)
    points = {name: verdict.points for name, verdict in verdicts.items()}
    for name, check in checks.items():
        right = entry.name != "stub" and name not in entry.expected
        if right != (points[name] == check.points):
            raise SystemExit(f"{entry.name}: {name} earns {points[name]:g} here.")
    return points


if __name__ == "__main__":
    main()
