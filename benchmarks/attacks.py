"""Hostile and honest notebooks, graded by us and by stock nbgrader, side by side.

The corpus is tests/autograder/attacks: a folder a class, a file a notebook. `# deserves task: n`
says what an attack's honest part earns; without it, nothing. A control deserves everything.

    python benchmarks/attacks.py [--ours] [NAME ...]
    python benchmarks/attacks.py --record book/instructors/attacks.json   # what the page shows, by
                                                # classes where all at once would take too long

Stock nbgrader runs in a container of its own (bubblewrap, this file system read-only, no network),
so that what it lets through does no harm here. Attacks marked `# safe on stock: no` would take the
machine down from there too; they are counted as not run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
import psutil
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).parents[1]
CORPUS = ROOT / "tests" / "autograder" / "attacks"
ASSIGNMENT = "attacked"
TASKS = {"forward_kl": 4.0, "reverse_kl": 4.0}
CONTROLS = "controls"
NOT_RUN = "not run"
MiB = 2**20
COST: dict = {}  # what the last run of ours cost the grader: bytes of memory, of its largest record
STOCK_SECONDS = 90  # for one submission, Python's start included

# What every course folder holds, ours and the stock one: an answer for the thieves to find.
SOLUTIONS = """
def solution_forward_kl(student_logits, teacher_logits):
    log_q, log_p = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)  # end


def solution_reverse_kl(student_logits, teacher_logits):
    log_q, log_p = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    return (log_q.exp() * (log_q - log_p)).sum(-1)  # end
"""

CHECKS = (
    '''"""Checks of the assignment that the corpus attacks."""

import numpy as np
import torch

from autograder.spec import Case, FunctionCheck
from autograder.judging.rubric import Section

WITHHELD = ("kdlab.divergences", "kdlab.objective", "kdlab.fused")
'''
    + SOLUTIONS
    + """

def logits(rng, shape):
    return torch.tensor(rng.normal(scale=3, size=shape), dtype=torch.float32)


def random(rng):
    for shape in ((5,), (3, 4), (2, 3, 6)):
        yield Case("random", (logits(rng, shape), logits(rng, shape)))
    far = torch.tensor(np.eye(4)[:2] * rng.uniform(300, 900), dtype=torch.float32)
    yield Case("random, extreme", (far, far.flip(0)), part="extreme")


