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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        builds = item.path.is_relative_to(TESTS / "book") or "make_book" in item.name
        name = "book" if builds else str(item.path.relative_to(TESTS))
        item.add_marker(pytest.mark.xdist_group(name))


@pytest.fixture(scope="session")
def bubblewrap() -> None:
    """For tests that start a sandboxed kernel: skipped on a machine that can't, failed in CI."""
    if shutil.which("bwrap") is None and os.environ.get("CI") != "true":
        pytest.skip("needs bubblewrap; install it with: apt-get install bubblewrap")
