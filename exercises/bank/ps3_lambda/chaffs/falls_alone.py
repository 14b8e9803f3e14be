# λ moves while it is above its end.
# expect linear_lambda: falls_alone
# expect cosine_lambda: falls_alone
import math


# %% task: linear_lambda
class LinearLambda:
    def __init__(self, start, end, steps):
        self.value, self.end = start, end
        self.share = (start - end) / steps

    def step(self):
        if self.value > self.end:
            self.value = max(self.value - self.share, self.end)

    def state_dict(self):
        return {"value": self.value}

    def load_state_dict(self, state):
        self.value = state["value"]


# %% task: cosine_lambda
class CosineLambda:
    def __init__(self, start, end, steps):
        self.start, self.end, self.steps, self.count = start, end, steps, 0

    @property
    def value(self):
        if self.start <= self.end:
            return self.start
        share = min(self.count / self.steps, 1.0)
        return self.start + (self.end - self.start) * (1 - math.cos(math.pi * share)) / 2

    def step(self):
        self.count += 1

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]
