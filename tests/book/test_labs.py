"""What the pages of part 4 say in words is what their recorded runs show."""

from pathlib import Path

import pytest

from kdlab import Interval, SweepResults

RESULTS = Path(__file__).parents[2] / "book/labs/results"
TEXTS = ("all text", "a tenth")


@pytest.fixture(scope="module")
def laptop() -> SweepResults:
    return SweepResults.read(RESULTS / "laptop.json")


@pytest.fixture(scope="module")
def weak() -> SweepResults:
    return SweepResults.read(RESULTS / "weak_teacher.json")


@pytest.fixture(scope="module")
def files() -> SweepResults:
    return SweepResults.read(RESULTS / "teacher_file.json")


@pytest.fixture(scope="module")
def own() -> SweepResults:
    return SweepResults.read(RESULTS / "own_words.json")


def names(results: SweepResults, text: str) -> list[str]:
    """The arms with a teacher."""
    arms = [arm.removeprefix(f"{text}: ") for arm in results.arms if arm.startswith(text)]
    return [name for name in arms if not name.startswith("labels")]


def below(results: SweepResults, arm: str, other: str, measure: str = "lm_loss") -> bool:
    """Beyond chance."""
    less = results.difference(arm, other, measure)
    return less.mean < 0 and not less.includes_zero


@pytest.mark.parametrize("text", TEXTS)
def test_at_equal_steps_every_teacher_helps_and_more_of_it_helps_more(laptop, text):
    assert len(names(laptop, text)) == 10
    for name in names(laptop, text):
        assert below(laptop, f"{text}: {name}", f"{text}: labels")
    assert below(laptop, f"{text}: λ = 4", f"{text}: λ = 1")
    assert below(laptop, f"{text}: λ = 1", f"{text}: λ = 0.25")


@pytest.mark.parametrize("text", TEXTS)
def test_letting_lambda_fall_did_not_help(laptop, text):
    falling = ("linear", "cosine", "warm-up, stable, decay")
    for name in falling:
        assert below(laptop, f"{text}: λ = 4", f"{text}: {name}")
        assert below(laptop, f"{text}: {name}", f"{text}: exponential")
        assert below(laptop, f"{text}: {name}", f"{text}: λ = 1")


def test_the_order_by_loss_is_that_by_kl_to_the_teacher(laptop):
    arms = [f"all text: {name}" for name in [*names(laptop, "all text"), "labels"]]
    orders = [
        sorted(arms, key=lambda arm: laptop.mean(arm, measure).mean)
        for measure in ("lm_loss", "kl_to_teacher")
    ]
    level = {"all text: linear", "all text: warm-up, stable, decay"}  # are level, and change places
    assert set(orders[0][3:5]) == set(orders[1][3:5]) == level
    assert orders[0][:3] + orders[0][5:] == orders[1][:3] + orders[1][5:]
    best = min(laptop.mean(arm, "lm_loss").mean for arm in arms)
    assert best - laptop.mean(arms[0], "teacher_lm_loss").mean == pytest.approx(1, abs=0.1)


def test_the_order_is_nearly_the_same_with_a_tenth_of_the_text(laptop):
    whole, tenth = (
        sorted(names(laptop, text), key=lambda name: laptop.mean(f"{text}: {name}", "lm_loss").mean)
        for text in TEXTS
    )
    i = whole.index("ratio")
    assert whole[i : i + 2] == tenth[i + 1 : i - 1 : -1] == ["ratio", "exponential"]
    assert whole[:i] + whole[i + 2 :] == tenth[:i] + tenth[i + 2 :]
    level = laptop.difference("a tenth: ratio", "a tenth: exponential", "lm_loss")
    assert level.includes_zero


def test_the_lead_grows_for_half_of_the_run(laptop):
    for name in ("λ = 1", "λ = 4", "linear"):
        arm = f"all text: {name}"
        steps, less = laptop.curve(arm, "lm_loss", beside="all text: labels")
        lead = [-x.mean for x in less]
        half = steps.index(60) + 1
        assert lead[:half] == sorted(lead[:half])
        assert max(lead[half:]) - min(lead[half - 1 :]) < 0.03


@pytest.mark.parametrize("text", TEXTS)
def test_the_teacher_alone_cannot_be_told_from_a_high_lambda(laptop, text):
    assert laptop.difference(f"{text}: teacher", f"{text}: λ = 4", "lm_loss").includes_zero
    same = laptop.difference(f"{text}: plateau", f"{text}: λ = 4", "lm_loss")
    assert same == Interval(0.0, 0.0)


