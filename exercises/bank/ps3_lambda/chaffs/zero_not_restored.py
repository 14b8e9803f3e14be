# A best gap of 0 that is taken for none, and a student for one number of axes.
# expect linear_lambda: rest_planned_anew
# expect plateau_lambda: zero_not_restored
# expect best_student: batches_alone
import math

import torch.nn.functional as F


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.plan(start, end, steps)

    def plan(self, start, end, steps):
        self.start, self.end, self.steps, self.done = start, end, steps, 0

    def value(self):
        return self.start + (self.end - self.start) * min(self.done / self.steps, 1)

    def step(self):
        self.done += 1

    def state_dict(self):
        return {"value": self.value(), "left": max(self.steps - self.done, 0)}

    def load_state_dict(self, state):
        self.plan(state["value"], self.end, state["left"])


# %% task: plateau_lambda
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor, self.patience, self.threshold = start, factor, patience, threshold
        self.best, self.waited = math.inf, 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best, self.waited = gap, 0
            return
        self.waited += 1
        if self.waited > self.patience:
            self.value, self.waited = self.value * self.factor, 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "waited": self.waited}

    def load_state_dict(self, state):
        self.value = state.get("value") or 0.0
        self.best = state.get("best") or math.inf
        self.waited = state.get("waited") or 0


# %% task: best_student
def best_student(teacher_logits, labels, lam):
    B, L, V = teacher_logits.shape
    p = F.softmax(teacher_logits.view(B * L, V), dim=-1)
    y = F.one_hot(labels.view(B * L), V)
    return ((y + lam * p) / (1 + lam)).view(B, L, V)
