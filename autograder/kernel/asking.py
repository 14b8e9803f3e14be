"""Runs in the process of the student's code; asks the grader's questions, and judges nothing.

The grader hands over a question with `ask`; the graded cell's `check` answers it by calling the
student's function, and publishes what came back as evidence. Nothing here awards points. Students'
code can change this module, so the grader trusts nothing that the module publishes.
"""

from __future__ import annotations

import inspect
import json
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import numpy.random  # now, because a student's code may clear sys.path

from autograder.kernel.evidence import (
    CHANGED,
    DTYPE_SWITCHED,
    GRADIENTS_SWITCHED,
    MIME,
    Outcome,
    decode,
    write_evidence,
)

_asked: dict[str, Any] | None = None


def ask(text: str) -> None:
    """Keeps the grader's question for the next `check` of the task that it names.

    Args:
        text: JSON with "check", "nonce", "most", "observer", "cases" and "right".
    """
    global _asked
    _asked = json.loads(text)


def check(name: str, value: Any) -> None:
    """Answers the grader's question, if there is one for this task; the sandbox's only `check`.

    Args:
        name: The task's name.
        value: The student's function, or answer.
    """
    answers(name, value)


def answers(name: str, value: Any) -> bool:
    """Publishes the answer to the grader's question, if there is one for this task.

    Args:
        name: The task's name.
        value: The student's function, or answer.

    Returns:
        Whether there was such a question; it is asked only once.
    """
    global _asked
    if _asked is None or _asked["check"] != name:
        return False
    question, _asked = _asked, None
    outcomes = observe(value, question)
    if question["right"]:
        outcomes += observe_with(question["right"], value, question)
    text = write_evidence(name, question["nonce"], outcomes, question["most"])
    publish(text, "Handed to the grader.")
    return True


def observe(value: Any, question: dict[str, Any]) -> list[Outcome]:
    """Calls the student's function with every case.

    Args:
        value: The student's function, or the answer itself if cases are empty.
        question: Data as `autograder.questions.question` makes it.

    Returns:
        One outcome per case. For a case that is asked again, it is "unsupported" and one of
        `NOT_LEFT` if this case or one before changed an argument or, with an observer, a switch.
    """
    if not all(question["cases"]):
        return [Outcome("returned", value) for _ in question["cases"]]
    if not callable(value):
        kind = f"{type(value).__name__}, not a function"
        return [Outcome("unsupported", type=kind) for _ in question["cases"]]
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_grad_enabled(True)  # an earlier task's answer may have switched gradients off
    function = observing(value, question["observer"])
    changed = ""  # the first thing that a case has not left as it was
    outcomes = []
    with put_back():
        for case in question["cases"]:
            before = switches() if question["observer"] else {}
            outcome, argument_changed = _observe(function, case)
            changed = changed or (CHANGED if argument_changed else turned(before))
            outcomes.append(
                Outcome("unsupported", type=changed) if case["again"] and changed else outcome
            )
    return outcomes


def switches() -> dict[str, Any]:
    """The settings of torch that hold for all code, by the words for a function that changes them.

    Where an observer looks at what a function does, the function must leave them as they were;
    where only its result is asked for, they are put back for the next task at no cost.
    """
    if (torch := sys.modules.get("torch")) is None:
        return {}
    return {
        GRADIENTS_SWITCHED: torch.is_grad_enabled(),
        DTYPE_SWITCHED: torch.get_default_dtype(),
    }


def turned(before: dict[str, Any]) -> str:
    """The words for the first switch that differs from `before`; empty if none does."""
    now = switches() if before else {}
    return next((what for what in before if now[what] != before[what]), "")


@contextmanager
def put_back() -> Iterator[None]:
    """Restores Python's, numpy's and torch's global random states and torch's default dtype."""
    torch = sys.modules.get("torch")
    dtype = torch.get_default_dtype() if torch is not None else None
    own, numpy_own = random.getstate(), np.random.get_state()  # noqa: NPY002 - what a student may use
    torch_own = torch.default_generator.get_state() if torch is not None else None
    try:
        yield
    finally:
        random.setstate(own)
        np.random.set_state(numpy_own)  # noqa: NPY002
        if torch is not None:
            torch.default_generator.set_state(torch_own)
            torch.set_default_dtype(dtype)


def seed(number: int) -> None:
    """Seeds Python's, numpy's and torch's global generators, so that no verdict is luck."""
    random.seed(number)
    np.random.seed(number)  # noqa: NPY002
    if (torch := sys.modules.get("torch")) is not None:
        torch.default_generator.manual_seed(number)


def observing(function: Callable[..., Any], observer: list[str] | None) -> Callable[..., Any]:
    """The function to call for each case: the student's own, or an observer that calls it.

    Args:
        function: The student's function.
        observer: The observer's source, executed here in a namespace of its own, and the name of
            its function; None to call the student's own.
    """
    if observer is None:
        return function
    source, name = observer
    namespace: dict[str, Any] = {"__name__": "observer"}
    exec(compile(source, "<observer>", "exec"), namespace)
    return partial(namespace[name], function)


