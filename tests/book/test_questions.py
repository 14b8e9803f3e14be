"""The question directive refuses what its reader could not answer; what a small page remembers."""

import math
import re
import sys
from collections import Counter
from pathlib import Path

import pytest
from playwright.sync_api import expect
from sphinx.testing.util import SphinxTestApp

from tests.book.questions import answer, check

BOOK = Path(__file__).parents[2] / "book"
sys.path.append(str(BOOK / "_ext"))

RIGHT = {
    "single": "(x) Right\n: Yes.\n\n( ) Wrong\n: No.",
    "multiple": "[x] Right\n: Yes.\n\n[ ] Wrong\n: No.",
    "numeric": "= 0.5 ± 0.1\n: Yes.\n\nelse\n: No.",
    "ordering": "First\n: Before.\n\nSecond\n: After.",
    "matching": "A => 1\n: Yes.\n\nB => 2\n: Yes.",
}
WRONG = {
    "no feedback": ("single", "(x) Right\n: Yes.\n\n( ) Wrong", "definition list"),
    "no mark": ("single", "(x) Right\n: Yes.\n\nWrong\n: No.", "does not start with a mark"),
    "two right": ("single", "(x) Right\n: Yes.\n\n(x) Wrong\n: No.", "2 choices are marked right"),
    "none right": ("multiple", "[ ] A\n: No.\n\n[ ] B\n: No.", "0 choices are marked right"),
    "no tolerance": ("numeric", "= 0.5\n: Yes.\n\nelse\n: No.", "is none of"),
    "no else": ("numeric", "= 0.5 ± 0.1\n: Yes.", "one 'else'"),
    "no number": ("numeric", "= nan ± 0.1\n: Yes.\n\nelse\n: No.", "a finite value"),
    "endless": ("numeric", "= 0.5 ± inf\n: Yes.\n\nelse\n: No.", "a finite tolerance"),
    "below 0": ("numeric", "= 0.5 ± -0.1\n: Yes.\n\nelse\n: No.", "at least 0"),
    "no right side": ("matching", "A =>\n: Yes.\n\nB => 2\n: Yes.", "left => right"),
    "no arrow": ("matching", "A 1\n: Yes.\n\nB => 2\n: Yes.", "left => right"),
    "two lines": ("single", "(x) Right,\nin two lines\n: Yes.\n\n( ) Wrong\n: No.", "on one line"),
    "two lists": ("single", "(x) Right\n: Yes.\n\nAnd:\n\n( ) Wrong\n: No.", "on one line"),
    "no list": ("single", "Only words.", "definition list"),
    "unknown kind": ("essay", "(x) Right\n: Yes.", "choose from single, multiple"),
}


def render(
    tmp_path, *questions: str, name: str = ":name: q{}", prompt: str = "Prompt?"
) -> tuple[str, str]:
    """The page's HTML and the warnings."""
    source = "# A page\n\n"
    for i, (kind, choices) in enumerate(questions):
        given = name.format(i)
        source += f":::{{question}} {kind}\n{given}\n\n{prompt}\n\n{choices}\n:::\n\n"
    (tmp_path / "conf.py").write_text(
        "extensions = ['myst_parser', 'book_questions']\n"
        "myst_enable_extensions = ['colon_fence', 'deflist', 'dollarmath']\n"
        f"html_static_path = [{str(BOOK / '_static')!r}]\n"
    )
    (tmp_path / "index.md").write_text(source, encoding="utf8")
    app = SphinxTestApp(srcdir=tmp_path)
    try:
        app.build()
        return (app.outdir / "index.html").read_text(encoding="utf8"), app.warning.getvalue()
    finally:
        app.cleanup()


def test_every_kind_renders(tmp_path):
    html, warnings = render(tmp_path, *RIGHT.items())
    assert not [line for line in warnings.splitlines() if "index.md" in line]
    for kind in RIGHT:
        assert f'data-kind="{kind}"' in html
    assert html.count('role="status"') == len(RIGHT)


