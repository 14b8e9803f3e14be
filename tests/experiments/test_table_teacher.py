"""Pages 2.1 and 3.1: the recorded arms are the declared ones; reduced forms point the same way."""

from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks.experiments import lambda_in_motion, two_sources
from kdlab import SweepResults
from tests.documentation import same_text

RESULTS = Path(__file__).parents[2] / "book/labs/results"


@pytest.mark.parametrize("module", [two_sources, lambda_in_motion])
def test_the_recorded_arms_are_the_declared_ones(module):
    sweep = module.SWEEP
    results = SweepResults.read(RESULTS / f"{sweep.name}.json")
    assert results.arms == {name: asdict(arm) for name, arm in sweep.arms.items()}
    assert len(results.runs) == sweep.size


@same_text
@pytest.mark.slow
def test_with_little_text_labels_are_learned_by_heart_and_the_teacher_prevents_it(tmp_path):
    arms = [f"60 blocks: {source}" for source in ("labels", "λ = 4", "teacher")]
    small = two_sources.SWEEP.reduced(arms, steps=300, eval_every=100)
    results = small.results(tmp_path, threads=1)
    labels, both, teacher = (results.of(arm)[0]["curve"]["lm_loss"] for arm in arms)
    assert labels[-1] > labels[0] + 0.2
    assert both[-1] < labels[-1] - 0.2
    assert teacher[-1] < labels[-1] - 0.2


@pytest.mark.slow
def test_a_high_lambda_holds_the_student_at_its_teacher(tmp_path):
    arms = ["λ = 4 throughout", "labels alone, λ = 0"]
    small = lambda_in_motion.SWEEP.reduced(arms, steps=80, eval_every=80)
    results = small.results(tmp_path, threads=1)
    high, labels = (results.mean(arm, "kl_to_teacher").mean for arm in arms)
    assert high < labels - 0.2
    assert results.mean(arms[0], "lm_loss").mean < results.mean(arms[1], "lm_loss").mean
