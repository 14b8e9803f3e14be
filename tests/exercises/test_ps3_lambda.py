"""References of ps3_lambda against kdlab's schedules, its objective and descent."""

import pytest
import torch

from autograder.questions import generator
from autograder.spec import run
from exercises.bank import checks
from kdlab import CombinedObjective
from kdlab.schedules import CosineLambda, LinearLambda, PlateauLambda

CHECKS = checks("ps3_lambda")


class PlateauOfTheLibrary(PlateauLambda):
    """The library's schedule with the options of the task."""

    def __init__(self, start: float, factor: float, patience: int, threshold: float) -> None:
        super().__init__(start, factor=factor, patience=patience, threshold=threshold)


@pytest.mark.parametrize(
    ("name", "library"),
    [
        ("linear_lambda", LinearLambda),
        ("cosine_lambda", CosineLambda),
        ("plateau_lambda", PlateauOfTheLibrary),
    ],
)
def test_schedules_agree_with_kdlab(name: str, library: type) -> None:
    check = CHECKS[name]
    for case in check.cases(generator(1, check)):
        expected = run(library, case)
        assert expected.kind == "returned"
        assert run(check.reference, case).value == pytest.approx(expected.value)


def test_both_forms_are_one_loss() -> None:
    generator_ = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(2, 3, 4, 5, generator=generator_, dtype=torch.float64)
    labels = torch.randint(5, (3, 4), generator=generator_)
    for lam in (0.0, 0.5, 3.0):
        alpha, factor = CHECKS["to_convex"].reference(lam)
        additive = CombinedObjective(lam=lam)(student, teacher, labels).loss
        convex = CombinedObjective(lam=alpha, form="convex")(student, teacher, labels).loss
        assert float(additive) == pytest.approx(factor * float(convex))


def test_no_distribution_is_better_than_the_best_student() -> None:
    check = CHECKS["best_student"]
    generator_ = torch.Generator().manual_seed(0)
    for case in check.cases(generator(2, check)):
        teacher, labels, lam = case.args
        best = check.reference(*case.args)
        torch.testing.assert_close(best.sum(-1), torch.ones_like(best[..., 0]))
        if lam == 0:  # nothing but the label is left, and the teacher's part is 0 · ∞
            assert torch.equal(best.argmax(-1), labels)
            assert set(best.unique().tolist()) == {0.0, 1.0}
            continue

        def loss(q: torch.Tensor, teacher=teacher, labels=labels, lam=lam) -> torch.Tensor:
            log_q, log_p = q.log(), teacher.double().log_softmax(-1)
            lm = -log_q.gather(-1, labels[..., None])[..., 0]
            return lm + lam * (log_p.exp() * (log_p - log_q)).sum(-1)

        for _ in range(20):
            other = torch.rand(best.shape, generator=generator_, dtype=torch.float64)
            q = 0.9 * best + 0.1 * other / other.sum(-1, keepdim=True)
            assert (loss(q) >= loss(best) - 1e-12).all()
