"""Triton's kernel says what PyTorch says in float64, and it runs only where it was asked for."""

import importlib.util
import math
import os
import re
import subprocess
import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from packaging.version import Version

from kdlab import CombinedObjective, DistillationTrainer, TinyGPT, TrainConfig, kernels
from kdlab.divergences import (
    DIVERGENCES,
    jensen_shannon,
    kernel_of,
    skew_forward_kl,
    skew_reverse_kl,
)
from kdlab.kernels import Terms
from kdlab.topk import TopK

EVERY = {
    **DIVERGENCES,
    "jensen_shannon_.1": partial(jensen_shannon, beta=0.1),
    "skew_forward_kl_.5": partial(skew_forward_kl, alpha=0.5),
    "skew_forward_kl_0": partial(skew_forward_kl, alpha=0.0),
    "skew_reverse_kl_.9": partial(skew_reverse_kl, alpha=0.9),
}
HAS_TRITON = importlib.util.find_spec("triton") is not None
needs_triton = pytest.mark.skipif(
    not HAS_TRITON, reason="needs Triton, on Linux: pip install triton"
)


def interpreted(test):
    """A test of what the interpreter found, which takes seconds to find it."""
    old = HAS_TRITON and Version(version("triton")) < Version("3.7")
    reason = "needs Triton's interpreter as of 3.7, which knows NumPy 2.4: pip install -U triton"
    return needs_triton(pytest.mark.slow(pytest.mark.skipif(old, reason=reason)(test)))


BLOCK, VOCABULARY = 16, 37  # three blocks, the last one not full


def work(divergence, temperature=1.0, lm_weight=1.0, kd_weight=0.6):
    return Terms(kernel_of(divergence), temperature, temperature**2, lm_weight, kd_weight)


