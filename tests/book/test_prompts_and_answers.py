"""What page 2.4 says in words is what its outputs show, and what its drawings count."""

import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

BOOK = Path(__file__).parents[2] / "book"
MISTAKES = ("right", "prompt_counted", "template_counted", "end_masked", "padding_counted")


@pytest.fixture(scope="module")
def text(book) -> str:
    html = (book / "book/combined/prompts-and-answers.html").read_text(encoding="utf8")
    return BeautifulSoup(html, "html.parser").text


@pytest.fixture(scope="module")
def counted(text) -> dict[str, tuple[int, float]]:
    """N and the LM loss of one conversation under each mistake."""
    found = re.findall(r"^(\w+) +N = +(\d+) +LM (\S+)$", text, re.MULTILINE)
    return {name: (int(n), float(lm)) for name, n, lm in found}


@pytest.fixture(scope="module")
def trained(text) -> dict[str, tuple[float, ...]]:
    """Its loss, the right LM loss, the share that ended and the tokens, for each mistake."""
    pattern = r"^(\w+) +(\d\.\d\d) +(\d\.\d\d) +(\d+)% +(\d+\.\d) +'"
    found = re.findall(pattern, text, re.MULTILINE)
    return {name: tuple(map(float, numbers)) for name, *numbers in found}


def test_each_mistake_counts_what_its_name_says(counted):
    assert tuple(counted) == tuple(MISTAKES)
    assert [n for n, _ in counted.values()][:4] == [3, 14, 5, 2]
    assert counted["padding_counted"][0] > 3
    assert len({lm for _, lm in counted.values()}) == 5


def test_who_masks_the_end_does_not_stop(trained):
    assert trained["right"][2] > 90
    assert trained["end_masked"][2] == 0
    assert trained["end_masked"][3] == 12
    assert trained["end_masked"][1] > trained["right"][1] + 1


def test_the_lowest_loss_is_that_of_counted_padding_and_it_ends_too_early(trained):
    losses = {name: numbers[0] for name, numbers in trained.items()}
    assert min(losses, key=losses.get) == "padding_counted"
    assert losses["prompt_counted"] < losses["right"]
    assert losses["template_counted"] < losses["right"]
    assert trained["padding_counted"][3] < trained["right"][3]


def test_the_prompt_counted_does_little_harm_here(trained):
    assert abs(trained["prompt_counted"][1] - trained["right"][1]) < 0.15


def test_the_opening_says_what_the_table_shows(text, trained):
    said = re.search(r"an end token after\s+(\d+)% of its answers.*?it ends\s+(\d+)%", text, re.S)
    assert [float(x) for x in said.groups()] == [trained[m][2] for m in ("right", "end_masked")]


def test_packed_and_padded_have_equal_losses(text):
    found = re.findall(r"^(?:padded|packed): (\d+) positions, LM (\S+), KD (\S+)$", text, re.M)
    assert len(found) == 2
    padded, packed = ([float(x) for x in each] for each in found)
    assert padded == pytest.approx(packed, abs=2e-4)


def test_names_are_decided_at_the_first_token_and_numbers_at_each(text):
    found = re.findall(r"^(names|numbers|one digit) +(\d\.\d\d)(.*)$", text, re.M)
    surprise = {name: [float(first), *map(float, rest.split())] for name, first, rest in found}
    first, later, end = surprise["names"]
    assert first > later + 0.5 > end
    first, later, end = surprise["numbers"]
    assert later > first - 0.3
    assert end < 0.5
    assert all(numbers[-1] < 0.5 for numbers in surprise.values())


def test_the_drawings_say_how_many_they_count(monkeypatch):
    monkeypatch.syspath_prepend(str(BOOK / "_ext"))
    from drawings import DRAWINGS

    for name, n in {"prompt-counted": 10, "template-counted": 5, "end-masked": 2}.items():
        drawn = DRAWINGS[name]()
        assert f"</tspan> = {n} instead of 3" in drawn
        below = re.findall(r'y="80"[^>]*>([^<]*)<', drawn)  # the labels
        assert len(below) == 11
        assert sum(label not in ("−100", "·") for label in below) == n
