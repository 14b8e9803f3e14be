"""What page 4.5 says in words is what its recorded runs show, in each seed."""

import math
from pathlib import Path

import pytest

from kdlab import Recipe, SweepResults

RESULTS = Path(__file__).parents[2] / "book/labs/results/pretrained.json"
ALL, LAYERS, SHAPE = "all tokens, its layers: λ = 1", "its layers: λ = 1", "its shape: λ = 1"


@pytest.fixture(scope="module")
def results() -> SweepResults:
    return SweepResults.read(RESULTS)


def above(results, arm, other, measure) -> bool:
    pairs = zip(results.values(arm, measure), results.values(other, measure), strict=True)
    return all(a > b for a, b in pairs)


def facts(results, arm) -> dict:
    return results.of(arm)[0]["final"]["teacher"]


def test_its_layers_begin_worse_than_a_student_that_knows_nothing(results):
    starts = facts(results, LAYERS)["starts"]
    assert starts["layers:5"]["lm_loss"] > math.log(8192) + 3
    assert abs(starts["shape:5"]["lm_loss"] - math.log(8192)) < 0.2
    assert abs(starts["tiny-teacher"]["lm_loss"] - math.log(8192)) < 0.2


def test_and_end_ahead_of_new_weights(results):
    assert above(results, SHAPE, LAYERS, "lm_loss")
    assert above(results, "small: λ = 1", LAYERS, "lm_loss")
    for layers, shape in zip(results.of(LAYERS), results.of(SHAPE), strict=True):
        assert layers["curve"]["step"][0] == shape["curve"]["step"][0] == 20
        first = layers["curve"]["lm_loss"][0], shape["curve"]["lm_loss"][0]
        assert first[0] < first[1]  # by the first evaluation


@pytest.mark.parametrize("start", ["its layers", "small"])
@pytest.mark.parametrize("measure", ["lm_loss", "kl_to_teacher"])
def test_with_the_teacher_both_measures_are_lower_than_with_labels(results, start, measure):
    assert above(results, f"{start}: labels", f"{start}: λ = 1", measure)


def test_the_teacher_alone_comes_nearest_and_has_the_highest_loss(results):
    for other in ("its layers: labels", LAYERS):
        assert above(results, "its layers: teacher", other, "lm_loss")
        assert above(results, other, "its layers: teacher", "kl_to_teacher")


def test_new_weights_end_level_at_two_sizes_and_two_learning_rates(results):
    rates = [Recipe(**results.arms[arm]).learning_rate for arm in (SHAPE, LAYERS, "small: λ = 1")]
    assert rates[0] == rates[1] == rates[2] / 2
    large, small = (results.mean(arm, "lm_loss").mean for arm in (SHAPE, "small: λ = 1"))
    assert abs(large - small) < 0.1
    assert results.mean(SHAPE, "student_params").mean > 10 * 1.8e6


def test_at_equal_steps_the_shorter_vocabulary_costs_more_than_a_fifth(results):
    assert above(results, LAYERS, ALL, "nats_per_byte")
    assert above(results, ALL, LAYERS, "lm_loss")  # per token it looks the other way round
    speeds = (results.mean(arm, "tokens_per_second").mean for arm in (LAYERS, ALL))
    assert 1.4 < next(speeds) / next(speeds) < 2.8
    runs = zip(results.of(ALL), results.of(LAYERS), strict=True)
    assert all(whole["seconds"] > few["seconds"] for whole, few in runs)
    whole, few = (results.mean(arm, "teacher_nats_per_byte").mean for arm in (ALL, LAYERS))
    assert few > 1.2 * whole
    assert 0.1 < facts(results, ALL)["mass_beyond"] < 0.2
    assert 0.05 < facts(results, ALL)["tail"] < 0.2
    assert facts(results, LAYERS)["texts_that_survive"] == 1


def test_two_seeds_and_no_path_of_a_machine(results):
    assert all(len(results.of(arm)) == 2 for arm in results.arms)
    assert "/root" not in RESULTS.read_text(encoding="utf-8")
    assert results.command == "make experiments EXPERIMENT=pretrained"


def test_on_a_gpu_both_together_are_ahead_of_either_alone():
    gpu = SweepResults.read(RESULTS.with_name("pretrained_gpu.json"))
    for both in ("λ = 1", "linear"):
        for alone in ("labels", "teacher"):
            assert above(gpu, alone, both, "lm_loss")
    assert above(gpu, "λ = 1", "linear", "lm_loss")
    assert above(gpu, "labels", "teacher", "lm_loss")
    for other in ("labels", "λ = 1", "linear"):
        assert above(gpu, other, "teacher", "kl_to_teacher")
        assert min(gpu.values(other, "lm_loss")) > 1 + gpu.values(other, "teacher_lm_loss")[0]
