# A λ that is saved as its method, a floor, and a teacher at another temperature.
# expect linear_lambda: held_between_0_and_1
# expect cosine_lambda: frozen_after_loading
# expect plateau_lambda: kept_above_a_floor
# expect best_student: teacher_softened
import math

import torch.nn.functional as F


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0

    @property
    def value(self):
        v = self.start + (self.end - self.start) * min(self.n, self.steps) / self.steps
        return min(max(v, 0.0), 1.0)

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task: cosine_lambda
class CosineLambda:
    """λ from start to end along half a cosine; then it stays."""

    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.n = 0

    def value(self):
        f = min(self.n / self.steps, 1.0)
        return self.start + (self.end - self.start) * 0.5 * (1 - math.cos(math.pi * f))

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n, "value": self.value}

    def load_state_dict(self, state):
        for key, v in state.items():
            setattr(self, key, v)


# %% task: plateau_lambda
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.bad = math.inf, 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best, self.bad = gap, 0
        else:
            self.bad += 1
            if self.bad > self.patience:
                self.value, self.bad = max(self.value * self.factor, 0.1), 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "bad": self.bad}

    def load_state_dict(self, state):
        self.__dict__.update(state)


# %% task: best_student
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits / 2, -1)
    y = F.one_hot(labels, p.shape[-1]).float()
    return (y + lam * p) / (1 + lam)
