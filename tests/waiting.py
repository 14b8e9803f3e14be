"""Waiting for a state, however busy the machine is."""

import time
from collections.abc import Callable

HOPELESS = 600  # seconds: what has not happened by then will not; no test is slow because of it


def wait_until(true: Callable[[], object], every: float = 0.02) -> None:
    """Return when it is true; it is asked each so many seconds.

    Raises:
        AssertionError: it has not become true in ten minutes.
    """
    end = time.monotonic() + HOPELESS
    while not true():
        assert time.monotonic() < end, "it has not happened in ten minutes"
        time.sleep(every)