def test_at_equal_time_the_labels_win(laptop):
    for text in TEXTS:
        control = f"{text}: labels, as long"
        assert below(laptop, control, f"{text}: λ = 1")
        assert below(laptop, control, f"{text}: λ = 4")
        assert 300 < laptop.arms[control]["steps"] < 330
    assert below(laptop, "all text: labels, as long", "all text: λ = 1", "kl_to_teacher")
    alone, both = (
        laptop.values(f"all text: {name}", "tokens_per_second") for name in ("labels", "λ = 1")
    )
    due = [a / b for a, b in zip(alone, both, strict=True)]
    assert max(due) - min(due) < 0.2


def test_a_tenth_of_the_text_is_enough_for_so_few_steps(laptop):
    for name in [*names(laptop, "all text"), "labels"]:
        pairs = zip(*(laptop.values(f"{text}: {name}", "lm_loss") for text in TEXTS), strict=True)
        less = Interval.of([tenth - whole for whole, tenth in pairs])
        assert less.mean < 0 or less.includes_zero


def test_pairing_pays_beside_a_constant_lambda_and_little_beside_the_labels(laptop):
    for name in ("linear", "cosine"):
        arm = f"all text: {name}"
        paired = laptop.difference(arm, "all text: λ = 4", "lm_loss").half_width
        assert paired < 0.25 * laptop.mean(arm, "lm_loss").half_width
    widths = {arm: laptop.mean(arm, "lm_loss").half_width for arm in laptop.arms}
    text = {arm: width for arm, width in widths.items() if arm.startswith("all text")}
    assert max(text, key=text.get) == "all text: labels"
    assert text["all text: labels"] > 2.5 * text["all text: λ = 4"]


def clear(x: Interval) -> bool:
    return not x.includes_zero


def passes(results: SweepResults, level: float) -> int:
    """The first evaluation at which labels alone are below a level."""
    steps, labels = results.curve("labels", "lm_loss")
    return next(step for step, x in zip(steps, labels, strict=True) if x.mean < level)


def ahead_until(results: SweepResults, arm: str) -> int:
    """The last evaluation at which an arm is ahead of the labels."""
    steps, less = results.curve(arm, "lm_loss", beside="labels")
    return max(step for step, x in zip(steps, less, strict=True) if x.mean < 0)


def test_help_turns_to_harm_before_the_labels_pass_the_teacher(weak):
    level = {t: weak.mean(f"{t}: λ = 1", "teacher_lm_loss").mean for t in ("weak", "weaker")}
    assert {t: passes(weak, level[t]) for t in level} == {"weak": 100, "weaker": 40}
    assert level["weaker"] - level["weak"] == pytest.approx(0.6, abs=0.05)  # of the figures
    for arm in weak.arms:
        if arm != "labels":
            steps, less = weak.curve(arm, "lm_loss", beside="labels")
            most = min((x.mean, step) for step, x in zip(steps, less, strict=True) if clear(x))[1]
            assert most == (10 if arm == "weak: λ = 0.25" or arm.startswith("weaker") else 30)
            assert ahead_until(weak, arm) < passes(weak, level[arm.partition(":")[0]])
    assert ahead_until(weak, "weaker: λ = 4") < 30
    most = {lam: weak.curve(f"weak: λ = {lam}", "lm_loss", beside="labels")[1][2] for lam in (1, 4)}
    assert most[1].mean == pytest.approx(most[4].mean / 2, rel=0.05)
    assert ahead_until(weak, "weak: λ = 1") == 60
    assert ahead_until(weak, "weak: λ = 4") == 70  # and level with the labels before step 80


def test_the_labels_reach_the_teachers_level_first_and_the_highest_lambda_last(weak):
    level = weak.mean("weak: λ = 1", "teacher_lm_loss").mean
    first = {
        arm: next(s for s, x in zip(*weak.curve(arm, "lm_loss"), strict=True) if x.mean < level)
        for arm in ("labels", "weak: λ = 1", "weak: linear", "weak: λ = 4")
    }
    assert min(first, key=first.get) == "labels"
    assert max(first, key=first.get) == "weak: λ = 4"
    assert 100 < sorted(first.values())[1] <= sorted(first.values())[-2] < first["weak: λ = 4"]
    assert first["weak: λ = 4"] == 120
    for teacher, until in {"weak": (90, 120), "weaker": (40, 80)}.items():
        arm = f"{teacher}: λ = 4"  # behind the labels, and its gap is still open
        level = weak.mean(arm, "teacher_lm_loss").mean
        steps, less = weak.curve(arm, "lm_loss", beside="labels")
        _, own = weak.curve(arm, "lm_loss")
        rows = zip(steps, less, own, strict=True)
        open_ = {s for s, x, loss in rows if x.mean > 0 and clear(x) and loss.mean > level}
        assert open_ == set(range(*until, 10))


