"""What a notebook imports: `check("forward_kl", forward_kl)`.

On the student's machine, the questions and the expected results of the public cases come from the
file `*.public.json` beside the notebook, and the answers are judged at once, in the same process.
When a submission is graded, the grader asks the questions (`autograder.kernel.asking`) and judges
the answers in another process; the sandbox does not have this file.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from inspect import unwrap
from pathlib import Path
from textwrap import fill
from types import CodeType, FunctionType, ModuleType
from typing import Any

from autograder.judging.evidence import read_evidence, room_for
from autograder.judging.rubric import Rubric, rubric_from_data
from autograder.judging.verdict import Status, judge, public_notes, verdict_html
from autograder.kernel import asking
from autograder.kernel.evidence import Outcome, write_evidence

PUBLIC_SUFFIX = ".public.json"
WITHHELD = "kdlab"  # by default not there in grading, as it contains what most tasks ask for
CHECK_LINE = re.compile(r'^check\("(\w+)", (\w+)\)$')  # the only line of a graded cell

_failing: set[str] = set()  # tasks whose public check failed when it was last run here


class CheckFailed(Exception):
    """Raised by `check` when validation fails or the answer is stopped; only its message shows."""

    def _render_traceback_(self) -> list[str]:
        return str(self).splitlines()


def check(name: str, value: Any) -> None:
    """Tries your answer, and says how it did on the public cases.

    Args:
        name: The task's name.
        value: Your function, or your answer.

    Raises:
        FileNotFoundError: When the assignment's public cases are not beside the notebook.
        ValueError: When they are damaged.
        CheckFailed: While nbgrader validates, when a public case is wrong; and when the answer is
            stopped before it returns.
    """
    if asking.answers(name, value):
        return
    validating = bool(os.environ.get("NBGRADER_VALIDATING"))
    try:
        public = find_public(name)
    except (OSError, ValueError) as error:
        if validating:
            raise CheckFailed(folded(str(error))) from None
        raise
    try:
        seen = asking.observe(value, public)
    except KeyboardInterrupt:  # by a person, or by Validate when a cell's time is over
        raise CheckFailed(
            f"{name}: stopped\nYour answer was stopped before it returned. Does a loop never end?"
        ) from None
    rubric = rubric_from_data(public["rubric"])
    most = room_for(each.outcome for each in rubric.expectations)
    text = write_evidence(name, "", seen, most)
    outcomes = read_evidence(text, check=name, nonce="", count=len(seen), most=most)
    failing = [n for n in rubric.uses if n in _failing]
    withheld = WITHHELD if needs(value, WITHHELD) else ""
    ok, plain, html = describe(rubric, outcomes, failing, brief=validating, withheld=withheld)
    (_failing.discard if ok else _failing.add)(name)
    if validating and not ok:
        raise CheckFailed("\n".join(map(folded, plain.splitlines())))
    asking.publish(text, plain, html)


def find_public(name: str) -> dict[str, Any]:
    """Finds a task's public cases in the files beside the notebook.

    Raises:
        FileNotFoundError: When no file in the working directory has them.
        ValueError: When such a file is damaged.
    """
    here = Path.cwd()
    for path in sorted(here.glob(f"*{PUBLIC_SUFFIX}")):
        try:
            tasks = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            raise ValueError(
                f"{path} is damaged: remove it, and fetch the assignment again."
            ) from None
        if name in tasks:
            return tasks[name]
    raise FileNotFoundError(
        f"No public cases for {name!r} in {here}. The file that ends in {PUBLIC_SUFFIX} belongs "
        "beside the notebook; fetch the assignment again if it is gone."
    )


def folded(line: str) -> str:
    """A line, wrapped at 80 characters, because `nbgrader validate` cuts lines at 83."""
    if line.startswith("  "):  # a row of a table
        return line
    return fill(line, 80, break_long_words=False, break_on_hyphens=False)


def describe(
    rubric: Rubric,
    outcomes: list[Outcome],
    failing: Sequence[str] = (),
    brief: bool = False,
    withheld: str = "",
) -> tuple[bool, str, str]:
    """Says how the public cases went.

    Args:
        rubric: The rubric of the public cases.
        outcomes: The outcomes of the public cases.
        failing: The earlier tasks that the answer may call and whose own checks fail.
        brief: Whether the plain text shows only the first wrong case and counts the others.
        withheld: The package that the answer uses and that is not there in grading; empty if none.

    Returns:
        Whether the answer is right or, if judged only later, well formed; the words as plain text;
        and the words as HTML.
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
    if failing and not ok and verdict.status is not Status.NOT_RUN:
        names = " and ".join(f"`{name}`" for name in failing)
        message += (
            f" The check of {names} fails too. If your answer calls that, mend it first; grading"
            " tries this answer with a right version of it as well."
        )
    if withheld:
        message += (
            f" It uses `{withheld}`, which is not there when work is graded unless your course says"
            " that it is."
        )
    section = verdict.section
    plain = [title, message]
    if verdict.hint:
        plain.append(f"Hint: {verdict.hint}")
    shown = notes[:1] if brief else notes
    plain += [note.to_text() for note in shown]
    if more := len(notes) - len(shown):
        cases = "case is" if more == 1 else "cases are"
        plain.append(f"{more} more {cases} wrong: run this check in the notebook to see them.")
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


