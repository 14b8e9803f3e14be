"""What page 2.1 says in words is what its recorded runs show."""

import math
import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from kdlab import SweepResults

RESULTS = Path(__file__).parents[2] / "book/labs/results"
SOURCES = ("labels", "λ = 0.25", "λ = 1", "λ = 4", "teacher")


@pytest.fixture(scope="module")
def two() -> SweepResults:
    return SweepResults.read(RESULTS / "two_sources.json")


def below(results: SweepResults, arm: str, other: str) -> bool:
    """Beyond chance."""
    less = results.difference(arm, other, "lm_loss")
    return less.mean < 0 and not less.includes_zero


def test_with_29000_bytes_both_beat_either(two):
    for one in ("labels", "teacher", "λ = 4"):
        assert below(two, "600 blocks: λ = 1", f"600 blocks: {one}")
    assert not below(two, "600 blocks: λ = 0.25", "600 blocks: λ = 1")
    arm = "600 blocks: λ = 1"
    assert two.mean(arm, "lm_loss").mean < two.mean(arm, "teacher_lm_loss").mean - 0.3


def test_with_2900_bytes_the_teacher_alone_is_enough(two):
    for one in ("labels", "λ = 0.25", "λ = 1"):
        assert below(two, "60 blocks: teacher", f"60 blocks: {one}")
    assert two.difference("60 blocks: λ = 4", "60 blocks: teacher", "lm_loss").includes_zero
    assert two.mean("60 blocks: labels", "lm_loss").mean > 7 > math.log(257)


def test_with_all_the_text_the_seeds_cannot_tell(two):
    for source in SOURCES[:4]:
        assert below(two, f"all text: {source}", "all text: teacher")
    for source in ("λ = 0.25", "λ = 1"):
        less = two.difference(f"all text: {source}", "all text: labels", "lm_loss")
        assert less.includes_zero


def test_twice_the_steps_do_not_settle_it(two):
    arms = [f"all text, longer: {name}" for name in ("labels", "λ = 1")]
    assert two.difference(*arms, "lm_loss").includes_zero
    labels, both = (two.values(arm, "lm_loss") for arm in arms)
    assert sum(a < b for a, b in zip(labels, both, strict=True)) == 4
    weak = SweepResults.read(RESULTS / "weak_teacher.json")
    for arm in ("λ = 1", "λ = 4", "linear", "plateau"):
        assert below(weak, "labels", f"weaker: {arm}")
    assert below(weak, "labels", "weak: λ = 1")  # 2.1 says so of both teachers


def test_with_a_teacher_a_student_of_few_labels_is_ahead_from_the_first_evaluation_on(two):
    """Labels alone do not overfit there: their loss falls to the end in every seed."""
    labels, both = (two.of(f"600 blocks: {arm}") for arm in ("labels", "λ = 1"))
    for alone, with_teacher in zip(labels, both, strict=True):
        losses = [run["curve"]["lm_loss"] for run in (alone, with_teacher)]
        assert all(ours < theirs for theirs, ours in zip(*losses, strict=True))
        assert losses[0] == sorted(losses[0], reverse=True)
    few, whole = "600 blocks: λ = 1", "all text: λ = 1"
    assert two.difference(whole, few, "lm_loss").includes_zero


def test_as_the_text_grows_the_best_lambda_falls(two):
    """2.3 says so too: 4 or more, then 1 or less."""
    few = min(SOURCES, key=lambda s: two.mean(f"60 blocks: {s}", "lm_loss").mean)
    more = min(SOURCES, key=lambda s: two.mean(f"600 blocks: {s}", "lm_loss").mean)
    assert few in ("λ = 4", "teacher")
    assert more in ("λ = 0.25", "λ = 1")


def test_far_behind_its_teacher_a_student_gains_nothing_from_labels():
    laptop = SweepResults.read(RESULTS / "laptop.json")
    less = laptop.difference("all text: teacher", "all text: λ = 4", "lm_loss")
    assert less.includes_zero
    assert below(laptop, "all text: teacher", "all text: λ = 1")
    for arm in ("teacher", "λ = 4"):
        arm = f"all text: {arm}"
        assert laptop.mean(arm, "lm_loss").mean > laptop.mean(arm, "teacher_lm_loss").mean + 0.9


def test_a_student_past_its_teacher_may_be_behind_labels_alone():
    """What the key of past-the-teacher says of lab 4.2."""
    weak = SweepResults.read(RESULTS / "weak_teacher.json")
    arm = "weaker: λ = 4"
    assert weak.mean(arm, "lm_loss").mean < weak.mean(arm, "teacher_lm_loss").mean
    assert below(weak, "labels", arm)


def test_the_opening_says_what_the_runs_say(two, book):
    html = (book / "book/combined/two-sources.html").read_text(encoding="utf8")
    text = " ".join(BeautifulSoup(html, "html.parser").text.split())
    said = re.search(
        r"reaches perplexity (\d+\.\d)\. Trained on a teacher alone, it reaches (\d+\.\d)\. "
        r"Trained on both at once, it reaches (\d+\.\d), better",
        text,
    )
    arms = ("labels", "teacher", "λ = 1")
    found = [math.exp(two.mean(f"600 blocks: {arm}", "lm_loss").mean) for arm in arms]
    assert list(said.groups()) == [f"{x:.1f}" for x in found]


def test_one_step_adds_both_losses(book):
    html = (book / "book/combined/two-sources.html").read_text(encoding="utf8")
    text = BeautifulSoup(html, "html.parser").text
    lm, kd, loss = (
        float(x) for x in re.search(r"^LM (\S+) +KD (\S+) +sum (\S+) nats", text, re.M).groups()
    )
    assert loss == pytest.approx(lm + kd, abs=0.002)
