# A table with nothing after its end; small gains move what is to be beaten.
# expect linear_lambda: no_value_past_the_end
# expect cosine_lambda: quarter_of_a_sine
# expect plateau_lambda: small_gains_become_the_best
# expect to_convex: pair_turned_round
# expect best_student: teacher_softmaxed_twice
import math

import torch.nn.functional as F


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.table = [start + (end - start) * count / steps for count in range(steps + 1)]
        self.count = 0

    @property
    def value(self):
        return self.table[self.count]

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
        fraction = min(self.count / self.steps, 1)
        fraction = math.sin(math.pi / 2 * fraction)
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
        gains = gap < self.best - self.threshold
        self.best = min(self.best, gap)
        if gains:
            self.waited = 0
        else:
            self.waited += 1
            if self.waited > self.patience:
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
    return 1 + lam, lam / (1 + lam)


# %% task: best_student
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, dim=-1)
    p = F.softmax(p, dim=-1)
    y = F.one_hot(labels, p.shape[-1]).float()
    return (y + lam * p) / (1 + lam)
