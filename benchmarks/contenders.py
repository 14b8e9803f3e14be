"""The passes of one implementation of the combined objective, in a process of its own.

    python benchmarks/contenders.py NAME WORK       WORK: the fields of `Work`, a JSON list

benchmarks/objective.py starts it, and says what is measured. It prints the numbers as JSON.
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

LAM = 0.5


class Work(NamedTuple):
    positions: int = 2048
    vocabulary: int = 49152
    ignore_every: int = 7  # position 0, 7, 14, ... does not count; 0: all count
    threads: int = 2
    student_dim: int = 192
    teacher_dim: int = 576
    device: str = "cpu"
    dtype: str = "float32"
    passes: int = 1  # timed; 0: the memory alone


ON_GPU = Work(
    positions=8192,
    vocabulary=128256,
    student_dim=2048,
    teacher_dim=4096,
    device="cuda",
    dtype="bfloat16",
    passes=10,
)


# Each function is given the inputs and returns the scalar to call backward() on. What it imports is
# imported before the clock starts. `h`, `W`: the student's hidden states and head; `th`, `tW`: the
# teacher's; `y`: labels.


def ours(chunk_size: int | None = None):
    import torch

    from kdlab import kernels
    from kdlab.divergences import kernel_of
    from kdlab.fused import LinearCombinedObjective

    if torch.cuda.is_available() and kernels.asked_for() is not False:
        device = torch.device("cuda", torch.cuda.current_device())
        why = kernels.why_not(device, torch.float32, kernel_of("forward_kl"), top_k=False)
        if why:
            raise RuntimeError(f"not in Triton: {why}")
    objective = LinearCombinedObjective(lam=LAM, chunk_size=chunk_size)
    return lambda h, W, th, tW, y: objective(h, W, th, tW, y).loss


def ours_in_pytorch():
    os.environ["KDLAB_TRITON"] = "0"
    return ours()


def ours_top_k():
    """The teacher is a store of its 64 likeliest tokens. Any 64 do here: the work is the same."""
    import torch

    from kdlab.fused import LinearCombinedObjective
    from kdlab.teachers import TopK

    objective = LinearCombinedObjective(lam=LAM)

    def loss(h, W, th, tW, y):
        ids = torch.arange(0, 512, 8, device=y.device).repeat(len(y), 1)
        buckets = torch.zeros(len(y), 65, device=y.device).log_softmax(-1)
        return objective(h, W, TopK(ids, buckets[:, :-1], buckets[:, -1]), None, y).loss

    return loss


def ours_dense():
    from kdlab.objective import CombinedObjective

    objective = CombinedObjective(lam=LAM)
    return lambda h, W, th, tW, y: objective(h @ W.T, th @ tW.T, y).loss


def pytorch():
    import torch.nn.functional as F

    def loss(h, W, th, tW, y):
        student_logits, teacher_logits = h @ W.T, th @ tW.T
        lm = F.cross_entropy(student_logits, y)
        log_q, p = F.log_softmax(student_logits, -1), F.softmax(teacher_logits, -1)
        kd = F.kl_div(log_q, p, reduction="none").sum(-1)
        return lm + LAM * kd[y != -100].mean()

    return loss


def trl_dense():
    import torch.nn.functional as F
    from trl.experimental.gkd import GKDTrainer

    def loss(h, W, th, tW, y):
        student_logits, teacher_logits = h @ W.T, th @ tW.T
        lm = F.cross_entropy(student_logits, y)
        kd = GKDTrainer.generalized_jsd_loss(student_logits, teacher_logits, y, beta=0)
        return lm + LAM * kd

    return loss


def trl_chunked():
    """Both of TRL's chunked kernels, on the positions that count, as its trainer does on a GPU."""
    from trl.kernels.chunked_divergence import VOCAB_CHUNK_SIZE, ChunkedDivergenceFunction
    from trl.kernels.chunked_logprob import ChunkedLogProbFunction

    def loss(h, W, th, tW, y):
        valid = y != -100
        h, th, y = h[valid], th[valid], y[valid]
        log_prob = ChunkedLogProbFunction.apply(
            h, W, None, y, 1.0, VOCAB_CHUNK_SIZE, None, 1.0, ()
        )[0]
        kd = ChunkedDivergenceFunction.apply(h, W, None, th, tW, None, 0.0)[0]
        return -log_prob.mean() + LAM * kd.mean()

    return loss


