"""A headless Chromium for tests.

One that was built without windows does the same in less time, so it is looked for first.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
PATIENCE = 300_000  # ms that a browser may take for a step; a machine may be very busy


def browser() -> str | None:
    """Where the browser is; None where there is none."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@contextmanager
def chromium() -> Iterator["Browser"]:
    """The browser, while it is open. Without one, tests are skipped; in CI they fail."""
    path = browser()
    if path is None:
        message = "these tests drive a browser; install it with: apt-get install chromium"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as play:
        opened = play.chromium.launch(executable_path=path, args=["--no-sandbox"], timeout=PATIENCE)
        yield opened
        opened.close()
