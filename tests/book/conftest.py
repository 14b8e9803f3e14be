"""Builds of small books, and a browser for the book that the whole suite shares."""

import functools
import http.server
import importlib.metadata
import importlib.util
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests import browsing
from tests.browsing import PATIENCE

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
def losses_of():
    """A library's file of losses: to import the package would take what it depends on."""

    def load(library: str, version: str, file: str):
        try:
            installed = importlib.metadata.distribution(library)
        except importlib.metadata.PackageNotFoundError:
            pytest.skip(f"to compare with it: pip install --no-deps {library}=={version}")
        spec = importlib.util.spec_from_file_location(library, installed.locate_file(file))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def pages(book) -> list[Path]:
    """Every rendered page, the search page and the index included."""
    return sorted(path for path in book.rglob("*.html") if "_static" not in path.parts)


@pytest.fixture(scope="module")  # the event loop of Playwright would be in the way of other tests
def chromium():
    """A headless Chromium. Without one, tests are skipped; in CI they fail."""
    with browsing.chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def new_page(chromium):
    """Opens a tab in a context of its own; the tab notes errors and requests."""

    def new_page(**options):
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)
        context.set_default_timeout(PATIENCE)
        tab = context.new_page()
        tab.problems, tab.requests, tab.under_way = [], [], set()
        tab.on("pageerror", lambda error: tab.problems.append(str(error)))
        tab.on("requestfailed", lambda request: tab.problems.append(request.url))
        tab.on("request", lambda request: tab.requests.append(request.url))
        tab.on("request", lambda request: tab.under_way.add(request))
        for end in ("requestfinished", "requestfailed"):
            tab.on(end, lambda request: tab.under_way.discard(request))
        tab.on(
            "console",
            lambda message: tab.problems.append(message.text) if message.type == "error" else None,
        )
        return tab

    return new_page


@pytest.fixture
def page(new_page):
    """A tab of a test's own."""
    tab = new_page()
    yield tab
    tab.context.close()


@pytest.fixture(scope="session")
def server(book):
    """The book under /course/ of a local server: the address of the sub-path."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def translate_path(self, path):
            return super().translate_path(path.removeprefix("/course"))

        def log_message(self, *args):
            pass

    handler = functools.partial(Handler, directory=str(book))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}/course/"
        httpd.shutdown()


@pytest.fixture(scope="session")
def settle():
    """Waits until MathJax, if the tab's page has it, has set everything, and all is fetched.

    The next page would cut off what is still under way, and that looks like a failed request.
    """

    def wait(tab):
        tab.wait_for_load_state("load")
        # A wait that ends: evaluate would wait for a promise for ever.
        tab.evaluate("window.MathJax?.startup?.promise?.then(() => { mathIsSet = true; }); 0")
        tab.wait_for_function("!window.MathJax?.startup || window.mathIsSet", polling=20)
        late = time.monotonic() + PATIENCE / 1000
        while tab.under_way:
            assert time.monotonic() < late, [request.url for request in tab.under_way]
            tab.wait_for_timeout(20)

    return wait


@pytest.fixture(scope="session")
def page_names(book) -> list[str]:
    """The written pages, relative to the rendered book."""
    return [path.relative_to(book).as_posix() for path in sorted(book.glob("book/**/*.html"))]
