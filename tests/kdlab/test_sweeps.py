"""Arms over seeds: what is run, what is not run again, and what is said of it."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch

from kdlab import (
    DistillationTrainer,
    History,
    Interval,
    Recipe,
    Sweep,
    SweepResults,
    distill,
    ingredients,
    load_corpus,
    sweeps,
)
from tests.waiting import wait_until


def scored(spec, seed, folder):
    """A run that trains nothing: its result is its specification and its seed."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "asked").open("a") as file:
        file.write("x")
    curve = {"step": [1, 2], "score": [seed, spec["level"]]}
    return {"final": {"score": spec["level"] + seed}, "curve": curve}


SWEEP = Sweep("scores", {"low": {"level": 1.0}, "high": {"level": 3.0}}, seeds=3, run=scored)


def test_every_arm_is_run_with_every_seed(tmp_path):
    results = SWEEP.results(tmp_path)
    assert results.values("low", "score") == [1.0, 2.0, 3.0]
    assert results.values("high", "score") == [3.0, 4.0, 5.0]
    assert SWEEP.size == len(results.runs) == 6


def test_what_is_done_is_not_done_again(tmp_path):
    first = SWEEP.results(tmp_path)
    again = SWEEP.results(tmp_path)
    assert again.runs == first.runs
    assert {path.read_text() for path in tmp_path.glob("*/asked")} == {"x"}


def test_another_specification_is_run_anew(tmp_path):
    SWEEP.results(tmp_path)
    changed = replace(SWEEP, arms={"low": {"level": 1.5}, "high": {"level": 3.0}})
    with pytest.warns(UserWarning, match=r"low-\d held a run of another .*low-\d\.old-1 beside"):
        assert changed.results(tmp_path).values("low", "score") == [1.5, 2.5, 3.5]
    with pytest.warns(UserWarning, match=r"low-\d\.old-2 beside it"):
        assert SWEEP.results(tmp_path).values("low", "score") == [1.0, 2.0, 3.0]
    kept = json.loads((tmp_path / "low-0.old-1" / "record.json").read_text())
    assert kept["final"] == {"score": 1.0}


def test_an_arm_that_is_renamed_keeps_its_runs(tmp_path):
    first = SWEEP.results(tmp_path)
    renamed = replace(SWEEP, arms={"low!": {"level": 1.0}, "high": {"level": 3.0}})
    assert renamed.results(tmp_path).values("low!", "score") == first.values("low", "score")
    assert {path.read_text() for path in tmp_path.glob("*/asked")} == {"x"}


@pytest.mark.parametrize("names", [("x = 1", "x = -1"), ("a", "A")])
def test_arms_that_would_share_a_folder_are_refused(tmp_path, names):
    with pytest.raises(ValueError, match="arms must differ in letters or digits"):
        replace(SWEEP, arms={name: {"level": 1.0} for name in names}).results(tmp_path)
    with pytest.raises(ValueError, match="arms must differ in letters or digits: 'low', 'low'"):
        replace(SWEEP, then=lambda results: {"low": {"level": 9.0}}).results(tmp_path)


def test_results_say_on_what_their_runs_were_made_not_what_gathers_them(tmp_path, monkeypatch):
    made = SWEEP.results(tmp_path)
    monkeypatch.setattr("kdlab.sweeps.versions", lambda: {"torch": "9.9"})
    gathered = SWEEP.results(tmp_path, threads=7)
    assert gathered.versions == made.versions
    assert gathered.machine == made.machine
    monkeypatch.setattr("kdlab.sweeps.versions", lambda: made.versions | {"torch": "9.9"})
    more = replace(SWEEP, seeds=4).results(tmp_path)
    assert more.versions["torch"] == f"{made.versions['torch']} and 9.9"


def failing(spec, seed, folder):
    """The first run fails; the others go on from there, and leave a note that they ran."""
    failed = folder.parent / "failed"
    if spec == 0:
        failed.touch()
        raise ArithmeticError("the first run failed")
    wait_until(failed.exists)
    time.sleep(0.5)
    folder.mkdir(parents=True)
    (folder / "ran").touch()
    return {"final": {}, "curve": {}}


