"""What the pages of part 6 say in words is what their cells and the recorded runs show."""

import inspect
import math
import re
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from bs4 import BeautifulSoup

from kdlab import SweepResults

BOOK = Path(__file__).parents[2] / "book"


@pytest.fixture(scope="module")
def text_of(book):
    def read(page: str) -> str:
        html = (book / f"book/field/{page}.html").read_text(encoding="utf8")
        return BeautifulSoup(html, "html.parser").text

    return read


@pytest.fixture(scope="module")
def laptop() -> SweepResults:
    return SweepResults.read(BOOK / "labs/results/laptop.json")


@pytest.fixture(scope="module")
def two() -> SweepResults:
    return SweepResults.read(BOOK / "labs/results/two_sources.json")


def numbers(text: str, line: str) -> list[float]:
    """The numbers of the output's line that begins so."""
    found = re.search(rf"^ *{re.escape(line)}(.*)$", text, re.MULTILINE)
    return [float(x.replace(",", "")) for x in re.findall(r"-?\d[\d,]*\.?\d*", found[1])]


def test_a_hundred_times_the_draws_make_a_tenth_of_the_error(text_of):
    text = text_of("where-it-is-used")
    one, hundred, many = (numbers(text, f"{n} drawn")[0] for n in (1, 100, 10_000))
    assert one / hundred == pytest.approx(10, rel=0.1)
    assert hundred / many == pytest.approx(10, rel=0.1)
    assert numbers(text, "the likeliest one")[0] > 5


def test_the_gradient_of_a_drawn_label_is_right_on_average_at_any_teacher():
    for seed in range(5):
        torch.manual_seed(seed)
        p, q = torch.randn(2, 9, dtype=torch.float64).softmax(-1)
        mean = sum(p[y] * (q - torch.nn.functional.one_hot(torch.tensor(y), 9)) for y in range(9))
        torch.testing.assert_close(mean, q - p)


def test_a_checker_lifts_the_student_and_its_limits_are_those_that_the_page_names(text_of):
    text = text_of("where-it-is-used")
    every, passing, careless = (
        numbers(text, name)[-2:]
        for name in ("every answer", "answers that pass the checker", "a checker that passes")
    )
    teacher = float(re.search(r"the teacher is right in (\S+) of", text)[1])
    never = float(re.search(r"and in none of 8 on (\S+) of the questions", text)[1])
    assert every[0] == pytest.approx(teacher, abs=0.02)
    assert passing[0] == pytest.approx(1 - never + 0.2 * never, abs=0.002)
    assert passing[0] > careless[0] > every[0] + 0.1
    assert (every[1], passing[1]) == (0.0, 0.2)
    assert 0 < careless[1] < 0.2


def cell(page: str, begin: str) -> tuple[str, str]:
    """The source of a page, and its cell that begins so."""
    source = (BOOK / f"field/{page}.md").read_text(encoding="utf8")
    found = re.search(rf"^({re.escape(begin)}.*?)^```$", source, re.MULTILINE | re.DOTALL)
    return source, found[1]


def test_with_more_answers_the_checker_counts_more_as_the_solution_says():
    source, code = cell("where-it-is-used", "torch.manual_seed(0)\nquestions")
    found = []
    for tries in ("8", "64"):
        names = {"torch": torch}
        exec(code.replace("500, 5, 8", f"500, 5, {tries}"), names)
        never, students = names["never"], list(names["students"].values())
        right = [student[:, 0].mean().item() for student in students]
        found.append((names["share"].item(), right, students[2][never, 0].mean().item()))
    (few, before, some), (rare, after, hardly) = found
    said = re.search(
        r"falls from (\S+) to (\S+), because.*right (\S+) of the time instead of (\S+)\. .*"
        r"is\s+right on (\S+)\s+of them\. With 8 answers, it was right on (\S+)\s+of the questions",
        source,
        re.DOTALL,
    )
    computed = (few, rare, after[1], before[1], hardly, some)
    for number, value in zip(said.groups(), computed, strict=True):
        assert number == f"{value:.{len(number) - 2}f}"
    assert after[2] <= before[2]  # "more answers did not help the careless checker's student"


def test_up_to_which_lambda_the_labels_lead_uld_as_the_solution_says():
    source, code = cell("on-policy-in-practice", "from kdlab import forward_kl")
    names = {"torch": torch}
    exec(code, names)
    train, wrong, target = names["train"], names["wrong"], names["p"].log()

    def kl(*arguments):
        return names["forward_kl"](train(*arguments), target).item()

    jump, lam = re.search(r"to about (\S+): it is (\S+)\.$", source, re.MULTILINE).groups()
    assert kl(wrong.flip(0), 0, 1) < 0.01
    assert kl(wrong, 1, float(lam)) < 0.01
    assert kl(wrong, 1, float(lam) + 0.1) == pytest.approx(float(jump), abs=0.05)


def test_one_number_per_token_is_a_noisy_gradient(text_of):
    text = text_of("on-policy-in-practice")
    table = text[text.index("minus the mean KL") :]
    rows = {n: numbers(table, str(n)) for n in (1, 100, 1000, 10_000)}
    for column in (0, 1):
        assert rows[100][column] / rows[10_000][column] == pytest.approx(10, rel=0.15)
        assert rows[1000][column] == pytest.approx(1 / 3, abs=0.04)
        assert rows[1][column] > 5  # "several times the gradient's length"
    assert all(centred < plain for plain, centred in rows.values())


