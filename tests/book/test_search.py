"""What a reader finds, and what a link shows before it is followed."""

import re
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect
from sphinx.testing.util import SphinxTestApp

from tests.book.narrow import NARROW, STICK_OUT

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "book/_ext"))


@pytest.fixture(scope="module")
def search(new_page, book):
    """Asks the search page: the summary, and title, page and excerpt of each result."""
    tab = new_page()

    def ask(query: str) -> tuple[str, list[dict]]:
        tab.goto((book / "search.html").as_uri() + "?q=" + query)
        summary = tab.locator(".search-summary").inner_text()
        return summary, tab.locator("ul.search > li").evaluate_all(
            """all => all.map(row => ({
                title: row.querySelector("a").textContent,
                href: row.querySelector("a").getAttribute("href"),
                excerpt: row.querySelector(".context").textContent,
                marked: [...row.querySelectorAll("mark")].map(mark => mark.textContent),
            }))"""
        )

    yield ask
    assert not tab.problems
    tab.context.close()


def test_results_fit_a_phone_with_text_of_twice_the_size(new_page, book):
    tab = new_page(viewport=NARROW)
    tab.goto((book / "search.html").as_uri() + "?q=temprature")
    tab.get_by_text("Search finished").wait_for()
    tab.evaluate("document.documentElement.style.fontSize = '200%'")
    assert tab.locator("ul.search li").count()
    assert not tab.evaluate(STICK_OUT)
    tab.context.close()


@pytest.mark.parametrize("origin", ["file", "server"])
def test_from_a_page_to_what_was_sought(page, book, server, settle, origin):
    base = book.as_uri() + "/" if origin == "file" else server
    page.goto(base + "book/combined/the-formula.html")
    settle(page)
    fields = page.locator(".search-button__button, #search-input")
    assert sum(fields.nth(i).is_visible() for i in range(fields.count())) == 1
    page.locator(".search-button__button:visible").click()
    page.locator("#pst-search-dialog input").fill("reverse KL")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=reverse*")
    page.get_by_text("Search finished").wait_for()
    page.locator("ul.search li", has_text="Which way round").locator("a").first.click()
    page.wait_for_url("**/which-way-round.html*")
    assert page.locator("span.highlighted").count()
    assert not page.problems


@pytest.mark.parametrize(
    ("query", "found", "marked"),
    [
        ("KLDivLoss", "From logits, safely", "kldivloss"),
        ("kldivloss", "From logits, safely", "kldivloss"),
        ("schedules", "Schedules", "schedule"),
        ("forward_kl", "forward_kl", "forward_kl"),
        ("Kullback", "The price of a surprise", "kullback"),
        ("divergence", "Divergences", "divergence"),
        ("perplexit", "Glossary", "perplexity"),
        ("λ", "3.1 λ in motion", "λ"),
        ("lambda", "3.1 λ in motion", "λ"),
    ],
)
def test_words_are_found_and_marked_in_an_excerpt(search, query, found, marked):
    summary, results = search(query)
    assert "No page has" not in summary
    assert found in [result["title"] for result in results]
    shown = [mark.lower() for result in results for mark in result["marked"]]
    assert any(mark.startswith(marked) for mark in shown)
    assert all(len(result["excerpt"]) < 240 for result in results)


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("temprature", "temperature"),
        ("temperatuer", "temperature"),
        ("distilation", "distillation"),
        ("divergance", "divergence"),
        ("kullback+liebler", "leibler"),
        ("studnet", "student"),
        ("tokeniser+temprature", "temperature"),
    ],
)
def test_a_slip_finds_what_was_meant_and_says_so(search, slip, meant):
    summary, results = search(slip)
    assert f"{meant}”" in summary
    assert results
    marked = [mark.lower() for result in results for mark in result["marked"]]
    assert any(mark.startswith(meant[:5]) for mark in marked)


def test_a_question_is_asked_as_one_would_ask_it(search):
    """Without the words that make a question of it; and where no section has all, most will do."""
    assert "3.2 Optimizing a student’s training" in [
        result["title"] for result in search("why is my student worse")[1]
    ]
    summary, results = search("why does the student overfit its labels scanner")
    assert "these have most of them" in summary
    assert results
    assert "these have" not in search("is it")[0]
    assert "reverse" in search("reverse kl")[1][0]["title"].lower()  # not the longest table of it
    summary, results = search("tokenizer mismatch")
    assert "these have some of them" in summary
    assert results


def test_nonsense_finds_nothing_and_is_told(search):
    summary, results = search("zxqvw+kl")
    assert summary == "Search finished: 0 sections found. Try fewer or other words."
    assert not results


def test_every_result_leads_to_a_place(search, book):
    for result in search("teacher")[1]:
        path, _, name = result["href"].partition("#")
        page = (book / path).read_text(encoding="utf8")
        assert not name or f'id="{name}"' in page, result["href"]


def test_what_is_found_reads_as_its_page_does(book):
    """No keys of the bibliography, no names of equations, no type twice."""
    text = (book / "_static/sections.js").read_text(encoding="utf8")
    assert "Hinton 2015" in text
    assert not re.findall(r"\b(?:hinton|menon|agarwal)20\d\d\b", text)
    assert not re.findall(r"\beq-[a-z]+", text)
    assert "λ t≥0" in text
    assert "temperature: float = 1.0" in text
    assert "floatfloat" not in text


