# From the end to the start.
# expect linear_lambda: start_and_end_swapped
# expect cosine_lambda: start_and_end_swapped
# expect plateau_lambda: rising_gap_wanted
# expect to_convex: factor_inverted
# expect best_student: teacher_alone
# expect which_lambda: wrong_a_falling_c_high
import math

import torch.nn.functional as F


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.count = start, end, steps, 0

    @property
    def value(self):
        fraction = min(self.count / self.steps, 1)
        return self.start + (self.end - self.start) * (1 - fraction)

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
        fraction = min(self.count / self.steps, 1)
        return self.start + (self.end - self.start) * ((1 + math.cos(math.pi * fraction)) / 2)

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
        self.best, self.waited = -math.inf, 0

    def step(self, gap):
        if gap > self.best + self.threshold:
            self.best, self.waited = gap, 0
        else:
            self.waited += 1
            if self.waited > self.patience:
                self.value, self.waited = self.value * self.factor, 0

    def state_dict(self):
        return dict(self.__dict__)

    def load_state_dict(self, state):
        self.__dict__.update(state)


# %% task: to_convex
def to_convex(lam):
    return lam / (1 + lam), 1 / (1 + lam)


# %% task: best_student
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, dim=-1)
    F.one_hot(labels, p.shape[-1])
    return p


# %% task: which_lambda
which_lambda = {"a": "falling", "b": "low", "c": "high"}
