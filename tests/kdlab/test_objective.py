"""CombinedObjective: q*, the two forms, what a mean is over, splits, ranks, edges, errors."""

import math
from functools import partial
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from accelerate import Accelerator
from hypothesis import given
from hypothesis import strategies as st

from kdlab.devices import own_accelerate_state
from kdlab.divergences import DIVERGENCES, forward_kl, jensen_shannon
from kdlab.objective import CombinedObjective
from tests.kdlab.forked import METHOD

IGNORED = -100
every = pytest.mark.parametrize("divergence", DIVERGENCES)


def batch(*shape, vocabulary=11, seed=0, ignored=0, dtype=torch.float64):
    """Student logits, teacher logits, labels; the first `ignored` positions do not count."""
    generator = torch.Generator().manual_seed(seed)
    student, teacher = torch.randn(
        2, *shape, vocabulary, generator=generator, dtype=torch.float64
    ).to(dtype)
    labels = torch.randint(vocabulary, shape, generator=generator)
    labels.view(-1)[:ignored] = IGNORED
    return student.requires_grad_(), teacher, labels


def grad_of(objective, student, teacher, labels, **options):
    student = student.detach().clone().requires_grad_()
    output = objective(student, teacher, labels, **options)
    output.loss.backward()
    return output, student.grad


# --- closed forms ---------------------------------------------------------------------------------


