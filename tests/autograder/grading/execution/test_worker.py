"""Worker processes end with the command that made them, also in the middle of their work."""

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future
from pathlib import Path

import pytest

from autograder.grading.course import Course
from autograder.grading.execution.batch import Batch
from autograder.grading.execution.worker import process_pool

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
