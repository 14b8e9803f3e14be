"""Ctrl-C in the middle of a loop that has something to finish."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Ctrl-C sets the event, for the loop to end after its step; a second one ends it at once."""
    interrupted = threading.Event()

    def ask(signum: int, frame: FrameType | None) -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt
        interrupted.set()

    previous = signal.getsignal(signal.SIGINT)
    kept = previous in (None, signal.SIG_IGN)  # None: set by a program that embeds Python
    if kept or threading.current_thread() is not threading.main_thread():
        yield interrupted
        return
    signal.signal(signal.SIGINT, ask)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, previous)
