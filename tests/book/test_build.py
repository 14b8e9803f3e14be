"""What the rendered pages are made of: links, images, nothing from outside, executed outputs."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

ROOT = Path(__file__).parents[2]
BIB = (ROOT / "book/references.bib").read_text(encoding="utf8")


@pytest.fixture(scope="module")
def soups(pages) -> dict[Path, BeautifulSoup]:
    return {page: BeautifulSoup(page.read_text(encoding="utf8"), "html.parser") for page in pages}


def is_outside(url: str) -> bool:
    return bool(urlsplit(url).netloc) or url.startswith("//")


def test_entrance_leads_to_the_welcome_page(book, soups):
    refresh = soups[book / "index.html"].find("meta", attrs={"http-equiv": "Refresh"})
    assert (book / refresh["content"].split("url=")[1]).resolve() in soups


def test_internal_links_resolve(soups):
    broken = []
    ids = {page: {tag["id"] for tag in soup.find_all(id=True)} for page, soup in soups.items()}
    for page, soup in soups.items():
        for tag in soup.find_all(["a", "link", "img", "script"]):
            url = tag.get("href") or tag.get("src")
            if not url or is_outside(url) or urlsplit(url).scheme or url in {"#", "#main-content"}:
                continue
            parts = urlsplit(url)
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            if not target.exists():
                broken.append(f"{page.name}: {url}")
            elif parts.fragment and target in ids and parts.fragment not in ids[target]:
                broken.append(f"{page.name}: {url} (no such place)")
    assert not broken


def test_every_image_has_alt_text(soups):
    images = [(page, img) for page, soup in soups.items() for img in soup.find_all("img")]
    assert images
    short = [(page.name, img.get("src")) for page, img in images if len(img.get("alt", "")) < 40]
    drawn = [(page, svg) for page, soup in soups.items() for svg in soup.select("svg.figure")]
    short += [(page.name, svg) for page, svg in drawn if len(svg.get("aria-label", "")) < 40]
    assert not short


def test_pages_load_nothing_from_outside(soups):
    loaded = []
    for page, soup in soups.items():
        for tag in soup.find_all(["script", "img", "iframe", "source", "video", "audio", "link"]):
            if tag.name == "link" and set(tag.get("rel", [])) <= {"canonical", "next", "prev"}:
                continue
            url = tag.get("src") or tag.get("href") or ""
            if is_outside(url):
                loaded.append(f"{page.name}: {url}")
        for style in soup.find_all("style"):
            loaded += re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//\S+", style.text)
        for script in soup.find_all("script", src=False):
            found = re.findall(r"[\"'](?:https?:)?//[^\"']*\.(?:js|css|mjs)[\"']", script.text)
            loaded += [f"{page.name}: {url}" for url in found]
    assert not loaded


def test_styles_load_nothing_from_outside(book):
    loaded = []
    for sheet in book.glob("_static/**/*.css"):
        text = sheet.read_text(encoding="utf8")
        loaded += re.findall(r"(?:@import\s+|url\()\s*[\"']?(?:https?:)?//[^)\s]+", text)
    assert not loaded


def test_pages_with_code_say_when_they_ran(soups, book):
    ran = 0
    for source in (ROOT / "book").rglob("*.md"):
        page = (book / source.relative_to(ROOT)).with_suffix(".html")
        if page not in soups or "{code-cell}" not in source.read_text(encoding="utf8"):
            continue
        line = soups[page].find(class_="book-executed").text
        assert re.search(r"ran on \d+ \w+ \d{4} in \d+ s, with Python 3\.\d+\.\d+, kdlab ", line)
        assert soups[page].select(".cell_output")
        ran += 1
    assert ran >= 2


def test_every_page_has_what_a_page_needs():
    for source in [*(ROOT / "book/combined").glob("*.md"), *(ROOT / "book/field").glob("*.md")]:
        text = source.read_text(encoding="utf8")
        for part in ("will be able to", "You need first", "{code-cell}", "{question}", "## Try it"):
            assert part in text, f"{source.name} has no {part!r}"
        for part in ("## Summary", "**Graded in**", "**Sources**"):
            assert part in text, f"{source.name} has no {part!r}"


def test_what_grades_a_page_is_a_link():
    for source in (ROOT / "book").rglob("*.md"):
        for said in re.findall(
            r"^\*\*Graded in\*\*.*?(?=\n\n|\Z)",
            source.read_text(encoding="utf8"),
            re.MULTILINE | re.DOTALL,
        ):
            assert not re.search(r"(?<!\{ref\})`ps\d", said), f"{source.name}: {said}"


def test_citations_are_in_the_bibliography_and_can_be_found():
    keys = set(re.findall(r"^@\w+\{(\w+),", BIB, re.MULTILINE))
    cited = {
        key.strip()
        for source in (ROOT / "book").rglob("*.md")
        for group in re.findall(r"\{cite:\w+\}`([^`]+)`", source.read_text(encoding="utf8"))
        for key in group.split(",")
    }
    assert cited == keys
    for entry in BIB.split("\n@")[0:]:
        assert re.search(r"doi|arXiv:\d{4}\.\d{5}|url +=", entry), entry[:60]
    named = re.findall(r"author += \{\{*([^,}]+).*?year += \{(\d+)\}", BIB, re.DOTALL)
    assert len(named) == len(set(named)) == len(keys)  # "Li et al. [2026]" is one of them


def test_code_fits_beside_the_contents():
    """Longer lines scroll, or are broken on paper; a comment's length breaks no statement."""
    long, broken = [], []
    for source in (ROOT / "book").rglob("*.md"):
        for options, code in re.findall(
            r"^```(?:\{code-cell\} ipython3|\w+)\n((?:---\n.*?\n---\n|:tags:[^\n]*\n)?)(.*?)^```$",
            source.read_text(encoding="utf8"),
            re.MULTILINE | re.DOTALL,
        ):
            if not re.search("remove-(input|cell)", options):
                long += [f"{source.name}: {line}" for line in code.splitlines() if len(line) > 72]
                found = re.findall(r"^ *[])}].*  #.*", code, re.MULTILINE)
                broken += [f"{source.name}: {line}" for line in found]
    assert not long
    assert not broken, "put the comment above"
