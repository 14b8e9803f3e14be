"""One build of the book, warnings as errors, and one browser for all tests of this folder."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def build():
    """Builds the book in a folder as ``make book`` does."""

    def run(folder: Path, *options: str) -> subprocess.CompletedProcess:
        program = Path(sys.executable).parent / "jupyter-book"
        return subprocess.run(
            [program, "build", folder, "-W", "-n", "--keep-going", *options],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return run


@pytest.fixture(scope="session")
def book(build) -> Path:
    """The rendered book, every page read anew; outputs come from the cache if not stale."""
    result = build(ROOT, "--all")
    assert result.returncode == 0, result.stdout[-6000:]
    return ROOT / "_build" / "html"


@pytest.fixture(scope="session")
def pages(book) -> list[Path]:
    """Every rendered page, the search page and the index included."""
    return sorted(path for path in book.rglob("*.html") if "_static" not in path.parts)


@pytest.fixture(scope="session")
def chromium():
    """A headless Chromium. Without one, tests are skipped; in CI they fail."""
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        message = "these tests drive a browser; install it with: apt-get install chromium"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
