"""What a reader gets: search, the way through the pages, both themes, notebooks that run."""

import re
import sys
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]


def test_folder_holds_nothing_that_no_page_needs(book):
    files = [path for path in (book / "_static").rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix in {".map", ".ttf"}]
    assert sum(path.stat().st_size for path in files) < 4e6


def test_no_output_holds_what_is_for_a_terminal(book, page_names):
    for name in page_names:
        text = (book / name).read_text(encoding="utf8")
        assert "\x1b" not in text, name
        assert not re.search(r'class="[^"]*-(Color|Bold)', text), name


def test_what_a_page_prints_is_no_wider_than_its_text(book, page_names):
    """In the window of a laptop; a page that prints a file of ours shows it as it is."""
    wide = {}
    for name in page_names:
        soup = BeautifulSoup((book / name).read_text(encoding="utf8"), "html.parser")
        lines = "\n".join(each.text for each in soup.select(".cell_output pre")).splitlines()
        wide[name] = [line for line in lines if len(line) > 78]
    del wide["book/instructors/your-own-set.html"]
    assert not any(wide.values()), wide


def test_no_line_breaks_within_an_equation(book, page_names):
    for name in page_names:
        soup = BeautifulSoup((book / name).read_text(encoding="utf8"), "html.parser")
        for tag in soup.select("article :is(pre, code, script, svg, form, .kdlab-widget)"):
            tag.decompose()
        broken = re.findall(
            r".{0,9}\b[λαkTβ] = [\d∞].{0,9}", soup.article.text if soup.article else ""
        )
        assert not broken, (name, broken)


def test_no_line_begins_with_the_mark_behind_a_formula_or_a_word_of_code(book, page_names):
    formula = r'class="math notranslate nohighlight">[^<]*</span>[.,;:?!)]'
    code = r'(together">)?<code class="[\w ]+"><span class="pre">([^<]*)</span></code>[.,;:?!)]'
    kept_words = 0
    for name in page_names:
        text = (book / name).read_text(encoding="utf8")
        kept = text.count('<span class="together"><span class="math')
        assert len(re.findall(formula, text)) == kept, name
        article = text.partition("<article")[2].partition("</article>")[0]
        for together, word in re.findall(code, article):
            assert together, (name, word)
            kept_words += 1
    assert kept_words


def test_a_script_of_the_book_is_served_without_its_comments(tmp_path):
    sys.path.append(str(ROOT / "book/_ext"))
    from book_output import cut_comments

    script = tmp_path / "a.js"
    script.write_text('// one\nconst at = "https://a"; // of it\n  // two\n  go(at);\n')
    for _ in range(2):
        cut_comments(script)
        assert script.read_text() == 'const at = "https://a"; // of it\n  go(at);\n'


def test_styles_keep_what_a_page_or_a_script_names(tmp_path):
    sys.path.append(str(ROOT / "book/_ext"))
    from book_output import cut_styles

    (tmp_path / "a.css").write_text(
        ".used,.gone{a:b}@media print{.gone .used{c:d}p.used{e:f}}"
        ".bs-tooltip-end{g:h}a:not(.gone){i:j}.gone::before{k:l}@media screen{.gone{m:n}}"
        '.gone:is(.used,p){o:p}a:is(.used,.gone){q:r}a[href$=".pdf"]{s:t}'
        "/* License: Icons, Inc. */.used{u:v}/* a note, no more */"
        ".gone,/* two of them */.lost{w:x}p.used{y:z}.gone{/* why */a:b}"
    )
    cut_styles(tmp_path, {"used"})
    assert (tmp_path / "a.css").read_text() == (
        ".used{a:b}@media print{p.used{e:f}}.bs-tooltip-end{g:h}a:not(.gone){i:j}"
        'a:is(.used,.gone){q:r}a[href$=".pdf"]{s:t}/* License: Icons, Inc. */.used{u:v}'
        "p.used{y:z}"
    )


