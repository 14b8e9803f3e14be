"""The widgets' Python side: traits, presets, numbers. tests/book drives them in a browser."""

import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from traitlets import TraitError

from kdlab import CombinedObjective, SweepResults, make_schedule
from kdlab.schedules import SCHEDULES
from kdlab.widgets import (
    HERE,
    WIDGETS,
    KLExplorer,
    LambdaMixer,
    ModeSeeking,
    SchedulePlayer,
    SoftmaxTemperature,
    read_run,
    read_trained,
)


def test_each_widget_is_one_module_without_imports():
    assert {path.stem for path in HERE.glob("*.js")} == set(WIDGETS)
    for name, widget in WIDGETS.items():
        source = (HERE / f"{name}.js").read_text(encoding="utf8")
        assert not re.search(r"\bimport\b|\brequire\(|https?://(?!www\.w3\.org)", source), name
        assert source.count("export default { render }") == 1
        assert widget._esm == source or str(widget._esm) == source


def test_kdlab_alone_loads_no_widget():
    program = "import sys, kdlab; sys.exit('anywidget' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


@pytest.mark.parametrize("name", WIDGETS)
def test_every_preset_has_numbers(name):
    for preset in (None, *WIDGETS[name].presets):
        table = WIDGETS[name](preset=preset).numbers()
        assert table
        assert all(isinstance(x, float | int) for row in table.values() for x in row.values())


@pytest.mark.parametrize("name", WIDGETS)
def test_unknown_names_are_refused_with_what_is_known(name):
    with pytest.raises(ValueError, match="unknown preset 'nonsense'"):
        WIDGETS[name](preset="nonsense")
    with pytest.raises(ValueError, match="no trait nonsense"):
        WIDGETS[name](nonsense=1)


@pytest.mark.parametrize(
    ("widget", "traits", "error"),
    [
        (KLExplorer, {"p": [0.5, 0.5, 0.5, 0.0]}, TraitError),
        (KLExplorer, {"q": [1.5, -0.5, 0.0, 0.0]}, TraitError),
        (KLExplorer, {"p": [0.5, 0.5]}, ValueError),
        (KLExplorer, {"teacher": [1.0, 0, 0, 0], "students": {"A": [0.5, 0.5]}}, ValueError),
        (KLExplorer, {"teacher": [1.0, 0, 0, 0], "students": {"A": [0.5, 0, 0, 0]}}, TraitError),
        (SoftmaxTemperature, {"temperature": 0.0}, TraitError),
        (SoftmaxTemperature, {"logits": [1.0]}, ValueError),
        (ModeSeeking, {"w": 1.5}, TraitError),
        (ModeSeeking, {"teacher": [[1.0, 0.0]]}, TraitError),
        (ModeSeeking, {"teacher": []}, TraitError),
        (ModeSeeking, {"teacher": [[1.0, 0.0, 0.0]]}, TraitError),
        (ModeSeeking, {"teacher": [[1.0, 0.0, 1.0], [1.0, 2.0, 1.0]]}, TraitError),
        (ModeSeeking, {"teacher": [[1.5, 0.0, 1.0], [-0.5, 2.0, 1.0]]}, TraitError),
        (ModeSeeking, {"teacher": [[1.0, math.nan, 1.0]]}, TraitError),
        (ModeSeeking, {"sigma": 0.0}, TraitError),
        (ModeSeeking, {"mu": math.inf}, TraitError),
        (KLExplorer, {"teacher": [1.5, -0.5, 0.0, 0.0]}, TraitError),
        (KLExplorer, {"p": [math.nan, 0.5, 0.25, 0.25]}, TraitError),
        (SoftmaxTemperature, {"logits": [math.nan, 1.0, 0.0, 0.0]}, TraitError),
        (SoftmaxTemperature, {"temperature": math.nan}, TraitError),
        (LambdaMixer, {"lam": -1.0}, TraitError),
        (LambdaMixer, {"y": 3}, ValueError),
        (SchedulePlayer, {"schedule": "sawtooth"}, TraitError),
        (SchedulePlayer, {"position": -1}, TraitError),
        (SoftmaxTemperature, {"tokens": ["the", "the", "a", "an"]}, ValueError),
        (KLExplorer, {"students": {"A": [0.5, 0.5, 0.0, 0.0]}}, ValueError),
    ],
)
def test_wrong_traits_are_refused(widget, traits, error):
    with pytest.raises(error):
        widget(**traits)


PLAYED = {"made_with": "", "lm": [4.0, 3.0], "kd": [2.0, 1.0], "gap": {"2": 0.5}}