@pytest.mark.slow
def test_a_run_that_fails_stops_those_that_have_not_begun(tmp_path):
    sweep = Sweep("failing", {f"arm {i}": i for i in range(40)}, seeds=1, run=failing)
    with pytest.raises(ArithmeticError, match="the first run failed"):
        sweep.results(tmp_path, jobs=2)
    assert len(list(tmp_path.glob("*/ran"))) < 20


def test_a_function_of_a_cell_runs_in_no_other_process(tmp_path, monkeypatch):
    def run(spec, seed, folder):
        return scored(spec, seed, folder)

    monkeypatch.delattr(sys.modules["__main__"], "__file__", raising=False)
    run.__module__ = "__main__"
    sweep = replace(SWEEP, run=run)
    with pytest.raises(ValueError, match=r"cannot import run of scores.* or take jobs=1"):
        sweep.results(tmp_path, jobs=2)
    assert len(sweep.results(tmp_path).runs) == 6


def test_later_arms_depend_on_the_results_of_the_first(tmp_path):
    def twice(results):
        return {"twice": {"level": 2 * results.mean("high", "score").mean}}

    results = replace(SWEEP, then=twice).results(tmp_path)
    assert results.values("twice", "score") == [8.0, 9.0, 10.0]


def test_results_survive_their_file(tmp_path):
    results = SWEEP.results(tmp_path / "runs", command="make scores")
    results.write(tmp_path / "scores.json")
    read = SweepResults.read(tmp_path / "scores.json")
    assert read.command == "make scores"
    assert read.arms == results.arms
    assert read.difference("high", "low", "score") == Interval(2.0, 0.0)
    assert read.curve("low", "score") == results.curve("low", "score")
    steps, paired = read.curve("high", "score", beside="low")
    assert paired[-1] == Interval(2.0, 0.0)
    others = [run | {"seed": run["seed"] + 1} if run["arm"] == "low" else run for run in read.runs]
    other = replace(read, runs=others)
    for paired in (
        lambda: other.difference("high", "low", "score"),
        lambda: other.curve("high", "score", beside="low"),
    ):
        with pytest.raises(
            ValueError, match=r"'high' has the seeds \[0, 1, 2\] and 'low' \[1, 2, 3"
        ):
            paired()
    read.runs[0]["curve"]["step"] = [step + 1 for step in steps]
    with pytest.raises(ValueError, match="'high' and 'low' were not measured at the same steps"):
        read.curve("high", "score", beside="low")
    with pytest.raises(KeyError, match=r"no arm 'middle', only \['high', 'low'\]"):
        read.of("middle")
    with pytest.raises(FileNotFoundError, match=r"no recorded results at owls\.json, seen from "):
        SweepResults.read("owls.json")


def test_results_say_how_they_were_made():
    machine = {"processor": "a small one", "cores": 2, "gpu": None, "runs_at_a_time": 2}
    versions = {"python": "3.11.7", "torch": "2.13.0"}
    results = SweepResults("owls", "make owls", machine, versions, runs=[{"seconds": 90.0}] * 4)
    assert str(results).splitlines() == [
        "4 runs, made with: make owls",
        "python 3.11.7, torch 2.13.0",
        "a small one, 2 cores: 6 minutes of runs, 2 at a time",
    ]
    on_a_gpu = replace(results, machine=machine | {"gpu": "a large one"})
    assert "a large one, 2 cores" in str(on_a_gpu)
    assert str(SweepResults("owls", runs=[{}] * 4)) == "4 runs"