FIXED = (
    Case("one", (torch.tensor([0.0, 1.0, 2.0]), torch.tensor([2.0, 0.5, 0.0])), public=True),
    Case("two", (torch.tensor([[1.0, 2.0]] * 2), torch.tensor([[0.0, 3.0]] * 2)), public=True),
    Case("hidden", (torch.tensor([1.0, -1.0, 3.0]), torch.tensor([0.0, 2.0, 2.5]))),
    Case("far", (torch.tensor([300.0, 0.0]), torch.tensor([0.0, 300.0])), part="extreme"),
)
CHECKS = tuple(
    FunctionCheck(
        name=name,
        parts={"values": 3, "extreme": 1},
        expected="a divergence of logits, one value per position",
        section=Section("1.2", "Measuring the mismatch", "http://book/"),
        reference=lambda s, t, solution=solution: solution(s.double(), t.double()),
        fixed=FIXED,
        random=random,
    )
    for name, solution in (
        ("forward_kl", solution_forward_kl),
        ("reverse_kl", solution_reverse_kl),
    )
)
"""
)

# The same tasks as stock nbgrader tests them: assertions in the student's kernel.
STOCK_TEST = """
import torch
s, t = torch.tensor([0.0, 1.0, 2.0]), torch.tensor([2.0, 0.5, 0.0])
assert torch.allclose(torch.as_tensor({task}(s, t)).float(), torch.tensor({public}), atol=1e-3)
### BEGIN HIDDEN TESTS
s, t = torch.tensor([1.0, -1.0, 3.0]), torch.tensor([0.0, 2.0, 2.5])
assert torch.allclose(torch.as_tensor({task}(s, t)).float(), torch.tensor({hidden}), atol=1e-3)
s, t = torch.tensor([300.0, 0.0]), torch.tensor([0.0, 300.0])
assert torch.allclose(torch.as_tensor({task}(s, t)).float(), torch.tensor(300.0), atol=1e-2)
### END HIDDEN TESTS
"""
STOCK_TESTS = {
    "forward_kl": STOCK_TEST.format(task="forward_kl", public=1.2921, hidden=0.8519),
    "reverse_kl": STOCK_TEST.format(task="reverse_kl", public=1.1715, hidden=0.3841),
}

OUR_OPTIONS = """
c.Judge.timeout = 5
c.Judge.notebook_timeout = 20
c.Sandbox.memory_mb = 512
c.Sandbox.processes = 48
"""


@dataclass(frozen=True)
class Entry:
    """A notebook of the corpus.

    Args:
        kind: Its class, the folder's name.
        name: The file's name.
        blocks: Kind of block and source, in the file's order.
        deserves: Points by task that its honest part is worth.
        safe_on_stock: Whether stock nbgrader can run it without danger to the machine.
    """

    kind: str
    name: str
    blocks: tuple[tuple[str, str], ...]
    deserves: dict[str, float]
    safe_on_stock: bool

    @property
    def student(self) -> str:
        """Who hands it in."""
        return f"{self.kind}-{self.name}"

    @property
    def is_attack(self) -> bool:
        """Whether it is hostile."""
        return self.kind != CONTROLS


@dataclass
class Mark:
    """What an entry earned.

    Args:
        points: Points in all; None when it was not graded.
        status: Statuses or errors, in words.
        seconds: How long grading took.
    """

    points: float | None
    status: str = ""
    seconds: float = field(default=0.0, compare=False)


def entries() -> list[Entry]:
    """The corpus, accomplices before thieves."""
    return [read(path) for path in sorted(CORPUS.glob("*/*.py"))]


def read(path: Path) -> Entry:
    """Reads a file of the corpus."""
    head, *blocks = re.split(r"^# %% ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    kind = path.parent.name
    found = re.findall(r"^# deserves (\w+): (\d+)$", head, flags=re.MULTILINE)
    deserves = {task: float(points) for task, points in found}
    return Entry(
        kind=kind,
        name=path.stem,
        blocks=tuple(tuple(block.split("\n", 1)) for block in blocks),
        deserves=dict(TASKS) if kind == CONTROLS else deserves,
        safe_on_stock="# safe on stock: no" not in head,
    )


def source_notebook(tests: dict[str, str]) -> NotebookNode:
    """The assignment as an instructor writes it.

    Args:
        tests: Source of each task's graded cell.
    """

    def marks(name: str, **given: object) -> dict:
        plain = {"grade": False, "solution": False, "locked": True, "task": False}
        return {"nbgrader": {**plain, "schema_version": 3, "grade_id": name, **given}}

    cells = [
        new_markdown_cell("# Two divergences", metadata=marks("story")),
        new_code_cell(
            "import torch\nimport torch.nn.functional as F\n\nfrom autograder.check import check",
            metadata=marks("setup"),
        ),
    ]
    for task, points in TASKS.items():
        answer = re.search(rf"def solution_{task}.*?  # end", SOLUTIONS, re.DOTALL)[0]
        head, body = answer.replace("solution_", "").split("\n", 1)
        answer = f"{head}\n    ### BEGIN SOLUTION\n{body}\n    ### END SOLUTION"
        cells += [
            new_code_cell(answer, metadata=marks(f"{task}_answer", solution=True, locked=False)),
            new_code_cell(tests[task].strip(), metadata=marks(task, grade=True, points=points)),
        ]
    notebook = new_notebook(cells=cells)
    notebook.metadata.kernelspec = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    return notebook


def make_course(root: Path, tests: dict[str, str], config: str) -> NotebookNode:
    """Makes a course folder and releases the assignment in it.

    Returns:
        The released notebook.
    """
    (root / "source" / ASSIGNMENT).mkdir(parents=True)
    (root / "checks").mkdir()
    (root / "checks" / f"{ASSIGNMENT}.py").write_text(CHECKS, encoding="utf-8")
    (root / "nbgrader_config.py").write_text(config, encoding="utf-8")
    shutil.copy(ROOT / "exercises" / "course.toml", root)
    name = f"{ASSIGNMENT}.ipynb"
    nbformat.write(source_notebook(tests), root / "source" / ASSIGNMENT / name)
    nbgrader(root, "generate_assignment", ASSIGNMENT)
    return nbformat.read(root / "release" / ASSIGNMENT / name, as_version=4)


def nbgrader(root: Path, *arguments: str) -> None:
    """Runs a command of nbgrader's in a course folder."""
    command = [sys.executable, "-m", "nbgrader", *arguments]
    environment = os.environ | {  # nbgrader calls alembic by name
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    }
    done = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"nbgrader {' '.join(arguments)} failed:\n{done.stderr[-3000:]}")


