"""The whole book as one document, and that document printed."""

import re
import sys
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup

from tests.book.test_pages import PAGES

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "book/_ext"))

import paper  # noqa: E402

TOC = {"root": "book/index", "parts": [
    {"caption": "1 · Owls", "chapters": [{"file": "book/b", "sections": [{"file": "book/c"}]}]},
]}  # fmt: skip
CONFIG = {"title": "Owls & their eyes", "author": "A", "copyright": "2026"}
RENDERED = """\
<html><head><link rel="stylesheet" href="../_static/book.css"></head><body><nav>Not this</nav>
<article class="bd-article"><h1 id="top">{title}</h1>{text}</article></body></html>
"""


@pytest.fixture
def rendered(tmp_path) -> Path:
    """A rendered book of three pages."""
    texts = {
        "index": '<p><a href="b.html">next</a> <a href="https://example.org">out</a></p>'
        '<section><h2>How far</h2><div class="question-progress"></div></section>',
        "b": '<p id="top-of-b">Eyes <a href="c.html#top">c</a> <a href="#top-of-b">b</a></p>'
        '<form class="question"><input name="q"></form><p>0 of <i class="question-tally">1</i></p>',
        "c": '<p>Last <img src="../_images/owl.png" alt="an owl"></p><svg><clipPath id="cut"/>'
        '<path id="mark" clip-path="url(#cut)"/><use xlink:href="#mark" '
        'style="fill: #c0ffee"/></svg>',
    }
    (tmp_path / "book").mkdir()
    for name, text in texts.items():
        html = RENDERED.format(title=f"Page {name}", text=text)
        (tmp_path / f"book/{name}.html").write_text(html, encoding="utf8")
    return tmp_path


def test_the_pages_come_in_the_order_of_the_contents():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf8"))
    names = [name for _, pages in paper.parts(toc) for name in pages]
    assert [f"{name}.html" for name in names] == PAGES
    assert [caption for caption, _ in paper.parts(toc)][1] == "1 · Before"


def test_links_stay_inside_and_no_name_is_taken_twice(rendered):
    soup = BeautifulSoup(paper.assemble(rendered, CONFIG, TOC), "html.parser")
    assert [h1.text for h1 in soup.select("h1")] == ["Page index", "Page b", "Page c"]
    ids = [tag["id"] for tag in soup.find_all(id=True)]
    assert len(set(ids)) == len(ids)
    hrefs = [link["href"] for link in soup.select("a")]
    assert [href for href in hrefs if not href.startswith("#")] == ["https://example.org"]
    assert {href[1:] for href in hrefs if href.startswith("#")} <= set(ids)
    assert soup.img["src"] == (rendered / "_images/owl.png").as_uri()
    assert soup.form["data-chapter"] == "Page b"
    assert soup.path["clip-path"] == f"url(#{soup.clippath['id']})"
    assert soup.use["xlink:href"] == f"#{soup.path['id']}"
    assert soup.use["style"] == "fill: #c0ffee"
    assert "Not this" not in soup.text
    assert "0 of" not in soup.text
    assert "How far" not in soup.text
    assert soup.select_one(".contents h3").text == "1 · Owls"


def test_a_page_that_is_not_rendered_is_named(rendered):
    (rendered / "book/c.html").unlink()
    with pytest.raises(SystemExit, match=r"lacks book/c\.html\. Render the book first: make book"):
        paper.assemble(rendered, CONFIG, TOC)


@pytest.mark.parametrize(
    ("named", "said"),
    [(None, "install: sudo apt-get install chromium"), ("no-such-browser", "'no-such-browser'")],
)
def test_a_machine_without_chromium_is_told_what_to_install(monkeypatch, tmp_path, named, said):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(paper, "BROWSERS", ("chromium",))
    monkeypatch.delenv("CHROMIUM", raising=False)
    if named:
        monkeypatch.setenv("CHROMIUM", named)
    with pytest.raises(SystemExit, match=re.escape(said)):
        paper.browser()


def test_it_is_printed_with_its_chapters_on_pages_of_their_own(rendered, chromium):
    """Cover, contents and three chapters."""
    whole, target = rendered / "whole.html", rendered / "whole.pdf"
    whole.write_text(paper.assemble(rendered, CONFIG, TOC), encoding="utf8")
    paper.print_page(whole, target)
    pdf = target.read_bytes()
    assert pdf.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 5
    assert pdf.count(b"/Subtype /Link") >= 4


def test_what_cannot_be_printed_is_an_error(rendered, chromium):
    with pytest.raises(SystemExit, match="Chromium did not print"):
        paper.print_page(rendered / "no-such-page.html", rendered / "no-such-folder/book.pdf")
