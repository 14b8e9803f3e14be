# `__init__` is misspelt, so that no options are taken; α is a difference of rounded numbers.
# expect linear_lambda: options_not_taken
# expect cosine_lambda: options_not_taken
# expect plateau_lambda: options_not_taken
# expect to_convex: difference_of_rounded_numbers
import math

import torch


# %% task: linear_lambda
class LinearLambda:
    def _init_(self, start, end, steps):
        self.start, self.end, self.steps, self.count = start, end, steps, 0

    @property
    def value(self):
        return self.start + (self.end - self.start) * min(self.count / self.steps, 1.0)

    def step(self):
        self.count += 1

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


# %% task: cosine_lambda
class CosineLambda:
    def __int__(self, start, end, steps):
        self.start, self.end, self.steps, self.count = start, end, steps, 0

    @property
    def value(self):
        share = (1 - math.cos(math.pi * min(self.count / self.steps, 1.0))) / 2
        return self.start + (self.end - self.start) * share

    def step(self):
        self.count += 1

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


# %% task: plateau_lambda
class PlateauLambda:
    def _init_(self, start, factor, patience, threshold):
        self.value, self.factor = start, factor
        self.patience, self.threshold = patience, threshold
        self.best, self.waited = float("inf"), 0

    def step(self, gap):
        if gap < self.best - self.threshold:
            self.best, self.waited = gap, 0
            return
        self.waited += 1
        if self.waited > self.patience:
            self.value, self.waited = self.value * self.factor, 0

    def state_dict(self):
        return dict(vars(self))

    def load_state_dict(self, state):
        vars(self).update(state)


# %% task: to_convex
def to_convex(lam):
    factor = torch.tensor(1 + lam)
    return 1 - 1 / factor, factor