def test_a_page_that_was_not_written_anew_is_mended_once(tmp_path):
    sys.path.append(str(ROOT / "book/_ext"))
    from book_output import mend

    page = tmp_path / "a.html"
    page.write_text(
        '<script data-cfasync="false">\n    document.documentElement.dataset.mode = "auto";\n'
        '</script><div id="pst-primary-sidebar" class="a"><summary><span class="toctree-toggle">'
        '<th></th><span>(</span><dl><dd>a</dd></dl>)<div role="list" class="citation-list">',
        encoding="utf8",
    )
    mend(page)
    once = page.read_text(encoding="utf8")
    assert once.count("const kept = new Map()") == 1
    mend(page)
    assert page.read_text(encoding="utf8") == once


def test_next_leads_through_every_page_and_previous_back(book, page_names):
    def follow(name: str, direction: str) -> str | None:
        text = (book / name).read_text(encoding="utf8")
        link = re.search(rf'<a class="{direction}-\w+"\s+href="([^"#]+)"', text)
        if not link:
            return None
        return (book / name).parent.joinpath(link[1]).resolve().relative_to(book).as_posix()

    way = ["book/index.html"]
    while (name := follow(way[-1], "right")) is not None:
        assert name not in way
        assert follow(name, "left") == way[-1]
        way.append(name)
    assert sorted(way) == page_names


