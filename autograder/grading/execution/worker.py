"""The processes that execute and judge submissions, and what they are told of each.

A worker sees neither the gradebook nor another worker. It may be on another machine.
"""

from __future__ import annotations

import ast
import atexit
import ctypes
import gc
import importlib
import logging
import multiprocessing
import os
import shutil
import signal
import sys
import time
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

import nbformat
from traitlets.config import Config
from traitlets.log import get_logger

from autograder.grading.execution.judge import Judge
from autograder.nbgrader_internals import setenv
from autograder.sandbox.options import Sandbox, bubblewrap
from autograder.sandbox.pool import POOL, WarmPool

PR_SET_PDEATHSIG = 1
# Debian 12's Python waits for ever for a worker that died while a call was written to it: gh-94777.
WAITS_FOR_THE_DEAD = sys.version_info < (3, 11, 5)


@dataclass(frozen=True)
class Job:
    """What a worker needs to execute a submission, and nothing else.

    Args:
        assignment: The assignment.
        student: Who handed it in.
        notebooks: The sanitised notebooks' text, by name.
        files: What else was handed in, by name.
        steps: The preprocessors to run, in their order.
        config: The course's configuration.
        seed: Of the random cases.
        withheld: Modules that the notebooks must not import.
        pool: The folder of a warm pool; where there is none of that name, a worker opens its own.
        scratch: The batch's own folder, for all that a worker leaves; None on another machine.
    """

    assignment: str
    student: str
    notebooks: dict[str, str]
    files: dict[str, bytes]
    steps: list[type]
    config: Config
    seed: int
    withheld: tuple[str, ...] = ()
    pool: str | None = None
    scratch: str | None = None

    @property
    def folder(self) -> str | None:
        """Where temporary folders are made: in the batch's, which it removes, if it is here."""
        return self.scratch if self.scratch and Path(self.scratch).is_dir() else None

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(map(len, self.files.values()))


@dataclass(frozen=True)
class Executed:
    """What came of a job.

    Args:
        notebooks: The executed and judged notebooks' text, by name.
        seconds: How long it took.
        memory: Bytes that the largest process of a notebook had at its peak, if it is known.
    """

    notebooks: dict[str, str]
    seconds: float
    memory: int | None = None


def execute(job: Job) -> Executed:
    """Executes and judges a submission in a folder of its own; runs in a worker."""
    began = time.monotonic()
    get_logger().setLevel(logging.ERROR)
    _warm(job)
    done, memory = {}, []
    place = TemporaryDirectory(prefix="autograder-", dir=job.folder)
    with place as folder, setenv(NBGRADER_EXECUTION="autograde"):
        for name, raw in job.files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(raw)
        for name, text in job.notebooks.items():
            notebook = nbformat.reads(text, as_version=4)
            resources: dict[str, Any] = {
                "unique_key": name,
                "metadata": {"path": folder, "name": name},
                "nbgrader": {
                    "assignment": job.assignment,
                    "student": job.student,
                    "notebook": name,
                },
            }
            for step in job.steps:
                # One submission, one seed: the record is all that is needed to repeat it.
                options = {"seed": job.seed} if issubclass(step, Judge) else {}
                worker = step(config=Config(job.config), **options)
                worker.enabled = True
                notebook, resources = worker(notebook, resources)
            done[name] = nbformat.writes(notebook)
            memory.append(resources.get("memory") or 0)
    return Executed(done, time.monotonic() - began, max(memory, default=0) or None)


_own: tuple[str, WarmPool] | None = None  # this worker's pool, and the assignment it is for
_opening = Lock()


def _warm(job: Job) -> None:
    """Sees to it that kernels come from a warm pool, the batch's or one of this worker's own."""
    global _own
    if job.pool and Path(job.pool).is_dir():
        os.environ[POOL] = job.pool
        return
    if not any(issubclass(step, Judge) for step in job.steps) or not sandboxed(job.config):
        os.environ.pop(POOL, None)
        return
    with _opening:
        if _own is not None and _own[0] != job.assignment:
            _own[1].close()
            _own = None
        if _own is None:
            pool = WarmPool.from_config(job.config, job.withheld, within=job.folder)
            _own = (job.assignment, pool)
            _own[1].start()
            atexit.register(_own[1].close)
        os.environ[POOL] = str(_own[1].directory)


def sandboxed(config: Config) -> bool:
    """Whether notebooks run in bubblewrap.

    Raises:
        SandboxMissing: When they must and it is not installed.
    """
    if Sandbox(config=Config(config)).allow_unsandboxed and shutil.which("bwrap") is None:
        return False
    return bool(bubblewrap())


def share_imports(checks: Path) -> None:
    """Imports what an assignment's checks import, so that forked workers need not, each anew."""
    names = []
    for node in ast.parse(checks.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
    gc.disable()  # nothing of it is garbage, and to find that out takes a while
    for name in names:
        with suppress(ImportError):  # whoever loads the checks says what is missing
            importlib.import_module(name)
    gc.freeze()  # nor do workers look through it, and copy its pages by that
    gc.enable()


class Pool(ProcessPoolExecutor):
    """Worker processes that are ended where nobody waits for them, whatever they are doing.

    Without that, the interpreter waits at its end until each has done its work, and a second Ctrl-C
    may leave it waiting for ever.
    """

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        workers, calls = list((self._processes or {}).values()), self._call_queue
        if WAITS_FOR_THE_DEAD and calls and (self._broken or not wait):
            calls._reader.close()  # then the thread that writes them ends, as in newer versions
        super().shutdown(wait=wait, cancel_futures=cancel_futures)  # forgets both
        for worker in workers if not wait else ():
            worker.kill()


def process_pool(jobs: int) -> Executor:
    """Worker processes on this machine, forked from this one, which has loaded all they need.

    Elsewhere than on Linux they start anew: Apple's libraries may crash in a forked process.
    """
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    return Pool(jobs, mp_context=context, initializer=_become_worker)


def _become_worker() -> None:
    # One processor a worker; and OpenMP's threads do not survive a fork.
    os.environ["OMP_NUM_THREADS"] = "1"
    if torch := sys.modules.get("torch"):  # the checks' module has imported it
        torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops its workers itself
    if hasattr(ctypes.CDLL(None), "prctl"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def cpu_jobs() -> int:
    """How many workers this machine has processors for."""
    if hasattr(os, "sched_getaffinity"):  # those that this process may use
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1
