# Shares of the way are added up until they seem to be all of it.
# expect linear_lambda: rounded_steps_added_up
# expect cosine_lambda: rounded_steps_added_up
import math


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.share = 0.0

    @property
    def value(self):
        return self.start + (self.end - self.start) * self.share

    def step(self):
        if self.share < 1:
            self.share += 1 / self.steps

    def state_dict(self):
        return dict(vars(self))

    def load_state_dict(self, state):
        vars(self).update(state)


# %% task: cosine_lambda
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps = start, end, steps
        self.share = 0.0

    @property
    def value(self):
        return self.start + (self.end - self.start) * (1 - math.cos(math.pi * self.share)) / 2

    def step(self):
        if self.share < 1:
            self.share += 1 / self.steps

    def state_dict(self):
        return dict(vars(self))

    def load_state_dict(self, state):
        vars(self).update(state)
