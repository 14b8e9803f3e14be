# A second fall begins where the first did; tables without their end.
# expect linear_lambda: no_value_at_the_end
# expect cosine_lambda: no_value_at_the_end
# expect best_student: tables_alone
# expect to_convex: breaks_without_a_teacher
# expect plateau_lambda: falls_from_the_start
import math

import torch.nn.functional as F


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.table = [start + (end - start) * self.way(n / steps) for n in range(steps)]
        self.count = 0

    @staticmethod
    def way(fraction):
        return fraction

    @property
    def value(self):
        return self.table[self.count]

    def step(self):
        self.count += 1

    def state_dict(self):
        return self.count

    def load_state_dict(self, state):
        self.count = state


# %% task: cosine_lambda
class CosineLambda(LinearLambda):
    @staticmethod
    def way(fraction):
        return (1 - math.cos(math.pi * fraction)) / 2


# %% task: plateau_lambda
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.start = self.value = start
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.best = float("inf")
        self.waited = 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best = gap
            self.waited = 0
        else:
            self.waited += 1
            if self.waited > self.patience:
                self.value = self.start * self.factor
                self.waited = 0

    def state_dict(self):
        return {"value": self.value, "best": self.best, "waited": self.waited}

    def load_state_dict(self, state):
        self.value = state["value"]
        self.best = state["best"]
        self.waited = state["waited"]


# %% task: to_convex
def to_convex(lam):
    alpha = lam / (1 + lam)
    return alpha, lam / alpha


# %% task: best_student
def best_student(teacher_logits, labels, lam):
    q = lam * F.softmax(teacher_logits, dim=-1)
    positions, _ = q.shape
    q[range(positions), labels] += 1
    return q / (1 + lam)
