"""The combined objective by us and by our peers: the same work, side by side in one run.

    python benchmarks/objective.py              the reference work, five rounds
    python benchmarks/objective.py --scaling    how time and memory grow with N, V and masking
    python benchmarks/objective.py --memory     how memory grows with N and V, in one pass of each
    python benchmarks/objective.py --cuda       on a GPU, with the sizes of a large model

With --json FILE every run is added to those in FILE. The book's page "How fast, and why" reads
book/reference/results/how_fast.json, which these commands made, the first one several times:

    python benchmarks/objective.py --threads 1 --rounds 1 --json FILE
    python benchmarks/objective.py --threads 1 --rounds 3 --ignore-every 0 --json FILE
    python benchmarks/objective.py --threads 1 --rounds 3 --positions 256 --json FILE
    python benchmarks/objective.py --threads 1 --memory --json FILE
    python benchmarks/objective.py --cuda --json FILE       on a GPU, under eight minutes

The reference work is one forward and backward pass of LM + 0.5·KL(p‖q), from the last hidden states
of student and teacher to the gradients of the student's hidden states and head: N = 2,048 positions
of which every seventh is ignored, hidden sizes 192 and 576, V = 49,152, float32, 2 threads.

Every implementation runs in a process of its own, and they take turns, so that whatever else the
machine does meets all of them alike. A process makes two passes. The first gives the memory: the
highest resident size during the pass, less what was resident when the inputs were ready. The second
gives the time, as in training, where the first step is one of thousands; CPU seconds are those of
all threads together. After each round the loss and the gradients are compared: whoever did other
work is an error, not a row.

On a GPU the work is N = 8,192 positions, hidden sizes 2,048 and 4,096, V = 128,256, in bfloat16. A
process makes ten timed passes after two, and the memory is what torch's allocator had at most.

The floor is the matrix products that nobody can avoid, with nothing between them: student logits,
teacher logits, gradient to the hidden states, gradient to the head. It multiplies all N positions,
as a library does that masks after the product; "valid only" multiplies the others alone.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

LAM = 0.5
MIB = 2**20


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
# The same steps on a CPU, in Triton's interpreter: it shows that they work, not how fast they are.
REHEARSAL = ON_GPU._replace(
    positions=8, vocabulary=512, threads=1, student_dim=16, teacher_dim=32, device="cpu", passes=2
)
SECONDS_AT_MOST = 450  # of a run on a GPU; what is not done by then is left out, and said


# --- in the measured process ----------------------------------------------------------------------
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


# --- in the parent process ------------------------------------------------------------------------


def run(name: str, work: Work, timeout: float | None = None) -> dict:
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(work.threads),
        "HF_HUB_OFFLINE": "1",
        "TRL_EXPERIMENTAL_SILENCE": "1",
    }
    if work.dtype == REHEARSAL.dtype and work.device == "cpu":
        environment |= {"TRITON_INTERPRET": "1", "KDLAB_TRITON": "1"}
    command = [sys.executable, __file__, "--measure", name, json.dumps(work)]
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, check=True, timeout=timeout
    )
    return json.loads(done.stdout.splitlines()[-1])


def rounds_of(names, work: Work, rounds: int, progress) -> dict[str, list[dict]]:
    """The runs of each implementation, the implementations taking turns."""
    runs = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            runs[name].append(run(name, work))
            progress()
        check_same_work({name: runs[name][-1] for name in names}, work)
    return runs


def summarised(runs: dict[str, list[dict]]) -> dict[str, dict]:
    """Medians and ranges per implementation."""
    summary = {}
    for name, results in runs.items():
        seconds = [s for r in results for s in r.get("each", [r["seconds"]])]
        summary[name] = {
            "seconds": statistics.median(r["seconds"] for r in results),
            "fastest": min(seconds),
            "slowest": max(seconds),
            "cpu_seconds": statistics.median(r["cpu_seconds"] for r in results),
            "bytes": statistics.median(r["bytes"] for r in results),
        }
    for name, row in summary.items():  # ratios within a round, then their median
        for other in ("floor", "floor_valid", "ours"):
            if other in runs:
                pairs = list(zip(runs[name], runs[other], strict=True))
                for clock in ("seconds", "cpu_seconds"):
                    row[f"{clock}_times_{other}"] = statistics.median(
                        a[clock] / b[clock] for a, b in pairs
                    )
    return summary


def keep(path: Path | None, work: Work, runs: dict[str, list[dict]]) -> None:
    """Add runs to those in a file, if they are of the same machine and versions."""
    if path is None:
        return
    here = {"machine": machine(work), "versions": versions()}
    kept = json.loads(path.read_text()) if path.exists() else {}
    part = kept.setdefault(work.device, {**here, "works": {}})
    for key, value in here.items():
        if part[key] != value:
            raise SystemExit(f"{path} holds runs of {part[key]}; these are of {value}")
    title = describe(work) if work.passes else f"{describe(work)}; memory"
    entry = part["works"].setdefault(title, {"work": work._asdict(), "runs": {}})
    for name, results in runs.items():
        entry["runs"].setdefault(name, []).extend(results)
    path.write_text(json.dumps(kept, indent=1) + "\n")


def machine(work: Work) -> str:
    import torch

    if work.device == "cuda":
        return torch.cuda.get_device_name()
    info = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((x.partition(": ")[2] for x in info if x.startswith("model name")), "a CPU")
    return f"{model}, {os.cpu_count()} threads"


def versions() -> dict[str, str]:
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in ("torch", "triton", "trl", "liger-kernel", "orda-kernel"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def check_same_work(results: dict[str, dict], work: Work) -> None:
    """Loss, the gradients' norms and a weighted sum of each agree, or this is no comparison."""
    done = {name: r["work"] for name, r in results.items() if "work" in r and name != "ours_top_k"}
    expected = done["ours_dense"] if "ours_dense" in done else done["ours"]
    tolerance = 1e-4 if work.dtype == "float32" else 2e-2  # peers compute in what comes in
    for name, got in done.items():
        if any(abs(a - b) > tolerance * abs(b) for a, b in zip(got, expected, strict=True)):
            raise SystemExit(f"{name} did other work than the dense objective: {got}, {expected}")


