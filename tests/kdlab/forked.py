"""Processes that train, forked from one that has loaded everything: to load it takes seconds.

Tests that use this are of one group in `tests/conftest.py`, so that one process loads it.
"""

import multiprocessing
import os
import runpy
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
STARTED = multiprocessing.get_context(METHOD)
STARTED.set_forkserver_preload(["tests.kdlab.loaded"])


def started(
    function: Callable, *arguments: object, log: Path | None = None, **environment: str
) -> BaseProcess:
    """A process that calls it, with more in its environment; what it prints goes to a file."""
    process = STARTED.Process(target=_call, args=(function, arguments, log, environment))
    process.start()
    return process


def program(path: Path) -> None:
    """Run it as Python runs a program."""
    runpy.run_path(str(path), run_name="__main__")


def _call(function: Callable, arguments: tuple, log: Path | None, environment: dict) -> None:
    os.environ |= environment
    if log is not None:
        with log.open("w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
    function(*arguments)
