# step() does nothing.
# expect linear_lambda: never_moves
# expect cosine_lambda: never_moves
# expect plateau_lambda: falls_on_gain
# expect best_student: logits_mixed
# expect which_lambda: wrong_b_falling_c_low
import math

import torch.nn.functional as F


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.count = start, end, steps, 0

    @property
    def value(self):
        fraction = min(self.count / self.steps, 1)
        return self.start + (self.end - self.start) * (fraction)

    def step(self):
        pass

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
        return self.start + (self.end - self.start) * ((1 - math.cos(math.pi * fraction)) / 2)

    def step(self):
        pass

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
            self.best = gap
            self.value *= self.factor
        else:
            self.waited += 1
            if False:
                self.value, self.waited = self.value * self.factor, 0

    def state_dict(self):
        return dict(self.__dict__)

    def load_state_dict(self, state):
        self.__dict__.update(state)


# %% task: best_student
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, dim=-1)
    y = F.one_hot(labels, p.shape[-1])
    return (y + lam * teacher_logits) / (1 + lam)


# %% task: which_lambda
which_lambda = {"a": "high", "b": "falling", "c": "low"}