@pytest.mark.parametrize(
    ("traits", "said"),
    [
        ({"run": {}}, "run must be"),
        ({"run": PLAYED | {"lm": [4.0, math.nan]}}, "run must be"),
        ({"run": PLAYED | {"kd": [2.0, math.inf]}}, "run must be"),
        ({"run": PLAYED | {"gap": {"2": math.nan}}}, "run must be"),
        ({"run": PLAYED | {"gap": {2: 0.5}}}, "run must be"),
        ({"run": PLAYED | {"kd": [2.0]}}, "run must be"),
        ({"run": PLAYED | {"lm": [], "kd": []}}, "run must be"),
        ({"run": PLAYED | {"lm": ["4", "3"]}}, "run must be"),
        ({"trained": {}}, "trained must be"),
        ({"trained": SchedulePlayer().trained | {"most": math.nan}}, "trained must be"),
        ({"trained": SchedulePlayer().trained | {"steps": [1]}}, "trained must be"),
        ({"trained": SchedulePlayer().trained | {"told": {}}}, "trained must be"),
        ({"run": PLAYED, "position": 3}, "position must be at most 2, the run's steps; got 3"),
        ({"schedule": "exponential", "end": 0.0}, "must be above 0 for an exponential"),
        ({"schedule": "exponential", "start": 0.0}, "must be above 0 for an exponential"),
    ],
)
def test_what_the_player_cannot_play_is_refused(traits, said):
    with pytest.raises(TraitError, match=said):
        SchedulePlayer(**traits)
    player = SchedulePlayer()
    with pytest.raises(TraitError, match=said):
        player.set_state(traits)
    assert player.numbers() == SchedulePlayer().numbers()


def test_a_run_without_measured_gaps_can_be_played():
    player = SchedulePlayer(run=PLAYED | {"gap": {}}, position=2)
    assert player.numbers()["now"] == {"λ": pytest.approx(0.01)}


@pytest.mark.parametrize(
    ("widget", "trait", "value", "said"),
    [
        (SoftmaxTemperature(), "logits", [1.0], "SoftmaxTemperature needs as many of each"),
        (SoftmaxTemperature(), "tokens", ["a", "a", "b", "c"], "tokens must differ"),
        (KLExplorer(), "p", [0.5, 0.5], "KLExplorer needs as many of each, got 4 tokens, 2 p, 4 q"),
        (KLExplorer(), "students", {"A": [1.0]}, "student 'A' has 1 entries"),
        (KLExplorer(preset="students"), "teacher", [0.5, 0.5], "student 'A' has 3 entries"),
        (LambdaMixer(), "y", 5, "y must be below 3, the number of tokens; got 5"),
        (LambdaMixer(), "p", [0.5, 0.5], "LambdaMixer needs as many of each"),
        (SchedulePlayer(), "position", 100_000, "position must be at most"),
        (SchedulePlayer(position=3), "run", PLAYED, "position must be at most 2"),
        (SchedulePlayer(end=0.0), "schedule", "exponential", "above 0 for an exponential"),
    ],
)
def test_what_does_not_fit_is_refused_later_too(widget, trait, value, said):
    before = getattr(widget, trait)
    with pytest.raises(TraitError, match=said):
        setattr(widget, trait, value)
    assert getattr(widget, trait) == before
    widget.numbers()


def test_traits_that_fit_only_together_are_changed_together():
    mixer = LambdaMixer()
    with mixer.hold_trait_notifications():
        mixer.y = 0
        mixer.p = [0.5, 0.5]
        mixer.tokens = ["yes", "no"]
    assert list(mixer.numbers()) == ["yes", "no"]


def test_bars_begin_as_the_teacher_of_ones_own_for_a_presets_students():
    teacher = [0.6, 0.3, 0.1]
    explorer = KLExplorer(preset="students", teacher=teacher)
    assert explorer.p == explorer.q == teacher
    explorer = KLExplorer(preset="students", teacher=teacher, q=[0.1, 0.3, 0.6])
    assert (explorer.p, explorer.q) == (teacher, [0.1, 0.3, 0.6])


def test_traits_reach_the_front_end_and_come_back():
    widget = KLExplorer()
    assert widget.get_state(["p", "q"]) == {"p": widget.p, "q": widget.q}
    seen = []
    widget.observe(lambda change: seen.append(change.new), names="q")
    widget.set_state({"q": [0.25, 0.25, 0.25, 0.25]})  # what a drag in the browser sends
    assert seen == [[0.25, 0.25, 0.25, 0.25]]
    with pytest.raises(TraitError):
        widget.set_state({"q": [0.9, 0.9, 0.9, 0.9]})


def test_kl_explorer_numbers_are_what_they_say():
    p, q = [0.5, 0.25, 0.25], [0.25, 0.25, 0.5]
    table = KLExplorer(tokens=["a", "b", "c"], p=p, q=q).numbers()
    assert table["a"]["KL(p‖q)"] == pytest.approx(0.5 * math.log(2))
    for column in ("KL(p‖q)", "KL(q‖p)", "JSD"):
        shares = sum(table[token][column] for token in "abc")
        assert table["sum"][column] == pytest.approx(shares)
    assert table["sum"]["KL(p‖q)"] == pytest.approx(0.25 * math.log(2))
    assert KLExplorer(preset="zero").numbers()["sum"]["KL(p‖q)"] == math.inf