def ordinary(seed=0, vocabulary=VOCABULARY):
    """Six positions, from far apart to equal; at every second one some tokens are ruled out."""
    generator = torch.Generator().manual_seed(seed)
    student = 3 * torch.randn(6, vocabulary, generator=generator)
    noise = torch.randn(6, vocabulary, generator=generator)
    teacher = student + torch.tensor([3.0, 1.0, 1e-1, 1e-3, 0.0, 0.0])[:, None] * noise
    teacher[5] += 2.0
    ruled_out = slice(vocabulary - vocabulary // 9, None)
    student[1::2, ruled_out] = teacher[1::2, ruled_out] = -math.inf
    labels = torch.randint(vocabulary - vocabulary // 9, (6,), generator=generator)
    return student, teacher, labels


TOP_K = {
    "cold": {},
    "hot": {"temperature": 2.0, "lm_weight": 0.4},
    "of no weight": {"kd_weight": 0.0},
}


def top_k(k=4):
    """The k likeliest tokens of a teacher, in another order at each position; the tail's mass."""
    log_p = ordinary(6)[1].log_softmax(-1)
    log_probs, ids = log_p.topk(k)
    rest = log_p.scatter(-1, ids, -math.inf).logsumexp(-1)
    return TopK(ids.flip(-1), log_probs.flip(-1), rest)


def huge():
    """Logits of ±1e4, on the same tokens and on different ones; the label likely and unlikely."""
    student = torch.full((3, VOCABULARY), -1e4)
    student[0, 3] = student[1, 3] = student[2, 30] = 1e4
    teacher = torch.full((3, VOCABULARY), -1e4)
    teacher[0, 3] = teacher[1, 30] = teacher[2, 3] = 1e4
    teacher[2, 31:] = student[2, :2] = 0.0
    return student, teacher, torch.tensor([3, 3, 36])


def calls() -> dict[str, tuple]:
    """All that is asked of the interpreter, in one process: starting it takes seconds."""
    found = {"path": ("path",)}
    for name, function in EVERY.items():
        terms = work(function)
        found[f"{name}, float32"] = ("terms", BLOCK, *ordinary(), terms, torch.float32)
        if name in DIVERGENCES:
            terms = work(function, 2.5, 0.4)
            found[f"{name}, bfloat16"] = ("terms", BLOCK, *ordinary(1), terms, torch.bfloat16)
    for vocabulary in (1, 16, 17):
        given = *ordinary(2, vocabulary), work("jensen_shannon"), torch.float16
        found[f"V = {vocabulary}"] = ("terms", BLOCK, *given)
    for name in ("forward_kl", "reverse_kl"):
        student, teacher, labels = ordinary(3)
        student, teacher, labels = student[::2], teacher[::2], labels[::2]
        student[1, :20] = -math.inf  # and the first block is without any token
        teacher[2, 5], labels = -math.inf, labels.clamp(min=20)
        given = student, teacher, labels
        found[f"{name}, infinite"] = ("terms", BLOCK, *given, work(name), None)
        without = work(name, kd_weight=0.0)
        found[f"{name}, of no weight"] = ("terms", BLOCK, *given, without, torch.float32)
    student, _, labels = ordinary(4)
    found["labels alone"] = (
        "terms",
        BLOCK,
        student,
        None,
        labels,
        work("forward_kl"),
        torch.float32,
    )
    for name in DIVERGENCES:
        for key, options in TOP_K.items():
            student, _, labels = ordinary(6)
            given = student, top_k(), labels, work(name, **options)
            found[f"{name}, top k, {key}"] = ("terms", BLOCK, *given, torch.float32)
    student, _, labels = ordinary(6)
    given = student, top_k(VOCABULARY), labels, work("jensen_shannon")
    found["all tokens named"] = ("terms", BLOCK, *given, torch.bfloat16)
    found["no position"] = (
        *("terms", BLOCK, student[:0], student[:0], labels[:0], work("forward_kl"), torch.bfloat16),
    )
    for name in DIVERGENCES:
        found[f"{name}, huge"] = ("terms", BLOCK, *huge(), work(name, 0.5), torch.float32)
        given = torch.zeros(2, 32), torch.ones(2, 32), torch.zeros(2, dtype=torch.long)
        found[f"{name}, counted"] = ("terms", BLOCK, *given, work(name), torch.bfloat16)
        found[f"{name}, no gradient"] = ("terms", BLOCK, *given, work(name), None)
    for options in OBJECTIVES.values():
        found[str(options)] = ("objective", options, batch())
    return found


OBJECTIVES = {
    "additive": {"divergence": "forward_kl", "lam": 0.7, "chunk_size": 3},
    "convex": {"divergence": "jensen_shannon", "lam": 0.3, "form": "convex", "temperature": 2.0},
    "KD alone": {
        "divergence": "reverse_kl",
        "lam": 1.0,
        "form": "convex",
        "temperature": 0.5,
        "scale_by_temperature": False,
        "chunk_size": 4,
    },
}


def batch():
    generator = torch.Generator().manual_seed(5)
    shapes = (2, 4, 8), (VOCABULARY, 8), (VOCABULARY,), (2, 4, 12), (VOCABULARY, 12), (VOCABULARY,)
    hidden, weight, bias, *teacher = (torch.randn(*s, generator=generator) for s in shapes)
    labels = torch.randint(VOCABULARY, (2, 4), generator=generator)
    labels[0, 0] = labels[1, 2] = -100
    hidden[0, 0], teacher[0][1, 2] = math.nan, math.inf  # what is ignored may be anything
    leaves = [x.requires_grad_() for x in (hidden, weight, bias)]
    return leaves[0], (leaves[1], leaves[2]), teacher[0], (teacher[1], teacher[2]), labels


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What the interpreter returned for each of the calls."""
    folder = tmp_path_factory.mktemp("interpreted")
    torch.save(calls(), folder / "given")
    words = [sys.executable, Path(__file__).parent / "interpreted.py"]
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*words, folder / "given", folder / "found"],
        cwd=Path(__file__).parents[2],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return torch.load(folder / "found", weights_only=False)


def exact(student, teacher, labels, terms, divergence):
    """Both terms and the gradient of their weighted sum, in float64, by PyTorch."""
    student = student.double().requires_grad_()
    lm = F.cross_entropy(student, labels, reduction="none")
    kd = terms.kd_scale * divergence(student, teacher.double(), temperature=terms.temperature)
    (terms.lm_weight * lm + terms.kd_weight * kd).sum().backward()
    return lm.detach(), kd.detach(), student.grad


def compare(found, call, divergence):
    _, _, student, teacher, labels, terms, dtype = call
    lm, kd, gradient, *_ = found
    expected = exact(student, teacher, labels, terms, divergence)
    torch.testing.assert_close(lm.double(), expected[0], rtol=1e-5, atol=2e-6)
    # A KL is of the second order near 0, and exact there. The total variation is of the first, and
    # where q is p but for rounding, the sign of its gradient is anything.
    variation = divergence is DIVERGENCES["total_variation"]
    atol = 1e-6 if variation else 2e-12
    torch.testing.assert_close(kd.double(), expected[1], rtol=1e-4, atol=atol)
    assert (kd >= 0).all()
    assert gradient.dtype == dtype
    step, rows = max(torch.finfo(dtype).eps, 1e-5), slice(5 if variation else None)
    torch.testing.assert_close(gradient.double()[rows], expected[2][rows], rtol=step, atol=2e-6)


@interpreted
@pytest.mark.parametrize(
    "key",
    [f"{name}, float32" for name in EVERY] + [f"{name}, bfloat16" for name in DIVERGENCES],
)
def test_values_and_gradients_are_those_of_float64(found, key):
    name = key.partition(",")[0]
    compare(found[key], calls()[key], EVERY[name])
    assert found[key][1][4] == 0  # where q = p


@interpreted
@pytest.mark.parametrize("name", DIVERGENCES)
def test_huge_logits(found, name):
    key = f"{name}, huge"
    lm, kd, gradient, *_ = found[key]
    _, _, student, teacher, labels, terms, _ = calls()[key]
    assert kd.isfinite().all()
    assert gradient.isfinite().all()
    expected = exact(student, teacher, labels, terms, EVERY[name])
    torch.testing.assert_close(lm.double(), expected[0], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(kd.double(), expected[1], rtol=1e-4, atol=1e-9)
    torch.testing.assert_close(gradient.double(), expected[2], rtol=1e-4, atol=1e-5)


@interpreted
@pytest.mark.parametrize("vocabulary", [1, 16, 17])
def test_a_vocabulary_may_end_anywhere_in_a_block(found, vocabulary):
    key = f"V = {vocabulary}"
    compare(found[key], calls()[key], jensen_shannon)


@interpreted
@pytest.mark.parametrize("name", ["forward_kl", "reverse_kl"])
def test_what_is_infinite_is_infinite_and_no_more_than_that(found, name):
    """Tokens that one model alone rules out, and no weight on the divergence."""
    key = f"{name}, infinite"
    lm, kd, gradient, *_ = found[key]
    _, _, student, teacher, labels, terms, _ = calls()[key]
    expected = exact(student, teacher, labels, terms, EVERY[name])
    assert expected[1].isinf().tolist() == [False, name == "forward_kl", name == "reverse_kl"]
    torch.testing.assert_close(kd.double(), expected[1], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(lm.double(), expected[0], rtol=1e-5, atol=1e-6)
    assert gradient is None
    lm, kd, gradient, *_ = found[f"{name}, of no weight"]
    torch.testing.assert_close(kd.double(), expected[1], rtol=1e-5, atol=1e-6)
    student = student.double().requires_grad_()
    F.cross_entropy(student, labels, reduction="sum").backward()
    torch.testing.assert_close(gradient.double(), student.grad, rtol=1e-5, atol=1e-6)


@interpreted
def test_labels_alone_and_no_position(found):
    _, _, student, _, labels, *_ = calls()["labels alone"]
    lm, kd, gradient, *_ = found["labels alone"]
    student = student.double().requires_grad_()
    expected = F.cross_entropy(student, labels, reduction="none")
    expected.sum().backward()
    torch.testing.assert_close(lm.double(), expected.detach(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(gradient.double(), student.grad, rtol=1e-5, atol=1e-6)
    assert not kd.any()
    lm, kd, gradient, *_ = found["no position"]
    assert lm.shape == kd.shape == (0,)
    assert gradient.shape == (0, VOCABULARY)


@interpreted
@pytest.mark.parametrize(
    "key",
    [*(f"{name}, top k, {case}" for name in DIVERGENCES for case in TOP_K), "all tokens named"],
)
def test_a_teacher_s_likeliest_tokens(found, key):
    """The student's logits are read twice, and the gradient is written once."""
    _, _, student, teacher, labels, terms, dtype = calls()[key]
    lm, kd, gradient, read, written = found[key]
    student = student.double().requires_grad_()
    name = key.partition(",")[0]
    divergence = DIVERGENCES.get(name, jensen_shannon)
    expected_lm = F.cross_entropy(student, labels, reduction="none")
    buckets = teacher.student_buckets(student, terms.temperature)
    expected_kd = terms.kd_scale * divergence(buckets, teacher.teacher_buckets().double())
    (terms.lm_weight * expected_lm + terms.kd_weight * expected_kd).sum().backward()
    torch.testing.assert_close(lm.double(), expected_lm.detach(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(kd.double(), expected_kd.detach(), rtol=1e-5, atol=1e-6)
    step = max(torch.finfo(dtype).eps, 1e-5)
    # Where q is p but for rounding, the sign of the total variation's gradient is anything.
    rows = slice(4 if name == "total_variation" else None)
    torch.testing.assert_close(gradient.double()[rows], student.grad[rows], rtol=step, atol=1e-6)
    one = len(labels) * math.ceil(VOCABULARY / BLOCK) * BLOCK
    assert (read, written) == (2 * one, one)


@interpreted
@pytest.mark.parametrize("name", DIVERGENCES)
def test_how_often_it_reads_and_writes_the_logits(found, name):
    """Two models' logits twice, or three times; the gradient once."""
    times = 2 if name in ("forward_kl", "reverse_kl") else 3
    one = 2 * 32  # positions times vocabulary
    *_, read, written = found[f"{name}, counted"]
    assert (read, written) == (2 * times * one, one)
    *_, read, written = found[f"{name}, no gradient"]
    assert (read, written) == (2 * 2 * one, 0)


@interpreted
@pytest.mark.parametrize("case", OBJECTIVES)
def test_the_linear_objective_is_the_dense_one(found, case):
    options = OBJECTIVES[case]
    loss, lm_loss, kd_loss, grads = found[str(options)]
    hidden, (weight, bias), teacher_hidden, (teacher_weight, teacher_bias), labels = batch()
    leaves = [x.detach().double().nan_to_num().requires_grad_() for x in (hidden, weight, bias)]
    dense = CombinedObjective(**{k: v for k, v in options.items() if k != "chunk_size"})
    teacher = teacher_hidden.double().nan_to_num(posinf=0.0) @ teacher_weight.double().T
    output = dense(leaves[0] @ leaves[1].T + leaves[2], teacher + teacher_bias.double(), labels)
    output.loss.backward()
    for got, expected in zip((loss, lm_loss, kd_loss), output[:3], strict=True):
        torch.testing.assert_close(got.double(), expected.detach(), rtol=1e-5, atol=1e-6)
    for got, leaf in zip(grads, leaves, strict=True):
        torch.testing.assert_close(got.double(), leaf.grad, rtol=1e-4, atol=1e-5)


@interpreted
def test_a_run_says_that_it_runs_there(found):
    plain, in_triton = found["path"]
    assert (plain, in_triton) == ("linear", "linear, in Triton")
    assert found["path"][in_triton] == pytest.approx(found["path"][plain], rel=1e-5)


# --- where it does not run ------------------------------------------------------------------------

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
NONE_FAILS = "_fails", lambda device: None  # as on a machine with a GPU


def test_it_runs_only_where_it_is_wanted(monkeypatch):
    monkeypatch.setattr(kernels, *NONE_FAILS)
    forward_kl, half = kernel_of("forward_kl"), torch.bfloat16
    monkeypatch.setenv("KDLAB_TRITON", "0")
    assert kernels.in_words(CUDA, DIVERGENCES["forward_kl"], False) == ""
    in_pytorch = kernels.chosen(CUDA, torch.float32, forward_kl, False)
    assert in_pytorch.__module__ == "kdlab.kernels.in_pytorch"
    for asked in ("0", "", "1"):
        monkeypatch.setenv("KDLAB_TRITON", asked)
        assert kernels.chosen(CPU, torch.float32, forward_kl, False) is in_pytorch
        assert kernels.chosen(CUDA, torch.float64, forward_kl, False) is in_pytorch
        assert kernels.chosen(CUDA, half, forward_kl, False) is in_pytorch
        assert kernels.chosen(CUDA, torch.float32, lambda *x: x, False) is in_pytorch
    monkeypatch.setenv("KDLAB_TRITON", "yes")
    with pytest.raises(ValueError, match=r"KDLAB_TRITON.*'yes'"):
        kernels.asked_for()


@needs_triton
@pytest.mark.parametrize("asked", ["", "1"])
def test_on_a_cuda_device_it_is_chosen(monkeypatch, asked):
    monkeypatch.setattr(kernels, *NONE_FAILS)
    monkeypatch.setenv("KDLAB_TRITON", asked)
    for function in EVERY.values():
        for top_k in (False, True):
            chosen = kernels.chosen(CUDA, torch.float32, kernel_of(function), top_k)
            assert chosen.__module__ == "kdlab.kernels.in_triton"
    assert kernels.in_words(CUDA, DIVERGENCES["forward_kl"], False) == ", in Triton"


@needs_triton
def test_where_it_cannot_compile_pytorch_takes_its_place(monkeypatch):
    """Without a C compiler, Triton is installed and does not work."""
    from kdlab.kernels import in_triton

    def attempt(device):
        raise RuntimeError("Failed to find C compiler.\nPlease specify it.")

    monkeypatch.setattr(in_triton, "attempt", attempt)
    monkeypatch.delenv("KDLAB_TRITON", raising=False)
    kernels._fails.cache_clear()
    try:
        chosen = kernels.chosen(CUDA, torch.float32, kernel_of("forward_kl"), False)
        assert chosen.__module__ == "kdlab.kernels.in_pytorch"
        said = kernels.in_words(CUDA, DIVERGENCES["forward_kl"], False)
        assert said == ", not in Triton (it does not work here: Failed to find C compiler.)"
    finally:
        kernels._fails.cache_clear()


@pytest.mark.parametrize("installed", [False, pytest.param(True, marks=needs_triton)])
def test_a_run_says_why_it_does_not_run_there(monkeypatch, installed):
    monkeypatch.setattr(kernels, "_installed", lambda: installed)
    monkeypatch.setenv("KDLAB_TRITON", "1")
    data = [{"input_ids": torch.arange(8), "labels": torch.arange(8)}] * 4
    models = [TinyGPT("tiny-student", vocab_size=8, block_size=8) for _ in range(2)]
    config = TrainConfig(steps=1, batch_size=4, device="cpu")
    run = DistillationTrainer(*models, CombinedObjective(), config=config)
    run.fit(data)
    why = "it needs a CUDA device, and this is cpu" if installed else "it is not installed"
    assert run.path.startswith(f"linear, not in Triton ({why}")


# --- on a GPU, as far as one can see without ------------------------------------------------------


@needs_triton
@pytest.mark.slow
@pytest.mark.parametrize("name", ["_forward_kl", "_reverse_kl", "_jensen_shannon"])
def test_it_compiles_for_an_h100(name, tmp_path, monkeypatch):
    """And no warp writes before all have read: in half precision, a block lies among its logits."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from kdlab.kernels import in_triton, triton_divergences

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("TRITON_DEFAULT_FP_FUSION", "1")
    constants = {
        "divergence": getattr(triton_divergences, name),
        "total_is": in_triton.TOTALS[name],
        "block": in_triton.BLOCK,
    }
    flags = ("hot", "with_gradient", "with_kd_gradient")
    constants |= dict.fromkeys(flags, True)
    pointers = {"gradient": "*bf16", "labels": "*i64"}
    pointers |= dict.fromkeys(("logits", "teacher", "lm", "kd"), "*fp32")
    integers = ("row_of_logits", "row_of_teacher", "row_of_gradient", "vocabulary")
    types = pointers | dict.fromkeys(integers, "i32")
    names = in_triton._objective.arg_names
    signature = {n: "constexpr" if n in constants else types.get(n, "fp32") for n in names}
    divisible = {(i,): [["tt.divisibility", 16]] for i, n in enumerate(names) if n in types}
    source = ASTSource(in_triton._objective, signature, constants, divisible)
    compiled = triton.compile(
        source, target=GPUTarget("cuda", 90, 32), options={"num_warps": in_triton.WARPS}
    )
    assert compiled.asm["cubin"]
    lines = compiled.asm["ttgir"].splitlines()
    last_read = max(i for i, line in enumerate(lines) if "tt.load" in line)
    write = next(i for i in range(last_read, len(lines)) if "tt.store" in lines[i])
    assert any(re.search(r"\bbarrier\b", line) for line in lines[last_read:write])
