"""The bank: sample submissions, right in different ways (wheats) or wrong in a named way (chaffs).

A submission is a Python file. Its first lines say what it is and, for a chaff, which hint each
wrong task must earn (`# expect forward_kl: cross_entropy`); its imports follow. A compound makes
several mistakes at once, so no hint needs to fit; it says `# wrong forward_kl`. A line
`# %% task: forward_kl` starts the answer to a task. To a task that a file leaves out, the
notebook's own solution is the answer.
"""

from __future__ import annotations

import ast
import re
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.cells import ANSWER, grade_id

IMPORTS = (ast.Import, ast.ImportFrom)


@dataclass(frozen=True)
class Entry:
    """A sample submission.

    Args:
        name: "wheat-loops", "chaff-base_two", "compound-…", "solution" or "stub".
        answers: Source by task; a task without one keeps the released stub.
        expected: By wrong task, the misconception that must be recognised; None where any verdict
            without full points will do.
    """

    name: str
    answers: dict[str, str]
    expected: dict[str, str | None]


def source(root: Path, assignment: str) -> NotebookNode:
    """An assignment's source notebook, in a course's folder."""
    path = root / "source" / assignment / f"{assignment}.ipynb"
    return nbformat.read(path, as_version=4)


def solution(notebook: NotebookNode) -> dict[str, str]:
    """The notebook's own solution: source by task, without the BEGIN and END SOLUTION lines."""
    return {
        grade_id(cell).removesuffix(ANSWER): re.sub(
            r"^.*### (BEGIN|END) SOLUTION\n?", "", cell.source, flags=re.MULTILINE
        )
        for cell in notebook.cells
        if grade_id(cell).endswith(ANSWER)
    }


def entries(root: Path, assignment: str) -> list[Entry]:
    """All sample submissions of an assignment, and its own solution and the untouched stub."""
    own = solution(source(root, assignment))
    found = [Entry("solution", own, {}), Entry("stub", {}, {})]
    for kind in ("wheat", "chaff", "compound"):
        for path in sorted((root / "bank" / assignment / f"{kind}s").glob("*.py")):
            try:
                answers, expected = parse(path.read_text(encoding="utf-8-sig"))
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from None
            if unknown := (answers.keys() | expected.keys()) - own.keys():
                cells = ", ".join(f"{task}{ANSWER}" for task in sorted(unknown))
                raise ValueError(
                    f"{path} answers what is no task of {assignment}: its notebook has no cell with"
                    f" the id {cells}."
                )
            if kind != "wheat" and not expected:
                raise ValueError(
                    f"{path} does not say what is wrong in it. Begin it with '# expect TASK: HINT'"
                    " or '# wrong TASK'."
                )
            found.append(Entry(f"{kind}-{path.stem}", own | answers, expected))
    return found


def parse(text: str) -> tuple[dict[str, str], dict[str, str | None]]:
    """Reads a submission's file.

    Returns:
        Source by task, each with the file's imports, and the expected misconception by task.

    Raises:
        ValueError: When the file answers no task, a line `# expect` or `# wrong` is not read, or
            what stands above the first task is no Python.
    """
    head, *blocks = re.split(r"^# *%% *task:", text, flags=re.MULTILINE)
    if not blocks:
        raise ValueError("There is no line '# %% task: TASK' in it, so it answers nothing.")
    for line in re.findall(r"^# *(?:expect|wrong)\b.*", head, re.MULTILINE):
        if not re.fullmatch(r"# expect \w+: \w+|# wrong \w+", line):
            raise ValueError(
                f"{line!r} is not read. Write '# expect TASK: HINT' or '# wrong TASK'."
            )
    expected = dict.fromkeys(re.findall(r"^# wrong (\w+)$", head, flags=re.MULTILINE))
    expected |= dict(re.findall(r"^# expect (\w+): (\w+)$", head, flags=re.MULTILINE))
    try:
        found = [each for each in ast.parse(head).body if isinstance(each, IMPORTS)]
    except SyntaxError as error:
        raise ValueError(f"Line {error.lineno}, above the first task, is no Python.") from None
    imports = "\n".join(map(ast.unparse, found))
    answers = {}
    for block in blocks:
        task, _, body = block.partition("\n")
        answers[task.strip()] = f"{imports}\n\n\n{body.strip()}\n".lstrip()
    return answers, expected


def submission(released: NotebookNode, answers: dict[str, str]) -> NotebookNode:
    """A student's notebook: the released one with answers filled in."""
    notebook = deepcopy(released)
    for cell in notebook.cells:
        task = grade_id(cell).removesuffix(ANSWER)
        if grade_id(cell).endswith(ANSWER) and task in answers:
            cell.source = answers[task]
    return notebook
