"""What runs beside the student's code: `check("forward_kl", forward_kl)`.

`check` asks, publishes what came back as evidence, and awards nothing. On the student's machine
the questions and the expected results of the public cases come from the file `*.public.json` beside
the notebook, and the evidence is judged on the spot. When a submission is graded, the questions
come from the grader (`ask`), and it judges the evidence elsewhere.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import torch

from autograder.evidence import (
    MIME,
    Outcome,
    decode,
    loads,
    read_evidence,
    torch_tensor,
    write_evidence,
)
from autograder.verdict import (
    Rubric,
    Status,
    judge,
    public_notes,
    rubric_from_data,
    verdict_html,
)

PUBLIC_SUFFIX = ".public.json"
CHECK_LINE = re.compile(r'^check\("(\w+)", (\w+)\)$')  # the only line of a graded cell

_asked: dict[str, Any] | None = None
_failing: set[str] = set()  # tasks whose public check failed when it was last run here


class CheckFailed(Exception):
    """Raised by `check` while nbgrader validates a notebook; Validate shows its message."""

    def _render_traceback_(self) -> list[str]:
        return str(self).splitlines()


def ask(text: str) -> None:
    """Takes the grader's question for the next `check` of its name.

    Args:
        text: JSON with "check", "nonce", "cases" and "right".
    """
    global _asked
    _asked = loads(text)


def check(name: str, value: Any) -> None:
    """Tries your answer, and says how it did on the public cases.

    Args:
        name: The task's name.
        value: Your function, or your answer.

    Raises:
        FileNotFoundError: When the assignment's public cases are not beside the notebook.
        CheckFailed: While nbgrader validates, when a public case is wrong.
    """
    global _asked
    if _asked is not None and _asked["check"] == name:
        question, _asked = _asked, None
        outcomes = observe(value, question["cases"])
        if question["right"]:
            outcomes += observe_with(question["right"], value, question["cases"])
        _publish(write_evidence(name, question["nonce"], outcomes), "Handed to the grader.")
        return

    public = find_public(name)
    text = write_evidence(name, "", observe(value, public["cases"]))
    rubric = rubric_from_data(public["rubric"])
    outcomes = read_evidence(text, check=name, nonce="", count=len(public["cases"]))
    ok, plain, html = describe(rubric, outcomes, [n for n in rubric.uses if n in _failing])
    (_failing.discard if ok else _failing.add)(name)
    if os.environ.get("NBGRADER_VALIDATING") and not ok:
        raise CheckFailed(plain)
    _publish(text, plain, html)


def kept(value: Any) -> Any:
    """A result as it is now, whatever is done to its tensors later."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, np.ndarray):
        return value.copy()
    if type(value) in (list, tuple):
        return type(value)(map(kept, value))
    if type(value) is dict:
        return {key: kept(item) for key, item in value.items()}
    return value


def observe(value: Any, cases: list[dict[str, Any]]) -> list[Outcome]:
    """Asks every case and notes what came back.

    Args:
        value: The student's function, or the answer itself for cases without arguments.
        cases: Data as `autograder.spec.question` makes it.
    """
    return [_observe(value, case) for case in cases]


def observe_with(
    right: dict[str, list[str]], value: Any, cases: list[dict[str, Any]]
) -> list[Outcome]:
    """Asks every case while right functions stand in the place of the student's own.

    Args:
        right: By the name to replace, the name and the source of a function.
        value: The student's function.
        cases: Data as `autograder.spec.question` makes it.
    """
    space = getattr(value, "__globals__", None)
    if space is None:
        space = getattr(sys.modules.get(getattr(value, "__module__", "")), "__dict__", {})
    functions = {}
    for name, (defined, source) in right.items():
        own: dict[str, Any] = {"torch": torch, "F": torch.nn.functional}
        exec(source, own)
        functions[name] = own[defined]
    before = {name: space[name] for name in functions if name in space}
    space.update(functions)
    try:
        return observe(value, cases)
    finally:
        for name in functions:
            space.pop(name, None)
        space.update(before)


def _observe(value: Any, case: dict[str, Any]) -> Outcome:
    if not case:
        return Outcome("returned", value)
    if not callable(value):
        return Outcome("unsupported", type=f"{type(value).__name__}, not a function")
    arguments = decode(case["args"], torch_tensor)
    keywords = decode(case["kwargs"], torch_tensor)
    calls = [{**call, "args": decode(call["args"], torch_tensor)} for call in case["calls"]]
    if case["again"]:
        perform(value, arguments, keywords, calls)
        reset(arguments, decode(case["args"], torch_tensor))
        reset(list(keywords.values()), list(decode(case["kwargs"], torch_tensor).values()))
    return perform(value, arguments, keywords, calls)


