"""The recorded sweeps in a reduced form: fewer tokens, steps and seeds, the same direction."""

from pathlib import Path

import pytest

from benchmarks.experiments import laptop, own_words, teacher_file, weak_teacher
from kdlab import Recipe, Sweep, SweepResults

RESULTS = Path(__file__).parents[2] / "book/labs/results"
SMALL = {"vocab_size": 512, "eval_every": None, "eval_blocks": 48}


@pytest.fixture(scope="module", autouse=True)
def one_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDLAB_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def reduced(sweep: Sweep, arms: list[str], folder, monkeypatch, **changes) -> SweepResults:
    monkeypatch.chdir(folder)  # files are named from here
    small = sweep.reduced(arms, **SMALL | {"teacher_steps": 100, "steps": 40} | changes)
    return small.results(folder, threads=1)


def test_a_teacher_is_worth_many_labels(tmp_path, monkeypatch):
    arms = ["all text: labels", "all text: λ = 0.25", "all text: λ = 4", "all text: teacher"]
    results = reduced(laptop.SWEEP, arms, tmp_path, monkeypatch)
    labels, little, much, teacher = (results.mean(arm, "lm_loss").mean for arm in arms)
    assert much < little < labels
    assert teacher < labels


def test_a_weak_teacher_ends_as_a_brake(tmp_path, monkeypatch):
    arms = ["labels", "weaker: linear", "weaker: λ = 4"]
    results = reduced(
        weak_teacher.SWEEP, arms, tmp_path, monkeypatch, teacher_steps=10, steps=60, eval_blocks=24
    )
    labels, falling, held = (results.mean(arm, "lm_loss").mean for arm in arms)
    assert labels < falling < held
    assert held > results.mean("labels", "teacher_lm_loss").mean - 0.3  # it stays at its level


def test_a_file_without_its_tail_misleads(tmp_path, monkeypatch):
    arms = ["asked live", "k = 4, with the tail", "k = 4, without the tail"]
    arms += ["k = 256, with the tail", "k = 256, without the tail"]
    results = reduced(teacher_file.SWEEP, arms, tmp_path, monkeypatch, train_fraction=0.2)
    live, kept, dropped, kept_256, dropped_256 = (
        results.mean(arm, "kl_to_teacher").mean for arm in arms
    )
    assert dropped > 2 * kept
    assert live <= kept_256 * 1.01
    assert kept_256 < kept
    assert dropped_256 < dropped
    assert results.values("k = 4, with the tail", "bytes_per_token") == [18]


def test_practice_on_own_words_shows_on_own_words(tmp_path, monkeypatch):
    arms = ["corpus, forward KL", "half own words, reverse KL"]
    results = reduced(own_words.SWEEP, arms, tmp_path, monkeypatch, prompt_tokens=96, steps=60)
    corpus, own = (results.mean(arm, "own_text_reverse_kl").mean for arm in arms)
    assert own < corpus


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
