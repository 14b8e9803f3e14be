# Tables of all values; a dataclass; numpy.
from dataclasses import asdict, dataclass

import numpy as np
import torch


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.table = start + (end - start) * np.arange(steps + 1) / steps
        self.count = 0

    @property
    def value(self):
        return self.table[self.count] if self.count < len(self.table) else self.table[-1]

    def step(self):
        self.count += 1

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = dict(state).pop("count")


# %% task: cosine_lambda
class CosineLambda:
    def __init__(self, start, end, steps):
        phases = np.linspace(0, np.pi, steps + 1)
        self.left = list((start + end) / 2 + (start - end) / 2 * np.cos(phases))

    @property
    def value(self):
        return float(self.left[0])

    def step(self):
        self.left = self.left[1:] or self.left

    def state_dict(self):
        return {"left": list(self.left)}

    def load_state_dict(self, state):
        self.left = list(state["left"])


# %% task: plateau_lambda
@dataclass
class PlateauLambda:
    start: float
    factor: float
    patience: int
    threshold: float
    best: float = np.inf
    waited: int = 0
    falls: int = 0

    @property
    def value(self):
        return self.start * self.factor**self.falls

    def step(self, gap):
        gained = gap < self.best - self.threshold
        self.best = gap if gained else self.best
        self.waited = 0 if gained else self.waited + 1
        if self.waited == self.patience + 1:
            self.falls, self.waited = self.falls + 1, 0

    def state_dict(self):
        return asdict(self)

    def load_state_dict(self, state):
        for name, value in state.items():
            setattr(self, name, value)


# %% task: to_convex
def to_convex(lam):
    alpha, factor = np.divide([lam, (1 + lam) ** 2], 1 + lam)
    return alpha, factor


# %% task: best_student
def best_student(teacher_logits, labels, lam):
    scores = teacher_logits.numpy().astype(np.float64)
    p = np.exp(scores - np.logaddexp.reduce(scores, axis=-1, keepdims=True))
    return torch.from_numpy((np.eye(p.shape[-1])[labels.numpy()] + lam * p) / (1 + lam))


# %% task: which_lambda
which_lambda = {case: kind for kind, case in {"high": "a", "low": "b", "falling": "c"}.items()}


# %% task: stages
stages = ["b", "d", "a", "c"]
