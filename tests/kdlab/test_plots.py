"""Figures show the numbers they were given."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from kdlab import History, LinearLambda, PlateauLambda, RatioLambda, SweepResults, plots
from kdlab.evaluation import Calibration

mpl.use("agg")


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture
def history():
    train = [
        {"step": i, "lm_loss": 8.0 / i, "kd_loss": 2.0 / i, "lam": 1.0 / i} for i in range(1, 7)
    ]
    evaluations = [
        {"step": i, "perplexity": 100.0 / i, "teacher_perplexity": 20.0, "kl_to_teacher": 1.0}
        for i in (2, 4, 6)
    ]
    return History(train, evaluations)


def lines(axes):
    return {line.get_label(): list(line.get_ydata()) for line in axes.get_lines()}


def test_training_curves_show_both_losses_and_lambda(history):
    losses, lam = plots.training_curves(history).axes
    assert list(lines(losses).values()) == [history.column("lm_loss"), history.column("kd_loss")]
    assert list(lines(lam).values()) == [history.column("lam")]


def test_training_curves_need_a_teacher(history):
    history.train[0]["kd_loss"] = None
    with pytest.raises(ValueError, match="this run had no teacher"):
        plots.training_curves(history)


def test_evaluation_curves_compare_runs_and_show_their_teacher(history):
    (axes,) = plots.evaluation_curves({"a": history, "b": history}, title="Both fall").axes
    assert axes.get_title() == "Both fall"
    shown = lines(axes)
    assert shown["a"] == shown["b"] == [50.0, 25.0, 100.0 / 6]
    assert shown["teacher"] == [20.0, 20.0]
    with pytest.raises(ValueError, match="the run 'none' has no perplexity"):
        plots.evaluation_curves({"none": History(history.train, [])})


def test_schedules_are_played_without_being_touched(history):
    linear = LinearLambda(1.0, 0.0, steps=4)
    plateau = PlateauLambda(1.0, patience=0, threshold=1e9)
    ratio = RatioLambda(0.5, momentum=0.0)
    drawn = {"linear": linear, "plateau": plateau, "ratio": ratio}
    (axes,) = plots.schedules(drawn, steps=5, history=history).axes
    assert lines(axes) == {
        "linear": [1.0, 0.75, 0.5, 0.25, 0.0, 0.0],
        "plateau": [1.0, 1.0, 1.0, 1.0, 0.5, 0.5],  # measured after steps 2 and 4
        "ratio": [1.0] + [0.5 * 4.0] * 5,
    }
    assert linear.step_count == plateau.step_count == ratio.step_count == 0
    with pytest.raises(ValueError, match="RatioLambda reacts to a run"):
        plots.schedules({"ratio": ratio}, steps=5)


def test_a_schedule_is_told_what_its_run_has_measured(history):
    """A step on the student's own text has no LM loss, a run without a teacher no gap."""
    plateau = PlateauLambda(1.0, patience=0, threshold=1e9)
    ratio = RatioLambda(0.5, momentum=0.0)
    history.train[0]["lm_loss"] = None
    (axes,) = plots.schedules({"ratio": ratio}, steps=2, history=history).axes
    assert lines(axes) == {"ratio": [1.0, 1.0, 2.0]}
    for record in history.eval:
        record["teacher_perplexity"] = None
    with pytest.raises(ValueError, match="PlateauLambda reacts to a run's gap"):
        plots.schedules({"plateau": plateau}, steps=5, history=history)
    for record in history.train:
        record["kd_loss"] = None
    with pytest.raises(ValueError, match="RatioLambda reacts to a run's losses"):
        plots.schedules({"ratio": ratio}, steps=5, history=history)


def test_lines_differ_in_more_than_colour(history):
    (axes,) = plots.evaluation_curves({"a": history, "b": history}).axes
    styles = [line.get_linestyle() for line in axes.get_lines()[:2]]
    assert styles[0] != styles[1]


