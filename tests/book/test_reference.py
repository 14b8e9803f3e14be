"""The reference is complete, and every word of the glossary leads back to its page."""

import dataclasses
import json
import re
from functools import cache
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

import kdlab
from autograder.commands.cli import app
from kdlab import plots, widgets

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "book/reference"


@cache
def soup_of(page: Path) -> BeautifulSoup:
    """A rendered page; several tests read each of the library's."""
    return BeautifulSoup(page.read_text(encoding="utf8"), "html.parser")


@pytest.fixture(scope="module")
def entries(book) -> list[str]:
    """The names of all entries of the library's pages."""
    found = []
    for path in sorted((book / "book/reference").glob("library*.html")):
        soup = soup_of(path)
        found += [entry["id"] for entry in soup.select("dt.sig[id]")]
    return found


@pytest.mark.parametrize("name", kdlab.__all__)
def test_every_public_name_has_one_entry(entries, name):
    assert entries.count(f"kdlab.{name}") == 1


@pytest.mark.parametrize("module", [plots, widgets], ids=["plots", "widgets"])
def test_figures_and_widgets_have_entries(entries, module):
    for name in module.__all__:
        if name != "WIDGETS":
            assert entries.count(f"{module.__name__}.{name}") == 1, name


def test_fields_are_described_by_their_own_comments(book):
    html = (book / "book/reference/library-training.html").read_text(encoding="utf8")
    entry = BeautifulSoup(html, "html.parser").find(id="kdlab.TrainConfig").parent.text
    described = dict(re.findall(r"^(\w+) \(.*?\) – (.+)$", entry, re.MULTILINE))
    assert described["steps"] == "optimiser steps"
    assert described["weight_decay"].startswith("on matrices")
    assert set(described) == {field.name for field in dataclasses.fields(kdlab.TrainConfig)}


def test_signatures_are_parsed_and_say_something(book):
    for path in sorted((book / "book/reference").glob("library*.html")):
        soup = soup_of(path)
        for entry in soup.select("dt.sig"):
            assert not re.search(r"~|<factory>|\(\*args", entry.text), entry.text


def test_the_general_index_lists_each_module_once(book):
    words = [line.text.split("\n")[0] for line in soup_of(book / "genindex.html").select("td li")]
    modules = [word for word in words if "module)" in word and "in module" not in word]
    assert "kdlab.fused (module)" in modules
    assert len(set(modules)) == len(modules)
    assert not {"module", "kdlab.fused"} & {word.strip() for word in words}


def test_no_table_of_a_docstring_has_run_into_lines(book):
    """What is indented without a double colon before it is set as a quotation, in one paragraph."""
    for path in sorted((book / "book/reference").glob("library*.html")):
        assert "<blockquote>" not in path.read_text(encoding="utf8"), path.name


def test_no_sentence_of_a_docstring_is_taken_for_a_type(book):
    """Napoleon takes what stands before a colon in a property's first line for its type."""
    for path in sorted((book / "book/reference").glob("library*.html")):
        soup = soup_of(path)
        fields = [field.text for field in soup.select("dl.field-list > dt")]
        assert not {"Type:", "Return type:"} & set(fields), path.name


def test_every_glossary_entry_leads_to_the_page_that_explains_it(book):
    page = book / "book/reference/glossary.html"
    soup = soup_of(page)
    terms = {
        re.sub(r"[¶#]$", "", term.text).strip().lower(): term.find_next_sibling("dd")
        for term in soup.select("dl.glossary > dt")
    }
    assert len(terms) > 30
    assert list(terms) == sorted(terms)
    for term, definition in terms.items():
        links = definition.select("a[href]")
        assert links, term
        word = plain(term).split()[0]
        for link in links:
            target = (page.parent / link["href"].split("#")[0]).resolve()
            assert word in words_of(target), f"{term}: not on {target.name}"


@cache
def words_of(page: Path) -> str:
    """All of a page's words, to which many entries lead."""
    return plain(soup_of(page).text.lower())


def plain(text: str) -> str:
    """Words without punctuation."""
    return re.sub(r"[\W_]+", " ", text)


def test_the_points_table_is_the_notebooks(book):
    html = (book / "book/instructors/first-evening.html").read_text(encoding="utf8")
    (table,) = (
        table
        for table in BeautifulSoup(html, "html.parser").find_all("table")
        if "points" in table.find("tr").text
    )
    shown = sum(
        float(row.find_all("td")[2].text)
        for row in table.select("tbody tr")
        if not row.find("strong")
    )
    marks = [
        cell["metadata"].get("nbgrader", {})
        for path in (ROOT / "exercises/source").glob("*/*.ipynb")
        for cell in json.loads(path.read_text(encoding="utf8"))["cells"]
    ]
    assert shown == sum(mark["points"] for mark in marks if mark.get("grade"))


def test_commands_for_instructors_exist():
    """What the pages tell an instructor to type names commands that are there."""
    pages = sorted((ROOT / "book/instructors").glob("*.md"))
    text = "\n".join(page.read_text(encoding="utf8") for page in pages)
    makefile = (ROOT / "Makefile").read_text(encoding="utf8")
    for target in map("".join, re.findall(r"^make (\w+)|`make (\w+)", text, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    commands = {command.callback.__name__ for command in app.registered_commands}
    commands |= {group.name for group in app.registered_groups}
    named = set(re.findall(r"python -m autograder (\w+)", text))
    assert named == commands  # and each command has its place