def test_theme_can_be_switched_and_is_remembered(page, book, settle):
    page.goto((book / "book/index.html").as_uri())
    settle(page)
    button = page.locator(".theme-switch-button:visible").first
    seen = {}
    for _ in range(3):
        button.click()
        theme = page.evaluate("document.documentElement.dataset.theme")
        seen[theme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert seen.keys() == {"light", "dark"}
    assert seen["light"] != seen["dark"]
    for _ in range(3):  # as many as there are
        if page.evaluate("document.documentElement.dataset.mode") == "dark":
            break
        button.click()
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_readers_without_scripts_get_the_numbers_that_the_widget_shows():
    sys.path.append(str(ROOT / "book/_ext"))
    from book_widgets import plain_table

    table = plain_table({"total": {"KL": float("inf"), "change": -1e-5, "gap": -0.25}})
    assert re.findall("<td>(.*?)</td>", table) == ["∞", "0.000", "-0.250"]


# --- notebooks ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def notebooks(book) -> dict[str, nbformat.NotebookNode]:
    """Each page's notebook, by the page's path without its ending."""
    found = sorted((book / "_sources").rglob("*.ipynb"))
    root = book / "_sources"
    return {
        path.relative_to(root).with_suffix("").as_posix(): nbformat.read(path, as_version=4)
        for path in found
    }


def test_every_page_with_code_has_its_notebook(book, notebooks):
    pages = [
        source.relative_to(ROOT).with_suffix("").as_posix()
        for source in (ROOT / "book").rglob("*.md")
        if re.search(r"^```\{code-cell\}", source.read_text(encoding="utf8"), re.MULTILINE)
    ]
    pages = [name for name in pages if (book / f"{name}.html").exists()]
    assert pages
    assert sorted(notebooks) == sorted(pages)


def test_notebooks_hold_the_pages_code_and_no_directives(notebooks):
    for name, notebook in notebooks.items():
        nbformat.validate(notebook)
        source = (ROOT / f"{name}.md").read_text(encoding="utf8")
        cells = re.findall(r"^```\{code-cell\} ipython3\n(.*?)^```$", source, re.M | re.S)
        cells = [cell for cell in cells if not re.search(r"^from myst_nb|^glue\(", cell, re.M)]
        code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
        own = [cell for cell in code if "kdlab.widgets import WIDGETS" not in cell]
        assert len(own) == len(cells), name
        for ours, theirs in zip(cells, own, strict=True):
            assert ours.strip().endswith(theirs.strip()), name
        widgets = re.findall(r"^```\{widget\} ([\w-]+)", source, re.MULTILINE)
        mounted = [re.search(r"WIDGETS\['([\w-]+)'\]", cell) for cell in code if cell not in own]
        assert [found[1] for found in mounted] == widgets
        text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
        assert not re.search(r"\{[\w:-]+\}`|^(:::|```)\{|^\(\w[\w-]*\)=$", text, re.MULTILINE), name


def test_what_a_page_pastes_into_its_text_is_in_its_notebook():
    sys.path.append(str(ROOT / "book/_ext"))
    from book_notebooks import GLUED, pasted

    values = {"tokens": "49152", "share": "0.12", "tail": "'12%'", "written": "'2222'"}
    glued = {key: {"data": {"text/plain": value}} for key, value in values.items()}
    text = " ".join(f"{{glue:text}}`{key}`" for key in ("tokens:,", "share:.0%", "tail", "written"))
    assert GLUED.sub(lambda role: pasted(role, glued), text) == "49,152 12% 12% 2222"


@pytest.mark.parametrize("page", ["book/combined/two-sources", "book/labs/laptop"])
def test_a_notebook_without_a_clone_fetches_what_its_page_reads(page, notebooks):
    sys.path.append(str(ROOT / "book/_ext"))
    from book_notebooks import fetch

    cell = fetch("https://example.org/owls", page)
    assert "git clone --quiet --depth 1 https://example.org/owls course\n" in cell
    folder = ROOT / re.search(r"^%cd course/(.*)$", cell, re.MULTILINE)[1]
    code = "\n".join(each.source for each in notebooks[page].cells if each.cell_type == "code")
    read = re.findall(r'read\("(.*?)"\)', code)
    assert read
    assert all((folder / path).is_file() for path in read)


def test_a_notebook_says_at_its_top_what_it_needs(notebooks):
    for page, notebook in notebooks.items():
        told = notebook.cells[0].source
        assert f"`{Path(page).parent.as_posix()}` of your clone" in told
        assert f"jupyter lab {page}.ipynb`" in told


def test_notebook_shows_a_question_without_giving_it_away(notebooks):
    text = "\n".join(cell.source for cell in notebooks["book/combined/the-formula"].cells)
    asked = text[text.index("**Question** (ordering)") :]
    shown, folded = asked.split("<details>")[:2]
    steps = [line.removeprefix("- ") for line in shown.splitlines() if line.startswith("- ")]
    assert steps == sorted(steps)
    assert all(step in folded for step in steps)


@pytest.mark.parametrize(
    ("kind", "choices", "shown", "folded"),
    [
        ("matching", "A=>1\n: Yes.\n\nB  =>  2 => 3\n:   No.", ["A", "B", "with: 1; 2 => 3"], []),
        ("numeric", "=0.5±0.1\n: Yes.\n\n! 2  ± 0.1\n:\tNo.\n\nelse\n: No.", [], ["✓ 0.5", "✗ 2"]),
    ],
)
def test_a_notebook_reads_a_question_as_its_page_does(kind, choices, shown, folded):
    sys.path.append(str(ROOT / "book/_ext"))
    from book_notebooks import question

    text, _, answers = question(kind, f"Prompt?\n\n{choices}").partition("<details>")
    assert [line[2:] for line in text.splitlines() if line.startswith("- ")] == shown
    assert all(f"**{term}**: " in answers for term in folded)
    assert "\n: " not in answers


@pytest.mark.slow
def test_a_downloaded_notebook_runs(notebooks, tmp_path):
    notebook = nbformat.from_dict(notebooks["book/combined/the-formula"])
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    NotebookClient(notebook, timeout=None, resources={"metadata": {"path": tmp_path}}).execute()
    shown = [cell for cell in notebook.cells if "WIDGETS[" in cell.source]
    assert shown
    for cell in shown:
        kinds = {kind for output in cell.outputs for kind in output.get("data", {})}
        assert "application/vnd.jupyter.widget-view+json" in kinds
