"""A drawing of matplotlib's becomes part of its page."""

import io
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "book/_ext"))


@pytest.fixture(scope="module")
def drawn() -> str:
    """A figure with text, black lines, a colour, a hatch and a clip, as the kernels draw it."""
    with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": "book"}):
        figure, axes = plt.subplots()
        axes.plot([0, 1], [0, 1], color="#0072B2", label="KL(p‖q)")
        axes.barh([0], [1], color="#D55E00", hatch="//", edgecolor="w")
        axes.annotate("low", (0.5, 0.5), color="#009E73")
        axes.set_title("λ = 0.123456 falls")
        axes.legend()
        file = io.StringIO()
        figure.savefig(file, format="svg", bbox_inches="tight", metadata={"Date": None})
        plt.close(figure)
    return file.getvalue()


def test_it_is_whole_and_says_what_it_shows(drawn):
    from book_figures import inline

    text = inline(drawn, 'A line & a "bar"', "figure-0-")
    tree = ET.fromstring(text.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1))
    assert tree.get("role") == "img"
    assert tree.get("aria-label") == 'A line & a "bar"'
    words = [node.text for node in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert {"λ = 0.123456 falls", "KL(p‖q)"} <= set(words)
    assert "<style" not in text
    assert "font-family" not in text
    assert "rotate(-0" not in text


def test_its_colours_are_the_pages(drawn):
    from book_figures import inline

    text = inline(drawn, "", "figure-0-")
    assert not re.findall(r"(?<!, )#(?:[0-9a-f]{6})\b", text)  # none that the page cannot change
    assert "currentColor" in text
    assert "var(--pst-color-background, #fff)" in text
    assert "var(--figure-0072b2, #0072b2)" in text
    (word,) = re.findall("<text[^>]*>low<", text)
    assert "fill: var(--figure-text-009e73, var(--figure-009e73, #009e73))" in word


def test_what_its_words_say_stays_as_it_is():
    from book_figures import inline

    said = ["kdlab --lam 2", "#abcdef", "url(#a) font-family: x", "a ... b"]
    with plt.rc_context({"svg.fonttype": "none"}):
        figure = plt.figure()
        for i, text in enumerate([*said, "the teacher's"]):
            figure.text(0, i / 9, text)
        file = io.StringIO()
        figure.savefig(file, format="svg")
        plt.close(figure)
    text = inline(file.getvalue(), "", "figure-0-")
    # Of print are the quotation marks alone: dashes and dots may be code.
    assert re.findall("<text[^>]*>([^<]*)<", text) == [*said, "the teacher’s"]


def test_two_drawings_of_a_page_share_no_name(drawn):
    from book_figures import inline

    one, other = (inline(drawn, "", f"figure-{i}-") for i in range(2))
    names = [set(re.findall(r'\bid="([^"]+)"', text)) for text in (one, other)]
    assert names[0]
    assert not names[0] & names[1]
    used = re.findall(r'(?:url\(|href=")#([^")]+)', one)
    assert used
    assert set(used) <= names[0]


def test_label_and_teacher_have_the_same_colours_everywhere():
    """In the style of the book, of its widgets, and in figures that draw both."""
    book = (ROOT / "book/_static/book.css").read_text(encoding="utf8")
    widgets = (ROOT / "kdlab/widgets/widgets.css").read_text(encoding="utf8")
    names = {"label": "label", "p": "teacher", "third": "lambda"}
    for ours, theirs in names.items():
        light, dark = re.findall(rf"--book-{theirs}: (#\w{{6}});", book)
        assert f"--{ours}: var(--book-{theirs}, {light});" in widgets
        assert f"  --{ours}: {dark};\n" in widgets
    drawn = {"blue": ("#0072B2", "#56B4E9"), "orange": ("#D55E00", "#E69F00")}
    pattern = r'"(labels?|labels alone[^"]*|teacher|distribution|\{\} alone)"[:,] \(?"(#\w{6})"'
    found = [
        (page.stem, name, colour)
        for page in (ROOT / "book").rglob("*.md")
        for name, colour in re.findall(pattern, page.read_text(encoding="utf8"))
    ]
    assert len(found) > 3
    for page, name, colour in found:
        wanted = drawn["blue" if name.startswith("label") else "orange"]
        assert colour in wanted, (page, name)


def test_the_book_has_no_figure_that_ignores_the_theme(book, pages):
    figures = 0
    style = (ROOT / "book/_static/book.css").read_text(encoding="utf8")
    known = set(re.findall(r"(--figure-[0-9a-f]{6}):", style))
    for page in pages:
        text = page.read_text(encoding="utf8")
        assert not re.findall(r'<img[^>]+src="[^"]*_images/[^"]*"', text), page.name
        assert set(re.findall(r"var\((--figure-[0-9a-f]{6})", text)) <= known, page.name
        figures += text.count('<svg class="figure"')
    assert figures > 20
