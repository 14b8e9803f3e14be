"""Spreads the suite over processes: ``make test`` runs one a core, each with one thread.

Files stay together, and so does what builds the book: its tests share one build in `_build`.
"""

import os
import shutil

import pytest
from hypothesis import settings

# A busy machine is no failure.
settings.register_profile("any speed", parent=settings.default, deadline=None)
settings.load_profile("any speed")

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported

# Begun with, so that no process is left alone with them at the end.
LONG = ("tests/book", "tests/test_readme", "tests/autograder/attacks")


def group(nodeid: str) -> str:
    """Which tests of one process a test goes with: those of its file, or of the built book."""
    if nodeid.startswith("tests/book/") or "test_make_book" in nodeid:
        return "tests/book"
    file, _, _ = nodeid.partition("::")
    return nodeid if file == "tests/test_readme.py" else file


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not group(item.nodeid).startswith(LONG))  # the rest stays in order


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group(nodeid)

    return Groups(config, log)


@pytest.fixture(scope="session")
def bubblewrap() -> None:
    """For tests that start a sandboxed kernel: skipped on a machine that can't, failed in CI."""
    if shutil.which("bwrap") is None and os.environ.get("CI") != "true":
        pytest.skip("needs bubblewrap; install it with: apt-get install bubblewrap")
