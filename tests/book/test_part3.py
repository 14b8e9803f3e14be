"""What pages 3.1 and 3.2 say in words is what their runs show."""

import math
import re
from pathlib import Path

import pytest
import torch
from bs4 import BeautifulSoup

from benchmarks.experiments import table_teacher
from kdlab import SweepResults
from tests.documentation import same_text

BOOK = Path(__file__).parents[2] / "book"


@pytest.fixture(scope="module")
def lambda_in_motion(book) -> str:
    return text_of(book, "lambda-in-motion")


@pytest.fixture(scope="module")
def optimizing(book) -> str:
    return text_of(book, "optimizing-training")


def text_of(book, page: str) -> str:
    html = (book / "book/after" / f"{page}.html").read_text(encoding="utf8")
    return BeautifulSoup(html, "html.parser").text


@pytest.fixture(scope="module")
def motion() -> SweepResults:
    return SweepResults.read(BOOK / "labs/results/lambda_in_motion.json")


LABELS, ONE, FOUR, FALLING = (
    "labels alone, λ = 0",
    "λ = 1 throughout",
    "λ = 4 throughout",
    "λ from 4 to 0",
)


def below(results: SweepResults, arm: str, other: str) -> bool:
    """Beyond chance."""
    less = results.difference(arm, other, "lm_loss")
    return less.mean < 0 and not less.includes_zero


def test_a_falling_lambda_beats_constant_ones_and_the_labels(motion):
    for other in (LABELS, ONE, FOUR):
        assert below(motion, FALLING, other)
    for arm in (ONE, FOUR, FALLING):
        gap = motion.mean(arm, "gap")
        assert gap.mean < 0
        assert not gap.includes_zero


@same_text
def test_the_opening_of_3_1_says_what_the_runs_say(lambda_in_motion, motion):
    said = re.search(
        r"has perplexity (\d+\.\d)\..*?at perplexity (\d+\.\d)\..*?it ends at (\d+\.\d)\.",
        " ".join(lambda_in_motion.split()),
    )
    (counted,) = re.findall(r"bytes counted, perplexity (\d+\.\d)", lambda_in_motion)
    found = [math.exp(motion.mean(arm, "lm_loss").mean) for arm in (FOUR, FALLING)]
    assert list(said.groups()) == [counted, *(f"{x:.1f}" for x in found)]
    level = math.exp(motion.mean(FOUR, "teacher_lm_loss").mean)
    assert float(counted) == pytest.approx(level, abs=0.05)


def test_until_step_100_the_two_are_one_line_and_then_one_flattens(motion):
    steps, four = motion.curve(FOUR, "lm_loss")
    _, falling = motion.curve(FALLING, "lm_loss")
    at = steps.index(100)
    for early in range(at):
        assert abs(four[early].mean - falling[early].mean) < 0.02
    assert four[at].mean - four[-1].mean < 0.06
    assert falling[at].mean - falling[-1].mean > 0.1
    assert motion.mean(FOUR, "kl_to_teacher").mean < 0.1
    labels = motion.curve(LABELS, "lm_loss")[1]
    assert labels[1].mean > four[1].mean + 0.2  # far behind at step 50


@same_text
def test_a_student_near_its_teacher_is_far_from_its_mixture(lambda_in_motion, motion):
    """What 3.1 computes; and more steps do move the student, in the runs of 2.1."""
    losses = dict(re.findall(r"^(.+?) +LM (\d\.\d\d)$", lambda_in_motion, re.MULTILINE))
    teacher, r, mixture, student = map(float, losses.values())
    assert r < mixture < student - 0.5 < teacher
    least, its = re.search(r"at least (\S+)\nthe student's (\S+)", lambda_in_motion).groups()
    assert float(least) == pytest.approx((teacher - r) / 5, abs=0.01)
    assert float(its) < float(least) < teacher - mixture
    two = SweepResults.read(BOOK / "labs/results/two_sources.json")
    assert two.mean("all text: λ = 4", "lm_loss").mean < motion.mean(FOUR, "lm_loss").mean - 0.05


def test_two_seeds_make_the_mean_of_lambda_1_at_step_25(motion):
    first, second = zip(*(run["curve"]["lm_loss"][:2] for run in motion.of(ONE)), strict=True)
    assert sorted(loss > 4 for loss in first) == [False] * 3 + [True] * 2
    assert max(second) - min(second) < 0.25


def test_the_plateau_rule_lets_go_and_the_ratio_rule_tightens(motion):
    assert below(motion, "plateau", FOUR)
    assert motion.difference("plateau", FALLING, "lm_loss").includes_zero
    assert below(motion, FOUR, "ratio, share 0.3")
    for run in motion.of("plateau"):
        lam = dict(zip(run["curve"]["step"], run["curve"]["lam"], strict=True))
        assert lam[125] == 4.0
        assert lam[200] < 2
    for run in motion.of("ratio, share 0.3"):
        assert run["curve"]["lam"] == sorted(run["curve"]["lam"])