def table(title: str, summary: dict[str, dict]):
    from rich.table import Table

    digits = 2 if summary["floor"]["seconds"] > 0.1 else 4
    out = Table(title=title)
    out.add_column("implementation", no_wrap=True)
    columns = ("seconds", "range", "× floor", "× ours", "CPU s", "× floor", "MiB", "× ours")
    for column in columns:
        out.add_column(column, justify="right", no_wrap=True)
    own = summary["ours"]
    for name, row in summary.items():
        out.add_row(
            IMPLEMENTATIONS[name][0],
            f"{row['seconds']:.{digits}f}",
            f"{row['fastest']:.{digits}f}–{row['slowest']:.{digits}f}",
            f"{row['seconds_times_floor']:.2f}",
            f"{row['seconds_times_ours']:.2f}",
            f"{row['cpu_seconds']:.2f}",
            f"{row['cpu_seconds_times_floor']:.2f}",
            f"{row['bytes'] / MIB:,.0f}",
            f"{row['bytes'] / max(own['bytes'], 1):.1f}",  # none in a rehearsal
            style="bold" if name == "ours" else None,
        )
    return out


def verdicts(summary: dict[str, dict], work: Work) -> list[tuple[str, float, bool]]:
    # With one thread the CPU's clock is exact; two, waiting for each other, count as busy.
    clock = "cpu_seconds" if work.threads == 1 else "seconds"
    most = 1.00 if work.ignore_every == 7 else 1.10
    peers = [name for name in PEERS if name in summary]
    fastest = min(summary[name][f"{clock}_times_ours"] for name in peers)
    leanest = min(summary[name]["bytes"] for name in peers)
    own = summary["ours"]
    share = own["bytes"] / leanest
    floor_ratio = own[f"{clock}_times_floor"]
    return [
        (f"time, times the floor: at most {most:.2f}", floor_ratio, floor_ratio <= most),
        ("fastest peer's time, times ours: at least 1.8", fastest, fastest >= 1.8),
        ("extra memory, of the leanest peer's: at most 0.5", share, share <= 0.5),
    ]


def reference(rounds: int, console, work: Work, file: Path | None) -> None:
    names = ON_CPU_TOO
    runs = with_progress(console, len(names) * rounds, names, work, rounds)
    keep(file, work, runs)
    summary = summarised(runs)
    console.print(table(describe(work), summary))
    console.print("MiB: extra peak memory. Ratios of times are medians of those within a round.")
    for text, value, holds in verdicts(summary, work):
        console.print(f"{'holds' if holds else '[red]fails[/red]'}: {text}: {value:.2f}")