def liger(compiled: bool = False):
    from liger_kernel.chunked_loss import LigerFusedLinearJSDLoss

    objective = LigerFusedLinearJSDLoss(
        weight_hard_loss=1.0, weight_soft_loss=LAM, beta=0.0, compiled=compiled
    )
    return lambda h, W, th, tW, y: objective(h, W, th, tW, y)


def orda():
    """orda-kernel: Triton kernels on a GPU; on a CPU its reference, which makes all logits."""
    import warnings

    from orda_kernel import SeparateTeacher, distillation_loss

    warnings.filterwarnings("ignore", message="ORDA distillation_loss")

    def loss(h, W, th, tW, y):
        teacher = SeparateTeacher(hidden=th, weight=tW)
        return distillation_loss(h, W, y, teacher, student_ce_weight=1.0, kl_weight=LAM).loss

    return loss


def floor(valid_only: bool = False):
    import torch

    def products(h, W, th, tW, y):
        with torch.no_grad():
            if valid_only:
                h, th = h[y != -100], th[y != -100]
            logits = h @ W.T
            th @ tW.T
            logits @ W
            logits.T @ h

    return products


IMPLEMENTATIONS: dict[str, tuple[str, Callable]] = {
    "floor": ("floor: products of all N", floor),
    "floor_valid": ("floor: valid only", lambda: floor(valid_only=True)),
    "ours": ("kdlab linear", ours),
    "ours_512": ("… by 512 positions", lambda: ours(chunk_size=512)),
    "ours_1756": ("… by 1,756 positions", lambda: ours(chunk_size=1756)),
    "ours_in_pytorch": ("kdlab linear, in PyTorch", ours_in_pytorch),
    "ours_top_k": ("kdlab linear, top-64 teacher", ours_top_k),
    "ours_dense": ("kdlab dense", ours_dense),
    "pytorch": ("PyTorch", pytorch),
    "trl_dense": ("TRL dense", trl_dense),
    "trl_chunked": ("TRL chunked", trl_chunked),
    "liger": ("Liger, eager", liger),
    "liger_compiled": ("Liger, compiled", lambda: liger(compiled=True)),
    "orda": ("orda-kernel", orda),
}
ON_GPU_ALONE = ("liger_compiled", "ours_512", "ours_1756", "ours_in_pytorch")
ON_CPU_TOO = [name for name in IMPLEMENTATIONS if name not in ON_GPU_ALONE]
PEERS = ("pytorch", "trl_dense", "trl_chunked", "liger", "liger_compiled", "orda")


def make_inputs(work: Work):
    import torch

    generator = torch.Generator(work.device).manual_seed(0)

    def normal(*shape, scale=1.0):
        x = torch.randn(*shape, generator=generator, device=work.device).mul_(scale)
        return x.to(getattr(torch, work.dtype))

    ds, dt = work.student_dim, work.teacher_dim
    h = normal(work.positions, ds).requires_grad_()
    W = normal(work.vocabulary, ds, scale=2 * ds**-0.5).requires_grad_()
    th = normal(work.positions, dt)
    tW = normal(work.vocabulary, dt, scale=3 * dt**-0.5)
    y = torch.randint(work.vocabulary, (work.positions,), generator=generator, device=work.device)
    if work.ignore_every:
        y[:: work.ignore_every] = -100
    return h, W, th, tW, y


