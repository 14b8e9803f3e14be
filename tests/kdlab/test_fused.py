"""LinearCombinedObjective: it is the dense objective, in less memory."""

import itertools
import math
import threading
from functools import partial
from typing import NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from kdlab import fused, products
from kdlab.divergences import DIVERGENCES, jensen_shannon, skew_forward_kl, skew_reverse_kl
from kdlab.fused import LinearCombinedObjective
from kdlab.kernels import in_pytorch
from kdlab.objective import CombinedObjective
from kdlab.teachers import TopK

CASES = {
    **{name: name for name in DIVERGENCES},
    "jensen_shannon_.1": partial(jensen_shannon, beta=0.1),
    "skew_forward_kl_.5": partial(skew_forward_kl, alpha=0.5),
    "skew_reverse_kl_.5": partial(skew_reverse_kl, alpha=0.5),
}
every = pytest.mark.parametrize("divergence", CASES.values(), ids=CASES.keys())
VOCABULARY = 37


class Batch(NamedTuple):
    student_hidden: Tensor
    student_head: nn.Linear
    teacher_hidden: Tensor
    teacher_head: nn.Linear
    labels: Tensor

    def logits(self):
        with torch.no_grad():
            teacher_logits = self.teacher_head(self.teacher_hidden)
        return self.student_head(self.student_hidden), teacher_logits

    def __getitem__(self, part):
        if not isinstance(part, slice):
            return tuple.__getitem__(self, part)
        return Batch(
            self.student_hidden[part],
            self.student_head,
            self.teacher_hidden[part],
            self.teacher_head,
            self.labels[part],
        )


def make_batch(*shape, ignored=2, bias=True, seed=0, dtype=torch.float64, teacher_vocabulary=None):
    torch.manual_seed(seed)
    student_head = nn.Linear(8, VOCABULARY, bias=bias, dtype=torch.float64)
    teacher_head = nn.Linear(12, teacher_vocabulary or VOCABULARY, bias=bias, dtype=torch.float64)
    student_hidden, teacher_hidden = (2 * torch.randn(*shape, d).double() for d in (8, 12))
    labels = torch.randint(VOCABULARY, shape)
    labels.view(-1)[:ignored] = -100
    return Batch(
        student_hidden.to(dtype).requires_grad_(),
        student_head.to(dtype),
        teacher_hidden.to(dtype),
        teacher_head.to(dtype),
        labels,
    )


def gradients(batch):
    leaves = batch.student_hidden, batch.student_head.weight, batch.student_head.bias
    got = [None if x is None or x.grad is None else x.grad.clone() for x in leaves]
    for x in leaves:
        if x is not None:
            x.grad = None
    return got


def run_fused(batch, *, num_items=None, chunk_size=None, **options):
    output = LinearCombinedObjective(chunk_size=chunk_size, **options)(*batch, num_items=num_items)
    output.loss.backward()
    return output, gradients(batch)


def run_dense(batch, *, num_items=None, **options):
    output = CombinedObjective(**options)(*batch.logits(), batch.labels, num_items=num_items)
    output.loss.backward()
    return output, gradients(batch)


def assert_same(got, expected, **tolerance):
    for a, b in zip(got[0][:3], expected[0][:3], strict=True):
        torch.testing.assert_close(a, b, **tolerance)
    for a, b in zip(got[1], expected[1], strict=True):
        torch.testing.assert_close(a, b, **tolerance)


# --- the same as the dense objective --------------------------------------------------------------


@every
@pytest.mark.parametrize("form", ["additive", "convex"])
@pytest.mark.parametrize("temperature", [1.0, 2.5])
@pytest.mark.parametrize("scale_by_temperature", [True, False])
def test_equals_the_dense_objective(divergence, form, temperature, scale_by_temperature):
    batch = make_batch(3, 5)
    options = {
        "divergence": divergence,
        "lam": 0.6,
        "form": form,
        "temperature": temperature,
        "scale_by_temperature": scale_by_temperature,
    }
    got, expected = run_fused(batch, chunk_size=4, **options), run_dense(batch, **options)
    assert got[0].num_items == expected[0].num_items == 13
    assert_same(got, expected, rtol=1e-10, atol=1e-12)