def test_no_weak_teacher_is_ahead_at_the_end_and_which_are_behind(weak):
    behind = {arm for arm in weak.arms if arm != "labels" and below(weak, "labels", arm)}
    assert behind == set(weak.arms) - {"weak: λ = 0.25", "labels"}
    assert weak.difference("weak: λ = 0.25", "labels", "lm_loss").includes_zero


def test_the_larger_lambda_is_the_more_help_and_harm(weak):
    found = [
        weak.curve(f"weak: λ = {lam}", "lm_loss", beside="labels")[1] for lam in ("0.25", "1", "4")
    ]
    help_ = [-min(x.mean for x in less) for less in found]
    harm = [less[-1].mean for less in found]
    assert help_ == sorted(help_)
    assert harm == sorted(harm)


def test_falling_is_worse_than_a_constant_1(weak):
    assert below(weak, "weak: λ = 1", "weak: linear")
    assert weak.difference("weak: linear", "weak: λ = 1", "lm_loss").mean < 0.02
    assert below(weak, "weaker: λ = 1", "weaker: linear")
    assert below(weak, "weaker: linear", "weaker: λ = 4")
    for arm in ("weaker: λ = 1", "weaker: linear", "weaker: λ = 4"):
        assert weak.mean(arm, "teacher_lm_loss").mean > weak.mean(arm, "lm_loss").mean  # outgrown
    lam = dict(
        zip(*(weak.of("weaker: linear")[0]["curve"][c] for c in ("step", "lam")), strict=True)
    )
    assert lam[110] > 1 > lam[120]  # three quarters of 150 steps are 112.5
    lam = dict(
        zip(*(weak.of("weak: exponential")[0]["curve"][c] for c in ("step", "lam")), strict=True)
    )
    assert lam[90] > 0.25 > lam[100]
    assert lam[120] < 0.12
    less = weak.difference("weak: exponential", "weak: linear", "lm_loss")
    assert less.mean > 0
    assert less.includes_zero
    _, less = weak.curve("weak: λ = 4", "lm_loss", beside="labels")
    assert weak.difference("weaker: λ = 1", "labels", "lm_loss").mean > -min(x.mean for x in less)


def test_the_rules_that_react_do_so_never_or_the_wrong_way(weak):
    for run in weak.of("weak: ratio"):
        assert run["curve"]["lam"] == sorted(run["curve"]["lam"])
        assert run["curve"]["lam"][-1] == 100.0
    nearest = min(weak.arms, key=lambda arm: weak.mean(arm, "kl_to_teacher").mean)
    assert nearest == "weak: ratio"
    behind = {a for a in weak.arms if weak.mean(a, "lm_loss") > weak.mean(a, "teacher_lm_loss")}
    assert behind == {"weak: ratio"}
    for teacher in ("weak", "weaker"):
        plateau, held = (
            [run["curve"] for run in weak.of(f"{teacher}: {name}")] for name in ("plateau", "λ = 4")
        )
        assert plateau == held


def test_at_step_30_the_highest_lambda_is_ahead_and_at_the_end_behind(weak):
    steps, less = weak.curve("weak: λ = 4", "lm_loss", beside="labels")
    at = less[steps.index(30)]
    assert at.mean < 0
    assert not at.includes_zero
    assert less[-1].mean > 0
    assert not less[-1].includes_zero


KS = (1, 4, 16, 64, 256)


def test_with_the_tail_a_copy_stays_a_copy_and_without_it_is_driven_away(files):
    kl, error = (
        {
            (k, tail): files.mean(f"a copy, k = {k}, {tail} the tail", measure).mean
            for k in KS
            for tail in ("with", "without")
        }
        for measure in ("kl_to_teacher", "calibration_error")
    )
    for k in KS:
        arms = (f"a copy, k = {k}, {tail} the tail" for tail in ("with", "without"))
        assert below(files, *arms, "kl_to_teacher")
    away = [kl[k, "without"] for k in KS]
    assert away == sorted(away, reverse=True)
    for k in KS[:3]:
        assert error[k, "without"] > 3 * error[k, "with"]
    new = files.mean("k = 1, without the tail", "kl_to_teacher").mean
    assert kl[1, "without"] == pytest.approx(new, abs=0.1)
    new = {
        tail: files.mean(f"k = 1, {tail} the tail", "calibration_error").mean
        for tail in ("with", "without")
    }
    assert error[1, "without"] == pytest.approx(2 * new["without"], rel=0.05)
    assert files.mean("a copy, k = 1, with the tail", "agreement_top1").mean < 0.8
    four = [f"k = 4, {tail} the tail" for tail in ("with", "without")]
    ratio = [files.mean(arm, "calibration_error").mean for arm in four]
    assert error[4, "without"] / error[4, "with"] > ratio[1] / ratio[0] > 4.5
    assert kl[256, "without"] > 10 * kl[256, "with"]
    assert kl[1, "with"] == pytest.approx(kl[256, "without"], rel=0.2)
    arms = "a copy, k = 1, without the tail", "a copy, k = 1, with the tail"
    assert 0.77 < files.mean(arms[0], "agreement_top1").mean < 0.8
    assert files.difference(*arms, "agreement_top1").includes_zero
    for k in (4, 16, 64):
        arms = (f"a copy, k = {k}, {tail} the tail" for tail in ("without", "with"))
        assert below(files, *arms, "agreement_top1")


