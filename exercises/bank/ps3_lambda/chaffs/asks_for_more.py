# step() asks for a loss; a cosine of the count; more patience after a fall.
# expect linear_lambda: method_asks_for_more
# expect cosine_lambda: not_divided_by_steps
# expect plateau_lambda: waits_longer_after_a_fall
# expect to_convex: another_factor
# expect best_student: rounded
import math


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.count = start, end, steps, 0

    @property
    def value(self):
        share = min(self.count / self.steps, 1.0)
        return self.start + (self.end - self.start) * share

    def step(self, loss):
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
        share = (1 - math.cos(math.pi * self.count)) / 2
        return self.start + (self.end - self.start) * share

    def step(self):
        self.count += 1

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


# %% task: plateau_lambda
class PlateauLambda:
    def __init__(self, start, factor, patience, threshold):
        self.value, self.factor = start, factor
        self.patience, self.threshold = patience, threshold
        self.best, self.waited = float("inf"), 0

    def step(self, gap):
        if self.best - gap > self.threshold:
            self.best, self.waited = gap, 0
            return
        self.waited += 1
        if self.waited > self.patience:
            self.value, self.waited = self.value * self.factor, -1

    def state_dict(self):
        return dict(vars(self))

    def load_state_dict(self, state):
        vars(self).update(state)


# %% task: to_convex
def to_convex(lam):
    return lam / (1 + lam), (1 + lam) ** 2


# %% task: best_student
def best_student(teacher_logits, labels, lam):
    p = F.softmax(teacher_logits, dim=-1)
    label = F.one_hot(labels, p.shape[-1])
    return ((label + lam * p) / (1 + lam)).round(decimals=4)
