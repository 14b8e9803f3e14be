"""What the pages of part 1 and page 2.3 say of the numbers that they print, and of TRL's β."""

import math
import re
from pathlib import Path

import pytest
import torch
from bs4 import BeautifulSoup

BOOK = Path(__file__).parents[2] / "book"


@pytest.fixture(scope="module")
def table(book):
    """The rows that a page prints: lines that start with a word and go on with numbers."""

    def read(page: str, numbers: int) -> dict[str, list[float]]:
        html = (book / "book" / f"{page}.html").read_text(encoding="utf8")
        printed = "\n".join(
            output.text for output in BeautifulSoup(html, "html.parser").select(".cell_output pre")
        )
        cell = r"[ ]+(-?(?:\d[\d,]*\.?\d*|inf|nan))%?"
        rows = re.findall(rf"^[ ]*(\S+){cell * numbers}[ ]*$", printed, re.MULTILINE)
        assert rows
        return {name: [float(n.replace(",", "")) for n in found] for name, *found in rows}

    return read


def test_300_distributions_beat_10000_labels(table):
    """1.1: perplexities by label, argmax and distribution, at each number of places."""
    scores = table("before/soft-targets", 3)
    label, argmax, distribution = 0, 1, 2
    assert scores["300"][distribution] < scores["10000"][label]
    for score in scores.values():
        assert score[distribution] < score[label] < score[argmax]


def test_raised_temperature_makes_the_loss_hear_the_tail(table):
    """1.1: a student that is right at the head and even in the tail; T, KL, T² KL."""
    heard = table("before/soft-targets", 2)
    assert heard["1"][1] < 0.02 < 1 < heard["4"][1]


def test_peaks_that_reverse_kl_picks_cost_the_log_of_their_share():
    """1.3: on any two far peaks, not only those of the page."""
    x = torch.linspace(-5, 15, 201, dtype=torch.float64)
    one, other = ((-0.5 * ((x - middle) / 0.5) ** 2).softmax(-1) for middle in (3, 8))
    from kdlab import reverse_kl

    for share in (0.6, 0.4, 0.1):
        teacher = share * one + (1 - share) * other
        cost = reverse_kl(one.log(), teacher.log())
        assert cost == pytest.approx(-math.log(share), abs=1e-4)


@pytest.mark.parametrize("beta", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999, 1.0])
def test_trl_treats_beta_as_the_page_says(beta):
    trl = pytest.importorskip("trl.experimental.gkd").GKDTrainer
    page = (BOOK / "before/which-way-round.md").read_text(encoding="utf8")
    names: dict = {}
    exec(re.search(r"^from kdlab import .*?$", page, re.MULTILINE)[0], names)
    exec(re.search(r"^def trl_gkd.*?(?=^\n\n|^print)", page, re.MULTILINE | re.DOTALL)[0], names)
    torch.manual_seed(0)
    student, teacher = 2 * torch.randn(2, 3, 8, dtype=torch.float64)
    theirs = trl.generalized_jsd_loss(
        student[None], teacher[None], labels=torch.zeros(1, 3, dtype=torch.long), beta=beta
    )
    torch.testing.assert_close(names["trl_gkd"](student, teacher, beta).mean(), theirs)


def test_ten_times_the_labels_move_the_best_lambda_down(table):
    """1.4: perplexities with 1,000 and 10,000 labels at each λ; the label's share comes first."""
    scores = table("before/one-knob", 3)
    few, many = ({float(lam): row[i] for lam, row in scores.items()} for i in (1, 2))
    best_few, best_many = min(few, key=few.get), min(many, key=many.get)
    assert 0 < best_many < best_few < 100
    level = 10.45
    assert few[100] == pytest.approx(level, abs=0.05)
    assert many[100] == pytest.approx(level, abs=0.05)


def test_perplexity_hides_the_blind_spot(table):
    """2.3: perplexity, 'a' after 'c' and 'o' after 'c' at each λ."""
    rows = table("combined/what-the-truth-contributes", 3)
    perplexity = {float(lam): row[0] for lam, row in rows.items() if lam[0].isdigit()}
    assert perplexity[0] == math.inf
    assert min(perplexity, key=perplexity.get) >= 3
    assert rows["0.1"][1] < rows["0.1"][2]
    assert rows["100"][1] > 1.5 * rows["100"][2]


def test_best_lambda_is_the_teachers_worth_over_the_labels():
    """2.3: for random truths and teachers, no other λ has a smaller expected squared error."""
    torch.manual_seed(0)
    for labels in (3, 30, 300):
        r, p = (2 * torch.randn(2, 6, dtype=torch.float64)).softmax(-1)
        variance, bias = (1 - (r**2).sum()) / labels, ((p - r) ** 2).sum()
        best = variance / bias

        def error(lam, variance=variance, bias=bias):
            return (variance + lam**2 * bias) / (1 + lam) ** 2

        others = best * torch.logspace(-2, 2, 401, dtype=torch.float64)
        assert (error(others) >= error(best) - 1e-15).all()
        torch.testing.assert_close(error(best), variance * bias / (variance + bias))
        draws = torch.multinomial(r, 4000 * labels, replacement=True).view(4000, labels)
        shares = torch.nn.functional.one_hot(draws, 6).double().mean(1)
        measured = ((((shares + best * p) / (1 + best)) - r) ** 2).sum(-1).mean()
        torch.testing.assert_close(measured, error(best), rtol=0.1, atol=0)


def test_no_choice_is_lost_in_a_prompt(pages):
    """A term on two lines ends the list of choices: the ones before it would become the prompt."""
    for page in pages:
        soup = BeautifulSoup(page.read_text(encoding="utf8"), "html.parser")
        assert not soup.select(".question-prompt dl"), page.name
