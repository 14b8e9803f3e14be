"""How the suite is run: spread over processes by `make test`, or in part by `make quick`.

Each process has one thread. Tests of a file stay together, and so do those that share something
costly: a page of the built book, what an assignment's misconceptions come to, a round of the
course, a process that has loaded all. What takes longest is begun first.
"""

import gc
import os
import re
import shutil
import signal
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

ROOT = Path(__file__).parents[1]

# A busy machine is no failure.
settings.register_profile("any speed", parent=settings.default, deadline=None)
settings.load_profile("any speed")
settings.register_profile("quick", parent=settings.get_profile("any speed"), max_examples=20)

# A shell starts what it puts in the background with Ctrl-C ignored; tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# What some machines ask for, and others do not: colours wherever text is printed, and that Python
# keeps nothing of it back, which hides what a full disk does at the end.
for name in ("FORCE_COLOR", "PYTHONUNBUFFERED"):
    os.environ.pop(name, None)

gc.disable()  # nothing of what is imported is garbage, and to find that out takes a while

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported

# One corpus, one tokenizer and one teacher of a kind for all that need them.
os.environ.setdefault("KDLAB_CACHE", str(ROOT / ".cache" / "kdlab"))

FIRST = (
    "tests/test_readme.py::test_make_book",  # builds the book; its other tests come last
    "tests/autograder/attacks",
    "tests/exercises/test_course.py",
    "tests/experiments",
    "tests/test_readme.py::test_the_distillation",
)
FORKED = ("acceptance", "objective", "processes")  # tests/kdlab; from one process
NEEDS = {"book": "the rendered book", "chromium": "a browser", "bubblewrap": "sandboxed kernels"}


def group(nodeid: str) -> str:
    """Which tests of one process a test goes with."""
    file, _, test = nodeid.partition("::")
    if file == "tests/test_readme.py":
        return nodeid
    if file in [f"tests/kdlab/test_{name}.py" for name in FORKED]:
        return "forked"
    if file.startswith("tests/exercises/") and (assignment := re.search(r"ps\d", nodeid)):
        return assignment[0]  # what its misconceptions come to is worked out once
    if file == "tests/book/test_pages.py" and "[" in test:
        page = test.partition("[")[2].partition(".html")[0]
        return f"{file} {zlib.crc32(page.encode()) % 8}"
    return file


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="Leave out what takes long.")
    parser.addoption("--hub", action="store_true", help="Start a real JupyterHub too.")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--quick"):
        settings.load_profile("quick")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    def turn(item: pytest.Item) -> int:
        for place, start in enumerate(FIRST):
            if item.nodeid.startswith(start):
                return place
        return len(FIRST) + ("book" in item.fixturenames)

    if not config.getoption("--hub"):
        with_hub = [item for item in items if item.get_closest_marker("hub")]
        items[:] = [item for item in items if item not in set(with_hub)]
        config.hook.pytest_deselected(items=with_hub)
    items.sort(key=turn)  # the rest stays in order
    if config.getoption("--quick"):
        left_out = [
            item
            for item in items
            if item.get_closest_marker("slow") or NEEDS.keys() & set(item.fixturenames)
        ]
        items[:] = [item for item in items if item not in set(left_out)]
        config.hook.pytest_deselected(items=left_out)


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()  # what is loaded stays, and no collection looks at it again
    gc.enable()


def pytest_unconfigure() -> None:
    gc.unfreeze()  # Triton looks at its end for what was not given back


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if terminalreporter.config.getoption("--quick"):
        needs = ", ".join(NEEDS.values())
        terminalreporter.write_line(
            f"Left out: tests that need {needs}, and those marked slow. make test runs them."
        )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than the cores: some of the tests wait more than they compute."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group(nodeid)

    return Groups(config, log)


@pytest.fixture(scope="session")
def documentation_of_the_recorded_runs() -> None:
    """For tests of numbers that come from one text."""
    from tests.documentation import READ, fingerprint

    if fingerprint() != READ:
        pytest.skip("the recorded runs have read the documentation of Python 3.11.7")


@pytest.fixture(scope="session")
def bubblewrap() -> None:
    """For tests that start a sandboxed kernel: skipped on a machine that can't, failed in CI."""
    if sys.platform != "linux":
        pytest.skip("needs bubblewrap, which is for Linux")
    if shutil.which("bwrap") is None and os.environ.get("CI") != "true":
        pytest.skip("needs bubblewrap; install it with: apt-get install bubblewrap")


@pytest.fixture(scope="session")
def make_book(testrun_uid: str) -> str:
    """What `make book` prints, every page read anew; outputs come from the cache if not stale.

    The first process of a run that asks for it builds the book; the others wait.
    """
    build = ROOT / "_build"
    build.mkdir(exist_ok=True)
    printed, by = build / "test.log", build / "test.run"
    with FileLock(build / "test.lock"):
        if not by.exists() or by.read_text() != testrun_uid:
            for folder in ("html", ".doctrees"):
                shutil.rmtree(build / folder, ignore_errors=True)
            result = subprocess.run(
                ["make", "book"],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            printed.write_text(result.stdout, encoding="utf-8")
            by.write_text(testrun_uid)
    text = printed.read_text(encoding="utf-8")
    assert "The book is ready." in text, text[-6000:]
    return text


@pytest.fixture(scope="session")
def book(make_book: str) -> Path:
    """The folder of the rendered book."""
    return ROOT / "_build" / "html"