@every
@given(
    number=st.integers(1, 12),
    chunk_size=st.integers(1, 15),
    ignored=st.integers(0, 12),
    block=st.sampled_from([1, 3 * VOCABULARY, in_pytorch._BLOCK]),
)
def test_chunk_size_does_not_matter(divergence, number, chunk_size, ignored, block):
    batch = make_batch(number, ignored=ignored, seed=number)
    expected = run_dense(batch, divergence=divergence, temperature=2.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(in_pytorch, "_BLOCK", block)
        got = run_fused(batch, divergence=divergence, temperature=2.0, chunk_size=chunk_size)
    assert_same(got, expected, rtol=1e-10, atol=1e-12)


@every
def test_gradient_is_the_derivative(divergence):
    batch = make_batch(4, ignored=1)
    objective = LinearCombinedObjective(divergence, lam=0.7, temperature=1.5, chunk_size=2)

    def loss(hidden, weight, bias):
        head = (weight, bias)
        return objective(hidden, head, batch.teacher_hidden, batch.teacher_head, batch.labels).loss

    head = batch.student_head
    torch.autograd.gradcheck(loss, (batch.student_hidden, head.weight, head.bias))


@given(cuts=st.sets(st.integers(1, 11)), ignored=st.integers(0, 12))
def test_any_split_adds_up_to_the_whole(cuts, ignored):
    batch = make_batch(12, ignored=ignored)
    expected, whole = run_fused(batch, chunk_size=5)
    objective, loss = LinearCombinedObjective(chunk_size=3), 0.0
    for a, b in itertools.pairwise([0, *sorted(cuts), 12]):
        output = objective(*batch[a:b], num_items=expected.num_items)
        output.loss.backward()  # accumulates
        loss += output.loss
    torch.testing.assert_close(loss, expected.loss)
    torch.testing.assert_close(gradients(batch), whole)


def test_upstream_gradient_and_a_second_backward():
    batch = make_batch(6)
    _, expected = run_fused(batch)
    loss = LinearCombinedObjective()(*batch).loss
    (3 * loss).backward(retain_graph=True)
    torch.testing.assert_close(gradients(batch), [3 * x for x in expected])
    loss.backward()
    torch.testing.assert_close(gradients(batch), expected)


def test_a_graph_that_is_kept_gives_the_same_gradient_every_time():
    """Through views of the leaves too, whose gradient autograd adds to in place."""
    batch = make_batch(6, ignored=0)
    leaves = batch.student_hidden, batch.student_head.weight, batch.student_head.bias
    _, expected = run_fused(batch)
    hidden, *head = (x.view(x.shape) for x in leaves)
    teacher = batch.teacher_hidden, batch.teacher_head
    loss = LinearCombinedObjective()(hidden, tuple(head), *teacher, batch.labels).loss
    for times in range(1, 5):
        loss.backward(retain_graph=True)
        for x, gradient in zip(leaves, expected, strict=True):
            torch.testing.assert_close(x.grad, times * gradient)
    for x in leaves:
        x.grad.zero_()
    loss.backward()
    torch.testing.assert_close(gradients(batch), expected)


def test_it_sits_in_a_graph():
    """The hidden states come from layers, and the head shares its weight with the embedding."""
    batch = make_batch(6)
    embedding = nn.Embedding(VOCABULARY, 8, dtype=torch.float64)
    tokens = torch.randint(VOCABULARY, (6,))

    def hidden():
        return embedding(tokens).tanh()

    logits = hidden() @ embedding.weight.T
    CombinedObjective()(logits, batch.logits()[1], batch.labels).loss.backward()
    expected, embedding.weight.grad = embedding.weight.grad, None
    args = batch.teacher_hidden, batch.teacher_head, batch.labels
    LinearCombinedObjective(chunk_size=2)(hidden(), embedding.weight, *args).loss.backward()
    torch.testing.assert_close(embedding.weight.grad, expected)


@pytest.mark.parametrize("bias", [True, False])
def test_heads_may_be_layers_weights_or_pairs(bias):
    batch = make_batch(6, bias=bias)
    expected = run_fused(batch)
    pairs = [(head.weight, head.bias) for head in (batch.student_head, batch.teacher_head)]
    objective = LinearCombinedObjective()
    hidden = batch.student_hidden, batch.teacher_hidden
    output = objective(hidden[0], pairs[0], hidden[1], pairs[1], batch.labels)
    output.loss.backward()
    assert_same((output, gradients(batch)), expected, rtol=0.0, atol=0.0)
    if not bias:
        weights = [weight for weight, _ in pairs]
        output = objective(hidden[0], weights[0], hidden[1], weights[1], batch.labels)
        assert torch.equal(output.loss, expected[0].loss)


def test_a_head_with_hooks_is_refused():
    """They may change its logits, and the head is not called."""
    head = nn.Linear(8, VOCABULARY, dtype=torch.float64)
    head.register_forward_hook(lambda module, args, output: output * 0.1)
    batch = make_batch(3)
    with pytest.raises(ValueError, match="student_head has forward hooks"):
        LinearCombinedObjective()(*batch._replace(student_head=head))


# --- a teacher of k tokens and a tail -------------------------------------------------------------


def top_k_of(batch, k, temperature=1.0):
    log_p = (batch.logits()[1] / temperature).log_softmax(-1)
    top = log_p.topk(k, -1)
    tail = log_p.scatter(-1, top.indices, -math.inf).logsumexp(-1)
    return TopK(top.indices, top.values, tail)


@every
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_top_k_equals_the_dense_objective_with_it(divergence, temperature):
    batch = make_batch(3, 5)
    top_k = top_k_of(batch, 6, temperature)
    options = {"divergence": divergence, "lam": 0.6, "temperature": temperature}
    dense = CombinedObjective(**options)(batch.logits()[0], top_k, batch.labels)
    dense.loss.backward()
    expected = dense, gradients(batch)
    got = run_fused(
        batch._replace(teacher_hidden=top_k, teacher_head=None), chunk_size=4, **options
    )
    assert_same(got, expected, rtol=1e-10, atol=1e-12)


def test_what_a_truncated_top_k_says_where_no_label_counts_is_not_looked_at():
    """All its tokens may lie beyond the student's vocabulary there."""
    batch = make_batch(3, 5)
    top_k = top_k_of(batch, 6)
    vocabulary = VOCABULARY + 6
    top_k = TopK(top_k.ids, top_k.log_probs, top_k.log_tail, vocabulary=vocabulary)
    batch.labels[1] = -100
    expected = run_fused(
        batch._replace(teacher_hidden=top_k, teacher_head=None), match_vocab="truncate"
    )
    top_k.ids[1] = torch.arange(VOCABULARY, vocabulary)
    got = run_fused(batch._replace(teacher_hidden=top_k, teacher_head=None), match_vocab="truncate")
    assert_same(got, expected, rtol=0.0, atol=0.0)
    dense = CombinedObjective(match_vocab="truncate")(batch.logits()[0], top_k, batch.labels)
    torch.testing.assert_close(dense.loss, expected[0].loss)


@every
def test_all_tokens_as_top_k_are_the_whole_teacher(divergence):
    batch = make_batch(6)
    expected = run_fused(batch, divergence=divergence)
    all_of_them = batch._replace(teacher_hidden=top_k_of(batch, VOCABULARY), teacher_head=None)
    assert_same(run_fused(all_of_them, divergence=divergence), expected, rtol=1e-10, atol=1e-12)


def test_top_k_with_an_empty_tail_of_tokens_ruled_out():
    batch = make_batch(5)
    with torch.no_grad():
        batch.student_head.bias[-4:] = -math.inf
        batch.teacher_head.bias[-4:] = -math.inf
        batch.labels.clamp_(max=VOCABULARY - 5)
    expected = run_fused(batch)
    top_k = top_k_of(batch, VOCABULARY - 4)
    got = run_fused(batch._replace(teacher_hidden=top_k, teacher_head=None))
    assert_same(got, expected, rtol=1e-10, atol=1e-12)


# --- what is not computed -------------------------------------------------------------------------


def test_gradients_only_where_they_are_wanted(monkeypatch):
    batch = make_batch(6)
    _, expected = run_fused(batch)
    made = []
    for name in ("add_to_hidden", "add_to_weight"):
        function = getattr(fused, name)

        def noted(*args, name=name, function=function, **options):
            made.append(name)
            function(*args, **options)

        monkeypatch.setattr(fused, name, noted)

    batch.student_head.requires_grad_(False)
    _, grads = run_fused(batch)
    assert made == ["add_to_hidden"]
    assert torch.equal(grads[0], expected[0])
    assert grads[1] is grads[2] is None

    made.clear()
    batch.student_head.requires_grad_(True)
    _, grads = run_fused(batch._replace(student_hidden=batch.student_hidden.detach()))
    assert made == ["add_to_weight"]
    assert torch.equal(grads[1], expected[1])
    assert torch.equal(grads[2], expected[2])

    made.clear()
    with torch.no_grad():
        output = LinearCombinedObjective()(*batch)
    assert made == []
    assert not output.loss.requires_grad
    torch.testing.assert_close(output.loss, run_dense(batch)[0].loss.detach())


def test_terms_are_detached_and_the_teacher_gets_no_gradient():
    batch = make_batch(6)
    batch.teacher_hidden.requires_grad_()
    output, _ = run_fused(batch)
    assert output.loss.requires_grad
    assert not output.lm_loss.requires_grad
    assert not output.kd_loss.requires_grad
    assert batch.teacher_hidden.grad is None
    assert batch.teacher_head.weight.grad is None


def test_logits_never_exist_in_full():
    """The largest tensor alive at any moment is the head's gradient; logits come in chunks."""
    batch = make_batch(64, ignored=20, bias=False, dtype=torch.float32)
    shapes = set()

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            out = function(*args, **(kwargs or {}))
            shapes.update(tuple(x.shape) for x in (out,) if isinstance(x, Tensor))
            return out

    with Watch():
        run_fused(batch, chunk_size=4)
    rows = {shape[0] for shape in shapes if len(shape) == 2 and shape[1] == VOCABULARY}
    assert max(rows - {8, 12}) == 4  # 8 and 12: the heads' weights, transposed


# --- precision ------------------------------------------------------------------------------------


@every
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_heads_in_low_precision(divergence, dtype, monkeypatch):
    """As exact as float32 allows for the numbers that are stored, however coarsely they are."""
    monkeypatch.setattr(products, "ROWS", 10)  # 37 rows in four parts
    batch = make_batch(6, dtype=dtype)
    got, grads = run_fused(batch, divergence=divergence, chunk_size=4)
    exact = Batch(
        batch.student_hidden.detach().double().requires_grad_(),
        batch.student_head.double(),
        batch.teacher_hidden.double(),
        batch.teacher_head.double(),
        batch.labels,
    )
    expected, exact_grads = run_dense(exact, divergence=divergence)
    assert got.loss.dtype == torch.float32
    for a, b in zip(got[:3], expected[:3], strict=True):
        torch.testing.assert_close(
            a.double(), b.detach().double(), rtol=1e-4, atol=0.0, check_dtype=False
        )
    step = torch.finfo(dtype).eps
    for a, b in zip(grads, exact_grads, strict=True):
        assert a.dtype == dtype
        torch.testing.assert_close(a.double(), b, rtol=10 * step, atol=10 * step * b.abs().max())


def test_a_student_in_float32_and_a_teacher_in_bfloat16():
    batch = make_batch(6, dtype=torch.float32)
    teacher_head = batch.teacher_head.bfloat16()
    batch = batch._replace(teacher_hidden=batch.teacher_hidden.bfloat16())
    got = run_fused(batch)
    exact = batch._replace(teacher_hidden=batch.teacher_hidden.float())
    assert_same(got, run_dense(exact._replace(teacher_head=teacher_head.float())))


def test_autocast_does_not_make_it_less_exact():
    batch = make_batch(6, dtype=torch.float32)
    expected = run_fused(batch)
    with torch.autocast("cpu", torch.bfloat16):
        assert_same(run_fused(batch), expected, rtol=0.0, atol=0.0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_on_a_gpu(dtype):
    batch = make_batch(40, dtype=dtype)
    expected, expected_grads = run_fused(batch, chunk_size=8)
    gpu = [x.detach().cuda() if isinstance(x, Tensor) else x.cuda() for x in batch]
    gpu = Batch(gpu[0].requires_grad_(), *gpu[1:])
    got, grads = run_fused(gpu, chunk_size=8)
    torch.testing.assert_close(got.loss.cpu(), expected.loss, rtol=1e-3, atol=0.0)
    step = max(torch.finfo(dtype).eps, 1e-5)
    for a, b in zip(grads, expected_grads, strict=True):
        tolerance = {"rtol": 10 * step, "atol": 10 * step * b.abs().max().item()}
        torch.testing.assert_close(a.cpu(), b.cpu(), **tolerance)


# --- edges ----------------------------------------------------------------------------------------


@every
def test_all_positions_ignored(divergence):
    batch = make_batch(2, 3, ignored=6)
    batch.student_hidden.data.fill_(math.nan)
    output, grads = run_fused(batch, divergence=divergence)
    assert [x.item() for x in output[:3]] == [0.0, 0.0, 0.0]
    assert output.num_items == 0
    for grad in grads:
        assert torch.equal(grad, torch.zeros_like(grad))


@every
def test_what_stands_at_ignored_positions_does_not_matter(divergence):
    batch = make_batch(6, ignored=2)
    expected = run_fused(batch, divergence=divergence)
    with torch.no_grad():
        batch.student_hidden[0], batch.teacher_hidden[1] = math.nan, math.inf
    got = run_fused(batch, divergence=divergence)
    assert_same(got, expected, rtol=0.0, atol=0.0)
    assert torch.equal(got[1][0][:2], torch.zeros_like(got[1][0][:2]))


@every
@pytest.mark.parametrize("temperature", [0.05, 1.0, 20.0])
def test_tokens_that_both_biases_rule_out(divergence, temperature):
    batch = make_batch(5)
    with torch.no_grad():
        batch.student_head.bias[-4:] = -math.inf
        batch.teacher_head.bias[-4:] = -math.inf
        batch.labels.clamp_(max=VOCABULARY - 5)
    output, grads = run_fused(batch, divergence=divergence, temperature=temperature)
    assert output.loss.isfinite()
    assert all(grad.isfinite().all() for grad in grads)
    assert torch.equal(grads[2][-4:], torch.zeros(4).double())


def test_huge_logits():
    batch = make_batch(5)
    with torch.no_grad():
        batch.student_hidden.mul_(1e4)
        batch.teacher_hidden.mul_(1e4)
    for divergence in DIVERGENCES:
        output, grads = run_fused(batch, divergence=divergence)
        assert output.loss.isfinite()
        assert all(grad.isfinite().all() for grad in grads)


def test_a_term_of_weight_zero_is_left_out():
    batch = make_batch(5)
    with torch.no_grad():
        batch.teacher_head.bias[-1] = -math.inf  # KL(q‖p) is infinite
    output, grads = run_fused(batch, divergence="reverse_kl", lam=0.0)
    assert output.kd_loss.item() == math.inf
    assert torch.equal(output.loss.detach(), output.lm_loss)
    assert all(grad.isfinite().all() for grad in grads)
    lm_only = run_fused(batch._replace(teacher_hidden=None, teacher_head=None), lam=0.0)
    assert lm_only[0].kd_loss is None
    torch.testing.assert_close(lm_only[0].loss, output.loss)
    torch.testing.assert_close(lm_only[1], grads)
    with pytest.raises(ValueError, match=r"lam is 0\.5"):
        LinearCombinedObjective(lam=0.5)(*batch._replace(teacher_hidden=None))


@pytest.mark.parametrize("teacher_vocabulary", [30, 44])
def test_vocabularies_of_unequal_size(teacher_vocabulary):
    batch = make_batch(6, teacher_vocabulary=teacher_vocabulary)
    with pytest.raises(ValueError, match=rf"{VOCABULARY} entries.* {teacher_vocabulary};"):
        LinearCombinedObjective()(*batch)
    batch.labels.clamp_(max=29)
    got = run_fused(batch, match_vocab="truncate", chunk_size=4)
    assert_same(got, run_dense(batch, match_vocab="truncate"))


def test_threads_may_share_an_objective():
    """Nothing of one call is kept on the objective."""
    objective = LinearCombinedObjective(chunk_size=3)
    batches = [make_batch(9, seed=seed) for seed in range(4)]
    expected = [objective(*batch).loss.item() for batch in batches]
    got = [None] * 4

    def work(i):
        for _ in range(5):
            got[i] = objective(*batches[i]).loss.item()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == pytest.approx(expected, rel=1e-12)


# --- errors ---------------------------------------------------------------------------------------


def test_functions_without_a_kernel_are_refused_at_once():
    with pytest.raises(ValueError, match=r"mse_loss.*CombinedObjective"):
        LinearCombinedObjective(nn.functional.mse_loss)
    with pytest.raises(ValueError, match=r"beta.*2"):
        LinearCombinedObjective(partial(jensen_shannon, beta=2))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chunk_size": 0}, "chunk_size.*0"),
        ({"chunk_size": -3}, "chunk_size.*-3"),
        ({"temperature": 0.0}, "temperature"),
        ({"lam": 1.5, "form": "convex"}, "between 0 and 1"),
    ],
)
def test_arguments_outside_their_range(options, message):
    with pytest.raises(ValueError, match=message):
        LinearCombinedObjective(**options)


