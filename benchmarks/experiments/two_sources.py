"""Page 2.1: labels, a weak teacher, or both, with little text, with more and with all of it.

The teacher is the same in every arm, and so is the number of steps. What changes is how many labels
there are, and how much the teacher counts.
"""

from benchmarks.experiments.table_teacher import Student, run
from kdlab import Sweep

TEXTS = {"60 blocks": 60, "600 blocks": 600, "all text": None}
SOURCES = {"labels": 0.0, "λ = 0.25": 0.25, "λ = 1": 1.0, "λ = 4": 4.0, "teacher": None}

SWEEP = Sweep(
    "two_sources",
    {
        f"{text}: {source}": Student(
            lam=lam, blocks=blocks, steps=800, batch_size=8, eval_every=100
        )
        for text, blocks in TEXTS.items()
        for source, lam in SOURCES.items()
    },
    seeds=5,
    run=run,
)
