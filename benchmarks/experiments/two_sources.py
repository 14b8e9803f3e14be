"""Page 2.1: labels, a weak teacher, or both, with little text, with more and with all of it.

The teacher is the same in every arm, and so is the number of steps. What changes is how many labels
there are, and how much the teacher counts.
"""

from dataclasses import replace

from benchmarks.experiments.table_teacher import Student, run
from kdlab import Sweep

TEXTS = {"60 blocks": 60, "600 blocks": 600, "all text": None}
SOURCES = {"labels": 0.0, "λ = 0.25": 0.25, "λ = 1": 1.0, "λ = 4": 4.0, "teacher": None}

BASE = Student(steps=800, batch_size=8, eval_every=100)
LONGER = replace(BASE, steps=1600, eval_every=200)  # reads twice as many labels

SWEEP = Sweep(
    "two_sources",
    {
        f"{text}: {source}": replace(BASE, lam=lam, blocks=blocks)
        for text, blocks in TEXTS.items()
        for source, lam in SOURCES.items()
    }
    | {
        f"all text, longer: {name}": replace(LONGER, lam=SOURCES[name])
        for name in ("labels", "λ = 1")
    },
    seeds=5,
    run=run,
)