def reset(values: list[Any], originals: list[Any]) -> None:
    """Gives tensors of real numbers their values back, and leaves what else was done to them.

    Arithmetic in place is allowed. A gradient that stays, or another label, is found.
    """
    for value, original in zip(values, originals, strict=True):
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            if value.is_leaf:
                value.requires_grad_(False)
            value.data = original
        elif isinstance(value, list) and len(value) == len(original):
            reset(value, original)


def perform(
    function: Callable[..., Any],
    args: list[Any],
    kwargs: dict[str, Any],
    calls: list[dict[str, Any]],
) -> Outcome:
    """Calls a function; if calls follow, goes on with the object that it made.

    Args:
        function: The student's function or class.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        calls: Steps as `autograder.spec.call_to_data` makes them, their arguments decoded.

    Returns:
        What was returned or raised; with calls, the list of the results that are kept.
    """
    try:
        made = function(*args, **kwargs)
        if not calls:
            return Outcome("returned", kept(made))
        results: list[Any] = []
        shown: list[Any] = []
        for call in calls:
            given = call["args"] if call["given"] is None else [results[call["given"]]]
            if call["name"] is None:
                made = result = function(*given, **kwargs)
            else:
                result = getattr(made, call["name"])
                if callable(result) or not call["kept"]:  # what is kept may be an attribute
                    result = result(*given)
            results.append(result)
            if call["kept"]:
                shown.append(kept(result))
        return Outcome("returned", shown)
    except (Exception, SystemExit) as error:  # a KeyboardInterrupt is the grader's time limit
        return Outcome("raised", type=type(error).__name__, message=_message(error))


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return ""


def find_public(name: str) -> dict[str, Any]:
    """Finds a task's public cases in the files beside the notebook.

    Raises:
        FileNotFoundError: When no file in the working directory has them.
    """
    here = Path.cwd()
    for path in sorted(here.glob(f"*{PUBLIC_SUFFIX}")):
        tasks = loads(path.read_text(encoding="utf-8"))
        if name in tasks:
            return tasks[name]
    raise FileNotFoundError(
        f"No public cases for {name!r} in {here}. The file that ends in {PUBLIC_SUFFIX} belongs "
        "beside the notebook; fetch the assignment again if it is gone."
    )


def describe(
    rubric: Rubric, outcomes: list[Outcome], failing: Sequence[str] = ()
) -> tuple[bool, str, str]:
    """Says how the public cases went.

    Args:
        rubric: The rubric of the public cases.
        outcomes: What they came to.
        failing: The earlier tasks that the answer may call and whose own checks fail.

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
    if failing and not ok and verdict.status is not Status.NOT_RUN:
        names = " and ".join(f"`{name}`" for name in failing)
        message += (
            f" The check of {names} fails too. If your answer calls that, mend it first; grading"
            " tries this answer with a right version of it as well."
        )
    section = verdict.section
    plain = [title, message]
    if verdict.hint:
        plain.append(f"Hint: {verdict.hint}")
    plain += [note.to_text() for note in notes]
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


def _publish(text: str, plain: str, html: str | None = None) -> None:
    if _shell() is None:
        print(plain)
        return
    from IPython.display import display

    bundle = {MIME: text, "text/plain": plain}
    if html:
        bundle["text/html"] = html
    display(bundle, raw=True)


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
    """Takes the place of a NameError's traceback where `check` asks for what is not there."""
    line = CHECK_LINE.match(shell.user_ns.get("In", [""])[-1].strip())
    if line is None or line[2] != error.name:
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
        return
    name = line[2]
    own = {
        each.lower(): each
        for each in sorted(shell.user_ns.keys() - shell.user_ns_hidden.keys())
        if not each.startswith("_") and each != "check"
    }
    near = get_close_matches(name.lower(), own, 1, 0.75)
    words = f"`{name}` is not defined yet. Write your answer in the cell above, and run that cell."
    if near:
        words = (
            f"`{name}` is not defined. Your notebook has `{own[near[0]]}`; is that what you mean?"
        )
    shell._showtraceback(kind, error, [words])


if (_running := _shell()) is not None:
    _running.set_custom_exc((NameError,), _say_what_is_missing)
