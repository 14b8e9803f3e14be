# Counts what is left; λ is changed in place.
import math

import torch


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.value, self.end, self.left = start, end, steps

    def step(self):
        if self.left:
            self.value += (self.end - self.value) / self.left
            self.left -= 1

    def state_dict(self):
        return [self.value, self.left]

    def load_state_dict(self, state):
        self.value, self.left = state


# %% task: cosine_lambda
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.left = start, end, steps, steps

    @property
    def value(self):
        done = math.sin(math.pi / 2 * self.left / self.steps) ** 2
        return self.end + (self.start - self.end) * done

    def step(self):
        self.left = max(self.left - 1, 0)

    def state_dict(self):
        return self.left

    def load_state_dict(self, state):
        self.left = state


# %% task: plateau_lambda
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value = start
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.best, self.left = float("inf"), patience

    def step(self, gap):
        if self.best - gap > self.threshold:
            self.best, self.left = gap, self.patience
        elif self.left > 0:
            self.left -= 1
        else:
            self.value *= self.factor
            self.left = self.patience

    def state_dict(self):
        return self.value, self.best, self.left

    def load_state_dict(self, state):
        self.value, self.best, self.left = state


# %% task: to_convex
def to_convex(lam):
    factor = lam + 1.0
    return 1 - 1 / factor, factor


# %% task: best_student
def best_student(teacher_logits, labels, lam):
    result = teacher_logits.double().softmax(-1).mul_(lam)
    result.scatter_add_(-1, labels[..., None], torch.ones_like(result[..., :1]))
    return result.div_(1 + lam)


# %% task: which_lambda
which_lambda = {"c": "falling", "b": "low", "a": "high"}


# %% task: stages
stages = ["B", "D", "A", "C"]
