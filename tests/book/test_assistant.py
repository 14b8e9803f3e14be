"""What lab 4.7 says in words is what its recorded runs show."""

from pathlib import Path

import pytest

from kdlab import SweepResults

PATH = Path(__file__).parents[2] / "book/labs/results/assistant.json"


@pytest.fixture(scope="module")
def recorded() -> SweepResults:
    return SweepResults.read(PATH)


def above(results: SweepResults, arm: str, other: str, measure: str = "accuracy") -> bool:
    """Beyond chance."""
    more = results.difference(arm, other, measure)
    return more.mean > 0 and not more.includes_zero


def mean(results: SweepResults, arm: str, measure: str = "accuracy") -> float:
    return results.mean(arm, measure).mean


def test_with_noisy_answers_both_beat_either(recorded):
    for one in ("labels", "weak alone"):
        assert above(recorded, "noisy 400: labels + weak", f"noisy 400: {one}")


@pytest.mark.parametrize("n", [100, 400])
def test_with_right_answers_an_able_teacher_adds_little(recorded, n):
    arm = f"clean {n}: labels + able"
    assert not (
        above(recorded, arm, f"clean {n}: labels")
        and above(recorded, arm, f"clean {n}: able alone")
    )


def test_a_systematic_mistake_is_learned_in_part(recorded):
    labels, both, alone = (
        mean(recorded, f"clean 400: {source}", "accuracy_minutes")
        for source in ("labels", "labels + wrong", "wrong alone")
    )
    assert labels > both + 0.3 > alone + 0.3
    assert alone < 0.05
    assert above(recorded, "clean 400: labels", "clean 400: labels + wrong")


def test_every_student_ends_its_answers(recorded):
    for arm in recorded.arms:
        assert min(recorded.values(arm, "ended")) > 0.99


def test_the_weak_teacher_knows_less_than_the_able_one(recorded):
    weak = mean(recorded, "noisy 400: weak alone", "teacher_accuracy")
    able = mean(recorded, "clean 400: able alone", "teacher_accuracy")
    assert weak < able