def test_with_few_labels_the_falling_lambda_loses(motion):
    few = [f"few labels: {arm}" for arm in (FOUR, FALLING)]
    assert below(motion, *few)
    for arm in few:
        assert motion.mean(arm, "gap").mean > 0
    at_best = [motion.mean(arm, "best_lm_loss").mean for arm in few]
    assert at_best[0] < at_best[1]


def test_which_constant_lambda_beats_the_fall_differs_between_the_labs(motion):
    """Of 3.1's experiments: the fall is best here, a constant 1 in 4.2, a constant 4 in 4.1."""
    weak = SweepResults.read(BOOK / "labs/results/weak_teacher.json")
    laptop = SweepResults.read(BOOK / "labs/results/laptop.json")
    assert below(weak, "weaker: λ = 1", "weaker: linear")
    assert below(laptop, "all text: λ = 4", "all text: linear")
    best = min(list(motion.arms)[:7], key=lambda arm: motion.mean(arm, "lm_loss").mean)
    assert best == FALLING


@pytest.mark.parametrize("page", ["after/lambda-in-motion", "combined/two-sources"])
def test_the_pages_teacher_is_the_experiments(page):
    """What the page defines and what was run are the same function."""
    text = (BOOK / f"{page}.md").read_text(encoding="utf8")
    (shown,) = re.findall(r"^def bigram_table.*?(?=^\n\n)", text, re.MULTILINE | re.DOTALL)
    names: dict = {"torch": torch, "nn": torch.nn, "V": table_teacher.V}
    exec(shown, names)
    tokens = torch.randint(table_teacher.V, (999,))
    theirs = table_teacher.bigram_table(tokens)
    torch.testing.assert_close(names["bigram_table"](tokens).weight, theirs.weight)


def test_a_forgotten_state_is_another_lambda(lambda_in_motion):
    after = dict(
        re.findall(r"^(never stopped|restored|forgotten) +(\d\.\d)", lambda_in_motion, re.M)
    )
    assert after == {"never stopped": "2.0", "restored": "2.0", "forgotten": "4.0"}


def curves(text: str) -> list[list[list[float]]]:
    """Each table of the three curves: rows of step, training LM, held-out LM, gap, KL."""
    row = r"(?:^ *\d+(?: +-?\d+\.\d\d){4}\n)+"
    return [
        [[float(cell) for cell in line.split()] for line in table.splitlines()]
        for table in re.findall(row, text, re.MULTILINE)
    ]


def test_the_better_training_loss_is_the_worse_model(optimizing):
    before, after, _ = (table[-1] for table in curves(optimizing))
    assert before[1] < after[1] - 0.5
    assert before[2] > after[2] + 0.5


@same_text
def test_the_diagnosis_holds(optimizing):
    """Training LM falls to the end; held-out LM, gap and KL turn; by the turn the runs differ."""
    before, after, _ = curves(optimizing)
    training = [row[1] for row in before]
    assert training == sorted(training, reverse=True)
    for column in (2, 3, 4):
        values = [row[column] for row in before]
        turn = values.index(min(values))
        assert 0 < turn < len(values) - 2
        assert values[-1] > values[turn] + 0.3
    assert abs(before[0][2] - after[0][2]) < 0.05  # at step 25
    turn = min(before, key=lambda row: row[2])
    assert turn[0] == 50
    assert turn[2] > after[1][2] + 0.1
    assert after[-1][2] < min(row[2] for row in before)


def test_the_effect_is_many_times_its_standard_error(optimizing):
    mean, error = re.search(r"mean (\d\.\d+) nats, standard error (\d\.\d+)", optimizing).groups()
    assert float(mean) > 5 * float(error)


@same_text
def test_the_case_is_a_student_that_knows_its_teacher(optimizing):
    """Better than it by little, close to it, and nearly flat for the second half of the run."""
    *_, case = curves(optimizing)
    assert -0.3 < case[-1][3] < 0
    assert case[-1][4] < 0.1
    assert case[len(case) // 2][2] - case[-1][2] < 0.1


@same_text
def test_the_size_of_a_limit_does_little_and_clipping_much(optimizing):
    row = r"^ *(\d+\.\d) +(\d+)% +(\d\.\d\d) +(\d\.\d\d)$"
    found = re.findall(row, optimizing, re.MULTILINE)
    tenth, one, hundred = ([float(x) for x in cells[1:]] for cells in found)
    assert tenth[0] == 100
    assert hundred[0] < 5
    assert abs(tenth[1] - one[1]) < 0.1 > abs(tenth[2] - one[2])
    assert hundred[1] > one[1] + 0.3
    assert hundred[2] < one[2] - 0.2


def test_self_test_of_a_teacher_tells_a_shift(optimizing):
    found = re.search(r"itself: +(\d\.\d+)\nshifted by one: +(\d\.\d+)", optimizing)
    itself, shifted = found.groups()
    assert float(itself) == 0
    assert float(shifted) > 0.1