def test_a_reliability_diagram_leaves_empty_bins_out():
    calibration = Calibration((0.0, 0.5, 0.9), (0.0, 0.4, 0.9), (0, 10, 30))
    accuracy, count = plots.reliability_diagram(calibration).axes
    assert lines(accuracy)["the model"] == [0.4, 0.9]
    assert [bar.get_height() for bar in count.patches] == [0, 10, 30]
    assert accuracy.get_title() == "Expected calibration error 0.025"


@pytest.fixture
def sweep():
    runs = [
        {
            "arm": arm,
            "seed": seed,
            "final": {"lm_loss": level + seed},
            "curve": {"step": [5, 10], "lm_loss": [9.0, level + seed]},
        }
        for arm, level in {"labels": 5.0, "both": 4.0}.items()
        for seed in range(3)
    ]
    return SweepResults("owls", runs=runs)


def test_mean_curves_show_the_mean_over_the_seeds(sweep):
    (axes,) = plots.mean_curves(sweep, {"labels": "labels", "both": "λ = 1"}, title="Both").axes
    assert lines(axes) == {"labels": [9.0, 6.0], "λ = 1": [9.0, 5.0]}
    assert len(axes.collections) == 2  # the intervals
    figure = plots.mean_curves(sweep, {"both": "λ = 1"}, beside="labels")
    (axes,) = figure.axes
    figure.canvas.draw()
    assert figure.legends[0].get_window_extent().y1 < axes.get_window_extent().y0  # over no band
    assert lines(axes)["λ = 1"] == [0.0, -1.0]
    assert axes.get_ylabel().endswith("minus that of labels")


def test_measurements_show_means_or_paired_differences(sweep):
    arms = {"both": "λ = 1", "labels": "labels"}
    (axes,) = plots.measurements(sweep, arms, title="Ends").axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["λ = 1", "labels"]
    assert [bar.lines[0].get_xdata()[0] for bar in axes.containers] == [5.0, 6.0]
    (axes,) = plots.measurements(sweep, {"both": "λ = 1"}, beside="labels").axes
    assert [bar.lines[0].get_xdata()[0] for bar in axes.containers] == [-1.0]
    assert axes.get_xlabel().endswith("minus that of labels")


def test_as_many_lines_as_colours_times_styles_differ(history):
    (axes,) = plots.evaluation_curves({f"run {i}": history for i in range(49)}).axes
    drawn = [line for line in axes.get_lines() if line.get_label() != "teacher"]
    looks = {(line.get_color(), str(line._unscaled_dash_pattern)) for line in drawn}
    assert len(looks) == len(drawn) == 49


def test_names_are_shown_as_they_are(history, sweep, tmp_path):
    names = ["_lm", "$5^ and $6^", "plain"]
    figure = plots.evaluation_curves(dict.fromkeys(names, history))
    legends = [figure.axes[0].get_legend()]
    figures = [figure, plots.schedules({name: LinearLambda(steps=2) for name in names}, steps=3)]
    legends.append(figures[-1].axes[0].get_legend())
    odd = SweepResults("owls", runs=[run | {"arm": "$5^ and $6^"} for run in sweep.of("both")])
    for draw in (plots.mean_curves, plots.measurements):
        figures.append(draw(odd, {"$5^ and $6^": "x"}, beside="$5^ and $6^"))
    for i, figure in enumerate(figures):
        figure.savefig(tmp_path / f"{i}.svg")
    shown = [[text.get_text().strip() for text in legend.get_texts()] for legend in legends]
    assert [len(each) for each in shown] == [4, 3]
    assert all(each[0].endswith("_lm") for each in shown)


def test_a_figure_that_cannot_be_drawn_is_not_left_open(sweep):
    sweep.of("labels")[0]["curve"]["lm_loss"][0] = None
    with pytest.raises(ValueError, match="the runs of 'labels' have measured no lm_loss"):
        plots.mean_curves(sweep, {"labels": "labels"})
    with pytest.raises(KeyError, match="no arm 'owls'"):
        plots.measurements(sweep, {"owls": "owls"})
    with pytest.raises(ValueError, match="RatioLambda reacts to a run"):
        plots.schedules({"ratio": RatioLambda(0.5)}, steps=5)
    assert not plt.get_fignums()