def test_an_interval_is_student_s():
    # scipy.stats.t.interval(0.95, 4, mean, sem) of 1, 2, 3, 4, 10
    mean, half_width = Interval.of([1.0, 2.0, 3.0, 4.0, 10.0])
    assert mean == 4.0
    assert half_width == pytest.approx(4.3894, rel=1e-3)
    scores = [float(i % 7) for i in range(30)]
    expected = 2.045230 * torch.tensor(scores).std().item() / 30**0.5  # 29 degrees of freedom
    assert Interval.of(scores).half_width == pytest.approx(expected, rel=1e-5)
    assert Interval.of([5.0]) == Interval(5.0, 0.0)
    with pytest.raises(ValueError, match="at least one value, got none"):
        Interval.of([])


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A recipe of a second; its text, and a cache of its own for all tests here."""
    folder = tmp_path_factory.mktemp("small")
    path = folder / "counting.txt"
    path.write_text(
        "\n\n".join(" ".join(f"{i} and {j}," for j in range(i, i + 60)) for i in range(100))
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDLAB_CACHE", str(folder / "cache"))
        yield Recipe(
            corpus=str(path),
            vocab_size=300,
            teacher="tiny-student",
            teacher_steps=4,
            steps=2,
            batch_size=2,
            eval_blocks=4,
        )


@pytest.mark.slow
def test_recipes_are_distilled(small, tmp_path):
    base = replace(small, steps=4, eval_every=2)
    arms = {"labels": replace(base, arm="lm"), "both": base}
    results = Sweep("small", arms, seeds=2).results(tmp_path / "runs", threads=1)
    assert results.arms["both"] == {
        "corpus": small.corpus,
        "vocab_size": 300,
        "teacher": "tiny-student",
        "teacher_steps": 4,
        "steps": 4,
        "batch_size": 2,
        "eval_every": 2,
        "eval_blocks": 4,
    }
    steps, lm = results.curve("both", "lm_loss")
    assert steps == [2, 4]
    last = results.of("both")[1]
    assert last["curve"]["lm_loss"][-1] == pytest.approx(last["final"]["lm_loss"])
    assert lm[-1].mean == pytest.approx(results.mean("both", "lm_loss").mean)
    assert results.mean("both", "teacher_lm_loss").half_width == 0.0
    assert results.mean("labels", "kl_to_teacher").mean > 0
    assert not list((tmp_path / "runs").glob("*/checkpoint"))


@pytest.mark.slow
def test_processes_give_what_one_process_gives(small, tmp_path):
    sweep = Sweep("small", {"labels": replace(small, arm="lm"), "both": small}, seeds=1)
    together = sweep.results(tmp_path / "one", threads=1)
    apart = sweep.results(tmp_path / "two", jobs=2, threads=1)
    for arm in sweep.arms:
        assert together.values(arm, "lm_loss") == apart.values(arm, "lm_loss")


@pytest.mark.slow
def test_a_measurement_is_told_the_recipe_with_its_seed(small, tmp_path):
    seen = []
    measure = lambda folder, recipe: seen.append(recipe) or {}  # noqa: E731
    Sweep("small", {"both": small}, seeds=2, measure=measure).results(tmp_path, threads=1)
    assert seen == [replace(small, seed=seed) for seed in (0, 1)]


@pytest.mark.slow
def test_a_run_cut_off_with_another_recipe_is_begun_anew(small, tmp_path):
    folder = tmp_path / "both-0"
    distill(folder, replace(small, lam=3.0), checkpoint_every=1, device="cpu")
    assert (folder / "checkpoint").exists()
    with pytest.warns(UserWarning, match="both-0 held a run of another specification"):
        results = Sweep("small", {"both": small}, seeds=1).results(tmp_path, threads=1)
    assert (tmp_path / "both-0.old-1" / "checkpoint").exists()
    assert History.read(folder / "metrics.jsonl").column("lam") == [1.0, 1.0]
    assert len(results.runs) == 1


@pytest.mark.slow
def test_a_run_that_was_cut_off_is_begun_anew(small, tmp_path):
    sweep = Sweep("small", {"both": small}, seeds=1)
    whole = sweep.results(tmp_path / "whole", threads=1)
    (tmp_path / "cut" / "both-0").mkdir(parents=True)
    (tmp_path / "cut" / "both-0" / "recipe.json").write_text(json.dumps({"steps": 999}))
    assert sweep.results(tmp_path / "cut", threads=1).values("both", "lm_loss") == whole.values(
        "both", "lm_loss"
    )


def test_a_run_of_a_text_that_has_changed_since_is_run_again(tmp_path, monkeypatch):
    corpus, read = tmp_path / "owls.txt", []
    corpus.write_text("\n\n".join(f"{i} owls met {i + 1} owls." for i in range(60)))

    def found(name):
        read.append(name)
        return load_corpus(name)

    def of(recipe, **options):
        return SimpleNamespace(text_sha256=ingredients.text_of(recipe).sha256)

    monkeypatch.setattr(ingredients, "load_corpus", found)
    monkeypatch.setattr(sweeps, "Ingredients", SimpleNamespace(of=of))
    monkeypatch.setattr(sweeps, "kept_ingredients", lambda recipe: None)
    arms = {"a": Recipe(corpus=str(corpus)), "b": Recipe(corpus=str(corpus), lam=2.0)}
    ran = lambda spec, seed, folder: {"final": {}, "curve": folder.mkdir(parents=True)}  # noqa: E731
    sweep = Sweep("owls", arms, seeds=2, run=ran)
    made = sweep.results(tmp_path / "runs")
    assert sweep.results(tmp_path / "runs").runs == made.runs
    assert len(read) == 2  # once a sweep, however many runs it has
    corpus.write_text(corpus.read_text() + "\n\nAnd there were more.")
    with pytest.warns(UserWarning, match=r"[ab]-\d held a run of another specification or text"):
        sweep.results(tmp_path / "runs")


@pytest.mark.slow
@pytest.mark.parametrize("left", ["summary.json", "checkpoint"])
def test_a_run_of_another_text_that_has_no_record_yet_is_set_aside_too(small, tmp_path, left):
    corpus = tmp_path / "owls.txt"
    corpus.write_text(Path(small.corpus).read_text())
    recipe = replace(small, corpus=str(corpus), batch_size=4)

    def slipped(*_):
        raise ArithmeticError("a slip")

    sweep = Sweep("owls", {"a": recipe}, seeds=1)
    with pytest.MonkeyPatch.context() as patch:
        if left == "checkpoint":  # the run is cut off after its first step
            save = DistillationTrainer._save
            patch.setattr(DistillationTrainer, "_due", lambda *_, **__: True)
            patch.setattr(DistillationTrainer, "_save", lambda *a: save(*a) or slipped())
        with pytest.raises(ArithmeticError, match="a slip"):
            replace(sweep, measure=slipped).results(tmp_path / "runs", threads=1)
    assert (tmp_path / "runs" / "a-0" / left).exists()
    corpus.write_text(corpus.read_text().replace("and", "or"))
    with pytest.warns(UserWarning, match="a-0 held a run of another specification or text"):
        assert len(sweep.results(tmp_path / "runs", threads=1).runs) == 1
    assert (tmp_path / "runs" / "a-0.old-1" / left).exists()


def twice(spec, seed, folder):
    found = scored(spec, seed, folder)
    return found | {"final": {"score": 2 * found["final"]["score"]}}


def squared(folder, spec):
    return {"squared": spec["level"] ** 2}


def test_another_function_to_run_or_to_measure_is_another_run(tmp_path):
    SWEEP.results(tmp_path)
    with pytest.warns(UserWarning, match=r"(low|high)-\d held a run of another spec"):
        found = replace(SWEEP, run=twice).results(tmp_path)
    assert found.values("low", "score") == [2.0, 4.0, 6.0]
    with pytest.warns(UserWarning, match=r"(low|high)-\d held a run of another spec"):
        found = replace(SWEEP, run=twice, measure=squared).results(tmp_path)
    assert found.values("high", "squared") == [9.0] * 3
    assert not {"run", "measure", "spec", "functions"} & found.runs[0].keys()


def made(factor, offset=0):
    def run(spec, seed, folder):
        found = scored(spec, seed, folder)
        return found | {"final": {"score": factor * found["final"]["score"] + offset}}

    return run


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (lambda *a: scored(*a), lambda *a: twice(*a), False),
        (lambda *a: scored(*a), lambda *a: scored(*a), True),
        (lambda s, n, f, k=1: scored(s, n, f), lambda s, n, f, k=2: scored(s, n, f), False),
        (lambda *a: made(1)(*a), lambda *a: made(2)(*a), False),
        (made(1), made(2), False),
        (made(1), made(1), True),
        (partial(made(1)), made(1), True),
        (partial(made, 1), partial(made, 2), False),
        (partial(made, offset=1), partial(made, offset=1), True),
        (partial(made, offset=1), partial(made, offset=2), False),
        (partial(partial(made, 1), offset=2), partial(made, 1, offset=2), True),
        (partial(made, torch.ones(2)), partial(made, torch.ones(2)), True),
        (partial(made, Recipe()), partial(made, Recipe(lam=2.0)), False),
        (partial(made, twice), partial(made, scored), False),
        (partial(made, Path("a")), partial(made, Path("b")), False),
        (partial(made, torch.float32), partial(made, torch.bfloat16), False),
        (partial(made, torch.ones(2, device="meta")), partial(made, torch.ones(2)), False),
        (partial(made, torch.Tensor), partial(made, np.ndarray), False),
    ],
)
def test_functions_of_one_name_are_told_apart_by_what_they_hold(one, other, same):
    assert (sweeps._name_of(one) == sweeps._name_of(other)) is same


def test_what_a_run_writes_down_does_not_change_its_name(tmp_path):
    def counting(calls):
        def run(spec, seed, folder):
            calls.append(seed)
            return scored(spec, seed, folder)

        return run

    first, second = [], []
    replace(SWEEP, run=counting(first)).results(tmp_path)
    replace(SWEEP, run=counting(second)).results(tmp_path)
    assert first
    assert not second


def test_another_lambda_is_another_run(tmp_path):
    replace(SWEEP, run=lambda *given: scored(*given)).results(tmp_path)
    with pytest.warns(UserWarning, match=r"(low|high)-\d held a run of another spec"):
        found = replace(SWEEP, run=lambda *given: twice(*given)).results(tmp_path)
    assert found.values("low", "score") == [2.0, 4.0, 6.0]


def test_a_record_of_before_functions_were_in_it_counts_as_before(tmp_path):
    first = SWEEP.results(tmp_path)
    for path in tmp_path.glob("*/record.json"):
        record = json.loads(path.read_text())
        del record["functions"]
        path.write_text(json.dumps(record))
    assert SWEEP.results(tmp_path).runs == first.runs


def test_functions_have_the_same_name_wherever_they_are_run():
    """A module is called otherwise where it is run as a program, or in a worker."""
    assert sweeps._name_of(partial(scored)) == sweeps._name_of(scored) == "scored"
    assert sweeps._name_of(torch.Tensor.relu)  # which has no module


SLEEPERS = """
import os, pathlib, time
from kdlab import Sweep

