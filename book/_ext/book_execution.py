"""Keep what a page shows true: executed, with these versions, from these sources.

Four things that Jupyter Book leaves to luck:

- outputs are cached by the page's code alone; here the cache is thrown away, and every page read
  again, when a version named in the configuration, the library's code or a file of results changes;
  comments and docstrings may change without;
- a page that should have been executed and was not fails the build, warnings as errors or not;
- each page says at its end when, for how long and with which versions it was executed;
- after a build with warnings, the next one reads every page again, because Sphinx tells
  nothing twice of a page that has not changed.

Configuration:
    book_execution_sources: patterns of files, code or not, relative to the book's root.
    book_execution_versions: distributions whose versions count, and are named on each page.
    book_execution_text: the Python whose documentation the pages speak of, such as "3.11".
"""

import ast
import hashlib
import html
import platform
import re
import shutil
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from jupyter_cache import get_cache
from sphinx.application import ENV_PICKLE_FILENAME, Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError

DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
FENCE = re.compile(r"\s*(`{3,}|~{3,}|:{3,})(.*)")


def versions(app: Sphinx) -> dict[str, str]:
    """Name and version of Python and of each configured distribution."""
    named = {name: version(name) for name in app.config.book_execution_versions}
    return {"Python": platform.python_version(), **named}


def fingerprint(app: Sphinx) -> str:
    """A hash of everything but the page itself that its outputs depend on."""
    digest = hashlib.sha256(repr(sorted(versions(app).items())).encode())
    root = Path(app.srcdir)
    for pattern in app.config.book_execution_sources:
        files = sorted(root.glob(pattern))
        if not files:
            raise ExtensionError(
                f"book_execution_sources: no file matches {pattern!r} under {root}. "
                "Name the library's files, as in 'library/*.py'."
            )
        for path in files:
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(code_of(path.read_text(encoding="utf8")))
    return digest.hexdigest()


def code_of(source: str) -> bytes:
    """What a Python source does: its syntax tree, docstrings left out."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return source.encode()
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
            del node.body[0]
    return ast.dump(tree).encode()


def drop_stale_cache(app: Sphinx) -> None:
    """Delete the execution cache when its fingerprint is not today's."""
    cache = Path(app.env.mystnb_config.execution_cache_path)
    stamp = cache / "fingerprint"
    now = fingerprint(app)
    if cache.exists() and (not stamp.exists() or stamp.read_text() != now):
        shutil.rmtree(cache)
    cache.mkdir(parents=True, exist_ok=True)
    stamp.write_text(now)


def outdated_pages(app: Sphinx, env: BuildEnvironment, *_) -> list[str]:
    """Every page, when the fingerprint differs from the one the pages were read with."""
    now = fingerprint(app)
    then, env.book_fingerprint = getattr(env, "book_fingerprint", None), now
    return [] if then == now else sorted(env.found_docs)


def holds_code_cells(source: str) -> bool:
    """Whether a MyST source has a code cell that is not merely quoted inside another fence."""
    quoting = ""
    for line in source.splitlines():
        fence = FENCE.match(line)
        if not fence:
            continue
        marks, rest = fence.groups()
        if quoting:
            if marks.startswith(quoting) and not rest.strip():
                quoting = ""
        elif "{code-cell}" in rest:
            return True
        elif marks[0] != ":":  # a colon fence holds Markdown, not a quotation
            quoting = marks
    return False


def require_execution(app: Sphinx, env: BuildEnvironment) -> None:
    """Fail the build when a page with code cells was not executed to its end."""
    records = getattr(env, "nb_metadata", {})
    failed = []
    for page in sorted(env.found_docs):
        path = Path(env.doc2path(page))
        if path.suffix == ".md" and not holds_code_cells(path.read_text(encoding="utf8")):
            continue
        record = records.get(page, {}).get("exec_data")
        if record is None:
            failed.append(f"{page}: has code cells, but was not executed. Add the jupytext header.")
        elif not record["succeeded"]:
            failed.append(f"{page}: stopped with {record['error']}.\n{record['traceback']}")
    if failed:
        raise ExtensionError("Pages that were not executed:\n" + "\n".join(failed))


def day(app: Sphinx, mtime: float) -> datetime:
    """When a page was executed, in UTC, whichever way MyST-NB has noted it.

    The cache's times are in UTC and do not say so; MyST-NB takes them for local ones.
    """
    cached = get_cache(app.env.mystnb_config.execution_cache_path).list_cache_records()
    mistaken = mtime in {record.created.timestamp() for record in cached}
    return datetime.fromtimestamp(mtime, None if mistaken else UTC)


def say_when(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    """Append to an executed page when, for how long and with what it was executed."""
    record = getattr(app.env, "nb_metadata", {}).get(page, {}).get("exec_data")
    if record is None:
        return
    when = day(app, record["mtime"])
    used = ", ".join(f"{name} {number}" for name, number in versions(app).items())
    text = (
        f"The code on this page ran on {when.day} {when:%B %Y} in {record['runtime']:.0f} s, "
        f"with {used}."
    )
    spoken_of = app.config.book_execution_text
    if spoken_of and not platform.python_version().startswith(f"{spoken_of}."):
        text += (
            f" What its text says of numbers was written with Python {spoken_of}, whose"
            " documentation is another: where models read it, they differ."
        )
    context["body"] += f'<p class="book-executed">{html.escape(text)}</p>\n'


def forget_warned(app: Sphinx, failure: Exception | None) -> None:
    """Remove the environment of a build that warned, as Sphinx does where one raises."""
    if app._warncount:
        Path(app.doctreedir, ENV_PICKLE_FILENAME).unlink(missing_ok=True)


def setup(app: Sphinx) -> dict:
    app.add_config_value("book_execution_sources", [], "env", list)
    app.add_config_value("book_execution_versions", [], "env", list)
    app.add_config_value("book_execution_text", "", "html", str)
    # After MyST-NB has settled where its cache is.
    app.connect("builder-inited", drop_stale_cache, priority=900)
    app.connect("env-get-outdated", outdated_pages)
    app.connect("env-check-consistency", require_execution)
    app.connect("html-page-context", say_when)
    app.connect("build-finished", forget_warned, priority=999)  # after all that may warn
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}
