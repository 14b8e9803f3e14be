"""The workers: processes that execute and judge submissions, each from a `Job`.

A worker sees neither the gradebook nor another worker. It may run on another machine.
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
# Before Python 3.11.5 (Debian 12 has an older one), an executor waits for ever for a worker that
# died while a call was written to it: gh-94777.
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
        seed: Seed of the random cases.
        withheld: Modules that the notebooks must not import.
        pool: The folder of a warm pool; if it is None or does not exist, a worker opens its own.
        scratch: The batch's temporary folder; a worker uses it if it exists on its machine.
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
        """The batch's temporary folder, for a worker's own; None if it is not on this machine."""
        return self.scratch if self.scratch and Path(self.scratch).is_dir() else None

    @property
    def size(self) -> int:
        """Total size of `files`, in bytes."""
        return sum(map(len, self.files.values()))


@dataclass(frozen=True)
class Executed:
    """The result of a job.

    Args:
        notebooks: The executed and judged notebooks' text, by name.
        seconds: How long the job took.
        memory: Peak memory of the largest process of any notebook, in bytes; None if unknown.
    """

    notebooks: dict[str, str]
    seconds: float
    memory: int | None = None


def execute(job: Job) -> Executed:
    """Executes and judges a submission in a temporary folder; this runs in a worker."""
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
                # All notebooks have the submission's seed, so its record suffices to repeat it.
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
    """Makes sandboxed kernels come from a warm pool: the batch's, or else this worker's own."""
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
        SandboxMissing: When they must, and bubblewrap is not installed or does not work.
    """
    if Sandbox(config=Config(config)).allow_unsandboxed and shutil.which("bwrap") is None:
        return False
    return bool(bubblewrap())


def share_imports(checks: Path) -> None:
    """Imports what an assignment's checks import, so that forked workers have it already.

    What cannot be imported is left out: loading the checks reports it.
    """
    names = []
    for node in ast.parse(checks.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
    gc.disable()  # imports leave no garbage, and searching for it is slow
    try:
        for name in names:
            with suppress(Exception, SystemExit):
                importlib.import_module(name)
        gc.freeze()  # so that workers' collections do not touch, and so copy, these pages
    finally:
        gc.enable()


class Pool(ProcessPoolExecutor):
    """Worker processes that `shutdown(wait=False)` kills, whatever they are doing.

    The standard library's pool lets them finish: the interpreter waits for that at its end, and a
    second Ctrl-C may leave it waiting for ever.
    """

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        workers, calls = list((self._processes or {}).values()), self._call_queue
        if WAITS_FOR_THE_DEAD and calls and (self._broken or not wait):
            calls._reader.close()  # so the thread that writes calls ends, as in newer versions
        super().shutdown(wait=wait, cancel_futures=cancel_futures)  # sets both to None
        for worker in workers if not wait else ():
            worker.kill()


def process_pool(jobs: int) -> Executor:
    """Worker processes on this machine, forked from this one, which has loaded all they need.

    On other systems than Linux they are spawned: Apple's libraries may crash in a forked process.
    """
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    return Pool(jobs, mp_context=context, initializer=_become_worker)


def _become_worker() -> None:
    # Each worker has one processor; besides, OpenMP's threads do not survive a fork.
    os.environ["OMP_NUM_THREADS"] = "1"
    if torch := sys.modules.get("torch"):  # the checks' module has imported it
        torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # on Ctrl-C, the parent stops its workers
    if hasattr(ctypes.CDLL(None), "prctl"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def cpu_jobs() -> int:
    """The number of processors that this process may use, at least 1."""
    if hasattr(os, "sched_getaffinity"):  # not all of the machine's may be allowed
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1
