"""Servers that a command starts: where they are, and what they answer."""

import contextlib
import os
import re
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[1]


def served(*words):
    """Starts a server in a folder of ours, and waits until it says where it is.

    Returns:
        The process, and the address.
    """
    process = subprocess.Popen(
        words,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    said = []
    for line in process.stdout:
        said.append(line)
        if found := re.search(r"http://(?:127\.0\.0\.1|localhost):\d+", line):
            # What it says from now on is read, so that it never waits for a reader.
            threading.Thread(target=process.stdout.read, daemon=True).start()
            return process, found[0]
    raise AssertionError("".join(said))


def status_of(process, address):
    """The status that the server answers with, once it does; the server is stopped."""
    try:
        while process.poll() is None:
            try:
                with urllib.request.urlopen(address) as answer:
                    return answer.status
            except urllib.error.HTTPError as error:
                return error.code
            except OSError:  # it says where it will be before it is there
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.1)
        raise AssertionError(f"it ended with {process.returncode}")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()
