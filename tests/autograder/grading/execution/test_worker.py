"""Worker processes end with the command that made them, also in the middle of their work."""

import gc
import multiprocessing
import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from autograder.grading.course import Course
from autograder.grading.execution import worker as worker_module
from autograder.grading.execution.batch import Batch
from autograder.grading.execution.worker import process_pool, share_imports
from tests.waiting import wait_until

ASSIGNMENT = "set"


def test_a_pool_that_is_not_waited_for_ends_what_it_does() -> None:
    """A second Ctrl-C could leave it waiting for a worker that waits for work, for ever."""
    pool, another = process_pool(1), process_pool(1)
    assert another.submit(int, "3").result() == 3
    before = multiprocessing.active_children()
    at_work = pool.submit(time.sleep, 3600)
    (worker,) = (each for each in multiprocessing.active_children() if each not in before)
    pool.shutdown(wait=False)
    worker.join()
    assert isinstance(at_work.exception(), BrokenExecutor)
    assert another.submit(int, "4").result() == 4  # whose workers are left alone
    another.shutdown()


class Reader:
    """The end from which workers read calls; a pool of Python before 3.11.5 does not close it."""

    def __init__(self, end: Connection) -> None:
        self.end = end

    def __getattr__(self, name: str) -> object:
        return getattr(self.end, name)

    def close(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self.end.close()


@pytest.mark.parametrize("waits", [True, False])
def test_a_pool_ends_while_a_call_is_written_to_a_worker_that_is_dead(
    monkeypatch: pytest.MonkeyPatch, waits: bool
) -> None:
    """With a full disk, or Ctrl-C, `grade` said why it ended, and hung: a call holds a notebook."""
    monkeypatch.setattr(worker_module, "WAITS_FOR_THE_DEAD", True)
    pool = process_pool(1)
    pool._call_queue._reader = Reader(pool._call_queue._reader)
    before = multiprocessing.active_children()
    at_work, waiting = pool.submit(time.sleep, 3600), pool.submit(len, bytes(2**20))
    (worker,) = (each for each in multiprocessing.active_children() if each not in before)
    manager = pool._executor_manager_thread
    wait_until(waiting.running)  # it does not fit into the pipe
    if waits:
        worker.kill()
        assert isinstance(at_work.exception(), BrokenExecutor)
    pool.shutdown(wait=waits)
    manager.join()


@pytest.mark.parametrize("slip", ["def (", "no_such_name", "raise SystemExit"])
def test_a_slip_in_what_the_checks_import_is_left_to_their_rehearsal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slip: str
) -> None:
    name = f"helper_{abs(hash(slip))}"  # Python remembers modules
    (tmp_path / f"{name}.py").write_text(slip)
    (tmp_path / "checks.py").write_text(f"import {name}\n")
    monkeypatch.syspath_prepend(tmp_path)
    share_imports(tmp_path / "checks.py")
    gc.unfreeze()
    assert gc.isenabled()


@pytest.mark.parametrize("asked", ["rehearse_checks", "execute"])
def test_who_interrupts_a_batch_does_not_wait_for_what_runs(
    course: Path, canned_grades: Callable, inline: type, asked: str
) -> None:
    class Interrupted(inline):
        ended: bool | None = None

        def submit(self, function: Callable, /, *args: object, **kwargs: object) -> Future:
            if function.__name__ == asked:
                raise KeyboardInterrupt
            return super().submit(function, *args, **kwargs)

        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            self.ended = not wait

    executor = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        Batch(Course(course), ASSIGNMENT, lambda: executor).run(["ada", "bob"])
    assert executor.ended
