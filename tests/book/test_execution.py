"""How pages are executed and their outputs kept true, on books of one page or two."""

import os
import re
import sys
import textwrap
import time
import tomllib
from datetime import UTC, datetime
from importlib.metadata import packages_distributions
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import yaml
from jupyter_cache import get_cache
from nbformat.v4 import new_notebook

ROOT = Path(__file__).parents[2]
EXT = ROOT / "book/_ext"
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf8"))
HEADER = """\
---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---
"""
PAGE = """\
# A page

```{code-cell} ipython3
import sys
sys.path.insert(0, "..")
from library import answer
print("the answer is", answer.ANSWER)
```
"""


CELL = "```{code-cell} ipython3\n1 + 1\n```\n"


@pytest.fixture
def small_book(tmp_path, build):
    """Builds a book of one page over a library of one file; returns what happened and the page."""
    (tmp_path / "library").mkdir()
    (tmp_path / "library/answer.py").write_text("ANSWER = 41\n")
    (tmp_path / "book").mkdir()
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: book/index\n")
    (tmp_path / "_config.yml").write_text(
        textwrap.dedent(f"""\
        title: A book
        only_build_toc_files: true
        execute: {{execute_notebooks: cache, timeout: 3600}}
        sphinx:
          local_extensions:
            book_questions: {EXT}
            book_execution: {EXT}
            book_kernels: {EXT}
            book_figures: {EXT}
            book_notebooks: {EXT}
          config:
            book_execution_sources: ["library/*.py"]
            book_execution_versions: [sphinx]
            book_execution_text: "2.7"
            book_kernels_preload: [ipykernel.kernelapp, colorsys]
        """)
    )

    def make(source):
        (tmp_path / "book/index.md").write_text(source, encoding="utf8")
        result = build(tmp_path)
        page = tmp_path / "_build/html/book/index.html"
        return result, page.read_text(encoding="utf8") if page.exists() else ""

    make.root = tmp_path
    return make


@pytest.mark.slow
def test_changing_the_library_changes_the_page(small_book):
    result, page = small_book(HEADER + PAGE)
    assert result.returncode == 0, result.stdout
    assert "the answer is 41" in page
    assert "was written with Python 2.7, whose documentation is another" in page

    # The text changed, and the library says more and does the same: outputs are kept.
    (small_book.root / "library/answer.py").write_text('"""The answer."""\nANSWER = 41  # it is\n')
    result, page = small_book(HEADER + PAGE.replace("A page", "The same page"))
    assert "Using cached notebook" in result.stdout
    assert "Executing notebook" not in result.stdout
    assert "The same page" in page
    notebook = small_book.root / "_build/html/_sources/book/index.ipynb"
    assert "the answer is 41" in notebook.read_text(encoding="utf8").partition('"outputs"')[2]

    (small_book.root / "library/answer.py").write_text("ANSWER = 42\n")
    result, page = small_book(HEADER + PAGE.replace("A page", "The same page"))
    assert "Executing notebook" in result.stdout
    assert "the answer is 42" in page


@pytest.mark.slow
def test_page_without_jupytext_header_fails_the_build(small_book):
    result, _ = small_book(PAGE)
    assert result.returncode != 0
    assert "book/index: has code cells, but was not executed" in result.stdout


@pytest.mark.slow
def test_page_that_raises_fails_the_build(small_book):
    result, _ = small_book(HEADER + PAGE.replace("answer.ANSWER", "answer.MISSING"))
    assert result.returncode != 0
    assert "book/index: stopped with CellExecutionError" in result.stdout


@pytest.mark.slow
def test_quoted_code_cell_is_not_a_code_cell(small_book):
    result, page = small_book("# A page\n\n````md\n```{code-cell} ipython3\n1 + 1\n```\n````\n")
    assert result.returncode == 0, result.stdout
    assert "book-executed" not in page


