"""What a notebook imports: `check("forward_kl", forward_kl)`.

On the student's machine the questions and the expected results of the public cases come from the
file `*.public.json` beside the notebook, and what comes back is judged on the spot. When a
submission is graded, the grader asks (`autograder.kernel.asking`) and judges elsewhere; the sandbox
does not have this file.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from autograder.judging.evidence import read_evidence
from autograder.judging.verdict import (
    Rubric,
    Status,
    judge,
    public_notes,
    rubric_from_data,
    verdict_html,
)
from autograder.kernel import asking
from autograder.kernel.evidence import Outcome, write_evidence

PUBLIC_SUFFIX = ".public.json"


class CheckFailed(Exception):
    """Raised by `check` while nbgrader validates a notebook; Validate shows its message."""

    def _render_traceback_(self) -> list[str]:
        return str(self).splitlines()


def check(name: str, value: Any) -> None:
    """Tries your answer, and says how it did on the public cases.

    Args:
        name: The task's name.
        value: Your function, or your answer.

    Raises:
        FileNotFoundError: When the assignment's public cases are not beside the notebook.
        CheckFailed: While nbgrader validates, when a public case is wrong.
    """
    if asking.answers(name, value):
        return
    public = find_public(name)
    text = write_evidence(name, "", asking.observe(value, public))
    rubric = rubric_from_data(public["rubric"])
    outcomes = read_evidence(text, check=name, nonce="", count=len(public["cases"]))
    ok, plain, html = describe(rubric, outcomes)
    if os.environ.get("NBGRADER_VALIDATING") and not ok:
        raise CheckFailed(plain)
    asking.publish(text, plain, html)


def find_public(name: str) -> dict[str, Any]:
    """Finds a task's public cases in the files beside the notebook.

    Raises:
        FileNotFoundError: When no file in the working directory has them.
    """
    here = Path.cwd()
    for path in sorted(here.glob(f"*{PUBLIC_SUFFIX}")):
        tasks = json.loads(path.read_text(encoding="utf-8"))
        if name in tasks:
            return tasks[name]
    raise FileNotFoundError(
        f"No public cases for {name!r} in {here}. The file that ends in {PUBLIC_SUFFIX} belongs "
        "beside the notebook; fetch the assignment again if it is gone."
    )


def describe(rubric: Rubric, outcomes: list[Outcome]) -> tuple[bool, str, str]:
    """Says how the public cases went.

    Returns:
        Whether all is well so far, and the words as plain text and as HTML.
    """
    verdict = judge(rubric, outcomes)
    notes = public_notes(rubric, outcomes)
    total = len(rubric.expectations)
    ok = verdict.status in (Status.CORRECT, Status.RECORDED)
    title, message = f"{rubric.check}: {verdict.status}", verdict.message
    if verdict.status is Status.CORRECT:
        cases = "the public case is" if total == 1 else f"all {total} public cases are"
        message = f"On this machine {cases} right. Grading asks others too."
    elif verdict.status is Status.NOT_RUN:
        notes = []
    elif notes:
        message += f" {total - len(notes)} of {total} public cases are right."
    section = verdict.section
    plain = [title, message]
    if verdict.hint:
        plain.append(f"Hint: {verdict.hint}")
    plain += notes
    if not ok:
        plain.append(f"Expected: {verdict.expected}")
        plain.append(f"Read: {section.number} {section.title} ({section.url})")
    html = verdict_html(
        title,
        good=ok,
        message=message,
        hint=verdict.hint,
        notes=notes,
        expected=None if ok else verdict.expected,
        section=None if ok else section,
    )
    return ok, "\n".join(plain), html