@pytest.mark.parametrize("lam", [0.0, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("form", ["additive", "convex"])
def test_descent_reaches_the_optimum(lam, form):
    """LM + λ·KL(p‖q) is smallest at q* = (onehot(y) + λ·p) / (1 + λ)."""
    _, teacher, label = batch(1)
    target = (F.one_hot(label, 11) + lam * teacher.softmax(-1)) / (1 + lam)
    student = torch.zeros(1, 11, dtype=torch.float64, requires_grad=True)
    weight = lam if form == "additive" else lam / (1 + lam)
    objective = CombinedObjective(lam=weight, form=form)
    optimizer = torch.optim.LBFGS([student], max_iter=2000, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = objective(student, teacher, label).loss
        loss.backward()
        return loss

    for _ in range(5):
        optimizer.step(closure)
    torch.testing.assert_close(student.detach().softmax(-1), target, atol=2e-4, rtol=1e-3)


@every
@given(lam=st.floats(0.0, 50.0))
def test_additive_is_the_convex_form_at_another_weight(divergence, lam):
    student, teacher, labels = batch(3)
    additive, grad = grad_of(CombinedObjective(divergence, lam=lam), student, teacher, labels)
    convex = CombinedObjective(divergence, lam=lam / (1 + lam), form="convex")
    convex, convex_grad = grad_of(convex, student, teacher, labels)
    torch.testing.assert_close(additive.loss, (1 + lam) * convex.loss)
    torch.testing.assert_close(grad, (1 + lam) * convex_grad)


def test_terms_by_hand():
    student, teacher, labels = batch(2, 5, ignored=3)
    objective = CombinedObjective("reverse_kl", lam=0.3, temperature=2.0)
    loss, lm_loss, kd_loss, num_items = objective(student, teacher, labels)
    lm = kd = 0.0
    for i in range(3, 10):  # the first three are ignored
        s, t = student.view(10, -1)[i], teacher.view(10, -1)[i]
        lm -= s.softmax(-1)[labels.view(-1)[i]].log()
        q, p = (s / 2).softmax(-1), (t / 2).softmax(-1)
        kd += (q * (q / p).log()).sum()
    assert num_items == 7
    torch.testing.assert_close(lm_loss, lm / 7)
    torch.testing.assert_close(kd_loss, 4 * kd / 7)
    torch.testing.assert_close(loss, lm / 7 + 0.3 * 4 * kd / 7)


def test_lm_loss_is_cross_entropy_at_temperature_one():
    student, teacher, labels = batch(2, 5, ignored=3)
    expected = F.cross_entropy(student.view(10, -1), labels.view(-1))
    got = CombinedObjective(temperature=3.0)(student, teacher, labels).lm_loss
    torch.testing.assert_close(got, expected)


def test_temperature_squared_keeps_the_gradients_size():
    student, teacher, labels = batch(6)
    norms = []
    for temperature in (100.0, 1000.0):
        objective = CombinedObjective(lam=1.0, form="convex", temperature=temperature)
        norms.append(grad_of(objective, student, teacher, labels)[1].norm())
    torch.testing.assert_close(*norms, rtol=0.02, atol=0.0)
    plain = CombinedObjective(lam=1.0, temperature=100.0, scale_by_temperature=False)
    scaled = CombinedObjective(lam=1.0, temperature=100.0)
    kd = [o(student, teacher, labels).kd_loss for o in (plain, scaled)]
    torch.testing.assert_close(1e4 * kd[0], kd[1])


def test_lambda_may_change_between_steps():
    student, teacher, labels = batch(3)
    objective = CombinedObjective(lam=1.0)
    first = objective(student, teacher, labels)
    objective.lam = 3.0
    second = objective(student, teacher, labels)
    torch.testing.assert_close(second.loss - first.loss, 2 * first.kd_loss)


@every
def test_gradient_is_the_derivative(divergence):
    student, teacher, labels = batch(4, ignored=1)
    objective = CombinedObjective(divergence, lam=0.7, temperature=1.5)
    torch.autograd.gradcheck(lambda s: objective(s, teacher, labels).loss, student)


def test_each_term_can_be_differentiated_alone():
    student, teacher, labels = batch(4)
    output = CombinedObjective(lam=0.5)(student, teacher, labels)
    (lm,) = torch.autograd.grad(output.lm_loss, student, retain_graph=True)
    (kd,) = torch.autograd.grad(output.kd_loss, student, retain_graph=True)
    (both,) = torch.autograd.grad(output.loss, student)
    torch.testing.assert_close(both, lm + 0.5 * kd)
    p, q = teacher.softmax(-1), student.softmax(-1)
    torch.testing.assert_close(kd, (q - p) / 4)
    torch.testing.assert_close(lm, (q - F.one_hot(labels, 11)) / 4)


def test_any_differentiable_function_is_a_divergence():
    def squared(student_logits, teacher_logits, *, temperature):
        return ((student_logits - teacher_logits) / temperature).square().sum(-1)

    student, teacher, labels = batch(4, ignored=1)
    kd = CombinedObjective(squared, temperature=2.0)(student, teacher, labels).kd_loss
    torch.testing.assert_close(kd, (student - teacher)[1:].square().sum() / 3)
    half = CombinedObjective(partial(jensen_shannon, beta=0.2))(student, teacher, labels).kd_loss
    torch.testing.assert_close(half, jensen_shannon(student, teacher, beta=0.2)[1:].mean())


# --- splits ---------------------------------------------------------------------------------------


@every
@given(seed=st.integers(0, 99), ignored=st.integers(0, 12), cuts=st.sets(st.integers(1, 11)))
def test_any_split_adds_up_to_the_whole(divergence, seed, ignored, cuts):
    student, teacher, labels = batch(12, seed=seed, ignored=ignored)
    objective = CombinedObjective(divergence, lam=0.6, temperature=2.0)
    whole, expected = grad_of(objective, student, teacher, labels)
    loss, grads = 0.0, []
    edges = [0, *sorted(cuts), 12]
    for a, b in pairwise(edges):
        part, grad = grad_of(
            objective, student[a:b], teacher[a:b], labels[a:b], num_items=whole.num_items
        )
        loss += part.loss
        grads.append(grad)
    torch.testing.assert_close(loss, whole.loss)
    torch.testing.assert_close(torch.cat(grads), expected)


def test_num_items_may_be_a_tensor():
    student, teacher, labels = batch(12, ignored=2)
    objective = CombinedObjective()
    number, expected = grad_of(objective, student, teacher, labels, num_items=40)
    tensor, grad = grad_of(objective, student, teacher, labels, num_items=torch.tensor(40))
    torch.testing.assert_close(tensor.loss, number.loss)
    torch.testing.assert_close(grad, expected)
    nothing = objective(student, teacher, torch.full_like(labels, -100), num_items=torch.tensor(0))
    assert nothing.loss.item() == 0.0


def test_the_mean_that_accelerate_takes_over_micro_batches_is_undone():
    student, teacher, labels = batch(12, ignored=4)
    objective = CombinedObjective(lam=0.6)
    whole, expected = grad_of(objective, student, teacher, labels)
    with own_accelerate_state():
        accelerator = Accelerator(cpu=True, gradient_accumulation_steps=3)
    student.grad = None
    for part in (slice(0, 1), slice(1, 7), slice(7, 12)):
        output = objective(student[part], teacher[part], labels[part], num_items=whole.num_items)
        accelerator.backward(output.loss * 3)
    torch.testing.assert_close(student.grad, expected)


def one_rank(rank, port, positions):
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    student, teacher, labels = batch(12, ignored=4)
    objective = CombinedObjective(lam=0.6)
    expected = grad_of(objective, student, teacher, labels)
    here = positions[rank]
    num_items = (labels[here] != IGNORED).sum()
    dist.all_reduce(num_items)
    output, grad = grad_of(
        objective, student[here], teacher[here], labels[here], num_items=num_items
    )
    whole = torch.zeros(12, 11, dtype=torch.float64)
    whole[here] = grad
    loss = output.loss.detach()
    dist.all_reduce(whole)
    dist.all_reduce(loss)
    assert num_items == 8
    torch.testing.assert_close(loss, expected[0].loss.detach())
    torch.testing.assert_close(whole, expected[1])
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_ranks_give_the_result_of_one(unused_port):
    positions = [slice(0, 5), slice(5, 12)]  # one of rank 0's five counts, all of rank 1's seven
    options = {"nprocs": 2, "start_method": METHOD}
    torch.multiprocessing.start_processes(one_rank, (unused_port, positions), **options)


@pytest.fixture
def unused_port():
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# --- edges ----------------------------------------------------------------------------------------


@every
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_all_positions_ignored(divergence, dtype):
    student, teacher, labels = batch(2, 3, ignored=6, dtype=dtype)
    student.data.fill_(math.nan)
    output, grad = grad_of(CombinedObjective(divergence), student, teacher, labels)
    assert output.loss.requires_grad
    assert [x.item() for x in output[:3]] == [0.0, 0.0, 0.0]
    assert output.num_items == 0
    assert torch.equal(grad, torch.zeros(2, 3, 11, dtype=dtype))


@every
def test_what_stands_at_ignored_positions_does_not_matter(divergence):
    student, teacher, labels = batch(6, ignored=2)
    objective = CombinedObjective(divergence)
    expected, expected_grad = grad_of(objective, student, teacher, labels)
    with torch.no_grad():
        student[0], student[1], teacher[0], teacher[1] = math.nan, math.inf, -math.inf, math.nan
    output, grad = grad_of(objective, student, teacher, labels)
    assert torch.equal(output.loss, expected.loss)
    assert torch.equal(grad, expected_grad)
    assert torch.equal(grad[:2], torch.zeros_like(grad[:2]))


@every
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_logits(divergence, dtype):
    student, teacher, labels = batch(6, vocabulary=500, dtype=dtype)
    objective = CombinedObjective(divergence)
    output, grad = grad_of(objective, student, teacher, labels)
    exact, exact_grad = grad_of(objective, student.double(), teacher.double(), labels)
    assert output.loss.dtype == torch.float32
    for got, expected in zip(output[:3], exact[:3], strict=True):
        torch.testing.assert_close(got.double(), expected, rtol=1e-3, atol=0.0)
    assert grad.dtype == dtype
    torch.testing.assert_close(grad.double(), exact_grad, rtol=1e-2, atol=1e-5)


def test_a_term_of_weight_zero_is_left_out():
    student, teacher, labels = batch(3)
    teacher[:, 0] = -math.inf  # KL(q‖p) is infinite
    output, grad = grad_of(CombinedObjective("reverse_kl", lam=0.0), student, teacher, labels)
    assert output.kd_loss.item() == math.inf
    assert output.loss.item() == output.lm_loss.item() < math.inf
    assert grad.isfinite().all()
    student.data[torch.arange(3), labels] = -math.inf  # LM is infinite
    objective = CombinedObjective("total_variation", lam=1.0, form="convex")
    output, grad = grad_of(objective, student, teacher, labels)
    assert output.lm_loss.item() == math.inf
    assert output.loss.item() == output.kd_loss.item() < math.inf
    assert grad.isfinite().all()


def test_without_a_teacher_while_lambda_is_zero():
    student, _, labels = batch(3)
    output = CombinedObjective(lam=0.0)(student, None, labels)
    assert output.kd_loss is None
    assert torch.equal(output.loss, F.cross_entropy(student, labels))
    with pytest.raises(ValueError, match=r"lam is 0\.5"):
        CombinedObjective(lam=0.5)(student, None, labels)


def test_no_gradient_reaches_the_teacher():
    student, teacher, labels = batch(3)
    teacher.requires_grad_()
    CombinedObjective()(student, teacher, labels).loss.backward()
    assert teacher.grad is None


def test_vocabularies_of_unequal_size():
    student, teacher, labels = batch(3)
    with pytest.raises(ValueError, match=r"11 entries.* 9;"):
        CombinedObjective()(student, teacher[:, :9], labels)
    labels = labels % 9
    truncate = CombinedObjective(match_vocab="truncate")
    expected = truncate(student[:, :9], teacher[:, :9], labels)
    for s, t in ((student, teacher[:, :9]), (student[:, :9], teacher)):
        assert torch.equal(truncate(s, t, labels).loss, expected.loss)
    _, grad = grad_of(truncate, student, teacher[:, :9], labels)
    assert torch.equal(grad[:, 9:], torch.zeros(3, 2, dtype=grad.dtype))
    with pytest.raises(ValueError, match=r"label 10.*0 to 8"):
        truncate(student, teacher[:, :9], labels.fill_(10))


def test_labels_of_any_integer_type_and_another_ignore_index():
    student, teacher, labels = batch(4)
    expected = CombinedObjective()(student, teacher, labels).loss
    for dtype in (torch.int32, torch.int16, torch.uint8):
        assert torch.equal(CombinedObjective()(student, teacher, labels.to(dtype)).loss, expected)
    labels[0] = 5
    objective = CombinedObjective(ignore_index=5)
    assert objective(student, teacher, labels).num_items == (labels != 5).sum()


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"divergence": "kl"}, r"'kl'.*forward_kl"),
        ({"form": "sum"}, "additive.*'sum'"),
        ({"match_vocab": "pad"}, "truncate.*'pad'"),
        ({"temperature": 0.0}, r"temperature.*0\.0"),
        ({"temperature": -1.0}, r"temperature.*-1\.0"),
        ({"lam": -0.1}, r"at least 0.*additive.*-0\.1"),
        ({"lam": math.inf}, "finite.*inf"),
        ({"lam": math.nan}, "finite.*nan"),
        ({"lam": 1.1, "form": "convex"}, r"between 0 and 1.*convex.*1\.1"),
    ],
)
def test_arguments_outside_their_range(options, message):
    with pytest.raises(ValueError, match=message):
        CombinedObjective(**options)


