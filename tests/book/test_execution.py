"""How pages are executed and their outputs kept true, on books of one page or two."""

import os
import re
import sys
import textwrap
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
EXT = ROOT / "book/_ext"
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
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf8"))
    assert config["execute"]["timeout"] >= 3600
