# λ moves one step late; nothing is too late to be waited for.
# expect linear_lambda: begins_one_step_late
# expect cosine_lambda: begins_one_step_late
# expect plateau_lambda: one_evaluation_too_late
# expect to_convex: lambda_of_alpha
# expect best_student: label_alone
import math

import torch.nn.functional as F


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.count = 0

    @property
    def value(self):
        fraction = min(max(self.count - 1, 0) / self.steps, 1)
        return self.start + (self.end - self.start) * fraction

    def step(self):
        self.count += 1

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


# %% task: cosine_lambda
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.count = 0

    @property
    def value(self):
        fraction = min(max(self.count - 1, 0) / self.steps, 1)
        fraction = (1 - math.cos(math.pi * fraction)) / 2
        return self.start + (self.end - self.start) * fraction

    def step(self):
        self.count += 1

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


# %% task: plateau_lambda
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.best = float("inf")
        self.waited = 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best = gap
            self.waited = 0
        else:
            self.waited += 1
            if self.waited > self.patience + 1:
                self.value *= self.factor
                self.waited = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "waited": self.waited}

    def load_state_dict(self, state):
        self.value = state["value"]
        self.best = state["best"]
        self.waited = state["waited"]


# %% task: to_convex
def to_convex(lam):
    return lam / (1 - lam), 1 - lam


# %% task: best_student
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, dim=-1)
    y = F.one_hot(labels, p.shape[-1]).float()
    return y