def sleep(spec, seed, folder):
    folder.mkdir(parents=True)
    (folder / "pid").write_text(str(os.getpid()))
    time.sleep(180)

if __name__ == "__main__":
    Sweep("sleepers", {"a": {}, "b": {}}, seeds=1, run=sleep).results("runs", jobs=2)
"""


@pytest.mark.slow
def test_workers_do_not_outlive_a_sweep_that_is_killed(tmp_path):
    (tmp_path / "sleepers.py").write_text(SLEEPERS)
    sweep = subprocess.Popen([sys.executable, "sleepers.py"], cwd=tmp_path)
    notes = [tmp_path / "runs" / f"{arm}-0" / "pid" for arm in "ab"]
    wait_until(lambda: all(note.exists() and note.read_text() for note in notes))
    sweep.kill()
    sweep.wait()
    workers = [int(note.read_text()) for note in notes]
    wait_until(lambda: not any(map(alive, workers)))


def alive(pid: int) -> bool:
    """Whether a process is there; one that has ended and that nobody waits for is not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_reduced_sweep_keeps_what_is_asked_for():
    sweep = Sweep("small", {"a": Recipe(lam=2.0), "b": Recipe(lam=3.0)}, seeds=5)
    small = sweep.reduced(["b"], seeds=2, steps=7)
    assert dict(small.arms) == {"b": Recipe(lam=3.0, steps=7)}
    assert small.size == 2