ALONE = """\
# A page

```{code-cell} ipython3
import builtins, os, sys
print("imported before:", "colorsys" in sys.modules, "so is its folder:", EXT in sys.path)
print("of another page:", hasattr(builtins, "left_here"), "server", os.getppid())
print("threads:", os.environ["OMP_NUM_THREADS"])
builtins.left_here = True
```

```{code-cell} ipython3
import time
print("one table ", end="")
time.sleep(0.4)  # longer than a kernel keeps what is printed, if nobody tells it to
print("ends here\\n\\nand another")
time.sleep(0.4)
print("\\nbegins here")
```

"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere kernels are started, not forked")
def test_kernels_are_forked_from_one_process_and_share_nothing(small_book, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    (small_book.root / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters: [{file: book/second}]\n"
    )
    alone = HEADER + ALONE.replace("EXT", repr(str(EXT)))
    (small_book.root / "book/second.md").write_text(alone + "```{code-cell} ipython3\n1 + 1\n```\n")
    result, first = small_book(alone)
    assert result.returncode == 0, result.stdout
    second = (small_book.root / "_build/html/book/second.html").read_text(encoding="utf8")
    servers = []
    for page in (first, second):
        assert "imported before: True so is its folder: False" in page
        assert "of another page: False" in page
        assert "threads: 1\n" in page
        assert "one table ends here\n\nand another\n\nbegins here" in page
        servers += re.findall(r"server (\d+)", page)
    assert len(servers) == 2
    assert len(set(servers)) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(int(servers[0]), 0)


def test_no_cell_is_cut_off_on_a_busy_machine():
    """A page of 7 seconds was seen to take 681, and one was cut off after ten minutes."""
    assert CONFIG["execute"]["timeout"] >= 3600


# What kdlab depends on that neither computes nor draws.
SILENT = {"safetensors", "anywidget", "traitlets", "tqdm", "typer", "lazy-loader"}


def test_outputs_are_thrown_away_with_all_that_computes_or_draws_them():
    config = CONFIG["sphinx"]["config"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
    needed = {re.match(r"[\w-]+", each)[0] for each in project["dependencies"]} - SILENT
    needed |= {"transformers"}  # pages make tokenizers of it, through kdlab
    local = set()
    for page in (ROOT / "book").rglob("*.md"):
        cells = re.findall(
            r"^```\{code-cell\} ipython3\n(.*?)^```$",
            page.read_text(encoding="utf8"),
            re.MULTILINE | re.DOTALL,
        )
        for name in re.findall(r"^(?:from|import) (\w+)", "\n".join(cells), re.MULTILINE):
            if (ROOT / name).is_dir():
                local.add(name)
            elif name not in sys.stdlib_module_names | {"myst_nb"}:  # which glues, no more
                needed.update(packages_distributions()[name])
    assert needed <= set(config["book_execution_versions"])
    sources = {path for each in config["book_execution_sources"] for path in ROOT.glob(each)}
    unnoticed = {path for name in local for path in (ROOT / name).rglob("*.py")} - sources
    assert {path.parent for path in unnoticed} <= {ROOT / "kdlab/widgets"}


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="Windows has one time for all programs")
@pytest.mark.parametrize("zone", ["EAST-24", "WEST24"])
def test_the_day_of_an_execution_is_the_same_where_it_is_read_from_the_cache(
    zone, tmp_path, monkeypatch
):
    monkeypatch.syspath_prepend(EXT)
    from book_execution import say_when

    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        notebook = tmp_path / "page.ipynb"
        nbformat.write(new_notebook(), notebook)
        record = get_cache(tmp_path / "cache").cache_notebook_file(notebook, check_validity=False)
        env = SimpleNamespace(
            mystnb_config=SimpleNamespace(execution_cache_path=tmp_path / "cache")
        )
        config = SimpleNamespace(book_execution_versions=[], book_execution_text="")
        said = []
        # As MyST-NB notes it: when it has executed a page, and when it has it from the cache.
        for mtime in (datetime.now().timestamp(), record.created.timestamp()):
            env.nb_metadata = {"page": {"exec_data": {"mtime": mtime, "runtime": 1.0}}}
            context = {"body": ""}
            say_when(SimpleNamespace(env=env, config=config), "page", "", context, None)
            said.append(context["body"])
    finally:
        monkeypatch.undo()
        time.tzset()
    today = datetime.now(UTC)
    assert f"ran on {today.day} {today:%B %Y} in 1 s" in said[0]
    assert said[1] == said[0]


@pytest.mark.slow
def test_a_warning_that_is_not_mended_fails_the_next_build_too(small_book, build):
    first, _ = small_book("# A page\n\n### Too deep\n\n[A link](to-nowhere)\n")
    for result in (first, build(small_book.root)):
        assert result.returncode != 0, result.stdout
        assert "H1 to H3" in result.stdout  # noticed when the page is read
        assert "to-nowhere" in result.stdout  # and when it is written
    result, _ = small_book("# A page\n\n## A section\n")
    assert result.returncode == 0, result.stdout
    assert "no targets are out of date" in build(small_book.root).stdout


@pytest.mark.slow
def test_a_notebook_links_to_notebooks_that_there_are(small_book):
    toc = "format: jb-book\nroot: book/index\nchapters: "
    toc += "[{file: book/more/code}, {file: book/words}]\n"
    (small_book.root / "_toc.yml").write_text(toc)
    (small_book.root / "book/more").mkdir()
    back = "[Back](../index.md), [a library](../../library/answer.py)\n\n"
    (small_book.root / "book/more/code.md").write_text(f"{HEADER}# Code\n\n{back}{CELL}")
    (small_book.root / "book/words.md").write_text("# Words\n\n(a-place)=\n## Place\n")
    links = "[code](more/code.md), [words](words.md), [the\nplace](a-place), `f[0](a)`\n\n"
    result, _ = small_book(f"{HEADER}# A page\n\n{links}{CELL}")
    assert result.returncode == 0, result.stdout
    sources = small_book.root / "_build/html/_sources/book"
    first, second = (
        nbformat.read(sources / name, as_version=4).cells[1].source
        for name in ("index.ipynb", "more/code.ipynb")
    )
    assert "[code](more/code.ipynb), [words](words.md), the\nplace, `f[0](a)`" in first
    assert "[Back](../index.ipynb), [a library](../../library/answer.py)" in second
