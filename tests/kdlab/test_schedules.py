"""Schedules: exact at the edges, right in between, and able to go on from a saved state."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kdlab import (
    ConstantLambda,
    CosineLambda,
    ExponentialLambda,
    LinearLambda,
    PlateauLambda,
    RatioLambda,
    WarmupStableDecayLambda,
    make_schedule,
)

lambdas = st.floats(0, 100)


def values(schedule, steps):
    seen = [schedule.value]
    for _ in range(steps):
        schedule.step()
        seen.append(schedule.value)
    return seen


def test_constant_lambda_does_not_move():
    assert values(ConstantLambda(0.7), 3) == [0.7] * 4


def test_linear_lambda_takes_equal_steps():
    assert values(LinearLambda(1.0, 0.0, steps=4), 5) == [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]


def test_cosine_lambda_follows_half_a_cosine():
    expected = [0.5 + 0.5 * math.cos(math.pi * i / 8) for i in range(9)]
    assert values(CosineLambda(1.0, 0.0, steps=8), 8) == pytest.approx(expected)


def test_exponential_lambda_keeps_its_factor():
    seen = values(ExponentialLambda(2.0, 0.02, steps=4), 5)
    assert seen[:5] == pytest.approx([2.0 * 0.1 ** (i / 2) for i in range(5)])
    assert seen[4] == seen[5] == 0.02


def test_warmup_stable_decay_has_three_parts_and_exact_corners():
    schedule = WarmupStableDecayLambda(3.0, 1.0, warmup_steps=3, stable_steps=2, decay_steps=4)
    assert values(schedule, 10) == [0.0, 1.0, 2.0, 3.0, 3.0, 3.0, 2.5, 2.0, 1.5, 1.0, 1.0]


def test_warmup_stable_decay_without_some_of_its_parts():
    no_warmup = WarmupStableDecayLambda(2.0, warmup_steps=0, stable_steps=0, decay_steps=2)
    assert values(no_warmup, 3) == [2.0, 1.0, 0.0, 0.0]
    no_decay = WarmupStableDecayLambda(2.0, 0.5, warmup_steps=1, stable_steps=2, decay_steps=0)
    assert values(no_decay, 4) == [0.0, 2.0, 2.0, 0.5, 0.5]


def test_plateau_lambda_falls_when_the_student_stops_gaining():
    schedule = PlateauLambda(1.0, factor=0.5, patience=1, threshold=0.05)
    seen = []
    for gap in (2.0, 1.5, 1.48, 1.46, 1.30, 1.29, 1.30, 1.30, 1.30):
        schedule.step(gap)
        seen.append(schedule.value)
    #       first gain  stall  stall  gain  stall stall  stall stall
    assert seen == [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125]


def test_plateau_lambda_waits_for_measurements_and_stops_at_its_minimum():
    schedule = PlateauLambda(1.0, factor=0.1, patience=0, minimum=0.3)
    assert values(schedule, 20) == [1.0] * 21  # steps without an evaluation
    for _ in range(5):
        schedule.step(1.0)
    assert schedule.value == 0.3
    below = PlateauLambda(0.2, patience=0, minimum=0.3)
    for _ in range(3):
        below.step(1.0)
    assert below.value == 0.2  # it never raises λ


def test_ratio_lambda_holds_its_share_on_changing_losses():
    schedule = RatioLambda(share=0.5)
    shares = []
    for step in range(1000):
        lm = 2.0 + 5.0 * math.exp(-step / 200)
        kd = 0.2 + 3.0 * math.exp(-step / 300)
        shares.append(schedule.value * kd / lm)
        schedule.step((lm, kd))
    assert max(abs(share / 0.5 - 1) for share in shares[1:]) < 0.05


def test_ratio_lambda_averages_noise_away():
    schedule, seen = RatioLambda(share=1.0, momentum=0.99), []
    for step in range(2000):
        schedule.step((4.0 + (-1) ** step, 2.0 - (-1) ** step))
        seen.append(schedule.value)
    assert max(abs(lam / 2.0 - 1) for lam in seen[1000:]) < 0.05


def test_ratio_lambda_has_a_start_and_a_ceiling():
    schedule = RatioLambda(share=1.0, start=0.7, maximum=50.0)
    assert schedule.value == 0.7
    schedule.step((3.0, 0.0))
    assert schedule.value == 50.0
    nothing = RatioLambda(share=0.0)
    nothing.step((3.0, 0.0))
    assert nothing.value == 0.0


@pytest.mark.parametrize("kind", [LinearLambda, CosineLambda])
@given(start=lambdas, end=lambdas, steps=st.integers(1, 50))
def test_both_ends_are_exact_and_nothing_lies_outside_them(kind, start, end, steps):
    seen = values(kind(start, end, steps=steps), steps + 2)
    assert seen[0] == start
    assert seen[steps] == seen[steps + 1] == seen[steps + 2] == end
    low, high = sorted((start, end))
    assert all(low - 1e-9 <= value <= high + 1e-9 for value in seen)
    assert seen == sorted(seen, reverse=start > end) or start == end


@pytest.mark.parametrize(
    ("schedule", "other"),
    [
        (ConstantLambda(0.3), ConstantLambda()),
        (LinearLambda(2.0, 0.5, steps=10), LinearLambda(steps=1)),
        (CosineLambda(2.0, 0.5, steps=10), CosineLambda(steps=1)),
        (ExponentialLambda(2.0, 0.5, steps=10), ExponentialLambda(steps=1)),
        (
            WarmupStableDecayLambda(2.0, warmup_steps=3, stable_steps=2, decay_steps=6),
            WarmupStableDecayLambda(warmup_steps=1, stable_steps=1, decay_steps=1),
        ),
        (PlateauLambda(2.0, patience=0), PlateauLambda()),
        (RatioLambda(0.3, momentum=0.5), RatioLambda()),
    ],
    ids=lambda schedule: type(schedule).__name__,
)
def test_a_saved_state_goes_on_where_it_was(schedule, other):
    def go_on(schedule, steps):
        seen = [schedule.value]
        for step in range(steps):
            losses = (5.0 - step / 10, 3.0 - step / 5)
            schedule.step({"losses": losses, "gap": 1.0}.get(schedule.watches))
            seen.append(schedule.value)
        return seen

    go_on(schedule, 4)
    other.load_state_dict(schedule.state_dict())
    assert go_on(other, 8) == go_on(schedule, 8)


def test_a_state_does_not_change_with_the_schedule_it_was_taken_from():
    schedule = LinearLambda(1.0, 0.0, steps=4)
    state = schedule.state_dict()
    schedule.step()
    assert state["step_count"] == 0


def test_the_state_of_another_schedule_is_refused():
    state = ConstantLambda(1.0).state_dict()
    with pytest.raises(ValueError, match="LinearLambda needs"):
        LinearLambda(1.0, 0.0, steps=4).load_state_dict(state)


def test_a_state_before_the_first_step_is_refused():
    schedule = LinearLambda(1.0, 0.0, steps=4)
    with pytest.raises(ValueError, match="step_count must be at least 0, got -3"):
        schedule.load_state_dict({**schedule.state_dict(), "step_count": -3})
    assert schedule.value == 1.0


def test_a_step_is_not_told_by_its_number():
    """Every tenth step's number would count for one step, without a word."""
    schedule = LinearLambda(1.0, 0.0, steps=40)
    for number in (10, np.int64(10), torch.tensor(10), "10"):
        with pytest.raises(ValueError, match=r"LinearLambda counts its steps .* got step\(.*10\)?"):
            schedule.step(number)
    schedule.step(0.25)  # a gap, which all schedules may be told
    schedule.step(torch.tensor(0.25))
    assert schedule.step_count == 2


