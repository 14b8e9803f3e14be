"""Lab 4.2: a small model teaches a larger one; λ constant, falling, and reacting.

The teacher is the course's small shape, the student its large one. One teacher knows a little, the
other less: where does its help turn to harm?
"""

from dataclasses import replace

from kdlab import Recipe, Sweep

BASE = Recipe(
    vocab_size=512,
    teacher="tiny-student",
    student="tiny-teacher",
    steps=160,
    eval_every=20,
    eval_blocks=64,
)
TEACHERS = {"weak": 300, "weaker": 100}  # by their steps of training
ARMS = {
    "λ = 0.25": {"lam": 0.25},
    "λ = 1": {"lam": 1.0},
    "λ = 4": {"lam": 4.0},
    "linear": {"lam": 4.0, "schedule": "linear"},
    "exponential": {"lam": 4.0, "schedule": "exponential"},
    "plateau": {"lam": 4.0, "schedule": "plateau"},
}
LEFT_OUT = {"weaker: λ = 0.25", "weaker: exponential", "weaker: plateau"}

SWEEP = Sweep(
    "weak_teacher",
    {"labels": replace(BASE, arm="lm", teacher_steps=TEACHERS["weak"])}
    | {
        f"{teacher}: {name}": replace(BASE, teacher_steps=steps, **changes)
        for teacher, steps in TEACHERS.items()
        for name, changes in ARMS.items()
        if f"{teacher}: {name}" not in LEFT_OUT
    },
    seeds=3,
)
