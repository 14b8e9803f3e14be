# A fraction of two digits.
# expect linear_lambda: fraction_rounded
# expect cosine_lambda: fraction_rounded
import math


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.count = 0

    @property
    def value(self):
        f = round(min(self.count / self.steps, 1), 2)
        return self.start + (self.end - self.start) * f

    def step(self):
        self.count += 1

    def state_dict(self):
        return dict(vars(self))

    def load_state_dict(self, state):
        vars(self).update(state)


# %% task: cosine_lambda
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.count = 0

    @property
    def value(self):
        f = round(min(self.count / self.steps, 1), 2)
        return self.start + (self.end - self.start) * (1 - math.cos(math.pi * f)) / 2

    def step(self):
        self.count += 1

    def state_dict(self):
        return dict(vars(self))

    def load_state_dict(self, state):
        vars(self).update(state)
