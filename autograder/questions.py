"""Turns an assignment's checks into questions for code, and into what ships with the notebook."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any
from zlib import crc32

import numpy as np

from autograder.judging.rubric import rubric_to_data
from autograder.judging.verdict import Status, Verdict
from autograder.kernel.evidence import encode
from autograder.spec import AnswerCheck, Case, Check, call_to_data


def load_checks(path: Path) -> dict[str, Check]:
    """Loads an assignment's checks.

    Args:
        path: A Python file with a tuple `CHECKS`.

    Returns:
        The checks by name, in their order.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When CHECKS is missing or no tuple of checks, or two checks have the same name.
    """
    if not path.is_file():
        raise FileNotFoundError(f"No checks at {path}. Each assignment needs checks/<name>.py.")
    return dict(_load_checks(path.resolve(), path.stat().st_mtime_ns, path.stat().st_size))


class _FromSource(SourceFileLoader):
    """Never loads byte code, which cannot tell apart two versions of the same second and size."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


@lru_cache(maxsize=16)
def _load_checks(path: Path, *version: int) -> dict[str, Check]:
    """Loads each version of a file once, so that a process runs its fixed cases only once."""
    name = f"checks_of_{path.stem}"
    spec = importlib.util.spec_from_loader(name, _FromSource(name, str(path)))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look for it there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    found = getattr(module, "CHECKS", None)
    if not isinstance(found, tuple | list) or not all(hasattr(each, "name") for each in found):
        raise ValueError("CHECKS is to be a tuple of checks. Is a comma missing, as in (check,)?")
    checks = {check.name: check for check in found}
    if len(checks) != len(found):
        raise ValueError(f"{path}: two checks have the same name.")
    return checks


def question(check: Check, cases: list[Case]) -> dict[str, Any]:
    """The cases as data for the process that runs the student's code, without names or answers.

    A case of an `AnswerCheck` is empty, because the value handed to `check` is itself the answer.

    Returns:
        A dict of "cases" and "observer"; the latter is [source, function's name], or None.
    """
    if isinstance(check, AnswerCheck):
        return {"observer": None, "cases": [{} for _ in cases]}
    return {
        "observer": check.observer and [check.observer.source, check.observer.function],
        "cases": [
            {
                "args": encode(list(case.args)),
                "kwargs": encode(dict(case.kwargs)),
                "calls": [call_to_data(call) for call in case.calls],
                "again": case.again,
            }
            for case in cases
        ],
    }


def right_versions(check: Check, names: Iterable[str]) -> dict[str, list[str]]:
    """The functions that replace a student's own: by task, [function's name, source]."""
    functions = {name: check.uses[name] for name in names}
    return {
        name: [function.__name__, inspect.getsource(function)]
        for name, function in functions.items()
    }


def to_replace(check: Check, verdicts: Mapping[str, Verdict]) -> list[str]:
    """The earlier tasks that an answer may call and whose functions are not right.

    Args:
        check: The check of the answer.
        verdicts: The verdicts of the tasks judged so far, by task. The function of a task that is
            still to be judged is never replaced, because its replacement is the right answer.
    """
    return [
        name
        for name in getattr(check, "uses", ())
        if name in verdicts and verdicts[name].status is not Status.CORRECT
    ]


def generator(seed: int, check: Check) -> np.random.Generator:
    """The random generator of one check in one submission, independent of what others draw."""
    return np.random.default_rng([seed, crc32(check.name.encode())])


def public_data(checks: Iterable[Check]) -> dict[str, Any]:
    """What ships beside the notebook: by task, the public cases and their rubric."""
    data = {}
    for check in checks:
        cases, rubric = check.public()
        data[check.name] = {**question(check, cases), "rubric": rubric_to_data(rubric)}
    return data
