"""What the pages of part 1 and page 2.3 say of their numbers, and of TRL's and torchtune's."""

import functools
import math
import re
from pathlib import Path

import pytest
import torch
from bs4 import BeautifulSoup

from tests.documentation import same_text

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


def test_between_the_ends_the_first_student_is_better_than_at_either(table, book):
    """The front page: perplexities of three seeds, at each λ; each Python has another text."""
    found = table("index", 3)
    for lam in ("1", "3", "10"):
        assert max(found[lam]) < min(*found["0"], *found["100"])
    html = (book / "book/index.html").read_text(encoding="utf8")
    level = float(re.search(r"the teacher's perplexity on new text: ([\d.]+)", html)[1])
    assert max(found["100"]) < level + 0.1  # "nearly a copy of its teacher"


def test_1000_distributions_beat_10000_labels_with_every_seed(table):
    """1.1: perplexities by label, argmax and distribution, at each number of positions."""
    scores = table("before/soft-targets", 3)
    label, argmax, distribution = 0, 1, 2
    for score in scores.values():
        assert score[distribution] < score[label] < score[argmax]
    assert scores["100"][label] > 27  # worse than a uniform guess
    assert scores["10000"][argmax] > 4 * scores["10000"][label]


def test_how_many_distributions_lead_10000_labels(book):
    """1.1: with 1,000 all five students lead, with 300 some do, with 100 none."""
    html = (book / "book/before/soft-targets.html").read_text(encoding="utf8")
    text = BeautifulSoup(html, "html.parser").text
    leads = {
        int(n): [float(x) for x in row.split()]
        for n, row in re.findall(r"^n = +(\d+): +((?:-?\d\.\d\d *)+)$", text, re.MULTILINE)
    }
    assert min(leads[1000]) > 0 > max(leads[100])
    assert all(abs(lead) < 0.1 for lead in leads[300])


@same_text
def test_the_student_without_an_e_still_guesses_it(table):
    """1.1: mean q('e') and how often 'e' is guessed where it came, for each student."""
    rows = table("before/soft-targets", 2)
    assert rows["labels"][0] < 0.001
    assert rows["labels"][1] == 0
    assert rows["distributions"][0] > 0.7 * 0.111  # the share of 'e' in the text
    assert 35 <= rows["distributions"][1] <= 45


@same_text
def test_the_picture_of_1_1_shows_the_teachers_numbers(table, monkeypatch):
    html = drawing("label-and-distribution", monkeypatch)
    said = {float(x) for x in re.findall(r">(0\.\d\d)<", html)}
    page = (BOOK / "before/soft-targets.md").read_text(encoding="utf8")
    names: dict = {}
    exec(re.search(r"^```{code-cell} ipython3\n(.*?)^```$", page, re.M | re.S)[1], names)
    after_pr = names["CHARACTERS"].index("p") * 27 + names["CHARACTERS"].index("r")
    likeliest = names["teacher"][after_pr].softmax(-1).topk(4).values
    assert said == {round(p, 2) for p in likeliest.tolist()}


def test_the_picture_of_1_2_shows_the_pages_numbers(monkeypatch):
    p, q = (torch.tensor(x, dtype=torch.float64) for x in ([0.8, 0.1, 0.1], [0.6, 0.2, 0.2]))
    entropy, cross = -(p * p.log()).sum().item(), -(p * q.log()).sum().item()
    html = drawing("price-of-a-token", monkeypatch)
    for number in (entropy, cross, cross - entropy):
        assert f"{number:.2f}" in html


def drawing(name: str, monkeypatch) -> str:
    monkeypatch.syspath_prepend(str(BOOK / "_ext"))
    import drawings

    return drawings.DRAWINGS[name]()


