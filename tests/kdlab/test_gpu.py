"""What only a CUDA device can show. Skipped without one: run with ``pytest -m gpu`` on a machine
that has it."""

import pytest
import torch
import torch.nn as nn

from kdlab import (
    DIVERGENCES,
    CombinedObjective,
    DistillationTrainer,
    LinearCombinedObjective,
    TinyGPT,
    TrainConfig,
    forward_kl,
    kernels,
)
from kdlab.divergences import kernel_of
from kdlab.kernels import Terms, in_pytorch
from kdlab.topk import TopK

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


def blocks(n=32, vocabulary=64):
    ids = torch.randint(0, vocabulary, (n, 16), generator=torch.Generator().manual_seed(0))
    return [{"input_ids": row, "labels": row} for row in ids]


def model(seed):
    torch.manual_seed(seed)
    return TinyGPT("tiny-student", vocab_size=64, block_size=16)


def run(**changes):
    config = TrainConfig(steps=12, batch_size=8, **changes)
    trainer = DistillationTrainer(model(1), model(2), CombinedObjective(lam=0.5), config=config)
    return trainer, trainer.fit(blocks(), blocks()).column("loss")


def test_the_gpu_is_found_and_gives_the_cpu_s_losses():
    trainer, losses = run()
    assert trainer.accelerator.device.type == "cuda"
    on_cpu, expected = run(device="cpu")
    assert on_cpu.accelerator.device.type == "cpu"
    assert losses == pytest.approx(expected, rel=1e-3)
    assert run()[0].accelerator.device.type == "cuda"


@pytest.mark.filterwarnings("ignore:.torch.jit.:DeprecationWarning")  # the compiler's own
@pytest.mark.parametrize("changes", [{"mixed_precision": "bf16"}, {"compile": True}])
def test_bf16_and_compiled_students_train_alike(changes):
    assert run(**changes)[1][-1] == pytest.approx(run()[1][-1], rel=0.05)


@pytest.mark.parametrize("name", DIVERGENCES)
def test_the_linear_objective_is_the_dense_one(name):
    torch.manual_seed(0)
    hidden = torch.randn(300, 32, device="cuda", requires_grad=True)
    teacher_hidden = torch.randn(300, 48, device="cuda")
    head, teacher_head = nn.Linear(32, 1000).cuda(), nn.Linear(48, 1000).cuda()
    labels = torch.randint(0, 1000, (300,), device="cuda")
    labels[::7] = -100
    dense = CombinedObjective(name, lam=0.5, temperature=2.0)
    dense = dense(head(hidden), teacher_head(teacher_hidden), labels)
    linear = LinearCombinedObjective(name, lam=0.5, temperature=2.0, chunk_size=64)
    linear = linear(hidden, head, teacher_hidden, teacher_head, labels)
    torch.testing.assert_close(linear.loss, dense.loss, rtol=1e-4, atol=1e-4)
    for parameter in (hidden, head.weight, head.bias):
        (ours,) = torch.autograd.grad(linear.loss, parameter, retain_graph=True)
        (expected,) = torch.autograd.grad(dense.loss, parameter, retain_graph=True)
        torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_logits_are_right(dtype):
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 64, 32_000, device="cuda", dtype=dtype)
    exact = forward_kl(student.double(), teacher.double())
    torch.testing.assert_close(forward_kl(student, teacher).double(), exact, rtol=1e-3, atol=0)


@pytest.mark.parametrize("name", DIVERGENCES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_triton_s_kernel_is_the_pytorch_path(name, dtype, temperature):
    """Over a vocabulary of many blocks and an odd size, with warps that the interpreter lacks."""
    pytest.importorskip("triton")
    torch.manual_seed(0)
    student, teacher = 3 * torch.randn(2, 150, 20_011, device="cuda")
    student[:, 7] = teacher[:, 7] = -torch.inf
    labels = torch.randint(8, 20_011, (150,), device="cuda")
    given = student.clone(), teacher.clone()
    terms = Terms(kernel_of(name), temperature, temperature**2, 0.4, 0.6)
    in_triton = kernels.chosen(student.device, student.dtype, terms.kernel, top_k=False)
    assert in_triton is not in_pytorch.terms
    got = in_triton(student.clone(), teacher.clone(), labels, terms, dtype)
    expected = in_pytorch.terms(student, teacher, labels, terms, dtype)
    for a, b in zip(got[:2], expected[:2], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
    step = max(torch.finfo(dtype).eps, 1e-4)
    ours, expected = got[2].float(), expected[2]
    if name == "total_variation":  # where q is p but for rounding, its gradient's sign is anything
        log_q, log_p = ((x / temperature).log_softmax(-1) for x in given)
        same = (log_q - log_p).abs() < 1e-5
        ours, expected = ours.masked_fill(same, 0.0), expected.masked_fill(same, 0.0)
    torch.testing.assert_close(ours, expected, rtol=step, atol=1e-6)


@pytest.mark.parametrize("name", DIVERGENCES)
@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_likeliest_tokens_in_triton_are_the_pytorch_path(name, temperature):
    pytest.importorskip("triton")
    torch.manual_seed(0)
    student, teacher = 3 * torch.randn(2, 150, 20_011, device="cuda")
    log_p = (teacher / temperature).log_softmax(-1)
    log_probs, ids = log_p.topk(16)
    top_k = TopK.of(ids, log_probs)
    labels = torch.randint(20_011, (150,), device="cuda")
    labels[:20] = ids[:20, 3]
    terms = Terms(kernel_of(name), temperature, temperature**2, 0.4, 0.6)
    in_triton = kernels.chosen(student.device, student.dtype, terms.kernel, top_k=True)
    assert in_triton is not in_pytorch.terms
    got = in_triton(student.clone(), top_k, labels, terms, torch.float32)
    expected = in_pytorch.terms(student, top_k, labels, terms, torch.float32)
    for a, b in zip(got, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
