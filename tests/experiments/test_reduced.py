"""The recorded sweeps in a reduced form: fewer tokens, steps and seeds, the same direction."""

from pathlib import Path

import pytest
import torch

from benchmarks.experiments import laptop, own_words, teacher_file, weak_teacher
from kdlab import Ingredients, Recipe, Sweep, SweepResults, load_corpus
from tests.documentation import READ, fingerprint

RESULTS = Path(__file__).parents[2] / "book/labs/results"
SMALL = {
    "vocab_size": 512,
    "block_size": 64,
    "batch_size": 8,
    "teacher_steps": 80,
    "steps": 40,
    "eval_every": None,
    "eval_blocks": 48,
}


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> str:
    """The sixth part of Python's documentation; one teacher of it is for all that take it."""
    path = tmp_path_factory.mktemp("text") / "some-pydocs.txt"
    path.write_text("\n\n".join(load_corpus("pydocs").documents[::6]), encoding="utf-8")
    return str(path)


@pytest.fixture
def reduced(text, tmp_path, monkeypatch):
    """The results of some arms of a sweep in a reduced form."""

    def run(sweep: Sweep, arms: list[str], **changes) -> SweepResults:
        monkeypatch.chdir(tmp_path)  # files are named from here
        small = sweep.reduced(arms, **SMALL | {"corpus": text} | changes)
        return small.results(tmp_path, threads=1)

    return run


@pytest.mark.slow
def test_a_teacher_is_worth_many_labels(reduced):
    arms = ["all text: labels", "all text: λ = 0.25", "all text: λ = 4", "all text: teacher"]
    results = reduced(laptop.SWEEP, arms)
    labels, little, much, teacher = (results.mean(arm, "lm_loss").mean for arm in arms)
    assert much < labels
    assert much < little
    if fingerprint() == READ:  # of a small λ another text may decide
        assert little < labels
    assert teacher < labels


@pytest.mark.slow
def test_a_weak_teacher_ends_as_a_brake(reduced):
    arms = ["labels", "weaker: linear", "weaker: λ = 4"]
    changes = {"teacher_steps": 10, "steps": 60, "batch_size": 4, "eval_blocks": 24}
    results = reduced(weak_teacher.SWEEP, arms, **changes)
    labels, falling, held = (results.mean(arm, "lm_loss").mean for arm in arms)
    assert labels < falling < held


@pytest.mark.slow
def test_a_file_of_many_tokens_teaches_as_the_teacher_does(reduced):
    arms = ["asked live", "k = 256, with the tail", "k = 4, with the tail"]
    results = reduced(teacher_file.SWEEP, arms, train_fraction=0.1)
    live, many, few = (results.mean(arm, "kl_to_teacher").mean for arm in arms)
    assert abs(many - live) < 0.2 * (few - live)
    assert results.values("k = 4, with the tail", "bytes_per_token") == [18]


@pytest.mark.slow
def test_a_file_without_the_tail_drives_even_a_copy_away(reduced):
    arms = [f"a copy, k = 4, {tail} the tail" for tail in ("with", "without")]
    changes = {"steps": 12, "train_fraction": 0.05}
    results = reduced(teacher_file.SWEEP, arms, **changes)
    kept, dropped = (results.mean(arm, "kl_to_teacher").mean for arm in arms)
    assert dropped > 5 * kept
    sure = [results.mean(arm, "calibration_error").mean for arm in arms]
    assert sure[0] < sure[1]


@pytest.mark.slow
def test_a_student_is_measured_on_its_own_words(reduced):
    arms = ["half own words, reverse KL"]
    changes = {"prompt_tokens": 48, "steps": 4, "teacher_steps": 10}
    results = reduced(own_words.SWEEP, arms, **changes)
    (run,) = results.runs
    on_own = run["final"]["own_text_reverse_kl"]
    assert on_own > 0
    # KL(q‖p) is the teacher's surprise less the student's: both are means over the same draws.
    surprise = run["final"]["own_text_teacher_lm_loss"] - run["final"]["own_text_lm_loss"]
    assert surprise == pytest.approx(on_own, abs=0.3)


@pytest.mark.slow
def test_reverse_kl_teaches_a_beginner_little(reduced):
    arms = [f"new weights, corpus, {way} KL" for way in ("forward", "reverse")]
    changes = {"prompt_tokens": 48, "steps": 50}
    results = reduced(own_words.SWEEP, arms, **changes)
    forward, reverse = (results.mean(arm, "lm_loss").mean for arm in arms)
    assert forward < reverse
    assert reverse == pytest.approx(geometric_mean_lm_loss(results.arms[arms[1]]), abs=0.05)
    forward, reverse = (results.mean(arm, "own_text_reverse_kl").mean for arm in arms)
    assert forward < reverse


def geometric_mean_lm_loss(recipe: dict) -> float:
    """Of the best student by reverse KL among those that answer every context alike."""
    ingredients = Ingredients.of(Recipe(**recipe))
    blocks = ingredients.validation.spread(SMALL["eval_blocks"]).blocks
    with torch.no_grad():
        log_p = ingredients.teacher(blocks[:, :-1]).log_softmax(-1)
    log_q = log_p.mean((0, 1)).log_softmax(-1)
    return -log_q[blocks[:, 1:]].mean().item()


def test_the_recorded_arms_are_the_declared_ones():
    modules = (laptop, own_words, teacher_file, weak_teacher)
    recorded = [m.SWEEP for m in modules if (RESULTS / f"{m.SWEEP.name}.json").exists()]
    assert laptop.SWEEP in recorded
    for sweep in recorded:
        results = SweepResults.read(RESULTS / f"{sweep.name}.json")
        later = {} if sweep.then is None else sweep.then(results)
        assert set(results.arms) == set(sweep.arms) | set(later)
        assert len(results.runs) == len(results.arms) * sweep.seeds
        for arm, recipe in sweep.arms.items():
            assert Recipe(**results.arms[arm]) == recipe, arm
