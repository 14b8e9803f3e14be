"""The question directive refuses what its reader could not answer."""

import math
import re
import sys
from collections import Counter
from pathlib import Path

import pytest
from sphinx.testing.util import SphinxTestApp

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
    "no arrow": ("matching", "A 1\n: Yes.\n\nB => 2\n: Yes.", "left => right"),
    "two lines": ("single", "(x) Right,\nin two lines\n: Yes.\n\n( ) Wrong\n: No.", "on one line"),
    "two lists": ("single", "(x) Right\n: Yes.\n\nAnd:\n\n( ) Wrong\n: No.", "on one line"),
    "no list": ("single", "Only words.", "definition list"),
    "unknown kind": ("essay", "(x) Right\n: Yes.", "choose from single, multiple"),
}


def render(tmp_path, *questions: str, name: str = ":name: q{}") -> tuple[str, str]:
    """The page's HTML and the warnings."""
    source = "# A page\n\n"
    for i, (kind, choices) in enumerate(questions):
        given = name.format(i)
        source += f":::{{question}} {kind}\n{given}\n\nPrompt?\n\n{choices}\n:::\n\n"
    (tmp_path / "conf.py").write_text(
        "extensions = ['myst_parser', 'book_questions']\n"
        "myst_enable_extensions = ['colon_fence', 'deflist', 'dollarmath']\n"
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