def test_a_raised_temperature_makes_the_tail_count(table):
    """1.1: a student that is right at the head and even in the tail; T, KL, T² KL."""
    rows = table("before/soft-targets", 2)
    assert rows["1"][1] < 0.02 < 1 < rows["4"][1]
    assert rows["4"][1] > 200 * rows["1"][1]


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
    exec(re.search(r"^from kdlab import (?:\([^)]*\)|.*)$", page, re.MULTILINE)[0], names)
    exec(re.search(r"^def trl_gkd.*?(?=^\n\n|^print)", page, re.MULTILINE | re.DOTALL)[0], names)
    torch.manual_seed(0)
    student, teacher = 2 * torch.randn(2, 3, 8, dtype=torch.float64)
    theirs = trl.generalized_jsd_loss(
        student[None], teacher[None], labels=torch.zeros(1, 3, dtype=torch.long), beta=beta
    )
    torch.testing.assert_close(names["trl_gkd"](student, teacher, beta).mean(), theirs)


def defined(page: str, *marks: str) -> dict:
    """The names of a page after those of its cells that hold one of the marks."""
    text = (BOOK / f"{page}.md").read_text(encoding="utf8")
    names: dict = {}
    for cell in re.findall(r"^```{code-cell} ipython3\n(.*?)^```$", text, re.M | re.S):
        if any(mark in cell for mark in marks):
            exec(cell, names)
    return names


@pytest.fixture
def torchtune(losses_of):
    return losses_of("torchtune", "0.6.1", "torchtune/modules/loss/kd_losses.py")


@pytest.mark.parametrize("ratio", [0.0, 0.5, 0.9, 1.0])
def test_torchtune_computes_what_page_1_3_says(torchtune, ratio):
    page = defined("before/which-way-round", "import torch\n", "def trl_gkd", "def torchtune_")
    student, teacher = page["student"], page["wise"]
    loss = torchtune.SymmetricKLLoss(sym_kd_ratio=ratio)
    for q in (student, teacher):  # any student, and a perfect one
        theirs = loss(q[None], teacher[None], torch.zeros(1, dtype=torch.long))
        ours = page["torchtune_symmetric_kl"](q, teacher, ratio)
        torch.testing.assert_close(ours.float(), theirs)


def test_torchtune_computes_what_page_1_2_says(torchtune):
    page = defined("before/measuring-the-mismatch", "import torch\n", "def cross_entropy_as_kl")
    logits = page["teacher_logits"]
    theirs = torchtune.ForwardKLLoss()(logits, logits, torch.zeros(2, dtype=torch.long))
    torch.testing.assert_close(page["cross_entropy_as_kl"](logits, logits).mean().float(), theirs)


def test_the_numbers_of_1_3_under_the_names_of_libraries():
    page = defined("before/which-way-round", "import torch\n", "def trl_gkd", "def torchtune_")
    student, teacher = page["student"], page["wise"]
    found = [
        page[f"{name}_symmetric_kl"](student, teacher, 0.9) for name in ("distillm", "torchtune")
    ]
    assert [round(x.item(), 4) for x in found] == [0.3323, 1.2798]


@pytest.mark.parametrize("seed", range(3))
def test_on_real_letters_forward_covers_and_reverse_forgets(seed):
    """1.3: with other first weights and batches, too."""
    page = defined("before/which-way-round", "import torch\n")
    text = (BOOK / "before/which-way-round.md").read_text(encoding="utf8")
    (cell,) = re.findall(r"^```{code-cell} ipython3\n(import re\n.*?)^```$", text, re.M | re.S)
    exec(cell.replace("manual_seed(0)", f"manual_seed({seed})"), page)
    p, often = page["p"], page["often"]
    found = {}
    for name in ("forward_kl", "reverse_kl"):
        q = page["narrow_student"](page[name]).softmax(-1)
        entropy = (often * -(q * q.log()).sum(-1)).sum().item()
        forgotten = (often * (p * (q < 0.01)).sum(-1)).sum().item()
        made_up = (often * (q * (p < 0.001)).sum(-1)).sum().item()
        found[name] = (entropy, forgotten, made_up)
    forward, reverse = found["forward_kl"], found["reverse_kl"]
    of_teacher = (often * -(p * p.log()).sum(-1)).sum().item()
    assert reverse[0] < of_teacher < forward[0]
    assert forward[1] < reverse[1]
    assert reverse[2] < forward[2]