def hand_in(root: Path, released: NotebookNode, entry: Entry) -> None:
    """Fills in the released notebook as the entry says and puts it among the submissions."""
    notebook = nbformat.from_dict(released)
    folder = root / "submitted" / entry.student / ASSIGNMENT
    shutil.copytree(root / "release" / ASSIGNMENT, folder)
    answers = {}
    if not entry.is_attack:
        for task in TASKS:
            answer = re.search(rf"def solution_{task}.*?  # end", SOLUTIONS, re.DOTALL)[0]
            answers[task] = answer.replace("solution_", "")
    extra, last, tampering = [], [], []
    for kind, text in entry.blocks:
        text = text.strip()
        if kind == "every task":
            answers |= {task: text.replace("TASK", task) for task in TASKS}
        elif kind.startswith("task: "):
            answers[kind.removeprefix("task: ")] = text
        else:
            {"cell": extra, "last": last, "tamper": tampering}[kind].append(text)
    for cell in notebook.cells:
        name = cell.metadata.nbgrader.grade_id.removesuffix("_answer")
        if cell.metadata.nbgrader.solution and name in answers:
            cell.source = answers[name]
    notebook.cells[2:2] = [new_code_cell(text) for text in extra]
    notebook.cells += [new_code_cell(text) for text in last]
    for text in tampering:  # our own code, which plays the student at the file
        exec(text, {"notebook": notebook, "folder": folder, "root": root})
    path = folder / f"{ASSIGNMENT}.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")  # nbformat would refuse some of them


def grade_with_ours(corpus: Iterable[Entry], jobs: int = 2) -> dict[str, Mark]:
    """Grades the corpus with `python -m autograder grade`; the notebooks run in the sandbox.

    Returns:
        Marks by student.
    """
    with TemporaryDirectory(prefix="attacks-") as folder:
        root = Path(folder)
        config = (ROOT / "exercises" / "nbgrader_config.py").read_text(encoding="utf-8")
        tests = {task: f'check("{task}", {task})' for task in TASKS}
        released = make_course(root, tests, config + OUR_OPTIONS)
        for entry in corpus:
            hand_in(root, released, entry)
        command = [sys.executable, "-m", "autograder", "grade", ASSIGNMENT, "--json"]
        with (root / "out").open("wb") as out, (root / "err").open("wb") as err:
            grader = subprocess.Popen(
                [*command, "--jobs", str(jobs)], cwd=root, stdout=out, stderr=err
            )
            COST["memory"] = watch(grader)
        if grader.returncode not in (0, 3):
            raise RuntimeError(f"Grading failed:\n{(root / 'err').read_text()[-3000:]}")
        records = (root / "records" / ASSIGNMENT).glob("*.json")
        COST["record"], COST["of"] = max((path.stat().st_size, path.stem) for path in records)
        marks = {}
        for record in json.loads((root / "out").read_text()):
            words = [f"{v['check']}: {v['status']}" for v in record["verdicts"]]
            words = words or [f"set aside: {record['reason']}"]
            points = None if record["state"] == "quarantined" else record["points"]
            marks[record["student"]] = Mark(points, "; ".join(words), record["seconds"])
        return marks


def watch(grader: subprocess.Popen) -> int:
    """Waits for a grader's end.

    Returns:
        The most memory, in bytes, that it or one of its workers had; kernels are not among them.
    """
    most = 0
    while True:
        with contextlib.suppress(psutil.Error):
            one = psutil.Process(grader.pid)
            for process in (one, *one.children()):
                with contextlib.suppress(psutil.Error, OSError):
                    if process.cmdline() == one.cmdline():
                        text = Path(f"/proc/{process.pid}/status").read_text()
                        found = re.search(r"VmHWM:\s+(\d+)", text)  # of one that ended, none
                        most = max(most, 1024 * int(found[1]) if found else 0)
        with contextlib.suppress(subprocess.TimeoutExpired):
            grader.wait(0.1)
            return most


def grade_with_stock(corpus: Iterable[Entry]) -> dict[str, Mark]:
    """Grades what is safe of the corpus with `nbgrader autograde`, each in a container."""
    from nbgrader.api import Gradebook, MissingEntry

    marks = {}
    with TemporaryDirectory(prefix="attacks-") as folder:
        root = Path(folder)
        (root / "home").mkdir()
        config = 'c = get_config()\nc.CourseDirectory.course_id = "stock"\n'
        released = make_course(root, STOCK_TESTS, config)
        for entry in corpus:
            if not entry.safe_on_stock:
                marks[entry.student] = Mark(None, NOT_RUN)
                continue
            hand_in(root, released, entry)
            began = time.monotonic()
            status = in_container(root, entry.student)
            points = None
            with Gradebook(f"sqlite:///{root / 'gradebook.db'}", "stock") as gradebook:
                try:
                    found = gradebook.find_submission(ASSIGNMENT, entry.student)
                    points = float(found.score)
                except MissingEntry:
                    pass
            marks[entry.student] = Mark(points, status, time.monotonic() - began)
    return marks


