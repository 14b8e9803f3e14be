"""A set to begin with: a notebook of two tasks, its checks, its bank, and a test that proves it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"  # nbgrader's marks

SETTINGS = """# What differs from one class to another.

id = "{course}"

# Where assignments and submissions change hands: a folder that all can reach. The command
# `python -m autograder exchange PATH` makes it and writes it here. A relative path begins in this
# folder; the variable KDLAB_EXCHANGE takes the setting's place.
exchange = "exchange"

# Where students read what the hints link to.
book = "http://localhost:8000"
"""

CONFIGURATION = '''"""The course as nbgrader sees it. Run nbgrader's commands in this folder."""

from pathlib import Path

from autograder.grading.configuration import configure

c = get_config()  # noqa: F821  (nbgrader defines it)
configure(c, Path(__file__).parent)

c.Judge.timeout = 60  # seconds a cell
c.Judge.notebook_timeout = 300  # seconds
c.Sandbox.memory_mb = 2048
'''

STORY = """# {title}

What students will have done when they are through, in a sentence or two.

| task | | minutes | points |
| --- | --- | --- | --- |
| 1 | Take the mean away | 10 | 4 |
| 2 | Say why | 5 | 2 |
"""

TASK = """## Task 1. Take the mean away (10 minutes, 4 points)

Write `centered(values)`: a tensor of the same shape, with the mean of all values taken away from
each. Of $[1, 2, 6]$ it makes $[-2, -1, 3]$. A single value becomes 0.
"""

ANSWER = f'''def centered(values):
    """values: a tensor of numbers."""
    {BEGIN}
    return values - values.mean()
    {END}
'''

WRITTEN = """## Task 2. Say why (5 minutes, 2 points)

Why does the result not change when 100 is added to all values? Two sentences. *A person marks this:
a point for the mean, which grows by 100 too, and a point for the difference.*
"""

CHECKS = '''"""The checks of {name}; never released."""

import torch

from autograder.spec import Case, FunctionCheck, Misconception, Section

MEANS = Section("1", "Means", "https://en.wikipedia.org/wiki/Arithmetic_mean")


def random(rng):
    """Cases that are drawn anew for every submission."""
    values = rng.normal(size=rng.integers(3, 9))
    yield Case("random", (torch.tensor(values, dtype=torch.float32),))


CHECKS = (
    FunctionCheck(
        name="centered",
        parts={{"values": 3, "a single value": 1}},
        expected="a tensor of the same shape, the mean of all values taken away from each",
        section=MEANS,
        reference=lambda values: values.double() - values.double().mean(),
        fixed=(
            Case("three values", (torch.tensor([1.0, 2.0, 6.0]),), public=True),
            Case("equal values", (torch.tensor([2.5, 2.5]),)),
            Case("far from zero", (torch.tensor([1e3, -5.0, 7.0, 0.25]),)),
            Case("one value", (torch.tensor([3.5]),), part="a single value"),
        ),
        random=random,
        misconceptions=(
            Misconception(
                name="median",
                hint="Your result is what is left when the value in the middle is taken away from"
                " each. For which values is that not the mean?",
                section=MEANS,
                implementation=lambda values: values - values.median(),
            ),
            Misconception(
                name="not_taken_away",
                hint="Your result is one number, the mean. How many are asked for?",
                section=MEANS,
                implementation=lambda values: values.mean(),
            ),
        ),
    ),
)
'''

BANK = {
    "wheats/loops.py": """# A loop, as in a first course.
import torch


# %% task: centered
def centered(values):
    total = 0.0
    for value in values:
        total += value
    result = torch.empty(len(values))
    for place, value in enumerate(values):
        result[place] = value - total / len(values)
    return result
""",
    "wheats/in_place.py": """# A copy, changed in place.
import torch


# %% task: centered
def centered(values):
    result = values.clone()
    result -= torch.sum(values) / values.numel()
    return result
""",
    "chaffs/median.py": """# The median in place of the mean.
# expect centered: median
import torch


# %% task: centered
def centered(values):
    return values - torch.median(values)
""",
    "chaffs/not_taken_away.py": """# The mean itself.
# expect centered: not_taken_away


# %% task: centered
def centered(values):
    return sum(values) / len(values)
""",
    "compounds/median_twice.py": """# Two mistakes at once, so that no hint needs to fit.
# wrong centered
import torch


# %% task: centered
def centered(values):
    return 2 * (values - torch.median(values))
""",
}

TEST = '''"""{name} is sound: `python -m autograder selftest {name}` as a test."""

from pathlib import Path

import pytest

from autograder.authoring.proof import prove

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("part", prove(ROOT, "{name}"), ids=lambda part: part.name)
def test_{name}(part) -> None:
    assert part.tried
    assert part.problems == []
'''


def make(root: Path, name: str) -> list[Path]:
    """Writes a new set, and the course's configuration where the folder has none.

    Args:
        root: The course's folder.
        name: The set's name.

    Returns:
        The files that were written.

    Raises:
        ValueError: When the name cannot be used.
        FileExistsError: When one of the set's files or folders is there already.
        OSError: When a file cannot be written; then none of them stays.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,60}", name):
        raise ValueError(
            f"{name!r} is no name for a set: small letters, digits and _, a letter first."
        )
    files = {
        f"checks/{name}.py": CHECKS.format(name=name),
        f"tests/test_{name}.py": TEST.format(name=name),
        f"source/{name}/{name}.ipynb": nbformat.writes(notebook(name)),
    }
    files |= {f"bank/{name}/{path}": text for path, text in BANK.items()}
    for path in (f"source/{name}", f"bank/{name}", *files):
        if (root / path).exists():
            raise FileExistsError(f"There is a {path} already; nothing was written.")
    if not (root / "nbgrader_config.py").exists():
        files["nbgrader_config.py"] = CONFIGURATION
        if not (root / "course.toml").exists():
            course = re.sub(r"[^\w.-]", "-", root.resolve().name) or "course"
            files["course.toml"] = SETTINGS.format(course=course)
    try:
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
    except OSError:  # half a set would be in the way of the next attempt
        for path in files:
            (root / path).unlink(missing_ok=True)
        for folder in ("source", "bank"):
            shutil.rmtree(root / folder / name, ignore_errors=True)
        raise
    return [root / path for path in sorted(files)]


def notebook(name: str) -> NotebookNode:
    """The source notebook of a new set."""
    cells = [
        _marked(
            new_markdown_cell(STORY.format(title=name.replace("_", " ").capitalize())), "story"
        ),
        _marked(new_code_cell("import torch\n\nfrom autograder.check import check"), "setup"),
        _marked(new_markdown_cell(TASK), "centered_task"),
        _marked(new_code_cell(ANSWER.rstrip()), "centered_answer", solution=True),
        _marked(new_code_cell('check("centered", centered)'), "centered", points=4),
        _marked(new_markdown_cell(WRITTEN), "why_task"),
        _marked(new_markdown_cell("*Your answer.*"), "why", points=2, solution=True),
    ]
    made = new_notebook(cells=cells)
    made.metadata.kernelspec = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    return made


def _marked(cell: NotebookNode, name: str, points: int = 0, solution: bool = False) -> NotebookNode:
    marks: dict[str, Any] = {
        "grade": points > 0,
        "grade_id": name,
        "locked": not solution,
        "schema_version": 3,
        "solution": solution,
        "task": False,
    }
    cell.id = name
    cell.metadata.nbgrader = nbformat.from_dict(marks | ({"points": points} if points else {}))
    return cell