@pytest.mark.parametrize("lam", [-0.1, math.inf, math.nan])
def test_lambda_outside_its_range_is_refused(lam):
    with pytest.raises(ValueError, match="at least 0 and finite"):
        ConstantLambda(lam)
    with pytest.raises(ValueError, match="at least 0 and finite"):
        LinearLambda(1.0, lam, steps=3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CosineLambda(steps="9"), "steps must be a whole number, got '9'"),
        (lambda: CosineLambda("1", steps=9), "start must be a number, got '1'"),
        (lambda: CosineLambda(steps=0), "steps must be at least 1, got 0"),
        (lambda: ExponentialLambda(1.0, 0.0, steps=4), "end must be above 0 for an exponential"),
        (
            lambda: WarmupStableDecayLambda(warmup_steps=-1, stable_steps=1, decay_steps=1),
            "warmup_steps must be at least 0, got -1",
        ),
        (lambda: PlateauLambda(factor=1.0), r"factor must lie in \[0, 1\), got 1.0"),
        (lambda: PlateauLambda(threshold=-1), "threshold must be at least 0 and finite, got -1"),
        (lambda: RatioLambda(momentum=1.0), r"momentum must lie in \[0, 1\), got 1.0"),
        (lambda: RatioLambda(share=-1), "share must be at least 0 and finite, got -1"),
        (lambda: make_schedule("step"), "'step'; known: constant, linear, cosine, exponential,"),
    ],
)
def test_options_outside_their_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
