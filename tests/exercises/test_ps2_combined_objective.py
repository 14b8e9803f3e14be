"""References of ps2_combined_objective against kdlab, finite differences and the closed form."""

import pytest
import torch

from autograder.judging.verdict import judge
from autograder.questions import generator
from autograder.spec import FunctionCheck
from exercises.bank import checks
from kdlab import CombinedObjective

CHECKS = checks("ps2_combined_objective")


@pytest.mark.parametrize(
    ("name", "form"), [("combined_objective", "additive"), ("convex_objective", "convex")]
)
def test_objectives_agree_with_kdlab(name: str, form: str) -> None:
    check = CHECKS[name]
    for case in check.cases(generator(1, check)):
        student, teacher, labels, lam, temperature = (*case.args, 1.0)[:5]  # T = 1 may be left out
        objective = CombinedObjective(lam=lam, temperature=temperature, form=form)
        expected = objective(student.double(), teacher.double(), labels)
        assert float(check.reference(*case.args)) == pytest.approx(float(expected.loss), abs=1e-9)
        if form == "additive":
            lm, kd = CHECKS["lm_loss"].reference, CHECKS["kd_loss"].reference
            assert float(lm(student, labels)) == pytest.approx(float(expected.lm_loss))
            ours = kd(student, teacher, labels, temperature)
            assert float(ours) == pytest.approx(float(expected.kd_loss))


def test_nothing_counts_costs_nothing() -> None:
    for name in ("lm_loss", "kd_loss"):
        found = [case for case in CHECKS[name].cases() if case.part]
        assert len(found) == 2
        assert all(float(CHECKS[name].reference(*case.args)) == 0 for case in found)


def test_gradient_is_the_closed_form() -> None:
    """(q − onehot)/n + λT(q_T − p_T)/n where labels count, and 0 elsewhere."""
    check: FunctionCheck = CHECKS["objective_gradients"]
    for case in check.cases(generator(2, check)):
        student, teacher, labels, lam, temperature = (*case.args, 1.0)[:5]  # T = 1 may be left out
        student, teacher = student.double(), teacher.double()
        counts = (labels != -100)[..., None]
        hot = torch.nn.functional.one_hot(labels.clamp_min(0), student.shape[-1])
        pull = (student / temperature).softmax(-1) - (teacher / temperature).softmax(-1)
        closed = (student.softmax(-1) - hot + lam * temperature * pull) * counts / counts.sum()
        own, foreign = check.reference(*case.args)
        torch.testing.assert_close(own, closed)
        assert not foreign.any()


def test_best_probability_is_where_training_ends() -> None:
    check = CHECKS["best_probability"]
    teacher = torch.tensor([0.4, 0.6], dtype=torch.float64).log()
    student = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([student], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        log_q = student.log_softmax(-1)
        loss = -log_q[0] + 2 * (teacher.exp() * (teacher - log_q)).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert check.answer == pytest.approx(float(student.detach().softmax(-1)[0]), abs=1e-4)


def test_a_hint_of_one_mistake_of_two_does_not_say_that_all_else_is_right() -> None:
    rubric = CHECKS["lm_loss"].public()[1]
    ways = {way.name: way for way in reversed(rubric.wrong_ways)}
    one, two = ways["padding_in_the_sum"], ways["nan_when_nothing_counts"]
    outcomes = [
        (one if case.part == next(iter(rubric.parts)) else two).outcomes[at]
        for at, case in enumerate(rubric.expectations)
    ]
    verdict = judge(rubric, outcomes)
    assert verdict.misconception == one.name
    assert verdict.hint.startswith(
        "One thing that is off, and maybe not the only one. Apart from others: The divisor is right"
    )
