"""What pages 3.1 and 3.2 say in words is what their own runs show."""

import re

import pytest
from bs4 import BeautifulSoup


@pytest.fixture(scope="module")
def lambda_in_motion(book) -> str:
    return text_of(book, "lambda-in-motion")


@pytest.fixture(scope="module")
def optimizing(book) -> str:
    return text_of(book, "optimizing-training")


def text_of(book, page: str) -> str:
    html = (book / "book/after" / f"{page}.html").read_text(encoding="utf8")
    return BeautifulSoup(html, "html.parser").text


def final_perplexities(text: str) -> list[tuple[str, float]]:
    """Each row of each table of runs, in order: its name and perplexity."""
    row = re.compile(r"^((?:labels|λ|exponential|plateau|ratio).*?) {2,}(\d+\.\d) +-?\d\.", re.M)
    return [(name, float(value)) for name, value in row.findall(text)]


def test_a_falling_lambda_beats_a_high_one_and_the_labels_and_both_beat_the_teacher(
    lambda_in_motion,
):
    (teacher,) = re.findall(r"bytes counted, perplexity (\d+\.\d)", lambda_in_motion)
    (_, labels), (_, high), (_, falling) = final_perplexities(lambda_in_motion)[:3]
    assert falling < 0.97 * high
    assert falling < labels
    assert high < float(teacher)


def test_the_opening_says_what_the_table_says(lambda_in_motion):
    high, falling = (value for _, value in final_perplexities(lambda_in_motion)[1:3])
    said = re.search(r"(\d+\.\d)\s+bytes, the other\s+among\s+(\d+\.\d)\.\s", lambda_in_motion)
    assert [float(number) for number in said.groups()] == [high, falling]


def test_the_plateau_rule_lets_go_and_the_ratio_rule_tightens(lambda_in_motion):
    runs = dict(final_perplexities(lambda_in_motion)[3:9])
    assert runs["plateau"] < 0.97 * runs["λ = 4 throughout"]
    assert runs["ratio, share 0.3"] > runs["λ = 4 throughout"]
    paths = {}
    for name in ("exponential", "plateau", "ratio, share 0.3"):
        found = re.search(rf"^{name} +((?:\d+\.\d\d *)+)$", lambda_in_motion, re.MULTILINE)
        paths[name] = [float(lam) for lam in found[1].split()]
    assert paths["plateau"][0] == 4.0
    assert paths["plateau"][-1] < 2.0
    assert paths["ratio, share 0.3"] == sorted(paths["ratio, share 0.3"])


def test_with_few_labels_the_falling_lambda_loses(lambda_in_motion):
    (_, high), (_, falling) = final_perplexities(lambda_in_motion)[9:11]
    assert falling > 1.2 * high


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


def test_the_diagnosis_holds(optimizing):
    """Training LM falls to the end; held-out LM, gap and KL turn and rise; the change acts late."""
    before, after, _ = curves(optimizing)
    training = [row[1] for row in before]
    assert training == sorted(training, reverse=True)
    for column in (2, 3, 4):
        values = [row[column] for row in before]
        turn = values.index(min(values))
        assert 0 < turn < len(values) - 2
        assert values[-1] > values[turn] + 0.3
    assert abs(before[0][2] - after[0][2]) < 0.1
    assert after[-1][2] < min(row[2] for row in before)


def test_the_effect_is_many_times_its_standard_error(optimizing):
    mean, error = re.search(r"mean (\d\.\d+) nats, standard error (\d\.\d+)", optimizing).groups()
    assert float(mean) > 5 * float(error)


def test_the_case_is_a_student_at_its_mixture(optimizing):
    """Better than its teacher by little, close to it, and flat for the second half of the run."""
    *_, case = curves(optimizing)
    assert -0.3 < case[-1][3] < 0
    assert case[-1][4] < 0.1
    assert case[len(case) // 2][2] - case[-1][2] < 0.1


def test_self_test_of_a_teacher_tells_a_shift(optimizing):
    found = re.search(r"itself: +(\d\.\d+)\nshifted by one: +(\d\.\d+)", optimizing)
    itself, shifted = found.groups()
    assert float(itself) == 0
    assert float(shifted) > 0.1