def needs(value: Any, package: str) -> bool:
    """Whether an answer, or what it calls in the notebook, uses a package.

    Args:
        value: The function or class; of any other value, only the module of its type is looked at.
        package: The package's name.
    """
    space = getattr(sys.modules.get(getattr(value, "__module__", "")), "__dict__", {})
    waiting, seen = [value], set()
    while waiting:
        each = waiting.pop()
        each = unwrap(getattr(each, "fget", each))  # from a property, a static or class method
        if id(each) in seen:
            continue
        seen.add(id(each))
        home = each.__name__ if isinstance(each, ModuleType) else getattr(each, "__module__", "")
        if str(home).partition(".")[0] == package:
            return True
        if home != getattr(value, "__module__", ""):
            continue
        if isinstance(each, type):
            waiting += vars(each).values()
        codes = [each.__code__] if isinstance(each, FunctionType) else []
        while codes:
            code = codes.pop()
            codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
            if any(name.partition(".")[0] == package for name in code.co_names):
                return True
            waiting += [space[name] for name in code.co_names if name in space]
    return False


def nearest(name: str, others: Iterable[str]) -> str | None:
    """The one of `others` that was probably meant, ignoring case; None if none is near enough."""
    lower = {other.lower(): other for other in sorted(others)}
    near = get_close_matches(name.lower(), lower, 1, 0.75)
    return lower[near[0]] if near else None


def _shell() -> Any:
    """The running IPython, if there is one."""
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    return get_ipython()


def _say_what_is_missing(
    shell: Any, kind: type, error: NameError, trace: Any, tb_offset: int | None = None
) -> None:
    """Shows a sentence in place of a NameError's traceback where `check` is given that name."""
    line = CHECK_LINE.match(shell.user_ns.get("In", [""])[-1].strip())
    if line is None or line[2] != error.name:
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
        return
    name = line[2]
    own = [
        each
        for each in shell.user_ns.keys() - shell.user_ns_hidden.keys()
        if not each.startswith("_") and each != "check"
    ]
    words = f"`{name}` is not defined yet. Write your answer in the cell above, and run that cell."
    if near := nearest(name, own):
        words = f"`{name}` is not defined. Your notebook has `{near}`; is that what you mean?"
    shell._showtraceback(kind, error, folded(words).splitlines())


if (_running := _shell()) is not None:
    _running.set_custom_exc((NameError,), _say_what_is_missing)