def test_a_reduced_sweep_keeps_arms_that_are_no_recipes():
    assert SWEEP.reduced(["high"]).arms == {"high": {"level": 3.0}}
    with pytest.raises(TypeError, match="'high' is a dict, which has no fields to change"):
        SWEEP.reduced(["high"], level=2.0)


def test_texts_of_a_teacher_are_prepared_for_each_length_of_prompts(monkeypatch):
    written = []
    one = SimpleNamespace(text_sha256="", teacher_text=lambda r: written.append(r.prompt_tokens))
    monkeypatch.setattr(sweeps, "Ingredients", SimpleNamespace(of=lambda recipe, **_: one))
    recipes = [Recipe(teacher_texts=4, prompt_tokens=n) for n in (8, 16, 16)]
    sweeps._make_what_is_shared(recipes, False)
    assert written == [8, 16]


def test_runs_of_different_machines_and_versions_are_gathered(tmp_path, monkeypatch):
    monkeypatch.setattr("kdlab.sweeps.machine", lambda: {"gpu": None})
    monkeypatch.setattr("kdlab.sweeps.versions", lambda: {"torch": "2.9"})
    assert SWEEP.results(tmp_path).machine["gpu"] is None
    monkeypatch.setattr("kdlab.sweeps.machine", lambda: {"gpu": "H100"})
    monkeypatch.setattr("kdlab.sweeps.versions", lambda: {"torch": "2.9", "peft": "0.9"})
    found = replace(SWEEP, seeds=4).results(tmp_path)
    assert found.machine["gpu"] == "H100 and none"
    assert found.versions == {"torch": "2.9", "peft": "0.9 and none"}