def test_inputs_that_do_not_fit():
    objective, batch = LinearCombinedObjective(), make_batch(4)
    for change, message in (
        ({"student_head": nn.Identity()}, r"student_head.*Identity.*CombinedObjective"),
        ({"teacher_head": [batch.teacher_head]}, "teacher_head.*list"),
        ({"student_head": torch.zeros(VOCABULARY, 9).double()}, r"\(4, 8\).*\(37, 9\)"),
        ({"student_head": torch.zeros(VOCABULARY)}, r"\[V, d\]"),
        ({"teacher_head": (batch.teacher_head.weight, torch.zeros(5))}, r"bias.*\(5,\).*37"),
        ({"student_hidden": batch.student_hidden.long()}, r"student_hidden.*int64"),
        ({"teacher_head": batch.teacher_head.weight.long()}, r"teacher_head's weight.*int64"),
        ({"teacher_hidden": batch.teacher_hidden[:3]}, r"\(4, 8\).*\(3, 12\).*positions"),
        ({"labels": batch.labels[:3]}, r"\(3,\).*\(4,\)"),
        ({"labels": batch.labels + VOCABULARY + 100}, "label.*0 to 36"),
    ):
        with pytest.raises(ValueError, match=message):
            objective(*batch._replace(**change))


def test_a_layer_that_does_more_than_multiply_is_refused():
    class Softcapped(nn.Linear):
        def forward(self, hidden):
            return 30 * torch.tanh(super().forward(hidden) / 30)

    batch = make_batch(4)._replace(student_head=Softcapped(8, VOCABULARY).double())
    with pytest.raises(ValueError, match=r"Softcapped.*CombinedObjective"):
        LinearCombinedObjective()(*batch)