def test_uld_is_blind_to_the_order_and_large_weights_get_stuck(text_of):
    text = text_of("on-policy-in-practice")
    uld, kl = {}, {}
    for name in ("ULD alone", "LM + 0.5·ULD", "LM + ULD", "other start"):
        line = re.search(rf"^ *{re.escape(name)} +\[.*\] ULD (\S+)  KL (\S+)$", text, re.MULTILINE)
        uld[name], kl[name] = float(line[1]), float(line[2])
    assert uld["ULD alone"] < 0.01
    assert kl["ULD alone"] > 1
    assert kl["LM + 0.5·ULD"] < 0.01
    assert kl["LM + ULD"] > 0.5
    assert kl["other start"] < 0.01
    stuck, free = re.search(r"is stuck: (\S+) +from the other start: (\S+)", text).groups()
    assert float(stuck) > float(free) + 0.5


def test_uld_of_the_question_is_nought_and_the_kl_is_not():
    yes = torch.tensor([0.7, 0.3], dtype=torch.float64)
    assert torch.equal(yes.sort()[0], yes.flip(0).sort()[0])
    assert (yes * (yes / yes.flip(0)).log()).sum().item() == pytest.approx(0.34, abs=0.005)


def test_the_opening_of_6_3_says_what_lab_4_1_recorded(text_of, laptop):
    said = re.search(
        r"ends (\S+) nats below one .* labels alone end (\S+) nats below λ = 4",
        " ".join(text_of("how-much-it-pays").split()),
    )
    four, labels, control = (f"all text: {n}" for n in ("λ = 4", "labels", "labels, as long"))
    steps = -laptop.difference(four, labels, "lm_loss").mean
    seconds = -laptop.difference(control, four, "lm_loss").mean
    assert [float(x) for x in said.groups()] == [round(steps, 2), round(seconds, 2)]


def test_the_count_agrees_with_recorded_speeds_to_within_a_fifth(text_of):
    text = text_of("how-much-it-pays")
    for lab in ("4.1: large teaches small", "4.2: small teaches large"):
        counted, recorded = numbers(text, lab)
        assert abs(counted / recorded - 1) < 0.2


def test_finished_runs_on_labels_cost_less_and_end_lower_in_lab_4_1(text_of, laptop):
    four, labels, longer = (
        laptop.mean(f"all text: {arm}", "lm_loss").mean
        for arm in ("λ = 4", "labels", "labels, as long")
    )
    ratio = 875_264 / 141_056
    assert longer < four < labels
    assert 120 * (1 + ratio / 3) > 313  # with a live teacher that cost nothing to train
    price = 120 + 193 * (labels - four) / (labels - longer)
    text = text_of("how-much-it-pays")
    assert f"nats cost {price:.0f}" in text
    shared = 800 * ratio + 120 * ratio / 3
    students = shared / (price - 120)
    assert f"costs that at k = {students:.0f}" in text
    assert 50 <= students < 60  # "at least about fifty"
    assert 120 * ratio / 3 / (price - 120) == pytest.approx(2.5, abs=0.05)  # of "Try it"
    unfinished = dict(zip(*laptop.curve("all text: labels, as long", "lm_loss"), strict=True))
    assert unfinished[140].mean < four < unfinished[120].mean
    begin = laptop.curve("all text: labels", "lm_loss")[1][0].mean
    assert begin == pytest.approx(5.5, abs=0.1)  # of the figure
    assert labels - unfinished[120].mean == pytest.approx(0.3, abs=0.02)


def test_with_little_text_labels_stay_behind_even_at_their_best_step(two):
    def best(arm):
        runs = two.of(arm)
        return sum(min(run["curve"]["lm_loss"]) for run in runs) / len(runs)

    assert best("60 blocks: labels") - best("60 blocks: λ = 1") == pytest.approx(0.2, abs=0.03)
    steps, losses = two.curve("60 blocks: labels", "lm_loss")
    assert steps[0] == 100
    assert all(a.mean < b.mean for a, b in pairwise(losses))
    six = two.difference("600 blocks: λ = 1", "600 blocks: labels", "lm_loss")
    assert six.mean < -0.2
    assert not six.includes_zero
    assert two.difference("all text: λ = 1", "all text: labels", "lm_loss").includes_zero
    assert math.isclose(best("600 blocks: labels"), two.mean("600 blocks: labels", "lm_loss").mean)


def test_trl_has_what_the_table_says():
    config = pytest.importorskip("trl").DistillationConfig
    trainer = pytest.importorskip("trl").DistillationTrainer
    gold = pytest.importorskip("trl.experimental.gold").GOLDConfig
    assert config.beta == 1.0  # reverse KL
    assert not [name for name in dir(config) if "lambda" in name or name == "lmbda"]
    assert not gold.uld_use_hybrid_loss
    assert gold.uld_crossentropy_weight == 0.0
    assert '* inputs["tool_mask"]' in inspect.getsource(trainer)  # what tools returned