@pytest.mark.parametrize("case", WRONG)
def test_wrong_question_is_an_error(tmp_path, case):
    kind, choices, message = WRONG[case]
    _, warnings = render(tmp_path, (kind, choices))
    assert message in warnings


def test_name_must_be_there_and_unique(tmp_path):
    two = [("single", RIGHT["single"])] * 2
    assert "is taken on this page" in render(tmp_path, *two, name=":name: same")[1]


def test_shuffled_is_a_permutation_and_never_the_right_order():
    from book_questions import shuffled

    for count in range(2, 8):
        for seed in map(str, range(50)):
            order = shuffled(count, seed)
            assert sorted(order) == list(range(count))
            assert order != list(range(count))
            assert order == shuffled(count, seed)


# --- what a page remembers ---


@pytest.fixture
def opened(page, tmp_path):
    """Makes a page of questions and opens it."""

    def build(*questions: str, **options: str):
        _, warnings = render(tmp_path, *questions, **options)
        assert "index.md" not in warnings
        page.goto((tmp_path / "_build/html/index.html").as_uri())
        return page

    return build


OTHER = {
    "single": "( ) Wrong\n: No.\n\n(x) Right\n: Yes.",
    "multiple": "[x] Right\n: Yes.\n\n[x] Wrong\n: No.",
    "numeric": "= 0.7 ± 0.1\n: Yes.\n\nelse\n: No.",
    "ordering": "Second\n: Before.\n\nFirst\n: After.",
    "matching": "A => 2\n: Yes.\n\nB => 1\n: Yes.",
}


@pytest.mark.parametrize("kind", RIGHT)
def test_what_was_answered_to_other_choices_is_forgotten(opened, kind):
    for choices, kept in (
        (RIGHT[kind], False),
        (RIGHT[kind].replace(": ", ": Because of this: "), True),  # other feedback
        (OTHER[kind], False),
    ):
        tab = opened((kind, choices))
        form, tally = tab.locator("form.question"), tab.locator(".question-tally")
        assert tally.inner_text() == f"{int(kept)} of 1 solved"
        assert form.locator(".question-verdict").inner_text().startswith("✓ Right.") == kept
        answer(form, right=True)
        assert check(form).startswith("✓ Right.")
        assert tally.inner_text() == "1 of 1 solved"


def test_what_was_answered_to_another_prompt_is_forgotten(opened):
    tab = opened(("single", RIGHT["single"]))
    answer(tab.locator("form.question"), right=True)
    check(tab.locator("form.question"))
    opened(("single", RIGHT["single"]), prompt="Which is not $x$?")
    assert tab.locator("form.question input:checked").count() == 0
    assert tab.locator(".question-tally").inner_text() == "0 of 1 solved"


def test_a_check_of_nothing_is_not_remembered(opened):
    tab = opened(("single", RIGHT["single"]))
    assert "Answer first" in check(tab.locator("form.question"))
    tab.reload()
    assert tab.locator(".question-verdict").inner_text() == ""


def test_the_tally_has_what_another_tab_has_answered(opened):
    tab = opened(("single", RIGHT["single"]))
    other = tab.context.new_page()
    other.goto(tab.url)
    answer(other.locator("form.question"), right=True)
    check(other.locator("form.question"))
    expect(tab.locator(".question-tally")).to_have_text("1 of 1 solved")


def test_the_tally_is_counted_anew_on_a_page_that_comes_back(opened):
    """Back to a page that the browser has kept as it was, no script of it runs again."""
    tab = opened(("single", RIGHT["single"]))
    answer(tab.locator("form.question"), right=True)
    check(tab.locator("form.question"))
    tab.evaluate("localStorage.clear()")  # the same tab gets no event
    tab.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    assert tab.locator(".question-tally").inner_text() == "0 of 1 solved"


