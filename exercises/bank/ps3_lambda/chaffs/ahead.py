# One step ahead of training.
# expect linear_lambda: begins_one_step_ahead
# expect cosine_lambda: begins_one_step_ahead
# expect plateau_lambda: no_new_patience_after_a_fall
# expect to_convex: alpha_is_lambda_rescaled
# expect best_student: lambda_on_the_label
# expect which_lambda: wrong_b_high
# expect stages: a_before_d
import math

import torch.nn.functional as F


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.count = start, end, steps, 0

    @property
    def value(self):
        fraction = min((self.count + 1) / self.steps, 1)
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
        fraction = min((self.count + 1) / self.steps, 1)
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
                self.value *= self.factor

    def state_dict(self):
        return dict(self.__dict__)

    def load_state_dict(self, state):
        self.__dict__.update(state)


# %% task: to_convex
def to_convex(lam):
    return lam, 1 + lam


# %% task: best_student
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, dim=-1)
    y = F.one_hot(labels, p.shape[-1])
    return (lam * y + p) / (1 + lam)


# %% task: which_lambda
which_lambda = {"a": "high", "b": "high", "c": "falling"}


# %% task: stages
stages = ["b", "a", "d", "c"]
