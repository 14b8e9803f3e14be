"""Lab 4.2: a small model teaches a larger one; λ constant, falling, and reacting.

The teacher is the course's small shape, the student its large one. One teacher knows a little, the
other less: where does its help turn to harm?
"""

from dataclasses import replace

from benchmarks.experiments.laptop import ARMS
from kdlab import Recipe, Sweep

BASE = Recipe(
    vocab_size=512,
    teacher="tiny-student",
    student="tiny-teacher",
    steps=150,
    eval_every=10,
    eval_blocks=64,
)
STEPS = {"weak": 225, "weaker": 100}  # of each teacher's training
HEARD = {
    "weak": ("λ = 0.25", "λ = 1", "λ = 4", "linear", "exponential", "plateau", "ratio"),
    "weaker": ("λ = 1", "λ = 4", "linear", "plateau"),
}

SWEEP = Sweep(
    "weak_teacher",
    {"labels": replace(BASE, arm="lm", teacher_steps=STEPS["weak"])}
    | {
        f"{teacher}: {name}": replace(BASE, teacher_steps=STEPS[teacher], **ARMS[name])
        for teacher, names in HEARD.items()
        for name in names
    },
    seeds=3,
)