def test_a_sweep_without_arms_is_refused(tmp_path):
    with pytest.raises(ValueError, match="scores has no arms to run"):
        replace(SWEEP, arms={}).results(tmp_path)


@pytest.mark.parametrize("runs", [["a"], {"a": {}}])
def test_a_file_whose_runs_are_no_records_is_refused(tmp_path, runs):
    (tmp_path / "x.json").write_text(json.dumps({"name": "x", "runs": runs}))
    with pytest.raises(ValueError, match=r"x\.json holds no results of a sweep"):
        SweepResults.read(tmp_path / "x.json")


def test_what_a_run_returns_becomes_plain(tmp_path):
    def run(spec, seed, folder):
        curve = {"step": np.arange(2), "score": torch.ones(2), "pair": (np.float32(0.5), 1)}
        return {"final": {"score": torch.tensor(1.5), "good": np.bool_(True)}, "curve": curve}

    measure = lambda folder, spec: {"more": np.array(2.0)}  # noqa: E731
    sweep = Sweep("plain", {"a": 1}, seeds=1, run=run, measure=measure)
    found = sweep.results(tmp_path)
    (one,) = found.runs
    assert one["final"] == {"score": 1.5, "good": True, "more": 2.0}
    assert one["curve"] == {"step": [0, 1], "score": [1.0, 1.0], "pair": [0.5, 1]}
    assert sweep.results(tmp_path).runs == found.runs


@pytest.mark.parametrize("returned", [{"final": {"score": {1, 2}}}, {"final": {(1, 2): 3}}, None])
def test_what_no_record_can_hold_is_kept_beside_it(tmp_path, returned):
    sweep = Sweep("odd", {"a": 1}, seeds=1, run=lambda *_: returned)
    with pytest.raises(TypeError, match=r"the run of 'a' with seed 0 .* kept in .*returned\.txt"):
        sweep.results(tmp_path)
    assert (tmp_path / "a-0" / "returned.txt").read_text() == repr(returned)


def test_a_curve_that_some_step_lacks_is_one_sentence():
    runs = [
        {"arm": arm, "seed": 0, "final": {"kl": kl}, "curve": {"step": [1], "kl": [kl]}}
        for arm, kl in {"lm": None, "both": 1.0}.items()
    ]
    results = SweepResults("owls", runs=runs)
    for arm, beside in (("lm", None), ("both", "lm"), ("lm", "both")):
        with pytest.raises(ValueError, match="the runs of 'lm' have measured no kl, at least not"):
            results.curve(arm, "kl", beside=beside)
    with pytest.raises(ValueError, match="the runs of 'lm' have measured no kl"):
        results.mean("lm", "kl")
    with pytest.raises(ValueError, match="the runs of 'lm' have measured no kl"):
        results.difference("both", "lm", "kl")
