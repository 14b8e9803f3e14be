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
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import contenders
from contenders import IMPLEMENTATIONS, ON_CPU_TOO, ON_GPU, PEERS, Work

MIB = 2**20
# The same steps on a CPU, in Triton's interpreter: it shows that they work, not how fast they are.
REHEARSAL = ON_GPU._replace(
    positions=8, vocabulary=512, threads=1, student_dim=16, teacher_dim=32, device="cpu", passes=2
)
SECONDS_AT_MOST = 450  # of a run on a GPU; what is not done by then is left out, and said


def run(name: str, work: Work, timeout: float | None = None) -> dict:
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(work.threads),
        "HF_HUB_OFFLINE": "1",
        "TRL_EXPERIMENTAL_SILENCE": "1",
    }
    if work.dtype == REHEARSAL.dtype and work.device == "cpu":
        environment |= {"TRITON_INTERPRET": "1", "KDLAB_TRITON": "1"}
    command = [sys.executable, contenders.__file__, name, json.dumps(work)]
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
    arguments = parser.parse_args()
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
