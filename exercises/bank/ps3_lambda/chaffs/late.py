# One step too late.
# expect linear_lambda: ends_one_step_late
# expect cosine_lambda: ends_one_step_late
# expect plateau_lambda: last_for_best
# expect to_convex: weights_swapped
# expect best_student: lambda_ignored
# expect which_lambda: wrong_c_high
import math

import torch.nn.functional as F


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.count = start, end, steps, 0

    @property
    def value(self):
        fraction = min(self.count / (self.steps + 1), 1)
        return self.start + (self.end - self.start) * (fraction)

    def step(self):
        self.count += 1

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


# %% task: cosine_lambda
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.count = start, end, steps, 0

    @property
    def value(self):
        fraction = min(self.count / (self.steps + 1), 1)
        return self.start + (self.end - self.start) * ((1 - math.cos(math.pi * fraction)) / 2)

    def step(self):
        self.count += 1

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


# %% task: plateau_lambda
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.waited = math.inf, 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best, self.waited = gap, 0
        else:
            self.waited += 1
            if self.waited > self.patience:
                self.value, self.waited = self.value * self.factor, 0
        self.best = gap

    def state_dict(self):
        return dict(self.__dict__)

    def load_state_dict(self, state):
        self.__dict__.update(state)


# %% task: to_convex
def to_convex(lam):
    return 1 / (1 + lam), 1 + lam


# %% task: best_student
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, dim=-1)
    y = F.one_hot(labels, p.shape[-1])
    return (y + p) / 2


# %% task: which_lambda
which_lambda = {"a": "high", "b": "low", "c": "high"}
