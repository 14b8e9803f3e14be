"""Lab 4.5 on a GPU: every second layer of SmolLM2 as a start, the teacher asked live, bfloat16."""

from dataclasses import replace

from benchmarks.experiments.pretrained import MODEL, unpack
from kdlab import Recipe, Sweep

BASE = Recipe(
    teacher=f"hf:{MODEL.as_posix()}",
    student="layers:2",
    mixed_precision="bf16",
    steps=400,
    batch_size=32,
    learning_rate=5e-4,
    eval_every=50,
    eval_blocks=128,
)


def prepare(sweep: Sweep) -> None:
    """The teacher, unpacked."""
    if not (MODEL / "config.json").exists():
        unpack()


SWEEP = Sweep(
    "pretrained_gpu",
    {
        "labels": replace(BASE, arm="lm"),
        "teacher": replace(BASE, arm="kd"),
        "λ = 1": BASE,
        "linear": replace(BASE, lam=4.0, schedule="linear"),
    },
    seeds=2,
    prepare=prepare,
)
