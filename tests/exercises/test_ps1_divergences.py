"""References of ps1_divergences against definitions, closed forms and kdlab."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from autograder.judging.verdict import judge
from autograder.questions import generator
from autograder.spec import FunctionCheck, run
from exercises.bank import checks
from kdlab import divergences

CHECKS = checks("ps1_divergences")
KLS = [CHECKS["forward_kl"], CHECKS["reverse_kl"]]
FIT = CHECKS["fit_one_peak"]


@pytest.mark.parametrize("check", KLS, ids=lambda check: check.name)
def test_kl_agrees_with_an_independent_sum(check: FunctionCheck) -> None:
    """Loops over positions and classes in extended precision, written from the definition."""
    for case in check.cases(generator(5, check)):
        student, teacher = (np.asarray(x.double(), dtype=np.longdouble) for x in case.args)
        front, behind = (teacher, student) if check.name == "forward_kl" else (student, teacher)
        expected = np.zeros(front.shape[:-1])
        for position in np.ndindex(*front.shape[:-1]):
            logs = [
                row - row.max() - np.log(np.exp(row - row.max()).sum())
                for row in (front[position], behind[position])
            ]
            expected[position] = sum(
                np.exp(f) * (f - b) for f, b in zip(logs[0], logs[1], strict=True)
            )
        np.testing.assert_allclose(run(check.reference, case).value, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("check", KLS, ids=lambda check: check.name)
def test_kl_agrees_with_kdlab(check: FunctionCheck) -> None:
    cases = check.cases(generator(6, check))
    ours = [run(getattr(divergences, check.name), case) for case in cases]
    assert judge(check.rubric(cases), ours).points == check.points


@pytest.mark.parametrize("check", KLS, ids=lambda check: check.name)
def test_kl_tolerance_is_small(check: FunctionCheck) -> None:
    for case in check.cases(generator(8, check)):
        scale = max(float(value.abs().max()) for value in case.args)
        assert check.tolerance(case) < 2e-5 * max(1.0, scale)


def test_temperature_in_closed_form() -> None:
    """Of two tokens, the odds are exp of the gap over T."""
    check = CHECKS["softmax_with_temperature"]
    for gap, temperature in ((1.0, 1.0), (3.0, 0.5), (200.0, 100.0)):
        p, other = check.reference(torch.tensor([gap, 0.0]), temperature).tolist()
        assert p / other == pytest.approx(math.exp(gap / temperature))
        assert p + other == pytest.approx(1)


def test_ranking_is_clear() -> None:
    """No two students are so close that rounding the table would change the answer."""
    teacher = torch.tensor([0.8, 0.1, 0.1], dtype=torch.float64).log()
    students = {
        "a": [0.80, 0.18, 0.02],
        "b": [0.75, 0.10, 0.15],
        "c": [0.65, 0.26, 0.09],
        "d": [0.90, 0.06, 0.04],
    }
    losses = {
        name: divergences.forward_kl(torch.tensor(q, dtype=torch.float64).log(), teacher).item()
        for name, q in students.items()
    }
    assert CHECKS["ranking"].answer == sorted(losses, key=losses.get)
    assert min(b - a for a, b in pairwise(sorted(losses.values()))) > 0.02


def test_forward_fit_matches_moments() -> None:
    """At the minimum of KL(p‖q) over a peak's centre and width, mean and variance are equal."""
    for case in FIT.cases(generator(1, FIT)):
        teacher, direction, _ = case.args
        if direction == "forward":
            p = teacher.double().softmax(-1)
            position, _ = FIT.reference(*case.args)
            assert position == pytest.approx(float(p @ torch.arange(len(p)).double()), abs=1e-3)


def test_each_direction_ends_where_the_book_says() -> None:
    for case in FIT.cases(generator(2, FIT)):
        teacher, direction, start = case.args
        p = teacher.double().softmax(-1)
        entropy = float(-(p * p.log()).sum())
        position, own = FIT.reference(*case.args)
        if case.name.startswith("one peak"):
            assert (position, own) == pytest.approx((7.3, entropy), abs=0.01)
        elif direction == "forward":
            assert own > entropy + 0.2
        else:
            assert own < entropy - 0.2
            assert abs(position - start) < 3


@pytest.mark.parametrize("seed", range(6))
def test_descent_from_the_start_finds_the_same_student(seed: int) -> None:
    """A start in the valley of the lighter peak, or between them, would have two right answers."""
    for case in FIT.cases(generator(seed, FIT)):
        teacher, direction, start = case.args
        log_p = teacher.double().log_softmax(-1)
        tokens = torch.arange(len(teacher), dtype=torch.float64)
        here = torch.tensor([start, math.log(3.0)], dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.Adam([here], lr=0.1)
        for _ in range(300):
            optimizer.zero_grad()
            log_q = (-0.5 * ((tokens - here[0]) / here[1].exp()) ** 2).log_softmax(-1)
            front, behind = (log_p, log_q) if direction == "forward" else (log_q, log_p)
            (front.exp() * (front - behind)).sum().backward()
            optimizer.step()
        log_q = log_q.detach()
        found = [float(log_q.exp() @ tokens), float(-(log_q.exp() * log_q).sum())]
        assert FIT.reference(*case.args) == pytest.approx(found, abs=0.01)
