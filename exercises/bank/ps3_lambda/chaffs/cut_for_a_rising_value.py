# Stops at the end with min(), which holds a falling lambda at once at the end value; start left
# out; first gap counted as a miss; divides by 2 for any lam; alpha = 1 - 1 / lambda: wrong, and a
# division by zero at lambda = 0.
# expect linear_lambda: cut_for_a_rising_value
# expect cosine_lambda: start_left_out
# expect plateau_lambda: first_gap_missed
# expect best_student: other_weights
# expect to_convex: another_share
import math

import torch.nn.functional as F


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.count = 0

    @property
    def value(self):
        return min(self.start + self.count * (self.end - self.start) / self.steps, self.end)

    def step(self):
        self.count += 1

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


# %% task: cosine_lambda
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.n = start, end, steps, 0

    @property
    def value(self):
        f = min(self.n, self.steps) / self.steps
        return (self.end - self.start) * (1 - math.cos(math.pi * f)) / 2

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


# %% task: plateau_lambda
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.best, self.waited = float("inf"), 0

    def step(self, gap):
        if self.best == float("inf"):
            self.best = gap
            self.waited += 1
        elif gap < self.best - self.threshold:
            self.best = gap
            self.waited = 0
        else:
            self.waited += 1
            if self.waited > self.patience:
                self.value *= self.factor
                self.waited = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "waited": self.waited}

    def load_state_dict(self, state):
        self.value, self.best, self.waited = state["value"], state["best"], state["waited"]


# %% task: best_student
def best_student(teacher_logits, labels, lam):
    p = teacher_logits.softmax(-1)
    return (F.one_hot(labels, p.shape[-1]) + lam * p) / 2


# %% task: to_convex
def to_convex(lam):
    return 1 - 1 / lam, lam
