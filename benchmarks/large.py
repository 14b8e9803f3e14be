"""A large class: what its evening costs, and what of that grows faster than the class.

    python benchmarks/large.py                      # 100, 400 and 2,000 submissions
    python benchmarks/large.py --sizes 100 --json

Submissions are the bank's answers to three tasks, right ones and wrong ones in turn, each student's
with a comment of its own. They are graded on a Dask cluster of two workers, and every copy of an
answer must get the points of the others. Then come the commands of the rest of the evening. Of each
command: from its start to its end, processor time (the cluster's included), and the most memory
that its own process had.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from distributed import LocalCluster
from nbgrader.api import Gradebook
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.grading import ASSIGNMENT, environment, prepare, three_tasks  # noqa: E402
from exercises import bank  # noqa: E402

WORKERS = 2
MiB = 2**20
AFTER = {  # the rest of the evening
    "doctor": ["autograder", "doctor", ASSIGNMENT],
    "grade again": ["autograder", "grade", ASSIGNMENT],
    "feedback": ["autograder", "feedback", ASSIGNMENT, "--no-release"],
    "feedback again": ["autograder", "feedback", ASSIGNMENT, "--no-release"],
    "report": ["autograder", "report", ASSIGNMENT],
    "export": ["nbgrader", "export", "--to", "grades.csv"],
    "audit of one": ["autograder", "audit", ASSIGNMENT, "--students", "student0000"],
}


@dataclass
class Cost:
    """What one command cost.

    Args:
        command: The command.
        submissions: Of how many.
        seconds: From its start to its end.
        processor: Seconds of processor time, of all processes that worked for it.
        memory: The most bytes that the command's own process had.
    """

    command: str
    submissions: int
    seconds: float
    processor: float
    memory: int


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 400, 2000])
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
    options = parser.parse_args()
    costs: list[Cost] = []
    kept: dict[int, dict[str, int]] = {}
    notebook, entries = three_tasks(bank.source(ASSIGNMENT)), bank.entries(ASSIGNMENT)
    for submissions in options.sizes:
        with tempfile.TemporaryDirectory(prefix="large-") as folder:
            root = Path(folder, "course")
            prepare(root, submissions, notebook, answers=[entry.answers for entry in entries])
            with cluster() as address:
                command = ["autograder", "grade", ASSIGNMENT, "--executor", f"dask:{address}"]
                costs.append(measure(root, "grade", command, submissions))
            judge_alike(root, submissions)
            costs += [measure(root, name, each, submissions) for name, each in AFTER.items()]
            kept[submissions] = sizes(root)
    if options.json:
        print(json.dumps({"costs": [asdict(cost) for cost in costs], "kept": kept}, indent=1))
    else:
        show(costs, kept)


@contextmanager
def cluster() -> Iterator[str]:
    """A Dask cluster, its workers processes of their own; yields its scheduler's address."""
    os.environ.update(environment())
    with LocalCluster(
        n_workers=WORKERS, threads_per_worker=1, processes=True, dashboard_address=None
    ) as workers:
        yield workers.scheduler_address


def measure(root: Path, name: str, command: list[str], submissions: int) -> Cost:
    """Runs a command to its end.

    Raises:
        SystemExit: When it fails; its last lines are shown.
    """
    before, began, memory = processor_time(), time.perf_counter(), 0
    with (root / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=root, env=environment(), stdout=log, stderr=log
        )
        while process.poll() is None:
            memory = max(memory, peak(process.pid))
            time.sleep(0.05)
    seconds = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(f"{name} failed:\n{(root / 'log').read_text()[-3000:]}")
    cost = Cost(name, submissions, seconds, processor_time() - before, memory)
    print(cost, file=sys.stderr, flush=True)  # all at once is an hour later
    return cost


def peak(pid: int) -> int:
    """The most bytes that a process has had so far; 0 where it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = [line.split() for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(found[0][1]) * 1024 if found else 0


def processor_time() -> float:
    """Seconds of processor time of this process, of what has ended, and of what still runs."""
    own = psutil.Process()
    total = 0.0
    for process in (own, *own.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def judge_alike(root: Path, submissions: int) -> None:
    """Makes sure that all are graded, and copies of one answer alike.

    Raises:
        SystemExit: When they are not.
    """
    count = len(bank.entries(ASSIGNMENT))
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}", "kdlab") as gradebook:
        found = gradebook.assignment_submissions(ASSIGNMENT)
        points = {each.student.id: each.score for each in found}
    if len(points) != submissions:
        raise SystemExit(f"{len(points)} of {submissions} submissions were graded.")
    for number in range(count, submissions):
        mine, first = (points[f"student{each:04}"] for each in (number, number % count))
        if mine != first:
            raise SystemExit(f"student{number:04} has {mine} points, its original {first}.")


def sizes(root: Path) -> dict[str, int]:
    """Bytes of what a round leaves."""
    records = [path.stat().st_size for path in root.glob(f"records/{ASSIGNMENT}/*.json")]
    return {
        "records": sum(records),
        "largest record": max(records),
        "gradebook": (root / "gradebook.db").stat().st_size,
        "autograded": folder_size(root / "autograded"),
        "feedback": folder_size(root / "feedback"),
        "report": (root / "report.html").stat().st_size,
    }


def folder_size(folder: Path) -> int:
    """Bytes of a folder's files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def show(costs: list[Cost], kept: dict[int, dict[str, int]]) -> None:
    """Prints the tables."""
    table = Table(
        title=f"Three tasks of {ASSIGNMENT}, graded on a Dask cluster of {WORKERS} workers"
    )
    for column in ("command", "submissions", "seconds", "processor", "ms each", "peak MiB"):
        table.add_column(column, justify="left" if column == "command" else "right")
    for cost in sorted(costs, key=lambda cost: ["grade", *AFTER].index(cost.command)):
        table.add_row(
            cost.command,
            f"{cost.submissions:,}",
            f"{cost.seconds:.1f}",
            f"{cost.processor:.1f}",
            f"{1000 * cost.processor / cost.submissions:.1f}",
            f"{cost.memory / MiB:.0f}",
        )
    Console().print(table)
    table = Table("MiB", *(f"{size:,}" for size in kept), title="What it leaves")
    for name in next(iter(kept.values())):
        table.add_row(name, *(f"{each[name] / MiB:.1f}" for each in kept.values()))
    Console().print(table)


if __name__ == "__main__":
    main()
