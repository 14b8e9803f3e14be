"""Schedules: exact at the edges, right in between, and able to go on from a saved state."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdlab import ConstantLambda, CosineLambda, LinearLambda, make_schedule

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
    ("name", "options"),
    [
        ("constant", {"lam": 0.3}),
        ("linear", {"start": 2.0, "end": 0.5, "steps": 10}),
        ("cosine", {"start": 2.0, "end": 0.5, "steps": 10}),
    ],
)
def test_a_saved_state_goes_on_where_it_was(name, options):
    schedule = make_schedule(name, **options)
    values(schedule, 4)
    other = make_schedule(name, **dict.fromkeys(options, 1))
    other.load_state_dict(schedule.state_dict())
    assert values(other, 8) == values(schedule, 8)


def test_a_state_does_not_change_with_the_schedule_it_was_taken_from():
    schedule = LinearLambda(1.0, 0.0, steps=4)
    state = schedule.state_dict()
    schedule.step()
    assert state["step_count"] == 0


def test_the_state_of_another_schedule_is_refused():
    state = ConstantLambda(1.0).state_dict()
    with pytest.raises(ValueError, match="LinearLambda needs"):
        LinearLambda(1.0, 0.0, steps=4).load_state_dict(state)


@pytest.mark.parametrize("lam", [-0.1, math.inf, math.nan])
def test_lambda_outside_its_range_is_refused(lam):
    with pytest.raises(ValueError, match="at least 0 and finite"):
        ConstantLambda(lam)
    with pytest.raises(ValueError, match="at least 0 and finite"):
        LinearLambda(1.0, lam, steps=3)


def test_no_steps_are_refused():
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        CosineLambda(1.0, 0.0, steps=0)


def test_an_unknown_schedule_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="'step'; known: constant, linear, cosine"):
        make_schedule("step")