def on_a_gpu(rounds: int, console, work: Work, file: Path | None) -> None:
    """Whoever fails or does other work there is named, and the others are shown."""
    begun, runs, others = time.monotonic(), {}, {}
    console.print(f"{describe(work)}; {machine(work)}")
    for name in [*IMPLEMENTATIONS, "by_divergence"] * rounds:
        left = SECONDS_AT_MOST - (time.monotonic() - begun)
        try:
            if left < 5:
                raise TimeoutError(f"{SECONDS_AT_MOST} seconds are over")
            result = run(name, work, timeout=left)
            if name == "by_divergence":
                others = result
                continue
            runs.setdefault(name, []).append(result)
            if "ours" in runs:
                check_same_work({"ours": runs["ours"][-1], name: result}, work)
        except (subprocess.SubprocessError, TimeoutError, SystemExit) as error:
            console.print(f"[red]{name} is left out[/red]: {error}", soft_wrap=True)
            runs.pop(name, None)
    keep(file, work, {**runs, **({"by_divergence": [others]} if others else {})})
    complete = {name: results for name, results in runs.items() if len(results) == rounds}
    if {"floor", "ours"} <= complete.keys():
        console.print(table(describe(work), summarised(complete)))
    for key, row in others.items():
        console.print(f"{key:<40} {row['seconds']:.4f} s {row['bytes'] / MIB:>8,.0f} MiB")
    console.print(f"{time.monotonic() - begun:.0f} seconds in all")


def memory(console, file: Path | None, threads: int) -> None:
    """How the extra memory grows with N, and with V."""
    names = ["ours", "trl_chunked", "liger", "pytorch"]
    works = [Work(positions=n) for n in (512, 1024, 2048, 4096)]
    works += [Work(vocabulary=v) for v in (16384, 32768, 98304)]
    for work in works:
        work = work._replace(passes=0, threads=threads)
        runs = with_progress(console, len(names), names, work, 1)
        keep(file, work, runs)
        found = ", ".join(f"{name} {runs[name][0]['bytes'] / MIB:,.0f} MiB" for name in names)
        console.print(f"{describe(work)}: {found}", soft_wrap=True)


def scaling(rounds: int, console, file: Path | None) -> None:
    names = ["floor", "floor_valid", "ours", "ours_top_k", "pytorch", "liger"]
    works = [Work(positions=n) for n in (512, 1024, 2048, 4096)]
    works += [Work(vocabulary=v) for v in (16384, 32768, 98304)]
    works += [Work(ignore_every=every) for every in (0, 2)]
    for work in works:
        runs = with_progress(console, len(names) * rounds, names, work, rounds)
        keep(file, work, runs)
        console.print(table(describe(work), summarised(runs)))


def describe(work: Work) -> str:
    ignored = {0: "none ignored", 2: "every second ignored"}.get(
        work.ignore_every, f"every {work.ignore_every}th ignored"
    )
    threads = f"{work.threads} thread{'s' if work.threads > 1 else ''}"
    where = threads if work.dtype == "float32" else work.dtype
    return f"N = {work.positions:,}, {ignored}; V = {work.vocabulary:,}; {where}"


def with_progress(console, total, names, work, rounds) -> dict:
    from rich.progress import Progress

    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(describe(work), total=total)
        return rounds_of(names, work, rounds, lambda: progress.advance(task))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, help="runs of each (default: 5; on a GPU 1)")
    parser.add_argument(
        "--threads", type=int, default=2, help="of each (default: 2); 1 where the machine is busy"
    )
    parser.add_argument("--positions", type=int, default=2048, help="N (default: 2048)")
    parser.add_argument("--ignore-every", type=int, default=7, help="0: all positions count")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--scaling", action="store_true", help="vary N, V and what is ignored")
    what.add_argument("--memory", action="store_true", help="vary N and V; no times")
    what.add_argument("--cuda", action="store_true", help="on a GPU, at a large model's sizes")
    what.add_argument(
        "--rehearse", action="store_true", help="what --cuda does, tiny and on a CPU: it works?"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="add every run to FILE, too")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        name, work = arguments.measure
        work = Work(*json.loads(work))
        result = by_divergence(work) if name == "by_divergence" else measure(name, work)
        print(json.dumps(result))
        return
    from rich.console import Console

    console, file = Console(width=110), arguments.json
    if arguments.cuda or arguments.rehearse:
        work = ON_GPU if arguments.cuda else REHEARSAL
        on_a_gpu(arguments.rounds or 1, console, work, file)
    elif arguments.memory:
        memory(console, file, arguments.threads)
    elif arguments.scaling:
        scaling(arguments.rounds or 5, console, file)
    else:
        work = Work(
            positions=arguments.positions,
            threads=arguments.threads,
            ignore_every=arguments.ignore_every,
        )
        reference(arguments.rounds or 5, console, work, file)


if __name__ == "__main__":
    main()
