"""PyTorch, TRL and Liger as oracles: the same numbers at their conventions, each difference named.

TRL and Liger are imported by the tests that ask them: it takes seconds, and every process of the
suite collects this module.
"""

import os
from functools import partial

import pytest
import torch
import torch.nn.functional as F

from kdlab.divergences import forward_kl, jensen_shannon, reverse_kl
from kdlab.fused import LinearCombinedObjective
from kdlab.objective import CombinedObjective

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
pytestmark = pytest.mark.slow


def their_jsd(*inputs, **options):
    trainer = pytest.importorskip("trl.experimental.gkd").GKDTrainer
    return trainer.generalized_jsd_loss(*inputs, **options)


def liger_jsd(*options, **named):
    return pytest.importorskip("liger_kernel.chunked_loss").LigerFusedLinearJSDLoss(
        *options, **named, compiled=False
    )


def ours_at(beta):
    """Their β, which at its ends means a KL, as a divergence of ours."""
    if beta == 0.0:
        return forward_kl
    if beta == 1.0:
        return reverse_kl
    return partial(jensen_shannon, beta=beta)


def batch(*shape, vocabulary=23, ignored=3, dtype=torch.float64):
    torch.manual_seed(0)
    student, teacher = (2 * torch.randn(2, *shape, vocabulary, dtype=torch.float64)).to(dtype)
    labels = torch.randint(vocabulary, shape)
    labels.view(-1)[:ignored] = -100
    return student.requires_grad_(), teacher, labels


def grad(loss, *inputs):
    return torch.autograd.grad(loss, inputs)


betas = pytest.mark.parametrize("beta", [0.0, 0.1, 0.5, 0.9, 1.0])
temperatures = pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])

# --- PyTorch --------------------------------------------------------------------------------------


@temperatures
def test_pytorch(temperature):
    """`kl_div` takes log q and p, in that order; "batchmean" is a mean over positions here."""
    student, teacher, labels = batch(2, 7)
    valid = labels != -100
    log_q, p = F.log_softmax(student / temperature, -1), F.softmax(teacher / temperature, -1)
    kd = F.kl_div(log_q[valid], p[valid], reduction="batchmean") * temperature**2
    theirs = F.cross_entropy(student.view(-1, 23), labels.view(-1)) + 0.3 * kd
    ours = CombinedObjective(lam=0.3, temperature=temperature)(student, teacher, labels)
    torch.testing.assert_close(ours.loss, theirs)
    torch.testing.assert_close(grad(ours.loss, student), grad(theirs, student))


# --- TRL, from logits -----------------------------------------------------------------------------


@betas
@temperatures
def test_trl(beta, temperature):
    """With labels: a mean over positions, as ours; never T²; β at its ends is a KL."""
    student, teacher, labels = batch(2, 7)
    theirs = their_jsd(student, teacher, labels, beta=beta, temperature=temperature)
    objective = CombinedObjective(
        ours_at(beta), temperature=temperature, scale_by_temperature=False
    )
    ours = objective(student, teacher, labels).kd_loss
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(grad(ours, student), grad(theirs, student))


def test_trl_without_labels_divides_by_the_batch_not_by_positions():
    student, teacher, _ = batch(2, 7)
    theirs = their_jsd(student, teacher, beta=0.5)
    torch.testing.assert_close(jensen_shannon(student, teacher).sum() / 2, theirs)


def test_trl_divides_by_num_items_as_we_do():
    student, teacher, labels = batch(2, 7)
    theirs = their_jsd(student, teacher, labels, beta=0.0, num_items_in_batch=50)
    ours = CombinedObjective()(student, teacher, labels, num_items=50).kd_loss
    torch.testing.assert_close(ours, theirs)


def test_trl_is_not_continuous_in_beta():
    """Just inside its ends their loss is nearly 0; ours divided by β goes on to the KL."""
    student, teacher, labels = batch(2, 7)
    end = their_jsd(student, teacher, labels, beta=0.0)
    assert their_jsd(student, teacher, labels, beta=1e-4) < 0.001 * end
    inside = jensen_shannon(student, teacher, beta=1e-4)[labels != -100].mean() / 1e-4
    torch.testing.assert_close(inside, end, rtol=0.02, atol=0.0)


@betas
def test_where_trl_has_nan_with_shared_minus_infinity(beta):
    """A token that both rule out: we give what they give without that token."""
    student, teacher, labels = batch(2, 7, ignored=0)
    expected = their_jsd(student, teacher, labels, beta=beta)
    (expected_grad,) = grad(expected, student)
    never = torch.full((2, 7, 1), -torch.inf, dtype=torch.float64)
    wide = torch.cat([student, never], -1).detach().requires_grad_()
    objective = CombinedObjective(ours_at(beta))
    ours = objective(wide, torch.cat([teacher, never], -1), labels).kd_loss
    torch.testing.assert_close(ours, expected)
    (ours_grad,) = grad(ours, wide)
    torch.testing.assert_close(ours_grad[..., :-1], expected_grad)
    assert torch.equal(ours_grad[..., -1:], torch.zeros_like(never))