def resident(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise KeyError(key)


def measure(name: str, work: Work) -> dict:
    """The passes of one implementation, in this process."""
    import torch

    torch.set_num_threads(work.threads)
    function = IMPLEMENTATIONS[name][1]()
    small = make_inputs(work._replace(positions=8, vocabulary=512))
    one_pass(function, small)  # starts thread pools and loads what is loaded on first use
    inputs = make_inputs(work)
    result, loss = (on_gpu if work.dtype == ON_GPU.dtype else on_cpu)(function, inputs, work.passes)
    if loss is not None:
        grads = [x.grad.double() for x in inputs[:2]]
        probe = [torch.linspace(-1, 1, len(x)).to(x) @ x for x in grads]
        result["work"] = [loss.item(), *(x.norm().item() for x in (*grads, *probe))]
    return result


def on_cpu(function: Callable, inputs, passes: int) -> tuple[dict, object]:
    Path("/proc/self/clear_refs").write_text("5")  # the highest resident size starts anew
    before = resident("VmRSS")
    loss = one_pass(function, inputs)
    memory = resident("VmHWM") - before
    if not passes:
        return {"bytes": memory}, loss
    start, cpu_start = time.perf_counter(), time.process_time()
    loss = one_pass(function, inputs)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    return {"bytes": memory, "seconds": seconds, "cpu_seconds": cpu_seconds}, loss


def on_gpu(function: Callable, inputs, passes: int) -> tuple[dict, object]:
    """The median pass, by the GPU's own clock."""
    import torch

    cuda = inputs[0].is_cuda  # or it is a rehearsal
    memory = 0
    if cuda:
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
    one_pass(function, inputs)
    if cuda:
        memory = torch.cuda.max_memory_allocated() - before
    one_pass(function, inputs)
    cpu_start = time.process_time()
    ends = [mark(cuda)]
    for _ in range(passes):
        loss = one_pass(function, inputs)
        ends.append(mark(cuda))
    if cuda:
        torch.cuda.synchronize()
    cpu_seconds = (time.process_time() - cpu_start) / passes
    each = [a.elapsed_time(b) / 1000 if cuda else b - a for a, b in itertools.pairwise(ends)]
    seconds = statistics.median(each)
    return {"bytes": memory, "seconds": seconds, "cpu_seconds": cpu_seconds, "each": each}, loss


def mark(cuda: bool):
    import torch

    if not cuda:
        return time.perf_counter()
    event = torch.cuda.Event(enable_timing=True)
    event.record()
    return event


def by_divergence(work: Work) -> dict:
    """Seconds and bytes of ours by each divergence, in PyTorch and in Triton, in this process."""
    from functools import partial

    import torch

    from kdlab import DIVERGENCES
    from kdlab.fused import LinearCombinedObjective

    inputs, found = make_inputs(work), {}
    for name in DIVERGENCES:
        for temperature in (1.0, 2.0):
            objective = LinearCombinedObjective(name, lam=LAM, temperature=temperature)
            for way in ("0", "1"):
                os.environ["KDLAB_TRITON"] = way
                function = partial(lambda of, *x: of(*x).loss, objective)
                result, loss = on_gpu(function, inputs, min(work.passes, 5))
                key = f"{name}, T = {temperature:g}, {'Triton' if way == '1' else 'PyTorch'}"
                grads = [x.grad.double().norm().item() for x in inputs[:2]]
                found[key] = {**result, "work": [loss.item(), *grads]}
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()
    return found


def one_pass(function: Callable, inputs):
    for x in inputs[:2]:
        x.grad = None
    loss = function(*inputs)
    if loss is not None:  # the floor has none
        loss.backward()
    return loss


def main() -> None:
    name, work = sys.argv[1], Work(*json.loads(sys.argv[2]))
    print(json.dumps(by_divergence(work) if name == "by_divergence" else measure(name, work)))


if __name__ == "__main__":
    main()
