"""Spreads the suite over processes: ``make test`` runs one a core, each with one thread.

Files stay together, and so does what builds the book: its tests share one build in `_build`.
"""

import os
import shutil
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported

TESTS = Path(__file__).parent
LONG = ("book", "test_readme.py", "autograder/attacks/test_attacks.py")  # begin with these


def group(item: pytest.Item) -> str:
    """Which tests of one process this one goes with."""
    if item.path.is_relative_to(TESTS / "book") or "make_book" in item.name:
        return "book"
    file = str(item.path.relative_to(TESTS))
    return f"{file}::{item.name}" if file == "test_readme.py" else file


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group(item)))
    items.sort(key=lambda item: not group(item).startswith(LONG))  # the others keep their order


@pytest.fixture(scope="session")
def bubblewrap() -> None:
    """For tests that start a sandboxed kernel: skipped on a machine that can't, failed in CI."""
    if shutil.which("bwrap") is None and os.environ.get("CI") != "true":
        pytest.skip("needs bubblewrap; install it with: apt-get install bubblewrap")
