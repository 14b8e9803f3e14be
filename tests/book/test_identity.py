"""What the book says of itself: to a preview, to a search engine, to who followed a dead link."""

import textwrap
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from fontTools.ttLib import TTFont

EXT = Path(__file__).parents[2] / "book/_ext"


def head(path: Path) -> dict[str, str]:
    """The tags of a page's head, by name or property."""
    soup = BeautifulSoup(path.read_text(encoding="utf8"), "html.parser")
    return {tag.get("name") or tag.get("property"): tag["content"] for tag in
            soup.select("meta[name], meta[property]")}  # fmt: skip


def test_every_page_describes_itself(book, pages):
    told = {}
    for path in pages:
        name = path.relative_to(book).as_posix()
        if name in ("search.html", "genindex.html"):
            continue
        found = head(path)
        assert 20 <= len(found["description"]) <= 200, name
        assert found["og:title"], name
        assert found["og:description"] == found["description"], name
        told.setdefault(found["description"], []).append(name)
    assert sorted(told.pop(head(book / "index.html")["description"])) == [
        "book/index.html",
        "index.html",
    ]
    assert not {text: names for text, names in told.items() if len(names) > 1}


def test_the_root_page_has_a_title_an_icon_and_a_way_on(book):
    soup = BeautifulSoup((book / "index.html").read_text(encoding="utf8"), "html.parser")
    assert soup.title.text == "Distilling language models"
    assert (book / soup.select_one("link[rel=icon]")["href"]).is_file()
    assert (book / soup.body.a["href"]).is_file()


def test_the_font_has_every_glyph_that_a_style_sheet_asks_for(book):
    """Escaped or as it is; the icons of admonitions are variables of the theme's."""
    folder = book / "_static/vendor/fontawesome/webfonts"
    drawn = set().union(*(TTFont(path).getBestCmap() for path in folder.glob("*.woff")))
    asked = {
        ord(character)
        for sheet in (book / "_static").rglob("*.css")
        for character in sheet.read_text(encoding="utf8")
        if 0xE000 <= ord(character) <= 0xF8FF
    }
    assert len(asked) > 10
    assert not {hex(code) for code in asked - drawn}


@pytest.fixture(scope="module")
def published(tmp_path_factory, build) -> Path:
    """A book of two pages that has an address."""
    root = tmp_path_factory.mktemp("published")
    (root / "book").mkdir()
    (root / "_toc.yml").write_text(
        "{format: jb-book, root: book/index, chapters: [{file: book/b}]}"
    )
    (root / "_config.yml").write_text(
        textwrap.dedent(f"""\
        title: Two & more pages
        only_build_toc_files: true
        html: {{baseurl: "https://example.org/owls", favicon: book/mark.svg}}
        sphinx:
          local_extensions: {{book_identity: {EXT}, book_notebooks: {EXT}}}
          config: {{book_repository: "https://github.com/owls/eyes"}}
        """)
    )
    (root / "book/mark.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    (root / "book/b.md").write_text("# B\n\nToo short.\n")
    (root / "book/index.md").write_text(
        '# Of "owls"\n\n'
        "The owl has two eyes, and with them it sees what *you* do not see. It is the first text "
        "that counts here. A third one makes the paragraph so long that it does not fit into what "
        "a preview shows of any page at all.\n"
    )
    result = build(root)
    assert result.returncode == 0, result.stdout
    return root / "_build/html"


def test_a_preview_shows_whole_sentences_and_a_picture(published):
    found = head(published / "book/index.html")
    assert found["description"] == (
        "The owl has two eyes, and with them it sees what you do not see. It is the first text "
        "that counts here."
    )
    assert found["og:title"] == "Of “owls”"
    assert found["og:url"] == "https://example.org/owls/book/index.html"
    assert found["og:image"] == "https://example.org/owls/_static/page.png"
    assert head(published / "book/b.html")["og:title"] == "B"


def test_one_setting_offers_an_edit_and_a_report(published):
    text = (published / "book/b.html").read_text(encoding="utf8")
    soup = BeautifulSoup(text, "html.parser")
    hrefs = [link["href"] for link in soup.select("a[href^='https://github.com/owls/eyes']")]
    assert "https://github.com/owls/eyes/edit/main/book/b.md" in hrefs
    assert any(href.startswith("https://github.com/owls/eyes/issues/new?") for href in hrefs)


@pytest.mark.parametrize("address", ["https://github.com/o/r", "https://github.com/o/r.git/"])
def test_a_repository_on_github_opens_in_colab(monkeypatch, address):
    monkeypatch.syspath_prepend(str(EXT))
    from book_notebooks import in_colab

    wanted = "https://colab.research.google.com/github/o/r/blob/notebooks/book/b.ipynb"
    assert in_colab(address, "book/b") == wanted
    assert in_colab("https://example.org/o/r", "book/b") == in_colab("", "book/b") == ""


def test_without_that_setting_nothing_is_offered(book):
    text = (book / "book/combined/the-formula.html").read_text(encoding="utf8")
    for offered in ("/edit/main/", "issues/new", "colab.research.google.com"):
        assert offered not in text


def test_an_address_that_leads_nowhere_leads_back(published):
    soup = BeautifulSoup((published / "404.html").read_text(encoding="utf8"), "html.parser")
    assert soup.title.text == "Not found · Two & more pages"
    hrefs = [link["href"] for link in soup.select("a")]
    assert hrefs == ["/owls/book/index.html", "/owls/search.html"]  # from whatever depth
    assert "padding: 0 1rem" in soup.style.text  # a phone's screen is no wider than the text


def test_the_sitemap_has_every_page(published):
    tree = ET.parse(published / "sitemap.xml")
    assert [node.text for node in tree.findall(".//{*}loc")] == [
        "https://example.org/owls/book/b.html",
        "https://example.org/owls/book/index.html",
    ]


def test_a_book_without_an_address_promises_none(book):
    assert not (book / "sitemap.xml").exists()
    assert "og:image" not in head(book / "book/index.html")
