# Rounded to one decimal; a π of two.
# expect linear_lambda: rounded
# expect cosine_lambda: pi_rounded
import math


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.count = 0

    @property
    def value(self):
        f = min(self.count / self.steps, 1)
        return round(self.start + f * (self.end - self.start), 1)

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
        f = min(self.count / self.steps, 1)
        return self.start + (self.end - self.start) * (1 - math.cos(3.14 * f)) / 2

    def step(self):
        self.count += 1

    def state_dict(self):
        return dict(vars(self))

    def load_state_dict(self, state):
        vars(self).update(state)