@pytest.mark.parametrize("kind", RIGHT)
def test_a_verdict_does_not_stand_beside_another_answer(opened, kind):
    tab = opened((kind, RIGHT[kind]))
    form = tab.locator("form.question")
    answer(form, right=True)
    check(form)
    change = {
        "single": lambda: form.get_by_role("radio").last.check(),
        "multiple": lambda: form.get_by_role("checkbox").last.check(),
        "numeric": lambda: form.get_by_role("textbox").fill("3"),
        "ordering": lambda: form.get_by_role("button", name="Move down").first.click(),
        "matching": lambda: form.get_by_role("combobox").first.select_option("2"),
    }
    change[kind]()
    assert form.locator(".question-verdict").inner_text() == ""
    assert tab.locator(".is-right, .is-wrong").count() == 0


def test_a_verdict_does_not_stand_beside_what_the_browser_puts_back(opened):
    tab = opened(("single", RIGHT["single"]))
    form = tab.locator("form.question")
    answer(form, right=True)
    check(form)
    form.get_by_role("radio").last.check()
    tab.goto("about:blank")
    tab.go_back()
    right = form.get_by_role("radio").first.is_checked()
    assert form.locator(".question-verdict").inner_text().startswith("✓ Right.") == right


PRINTED = """<html data-theme="dark"><main class="bd-article"><h1>Title</h1>
<details><summary>More</summary>Folded</details></main></html>"""


def test_a_page_is_itself_again_after_a_print_that_was_begun_twice(page):
    page.set_content(PRINTED)
    page.add_script_tag(path=BOOK / "_static/print.js")
    page.evaluate("['beforeprint', 'beforeprint'].forEach(name => dispatchEvent(new Event(name)))")
    assert page.locator("html").get_attribute("data-theme") == "light"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert page.locator("details[open]").count() == 0


@pytest.mark.parametrize("sign", ["(", "-", "2^", "1+"])
def test_what_is_longer_than_any_number_is_none(opened, sign):
    tab = opened(("numeric", RIGHT["numeric"]))
    form = tab.locator("form.question")
    form.locator("input").fill(sign * 20_000 + "1")
    assert "not a number" in check(form)
    assert not tab.problems


# --- the book's questions ---

NUMBER = r"\d+(?:\.\d+)?"


def of_kind(kind: str) -> dict[str, str]:
    """The book's questions of a kind: their text by their name."""
    block = rf"^:::\{{question\}} {kind}\n:name: (\S+)\n(.*?)^:::$"
    pages = [page.read_text(encoding="utf8") for page in sorted(BOOK.rglob("*.md"))]
    return dict(pair for page in pages for pair in re.findall(block, page, re.M | re.S))


NUMERIC = of_kind("numeric")


def values(text: str) -> list[float]:
    """The numbers of a text, and what its logarithms and fractions amount to."""
    found = [float(x) for x in re.findall(rf"(?<![\w.,]){NUMBER}(?![\w,])", text)]
    found += [abs(math.log(float(x))) for x in re.findall(rf"\\log\s*({NUMBER})", text)]
    return found + [float(a) / float(b) for a, b in re.findall(rf"({NUMBER})/({NUMBER})", text)]


@pytest.mark.parametrize("name", NUMERIC)
def test_what_is_said_to_a_wrong_number_is_not_the_right_one(name):
    asked, right, within, answers = re.split(
        r"^= (\S+) ± (\S+)\n", NUMERIC[name], flags=re.MULTILINE
    )
    _, *wrong = re.split(r"^(?:! .*|else)\n", answers, flags=re.MULTILINE)
    for said in wrong:
        told = set(values(said)) - set(values(asked))
        assert all(abs(value - float(right)) > float(within) for value in told), said


def test_neither_place_nor_length_betrays_the_right_choice():
    places, longest = Counter(), 0
    for question in (singles := of_kind("single")).values():
        choices = re.findall(r"^\(([x ])\) (.*)$", question, re.MULTILINE)
        (place,) = [i for i, (mark, _) in enumerate(choices) if mark == "x"]
        lengths = [len(choice) for _, choice in choices]
        places[place] += 1
        longest += lengths[place] == max(lengths)
    assert max(places.values()) <= 0.4 * len(singles), places
    assert longest <= 0.4 * len(singles), longest