def test_search_does_not_give_a_question_s_answer_away():
    from book_questions import make
    from book_search import words
    from docutils import nodes

    form = make(
        "form",
        nodes.paragraph("", "Which way?"),
        make("div", nodes.paragraph("", "Right, because."), class_="question-feedback"),
    )
    assert words(form).split() == ["Which", "way?"]


# --- previews -------------------------------------------------------------------------------------

LINKED = """<main class="bd-article">
<a id="one" href="#term">One</a> <a id="two" href="#none">Two</a>
<template data-preview="#term">What a term is</template></main>"""


def test_a_preview_goes_where_the_next_link_has_none_or_the_page_is_left(page):
    page.set_content(LINKED)
    page.add_script_tag(path=ROOT / "book/_static/previews.js")
    preview, one, two = (page.locator(name) for name in ("#book-preview", "#one", "#two"))
    one.hover()
    expect(preview).to_be_visible()
    two.hover()
    expect(preview).to_be_hidden()
    page.keyboard.press("Tab")
    expect(preview).to_be_visible()
    page.keyboard.press("Tab")
    expect(preview).to_be_hidden()
    one.hover()
    expect(preview).to_be_visible()
    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")
    assert preview.is_hidden()


PREVIEWED = {
    "a term": (
        "book/after/optimizing-training.html",
        "a[href*='#term-overfitting']",
        "Overfitting",
    ),
    "a citation": ("book/combined/the-formula.html", ".bibtex-citation a", "Foundations of large"),
    "an equation": (
        "book/combined/the-formula.html",
        "section > p a[href='#equation-eq-q-star']",
        "",
    ),
    "an equation elsewhere": (
        "book/labs/assistant.html",
        "a[href$='#equation-eq-q-star-many']",
        "",
    ),
}


@pytest.mark.parametrize("what", PREVIEWED)
def test_a_link_shows_what_it_leads_to_to_pointer_and_keyboard(page, book, settle, what):
    name, link, words = PREVIEWED[what]
    page.goto((book / name).as_uri())
    settle(page)
    link, preview = page.locator(link).first, page.locator("#book-preview")
    assert not link.get_attribute("title")  # a browser would show it too
    link.hover()
    preview.wait_for()
    assert words.lower() in preview.inner_text().lower()
    assert words or preview.locator("mjx-container").bounding_box()["width"] > 20
    preview.hover()  # it stays while it is pointed at
    page.wait_for_timeout(300)
    assert preview.is_visible()
    page.mouse.move(0, 0)
    preview.wait_for(state="hidden")

    page.keyboard.press("Tab")  # by keyboard from here on
    link.focus()
    preview.wait_for()
    assert link.get_attribute("aria-describedby") == "book-preview"
    page.keyboard.press("Escape")
    assert preview.is_hidden()
    assert link.get_attribute("aria-describedby") is None
    assert not page.problems


def test_a_preview_changes_with_what_it_shows(tmp_path):
    (tmp_path / "conf.py").write_text(
        "extensions = ['myst_parser', 'book_previews']\nmyst_enable_extensions = ['dollarmath']\n"
    )
    (tmp_path / "index.md").write_text("# A book\n\n```{toctree}\npage\nother\n```\n")
    (tmp_path / "page.md").write_text("# A page\n\n{term}`gap` and {eq}`sum`\n")

    def previews(term: str, equation: str) -> list[str]:
        (tmp_path / "other.md").write_text(
            f"# Other\n\n```{{glossary}}\ngap\n  {term}\n```\n\n$$\n{equation}\n$$ (sum)\n"
        )
        app = SphinxTestApp(srcdir=tmp_path)
        try:
            app.build()
            page = (app.outdir / "page.html").read_text(encoding="utf8")
        finally:
            app.cleanup()
        return re.findall(r"<template[^>]*>(.*?)</template>", page, re.DOTALL)

    equation, term = previews("What is left.", "a + b")
    assert "What is left." in term
    assert "a + b" in equation
    assert "What remains." in previews("What remains.", "a + b")[1]
    assert "a + c" in previews("What remains.", "a + c")[0]


def test_where_nothing_sets_formulas_none_is_shown_as_it_is_written(page, book, settle):
    page.goto((book / "book/labs/weak-teacher.html").as_uri())
    settle(page)
    assert not page.evaluate("window.MathJax")
    link = page.locator("a[href$='lambda-in-motion.html#equation-eq-ceiling']").first
    link.hover()
    link.focus()
    assert page.locator("#book-preview").is_hidden()  # it would be there at once


def test_a_preview_stays_in_a_narrow_window(new_page, book, settle):
    tab = new_page(viewport={"width": 320, "height": 600})
    tab.goto((book / "book/combined/the-formula.html").as_uri())
    settle(tab)
    for link in (".bibtex-citation a", "section > p a[href='#equation-eq-q-star']"):
        tab.locator(link).first.hover()
        box = tab.locator("#book-preview").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 320
    tab.context.close()