def test_lambda_assigned_later_is_checked_too():
    objective = CombinedObjective(form="convex", lam=0.5)
    with pytest.raises(ValueError, match="between 0 and 1"):
        objective.lam = 2.0
    assert objective.lam == 0.5


def test_inputs_that_do_not_fit():
    student, teacher, labels = batch(4)
    objective = CombinedObjective()
    with pytest.raises(ValueError, match=r"\(3,\).*\(4,\).*shifted"):
        objective(student, teacher, labels[:3])
    with pytest.raises(ValueError, match="labels must be a tensor, got list"):
        objective(student, teacher, labels.tolist())
    with pytest.raises(ValueError, match=r"teacher_logits must be a tensor, got SimpleN.*.logits"):
        objective(student, SimpleNamespace(logits=teacher), labels)
    with pytest.raises(ValueError, match="student_logits must be a tensor, got ndarray"):
        objective(student.detach().numpy(), teacher, labels)
    with pytest.raises(ValueError, match=r"lam must be a number, got .0\.5."):
        objective.lam = "0.5"
    with pytest.raises(ValueError, match="temperature must be a number, got '2'"):
        CombinedObjective(temperature="2")
    with pytest.raises(ValueError, match=r"integers.*float32"):
        objective(student, teacher, labels.float())
    with pytest.raises(ValueError, match=r"integers.*bool"):
        objective(student, teacher, labels.bool())
    with pytest.raises(ValueError, match=r"label 11.*0 to 10.*-100"):
        objective(student, teacher, labels.fill_(11))
    with pytest.raises(ValueError, match="label -1"):
        objective(student, teacher, labels.fill_(-1))
    labels.zero_()
    with pytest.raises(ValueError, match=r"\(4, 11\).*\(3, 11\)"):
        objective(student, teacher[:3], labels)
    with pytest.raises(ValueError, match=r"student_logits.*int64"):
        objective(student.long(), teacher, labels)
    with pytest.raises(ValueError, match=r"num_items.*-1"):
        objective(student, teacher, labels, num_items=-1)


def test_repr_says_what_it_is():
    assert repr(CombinedObjective(lam=0.5)) == (
        "CombinedObjective('forward_kl', lam=0.5, temperature=1.0, form='additive')"
    )
    assert forward_kl.__name__ in repr(CombinedObjective(forward_kl))
