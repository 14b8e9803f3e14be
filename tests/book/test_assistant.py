"""What lab 4.7 says in words is what its recorded runs show."""

from pathlib import Path

import pytest

from kdlab import SweepResults

PATH = Path(__file__).parents[2] / "book/labs/results/assistant.json"
NUMBERS = (100, 200, 400, 500)
KINDS = ("minutes", "seconds", "centimetres")


@pytest.fixture(scope="module")
def recorded() -> SweepResults:
    return SweepResults.read(PATH)


def ahead(results: SweepResults, arm: str, other: str, measure: str = "accuracy") -> int:
    """1 if beyond chance, -1 if behind beyond chance, 0 if it cannot be told."""
    more = results.difference(arm, other, measure)
    return 0 if more.includes_zero else 1 if more.mean > 0 else -1


def beside(results: SweepResults, answers: str, name: str, at: str = "") -> tuple[int, int]:
    """How both sources together compare with the labels, and with the teacher alone."""
    both = f"{answers}: labels + {name}{at}"
    return tuple(ahead(results, both, f"{answers}: {one}") for one in ("labels", f"{name} alone"))


def mean(results: SweepResults, arm: str, measure: str = "accuracy") -> float:
    return results.mean(arm, measure).mean


@pytest.mark.parametrize("n", NUMBERS)
def test_with_right_answers_and_an_able_teacher_the_three_are_level(recorded, n):
    assert beside(recorded, f"clean {n}", "able") == (0, 0)


def test_with_few_wrong_answers_the_biased_teacher_harms(recorded):
    assert beside(recorded, "10% wrong 400", "biased") == (-1, 1)
    assert beside(recorded, "clean 400", "biased") == (-1, 1)
    assert beside(recorded, "clean 400", "biased", ", λ = 1") == (-1, 1)


@pytest.mark.parametrize("at", ["", ", λ = 1"])
def test_with_few_wrong_answers_and_a_weak_teacher_it_cannot_be_told(recorded, at):
    assert beside(recorded, "10% wrong 400", "weak", at) == (0, 0)


def test_with_40_percent_wrong_both_beat_the_labels_and_never_the_teacher(recorded):
    found = [beside(recorded, f"40% wrong {n}", "biased") for n in NUMBERS]
    assert found == [(1, -1), (1, -1), (1, 0), (1, 0)]


def test_with_30_percent_wrong_both_beat_either_at_400_answers_alone(recorded):
    found = [beside(recorded, f"30% wrong {n}", "biased") for n in NUMBERS]
    assert found == [(1, -1), (1, 0), (1, 1), (0, 0)]
    ahead_of = [
        recorded.difference("30% wrong 400: labels + biased", f"30% wrong 400: {one}", "accuracy")
        for one in ("labels", "biased alone")
    ]
    assert ahead_of[0].mean < 1.5 * ahead_of[0].half_width  # "by little more than the interval"
    least = "30% wrong 400: labels + biased, λ = 0.1"
    ahead = recorded.difference(least, "30% wrong 400: labels", "accuracy")
    assert 1 < ahead.mean / ahead.half_width < 1.01  # "only just"


def test_both_gain_on_minutes_and_lose_elsewhere(recorded):
    for wrong, elsewhere in {
        "30% wrong": ((-1, -1), (-1, -1), (0, 0), (0, 0)),
        "40% wrong": ((-1, -1), (-1, -1), (-1, 0), (-1, 0)),
    }.items():
        for n, lost in zip(NUMBERS, elsewhere, strict=True):
            arms = f"{wrong} {n}: labels + biased", f"{wrong} {n}: biased alone"
            gained = [ahead(recorded, *arms, f"accuracy_{kind}") for kind in KINDS]
            assert gained == [1, *lost]
        centimetres = [
            recorded.difference(
                f"{wrong} {n}: labels + biased",
                f"{wrong} {n}: biased alone",
                "accuracy_centimetres",
            ).mean
            for n in NUMBERS
        ]
        assert centimetres == sorted(centimetres)


def test_at_lambda_1_both_are_no_better_than_the_teacher(recorded):
    assert beside(recorded, "30% wrong 400", "biased", ", λ = 1") == (0, 0)


def test_seconds_and_centimetres_are_mended_in_part(recorded):
    for kind in KINDS[1:]:
        labels, both, teacher = (
            mean(recorded, f"30% wrong 400: {source}", f"accuracy_{kind}")
            for source in ("labels", "labels + biased", "biased alone")
        )
        assert labels < both < teacher


def test_beside_a_teacher_without_bias_wrong_answers_only_harm(recorded):
    assert beside(recorded, "40% wrong 400", "able") == (1, -1)


def test_the_biased_teacher_is_wrong_about_all_of_one_kind(recorded):
    own = [mean(recorded, "clean 400: biased alone", f"teacher_accuracy_{k}") for k in KINDS]
    assert own[0] < 0.01
    assert min(own[1:]) > 0.9


@pytest.mark.parametrize("answers", ["clean 400", "30% wrong 400", "40% wrong 400"])
def test_at_lambda_1_the_bias_comes_through_and_at_0_3_hardly(recorded, answers):
    at_1 = mean(recorded, f"{answers}: labels + biased, λ = 1", "hundreds")
    assert at_1 > 0.35 > 0.12 > mean(recorded, f"{answers}: labels + biased", "hundreds")


def test_the_sample_of_lambda_1_is_luck(recorded):
    runs = recorded.of("30% wrong 400: labels + biased, λ = 1")
    assert runs[0]["final"]["writes"][0] == runs[0]["final"]["right"][0]
    hundreds = [run["final"]["hundreds"] for run in runs]
    assert sum(hundreds) / len(hundreds) > hundreds[0] > 0.5


def test_every_student_ends_its_answers(recorded):
    for arm in recorded.arms:
        assert min(recorded.values(arm, "ended")) > 0.95


def test_a_pretrained_teacher_teaches_the_form_of_an_answer_and_not_its_content():
    large = SweepResults.read(PATH.with_name("assistant_pretrained.json"))
    facts = large.of("labels")[0]["final"]["teacher"]
    assert facts["as_it_is"]["accuracy"] == 0
    assert 1 - facts["as_it_is"]["ended"] == pytest.approx(0.62, abs=0.01)  # were cut
    tuned = facts["fine_tuned"]
    assert tuned["accuracy_centimetres"] > 0.7 > 0.1 > tuned["accuracy_minutes"]
    assert tuned["accuracy_seconds"] < 0.1
    assert len(large.runs) == len(large.arms) == 2
    for run in large.runs:
        final = run["final"]
        assert final["ended"] == 1
        assert 120 * final["accuracy"] == pytest.approx(
            1 if run["arm"] == "labels" else 2, abs=0.01
        )
        assert final["accuracy_centimetres"] == 0
        assert len(set(final["writes"])) == 2  # "the same number to two of the questions"