def in_container(root: Path, student: str) -> str:
    """Runs `nbgrader autograde` on one submission, walled off from the machine."""
    command = [
        "bwrap",
        "--unshare-all",
        "--die-with-parent",
        "--new-session",
        "--ro-bind",
        "/",
        "/",
    ]
    command += ["--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--bind", root, root]
    command += [
        "--setenv",
        "HOME",
        root / "home",
        "--chdir",
        root,
        sys.executable,
        "-m",
        "nbgrader",
    ]
    command += ["autograde", ASSIGNMENT, "--student", student, "--force"]
    limit = f'ulimit -v {12 * 2**20}; ulimit -f {2**20}; exec "$@"'
    try:
        done = subprocess.run(
            ["bash", "-c", limit, "bash", *map(str, command)],
            timeout=STOCK_SECONDS,
            capture_output=True,
            check=False,
            # nbgrader calls alembic by name.
            env=os.environ
            | {
                "OMP_NUM_THREADS": "1",
                "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            },
        )
    except subprocess.TimeoutExpired:
        return "hung"
    return "" if done.returncode == 0 else "failed"


def won(entry: Entry, mark: Mark) -> bool:
    """Whether an attack earned more than its honest part deserves."""
    return entry.is_attack and (mark.points or 0.0) > sum(entry.deserves.values())


def harmed(entry: Entry, mark: Mark) -> bool:
    """Whether honest work earned less than it deserves."""
    return not entry.is_attack and (mark.points or 0.0) < sum(entry.deserves.values())


def by_class(corpus: list[Entry], ours: dict[str, Mark], stock: dict[str, Mark]) -> list[dict]:
    """For each class, how many notebooks it has, and how many of them won or were harmed."""
    rows = []
    for kind in {entry.kind for entry in corpus}:
        part = [entry for entry in corpus if entry.kind == kind]
        wrong = {
            side: sum(won(e, marks[e.student]) or harmed(e, marks[e.student]) for e in part)
            for side, marks in (("ours", ours), ("stock", stock))
        }
        too_dangerous = sum(stock[entry.student].status == NOT_RUN for entry in part)
        rows.append({"class": kind, "notebooks": len(part), **wrong, "not_run": too_dangerous})
    return rows


def main() -> None:
    """Grades the corpus and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--ours", action="store_true", help="leave stock nbgrader out")
    parser.add_argument("--record", type=Path, help="where to write the numbers that a page shows")
    parser.add_argument("names", nargs="*", help="parts of names; all without")
    options = parser.parse_args()
    corpus = [
        e for e in entries() if not options.names or any(n in e.student for n in options.names)
    ]
    whole = {entry.kind for entry in corpus} - {e.kind for e in entries() if e not in corpus}
    if options.record and (options.ours or whole != {entry.kind for entry in corpus}):
        parser.error("--record needs whole classes, with stock nbgrader beside them")
    began = time.monotonic()
    ours = grade_with_ours(corpus)
    seconds = time.monotonic() - began
    stock = {} if options.ours else grade_with_stock(corpus)
    print(f"{'notebook':<38} {'deserves':>8} {'ours':>6} {'stock':>6}  how ours ended")
    for entry in corpus:
        mark, other = ours[entry.student], stock.get(entry.student, Mark(None))
        shown = [
            "—" if m.points is None else f"{m.points:g}" + "*" * (won(entry, m) or harmed(entry, m))
            for m in (mark, other)
        ]
        worth = sum(entry.deserves.values())
        print(
            f"{entry.student:<38} {worth:>8g} {shown[0]:>6} {other.status or shown[1]:>6}"
            f"  {mark.status} ({mark.seconds:.1f} s)"
        )
    print()
    for name, marks in (("ours", ours), ("stock nbgrader", stock)):
        absent = Mark(None, NOT_RUN)
        run = [entry for entry in corpus if marks.get(entry.student, absent).status != NOT_RUN]
        attacks = [entry for entry in run if entry.is_attack]
        controls = [entry for entry in run if not entry.is_attack]
        if run:
            print(
                f"{name}: {sum(won(e, marks[e.student]) for e in attacks)} of {len(attacks)} "
                f"attacks won, {sum(harmed(e, marks[e.student]) for e in controls)} of "
                f"{len(controls)} controls harmed"
            )
    print(f"ours took {seconds:.0f} s with 2 jobs; batches ended: 0")
    print(f"a grader's process had {COST['memory'] / 2**20:.0f} MiB at most")
    print(f"the largest record has {COST['record'] / 2**20:.1f} MiB, of {COST['of']}")
    if options.record:
        record(options.record, by_class(corpus, ours, stock))


def record(path: Path, rows: list[dict]) -> None:
    """Writes the numbers that a page shows; classes that were not run keep theirs."""
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    kept = [
        row for row in known.get("classes", []) if row["class"] not in {r["class"] for r in rows}
    ]
    numbers = {
        "nbgrader": version("nbgrader"),
        "classes": sorted(kept + rows, key=lambda row: (row["class"] == CONTROLS, row["class"])),
        "memory_mib": max(round(COST["memory"] / MiB), known.get("memory_mib", 0)),
        "record_mib": max(round(COST["record"] / MiB, 1), known.get("record_mib", 0)),
    }
    path.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
