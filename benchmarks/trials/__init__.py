"""The trials of tried.py, page by page."""

from benchmarks.trials import after, before, combined

TRIALS = [*before.TRIALS, *combined.TRIALS, *after.TRIALS]