@pytest.mark.parametrize("beta", [0.1, 0.5, 0.9])
def test_where_trl_computes_in_bfloat16(beta):
    """They return what bfloat16 leaves, possibly below 0; we are right to a thousandth."""
    torch.manual_seed(0)
    teacher = torch.randn(1, 50, 300).bfloat16()
    student = (teacher + 0.05 * torch.randn(1, 50, 300)).bfloat16()
    exact = their_jsd(student.double(), teacher.double(), beta=beta) / 50
    theirs = their_jsd(student, teacher, beta=beta).double() / 50
    ours = jensen_shannon(student, teacher, beta=beta)
    assert (ours > 0).all()
    error = (ours.double().mean() - exact).abs()
    assert error < 1e-3 * exact
    assert error < (theirs - exact).abs()


# --- from hidden states ---------------------------------------------------------------------------


def linear_batch(bias=True):
    torch.manual_seed(0)
    student_hidden, teacher_hidden = torch.randn(14, 8), torch.randn(14, 12)
    student = [torch.randn(23, 8), torch.randn(23) if bias else None]
    teacher = [torch.randn(23, 12), torch.randn(23) if bias else None]
    labels = torch.randint(23, (14,))
    labels[:3] = -100
    wanted = [student_hidden, *(x for x in student if x is not None)]
    for x in wanted:
        x.requires_grad_()
    return student_hidden, student, teacher_hidden, teacher, labels, wanted


@betas
@temperatures
@pytest.mark.parametrize("bias", [True, False])
def test_liger(beta, temperature, bias):
    """weight_hard·CE + weight_soft·JSD, never T²: λ is the quotient of their weights."""
    hidden, student, teacher_hidden, teacher, labels, wanted = linear_batch(bias)
    liger = liger_jsd(0.8, 0.2, beta=beta, temperature=temperature)
    theirs = liger(hidden, student[0], teacher_hidden, teacher[0], labels, student[1], teacher[1])
    objective = LinearCombinedObjective(
        ours_at(beta), lam=0.2 / 0.8, temperature=temperature, scale_by_temperature=False
    )
    ours = 0.8 * objective(hidden, tuple(student), teacher_hidden, tuple(teacher), labels).loss
    close = {"rtol": 1e-4, "atol": 1e-5}
    torch.testing.assert_close(ours, theirs, **close)
    torch.testing.assert_close(grad(ours, *wanted), grad(theirs, *wanted), **close)


def test_liger_gives_tokens_the_student_lacks_a_logit_of_zero():
    """That is a probability, often a large one. We refuse, or truncate when asked to."""
    hidden, (weight, _), teacher_hidden, (teacher_weight, _), labels, _ = linear_batch(bias=False)
    labels.clamp_(max=19)
    liger = liger_jsd(0.0, 1.0, beta=0.0)
    theirs = liger(hidden, weight[:20], teacher_hidden, teacher_weight, labels)
    padded = F.pad(hidden @ weight[:20].T, (0, 3))
    kl = forward_kl(padded, teacher_hidden @ teacher_weight.T)
    torch.testing.assert_close(kl[3:].mean(), theirs)
    with pytest.raises(ValueError, match=r"20 entries.* 23;"):
        LinearCombinedObjective()(hidden, weight[:20], teacher_hidden, teacher_weight, labels)


@betas
@temperatures
def test_trl_chunked(beta, temperature):
    """A divergence per position, no LM term and no mask: those are its caller's."""
    hidden, student, teacher_hidden, teacher, labels, wanted = linear_batch()
    chunked = pytest.importorskip("trl.kernels.chunked_divergence").ChunkedDivergenceFunction
    theirs, _ = chunked.apply(hidden, *student, teacher_hidden, *teacher, beta, temperature)
    theirs = theirs[3:].mean()
    objective = LinearCombinedObjective(
        ours_at(beta), lam=1.0, form="convex", temperature=temperature, scale_by_temperature=False
    )
    ours = objective(hidden, tuple(student), teacher_hidden, tuple(teacher), labels).loss
    close = {"rtol": 1e-4, "atol": 1e-5}
    torch.testing.assert_close(ours, theirs, **close)
    torch.testing.assert_close(grad(ours, *wanted), grad(theirs, *wanted), **close)