def observe_with(
    right: dict[str, list[str]], value: Any, question: dict[str, Any]
) -> list[Outcome]:
    """Calls the student's function with every case while right functions replace earlier ones.

    Args:
        right: By the name to replace, the name and the source of a right function.
        value: The student's function.
        question: Data as `autograder.questions.question` makes it.
    """
    import torch

    answer = inspect.unwrap(value.func if isinstance(value, partial) else value)
    space = getattr(answer, "__globals__", None)  # a decorator's wrapper has those of its module
    if space is None:
        space = getattr(sys.modules.get(getattr(answer, "__module__", "")), "__dict__", {})
    functions = {}
    for name, (defined, source) in right.items():
        own: dict[str, Any] = {"torch": torch, "F": torch.nn.functional}
        exec(source, own)
        functions[name] = own[defined]
    before = {name: space[name] for name in functions if name in space}
    space.update(functions)
    getattr(value, "cache_clear", bool)()  # of `lru_cache`, which has what the earlier ones gave
    try:
        return observe(value, question)
    finally:
        for name in functions:
            space.pop(name, None)
        space.update(before)


def _observe(function: Callable[..., Any], case: dict[str, Any]) -> tuple[Outcome, bool]:
    """The outcome of a case, and whether its arguments were changed."""
    arguments, keywords = decode(case["args"]), decode(case["kwargs"])
    calls = [
        {**call, "args": decode(call["args"]), "kwargs": decode(call["kwargs"])}
        for call in case["calls"]
    ]
    before = noted([arguments, keywords])
    seed(0)
    if case["again"]:
        perform(function, arguments, keywords, calls)
        seed(1)  # the same question, with other random numbers
        reset(arguments, decode(case["args"]))
        reset(list(keywords.values()), list(decode(case["kwargs"]).values()))
    outcome = perform(function, arguments, keywords, calls)
    return outcome, not unchanged([arguments, keywords], before)


def noted(value: Any) -> Any:
    """A snapshot of an argument before the call, which `unchanged` compares with it afterwards.

    The numbers in a tensor of floats are left out: arithmetic in place is allowed.
    """
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        return value if value.is_floating_point() else value.clone()
    if isinstance(value, list):
        return [noted(item) for item in value]
    if isinstance(value, dict):
        return {key: noted(item) for key, item in value.items()}
    return value


def unchanged(value: Any, before: Any) -> bool:
    """Whether a list or dict has the same items as before, and a tensor of integers its numbers."""
    if type(value) is not type(before):
        return False
    if isinstance(value, list):
        return len(value) == len(before) and all(map(unchanged, value, before))
    if isinstance(value, dict):
        return list(value) == list(before) and all(map(unchanged, value.values(), before.values()))
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        if before.is_floating_point():
            return value is before
        return value.shape == before.shape and bool((value == before).all())
    return value is before or bool(value == before)


def reset(values: list[Any], originals: list[Any]) -> None:
    """Gives tensors of floats their values back, and leaves whatever else was done to them.

    Arithmetic in place is allowed. A gradient that stays, or a changed label, can then be noticed.
    """
    torch = sys.modules.get("torch")
    for value, original in zip(values, originals, strict=True):
        if type(value) is not type(original):
            continue
        if torch is not None and isinstance(value, torch.Tensor) and value.is_floating_point():
            if value.is_leaf:
                value.requires_grad_(False)
            value.data = original
        elif isinstance(value, list) and len(value) == len(original):
            reset(value, original)
        elif isinstance(value, dict) and value.keys() == original.keys():
            reset(list(value.values()), [original[key] for key in value])


def kept(value: Any) -> Any:
    """A copy of a result, which later changes of its tensors and arrays do not affect."""
    torch = sys.modules.get("torch")  # where there is a tensor, torch was imported
    if torch is not None and isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, np.ndarray):
        return value.copy()
    if type(value) in (list, tuple):
        return type(value)(map(kept, value))
    if type(value) is dict:
        return {key: kept(item) for key, item in value.items()}
    return value


def perform(
    function: Callable[..., Any],
    args: list[Any],
    kwargs: dict[str, Any],
    calls: list[dict[str, Any]],
) -> Outcome:
    """Calls a function; if `calls` is not empty, goes on with the object that it returned.

    Args:
        function: The student's function or class.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        calls: Steps as `autograder.spec.call_to_data` makes them, their arguments decoded.

    Returns:
        What was returned or raised; with `calls`, the list of the kept steps' results.
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
                known = call["given"] is not None
                options = kwargs if call["kwargs"] is None else call["kwargs"]
                made = result = given[0] if known else function(*given, **options)
            else:
                result = getattr(made, call["name"])
                if callable(result) or not call["kept"]:  # a kept step may read an attribute
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


def publish(text: str, plain: str, html: str | None = None) -> None:
    """Displays evidence, and words for whoever looks at the notebook.

    Args:
        text: The evidence.
        plain: The words as plain text; without IPython, only these are printed.
        html: The words as HTML.
    """
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        get_ipython = None
    if get_ipython is None or get_ipython() is None:
        print(plain)
        return
    bundle = {MIME: text, "text/plain": plain}
    if html:
        bundle["text/html"] = html
    display(bundle, raw=True)
