# Steps counted double; degrees for radians; counts the gain as an evaluation; teacher argmax as
# the second one-hot.
# expect linear_lambda: another_pace
# expect cosine_lambda: another_curve
# expect plateau_lambda: gain_counted
# expect best_student: likeliest_for_teacher
import math

import torch.nn.functional as F


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.count = 0

    @property
    def value(self):
        f = min(self.count / self.steps, 1)
        return self.start + f * (self.end - self.start)

    def step(self):
        self.count += 2

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
        f = min(self.count / self.steps, 1)
        return self.start + (1 - math.cos(180 * f)) / 2 * (self.end - self.start)

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
        self.best, self.waited = float("inf"), 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best = gap
            self.waited = 1
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
    y = F.one_hot(labels, p.shape[-1])
    t = F.one_hot(p.argmax(-1), p.shape[-1])
    return (y + lam * t) / (1 + lam)