def test_what_1_3_says_of_jsd_and_skew_reverse_kl_on_two_peaks():
    """The wide student in which three starts end is worse than one on the higher peak."""
    page = defined("before/which-way-round", "import torch\n", "def peak")
    text = " ".join((BOOK / "before/which-way-round.md").read_text(encoding="utf8").split())
    said = re.search(r"(0\.\d\d) instead of (0\.\d\d) for JSD, (\S+) instead of (\S+) for", text)
    starts, widths = page["at"](1.0, 9.0, 5.5, 3.0), page["at"](1.0, 1.0, 2.0, 0.5)
    found = []
    for divergence in (
        page["jensen_shannon"],
        functools.partial(page["skew_reverse_kl"], alpha=0.3),
    ):
        middles, ended, losses = (x.tolist() for x in page["fit"](divergence, starts, widths))
        assert middles == pytest.approx([4.6, 4.6, 4.6, 3.0], abs=0.05)
        assert ended == pytest.approx([2.0, 2.0, 2.0, 0.5], abs=0.05)
        found += [f"{losses[-1]:.2f}", f"{losses[0]:.2f}"]
    assert list(said.groups()) == found


@same_text
def test_the_more_labels_the_lower_the_best_lambda(book):
    """1.4: perplexities with 1,000, 10,000 and 100,000 labels; the label's share comes first."""
    html = (book / "book/before/one-knob.html").read_text(encoding="utf8")
    text = BeautifulSoup(html, "html.parser").text
    row = r"^ *(\d[\d.]*) +\d+% +(\d+\.\d\d) +(\d+\.\d\d) +(\d+\.\d\d)$"
    scores = {lam: cells for lam, *cells in re.findall(row, text, re.MULTILINE)}
    assert len(scores) == 7
    few, more, many = (
        {float(lam): float(cells[i]) for lam, cells in scores.items()} for i in range(3)
    )
    assert min(few, key=few.get) in (1, 3)
    assert min(more, key=more.get) <= 0.3
    assert min(many, key=many.get) <= 0.3
    for lam, perplexity in more.items():
        assert many[lam] == pytest.approx(perplexity, abs=0.15)  # the same labels read
    level = 10.45
    for by_lam in (few, more, many):
        assert by_lam[100] == pytest.approx(level, abs=0.1)
    assert few[3] < level < few[0]  # past its teacher, and in need of it
    assert few[0] - few[0.1] > 1


def test_perplexity_hides_the_blind_spot(table):
    """2.3: perplexity, 'a' after 'c' and 'o' after 'c' at each λ."""
    rows = table("combined/what-the-truth-contributes", 3)
    perplexity = {float(lam): row[0] for lam, row in rows.items() if lam[0].isdigit()}
    assert perplexity[0] == math.inf
    assert min(perplexity, key=perplexity.get) == 10
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


def test_random_noise_in_labels_does_not_cancel(book):
    """2.3: what endless labels leave of an error, of which one in ten is random."""
    html = (book / "book/combined/what-the-truth-contributes.html").read_text(encoding="utf8")
    text = BeautifulSoup(html, "html.parser").text
    found = re.findall(r"endless noisy labels (0\.\d+), of the teacher (0\.\d+)", text)
    (after_c, teacher_c), (after_e, teacher_e) = ([float(x) for x in pair] for pair in found)
    assert 0 < after_c < teacher_c / 10
    assert after_e > teacher_e == 0


def test_no_choice_is_lost_in_a_prompt(pages):
    """A term on two lines ends the list of choices: the ones before it would become the prompt."""
    for page in pages:
        soup = BeautifulSoup(page.read_text(encoding="utf8"), "html.parser")
        assert not soup.select(".question-prompt dl"), page.name