def test_for_a_new_student_k_counts_and_the_tail_shows_in_its_calibration(files):
    for tail in ("with", "without"):
        found = [files.mean(f"k = {k}, {tail} the tail", "kl_to_teacher").mean for k in KS]
        assert found == sorted(found, reverse=True)
        assert found[-1] < 0.5 * found[0]
    all_of_it = files.difference("k = 256, with the tail", "asked live", "kl_to_teacher")
    assert all_of_it.includes_zero
    for k in KS:
        arms = (f"k = {k}, without the tail", f"k = {k}, with the tail")
        less = files.difference(*arms, "kl_to_teacher")
        assert less.includes_zero == (k not in (1, 64))
        assert k not in (1, 64) or less.mean == pytest.approx(0.1 if k == 1 else -0.1, abs=0.01)
        assert below(files, *reversed(arms), "calibration_error") == (k <= 64)
        assert below(files, *arms, "reverse_kl_to_teacher") == (k <= 64)
        assert below(files, "asked live", arms[1], "calibration_error") == (k < 16)


def test_in_which_reading_a_file_pays(files):
    live = files.mean("asked live", "tokens_per_second").mean
    text, run = 584_576, 150 * 16 * 128
    for k in KS:
        arm = f"k = {k}, with the tail"
        rate = files.mean(arm, "tokens_per_second").mean
        assert 1.4 < rate / live < 2
        (seconds,) = set(files.values(arm, "seconds_to_write"))
        pays_after = seconds / (1 / live - 1 / rate)
        assert 3 * run < pays_after
        reading = {1: 2, 4: 2, 16: 2, 64: 3, 256: 4}[k]
        assert reading - 1 < pays_after / text < reading


def test_the_file_with_the_first_choice_alone_agrees_most_and_is_worst(files):
    new = [arm for arm in files.arms if not arm.startswith("a copy")]
    agreement, perplexity = (
        {arm: files.mean(arm, measure).mean for arm in new}
        for measure in ("agreement_top1", "perplexity")
    )
    assert max(agreement.values()) == agreement["k = 1, without the tail"]
    assert max(perplexity.values()) == perplexity["k = 1, without the tail"]


def test_to_hear_a_distribution_counts_and_on_whose_text_does_not_show(own):
    hear = [a for a in own.arms if "KL" in a and not a.startswith("new")]
    assert len(hear) == 5
    for arm in hear:
        for measure in ("kl_to_teacher", "reverse_kl_to_teacher", "own_text_reverse_kl"):
            assert own.mean(arm, measure).mean < own.mean("labels", measure).mean
        assert below(own, arm, "labels", "own_text_reverse_kl")
        assert below(own, arm, "labels") == (arm == "corpus, forward KL")
    for way in ("forward KL", "reverse KL"):
        arms = f"half own words, {way}", f"corpus, {way}"
        assert own.difference(*arms, "own_text_reverse_kl").includes_zero
        seconds = [sum(run["seconds"] for run in own.of(arm)) for arm in arms]
        assert 1.25 < seconds[0] / seconds[1] < 1.33
    assert below(own, "corpus, reverse KL", "half own words, reverse KL")
    arms = "corpus, reverse KL", "corpus, forward KL"
    assert own.difference(*arms, "own_text_lm_loss").includes_zero


def test_which_way_round_shows(own):
    reverse, forward = "corpus, reverse KL", "corpus, forward KL"
    assert below(own, forward, reverse)
    assert below(own, forward, reverse, "kl_to_teacher")
    assert below(own, reverse, forward, "own_text_teacher_lm_loss")
    assert below(own, forward, reverse, "reverse_kl_to_teacher")
    assert min(own.arms, key=lambda arm: own.mean(arm, "own_text_lm_loss").mean) == reverse
    assert below(own, f"new weights, {forward}", f"new weights, {reverse}")
    assert own.mean(f"new weights, {reverse}", "lm_loss").mean > 5


def test_the_teachers_samples_are_the_poorest_text(own):
    begun = [arm for arm in own.arms if not arm.startswith("new")]
    for measure in ("lm_loss", "own_text_reverse_kl"):
        assert max(begun, key=lambda arm: own.mean(arm, measure).mean).startswith("teacher's")
        assert below(own, "labels", "teacher's samples as labels", measure)
