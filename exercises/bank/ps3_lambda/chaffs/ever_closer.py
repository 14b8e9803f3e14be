# A decay.
# The distance has no sign.
# expect linear_lambda: comes_ever_closer
# expect cosine_lambda: distance_without_a_sign
import math


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.value, self.end = start, end

    def step(self):
        self.value = self.end + (self.value - self.end) * 0.9

    def state_dict(self):
        return self.value

    def load_state_dict(self, state):
        self.value = state


# %% task: cosine_lambda
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.steps, self.n = start, steps, 0
        self.range = abs(end - start)

    @property
    def value(self):
        f = min(self.n, self.steps) / self.steps
        return self.start + self.range * (1 - math.cos(math.pi * f)) / 2

    def step(self):
        self.n += 1

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]