def test_the_student_with_the_right_favourite_is_not_the_best():
    scores = KLExplorer(preset="students").scores()
    teacher = scores.pop("teacher p")
    best = min(scores, key=lambda name: scores[name]["KL(p‖q)"])
    trap = [name for name, row in scores.items() if row["mat"] == teacher["mat"]]
    assert len(scores) == 4
    assert trap
    assert best not in trap


def test_lambda_mixer_stands_where_no_student_is_better():
    widget = LambdaMixer(p=[0.6, 0.3, 0.1], y=1, lam=2.0)
    column = [row["q*"] for row in widget.numbers().values()]
    assert column == pytest.approx([0.4, 1.6 / 3, 0.2 / 3])
    objective = CombinedObjective(lam=2.0)
    torch.manual_seed(0)
    logits = torch.tensor(column, dtype=torch.float64).log() + 0.1 * torch.randn(50, 3).double()
    teacher = torch.tensor(widget.p, dtype=torch.float64).log()
    others = [objective(z, teacher, torch.tensor(1)).loss.item() for z in logits]
    assert min(others) > widget.losses()[2]


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedule_player_plays_kdlabs_schedule(name):
    run = {"made_with": "", "lm": [4.0, 3.0, 2.0, 1.0], "kd": [2.0, 2.0, 1.0, 0.5], "gap": {}}
    widget = SchedulePlayer(schedule=name, start=2.0, end=0.5, run=run)
    schedule = make_schedule(name, **widget.options())
    by_hand = [schedule.value]
    for losses in zip(run["lm"], run["kd"], strict=True):
        schedule.step(losses if name == "ratio" else None)
        by_hand.append(schedule.value)
    assert widget.values() == by_hand
    assert len(by_hand) == 5


def test_recorded_run_is_a_whole_run_of_a_student_that_overtakes():
    run = SchedulePlayer().run
    steps = int(re.search(r"--steps (\d+)", run["made_with"])[1])
    every = int(re.search(r"--eval-every (\d+)", run["made_with"])[1])
    assert len(run["lm"]) == len(run["kd"]) == steps
    assert [int(step) for step in run["gap"]] == list(range(every, steps + 1, every))
    gaps = list(run["gap"].values())
    assert gaps[0] > 0 > gaps[-1]
    assert sum(run["lm"][-20:]) < sum(run["lm"][:20])


def test_a_run_of_ones_own_can_be_played(tmp_path):
    (tmp_path / "metrics.jsonl").write_text(
        '{"kind": "train", "step": 1, "lm_loss": 2.0, "kd_loss": 1.0}\n'
        '{"kind": "train", "step": 2, "lm_loss": 1.5, "kd_loss": 0.5}\n'
        '{"kind": "eval", "step": 2, "perplexity": 4.0, "teacher_perplexity": 2.0}\n'
    )
    run = read_run(tmp_path, "mine")
    assert run == {"made_with": "mine", "lm": [2.0, 1.5], "kd": [1.0, 0.5], "gap": {"2": 0.6931}}
    row = SchedulePlayer(schedule="constant", start=2.0, position=1, run=run).numbers()["now"]
    assert row == {"λ": 2.0, "LM": 1.5, "KD": 0.5, "λ·KD": 1.0}


@pytest.mark.parametrize(
    ("loss", "teacher"),
    [
        ("null", "2.0"),
        ("1.0", "null"),
        ('"NaN"', "2.0"),
        ("1.0", '"Infinity"'),
        ("1.0", '2.0, "perplexity": "Infinity"'),
    ],
)
def test_a_run_that_the_player_cannot_show_is_told(tmp_path, loss, teacher):
    (tmp_path / "metrics.jsonl").write_text(
        f'{{"kind": "train", "step": 1, "lm_loss": {loss}, "kd_loss": 1.0}}\n'
        f'{{"kind": "eval", "step": 1, "perplexity": 4.0, "teacher_perplexity": {teacher}}}\n'
    )
    with pytest.raises(ValueError, match="a step or an evaluation without them"):
        read_run(tmp_path, "mine")


TRAINED = {
    "constant": ("λ = 4 throughout", "λ = 4"),
    "linear": ("λ from 4 to 0", "from 4 to 0"),
    "exponential": ("exponential", "from 4 to 0.01"),
    "plateau": ("plateau", "from 4, factor 0.3, patience 0, threshold 0.03"),
    "ratio": ("ratio, share 0.3", "share 0.3, maximum 20"),
}


def test_the_trained_students_are_those_of_the_recorded_runs():
    root = Path(__file__).parents[2]
    results = SweepResults.read(root / "book/labs/results/lambda_in_motion.json")
    player = SchedulePlayer()
    told = "Recorded runs of page 3.1, a weak teacher, means of five seeds"
    assert player.trained == read_trained(results, TRAINED, "labels alone, λ = 0", told)
    for name, (arm, _) in TRAINED.items():
        assert player.trained["gap"][name][-1] == pytest.approx(
            results.mean(arm, "gap").mean, abs=1e-4
        )
        schedule = results.arms[arm].get("schedule") or "constant"
        assert schedule == name
