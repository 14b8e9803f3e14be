"""Lab 4.1: labels, teacher or both, for the same number of steps; all of the text, and a tenth.

The control is a student on labels alone that trains for the seconds which the combined one took.
"""

from collections.abc import Mapping
from dataclasses import replace

from kdlab import Recipe, Sweep, SweepResults

TEXTS = {"all text": 1.0, "a tenth": 0.1}
BASE = Recipe(vocab_size=512, steps=120, eval_every=20, eval_blocks=64)
ARMS = {
    "labels": {"arm": "lm"},
    "teacher": {"arm": "kd"},
    "λ = 0.25": {"lam": 0.25},
    "λ = 1": {"lam": 1.0},
    "λ = 4": {"lam": 4.0},
    "linear": {"lam": 4.0, "schedule": "linear"},
    "cosine": {"lam": 4.0, "schedule": "cosine"},
    "exponential": {"lam": 4.0, "schedule": "exponential"},
    "warm-up, stable, decay": {"lam": 4.0, "schedule": "warmup_stable_decay"},
    "plateau": {"lam": 4.0, "schedule": "plateau"},
    "ratio": {"lam": 0.3, "schedule": "ratio"},
}


def as_long(results: SweepResults) -> Mapping[str, Recipe]:
    """Labels alone, with as many steps more as they are faster."""
    arms = {}
    for text, fraction in TEXTS.items():
        alone, both = (
            results.mean(f"{text}: {arm}", "tokens_per_second").mean for arm in ("labels", "λ = 1")
        )
        steps = round(BASE.steps * alone / both)
        recipe = replace(BASE, arm="lm", train_fraction=fraction, steps=steps)
        arms[f"{text}: labels, as long"] = recipe
    return arms


SWEEP = Sweep(
    "laptop",
    {
        f"{text}: {name}": replace(BASE, train_fraction=fraction, **changes)
        for text, fraction in TEXTS.items()
        for name, changes in ARMS.items()
    },
    seeds=5,
    then=as_long,
)
